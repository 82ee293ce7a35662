/* Why nothing gets through a tunnel, from what tests have shown.
 *
 * The tests are engine/check.c's: look at both ends, send a few probes through
 * one SA and a datagram from a socket, look again.  What counted up in between,
 * and what did not, tells where the packets stay; nothing is guessed.
 */
#ifndef FDP_MESH_DIAGNOSIS_H
#define FDP_MESH_DIAGNOSIS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/reason.h"

/* What a kernel says of one SA, and of packets that it did not take or send
 * (/proc/net/xfrm_stat, sums). */
struct ipsec_sight {
	bool seen; /* Else nothing of it is known. */
	bool exists;
	uint64_t packets;
	/* All 0 unless 'counted': not every kernel does. */
	bool counted;
	uint64_t no_sa, not_authentic, policy, other;
};

/* One test.  The differences are those between the two looks. */
struct evidence {
	bool sleeve;  /* It is about the sleeve: neither SAs nor VXLAN. */
	bool esp;     /* There are SAs; else the tunnel is plain. */
	uint32_t spi; /* The SA in question. */
	unsigned int lane;

	bool routed; /* A route was looked up... */
	int route_errno;
	char route_ifname[16]; /* ...and leads there. */

	unsigned int n_probes; /* Sent through the datapath. */
	bool sent;	       /* A datagram was sent from a socket... */
	int send_errno;	       /* ...with this result. */

	struct ipsec_sight here;  /* At the sending side of the SA. */
	struct ipsec_sight there; /* At the receiving one. */
	bool answered;		  /* The other host said what it has: */
	uint64_t heard;		  /* probes. */

	/* The sleeve beside fastdp, which is probed all the time. */
	bool beside;
	bool beside_dead;
	int beside_errno; /* The kernel does not send its datagrams. */
};

/* The cause; REASON_NONE if the tests do not show one, as something is missing
 * or all arrived.  The detail may be "". */
enum reason diagnose(const struct evidence *, char *detail, size_t size);

/* In words, test by test: what was tried, what was seen. */
typedef void evidence_fn(void *aux, const char *tried, const char *seen);
void evidence_each(const struct evidence *, evidence_fn *, void *aux);

/* What the kernel means by such an answer to a question for a route. */
const char *route_errno_text(int os_errno);

#endif
