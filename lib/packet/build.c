#include "packet/build.h"

#include "packet/checksum.h"

enum {
	FRAGMENT_OFFSET = 1480, /* Bytes. */
	IPV4_HEADER = 20,
	IPV6_FRAGMENT = 44,
	IPV6_FRAGMENT_HEADER = 8,
	ND_SLL = 1,
	ND_TLL = 2
};

static void put_mac(struct wbuf *b, const struct mac *mac)
{
	wbuf_bytes(b, mac->b, sizeof mac->b);
}

static void put_ip4(struct wbuf *b, const struct ip_addr *ip)
{
	wbuf_bytes(b, ip_v4_bytes(ip), 4);
}

static void put_ip6(struct wbuf *b, const struct ip_addr *ip)
{
	wbuf_bytes(b, ip->b, sizeof ip->b);
}

/* An option with a link-layer address, unless that is zero. */
static void put_nd_option(struct wbuf *b, uint8_t type, const struct mac *mac)
{
	if (!mac_is_zero(mac)) {
		wbuf_u8(b, type);
		wbuf_u8(b, 1); /* Times 8 bytes. */
		put_mac(b, mac);
	}
}

/* The transport header, its checksum zero.  Returns where that lies; 0 for
 * none. */
static size_t put_l4_header(struct wbuf *b, const struct flow *f,
			    struct span payload)
{
	switch (f->nw_proto) {
	case IP_PROTO_TCP:
		wbuf_u16(b, f->tp_src);
		wbuf_u16(b, f->tp_dst);
		wbuf_u64(b, 0); /* Sequence, acknowledgement. */
		wbuf_u16(b, (uint16_t)(5u << 12 | (f->tcp_flags & 0xfffu)));
		wbuf_u16(b, UINT16_MAX); /* Window. */
		wbuf_u32(b, 0);		 /* Checksum, urgent pointer. */
		return 16;
	case IP_PROTO_UDP:
		wbuf_u16(b, f->tp_src);
		wbuf_u16(b, f->tp_dst);
		wbuf_u16(b, (uint16_t)(8 + payload.size));
		wbuf_u16(b, 0);
		return 6;
	case IP_PROTO_SCTP:
		wbuf_u16(b, f->tp_src);
		wbuf_u16(b, f->tp_dst);
		wbuf_u64(b, 0); /* Tag, checksum. */
		return 0;
	case IP_PROTO_ICMP:
	case IP_PROTO_ICMPV6:
		wbuf_u8(b, (uint8_t)f->tp_src);
		wbuf_u8(b, (uint8_t)f->tp_dst);
		wbuf_u16(b, 0);
		return 2;
	default:
		return 0;
	}
}

static void put_l4(struct wbuf *b, const struct flow *f, struct span payload)
{
	bool icmp =
		f->nw_proto == IP_PROTO_ICMP || f->nw_proto == IP_PROTO_ICMPV6;
	struct checksum sum = CHECKSUM_INITIALIZER;
	size_t at = 0;

	if (flow_has_l4(f)) {
		at = put_l4_header(b, f, payload);
	}
	wbuf_bytes(b, payload.data, payload.size);
	if (flow_has_l4(f) && icmp && payload.size < 4) {
		wbuf_room(b, 4 - payload.size);
	}
	if (flow_is_nd(f)) {
		put_ip6(b, &f->nd_target);
		put_nd_option(b, ND_SLL, &f->nd_sll);
		put_nd_option(b, ND_TLL, &f->nd_tll);
	}
	if (!at || f->nw_frag != FLOW_FRAG_NONE) {
		return;
	}
	if (f->eth_type == ETH_TYPE_IPV6) {
		checksum_pseudo6(&sum, &f->nw_src, &f->nw_dst, f->nw_proto,
				 b->size);
	} else if (!icmp) {
		checksum_pseudo4(&sum, &f->nw_src, &f->nw_dst, f->nw_proto,
				 b->size);
	}
	checksum_add(&sum, b->data, b->size);
	checksum_store(&sum, b->data + at);
	if (f->nw_proto == IP_PROTO_UDP && !b->data[at] && !b->data[at + 1]) {
		/* Zero would mean "none" (RFC 768). */
		b->data[at] = b->data[at + 1] = UINT8_MAX;
	}
}

static void put_arp(struct wbuf *b, const struct flow *f)
{
	wbuf_u16(b, 1); /* Ethernet. */
	wbuf_u16(b, ETH_TYPE_IPV4);
	wbuf_u8(b, 6);
	wbuf_u8(b, 4);
	wbuf_u16(b, f->arp_op);
	put_mac(b, &f->arp_sha);
	put_ip4(b, &f->nw_src);
	put_mac(b, &f->arp_tha);
	put_ip4(b, &f->nw_dst);
}

static void put_ipv4(struct wbuf *b, const struct flow *f, size_t size)
{
	static const uint16_t frags[] = {
		[FLOW_FRAG_NONE] = 0x4000, /* Don't fragment. */
		[FLOW_FRAG_FIRST] = 0x2000,
		[FLOW_FRAG_LATER] = FRAGMENT_OFFSET / 8,
	};
	struct wbuf header = WBUF_INITIALIZER(0);
	struct checksum sum = CHECKSUM_INITIALIZER;

	wbuf_u8(&header, 0x45);
	wbuf_u8(&header, f->nw_tos);
	wbuf_u16(&header, (uint16_t)(IPV4_HEADER + size));
	wbuf_u16(&header, 0); /* Identification. */
	wbuf_u16(&header, frags[f->nw_frag % 3]);
	wbuf_u8(&header, f->nw_ttl);
	wbuf_u8(&header, f->nw_proto);
	wbuf_u16(&header, 0);
	put_ip4(&header, &f->nw_src);
	put_ip4(&header, &f->nw_dst);
	checksum_add(&sum, header.data, header.size);
	checksum_store(&sum, header.data + 10);
	wbuf_bytes(b, header.data, header.size);
	wbuf_free(&header);
}

static void put_ipv6(struct wbuf *b, const struct flow *f, size_t size)
{
	bool frag = f->nw_frag != FLOW_FRAG_NONE;
	bool later = f->nw_frag == FLOW_FRAG_LATER;

	wbuf_u32(b, 6u << 28 | (uint32_t)f->nw_tos << 20 |
			    (f->ipv6_label & 0xfffff));
	wbuf_u16(b, (uint16_t)(size + (frag ? IPV6_FRAGMENT_HEADER : 0)));
	wbuf_u8(b, frag ? IPV6_FRAGMENT : f->nw_proto);
	wbuf_u8(b, f->nw_ttl);
	put_ip6(b, &f->nw_src);
	put_ip6(b, &f->nw_dst);
	if (frag) {
		wbuf_u8(b, later ? IP_PROTO_UDP : f->nw_proto);
		wbuf_u8(b, 0);
		wbuf_u16(b, later ? FRAGMENT_OFFSET : 1);
		wbuf_u32(b, 0); /* Identification. */
	}
}

static void put_ip(struct wbuf *b, const struct flow *f, struct span payload)
{
	struct wbuf l4 = WBUF_INITIALIZER(0);

	put_l4(&l4, f, payload);
	if (f->eth_type == ETH_TYPE_IPV4) {
		put_ipv4(b, f, l4.size);
	} else {
		put_ipv6(b, f, l4.size);
	}
	wbuf_bytes(b, l4.data, l4.size);
	wbuf_free(&l4);
}

void build_frame(struct wbuf *b, const struct flow *f, struct span payload)
{
	put_mac(b, &f->eth_dst);
	put_mac(b, &f->eth_src);
	if (f->vlan_tci) {
		wbuf_u16(b, f->vlan_tpid);
		wbuf_u16(b, f->vlan_tci & 0xefff);
	}
	wbuf_u16(b,
		 f->eth_type ? f->eth_type : (uint16_t)(payload.size % 0x600));
	switch (f->eth_type) {
	case ETH_TYPE_ARP:
	case ETH_TYPE_RARP:
		put_arp(b, f);
		break;
	case ETH_TYPE_IPV4:
	case ETH_TYPE_IPV6:
		put_ip(b, f, payload);
		break;
	default:
		wbuf_bytes(b, payload.data, payload.size);
		break;
	}
}
