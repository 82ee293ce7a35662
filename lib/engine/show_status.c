/* `status`: the state of this host, and whether it is as it should be. */
#include <stdarg.h>
#include <string.h>

#include "base/jsonput.h"
#include "control/control.h"
#include "engine/show.h"
#include "engine/state.h"
#include "openvswitch/json.h"
#include "util.h"

struct census {
	unsigned int states[N_SHOWN_STATES];
	unsigned int n_bad;  /* We dial, and are not connected. */
	unsigned int n_down; /* Established, but no tunnel. */
	unsigned int n_sick; /* There is one, and something is wrong with it. */
	char sick[IDENTITY_NAME_SIZE]; /* One of those. */
};

static void count_row(const struct engine *e, const struct show_row *row,
		      void *aux)
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
	    !(row->conn->peer && way_is_usable(row->conn->peer))) {
		census->n_down++;
	} else if (row->state == SHOWN_ESTABLISHED && row->reason &&
		   row->reason != REASON_KEYING) {
		census->n_sick++;
		copy_text(census->sick, sizeof census->sick,
			  row->conn->peer->name);
	}
}

static struct json *drops_json(const struct engine *e)
{
	struct json *json = json_object_create();

	for (unsigned int i = 1; i < N_REASONS; i++) {
		if (e->drops[i]) {
			jsonput_int(json, reason_slug((enum reason)i),
				    e->drops[i]);
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

/* Is there a datapath, with a tunnel port? */
static bool judge_ground(const struct engine *e, struct json *why)
{
	const struct footing *f =
		e->datapath.there ? &e->tunnel_footing : &e->datapath;

	if (f->there && !*f->trouble) {
		return true;
	}
	add_reason(why, "%s %s is not as it should be: %s",
		   f == &e->datapath ? "the datapath" : "the tunnel port",
		   f->name,
		   *f->trouble ? f->trouble : "it is being made again");
	return false;
}

static bool judge_ports(const struct engine *e, struct json *why)
{
	unsigned int n = 0;

	for (const struct port *p = e->ports; p; p = p->next) {
		n += !p->footing.there || p->footing.wrong;
	}
	if (n) {
		add_reason(why,
			   "%u attached interface%s out of service: see "
			   "`fdpctl ports`",
			   n, n == 1 ? " is" : "s are");
	}
	return !n;
}

/* "healthy", "degraded" or "down", and in 'why' what is not as it should be. */
static const char *judge(const struct engine *e, const struct census *census,
			 struct json *why)
{
	const struct flow_table_losses losses = flow_table_losses(e->flows);
	const size_t n_duplicates = peers_n_duplicates(e);
	const char *verdict = "healthy";

	if (!judge_ground(e, why)) {
		return "down";
	}
	if (!judge_ports(e, why)) {
		verdict = "degraded";
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
	if (census->n_sick == 1) {
		add_reason(why,
			   "something is wrong with the way to %s: see "
			   "`fdpctl why %s`",
			   census->sick, census->sick);
		verdict = "degraded";
	} else if (census->n_sick) {
		add_reason(why,
			   "something is wrong with the ways to %u peers: see "
			   "`fdpctl status connections`",
			   census->n_sick);
		verdict = "degraded";
	}
	if (n_duplicates) {
		add_reason(why,
			   "DUPLICATE: %zu endpoint%s of other hosts ha%s an "
			   "address that was taken before: `fdpctl peers` "
			   "shows which, detach one of each two",
			   n_duplicates, n_duplicates == 1 ? "" : "s",
			   n_duplicates == 1 ? "s" : "ve");
		verdict = "degraded";
	}
	if (!judge_identities(e, why)) {
		verdict = "degraded";
	}
	/* At a restart it may still be on its way. */
	if (engine_encrypts(e) && !e->user && !e->guard &&
	    !(e->guard_busy && !*e->guard_detail)) {
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
	jsonput_int(json, "local", e->record.n);
	jsonput_int(json, "remote", remote);
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
	jsonput_int(json, "accepted", e->config.n_slots);
	jsonput_int(json, "first", n_first);
	json_object_put(json, "second", second);
	json_object_put(json, "removed", removed);
	jsonput_int(json, "absent", n_absent);
	return json;
}

/* With whom it is not encrypted although there is a password. */
static struct json *plain_json(const struct engine *e)
{
	struct json *list = json_array_create_empty();
	const struct peer *p;

	HMAP_FOR_EACH (p, node, &e->peers) {
		if (plain_is_on(&p->tunnel)) {
			json_array_add(list, json_string_create(p->name));
		}
	}
	return list;
}

/* What a restart would not find. */
static struct json *state_json(const struct engine *e)
{
	struct json *json = json_object_create();

	jsonput_bool(json, "written", !*e->state_error);
	json_object_put_string(json, "error", e->state_error);
	json_object_put_string(json, "damaged", e->state_damaged);
	return json;
}

/* Ours, for people to compare; "" if it is not used. */
static void put_own_key(const struct engine *e, struct json *json)
{
	char fingerprint[SIGN_FINGERPRINT_STRLEN] = "";

	if (engine_encrypts(e) && e->config.has_key && !e->config.key_unsaved) {
		sign_fingerprint(&e->key.key, fingerprint);
	}
	json_object_put_string(json, "identity_key", fingerprint);
}

/* Whose packets were lost as they came up faster than they were served. */
static struct json *losers_json(const struct engine *e)
{
	struct json *list = json_array_create_empty();

	for (const struct port *p = e->ports; p; p = p->next) {
		if (p->load.lost) {
			struct json *json = json_object_create();

			json_object_put_string(json, "host_ifname",
					       p->host_ifname);
			json_object_put_string(json, "ifname", p->ifname);
			json_object_put_string(json, "netns", p->netns);
			jsonput_int(json, "lost", p->load.lost);
			json_array_add(list, json);
		}
	}
	return list;
}

static struct json *sleeve_json(const struct engine *e)
{
	struct json *json = json_object_create();

	json_object_put_string(json, "setting",
			       overlay_setting_name(e->config.overlay));
	json_object_put_string(json, "state",
			       e->has_sleeve			     ? "up"
			       : e->config.overlay == OVERLAY_FASTDP ? "off"
								     : "down");
	json_object_put_string(json, "detail", e->no_sleeve_detail);
	jsonput_int(json, "port", e->sleeve_port);
	return json;
}

void show_status(struct engine *e, uint32_t command)
{
	const struct flow_table_losses losses = flow_table_losses(e->flows);
	struct json *json = json_object_create();
	struct json *states = json_object_create();
	struct json *why = json_array_create_empty();
	struct json *sub;
	struct census census;

	memset(&census, 0, sizeof census);
	show_each_row(e, count_row, &census);
	for (unsigned int i = 0; i < N_SHOWN_STATES; i++) {
		jsonput_int(states, show_state_name((enum shown_state)i),
			    census.states[i]);
	}
	json_object_put_string(json, "version", e->config.version);
	json_object_put_string(json, "name", e->config.name);
	jsonput_id(json, "id", &e->config.id);
	jsonput_int(json, "uptime", show_age_s(e, e->started_us));
	json_object_put_string(json, "encryption",
			       !engine_encrypts(e) ? "none"
			       : !e->user	   ? "aes-256-gcm esp"
			       : e->sleeve_aes	   ? "aes-256-gcm sleeve"
					       : "xsalsa20-poly1305 sleeve");
	json_object_put(json, "plain", plain_json(e));
	json_object_put_string(json, "guard", guard_kind_name(e->guard));
	if (engine_encrypts(e)) {
		json_object_put(json, "password", password_json(e));
	}
	put_own_key(e, json);
	json_object_put(json, "state", state_json(e));
	jsonput_int(json, "control_port", e->config.port);
	jsonput_int(json, "vxlan_port", e->config.vxlan_port);
	json_object_put(json, "sleeve", sleeve_json(e));
	sub = json_object_create();
	json_object_put_string(sub, "kind", e->user ? "user" : "kernel");
	json_object_put_string(sub, "reason", reason_slug(e->no_fastdp));
	json_object_put_string(sub, "detail",
			       *e->no_fastdp_detail
				       ? e->no_fastdp_detail
				       : reason_text(e->no_fastdp));
	json_object_put_string(sub, "name", e->config.datapath);
	json_object_put_string(sub, "state",
			       e->tunnel_port == UINT32_MAX ? "down" : "up");
	json_object_put(json, "datapath", sub);
	jsonput_int(json, "ports", e->record.n);
	jsonput_int(json, "peers", hmap_count(&e->peers));
	json_object_put(json, "connections", states);
	json_object_put(json, "endpoints", endpoints_json(e));
	sub = json_object_create();
	jsonput_int(sub, "installed", flow_table_n(e->flows));
	jsonput_int(sub, "ahead", flow_table_n_ahead(e->flows));
	jsonput_int(sub, "ahead_max", e->user ? 0 : e->config.flows_ahead);
	json_object_put(sub, "ahead_left_out",
			json_boolean_create(e->ahead.left_out));
	jsonput_int(sub, "refused", losses.refused);
	jsonput_int(sub, "evicted", losses.evicted);
	json_object_put(json, "flows", sub);
	sub = json_object_create();
	jsonput_int(sub, "handled", e->upcalls);
	jsonput_int(sub, "lost", e->upcalls_lost);
	jsonput_int(sub, "features_restored", e->features_restored);
	json_object_put(sub, "lost_by", losers_json(e));
	json_object_put(json, "upcalls", sub);
	json_object_put(json, "drops", drops_json(e));
	json_object_put_string(json, "verdict", judge(e, &census, why));
	json_object_put(json, "reasons", why);
	command_reply(e, command, json);
}
