/* When to try again: exponential growth with full jitter, so that a thousand
 * hosts that lost the same peer do not come back in one wave. */
#ifndef FDP_MESH_BACKOFF_H
#define FDP_MESH_BACKOFF_H 1

#include <stdint.h>

#include "base/rng.h"

enum {
	BACKOFF_BASE_US = 500 * 1000,
	BACKOFF_MAX_US = 60 * 1000 * 1000,
	BACKOFF_MIN_US = 100 * 1000
};

/* The wait in microseconds after 'failures' (1 or more) failures in a row:
 * uniform in [BACKOFF_MIN_US, min(BACKOFF_MAX_US, base * 2^failures)]. */
uint64_t backoff_us(unsigned int failures, const struct rng *);

#endif
