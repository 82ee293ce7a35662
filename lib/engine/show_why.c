/* `why`: all that is known of one host, and what speaks for and against it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/jsonget.h"
#include "base/jsonput.h"
#include "engine/show.h"
#include "openvswitch/json.h"
#include "util.h"

/* What there is of a host: some of these, at least one. */
struct subject {
	const struct peer *peer;
	const struct target *target;
	const struct refusal *refusal; /* Of what it dials, not older. */
	const struct alarm *alarm;
};

/* ---- Who is meant ---- */

static bool is_address(const char *text, const struct ip_endpoint *at)
{
	char buf[ENDPOINT_STRLEN];

	return !strcmp(text, endpoint_format(at, buf)) ||
	       !strcmp(text, ip_format(&at->ip, buf));
}

static const struct target *target_of(const struct engine *e, const char *text,
				      const struct peer *p)
{
	for (const struct target *t = e->targets; t; t = t->next) {
		if (t->muted) {
			continue;
		}
		if (p ? peer_id_equal(&t->peer, &p->id) ||
				    (p->tunnel.placed &&
				     ip_equal(&t->remote.ip, &p->tunnel.remote))
		      : is_address(text, &t->remote)) {
			return t;
		}
	}
	return NULL;
}

static const struct alarm *alarm_of(const struct engine *e, const char *text,
				    const struct ip_addr *ip)
{
	for (size_t i = 0; i < MAX_ALARMS; i++) {
		const struct alarm *a = &e->alarms[i];

		if (alarm_is_shown(e, a) &&
		    (!strcmp(text, a->name) || (ip && ip_equal(ip, &a->ip)))) {
			return a;
		}
	}
	return NULL;
}

/* Whoever was refused too often was refused for something before. */
static bool tells_more(const struct refusal *a, const struct refusal *b)
{
	bool a_limit = a->err == ERR_LIMIT, b_limit = b->err == ERR_LIMIT;

	return a_limit == b_limit ? a->when_us > b->when_us : b_limit;
}

static const struct refusal *refusal_of(const struct engine *e,
					const struct ip_addr *ip)
{
	const struct refusal *last = NULL;

	for (size_t i = 0; ip && i < MAX_REFUSALS; i++) {
		const struct refusal *r = &e->refusals[i];

		if (r->n && e->now_us - r->when_us <= REFUSAL_SHOWN_US &&
		    ip_equal(ip, &r->ip) && (!last || tells_more(r, last))) {
			last = r;
		}
	}
	return last;
}

static bool find(const struct engine *e, const char *text, struct subject *s)
{
	const struct ip_addr *ip = NULL;
	struct ip_endpoint at;
	const struct peer *p;

	memset(s, 0, sizeof *s);
	HMAP_FOR_EACH (p, node, &e->peers) {
		/* Of two of one name the one that is there. */
		if (peer_is_called(p, text) && !(s->peer && s->peer->conn)) {
			s->peer = p;
		}
	}
	s->target = target_of(e, text, s->peer);
	if (s->peer && s->peer->tunnel.placed) {
		ip = &s->peer->tunnel.remote;
	} else if (s->target) {
		ip = &s->target->remote.ip;
	} else if (!endpoint_parse(text, e->config.port, &at)) {
		ip = &at.ip;
	}
	s->alarm = alarm_of(e, s->peer ? s->peer->name : text, ip);
	s->refusal = s->peer && s->peer->conn ? NULL : refusal_of(e, ip);
	return s->peer || s->target || s->refusal || s->alarm;
}

/* ---- What is wrong ---- */

struct verdict {
	const char *word; /* "good", "degraded", "down" */
	enum reason reason;
	char detail[TROUBLE_TEXT_SIZE];
	uint64_t since_us;
};

static void set(struct verdict *v, const char *word, enum reason reason,
		const char *detail, uint64_t since_us)
{
	v->word = word;
	v->reason = reason;
	copy_text(v->detail, sizeof v->detail, detail);
	v->since_us = since_us;
}

static void judge_session(const struct engine *e, const struct peer *p,
			  struct verdict *v)
{
	const struct tunnel *t = &p->tunnel;
	struct trouble trouble;

	if (t->reason) {
		set(v,
		    way_is_usable(p) || p->via != FWD_NOBODY ? "degraded"
							     : "down",
		    t->reason, t->detail, p->conn->since_us);
	} else if (health_trouble(e, p, &trouble)) {
		bool down = (t->route_errno || p->conn->silent ||
			     health_is_dead(p)) &&
			    p->via == FWD_NOBODY;

		set(v, down ? "down" : "degraded", trouble.reason,
		    trouble.detail, trouble.since_us);
		if (trouble.back) {
			snprintf(v->detail, sizeof v->detail,
				 "%s says so of its own way to this host",
				 p->name);
		}
	} else if (p->via != FWD_NOBODY) {
		set(v, "degraded", REASON_INDIRECT,
		    "the way through its own tunnel has to last before it is "
		    "taken again",
		    p->conn->since_us);
	} else {
		set(v, "good", REASON_NONE, "", p->conn->since_us);
	}
}

static enum reason reason_of_refusal(const struct refusal *r)
{
	enum reason reason = reason_find(err_slug(r->err));

	/* What the other side was told is the other way round. */
	if (r->reason == REASON_IDENTITY_REFUSED) {
		return r->reason;
	}
	return reason ? reason : r->reason;
}

static void judge(const struct engine *e, const struct subject *s,
		  struct verdict *v)
{
	const struct peer *p = s->peer;
	const char *word = p && (p->via != FWD_NOBODY || way_is_usable(p))
				   ? "degraded"
				   : "down";

	if (p && p->conn) {
		judge_session(e, p, v);
	} else if (s->alarm) {
		set(v, word, REASON_IDENTITY_CHANGED, s->alarm->detail,
		    s->alarm->when_us);
	} else if (s->target && s->target->failures) {
		set(v, word, s->target->reason, s->target->detail,
		    s->target->reason_us);
	} else if (s->refusal) {
		set(v, word, reason_of_refusal(s->refusal),
		    s->refusal->n > 1 ? "it has tried several times" : "",
		    s->refusal->first_us);
	} else if (s->target) {
		set(v, word, s->target->reason, s->target->detail,
		    s->target->since_us);
	} else if (p && p->via != FWD_NOBODY) {
		set(v, word, REASON_INDIRECT,
		    "neither host has a connection to the other", p->lost_us);
	} else {
		set(v, word, REASON_CONNECTION_LOST,
		    "this host does not dial it", p ? p->lost_us : 0);
	}
}

/* ---- The answer ---- */

static void put_session(const struct engine *e, const struct conn *c,
			struct json *json)
{
	struct json *session = json_object_create();
	char address[ENDPOINT_STRLEN];

	json_object_put_string(session, "direction",
			       c->outbound ? "out" : "in");
	json_object_put_string(session, "address",
			       endpoint_format(&c->remote, address));
	jsonput_int(session, "age", show_age_s(e, c->since_us));
	jsonput_int(session, "heard_ago_ms", (e->now_us - c->heard_us) / 1000);
	json_object_put(json, "session", session);
}

static void add_tried(void *list, const char *tried, const char *seen)
{
	struct json *json = json_object_create();

	json_object_put_string(json, "tried", tried);
	json_object_put_string(json, "seen", seen);
	json_array_add(list, json);
}

static void put_tests(const struct engine *e, const struct watch *w,
		      struct json *json)
{
	struct json *list = json_array_create_empty();

	if (w->on && w->check && w->check->last_us) {
		evidence_each(&w->check->last, add_tried, list);
		jsonput_int(json, "tested_ago",
			    show_age_s(e, w->check->last_us));
	}
	json_object_put(json, "tests", list);
}

static void add_change(const struct engine *e, const struct change *c,
		       struct json *list)
{
	struct json *json = json_object_create();

	jsonput_int(json, "ago", show_age_s(e, c->when_us));
	json_object_put_string(json, "reason", reason_slug(c->reason));
	json_object_put_string(json, "text", c->text);
	json_array_add(list, json);
}

/* Both histories as one, the newest first. */
static void put_history(const struct engine *e, const struct subject *s,
			struct json *json)
{
	static const struct history none;
	const struct history *a = s->peer ? &s->peer->history : &none;
	const struct history *b = s->target ? &s->target->history : &none;
	struct json *list = json_array_create_empty();
	size_t i = 0, j = 0;

	for (;;) {
		const struct change *x = history_get(a, i);
		const struct change *y = history_get(b, j);

		if (!x && !y) {
			break;
		}
		if (!y || (x && x->when_us >= y->when_us)) {
			add_change(e, x, list);
			i++;
		} else {
			add_change(e, y, list);
			j++;
		}
	}
	json_object_put(json, "history", list);
}

static void put_names(const struct subject *s, struct json *json)
{
	const struct peer *p = s->peer;
	char buf[ENDPOINT_STRLEN] = "";

	if (p && p->tunnel.placed) {
		ip_format(&p->tunnel.remote, buf);
	} else if (s->target) {
		endpoint_format(&s->target->remote, buf);
	} else if (s->refusal) {
		ip_format(&s->refusal->ip, buf);
	} else if (s->alarm) {
		ip_format(&s->alarm->ip, buf);
	}
	json_object_put_string(json, "address", buf);
	json_object_put_string(json, "name",
			       p	  ? p->name
			       : s->alarm ? s->alarm->name
					  : "");
	if (p) {
		jsonput_id(json, "peer", &p->id);
	} else {
		json_object_put_string(json, "peer", "");
	}
}

void show_why(struct engine *e, uint32_t command, const struct json *args)
{
	const char *text = jsonget_string(args, "peer");
	struct subject s;
	struct verdict v;
	struct json *json;

	if (!text || !find(e, text, &s)) {
		command_refuse(e, command,
			       "nothing is known of a host \"%.70s\"; `fdpctl "
			       "status connections` and `fdpctl peers` list "
			       "them",
			       text ? text : "");
		return;
	}
	judge(e, &s, &v);
	json = json_object_create();
	put_names(&s, json);
	json_object_put_string(json, "verdict", v.word);
	json_object_put_string(json, "reason", reason_slug(v.reason));
	json_object_put_string(json, "text", reason_text(v.reason));
	json_object_put_string(json, "detail", v.detail);
	json_object_put_string(json, "remedy", reason_remedy(v.reason));
	jsonput_int(json, "since", show_age_s(e, v.since_us));
	jsonput_int(json, "failures", s.target ? s.target->failures : 0);
	if (s.peer) {
		show_put_overlay(e, s.peer, json);
		json_object_put_string(json, "via", show_via(e, s.peer));
		jsonput_int(json, "hops", s.peer->hops);
		if (s.peer->conn) {
			put_session(e, s.peer->conn, json);
		}
		if (s.peer->watch.on) {
			json_object_put(json, "path",
					show_path(e, &s.peer->watch));
		}
		show_put_beside(e, s.peer, json);
		put_tests(e, &s.peer->watch, json);
	}
	put_history(e, &s, json);
	command_reply(e, command, json);
}
