/* One frame, M1 to M5 or one of the plain mode, for a machine that waits for
 * it.  The first byte picks the machine; with its top bit the input is xored
 * onto the genuine frame, so that what is behind the checks is reached, too.
 * M4 and M5 are proofs: none but the genuine one may be taken. */
#include "fuzz/pair.h"

enum {
	N_FRAMES = 5,
	N_PLAIN = 2
};

/* The reader of each frame just before it, and the frame. */
static struct party reader[N_FRAMES + N_PLAIN];
static struct wbuf genuine[N_FRAMES + N_PLAIN];

static void snapshot(size_t i, const struct party *p, const struct party *from)
{
	reader[i] = *p;
	wbuf_init(&genuine[i], 0);
	wbuf_bytes(&genuine[i], from->tx.data, from->tx.size);
}

static void record(size_t first, size_t n, size_t n_slots)
{
	static struct hs_slot slots[2];
	static struct party side[2];
	enum err err;

	slots[0] = *pair_slot(1);
	slots[1] = *pair_slot(2);
	party_init(&side[0], HS_INITIATOR, slots, n_slots, n_slots / 2, first);
	party_init(&side[1], HS_RESPONDER, slots, n_slots, 0, first);
	for (size_t i = 0; i < n; i++) {
		struct party *from = &side[i & 1], *to = &side[!(i & 1)];

		snapshot(first + i, to, from);
		party_input(to, wbuf_span(&from->tx), &err);
		REQUIRE(!err);
		wbuf_clear(&from->tx);
	}
	REQUIRE(handshake_done(&side[0].hs) && handshake_done(&side[1].hs));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	uint8_t pick = fuzz_u8(&in);
	size_t i = (pick & 0x7f) % (N_FRAMES + N_PLAIN);
	uint8_t split = fuzz_u8(&in);
	struct party p;
	struct wbuf frame = WBUF_INITIALIZER(0);
	struct span first, rest;
	enum err err;

	if (!genuine[0].size) {
		record(0, N_FRAMES, 2);
		record(N_FRAMES, N_PLAIN, 0);
	}
	p = reader[i];
	p.rng.aux = &p.state;
	wbuf_init(&p.rx, 0);
	wbuf_init(&p.tx, 0);
	wbuf_bytes(&frame, in.data, in.size);
	for (size_t j = 0; pick & 0x80 && j < genuine[i].size; j++) {
		if (j == frame.size) {
			wbuf_u8(&frame, 0);
		}
		frame.data[j] ^= genuine[i].data[j];
	}
	rest = wbuf_span(&frame);
	first = fuzz_take(&rest, split);
	party_input(&p, first, &err);
	if (!err) {
		party_input(&p, rest, &err);
	}
	REQUIRE(!err || p.hs.state == HS_FAILED);
	if (handshake_done(&p.hs) && i < N_FRAMES) {
		REQUIRE(i >= 3 && frame.size >= genuine[i].size &&
			!memcmp(frame.data, genuine[i].data, genuine[i].size));
	}
	party_done(&p);
	wbuf_free(&frame);
	return 0;
}
