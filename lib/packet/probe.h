/* The frame that tries the way to a peer: sent through the tunnel as a
 * container's frame is, told from all others by its VNI, which no network has,
 * and its ethertype.  It never reaches a port: the daemon there takes it and
 * says so over the session.  docs/PROTOCOL.md, "Probes".
 */
#ifndef FDP_PACKET_PROBE_H
#define FDP_PACKET_PROBE_H 1

#include "base/addr.h"
#include "base/err.h"
#include "base/span.h"

enum {
	PROBE_VNI = 0,
	PROBE_ETH_TYPE = 0x88b5, /* IEEE 802, local experimental. */
	PROBE_VERSION = 1,
	PROBE_ETH_BYTES = 14, /* The Ethernet header. */
	/* What follows that header, as an MTU counts: */
	PROBE_MIN_BYTES = 28,
	PROBE_MAX_BYTES = 65000
};

struct probe_frame {
	struct peer_id sender;
	uint64_t number;
	uint8_t lane;
	uint16_t size; /* PROBE_MIN_BYTES to PROBE_MAX_BYTES. */
};

/* Appends the whole frame, filled up with zeros to its size. */
void probe_put(struct wbuf *, const struct probe_frame *);

/* ERR_TRUNCATED: it has not the size that it says.  ERR_UNSUPPORTED: another
 * ethertype or version.  ERR_MALFORMED: there is more than it says, or the
 * sender is zero.  ERR_RANGE: the size is out of range. */
enum err probe_get(struct span frame, struct probe_frame *) FDP_MUST_CHECK;

#endif
