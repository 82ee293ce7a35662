/* Frames through the sleeve: cut, sealed, lost, opened, joined. */
#include "packet/checksum.h"
#include "packet/flow.h"
#include "session/keys.h"
#include "sleeve/bytes.h"
#include "sleeve/cut.h"
#include "sleeve/join.h"
#include "vectors.h"

enum {
	FIN = 1,
	SYN = 2,
	PSH = 8,
	ACK = 0x10,
	CWR = 0x80,
	VNI = 0x123456,
	TTL = 5,
	SEQ = -4096, /* Of TCP; goes over the top. */
	N_FRAMES_MAX = 4096
};

static uint32_t x = 1;

static uint32_t random_below(uint32_t n)
{
	x = x * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)x * n >> 32);
}

/* What comes out of the far end. */
struct out {
	size_t n;
	uint32_t vni;
	struct {
		struct vnet_hdr vnet;
		size_t size;
		uint8_t *data;
	} frame[N_FRAMES_MAX];
};

static void note(void *out_, struct join_frame *f)
{
	static uint8_t buf[VNET_BYTES + VNET_FRAME_MAX];
	struct out *out = out_;
	size_t size = join_copy(f, buf);

	ck_assert_uint_lt(out->n, N_FRAMES_MAX);
	ck_assert_uint_eq(size, VNET_BYTES + f->size);
	ck_assert_uint_eq(f->ttl, TTL);
	ck_assert_uint_ge(f->head.size, SLEEVE_ETH_BYTES);
	ck_assert_mem_eq(f->head.data, buf + VNET_BYTES,
			 f->head.size < f->size ? f->head.size : f->size);
	out->vni = f->vni;
	out->frame[out->n].size = f->size;
	out->frame[out->n].data = malloc(f->size);
	memcpy(&out->frame[out->n].vnet, buf, VNET_BYTES);
	memcpy(out->frame[out->n].data, buf + VNET_BYTES, f->size);
	out->n++;
}

static void out_clear(struct out *out)
{
	for (size_t i = 0; i < out->n; i++) {
		free(out->frame[i].data);
	}
	out->n = 0;
}

/* Both ends and the wire between them. */
struct line {
	struct cipher_suite *suite;
	struct cipher_key *seal, *open;
	struct cut cut;
	struct cut_way way;
	struct join join;
	struct frame_key rx;
	struct out out;
	uint8_t *buf, *pieces;
	uint32_t loss, swap;	     /* Per mille of datagrams. */
	uint32_t numbers;	     /* Reserved at a time; 0: no more. */
	size_t n_datagrams, n_sends; /* So far. */
};

static bool make_room(void *, struct cut_way *, enum err lack);

static void line_init(struct line *l, uint16_t datagram_size)
{
	const struct secret secret = {{7}};

	memset(l, 0, sizeof *l);
	l->suite = cipher_suite_new();
	ck_assert(!cipher_key_new(l->suite, CIPHER_XSALSA20_POLY1305,
				  CIPHER_SEAL, &secret, 1, &l->seal));
	ck_assert(!cipher_key_new(l->suite, CIPHER_XSALSA20_POLY1305,
				  CIPHER_OPEN, &secret, 1, &l->open));
	l->buf = malloc(CUT_BUFFER_BYTES);
	l->pieces = malloc(VNET_FRAME_MAX);
	cut_init(&l->cut, l->buf, CUT_BUFFER_BYTES, 0, make_room, l);
	l->way.key = (struct frame_key){l->seal, 77, 3, true};
	l->way.datagram_size = datagram_size;
	l->rx = (struct frame_key){l->open, 77, 3, true};
	l->numbers = CUT_NUMBERS_MIN;
	join_init(&l->join, l->pieces, true, note, &l->out);
}

static void line_done(struct line *l)
{
	out_clear(&l->out);
	cipher_key_free(l->seal);
	cipher_key_free(l->open);
	cipher_suite_free(l->suite);
	free(l->buf);
	free(l->pieces);
}

static void receive(struct line *l, const uint8_t *data, size_t size,
		    uint8_t *own)
{
	struct frame_header h;
	struct frame_inner inner;

	memcpy(own, data, size);
	if (frame_header_get(span_of(own, size), &h) || h.index != 77 ||
	    frame_open(&l->rx, 0, &h, own, size, &inner)) {
		ck_abort_msg("a datagram of ours is refused");
	}
	join_datagram(&l->join, &h, &inner);
}

/* Sends the runs, as UDP_SEGMENT would cut them. */
static void line_send(struct line *l)
{
	static uint8_t own[CUT_BUFFER_BYTES];
	size_t at[CUT_RUNS_MAX * CUT_RUN_DATAGRAMS_MAX];
	size_t size[CUT_RUNS_MAX * CUT_RUN_DATAGRAMS_MAX], n = 0;
	bool oversized = false;

	for (size_t i = 0; i < l->cut.n_runs; i++) {
		const struct cut_run *r = &l->cut.runs[i];
		size_t left = r->size, k = 0;

		ck_assert_ptr_eq(r->way, &l->way);
		ck_assert_uint_le(r->n, CUT_RUN_DATAGRAMS_MAX);
		ck_assert_uint_le(r->size, SLEEVE_DATAGRAM_MAX);
		for (; left; k++) {
			size[n] = left < r->datagram ? left : r->datagram;
			at[n] = r->offset + r->size - left;
			oversized |= size[n] > l->way.datagram_size;
			left -= size[n++];
		}
		ck_assert_uint_eq(k, r->n);
		l->n_sends++;
	}
	ck_assert(!oversized);
	l->n_datagrams += n;
	for (size_t i = 0; i + 1 < n; i++) {
		if (random_below(1000) < l->swap) {
			size_t a = at[i], s = size[i];

			at[i] = at[i + 1];
			size[i] = size[i + 1];
			at[i + 1] = a;
			size[i + 1] = s;
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (random_below(1000) >= l->loss) {
			receive(l, l->buf + at[i], size[i], own + at[i]);
		}
	}
	join_flush(&l->join);
	cut_clear(&l->cut);
}

static bool make_room(void *l_, struct cut_way *way, enum err lack)
{
	struct line *l = l_;

	ck_assert_ptr_eq(way, &l->way);
	if (lack == ERR_LIMIT) {
		ck_assert_uint_gt(l->cut.n_runs, 0);
		line_send(l);
		return true;
	}
	ck_assert_int_eq(lack, ERR_SEQUENCE);
	way->seq = way->seq_end;
	way->seq_end += l->numbers;
	return l->numbers;
}

static enum err line_put(struct line *l, const uint8_t *data, size_t size)
{
	static uint8_t copy[VNET_BYTES + VNET_FRAME_MAX];

	memcpy(copy, data, size);
	return cut_frame(&l->cut, &l->way, VNI, TTL, copy, size);
}

static void line_flush(struct line *l)
{
	cut_close(&l->cut);
	line_send(l);
}

/* What a container sends. */
struct packet {
	bool v6, udp;
	unsigned int tags, options; /* Of TCP: 4 bytes each. */
	uint8_t flags;
	size_t payload;
	uint16_t mss; /* 0: no super-frame. */
	bool partial; /* The checksum is left to us. */
	bool df;
};

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

static size_t packet_make(const struct packet *p, uint8_t *data)
{
	struct vnet_hdr h = {0};
	uint8_t *frame = data + VNET_BYTES, *at = frame;
	struct vnet_l4 l;
	size_t size;

	memset(frame, 0, 128);
	at[5] = 9;
	at[11] = 8;
	at += 12;
	for (unsigned int i = 0; i < p->tags; i++) {
		put_u16(at, i + 1 < p->tags ? ETH_TYPE_QINQ : ETH_TYPE_VLAN);
		put_u16(at + 2, (uint16_t)(100 + i));
		at += 4;
	}
	put_u16(at, p->v6 ? ETH_TYPE_IPV6 : ETH_TYPE_IPV4);
	at += 2;
	if (p->v6) {
		at[0] = 0x60;
		at[6] = p->udp ? IP_PROTO_UDP : IP_PROTO_TCP;
		at[7] = 64;
		at[8] = at[24] = 0xfd;
		at[23] = 1;
		at[39] = 2;
		at += 40;
	} else {
		at[0] = 0x45;
		put_u16(at + 4, 65530); /* Goes over the top, too. */
		at[6] = p->df ? 0x40 : 0;
		at[8] = 64;
		at[9] = p->udp ? IP_PROTO_UDP : IP_PROTO_TCP;
		at[12] = at[16] = 10;
		at[15] = 1;
		at[19] = 2;
		at += 20;
	}
	put_u16(at, 1000);
	put_u16(at + 2, 2000);
	if (p->udp) {
		put_u16(at + 4, (uint16_t)(8 + p->payload));
		at += 8;
	} else {
		put_u32(at + 4, (uint32_t)SEQ);
		at[12] = (uint8_t)((5 + p->options) << 4);
		at[13] = p->flags | ACK;
		memset(at + 20, 1, 4 * (size_t)p->options); /* No-operation. */
		at += 20 + 4 * p->options;
	}
	for (size_t i = 0; i < p->payload; i++) {
		at[i] = byte_at(i);
	}
	size = (size_t)(at - frame) + p->payload;
	l.l3 = (uint16_t)(14 + 4 * p->tags);
	l.v6 = p->v6;
	vnet_set_length(frame, &l, size);
	ck_assert(!vnet_find_l4(span_of(frame, size), &l));
	ck_assert_uint_eq(l.size, size);
	put_u16(frame + l.csum, vnet_pseudo_sum(frame, &l, size - l.l4));
	h.flags = VNET_NEEDS_CSUM;
	h.csum_start = l.l4;
	h.csum_offset = (uint16_t)(l.csum - l.l4);
	if (p->mss) {
		h.gso_type = p->udp  ? VNET_GSO_UDP_L4
			     : p->v6 ? VNET_GSO_TCPV6
				     : VNET_GSO_TCPV4;
		if (p->flags & CWR) {
			h.gso_type |= VNET_GSO_ECN;
		}
		h.gso_size = p->mss;
		h.hdr_len = l.payload;
	} else if (!p->partial) {
		ck_assert(!vnet_complete(&h, frame, size));
		ck_assert(vnet_is_right(span_of(frame, size), &l));
		memset(&h, 0, sizeof h);
	}
	memcpy(data, &h, sizeof h);
	return VNET_BYTES + size;
}

/* A frame that came out of a TCP or UDP packet: is it a right one, with the
 * right payload?  Marks what of the payload has come.  UDP's is told by its
 * first bytes, so 'at' says where it is, SIZE_MAX: ask TCP. */
static size_t check_frame(const struct out *out, size_t i,
			  const struct packet *p, size_t at, bool *came)
{
	const struct vnet_hdr *h = &out->frame[i].vnet;
	uint8_t *frame = out->frame[i].data;
	size_t size = out->frame[i].size, n;
	struct vnet_l4 l;
	bool right = true;

	ck_assert(!vnet_find_l4(span_of(frame, size), &l));
	ck_assert_uint_eq(l.size, size);
	ck_assert_uint_eq(l.l3, 14 + 4 * p->tags);
	n = size - l.payload;
	if (at == SIZE_MAX) {
		at = get_u32(frame + l.l4 + 4) - (uint32_t)SEQ;
	}
	ck_assert_uint_le(at + n, p->payload);
	for (size_t k = 0; k < n; k++) { /* An assertion each takes long. */
		right = right && frame[l.payload + k] == byte_at(at + k) &&
			!came[at + k];
		came[at + k] = true;
	}
	ck_assert(right);
	if (!l.v6) {
		struct checksum sum = CHECKSUM_INITIALIZER;

		checksum_add(&sum, frame + l.l3, 20);
		ck_assert_uint_eq(checksum_value(&sum), 0);
	}
	if (p->udp) {
		ck_assert_uint_eq(get_u16(frame + l.l4 + 4), size - l.l4);
	} else {
		uint8_t flags = frame[l.l4 + 13];

		ck_assert_uint_eq(flags & (FIN | PSH),
				  at + n == p->payload ? p->flags & (FIN | PSH)
						       : 0);
		ck_assert_uint_eq(flags & CWR, at ? 0 : p->flags & CWR);
		ck_assert(flags & ACK);
		ck_assert_uint_eq(h->gso_type & VNET_GSO_ECN,
				  h->gso_type && flags & CWR ? VNET_GSO_ECN
							     : 0);
	}
	if (h->flags) {
		ck_assert_uint_eq(h->flags, VNET_NEEDS_CSUM);
		ck_assert_uint_eq(h->csum_start, l.l4);
		ck_assert_uint_eq(h->csum_start + h->csum_offset, l.csum);
		ck_assert(!vnet_complete(h, frame, size));
	}
	ck_assert(vnet_is_right(span_of(frame, size), &l));
	if (h->gso_type & 0x7f) {
		ck_assert_uint_eq(h->gso_type & 0x7f, p->udp  ? VNET_GSO_UDP_L4
						      : p->v6 ? VNET_GSO_TCPV6
							      : VNET_GSO_TCPV4);
		ck_assert_uint_lt(h->gso_size, n);
		ck_assert_uint_eq(h->hdr_len, l.payload);
	} else {
		ck_assert_uint_eq(h->gso_size, 0);
	}
	return n;
}

static void random_tcp(struct packet *p)
{
	memset(p, 0, sizeof *p);
	p->v6 = random_below(2);
	p->tags = random_below(3);
	p->options = random_below(2) ? 3 : random_below(11);
	p->flags = (uint8_t)((random_below(2) ? FIN | PSH : 0) |
			     (random_below(2) ? CWR : 0));
	p->payload = 1 + random_below(65535 - 40 - 60);
	p->mss = (uint16_t)(random_below(4) ? 1000 + random_below(500)
					    : 48 + random_below(9000));
}

START_TEST(super_frames_arrive_whole_or_in_right_parts)
{
	static const uint16_t sizes[] = {SLEEVE_DATAGRAM_MIN, 1452, 1472, 8972,
					 SLEEVE_DATAGRAM_MAX};
	static uint8_t data[VNET_BYTES + VNET_FRAME_MAX];
	static bool came[65536];
	static struct line l;

	for (size_t round = 0; round < 600; round++) {
		struct packet p;
		size_t size, n = 0;

		line_init(&l, sizes[round % 5]);
		l.loss = round % 3 == 1 ? 100 : round % 3 == 2 ? 10 : 0;
		l.swap = round % 3 == 2 ? 100 : 0;
		/* Sometimes the numbers end in the middle. */
		l.numbers = random_below(2) ? 4096 : 5;
		random_tcp(&p);
		size = packet_make(&p, data);
		ck_assert_int_eq(line_put(&l, data, size), FDP_OK);
		line_flush(&l);
		memset(came, 0, sizeof came);
		for (size_t i = 0; i < l.out.n; i++) {
			n += check_frame(&l.out, i, &p, SIZE_MAX, came);
		}
		if (!l.loss) {
			ck_assert_uint_eq(n, p.payload);
		}
		if (!l.loss && l.n_datagrams <= JOIN_SEGMENTS_MAX &&
		    l.cut.n_runs == 0) {
			ck_assert_uint_eq(l.out.n, 1);
		}
		ck_assert_uint_eq(l.join.n_malformed, 0);
		line_done(&l);
	}
}
END_TEST

START_TEST(whole_super_frame_is_the_same_again)
{
	static uint8_t data[VNET_BYTES + VNET_FRAME_MAX];
	struct packet p = {.payload = 60000,
			   .mss = 1367,
			   .options = 3,
			   .flags = PSH,
			   .df = true};
	static struct line l;
	size_t size;

	line_init(&l, 1472);
	size = packet_make(&p, data);
	ck_assert_int_eq(line_put(&l, data, size), FDP_OK);
	line_flush(&l);
	ck_assert_uint_eq(l.out.n, 1);
	ck_assert_uint_eq(l.out.vni, VNI);
	ck_assert_mem_eq(&l.out.frame[0].vnet, data, VNET_BYTES);
	ck_assert_uint_eq(l.out.frame[0].size, size - VNET_BYTES);
	ck_assert_mem_eq(l.out.frame[0].data, data + VNET_BYTES,
			 size - VNET_BYTES);
	/* Full datagrams, in as few sends as UDP allows. */
	ck_assert_uint_eq(l.n_datagrams, 44);
	ck_assert_uint_eq(l.n_sends, 1);
	line_done(&l);
}
END_TEST

START_TEST(udp_super_frames_keep_their_datagrams)
{
	static uint8_t data[VNET_BYTES + VNET_FRAME_MAX];
	static bool came[65536];
	static struct line l;

	for (size_t round = 0; round < 200; round++) {
		struct packet p = {.udp = true,
				   .v6 = random_below(2),
				   .tags = random_below(3),
				   .mss = (uint16_t)(1 + random_below(1350)),
				   .payload = 1 + random_below(40000)};
		size_t size, at = 0;

		if (p.payload / p.mss > 500) {
			p.payload = 500u * p.mss;
		}
		line_init(&l, 1472);
		size = packet_make(&p, data);
		l.join.uso = round % 2;
		if (p.payload <= p.mss) {
			p.mss = 0;
		}
		ck_assert_int_eq(line_put(&l, data, size), FDP_OK);
		line_flush(&l);
		memset(came, 0, sizeof came);
		for (size_t i = 0; i < l.out.n; i++) {
			const struct vnet_hdr *h = &l.out.frame[i].vnet;
			size_t n = check_frame(&l.out, i, &p, at, came);

			if (h->gso_type) {
				ck_assert(l.join.uso);
				ck_assert_uint_eq(h->gso_size, p.mss);
			} else if (p.mss) {
				ck_assert(n == p.mss || at + n == p.payload);
			}
			at += n;
		}
		ck_assert_uint_eq(at, p.payload);
		line_done(&l);
	}
}
END_TEST

START_TEST(large_tcp_is_cut_if_its_checksum_is_right)
{
	static uint8_t data[VNET_BYTES + VNET_FRAME_MAX];
	static bool came[65536];
	struct packet p = {.payload = 3000, .flags = PSH};
	static struct line l;

	for (unsigned int partial = 0; partial < 2; partial++) {
		size_t size, n = 0;

		p.partial = partial;
		line_init(&l, 1472);
		size = packet_make(&p, data);
		ck_assert_int_eq(line_put(&l, data, size), FDP_OK);
		line_flush(&l);
		memset(came, 0, sizeof came);
		for (size_t i = 0; i < l.out.n; i++) {
			n += check_frame(&l.out, i, &p, SIZE_MAX, came);
		}
		ck_assert_uint_eq(n, p.payload);
		ck_assert_uint_eq(l.n_datagrams, 3);
		if (!partial) {
			data[size - 1] ^= 1;
			ck_assert_int_eq(line_put(&l, data, size),
					 ERR_MALFORMED);
		}
		line_done(&l);
	}
	/* Not what cannot be cut. */
	p.flags = SYN;
	line_init(&l, 1472);
	p.df = true;
	ck_assert_int_eq(line_put(&l, data, packet_make(&p, data)),
			 ERR_OVERSIZED);
	line_done(&l);
}
END_TEST

START_TEST(large_others_are_told_or_go_in_pieces)
{
	static const struct {
		struct packet p;
		enum err want;
	} table[] = {
		{{.udp = true, .payload = 3000, .df = true}, ERR_OVERSIZED},
		{{.udp = true, .payload = 3000, .v6 = true}, ERR_OVERSIZED},
		{{.udp = true, .payload = 3000, .df = true, .tags = 1},
		 ERR_OVERSIZED},
		{{.udp = true, .payload = 3000, .df = true, .mss = 1450},
		 ERR_OVERSIZED},
		{{.udp = true, .payload = 3000}, FDP_OK},
		{{.udp = true, .payload = 65000, .partial = true}, FDP_OK},
		{{.udp = true, .payload = 2900, .mss = 1450}, FDP_OK},
		{{.payload = 3000, .flags = SYN}, FDP_OK},
	};
	static uint8_t data[VNET_BYTES + VNET_FRAME_MAX];
	static bool came[65536];
	static struct line l;

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const struct packet *p = &table[i].p;
		size_t size = packet_make(p, data), at = 0;

		line_init(&l, 1472);
		ck_assert_int_eq(line_put(&l, data, size), table[i].want);
		line_flush(&l);
		memset(came, 0, sizeof came);
		for (size_t k = 0; k < l.out.n; k++) {
			at += check_frame(&l.out, k, p, at, came);
		}
		ck_assert_uint_eq(at, table[i].want ? 0 : p->payload);
		ck_assert_uint_eq(l.out.n, table[i].want ? 0 : p->mss ? 2 : 1);
		/* One piece is lost, nothing of the frame arrives; what comes
		 * afterwards does. */
		if (!table[i].want) {
			out_clear(&l.out);
			ck_assert_int_eq(line_put(&l, data, size), FDP_OK);
			cut_close(&l.cut);
			l.cut.runs[0].offset += l.cut.runs[0].datagram;
			l.cut.runs[0].size -= l.cut.runs[0].datagram;
			l.cut.runs[0].n--;
			line_send(&l);
			ck_assert_uint_eq(l.out.n, p->mss ? 1 : 0);
			ck_assert_uint_gt(l.join.n_lost, 0);
			out_clear(&l.out);
			ck_assert_int_eq(line_put(&l, data, size), FDP_OK);
			line_flush(&l);
			ck_assert_uint_eq(l.out.n, p->mss ? 2 : 1);
		}
		line_done(&l);
	}
}
END_TEST

/* IPv6 below 1,280 bytes and IPv4 below 552 must get through any path. */
START_TEST(nobody_is_told_of_less_than_the_least)
{
	static uint8_t data[VNET_BYTES + VNET_FRAME_MAX];
	struct packet v6 = {.udp = true, .v6 = true, .payload = 1232};
	struct packet v4 = {.udp = true, .df = true, .payload = 524};
	static struct line l;

	line_init(&l, SLEEVE_DATAGRAM_MIN);
	ck_assert_int_eq(line_put(&l, data, packet_make(&v6, data)), FDP_OK);
	ck_assert_int_eq(line_put(&l, data, packet_make(&v4, data)), FDP_OK);
	line_flush(&l);
	ck_assert_uint_eq(l.out.n, 2);
	v6.payload++;
	v4.payload++;
	ck_assert_int_eq(line_put(&l, data, packet_make(&v6, data)),
			 ERR_OVERSIZED);
	ck_assert_int_eq(line_put(&l, data, packet_make(&v4, data)),
			 ERR_OVERSIZED);
	line_done(&l);
}
END_TEST

/* As on the last numbers of a key: what is left of that frame is lost, and
 * nothing of any other, wherever it goes. */
START_TEST(numbers_that_run_out_end_one_frame_only)
{
	static const struct {
		struct packet p;
		size_t came; /* Of the payload, with three numbers. */
	} table[] = {
		{{.payload = 5000, .mss = 1000}, 3000},
		{{.payload = 5000, .partial = true}, 3 * 1379},
		{{.udp = true, .payload = 5000, .mss = 1000}, 3000},
		/* Segments of two pieces each. */
		{{.udp = true, .payload = 5800, .mss = 1450}, 1450},
		/* Pieces for which all numbers are needed at once. */
		{{.udp = true, .payload = 5000}, 0},
	};
	static uint8_t data[VNET_BYTES + VNET_FRAME_MAX];
	static bool came[65536];
	static struct line l;

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const struct packet *p = &table[i].p;
		size_t size = packet_make(p, data), at = 0;

		line_init(&l, 1472);
		l.way.seq_end = 3;
		l.numbers = 0;
		ck_assert_int_eq(line_put(&l, data, size), ERR_SEQUENCE);
		line_flush(&l);
		memset(came, 0, sizeof came);
		for (size_t k = 0; k < l.out.n; k++) {
			at += check_frame(&l.out, k, p, at, came);
		}
		ck_assert_uint_eq(at, table[i].came);
		out_clear(&l.out);
		l.numbers = CUT_NUMBERS_MIN;
		ck_assert_int_eq(line_put(&l, data, size), FDP_OK);
		line_flush(&l);
		memset(came, 0, sizeof came);
		at = 0;
		for (size_t k = 0; k < l.out.n; k++) {
			at += check_frame(&l.out, k, p, at, came);
		}
		ck_assert_uint_eq(at, p->payload);
		line_done(&l);
	}
}
END_TEST

START_TEST(small_frames_share_datagrams)
{
	static uint8_t data[VNET_BYTES + VNET_FRAME_MAX];
	static bool came[65536];
	struct packet p = {.udp = true, .payload = 64, .partial = true};
	static struct line l;
	size_t size = packet_make(&p, data);

	line_init(&l, 1472);
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(line_put(&l, data, size), FDP_OK);
	}
	line_flush(&l);
	ck_assert_uint_eq(l.out.n, 1000);
	/* 1,472 less 36 takes 13 of 109. */
	ck_assert_uint_eq(l.n_datagrams, 77);
	ck_assert_uint_eq(l.n_sends, 2);
	for (size_t i = 0; i < 1000; i++) {
		memset(came, 0, sizeof came);
		ck_assert_uint_eq(l.out.frame[i].vnet.flags, VNET_NEEDS_CSUM);
		ck_assert_uint_eq(check_frame(&l.out, i, &p, 0, came), 64);
	}
	line_done(&l);
}
END_TEST

START_TEST(other_network_or_peer_is_another_datagram)
{
	static uint8_t data[VNET_BYTES + VNET_FRAME_MAX], copy[2048];
	struct packet p = {.udp = true, .payload = 64};
	static struct line l;
	struct cut_way other;
	size_t size = packet_make(&p, data);

	line_init(&l, 1472);
	l.way.seq_end = 100;
	other = l.way;
	memcpy(copy, data, size);
	ck_assert(!cut_frame(&l.cut, &l.way, 1, TTL, copy, size));
	ck_assert(!cut_frame(&l.cut, &l.way, 1, TTL, copy, size));
	ck_assert(!cut_frame(&l.cut, &l.way, 2, TTL, copy, size));
	ck_assert(!cut_frame(&l.cut, &l.way, 2, TTL - 1, copy, size));
	ck_assert(!cut_frame(&l.cut, &other, 2, TTL - 1, copy, size));
	ck_assert(!cut_keepalive(&l.cut, &other));
	cut_close(&l.cut);
	/* [2 frames, 1], [1], [1, keepalive]: a shorter one ends a run. */
	ck_assert_uint_eq(l.cut.n_runs, 3);
	ck_assert_uint_eq(l.cut.runs[0].n, 2);
	ck_assert_uint_eq(l.cut.runs[1].n, 1);
	ck_assert_ptr_eq(l.cut.runs[2].way, &other);
	ck_assert_uint_eq(l.cut.runs[2].n, 2);
	ck_assert_uint_eq(l.way.seq, 3);
	cut_clear(&l.cut);
	line_done(&l);
}
END_TEST

/* A checksum of something inside, as a tunnel in a container leaves it. */
START_TEST(other_partial_checksums_are_completed)
{
	static uint8_t data[VNET_BYTES + VNET_FRAME_MAX];
	struct packet p = {.udp = true, .payload = 64};
	struct vnet_hdr h = {
		.flags = VNET_NEEDS_CSUM, .csum_start = 60, .csum_offset = 6};
	static struct line l;
	size_t size = packet_make(&p, data);
	struct checksum sum = CHECKSUM_INITIALIZER;

	line_init(&l, 1472);
	memcpy(data, &h, sizeof h);
	ck_assert_int_eq(line_put(&l, data, size), FDP_OK);
	line_flush(&l);
	ck_assert_uint_eq(l.out.n, 1);
	ck_assert_uint_eq(l.out.frame[0].vnet.flags, 0);
	checksum_add(&sum, l.out.frame[0].data + 60, l.out.frame[0].size - 60);
	checksum_add(&sum, (const uint8_t *)"\0\0", 0);
	ck_assert_mem_ne(l.out.frame[0].data + 66, data + VNET_BYTES + 66, 2);

	h.csum_start = (uint16_t)(size - VNET_BYTES - 7);
	memcpy(data, &h, sizeof h);
	ck_assert_int_eq(line_put(&l, data, size), ERR_MALFORMED);
	line_done(&l);
}
END_TEST

START_TEST(headers_that_lie_are_refused)
{
	static uint8_t data[VNET_BYTES + VNET_FRAME_MAX];
	struct packet p = {.payload = 5000, .mss = 1000};
	static struct line l;
	size_t size = packet_make(&p, data);
	struct vnet_hdr good, h;

	memcpy(&good, data, sizeof good);
	line_init(&l, 1472);
	for (int i = 0; i < 8; i++) {
		h = good;
		switch (i) {
		case 0:
			h.csum_start++;
			break;
		case 1:
			h.csum_offset = 6;
			break;
		case 2:
			h.gso_type = VNET_GSO_TCPV6;
			break;
		case 3:
			h.gso_type = VNET_GSO_UDP_L4;
			break;
		case 4:
			h.gso_type = 3; /* Fragmentation of UDP, as it was. */
			break;
		case 5:
			h.gso_size = 0;
			break;
		case 6:
			h.flags = 0;
			break;
		case 7:
			size--;
			break;
		}
		memcpy(data, &h, sizeof h);
		ck_assert_int_eq(line_put(&l, data, size), ERR_MALFORMED);
	}
	ck_assert_int_eq(line_put(&l, data, VNET_BYTES + 13), ERR_MALFORMED);
	ck_assert_int_eq(line_put(&l, data, 3), ERR_MALFORMED);
	line_done(&l);
}
END_TEST

START_TEST(every_flipped_bit_is_refused)
{
	static const enum cipher ciphers[] = {CIPHER_XSALSA20_POLY1305,
					      CIPHER_AES_256_GCM};
	struct cipher_suite *suite = cipher_suite_new();
	const struct secret secret = {{7}};

	for (size_t c = 0; c < 2; c++) {
		uint8_t sealed[200], copy[200];
		struct frame_key tx = {NULL, 9, 1, true}, rx = tx;
		struct frame_header h;
		struct frame_inner inner;
		struct cipher_key *seal, *open;
		size_t size;

		if (cipher_key_new(suite, ciphers[c], CIPHER_SEAL, &secret, 1,
				   &seal)) {
			continue;
		}
		ck_assert(!cipher_key_new(suite, ciphers[c], CIPHER_OPEN,
					  &secret, 1, &open));
		tx.cipher = seal;
		rx.cipher = open;
		memset(sealed, 3, sizeof sealed);
		frame_inner_put(sealed, 0xabcdef, 7);
		size = frame_seal(&tx, 0, UINT64_C(0x0102030405060708), sealed,
				  100);
		ck_assert_uint_eq(size, 132);
		for (size_t bit = 0; bit <= 8 * size; bit++) {
			bool good = bit == 8 * size;
			enum err err;

			memcpy(copy, sealed, size);
			if (!good) {
				copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
			}
			err = frame_header_get(span_of(copy, size), &h);
			if (!err) {
				err = frame_open(&rx, 0, &h, copy, size,
						 &inner);
			}
			ck_assert_msg(!err == good, "bit %zu", bit);
		}
		ck_assert_uint_eq(inner.vni, 0xabcdef);
		ck_assert_uint_eq(inner.ttl, 7);
		ck_assert_uint_eq(inner.records.size, 96);
		ck_assert_uint_eq(h.seq, UINT64_C(0x0102030405060708));
		for (size_t n = 0; n < size; n++) {
			memcpy(copy, sealed, n);
			ck_assert(frame_header_get(span_of(copy, n), &h) ||
				  frame_open(&rx, 0, &h, copy, n, &inner));
		}
		cipher_key_free(seal);
		cipher_key_free(open);
	}
	cipher_suite_free(suite);
}
END_TEST

/* By another implementation, from the key schedule to the tag. */
START_TEST(datagrams_are_as_specified)
{
	struct json *file = vectors_load("sleeve_datagrams.json");
	const struct json *cases = vector_member(file, "cases");
	struct cipher_suite *suite = cipher_suite_new();
	static struct vector_bytes text, want;
	struct secret s1;

	vector_fixed(file, "s1", s1.b, sizeof s1.b);
	for (size_t i = 0; i < vector_count(cases); i++) {
		const struct json *c = vector_at(cases, i);
		enum cipher cipher = (enum cipher)vector_integer(c, "cipher");
		struct frame_key k = {
			.index = (uint32_t)vector_integer(c, "index"),
			.epoch = (uint32_t)vector_integer(c, "epoch"),
			.initiator = vector_integer(c, "initiator")};
		uint64_t seq = (uint64_t)vector_integer(c, "seq");
		struct cipher_key *seal = NULL, *open = NULL;
		struct frame_header h;
		struct frame_inner inner;
		struct secret key, stored;
		uint8_t datagram[512];

		sleeve_key(&s1, k.epoch, k.initiator ? KEY_I2R : KEY_R2I, &key);
		vector_fixed(c, "key", stored.b, sizeof stored.b);
		ck_assert(secret_equal(&key, &stored));
		vector_hex(c, "text", &text);
		vector_hex(c, "datagram", &want);
		if (cipher == CIPHER_NONE) {
			seal = cipher_key_new_plain();
			open = cipher_key_new_plain();
		} else if (cipher_key_new(suite, cipher, CIPHER_SEAL, &key, 1,
					  &seal) ||
			   cipher_key_new(suite, cipher, CIPHER_OPEN, &key, 1,
					  &open)) {
			continue;
		}
		memcpy(datagram + SLEEVE_HEADER_BYTES, text.b, text.size);
		k.cipher = seal;
		ck_assert_uint_eq(frame_seal(&k, 0, seq, datagram, text.size),
				  want.size);
		ck_assert_mem_eq(datagram, want.b, want.size);
		k.cipher = open;
		ck_assert(!frame_header_get(vector_span(&want), &h));
		ck_assert_uint_eq(h.index, k.index);
		ck_assert_uint_eq(h.seq, seq);
		ck_assert(!frame_open(&k, 0, &h, want.b, want.size, &inner));
		ck_assert_mem_eq(want.b + SLEEVE_HEADER_BYTES, text.b,
				 text.size);
		cipher_key_free(seal);
		cipher_key_free(open);
	}
	ck_assert_uint_eq(vector_count(cases), 36);
	cipher_suite_free(suite);
	json_destroy(file);
}
END_TEST

START_TEST(records_are_read_to_the_end_or_refused)
{
	static const struct {
		const char *bytes;
		size_t size;
		bool good;
	} table[] = {
		{"\0\0\x0e"
		 "12345678901234",
		 17, true},
		{"\0\0\x0e"
		 "12345678901234x",
		 18, true},
		{"\0\0\x0d"
		 "1234567890123",
		 16, false},
		{"\0\0\x0f"
		 "12345678901234",
		 17, false},
		{"\0\0", 2, false},
		{"", 1, false},
		{"\4\0\1"
		 "1",
		 4, true},
		{"\xc\0\1"
		 "1",
		 4, true},
		{"\4\0\0", 3, false},
		{"\4\0\1"
		 "1x",
		 5, false}, /* Must be alone. */
		{"\x8\0\x0e"
		 "12345678901234",
		 17, false},
		{"\x10\0\x0e"
		 "12345678901234",
		 17, false},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct span s = span_of(table[i].bytes, table[i].size), body;
		uint8_t flags;

		ck_assert_msg(!frame_record_get(&s, &flags, &body) ==
				      table[i].good,
			      "%zu", i);
	}
}
END_TEST

START_TEST(tag_is_put_and_taken)
{
	static uint8_t data[VNET_BYTES + VNET_FRAME_MAX];
	static uint8_t tagged[VNET_BYTES + VNET_FRAME_MAX + 4];
	static uint8_t want[VNET_BYTES + VNET_FRAME_MAX];
	struct packet p = {.payload = 5000, .mss = 1000};
	size_t size = packet_make(&p, data), n;
	struct join_frame f = {.n_iov = 4, .size = size - VNET_BYTES};
	struct vnet_hdr h;
	uint16_t tci = 0;
	uint8_t *back;

	memcpy(want, data, size);
	memcpy(&f.vnet, data, sizeof f.vnet);
	f.iov[0] = (struct iovec){&f.vnet, VNET_BYTES};
	f.iov[1] = (struct iovec){data + VNET_BYTES, 1000};
	f.iov[2] = (struct iovec){data + VNET_BYTES + 1000, 1000};
	f.iov[3] = (struct iovec){data + VNET_BYTES + 2000,
				  size - VNET_BYTES - 2000};
	join_tag(&f, 0x6123);
	n = join_copy(&f, tagged);
	ck_assert_uint_eq(n, size + 4);
	ck_assert_uint_eq(f.size, size - VNET_BYTES + 4);
	ck_assert_mem_eq(tagged + VNET_BYTES + 12, "\x81\0\x61\x23\x08", 5);
	memcpy(&h, tagged, sizeof h);
	ck_assert_uint_eq(h.csum_start, 38);
	back = vnet_untag(tagged, &n, &tci);
	ck_assert_ptr_eq(back, tagged + 4);
	ck_assert_uint_eq(tci, 0x6123);
	ck_assert_uint_eq(n, size);
	ck_assert_mem_eq(back, want, size);
	ck_assert_ptr_null(vnet_untag(back, &n, &tci));
	n = VNET_BYTES + 17;
	ck_assert_ptr_null(vnet_untag(tagged, &n, &tci));
}
END_TEST

START_TEST(peers_have_addresses_nobody_has)
{
	struct ip_addr a = sleeve_addr(0x01020304);
	char text[IP_STRLEN];
	uint32_t peer = 0;

	ck_assert_str_eq(ip_format(&a, text), "100::102:304");
	ck_assert(!sleeve_addr_peer(&a, &peer));
	ck_assert_uint_eq(peer, 0x01020304);
	a.b[7] = 1;
	ck_assert_int_eq(sleeve_addr_peer(&a, &peer), ERR_RANGE);
	ck_assert_uint_eq(sleeve_datagram_size(1500, true), 1472);
	ck_assert_uint_eq(sleeve_datagram_size(1500, false), 1452);
	ck_assert_uint_eq(sleeve_datagram_size(20, true), SLEEVE_DATAGRAM_MIN);
	ck_assert_uint_eq(sleeve_datagram_size(65536, true),
			  SLEEVE_DATAGRAM_MAX);
	ck_assert_uint_eq(sleeve_inner_mtu(1472), 1419);
	ck_assert_uint_eq(sleeve_inner_mtu(1452), 1399);
}
END_TEST

/* Bytes of a peer that has the key and means harm. */
START_TEST(hostile_records_make_no_frame_that_lies)
{
	static uint8_t data[VNET_BYTES + VNET_FRAME_MAX];
	static uint8_t texts[16][2000];
	static struct line l;
	struct frame_header h = {77, 0};
	size_t n_joined = 0;

	line_init(&l, 1472);
	for (size_t round = 0; round < 20000; round++) {
		struct packet p;
		struct frame_inner inner = {VNI, TTL, {NULL, 0}};
		uint8_t *text = texts[round % 16];
		size_t size;

		random_tcp(&p);
		p.tags = 0;
		p.options = 0;
		p.v6 = false;
		p.udp = random_below(4) == 0;
		p.payload = random_below(3) ? 1000 : random_below(1200);
		p.mss = 0;
		size = packet_make(&p, data) - VNET_BYTES;
		if (!p.udp) { /* In sequence, mostly. */
			put_u32(data + VNET_BYTES + 38,
				(uint32_t)(round % 16 * 1000));
		}
		memcpy(text + 3, data + VNET_BYTES, size);
		text[0] = random_below(2) ? FRAME_PARTIAL | FRAME_FOLLOWS
					  : (uint8_t)random_below(16);
		put_u16(text + 1, (uint16_t)size);
		for (uint32_t n = random_below(4); n; n--) {
			text[random_below(random_below(2) ? 80 : 20)] ^=
				(uint8_t)(1u << random_below(8));
		}
		inner.records = span_of(text, 3 + size);
		h.seq += random_below(10) ? 1 : 2;
		join_datagram(&l.join, &h, &inner);
		/* What is held is in the buffers that come next. */
		if (round % 16 == 15) {
			join_flush(&l.join);
		}
		for (size_t i = 0; i < l.out.n; i++) {
			const struct vnet_hdr *v = &l.out.frame[i].vnet;
			struct vnet_l4 l4;
			struct span whole = span_of(l.out.frame[i].data,
						    l.out.frame[i].size);

			if (!v->flags) {
				ck_assert(!v->gso_type && !v->csum_start);
				continue;
			}
			ck_assert(!vnet_find_l4(whole, &l4));
			ck_assert_uint_eq(l4.size, whole.size);
			ck_assert_uint_eq(v->csum_start, l4.l4);
			ck_assert_uint_eq(v->csum_start + v->csum_offset,
					  l4.csum);
			ck_assert(!v->gso_type || v->gso_size);
			n_joined += v->gso_type != 0;
		}
		out_clear(&l.out);
	}
	ck_assert_uint_gt(n_joined, 100);
	line_done(&l);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sleeve");
	TCase *tc = tcase_create("sleeve");

	if (sodium_init() < 0) {
		return EXIT_FAILURE;
	}
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, super_frames_arrive_whole_or_in_right_parts);
	tcase_add_test(tc, whole_super_frame_is_the_same_again);
	tcase_add_test(tc, udp_super_frames_keep_their_datagrams);
	tcase_add_test(tc, large_tcp_is_cut_if_its_checksum_is_right);
	tcase_add_test(tc, large_others_are_told_or_go_in_pieces);
	tcase_add_test(tc, nobody_is_told_of_less_than_the_least);
	tcase_add_test(tc, numbers_that_run_out_end_one_frame_only);
	tcase_add_test(tc, small_frames_share_datagrams);
	tcase_add_test(tc, other_network_or_peer_is_another_datagram);
	tcase_add_test(tc, other_partial_checksums_are_completed);
	tcase_add_test(tc, headers_that_lie_are_refused);
	tcase_add_test(tc, every_flipped_bit_is_refused);
	tcase_add_test(tc, datagrams_are_as_specified);
	tcase_add_test(tc, records_are_read_to_the_end_or_refused);
	tcase_add_test(tc, tag_is_put_and_taken);
	tcase_add_test(tc, peers_have_addresses_nobody_has);
	tcase_add_test(tc, hostile_records_make_no_frame_that_lies);
	suite_add_tcase(suite, tc);
	return vectors_main(suite);
}
