/* Flows, keys and actions as text, in the words of ovs-dpctl. */
#ifndef FDP_KMOD_GLUE_FLOW_PRINT_H
#define FDP_KMOD_GLUE_FLOW_PRINT_H 1

#include <stdint.h>

#include "netlink/odp.h"
#include "packet/action.h"
#include "packet/flow.h"

struct ds;

/* Appends the line that `ovs-dpctl dump-flows` prints for a flow of a full
 * dump, without a newline.  'now_ms' is CLOCK_MONOTONIC in milliseconds. */
void flow_print_line(struct ds *, const struct odp_flow *, uint64_t now_ms);

/* The parts of that line: "packets:1, bytes:98, used:0.120s". */
void flow_print_stats(struct ds *, const struct odp_flow_stats *,
		      uint64_t now_ms);

/* A key of ours; with 'mask' as `ovs-dpctl dump-flows` shows the flow that it
 * makes, without (NULL) all fields. */
void flow_print_key(struct ds *, const struct flow *key,
		    const struct flow *mask);
/* "drop" for none. */
void flow_print_actions(struct ds *, const struct actions *);

#endif
