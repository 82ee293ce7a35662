/* The spoof guard: what an endpoint may send.
 *
 * A container is free to write anything into its frames.  Everybody else in
 * the network, here and behind other peers, relies on this guard for the claim
 * that a frame comes from the endpoint whose MAC and IP addresses it bears,
 * and that no endpoint poses as a router or DHCP server.  It judges frames
 * twice: where they come from the endpoint, and where they come out of the
 * tunnel, as a peer may vouch for its own endpoints and for nobody else's.
 */
#ifndef FDP_DATAPATH_GUARD_H
#define FDP_DATAPATH_GUARD_H 1

#include "base/binding.h"
#include "base/reason.h"
#include "packet/flow.h"

/* Judges a packet 'f' that came from the endpoint 'own', here or at a peer;
 * REASON_NONE lets it pass.  Adds to 'mask' what it looked at: the source MAC
 * and the ethertype always, for IP also the fragment field.
 *
 * After it passed, the mask also settles whether the packet is an ARP packet
 * or a neighbour solicitation (flow_is_nd() and type 135). */
enum reason guard_endpoint(const struct binding *own, const struct flow *f,
			   struct flow *mask);

#endif
