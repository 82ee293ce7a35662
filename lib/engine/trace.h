/* `fdpctl trace`: the pipeline run on a described packet, told in words. */
#ifndef FDP_ENGINE_TRACE_H
#define FDP_ENGINE_TRACE_H 1

#include "engine/state.h"

struct ds;

/* The answer to the trace command (control/control.h).  Changes nothing. */
struct json *trace_run(const struct engine *, const struct flow *);

/* A flow as ovs-dpctl prints it: appends what it matches, what it does. */
void trace_match(struct ds *, const struct flow *key, const struct flow *mask);
void trace_actions(struct ds *, const struct actions *);

#endif
