/* Somebody between two real machines with real cryptography: the input says
 * what he does with each frame.
 *
 * What must hold: the responder is done only if every byte arrived as it was
 * sent, and the initiator is done then, too, with the same secret; the
 * initiator only if all that either side read up to then was genuine; nobody
 * if the passwords differ; both if nothing was touched. */
#include "fuzz/pair.h"

enum {
	N_OPS = 11,
	MAX_STEPS = 24
};

struct stream {
	struct wbuf sent, read;
	size_t taken;	  /* Of 'sent', by him in the middle. */
	struct wbuf held; /* A frame that waits for the next one. */
	bool over;	  /* The reader failed. */
};

struct middle {
	struct party side[2];
	struct stream to[2]; /* To side 0, to side 1. */
	bool touched;
	/* When the initiator was done: what it had read; what it had sent
	 * before its last frame. */
	size_t read_then, sent_then;
	bool initiator_done;
};

/* The frames of another session between the same two. */
static struct wbuf old[5];

static void collect(struct middle *m, unsigned int side)
{
	struct wbuf *tx = &m->side[side].tx;

	wbuf_bytes(&m->to[!side].sent, tx->data, tx->size);
	wbuf_clear(tx);
}

static void give(struct middle *m, unsigned int side, struct span bytes)
{
	struct party *p = &m->side[side];
	struct stream *s = &m->to[side];
	struct wbuf all = WBUF_INITIALIZER(0);
	enum err err;
	size_t n, sent = m->to[1].sent.size;

	if (s->over || handshake_done(&p->hs)) {
		return;
	}
	wbuf_bytes(&all, p->rx.data, p->rx.size);
	wbuf_bytes(&all, bytes.data, bytes.size);
	n = party_input(p, bytes, &err);
	wbuf_bytes(&s->read, all.data, n);
	s->over = err != FDP_OK;
	wbuf_free(&all);
	collect(m, side);
	if (!side && handshake_done(&p->hs) && !m->initiator_done) {
		m->initiator_done = true;
		m->read_then = m->to[0].read.size;
		m->sent_then = sent;
	}
}

/* The next whole frame on its way to 'side'; empty if there is none. */
static struct span next_frame(struct stream *s)
{
	struct span rest = wbuf_span(&s->sent), done, body;
	uint16_t size;

	(void)!span_cut(&rest, s->taken, &done);
	body = rest;
	if (!rest.size || span_u16(&body, &size) || size > body.size) {
		return span_of(NULL, 0);
	}
	s->taken += size + 2u;
	return span_of(rest.data, size + 2u);
}

static void deliver(struct middle *m, unsigned int side, struct span frame,
		    struct span *in)
{
	struct wbuf copy = WBUF_INITIALIZER(0), held = WBUF_INITIALIZER(0);
	uint8_t op = fuzz_u8(in) % N_OPS;
	size_t at;

	wbuf_bytes(&copy, frame.data, frame.size);
	frame = wbuf_span(&copy);
	held = m->to[side].held;
	wbuf_init(&m->to[side].held, 0);
	m->touched |= op != 0 && op != 8;
	switch (op) {
	case 1:
		at = fuzz_u16(in) % (8 * copy.size);
		copy.data[at / 8] ^= (uint8_t)(1 << at % 8);
		break;
	case 2:
		frame.size = fuzz_u16(in) % frame.size;
		break;
	case 3:
		give(m, side, frame);
		break;
	case 4:
		frame.size = 0;
		break;
	case 5:
		wbuf_bytes(&m->to[side].held, frame.data, frame.size);
		frame.size = 0;
		break;
	case 6:
		give(m, !side, frame);
		break;
	case 7:
		give(m, side, fuzz_take(in, fuzz_u8(in)));
		break;
	case 8:
		at = fuzz_u16(in) % frame.size;
		give(m, side, span_of(frame.data, at));
		frame = span_of(frame.data + at, frame.size - at);
		break;
	case 9:
		at = fuzz_u16(in) % copy.size;
		copy.data[at] = fuzz_u8(in);
		break;
	case 10:
		at = fuzz_u8(in) % 5;
		frame = wbuf_span(&old[at]);
		break;
	default:
		break;
	}
	give(m, side, frame);
	if (held.size) {
		give(m, side, wbuf_span(&held));
	}
	wbuf_free(&held);
	wbuf_free(&copy);
}

static bool begins_with(const struct wbuf *a, const struct wbuf *b, size_t n)
{
	return a->size >= n && b->size >= n && !memcmp(a->data, b->data, n);
}

static void judge(struct middle *m, bool common)
{
	const struct handshake *i = &m->side[0].hs, *r = &m->side[1].hs;
	const struct stream *to_i = &m->to[0], *to_r = &m->to[1];

	REQUIRE(common || (!handshake_done(i) && !handshake_done(r)));
	if (!m->touched && common) {
		REQUIRE(handshake_done(i) && handshake_done(r));
	}
	if (m->initiator_done) {
		REQUIRE(begins_with(&to_i->read, &to_i->sent, m->read_then));
		REQUIRE(begins_with(&to_r->read, &to_r->sent, m->sent_then));
	}
	if (handshake_done(r)) {
		REQUIRE(handshake_done(i));
		REQUIRE(begins_with(&to_r->read, &to_r->sent, to_r->sent.size));
		REQUIRE(!memcmp(&i->result.s1, &r->result.s1,
				sizeof i->result.s1));
		REQUIRE(!strcmp(i->result.peer.name, "beta") &&
			!strcmp(r->result.peer.name, "alpha"));
	}
}

static void run(struct middle *m, struct span *in)
{
	collect(m, 0);
	for (unsigned int step = 0; step < MAX_STEPS; step++) {
		bool idle = true;

		for (unsigned int side = 0; side < 2; side++) {
			struct span frame = next_frame(&m->to[!side]);

			if (frame.size) {
				deliver(m, !side, frame, in);
				idle = false;
			}
		}
		if (idle) {
			break;
		}
	}
}

static void begin(struct middle *m, uint8_t how, uint64_t seed)
{
	/* Password 1 for both; the responder has another one as well, or
	 * the initiator dials with one that nobody knows. */
	static struct hs_slot i[2], r[2];
	bool two = how & 1, second = how & 2, stranger = how & 4;

	memset(m, 0, sizeof *m);
	i[0] = *pair_slot(3);
	i[1] = *pair_slot(1);
	r[0] = *pair_slot(two && second ? 2 : 1);
	r[1] = *pair_slot(second ? 1 : 2);
	party_init(&m->side[0], HS_INITIATOR, i, 2, !stranger, seed);
	party_init(&m->side[1], HS_RESPONDER, r, two ? 2 : 1, 0, seed);
}

static void end(struct middle *m)
{
	for (unsigned int i = 0; i < 2; i++) {
		party_done(&m->side[i]);
		wbuf_free(&m->to[i].sent);
		wbuf_free(&m->to[i].read);
		wbuf_free(&m->to[i].held);
	}
}

static void record_old(void)
{
	struct middle m;
	struct span nothing = {NULL, 0}, frame;

	begin(&m, 1, 4711);
	run(&m, &nothing);
	m.to[0].taken = m.to[1].taken = 0;
	for (unsigned int i = 0; i < 5; i++) {
		frame = next_frame(&m.to[!(i & 1)]);
		REQUIRE(frame.size);
		wbuf_init(&old[i], 0);
		wbuf_bytes(&old[i], frame.data, frame.size);
	}
	end(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	uint8_t how = fuzz_u8(&in);
	struct middle m;

	if (!old[0].size) {
		record_old();
	}
	begin(&m, how, how);
	run(&m, &in);
	judge(&m, !(how & 4));
	end(&m);
	return 0;
}
