#include "crypto/aead.h"

#include <string.h>

#include <sodium.h>

_Static_assert(AEAD_TAG_BYTES == crypto_secretbox_MACBYTES, "secretbox tag");
_Static_assert(AEAD_NONCE_BYTES == crypto_secretbox_NONCEBYTES, "XSalsa20");
_Static_assert(SECRET_SIZE == crypto_secretbox_KEYBYTES, "secretbox key");

enum {
	NONCE_INITIATOR = 0x80,
	NONCE_TCP = 0x40
};

void aead_nonce_bytes(const struct aead_nonce *n, uint8_t out[AEAD_NONCE_BYTES])
{
	memset(out, 0, AEAD_NONCE_BYTES);
	out[0] = (uint8_t)((n->initiator ? NONCE_INITIATOR : 0) |
			   (n->tcp ? NONCE_TCP : 0));
	for (unsigned int i = 0; i < 4; i++) {
		out[12 + i] = (uint8_t)(n->epoch >> (24 - 8 * i));
	}
	for (unsigned int i = 0; i < 8; i++) {
		out[16 + i] = (uint8_t)(n->seq >> (56 - 8 * i));
	}
}

enum err aead_seal(const struct secret *key, const struct aead_nonce *nonce,
		   struct span plain, struct wbuf *out)
{
	uint8_t bytes[AEAD_NONCE_BYTES];
	uint8_t *at = wbuf_room(out, plain.size + AEAD_TAG_BYTES);

	if (!at) {
		return ERR_OVERSIZED;
	}
	aead_nonce_bytes(nonce, bytes);
	/* Fails for nothing but sizes that do not fit into memory. */
	(void)crypto_secretbox_easy(at, plain.size ? plain.data : at,
				    plain.size, bytes, key->b);
	return FDP_OK;
}

enum err aead_open(const struct secret *key, const struct aead_nonce *nonce,
		   struct span box, struct wbuf *out)
{
	uint8_t bytes[AEAD_NONCE_BYTES];
	size_t before = out->size;
	uint8_t *at;

	if (box.size < AEAD_TAG_BYTES) {
		return ERR_TRUNCATED;
	}
	at = wbuf_room(out, box.size - AEAD_TAG_BYTES);
	if (!at) {
		return ERR_OVERSIZED;
	}
	aead_nonce_bytes(nonce, bytes);
	if (crypto_secretbox_open_easy(at, box.data, box.size, bytes, key->b)) {
		out->size = before;
		return ERR_AUTH;
	}
	return FDP_OK;
}
