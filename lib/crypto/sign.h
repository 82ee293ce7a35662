/* Signatures: Ed25519 (RFC 8032).
 *
 * A host has one key pair for all its life; the secret half is the 32-byte
 * seed of RFC 8032 5.1.5, a struct secret like others.  Making the public half
 * of it takes as long as a signature, so the two are kept together.  Signing
 * draws no randomness.  What a signature is about, and that no signature can be
 * taken for one about something else, is the caller's affair
 * (session/identity.h).
 */
#ifndef FDP_CRYPTO_SIGN_H
#define FDP_CRYPTO_SIGN_H 1

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/span.h"

enum {
	SIGN_KEY_BYTES = 32, /* Public. */
	SIGN_BYTES = 64,
	SIGN_FINGERPRINT_STRLEN = 20 /* With the terminating zero. */
};

struct sign_key {
	uint8_t b[SIGN_KEY_BYTES]; /* Public. */
};

/* Made by sign_pair_init() and by nothing else: a signature with a key that
 * does not belong to the seed would give the seed away. */
struct sign_pair {
	struct secret seed;
	struct sign_key key;
};

void sign_pair_init(struct sign_pair *, const struct secret *seed);
void sign_pair_wipe(struct sign_pair *);

void sign(const struct sign_pair *, struct span data, uint8_t out[SIGN_BYTES]);

/* ERR_AUTH if 'signature' is not one of 'key' over 'data', or 'key' is of low
 * order. */
enum err sign_verify(const struct sign_key *key, struct span data,
		     const uint8_t signature[SIGN_BYTES]) FDP_MUST_CHECK;

bool sign_key_equal(const struct sign_key *, const struct sign_key *);

/* For people to compare: the first 64 bits of SHA-256(key), "0123-4567-...".
 * Returns 'buf'. */
const char *sign_fingerprint(const struct sign_key *,
			     char buf[SIGN_FINGERPRINT_STRLEN]);

#endif
