/* Packets that open flows, and the least that can answer them; see flow-setup.
 *
 *	flow_setup loop DATAPATH PORT PORT
 *	flow_setup burst FROM TO KIND N
 *	flow_setup latency FROM TO KIND N [DATAPATH]
 *	flow_setup flows DATAPATH
 *	flow_setup flush DATAPATH
 *
 * "loop" answers the misses of two ports until it is killed: what came in at
 * one goes out at the other, by a flow for exactly these addresses and ports.
 * It knows nothing, decides nothing and keeps nothing, so nobody can be much
 * faster: up to 64 misses a read, and a flow and a packet for each of them in
 * one write, of which only failures are answered.
 *
 * "burst" sends N frames from one namespace's eth0 to the other's as fast as it
 * can and prints how many arrived, in how many microseconds after the first one
 * was sent, and how many a second that is.  "latency" sends frames one by one,
 * each twice, and prints medians and 99th percentiles in nanoseconds and what
 * was lost, of the first and of the second ones.  Frames are UDP from 10.0.0.1
 * to 10.0.0.2.  KIND is what makes each different:
 *
 *	mac    another destination, all of them groups
 *	nobody another destination, which no station has: none arrives
 *	tuple  other ports
 *	known  another ephemeral port
 *	same   nothing; with DATAPATH its flows are deleted before each first
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/genetlink.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/openvswitch.h>

#include "kmod-glue/genl.h"
#include "netlink/odp.h"
#include "util.h"

enum {
	BATCH = 64,
	UPCALL_SIZE = 2048,
	RCVBUF = 64 * 1024 * 1024,
	FRAME_SIZE = 86,
	ID_OFFSET = 42, /* UDP's payload: the run, the number. */
	LOST_MS = 500,
	MAX_PORTS = 2
};

static struct genl genl;
static uint16_t families[N_ODP_FAMILIES];

static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static void check(int error, const char *what)
{
	if (error) {
		errno = error;
		die(what);
	}
}

static uint64_t now_ns(void)
{
	struct timespec t;

	/* The clock of SO_TIMESTAMPNS. */
	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- the datapath ------------------------------------------------------- */

static void open_genl(void)
{
	uint32_t group;

	check(genl_open(&genl, RCVBUF), "Generic Netlink");
	for (int i = 0; i < N_ODP_FAMILIES; i++) {
		check(genl_family(&genl, odp_family_name((enum odp_family)i),
				  &families[i], &group),
		      "openvswitch");
	}
}

static int take_datapath(struct span msg, void *dp)
{
	return odp_get_datapath(msg, dp) ? EPROTO : 0;
}

static struct odp_datapath find_datapath(const char *name)
{
	struct odp_datapath dp = {0};

	odp_put_dp_get(genl_request(&genl), families[ODP_DATAPATH],
		       genl_seq(&genl), NLM_F_ACK, name);
	check(genl_transact(&genl, take_datapath, &dp), name);
	return dp;
}

static void flush(uint32_t dp_ifindex)
{
	odp_put_flow_flush(genl_request(&genl), families[ODP_FLOW],
			   genl_seq(&genl), NLM_F_ACK, dp_ifindex);
	check(genl_transact(&genl, NULL, NULL), "delete flows");
}

static int take_vport(struct span msg, void *vport)
{
	return odp_get_vport(msg, vport) ? EPROTO : 0;
}

static uint32_t find_port(uint32_t dp_ifindex, const char *name)
{
	struct odp_vport vport = {0};

	odp_put_vport_get(genl_request(&genl), families[ODP_VPORT],
			  genl_seq(&genl), NLM_F_ACK, dp_ifindex, name, 0);
	check(genl_transact(&genl, take_vport, &vport), name);
	return vport.port_no;
}

/* ---- the bare loop ------------------------------------------------------ */

/* What is to be written; messages are built in place. */
static uint8_t out[BATCH * 2 * UPCALL_SIZE];
static size_t out_size;

static size_t align(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

static size_t attr_size(const struct nlattr *a)
{
	return a->nla_len - sizeof *a;
}

static void *put_room(size_t size)
{
	uint8_t *at = out + out_size;

	size = align(size);
	out_size += size;
	memset(at, 0, size);
	return at;
}

static struct nlmsghdr *put_message(enum odp_family family, uint8_t cmd,
				    uint8_t version, uint16_t flags,
				    uint32_t dp_ifindex)
{
	struct nlmsghdr *nlh = put_room(sizeof *nlh);
	struct genlmsghdr *g = put_room(sizeof *g);
	struct ovs_header *o = put_room(sizeof *o);

	nlh->nlmsg_type = families[family];
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	g->cmd = cmd;
	g->version = version;
	o->dp_ifindex = (int)dp_ifindex;
	return nlh;
}

static void end_message(struct nlmsghdr *nlh)
{
	nlh->nlmsg_len = (uint32_t)(out + out_size - (uint8_t *)nlh);
}

static struct nlattr *put_attr(uint16_t type, const void *data, size_t size)
{
	struct nlattr *a = put_room(sizeof *a + size);

	a->nla_type = type;
	a->nla_len = (uint16_t)(sizeof *a + size);
	if (size) {
		memcpy(a + 1, data, size);
	}
	return a;
}

static void end_nest(struct nlattr *a)
{
	a->nla_len = (uint16_t)(out + out_size - (uint8_t *)a);
}

static void put_output(uint16_t type, uint32_t port)
{
	struct nlattr *nest = put_attr(type, NULL, 0);

	put_attr(OVS_ACTION_ATTR_OUTPUT, &port, sizeof port);
	end_nest(nest);
}

static void put_mask(const struct nlattr *key)
{
	static const uint8_t ones[sizeof(struct ovs_key_ethernet)] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	const struct ovs_key_ipv4 ipv4 = {.ipv4_dst = UINT32_MAX,
					  .ipv4_proto = UINT8_MAX};

	switch (key->nla_type & NLA_TYPE_MASK) {
	case OVS_KEY_ATTR_IN_PORT:
	case OVS_KEY_ATTR_ETHERNET:
	case OVS_KEY_ATTR_ETHERTYPE:
	case OVS_KEY_ATTR_UDP:
		put_attr(key->nla_type, ones, attr_size(key));
		break;
	case OVS_KEY_ATTR_IPV4:
		put_attr(key->nla_type, &ipv4, sizeof ipv4);
		break;
	default:
		break;
	}
}

/* Attributes are aligned, in a buffer that is. */
static const struct nlattr *attr_after(const struct nlattr *a)
{
	return (const void *)((const uint8_t *)a + align(a->nla_len));
}

static void answer(const struct nlmsghdr *nlh, const uint32_t *ports)
{
	const size_t fixed =
		NLMSG_HDRLEN + GENL_HDRLEN + sizeof(struct ovs_header);
	const uint8_t *base = (const void *)nlh;
	const struct ovs_header *o = (const void *)(base + fixed - sizeof *o);
	const struct nlattr *key = NULL, *packet = NULL, *a, *first, *end;
	struct nlmsghdr *put;
	struct nlattr *nest;
	uint32_t in = 0, to;

	end = (const void *)(base + nlh->nlmsg_len);
	for (a = (const void *)(base + fixed); a < end; a = attr_after(a)) {
		switch (a->nla_type & NLA_TYPE_MASK) {
		case OVS_PACKET_ATTR_KEY:
			key = a;
			break;
		case OVS_PACKET_ATTR_PACKET:
			packet = a;
			break;
		default:
			break;
		}
	}
	if (nlh->nlmsg_type != families[ODP_PACKET] || !key || !packet) {
		return;
	}
	first = key + 1;
	end = attr_after(key);
	for (a = first; a < end; a = attr_after(a)) {
		if ((a->nla_type & NLA_TYPE_MASK) == OVS_KEY_ATTR_IN_PORT) {
			memcpy(&in, a + 1, sizeof in);
		}
	}
	to = ports[in == ports[0]];

	put = put_message(ODP_FLOW, OVS_FLOW_CMD_NEW, OVS_FLOW_VERSION,
			  NLM_F_CREATE, (uint32_t)o->dp_ifindex);
	put_attr(OVS_FLOW_ATTR_KEY, first, attr_size(key));
	nest = put_attr(OVS_FLOW_ATTR_MASK, NULL, 0);
	for (a = first; a < end; a = attr_after(a)) {
		put_mask(a);
	}
	end_nest(nest);
	put_output(OVS_FLOW_ATTR_ACTIONS, to);
	end_message(put);

	put = put_message(ODP_PACKET, OVS_PACKET_CMD_EXECUTE,
			  OVS_PACKET_VERSION, 0, (uint32_t)o->dp_ifindex);
	put_attr(OVS_PACKET_ATTR_PACKET, packet + 1, attr_size(packet));
	put_attr(OVS_PACKET_ATTR_KEY, first, attr_size(key));
	put_output(OVS_PACKET_ATTR_ACTIONS, to);
	end_message(put);
}

static _Noreturn void loop(const char *name, const char *const names[MAX_PORTS])
{
	static _Alignas(8) uint8_t in[BATCH][UPCALL_SIZE];
	struct odp_datapath dp = find_datapath(name);
	struct mmsghdr msgs[BATCH] = {0};
	struct iovec iov[BATCH];
	uint32_t ports[MAX_PORTS];

	/* ovs-dpctl, which made the datapath, has left it otherwise. */
	odp_put_dp_set(genl_request(&genl), families[ODP_DATAPATH],
		       genl_seq(&genl), NLM_F_ACK, name,
		       OVS_DP_F_UNALIGNED | OVS_DP_F_VPORT_PIDS, NULL, 0);
	check(genl_transact(&genl, NULL, NULL), name);
	for (int i = 0; i < MAX_PORTS; i++) {
		ports[i] = find_port(dp.ifindex, names[i]);
		odp_put_vport_set_pid(genl_request(&genl), families[ODP_VPORT],
				      genl_seq(&genl), NLM_F_ACK, dp.ifindex,
				      ports[i], genl.pid);
		check(genl_transact(&genl, NULL, NULL), names[i]);
	}
	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){in[i], UPCALL_SIZE};
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	for (;;) {
		struct pollfd p = {genl.fd, POLLIN, 0};
		int n;

		if (poll(&p, 1, -1) < 0) {
			die("poll");
		}
		n = recvmmsg(genl.fd, msgs, BATCH, MSG_DONTWAIT, NULL);
		/* What is no miss is the answer to a failure. */
		for (int i = 0; i < n; i++) {
			answer((const void *)in[i], ports);
		}
		if (out_size && send(genl.fd, out, out_size, 0) < 0) {
			die("send");
		}
		out_size = 0;
	}
}

/* ---- frames ------------------------------------------------------------- */

enum kind {
	KIND_MAC,
	KIND_NOBODY,
	KIND_TUPLE,
	KIND_KNOWN,
	KIND_SAME
};

static enum kind kind_of(const char *text)
{
	return !strcmp(text, "mac")	 ? KIND_MAC
	       : !strcmp(text, "nobody") ? KIND_NOBODY
	       : !strcmp(text, "tuple")	 ? KIND_TUPLE
	       : !strcmp(text, "known")	 ? KIND_KNOWN
					 : KIND_SAME;
}

struct end {
	int fd;
	struct sockaddr_ll to; /* Its eth0. */
	uint8_t mac[ETH_ALEN];
};

static struct end open_end(const char *netns, bool receive)
{
	struct end e = {.to = {.sll_family = AF_PACKET}};
	struct ifreq ifr = {.ifr_name = "eth0"};
	int on = 1, size = RCVBUF, ns;
	char path[64];

	snprintf(path, sizeof path, "/run/netns/%s", netns);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET)) {
		die(path);
	}
	close(ns);
	e.fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (e.fd < 0 || ioctl(e.fd, SIOCGIFHWADDR, &ifr)) {
		die(netns);
	}
	memcpy(e.mac, ifr.ifr_hwaddr.sa_data, sizeof e.mac);
	e.to.sll_ifindex = (int)if_nametoindex("eth0");
	e.to.sll_protocol = receive ? htons(ETH_P_IP) : 0;
	if (bind(e.fd, (struct sockaddr *)&e.to, sizeof e.to) ||
	    setsockopt(e.fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) ||
	    setsockopt(e.fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on)) {
		die(netns);
	}
	return e;
}

static uint32_t run;

static void put_u16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put_u32(uint8_t *at, uint32_t value)
{
	put_u16(at, value >> 16);
	put_u16(at + 2, value);
}

static void make_frame(uint8_t f[FRAME_SIZE], enum kind kind, uint32_t i,
		       const struct end *from, const struct end *to)
{
	static const uint8_t ip[] = {0x45, 0, 0,  72, 0, 0, 0x40, 0, 64, 17,
				     0,	   0, 10, 0,  0, 1, 10,	  0, 0,	 2};
	uint32_t sum = 0;

	memset(f, 0, FRAME_SIZE);
	memcpy(f, to->mac, ETH_ALEN);
	memcpy(f + ETH_ALEN, from->mac, ETH_ALEN);
	if (kind == KIND_MAC || kind == KIND_NOBODY) {
		f[0] = kind == KIND_MAC ? 3 : 2;
		f[1] = (uint8_t)run;
		/* 16 bits of the run, 24 of the number. */
		put_u32(f + 2, run >> 8 << 24 | i);
	}
	put_u16(f + 12, ETH_P_IP);
	memcpy(f + 14, ip, sizeof ip);
	for (int k = 14; k < 34; k += 2) {
		sum += (uint32_t)f[k] << 8 | f[k + 1];
	}
	put_u16(f + 24, ~(sum + (sum >> 16)));
	put_u16(f + 34, kind == KIND_KNOWN   ? 40000 + i % 20000
			: kind == KIND_TUPLE ? 1024 + i % 60000
					     : 1024);
	put_u16(f + 36,
		1024 + (kind == KIND_TUPLE ? (run + i / 60000) % 60000 : 0));
	put_u16(f + 38, FRAME_SIZE - 34);
	put_u32(f + ID_OFFSET, run);
	put_u32(f + ID_OFFSET + 4, i);
}

/* When the frame that was read had arrived; 0 if there is none yet.  '*i' is
 * its number. */
static uint64_t read_frame(const struct end *to, uint32_t *i)
{
	uint8_t f[FRAME_SIZE], control[128], id[8];
	struct iovec iov = {f, sizeof f};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof control};
	ssize_t n;

	put_u32(id, run);
	while ((n = recvmsg(to->fd, &msg, MSG_DONTWAIT)) >= 0) {
		const struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		struct timespec t;

		if (n == FRAME_SIZE && !memcmp(f + ID_OFFSET, id, 4) && c) {
			*i = (uint32_t)f[ID_OFFSET + 4] << 24 |
			     (uint32_t)f[ID_OFFSET + 5] << 16 |
			     (uint32_t)f[ID_OFFSET + 6] << 8 | f[ID_OFFSET + 7];
			memcpy(&t, CMSG_DATA(c), sizeof t);
			return (uint64_t)t.tv_sec * 1000000000 +
			       (uint64_t)t.tv_nsec;
		}
		msg.msg_controllen = sizeof control;
	}
	return 0;
}

static int burst(const char *from_ns, const char *to_ns, enum kind kind,
		 uint32_t n)
{
	static uint8_t frames[BATCH][FRAME_SIZE];
	struct end from = open_end(from_ns, false);
	struct end to = open_end(to_ns, true);
	struct mmsghdr msgs[BATCH] = {0};
	struct iovec iov[BATCH];
	uint64_t begin, last = 0, at, quiet_since;
	uint32_t arrived = 0, i;

	for (int k = 0; k < BATCH; k++) {
		iov[k] = (struct iovec){frames[k], FRAME_SIZE};
		msgs[k].msg_hdr.msg_iov = &iov[k];
		msgs[k].msg_hdr.msg_iovlen = 1;
	}
	begin = now_ns();
	for (i = 0; i < n;) {
		unsigned int size = MIN(n - i, (unsigned int)BATCH), sent = 0;

		for (unsigned int k = 0; k < size; k++) {
			make_frame(frames[k], kind, i++, &from, &to);
		}
		while (sent < size) {
			int r = sendmmsg(from.fd, msgs + sent, size - sent, 0);

			if (r < 0 && errno != ENOBUFS) {
				die("send");
			}
			sent += r > 0 ? (unsigned int)r : 0;
		}
	}
	if (kind == KIND_NOBODY) {
		printf("0 0 0\n");
		return EXIT_SUCCESS;
	}
	/* What arrives is counted afterwards, not to compete with others. */
	for (quiet_since = now_ns(); arrived < n;) {
		uint64_t last_before = last;

		usleep(100000);
		while ((at = read_frame(&to, &i))) {
			arrived++;
			last = MAX(last, at);
		}
		if (last != last_before) {
			quiet_since = now_ns();
		} else if (now_ns() - quiet_since > 1000000000) {
			break;
		}
	}
	printf("%u %.0f %.0f\n", arrived, (double)(last - begin) / 1000,
	       arrived * 1e9 / (double)(last - begin));
	return EXIT_SUCCESS;
}

static int compare(const void *a_, const void *b_)
{
	const uint64_t *a = a_, *b = b_;

	return *a < *b ? -1 : *a > *b;
}

static int latency(const char *from_ns, const char *to_ns, enum kind kind,
		   uint32_t n, uint32_t dp_ifindex)
{
	struct end from = open_end(from_ns, false);
	struct end to = open_end(to_ns, true);
	uint64_t *took[2] = {xcalloc(n, sizeof **took),
			     xcalloc(n, sizeof **took)};
	uint32_t arrived[2] = {0, 0};

	for (uint32_t i = 0; i < n; i++) {
		uint8_t f[FRAME_SIZE];

		make_frame(f, kind, i, &from, &to);
		if (dp_ifindex) {
			flush(dp_ifindex);
		}
		for (int k = 0; k < 2; k++) {
			struct pollfd p = {to.fd, POLLIN, 0};
			uint64_t begin = now_ns(), at = 0;
			uint32_t number = 0;

			if (send(from.fd, f, sizeof f, 0) < 0) {
				die("send");
			}
			while (!at && poll(&p, 1, LOST_MS) > 0) {
				at = read_frame(&to, &number);
				at = number == i ? at : 0;
			}
			if (at) {
				took[k][arrived[k]++] = at - begin;
			}
		}
	}
	for (int k = 0; k < 2; k++) {
		uint32_t m = arrived[k];

		qsort(took[k], m, sizeof **took, compare);
		printf("%" PRIu64 " %" PRIu64 " %u%c", m ? took[k][m / 2] : 0,
		       m ? took[k][m * 99 / 100] : 0, n - m, k ? '\n' : ' ');
		free(took[k]);
	}
	return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
	const char *what = argc > 2 ? argv[1] : "";

	if (getrandom(&run, sizeof run, 0) != sizeof run) {
		die("getrandom");
	}
	open_genl();
	if (!strcmp(what, "loop") && argc == 5) {
		loop(argv[2], (const char *const[]){argv[3], argv[4]});
	} else if (!strcmp(what, "burst") && argc == 6) {
		return burst(argv[2], argv[3], kind_of(argv[4]),
			     (uint32_t)atoi(argv[5]));
	} else if (!strcmp(what, "latency") && argc >= 6) {
		return latency(argv[2], argv[3], kind_of(argv[4]),
			       (uint32_t)atoi(argv[5]),
			       argc > 6 ? find_datapath(argv[6]).ifindex : 0);
	} else if (!strcmp(what, "flows")) {
		printf("%" PRIu64 "\n", find_datapath(argv[2]).flows);
		return EXIT_SUCCESS;
	} else if (!strcmp(what, "flush")) {
		flush(find_datapath(argv[2]).ifindex);
		return EXIT_SUCCESS;
	}
	fprintf(stderr, "usage: see the head of flow_setup.c\n");
	return EXIT_FAILURE;
}
