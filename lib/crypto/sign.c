#include "crypto/sign.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "util.h"

_Static_assert(SIGN_KEY_BYTES == crypto_sign_PUBLICKEYBYTES, "Ed25519");
_Static_assert(SIGN_BYTES == crypto_sign_BYTES, "Ed25519");
_Static_assert((int)SECRET_SIZE == (int)crypto_sign_SEEDBYTES, "a seed");
_Static_assert((int)SECRET_SIZE + (int)SIGN_KEY_BYTES ==
		       (int)crypto_sign_SECRETKEYBYTES,
	       "both halves");

void sign_pair_init(struct sign_pair *pair, const struct secret *seed)
{
	uint8_t both[crypto_sign_SECRETKEYBYTES];

	pair->seed = *seed;
	crypto_sign_seed_keypair(pair->key.b, both, seed->b);
	sodium_memzero(both, sizeof both);
}

void sign_pair_wipe(struct sign_pair *pair)
{
	secret_wipe(&pair->seed);
}

void sign(const struct sign_pair *pair, struct span data,
	  uint8_t out[SIGN_BYTES])
{
	/* As libsodium has it: the seed, then the public key. */
	uint8_t both[crypto_sign_SECRETKEYBYTES];

	memcpy(both, pair->seed.b, SECRET_SIZE);
	memcpy(both + SECRET_SIZE, pair->key.b, SIGN_KEY_BYTES);
	crypto_sign_detached(out, NULL, data.data, data.size, both);
	sodium_memzero(both, sizeof both);
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
