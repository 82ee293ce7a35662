/* Policies as fdp makes them: the block that is there before the first vport
 * and stays when we are dead, and above it, per peer, required ESP. */
#ifndef FDP_IPSEC_POLICY_H
#define FDP_IPSEC_POLICY_H 1

#include <stdint.h>

#include "base/addr.h"
#include "netlink/xfrm.h"

enum {
	POLICY_N_BLOCKS = 4 /* In and out, IPv4 and IPv6. */
};

/* Block policy number 'i' (0 to POLICY_N_BLOCKS - 1): nothing to or from
 * anybody on UDP 'udp_port'. */
void policy_make_block(struct xfrm_policy *, unsigned int i, uint16_t udp_port);

/* Traffic from 'local' to UDP 'udp_port' of 'remote' leaves only through the
 * SA 'spi' (0 = any) with 'reqid'. */
void policy_make_out(struct xfrm_policy *, const struct ip_addr *local,
		     const struct ip_addr *remote, uint16_t udp_port,
		     uint32_t reqid, uint32_t spi);

/* Makes of an out policy, which is for lane 0, that of 'lane'
 * (datapath/lane.h): only for packets with its mark, and before that of
 * lane 0. */
void policy_set_lane(struct xfrm_policy *, unsigned int lane);
/* The lane of an out policy. */
unsigned int policy_lane(const struct xfrm_policy *);

/* Traffic from 'remote' to our UDP 'udp_port' is let in only if an SA with
 * 'reqid' carried it. */
void policy_make_in(struct xfrm_policy *, const struct ip_addr *local,
		    const struct ip_addr *remote, uint16_t udp_port,
		    uint32_t reqid);

#endif
