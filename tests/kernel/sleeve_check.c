/* The sleeve's data plane, with keys that are known beforehand:
 *
 *	namespace a                             namespace b
 *	tap0 10.9.0.1/24                        tap0 10.9.0.2/24
 *	 | sleeve, peer 2                        | sleeve, peer 1
 *	w0 192.0.2.1/24 -------- veth --------- w0 192.0.2.2/24
 *	   2001:db8::1/64                          2001:db8::2/64
 *
 * Runs as root in namespaces of its own, on any kernel with veth and TAPs.
 *
 *	sleeve_check [CIPHER [SECONDS]]
 *	sleeve_check trunk
 *
 * The latter is about the TAP that is a port of a kernel datapath; VLAN
 * interfaces on top of it (100 in a, 200 in b) stand for that, which needs a
 * kernel with VLANs.
 *
 * With a number of seconds it only stays there for so long (0: for ever), for
 * measurements from outside; the namespaces are then those of "ip netns" a, b
 * of this process's mount namespace. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "check.h"
#include "kmod-glue/netns.h"
#include "kmod-glue/sleeve.h"
#include "kmod-glue/tap.h"
#include "openvswitch/dynamic-string.h"
#include "ovs-rcu.h"
#include "util.h"

enum {
	PORT = 6783,
	TAP = 7, /* Number of the port. */
	VNI = 0x123456,
	FRAMES_MAX = 4096
};

struct side {
	const char *name;
	int netns;
	struct sleeve *sleeve;
	uint32_t other; /* Number of the peer. */
	struct sleeve_event last;
	unsigned int n_moved, n_wanted;
};

static struct side a = {.name = "a", .other = 2};
static struct side b = {.name = "b", .other = 1};
static enum sleeve_cipher cipher = SLEEVE_CIPHER_AES_GCM;
static bool trunk;

static void enter(const struct side *side)
{
	must(setns(side->netns, CLONE_NEWNET) ? errno : 0, "setns");
}

static struct ip_addr address(const char *text)
{
	struct ip_addr ip;

	if (ip_addr_parse(text, &ip)) {
		die("not an address: %s", text);
	}
	return ip;
}

/* Sleeps, holding nothing that is RCU's. */
static void rest_ms(unsigned int ms)
{
	ovsrcu_quiesce_start();
	usleep(ms * 1000);
	ovsrcu_quiesce_end();
}

/* ---- the scene -------------------------------------------------------- */

/* One TAP, one peer. */
static void pass_on(void *side_, struct sleeve_thread *t,
		    const struct sleeve_origin *origin,
		    struct sleeve_frame *frame)
{
	const struct side *side = side_;
	uint16_t mtu;

	if (origin->peer) {
		if (origin->from.number == side->other &&
		    origin->from.vni == VNI) {
			sleeve_output(t, TAP, frame);
		}
	} else if (sleeve_send(t, side->other, VNI, 255, frame, true, &mtu)) {
		sleeve_tell_too_big(t, TAP, frame, mtu);
	}
}

static void open_side(struct side *side)
{
	struct sleeve_config config = {.port = PORT, .n_threads = 2};
	struct ds why = DS_EMPTY_INITIALIZER;
	int fds[TAP_QUEUES_MAX];
	size_t n;

	enter(side);
	if (sleeve_open(&config, &side->sleeve, &why)) {
		die("%s", ds_cstr(&why));
	}
	ds_destroy(&why);
	n = sleeve_n_threads(side->sleeve);
	must(tap_open("tap0", n, fds), "tap_open");
	if (!trunk) {
		sleeve_set_receiver(side->sleeve, pass_on, side);
	}
	must(sleeve_tap_add(side->sleeve, TAP, fds, n,
			    trunk ? SLEEVE_TAP_TRUNK : SLEEVE_TAP_ENDPOINT),
	     "sleeve_tap_add");
}

/* Key and index are both of who receives. */
static struct op_sleeve make_key(const struct side *receiver, uint32_t epoch)
{
	struct op_sleeve op = {.index = 10000 * receiver->other + epoch,
			       .epoch = epoch,
			       .initiator = receiver == &b,
			       .cipher = cipher,
			       .mtu = 1500};

	if (cipher != SLEEVE_CIPHER_NONE) {
		memset(op.key.b, (int)(receiver->other * 16 + epoch),
		       sizeof op.key.b);
	}
	return op;
}

static void set_in(struct side *side, uint32_t epoch)
{
	struct op_sleeve op = make_key(side, epoch);

	op.peer = side->other;
	must(sleeve_put_in(side->sleeve, &op), "sleeve_put_in");
}

static void set_out(struct side *side, const struct side *to, uint32_t epoch,
		    const char *remote, uint16_t port)
{
	struct op_sleeve op = make_key(to, epoch);

	op.peer = side->other;
	op.remote.ip = address(remote);
	op.remote.port = port;
	must(sleeve_set_out(side->sleeve, &op), "sleeve_set_out");
}

static void run_shell(const char *command)
{
	char out[256];

	if (!shell(command, out, sizeof out)) {
		die("%s: %s", command, out);
	}
}

static int open_netns(const char *name)
{
	char why[256] = "";
	int fd;

	if (netns_open(name, &fd, why, sizeof why)) {
		die("%s", why);
	}
	return fd;
}

static void set_scene(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	    mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", "/run", "tmpfs", 0, NULL)) {
		die("unshare, mount: %s", strerror(errno));
	}
	run_shell("ip netns add a && ip netns add b && "
		  "ip -n a link add w0 type veth peer name w0 netns b && "
		  "for n in a b; do ip -n $n link set lo up; "
		  "ip netns exec $n sysctl -qw "
		  "net.ipv6.conf.default.accept_dad=0 "
		  "net.ipv6.conf.w0.accept_dad=0; "
		  "ip -n $n link set w0 up; done && "
		  "ip -n a addr add 192.0.2.1/24 dev w0 && "
		  "ip -n b addr add 192.0.2.2/24 dev w0 && "
		  "ip -n a addr add 2001:db8::1/64 dev w0 nodad && "
		  "ip -n b addr add 2001:db8::2/64 dev w0 nodad");
	a.netns = open_netns("a");
	b.netns = open_netns("b");
	open_side(&a);
	open_side(&b);
	if (trunk) {
		run_shell("for n in a b; do v=100; [ $n = a ] || v=200; "
			  "ip -n $n link set tap0 mtu 65521 addrgenmode none "
			  "up && ip -n $n link add link tap0 name vlan0 type "
			  "vlan id $v && ip -n $n link set vlan0 addrgenmode "
			  "none mtu 1419 up || exit 1; done && "
			  "ip -n a addr add 10.9.0.1/24 dev vlan0 && "
			  "ip -n b addr add 10.9.0.2/24 dev vlan0");
		must(sleeve_set_vlan(a.sleeve, 100, a.other, VNI, false),
		     "sleeve_set_vlan");
		must(sleeve_set_vlan(b.sleeve, 200, b.other, VNI, false),
		     "sleeve_set_vlan");
	} else {
		run_shell("for n in a b; do "
			  "ip -n $n link set tap0 mtu 1419 addrgenmode none "
			  "up; done && "
			  "ip -n a addr add 10.9.0.1/24 dev tap0 && "
			  "ip -n b addr add 10.9.0.2/24 dev tap0");
	}
	set_in(&a, 1);
	set_in(&b, 1);
	set_out(&a, &b, 1, "192.0.2.2", PORT);
	set_out(&b, &a, 1, "192.0.2.1", PORT);
}

/* ---- what the two sides tell ------------------------------------------ */

static void on_event(void *side_, const struct sleeve_event *event)
{
	struct side *side = side_;

	side->last = *event;
	side->n_moved += event->what == SLEEVE_MOVED;
	side->n_wanted += event->what == SLEEVE_WANTED;
}

static void take_load(void *load, const struct sleeve_load *found)
{
	*(struct sleeve_load *)load = *found;
}

static struct sleeve_load load_of(struct side *side)
{
	struct sleeve_load load = {.peer = 0};

	sleeve_run(side->sleeve, on_event, side);
	sleeve_each_load(side->sleeve, take_load, &load);
	return load;
}

/* Waits until a counter of 'side' has grown to 'wanted'. */
#define WAIT_FOR(SIDE, COUNTER, WANTED) \
	wait_for((SIDE), offsetof(struct sleeve_load, COUNTER), (WANTED))
static uint64_t wait_for(struct side *side, size_t offset, uint64_t wanted)
{
	uint64_t value = 0;

	for (int i = 0; i < 1000; i++) {
		struct sleeve_load load = load_of(side);

		memcpy(&value, (const char *)&load + offset, sizeof value);
		if (value >= wanted) {
			break;
		}
		rest_ms(20);
	}
	return value;
}

static bool pings(const char *options)
{
	char command[256], out[4096];

	snprintf(command, sizeof command,
		 "ip netns exec a ping -n -q -W 2 %s 10.9.0.2 2>&1", options);
	return shell(command, out, sizeof out);
}

/* ---- cases ------------------------------------------------------------ */

static void check_traffic(void)
{
	char out[4096];

	check(pings("-c 3 -i 0.2"), "ping_answers", "no answer");
	check(pings("-c 2 -i 0.2 -s 1391 -M do"), "largest_packet_answers",
	      "no answer");
	check(!pings("-c 1 -s 1392 -M do"), "larger_than_mtu_fails",
	      "it was answered");
	run_shell("ip -n a link set tap0 mtu 1500 && "
		  "ip -n b link set tap0 mtu 1500");
	check(pings("-c 2 -i 0.2 -s 1472 -M dont"),
	      "too_large_without_df_goes_in_pieces", "no answer");
	check(!pings("-c 2 -i 0.2 -s 1472 -M do"),
	      "too_large_with_df_is_told_so", "it was answered");
	check(shell("ip -n a route get 10.9.0.2 | grep -o 'mtu 1419'", out,
		    sizeof out),
	      "sender_is_told_mtu", "no route with MTU 1419");
	run_shell("ip -n a route flush cache; "
		  "ip -n a link set tap0 mtu 1419; "
		  "ip -n b link set tap0 mtu 1419");
}

/* 5 MB through TCP, both ways. */
static void check_tcp(void)
{
	static const char script[] =
		"head -c 5000000 /dev/urandom > /run/sent; "
		"for way in a:b:10.9.0.2 b:a:10.9.0.1; do "
		"IFS=: read -r from to ip <<< \"$way\"; "
		"ip netns exec $to timeout 30 nc -l -p 7000 > /run/got & "
		"for i in $(seq 50); do ip netns exec $to ss -Hltn "
		"'sport = 7000' | grep -q . && break; sleep 0.1; done; "
		"ip netns exec $from timeout 30 nc -q 1 $ip 7000 < /run/sent; "
		"wait $!; cmp /run/sent /run/got || exit 1; done";
	FILE *file = fopen("/run/tcp.sh", "w");
	char out[1024];

	if (!file || fputs(script, file) < 0 || fclose(file)) {
		die("/run/tcp.sh: %s", strerror(errno));
	}
	check(shell("bash /run/tcp.sh 2>&1", out, sizeof out),
	      "tcp_both_ways_arrives_whole", "%s", out);
}

/* What goes over the wire in one direction. */
struct capture {
	int fd;
	size_t n;
	size_t size[FRAMES_MAX];
	uint8_t frame[FRAMES_MAX][256];
};

static void capture_open(struct capture *c, const struct side *side)
{
	struct sockaddr_ll ll = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL)};
	int on = 1;

	enter(side);
	c->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ll.sll_ifindex = (int)if_nametoindex("w0");
	if (c->fd < 0 ||
	    setsockopt(c->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on,
		       sizeof on) ||
	    bind(c->fd, (struct sockaddr *)&ll, sizeof ll)) {
		die("AF_PACKET: %s", strerror(errno));
	}
	c->n = 0;
}

/* IPv4 and UDP 6783 only. */
static void capture_read(struct capture *c)
{
	while (c->n < FRAMES_MAX) {
		uint8_t *f = c->frame[c->n];
		ssize_t n = recv(c->fd, f, sizeof c->frame[0], MSG_TRUNC);

		if (n < 0) {
			break;
		}
		if (n >= 42 + 16 && n <= (ssize_t)sizeof c->frame[0] &&
		    f[12] == 0x08 && f[13] == 0 && f[23] == IPPROTO_UDP &&
		    f[36] == PORT >> 8 && f[37] == (PORT & 0xff)) {
			/* On a veth the checksum is not yet made; none will
			 * do when it goes out again. */
			f[40] = f[41] = 0;
			c->size[c->n++] = (size_t)n;
		}
	}
}

/* Puts a frame on the wire to 'to', from the other end. */
static void inject(const struct side *from, const uint8_t *frame, size_t size)
{
	struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_halen = 6};
	int fd;

	enter(from);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	ll.sll_ifindex = (int)if_nametoindex("w0");
	if (fd < 0 ||
	    sendto(fd, frame, size, 0, (struct sockaddr *)&ll, sizeof ll) < 0) {
		die("inject: %s", strerror(errno));
	}
	close(fd);
}

static struct capture capture;

/* Every frame once more, then with each bit flipped: nothing gets in.  The
 * positive control is that the frames have got in once. */
static void check_replay(void)
{
	struct sleeve_load before, after;
	uint64_t flips = 0;

	before = load_of(&b);
	capture_open(&capture, &b);
	check(pings("-c 20 -i 0.01"), "ping_for_capture", "no answer");
	capture_read(&capture);
	after = load_of(&b);
	/* Several pings may share a datagram. */
	check(capture.n >= 10 && after.rx_datagrams - before.rx_datagrams >= 10,
	      "captured_frames_got_in_once", "%zu captured, %u received",
	      capture.n,
	      (unsigned int)(after.rx_datagrams - before.rx_datagrams));

	before = load_of(&b);
	for (size_t i = 0; i < capture.n; i++) {
		inject(&a, capture.frame[i], capture.size[i]);
	}
	WAIT_FOR(&b, replayed, before.replayed + capture.n);
	after = load_of(&b);
	/* Each of them counts as refused.  (What gets in besides is what the
	 * hosts say meanwhile: ARP.) */
	check(after.replayed == before.replayed + capture.n,
	      "every_replay_refused", "%u of %zu refused",
	      (unsigned int)(after.replayed - before.replayed), capture.n);

	/* One that has not been there before: the last bit of the number is
	 * changed as well, or the window would refuse it, not the key. */
	before = after;
	for (size_t bit = 0; bit < (capture.size[0] - 42) * 8; bit++) {
		uint8_t frame[sizeof capture.frame[0]];
		size_t at = 42 + bit / 8;

		if (at < 50 && at >= 42) {
			continue; /* Type and index: none of b's. */
		}
		memcpy(frame, capture.frame[0], capture.size[0]);
		frame[at] ^= (uint8_t)(1 << bit % 8);
		if (at >= 58) {
			frame[54] ^= 0x40; /* A number far ahead. */
		}
		inject(&a, frame, capture.size[0]);
		flips++;
		if (flips % 64 == 0) {
			WAIT_FOR(&b, forged, before.forged + flips / 2);
		}
	}
	for (int i = 0; i < 500; i++) {
		after = load_of(&b);
		if (after.forged + after.replayed >=
		    before.forged + before.replayed + flips) {
			break;
		}
		rest_ms(20);
	}
	check(after.forged + after.replayed ==
		      before.forged + before.replayed + flips,
	      "every_flipped_bit_refused", "%u forged and %u replayed of %u",
	      (unsigned int)(after.forged - before.forged),
	      (unsigned int)(after.replayed - before.replayed),
	      (unsigned int)flips);
	check(pings("-c 3 -i 0.1"), "ping_after_forgeries", "no answer");
	close(capture.fd);
}

/* Nothing of what containers say is on the wire, and the same look finds it
 * where it must be. */
static bool wire_shows(const char *pattern)
{
	static struct capture c;
	char ping[128];
	bool found = false;

	capture_open(&c, &b);
	snprintf(ping, sizeof ping, "-c 5 -i 0.02 -s 100 -p %s", pattern);
	check(pings(ping), "ping_with_pattern", "no answer");
	capture_read(&c);
	close(c.fd);
	for (size_t i = 0; i < c.n; i++) {
		found = found || memmem(c.frame[i], c.size[i],
					"\xfd\x99\xfd\x99\xfd\x99", 6);
	}
	return found;
}

static void rekey(uint32_t epoch)
{
	set_in(&a, epoch);
	set_in(&b, epoch);
	set_out(&a, &b, epoch, "192.0.2.2", PORT);
	set_out(&b, &a, epoch, "192.0.2.1", PORT);
}

static void check_leak(void)
{
	enum sleeve_cipher good = cipher;

	check(!wire_shows("fd99"), "nothing_readable_on_the_wire",
	      "what a container sent is readable");
	cipher = SLEEVE_CIPHER_NONE;
	rekey(2);
	check(wire_shows("fd99"), "in_the_clear_it_is_readable",
	      "the same look finds nothing even in the clear");
	cipher = good;
	rekey(3);
	check(pings("-c 2 -i 0.1"), "ping_with_next_key", "no answer");
}

static void check_rekey(void)
{
	char out[4096];
	FILE *ping = popen("ip netns exec a ping -n -q -i 0.002 -c 1500 "
			   "10.9.0.2 | grep -o '[0-9]* received'",
			   "r");
	size_t n;

	for (uint32_t epoch = 4; epoch < 14; epoch++) {
		struct sleeve_load a_before, b_before;

		rekey(epoch);
		/* What was sealed with the key before the last is through. */
		a_before = load_of(&a);
		b_before = load_of(&b);
		WAIT_FOR(&a, rx_datagrams, a_before.rx_datagrams + 5);
		WAIT_FOR(&b, rx_datagrams, b_before.rx_datagrams + 5);
		sleeve_del_in(a.sleeve, 10000 * a.other + epoch - 2);
		sleeve_del_in(b.sleeve, 10000 * b.other + epoch - 2);
	}
	n = fread(out, 1, sizeof out - 1, ping);
	out[n] = '\0';
	pclose(ping);
	check(!strncmp(out, "1500 ", 5), "ten_rekeys_lose_nothing", "%s", out);
}

/* A middlebox, from one of whose ports it goes to b; then from another. */
struct nat {
	int front, back; /* Towards a, towards b. */
};

static int udp_socket(const char *ip, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	inet_pton(AF_INET, ip, &in.sin_addr);
	if (fd < 0 || bind(fd, (struct sockaddr *)&in, sizeof in)) {
		die("UDP %s: %s", ip, strerror(errno));
	}
	return fd;
}

static void to(int fd, const char *ip, uint16_t port, const void *data,
	       size_t size)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(port)};

	inet_pton(AF_INET, ip, &in.sin_addr);
	(void)!sendto(fd, data, size, 0, (struct sockaddr *)&in, sizeof in);
}

static volatile bool nat_stops;

static void *nat_run(void *nat_)
{
	const struct nat *nat = nat_;
	uint8_t buf[2048];

	while (!nat_stops) {
		struct pollfd fds[] = {{nat->front, POLLIN, 0},
				       {nat->back, POLLIN, 0}};
		ssize_t n;

		(void)!poll(fds, 2, 20);
		while ((n = recv(nat->front, buf, sizeof buf, 0)) > 0) {
			to(nat->back, "192.0.2.2", PORT, buf, (size_t)n);
		}
		while ((n = recv(nat->back, buf, sizeof buf, 0)) > 0) {
			to(nat->front, "192.0.2.1", PORT, buf, (size_t)n);
		}
	}
	return NULL;
}

static void pings_through_nat(uint16_t port, const char *name)
{
	struct nat nat;
	pthread_t thread;

	enter(&a);
	nat.front = udp_socket("192.0.2.1", 7777);
	nat.back = udp_socket("192.0.2.1", port);
	nat_stops = false;
	must(pthread_create(&thread, NULL, nat_run, &nat), "pthread_create");
	/* The first one moves b; its answer comes that way already. */
	check(pings("-c 3 -i 0.2"), name, "no answer");
	load_of(&b);
	check(b.last.what == SLEEVE_MOVED && b.last.remote.port == port,
	      "peer_is_told_to_have_moved", "to port %u", b.last.remote.port);
	nat_stops = true;
	pthread_join(thread, NULL);
	close(nat.front);
	close(nat.back);
}

static void check_nat(void)
{
	uint8_t frame[sizeof capture.frame[0]];
	unsigned int n_moved;
	int fd;

	set_out(&a, &b, 13, "192.0.2.1", 7777);
	pings_through_nat(40001, "ping_through_nat");
	pings_through_nat(40002, "ping_after_rebinding");

	/* From elsewhere: a replay, and a frame that nobody sealed. */
	load_of(&b);
	n_moved = b.n_moved;
	enter(&a);
	fd = udp_socket("192.0.2.1", 40003);
	memcpy(frame, capture.frame[0], capture.size[0]);
	to(fd, "192.0.2.2", PORT, frame + 42, capture.size[0] - 42);
	frame[54] ^= 0x40;
	to(fd, "192.0.2.2", PORT, frame + 42, capture.size[0] - 42);
	close(fd);
	rest_ms(200);
	load_of(&b);
	check(b.n_moved == n_moved, "forged_and_old_frames_move_nobody",
	      "moved to port %u", b.last.remote.port);
	set_out(&a, &b, 13, "192.0.2.2", PORT);
	check(pings("-c 3 -i 0.2"), "ping_back_without_nat", "no answer");
}

/* The address that a was told to send from is not, or no longer, its own. */
static void check_source(void)
{
	struct op_sleeve op = make_key(&b, 13);

	op.peer = a.other;
	op.local = address("192.0.2.77");
	op.remote.ip = address("192.0.2.2");
	op.remote.port = PORT;
	must(sleeve_set_out(a.sleeve, &op), "sleeve_set_out");
	check(pings("-c 3 -i 0.2"), "source_that_is_gone_is_not_insisted_on",
	      "no answer");
}

static void check_ipv6(void)
{
	set_out(&a, &b, 13, "2001:db8::2", PORT);
	set_out(&b, &a, 13, "2001:db8::1", PORT);
	check(pings("-c 3 -i 0.2"), "ping_over_ipv6", "no answer");
	check(pings("-c 2 -i 0.2 -s 1371 -M do"), "largest_packet_over_ipv6",
	      "no answer");
}

static void check_trunk(void)
{
	unsigned int wanted, most;
	time_t begin;

	check(pings("-c 3 -i 0.2"), "ping_from_tag_to_tag", "no answer");
	check(pings("-c 2 -i 0.2 -s 1391 -M do"), "largest_packet_answers",
	      "no answer");
	check_tcp();

	must(sleeve_set_vlan(b.sleeve, 200, b.other, VNI, true),
	     "sleeve_set_vlan");
	begin = time(NULL);
	check(!pings("-c 3 -i 0.2"), "without_tag_nothing_gets_in",
	      "it was answered");
	sleeve_run(b.sleeve, on_event, &b);
	check(b.last.what == SLEEVE_WANTED && b.last.peer == b.other &&
		      b.last.vni == VNI,
	      "missing_tag_is_told", "event %d, network %u", (int)b.last.what,
	      b.last.vni);
	/* Once a second. */
	most = 2 + (unsigned int)(time(NULL) - begin);
	wanted = b.n_wanted;
	check(wanted >= 1 && wanted <= most, "and_not_too_often",
	      "%u times, at most %u", wanted, most);
	must(sleeve_set_vlan(b.sleeve, 200, b.other, VNI, false),
	     "sleeve_set_vlan");
	check(pings("-c 2 -i 0.2"), "ping_with_tag_again", "no answer");

	/* Another peer's tag leads to nobody, and no other network's in. */
	must(sleeve_set_vlan(a.sleeve, 100, 77, VNI, false), "sleeve_set_vlan");
	check(!pings("-c 2 -i 0.2"), "tag_of_another_peer_leads_elsewhere",
	      "it was answered");
	must(sleeve_set_vlan(a.sleeve, 100, a.other, VNI + 1, false),
	     "sleeve_set_vlan");
	check(!pings("-c 2 -i 0.2"), "tag_of_another_network_leads_elsewhere",
	      "it was answered");
	must(sleeve_set_vlan(a.sleeve, 100, a.other, VNI, false),
	     "sleeve_set_vlan");
	check(pings("-c 2 -i 0.2"), "ping_with_tag_once_more", "no answer");
}

static void check_idle(void)
{
	struct sleeve_counters before, after;

	sleeve_counters(a.sleeve, &before);
	rest_ms(3000);
	sleeve_counters(a.sleeve, &after);
	check(after.wakeups - before.wakeups <= 6, "idle_threads_sleep",
	      "%u wakeups in 3 s",
	      (unsigned int)(after.wakeups - before.wakeups));
}

static size_t rss_kib(void)
{
	char out[64];

	snprintf(
		out, sizeof out,
		"sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/%d/status",
		getpid());
	if (!shell(out, out, sizeof out)) {
		die("sed");
	}
	return (size_t)atoi(out);
}

/* Rekeys, moves and changes of the MTU, more than in a year. */
static void check_memory(void)
{
	enum {
		WARM = 200,
		TIMES = 3000,
		SLACK_KIB = 1024 /* What an allocator keeps. */
	};
	size_t before = 0, after;

	for (uint32_t i = 0; i < WARM + TIMES; i++) {
		if (i == WARM) {
			rest_ms(200);
			before = rss_kib();
		}
		rekey(100 + i);
		must(sleeve_set_mtu(a.sleeve, a.other, 1400 + i % 100),
		     "sleeve_set_mtu");
		sleeve_del_in(a.sleeve, 10000 * a.other + 99 + i);
		sleeve_del_in(b.sleeve, 10000 * b.other + 99 + i);
		if (i % 50 == 0) {
			ovsrcu_barrier(); /* Its thread frees. */
		}
	}
	ovsrcu_barrier();
	after = rss_kib();
	check(after <= before + SLACK_KIB, "keys_come_and_go",
	      "%zu KiB, before %zu", after, before);
	sleeve_del_peer(a.sleeve, a.other);
	sleeve_del_peer(b.sleeve, b.other);
	check(!pings("-c 1"), "nothing_goes_to_a_peer_that_is_gone",
	      "it was answered");
}

static size_t count_fds(void)
{
	char out[64];

	snprintf(out, sizeof out, "ls /proc/%d/fd | wc -l", getpid());
	if (!shell(out, out, sizeof out)) {
		die("ls");
	}
	return (size_t)atoi(out);
}

/* Though threads may still hold a descriptor of it. */
static void check_tap_goes(void)
{
	enter(&a);
	check(if_nametoindex("tap0"), "the_device_is_there", "it is not");
	sleeve_tap_del(a.sleeve, TAP);
	check(!if_nametoindex("tap0"), "it_goes_with_its_tap",
	      "it is still there");
}

static void check_close(void)
{
	size_t n, before;

	sleeve_close(a.sleeve);
	sleeve_close(b.sleeve);
	ovsrcu_synchronize();
	before = count_fds();
	for (int i = 0; i < 20; i++) {
		open_side(&a);
		set_in(&a, 1);
		set_out(&a, &b, 1, "192.0.2.2", PORT);
		sleeve_close(a.sleeve);
		ovsrcu_synchronize();
	}
	/* TAPs are closed by RCU's own thread, once this one has been quiet. */
	for (int i = 0; i < 100; i++) {
		ovsrcu_quiesce();
		n = count_fds();
		if (n <= before) {
			break;
		}
		rest_ms(20);
	}
	check(n <= before, "closing_leaves_no_descriptor", "%zu, before %zu", n,
	      before);
}

int main(int argc, char *argv[])
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (sodium_init() < 0) {
		die("sodium_init");
	}
	if (argc > 1 && !strcmp(argv[1], "trunk")) {
		cipher = SLEEVE_CIPHER_XSALSA20; /* Every processor has it. */
		trunk = true;
	} else if (argc > 1) {
		cipher = !strcmp(argv[1], "aes-gcm")  ? SLEEVE_CIPHER_AES_GCM
			 : !strcmp(argv[1], "xsalsa") ? SLEEVE_CIPHER_XSALSA20
						      : SLEEVE_CIPHER_NONE;
	}
	set_scene();
	if (argc > 2) {
		printf("ready: nsenter -t %d -m\n", getpid());
		for (int s = atoi(argv[2]), i = 0; !s || i < s; i++) {
			rest_ms(1000);
			load_of(&a);
			load_of(&b);
		}
		return 0;
	}
	if (trunk) {
		check_trunk();
		return check_done();
	}
	check_traffic();
	check_tcp();
	check_replay();
	check_leak();
	check_rekey();
	check_nat();
	check_source();
	check_ipv6();
	check_idle();
	check_memory();
	check_tap_goes();
	check_close();
	return check_done();
}
