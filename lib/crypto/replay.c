#include "crypto/replay.h"

#include <string.h>

#include "util.h"

void replay_init(struct replay *r, uint32_t window, uint64_t limit)
{
	ovs_assert(window <= REPLAY_WINDOW_MAX);
	memset(r, 0, sizeof *r);
	r->limit = limit;
	r->window = window;
	r->empty = true;
	/* The newest number's word is only partly behind it, so the window
	 * needs one word more than it has bits for. */
	r->n_words = 2;
	while ((r->n_words - 1) * REPLAY_WORD_BITS < window) {
		r->n_words *= 2;
	}
}

static uint32_t word_index(const struct replay *r, uint64_t seq)
{
	return (uint32_t)(seq / REPLAY_WORD_BITS) & (r->n_words - 1);
}

static uint64_t bit_of(uint64_t seq)
{
	return UINT64_C(1) << (seq % REPLAY_WORD_BITS);
}

bool replay_is_fresh(const struct replay *r, uint64_t seq)
{
	if (seq >= r->limit) {
		return false;
	}
	if (r->empty || seq > r->newest) {
		return true;
	}
	return r->newest - seq <= r->window &&
	       !(r->words[word_index(r, seq)] & bit_of(seq));
}

bool replay_update(struct replay *r, uint64_t seq)
{
	if (!replay_is_fresh(r, seq)) {
		return false;
	}
	if (r->empty || seq > r->newest) {
		uint64_t from = r->newest / REPLAY_WORD_BITS;
		uint64_t n = MIN(seq / REPLAY_WORD_BITS - from, r->n_words);

		for (uint64_t i = 1; i <= n; i++) {
			r->words[(from + i) & (r->n_words - 1)] = 0;
		}
		r->newest = seq;
		r->empty = false;
	}
	r->words[word_index(r, seq)] |= bit_of(seq);
	return true;
}
