/* Flows ahead of packets: what nobody has sent yet needs no daemon. */
#include "fake/scenario.h"

enum {
	SEEDS = 20,
	ROOM = 300 /* More than three hosts with a container each need. */
};

/* Hosts with room for 'room' flows ahead, connected, with one container each,
 * of which nobody has sent anything. */
static struct world *quiet_world(uint64_t seed, unsigned int n, size_t room)
{
	struct world *w = hosts_new(seed, n, "secret");

	for (unsigned int i = 0; i < n; i++) {
		struct host *h = world_host(w, i);

		h->flows_ahead = room;
		h->sas_per_peer = 1 + (seed & 1);
	}
	dial_all(w, n, seed & 2);
	start_all(w, n);
	demand_connected(w, 10 * SEC);
	for (unsigned int i = 0; i < n; i++) {
		attach(world_host(w, i), i + 1);
	}
	world_run(w, SEC);
	return w;
}

static bool reaches(struct endpoint *a, const struct endpoint *b)
{
	bool all = true;

	for (size_t i = 0; i < b->n_ips; i++) {
		all &= endpoint_reaches_with(a, &b->ips[i], 84, 1);
	}
	return all;
}

static uint64_t n_lost(struct world *w, unsigned int n)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < n; i++) {
		sum += world_host(w, i)->kernel.n_upcalls_lost;
	}
	return sum;
}

static void kill_all(struct world *w, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		host_kill(world_host(w, i));
	}
	/* Probes of theirs are still on their way. */
	world_run(w, SEC);
	for (unsigned int i = 0; i < n; i++) {
		world_host(w, i)->kernel.n_upcalls_lost = 0;
	}
}

/* The daemons are dead: they reach each other, and nobody is asked. */
static void demand_reach_alone(struct endpoint *a, struct endpoint *b)
{
	struct world *w = a->host->world;

	DEMAND(w, reaches(a, b), "%s does not reach %s", a->netns, b->netns);
	DEMAND(w, reaches(b, a), "%s does not reach %s", b->netns, a->netns);
	DEMAND(w,
	       !a->host->kernel.n_upcalls_lost &&
		       !b->host->kernel.n_upcalls_lost,
	       "upcalls between %s and %s", a->netns, b->netns);
}

/* So it is with the first containers of all hosts. */
static void demand_daemons_not_needed(struct world *w, unsigned int n)
{
	kill_all(w, n);
	for (unsigned int i = 0; i < n; i++) {
		for (unsigned int j = 0; j < i; j++) {
			demand_reach_alone(world_host(w, i)->endpoints[0],
					   world_host(w, j)->endpoints[0]);
		}
	}
	DEMAND(w, !n_lost(w, n), "upcalls");
}

SEED_TEST(dead_daemons_first_packets_pass, SEEDS)
{
	struct world *w = quiet_world(seed, 3, ROOM);

	DEMAND(w, flows_ahead(host_a(w)) == host_a(w)->kernel.n_flows,
	       "others than those ahead");
	demand_daemons_not_needed(w, 3);
	DEMAND(w, host_a(w)->kernel.n_plain_sent == 0, "plain");
	world_free(w);
}

/* The positive control of the above. */
SEED_TEST(without_flows_ahead_first_packets_are_lost, SEEDS)
{
	struct world *w = quiet_world(seed, 2, 0);
	struct endpoint *a = host_a(w)->endpoints[0];
	struct endpoint *b = host_b(w)->endpoints[0];

	DEMAND(w, flows_ahead(host_a(w)) == 0, "some are ahead");
	kill_all(w, 2);
	DEMAND(w, !reaches(a, b), "it reaches");
	DEMAND(w, n_lost(w, 2), "no upcalls");
	world_free(w);
}

SEED_TEST(two_of_one_host_need_no_daemon, SEEDS)
{
	struct world *w = quiet_world(seed, 2, ROOM);
	struct host *a = host_a(w);

	attach(a, 3);
	world_run(w, SEC);
	kill_all(w, 2);
	demand_reach_alone(a->endpoints[0], a->endpoints[1]);
	world_free(w);
}

SEED_TEST(they_stay_while_nobody_sends, SEEDS)
{
	struct world *w = quiet_world(seed, 3, ROOM);
	size_t n = flows_ahead(host_a(w));
	unsigned int puts = host_a(w)->kernel.n_flow_puts;

	world_run(w, 300 * SEC);
	DEMAND(w, n && flows_ahead(host_a(w)) == n, "%zu of %zu",
	       flows_ahead(host_a(w)), n);
	DEMAND(w, host_a(w)->kernel.n_flow_puts == puts, "put again");
	demand_daemons_not_needed(w, 3);
	world_free(w);
}

SEED_TEST(container_goes_its_flows_go, SEEDS)
{
	struct world *w = quiet_world(seed, 3, ROOM);
	size_t n = flows_ahead(host_a(w));

	attach(host_b(w), 9);
	world_run(w, SEC);
	DEMAND(w, flows_ahead(host_a(w)) > n, "none for the new one");
	host_detach(host_b(w)->endpoints[1]);
	world_run(w, SEC);
	DEMAND(w, flows_ahead(host_a(w)) == n, "%zu instead of %zu",
	       flows_ahead(host_a(w)), n);
	DEMAND(w, host_a(w)->kernel.n_flows == n, "others are there");
	host_detach(host_a(w)->endpoints[0]);
	world_run(w, SEC);
	DEMAND(w, !host_a(w)->kernel.n_flows, "flows of nobody");
	attach(host_a(w), 1);
	world_run(w, SEC);
	demand_daemons_not_needed(w, 3);
	world_free(w);
}

/* The address and its MAC are on another host then. */
SEED_TEST(container_moves_flows_follow, SEEDS)
{
	struct world *w = quiet_world(seed, 3, ROOM);
	struct host *b = host_b(w);
	char mac[MAC_STRLEN];
	struct endpoint *e;

	mac_format(&b->endpoints[0]->mac, mac);
	host_detach(b->endpoints[0]);
	world_run(w, SEC);
	e = host_attach(host_c(w), "c2", "[\"10.0.0.2/24\", \"fd00::2/64\"]",
			mac);
	DEMAND(w, e, "%s", host_c(w)->reply);
	world_run(w, SEC);
	kill_all(w, 3);
	demand_reach_alone(host_a(w)->endpoints[0], e);
	demand_reach_alone(e, host_c(w)->endpoints[0]);
	world_free(w);
}

SEED_TEST(host_goes_and_comes_back, SEEDS)
{
	struct world *w = quiet_world(seed, 3, ROOM);
	size_t n = flows_ahead(host_a(w));

	host_crash(host_b(w));
	world_run(w, 100 * SEC);
	DEMAND(w, flows_ahead(host_a(w)) < n, "flows to nowhere");
	DEMAND(w, host_a(w)->kernel.n_flows == flows_ahead(host_a(w)),
	       "others are there");
	host_start_well(host_b(w));
	demand_connected(w, 60 * SEC);
	attach(host_b(w), 2);
	world_run(w, SEC);
	DEMAND(w, flows_ahead(host_a(w)) == n, "%zu instead of %zu",
	       flows_ahead(host_a(w)), n);
	demand_daemons_not_needed(w, 3);
	world_free(w);
}

/* The kernel goes on; the next daemon finds its flows and keeps them. */
SEED_TEST(restart_keeps_them, SEEDS)
{
	struct world *w = quiet_world(seed, 3, ROOM);
	struct host *a = host_a(w);
	size_t n = flows_ahead(a);

	for (unsigned int i = 0; i < 3; i++) {
		host_kill(a);
		world_run(w, world_draw(w, 20 * SEC));
		host_start_well(a);
		world_run(w, world_draw(w, 2 * SEC));
		/* Or more: a peer may come back with another address. */
		DEMAND(w, a->kernel.n_flows >= n, "%zu instead of %zu",
		       a->kernel.n_flows, n);
	}
	demand_connected(w, 120 * SEC);
	world_run(w, 200 * SEC);
	DEMAND(w, flows_ahead(a) == n, "%zu instead of %zu", flows_ahead(a), n);
	DEMAND(w, a->kernel.n_flows == n, "others are there");
	demand_daemons_not_needed(w, 3);
	world_free(w);
}

/* What one of them leads to never comes back. */
SEED_TEST(restart_does_not_wait_for_the_lost, SEEDS)
{
	struct world *w = quiet_world(seed, 3, ROOM);
	struct host *a = host_a(w);

	host_kill(a);
	host_crash(host_b(w));
	host_start_well(a);
	world_run(w, 150 * SEC);
	DEMAND(w, a->kernel.n_flows == flows_ahead(a), "others are there");
	kill_all(w, 3);
	demand_reach_alone(a->endpoints[0], host_c(w)->endpoints[0]);
	world_free(w);
}

SEED_TEST(bound_is_kept_and_said, SEEDS)
{
	const size_t room = 5 + seed;
	struct world *w = quiet_world(seed, 3, room);
	struct host *a = host_a(w);
	struct json *json = host_ask(a, "status", NULL);
	const struct json *flows = jsonget(json, "flows");
	int64_t n;

	DEMAND(w,
	       jsonget_integer(flows, "ahead", (int64_t)room, (int64_t)room,
			       &n),
	       "not as many as there is room for");
	DEMAND(w, jsonget_true(flows, "ahead_left_out"), "nothing left out");
	json_destroy(json);
	DEMAND(w, a->kernel.n_flows == room, "%zu", a->kernel.n_flows);
	demand_all_reach(w, 3);
	host_detach(a->endpoints[0]);
	world_run(w, SEC);
	DEMAND(w, !flows_ahead(a), "%zu", flows_ahead(a));
	attach(a, 1);
	world_run(w, 10 * SEC);
	DEMAND(w, flows_ahead(a) == room, "%zu", flows_ahead(a));
	world_free(w);
}

/* When others give way, those that were left out get their turn. */
SEED_TEST(room_again_is_used, SEEDS)
{
	struct world *w = quiet_world(seed, 3, 90);
	struct host *a = host_a(w);

	for (unsigned int i = 0; i < 4; i++) {
		attach(host_b(w), 10 + i);
	}
	world_run(w, SEC);
	DEMAND(w, flows_ahead(a) == 90, "%zu", flows_ahead(a));
	while (host_b(w)->n_endpoints) {
		host_detach(host_b(w)->endpoints[0]);
	}
	world_run(w, 30 * SEC);
	kill_all(w, 3);
	demand_reach_alone(a->endpoints[0], host_c(w)->endpoints[0]);
	world_free(w);
}

/* Somebody deletes all flows. */
SEED_TEST(lost_ones_are_put_again, SEEDS)
{
	struct world *w = quiet_world(seed, 3, ROOM);
	struct fake_kernel *k = &host_a(w)->kernel;
	size_t n = k->n_flows;

	while (k->n_flows) {
		actions_free(&k->flows[--k->n_flows].actions);
	}
	world_run(w, 15 * SEC);
	DEMAND(w, k->n_flows == n, "%zu instead of %zu", k->n_flows, n);
	demand_daemons_not_needed(w, 3);
	world_free(w);
}

/* The sleeve takes over, and gives back.  What may still come by the other way
 * keeps its flows. */
SEED_TEST(they_follow_the_way_that_is_used, SEEDS)
{
	struct world *w = sleeve_world(seed, 2, 0, "secret");
	struct host *a = host_a(w), *b = host_b(w);
	unsigned int puts;

	a->flows_ahead = b->flows_ahead = ROOM;
	bring_up(w, 2);
	world_run(w, 20 * SEC);
	world_filter(w, a, b, 0);
	world_filter(w, b, a, 0);
	world_run(w, 30 * SEC);
	demand_row(a, b, "overlay", "sleeve");
	demand_row(b, a, "overlay", "sleeve");
	puts = a->kernel.n_flow_puts + b->kernel.n_flow_puts;
	DEMAND(w, reaches(a->endpoints[0], b->endpoints[0]), "not reached");
	DEMAND(w, a->kernel.n_flow_puts + b->kernel.n_flow_puts == puts,
	       "flows are made for it");
	world_filter(w, a, b, SIZE_MAX);
	world_filter(w, b, a, SIZE_MAX);
	world_run(w, 120 * SEC);
	demand_row(a, b, "overlay", "fastdp");
	demand_row(b, a, "overlay", "fastdp");
	endpoint_forget(a->endpoints[0]);
	endpoint_forget(b->endpoints[0]);
	demand_daemons_not_needed(w, 2);
	world_free(w);
}

SCENARIO_MAIN("ahead", dead_daemons_first_packets_pass,
	      without_flows_ahead_first_packets_are_lost,
	      two_of_one_host_need_no_daemon, they_stay_while_nobody_sends,
	      container_goes_its_flows_go, container_moves_flows_follow,
	      host_goes_and_comes_back, restart_keeps_them,
	      restart_does_not_wait_for_the_lost, bound_is_kept_and_said,
	      room_again_is_used, lost_ones_are_put_again,
	      they_follow_the_way_that_is_used)
