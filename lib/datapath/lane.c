#include "datapath/lane.h"

#include "datapath/look.h"
#include "hash.h"

uint32_t lane_mark(unsigned int lane)
{
	return (uint32_t)lane << LANE_MARK_SHIFT & LANE_MARK_MASK;
}

/* Which bits of a port tell 'n' lanes apart.  Not the lowest one: Linux gives
 * to connect() even ports only, as long as there are any
 * (__inet_hash_connect() in net/ipv4/inet_hashtables.c).  If 'n' is no power of
 * two, one bit more keeps the lanes' shares near to each other.  More bits
 * would make more megaflows. */
uint16_t lane_port_bits(unsigned int n)
{
	unsigned int size = 1;

	while (size < n) {
		size *= 2;
	}
	if (n && size != n) {
		size *= 2;
	}
	return (uint16_t)((size - 1) << 1);
}

static bool has_ports(const struct flow *flow, struct flow *mask)
{
	mask->eth_type = UINT16_MAX;
	if (flow->eth_type != ETH_TYPE_IPV4 &&
	    flow->eth_type != ETH_TYPE_IPV6) {
		return false;
	}
	mask->nw_frag = UINT8_MAX;
	if (flow->nw_frag != FLOW_FRAG_NONE) {
		return false;
	}
	return look_u8(flow->nw_proto, IP_PROTO_TCP, &mask->nw_proto) ||
	       look_u8(flow->nw_proto, IP_PROTO_UDP, &mask->nw_proto) ||
	       look_u8(flow->nw_proto, IP_PROTO_SCTP, &mask->nw_proto);
}

unsigned int lane_choose(const struct flow *flow, unsigned int n,
			 struct flow *mask)
{
	uint32_t sum;

	if (n <= 1) {
		return 0;
	}
	look_up_mac(&mask->eth_src);
	look_up_mac(&mask->eth_dst);
	sum = hash_bytes(
		      flow->eth_src.b, sizeof flow->eth_src.b,
		      hash_bytes(flow->eth_dst.b, sizeof flow->eth_dst.b, 0)) %
	      n;
	if (has_ports(flow, mask)) {
		uint16_t bits = lane_port_bits(n);

		mask->tp_src |= bits;
		mask->tp_dst |= bits;
		sum += (uint32_t)((flow->tp_src ^ flow->tp_dst) & bits) >> 1;
	}
	return sum % n;
}
