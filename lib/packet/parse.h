/* Reads an Ethernet frame into a flow key, as the kernel datapath does.
 *
 * Same answers as key_extract() in net/openvswitch/flow.c, which also decides
 * what a damaged packet looks like: a header that does not fit into the frame
 * leaves its fields zero, an IPv6 chain of headers that cannot be followed to
 * its end leaves the protocol at "no next header" (59), a later fragment of
 * IPv6 has the protocol 44.  Lengths inside the IP headers are not compared
 * with that of the frame, checksums are not looked at.
 */
#ifndef FDP_PACKET_PARSE_H
#define FDP_PACKET_PARSE_H 1

#include "base/err.h"
#include "base/span.h"
#include "packet/flow.h"

/* Fills in everything that can be known of the frame alone; 'in_port' and
 * 'tunnel' are zero.  ERR_TRUNCATED: shorter than an Ethernet header. */
enum err parse_frame(struct span frame, struct flow *) FDP_MUST_CHECK;

#endif
