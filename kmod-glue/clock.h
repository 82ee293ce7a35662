/* The time and the randomness of a running daemon: what the engine, which has
 * neither, is given. */
#ifndef FDP_GLUE_CLOCK_H
#define FDP_GLUE_CLOCK_H 1

#include <stdint.h>

#include "base/rng.h"

/* CLOCK_BOOTTIME in microseconds: never goes back, counts suspended time. */
uint64_t clock_boottime_us(void);

/* CLOCK_REALTIME in microseconds since 1970, for what outlives a boot. */
uint64_t clock_wall_us(void);

/* What the kernel's getrandom() gives.  Usable after sodium_init(). */
extern const struct rng system_rng;

#endif
