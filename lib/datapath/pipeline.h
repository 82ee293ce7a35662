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
	uint32_t peer; /* REMOTE, or from the tunnel: the peer; UINT32_MAX. */
	unsigned int lane; /* REMOTE: datapath/lane.h. */
};

void translation_init(struct translation *);
void translation_free(struct translation *);

/* Called with one line a step, without newline. */
struct pipeline_trace {
	void (*step)(void *aux, const char *text);
	void *aux;
};

/* 'out' must have been initialised and is overwritten.  'trace' may be NULL. */
void pipeline_translate(const struct forwarding *, const struct flow *,
			const struct pipeline_trace *trace,
			struct translation *out);

#endif
