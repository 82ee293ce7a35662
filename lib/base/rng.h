/* Randomness is an input.  lib/ draws from an injected source, so that a test
 * can replay a run byte for byte; the daemon injects the kernel's. */
#ifndef FDP_BASE_RNG_H
#define FDP_BASE_RNG_H 1

#include <stddef.h>
#include <stdint.h>

struct rng {
	/* Fills 'buf' with 'size' bytes that nobody can predict. */
	void (*fill)(void *aux, void *buf, size_t size);
	void *aux; /* Borrowed, handed to 'fill'. */
};

static inline void rng_fill(const struct rng *rng, void *buf, size_t size)
{
	rng->fill(rng->aux, buf, size);
}

static inline uint32_t rng_u32(const struct rng *rng)
{
	uint32_t value;

	rng_fill(rng, &value, sizeof value);
	return value;
}

/* A number in [0, n), n > 0; the bias of the modulo is below n / 2^64. */
static inline uint64_t rng_range(const struct rng *rng, uint64_t n)
{
	uint64_t value;

	rng_fill(rng, &value, sizeof value);
	return value % n;
}

#endif
