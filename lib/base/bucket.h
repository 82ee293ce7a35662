/* A token bucket: so many a second, and so many at once after a pause. */
#ifndef FDP_BASE_BUCKET_H
#define FDP_BASE_BUCKET_H 1

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	uint32_t rate;	/* Tokens a second; not 0. */
	uint32_t burst; /* Most that it holds. */
	/* What it holds in millionths of a token, and when that was so. */
	uint64_t content;
	uint64_t when_us;
};

/* Full. */
void bucket_init(struct bucket *, uint32_t rate, uint32_t burst,
		 uint64_t now_us);
/* Takes 'n' tokens; false, and takes none, if there are not so many. */
bool bucket_take(struct bucket *, uint32_t n, uint64_t now_us);
/* How many it held when it was last asked. */
uint32_t bucket_left(const struct bucket *);
/* Gives back tokens that were taken and not needed. */
void bucket_give(struct bucket *, uint32_t n);
/* When there will be 'n' (at most 'burst') if nobody takes any. */
uint64_t bucket_ready_us(const struct bucket *, uint32_t n);

#endif
