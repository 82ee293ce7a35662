/* What the scenarios of tests/sim have in common. */
#ifndef FDP_TESTS_FAKE_SCENARIO_H
#define FDP_TESTS_FAKE_SCENARIO_H 1

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonget.h"
#include "fake/world.h"
#include "openvswitch/json.h"

#define UNUSED __attribute__((unused))

#define DEMAND(W, CONDITION, ...)                   \
	do {                                        \
		if (!(CONDITION)) {                 \
			world_fail(W, __VA_ARGS__); \
		}                                   \
	} while (0)

static inline struct host *host_a(struct world *w)
{
	return world_host(w, 0);
}

static inline struct host *host_b(struct world *w)
{
	return world_host(w, 1);
}

static inline struct host *host_c(struct world *w)
{
	return world_host(w, 2);
}

/* Hosts a, b, ... with one password (or none), not started. */
static UNUSED struct world *hosts_new(uint64_t seed, unsigned int n,
				      const char *password)
{
	struct world *w = world_new(seed);

	for (unsigned int i = 0; i < n; i++) {
		const char name[2] = {(char)('a' + i), '\0'};

		world_add_host(w, name, password);
	}
	return w;
}

/* Each host dials those before it, over one family. */
static UNUSED void dial_all(struct world *w, unsigned int n, bool v6)
{
	for (unsigned int i = 0; i < n; i++) {
		for (unsigned int j = 0; j < i; j++) {
			const struct host *to = world_host(w, j);

			host_add_target(world_host(w, i),
					v6 ? &to->v6 : &to->v4);
		}
	}
}

static UNUSED void start_all(struct world *w, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		host_start_well(world_host(w, i));
	}
}

static UNUSED void demand_connected(struct world *w, uint64_t timeout_us)
{
	DEMAND(w, world_connect(w, timeout_us), "not connected after %u s",
	       (unsigned int)(timeout_us / SEC));
}

/* Container number 'n' of the world, 10.0.0.n and fd00::n; NULL if it was
 * refused. */
static UNUSED struct endpoint *attach_try(struct host *h, unsigned int n)
{
	char netns[16], addresses[64];

	snprintf(netns, sizeof netns, "c%u", n);
	snprintf(addresses, sizeof addresses,
		 "[\"10.0.0.%u/24\", \"fd00::%x/64\"]", n, n);
	return host_attach(h, netns, addresses, NULL);
}

static UNUSED struct endpoint *attach(struct host *h, unsigned int n)
{
	struct endpoint *e = attach_try(h, n);

	DEMAND(h->world, e, "%s does not attach c%u: %s", h->name, n, h->reply);
	return e;
}

/* Hosts that are connected, with one container each. */
static UNUSED struct world *running_world(uint64_t seed, unsigned int n,
					  const char *password, bool v6)
{
	struct world *w = hosts_new(seed, n, password);

	dial_all(w, n, v6);
	start_all(w, n);
	demand_connected(w, 10 * SEC);
	for (unsigned int i = 0; i < n; i++) {
		attach(world_host(w, i), i + 1);
	}
	world_run(w, 100 * MS);
	return w;
}

static UNUSED void demand_reach(struct endpoint *from,
				const struct endpoint *to)
{
	for (size_t i = 0; i < to->n_ips; i++) {
		char ip[IP_STRLEN];

		DEMAND(from->host->world, endpoint_reaches(from, &to->ips[i]),
		       "%s on %s does not reach %s on %s (%s)", from->netns,
		       from->host->name, ip_format(&to->ips[i], ip),
		       to->host->name, to->netns);
	}
}

/* Every container of a running host reaches every other. */
static UNUSED void demand_all_reach(struct world *w, unsigned int n)
{
	for (unsigned int i = 0; i < n * n; i++) {
		struct host *from = world_host(w, i / n);
		struct host *to = world_host(w, i % n);

		if (!from->engine || !to->engine) {
			continue;
		}
		for (size_t j = 0; j < from->n_endpoints; j++) {
			for (size_t k = 0; k < to->n_endpoints; k++) {
				if (from->endpoints[j] != to->endpoints[k]) {
					demand_reach(from->endpoints[j],
						     to->endpoints[k]);
				}
			}
		}
	}
}

/* How many SAs 'h' sends through to 'peer'. */
static UNUSED size_t lanes_to(const struct host *h, const struct host *peer)
{
	return h->sas_per_peer < peer->sas_per_peer ? h->sas_per_peer
						    : peer->sas_per_peer;
}

/* What a host has in its kernel that is connected with the others of 'n'. */
static UNUSED size_t proper_sas(const struct host *h, unsigned int n)
{
	size_t sum = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (i != h->index) {
			sum += h->sas_per_peer +
			       lanes_to(h, world_host(h->world, i));
		}
	}
	return sum;
}

static UNUSED size_t proper_policies(const struct host *h, unsigned int n)
{
	return 4 + (n - 1) + proper_sas(h, n) - (n - 1) * h->sas_per_peer;
}

/* How many flows a host has that wait for their packets. */
static UNUSED size_t flows_ahead(struct host *h)
{
	struct json *json = host_ask(h, "status", NULL);
	int64_t n = -1;

	DEMAND(h->world,
	       jsonget_integer(jsonget(json, "flows"), "ahead", 0, 100000, &n),
	       "no such number");
	json_destroy(json);
	return (size_t)n;
}

/* Some minutes later nothing superfluous is left in the kernels of 'n'
 * connected hosts with a password: with one SA a peer, one SA each way and two
 * policies. */
static UNUSED void demand_tidy(struct world *w, unsigned int n)
{
	world_run(w, 200 * SEC);
	for (unsigned int i = 0; i < n; i++) {
		struct host *h = world_host(w, i);

		DEMAND(w, h->kernel.n_sas == proper_sas(h, n), "%s has %zu SAs",
		       h->name, h->kernel.n_sas);
		DEMAND(w, h->kernel.n_policies == proper_policies(h, n),
		       "%s has %zu policies", h->name, h->kernel.n_policies);
		DEMAND(w, h->kernel.n_flows == flows_ahead(h),
		       "%s has %zu flows", h->name, h->kernel.n_flows);
	}
}

/* A row of `status connections`: that of 'address' (a prefix of it), or the
 * first if that is NULL. */
static UNUSED const struct json *connection(const struct json *reply,
					    const char *address)
{
	const struct json *list = jsonget(reply, "connections");

	for (size_t i = 0; i < jsonget_n(list); i++) {
		const struct json *row = jsonget_at(list, i);

		if (!address || !strncmp(jsonget_string(row, "address"),
					 address, strlen(address))) {
			return row;
		}
	}
	return NULL;
}

/* Demands of the row of 'address' the state and the reason, unless it is just
 * being tried again. */
static UNUSED void demand_connection(struct host *h, const char *address,
				     const char *state, const char *reason)
{
	struct world *w = h->world;
	char shown[64] = "nothing";

	for (unsigned int i = 0; i < 20; i++) {
		struct json *json = host_ask(h, "connections", NULL);
		const struct json *row = connection(json, address);
		bool as_demanded = false;

		if (row) {
			const char *s = jsonget_string(row, "state");
			const char *r = jsonget_string(row, "reason");

			snprintf(shown, sizeof shown, "%s, %s", s, r);
			as_demanded = !strcmp(s, state) && !strcmp(r, reason);
		}
		json_destroy(json);
		if (as_demanded) {
			return;
		}
		world_run(w, 10 * MS);
	}
	world_fail(w, "%s shows %s as %s; expected %s, %s", h->name, address,
		   shown, state, reason);
}

static UNUSED size_t n_connections(struct host *h, const char *state)
{
	struct json *json = host_ask(h, "connections", NULL);
	const struct json *list = jsonget(json, "connections");
	size_t n = 0;

	for (size_t i = 0; i < jsonget_n(list); i++) {
		n += !strcmp(jsonget_string(jsonget_at(list, i), "state"),
			     state);
	}
	json_destroy(json);
	return n;
}

/* Hosts that all have a sleeve; the first 'n_without' no openvswitch. */
static UNUSED struct world *sleeve_world(uint64_t seed, unsigned int n,
					 unsigned int n_without,
					 const char *password)
{
	struct world *w = hosts_new(seed, n, password);

	for (unsigned int i = 0; i < n; i++) {
		host_give_sleeve(world_host(w, i), i >= n_without,
				 world_draw(w, 3));
	}
	dial_all(w, n, seed & 1);
	return w;
}

static UNUSED void bring_up(struct world *w, unsigned int n)
{
	start_all(w, n);
	demand_connected(w, 10 * SEC);
	for (unsigned int i = 0; i < n; i++) {
		attach(world_host(w, i), i + 1);
	}
	world_run(w, 100 * MS);
}

/* Such hosts, connected, with one container each, all of which are reached. */
static UNUSED struct world *sleeve_world_up(uint64_t seed, unsigned int n,
					    unsigned int n_without,
					    const char *password)
{
	struct world *w = sleeve_world(seed, n, n_without, password);

	bring_up(w, n);
	demand_all_reach(w, n);
	return w;
}

/* The word 'key' of the row of 'b' in what 'a' shows. */
static UNUSED void demand_row(struct host *a, const struct host *b,
			      const char *key, const char *value)
{
	struct json *json = host_ask(a, "peers", NULL);
	const struct json *list = jsonget(json, "peers");
	const char *shown = "nothing";

	for (size_t i = 0; i < jsonget_n(list); i++) {
		const struct json *row = jsonget_at(list, i);

		if (!strcmp(jsonget_string(row, "name"), b->name)) {
			shown = jsonget_string(row, key);
		}
	}
	DEMAND(a->world, !strcmp(shown, value), "%s shows %s of %s as %s",
	       a->name, key, b->name, shown);
	json_destroy(json);
}

/* The main() of a scenario program. */
static inline int scenario_main(const char *name, const TTest *const *tests,
				size_t n)
{
	Suite *suite = suite_create(name);
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < n; i++) {
		TCase *tcase = tcase_create(tests[i]->name);

		tcase_set_timeout(tcase, 240);
		tcase_add_test(tcase, tests[i]);
		suite_add_tcase(suite, tcase);
	}
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define SCENARIO_MAIN(NAME, ...)                                      \
	int main(void)                                                \
	{                                                             \
		const TTest *const tests[] = {__VA_ARGS__};           \
                                                                      \
		return scenario_main(NAME, tests,                     \
				     sizeof tests / sizeof tests[0]); \
	}

/* A test that runs 'body' for 'n' seeds. */
#define SEED_TEST(NAME, N)                       \
	static void NAME##_body(uint64_t);       \
	START_TEST(NAME)                         \
	{                                        \
		world_each_seed(N, NAME##_body); \
	}                                        \
	END_TEST                                 \
	static void NAME##_body(uint64_t seed)

#endif
