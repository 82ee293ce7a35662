/* What the fuzz targets have in common: one source file, one program each, that
 * libFuzzer feeds.  An input is a little program for its target; running out of
 * bytes reads as zeros.  Nothing is random but the input, so that every file of
 * the corpus replays. */
#ifndef FDP_TESTS_FUZZ_H
#define FDP_TESTS_FUZZ_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/span.h"

#ifndef FDP_SOURCE_DIR
#define FDP_SOURCE_DIR "." /* Nobody reads files here. */
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(CONDITION)                                                     \
	do {                                                                   \
		if (!(CONDITION)) {                                            \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, \
				__LINE__, #CONDITION);                         \
			abort();                                               \
		}                                                              \
	} while (0)

static inline uint8_t fuzz_u8(struct span *in)
{
	uint8_t v = 0;

	(void)!span_u8(in, &v);
	return v;
}

static inline uint16_t fuzz_u16(struct span *in)
{
	uint8_t high = fuzz_u8(in);

	return (uint16_t)(high << 8 | fuzz_u8(in));
}

/* Up to 'size' bytes: what there is. */
static inline struct span fuzz_take(struct span *in, size_t size)
{
	struct span cut = {NULL, 0};

	(void)!span_cut(in, size < in->size ? size : in->size, &cut);
	return cut;
}

/* A copy of exactly that size on the heap, so that one byte too far is seen. */
static inline uint8_t *fuzz_copy(struct span s)
{
	uint8_t *copy = malloc(s.size ? s.size : 1);

	REQUIRE(copy);
	if (s.size) {
		memcpy(copy, s.data, s.size);
	}
	return copy;
}

/* SplitMix64; 'aux' is its state. */
static inline void fuzz_fill(void *aux, void *buf, size_t size)
{
	uint64_t *state = aux;
	uint8_t *b = buf;

	for (size_t i = 0; i < size; i++) {
		uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		b[i] = (uint8_t)(z >> 56);
	}
}

#endif
