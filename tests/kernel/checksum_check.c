/* What the daemon gets to see of a container's unfinished packets:
 *
 *   namespace c1: eth0 --- host0 [ datapath sum ] upcalls
 *
 * A veth leaves checksums, and with TCP the segmentation too, to hardware that
 * is not there.  The kernel has to finish both before it hands a packet up
 * (net/openvswitch/datapath.c, queue_userspace_packet()); if it did not, what
 * we send on would be dropped at the other end, and every attachment would need
 * `ethtool -K eth0 tx off`.
 *
 * Runs as root in namespaces of its own. */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "kmod-glue/netns.h"
#include "kmod-glue/odp_socket.h"
#include "kmod-glue/veth.h"
#include "util.h"

enum {
	N_DATAGRAMS = 12
};
static char why[256];

/* A packet socket sees what arrives before the datapath does. */
static int open_tap(const char *ifname)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1;
	struct sockaddr_ll all = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(ifname),
	};

	if (fd < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on) ||
	    bind(fd, (struct sockaddr *)&all, sizeof all)) {
		die("packet socket: %s", strerror(errno));
	}
	return fd;
}

/* How many packets of what the tap saw had no checksum yet. */
static unsigned int n_unfinished(int tap)
{
	unsigned int n = 0;

	for (;;) {
		_Alignas(struct cmsghdr) char control[256];
		struct tpacket_auxdata aux;
		char frame[64];
		struct iovec iov = {frame, sizeof frame};
		struct msghdr msg = {.msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control,
				     .msg_controllen = sizeof control};
		const struct cmsghdr *c;

		if (recvmsg(tap, &msg, MSG_DONTWAIT) < 0) {
			return n;
		}
		c = CMSG_FIRSTHDR(&msg);
		if (c && c->cmsg_level == SOL_PACKET &&
		    c->cmsg_type == PACKET_AUXDATA) {
			memcpy(&aux, CMSG_DATA(c), sizeof aux);
			n += !!(aux.tp_status & TP_STATUS_CSUMNOTREADY);
		}
	}
}

/* The one's complement sum of RFC 1071, over 'data' on top of 'sum'. */
static uint32_t add_sum(uint32_t sum, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
	}
	return sum;
}

struct seen {
	bool v6;
	unsigned int n, wrong, unfinished; /* Datagrams of ours. */
	size_t largest;
};

/* UDP to port 6784 in 'upcall': is its checksum that of its bytes? */
static void on_upcall(const struct odp_upcall *upcall, void *seen_)
{
	struct seen *seen = seen_;
	const uint8_t *ip = upcall->packet.data + 14;
	size_t head = seen->v6 ? 40 : 20, size;
	const uint8_t *udp = ip + head;
	uint32_t sum;

	if (upcall->packet.size < 14 + head + 8 ||
	    ip[0] >> 4 != (seen->v6 ? 6 : 4) ||
	    ip[seen->v6 ? 6 : 9] != IPPROTO_UDP ||
	    (udp[2] << 8 | udp[3]) != 6784) {
		return;
	}
	size = (size_t)(udp[4] << 8 | udp[5]);
	if (upcall->packet.size != 14 + head + size) {
		seen->wrong++;
		return;
	}
	/* Pseudo header: addresses, protocol, length. */
	sum = add_sum(0, ip + (seen->v6 ? 8 : 12), seen->v6 ? 32 : 8);
	sum += IPPROTO_UDP + (uint32_t)size;
	/* The veth would leave just that in the field. */
	seen->unfinished +=
		(uint16_t)(sum + (sum >> 16)) == (udp[6] << 8 | udp[7]);
	sum = add_sum(sum, udp, size);
	while (sum >> 16) {
		sum = (sum & 0xffff) + (sum >> 16);
	}
	seen->n++;
	seen->wrong += sum != 0xffff || !(udp[6] || udp[7]);
	if (upcall->packet.size > seen->largest) {
		seen->largest = upcall->packet.size;
	}
}

struct job {
	bool v6;
	int n;
};

/* Datagrams to a neighbour that is written down, as nobody answers. */
static int send_datagrams(void *job_, char *text, size_t size)
{
	const struct job *job = job_;
	struct sockaddr_in s4 = {.sin_family = AF_INET,
				 .sin_port = htons(6784)};
	struct sockaddr_in6 s6 = {.sin6_family = AF_INET6,
				  .sin6_port = htons(6784)};
	int fd = socket(job->v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
	uint8_t data[1200];

	(void)text;
	(void)size;
	inet_pton(AF_INET, "10.1.0.9", &s4.sin_addr);
	inet_pton(AF_INET6, "fd01::9", &s6.sin6_addr);
	for (size_t i = 0; i < sizeof data; i++) {
		data[i] = (uint8_t)(i * 7 + 1);
	}
	for (int i = 0; i < job->n; i++) {
		if (sendto(fd, data, 1 + (size_t)i * 97, 0,
			   job->v6 ? (struct sockaddr *)&s6
				   : (struct sockaddr *)&s4,
			   job->v6 ? sizeof s6 : sizeof s4) < 0) {
			return errno;
		}
	}
	close(fd);
	return 0;
}

static void check_family(struct odp *odp, int netns, bool v6)
{
	struct pollfd p = {.fd = odp_fd(odp), .events = POLLIN};
	struct job job = {.v6 = v6, .n = N_DATAGRAMS};
	struct seen seen = {.v6 = v6};
	char name[80];
	bool more;

	must(netns_run(netns, send_datagrams, &job, 0, why, sizeof why), why);
	while (seen.n < (unsigned int)job.n && poll(&p, 1, 10000) == 1) {
		odp_upcalls_run(odp, 0, 64, 0, &more, on_upcall, &seen);
	}
	snprintf(name, sizeof name,
		 "IPv%d: the kernel finishes checksums before an upcall",
		 v6 ? 6 : 4);
	check(seen.n == (unsigned int)job.n && !seen.wrong && !seen.unfinished,
	      name, "%u datagrams, %u wrong, %u unfinished, largest %zu",
	      seen.n, seen.wrong, seen.unfinished, seen.largest);
}

int main(void)
{
	struct attachment_request request = {
		.host_ifname = "host0",
		.ifname = "eth0",
		.mac = {{2, 0, 0, 0, 0, 1}},
		.n_addresses = 2,
		.mtu = 1416,
	};
	struct odp_vport vport = {.port_no = UINT32_MAX,
				  .type = ODP_VPORT_NETDEV,
				  .name = "host0"};
	struct odp_datapath dp;
	struct odp *odp;
	char out[512];
	int tap;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	    mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", "/run", "tmpfs", 0, NULL)) {
		die("unshare, mount: %s", strerror(errno));
	}
	if (!shell("ip netns add c1 2>&1", out, sizeof out)) {
		die("%s", out);
	}
	must(netns_open("c1", &request.netns_fd, why, sizeof why), why);
	if (prefix_parse("10.1.0.2/24", &request.addresses[0]) ||
	    prefix_parse("fd01::2/64", &request.addresses[1])) {
		die("prefix_parse");
	}
	must(attachment_make(&request, why, sizeof why), why);
	must(odp_open(&odp), "odp_open");
	must(odp_dp_create(odp, "sum", &dp), "odp_dp_create");
	vport.dp_ifindex = dp.ifindex;
	must(odp_vport_add(odp, &vport), "odp_vport_add");
	if (!shell("ip -n c1 neigh add 10.1.0.9 lladdr 02:00:00:00:00:09 "
		   "dev eth0 && ip -n c1 neigh add fd01::9 lladdr "
		   "02:00:00:00:00:09 dev eth0 2>&1",
		   out, sizeof out)) {
		die("%s", out);
	}
	tap = open_tap("host0");
	check_family(odp, request.netns_fd, false);
	check_family(odp, request.netns_fd, true);
	/* Else there was nothing to finish, and the cases said nothing. */
	check(n_unfinished(tap) == 2 * N_DATAGRAMS,
	      "the container's veth leaves checksums undone (control)",
	      "it does not");
	close(tap);
	odp_close(odp);
	return check_done();
}
