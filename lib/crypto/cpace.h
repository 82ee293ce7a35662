/* CPace, a balanced password-authenticated key exchange, as
 * CPACE-RISTR255-SHA512 of draft-irtf-cfrg-cpace-21 (group ristretto255, RFC
 * 9496; hash SHA-512; initiator/responder transcript).
 *
 * The password only picks the generator.  Every transcript therefore fits every
 * password, and somebody who takes part actively tests one guess per run.  Both
 * sides:
 *
 *	cpace_share()	own scalar -> own share, sent to the other side
 *	cpace_finish()	other side's share -> ISK, the intermediate session key
 *
 * The ISK is not confirmed: the caller must see a proof of it before use.
 */
#ifndef FDP_CRYPTO_CPACE_H
#define FDP_CRYPTO_CPACE_H 1

#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"
#include "base/secret.h"
#include "base/span.h"

enum {
	CPACE_SHARE_BYTES = 32,
	CPACE_ISK_BYTES = 64
};

/* What both sides must agree on before: password-related string, channel
 * identifier, session id (both nonces). */
struct cpace_context {
	struct span prs, ci, sid;
};

/* Draws 64 bytes and reduces them modulo the group's order: a uniform scalar
 * whose bias is below 2^-250.  libsodium's own scalar_random() cannot be given
 * its randomness. */
void cpace_scalar(const struct rng *, struct secret *scalar);

/* calculate_generator() of the draft, sections 6.2 and 7.3. */
void cpace_generator(const struct cpace_context *,
		     uint8_t out[CPACE_SHARE_BYTES]);

/* 'share' = scalar times the generator.  ERR_BAD_POINT if that is the identity,
 * which does not happen by chance. */
enum err cpace_share(const struct cpace_context *, const struct secret *scalar,
		     uint8_t share[CPACE_SHARE_BYTES]) FDP_MUST_CHECK;

/* Both shares with their associated data, in the order of the roles. */
struct cpace_transcript {
	const uint8_t *share_i, *share_r; /* CPACE_SHARE_BYTES each. */
	struct span ad_i, ad_r;
};

/* Multiplies 'peer_share' and hashes the ISK.  ERR_BAD_POINT if it is not a
 * canonical ristretto255 element or leads to the identity. */
enum err cpace_finish(struct span sid, const struct secret *scalar,
		      const uint8_t peer_share[CPACE_SHARE_BYTES],
		      const struct cpace_transcript *,
		      uint8_t isk[CPACE_ISK_BYTES]) FDP_MUST_CHECK;

#endif
