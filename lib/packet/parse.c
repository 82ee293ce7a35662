#include "packet/parse.h"

#include <string.h>

enum {
	ETH_SIZE = 14,
	TAG_SIZE = 4,
	SNAP_SIZE = 8,
	ETH_TYPE_MIN = 0x600, /* Below it is a length (IEEE 802.3 3.2.6). */

	ARP_SIZE = 28,

	IPV4_SIZE = 20,
	IPV4_MF = 0x2000,
	IPV4_OFFSET = 0x1fff,

	IPV6_SIZE = 40,
	IPV6_HOP_BY_HOP = 0,
	IPV6_ROUTING = 43,
	IPV6_FRAGMENT = 44,
	IPV6_AUTH = 51,
	IPV6_NONE = 59,
	IPV6_DESTINATION = 60,
	IPV6_OFFSET = 0xfff8,

	TCP_SIZE = 20,
	UDP_SIZE = 8,
	SCTP_SIZE = 12,
	ICMP_SIZE = 8,
	ND_SIZE = 24,
	ND_SLL = 1,
	ND_TLL = 2
};

/* Bounded reads at an offset.  What lies beyond the end reads as zero; where
 * that would matter the caller compares sizes first. */
static uint8_t u8_at(struct span s, size_t at)
{
	return at < s.size ? s.data[at] : 0;
}

static uint16_t u16_at(struct span s, size_t at)
{
	return (uint16_t)(u8_at(s, at) << 8 | u8_at(s, at + 1));
}

static uint32_t u32_at(struct span s, size_t at)
{
	return (uint32_t)u16_at(s, at) << 16 | u16_at(s, at + 2);
}

static struct mac mac_at(struct span s, size_t at)
{
	struct mac mac = {{0}};

	for (size_t i = 0; i < sizeof mac.b; i++) {
		mac.b[i] = u8_at(s, at + i);
	}
	return mac;
}

static struct ip_addr ip4_at(struct span s, size_t at)
{
	uint8_t be[4];

	for (size_t i = 0; i < sizeof be; i++) {
		be[i] = u8_at(s, at + i);
	}
	return ip_from_v4(be);
}

static struct ip_addr ip6_at(struct span s, size_t at)
{
	struct ip_addr ip;

	for (size_t i = 0; i < sizeof ip.b; i++) {
		ip.b[i] = u8_at(s, at + i);
	}
	return ip;
}

/* What is left behind the first 'size' bytes. */
static struct span behind(struct span s, size_t size)
{
	return size < s.size ? span_of(s.data + size, s.size - size)
			     : span_of(NULL, 0);
}

/* Transport. */

static void parse_ports(struct span s, size_t min, struct flow *f)
{
	if (s.size >= min) {
		f->tp_src = u16_at(s, 0);
		f->tp_dst = u16_at(s, 2);
	}
}

static void parse_tcp(struct span s, struct flow *f)
{
	size_t size = (size_t)(u8_at(s, 12) >> 4) * 4;

	if (s.size >= TCP_SIZE && size >= TCP_SIZE && s.size >= size) {
		parse_ports(s, TCP_SIZE, f);
		f->tcp_flags = u16_at(s, 12) & 0xfff;
	}
}

static void parse_icmp(struct span s, struct flow *f)
{
	if (s.size >= ICMP_SIZE) {
		f->tp_src = u8_at(s, 0);
		f->tp_dst = u8_at(s, 1);
	}
}

/* Options up to the first that is damaged.  One that comes twice makes the
 * whole message void: false. */
static bool parse_nd_options(struct span s, struct flow *f)
{
	while (s.size >= 8) {
		size_t size = (size_t)u8_at(s, 1) * 8;
		uint8_t type = u8_at(s, 0);

		if (!size || size > s.size) {
			break;
		}
		if (size == 8 && (type == ND_SLL || type == ND_TLL)) {
			struct mac *mac =
				type == ND_SLL ? &f->nd_sll : &f->nd_tll;

			if (!mac_is_zero(mac)) {
				return false;
			}
			*mac = mac_at(s, 2);
		}
		s = behind(s, size);
	}
	return true;
}

static void parse_icmpv6(struct span s, struct flow *f)
{
	parse_icmp(s, f);
	if (!flow_is_nd(f) || f->tp_dst || s.size < ND_SIZE) {
		return;
	}
	f->nd_target = ip6_at(s, 8);
	if (!parse_nd_options(behind(s, ND_SIZE), f)) {
		memset(&f->nd_target, 0, sizeof f->nd_target);
		memset(&f->nd_sll, 0, sizeof f->nd_sll);
		memset(&f->nd_tll, 0, sizeof f->nd_tll);
	}
}

static void parse_transport(struct span s, struct flow *f)
{
	bool v6 = f->eth_type == ETH_TYPE_IPV6;

	switch (f->nw_proto) {
	case IP_PROTO_TCP:
		parse_tcp(s, f);
		break;
	case IP_PROTO_UDP:
		parse_ports(s, UDP_SIZE, f);
		break;
	case IP_PROTO_SCTP:
		parse_ports(s, SCTP_SIZE, f);
		break;
	case IP_PROTO_ICMP:
		if (!v6) {
			parse_icmp(s, f);
		}
		break;
	case IP_PROTO_ICMPV6:
		if (v6) {
			parse_icmpv6(s, f);
		}
		break;
	default:
		break;
	}
}

/* Network. */

static void parse_arp(struct span s, struct flow *f)
{
	static const uint8_t none[4];

	f->nw_src = f->nw_dst = ip_from_v4(none);
	/* Ethernet addresses of 6 bytes, IPv4 addresses of 4. */
	if (s.size < ARP_SIZE || u16_at(s, 0) != 1 ||
	    u16_at(s, 2) != ETH_TYPE_IPV4 || u16_at(s, 4) != 0x0604) {
		return;
	}
	f->arp_op = u16_at(s, 6);
	if (f->arp_op > UINT8_MAX) {
		f->arp_op = 0;
	}
	f->arp_sha = mac_at(s, 8);
	f->nw_src = ip4_at(s, 14);
	f->arp_tha = mac_at(s, 18);
	f->nw_dst = ip4_at(s, 24);
}

static void parse_ipv4(struct span s, struct flow *f)
{
	size_t size = (size_t)(u8_at(s, 0) & 0xf) * 4;
	static const uint8_t none[4];
	uint16_t frag;

	f->nw_src = f->nw_dst = ip_from_v4(none);
	if (s.size < IPV4_SIZE || size < IPV4_SIZE || s.size < size) {
		return;
	}
	f->nw_tos = u8_at(s, 1);
	f->nw_ttl = u8_at(s, 8);
	f->nw_proto = u8_at(s, 9);
	f->nw_src = ip4_at(s, 12);
	f->nw_dst = ip4_at(s, 16);
	frag = u16_at(s, 6);
	if (frag & IPV4_OFFSET) {
		f->nw_frag = FLOW_FRAG_LATER;
		return;
	}
	if (frag & IPV4_MF) {
		f->nw_frag = FLOW_FRAG_FIRST;
	}
	parse_transport(behind(s, size), f);
}

/* The extension headers that are stepped over (ipv6_ext_hdr() in
 * net/ipv6/exthdrs_core.c). */
static bool is_extension(uint8_t header)
{
	switch (header) {
	case IPV6_HOP_BY_HOP:
	case IPV6_ROUTING:
	case IPV6_FRAGMENT:
	case IPV6_AUTH:
	case IPV6_DESTINATION:
		return true;
	default:
		return false;
	}
}

/* Follows the chain of headers (ipv6_find_hdr(), same file).  True if it leads
 * to an upper layer that starts at '*upper'; sets protocol and fragment. */
static bool parse_ipv6_chain(struct span s, struct flow *f, size_t *upper)
{
	uint8_t header = u8_at(s, 6);
	size_t at = IPV6_SIZE;

	f->nw_proto = IPV6_NONE;
	while (is_extension(header)) {
		uint8_t next = u8_at(s, at);
		size_t size = ((size_t)u8_at(s, at + 1) + 1) * 8;

		if (s.size < at + 2) {
			return false;
		}
		switch (header) {
		case IPV6_ROUTING:
			if (s.size < at + 4) {
				return false;
			}
			break;
		case IPV6_FRAGMENT:
			f->nw_frag = FLOW_FRAG_FIRST;
			if (s.size < at + 4) {
				return false;
			}
			if (u16_at(s, at + 2) & IPV6_OFFSET) {
				/* Of a later fragment only one that claims to
				 * go on with an upper layer is known as such.
				 */
				if (!is_extension(next)) {
					f->nw_frag = FLOW_FRAG_LATER;
					f->nw_proto = IPV6_FRAGMENT;
				}
				return false;
			}
			size = 8;
			break;
		case IPV6_AUTH:
			size = ((size_t)u8_at(s, at + 1) + 2) * 4;
			break;
		default:
			break;
		}
		header = next;
		at += size;
	}
	f->nw_proto = header;
	*upper = at;
	return true;
}

static void parse_ipv6(struct span s, struct flow *f)
{
	uint32_t word = u32_at(s, 0);
	size_t upper;

	if (s.size < IPV6_SIZE) {
		return;
	}
	f->nw_tos = (uint8_t)(word >> 20);
	f->ipv6_label = word & 0xfffff;
	f->nw_ttl = u8_at(s, 7);
	f->nw_src = ip6_at(s, 8);
	f->nw_dst = ip6_at(s, 24);
	if (parse_ipv6_chain(s, f, &upper)) {
		parse_transport(behind(s, upper), f);
	}
}

/* Link. */

static bool is_tag(uint16_t type)
{
	return type == ETH_TYPE_VLAN || type == ETH_TYPE_QINQ;
}

/* The ethertype at the front of 's', behind SNAP too; 0 for 802.2.  Sets where
 * the network header starts. */
static uint16_t parse_ethertype(struct span s, size_t *network)
{
	uint16_t type = u16_at(s, 0);

	*network = 2;
	if (type >= ETH_TYPE_MIN) {
		return type;
	}
	if (s.size < 2 + SNAP_SIZE || u16_at(s, 2) != 0xaaaa ||
	    u8_at(s, 5) | u16_at(s, 6)) {
		return 0;
	}
	*network = 2 + SNAP_SIZE;
	type = u16_at(s, 8);
	return type >= ETH_TYPE_MIN ? type : 0;
}

enum err parse_frame(struct span frame, struct flow *f)
{
	struct span s = behind(frame, 12);
	size_t network;

	if (frame.size < ETH_SIZE) {
		return ERR_TRUNCATED;
	}
	memset(f, 0, sizeof *f);
	f->eth_dst = mac_at(frame, 0);
	f->eth_src = mac_at(frame, 6);
	if (is_tag(u16_at(s, 0)) && s.size >= TAG_SIZE + 2) {
		f->vlan_tpid = u16_at(s, 0);
		f->vlan_tci = u16_at(s, 2) | 1 << 12;
		s = behind(s, TAG_SIZE);
	}
	f->eth_type = parse_ethertype(s, &network);
	s = behind(s, network);
	switch (f->eth_type) {
	case ETH_TYPE_ARP:
	case ETH_TYPE_RARP:
		parse_arp(s, f);
		break;
	case ETH_TYPE_IPV4:
		parse_ipv4(s, f);
		break;
	case ETH_TYPE_IPV6:
		parse_ipv6(s, f);
		break;
	default:
		break;
	}
	return FDP_OK;
}
