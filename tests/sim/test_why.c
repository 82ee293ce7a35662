/* What is wrong with the way to a peer: who notices, whether the reason is the
 * right one, and that there is none where nothing is wrong. */
#include <errno.h>

#include "fake/scenario.h"
#include "ipsec/policy.h"

enum {
	SEEDS = 12
};

static struct json *why(struct host *h, const char *whom)
{
	char args[80];

	snprintf(args, sizeof args, "{\"peer\": \"%s\"}", whom);
	return host_ask(h, "why", args);
}

/* A member of the answer; "" if it has none. */
static void ask_why(struct host *h, const char *whom, const char *what,
		    char *buf, size_t size)
{
	struct json *json = why(h, whom);
	const struct json *path = jsonget(json, "path");
	const char *text = jsonget_string(json, what);

	if (!text && path) {
		text = jsonget_string(path, what);
	}
	snprintf(buf, size, "%s", text ? text : "");
	json_destroy(json);
}

static void demand_why(struct host *h, const char *whom, const char *what,
		       const char *expected)
{
	char text[160];

	ask_why(h, whom, what, text, sizeof text);
	DEMAND(h->world, !strcmp(text, expected), "%s on %s: %s is \"%s\"",
	       h->name, whom, what, text);
}

/* Nothing to complain of, at either end, and never since the start. */
static void demand_well(struct world *w)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct host *h = world_host(w, i);
		const char *peer = world_host(w, !i)->name;
		struct json *json = why(h, peer);
		const struct json *list = jsonget(json, "history");

		DEMAND(w,
		       !strcmp(jsonget_string(json, "verdict"), "good") &&
			       !strcmp(jsonget_string(json, "reason"), ""),
		       "%s says %s, %s", h->name,
		       jsonget_string(json, "verdict"),
		       jsonget_string(json, "reason"));
		for (size_t k = 0; k < jsonget_n(list); k++) {
			const char *reason =
				jsonget_string(jsonget_at(list, k), "reason");

			DEMAND(w, !*reason, "%s remembers %s", h->name, reason);
		}
		DEMAND(w, jsonget_n(jsonget(json, "tests")) == 0, "tested");
		json_destroy(json);
		json = host_ask(h, "status", NULL);
		DEMAND(w, !strcmp(jsonget_string(json, "verdict"), "healthy"),
		       "%s is %s", h->name, jsonget_string(json, "verdict"));
		json_destroy(json);
	}
}

static struct world *well_world(uint64_t seed, const char *password)
{
	struct world *w = running_world(seed, 2, password, seed & 1);

	world_run(w, 30 * SEC);
	demand_well(w);
	return w;
}

/* Traffic, so that probes are frequent; it need not arrive. */
static void run_with_traffic(struct world *w, uint64_t duration_us)
{
	for (uint64_t us = 0; us < duration_us; us += 500 * MS) {
		struct endpoint *from = host_a(w)->endpoints[0];
		struct endpoint *to = host_b(w)->endpoints[0];

		endpoint_ping(from, &to->ips[0], 84);
		endpoint_ping(to, &from->ips[0], 84);
		world_run(w, 500 * MS);
	}
}

/* The way from a to b is dead for that reason, the other one is not, and both
 * know it. */
static void demand_dead(struct world *w, const char *reason)
{
	struct host *a = host_a(w), *b = host_b(w);
	struct json *json;

	demand_why(a, "b", "there", "dead");
	demand_why(a, "b", "back", "good");
	demand_why(a, "b", "verdict", "down");
	demand_why(a, "b", "reason", reason);
	demand_why(b, "a", "there", "good");
	demand_why(b, "a", "back", "dead");
	demand_why(b, "a", "verdict", "down");
	demand_why(b, "a", "reason", reason);
	demand_connection(a, "", "established", reason);
	demand_connection(b, "", "established", reason);
	json = host_ask(a, "status", NULL);
	DEMAND(w, !strcmp(jsonget_string(json, "verdict"), "degraded"),
	       "status of a");
	json_destroy(json);
}

/* Mended: all is well again, and a remembers that it was not. */
static void demand_mended(struct world *w, const char *reason)
{
	struct json *json;
	const struct json *list;
	bool seen = false;

	/* Losses are remembered for as many probes as they are reckoned
	 * from. */
	for (unsigned int i = 0; i < 100; i++) {
		char a[16], b[16];

		run_with_traffic(w, SEC);
		ask_why(host_a(w), "b", "verdict", a, sizeof a);
		ask_why(host_b(w), "a", "verdict", b, sizeof b);
		if (!strcmp(a, "good") && !strcmp(b, "good")) {
			break;
		}
	}
	demand_why(host_a(w), "b", "verdict", "good");
	demand_why(host_b(w), "a", "verdict", "good");
	demand_reach(host_a(w)->endpoints[0], host_b(w)->endpoints[0]);
	json = why(host_a(w), "b");
	list = jsonget(json, "history");
	for (size_t i = 0; i < jsonget_n(list); i++) {
		seen |= !strcmp(jsonget_string(jsonget_at(list, i), "reason"),
				reason);
	}
	DEMAND(w, seen, "a has forgotten %s", reason);
	json_destroy(json);
}

SEED_TEST(one_way_failure_seen_by_both_in_three_seconds, SEEDS)
{
	struct world *w = well_world(seed, seed % 4 ? "pw" : NULL);

	run_with_traffic(w, 3 * SEC);
	world_filter(w, host_a(w), host_b(w), 0);
	run_with_traffic(w, 3500 * MS);
	demand_why(host_a(w), "b", "there", "dead");
	demand_why(host_a(w), "b", "back", "good");
	demand_why(host_b(w), "a", "there", "good");
	demand_why(host_b(w), "a", "back", "dead");
	/* The session was never in doubt. */
	DEMAND(w, n_connections(host_a(w), "established") == 1, "session");
	run_with_traffic(w, 5 * SEC);
	demand_dead(w, seed % 4 ? "esp-filtered" : "vxlan-filtered");
	world_filter(w, host_a(w), host_b(w), SIZE_MAX);
	demand_mended(w, seed % 4 ? "esp-filtered" : "vxlan-filtered");
	world_free(w);
}

SEED_TEST(both_ways_filtered_is_said_of_both, SEEDS)
{
	struct world *w = well_world(seed, "pw");

	world_filter(w, host_a(w), host_b(w), 0);
	world_filter(w, host_b(w), host_a(w), 0);
	run_with_traffic(w, 15 * SEC);
	demand_why(host_a(w), "b", "there", "dead");
	demand_why(host_a(w), "b", "back", "dead");
	demand_why(host_a(w), "b", "reason", "esp-filtered");
	demand_why(host_b(w), "a", "there", "dead");
	demand_why(host_b(w), "a", "reason", "esp-filtered");
	world_free(w);
}

/* Is 'seen' what came of a test? */
static bool has_tested(struct host *h, const char *whom, const char *tried,
		       const char *seen)
{
	struct json *json = why(h, whom);
	const struct json *list = jsonget(json, "tests");
	bool has = false;

	for (size_t i = 0; i < jsonget_n(list); i++) {
		const struct json *test = jsonget_at(list, i);

		has |= !strcmp(jsonget_string(test, "tried"), tried) &&
		       !strcmp(jsonget_string(test, "seen"), seen);
	}
	json_destroy(json);
	return has;
}

/* Hosts of which one or both have no openvswitch: there is but the sleeve. */
SEED_TEST(filtered_sleeve_is_found, SEEDS)
{
	struct world *w = sleeve_world(seed, 2, 1 + (unsigned int)(seed & 1),
				       seed % 4 ? "pw" : NULL);

	bring_up(w, 2);
	world_run(w, 30 * SEC);
	run_with_traffic(w, 3 * SEC);
	world_filter_sleeve(w, host_a(w), host_b(w), 0);
	run_with_traffic(w, 10 * SEC);
	demand_dead(w, "sleeve-filtered");
	DEMAND(w,
	       has_tested(host_a(w), "b", "datagrams of the sleeve", "sent") &&
		       has_tested(host_a(w), "b", "5 probes",
				  "the other host has received 0"),
	       "it was not tested");
	world_filter_sleeve(w, host_a(w), host_b(w), SIZE_MAX);
	demand_mended(w, "sleeve-filtered");
	world_free(w);
}

/* ESP first, then the sleeve, too: both are told of. */
SEED_TEST(both_overlays_filtered_is_said_of_both, SEEDS)
{
	struct world *w = sleeve_world(seed, 2, 0, "pw");
	struct host *a = host_a(w);
	char detail[160];

	bring_up(w, 2);
	world_run(w, 30 * SEC);
	run_with_traffic(w, 3 * SEC);
	world_filter(w, a, host_b(w), 0);
	run_with_traffic(w, 10 * SEC);
	demand_why(a, "b", "verdict", "degraded");
	demand_why(a, "b", "reason", "esp-filtered");
	demand_why(a, "b", "overlay", "sleeve");
	ask_why(a, "b", "detail", detail, sizeof detail);
	DEMAND(w, !strstr(detail, "either"), "detail: %s", detail);
	DEMAND(w, has_tested(a, "b", "probes by the sleeve", "arrive"),
	       "the sleeve was not looked at");
	world_filter_sleeve(w, a, host_b(w), 0);
	run_with_traffic(w, 20 * SEC);
	demand_why(a, "b", "verdict", "down");
	demand_why(a, "b", "reason", "esp-filtered");
	ask_why(a, "b", "detail", detail, sizeof detail);
	DEMAND(w, strstr(detail, "sleeve's datagrams (UDP) do not arrive"),
	       "detail: %s", detail);
	DEMAND(w,
	       has_tested(a, "b", "probes by the sleeve",
			  "do not arrive either"),
	       "the sleeve was not looked at again");
	world_filter_sleeve(w, a, host_b(w), SIZE_MAX);
	run_with_traffic(w, 20 * SEC);
	demand_why(a, "b", "verdict", "degraded");
	world_filter(w, a, host_b(w), SIZE_MAX);
	demand_mended(w, "esp-filtered");
	world_free(w);
}

/* A kernel without the counters of CONFIG_XFRM_STATISTICS. */
SEED_TEST(filter_is_found_without_error_counters, 4)
{
	struct world *w = well_world(seed, "pw");

	host_a(w)->kernel.counts_nothing = true;
	host_b(w)->kernel.counts_nothing = true;
	world_filter(w, host_a(w), host_b(w), 0);
	run_with_traffic(w, 10 * SEC);
	demand_dead(w, "esp-filtered");
	world_free(w);
}

/* Only that of a drops: the other way is fine. */
SEED_TEST(netfilter_of_this_host_is_found, SEEDS)
{
	bool esp = seed % 2;
	struct world *w = well_world(seed, esp || seed % 4 ? "pw" : NULL);
	struct fake_kernel *k = &host_a(w)->kernel;
	const char *reason = esp ? "esp-blocked" : "vxlan-blocked";

	*(esp ? &k->drops_esp_out : &k->drops_vxlan_out) = true;
	run_with_traffic(w, 10 * SEC);
	demand_dead(w, reason);
	k->drops_esp_out = k->drops_vxlan_out = false;
	demand_mended(w, reason);
	world_free(w);
}

SEED_TEST(netfilter_of_the_other_host_is_found, SEEDS)
{
	struct world *w = well_world(seed, "pw");

	host_b(w)->kernel.drops_vxlan_in = true;
	run_with_traffic(w, 10 * SEC);
	demand_dead(w, "vxlan-refused");
	host_b(w)->kernel.drops_vxlan_in = false;
	demand_mended(w, "vxlan-refused");
	world_free(w);
}

/* Somebody's policy comes before ours. */
static void put_block(struct host *h, enum xfrm_dir dir)
{
	struct xfrm_policy *p = &h->kernel.policies[h->kernel.n_policies++];

	for (unsigned int i = 0; i < POLICY_N_BLOCKS; i++) {
		policy_make_block(p, i, WORLD_PORT + 1);
		if (p->dir == dir && !p->v6) {
			break;
		}
	}
	p->priority = 1;
}

SEED_TEST(policy_of_somebody_is_found, SEEDS)
{
	enum xfrm_dir dir = seed % 2 ? XFRM_DIR_OUT : XFRM_DIR_IN;
	struct world *w = running_world(seed, 2, "pw", false);
	struct host *h = dir == XFRM_DIR_OUT ? host_a(w) : host_b(w);
	const char *reason = dir == XFRM_DIR_OUT ? "policy-out" : "policy-in";

	world_run(w, 30 * SEC);
	demand_well(w);
	h->kernel.disturbed = true;
	put_block(h, dir);
	run_with_traffic(w, 10 * SEC);
	demand_dead(w, reason);
	h->kernel.n_policies--;
	demand_mended(w, reason);
	world_free(w);
}

/* The SAs that 'from' sends through, in the kernel of 'h'. */
static struct fake_sa *sa_between(struct host *h, const struct host *from,
				  size_t i)
{
	for (size_t k = 0; k < h->kernel.n_sas; k++) {
		struct fake_sa *sa = &h->kernel.sas[k];

		if ((ip_equal(&sa->sa.src, &from->v4) ||
		     ip_equal(&sa->sa.src, &from->v6)) &&
		    !i--) {
			return sa;
		}
	}
	return NULL;
}

/* Nobody is told that the keys of b are not those of a any more. */
SEED_TEST(keys_that_differ_are_found, SEEDS)
{
	struct world *w = well_world(seed, "pw");
	struct fake_sa *sa;

	for (size_t i = 0; (sa = sa_between(host_b(w), host_a(w), i)); i++) {
		sa->sa.key[7] ^= 1;
	}
	run_with_traffic(w, 10 * SEC);
	demand_dead(w, "sa-mismatch");
	/* What the advice says does help. */
	json_destroy(host_ask(host_a(w), "rekey", NULL));
	demand_mended(w, "sa-mismatch");
	world_free(w);
}

/* Without a word: an event that was lost. */
SEED_TEST(sas_that_are_missing_are_found, SEEDS)
{
	struct world *w = well_world(seed, "pw");
	bool here = seed % 2;
	struct host *h = here ? host_a(w) : host_b(w);
	const char *reason = here ? "sa-missing" : "sa-mismatch";
	struct fake_sa *sa;

	h->kernel.disturbed = h->kernel.robbed = true;
	while ((sa = sa_between(h, host_a(w), 0))) {
		*sa = h->kernel.sas[--h->kernel.n_sas];
	}
	run_with_traffic(w, 10 * SEC);
	demand_dead(w, reason);
	json_destroy(host_ask(host_a(w), "rekey", NULL));
	demand_mended(w, reason);
	world_free(w);
}

/* Some lanes alone: the others go on, and so does everything. */
SEED_TEST(dead_lane_is_found, SEEDS)
{
	struct world *w = well_world(seed, "pw");
	struct fake_sa *sa = sa_between(host_b(w), host_a(w), 1);

	if (lanes_to(host_a(w), host_b(w)) > 1) {
		sa->sa.key[7] ^= 1;
		run_with_traffic(w, 60 * SEC);
		demand_why(host_a(w), "b", "there", "lanes");
		demand_why(host_b(w), "a", "back", "lanes");
		demand_why(host_a(w), "b", "verdict", "degraded");
		demand_why(host_a(w), "b", "reason", "sa-mismatch");
		json_destroy(host_ask(host_a(w), "rekey", NULL));
		run_with_traffic(w, 60 * SEC);
		demand_why(host_a(w), "b", "verdict", "good");
	}
	world_free(w);
}

SEED_TEST(route_that_leads_nowhere_is_found, SEEDS)
{
	static const int errors[] = {EINVAL, EHOSTUNREACH, EACCES, ENETUNREACH};
	struct world *w = well_world(seed, seed % 3 ? "pw" : NULL);
	struct host *a = host_a(w);
	char detail[160];

	a->kernel.route_errno = errors[seed % 4];
	host_net_changed(a);
	run_with_traffic(w, 2 * SEC);
	/* At once: the kernel has said so. */
	demand_why(a, "b", "reason", "no-route");
	demand_why(a, "b", "verdict", "down");
	ask_why(a, "b", "detail", detail, sizeof detail);
	DEMAND(w, seed % 4 || strstr(detail, "blackhole"), "%s", detail);
	a->kernel.route_errno = 0;
	host_net_changed(a);
	demand_mended(w, "no-route");
	world_free(w);
}

/* Smaller ones than the least MTU there is: no search helps. */
SEED_TEST(large_packets_that_vanish_are_told_apart, SEEDS)
{
	struct world *w = well_world(seed, seed % 3 ? "pw" : NULL);

	world_filter(w, host_a(w), host_b(w), 300);
	run_with_traffic(w, 60 * SEC);
	demand_why(host_a(w), "b", "there", "small");
	demand_why(host_a(w), "b", "reason", "path-small");
	demand_why(host_a(w), "b", "verdict", "degraded");
	demand_why(host_b(w), "a", "back", "small");
	demand_why(host_b(w), "a", "reason", "path-small");
	world_filter(w, host_a(w), host_b(w), SIZE_MAX);
	run_with_traffic(w, 60 * SEC);
	demand_why(host_a(w), "b", "verdict", "good");
	world_free(w);
}

/* A slow session, a lossy way within bounds, a moment without anything: none of
 * that is a reason, and nothing is tested. */
SEED_TEST(what_is_only_slow_or_lossy_is_not_dead, SEEDS)
{
	struct world *w = well_world(seed, "pw");
	struct weather *weather = world_weather(w);

	weather->delay_min_us = 200 * MS;
	weather->delay_max_us = 1500 * MS;
	run_with_traffic(w, 60 * SEC);
	demand_well(w);
	weather->delay_min_us = 50;
	weather->delay_max_us = 3000;
	weather->loss = 20;
	run_with_traffic(w, 120 * SEC);
	weather->loss = 0;
	demand_why(host_a(w), "b", "verdict", "good");
	demand_why(host_b(w), "a", "verdict", "good");
	world_filter(w, host_a(w), host_b(w), 0);
	run_with_traffic(w, 1 * SEC);
	world_filter(w, host_a(w), host_b(w), SIZE_MAX);
	run_with_traffic(w, 10 * SEC);
	demand_well(w);
	world_free(w);
}

/* As long as it lasts the answer stays the same, and tests become rare. */
SEED_TEST(answer_is_steady_and_cheap, 4)
{
	struct world *w = well_world(seed, "pw");
	struct json *json;
	size_t before, after;

	world_filter(w, host_a(w), host_b(w), 0);
	run_with_traffic(w, 30 * SEC);
	json = why(host_a(w), "b");
	before = jsonget_n(jsonget(json, "history"));
	json_destroy(json);
	for (unsigned int i = 0; i < 30; i++) {
		run_with_traffic(w, 10 * SEC);
		demand_dead(w, "esp-filtered");
	}
	json = why(host_a(w), "b");
	after = jsonget_n(jsonget(json, "history"));
	DEMAND(w, after == before, "%zu changes", after - before);
	json_destroy(json);
	world_free(w);
}

/* ---- Hosts without a session ---- */

SEED_TEST(refusals_are_explained_at_both_ends, SEEDS)
{
	struct world *w = world_new(seed);
	struct host *a = world_add_host(w, "a", "secret");
	struct host *b = world_add_host(w, "b", seed % 2 ? "other" : NULL);

	host_add_target(a, &b->v4);
	start_all(w, 2);
	world_run(w, 30 * SEC);
	demand_why(a, "192.0.2.2", "verdict", "down");
	demand_why(a, "192.0.2.2:6783", "reason",
		   seed % 2 ? "wrong-password" : "plain-peer");
	demand_why(b, "192.0.2.1", "reason",
		   seed % 2 ? "wrong-password" : "crypted-peer");
	world_free(w);
}

SEED_TEST(nobody_there_is_said_since_when, SEEDS)
{
	struct world *w = world_new(seed);
	struct host *a = world_add_host(w, "a", "secret");
	struct json *json;
	int64_t n;

	world_add_host(w, "b", "secret");
	host_add_target(a, &world_host(w, 1)->v4);
	host_start_well(a);
	world_run(w, 100 * SEC);
	json = why(a, "192.0.2.2");
	DEMAND(w, !strcmp(jsonget_string(json, "reason"), "dial-failed"),
	       "reason");
	DEMAND(w, jsonget_integer(json, "since", 90, 101, &n), "since");
	DEMAND(w, jsonget_integer(json, "failures", 3, 100, &n), "failures");
	/* Failures that are alike are one change. */
	DEMAND(w, jsonget_n(jsonget(json, "history")) == 1, "history");
	json_destroy(json);
	DEMAND(w, !host_command(a, "why", "{\"peer\": \"192.0.2.77\"}"),
	       "knows a stranger");
	world_free(w);
}

SEED_TEST(changed_key_is_explained, SEEDS)
{
	struct world *w = running_world(seed, 2, "pw", false);
	struct host *a = host_a(w), *b = host_b(w);

	host_kill(b);
	host_new_key(b);
	host_start_well(b);
	world_run(w, 30 * SEC);
	demand_why(a, "b", "reason", "identity-changed");
	demand_why(b, "192.0.2.1", "reason", "identity-refused");
	world_free(w);
}

/* c is seen by b alone; a speaks to c through b. */
SEED_TEST(relayed_host_is_explained, SEEDS)
{
	struct world *w = hosts_new(seed, 3, "pw");

	dial_all(w, 3, false);
	start_all(w, 3);
	demand_connected(w, 10 * SEC);
	for (unsigned int i = 0; i < 3; i++) {
		attach(world_host(w, i), i + 1);
	}
	world_filter(w, host_a(w), host_c(w), 0);
	world_run(w, 40 * SEC);
	demand_why(host_a(w), "c", "via", "b");
	demand_why(host_a(w), "c", "verdict", "degraded");
	demand_why(host_a(w), "c", "reason", "esp-filtered");
	demand_why(host_c(w), "a", "via", "b");
	demand_why(host_c(w), "a", "verdict", "degraded");
	demand_why(host_c(w), "a", "back", "dead");
	demand_reach(host_a(w)->endpoints[0], host_c(w)->endpoints[0]);
	world_free(w);
}

/* A host that is slow is no dead one: it may find the question for a probe
 * before it has read the probe. */
SEED_TEST(slow_hosts_are_not_dead, SEEDS)
{
	struct world *w = well_world(seed, "pw");

	for (unsigned int i = 0; i < 20; i++) {
		host_b(w)->turn_us = 300 * MS + world_draw(w, 1500 * MS);
		run_with_traffic(w, 2 * SEC);
		host_b(w)->turn_us = 0;
		run_with_traffic(w, 5 * SEC);
	}
	demand_well(w);
	world_free(w);
}

SCENARIO_MAIN("why", one_way_failure_seen_by_both_in_three_seconds,
	      both_ways_filtered_is_said_of_both, filtered_sleeve_is_found,
	      both_overlays_filtered_is_said_of_both,
	      filter_is_found_without_error_counters,
	      netfilter_of_this_host_is_found,
	      netfilter_of_the_other_host_is_found, policy_of_somebody_is_found,
	      keys_that_differ_are_found, sas_that_are_missing_are_found,
	      dead_lane_is_found, route_that_leads_nowhere_is_found,
	      large_packets_that_vanish_are_told_apart,
	      what_is_only_slow_or_lossy_is_not_dead,
	      answer_is_steady_and_cheap, refusals_are_explained_at_both_ends,
	      nobody_there_is_said_since_when, changed_key_is_explained,
	      relayed_host_is_explained, slow_hosts_are_not_dead)
