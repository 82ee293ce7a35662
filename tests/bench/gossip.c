/* What hosts tell each other costs: whole engines in one process on a virtual
 * clock, whose kernels always succeed, whose network takes a millisecond and
 * whose tunnels carry their probes.
 *
 *	gossip N LIMIT [SEED [plain]]
 *
 * N hosts with a password and identity keys, each of which is given the address
 * of the first; LIMIT is --conn-limit (0: a full mesh).  With the same SEED (1)
 * all but CPU comes out the same.  "plain": without a password, so that of what
 * is sent less is handshakes.  One line: how many
 * sessions there are, how long it took until all knew all, and per host memory
 * (what is allocated, after all have been idle), bytes sent and CPU: until
 * then, per second when nothing happens, and per endpoint that one of all hosts
 * attaches.  Memory is 0 where a sanitizer allocates.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "base/jsonget.h"
#include "engine/engine.h"
#include "openvswitch/json.h"
#include "packet/parse.h"
#include "util.h"

enum {
	PORT = 6783,
	DELAY_US = 1000,
	N_ATTACHED = 20
};

#define SECOND_US UINT64_C(1000000)

/* The other end of a connection of a host. */
struct end {
	uint32_t host, conn; /* 'host' UINT32_MAX: closed. */
};

struct host {
	struct engine *engine;
	struct ip_addr ip;
	struct end *ends; /* By our connection's number. */
	size_t n_ends;
	uint32_t next_accept;
	uint64_t timer_us; /* When one is due. */
	uint32_t next_port;
	char *reply;
};

/* Something on its way. */
struct item {
	uint64_t when_us, order;
	uint32_t host;
	enum event_type type;
	uint32_t conn;
	struct ip_endpoint local, remote;
	uint8_t *bytes; /* EVENT_DATA; EVENT_UPCALL, the frame. */
	size_t size;
	struct event result; /* EVENT_RESULT, EVENT_ROUTE */
};

static struct host *hosts;
static uint32_t n_hosts;
static uint64_t now_us, order, n_bytes, n_begun, seed = 1;
static bool plain;
static struct item **heap;
static size_t n_heap, allocated_heap;

/* All that is random, the same for a seed. */
static void random_bytes(void *aux, void *buf, size_t size)
{
	static uint64_t n_drawn;
	uint8_t key[randombytes_SEEDBYTES] = {0};

	(void)aux;
	memcpy(key, &seed, sizeof seed);
	memcpy(key + sizeof seed, &n_drawn, sizeof n_drawn);
	n_drawn++;
	randombytes_buf_deterministic(buf, size, key);
}

static const struct rng rng = {random_bytes, NULL};

/* ---- What is on its way, the earliest first ---- */

static bool is_before(const struct item *a, const struct item *b)
{
	return a->when_us != b->when_us ? a->when_us < b->when_us
					: a->order < b->order;
}

static struct item *item_new(uint32_t host, enum event_type type,
			     uint64_t when_us)
{
	struct item *item = xzalloc(sizeof *item);

	item->host = host;
	item->type = type;
	item->when_us = when_us;
	item->order = order++;
	return item;
}

static void push(struct item *item)
{
	size_t i = n_heap++;

	if (n_heap > allocated_heap) {
		heap = x2nrealloc(heap, &allocated_heap, sizeof *heap);
	}
	while (i && is_before(item, heap[(i - 1) / 2])) {
		heap[i] = heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap[i] = item;
}

static struct item *pop(void)
{
	struct item *first = heap[0], *last = heap[--n_heap];
	size_t i = 0;

	for (size_t child = 1; child < n_heap; child = 2 * i + 1) {
		if (child + 1 < n_heap &&
		    is_before(heap[child + 1], heap[child])) {
			child++;
		}
		if (!is_before(heap[child], last)) {
			break;
		}
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = last;
	return first;
}

/* ---- What engines ask for ---- */

static struct end *end_of(struct host *h, uint32_t conn)
{
	if (conn >= h->n_ends) {
		size_t n = MAX(conn + 1, 2 * h->n_ends);

		h->ends = xrealloc(h->ends, n * sizeof *h->ends);
		for (size_t i = h->n_ends; i < n; i++) {
			h->ends[i].host = UINT32_MAX;
		}
		h->n_ends = n;
	}
	return &h->ends[conn];
}

/* 10.x.y.z, counted from 1. */
static struct ip_addr ip_of_host(uint32_t i)
{
	const uint8_t b[4] = {10, (uint8_t)((i + 1) >> 16),
			      (uint8_t)((i + 1) >> 8), (uint8_t)(i + 1)};

	return ip_from_v4(b);
}

static uint32_t host_at(const struct ip_addr *ip)
{
	return (uint32_t)((ip->b[13] << 16 | ip->b[14] << 8 | ip->b[15]) - 1);
}

static void run_dial(uint32_t from, const struct op *op)
{
	const uint32_t to = host_at(&op->dial.remote.ip);
	struct item *dialed, *accepted;
	uint32_t conn = (hosts[to].next_accept += 2);

	*end_of(&hosts[from], op->conn) = (struct end){to, conn};
	*end_of(&hosts[to], conn) = (struct end){from, op->conn};
	dialed = item_new(from, EVENT_DIALED, now_us + 2 * DELAY_US);
	dialed->conn = op->conn;
	dialed->local.ip = hosts[from].ip;
	dialed->remote = op->dial.remote;
	push(dialed);
	accepted = item_new(to, EVENT_ACCEPTED, now_us + DELAY_US);
	accepted->conn = conn;
	accepted->local = op->dial.remote;
	accepted->remote.ip = hosts[from].ip;
	accepted->remote.port = 40000;
	push(accepted);
}

static void run_stream(uint32_t from, const struct op *op)
{
	struct end *end = end_of(&hosts[from], op->conn);
	struct item *item;

	if (end->host == UINT32_MAX) {
		return;
	}
	item = item_new(end->host,
			op->type == OP_SEND ? EVENT_DATA : EVENT_CLOSED,
			now_us + DELAY_US);
	item->conn = end->conn;
	if (op->type == OP_SEND) {
		item->bytes = xmemdup(op->bytes.data, op->bytes.size);
		item->size = op->bytes.size;
		n_bytes += op->bytes.size;
	} else {
		end->host = UINT32_MAX;
	}
	push(item);
}

/* Probes alone: there is no other traffic. */
static void run_execute(uint32_t from, const struct op *op)
{
	for (size_t i = 0; i < op->flow.actions.n; i++) {
		const struct action *a = &op->flow.actions.v[i];

		if (a->type == ACTION_SET_TUNNEL) {
			struct item *item =
				item_new(host_at(&a->tunnel.dst), EVENT_UPCALL,
					 now_us + DELAY_US);

			item->remote.ip = hosts[from].ip;
			item->bytes = xmemdup(op->bytes.data, op->bytes.size);
			item->size = op->bytes.size;
			push(item);
			return;
		}
	}
}

static void answer(uint32_t host, const struct op *op)
{
	struct item *item = item_new(host, EVENT_RESULT, now_us + 10);
	struct event *event = &item->result;

	event->type = EVENT_RESULT;
	event->result.cookie = op->cookie;
	event->result.op = op->type;
	event->result.detail = "";
	event->result.guard = GUARD_NFTABLES;
	if (op->type == OP_VPORT_ADD) {
		event->result.port_no = ++hosts[host].next_port;
	} else if (op->type == OP_ROUTE_GET) {
		memset(event, 0, sizeof *event);
		event->type = EVENT_ROUTE;
		event->route.cookie = op->cookie;
		event->route.dst = op->route.dst;
		event->route.mtu = 1500;
	}
	push(item);
}

static void run_op(uint32_t host, struct op *op)
{
	if (op->type == OP_DIAL) {
		run_dial(host, op);
	} else if (op->type == OP_SEND || op->type == OP_CLOSE) {
		run_stream(host, op);
	} else if (op->type == OP_EXECUTE) {
		run_execute(host, op);
	} else if (op->type == OP_REPLY) {
		free(hosts[host].reply);
		hosts[host].reply = xstrdup(op->text);
	} else if (op->type == OP_LOG) {
		n_begun += !strncmp(op->text, "connected to ", 13);
	} else if (op->type == OP_FATAL) {
		fprintf(stderr, "%s\n", op->text);
		exit(EXIT_FAILURE);
	} else if (op->cookie) {
		answer(host, op);
	}
}

static void step(uint32_t host, const struct event *event)
{
	struct host *h = &hosts[host];
	struct ops ops;

	ops_init(&ops);
	engine_step(h->engine, event, now_us, &rng, &ops);
	for (size_t i = 0; i < ops.n; i++) {
		run_op(host, &ops.v[i]);
	}
	ops_free(&ops);
	if (engine_deadline(h->engine) < h->timer_us) {
		h->timer_us = MAX(engine_deadline(h->engine), now_us);
		push(item_new(host, EVENT_TIMER, h->timer_us));
	}
}

/* ---- Time ---- */

static void deliver(struct item *item)
{
	struct event event = {.type = item->type, .conn = item->conn};
	struct host *h = &hosts[item->host];
	struct odp_upcall upcall = {.miss = true};

	switch (item->type) {
	case EVENT_RESULT:
	case EVENT_ROUTE:
		event = item->result;
		break;
	case EVENT_TIMER:
		if (item->when_us != h->timer_us) {
			return; /* An earlier one has taken its place. */
		}
		h->timer_us = UINT64_MAX;
		break;
	case EVENT_DATA:
		event.bytes = span_of(item->bytes, item->size);
		break;
	case EVENT_CLOSED:
		end_of(h, item->conn)->host = UINT32_MAX;
		break;
	case EVENT_UPCALL:
		upcall.packet = span_of(item->bytes, item->size);
		if (parse_frame(upcall.packet, &upcall.flow)) {
			return;
		}
		upcall.flow.in_port = 1; /* The first one made: the tunnel. */
		upcall.flow.tunnel.present = true;
		upcall.flow.tunnel.src = item->remote.ip;
		upcall.flow.tunnel.dst = h->ip;
		upcall.flow.tunnel.flags = FLOW_TNL_KEY;
		upcall.flow.tunnel.ttl = 255;
		event.upcall = &upcall;
		break;
	default: /* EVENT_DIALED, EVENT_ACCEPTED */
		event.accepted.local = item->local;
		event.accepted.remote = item->remote;
		break;
	}
	step(item->host, &event);
}

static void run_until(uint64_t until_us)
{
	while (n_heap && heap[0]->when_us <= until_us) {
		struct item *item = pop();

		now_us = MAX(now_us, item->when_us);
		deliver(item);
		free(item->bytes);
		free(item);
	}
	now_us = until_us;
}

static struct json *ask(uint32_t host, const char *name,
			const struct json *args)
{
	struct event event = {.type = EVENT_COMMAND};
	struct json *json;

	event.command.id = 1;
	event.command.name = name;
	event.command.args = args;
	free(hosts[host].reply);
	hosts[host].reply = NULL;
	step(host, &event);
	while (!hosts[host].reply) {
		run_until(now_us + 100);
	}
	json = json_from_string(hosts[host].reply);
	if (json->type != JSON_OBJECT) {
		fprintf(stderr, "%s: %s\n", name, hosts[host].reply);
		exit(EXIT_FAILURE);
	}
	return json;
}

/* ---- The measurement ---- */

static void start(uint32_t i, size_t limit)
{
	static const struct kernel_snapshot nothing;
	const struct ip_endpoint first = {.ip = hosts[0].ip, .port = PORT};
	struct event event = {.type = EVENT_START};
	struct engine_config config;

	memset(&config, 0, sizeof config);
	snprintf(config.name, sizeof config.name, "host-%u", i);
	random_bytes(NULL, &config.id, sizeof config.id);
	config.incarnation = 1000 + i;
	config.version = "bench";
	memset(config.slots[0].prs.b, 1, sizeof config.slots[0].prs.b);
	memset(config.slots[0].psk.b, 2, sizeof config.slots[0].psk.b);
	config.n_slots = !plain;
	config.port = PORT;
	config.vxlan_port = PORT + 1;
	config.discover = true;
	config.conn_limit = limit;
	config.targets = &first;
	config.n_targets = i > 0;
	config.has_key = true;
	random_bytes(NULL, config.key.b, sizeof config.key.b);
	snprintf(config.datapath, sizeof config.datapath, "fdp");
	hosts[i].timer_us = UINT64_MAX;
	hosts[i].engine = engine_new(&config);
	event.start.snapshot = &nothing;
	step(i, &event);
}

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Large pieces are mapped. */
static double memory_kib(void)
{
	const struct mallinfo2 m = mallinfo2();

	return (double)(m.uordblks + m.hblkhd) / 1024;
}

static int64_t number(const struct json *json, const char *key)
{
	int64_t n = 0;

	return jsonget_integer(json, key, 0, INT64_MAX, &n) ? n : 0;
}

/* Does every host know every other one, and how many sessions are there? */
static bool all_know_all(double *sessions)
{
	bool all = true;

	*sessions = 0;
	for (uint32_t i = 0; i < n_hosts; i++) {
		struct json *json = ask(i, "status", NULL);

		all &= number(json, "peers") == n_hosts - 1;
		*sessions += (double)number(jsonget(json, "connections"),
					    "established") /
			     2;
		json_destroy(json);
	}
	return all;
}

static void attach(uint32_t host, unsigned int n)
{
	struct json *args = json_object_create();
	struct json *list = json_array_create_empty(), *whole;
	char text[32];

	snprintf(text, sizeof text, "/run/netns/c%u", n);
	json_object_put_string(args, "netns", text);
	snprintf(text, sizeof text, "172.16.%u.%u/16", n / 250, 1 + n % 250);
	json_array_add(list, json_string_create(text));
	json_object_put(args, "addresses", list);
	whole = ask(host, "attach-check", args);
	json_destroy(ask(host, "attach", whole));
	json_destroy(whole);
	json_destroy(args);
}

int main(int argc, char *argv[])
{
	uint64_t until_us, before, up_bytes;
	double sessions, cpu, up_cpu, idle_cpu, idle_bytes, memory;
	double base = memory_kib();

	if (sodium_init() < 0 || argc < 3 || argc > 5) {
		return EXIT_FAILURE;
	}
	if (argc > 3) {
		seed = strtoull(argv[3], NULL, 10);
	}
	plain = argc > 4 && !strcmp(argv[4], "plain");
	n_hosts = (uint32_t)atoi(argv[1]);
	hosts = xcalloc(n_hosts, sizeof *hosts);
	now_us = SECOND_US;
	cpu = cpu_s();
	for (uint32_t i = 0; i < n_hosts; i++) {
		hosts[i].ip = ip_of_host(i);
	}
	for (uint32_t i = 0; i < n_hosts; i++) {
		start(i, (size_t)atoi(argv[2]));
		run_until(now_us + 5000);
	}
	do {
		run_until(now_us + SECOND_US);
	} while (!all_know_all(&sessions) && now_us < 600 * SECOND_US);
	until_us = now_us;
	up_bytes = n_bytes;
	up_cpu = cpu_s() - cpu;
	/* Sessions that are too many go by and by. */
	run_until(now_us + (atoi(argv[2]) ? 600 : 60) * SECOND_US);
	before = n_bytes;
	cpu = cpu_s();
	run_until(now_us + 120 * SECOND_US);
	idle_bytes = (double)(n_bytes - before) / 120;
	idle_cpu = (cpu_s() - cpu) / 120;
	(void)all_know_all(&sessions);
	memory = memory_kib() - base;
	before = n_bytes;
	cpu = cpu_s();
	for (unsigned int i = 0; i < N_ATTACHED; i++) {
		attach((uint32_t)rng_range(&rng, n_hosts), i);
		run_until(now_us + SECOND_US);
	}
	printf("hosts %u limit %s sessions %.0f begun %.0f known_s %.1f memory_kib %.0f "
	       "up_kb %.1f up_ms %.1f idle_B/s %.0f idle_us/s %.1f "
	       "attach_B %.0f attach_us %.1f\n",
	       n_hosts, argv[2], sessions, (double)n_begun / 2,
	       (double)until_us / 1e6 - 1, memory / n_hosts,
	       (double)up_bytes / 1000 / n_hosts, up_cpu * 1000 / n_hosts,
	       idle_bytes / n_hosts, idle_cpu * 1e6 / n_hosts,
	       ((double)(n_bytes - before) / N_ATTACHED - idle_bytes) / n_hosts,
	       ((cpu_s() - cpu) / N_ATTACHED - idle_cpu) * 1e6 / n_hosts);
	return EXIT_SUCCESS;
}
