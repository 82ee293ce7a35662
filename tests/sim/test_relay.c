/* Hosts that reach each other through others. */
#include <errno.h>

#include "fake/scenario.h"
#include "ipsec/overhead.h"

enum {
	SEEDS = 15,
	MAX = WORLD_MAX_HOSTS
};

/* Who may speak with whom. */
struct graph {
	unsigned int n;
	bool edge[MAX][MAX];
};

static void set_edge(struct world *w, struct graph *g, unsigned int a,
		     unsigned int b, bool edge)
{
	g->edge[a][b] = g->edge[b][a] = edge;
	world_partition(w, world_host(w, a), world_host(w, b), !edge);
}

static bool connects(const struct graph *g)
{
	bool seen[MAX] = {true};

	for (unsigned int round = 0; round < g->n; round++) {
		for (unsigned int a = 0; a < g->n; a++) {
			for (unsigned int b = 0; b < g->n; b++) {
				seen[b] |= seen[a] && g->edge[a][b];
			}
		}
	}
	for (unsigned int a = 0; a < g->n; a++) {
		if (!seen[a]) {
			return false;
		}
	}
	return true;
}

/* All in one piece, sparse or dense. */
static void draw_graph(struct world *w, struct graph *g)
{
	do {
		uint64_t density = 1 + world_draw(w, 4);

		for (unsigned int a = 0; a < g->n; a++) {
			for (unsigned int b = 0; b < a; b++) {
				set_edge(w, g, a, b,
					 world_draw(w, 5) < density);
			}
		}
	} while (!connects(g));
}

/* Hosts with a container each, all of which try to dial all others. */
static struct world *partial_world(uint64_t seed, unsigned int n,
				   struct graph *g)
{
	struct world *w = hosts_new(seed, n, "secret");

	memset(g, 0, sizeof *g);
	g->n = n;
	dial_all(w, n, seed & 1);
	return w;
}

static void start_and_attach(struct world *w, const struct graph *g)
{
	start_all(w, g->n);
	for (unsigned int i = 0; i < g->n; i++) {
		attach(world_host(w, i), i + 1);
	}
}

/* What a host shows of the way to another. */
struct way {
	char overlay[16], via[16];
	int64_t hops;
	bool connected;
};

static struct way way_of(struct host *h, const struct host *to)
{
	struct json *json = host_ask(h, "peers", NULL);
	const struct json *list = jsonget(json, "peers");
	struct way way = {.hops = 0};

	for (size_t i = 0; i < jsonget_n(list); i++) {
		const struct json *p = jsonget_at(list, i);

		if (!strcmp(jsonget_string(p, "name"), to->name)) {
			snprintf(way.overlay, sizeof way.overlay, "%s",
				 jsonget_string(p, "overlay"));
			snprintf(way.via, sizeof way.via, "%s",
				 jsonget_string(p, "via"));
			way.connected = jsonget_true(p, "connected");
			DEMAND(h->world,
			       jsonget_integer(p, "hops", 0, MAX, &way.hops),
			       "no hops");
		}
	}
	json_destroy(json);
	return way;
}

static bool is_direct(struct host *a, struct host *b)
{
	struct way way = way_of(a, b);

	/* The link of a session that is lost is kept for a while: that is not
	 * settled yet. */
	return way.connected && !strcmp(way.overlay, "fastdp") && way.hops == 1;
}

static bool is_relayed(struct host *a, struct host *b)
{
	struct way way = way_of(a, b);

	return !strcmp(way.overlay, "relay") && *way.via && way.hops > 1;
}

struct settling {
	struct world *w;
	const struct graph *g;
};

/* Does everybody know the way to everybody, directly where that can be? */
static bool is_settled(void *s_)
{
	struct settling *s = s_;

	for (unsigned int a = 0; a < s->g->n; a++) {
		for (unsigned int b = 0; b < s->g->n; b++) {
			struct host *from = world_host(s->w, a);
			struct host *to = world_host(s->w, b);

			if (a != b && from->engine && to->engine &&
			    !(s->g->edge[a][b] ? is_direct(from, to)
					       : is_relayed(from, to))) {
				return false;
			}
		}
	}
	return true;
}

static void demand_settled(struct world *w, const struct graph *g,
			   uint64_t timeout_us)
{
	struct settling s = {w, g};

	do {
		DEMAND(w, world_run_until(w, is_settled, &s, timeout_us),
		       "not settled after %u s",
		       (unsigned int)(timeout_us / SEC));
		/* The last news reach everybody. */
		world_run(w, SEC);
	} while (!is_settled(&s));
}

static void send_to_all_by_port(struct endpoint *e, uint16_t udp_port)
{
	const struct flow f = {
		.eth_dst = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		.eth_type = ETH_TYPE_IPV4,
		.nw_proto = IP_PROTO_UDP,
		.nw_ttl = 64,
		.tp_dst = udp_port,
		.nw_dst = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff,
			    0xff, 0xff, 0xff}}};

	endpoint_send(e, &f, span_of("x", 1));
}

static void send_to_all(struct endpoint *e)
{
	send_to_all_by_port(e, 0);
}

/* Every container is sent to all by, and hears every other one exactly once. */
static void demand_broadcasts_once(struct world *w, const struct graph *g)
{
	for (unsigned int i = 0; i < g->n; i++) {
		unsigned int seen[MAX];

		for (unsigned int k = 0; k < g->n; k++) {
			seen[k] = world_host(w, k)->endpoints[0]->n_frames;
		}
		send_to_all(world_host(w, i)->endpoints[0]);
		world_run(w, 300 * MS);
		for (unsigned int k = 0; k < g->n; k++) {
			unsigned int got =
				world_host(w, k)->endpoints[0]->n_frames -
				seen[k];

			DEMAND(w, got == (k != i),
			       "%s heard a broadcast of %s %u times",
			       world_host(w, k)->name, world_host(w, i)->name,
			       got);
		}
	}
}

static uint64_t n_esp(struct world *w, unsigned int n)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < n; i++) {
		sum += world_host(w, i)->kernel.n_esp_sent;
	}
	return sum;
}

static void demand_no_plaintext(struct world *w, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		DEMAND(w, !world_host(w, i)->kernel.n_plain_sent,
		       "%s sent plaintext", world_host(w, i)->name);
	}
}

/*	a --- b --- c	*/
SEED_TEST(ends_of_a_line_reached_through_the_middle, SEEDS)
{
	struct graph g;
	struct world *w = partial_world(seed, 3, &g);
	struct host *a = host_a(w), *b = host_b(w), *c = host_c(w);
	uint64_t sent;

	set_edge(w, &g, 0, 1, true);
	set_edge(w, &g, 1, 2, true);
	set_edge(w, &g, 0, 2, false);
	start_and_attach(w, &g);
	demand_settled(w, &g, 60 * SEC);
	DEMAND(w, !strcmp(way_of(a, c).via, "b"), "not via b");
	sent = b->kernel.n_esp_sent;
	demand_reach(a->endpoints[0], c->endpoints[0]);
	DEMAND(w, b->kernel.n_esp_sent > sent, "not through b");
	demand_all_reach(w, 3);
	demand_broadcasts_once(w, &g);
	demand_no_plaintext(w, 3);
	world_free(w);
}

/* b has no container at all, and so nothing in the network. */
SEED_TEST(relay_needs_nothing_in_the_network, SEEDS)
{
	struct graph g;
	struct world *w = partial_world(seed, 3, &g);
	struct endpoint *c1, *c3;
	unsigned int seen;

	set_edge(w, &g, 0, 1, true);
	set_edge(w, &g, 1, 2, true);
	set_edge(w, &g, 0, 2, false);
	start_all(w, 3);
	c1 = attach(host_a(w), 1);
	c3 = attach(host_c(w), 3);
	demand_settled(w, &g, 60 * SEC);
	demand_reach(c1, c3);
	demand_reach(c3, c1);
	seen = c3->n_frames;
	send_to_all(c1);
	world_run(w, 300 * MS);
	DEMAND(w, c3->n_frames == seen + 1, "heard %u", c3->n_frames - seen);
	demand_no_plaintext(w, 3);
	world_free(w);
}

/* The way from b to c takes smaller packets than that from a to b. */
SEED_TEST(small_path_behind_the_relay_sets_the_mtu, SEEDS)
{
	struct graph g;
	struct world *w = partial_world(seed, 3, &g);
	struct host *a = host_a(w), *b = host_b(w), *c = host_c(w);
	struct endpoint *c1, *c3;
	uint32_t mtu;

	set_edge(w, &g, 0, 1, true);
	set_edge(w, &g, 1, 2, true);
	set_edge(w, &g, 0, 2, false);
	fake_kernel_set_route(&b->kernel, seed & 1 ? &c->v6 : &c->v4, 1400);
	fake_kernel_set_route(&c->kernel, seed & 1 ? &b->v6 : &b->v4, 1400);
	start_and_attach(w, &g);
	demand_settled(w, &g, 60 * SEC);
	world_run(w, 2 * SEC);
	c1 = a->endpoints[0];
	c3 = c->endpoints[0];
	mtu = fake_kernel_link(&a->kernel, c1->link)->mtu;
	DEMAND(w, mtu == overhead_inner_mtu(1400, seed & 1, true), "MTU %u",
	       mtu);
	DEMAND(w, endpoint_reaches_with(c1, &c3->ips[0], mtu, 3),
	       "%u bytes do not pass", mtu);
	DEMAND(w, !endpoint_reaches_with(c1, &c3->ips[0], mtu + 1, 3),
	       "%u bytes pass", mtu + 1);
	world_free(w);
}

SEED_TEST(long_line_reached_to_its_end, 5)
{
	struct graph g;
	struct world *w = partial_world(seed, MAX, &g);

	for (unsigned int a = 0; a < MAX; a++) {
		for (unsigned int b = 0; b < a; b++) {
			set_edge(w, &g, a, b, a == b + 1);
		}
	}
	start_and_attach(w, &g);
	demand_settled(w, &g, 90 * SEC);
	demand_all_reach(w, MAX);
	demand_broadcasts_once(w, &g);
	demand_no_plaintext(w, MAX);
	world_free(w);
}

SEED_TEST(random_partial_meshes_reach_all_once, SEEDS)
{
	struct graph g;
	unsigned int n = 3 + (unsigned int)(seed % (MAX - 2));
	struct world *w = partial_world(seed, n, &g);

	draw_graph(w, &g);
	start_and_attach(w, &g);
	demand_settled(w, &g, 90 * SEC);
	demand_all_reach(w, n);
	demand_broadcasts_once(w, &g);
	demand_no_plaintext(w, n);
	world_free(w);
}

/* A way breaks: frames go round; it is mended: they go straight again. */
SEED_TEST(broken_way_is_left_and_taken_again, SEEDS)
{
	struct graph g;
	struct world *w = partial_world(seed, 3, &g);
	struct host *a = host_a(w), *c = host_c(w);

	for (unsigned int i = 0; i < 3; i++) {
		set_edge(w, &g, i, (i + 1) % 3, true);
	}
	start_and_attach(w, &g);
	demand_settled(w, &g, 60 * SEC);
	demand_all_reach(w, 3);
	set_edge(w, &g, 0, 2, false);
	demand_settled(w, &g, 40 * SEC);
	demand_all_reach(w, 3);
	demand_broadcasts_once(w, &g);
	set_edge(w, &g, 0, 2, true);
	demand_settled(w, &g, 120 * SEC);
	DEMAND(w, is_direct(a, c), "not direct");
	demand_all_reach(w, 3);
	demand_broadcasts_once(w, &g);
	demand_no_plaintext(w, 3);
	world_free(w);
}

/* ESP alone is filtered, one way only: probes tell, the session does not. */
SEED_TEST(dead_path_under_a_living_session_is_left, SEEDS)
{
	struct graph g;
	struct world *w = partial_world(seed, 3, &g);
	struct host *a = host_a(w), *c = host_c(w);

	for (unsigned int i = 0; i < 3; i++) {
		set_edge(w, &g, i, (i + 1) % 3, true);
	}
	start_and_attach(w, &g);
	demand_settled(w, &g, 60 * SEC);
	demand_all_reach(w, 3);
	world_filter(w, a, c, 0);
	g.edge[0][2] = g.edge[2][0] = false;
	demand_settled(w, &g, 20 * SEC);
	DEMAND(w, n_connections(a, "established") == 2, "a session is lost");
	demand_all_reach(w, 3);
	demand_broadcasts_once(w, &g);
	world_filter(w, a, c, SIZE_MAX);
	g.edge[0][2] = g.edge[2][0] = true;
	demand_settled(w, &g, 60 * SEC);
	demand_all_reach(w, 3);
	demand_no_plaintext(w, 3);
	world_free(w);
}

/* Frames under way by the old one when a straight way opens do arrive: one is
 * sent every 5 ms, and none is lost. */
SEED_TEST(change_to_the_straight_way_loses_nothing, SEEDS)
{
	struct graph g;
	struct world *w = partial_world(seed, 3, &g);
	struct endpoint *c1, *c3;
	unsigned int lost = 0, after = 0, sent = 0;

	set_edge(w, &g, 0, 1, true);
	set_edge(w, &g, 1, 2, true);
	set_edge(w, &g, 0, 2, false);
	start_and_attach(w, &g);
	demand_settled(w, &g, 60 * SEC);
	c1 = host_a(w)->endpoints[0];
	c3 = host_c(w)->endpoints[0];
	demand_reach(c1, c3);
	set_edge(w, &g, 0, 2, true);
	while (after < 200) {
		uint16_t seq[16];

		DEMAND(w, sent < 40000, "no straight way");
		for (unsigned int i = 0; i < 16; i++) {
			seq[i] = endpoint_ping(c1, &c3->ips[0], 64);
			world_run(w, 5 * MS);
		}
		world_run(w, 300 * MS);
		for (unsigned int i = 0; i < 16; i++) {
			lost += !endpoint_got_pong(c1, seq[i]);
		}
		sent += 16;
		after += is_direct(host_a(w), host_c(w)) ? 16 : 0;
	}
	DEMAND(w, !lost, "%u of %u lost", lost, sent);
	world_free(w);
}

/* Of 'n' broadcasts, one every 5 ms, how many came to 'e' not once; at most
 * twice, and all of them within a tenth of a second. */
static unsigned int demand_odd_for_a_moment(const struct endpoint *e,
					    unsigned int n)
{
	unsigned int first = 0, n_odd = 0;

	for (unsigned int i = 1; i <= n; i++) {
		if (e->n_datagrams[i] == 1) {
			continue;
		}
		n_odd++;
		first = first ? first : i;
		DEMAND(e->host->world,
		       e->n_datagrams[i] <= 2 && (i - first) * 5 <= 100,
		       "%u came to %s %u times, %u ms after the first such", i,
		       e->netns, e->n_datagrams[i], (i - first) * 5);
	}
	return n_odd;
}

/* A way opens from a to c while a sends to all.  As long as not all have heard
 * of it c may get what comes from a and from b, or from nobody, and d what c
 * gets.
 *
 *	a --- b --- c --- d
 */
SEED_TEST(broadcast_may_double_while_a_way_opens_and_no_longer, SEEDS)
{
	struct graph g;
	struct world *w = partial_world(seed, 4, &g);
	struct host *a = host_a(w), *c = host_c(w);
	unsigned int n_sent = 0, n_after = 0;

	for (unsigned int i = 0; i < 4; i++) {
		for (unsigned int k = 0; k < i; k++) {
			set_edge(w, &g, i, k, i == k + 1);
		}
	}
	start_and_attach(w, &g);
	demand_settled(w, &g, 60 * SEC);
	set_edge(w, &g, 0, 2, true);
	while (n_after < 200) {
		DEMAND(w, n_sent < UINT16_MAX, "no straight way");
		send_to_all_by_port(a->endpoints[0], (uint16_t)++n_sent);
		world_run(w, 5 * MS);
		n_after += is_direct(a, c) && is_direct(c, a);
	}
	world_run(w, SEC);
	DEMAND(w, !demand_odd_for_a_moment(host_b(w)->endpoints[0], n_sent),
	       "b has nothing to do with it");
	printf("seed %llu: %u of %u were lost or doubled\n",
	       (unsigned long long)seed,
	       demand_odd_for_a_moment(c->endpoints[0], n_sent), n_sent);
	demand_odd_for_a_moment(world_host(w, 3)->endpoints[0], n_sent);
	demand_broadcasts_once(w, &g);
	world_free(w);
}

/* The relay dies: there is another one. */
SEED_TEST(other_relay_takes_over, SEEDS)
{
	struct graph g;
	struct world *w = partial_world(seed, 4, &g);
	struct host *a = host_a(w), *d = world_host(w, 3);
	unsigned int relay;

	for (unsigned int i = 0; i < 4; i++) {
		for (unsigned int k = 0; k < i; k++) {
			set_edge(w, &g, i, k, i != 3 || k);
		}
	}
	start_and_attach(w, &g);
	demand_settled(w, &g, 60 * SEC);
	demand_all_reach(w, 4);
	relay = way_of(a, d).via[0] == 'b' ? 1 : 2;
	if (seed & 1) {
		host_crash(world_host(w, relay));
	} else {
		/* Its kernel goes on, so nothing is lost. */
		host_stop(world_host(w, relay));
		demand_reach(a->endpoints[0], d->endpoints[0]);
	}
	demand_settled(w, &g, 90 * SEC);
	world_run(w, 30 * SEC);
	demand_all_reach(w, 4);
	demand_no_plaintext(w, 4);
	world_free(w);
}

/* Restarts of daemons do not move flows to relays: the kernels go on. */
static void demand_straight_pings(struct world *w, unsigned int n)
{
	struct endpoint *c1 = host_a(w)->endpoints[0];
	struct endpoint *c3 = host_c(w)->endpoints[0];

	while (n--) {
		uint16_t seq = endpoint_ping(c1, &c3->ips[0], 64);

		world_run(w, 100 * MS);
		DEMAND(w, endpoint_got_pong(c1, seq), "lost");
		DEMAND(w, !is_relayed(host_a(w), host_c(w)), "via b");
	}
}

SEED_TEST(restart_keeps_to_the_straight_way, SEEDS)
{
	struct world *w = running_world(seed, 3, "secret", seed & 1);

	demand_all_reach(w, 3);
	world_run(w, 5 * SEC);
	for (unsigned int i = 0; i < 3; i++) {
		if (seed & 2) {
			host_stop(host_c(w));
		} else {
			host_kill(host_c(w));
		}
		demand_straight_pings(w, 100);
		host_start_well(host_c(w));
		demand_straight_pings(w, 100);
		demand_connected(w, 60 * SEC);
	}
	world_free(w);
}

/* Nor do they when the ways were mended just before: that to the relay is
 * stated again, the straight one is not, as its other end is down, and nobody
 * is there to take what comes by the relay. */
SEED_TEST(restart_keeps_to_a_way_just_mended, SEEDS)
{
	struct world *w = running_world(seed, 3, "secret", seed & 1);
	struct host *a = host_a(w), *c = host_c(w);

	demand_all_reach(w, 3);
	a->kernel.route_errno = ENETUNREACH;
	host_net_changed(a);
	world_run(w, 6 * SEC);
	a->kernel.route_errno = 0;
	host_net_changed(a);
	demand_reach(a->endpoints[0], c->endpoints[0]);
	world_run(w, world_draw(w, 4 * SEC));
	if (seed & 2) {
		host_stop(c);
	} else {
		host_kill(c);
	}
	demand_straight_pings(w, 60);
	host_start_well(c);
	demand_straight_pings(w, 100);
	world_free(w);
}

/* What a host says after its clock was set back counts all the same. */
SEED_TEST(host_whose_clock_went_back_is_heard, SEEDS)
{
	struct graph g;
	struct world *w = partial_world(seed, 3, &g);
	struct host *a = host_a(w), *c = host_c(w);
	struct endpoint *c4;

	set_edge(w, &g, 0, 1, true);
	set_edge(w, &g, 1, 2, true);
	set_edge(w, &g, 0, 2, false);
	start_and_attach(w, &g);
	demand_settled(w, &g, 60 * SEC);
	host_stop(a);
	a->late_us = world_now(w);
	world_run(w, SEC);
	host_start_well(a);
	c4 = attach(a, 4);
	demand_settled(w, &g, 60 * SEC);
	demand_reach(c->endpoints[0], c4);
	demand_all_reach(w, 3);
	world_free(w);
}

/* Ways come and go faster than anybody can hear of: a broadcast never becomes a
 * storm, and when it is quiet everything is as it should be. */
SEED_TEST(ways_that_come_and_go_make_no_loops, SEEDS)
{
	struct graph g;
	unsigned int n = 3 + (unsigned int)(seed % (MAX - 2));
	struct world *w = partial_world(seed, n, &g);
	const uint64_t limit = (uint64_t)n * n * 8;

	draw_graph(w, &g);
	start_and_attach(w, &g);
	for (unsigned int round = 0; round < 60; round++) {
		unsigned int a = (unsigned int)world_draw(w, n);
		unsigned int b = (unsigned int)world_draw(w, n);
		uint64_t sent;

		if (a != b) {
			set_edge(w, &g, a, b, !g.edge[a][b]);
		}
		if (world_draw(w, 3)) {
			world_break(w, world_host(w, a), world_host(w, b));
		}
		world_run(w, world_draw(w, 4 * SEC));
		sent = n_esp(w, n);
		send_to_all(world_host(w, b)->endpoints[0]);
		world_run(w, 300 * MS);
		DEMAND(w, n_esp(w, n) - sent <= limit,
		       "%u packets of one broadcast",
		       (unsigned int)(n_esp(w, n) - sent));
	}
	draw_graph(w, &g);
	demand_settled(w, &g, 240 * SEC);
	demand_all_reach(w, n);
	demand_broadcasts_once(w, &g);
	demand_no_plaintext(w, n);
	world_free(w);
}

/* Only what the way of a host hangs on is written anew. */
SEED_TEST(other_flows_are_left_alone, SEEDS)
{
	struct graph g;
	struct world *w = partial_world(seed, 4, &g);
	struct host *a = host_a(w);
	unsigned int puts;

	for (unsigned int i = 0; i < 4; i++) {
		for (unsigned int k = 0; k < i; k++) {
			set_edge(w, &g, i, k, true);
		}
	}
	start_and_attach(w, &g);
	demand_settled(w, &g, 60 * SEC);
	demand_all_reach(w, 4);
	puts = a->kernel.n_flow_puts;
	set_edge(w, &g, 2, 3, false); /* Not a's affair. */
	for (unsigned int i = 0; i < 40; i++) {
		/* Flows that are used stay. */
		demand_reach(a->endpoints[0], host_b(w)->endpoints[0]);
		world_run(w, SEC);
	}
	demand_settled(w, &g, 40 * SEC);
	DEMAND(w, a->kernel.n_flow_puts - puts <= 20, "%u flows written",
	       a->kernel.n_flow_puts - puts);
	world_free(w);
}

SCENARIO_MAIN("relay", ends_of_a_line_reached_through_the_middle,
	      relay_needs_nothing_in_the_network,
	      small_path_behind_the_relay_sets_the_mtu,
	      long_line_reached_to_its_end,
	      random_partial_meshes_reach_all_once,
	      broken_way_is_left_and_taken_again,
	      dead_path_under_a_living_session_is_left,
	      change_to_the_straight_way_loses_nothing,
	      broadcast_may_double_while_a_way_opens_and_no_longer,
	      other_relay_takes_over, restart_keeps_to_the_straight_way,
	      restart_keeps_to_a_way_just_mended,
	      host_whose_clock_went_back_is_heard,
	      ways_that_come_and_go_make_no_loops, other_flows_are_left_alone)
