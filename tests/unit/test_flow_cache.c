#include "kmod-glue/flow_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "ovs-rcu.h"

enum {
	THREADS = 2,
	NOW_MS = 1000
};

static struct flow_cache *cache;
static struct flow_cache_local *local;

static void set_up(void)
{
	cache = flow_cache_new(THREADS);
	local = calloc(1, sizeof *local);
	ck_assert_ptr_nonnull(local);
}

static void tear_down(void)
{
	flow_cache_free(cache);
	free(local);
	ovsrcu_quiesce();
}

static struct ufid ufid_of(uint32_t n)
{
	struct ufid ufid = {{0}};

	memcpy(ufid.b, &n, sizeof n);
	return ufid;
}

static struct ip_addr address(const char *text)
{
	struct ip_addr ip;

	ck_assert_int_eq(ip_addr_parse(text, &ip), FDP_OK);
	return ip;
}

/* A UDP packet. */
static struct flow packet(uint32_t in_port, const char *dst, uint16_t tp_dst)
{
	struct flow f = {.in_port = in_port,
			 .eth_type = ETH_TYPE_IPV4,
			 .nw_proto = IP_PROTO_UDP,
			 .nw_ttl = 64,
			 .tp_src = 40000,
			 .tp_dst = tp_dst};

	f.eth_src.b[5] = 1;
	f.eth_dst.b[5] = 2;
	f.nw_src = address("10.0.0.1");
	f.nw_dst = address(dst);
	return f;
}

static struct flow exact_port_mask(void)
{
	struct flow mask = {.eth_type = UINT16_MAX,
			    .nw_proto = UINT8_MAX,
			    .tp_dst = UINT16_MAX};

	return mask;
}

static struct flow address_mask(void)
{
	struct flow mask = {.eth_type = UINT16_MAX};

	memset(mask.nw_dst.b, 0xff, sizeof mask.nw_dst.b);
	return mask;
}

static int put(uint32_t n, const struct flow *key, const struct flow *mask,
	       uint32_t to)
{
	const struct ufid ufid = ufid_of(n);
	struct actions actions;
	int error;

	actions_init(&actions);
	actions_output(&actions, to);
	error = flow_cache_put(cache, &ufid, key, mask, &actions);
	actions_free(&actions);
	return error;
}

static int del(uint32_t n)
{
	const struct ufid ufid = ufid_of(n);

	return flow_cache_del(cache, &ufid);
}

/* Where the packet goes, 0: there is no flow. */
static uint32_t way_of(const struct flow *f)
{
	const struct cached_flow *found = flow_cache_find(cache, local, f);

	return found ? cached_flow_actions(found)->v[0].port : 0;
}

START_TEST(packet_finds_flow_that_matches_under_its_mask)
{
	struct flow mask = exact_port_mask();
	struct flow f = packet(1, "10.0.0.2", 53);

	ck_assert_uint_eq(way_of(&f), 0);
	ck_assert_int_eq(put(1, &f, &mask, 7), 0);
	ck_assert_uint_eq(way_of(&f), 7);
	/* From memory, too. */
	ck_assert_uint_eq(way_of(&f), 7);
	f = packet(1, "10.9.9.9", 53);
	ck_assert_uint_eq(way_of(&f), 7);
	f = packet(1, "10.0.0.2", 54);
	ck_assert_uint_eq(way_of(&f), 0);
	/* The port counts whatever the mask says. */
	f = packet(2, "10.0.0.2", 53);
	ck_assert_uint_eq(way_of(&f), 0);
	ck_assert_uint_eq(flow_cache_n(cache), 1);
}
END_TEST

START_TEST(tunnel_counts_with_its_family)
{
	struct flow mask = {.eth_type = UINT16_MAX};
	struct flow f = packet(3, "10.0.0.2", 53);

	mask.tunnel.present = true;
	mask.tunnel.vni = UINT32_MAX;
	f.tunnel.present = true;
	f.tunnel.vni = 5;
	f.tunnel.src = address("100::1");
	ck_assert_int_eq(put(1, &f, &mask, 7), 0);
	f.tunnel.src = address("100::2");
	ck_assert_uint_eq(way_of(&f), 7);
	f.tunnel.vni = 6;
	ck_assert_uint_eq(way_of(&f), 0);
	f.tunnel.vni = 5;
	f.tunnel.src = address("192.0.2.1");
	ck_assert_uint_eq(way_of(&f), 0);
	f.tunnel.present = false;
	ck_assert_uint_eq(way_of(&f), 0);
}
END_TEST

START_TEST(flow_that_covers_the_key_refuses_another)
{
	struct flow port_mask = exact_port_mask(), ip_mask = address_mask();
	struct flow f = packet(1, "10.0.0.2", 53);

	ck_assert_int_eq(put(1, &f, &port_mask, 7), 0);
	ck_assert_int_eq(put(2, &f, &ip_mask, 8), EEXIST);
	ck_assert_uint_eq(way_of(&f), 7);
	ck_assert_uint_eq(flow_cache_n(cache), 1);
	ck_assert_int_eq(del(1), 0);
	ck_assert_int_eq(put(2, &f, &ip_mask, 8), 0);
	ck_assert_uint_eq(way_of(&f), 8);
}
END_TEST

START_TEST(put_of_same_ufid_changes_actions_and_keeps_counts)
{
	struct flow mask = exact_port_mask();
	struct flow f = packet(1, "10.0.0.2", 53);

	ck_assert_int_eq(put(1, &f, &mask, 7), 0);
	cached_flow_count(flow_cache_find(cache, local, &f), 0, 100, NOW_MS, 0);
	ck_assert_int_eq(put(1, &f, &mask, 9), 0);
	ck_assert_uint_eq(way_of(&f), 9);
	ck_assert_uint_eq(flow_cache_n(cache), 1);
}
END_TEST

START_TEST(deleted_flow_is_not_found_from_memory)
{
	struct flow mask = exact_port_mask();
	struct flow f = packet(1, "10.0.0.2", 53);

	ck_assert_int_eq(del(1), ENOENT);
	ck_assert_int_eq(put(1, &f, &mask, 7), 0);
	ck_assert_uint_eq(way_of(&f), 7);
	ck_assert_int_eq(del(1), 0);
	ck_assert_uint_eq(way_of(&f), 0);
	ck_assert_int_eq(put(2, &f, &mask, 8), 0);
	ck_assert_uint_eq(way_of(&f), 8);
	flow_cache_clear(cache);
	ck_assert_uint_eq(way_of(&f), 0);
	ck_assert_uint_eq(flow_cache_n(cache), 0);
}
END_TEST

struct seen {
	unsigned int n;
	struct odp_flow_stats stats;
	struct flow key;
};

static void see(void *seen_, const struct ufid *ufid, const struct flow *key,
		const struct flow *mask, const struct actions *actions,
		const struct odp_flow_stats *stats)
{
	struct seen *seen = seen_;

	ck_assert_mem_eq(ufid->b, ufid_of(1).b, sizeof ufid->b);
	ck_assert_uint_eq(actions->n, 1);
	ck_assert_uint_eq(mask->in_port, UINT32_MAX);
	seen->n++;
	seen->key = *key;
	seen->stats = *stats;
}

START_TEST(dump_adds_up_what_threads_have_counted)
{
	struct flow mask = exact_port_mask();
	struct flow f = packet(1, "10.0.0.2", 53);
	struct seen seen = {0};

	ck_assert_int_eq(put(1, &f, &mask, 7), 0);
	flow_cache_dump(cache, see, &seen);
	ck_assert_uint_eq(seen.stats.packets, 0);
	ck_assert_uint_eq(seen.stats.used_ms, 0);
	for (unsigned int thread = 0; thread < THREADS; thread++) {
		cached_flow_count(flow_cache_find(cache, local, &f), thread,
				  100, NOW_MS + thread, 1 << thread);
	}
	flow_cache_dump(cache, see, &seen);
	ck_assert_uint_eq(seen.n, 2);
	ck_assert_uint_eq(seen.stats.packets, THREADS);
	ck_assert_uint_eq(seen.stats.bytes, 100 * THREADS);
	ck_assert_uint_eq(seen.stats.used_ms, NOW_MS + THREADS - 1);
	ck_assert_uint_eq(seen.stats.tcp_flags, 3);
	/* What the mask has not is zero. */
	ck_assert_uint_eq(seen.key.tp_dst, 53);
	ck_assert_uint_eq(seen.key.tp_src, 0);
}
END_TEST

enum {
	MASKS = 6,
	ROUNDS = 20000,
	FLOWS = 64
};

static uint32_t draw(void)
{
	static uint32_t x = 2463534242;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

/* Packets of few values, so that flows meet. */
static struct flow draw_packet(void)
{
	static const char *const dsts[] = {"10.0.0.2", "10.0.0.3", "10.0.1.2"};
	struct flow f = packet(1 + draw() % 2, dsts[draw() % 3],
			       (uint16_t)(draw() % 4));

	f.eth_src.b[5] = (uint8_t)(draw() % 2);
	f.tp_src = (uint16_t)(draw() % 3);
	if (draw() % 2) {
		f.tunnel.present = true;
		f.tunnel.vni = draw() % 2;
		f.tunnel.src = address(draw() % 2 ? "100::1" : "100::2");
	}
	return f;
}

static struct flow draw_mask(void)
{
	struct flow mask;

	switch (draw() % MASKS) {
	case 0:
		return exact_port_mask();
	case 1:
		return address_mask();
	case 2:
		mask = address_mask();
		mask.tunnel.present = true;
		mask.tunnel.vni = UINT32_MAX;
		return mask;
	case 3:
		mask = exact_port_mask();
		mask.tunnel.present = true;
		memset(mask.tunnel.src.b, 0xff, 16);
		return mask;
	case 4:
		memset(&mask, 0, sizeof mask);
		mask.eth_src.b[5] = 1;
		return mask;
	default:
		mask = exact_port_mask();
		mask.tp_src = 1;
		return mask;
	}
}

struct listed {
	bool there;
	struct flow key, mask;
};

static bool covers(const struct listed *l, const struct flow *f)
{
	return l->there && flow_equal_masked(&l->key, f, &l->mask);
}

/* Against a list that is searched from its begin.  Of flows that meet elsewhere
 * than in their keys a packet may find any, as with the kernel; fdp makes
 * none. */
START_TEST(random_flows_agree_with_a_list)
{
	struct listed list[FLOWS] = {{.there = false}};
	unsigned int found = 0, refused = 0;

	for (int round = 0; round < ROUNDS; round++) {
		uint32_t n = draw() % FLOWS;
		struct flow f = draw_packet();
		uint32_t way = way_of(&f);
		bool any = false;

		for (uint32_t i = 0; i < FLOWS; i++) {
			any = any || covers(&list[i], &f);
		}
		if (any != (way != 0) || (way && !covers(&list[way - 1], &f))) {
			ck_abort_msg("round %d: flow %u", round, way);
		}
		found += any;
		if (list[n].there) {
			ck_assert_int_eq(del(n), 0);
			list[n].there = false;
		} else {
			struct flow mask = draw_mask();
			int error = put(n, &f, &mask, n + 1);

			ck_assert_int_eq(error, any ? EEXIST : 0);
			list[n].there = !error;
			list[n].key = f;
			odp_complete_mask(&f, &mask, &list[n].mask);
			refused += error != 0;
		}
	}
	ck_assert_uint_gt(found, ROUNDS / 100);
	ck_assert_uint_gt(refused, ROUNDS / 100);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("flow_cache");
	TCase *tc = tcase_create("flow_cache");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, packet_finds_flow_that_matches_under_its_mask);
	tcase_add_test(tc, tunnel_counts_with_its_family);
	tcase_add_test(tc, flow_that_covers_the_key_refuses_another);
	tcase_add_test(tc, put_of_same_ufid_changes_actions_and_keeps_counts);
	tcase_add_test(tc, deleted_flow_is_not_found_from_memory);
	tcase_add_test(tc, dump_adds_up_what_threads_have_counted);
	tcase_add_test(tc, random_flows_agree_with_a_list);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
