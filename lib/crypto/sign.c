#include "crypto/sign.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "util.h"

_Static_assert(SIGN_KEY_BYTES == crypto_sign_PUBLICKEYBYTES, "Ed25519");
_Static_assert(SIGN_BYTES == crypto_sign_BYTES, "Ed25519");
_Static_assert((int)SECRET_SIZE == (int)crypto_sign_SEEDBYTES, "a seed");

void sign_public(const struct secret *seed, struct sign_key *key)
{
	uint8_t pair[crypto_sign_SECRETKEYBYTES];

	crypto_sign_seed_keypair(key->b, pair, seed->b);
	sodium_memzero(pair, sizeof pair);
}

void sign(const struct secret *seed, struct span data, uint8_t out[SIGN_BYTES])
{
	uint8_t pair[crypto_sign_SECRETKEYBYTES], key[SIGN_KEY_BYTES];

	crypto_sign_seed_keypair(key, pair, seed->b);
	crypto_sign_detached(out, NULL, data.data, data.size, pair);
	sodium_memzero(pair, sizeof pair);
}

enum err sign_verify(const struct sign_key *key, struct span data,
		     const uint8_t signature[SIGN_BYTES])
{
	return crypto_sign_verify_detached(signature, data.data, data.size,
					   key->b)
		       ? ERR_AUTH
		       : FDP_OK;
}

bool sign_key_equal(const struct sign_key *a, const struct sign_key *b)
{
	return !memcmp(a->b, b->b, sizeof a->b);
}

const char *sign_fingerprint(const struct sign_key *key,
			     char buf[SIGN_FINGERPRINT_STRLEN])
{
	uint8_t hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, key->b, sizeof key->b);
	for (size_t i = 0; i < 8; i += 2) {
		snprintf(buf + i / 2 * 5, 6, "%02x%02x%s", hash[i], hash[i + 1],
			 i < 6 ? "-" : "");
	}
	return buf;
}
