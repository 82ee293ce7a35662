/* Death at every instant: the daemon is killed after its n-th op, for every n
 * of each stage of its life, and started again over the kernel as it is.
 *
 * Meanwhile containers go on sending, so that whatever is open would be seen:
 * the fake kernel ends the test at the first plaintext packet, out or in, and
 * at every step out of order.  Afterwards all must be as if nothing had been.
 *
 * FDP_SEED=S FDP_STAGE=NAME FDP_OP=N tries one of them alone.
 */
#include "fake/scenario.h"

#include "engine/op.h"

enum {
	SEEDS = 4,
	MAX_OPS = 400 /* More than any stage has. */
};

struct stage {
	const char *name;
	/* Makes the world as it is before; the victim is host a. */
	struct world *(*prepare)(uint64_t seed);
	/* Sets it going; a dies somewhere in it. */
	void (*act)(struct world *);
	uint64_t duration_us;
};

/* Sends what containers send, there and back, for a while. */
static void live(struct world *w, uint64_t duration_us)
{
	uint64_t end_us = world_now(w) + duration_us;

	while (world_now(w) < end_us) {
		for (unsigned int i = 0; i < 2; i++) {
			struct host *from = world_host(w, i);
			struct host *to = world_host(w, !i);

			if (from->n_endpoints && to->n_endpoints) {
				endpoint_ping(from->endpoints[0],
					      &to->endpoints[0]->ips[0], 84);
			}
		}
		world_run(w, 500);
	}
}

static struct world *prepare_none(uint64_t seed)
{
	struct world *w = hosts_new(seed, 2, "secret");

	dial_all(w, 2, seed & 1);
	host_start_well(host_b(w));
	attach(host_b(w), 2);
	return w;
}

static struct world *prepare_running(uint64_t seed)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);

	demand_all_reach(w, 2);
	return w;
}

/* As above, with b started first: then a dials, and leads rekeys. */
static struct world *prepare_dialling(uint64_t seed)
{
	struct world *w = hosts_new(seed, 2, "secret");

	host_add_target(host_a(w), seed & 1 ? &host_b(w)->v6 : &host_b(w)->v4);
	host_start_well(host_b(w));
	host_start_well(host_a(w));
	demand_connected(w, 10 * SEC);
	attach(host_a(w), 1);
	attach(host_b(w), 2);
	world_run(w, 100 * MS);
	demand_all_reach(w, 2);
	return w;
}

static struct world *prepare_dead(uint64_t seed)
{
	struct world *w = prepare_running(seed);

	host_kill(host_a(w));
	live(w, 100 * MS);
	return w;
}

static struct world *prepare_alone(uint64_t seed)
{
	struct world *w = prepare_running(seed);

	host_kill(host_b(w));
	live(w, 100 * MS);
	return w;
}

static void start_a(struct world *w)
{
	host_start(host_a(w));
}

static void start_b(struct world *w)
{
	host_start(host_b(w));
}

static void rekey_a(struct world *w)
{
	host_tell(host_a(w), "rekey");
}

static void rekey_b(struct world *w)
{
	host_tell(host_b(w), "rekey");
}

static void break_ab(struct world *w)
{
	world_break(w, host_a(w), host_b(w));
}

static void lose_b(struct world *w)
{
	host_kill(host_b(w));
}

static void stop_a(struct world *w)
{
	host_stop(host_a(w));
}

static void flush_policies(struct world *w)
{
	fake_kernel_flush_policies(&host_a(w)->kernel);
}

static void flush_sas(struct world *w)
{
	fake_kernel_flush_sas(&host_a(w)->kernel);
}

static const struct stage stages[] = {
	{"first start", prepare_none, start_a, SEC},
	{"restart", prepare_dead, start_a, 3 * SEC},
	{"connect", prepare_alone, start_b, 3 * SEC},
	{"reconnect", prepare_dialling, break_ab, 3 * SEC},
	{"rekey", prepare_dialling, rekey_a, SEC},
	{"rekey, asked", prepare_running, rekey_a, SEC},
	{"rekey, led by b", prepare_dialling, rekey_b, SEC},
	{"teardown", prepare_dialling, lose_b, 90 * SEC},
	{"stop", prepare_dialling, stop_a, SEC},
	{"policies flushed", prepare_running, flush_policies, SEC},
	{"SAs flushed", prepare_dialling, flush_sas, SEC},
};

/* Long stages are mostly silence. */
static void live_through(struct world *w, uint64_t duration_us)
{
	for (uint64_t past = 0; past < duration_us; past += SEC) {
		live(w, 20 * MS);
		world_run(w, SEC - 20 * MS);
	}
}

/* False if the stage has less than 'n' ops. */
static bool dies_in(const struct stage *stage, unsigned int n, uint64_t seed)
{
	struct world *w = stage->prepare(seed);
	struct host *a = host_a(w), *b = host_b(w);
	unsigned int life;
	bool died;

	/* A start that goes on is the first life; none there: the next. */
	life = a->life + (a->engine ? 0 : 1);
	host_die_after(a, n);
	if (getenv("FDP_SEED")) {
		fprintf(stderr, "== %s, op %u\n", stage->name, n);
	}
	stage->act(w);
	live(w, 20 * MS);
	live_through(w, stage->duration_us);
	died = !a->die_after;
	host_die_after(a, 0);
	DEMAND(w, a->life == life, "another life");
	if (died) {
		DEMAND(w, !a->engine, "%s, op %u: not dead", stage->name, n);
	} else if (a->engine) {
		host_kill(a);
	}
	live(w, 100 * MS);
	host_start_well(a);
	if (!b->engine) {
		host_start_well(b);
	}
	live(w, 100 * MS);
	a->kernel.disturbed = a->kernel.robbed = false;
	demand_connected(w, 130 * SEC);
	for (unsigned int i = 0; i < 2; i++) {
		if (!world_host(w, i)->n_endpoints) {
			attach(world_host(w, i), i + 1);
			world_run(w, 100 * MS);
		}
	}
	demand_all_reach(w, 2);
	demand_tidy(w, 2);
	demand_all_reach(w, 2);
	DEMAND(w, a->kernel.guard, "no guard");
	world_free(w);
	return died;
}

static void die_everywhere(const struct stage *stage, uint64_t seed)
{
	const char *only = getenv("FDP_OP"), *name = getenv("FDP_STAGE");
	unsigned int n = only ? (unsigned int)atoi(only) : 1;

	if (name && strcmp(name, stage->name)) {
		return;
	}
	while (dies_in(stage, n, seed) && !only) {
		ck_assert_uint_lt(++n, MAX_OPS);
	}
	/* The stage has happened at all. */
	ck_assert(only || n > 1);
}

SEED_TEST(killed_after_every_op_never_plaintext_and_settles, SEEDS)
{
	for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
		die_everywhere(&stages[i], seed);
	}
}

/* Twice in a row: the second life dies on the kernel that the first left. */
START_TEST(killed_in_the_restart_after_being_killed_settles)
{
	for (unsigned int n = 1; n < 60; n++) {
		struct world *w = prepare_dialling(n);
		struct host *a = host_a(w);

		host_die_after(a, 1 + n % 7);
		rekey_a(w);
		live(w, 50 * MS);
		for (unsigned int i = 0; i < 3 && !a->engine; i++) {
			host_die_after(a, n + 5 * i);
			host_start(a);
			live(w, 100 * MS);
		}
		host_die_after(a, 0);
		if (!a->engine) {
			host_start_well(a);
		}
		demand_connected(w, 130 * SEC);
		demand_all_reach(w, 2);
		demand_tidy(w, 2);
		world_free(w);
	}
}
END_TEST

/* Somebody flushes the policies while nobody is there to put them back: the
 * guard alone stands before the traffic. */
SEED_TEST(policies_flushed_while_dead_guard_drops_all, 30)
{
	struct world *w = prepare_running(seed);
	struct host *a = host_a(w);

	host_kill(a);
	fake_kernel_flush_policies(&a->kernel);
	live(w, 100 * MS);
	DEMAND(w, a->kernel.n_guarded > 10, "the guard has dropped %u",
	       (unsigned int)a->kernel.n_guarded);
	host_start_well(a);
	a->kernel.disturbed = a->kernel.robbed = false;
	demand_connected(w, 20 * SEC);
	demand_all_reach(w, 2);
	demand_tidy(w, 2);
	world_free(w);
}

SEED_TEST(guard_removed_put_back_at_once, 30)
{
	struct world *w = prepare_running(seed);
	struct host *a = host_a(w);
	unsigned int warned = a->n_warnings;

	fake_kernel_lose_guard(&a->kernel);
	world_run(w, MS);
	DEMAND(w, a->kernel.guard, "no guard");
	DEMAND(w, a->n_warnings > warned, "not said");
	a->kernel.disturbed = a->kernel.robbed = false;
	demand_all_reach(w, 2);
	world_free(w);
}

SCENARIO_MAIN("kill", killed_after_every_op_never_plaintext_and_settles,
	      killed_in_the_restart_after_being_killed_settles,
	      policies_flushed_while_dead_guard_drops_all,
	      guard_removed_put_back_at_once)
