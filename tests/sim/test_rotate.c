/* Passwords that change while everything runs.
 *
 * A host goes through four stages: the old password alone; the new one added as
 * second line; the lines swapped; the new one alone.  Two hosts of neighbouring
 * stages always have one in common, the first and the last stage have none.
 */
#include "fake/scenario.h"

enum {
	N_STAGES = 4,
	MAX_HOSTS = 4,
	SEEDS = 40
};

static const struct {
	const char *first, *second;
} stages[N_STAGES] = {
	{"old", NULL},
	{"old", "new"},
	{"new", "old"},
	{"new", NULL},
};

struct rotation {
	struct world *w;
	unsigned int n;
	unsigned int stage[MAX_HOSTS];
	size_t sent[MAX_HOSTS], before[MAX_HOSTS];
	uint64_t interval_us;
};

static void begin(struct rotation *r, struct world *w, unsigned int n)
{
	memset(r, 0, sizeof *r);
	r->w = w;
	r->n = n;
	r->interval_us = 10 * MS;
	demand_all_reach(w, n);
	for (unsigned int i = 0; i < n; i++) {
		r->before[i] = world_host(w, i)->endpoints[0]->n_pongs;
	}
}

static void enter(struct rotation *r, unsigned int host, unsigned int stage)
{
	struct host *h = world_host(r->w, host);
	struct json *json =
		host_reload(h, stages[stage].first, stages[stage].second);

	DEMAND(r->w, json, "%s refuses to reload: %s", h->name, h->reply);
	json_destroy(json);
	r->stage[host] = stage;
}

static void next_stage(struct rotation *r, unsigned int host)
{
	enter(r, host, r->stage[host] + 1);
}

/* Time passes, with a packet from everybody to everybody in each interval. */
static void traffic(struct rotation *r, uint64_t duration_us)
{
	for (uint64_t us = 0; us < duration_us; us += r->interval_us) {
		for (unsigned int i = 0; i < r->n * r->n; i++) {
			struct host *from = world_host(r->w, i / r->n);
			struct host *to = world_host(r->w, i % r->n);

			if (from != to) {
				endpoint_ping(from->endpoints[0],
					      &to->endpoints[0]->ips[0], 84);
				r->sent[i / r->n]++;
			}
		}
		world_run(r->w, r->interval_us);
	}
}

static void demand_nothing_lost(struct rotation *r)
{
	world_run(r->w, SEC);
	for (unsigned int i = 0; i < r->n; i++) {
		const struct host *h = world_host(r->w, i);
		size_t n = h->endpoints[0]->n_pongs - r->before[i];

		DEMAND(r->w, n == r->sent[i], "%s got %zu answers of %zu",
		       h->name, n, r->sent[i]);
	}
}

static size_t n_names(const struct json *password, const char *key)
{
	return jsonget_n(jsonget(password, key));
}

static bool first_in_use_everywhere(void *r_)
{
	const struct rotation *r = r_;
	bool yes = true;

	for (unsigned int i = 0; i < r->n; i++) {
		struct json *json =
			host_ask(world_host(r->w, i), "status", NULL);
		const struct json *password = jsonget(json, "password");
		int64_t first = 0;

		yes &= jsonget_integer(password, "first", 0, 100, &first) &&
		       first == r->n - 1 && !n_names(password, "second") &&
		       !n_names(password, "removed");
		json_destroy(json);
	}
	return yes;
}

static void demand_first_in_use(struct rotation *r, uint64_t timeout_us)
{
	DEMAND(r->w,
	       world_run_until(r->w, first_in_use_everywhere, r, timeout_us),
	       "not every session uses the first password");
	demand_connected(r->w, 10 * SEC);
}

static void demand_slot(struct host *h, int64_t slot)
{
	struct json *json = host_ask(h, "connections", NULL);
	const struct json *list = jsonget(json, "connections");

	for (size_t i = 0; i < jsonget_n(list); i++) {
		const struct json *row = jsonget_at(list, i);
		int64_t shown = 99;

		(void)!jsonget_integer(row, "slot", -1, 1, &shown);
		DEMAND(h->world, shown == slot, "%s shows slot %d, not %d",
		       h->name, (int)shown, (int)slot);
	}
	json_destroy(json);
}

/* ---- Every order ---- */

/* Goes through every order in which 3 hosts can take 3 steps each, from
 * 'stage' on.  A host may be two steps ahead of another, even without a
 * password in common, for less than a minute. */
static unsigned int n_orders;

static void run_order(const unsigned int *order)
{
	struct world *w = running_world(n_orders, 3, "old", n_orders % 2 != 0);
	struct rotation r;

	begin(&r, w, 3);
	r.interval_us = 25 * MS;
	for (unsigned int i = 0; i < 9; i++) {
		next_stage(&r, order[i]);
		traffic(&r, world_draw(w, 2) * world_draw(w, 3 * SEC));
	}
	traffic(&r, 500 * MS);
	demand_nothing_lost(&r);
	demand_first_in_use(&r, 20 * SEC);
	demand_all_reach(w, 3);
	world_free(w);
}

static void each_order(unsigned int *order, unsigned int n,
		       const unsigned int *taken, unsigned int modulus,
		       unsigned int rest)
{
	if (n == 9) {
		unsigned int number = n_orders++;

		if (number % modulus == rest &&
		    number / modulus % world_share() == 0) {
			run_order(order);
		}
		return;
	}
	for (unsigned int host = 0; host < 3; host++) {
		unsigned int next[3] = {taken[0], taken[1], taken[2]};

		if (next[host]++ < 3) {
			order[n] = host;
			each_order(order, n + 1, next, modulus, rest);
		}
	}
}

enum {
	ORDER_PARTS = 8 /* So that a debugger finds the one. */
};

static void orders(unsigned int rest)
{
	const unsigned int taken[3] = {0};
	unsigned int order[9];

	n_orders = 0;
	each_order(order, 0, taken, ORDER_PARTS, rest);
	ck_assert_uint_eq(n_orders, 1680); /* 9! / 3!^3 */
}

START_TEST(any_order_of_steps_on_three_hosts_loses_nothing_1)
{
	orders(0);
	orders(1);
}
END_TEST

START_TEST(any_order_of_steps_on_three_hosts_loses_nothing_2)
{
	orders(2);
	orders(3);
}
END_TEST

START_TEST(any_order_of_steps_on_three_hosts_loses_nothing_3)
{
	orders(4);
	orders(5);
}
END_TEST

START_TEST(any_order_of_steps_on_three_hosts_loses_nothing_4)
{
	orders(6);
	orders(7);
}
END_TEST

/* ---- Any subset late ---- */

/* May 'host' enter 'stage' without being cut off from another? */
static bool compatible(const struct rotation *r, unsigned int host,
		       unsigned int stage)
{
	for (unsigned int i = 0; i < r->n; i++) {
		unsigned int a = stage, b = r->stage[i];

		if (i != host && (a > b ? a - b : b - a) == N_STAGES - 1) {
			return false;
		}
	}
	return true;
}

/* Four hosts that dial each other in one direction or both; steps forward and
 * sometimes back, at any time within minutes; connections that break; slow and
 * unreliable dialling. */
SEED_TEST(hosts_at_any_compatible_stages_nothing_lost, SEEDS)
{
	struct world *w = hosts_new(seed, 4, "old");
	struct rotation r;

	for (unsigned int i = 0; i < 4; i++) {
		for (unsigned int j = 0; j < 4; j++) {
			if (j < i || (j > i && world_draw(w, 3) == 0)) {
				host_add_target(world_host(w, i),
						&world_host(w, j)->v4);
			}
		}
	}
	start_all(w, 4);
	demand_connected(w, 60 * SEC);
	for (unsigned int i = 0; i < 4; i++) {
		attach(world_host(w, i), i + 1);
	}
	world_run(w, 100 * MS);
	begin(&r, w, 4);
	world_weather(w)->small_chunks = seed & 1;
	world_weather(w)->dial_failure = seed & 2 ? 100 : 0;
	world_weather(w)->delay_max_us = (seed & 4 ? 30 : 3) * MS;
	r.interval_us = 100 * MS;
	for (unsigned int i = 0; i < 60; i++) {
		unsigned int host = (unsigned int)world_draw(w, 4);
		unsigned int stage = r.stage[host];

		if (i >= 30 || world_draw(w, 4)) {
			stage += stage < N_STAGES - 1;
		} else {
			stage -= stage > 0;
		}
		if (compatible(&r, host, stage)) {
			enter(&r, host, stage);
		}
		if (world_draw(w, 8) == 0) {
			unsigned int other = (unsigned int)world_draw(w, 4);

			if (other != host) {
				world_break(w, world_host(w, host),
					    world_host(w, other));
			}
		}
		traffic(&r, world_draw(w, 2) * world_draw(w, 10 * SEC));
	}
	for (unsigned int i = 0; i < 4 * N_STAGES; i++) {
		if (r.stage[i % 4] < N_STAGES - 1 &&
		    compatible(&r, i % 4, r.stage[i % 4] + 1)) {
			next_stage(&r, i % 4);
			traffic(&r, SEC);
		}
	}
	demand_nothing_lost(&r);
	demand_first_in_use(&r, 70 * SEC);
	demand_all_reach(w, 4);
	demand_tidy(w, 4);
	demand_all_reach(w, 4);
	world_free(w);
}

/* ---- Step by step ---- */

SEED_TEST(step_by_step_sessions_move_to_the_new_password, SEEDS)
{
	struct world *w = running_world(seed, 3, "old", seed & 1);
	struct rotation r;

	begin(&r, w, 3);
	for (unsigned int stage = 1; stage < N_STAGES; stage++) {
		for (unsigned int i = 0; i < 3; i++) {
			enter(&r, (i + (unsigned int)seed) % 3, stage);
			/* A change while a handshake is under way breaks it
			 * off, and there is one session more. */
			traffic(&r, 500 * MS + world_draw(w, SEC));
		}
		traffic(&r, SEC);
		demand_first_in_use(&r, SEC);
		for (unsigned int i = 0; i < 3; i++) {
			demand_slot(world_host(w, i), 0);
		}
	}
	demand_nothing_lost(&r);
	/* One change for the new password, none for the removal. */
	for (unsigned int i = 0; i < 3; i++) {
		DEMAND(w, world_host(w, i)->n_sessions == 4, "%u sessions",
		       world_host(w, i)->n_sessions);
	}
	demand_tidy(w, 3);
	world_free(w);
}

/* The second host has only swapped: sessions use its second password. */
SEED_TEST(second_password_in_use_shown_with_its_slot, SEEDS)
{
	struct world *w = running_world(seed, 2, "old", false);
	struct host *a = host_a(w), *b = host_b(w);
	struct host *swapped = seed & 1 ? a : b;
	struct json *json;
	struct rotation r;

	begin(&r, w, 2);
	enter(&r, seed & 1 ? 0 : 1, 2);
	traffic(&r, 5 * SEC);
	demand_slot(swapped, 1);
	demand_slot(seed & 1 ? b : a, 0);
	json = host_ask(swapped, "status", NULL);
	DEMAND(w, n_names(jsonget(json, "password"), "second") == 1, "status");
	json_destroy(json);
	demand_nothing_lost(&r);
	DEMAND(w, a->n_sessions == 1 && b->n_sessions == 1,
	       "the session did not stay");
	world_free(w);
}

/* Removed on one side, either end of the connection: the other one still has
 * both. */
SEED_TEST(removed_password_session_renewed_once_nothing_lost, SEEDS)
{
	struct world *w = running_world(seed, 2, "old", false);
	struct host *a = host_a(w), *b = host_b(w);
	unsigned int who = seed & 1;
	struct json *json;
	struct rotation r;

	begin(&r, w, 2);
	enter(&r, !who, 1);
	traffic(&r, SEC);
	json = host_reload(world_host(w, who), "new", NULL);
	DEMAND(w, json && jsonget_n(jsonget(json, "renewing")) == 1,
	       "nothing is renewed");
	json_destroy(json);
	demand_slot(world_host(w, who), -1);
	traffic(&r, SEC);
	demand_slot(world_host(w, who), 0);
	demand_slot(world_host(w, !who), 1);
	DEMAND(w, a->n_sessions == 2 && b->n_sessions == 2,
	       "%u and %u sessions", a->n_sessions, b->n_sessions);
	demand_nothing_lost(&r);
	demand_tidy(w, 2);
	world_free(w);
}

/* Taken away and given back: the session is renewed with it before the minute
 * is over, whoever dials. */
SEED_TEST(removed_password_comes_back_nothing_lost, SEEDS)
{
	struct world *w = running_world(seed, 2, "old", false);
	unsigned int who = seed & 1;
	struct rotation r;

	begin(&r, w, 2);
	json_destroy(host_reload(world_host(w, who), "new", NULL));
	traffic(&r, world_draw(w, SEC));
	json_destroy(host_reload(world_host(w, who), "new", "old"));
	traffic(&r, 70 * SEC);
	demand_slot(world_host(w, who), 1);
	demand_slot(world_host(w, !who), 0);
	demand_nothing_lost(&r);
	demand_tidy(w, 2);
	world_free(w);
}

/* The other host never hears of the new one: it is cut off, wholly, and not
 * before a minute has passed.  Once it knows, all is well again. */
SEED_TEST(removed_password_of_a_late_host_ends_after_a_minute, SEEDS)
{
	struct world *w = running_world(seed, 2, "old", false);
	struct host *a = host_a(w), *b = host_b(w);
	unsigned int who = seed & 1;
	struct host *ahead = world_host(w, who);
	struct host *late = world_host(w, !who);
	struct endpoint *from = ahead->endpoints[0];
	struct rotation r;

	begin(&r, w, 2);
	enter(&r, who, 3);
	traffic(&r, 58 * SEC);
	demand_nothing_lost(&r);
	world_run(w, 4 * SEC);
	DEMAND(w, ahead->kernel.n_sas == 0, "SAs left");
	DEMAND(w, ahead->kernel.n_policies == 4, "policies left");
	DEMAND(w, !fake_kernel_n_tunnel_flows(&ahead->kernel, NULL), "flows");
	DEMAND(w,
	       !endpoint_reaches_with(from, &late->endpoints[0]->ips[0], 84, 3),
	       "still reached");
	world_run(w, world_draw(w, 200 * SEC));
	DEMAND(w, n_connections(a, "established") == 0, "connected");
	DEMAND(w, n_connections(b, "established") == 0, "connected");
	enter(&r, !who, 2);
	demand_connected(w, 70 * SEC);
	demand_first_in_use(&r, SEC);
	demand_all_reach(w, 2);
	demand_tidy(w, 2);
	world_free(w);
}

/* ---- What changes nothing ---- */

SEED_TEST(same_passwords_read_again_nothing_happens, SEEDS)
{
	struct world *w = running_world(seed, 2, "old", false);
	struct host *a = host_a(w), *b = host_b(w);
	struct json *json = host_reload(seed & 1 ? a : b, "old", NULL);

	DEMAND(w, json && !json_boolean(jsonget(json, "changed")), "changed");
	json_destroy(json);
	world_run(w, 70 * SEC);
	DEMAND(w, a->n_sessions == 1 && b->n_sessions == 1, "new sessions");
	demand_tidy(w, 2);
	world_free(w);
}

static struct json *reload_nothing(struct host *h)
{
	struct event event = {.type = EVENT_PASSWORDS};
	struct ops ops;
	struct json *reply = NULL;

	ops_init(&ops);
	event.passwords.slots = h->slots;
	event.passwords.command = 4711;
	engine_step(h->engine, &event, world_now(h->world), NULL, &ops);
	for (size_t i = 0; i < ops.n; i++) {
		if (ops.v[i].type == OP_REPLY && ops.v[i].reply.ok) {
			reply = json_from_string(ops.v[i].text);
		}
	}
	ops_free(&ops);
	return reply;
}

SEED_TEST(encryption_never_switched_by_a_reload, 2)
{
	struct world *w =
		running_world(seed, 2, seed & 1 ? "old" : NULL, false);
	struct host *a = host_a(w);

	if (seed & 1) {
		DEMAND(w, !reload_nothing(a), "switched off");
	} else {
		DEMAND(w, !host_reload(a, "old", NULL), "switched on");
		a->kernel.guarded = false;
	}
	demand_all_reach(w, 2);
	DEMAND(w, a->n_sessions == 1, "new sessions");
	world_free(w);
}

/* Everything at once: reloads while handshakes, renewals and breaks are under
 * way. */
SEED_TEST(reloads_in_a_hurry_settle, SEEDS)
{
	struct world *w = running_world(seed, 4, "old", false);
	struct rotation r;

	begin(&r, w, 4);
	world_weather(w)->small_chunks = true;
	for (unsigned int i = 0; i < 100; i++) {
		unsigned int host = (unsigned int)world_draw(w, 4);

		enter(&r, host, (unsigned int)world_draw(w, N_STAGES));
		if (world_draw(w, 6) == 0) {
			world_break(w, world_host(w, host),
				    world_host(w, (host + 1) % 4));
		}
		world_run(w, world_draw(w, 2) * world_draw(w, 50 * MS));
	}
	for (unsigned int i = 0; i < 4; i++) {
		enter(&r, i, 3);
	}
	demand_connected(w, 130 * SEC);
	demand_first_in_use(&r, 70 * SEC);
	demand_tidy(w, 4);
	demand_all_reach(w, 4);
	world_free(w);
}

SCENARIO_MAIN("rotate", any_order_of_steps_on_three_hosts_loses_nothing_1,
	      any_order_of_steps_on_three_hosts_loses_nothing_2,
	      any_order_of_steps_on_three_hosts_loses_nothing_3,
	      any_order_of_steps_on_three_hosts_loses_nothing_4,
	      hosts_at_any_compatible_stages_nothing_lost,
	      step_by_step_sessions_move_to_the_new_password,
	      second_password_in_use_shown_with_its_slot,
	      removed_password_session_renewed_once_nothing_lost,
	      removed_password_comes_back_nothing_lost,
	      removed_password_of_a_late_host_ends_after_a_minute,
	      same_passwords_read_again_nothing_happens,
	      encryption_never_switched_by_a_reload, reloads_in_a_hurry_settle)
