/* Daemons and hosts that end, in every way, and come back. */
#include "fake/scenario.h"

enum {
	SEEDS = 40
};

/* Killed, started again over its own kernel: traffic of established flows goes
 * on, new keys take over without loss, nothing is left twice. */
SEED_TEST(killed_and_started_adopts_all_and_loses_nothing, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);
	struct host *a = host_a(w), *b = host_b(w);
	struct host *victim = seed & 2 ? a : b;
	struct endpoint *c1 = a->endpoints[0], *c2 = b->endpoints[0];
	uint32_t tunnel, port;

	demand_all_reach(w, 2);
	tunnel = fake_kernel_port(&victim->kernel, "vxlan-6784")->port_no;
	port = fake_kernel_port(&victim->kernel, victim->endpoints[0]->link)
		       ->port_no;
	host_kill(victim);
	DEMAND(w, endpoint_reaches_with(c1, &c2->ips[0], 84, 1), "dead");
	world_run(w, world_draw(w, 5 * SEC));
	DEMAND(w, endpoint_reaches_with(c1, &c2->ips[0], 84, 1), "dead");
	host_start_well(victim);
	for (unsigned int i = 0; i < 50; i++) {
		DEMAND(w, endpoint_reaches_with(c1, &c2->ips[0], 84, 1),
		       "packet lost after %u", i);
		world_run(w, 20 * MS);
	}
	demand_connected(w, 20 * SEC);
	demand_all_reach(w, 2);
	DEMAND(w,
	       tunnel ==
		       fake_kernel_port(&victim->kernel, "vxlan-6784")->port_no,
	       "another tunnel port");
	DEMAND(w,
	       port == fake_kernel_port(&victim->kernel,
					victim->endpoints[0]->link)
			       ->port_no,
	       "another port");
	DEMAND(w, victim->kernel.n_ports == 3, "%zu ports",
	       victim->kernel.n_ports);
	demand_tidy(w, 2);
	demand_all_reach(w, 2);
	world_free(w);
}

/* A host that comes back may be reached at another address from then on.  What
 * its peer sends to the old one gets nowhere; flows of the earlier run that do
 * so, of which the kernel has them only, have to follow, and not in minutes. */
SEED_TEST(flows_of_before_follow_a_new_address, SEEDS / 2)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);
	struct host *a = host_a(w), *b = host_b(w);
	struct endpoint *c1 = a->endpoints[0], *c2 = b->endpoints[0];
	unsigned int back = 0;

	demand_all_reach(w, 2);
	host_kill(b);
	world_run(w, world_draw(w, 2 * SEC));
	/* Its only session is over the other family. */
	b->n_targets = 0;
	host_add_target(b, seed & 1 ? &a->v4 : &a->v6);
	host_start_well(b);
	demand_connected(w, 20 * SEC);
	world_run(w, SEC);
	for (unsigned int i = 0; i < 50; i++) {
		back += endpoint_reaches_with(c2, &c1->ips[0], 84, 1);
		world_run(w, 20 * MS);
	}
	DEMAND(w, back == 50, "%u of 50 answered", back);
	DEMAND(w, endpoint_reaches_with(c1, &c2->ips[1], 84, 1), "no answer");
	world_free(w);
}

static size_t n_drops(const struct host *h)
{
	size_t n = 0;

	for (size_t i = 0; i < h->kernel.n_flows; i++) {
		n += !h->kernel.flows[i].actions.n;
	}
	return n;
}

/* Until a peer is back what comes from it is from nobody.  A flow that drops
 * it, made of a packet that no flow was for, would look at its address alone,
 * and so cover the flows that still forward what else comes from there. */
SEED_TEST(nothing_is_dropped_by_flow_before_peers_are_back, SEEDS / 2)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);
	struct host *a = host_a(w), *b = host_b(w);
	struct endpoint *c1 = a->endpoints[0], *c2 = b->endpoints[0];
	const struct flow other = {.eth_dst = c2->mac, .eth_type = 0x88b5};

	demand_all_reach(w, 2);
	host_kill(b);
	/* It remembers nobody, and its passwords take their time. */
	free(b->peers);
	b->peers = NULL;
	b->password_us = SEC / 2;
	host_start_well(b);
	DEMAND(w, !host_is_connected(b, a), "too soon to tell");
	endpoint_send(c1, &other, span_of("x", 1));
	world_run(w, 50 * MS);
	DEMAND(w, !n_drops(b), "%zu flows that drop", n_drops(b));
	DEMAND(w, endpoint_reaches_with(c1, &c2->ips[0], 84, 1), "no answer");
	/* Later that is not so. */
	demand_connected(w, 20 * SEC);
	world_run(w, 100 * SEC);
	demand_all_reach(w, 2);
	world_free(w);
}

SEED_TEST(killed_again_and_again_settles, SEEDS / 2)
{
	struct world *w = running_world(seed, 3, "secret", false);

	for (unsigned int i = 0; i < 8; i++) {
		struct host *h = world_host(w, (unsigned int)world_draw(w, 3));

		host_kill(h);
		world_run(w, world_draw(w, 2) * world_draw(w, 3 * SEC));
		host_start(h);
		world_run(w, world_draw(w, 2) * world_draw(w, 3 * SEC));
	}
	world_run(w, SEC);
	demand_connected(w, 60 * SEC);
	demand_all_reach(w, 3);
	demand_tidy(w, 3);
	world_free(w);
}

/* The peer does not come back: after the grace everything of it goes. */
SEED_TEST(peer_gone_for_good_everything_of_it_removed, SEEDS)
{
	struct world *w = running_world(seed, 3, "secret", false);
	struct host *a = host_a(w), *b = host_b(w);

	demand_all_reach(w, 3);
	if (seed & 1) {
		host_crash(b);
	} else {
		host_stop(b);
	}
	world_run(w, 100 * SEC);
	DEMAND(w, !fake_kernel_n_sas(&a->kernel, &a->v4, &b->v4), "SA out");
	DEMAND(w, !fake_kernel_n_sas(&a->kernel, &b->v4, &a->v4), "SA in");
	DEMAND(w, a->kernel.n_policies == 5 + lanes_to(a, host_c(w)),
	       "policies");
	DEMAND(w, !fake_kernel_n_tunnel_flows(&a->kernel, &b->v4), "flows");
	demand_reach(a->endpoints[0], host_c(w)->endpoints[0]);
	world_free(w);
}

/* While it was dead, a host's peer went away for ever. */
SEED_TEST(adopted_but_never_claimed_removed_after_grace, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);
	struct host *a = host_a(w), *b = host_b(w);

	demand_all_reach(w, 2);
	host_kill(a);
	host_crash(b);
	host_start_well(a);
	DEMAND(w, a->kernel.n_sas, "not adopted");
	world_run(w, 150 * SEC);
	DEMAND(w, a->kernel.n_sas == 0, "SAs left");
	DEMAND(w, a->kernel.n_policies == 4, "policies left");
	DEMAND(w, a->kernel.n_flows == 0, "flows left");
	world_free(w);
}

SEED_TEST(power_failure_connected_again_afterwards, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);
	struct host *a = host_a(w), *b = host_b(w);

	demand_all_reach(w, 2);
	host_crash(b);
	world_run(w, world_draw(w, 90 * SEC));
	host_start_well(b);
	demand_connected(w, 130 * SEC);
	/* Its container is gone with its interface. */
	DEMAND(w, b->kernel.n_ports == 2, "ports");
	attach(b, 2);
	world_run(w, 50 * MS);
	endpoint_forget(a->endpoints[0]);
	demand_all_reach(w, 2);
	demand_tidy(w, 2);
	world_free(w);
}

/* The machine is installed anew: the same address, another identity. */
SEED_TEST(address_of_a_lost_peer_taken_by_a_new_one, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);
	struct host *a = host_a(w), *b = host_b(w);

	demand_all_reach(w, 2);
	host_crash(b);
	world_run(w, world_draw(w, 30 * SEC));
	b->id.b[world_draw(w, 16)] ^= 0x55;
	free(b->state);
	b->state = NULL;
	host_start_well(b);
	demand_connected(w, 20 * SEC);
	attach(b, 2);
	world_run(w, 50 * MS);
	endpoint_forget(a->endpoints[0]);
	demand_all_reach(w, 2);
	world_run(w, 100 * SEC);
	demand_all_reach(w, 2);
	demand_tidy(w, 2);
	demand_all_reach(w, 2);
	world_free(w);
}

/* The same while the old one's connection still seems to live. */
SEED_TEST(two_identities_at_one_address_the_living_one_wins, SEEDS)
{
	struct world *w = running_world(seed, 3, "secret", false);
	struct host *b = host_b(w);

	demand_all_reach(w, 3);
	host_crash(b);
	b->id.b[0] ^= 0x55;
	free(b->state);
	b->state = NULL;
	host_start_well(b);
	demand_connected(w, 60 * SEC);
	attach(b, 2);
	world_run(w, 50 * MS);
	for (unsigned int i = 0; i < 3; i++) {
		endpoint_forget(world_host(w, i)->endpoints[0]);
	}
	demand_all_reach(w, 3);
	demand_tidy(w, 3);
	world_free(w);
}

SEED_TEST(detached_while_dead_not_attached_afterwards, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", false);
	struct host *a = host_a(w);
	struct json *json;

	attach(a, 3);
	host_kill(a);
	host_lose_port(a->endpoints[0]);
	host_start_well(a);
	demand_connected(w, 20 * SEC);
	json = host_ask(a, "ports", NULL);
	DEMAND(w, jsonget_n(jsonget(json, "ports")) == 1, "%s", a->reply);
	json_destroy(json);
	demand_all_reach(w, 2);
	world_free(w);
}

SEED_TEST(state_file_damaged_starts_without_attachments, SEEDS)
{
	static const char *const damaged[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"version\": 2}",
		"\x01\x02",
		"{\"version\": 1, \"attachments\": [{}]}",
		"{\"version\": 1, \"attachments\": [{\"netns\": 5}]}",
		"{\"version\": 1, \"targets\": [{\"address\": 7}]}",
		"{\"version\": 1, \"targets\": [{\"address\": \"0.0.0.0:1\"}]}",
		"{\"version\": 1}",
	};
	struct world *w = running_world(seed, 2, "secret", false);
	struct host *a = host_a(w);

	host_kill(a);
	free(a->state);
	a->state = strdup(damaged[seed % (sizeof damaged / sizeof damaged[0])]);
	host_start_well(a);
	demand_connected(w, 20 * SEC);
	world_free(w);
}

/* Once encrypted, never plain by mistake. */
SEED_TEST(password_left_out_after_encrypted_run_start_refused, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", false);
	struct host *a = host_a(w);

	demand_all_reach(w, 2);
	host_kill(a);
	a->n_slots = 0;
	host_start(a);
	world_run(w, SEC);
	DEMAND(w, !a->engine && a->fatal, "it runs");
	DEMAND(w, a->kernel.datapath && a->kernel.n_policies >= 4,
	       "something was taken away");
	a->n_slots = 1;
	host_start_well(a);
	demand_connected(w, 20 * SEC);
	demand_all_reach(w, 2);
	world_free(w);
}

SEED_TEST(stopped_and_started_all_as_before, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", false);
	struct host *a = host_a(w), *b = host_b(w);

	demand_all_reach(w, 2);
	host_stop(b);
	DEMAND(w,
	       endpoint_reaches_with(a->endpoints[0], &b->endpoints[0]->ips[0],
				     84, 1),
	       "a stop opens or closes something");
	world_run(w, SEC);
	DEMAND(w, n_connections(a, "established") == 0, "not told");
	host_start_well(b);
	demand_connected(w, 70 * SEC);
	demand_all_reach(w, 2);
	demand_tidy(w, 2);
	world_free(w);
}

SEED_TEST(everybody_dies_and_comes_back, SEEDS / 2)
{
	struct world *w = running_world(seed, 3, "secret", seed & 1);

	demand_all_reach(w, 3);
	for (unsigned int i = 0; i < 3; i++) {
		host_kill(world_host(w, i));
	}
	world_run(w, 10 * SEC);
	start_all(w, 3);
	demand_connected(w, 60 * SEC);
	demand_all_reach(w, 3);
	demand_tidy(w, 3);
	world_free(w);
}

/* Before the start is through, too. */
SEED_TEST(block_policy_lost_during_start_is_put_back, SEEDS)
{
	struct world *w = hosts_new(seed, 1, "secret");
	struct host *a = host_a(w);
	struct fake_kernel *k = &a->kernel;

	host_start(a);
	world_run(w, world_draw(w, 2 * MS));
	ck_assert_uint_eq(k->n_policies, 4);
	if (seed & 1) {
		fake_kernel_lose_policy(k, world_draw(w, 4));
	} else {
		fake_kernel_flush_policies(k);
	}
	world_run(w, SEC);
	DEMAND(w, host_is_running(a), "it does not run");
	DEMAND(w, k->n_policies == 4, "%zu block policies", k->n_policies);
	world_free(w);
}

/* iptables may wait for others who hold its lock. */
SEED_TEST(guard_takes_long_restart_does_not_wait_for_it, SEEDS)
{
	struct world *w = hosts_new(seed, 2, "secret");
	struct host *a = host_a(w), *b = host_b(w);

	host_add_target(a, seed & 1 ? &b->v6 : &b->v4);
	host_start_well(b);
	/* A first start does: nothing may be there before the guard. */
	a->guard_us = 5 * SEC;
	host_start(a);
	world_run(w, 4 * SEC);
	DEMAND(w, !host_is_running(a) && !a->kernel.n_ports, "no guard yet");
	world_run(w, 2 * SEC);
	demand_connected(w, 20 * SEC);
	attach(a, 1);
	attach(b, 2);
	demand_all_reach(w, 2);
	host_kill(a);
	attach(b, 3);
	host_start(a);
	world_run(w, 4 * SEC);
	demand_all_reach(w, 2);
	world_run(w, 4 * SEC);
	DEMAND(w, a->kernel.guard, "no guard");
	world_free(w);
}

/* A start does not wait until passwords are stretched: what goes on, goes on,
 * what is new on this host is served, and with nobody there is a session, least
 * of all one without a password. */
SEED_TEST(passwords_come_late_nothing_else_waits, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);
	struct host *a = host_a(w), *b = host_b(w);
	struct host *victim = seed & 2 ? a : b;
	struct endpoint *c1 = a->endpoints[0], *c2 = b->endpoints[0];
	struct endpoint *new;

	demand_all_reach(w, 2);
	if (seed & 4) {
		host_kill(victim);
	} else {
		host_stop(victim);
	}
	victim->password_us = 4 * SEC;
	host_start_well(victim);
	new = attach(victim, 3);
	demand_reach(new, victim->endpoints[0]);
	DEMAND(w, endpoint_reaches_with(c1, &c2->ips[0], 84, 1), "lost");
	world_run(w, 3 * SEC);
	DEMAND(w, !n_connections(victim, "established") && !victim->n_sessions,
	       "a session without a password");
	world_run(w, SEC);
	demand_connected(w, 20 * SEC);
	DEMAND(w, victim->n_sessions, "no session");
	demand_all_reach(w, 2);
	world_free(w);
}

SCENARIO_MAIN("restarts", killed_and_started_adopts_all_and_loses_nothing,
	      flows_of_before_follow_a_new_address,
	      nothing_is_dropped_by_flow_before_peers_are_back,
	      killed_again_and_again_settles,
	      peer_gone_for_good_everything_of_it_removed,
	      adopted_but_never_claimed_removed_after_grace,
	      power_failure_connected_again_afterwards,
	      address_of_a_lost_peer_taken_by_a_new_one,
	      two_identities_at_one_address_the_living_one_wins,
	      detached_while_dead_not_attached_afterwards,
	      state_file_damaged_starts_without_attachments,
	      password_left_out_after_encrypted_run_start_refused,

	      stopped_and_started_all_as_before, everybody_dies_and_comes_back,
	      block_policy_lost_during_start_is_put_back,
	      passwords_come_late_nothing_else_waits,
	      guard_takes_long_restart_does_not_wait_for_it)
