/* The sleeve trunk: in the line of hosts 8 is reached by sleeve. */
#include "pipeline_line.h"

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
	 " eth_src" TAGGED " type nw_src frag",
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
	 " eth_src" TO_ALL,
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
	 " eth_src eth_dst/8 tci tpid type",
	 0},
	{"broadcast out of sleeve at its last hop",
	 {ETH(TRUNK, M(8), BROADCAST, 0), TAG(VID_8_1, 0)},
	 REASON_REPLICATED,
	 "pop,2,3",
	 " eth_src eth_dst/8 tci tpid type",
	 0},
	{"broadcast out of sleeve in a network that is not here",
	 {ETH(TRUNK, M(8), BROADCAST, 0), TAG(VID_8_3, 1)},
	 REASON_REPLICATED,
	 "pop,tnl(192.0.2.7>3),1",
	 " eth_src eth_dst/8 tci tpid type",
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
	make_trunk();
	demand_verdict(trunk_cases[_i].name, &trunk_cases[_i].flow,
		       trunk_cases[_i].reason, trunk_cases[_i].actions,
		       trunk_cases[_i].mask);
	ck_assert_msg(tr.install == !trunk_cases[_i].ephemeral, "%s",
		      trunk_cases[_i].name);
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

int main(void)
{
	TCase *t = tcase_create("pipeline_sleeve");

	tcase_add_loop_test(t, packet_in_world_with_trunk_gets_verdict, 0,
			    N_OF(trunk_cases));
	tcase_add_test(t, trunk_to_trunk_changes_the_tag);
	tcase_add_test(t, hop_limit_holds_for_mixed_ways);
	tcase_add_test(t, probe_goes_the_way_it_is_told);
	tcase_add_test(t, no_trunk_or_no_vlan_sends_nothing);
	tcase_add_test(t, trace_names_sleeve);
	tcase_add_test(t, flows_depend_on_trunk_and_vlan);
	return run_suite("pipeline_sleeve", t);
}
