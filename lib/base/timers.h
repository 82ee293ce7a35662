/* Which of many things is due next: a heap of times, so that neither to ask nor
 * to set one costs more than the logarithm of their number.
 *
 * A timer is a member of what it belongs to, who takes it off before that is
 * freed.  All zeros it is off.  It says when to look, not what for: to look too
 * early does no harm, so a time may be set and what it was for may go.
 */
#ifndef FDP_BASE_TIMERS_H
#define FDP_BASE_TIMERS_H 1

#include <stdbool.h>
#include <stdint.h>

#include "heap.h"

struct timer {
	struct heap_node node; /* In timers.heap if 'idx' is not 0. */
};

struct timers {
	struct heap heap;
};

void timers_init(struct timers *);
/* Of timers that are on nothing is left; their owners go with it. */
void timers_done(struct timers *);

/* Sets it to 'when_us' unless it is due before; UINT64_MAX is never. */
void timer_by(struct timers *, struct timer *, uint64_t when_us);
void timer_off(struct timers *, struct timer *);

/* Takes off one that is due; NULL: none is. */
struct timer *timers_take(struct timers *, uint64_t now_us);
/* When the next one is; UINT64_MAX: there is none. */
uint64_t timers_next_us(const struct timers *);

#endif
