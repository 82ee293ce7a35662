/* engine: a container that sends what it likes costs itself, and is told of. */
#include <stdlib.h>
#include <string.h>

#include <check.h>
#include <sodium.h>

#include "openvswitch/json.h"
#include "util.h"

#include "base/jsonget.h"
#include "datapath/flow_table.h"
#include "engine/engine.h"

static struct engine *engine;
static struct ops ops;
static uint64_t now_us;
static uint32_t next_port;
static size_t n_puts, n_dels, n_executes;
static char *reply; /* Of the last command. */
static struct ufid last_put;

static void no_random(void *aux OVS_UNUSED, void *buf, size_t size)
{
	memset(buf, 0x5a, size);
}

static const struct rng rng = {no_random, NULL};

static void step(const struct event *event);

/* A kernel where everything works. */
static void run_op(const struct op *op)
{
	struct event event = {.type = EVENT_RESULT};

	switch ((int)op->type) {
	case OP_FLOW_PUT:
		n_puts++;
		last_put = op->flow.ufid;
		break;
	case OP_FLOW_DEL:
		n_dels++;
		break;
	case OP_EXECUTE:
		n_executes++;
		break;
	case OP_REPLY:
		ck_assert_msg(op->reply.ok, "%s", op->text);
		free(reply);
		reply = xstrdup(op->text);
		break;
	default:
		break;
	}
	if (op->cookie) {
		event.result.cookie = op->cookie;
		event.result.op = op->type;
		event.result.detail = "";
		event.result.port_no =
			op->type == OP_VPORT_ADD ? ++next_port : 0;
		step(&event);
	}
}

static void step(const struct event *event)
{
	struct ops mine;

	engine_step(engine, event, now_us, &rng, &ops);
	mine = ops;
	ops_init(&ops);
	for (size_t i = 0; i < mine.n; i++) {
		run_op(&mine.v[i]);
	}
	ops_free(&mine);
}

/* The answer, which the caller destroys. */
static struct json *ask(const char *name, const char *args)
{
	struct event event = {.type = EVENT_COMMAND};
	struct json *json = args ? json_from_string(args) : NULL;

	event.command.id = 1;
	event.command.name = name;
	event.command.args = json;
	step(&event);
	json_destroy(json);
	ck_assert_ptr_nonnull(reply);
	return json_from_string(reply);
}

static uint32_t attach(unsigned int i)
{
	char *args =
		xasprintf("{\"netns\": \"c%u\", \"ifname\": \"eth0\", "
			  "\"host_ifname\": \"v%u\", \"network\": 1, "
			  "\"mtu\": 1400, \"mac\": \"0a:00:00:00:00:%02x\","
			  " \"addresses\": [\"10.0.0.%u/24\", "
			  "\"fd00::%u/64\"]}",
			  i, i, i, i, i);

	json_destroy(ask("attach", args));
	free(args);
	return next_port;
}

static uint32_t c1, c2;

static void setup(void)
{
	const struct kernel_snapshot empty = {.datapath_exists = false};
	struct event event = {.type = EVENT_START};
	struct engine_config config;

	ck_assert_int_ge(sodium_init(), 0);
	memset(&config, 0, sizeof config);
	ovs_strlcpy(config.name, "host", sizeof config.name);
	config.id.b[0] = 1;
	config.incarnation = 1;
	config.version = "test";
	config.port = 6783;
	config.vxlan_port = 6784;
	ovs_strlcpy(config.datapath, "fdp", sizeof config.datapath);
	ops_init(&ops);
	next_port = 0;
	now_us = 1000;
	engine = engine_new(&config);
	event.start.snapshot = &empty;
	step(&event);
	ck_assert(engine_is_running(engine));
	c1 = attach(1);
	c2 = attach(2);
	n_puts = n_dels = n_executes = 0;
}

static void teardown(void)
{
	engine_free(engine);
	ops_free(&ops);
	free(reply);
	reply = NULL;
}

/* UDP from container 'i' to a station that there is not. */
static struct flow to_nobody(unsigned int i, uint32_t n)
{
	struct flow f = {
		.in_port = i == 1 ? c1 : c2,
		.eth_src = {{0x0a, 0, 0, 0, 0, (uint8_t)i}},
		.eth_dst = {{2, 9, (uint8_t)(n >> 24), (uint8_t)(n >> 16),
			     (uint8_t)(n >> 8), (uint8_t)n}},
		.eth_type = ETH_TYPE_IPV4,
		.nw_proto = IP_PROTO_UDP,
		.nw_ttl = 64,
		.tp_src = 1024,
		.tp_dst = 1024};

	f.nw_src = ip_from_v4((uint8_t[]){10, 0, 0, (uint8_t)i});
	f.nw_dst = ip_from_v4((uint8_t[]){10, 0, 0, 99});
	return f;
}

static void comes_up(const struct flow *f)
{
	struct odp_upcall upcall = {
		.miss = true, .flow = *f, .packet = span_of("frame", 5)};
	struct event event = {.type = EVENT_UPCALL, .upcall = &upcall};

	step(&event);
}

static void flood(unsigned int i, uint32_t first, uint32_t n)
{
	for (uint32_t k = 0; k < n; k++) {
		struct flow f = to_nobody(i, first + k);

		comes_up(&f);
	}
}

/* What `fdpctl ports` says of container 'i'. */
static int64_t of_port(unsigned int i, const char *what)
{
	struct json *json = ask("ports", NULL);
	const struct json *list = jsonget(json, "ports");
	int64_t value = -1;

	ck_assert(jsonget_integer(list->array.elems[i - 1], what, 0, INT64_MAX,
				  &value));
	json_destroy(json);
	return value;
}

static int64_t of_status(const char *object, const char *what)
{
	struct json *json = ask("status", NULL);
	int64_t value = 0;

	(void)!jsonget_integer(jsonget(json, object), what, 0, INT64_MAX,
			       &value);
	json_destroy(json);
	return value;
}

START_TEST(flood_ends_at_the_share_of_its_port)
{
	flood(1, 0, FLOW_SOURCE_MAX + 100);
	ck_assert_uint_eq(n_puts, FLOW_SOURCE_MAX);
	ck_assert_int_eq(of_status("flows", "installed"), FLOW_SOURCE_MAX);
	ck_assert_int_eq(of_port(1, "flows"), FLOW_SOURCE_MAX);
	ck_assert_int_eq(of_port(1, "refused"), 100);
	/* The other one does not feel it. */
	flood(2, 0, 10);
	ck_assert_uint_eq(n_puts, FLOW_SOURCE_MAX + 10);
	ck_assert_int_eq(of_port(2, "flows"), 10);
	ck_assert_int_eq(of_port(2, "refused"), 0);
	ck_assert_int_eq(of_port(2, "evicted"), 0);
}
END_TEST

START_TEST(idle_flow_gives_way_to_the_next_of_its_port)
{
	struct event event = {.type = EVENT_FLOW_STATS};

	flood(1, 0, 1);
	event.flow_stats.ufid = last_put;
	flood(1, 1, FLOW_SOURCE_MAX);
	ck_assert_int_eq(of_port(1, "refused"), 1);
	ck_assert_int_eq(of_port(1, "evicted"), 0);
	/* The kernel has seen no packet for the first one. */
	step(&event);
	flood(1, FLOW_SOURCE_MAX + 1, 2);
	ck_assert_uint_eq(n_dels, 1);
	ck_assert_int_eq(of_port(1, "evicted"), 1);
	ck_assert_int_eq(of_port(1, "refused"), 2);
	ck_assert_int_eq(of_port(1, "flows"), FLOW_SOURCE_MAX);
}
END_TEST

/* A question for an address that nobody has is no flow for ever, and an answer
 * is none at all. */
START_TEST(questions_stay_bounded_as_well)
{
	for (uint32_t n = 0; n < FLOW_SOURCE_MAX + 10; n++) {
		struct flow f = to_nobody(1, 0);

		f.eth_dst = (struct mac){{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
		f.eth_type = ETH_TYPE_ARP;
		f.nw_proto = f.nw_ttl = 0;
		f.tp_src = f.tp_dst = 0;
		f.arp_op = 1;
		f.arp_sha = f.eth_src;
		f.nw_dst = ip_from_v4((uint8_t[]){
			11, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n});
		comes_up(&f);
	}
	ck_assert_int_eq(of_port(1, "flows"), FLOW_SOURCE_MAX);
	ck_assert_int_eq(of_status("drops", "unknown-ip"),
			 FLOW_SOURCE_MAX + 10);
}
END_TEST

/* What a container says in the name of others. */
static void claim_mac(struct flow *f)
{
	f->eth_src.b[5] = 77;
}

static void claim_ip(struct flow *f)
{
	f->nw_src.b[15] = 77;
}

static void claim_arp(struct flow *f)
{
	f->eth_type = ETH_TYPE_ARP;
	f->arp_op = 2;
	f->arp_sha = f->eth_src;
	f->nw_src.b[15] = 77;
}

static void be_dhcp_server(struct flow *f)
{
	f->tp_src = 67;
	f->tp_dst = 68;
}

static void make_icmpv6(struct flow *f, uint16_t type)
{
	f->eth_type = ETH_TYPE_IPV6;
	f->nw_proto = IP_PROTO_ICMPV6;
	f->nw_src = ip_link_local_of(&f->eth_src);
	f->tp_src = type;
	f->tp_dst = 0;
}

static void be_router(struct flow *f)
{
	make_icmpv6(f, 134);
}

static void claim_neighbour(struct flow *f)
{
	make_icmpv6(f, 136);
	memset(f->nd_target.b, 0x20, sizeof f->nd_target.b);
	f->nd_tll = f->eth_src;
}

static void be_itself(struct flow *f OVS_UNUSED)
{
}

static const struct {
	void (*forge)(struct flow *);
	const char *reason;
} claims[] = {
	{claim_mac, "spoofed-mac"}, {claim_ip, "spoofed-ip"},
	{claim_arp, "spoofed-arp"}, {be_dhcp_server, "rogue-dhcp"},
	{be_router, "rogue-ra"},    {claim_neighbour, "spoofed-arp"},
	{be_itself, NULL},
};

START_TEST(what_is_forged_is_dropped_and_counted)
{
	const char *reason = claims[_i].reason;
	struct flow f = to_nobody(1, 0);

	f.eth_dst = (struct mac){{0x0a, 0, 0, 0, 0, 2}};
	claims[_i].forge(&f);
	comes_up(&f);
	/* The last one passes: it is not that nothing does. */
	ck_assert_uint_eq(n_executes, reason ? 0 : 1);
	if (reason) {
		ck_assert_int_eq(of_status("drops", reason), 1);
	}
}
END_TEST

START_TEST(losses_are_shown_with_their_port)
{
	struct port_load loads[] = {
		{.port_no = 0, .upcalls = 1},
		{.port_no = 1, .upcalls = 2},
		{.port_no = c1, .upcalls = 9, .lost = 5, .waited = 3},
		{.port_no = c2, .upcalls = 7},
	};
	struct event event = {.type = EVENT_COUNTERS};
	const struct json *list;
	struct json *json;

	event.counters.upcalls = 19;
	event.counters.lost = 5;
	event.counters.ports = loads;
	event.counters.n_ports = ARRAY_SIZE(loads);
	step(&event);
	ck_assert_int_eq(of_port(1, "upcalls"), 9);
	ck_assert_int_eq(of_port(1, "lost"), 5);
	ck_assert_int_eq(of_port(1, "waited"), 3);
	ck_assert_int_eq(of_port(2, "upcalls"), 7);
	ck_assert_int_eq(of_port(2, "lost"), 0);
	json = ask("status", NULL);
	list = jsonget(jsonget(json, "upcalls"), "lost_by");
	ck_assert_uint_eq(list->array.n, 1);
	ck_assert_str_eq(jsonget_string(list->array.elems[0], "netns"), "c1");
	json_destroy(json);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("flood");
	TCase *tcase = tcase_create("flood");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, flood_ends_at_the_share_of_its_port);
	tcase_add_test(tcase, idle_flow_gives_way_to_the_next_of_its_port);
	tcase_add_test(tcase, questions_stay_bounded_as_well);
	tcase_add_loop_test(tcase, what_is_forged_is_dropped_and_counted, 0,
			    ARRAY_SIZE(claims));
	tcase_add_test(tcase, losses_are_shown_with_their_port);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
