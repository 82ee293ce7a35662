/* engine: the start, op by op, and what it undoes when it fails. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "util.h"

#include "engine/engine.h"

static struct engine *engine;
static struct ops ops;
static size_t seen;	/* Ops that were looked at. */
static int guard_errno; /* Of the netfilter guard. */

static void no_random(void *aux OVS_UNUSED, void *buf, size_t size)
{
	memset(buf, 0x5a, size);
}

static const struct rng rng = {no_random, NULL};

static void make_engine(bool encrypt)
{
	struct engine_config config;

	memset(&config, 0, sizeof config);
	ovs_strlcpy(config.name, "host", sizeof config.name);
	config.id.b[0] = 1;
	config.incarnation = 1;
	config.version = "test";
	config.n_slots = encrypt;
	config.port = 6783;
	config.vxlan_port = 6784;
	ovs_strlcpy(config.datapath, "fdp", sizeof config.datapath);
	engine = engine_new(&config);
}

static void setup(void)
{
	ops_init(&ops);
	seen = 0;
	guard_errno = 0;
}

static void teardown(void)
{
	engine_free(engine);
	ops_free(&ops);
}

static void start(const struct kernel_snapshot *snapshot)
{
	struct event event = {.type = EVENT_START};

	event.start.snapshot = snapshot;
	engine_step(engine, &event, 1000, &rng, &ops);
}

/* The next op that is not a line for the log. */
static const struct op *next(void)
{
	while (seen < ops.n && ops.v[seen].type == OP_LOG) {
		seen++;
	}
	return seen < ops.n ? &ops.v[seen++] : NULL;
}

static const struct op *expect(enum op_type type)
{
	const struct op *op = next();

	ck_assert_msg(op, "no op, not %s", op_type_name(type));
	ck_assert_str_eq(op_type_name(op->type), op_type_name(type));
	return op;
}

static void expect_nothing(void)
{
	const struct op *op = next();

	ck_assert_msg(!op, "%s", op ? op_type_name(op->type) : "");
}

static void answer(const struct op *op, int os_errno)
{
	struct event event = {.type = EVENT_RESULT, .os_errno = os_errno};

	ck_assert_uint_ne(op->cookie, 0);
	event.result.cookie = op->cookie;
	event.result.op = op->type;
	event.result.detail = os_errno ? "the reason" : "";
	event.result.port_no = op->type == OP_VPORT_ADD ? 1 : 0;
	engine_step(engine, &event, 2000, &rng, &ops);
}

static void answer_blocks(int os_errno)
{
	uint64_t cookies[4];
	struct op guard;

	for (int i = 0; i < 4; i++) {
		const struct op *op = expect(OP_POLICY_PUT);

		ck_assert(op->policy.block);
		ck_assert_uint_eq(op->policy.udp_port, 6784);
		cookies[i] = op->cookie;
	}
	guard = *expect(OP_GUARD_PUT);
	ck_assert_uint_eq(guard.guard.udp_port, 6784);
	ck_assert_uint_eq(guard.guard.n_peers, 0);
	for (int i = 0; i < 4; i++) {
		struct op op = {.type = OP_POLICY_PUT, .cookie = cookies[i]};

		answer(&op, os_errno);
	}
	if (!os_errno) {
		/* The datapath waits for the guard, which comes last. */
		expect_nothing();
	}
	answer(&guard, guard_errno);
}

static void fail_at_tunnel_port(void)
{
	struct op adopt, add;

	answer(expect(OP_DATAPATH_ADD), 0);
	adopt = *expect(OP_VPORT_ADOPT);
	add = *expect(OP_VPORT_ADD);
	ck_assert_int_eq(add.vport.type, ODP_VPORT_VXLAN);
	answer(&adopt, 0);
	answer(&add, EADDRINUSE);
}

static void expect_fatal(void)
{
	const struct op *op = expect(OP_FATAL);

	ck_assert_ptr_nonnull(strstr(op->text, "the reason"));
	expect_nothing();
	ck_assert(!engine_is_running(engine));
}

static const struct kernel_snapshot nothing;

START_TEST(encrypted_blocks_before_anything)
{
	struct op adopt, add;

	make_engine(true);
	start(&nothing);
	answer_blocks(0);
	answer(expect(OP_DATAPATH_ADD), 0);
	adopt = *expect(OP_VPORT_ADOPT);
	add = *expect(OP_VPORT_ADD);
	answer(&adopt, 0);
	ck_assert(!engine_is_running(engine));
	answer(&add, 0);
	ck_assert(engine_is_running(engine));
}
END_TEST

START_TEST(plain_makes_no_policies)
{
	make_engine(false);
	start(&nothing);
	expect(OP_DATAPATH_ADD);
	expect_nothing();
}
END_TEST

START_TEST(plain_after_encrypted_run_refused)
{
	struct xfrm_policy policy = {.block = true};
	struct kernel_snapshot snapshot = {.policies = &policy,
					   .n_policies = 1};

	make_engine(false);
	start(&snapshot);
	/* Its datapath, had it made one; nobody's policies. */
	expect(OP_DATAPATH_DEL);
	ck_assert_ptr_nonnull(strstr(expect(OP_FATAL)->text, "fdpctl reset"));
	expect_nothing();
}
END_TEST

START_TEST(plain_after_guarded_run_refused)
{
	struct kernel_snapshot snapshot = {.guard = true};

	make_engine(false);
	start(&snapshot);
	expect(OP_DATAPATH_DEL);
	ck_assert_ptr_nonnull(strstr(expect(OP_FATAL)->text, "fdpctl reset"));
	expect_nothing();
}
END_TEST

START_TEST(no_guard_to_be_had_said_loudly_and_started_all_the_same)
{
	bool said = false;

	make_engine(true);
	start(&nothing);
	guard_errno = EOPNOTSUPP;
	answer_blocks(0);
	expect(OP_DATAPATH_ADD);
	for (size_t i = 0; i < ops.n; i++) {
		said |= ops.v[i].type == OP_LOG &&
			ops.v[i].level == OP_LOG_ERR &&
			strstr(ops.v[i].text, "the reason");
	}
	ck_assert(said);
}
END_TEST

START_TEST(guard_removed_put_back)
{
	struct event event = {.type = EVENT_GUARD_GONE};

	make_engine(true);
	start(&nothing);
	answer_blocks(0);
	expect(OP_DATAPATH_ADD);
	engine_step(engine, &event, 3000, &rng, &ops);
	ck_assert_uint_eq(expect(OP_GUARD_PUT)->guard.udp_port, 6784);
}
END_TEST

START_TEST(guard_puts_do_not_overtake_each_other)
{
	struct event event = {.type = EVENT_GUARD_GONE};
	struct op guard;

	make_engine(true);
	start(&nothing);
	answer_blocks(0);
	expect(OP_DATAPATH_ADD);
	engine_step(engine, &event, 3000, &rng, &ops);
	guard = *expect(OP_GUARD_PUT);
	/* Twice more while that one takes its time: once more is enough. */
	engine_step(engine, &event, 3000, &rng, &ops);
	engine_step(engine, &event, 3000, &rng, &ops);
	expect_nothing();
	answer(&guard, 0);
	guard = *expect(OP_GUARD_PUT);
	expect_nothing();
	answer(&guard, 0);
	expect_nothing();
}
END_TEST

START_TEST(peer_on_another_port_guarded_from_the_first_moment)
{
	struct xfrm_policy policies[] = {
		{.dir = XFRM_DIR_OUT, .udp_port = 7001, .reqid = 5},
		{.dir = XFRM_DIR_IN, .udp_port = 6784, .reqid = 5},
	};
	struct kernel_snapshot snapshot = {
		.policies = policies, .n_policies = 2, .datapath_exists = true};
	const struct op *op;

	ck_assert(!ip_addr_parse("192.0.2.7", &policies[0].dst));
	make_engine(true);
	start(&snapshot);
	for (int i = 0; i < 4; i++) {
		expect(OP_POLICY_PUT);
	}
	op = expect(OP_GUARD_PUT);
	ck_assert_uint_eq(op->guard.n_peers, 1);
	ck_assert(ip_equal(&op->guard.peers[0].ip, &policies[0].dst));
	ck_assert_uint_eq(op->guard.peers[0].port, 7001);
}
END_TEST

START_TEST(failed_first_start_leaves_nothing)
{
	make_engine(true);
	start(&nothing);
	answer_blocks(0);
	fail_at_tunnel_port();
	expect(OP_DATAPATH_DEL);
	for (int i = 0; i < 4; i++) {
		ck_assert(expect(OP_POLICY_DEL)->policy.block);
	}
	expect(OP_GUARD_DEL);
	expect_fatal();
}
END_TEST

START_TEST(failed_start_over_old_policies_keeps_them)
{
	struct xfrm_policy policy = {.block = true};
	struct kernel_snapshot snapshot = {.policies = &policy,
					   .n_policies = 1};

	make_engine(true);
	start(&snapshot);
	answer_blocks(0);
	fail_at_tunnel_port();
	expect(OP_DATAPATH_DEL);
	expect_fatal();
}
END_TEST

START_TEST(failed_start_over_old_datapath_keeps_all)
{
	struct kernel_snapshot snapshot = {.datapath_exists = true};

	make_engine(true);
	start(&snapshot);
	answer_blocks(0);
	fail_at_tunnel_port();
	expect_fatal();
}
END_TEST

START_TEST(refused_block_policy_stops_before_the_datapath)
{
	make_engine(true);
	start(&nothing);
	answer_blocks(EPROTONOSUPPORT);
	expect(OP_DATAPATH_DEL);
	for (int i = 0; i < 4; i++) {
		expect(OP_POLICY_DEL);
	}
	expect(OP_GUARD_DEL);
	expect_fatal();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_start");
	TCase *tc = tcase_create("engine_start");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, encrypted_blocks_before_anything);
	tcase_add_test(tc, plain_makes_no_policies);
	tcase_add_test(tc, plain_after_encrypted_run_refused);
	tcase_add_test(tc, plain_after_guarded_run_refused);
	tcase_add_test(tc,
		       no_guard_to_be_had_said_loudly_and_started_all_the_same);
	tcase_add_test(tc, guard_removed_put_back);
	tcase_add_test(tc, guard_puts_do_not_overtake_each_other);
	tcase_add_test(tc, peer_on_another_port_guarded_from_the_first_moment);
	tcase_add_test(tc, failed_first_start_leaves_nothing);
	tcase_add_test(tc, failed_start_over_old_policies_keeps_them);
	tcase_add_test(tc, failed_start_over_old_datapath_keeps_all);
	tcase_add_test(tc, refused_block_policy_stops_before_the_datapath);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
