#include "datapath/guard.h"

#include "datapath/look.h"

enum {
	DHCP_SERVER = 67,
	DHCP_CLIENT = 68,
	DHCPV6_SERVER = 547,

	IP_PROTO_NONE = 59, /* RFC 8200 4.7. */

	/* RFC 2710, RFC 3810. */
	MLD_QUERY = 130,
	MLD_REPORT = 131,
	MLD_DONE = 132,
	MLD2_REPORT = 143,
	/* RFC 4861 4. */
	ND_ROUTER_SOLICIT = 133,
	ND_ROUTER_ADVERT = 134,
	ND_NEIGHBOUR_SOLICIT = 135,
	ND_NEIGHBOUR_ADVERT = 136,
	ND_REDIRECT = 137
};

static const struct ip_addr unspecified4 = {
	{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}};
static const struct ip_addr unspecified6;
static const struct mac no_mac;

/* Is 'ip' one of the endpoint's addresses: bound to it, or the link-local
 * address made of its MAC?  The ethertype says whether 'v4'; an IPv6 header
 * may well bear an IPv4-mapped address, which is nobody's. */
static bool is_own_ip(const struct binding *own, bool v4,
		      const struct ip_addr *ip, struct ip_addr *mask)
{
	for (size_t i = 0; i < own->n_ips; i++) {
		if (ip_is_v4(&own->ips[i]) == v4 &&
		    look_ip(ip, &own->ips[i], mask)) {
			return true;
		}
	}
	if (!v4) {
		struct ip_addr link_local = ip_link_local_of(&own->mac);

		return look_ip(ip, &link_local, mask);
	}
	return false;
}

/* RFC 826, RFC 5227.  Where the packet is not Ethernet and IPv4, the kernel
 * shows no operation (key_extract_l3l4() in net/openvswitch/flow.c).  There are
 * two that anybody needs. */
static enum reason guard_arp(const struct binding *own, const struct flow *f,
			     struct flow *mask)
{
	mask->arp_op = UINT16_MAX;
	if (!f->arp_op) {
		return REASON_MALFORMED;
	}
	if (!look_mac(&f->arp_sha, &own->mac, &mask->arp_sha)) {
		return REASON_SPOOFED_ARP;
	}
	/* A probe (RFC 5227 2.1.1) claims no address. */
	if (!is_own_ip(own, true, &f->nw_src, &mask->nw_src) &&
	    !look_ip(&f->nw_src, &unspecified4, &mask->nw_src)) {
		return REASON_SPOOFED_ARP;
	}
	return REASON_NONE;
}

/* Refuses what a DHCP server sends, from UDP port 'server'. */
static enum reason guard_udp(uint16_t server, const struct flow *f,
			     struct flow *mask)
{
	if (!look_u8(f->nw_proto, IP_PROTO_UDP, &mask->nw_proto) ||
	    !flow_has_l4(f)) {
		return REASON_NONE;
	}
	if (look_u16(f->tp_src, server, &mask->tp_src)) {
		return REASON_ROGUE_DHCP;
	}
	/* A first fragment whose ports lie in a later one hides them. */
	if (f->nw_frag == FLOW_FRAG_FIRST &&
	    look_u16(f->tp_src, 0, &mask->tp_src)) {
		return REASON_MALFORMED;
	}
	return REASON_NONE;
}

/* Who has no address yet may ask a DHCP server for one (RFC 2131 4.1).  A
 * malformed header shows as all zero. */
static enum reason guard_unspecified4(const struct flow *f, struct flow *mask)
{
	if (look_u8(f->nw_proto, 0, &mask->nw_proto)) {
		return REASON_MALFORMED;
	}
	if (look_u8(f->nw_proto, IP_PROTO_UDP, &mask->nw_proto) &&
	    flow_has_l4(f) && look_u16(f->tp_src, DHCP_CLIENT, &mask->tp_src) &&
	    look_u16(f->tp_dst, DHCP_SERVER, &mask->tp_dst)) {
		return REASON_NONE;
	}
	return REASON_SPOOFED_IP;
}

static enum reason guard_ipv4(const struct binding *own, const struct flow *f,
			      struct flow *mask)
{
	mask->nw_frag = UINT8_MAX;
	if (is_own_ip(own, true, &f->nw_src, &mask->nw_src)) {
		return guard_udp(DHCP_SERVER, f, mask);
	}
	if (look_ip(&f->nw_src, &unspecified4, &mask->nw_src)) {
		return guard_unspecified4(f, mask);
	}
	return REASON_SPOOFED_IP;
}

/* An option that is absent shows as zero. */
static bool is_own_or_absent(const struct binding *own, const struct mac *value,
			     struct mac *mask)
{
	return look_mac(value, &no_mac, mask) ||
	       look_mac(value, &own->mac, mask);
}

/* Neighbour solicitation and advertisement.  The kernel shows no target if the
 * message is too short, has a code or says an address twice. */
static enum reason guard_neighbour(const struct binding *own, bool unspecified,
				   const struct flow *f, struct flow *mask)
{
	/* One bit tells most targets from none: fe80::/10 and fc00::/7 share
	 * their flows. */
	if (f->nd_target.b[0] & 0x80) {
		mask->nd_target.b[0] |= 0x80;
	} else if (look_ip(&f->nd_target, &unspecified6, &mask->nd_target)) {
		return REASON_MALFORMED;
	}
	if (f->tp_src == ND_NEIGHBOUR_ADVERT) {
		if (unspecified) {
			return REASON_SPOOFED_IP;
		}
		if (!is_own_ip(own, false, &f->nd_target, &mask->nd_target)) {
			return REASON_SPOOFED_ARP;
		}
	}
	if (!is_own_or_absent(own, &f->nd_sll, &mask->nd_sll) ||
	    !is_own_or_absent(own, &f->nd_tll, &mask->nd_tll)) {
		return REASON_SPOOFED_ARP;
	}
	return REASON_NONE;
}

/* Is the ICMPv6 type one of the 'n' at 'types'? */
static bool look_types(const struct flow *f, const uint8_t *types, size_t n,
		       struct flow *mask)
{
	for (size_t i = 0; i < n; i++) {
		if (look_icmp(f->tp_src, types[i], &mask->tp_src)) {
			return true;
		}
	}
	return false;
}

static enum reason guard_icmpv6(const struct binding *own, bool unspecified,
				const struct flow *f, struct flow *mask)
{
	/* Neighbour discovery must not be fragmented (RFC 6980 5); a type of
	 * 0 is none, it lies in a later fragment (RFC 7113 3). */
	static const uint8_t never_fragmented[] = {
		0,
		ND_ROUTER_SOLICIT,
		ND_ROUTER_ADVERT,
		ND_NEIGHBOUR_SOLICIT,
		ND_NEIGHBOUR_ADVERT,
		ND_REDIRECT,
	};
	/* RFC 4861 4.1, RFC 3590 4. */
	static const uint8_t from_unspecified[] = {
		ND_ROUTER_SOLICIT, MLD_QUERY, MLD_REPORT, MLD_DONE, MLD2_REPORT,
	};

	if (f->nw_frag == FLOW_FRAG_FIRST &&
	    look_types(f, never_fragmented, sizeof never_fragmented, mask)) {
		return REASON_MALFORMED;
	}
	if (look_icmp(f->tp_src, ND_ROUTER_ADVERT, &mask->tp_src)) {
		return REASON_ROGUE_RA;
	}
	if (look_icmp(f->tp_src, ND_NEIGHBOUR_SOLICIT, &mask->tp_src) ||
	    look_icmp(f->tp_src, ND_NEIGHBOUR_ADVERT, &mask->tp_src)) {
		return guard_neighbour(own, unspecified, f, mask);
	}
	if (unspecified &&
	    !look_types(f, from_unspecified, sizeof from_unspecified, mask)) {
		return REASON_SPOOFED_IP;
	}
	return REASON_NONE;
}

static enum reason guard_ipv6(const struct binding *own, const struct flow *f,
			      struct flow *mask)
{
	bool unspecified = false;

	mask->nw_frag = UINT8_MAX;
	if (!is_own_ip(own, false, &f->nw_src, &mask->nw_src)) {
		unspecified = look_ip(&f->nw_src, &unspecified6, &mask->nw_src);
		if (!unspecified) {
			return REASON_SPOOFED_IP;
		}
	}
	/* A first fragment must hold all headers (RFC 8200 4.5); of one that
	 * does not the kernel shows "no next header". */
	if (f->nw_frag == FLOW_FRAG_FIRST &&
	    look_u8(f->nw_proto, IP_PROTO_NONE, &mask->nw_proto)) {
		return REASON_MALFORMED;
	}
	if (look_u8(f->nw_proto, IP_PROTO_ICMPV6, &mask->nw_proto) &&
	    flow_has_l4(f)) {
		return guard_icmpv6(own, unspecified, f, mask);
	}
	if (unspecified) {
		/* A malformed header shows as all zero. */
		return look_u8(f->nw_proto, 0, &mask->nw_proto)
			       ? REASON_MALFORMED
			       : REASON_SPOOFED_IP;
	}
	return guard_udp(DHCPV6_SERVER, f, mask);
}

enum reason guard_endpoint(const struct binding *own, const struct flow *f,
			   struct flow *mask)
{
	if (!look_mac(&f->eth_src, &own->mac, &mask->eth_src)) {
		return REASON_SPOOFED_MAC;
	}
	/* The kernel matches it exactly or not at all. */
	mask->eth_type = UINT16_MAX;
	switch (f->eth_type) {
	case ETH_TYPE_ARP:
		return guard_arp(own, f, mask);
	case ETH_TYPE_IPV4:
		return guard_ipv4(own, f, mask);
	case ETH_TYPE_IPV6:
		return guard_ipv6(own, f, mask);
	default:
		return REASON_NONE;
	}
}
