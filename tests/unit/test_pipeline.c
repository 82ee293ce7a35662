#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

#include "datapath/lane.h"
#include "datapath/pipeline.h"
#include "packet/parse.h"
#include "world.h"

#define N_OF(ARRAY) (int)(sizeof(ARRAY) / sizeof(ARRAY)[0])

/* Results as text, so that tables can be read. */

static void put_ip(struct ds *ds, const struct ip_addr *ip)
{
	char buf[IP_STRLEN];

	ds_put_cstr(ds, ip_format(ip, buf));
}

/* "2", "3,tnl(192.0.2.7>1),1", "drop". */
static char *actions_text(const struct actions *as)
{
	struct ds ds = DS_EMPTY_INITIALIZER;

	for (size_t i = 0; i < as->n; i++) {
		const struct action *a = &as->v[i];

		ds_put_cstr(&ds, i ? "," : "");
		if (a->type == ACTION_OUTPUT) {
			ds_put_format(&ds, "%u", a->port);
			continue;
		}
		if (a->type == ACTION_SET_MARK) {
			ds_put_format(&ds, "mark(%x/%x)", a->mark.value,
				      a->mark.mask);
			continue;
		}
		if (a->type == ACTION_PUSH_VLAN) {
			ds_put_format(&ds, "push(%u,%u)", a->vlan.vid,
				      a->vlan.pcp);
			continue;
		}
		if (a->type == ACTION_CHECK_SIZE) {
			ds_put_format(&ds, "check(%u,%u for %u)", a->check.size,
				      a->check.n, a->check.peer);
			continue;
		}
		if (a->type == ACTION_POP_VLAN) {
			ds_put_cstr(&ds, "pop");
			continue;
		}
		ds_put_cstr(&ds, "tnl(");
		put_ip(&ds, &a->tunnel.dst);
		ds_put_format(&ds, ">%u)", a->tunnel.vni);
	}
	if (!as->n) {
		ds_put_cstr(&ds, "drop");
	}
	return ds_steal_cstr(&ds);
}

static void put_bits(struct ds *ds, const char *name, const uint8_t *b,
		     size_t size)
{
	size_t n = 0;

	while (n < 8 * size && b[n / 8] & 0x80 >> n % 8) {
		n++;
	}
	for (size_t i = n; i < 8 * size; i++) {
		ck_assert(!(b[i / 8] & 0x80 >> i % 8));
	}
	if (n == 8 * size) {
		ds_put_format(ds, " %s", name);
	} else if (n) {
		ds_put_format(ds, " %s/%zu", name, n);
	}
}

static void put_int(struct ds *ds, const char *name, uint32_t mask,
		    uint32_t exact)
{
	if (mask == exact) {
		ds_put_format(ds, " %s", name);
	} else if (mask) {
		ds_put_format(ds, " %s/%x", name, mask);
	}
}

/* The fields that the mask holds, those of every case left out; of a field
 * that it does not hold entirely the number of leading bits, "name/N", or of an
 * integer the bits, "name/HEX". */
static char *mask_text(const struct flow *m)
{
	struct ds ds = DS_EMPTY_INITIALIZER;
	char *text;

	ck_assert_uint_eq(m->in_port, UINT32_MAX);
	put_int(&ds, "tnl", m->tunnel.present, true);
	put_bits(&ds, "tnl_src", m->tunnel.src.b, 16);
	put_bits(&ds, "tnl_dst", m->tunnel.dst.b, 16);
	put_int(&ds, "vni", m->tunnel.vni, 0xffffff);
	put_int(&ds, "tnl_flags", m->tunnel.flags, 0xff);
	put_int(&ds, "tnl_ttl", m->tunnel.ttl, 0xff);
	put_bits(&ds, "eth_src", m->eth_src.b, 6);
	if (m->eth_dst.b[0] == 1) {
		/* For one or for many? */
		ds_put_cstr(&ds, " group");
	} else {
		put_bits(&ds, "eth_dst", m->eth_dst.b, 6);
	}
	put_int(&ds, "tci", m->vlan_tci, 0xffff);
	put_int(&ds, "tpid", m->vlan_tpid, 0xffff);
	put_int(&ds, "type", m->eth_type, 0xffff);
	put_bits(&ds, "nw_src", m->nw_src.b, 16);
	put_bits(&ds, "nw_dst", m->nw_dst.b, 16);
	put_int(&ds, "proto", m->nw_proto, 0xff);
	put_int(&ds, "frag", m->nw_frag, 0xff);
	put_int(&ds, "tp_src", m->tp_src, 0xffff);
	put_int(&ds, "tp_dst", m->tp_dst, 0xffff);
	put_int(&ds, "op", m->arp_op, 0xffff);
	put_bits(&ds, "sha", m->arp_sha.b, 6);
	put_bits(&ds, "tha", m->arp_tha.b, 6);
	put_bits(&ds, "target", m->nd_target.b, 16);
	put_bits(&ds, "sll", m->nd_sll.b, 6);
	put_bits(&ds, "tll", m->nd_tll.b, 6);
	ck_assert(!m->nw_tos && !m->nw_ttl && !m->ipv6_label && !m->tcp_flags);
	ck_assert(!m->tunnel.tos);
	text = ds_steal_cstr(&ds);
	return text;
}

/* Packets. */

#define RESERVED_MAC                                 \
	{                                            \
		{                                    \
			0x01, 0x80, 0xc2, 0, 0, 0x0e \
		}                                    \
	}

/* Arguments that are initializers cannot stand in parentheses.
 * NOLINTBEGIN(bugprone-macro-parentheses) */
#define ETH(PORT, SRC, DST, TYPE) \
	.in_port = (PORT), .eth_src = SRC, .eth_dst = DST, .eth_type = (TYPE)
#define IP4(PORT, SRC, DST, PROTO)                \
	ETH(PORT, M(SRC), M(DST), ETH_TYPE_IPV4), \
		.nw_src = V4(SRC), .nw_dst = V4(DST), .nw_proto = (PROTO)
#define IP6(PORT, SRC, DST, PROTO)                \
	ETH(PORT, M(SRC), M(DST), ETH_TYPE_IPV6), \
		.nw_src = V6(SRC), .nw_dst = V6(DST), .nw_proto = (PROTO)
#define ARP(PORT, N, DST, OP, SPA, TPA)                            \
	.in_port = (PORT), .eth_src = M(N), .eth_dst = DST,        \
	.eth_type = ETH_TYPE_ARP, .arp_op = (OP), .arp_sha = M(N), \
	.nw_src = SPA, .nw_dst = TPA
#define ICMP6(PORT, N, DST, SRC, TYPE)                              \
	.in_port = (PORT), .eth_src = M(N), .eth_dst = DST,         \
	.eth_type = ETH_TYPE_IPV6, .nw_src = SRC, .nw_dst = V6(99), \
	.nw_proto = IP_PROTO_ICMPV6, .tp_src = (TYPE)
/* NOLINTEND(bugprone-macro-parentheses) */
#define TUNNEL(N, VNI)              \
	.tunnel = {.present = true, \
		   .src = U4(N),    \
		   .dst = U4(1),    \
		   .vni = (VNI),    \
		   .ttl = 64,       \
		   .flags = FLOW_TNL_KEY | FLOW_TNL_DF}

/* Masks that come again and again. */
#define FROM_ENDPOINT " eth_src eth_dst tci/1000 type"
#define TCP4	      FROM_ENDPOINT " nw_src proto/f0 frag"
#define FROM_PEER     " tnl tnl_src vni tnl_flags/1 eth_src"
#define FROM_RELAY    " tnl tnl_src vni tnl_flags/1 tnl_ttl/e0 eth_src"
#define FROM_TUNNEL   FROM_PEER " eth_dst tci/1000 type"
#define TUNNEL_TCP4   FROM_TUNNEL " nw_src proto/f0 frag"
#define ASKED_ARP     FROM_ENDPOINT " nw_src nw_dst op sha"
#define ASKED_ND      FROM_ENDPOINT " nw_src proto frag tp_src/ff target sll"
#define ALL_OF_1      "3,tnl(192.0.2.7>1),1,tnl(2001:db8::8>1),1"

static const struct {
	const char *name;
	struct flow flow;
	enum reason reason;
	const char *actions;
	const char *mask;
	bool ephemeral; /* Not to be installed. */
} cases[] = {
	/* Step 1. */
	{"unknown port", {.in_port = 5}, REASON_UNKNOWN_PORT, "drop", "", 0},
	{"host port",
	 {IP4(WORLD_HOST, 2, 3, 6)},
	 REASON_HOST_PORT,
	 "drop",
	 "",
	 0},
	{"unknown peer",
	 {IP4(WORLD_TUNNEL, 7, 2, 6), TUNNEL(66, 1)},
	 REASON_UNKNOWN_PEER,
	 "drop",
	 " tnl tnl_src",
	 0},
	{"unknown network",
	 {IP4(WORLD_TUNNEL, 7, 2, 6), TUNNEL(7, 3)},
	 REASON_UNKNOWN_NETWORK,
	 "drop",
	 " tnl tnl_src vni tnl_flags/1",
	 0},
	{"probe",
	 {ETH(WORLD_TUNNEL, M(1), M(1), PROBE_ETH_TYPE), TUNNEL(7, PROBE_VNI)},
	 REASON_PROBE,
	 "drop",
	 " tnl tnl_src vni tnl_flags/1 type",
	 true},
	{"probe of nobody",
	 {ETH(WORLD_TUNNEL, M(1), M(1), PROBE_ETH_TYPE), TUNNEL(66, PROBE_VNI)},
	 REASON_UNKNOWN_PEER,
	 "drop",
	 " tnl tnl_src",
	 0},
	{"something else where probes are",
	 {IP4(WORLD_TUNNEL, 7, 2, 6), TUNNEL(7, PROBE_VNI)},
	 REASON_UNKNOWN_NETWORK,
	 "drop",
	 " tnl tnl_src vni tnl_flags/1 type",
	 0},
	{"probe in a network",
	 {ETH(WORLD_TUNNEL, M(7), M(2), PROBE_ETH_TYPE), TUNNEL(7, 1)},
	 REASON_LOCAL,
	 "2",
	 FROM_TUNNEL,
	 0},
	{"probe of a container",
	 {ETH(2, M(2), M(7), PROBE_ETH_TYPE)},
	 REASON_REMOTE,
	 "tnl(192.0.2.7>1),1",
	 FROM_ENDPOINT,
	 0},
	{"tunnel without key",
	 {IP4(WORLD_TUNNEL, 7, 2, 6),
	  .tunnel = {.present = true, .src = U4(7), .dst = U4(1)}},
	 REASON_MALFORMED,
	 "drop",
	 " tnl tnl_src tnl_flags/1",
	 0},
	{"tunnel port without tunnel",
	 {IP4(WORLD_TUNNEL, 7, 2, 6)},
	 REASON_MALFORMED,
	 "drop",
	 " tnl",
	 true},
	{"peer that is down may still send",
	 {IP4(WORLD_TUNNEL, 9, 2, 6), TUNNEL(9, 1)},
	 REASON_LOCAL,
	 "2",
	 TUNNEL_TCP4,
	 0},

	/* Step 2, tunnel. */
	{"MAC of another peer",
	 {IP4(WORLD_TUNNEL, 8, 2, 6), TUNNEL(7, 1)},
	 REASON_WRONG_WAY,
	 "drop",
	 FROM_PEER " group tci/1000",
	 0},
	{"MAC of a local endpoint",
	 {IP4(WORLD_TUNNEL, 3, 2, 6), TUNNEL(7, 1)},
	 REASON_FOREIGN_MAC,
	 "drop",
	 " tnl tnl_src vni tnl_flags/1 eth_src tci/1000",
	 0},
	{"MAC in another network of the peer",
	 {IP4(WORLD_TUNNEL, 8, 4, 6), TUNNEL(7, 2)},
	 REASON_FOREIGN_MAC,
	 "drop",
	 " tnl tnl_src vni tnl_flags/1 eth_src tci/1000",
	 0},
	{"tag from the tunnel",
	 {IP4(WORLD_TUNNEL, 7, 2, 6), TUNNEL(7, 1), .vlan_tci = 0x1005,
	  .vlan_tpid = ETH_TYPE_VLAN},
	 REASON_VLAN,
	 "drop",
	 " tnl tnl_src vni tnl_flags/1 tci/1000 tpid type",
	 0},
	{"address of another peer",
	 {ETH(WORLD_TUNNEL, M(7), M(2), ETH_TYPE_IPV4), .nw_src = V4(8),
	  .nw_proto = 6, TUNNEL(7, 1)},
	 REASON_FOREIGN_IP,
	 "drop",
	 FROM_PEER " tci/1000 type nw_src/125 frag",
	 0},
	{"IPv6 address of another peer",
	 {ETH(WORLD_TUNNEL, M(7), M(2), ETH_TYPE_IPV6), .nw_src = V6(8),
	  .nw_proto = 6, TUNNEL(7, 1)},
	 REASON_FOREIGN_IP,
	 "drop",
	 FROM_PEER " tci/1000 type nw_src/125 frag",
	 0},
	{"link-local address of the peer's own",
	 {ICMP6(WORLD_TUNNEL, 7, M(2), LL(7), 128), TUNNEL(7, 1)},
	 REASON_LOCAL,
	 "2",
	 FROM_TUNNEL " nw_src proto frag tp_src/fc",
	 0},
	{"address of a local endpoint",
	 {ETH(WORLD_TUNNEL, M(7), M(2), ETH_TYPE_IPV4), .nw_src = V4(3),
	  .nw_proto = 6, TUNNEL(7, 1)},
	 REASON_FOREIGN_IP,
	 "drop",
	 FROM_PEER " tci/1000 type nw_src/126 frag",
	 0},
	{"ARP claim to another peer's address",
	 {ARP(WORLD_TUNNEL, 7, M(2), 2, V4(8), V4(2)), TUNNEL(7, 1)},
	 REASON_FOREIGN_IP,
	 "drop",
	 FROM_PEER " tci/1000 type nw_src/125 op/fffe sha",
	 0},
	{"router advertisement from the tunnel",
	 {ICMP6(WORLD_TUNNEL, 7, MULTICAST6, LL(7), 134), TUNNEL(7, 1)},
	 REASON_ROGUE_RA,
	 "drop",
	 FROM_PEER " tci/1000 type nw_src proto frag tp_src/ff",
	 0},
	{"reserved address from the tunnel",
	 {ETH(WORLD_TUNNEL, M(7), RESERVED_MAC, 0), TUNNEL(7, 1)},
	 REASON_RESERVED,
	 "drop",
	 FROM_PEER " eth_dst/44 tci/1000 type",
	 0},

	/* Step 2, endpoint: link layer. */
	{"tag",
	 {IP4(2, 2, 3, 6), .vlan_tci = 0x1005, .vlan_tpid = ETH_TYPE_QINQ},
	 REASON_VLAN,
	 "drop",
	 " tci/1000 tpid type",
	 0},
	{"MAC of another",
	 {IP4(2, 3, 7, 6)},
	 REASON_SPOOFED_MAC,
	 "drop",
	 " eth_src tci/1000",
	 0},
	{"multicast source",
	 {ETH(2, MULTICAST6, M(3), ETH_TYPE_IPV4)},
	 REASON_SPOOFED_MAC,
	 "drop",
	 " eth_src/3 tci/1000",
	 0},
	{"reserved address",
	 {ETH(2, M(2), RESERVED_MAC, 0x88cc)},
	 REASON_RESERVED,
	 "drop",
	 " eth_src eth_dst/44 tci/1000 type",
	 0},

	/* Step 2, endpoint: ARP. */
	{"ARP that is none",
	 {ETH(2, M(2), BROADCAST, ETH_TYPE_ARP), .nw_src = NO_V4},
	 REASON_MALFORMED,
	 "drop",
	 " eth_src tci/1000 type op",
	 0},
	{"ARP with the MAC of another",
	 {ETH(2, M(2), BROADCAST, ETH_TYPE_ARP), .arp_op = 2, .arp_sha = M(3),
	  .nw_src = V4(2), .nw_dst = V4(2)},
	 REASON_SPOOFED_ARP,
	 "drop",
	 " eth_src tci/1000 type op/fffe sha",
	 0},
	{"ARP with the address of another",
	 {ARP(2, 2, BROADCAST, 2, V4(3), V4(7))},
	 REASON_SPOOFED_ARP,
	 "drop",
	 " eth_src tci/1000 type nw_src op/fffe sha",
	 0},

	/* Step 2, endpoint: IPv4. */
	{"IPv4 from the address of another",
	 {ETH(2, M(2), M(7), ETH_TYPE_IPV4), .nw_src = V4(3), .nw_proto = 6},
	 REASON_SPOOFED_IP,
	 "drop",
	 " eth_src tci/1000 type nw_src frag",
	 0},
	{"damaged IPv4",
	 {ETH(2, M(2), M(7), ETH_TYPE_IPV4), .nw_src = NO_V4, .nw_dst = NO_V4},
	 REASON_MALFORMED,
	 "drop",
	 " eth_src tci/1000 type nw_src proto frag",
	 0},
	{"IPv4 without address",
	 {ETH(2, M(2), M(7), ETH_TYPE_IPV4), .nw_src = NO_V4, .nw_proto = 6},
	 REASON_SPOOFED_IP,
	 "drop",
	 " eth_src tci/1000 type nw_src proto/fc frag",
	 0},
	{"DHCP request",
	 {ETH(2, M(2), BROADCAST, ETH_TYPE_IPV4), .nw_src = NO_V4,
	  .nw_proto = 17, .tp_src = 68, .tp_dst = 67},
	 REASON_REPLICATED,
	 ALL_OF_1,
	 FROM_ENDPOINT " nw_src proto frag tp_src tp_dst",
	 0},
	{"DHCP request from another port",
	 {ETH(2, M(2), BROADCAST, ETH_TYPE_IPV4), .nw_src = NO_V4,
	  .nw_proto = 17, .tp_src = 69, .tp_dst = 67},
	 REASON_SPOOFED_IP,
	 "drop",
	 " eth_src tci/1000 type nw_src proto frag tp_src",
	 0},
	{"later fragment without address",
	 {ETH(2, M(2), BROADCAST, ETH_TYPE_IPV4), .nw_src = NO_V4,
	  .nw_proto = 17, .nw_frag = FLOW_FRAG_LATER},
	 REASON_SPOOFED_IP,
	 "drop",
	 " eth_src tci/1000 type nw_src proto frag",
	 0},
	{"DHCP answer",
	 {IP4(2, 2, 3, 17), .tp_src = 67, .tp_dst = 68},
	 REASON_ROGUE_DHCP,
	 "drop",
	 " eth_src tci/1000 type nw_src proto frag tp_src",
	 0},
	{"first fragment that hides its ports",
	 {IP4(2, 2, 3, 17), .nw_frag = FLOW_FRAG_FIRST},
	 REASON_MALFORMED,
	 "drop",
	 " eth_src tci/1000 type nw_src proto frag tp_src",
	 0},

	/* Step 2, endpoint: IPv6. */
	{"IPv6 from the address of another",
	 {ETH(2, M(2), M(7), ETH_TYPE_IPV6), .nw_src = V6(3), .nw_proto = 6},
	 REASON_SPOOFED_IP,
	 "drop",
	 " eth_src tci/1000 type nw_src frag",
	 0},
	{"IPv6 from the link-local address of another",
	 {ETH(2, M(2), M(7), ETH_TYPE_IPV6), .nw_src = LL(3), .nw_proto = 6},
	 REASON_SPOOFED_IP,
	 "drop",
	 " eth_src tci/1000 type nw_src frag",
	 0},
	{"IPv4-mapped address in IPv6",
	 {ETH(2, M(2), M(7), ETH_TYPE_IPV6), .nw_src = V4(2), .nw_proto = 6},
	 REASON_SPOOFED_IP,
	 "drop",
	 " eth_src tci/1000 type nw_src/81 frag",
	 0},
	{"damaged IPv6",
	 {ETH(2, M(2), M(7), ETH_TYPE_IPV6)},
	 REASON_MALFORMED,
	 "drop",
	 " eth_src tci/1000 type nw_src proto frag",
	 0},
	{"IPv6 without address",
	 {ETH(2, M(2), M(7), ETH_TYPE_IPV6), .nw_proto = 17, .tp_src = 546},
	 REASON_SPOOFED_IP,
	 "drop",
	 " eth_src tci/1000 type nw_src proto/f0 frag",
	 0},
	{"DHCPv6 answer",
	 {IP6(2, 2, 3, 17), .tp_src = 547, .tp_dst = 546},
	 REASON_ROGUE_DHCP,
	 "drop",
	 " eth_src tci/1000 type nw_src proto frag tp_src",
	 0},
	{"first fragment without upper layer",
	 {IP6(2, 2, 3, 59), .nw_frag = FLOW_FRAG_FIRST},
	 REASON_MALFORMED,
	 "drop",
	 " eth_src tci/1000 type nw_src proto frag",
	 0},
	{"fragmented router advertisement",
	 {ICMP6(2, 2, MULTICAST6, LL(2), 134), .nw_frag = FLOW_FRAG_FIRST},
	 REASON_MALFORMED,
	 "drop",
	 " eth_src tci/1000 type nw_src proto frag tp_src/ff",
	 0},
	{"fragment that hides its ICMPv6 type",
	 {ICMP6(2, 2, MULTICAST6, LL(2), 0), .nw_frag = FLOW_FRAG_FIRST},
	 REASON_MALFORMED,
	 "drop",
	 " eth_src tci/1000 type nw_src proto frag tp_src/ff",
	 0},
	{"router advertisement",
	 {ICMP6(2, 2, MULTICAST6, LL(2), 134)},
	 REASON_ROGUE_RA,
	 "drop",
	 " eth_src tci/1000 type nw_src proto frag tp_src/ff",
	 0},
	{"router solicitation without address",
	 {ICMP6(2, 2, MULTICAST6, {{0}}, 133)},
	 REASON_REPLICATED,
	 ALL_OF_1,
	 FROM_ENDPOINT " nw_src proto frag tp_src/ff",
	 0},
	{"MLD report without address",
	 {ICMP6(2, 2, MULTICAST6, {{0}}, 143)},
	 REASON_REPLICATED,
	 ALL_OF_1,
	 FROM_ENDPOINT " nw_src proto frag tp_src/ff",
	 0},
	{"echo request without address",
	 {ICMP6(2, 2, MULTICAST6, {{0}}, 128)},
	 REASON_SPOOFED_IP,
	 "drop",
	 " eth_src tci/1000 type nw_src proto frag tp_src/fe",
	 0},
	{"neighbour solicitation without target",
	 {ICMP6(2, 2, MULTICAST6, V6(2), 135)},
	 REASON_MALFORMED,
	 "drop",
	 " eth_src tci/1000 type nw_src proto frag tp_src/ff target",
	 0},
	{"neighbour solicitation with the MAC of another",
	 {ICMP6(2, 2, MULTICAST6, V6(2), 135), .nd_target = V6(7),
	  .nd_sll = M(3)},
	 REASON_SPOOFED_ARP,
	 "drop",
	 " eth_src tci/1000 type nw_src proto frag tp_src/ff target/1 "
	 "sll",
	 0},
	{"neighbour advertisement for another",
	 {ICMP6(2, 2, MULTICAST6, V6(2), 136), .nd_target = V6(3),
	  .nd_tll = M(2)},
	 REASON_SPOOFED_ARP,
	 "drop",
	 " eth_src tci/1000 type nw_src proto frag tp_src/ff "
	 "target",
	 0},
	{"neighbour advertisement with the MAC of another",
	 {ICMP6(2, 2, MULTICAST6, V6(2), 136), .nd_target = V6(2),
	  .nd_tll = M(3)},
	 REASON_SPOOFED_ARP,
	 "drop",
	 " eth_src tci/1000 type nw_src proto frag tp_src/ff target sll "
	 "tll",
	 0},
	{"neighbour advertisement without address",
	 {ICMP6(2, 2, MULTICAST6, {{0}}, 136), .nd_target = V6(2)},
	 REASON_SPOOFED_IP,
	 "drop",
	 " eth_src tci/1000 type nw_src proto frag tp_src/ff target/1",
	 0},
	{"own neighbour advertisement",
	 {ICMP6(2, 2, MULTICAST6, LL(2), 136), .nd_target = V6(2),
	  .nd_tll = M(2)},
	 REASON_REPLICATED,
	 ALL_OF_1,
	 FROM_ENDPOINT " nw_src proto frag tp_src/ff target sll tll",
	 0},

	/* Step 3: questions. */
	{"ARP for a local address",
	 {ARP(2, 2, BROADCAST, 1, V4(2), V4(3))},
	 REASON_ANSWERED,
	 "drop",
	 ASKED_ARP,
	 true},
	{"ARP for a peer's address",
	 {ARP(2, 2, BROADCAST, 1, V4(2), V4(7))},
	 REASON_ANSWERED,
	 "drop",
	 ASKED_ARP,
	 true},
	{"ARP probe for an address in use",
	 {ARP(2, 2, BROADCAST, 1, NO_V4, V4(9))},
	 REASON_ANSWERED,
	 "drop",
	 ASKED_ARP,
	 true},
	{"ARP for an unknown address",
	 {ARP(2, 2, BROADCAST, 1, V4(2), V4(66))},
	 REASON_UNKNOWN_IP,
	 "drop",
	 ASKED_ARP,
	 0},
	{"ARP for an address of another network",
	 {ARP(2, 2, BROADCAST, 1, V4(2), V4(4))},
	 REASON_UNKNOWN_IP,
	 "drop",
	 ASKED_ARP,
	 0},
	{"ARP probe for the own address",
	 {ARP(2, 2, BROADCAST, 1, NO_V4, V4(2))},
	 REASON_REPLICATED,
	 ALL_OF_1,
	 ASKED_ARP,
	 0},
	{"ARP announcement",
	 {ARP(2, 2, BROADCAST, 1, V4(2), V4(2))},
	 REASON_REPLICATED,
	 ALL_OF_1,
	 ASKED_ARP,
	 0},
	{"ARP reply to all",
	 {ARP(2, 2, BROADCAST, 2, V4(2), V4(2))},
	 REASON_REPLICATED,
	 ALL_OF_1,
	 FROM_ENDPOINT " nw_src op/fffe sha",
	 0},
	{"ARP request to one",
	 {ARP(2, 2, M(3), 1, V4(2), V4(66))},
	 REASON_LOCAL,
	 "3",
	 FROM_ENDPOINT " nw_src op sha",
	 0},
	{"ARP request from the tunnel",
	 {ARP(WORLD_TUNNEL, 7, BROADCAST, 1, V4(7), V4(3)), TUNNEL(7, 1)},
	 REASON_REPLICATED,
	 "2,3",
	 FROM_TUNNEL " nw_src op sha",
	 0},
	{"neighbour solicitation for a known address",
	 {ICMP6(2, 2, MULTICAST6, V6(2), 135), .nd_target = V6(8),
	  .nd_sll = M(2)},
	 REASON_ANSWERED,
	 "drop",
	 ASKED_ND " tll",
	 true},
	{"neighbour solicitation for a link-local address",
	 {ICMP6(2, 2, MULTICAST6, V6(2), 135), .nd_target = LL(8),
	  .nd_sll = M(2)},
	 REASON_ANSWERED,
	 "drop",
	 ASKED_ND " tll",
	 true},
	{"duplicate address detection of an address in use",
	 {ICMP6(2, 2, MULTICAST6, {{0}}, 135), .nd_target = V6(8)},
	 REASON_ANSWERED,
	 "drop",
	 ASKED_ND " tll",
	 true},
	{"duplicate address detection of the own address",
	 {ICMP6(2, 2, MULTICAST6, {{0}}, 135), .nd_target = LL(2)},
	 REASON_REPLICATED,
	 ALL_OF_1,
	 ASKED_ND " tll",
	 0},
	{"neighbour solicitation for an unknown address",
	 {ICMP6(2, 2, MULTICAST6, V6(2), 135), .nd_target = V6(66)},
	 REASON_UNKNOWN_IP,
	 "drop",
	 ASKED_ND " tll",
	 0},
	{"neighbour solicitation for an IPv4-mapped address",
	 {ICMP6(2, 2, MULTICAST6, V6(2), 135), .nd_target = V4(3)},
	 REASON_UNKNOWN_IP,
	 "drop",
	 ASKED_ND " tll",
	 0},
	{"neighbour solicitation to one",
	 {ICMP6(2, 2, M(3), V6(2), 135), .nd_target = V6(3), .nd_sll = M(2)},
	 REASON_LOCAL,
	 "3",
	 FROM_ENDPOINT " nw_src proto frag tp_src/ff target/1 sll tll",
	 0},

	/* Step 3: unicast. */
	{"TCP to a local endpoint",
	 {IP4(2, 2, 3, 6), .tp_src = 40000, .tp_dst = 80},
	 REASON_LOCAL,
	 "3",
	 TCP4,
	 0},
	{"TCP to a peer",
	 {IP4(2, 2, 7, 6), .tp_src = 40000, .tp_dst = 80},
	 REASON_REMOTE,
	 "tnl(192.0.2.7>1),1",
	 TCP4,
	 0},
	{"ping to a peer over IPv6",
	 {IP4(3, 3, 8, 1), .tp_src = 8},
	 REASON_REMOTE,
	 "tnl(2001:db8::8>1),1",
	 TCP4,
	 0},
	{"TCP in another network",
	 {IP4(4, 4, 7, 6), .tp_src = 40000, .tp_dst = 80},
	 REASON_REMOTE,
	 "tnl(192.0.2.7>2),1",
	 TCP4,
	 0},
	{"UDP from a high port",
	 {IP4(2, 2, 3, 17), .tp_src = 40000, .tp_dst = 53},
	 REASON_LOCAL,
	 "3",
	 FROM_ENDPOINT " nw_src proto frag tp_src/8000",
	 0},
	{"later fragment of UDP",
	 {IP4(2, 2, 3, 17), .nw_frag = FLOW_FRAG_LATER},
	 REASON_LOCAL,
	 "3",
	 FROM_ENDPOINT " nw_src proto frag",
	 0},
	{"TCP over IPv6",
	 {IP6(2, 2, 3, 6), .tp_src = 40000, .tp_dst = 80},
	 REASON_LOCAL,
	 "3",
	 FROM_ENDPOINT " nw_src proto/f0 frag",
	 0},
	{"ping over IPv6",
	 {ICMP6(2, 2, M(3), LL(2), 128)},
	 REASON_LOCAL,
	 "3",
	 FROM_ENDPOINT " nw_src proto frag tp_src/fc",
	 0},
	{"no IP at all",
	 {ETH(2, M(2), M(3), 0x88b5)},
	 REASON_LOCAL,
	 "3",
	 FROM_ENDPOINT,
	 0},
	{"802.2", {ETH(2, M(2), M(3), 0)}, REASON_LOCAL, "3", FROM_ENDPOINT, 0},
	{"to itself", {IP4(2, 2, 2, 6)}, REASON_SAME_PORT, "drop", TCP4, 0},
	{"to a peer that is down",
	 {IP4(2, 2, 9, 6)},
	 REASON_PEER_DOWN,
	 "drop",
	 TCP4,
	 0},
	{"to an unknown MAC",
	 {IP4(2, 2, 66, 6)},
	 REASON_UNKNOWN_MAC,
	 "drop",
	 TCP4,
	 0},
	{"to a MAC of another network",
	 {IP4(2, 2, 4, 6)},
	 REASON_UNKNOWN_MAC,
	 "drop",
	 TCP4,
	 0},
	{"from the tunnel",
	 {IP4(WORLD_TUNNEL, 7, 2, 6), TUNNEL(7, 1)},
	 REASON_LOCAL,
	 "2",
	 TUNNEL_TCP4,
	 0},
	{"from the tunnel to another peer",
	 {IP4(WORLD_TUNNEL, 7, 8, 6), TUNNEL(7, 1)},
	 REASON_RELAYED,
	 "tnl(2001:db8::8>1),1",
	 FROM_RELAY " eth_dst tci/1000 type nw_src proto/f0 frag",
	 0},
	{"from the tunnel to nobody",
	 {IP4(WORLD_TUNNEL, 7, 66, 6), TUNNEL(7, 1)},
	 REASON_NOT_FOR_US,
	 "drop",
	 TUNNEL_TCP4,
	 0},

	/* Step 3: all others. */
	{"broadcast",
	 {ETH(3, M(3), BROADCAST, ETH_TYPE_IPV4), .nw_src = V4(3),
	  .nw_proto = 6},
	 REASON_REPLICATED,
	 "2,tnl(192.0.2.7>1),1,tnl(2001:db8::8>1),1",
	 TCP4,
	 0},
	{"broadcast from the tunnel",
	 {ETH(WORLD_TUNNEL, M(7), BROADCAST, ETH_TYPE_IPV4), .nw_src = V4(7),
	  .nw_proto = 6, TUNNEL(7, 1)},
	 REASON_REPLICATED,
	 "2,3",
	 TUNNEL_TCP4,
	 0},
};

static struct forwarding *world;
static struct translation tr;

static void setup(void)
{
	world = world_new();
	translation_init(&tr);
}

static void teardown(void)
{
	translation_free(&tr);
	forwarding_free(world);
}

START_TEST(packet_in_known_world_gets_verdict)
{
	char *actions, *mask;

	pipeline_translate(world, &cases[_i].flow, NULL, &tr);
	actions = actions_text(&tr.actions);
	mask = mask_text(&tr.mask);
	ck_assert_msg(tr.reason == cases[_i].reason, "%s: %s", cases[_i].name,
		      reason_slug(tr.reason));
	ck_assert_msg(!strcmp(actions, cases[_i].actions), "%s: %s",
		      cases[_i].name, actions);
	ck_assert_msg(!strcmp(mask, cases[_i].mask), "%s:%s", cases[_i].name,
		      mask);
	ck_assert_msg(tr.install == !cases[_i].ephemeral, "%s", cases[_i].name);
	ck_assert_msg((tr.reply.size > 0) == (tr.reason == REASON_ANSWERED),
		      "%s", cases[_i].name);
	free(actions);
	free(mask);
}
END_TEST

static void give_lanes(unsigned int n)
{
	struct fwd_peer peer = *forwarding_peer(world, 7);

	peer.n_lanes = n;
	forwarding_set_peer(world, &peer);
}

START_TEST(tunnel_is_set_as_the_underlay_needs)
{
	static const struct flow to_7 = {IP4(2, 2, 7, 6)};
	static const struct flow to_8 = {IP4(2, 2, 8, 6)};
	static const struct ip_addr local4 = U4(1), local6 = U6(1);
	const struct action *a;

	pipeline_translate(world, &to_7, NULL, &tr);
	a = &tr.actions.v[0];
	ck_assert_int_eq(a->type, ACTION_SET_TUNNEL);
	ck_assert(ip_equal(&a->tunnel.src, &local4));
	ck_assert_uint_eq(a->tunnel.tp_dst, WORLD_UDP_PORT);
	ck_assert_uint_eq(a->tunnel.ttl, 255);
	ck_assert_uint_eq(a->tunnel.tos, 0);
	ck_assert(a->tunnel.df && !a->tunnel.csum);
	ck_assert_uint_eq(tr.peer, 7);
	ck_assert_uint_eq(tr.vni, 1);

	pipeline_translate(world, &to_8, NULL, &tr);
	a = &tr.actions.v[0];
	ck_assert(ip_equal(&a->tunnel.src, &local6));
	ck_assert(!a->tunnel.df && a->tunnel.csum);
	ck_assert_uint_eq(tr.peer, 8);
}
END_TEST

START_TEST(probe_goes_the_way_of_frames)
{
	static const struct flow to_7 = {IP4(2, 2, 7, 6)};
	struct actions probe;
	char *text;

	actions_init(&probe);
	pipeline_translate(world, &to_7, NULL, &tr);
	ck_assert(pipeline_probe(world, 7, FWD_BY_TUNNEL, 0, &probe));
	/* But for the network. */
	tr.actions.v[0].tunnel.vni = PROBE_VNI;
	ck_assert(actions_equal(&probe, &tr.actions));
	actions_free(&probe);
	give_lanes(4);
	ck_assert(pipeline_probe(world, 7, FWD_BY_TUNNEL, 3, &probe));
	text = actions_text(&probe);
	ck_assert_str_eq(text, "mark(30/f0),tnl(192.0.2.7>0),1");
	free(text);
	actions_free(&probe);
	/* To a peer that is down, to nobody, without a tunnel. */
	ck_assert(!pipeline_probe(world, 9, FWD_BY_TUNNEL, 0, &probe));
	ck_assert(!pipeline_probe(world, 66, FWD_BY_TUNNEL, 0, &probe));
	forwarding_remove_port(world, WORLD_TUNNEL);
	ck_assert(!pipeline_probe(world, 7, FWD_BY_TUNNEL, 0, &probe));
	ck_assert_uint_eq(probe.n, 0);
	actions_free(&probe);
}
END_TEST

START_TEST(no_tunnel_port_sends_nothing_away)
{
	static const struct flow to_7 = {IP4(2, 2, 7, 6)};
	static const struct flow to_all = {ETH(2, M(2), BROADCAST, 0)};
	char *actions;

	forwarding_remove_port(world, WORLD_TUNNEL);
	pipeline_translate(world, &to_7, NULL, &tr);
	ck_assert_int_eq(tr.reason, REASON_NO_DATAPATH);
	ck_assert_uint_eq(tr.actions.n, 0);
	pipeline_translate(world, &to_all, NULL, &tr);
	actions = actions_text(&tr.actions);
	ck_assert_str_eq(actions, "3");
	free(actions);
	forwarding_remove_port(world, 3);
	pipeline_translate(world, &to_all, NULL, &tr);
	ck_assert_int_eq(tr.reason, REASON_NO_RECEIVER);
	ck_assert_uint_eq(tr.actions.n, 0);
}
END_TEST

START_TEST(arp_request_is_answered_to_the_asker)
{
	static const struct flow question = {
		ARP(2, 2, BROADCAST, 1, V4(2), V4(7))};
	static const struct flow expected = {ARP(0, 7, M(2), 2, V4(7), V4(2)),
					     .arp_tha = M(2)};
	struct flow reply;

	pipeline_translate(world, &question, NULL, &tr);
	ck_assert_int_eq(parse_frame(wbuf_span(&tr.reply), &reply), FDP_OK);
	ck_assert(flow_equal(&reply, &expected));
}
END_TEST

START_TEST(neighbour_solicitation_is_answered_to_the_asker)
{
	static const struct flow question = {
		ICMP6(2, 2, MULTICAST6, LL(2), 135), .nd_target = V6(7),
		.nd_sll = M(2)};
	struct flow reply,
		expected = {ICMP6(0, 7, M(2), V6(7), 136), .nw_ttl = 255,
			    .nd_target = V6(7), .nd_tll = M(7)};

	expected.nw_dst = question.nw_src;
	pipeline_translate(world, &question, NULL, &tr);
	ck_assert_int_eq(parse_frame(wbuf_span(&tr.reply), &reply), FDP_OK);
	ck_assert(flow_equal(&reply, &expected));
}
END_TEST

static void join_lines(void *ds, const char *line)
{
	ds_put_format(ds, "%s\n", line);
}

START_TEST(trace_tells_each_step)
{
	static const struct flow flow = {IP4(2, 2, 7, 6)};
	static const struct flow spoofed = {IP4(2, 3, 7, 6)};
	struct ds ds = DS_EMPTY_INITIALIZER;
	struct pipeline_trace trace = {join_lines, &ds};

	pipeline_translate(world, &flow, &trace, &tr);
	ck_assert_str_eq(
		ds_cstr(&ds),
		"port 2 endpoint: endpoint of network 1\n"
		"spoof guard: MAC 02:00:00:00:00:02 and source 10.0.0.2 are "
		"the port's own\n"
		"destination 02:00:00:00:00:07: peer 7 at 192.0.2.7, through "
		"port 1\n"
		"send: remote: sent to a peer through the tunnel\n");
	ds_clear(&ds);
	pipeline_translate(world, &spoofed, &trace, &tr);
	ck_assert_str_eq(ds_cstr(&ds),
			 "port 2 endpoint: endpoint of network 1\n"
			 "drop: spoofed-mac: the source MAC is not the port's "
			 "own\n");
	ds_destroy(&ds);
}
END_TEST

/* Of 'n' packets of one kind with random ports, how many masked keys are there?
 * That is the number of megaflows they take. */
static int count_megaflows(struct dice *d, struct flow flow, int n)
{
	struct flow *seen = calloc((size_t)n, sizeof *seen);
	int n_seen = 0;

	for (int i = 0; i < n; i++) {
		int at = 0;

		flow.tp_src = (uint16_t)dice_roll(d, 65536);
		flow.tp_dst = (uint16_t)dice_roll(d, 65536);
		flow.nw_dst.b[15] = (uint8_t)dice_roll(d, 256);
		pipeline_translate(world, &flow, NULL, &tr);
		ck_assert_int_eq(tr.reason, REASON_LOCAL);
		while (at < n_seen &&
		       !flow_equal_masked(&flow, &seen[at], &tr.mask)) {
			at++;
		}
		if (at == n_seen) {
			seen[n_seen++] = flow;
		}
	}
	free(seen);
	return n_seen;
}

START_TEST(many_connections_take_few_megaflows)
{
	static const struct flow tcp4 = {IP4(2, 2, 3, 6)};
	static const struct flow tcp6 = {IP6(2, 2, 3, 6)};
	static const struct flow udp4 = {IP4(2, 2, 3, 17)};
	static const struct flow in = {IP4(WORLD_TUNNEL, 7, 2, 17),
				       TUNNEL(7, 1)};
	struct dice d = {1};

	ck_assert_int_eq(count_megaflows(&d, tcp4, 1000), 1);
	ck_assert_int_eq(count_megaflows(&d, tcp6, 1000), 1);
	/* One for each bit of the port, and the port 67 itself aside. */
	ck_assert_int_le(count_megaflows(&d, in, 1000), 16);
	ck_assert_int_le(count_megaflows(&d, udp4, 1000), 16);
}
END_TEST

/* Lanes. */

/* Peer 7 is given 'n' SAs. */
static unsigned int lane_of(const struct flow *flow)
{
	pipeline_translate(world, flow, NULL, &tr);
	ck_assert_int_eq(tr.reason, REASON_REMOTE);
	return tr.lane;
}

START_TEST(several_lanes_mark_then_tunnel_then_output)
{
	static const struct flow tcp = {IP4(2, 2, 7, 6), .tp_src = 40000,
					.tp_dst = 80};
	struct ds ds = DS_EMPTY_INITIALIZER;
	struct pipeline_trace trace = {join_lines, &ds};
	char *actions, *mask, want[64];

	give_lanes(4);
	pipeline_translate(world, &tcp, &trace, &tr);
	snprintf(want, sizeof want, "lane %u of 4\n", tr.lane);
	ck_assert_ptr_nonnull(strstr(ds_cstr(&ds), want));
	actions = actions_text(&tr.actions);
	snprintf(want, sizeof want, "mark(%x/f0),tnl(192.0.2.7>1),1",
		 tr.lane << 4);
	ck_assert_str_eq(actions, want);
	mask = mask_text(&tr.mask);
	ck_assert_str_eq(mask,
			 FROM_ENDPOINT " nw_src proto frag tp_src/6 tp_dst/6");
	free(actions);
	free(mask);
	/* One lane is none. */
	give_lanes(1);
	pipeline_translate(world, &tcp, NULL, &tr);
	actions = actions_text(&tr.actions);
	ck_assert_str_eq(actions, "tnl(192.0.2.7>1),1");
	ck_assert_uint_eq(tr.mask.tp_dst, 0);
	free(actions);
	ds_destroy(&ds);
}
END_TEST

/* Whatever 'n' is, no lane gets more than twice its share, even of the even
 * ports alone that connect() gives; and the megaflows are few. */
START_TEST(ports_spread_over_all_lanes)
{
	unsigned int n = (unsigned int)_i, count[LANES_MAX] = {0};
	enum {
		FLOWS = 4096
	};

	give_lanes(n);
	for (int i = 0; i < FLOWS; i++) {
		struct flow flow = {IP4(2, 2, 7, 6)};

		flow.tp_src = (uint16_t)(32768 + 2 * i);
		flow.tp_dst = 443;
		ck_assert_uint_lt(lane_of(&flow), n);
		count[tr.lane]++;
	}
	for (unsigned int i = 0; i < n; i++) {
		ck_assert_msg(count[i] >= FLOWS / n / 2 &&
				      count[i] <= FLOWS / n * 2,
			      "%u of %u: %u", i, n, count[i]);
	}
	ck_assert_int_le(__builtin_popcount(tr.mask.tp_src), n > 8 ? 5 : 4);
}
END_TEST

/* What has no ports, or may be cut into fragments, goes by its addresses. */
START_TEST(parts_of_a_datagram_take_one_lane)
{
	static const struct {
		const char *what;
		struct flow flow;
	} alike[] = {
		{"first",
		 {IP4(2, 2, 7, 17), .tp_src = 40002, .tp_dst = 9,
		  .nw_frag = FLOW_FRAG_FIRST}},
		{"other first",
		 {IP4(2, 2, 7, 17), .tp_src = 40004, .tp_dst = 9,
		  .nw_frag = FLOW_FRAG_FIRST}},
		{"later", {IP4(2, 2, 7, 17), .nw_frag = FLOW_FRAG_LATER}},
		{"first of TCP",
		 {IP4(2, 2, 7, 6), .tp_src = 40002,
		  .nw_frag = FLOW_FRAG_FIRST}},
		{"later of TCP", {IP4(2, 2, 7, 6), .nw_frag = FLOW_FRAG_LATER}},
		{"ICMP", {IP4(2, 2, 7, 1), .tp_src = 8}},
		{"ESP", {IP4(2, 2, 7, 50)}},
		{"IPv6 first",
		 {IP6(2, 2, 7, 17), .tp_src = 40006,
		  .nw_frag = FLOW_FRAG_FIRST}},
		{"IPv6 later", {IP6(2, 2, 7, 17), .nw_frag = FLOW_FRAG_LATER}},
		{"802.2", {ETH(2, M(2), M(7), 0)}},
	};

	for (unsigned int n = 2; n <= LANES_MAX; n++) {
		unsigned int lane;

		give_lanes(n);
		lane = lane_of(&alike[0].flow);
		for (int i = 0; i < N_OF(alike); i++) {
			ck_assert_msg(lane_of(&alike[i].flow) == lane, "%s",
				      alike[i].what);
		}
	}
}
END_TEST

/* The mark of one packet must not reach another receiver of it. */
START_TEST(replicated_has_no_mark)
{
	static const struct flow to_all = {ETH(2, M(2), BROADCAST, 0)};

	give_lanes(4);
	pipeline_translate(world, &to_all, NULL, &tr);
	ck_assert_int_eq(tr.reason, REASON_REPLICATED);
	for (size_t i = 0; i < tr.actions.n; i++) {
		ck_assert_int_ne(tr.actions.v[i].type, ACTION_SET_MARK);
	}
	ck_assert_uint_eq(tr.lane, 0);
}
END_TEST

static bool has_dep(const struct deps *deps, dep_t dep)
{
	for (size_t i = 0; i < deps->n; i++) {
		if (deps->v[i] == dep) {
			return true;
		}
	}
	return false;
}

START_TEST(other_number_of_lanes_changes_its_flows)
{
	static const struct flow tcp = {IP4(2, 2, 7, 6)};

	pipeline_translate(world, &tcp, NULL, &tr);
	ck_assert(has_dep(&tr.deps, dep_peer(7)));
	deps_clear(forwarding_changed(world));
	give_lanes(4);
	ck_assert(has_dep(forwarding_changed(world), dep_peer(7)));
	deps_clear(forwarding_changed(world));
	give_lanes(4);
	ck_assert_uint_eq(forwarding_changed(world)->n, 0);
}
END_TEST

/* Partial meshes.
 *
 *	6 --- 7 --- us --- 8 --- 5
 *
 * 5 and 6 are in network 1; 5, 6 and 8 are in network 3, in which we have
 * nothing. */

static uint32_t line_next(void *aux, uint32_t source, uint32_t to)
{
	(void)aux;
	if (source == 6 || source == 7) {
		return to == 8 || to == 5 ? 8 : FWD_NOBODY;
	}
	return to == 7 || to == 6 ? 7 : FWD_NOBODY;
}

static bool line_passes_on(void *aux, uint32_t source)
{
	(void)aux;
	return source >= 5 && source <= 8;
}

static uint32_t line_parent(void *aux, uint32_t source)
{
	(void)aux;
	return source == 6 || source == 7 ? 7 : 8;
}

static bool line_may_relay(void *aux, uint32_t source, uint32_t from)
{
	(void)aux;
	return (source == 6 && from == 7) || (source == 5 && from == 8);
}

static void make_line(void)
{
	static const struct fwd_routes routes = {.passes_on = line_passes_on,
						 .next = line_next,
						 .parent = line_parent,
						 .may_relay = line_may_relay};

	world_bind(world, 5, 1, 5);
	world_bind(world, 6, 1, 6);
	world_bind(world, 5, 3, 5);
	world_bind(world, 6, 3, 6);
	world_bind(world, 8, 3, 8);
	forwarding_set_via(world, 5, 8);
	forwarding_set_via(world, 6, 7);
	forwarding_set_routes(world, &routes);
}

#define RELAYED_TCP4 FROM_RELAY " eth_dst tci/1000 type nw_src proto/f0 frag"
#define RELAYED_ALL  FROM_RELAY " eth_dst tci/1000 type"

static const struct {
	const char *name;
	struct flow flow;
	enum reason reason;
	const char *actions;
	const char *mask;
	int ttl; /* Of tunnels that are set; -1: none. */
} line_cases[] = {
	{"to a host behind a neighbour",
	 {IP4(2, 2, 6, 6)},
	 REASON_INDIRECT,
	 "tnl(192.0.2.7>1),1",
	 TCP4,
	 255},
	{"to all, once to each neighbour",
	 {ETH(2, M(2), BROADCAST, 0)},
	 REASON_REPLICATED,
	 ALL_OF_1,
	 FROM_ENDPOINT,
	 255},
	{"from a host behind a neighbour",
	 {IP4(WORLD_TUNNEL, 6, 2, 6), TUNNEL(7, 1)},
	 REASON_LOCAL,
	 "2",
	 TUNNEL_TCP4,
	 -1},
	{"the same from the wrong neighbour",
	 {IP4(WORLD_TUNNEL, 5, 2, 6), TUNNEL(7, 1)},
	 REASON_WRONG_WAY,
	 "drop",
	 FROM_PEER " group tci/1000",
	 -1},
	{"from a host behind a neighbour with the address of another",
	 {ETH(WORLD_TUNNEL, M(6), M(2), ETH_TYPE_IPV4), .nw_src = V4(7),
	  .nw_proto = 6, TUNNEL(7, 1)},
	 REASON_FOREIGN_IP,
	 "drop",
	 FROM_PEER " group tci/1000 type nw_src frag",
	 -1},
	{"from one end of the line to the other",
	 {IP4(WORLD_TUNNEL, 6, 5, 6), TUNNEL(7, 1)},
	 REASON_RELAYED,
	 "tnl(2001:db8::8>1),1",
	 RELAYED_TCP4,
	 63},
	{"the same in a network that is not here",
	 {IP4(WORLD_TUNNEL, 6, 5, 6), TUNNEL(7, 3)},
	 REASON_RELAYED,
	 "tnl(2001:db8::8>3),1",
	 RELAYED_TCP4,
	 63},
	{"the same after routers took some of the TTL",
	 {IP4(WORLD_TUNNEL, 6, 5, 6), .tunnel = {.present = true,
						 .src = U4(7),
						 .dst = U4(1),
						 .vni = 3,
						 .ttl = 224,
						 .flags = FLOW_TNL_KEY}},
	 REASON_RELAYED,
	 "tnl(2001:db8::8>3),1",
	 RELAYED_TCP4,
	 223},
	{"the same, passed on too often",
	 {IP4(WORLD_TUNNEL, 6, 5, 6), .tunnel = {.present = true,
						 .src = U4(7),
						 .dst = U4(1),
						 .vni = 3,
						 .ttl = 31,
						 .flags = FLOW_TNL_KEY}},
	 REASON_HOP_LIMIT,
	 "drop",
	 RELAYED_TCP4,
	 -1},
	{"back to where it came from",
	 {IP4(WORLD_TUNNEL, 6, 7, 6), TUNNEL(7, 1)},
	 REASON_GOES_BACK,
	 "drop",
	 TUNNEL_TCP4,
	 -1},
	{"to the host that it came from",
	 {IP4(WORLD_TUNNEL, 7, 6, 6), TUNNEL(7, 1)},
	 REASON_GOES_BACK,
	 "drop",
	 TUNNEL_TCP4,
	 -1},
	{"broadcast along the line",
	 {ETH(WORLD_TUNNEL, M(6), BROADCAST, 0), TUNNEL(7, 1)},
	 REASON_REPLICATED,
	 "2,3,tnl(2001:db8::8>1),1",
	 RELAYED_ALL,
	 63},
	{"broadcast in a network that is not here",
	 {ETH(WORLD_TUNNEL, M(6), BROADCAST, 0), TUNNEL(7, 3)},
	 REASON_REPLICATED,
	 "tnl(2001:db8::8>3),1",
	 RELAYED_ALL,
	 63},
	{"broadcast, passed on too often",
	 {ETH(WORLD_TUNNEL, M(6), BROADCAST, 0),
	  .tunnel = {.present = true,
		     .src = U4(7),
		     .dst = U4(1),
		     .vni = 1,
		     .ttl = 5,
		     .flags = FLOW_TNL_KEY}},
	 REASON_REPLICATED,
	 "2,3",
	 RELAYED_ALL,
	 -1},
	{"broadcast of the neighbour itself",
	 {ETH(WORLD_TUNNEL, M(7), BROADCAST, 0), TUNNEL(7, 1)},
	 REASON_REPLICATED,
	 "2,3,tnl(2001:db8::8>1),1",
	 RELAYED_ALL,
	 63},
	{"broadcast of the far end that came the wrong way",
	 {ETH(WORLD_TUNNEL, M(5), BROADCAST, 0), TUNNEL(7, 1)},
	 REASON_WRONG_WAY,
	 "drop",
	 FROM_PEER " group tci/1000",
	 -1},
	{"network that nobody has",
	 {ETH(WORLD_TUNNEL, M(5), BROADCAST, 0), TUNNEL(7, 4)},
	 REASON_UNKNOWN_NETWORK,
	 "drop",
	 " tnl tnl_src vni tnl_flags/1",
	 -1},
};

START_TEST(packet_in_line_of_hosts_gets_verdict)
{
	char *actions, *mask;

	make_line();
	pipeline_translate(world, &line_cases[_i].flow, NULL, &tr);
	actions = actions_text(&tr.actions);
	mask = mask_text(&tr.mask);
	ck_assert_msg(tr.reason == line_cases[_i].reason, "%s: %s",
		      line_cases[_i].name, reason_slug(tr.reason));
	ck_assert_msg(!strcmp(actions, line_cases[_i].actions), "%s: %s",
		      line_cases[_i].name, actions);
	ck_assert_msg(!strcmp(mask, line_cases[_i].mask), "%s:\n%s\n%s",
		      line_cases[_i].name, mask, line_cases[_i].mask);
	for (size_t i = 0; i < tr.actions.n; i++) {
		const struct action *a = &tr.actions.v[i];

		ck_assert_msg(a->type != ACTION_SET_TUNNEL ||
				      a->tunnel.ttl == line_cases[_i].ttl,
			      "%s: ttl %u", line_cases[_i].name, a->tunnel.ttl);
	}
	free(actions);
	free(mask);
}
END_TEST

/* The TTL is taken away by relays, one step each, whatever routers took. */
START_TEST(hop_limit_ends_the_longest_way)
{
	struct flow flow = {IP4(WORLD_TUNNEL, 6, 5, 6), TUNNEL(7, 1)};
	int n_relays = 0;

	make_line();
	flow.tunnel.ttl = PIPELINE_TTL;
	for (;;) {
		flow.tunnel.ttl = (uint8_t)(flow.tunnel.ttl - 31);
		pipeline_translate(world, &flow, NULL, &tr);
		if (tr.reason != REASON_RELAYED) {
			break;
		}
		n_relays++;
		flow.tunnel.ttl = tr.actions.v[0].tunnel.ttl;
	}
	ck_assert_int_eq(tr.reason, REASON_HOP_LIMIT);
	ck_assert_int_eq(n_relays, PIPELINE_RELAYS_MAX);
}
END_TEST

START_TEST(trace_names_the_relay)
{
	static const struct flow out = {IP4(2, 2, 6, 6)};
	struct ds ds = DS_EMPTY_INITIALIZER;
	struct pipeline_trace trace = {join_lines, &ds};

	make_line();
	pipeline_translate(world, &out, &trace, &tr);
	ck_assert_ptr_nonnull(
		strstr(ds_cstr(&ds), "peer 6 via peer 7 at 192.0.2.7"));
	ck_assert_uint_eq(tr.peer, 6);
	ck_assert_uint_eq(tr.hop, 7);
	ds_destroy(&ds);
}
END_TEST

START_TEST(flows_depend_on_the_ways_they_take)
{
	static const struct flow out = {IP4(2, 2, 6, 6)};
	static const struct flow in = {IP4(WORLD_TUNNEL, 6, 2, 6),
				       TUNNEL(7, 1)};
	static const struct flow own = {IP4(WORLD_TUNNEL, 7, 2, 6),
					TUNNEL(7, 1)};
	static const struct flow all = {ETH(WORLD_TUNNEL, M(7), BROADCAST, 0),
					TUNNEL(7, 1)};
	static const struct flow to_8 = {IP4(2, 2, 8, 6)};

	make_line();
	deps_clear(forwarding_changed(world));
	pipeline_translate(world, &out, NULL, &tr);
	ck_assert(has_dep(&tr.deps, dep_peer(6)));
	ck_assert(has_dep(&tr.deps, dep_peer(7)));
	ck_assert(!has_dep(&tr.deps, dep_peer(8)));
	pipeline_translate(world, &in, NULL, &tr);
	ck_assert(has_dep(&tr.deps, dep_tree(6)));
	/* What a peer sends for itself to one of ours hangs on no way. */
	pipeline_translate(world, &own, NULL, &tr);
	ck_assert(!has_dep(&tr.deps, dep_tree(7)));
	pipeline_translate(world, &all, NULL, &tr);
	ck_assert(has_dep(&tr.deps, dep_tree(7)));
	ck_assert(has_dep(&tr.deps, dep_peer(8)));
	forwarding_set_via(world, 6, 8);
	ck_assert(has_dep(forwarding_changed(world), dep_peer(6)));
	ck_assert_uint_eq(forwarding_changed(world)->n, 1);
	pipeline_translate(world, &to_8, NULL, &tr);
	ck_assert(!has_dep(&tr.deps, dep_peer(6)));
	deps_clear(forwarding_changed(world));
	forwarding_set_via(world, 6, 8);
	forwarding_set_via(world, 8, FWD_NOBODY);
	ck_assert_uint_eq(forwarding_changed(world)->n, 0);
}
END_TEST

/* The sleeve trunk: in the line of hosts above 8 is reached by sleeve. */

enum {
	TRUNK = 6,
	VID_8_1 = 1, /* Peer 8, network 1. */
	VID_8_3,
	VID_8_4, /* A network that nobody has. */
	VID_8_PROBES,
	VID_7_1,
	VID_NOBODY
};

static void go_by_sleeve(uint32_t number)
{
	struct fwd_peer peer = *forwarding_peer(world, number);

	peer.way = FWD_BY_SLEEVE;
	forwarding_set_peer(world, &peer);
}

static void make_trunk(void)
{
	static const struct {
		uint32_t peer, vni;
		uint16_t vid;
	} vlans[] = {
		{8, 1, VID_8_1}, {8, 3, VID_8_3},
		{8, 4, VID_8_4}, {8, PROBE_VNI, VID_8_PROBES},
		{7, 1, VID_7_1},
	};

	make_line();
	world_add_port(world, TRUNK, PORT_SLEEVE, "fdp-sleeve", NULL);
	go_by_sleeve(8);
	for (int i = 0; i < N_OF(vlans); i++) {
		ck_assert_uint_eq(
			forwarding_vid(world, vlans[i].peer, vlans[i].vni),
			vlans[i].vid);
	}
}

#define TAG(VID, PCP)               \
	.vlan_tpid = ETH_TYPE_VLAN, \
	.vlan_tci = (uint16_t)((PCP) << 13 | 1 << 12 | (VID))
#define TAGGED		   " tci/1fff tpid"
#define TRUNK_TCP4	   " eth_src eth_dst" TAGGED " type nw_src proto/f0 frag"
#define TRUNK_RELAYED_TCP4 " eth_src eth_dst tci tpid type nw_src proto/f0 frag"

static const struct {
	const char *name;
	struct flow flow;
	enum reason reason;
	const char *actions;
	const char *mask;
	bool ephemeral;
} trunk_cases[] = {
	/* In. */
	{"frame without a tag",
	 {IP4(TRUNK, 8, 2, 6)},
	 REASON_UNKNOWN_VLAN,
	 "drop",
	 " tci/1000",
	 true},
	{"VLAN that is nobody's",
	 {IP4(TRUNK, 8, 2, 6), TAG(VID_NOBODY, 7)},
	 REASON_UNKNOWN_VLAN,
	 "drop",
	 TAGGED,
	 true},
	{"tag of a provider",
	 {IP4(TRUNK, 8, 2, 6), .vlan_tpid = ETH_TYPE_QINQ,
	  .vlan_tci = 1 << 12 | VID_8_1},
	 REASON_UNKNOWN_VLAN,
	 "drop",
	 TAGGED,
	 true},
	{"network that nobody has",
	 {IP4(TRUNK, 8, 2, 6), TAG(VID_8_4, 7)},
	 REASON_UNKNOWN_NETWORK,
	 "drop",
	 TAGGED,
	 0},
	{"probe",
	 {ETH(TRUNK, M(1), M(1), PROBE_ETH_TYPE), TAG(VID_8_PROBES, 7)},
	 REASON_PROBE,
	 "drop",
	 TAGGED " type",
	 true},
	{"no probe in their VLAN",
	 {IP4(TRUNK, 8, 2, 6), TAG(VID_8_PROBES, 7)},
	 REASON_UNKNOWN_NETWORK,
	 "drop",
	 TAGGED " type",
	 0},
	{"second tag",
	 {ETH(TRUNK, M(8), M(2), ETH_TYPE_VLAN), TAG(VID_8_1, 7)},
	 REASON_VLAN,
	 "drop",
	 TAGGED " type",
	 0},
	{"MAC of nobody",
	 {IP4(TRUNK, 66, 2, 6), TAG(VID_8_1, 7)},
	 REASON_FOREIGN_MAC,
	 "drop",
	 " eth_src" TAGGED " type",
	 0},
	{"MAC of another peer",
	 {IP4(TRUNK, 7, 2, 6), TAG(VID_8_1, 7)},
	 REASON_WRONG_WAY,
	 "drop",
	 " eth_src group" TAGGED " type",
	 0},
	{"MAC of the peer in another network",
	 {IP4(TRUNK, 8, 2, 6), TAG(VID_7_1, 7)},
	 REASON_WRONG_WAY,
	 "drop",
	 " eth_src group" TAGGED " type",
	 0},
	{"address of another",
	 {ETH(TRUNK, M(8), M(2), ETH_TYPE_IPV4), .nw_src = V4(7), .nw_proto = 6,
	  TAG(VID_8_1, 7)},
	 REASON_FOREIGN_IP,
	 "drop",
	 " eth_src" TAGGED " type nw_src/125 frag",
	 0},
	{"to a port of ours",
	 {IP4(TRUNK, 8, 2, 6), TAG(VID_8_1, 7)},
	 REASON_LOCAL,
	 "pop,2",
	 TRUNK_TCP4,
	 0},
	{"the same, at its last hop",
	 {IP4(TRUNK, 8, 2, 6), TAG(VID_8_1, 0)},
	 REASON_LOCAL,
	 "pop,2",
	 TRUNK_TCP4,
	 0},
	{"from a host behind it",
	 {IP4(TRUNK, 5, 2, 6), TAG(VID_8_1, 6)},
	 REASON_LOCAL,
	 "pop,2",
	 " eth_src eth_dst" TAGGED " type nw_src proto/f0 frag",
	 0},
	{"the same peer by tunnel",
	 {IP4(WORLD_TUNNEL, 8, 2, 6), .tunnel = {.present = true,
						 .src = U6(8),
						 .dst = U6(1),
						 .vni = 1,
						 .ttl = 64,
						 .flags = FLOW_TNL_KEY}},
	 REASON_LOCAL,
	 "2",
	 TUNNEL_TCP4,
	 0},

	/* Out. */
	{"to the peer",
	 {IP4(2, 2, 8, 6)},
	 REASON_REMOTE,
	 "push(1,7),6",
	 TCP4,
	 0},
	{"to a host behind it",
	 {IP4(2, 2, 5, 6)},
	 REASON_INDIRECT,
	 "push(1,7),6",
	 TCP4,
	 0},
	{"to all: ports, trunk, tunnel",
	 {ETH(2, M(2), BROADCAST, 0)},
	 REASON_REPLICATED,
	 "3,push(1,7),6,pop,tnl(192.0.2.7>1),1",
	 FROM_ENDPOINT,
	 0},

	/* From one to another. */
	{"sleeve to tunnel",
	 {IP4(TRUNK, 8, 7, 6), TAG(VID_8_1, 7)},
	 REASON_RELAYED,
	 "pop,tnl(192.0.2.7>1),1",
	 TRUNK_RELAYED_TCP4,
	 0},
	{"sleeve to tunnel in a network that is not here",
	 {IP4(TRUNK, 8, 6, 6), TAG(VID_8_3, 7)},
	 REASON_RELAYED,
	 "pop,tnl(192.0.2.7>3),1",
	 TRUNK_RELAYED_TCP4,
	 0},
	{"sleeve to tunnel, passed on too often",
	 {IP4(TRUNK, 8, 7, 6), TAG(VID_8_1, 0)},
	 REASON_HOP_LIMIT,
	 "drop",
	 TRUNK_RELAYED_TCP4,
	 0},
	{"tunnel to sleeve",
	 {IP4(WORLD_TUNNEL, 7, 8, 6), TUNNEL(7, 1)},
	 REASON_RELAYED,
	 "push(1,1),6",
	 RELAYED_TCP4,
	 0},
	{"tunnel to sleeve, to a host behind it",
	 {IP4(WORLD_TUNNEL, 6, 5, 6), TUNNEL(7, 3)},
	 REASON_RELAYED,
	 "push(2,1),6",
	 RELAYED_TCP4,
	 0},
	{"broadcast out of sleeve",
	 {ETH(TRUNK, M(8), BROADCAST, 0), TAG(VID_8_1, 7)},
	 REASON_REPLICATED,
	 "pop,2,3,tnl(192.0.2.7>1),1",
	 " eth_src eth_dst tci tpid type",
	 0},
	{"broadcast out of sleeve at its last hop",
	 {ETH(TRUNK, M(8), BROADCAST, 0), TAG(VID_8_1, 0)},
	 REASON_REPLICATED,
	 "pop,2,3",
	 " eth_src eth_dst tci tpid type",
	 0},
	{"broadcast out of sleeve in a network that is not here",
	 {ETH(TRUNK, M(8), BROADCAST, 0), TAG(VID_8_3, 1)},
	 REASON_REPLICATED,
	 "pop,tnl(192.0.2.7>3),1",
	 " eth_src eth_dst tci tpid type",
	 0},
	{"broadcast into sleeve",
	 {ETH(WORLD_TUNNEL, M(7), BROADCAST, 0), TUNNEL(7, 1)},
	 REASON_REPLICATED,
	 "2,3,push(1,1),6",
	 RELAYED_ALL,
	 0},
};

START_TEST(packet_in_world_with_trunk_gets_verdict)
{
	char *actions, *mask;

	make_trunk();
	pipeline_translate(world, &trunk_cases[_i].flow, NULL, &tr);
	actions = actions_text(&tr.actions);
	mask = mask_text(&tr.mask);
	ck_assert_msg(tr.reason == trunk_cases[_i].reason, "%s: %s",
		      trunk_cases[_i].name, reason_slug(tr.reason));
	ck_assert_msg(!strcmp(actions, trunk_cases[_i].actions), "%s: %s",
		      trunk_cases[_i].name, actions);
	ck_assert_msg(!strcmp(mask, trunk_cases[_i].mask), "%s:\n%s\n%s",
		      trunk_cases[_i].name, mask, trunk_cases[_i].mask);
	ck_assert_msg(tr.install == !trunk_cases[_i].ephemeral, "%s",
		      trunk_cases[_i].name);
	free(actions);
	free(mask);
}
END_TEST

/* Everybody by sleeve: one tag at a time. */
START_TEST(trunk_to_trunk_changes_the_tag)
{
	static const struct flow to_7 = {IP4(TRUNK, 8, 7, 6), TAG(VID_8_1, 3)};
	static const struct flow to_all = {ETH(2, M(2), BROADCAST, 0)};
	static const struct flow relayed = {ETH(TRUNK, M(8), BROADCAST, 0),
					    TAG(VID_8_1, 3)};
	static const struct {
		const struct flow *flow;
		const char *actions;
	} expected[] = {
		{&to_7, "pop,push(5,2),6"},
		{&to_all, "3,push(5,7),6,pop,push(1,7),6"},
		{&relayed, "pop,2,3,push(5,2),6"},
	};

	make_trunk();
	go_by_sleeve(7);
	for (int i = 0; i < N_OF(expected); i++) {
		char *actions;

		pipeline_translate(world, expected[i].flow, NULL, &tr);
		actions = actions_text(&tr.actions);
		ck_assert_str_eq(actions, expected[i].actions);
		free(actions);
	}
}
END_TEST

/* A frame that relays pass on by tunnel and by sleeve in turn gets no further
 * than one that goes through tunnels alone. */
START_TEST(hop_limit_holds_for_mixed_ways)
{
	struct flow by_sleeve = {IP4(TRUNK, 8, 7, 6)};
	struct flow by_tunnel = {IP4(WORLD_TUNNEL, 7, 8, 6), TUNNEL(7, 1)};
	uint8_t left = PIPELINE_RELAYS_MAX;
	int n_relays = 0;

	make_trunk();
	for (;;) {
		by_sleeve.vlan_tpid = ETH_TYPE_VLAN;
		by_sleeve.vlan_tci = (uint16_t)(left << 13 | 1 << 12 | VID_8_1);
		pipeline_translate(world, &by_sleeve, NULL, &tr);
		if (tr.reason != REASON_RELAYED) {
			break;
		}
		n_relays++;
		by_tunnel.tunnel.ttl = tr.actions.v[1].tunnel.ttl;
		pipeline_translate(world, &by_tunnel, NULL, &tr);
		if (tr.reason != REASON_RELAYED) {
			break;
		}
		n_relays++;
		left = tr.actions.v[0].vlan.pcp;
	}
	ck_assert_int_eq(tr.reason, REASON_HOP_LIMIT);
	ck_assert_int_eq(n_relays, PIPELINE_RELAYS_MAX);
}
END_TEST

START_TEST(probe_goes_the_way_it_is_told)
{
	struct actions probe;
	char *text;

	make_trunk();
	actions_init(&probe);
	ck_assert(pipeline_probe(world, 8, FWD_BY_SLEEVE, 0, &probe));
	text = actions_text(&probe);
	ck_assert_str_eq(text, "push(4,7),6");
	free(text);
	probe.n = 0;
	/* While frames go by sleeve the tunnel is tried. */
	ck_assert(pipeline_probe(world, 8, FWD_BY_TUNNEL, 0, &probe));
	text = actions_text(&probe);
	ck_assert_str_eq(text, "tnl(2001:db8::8>0),1");
	free(text);
	probe.n = 0;
	/* And the other way round. */
	ck_assert(pipeline_probe(world, 7, FWD_BY_SLEEVE, 0, &probe));
	probe.n = 0;
	forwarding_remove_port(world, TRUNK);
	ck_assert(!pipeline_probe(world, 8, FWD_BY_SLEEVE, 0, &probe));
	ck_assert_uint_eq(probe.n, 0);
	actions_free(&probe);
}
END_TEST

START_TEST(no_trunk_or_no_vlan_sends_nothing)
{
	static const struct flow to_8 = {IP4(2, 2, 8, 6)};
	static const struct flow to_all = {ETH(2, M(2), BROADCAST, 0)};
	char *actions;

	make_trunk();
	forwarding_remove_port(world, TRUNK);
	pipeline_translate(world, &to_8, NULL, &tr);
	ck_assert_int_eq(tr.reason, REASON_NO_DATAPATH);
	ck_assert_uint_eq(tr.actions.n, 0);
	ck_assert(has_dep(&tr.deps, dep_trunk()));
	world_add_port(world, TRUNK, PORT_SLEEVE, "fdp-sleeve", NULL);
	go_by_sleeve(7);
	for (uint32_t i = 0; forwarding_vid(world, 1000 + i, 1); i++) {
	}
	forwarding_remove_peer(world, 8);
	world_add_peer(world, 8, false, true);
	world_bind(world, 8, 1, 8);
	go_by_sleeve(8);
	for (uint32_t i = 0; forwarding_vid(world, 1000 + i, 2); i++) {
	}
	pipeline_translate(world, &to_8, NULL, &tr);
	ck_assert_int_eq(tr.reason, REASON_NO_VLAN);
	ck_assert_uint_eq(tr.actions.n, 0);
	ck_assert(has_dep(&tr.deps, dep_trunk()));
	pipeline_translate(world, &to_all, NULL, &tr);
	actions = actions_text(&tr.actions);
	ck_assert_str_eq(actions, "3,push(5,7),6");
	free(actions);
}
END_TEST

START_TEST(trace_names_sleeve)
{
	static const struct flow out = {IP4(2, 2, 5, 6)};
	static const struct flow in = {IP4(TRUNK, 8, 2, 6), TAG(VID_8_1, 7)};
	struct ds ds = DS_EMPTY_INITIALIZER;
	struct pipeline_trace trace = {join_lines, &ds};

	make_trunk();
	pipeline_translate(world, &out, &trace, &tr);
	ck_assert_ptr_nonnull(strstr(
		ds_cstr(&ds), "peer 5 via peer 8 by sleeve, through port 6\n"));
	ds_clear(&ds);
	pipeline_translate(world, &in, &trace, &tr);
	ck_assert_ptr_nonnull(strstr(
		ds_cstr(&ds), "port 6 fdp-sleeve: sleeve, VLAN 1, from peer 8, "
			      "network 1\n"));
	ds_destroy(&ds);
}
END_TEST

START_TEST(flows_depend_on_trunk_and_vlan)
{
	static const struct flow out = {IP4(2, 2, 8, 6)};
	static const struct flow in = {IP4(TRUNK, 8, 2, 6), TAG(VID_8_1, 7)};

	make_trunk();
	pipeline_translate(world, &out, NULL, &tr);
	ck_assert(has_dep(&tr.deps, dep_trunk()));
	ck_assert(has_dep(&tr.deps, dep_peer(8)));
	ck_assert(!has_dep(&tr.deps, dep_tunnel()));
	ck_assert_uint_eq(tr.vid, 0);
	pipeline_translate(world, &in, NULL, &tr);
	ck_assert(has_dep(&tr.deps, dep_vid(VID_8_1)));
	ck_assert(!has_dep(&tr.deps, dep_peer(8)));
	ck_assert_uint_eq(tr.vid, VID_8_1);
	ck_assert_uint_eq(tr.peer, 8);
	deps_clear(forwarding_changed(world));
	forwarding_remove_peer(world, 8);
	ck_assert(has_dep(forwarding_changed(world), dep_vid(VID_8_1)));
}
END_TEST

static void give_mtus(uint32_t port, uint32_t peer_7)
{
	struct fwd_peer peer = *forwarding_peer(world, 7);

	peer.mtu = peer_7;
	forwarding_set_peer(world, &peer);
	forwarding_set_port_mtu(world, 2, port);
}

static void demand_actions(const struct flow *flow, const char *wanted)
{
	char *text;

	pipeline_translate(world, flow, NULL, &tr);
	text = actions_text(&tr.actions);
	ck_assert_str_eq(text, wanted);
	free(text);
}

/* Only where the port has more than what gets to the peer, and in copies only
 * for those peers; never for what others have sent. */
START_TEST(sizes_are_looked_at_where_they_may_be_too_large)
{
	static const struct flow to_7 = {IP4(2, 2, 7, 6)};
	static const struct flow to_8 = {IP4(2, 2, 8, 6)};
	static const struct flow to_all = {
		ARP(2, 2, BROADCAST, 2, V4(2), V4(2))};
	static const char plain[] = "tnl(192.0.2.7>1),1";
	static const struct {
		uint32_t port, peer;
		const char *check;
	} sizes[] = {
		{1416, 1316, "check(1330,2 for 7),"},
		{1416, 1415, "check(1429,2 for 7),"},
		{1416, 1416, ""},
		{1316, 1416, ""},
		{1416, 0, ""},
		{0, 1316, ""},
		{65536, 65521, "check(65535,2 for 7),"},
		{65536, 65522, ""}, /* No frame is larger. */
	};
	struct ds ds = DS_EMPTY_INITIALIZER;
	struct pipeline_trace trace = {join_lines, &ds};

	for (int i = 0; i < N_OF(sizes); i++) {
		char *wanted = xasprintf("%s%s", sizes[i].check, plain);

		give_mtus(sizes[i].port, sizes[i].peer);
		demand_actions(&to_7, wanted);
		free(wanted);
	}
	give_mtus(1416, 1316);
	demand_actions(&to_8, "tnl(2001:db8::8>1),1");
	demand_actions(&to_all, "3,check(1330,2 for 7),tnl(192.0.2.7>1),1,"
				"tnl(2001:db8::8>1),1");
	ck_assert_ptr_null(actions_find_check(&tr.actions, 8));
	ck_assert_ptr_eq(actions_find_check(&tr.actions, 7), &tr.actions.v[1]);
	pipeline_translate(world, &to_7, &trace, &tr);
	ck_assert_ptr_nonnull(strstr(ds_cstr(&ds), "packets of more than 1316 "
						   "bytes are too large for "
						   "peer 7\n"));
	ds_destroy(&ds);
	/* Both MTUs are things that flows depend on. */
	deps_clear(forwarding_changed(world));
	give_mtus(1416, 1316);
	ck_assert_uint_eq(forwarding_changed(world)->n, 0);
	give_mtus(1416, 1312);
	ck_assert(has_dep(forwarding_changed(world), dep_peer(7)));
	ck_assert(has_dep(&tr.deps, dep_peer(7)));
	deps_clear(forwarding_changed(world));
	give_mtus(1412, 1312);
	ck_assert(has_dep(forwarding_changed(world), dep_port(2)));
	ck_assert(has_dep(&tr.deps, dep_port(2)));
	/* A tunnel has none. */
	deps_clear(forwarding_changed(world));
	forwarding_set_port_mtu(world, WORLD_TUNNEL, 9000);
	forwarding_set_port_mtu(world, 99, 9000);
	ck_assert_uint_eq(forwarding_changed(world)->n, 0);
}
END_TEST

/* Mask soundness. */

#define MERGE(F)       r.F = (__typeof__(r.F))((key->F & m->F) | (o->F & ~m->F))
#define MERGE_BYTES(F) merge(r.F.b, key->F.b, m->F.b, o->F.b, sizeof r.F.b)

static void merge(uint8_t *to, const uint8_t *key, const uint8_t *mask,
		  const uint8_t *other, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		to[i] = (uint8_t)((key[i] & mask[i]) | (other[i] & ~mask[i]));
	}
}

/* A packet that equals 'key' under 'm' and 'o' elsewhere, as far as the kernel
 * can show such a packet at all. */
static struct flow mutant(const struct flow *key, const struct flow *m,
			  const struct flow *o)
{
	struct flow r;

	memset(&r, 0, sizeof r);
	MERGE(in_port);
	r.tunnel.present =
		m->tunnel.present ? key->tunnel.present : o->tunnel.present;
	MERGE_BYTES(tunnel.src);
	MERGE_BYTES(tunnel.dst);
	MERGE(tunnel.vni);
	r.tunnel.vni &= VNI_MAX;
	MERGE(tunnel.tos);
	MERGE(tunnel.ttl);
	MERGE(tunnel.flags);
	MERGE_BYTES(eth_src);
	MERGE_BYTES(eth_dst);
	MERGE(vlan_tci);
	MERGE(vlan_tpid);
	MERGE(eth_type);
	MERGE(nw_proto);
	MERGE(nw_tos);
	MERGE(nw_ttl);
	MERGE(nw_frag);
	MERGE(ipv6_label);
	MERGE_BYTES(nw_src);
	MERGE_BYTES(nw_dst);
	MERGE(tp_src);
	MERGE(tp_dst);
	MERGE(tcp_flags);
	MERGE(arp_op);
	MERGE_BYTES(arp_sha);
	MERGE_BYTES(arp_tha);
	MERGE_BYTES(nd_target);
	MERGE_BYTES(nd_sll);
	MERGE_BYTES(nd_tll);
	if (r.eth_type != ETH_TYPE_IPV6) {
		memcpy(r.nw_src.b, ((struct ip_addr)NO_V4).b, 12);
		memcpy(r.nw_dst.b, ((struct ip_addr)NO_V4).b, 12);
	}
	if (r.nw_proto == IP_PROTO_ICMP || r.nw_proto == IP_PROTO_ICMPV6) {
		r.tp_src &= 0xff;
		r.tp_dst &= 0xff;
	}
	return r;
}

static void check_same(const struct translation *a, const struct translation *b)
{
	REQUIRE(a->reason == b->reason);
	REQUIRE(a->install == b->install);
	REQUIRE(actions_equal(&a->actions, &b->actions));
	/* Masks never overlap, see datapath/look.h. */
	REQUIRE(flow_equal(&a->mask, &b->mask));
	REQUIRE(a->vni == b->vni);
	REQUIRE(a->vid == b->vid);
	REQUIRE(a->peer == b->peer);
	REQUIRE(a->lane == b->lane);
	REQUIRE(a->deps.n == b->deps.n);
	REQUIRE(!a->deps.n ||
		!memcmp(a->deps.v, b->deps.v, a->deps.n * sizeof *a->deps.v));
}

enum {
	SOUND_WORLDS = 2000,
	SOUND_PACKETS = 100,
	SOUND_MUTANTS = 4
};

/* The most important property: one megaflow stands for every packet that it
 * matches.  It also is what makes revalidation by one key of each flow right.
 */
START_TEST(packets_equal_under_mask_get_same_verdict)
{
	struct translation other;
	struct dice d = {20240611};
	unsigned int seen[N_REASONS] = {0};

	translation_init(&other);
	for (int w = 0; w < SOUND_WORLDS; w++) {
		struct forwarding *f = forwarding_new();

		for (int i = 0; i < 40; i++) {
			random_change(&d, f);
		}
		/* Some worlds are out of VLANs. */
		for (uint32_t i = 0;
		     w % 8 == 0 && forwarding_vid(f, 100 + i, 1); i++) {
		}
		for (int p = 0; p < SOUND_PACKETS; p++) {
			struct flow key = random_flow(&d, f);

			pipeline_translate(f, &key, NULL, &tr);
			REQUIRE(tr.reason != REASON_NONE);
			REQUIRE(flow_equal_masked(&key, &key, &tr.mask));
			seen[tr.reason]++;
			for (int m = 0; m < SOUND_MUTANTS; m++) {
				struct flow noise = random_flow(&d, f), same;

				if (dice_one_in(&d, 2)) {
					dice_fill(&d, &noise, sizeof noise);
					noise.tunnel.present = false;
				}
				same = mutant(&key, &tr.mask, &noise);
				REQUIRE(flow_equal_masked(&key, &same,
							  &tr.mask));
				pipeline_translate(f, &same, NULL, &other);
				check_same(&tr, &other);
			}
		}
		forwarding_free(f);
	}
	translation_free(&other);
	/* It proves nothing about verdicts that never came. */
	for (int r = REASON_LOCAL; r <= REASON_NOT_FOR_US; r++) {
		ck_assert_msg(seen[r] >= 10, "%s: %u", reason_slug(r), seen[r]);
	}
}
END_TEST

/* And the mask is needed: for one verdict after another, what happens if a bit
 * of it is not obeyed?  For exact fields asked of a table nothing can be said,
 * but of the constants at least some neighbour must differ. */
START_TEST(each_case_s_mask_bits_matter)
{
	const struct flow *key = &cases[_i].flow;
	struct translation other;
	bool differs = false;

	pipeline_translate(world, key, NULL, &tr);
	translation_init(&other);
	for (size_t bit = 0; bit < 8 * sizeof tr.mask; bit++) {
		struct flow neighbour = *key;
		uint8_t *bytes = (uint8_t *)&neighbour;
		const uint8_t *mask = (const uint8_t *)&tr.mask;

		if (!(mask[bit / 8] & 1 << bit % 8) ||
		    bit / 8 == offsetof(struct flow, tunnel.present)) {
			continue;
		}
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		pipeline_translate(world, &neighbour, NULL, &other);
		if (other.reason != tr.reason) {
			differs = true;
			break;
		}
	}
	ck_assert_msg(differs, "%s", cases[_i].name);
	translation_free(&other);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pipeline");
	TCase *t = tcase_create("pipeline");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, packet_in_known_world_gets_verdict, 0,
			    N_OF(cases));
	tcase_add_test(t, tunnel_is_set_as_the_underlay_needs);
	tcase_add_test(t, probe_goes_the_way_of_frames);
	tcase_add_test(t, no_tunnel_port_sends_nothing_away);
	tcase_add_test(t, arp_request_is_answered_to_the_asker);
	tcase_add_test(t, neighbour_solicitation_is_answered_to_the_asker);
	tcase_add_test(t, trace_tells_each_step);
	tcase_add_test(t, many_connections_take_few_megaflows);
	tcase_add_test(t, several_lanes_mark_then_tunnel_then_output);
	tcase_add_loop_test(t, ports_spread_over_all_lanes, 2, LANES_MAX + 1);
	tcase_add_test(t, parts_of_a_datagram_take_one_lane);
	tcase_add_test(t, replicated_has_no_mark);
	tcase_add_test(t, other_number_of_lanes_changes_its_flows);
	tcase_add_loop_test(t, packet_in_line_of_hosts_gets_verdict, 0,
			    N_OF(line_cases));
	tcase_add_test(t, hop_limit_ends_the_longest_way);
	tcase_add_test(t, trace_names_the_relay);
	tcase_add_test(t, flows_depend_on_the_ways_they_take);
	tcase_add_loop_test(t, packet_in_world_with_trunk_gets_verdict, 0,
			    N_OF(trunk_cases));
	tcase_add_test(t, trunk_to_trunk_changes_the_tag);
	tcase_add_test(t, hop_limit_holds_for_mixed_ways);
	tcase_add_test(t, probe_goes_the_way_it_is_told);
	tcase_add_test(t, no_trunk_or_no_vlan_sends_nothing);
	tcase_add_test(t, trace_names_sleeve);
	tcase_add_test(t, sizes_are_looked_at_where_they_may_be_too_large);
	tcase_add_test(t, flows_depend_on_trunk_and_vlan);
	tcase_add_test(t, packets_equal_under_mask_get_same_verdict);
	tcase_add_loop_test(t, each_case_s_mask_bits_matter, 0, N_OF(cases));
	tcase_set_timeout(t, 120);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
