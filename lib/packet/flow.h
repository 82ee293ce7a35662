/* What the pipeline can see of a packet: the flow key of the Open vSwitch
 * kernel datapath in plain C.
 *
 * The same struct serves as a mask, with one bits where a field matters; an
 * unused field is zero in both.  Integers are in host byte order.  For IPv4
 * and ARP the addresses are IPv4-mapped (base/addr.h); in a mask only the last
 * four bytes of such an address count.
 *
 * Neighbours: packet/parse.h makes a flow of bytes, netlink/odp.h reads and
 * writes it as OVS_KEY_ATTR_* attributes, datapath/pipeline.h decides on it.
 */
#ifndef FDP_PACKET_FLOW_H
#define FDP_PACKET_FLOW_H 1

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

enum {
	ETH_TYPE_IPV4 = 0x0800,
	ETH_TYPE_ARP = 0x0806,
	ETH_TYPE_RARP = 0x8035, /* Read like ARP. */
	ETH_TYPE_VLAN = 0x8100,
	ETH_TYPE_QINQ = 0x88a8,
	ETH_TYPE_IPV6 = 0x86dd,

	IP_PROTO_ICMP = 1,
	IP_PROTO_TCP = 6,
	IP_PROTO_UDP = 17,
	IP_PROTO_ICMPV6 = 58,
	IP_PROTO_SCTP = 132,

	/* enum ovs_frag_type */
	FLOW_FRAG_NONE = 0,
	FLOW_FRAG_FIRST = 1,
	FLOW_FRAG_LATER = 2,

	/* struct flow_tunnel flags */
	FLOW_TNL_KEY = 1,
	FLOW_TNL_DF = 2,
	FLOW_TNL_CSUM = 4
};

struct flow_tunnel {
	bool present; /* In a mask: the fields below count. */
	struct ip_addr src, dst;
	uint32_t vni; /* 24 bits. */
	uint8_t tos, ttl;
	uint8_t flags; /* FLOW_TNL_*. */
};

struct flow {
	uint32_t in_port; /* Datapath port number. */
	struct flow_tunnel tunnel;
	struct mac eth_src, eth_dst;
	uint16_t vlan_tci; /* Outermost tag with the CFI bit set; 0 = none. */
	uint16_t vlan_tpid;
	/* Ethertype behind a VLAN tag; 0 for 802.2 frames, which the datapath
	 * shows without OVS_KEY_ATTR_ETHERTYPE. */
	uint16_t eth_type;

	/* IPv4 and IPv6; for ARP nw_src/nw_dst are the protocol addresses. */
	uint8_t nw_proto, nw_tos, nw_ttl, nw_frag;
	uint32_t ipv6_label;
	struct ip_addr nw_src, nw_dst;
	uint16_t tp_src, tp_dst; /* For ICMP and ICMPv6: type and code. */
	uint16_t tcp_flags;

	uint16_t arp_op;
	struct mac arp_sha, arp_tha;

	/* Neighbour solicitation and advertisement (RFC 4861 4.3, 4.4). */
	struct ip_addr nd_target;
	struct mac nd_sll, nd_tll;
};

/* Does this packet carry transport ports (or ICMP type and code)? */
static inline bool flow_has_l4(const struct flow *f)
{
	return f->nw_frag != FLOW_FRAG_LATER;
}

/* Neighbour solicitation or advertisement.  Of a malformed one the target is
 * zero. */
static inline bool flow_is_nd(const struct flow *f)
{
	return f->eth_type == ETH_TYPE_IPV6 && f->nw_proto == IP_PROTO_ICMPV6 &&
	       flow_has_l4(f) && (f->tp_src == 135 || f->tp_src == 136);
}

/* Are 'a' and 'b' the same where 'mask' has one bits? */
bool flow_equal_masked(const struct flow *a, const struct flow *b,
		       const struct flow *mask);
bool flow_equal(const struct flow *a, const struct flow *b);

#endif
