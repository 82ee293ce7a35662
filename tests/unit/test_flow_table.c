#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#include "datapath/flow_table.h"
#include "world.h"

#define N_OF(ARRAY) (int)(sizeof(ARRAY) / sizeof(ARRAY)[0])

static struct forwarding *world;
static struct flow_table *table;
static struct flow_changes changes;
static struct translation tr;

static void setup(void)
{
	world = world_new();
	table = flow_table_new(FLOW_TABLE_MAX, FLOW_SOURCE_MAX);
	flow_changes_init(&changes);
	translation_init(&tr);
	deps_clear(forwarding_changed(world));
}

static void teardown(void)
{
	translation_free(&tr);
	flow_changes_free(&changes);
	flow_table_free(table);
	forwarding_free(world);
}

/* TCP from the endpoint 2 of network 1 to 'dst'. */
static struct flow tcp_to(uint8_t dst)
{
	struct flow f = {.in_port = 2,
			 .eth_src = M(2),
			 .eth_dst = M(dst),
			 .eth_type = ETH_TYPE_IPV4,
			 .nw_proto = IP_PROTO_TCP,
			 .nw_src = V4(2),
			 .nw_dst = V4(dst)};

	return f;
}

static const struct flow_entry *add(const struct flow *key, uint64_t now_us)
{
	const struct flow_entry *entry = NULL;

	pipeline_translate(world, key, NULL, &tr);
	ck_assert(tr.install);
	ck_assert_int_eq(
		flow_table_add(table, key, &tr, now_us, &changes, &entry),
		FDP_OK);
	ck_assert_ptr_nonnull(entry);
	return entry;
}

static void revalidate(void)
{
	flow_changes_free(&changes);
	flow_table_revalidate(table, world, forwarding_changed(world),
			      &changes);
}

/* Identifiers. */

static const struct ufid_key no_key;

static bool same_ufid(const struct flow *a, const struct flow *mask_a,
		      const struct flow *b, const struct flow *mask_b)
{
	struct ufid x = flow_ufid(&no_key, a, mask_a),
		    y = flow_ufid(&no_key, b, mask_b);

	return !memcmp(&x, &y, sizeof x);
}

START_TEST(fields_outside_of_mask_do_not_change_ufid)
{
	struct flow a = tcp_to(7), b = tcp_to(7), c = tcp_to(3);

	b.tp_src = 1234;
	b.nw_ttl = 64;
	b.nw_dst.b[15] = 99;
	pipeline_translate(world, &a, NULL, &tr);
	ck_assert(same_ufid(&a, &tr.mask, &b, &tr.mask));
	ck_assert(!same_ufid(&a, &tr.mask, &c, &tr.mask));
}
END_TEST

START_TEST(every_bit_of_key_and_mask_changes_ufid)
{
	static const struct ip_addr src = U6(7), dst = U6(1);
	struct dice d = {7};

	for (int i = 0; i < 2000; i++) {
		struct flow key = random_flow(&d, world), all, other, less;
		size_t bit = dice_roll(&d, 8 * sizeof key);
		uint8_t flip = (uint8_t)(1 << bit % 8);

		/* A packet that has all fields, in full size. */
		key.eth_type = ETH_TYPE_IPV6;
		key.tunnel.present = true;
		key.tunnel.src = src;
		key.tunnel.dst = dst;
		memset(&all, 0xff, sizeof all);
		all.tunnel.present = true;
		if (bit / 8 == offsetof(struct flow, tunnel.present)) {
			continue;
		}
		other = key;
		((uint8_t *)&other)[bit / 8] ^= flip;
		ck_assert(same_ufid(&key, &all, &other, &all) ==
			  flow_equal(&key, &other));
		less = all;
		((uint8_t *)&less)[bit / 8] ^= flip;
		ck_assert(same_ufid(&key, &all, &key, &less) ==
			  flow_equal(&all, &less));
	}
}
END_TEST

START_TEST(padding_does_not_change_ufid)
{
	struct flow a = tcp_to(7), b, mask, mask2;

	pipeline_translate(world, &a, NULL, &tr);
	mask = tr.mask;
	memset(&b, 0xa5, sizeof b);
	memset(&mask2, 0x5a, sizeof mask2);
	b = a;
	mask2 = mask;
	ck_assert(same_ufid(&a, &mask, &b, &mask2));
}
END_TEST

/* Only the last four bytes of an IPv4 address count in a mask. */
START_TEST(both_forms_of_an_ipv4_mask_give_one_ufid)
{
	struct flow key = tcp_to(7), mask;

	pipeline_translate(world, &key, NULL, &tr);
	mask = tr.mask;
	memset(mask.nw_src.b, 0, 12);
	ck_assert(same_ufid(&key, &tr.mask, &key, &mask));
}
END_TEST

/* A daemon that starts again must know the flows of the one before: change this
 * only on purpose. */
START_TEST(ufid_of_a_known_flow_is_as_ever)
{
	static const uint8_t expected[16] = {0xb9, 0x63, 0xe2, 0xfc, 0xb4, 0xc3,
					     0x15, 0xf5, 0xb6, 0x80, 0xb9, 0x34,
					     0x22, 0x7a, 0x87, 0x15};
	struct flow key = tcp_to(7);
	struct ufid ufid;

	pipeline_translate(world, &key, NULL, &tr);
	ufid = flow_ufid(&no_key, &key, &tr.mask);
	ck_assert_mem_eq(ufid.b, expected, sizeof expected);
}
END_TEST

/* Whoever does not know the key cannot tell which flows share one. */
START_TEST(another_key_gives_another_ufid)
{
	static const struct ufid_key secret = {{1}};
	struct flow_table *other = flow_table_new(8, 8);
	struct flow key = tcp_to(7);
	struct ufid open, ours, theirs;

	pipeline_translate(world, &key, NULL, &tr);
	open = flow_ufid(&no_key, &key, &tr.mask);
	ours = flow_ufid(&secret, &key, &tr.mask);
	ck_assert_mem_ne(open.b, ours.b, sizeof ours.b);
	flow_table_set_key(other, &secret);
	ours = flow_table_ufid(other, &key, &tr.mask);
	theirs = flow_table_ufid(table, &key, &tr.mask);
	ck_assert_mem_ne(theirs.b, ours.b, sizeof ours.b);
	flow_table_free(other);
}
END_TEST

/* The table. */

START_TEST(added_flow_is_found_until_forgotten)
{
	struct flow key = tcp_to(7);
	struct ufid ufid = add(&key, 5)->ufid;
	const struct flow_entry *e = flow_table_find(table, &ufid);

	ck_assert_ptr_nonnull(e);
	ck_assert(flow_equal(&e->key, &key));
	ck_assert(flow_equal(&e->mask, &tr.mask));
	ck_assert(actions_equal(&e->actions, &tr.actions));
	ck_assert_int_eq(e->reason, REASON_REMOTE);
	ck_assert_uint_eq(e->vni, 1);
	ck_assert_uint_eq(e->peer, 7);
	ck_assert_uint_eq(e->installed_us, 5);
	ck_assert_uint_eq(flow_table_n(table), 1);
	flow_table_forget(table, &ufid);
	ck_assert_ptr_null(flow_table_find(table, &ufid));
	flow_table_forget(table, &ufid);
	ck_assert_uint_eq(flow_table_n(table), 0);
}
END_TEST

START_TEST(same_flow_again_replaces)
{
	struct flow a = tcp_to(7), b = tcp_to(7);

	b.tp_src = 99;
	add(&a, 1);
	ck_assert_uint_eq(add(&b, 2)->key.tp_src, 99);
	ck_assert_uint_eq(flow_table_n(table), 1);
}
END_TEST

/* The trunk is one port; each of its VLANs has a share of its own. */
START_TEST(vlan_of_the_trunk_is_a_source)
{
	struct flow_table *small = flow_table_new(100, 2);
	const struct flow_entry *entry;

	for (uint16_t vid = 1; vid <= 3; vid++) {
		for (uint8_t i = 0; i < 4; i++) {
			struct flow key = tcp_to((uint8_t)(60 + i));

			pipeline_translate(world, &key, NULL, &tr);
			key.in_port = 6;
			key.vlan_tci = 1 << 12 | vid;
			tr.vid = vid;
			tr.mask.vlan_tci = 0x1fff;
			ck_assert_int_eq(flow_table_add(small, &key, &tr, 1,
							&changes, &entry),
					 i < 2 ? FDP_OK : ERR_LIMIT);
		}
	}
	ck_assert_uint_eq(flow_table_n(small), 6);
	ck_assert_uint_eq(flow_table_n_of_port(small, 6), 0);
	flow_table_free(small);
}
END_TEST

/* Adds a flow from port 'port' to endpoint 'dst', or tries to. */
static enum err try_add(struct flow_table *t, uint32_t port, uint8_t dst,
			uint64_t now_us)
{
	const struct flow_entry *entry = NULL;
	struct flow key = tcp_to(dst);
	enum err err;

	pipeline_translate(world, &key, NULL, &tr);
	key.in_port = port;
	err = flow_table_add(t, &key, &tr, now_us, &changes, &entry);
	ck_assert(err || flow_equal(&entry->key, &key));
	return err;
}

static void count_port(const struct flow_entry *e, void *counts)
{
	((unsigned int *)counts)[e->key.in_port]++;
}

START_TEST(full_table_refuses_and_counts)
{
	struct flow_table *small = flow_table_new(2, 2);

	for (uint8_t i = 0; i < 5; i++) {
		ck_assert_int_eq(try_add(small, 2, (uint8_t)(60 + i), i + 1),
				 i < 2 ? FDP_OK : ERR_LIMIT);
	}
	ck_assert_uint_eq(flow_table_n(small), 2);
	ck_assert_uint_eq(flow_table_losses(small).refused, 3);
	ck_assert_uint_eq(flow_table_losses(small).last_us, 5);
	ck_assert_uint_eq(changes.n, 0);
	/* What is there may be replaced. */
	ck_assert_int_eq(try_add(small, 2, 60, 9), FDP_OK);
	flow_table_expire(small, 9 + FLOW_IDLE_US, &changes);
	ck_assert_uint_eq(flow_table_n(small), 0);
	flow_table_free(small);
}
END_TEST

START_TEST(source_at_its_bound_leaves_others_alone)
{
	struct flow_table *small = flow_table_new(100, 3);
	unsigned int counts[4] = {0};

	for (uint8_t i = 0; i < 10; i++) {
		ck_assert_int_eq(try_add(small, 2, (uint8_t)(60 + i), 1),
				 i < 3 ? FDP_OK : ERR_LIMIT);
	}
	for (uint8_t i = 0; i < 3; i++) {
		ck_assert_int_eq(try_add(small, 3, (uint8_t)(60 + i), 1),
				 FDP_OK);
	}
	flow_table_each(small, count_port, counts);
	ck_assert_uint_eq(counts[2], 3);
	ck_assert_uint_eq(counts[3], 3);
	flow_table_free(small);
}
END_TEST

START_TEST(idle_flow_makes_room_in_its_source)
{
	struct flow_table *small = flow_table_new(100, 2);
	struct odp_flow_stats stats = {.packets = 1, .bytes = 60};
	struct ufid first, second;

	/* Named by what they are: the table is asked for both. */
	ck_assert_int_eq(try_add(small, 2, 60, 1), FDP_OK);
	ck_assert_int_eq(try_add(small, 2, 61, 1), FDP_OK);
	{
		struct flow key = tcp_to(60);

		pipeline_translate(world, &key, NULL, &tr);
		first = flow_table_ufid(small, &key, &tr.mask);
		key = tcp_to(61);
		pipeline_translate(world, &key, NULL, &tr);
		second = flow_table_ufid(small, &key, &tr.mask);
	}
	/* The first one is in use, the second one is not. */
	ck_assert(flow_table_update(small, &first, &stats, 2));
	stats.packets = 0;
	ck_assert(flow_table_update(small, &second, &stats, 2));
	ck_assert_int_eq(try_add(small, 2, 62, 3), FDP_OK);
	ck_assert_uint_eq(changes.n, 1);
	ck_assert(changes.v[0].remove);
	ck_assert_mem_eq(&changes.v[0].ufid, &second, sizeof second);
	ck_assert_ptr_nonnull(flow_table_find(small, &first));
	ck_assert_uint_eq(flow_table_losses(small).evicted, 1);
	/* Neither of those that are there now was idle. */
	ck_assert_int_eq(try_add(small, 2, 63, 4), ERR_LIMIT);
	flow_table_free(small);
}
END_TEST

START_TEST(full_table_takes_from_the_largest_source)
{
	struct flow_table *small = flow_table_new(8, 8);
	unsigned int counts[6] = {0};

	for (uint8_t i = 0; i < 8; i++) {
		ck_assert_int_eq(try_add(small, 2, (uint8_t)(60 + i), 1),
				 FDP_OK);
	}
	for (uint8_t i = 0; i < 8; i++) {
		ck_assert_int_eq(try_add(small, 3, (uint8_t)(60 + i), 1),
				 i < 4 ? FDP_OK : ERR_LIMIT);
	}
	ck_assert_int_eq(try_add(small, 4, 60, 1), FDP_OK);
	flow_table_each(small, count_port, counts);
	ck_assert_uint_eq(counts[2] + counts[3] + counts[4], 8);
	ck_assert_uint_eq(counts[4], 1);
	ck_assert_uint_eq(changes.n, 5);
	flow_table_free(small);
}
END_TEST

START_TEST(idle_flow_expires_but_used_one_stays)
{
	struct flow a = tcp_to(3), b = tcp_to(7);
	struct ufid idle = add(&a, 0)->ufid, used = add(&b, 0)->ufid;
	struct odp_flow_stats stats = {.packets = 1, .bytes = 60};
	struct ufid unknown = {{1}};

	ck_assert(flow_table_update(table, &used, &stats, 5000000));
	ck_assert(!flow_table_update(table, &unknown, &stats, 5000000));
	ck_assert_uint_eq(flow_table_find(table, &used)->packets, 1);
	ck_assert_uint_eq(flow_table_find(table, &used)->bytes, 60);

	flow_table_expire(table, FLOW_IDLE_US - 1, &changes);
	ck_assert_uint_eq(changes.n, 0);
	/* Nothing new since. */
	ck_assert(flow_table_update(table, &used, &stats, 9000000));
	flow_table_expire(table, FLOW_IDLE_US, &changes);
	ck_assert_uint_eq(changes.n, 1);
	ck_assert(changes.v[0].remove);
	ck_assert_mem_eq(&changes.v[0].ufid, &idle, sizeof idle);
	ck_assert_ptr_null(flow_table_find(table, &idle));
	flow_table_expire(table, 5000000 + FLOW_IDLE_US - 1, &changes);
	ck_assert_uint_eq(changes.n, 1);
	flow_table_expire(table, 5000000 + FLOW_IDLE_US, &changes);
	ck_assert_uint_eq(changes.n, 2);
	ck_assert_uint_eq(flow_table_n(table), 0);
}
END_TEST

/* Revalidation. */

START_TEST(change_writes_dependent_flows_alone)
{
	struct flow to_3 = tcp_to(3), to_7 = tcp_to(7), to_8 = tcp_to(8);
	struct ufid ufid_7;

	add(&to_3, 0);
	ufid_7 = add(&to_7, 0)->ufid;
	add(&to_8, 0);
	world_add_peer(world, 7, true, false);
	revalidate();
	ck_assert_uint_eq(changes.n, 1);
	ck_assert(!changes.v[0].remove && changes.v[0].there);
	ck_assert_mem_eq(&changes.v[0].ufid, &ufid_7, sizeof ufid_7);
	ck_assert_uint_eq(changes.v[0].actions.n, 0);
	ck_assert(flow_equal(&changes.v[0].key, &to_7));
	ck_assert_int_eq(flow_table_find(table, &ufid_7)->reason,
			 REASON_PEER_DOWN);
	ck_assert_uint_eq(forwarding_changed(world)->n, 0);
}
END_TEST

START_TEST(change_without_effect_writes_nothing)
{
	struct flow to_66 = tcp_to(66), to_7 = tcp_to(7);
	struct ufid ufid = add(&to_66, 0)->ufid;

	add(&to_7, 0);
	/* The reason changes, the actions stay: drop. */
	world_bind(world, 9, 1, 66);
	revalidate();
	ck_assert_uint_eq(changes.n, 0);
	ck_assert_int_eq(flow_table_find(table, &ufid)->reason,
			 REASON_PEER_DOWN);
	ck_assert_uint_eq(flow_table_find(table, &ufid)->peer, 9);
	/* And the new dependency is noted. */
	world_add_peer(world, 9, true, true);
	revalidate();
	ck_assert_uint_eq(changes.n, 1);
	ck_assert_uint_eq(changes.v[0].actions.n, 2);
}
END_TEST

START_TEST(flow_with_another_mask_is_replaced)
{
	struct flow spoofed = tcp_to(7);
	const struct flow_change *c;
	struct binding b = {.vni = 1, .mac = M(2), .n_ips = 1, .ips = {V4(50)}};
	struct ufid old;

	spoofed.nw_src.b[15] = 50;
	old = add(&spoofed, 3)->ufid;
	ck_assert_int_eq(tr.reason, REASON_SPOOFED_IP);
	forwarding_remove_port(world, 2);
	world_add_port(world, 2, PORT_ENDPOINT, "endpoint", &b);
	revalidate();
	ck_assert_uint_eq(changes.n, 2);
	c = changes.v;
	ck_assert(c[0].remove && !c[1].remove && !c[1].there);
	ck_assert_mem_eq(&c[0].ufid, &old, sizeof old);
	ck_assert_uint_eq(c[1].actions.n, 2);
	ck_assert_ptr_null(flow_table_find(table, &old));
	ck_assert_uint_eq(flow_table_find(table, &c[1].ufid)->installed_us, 3);
}
END_TEST

/* An address becomes known: the flow that dropped the question goes, and each
 * question comes up to be answered. */
START_TEST(flow_that_may_not_be_one_any_more_is_removed)
{
	struct flow question = {.in_port = 2,
				.eth_src = M(2),
				.eth_dst = BROADCAST,
				.eth_type = ETH_TYPE_ARP,
				.arp_op = 1,
				.arp_sha = M(2),
				.nw_src = V4(2),
				.nw_dst = V4(66)};

	add(&question, 0);
	ck_assert_int_eq(tr.reason, REASON_UNKNOWN_IP);
	world_bind(world, 7, 1, 66);
	revalidate();
	ck_assert_uint_eq(changes.n, 1);
	ck_assert(changes.v[0].remove);
	ck_assert_uint_eq(flow_table_n(table), 0);
}
END_TEST

/* A kernel that does as it is told, for random histories. */

enum {
	HISTORIES = 30,
	STEPS = 60,
	MIRROR_MAX = 4096
};

struct mirror {
	struct flow_change v[MIRROR_MAX];
	size_t n;
};
static struct mirror mirror;

static struct flow_change *mirror_find(const struct ufid *ufid)
{
	for (size_t i = 0; i < mirror.n; i++) {
		if (!memcmp(&mirror.v[i].ufid, ufid, sizeof *ufid)) {
			return &mirror.v[i];
		}
	}
	return NULL;
}

static void mirror_put(const struct ufid *ufid, const struct flow *key,
		       const struct flow *mask, const struct actions *actions)
{
	struct flow_change *m = mirror_find(ufid);

	if (!m) {
		REQUIRE(mirror.n < MIRROR_MAX);
		m = &mirror.v[mirror.n++];
	} else {
		actions_free(&m->actions);
	}
	m->ufid = *ufid;
	m->key = *key;
	m->mask = *mask;
	actions_copy(&m->actions, actions);
}

static void mirror_remove(const struct ufid *ufid)
{
	struct flow_change *m = mirror_find(ufid);

	REQUIRE(m);
	actions_free(&m->actions);
	*m = mirror.v[--mirror.n];
}

static bool intersect(const struct deps *a, const struct deps *b)
{
	for (size_t i = 0; i < a->n; i++) {
		for (size_t j = 0; j < b->n; j++) {
			if (a->v[i] == b->v[j]) {
				return true;
			}
		}
	}
	return false;
}

/* Applies 'changes', each of which must be one that 'changed' gives cause for
 * and that makes a difference. */
static void mirror_apply(const struct deps *changed)
{
	bool puts = false;

	for (size_t i = 0; i < changes.n; i++) {
		const struct flow_change *c = &changes.v[i];
		const struct flow_change *m = mirror_find(&c->ufid);

		if (c->remove) {
			REQUIRE(!puts);
			mirror_remove(&c->ufid);
			continue;
		}
		puts = true;
		REQUIRE(!m || !actions_equal(&m->actions, &c->actions));
		pipeline_translate(world, &c->key, NULL, &tr);
		REQUIRE(intersect(&tr.deps, changed));
		mirror_put(&c->ufid, &c->key, &c->mask, &c->actions);
	}
}

/* Everything must be as if it had just been translated. */
static void check_entry(const struct flow_entry *e, void *aux)
{
	const struct flow_change *m = mirror_find(&e->ufid);
	size_t *n = aux;
	struct flow mask, now;

	pipeline_translate(world, &e->key, NULL, &tr);
	REQUIRE(tr.install);
	/* A second tag is matched whether the pipeline looked at it or not. */
	odp_complete_mask(&e->key, &e->mask, &mask);
	odp_complete_mask(&e->key, &tr.mask, &now);
	REQUIRE(flow_equal(&mask, &now));
	REQUIRE(actions_equal(&e->actions, &tr.actions));
	REQUIRE(e->reason == tr.reason);
	REQUIRE(e->vni == tr.vni);
	REQUIRE(e->peer == tr.peer);
	REQUIRE(e->n_deps == tr.deps.n);
	REQUIRE(!memcmp(e->deps, tr.deps.v, tr.deps.n * sizeof(dep_t)));

	REQUIRE(m);
	REQUIRE(flow_equal_masked(&m->key, &e->key, &e->mask));
	REQUIRE(flow_equal(&m->mask, &e->mask));
	REQUIRE(actions_equal(&m->actions, &e->actions));
	++*n;
}

START_TEST(revalidation_equals_translating_everything_again)
{
	struct dice d = {4711};
	size_t written = 0;

	for (int h = 0; h < HISTORIES; h++) {
		teardown();
		setup();
		while (mirror.n) {
			mirror_remove(&mirror.v[0].ufid);
		}
		for (int s = 0; s < STEPS; s++) {
			struct deps changed;
			size_t n = 0;

			for (int i = 0; i < 10; i++) {
				struct flow key = random_flow(&d, world);
				const struct flow_entry *e;

				pipeline_translate(world, &key, NULL, &tr);
				if (!tr.install) {
					continue;
				}
				e = add(&key, 0);
				mirror_put(&e->ufid, &e->key, &e->mask,
					   &e->actions);
			}
			random_change(&d, world);
			deps_init(&changed);
			for (size_t i = 0; i < forwarding_changed(world)->n;
			     i++) {
				deps_add(&changed,
					 forwarding_changed(world)->v[i]);
			}
			revalidate();
			mirror_apply(&changed);
			written += changes.n;
			deps_free(&changed);
			flow_table_each(table, check_entry, &n);
			REQUIRE(n == flow_table_n(table));
			REQUIRE(n == mirror.n);
		}
	}
	ck_assert_uint_gt(written, 1000);
	while (mirror.n) {
		mirror_remove(&mirror.v[0].ufid);
	}
}
END_TEST

/* Flows ahead of packets. */

static enum flow_ahead add_ahead(struct flow_table *t, uint8_t dst,
				 const struct flow_entry **entry)
{
	struct flow key = tcp_to(dst);

	pipeline_translate(world, &key, NULL, &tr);
	return flow_table_add_ahead(t, &key, &tr, 1, entry);
}

START_TEST(flows_ahead_have_a_bound_of_their_own)
{
	const struct flow_entry *entry;

	ck_assert_int_eq(add_ahead(table, 7, &entry), FLOW_AHEAD_NO_ROOM);
	flow_table_allow_ahead(table, 1);
	ck_assert_int_eq(add_ahead(table, 7, &entry), FLOW_AHEAD_PUT);
	ck_assert(entry->ahead);
	ck_assert_int_eq(add_ahead(table, 7, &entry), FLOW_AHEAD_THERE);
	ck_assert_int_eq(add_ahead(table, 8, &entry), FLOW_AHEAD_NO_ROOM);
	ck_assert_uint_eq(flow_table_n(table), 1);
	ck_assert_uint_eq(flow_table_n_ahead(table), 1);
	ck_assert_uint_eq(flow_table_losses(table).refused, 0);
	flow_table_forget(table, &entry->ufid);
	ck_assert_uint_eq(flow_table_n_ahead(table), 0);
}
END_TEST

START_TEST(flow_ahead_stays_though_idle)
{
	const struct flow_entry *entry;
	struct odp_flow_stats stats = {0};
	struct ufid ufid;

	flow_table_allow_ahead(table, 8);
	ck_assert_int_eq(add_ahead(table, 7, &entry), FLOW_AHEAD_PUT);
	ufid = entry->ufid;
	for (uint64_t i = 1; i < 9; i++) {
		ck_assert(flow_table_update(table, &ufid, &stats,
					    i * FLOW_IDLE_US));
		flow_table_expire(table, i * FLOW_IDLE_US, &changes);
	}
	ck_assert_uint_eq(changes.n, 0);
	ck_assert_uint_eq(flow_table_n(table), 1);
}
END_TEST

START_TEST(flow_ahead_that_the_kernel_lost_is_put_again)
{
	const struct flow_entry *entry;
	struct odp_flow_stats stats = {0};

	flow_table_allow_ahead(table, 8);
	ck_assert_int_eq(add_ahead(table, 7, &entry), FLOW_AHEAD_PUT);
	/* It may have been made while the dump was on its way. */
	flow_table_expire(table, 2, &changes);
	flow_table_expire(table, 3, &changes);
	ck_assert_uint_eq(changes.n, 0);
	ck_assert(flow_table_update(table, &entry->ufid, &stats, 4));
	flow_table_expire(table, 4, &changes);
	flow_table_expire(table, 5, &changes);
	ck_assert_uint_eq(changes.n, 0);
	flow_table_expire(table, 6, &changes);
	ck_assert_uint_eq(changes.n, 1);
	ck_assert(!changes.v[0].remove && !changes.v[0].there);
	ck_assert_mem_eq(&changes.v[0].ufid, &entry->ufid, sizeof entry->ufid);
}
END_TEST

START_TEST(packet_does_not_take_the_mark)
{
	const struct flow_entry *entry;
	struct flow key = tcp_to(7);

	flow_table_allow_ahead(table, 8);
	add(&key, 1);
	ck_assert_int_eq(add_ahead(table, 7, &entry), FLOW_AHEAD_THERE);
	ck_assert(entry->ahead);
	key.tp_src = 99;
	ck_assert(add(&key, 2)->ahead);
	ck_assert_uint_eq(flow_table_n_ahead(table), 1);
}
END_TEST

START_TEST(flow_ahead_gives_way_and_takes_nobodys_place)
{
	struct flow_table *small = flow_table_new(2, 2);
	const struct flow_entry *entry;

	flow_table_allow_ahead(small, 8);
	ck_assert_int_eq(try_add(small, 2, 60, 1), FDP_OK);
	ck_assert_int_eq(add_ahead(small, 7, &entry), FLOW_AHEAD_PUT);
	ck_assert_int_eq(add_ahead(small, 8, &entry), FLOW_AHEAD_NO_ROOM);
	ck_assert_int_eq(try_add(small, 2, 61, 1), FDP_OK);
	ck_assert_uint_eq(changes.n, 1);
	ck_assert(changes.v[0].remove);
	ck_assert_uint_eq(flow_table_n(small), 2);
	ck_assert_uint_eq(flow_table_n_ahead(small), 0);
	flow_table_free(small);
}
END_TEST

static void set_peer_7(bool up, uint32_t mtu)
{
	struct fwd_peer peer = *forwarding_peer(world, 7);

	peer.up = up;
	peer.mtu = mtu;
	forwarding_set_peer(world, &peer);
}

/* One that waits is not wanted any more; one in use is to drop. */
START_TEST(flow_ahead_that_leads_nowhere_goes)
{
	const struct flow_entry *entry;
	struct odp_flow_stats stats = {.packets = 1};
	struct ufid ufid;

	flow_table_allow_ahead(table, 8);
	for (unsigned int used = 0; used < 2; used++) {
		ck_assert_int_eq(add_ahead(table, 7, &entry), FLOW_AHEAD_PUT);
		ufid = entry->ufid;
		if (used) {
			ck_assert(flow_table_update(table, &ufid, &stats, 2));
		}
		set_peer_7(false, 0);
		revalidate();
		ck_assert_uint_eq(changes.n, 1);
		ck_assert_int_eq(changes.v[0].remove, !used);
		ck_assert_uint_eq(changes.v[0].actions.n, 0);
		ck_assert_uint_eq(flow_table_n_ahead(table), 0);
		ck_assert_uint_eq(flow_table_n(table), used);
		set_peer_7(true, 0);
		revalidate();
	}
}
END_TEST

/* Nobody waits for a flow that nobody uses. */
START_TEST(flows_ahead_are_rewritten_last)
{
	const struct flow_entry *entry;
	struct odp_flow_stats stats = {.packets = 1};
	struct flow key = tcp_to(7);
	struct ufid ufid;

	flow_table_allow_ahead(table, 8);
	ck_assert_int_eq(add_ahead(table, 7, &entry), FLOW_AHEAD_PUT);
	key.nw_proto = IP_PROTO_UDP;
	ufid = add(&key, 1)->ufid;
	ck_assert(flow_table_update(table, &ufid, &stats, 2));
	for (uint8_t i = 0; i < 2; i++) {
		struct fwd_peer peer = *forwarding_peer(world, 7);

		peer.local.b[15] = (uint8_t)(100 + i);
		forwarding_set_peer(world, &peer);
		revalidate();
		ck_assert_uint_eq(changes.n, 2);
		ck_assert_mem_eq(&changes.v[0].ufid, &ufid, sizeof ufid);
	}
}
END_TEST

/* A lane more, and other bits count: the mark goes with the packets. */
START_TEST(flow_ahead_with_another_mask_stays_ahead)
{
	struct fwd_peer peer = *forwarding_peer(world, 7);
	const struct flow_entry *entry;

	flow_table_allow_ahead(table, 8);
	ck_assert_int_eq(add_ahead(table, 7, &entry), FLOW_AHEAD_PUT);
	peer.n_lanes = 4;
	forwarding_set_peer(world, &peer);
	revalidate();
	ck_assert_uint_eq(changes.n, 2);
	ck_assert(changes.v[0].remove);
	ck_assert_uint_eq(flow_table_n_ahead(table), 1);
	ck_assert_uint_eq(flow_table_n(table), 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("flow_table");
	TCase *t = tcase_create("flow_table");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, fields_outside_of_mask_do_not_change_ufid);
	tcase_add_test(t, every_bit_of_key_and_mask_changes_ufid);
	tcase_add_test(t, padding_does_not_change_ufid);
	tcase_add_test(t, both_forms_of_an_ipv4_mask_give_one_ufid);
	tcase_add_test(t, ufid_of_a_known_flow_is_as_ever);
	tcase_add_test(t, another_key_gives_another_ufid);
	tcase_add_test(t, added_flow_is_found_until_forgotten);
	tcase_add_test(t, same_flow_again_replaces);
	tcase_add_test(t, full_table_refuses_and_counts);
	tcase_add_test(t, source_at_its_bound_leaves_others_alone);
	tcase_add_test(t, vlan_of_the_trunk_is_a_source);
	tcase_add_test(t, idle_flow_makes_room_in_its_source);
	tcase_add_test(t, full_table_takes_from_the_largest_source);
	tcase_add_test(t, idle_flow_expires_but_used_one_stays);
	tcase_add_test(t, change_writes_dependent_flows_alone);
	tcase_add_test(t, change_without_effect_writes_nothing);
	tcase_add_test(t, flow_with_another_mask_is_replaced);
	tcase_add_test(t, flow_that_may_not_be_one_any_more_is_removed);
	tcase_add_test(t, revalidation_equals_translating_everything_again);
	tcase_add_test(t, flows_ahead_have_a_bound_of_their_own);
	tcase_add_test(t, flow_ahead_stays_though_idle);
	tcase_add_test(t, flow_ahead_that_the_kernel_lost_is_put_again);
	tcase_add_test(t, packet_does_not_take_the_mark);
	tcase_add_test(t, flow_ahead_gives_way_and_takes_nobodys_place);
	tcase_add_test(t, flow_ahead_that_leads_nowhere_goes);
	tcase_add_test(t, flows_ahead_are_rewritten_last);
	tcase_add_test(t, flow_ahead_with_another_mask_stays_ahead);
	tcase_set_timeout(t, 120);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
