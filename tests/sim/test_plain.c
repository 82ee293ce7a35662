/* Hosts that need not encrypt between them (--trusted-subnet).  That nothing is
 * plain between two hosts of which one does not want it, is checked with every
 * packet (fake/world.c). */
#include <errno.h>

#include "fake/scenario.h"

enum {
	SEEDS = 12
};

static void trust(struct host *h, const char *prefix)
{
	enum err err = prefix_parse(prefix, &h->trusts[h->n_trusts++]);

	DEMAND(h->world, !err, "%s", prefix);
}

static bool is_v6(uint64_t seed)
{
	return seed % 2;
}

/* a and b trust each other, c trusts all, and nobody c. */
static struct world *trusting_world(uint64_t seed)
{
	struct world *w = hosts_new(seed, 3, "secret");

	dial_all(w, 3, is_v6(seed));
	trust(host_a(w), is_v6(seed) ? "2001:db8::2/128" : "192.0.2.2/32");
	trust(host_b(w), is_v6(seed) ? "2001:db8::/127" : "192.0.2.0/31");
	trust(host_c(w), is_v6(seed) ? "::/0" : "0.0.0.0/0");
	start_all(w, 3);
	demand_connected(w, 10 * SEC);
	for (unsigned int i = 0; i < 3; i++) {
		attach(world_host(w, i), i + 1);
	}
	world_run(w, 2 * SEC);
	return w;
}

/* Policies that let plain packets pass. */
static size_t n_plain_policies(const struct host *h)
{
	size_t n = 0;

	for (size_t i = 0; i < h->kernel.n_policies; i++) {
		n += h->kernel.policies[i].plain;
	}
	return n;
}

static size_t n_pairs(const struct host *h)
{
	return h->kernel.n_pairs;
}

/* How many packets between all containers left a in the clear. */
static uint64_t plain_packets(struct world *w, unsigned int n)
{
	uint64_t before = host_a(w)->kernel.n_plain_sent;

	demand_all_reach(w, n);
	return host_a(w)->kernel.n_plain_sent - before;
}

static void demand_plain(struct world *w, bool plain)
{
	struct host *a = host_a(w), *b = host_b(w), *c = host_c(w);
	uint64_t n = plain_packets(w, 3);

	DEMAND(w, plain == (n > 0), "%u plain packets", (unsigned int)n);
	for (struct host *h = a;; h = b) {
		DEMAND(w, n_plain_policies(h) == (plain ? 2 : 0),
		       "%s has %zu plain policies", h->name,
		       n_plain_policies(h));
		DEMAND(w, n_pairs(h) == plain, "%s: %zu rules of the guard",
		       h->name, n_pairs(h));
		if (h == b) {
			break;
		}
	}
	DEMAND(w, !n_plain_policies(c) && !n_pairs(c), "c has an exception");
	DEMAND(w, !c->kernel.n_plain_sent, "c sends in the clear");
}

static void demand_shown(struct host *h, const char *what)
{
	struct json *json = host_ask(h, "status", NULL);
	char *text = json_to_string(jsonget(json, "plain"), JSSF_SORT);

	DEMAND(h->world, !strcmp(text, what), "%s shows %s", h->name, text);
	free(text);
	json_destroy(json);
}

SEED_TEST(plain_where_both_want_it_and_nowhere_else, SEEDS)
{
	struct world *w = trusting_world(seed);

	demand_plain(w, true);
	demand_shown(host_a(w), "[\"b\"]");
	demand_shown(host_b(w), "[\"a\"]");
	demand_shown(host_c(w), "[]");
	/* Keys are made all the same. */
	json_destroy(host_ask(host_a(w), "rekey", NULL));
	world_run(w, 70 * SEC);
	demand_plain(w, true);
	world_free(w);
}

SEED_TEST(session_that_ends_ends_it_and_loses_nothing, SEEDS)
{
	struct world *w = trusting_world(seed);
	struct host *a = host_a(w), *b = host_b(w);

	demand_plain(w, true);
	host_kill(b);
	world_run(w, SEC);
	DEMAND(w, !plain_packets(w, 2), "plain without a session");
	/* What b's kernel sends in the clear is let in as long as that. */
	DEMAND(w, n_plain_policies(a) == 1, "%zu", n_plain_policies(a));
	demand_reach(b->endpoints[0], a->endpoints[0]);
	host_start_well(b);
	demand_connected(w, 30 * SEC);
	world_run(w, 2 * SEC);
	demand_plain(w, true);
	world_break(w, a, b);
	world_run(w, 30 * SEC);
	demand_plain(w, true);
	world_free(w);
}

SEED_TEST(host_that_wants_it_no_more_ends_it_at_its_start, SEEDS)
{
	struct world *w = trusting_world(seed);
	struct host *b = world_host(w, (unsigned int)(seed / 2 % 2));

	if (seed % 3) {
		host_kill(b);
	} else {
		host_stop(b);
	}
	world_run(w, SEC);
	b->n_trusts = 0;
	host_start(b);
	/* Before it has heard of anybody. */
	world_run(w, 500 * MS);
	DEMAND(w, !n_plain_policies(b) && !n_pairs(b), "an exception is left");
	demand_connected(w, 30 * SEC);
	world_run(w, 5 * SEC);
	demand_plain(w, false);
	demand_shown(host_a(w), "[]");
	world_free(w);
}

SEED_TEST(peer_that_is_forgotten_leaves_no_exception, SEEDS)
{
	struct world *w = trusting_world(seed);
	struct host *a = host_a(w), *b = host_b(w);
	char args[80], ip[IP_STRLEN];

	snprintf(args, sizeof args, "{\"address\": \"%s\"}",
		 ip_format(is_v6(seed) ? &b->v6 : &b->v4, ip));
	host_stop(b);
	json_destroy(host_ask(a, "forget", args));
	world_run(w, 2 * SEC);
	DEMAND(w, !n_plain_policies(a) && !n_pairs(a), "an exception is left");
	world_free(w);
}

/* Whatever the kernel refuses, and whenever the daemon dies. */
SEED_TEST(nothing_is_plain_by_mistake, 40)
{
	struct world *w = trusting_world(seed);

	for (unsigned int i = 0; i < 12; i++) {
		struct host *h = world_host(w, (unsigned int)world_draw(w, 2));

		switch (world_draw(w, 4)) {
		case 0:
			h->kernel.fault = (struct fake_fault){
				.op = OP_POLICY_PUT,
				.nth = (unsigned int)world_draw(w, 6),
				.os_errno = ENOMEM,
				.lasting = world_draw(w, 2)};
			world_break(w, host_a(w), host_b(w));
			break;
		case 1:
			host_die_after(h, 1 + (unsigned int)world_draw(w, 40));
			world_break(w, host_a(w), host_b(w));
			break;
		case 2:
			fake_kernel_flush_policies(&h->kernel);
			break;
		default:
			host_kill(h);
			break;
		}
		for (unsigned int j = 0; j < 2; j++) {
			struct host *to = world_host(w, !h->index);

			world_run(w, world_draw(w, 2 * SEC));
			(void)endpoint_reaches(h->endpoints[0],
					       &to->endpoints[0]->ips[0]);
			(void)endpoint_reaches(to->endpoints[0],
					       &h->endpoints[0]->ips[0]);
		}
		memset(&h->kernel.fault, 0, sizeof h->kernel.fault);
		if (!host_is_running(h)) {
			/* Its sockets are closed by now, and others know. */
			world_run(w, SEC);
			h->n_trusts = world_draw(w, 2);
			host_start(h);
		}
	}
	world_free(w);
}

SCENARIO_MAIN("plain", plain_where_both_want_it_and_nowhere_else,
	      session_that_ends_ends_it_and_loses_nothing,
	      host_that_wants_it_no_more_ends_it_at_its_start,
	      peer_that_is_forgotten_leaves_no_exception,
	      nothing_is_plain_by_mistake)
