/* Hosts that learn of each other. */
#include "fake/scenario.h"
#include "mesh/topology.h"

enum {
	SEEDS = 25,
	N = 6
};

/* 'n' hosts, each of which dials the first one alone. */
static struct world *star(uint64_t seed, unsigned int n, bool discovers)
{
	struct world *w = hosts_new(seed, n, "secret");

	for (unsigned int i = 0; i < n; i++) {
		struct host *h = world_host(w, i);

		h->discovers = discovers;
		if (i) {
			host_add_target(h, seed & 1 ? &host_a(w)->v6
						    : &host_a(w)->v4);
		}
	}
	return w;
}

static void start_in_any_order(struct world *w, unsigned int n)
{
	unsigned int first = (unsigned int)world_draw(w, n);

	for (unsigned int i = 0; i < n; i++) {
		host_start_well(world_host(w, (first + i) % n));
		world_run(w, world_draw(w, 2) * world_draw(w, SEC));
	}
}

static void demand_verdict(struct host *h, const char *verdict)
{
	struct json *json = host_ask(h, "status", NULL);
	const char *text = jsonget_string(json, "verdict");

	DEMAND(h->world, !strcmp(text, verdict), "%s is %s, not %s", h->name,
	       text, verdict);
	json_destroy(json);
}

SEED_TEST(one_address_is_enough_for_all, SEEDS)
{
	struct world *w = star(seed, N, true);

	start_in_any_order(w, N);
	demand_connected(w, 60 * SEC);
	for (unsigned int i = 0; i < N; i++) {
		DEMAND(w,
		       n_connections(world_host(w, i), "established") == N - 1,
		       "not one connection each");
	}
	for (unsigned int i = 0; i < N; i++) {
		attach(world_host(w, i), i + 1);
	}
	demand_all_reach(w, N);
	demand_tidy(w, N);
	world_free(w);
}

SEED_TEST(without_discovery_the_star_stays, SEEDS)
{
	struct world *w = star(seed, 4, false);

	start_in_any_order(w, 4);
	world_run(w, 200 * SEC);
	DEMAND(w, n_connections(host_a(w), "established") == 3, "no star");
	for (unsigned int i = 1; i < 4; i++) {
		DEMAND(w, n_connections(world_host(w, i), "established") == 1,
		       "%s has other connections", world_host(w, i)->name);
	}
	world_free(w);
}

/* Whoever does not want to dial is dialled. */
SEED_TEST(one_that_does_not_discover_is_found_by_others, SEEDS)
{
	struct world *w = star(seed, 4, true);

	world_host(w, (unsigned int)(seed % 4))->discovers = false;
	start_in_any_order(w, 4);
	demand_connected(w, 300 * SEC);
	world_free(w);
}

/* Two meshes that nobody told of each other, until one host dials another. */
SEED_TEST(two_meshes_become_one, SEEDS)
{
	struct world *w = hosts_new(seed, N, "secret");
	char ip[IP_STRLEN], args[64];

	for (unsigned int i = 0; i < N; i++) {
		struct host *h = world_host(w, i);

		h->discovers = true;
		if (i >= 2) {
			host_add_target(h, &world_host(w, i % 2)->v4);
		}
	}
	start_all(w, N);
	world_run(w, 30 * SEC);
	DEMAND(w, n_connections(host_a(w), "established") == N / 2 - 1,
	       "not two meshes");
	snprintf(args, sizeof args, "{\"address\": \"%s\"}",
		 ip_format(&world_host(w, 1)->v4, ip));
	json_destroy(
		host_ask(world_host(w, 2 * (unsigned int)world_draw(w, N / 2)),
			 "connect", args));
	demand_connected(w, 600 * SEC);
	world_free(w);
}

/* It was the only address that all were given. */
SEED_TEST(the_first_host_is_not_needed_any_more, SEEDS)
{
	struct world *w = star(seed, 4, true);

	start_in_any_order(w, 4);
	demand_connected(w, 60 * SEC);
	host_stop(host_a(w));
	world_break(w, host_b(w), host_c(w));
	world_run(w, 90 * SEC);
	for (unsigned int i = 1; i < 4; i++) {
		DEMAND(w, n_connections(world_host(w, i), "established") == 2,
		       "%s has lost others", world_host(w, i)->name);
	}
	attach(host_b(w), 2);
	attach(host_c(w), 3);
	host_start_well(host_a(w));
	demand_connected(w, 120 * SEC);
	attach(host_a(w), 1);
	demand_all_reach(w, 3);
	world_free(w);
}

/* A host that left for good is no reason to worry for ever, and is not dialled
 * for ever. */
SEED_TEST(host_that_left_is_forgotten_in_the_end, 5)
{
	struct world *w = star(seed, 4, true);
	struct host *b = host_b(w), *gone = world_host(w, 3);

	start_in_any_order(w, 4);
	demand_connected(w, 60 * SEC);
	host_crash(gone);
	world_run(w, 300 * SEC);
	demand_verdict(b, "healthy");
	world_run(w, 3700 * SEC);
	DEMAND(w, n_connections(b, "retrying") == 0, "still dialled");
	/* Its own addresses are enough for it. */
	host_start_well(gone);
	demand_connected(w, 120 * SEC);
	world_free(w);
}

/* An operator's word counts more than hints. */
SEED_TEST(forgotten_host_is_not_found_again_until_connect, SEEDS)
{
	struct world *w = star(seed, 4, true);
	struct host *b = host_b(w), *d = world_host(w, 3);
	const struct ip_addr *at = seed & 1 ? &d->v6 : &d->v4;
	char ip[IP_STRLEN], args[80];

	d->discovers = false;
	start_all(w, 4);
	demand_connected(w, 300 * SEC);
	snprintf(args, sizeof args, "{\"address\": \"%s\"}", ip_format(at, ip));
	json_destroy(host_ask(b, "forget", args));
	/* Who was dialled dials not: only hints could bring it back. */
	world_run(w, 300 * SEC);
	DEMAND(w, !host_is_connected(b, d), "it came back");
	DEMAND(w, n_connections(b, "retrying") == 0, "it is shown");
	json_destroy(host_ask(b, "connect", args));
	demand_connected(w, 30 * SEC);
	world_free(w);
}

/* After a restart it needs nobody to tell it again. */
SEED_TEST(what_was_learned_outlives_a_restart, SEEDS)
{
	struct world *w = star(seed, 4, true);
	struct host *d = world_host(w, 3);

	start_in_any_order(w, 4);
	demand_connected(w, 60 * SEC);
	world_run(w, 10 * SEC); /* The state is written a little later. */
	host_stop(host_a(w));
	for (unsigned int i = 1; i < 4; i++) {
		host_stop(world_host(w, i));
	}
	d->n_targets = 0;
	for (unsigned int i = 1; i < 4; i++) {
		host_start_well(world_host(w, i));
	}
	demand_connected(w, 120 * SEC);
	world_free(w);
}

SEED_TEST(connected_by_command_outlives_a_restart_forgotten_too, SEEDS)
{
	struct world *w = hosts_new(seed, 2, "secret");
	struct host *a = host_a(w), *b = host_b(w);
	char ip[IP_STRLEN], args[80];

	start_all(w, 2);
	snprintf(args, sizeof args, "{\"address\": \"%s\"}",
		 ip_format(&b->v4, ip));
	json_destroy(host_ask(a, "connect", args));
	demand_connected(w, 10 * SEC);
	host_kill(a);
	host_start_well(a);
	demand_connected(w, 60 * SEC);
	json_destroy(host_ask(a, "forget", args));
	world_run(w, 5 * SEC);
	host_kill(a);
	host_start_well(a);
	world_run(w, 60 * SEC);
	DEMAND(w, !host_is_connected(a, b), "it was dialled again");
	world_free(w);
}

/* For ever: what is not named any more is left alone after a restart, too. */
SEED_TEST(connect_replace_forgets_what_it_does_not_name, 8)
{
	struct world *w = hosts_new(seed, 4, "secret");
	struct host *a = host_a(w), *b = host_b(w), *c = host_c(w);
	struct host *d = world_host(w, 3);
	char ip[IP_STRLEN], ip2[IP_STRLEN], args[200];
	struct json *json;

	/* b alone is in the configuration. */
	host_add_target(a, &b->v4);
	start_all(w, 4);
	snprintf(args, sizeof args, "{\"addresses\": [\"%s\"]}",
		 ip_format(&c->v4, ip));
	json_destroy(host_ask(a, "connect", args));
	world_run(w, 20 * SEC);
	DEMAND(w, host_is_connected(a, b) && host_is_connected(a, c),
	       "not connected to both");

	snprintf(args, sizeof args,
		 "{\"addresses\": [\"%s\", \"%s\"], \"replace\": true}",
		 ip_format(&c->v4, ip), ip_format(&d->v4, ip2));
	json = host_ask(a, "connect", args);
	DEMAND(w,
	       jsonget_n(jsonget(json, "addresses")) == 2 &&
		       jsonget_n(jsonget(json, "forgotten")) == 1,
	       "not two wanted and one forgotten");
	json_destroy(json);
	DEMAND(w, host_is_connected(a, c), "the one that stays was left");
	DEMAND(w, !host_is_connected(a, b), "the other one is still there");
	world_run(w, 60 * SEC);
	DEMAND(w, host_is_connected(a, c) && host_is_connected(a, d),
	       "not connected to those that are wanted");
	DEMAND(w, n_connections(a, "established") == 2, "not two");

	/* Again, it changes nothing. */
	json = host_ask(a, "connect", args);
	DEMAND(w, !jsonget_n(jsonget(json, "forgotten")), "forgotten twice");
	json_destroy(json);
	a->n_targets = 0;
	host_kill(a);
	host_start_well(a);
	world_run(w, 60 * SEC);
	DEMAND(w, host_is_connected(a, c) && host_is_connected(a, d),
	       "not connected after a restart");
	DEMAND(w, n_connections(a, "established") == 2,
	       "not two after a restart");
	world_free(w);
}

/* One host has two addresses; the one that is named keeps it. */
SEED_TEST(connect_replace_by_another_address_keeps_the_session, 8)
{
	struct world *w = hosts_new(seed, 2, "secret");
	struct host *a = host_a(w), *b = host_b(w);
	char ip[IP_STRLEN], args[200];

	start_all(w, 2);
	snprintf(args, sizeof args, "{\"address\": \"%s\"}",
		 ip_format(&b->v4, ip));
	json_destroy(host_ask(a, "connect", args));
	snprintf(args, sizeof args, "{\"address\": \"%s\"}",
		 ip_format(&b->v6, ip));
	json_destroy(host_ask(a, "connect", args));
	demand_connected(w, 60 * SEC);
	world_run(w, 60 * SEC);
	snprintf(args, sizeof args,
		 "{\"addresses\": [\"%s\"], \"replace\": true}",
		 ip_format(seed & 1 ? &b->v4 : &b->v6, ip));
	json_destroy(host_ask(a, "connect", args));
	world_run(w, 60 * SEC);
	DEMAND(w, host_is_connected(a, b), "the session was lost");
	world_free(w);
}

static size_t n_endpoints(struct host *h, const char *peer)
{
	struct json *json = host_ask(h, "peers", NULL);
	const struct json *list = jsonget(json, "peers");
	size_t n = 0;

	for (size_t i = 0; i < jsonget_n(list); i++) {
		if (!strcmp(jsonget_string(jsonget_at(list, i), "name"),
			    peer)) {
			n += jsonget_n(
				jsonget(jsonget_at(list, i), "endpoints"));
		}
	}
	json_destroy(json);
	return n;
}

/* What a host announced stays for a while without it, as it may be about to
 * start again, and then goes; or at once if an operator says so. */
SEED_TEST(what_a_host_announced_goes_with_it, 6)
{
	struct world *w = star(seed, 3, true);
	struct host *a = host_a(w), *b = host_b(w), *c = host_c(w);

	start_in_any_order(w, 3);
	demand_connected(w, 60 * SEC);
	attach(b, 2);
	world_run(w, 2 * SEC);
	DEMAND(w, n_endpoints(a, "b") == 1 && n_endpoints(c, "b") == 1,
	       "not announced");
	if (seed % 2) {
		host_crash(b);
	} else {
		host_stop(b);
	}
	world_run(w, 30 * SEC);
	DEMAND(w, n_endpoints(a, "b") == 1, "gone too soon");
	DEMAND(w, !attach_try(a, 2), "its address is given away");
	json_destroy(host_ask(a, "forget", "{\"address\": \"b\"}"));
	DEMAND(w, !n_endpoints(a, "b"), "not forgotten");
	world_run(w, 80 * SEC);
	DEMAND(w, !n_endpoints(a, "b"), "heard of it again");
	DEMAND(w, !n_endpoints(c, "b"), "still there");
	attach(c, 2);
	DEMAND(w, !host_command(a, "forget", "{\"address\": \"b\"}"),
	       "forgot what it does not know");
	world_free(w);
}

/* With --conn-limit each has a few sessions, and all are reached. */
SEED_TEST(few_sessions_are_enough_for_all, 5)
{
	enum {
		LIMIT = 3
	};
	struct world *w = star(seed, WORLD_MAX_HOSTS, true);
	struct host *gone = world_host(w, (unsigned int)(seed % 7) + 1);
	size_t sum = 0;

	for (unsigned int i = 0; i < WORLD_MAX_HOSTS; i++) {
		world_host(w, i)->conn_limit = LIMIT;
	}
	start_in_any_order(w, WORLD_MAX_HOSTS);
	for (unsigned int i = 0; i < WORLD_MAX_HOSTS; i++) {
		attach(world_host(w, i), i + 1);
	}
	world_run(w, 180 * SEC);
	for (unsigned int i = 0; i < WORLD_MAX_HOSTS; i++) {
		size_t n = n_connections(world_host(w, i), "established");

		/* The mesh may need one or two more. */
		DEMAND(w, n && n <= LIMIT + 2, "%s has %zu sessions",
		       world_host(w, i)->name, n);
		sum += n;
		demand_verdict(world_host(w, i), "healthy");
	}
	DEMAND(w, sum <= (LIMIT + 1) * WORLD_MAX_HOSTS, "%zu ends of sessions",
	       sum);
	demand_all_reach(w, WORLD_MAX_HOSTS);
	/* Those that it led to find another way. */
	host_crash(gone);
	world_run(w, 120 * SEC);
	demand_all_reach(w, WORLD_MAX_HOSTS);
	world_free(w);
}

/* 'h' may end its session with 'peer', as long as all are as they are: there is
 * another way, and each link of it weighs less. */
static bool can_be_spared(struct world *w, unsigned int n, struct host *h,
			  const struct host *peer)
{
	struct topology *t = topology_new(&h->id);
	bool spares;

	for (unsigned int i = 0; i < n; i++) {
		struct peer_id links[WORLD_MAX_HOSTS];
		size_t n_links = 0;

		for (unsigned int k = 0; k < n; k++) {
			if (k != i && host_is_connected(world_host(w, i),
							world_host(w, k))) {
				links[n_links++] = world_host(w, k)->id;
			}
		}
		DEMAND(w,
		       !topology_set(t, &world_host(w, i)->id, links, n_links),
		       "too many links");
	}
	spares = topology_spares(t, &peer->id);
	topology_free(t);
	return spares;
}

/* It ends those that can be spared; the others are as they were. */
SEED_TEST(limit_of_one_host_is_its_own_affair, 4)
{
	struct world *w = star(seed, 5, true);
	struct host *b = host_b(w);

	b->conn_limit = 1;
	start_in_any_order(w, 5);
	for (unsigned int i = 0; i < 5; i++) {
		attach(world_host(w, i), i + 1);
	}
	world_run(w, 180 * SEC);
	/* It was given the address of a; that one is kept in any case. */
	DEMAND(w, host_is_connected(b, host_a(w)), "not that to a");
	for (unsigned int i = 2; i < 5; i++) {
		const struct host *h = world_host(w, i);

		DEMAND(w, n_connections(world_host(w, i), "established") >= 3,
		       "the others are not a full mesh");
		/* It is rare that none can be. */
		DEMAND(w,
		       !host_is_connected(b, h) || !can_be_spared(w, 5, b, h),
		       "b keeps a session with %s", h->name);
	}
	demand_all_reach(w, 5);
	world_free(w);
}

/* b is dialled where it wants to be, though a sees it elsewhere. */
SEED_TEST(host_is_dialled_where_it_wants_to_be, 6)
{
	struct world *w = hosts_new(seed, 3, "secret");
	struct host *b = host_b(w), *c = host_c(w);

	for (unsigned int i = 0; i < 3; i++) {
		world_host(w, i)->discovers = true;
	}
	/* The one who is to be dialled dials not. */
	b->discovers = false;
	b->advertises = (struct ip_endpoint){.ip = b->v6, .port = WORLD_PORT};
	host_add_target(seed & 1 ? host_a(w) : b,
			seed & 1 ? &b->v4 : &host_a(w)->v4);
	host_add_target(c, &host_a(w)->v4);
	start_all(w, 3);
	demand_connected(w, 120 * SEC);
	demand_connection(c, "[2001:db8::2]", "established", "");
	world_free(w);
}

SCENARIO_MAIN("discovery", one_address_is_enough_for_all,
	      without_discovery_the_star_stays,
	      one_that_does_not_discover_is_found_by_others,
	      two_meshes_become_one, the_first_host_is_not_needed_any_more,
	      host_that_left_is_forgotten_in_the_end,
	      forgotten_host_is_not_found_again_until_connect,
	      what_was_learned_outlives_a_restart,
	      what_a_host_announced_goes_with_it,
	      few_sessions_are_enough_for_all,
	      limit_of_one_host_is_its_own_affair,
	      host_is_dialled_where_it_wants_to_be,
	      connected_by_command_outlives_a_restart_forgotten_too,
	      connect_replace_forgets_what_it_does_not_name,
	      connect_replace_by_another_address_keeps_the_session)
