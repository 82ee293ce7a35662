/* engine: how many are dialled at a time, and what is made of it when one that
 * was dialled says nothing more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>
#include <sodium.h>

#include "util.h"

#include "engine/engine.h"
#include "session/handshake.h"

enum {
	N = 20,
	AT_ONCE = 8
};

#define SECOND UINT64_C(1000000)

static struct engine *engine;
static struct ops ops;
static size_t seen; /* Ops that were looked at. */
static uint64_t now_us;
static uint32_t conns[4 * N]; /* That were dialled, in that order. */
static size_t n_conns;
static struct hs_slot slot;

static void random_bytes(void *aux OVS_UNUSED, void *buf, size_t size)
{
	randombytes_buf(buf, size);
}

static const struct rng rng = {random_bytes, NULL};

static void step(const struct event *event)
{
	engine_step(engine, event, now_us, &rng, &ops);
	while (seen < ops.n) {
		struct event result = {.type = EVENT_RESULT};
		const struct op *op = &ops.v[seen++];

		if (op->type == OP_DIAL) {
			ck_assert_uint_lt(n_conns, ARRAY_SIZE(conns));
			conns[n_conns++] = op->conn;
		} else if (op->cookie) {
			result.result.cookie = op->cookie;
			result.result.op = op->type;
			result.result.detail = "";
			result.result.port_no = op->type == OP_VPORT_ADD;
			step(&result);
		}
	}
}

/* Time passes. */
static void pass(uint64_t us)
{
	const uint64_t end_us = now_us + us;

	while (engine_deadline(engine) <= end_us) {
		struct event event = {.type = EVENT_TIMER};

		now_us = MAX(now_us, engine_deadline(engine));
		step(&event);
	}
	now_us = end_us;
}

static void happen(enum event_type type, uint32_t conn)
{
	struct event event = {.type = type, .conn = conn};

	step(&event);
}

static void setup(void)
{
	const struct kernel_snapshot empty = {.datapath_exists = false};
	struct event event = {.type = EVENT_START};
	struct ip_endpoint targets[N];
	struct engine_config config;

	memset(&config, 0, sizeof config);
	for (unsigned int i = 0; i < N; i++) {
		const uint8_t v4[4] = {192, 0, 2, (uint8_t)i};

		targets[i] = (struct ip_endpoint){.ip = ip_from_v4(v4),
						  .port = 6783};
	}
	ovs_strlcpy(config.name, "host", sizeof config.name);
	config.id.b[0] = 1;
	config.incarnation = 1;
	config.version = "test";
	memset(&slot, 7, sizeof slot);
	config.slots[0] = slot;
	config.n_slots = 1;
	config.port = 6783;
	config.vxlan_port = 6784;
	ovs_strlcpy(config.datapath, "fdp", sizeof config.datapath);
	config.targets = targets;
	config.n_targets = N;
	ops_init(&ops);
	seen = n_conns = 0;
	now_us = 1000;
	engine = engine_new(&config);
	event.start.snapshot = &empty;
	step(&event);
	pass(1);
}

static void teardown(void)
{
	engine_free(engine);
	ops_free(&ops);
}

START_TEST(so_many_are_dialled_others_when_one_is_over)
{
	ck_assert_uint_eq(n_conns, AT_ONCE);
	for (size_t i = 0; i < AT_ONCE; i++) {
		happen(EVENT_DIALED, conns[i]);
	}
	pass(SECOND / 2);
	ck_assert_uint_eq(n_conns, AT_ONCE);
	/* One is over: another may begin, at once. */
	happen(EVENT_CLOSED, conns[3]);
	pass(1);
	ck_assert_uint_eq(n_conns, AT_ONCE + 1);
	/* Those who have taken the connection are waited for. */
	happen(EVENT_DIALED, conns[AT_ONCE]);
	pass(3 * SECOND);
	ck_assert_uint_eq(n_conns, AT_ONCE + 1);
}
END_TEST

START_TEST(one_who_does_not_answer_keeps_others_waiting_a_second)
{
	pass(SECOND - 10);
	ck_assert_uint_eq(n_conns, AT_ONCE);
	pass(SECOND / 5);
	ck_assert_uint_eq(n_conns, 2 * AT_ONCE);
	/* Nobody is left out. */
	pass(SECOND + SECOND / 5);
	ck_assert_uint_eq(n_conns, N);
}
END_TEST

static bool was_logged(const char *text)
{
	for (size_t i = 0; i < ops.n; i++) {
		if (ops.v[i].type == OP_LOG && strstr(ops.v[i].text, text)) {
			return true;
		}
	}
	return false;
}

/* What it has sent through 'conn'. */
static struct span sent(uint32_t conn)
{
	for (size_t i = ops.n; i-- > 0;) {
		if (ops.v[i].type == OP_SEND && ops.v[i].conn == conn) {
			return wbuf_span(&ops.v[i].bytes);
		}
	}
	return span_of(NULL, 0);
}

/* A listener that has read M3 and dies, or says that the password is wrong. */
START_TEST(wrong_password_only_if_the_listener_says_so)
{
	const struct identity self = {.name = "far", .id = {{2}}};
	const struct hs_config config = {
		.slots = &slot, .n_slots = 1, .self = &self};
	struct event event = {.type = EVENT_DATA, .conn = conns[0]};
	struct wbuf tx = WBUF_INITIALIZER(0);
	struct handshake hs;
	struct span in;

	happen(EVENT_DIALED, conns[0]);
	handshake_init(&hs, HS_RESPONDER, &config);
	handshake_start(&hs, &tx, &rng);
	in = sent(conns[0]);
	ck_assert_int_eq(handshake_input(&hs, &in, &tx, &rng), FDP_OK);
	event.bytes = wbuf_span(&tx);
	step(&event);
	ck_assert_uint_eq(sent(conns[0]).size, 2 + 1 + 64);
	if (_i) {
		wbuf_pull(&tx, tx.size);
		handshake_hint(ERR_WRONG_PASSWORD, &tx);
		event.bytes = wbuf_span(&tx);
		step(&event);
	}
	happen(EVENT_CLOSED, conns[0]);
	ck_assert(was_logged("the passwords differ") == _i);
	ck_assert(was_logged("closed the connection") != _i);
	handshake_wipe(&hs);
	wbuf_free(&tx);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dial");
	TCase *tc = tcase_create("dial");
	SRunner *runner;
	int failed;

	if (sodium_init() < 0) {
		return EXIT_FAILURE;
	}
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, so_many_are_dialled_others_when_one_is_over);
	tcase_add_test(tc,
		       one_who_does_not_answer_keeps_others_waiting_a_second);
	tcase_add_loop_test(tc, wrong_password_only_if_the_listener_says_so, 0,
			    2);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
