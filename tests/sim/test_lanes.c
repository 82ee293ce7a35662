/* Several SAs to one peer: flows with ports, over all of them. */
#include "fake/scenario.h"

enum {
	SEEDS = 30,
	FLOWS = 64
};

static unsigned int some_number(struct world *w)
{
	static const unsigned int some[] = {1, 2, 3, 4, 7, 16};

	return some[world_draw(w, sizeof some / sizeof some[0])];
}

/* Datagram number 'i' from 'from' to 'to': one flow for each number below
 * FLOWS. */
static void send_datagram(struct endpoint *from, const struct endpoint *to,
			  unsigned int i)
{
	struct flow f;

	memset(&f, 0, sizeof f);
	f.eth_dst = to->mac;
	f.nw_dst = to->ips[i & 1];
	f.eth_type = ip_is_v4(&f.nw_dst) ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6;
	f.nw_proto = IP_PROTO_UDP;
	f.nw_ttl = 64;
	f.tp_src = (uint16_t)(40000 + 2 * (i % FLOWS));
	f.tp_dst = 9;
	endpoint_send(from, &f, span_of("datagram", 8));
}

/* For 'n' milliseconds each flow says something every 16 ms, both ways;
 * 'disturb' is called every millisecond.  All of it must arrive. */
static void demand_no_loss(struct world *w, unsigned int n,
			   void (*disturb)(struct world *, unsigned int ms))
{
	struct endpoint *c1 = host_a(w)->endpoints[0];
	struct endpoint *c2 = host_b(w)->endpoints[0];
	unsigned int there, back;

	demand_all_reach(w, 2);
	for (unsigned int i = 0; i < FLOWS; i++) {
		send_datagram(c1, c2, i);
		send_datagram(c2, c1, i);
	}
	world_run(w, SEC);
	there = c2->n_frames;
	back = c1->n_frames;
	for (unsigned int ms = 0; ms < n; ms++) {
		disturb(w, ms);
		for (unsigned int i = 0; i < 4; i++) {
			send_datagram(c1, c2, 4 * ms + i);
			send_datagram(c2, c1, 4 * ms + i);
		}
		world_run(w, MS);
	}
	world_run(w, SEC);
	DEMAND(w, c2->n_frames - there == 4 * n, "%u of %u there",
	       c2->n_frames - there, 4 * n);
	DEMAND(w, c1->n_frames - back == 4 * n, "%u of %u back",
	       c1->n_frames - back, 4 * n);
}

static size_t n_used(const struct host *from, const struct host *to, bool v6)
{
	const struct ip_addr *dst = v6 ? &to->v6 : &to->v4;
	size_t n = 0;

	for (size_t i = 0; i < from->kernel.n_sas; i++) {
		const struct xfrm_sa *sa = &from->kernel.sas[i].sa;

		n += ip_equal(&sa->dst, dst) && sa->packets;
	}
	return n;
}

static void leave_alone(struct world *w UNUSED, unsigned int ms UNUSED)
{
}

SEED_TEST(many_flows_use_all_sas, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);
	struct host *a = host_a(w), *b = host_b(w);

	demand_no_loss(w, 100, leave_alone);
	DEMAND(w, n_used(a, b, seed & 1) == lanes_to(a, b), "%zu SAs used",
	       n_used(a, b, seed & 1));
	DEMAND(w, n_used(b, a, seed & 1) == lanes_to(a, b), "%zu SAs back",
	       n_used(b, a, seed & 1));
	demand_tidy(w, 2);
	world_free(w);
}

static void rekey_now_and_then(struct world *w, unsigned int ms)
{
	if (ms % 150 == 50) {
		json_destroy(
			host_ask(world_host(w, ms / 150 % 2), "rekey", NULL));
	}
}

SEED_TEST(rekeys_under_many_flows_nothing_lost, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);
	size_t before = host_a(w)->kernel.sas_made;

	world_weather(w)->delay_min_us = MS;
	world_weather(w)->delay_max_us = 40 * MS;
	world_weather(w)->reorder = 300;
	demand_no_loss(w, 1500, rekey_now_and_then);
	DEMAND(w,
	       host_a(w)->kernel.sas_made - before >=
		       5 * proper_sas(host_a(w), 2),
	       "hardly a rekey");
	demand_tidy(w, 2);
	world_free(w);
}

/* The same for some minutes, until nothing of an earlier life is left. */
static void demand_no_loss_later(struct world *w)
{
	struct endpoint *c1 = host_a(w)->endpoints[0];
	struct endpoint *c2 = host_b(w)->endpoints[0];

	for (unsigned int i = 0; i < 40; i++) {
		unsigned int before = c2->n_frames;

		for (unsigned int j = 0; j < FLOWS; j++) {
			send_datagram(c1, c2, j);
		}
		world_run(w, 5 * SEC);
		DEMAND(w, c2->n_frames - before == FLOWS, "%u of %u later",
		       c2->n_frames - before, FLOWS);
	}
}

/* Either host, killed for a while, comes back with another number. */
static void other_number(struct world *w, unsigned int ms)
{
	struct host *h = world_host(w, ms / 800 % 2);

	switch (ms % 800) {
	case 100:
		host_kill(h);
		h->sas_per_peer = some_number(w);
		break;
	case 200:
		host_start(h);
		break;
	default:
		break;
	}
}

SEED_TEST(restarted_with_another_number_nothing_lost, SEEDS)
{
	struct world *w = running_world(seed, 2, "secret", seed & 1);

	demand_no_loss(w, 4800, other_number);
	demand_connected(w, 20 * SEC);
	demand_no_loss_later(w);
	demand_tidy(w, 2);
	demand_all_reach(w, 2);
	world_free(w);
}

SCENARIO_MAIN("lanes", many_flows_use_all_sas,
	      rekeys_under_many_flows_nothing_lost,
	      restarted_with_another_number_nothing_lost)
