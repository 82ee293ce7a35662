/* `status connections`: what is said of each control connection and target. */
#include <stdio.h>

#include "base/jsonput.h"
#include "engine/show.h"
#include "engine/state.h"
#include "openvswitch/json.h"

uint64_t show_age_s(const struct engine *e, uint64_t since_us)
{
	return (e->now_us - since_us) / SECOND_US;
}

static const char *const names[N_SHOWN_STATES] = {
	[SHOWN_CONNECTING] = "connecting",   [SHOWN_HANDSHAKE] = "handshake",
	[SHOWN_ESTABLISHED] = "established", [SHOWN_RETRYING] = "retrying",
	[SHOWN_FAILED] = "failed",
};

const char *show_state_name(enum shown_state state)
{
	return names[state];
}

static void row_of_conn(const struct engine *e, const struct conn *c,
			show_row_fn *fn, void *aux)
{
	char address[ENDPOINT_STRLEN], text[TROUBLE_TEXT_SIZE];
	struct trouble trouble;
	struct show_row row = {.outbound = c->outbound,
			       .address = endpoint_format(&c->remote, address),
			       .conn = c,
			       .peer = c->peer,
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
		if (c->peer && c->peer->tunnel.reason) {
			row.reason = c->peer->tunnel.reason;
			row.detail = c->peer->tunnel.detail;
		} else if (c->peer && health_trouble(e, c->peer, &trouble)) {
			trouble_text(&trouble, c->peer, text, sizeof text);
			row.reason = trouble.reason;
			row.detail = text;
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
			  show_row_fn *fn, void *aux)
{
	char address[ENDPOINT_STRLEN];
	struct show_row row = {.outbound = true,
			       .address = endpoint_format(&t->remote, address),
			       .reason = t->reason,
			       .peer = peer_find(e, &t->peer),
			       .detail = t->detail,
			       .since_us = t->since_us,
			       .hinted = t->hinted,
			       .stale = t->hinted && e->now_us - t->heard_us >
							     HINT_FRESH_US};

	if (t->conn || t->muted || target_peer(e, t) || limit_holds(e, t)) {
		/* Its connection has a row, or there is to be none. */
		return;
	}
	row.state = t->refused	  ? SHOWN_FAILED
		    : t->failures ? SHOWN_RETRYING
				  : SHOWN_CONNECTING;
	fn(e, &row, aux);
}

static void row_of_refusal(const struct engine *e, const struct refusal *r,
			   show_row_fn *fn, void *aux)
{
	char address[IP_STRLEN], detail[DETAIL_SIZE + 16];
	struct show_row row = {.state = SHOWN_FAILED,
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
	alarm = r->err == ERR_IDENTITY || r->err == ERR_COPY
			? alarm_from(e, &r->ip)
			: NULL;
	snprintf(detail, sizeof detail, "%s%s",
		 alarm ? alarm->detail : err_text(r->err),
		 r->n > 1 ? ", several times" : "");
	if (r->reason == REASON_IDENTITY_REFUSED) {
		row.slug = reason_slug(r->reason);
	}
	fn(e, &row, aux);
}

void show_each_row(const struct engine *e, show_row_fn *fn, void *aux)
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

static uint64_t ago_ms(const struct engine *e, uint64_t when_us)
{
	return (e->now_us - when_us) / 1000;
}

struct json *show_path(const struct engine *e, const struct watch *w)
{
	const struct path *path = &w->path;
	struct json *json = json_object_create();

	json_object_put_string(json, "there", health_level_name(w->level));
	json_object_put_string(json, "back", health_level_name(w->back));
	jsonput_int(json, "loss", path_loss(path));
	jsonput_int(json, "sent", path->n_sent);
	jsonput_int(json, "acked", path->n_acked);
	jsonput_int(json, "lost", path->n_lost);
	jsonput_int(json, "heard", w->n_heard);
	if (path->rtt_us) {
		jsonput_int(json, "rtt_us", path->rtt_us);
	}
	if (path->acked_us) {
		jsonput_int(json, "acked_ago_ms", ago_ms(e, path->acked_us));
	}
	if (w->heard_us) {
		jsonput_int(json, "heard_ago_ms", ago_ms(e, w->heard_us));
	}
	return json;
}

void show_put_beside(const struct engine *e, const struct peer *p,
		     struct json *json)
{
	const struct beside *b = &p->beside;
	struct json *way;

	if (!b->on) {
		return;
	}
	way = json_object_create();
	json_object_put_string(way, "there", health_level_name(b->level));
	jsonput_int(way, "loss", path_loss(&b->path));
	jsonput_int(way, "mtu", b->mtu);
	if (b->path.rtt_us) {
		jsonput_int(way, "rtt_us", b->path.rtt_us);
	}
	if (b->path.acked_us) {
		jsonput_int(way, "acked_ago_ms", ago_ms(e, b->path.acked_us));
	}
	if (b->heard_us) {
		jsonput_int(way, "heard_ago_ms", ago_ms(e, b->heard_us));
	}
	json_object_put(json, "sleeve_path", way);
}

static void add_row(const struct engine *e, const struct show_row *row,
		    void *aux)
{
	struct json *json = json_object_create();
	const struct conn *c = row->conn;
	const struct tunnel *t = c && c->peer ? &c->peer->tunnel : NULL;
	bool up =
		row->state == SHOWN_ESTABLISHED && t && way_is_usable(c->peer);

	json_object_put_string(json, "direction", row->outbound ? "out" : "in");
	json_object_put_string(json, "address", row->address);
	json_object_put_string(json, "state", show_state_name(row->state));
	jsonput_bool(json, "encrypted",
		     row->state == SHOWN_ESTABLISHED && engine_encrypts(e));
	jsonput_bool(json, "plain", t && plain_is_on(t));
	show_put_overlay(e, row->peer, json);
	json_object_put_string(json, "via",
			       row->peer ? show_via(e, row->peer) : "");
	jsonput_int(json, "hops", row->peer ? row->peer->hops : 0);
	if (row->state == SHOWN_ESTABLISHED) {
		jsonput_id(json, "peer", &c->identity.id);
		json_object_put_string(json, "name", c->identity.name);
	} else {
		json_object_put_string(json, "peer", "");
		json_object_put_string(json, "name",
				       row->peer ? row->peer->name : "");
	}
	jsonput_int(json, "mtu", up ? way_mtu(c->peer) : 0);
	jsonput_bool(json, "discovered", row->hinted);
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
	jsonput_int(json, "age", show_age_s(e, row->since_us));
	if (row->state == SHOWN_ESTABLISHED && c->peer && c->peer->watch.on) {
		json_object_put(json, "path", show_path(e, &c->peer->watch));
	}
	if (row->state == SHOWN_ESTABLISHED && c->peer) {
		show_put_beside(e, c->peer, json);
	}
	json_array_add(aux, json);
}

void show_connections(struct engine *e, uint32_t command)
{
	struct json *json = json_object_create();
	struct json *list = json_array_create_empty();

	show_each_row(e, add_row, list);
	json_object_put(json, "connections", list);
	command_reply(e, command, json);
}
