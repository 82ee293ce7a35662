/* Very many whole engines in one process, on a virtual clock: how a mesh grows.
 *
 *	mesh N [plain]
 *
 * All start in the first second and know the first alone.  Kernels cost nothing
 * and always succeed, the network takes 1 ms and loses nothing; probes go
 * through it.  Printed are, of the full mesh, of a minute of idleness, and of
 * one container that is attached: the virtual time, the CPU time of all engines
 * together, what they said to each other, and the memory of one of them.
 * Whatever is not in proportion to N per engine is a fault.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "base/jsonget.h"
#include "engine/engine.h"
#include "hash.h"
#include "openvswitch/hmap.h"
#include "openvswitch/json.h"
#include "packet/parse.h"
#include "packet/probe.h"
#include "util.h"

enum {
	PORT = 6783,
	TUNNEL_PORT = 1,
	LATENCY_US = 1000,
	SECOND = 1000000,
	LIMIT_S = 600 /* For the full mesh. */
};

struct node;

/* One end of a connection. */
struct end {
	struct hmap_node hmap; /* In node.ends, by connection number. */
	struct node *node;
	struct end *other; /* NULL: closed. */
	uint32_t conn;
	struct ip_endpoint local;
	unsigned int n_queued; /* Occurrences that point here. */
	bool closed;
};

struct node {
	struct engine *engine;
	struct ip_addr ip;
	struct hmap ends;
	uint32_t n_accepted;
	uint64_t timer_us; /* In the queue. */
	char *reply;
};

struct occurrence {
	uint64_t when_us, order;
	enum event_type type;
	struct node *node; /* EVENT_START, EVENT_TIMER, EVENT_UPCALL. */
	struct end *end;   /* The others. */
	struct wbuf bytes;
	struct ip_addr from; /* EVENT_UPCALL */
	uint8_t ttl;
};

static struct node *nodes;
static size_t n_nodes;
static struct occurrence **heap;
static size_t n_heap, allocated_heap;
static uint64_t now_us = 1000 * (uint64_t)SECOND, order;
static uint64_t n_up, n_messages, n_bytes;

/* ---- the queue ---- */

static bool before(const struct occurrence *a, const struct occurrence *b)
{
	return a->when_us != b->when_us ? a->when_us < b->when_us
					: a->order < b->order;
}

static struct occurrence *later(uint64_t delay_us, enum event_type type)
{
	struct occurrence *o = xzalloc(sizeof *o);
	size_t i;

	o->when_us = now_us + delay_us;
	o->order = order++;
	o->type = type;
	wbuf_init(&o->bytes, 0);
	if (n_heap == allocated_heap) {
		heap = x2nrealloc(heap, &allocated_heap, sizeof *heap);
	}
	for (i = n_heap++; i && before(o, heap[(i - 1) / 2]); i = (i - 1) / 2) {
		heap[i] = heap[(i - 1) / 2];
	}
	heap[i] = o;
	return o;
}

static struct occurrence *take(void)
{
	struct occurrence *top = heap[0], *last = heap[--n_heap];
	size_t i = 0;

	for (size_t child; (child = 2 * i + 1) < n_heap; i = child) {
		child += child + 1 < n_heap &&
			 before(heap[child + 1], heap[child]);
		if (!before(heap[child], last)) {
			break;
		}
		heap[i] = heap[child];
	}
	heap[i] = last;
	return top;
}

static void to_end(struct end *end, uint64_t delay_us, enum event_type type,
		   struct span bytes)
{
	struct occurrence *o = later(delay_us, type);

	o->end = end;
	end->n_queued++;
	wbuf_bytes(&o->bytes, bytes.data, bytes.size);
}

/* ---- the network ---- */

static struct ip_addr address_of(size_t i)
{
	const uint8_t b[4] = {10, 1, (uint8_t)(i >> 8), (uint8_t)i};

	return ip_from_v4(b);
}

static struct node *node_at(const struct ip_addr *ip)
{
	size_t i = (size_t)ip->b[14] << 8 | ip->b[15];

	return i < n_nodes ? &nodes[i] : NULL;
}

static struct end *end_new(struct node *node, uint32_t conn, uint16_t port)
{
	struct end *end = xzalloc(sizeof *end);

	end->node = node;
	end->conn = conn;
	end->local.ip = node->ip;
	end->local.port = port;
	hmap_insert(&node->ends, &end->hmap, hash_int(conn, 0));
	return end;
}

static struct end *end_find(struct node *node, uint32_t conn)
{
	struct end *end;

	HMAP_FOR_EACH_WITH_HASH (end, hmap, hash_int(conn, 0), &node->ends) {
		if (end->conn == conn) {
			return end;
		}
	}
	return NULL;
}

/* The engine knows it no more. */
static void end_close(struct end *end)
{
	if (!end->closed) {
		end->closed = true;
		hmap_remove(&end->node->ends, &end->hmap);
	}
	if (end->other) {
		end->other->other = NULL;
		end->other = NULL;
	}
	if (!end->n_queued) {
		free(end);
	}
}

static void dial(struct node *from, const struct op *op)
{
	struct node *to = node_at(&op->dial.remote.ip);
	struct end *a = end_new(from, op->conn, 40000), *b;

	if (!to || !engine_is_running(to->engine)) {
		to_end(a, LATENCY_US, EVENT_CLOSED, span_of(NULL, 0));
		return;
	}
	to->n_accepted += 2;
	b = end_new(to, to->n_accepted, PORT);
	a->other = b;
	b->other = a;
	to_end(b, LATENCY_US, EVENT_ACCEPTED, span_of(NULL, 0));
	to_end(a, 2 * LATENCY_US, EVENT_DIALED, span_of(NULL, 0));
}

static void stream(struct node *node, const struct op *op)
{
	struct end *end = end_find(node, op->conn);

	if (!end) {
		return;
	}
	if (op->type == OP_SEND) {
		n_messages++;
		n_bytes += op->bytes.size;
		if (end->other) {
			to_end(end->other, 2 * LATENCY_US, EVENT_DATA,
			       wbuf_span(&op->bytes));
		}
		return;
	}
	if (end->other) {
		to_end(end->other, 2 * LATENCY_US, EVENT_CLOSED,
		       span_of(NULL, 0));
	}
	end_close(end);
}

/* Only probes are sent here, and only through the tunnel. */
static void execute(const struct op *op)
{
	const struct action *tunnel = NULL;

	for (size_t i = 0; i < op->flow.actions.n; i++) {
		const struct action *a = &op->flow.actions.v[i];

		if (a->type == ACTION_SET_TUNNEL) {
			tunnel = a;
		} else if (a->type == ACTION_OUTPUT && tunnel &&
			   node_at(&tunnel->tunnel.dst)) {
			struct occurrence *o = later(LATENCY_US, EVENT_UPCALL);

			o->node = node_at(&tunnel->tunnel.dst);
			o->from = tunnel->tunnel.src;
			o->ttl = tunnel->tunnel.ttl;
			wbuf_bytes(&o->bytes, op->bytes.data, op->bytes.size);
		}
	}
}

/* ---- engines ---- */

/* Results, in the order of their ops: what they lead to comes after all that
 * the ops before them led to. */
static struct answer {
	struct node *node;
	struct event event;
} * answers;
static size_t n_answers, allocated_answers;

static void answer(struct node *node, const struct op *op)
{
	struct event event = {.type = EVENT_RESULT};

	if (op->type == OP_ROUTE_GET) {
		event.type = EVENT_ROUTE;
		event.route.cookie = op->cookie;
		event.route.dst = op->route.dst;
		event.route.mtu = 1500;
	} else {
		event.result.cookie = op->cookie;
		event.result.op = op->type;
		event.result.detail = "";
		if (op->type == OP_VPORT_ADD) {
			event.result.port_no = op->vport.type == ODP_VPORT_VXLAN
						       ? TUNNEL_PORT
						       : TUNNEL_PORT + 1;
		}
	}
	if (n_answers == allocated_answers) {
		answers = x2nrealloc(answers, &allocated_answers,
				     sizeof *answers);
	}
	answers[n_answers].node = node;
	answers[n_answers++].event = event;
}

static void run_op(struct node *node, const struct op *op)
{
	if (op->type == OP_DIAL) {
		dial(node, op);
	} else if (op->type == OP_SEND || op->type == OP_CLOSE) {
		stream(node, op);
	} else if (op->type == OP_EXECUTE) {
		execute(op);
	} else if (op->type == OP_LOG) {
		n_up += strstr(op->text, "is up: fastdp") != NULL;
	} else if (op->type == OP_REPLY) {
		free(node->reply);
		node->reply = xstrdup(op->text);
	} else if (op->type == OP_FATAL) {
		fprintf(stderr, "%s\n", op->text);
		exit(EXIT_FAILURE);
	} else if (op->cookie) {
		answer(node, op);
	}
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static void fill(void *aux, void *buf, size_t size)
{
	static uint64_t state;
	uint8_t *b = buf;

	(void)aux;
	for (size_t i = 0; i < size; i++) {
		uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
		b[i] = (uint8_t)(z ^ (z >> 31));
	}
}

static void step_once(struct node *node, const struct event *event)
{
	static const struct rng rng = {fill, NULL};
	struct ops ops;
	uint64_t due_us;

	ops_init(&ops);
	engine_step(node->engine, event, now_us, &rng, &ops);
	for (size_t i = 0; i < ops.n; i++) {
		run_op(node, &ops.v[i]);
	}
	ops_free(&ops);
	due_us = engine_deadline(node->engine);
	if (due_us < node->timer_us) {
		node->timer_us = due_us;
		later(due_us > now_us ? due_us - now_us : 0, EVENT_TIMER)
			->node = node;
	}
}

static void step(struct node *node, const struct event *event)
{
	step_once(node, event);
	for (size_t i = 0; i < n_answers; i++) {
		const struct answer next = answers[i];

		step_once(next.node, &next.event);
	}
	n_answers = 0;
}

static void start(struct node *node)
{
	static const struct kernel_snapshot nothing;
	struct event event = {.type = EVENT_START};

	event.start.snapshot = &nothing;
	step(node, &event);
}

static void receive_probe(const struct occurrence *o)
{
	struct odp_upcall upcall;
	struct event event = {.type = EVENT_UPCALL, .upcall = &upcall};

	memset(&upcall, 0, sizeof upcall);
	if (parse_frame(wbuf_span(&o->bytes), &upcall.flow)) {
		return;
	}
	upcall.miss = true;
	upcall.packet = wbuf_span(&o->bytes);
	upcall.flow.in_port = TUNNEL_PORT;
	upcall.flow.tunnel.present = true;
	upcall.flow.tunnel.src = o->from;
	upcall.flow.tunnel.dst = o->node->ip;
	upcall.flow.tunnel.ttl = o->ttl;
	upcall.flow.tunnel.flags = FLOW_TNL_KEY;
	step(o->node, &event);
}

static void happen_at_end(const struct occurrence *o)
{
	struct end *end = o->end;
	struct event event = {.type = o->type, .conn = end->conn};

	if (end->closed) {
		return;
	}
	if (o->type == EVENT_DATA) {
		event.bytes = wbuf_span(&o->bytes);
	} else if (o->type != EVENT_CLOSED) {
		event.accepted.local = end->local;
		if (end->other) {
			event.accepted.remote = end->other->local;
		}
	} else {
		end->closed = true;
		hmap_remove(&end->node->ends, &end->hmap);
	}
	step(end->node, &event);
}

static void happen(const struct occurrence *o)
{
	const struct event timer = {.type = EVENT_TIMER};

	now_us = o->when_us;
	if (o->end) {
		happen_at_end(o);
		o->end->n_queued--;
		if (o->end->closed) {
			end_close(o->end);
		}
	} else if (o->type == EVENT_START) {
		start(o->node);
	} else if (o->type == EVENT_UPCALL) {
		receive_probe(o);
	} else if (o->when_us >= o->node->timer_us) {
		o->node->timer_us = UINT64_MAX;
		step(o->node, &timer);
	}
}

/* Until then, or until the mesh is full. */
static void run(uint64_t until_us, bool full)
{
	const uint64_t wanted = (uint64_t)n_nodes * (n_nodes - 1);

	while (n_heap && heap[0]->when_us <= until_us &&
	       !(full && n_up >= wanted)) {
		struct occurrence *o = take();

		happen(o);
		wbuf_free(&o->bytes);
		free(o);
	}
	now_us = full ? now_us : until_us;
}

/* ---- the whole ---- */

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void make(size_t i, bool plain)
{
	struct engine_config config;
	struct ip_endpoint first = {.ip = address_of(0), .port = PORT};

	memset(&config, 0, sizeof config);
	snprintf(config.name, sizeof config.name, "h%zu", i);
	config.id.b[0] = 1;
	config.id.b[1] = (uint8_t)(i >> 8);
	config.id.b[2] = (uint8_t)i;
	config.incarnation = 1;
	config.version = "bench";
	memset(config.slots[0].prs.b, 1, sizeof config.slots[0].prs.b);
	memset(config.slots[0].psk.b, 2, sizeof config.slots[0].psk.b);
	config.n_slots = !plain;
	config.sas_per_peer = 1;
	config.port = PORT;
	config.vxlan_port = PORT + 1;
	snprintf(config.datapath, sizeof config.datapath, "fdp");
	config.targets = &first;
	config.n_targets = i != 0;
	config.discover = true;
	config.has_key = true;
	fill(NULL, config.key.b, sizeof config.key.b);
	nodes[i].ip = address_of(i);
	nodes[i].timer_us = UINT64_MAX;
	hmap_init(&nodes[i].ends);
	nodes[i].engine = engine_new(&config);
	later(i ? SECOND / 10 + (uint64_t)i * SECOND / n_nodes : 0, EVENT_START)
		->node = &nodes[i];
}

static struct json *command(struct node *node, const char *name,
			    const struct json *args)
{
	struct event event = {.type = EVENT_COMMAND};

	event.command.id = 1;
	event.command.name = name;
	event.command.args = args;
	step(node, &event);
	return json_from_string(node->reply);
}

static void attach(struct node *node)
{
	struct json *args = json_from_string(
		"{\"netns\": \"c\", \"addresses\": [\"10.9.0.1/16\"]}");
	struct json *checked = command(node, "attach-check", args);
	struct json *made = command(node, "attach", checked);

	if (!jsonget_string(made, "mac")) {
		fprintf(stderr, "not attached: %s\n", node->reply);
		exit(EXIT_FAILURE);
	}
	json_destroy(args);
	json_destroy(checked);
	json_destroy(made);
}

/* What happened since the last call. */
static void tell(const char *what, uint64_t since_us)
{
	static double cpu;
	static uint64_t messages, bytes;
	double n = (double)n_nodes;

	printf("%s: %.3f s; CPU %.3f s; each engine sent %.0f messages, "
	       "%.0f bytes\n",
	       what, (double)(now_us - since_us) / SECOND, cpu_s() - cpu,
	       (double)(n_messages - messages) / n,
	       (double)(n_bytes - bytes) / n);
	fflush(stdout);
	cpu = cpu_s();
	messages = n_messages;
	bytes = n_bytes;
}

int main(int argc, char *argv[])
{
	const bool plain = argc > 2 && !strcmp(argv[2], "plain");
	uint64_t since_us = now_us;
	size_t memory = mallinfo2().uordblks;

	n_nodes = argc > 1 ? (size_t)atoi(argv[1]) : 0;
	if (n_nodes < 2 || n_nodes > 4000 || sodium_init() < 0) {
		fprintf(stderr, "usage: mesh N [plain]\n");
		return EXIT_FAILURE;
	}
	nodes = xcalloc(n_nodes, sizeof *nodes);
	for (size_t i = 0; i < n_nodes; i++) {
		make(i, plain);
	}
	run(now_us + (uint64_t)LIMIT_S * SECOND, true);
	if (n_up < (uint64_t)n_nodes * (n_nodes - 1)) {
		printf("%llu of %llu tunnels only\n", (unsigned long long)n_up,
		       (unsigned long long)n_nodes * (n_nodes - 1));
		return EXIT_FAILURE;
	}
	tell("full mesh", since_us);
	since_us = now_us;
	run(now_us + 120 * (uint64_t)SECOND, false);
	tell("two minutes to settle", since_us);
	printf("memory: %.0f KiB an engine\n",
	       (double)(mallinfo2().uordblks - memory) / (double)n_nodes /
		       1024);
	since_us = now_us;
	run(now_us + 60 * (uint64_t)SECOND, false);
	tell("one minute idle", since_us);
	since_us = now_us;
	attach(&nodes[0]);
	run(now_us + SECOND / 2, false);
	tell("one container attached", since_us);
	return EXIT_SUCCESS;
}
