/* Has this packet been here before?  The sliding window of RFC 6479: a bitmap
 * in a ring of words, so that moving on clears words instead of shifting bits.
 *
 * First replay_is_fresh(), then decrypt, and replay_update() only when that
 * succeeded: a forged number must not move the window (RFC 4303 3.4.3).
 */
#ifndef FDP_CRYPTO_REPLAY_H
#define FDP_CRYPTO_REPLAY_H 1

#include <stdbool.h>
#include <stdint.h>

enum {
	REPLAY_WORD_BITS = 64,
	REPLAY_WORDS_MAX = 256,
	/* Packets behind the newest that are still told apart, at most. */
	REPLAY_WINDOW_MAX = (REPLAY_WORDS_MAX - 1) * REPLAY_WORD_BITS
};

/* All members are private. */
struct replay {
	uint64_t newest;  /* Highest number accepted. */
	uint64_t limit;	  /* Numbers from here on are refused. */
	uint32_t window;  /* Packets behind 'newest' that are told apart. */
	uint32_t n_words; /* Of the ring in use; a power of two. */
	bool empty;	  /* Nothing accepted yet. */
	uint64_t words[REPLAY_WORDS_MAX];
};

/* A number may be up to 'window' (at most REPLAY_WINDOW_MAX) behind the newest.
 * Numbers from 'limit' on are refused, so that the caller rekeys before they
 * run out. */
void replay_init(struct replay *, uint32_t window, uint64_t limit);

/* Is 'seq' neither seen, nor too old, nor beyond the limit? */
bool replay_is_fresh(const struct replay *, uint64_t seq);

/* Notes 'seq', of which replay_is_fresh() was true and whose packet was
 * authentic.  Returns false, and changes nothing, if it is not fresh. */
bool replay_update(struct replay *, uint64_t seq);

#endif
