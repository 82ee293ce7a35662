/* Sequence numbers for threads that seal with one key.
 *
 * A number must never be used twice, and the other side takes only those that
 * lie in its window behind the newest.  A thread takes a block at a time, so
 * that threads seldom meet.  What is left of a block when the others have gone
 * on by more than half of a window is thrown away: nobody would take it.
 */
#ifndef FDP_GLUE_SEQ_BLOCK_H
#define FDP_GLUE_SEQ_BLOCK_H 1

#include <stdbool.h>
#include <stdint.h>

#include "ovs-atomic.h"

enum {
	SEQ_BLOCK = 256 /* CUT_NUMBERS_MIN of lib/sleeve/cut.h, at least. */
};

struct seq_source {
	atomic_uint64_t next;
	uint64_t limit; /* Never used, nor any above. */
};

void seq_source_init(struct seq_source *, uint64_t first, uint64_t limit);

/* The first number that nobody has. */
uint64_t seq_source_next(const struct seq_source *);

/* Takes SEQ_BLOCK numbers, or those that are left: [*from, *end).  False if
 * there are none. */
bool seq_block_take(struct seq_source *, uint64_t *from, uint64_t *end);

/* Is 'seq', of a block taken before, too old for a window of 'window'? */
bool seq_block_is_stale(const struct seq_source *, uint64_t seq,
			uint64_t window);

#endif
