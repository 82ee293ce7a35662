/* Everything at once, at random.
 *
 * Two to eight hosts whose daemons are killed (between two ops, too), stopped
 * and started, whose machines lose power, whose passwords change in any order,
 * and whose SAs, policies, netfilter guard and datapath are taken away by
 * others, while containers come and go and send.
 *
 * What the network does: VXLAN packets are lost, doubled and overtake each
 * other.  The control channel is TCP, which does none of that; it arrives in
 * pieces of any size, late, and breaks after any byte, at one end's notice or
 * without any (a partition).
 *
 * After every op fake/kernel.h checks its rules, plaintext first of all.  When
 * it is over, everybody has to find everybody again, and the kernels have to be
 * tidy.  FDP_SEED=N replays a seed, FDP_SEEDS=FROM-TO runs many (tests/sim/soak
 * runs very many).
 */
#include "fake/scenario.h"

enum {
	STEPS = 60,
	SEEDS = 240,
	N_STAGES = 4,
	MANY_HOSTS = 4, /* More of them have fewer containers. */
	LATE_PASSWORD_US = 5 * SEC,
	REPAIR_US = 5 * SEC /* What others took away is back by then. */
};

/* A change of password, step by step; see test_rotate.c.  Here hosts jump
 * between stages, and may be out of touch for a while. */
static const struct {
	const char *first, *second;
} stages[N_STAGES] = {
	{"old", NULL},
	{"old", "new"},
	{"new", "old"},
	{"new", NULL},
};

struct chaos {
	struct world *w;
	unsigned int n;
	unsigned int next_container;
	/* When the daemon was last seen dead, or robbed of something. */
	uint64_t trouble_us[WORLD_MAX_HOSTS];
};

static void start(struct host *h)
{
	/* Its passwords are there at once, or some time later. */
	h->password_us = world_draw(h->world, 2) *
			 world_draw(h->world, LATE_PASSWORD_US);
	host_start(h);
}

static struct host *some_host(struct chaos *c)
{
	return world_host(c->w, (unsigned int)world_draw(c->w, c->n));
}

static struct endpoint *some_endpoint(struct chaos *c)
{
	struct host *h = some_host(c);

	return h->n_endpoints ? h->endpoints[world_draw(c->w, h->n_endpoints)]
			      : NULL;
}

static void attach_somehow(struct host *h, unsigned int n)
{
	DEMAND(h->world, attach_try(h, n) || !h->engine,
	       "%s does not attach c%u: %s", h->name, n, h->reply);
}

static void some_attach(struct chaos *c)
{
	struct host *h = some_host(c);

	if (host_is_running(h) &&
	    h->n_endpoints < (c->n > MANY_HOSTS ? 1 : 3)) {
		attach_somehow(h, c->next_container++);
	}
}

static void some_detach(struct chaos *c)
{
	struct endpoint *e = some_endpoint(c);

	if (e && host_is_running(e->host)) {
		host_detach(e);
	} else if (e) {
		host_lose_port(e);
	}
}

static void some_pings(struct chaos *c)
{
	for (unsigned int i = 0; i < 5; i++) {
		struct endpoint *from = some_endpoint(c);
		struct endpoint *to = some_endpoint(c);

		if (from && to && from != to) {
			endpoint_ping(from, &to->ips[world_draw(c->w, 2)], 84);
			world_run(c->w, world_draw(c->w, 10 * MS));
		}
	}
}

static void some_rekey(struct chaos *c)
{
	struct host *h = some_host(c);

	if (host_is_running(h)) {
		json_destroy(host_command(h, "rekey", NULL));
	}
}

static void enter(struct host *h, uint64_t stage)
{
	const char *first = stages[stage].first;
	const char *second = stages[stage].second;

	if (h->engine) {
		struct json *json = host_reload(h, first, second);

		DEMAND(h->world, json || !h->engine, "%s refuses to reload: %s",
		       h->name, h->reply);
		json_destroy(json);
		return;
	}
	h->n_slots = 0;
	host_set_password(h, 0, first);
	if (second) {
		host_set_password(h, 1, second);
	}
}

/* Somebody else takes things away.  Never both locks at once: who does that
 * wants plaintext. */
static void some_theft(struct chaos *c)
{
	struct host *h = some_host(c);
	struct fake_kernel *k = &h->kernel;

	world_note(c->w, "-- %s is robbed", h->name);
	switch (world_draw(c->w, 7)) {
	case 0:
		fake_kernel_flush_sas(k);
		break;
	case 1:
		if (k->n_sas) {
			fake_kernel_lose_sa(k, world_draw(c->w, k->n_sas));
		}
		break;
	case 2:
		if (k->guard) {
			fake_kernel_flush_policies(k);
		}
		break;
	case 3:
		if (k->guard && k->n_policies) {
			fake_kernel_lose_policy(
				k, world_draw(c->w, k->n_policies));
		}
		break;
	case 4:
		if (k->guard && !k->disturbed) {
			fake_kernel_lose_guard(k);
		}
		break;
	case 5:
		fake_kernel_set_route(k, &some_host(c)->v4,
				      1300 + (uint32_t)world_draw(c->w, 300));
		host_net_changed(h);
		break;
	default:
		if (host_is_running(h)) {
			fake_kernel_lose_datapath(k);
		}
		break;
	}
	c->trouble_us[h->index] = world_now(c->w);
}

/* Once all was repaired, nothing excuses a breach any more.  SAs take two. */
static void expect_repair(struct chaos *c)
{
	for (unsigned int i = 0; i < c->n; i++) {
		struct host *h = world_host(c->w, i);

		if (!host_is_running(h)) {
			c->trouble_us[i] = world_now(c->w);
		} else if (world_now(c->w) - c->trouble_us[i] > REPAIR_US) {
			h->kernel.disturbed = false;
		}
	}
}

static void some_trouble(struct chaos *c)
{
	struct host *h = some_host(c), *other = some_host(c);

	switch (world_draw(c->w, 16)) {
	case 0:
		if (h->engine) {
			host_kill(h);
		}
		break;
	case 1:
		if (host_is_running(h)) {
			host_stop(h);
		}
		break;
	case 2:
		host_crash(h);
		break;
	case 3:
		world_break(c->w, h, other);
		break;
	case 4:
		if (h != other) {
			world_partition(c->w, h, other, true);
		}
		break;
	case 5:
		world_partition(c->w, h, other, false);
		break;
	case 6:
		if (h->engine) {
			host_die_after(h,
				       1 + (unsigned int)world_draw(c->w, 20));
		}
		break;
	case 7:
	case 8:
		enter(h, world_draw(c->w, N_STAGES));
		break;
	case 9:
	case 10:
		some_theft(c);
		break;
	default:
		if (!h->engine) {
			start(h);
		}
		break;
	}
}

static void some_time(struct chaos *c)
{
	static const uint64_t spans[] = {MS,  5 * MS,  20 * MS, 20 * MS,
					 SEC, 8 * SEC, 70 * SEC};
	const size_t n = sizeof spans / sizeof spans[0];

	world_run(c->w, world_draw(c->w, spans[world_draw(c->w, n)]) + 1);
}

static void calm(struct chaos *c)
{
	uint64_t stage = world_draw(c->w, N_STAGES);

	for (unsigned int i = 0; i < c->n; i++) {
		struct host *h = world_host(c->w, i);

		for (unsigned int j = 0; j < i; j++) {
			world_partition(c->w, h, world_host(c->w, j), false);
		}
		host_die_after(h, 0);
		enter(h, stage);
		if (!h->engine) {
			start(h);
		}
	}
	world_weather(c->w)->cut = 0;
	/* By bad luck more are lost than a good way loses, and that is told. */
	world_weather(c->w)->loss = 10;
	world_run(c->w, 300 * SEC);
	expect_repair(c);
	demand_connected(c->w, 10 * SEC);
	for (unsigned int i = 0; i < c->n; i++) {
		struct host *h = world_host(c->w, i);

		h->kernel.robbed = false;
		for (size_t j = 0; j < h->n_endpoints; j++) {
			endpoint_forget(h->endpoints[j]);
		}
	}
}

static uint64_t run_chaos(uint64_t seed, bool check)
{
	struct world *w = world_new(seed);
	struct chaos c = {.w = w,
			  .n = 2 + (unsigned int)world_draw(w, 3),
			  .next_container = 1};
	struct weather *weather = world_weather(w);
	uint64_t hash;

	if (world_draw(w, 10) == 0) {
		c.n = WORLD_MAX_HOSTS - (unsigned int)world_draw(w, 4);
	}
	weather->loss = 50;
	weather->dup = 50;
	weather->reorder = 100;
	weather->delay_max_us = 1 + world_draw(w, 30 * MS) + 50;
	weather->dial_failure = 100;
	weather->small_chunks = seed & 1;
	weather->cut = seed & 2 ? 20 : 0;
	for (unsigned int i = 0; i < c.n; i++) {
		const char name[2] = {(char)('a' + i), '\0'};

		world_add_host(w, name, "old")->flows_ahead =
			seed % 3 ? 50 * (seed % 8) : 0;
	}
	for (unsigned int i = 0; i < c.n; i++) {
		for (unsigned int j = 0; j < c.n; j++) {
			/* Somebody dials, mostly both, over either family. */
			const struct host *to = world_host(w, j);
			bool v6 = world_draw(w, 4) == 0;

			if (i > j || (i != j && world_draw(w, 2))) {
				host_add_target(world_host(w, i),
						v6 ? &to->v6 : &to->v4);
			}
		}
		start(world_host(w, i));
	}
	world_run(w, world_draw(w, 2 * SEC));
	for (unsigned int i = 0; i < c.n; i++) {
		if (host_is_running(world_host(w, i))) {
			attach_somehow(world_host(w, i), c.next_container++);
		}
	}
	for (unsigned int i = 0; i < STEPS; i++) {
		switch (world_draw(w, 8)) {
		case 0:
			some_attach(&c);
			break;
		case 1:
			some_detach(&c);
			break;
		case 2:
			some_trouble(&c);
			break;
		case 3:
			some_rekey(&c);
			break;
		default:
			some_pings(&c);
			break;
		}
		some_time(&c);
		expect_repair(&c);
	}
	if (check) {
		calm(&c);
		demand_all_reach(w, c.n);
		demand_tidy(w, c.n);
	}
	hash = world_hash(w);
	world_free(w);
	return hash;
}

static void chaos_body(uint64_t seed)
{
	run_chaos(seed, true);
}

START_TEST(chaos_over_everybody_is_found_again)
{
	world_each_seed(SEEDS, chaos_body);
}
END_TEST

START_TEST(same_seed_same_run)
{
	uint64_t first = run_chaos(4711, false);

	ck_assert_uint_eq(run_chaos(4711, false), first);
	ck_assert_uint_ne(run_chaos(4712, false), first);
}
END_TEST

SCENARIO_MAIN("chaos", chaos_over_everybody_is_found_again, same_seed_same_run)
