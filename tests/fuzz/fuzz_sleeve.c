/* The sleeve from both sides: records of a peer that has the key become frames
 * that say nothing wrong about themselves, and go on to another peer; frames
 * of a TAP with any vnet header are cut, and arrive.
 *
 * Byte 0: top bit: a TAP's frame follows; else datagrams, each u8 (by how much
 * its number is greater), u16 size, records. */
#include "fuzz/fuzz.h"
#include "packet/toobig.h"
#include "sleeve/cut.h"
#include "sleeve/join.h"

enum {
	DATAGRAMS_MAX = 8,
	ROOMS_MAX = 10000
};

static uint8_t linear[VNET_BYTES + VNET_FRAME_MAX + 4];
static uint8_t buffer[CUT_BUFFER_BYTES];
static struct cipher_key *key;
static uint16_t datagram_size;

/* What joins has to be fit for a kernel. */
static void check_frame(const uint8_t *at, size_t size)
{
	struct vnet_hdr h;
	struct vnet_l4 l;
	struct span frame = span_of(at + VNET_BYTES, size - VNET_BYTES);

	memcpy(&h, at, sizeof h);
	REQUIRE(frame.size >= SLEEVE_ETH_BYTES);
	if (!h.flags) {
		REQUIRE(!h.gso_type && !h.gso_size && !h.csum_start);
		return;
	}
	REQUIRE(h.flags == VNET_NEEDS_CSUM);
	REQUIRE(!vnet_find_l4(frame, &l) && l.size == frame.size);
	REQUIRE(h.csum_start == l.l4 && h.csum_start + h.csum_offset == l.csum);
	REQUIRE(!h.gso_type == !h.gso_size);
	REQUIRE(!h.gso_type ||
		(h.hdr_len == l.payload && h.gso_size < l.size - l.payload));
}

static void arrived(void *aux, struct join_frame *f)
{
	(void)aux;
	check_frame(linear, join_copy(f, linear));
}

/* On to another peer. */
struct onward {
	struct cut cut;
	struct join join;
	unsigned int n_rooms;
};

/* Opens what was cut, and joins it. */
static void arrive(struct onward *o)
{
	struct cut *cut = &o->cut;
	struct join *join = &o->join;

	cut_close(cut);
	for (size_t i = 0; i < cut->n_runs; i++) {
		const struct cut_run *r = &cut->runs[i];

		for (size_t at = 0; at < r->size; at += r->datagram) {
			size_t n = r->size - at < r->datagram ? r->size - at
							      : r->datagram;
			uint8_t *d = buffer + r->offset + at;
			struct frame_header h;
			struct frame_inner inner;

			REQUIRE(n <= datagram_size);
			REQUIRE(!frame_header_get(span_of(d, n), &h));
			REQUIRE(!frame_open(&r->way->key, 0, &h, d, n, &inner));
			join_datagram(join, &h, &inner);
		}
	}
	join_flush(join);
	REQUIRE(!join->n_malformed);
	cut_clear(cut);
}

static bool make_room(void *o_, struct cut_way *way, enum err lack)
{
	struct onward *o = o_;

	REQUIRE(o->n_rooms++ < ROOMS_MAX);
	if (lack == ERR_LIMIT) {
		arrive(o);
	} else {
		way->seq_end = way->seq + CUT_NUMBERS_MIN;
	}
	return true;
}

/* 'at' is changed. */
static enum err through(uint8_t *at, size_t size)
{
	static uint8_t pieces[VNET_FRAME_MAX];
	static struct onward o;
	struct cut_way way = {.key = {.cipher = key, .index = 1},
			      .datagram_size = datagram_size};
	enum err err;

	o.n_rooms = 0;
	cut_init(&o.cut, buffer, sizeof buffer, 0, make_room, &o);
	join_init(&o.join, pieces, true, arrived, NULL);
	err = cut_frame(&o.cut, &way, 1, 1, at, size);
	arrive(&o);
	return err;
}

static void joined(void *aux, struct join_frame *f)
{
	uint8_t *copy;
	size_t size;
	enum err err;

	(void)aux;
	size = join_copy(f, linear);
	check_frame(linear, size);
	copy = fuzz_copy(span_of(linear, size));
	err = through(copy, size);
	REQUIRE(!err || err == ERR_OVERSIZED);
	free(copy);
	join_tag(f, 5);
	size = join_copy(f, linear);
	REQUIRE(size == f->size + VNET_BYTES);
}

static void from_peer(struct span in)
{
	static uint8_t pieces[VNET_FRAME_MAX];
	static struct join join;
	uint8_t *held[DATAGRAMS_MAX];
	struct frame_header h = {1, 0};
	size_t n = 0;

	join_init(&join, pieces, true, joined, NULL);
	while (in.size && n < DATAGRAMS_MAX) {
		struct frame_inner inner = {1, 1, {NULL, 0}};
		struct span records;

		h.seq += fuzz_u8(&in);
		records = fuzz_take(&in, fuzz_u16(&in));
		held[n] = fuzz_copy(records);
		inner.records = span_of(held[n], records.size);
		join_datagram(&join, &h, &inner);
		n++;
	}
	join_flush(&join);
	while (n) {
		free(held[--n]);
	}
}

static void from_tap(struct span in)
{
	struct wbuf reply = WBUF_INITIALIZER(0);
	uint8_t *copy = fuzz_copy(in);
	uint8_t *at = copy;
	uint16_t tci;
	size_t size = in.size;
	enum err err;

	if (size > VNET_BYTES) {
		(void)!toobig_reply(
			span_of(in.data + VNET_BYTES, in.size - VNET_BYTES),
			1400, &reply);
	}
	at = vnet_untag(copy, &size, &tci);
	err = through(at ? at : copy, size);
	REQUIRE(!err || err == ERR_OVERSIZED || err == ERR_MALFORMED);
	free(copy);
	wbuf_free(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t sizes[] = {1472, SLEEVE_DATAGRAM_MIN, 1452, 8972};
	struct span in = span_of(data, size);
	uint8_t pick = fuzz_u8(&in);

	if (!key) {
		key = cipher_key_new_plain();
	}
	datagram_size = sizes[pick % 4];
	if (pick & 0x80) {
		from_tap(in);
	} else {
		from_peer(in);
	}
	return 0;
}
