/* The forwarding decision, as one pure function.
 *
 * pipeline_translate() says what to do with a packet, which bits of it the
 * decision looked at (the mask: exactly these and no others, so that one
 * megaflow covers as many packets as is right), what it depended on, and why.
 * The steps: ingress (which network, which peer), spoof guard, destination.
 * The same function serves upcalls, revalidation of installed flows and
 * `fdpctl trace`.
 */
#ifndef FDP_DATAPATH_PIPELINE_H
#define FDP_DATAPATH_PIPELINE_H 1

#include <stdbool.h>

#include "base/reason.h"
#include "base/span.h"
#include "datapath/dep.h"
#include "datapath/forwarding.h"
#include "packet/action.h"
#include "packet/flow.h"

/* How often a frame may still be passed on stands in the upper bits of the TTL
 * of its outer header.  The lower ones are for the routers between two hosts,
 * each of which takes one away.  ESP in transport mode leaves the field alone,
 * the kernel shows it in the flow key, and a match on the upper bits alone does
 * not make more megaflows of one when the underlay's paths change.  (Networks
 * rewrite the DSCP; the reserved bits of VXLAN need a vport of another kind.)
 * It is not authenticated.  Whoever could raise it on every way of a loop could
 * feed the loop just as well.  On the sleeve trunk the priority of the tag is
 * those upper bits. */
enum {
	PIPELINE_TTL = 255,	/* As sent by the source's host. */
	PIPELINE_TTL_SHIFT = 5, /* Upper bits, lower bits. */
	PIPELINE_RELAYS_MAX = PIPELINE_TTL >> PIPELINE_TTL_SHIFT,
	PIPELINE_HOPS_MAX = PIPELINE_RELAYS_MAX + 1 /* Tunnels. */
};

struct translation {
	struct flow mask;
	struct actions actions; /* Empty: drop. */
	enum reason reason;
	struct deps deps;
	/* May it become a flow?  False for what each packet must come up for:
	 * questions that the daemon answers itself. */
	bool install;
	/* A frame to send back to flow.in_port (ARP reply, neighbour
	 * advertisement); empty if there is none. */
	struct wbuf reply;
	uint32_t vni;  /* The network it is in; 0 if none was found. */
	uint16_t vid;  /* The trunk's VLAN it came in; 0 if it did not. */
	uint32_t peer; /* To one peer: its host; else from whom; UINT32_MAX. */
	uint32_t hop;  /* To one peer: through whose tunnel; UINT32_MAX. */
	unsigned int lane; /* REMOTE: datapath/lane.h. */
};

void translation_init(struct translation *);
void translation_free(struct translation *);

/* Called with one line a step, without newline. */
struct pipeline_trace {
	void (*step)(void *aux, const char *text);
	void *aux;
};

/* The actions that send a probe to a peer, by the very way that frames of
 * containers take, or would take, in that lane.  False if there is none now.
 * Of a way that frames do not take the caller knows whether it can be had. */
bool pipeline_probe(const struct forwarding *, uint32_t peer, enum fwd_way,
		    unsigned int lane, struct actions *);

/* How packets of network 'vni' from 'peer' look where they come in, by the way
 * that packets to it take: port, tunnel, tag; the rest of 'flow' is left as it
 * is.  False if there is no such way. */
bool pipeline_arrival(const struct forwarding *, const struct fwd_peer *,
		      uint32_t vni, struct flow *flow);

/* 'out' must have been initialised and is overwritten.  'trace' may be NULL. */
void pipeline_translate(const struct forwarding *, const struct flow *,
			const struct pipeline_trace *trace,
			struct translation *out);

#endif
