/* Everything at once, at random.
 *
 * Three or four hosts whose daemons are killed, stopped and started, whose
 * machines lose power, whose lines break and are cut, while containers come and
 * go and send.  When it is over, everybody has to find everybody again, and the
 * kernels have to be tidy.
 */
#include "fake/scenario.h"

enum {
	STEPS = 60,
	SEEDS = 60
};

struct chaos {
	struct world *w;
	unsigned int n;
	unsigned int next_container;
};

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

static void some_attach(struct chaos *c)
{
	struct host *h = some_host(c);

	if (host_is_running(h) && h->n_endpoints < 3) {
		attach(h, c->next_container++);
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
		json_destroy(host_ask(h, "rekey", NULL));
	}
}

static void some_trouble(struct chaos *c)
{
	struct host *h = some_host(c), *other = some_host(c);

	switch (world_draw(c->w, 12)) {
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
	default:
		if (!h->engine) {
			host_start(h);
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
	for (unsigned int i = 0; i < c->n; i++) {
		struct host *h = world_host(c->w, i);

		for (unsigned int j = 0; j < i; j++) {
			world_partition(c->w, h, world_host(c->w, j), false);
		}
		if (!h->engine) {
			host_start(h);
		}
	}
	world_run(c->w, 300 * SEC);
	demand_connected(c->w, 10 * SEC);
	for (unsigned int i = 0; i < c->n; i++) {
		struct host *h = world_host(c->w, i);

		for (size_t j = 0; j < h->n_endpoints; j++) {
			endpoint_forget(h->endpoints[j]);
		}
	}
}

static uint64_t run_chaos(uint64_t seed, bool check)
{
	struct world *w = world_new(seed);
	struct chaos c = {.w = w,
			  .n = 3 + (unsigned int)world_draw(w, 2),
			  .next_container = 1};
	struct weather *weather = world_weather(w);
	uint64_t hash;

	weather->loss = 50;
	weather->dup = 50;
	weather->reorder = 100;
	weather->delay_max_us = 1 + world_draw(w, 30 * MS) + 50;
	weather->dial_failure = 100;
	weather->small_chunks = seed & 1;
	for (unsigned int i = 0; i < c.n; i++) {
		const char name[2] = {(char)('a' + i), '\0'};

		world_add_host(w, name, "secret");
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
		host_start(world_host(w, i));
	}
	world_run(w, world_draw(w, 2 * SEC));
	for (unsigned int i = 0; i < c.n; i++) {
		if (host_is_running(world_host(w, i))) {
			attach(world_host(w, i), c.next_container++);
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
