/* The commands that are one question to the daemon. */
#include "fdpctl.h"

#include <stdlib.h>
#include <string.h>

#include "openvswitch/json.h"
#include "openvswitch/util.h"
#include "util.h"

#include "base/jsonget.h"
#include "control/reply.h"
#include "daemon.h"
#include "packet/flow.h"

/* Same state, same output: the daemon keeps these in hash tables. */
static void sort(enum control_command command, struct json *reply)
{
	static const char *const connections[] = {"address", "direction", NULL};
	static const char *const peers[] = {"name", "id", NULL};
	static const char *const ports[] = {"vport", NULL};

	switch (command) {
	case CONTROL_CONNECTIONS:
		reply_sort(reply, "connections", connections);
		break;
	case CONTROL_PEERS:
		reply_sort(reply, "peers", peers);
		break;
	case CONTROL_PORTS:
		reply_sort(reply, "ports", ports);
		reply_sort(reply, "others", ports);
		break;
	case CONTROL_STATUS:
	case CONTROL_WHY:
	case CONTROL_ATTACH_CHECK:
	case CONTROL_ATTACH:
	case CONTROL_DETACH:
	case CONTROL_CONNECT:
	case CONTROL_FORGET:
	case CONTROL_FORGET_KEY:
	case CONTROL_REKEY:
	case CONTROL_RELOAD:
	case CONTROL_TRACE:
	case CONTROL_NAMES:
	case CONTROL_FLOWS:
	case N_CONTROL_COMMANDS:
		break;
	}
}

/* Asks, prints, and tells what the answer means ('judge' may be NULL). */
static enum health query(const struct context *ctx,
			 enum control_command command, struct json *args,
			 render_fn *render,
			 enum health (*judge)(const struct json *))
{
	enum health health, judged;
	struct json *reply;
	char *error;

	health = daemon_call(ctx->run_dir, command, args, &reply, &error);
	if (health) {
		fail(ctx, health, "%s", error);
		free(error);
		return health;
	}
	sort(command, reply);
	judged = judge ? judge(reply) : HEALTH_GOOD;
	health = finish(ctx, reply, render);
	return health ? health : judged;
}

static struct json *request(const struct context *ctx, const struct json *args)
{
	return args_request(ctx->command->args, ctx->command->n_args, args);
}

enum health run_status(const struct context *ctx,
		       const struct json *args OVS_UNUSED)
{
	struct json *down;
	char *error;
	pid_t pid;

	/* For a monitor, no daemon is a verdict like others. */
	if (!ctx->json ||
	    daemon_find(ctx->run_dir, &pid, &error) != HEALTH_DOWN) {
		return query(ctx, CONTROL_STATUS, NULL, render_status,
			     health_of_status);
	}
	down = json_object_create();
	json_object_put_string(down, "verdict", "down");
	json_object_put(down, "reasons",
			json_array_create_1(json_string_create(error)));
	free(error);
	finish(ctx, down, NULL);
	return HEALTH_DOWN;
}

enum health run_connections(const struct context *ctx,
			    const struct json *args OVS_UNUSED)
{
	return query(ctx, CONTROL_CONNECTIONS, NULL, render_connections,
		     health_of_connections);
}

enum health run_peers(const struct context *ctx, const struct json *args)
{
	if (jsonget(args, "name")) {
		return query(ctx, CONTROL_FORGET_KEY, request(ctx, args),
			     render_forget_key, NULL);
	}
	return query(ctx, CONTROL_PEERS, NULL, render_peers, NULL);
}

enum health run_ports(const struct context *ctx,
		      const struct json *args OVS_UNUSED)
{
	return query(ctx, CONTROL_PORTS, NULL, render_ports, health_of_ports);
}

enum health run_why(const struct context *ctx, const struct json *args)
{
	return query(ctx, CONTROL_WHY, request(ctx, args), render_why,
		     health_of_why);
}

enum health run_connect(const struct context *ctx, const struct json *args)
{
	return query(ctx, CONTROL_CONNECT, request(ctx, args), render_connect,
		     NULL);
}

enum health run_forget(const struct context *ctx, const struct json *args)
{
	return query(ctx, CONTROL_FORGET, request(ctx, args), render_forget,
		     NULL);
}

enum health run_rekey(const struct context *ctx, const struct json *args)
{
	return query(ctx, CONTROL_REKEY, request(ctx, args), render_rekey,
		     NULL);
}

enum health run_reload(const struct context *ctx,
		       const struct json *args OVS_UNUSED)
{
	return query(ctx, CONTROL_RELOAD, NULL, render_reload, NULL);
}

/* The Ethernet type that the other parts of a packet speak of; 0 if none. */
static uint16_t implied_type(const struct json *args)
{
	static const char *const addresses[] = {"ip_src", "ip_dst"};
	size_t i;

	if (jsonget(args, "nd_target")) {
		return ETH_TYPE_IPV6;
	}
	if (jsonget(args, "arp_op") || jsonget(args, "arp_sha") ||
	    jsonget(args, "arp_tha")) {
		return ETH_TYPE_ARP;
	}
	for (i = 0; i < ARRAY_SIZE(addresses); i++) {
		const char *text = reply_text(args, addresses[i], "");

		if (*text) {
			return strchr(text, ':') ? ETH_TYPE_IPV6
						 : ETH_TYPE_IPV4;
		}
	}
	return 0;
}

enum health run_trace(const struct context *ctx, const struct json *args)
{
	struct json *packet = request(ctx, args);
	uint16_t type = implied_type(packet);

	if (type && !jsonget(packet, "eth_type")) {
		json_object_put(packet, "eth_type", json_integer_create(type));
	}
	return query(ctx, CONTROL_TRACE, packet, render_trace, NULL);
}

enum health run_version(const struct context *ctx,
			const struct json *args OVS_UNUSED)
{
	struct json *versions = json_object_create();
	struct json *status = NULL;
	char *error = NULL;

	if (daemon_call(ctx->run_dir, CONTROL_STATUS, NULL, &status, &error)) {
		free(error);
	}
	json_object_put_string(versions, "fdpctl", FDP_VERSION);
	json_object_put_string(versions, "daemon",
			       reply_text(status, "version", ""));
	json_destroy(status);
	return finish(ctx, versions, render_version);
}
