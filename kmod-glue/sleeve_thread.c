#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "hash.h"

#include "kmod-glue/sleeve_state.h"
#include "packet/probe.h"
#include "packet/toobig.h"

enum {
	READY_MAX = 32,

	/* A TAP's turn: so many frames, or so many bytes, as others wait. */
	TAP_FRAMES = 64,
	TAP_BYTES = 256 * 1024,
	/* A socket's, in system calls. */
	UDP_RECEIVES = 4,
	/* What is sealed leaves when there is so much. */
	SEND_BYTES = CUT_BUFFER_BYTES / 2,
	DATAGRAMS_MAX = 128, /* In one receive. */

	/* RCU: frees wait for each thread to say that it holds nothing. */
	QUIESCE_TURNS = 16,

	/* Middleboxes forget an idle UDP flow after 30 s or later (RFC 4787
	 * asks for two minutes).  One that forgets sooner costs what comes in
	 * until we send next: probes do, every second or so. */
	KEEPALIVE_MS = 20 * 1000,
	KEEPALIVE_LOOK_MS = 5 * 1000,

	WANTED_MS = 1000,
	TOO_BIG_RATE = 100, /* A second, and at once. */

	VID_MASK = 0xfff,
	PCP_SHIFT = 13,
	/* Which bits of the TTL a tag has; the others are ones
	 * (datapath/pipeline.h). */
	TTL_SHIFT = 5,
	TTL_LOW_BITS = (1 << TTL_SHIFT) - 1
};

uint64_t sleeve_now_ms(void)
{
	struct timespec ts;

	ovs_assert(!clock_gettime(CLOCK_MONOTONIC_COARSE, &ts));
	return 1 + (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

unsigned int sleeve_thread_id(const struct sleeve_thread *t)
{
	return t->id;
}

uint64_t sleeve_thread_now_ms(const struct sleeve_thread *t)
{
	return t->is_main ? sleeve_now_ms() : t->now_ms;
}

/* ---- sending ---------------------------------------------------------- */

/* What goes with one run through sendmsg(). */
struct control {
	OVS_ALIGNED_VAR(8)
	char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
		   CMSG_SPACE(sizeof(uint16_t))];
};

/* What sendmmsg() takes.  Not on the stack, where it would be cleared each
 * time. */
struct sleeve_tx {
	struct mmsghdr msgs[CUT_RUNS_MAX];
	struct iovec iovs[CUT_RUNS_MAX];
	struct control controls[CUT_RUNS_MAX];
};

static void put_control(struct msghdr *msg, int level, int type,
			const void *data, size_t size)
{
	struct cmsghdr *c = (struct cmsghdr *)((char *)msg->msg_control +
					       msg->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(c), data, size);
	msg->msg_controllen += CMSG_SPACE(size);
}

static void put_source(struct msghdr *msg, const struct ip_addr *local)
{
	if (ip_is_v4(local)) {
		struct in_pktinfo info = {.ipi_ifindex = 0};

		memcpy(&info.ipi_spec_dst, ip_v4_bytes(local),
		       sizeof info.ipi_spec_dst);
		put_control(msg, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
	} else {
		struct in6_pktinfo info = {.ipi6_ifindex = 0};

		memcpy(&info.ipi6_addr, local->b, sizeof info.ipi6_addr);
		put_control(msg, IPPROTO_IPV6, IPV6_PKTINFO, &info,
			    sizeof info);
	}
}

static struct msghdr make_message(struct sleeve_out *out, struct iovec *iov,
				  struct control *control, uint16_t segment)
{
	struct msghdr msg = {.msg_name = &out->to,
			     .msg_namelen = out->to_size,
			     .msg_iov = iov,
			     .msg_iovlen = 1,
			     .msg_control = control->bytes};

	bool any_source;

	atomic_read_relaxed(&out->any_source, &any_source);
	if (!any_source) {
		put_source(&msg, &out->local);
	}
	if (segment) {
		put_control(&msg, IPPROTO_UDP, UDP_SEGMENT, &segment,
			    sizeof segment);
	}
	if (!msg.msg_controllen) {
		msg.msg_control = NULL;
	}
	return msg;
}

static int fd_for(const struct sleeve_thread *t, const struct sleeve_out *out)
{
	return ip_is_v4(&out->remote.ip) ? t->fd4 : t->fd6;
}

/* Workers wait for room, which slows containers down; the main thread has more
 * to do. */
static int send_flags(const struct sleeve_thread *t)
{
	return MSG_NOSIGNAL | (t->is_main ? MSG_DONTWAIT : 0);
}

/* Tells once that sending fails, and once that it works again. */
static void note_send(struct sleeve_thread *t, struct sleeve_peer *peer,
		      int error)
{
	int before;

	/* The way is full, not shut; or probes are too large for it, and for
	 * that they are sent. */
	if (error == EAGAIN || error == ENOBUFS || error == EMSGSIZE) {
		return;
	}
	atomic_read_relaxed(&peer->send_errno, &before);
	if (before != error) {
		const struct sleeve_event event = {.what = SLEEVE_SENDS,
						   .peer = peer->number,
						   .os_errno = error};

		if (sleeve_tell(t->sleeve, &event)) {
			atomic_store_relaxed(&peer->send_errno, error);
		}
	}
}

/* Without UDP_SEGMENT. */
static int send_singly(const struct sleeve_thread *t, const struct cut_run *run)
{
	struct sleeve_out *out = run->way->to;
	uint32_t offset = 0;
	int error = 0;

	while (offset < run->size) {
		uint32_t size = MIN(run->size - offset, run->datagram);
		struct iovec iov = {t->cut.buf + run->offset + offset, size};
		struct control control;
		struct msghdr msg = make_message(out, &iov, &control, 0);

		if (sendmsg(fd_for(t, out), &msg, send_flags(t)) < 0) {
			error = errno;
		}
		offset += size;
	}
	return error;
}

/* What sendmmsg() stumbled over. */
static void send_again(struct sleeve_thread *t, const struct cut_run *run,
		       int error)
{
	struct sleeve_out *out = run->way->to;
	struct sleeve_peer *peer = out->peer;
	bool any_source;

	/* EIO: no checksum offload on this device, or IPsec on the way; EINVAL:
	 * kernels say so of what is too large (udp_send_skb() in
	 * net/ipv4/udp.c). */
	if (run->n > 1 && (error == EIO || error == EINVAL)) {
		if (error == EIO) {
			atomic_store_relaxed(&peer->no_gso, true);
		}
		error = send_singly(t, run);
	}
	/* An address that we no more have, as kernels and families put it: let
	 * the route say from which. */
	atomic_read_relaxed(&out->any_source, &any_source);
	if (!any_source && (error == EINVAL || error == EADDRNOTAVAIL ||
			    error == ENETUNREACH)) {
		atomic_store_relaxed(&out->any_source, true);
		error = send_singly(t, run);
	}
	if (error) {
		sleeve_count(&peer->counts[t->id].lost, run->n);
	}
	note_send(t, peer, error);
}

static bool is_without_gso(struct sleeve_peer *peer)
{
	bool no_gso;

	atomic_read_relaxed(&peer->no_gso, &no_gso);
	return no_gso;
}

/* Neighbours of one address family leave in one system call. */
static size_t send_some(struct sleeve_thread *t, const struct cut_run *runs,
			size_t n)
{
	struct sleeve_tx *tx = t->tx;
	int fd = fd_for(t, runs[0].way->to), sent;
	size_t i;

	for (i = 0; i < n; i++) {
		const struct cut_run *run = &runs[i];
		struct sleeve_out *out = run->way->to;

		if (fd_for(t, out) != fd ||
		    (run->n > 1 && is_without_gso(out->peer))) {
			break;
		}
		tx->iovs[i] =
			(struct iovec){t->cut.buf + run->offset, run->size};
		tx->msgs[i].msg_hdr =
			make_message(out, &tx->iovs[i], &tx->controls[i],
				     run->n > 1 ? run->datagram : 0);
	}
	if (!i) {
		send_again(t, &runs[0], EIO);
		return 1;
	}
	sent = fd < 0 ? -1
		      : sendmmsg(fd, tx->msgs, (unsigned int)i, send_flags(t));
	if (sent <= 0) {
		send_again(t, &runs[0], fd < 0 ? EAFNOSUPPORT : errno);
		return 1;
	}
	for (int k = 0; k < sent; k++) {
		struct sleeve_out *out = runs[k].way->to;

		note_send(t, out->peer, 0);
	}
	return (size_t)sent;
}

void sleeve_thread_flush(struct sleeve_thread *t)
{
	size_t i = 0;

	cut_close(&t->cut);
	while (i < t->cut.n_runs) {
		i += send_some(t, &t->cut.runs[i], t->cut.n_runs - i);
	}
	for (i = 0; i < t->cut.n_runs; i++) {
		const struct cut_run *run = &t->cut.runs[i];
		struct sleeve_out *out = run->way->to;

		sleeve_count(&out->peer->counts[t->id].tx_datagrams, run->n);
	}
	cut_clear(&t->cut);
}

static void warn_used_up(struct sleeve_thread *t, struct sleeve_out *out)
{
	struct sleeve_sealer *sealer = out->sealer;
	bool warned = false;

	if (seq_source_next(&sealer->seq) < sealer->seq.limit / 4 * 3) {
		return;
	}
	if (atomic_compare_exchange_strong(&sealer->warned, &warned, true)) {
		const struct sleeve_event event = {.what = SLEEVE_USED_UP,
						   .peer = out->peer->number,
						   .index = sealer->index};

		if (!sleeve_tell(t->sleeve, &event)) {
			atomic_store(&sealer->warned, false);
		}
	}
}

/* Room in the buffer, or numbers; false: there are no more numbers, ever. */
static bool make_room(void *t_, struct cut_way *way, enum err lack)
{
	struct sleeve_thread *t = t_;
	struct sleeve_out *out = way->to;

	if (lack == ERR_LIMIT) {
		sleeve_thread_flush(t);
		return true;
	}
	if (!seq_block_take(&out->sealer->seq, &way->seq, &way->seq_end)) {
		return false;
	}
	warn_used_up(t, out);
	return true;
}

static struct cut_way *my_way(struct sleeve_thread *t, struct sleeve_out *out)
{
	struct cut_way *way = &out->ways[t->id];

	if (way->seq != way->seq_end &&
	    seq_block_is_stale(&out->sealer->seq, way->seq,
			       REPLAY_WINDOW_MAX)) {
		way->seq = way->seq_end;
	}
	return way;
}

static void set_time(atomic_uint64_t *to, uint64_t now_ms)
{
	/* Not each time, as it is shared. */
	if (sleeve_counted(to) != now_ms) {
		atomic_store_relaxed(to, now_ms);
	}
}

/* Probes find out what the way takes: each is a datagram of its own, however
 * large. */
static enum err cut_probe(struct sleeve_thread *t, struct cut_way *way,
			  uint8_t ttl, uint8_t *data, size_t size)
{
	const uint16_t datagram_size = way->datagram_size;
	enum err err;

	cut_close(&t->cut);
	way->datagram_size = SLEEVE_DATAGRAM_MAX;
	err = cut_frame(&t->cut, way, PROBE_VNI, ttl, data, size);
	cut_close(&t->cut);
	way->datagram_size = datagram_size;
	return err;
}

enum err sleeve_send(struct sleeve_thread *t, uint32_t number, uint32_t vni,
		     uint8_t ttl, struct sleeve_frame *frame, bool last,
		     uint16_t *mtu)
{
	struct sleeve_peer *peer = sleeve_find_peer(t->sleeve, number);
	struct sleeve_out *out =
		peer ? ovsrcu_get(struct sleeve_out *, &peer->out) : NULL;
	struct sleeve_peer_counts *counts;
	struct cut_way *way;
	uint8_t *data;
	enum err err;

	if (!out) {
		sleeve_count(&t->no_way, 1);
		return FDP_OK;
	}
	counts = &peer->counts[t->id];
	if (frame->joined) {
		data = t->copy_buf;
		(void)join_copy(frame->joined, data);
	} else if (!last) {
		data = t->copy_buf;
		memcpy(data, frame->data, frame->size + VNET_BYTES);
	} else {
		data = frame->data;
	}
	way = my_way(t, out);
	if (vni == PROBE_VNI) {
		err = cut_probe(t, way, ttl, data, frame->size + VNET_BYTES);
	} else {
		err = cut_frame(&t->cut, way, vni, ttl, data,
				frame->size + VNET_BYTES);
	}
	switch (err) {
	case FDP_OK:
		sleeve_count(&counts->tx_frames, 1);
		sleeve_count(&counts->tx_bytes, frame->size);
		set_time(&peer->sent_ms, sleeve_thread_now_ms(t));
		if (t->cut.used >= SEND_BYTES) {
			sleeve_thread_flush(t);
		}
		return FDP_OK;
	case ERR_OVERSIZED:
		sleeve_count(&t->too_big_frames, 1);
		*mtu = sleeve_inner_mtu(way->datagram_size);
		return ERR_OVERSIZED;
	default:
		sleeve_count(&counts->lost, 1);
		return FDP_OK;
	}
}

static void send_keepalive(struct sleeve_thread *t, struct sleeve_out *out)
{
	if (!cut_keepalive(&t->cut, my_way(t, out))) {
		set_time(&out->peer->sent_ms, t->now_ms);
	}
}

/* The first worker's task. */
static void run_keepalives(struct sleeve_thread *t)
{
	struct sleeve_peer *peer;

	if (t->now_ms < t->next_keepalive_ms) {
		return;
	}
	t->next_keepalive_ms = t->now_ms + KEEPALIVE_LOOK_MS;
	CMAP_FOR_EACH(peer, node, &t->sleeve->peers)
	{
		struct sleeve_out *out =
			ovsrcu_get(struct sleeve_out *, &peer->out);
		uint64_t sent_ms = sleeve_counted(&peer->sent_ms);

		if (out && sent_ms + KEEPALIVE_MS <= t->now_ms) {
			send_keepalive(t, out);
		}
	}
	sleeve_thread_flush(t);
}

/* ---- to TAPs ---------------------------------------------------------- */

/* A queue of the TAP for this thread. */
static int tap_fd(const struct sleeve_thread *t, const struct sleeve_tap *tap)
{
	return tap->fds[t->id % tap->n_fds];
}

static void write_tap(struct sleeve_thread *t, struct sleeve_tap *tap,
		      const struct iovec *iov, size_t n, size_t frame_size)
{
	struct sleeve_tap_counts *counts = &tap->counts[t->id];

	if (writev(tap_fd(t, tap), iov, (int)n) < 0) {
		sleeve_count(&counts->lost, 1);
		return;
	}
	sleeve_count(&counts->tx_packets, 1);
	sleeve_count(&counts->tx_bytes, frame_size);
}

static void write_frame(struct sleeve_thread *t, struct sleeve_tap *tap,
			const struct sleeve_frame *frame)
{
	if (frame->joined) {
		write_tap(t, tap, frame->joined->iov, frame->joined->n_iov,
			  frame->size);
	} else {
		const struct iovec iov = {frame->data,
					  frame->size + VNET_BYTES};

		write_tap(t, tap, &iov, 1, frame->size);
	}
}

void sleeve_output(struct sleeve_thread *t, uint32_t port_no,
		   const struct sleeve_frame *frame)
{
	struct sleeve_tap *tap = sleeve_find_tap(t->sleeve, port_no);

	if (tap) {
		write_frame(t, tap, frame);
	} else {
		sleeve_count(&t->no_way, 1);
	}
}

/* With the tag 'tci', unless that is 0. */
static void write_reply(struct sleeve_thread *t, struct sleeve_tap *tap,
			struct span reply, uint16_t tci)
{
	static const uint8_t vnet[VNET_BYTES];
	const size_t macs = 12;
	uint8_t tag[4] = {0x81, 0x00, (uint8_t)(tci >> 8), (uint8_t)tci};
	const struct iovec iov[] = {
		{CONST_CAST(uint8_t *, vnet), sizeof vnet},
		{CONST_CAST(uint8_t *, reply.data), macs},
		{tag, tci ? sizeof tag : 0},
		{CONST_CAST(uint8_t *, reply.data) + macs, reply.size - macs}};

	write_tap(t, tap, iov, ARRAY_SIZE(iov), reply.size);
}

static void tell_too_big(struct sleeve_thread *t, struct sleeve_tap *tap,
			 const struct sleeve_frame *frame, uint16_t mtu,
			 uint16_t tci)
{
	struct wbuf reply = WBUF_INITIALIZER(0);
	uint64_t now_us = sleeve_thread_now_ms(t) * 1000;

	if (!t->too_big.rate) {
		bucket_init(&t->too_big, TOO_BIG_RATE, TOO_BIG_RATE, now_us);
	}
	if (bucket_take(&t->too_big, 1, now_us) &&
	    !toobig_reply(frame->head, mtu, &reply)) {
		write_reply(t, tap, wbuf_span(&reply), tci);
	}
	wbuf_free(&reply);
}

void sleeve_tell_too_big(struct sleeve_thread *t, uint32_t port_no,
			 const struct sleeve_frame *frame, uint16_t mtu)
{
	struct sleeve_tap *tap = sleeve_find_tap(t->sleeve, port_no);

	if (tap) {
		tell_too_big(t, tap, frame, mtu, 0);
	}
}

/* ---- the trunk -------------------------------------------------------- */

/* Nobody gave out a tag for the pair: tells it now and then.  Whatever a peer
 * sends, there is no more than one event per slot and second. */
static void want_vlan(struct sleeve_thread *t, uint32_t peer, uint32_t vni)
{
	const struct sleeve_event event = {
		.what = SLEEVE_WANTED, .peer = peer, .vni = vni};
	uint64_t *when_ms =
		&t->wanted_ms[hash_2words(peer, vni) % SLEEVE_WANTED_MAX];

	sleeve_count(&t->no_way, 1);
	if (t->now_ms >= *when_ms + WANTED_MS &&
	    sleeve_tell(t->sleeve, &event)) {
		*when_ms = t->now_ms;
	}
}

static void peer_to_trunk(struct sleeve_thread *t, struct sleeve_tap *trunk,
			  const struct sleeve_origin *origin,
			  struct sleeve_frame *frame)
{
	const struct sleeve_vlan *vlan = sleeve_find_vlan(
		t->sleeve, origin->from.number, origin->from.vni);

	if (!vlan) {
		want_vlan(t, origin->from.number, origin->from.vni);
		return;
	}
	join_tag(frame->joined,
		 (uint16_t)(origin->from.ttl >> TTL_SHIFT << PCP_SHIFT |
			    vlan->vid));
	write_frame(t, trunk, frame);
}

static void trunk_to_peer(struct sleeve_thread *t, struct sleeve_tap *trunk,
			  struct sleeve_frame *frame)
{
	size_t size = frame->size + VNET_BYTES;
	const struct sleeve_vlan *vlan;
	uint16_t tci, mtu = 0;
	uint8_t *data = vnet_untag(frame->data, &size, &tci);

	vlan = data ? ovsrcu_get(struct sleeve_vlan *,
				 &t->sleeve->by_vid[tci & VID_MASK])
		    : NULL;
	if (!vlan) {
		/* Not by a flow of ours: what the host itself sends on the
		 * device. */
		sleeve_count(&t->no_way, 1);
		return;
	}
	frame->data = data;
	frame->size = size - VNET_BYTES;
	frame->head = span_of(data + VNET_BYTES, frame->size);
	if (sleeve_send(t, vlan->peer, vlan->vni,
			(uint8_t)(tci >> PCP_SHIFT << TTL_SHIFT | TTL_LOW_BITS),
			frame, true, &mtu)) {
		tell_too_big(t, trunk, frame, mtu, tci);
	}
}

/* ---- from TAPs -------------------------------------------------------- */

static void take_tap_frame(struct sleeve_thread *t, struct sleeve_tap *tap,
			   size_t size)
{
	struct sleeve_frame frame = {
		.head = span_of(t->tap_buf + VNET_BYTES, size - VNET_BYTES),
		.size = size - VNET_BYTES,
		.data = t->tap_buf};
	const struct sleeve_origin origin = {.port_no = tap->port_no};

	sleeve_count(&tap->counts[t->id].rx_packets, 1);
	sleeve_count(&tap->counts[t->id].rx_bytes, frame.size);
	switch (tap->kind) {
	case SLEEVE_TAP_TRUNK:
		trunk_to_peer(t, tap, &frame);
		break;
	case SLEEVE_TAP_ENDPOINT:
		if (t->sleeve->receive) {
			t->sleeve->receive(t->sleeve->receive_aux, t, &origin,
					   &frame);
		}
		break;
	}
}

/* Its device is no more, perhaps with its namespace.  Nobody may spin on that;
 * one of the queues tells. */
static void tap_gone(struct sleeve_thread *t, struct sleeve_tap *tap)
{
	const struct sleeve_event event = {.tap_gone = true,
					   .port_no = tap->port_no};
	bool gone = false;

	(void)epoll_ctl(t->epoll_fd, EPOLL_CTL_DEL, tap_fd(t, tap), NULL);
	if (atomic_compare_exchange_strong(&tap->gone, &gone, true)) {
		(void)sleeve_tell(t->sleeve, &event);
	}
}

static void run_tap(struct sleeve_thread *t, uint32_t port_no, uint32_t events)
{
	struct sleeve_tap *tap = sleeve_find_tap(t->sleeve, port_no);
	size_t bytes = 0;

	if (!tap) {
		return; /* Just taken away. */
	}
	if (events & (EPOLLERR | EPOLLHUP)) {
		tap_gone(t, tap);
		return;
	}
	for (int i = 0; i < TAP_FRAMES && bytes < TAP_BYTES; i++) {
		ssize_t n = read(tap_fd(t, tap), t->tap_buf,
				 VNET_BYTES + VNET_FRAME_MAX);

		if (n < 0) {
			break;
		}
		if ((size_t)n > VNET_BYTES + SLEEVE_ETH_BYTES) {
			take_tap_frame(t, tap, (size_t)n);
			bytes += (size_t)n;
		}
	}
}

/* ---- from peers ------------------------------------------------------- */

static struct sleeve_opener *opener_of(struct sleeve_thread *t, uint32_t index)
{
	if (!t->rx_opener || t->rx_opener->key.index != index) {
		t->rx_opener = sleeve_find_opener(t->sleeve, index);
	}
	return t->rx_opener;
}

static void take_joined(void *t_, struct join_frame *joined)
{
	struct sleeve_thread *t = t_;
	const struct sleeve_opener *opener = opener_of(t, joined->index);
	struct sleeve_frame frame = {
		.head = joined->head, .size = joined->size, .joined = joined};
	struct sleeve_origin origin = {.peer = true};
	struct sleeve_tap *trunk;

	if (!opener) {
		return; /* Deleted this very moment. */
	}
	origin.from.number = opener->peer->number;
	origin.from.vni = joined->vni;
	origin.from.ttl = joined->ttl;
	sleeve_count(&opener->peer->counts[t->id].rx_frames, 1);
	sleeve_count(&opener->peer->counts[t->id].rx_bytes, frame.size);
	trunk = ovsrcu_get(struct sleeve_tap *, &t->sleeve->trunk);
	if (t->sleeve->receive) {
		t->sleeve->receive(t->sleeve->receive_aux, t, &origin, &frame);
	} else if (trunk) {
		peer_to_trunk(t, trunk, &origin, &frame);
	} else {
		sleeve_count(&t->no_way, 1);
	}
}

/* Where a receive came from and to. */
struct place {
	struct ip_endpoint remote;
	struct ip_addr local;
	int segment; /* Size of each datagram, the last may be shorter. */
};

static void read_control(struct msghdr *msg, struct place *place)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			int segment;

			memcpy(&segment, CMSG_DATA(c), sizeof segment);
			place->segment = segment > 0 ? segment : place->segment;
		} else if (c->cmsg_level == IPPROTO_IP &&
			   c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof info);
			place->local =
				ip_from_v4((const uint8_t *)&info.ipi_addr);
		} else if (c->cmsg_level == IPPROTO_IPV6 &&
			   c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof info);
			place->local =
				ip_from_v6((const uint8_t *)&info.ipi6_addr);
		}
	}
}

/* Where the peer is now, if it has moved; 'place' is of an authentic datagram
 * that was never there before.  It need not be the newest one: numbers come in
 * blocks, and behind an address translator that has changed its mind the thread
 * with the highest block may have nothing to say. */
static void check_endpoint(struct sleeve_thread *t, struct sleeve_peer *peer,
			   const struct place *place)
{
	struct sleeve_out *out = ovsrcu_get(struct sleeve_out *, &peer->out);
	struct sleeve_out *moved = NULL;
	struct sleeve_event event = {.what = SLEEVE_MOVED,
				     .peer = peer->number,
				     .local = place->local,
				     .remote = place->remote};

	if (!out || endpoint_equal(&out->remote, &place->remote)) {
		return;
	}
	ovs_mutex_lock(&peer->mutex);
	out = ovsrcu_get_protected(struct sleeve_out *, &peer->out);
	if (out && !endpoint_equal(&out->remote, &place->remote)) {
		moved = sleeve_out_new(peer, out->sealer, &place->local,
				       &place->remote, out->mtu);
		ovsrcu_set(&peer->out, moved);
	}
	ovs_mutex_unlock(&peer->mutex);
	if (moved) {
		ovsrcu_postpone(free, out);
		(void)sleeve_tell(t->sleeve, &event);
	}
}

/* A datagram that was opened. */
struct opened {
	struct frame_header header;
	struct frame_inner inner;
};

/* What recvmmsg() fills in, and what comes of it. */
struct sleeve_rx {
	struct mmsghdr msgs[SLEEVE_RX_BATCH];
	struct iovec iovs[SLEEVE_RX_BATCH];
	union sockaddr_any from[SLEEVE_RX_BATCH];
	struct {
		OVS_ALIGNED_VAR(8)
		char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
			   CMSG_SPACE(sizeof(int))];
	} controls[SLEEVE_RX_BATCH];
	struct opened opened[DATAGRAMS_MAX];
};

/* Opens the datagram, with the opener's mutex held. */
static bool open_datagram(struct sleeve_thread *t, struct sleeve_opener *opener,
			  uint8_t *data, size_t size, struct opened *opened)
{
	struct sleeve_peer_counts *counts = &opener->peer->counts[t->id];
	struct replay *replay = &opener->replay;
	uint64_t seq = opened->header.seq;
	enum err err;

	if (!replay_is_fresh(replay, seq)) {
		sleeve_count(&counts->replayed, 1);
		return false;
	}
	err = frame_open(&opener->key, t->id, &opened->header, data, size,
			 &opened->inner);
	if (err == ERR_AUTH) {
		sleeve_count(&counts->forged, 1);
		return false;
	}
	if (!replay_update(replay, seq)) {
		return false;
	}
	if (err) {
		sleeve_count(&t->malformed, 1);
		return false;
	}
	sleeve_count(&counts->rx_datagrams, 1);
	return true;
}

/* Counts what cannot be read. */
static struct sleeve_opener *find_opener(struct sleeve_thread *t,
					 struct span datagram,
					 struct frame_header *header)
{
	struct sleeve_opener *opener;

	if (frame_header_get(datagram, header)) {
		sleeve_count(&t->malformed, 1);
		return NULL;
	}
	opener = opener_of(t, header->index);
	if (!opener) {
		sleeve_count(&t->unknown, 1);
	}
	return opener;
}

/* The peer is heard; where it is is believed only if a key says so. */
static void heard(struct sleeve_thread *t, struct sleeve_opener *opener,
		  const struct place *place)
{
	set_time(&opener->peer->heard_ms, t->now_ms);
	if (cipher_key_proves(opener->cipher)) {
		check_endpoint(t, opener->peer, place);
	}
}

/* One receive: opens first, as long as it is one key's, then passes on. */
static void take_receive(struct sleeve_thread *t, uint8_t *data, size_t size,
			 const struct place *place)
{
	struct opened *opened = t->rx->opened;
	size_t segment = (size_t)place->segment;

	while (size) {
		struct sleeve_opener *opener = NULL;
		size_t n = 0;

		while (size && n < DATAGRAMS_MAX) {
			size_t one = MIN(size, segment);
			struct sleeve_opener *whose = find_opener(
				t, span_of(data, one), &opened[n].header);

			if (opener && whose && whose != opener) {
				break;
			}
			if (whose && !opener) {
				opener = whose;
				ovs_mutex_lock(&opener->mutex);
			}
			if (whose &&
			    open_datagram(t, opener, data, one, &opened[n])) {
				n++;
			}
			data += one;
			size -= one;
		}
		if (opener) {
			ovs_mutex_unlock(&opener->mutex);
		}
		if (n) {
			heard(t, opener, place);
		}
		for (size_t i = 0; i < n; i++) {
			join_datagram(&t->join, &opened[i].header,
				      &opened[i].inner);
		}
	}
}

static int receive(struct sleeve_thread *t, int fd)
{
	struct sleeve_rx *r = t->rx;

	for (size_t i = 0; i < SLEEVE_RX_BATCH; i++) {
		r->iovs[i] = (struct iovec){t->rx_buf + i * SLEEVE_RX_BYTES,
					    SLEEVE_RX_BYTES};
		r->msgs[i].msg_hdr = (struct msghdr){
			.msg_name = &r->from[i],
			.msg_namelen = sizeof r->from[i],
			.msg_iov = &r->iovs[i],
			.msg_iovlen = 1,
			.msg_control = r->controls[i].bytes,
			.msg_controllen = sizeof r->controls[i].bytes};
	}
	return recvmmsg(fd, r->msgs, SLEEVE_RX_BATCH, MSG_DONTWAIT, NULL);
}

static void run_udp(struct sleeve_thread *t, int fd)
{
	atomic_read_relaxed(&t->sleeve->uso, &t->join.uso);
	for (int round = 0; round < UDP_RECEIVES; round++) {
		struct sleeve_rx *r = t->rx;
		int n = receive(t, fd);

		for (int i = 0; i < n; i++) {
			struct place place = {
				.remote = sockaddr_get(&r->from[i]),
				.segment = (int)MAX(r->msgs[i].msg_len, 1)};

			read_control(&r->msgs[i].msg_hdr, &place);
			take_receive(t, t->rx_buf + (size_t)i * SLEEVE_RX_BYTES,
				     r->msgs[i].msg_len, &place);
		}
		/* The buffers are used again. */
		join_flush(&t->join);
		if (n < SLEEVE_RX_BATCH) {
			break;
		}
	}
	if (t->join.n_malformed) {
		sleeve_count(&t->malformed, t->join.n_malformed);
		t->join.n_malformed = 0;
	}
}

/* ---- a worker --------------------------------------------------------- */

static void run_ready(struct sleeve_thread *t, const struct epoll_event *e)
{
	uint64_t count;

	switch (e->data.u64) {
	case SLEEVE_EPOLL_WAKE:
		(void)!read(t->wake_fd, &count, sizeof count);
		break;
	case SLEEVE_EPOLL_UDP4:
		run_udp(t, t->fd4);
		break;
	case SLEEVE_EPOLL_UDP6:
		run_udp(t, t->fd6);
		break;
	default:
		run_tap(t, (uint32_t)e->data.u64, e->events);
		break;
	}
	sleeve_thread_flush(t);
}

static int wait_ms(const struct sleeve_thread *t)
{
	/* The first one looks who needs a keepalive. */
	return t->id || cmap_is_empty(&t->sleeve->peers) ? -1
							 : KEEPALIVE_LOOK_MS;
}

/* Waits, as one that holds nothing. */
static int wait_for_work(struct sleeve_thread *t, struct epoll_event *ready)
{
	int n, ms = wait_ms(t);

	ovsrcu_quiesce_start();
	n = epoll_wait(t->epoll_fd, ready, READY_MAX, ms);
	ovsrcu_quiesce_end();
	sleeve_count(&t->wakeups, 1);
	return n;
}

void *sleeve_thread_main(void *t_)
{
	struct sleeve_thread *t = t_;
	unsigned int turns = 0;

	for (;;) {
		struct epoll_event ready[READY_MAX];
		/* Under load there is more already, which is cheaper seen. */
		int n = epoll_wait(t->epoll_fd, ready, READY_MAX, 0);
		bool exiting;

		t->rx_opener = NULL;
		if (n <= 0) {
			n = wait_for_work(t, ready);
		} else if (++turns % QUIESCE_TURNS == 0) {
			ovsrcu_quiesce();
		}
		atomic_read(&t->sleeve->exiting, &exiting);
		if (exiting) {
			return NULL;
		}
		t->now_ms = sleeve_now_ms();
		for (int i = 0; i < n; i++) {
			run_ready(t, &ready[i]);
		}
		if (!t->id) {
			run_keepalives(t);
		}
	}
}

void sleeve_thread_init(struct sleeve_thread *t, struct sleeve *sleeve,
			unsigned int id)
{
	t->sleeve = sleeve;
	t->id = id;
	t->is_main = id == sleeve->n_threads;
	t->epoll_fd = t->wake_fd = t->fd4 = t->fd6 = -1;
	t->cut_buf = xmalloc(CUT_BUFFER_BYTES);
	t->copy_buf = xmalloc(VNET_BYTES + VNET_FRAME_MAX);
	t->tx = xzalloc(sizeof *t->tx);
	cut_init(&t->cut, t->cut_buf, CUT_BUFFER_BYTES, id, make_room, t);
	if (!t->is_main) {
		t->pieces_buf = xmalloc(VNET_FRAME_MAX);
		t->rx = xzalloc(sizeof *t->rx);
		t->tap_buf = xmalloc(VNET_BYTES + VNET_FRAME_MAX);
		t->rx_buf = xmalloc((size_t)SLEEVE_RX_BATCH * SLEEVE_RX_BYTES);
		join_init(&t->join, t->pieces_buf, true, take_joined, t);
	}
}

void sleeve_thread_done(struct sleeve_thread *t)
{
	free(t->cut_buf);
	free(t->copy_buf);
	free(t->tx);
	free(t->rx);
	free(t->pieces_buf);
	free(t->tap_buf);
	free(t->rx_buf);
}
