/* A container comes back on another host, or another one under its address:
 * traffic follows everywhere within a second, through flows that are corrected,
 * not timed out. */
#include "fake/scenario.h"

enum {
	SEEDS = 20
};

static const char *const address = "[\"10.0.0.77/24\", \"fd00::77/64\"]";

/* Three hosts with a container each, and one that moves, on 'b'. */
static struct world *moving_world(uint64_t seed, struct endpoint **mover)
{
	struct world *w = running_world(seed, 3, "secret", seed & 1);

	*mover = host_attach(host_b(w), "m", address, NULL);
	DEMAND(w, *mover, "%s", host_b(w)->reply);
	world_run(w, 100 * MS);
	/* Everybody knows it, and has flows to it. */
	demand_all_reach(w, 3);
	return w;
}

/* One packet of each family, which nobody has to ask for again. */
static void demand_found(struct world *w, const struct endpoint *mover)
{
	for (unsigned int i = 0; i < 3; i++) {
		struct endpoint *from = world_host(w, i)->endpoints[0];

		for (size_t j = 0; j < mover->n_ips; j++) {
			DEMAND(w,
			       endpoint_reaches_with(from, &mover->ips[j], 84,
						     1),
			       "%s does not reach it", from->netns);
		}
	}
}

SEED_TEST(same_mac_on_another_host_traffic_follows, SEEDS)
{
	struct endpoint *mover;
	struct world *w = moving_world(seed, &mover);
	char mac[MAC_STRLEN];

	mac_format(&mover->mac, mac);
	host_detach(mover);
	mover = host_attach(host_c(w), "m", address, mac);
	for (unsigned int i = 0; !mover && i < 20; i++) {
		/* Once it has heard that the address is free. */
		world_run(w, 10 * MS);
		mover = host_attach(host_c(w), "m", address, mac);
	}
	DEMAND(w, mover, "%s", host_c(w)->reply);
	world_run(w, 500 * MS);
	demand_found(w, mover);
	world_free(w);
}

SEED_TEST(other_mac_same_address_traffic_follows, SEEDS)
{
	struct endpoint *mover;
	struct world *w = moving_world(seed, &mover);
	struct host *to = seed & 2 ? host_b(w) : host_c(w);

	host_detach(mover);
	world_run(w, 100 * MS);
	mover = host_attach(to, "m", address, NULL);
	DEMAND(w, mover, "%s", to->reply);
	world_run(w, 500 * MS);
	demand_found(w, mover);
	world_free(w);
}

/* Again and again, between all hosts. */
SEED_TEST(round_and_round_traffic_follows, SEEDS / 2)
{
	struct endpoint *mover;
	struct world *w = moving_world(seed, &mover);

	for (unsigned int i = 0; i < 9; i++) {
		host_detach(mover);
		world_run(w, 100 * MS);
		mover = host_attach(world_host(w, i % 3), "m", address, NULL);
		DEMAND(w, mover, "not attached");
		world_run(w, 200 * MS);
		demand_found(w, mover);
	}
	demand_tidy(w, 3);
	world_free(w);
}

SCENARIO_MAIN("moves", same_mac_on_another_host_traffic_follows,
	      other_mac_same_address_traffic_follows,
	      round_and_round_traffic_follows)
