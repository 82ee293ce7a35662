/* Drives kmod-glue/odp_socket.h against the real datapath, in a network
 * namespace that may be thrown away:
 *
 *      a0 --- a1 [ datapath chk ] b1 --- b0       c0 --- c1, d0 --- d1 spare
 *
 * Frames are sent and seen at a0 and b0.  Prints a line per case. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

#include "kmod-glue/flow_print.h"
#include "kmod-glue/odp_socket.h"
#include "netlink/odp_text.h"
#include "unit/odp_shapes.h"

#define DP "chk"

static int failures;
static struct odp *odp;
static struct odp_datapath dp;

/* ---- reporting -------------------------------------------------------- */

static void report(bool ok, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void report(bool ok, const char *name, const char *format, ...)
{
	va_list args;

	printf(ok ? "ok %s" : "not ok %s", name);
	if (!ok) {
		printf(": ");
		va_start(args, format);
		vprintf(format, args);
		va_end(args);
		failures++;
	}
	printf("\n");
	(void)fflush(stdout);
}

static void expect(const char *name, int got, int wanted)
{
	report(got == wanted, name, "%s, not %s (%s)", strerror(got),
	       wanted ? strerror(wanted) : "success",
	       odp ? odp_detail(odp) : "");
}

static void expect_number(const char *name, uint64_t got, uint64_t wanted)
{
	report(got == wanted, name, "%llu, not %llu", (unsigned long long)got,
	       (unsigned long long)wanted);
}

/* ---- helpers ---------------------------------------------------------- */

/* The output of a command, to be freed. */
static char *output_of(const char *command)
{
	FILE *f = popen(command, "re");
	struct ds ds = DS_EMPTY_INITIALIZER;
	char buf[4096];
	size_t n;

	while (f && (n = fread(buf, 1, sizeof buf, f)) > 0) {
		ds_put_buffer(&ds, buf, n);
	}
	if (f) {
		pclose(f);
	}
	return ds_steal_cstr(&ds);
}

static void run(const char *command)
{
	free(output_of(command));
}

static void make_links(void)
{
	run("ip link set lo up");
	for (const char *p = "abcd"; *p; p++) {
		char command[128];

		snprintf(command, sizeof command,
			 "ip link add %c0 type veth peer name %c1", *p, *p);
		run(command);
		for (int end = 0; end < 2; end++) {
			snprintf(command, sizeof command,
				 "ip link set %c%d addrgenmode none && "
				 "ip link set %c%d up",
				 *p, end, *p, end);
			run(command);
		}
	}
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static struct odp_vport netdev(const char *name)
{
	struct odp_vport v = {.port_no = UINT32_MAX, .type = ODP_VPORT_NETDEV};

	ovs_strlcpy(v.name, name, sizeof v.name);
	return v;
}

static struct odp_vport vxlan(const char *name, uint16_t udp_port)
{
	struct odp_vport v = {.port_no = UINT32_MAX,
			      .type = ODP_VPORT_VXLAN,
			      .udp_port = udp_port};

	ovs_strlcpy(v.name, name, sizeof v.name);
	return v;
}

static struct ufid ufid_of(uint32_t n)
{
	struct ufid u = {{0xfd}};

	memcpy(u.b + 12, &n, sizeof n);
	return u;
}

static struct flow all_ones(void)
{
	struct flow m;

	memset(&m, 0xff, sizeof m);
	m.tunnel.present = true;
	m.tunnel.flags = FLOW_TNL_KEY | FLOW_TNL_DF | FLOW_TNL_CSUM;
	return m;
}

/* Results of a batch: the errno of each cookie below its size. */
struct results {
	int os_errno[512];
	size_t n, failed;
};

static void take_result(uint64_t cookie, int os_errno, const char *text,
			void *aux)
{
	struct results *r = aux;

	if (cookie < ARRAY_SIZE(r->os_errno)) {
		r->os_errno[cookie] = os_errno;
	}
	r->n++;
	if (os_errno) {
		r->failed++;
		if (getenv("VERBOSE")) {
			printf("# op %llu: %s (%s)\n",
			       (unsigned long long)cookie, strerror(os_errno),
			       text);
		}
	}
}

static struct results commit(void)
{
	struct results r = {.n = 0};

	odp_batch_commit(odp, take_result, &r);
	return r;
}

/* A raw socket on a device. */
static int packet_socket(const char *name)
{
	struct sockaddr_ll ll = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = (int)if_nametoindex(name)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			htons(ETH_P_ALL));

	if (fd < 0 || bind(fd, (struct sockaddr *)&ll, sizeof ll)) {
		perror(name);
		exit(1);
	}
	return fd;
}

/* An Ethernet frame of a type that nobody else sends, marked by 'id'. */
static size_t make_frame(uint8_t *f, uint8_t id)
{
	memset(f, 0, 60);
	f[0] = f[5] = f[6] = 2;
	f[11] = 1;
	f[12] = 0x88;
	f[13] = 0xb5;
	f[14] = id;
	return 60;
}

static void send_frame(int fd, uint8_t id)
{
	uint8_t f[64];
	size_t size = make_frame(f, id);

	if (send(fd, f, size, 0) < 0) {
		perror("send");
	}
}

/* How long to wait for what must come, on a machine that is busy, and for what
 * must not. */
enum {
	PATIENCE_MS = 10 * 1000,
	SILENCE_MS = 500
};

/* Does a frame with 'id' arrive until then? */
static bool frame_arrives(int fd, uint8_t id, unsigned int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint64_t end = now_ms() + ms;
	uint8_t f[2048];

	do {
		ssize_t n =
			poll(&p, 1, 100) < 0 ? -1 : recv(fd, f, sizeof f, 0);

		if (n >= 15 && f[12] == 0x88 && f[13] == 0xb5 && f[14] == id) {
			return true;
		}
	} while (now_ms() < end);
	return false;
}

/* The upcalls of our own frames; others (IPv6 noise) are skipped. */
struct seen {
	unsigned int n, wrong;
	struct flow last;
	unsigned int by_port[16];
	uint8_t frame[2048];
	size_t size;
	uint16_t check_size; /* Of what did not pass one. */
	uint32_t check_peer;
};

static void see(const struct odp_upcall *u, void *aux)
{
	struct seen *s = aux;

	if (u->flow.eth_type != 0x88b5) {
		return;
	}
	s->n++;
	s->last = u->flow;
	if (u->flow.in_port < ARRAY_SIZE(s->by_port)) {
		s->by_port[u->flow.in_port]++;
	}
	s->size = MIN(u->packet.size, sizeof s->frame);
	memcpy(s->frame, u->packet.data, s->size);
	s->wrong += !u->miss && !u->check_size;
	s->check_size = u->check_size;
	s->check_peer = u->check_peer;
}

/* Runs upcalls until 'n' have been seen or the time is over. */
static struct seen upcalls_for(unsigned int n, unsigned int ms)
{
	struct pollfd p = {.fd = odp_fd(odp), .events = POLLIN};
	uint64_t end = now_ms() + ms;
	struct seen s = {.n = 0};
	bool more;

	do {
		poll(&p, 1, 20);
		odp_upcalls_run(odp, 0, 64, 0, &more, see, &s);
	} while (s.n < n && now_ms() < end);
	return s;
}

static struct seen upcalls(unsigned int n)
{
	return upcalls_for(n, PATIENCE_MS);
}

static unsigned int unwanted_upcalls(void)
{
	return upcalls_for(1, SILENCE_MS).n;
}

struct events {
	unsigned int dp_gone, vport_gone, features;
	uint32_t port_no;
	int os_errno;
};

static void take_event(const struct odp_event *e, void *aux)
{
	struct events *es = aux;

	switch (e->type) {
	case ODP_EVENT_DP_GONE:
		es->dp_gone++;
		break;
	case ODP_EVENT_VPORT_GONE:
		es->vport_gone++;
		es->port_no = e->port_no;
		break;
	case ODP_EVENT_FEATURES:
		es->features++;
		es->os_errno = e->os_errno;
		break;
	}
}

static struct events events(void)
{
	struct events es = {0};

	odp_events_run(odp, take_event, &es);
	return es;
}

/* ---- flows ------------------------------------------------------------ */

static void count(const struct odp_flow *f, void *n)
{
	(void)f;
	++*(unsigned int *)n;
}

static void add_line(const struct odp_flow *f, void *aux)
{
	struct ds *ds = aux;

	flow_print_line(ds, f, now_ms());
	ds_put_char(ds, '\n');
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts the lines of 'text', which is consumed. */
static char *sorted(char *text)
{
	struct ds ds = DS_EMPTY_INITIALIZER;
	char **lines = NULL, *save = NULL;
	size_t n = 0, allocated = 0;

	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (n == allocated) {
			lines = x2nrealloc(lines, &allocated, sizeof *lines);
		}
		lines[n++] = line;
	}
	if (n) {
		qsort(lines, n, sizeof *lines, compare_lines);
	}
	for (size_t i = 0; i < n; i++) {
		ds_put_format(&ds, "%s\n", lines[i]);
	}
	free(lines);
	free(text);
	return ds_steal_cstr(&ds);
}

/* Our lines against those of ovs-dpctl; no flow of ours has seen a packet, or
 * the times would differ. */
static void compare_with_ovs_dpctl(const char *name, size_t n)
{
	struct ds ds = DS_EMPTY_INITIALIZER;
	char *ours, *theirs;
	size_t lines = 0;

	if (odp_flow_dump(odp, dp.ifindex, false, add_line, &ds)) {
		report(false, name, "dump failed");
	}
	ours = sorted(ds_steal_cstr(&ds));
	theirs = sorted(output_of("ovs-dpctl dump-flows " DP));
	for (const char *p = ours; (p = strchr(p, '\n')); p++) {
		lines++;
	}
	report(!strcmp(ours, theirs) && lines == n, name,
	       "%zu lines\nours:\n%s\ntheirs:\n%s", lines, ours, theirs);
	free(ours);
	free(theirs);
}

/* What a dump says of the shapes that were put. */
struct shape_dump {
	const struct flow *masks;
	const struct actions *actions;
	const char *kind;
	bool seen[N_SHAPES];
	struct {
		struct flow key, mask;
		bool readable;
	} got[N_SHAPES];
};

static struct flow shape_key(size_t i)
{
	struct flow key = shapes[i].flow;

	key.in_port = 100 + (uint32_t)i;
	return key;
}

/* The extension headers of IPv6 are an attribute that Open vSwitch 3.1 cannot
 * name. */
static void drop_text(struct ds *ds, const char *text)
{
	char *at = strstr(ds_cstr(ds), text);

	if (at) {
		memmove(at, at + strlen(text), strlen(at + strlen(text)) + 1);
		ds->length -= strlen(text);
	}
}

/* Is 'got' the same as 'wanted' after the kernel masked it? */
static bool same_match(const struct odp_flow *f, const struct flow *key,
		       const struct flow *mask, char **why)
{
	struct ds ours = DS_EMPTY_INITIALIZER, theirs = DS_EMPTY_INITIALIZER;
	struct flow wanted_mask, got_key, got_mask;
	bool ok;

	odp_complete_mask(key, mask, &wanted_mask);
	if (odp_get_key(f->key, &got_key) ||
	    odp_get_mask(f->mask, key, &got_mask)) {
		*why = xstrdup("cannot be decoded");
		return false;
	}
	flow_print_key(&ours, key, mask);
	odp_text_match(&theirs, f->key, f->mask);
	ok = flow_equal(&wanted_mask, &got_mask);
	drop_text(&theirs, ",key32(00 00/00 00)");
	ok = ok && (key->eth_type == 0x894f ||
		    !strcmp(ds_cstr(&ours), ds_cstr(&theirs)));
	*why = xasprintf("ours %s, kernel %s%s", ds_cstr(&ours),
			 ds_cstr(&theirs), ok ? "" : "; masks differ");
	ds_destroy(&ours);
	ds_destroy(&theirs);
	return ok;
}

static void check_shape(const struct odp_flow *f, void *aux)
{
	struct shape_dump *d = aux;
	struct actions got;
	struct flow key;
	uint32_t n;
	char *why, *name;
	bool same;

	memcpy(&n, f->ufid.b + 12, sizeof n);
	if (!f->has_ufid || n >= N_SHAPES) {
		report(false, "dump", "a flow that is not ours");
		return;
	}
	d->seen[n] = true;
	d->got[n].readable = !odp_get_key(f->key, &d->got[n].key);
	odp_complete_key(&d->got[n].key);
	d->got[n].readable &=
		!odp_get_mask(f->mask, &d->got[n].key, &d->got[n].mask);
	key = shape_key(n);
	name = xasprintf("dump of %s, %s, has what was put", shapes[n].name,
			 d->kind);
	same = same_match(f, &key, &d->masks[n], &why);
	report(same, name, "%s", why);
	free(why);
	free(name);
	actions_init(&got);
	if (odp_get_actions(f->actions, &got) ||
	    !actions_equal(&got, d->actions)) {
		report(false, "dumped actions", "differ for %s",
		       shapes[n].name);
	}
	actions_free(&got);
}

/* What a daemon that was started again does: all that it knows of a flow is
 * what the kernel shows. */
static void put_as_shown(const struct shape_dump *d)
{
	struct results r;
	unsigned int n = 0;
	char *name;

	for (size_t i = 0; i < N_SHAPES; i++) {
		const struct flow *key = &d->got[i].key;
		struct ufid u = ufid_of((uint32_t)i);

		/* Where no address of a tunnel counts not even the family of
		 * them is shown; ours look at the source. */
		if (!d->seen[i] || !d->got[i].readable ||
		    (key->tunnel.present && ip_is_zero(&key->tunnel.dst))) {
			continue;
		}
		odp_batch_flow_put(odp, i, false, &u, key, &d->got[i].mask,
				   d->actions);
		n++;
	}
	r = commit();
	for (size_t i = 0; i < N_SHAPES; i++) {
		if (r.os_errno[i]) {
			report(false, "put as it is shown", "%s, %s: %s",
			       shapes[i].name, d->kind,
			       strerror(r.os_errno[i]));
		}
	}
	name = xasprintf("flows, %s, can be put as they are shown", d->kind);
	report(!r.failed && n > N_SHAPES / 2, name, "%u of %u, %zu are refused",
	       n, (unsigned int)N_SHAPES, r.failed);
	free(name);
}

/* The kernel takes every shape under these masks, and shows it as it was
 * put. */
static void check_shapes(const char *kind, const struct flow *masks,
			 const struct actions *actions)
{
	struct shape_dump d = {
		.masks = masks, .actions = actions, .kind = kind};
	struct results r;
	char *name;

	for (size_t i = 0; i < N_SHAPES; i++) {
		struct flow key = shape_key(i);
		struct ufid u = ufid_of((uint32_t)i);

		odp_batch_flow_put(odp, i, false, &u, &key, &masks[i], actions);
	}
	r = commit();
	for (size_t i = 0; i < N_SHAPES; i++) {
		name = xasprintf("flow of %s, %s, is accepted", shapes[i].name,
				 kind);
		expect(name, r.os_errno[i], 0);
		free(name);
	}
	if (odp_flow_dump(odp, dp.ifindex, false, check_shape, &d)) {
		report(false, "dump", "failed");
	}
	for (size_t i = 0; i < N_SHAPES; i++) {
		if (!d.seen[i] && !r.os_errno[i]) {
			report(false, "dump", "%s is missing", shapes[i].name);
		}
	}
	name = xasprintf("ovs-dpctl prints the flows, %s, as we do", kind);
	compare_with_ovs_dpctl(name, N_SHAPES - r.failed);
	free(name);
	/* The features were switched by that. */
	(void)events();
	/* Once more: a put of what is there changes it. */
	for (size_t i = 0; i < N_SHAPES; i++) {
		struct flow key = shape_key(i);
		struct ufid u = ufid_of((uint32_t)i);

		odp_batch_flow_put(odp, i, false, &u, &key, &masks[i], actions);
	}
	r = commit();
	name = xasprintf("flows, %s, can be put twice", kind);
	expect_number(name, r.failed, 0);
	free(name);
	put_as_shown(&d);
	for (size_t i = 0; i < N_SHAPES; i++) {
		struct ufid u = ufid_of((uint32_t)i);

		odp_batch_flow_del(odp, i, &u);
	}
	r = commit();
	name = xasprintf("flows, %s, can be deleted by UFID", kind);
	expect_number(name, r.failed, 0);
	free(name);
}

static void check_flows(void)
{
	struct flow masks[N_SHAPES];
	struct actions drop, actions;
	struct action *a;
	size_t check;
	unsigned int seed = 7;

	actions_init(&drop);
	actions_init(&actions);
	a = actions_set_tunnel(&actions);
	a->tunnel.dst = (struct ip_addr)SHAPE_V4(172, 31, 0, 2);
	a->tunnel.src = (struct ip_addr)SHAPE_V4(172, 31, 0, 1);
	a->tunnel.vni = 100;
	a->tunnel.tp_dst = 6784;
	a->tunnel.ttl = 64;
	a->tunnel.df = true;
	actions_output(&actions, 7);
	check = actions_check_size(&actions, 1330, 12);
	a = actions_set_tunnel(&actions);
	a->tunnel.dst = (struct ip_addr)SHAPE_ULA(2);
	a->tunnel.vni = 0xffffff;
	a->tunnel.ttl = 64;
	a->tunnel.tos = 4;
	a->tunnel.csum = true;
	actions_output(&actions, 7);
	actions_check_end(&actions, check);
	actions_output(&actions, 2);
	report(odp_checks_size(odp), "the kernel can look at sizes",
	       "it cannot");

	for (size_t i = 0; i < N_SHAPES; i++) {
		masks[i] = all_ones();
	}
	check_shapes("exact", masks, &actions);
	memset(masks, 0, sizeof masks);
	check_shapes("wild", masks, &drop);
	memset(masks, 0, sizeof masks);
	for (size_t i = 0; i < N_SHAPES; i++) {
		masks[i].tunnel.present = true;
		masks[i].nw_dst = all_ones().nw_dst;
		masks[i].tunnel.vni = 0xffffff;
		masks[i].tunnel.src = all_ones().nw_dst;
	}
	check_shapes("by tunnel and address", masks, &actions);
	for (int round = 0; round < 8; round++) {
		char kind[32];

		for (size_t i = 0; i < N_SHAPES; i++) {
			uint8_t *p = (uint8_t *)&masks[i];

			for (size_t k = 0; k < sizeof masks[i]; k++) {
				int r = rand_r(&seed);

				p[k] = r & 0x30000 ? 0 : (uint8_t)(r >> 4);
			}
			masks[i].tunnel.present = rand_r(&seed) & 1;
			masks[i].tunnel.flags = rand_r(&seed) & 7;
		}
		snprintf(kind, sizeof kind, "random masks %d", round);
		check_shapes(kind, masks, &drop);
	}
	actions_free(&actions);
	actions_free(&drop);
}

static void check_batch(void)
{
	enum {
		N = 400,
		BAD = 123
	};
	struct flow key = shapes[1].flow, mask = all_ones(), none;
	struct actions drop;
	struct results r;
	unsigned int n = 0;
	bool only = true;
	uint8_t *big = xzalloc(70000);

	actions_init(&drop);
	memset(&none, 0, sizeof none);
	for (uint32_t i = 0; i < N; i++) {
		struct ufid u = ufid_of(i);

		key.in_port = 100;
		memcpy(key.eth_src.b + 2, &i, sizeof i);
		if (i == BAD) {
			/* Refused: a VLAN type without a tag. */
			struct flow bad = key;

			bad.eth_type = ETH_TYPE_VLAN;
			odp_batch_flow_put(odp, i, false, &u, &bad, &mask,
					   &drop);
		} else {
			odp_batch_flow_put(odp, i, false, &u, &key, &mask,
					   &drop);
		}
	}
	expect_number("a batch counts its ops", odp_batch_n(odp), N);
	r = commit();
	for (size_t i = 0; i < N; i++) {
		only = only && (i == BAD) == (r.os_errno[i] != 0);
	}
	report(only && r.n == N && r.failed == 1,
	       "a refused flow among 400 is the only one reported",
	       "%zu answers, %zu failed", r.n, r.failed);
	expect("a tag type without a tag is refused", r.os_errno[BAD], EINVAL);
	if (odp_flow_dump(odp, dp.ifindex, true, count, &n)) {
		n = 0;
	}
	expect_number("the others are in", n, N - 1);

	/* What the kernel thinks of flows that overlap, and of UFIDs in use. */
	key.in_port = 100;
	odp_batch_flow_put(odp, 0, false, &(struct ufid){{1}}, &key, &mask,
			   &drop);
	odp_batch_flow_put(odp, 1, false, &(struct ufid){{0xfd}}, &key, &none,
			   &drop);
	odp_batch_flow_del(odp, 2, &(struct ufid){{0xee}});
	odp_batch_execute(odp, 3, &key, span_of(big, 70000), &drop);
	odp_batch_execute(odp, 4, &key, span_of(big, 65000), &drop);
	odp_batch_execute(odp, 5, &key, span_of(big, 10), &drop);
	odp_batch_execute(odp, 6, &key, span_of(big, 60), &drop);
	r = commit();
	expect("another UFID for the same match is refused", r.os_errno[0],
	       EEXIST);
	expect("of the same UFID the actions are changed", r.os_errno[1], 0);
	expect("deleting what is not there is ENOENT", r.os_errno[2], ENOENT);
	expect("a frame of 70000 bytes is too long", r.os_errno[3], EMSGSIZE);
	expect("a frame of 65000 bytes is not", r.os_errno[4], 0);
	expect("a frame without an Ethernet header is refused", r.os_errno[5],
	       ERANGE);
	expect("the next in the batch is carried out", r.os_errno[6], 0);

	/* What is said to be there, and is or is not. */
	odp_batch_flow_put(odp, 0, true, &(struct ufid){{0xfd}}, &key, &none,
			   &drop);
	odp_batch_flow_del(odp, 1, &(struct ufid){{0xfd}});
	key.in_port = 101; /* Nobody else's. */
	odp_batch_flow_put(odp, 2, true, &(struct ufid){{0xfc}}, &key, &none,
			   &drop);
	odp_batch_flow_put(odp, 3, true, &(struct ufid){{0xfb}}, &key, &none,
			   &drop);
	r = commit();
	expect("what is said to be there and is", r.os_errno[0], 0);
	expect("and can be deleted", r.os_errno[1], 0);
	expect("what is said to be there and is not", r.os_errno[2], 0);
	expect("nor can be, for another one", r.os_errno[3], EEXIST);

	expect("flush", odp_flow_flush(odp), 0);
	n = 0;
	if (odp_flow_dump(odp, dp.ifindex, true, count, &n)) {
		n = 1;
	}
	expect_number("nothing is left after a flush", n, 0);
	r = commit();
	expect_number("an empty batch is nothing", r.n, 0);

	for (uint32_t i = 0; i < 20000; i++) {
		struct ufid u = ufid_of(i);

		memcpy(key.eth_src.b + 2, &i, sizeof i);
		odp_batch_flow_put(odp, i, false, &u, &key, &mask, &drop);
	}
	r = commit();
	report(r.n == 20000 && !r.failed, "20000 flows in one commit",
	       "%zu answers, %zu failed", r.n, r.failed);
	n = 0;
	expect("a dump of them",
	       odp_flow_dump(odp, dp.ifindex, false, count, &n), 0);
	expect_number("is complete", n, 20000);
	n = 0;
	expect("a terse dump of them",
	       odp_flow_dump(odp, dp.ifindex, true, count, &n), 0);
	expect_number("is complete too", n, 20000);
	expect("flush them", odp_flow_flush(odp), 0);
	free(big);
	actions_free(&drop);
}

/* ---- ports ------------------------------------------------------------ */

static int udp_listener(int family, uint16_t port)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
				   .sin6_port = htons(port)};
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(port)};
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
	int error;

	if (family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
		error = bind(fd, (struct sockaddr *)&in6, sizeof in6);
	} else {
		error = bind(fd, (struct sockaddr *)&in, sizeof in);
	}
	if (fd < 0 || error) {
		perror("udp");
	}
	return fd;
}

static void count_port(const struct odp_vport *v, void *aux)
{
	(void)v;
	++*(unsigned int *)aux;
}

static unsigned int n_ports(void)
{
	unsigned int n = 0;

	return odp_vport_list(odp, dp.ifindex, count_port, &n) ? 0 : n;
}

static void check_taken(const char *name, int family)
{
	int fd = udp_listener(family, 7784);
	struct odp_vport v = vxlan("vx-taken", 7784);

	expect(name, odp_vport_add(odp, &v), EADDRINUSE);
	report(!if_nametoindex("vx-taken"), "and leaves no device behind",
	       "it does");
	close(fd);
}

static uint32_t port_a, port_b, port_vx;

static void check_ports(void)
{
	struct odp_vport a = netdev("a1"), b = netdev("b1"), v, got;
	unsigned int before;
	int error;

	expect("add a1", odp_vport_add(odp, &a), 0);
	expect("add b1", odp_vport_add(odp, &b), 0);
	port_a = a.port_no;
	port_b = b.port_no;
	report(a.port_no != b.port_no && a.ifindex == if_nametoindex("a1") &&
		       a.upcall_pid && a.dp_ifindex == dp.ifindex,
	       "an added port says its number, ifindex and upcall port id",
	       "%u %u %u", a.port_no, a.ifindex, a.upcall_pid);
	expect("get a1", odp_vport_get(odp, dp.ifindex, port_a, &got), 0);
	report(!strcmp(got.name, "a1") && got.type == ODP_VPORT_NETDEV &&
		       got.upcall_pid == a.upcall_pid,
	       "a1 reads back", "%s", got.name);
	before = n_ports();
	expect_number("ports", before, 3);
	v = netdev("nonesuch");
	expect("a device that is not there", odp_vport_add(odp, &v), ENODEV);
	v = netdev("a1");
	error = odp_vport_add(odp, &v);
	report(error == EEXIST || error == EBUSY,
	       "a device that is a port already", "%s", strerror(error));
	v = vxlan("vxlan-6784", 6784);
	expect("add the tunnel port", odp_vport_add(odp, &v), 0);
	port_vx = v.port_no;
	expect("get it", odp_vport_get(odp, dp.ifindex, port_vx, &got), 0);
	report(got.type == ODP_VPORT_VXLAN && got.udp_port == 6784 &&
		       !strcmp(got.name, "vxlan-6784"),
	       "its UDP port reads back", "%u", got.udp_port);
	v = vxlan("vx-again", 6784);
	expect("a second one on the same UDP port", odp_vport_add(odp, &v),
	       EEXIST);
	check_taken("a UDP port taken on IPv4", AF_INET);
	check_taken("a UDP port taken on IPv6", AF_INET6);
	v = vxlan("vx-taken", 7784);
	expect("the same port when it is free", odp_vport_add(odp, &v), 0);
	expect("delete it", odp_vport_del(odp, v.port_no), 0);
	v = vxlan("vx-taken", 7784);
	expect("make it again at once", odp_vport_add(odp, &v), 0);
	expect("delete it again", odp_vport_del(odp, v.port_no), 0);
	expect("delete what is not there", odp_vport_del(odp, v.port_no),
	       ENODEV);
	expect_number("ports in the end", n_ports(), before + 1);
	report(!events().vport_gone, "our own changes are no event",
	       "they are");
	run("ip link set vxlan-6784 up");
}

/* ---- upcalls ---------------------------------------------------------- */

/* What a flow finds too large comes up, by the socket of the port that it came
 * in by, with what the flow says of it. */
static void check_too_large(int a, int b, const struct flow *key,
			    const struct flow *mask, size_t size)
{
	struct actions out;
	struct seen s;

	for (size_t fits = 0; fits < 2; fits++) {
		size_t check;

		actions_init(&out);
		check = actions_check_size(
			&out, (uint16_t)(fits ? size : size - 1), 1234);
		actions_output(&out, port_b);
		actions_check_end(&out, check);
		odp_batch_flow_put(odp, 0, true, &(struct ufid){{9}}, key, mask,
				   &out);
		expect_number("a flow that looks at sizes", commit().failed, 0);
		actions_free(&out);
		send_frame(a, 10 + (uint8_t)fits);
		if (fits) {
			report(frame_arrives(b, 11, PATIENCE_MS),
			       "what fits passes", "it does not");
			expect_number("without an upcall", unwanted_upcalls(),
				      0);
			continue;
		}
		s = upcalls(1);
		report(s.n == 1 && !s.wrong && s.last.in_port == port_a &&
			       s.size == size && s.check_size == size - 1 &&
			       s.check_peer == 1234,
		       "what does not fit comes up",
		       "%u upcalls, %zu bytes, %u for %u", s.n, s.size,
		       s.check_size, s.check_peer);
		report(!frame_arrives(b, 10, SILENCE_MS), "and does not pass",
		       "it does");
	}
}

static void check_upcalls(void)
{
	int a = packet_socket("a0"), b = packet_socket("b0");
	uint8_t frame[64];
	size_t size = make_frame(frame, 1);
	struct odp_counters before, after;
	struct flow mask = all_ones();
	struct actions out;
	struct results r;
	struct seen s;
	struct odp_datapath now;
	struct events es;
	unsigned int first;
	bool more;

	send_frame(a, 1);
	s = upcalls(1);
	report(s.n == 1 && !s.wrong && s.last.in_port == port_a &&
		       s.size == size && !memcmp(s.frame, frame, size),
	       "a miss comes up with its port and frame",
	       "%u upcalls, port %u, %zu bytes", s.n, s.last.in_port, s.size);
	actions_init(&out);
	actions_output(&out, port_b);
	odp_batch_flow_put(odp, 0, false, &(struct ufid){{9}}, &s.last, &mask,
			   &out);
	odp_batch_execute(odp, 1, &s.last, span_of(s.frame, s.size), &out);
	r = commit();
	expect_number("flow put and execute together", r.failed, 0);
	report(frame_arrives(b, 1, PATIENCE_MS), "the missed frame arrives",
	       "it does not");
	send_frame(a, 2);
	report(frame_arrives(b, 2, PATIENCE_MS),
	       "the next one passes by the flow", "it does not");
	expect_number("without an upcall", unwanted_upcalls(), 0);
	check_too_large(a, b, &s.last, &mask, size);
	odp_batch_flow_put(odp, 0, true, &(struct ufid){{9}}, &s.last, &mask,
			   &out);
	expect_number("the flow is put back", commit().failed, 0);

	/* A switch to per-CPU dispatch. */
	odp_counters(odp, &before);
	run("ovs-dpctl show");
	if (odp_dp_get(odp, DP, &now)) {
		now.features = 0;
	}
	expect_number("ovs-dpctl show switches the features", now.features, 9);
	send_frame(b, 3);
	s = upcalls(1);
	report(s.n == 1 && s.last.in_port == port_b,
	       "in per-CPU dispatch an upcall arrives all the same", "%u", s.n);
	es = events();
	report(es.features == 1 && !es.os_errno, "the switch is noticed",
	       "%u times, %s", es.features, strerror(es.os_errno));
	if (odp_dp_get(odp, DP, &now)) {
		now.features = 0;
	}
	expect_number("and undone", now.features, 3);
	odp_counters(odp, &after);
	expect_number("and counted", after.features_restored,
		      before.features_restored + 1);
	send_frame(b, 4);
	s = upcalls(1);
	expect_number("then upcalls arrive through their ports", s.n, 1);
	report(odp_port_counters(odp, port_b, &after) && after.handled >= 2 &&
		       !after.lost,
	       "ports count their upcalls", "%llu",
	       (unsigned long long)after.handled);
	report(!events().features, "our own change is no event", "it is");

	/* A flood on one port does not keep the other waiting. */
	for (int i = 0; i < 2000; i++) {
		send_frame(b, 5);
	}
	expect("flush before the next", odp_flow_flush(odp), 0);
	send_frame(a, 6);
	memset(&s, 0, sizeof s);
	odp_upcalls_run(odp, 0, 64, 0, &more, see, &s);
	report(s.by_port[port_a] == 1 && s.by_port[port_b] >= 16,
	       "the first round serves both ports", "%u and %u",
	       s.by_port[port_a], s.by_port[port_b]);
	first = s.n;
	s = upcalls(2001 - first);
	odp_counters(odp, &after);
	report(first + s.n == 2001 && !after.lost,
	       "a burst of 2000 is not lost", "%u, lost %llu", first + s.n,
	       (unsigned long long)after.lost);
	close(a);
	close(b);
	actions_free(&out);
}

static struct odp_counters counters_of(uint32_t port_no)
{
	struct odp_counters counters = {0};

	report(odp_port_counters(odp, port_no, &counters),
	       "a port has counters", "it has none");
	return counters;
}

/* Everything that there is now. */
static unsigned int drain(uint64_t now_us)
{
	struct seen s = {.n = 0};
	bool more;

	do {
		odp_upcalls_run(odp, now_us, 64, 0, &more, see, &s);
	} while (more);
	return s.n;
}

/* What a container may cost us, and what becomes of the rest. */
static void check_limits(void)
{
	enum {
		MANY = 30000, /* More than a queue holds, and than is served. */
		BATCH = 16,
		FEW = 4
	};
	int a = packet_socket("a0"), b = packet_socket("b0");
	struct odp_counters before = counters_of(port_b), after;
	uint64_t later_us;
	unsigned int n = 0;
	struct seen s;
	bool more;

	expect("flush before a flood", odp_flow_flush(odp), 0);
	for (int i = 0; i < MANY; i++) {
		send_frame(b, 7);
	}
	n = drain(0);
	after = counters_of(port_b);
	report(after.lost > before.lost && n + after.lost - before.lost == MANY,
	       "what a full queue loses is counted to the packet",
	       "%u of %d, lost %llu", n, MANY,
	       (unsigned long long)(after.lost - before.lost));
	expect_number("the other port has lost nothing",
		      counters_of(port_a).lost, 0);

	/* By now it asks for many. */
	for (int k = 0; k < 100; k++) {
		send_frame(b, 11);
	}
	send_frame(a, 12);
	memset(&s, 0, sizeof s);
	odp_upcalls_run(odp, 0, 64, 0, &more, see, &s);
	report(s.by_port[port_a] == 1 && s.by_port[port_b] == FEW &&
		       s.last.in_port == port_b && more,
	       "of a port that floods few are read at a time, after others",
	       "%u and %u, last of port %u", s.by_port[port_a],
	       s.by_port[port_b], s.last.in_port);
	expect_number("and the rest all the same", drain(0), 100 - FEW);

	/* The clock stands still: there are no new tokens. */
	for (int i = 0; i < 2 * MANY && odp_deadline(odp) == UINT64_MAX;
	     i += 1000) {
		for (int k = 0; k < 1000; k++) {
			send_frame(b, 8);
		}
		n = drain(0);
	}
	for (int k = 0; k < 1000; k++) {
		send_frame(b, 9);
	}
	later_us = odp_deadline(odp);
	after = counters_of(port_b);
	report(later_us != UINT64_MAX && after.waited == 1 &&
		       after.handled < MANY,
	       "a port that floods has to wait", "%llu were served",
	       (unsigned long long)after.handled);
	expect_number("till then it is not served", drain(later_us - 1), 0);
	send_frame(a, 10);
	expect_number("but the other one", drain(later_us - 1), 1);
	expect_number("then it is", drain(later_us), BATCH);
	close(a);
	close(b);
}

/* Out of the tunnel port to our own address and in again. */
static void check_tunnel(const char *name, struct ip_addr addr, uint8_t flags)
{
	uint8_t frame[64];
	size_t size = make_frame(frame, 7);
	struct flow key = shapes[1].flow;
	struct actions out;
	struct action *a;
	struct results r;
	struct seen s;

	actions_init(&out);
	a = actions_set_tunnel(&out);
	a->tunnel.dst = addr;
	a->tunnel.vni = 0x123456;
	a->tunnel.ttl = 64;
	a->tunnel.tp_dst = 6784;
	a->tunnel.csum = flags & FLOW_TNL_CSUM;
	actions_output(&out, port_vx);
	key.in_port = port_a;
	odp_batch_execute(odp, 0, &key, span_of(frame, size), &out);
	r = commit();
	s = upcalls(1);
	report(!r.failed && s.n == 1 && s.last.in_port == port_vx &&
		       s.last.tunnel.present && s.last.tunnel.vni == 0x123456 &&
		       s.last.tunnel.flags == flags &&
		       ip_equal(&s.last.tunnel.src, &addr) &&
		       ip_equal(&s.last.tunnel.dst, &addr) &&
		       s.last.tunnel.ttl == 64,
	       name, "%zu failed, %u upcalls, port %u, vni %x, flags %x",
	       r.failed, s.n, s.last.in_port, s.last.tunnel.vni,
	       s.last.tunnel.flags);
	if (s.n) {
		struct flow mask = all_ones();
		unsigned int n = 0;

		/* The flow that this would become is accepted and matches. */
		actions_free(&out);
		odp_batch_flow_put(odp, 0, false, &(struct ufid){{8}}, &s.last,
				   &mask, &out);
		r = commit();
		expect_number("its flow is accepted", r.failed, 0);
		a = actions_set_tunnel(&out);
		a->tunnel.dst = addr;
		a->tunnel.vni = 0x123456;
		a->tunnel.ttl = 64;
		a->tunnel.tp_dst = 6784;
		a->tunnel.csum = flags & FLOW_TNL_CSUM;
		actions_output(&out, port_vx);
		odp_batch_execute(odp, 0, &key, span_of(frame, size), &out);
		r = commit();
		n = unwanted_upcalls();
		report(!r.failed && !n, "and takes the next frame",
		       "%zu failed, %u upcalls", r.failed, n);
		expect("flush its flow", odp_flow_flush(odp), 0);
	}
	actions_free(&out);
}

/* ---- what others do --------------------------------------------------- */

static void check_restart(void)
{
	int a = packet_socket("a0");
	struct seen s;

	odp_close(odp);
	odp = NULL;
	expect("open again", odp_open(&odp), 0);
	expect("adopt", odp_dp_adopt(odp, DP, &dp), 0);
	expect("adopt a1", odp_vport_adopt(odp, port_a), 0);
	expect("adopt b1", odp_vport_adopt(odp, port_b), 0);
	expect("adopt the tunnel port", odp_vport_adopt(odp, port_vx), 0);
	expect("adopt twice", odp_vport_adopt(odp, port_a), EEXIST);
	expect("adopt what is not there", odp_vport_adopt(odp, 999), ENODEV);
	send_frame(a, 8);
	s = upcalls(1);
	report(s.n == 1 && s.last.in_port == port_a,
	       "upcalls arrive after a restart", "%u", s.n);
	run("ovs-dpctl show");
	send_frame(a, 9);
	expect_number("and after a restart in per-CPU dispatch", upcalls(1).n,
		      1);
	report(events().features == 1, "which is noticed", "it is not");
	close(a);
}

static void check_others(void)
{
	struct odp_vport c = netdev("c1");
	struct events es;

	expect("add c1", odp_vport_add(odp, &c), 0);
	run("ip link del c0");
	/* The kernel's worker tells of it. */
	for (int i = 0; i < PATIENCE_MS; i += 20) {
		es = events();
		if (es.vport_gone) {
			break;
		}
		usleep(20 * 1000);
	}
	report(es.vport_gone == 1 && es.port_no == c.port_no,
	       "a port whose device goes is reported", "%u, port %u",
	       es.vport_gone, es.port_no);
	run("ovs-dpctl del-if " DP " b1");
	es = events();
	report(es.vport_gone == 1 && es.port_no == port_b,
	       "a port that somebody deletes is reported", "%u", es.vport_gone);
	run("ovs-dpctl del-dp " DP);
	es = events();
	report(es.dp_gone == 1, "a deleted datapath is reported", "%u",
	       es.dp_gone);
	expect("a port for it is ENODEV", odp_vport_add(odp, &c), ENODEV);
	expect("delete it", odp_dp_del(odp, DP), ENODEV);
	expect("get it", odp_dp_get(odp, DP, &dp), ENODEV);
	expect("adopt it", odp_dp_adopt(odp, DP, &dp), ENODEV);
}

static void find_dp(const struct odp_datapath *d, void *aux)
{
	if (!strcmp(d->name, DP)) {
		*(bool *)aux = true;
	}
}

int main(void)
{
	struct odp_datapath got;
	bool listed = false;

	make_links();
	expect("open", odp_open(&odp), 0);
	if (!odp) {
		return 1;
	}
	expect("get a datapath that is not there", odp_dp_get(odp, DP, &got),
	       ENODEV);
	expect("create a datapath in place of a device",
	       odp_dp_create(odp, "d1", &got), EEXIST);
	expect("create a datapath", odp_dp_create(odp, DP, &dp), 0);
	report(dp.ifindex == if_nametoindex(DP) && dp.features == 3,
	       "it has its ifindex and features", "%u, %x", dp.ifindex,
	       dp.features);
	expect("create it again", odp_dp_create(odp, DP, &got), EEXIST);
	expect("list datapaths", odp_dp_list(odp, find_dp, &listed), 0);
	report(listed, "it is listed", "it is not");
	check_ports();
	check_flows();
	check_batch();
	check_upcalls();
	check_limits();
	check_tunnel("a frame comes in by an IPv4 tunnel",
		     (struct ip_addr)SHAPE_V4(127, 0, 0, 1), FLOW_TNL_KEY);
	check_tunnel("a frame comes in by an IPv6 tunnel",
		     (struct ip_addr){{[15] = 1}},
		     FLOW_TNL_KEY | FLOW_TNL_CSUM);
	check_restart();
	check_others();
	odp_close(odp);
	return failures ? 1 : 0;
}
