/* IPv4 packets in pieces (RFC 791 3.2), for senders that want it so: they have
 * not set DF, and cannot be told of a smaller MTU (packet/toobig.h). */
#ifndef FDP_PACKET_FRAGMENT_H
#define FDP_PACKET_FRAGMENT_H 1

#include "base/err.h"
#include "base/span.h"

enum {
	FRAGMENT_MTU_MIN = 68 /* RFC 791 3.2: the largest header, 8 bytes. */
};

/* Calls 'each' with the frames of at most 'mtu' bytes of IP that 'frame', which
 * has no VLAN tag, becomes, in their order; they are borrowed for the call.
 * ERR_REFUSED: not IPv4, or DF is set.  ERR_MALFORMED: its lengths are wrong.
 * ERR_RANGE: 'mtu' is less than FRAGMENT_MTU_MIN.  Then there was no call. */
enum err fragment_ipv4(struct span frame, uint32_t mtu,
		       void (*each)(void *aux, struct span fragment),
		       void *aux) FDP_MUST_CHECK;

#endif
