#include "session/channel.h"

#include <string.h>

#include "crypto/aead.h"
#include "session/keys.h"

_Static_assert((int)CHANNEL_TAG_BYTES == (int)AEAD_TAG_BYTES, "the tag");

void channel_init(struct channel *ch, const struct hs_result *result)
{
	memset(ch, 0, sizeof *ch);
	ch->encrypted = result->encrypted;
	ch->role = result->role;
	if (ch->encrypted) {
		bool initiator = ch->role == HS_INITIATOR;

		session_export(&result->s1, KEY_LABEL_TCP_I2R,
			       initiator ? &ch->tx_key : &ch->rx_key);
		session_export(&result->s1, KEY_LABEL_TCP_R2I,
			       initiator ? &ch->rx_key : &ch->tx_key);
	}
}

void channel_wipe(struct channel *ch)
{
	secret_wipe(&ch->tx_key);
	secret_wipe(&ch->rx_key);
	ch->dead = true;
}

static struct aead_nonce record_nonce(bool initiator, uint64_t seq)
{
	return (struct aead_nonce){
		.initiator = initiator,
		.tcp = true,
		.seq = seq,
	};
}

enum err channel_seal(struct channel *ch, struct span payload, struct wbuf *tx)
{
	size_t size = payload.size + (ch->encrypted ? AEAD_TAG_BYTES : 0);
	size_t before = tx->size;

	if (ch->dead) {
		return ERR_STATE;
	}
	if (payload.size > CHANNEL_PAYLOAD_MAX || tx->overflow ||
	    (tx->max && tx->max - tx->size < sizeof(uint16_t) + size)) {
		return ERR_OVERSIZED;
	}
	if (ch->tx_seq == UINT64_MAX) {
		return ERR_LIMIT;
	}
	wbuf_u16(tx, (uint16_t)size);
	if (ch->encrypted) {
		struct aead_nonce nonce =
			record_nonce(ch->role == HS_INITIATOR, ch->tx_seq);
		enum err err = aead_seal(&ch->tx_key, &nonce, payload, tx);

		if (err) {
			tx->size = before;
			return err;
		}
	} else {
		wbuf_bytes(tx, payload.data, payload.size);
	}
	ch->tx_seq++;
	return FDP_OK;
}

/* The payload of 'record' replaces the content of 'payload'. */
static enum err open_record(struct channel *ch, struct span record,
			    struct wbuf *payload)
{
	struct aead_nonce nonce =
		record_nonce(ch->role != HS_INITIATOR, ch->rx_seq);

	if (ch->rx_seq == UINT64_MAX) {
		return ERR_LIMIT;
	}
	wbuf_clear(payload);
	if (ch->encrypted) {
		return aead_open(&ch->rx_key, &nonce, record, payload);
	}
	if (record.size > CHANNEL_PAYLOAD_MAX) {
		return ERR_OVERSIZED;
	}
	wbuf_bytes(payload, record.data, record.size);
	return wbuf_done(payload);
}

enum err channel_open(struct channel *ch, struct span *rx, struct wbuf *payload,
		      bool *complete)
{
	struct span rest = *rx, record;
	uint16_t size;
	enum err err;

	if (ch->dead) {
		return ERR_STATE;
	}
	if (span_u16(&rest, &size)) {
		*complete = false;
		return FDP_OK;
	}
	if (ch->encrypted && size < AEAD_TAG_BYTES) {
		channel_wipe(ch);
		return ERR_TRUNCATED;
	}
	if (span_cut(&rest, size, &record)) {
		*complete = false;
		return FDP_OK;
	}
	err = open_record(ch, record, payload);
	if (err) {
		channel_wipe(ch);
		return err;
	}
	ch->rx_seq++;
	*rx = rest;
	*complete = true;
	return FDP_OK;
}
