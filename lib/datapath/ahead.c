#include "datapath/ahead.h"

#include "datapath/lane.h"

enum {
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
	ICMP_ECHO = 8,
	ICMPV6_ECHO = 128,
	ND_NEIGHBOUR_SOLICIT = 135,
	ND_NEIGHBOUR_ADVERT = 136,

	TTL = 64,
	EPHEMERAL = 0x8000 /* And all above. */
};

struct keys {
	struct flow base; /* With both MAC addresses. */
	const struct binding *src, *dst;
	unsigned int n_lanes;
	void (*visit)(void *aux, const struct flow *key);
	void *aux;
};

/* The next address of 'b' of that family, from the 'i'th on. */
static const struct ip_addr *next_ip(const struct binding *b, bool v4,
				     unsigned int *i)
{
	while (*i < b->n_ips) {
		const struct ip_addr *ip = &b->ips[(*i)++];

		if (ip_is_v4(ip) == v4) {
			return ip;
		}
	}
	return NULL;
}

static const struct ip_addr *first_ip(const struct binding *b, bool v4)
{
	unsigned int i = 0;

	return next_ip(b, v4, &i);
}

static struct flow key_of(const struct keys *k, uint16_t eth_type,
			  const struct ip_addr *src, const struct ip_addr *dst)
{
	struct flow f = k->base;

	f.eth_type = eth_type;
	f.nw_src = *src;
	f.nw_dst = *dst;
	return f;
}

static void visit_arp(const struct keys *k, const struct ip_addr *src,
		      const struct ip_addr *dst)
{
	static const struct mac broadcast = {
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	struct flow f = key_of(k, ETH_TYPE_ARP, src, dst);
	const struct ip_addr *target;
	unsigned int i = 0;

	f.arp_sha = k->src->mac;
	f.arp_op = ARP_REQUEST;
	f.eth_dst = broadcast;
	while ((target = next_ip(k->dst, true, &i))) {
		f.nw_dst = *target;
		k->visit(k->aux, &f);
	}
	f.eth_dst = k->dst->mac;
	f.nw_dst = *dst;
	k->visit(k->aux, &f);
	f.arp_tha = k->dst->mac;
	f.arp_op = ARP_REPLY;
	k->visit(k->aux, &f);
}

/* The ports that choose a lane, in each way that they can. */
static void visit_ports(const struct keys *k, struct flow *f)
{
	const uint16_t bits = lane_port_bits(k->n_lanes);
	uint16_t src = 0, dst = 0;

	if (bits > lane_port_bits(AHEAD_LANES_MAX)) {
		return;
	}
	/* Counts through the subsets of the bits. */
	do {
		do {
			f->tp_src = EPHEMERAL | src;
			f->tp_dst = dst;
			k->visit(k->aux, f);
			dst = (uint16_t)(dst - bits) & bits;
		} while (dst);
		src = (uint16_t)(src - bits) & bits;
	} while (src);
}

static void visit_ip(const struct keys *k, uint16_t eth_type,
		     const struct ip_addr *src, const struct ip_addr *dst)
{
	struct flow f = key_of(k, eth_type, src, dst);

	f.nw_ttl = TTL;
	if (eth_type == ETH_TYPE_IPV4) {
		f.nw_proto = IP_PROTO_ICMP;
		f.tp_src = ICMP_ECHO;
	} else {
		f.nw_proto = IP_PROTO_ICMPV6;
		f.tp_src = ICMPV6_ECHO;
	}
	k->visit(k->aux, &f);
	f.nw_proto = IP_PROTO_TCP;
	visit_ports(k, &f);
	f.nw_proto = IP_PROTO_UDP;
	visit_ports(k, &f);
}

/* Who has 'target'? */
static void visit_solicitation(const struct keys *k, const struct ip_addr *src,
			       const struct ip_addr *target,
			       const struct ip_addr *dst, const struct mac *mac)
{
	struct flow f = key_of(k, ETH_TYPE_IPV6, src, dst);

	f.eth_dst = *mac;
	f.nw_proto = IP_PROTO_ICMPV6;
	f.nw_ttl = UINT8_MAX;
	f.tp_src = ND_NEIGHBOUR_SOLICIT;
	f.nd_target = *target;
	f.nd_sll = k->src->mac;
	k->visit(k->aux, &f);
}

/* Of everybody: the last bytes of the address choose the group (RFC 4291 2.7.1,
 * RFC 2464 7). */
static void visit_search(const struct keys *k, const struct ip_addr *src,
			 const struct ip_addr *target)
{
	const uint8_t *b = target->b + 13;
	const struct ip_addr group = {{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
				       0xff, b[0], b[1], b[2]}};
	const struct mac mac = {{0x33, 0x33, 0xff, b[0], b[1], b[2]}};

	visit_solicitation(k, src, target, &group, &mac);
}

/* Of one, to confirm it. */
static void visit_question(const struct keys *k, const struct ip_addr *src,
			   const struct ip_addr *target)
{
	visit_solicitation(k, src, target, target, &k->base.eth_dst);
}

static void visit_neighbour(const struct keys *k, const struct ip_addr *src)
{
	const struct ip_addr link_local = ip_link_local_of(&k->dst->mac);
	const struct ip_addr *target;
	unsigned int i = 0;
	struct flow f = key_of(k, ETH_TYPE_IPV6, src, &link_local);

	f.nw_proto = IP_PROTO_ICMPV6;
	f.nw_ttl = UINT8_MAX;
	f.tp_src = ND_NEIGHBOUR_ADVERT;
	f.nd_target = *src;
	k->visit(k->aux, &f);
	/* What is asked of a group is answered with the link address
	 * (ndisc_recv_ns() in net/ipv6/ndisc.c). */
	f.nd_tll = k->src->mac;
	k->visit(k->aux, &f);
	visit_question(k, src, &link_local);
	if (ip_is_link_local6(src)) {
		visit_search(k, src, &link_local);
	}
	while ((target = next_ip(k->dst, false, &i))) {
		visit_question(k, src, target);
		visit_search(k, src, target);
	}
}

void ahead_each_key(const struct flow *base, const struct binding *src,
		    const struct binding *dst, unsigned int n_lanes,
		    void (*visit)(void *aux, const struct flow *key), void *aux)
{
	struct keys k = {.base = *base,
			 .src = src,
			 .dst = dst,
			 .n_lanes = n_lanes,
			 .visit = visit,
			 .aux = aux};
	const struct ip_addr link_local = ip_link_local_of(&src->mac);
	const struct ip_addr *to, *ip;
	unsigned int i = 0;

	k.base.eth_src = src->mac;
	k.base.eth_dst = dst->mac;
	to = first_ip(dst, true);
	while (to && (ip = next_ip(src, true, &i))) {
		visit_arp(&k, ip, to);
		visit_ip(&k, ETH_TYPE_IPV4, ip, to);
	}
	to = first_ip(dst, false);
	if (!to || !first_ip(src, false)) {
		return;
	}
	i = 0;
	while ((ip = next_ip(src, false, &i))) {
		visit_ip(&k, ETH_TYPE_IPV6, ip, to);
		visit_neighbour(&k, ip);
	}
	visit_ip(&k, ETH_TYPE_IPV6, &link_local, to);
	visit_neighbour(&k, &link_local);
}
