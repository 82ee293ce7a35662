/* Hashes into keys: HMAC-SHA256 (RFC 2104), HKDF-SHA256 (RFC 5869), labelled
 * expansion, and the two ways from a password to a key.
 *
 * libsodium's primitives, composed.  Nothing here needs sodium_init(), which
 * only chooses faster code.
 */
#ifndef FDP_CRYPTO_KDF_H
#define FDP_CRYPTO_KDF_H 1

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/span.h"

enum {
	KDF_HASH_BYTES = 32,
	KDF_EXPAND_MAX = 255 * KDF_HASH_BYTES, /* RFC 5869 2.3 */
	KDF_STRETCH_PASSES = 3,
	KDF_STRETCH_BYTES = 64 * 1024 * 1024
};

/* HMAC-SHA256 with a key of any length. */
void kdf_hmac(struct span key, struct span data, uint8_t out[KDF_HASH_BYTES]);

/* HKDF-Extract(salt, ikm), RFC 5869 2.2. */
void kdf_extract(struct span salt, struct span ikm, struct secret *prk);

/* HKDF-Expand(prk, info, size), RFC 5869 2.3.  ERR_RANGE above
 * KDF_EXPAND_MAX. */
enum err kdf_expand(struct span prk, struct span info, uint8_t *out,
		    size_t size) FDP_MUST_CHECK;

/* HKDF-Expand(prk, label || context, 32): 'label' without its terminating zero,
 * 'context' may be empty. */
void kdf_label(const struct secret *prk, const char *label, struct span context,
	       struct secret *out);

/* Stretches a password with Argon2id (RFC 9106; version 1.3, one lane,
 * KDF_STRETCH_PASSES over KDF_STRETCH_BYTES) into the CPace secret 'prs' and
 * the key schedule's salt 'psk'.  All nodes of a cluster get the same pair, so
 * the salt is public: SHA-256("fdp1 password salt\0" || cluster), its first 16
 * bytes.  Takes about a tenth of a second and 64 MiB: once per password, never
 * for something that came over the network.  ERR_LIMIT if the memory is not
 * there. */
enum err kdf_stretch(struct span password, struct span cluster,
		     struct secret *prs, struct secret *psk) FDP_MUST_CHECK;

/* One ephemeral 256-bit session key of an X25519 shared key and a password, in
 * the simplest way: SHA-256(crypto_box_beforenm(pub, sec) || password).
 *
 * fdp/1 grew out of this formula and keeps its ingredients, but does not use
 * it: whoever completes one exchange knows the shared key and can try passwords
 * offline, at the speed of SHA-256.  ERR_BAD_POINT for public keys of low
 * order, which would make the shared key a constant. */
enum err kdf_seed_session_key(const struct secret *x25519_secret,
			      const uint8_t x25519_public[32],
			      struct span password,
			      struct secret *out) FDP_MUST_CHECK;

#endif
