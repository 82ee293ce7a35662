/* New keys while packets flow, and repair of what others took away. */
#include "fake/scenario.h"

enum {
	SEEDS = 30
};

static void rekey(struct host *h)
{
	json_destroy(host_ask(h, "rekey", NULL));
}

/* Pings every 2 ms for 'n' times, calling 'disturb' now and then; every one
 * must come back. */
static void demand_no_loss(struct world *w, unsigned int n,
			   void (*disturb)(struct world *, unsigned int i))
{
	struct endpoint *c1 = host_a(w)->endpoints[0];
	struct endpoint *c2 = host_b(w)->endpoints[0];
	size_t before;

	demand_all_reach(w, 2);
	world_weather(w)->delay_min_us = MS;
	world_weather(w)->delay_max_us = 40 * MS;
	world_weather(w)->reorder = 300;
	before = c1->n_pongs;
	for (unsigned int i = 0; i < n; i++) {
		disturb(w, i);
		endpoint_ping(c1, &c2->ips[i & 1], 84);
		world_run(w, 2 * MS);
	}
	world_run(w, SEC);
	DEMAND(w, c1->n_pongs - before == n, "%zu of %u came back",
	       c1->n_pongs - before, n);
}

static void rekey_a(struct world *w, unsigned int i)
{
	if (i % 200 == 50) {
		rekey(host_a(w));
	}
}

static void rekey_both(struct world *w, unsigned int i)
{
	if (i % 200 == 50) {
		rekey(host_a(w));
	}
	if (i % 200 == 50 + world_draw(w, 10)) {
		rekey(host_b(w));
	}
}

SEED_TEST(asked_for_again_and_again_nothing_lost, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);
	uint32_t before = host_a(w)->kernel.sas[0].sa.spi;

	demand_no_loss(w, 2000, seed & 2 ? rekey_a : rekey_both);
	DEMAND(w, host_a(w)->kernel.sas_made >= 20, "%u SAs made",
	       (unsigned int)host_a(w)->kernel.sas_made);
	DEMAND(w, host_a(w)->n_sessions == 1, "sessions");
	demand_tidy(w, 2);
	DEMAND(w, host_a(w)->kernel.sas[0].sa.spi != before, "old keys");
	demand_all_reach(w, 2);
	world_free(w);
}

SEED_TEST(hours_pass_keys_change_each_hour, SEEDS / 3)
{
	struct world *w = running_world(seed, 3, "secret", seed & 1);
	struct host *a = host_a(w);

	/* After the third time for sure, and surely before the fourth. */
	world_run(w, 34 * 360 * SEC);
	DEMAND(w, a->kernel.sas_made == 4 * proper_sas(a, 3), "%u SAs made",
	       (unsigned int)a->kernel.sas_made);
	DEMAND(w, a->n_sessions == 2, "sessions");
	demand_all_reach(w, 3);
	demand_tidy(w, 3);
	world_free(w);
}

SEED_TEST(session_breaks_meanwhile_connected_again, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", false);
	struct host *a = host_a(w), *b = host_b(w);

	for (unsigned int i = 0; i < 10; i++) {
		rekey(world_host(w, (unsigned int)world_draw(w, 2)));
		world_run(w, world_draw(w, 15 * MS));
		switch (world_draw(w, 3)) {
		case 0:
			world_break(w, a, b);
			break;
		case 1:
			host_kill(a);
			host_start(a);
			break;
		default:
			rekey(b);
			break;
		}
		world_run(w, world_draw(w, 2 * SEC) + 10 * MS);
	}
	world_run(w, 20 * SEC);
	demand_connected(w, 60 * SEC);
	demand_all_reach(w, 2);
	demand_tidy(w, 2);
	world_free(w);
}

SEED_TEST(sa_removed_by_somebody_new_ones_made, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);
	struct host *h = world_host(w, (unsigned int)world_draw(w, 2));

	demand_all_reach(w, 2);
	if (seed & 2) {
		fake_kernel_flush_sas(&h->kernel);
	} else {
		fake_kernel_lose_sa(&h->kernel, world_draw(w, h->kernel.n_sas));
	}
	world_run(w, SEC);
	for (unsigned int i = 0; i < 2; i++) {
		DEMAND(w,
		       endpoint_reaches_with(
			       world_host(w, i)->endpoints[0],
			       &world_host(w, !i)->endpoints[0]->ips[0], 84, 1),
		       "no service a second later");
	}
	DEMAND(w, h->n_sessions == 1, "sessions");
	demand_all_reach(w, 2);
	demand_tidy(w, 2);
	world_free(w);
}

/* The notice of a flush may come after SAs that were added meanwhile. */
SEED_TEST(sas_flushed_amid_a_rekey_none_left_behind, 10 * SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);
	struct host *h = world_host(w, (unsigned int)world_draw(w, 2));

	host_tell(h, "rekey");
	world_run(w, world_draw(w, 15 * MS));
	fake_kernel_flush_sas(&h->kernel);
	demand_connected(w, 30 * SEC);
	world_run(w, SEC);
	demand_all_reach(w, 2);
	demand_tidy(w, 2);
	world_free(w);
}

SEED_TEST(policy_removed_by_somebody_put_back, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);
	struct host *h = world_host(w, (unsigned int)world_draw(w, 2));

	demand_all_reach(w, 2);
	if (seed & 2) {
		fake_kernel_flush_policies(&h->kernel);
	} else {
		fake_kernel_lose_policy(&h->kernel,
					world_draw(w, h->kernel.n_policies));
	}
	world_run(w, 5 * MS);
	DEMAND(w, h->kernel.n_policies == proper_policies(h, 2), "%zu policies",
	       h->kernel.n_policies);
	h->kernel.disturbed = h->kernel.robbed = false;
	demand_all_reach(w, 2);
	demand_tidy(w, 2);
	demand_all_reach(w, 2);
	world_free(w);
}

START_TEST(without_password_refused)
{
	struct world *w = running_world(1, 2, NULL, false);

	ck_assert_ptr_null(host_command(host_a(w), "rekey", NULL));
	world_free(w);
}
END_TEST

SCENARIO_MAIN("rekey", asked_for_again_and_again_nothing_lost,
	      hours_pass_keys_change_each_hour,
	      session_breaks_meanwhile_connected_again,
	      sa_removed_by_somebody_new_ones_made,
	      sas_flushed_amid_a_rekey_none_left_behind,
	      policy_removed_by_somebody_put_back, without_password_refused)
