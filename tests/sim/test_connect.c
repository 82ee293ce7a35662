/* How hosts find, accept and refuse each other. */
#include "fake/scenario.h"

enum {
	SEEDS = 40
};

SEED_TEST(one_side_dials_both_reach_each_other, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", false);

	demand_all_reach(w, 2);
	demand_tidy(w, 2);
	world_free(w);
}

static const char *address_args(const struct ip_addr *ip)
{
	static char buf[64];
	char text[IP_STRLEN];

	snprintf(buf, sizeof buf, "{\"address\": \"%s\"}", ip_format(ip, text));
	return buf;
}

static void dial_by_command(struct host *from, const struct ip_addr *to)
{
	json_destroy(host_ask(from, "connect", address_args(to)));
}

/* Both dial at the same time, and go on until one connection is left. */
SEED_TEST(both_sides_dial_one_connection_survives, 150)
{
	struct world *w = hosts_new(seed, 2, "secret");
	struct host *a = host_a(w), *b = host_b(w);

	start_all(w, 2);
	dial_by_command(a, &b->v4);
	world_run(w, world_draw(w, 2) * world_draw(w, 20 * MS));
	dial_by_command(b, &a->v4);
	demand_connected(w, 10 * SEC);
	world_run(w, 20 * SEC);
	DEMAND(w, n_connections(a, "established") == 1, "not one connection");
	DEMAND(w, n_connections(b, "established") == 1, "not one connection");
	DEMAND(w, a->n_sessions <= 2 && b->n_sessions <= 2,
	       "%u and %u sessions", a->n_sessions, b->n_sessions);
	DEMAND(w, host_is_connected(a, b) && host_is_connected(b, a),
	       "not connected any more");
	attach(a, 1);
	attach(b, 2);
	demand_all_reach(w, 2);
	demand_tidy(w, 2);
	world_free(w);
}

/* The same while both hosts have many addresses for each other. */
SEED_TEST(dialled_over_both_families_one_connection_survives, SEEDS)
{
	struct world *w = hosts_new(seed, 2, "secret");
	struct host *a = host_a(w), *b = host_b(w);

	host_add_target(a, &b->v4);
	host_add_target(a, &b->v6);
	host_add_target(b, &a->v6);
	host_add_target(b, &a->v4);
	start_all(w, 2);
	demand_connected(w, 30 * SEC);
	world_run(w, 60 * SEC);
	DEMAND(w, n_connections(a, "established") == 1, "not one connection");
	DEMAND(w, n_connections(b, "established") == 1, "not one connection");
	attach(a, 1);
	attach(b, 2);
	demand_all_reach(w, 2);
	demand_tidy(w, 2);
	world_free(w);
}

SEED_TEST(wrong_password_refused_and_said_by_both, SEEDS)
{
	struct world *w = world_new(seed);
	struct host *a = world_add_host(w, "a", "secret");
	struct host *b = world_add_host(w, "b", "other");

	host_add_target(a, &b->v4);
	start_all(w, 2);
	world_run(w, 30 * SEC);
	demand_connection(a, "192.0.2.2", "failed", "wrong-password");
	demand_connection(b, "192.0.2.1", "failed", "wrong-password");
	DEMAND(w, a->kernel.n_sas == 0 && b->kernel.n_sas == 0, "keys");
	DEMAND(w, a->n_warnings < 8, "%u warnings", a->n_warnings);
	DEMAND(w, b->n_warnings < 30, "%u warnings", b->n_warnings);
	/* Mended on one side. */
	host_stop(b);
	host_set_password(b, 0, "secret");
	host_start_well(b);
	demand_connected(w, 180 * SEC);
	world_free(w);
}

SEED_TEST(plain_against_encrypted_refused_either_way, SEEDS)
{
	struct world *w = world_new(seed);
	struct host *a = world_add_host(w, "a", seed & 1 ? "secret" : NULL);
	struct host *b = world_add_host(w, "b", seed & 1 ? NULL : "secret");
	bool a_plain = !(seed & 1);

	host_add_target(a, &b->v4);
	start_all(w, 2);
	world_run(w, 20 * SEC);
	demand_connection(a, "192.0.2.2", "failed",
			  a_plain ? "crypted-peer" : "plain-peer");
	demand_connection(b, "192.0.2.1", "failed",
			  a_plain ? "plain-peer" : "crypted-peer");
	world_free(w);
}

SEED_TEST(no_password_connected_and_plain, SEEDS)
{
	struct world *w = running_world(seed, 2, NULL, seed & 1);

	demand_all_reach(w, 2);
	/* The positive control of every "no plaintext" here. */
	DEMAND(w, host_a(w)->kernel.n_plain_sent > 0, "nothing sent");
	DEMAND(w, host_a(w)->kernel.n_policies == 0, "policies");
	world_free(w);
}

SEED_TEST(own_address_refused_once_and_for_all, SEEDS)
{
	struct world *w = hosts_new(seed, 1, seed & 1 ? "secret" : NULL);
	struct host *a = host_a(w);

	host_add_target(a, seed & 2 ? &a->v4 : &a->v6);
	start_all(w, 1);
	world_run(w, 60 * SEC);
	demand_connection(a, seed & 2 ? "192.0.2.1" : "[2001:db8::1]", "failed",
			  "self");
	DEMAND(w, a->n_warnings <= 2, "%u warnings", a->n_warnings);
	DEMAND(w, a->kernel.n_sas == 0, "keys for itself");
	world_free(w);
}

SEED_TEST(three_hosts_all_reach_each_other, SEEDS / 2)
{
	struct world *w = running_world(seed, 3, "secret", seed & 1);

	demand_all_reach(w, 3);
	demand_tidy(w, 3);
	world_free(w);
}

/* a knows old and new, b only old, c only new. */
SEED_TEST(password_rotation_nobody_is_cut_off, SEEDS / 2)
{
	struct world *w = world_new(seed);
	struct host *a = world_add_host(w, "a", "new");
	struct host *b = world_add_host(w, "b", "old");
	struct host *c = world_add_host(w, "c", "new");

	host_set_password(a, 1, "old");
	if (seed & 1) {
		host_add_target(a, &b->v4);
		host_add_target(a, &c->v4);
	} else {
		host_add_target(b, &a->v4);
		host_add_target(c, &a->v4);
	}
	start_all(w, 3);
	world_run(w, 40 * SEC);
	DEMAND(w, host_is_connected(a, b) && host_is_connected(b, a), "old");
	DEMAND(w, host_is_connected(a, c) && host_is_connected(c, a), "new");
	world_free(w);
}

SEED_TEST(dials_that_fail_repeated_until_one_succeeds, SEEDS)
{
	struct world *w = hosts_new(seed, 2, "secret");

	world_weather(w)->dial_failure = 500;
	world_weather(w)->small_chunks = true;
	dial_all(w, 2, false);
	host_start_well(host_b(w));
	world_run(w, 5 * SEC);
	host_start_well(host_a(w));
	demand_connected(w, 600 * SEC);
	world_free(w);
}

SEED_TEST(connection_breaks_traffic_goes_on_and_it_comes_back, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", false);
	struct host *a = host_a(w), *b = host_b(w);
	struct endpoint *c1 = a->endpoints[0], *c2 = b->endpoints[0];

	demand_all_reach(w, 2);
	world_break(w, a, b);
	DEMAND(w, endpoint_reaches_with(c1, &c2->ips[0], 84, 1),
	       "a broken connection stops traffic");
	demand_connected(w, 10 * SEC);
	for (unsigned int i = 0; i < 20; i++) {
		DEMAND(w, endpoint_reaches_with(c1, &c2->ips[0], 84, 1),
		       "new keys lose packets");
		world_run(w, 100 * MS);
	}
	demand_all_reach(w, 2);
	demand_tidy(w, 2);
	world_free(w);
}

/* A packet every other millisecond over a slow line that lets packets overtake
 * each other, while the keys change again and again. */
SEED_TEST(keys_change_under_load_nothing_lost, SEEDS / 2)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);
	struct host *a = host_a(w), *b = host_b(w);
	struct endpoint *c1 = a->endpoints[0], *c2 = b->endpoints[0];
	unsigned int sent = 0;
	size_t before;

	demand_all_reach(w, 2);
	world_weather(w)->delay_min_us = MS;
	world_weather(w)->delay_max_us = 40 * MS;
	world_weather(w)->reorder = 300;
	before = c1->n_pongs;
	for (unsigned int i = 0; i < 3000; i++) {
		if (i % 1000 == 100) {
			world_break(w, a, b);
		}
		endpoint_ping(c1, &c2->ips[i & 1], 84);
		world_run(w, 2 * MS);
		sent++;
	}
	world_run(w, SEC);
	DEMAND(w, a->n_sessions >= 2, "the keys did not change");
	DEMAND(w, c1->n_pongs - before == sent, "%zu of %u came back",
	       c1->n_pongs - before, sent);
	world_free(w);
}

SEED_TEST(long_partition_peer_removed_and_found_again, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);
	struct host *a = host_a(w), *b = host_b(w);

	demand_all_reach(w, 2);
	world_partition(w, a, b, true);
	world_run(w, 120 * SEC);
	DEMAND(w, a->kernel.n_sas == 0 && b->kernel.n_sas == 0, "SAs left");
	DEMAND(w, a->kernel.n_policies == 4, "policies left");
	world_partition(w, a, b, false);
	demand_connected(w, 130 * SEC);
	demand_all_reach(w, 2);
	demand_tidy(w, 2);
	world_free(w);
}

/* Shorter than what a session survives, or about as long. */
SEED_TEST(short_partition_connected_afterwards, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", false);
	struct host *a = host_a(w), *b = host_b(w);

	world_partition(w, a, b, true);
	world_run(w, world_draw(w, 30 * SEC));
	world_partition(w, a, b, false);
	demand_connected(w, 130 * SEC);
	demand_all_reach(w, 2);
	world_free(w);
}

SEED_TEST(forgotten_and_connected_by_command_as_told, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", false);
	struct host *a = host_a(w), *b = host_b(w);

	/* b dials a. */
	json_destroy(host_ask(b, "forget", address_args(&a->v4)));
	world_run(w, 2 * SEC);
	DEMAND(w, n_connections(b, "established") == 0, "still connected");
	DEMAND(w, b->kernel.n_sas == 0, "SAs left");
	DEMAND(w, !fake_kernel_n_tunnel_flows(&b->kernel, NULL), "flows left");
	DEMAND(w, !host_command(b, "forget", address_args(&a->v4)), "twice");
	world_run(w, 100 * SEC);
	DEMAND(w, a->kernel.n_sas == 0, "SAs left at the other end");
	DEMAND(w, n_connections(a, "established") == 0, "still connected");
	dial_by_command(a, &b->v4);
	demand_connected(w, 5 * SEC);
	dial_by_command(a, &b->v4);
	dial_by_command(b, &a->v4);
	demand_connected(w, 5 * SEC);
	world_run(w, 20 * SEC);
	DEMAND(w, n_connections(a, "established") == 1, "not one connection");
	demand_all_reach(w, 2);
	demand_tidy(w, 2);
	world_free(w);
}

/* Whoever it was that dialled: the host that has moved knows it at once, and is
 * the one that can find the other. */
SEED_TEST(host_has_other_addresses_reached_again_in_seconds, SEEDS)
{
	struct world *w = hosts_new(seed, 2, "secret");
	struct host *a = host_a(w), *b = host_b(w);
	struct host *mover = seed & 1 ? a : b;

	a->discovers = b->discovers = true;
	host_add_target(a, seed & 2 ? &b->v6 : &b->v4);
	start_all(w, 2);
	demand_connected(w, 10 * SEC);
	attach(a, 1);
	attach(b, 2);
	world_run(w, 1 * SEC);
	demand_all_reach(w, 2);
	for (uint8_t n = 100; n < 103; n++) {
		host_readdress(mover, n);
		/* Not by the silence of 15 s. */
		world_run(w, 8 * SEC);
		demand_all_reach(w, 2);
	}
	DEMAND(w, n_connections(a, "established") == 1, "not one connection");
	DEMAND(w, n_connections(b, "established") == 1, "not one connection");
	/* What lingers for the other address goes. */
	world_run(w, 80 * SEC);
	demand_all_reach(w, 2);
	demand_tidy(w, 2);
	world_free(w);
}

SEED_TEST(addresses_gone_for_a_moment_session_stays, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);
	struct host *a = host_a(w), *b = host_b(w);
	struct host *mover = seed & 2 ? a : b;

	host_readdress(mover, 100);
	world_run(w, 900 * MS);
	host_readdress(mover, (uint8_t)(mover->index + 1));
	world_run(w, 20 * SEC);
	DEMAND(w, a->n_sessions == 1 && b->n_sessions == 1, "%u and %u",
	       a->n_sessions, b->n_sessions);
	demand_all_reach(w, 2);
	world_free(w);
}

SCENARIO_MAIN("connections", one_side_dials_both_reach_each_other,
	      both_sides_dial_one_connection_survives,
	      dialled_over_both_families_one_connection_survives,
	      wrong_password_refused_and_said_by_both,
	      plain_against_encrypted_refused_either_way,
	      no_password_connected_and_plain,
	      own_address_refused_once_and_for_all,
	      three_hosts_all_reach_each_other,
	      password_rotation_nobody_is_cut_off,
	      dials_that_fail_repeated_until_one_succeeds,
	      connection_breaks_traffic_goes_on_and_it_comes_back,
	      keys_change_under_load_nothing_lost,
	      long_partition_peer_removed_and_found_again,
	      short_partition_connected_afterwards,
	      forgotten_and_connected_by_command_as_told,
	      host_has_other_addresses_reached_again_in_seconds,
	      addresses_gone_for_a_moment_session_stays)
