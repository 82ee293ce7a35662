/* One end of tests/bench/handshake: a whole engine on a real TCP connection,
 * with a kernel that always succeeds and costs nothing.
 *
 *	handshake_engine listen LOCAL
 *	handshake_engine dial LOCAL REMOTE N
 *
 * "dial" makes N sessions, one after the other, each until its tunnel is up, by
 * the commands `forget` and `connect`.  A line on standard input: prints the
 * microseconds of CPU used so far; "listen" ends with its input.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "engine/engine.h"
#include "openvswitch/json.h"
#include "util.h"

enum {
	PORT = 6783,
	MAX_CONNS = 64
};

static struct engine *engine;
static struct ops all;
static size_t next_op;
static unsigned int n_up; /* How often a tunnel came up. */
static struct {
	int fd;
	uint32_t conn;
	struct wbuf queue; /* Sent when the step is over, as kmod-glue/ does. */
} conns[MAX_CONNS];

static void random_bytes(void *aux, void *buf, size_t size)
{
	(void)aux;
	randombytes_buf(buf, size);
}

static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static struct sockaddr_in address(const char *text, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

	if (inet_pton(AF_INET, text, &a.sin_addr) != 1) {
		die(text);
	}
	return a;
}

static struct ip_endpoint endpoint(const struct sockaddr_in *a)
{
	struct ip_endpoint e;
	uint8_t b[4];

	memcpy(b, &a->sin_addr, sizeof b);
	e.ip = ip_from_v4(b);
	e.port = ntohs(a->sin_port);
	return e;
}

static void step(const struct event *event);

static void connected(uint32_t conn, int fd, enum event_type type)
{
	struct event event = {.type = type, .conn = conn};
	struct sockaddr_in local, remote;
	socklen_t size = sizeof local;

	for (size_t i = 0; i < MAX_CONNS; i++) {
		if (conns[i].fd < 0) {
			conns[i].fd = fd;
			conns[i].conn = conn;
			getsockname(fd, (struct sockaddr *)&local, &size);
			getpeername(fd, (struct sockaddr *)&remote, &size);
			event.accepted.local = endpoint(&local);
			event.accepted.remote = endpoint(&remote);
			step(&event);
			return;
		}
	}
	die("too many connections");
}

static const char *own_address;

static void dial(const struct op *op)
{
	struct sockaddr_in from = address(own_address, 0), to = from;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	memcpy(&to.sin_addr, op->dial.remote.ip.b + 12, 4);
	to.sin_port = htons(op->dial.remote.port);
	if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof from) ||
	    connect(fd, (struct sockaddr *)&to, sizeof to)) {
		die("connect");
	}
	connected(op->conn, fd, EVENT_DIALED);
}

static size_t by_conn(uint32_t conn)
{
	size_t i = 0;

	while (i < MAX_CONNS && (conns[i].fd < 0 || conns[i].conn != conn)) {
		i++;
	}
	return i;
}

static void flush(size_t i)
{
	struct wbuf *q = &conns[i].queue;

	if (q->size && conns[i].fd >= 0 &&
	    write(conns[i].fd, q->data, q->size) < 0) {
		perror("write"); /* Its end will be read. */
	}
	wbuf_clear(q);
}

static void stream(const struct op *op)
{
	size_t i = by_conn(op->conn);

	if (i == MAX_CONNS) {
		return;
	}
	if (op->type == OP_CLOSE) {
		flush(i);
		close(conns[i].fd);
		conns[i].fd = -1;
	} else {
		wbuf_bytes(&conns[i].queue, op->bytes.data, op->bytes.size);
	}
}

static void answer(const struct op *op)
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
		event.route.mtu = 1500;
	}
	step(&event);
}

static void run_op(const struct op *op)
{
	if (op->type == OP_DIAL) {
		dial(op);
	} else if (op->type == OP_SEND || op->type == OP_CLOSE) {
		stream(op);
	} else if (op->type == OP_LOG) {
		n_up += strstr(op->text, "is up: fastdp") != NULL;
	} else if (op->type == OP_FATAL) {
		fprintf(stderr, "%s\n", op->text);
		exit(EXIT_FAILURE);
	} else if (op->cookie) {
		answer(op);
	}
}

/* Ops may call back for the next step: the outermost one runs them all. */
static void step(const struct event *event)
{
	static const struct rng rng = {random_bytes, NULL};
	static bool running;

	engine_step(engine, event, now_us(), &rng, &all);
	if (running) {
		return;
	}
	running = true;
	while (next_op < all.n) {
		struct op op = all.v[next_op++];

		/* The list may move meanwhile. */
		run_op(&op);
	}
	running = false;
	for (size_t i = 0; i < MAX_CONNS; i++) {
		flush(i);
	}
	ops_free(&all);
	ops_init(&all);
	next_op = 0;
}

static void start(const char *local, uint8_t id)
{
	static const struct kernel_snapshot nothing;
	struct event event = {.type = EVENT_START};
	struct engine_config config;

	memset(&config, 0, sizeof config);
	snprintf(config.name, sizeof config.name, "%u", id);
	config.id.b[0] = id;
	config.incarnation = now_us();
	config.version = "bench";
	memset(config.slots[0].prs.b, 1, sizeof config.slots[0].prs.b);
	memset(config.slots[0].psk.b, 2, sizeof config.slots[0].psk.b);
	config.n_slots = 1;
	config.sas_per_peer = 1;
	config.port = PORT;
	config.vxlan_port = PORT + 1;
	snprintf(config.datapath, sizeof config.datapath, "fdp");
	own_address = local;
	for (size_t i = 0; i < MAX_CONNS; i++) {
		conns[i].fd = -1;
	}
	ops_init(&all);
	engine = engine_new(&config);
	event.start.snapshot = &nothing;
	step(&event);
}

static void data(size_t i)
{
	uint8_t buf[65536];
	struct event event = {.conn = conns[i].conn};
	ssize_t n = read(conns[i].fd, buf, sizeof buf);

	if (n > 0) {
		event.type = EVENT_DATA;
		event.bytes = span_of(buf, (size_t)n);
	} else {
		event.type = EVENT_CLOSED;
		event.os_errno = n ? errno : 0;
		close(conns[i].fd);
		conns[i].fd = -1;
	}
	step(&event);
}

static int patience(void)
{
	uint64_t due = engine_deadline(engine), now = now_us();

	if (due <= now) {
		return 0;
	}
	return due - now > 1000000 ? 1000 : (int)((due - now + 999) / 1000);
}

static void wait_and_do(int listener, bool with_input)
{
	struct pollfd fds[MAX_CONNS + 2] = {
		{.fd = listener, .events = POLLIN},
		{.fd = with_input ? 0 : -1, .events = POLLIN}};
	static uint32_t accepted;
	struct event timer = {.type = EVENT_TIMER};

	for (size_t i = 0; i < MAX_CONNS; i++) {
		fds[i + 2].fd = conns[i].fd;
		fds[i + 2].events = POLLIN;
	}
	if (poll(fds, MAX_CONNS + 2, patience()) < 0) {
		die("poll");
	}
	if (fds[0].revents) {
		accepted += 2;
		connected(accepted, accept(listener, NULL, NULL),
			  EVENT_ACCEPTED);
	}
	for (size_t i = 0; i < MAX_CONNS; i++) {
		if (fds[i + 2].revents && fds[i + 2].fd == conns[i].fd) {
			data(i);
		}
	}
	if (engine_deadline(engine) <= now_us()) {
		step(&timer);
	}
}

static void print_cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	printf("%lld\n",
	       (long long)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
		       u.ru_utime.tv_usec + u.ru_stime.tv_usec);
	fflush(stdout);
}

static void command(const char *name, const char *remote)
{
	struct event event = {.type = EVENT_COMMAND};
	struct json *args = json_object_create();

	json_object_put_string(args, "address", remote);
	event.command.id = 1;
	event.command.name = name;
	event.command.args = args;
	step(&event);
	json_destroy(args);
}

static void run_dial(const char *remote, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		unsigned int before = n_up;

		command("forget", remote);
		command("connect", remote);
		while (n_up == before) {
			wait_and_do(-1, false);
		}
	}
	print_cpu();
}

static void run_listen(const char *local)
{
	struct sockaddr_in a = address(local, PORT);
	int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
	char line[16];

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 16)) {
		die("listen");
	}
	for (;;) {
		struct pollfd input = {.fd = 0, .events = POLLIN};

		wait_and_do(fd, true);
		if (poll(&input, 1, 0) == 1) {
			if (read(0, line, sizeof line) <= 0) {
				return;
			}
			print_cpu();
		}
	}
}

int main(int argc, char *argv[])
{
	if (sodium_init() < 0 || argc < 3) {
		return EXIT_FAILURE;
	}
	start(argv[2], argc > 3 ? 1 : 2);
	if (argc > 4) {
		run_dial(argv[3], (unsigned int)atoi(argv[4]));
	} else {
		run_listen(argv[2]);
	}
	return EXIT_SUCCESS;
}
