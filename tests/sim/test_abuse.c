/* Hosts and containers that will not be quiet: others keep their service, and
 * what is kept of the noisy ones stays bounded. */
#include "fake/scenario.h"

#include "datapath/lane.h"
#include "util.h"

enum {
	SEEDS = 20,
	SHOWN = 16 /* Refusals, in `status connections`. */
};

/* Rows of `fdpctl status connections`. */
static size_t n_rows(struct host *h)
{
	struct json *json = host_ask(h, "connections", NULL);
	size_t n = jsonget(json, "connections")->array.n;

	json_destroy(json);
	return n;
}

static void demand_pong(struct endpoint *from, const struct endpoint *to)
{
	DEMAND(from->host->world,
	       endpoint_reaches_with(from, &to->ips[0], 84, 1),
	       "a packet of others is lost");
}

/* Its connection breaks as soon as there is one. */
SEED_TEST(peer_that_flaps_leaves_others_alone, SEEDS)
{
	struct world *w = running_world(seed, 3, "secret", seed & 1);
	struct host *a = host_a(w), *b = host_b(w), *c = host_c(w);
	unsigned int before = a->n_sessions;
	size_t most = 0, lasting = a->kernel.n_sas;

	demand_all_reach(w, 3);
	for (unsigned int i = 0; i < 100; i++) {
		world_break(w, a, b);
		world_run(w, (100 + world_draw(w, 300)) * MS);
		demand_pong(a->endpoints[0], c->endpoints[0]);
		demand_pong(c->endpoints[0], b->endpoints[0]);
		most = MAX(most, a->kernel.n_sas);
	}
	/* It did flap; but whoever dials waits longer each time.  SAs of a
	 * session linger for a minute. */
	DEMAND(w, a->n_sessions >= before + 3, "no new sessions");
	DEMAND(w, a->n_sessions - before <= 50, "%u sessions",
	       a->n_sessions - before);
	DEMAND(w, most <= lasting + 2 * LANES_MAX * (a->n_sessions - before),
	       "%zu SAs", most);
	DEMAND(w, n_rows(a) <= 2 + SHOWN, "%zu rows", n_rows(a));
	demand_connected(w, 60 * SEC);
	demand_all_reach(w, 3);
	world_run(w, 120 * SEC);
	demand_tidy(w, 3);
	world_free(w);
}

/* A host with another password is started again and again, and dials at once
 * each time. */
SEED_TEST(wrong_password_again_and_again_disturbs_nobody, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);
	struct host *a = host_a(w), *b = host_b(w), *x;

	x = world_add_host(w, "x", "another");
	host_add_target(x, seed & 1 ? &a->v6 : &a->v4);
	host_add_target(x, seed & 1 ? &b->v6 : &b->v4);
	for (unsigned int i = 0; i < 50; i++) {
		host_start_well(x);
		world_run(w, (100 + world_draw(w, 900)) * MS);
		demand_pong(a->endpoints[0], b->endpoints[0]);
		host_kill(x);
	}
	/* That one, and one for each reason that the other was refused for. */
	DEMAND(w, n_rows(a) <= 1 + SHOWN, "%zu rows", n_rows(a));
	/* Those who know the password are let in meanwhile. */
	host_start_well(x);
	world_break(w, a, b);
	world_run(w, 10 * SEC);
	DEMAND(w, host_is_connected(a, b) && host_is_connected(b, a),
	       "those who know the password are kept out");
	world_free(w);
}

/* Containers that come and go. */
SEED_TEST(ports_come_and_go_nothing_is_left, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);
	struct host *a = host_a(w), *b = host_b(w);
	struct json *json;
	int64_t n;

	for (unsigned int i = 0; i < 200; i++) {
		struct endpoint *e = attach(a, 3 + i % 7);

		if (i % 5 == 0) {
			world_run(w, 20 * MS);
			demand_pong(e, b->endpoints[0]);
		}
		if (i % 3) {
			host_detach(e);
		} else {
			host_lose_port(e);
			world_run(w, 5 * MS);
		}
	}
	/* Flows that nothing uses go after ten seconds. */
	world_run(w, 30 * SEC);
	json = host_ask(a, "ports", NULL);
	DEMAND(w, jsonget(json, "ports")->array.n == 1, "ports are left");
	json_destroy(json);
	json = host_ask(b, "status", NULL);
	DEMAND(w,
	       jsonget_integer(jsonget(json, "endpoints"), "remote", 1, 1, &n),
	       "endpoints are left");
	json_destroy(json);
	DEMAND(w, a->kernel.n_flows < 20, "%zu flows are left",
	       a->kernel.n_flows);
	demand_all_reach(w, 2);
	demand_tidy(w, 2);
	world_free(w);
}

SCENARIO_MAIN("abuse", peer_that_flaps_leaves_others_alone,
	      wrong_password_again_and_again_disturbs_nobody,
	      ports_come_and_go_nothing_is_left)
