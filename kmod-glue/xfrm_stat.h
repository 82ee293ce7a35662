/* The kernel's counters of packets that IPsec did not take or send. */
#ifndef FDP_GLUE_XFRM_STAT_H
#define FDP_GLUE_XFRM_STAT_H 1

#include <stdbool.h>

#include "base/err.h"
#include "mesh/diagnosis.h"

/* Adds them up into 'no_sa', 'not_authentic', 'policy' and 'other': those of
 * what comes in, or of what goes out.  0 or an errno value: ENOENT if the
 * kernel has no such counters (CONFIG_XFRM_STATISTICS). */
int xfrm_stat_read(bool inbound, struct ipsec_sight *) FDP_MUST_CHECK;

#endif
