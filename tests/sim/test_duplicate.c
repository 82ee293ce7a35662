/* One address on two hosts: the first owner keeps it, and both are told. */
#include "fake/scenario.h"

enum {
	SEEDS = 6
};

static void demand_verdict(struct host *h, const char *verdict,
			   const char *reason)
{
	struct json *json = host_ask(h, "status", NULL);
	char *text = json_to_string(jsonget(json, "reasons"), JSSF_SORT);

	DEMAND(h->world, !strcmp(jsonget_string(json, "verdict"), verdict),
	       "%s is not %s: %s", h->name, verdict, text);
	DEMAND(h->world, !reason || strstr(text, reason), "%s says %s", h->name,
	       text);
	free(text);
	json_destroy(json);
}

/* What `ports` says of the first port; "": nobody else has its address. */
static void demand_port(struct host *h, const char *duplicate)
{
	struct json *json = host_ask(h, "ports", NULL);
	const struct json *port = jsonget_at(jsonget(json, "ports"), 0);
	const char *shown = jsonget_string(port, "duplicate");

	DEMAND(h->world, !strcmp(shown, duplicate), "%s shows \"%s\"", h->name,
	       shown);
	json_destroy(json);
}

/* What `peers` of 'h' says of the endpoint of 'peer'. */
static void demand_endpoint(struct host *h, const char *peer,
			    const char *duplicate)
{
	struct json *json = host_ask(h, "peers", NULL);
	const struct json *list = jsonget(json, "peers");
	const char *shown = "no such peer";

	for (size_t i = 0; i < jsonget_n(list); i++) {
		const struct json *row = jsonget_at(list, i);

		if (!strcmp(jsonget_string(row, "name"), peer)) {
			shown = jsonget_string(
				jsonget_at(jsonget(row, "endpoints"), 0),
				"duplicate");
			DEMAND(h->world, !strcmp(shown, duplicate),
			       "%s shows \"%s\" of %s", h->name, shown, peer);
		}
	}
	json_destroy(json);
}

static void connect_to(struct host *h, const struct host *to)
{
	char ip[IP_STRLEN], args[80];

	snprintf(args, sizeof args, "{\"address\": \"%s\"}",
		 ip_format(&to->v4, ip));
	json_destroy(host_ask(h, "connect", args));
}

/* a and b attach the same address before they know of each other; c knows a
 * first. */
static struct world *parted_world(uint64_t seed, const char *second)
{
	struct world *w = hosts_new(seed, 3, "secret");

	start_all(w, 3);
	DEMAND(w,
	       host_attach(host_a(w), "c1", "[\"10.0.0.1/24\"]",
			   "02:00:00:00:00:01"),
	       "not attached");
	DEMAND(w, host_attach(host_b(w), "c2", second, "02:00:00:00:00:02"),
	       "not attached");
	attach(host_c(w), 3);
	connect_to(host_c(w), host_a(w));
	world_run(w, 5 * SEC);
	connect_to(host_c(w), host_b(w));
	connect_to(host_a(w), host_b(w));
	demand_connected(w, 60 * SEC);
	world_run(w, 2 * SEC);
	return w;
}

SEED_TEST(address_on_two_hosts_is_reported_by_all, SEEDS)
{
	struct world *w = parted_world(seed, "[\"10.0.0.1/24\"]");
	struct host *a = host_a(w), *b = host_b(w), *c = host_c(w);
	struct ip_addr ip = ip_of("10.0.0.1");
	unsigned int n_warnings = c->n_warnings;

	demand_verdict(a, "degraded", "DUPLICATE");
	demand_verdict(b, "degraded", "DUPLICATE");
	demand_verdict(c, "degraded", "DUPLICATE");
	demand_port(a, "b");
	demand_port(b, "a");
	demand_endpoint(a, "b", "a");
	demand_endpoint(b, "a", "b");
	demand_endpoint(c, "b", "a");
	demand_endpoint(c, "a", "");
	/* The first owner has it, and is not told again with every change. */
	DEMAND(w, endpoint_reaches(c->endpoints[0], &ip), "nobody has it");
	DEMAND(w,
	       fake_kernel_n_tunnel_flows(&c->kernel, &a->v4) &&
		       !fake_kernel_n_tunnel_flows(&c->kernel, &b->v4),
	       "not the first one has it");
	attach(b, 7);
	world_run(w, SEC);
	DEMAND(w, c->n_warnings == n_warnings, "told again");
	/* And when it is given up the other one. */
	host_detach(a->endpoints[0]);
	world_run(w, 2 * SEC);
	demand_verdict(b, "healthy", NULL);
	demand_verdict(c, "healthy", NULL);
	demand_port(b, "");
	demand_endpoint(c, "b", "");
	/* Asked by somebody who does not know the first one's MAC. */
	DEMAND(w, endpoint_reaches(attach(c, 8), &ip), "nobody has it then");
	world_free(w);
}

/* The control. */
SEED_TEST(addresses_of_their_own_are_no_duplicates, SEEDS)
{
	struct world *w = parted_world(seed, "[\"10.0.0.2/24\"]");

	for (unsigned int i = 0; i < 3; i++) {
		demand_verdict(world_host(w, i), "healthy", NULL);
		demand_port(world_host(w, i), "");
	}
	demand_endpoint(host_c(w), "b", "");
	world_free(w);
}

/* Whoever attaches later is refused, with the owner's name. */
SEED_TEST(address_that_another_host_has_is_not_attached, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", false);
	struct host *b = host_b(w);

	world_run(w, SEC);
	DEMAND(w,
	       !host_attach(b, "late", "[\"10.0.0.1/24\"]",
			    "02:00:00:00:00:09"),
	       "attached");
	DEMAND(w, strstr(b->reply, "an endpoint of a"), "%s", b->reply);
	world_free(w);
}

SCENARIO_MAIN("duplicate", address_on_two_hosts_is_reported_by_all,
	      addresses_of_their_own_are_no_duplicates,
	      address_that_another_host_has_is_not_attached)
