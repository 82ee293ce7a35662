/* /proc/net/xfrm_stat, a line "NAME NUMBER" each (net/xfrm/xfrm_proc.c), added
 * up to what tells why a packet did not pass. */
#ifndef FDP_NETLINK_XFRM_STAT_H
#define FDP_NETLINK_XFRM_STAT_H 1

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct xfrm_stat {
	uint64_t no_sa; /* There is none of that SPI, or for that policy. */
	uint64_t not_authentic; /* Another key, damage; out: a cipher failed. */
	uint64_t policy; /* One forbids it, or asks for something else. */
	uint64_t other;
};

/* Of what comes in, or of what goes out.  ERR_MALFORMED. */
enum err xfrm_stat_parse(struct span text, bool inbound,
			 struct xfrm_stat *) FDP_MUST_CHECK;

#endif
