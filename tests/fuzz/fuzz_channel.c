/* The record channel: what the input seals opens as it was, in order, or the
 * channel ends; nothing that was touched opens.  Bytes of nobody never do. */
#include <sodium.h>

#include "fuzz/fuzz.h"
#include "session/channel.h"

struct link {
	struct channel tx, rx;
	struct wbuf wire, payload;
	struct wbuf sealed; /* All payloads, in order. */
	size_t opened;	    /* Bytes of those that came out. */
	bool touched;
};

/* Opens all that can be. */
static enum err drain(struct link *l, bool encrypted)
{
	struct span in = wbuf_span(&l->wire);
	enum err err;
	bool complete;

	for (;;) {
		err = channel_open(&l->rx, &in, &l->payload, &complete);
		if (err || !complete) {
			break;
		}
		if (encrypted || !l->touched) {
			REQUIRE(l->opened + l->payload.size <= l->sealed.size);
			REQUIRE(!l->payload.size ||
				!memcmp(l->sealed.data + l->opened,
					l->payload.data, l->payload.size));
		}
		l->opened += l->payload.size;
	}
	wbuf_pull(&l->wire, l->wire.size - in.size);
	return err;
}

static void step(struct link *l, struct span *in)
{
	uint8_t op = fuzz_u8(in);
	struct span bytes = fuzz_take(in, fuzz_u8(in));
	size_t before = l->wire.size;

	switch (op % 4) {
	case 0:
		wbuf_bytes(&l->sealed, bytes.data, bytes.size);
		REQUIRE(!channel_seal(&l->tx, bytes, &l->wire));
		break;
	case 1:
		/* As case 0, but touched. */
		wbuf_bytes(&l->sealed, bytes.data, bytes.size);
		REQUIRE(!channel_seal(&l->tx, bytes, &l->wire));
		l->wire.data[before + fuzz_u16(in) % (l->wire.size - before)] ^=
			(uint8_t)(1 << op / 32);
		l->touched = true;
		break;
	case 2:
		wbuf_bytes(&l->wire, bytes.data, bytes.size);
		l->touched |= bytes.size != 0;
		break;
	default:
		l->touched |= bytes.size && l->wire.size;
		wbuf_pull(&l->wire, bytes.size < l->wire.size ? bytes.size
							      : l->wire.size);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct hs_result result = {.role = HS_INITIATOR};
	struct link l;
	enum err err = FDP_OK;

	REQUIRE(sodium_init() >= 0);
	memset(&l, 0, sizeof l);
	result.encrypted = fuzz_u8(&in) & 1;
	memset(result.s1.b, 7, sizeof result.s1.b);
	channel_init(&l.tx, &result);
	result.role = HS_RESPONDER;
	channel_init(&l.rx, &result);
	while (in.size && !err) {
		step(&l, &in);
		if (fuzz_u8(&in) & 1) {
			err = drain(&l, result.encrypted);
		}
	}
	if (!err) {
		err = drain(&l, result.encrypted);
	}
	if (!l.touched) {
		REQUIRE(!err && l.opened == l.sealed.size);
	}
	if (err) {
		REQUIRE(drain(&l, result.encrypted));
	}
	channel_wipe(&l.tx);
	channel_wipe(&l.rx);
	wbuf_free(&l.wire);
	wbuf_free(&l.payload);
	wbuf_free(&l.sealed);
	return 0;
}
