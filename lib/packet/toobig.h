/* The answer to a packet that is too large for the way: ICMP "fragmentation
 * needed" (RFC 1191) or ICMPv6 "packet too big" (RFC 4443 3.2).  How often that
 * is said is the caller's affair. */
#ifndef FDP_PACKET_TOOBIG_H
#define FDP_PACKET_TOOBIG_H 1

#include "base/err.h"
#include "base/span.h"

/* Appends the frame that tells the sender of 'frame' (its front will do) to
 * send nothing larger than 'mtu'.  It seems to come from whom the packet was
 * for.  ERR_REFUSED: nobody can or may be told (not IP, IPv4 without DF, from
 * or to a group, a later fragment, itself an ICMP error).  ERR_TRUNCATED. */
enum err toobig_reply(struct span frame, uint32_t mtu,
		      struct wbuf *out) FDP_MUST_CHECK;

#endif
