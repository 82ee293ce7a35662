/* A daemon that is started again serves new flows at once from what the kernel
 * and its file of peers still know, before it has passwords, not to speak of
 * sessions; and nothing of that outlives better knowledge. */
#include "fake/scenario.h"

enum {
	SEEDS = 24,
	LATE_US = 4 * SEC /* The passwords. */
};

/* So long it takes until all is written. */
static void settle(struct world *w)
{
	world_run(w, 8 * SEC);
}

/* Hosts with two containers each, of which the second ones have never talked:
 * their flows are new. */
static struct world *remembering_world(uint64_t seed, unsigned int n)
{
	struct world *w = running_world(seed, n, "secret", seed & 1);

	for (unsigned int i = 0; i < n; i++) {
		attach(world_host(w, i), n + i + 1);
	}
	settle(w);
	return w;
}

static void end(struct host *h, uint64_t seed)
{
	if (seed & 2) {
		host_kill(h);
	} else {
		host_stop(h);
	}
	world_run(h->world, world_draw(h->world, 2 * SEC));
}

static void start_late(struct host *h)
{
	h->password_us = LATE_US;
	host_start_well(h);
}

static bool reaches(struct endpoint *from, const struct endpoint *to)
{
	return endpoint_reaches_with(from, &to->ips[0], 84, 3);
}

SEED_TEST(new_flows_are_served_before_there_are_passwords, SEEDS)
{
	struct world *w = remembering_world(seed, 3);
	struct host *a = host_a(w), *b = host_b(w), *c = host_c(w);

	end(a, seed);
	start_late(a);
	demand_reach(a->endpoints[1], b->endpoints[1]);
	demand_reach(a->endpoints[1], c->endpoints[1]);
	/* What comes in is new, too. */
	demand_reach(b->endpoints[1], a->endpoints[0]);
	DEMAND(w, a->awaits_password && !a->n_sessions, "it has a session");
	/* And all goes on from there. */
	world_run(w, LATE_US);
	demand_connected(w, 60 * SEC);
	demand_all_reach(w, 3);
	demand_tidy(w, 3);
	demand_all_reach(w, 3);
	world_free(w);
}

/* The control: it is the file by which they are, and what is in it counts. */
SEED_TEST(without_the_file_new_flows_wait, SEEDS)
{
	static const char *const damaged[] = {
		"",	"{",	"[]", "{\"version\": 1}", "{\"peers\": []}",
		"\x01", "null",
	};
	const size_t n = sizeof damaged / sizeof damaged[0];
	struct world *w = remembering_world(seed, 2);
	struct host *a = host_a(w), *b = host_b(w);
	char *at;

	end(a, seed);
	DEMAND(w, a->peers && strstr(a->peers, "\"10.0.0.2\""), "no file");
	at = strstr(a->peers, "10.0.0.2");
	if (seed % (n + 2) == n) {
		at[7] = '3'; /* Its check does not fit. */
	} else {
		free(a->peers);
		a->peers = seed % (n + 2) < n ? strdup(damaged[seed % (n + 2)])
					      : NULL;
	}
	start_late(a);
	DEMAND(w, !reaches(a->endpoints[1], b->endpoints[1]),
	       "it is served all the same");
	world_run(w, LATE_US);
	demand_connected(w, 60 * SEC);
	demand_all_reach(w, 2);
	world_free(w);
}

/* Another host's file, another key: nobody is known by it. */
SEED_TEST(file_of_others_is_not_heeded, SEEDS)
{
	struct world *w = remembering_world(seed, 3);
	struct host *a = host_a(w), *b = host_b(w), *c = host_c(w);

	end(a, seed);
	free(a->peers);
	a->peers = strdup(c->peers);
	start_late(a);
	DEMAND(w, !reaches(a->endpoints[1], b->endpoints[1]),
	       "it is served all the same");
	world_run(w, LATE_US);
	demand_connected(w, 60 * SEC);
	demand_all_reach(w, 3);
	world_free(w);
}

SEED_TEST(without_its_key_nobody_is_remembered, SEEDS)
{
	struct world *w = remembering_world(seed, 2);
	struct host *a = host_a(w), *b = host_b(w);

	end(a, seed);
	free(a->state);
	a->state = NULL;
	start_late(a);
	DEMAND(w, !reaches(a->endpoints[1], b->endpoints[1]),
	       "it is served all the same");
	world_free(w);
}

/* Where the kernel lets nothing out through ESP nothing is sent: the fake
 * kernel would see it in the clear. */
SEED_TEST(what_the_kernel_has_lost_is_not_remembered, SEEDS)
{
	struct world *w = remembering_world(seed, 2);
	struct host *a = host_a(w), *b = host_b(w);

	end(a, seed);
	switch (seed % 3) {
	case 0:
		fake_kernel_flush_policies(&a->kernel);
		break;
	case 1:
		fake_kernel_flush_sas(&a->kernel);
		break;
	default:
		host_crash(a);
		break;
	}
	start_late(a);
	if (a->n_endpoints) {
		DEMAND(w, !reaches(a->endpoints[1], b->endpoints[1]),
		       "it is served all the same");
	}
	DEMAND(w,
	       !fake_kernel_n_tunnel_flows(&a->kernel, &b->v4) &&
		       !fake_kernel_n_tunnel_flows(&a->kernel, &b->v6),
	       "flows to it");
	world_run(w, LATE_US);
	demand_connected(w, 130 * SEC);
	world_free(w);
}

/* Everything is taken away after the start, before there are sessions. */
SEED_TEST(what_is_taken_away_meanwhile_is_put_back, SEEDS)
{
	struct world *w = remembering_world(seed, 2);
	struct host *a = host_a(w), *b = host_b(w);

	end(a, seed);
	start_late(a);
	fake_kernel_flush_policies(&a->kernel);
	world_run(w, 50 * MS);
	demand_reach(a->endpoints[1], b->endpoints[1]);
	DEMAND(w, !a->n_sessions, "it has a session");
	fake_kernel_flush_sas(&a->kernel);
	DEMAND(w, !reaches(a->endpoints[1], b->endpoints[0]), "without an SA");
	world_run(w, LATE_US);
	demand_connected(w, 60 * SEC);
	demand_all_reach(w, 2);
	demand_tidy(w, 2);
	world_free(w);
}

/* While nobody was there its container moved to another host, or to ourselves;
 * the new one has the address. */
SEED_TEST(moved_meanwhile_is_found_where_it_is, SEEDS)
{
	static const char *const address = "[\"10.0.0.77/24\"]";
	struct world *w = remembering_world(seed, 3);
	struct host *a = host_a(w), *b = host_b(w), *c = host_c(w);
	struct host *to = seed & 4 ? a : c;
	struct endpoint *mover = host_attach(b, "m", address, NULL);
	struct endpoint *now;
	struct ip_addr ip;

	DEMAND(w, mover, "%s", b->reply);
	ip = mover->ips[0];
	settle(w);
	end(a, seed);
	host_detach(mover);
	world_run(w, 500 * MS);
	start_late(a);
	now = host_attach(to, "m", address, NULL);
	DEMAND(w, now, "%s", to->reply);
	if (to == a) {
		/* It is known to be here. */
		DEMAND(w, reaches(a->endpoints[1], now), "not here");
	}
	world_run(w, LATE_US);
	demand_connected(w, 60 * SEC);
	world_run(w, SEC);
	for (unsigned int i = 0; i < 3; i++) {
		struct endpoint *from = world_host(w, i)->endpoints[1];
		unsigned int before = now->n_frames;

		DEMAND(w, endpoint_reaches_with(from, &ip, 84, 3),
		       "%s does not reach it", from->netns);
		DEMAND(w, now->n_frames > before, "somebody else answers");
	}
	DEMAND(w, !a->n_warnings, "warnings");
	world_free(w);
}

/* The peer has gone for ever, as one does whose session was lost. */
SEED_TEST(gone_meanwhile_goes_after_the_grace, SEEDS)
{
	struct world *w = remembering_world(seed, 3);
	struct host *a = host_a(w), *b = host_b(w);
	struct json *json;

	end(a, seed);
	host_crash(b);
	start_late(a);
	json = host_ask(a, "peers", NULL);
	DEMAND(w, jsonget_n(jsonget(json, "peers")) == 2, "%s", a->reply);
	json_destroy(json);
	world_run(w, 130 * SEC);
	json = host_ask(a, "peers", NULL);
	DEMAND(w, jsonget_n(jsonget(json, "peers")) == 1, "%s", a->reply);
	json_destroy(json);
	DEMAND(w, a->kernel.n_sas == a->sas_per_peer + lanes_to(a, host_c(w)),
	       "%zu SAs", a->kernel.n_sas);
	DEMAND(w, a->kernel.n_policies == 5 + lanes_to(a, host_c(w)),
	       "%zu policies", a->kernel.n_policies);
	DEMAND(w, !strstr(a->peers, "\"name\":\"b\""),
	       "it is still remembered");
	demand_reach(a->endpoints[1], host_c(w)->endpoints[1]);
	world_free(w);
}

/* It comes back under another address. */
SEED_TEST(readdressed_meanwhile_is_followed, SEEDS)
{
	struct world *w = remembering_world(seed, 2);
	struct host *a = host_a(w), *b = host_b(w);
	const bool v6 = !(seed & 1);

	end(a, seed);
	host_kill(b);
	a->n_targets = b->n_targets = 0;
	host_add_target(b, v6 ? &a->v6 : &a->v4);
	start_late(a);
	host_start_well(b);
	world_run(w, LATE_US);
	demand_connected(w, 60 * SEC);
	world_run(w, SEC);
	demand_all_reach(w, 2);
	demand_tidy(w, 2);
	demand_all_reach(w, 2);
	world_free(w);
}

/* The disk is full: what is old is replaced when there is room again. */
SEED_TEST(full_disk_is_tried_again, SEEDS)
{
	struct world *w = remembering_world(seed, 2);
	struct host *a = host_a(w), *b = host_b(w);
	struct endpoint *new;

	a->kernel.disk_error = 28; /* ENOSPC */
	new = attach(b, 9);
	settle(w);
	DEMAND(w, !strstr(a->peers, "\"10.0.0.9\""), "written all the same");
	a->kernel.disk_error = 0;
	settle(w);
	DEMAND(w, strstr(a->peers, "\"10.0.0.9\""), "not written");
	end(a, seed);
	start_late(a);
	demand_reach(a->endpoints[1], new);
	DEMAND(w, !a->n_sessions, "it has a session");
	world_free(w);
}

/* Without a password there is nothing that would keep it in. */
SEED_TEST(without_a_password_nothing_is_written, SEEDS / 4)
{
	struct world *w = running_world(seed, 2, NULL, false);

	settle(w);
	DEMAND(w, !host_a(w)->peers, "%s", host_a(w)->peers);
	world_free(w);
}

SCENARIO_MAIN("remember", new_flows_are_served_before_there_are_passwords,
	      without_the_file_new_flows_wait, file_of_others_is_not_heeded,
	      without_its_key_nobody_is_remembered,
	      what_the_kernel_has_lost_is_not_remembered,
	      what_is_taken_away_meanwhile_is_put_back,
	      moved_meanwhile_is_found_where_it_is,
	      gone_meanwhile_goes_after_the_grace,
	      readdressed_meanwhile_is_followed, full_disk_is_tried_again,
	      without_a_password_nothing_is_written)
