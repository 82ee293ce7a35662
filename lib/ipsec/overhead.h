/* What the tunnel costs: the largest inner packet that fits the path. */
#ifndef FDP_IPSEC_OVERHEAD_H
#define FDP_IPSEC_OVERHEAD_H 1

#include <stdbool.h>
#include <stdint.h>

/* The inner MTU (bytes of IP packet in a container) over a path of
 * 'path_mtu' bytes; exact: one byte more does not fit.  0 if nothing does. */
uint32_t overhead_inner_mtu(uint32_t path_mtu, bool v6, bool encrypted);

#endif
