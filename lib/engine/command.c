/* What operators ask: lib/control/control.h has the commands and the JSON of
 * their answers. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonget.h"
#include "control/control.h"
#include "engine/request.h"
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

static void put_int(struct json *json, const char *name, uint64_t value)
{
	json_object_put(json, name, json_integer_create((long long)value));
}

static void put_bool(struct json *json, const char *name, bool value)
{
	json_object_put(json, name, json_boolean_create(value));
}

static void put_id(struct json *json, const char *name,
		   const struct peer_id *id)
{
	char buf[PEER_ID_STRLEN];

	json_object_put_string(json, name, peer_id_format(id, buf));
}

static void put_mac(struct json *json, const char *name, const struct mac *mac)
{
	char buf[MAC_STRLEN];

	json_object_put_string(json, name, mac_format(mac, buf));
}

static void put_ip(struct json *json, const char *name,
		   const struct ip_addr *ip)
{
	char buf[IP_STRLEN];

	json_object_put_string(json, name,
			       ip_is_zero(ip) ? "" : ip_format(ip, buf));
}

static uint64_t age_s(const struct engine *e, uint64_t since_us)
{
	return (e->now_us - since_us) / SECOND_US;
}

/* ---- connections ---- */

enum shown_state {
	SHOWN_CONNECTING,
	SHOWN_HANDSHAKE,
	SHOWN_ESTABLISHED,
	SHOWN_RETRYING,
	SHOWN_FAILED,
	N_SHOWN_STATES
};

static const char *const shown_names[N_SHOWN_STATES] = {
	[SHOWN_CONNECTING] = "connecting",   [SHOWN_HANDSHAKE] = "handshake",
	[SHOWN_ESTABLISHED] = "established", [SHOWN_RETRYING] = "retrying",
	[SHOWN_FAILED] = "failed",
};

/* One row of `status connections`. */
struct row {
	bool outbound;
	enum shown_state state;
	const char *address;
	const struct conn *conn; /* NULL if there is none. */
	enum reason reason;
	const char *slug; /* In place of the reason's, or NULL. */
	const char *detail;
	uint64_t since_us;
	bool hinted; /* To a host that only others know. */
	bool stale;  /* It may well be that it is no more. */
};

typedef void row_fn(const struct engine *, const struct row *, void *aux);

static void row_of_conn(const struct engine *e, const struct conn *c,
			row_fn *fn, void *aux)
{
	char address[ENDPOINT_STRLEN];
	struct row row = {.outbound = c->outbound,
			  .address = endpoint_format(&c->remote, address),
			  .conn = c,
			  .hinted = c->target && c->target->hinted,
			  .detail = "",
			  .since_us = c->since_us};

	switch (c->state) {
	case CONN_DIALING:
		row.state = SHOWN_CONNECTING;
		row.reason = REASON_CONNECTING;
		break;
	case CONN_HANDSHAKE:
		row.state = SHOWN_HANDSHAKE;
		row.reason = REASON_HANDSHAKE;
		break;
	case CONN_UP:
		row.state = SHOWN_ESTABLISHED;
		if (c->peer) {
			row.reason = c->peer->tunnel.reason;
			row.detail = c->peer->tunnel.detail;
		}
		break;
	}
	if (c->target && c->target->failures && c->state != CONN_UP) {
		/* What went wrong before tells more than "again". */
		row.reason = c->target->reason;
		row.detail = c->target->detail;
	}
	fn(e, &row, aux);
}

static void row_of_target(const struct engine *e, const struct target *t,
			  row_fn *fn, void *aux)
{
	char address[ENDPOINT_STRLEN];
	struct row row = {.outbound = true,
			  .address = endpoint_format(&t->remote, address),
			  .reason = t->reason,
			  .detail = t->detail,
			  .since_us = t->since_us,
			  .hinted = t->hinted,
			  .stale = t->hinted &&
				   e->now_us - t->heard_us > HINT_FRESH_US};

	if (t->conn || t->muted || target_peer(e, t)) {
		return; /* Its connection has a row. */
	}
	row.state = t->refused	  ? SHOWN_FAILED
		    : t->failures ? SHOWN_RETRYING
				  : SHOWN_CONNECTING;
	fn(e, &row, aux);
}

static void row_of_refusal(const struct engine *e, const struct refusal *r,
			   row_fn *fn, void *aux)
{
	char address[IP_STRLEN], detail[DETAIL_SIZE + 16];
	struct row row = {.state = SHOWN_FAILED,
			  .address = ip_format(&r->ip, address),
			  .reason = REASON_HANDSHAKE_FAILED,
			  .slug = err_slug(r->err),
			  .detail = detail,
			  .since_us = r->when_us};
	const struct alarm *alarm;
	const struct conn *c;

	if (!r->n || e->now_us - r->when_us > REFUSAL_SHOWN_US) {
		return;
	}
	/* Whoever got in since then has mended it. */
	HMAP_FOR_EACH (c, node, &e->conns) {
		if (c->state == CONN_UP && ip_equal(&c->remote.ip, &r->ip)) {
			return;
		}
	}
	alarm = r->err == ERR_IDENTITY ? alarm_from(e, &r->ip) : NULL;
	snprintf(detail, sizeof detail, "%s%s",
		 alarm ? alarm->detail : err_text(r->err),
		 r->n > 1 ? ", several times" : "");
	if (r->reason == REASON_IDENTITY_REFUSED) {
		row.slug = reason_slug(r->reason);
	}
	fn(e, &row, aux);
}

static void each_row(const struct engine *e, row_fn *fn, void *aux)
{
	const struct conn *c;

	for (const struct target *t = e->targets; t; t = t->next) {
		if (t->conn) {
			row_of_conn(e, t->conn, fn, aux);
		} else {
			row_of_target(e, t, fn, aux);
		}
	}
	HMAP_FOR_EACH (c, node, &e->conns) {
		if (!c->target && !c->renews) {
			row_of_conn(e, c, fn, aux);
		}
	}
	for (size_t i = 0; i < MAX_REFUSALS; i++) {
		row_of_refusal(e, &e->refusals[i], fn, aux);
	}
}

static void add_row(const struct engine *e, const struct row *row, void *aux)
{
	struct json *json = json_object_create();
	const struct conn *c = row->conn;
	const struct tunnel *t = c && c->peer ? &c->peer->tunnel : NULL;
	bool up = row->state == SHOWN_ESTABLISHED && t && tunnel_is_usable(t);

	json_object_put_string(json, "direction", row->outbound ? "out" : "in");
	json_object_put_string(json, "address", row->address);
	json_object_put_string(json, "state", shown_names[row->state]);
	put_bool(json, "encrypted",
		 row->state == SHOWN_ESTABLISHED && engine_encrypts(e));
	json_object_put_string(json, "overlay", up ? "fastdp" : "none");
	if (row->state == SHOWN_ESTABLISHED) {
		put_id(json, "peer", &c->identity.id);
		json_object_put_string(json, "name", c->identity.name);
	} else {
		json_object_put_string(json, "peer", "");
		json_object_put_string(json, "name", "");
	}
	put_int(json, "mtu", up ? t->mtu : 0);
	put_bool(json, "discovered", row->hinted);
	json_object_put_string(json, "reason",
			       row->slug ? row->slug
					 : reason_slug(row->reason));
	json_object_put_string(json, "detail",
			       *row->detail ? row->detail
					    : reason_text(row->reason));
	json_object_put(json, "slot",
			json_integer_create(row->state == SHOWN_ESTABLISHED
						    ? password_slot(e, c)
						    : -1));
	put_int(json, "age", age_s(e, row->since_us));
	json_array_add(aux, json);
}

static void run_connections(struct engine *e, uint32_t command)
{
	struct json *json = json_object_create();
	struct json *list = json_array_create_empty();

	each_row(e, add_row, list);
	json_object_put(json, "connections", list);
	command_reply(e, command, json);
}

/* ---- status ---- */

struct census {
	unsigned int states[N_SHOWN_STATES];
	unsigned int n_bad;  /* We dial, and are not connected. */
	unsigned int n_down; /* Established, but no tunnel. */
};

static void count_row(const struct engine *e, const struct row *row, void *aux)
{
	struct census *census = aux;

	(void)e;
	census->states[row->state]++;
	/* What strangers do at our door is shown but is no fault of ours, nor
	 * is a list of peers that names every host, this one too, or a host
	 * that nobody has seen for a while. */
	if (row->outbound && row->state != SHOWN_ESTABLISHED &&
	    row->reason != REASON_SELF && !row->stale) {
		census->n_bad++;
	}
	if (row->state == SHOWN_ESTABLISHED &&
	    !(row->conn->peer && tunnel_is_usable(&row->conn->peer->tunnel))) {
		census->n_down++;
	}
}

static struct json *drops_json(const struct engine *e)
{
	struct json *json = json_object_create();

	for (unsigned int i = 1; i < N_REASONS; i++) {
		if (e->drops[i]) {
			put_int(json, reason_slug((enum reason)i), e->drops[i]);
		}
	}
	return json;
}

static void add_reason(struct json *list, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add_reason(struct json *list, const char *format, ...)
{
	char *text;
	va_list args;

	va_start(args, format);
	text = xvasprintf(format, args);
	va_end(args);
	json_array_add(list, json_string_create_nocopy(text));
}

/* Is anybody not believed who he is, be it we?  What to say about it goes into
 * 'why'. */
static bool judge_identities(const struct engine *e, struct json *why)
{
	char text[ALARM_TEXT_SIZE], ip[IP_STRLEN];
	bool good = true;

	for (size_t i = 0; i < MAX_ALARMS; i++) {
		if (alarm_is_shown(e, &e->alarms[i])) {
			alarm_text(&e->alarms[i], text, sizeof text);
			add_reason(why, "%s", text);
			good = false;
		}
	}
	for (size_t i = 0; i < MAX_REFUSALS; i++) {
		const struct refusal *r = &e->refusals[i];

		if (r->n && r->reason == REASON_IDENTITY_REFUSED &&
		    e->now_us - r->when_us <= REFUSAL_SHOWN_US) {
			add_reason(why, "%s: %s", ip_format(&r->ip, ip),
				   reason_text(r->reason));
			good = false;
		}
	}
	return good;
}

/* "healthy", "degraded" or "down", and in 'why' what is not as it should be. */
static const char *judge(const struct engine *e, const struct census *census,
			 struct json *why)
{
	const struct flow_table_losses losses = flow_table_losses(e->flows);
	const char *verdict = "healthy";

	if (e->tunnel_port == UINT32_MAX) {
		add_reason(why, "the datapath or its tunnel port is gone; "
				"restart fdpd");
		return "down";
	}
	if (census->n_bad) {
		add_reason(why,
			   "%u connection%s not established: see `fdpctl "
			   "status connections`",
			   census->n_bad, census->n_bad == 1 ? " is" : "s are");
		verdict = "degraded";
	}
	if (census->n_down) {
		add_reason(why, "%u peer%s no tunnel", census->n_down,
			   census->n_down == 1 ? " has" : "s have");
		verdict = "degraded";
	}
	if (!judge_identities(e, why)) {
		verdict = "degraded";
	}
	if (engine_encrypts(e) && !e->guard) {
		add_reason(why,
			   "no netfilter guard: if somebody flushes the IPsec "
			   "policies, packets may leave unencrypted (%s)",
			   e->guard_detail);
		verdict = "degraded";
	}
	if (losses.last_us && e->now_us - losses.last_us < FLOWS_FULL_US) {
		add_reason(why,
			   "there is no room for new flows; `fdpctl flows` "
			   "tells which port has so many");
		verdict = "degraded";
	}
	return verdict;
}

static struct json *endpoints_json(const struct engine *e)
{
	struct json *json = json_object_create();
	size_t remote = 0;
	const struct peer *p;

	HMAP_FOR_EACH (p, node, &e->peers) {
		remote += p->record.n;
	}
	put_int(json, "local", e->record.n);
	put_int(json, "remote", remote);
	return json;
}

/* Which passwords are in use, and what speaks against removing the second. */
static struct json *password_json(const struct engine *e)
{
	struct json *json = json_object_create();
	struct json *second = json_array_create_empty();
	struct json *removed = json_array_create_empty();
	uint64_t n_first = 0, n_absent = 0;
	const struct peer *p;

	HMAP_FOR_EACH (p, node, &e->peers) {
		int slot = p->conn ? password_slot(e, p->conn) : -1;

		if (!p->conn) {
			n_absent++;
		} else if (slot == 0) {
			n_first++;
		} else {
			json_array_add(slot < 0 ? removed : second,
				       json_string_create(p->name));
		}
	}
	for (const struct target *t = e->targets; t; t = t->next) {
		if (!(t->conn && t->conn->state == CONN_UP) && !t->hinted &&
		    !target_peer(e, t) && !peer_find(e, &t->peer) &&
		    t->reason != REASON_SELF) {
			n_absent++;
		}
	}
	put_int(json, "accepted", e->config.n_slots);
	put_int(json, "first", n_first);
	json_object_put(json, "second", second);
	json_object_put(json, "removed", removed);
	put_int(json, "absent", n_absent);
	return json;
}

/* What a restart would not find. */
static struct json *state_json(const struct engine *e)
{
	struct json *json = json_object_create();

	put_bool(json, "written", !*e->state_error);
	json_object_put_string(json, "error", e->state_error);
	json_object_put_string(json, "damaged", e->state_damaged);
	return json;
}

/* Ours, for people to compare; "" if it is not used. */
static void put_own_key(const struct engine *e, struct json *json)
{
	char fingerprint[SIGN_FINGERPRINT_STRLEN] = "";
	struct sign_key key;

	if (engine_encrypts(e) && e->config.has_key && !e->config.key_unsaved) {
		sign_public(&e->config.key, &key);
		sign_fingerprint(&key, fingerprint);
	}
	json_object_put_string(json, "identity_key", fingerprint);
}

static void run_status(struct engine *e, uint32_t command)
{
	const struct flow_table_losses losses = flow_table_losses(e->flows);
	struct json *json = json_object_create();
	struct json *states = json_object_create();
	struct json *why = json_array_create_empty();
	struct json *sub;
	struct census census;

	memset(&census, 0, sizeof census);
	each_row(e, count_row, &census);
	for (unsigned int i = 0; i < N_SHOWN_STATES; i++) {
		put_int(states, shown_names[i], census.states[i]);
	}
	json_object_put_string(json, "version", e->config.version);
	json_object_put_string(json, "name", e->config.name);
	put_id(json, "id", &e->config.id);
	put_int(json, "uptime", age_s(e, e->started_us));
	json_object_put_string(json, "encryption",
			       engine_encrypts(e) ? "aes-256-gcm esp" : "none");
	json_object_put_string(json, "guard", guard_kind_name(e->guard));
	if (engine_encrypts(e)) {
		json_object_put(json, "password", password_json(e));
	}
	put_own_key(e, json);
	json_object_put(json, "state", state_json(e));
	put_int(json, "control_port", e->config.port);
	put_int(json, "vxlan_port", e->config.vxlan_port);
	sub = json_object_create();
	json_object_put_string(sub, "name", e->config.datapath);
	json_object_put_string(sub, "state",
			       e->tunnel_port == UINT32_MAX ? "down" : "up");
	json_object_put(json, "datapath", sub);
	put_int(json, "ports", e->record.n);
	put_int(json, "peers", hmap_count(&e->peers));
	json_object_put(json, "connections", states);
	json_object_put(json, "endpoints", endpoints_json(e));
	sub = json_object_create();
	put_int(sub, "installed", flow_table_n(e->flows));
	put_int(sub, "refused", losses.refused);
	put_int(sub, "evicted", losses.evicted);
	json_object_put(json, "flows", sub);
	sub = json_object_create();
	put_int(sub, "handled", e->upcalls);
	put_int(sub, "lost", e->upcalls_lost);
	put_int(sub, "features_restored", e->features_restored);
	json_object_put(json, "upcalls", sub);
	json_object_put(json, "drops", drops_json(e));
	json_object_put_string(json, "verdict", judge(e, &census, why));
	json_object_put(json, "reasons", why);
	command_reply(e, command, json);
}

/* ---- peers ---- */

static struct json *binding_json(const struct binding *b)
{
	struct json *json = json_object_create();
	struct json *list = json_array_create_empty();
	char buf[IP_STRLEN];

	put_int(json, "network", b->vni);
	put_mac(json, "mac", &b->mac);
	for (size_t i = 0; i < b->n_ips; i++) {
		json_array_add(list,
			       json_string_create(ip_format(&b->ips[i], buf)));
	}
	json_object_put(json, "addresses", list);
	return json;
}

static struct json *lanes_json(const struct tunnel *t)
{
	struct json *list = json_array_create_empty();

	for (unsigned int i = 0; i < MAX(t->n_in, t->n_out); i++) {
		struct json *json = json_object_create();

		put_int(json, "spi_in", t->lanes[i].spi_in);
		put_int(json, "spi_out", t->lanes[i].spi_out);
		json_array_add(list, json);
	}
	return list;
}

static void put_peer_key(const struct engine *e, const struct peer *p,
			 struct json *json)
{
	char fingerprint[SIGN_FINGERPRINT_STRLEN] = "";
	const struct pin *pin = pin_find(e, &p->id);
	const struct identity *shown = p->conn && p->conn->identity.has_key
					       ? &p->conn->identity
					       : NULL;

	if (shown) {
		sign_fingerprint(&shown->key, fingerprint);
	} else if (pin) {
		sign_fingerprint(&pin->key, fingerprint);
	}
	json_object_put_string(json, "identity_key", fingerprint);
	json_object_put_string(json, "identity",
			       !*fingerprint		    ? "none"
			       : !pin || pin_is_new(e, pin) ? "new"
							    : "pinned");
}

static struct json *peer_json(const struct engine *e, const struct peer *p)
{
	const struct tunnel *t = &p->tunnel;
	struct json *json = json_object_create();
	struct json *list = json_array_create_empty();

	put_id(json, "id", &p->id);
	json_object_put_string(json, "name", p->name);
	put_ip(json, "address", &t->remote);
	put_bool(json, "connected", p->conn != NULL);
	json_object_put_string(json, "overlay",
			       tunnel_is_usable(t) ? "fastdp" : "none");
	put_int(json, "udp_port", t->udp_port);
	put_int(json, "spi_in", t->lanes[0].spi_in);
	put_int(json, "spi_out", t->lanes[0].spi_out);
	json_object_put(json, "lanes", lanes_json(t));
	put_int(json, "reqid", t->reqid);
	put_int(json, "mtu", t->mtu);
	put_peer_key(e, p, json);
	for (size_t i = 0; i < p->record.n; i++) {
		json_array_add(list, binding_json(&p->record.v[i]));
	}
	json_object_put(json, "endpoints", list);
	return json;
}

static void run_peers(struct engine *e, uint32_t command)
{
	struct json *json = json_object_create();
	struct json *list = json_array_create_empty();
	const struct peer *p;

	HMAP_FOR_EACH (p, node, &e->peers) {
		json_array_add(list, peer_json(e, p));
	}
	json_object_put(json, "peers", list);
	command_reply(e, command, json);
}

/* ---- ports ---- */

struct json *command_port_json(const struct engine *e, const struct port *p)
{
	struct json *json = json_object_create();
	struct json *list = json_array_create_empty();

	(void)e;
	for (size_t i = 0; i < p->binding.n_ips; i++) {
		struct ip_prefix prefix = {.ip = p->binding.ips[i],
					   .len = p->prefix_len[i]};
		char buf[PREFIX_STRLEN];

		json_array_add(list,
			       json_string_create(prefix_format(&prefix, buf)));
	}
	if (p->port_no != UINT32_MAX) {
		put_int(json, "vport", p->port_no);
	}
	json_object_put_string(json, "ifname", p->ifname);
	json_object_put_string(json, "host_ifname", p->host_ifname);
	json_object_put_string(json, "netns", p->netns);
	put_mac(json, "mac", &p->binding.mac);
	json_object_put(json, "addresses", list);
	put_int(json, "network", p->binding.vni);
	put_int(json, "mtu", p->mtu);
	return json;
}

static void add_other(struct json *list, uint32_t port_no, const char *name,
		      const char *kind)
{
	struct json *json = json_object_create();

	put_int(json, "vport", port_no);
	json_object_put_string(json, "name", name);
	json_object_put_string(json, "kind", kind);
	json_array_add(list, json);
}

static void run_ports(struct engine *e, uint32_t command)
{
	struct json *json = json_object_create();
	struct json *list = json_array_create_empty();
	struct json *others = json_array_create_empty();
	const struct fwd_port *tunnel = forwarding_port(e->fwd, e->tunnel_port);

	for (const struct port *p = e->ports; p; p = p->next) {
		json_array_add(list, command_port_json(e, p));
	}
	add_other(others, ODP_LOCAL_PORT, e->config.datapath, "host");
	if (tunnel) {
		add_other(others, tunnel->port_no, tunnel->name, "tunnel");
	}
	json_object_put(json, "ports", list);
	json_object_put(json, "others", others);
	command_reply(e, command, json);
}

/* ---- attach, detach ---- */

static void draw_mac(struct engine *e, struct mac *mac)
{
	rng_fill(e->rng, mac->b, sizeof mac->b);
	/* Locally administered, unicast (IEEE 802). */
	mac->b[0] = (uint8_t)((mac->b[0] & 0xfc) | 2);
}

/* Who has an address already, in words. */
static void describe(const struct engine *e, const struct fwd_target *t,
		     char *buf, size_t size)
{
	const struct port *port = t->local ? port_find(e, t->port_no) : NULL;
	const struct peer *peer = t->local ? NULL : peer_by_number(e, t->peer);

	if (port) {
		snprintf(buf, size, "%s in %s", port->ifname, port->netns);
	} else {
		snprintf(buf, size, "an endpoint of %s",
			 peer ? peer->name : "another host");
	}
}

/* False, and the refusal sent, if something of 'port' is in use. */
static bool is_free(struct engine *e, uint32_t command, const struct port *port)
{
	const struct binding *b = &port->binding;
	const struct fwd_target *t = NULL;
	char what[IP_STRLEN], owner[DETAIL_SIZE];

	if (port_by_inside(e, port->netns, port->ifname)) {
		command_refuse(e, command,
			       "%s in %s is attached already; use another "
			       "--ifname, or detach it first",
			       port->ifname, port->netns);
		return false;
	}
	if (!mac_is_zero(&b->mac)) {
		t = forwarding_by_mac(e->fwd, b->vni, &b->mac);
		mac_format(&b->mac, what);
	}
	for (size_t i = 0; !t && i < b->n_ips; i++) {
		t = forwarding_by_ip(e->fwd, b->vni, &b->ips[i]);
		ip_format(&b->ips[i], what);
	}
	if (t) {
		describe(e, t, owner, sizeof owner);
		command_refuse(e, command,
			       "%s is attached already: %s has it; choose "
			       "another, or detach that first",
			       what, owner);
		return false;
	}
	return true;
}

static void run_attach_check(struct engine *e, uint32_t command,
			     const struct json *args)
{
	char why[DETAIL_SIZE];
	struct port port;

	if (!request_port(args, &port, why, sizeof why)) {
		command_refuse(e, command, "%s", why);
		return;
	}
	if (!is_free(e, command, &port)) {
		return;
	}
	while (mac_is_zero(&port.binding.mac) ||
	       forwarding_by_mac(e->fwd, port.binding.vni, &port.binding.mac)) {
		draw_mac(e, &port.binding.mac);
	}
	do {
		snprintf(port.host_ifname, sizeof port.host_ifname,
			 "fdp%08" PRIx32, rng_u32(e->rng));
	} while (port_by_host_ifname(e, port.host_ifname));
	port.mtu = ports_mtu(e);
	command_reply(e, command, command_port_json(e, &port));
}

static void run_attach(struct engine *e, uint32_t command,
		       const struct json *args)
{
	char why[DETAIL_SIZE];
	struct port *port = xzalloc(sizeof *port);
	struct pending *pending;
	struct op *op;
	bool ok = request_port(args, port, why, sizeof why);

	if (ok && (!*port->host_ifname || mac_is_zero(&port->binding.mac) ||
		   !port->mtu)) {
		snprintf(why, sizeof why, "ask attach-check first");
		ok = false;
	}
	if (!ok) {
		command_refuse(e, command, "%s", why);
	}
	if (!ok || !is_free(e, command, port)) {
		free(port);
		return;
	}
	op = ops_add(e->ops, OP_VPORT_ADD);
	op->vport.type = ODP_VPORT_NETDEV;
	op->vport.port_no = UINT32_MAX;
	copy_text(op->vport.name, sizeof op->vport.name, port->host_ifname);
	pending = engine_expect(e, op, PENDING_ATTACH);
	pending->command = command;
	pending->port = port;
}

static void run_detach(struct engine *e, uint32_t command,
		       const struct json *args)
{
	const char *host_ifname = jsonget_string(args, "host_ifname");
	const char *netns = jsonget_string(args, "netns");
	const char *ifname = jsonget_string(args, "ifname");
	struct json *json;
	struct port *port;

	ifname = ifname ? ifname : "eth0";
	if (host_ifname) {
		port = port_by_host_ifname(e, host_ifname);
	} else if (netns) {
		port = port_by_inside(e, netns, ifname);
	} else {
		command_refuse(e, command, "name the namespace or the port");
		return;
	}
	if (!port) {
		command_refuse(e, command,
			       "%s%s%s is not attached; `fdpctl ports` lists "
			       "what is",
			       host_ifname ? host_ifname : ifname,
			       host_ifname ? "" : " in ",
			       host_ifname ? "" : netns);
		return;
	}
	json = json_object_create();
	json_object_put_string(json, "host_ifname", port->host_ifname);
	port_remove(e, port, true);
	command_reply(e, command, json);
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

	if (!get_address(e, command, args, &endpoint)) {
		return;
	}
	if (target_count(e) >= ENGINE_MAX_TARGETS) {
		command_refuse(e, command, "there are %u peers to dial already",
			       ENGINE_MAX_TARGETS);
		return;
	}
	t = target_add(e, &endpoint);
	t->hinted = t->muted = false;
	t->saved = true;
	persist_save(e);
	t->failures = 0;
	target_retry(e, t, 0);
	reply_address(e, command, &endpoint);
}

static void run_forget(struct engine *e, uint32_t command,
		       const struct json *args)
{
	struct ip_endpoint endpoint;
	struct target *t;
	struct peer *peer, *next;
	bool found = false;

	if (!get_address(e, command, args, &endpoint)) {
		return;
	}
	t = target_find(e, &endpoint);
	if (t && !t->muted) {
		struct conn *c = t->conn;

		if (c) {
			c->target = NULL;
			t->conn = NULL;
			if (c->state != CONN_UP) {
				conn_end(e, c, ERR_REFUSED, REASON_STOPPED, "");
			}
		}
		discovery_mute(e, &endpoint);
		found = true;
	}
	HMAP_FOR_EACH_SAFE (peer, next, node, &e->peers) {
		if (!ip_equal(&peer->tunnel.remote, &endpoint.ip)) {
			continue;
		}
		discovery_mute_peer(e, peer);
		if (peer->renewal.conn) {
			conn_end(e, peer->renewal.conn, ERR_REFUSED,
				 REASON_STOPPED, "");
		}
		if (peer->conn) {
			conn_end(e, peer->conn, ERR_REFUSED, REASON_STOPPED,
				 "forgotten by an operator");
		}
		peer_remove(e, peer);
		found = true;
	}
	if (!found) {
		command_refuse(e, command,
			       "no peer has that address; `fdpctl status "
			       "connections` lists them");
		return;
	}
	reply_address(e, command, &endpoint);
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
	put_int(json, "forgotten", n);
	command_reply(e, command, json);
}

/* ---- rekey ---- */

/* Is 'text' the peer's name, id or address? */
static bool is_called(const struct peer *p, const char *text)
{
	char id[PEER_ID_STRLEN], ip[IP_STRLEN];

	return !strcmp(text, p->name) ||
	       !strcmp(text, peer_id_format(&p->id, id)) ||
	       !strcmp(text, ip_format(&p->tunnel.remote, ip));
}

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
		if (p->conn && (!name || is_called(p, name))) {
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

static void add_flow_name(const struct flow_entry *f, void *aux)
{
	struct json *json = json_object_create();
	char ufid[2 * sizeof f->ufid.b + 1];

	for (size_t i = 0; i < sizeof f->ufid.b; i++) {
		snprintf(ufid + 2 * i, 3, "%02x", f->ufid.b[i]);
	}
	json_object_put_string(json, "reason", reason_slug(f->reason));
	if (f->peer != UINT32_MAX) {
		put_int(json, "peer", f->peer);
	}
	json_object_put(aux, ufid, json);
}

static void run_names(struct engine *e, uint32_t command)
{
	struct json *json = json_object_create();
	struct json *ports = json_object_create();
	struct json *peers = json_object_create();
	struct json *numbers = json_object_create();
	struct json *flows = json_object_create();
	const struct fwd_port *tunnel = forwarding_port(e->fwd, e->tunnel_port);
	const struct peer *peer;
	char buf[IP_STRLEN];

	json_object_put_string(ports, "0", e->config.datapath);
	if (tunnel) {
		snprintf(buf, sizeof buf, "%" PRIu32, tunnel->port_no);
		json_object_put_string(ports, buf, tunnel->name);
	}
	for (const struct port *p = e->ports; p; p = p->next) {
		snprintf(buf, sizeof buf, "%" PRIu32, p->port_no);
		json_object_put_string(ports, buf, p->host_ifname);
	}
	HMAP_FOR_EACH (peer, node, &e->peers) {
		if (peer->tunnel.placed) {
			json_object_put_string(
				peers, ip_format(&peer->tunnel.remote, buf),
				peer->name);
		}
		snprintf(buf, sizeof buf, "%" PRIu32, peer->number);
		json_object_put_string(numbers, buf, peer->name);
	}
	flow_table_each(e->flows, add_flow_name, flows);
	json_object_put(json, "ports", ports);
	json_object_put(json, "peers", peers);
	json_object_put(json, "peer_numbers", numbers);
	json_object_put(json, "flows", flows);
	command_reply(e, command, json);
}

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
		run_status(e, id);
		return;
	case CONTROL_CONNECTIONS:
		run_connections(e, id);
		return;
	case CONTROL_PEERS:
		run_peers(e, id);
		return;
	case CONTROL_PORTS:
		run_ports(e, id);
		return;
	case CONTROL_ATTACH_CHECK:
		run_attach_check(e, id, args);
		return;
	case CONTROL_ATTACH:
		run_attach(e, id, args);
		return;
	case CONTROL_DETACH:
		run_detach(e, id, args);
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
		run_names(e, id);
		return;
	case CONTROL_RELOAD: /* Comes as EVENT_PASSWORDS. */
	case N_CONTROL_COMMANDS:
		break;
	}
	command_refuse(e, id, "there is no command \"%.40s\"",
		       event->command.name);
}
