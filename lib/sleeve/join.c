#include "sleeve/join.h"

#include <string.h>

#include "packet/flow.h"
#include "sleeve/bytes.h"
#include "util.h"

enum {
	TCP_FIN = 1,
	TCP_PSH = 8,
	TCP_CWR = 0x80,
	IP_SIZE_MAX = 65535,
	ETH_ADDRESSES = 12
};

void join_init(struct join *j, uint8_t *pieces, bool uso, join_cb *cb,
	       void *aux)
{
	memset(j, 0, sizeof *j);
	j->pieces = pieces;
	j->uso = uso;
	j->cb = cb;
	j->aux = aux;
}

/* Spans of records are in the receive buffer, which the caller lent for
 * writing, or in 'pieces'. */
static uint8_t *writable(struct span s)
{
	return (uint8_t *)(uintptr_t)s.data;
}

static void add_iov(struct join_frame *f, const uint8_t *data, size_t size)
{
	ovs_assert(f->n_iov < JOIN_SEGMENTS_MAX + 1);
	f->iov[f->n_iov].iov_base = (void *)(uintptr_t)data;
	f->iov[f->n_iov].iov_len = size;
	f->n_iov++;
	f->size += size;
}

/* A frame with nothing left undone. */
static void begin_frame(struct join *j, const struct frame_header *h,
			const struct frame_inner *inner, struct span body)
{
	struct join_frame *f = &j->frame;

	f->vni = inner->vni;
	f->ttl = inner->ttl;
	f->index = h->index;
	f->head = body;
	f->size = 0;
	f->n_iov = 1;
	f->iov[0].iov_base = &f->vnet;
	f->iov[0].iov_len = sizeof f->vnet;
	memset(&f->vnet, 0, sizeof f->vnet);
	add_iov(f, body.data, body.size);
}

/* Gives the TCP or UDP header what a super-frame, or a partial checksum,
 * needs. */
static void finish_segments(struct join *j)
{
	struct join_frame *f = &j->frame;
	const struct vnet_l4 *l = &j->l4;
	uint8_t *head = writable(f->head);
	bool tcp = l->proto == IP_PROTO_TCP;

	if (j->n_segments > 1) {
		vnet_set_length(head, l, f->size);
		if (!tcp) {
			put_u16(head + l->l4 + 4, (uint16_t)(f->size - l->l4));
		}
		f->vnet.gso_type = !tcp	   ? VNET_GSO_UDP_L4
				   : l->v6 ? VNET_GSO_TCPV6
					   : VNET_GSO_TCPV4;
		if (tcp && head[l->l4 + 13] & TCP_CWR) {
			f->vnet.gso_type |= VNET_GSO_ECN;
		}
		f->vnet.gso_size = (uint16_t)j->segment;
		f->vnet.hdr_len = l->payload;
	}
	put_u16(head + l->csum, vnet_pseudo_sum(head, l, f->size - l->l4));
	f->vnet.flags = VNET_NEEDS_CSUM;
	f->vnet.csum_start = l->l4;
	f->vnet.csum_offset = (uint16_t)(l->csum - l->l4);
}

void join_flush(struct join *j)
{
	if (!j->frame.n_iov) {
		return;
	}
	if (j->n_segments) {
		finish_segments(j);
	}
	j->cb(j->aux, &j->frame);
	j->frame.n_iov = 0;
}

/* Is this segment the next one of what there is so far? */
static bool goes_on(const struct join *j, const struct frame_header *h,
		    const struct frame_inner *inner, struct span body,
		    const struct vnet_l4 *l)
{
	const struct join_frame *f = &j->frame;
	const struct vnet_l4 *first = &j->l4;
	size_t size = body.size - l->payload;

	if (!f->n_iov || !j->n_segments || j->full ||
	    j->n_segments == JOIN_SEGMENTS_MAX || f->index != h->index ||
	    j->seq + 1 != h->seq || f->vni != inner->vni ||
	    f->ttl != inner->ttl) {
		return false;
	}
	if (l->proto != first->proto || l->v6 != first->v6 ||
	    l->l3 != first->l3 || l->l4 != first->l4 ||
	    l->payload != first->payload || !size || size > j->segment ||
	    f->size - l->l3 + size > IP_SIZE_MAX) {
		return false;
	}
	if (l->proto == IP_PROTO_UDP) {
		return j->uso;
	}
	return get_u32(body.data + l->l4 + 4) ==
	       (uint32_t)(get_u32(f->head.data + l->l4 + 4) + f->size -
			  l->payload);
}

static void put_segment(struct join *j, const struct frame_header *h,
			const struct frame_inner *inner, uint8_t flags,
			struct span body)
{
	struct vnet_l4 l;

	if (vnet_find_l4(body, &l) || l.size != body.size) {
		j->n_malformed++;
		return;
	}
	if (flags & FRAME_FOLLOWS && goes_on(j, h, inner, body, &l)) {
		if (l.proto == IP_PROTO_TCP) {
			writable(j->frame.head)[l.l4 + 13] |=
				body.data[l.l4 + 13] & (TCP_FIN | TCP_PSH);
		}
		add_iov(&j->frame, body.data + l.payload,
			body.size - l.payload);
		j->n_segments++;
		j->full = body.size - l.payload < j->segment;
		j->seq = h->seq;
		return;
	}
	join_flush(j);
	begin_frame(j, h, inner, body);
	j->l4 = l;
	j->seq = h->seq;
	j->segment = body.size - l.payload;
	j->n_segments = 1;
	j->full = false;
}

static void put_frame(struct join *j, const struct frame_header *h,
		      const struct frame_inner *inner, uint8_t flags,
		      struct span body)
{
	if (flags & FRAME_PARTIAL) {
		put_segment(j, h, inner, flags, body);
		return;
	}
	join_flush(j);
	begin_frame(j, h, inner, body);
	j->n_segments = 0;
	join_flush(j);
}

static void put_piece(struct join *j, const struct frame_header *h,
		      const struct frame_inner *inner, uint8_t flags,
		      struct span body)
{
	if (flags & FRAME_FOLLOWS) {
		if (!j->pieces_size || j->pieces_index != h->index ||
		    j->pieces_seq + 1 != h->seq ||
		    j->pieces_vni != inner->vni ||
		    j->pieces_ttl != inner->ttl ||
		    j->pieces_size + body.size > VNET_FRAME_MAX) {
			/* Its first pieces may have been another's last. */
			j->n_lost += !(flags & FRAME_MORE);
			j->pieces_size = 0;
			return;
		}
	} else {
		j->pieces_size = 0;
		j->pieces_index = h->index;
		j->pieces_vni = inner->vni;
		j->pieces_ttl = inner->ttl;
		j->pieces_flags = flags & FRAME_PARTIAL;
	}
	memcpy(j->pieces + j->pieces_size, body.data, body.size);
	j->pieces_size += body.size;
	j->pieces_seq = h->seq;
	if (flags & FRAME_MORE) {
		return;
	}
	body = span_of(j->pieces, j->pieces_size);
	j->pieces_size = 0;
	if (body.size < SLEEVE_ETH_BYTES) {
		j->n_malformed++;
		return;
	}
	put_frame(j, h, inner, j->pieces_flags, body);
	join_flush(j); /* The next piece overwrites it. */
}

void join_datagram(struct join *j, const struct frame_header *h,
		   const struct frame_inner *inner)
{
	struct span rest = inner->records;

	while (rest.size) {
		struct span body;
		uint8_t flags;

		if (frame_record_get(&rest, &flags, &body)) {
			j->n_malformed++;
			return;
		}
		if (!(flags & FRAME_PIECE)) {
			put_frame(j, h, inner, flags, body);
		} else if (j->pieces && body.size <= VNET_FRAME_MAX) {
			join_flush(j);
			put_piece(j, h, inner, flags, body);
		}
	}
}

void join_tag(struct join_frame *f, uint16_t tci)
{
	uint8_t *head = f->iov[1].iov_base;

	ovs_assert(f->n_iov + 2 <= JOIN_IOV_MAX &&
		   f->iov[1].iov_len >= SLEEVE_ETH_BYTES);
	memmove(&f->iov[4], &f->iov[2], (f->n_iov - 2) * sizeof f->iov[0]);
	put_u16(f->tag, ETH_TYPE_VLAN);
	put_u16(f->tag + 2, tci);
	f->iov[3].iov_base = head + ETH_ADDRESSES;
	f->iov[3].iov_len = f->iov[1].iov_len - ETH_ADDRESSES;
	f->iov[2].iov_base = f->tag;
	f->iov[2].iov_len = sizeof f->tag;
	f->iov[1].iov_len = ETH_ADDRESSES;
	f->n_iov += 2;
	f->size += sizeof f->tag;
	if (f->vnet.flags & VNET_NEEDS_CSUM) {
		f->vnet.csum_start =
			(uint16_t)(f->vnet.csum_start + sizeof f->tag);
	}
	if (f->vnet.hdr_len) {
		f->vnet.hdr_len = (uint16_t)(f->vnet.hdr_len + sizeof f->tag);
	}
}

size_t join_copy(const struct join_frame *f, uint8_t *buf)
{
	size_t size = 0;

	for (size_t i = 0; i < f->n_iov; i++) {
		memcpy(buf + size, f->iov[i].iov_base, f->iov[i].iov_len);
		size += f->iov[i].iov_len;
	}
	return size;
}
