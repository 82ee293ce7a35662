/* What operators ask, and the JSON they get: lib/control/control.h. */
#include "fake/scenario.h"

static const char *text(const struct json *object, const char *name)
{
	const char *value = jsonget_string(object, name);

	ck_assert_msg(value, "no text \"%s\"", name);
	return value;
}

static int64_t number(const struct json *object, const char *name)
{
	int64_t value;

	ck_assert_msg(
		jsonget_integer(object, name, INT64_MIN, INT64_MAX, &value),
		"no number \"%s\"", name);
	return value;
}

static bool truth(const struct json *object, const char *name)
{
	const struct json *value = jsonget(object, name);

	ck_assert_msg(value && (value->type == JSON_TRUE ||
				value->type == JSON_FALSE),
		      "no boolean \"%s\"", name);
	return value->type == JSON_TRUE;
}

static size_t count(const struct json *object, const char *name)
{
	const struct json *value = jsonget(object, name);

	ck_assert_msg(value && value->type == JSON_ARRAY, "no list \"%s\"",
		      name);
	return jsonget_n(value);
}

START_TEST(status_complete_and_healthy)
{
	struct world *w = running_world(1, 2, "secret", false);
	struct json *json;
	const struct json *sub;

	demand_all_reach(w, 2);
	json = host_ask(host_a(w), "status", NULL);
	ck_assert_str_eq(text(json, "version"), "0");
	ck_assert_str_eq(text(json, "name"), "a");
	ck_assert_uint_eq(strlen(text(json, "id")), 32);
	ck_assert_str_eq(text(json, "encryption"), "aes-256-gcm esp");
	ck_assert_int_eq(number(json, "control_port"), 6783);
	ck_assert_int_eq(number(json, "vxlan_port"), 6784);
	ck_assert_int_ge(number(json, "uptime"), 0);
	sub = jsonget(json, "datapath");
	ck_assert_str_eq(text(sub, "name"), "fdp");
	ck_assert_str_eq(text(sub, "state"), "up");
	ck_assert_int_eq(number(json, "ports"), 1);
	ck_assert_int_eq(number(json, "peers"), 1);
	sub = jsonget(json, "connections");
	ck_assert_int_eq(number(sub, "established"), 1);
	ck_assert_int_eq(number(sub, "connecting"), 0);
	ck_assert_int_eq(number(sub, "handshake"), 0);
	ck_assert_int_eq(number(sub, "retrying"), 0);
	ck_assert_int_eq(number(sub, "failed"), 0);
	sub = jsonget(json, "endpoints");
	ck_assert_int_eq(number(sub, "local"), 1);
	ck_assert_int_eq(number(sub, "remote"), 1);
	sub = jsonget(json, "flows");
	ck_assert_int_gt(number(sub, "installed"), 0);
	ck_assert_int_eq(number(sub, "refused"), 0);
	sub = jsonget(json, "upcalls");
	number(sub, "handled");
	number(sub, "lost");
	number(sub, "features_restored");
	ck_assert_str_eq(text(json, "verdict"), "healthy");
	ck_assert_uint_eq(count(json, "reasons"), 0);
	json_destroy(json);
	world_free(w);
}
END_TEST

START_TEST(status_of_plain_host_says_so)
{
	struct world *w = running_world(1, 2, NULL, false);
	struct json *json = host_ask(host_a(w), "status", NULL);

	ck_assert_str_eq(text(json, "encryption"), "none");
	json_destroy(json);
	world_free(w);
}
END_TEST

START_TEST(status_of_host_without_its_peer_degraded)
{
	struct world *w = hosts_new(1, 2, "secret");
	struct json *json;

	host_add_target(host_a(w), &host_b(w)->v4);
	host_start_well(host_a(w));
	world_run(w, 20 * SEC);
	json = host_ask(host_a(w), "status", NULL);
	ck_assert_str_eq(text(json, "verdict"), "degraded");
	ck_assert_uint_eq(count(json, "reasons"), 1);
	json_destroy(json);
	demand_connection(host_a(w), "192.0.2.2", "retrying", "dial-failed");
	world_free(w);
}
END_TEST

START_TEST(connections_complete)
{
	struct world *w = running_world(1, 2, "secret", true);
	struct json *json = host_ask(host_b(w), "connections", NULL);
	const struct json *row = connection(json, NULL);

	ck_assert_uint_eq(count(json, "connections"), 1);
	ck_assert_str_eq(text(row, "direction"), "out");
	ck_assert_str_eq(text(row, "address"), "[2001:db8::1]:6783");
	ck_assert_str_eq(text(row, "state"), "established");
	ck_assert(truth(row, "encrypted"));
	ck_assert_str_eq(text(row, "overlay"), "fastdp");
	ck_assert_uint_eq(strlen(text(row, "peer")), 32);
	ck_assert_str_eq(text(row, "name"), "a");
	ck_assert_int_eq(number(row, "mtu"), 1396);
	ck_assert_str_eq(text(row, "reason"), "");
	ck_assert_str_eq(text(row, "detail"), "");
	ck_assert_int_eq(number(row, "slot"), 0);
	ck_assert_int_ge(number(row, "age"), 0);
	json_destroy(json);
	json = host_ask(host_a(w), "connections", NULL);
	ck_assert_str_eq(text(connection(json, NULL), "direction"), "in");
	json_destroy(json);
	world_free(w);
}
END_TEST

START_TEST(peers_complete)
{
	struct world *w = running_world(1, 2, "secret", false);
	struct json *json = host_ask(host_a(w), "peers", NULL);
	const struct json *peer, *endpoint;

	ck_assert_uint_eq(count(json, "peers"), 1);
	peer = jsonget_at(jsonget(json, "peers"), 0);
	ck_assert_str_eq(text(peer, "name"), "b");
	ck_assert_str_eq(text(peer, "address"), "192.0.2.2");
	ck_assert(truth(peer, "connected"));
	ck_assert_str_eq(text(peer, "overlay"), "fastdp");
	ck_assert_int_eq(number(peer, "udp_port"), 6784);
	ck_assert_int_ge(number(peer, "spi_in"), 256);
	ck_assert_int_ge(number(peer, "spi_out"), 256);
	ck_assert_int_ge(number(peer, "reqid"), XFRM_REQID_BASE);
	ck_assert_int_eq(number(peer, "mtu"), 1416);
	ck_assert_uint_eq(count(peer, "endpoints"), 1);
	endpoint = jsonget_at(jsonget(peer, "endpoints"), 0);
	ck_assert_int_eq(number(endpoint, "network"), 1);
	ck_assert_uint_eq(strlen(text(endpoint, "mac")), 17);
	ck_assert_uint_eq(count(endpoint, "addresses"), 2);
	json_destroy(json);
	/* Lost, but not yet given up. */
	host_kill(host_b(w));
	world_run(w, 5 * SEC);
	json = host_ask(host_a(w), "peers", NULL);
	ck_assert(!truth(jsonget_at(jsonget(json, "peers"), 0), "connected"));
	json_destroy(json);
	world_free(w);
}
END_TEST

START_TEST(ports_complete)
{
	struct world *w = running_world(1, 1, "secret", false);
	struct json *json = host_ask(host_a(w), "ports", NULL);
	const struct json *port;

	ck_assert_uint_eq(count(json, "ports"), 1);
	port = jsonget_at(jsonget(json, "ports"), 0);
	ck_assert_int_gt(number(port, "vport"), 0);
	ck_assert_str_eq(text(port, "ifname"), "eth0");
	ck_assert_int_eq(strncmp(text(port, "host_ifname"), "fdp", 3), 0);
	ck_assert_str_eq(text(port, "netns"), "c1");
	ck_assert_uint_eq(strlen(text(port, "mac")), 17);
	ck_assert_uint_eq(count(port, "addresses"), 2);
	ck_assert_int_eq(number(port, "network"), 1);
	ck_assert_int_eq(number(port, "mtu"), 1416);
	ck_assert_uint_eq(count(json, "others"), 2);
	port = jsonget_at(jsonget(json, "others"), 0);
	ck_assert_str_eq(text(port, "kind"), "host");
	port = jsonget_at(jsonget(json, "others"), 1);
	ck_assert_str_eq(text(port, "kind"), "tunnel");
	ck_assert_str_eq(text(port, "name"), "vxlan-6784");
	json_destroy(json);
	world_free(w);
}
END_TEST

/* What the trace says is what happens. */
START_TEST(trace_tells_what_packets_do)
{
	struct world *w = running_world(1, 2, "secret", false);
	struct host *a = host_a(w);
	struct endpoint *c1 = a->endpoints[0];
	char src[MAC_STRLEN], dst[MAC_STRLEN], args[256];
	struct json *json;

	mac_format(&c1->mac, src);
	mac_format(&host_b(w)->endpoints[0]->mac, dst);
	snprintf(args, sizeof args,
		 "{\"port\": \"%s\", \"eth_src\": \"%s\", \"eth_dst\": \"%s\","
		 " \"ip_src\": \"10.0.0.1\", \"ip_dst\": \"10.0.0.2\"}",
		 c1->link, src, dst);
	json = host_ask(a, "trace", args);
	ck_assert_str_eq(text(json, "verdict"), "forward");
	ck_assert_str_eq(text(json, "reason"), "remote");
	ck_assert_str_eq(text(json, "peer"), "b");
	ck_assert_ptr_nonnull(strstr(text(json, "actions"), "192.0.2.2"));
	ck_assert_int_ge(number(json, "spi"), 256);
	ck_assert_uint_gt(count(json, "steps"), 2);
	ck_assert(truth(json, "install"));
	ck_assert_str_ne(text(json, "key"), "");
	json_destroy(json);

	snprintf(args, sizeof args,
		 "{\"port\": \"%s\", \"eth_src\": \"02:00:00:00:99:99\", "
		 "\"eth_dst\": \"%s\"}",
		 c1->link, dst);
	json = host_ask(a, "trace", args);
	ck_assert_str_eq(text(json, "verdict"), "drop");
	ck_assert_str_eq(text(json, "reason"), "spoofed-mac");
	ck_assert_str_ne(text(json, "remedy"), "");
	json_destroy(json);

	snprintf(args, sizeof args,
		 "{\"port\": \"%s\", \"eth_src\": \"%s\", "
		 "\"eth_dst\": \"ff:ff:ff:ff:ff:ff\", \"arp_op\": 1, "
		 "\"ip_src\": \"10.0.0.1\", \"ip_dst\": \"10.0.0.2\"}",
		 c1->link, src);
	json = host_ask(a, "trace", args);
	ck_assert_str_eq(text(json, "verdict"), "answer");
	json_destroy(json);

	/* Of which too little is said. */
	snprintf(args, sizeof args,
		 "{\"port\": \"%s\", \"eth_src\": \"%s\", "
		 "\"eth_dst\": \"%s\"}",
		 c1->link, src, dst);
	json = host_ask(a, "trace", args);
	ck_assert_str_eq(text(json, "reason"), "malformed");
	ck_assert_ptr_nonnull(strstr(text(json, "remedy"), "--ip-src"));
	json_destroy(json);

	/* From the tunnel. */
	snprintf(args, sizeof args,
		 "{\"port\": \"vxlan-6784\", \"eth_src\": \"%s\", "
		 "\"eth_dst\": \"%s\", \"tun_src\": \"192.0.2.2\", "
		 "\"ip_src\": \"10.0.0.2\", \"ip_dst\": \"10.0.0.1\"}",
		 dst, src);
	json = host_ask(a, "trace", args);
	ck_assert_str_eq(text(json, "reason"), "local");
	json_destroy(json);
	world_free(w);
}
END_TEST

START_TEST(names_complete)
{
	struct world *w = running_world(1, 2, "secret", false);
	struct json *json;
	const struct json *flows;

	demand_all_reach(w, 2);
	json = host_ask(host_a(w), "names", NULL);
	ck_assert_str_eq(text(jsonget(json, "ports"), "0"), "fdp");
	ck_assert_str_eq(text(jsonget(json, "peers"), "192.0.2.2"), "b");
	flows = jsonget(json, "flows");
	ck_assert_ptr_nonnull(flows);
	ck_assert_int_eq(flows->type, JSON_OBJECT);
	json_destroy(json);
	world_free(w);
}
END_TEST

static const struct {
	const char *command, *args;
	const char *reply; /* A part of the refusal. */
} refusals[] = {
	{"nonsense", NULL, "no command"},
	{"flows", NULL, "in the kernel"},
	{"attach", NULL, "netns"},
	{"attach", "{\"netns\": \"x\"}", "addresses"},
	{"attach", "{\"netns\": \"x\", \"addresses\": [\"10.0.0.9/24\"]}",
	 "attach-check"},
	{"attach-check", NULL, "netns"},
	{"attach-check", "{\"netns\": \"\", \"addresses\": [\"10.0.0.9\"]}",
	 "netns"},
	{"attach-check", "{\"netns\": \"x\", \"addresses\": []}", "addresses"},
	{"attach-check", "{\"netns\": \"x\", \"addresses\": [5]}", "address"},
	{"attach-check", "{\"netns\": \"x\", \"addresses\": [\"10.0.0.9/33\"]}",
	 "address"},
	{"attach-check", "{\"netns\": \"x\", \"addresses\": [\"10.1.0.0/24\"]}",
	 "10.1.0.0/24 is the network"},
	{"attach-check",
	 "{\"netns\": \"x\", \"addresses\": [\"10.1.0.1/24\", "
	 "\"fd01::/64\"]}",
	 "fd01::/64 is the network"},
	{"detach", NULL, "name"},
	{"detach", "{\"netns\": \"nobody\"}", "not attached"},
	{"detach", "{\"host_ifname\": \"nobody\"}", "not attached"},
	{"connect", NULL, "address"},
	{"connect", "{\"address\": \"somewhere\"}", "address"},
	{"connect", "{\"address\": \"192.0.2.1:99999\"}", "address"},
	{"connect", "{\"address\": \"a\\nb\"}", "address"},
	{"connect", "{\"address\": \"0.0.0.0\"}", "no host has"},
	{"connect", "{\"address\": \"::\"}", "no host has"},
	{"connect", "{\"address\": \"224.0.0.1:6783\"}", "no host has"},
	{"connect", "{\"address\": \"255.255.255.255\"}", "no host has"},
	{"connect", "{\"addresses\": [\"192.0.2.1\", \"ff02::1\"]}",
	 "no host has"},
	{"connect", "{\"addresses\": []}", "addresses"},
	{"connect", "{\"addresses\": [\"192.0.2.1\", 5]}", "address"},
	{"connect", "{\"replace\": true}", "address"},
	{"trace", "{\"port\": \"a\\nb\"}", "no port"},
	{"forget", NULL, "address"},
	{"forget", "{\"address\": \"192.0.2.77\"}", "no peer"},
	{"forget", "{\"address\": \"nobody\"}", "no peer"},
	{"forget", "{\"address\": \"a\\nb\"}", "no peer"},
	{"trace", NULL, "port"},
	{"trace", "{\"port\": \"nobody\"}", "no port"},
	{"trace", "{\"port\": 0, \"eth_src\": \"x\"}", "MAC"},
	{"trace", "{\"port\": -1}", "port"},
	{"trace", "{\"port\": 99999999}", "port"},
	{"rekey", "{\"peer\": \"nobody\"}", "peer"},
};

START_TEST(bad_requests_refused_in_one_line)
{
	struct world *w = running_world(1, 2, "secret", false);
	struct host *a = host_a(w);

	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		struct json *json =
			host_command(a, refusals[i].command, refusals[i].args);

		DEMAND(w, !json, "%s %s: not refused", refusals[i].command,
		       refusals[i].args);
		DEMAND(w, strstr(a->reply, refusals[i].reply), "%s %s: %s",
		       refusals[i].command, refusals[i].args, a->reply);
		DEMAND(w, !strchr(a->reply, '\n'), "%s", a->reply);
	}
	demand_all_reach(w, 2);
	world_free(w);
}
END_TEST

/* A route of the host's would take the place of the one to a peer. */
static const struct {
	const char *addresses;
	const char *refusal; /* NULL: it is not. */
} exposures[] = {
	{"[\"192.0.2.77/24\"]", "192.0.2.77/24 would take the route to the "
				"host at 192.0.2.2"},
	{"[\"10.0.0.77/24\", \"192.0.0.1/8\"]", "192.0.0.1/8 would"},
	{"[\"2001:db8::77/64\"]", "the host at 2001:db8::3"},
	/* That another one is dialled at, without an answer. */
	{"[\"198.51.100.1/24\"]", "the host at 198.51.100.9"},
	{"[\"192.0.2.77/32\", \"10.0.0.77/24\", \"fd00::77/64\"]", NULL},
};

START_TEST(exposing_may_not_cut_hosts_off)
{
	struct world *w = hosts_new(1, 3, "secret");
	struct host *a = host_a(w);

	/* a has named none of these; c comes by IPv6. */
	host_add_target(host_b(w), &a->v4);
	host_add_target(host_c(w), &a->v6);
	start_all(w, 3);
	world_run(w, 20 * SEC);
	ck_assert_uint_eq(n_connections(a, "established"), 2);
	json_destroy(host_ask(a, "connect", "{\"address\": \"198.51.100.9\"}"));
	for (size_t i = 0; i < sizeof exposures / sizeof exposures[0]; i++) {
		const char *addresses = exposures[i].addresses;
		const char *refusal = exposures[i].refusal;
		struct endpoint *host;

		host = host_attach(a, "/proc/self/ns/net", addresses, NULL);
		DEMAND(w, !host == !!refusal, "%s: %s", addresses, a->reply);
		DEMAND(w, !refusal || strstr(a->reply, refusal), "%s: %s",
		       addresses, a->reply);
		if (host) {
			host_detach(host);
		}
		/* A container's addresses are no routes of the host's. */
		host = host_attach(a, "c", addresses, NULL);
		DEMAND(w, host, "%s: %s", addresses, a->reply);
		host_detach(host);
	}
	world_free(w);
}
END_TEST

START_TEST(command_before_the_start_is_over_refused)
{
	struct world *w = hosts_new(1, 1, "secret");
	struct host *a = host_a(w);

	host_start(a);
	ck_assert_ptr_null(host_command(a, "status", NULL));
	ck_assert_ptr_nonnull(strstr(a->reply, "not running"));
	world_free(w);
}
END_TEST

SCENARIO_MAIN("commands", status_complete_and_healthy,
	      status_of_plain_host_says_so,
	      status_of_host_without_its_peer_degraded, connections_complete,
	      peers_complete, ports_complete, trace_tells_what_packets_do,
	      names_complete, bad_requests_refused_in_one_line,
	      exposing_may_not_cut_hosts_off,
	      command_before_the_start_is_over_refused)
