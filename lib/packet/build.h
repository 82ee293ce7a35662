/* Makes the Ethernet frame that a flow key describes: the opposite of
 * packet/parse.h, for the daemon's own answers and for tests. */
#ifndef FDP_PACKET_BUILD_H
#define FDP_PACKET_BUILD_H 1

#include "base/span.h"
#include "packet/flow.h"

/* Appends the frame.  'payload' follows the last header that the key knows:
 * for TCP, UDP and SCTP their header, for ICMP and ICMPv6 the checksum (so it
 * starts with what the type lays into the second word, zero if it is empty),
 * for neighbour solicitation and advertisement it is that second word alone.
 *
 * The headers have no options; a first fragment has "more fragments" set, a
 * later one has the offset 1,480 and only the payload.  Checksums are right,
 * but zero in fragments, and SCTP's always.  A later fragment in IPv6 goes on
 * with UDP. */
void build_frame(struct wbuf *, const struct flow *, struct span payload);

#endif
