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

/* Endpoints of 'h' that 'a' shows as those of somebody else. */
static unsigned int n_duplicates(struct host *a, const struct host *h)
{
	struct json *json = host_ask(a, "peers", NULL);
	const struct json *list = jsonget(json, "peers");
	unsigned int n = 0;

	for (size_t i = 0; i < jsonget_n(list); i++) {
		const struct json *row = jsonget_at(list, i);
		const struct json *ends = jsonget(row, "endpoints");

		if (strcmp(jsonget_string(row, "name"), h->name) != 0) {
			continue;
		}
		for (size_t k = 0; k < jsonget_n(ends); k++) {
			const char *other = jsonget_string(jsonget_at(ends, k),
							   "duplicate");

			n += other && *other;
		}
	}
	json_destroy(json);
	return n;
}

static void set_apart(struct world *w, struct host *h, bool apart)
{
	for (unsigned int i = 0; i < 3; i++) {
		struct host *other = world_host(w, i);

		if (other != h) {
			world_partition(w, h, other, apart);
		}
	}
}

/* The container's host falls silent, crashed or cut off: its address can be had
 * elsewhere as soon as that is seen, not when the host is forgotten.  If it
 * comes back, however often, the new owner keeps what it has, and both are
 * shown. */
SEED_TEST(address_of_a_crashed_host_is_free_at_once, SEEDS / 2)
{
	struct endpoint *mover, *new = NULL;
	struct world *w = moving_world(seed, &mover);
	struct host *a = host_a(w), *b = host_b(w), *c = host_c(w);
	uint64_t begin_us = world_now(w);

	set_apart(w, b, true);
	if (seed & 1) {
		host_kill(b);
	}
	DEMAND(w, !host_attach(c, "m", address, NULL), "free before its time");
	while (!new) {
		DEMAND(w, world_now(w) < begin_us + 25 * SEC, "still not free");
		world_run(w, 500 * MS);
		new = host_attach(c, "m", address, NULL);
	}
	world_run(w, 3 * SEC);
	DEMAND(w, endpoint_reaches_with(a->endpoints[0], &new->ips[0], 84, 1),
	       "a does not reach the new one");
	for (unsigned int i = 0; i < 3; i++) {
		set_apart(w, b, false);
		if (seed & 1) {
			host_start_well(b);
		}
		demand_connected(w, 30 * SEC);
		world_run(w, 2 * SEC);
		for (unsigned int k = 0; k < 20; k++) {
			unsigned int seen = new->n_frames;

			DEMAND(w,
			       endpoint_reaches_with(a->endpoints[0],
						     &new->ips[0], 84, 1) &&
				       new->n_frames > seen,
			       "a does not reach the new one any more");
			world_run(w, 50 * MS);
		}
		DEMAND(w, n_duplicates(a, b) == 1, "not shown");
		set_apart(w, b, true);
		if (seed & 1) {
			host_kill(b);
		}
		world_run(w, 20 * SEC);
	}
	/* And is it that alone?  The old one has it if the new one ends. */
	set_apart(w, b, false);
	if (seed & 1) {
		host_start_well(b);
	}
	demand_connected(w, 30 * SEC);
	host_detach(new);
	world_run(w, 2 * SEC);
	DEMAND(w, endpoint_reaches_with(a->endpoints[0], &mover->ips[0], 84, 1),
	       "a does not reach the old one");
	DEMAND(w, n_duplicates(a, b) == 0, "still shown");
	world_free(w);
}

/* A daemon that has ended is no crashed host: its containers go on. */
SEED_TEST(address_of_a_stopped_daemon_is_kept, SEEDS / 2)
{
	struct endpoint *mover;
	struct world *w = moving_world(seed, &mover);
	struct host *a = host_a(w), *b = host_b(w), *c = host_c(w);

	if (seed & 1) {
		host_kill(b);
	} else {
		host_stop(b);
	}
	for (unsigned int i = 0; i < 25; i++) {
		world_run(w, 2 * SEC);
		DEMAND(w, !host_attach(c, "m", address, NULL),
		       "taken after %u s", 2 * i);
		DEMAND(w,
		       endpoint_reaches_with(a->endpoints[0], &mover->ips[0],
					     84, 1),
		       "not reached after %u s", 2 * i);
	}
	world_free(w);
}

SCENARIO_MAIN("moves", same_mac_on_another_host_traffic_follows,
	      other_mac_same_address_traffic_follows,
	      round_and_round_traffic_follows,
	      address_of_a_crashed_host_is_free_at_once,
	      address_of_a_stopped_daemon_is_kept)
