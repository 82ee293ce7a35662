#include "packet/reply.h"

#include "packet/build.h"

enum {
	ARP_REQUEST = 1,
	ARP_REPLY = 2,

	ND_ADVERTISEMENT = 136,
	ND_HOP_LIMIT = 255, /* RFC 4861 7.1.2: has crossed no router. */
	ND_SOLICITED = 0x40,
	ND_OVERRIDE = 0x20
};

void reply_arp(struct wbuf *b, const struct flow *question,
	       const struct mac *answer)
{
	struct flow reply = {
		.eth_src = *answer,
		.eth_dst = question->eth_src,
		.eth_type = ETH_TYPE_ARP,
		.arp_op = ARP_REPLY,
		.arp_sha = *answer,
		.nw_src = question->nw_dst,
		.arp_tha = question->arp_sha,
		.nw_dst = question->nw_src,
	};

	build_frame(b, &reply, span_of(NULL, 0));
}

void reply_neighbour(struct wbuf *b, const struct flow *question,
		     const struct mac *answer)
{
	static const struct ip_addr all_nodes = {
		{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
	static const struct mac all_nodes_mac = {{0x33, 0x33, 0, 0, 0, 1}};
	bool solicited = !ip_is_zero(&question->nw_src);
	uint8_t flags[4] = {ND_OVERRIDE};
	struct flow reply = {
		.eth_src = *answer,
		.eth_dst = solicited ? question->eth_src : all_nodes_mac,
		.eth_type = ETH_TYPE_IPV6,
		.nw_proto = IP_PROTO_ICMPV6,
		.nw_ttl = ND_HOP_LIMIT,
		.nw_src = question->nd_target,
		.nw_dst = solicited ? question->nw_src : all_nodes,
		.tp_src = ND_ADVERTISEMENT,
		.nd_target = question->nd_target,
		.nd_tll = *answer,
	};

	if (solicited) {
		flags[0] |= ND_SOLICITED;
	}
	build_frame(b, &reply, span_of(flags, sizeof flags));
}

void reply_unasked(struct wbuf *b, const struct ip_addr *ip,
		   const struct mac *mac)
{
	const struct flow nobody = {.nd_target = *ip};
	struct flow announcement = {
		.eth_src = *mac,
		.eth_dst = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		.eth_type = ETH_TYPE_ARP,
		.arp_op = ARP_REQUEST,
		.arp_sha = *mac,
		.nw_src = *ip,
		.nw_dst = *ip,
	};

	if (ip_is_v4(ip)) {
		build_frame(b, &announcement, span_of(NULL, 0));
	} else {
		reply_neighbour(b, &nobody, mac);
	}
}
