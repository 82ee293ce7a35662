/* A way between hosts whose MTU changes, where no router says so. */
#include "fake/scenario.h"
#include "ipsec/overhead.h"
#include "packet/build.h"
#include "packet/checksum.h"
#include "util.h"

enum {
	SEEDS = 12
};

/* The MTU that 'h' shows towards the host called 'name'; 0 if there is none. */
static int64_t mtu_towards(struct host *h, const char *name)
{
	struct json *json = host_ask(h, "peers", NULL);
	const struct json *list = jsonget(json, "peers");
	int64_t value = 0;

	for (size_t i = 0; i < jsonget_n(list); i++) {
		const struct json *row = jsonget_at(list, i);

		if (!strcmp(jsonget_string(row, "name"), name) &&
		    !jsonget_integer(row, "mtu", 0, UINT16_MAX, &value)) {
			value = 0;
		}
	}
	json_destroy(json);
	return value;
}

static uint32_t mtu_of(const struct endpoint *e)
{
	return fake_kernel_link(&e->host->kernel, e->link)->mtu;
}

/* The way between both is that wide now. */
static void set_path(struct world *w, struct host *a, struct host *b,
		     uint32_t mtu)
{
	world_filter(w, a, b, mtu);
	world_filter(w, b, a, mtu);
}

/* Frames as large as their interface allows, there and back, until they get
 * through again; returns how long that took. */
static uint64_t talk_until_ok(struct endpoint *a, const struct endpoint *b,
			      uint32_t mtu)
{
	struct world *w = a->host->world;
	uint64_t begin_us = world_now(w);

	while (!endpoint_reaches_with(a, &b->ips[0], mtu_of(a), 1) ||
	       mtu_of(a) != mtu || mtu_of(b) != mtu) {
		DEMAND(w, world_now(w) < begin_us + 20 * SEC,
		       "%u and %u instead of %u", mtu_of(a), mtu_of(b), mtu);
		world_run(w, 10 * MS);
	}
	return world_now(w) - begin_us;
}

static uint64_t worst_shrink_us, worst_growth_us;

SEED_TEST(a_changing_way_is_followed, SEEDS)
{
	const bool v6 = seed & 1;
	const char *password = seed % 4 == 3 ? NULL : "pw";
	const uint32_t whole = overhead_inner_mtu(1500, v6, password);
	struct world *w = running_world(seed, 2, password, v6);
	struct host *a = host_a(w), *b = host_b(w);
	struct endpoint *ea = a->endpoints[0], *eb = b->endpoints[0];

	world_routers_tell(w, seed & 2);
	/* Nothing grows in the first ten seconds. */
	world_run(w, 12 * SEC);
	talk_until_ok(ea, eb, whole);
	for (unsigned int i = 0; i < 6; i++) {
		uint32_t path = (uint32_t)(1390 + world_draw(w, 90));
		uint32_t mtu = overhead_inner_mtu(path, v6, password);
		uint64_t us;

		mtu = whole - (whole - mtu + 3) / 4 * 4;
		set_path(w, a, b, path);
		us = talk_until_ok(ea, eb, mtu);
		worst_shrink_us = MAX(worst_shrink_us, us);
		DEMAND(w, us < 5 * SEC, "shrunk after %llu us",
		       (unsigned long long)us);
		DEMAND(w, mtu_towards(a, "b") == mtu, "shown: %d, not %u",
		       (int)mtu_towards(a, "b"), mtu);
		world_run(w, world_draw(w, 3 * SEC));
		set_path(w, a, b, 1500);
		us = talk_until_ok(ea, eb, whole);
		worst_growth_us = MAX(worst_growth_us, us);
		DEMAND(w, us < 5 * SEC, "grown after %llu us",
		       (unsigned long long)us);
		world_run(w, world_draw(w, 3 * SEC));
	}
	DEMAND(w, seed & 2 || a->kernel.n_too_big == 0,
	       "too large for the interface");
	printf("seed %llu: shrinks within %.2f s, grows within %.2f s\n",
	       (unsigned long long)seed, (double)worst_shrink_us / SEC,
	       (double)worst_growth_us / SEC);
	world_free(w);
}

/* The flow of a's container to that of 'h', IPv4 pings; NULL: none. */
static struct fake_flow *flow_to(struct host *a, const struct endpoint *to)
{
	for (size_t i = 0; i < a->kernel.n_flows; i++) {
		struct fake_flow *f = &a->kernel.flows[i];

		if (mac_equal(&f->key.eth_dst, &to->mac)) {
			return f;
		}
	}
	return NULL;
}

static bool checks(struct host *a, const struct endpoint *to)
{
	const struct fake_flow *f = flow_to(a, to);

	DEMAND(a->world, f && f->actions.n, "no flow to %s", to->netns);
	for (size_t i = 0; i < f->actions.n; i++) {
		if (f->actions.v[i].type == ACTION_CHECK_SIZE) {
			return true;
		}
	}
	return false;
}

static void demand_mtu(struct endpoint *e, uint32_t mtu)
{
	DEMAND(e->host->world, mtu_of(e) == mtu, "%s: %u, not %u", e->netns,
	       mtu_of(e), mtu);
}

/* 'mtu' bytes get there, and of more the sender is told. */
static void demand_told(struct endpoint *from, struct endpoint *to,
			uint32_t mtu)
{
	struct world *w = from->host->world;

	for (size_t i = 0; i < 2; i++) {
		const struct ip_addr *ip = &to->ips[i];
		unsigned int n = from->n_told;

		DEMAND(w, endpoint_reaches_with(from, ip, mtu, 1),
		       "%u bytes do not pass", mtu);
		DEMAND(w, from->n_told == n, "told for nothing");
		DEMAND(w, !endpoint_reaches_with(from, ip, mtu + 1, 1),
		       "%u bytes pass", mtu + 1);
		DEMAND(w, from->n_told == n + 1, "told %u times",
		       from->n_told - n);
		DEMAND(w, from->told_mtu == mtu, "told %u", from->told_mtu);
		DEMAND(w, ip_equal(&from->told_by, ip), "told by another");
	}
}

/* One of three is behind something narrow.  Containers use what gets to the
 * others; who sends too much to that one is told, and only flows to there look
 * at sizes. */
SEED_TEST(each_peer_has_its_own, SEEDS)
{
	struct world *w = running_world(seed, 3, seed & 1 ? NULL : "pw", false);
	struct host *a = host_a(w), *b = host_b(w), *c = host_c(w);
	struct endpoint *ea = a->endpoints[0], *eb = b->endpoints[0];
	struct endpoint *ec = c->endpoints[0];
	const uint32_t whole = seed & 1 ? 1450 : 1416, narrow = whole - 100;
	unsigned int n_puts;

	set_path(w, a, c, 1400);
	set_path(w, b, c, 1400);
	for (unsigned int i = 0; i < 40; i++) {
		demand_reach(ea, ec);
		demand_reach(ea, eb);
		demand_reach(eb, ec);
		world_run(w, 300 * MS);
	}
	DEMAND(w, mtu_towards(a, "b") == whole, "%d", (int)mtu_towards(a, "b"));
	DEMAND(w, mtu_towards(a, "c") == narrow, "%d",
	       (int)mtu_towards(a, "c"));
	DEMAND(w, mtu_towards(c, "a") == narrow, "%d",
	       (int)mtu_towards(c, "a"));
	demand_mtu(ea, whole);
	demand_mtu(eb, whole);
	demand_mtu(ec, narrow);
	demand_told(ea, ec, narrow);
	DEMAND(w, checks(a, ec) && !checks(a, eb), "wrong flows look at sizes");
	DEMAND(w, endpoint_reaches_with(ea, &eb->ips[0], whole, 1),
	       "%u bytes do not reach b", whole);
	DEMAND(w, !checks(c, ea), "needless: its container has no more");

	/* It grows: that flow is written, and no other. */
	n_puts = flow_to(a, eb)->n_puts;
	set_path(w, a, c, 1500);
	for (unsigned int i = 0; i < 10; i++) {
		demand_reach(ea, ec);
		demand_reach(ea, eb);
		world_run(w, 300 * MS);
	}
	DEMAND(w, !checks(a, ec), "the flow still looks at sizes");
	DEMAND(w, flow_to(a, eb)->n_puts == n_puts, "b's flow is written");
	demand_mtu(ec, whole);
	DEMAND(w, endpoint_reaches_with(ea, &ec->ips[0], whole, 1),
	       "%u bytes do not reach c", whole);
	demand_told(ec, eb, narrow);
	world_free(w);
}

/* A datagram of 'size' bytes of IPv4, without DF. */
static void send_without_df(struct endpoint *from, const struct mac *dst,
			    const struct ip_addr *ip, size_t size)
{
	const struct flow f = {.eth_src = from->mac,
			       .eth_dst = *dst,
			       .eth_type = ETH_TYPE_IPV4,
			       .nw_proto = IP_PROTO_UDP,
			       .nw_ttl = 64,
			       .tp_src = 1000,
			       .nw_src = from->ips[0],
			       .nw_dst = *ip};
	static const uint8_t zeros[2000];
	struct wbuf frame = WBUF_INITIALIZER(0);
	struct checksum sum = CHECKSUM_INITIALIZER;

	build_frame(&frame, &f, span_of(zeros, size - 28));
	memset(frame.data + 20, 0, 2); /* Flags, offset. */
	memset(frame.data + 24, 0, 2);
	checksum_add(&sum, frame.data + 14, 20);
	checksum_store(&sum, frame.data + 24);
	fake_kernel_send(&from->host->kernel, from->link, wbuf_span(&frame));
	wbuf_free(&frame);
}

/* Who does not want to be told gets it cut; a group does so for those members
 * only that need it, and nobody gets it twice. */
SEED_TEST(without_df_it_goes_in_pieces, SEEDS)
{
	static const struct mac group = {{1, 0, 0x5e, 1, 2, 3}};
	static const struct ip_addr group_ip = {
		{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 239, 1, 2, 3}};
	struct world *w = running_world(seed, 3, "pw", seed & 1);
	struct host *a = host_a(w), *b = host_b(w), *c = host_c(w);
	struct endpoint *ea = a->endpoints[0], *eb = b->endpoints[0];
	struct endpoint *ec = c->endpoints[0];
	const uint32_t whole = mtu_of(ea);
	unsigned int at_b, at_c;

	set_path(w, a, c, 1400);
	for (unsigned int i = 0; i < 40; i++) {
		demand_reach(ea, ec);
		demand_reach(ea, eb);
		world_run(w, 300 * MS);
	}
	demand_mtu(ea, whole);
	at_c = ec->n_frames;
	send_without_df(ea, &ec->mac, &ec->ips[0], whole);
	world_run(w, 100 * MS);
	DEMAND(w, ec->n_frames == at_c + 2, "%u pieces", ec->n_frames - at_c);
	at_b = eb->n_frames;
	at_c = ec->n_frames;
	send_without_df(ea, &group, &group_ip, whole);
	world_run(w, 100 * MS);
	DEMAND(w, eb->n_frames == at_b + 1, "%u at b", eb->n_frames - at_b);
	DEMAND(w, ec->n_frames == at_c + 2, "%u at c", ec->n_frames - at_c);
	DEMAND(w, !ea->n_told, "told");
	world_free(w);
}

/* Kernels that cannot look at sizes, or do it wrongly: all have the least. */
SEED_TEST(a_kernel_that_does_not_check_gets_the_least, SEEDS)
{
	struct world *w = hosts_new(seed, 3, "pw");
	struct host *a = host_a(w), *b = host_b(w), *c = host_c(w);
	struct endpoint *ea, *eb, *ec;

	if (seed & 1) {
		a->kernel.checks_no_size = true;
	} else {
		a->kernel.checks_wrongly = true;
	}
	dial_all(w, 3, false);
	start_all(w, 3);
	demand_connected(w, 10 * SEC);
	ea = attach(a, 1);
	eb = attach(b, 2);
	ec = attach(c, 3);
	set_path(w, a, c, 1400);
	for (unsigned int i = 0; i < 40; i++) {
		demand_reach(ea, ec);
		demand_reach(ea, eb);
		demand_reach(eb, ec);
		world_run(w, 300 * MS);
	}
	demand_mtu(ea, 1316);
	demand_mtu(eb, 1416);
	DEMAND(w, !checks(a, ec) && !checks(a, eb), "flows look at sizes");
	DEMAND(w, endpoint_reaches_with(ea, &ec->ips[0], 1316, 1),
	       "1316 bytes do not reach c");
	/* Others know what it takes. */
	DEMAND(w, mtu_towards(b, "a") == 1416, "%d", (int)mtu_towards(b, "a"));
	demand_told(eb, ea, 1316);
	DEMAND(w, !a->kernel.n_over_mtu, "too large for a container");
	world_free(w);
}

/* A way that is gone for a while is no small one, and neither is a bad one. */
SEED_TEST(silence_and_loss_change_nothing, SEEDS)
{
	struct world *w = running_world(seed, 2, "pw", seed & 1);
	const uint32_t whole = mtu_of(host_a(w)->endpoints[0]);

	world_run(w, 20 * SEC);
	set_path(w, host_a(w), host_b(w), 0);
	world_run(w, 6 * SEC);
	set_path(w, host_a(w), host_b(w), 9000);
	world_run(w, 6 * SEC);
	DEMAND(w, mtu_of(host_a(w)->endpoints[0]) == whole, "%u",
	       mtu_of(host_a(w)->endpoints[0]));
	DEMAND(w, mtu_towards(host_a(w), "b") == whole, "%d",
	       (int)mtu_towards(host_a(w), "b"));
	world_free(w);
}

/* A restart sets no MTU, of whatever size it found them, however long it takes
 * to have its passwords. */
SEED_TEST(a_restart_keeps_what_was_found, SEEDS)
{
	struct world *w = running_world(seed, 2, "pw", false);
	struct host *a = host_a(w), *b = host_b(w);
	struct endpoint *ea = a->endpoints[0], *eb = b->endpoints[0];

	set_path(w, a, b, 1400);
	talk_until_ok(ea, eb, 1316);
	world_run(w, 5 * SEC);
	host_kill(a);
	a->kernel.n_link_mtus = 0;
	a->password_us = seed % 3 * 20 * SEC;
	host_start_well(a);
	for (unsigned int i = 0; i < 1200; i++) {
		DEMAND(w, mtu_of(ea) == 1316, "%u after %u00 ms", mtu_of(ea),
		       i);
		world_run(w, 100 * MS);
		endpoint_reaches_with(ea, &eb->ips[0], 84, 1);
	}
	/* But once, to the same, as the file may be older than the truth. */
	DEMAND(w, a->kernel.n_link_mtus == 1, "set %u times",
	       a->kernel.n_link_mtus);
	world_free(w);
}

/* Until peers are back the flows of the run before count, and what they find
 * too large: its sender is told, or it goes in pieces if we know where to. */
SEED_TEST(flows_of_before_tell_what_is_too_large, SEEDS)
{
	struct world *w = running_world(seed, 3, "pw", false);
	struct host *a = host_a(w), *b = host_b(w), *c = host_c(w);
	struct endpoint *ea = a->endpoints[0], *ec = c->endpoints[0];
	const bool remembered = seed & 1;
	unsigned int told, at_c;

	set_path(w, a, c, 1400);
	for (unsigned int i = 0; i < 40; i++) {
		demand_reach(ea, ec);
		demand_reach(ea, b->endpoints[0]);
		world_run(w, 300 * MS);
	}
	demand_told(ea, ec, 1316);
	DEMAND(w, checks(a, ec), "the flow does not look at sizes");
	at_c = ec->n_frames;
	send_without_df(ea, &ec->mac, &ec->ips[0], 1416);
	world_run(w, 100 * MS);
	DEMAND(w, ec->n_frames == at_c + 2, "%u pieces", ec->n_frames - at_c);
	host_kill(a);
	if (!remembered) {
		free(a->peers);
		a->peers = NULL;
	}
	a->password_us = 5 * SEC;
	host_start_well(a);
	told = ea->n_told;
	DEMAND(w, !endpoint_reaches_with(ea, &ec->ips[0], 1416, 1),
	       "1416 bytes pass");
	DEMAND(w, ea->n_told == told + 1 && ea->told_mtu == 1316,
	       "told %u times, %u", ea->n_told - told, ea->told_mtu);
	at_c = ec->n_frames;
	send_without_df(ea, &ec->mac, &ec->ips[0], 1416);
	world_run(w, 100 * MS);
	DEMAND(w, ec->n_frames == at_c + (remembered ? 2 : 0), "%u pieces",
	       ec->n_frames - at_c);
	DEMAND(w, a->awaits_password, "it may have a session");
	demand_connected(w, 60 * SEC);
	for (unsigned int i = 0; i < 40; i++) {
		demand_reach(ea, ec);
		demand_reach(ea, b->endpoints[0]);
		world_run(w, 300 * MS);
	}
	demand_told(ea, ec, 1316);
	world_free(w);
}

/* What our own interface allows counts at once, and no probe goes beyond. */
SEED_TEST(the_interface_is_the_limit, SEEDS)
{
	struct world *w = running_world(seed, 2, "pw", false);
	struct host *a = host_a(w), *b = host_b(w);
	uint64_t too_big;

	world_run(w, 15 * SEC);
	set_path(w, a, b, 9000);
	fake_kernel_set_route(&a->kernel, &b->v4, 1400);
	host_net_changed(a);
	world_run(w, 300 * MS);
	DEMAND(w, mtu_of(a->endpoints[0]) == 1316, "%u",
	       mtu_of(a->endpoints[0]));
	too_big = a->kernel.n_too_big;
	world_run(w, 100 * SEC);
	DEMAND(w, a->kernel.n_too_big == too_big, "probes beyond it");
	fake_kernel_set_route(&a->kernel, &b->v4, 9000);
	host_net_changed(a);
	world_run(w, 2 * SEC);
	DEMAND(w, mtu_towards(a, "b") == 8916, "%d", (int)mtu_towards(a, "b"));
	DEMAND(w, mtu_of(a->endpoints[0]) == 8916, "%u",
	       mtu_of(a->endpoints[0]));
	world_free(w);
}

/* An interface with IPv6 has at least what that demands, or it would lose its
 * addresses. */
SEED_TEST(ipv6_keeps_its_least_mtu, SEEDS)
{
	struct world *w = running_world(seed, 2, "pw", false);
	struct host *a = host_a(w), *b = host_b(w);
	struct endpoint *only_v4 =
		host_attach(a, "v4", "[\"10.0.0.9/24\"]", NULL);

	DEMAND(w, only_v4, "%s", a->reply);
	set_path(w, a, b, 1300);
	for (unsigned int i = 0; i < 40; i++) {
		demand_reach(a->endpoints[0], b->endpoints[0]);
		world_run(w, 300 * MS);
	}
	DEMAND(w, mtu_towards(a, "b") == 1216, "%d", (int)mtu_towards(a, "b"));
	DEMAND(w, mtu_of(a->endpoints[0]) == 1280, "%u",
	       mtu_of(a->endpoints[0]));
	DEMAND(w, mtu_of(only_v4) == 1216, "%u", mtu_of(only_v4));
	/* IPv4 can be told of less than that. */
	DEMAND(w,
	       !endpoint_reaches_with(a->endpoints[0], &b->endpoints[0]->ips[0],
				      1280, 1),
	       "1280 bytes pass");
	DEMAND(w, a->endpoints[0]->told_mtu == 1216, "told %u",
	       a->endpoints[0]->told_mtu);
	DEMAND(w,
	       endpoint_reaches_with(a->endpoints[0], &b->endpoints[0]->ips[0],
				     1216, 1),
	       "1216 bytes do not pass");
	world_free(w);
}

/* Whatever a route says, no interface has less than IPv4 demands: the kernel
 * would not set it, nor is it one that the state file may name. */
SEED_TEST(ipv4_keeps_its_least_mtu, 1)
{
	struct world *w = running_world(seed, 2, "pw", false);
	struct host *a = host_a(w);
	struct endpoint *only_v4 =
		host_attach(a, "v4", "[\"10.0.0.9/24\"]", NULL);

	DEMAND(w, only_v4, "%s", a->reply);
	fake_kernel_set_route(&a->kernel, &host_b(w)->v4, 128);
	host_net_changed(a);
	world_run(w, 20 * SEC);
	DEMAND(w, mtu_of(only_v4) == 68, "%u", mtu_of(only_v4));
	world_free(w);
}

SCENARIO_MAIN("mtu", a_changing_way_is_followed, each_peer_has_its_own,
	      without_df_it_goes_in_pieces,
	      a_kernel_that_does_not_check_gets_the_least,
	      silence_and_loss_change_nothing, a_restart_keeps_what_was_found,
	      flows_of_before_tell_what_is_too_large,
	      the_interface_is_the_limit, ipv6_keeps_its_least_mtu,
	      ipv4_keeps_its_least_mtu)
