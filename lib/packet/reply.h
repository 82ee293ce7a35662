/* Answers that the daemon gives for endpoints it knows: an ARP reply, a
 * neighbour advertisement.  A question that everybody in a network would have
 * to hear so becomes one frame back to the asker.
 */
#ifndef FDP_PACKET_REPLY_H
#define FDP_PACKET_REPLY_H 1

#include "base/addr.h"
#include "base/span.h"
#include "packet/flow.h"

/* Appends the whole Ethernet frame that tells the sender of the ARP request
 * 'question' that its target protocol address is at 'answer' (RFC 826). */
void reply_arp(struct wbuf *, const struct flow *question,
	       const struct mac *answer);

/* Appends the neighbour advertisement, as a whole Ethernet frame, that answers
 * the neighbour solicitation 'question' with 'answer': to the asker with the
 * solicited flag, or, if that has no address yet, to all nodes without it
 * (RFC 4861 4.4, 7.2.4). */
void reply_neighbour(struct wbuf *, const struct flow *question,
		     const struct mac *answer);

/* Appends what tells everybody in a network that 'ip' is at 'mac' now, though
 * nobody has asked: an ARP announcement (RFC 5227 3), or an unsolicited
 * neighbour advertisement (RFC 4861 7.2.6). */
void reply_unasked(struct wbuf *, const struct ip_addr *ip, const struct mac *);

#endif
