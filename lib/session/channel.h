/* The record channel: what a TCP connection carries after the handshake.
 *
 *	u16 length | 'length' bytes: XSalsa20-Poly1305 box of the payload
 *
 * Each direction has a key of its own and a sequence number that is not sent:
 * record n opens as record n or not at all, so that loss, repetition, reorder,
 * reflection and truncation are errors.  The plain variant has the same framing
 * without the box.  A record's payload is a list of messages
 * (session/message.h).  docs/PROTOCOL.md, "Records".
 */
#ifndef FDP_SESSION_CHANNEL_H
#define FDP_SESSION_CHANNEL_H 1

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/span.h"
#include "session/handshake.h"

enum {
	CHANNEL_RECORD_MAX = 65535, /* Bytes after the length. */
	CHANNEL_TAG_BYTES = 16,
	/* In both variants, so that what fits one fits the other. */
	CHANNEL_PAYLOAD_MAX = CHANNEL_RECORD_MAX - CHANNEL_TAG_BYTES
};

/* All members are private. */
struct channel {
	bool encrypted;
	bool dead; /* An error ended it. */
	enum hs_role role;
	struct secret tx_key, rx_key;
	uint64_t tx_seq, rx_seq;
};

/* For the side that 'result' belongs to.  Copies what it needs: 'result' stays
 * the caller's to wipe. */
void channel_init(struct channel *, const struct hs_result *);
void channel_wipe(struct channel *);

/* Appends one record with 'payload' to 'tx'.  ERR_OVERSIZED above
 * CHANNEL_PAYLOAD_MAX and if 'tx' is full (then nothing was appended and the
 * channel is as it was), ERR_LIMIT after 2^64 - 1 records, ERR_STATE after
 * channel_open() failed. */
enum err channel_seal(struct channel *, struct span payload,
		      struct wbuf *tx) FDP_MUST_CHECK;

/* Takes the next record off the front of 'rx'.  '*complete' tells whether there
 * was a whole one; if so its payload replaces the content of 'payload'.
 * ERR_AUTH, ERR_TRUNCATED (shorter than a tag), ERR_STATE (used after an
 * error): the connection must be closed.  The length is not authentic before
 * the record is whole: who waits for the rest of one needs a timeout. */
enum err channel_open(struct channel *, struct span *rx, struct wbuf *payload,
		      bool *complete) FDP_MUST_CHECK;

#endif
