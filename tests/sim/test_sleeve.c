/* Hosts without openvswitch, which reach others by the sleeve alone: their
 * keys, and all that works as it does with the kernel's datapath. */
#include "fake/scenario.h"

#define ROUGH                                      \
	((struct weather){.loss = 100,             \
			  .dup = 50,               \
			  .reorder = 200,          \
			  .delay_min_us = 1 * MS,  \
			  .delay_max_us = 30 * MS, \
			  .small_chunks = true})

/* Without a kernel datapath all is sealed, by the best that both can do. */
SEED_TEST(hosts_without_openvswitch_reach_each_other_sealed, 12)
{
	const bool encrypted = seed % 4;
	struct world *w =
		sleeve_world_up(seed, 3, 3, encrypted ? "secret" : NULL);

	for (unsigned int i = 0; i < 3; i++) {
		struct host *h = world_host(w, i);
		const struct host *other = world_host(w, (i + 1) % 3);

		DEMAND(w,
		       h->kernel.user && !h->kernel.n_policies &&
			       !h->kernel.n_sas,
		       "%s has something in its kernel", h->name);
		demand_row(h, other, "overlay_reason", "no-datapath");
		demand_row(h, other, "cipher",
			   !encrypted ? "none"
			   : h->kernel.sleeve_aes && other->kernel.sleeve_aes
				   ? "aes-256-gcm"
				   : "xsalsa20-poly1305");
	}
	world_free(w);
}

/* One of two hosts is enough to do without AES-GCM. */
SEED_TEST(aes_gcm_can_be_done_without, 2)
{
	struct world *w = hosts_new(seed, 2, "secret");
	struct host *a = host_a(w), *b = host_b(w);

	host_give_sleeve(a, false, true);
	host_give_sleeve(b, false, true);
	a->no_aes_gcm = seed & 1;
	dial_all(w, 2, false);
	bring_up(w, 2);
	demand_all_reach(w, 2);
	demand_row(a, b, "cipher",
		   seed & 1 ? "xsalsa20-poly1305" : "aes-256-gcm");
	demand_row(b, a, "cipher",
		   seed & 1 ? "xsalsa20-poly1305" : "aes-256-gcm");
	world_free(w);
}

static bool is_hex(const char *text)
{
	return text && *text && strlen(text) % 2 == 0 &&
	       strspn(text, "0123456789abcdef") == strlen(text);
}

/* Nobody else can read flows that are not in the kernel. */
SEED_TEST(flows_are_told_by_who_has_them, 1)
{
	struct world *w = sleeve_world_up(seed, 2, 2, "secret");
	const char *const attrs[] = {"key", "mask", "actions"};
	struct json *names, *json;
	const struct json *list;

	names = host_ask(host_a(w), "names", NULL);
	json = host_ask(host_a(w), "flows", NULL);
	list = jsonget(json, "flows");
	DEMAND(w, jsonget_n(list) >= 2, "%zu flows", jsonget_n(list));
	for (size_t i = 0; i < jsonget_n(list); i++) {
		const struct json *flow = jsonget_at(list, i);

		for (size_t j = 0; j < 3; j++) {
			const char *text = jsonget_string(flow, attrs[j]);

			/* One that drops has no actions. */
			DEMAND(w, is_hex(text) || (j == 2 && text && !*text),
			       "%s of a flow", attrs[j]);
		}
		DEMAND(w,
		       jsonget(jsonget(names, "flows"),
			       jsonget_string(flow, "ufid")),
		       "a flow without a name");
	}
	json_destroy(json);
	json_destroy(names);
	world_free(w);
}

/* What an operator wants, and what there is: the mode of the start. */
SEED_TEST(start_takes_what_is_wanted_and_there, 1)
{
	static const struct {
		enum overlay_setting setting;
		bool ovs, esp, sleeve;
		const char *outcome; /* "kernel", "user", or why not. */
	} cases[] = {
		{OVERLAY_AUTO, true, true, true, "kernel"},
		{OVERLAY_AUTO, true, true, false, "kernel"},
		{OVERLAY_AUTO, false, true, true, "user"},
		{OVERLAY_AUTO, true, false, true, "user"},
		{OVERLAY_AUTO, false, true, false, "cannot open datapath fdp"},
		{OVERLAY_AUTO, true, false, false, "IPsec block policy"},
		{OVERLAY_FASTDP, true, true, true, "kernel"},
		{OVERLAY_FASTDP, false, true, true, "cannot open datapath fdp"},
		{OVERLAY_FASTDP, true, false, true, "IPsec block policy"},
		{OVERLAY_SLEEVE, true, true, true, "user"},
		{OVERLAY_SLEEVE, true, true, false, "cannot have a sleeve"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct world *w = hosts_new(seed, 1, "secret");
		struct host *a = host_a(w);
		const char *outcome;

		if (cases[i].sleeve) {
			host_give_sleeve(a, cases[i].ovs, true);
		}
		a->kernel.no_ovs = !cases[i].ovs;
		a->kernel.no_esp = !cases[i].esp;
		a->overlay = cases[i].setting;
		host_start(a);
		world_run(w, 50 * MS);
		outcome = a->fatal		? a->fatal
			  : !host_is_running(a) ? "nothing"
			  : a->kernel.user	? "user"
						: "kernel";
		DEMAND(w, strstr(outcome, cases[i].outcome), "case %zu: %s", i,
		       outcome);
		world_free(w);
	}
}

/* What the kernel still does would be out of anybody's hands. */
SEED_TEST(one_that_had_the_kernel_datapath_is_not_left_half, 1)
{
	struct world *w = sleeve_world(seed, 2, 0, "secret");
	struct host *a = host_a(w);

	host_start_well(a);
	host_stop(a);
	a->overlay = OVERLAY_SLEEVE;
	host_start(a);
	world_run(w, 50 * MS);
	DEMAND(w, a->fatal && strstr(a->fatal, "fdpctl reset"), "it starts: %s",
	       a->fatal ? a->fatal : "without a word");
	world_free(w);
}

/* Pings that go both ways while 'what' happens; none may be lost. */
static void demand_none_lost(struct world *w, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct endpoint *from = world_host(w, i % 2)->endpoints[0];
		struct endpoint *to = world_host(w, (i + 1) % 2)->endpoints[0];

		DEMAND(w, endpoint_reaches_with(from, &to->ips[i % 2], 84, 1),
		       "a ping is lost");
	}
}

static unsigned int n_keys(struct world *w)
{
	return host_a(w)->kernel.sleeve.n_keys +
	       host_b(w)->kernel.sleeve.n_keys;
}

/* Keys change by command and by the hour, and nothing is lost. */
SEED_TEST(keys_change_without_loss, 10)
{
	struct world *w = sleeve_world_up(seed, 2, 2, "secret");
	struct host *a = host_a(w), *b = host_b(w);
	unsigned int before;

	for (unsigned int i = 0; i < 10; i++) {
		before = n_keys(w);
		host_tell(world_host(w, (unsigned int)world_draw(w, 2)),
			  "rekey");
		demand_none_lost(w, 20);
		world_run(w, world_draw(w, 2 * SEC));
		DEMAND(w, n_keys(w) == before + 2, "%u new keys",
		       n_keys(w) - before);
	}
	before = n_keys(w);
	world_run(w, 4000 * SEC);
	DEMAND(w, n_keys(w) > before + 1, "no new keys in an hour");
	demand_all_reach(w, 2);
	/* Those of before have gone. */
	world_run(w, 70 * SEC);
	DEMAND(w, a->kernel.sleeve.n_ins == 1 && b->kernel.sleeve.n_ins == 1,
	       "%zu, %zu inbound keys", a->kernel.sleeve.n_ins,
	       b->kernel.sleeve.n_ins);
	world_free(w);
}

/* A key of which little is left makes a new one. */
SEED_TEST(key_that_is_used_up_is_replaced, 4)
{
	struct world *w = sleeve_world(seed, 2, 2, "secret");
	struct host *a = host_a(w);
	const struct op_sleeve *out;
	unsigned int before;

	bring_up(w, 2);
	before = n_keys(w);
	out = &a->kernel.sleeve.outs[0].op;
	fake_kernel_sleeve_used_up(&a->kernel, out->peer, out->index - 1);
	world_run(w, SEC);
	DEMAND(w, n_keys(w) == before, "an old key is told to be used up");
	fake_kernel_sleeve_used_up(&a->kernel, out->peer, out->index);
	demand_none_lost(w, 20);
	DEMAND(w, n_keys(w) == before + 2, "%u new keys", n_keys(w) - before);
	world_free(w);
}

/* Sessions break: the datagrams go on, and the next session's keys replace
 * those in use without loss. */
SEED_TEST(new_session_replaces_keys_without_loss, 10)
{
	struct world *w = sleeve_world_up(seed, 2, 2, "secret");
	unsigned int before;

	for (unsigned int i = 0; i < 5; i++) {
		before = n_keys(w);
		world_break(w, host_a(w), host_b(w));
		demand_none_lost(w, 40);
		demand_connected(w, 20 * SEC);
		demand_none_lost(w, 10);
		DEMAND(w, n_keys(w) >= before + 2, "no new keys");
	}
	world_free(w);
}

/* The data plane dies with the daemon, and is there again with it. */
SEED_TEST(restarted_daemon_goes_on_with_its_containers, 10)
{
	struct world *w =
		sleeve_world(seed, 3, 1 + (unsigned int)(seed % 3), "secret");
	struct host *h;

	bring_up(w, 3);
	for (unsigned int i = 0; i < 4; i++) {
		h = world_host(w, (unsigned int)world_draw(w, 3));
		if (world_draw(w, 2)) {
			host_kill(h);
		} else {
			host_stop(h);
		}
		world_run(w, world_draw(w, 3 * SEC));
		host_start_well(h);
		demand_connected(w, 70 * SEC);
		demand_all_reach(w, 3);
	}
	world_free(w);
}

/* An address translator changes the port: who is authentic is followed. */
SEED_TEST(endpoint_that_moves_is_followed, 6)
{
	struct world *w =
		sleeve_world_up(seed, 2, 2, seed % 3 ? "secret" : NULL);
	struct host *a = host_a(w), *b = host_b(w);

	/* From here on it seems to send from there, and is only there. */
	a->kernel.sleeve_port = WORLD_PORT + 100;
	if (seed % 3) {
		demand_all_reach(w, 2);
		DEMAND(w,
		       b->kernel.sleeve.outs[0].op.remote.port ==
			       WORLD_PORT + 100,
		       "b sends to port %u",
		       b->kernel.sleeve.outs[0].op.remote.port);
		/* New keys do not make it forget. */
		host_tell(a, "rekey");
		world_run(w, 2 * SEC);
		demand_none_lost(w, 10);
	} else {
		/* Nobody proves anything in the clear. */
		world_run(w, 20 * SEC);
		DEMAND(w, b->kernel.sleeve.outs[0].op.remote.port == WORLD_PORT,
		       "b follows what anybody says");
	}
	world_free(w);
}

/* Loss, reordering, breaks, deaths: in the end all is well. */
SEED_TEST(rough_weather_ends_well, 20)
{
	struct world *w = sleeve_world(seed, 3, 3, "secret");
	const struct weather fair = *world_weather(w);

	bring_up(w, 3);
	*world_weather(w) = ROUGH;
	for (unsigned int i = 0; i < 12; i++) {
		struct host *h = world_host(w, (unsigned int)world_draw(w, 3));
		struct host *o = world_host(w, (h->index + 1) % 3);

		switch (world_draw(w, 4)) {
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
			world_partition(w, h, o, true);
			world_run(w, world_draw(w, 10 * SEC));
			world_partition(w, h, o, false);
			break;
		}
		world_run(w, world_draw(w, 3 * SEC));
	}
	*world_weather(w) = fair;
	/* A way that has lost many is watched for a minute until it has not. */
	demand_connected(w, 90 * SEC);
	demand_all_reach(w, 3);
	world_run(w, 200 * SEC);
	for (unsigned int i = 0; i < 3; i++) {
		struct host *h = world_host(w, i);

		DEMAND(w, h->kernel.sleeve.n_ins == 2, "%s has %zu keys",
		       h->name, h->kernel.sleeve.n_ins);
	}
	world_free(w);
}

/* What is too large for the way is found out, and the interfaces follow. */
SEED_TEST(smaller_path_is_found, 6)
{
	struct world *w = sleeve_world(seed, 2, 2, "secret");
	struct host *a = host_a(w), *b = host_b(w);
	struct endpoint *from = a->endpoints[0];
	const size_t size = 1300 + world_draw(w, 150);
	uint32_t mtu;

	bring_up(w, 2);
	from = a->endpoints[0];
	mtu = fake_kernel_link(&a->kernel, from->link)->mtu;
	DEMAND(w, mtu == (seed & 1 ? 1396 : 1416), "MTU %u", mtu);
	demand_all_reach(w, 2);
	world_filter_sleeve(w, a, b, size);
	for (unsigned int i = 0; i < 100; i++) {
		endpoint_reaches_with(from, &b->endpoints[0]->ips[0], 84, 1);
		world_run(w, 100 * MS);
	}
	DEMAND(w,
	       a->kernel.sleeve.outs[0].op.mtu <= size &&
		       a->kernel.sleeve.outs[0].op.mtu + 8 > size,
	       "datagrams of %u over %zu", a->kernel.sleeve.outs[0].op.mtu,
	       size);
	world_filter_sleeve(w, a, b, SIZE_MAX);
	for (unsigned int i = 0; i < 60; i++) {
		endpoint_reaches_with(from, &b->endpoints[0]->ips[0], 84, 1);
		world_run(w, 100 * MS);
	}
	DEMAND(w, a->kernel.sleeve.outs[0].op.mtu == 1497, "datagrams of %u",
	       a->kernel.sleeve.outs[0].op.mtu);
	world_free(w);
}

/* A container that ends takes its TAP along, and is forgotten as with the
 * kernel's datapath: its address is free for the next one, wherever that is. */
SEED_TEST(netns_deleted_forgotten, 4)
{
	struct world *w = sleeve_world_up(seed, 2, 2, "secret");
	struct host *a = host_a(w);
	struct json *json;

	host_lose_port(a->endpoints[0]);
	world_run(w, 2 * SEC);
	json = host_ask(a, "ports", NULL);
	DEMAND(w, !jsonget_n(jsonget(json, "ports")), "%s", a->reply);
	json_destroy(json);
	DEMAND(w, attach_try(host_b(w), 1), "%s", host_b(w)->reply);
	world_run(w, 1 * SEC);
	demand_all_reach(w, 2);
	world_free(w);
}

SCENARIO_MAIN("sleeve", hosts_without_openvswitch_reach_each_other_sealed,
	      aes_gcm_can_be_done_without, flows_are_told_by_who_has_them,
	      start_takes_what_is_wanted_and_there,
	      one_that_had_the_kernel_datapath_is_not_left_half,
	      keys_change_without_loss, key_that_is_used_up_is_replaced,
	      new_session_replaces_keys_without_loss,
	      restarted_daemon_goes_on_with_its_containers,
	      endpoint_that_moves_is_followed, rough_weather_ends_well,
	      smaller_path_is_found, netns_deleted_forgotten)
