#include "mesh/backoff.h"

uint64_t backoff_us(unsigned int failures, const struct rng *rng)
{
	uint64_t ceiling = BACKOFF_BASE_US;

	for (; failures && ceiling < BACKOFF_MAX_US; failures--) {
		ceiling *= 2;
	}
	if (ceiling > BACKOFF_MAX_US) {
		ceiling = BACKOFF_MAX_US;
	}
	return BACKOFF_MIN_US + rng_range(rng, ceiling - BACKOFF_MIN_US + 1);
}
