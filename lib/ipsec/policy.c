#include "ipsec/policy.h"

#include <string.h>

#include "datapath/lane.h"

void policy_make_block(struct xfrm_policy *p, unsigned int i, uint16_t udp_port)
{
	memset(p, 0, sizeof *p);
	p->dir = i & 1 ? XFRM_DIR_OUT : XFRM_DIR_IN;
	p->v6 = i & 2;
	p->udp_port = udp_port;
	p->priority = XFRM_PRIORITY_BLOCK;
	p->block = true;
}

static void make_peer(struct xfrm_policy *p, enum xfrm_dir dir,
		      const struct ip_addr *src, const struct ip_addr *dst,
		      uint16_t udp_port, uint32_t reqid, uint32_t spi)
{
	memset(p, 0, sizeof *p);
	p->dir = dir;
	p->src = *src;
	p->dst = *dst;
	p->v6 = !ip_is_v4(dst);
	p->udp_port = udp_port;
	p->priority = XFRM_PRIORITY_PEER;
	p->reqid = reqid;
	p->spi = spi;
}

void policy_make_out(struct xfrm_policy *p, const struct ip_addr *local,
		     const struct ip_addr *remote, uint16_t udp_port,
		     uint32_t reqid, uint32_t spi)
{
	make_peer(p, XFRM_DIR_OUT, local, remote, udp_port, reqid, spi);
}

void policy_set_lane(struct xfrm_policy *p, unsigned int lane)
{
	_Static_assert(LANES_MAX - 1 == LANE_MARK_MASK >> LANE_MARK_SHIFT,
		       "every lane has a mark");
	p->mark = lane_mark(lane);
	p->mark_mask = lane ? LANE_MARK_MASK : 0;
	p->priority = lane ? XFRM_PRIORITY_LANE : XFRM_PRIORITY_PEER;
}

unsigned int policy_lane(const struct xfrm_policy *p)
{
	return p->mark_mask == LANE_MARK_MASK
		       ? (p->mark & LANE_MARK_MASK) >> LANE_MARK_SHIFT
		       : 0;
}

void policy_make_in(struct xfrm_policy *p, const struct ip_addr *local,
		    const struct ip_addr *remote, uint16_t udp_port,
		    uint32_t reqid)
{
	make_peer(p, XFRM_DIR_IN, remote, local, udp_port, reqid, 0);
}
