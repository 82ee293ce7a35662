/* The CPU that fdpd itself spends on a packet without a flow: decoding of the
 * upcall, engine, encoding of flow and packet; no kernel, no system calls.
 *
 *	flow_engine N
 *
 * A host with two containers; N frames in batches of 64, each to another group
 * address.  Prints nanoseconds a frame.  For a profile: perf record, or
 * valgrind --tool=callgrind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/genetlink.h>
#include <linux/openvswitch.h>
#include <sodium.h>

#include "engine/engine.h"
#include "netlink/nlmsg.h"
#include "openvswitch/json.h"
#include "packet/build.h"
#include "util.h"

enum {
	BATCH = 64,
	FAMILY = 0x20
};

static struct engine *engine;
static struct ops ops;
static uint64_t clock_us = 1000000;
static uint32_t next_port;

static void random_bytes(void *aux, void *buf, size_t size)
{
	(void)aux;
	randombytes_buf(buf, size);
}

static void step(const struct event *event)
{
	static const struct rng rng = {random_bytes, NULL};

	engine_step(engine, event, clock_us, &rng, &ops);
}

/* A kernel where everything works. */
static void settle(void)
{
	while (ops.n) {
		struct ops done = ops;

		ops_init(&ops);
		for (size_t i = 0; i < done.n; i++) {
			const struct op *op = &done.v[i];
			struct event event = {.type = EVENT_RESULT};

			event.result.cookie = op->cookie;
			event.result.op = op->type;
			event.result.detail = "";
			if (op->type == OP_VPORT_ADD) {
				event.result.port_no = ++next_port;
			} else if (op->type == OP_FATAL ||
				   (op->type == OP_REPLY && !op->reply.ok)) {
				fprintf(stderr, "%s\n", op->text);
				exit(EXIT_FAILURE);
			}
			if (op->cookie) {
				step(&event);
			}
		}
		ops_free(&done);
	}
}

static void start(void)
{
	static const struct kernel_snapshot nothing;
	struct event event = {.type = EVENT_START};
	struct engine_config config;

	memset(&config, 0, sizeof config);
	snprintf(config.name, sizeof config.name, "bench");
	config.id.b[0] = 1;
	config.incarnation = 1;
	config.version = "bench";
	config.port = 6783;
	config.vxlan_port = 6784;
	snprintf(config.datapath, sizeof config.datapath, "fdp");
	engine = engine_new(&config);
	event.start.snapshot = &nothing;
	step(&event);
	settle();
}

static void attach(unsigned int i)
{
	char *text =
		xasprintf("{\"netns\": \"c%u\", \"ifname\": \"eth0\", "
			  "\"host_ifname\": \"v%u\", \"network\": 1, "
			  "\"mtu\": 1400, \"mac\": \"0a:00:00:00:00:%02x\","
			  " \"addresses\": [\"10.0.0.%u/24\"]}",
			  i, i, i, i);
	struct event event = {.type = EVENT_COMMAND};
	struct json *args = json_from_string(text);

	event.command.id = i;
	event.command.name = "attach";
	event.command.args = args;
	step(&event);
	settle();
	json_destroy(args);
	free(text);
}

/* What else the kernel says. */
static void put_other_attrs(struct wbuf *b)
{
	static const uint16_t types[] = {
		OVS_KEY_ATTR_DP_HASH,  OVS_KEY_ATTR_RECIRC_ID,
		OVS_KEY_ATTR_PRIORITY, OVS_KEY_ATTR_SKB_MARK,
		OVS_KEY_ATTR_CT_STATE, OVS_KEY_ATTR_CT_MARK};
	static const uint8_t labels[16];
	uint32_t zero = 0;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		nlattr_put(b, types[i], &zero, sizeof zero);
	}
	nlattr_put(b, OVS_KEY_ATTR_CT_LABELS, labels, sizeof labels);
}

static void put_upcall(struct wbuf *b, const struct flow *f,
		       const uint8_t *frame, size_t size)
{
	struct genlmsghdr genl = {.cmd = OVS_PACKET_CMD_MISS, .version = 1};
	struct ovs_header ovs = {.dp_ifindex = 7};
	size_t begin = nlmsg_begin(b, FAMILY, 0, 0), nest;

	nlmsg_put_fixed(b, &genl, sizeof genl);
	nlmsg_put_fixed(b, &ovs, sizeof ovs);
	nest = nlattr_nest(b, OVS_PACKET_ATTR_KEY);
	odp_put_key_attrs(b, f);
	put_other_attrs(b);
	nlattr_nest_end(b, nest);
	nlattr_put(b, OVS_PACKET_ATTR_PACKET, frame, size);
	nlmsg_end(b, begin);
}

static void write_op(struct wbuf *out, const struct op *op)
{
	switch ((int)op->type) {
	case OP_FLOW_PUT:
		odp_put_flow(out, FAMILY, 1, 0, 7, &op->flow.ufid,
			     &op->flow.key, &op->flow.mask, &op->flow.actions);
		break;
	case OP_FLOW_DEL:
		odp_put_flow_del(out, FAMILY, 1, 0, 7, &op->flow.ufid);
		break;
	case OP_EXECUTE:
		odp_put_execute(out, FAMILY, 1, 0, 7, &op->flow.key,
				wbuf_span(&op->bytes), &op->flow.actions);
		break;
	default:
		break;
	}
}

static void burst(uint32_t first, struct wbuf *in, struct wbuf *out)
{
	struct flow f = {.in_port = next_port - 1,
			 .eth_src = {{0x0a, 0, 0, 0, 0, 1}},
			 .eth_type = ETH_TYPE_IPV4,
			 .nw_proto = IP_PROTO_UDP,
			 .nw_ttl = 64,
			 .tp_src = 1024,
			 .tp_dst = 1024};
	uint8_t frame[86] = {0};
	size_t at[BATCH + 1] = {0};
	struct timespec t;

	f.nw_src = ip_from_v4((uint8_t[]){10, 0, 0, 1});
	f.nw_dst = ip_from_v4((uint8_t[]){10, 0, 0, 2});
	wbuf_clear(in);
	for (uint32_t i = 0; i < BATCH; i++) {
		uint32_t n = first + i;

		f.eth_dst = (struct mac){{3, 0, (uint8_t)(n >> 24),
					  (uint8_t)(n >> 16), (uint8_t)(n >> 8),
					  (uint8_t)n}};
		put_upcall(in, &f, frame, sizeof frame);
		at[i + 1] = in->size;
	}
	clock_gettime(CLOCK_MONOTONIC, &t);
	clock_us += 1000;
	for (uint32_t i = 0; i < BATCH; i++) {
		struct event event = {.type = EVENT_UPCALL};
		struct odp_upcall upcall;
		enum err err = odp_get_upcall(
			span_of(in->data + at[i], at[i + 1] - at[i]), &upcall);

		ovs_assert(!err);
		event.upcall = &upcall;
		step(&event);
	}
	wbuf_clear(out);
	for (size_t i = 0; i < ops.n; i++) {
		write_op(out, &ops.v[i]);
	}
	ovs_assert(ops.n == 2 * BATCH);
	ops_clear(&ops);
}

int main(int argc, char *argv[])
{
	uint32_t n = argc > 1 ? (uint32_t)atoi(argv[1]) : 10000;
	struct wbuf in, out;
	struct timespec a, b;

	if (sodium_init() < 0) {
		return EXIT_FAILURE;
	}
	wbuf_init(&in, 0);
	wbuf_init(&out, 0);
	start();
	attach(1);
	attach(2);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	for (uint32_t i = 0; i < n; i += BATCH) {
		burst(i, &in, &out);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	printf("%.0f\n", ((double)(b.tv_sec - a.tv_sec) * 1e9 +
			  (double)(b.tv_nsec - a.tv_nsec)) /
				 n);
	engine_free(engine);
	ops_free(&ops);
	wbuf_free(&in);
	wbuf_free(&out);
	return EXIT_SUCCESS;
}
