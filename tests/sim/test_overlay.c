/* The sleeve beside fastdp: what is blocked is gone round and come back to, and
 * hosts with and without openvswitch are one mesh. */
#include <errno.h>

#include "fake/scenario.h"

enum {
	SEEDS = 12
};

/* A word of the row of 'b' in what 'a' shows of its peers. */
static bool shows(struct host *a, const struct host *b, const char *key,
		  const char *value)
{
	struct json *json = host_ask(a, "peers", NULL);
	const struct json *list = jsonget(json, "peers");
	bool as_shown = false;

	for (size_t i = 0; i < jsonget_n(list); i++) {
		const struct json *row = jsonget_at(list, i);

		as_shown |= !strcmp(jsonget_string(row, "name"), b->name) &&
			    !strcmp(jsonget_string(row, key), value);
	}
	json_destroy(json);
	return as_shown;
}

/* Traffic from a to b, ten pings a second, for so long; how many came back. */
static unsigned int chatter(struct world *w, struct host *a, struct host *b,
			    uint64_t duration_us)
{
	const uint64_t end_us = world_now(w) + duration_us;
	unsigned int n = 0;

	while (world_now(w) < end_us) {
		const uint64_t next_us = world_now(w) + 100 * MS;
		struct endpoint *e = a->endpoints[0];
		uint16_t seq = endpoint_ping(
			e, &b->endpoints[0]->ips[world_draw(w, 2)], 84);

		world_run(w, 60 * MS);
		n += endpoint_got_pong(e, seq);
		world_run(w, next_us - world_now(w));
	}
	return n;
}

/* Chatters until 'a' goes to 'b' by 'overlay'; the time that took. */
static uint64_t await_overlay(struct world *w, struct host *a, struct host *b,
			      const char *overlay, uint64_t limit_us)
{
	const uint64_t begin_us = world_now(w);

	while (!shows(a, b, "overlay", overlay)) {
		DEMAND(w, world_now(w) - begin_us < limit_us,
		       "%s is not by %s to %s after %u s", a->name, overlay,
		       b->name, (unsigned int)(limit_us / SEC));
		chatter(w, a, b, 200 * MS);
	}
	return world_now(w) - begin_us;
}

/* What may be blocked. */
enum block {
	ESP_OUT,   /* By the netfilter of a itself... */
	VXLAN_OUT, /* ...or what is in it... */
	VXLAN_IN,  /* ...or by that of b. */
	BOTH_WAYS, /* In the network. */
	ONE_WAY,
	N_BLOCKS
};

static void set_block(struct world *w, enum block block, bool on)
{
	struct host *a = host_a(w), *b = host_b(w);

	switch (block) {
	case ESP_OUT:
		a->kernel.drops_esp_out = on;
		break;
	case VXLAN_OUT:
		a->kernel.drops_vxlan_out = on;
		break;
	case VXLAN_IN:
		b->kernel.drops_vxlan_in = on;
		break;
	case BOTH_WAYS:
		world_filter(w, b, a, on ? 0 : SIZE_MAX);
		world_filter(w, a, b, on ? 0 : SIZE_MAX);
		break;
	case ONE_WAY:
		world_filter(w, a, b, on ? 0 : SIZE_MAX);
		break;
	case N_BLOCKS:
		break;
	}
}

/* Of what a sends to c, how often flows were written. */
static unsigned int n_writes_to(const struct host *a, const struct host *c)
{
	unsigned int n = 0;

	for (size_t i = 0; i < a->kernel.n_flows; i++) {
		const struct fake_flow *f = &a->kernel.flows[i];

		for (size_t j = 0; j < f->actions.n; j++) {
			const struct action *act = &f->actions.v[j];

			if (act->type == ACTION_SET_TUNNEL &&
			    (ip_equal(&act->tunnel.dst, &c->v4) ||
			     ip_equal(&act->tunnel.dst, &c->v6))) {
				n += f->n_puts;
			}
		}
	}
	return n;
}

/* A blocked fast path is left within seconds and come back to within six (ten
 * are asked for, of real machines); the other direction, where it is not
 * blocked, stays where it is. */
SEED_TEST(blocked_way_is_gone_round_and_come_back_to, SEEDS)
{
	const enum block block = (enum block)(seed % N_BLOCKS);
	struct world *w = sleeve_world(seed, 3, 0, seed % 7 ? "secret" : NULL);
	struct host *a = host_a(w), *b = host_b(w);
	unsigned int lost;
	uint64_t took_us;

	if (!(seed % 7) && block == ESP_OUT) {
		world_free(w);
		return; /* There is no ESP. */
	}
	bring_up(w, 3);
	demand_all_reach(w, 3);
	chatter(w, a, b, 2 * SEC);
	DEMAND(w, shows(a, b, "overlay", "fastdp"), "not by fastdp at first");
	for (unsigned int round = 0; round < 2; round++) {
		set_block(w, block, true);
		took_us = await_overlay(w, a, b, "sleeve", 5 * SEC);
		DEMAND(w, took_us >= SEC, "left after %u ms",
		       (unsigned int)(took_us / MS));
		lost = 50 - chatter(w, a, b, 5 * SEC);
		DEMAND(w, block == BOTH_WAYS ? lost < 40 : lost == 0,
		       "%u pings lost by sleeve", lost);
		DEMAND(w,
		       block == BOTH_WAYS || shows(b, a, "overlay", "fastdp"),
		       "b leaves a way that is not blocked");
		DEMAND(w, shows(a, b, "via", "") && shows(b, a, "via", ""),
		       "one goes through c");
		DEMAND(w,
		       !shows(a, b, "overlay_reason", "") &&
			       !shows(a, b, "overlay_reason", "keying"),
		       "by sleeve without a reason");
		lost = 100 - chatter(w, a, b, 10 * SEC);
		DEMAND(w, !lost, "%u pings lost by sleeve", lost);
		/* Nothing is lost by the change back. */
		set_block(w, block, false);
		lost = 60 - chatter(w, a, b, 6 * SEC);
		DEMAND(w,
		       shows(a, b, "overlay", "fastdp") &&
			       shows(b, a, "overlay", "fastdp"),
		       "not back after 6 s");
		lost += 40 - chatter(w, a, b, 4 * SEC);
		DEMAND(w, !lost, "%u pings lost by the return", lost);
		chatter(w, a, b, 70 * SEC);
	}
	demand_all_reach(w, 3);
	world_free(w);
}

/* Flows to others are not touched while a peer goes one way or the other. */
SEED_TEST(only_flows_of_the_peer_are_touched, SEEDS)
{
	struct world *w = sleeve_world_up(seed, 3, 0, "secret");
	struct host *a = host_a(w), *b = host_b(w), *c = host_c(w);
	unsigned int writes;

	chatter(w, a, c, SEC);
	writes = n_writes_to(a, c);
	DEMAND(w, writes, "no flows to c");
	set_block(w, ONE_WAY, true);
	for (unsigned int i = 0; i < 6; i++) {
		chatter(w, a, c, 500 * MS);
		chatter(w, a, b, 500 * MS);
	}
	DEMAND(w, shows(a, b, "overlay", "sleeve"), "not by sleeve");
	world_run(w, 6 * SEC);
	DEMAND(w, a->peers && strstr(a->peers, "\"sleeve\":\""),
	       "not remembered how");
	set_block(w, ONE_WAY, false);
	for (unsigned int i = 0; i < 10; i++) {
		chatter(w, a, c, 500 * MS);
		chatter(w, a, b, 500 * MS);
	}
	DEMAND(w, shows(a, b, "overlay", "fastdp"), "not back");
	DEMAND(w, n_writes_to(a, c) == writes, "flows to c: %u writes, now %u",
	       writes, n_writes_to(a, c));
	world_run(w, 6 * SEC);
	DEMAND(w, strstr(a->peers, "\"name\":\"b\""), "not remembered");
	DEMAND(w, !strstr(a->peers, "\"sleeve\":\""), "remembered otherwise");
	world_free(w);
}

/* Pings of both ends from the first moment of the session on. */
static unsigned int lost_after_restart(struct world *w, struct host *a,
				       struct host *b)
{
	const unsigned int n = 30;

	while (!n_connections(a, "established")) {
		world_run(w, 10 * MS);
	}
	return n - chatter(w, a, b, n * 100 * MS);
}

/* A daemon that is started again while fastdp is blocked begins with what
 * worked; the control is one that has lost the file. */
SEED_TEST(restarted_one_begins_with_what_worked, SEEDS)
{
	struct world *w = sleeve_world_up(seed, 2, 0, "secret");
	struct host *a = host_a(w), *b = host_b(w);
	unsigned int lost;

	set_block(w, ONE_WAY, true);
	await_overlay(w, a, b, "sleeve", 5 * SEC);
	for (unsigned int i = 0; i < 3; i++) {
		/* By then it is written. */
		chatter(w, a, b, 8 * SEC);
		if (i & 1) {
			host_stop(a);
		} else {
			host_kill(a);
		}
		if (i == 2) {
			free(a->peers);
			a->peers = NULL;
		}
		world_run(w, world_draw(w, 3 * SEC));
		host_start_well(a);
		lost = lost_after_restart(w, a, b);
		DEMAND(w, i == 2 ? lost > 10 : lost < 6,
		       "%u pings are lost after restart %u", lost, i);
		DEMAND(w, shows(a, b, "overlay", "sleeve"), "not by sleeve");
		DEMAND(w,
		       !shows(a, b, "overlay_reason", "") &&
			       !shows(a, b, "overlay_reason", "keying"),
		       "why not");
	}
	set_block(w, ONE_WAY, false);
	lost = 100 - chatter(w, a, b, 10 * SEC);
	DEMAND(w, !lost, "%u pings lost by the return", lost);
	DEMAND(w, shows(a, b, "overlay", "fastdp"), "not back after 10 s");
	/* What is in order by then is not gone round. */
	chatter(w, a, b, 8 * SEC);
	set_block(w, ONE_WAY, true);
	await_overlay(w, a, b, "sleeve", 5 * SEC);
	chatter(w, a, b, 8 * SEC);
	host_kill(a);
	set_block(w, ONE_WAY, false);
	host_start_well(a);
	demand_connected(w, 60 * SEC);
	chatter(w, a, b, 8 * SEC);
	DEMAND(w, shows(a, b, "overlay", "fastdp"), "by sleeve for no reason");
	demand_all_reach(w, 2);
	world_free(w);
}

/* What still comes by ESP is taken before there are sessions, also from one to
 * whom only the sleeve leads: its endpoints are remembered.  The control has
 * lost the file. */
SEED_TEST(restarted_one_takes_what_comes_by_esp, SEEDS)
{
	struct world *w = sleeve_world_up(seed, 2, 0, "secret");
	struct host *a = host_a(w), *b = host_b(w);
	struct endpoint *new = attach(b, 9), *to = a->endpoints[0];
	const bool control = seed % 3 == 2;
	unsigned int before;

	set_block(w, ONE_WAY, true);
	await_overlay(w, a, b, "sleeve", 5 * SEC);
	chatter(w, a, b, 8 * SEC); /* By then it is written. */
	host_kill(a);
	if (control) {
		free(a->peers);
		a->peers = NULL;
	}
	a->password_us = 4 * SEC;
	host_start_well(a);
	world_run(w, 500 * MS);
	before = to->n_frames;
	for (unsigned int i = 0; i < 3; i++) {
		endpoint_ping(new, &to->ips[seed & 1], 84);
		world_run(w, 100 * MS);
	}
	DEMAND(w, !a->n_sessions, "it has a session");
	DEMAND(w, control ? to->n_frames == before : to->n_frames > before,
	       "%u frames of a new flow", to->n_frames - before);
	world_run(w, 60 * SEC);
	DEMAND(w, n_connections(a, "established"), "no session");
	DEMAND(w, shows(a, b, "overlay", "sleeve"), "not by sleeve");
	set_block(w, ONE_WAY, false);
	chatter(w, a, b, 10 * SEC);
	demand_all_reach(w, 2);
	world_free(w);
}

/* Who says that it shall be tried again is not told to wait. */
SEED_TEST(connect_forgives_flapping, SEEDS)
{
	struct world *w = sleeve_world_up(seed, 2, 0, "secret");
	struct host *a = host_a(w), *b = host_b(w);
	char args[80], ip[IP_STRLEN];

	snprintf(args, sizeof args, "{\"address\": \"%s\"}",
		 ip_format(seed & 1 ? &b->v6 : &b->v4, ip));
	for (unsigned int i = 0; i < 6; i++) {
		set_block(w, ONE_WAY, true);
		await_overlay(w, a, b, "sleeve", 5 * SEC);
		json_destroy(host_ask(a, "connect", args));
		set_block(w, ONE_WAY, false);
		await_overlay(w, a, b, "fastdp", 10 * SEC);
	}
	world_free(w);
}

/* What a host has that could grow. */
struct having {
	size_t ports, sas, policies, ins, outs;
};

static struct having having(const struct host *h)
{
	return (struct having){
		h->kernel.n_ports,	 h->kernel.n_sas,
		h->kernel.n_policies,	 h->kernel.sleeve.n_ins,
		h->kernel.sleeve.n_outs,
	};
}

/* The same over and over: nothing is left of it. */
SEED_TEST(hundred_rounds_leave_nothing, 2)
{
	struct world *w = sleeve_world_up(seed, 2, 0, "secret");
	struct host *a = host_a(w), *b = host_b(w);
	const struct having before = having(a);
	struct having after;

	for (unsigned int i = 0; i < 100; i++) {
		set_block(w, BOTH_WAYS, true);
		await_overlay(w, a, b, "sleeve", 5 * SEC);
		set_block(w, BOTH_WAYS, false);
		await_overlay(w, a, b, "fastdp", 70 * SEC);
		chatter(w, a, b, world_draw(w, 70 * SEC));
		world_run(w, 70 * SEC);
	}
	/* New keys of the hour may have left old ones, for a minute. */
	after = having(a);
	if (memcmp(&before, &after, sizeof before)) {
		world_run(w, 70 * SEC);
		after = having(a);
	}
	DEMAND(w, !memcmp(&before, &after, sizeof before),
	       "ports %zu to %zu, SAs %zu to %zu, policies %zu to %zu, keys "
	       "%zu, %zu to %zu, %zu",
	       before.ports, after.ports, before.sas, after.sas,
	       before.policies, after.policies, before.ins, before.outs,
	       after.ins, after.outs);
	demand_all_reach(w, 2);
	world_free(w);
}

/* With only the sleeve blocked nothing happens. */
SEED_TEST(blocked_sleeve_does_not_matter, SEEDS)
{
	struct world *w = sleeve_world_up(seed, 2, 0, "secret");
	struct host *a = host_a(w), *b = host_b(w);
	unsigned int lost;

	world_filter_sleeve(w, a, b, 0);
	world_filter_sleeve(w, b, a, 0);
	lost = 600 - chatter(w, a, b, 60 * SEC);
	DEMAND(w, !lost, "%u lost", lost);
	DEMAND(w,
	       shows(a, b, "overlay", "fastdp") &&
		       shows(b, a, "overlay", "fastdp"),
	       "by sleeve");
	world_free(w);
}

/* Both ways dead: only then through others. */
SEED_TEST(relayed_only_if_both_ways_are_dead, SEEDS)
{
	struct world *w = sleeve_world_up(seed, 3, 0, "secret");
	struct host *a = host_a(w), *b = host_b(w);
	unsigned int got;

	set_block(w, BOTH_WAYS, true);
	chatter(w, a, b, 10 * SEC);
	DEMAND(w, shows(a, b, "overlay", "sleeve") && shows(a, b, "via", ""),
	       "not by sleeve");
	world_filter_sleeve(w, a, b, 0);
	chatter(w, a, b, 12 * SEC);
	DEMAND(w, shows(a, b, "via", "c"), "not through c");
	got = chatter(w, a, b, 5 * SEC);
	DEMAND(w, got == 50, "%u of 50 through c", got);
	/* One of them is enough. */
	world_filter_sleeve(w, a, b, SIZE_MAX);
	chatter(w, a, b, 30 * SEC);
	DEMAND(w, shows(a, b, "overlay", "sleeve"), "not by sleeve again");
	set_block(w, BOTH_WAYS, false);
	chatter(w, a, b, 12 * SEC);
	DEMAND(w, shows(a, b, "overlay", "fastdp"), "not by fastdp again");
	got = chatter(w, a, b, 5 * SEC);
	DEMAND(w, got == 50, "%u of 50 by fastdp", got);
	world_free(w);
}

/* A way that comes and goes is not followed each time, and never is one stayed
 * on that is dead while the other one is not. */
SEED_TEST(flapping_way_is_not_followed, SEEDS)
{
	struct world *w = sleeve_world_up(seed, 2, 0, "secret");
	struct host *a = host_a(w), *b = host_b(w);
	unsigned int changes = 0, got = 0, all = 0;
	bool by_sleeve = false;

	for (unsigned int i = 0; i < 20; i++) {
		set_block(w, ONE_WAY, true);
		/* It may be about to come back, and find out anew. */
		chatter(w, a, b, 5 * SEC);
		await_overlay(w, a, b, "sleeve", SEC);
		changes += !by_sleeve;
		got += chatter(w, a, b, 3 * SEC);
		all += 30;
		set_block(w, ONE_WAY, false);
		chatter(w, a, b, 10 * SEC);
		by_sleeve = shows(a, b, "overlay", "sleeve");
	}
	DEMAND(w, changes < 8, "%u changes", changes);
	DEMAND(w, got == all, "%u of %u arrive", got, all);
	set_block(w, ONE_WAY, false);
	chatter(w, a, b, 70 * SEC);
	DEMAND(w, shows(a, b, "overlay", "fastdp"), "not back at last");
	world_free(w);
}

/* A kernel that takes no SAs: the sleeve does, and says why. */
SEED_TEST(refused_keys_leave_the_sleeve, SEEDS)
{
	struct world *w = sleeve_world(seed, 2, 0, "secret");
	struct host *a = host_a(w), *b = host_b(w);

	a->kernel.fault.op = OP_SA_ADD;
	a->kernel.fault.os_errno = EPROTONOSUPPORT;
	a->kernel.fault.lasting = true;
	start_all(w, 2);
	world_run(w, 10 * SEC);
	attach(a, 1);
	attach(b, 2);
	DEMAND(w,
	       shows(a, b, "overlay", "sleeve") &&
		       shows(b, a, "overlay", "sleeve"),
	       "not by sleeve");
	DEMAND(w, shows(a, b, "overlay_reason", "no-esp"), "not for no-esp");
	demand_all_reach(w, 2);
	world_free(w);
}

/* Sessions break, daemons die, keys change, on either way. */
SEED_TEST(rough_life_on_both_ways_ends_well, 20)
{
	struct world *w = sleeve_world(seed, 3, 0, "secret");
	bool blocked = false;

	bring_up(w, 3);
	for (unsigned int i = 0; i < 15; i++) {
		struct host *h = world_host(w, (unsigned int)world_draw(w, 3));
		struct host *o = world_host(w, (h->index + 1) % 3);

		switch (world_draw(w, 5)) {
		case 0:
			world_break(w, h, o);
			break;
		case 1:
			host_kill(h);
			world_run(w, world_draw(w, 2 * SEC));
			host_start_well(h);
			break;
		case 2:
			host_tell(h, "rekey");
			break;
		default:
			blocked = !blocked;
			set_block(w, world_draw(w, 2) ? BOTH_WAYS : ONE_WAY,
				  blocked);
			break;
		}
		if (h->n_endpoints && o->n_endpoints) {
			chatter(w, h, o, world_draw(w, 5 * SEC));
		}
	}
	set_block(w, BOTH_WAYS, false);
	demand_connected(w, 150 * SEC);
	demand_all_reach(w, 3);
	world_free(w);
}

/* Hosts with and without openvswitch. */
SEED_TEST(mixed_mesh_is_one, SEEDS)
{
	const unsigned int n = 4, n_without = 1 + (unsigned int)(seed % 3);
	struct world *w =
		sleeve_world_up(seed, n, n_without, seed % 5 ? "secret" : NULL);

	for (unsigned int i = 0; i < n; i++) {
		for (unsigned int j = 0; j < n; j++) {
			struct host *a = world_host(w, i);
			const struct host *b = world_host(w, j);
			const bool sleeve = i < n_without || j < n_without;

			DEMAND(w,
			       i == j || shows(a, b, "overlay",
					       sleeve ? "sleeve" : "fastdp"),
			       "%s to %s by something else", a->name, b->name);
			DEMAND(w,
			       i == j || shows(a, b, "overlay_reason",
					       !sleeve	       ? ""
					       : i < n_without ? "no-datapath"
							       : "peer-no-"
								 "fastdp"),
			       "%s to %s for something else", a->name, b->name);
		}
	}
	world_free(w);
}

static void send_to_all(struct endpoint *e)
{
	static const struct flow f = {
		.eth_dst = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		.eth_type = ETH_TYPE_IPV4,
		.nw_proto = IP_PROTO_UDP,
		.nw_ttl = 64,
		.nw_dst = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff,
			    0xff, 0xff, 0xff}}};

	endpoint_send(e, &f, span_of("x", 1));
}

/* Everybody hears every broadcast once, whatever is between. */
SEED_TEST(broadcast_and_relay_cross_both_ways, SEEDS)
{
	const unsigned int n = 4;
	struct world *w =
		sleeve_world_up(seed, n, (unsigned int)(seed % 4), "secret");
	const unsigned int x = (unsigned int)world_draw(w, n);
	const unsigned int y = (x + 1) % n;

	/* Those two have to go through others. */
	world_partition(w, world_host(w, x), world_host(w, y), true);
	world_run(w, 30 * SEC);
	demand_all_reach(w, n);
	for (unsigned int i = 0; i < n; i++) {
		unsigned int seen[4];

		for (unsigned int k = 0; k < n; k++) {
			seen[k] = world_host(w, k)->endpoints[0]->n_frames;
		}
		send_to_all(world_host(w, i)->endpoints[0]);
		world_run(w, 300 * MS);
		for (unsigned int k = 0; k < n; k++) {
			unsigned int got =
				world_host(w, k)->endpoints[0]->n_frames -
				seen[k];

			DEMAND(w, got == (k != i),
			       "%s heard a broadcast of %s %u times",
			       world_host(w, k)->name, world_host(w, i)->name,
			       got);
		}
	}
	world_free(w);
}

/* One by sleeve alone, one by fastdp alone: they say so, and meet in a third.
 */
SEED_TEST(hosts_with_no_way_in_common_meet_in_a_third, SEEDS)
{
	struct world *w = sleeve_world(seed, 3, 0, "secret");
	struct host *a = host_a(w), *b = host_b(w), *c = host_c(w);

	a->overlay = OVERLAY_SLEEVE;
	b->overlay = OVERLAY_FASTDP;
	start_all(w, 3);
	world_run(w, 10 * SEC);
	for (unsigned int i = 0; i < 3; i++) {
		attach(world_host(w, i), i + 1);
	}
	world_run(w, 20 * SEC);
	DEMAND(w,
	       shows(a, c, "overlay", "sleeve") &&
		       shows(c, a, "overlay", "sleeve") &&
		       shows(b, c, "overlay", "fastdp") &&
		       shows(c, b, "overlay", "fastdp"),
	       "c is not reached as it could be");
	DEMAND(w, shows(a, b, "via", "c") && shows(b, a, "via", "c"),
	       "not through c");
	DEMAND(w,
	       shows(a, c, "overlay_reason", "no-fastdp") &&
		       shows(c, a, "overlay_reason", "peer-no-fastdp"),
	       "not for what an operator wants");
	/* Whoever dialled: of those two connections it is one end's. */
	demand_connection(b, seed & 1 ? "[2001:db8::1]" : "192.0.2.1",
			  "established", "no-sleeve");
	demand_all_reach(w, 3);
	world_free(w);
}

static uint32_t trunk_of(const struct host *h)
{
	for (size_t i = 0; i < h->kernel.n_ports; i++) {
		if (h->kernel.ports[i].type == ODP_VPORT_TAP &&
		    strstr(h->kernel.ports[i].name, "-sleeve")) {
			return h->kernel.ports[i].port_no;
		}
	}
	return 0;
}

/* Flows of the run before push VLANs that meant something else: they must not
 * find a trunk. */
SEED_TEST(trunk_never_has_an_old_number, SEEDS)
{
	struct world *w = sleeve_world(seed, 2, 0, "secret");
	struct host *a = host_a(w);
	uint32_t had[4];

	bring_up(w, 2);
	for (size_t i = 0; i < 4; i++) {
		had[i] = trunk_of(a);
		DEMAND(w, had[i], "no trunk");
		for (size_t j = 0; j < i; j++) {
			DEMAND(w, had[i] != had[j], "number %u again", had[i]);
		}
		if (i & 1) {
			host_stop(a);
		} else {
			host_kill(a);
		}
		host_start_well(a);
		world_run(w, SEC);
	}
	world_free(w);
}

/* Flows of 'h' into a trunk that is not there. */
static unsigned int n_flows_nowhere(const struct host *h)
{
	unsigned int n = 0;

	for (size_t i = 0; i < h->kernel.n_flows; i++) {
		const struct actions *actions = &h->kernel.flows[i].actions;
		uint32_t port =
			actions->n ? actions->v[actions->n - 1].port : 0;

		n += actions->n && found_flow_leads_nowhere(actions) &&
		     port != trunk_of(h);
	}
	return n;
}

/* They would be followed until they are idle. */
SEED_TEST(flows_into_the_trunk_go_with_it, SEEDS)
{
	struct world *w = sleeve_world_up(seed, 2, 0, "secret");
	struct host *a = host_a(w), *b = host_b(w);

	set_block(w, ONE_WAY, true);
	await_overlay(w, a, b, "sleeve", 5 * SEC);
	chatter(w, a, b, 2 * SEC);
	DEMAND(w, !n_flows_nowhere(a), "flows into no trunk");
	host_kill(a);
	host_start(a);
	DEMAND(w, n_flows_nowhere(a), "the control sees none");
	world_run(w, SEC);
	DEMAND(w, host_is_running(a) && !n_flows_nowhere(a),
	       "%u flows into the trunk of the run before", n_flows_nowhere(a));
	world_free(w);
}

/* Frames of 1280 bytes over IPv6 from a to b; how many of ten arrive. */
static unsigned int large_ones(struct host *a, struct host *b)
{
	struct endpoint *e = a->endpoints[0], *to = b->endpoints[0];
	unsigned int n = 0;

	for (unsigned int i = 0; i < 10; i++) {
		n += endpoint_reaches_with(e, &to->ips[1], 1280, 1);
		world_run(a->world, 300 * MS);
	}
	return n;
}

/* IPv6 demands 1,280 bytes of every link: where the tunnel takes less the
 * sleeve is taken, by hosts that have IPv6, and without it that is lost. */
SEED_TEST(what_ipv6_demands_goes_by_sleeve, SEEDS)
{
	struct world *w = sleeve_world_up(seed, 2, 0, "secret");
	struct host *a = host_a(w), *b = host_b(w);

	world_filter(w, a, b, 1340);
	world_filter_sleeve(w, a, b, seed & 2 ? 0 : 1340);
	DEMAND(w, chatter(w, a, b, 10 * SEC) == 100, "pings are lost");
	if (seed & 2) {
		DEMAND(w, shows(a, b, "overlay", "fastdp"), "by a dead sleeve");
		DEMAND(w, chatter(w, a, b, 2 * SEC) == 20, "pings are lost");
		DEMAND(w, !large_ones(a, b), "the control: 1280 bytes arrive");
		world_filter_sleeve(w, a, b, 1340);
	}
	await_overlay(w, a, b, "sleeve", 20 * SEC);
	DEMAND(w, shows(a, b, "overlay_reason", "path-narrow"), "no reason");
	DEMAND(w, shows(b, a, "overlay", "fastdp"), "b goes by sleeve, too");
	DEMAND(w, large_ones(a, b) == 10, "1280 bytes do not arrive");
	DEMAND(w, chatter(w, a, b, 2 * SEC) == 20, "pings are lost");
	world_filter(w, a, b, 1500);
	world_filter_sleeve(w, a, b, 1500);
	await_overlay(w, a, b, "fastdp", 60 * SEC);
	DEMAND(w, large_ones(a, b) == 10, "1280 bytes do not arrive any more");
	world_free(w);
}

SCENARIO_MAIN("overlay", what_ipv6_demands_goes_by_sleeve,
	      trunk_never_has_an_old_number, flows_into_the_trunk_go_with_it,
	      blocked_way_is_gone_round_and_come_back_to,
	      only_flows_of_the_peer_are_touched,
	      restarted_one_begins_with_what_worked,
	      restarted_one_takes_what_comes_by_esp, connect_forgives_flapping,
	      hundred_rounds_leave_nothing, blocked_sleeve_does_not_matter,
	      relayed_only_if_both_ways_are_dead, flapping_way_is_not_followed,
	      refused_keys_leave_the_sleeve, rough_life_on_both_ways_ends_well,
	      mixed_mesh_is_one, broadcast_and_relay_cross_both_ways,
	      hosts_with_no_way_in_common_meet_in_a_third)
