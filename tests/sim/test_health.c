/* Probes through the tunnel: who notices what. */
#include "fake/scenario.h"

enum {
	SEEDS = 12
};

/* A number of the way from 'h' to the host called 'name'; -1 if there is
 * none. */
static int64_t path_number(struct host *h, const char *name, const char *what)
{
	struct json *json = host_ask(h, "connections", NULL);
	const struct json *list = jsonget(json, "connections");
	int64_t value = -1;

	for (size_t i = 0; i < jsonget_n(list); i++) {
		const struct json *row = jsonget_at(list, i);
		const struct json *path = jsonget(row, "path");

		if (path && !strcmp(jsonget_string(row, "name"), name) &&
		    !jsonget_integer(path, what, 0, INT64_MAX, &value)) {
			value = -1;
		}
	}
	json_destroy(json);
	return value;
}

static void demand_watched(struct world *w, unsigned int n)
{
	for (unsigned int i = 0; i < n * n; i++) {
		struct host *h = world_host(w, i / n);
		const struct host *to = world_host(w, i % n);
		int64_t sent = path_number(h, to->name, "sent");
		int64_t acked = path_number(h, to->name, "acked");
		int64_t rtt_us = path_number(h, to->name, "rtt_us");

		if (h == to) {
			continue;
		}
		DEMAND(w, sent >= 10, "%s sent %d probes", h->name, (int)sent);
		/* One may be under way. */
		DEMAND(w, acked >= sent - 1, "%s: %d of %d", h->name,
		       (int)acked, (int)sent);
		DEMAND(w, path_number(h, to->name, "lost") == 0, "lost");
		DEMAND(w, path_number(h, to->name, "loss") == 0, "loss");
		DEMAND(w, path_number(h, to->name, "heard") >= 10, "heard");
		DEMAND(w, rtt_us >= 100 && rtt_us <= 10000, "rtt %d us",
		       (int)rtt_us);
	}
}

SEED_TEST(probes_are_acknowledged_in_both_directions, SEEDS)
{
	const char *password = seed % 4 ? "pw" : NULL;
	struct world *w = running_world(seed, 3, password, seed & 1);

	world_run(w, 150 * SEC);
	demand_watched(w, 3);
	/* They leave nothing behind, and no container ever sees one. */
	for (unsigned int i = 0; i < 3; i++) {
		struct host *h = world_host(w, i);

		DEMAND(w, h->kernel.n_flows == 0, "%s has %zu flows", h->name,
		       h->kernel.n_flows);
		DEMAND(w, h->endpoints[0]->n_frames == 0, "a frame arrived");
	}
	if (password) {
		demand_tidy(w, 3);
	}
	world_free(w);
}

/* The cost: with nothing else going on, a probe and an acknowledgement each way
 * in ten seconds. */
SEED_TEST(quiet_hosts_are_quiet, SEEDS)
{
	struct world *w = running_world(seed, 2, "pw", false);
	int64_t before, n_other, n;

	world_run(w, 30 * SEC);
	before = path_number(host_a(w), "b", "sent");
	world_run(w, 100 * SEC);
	n = path_number(host_a(w), "b", "sent") - before;
	DEMAND(w, n >= 9 && n <= 12, "%d probes", (int)n);
	n_other = path_number(host_b(w), "a", "sent");
	for (unsigned int i = 0; i < 100; i++) {
		demand_reach(host_a(w)->endpoints[0], host_b(w)->endpoints[0]);
		world_run(w, SEC);
	}
	n = path_number(host_a(w), "b", "sent") - before - n;
	DEMAND(w, n >= 85 && n <= 120, "%d probes with traffic", (int)n);
	/* The other side has the same traffic. */
	n = path_number(host_b(w), "a", "sent") - n_other;
	DEMAND(w, n >= 85 && n <= 120, "%d probes of the other side", (int)n);
	world_free(w);
}

/* Lost in one direction: that is where it is counted. */
SEED_TEST(each_direction_stands_for_itself, SEEDS)
{
	struct world *w = running_world(seed, 2, "pw", false);
	int64_t heard, lost;

	world_run(w, 30 * SEC);
	world_filter(w, host_a(w), host_b(w), 0);
	world_run(w, 100 * MS);
	heard = path_number(host_b(w), "a", "heard");
	world_run(w, 30 * SEC);
	lost = path_number(host_a(w), "b", "lost");
	DEMAND(w, lost >= 10, "%d lost", (int)lost);
	DEMAND(w, path_number(host_b(w), "a", "lost") == 0, "lost");
	DEMAND(w, path_number(host_b(w), "a", "heard") == heard, "heard");
	world_filter(w, host_a(w), host_b(w), SIZE_MAX);
	world_run(w, 5 * SEC);
	DEMAND(w, path_number(host_b(w), "a", "heard") > heard, "not heard");
	world_free(w);
}

/* Is the way from 'h' to the host called 'name' shown so? */
static bool is_shown(struct host *h, const char *name, const char *what,
		     const char *level)
{
	struct json *json = host_ask(h, "connections", NULL);
	const struct json *list = jsonget(json, "connections");
	bool is = false;

	for (size_t i = 0; i < jsonget_n(list); i++) {
		const struct json *row = jsonget_at(list, i);
		const struct json *path = jsonget(row, "path");

		if (path && !strcmp(jsonget_string(row, "name"), name)) {
			is |= !strcmp(jsonget_string(path, what), level);
		}
	}
	json_destroy(json);
	return is;
}

/* Only the session is new: what is known of the way is not forgotten, at either
 * end, and a way that is good by now is so again as soon as probes say it.  A
 * daemon that is new itself is another thing. */
SEED_TEST(new_session_does_not_revive_a_dead_way, SEEDS)
{
	struct world *w =
		running_world(seed, 2, seed & 2 ? "pw" : NULL, seed & 1);
	struct host *a = host_a(w), *b = host_b(w);
	unsigned int n_late = 0;

	world_filter(w, a, b, 0);
	world_run(w, 20 * SEC);
	DEMAND(w, is_shown(a, "b", "there", "dead"), "not dead to begin with");
	DEMAND(w, is_shown(b, "a", "back", "dead"), "b has not heard");
	for (unsigned int i = 0; i < 4; i++) {
		world_break(w, a, b);
		world_run(w, 10 * MS);
		for (unsigned int k = 0, n = 0; n < 300; k++) {
			DEMAND(w, !is_shown(a, "b", "there", "good"),
			       "revived, %u0 ms after break %u", k, i);
			DEMAND(w, k < 3000, "no session");
			n += is_shown(a, "b", "there", "dead");
			n_late += is_shown(b, "a", "back", "good");
			world_run(w, 10 * MS);
		}
		DEMAND(w, is_shown(b, "a", "back", "dead"), "not told");
	}
	DEMAND(w, n_late <= 40, "told late, %u0 ms in all", n_late);
	world_filter(w, a, b, SIZE_MAX);
	world_break(w, a, b);
	world_run(w, SEC);
	demand_connected(w, 20 * SEC);
	world_run(w, 3 * SEC);
	DEMAND(w, is_shown(a, "b", "there", "good"), "still dead");
	DEMAND(w, is_shown(b, "a", "back", "good"), "b has not heard");

	world_filter(w, a, b, 0);
	world_run(w, 20 * SEC);
	DEMAND(w, is_shown(a, "b", "there", "dead"), "not dead again");
	world_filter(w, a, b, SIZE_MAX);
	host_kill(b);
	host_start_well(b);
	demand_connected(w, 20 * SEC);
	DEMAND(w, is_shown(a, "b", "there", "good"), "of a new daemon");
	world_free(w);
}

SCENARIO_MAIN("health", probes_are_acknowledged_in_both_directions,
	      quiet_hosts_are_quiet, each_direction_stands_for_itself,
	      new_session_does_not_revive_a_dead_way)
