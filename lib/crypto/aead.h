/* Sealed boxes: XSalsa20-Poly1305 (NaCl's secretbox) with a nonce that is
 * counted, not drawn.
 *
 *	byte 0: 0x80 if the initiator sealed it, 0x40 if it goes over TCP
 *	1-11: zero | 12-15: epoch | 16-23: sequence number, big-endian
 *
 * A box has no associated data: what must be authentic but is not sent goes
 * into the nonce.  No nonce may serve twice under one key; the callers hold
 * keys per direction and sequence numbers that only grow.
 */
#ifndef FDP_CRYPTO_AEAD_H
#define FDP_CRYPTO_AEAD_H 1

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/span.h"

enum {
	AEAD_TAG_BYTES = 16,
	AEAD_NONCE_BYTES = 24
};

struct aead_nonce {
	bool initiator; /* Who sealed it. */
	bool tcp;	/* The record channel; false: datagrams. */
	uint32_t epoch;
	uint64_t seq;
};

void aead_nonce_bytes(const struct aead_nonce *, uint8_t out[AEAD_NONCE_BYTES]);

/* Appends the box of 'plain' (AEAD_TAG_BYTES longer) to 'out'.  ERR_OVERSIZED
 * if it is full. */
enum err aead_seal(const struct secret *key, const struct aead_nonce *,
		   struct span plain, struct wbuf *out) FDP_MUST_CHECK;

/* Appends what is inside of 'box' to 'out'.  ERR_TRUNCATED (no room for a tag),
 * ERR_AUTH, ERR_OVERSIZED ('out' is full). */
enum err aead_open(const struct secret *key, const struct aead_nonce *,
		   struct span box, struct wbuf *out) FDP_MUST_CHECK;

#endif
