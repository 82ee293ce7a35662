/* Hosts: their daemons, what operators ask them, their containers. */
#include "fake/world_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/jsonget.h"
#include "openvswitch/json.h"
#include "util.h"

/* ---- Who may be plain ---- */

static bool trusts(const struct host *h, const struct ip_addr *ip)
{
	for (size_t i = 0; i < h->n_trusts_now; i++) {
		if (prefix_contains(&h->trusts[i], ip)) {
			return true;
		}
	}
	return false;
}

/* Each host has to name the address of the other one.  What is without a daemon
 * goes on as it was agreed: it cannot know what the other one says since. */
static bool kernel_may_be_plain(void *h_, const struct ip_addr *a,
				const struct ip_addr *b)
{
	const struct host *h = h_;
	const struct host *ha = world_host_at(h->world, a),
			  *hb = world_host_at(h->world, b);
	const struct host *other = ha == h ? hb : ha;

	if (!ha || !hb) {
		return false;
	}
	if (!h->engine && other != h) {
		return trusts(h, other == ha ? a : b) &&
		       h->was_trusted[other->index];
	}
	return trusts(ha, b) && trusts(hb, a);
}

/* Its daemon is about to die.  If that has not closed yet what the one before
 * had opened, what that one knew counts, too. */
static void note_trust(struct host *h)
{
	for (unsigned int i = 0; i < h->world->n_hosts; i++) {
		const struct host *other = h->world->hosts[i];

		h->was_trusted[i] = trusts(other, &h->v4) ||
				    trusts(other, &h->v6) ||
				    (h->n_trusted_before && h->was_trusted[i]);
	}
}

/* ---- Daemons ---- */

void host_set_password(struct host *h, size_t slot, const char *password)
{
	struct hs_slot *s = &h->slots[slot];

	/* Stretching is for people's passwords; these only have to differ. */
	crypto_generichash(s->prs.b, sizeof s->prs.b, (const uint8_t *)password,
			   strlen(password), NULL, 0);
	crypto_generichash(s->psk.b, sizeof s->psk.b, s->prs.b, sizeof s->prs.b,
			   NULL, 0);
	h->n_slots = MAX(h->n_slots, slot + 1);
	h->kernel.guarded = true;
}

static unsigned int some_lanes(uint64_t seed, unsigned int index)
{
	static const unsigned int some[] = {4, 1, 3, 16, 2, 5};

	switch (seed % 3) {
	case 0:
		return 1;
	case 1:
		return 4;
	default:
		return some[(seed / 3 + index) % ARRAY_SIZE(some)];
	}
}

void host_new_key(struct host *h)
{
	rng_fill(&h->world->rng, &h->key, sizeof h->key);
	h->has_key = true;
}

struct host *world_add_host(struct world *w, const char *name,
			    const char *password)
{
	struct host *h = xzalloc(sizeof *h);
	uint8_t n = (uint8_t)(w->n_hosts + 1);
	const uint8_t v4[4] = {192, 0, 2, n};
	const uint8_t v6[16] = {0x20, 1, 0xd, 0xb8, [15] = n};

	ovs_assert(w->n_hosts < WORLD_MAX_HOSTS);
	h->world = w;
	h->index = (unsigned int)w->n_hosts;
	w->hosts[w->n_hosts++] = h;
	snprintf(h->name, sizeof h->name, "%s", name);
	rng_fill(&w->rng, &h->id, sizeof h->id);
	host_new_key(h);
	h->v4 = ip_from_v4(v4);
	h->v6 = ip_from_v6(v6);
	h->sas_per_peer = some_lanes(w->seed, h->index);
	world_give_kernel(h);
	h->kernel.may_be_plain = kernel_may_be_plain;
	if (password) {
		host_set_password(h, 0, password);
	}
	return h;
}

void host_give_sleeve(struct host *h, bool ovs, bool aes)
{
	h->kernel.has_sleeve = true;
	h->kernel.no_ovs = !ovs;
	h->kernel.sleeve_aes = aes;
	h->kernel.sleeve_port = WORLD_PORT;
}

void host_add_target(struct host *h, const struct ip_addr *ip)
{
	struct ip_endpoint *e = &h->targets[h->n_targets++];

	ovs_assert(h->n_targets <= WORLD_MAX_HOSTS);
	e->ip = *ip;
	e->port = WORLD_PORT;
}

static void tell_addresses(struct host *h)
{
	const struct ip_addr v[] = {h->v4, h->v6};
	struct event event = {.type = EVENT_ADDRESSES};

	if (h->engine) {
		event.addresses.v = v;
		event.addresses.n = sizeof v / sizeof v[0];
		world_step(h, &event);
	}
}

void host_readdress(struct host *h, uint8_t n)
{
	world_note(h->world, "-- %s has other addresses", h->name);
	h->v4.b[15] = h->v6.b[15] = n;
	tell_addresses(h);
}

void host_start(struct host *h)
{
	struct world *w = h->world;
	struct engine_config config;
	struct kernel_snapshot snapshot;
	struct event event = {.type = EVENT_START};

	ovs_assert(!h->engine);
	memset(&config, 0, sizeof config);
	snprintf(config.name, sizeof config.name, "%s", h->name);
	config.id = h->id;
	config.incarnation =
		w->now_us - MIN(w->now_us, h->late_us) + h->life + 1;
	config.version = "0";
	memcpy(config.slots, h->slots, sizeof config.slots);
	config.n_slots = h->n_slots;
	h->awaits_password = h->n_slots && h->password_us;
	if (h->awaits_password) {
		memset(config.slots, 0, sizeof config.slots);
		config.n_slots = 0;
		config.encrypt = true;
	}
	config.sas_per_peer = h->sas_per_peer;
	config.flows_ahead = h->flows_ahead;
	config.port = WORLD_PORT;
	config.vxlan_port = WORLD_PORT + 1;
	snprintf(config.datapath, sizeof config.datapath, "fdp");
	config.targets = h->targets;
	config.n_targets = h->n_targets;
	config.discover = h->discovers;
	config.conn_limit = h->conn_limit;
	config.overlay = h->overlay;
	config.no_aes_gcm = h->no_aes_gcm;
	h->n_trusted_before = MAX(h->n_trusted_before, h->n_trusts_now);
	config.n_trusted = h->n_trusts_now = h->n_trusts;
	memcpy(config.trusted, h->trusts, sizeof h->trusts);
	config.n_advertised = !ip_is_zero(&h->advertises.ip);
	config.advertised[0] = h->advertises;
	config.state = h->state;
	config.remembered = h->peers;
	config.key = h->key;
	config.has_key = h->has_key;
	config.key_unsaved = h->kernel.disk_error != 0;
	config.state_error = h->kernel.disk_error
				     ? ovs_strerror(h->kernel.disk_error)
				     : NULL;
	world_note(w, "-- %s starts", h->name);
	h->life++;
	h->next_accept = 2;
	h->results_us = w->now_us;
	free(h->fatal);
	h->fatal = NULL;
	h->n_warnings = h->n_sessions = h->n_alarms = 0;
	h->engine = engine_new(&config);
	fake_kernel_snapshot(&h->kernel, &snapshot);
	event.start.snapshot = &snapshot;
	if (h->awaits_password) {
		world_later(w, w->now_us + h->password_us, OCCUR_PASSWORDS, h);
	}
	world_step(h, &event);
	tell_addresses(h);
}

bool host_is_running(const struct host *h)
{
	return h->engine && engine_is_running(h->engine);
}

void host_start_well(struct host *h)
{
	host_start(h);
	world_run(h->world, 20 * MS);
	if (!host_is_running(h)) {
		world_fail(h->world, "%s does not start: %s", h->name,
			   h->fatal ? h->fatal : "no reason");
	}
}

/* The process is gone; its kernel closes what it had open. */
static void bury(struct host *h, bool silently)
{
	if (!h->engine) {
		return;
	}
	note_trust(h);
	h->n_trusts_now = MAX(h->n_trusts_now, h->n_trusted_before);
	engine_free(h->engine);
	h->engine = NULL;
	fake_kernel_orphan(&h->kernel);
	world_orphan_streams(h, silently);
}

void host_kill(struct host *h)
{
	world_note(h->world, "-- %s dies", h->name);
	bury(h, false);
}

void host_die_after(struct host *h, unsigned int n)
{
	h->die_after = n;
}

void host_stop(struct host *h)
{
	struct event event = {.type = EVENT_STOP};

	world_note(h->world, "-- %s stops", h->name);
	world_step(h, &event);
	bury(h, false);
}

void host_crash(struct host *h)
{
	world_note(h->world, "-- %s loses power", h->name);
	bury(h, true);
	fake_kernel_done(&h->kernel);
	h->kernel.n_sas = 0;
	h->kernel.n_policies = 0;
	h->kernel.guard = false;
	h->kernel.n_links = 0;
	h->kernel.disturbed = h->kernel.robbed = false;
	for (size_t i = 0; i < h->n_endpoints; i++) {
		endpoint_free(h->endpoints[i]);
	}
	h->n_endpoints = 0;
}

/* ---- Commands ---- */

static bool has_replied(void *aux)
{
	const struct host *h = aux;

	return h->replied || !h->engine;
}

struct json *host_command(struct host *h, const char *name, const char *args)
{
	struct json *json = args ? json_from_string(args) : NULL;
	struct event event = {.type = EVENT_COMMAND};

	if (json && json->type == JSON_STRING) {
		world_fail(h->world, "%s: %s", args, json_string(json));
	}
	event.command.id = h->world->next_command++;
	event.command.name = name;
	event.command.args = json;
	h->replied = h->reply_ok = false;
	if (h->engine) {
		world_step(h, &event);
	}
	json_destroy(json);
	if (!world_run_until(h->world, has_replied, h, 10 * SEC)) {
		world_fail(h->world, "%s does not answer %s", h->name, name);
	}
	if (!h->replied) {
		free(h->reply);
		h->reply = xstrdup("it is dead");
	}
	if (!h->reply_ok) {
		return NULL;
	}
	json = json_from_string(h->reply);
	if (json->type != JSON_OBJECT) {
		world_fail(h->world, "%s: %s", name, h->reply);
	}
	return json;
}

void host_tell(struct host *h, const char *name)
{
	struct event event = {.type = EVENT_COMMAND};

	event.command.id = h->world->next_command++;
	event.command.name = name;
	world_step(h, &event);
}

struct json *host_reload(struct host *h, const char *first, const char *second)
{
	struct event event = {.type = EVENT_PASSWORDS};

	world_note(h->world, "-- %s reads %s, %s", h->name, first,
		   second ? second : "-");
	h->n_slots = 0;
	host_set_password(h, 0, first);
	if (second) {
		host_set_password(h, 1, second);
	}
	event.passwords.slots = h->slots;
	event.passwords.n = h->n_slots;
	event.passwords.command = h->world->next_command++;
	h->replied = false;
	world_step(h, &event);
	return h->reply_ok ? json_from_string(h->reply) : NULL;
}

struct json *host_ask(struct host *h, const char *name, const char *args)
{
	struct json *json = host_command(h, name, args);

	if (!json) {
		world_fail(h->world, "%s refuses %s: %s", h->name, name,
			   h->reply);
	}
	return json;
}

/* By whatever is the best that both have. */
static const char *best_overlay(const struct host *a, const struct host *b)
{
	const struct host *both[] = {a, b};

	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		if (both[i]->kernel.user) {
			return "sleeve";
		}
	}
	return "fastdp";
}

static bool is_connected(struct host *a, const struct host *b,
			 const char *overlay)
{
	struct json *json = host_ask(a, "connections", NULL);
	const struct json *list = jsonget(json, "connections");
	bool up = false;

	for (size_t i = 0; i < jsonget_n(list); i++) {
		const struct json *row = jsonget_at(list, i);

		up |= !strcmp(jsonget_string(row, "name"), b->name) &&
		      !strcmp(jsonget_string(row, "state"), "established") &&
		      !strcmp(jsonget_string(row, "overlay"), overlay) &&
		      !strcmp(jsonget_string(row, "reason"), "");
	}
	json_destroy(json);
	return up;
}

bool host_is_connected(struct host *a, const struct host *b)
{
	return is_connected(a, b, best_overlay(a, b));
}

const char *host_overlay(struct host *a, const struct host *b)
{
	return is_connected(a, b, "fastdp")   ? "fastdp"
	       : is_connected(a, b, "sleeve") ? "sleeve"
					      : "";
}

static bool all_connected(void *aux)
{
	struct world *w = aux;

	for (size_t i = 0; i < w->n_hosts; i++) {
		for (size_t j = 0; j < w->n_hosts; j++) {
			if (i != j && w->hosts[i]->engine &&
			    w->hosts[j]->engine &&
			    !host_is_connected(w->hosts[i], w->hosts[j])) {
				return false;
			}
		}
	}
	return true;
}

bool world_connect(struct world *w, uint64_t timeout_us)
{
	return world_run_until(w, all_connected, w, timeout_us);
}

/* ---- Containers ---- */

static void add_addresses(struct endpoint *e, const struct json *list)
{
	for (size_t i = 0; i < jsonget_n(list); i++) {
		struct ip_prefix prefix;

		if (prefix_parse(json_string(jsonget_at(list, i)), &prefix)) {
			world_fail(e->host->world, "bad address in a reply");
		}
		endpoint_add_ip(e, &prefix.ip);
	}
}

struct endpoint *host_attach(struct host *h, const char *netns,
			     const char *addresses, const char *mac)
{
	char *args = xasprintf("{\"netns\": \"%s\", \"addresses\": %s%s%s%s}",
			       netns, addresses, mac ? ", \"mac\": \"" : "",
			       mac ? mac : "", mac ? "\"" : "");
	struct json *json = host_command(h, "attach-check", args);
	struct endpoint *e = NULL;
	struct mac address;
	char link[ODP_NAME_SIZE];
	int64_t mtu;

	free(args);
	if (!json) {
		return NULL;
	}
	if (mac_parse(jsonget_string(json, "mac"), &address) ||
	    !jsonget_integer(json, "mtu", 1, 65535, &mtu)) {
		world_fail(h->world, "attach-check: %s", h->reply);
	}
	fake_kernel_add_link(&h->kernel, jsonget_string(json, "host_ifname"),
			     (uint32_t)mtu);
	snprintf(link, sizeof link, "%s", jsonget_string(json, "host_ifname"));
	args = json_to_string(json, 0);
	json_destroy(json);
	json = host_command(h, "attach", args);
	free(args);
	if (!json) {
		if (!h->engine) {
			fake_kernel_lose_port(&h->kernel, link);
		}
		return NULL;
	}
	ovs_assert(h->n_endpoints < WORLD_MAX_ENDPOINTS);
	e = endpoint_new(h, jsonget_string(json, "host_ifname"), netns,
			 &address);
	add_addresses(e, jsonget(json, "addresses"));
	h->endpoints[h->n_endpoints++] = e;
	json_destroy(json);
	return e;
}

static void drop_endpoint(struct endpoint *e)
{
	struct host *h = e->host;

	for (size_t i = 0; i < h->n_endpoints; i++) {
		if (h->endpoints[i] == e) {
			h->endpoints[i] = h->endpoints[--h->n_endpoints];
			break;
		}
	}
	endpoint_free(e);
}

void host_detach(struct endpoint *e)
{
	struct host *h = e->host;
	char *args = xasprintf("{\"netns\": \"%s\"}", e->netns);
	struct json *json = host_command(h, "detach", args);

	free(args);
	if (!json && h->engine) {
		world_fail(h->world, "%s refuses detach: %s", h->name,
			   h->reply);
	}
	if (!json) {
		host_lose_port(e);
		return;
	}
	json_destroy(json);
	drop_endpoint(e);
}

void host_lose_port(struct endpoint *e)
{
	fake_kernel_lose_port(&e->host->kernel, e->link);
	drop_endpoint(e);
}

void host_net_changed(struct host *h)
{
	fake_kernel_net_changed(&h->kernel);
}

struct awaited_pong {
	const struct endpoint *endpoint;
	uint16_t seq;
};

static bool has_pong(void *aux)
{
	const struct awaited_pong *p = aux;

	return endpoint_got_pong(p->endpoint, p->seq);
}

bool endpoint_reaches_with(struct endpoint *e, const struct ip_addr *ip,
			   size_t size, unsigned int n)
{
	while (n--) {
		struct awaited_pong p = {.endpoint = e,
					 .seq = endpoint_ping(e, ip, size)};

		if (world_run_until(e->host->world, has_pong, &p, 200 * MS)) {
			return true;
		}
	}
	return false;
}

bool endpoint_reaches(struct endpoint *e, const struct ip_addr *ip)
{
	return endpoint_reaches_with(e, ip, 84, 20);
}
