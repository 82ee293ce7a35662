/* engine: what a listener says without proof must not change what we do. */
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "util.h"

#include "engine/engine.h"

static struct engine *engine;
static struct ops ops;
static size_t seen; /* Ops that were looked at. */
static uint64_t now_us;

static void no_random(void *aux OVS_UNUSED, void *buf, size_t size)
{
	memset(buf, 0x5a, size);
}

static const struct rng rng = {no_random, NULL};

static void step(const struct event *event)
{
	engine_step(engine, event, now_us, &rng, &ops);
}

/* Answers every op that wants an answer with success, until one of 'type'
 * comes; returns its connection, 0 if none came. */
static uint32_t serve_until(enum op_type type)
{
	while (seen < ops.n) {
		struct event event = {.type = EVENT_RESULT};
		const struct op *op = &ops.v[seen++];

		if (op->type == type) {
			return op->conn;
		}
		if (op->cookie) {
			event.result.cookie = op->cookie;
			event.result.op = op->type;
			event.result.detail = "";
			event.result.port_no = op->type == OP_VPORT_ADD;
			step(&event);
		}
	}
	return 0;
}

/* Lets time pass until the engine dials, at most 'limit_us'. */
static uint32_t dialled_within(uint64_t limit_us)
{
	uint64_t end_us = now_us + limit_us;
	uint32_t conn = serve_until(OP_DIAL);

	while (!conn && engine_deadline(engine) <= end_us) {
		struct event event = {.type = EVENT_TIMER};

		now_us = MAX(now_us, engine_deadline(engine));
		step(&event);
		conn = serve_until(OP_DIAL);
	}
	return conn;
}

static void setup(void)
{
	static const uint8_t v4[4] = {192, 0, 2, 9};
	const struct kernel_snapshot empty = {.datapath_exists = false};
	struct event event = {.type = EVENT_START};
	struct ip_endpoint target = {.ip = ip_from_v4(v4), .port = 6783};
	struct engine_config config;

	memset(&config, 0, sizeof config);
	ovs_strlcpy(config.name, "host", sizeof config.name);
	config.id.b[0] = 1;
	config.incarnation = 1;
	config.version = "test";
	memset(config.slots, 7, sizeof config.slots);
	config.n_slots = 2;
	config.port = 6783;
	config.vxlan_port = 6784;
	ovs_strlcpy(config.datapath, "fdp", sizeof config.datapath);
	config.targets = &target;
	config.n_targets = 1;
	ops_init(&ops);
	seen = 0;
	now_us = 1000;
	engine = engine_new(&config);
	event.start.snapshot = &empty;
	step(&event);
}

static void teardown(void)
{
	engine_free(engine);
	ops_free(&ops);
}

/* All codes there are, and some that are not yet. */
START_TEST(hint_does_not_end_dialling)
{
	const uint8_t hint[] = {0, 5, 'F', 'D', 'P', '!', (uint8_t)_i};
	uint32_t conn = dialled_within(UINT64_C(10000000));

	for (int n = 0; n < 5; n++) {
		struct event event = {.type = EVENT_DIALED, .conn = conn};

		ck_assert_uint_ne(conn, 0);
		step(&event);
		event = (struct event){.type = EVENT_DATA, .conn = conn};
		event.bytes = span_of(hint, sizeof hint);
		step(&event);
		ck_assert_uint_eq(serve_until(OP_CLOSE), conn);
		conn = dialled_within(UINT64_C(61000000));
	}
	ck_assert_uint_ne(conn, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_hint");
	TCase *tc = tcase_create("hint");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, hint_does_not_end_dialling, 0, 10);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
