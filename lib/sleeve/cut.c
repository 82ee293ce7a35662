#include "sleeve/cut.h"

#include <string.h>

#include "packet/flow.h"
#include "sleeve/bytes.h"
#include "util.h"

enum {
	TCP_FIN = 1,
	TCP_SYN = 2,
	TCP_RST = 4,
	TCP_PSH = 8,
	TCP_URG = 0x20,
	TCP_CWR = 0x80,

	/* Nobody need be told of less: RFC 8200 5, and what Linux believes of
	 * an IPv4 path (net.ipv4.route.min_pmtu). */
	IP6_MTU_MIN = 1280,
	IP4_MTU_MIN = 552
};

/* A frame on its way through here. */
struct job {
	struct cut *cut;
	struct cut_way *way;
	uint32_t vni;
	uint8_t ttl;
	uint8_t *frame;
	size_t size;
	size_t room; /* Bytes of a frame that one datagram takes. */
};

void cut_init(struct cut *c, uint8_t *buf, size_t size, unsigned int thread,
	      cut_room *room, void *aux)
{
	ovs_assert(size >= SLEEVE_DATAGRAM_MAX);
	memset(c, 0, sizeof *c);
	c->buf = buf;
	c->size = size;
	c->thread = thread;
	c->room = room;
	c->aux = aux;
}

/* What the next datagram lacks, where 'n' have numbers that follow one
 * another. */
static enum err lack(const struct cut *c, const struct cut_way *way, size_t n)
{
	if (c->n_runs == CUT_RUNS_MAX ||
	    c->size - c->used < way->datagram_size) {
		return ERR_LIMIT;
	}
	return way->seq_end - way->seq < n ? ERR_SEQUENCE : FDP_OK;
}

static enum err make_room(struct cut *c, struct cut_way *way, size_t n)
{
	enum err err;

	do {
		err = lack(c, way, n);
	} while (err && c->room(c->aux, way, err));
	return err;
}

/* Opens a datagram at the buffer's end. */
static enum err begin(struct cut *c, struct cut_way *way, uint32_t vni,
		      uint8_t ttl)
{
	enum err err;

	ovs_assert(!c->open);
	err = make_room(c, way, 1);
	if (err) {
		return err;
	}
	c->open = way;
	c->seq = way->seq++;
	c->vni = vni;
	c->ttl = ttl;
	frame_inner_put(c->buf + c->used, vni, ttl);
	c->inner = SLEEVE_INNER_BYTES;
	return FDP_OK;
}

/* Where 'size' more bytes of the open datagram go. */
static uint8_t *extend(struct cut *c, size_t size)
{
	uint8_t *at = c->buf + c->used + SLEEVE_HEADER_BYTES + c->inner;

	c->inner += size;
	return at;
}

static uint8_t *begin_record(struct cut *c, uint8_t flags, size_t size)
{
	uint8_t *at = extend(c, SLEEVE_RECORD_BYTES + size);

	at[0] = flags;
	put_u16(at + 1, (uint16_t)size);
	return at + SLEEVE_RECORD_BYTES;
}

/* The last run takes one more datagram if it is for the same peer and no
 * shorter one has ended it (UDP_SEGMENT). */
static bool fits_run(const struct cut_run *r, const struct cut_way *way,
		     size_t size)
{
	return r->way == way && r->n < CUT_RUN_DATAGRAMS_MAX &&
	       r->size + size <= CUT_RUN_BYTES_MAX && size <= r->datagram &&
	       r->size == (uint32_t)r->n * r->datagram;
}

void cut_close(struct cut *c)
{
	struct cut_run *r;
	size_t size;

	if (!c->open) {
		return;
	}
	size = frame_seal(&c->open->key, c->thread, c->seq, c->buf + c->used,
			  c->inner);
	r = c->n_runs ? &c->runs[c->n_runs - 1] : NULL;
	if (!r || !fits_run(r, c->open, size)) {
		r = &c->runs[c->n_runs++];
		*r = (struct cut_run){.way = c->open,
				      .offset = (uint32_t)c->used,
				      .datagram = (uint16_t)size};
	}
	r->size += (uint32_t)size;
	r->n++;
	c->used += size;
	c->open = NULL;
}

void cut_clear(struct cut *c)
{
	ovs_assert(!c->open);
	c->n_runs = 0;
	c->used = 0;
}

enum err cut_keepalive(struct cut *c, struct cut_way *way)
{
	enum err err;

	cut_close(c);
	err = begin(c, way, 0, 0);
	if (!err) {
		cut_close(c);
	}
	return err;
}

/* A frame that fits into a datagram, maybe with others. */
static enum err put_whole(struct job *j, uint8_t flags)
{
	struct cut *c = j->cut;
	size_t size = SLEEVE_RECORD_BYTES + j->size;
	enum err err;

	if (c->open &&
	    (c->open != j->way || c->vni != j->vni || c->ttl != j->ttl ||
	     SLEEVE_HEADER_BYTES + c->inner + size + CIPHER_TAG_BYTES >
		     j->way->datagram_size)) {
		cut_close(c);
	}
	if (!c->open) {
		err = begin(c, j->way, j->vni, j->ttl);
		if (err) {
			return err;
		}
	}
	memcpy(begin_record(c, flags, j->size), j->frame, j->size);
	return FDP_OK;
}

/* A frame, its headers and the rest in two places, in pieces: they need
 * numbers that follow one another. */
static enum err put_pieces(struct job *j, uint8_t flags, struct span head,
			   struct span body)
{
	struct cut *c = j->cut;
	size_t total = head.size + body.size, done = 0;
	enum err err;

	err = make_room(c, j->way, (total + j->room - 1) / j->room);
	while (!err && done < total) {
		size_t n = MIN(total - done, j->room);
		size_t of_head =
			done < head.size ? MIN(n, head.size - done) : 0;
		uint8_t f = (uint8_t)(flags | FRAME_PIECE);
		uint8_t *at;

		err = begin(c, j->way, j->vni, j->ttl);
		if (err) {
			break;
		}
		if (done) {
			f |= FRAME_FOLLOWS;
		}
		if (done + n < total) {
			f |= FRAME_MORE;
		}
		at = begin_record(c, f, n);
		if (of_head) {
			memcpy(at, head.data + done, of_head);
		}
		if (n > of_head) {
			memcpy(at + of_head,
			       body.data + (done + of_head - head.size),
			       n - of_head);
		}
		cut_close(c);
		done += n;
	}
	return err;
}

/* What segmentation makes of the headers, but for the TCP or UDP checksum.
 * 'head' is a copy of them for the segment of 'size' payload bytes that begins
 * at 'done'. */
static void segment_headers(uint8_t *head, const struct vnet_l4 *l, size_t n,
			    size_t done, size_t size, bool last)
{
	uint8_t *l4 = head + l->l4;

	if (!l->v6) {
		uint8_t *id = head + l->l3 + 4;

		put_u16(id, (uint16_t)(get_u16(id) + n));
	}
	vnet_set_length(head, l, l->payload + size);
	put_u16(head + l->csum, 0);
	if (l->proto == IP_PROTO_UDP) {
		put_u16(l4 + 4, (uint16_t)(l->payload - l->l4 + size));
		return;
	}
	put_u32(l4 + 4, (uint32_t)(get_u32(l4 + 4) + done));
	if (done) {
		l4[13] &= (uint8_t)~TCP_CWR;
	}
	if (!last) {
		l4[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	}
}

/* Segments of 'mss' bytes, a datagram each, or, where that is larger than one
 * takes, several. */
static enum err put_segments(struct job *j, const struct vnet_l4 *l, size_t mss)
{
	struct cut *c = j->cut;
	size_t total = j->size - l->payload, done = 0;
	enum err err = FDP_OK;

	while (!err && done < total) {
		size_t n = MIN(total - done, mss);
		bool last = done + n == total;
		const uint8_t *payload = j->frame + l->payload + done;
		uint8_t head[VNET_HEADERS_MAX];
		uint8_t flags = FRAME_PARTIAL;

		memcpy(head, j->frame, l->payload);
		segment_headers(head, l, done / mss, done, n, last);
		if (l->payload + n > j->room) {
			err = put_pieces(j, flags, span_of(head, l->payload),
					 span_of(payload, n));
		} else {
			err = begin(c, j->way, j->vni, j->ttl);
			if (!err) {
				uint8_t *at;

				if (done) {
					flags |= FRAME_FOLLOWS;
				}
				at = begin_record(c, flags, l->payload + n);
				memcpy(at, head, l->payload);
				memcpy(at + l->payload, payload, n);
				cut_close(c);
			}
		}
		done += n;
	}
	return err;
}

/* May its sender be told that this frame is too large, so that it is not sent
 * in pieces?  Offsets were checked by nobody. */
static bool can_be_told(const struct job *j)
{
	size_t mtu = sleeve_inner_mtu(j->way->datagram_size);
	const uint8_t *ip = j->frame + SLEEVE_ETH_BYTES;
	uint16_t type = get_u16(ip - 2);
	size_t size = j->size - SLEEVE_ETH_BYTES;

	if (type == ETH_TYPE_VLAN && size > 4) {
		ip += 4;
		size -= 4;
		type = get_u16(ip - 2);
	}
	if (type == ETH_TYPE_IPV6) {
		return mtu >= IP6_MTU_MIN || size > IP6_MTU_MIN;
	}
	return type == ETH_TYPE_IPV4 && size >= 20 && ip[6] & 0x40 &&
	       (mtu >= IP4_MTU_MIN || size > IP4_MTU_MIN);
}

/* Has the kernel left exactly the TCP or UDP checksum to us? */
static bool wants_l4_sum(const struct vnet_hdr *h, const struct vnet_l4 *l)
{
	return h->flags & VNET_NEEDS_CSUM && h->csum_start == l->l4 &&
	       h->csum_start + h->csum_offset == l->csum;
}

/* A super-frame: its header was made by a kernel, but is believed only if it
 * says what the frame says. */
static enum err put_super_frame(struct job *j, const struct vnet_hdr *h)
{
	struct vnet_l4 l;
	size_t mss = h->gso_size;

	if (vnet_find_l4(span_of(j->frame, j->size), &l) || l.size != j->size ||
	    l.payload == l.size || !mss || !wants_l4_sum(h, &l)) {
		return ERR_MALFORMED;
	}
	switch (h->gso_type & ~VNET_GSO_ECN) {
	case VNET_GSO_TCPV4:
	case VNET_GSO_TCPV6:
		if (l.proto != IP_PROTO_TCP ||
		    l.v6 != ((h->gso_type & ~VNET_GSO_ECN) == VNET_GSO_TCPV6)) {
			return ERR_MALFORMED;
		}
		/* There is always room: SLEEVE_DATAGRAM_MIN. */
		mss = MIN(mss, j->room - l.payload);
		break;
	case VNET_GSO_UDP_L4:
		if (l.proto != IP_PROTO_UDP) {
			return ERR_MALFORMED;
		}
		if (l.payload + MIN(mss, l.size - l.payload) > j->room &&
		    can_be_told(j)) {
			return ERR_OVERSIZED;
		}
		break;
	default:
		return ERR_MALFORMED;
	}
	return put_segments(j, &l, mss);
}

static enum err put_small(struct job *j, const struct vnet_hdr *h)
{
	struct vnet_l4 l;

	if (!(h->flags & VNET_NEEDS_CSUM)) {
		return put_whole(j, 0);
	}
	/* The receiver makes of a partial checksum what we see here, or we
	 * complete it: the kernel may mean another one (of a tunnel inside). */
	if (!vnet_find_l4(span_of(j->frame, j->size), &l) &&
	    l.size == j->size && wants_l4_sum(h, &l) &&
	    get_u16(j->frame + l.csum) ==
		    vnet_pseudo_sum(j->frame, &l, j->size - l.l4)) {
		return put_whole(j, FRAME_PARTIAL);
	}
	if (vnet_complete(h, j->frame, j->size)) {
		return ERR_MALFORMED;
	}
	return put_whole(j, 0);
}

/* TCP that is no super-frame, but too large all the same, is cut like one. */
static bool is_cuttable(const struct job *j, struct vnet_l4 *l)
{
	return !vnet_find_l4(span_of(j->frame, j->size), l) &&
	       l->proto == IP_PROTO_TCP && l->size == j->size &&
	       l->payload < l->size &&
	       !(j->frame[l->l4 + 13] & (TCP_SYN | TCP_RST | TCP_URG));
}

static enum err put_large(struct job *j, const struct vnet_hdr *h)
{
	struct span frame = span_of(j->frame, j->size);
	struct vnet_l4 l;

	if (is_cuttable(j, &l)) {
		if (!wants_l4_sum(h, &l) &&
		    (h->flags & VNET_NEEDS_CSUM || !vnet_is_right(frame, &l))) {
			return ERR_MALFORMED;
		}
		return put_segments(j, &l, j->room - l.payload);
	}
	if (can_be_told(j)) {
		return ERR_OVERSIZED;
	}
	if (h->flags & VNET_NEEDS_CSUM && vnet_complete(h, j->frame, j->size)) {
		return ERR_MALFORMED;
	}
	return put_pieces(j, 0, frame, span_of(NULL, 0));
}

enum err cut_frame(struct cut *c, struct cut_way *way, uint32_t vni,
		   uint8_t ttl, uint8_t *data, size_t size)
{
	struct job j = {
		.cut = c,
		.way = way,
		.vni = vni,
		.ttl = ttl,
		.frame = data + VNET_BYTES,
		.size = size - VNET_BYTES,
		.room = (size_t)way->datagram_size - SLEEVE_OVERHEAD_BYTES,
	};
	struct vnet_hdr h;

	ovs_assert(way->datagram_size >= SLEEVE_DATAGRAM_MIN);
	if (size < VNET_BYTES + SLEEVE_ETH_BYTES || j.size > VNET_FRAME_MAX) {
		return ERR_MALFORMED;
	}
	memcpy(&h, data, sizeof h);
	if (h.gso_type == VNET_GSO_NONE && j.size <= j.room) {
		return put_small(&j, &h);
	}
	cut_close(c);
	return h.gso_type == VNET_GSO_NONE ? put_large(&j, &h)
					   : put_super_frame(&j, &h);
}
