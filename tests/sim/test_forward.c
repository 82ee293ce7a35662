/* What containers can send to each other, and what they cannot. */
#include "fake/scenario.h"

#include "packet/build.h"

enum {
	SEEDS = 20
};

SEED_TEST(every_family_over_every_family_reached, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);

	demand_all_reach(w, 2);
	DEMAND(w, host_a(w)->kernel.n_esp_sent >= 4, "no ESP");
	DEMAND(w, host_a(w)->kernel.n_plain_sent == 0, "plain");
	demand_tidy(w, 2);
	world_free(w);
}

SEED_TEST(two_containers_of_one_host_reached_locally, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", false);
	struct host *a = host_a(w);
	uint64_t sent;

	attach(a, 3);
	sent = a->kernel.n_esp_sent;
	demand_reach(a->endpoints[0], a->endpoints[1]);
	demand_reach(a->endpoints[1], a->endpoints[0]);
	DEMAND(w, a->kernel.n_esp_sent == sent, "it went over the wire");
	world_free(w);
}

SEED_TEST(lossy_underlay_reached_all_the_same, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);
	struct weather *weather = world_weather(w);

	weather->loss = 300;
	weather->dup = 200;
	weather->reorder = 300;
	weather->small_chunks = true;
	demand_all_reach(w, 2);
	/* Doubled packets do not come in twice. */
	for (unsigned int i = 0; i < 2; i++) {
		const struct host *h = world_host(w, i);

		DEMAND(w, h->endpoints[0]->n_duplicates == 0, "duplicates");
	}
	world_free(w);
}

/* "Who has ...?" for a known address is answered at once and not carried. */
SEED_TEST(question_for_known_address_answered_here, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", false);
	struct endpoint *c1 = host_a(w)->endpoints[0];
	struct endpoint *c2 = host_b(w)->endpoints[0];
	uint64_t sent;

	world_run(w, SEC); /* The first probes. */
	sent = host_a(w)->kernel.n_esp_sent;
	for (size_t i = 0; i < 2; i++) {
		endpoint_forget(c1);
		endpoint_resolve(c1, &c2->ips[i]);
		world_run(w, 10 * MS);
		DEMAND(w, c1->n_neighbours == 1, "no answer");
		DEMAND(w, mac_equal(&c1->neighbours[0].mac, &c2->mac),
		       "a wrong answer");
	}
	DEMAND(w, host_a(w)->kernel.n_esp_sent == sent, "carried");
	DEMAND(w, c2->n_arp_requests == 0 && c2->n_solicitations == 0,
	       "the other heard the question");
	world_free(w);
}

SEED_TEST(unknown_destinations_dropped_here, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", false);
	struct endpoint *c1 = host_a(w)->endpoints[0];
	struct endpoint *c2 = host_b(w)->endpoints[0];
	unsigned int seen = c2->n_frames;
	struct ip_addr nobody = ip_of("10.0.0.99"), nobody6 = ip_of("fd00::99");
	struct flow f = {.eth_dst = {{2, 9, 9, 9, 9, 9}},
			 .eth_type = ETH_TYPE_IPV4,
			 .nw_proto = IP_PROTO_UDP,
			 .nw_ttl = 64,
			 .nw_dst = nobody};
	struct json *json;
	const struct json *drops;
	int64_t n;

	endpoint_resolve(c1, &nobody);
	endpoint_resolve(c1, &nobody6);
	endpoint_send(c1, &f, span_of("x", 1));
	world_run(w, 10 * MS);
	DEMAND(w, c1->n_neighbours == 0, "an answer");
	DEMAND(w, c2->n_frames == seen, "carried");
	json = host_ask(host_a(w), "status", NULL);
	drops = jsonget(json, "drops");
	DEMAND(w, jsonget_integer(drops, "unknown-ip", 2, 2, &n),
	       "unknown-ip not counted");
	DEMAND(w, jsonget_integer(drops, "unknown-mac", 1, 1, &n),
	       "unknown-mac not counted");
	json_destroy(json);
	world_free(w);
}

/* Nobody may borrow a MAC or an address, neither here nor through the tunnel.
 */
SEED_TEST(spoofed_sources_dropped_here, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", false);
	struct endpoint *c1 = host_a(w)->endpoints[0];
	struct endpoint *c2 = host_b(w)->endpoints[0];
	unsigned int seen = c2->n_frames;
	struct flow f = {.eth_src = {{2, 9, 9, 9, 9, 9}},
			 .eth_dst = c2->mac,
			 .eth_type = ETH_TYPE_IPV4,
			 .nw_proto = IP_PROTO_UDP,
			 .nw_ttl = 64,
			 .nw_src = c1->ips[0],
			 .nw_dst = c2->ips[0]};

	endpoint_send(c1, &f, span_of("x", 1));
	f.eth_src = c1->mac;
	f.nw_src = ip_of("10.0.0.77");
	endpoint_send(c1, &f, span_of("x", 1));
	world_run(w, 10 * MS);
	DEMAND(w, c2->n_frames == seen, "carried");
	f.nw_src = c1->ips[0];
	endpoint_send(c1, &f, span_of("x", 1));
	world_run(w, 20 * MS);
	DEMAND(w, c2->n_frames == seen + 1, "its own is not carried");
	world_free(w);
}

SEED_TEST(broadcast_reaches_every_other_container_once, SEEDS)
{
	struct world *w = running_world(seed, 3, "secret", seed & 1);
	unsigned int seen[4];
	struct endpoint *all[4];
	struct flow f = {.eth_dst = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
			 .eth_type = ETH_TYPE_IPV4,
			 .nw_proto = IP_PROTO_UDP,
			 .nw_ttl = 64,
			 .nw_dst = ip_of("255.255.255.255")};

	attach(host_a(w), 4);
	world_run(w, 50 * MS);
	all[0] = host_a(w)->endpoints[0];
	all[1] = host_a(w)->endpoints[1];
	all[2] = host_b(w)->endpoints[0];
	all[3] = host_c(w)->endpoints[0];
	for (unsigned int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < 4; i++) {
			seen[i] = all[i]->n_frames;
		}
		endpoint_send(all[0], &f, span_of("x", 1));
		world_run(w, 50 * MS);
		for (unsigned int i = 0; i < 4; i++) {
			DEMAND(w, all[i]->n_frames - seen[i] == (i ? 1u : 0u),
			       "%s got %u", all[i]->netns,
			       all[i]->n_frames - seen[i]);
		}
	}
	world_free(w);
}

/* The inner MTU fits to the byte: what it allows passes, one more does not. */
SEED_TEST(largest_packet_passes_and_none_larger, SEEDS)
{
	static const uint32_t paths[] = {1500, 1400, 9000, 1280, 1501, 1502};
	uint32_t path = paths[seed % (sizeof paths / sizeof paths[0])];
	bool v6 = seed & 1;
	const char *password = seed & 2 ? "secret" : NULL;
	struct world *w = hosts_new(seed, 2, password);
	struct host *a = host_a(w), *b = host_b(w);
	struct endpoint *c1, *c2;
	const struct fake_link *link;
	uint32_t mtu;

	a->kernel.default_mtu = path;
	b->kernel.default_mtu = path;
	dial_all(w, 2, v6);
	start_all(w, 2);
	demand_connected(w, 10 * SEC);
	c1 = attach(a, 1);
	c2 = attach(b, 2);
	world_run(w, 100 * MS);
	link = fake_kernel_link(&a->kernel, c1->link);
	mtu = link->mtu;
	if (path == 1500) {
		DEMAND(w,
		       mtu == (password ? v6 ? 1396u : 1416u
			       : v6	? 1430u
					: 1450u),
		       "MTU %u", mtu);
	}
	DEMAND(w, endpoint_reaches_with(c1, &c2->ips[0], mtu, 3),
	       "%u bytes do not pass", mtu);
	DEMAND(w, !endpoint_reaches_with(c1, &c2->ips[0], mtu + 1, 3),
	       "%u bytes pass", mtu + 1);
	world_free(w);
}

/* The way to the peer changes. */
SEED_TEST(path_mtu_changes_interfaces_follow, SEEDS)
{
	struct world *w = running_world(seed, 3, "secret", false);
	struct host *a = host_a(w);
	const struct fake_link *link =
		fake_kernel_link(&a->kernel, a->endpoints[0]->link);

	DEMAND(w, link->mtu == 1416, "MTU %u", link->mtu);
	/* Of what leads to one of two, its flows tell. */
	fake_kernel_set_route(&a->kernel, &host_b(w)->v4, 1400);
	host_net_changed(a);
	world_run(w, 13 * SEC);
	DEMAND(w, link->mtu == 1416, "MTU %u", link->mtu);
	fake_kernel_set_route(&a->kernel, &host_c(w)->v4, 1400);
	host_net_changed(a);
	world_run(w, 3 * SEC);
	DEMAND(w, link->mtu == 1316, "MTU %u", link->mtu);
	fake_kernel_set_route(&a->kernel, &host_b(w)->v4, 1500);
	host_net_changed(a);
	world_run(w, 3 * SEC);
	DEMAND(w, link->mtu == 1416, "MTU %u", link->mtu);
	world_free(w);
}

SEED_TEST(no_route_for_a_while_known_again_later, SEEDS)
{
	struct world *w = hosts_new(seed, 2, "secret");
	struct host *a = host_a(w);
	struct json *json;
	int64_t mtu;

	a->kernel.no_route = true;
	dial_all(w, 2, false);
	start_all(w, 2);
	world_run(w, 5 * SEC);
	a->kernel.no_route = false;
	demand_connected(w, 60 * SEC);
	world_run(w, 60 * SEC);
	json = host_ask(a, "connections", NULL);
	DEMAND(w,
	       jsonget_integer(connection(json, NULL), "mtu", 1416, 1416, &mtu),
	       "the MTU stays unknown");
	json_destroy(json);
	world_free(w);
}

SEED_TEST(detached_and_attached_elsewhere_found_there, SEEDS)
{
	struct world *w = running_world(seed, 3, "secret", seed & 1);
	struct host *a = host_a(w), *b = host_b(w), *c = host_c(w);
	struct endpoint *c1 = a->endpoints[0], *moved;
	struct ip_addr ip = b->endpoints[0]->ips[0];

	demand_all_reach(w, 3);
	host_detach(b->endpoints[0]);
	world_run(w, 50 * MS);
	DEMAND(w, !endpoint_reaches_with(c1, &ip, 84, 2), "still there");
	moved = attach(c, 2);
	world_run(w, 50 * MS);
	/* As containers do after a while, or by the announcement. */
	endpoint_forget(c1);
	endpoint_forget(c->endpoints[0]);
	demand_reach(c1, moved);
	demand_reach(moved, c1);
	demand_all_reach(w, 3);
	DEMAND(w, b->kernel.n_links == 0, "the interface is left");
	demand_tidy(w, 3);
	world_free(w);
}

/* Two hosts give the same address away before they know of each other. */
SEED_TEST(same_address_on_two_hosts_first_owner_keeps_it, SEEDS)
{
	struct world *w = hosts_new(seed, 3, "secret");
	struct host *a = host_a(w), *b = host_b(w), *c = host_c(w);
	struct ip_addr shared = ip_of("10.0.0.1");
	struct endpoint *on_a, *on_b, *c3;

	dial_all(w, 3, false);
	start_all(w, 3);
	world_partition(w, a, b, true);
	on_a = host_attach(a, "c1", "[\"10.0.0.1/24\"]", "02:00:00:00:00:01");
	on_b = host_attach(b, "c2", "[\"10.0.0.1/24\"]",
			   seed & 1 ? "02:00:00:00:00:01"
				    : "02:00:00:00:00:02");
	DEMAND(w, on_a && on_b, "not attached");
	world_partition(w, a, b, false);
	demand_connected(w, 60 * SEC);
	c3 = attach(c, 3);
	world_run(w, 50 * MS);
	DEMAND(w, endpoint_reaches(c3, &shared), "nobody answers");
	DEMAND(w, on_a->n_frames || on_b->n_frames, "nobody was asked");
	DEMAND(w, !on_a->n_frames || !on_b->n_frames, "both were asked");
	/* The owner goes, the other one takes its place. */
	host_detach(on_a->n_frames ? on_a : on_b);
	world_run(w, 50 * MS);
	endpoint_forget(c3);
	DEMAND(w, endpoint_reaches(c3, &shared),
	       "the second owner is not found");
	world_free(w);
}

/* While nobody can be told, two containers swap their addresses. */
SEED_TEST(addresses_swapped_while_apart_found_right, SEEDS)
{
	static const char *const macs[] = {"02:00:00:00:00:11",
					   "02:00:00:00:00:12"};
	struct world *w = running_world(seed, 2, "secret", false);
	struct host *a = host_a(w), *b = host_b(w);
	struct endpoint *c1 = a->endpoints[0];

	host_detach(b->endpoints[0]);
	host_attach(b, "x", "[\"10.0.0.11/24\", \"fd00::11/64\"]", macs[0]);
	host_attach(b, "y", "[\"10.0.0.12/24\", \"fd00::12/64\"]", macs[1]);
	world_run(w, 50 * MS);
	demand_all_reach(w, 2);
	world_break(w, a, b);
	world_partition(w, a, b, true);
	host_detach(b->endpoints[0]);
	host_detach(b->endpoints[0]);
	host_attach(b, "x", "[\"10.0.0.12/24\", \"fd00::12/64\"]", macs[0]);
	host_attach(b, "y", "[\"10.0.0.11/24\", \"fd00::11/64\"]", macs[1]);
	world_partition(w, a, b, false);
	world_run(w, SEC);
	demand_connected(w, 30 * SEC);
	world_run(w, 50 * MS);
	endpoint_forget(c1);
	demand_all_reach(w, 2);
	world_free(w);
}

SEED_TEST(address_known_elsewhere_attach_refused, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", false);
	struct host *a = host_a(w);
	char mac[MAC_STRLEN];

	DEMAND(w, !host_attach(a, "x", "[\"10.0.0.2/24\"]", NULL), "IP");
	DEMAND(w, strstr(a->reply, "an endpoint of b"), "%s", a->reply);
	DEMAND(w, !host_attach(a, "x", "[\"10.0.0.1/24\"]", NULL), "own IP");
	DEMAND(w, strstr(a->reply, "c1"), "%s", a->reply);
	mac_format(&host_b(w)->endpoints[0]->mac, mac);
	DEMAND(w, !host_attach(a, "x", "[\"10.0.0.9/24\"]", mac), "MAC");
	DEMAND(w, !host_attach(a, "c1", "[\"10.0.0.9/24\"]", NULL), "netns");
	DEMAND(w, a->n_endpoints == 1 && a->kernel.n_ports == 3, "half-made");
	DEMAND(w, host_attach(a, "x", "[\"10.0.0.9/24\"]", NULL), "refused");
	world_free(w);
}

/* The container's interface is deleted under us. */
SEED_TEST(interface_vanishes_endpoint_withdrawn, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", false);
	struct host *b = host_b(w);
	struct json *json;

	host_lose_port(b->endpoints[0]);
	world_run(w, 50 * MS);
	json = host_ask(host_a(w), "peers", NULL);
	DEMAND(w,
	       !jsonget_n(jsonget(jsonget_at(jsonget(json, "peers"), 0),
				  "endpoints")),
	       "still announced");
	json_destroy(json);
	attach(b, 2);
	world_run(w, 50 * MS);
	demand_all_reach(w, 2);
	world_free(w);
}

SEED_TEST(many_endpoints_all_announced, SEEDS / 4)
{
	struct world *w = running_world(seed, 2, "secret", false);
	struct host *a = host_a(w), *b = host_b(w);

	for (unsigned int i = 3; i < 12; i++) {
		attach(i & 1 ? a : b, i);
	}
	world_run(w, 50 * MS);
	world_break(w, a, b);
	demand_connected(w, 10 * SEC);
	for (unsigned int i = 0; i < 5; i++) {
		attach(a, 20 + i);
		host_detach(a->endpoints[world_draw(w, 3)]);
	}
	world_run(w, 50 * MS);
	demand_all_reach(w, 2);
	world_free(w);
}

SCENARIO_MAIN("forwarding", every_family_over_every_family_reached,
	      two_containers_of_one_host_reached_locally,
	      lossy_underlay_reached_all_the_same,
	      question_for_known_address_answered_here,
	      unknown_destinations_dropped_here, spoofed_sources_dropped_here,
	      broadcast_reaches_every_other_container_once,
	      largest_packet_passes_and_none_larger,
	      path_mtu_changes_interfaces_follow,
	      no_route_for_a_while_known_again_later,
	      detached_and_attached_elsewhere_found_there,
	      same_address_on_two_hosts_first_owner_keeps_it,
	      addresses_swapped_while_apart_found_right,
	      address_known_elsewhere_attach_refused,
	      interface_vanishes_endpoint_withdrawn,
	      many_endpoints_all_announced)
