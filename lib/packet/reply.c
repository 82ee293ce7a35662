#include "packet/reply.h"

#include "packet/checksum.h"

static void put_mac(struct wbuf *b, const struct mac *mac)
{
	wbuf_bytes(b, mac->b, sizeof mac->b);
}

static void put_ip6(struct wbuf *b, const struct ip_addr *ip)
{
	wbuf_bytes(b, ip->b, sizeof ip->b);
}

static void put_ethernet(struct wbuf *b, const struct mac *dst,
			 const struct mac *src, uint16_t type)
{
	put_mac(b, dst);
	put_mac(b, src);
	wbuf_u16(b, type);
}

void reply_arp(struct wbuf *b, const struct flow *question,
	       const struct mac *answer)
{
	put_ethernet(b, &question->eth_src, answer, ETH_TYPE_ARP);
	wbuf_u16(b, 1); /* Ethernet. */
	wbuf_u16(b, ETH_TYPE_IPV4);
	wbuf_u8(b, 6);
	wbuf_u8(b, 4);
	wbuf_u16(b, 2); /* Reply. */
	put_mac(b, answer);
	wbuf_bytes(b, ip_v4_bytes(&question->nw_dst), 4);
	put_mac(b, &question->arp_sha);
	wbuf_bytes(b, ip_v4_bytes(&question->nw_src), 4);
}

void reply_neighbour(struct wbuf *b, const struct flow *question,
		     const struct mac *answer)
{
	static const struct ip_addr all_nodes = {
		{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
	static const struct mac all_nodes_mac = {{0x33, 0x33, 0, 0, 0, 1}};
	bool solicited = !ip_is_zero(&question->nw_src);
	const struct ip_addr *dst = solicited ? &question->nw_src : &all_nodes;
	struct wbuf message = WBUF_INITIALIZER(0);
	struct checksum sum = CHECKSUM_INITIALIZER;

	wbuf_u8(&message, 136);
	wbuf_u8(&message, 0);
	wbuf_u16(&message, 0); /* Checksum. */
	wbuf_u32(&message, (solicited ? 1u << 30 : 0) | 1u << 29); /* S, O. */
	put_ip6(&message, &question->nd_target);
	wbuf_u8(&message, 2); /* Target link-layer address, 8 bytes. */
	wbuf_u8(&message, 1);
	put_mac(&message, answer);

	checksum_pseudo6(&sum, &question->nd_target, dst, IP_PROTO_ICMPV6,
			 message.size);
	checksum_add(&sum, message.data, message.size);
	checksum_store(&sum, message.data + 2);

	put_ethernet(b, solicited ? &question->eth_src : &all_nodes_mac, answer,
		     ETH_TYPE_IPV6);
	wbuf_u32(b, 6u << 28);
	wbuf_u16(b, (uint16_t)message.size);
	wbuf_u8(b, IP_PROTO_ICMPV6);
	wbuf_u8(b, 255);
	put_ip6(b, &question->nd_target);
	put_ip6(b, dst);
	wbuf_bytes(b, message.data, message.size);
	wbuf_free(&message);
}
