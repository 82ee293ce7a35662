/* Lanes: several SAs to one peer, so that several CPUs encrypt and decrypt.
 *
 * The datapath marks what goes through lane L with L in a field of skb->mark.
 * A lane's IPsec policy is for packets with its mark and pinned to an SA of its
 * own (ipsec/policy.h).  Lane 0 is the peer's policy without a mark: what has
 * no mark, or that of a lane which is not there, goes through it, encrypted all
 * the same.
 *
 * A flow has one lane, so its packets stay in order.  A lane is chosen by both
 * MAC addresses, which a megaflow matches exactly anyway, and, where there are
 * ports and no fragments, by a few bits of both ports.  Of a fragmented packet
 * only the first part shows the ports: all parts do without them.
 *
 * The field: Kubernetes uses 0x4000 and 0x8000, Cilium 0x0f00, Calico and
 * Tailscale the upper half, and people the lowest bits.
 */
#ifndef FDP_DATAPATH_LANE_H
#define FDP_DATAPATH_LANE_H 1

#include <stdint.h>

#include "packet/flow.h"

enum {
	LANES_MAX = 16, /* To a peer, and as many from it. */
	LANE_MARK_MASK = 0xf0,
	LANE_MARK_SHIFT = 4
};

/* The bits of LANE_MARK_MASK that are set in packets of 'lane'. */
uint32_t lane_mark(unsigned int lane);

/* The bits of each port that choose between 'n' lanes. */
uint16_t lane_port_bits(unsigned int n);

/* The lane, out of 'n' (1 to LANES_MAX), for packets of 'flow'.  Adds to 'mask'
 * what was looked at: nothing if 'n' is 1. */
unsigned int lane_choose(const struct flow *flow, unsigned int n,
			 struct flow *mask);

#endif
