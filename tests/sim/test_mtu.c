/* A way between hosts whose MTU changes, where no router says so. */
#include "fake/scenario.h"
#include "ipsec/overhead.h"
#include "util.h"

enum {
	SEEDS = 12
};

/* The MTU that 'h' shows towards the host called 'name'; 0 if there is none. */
static int64_t mtu_towards(struct host *h, const char *name)
{
	struct json *json = host_ask(h, "peers", NULL);
	const struct json *list = jsonget(json, "peers");
	int64_t value = 0;

	for (size_t i = 0; i < jsonget_n(list); i++) {
		const struct json *row = jsonget_at(list, i);

		if (!strcmp(jsonget_string(row, "name"), name) &&
		    !jsonget_integer(row, "mtu", 0, UINT16_MAX, &value)) {
			value = 0;
		}
	}
	json_destroy(json);
	return value;
}

static uint32_t mtu_of(const struct endpoint *e)
{
	return fake_kernel_link(&e->host->kernel, e->link)->mtu;
}

/* The way between both is that wide now. */
static void set_path(struct world *w, struct host *a, struct host *b,
		     uint32_t mtu)
{
	world_filter(w, a, b, mtu);
	world_filter(w, b, a, mtu);
}

/* Frames as large as their interface allows, there and back, until they get
 * through again; returns how long that took. */
static uint64_t talk_until_ok(struct endpoint *a, const struct endpoint *b,
			      uint32_t mtu)
{
	struct world *w = a->host->world;
	uint64_t begin_us = world_now(w);

	while (!endpoint_reaches_with(a, &b->ips[0], mtu_of(a), 1) ||
	       mtu_of(a) != mtu || mtu_of(b) != mtu) {
		DEMAND(w, world_now(w) < begin_us + 20 * SEC,
		       "%u and %u instead of %u", mtu_of(a), mtu_of(b), mtu);
		world_run(w, 10 * MS);
	}
	return world_now(w) - begin_us;
}

static uint64_t worst_shrink_us, worst_growth_us;

SEED_TEST(a_changing_way_is_followed, SEEDS)
{
	const bool v6 = seed & 1;
	const char *password = seed % 4 == 3 ? NULL : "pw";
	const uint32_t whole = overhead_inner_mtu(1500, v6, password);
	struct world *w = running_world(seed, 2, password, v6);
	struct host *a = host_a(w), *b = host_b(w);
	struct endpoint *ea = a->endpoints[0], *eb = b->endpoints[0];

	world_routers_tell(w, seed & 2);
	/* Nothing grows in the first ten seconds. */
	world_run(w, 12 * SEC);
	talk_until_ok(ea, eb, whole);
	for (unsigned int i = 0; i < 6; i++) {
		uint32_t path = (uint32_t)(1390 + world_draw(w, 90));
		uint32_t mtu = overhead_inner_mtu(path, v6, password);
		uint64_t us;

		mtu = whole - (whole - mtu + 3) / 4 * 4;
		set_path(w, a, b, path);
		us = talk_until_ok(ea, eb, mtu);
		worst_shrink_us = MAX(worst_shrink_us, us);
		DEMAND(w, us < 5 * SEC, "shrunk after %llu us",
		       (unsigned long long)us);
		DEMAND(w, mtu_towards(a, "b") == mtu, "shown: %d, not %u",
		       (int)mtu_towards(a, "b"), mtu);
		world_run(w, world_draw(w, 3 * SEC));
		set_path(w, a, b, 1500);
		us = talk_until_ok(ea, eb, whole);
		worst_growth_us = MAX(worst_growth_us, us);
		DEMAND(w, us < 5 * SEC, "grown after %llu us",
		       (unsigned long long)us);
		world_run(w, world_draw(w, 3 * SEC));
	}
	DEMAND(w, seed & 2 || a->kernel.n_too_big == 0,
	       "too large for the interface");
	printf("seed %llu: shrinks within %.2f s, grows within %.2f s\n",
	       (unsigned long long)seed, (double)worst_shrink_us / SEC,
	       (double)worst_growth_us / SEC);
	world_free(w);
}

/* One of three is behind something narrow: what is shown differs, what
 * containers use is what gets to all. */
SEED_TEST(each_peer_has_its_own, SEEDS)
{
	struct world *w = running_world(seed, 3, "pw", false);
	struct host *a = host_a(w), *b = host_b(w), *c = host_c(w);

	set_path(w, a, c, 1400);
	for (unsigned int i = 0; i < 20; i++) {
		demand_reach(a->endpoints[0], c->endpoints[0]);
		demand_reach(a->endpoints[0], b->endpoints[0]);
		world_run(w, 300 * MS);
	}
	DEMAND(w, mtu_towards(a, "b") == 1416, "%d", (int)mtu_towards(a, "b"));
	DEMAND(w, mtu_towards(a, "c") == 1316, "%d", (int)mtu_towards(a, "c"));
	DEMAND(w, mtu_towards(c, "a") == 1316, "%d", (int)mtu_towards(c, "a"));
	DEMAND(w, mtu_towards(b, "a") == 1416, "%d", (int)mtu_towards(b, "a"));
	DEMAND(w, mtu_of(a->endpoints[0]) == 1316, "%u",
	       mtu_of(a->endpoints[0]));
	world_free(w);
}

/* A way that is gone for a while is no small one, and neither is a bad one. */
SEED_TEST(silence_and_loss_change_nothing, SEEDS)
{
	struct world *w = running_world(seed, 2, "pw", seed & 1);
	const uint32_t whole = mtu_of(host_a(w)->endpoints[0]);

	world_run(w, 20 * SEC);
	set_path(w, host_a(w), host_b(w), 0);
	world_run(w, 6 * SEC);
	set_path(w, host_a(w), host_b(w), 9000);
	world_run(w, 6 * SEC);
	DEMAND(w, mtu_of(host_a(w)->endpoints[0]) == whole, "%u",
	       mtu_of(host_a(w)->endpoints[0]));
	DEMAND(w, mtu_towards(host_a(w), "b") == whole, "%d",
	       (int)mtu_towards(host_a(w), "b"));
	world_free(w);
}

/* A restart sets no MTU, of whatever size it found them. */
SEED_TEST(a_restart_keeps_what_was_found, SEEDS)
{
	struct world *w = running_world(seed, 2, "pw", false);
	struct host *a = host_a(w), *b = host_b(w);
	struct endpoint *ea = a->endpoints[0], *eb = b->endpoints[0];

	set_path(w, a, b, 1400);
	talk_until_ok(ea, eb, 1316);
	world_run(w, 5 * SEC);
	host_kill(a);
	a->kernel.n_link_mtus = 0;
	host_start_well(a);
	for (unsigned int i = 0; i < 100; i++) {
		DEMAND(w, mtu_of(ea) == 1316, "%u after %u00 ms", mtu_of(ea),
		       i);
		world_run(w, 100 * MS);
		endpoint_reaches_with(ea, &eb->ips[0], 84, 1);
	}
	world_run(w, 20 * SEC);
	DEMAND(w, mtu_of(ea) == 1316, "%u", mtu_of(ea));
	/* But once, to the same, as the file may be older than the truth. */
	DEMAND(w, a->kernel.n_link_mtus == 1, "set %u times",
	       a->kernel.n_link_mtus);
	world_free(w);
}

/* What our own interface allows counts at once, and no probe goes beyond. */
SEED_TEST(the_interface_is_the_limit, SEEDS)
{
	struct world *w = running_world(seed, 2, "pw", false);
	struct host *a = host_a(w), *b = host_b(w);
	uint64_t too_big;

	world_run(w, 15 * SEC);
	set_path(w, a, b, 9000);
	fake_kernel_set_route(&a->kernel, &b->v4, 1400);
	host_net_changed(a);
	world_run(w, 300 * MS);
	DEMAND(w, mtu_of(a->endpoints[0]) == 1316, "%u",
	       mtu_of(a->endpoints[0]));
	too_big = a->kernel.n_too_big;
	world_run(w, 100 * SEC);
	DEMAND(w, a->kernel.n_too_big == too_big, "probes beyond it");
	fake_kernel_set_route(&a->kernel, &b->v4, 9000);
	host_net_changed(a);
	world_run(w, 2 * SEC);
	DEMAND(w, mtu_towards(a, "b") == 8916, "%d", (int)mtu_towards(a, "b"));
	DEMAND(w, mtu_of(a->endpoints[0]) == 8916, "%u",
	       mtu_of(a->endpoints[0]));
	world_free(w);
}

/* An interface with IPv6 has at least what that demands, or it would lose its
 * addresses. */
SEED_TEST(ipv6_keeps_its_least_mtu, SEEDS)
{
	struct world *w = running_world(seed, 2, "pw", false);
	struct host *a = host_a(w), *b = host_b(w);
	struct endpoint *only_v4 =
		host_attach(a, "v4", "[\"10.0.0.9/24\"]", NULL);

	DEMAND(w, only_v4, "%s", a->reply);
	set_path(w, a, b, 1300);
	for (unsigned int i = 0; i < 20; i++) {
		demand_reach(a->endpoints[0], b->endpoints[0]);
		world_run(w, 300 * MS);
	}
	DEMAND(w, mtu_towards(a, "b") == 1216, "%d", (int)mtu_towards(a, "b"));
	DEMAND(w, mtu_of(a->endpoints[0]) == 1280, "%u",
	       mtu_of(a->endpoints[0]));
	DEMAND(w, mtu_of(only_v4) == 1216, "%u", mtu_of(only_v4));
	world_free(w);
}

SCENARIO_MAIN("mtu", a_changing_way_is_followed, each_peer_has_its_own,
	      silence_and_loss_change_nothing, a_restart_keeps_what_was_found,
	      the_interface_is_the_limit, ipv6_keeps_its_least_mtu)
