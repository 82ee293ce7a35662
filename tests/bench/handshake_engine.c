/* One end of tests/bench/handshake: many hosts in one process, each a whole
 * engine, on the daemon's own TCP code (kmod-glue/tcp.h), with a kernel that
 * always succeeds and costs nothing.
 *
 *	handshake_engine listen N KEYS
 *	handshake_engine dial ADDRESS N KEYS WINDOW
 *
 * The k-th connection that is accepted belongs to the k-th host that listens,
 * so that each dialling host has one of its own and no two pairs know of each
 * other.  "dial" begins WINDOW handshakes at once and the next one whenever a
 * tunnel is up, until all are up and stay so; then it prints the microseconds
 * of CPU that took.  "listen" prints, at each line on standard input, what it
 * used since it began to listen, and ends with its input.  KEYS: 1 for hosts
 * with identity keys, or 0.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sodium.h>

#include "engine/engine.h"
#include "kmod-glue/clock.h"
#include "kmod-glue/tcp.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "util.h"

enum {
	PORT = 6783,
	CONNS_PER_HOST = 64 /* Numbers that a host may use up by dialling. */
};

struct host {
	struct engine *engine;
	bool up;
};

static struct tcp *tcp;
static struct host *hosts;
static unsigned int n_hosts, n_up;
static struct ops ops; /* Of the host whose step it is. */
static size_t next_op;

static void die(const char *what)
{
	fprintf(stderr, "handshake_engine: %s\n", what);
	exit(EXIT_FAILURE);
}

/* Connections: engines number those that they dial from 1 on, each for itself;
 * those that are accepted are numbered by tcp.h, from 2 on, for all. */

static uint32_t conn_to_tcp(const struct host *h, uint32_t conn)
{
	if (!(conn & 1)) {
		return conn;
	}
	if (conn >= CONNS_PER_HOST) {
		die("a host dials again and again");
	}
	return (uint32_t)(h - hosts) * CONNS_PER_HOST + conn;
}

static struct host *host_of(uint32_t *conn)
{
	uint32_t i = *conn / 2 - 1;

	if (*conn & 1) {
		i = *conn / CONNS_PER_HOST;
		*conn %= CONNS_PER_HOST;
	}
	return i < n_hosts ? &hosts[i] : NULL;
}

static void step(struct host *h, const struct event *event);

static void answer(struct host *h, const struct op *op)
{
	struct event event = {.type = EVENT_RESULT};

	event.result.cookie = op->cookie;
	event.result.op = op->type;
	event.result.detail = "";
	event.result.port_no = op->type == OP_VPORT_ADD;
	if (op->type == OP_ROUTE_GET) {
		memset(&event, 0, sizeof event);
		event.type = EVENT_ROUTE;
		event.route.cookie = op->cookie;
		event.route.dst = op->route.dst;
		event.route.mtu = event.route.limit = 1500;
	}
	step(h, &event);
}

static void run_op(struct host *h, const struct op *op)
{
	if (op->type == OP_DIAL) {
		tcp_dial(tcp, conn_to_tcp(h, op->conn), &op->dial.remote);
	} else if (op->type == OP_SEND) {
		tcp_send(tcp, conn_to_tcp(h, op->conn), wbuf_span(&op->bytes));
	} else if (op->type == OP_CLOSE) {
		tcp_close(tcp, conn_to_tcp(h, op->conn));
	} else if (op->type == OP_LOG) {
		if (!h->up && strstr(op->text, "is up: fastdp")) {
			h->up = true;
			n_up++;
		}
	} else if (op->type == OP_FATAL) {
		die(op->text);
	} else if (op->cookie) {
		answer(h, op);
	}
}

/* Ops may call back for the next step: the outermost one runs them all. */
static void step(struct host *h, const struct event *event)
{
	static bool running;

	engine_step(h->engine, event, clock_boottime_us(), &system_rng, &ops);
	if (running) {
		return;
	}
	running = true;
	tcp_hold(tcp);
	while (next_op < ops.n) {
		struct op op = ops.v[next_op++];

		/* The list may move meanwhile. */
		run_op(h, &op);
	}
	tcp_release(tcp);
	ops_clear(&ops);
	next_op = 0;
	running = false;
}

static void on_tcp(void *aux, const struct event *tcp_event)
{
	struct event event = *tcp_event;
	struct host *h = host_of(&event.conn);

	(void)aux;
	if (!h) {
		die("more connections than hosts");
	}
	step(h, &event);
}

static void host_start(struct host *h, uint32_t id, bool keys)
{
	static const struct kernel_snapshot nothing;
	struct event event = {.type = EVENT_START};
	struct engine_config config;

	memset(&config, 0, sizeof config);
	snprintf(config.name, sizeof config.name, "%u", id);
	memcpy(config.id.b, &id, sizeof id);
	config.incarnation = clock_wall_us();
	config.version = "bench";
	memset(config.slots[0].prs.b, 1, sizeof config.slots[0].prs.b);
	memset(config.slots[0].psk.b, 2, sizeof config.slots[0].psk.b);
	config.n_slots = 1;
	config.sas_per_peer = 1;
	config.port = PORT;
	config.vxlan_port = PORT + 1;
	config.has_key = keys;
	memcpy(config.key.b, &id, sizeof id);
	snprintf(config.datapath, sizeof config.datapath, "fdp");
	h->engine = engine_new(&config);
	event.start.snapshot = &nothing;
	step(h, &event);
}

static void open_all(unsigned int n, uint16_t port, uint32_t first_id,
		     bool keys)
{
	struct ip_addr any;
	struct ds why = DS_EMPTY_INITIALIZER;

	memset(&any, 0, sizeof any);
	if (tcp_open(&any, port, &tcp, &why)) {
		die(ds_cstr(&why));
	}
	ds_destroy(&why);
	hosts = xcalloc(n, sizeof *hosts);
	n_hosts = n;
	for (unsigned int i = 0; i < n; i++) {
		host_start(&hosts[i], first_id + i, keys);
	}
}

static void connect_to(struct host *h, const char *remote)
{
	struct event event = {.type = EVENT_COMMAND};
	struct json *args = json_object_create();

	json_object_put_string(args, "address", remote);
	event.command.id = 1;
	event.command.name = "connect";
	event.command.args = args;
	step(h, &event);
	json_destroy(args);
	event = (struct event){.type = EVENT_TIMER};
	while (engine_deadline(h->engine) <= clock_boottime_us()) {
		step(h, &event);
	}
}

static long long int cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (long long int)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) *
		       1000000 +
	       u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

static void print_cpu(long long int begin)
{
	printf("%lld\n", cpu_us() - begin);
	fflush(stdout);
}

/* Later timers are left out: what they do is no part of a handshake. */
static void run_dial(const char *remote, unsigned int window)
{
	long long int begin = cpu_us();
	struct pollfd fd = {.fd = tcp_fd(tcp), .events = POLLIN};
	unsigned int n_begun = 0;

	while (n_up < n_hosts) {
		while (n_begun < n_hosts && n_begun < n_up + window) {
			connect_to(&hosts[n_begun++], remote);
		}
		if (poll(&fd, 1, 10000) <= 0) {
			die("silence");
		}
		tcp_run(tcp, on_tcp, NULL);
	}
	print_cpu(begin);
}

static void run_listen(void)
{
	long long int begin = cpu_us();
	struct pollfd fds[] = {{.fd = tcp_fd(tcp), .events = POLLIN},
			       {.fd = STDIN_FILENO, .events = POLLIN}};
	char line[16];

	while (poll(fds, 2, -1) > 0) {
		if (fds[0].revents) {
			tcp_run(tcp, on_tcp, NULL);
		}
		if (fds[1].revents) {
			if (read(STDIN_FILENO, line, sizeof line) <= 0) {
				return;
			}
			print_cpu(begin);
		}
	}
}

static unsigned int number(const char *text)
{
	int n = atoi(text);

	if (n < 0 || (unsigned int)n > UINT16_MAX) {
		die("a number?");
	}
	return (unsigned int)n;
}

int main(int argc, char *argv[])
{
	if (sodium_init() < 0) {
		return EXIT_FAILURE;
	}
	if (argc == 4 && !strcmp(argv[1], "listen")) {
		open_all(number(argv[2]), PORT, 1, number(argv[3]));
		run_listen();
	} else if (argc == 6 && !strcmp(argv[1], "dial")) {
		open_all(number(argv[3]), 0, UINT16_MAX + 1, number(argv[4]));
		run_dial(argv[2], number(argv[5]));
	} else {
		die("see the source");
	}
	return EXIT_SUCCESS;
}
