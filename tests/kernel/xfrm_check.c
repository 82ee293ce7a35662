/* xfrm_socket against the kernel:
 *
 *   our namespace (a)                         namespace b
 *   u0  192.0.2.1, 2001:db8::1 --- veth ---   u0  192.0.2.2, 2001:db8::2
 *   sends UDP                                 receives UDP, sees every frame
 *
 * Datagrams to port 6784 are what policies are about; one to port 7000 follows
 * them and tells when they would have arrived.  The kernel hands on what it
 * decrypted from a work queue (xfrm_trans_queue()), later than what came plain,
 * so where decrypted packets must not arrive the follower is ESP as well.
 *
 * Runs as root in namespaces of its own, on a kernel with veth and ESP. */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "kmod-glue/netns.h"
#include "kmod-glue/rt_socket.h"
#include "kmod-glue/xfrm_socket.h"
#include "util.h"

enum {
	PORT = 6784,
	MARKER_PORT = 7000,
	MARKER_SPI = 0x7000,
	PEER = XFRM_REQID_BASE + 2
};

/* One of the two hosts. */
struct host {
	int netns;
	struct xfrm_socket *xfrm;
};
static struct host a, b;
static char why[256];

static void enter(const struct host *host)
{
	if (setns(host->netns, CLONE_NEWNET)) {
		die("setns: %s", strerror(errno));
	}
}

static struct ip_addr addr(bool v6, int host)
{
	struct ip_prefix p;
	char text[32];

	snprintf(text, sizeof text, v6 ? "2001:db8::%d" : "192.0.2.%d", host);
	if (prefix_parse(text, &p)) {
		die("not an address: %s", text);
	}
	return p.ip;
}

static int set_up_host(int number)
{
	const struct rt_link_change up = {.set_up = true, .no_addrgen = true};
	struct rt_socket *rt;
	int error = rt_socket_open(&rt);

	if (!error) {
		error = rt_link_set(rt, "lo", &up);
	}
	if (!error) {
		error = rt_link_set(rt, "u0", &up);
	}
	for (int v6 = 0; !error && v6 <= 1; v6++) {
		struct ip_prefix p = {addr(v6, number), v6 ? 64 : 24};

		error = rt_addr_add(rt, "u0", &p);
	}
	rt_socket_close(rt);
	return error;
}

static void set_scene(void)
{
	struct rt_veth veth = {.host_name = "u0",
			       .peer_name = "u0",
			       .peer_mac = {{2, 0, 0, 0, 0, 2}}};
	struct rt_socket *rt;

	if (unshare(CLONE_NEWNET) ||
	    netns_open_pid(0, &b.netns, why, sizeof why) ||
	    unshare(CLONE_NEWNET) ||
	    netns_open_pid(0, &a.netns, why, sizeof why)) {
		die("unshare: %s", strerror(errno));
	}
	veth.peer_netns = b.netns;
	must(rt_socket_open(&rt), "rt_socket_open");
	must(rt_veth_create(rt, &veth), "rt_veth_create");
	rt_socket_close(rt);
	enter(&b);
	must(set_up_host(2), "host b");
	must(xfrm_socket_open(&b.xfrm), "xfrm_socket_open");
	enter(&a);
	must(set_up_host(1), "host a");
	must(xfrm_socket_open(&a.xfrm), "xfrm_socket_open");
}

/* Changes. */

static int change(struct host *host, enum xfrm_change_type type,
		  const void *what)
{
	struct xfrm_change c = {.type = type};

	if (type == XFRM_CHANGE_SA_ADD || type == XFRM_CHANGE_SA_DEL) {
		c.sa = what;
	} else {
		c.policy = what;
	}
	why[0] = '\0';
	return xfrm_socket_change_one(host->xfrm, &c, why, sizeof why);
}

static void put(struct host *host, const struct xfrm_policy *policy)
{
	must(change(host, XFRM_CHANGE_POLICY_PUT, policy), "policy put");
}

static void drop(struct host *host, const struct xfrm_policy *policy)
{
	must(change(host, XFRM_CHANGE_POLICY_DEL, policy), "policy del");
}

static void add(struct host *host, const struct xfrm_sa *sa)
{
	must(change(host, XFRM_CHANGE_SA_ADD, sa), "SA add");
}

static void del(struct host *host, const struct xfrm_sa *sa)
{
	must(change(host, XFRM_CHANGE_SA_DEL, sa), "SA del");
}

static struct xfrm_policy block(enum xfrm_dir dir, bool v6)
{
	return (struct xfrm_policy){.dir = dir,
				    .v6 = v6,
				    .udp_port = PORT,
				    .priority = XFRM_PRIORITY_BLOCK,
				    .block = true};
}

/* For what a sends to b. */
static struct xfrm_policy esp(enum xfrm_dir dir, bool v6, uint32_t spi)
{
	return (struct xfrm_policy){.dir = dir,
				    .src = addr(v6, 1),
				    .dst = addr(v6, 2),
				    .v6 = v6,
				    .udp_port = PORT,
				    .priority = XFRM_PRIORITY_PEER,
				    .reqid = PEER,
				    .spi = spi};
}

static struct xfrm_sa sa_of(bool v6, uint32_t spi)
{
	struct xfrm_sa sa = {.src = addr(v6, 1),
			     .dst = addr(v6, 2),
			     .spi = spi,
			     .reqid = PEER,
			     .udp_port = PORT,
			     .replay_window = 1024};

	memset(sa.key, (int)spi, sizeof sa.key);
	return sa;
}

/* Traffic. */

struct traffic {
	bool v6;
	int out, in, marker_in, wire;
};

static int udp(bool v6, uint16_t port)
{
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in s4 = {.sin_family = AF_INET,
				 .sin_port = htons(port)};
	struct sockaddr_in6 s6 = {.sin6_family = AF_INET6,
				  .sin6_port = htons(port)};

	if (fd < 0 || (v6 ? bind(fd, (struct sockaddr *)&s6, sizeof s6)
			  : bind(fd, (struct sockaddr *)&s4, sizeof s4))) {
		die("udp socket: %s", strerror(errno));
	}
	return fd;
}

static struct traffic open_traffic(bool v6)
{
	struct traffic t = {.v6 = v6};
	struct sockaddr_ll all = {.sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL)};

	enter(&b);
	t.in = udp(v6, PORT);
	t.marker_in = udp(v6, MARKER_PORT);
	t.wire = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	all.sll_ifindex = (int)if_nametoindex("u0");
	if (t.wire < 0 || bind(t.wire, (struct sockaddr *)&all, sizeof all)) {
		die("packet socket: %s", strerror(errno));
	}
	enter(&a);
	t.out = udp(v6, 0);
	return t;
}

static void close_traffic(struct traffic *t)
{
	close(t->out);
	close(t->in);
	close(t->marker_in);
	close(t->wire);
}

static int send_to(struct traffic *t, uint16_t port)
{
	struct ip_addr to = addr(t->v6, 2);
	struct sockaddr_in s4 = {.sin_family = AF_INET,
				 .sin_port = htons(port)};
	struct sockaddr_in6 s6 = {.sin6_family = AF_INET6,
				  .sin6_port = htons(port)};
	ssize_t n;

	memcpy(&s4.sin_addr, ip_v4_bytes(&to), 4);
	memcpy(&s6.sin6_addr, to.b, 16);
	n = sendto(t->out, "x", 1, MSG_DONTWAIT,
		   t->v6 ? (struct sockaddr *)&s6 : (struct sockaddr *)&s4,
		   t->v6 ? sizeof s6 : sizeof s4);
	return n < 0 ? errno : 0;
}

/* What became of some datagrams. */
struct fate {
	int send_error;	    /* Of the last. */
	unsigned int got;   /* Arrived at the socket. */
	unsigned int plain; /* On the wire as UDP to our port. */
	unsigned int esp;   /* On the wire as ESP. */
};

static void look_at_wire(struct traffic *t, struct fate *fate)
{
	uint8_t frame[2048];
	ssize_t n;

	while ((n = recv(t->wire, frame, sizeof frame, MSG_DONTWAIT)) > 0) {
		size_t head = t->v6 ? 40 : 20;
		uint8_t proto = frame[t->v6 ? 6 : 9];

		if (frame[0] >> 4 != (t->v6 ? 6 : 4) || (size_t)n < head + 8) {
			continue;
		}
		if (proto == IPPROTO_ESP) {
			uint32_t spi;

			memcpy(&spi, frame + head, sizeof spi);
			fate->esp += ntohl(spi) != MARKER_SPI;
		} else if (proto == IPPROTO_UDP &&
			   (frame[head + 2] << 8 | frame[head + 3]) == PORT) {
			fate->plain++;
		}
	}
}

/* Sends 'n' datagrams, and waits while fewer than 'expected' arrived. */
static struct fate send_some(struct traffic *t, int n, unsigned int expected)
{
	struct pollfd marker = {.fd = t->marker_in, .events = POLLIN};
	struct pollfd late = {.fd = t->in, .events = POLLIN};
	struct fate fate = {0}, past;
	char byte;

	while (recv(t->in, &byte, 1, MSG_DONTWAIT) >= 0) {
		continue;
	}
	memset(&past, 0, sizeof past);
	look_at_wire(t, &past);
	for (int i = 0; i < n; i++) {
		fate.send_error = send_to(t, PORT);
	}
	must(send_to(t, MARKER_PORT), "marker");
	if (poll(&marker, 1, 10000) != 1 ||
	    recv(t->marker_in, &byte, 1, MSG_DONTWAIT) < 0) {
		die("the link does not work");
	}
	do {
		while (recv(t->in, &byte, 1, MSG_DONTWAIT) >= 0) {
			fate.got++;
		}
	} while (fate.got < expected && poll(&late, 1, 10000) == 1);
	look_at_wire(t, &fate);
	return fate;
}

static void fate_is(struct traffic *t, int n, unsigned int got,
		    unsigned int plain, unsigned int esp_, const char *what)
{
	struct fate fate = send_some(t, n, got);
	char name[128];

	snprintf(name, sizeof name, "IPv%d: %s", t->v6 ? 6 : 4, what);
	check(fate.got == got && fate.plain == plain && fate.esp == esp_, name,
	      "%u arrived, wire: %u plain, %u ESP; send: %s", fate.got,
	      fate.plain, fate.esp, strerror(fate.send_error));
}

/* Dumps. */

static struct xfrm_sa dumped_sa;
static struct xfrm_policy dumped_policy;
static unsigned int n_dumped;
static uint32_t wanted_spi; /* 0 = all. */

static void on_sa(void *aux, const struct xfrm_sa *sa)
{
	(void)aux;
	if (!wanted_spi || sa->spi == wanted_spi) {
		dumped_sa = *sa;
		n_dumped++;
	}
}

static void on_policy(void *aux, const struct xfrm_policy *policy)
{
	(void)aux;
	dumped_policy = *policy;
	n_dumped++;
}

static unsigned int n_sas(struct host *host, bool ours_only)
{
	n_dumped = 0;
	wanted_spi = 0;
	must(xfrm_socket_dump_sas(host->xfrm, ours_only, on_sa, NULL), "dump");
	return n_dumped;
}

static unsigned int n_policies(struct host *host, bool ours_only)
{
	n_dumped = 0;
	must(xfrm_socket_dump_policies(host->xfrm, ours_only, on_policy, NULL),
	     "dump");
	return n_dumped;
}

static const struct xfrm_sa *find_sa(struct host *host, uint32_t spi)
{
	n_dumped = 0;
	wanted_spi = spi;
	must(xfrm_socket_dump_sas(host->xfrm, true, on_sa, NULL), "dump");
	if (n_dumped != 1) {
		die("%u SAs of SPI %#x", n_dumped, spi);
	}
	return &dumped_sa;
}

static void nothing_left(const char *what)
{
	char name[128];

	snprintf(name, sizeof name, "nothing left after: %s", what);
	check(!n_sas(&a, false) && !n_sas(&b, false) &&
		      !n_policies(&a, false) && !n_policies(&b, false),
	      name, "%u, %u SAs, %u, %u policies", n_sas(&a, false),
	      n_sas(&b, false), n_policies(&a, false), n_policies(&b, false));
}

/* Makes the marker ESP, or plain again. */
static void protect_marker(bool v6, bool on)
{
	struct xfrm_policy out = esp(XFRM_DIR_OUT, v6, MARKER_SPI);
	struct xfrm_policy in = esp(XFRM_DIR_IN, v6, 0);
	struct xfrm_sa sa = sa_of(v6, MARKER_SPI);

	out.udp_port = in.udp_port = sa.udp_port = MARKER_PORT;
	out.reqid = in.reqid = sa.reqid = PEER + 100;
	if (on) {
		add(&b, &sa);
		put(&b, &in);
		add(&a, &sa);
		put(&a, &out);
	} else {
		drop(&a, &out);
		drop(&b, &in);
		del(&a, &sa);
		del(&b, &sa);
	}
}

/* The checks. */

static void check_probe(void)
{
	int status, error = xfrm_probe(a.xfrm, why, sizeof why);
	pid_t pid;

	check_errno(error, 0, "probe finds ESP", why);
	nothing_left("probe");
	(void)fflush(stdout);
	pid = fork();
	if (!pid) {
		struct xfrm_socket *xfrm;

		if (setgid(65534) || setuid(65534) || xfrm_socket_open(&xfrm)) {
			_exit(100);
		}
		_exit(xfrm_probe(xfrm, why, sizeof why) == EPERM &&
				      strstr(why, "CAP_NET_ADMIN")
			      ? 0
			      : 1);
	}
	if (waitpid(pid, &status, 0) != pid) {
		die("waitpid");
	}
	check(status == 0, "probe without privilege says what it needs",
	      "status %#x", status);
}

static void check_block(struct traffic *t)
{
	struct xfrm_policy out = block(XFRM_DIR_OUT, t->v6);
	struct xfrm_policy in = block(XFRM_DIR_IN, t->v6);
	struct xfrm_policy other = block(XFRM_DIR_IN, !t->v6);

	fate_is(t, 3, 3, 3, 0, "plain UDP passes without policy (control)");
	put(&a, &out);
	fate_is(t, 3, 0, 0, 0, "block policy out: nothing leaves");
	put(&a, &out);
	fate_is(t, 1, 0, 0, 0, "block policy put twice blocks on");
	drop(&a, &out);
	fate_is(t, 3, 3, 3, 0, "block policy out removed: passes (control)");
	put(&b, &other);
	fate_is(t, 3, 3, 3, 0, "block policy in of the other family: passes");
	put(&b, &in);
	fate_is(t, 3, 0, 3, 0, "block policy in: nothing arrives");
	drop(&b, &in);
	drop(&b, &other);
	fate_is(t, 1, 1, 1, 0, "block policy in removed: passes (control)");
	nothing_left("block policies");
}

static void check_esp(struct traffic *t)
{
	struct xfrm_policy blocks[] = {block(XFRM_DIR_OUT, t->v6),
				       block(XFRM_DIR_IN, t->v6)};
	struct xfrm_policy out = esp(XFRM_DIR_OUT, t->v6, 0);
	struct xfrm_policy in = esp(XFRM_DIR_IN, t->v6, 0);
	struct xfrm_sa sa = sa_of(t->v6, 0x1001), bad;
	const struct xfrm_sa *got;

	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		put(&a, &blocks[i]);
		put(&b, &blocks[i]);
	}
	protect_marker(t->v6, true);
	put(&a, &out);
	put(&b, &in);
	fate_is(t, 3, 0, 0, 0, "policy without SA: nothing leaves");
	add(&b, &sa);
	add(&a, &sa);
	fate_is(t, 5, 5, 0, 5,
		"SA and policies: arrives, only ESP on the wire, "
		"block policies stand aside");
	got = find_sa(&a, sa.spi);
	check(got->packets == 5 && got->seq_out == 5 && got->use_time &&
		      got->add_time,
	      "outbound SA counts", "%u packets, sequence %u",
	      (unsigned int)got->packets, (unsigned int)got->seq_out);
	got = find_sa(&b, sa.spi);
	check(got->packets == 5 && got->seq_in == 5 && !got->integrity_errors,
	      "inbound SA counts", "%u packets, sequence %u",
	      (unsigned int)got->packets, (unsigned int)got->seq_in);
	drop(&a, &out);
	drop(&a, &blocks[0]);
	fate_is(t, 3, 0, 3, 0, "plain UDP of the peer is refused");
	put(&a, &blocks[0]);
	put(&a, &out);

	/* What the peer must not get away with. */
	bad = sa;
	bad.reqid++;
	del(&b, &sa);
	add(&b, &bad);
	fate_is(t, 3, 0, 0, 3, "SA of another reqid is refused inbound");
	del(&b, &bad);
	bad = sa;
	bad.udp_port++;
	add(&b, &bad);
	fate_is(t, 3, 0, 0, 3, "SA with another selector is refused inbound");
	del(&b, &bad);
	bad = sa;
	bad.key[0] ^= 1;
	add(&b, &bad);
	fate_is(t, 3, 0, 0, 3, "SA with another key is refused inbound");
	got = find_sa(&b, bad.spi);
	check(got->integrity_errors == 3, "integrity errors are counted", "%u",
	      got->integrity_errors);
	del(&b, &bad);
	bad = sa;
	bad.key[35] ^= 1;
	add(&b, &bad);
	fate_is(t, 3, 0, 0, 3, "SA with another salt is refused inbound");
	del(&b, &bad);
	add(&b, &sa);
	fate_is(t, 3, 3, 0, 3, "the right SA again: arrives (control)");

	del(&a, &sa);
	fate_is(t, 3, 0, 0, 0, "outbound SA deleted: nothing leaves");
	del(&a, &sa);
	del(&b, &sa);
	drop(&a, &out);
	drop(&a, &out);
	drop(&b, &in);
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		drop(&a, &blocks[i]);
		drop(&b, &blocks[i]);
	}
	protect_marker(t->v6, false);
	nothing_left("ESP");
}

static void packets_are(uint32_t spi, uint64_t want, const char *what)
{
	uint64_t got = find_sa(&a, spi)->packets;

	check(got == want, what, "SPI %#x: %u packets, not %u", spi,
	      (unsigned int)got, (unsigned int)want);
}

static void check_pinned(struct traffic *t)
{
	struct xfrm_sa sas[] = {sa_of(t->v6, 0x2001), sa_of(t->v6, 0x2002),
				sa_of(t->v6, 0x2003)};
	struct xfrm_policy in = esp(XFRM_DIR_IN, t->v6, 0);
	struct xfrm_policy out = esp(XFRM_DIR_OUT, t->v6, sas[0].spi);

	put(&b, &in);
	for (size_t i = 0; i < ARRAY_SIZE(sas); i++) {
		add(&b, &sas[i]);
		add(&a, &sas[i]);
	}
	put(&a, &out);
	fate_is(t, 4, 4, 0, 4, "policy pinned to the oldest SA: arrives");
	packets_are(0x2001, 4, "the pinned SA carries them");
	out.spi = sas[2].spi;
	put(&a, &out);
	check(n_policies(&a, true) == 1 && dumped_policy.spi == sas[2].spi,
	      "policy update replaces", "%u policies, SPI %#x", n_dumped,
	      dumped_policy.spi);
	fate_is(t, 3, 3, 0, 3, "policy pinned anew: arrives");
	packets_are(0x2001, 4, "the former SA rests");
	packets_are(0x2002, 0, "the SA in between was never used");
	packets_are(0x2003, 3, "the newly pinned SA carries them");
	out.spi = 0x2004;
	put(&a, &out);
	fate_is(t, 3, 0, 0, 0, "policy pinned to no SA: nothing leaves");
	drop(&a, &out);
	drop(&b, &in);
	for (size_t i = 0; i < ARRAY_SIZE(sas); i++) {
		del(&a, &sas[i]);
		del(&b, &sas[i]);
	}
	nothing_left("pinned SAs");
}

static void check_dump(bool v6)
{
	struct xfrm_sa sa = sa_of(v6, 0x3001);
	struct xfrm_policy policy = esp(XFRM_DIR_OUT, v6, 0x3001);
	static const uint8_t zero[XFRM_KEY_SIZE];
	const char *shown[] = {"proto esp spi 0x00003001",
			       "mode transport",
			       "flag esn",
			       "aead rfc4106(gcm(aes)) 0x0101",
			       " 128\n",
			       "replay_window 1024",
			       "proto udp dport 6784",
			       "soft 2147483648(packets), hard 4294967296",
			       "soft 2199023255552(bytes), hard 4398046511104",
			       "expire add: soft 0(sec), hard 0(sec)",
			       "expire use: soft 0(sec), hard 0(sec)"};
	char out[4096], name[96];
	const struct xfrm_sa *got;

	sa.soft_packets = UINT64_C(1) << 31;
	sa.hard_packets = UINT64_C(1) << 32;
	sa.soft_bytes = UINT64_C(1) << 41;
	sa.hard_bytes = UINT64_C(1) << 42;
	add(&a, &sa);
	put(&a, &policy);
	got = find_sa(&a, 0x3001);
	check(ip_equal(&got->src, &sa.src) && ip_equal(&got->dst, &sa.dst) &&
		      got->reqid == sa.reqid && got->udp_port == PORT &&
		      got->replay_window == 1024 &&
		      got->soft_packets == sa.soft_packets &&
		      got->hard_packets == sa.hard_packets &&
		      got->soft_bytes == sa.soft_bytes &&
		      got->hard_bytes == sa.hard_bytes && !got->packets &&
		      !got->use_time,
	      "SA is dumped as it was added", "IPv%d", v6 ? 6 : 4);
	check(!memcmp(got->key, zero, sizeof zero), "SA is dumped without key",
	      "it has one");
	check(n_policies(&a, true) == 1 &&
		      xfrm_policy_same_selector(&dumped_policy, &policy) &&
		      dumped_policy.reqid == policy.reqid &&
		      dumped_policy.spi == policy.spi &&
		      dumped_policy.priority == policy.priority &&
		      !dumped_policy.block,
	      "policy is dumped as it was added", "%u of them", n_dumped);
	if (!shell("ip -s xfrm state", out, sizeof out)) {
		die("ip xfrm state");
	}
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		snprintf(name, sizeof name, "ip xfrm state shows \"%s\"",
			 shown[i]);
		for (char *c = name; *c; c++) {
			if (*c == '\n') {
				*c = ' ';
			}
		}
		check(strstr(out, shown[i]), name, "%s", out);
	}

	/* Other people's objects are not touched, and not shown as ours. */
	if (!shell("ip xfrm state add src 192.0.2.1 dst 192.0.2.9 proto esp "
		   "spi 9 reqid 9 mode transport aead 'rfc4106(gcm(aes))' "
		   "0x000102030405060708090a0b0c0d0e0f10111213 128 && "
		   "ip xfrm state add src 192.0.2.1 dst 192.0.2.9 proto esp "
		   "spi 10 reqid 0x0fd00001 mode tunnel aead "
		   "'rfc4106(gcm(aes))' "
		   "0x000102030405060708090a0b0c0d0e0f10111213 128 && "
		   "ip xfrm policy add src 0.0.0.0/0 dst 192.0.2.9/32 dir out "
		   "priority 64768 tmpl proto esp reqid 9 mode transport",
		   out, sizeof out)) {
		die("ip xfrm");
	}
	check(n_sas(&a, false) == 1 && n_sas(&a, true) == 1 &&
		      n_policies(&a, false) == 1 && n_policies(&a, true) == 1,
	      "objects of other kinds are left out", "they are not");
	shell("ip xfrm state deleteall src 192.0.2.1 dst 192.0.2.9; "
	      "ip xfrm policy delete src 0.0.0.0/0 dst 192.0.2.9/32 dir out",
	      out, sizeof out);
	check_errno(change(&a, XFRM_CHANGE_SA_ADD, &sa), EEXIST,
		    "SA added twice", why);
	del(&a, &sa);
	drop(&a, &policy);
	nothing_left("dumps");
}

/* Many at once. */

enum {
	N_MANY = 500
};
static int results[N_MANY];
static unsigned int n_results;
static bool in_order;

static void on_result(void *aux, uint64_t cookie, int error, const char *text)
{
	(void)aux;
	in_order &= cookie == n_results + 1000 && (error || !text[0]);
	if (n_results < N_MANY) {
		results[n_results++] = error;
	}
}

static void check_batch(void)
{
	static struct xfrm_change changes[N_MANY];
	static struct xfrm_sa sas[N_MANY];
	static const size_t twins[] = {0, 1, 63, 64, 100, N_MANY - 1};
	unsigned int failed = 0;
	bool right = true;
	int error;

	for (size_t i = 0; i < N_MANY; i++) {
		sas[i] = sa_of(i % 2, (uint32_t)(0x10000 + i));
		changes[i] = (struct xfrm_change){.type = XFRM_CHANGE_SA_ADD,
						  .cookie = i + 1000,
						  .sa = &sas[i]};
	}
	for (size_t i = 0; i < ARRAY_SIZE(twins); i++) {
		add(&a, &sas[twins[i]]);
	}
	in_order = true;
	n_results = 0;
	error = xfrm_socket_change(a.xfrm, changes, N_MANY, on_result, NULL);
	for (size_t i = 0; i < N_MANY; i++) {
		bool twin = false;

		for (size_t j = 0; j < ARRAY_SIZE(twins); j++) {
			twin |= twins[j] == i;
		}
		right &= results[i] == (twin ? EEXIST : 0);
		failed += results[i] != 0;
	}
	check(error == EEXIST && n_results == N_MANY && in_order && right,
	      "batch: each change gets its own result",
	      "%s, %u results, %u failed", strerror(error), n_results, failed);
	check(n_sas(&a, true) == N_MANY, "batch: failures stop nothing",
	      "%u SAs", n_sas(&a, true));
	for (size_t i = 0; i < N_MANY; i++) {
		changes[i].type = XFRM_CHANGE_SA_DEL;
	}
	check_errno(xfrm_socket_change(a.xfrm, changes, N_MANY, NULL, NULL), 0,
		    "batch of deletions", "");
	check_errno(xfrm_socket_change(a.xfrm, changes, N_MANY, NULL, NULL), 0,
		    "batch of deletions of what is gone", "");
	nothing_left("batches");
}

/* Events. */

static struct xfrm_event events[64];
static size_t n_events;

static void on_event(void *aux, const struct xfrm_event *event)
{
	(void)aux;
	if (n_events < ARRAY_SIZE(events)) {
		events[n_events++] = *event;
	}
}

static void events_are(struct xfrm_monitor *monitor, const char *name,
		       const enum xfrm_event_type *want, size_t n)
{
	bool same;

	n_events = 0;
	must(xfrm_monitor_run(monitor, on_event, NULL), "xfrm_monitor_run");
	same = n_events == n;
	for (size_t i = 0; same && i < n; i++) {
		same = events[i].type == want[i];
	}
	check(same, name, "%zu events, first %d", n_events,
	      n_events ? (int)events[0].type : -1);
}

static void check_monitor(struct traffic *t)
{
	static const enum xfrm_event_type made[] = {XFRM_EVENT_SA_ADDED,
						    XFRM_EVENT_POLICY_CHANGED};
	static const enum xfrm_event_type unmade[] = {
		XFRM_EVENT_SA_DELETED, XFRM_EVENT_POLICY_DELETED};
	static const enum xfrm_event_type flushed[] = {XFRM_EVENT_SA_FLUSH,
						       XFRM_EVENT_POLICY_FLUSH};
	struct xfrm_policy policy = esp(XFRM_DIR_OUT, t->v6, 0);
	struct xfrm_sa sa = sa_of(t->v6, 0x4001);
	struct xfrm_monitor *monitor;
	struct pollfd p = {.events = POLLIN};
	bool soft = false, hard = false, early;
	char out[64];

	must(xfrm_monitor_open(&monitor), "xfrm_monitor_open");
	p.fd = xfrm_monitor_fd(monitor);
	events_are(monitor, "listener is silent when nothing happens", NULL, 0);
	add(&a, &sa);
	put(&a, &policy);
	check(poll(&p, 1, 0) == 1, "listener becomes readable", "it is not");
	events_are(monitor, "listener hears what is made", made, 2);
	check(n_events == 2 && events[0].sa.spi == 0x4001 &&
		      xfrm_sa_is_ours(&events[0].sa) &&
		      xfrm_policy_is_ours(&events[1].policy),
	      "listener says what it was", "something else");
	del(&a, &sa);
	drop(&a, &policy);
	events_are(monitor, "listener hears what is deleted", unmade, 2);
	check(n_events == 2 && events[0].sa.spi == 0x4001 &&
		      events[1].policy.reqid == PEER,
	      "listener says what is gone", "something else");
	add(&a, &sa);
	put(&a, &policy);
	events_are(monitor, "listener hears it again", made, 2);
	shell("ip xfrm state flush; ip xfrm policy flush", out, sizeof out);
	events_are(monitor, "listener hears somebody flush", flushed, 2);

	sa.soft_packets = 2;
	sa.hard_packets = 4;
	add(&a, &sa);
	put(&a, &policy);
	n_events = 0;
	send_some(t, 3, 0);
	must(xfrm_monitor_run(monitor, on_event, NULL), "run");
	early = false;
	for (size_t i = 0; i < n_events; i++) {
		soft |= events[i].type == XFRM_EVENT_SA_SOFT &&
			events[i].sa.spi == 0x4001;
		early |= events[i].type == XFRM_EVENT_SA_HARD;
	}
	check(soft && !early, "listener hears the soft limit",
	      "soft %d, hard %d", soft, early);
	send_some(t, 3, 0);
	/* The kernel's timer does the rest. */
	while (!hard && poll(&p, 1, 10000) == 1) {
		n_events = 0;
		must(xfrm_monitor_run(monitor, on_event, NULL), "run");
		for (size_t i = 0; i < n_events; i++) {
			hard |= events[i].type == XFRM_EVENT_SA_HARD &&
				events[i].sa.spi == 0x4001;
		}
	}
	check(hard && n_sas(&a, true) == 0,
	      "listener hears the hard limit, the SA is gone", "hard %d, %u",
	      hard, n_sas(&a, true));
	fate_is(t, 2, 0, 0, 0, "after the hard limit nothing leaves");
	drop(&a, &policy);
	xfrm_monitor_close(monitor);
	nothing_left("events");
}

static void check_lost_events(void)
{
	struct xfrm_sa sa = sa_of(false, 0x5001);
	struct xfrm_monitor *monitor;
	bool lost = false;
	int small = 4096;

	must(xfrm_monitor_open(&monitor), "xfrm_monitor_open");
	if (setsockopt(xfrm_monitor_fd(monitor), SOL_SOCKET, SO_RCVBUFFORCE,
		       &small, sizeof small)) {
		die("setsockopt: %s", strerror(errno));
	}
	for (int i = 0; i < 50; i++) {
		add(&a, &sa);
		del(&a, &sa);
	}
	n_events = 0;
	must(xfrm_monitor_run(monitor, on_event, NULL), "run");
	for (size_t i = 0; i < n_events; i++) {
		lost |= events[i].type == XFRM_EVENT_LOST;
	}
	check(lost, "listener says that it lost events", "it does not");
	xfrm_monitor_close(monitor);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	set_scene();
	check_probe();
	for (int v6 = 0; v6 <= 1; v6++) {
		struct traffic t = open_traffic(v6);

		check_block(&t);
		check_esp(&t);
		check_pinned(&t);
		check_dump(v6);
		check_monitor(&t);
		close_traffic(&t);
	}
	check_batch();
	check_lost_events();
	xfrm_socket_close(a.xfrm);
	xfrm_socket_close(b.xfrm);
	return check_done();
}
