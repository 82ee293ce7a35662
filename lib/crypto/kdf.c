#include "crypto/kdf.h"

#include <string.h>

#include <sodium.h>

#include "util.h"

_Static_assert(KDF_HASH_BYTES == crypto_auth_hmacsha256_BYTES, "SHA-256");
_Static_assert((int)KDF_HASH_BYTES == (int)SECRET_SIZE,
	       "a hash makes a secret");

static void absorb(crypto_auth_hmacsha256_state *st, struct span s)
{
	if (s.size) {
		crypto_auth_hmacsha256_update(st, s.data, s.size);
	}
}

void kdf_hmac(struct span key, struct span data, uint8_t out[KDF_HASH_BYTES])
{
	crypto_auth_hmacsha256_state st;

	crypto_auth_hmacsha256_init(&st, key.data, key.size);
	absorb(&st, data);
	crypto_auth_hmacsha256_final(&st, out);
	sodium_memzero(&st, sizeof st);
}

void kdf_extract(struct span salt, struct span ikm, struct secret *prk)
{
	kdf_hmac(salt, ikm, prk->b);
}

/* The expansion over an info in two pieces; 'size' within KDF_EXPAND_MAX. */
static void expand(struct span prk, struct span info, struct span more,
		   uint8_t *out, size_t size)
{
	crypto_auth_hmacsha256_state st;
	uint8_t block[KDF_HASH_BYTES];
	size_t done = 0;

	ovs_assert(size <= KDF_EXPAND_MAX);
	for (uint8_t counter = 1; done < size; counter++) {
		size_t n = MIN(size - done, sizeof block);

		crypto_auth_hmacsha256_init(&st, prk.data, prk.size);
		if (done) {
			absorb(&st, span_of(block, sizeof block));
		}
		absorb(&st, info);
		absorb(&st, more);
		absorb(&st, span_of(&counter, 1));
		crypto_auth_hmacsha256_final(&st, block);
		memcpy(out + done, block, n);
		done += n;
	}
	sodium_memzero(&st, sizeof st);
	sodium_memzero(block, sizeof block);
}

enum err kdf_expand(struct span prk, struct span info, uint8_t *out,
		    size_t size)
{
	if (size > KDF_EXPAND_MAX) {
		return ERR_RANGE;
	}
	expand(prk, info, span_of(NULL, 0), out, size);
	return FDP_OK;
}

void kdf_label(const struct secret *prk, const char *label, struct span context,
	       struct secret *out)
{
	expand(span_of(prk->b, sizeof prk->b), span_of(label, strlen(label)),
	       context, out->b, sizeof out->b);
}

enum err kdf_stretch(struct span password, struct span cluster,
		     struct secret *prs, struct secret *psk)
{
	static const char label[] = "fdp1 password salt";
	crypto_hash_sha256_state st;
	uint8_t salt[KDF_HASH_BYTES];
	uint8_t both[2 * SECRET_SIZE];
	const char *text;

	_Static_assert(sizeof salt >= crypto_pwhash_argon2id_SALTBYTES,
		       "the salt is the front of a hash");
	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, (const uint8_t *)label, sizeof label);
	if (cluster.size) {
		crypto_hash_sha256_update(&st, cluster.data, cluster.size);
	}
	crypto_hash_sha256_final(&st, salt);

	text = password.size ? (const char *)password.data : "";
	if (crypto_pwhash_argon2id(both, sizeof both, text, password.size, salt,
				   KDF_STRETCH_PASSES, KDF_STRETCH_BYTES,
				   crypto_pwhash_argon2id_ALG_ARGON2ID13)) {
		return ERR_LIMIT;
	}
	memcpy(prs->b, both, SECRET_SIZE);
	memcpy(psk->b, both + SECRET_SIZE, SECRET_SIZE);
	sodium_memzero(both, sizeof both);
	return FDP_OK;
}

enum err kdf_seed_session_key(const struct secret *x25519_secret,
			      const uint8_t x25519_public[32],
			      struct span password, struct secret *out)
{
	crypto_hash_sha256_state st;
	struct secret shared;

	if (crypto_box_beforenm(shared.b, x25519_public, x25519_secret->b)) {
		secret_wipe(&shared);
		return ERR_BAD_POINT;
	}
	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, shared.b, sizeof shared.b);
	if (password.size) {
		crypto_hash_sha256_update(&st, password.data, password.size);
	}
	crypto_hash_sha256_final(&st, out->b);
	sodium_memzero(&st, sizeof st);
	secret_wipe(&shared);
	return FDP_OK;
}
