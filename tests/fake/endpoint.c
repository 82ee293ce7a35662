#include "fake/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake/world.h"
#include "packet/build.h"
#include "packet/parse.h"
#include "util.h"

enum {
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
	ECHO_REPLY = 0,
	ECHO_REQUEST = 8,
	ECHO6_REQUEST = 128,
	ECHO6_REPLY = 129,
	UNREACHABLE = 3,
	TOO_BIG6 = 2,
	ND_SOLICIT = 135,
	ND_ADVERT = 136,
	ETHER_HEADER = 14,
	ICMP_HEADER = 4 /* Type, code, checksum. */
};

static const struct mac broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

struct endpoint *endpoint_new(struct host *host, const char *link,
			      const char *netns, const struct mac *mac)
{
	struct endpoint *e = xzalloc(sizeof *e);

	e->host = host;
	snprintf(e->link, sizeof e->link, "%s", link);
	snprintf(e->netns, sizeof e->netns, "%s", netns);
	e->mac = *mac;
	wbuf_init(&e->waiting, 0);
	return e;
}

void endpoint_free(struct endpoint *e)
{
	if (e) {
		wbuf_free(&e->waiting);
		free(e);
	}
}

void endpoint_add_ip(struct endpoint *e, const struct ip_addr *ip)
{
	ovs_assert(e->n_ips < ENDPOINT_MAX_IPS);
	e->ips[e->n_ips++] = *ip;
}

static bool has_ip(const struct endpoint *e, const struct ip_addr *ip)
{
	for (size_t i = 0; i < e->n_ips; i++) {
		if (ip_equal(&e->ips[i], ip)) {
			return true;
		}
	}
	return false;
}

/* The address to send from: of the family of 'dst'. */
static struct ip_addr source_for(const struct endpoint *e,
				 const struct ip_addr *dst)
{
	for (size_t i = 0; i < e->n_ips; i++) {
		if (ip_is_v4(&e->ips[i]) == ip_is_v4(dst)) {
			return e->ips[i];
		}
	}
	return e->ips[0];
}

void endpoint_send(struct endpoint *e, const struct flow *flow,
		   struct span payload)
{
	struct wbuf frame = WBUF_INITIALIZER(0);
	struct flow f = *flow;

	if (mac_is_zero(&f.eth_src)) {
		f.eth_src = e->mac;
	}
	if (ip_is_zero(&f.nw_src)) {
		f.nw_src = source_for(e, &f.nw_dst);
	}
	build_frame(&frame, &f, payload);
	fake_kernel_send(&e->host->kernel, e->link, wbuf_span(&frame));
	wbuf_free(&frame);
}

static void send_arp(struct endpoint *e, const struct ip_addr *ip)
{
	struct flow f = {.eth_dst = broadcast,
			 .eth_type = ETH_TYPE_ARP,
			 .arp_op = ARP_REQUEST,
			 .arp_sha = e->mac,
			 .nw_dst = *ip};

	endpoint_send(e, &f, span_of(NULL, 0));
}

/* To the solicited-node group of 'ip' (RFC 4291 2.7.1). */
static void send_solicitation(struct endpoint *e, const struct ip_addr *ip)
{
	struct flow f = {.eth_type = ETH_TYPE_IPV6,
			 .nw_proto = IP_PROTO_ICMPV6,
			 .nw_ttl = 255,
			 .tp_src = ND_SOLICIT,
			 .nd_target = *ip,
			 .nd_sll = e->mac};
	static const struct ip_addr group = {
		{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0}};

	f.nw_dst = group;
	memcpy(f.nw_dst.b + 13, ip->b + 13, 3);
	f.eth_dst = (struct mac){{0x33, 0x33, 0xff}};
	memcpy(f.eth_dst.b + 3, ip->b + 13, 3);
	endpoint_send(e, &f, span_of(NULL, 0));
}

void endpoint_resolve(struct endpoint *e, const struct ip_addr *ip)
{
	if (ip_is_v4(ip)) {
		send_arp(e, ip);
	} else {
		send_solicitation(e, ip);
	}
}

static const struct mac *neighbour(const struct endpoint *e,
				   const struct ip_addr *ip)
{
	for (size_t i = 0; i < e->n_neighbours; i++) {
		if (ip_equal(&e->neighbours[i].ip, ip)) {
			return &e->neighbours[i].mac;
		}
	}
	return NULL;
}

void endpoint_forget(struct endpoint *e)
{
	e->n_neighbours = 0;
}

static void learn(struct endpoint *e, const struct ip_addr *ip,
		  const struct mac *mac)
{
	size_t i = 0;

	while (i < e->n_neighbours && !ip_equal(&e->neighbours[i].ip, ip)) {
		i++;
	}
	if (i < ENDPOINT_MAX_NEIGHBOURS) {
		e->neighbours[i].ip = *ip;
		e->neighbours[i].mac = *mac;
		e->n_neighbours = MAX(e->n_neighbours, i + 1);
	}
	if (e->waiting.size && ip_equal(&e->waiting_flow.nw_dst, ip)) {
		e->waiting_flow.eth_dst = *mac;
		endpoint_send(e, &e->waiting_flow, wbuf_span(&e->waiting));
		wbuf_clear(&e->waiting);
	}
}

uint16_t endpoint_ping(struct endpoint *e, const struct ip_addr *dst,
		       size_t size)
{
	bool v4 = ip_is_v4(dst);
	size_t header = (v4 ? 20 : 40) + ICMP_HEADER;
	struct flow f = {.eth_type = v4 ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6,
			 .nw_proto = v4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6,
			 .nw_ttl = 64,
			 .tp_src = v4 ? ECHO_REQUEST : ECHO6_REQUEST,
			 .nw_dst = *dst};
	const struct mac *mac = neighbour(e, dst);
	uint16_t seq = e->next_seq++;

	ovs_assert(size >= header + 4);
	wbuf_clear(&e->waiting);
	wbuf_u16(&e->waiting, (uint16_t)e->host->index);
	wbuf_u16(&e->waiting, seq);
	wbuf_room(&e->waiting, size - header - 4);
	e->waiting_flow = f;
	if (mac) {
		f.eth_dst = *mac;
		endpoint_send(e, &f, wbuf_span(&e->waiting));
		wbuf_clear(&e->waiting);
	} else {
		endpoint_resolve(e, dst);
	}
	return seq;
}

bool endpoint_got_pong(const struct endpoint *e, uint16_t seq)
{
	for (size_t i = 0; i < MIN(e->n_pongs, ENDPOINT_MAX_PONGS); i++) {
		if (e->pongs[i] == seq) {
			return true;
		}
	}
	return false;
}

static void receive_arp(struct endpoint *e, const struct flow *f)
{
	if (f->arp_op == ARP_REQUEST) {
		e->n_arp_requests++;
	}
	if (ip_equal(&f->nw_src, &f->nw_dst)) {
		/* An announcement, for those who know the address already. */
		if (neighbour(e, &f->nw_src)) {
			learn(e, &f->nw_src, &f->arp_sha);
		}
	} else if (f->arp_op == ARP_REPLY) {
		learn(e, &f->nw_src, &f->arp_sha);
	} else if (has_ip(e, &f->nw_dst) && !has_ip(e, &f->nw_src)) {
		struct flow reply = {.eth_dst = f->eth_src,
				     .eth_type = ETH_TYPE_ARP,
				     .arp_op = ARP_REPLY,
				     .arp_sha = e->mac,
				     .arp_tha = f->arp_sha,
				     .nw_src = f->nw_dst,
				     .nw_dst = f->nw_src};

		endpoint_send(e, &reply, span_of(NULL, 0));
	}
}

static void receive_solicitation(struct endpoint *e, const struct flow *f)
{
	struct flow reply = {.eth_dst = f->eth_src,
			     .eth_type = ETH_TYPE_IPV6,
			     .nw_proto = IP_PROTO_ICMPV6,
			     .nw_ttl = 255,
			     .nw_src = f->nd_target,
			     .nw_dst = f->nw_src,
			     .tp_src = ND_ADVERT,
			     .nd_target = f->nd_target,
			     .nd_tll = e->mac};

	e->n_solicitations++;
	if (has_ip(e, &f->nd_target) && !has_ip(e, &f->nw_src)) {
		endpoint_send(e, &reply, span_of(NULL, 0));
	}
}

static void receive_echo(struct endpoint *e, const struct flow *f,
			 struct span rest)
{
	bool v4 = f->eth_type == ETH_TYPE_IPV4;
	uint16_t id, seq;

	if (!has_ip(e, &f->nw_dst)) {
		return;
	}
	if (f->tp_src == (v4 ? ECHO_REQUEST : ECHO6_REQUEST)) {
		struct flow reply = {.eth_dst = f->eth_src,
				     .eth_type = f->eth_type,
				     .nw_proto = f->nw_proto,
				     .nw_ttl = 64,
				     .tp_src = v4 ? ECHO_REPLY : ECHO6_REPLY,
				     .nw_src = f->nw_dst,
				     .nw_dst = f->nw_src};

		endpoint_send(e, &reply, rest);
		return;
	}
	if (span_u16(&rest, &id) || span_u16(&rest, &seq)) {
		return;
	}
	if (f->tp_src == (v4 ? UNREACHABLE : TOO_BIG6)) {
		e->n_told++;
		e->told_mtu = seq;
		e->told_by = f->nw_src;
		return;
	}
	if (endpoint_got_pong(e, seq)) {
		e->n_duplicates++;
	}
	e->pongs[e->n_pongs++ % ENDPOINT_MAX_PONGS] = seq;
}

void endpoint_receive(struct endpoint *e, struct span frame)
{
	struct flow f;
	struct span rest = frame;
	struct span header;
	bool v4;

	if (parse_frame(frame, &f)) {
		return;
	}
	if (!mac_is_group(&f.eth_dst) && !mac_equal(&f.eth_dst, &e->mac)) {
		world_fail(e->host->world, "%s got a frame for somebody else",
			   e->netns);
	}
	e->n_frames++;
	e->last = f;
	if (f.nw_proto == IP_PROTO_UDP &&
	    e->n_datagrams[f.tp_dst] < UINT8_MAX) {
		e->n_datagrams[f.tp_dst]++;
	}
	v4 = f.eth_type == ETH_TYPE_IPV4;
	if (f.eth_type == ETH_TYPE_ARP) {
		receive_arp(e, &f);
	} else if (f.eth_type == ETH_TYPE_IPV6 &&
		   f.nw_proto == IP_PROTO_ICMPV6 && f.tp_src == ND_SOLICIT) {
		receive_solicitation(e, &f);
	} else if (f.eth_type == ETH_TYPE_IPV6 &&
		   f.nw_proto == IP_PROTO_ICMPV6 && f.tp_src == ND_ADVERT) {
		learn(e, &f.nd_target, &f.nd_tll);
	} else if ((v4 && f.nw_proto == IP_PROTO_ICMP) ||
		   (f.eth_type == ETH_TYPE_IPV6 &&
		    f.nw_proto == IP_PROTO_ICMPV6)) {
		size_t skip = ETHER_HEADER + (v4 ? 20u : 40u) + ICMP_HEADER;

		if (!span_cut(&rest, skip, &header)) {
			receive_echo(e, &f, rest);
		}
	}
}
