/* What operators ask: lib/control/control.h has the commands and the JSON of
 * their answers. */
#include <stdarg.h>
#include <stdlib.h>
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

static bool get_address(struct engine *e, uint32_t command, const char *text,
			struct ip_endpoint *endpoint)
{
	if (!text || endpoint_parse(text, e->config.port, endpoint)) {
		command_refuse(e, command,
			       "\"%.60s\" is not an address like 192.0.2.1, "
			       "192.0.2.1:6783 or [2001:db8::1]:6783",
			       text ? text : "");
		return false;
	}
	if (!ip_is_unicast(&endpoint->ip)) {
		command_refuse(e, command,
			       "%.60s is an address that no host has", text);
		return false;
	}
	return true;
}

/* What an operator wants dialled. */
struct dial_list {
	struct ip_endpoint *v;
	size_t n;
};

static bool is_wanted(const struct dial_list *wanted,
		      const struct ip_endpoint *at)
{
	for (size_t i = 0; i < wanted->n; i++) {
		if (endpoint_equal(&wanted->v[i], at)) {
			return true;
		}
	}
	return false;
}

/* "address", or all of "addresses".  False, and the refusal sent, if one is
 * none. */
static bool get_wanted(struct engine *e, uint32_t command,
		       const struct json *args, struct dial_list *wanted)
{
	const struct json *list = jsonget(args, "addresses");
	const size_t n = list ? jsonget_n(list) : 1;
	size_t n_new = 0;

	if (!n || n > ENGINE_MAX_TARGETS) {
		command_refuse(e, command, "name 1 to %u addresses",
			       ENGINE_MAX_TARGETS);
		return false;
	}
	wanted->v = xcalloc(n, sizeof *wanted->v);
	for (wanted->n = 0; wanted->n < n; wanted->n++) {
		const struct json *item =
			list ? jsonget_at(list, wanted->n) : NULL;
		const char *text = item && item->type == JSON_STRING
					   ? json_string(item)
				   : list ? NULL
					  : jsonget_string(args, "address");
		struct ip_endpoint *at = &wanted->v[wanted->n];

		if (!get_address(e, command, text, at)) {
			return false;
		}
		n_new += !target_find(e, at);
	}
	if (target_count(e) + n_new > ENGINE_MAX_TARGETS) {
		command_refuse(e, command, "there are %u peers to dial already",
			       ENGINE_MAX_TARGETS);
		return false;
	}
	return true;
}

static void dial(struct engine *e, const struct ip_endpoint *at)
{
	struct target *t = target_add(e, at);
	struct peer *p;

	t->hinted = t->muted = t->spared = false;
	t->saved = true;
	t->failures = 0;
	target_retry(e, t, 0);
	HMAP_FOR_EACH (p, node, &e->peers) {
		if (ip_equal(&p->tunnel.remote, &at->ip)) {
			overlay_retry(e, p);
		}
	}
}

static void add_address(struct json *list, const struct ip_endpoint *at)
{
	char buf[ENDPOINT_STRLEN];

	json_array_add(list, json_string_create(endpoint_format(at, buf)));
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

/* Does one of the wanted addresses lead to 'peer'? */
static bool leads_to(const struct engine *e, const struct dial_list *wanted,
		     const struct peer *peer)
{
	for (size_t i = 0; i < wanted->n; i++) {
		const struct target *t = target_find(e, &wanted->v[i]);

		if ((t && peer_id_equal(&t->peer, &peer->id)) ||
		    (peer->tunnel.placed &&
		     ip_equal(&peer->tunnel.remote, &wanted->v[i].ip))) {
			return true;
		}
	}
	return false;
}

/* Forgets all that operators have named before; what hosts have told of each
 * other is none of it. */
static void forget_others(struct engine *e, const struct dial_list *wanted,
			  struct json *forgotten)
{
	/* What is forgotten is muted, and may be new at the end. */
	for (struct target *t = e->targets; t; t = t->next) {
		struct peer *peer;

		if (t->hinted || t->muted || is_wanted(wanted, &t->remote)) {
			continue;
		}
		add_address(forgotten, &t->remote);
		peer = peer_id_is_zero(&t->peer) ? NULL
						 : peer_find(e, &t->peer);
		if (peer && !leads_to(e, wanted, peer)) {
			forget_peer(e, peer);
		} else {
			forget_target(e, t);
		}
	}
}

static void run_connect(struct engine *e, uint32_t command,
			const struct json *args)
{
	struct json *json, *addresses, *forgotten;
	struct dial_list wanted = {NULL, 0};

	if (!get_wanted(e, command, args, &wanted)) {
		free(wanted.v);
		return;
	}
	addresses = json_array_create_empty();
	forgotten = json_array_create_empty();
	if (jsonget_true(args, "replace")) {
		forget_others(e, &wanted, forgotten);
	}
	for (size_t i = 0; i < wanted.n; i++) {
		dial(e, &wanted.v[i]);
		add_address(addresses, &wanted.v[i]);
	}
	free(wanted.v);
	persist_save(e);
	json = json_object_create();
	json_object_put(json, "addresses", addresses);
	json_object_put(json, "forgotten", forgotten);
	command_reply(e, command, json);
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
			       "no peer has the name, id or address \"%.70s\"; "
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
			       "no connected peer is called \"%.70s\"; `fdpctl "
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
