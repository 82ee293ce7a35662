#include "packet/parse.h"
#include "pipeline_world.h"

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
	 FROM_PEER " tci/1000 type nw_src frag",
	 0},
	{"IPv6 address of another peer",
	 {ETH(WORLD_TUNNEL, M(7), M(2), ETH_TYPE_IPV6), .nw_src = V6(8),
	  .nw_proto = 6, TUNNEL(7, 1)},
	 REASON_FOREIGN_IP,
	 "drop",
	 FROM_PEER " tci/1000 type nw_src frag",
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
	 FROM_PEER " tci/1000 type nw_src frag",
	 0},
	{"ARP claim to another peer's address",
	 {ARP(WORLD_TUNNEL, 7, M(2), 2, V4(8), V4(2)), TUNNEL(7, 1)},
	 REASON_FOREIGN_IP,
	 "drop",
	 FROM_PEER " tci/1000 type nw_src op sha",
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
	 " eth_src/8 tci/1000",
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
	 " eth_src tci/1000 type op sha",
	 0},
	{"ARP with the address of another",
	 {ARP(2, 2, BROADCAST, 2, V4(3), V4(7))},
	 REASON_SPOOFED_ARP,
	 "drop",
	 " eth_src tci/1000 type nw_src op sha",
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
	 " eth_src" TO_ALL " nw_src proto frag tp_src tp_dst",
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
	 " eth_src tci/1000 type nw_src/88 frag",
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
	 " eth_src" TO_ALL " nw_src proto frag tp_src/ff",
	 0},
	{"MLD report without address",
	 {ICMP6(2, 2, MULTICAST6, {{0}}, 143)},
	 REASON_REPLICATED,
	 ALL_OF_1,
	 " eth_src" TO_ALL " nw_src proto frag tp_src/ff",
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
	 " eth_src" TO_ALL " nw_src proto frag tp_src/ff target sll tll",
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
	 " eth_src" TO_ALL " nw_src op sha",
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
	 FROM_PEER TO_ALL " nw_src op sha",
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
	 " eth_src" TO_ALL " nw_src proto/f0 frag",
	 0},
	{"broadcast from the tunnel",
	 {ETH(WORLD_TUNNEL, M(7), BROADCAST, ETH_TYPE_IPV4), .nw_src = V4(7),
	  .nw_proto = 6, TUNNEL(7, 1)},
	 REASON_REPLICATED,
	 "2,3",
	 FROM_PEER TO_ALL " nw_src proto/f0 frag",
	 0},
};

START_TEST(packet_in_known_world_gets_verdict)
{
	demand_verdict(cases[_i].name, &cases[_i].flow, cases[_i].reason,
		       cases[_i].actions, cases[_i].mask);
	ck_assert_msg(tr.install == !cases[_i].ephemeral, "%s", cases[_i].name);
	ck_assert_msg((tr.reply.size > 0) == (tr.reason == REASON_ANSWERED),
		      "%s", cases[_i].name);
}
END_TEST

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

/* Of 'n' packets of one kind with random ports, and groups if it is for one,
 * how many masked keys are there?  That is the number of megaflows they take.
 */
static int count_megaflows(struct dice *d, struct flow flow, int n)
{
	const bool for_all = mac_is_group(&flow.eth_dst);
	struct flow *seen = calloc((size_t)n, sizeof *seen);
	int n_seen = 0;

	for (int i = 0; i < n; i++) {
		int at = 0;

		flow.tp_src = (uint16_t)dice_roll(d, 65536);
		flow.tp_dst = (uint16_t)dice_roll(d, 65536);
		flow.nw_dst.b[15] = (uint8_t)dice_roll(d, 256);
		if (for_all) {
			dice_fill(d, flow.eth_dst.b, sizeof flow.eth_dst.b);
			flow.eth_dst.b[0] |= 1;
		}
		pipeline_translate(world, &flow, NULL, &tr);
		ck_assert_int_eq(tr.reason,
				 for_all ? REASON_REPLICATED : REASON_LOCAL);
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
	struct flow all = tcp4;
	struct dice d = {1};

	ck_assert_int_eq(count_megaflows(&d, tcp4, 1000), 1);
	ck_assert_int_eq(count_megaflows(&d, tcp6, 1000), 1);
	/* One for each bit of the port, and the port 67 itself aside. */
	ck_assert_int_le(count_megaflows(&d, in, 1000), 16);
	ck_assert_int_le(count_megaflows(&d, udp4, 1000), 16);
	/* One for each first byte, and a few that begin as reserved ones do. */
	all.eth_dst = (struct mac){{1}};
	ck_assert_int_le(count_megaflows(&d, all, 1000), 150);
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
	TCase *t = tcase_create("pipeline");

	tcase_add_loop_test(t, packet_in_known_world_gets_verdict, 0,
			    N_OF(cases));
	tcase_add_test(t, tunnel_is_set_as_the_underlay_needs);
	tcase_add_test(t, probe_goes_the_way_of_frames);
	tcase_add_test(t, no_tunnel_port_sends_nothing_away);
	tcase_add_test(t, arp_request_is_answered_to_the_asker);
	tcase_add_test(t, neighbour_solicitation_is_answered_to_the_asker);
	tcase_add_test(t, trace_tells_each_step);
	tcase_add_test(t, many_connections_take_few_megaflows);
	tcase_add_test(t, sizes_are_looked_at_where_they_may_be_too_large);
	tcase_add_loop_test(t, each_case_s_mask_bits_matter, 0, N_OF(cases));
	return run_suite("pipeline", t);
}
