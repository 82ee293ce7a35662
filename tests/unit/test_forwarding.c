#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

static struct forwarding *world;
static struct deps *changed;

static void setup(void)
{
	world = world_new();
	changed = forwarding_changed(world);
	deps_clear(changed);
}

static void teardown(void)
{
	forwarding_free(world);
}

static bool has_changed(dep_t dep)
{
	for (size_t i = 0; i < changed->n; i++) {
		if (changed->v[i] == dep) {
			return true;
		}
	}
	return false;
}

/* Exactly these 'n', after which they are forgotten. */
static void check_changed(const dep_t *deps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ck_assert_msg(has_changed(deps[i]), "%zu is missing", i);
	}
	ck_assert_uint_eq(changed->n, n);
	deps_clear(changed);
}

#define CHECK_CHANGED(...)                          \
	check_changed((const dep_t[]){__VA_ARGS__}, \
		      sizeof((const dep_t[]){__VA_ARGS__}) / sizeof(dep_t))

static const struct mac m2 = M(2), m4 = M(4), m7 = M(7), m8 = M(8), m50 = M(50);
static const struct ip_addr ip2 = V4(2), ip7 = V4(7), ip50 = V4(50),
			    ip51 = V4(51), six7 = V6(7), six50 = V6(50);

static void check_members(uint32_t vni, const uint32_t *ports, size_t n_ports,
			  const uint32_t *peers, size_t n_peers)
{
	struct fwd_members ms = forwarding_members(world, vni);

	ck_assert_uint_eq(ms.n_ports, n_ports);
	ck_assert_uint_eq(ms.n_peers, n_peers);
	for (size_t i = 0; i < n_ports; i++) {
		ck_assert_uint_eq(ms.ports[i], ports[i]);
	}
	for (size_t i = 0; i < n_peers; i++) {
		ck_assert_uint_eq(ms.peers[i], peers[i]);
	}
}

/* Look-ups. */

START_TEST(bound_addresses_are_found_in_their_network)
{
	const struct fwd_target *t = forwarding_by_mac(world, 1, &m2);

	ck_assert(t && t->local && t->port_no == 2 && mac_equal(&t->mac, &m2));
	ck_assert_ptr_eq(forwarding_by_ip(world, 1, &ip2), t);
	ck_assert_ptr_null(forwarding_by_mac(world, 2, &m2));
	ck_assert_ptr_null(forwarding_by_ip(world, 2, &ip2));
	ck_assert_ptr_null(forwarding_by_mac(world, 1, &m4));

	t = forwarding_by_ip(world, 2, &six7);
	ck_assert(t && !t->local && t->peer == 7 && mac_equal(&t->mac, &m7));
	ck_assert_uint_eq(forwarding_n_bindings(world), 7);
	ck_assert_uint_eq(forwarding_n_ports(world), 5);
}
END_TEST

START_TEST(members_are_in_ascending_order)
{
	static const uint32_t ports[] = {2, 3}, peers[] = {5, 7, 8, 9};
	static const uint32_t one[] = {4}, seven[] = {7};

	world_bind(world, 5, 1, 55);
	world_bind(world, 5, 1, 56);
	check_members(1, ports, 2, peers, 4);
	check_members(2, one, 1, seven, 1);
	check_members(3, NULL, 0, NULL, 0);
	/* A peer with two bindings stays until the last is gone. */
	forwarding_unbind(world, 5, 1, &(struct mac)M(55));
	check_members(1, ports, 2, peers, 4);
	forwarding_unbind(world, 5, 1, &(struct mac)M(56));
	check_members(1, ports, 2, peers + 1, 3);
}
END_TEST

START_TEST(peer_is_found_by_number_and_address)
{
	static const struct ip_addr at7 = U4(7), at8 = U6(8), nobody = U4(50);

	ck_assert_uint_eq(forwarding_peer_at(world, &at7)->peer, 7);
	ck_assert_uint_eq(forwarding_peer_at(world, &at8)->peer, 8);
	ck_assert_ptr_null(forwarding_peer_at(world, &nobody));
	ck_assert_ptr_eq(forwarding_peer(world, 7),
			 forwarding_peer_at(world, &at7));
	ck_assert_ptr_null(forwarding_peer(world, 50));
}
END_TEST

START_TEST(second_claim_of_tunnel_address_waits)
{
	static const struct ip_addr at7 = U4(7), elsewhere = U4(77);
	struct fwd_peer other = {.peer = 3, .remote = at7, .up = true};
	struct fwd_peer seven = *forwarding_peer(world, 7);

	forwarding_set_peer(world, &other);
	ck_assert_uint_eq(forwarding_peer_at(world, &at7)->peer, 7);
	seven.remote = elsewhere;
	forwarding_set_peer(world, &seven);
	ck_assert_uint_eq(forwarding_peer_at(world, &at7)->peer, 3);
	ck_assert_uint_eq(forwarding_peer_at(world, &elsewhere)->peer, 7);
	forwarding_remove_peer(world, 3);
	ck_assert_ptr_null(forwarding_peer_at(world, &at7));
}
END_TEST

START_TEST(tunnel_port_is_known_while_it_is_there)
{
	struct fwd_port second = {.port_no = 40, .kind = PORT_TUNNEL};

	ck_assert_uint_eq(forwarding_tunnel(world)->port_no, WORLD_TUNNEL);
	ck_assert_int_eq(forwarding_add_port(world, &second, NULL), ERR_EXISTS);
	forwarding_remove_port(world, WORLD_TUNNEL);
	ck_assert_ptr_null(forwarding_tunnel(world));
	ck_assert_int_eq(forwarding_add_port(world, &second, NULL), FDP_OK);
	ck_assert_uint_eq(forwarding_tunnel(world)->port_no, 40);
}
END_TEST

/* Claims. */

START_TEST(trunk_is_known_while_it_is_there)
{
	struct fwd_port trunk = {.port_no = 40, .kind = PORT_SLEEVE};
	struct fwd_port second = {.port_no = 41, .kind = PORT_SLEEVE};

	ck_assert_ptr_null(forwarding_trunk(world));
	ck_assert_int_eq(forwarding_add_port(world, &trunk, NULL), FDP_OK);
	CHECK_CHANGED(dep_port(40), dep_trunk());
	ck_assert_uint_eq(forwarding_trunk(world)->port_no, 40);
	ck_assert_int_eq(forwarding_add_port(world, &second, NULL), ERR_EXISTS);
	forwarding_remove_port(world, 40);
	CHECK_CHANGED(dep_port(40), dep_trunk());
	ck_assert_ptr_null(forwarding_trunk(world));
}
END_TEST

START_TEST(other_way_to_a_peer_is_a_change_of_that_peer)
{
	struct fwd_peer seven = *forwarding_peer(world, 7);

	seven.way = FWD_BY_SLEEVE;
	forwarding_set_peer(world, &seven);
	CHECK_CHANGED(dep_peer(7));
	forwarding_set_peer(world, &seven);
	ck_assert_uint_eq(changed->n, 0);
	/* What comes by the tunnel is still known to be the peer's. */
	ck_assert_uint_eq(forwarding_peer_at(world, &seven.remote)->peer, 7);
}
END_TEST

/* VLANs given out change nothing that a flow has seen; those taken back do. */
START_TEST(peer_has_its_vlans_until_it_goes)
{
	struct vlan vlan;
	uint16_t vid = forwarding_vid(world, 7, 1);
	bool removed;

	ck_assert_uint_eq(forwarding_vid(world, 7, 1), vid);
	ck_assert_uint_ne(forwarding_vid(world, 8, 1), vid);
	ck_assert_uint_eq(changed->n, 0);
	ck_assert_uint_eq(forwarding_vlan(world, vid)->peer, 7);
	while (forwarding_next_vlan(world, &vlan, &removed)) {
		ck_assert(!removed);
	}
	forwarding_remove_peer(world, 7);
	ck_assert(has_changed(dep_vid(vid)));
	ck_assert(!has_changed(dep_trunk()));
	ck_assert_ptr_null(forwarding_vlan(world, vid));
	ck_assert(forwarding_next_vlan(world, &vlan, &removed));
	ck_assert(removed && vlan.vid == vid && vlan.peer == 7);
	ck_assert(!forwarding_next_vlan(world, &vlan, &removed));
}
END_TEST

START_TEST(first_owner_keeps_mac_and_ip)
{
	struct binding b = world_binding(1, 7), free_mac = world_binding(1, 7);
	struct fwd_port port = {.port_no = 30, .kind = PORT_ENDPOINT};
	struct fwd_target at;

	free_mac.mac = m50;
	ck_assert_int_eq(forwarding_bind(world, 8, &b, &at), ERR_EXISTS);
	ck_assert(!at.local && at.peer == 7);
	ck_assert_int_eq(forwarding_bind(world, 8, &free_mac, &at), ERR_EXISTS);
	ck_assert(!at.local && at.peer == 7 && mac_equal(&at.mac, &m7));
	/* Not even its own other endpoint may take it. */
	ck_assert_int_eq(forwarding_bind(world, 7, &free_mac, &at), ERR_EXISTS);
	port.binding = free_mac;
	ck_assert_int_eq(forwarding_add_port(world, &port, &at), ERR_EXISTS);
	ck_assert(!at.local && at.peer == 7);
	port.binding = world_binding(1, 2);
	ck_assert_int_eq(forwarding_add_port(world, &port, &at), ERR_EXISTS);
	ck_assert(at.local && at.port_no == 2);
	b = world_binding(1, 2);
	ck_assert_int_eq(forwarding_bind(world, 7, &b, NULL), ERR_EXISTS);
	port.port_no = 2;
	port.binding = world_binding(1, 50);
	ck_assert_int_eq(forwarding_add_port(world, &port, &at), ERR_EXISTS);

	ck_assert_uint_eq(changed->n, 0);
	ck_assert_uint_eq(forwarding_n_bindings(world), 7);
	ck_assert_ptr_null(forwarding_port(world, 30));
	/* In another network it is another address. */
	b = world_binding(3, 2);
	ck_assert_int_eq(forwarding_bind(world, 8, &b, NULL), FDP_OK);
}
END_TEST

START_TEST(invalid_binding_is_refused)
{
	struct binding group = world_binding(1, 50), any = group, big = group,
		       many = group;
	struct fwd_port port = {.port_no = 30, .kind = PORT_ENDPOINT};

	group.mac.b[0] |= 1;
	memset(&any.ips[1], 0, sizeof any.ips[1]);
	big.vni = VNI_MAX + 1;
	many.n_ips = BINDING_MAX_IPS + 1;
	ck_assert_int_eq(forwarding_bind(world, 7, &group, NULL), ERR_RANGE);
	ck_assert_int_eq(forwarding_bind(world, 7, &any, NULL), ERR_RANGE);
	ck_assert_int_eq(forwarding_bind(world, 7, &big, NULL), ERR_RANGE);
	ck_assert_int_eq(forwarding_bind(world, 7, &many, NULL), ERR_RANGE);
	port.binding = group;
	ck_assert_int_eq(forwarding_add_port(world, &port, NULL), ERR_RANGE);
	ck_assert_uint_eq(changed->n, 0);
}
END_TEST

START_TEST(address_said_twice_counts_once)
{
	struct binding b = {
		.vni = 1, .mac = M(50), .n_ips = 2, .ips = {V4(50), V4(50)}};

	ck_assert_int_eq(forwarding_bind(world, 7, &b, NULL), FDP_OK);
	ck_assert_ptr_nonnull(forwarding_by_ip(world, 1, &ip50));
	forwarding_unbind(world, 7, 1, &m50);
	ck_assert_ptr_null(forwarding_by_ip(world, 1, &ip50));
}
END_TEST

START_TEST(only_the_owner_unbinds)
{
	forwarding_unbind(world, 8, 1, &m7);
	forwarding_unbind(world, 2, 1, &m2);
	forwarding_unbind(world, 7, 3, &m7);
	ck_assert_uint_eq(changed->n, 0);
	ck_assert_uint_eq(forwarding_n_bindings(world), 7);
}
END_TEST

START_TEST(bindings_may_come_before_the_tunnel)
{
	world_bind(world, 50, 1, 50);
	ck_assert_ptr_null(forwarding_peer(world, 50));
	ck_assert_uint_eq(forwarding_by_mac(world, 1, &m50)->peer, 50);
	world_add_peer(world, 50, true, true);
	ck_assert_ptr_nonnull(forwarding_peer(world, 50));
	forwarding_remove_peer(world, 50);
	ck_assert_ptr_null(forwarding_by_mac(world, 1, &m50));
}
END_TEST

/* What is noted. */

START_TEST(port_notes_all_it_touches)
{
	struct binding b = world_binding(1, 50);

	world_add_port(world, 30, PORT_ENDPOINT, "x", &b);
	CHECK_CHANGED(dep_port(30), dep_mac(1, &m50), dep_ip(1, &ip50),
		      dep_ip(1, &six50), dep_network(1));
	forwarding_remove_port(world, 30);
	CHECK_CHANGED(dep_port(30), dep_mac(1, &m50), dep_ip(1, &ip50),
		      dep_ip(1, &six50), dep_network(1));
	forwarding_remove_port(world, 30);
	ck_assert_uint_eq(changed->n, 0);
	forwarding_remove_port(world, WORLD_TUNNEL);
	CHECK_CHANGED(dep_port(WORLD_TUNNEL), dep_tunnel());
	forwarding_remove_port(world, WORLD_HOST);
	CHECK_CHANGED(dep_port(WORLD_HOST));
}
END_TEST

START_TEST(peer_notes_what_it_changes)
{
	static const struct ip_addr at7 = U4(7), elsewhere = U4(77);
	struct fwd_peer seven = *forwarding_peer(world, 7);

	forwarding_set_peer(world, &seven);
	ck_assert_uint_eq(changed->n, 0);
	seven.up = false;
	forwarding_set_peer(world, &seven);
	CHECK_CHANGED(dep_peer(7));
	seven.remote = elsewhere;
	forwarding_set_peer(world, &seven);
	CHECK_CHANGED(dep_peer(7), dep_underlay(&at7),
		      dep_underlay(&elsewhere));
	forwarding_remove_peer(world, 8);
	CHECK_CHANGED(dep_peer(8), dep_underlay(&(struct ip_addr)U6(8)),
		      dep_mac(1, &m8), dep_ip(1, &(struct ip_addr)V4(8)),
		      dep_ip(1, &(struct ip_addr)V6(8)), dep_network(1));
	forwarding_remove_peer(world, 8);
	ck_assert_uint_eq(changed->n, 0);
}
END_TEST

START_TEST(binding_again_notes_the_difference)
{
	struct binding b = {
		.vni = 1, .mac = M(50), .n_ips = 2, .ips = {V4(50), V6(50)}};
	struct binding got;

	ck_assert_int_eq(forwarding_bind(world, 7, &b, NULL), FDP_OK);
	/* The peer is in the network already. */
	CHECK_CHANGED(dep_mac(1, &m50), dep_ip(1, &ip50), dep_ip(1, &six50));
	ck_assert_int_eq(forwarding_bind(world, 7, &b, NULL), FDP_OK);
	ck_assert_uint_eq(changed->n, 0);
	b.ips[0] = ip51;
	ck_assert_int_eq(forwarding_bind(world, 7, &b, NULL), FDP_OK);
	CHECK_CHANGED(dep_mac(1, &m50), dep_ip(1, &ip50), dep_ip(1, &ip51));
	ck_assert_ptr_null(forwarding_by_ip(world, 1, &ip50));
	ck_assert_uint_eq(forwarding_by_ip(world, 1, &ip51)->peer, 7);
	ck_assert(forwarding_binding(world, 1, &m50, &got));
	ck_assert(binding_equal(&got, &b));
	ck_assert(!forwarding_binding(world, 2, &m50, &got));
	b.ips[0] = ip7;
	ck_assert_int_eq(forwarding_bind(world, 7, &b, NULL), ERR_EXISTS);
	ck_assert_uint_eq(forwarding_by_ip(world, 1, &ip51)->peer, 7);
	ck_assert_uint_eq(changed->n, 0);
	forwarding_unbind(world, 7, 1, &m50);
	CHECK_CHANGED(dep_mac(1, &m50), dep_ip(1, &ip51), dep_ip(1, &six50));
}
END_TEST

/* Against a list that is searched from end to end. */

enum {
	MODEL_MAX = 512,
	MODEL_STEPS = 20000
};

struct model_entry {
	bool local;
	uint32_t owner; /* Port or peer. */
	struct binding binding;
};
struct model {
	struct model_entry v[MODEL_MAX];
	size_t n;
};
static struct model model;

static bool binding_has(const struct binding *b, const struct ip_addr *ip)
{
	for (size_t i = 0; i < b->n_ips; i++) {
		if (ip_equal(&b->ips[i], ip)) {
			return true;
		}
	}
	return false;
}

static bool model_clash(const struct binding *b, bool local, uint32_t owner)
{
	for (size_t i = 0; i < model.n; i++) {
		const struct model_entry *e = &model.v[i];
		bool same_mac = mac_equal(&e->binding.mac, &b->mac);

		if (e->binding.vni != b->vni ||
		    (same_mac && !local && !e->local && e->owner == owner)) {
			continue;
		}
		if (same_mac) {
			return true;
		}
		for (size_t k = 0; k < b->n_ips; k++) {
			if (binding_has(&e->binding, &b->ips[k])) {
				return true;
			}
		}
	}
	return false;
}

/* Of 'owner': all, or those of the key of 'b'. */
static void model_remove(bool local, uint32_t owner, const struct binding *b)
{
	for (size_t i = 0; i < model.n;) {
		const struct model_entry *e = &model.v[i];

		if (e->local == local && e->owner == owner &&
		    (!b || (e->binding.vni == b->vni &&
			    mac_equal(&e->binding.mac, &b->mac)))) {
			model.v[i] = model.v[--model.n];
		} else {
			i++;
		}
	}
}

static void model_add(bool local, uint32_t owner, const struct binding *b)
{
	REQUIRE(model.n < MODEL_MAX);
	model.v[model.n].local = local;
	model.v[model.n].owner = owner;
	model.v[model.n++].binding = *b;
}

static const struct model_entry *model_find(uint32_t vni, const struct mac *mac,
					    const struct ip_addr *ip)
{
	for (size_t i = 0; i < model.n; i++) {
		const struct binding *b = &model.v[i].binding;

		if (b->vni == vni &&
		    (mac ? mac_equal(&b->mac, mac) : binding_has(b, ip))) {
			return &model.v[i];
		}
	}
	return NULL;
}

static void check_target(const struct fwd_target *t,
			 const struct model_entry *e)
{
	REQUIRE((t != NULL) == (e != NULL));
	if (t) {
		REQUIRE(t->local == e->local);
		REQUIRE((t->local ? t->port_no : t->peer) == e->owner);
		REQUIRE(mac_equal(&t->mac, &e->binding.mac));
	}
}

static size_t model_members(uint32_t vni, bool local, uint32_t id)
{
	size_t n = 0;

	for (size_t i = 0; i < model.n; i++) {
		const struct model_entry *e = &model.v[i];

		n += e->binding.vni == vni && e->local == local &&
		     e->owner == id;
	}
	return n;
}

static void check_list(const uint32_t *ids, size_t n, uint32_t vni, bool local)
{
	size_t at = 0;

	for (uint32_t id = 0; id < RANDOM_NUMBERS; id++) {
		if (model_members(vni, local, id)) {
			REQUIRE(at < n && ids[at] == id);
			at++;
		}
	}
	REQUIRE(at == n);
}

static void check_model(const struct forwarding *f, struct dice *d)
{
	uint32_t vni = 1 + dice_roll(d, RANDOM_VNIS);
	struct mac mac = M(random_number(d));
	struct ip_addr ip = random_overlay(d, dice_one_in(d, 2));
	struct fwd_members ms = forwarding_members(f, vni);

	check_target(forwarding_by_mac(f, vni, &mac),
		     model_find(vni, &mac, NULL));
	check_target(forwarding_by_ip(f, vni, &ip), model_find(vni, NULL, &ip));
	check_list(ms.ports, ms.n_ports, vni, true);
	check_list(ms.peers, ms.n_peers, vni, false);
	REQUIRE(forwarding_n_bindings(f) == model.n);
}

START_TEST(random_changes_equal_a_simple_model)
{
	struct forwarding *f = forwarding_new();
	struct dice d = {99};
	unsigned int bound = 0, refused = 0;

	model.n = 0;
	for (int i = 0; i < MODEL_STEPS; i++) {
		struct binding b = random_binding(&d);
		uint32_t id = random_number(&d);
		struct fwd_port port = {
			.port_no = id, .kind = PORT_ENDPOINT, .binding = b};
		enum err err;
		bool clash;

		switch (dice_roll(&d, 6)) {
		case 0:
			clash = forwarding_port(f, id) ||
				model_clash(&b, true, id);
			err = forwarding_add_port(f, &port, NULL);
			REQUIRE(err == (clash ? ERR_EXISTS : FDP_OK));
			if (!err) {
				model_add(true, id, &b);
			}
			break;
		case 1:
			forwarding_remove_port(f, id);
			model_remove(true, id, NULL);
			break;
		case 2:
			forwarding_unbind(f, id, b.vni, &b.mac);
			model_remove(false, id, &b);
			break;
		case 3:
			if (dice_one_in(&d, 5)) {
				forwarding_remove_peer(f, id);
				model_remove(false, id, NULL);
			}
			break;
		default:
			clash = model_clash(&b, false, id);
			err = forwarding_bind(f, id, &b, NULL);
			REQUIRE(err == (clash ? ERR_EXISTS : FDP_OK));
			bound += !err;
			refused += err != FDP_OK;
			if (!err) {
				model_remove(false, id, &b);
				model_add(false, id, &b);
			}
			break;
		}
		check_model(f, &d);
		deps_clear(forwarding_changed(f));
	}
	ck_assert_uint_gt(bound, 1000);
	ck_assert_uint_gt(refused, 1000);
	forwarding_free(f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("forwarding");
	TCase *t = tcase_create("forwarding");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, bound_addresses_are_found_in_their_network);
	tcase_add_test(t, members_are_in_ascending_order);
	tcase_add_test(t, peer_is_found_by_number_and_address);
	tcase_add_test(t, second_claim_of_tunnel_address_waits);
	tcase_add_test(t, tunnel_port_is_known_while_it_is_there);
	tcase_add_test(t, trunk_is_known_while_it_is_there);
	tcase_add_test(t, other_way_to_a_peer_is_a_change_of_that_peer);
	tcase_add_test(t, peer_has_its_vlans_until_it_goes);
	tcase_add_test(t, first_owner_keeps_mac_and_ip);
	tcase_add_test(t, invalid_binding_is_refused);
	tcase_add_test(t, address_said_twice_counts_once);
	tcase_add_test(t, only_the_owner_unbinds);
	tcase_add_test(t, bindings_may_come_before_the_tunnel);
	tcase_add_test(t, port_notes_all_it_touches);
	tcase_add_test(t, peer_notes_what_it_changes);
	tcase_add_test(t, binding_again_notes_the_difference);
	tcase_add_test(t, random_changes_equal_a_simple_model);
	tcase_set_timeout(t, 120);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
