#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#include "datapath/ahead.h"
#include "datapath/flow_table.h"
#include "datapath/lane.h"
#include "world.h"

enum {
	KEYS_MAX = 2048
};

static struct forwarding *world;
static struct flow_table *table;
static struct translation tr;

/* Flows as the table made them of keys. */
static struct flow made[KEYS_MAX], masks[KEYS_MAX];
static size_t n_made;

static void setup(void)
{
	world = world_new();
	forwarding_lead_questions(world);
	table = flow_table_new(FLOW_TABLE_MAX, FLOW_SOURCE_MAX);
	flow_table_allow_ahead(table, KEYS_MAX);
	translation_init(&tr);
	n_made = 0;
}

static void teardown(void)
{
	translation_free(&tr);
	flow_table_free(table);
	forwarding_free(world);
}

static bool covered(const struct flow *packet)
{
	size_t n = 0;

	for (size_t i = 0; i < n_made; i++) {
		n += flow_equal_masked(&made[i], packet, &masks[i]);
	}
	/* The kernel knows no priorities. */
	ck_assert_uint_le(n, 1);
	return n;
}

static void make(void *reason_, const struct flow *key)
{
	const enum reason *reason = reason_;
	const struct flow_entry *entry;

	pipeline_translate(world, key, NULL, &tr);
	ck_assert_int_eq(tr.reason, *reason);
	ck_assert(tr.install && tr.actions.n);
	if (flow_table_add_ahead(table, key, &tr, 1, &entry) ==
	    FLOW_AHEAD_PUT) {
		ck_assert(!covered(key));
		ck_assert_uint_lt(n_made, KEYS_MAX);
		made[n_made] = entry->key;
		masks[n_made++] = entry->mask;
	}
	ck_assert(covered(key));
}

/* From endpoint 2 to that of peer 7, in network 1. */
static void make_out(unsigned int n_lanes)
{
	const struct flow base = {.in_port = 2};
	const struct binding src = world_binding(1, 2),
			     dst = world_binding(1, 7);
	enum reason reason = REASON_REMOTE;

	ahead_each_key(&base, &src, &dst, n_lanes, make, &reason);
}

static void make_in(void)
{
	const struct binding src = world_binding(1, 7),
			     dst = world_binding(1, 2);
	enum reason reason = REASON_LOCAL;
	struct flow base = {0};

	ck_assert(pipeline_arrival(world, forwarding_peer(world, 7), 1, &base));
	ahead_each_key(&base, &src, &dst, 1, make, &reason);
}

static struct flow packet(bool in, uint16_t eth_type, uint8_t proto,
			  uint16_t tp_src, uint16_t tp_dst)
{
	const uint8_t src = in ? 7 : 2, dst = in ? 2 : 7;
	const bool v4 = eth_type == ETH_TYPE_IPV4;
	struct flow f = {.in_port = in ? WORLD_TUNNEL : 2,
			 .eth_src = M(src),
			 .eth_dst = M(dst),
			 .eth_type = eth_type,
			 .nw_proto = proto,
			 .nw_ttl = 63,
			 .nw_tos = 8,
			 .nw_src = V4(src),
			 .nw_dst = V4(99),
			 .tp_src = tp_src,
			 .tp_dst = tp_dst};

	if (in) {
		/* After seven routers. */
		f.tunnel = (struct flow_tunnel){.present = true,
						.src = U4(7),
						.dst = U4(1),
						.vni = 1,
						.ttl = PIPELINE_TTL - 7,
						.flags = FLOW_TNL_KEY};
	}
	if (!v4) {
		f.nw_src = (struct ip_addr)V6(src);
		f.nw_dst = (struct ip_addr)V6(99);
	}
	return f;
}

static struct flow arp(bool in, uint16_t op)
{
	struct flow f = packet(in, ETH_TYPE_ARP, 0, 0, 0);

	f.nw_ttl = f.nw_tos = 0;
	f.nw_src = (struct ip_addr)V4(in ? 7 : 2);
	f.nw_dst = (struct ip_addr)V4(in ? 2 : 7);
	f.arp_op = op;
	f.arp_sha = f.eth_src;
	return f;
}

/* As Linux confirms a neighbour. */
static struct flow question(bool in, bool from_link_local, bool of_link_local)
{
	struct flow f = packet(in, ETH_TYPE_IPV6, IP_PROTO_ICMPV6, 135, 0);
	const uint8_t src = in ? 7 : 2, dst = in ? 2 : 7;

	if (from_link_local) {
		f.nw_src = (struct ip_addr)LL(src);
	}
	f.nd_target = (struct ip_addr)V6(dst);
	if (of_link_local) {
		f.nd_target = (struct ip_addr)LL(dst);
	}
	f.nw_dst = f.nd_target;
	f.nd_sll = f.eth_src;
	return f;
}

/* Of everybody. */
static struct flow search(bool in, bool from_link_local, bool of_link_local)
{
	struct flow f = question(in, from_link_local, of_link_local);
	const uint8_t *b = f.nd_target.b + 13;

	f.eth_dst = (struct mac){{0x33, 0x33, 0xff, b[0], b[1], b[2]}};
	f.nw_dst = (struct ip_addr){{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
				     0xff, b[0], b[1], b[2]}};
	return f;
}

static struct flow answer(bool in, bool link_local)
{
	struct flow f = packet(in, ETH_TYPE_IPV6, IP_PROTO_ICMPV6, 136, 0);
	const uint8_t src = in ? 7 : 2;

	if (link_local) {
		f.nw_src = (struct ip_addr)LL(src);
	}
	f.nd_target = f.nw_src;
	return f;
}

static void demand_first_packets(bool in)
{
	static const uint16_t ports[] = {32768, 40000, 60999, 65535};
	static const uint16_t types[] = {ETH_TYPE_IPV4, ETH_TYPE_IPV6};
	struct flow f;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(ports); j++) {
			for (uint32_t to = 0; to < 65536; to += 251) {
				f = packet(in, types[i], IP_PROTO_TCP, ports[j],
					   (uint16_t)to);
				REQUIRE(covered(&f));
				f.nw_proto = IP_PROTO_UDP;
				REQUIRE(covered(&f));
				/* What answers. */
				f = packet(in, types[i], IP_PROTO_TCP,
					   (uint16_t)to, ports[j]);
				REQUIRE(covered(&f));
			}
		}
	}
	f = packet(in, ETH_TYPE_IPV4, IP_PROTO_ICMP, 8, 0);
	ck_assert(covered(&f));
	f.tp_src = 0;
	ck_assert(covered(&f));
	f = packet(in, ETH_TYPE_IPV6, IP_PROTO_ICMPV6, 128, 0);
	ck_assert(covered(&f));
	f.tp_src = 129;
	ck_assert(covered(&f));
	for (unsigned int i = 0; i < 4; i++) {
		f = question(in, i & 1, i & 2);
		ck_assert(covered(&f));
		f = answer(in, i & 1);
		ck_assert(covered(&f));
		f.nd_tll = f.eth_src;
		ck_assert(covered(&f));
		/* Nobody asks for link-local ones from others. */
		f = search(in, i & 1, i & 2);
		ck_assert_int_eq(covered(&f), i != 2);
	}
	f = arp(in, 1);
	ck_assert(covered(&f));
	f.eth_dst = (struct mac)BROADCAST;
	ck_assert(covered(&f));
	f.nw_dst = (struct ip_addr)V4(99);
	ck_assert(!covered(&f));
	f = arp(in, 2);
	ck_assert(covered(&f));
}

START_TEST(first_packets_are_covered_both_ways)
{
	make_out(1);
	demand_first_packets(false);
	make_in();
	demand_first_packets(true);
}
END_TEST

/* The positive control of covered(), and what the header says of the rest. */
START_TEST(other_packets_are_not)
{
	struct flow f;

	make_out(1);
	make_in();
	f = packet(false, ETH_TYPE_IPV4, IP_PROTO_UDP, 67, 68);
	ck_assert(!covered(&f));
	f = packet(false, ETH_TYPE_IPV4, IP_PROTO_TCP, 40000, 80);
	f.nw_src = (struct ip_addr)V4(3);
	ck_assert(!covered(&f));
	f = packet(false, ETH_TYPE_IPV4, IP_PROTO_TCP, 40000, 80);
	f.nw_frag = FLOW_FRAG_FIRST;
	ck_assert(!covered(&f));
	f = packet(false, ETH_TYPE_IPV4, IP_PROTO_TCP, 40000, 80);
	f.eth_dst = (struct mac)M(8);
	ck_assert(!covered(&f));
	f = packet(true, ETH_TYPE_IPV4, IP_PROTO_TCP, 40000, 80);
	f.tunnel.vni = 2;
	ck_assert(!covered(&f));
	f = packet(true, ETH_TYPE_IPV4, IP_PROTO_TCP, 40000, 80);
	f.tunnel.src = (struct ip_addr)U4(9);
	ck_assert(!covered(&f));
	f = packet(false, ETH_TYPE_IPV6, IP_PROTO_ICMPV6, 134, 0);
	ck_assert(!covered(&f));
}
END_TEST

static void set_lanes(unsigned int n)
{
	struct fwd_peer peer = *forwarding_peer(world, 7);

	peer.n_lanes = n;
	forwarding_set_peer(world, &peer);
}

START_TEST(every_lane_is_covered)
{
	static const unsigned int lanes[] = {1, 2, 4};

	set_lanes(lanes[_i]);
	make_out(lanes[_i]);
	demand_first_packets(false);
	for (uint16_t i = 0; i < 1024; i++) {
		struct flow f = packet(false, ETH_TYPE_IPV6, IP_PROTO_TCP,
				       (uint16_t)(40000 + (i & 31)),
				       (uint16_t)(i >> 5));

		REQUIRE(covered(&f));
	}
}
END_TEST

START_TEST(too_many_lanes_leave_icmp)
{
	struct flow f = packet(false, ETH_TYPE_IPV4, IP_PROTO_ICMP, 8, 0);

	set_lanes(LANES_MAX);
	make_out(LANES_MAX);
	ck_assert(covered(&f));
	f = packet(false, ETH_TYPE_IPV4, IP_PROTO_TCP, 40000, 80);
	ck_assert(!covered(&f));
}
END_TEST

/* The first packet of a class that has no flow makes one beside them. */
START_TEST(flows_of_packets_do_not_overlap)
{
	struct dice d = {.state = 1};
	struct flow_changes changes;
	const struct flow_entry *entry;

	flow_changes_init(&changes);
	make_out(1);
	for (unsigned int i = 0; i < 20000; i++) {
		struct flow f = packet(false,
				       dice_one_in(&d, 2) ? ETH_TYPE_IPV4
							  : ETH_TYPE_IPV6,
				       (uint8_t)dice_roll(&d, 256),
				       (uint16_t)dice_roll(&d, 65536),
				       (uint16_t)dice_roll(&d, 65536));
		size_t before = flow_table_n(table);

		if (dice_one_in(&d, 2)) {
			f.nw_proto = IP_PROTO_UDP;
			f.tp_src >>= dice_roll(&d, 16);
		} else if (f.nw_proto == IP_PROTO_ICMPV6) {
			f.tp_src = (uint16_t)(1 + dice_roll(&d, 128));
		}
		if (covered(&f)) {
			continue;
		}
		pipeline_translate(world, &f, NULL, &tr);
		REQUIRE(tr.install);
		REQUIRE(!flow_table_add(table, &f, &tr, 1, &changes, &entry));
		REQUIRE(flow_table_n(table) == before + 1);
		REQUIRE(n_made < KEYS_MAX);
		made[n_made] = f;
		masks[n_made++] = entry->mask;
	}
	flow_changes_free(&changes);
}
END_TEST

START_TEST(station_without_ipv6_takes_few)
{
	const struct flow base = {.in_port = 2};
	struct binding src = world_binding(1, 2), dst = world_binding(1, 7);
	enum reason reason = REASON_REMOTE;

	dst.n_ips = 1;
	ahead_each_key(&base, &src, &dst, 1, make, &reason);
	/* ARP: asked of all, of one, answered; UDP, the rest. */
	ck_assert_uint_eq(n_made, 5);
}
END_TEST

/* News of the forwarding table. */

static size_t n_news(void)
{
	struct binding_key key;
	size_t n = 0;

	while (forwarding_next_news(world, &key)) {
		struct binding b;

		ck_assert(forwarding_binding(world, key.vni, &key.mac, &b));
		n++;
	}
	return n;
}

START_TEST(news_are_what_can_have_flows)
{
	struct binding b = world_binding(1, 7);
	struct fwd_peer peer;

	world_bind(world, 7, 1, 17);
	ck_assert_uint_eq(n_news(), 0); /* Nobody wanted any. */
	forwarding_want_news(world);
	ck_assert_uint_eq(n_news(), forwarding_n_bindings(world));
	ck_assert_uint_eq(n_news(), 0);
	world_bind(world, 7, 1, 18);
	ck_assert_uint_eq(n_news(), 1);
	world_bind(world, 7, 1, 18);
	ck_assert_uint_eq(n_news(), 0);
	b.ips[b.n_ips++] = (struct ip_addr)V4(77);
	ck_assert(!forwarding_bind(world, 7, &b, NULL));
	ck_assert(!forwarding_bind(world, 7, &b, NULL));
	ck_assert_uint_eq(n_news(), 1);
	/* Gone before it was asked for. */
	world_bind(world, 7, 1, 19);
	forwarding_unbind(world, 7, 1, &(struct mac)M(19));
	ck_assert_uint_eq(n_news(), 0);
	/* Up, down, by another way. */
	peer = *forwarding_peer(world, 9);
	peer.up = true;
	forwarding_set_peer(world, &peer);
	ck_assert_uint_eq(n_news(), 1);
	peer.up = false;
	forwarding_set_peer(world, &peer);
	ck_assert_uint_eq(n_news(), 0);
	forwarding_set_via(world, 9, 8);
	ck_assert_uint_eq(n_news(), 1);
	/* 8 has one itself. */
	peer = *forwarding_peer(world, 8);
	peer.mtu = 1300;
	forwarding_set_peer(world, &peer);
	ck_assert_uint_eq(n_news(), 2);
	forwarding_tree_news(world, 9);
	forwarding_tree_news(world, 8);
	ck_assert_uint_eq(n_news(), 1);
	forwarding_set_via(world, 9, FWD_NOBODY);
	ck_assert_uint_eq(n_news(), 1);
	forwarding_set_peer(world, &peer);
	forwarding_remove_peer(world, 9);
	ck_assert_uint_eq(n_news(), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ahead");
	TCase *t = tcase_create("ahead");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, first_packets_are_covered_both_ways);
	tcase_add_test(t, other_packets_are_not);
	tcase_add_loop_test(t, every_lane_is_covered, 0, 3);
	tcase_add_test(t, too_many_lanes_leave_icmp);
	tcase_add_test(t, flows_of_packets_do_not_overlap);
	tcase_add_test(t, station_without_ipv6_takes_few);
	tcase_add_test(t, news_are_what_can_have_flows);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
