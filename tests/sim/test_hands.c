/* Somebody else's hands: what others take from under us is there again within
 * two seconds, or it is said why not and what to do.  Sessions and SAs have
 * nothing to do with it and stay as they are. */
#include "fake/scenario.h"

enum {
	SEEDS = 20
};

static struct world *two_hosts(uint64_t seed)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);

	attach(host_a(w), 3);
	world_run(w, 100 * MS);
	demand_all_reach(w, 2);
	return w;
}

static void demand_verdict(struct host *h, const char *verdict,
			   const char *reason)
{
	struct json *json = host_ask(h, "status", NULL);
	char *text = json_to_string(jsonget(json, "reasons"), 0);

	DEMAND(h->world, !strcmp(jsonget_string(json, "verdict"), verdict),
	       "%s is %s %s", h->name, jsonget_string(json, "verdict"), text);
	DEMAND(h->world, !reason || strstr(text, reason), "%s says %s", h->name,
	       text);
	free(text);
	json_destroy(json);
}

/* The state of attached interface number 'i' of 'h'. */
static void demand_port(struct host *h, size_t i, const char *state,
			const char *trouble)
{
	struct json *json = host_ask(h, "ports", NULL);
	const struct json *port = jsonget_at(jsonget(json, "ports"), i);

	DEMAND(h->world, port, "%s has no port %zu", h->name, i);
	DEMAND(h->world, !strcmp(jsonget_string(port, "state"), state), "%s",
	       h->reply);
	DEMAND(h->world, strstr(jsonget_string(port, "trouble"), trouble), "%s",
	       h->reply);
	json_destroy(json);
}

static size_t n_endpoints_known(struct host *h)
{
	struct json *json = host_ask(h, "peers", NULL);
	size_t n = jsonget_n(
		jsonget(jsonget_at(jsonget(json, "peers"), 0), "endpoints"));

	json_destroy(json);
	return n;
}

/* All is as it was; nobody had to connect again. */
static void demand_repaired(struct world *w, unsigned int sessions)
{
	struct host *a = host_a(w);
	struct json *json = host_ask(a, "status", NULL);

	/* Not the verdict: probes were lost, and that is said for a while. */
	DEMAND(w,
	       !strcmp(jsonget_string(jsonget(json, "datapath"), "state"),
		       "up"),
	       "%s", a->reply);
	json_destroy(json);
	demand_port(a, 0, "up", "");
	demand_port(a, 1, "up", "");
	DEMAND(w, a->kernel.n_ports == 4, "%zu ports", a->kernel.n_ports);
	DEMAND(w, a->n_sessions == sessions, "it connected again");
	demand_all_reach(w, 2);
	demand_tidy(w, 2);
}

SEED_TEST(datapath_deleted_made_again, SEEDS)
{
	struct world *w = two_hosts(seed);
	struct host *a = host_a(w);
	unsigned int sessions = a->n_sessions;

	fake_kernel_lose_datapath(&a->kernel);
	world_run(w, 2 * SEC);
	demand_repaired(w, sessions);
	world_free(w);
}

/* Whoever insists gets no race. */
SEED_TEST(datapath_deleted_again_and_again_made_once_a_second, SEEDS)
{
	struct world *w = two_hosts(seed);
	struct host *a = host_a(w);
	unsigned int sessions = a->n_sessions, made;

	made = a->kernel.n_datapath_news;
	for (unsigned int i = 0; i < 50; i++) {
		fake_kernel_lose_datapath(&a->kernel);
		world_run(w, 100 * MS);
	}
	made = a->kernel.n_datapath_news - made;
	DEMAND(w, made >= 4 && made <= 6, "made %u times", made);
	world_run(w, 2 * SEC);
	demand_repaired(w, sessions);
	world_free(w);
}

SEED_TEST(ports_taken_out_put_back, SEEDS)
{
	struct world *w = two_hosts(seed);
	struct host *a = host_a(w);
	unsigned int sessions = a->n_sessions;

	for (size_t i = 0; i < 3; i++) {
		fake_kernel_take_port(&a->kernel,
				      i == 2 ? "vxlan-6784"
					     : a->endpoints[i]->link);
		if (seed & 2) {
			world_run(w, world_draw(w, SEC));
		}
	}
	world_run(w, 2 * SEC);
	demand_repaired(w, sessions);
	world_free(w);
}

SEED_TEST(links_renamed_and_down_restored, SEEDS)
{
	struct world *w = two_hosts(seed);
	struct host *a = host_a(w);
	const char *const names[] = {"fdp", "vxlan-6784", a->endpoints[0]->link,
				     a->endpoints[1]->link};
	unsigned int sessions = a->n_sessions;

	for (size_t i = 0; i < 4; i++) {
		fake_kernel_bend_link(&a->kernel, names[i], i & seed,
				      i && world_draw(w, 2));
	}
	world_run(w, 2 * SEC);
	for (size_t i = 0; i < a->kernel.n_ports; i++) {
		const struct fake_port *port = &a->kernel.ports[i];

		DEMAND(w, !port->renamed && !port->down, "%s", port->name);
	}
	demand_repaired(w, sessions);
	world_free(w);
}

/* The tunnel port goes, and before it is back its UDP port is another's. */
SEED_TEST(udp_port_taken_said_and_repaired_when_free, SEEDS)
{
	struct world *w = two_hosts(seed);
	struct host *a = host_a(w);
	unsigned int sessions = a->n_sessions;

	a->kernel.taken_udp_port = 6784;
	if (seed & 2) {
		fake_kernel_take_port(&a->kernel, "vxlan-6784");
	} else {
		fake_kernel_bend_link(&a->kernel, "vxlan-6784", false, true);
	}
	world_run(w, 2 * SEC);
	demand_verdict(a, "down", "vxlan-6784");
	a->kernel.taken_udp_port = 0;
	world_run(w, 2 * SEC);
	demand_repaired(w, sessions);
	world_free(w);
}

/* The link alone is deleted: the container has no network any more, and fdp
 * cannot give it one. */
SEED_TEST(link_deleted_shown_until_attached_again, SEEDS)
{
	struct world *w = two_hosts(seed);
	struct host *a = host_a(w);

	a->kernel.netns_outlive = true;
	host_lose_port(a->endpoints[0]);
	world_run(w, 2 * SEC);
	demand_verdict(a, "degraded", "fdpctl ports");
	demand_port(a, 0, "lost", "attach it again");
	DEMAND(w, n_endpoints_known(host_b(w)) == 1, "still announced");
	DEMAND(w, attach_try(a, 1), "%s", a->reply);
	world_run(w, 100 * MS);
	demand_verdict(a, "healthy", NULL);
	DEMAND(w, n_endpoints_known(host_b(w)) == 2, "not announced");
	demand_all_reach(w, 2);
	demand_tidy(w, 2);
	world_free(w);
}

SEED_TEST(link_moved_away_and_back_serves_again, SEEDS)
{
	struct world *w = two_hosts(seed);
	struct host *a = host_a(w);
	char link[16];

	snprintf(link, sizeof link, "%s", a->endpoints[0]->link);
	a->kernel.netns_outlive = true;
	fake_kernel_lose_port(&a->kernel, link);
	world_run(w, 2 * SEC);
	demand_port(a, 0, "lost", "move it back");
	fake_kernel_return_link(&a->kernel, link);
	world_run(w, 2 * SEC);
	demand_verdict(a, "healthy", NULL);
	demand_port(a, 0, "up", "");
	DEMAND(w, n_endpoints_known(host_b(w)) == 2, "not announced");
	demand_all_reach(w, 2);
	world_free(w);
}

/* That is the end of a container, and nobody's fault. */
SEED_TEST(netns_deleted_forgotten, SEEDS)
{
	struct world *w = two_hosts(seed);
	struct host *a = host_a(w);

	host_lose_port(a->endpoints[0]);
	world_run(w, 2 * SEC);
	demand_verdict(a, "healthy", NULL);
	demand_port(a, 0, "up", "");
	DEMAND(w, n_endpoints_known(host_b(w)) == 1, "still announced");
	demand_all_reach(w, 2);
	world_free(w);
}

/* A new port gets the number of one that went, before the daemon has heard of
 * that. */
SEED_TEST(number_used_again_at_once, SEEDS)
{
	struct world *w = two_hosts(seed);
	struct host *a = host_a(w);

	host_lose_port(a->endpoints[0]);
	attach(a, 4);
	world_run(w, 2 * SEC);
	demand_verdict(a, "healthy", NULL);
	DEMAND(w, n_endpoints_known(host_b(w)) == 2, "%zu announced",
	       n_endpoints_known(host_b(w)));
	demand_all_reach(w, 2);
	demand_tidy(w, 2);
	world_free(w);
}

SCENARIO_MAIN("hands", datapath_deleted_made_again,
	      datapath_deleted_again_and_again_made_once_a_second,
	      ports_taken_out_put_back, links_renamed_and_down_restored,
	      udp_port_taken_said_and_repaired_when_free,
	      link_deleted_shown_until_attached_again,
	      link_moved_away_and_back_serves_again, netns_deleted_forgotten,
	      number_used_again_at_once)
