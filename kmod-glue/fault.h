/* Death on demand, for tests of what the kernel is left with.
 *
 * Builds with -DFDP_FAULTS (CMake option FDP_FAULTS: presets dev and asan,
 * never release) kill themselves after a certain op, as kill -9 at that very
 * moment would.  Which one is said by FDP_FAULT_AFTER=N in the environment, for
 * a start, or by the control socket's fault/die-after N, for what comes later;
 * fault/ops tells how many there have been.  Lint sees to it that nothing of
 * this is in other builds.
 */
#ifndef FDP_GLUE_FAULT_H
#define FDP_GLUE_FAULT_H 1

#include <stdbool.h>

#include "engine/op.h"

#ifdef FDP_FAULTS
/* Reads the environment, registers the commands; again is harmless. */
void fault_init(void);
/* Counts 'op'; is it the last of this life?  What only speaks to an operator
 * is not counted: it is no moment of its own. */
bool fault_is_last(const struct op *);
/* SIGKILL to ourselves. */
void fault_die(void);
#else
static inline void fault_init(void)
{
}

static inline bool fault_is_last(const struct op *op)
{
	(void)op;
	return false;
}

static inline void fault_die(void)
{
}
#endif

#endif
