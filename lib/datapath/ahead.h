/* Packets that are likely to come: what one station may send to another first.
 *
 * The keys are such that, with the masks that the pipeline leaves
 * (datapath/guard.c, lane.c), each stands for its whole class:
 *
 *	IPv4	ICMP; TCP; UDP from an ephemeral port; ARP, question and answer
 *	IPv6	the same with echo and neighbour discovery, if both have an
 *		address besides the link-local one
 *
 * from each address of the sender.  What is not among them has its first packet
 * taken to the daemon, as ever: fragments, other protocols, UDP from ports that
 * are not ephemeral, neighbour discovery with unusual options; and TCP and UDP
 * to peers if there are more lanes than AHEAD_LANES_MAX, or three, which take
 * as many bits of the ports as five.
 */
#ifndef FDP_DATAPATH_AHEAD_H
#define FDP_DATAPATH_AHEAD_H 1

#include "base/binding.h"
#include "packet/flow.h"

enum {
	AHEAD_LANES_MAX = 4 /* More would take too many flows. */
};

/* Calls 'visit' with each key.  'base' says where the packet comes from: port,
 * tunnel, tag.  'n_lanes' is what it is spread over. */
void ahead_each_key(const struct flow *base, const struct binding *src,
		    const struct binding *dst, unsigned int n_lanes,
		    void (*visit)(void *aux, const struct flow *key),
		    void *aux);

#endif
