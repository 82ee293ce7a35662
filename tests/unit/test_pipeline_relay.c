/* Partial meshes. */
#include "pipeline_line.h"

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
	 " eth_src" TO_ALL,
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
	make_line();
	demand_verdict(line_cases[_i].name, &line_cases[_i].flow,
		       line_cases[_i].reason, line_cases[_i].actions,
		       line_cases[_i].mask);
	for (size_t i = 0; i < tr.actions.n; i++) {
		const struct action *a = &tr.actions.v[i];

		ck_assert_msg(a->type != ACTION_SET_TUNNEL ||
				      a->tunnel.ttl == line_cases[_i].ttl,
			      "%s: ttl %u", line_cases[_i].name, a->tunnel.ttl);
	}
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

int main(void)
{
	TCase *t = tcase_create("pipeline_relay");

	tcase_add_loop_test(t, packet_in_line_of_hosts_gets_verdict, 0,
			    N_OF(line_cases));
	tcase_add_test(t, hop_limit_ends_the_longest_way);
	tcase_add_test(t, trace_names_the_relay);
	tcase_add_test(t, flows_depend_on_the_ways_they_take);
	return run_suite("pipeline_relay", t);
}
