/* `fdpctl trace`: the pipeline run on a described packet, told in words. */
#ifndef FDP_ENGINE_TRACE_H
#define FDP_ENGINE_TRACE_H 1

#include "engine/state.h"

/* The answer to the trace command (control/control.h).  Changes nothing. */
struct json *trace_run(const struct engine *, const struct flow *);

#endif
