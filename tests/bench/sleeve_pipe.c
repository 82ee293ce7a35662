/* The data path of the sleeve without a daemon: a TAP, a UDP socket, two
 * threads, lib/sleeve between them.  What tests/bench/sleeve measures as
 * "pipe"; what fdpd costs above it is flows, keys and peers.
 *
 *	sleeve_pipe TAP LOCAL:PORT REMOTE:PORT CIPHER SIDE
 *
 * CIPHER: aes-256-gcm, xsalsa20-poly1305 or none, with "/" and a backend if it
 * shall not be the best one.  SIDE: 0 or 1.  The key is no secret.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "crypto/replay.h"
#include "sleeve/cut.h"
#include "sleeve/join.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum {
	N_BUFFERS = 8,
	BUFFER_BYTES = 65536,
	BURST = 64,
	OFFLOADS = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
	OFFLOADS_USO = 0x60 /* TUN_F_USO4 | TUN_F_USO6 */
};

struct pipe_end {
	int tap, udp;
	bool uso;
	struct sockaddr_in remote;
	struct cipher_key *seal, *open;
	bool side;
	struct cut cut;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int tap_open_one(const char *name, bool *uso)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	if (fd < 0) {
		die("/dev/net/tun");
	}
	strncpy(r.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, TUNSETIFF, &r)) {
		die(name);
	}
	*uso = !ioctl(fd, TUNSETOFFLOAD, OFFLOADS | OFFLOADS_USO);
	if (!*uso && ioctl(fd, TUNSETOFFLOAD, OFFLOADS)) {
		die("TUNSETOFFLOAD");
	}
	return fd;
}

static int udp_open(const struct sockaddr_in *local)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1, size = 8 << 20;

	if (fd < 0 || bind(fd, (const struct sockaddr *)local, sizeof *local)) {
		die("UDP");
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
	setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
	return fd;
}

static void send_runs(struct pipe_end *e)
{
	struct cut *cut = &e->cut;
	struct mmsghdr m[CUT_RUNS_MAX];
	struct iovec iov[CUT_RUNS_MAX];
	_Alignas(struct cmsghdr) char control[CUT_RUNS_MAX]
					     [CMSG_SPACE(sizeof(uint16_t))];
	unsigned int n = (unsigned int)cut->n_runs;
	int sent;

	memset(m, 0, n * sizeof m[0]);
	for (unsigned int i = 0; i < n; i++) {
		const struct cut_run *r = &cut->runs[i];
		struct msghdr *h = &m[i].msg_hdr;

		iov[i] = (struct iovec){cut->buf + r->offset, r->size};
		h->msg_name = &e->remote;
		h->msg_namelen = sizeof e->remote;
		h->msg_iov = &iov[i];
		h->msg_iovlen = 1;
		if (r->n > 1) {
			struct cmsghdr *c;

			h->msg_control = control[i];
			h->msg_controllen = sizeof control[i];
			c = CMSG_FIRSTHDR(h);
			c->cmsg_level = IPPROTO_UDP;
			c->cmsg_type = UDP_SEGMENT;
			c->cmsg_len = CMSG_LEN(sizeof r->datagram);
			memcpy(CMSG_DATA(c), &r->datagram, sizeof r->datagram);
		}
	}
	for (unsigned int i = 0; i < n; i += (unsigned int)sent) {
		sent = sendmmsg(e->udp, m + i, n - i, 0);
		if (sent <= 0) {
			sent = 1; /* That one is lost, as on any wire. */
		}
	}
	cut_clear(cut);
}

static bool make_room(void *e, struct cut_way *way, enum err lack)
{
	(void)way;
	send_runs(e);
	return lack == ERR_LIMIT; /* There are numbers enough. */
}

static void *outwards(void *e_)
{
	static uint8_t buf[CUT_BUFFER_BYTES], in[VNET_BYTES + VNET_FRAME_MAX];
	struct pipe_end *e = e_;
	struct cut_way way = {.key = {e->seal, 1, 0, e->side},
			      .datagram_size = 1472,
			      .seq_end = UINT64_MAX};
	struct pollfd p = {.fd = e->tap, .events = POLLIN};

	cut_init(&e->cut, buf, sizeof buf, 0, make_room, e);
	for (unsigned int burst = 0;;) {
		ssize_t n = read(e->tap, in, sizeof in);

		if (n < 0) {
			cut_close(&e->cut);
			send_runs(e);
			burst = 0;
			poll(&p, 1, -1);
			continue;
		}
		/* What cannot be cut is lost. */
		(void)!cut_frame(&e->cut, &way, 1, 0, in, (size_t)n);
		if (++burst == BURST || e->cut.used > BUFFER_BYTES) {
			cut_close(&e->cut);
			send_runs(e);
			burst = 0;
		}
	}
	return NULL;
}

static void write_frame(void *e_, struct join_frame *f)
{
	struct pipe_end *e = e_;

	/* What the kernel refuses is lost. */
	(void)!writev(e->tap, f->iov, (int)f->n_iov);
}

static void receive(struct join *join, const struct frame_key *key,
		    struct replay *replay, uint8_t *at, size_t size)
{
	struct frame_header h;
	struct frame_inner inner;

	if (!frame_header_get(span_of(at, size), &h) &&
	    replay_is_fresh(replay, h.seq) &&
	    !frame_open(key, 0, &h, at, size, &inner)) {
		replay_update(replay, h.seq);
		join_datagram(join, &h, &inner);
	}
}

static size_t stride_of(struct msghdr *h, size_t size)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			int stride;

			memcpy(&stride, CMSG_DATA(c), sizeof stride);
			return stride > 0 ? (size_t)stride : size;
		}
	}
	return size;
}

static void *inwards(void *e_)
{
	static uint8_t buf[N_BUFFERS][BUFFER_BYTES], pieces[VNET_FRAME_MAX];
	static struct replay replay;
	struct pipe_end *e = e_;
	struct frame_key key = {e->open, 1, 0, !e->side};
	struct mmsghdr m[N_BUFFERS];
	struct iovec iov[N_BUFFERS];
	_Alignas(struct cmsghdr) char control[N_BUFFERS]
					     [CMSG_SPACE(sizeof(int))];
	struct join join;

	replay_init(&replay, SLEEVE_REPLAY_WINDOW, UINT64_MAX);
	join_init(&join, pieces, e->uso, write_frame, e);
	for (;;) {
		int n;

		memset(m, 0, sizeof m);
		for (int i = 0; i < N_BUFFERS; i++) {
			iov[i] = (struct iovec){buf[i], BUFFER_BYTES};
			m[i].msg_hdr.msg_iov = &iov[i];
			m[i].msg_hdr.msg_iovlen = 1;
			m[i].msg_hdr.msg_control = control[i];
			m[i].msg_hdr.msg_controllen = sizeof control[i];
		}
		n = recvmmsg(e->udp, m, N_BUFFERS, MSG_WAITFORONE, NULL);
		for (int i = 0; i < n; i++) {
			size_t size = m[i].msg_len;
			size_t stride = stride_of(&m[i].msg_hdr, size);

			for (size_t at = 0; at < size; at += stride) {
				receive(&join, &key, &replay, buf[i] + at,
					size - at < stride ? size - at
							   : stride);
			}
		}
		join_flush(&join);
	}
	return NULL;
}

static struct sockaddr_in parse(const char *text)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	struct ip_endpoint at;

	if (endpoint_parse(text, 0, &at) || !ip_is_v4(&at.ip)) {
		fprintf(stderr, "sleeve_pipe: %s?\n", text);
		exit(2);
	}
	memcpy(&a.sin_addr, ip_v4_bytes(&at.ip), 4);
	a.sin_port = htons(at.port);
	return a;
}

static struct cipher_key *make_key(struct cipher_suite *suite, char *text,
				   enum cipher_direction direction)
{
	static const struct secret secret = {{42}};
	char *backend = strchr(text, '/');
	struct cipher_key *key;
	enum cipher c;

	if (!strcmp(text, "none")) {
		return cipher_key_new_plain();
	}
	c = strncmp(text, "aes", 3) ? CIPHER_XSALSA20_POLY1305
				    : CIPHER_AES_256_GCM;
	if ((backend && cipher_suite_choose(suite, c, backend + 1)) ||
	    cipher_key_new(suite, c, direction, &secret, 1, &key)) {
		fprintf(stderr, "sleeve_pipe: no %s here\n", text);
		exit(1);
	}
	return key;
}

int main(int argc, char *argv[])
{
	struct cipher_suite *suite;
	struct sockaddr_in local;
	struct pipe_end e;
	pthread_t out, in;

	if (argc != 6 || sodium_init() < 0) {
		fprintf(stderr, "usage: sleeve_pipe TAP LOCAL:PORT "
				"REMOTE:PORT CIPHER SIDE\n");
		return 2;
	}
	suite = cipher_suite_new();
	local = parse(argv[2]);
	e.remote = parse(argv[3]);
	e.side = argv[5][0] == '1';
	e.seal = make_key(suite, argv[4], CIPHER_SEAL);
	e.open = make_key(suite, argv[4], CIPHER_OPEN);
	e.tap = tap_open_one(argv[1], &e.uso);
	e.udp = udp_open(&local);
	pthread_create(&out, NULL, outwards, &e);
	pthread_create(&in, NULL, inwards, &e);
	pthread_join(out, NULL);
	pthread_join(in, NULL);
	return 0;
}
