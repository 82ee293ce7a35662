/* What operators ask: lib/control/control.h has the commands and the JSON of
 * their answers. */
#include <stdarg.h>
#include <string.h>

#include "base/jsonget.h"
#include "base/jsonput.h"
#include "control/control.h"
#include "engine/request.h"
#include "engine/show.h"
#include "engine/state.h"
#include "engine/trace.h"
#include "openvswitch/json.h"
#include "util.h"

/* ---- Answering ---- */

void command_reply(struct engine *e, uint32_t command, struct json *json)
{
	struct op *op = ops_add(e->ops, OP_REPLY);

	op->reply.command = command;
	op->reply.ok = true;
	op->text = json_to_string(json, JSSF_SORT);
	json_destroy(json);
}

void command_refuse(struct engine *e, uint32_t command, const char *format, ...)
{
	struct op *op = ops_add(e->ops, OP_REPLY);
	va_list args;

	op->reply.command = command;
	va_start(args, format);
	op->text = xvasprintf(format, args);
	va_end(args);
	/* It may cite the request, and is one line all the same. */
	for (char *c = op->text; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f) {
			*c = '?';
		}
	}
}

/* ---- connect, forget ---- */

static bool get_address(struct engine *e, uint32_t command,
			const struct json *args, struct ip_endpoint *endpoint)
{
	const char *text = jsonget_string(args, "address");

	if (!text || endpoint_parse(text, e->config.port, endpoint)) {
		command_refuse(e, command,
			       "\"%.60s\" is not an address like 192.0.2.1, "
			       "192.0.2.1:6783 or [2001:db8::1]:6783",
			       text ? text : "");
		return false;
	}
	return true;
}

static void reply_address(struct engine *e, uint32_t command,
			  const struct ip_endpoint *endpoint)
{
	struct json *json = json_object_create();
	char buf[ENDPOINT_STRLEN];

	json_object_put_string(json, "address", endpoint_format(endpoint, buf));
	command_reply(e, command, json);
}

static void run_connect(struct engine *e, uint32_t command,
			const struct json *args)
{
	struct ip_endpoint endpoint;
	struct target *t;
	struct peer *p;

	if (!get_address(e, command, args, &endpoint)) {
		return;
	}
	if (target_count(e) >= ENGINE_MAX_TARGETS) {
		command_refuse(e, command, "there are %u peers to dial already",
			       ENGINE_MAX_TARGETS);
		return;
	}
	t = target_add(e, &endpoint);
	t->hinted = t->muted = t->spared = false;
	t->saved = true;
	persist_save(e);
	t->failures = 0;
	target_retry(e, t, 0);
	HMAP_FOR_EACH (p, node, &e->peers) {
		if (ip_equal(&p->tunnel.remote, &endpoint.ip)) {
			overlay_retry(e, p);
		}
	}
	reply_address(e, command, &endpoint);
}

static void forget_target(struct engine *e, struct target *t)
{
	struct conn *c = t->conn;

	if (c) {
		c->target = NULL;
		t->conn = NULL;
		if (c->state != CONN_UP) {
			conn_end(e, c, ERR_REFUSED, REASON_STOPPED, "");
		}
	}
	discovery_mute(e, &t->remote);
}

/* With all that it has announced, be it through others. */
static void forget_peer(struct engine *e, struct peer *peer)
{
	for (struct target *t = e->targets; t; t = t->next) {
		if (peer_id_equal(&t->peer, &peer->id) && !t->muted) {
			forget_target(e, t);
		}
	}
	discovery_mute_peer(e, peer);
	if (peer->renewal.conn) {
		conn_end(e, peer->renewal.conn, ERR_REFUSED, REASON_STOPPED,
			 "");
	}
	if (peer->conn) {
		conn_end(e, peer->conn, ERR_REFUSED, REASON_STOPPED,
			 "forgotten by an operator");
	}
	gossip_forget(e, &peer->id);
	peer_remove(e, peer);
}

/* Is 'text' the peer's name, id or address? */
static bool is_called(const struct peer *p, const char *text)
{
	char id[PEER_ID_STRLEN], ip[IP_STRLEN];

	return !strcmp(text, p->name) ||
	       !strcmp(text, peer_id_format(&p->id, id)) ||
	       !strcmp(text, ip_format(&p->tunnel.remote, ip));
}

static void run_forget(struct engine *e, uint32_t command,
		       const struct json *args)
{
	const char *text = jsonget_string(args, "address");
	struct ip_endpoint endpoint;
	struct target *t = NULL;
	struct peer *peer, *next;
	struct json *json;
	bool found = false;

	text = text ? text : "";
	if (endpoint_parse(text, e->config.port, &endpoint)) {
		memset(&endpoint, 0, sizeof endpoint);
	} else {
		t = target_find(e, &endpoint);
	}
	if (t && !t->muted) {
		forget_target(e, t);
		found = true;
	}
	HMAP_FOR_EACH_SAFE (peer, next, node, &e->peers) {
		if (is_called(peer, text) ||
		    (peer->tunnel.placed &&
		     ip_equal(&peer->tunnel.remote, &endpoint.ip))) {
			forget_peer(e, peer);
			found = true;
		}
	}
	if (!found) {
		command_refuse(e, command,
			       "no peer has the name, id or address \"%.60s\"; "
			       "`fdpctl peers` and `fdpctl status connections` "
			       "list them",
			       text);
		return;
	}
	json = json_object_create();
	if (ip_is_zero(&endpoint.ip)) {
		json_object_put_string(json, "address", text);
	} else {
		char buf[ENDPOINT_STRLEN];

		json_object_put_string(json, "address",
				       endpoint_format(&endpoint, buf));
	}
	command_reply(e, command, json);
}

static void run_forget_key(struct engine *e, uint32_t command,
			   const struct json *args)
{
	const char *name = jsonget_string(args, "name");
	unsigned int n = name ? pin_forget(e, name) : 0;
	struct json *json;

	if (!n) {
		command_refuse(e, command,
			       "no identity key is known of a host with the "
			       "name or id \"%.70s\"",
			       name ? name : "");
		return;
	}
	engine_log(e, OP_LOG_WARN,
		   "forgot the identity key of %s, as an operator asked; the "
		   "next one is taken as it comes",
		   name);
	json = json_object_create();
	json_object_put_string(json, "name", name);
	jsonput_int(json, "forgotten", n);
	command_reply(e, command, json);
}

/* ---- rekey ---- */

static void run_rekey(struct engine *e, uint32_t command,
		      const struct json *args)
{
	const char *name = jsonget_string(args, "peer");
	struct json *list, *json;
	struct peer *p;

	if (!engine_encrypts(e)) {
		command_refuse(e, command, "this host runs without encryption");
		return;
	}
	list = json_array_create_empty();
	HMAP_FOR_EACH (p, node, &e->peers) {
		if (p->conn && (!name || peer_is_called(p, name))) {
			tunnel_rekey(e, p);
			json_array_add(list, json_string_create(p->name));
		}
	}
	if (name && !jsonget_n(list)) {
		json_destroy(list);
		command_refuse(e, command,
			       "no connected peer is called \"%.60s\"; `fdpctl "
			       "peers` lists them",
			       name);
		return;
	}
	json = json_object_create();
	json_object_put(json, "peers", list);
	command_reply(e, command, json);
}

/* ---- trace, names ---- */

static void run_trace(struct engine *e, uint32_t command,
		      const struct json *args)
{
	const char *name = jsonget_string(args, "port");
	const struct fwd_port *tunnel;
	int64_t number = 0;
	struct json *json;
	struct flow flow;
	char why[DETAIL_SIZE];
	const struct port *port = name ? port_by_host_ifname(e, name) : NULL;

	if (!request_flow(args, &flow, why, sizeof why)) {
		command_refuse(e, command, "%s", why);
		return;
	}
	tunnel = forwarding_port(e->fwd, e->tunnel_port);
	if (port) {
		number = port->port_no;
	} else if (name && tunnel && !strcmp(name, tunnel->name)) {
		number = tunnel->port_no;
	} else if (name && !strcmp(name, e->config.datapath)) {
		number = ODP_LOCAL_PORT;
	} else if (name) {
		command_refuse(e, command,
			       "no port is called \"%.40s\"; `fdpctl ports` "
			       "lists them",
			       name);
		return;
	} else if (!jsonget_integer(args, "port", 0, ODP_MAX_PORTS, &number)) {
		command_refuse(e, command, "name the port it comes from");
		return;
	}
	flow.in_port = (uint32_t)number;
	json = trace_run(e, &flow);
	command_reply(e, command, json);
}

/* ---- dispatch ---- */

void command_run(struct engine *e, const struct event *event)
{
	const uint32_t id = event->command.id;
	const struct json *args = event->command.args;

	if (e->phase != PHASE_RUNNING) {
		command_refuse(e, id, "fdpd is not running yet");
		return;
	}
	switch (control_find(event->command.name)) {
	case CONTROL_STATUS:
		show_status(e, id);
		return;
	case CONTROL_CONNECTIONS:
		show_connections(e, id);
		return;
	case CONTROL_PEERS:
		show_peers(e, id);
		return;
	case CONTROL_WHY:
		show_why(e, id, args);
		return;
	case CONTROL_PORTS:
		show_ports(e, id);
		return;
	case CONTROL_ATTACH_CHECK:
		attach_check(e, id, args);
		return;
	case CONTROL_ATTACH:
		attach_run(e, id, args);
		return;
	case CONTROL_DETACH:
		attach_undo(e, id, args);
		return;
	case CONTROL_CONNECT:
		run_connect(e, id, args);
		return;
	case CONTROL_FORGET:
		run_forget(e, id, args);
		return;
	case CONTROL_FORGET_KEY:
		run_forget_key(e, id, args);
		return;
	case CONTROL_REKEY:
		run_rekey(e, id, args);
		return;
	case CONTROL_TRACE:
		run_trace(e, id, args);
		return;
	case CONTROL_NAMES:
		show_names(e, id);
		return;
	case CONTROL_FLOWS:
		show_flows(e, id);
		return;
	case CONTROL_RELOAD: /* Comes as EVENT_PASSWORDS. */
	case N_CONTROL_COMMANDS:
		break;
	}
	command_refuse(e, id, "there is no command \"%.40s\"",
		       event->command.name);
}
