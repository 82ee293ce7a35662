/* One flow of every shape that the datapath can show, with the text that an
 * exact match on it has.  Shared by the unit test of the codec and by the
 * kernel test, which asks the real datapath for its opinion. */
#ifndef FDP_TESTS_ODP_SHAPES_H
#define FDP_TESTS_ODP_SHAPES_H 1

#include "packet/flow.h"

#define SHAPE_V4(A, B, C, D)                                                 \
	{                                                                    \
		{                                                            \
			0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, A, B, C, D \
		}                                                            \
	}
/* fd00::X, fe80::X */
#define SHAPE_ULA(X)                                                      \
	{                                                                 \
		{                                                         \
			0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, X \
		}                                                         \
	}
#define SHAPE_LINK(X)                                                        \
	{                                                                    \
		{                                                            \
			0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, X \
		}                                                            \
	}
#define SHAPE_ETH \
	.eth_src = {{2, 0, 0, 0, 0, 1}}, .eth_dst = {{2, 0, 0, 0, 0, 2}}
#define SHAPE_IPV4(PROTO, TOS, TTL, FRAG)                                      \
	SHAPE_ETH, .eth_type = ETH_TYPE_IPV4, .nw_src = SHAPE_V4(10, 0, 0, 1), \
		   .nw_dst = SHAPE_V4(10, 0, 0, 2), .nw_proto = (PROTO),       \
		   .nw_tos = (TOS), .nw_ttl = (TTL), .nw_frag = (FRAG)
#define SHAPE_IPV6(PROTO, TOS, TTL, FRAG)                             \
	SHAPE_ETH, .eth_type = ETH_TYPE_IPV6, .nw_src = SHAPE_ULA(1), \
		   .nw_dst = SHAPE_ULA(2), .nw_proto = (PROTO),       \
		   .nw_tos = (TOS), .nw_ttl = (TTL), .nw_frag = (FRAG)
#define SHAPE_TUNNEL_V4(FLAGS)                     \
	.tunnel = {.present = true,                \
		   .src = SHAPE_V4(172, 31, 0, 2), \
		   .dst = SHAPE_V4(172, 31, 0, 1), \
		   .vni = 0x64,                    \
		   .tos = 0x1c,                    \
		   .ttl = 63,                      \
		   .flags = (FLAGS)}
#define SHAPE_TUNNEL_V6(FLAGS)             \
	.tunnel = {.present = true,        \
		   .src = SHAPE_ULA(0x22), \
		   .dst = SHAPE_ULA(0x11), \
		   .vni = 0xabcdef,        \
		   .ttl = 62,              \
		   .flags = (FLAGS)}

/* The beginnings of the texts. */
#define SHAPE_ETH_TEXT	"eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02),"
#define SHAPE_TEXT	"recirc_id(0),in_port(1)," SHAPE_ETH_TEXT
#define SHAPE_IPV4_TEXT "eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,"
#define SHAPE_IPV6_TEXT "eth_type(0x86dd),ipv6(src=fd00::1,dst=fd00::2,"

struct shape {
	const char *name;
	struct flow flow; /* in_port is 1. */
	const char *text;
};

static const struct shape shapes[] = {
	{"802.2", {.in_port = 1, SHAPE_ETH}, SHAPE_TEXT "eth_type(0/0xffff)"},
	{"another ethertype",
	 {.in_port = 1, SHAPE_ETH, .eth_type = 0x88cc},
	 SHAPE_TEXT "eth_type(0x88cc)"},
	{"ARP",
	 {.in_port = 1,
	  SHAPE_ETH,
	  .eth_type = ETH_TYPE_ARP,
	  .nw_src = SHAPE_V4(10, 0, 0, 1),
	  .nw_dst = SHAPE_V4(10, 0, 0, 2),
	  .arp_op = 1,
	  .arp_sha = {{2, 0, 0, 0, 0, 1}},
	  .arp_tha = {{2, 0, 0, 0, 0, 9}}},
	 SHAPE_TEXT "eth_type(0x0806),arp(sip=10.0.0.1,tip=10.0.0.2,op=1/0xff,"
		    "sha=02:00:00:00:00:01,tha=02:00:00:00:00:09)"},
	{"RARP",
	 {.in_port = 1,
	  SHAPE_ETH,
	  .eth_type = 0x8035,
	  .nw_src = SHAPE_V4(0, 0, 0, 0),
	  .nw_dst = SHAPE_V4(0, 0, 0, 0),
	  .arp_op = 3,
	  .arp_sha = {{2, 0, 0, 0, 0, 1}}},
	 SHAPE_TEXT "eth_type(0x8035),arp(sip=0.0.0.0,tip=0.0.0.0,op=3/0xff,"
		    "sha=02:00:00:00:00:01,tha=00:00:00:00:00:00)"},
	{"MPLS",
	 {.in_port = 1, SHAPE_ETH, .eth_type = 0x8847},
	 SHAPE_TEXT "eth_type(0x8847)"},
	{"NSH",
	 {.in_port = 1, SHAPE_ETH, .eth_type = 0x894f},
	 SHAPE_TEXT "eth_type(0x894f),nsh(flags=0,ttl=0,mdtype=0,np=0,"
		    "spi=0x0,si=0,c1=0x0,c2=0x0,c3=0x0,c4=0x0)"},
	{"IPv4, another protocol",
	 {.in_port = 1, SHAPE_IPV4(47, 0x2e, 64, FLOW_FRAG_NONE)},
	 SHAPE_TEXT SHAPE_IPV4_TEXT "proto=47,tos=0x2e,ttl=64,frag=no)"},
	{"IPv4 TCP",
	 {.in_port = 1,
	  SHAPE_IPV4(IP_PROTO_TCP, 0, 64, FLOW_FRAG_NONE),
	  .tp_src = 40000,
	  .tp_dst = 443,
	  .tcp_flags = 2},
	 SHAPE_TEXT SHAPE_IPV4_TEXT
	 "proto=6,tos=0,ttl=64,frag=no),tcp(src=40000,dst=443),"
	 "tcp_flags(syn)"},
	{"IPv4 UDP",
	 {.in_port = 1,
	  SHAPE_IPV4(IP_PROTO_UDP, 0, 255, FLOW_FRAG_NONE),
	  .tp_src = 53,
	  .tp_dst = 65535},
	 SHAPE_TEXT SHAPE_IPV4_TEXT
	 "proto=17,tos=0,ttl=255,frag=no),udp(src=53,dst=65535)"},
	{"IPv4 SCTP",
	 {.in_port = 1,
	  SHAPE_IPV4(IP_PROTO_SCTP, 0, 1, FLOW_FRAG_NONE),
	  .tp_src = 7,
	  .tp_dst = 8},
	 SHAPE_TEXT SHAPE_IPV4_TEXT
	 "proto=132,tos=0,ttl=1,frag=no),sctp(src=7,dst=8)"},
	{"IPv4 ICMP",
	 {.in_port = 1,
	  SHAPE_IPV4(IP_PROTO_ICMP, 0, 64, FLOW_FRAG_NONE),
	  .tp_src = 8},
	 SHAPE_TEXT SHAPE_IPV4_TEXT
	 "proto=1,tos=0,ttl=64,frag=no),icmp(type=8,code=0)"},
	{"IPv4 with the protocol of ICMPv6",
	 {.in_port = 1, SHAPE_IPV4(IP_PROTO_ICMPV6, 0, 64, FLOW_FRAG_NONE)},
	 SHAPE_TEXT SHAPE_IPV4_TEXT "proto=58,tos=0,ttl=64,frag=no)"},
	{"IPv4 first fragment",
	 {.in_port = 1,
	  SHAPE_IPV4(IP_PROTO_UDP, 0, 64, FLOW_FRAG_FIRST),
	  .tp_src = 1,
	  .tp_dst = 2},
	 SHAPE_TEXT SHAPE_IPV4_TEXT
	 "proto=17,tos=0,ttl=64,frag=first),udp(src=1,dst=2)"},
	{"IPv4 later fragment",
	 {.in_port = 1, SHAPE_IPV4(IP_PROTO_TCP, 0, 64, FLOW_FRAG_LATER)},
	 SHAPE_TEXT SHAPE_IPV4_TEXT "proto=6,tos=0,ttl=64,frag=later)"},
	{"IPv6 TCP",
	 {.in_port = 1,
	  SHAPE_IPV6(IP_PROTO_TCP, 0x3, 64, FLOW_FRAG_NONE),
	  .ipv6_label = 0xabcde,
	  .tp_src = 1024,
	  .tp_dst = 80,
	  .tcp_flags = 0x10},
	 SHAPE_TEXT SHAPE_IPV6_TEXT
	 "label=0xabcde,proto=6,tclass=0x3,hlimit=64,frag=no),"
	 "tcp(src=1024,dst=80),tcp_flags(ack)"},
	{"IPv6 UDP",
	 {.in_port = 1,
	  SHAPE_IPV6(IP_PROTO_UDP, 0, 64, FLOW_FRAG_NONE),
	  .tp_src = 5353,
	  .tp_dst = 5353},
	 SHAPE_TEXT SHAPE_IPV6_TEXT
	 "label=0,proto=17,tclass=0,hlimit=64,frag=no),"
	 "udp(src=5353,dst=5353)"},
	{"IPv6 SCTP",
	 {.in_port = 1,
	  SHAPE_IPV6(IP_PROTO_SCTP, 0, 64, FLOW_FRAG_NONE),
	  .tp_src = 9,
	  .tp_dst = 10},
	 SHAPE_TEXT SHAPE_IPV6_TEXT
	 "label=0,proto=132,tclass=0,hlimit=64,frag=no),sctp(src=9,dst=10)"},
	{"ICMPv6",
	 {.in_port = 1,
	  SHAPE_IPV6(IP_PROTO_ICMPV6, 0, 64, FLOW_FRAG_NONE),
	  .tp_src = 128},
	 SHAPE_TEXT SHAPE_IPV6_TEXT
	 "label=0,proto=58,tclass=0,hlimit=64,frag=no),"
	 "icmpv6(type=128,code=0)"},
	{"neighbour solicitation",
	 {.in_port = 1,
	  SHAPE_IPV6(IP_PROTO_ICMPV6, 0, 255, FLOW_FRAG_NONE),
	  .tp_src = 135,
	  .nd_target = SHAPE_LINK(7),
	  .nd_sll = {{2, 0, 0, 0, 0, 1}}},
	 SHAPE_TEXT SHAPE_IPV6_TEXT
	 "label=0,proto=58,tclass=0,hlimit=255,frag=no),"
	 "icmpv6(type=135,code=0),nd(target=fe80::7,"
	 "sll=02:00:00:00:00:01,tll=00:00:00:00:00:00)"},
	{"neighbour advertisement",
	 {.in_port = 1,
	  SHAPE_IPV6(IP_PROTO_ICMPV6, 0, 255, FLOW_FRAG_NONE),
	  .tp_src = 136,
	  .nd_target = SHAPE_LINK(7),
	  .nd_tll = {{2, 0, 0, 0, 0, 7}}},
	 SHAPE_TEXT SHAPE_IPV6_TEXT
	 "label=0,proto=58,tclass=0,hlimit=255,frag=no),"
	 "icmpv6(type=136,code=0),nd(target=fe80::7,"
	 "sll=00:00:00:00:00:00,tll=02:00:00:00:00:07)"},
	{"IPv6 with the protocol of ICMP",
	 {.in_port = 1, SHAPE_IPV6(IP_PROTO_ICMP, 0, 64, FLOW_FRAG_NONE)},
	 SHAPE_TEXT SHAPE_IPV6_TEXT
	 "label=0,proto=1,tclass=0,hlimit=64,frag=no)"},
	{"IPv6 first fragment",
	 {.in_port = 1,
	  SHAPE_IPV6(IP_PROTO_TCP, 0, 64, FLOW_FRAG_FIRST),
	  .tp_src = 3,
	  .tp_dst = 4},
	 SHAPE_TEXT SHAPE_IPV6_TEXT
	 "label=0,proto=6,tclass=0,hlimit=64,frag=first),"
	 "tcp(src=3,dst=4),tcp_flags(0)"},
	{"IPv6 later fragment",
	 {.in_port = 1, SHAPE_IPV6(IP_PROTO_ICMPV6, 0, 64, FLOW_FRAG_LATER)},
	 SHAPE_TEXT SHAPE_IPV6_TEXT
	 "label=0,proto=58,tclass=0,hlimit=64,frag=later)"},
	{"VLAN, IPv4 UDP",
	 {.in_port = 1,
	  .vlan_tpid = ETH_TYPE_VLAN,
	  .vlan_tci = 0x100a,
	  SHAPE_IPV4(IP_PROTO_UDP, 0, 64, FLOW_FRAG_NONE),
	  .tp_src = 1,
	  .tp_dst = 2},
	 SHAPE_TEXT "eth_type(0x8100),vlan(vid=10,pcp=0),encap(" SHAPE_IPV4_TEXT
		    "proto=17,tos=0,ttl=64,frag=no),udp(src=1,dst=2))"},
	{"VLAN with priority, ARP",
	 {.in_port = 1,
	  SHAPE_ETH,
	  .vlan_tpid = ETH_TYPE_QINQ,
	  .vlan_tci = 0xbfff,
	  .eth_type = ETH_TYPE_ARP,
	  .nw_src = SHAPE_V4(10, 0, 0, 1),
	  .nw_dst = SHAPE_V4(10, 0, 0, 2),
	  .arp_op = 2},
	 SHAPE_TEXT "eth_type(0x88a8),vlan(vid=4095,pcp=5),encap("
		    "eth_type(0x0806),arp(sip=10.0.0.1,tip=10.0.0.2,"
		    "op=2/0xff,sha=00:00:00:00:00:00,tha=00:00:00:00:00:00))"},
	{"VLAN, 802.2",
	 {.in_port = 1,
	  SHAPE_ETH,
	  .vlan_tpid = ETH_TYPE_VLAN,
	  .vlan_tci = 0x1001},
	 SHAPE_TEXT "eth_type(0x8100),vlan(vid=1,pcp=0),encap()"},
	{"two VLAN tags",
	 {.in_port = 1,
	  SHAPE_ETH,
	  .vlan_tpid = ETH_TYPE_QINQ,
	  .vlan_tci = 0x1002,
	  .eth_type = ETH_TYPE_VLAN},
	 SHAPE_TEXT "eth_type(0x88a8),vlan(vid=2,pcp=0),encap("
		    "eth_type(0x8100),vlan(),encap())"},
	{"IPv4 tunnel, ARP",
	 {.in_port = 1,
	  SHAPE_TUNNEL_V4(FLOW_TNL_KEY),
	  SHAPE_ETH,
	  .eth_type = ETH_TYPE_ARP,
	  .nw_src = SHAPE_V4(10, 0, 0, 1),
	  .nw_dst = SHAPE_V4(10, 0, 0, 2),
	  .arp_op = 2},
	 "recirc_id(0),tunnel(tun_id=0x64,src=172.31.0.2,dst=172.31.0.1,"
	 "tos=0x1c,ttl=63,flags(-df-csum+key)),in_port(1)," SHAPE_ETH_TEXT
	 "eth_type(0x0806),arp(sip=10.0.0.1,tip=10.0.0.2,op=2/0xff,"
	 "sha=00:00:00:00:00:00,tha=00:00:00:00:00:00)"},
	{"IPv4 tunnel with all flags, IPv6 UDP",
	 {.in_port = 1,
	  SHAPE_TUNNEL_V4(FLOW_TNL_KEY | FLOW_TNL_DF | FLOW_TNL_CSUM),
	  SHAPE_IPV6(IP_PROTO_UDP, 0, 64, FLOW_FRAG_NONE),
	  .tp_src = 1,
	  .tp_dst = 2},
	 "recirc_id(0),tunnel(tun_id=0x64,src=172.31.0.2,dst=172.31.0.1,"
	 "tos=0x1c,ttl=63,flags(+df+csum+key)),in_port(1)," SHAPE_ETH_TEXT
		 SHAPE_IPV6_TEXT "label=0,proto=17,tclass=0,hlimit=64,frag=no),"
	 "udp(src=1,dst=2)"},
	{"IPv6 tunnel, IPv4 ICMP",
	 {.in_port = 1,
	  SHAPE_TUNNEL_V6(FLOW_TNL_KEY | FLOW_TNL_CSUM),
	  SHAPE_IPV4(IP_PROTO_ICMP, 0, 64, FLOW_FRAG_NONE)},
	 "recirc_id(0),tunnel(tun_id=0xabcdef,ipv6_src=fd00::22,"
	 "ipv6_dst=fd00::11,ttl=62,flags(-df+csum+key)),"
	 "in_port(1)," SHAPE_ETH_TEXT SHAPE_IPV4_TEXT
	 "proto=1,tos=0,ttl=64,frag=no),icmp(type=0,code=0)"},
	{"IPv4 tunnel, VLAN, IPv4 TCP",
	 {.in_port = 1,
	  SHAPE_TUNNEL_V4(FLOW_TNL_KEY),
	  .vlan_tpid = ETH_TYPE_VLAN,
	  .vlan_tci = 0x1003,
	  SHAPE_IPV4(IP_PROTO_TCP, 0, 64, FLOW_FRAG_NONE),
	  .tp_src = 1,
	  .tp_dst = 2,
	  .tcp_flags = 0xfff},
	 "recirc_id(0),tunnel(tun_id=0x64,src=172.31.0.2,dst=172.31.0.1,"
	 "tos=0x1c,ttl=63,flags(-df-csum+key)),in_port(1)," SHAPE_ETH_TEXT
	 "eth_type(0x8100),vlan(vid=3,pcp=0),encap(" SHAPE_IPV4_TEXT
	 "proto=6,tos=0,ttl=64,frag=no),tcp(src=1,dst=2),"
	 "tcp_flags(fin|syn|rst|psh|ack|urg|ece|cwr|ns|[200]|"
	 "[400]|[800]))"},
};

enum {
	N_SHAPES = sizeof shapes / sizeof *shapes
};

#endif
