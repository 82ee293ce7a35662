/* A 32-byte secret: a key, or something a key is made of.
 *
 * It can be wiped and compared in constant time; there is no way to print it,
 * so it cannot end in a log.  Whoever holds one wipes it on every path.
 */
#ifndef FDP_BASE_SECRET_H
#define FDP_BASE_SECRET_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SECRET_SIZE = 32
};

struct secret {
	uint8_t b[SECRET_SIZE];
};

/* Overwrites in a way that the compiler does not remove. */
void secret_wipe(struct secret *);
/* The same for any other memory that held secrets. */
void secret_wipe_bytes(void *, size_t size);

/* Time depends on nothing but the size. */
bool secret_equal(const struct secret *, const struct secret *);

#endif
