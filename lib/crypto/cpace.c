#include "crypto/cpace.h"

#include <sodium.h>

#include "util.h"

/* Domain separation strings, draft-irtf-cfrg-cpace-21 section 7.3. */
static const char dsi[] = "CPaceRistretto255";
static const char dsi_isk[] = "CPaceRistretto255_ISK";

enum {
	DSI_BYTES = sizeof dsi - 1,
	DSI_ISK_BYTES = sizeof dsi_isk - 1,
	HASH_BLOCK_BYTES = 128 /* SHA-512. */
};

_Static_assert(CPACE_SHARE_BYTES == crypto_core_ristretto255_BYTES, "");
_Static_assert(CPACE_ISK_BYTES == crypto_hash_sha512_BYTES, "");
_Static_assert(SECRET_SIZE == crypto_core_ristretto255_SCALARBYTES, "");

static void absorb(crypto_hash_sha512_state *st, const void *data, size_t size)
{
	if (size) {
		crypto_hash_sha512_update(st, data, size);
	}
}

/* LEB128 of 'size' into 'out'; returns how many bytes it takes. */
static size_t leb128(size_t size, uint8_t out[10])
{
	size_t n = 0;

	do {
		uint8_t low = size & 0x7f;

		size >>= 7;
		out[n++] = (uint8_t)(low | (size ? 0x80 : 0));
	} while (size);
	return n;
}

/* prepend_len() of the draft: the length in LEB128, then the bytes. */
static void absorb_with_length(crypto_hash_sha512_state *st, const void *data,
			       size_t size)
{
	uint8_t length[10];

	absorb(st, length, leb128(size, length));
	absorb(st, data, size);
}

void cpace_scalar(const struct rng *rng, struct secret *scalar)
{
	uint8_t draw[crypto_core_ristretto255_NONREDUCEDSCALARBYTES];

	rng_fill(rng, draw, sizeof draw);
	crypto_core_ristretto255_scalar_reduce(scalar->b, draw);
	sodium_memzero(draw, sizeof draw);
}

void cpace_generator(const struct cpace_context *c,
		     uint8_t out[CPACE_SHARE_BYTES])
{
	static const uint8_t zeros[HASH_BLOCK_BYTES];
	crypto_hash_sha512_state st;
	uint8_t hash[crypto_hash_sha512_BYTES], unused[10];
	size_t before, n_zeros;

	/* Zeros fill the first hash block after the password, so that the
	 * time taken says nothing about what follows. */
	before = 1 + leb128(DSI_BYTES, unused) + DSI_BYTES +
		 leb128(c->prs.size, unused) + c->prs.size;
	n_zeros = before < HASH_BLOCK_BYTES ? HASH_BLOCK_BYTES - before : 0;

	crypto_hash_sha512_init(&st);
	absorb_with_length(&st, dsi, DSI_BYTES);
	absorb_with_length(&st, c->prs.data, c->prs.size);
	absorb_with_length(&st, zeros, n_zeros);
	absorb_with_length(&st, c->ci.data, c->ci.size);
	absorb_with_length(&st, c->sid.data, c->sid.size);
	crypto_hash_sha512_final(&st, hash);
	(void)crypto_core_ristretto255_from_hash(out, hash); /* Cannot fail. */
	sodium_memzero(&st, sizeof st);
	sodium_memzero(hash, sizeof hash);
}

enum err cpace_share(const struct cpace_context *c, const struct secret *scalar,
		     uint8_t share[CPACE_SHARE_BYTES])
{
	uint8_t g[CPACE_SHARE_BYTES];
	int error;

	cpace_generator(c, g);
	error = crypto_scalarmult_ristretto255(share, scalar->b, g);
	/* The generator is a function of the password. */
	sodium_memzero(g, sizeof g);
	return error ? ERR_BAD_POINT : FDP_OK;
}

enum err cpace_finish(struct span sid, const struct secret *scalar,
		      const uint8_t peer_share[CPACE_SHARE_BYTES],
		      const struct cpace_transcript *t,
		      uint8_t isk[CPACE_ISK_BYTES])
{
	crypto_hash_sha512_state st;
	uint8_t k[CPACE_SHARE_BYTES];

	/* -1 for undecodable elements and for the identity, both as input and
	 * as result; crypto_core_ristretto255_is_valid_point() would let the
	 * identity pass. */
	if (crypto_scalarmult_ristretto255(k, scalar->b, peer_share)) {
		sodium_memzero(k, sizeof k);
		return ERR_BAD_POINT;
	}
	crypto_hash_sha512_init(&st);
	absorb_with_length(&st, dsi_isk, DSI_ISK_BYTES);
	absorb_with_length(&st, sid.data, sid.size);
	absorb_with_length(&st, k, sizeof k);
	absorb_with_length(&st, t->share_i, CPACE_SHARE_BYTES);
	absorb_with_length(&st, t->ad_i.data, t->ad_i.size);
	absorb_with_length(&st, t->share_r, CPACE_SHARE_BYTES);
	absorb_with_length(&st, t->ad_r.data, t->ad_r.size);
	crypto_hash_sha512_final(&st, isk);
	sodium_memzero(&st, sizeof st);
	sodium_memzero(k, sizeof k);
	return FDP_OK;
}
