/* Peers of the run before.
 *
 * A daemon that is started again finds policies, SAs and flows in the kernel,
 * but new flows need to know which endpoints are behind which peer, and the
 * session that tells it takes a while: passwords have to be stretched, peers
 * dialled.  So what they have told is written down, and read at the start.  A
 * peer whose policies and SAs are all in the kernel is served at once by what
 * was known, as one is whose session was lost a moment ago: if its session does
 * not come back, it goes after the same time.  Where the kernel has no such
 * policies nothing is remembered: what the datapath sends leaves through ESP,
 * or not at all.
 *
 * Of a peer that frames went to by the sleeve, as ESP did not get there, that
 * is written down too, and why.  There is nobody to send sealed frames until
 * its session is back, but then they need not be lost in ESP first; and what it
 * sends, mostly by ESP still, has to find its receivers before.
 *
 * What is remembered has been true and need not be any more.  Whatever is heard
 * counts more: the peer's own record replaces it, and its endpoints give way to
 * whoever else has them now (peers_yield()).
 *
 * JSON: {"version": 1, "host": our own id,
 *	  "peers": [{"id", "name", "incarnation", "local", "remote": tunnel
 *		     addresses, "udp_port",
 *		     "endpoints": [{"network", "mac", "addresses"}]},
 *		     {"id", "sleeve": reason}, or both],
 *	  "check": as in the state file (persist.c)}
 *
 * There is no need of it to reach the disk: it is of use only as long as the
 * kernel lives that has the SAs.  A file that is damaged, or of another host,
 * is as good as none.
 */
#include <stdlib.h>
#include <string.h>

#include "base/jsonget.h"
#include "base/jsonput.h"
#include "engine/state.h"
#include "openvswitch/json.h"
#include "util.h"

#define REMEMBER_SOON_US                                                      \
	(1 * SECOND_US)			 /* With what else changes till then. \
					  */
#define REMEMBER_US (5 * SECOND_US)	 /* Between two. */
#define WAYS_US	    (5 * 60 * SECOND_US) /* Who is not back by then is new. */

enum {
	REMEMBER_VERSION = 1
};

/* To whom the sleeve was taken, and why. */
struct way_before {
	struct peer_id id;
	enum reason reason;
};

/* ---- Writing ---- */

void remember_touch(struct engine *e)
{
	if (engine_encrypts(e)) {
		e->remember_us = MIN(e->remember_us,
				     MAX(e->now_us + REMEMBER_SOON_US,
					 e->remembered_us + REMEMBER_US));
		engine_wake(e, e->remember_us);
	}
}

static struct json *endpoints_json(const struct record *r)
{
	struct json *list = json_array_create_empty();

	for (size_t i = 0; i < r->n; i++) {
		const struct binding *b = &r->v[i];
		struct json *json = json_object_create();
		struct json *ips = json_array_create_empty();
		char ip[IP_STRLEN];

		for (size_t k = 0; k < b->n_ips; k++) {
			json_array_add(ips, json_string_create(
						    ip_format(&b->ips[k], ip)));
		}
		jsonput_int(json, "network", b->vni);
		jsonput_mac(json, "mac", &b->mac);
		json_object_put(json, "addresses", ips);
		json_array_add(list, json);
	}
	return list;
}

/* Not one that is reached through others or has no ESP at all, nor one without
 * a key, as there is nothing to know him by. */
static bool is_worth_it(const struct engine *e, const struct peer *p)
{
	return p->tunnel.policies && tunnel_is_usable(&p->tunnel) &&
	       !p->tunnel.failed && !p->tunnel.by_sleeve &&
	       p->via == FWD_NOBODY && pin_find(e, &p->id);
}

static size_t n_ways(const struct engine *e)
{
	return e->now_us < e->started_us + WAYS_US ? e->n_ways_before : 0;
}

static void add_way(struct json *list, const struct peer_id *id,
		    enum reason reason)
{
	struct json *json = json_object_create();

	jsonput_id(json, "id", id);
	json_object_put_string(json, "sleeve", reason_slug(reason));
	json_array_add(list, json);
}

static struct json *peers_json(const struct engine *e)
{
	struct json *list = json_array_create_empty();
	const struct peer *p;

	/* Of those that have not come back yet the same is true as before. */
	for (size_t i = 0; i < n_ways(e); i++) {
		const struct way_before *way = &e->ways_before[i];

		add_way(list, &way->id, way->reason);
	}
	HMAP_FOR_EACH (p, node, &e->peers) {
		struct json *json;

		if (p->beside.overlay.sleeve) {
			add_way(list, &p->id, p->beside.overlay.reason);
		}
		if (!is_worth_it(e, p)) {
			continue;
		}
		json = json_object_create();
		jsonput_id(json, "id", &p->id);
		json_object_put_string(json, "name", p->name);
		jsonput_int(json, "incarnation", p->incarnation);
		jsonput_ip(json, "local", &p->tunnel.local);
		jsonput_ip(json, "remote", &p->tunnel.remote);
		jsonput_int(json, "udp_port", p->tunnel.udp_port);
		json_object_put(json, "endpoints", endpoints_json(&p->record));
		json_array_add(list, json);
	}
	return list;
}

void remember_write(struct engine *e)
{
	struct json *json;
	const char *check;
	struct op *op;
	char *text;

	if (e->remember_us == UINT64_MAX) {
		return;
	}
	e->remember_us = UINT64_MAX;
	e->remembered_us = e->now_us;
	json = json_object_create();
	jsonput_int(json, "version", REMEMBER_VERSION);
	jsonput_id(json, "host", &e->config.id);
	json_object_put(json, "peers", peers_json(e));
	persist_seal(json);
	check = jsonget_string(json, "check");
	if (strcmp(check, e->remembered_check) != 0) {
		copy_text(e->remembered_check, sizeof e->remembered_check,
			  check);
		text = json_to_string(json, JSSF_SORT);
		op = ops_add(e->ops, OP_REMEMBER);
		wbuf_bytes(&op->bytes, text, strlen(text));
		free(text);
		engine_expect(e, op, PENDING_REMEMBER);
	}
	json_destroy(json);
}

void remember_result(struct engine *e, const struct event *event)
{
	if (event->os_errno) {
		engine_log(e, OP_LOG_DBG, "cannot remember peers: %s",
			   event->result.detail);
		e->remembered_check[0] = '\0';
		remember_touch(e);
	}
}

void remember_timers(struct engine *e)
{
	if (e->now_us >= e->remember_us) {
		remember_write(e);
	} else {
		engine_wake(e, e->remember_us);
	}
}

/* ---- Reading ---- */

static bool get_ip(const struct json *json, const char *name,
		   struct ip_addr *ip)
{
	const char *text = jsonget_string(json, name);

	return text && !ip_addr_parse(text, ip) && ip_is_unicast(ip);
}

static bool get_endpoint(const struct json *json, struct binding *b)
{
	const struct json *ips = jsonget(json, "addresses");
	const char *mac = jsonget_string(json, "mac");
	int64_t vni;

	memset(b, 0, sizeof *b);
	if (!jsonget_integer(json, "network", 0, VNI_MAX, &vni) || !mac ||
	    mac_parse(mac, &b->mac) || jsonget_n(ips) > BINDING_MAX_IPS) {
		return false;
	}
	b->vni = (uint32_t)vni;
	for (size_t i = 0; i < jsonget_n(ips); i++) {
		const struct json *ip = jsonget_at(ips, i);

		if (ip->type != JSON_STRING ||
		    ip_addr_parse(json_string(ip), &b->ips[b->n_ips++])) {
			return false;
		}
	}
	return binding_is_valid(b);
}

static void get_record(const struct json *list, const struct identity *who,
		       struct record *r)
{
	record_init(r, &who->id, who->incarnation);
	for (size_t i = 0; i < jsonget_n(list); i++) {
		struct binding b;

		if (get_endpoint(jsonget_at(list, i), &b) &&
		    record_set(r, &b)) {
			break; /* There are too many. */
		}
	}
}

/* False if it is nobody whom we would believe to be that. */
static bool get_identity(const struct engine *e, const struct json *json,
			 struct identity *who)
{
	const char *id = jsonget_string(json, "id");
	const char *name = jsonget_string(json, "name");
	const struct pin *pin;
	int64_t incarnation;

	memset(who, 0, sizeof *who);
	if (!id || !name || peer_id_parse(id, &who->id) ||
	    !jsonget_integer(json, "incarnation", 0, INT64_MAX, &incarnation)) {
		return false;
	}
	copy_text(who->name, sizeof who->name, name);
	who->incarnation = (uint64_t)incarnation;
	pin = pin_find(e, &who->id);
	return pin && !strcmp(pin->name, name) &&
	       !peer_id_equal(&who->id, &e->config.id);
}

static void restore_way(struct engine *e, const struct json *json,
			enum reason reason)
{
	const char *id = jsonget_string(json, "id");
	struct way_before way = {.reason = reason};

	if (id && !peer_id_parse(id, &way.id)) {
		e->ways_before = xrealloc(e->ways_before,
					  (e->n_ways_before + 1) *
						  sizeof *e->ways_before);
		e->ways_before[e->n_ways_before++] = way;
	}
}

static void restore(struct engine *e, const struct json *json)
{
	const char *sleeve = jsonget_string(json, "sleeve");
	struct ip_addr local, remote;
	struct identity who;
	struct record record;
	struct peer *p;
	int64_t udp_port;

	if (sleeve && reason_find(sleeve)) {
		restore_way(e, json, reason_find(sleeve));
		return;
	}
	if (!get_identity(e, json, &who) || !get_ip(json, "local", &local) ||
	    !get_ip(json, "remote", &remote) ||
	    !jsonget_integer(json, "udp_port", 1, UINT16_MAX, &udp_port) ||
	    ip_is_v4(&local) != ip_is_v4(&remote) || peer_find(e, &who.id) ||
	    !tunnel_is_adopted(e, &local, &remote, (uint16_t)udp_port)) {
		return;
	}
	p = peer_remembered(e, &who);
	if (!p) {
		return;
	}
	tunnel_restore(e, p, &local, &remote, (uint16_t)udp_port);
	get_record(jsonget(json, "endpoints"), &who, &record);
	peer_set_record(e, p, &record);
	p->remembered = true;
	engine_log(e, OP_LOG_INFO,
		   "%s is served as before, with %zu endpoints, until it is "
		   "connected again",
		   p->name, p->record.n);
}

void remember_restore(struct engine *e)
{
	struct json *json;
	const char *host, *check;
	struct peer_id id;
	int64_t version;

	if (!e->remembered || !engine_encrypts(e)) {
		return;
	}
	json = json_from_string(e->remembered);
	free(e->remembered);
	e->remembered = NULL;
	host = jsonget_string(json, "host");
	check = jsonget_string(json, "check");
	if (check && host && !peer_id_parse(host, &id) &&
	    peer_id_equal(&id, &e->config.id) &&
	    jsonget_integer(json, "version", REMEMBER_VERSION, REMEMBER_VERSION,
			    &version)) {
		copy_text(e->remembered_check, sizeof e->remembered_check,
			  check);
		if (persist_is_intact(json)) {
			const struct json *list = jsonget(json, "peers");

			for (size_t i = 0; i < jsonget_n(list); i++) {
				restore(e, jsonget_at(list, i));
			}
		}
	}
	json_destroy(json);
}

enum reason remember_way(struct engine *e, const struct peer *p)
{
	for (size_t i = 0; i < n_ways(e); i++) {
		struct way_before *way = &e->ways_before[i];

		if (peer_id_equal(&way->id, &p->id)) {
			const enum reason reason = way->reason;

			*way = e->ways_before[--e->n_ways_before];
			return reason;
		}
	}
	return REASON_NONE;
}
