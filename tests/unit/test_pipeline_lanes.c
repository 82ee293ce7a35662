/* Peers with several SAs. */
#include "pipeline_world.h"

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

int main(void)
{
	TCase *t = tcase_create("pipeline_lanes");

	tcase_add_test(t, several_lanes_mark_then_tunnel_then_output);
	tcase_add_loop_test(t, ports_spread_over_all_lanes, 2, LANES_MAX + 1);
	tcase_add_test(t, parts_of_a_datagram_take_one_lane);
	tcase_add_test(t, replicated_has_no_mark);
	tcase_add_test(t, other_number_of_lanes_changes_its_flows);
	return run_suite("pipeline_lanes", t);
}
