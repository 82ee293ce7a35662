/* The state file: what has to be known after a restart and cannot be read
 * from the kernel.  JSON:
 *
 *	{"version": 1,
 *	 "attachments": [an entry of `fdpctl ports --json`],
 *	 "targets": [{"address": of a host to dial, "discovered", "muted"}],
 *	 "pins": [{"name", "id", "key": the identity key, 64 digits}],
 *	 "check": the first 64 bits of SHA-256 over all but this, 16 digits}
 *
 * All but "version" may be missing: an older fdpd wrote it.
 *
 * What cannot be written is tried again every SAVE_RETRY_US.  Meanwhile all
 * goes on, only a restart would forget; status tells.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/jsonget.h"
#include "engine/request.h"
#include "engine/state.h"
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "util.h"

enum {
	STATE_VERSION = 1
};

/* ---- Reading ---- */

static void hex(const uint8_t *bytes, size_t n, char *to)
{
	for (size_t i = 0; i < n; i++) {
		snprintf(to + 2 * i, 3, "%02x", bytes[i]);
	}
}

/* Over the text that 'json', without its check, makes in any case. */
static void checksum(const struct json *json, char check[PERSIST_CHECK_STRLEN])
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	char *text = json_to_string(json, JSSF_SORT);

	crypto_hash_sha256(hash, (const uint8_t *)text, strlen(text));
	hex(hash, (PERSIST_CHECK_STRLEN - 1) / 2, check);
	free(text);
}

bool persist_is_intact(struct json *json)
{
	struct json *found =
		json->type == JSON_OBJECT
			? shash_find_and_delete(json_object(json), "check")
			: NULL;
	char check[PERSIST_CHECK_STRLEN];
	bool intact = true;

	if (found) {
		checksum(json, check);
		intact = found->type == JSON_STRING &&
			 !strcmp(json_string(found), check);
		json_destroy(found);
	}
	return intact;
}

void persist_seal(struct json *json)
{
	char check[PERSIST_CHECK_STRLEN];

	checksum(json, check);
	json_object_put_string(json, "check", check);
}

static bool load_pin(const struct json *json, struct pin *pin)
{
	const char *name = jsonget_string(json, "name");
	const char *id = jsonget_string(json, "id");
	const char *key = jsonget_string(json, "key");
	const char *end;
	size_t size;

	memset(pin, 0, sizeof *pin);
	if (!name || !identity_name_is_valid(name) || !id ||
	    peer_id_parse(id, &pin->id) || peer_id_is_zero(&pin->id) || !key ||
	    sodium_hex2bin(pin->key.b, sizeof pin->key.b, key, strlen(key),
			   NULL, &size, &end) ||
	    *end || size != sizeof pin->key.b) {
		return false;
	}
	copy_text(pin->name, sizeof pin->name, name);
	return true;
}

static bool load_pins(struct engine *e, const struct json *list, char *why,
		      size_t size)
{
	for (size_t i = 0; i < jsonget_n(list); i++) {
		struct pin pin;

		if (!load_pin(jsonget_at(list, i), &pin)) {
			snprintf(why, size,
				 "an entry of \"pins\" is no identity key");
			return false;
		}
		if (e && !pin_add(e, &pin)) {
			break;
		}
	}
	return true;
}

/* What the configuration says counts more.  What cannot be dialled, or is too
 * much, is left out: the rest of the file is worth more than that. */
static void take_target(struct engine *e, const struct ip_endpoint *at,
			bool hinted, bool muted)
{
	struct target *t;

	if (target_find(e, at) || !ip_is_unicast(&at->ip) ||
	    target_count(e) >= ENGINE_MAX_TARGETS ||
	    (hinted && !muted && !e->config.discover)) {
		return;
	}
	t = target_add(e, at);
	t->saved = true;
	t->hinted = hinted || muted;
	t->muted = muted;
	t->heard_us = e->now_us;
}

static bool load_targets(struct engine *e, const struct json *list, char *why,
			 size_t size)
{
	for (size_t i = 0; i < jsonget_n(list); i++) {
		const struct json *json = jsonget_at(list, i);
		const char *text = jsonget_string(json, "address");
		struct ip_endpoint at;

		if (!text || endpoint_parse(text, 0, &at) || !at.port) {
			snprintf(why, size,
				 "an entry of \"targets\" is no address");
			return false;
		}
		if (e) {
			take_target(e, &at, jsonget_true(json, "discovered"),
				    jsonget_true(json, "muted"));
		}
	}
	return true;
}

static bool load_ports(const struct json *list, struct port **found, char *why,
		       size_t size)
{
	struct port **end = found;

	for (size_t i = 0; i < jsonget_n(list); i++) {
		struct port *port = xzalloc(sizeof *port);

		if (!request_port(jsonget_at(list, i), port, why, size)) {
			free(port);
			return false;
		}
		*end = port;
		end = &port->next;
	}
	return true;
}

/* Into 'found' and 'e', which may be NULL; nothing is left out. */
static bool load(struct engine *e, const char *text, struct port **found,
		 char *why, size_t size)
{
	struct json *json = json_from_string(text);
	int64_t version;
	bool ok = false;

	if (json->type == JSON_STRING) {
		/* A syntax error, in words. */
		snprintf(why, size, "%s", json_string(json));
	} else if (!persist_is_intact(json)) {
		snprintf(why, size, "its check does not fit");
	} else if (!jsonget_integer(json, "version", STATE_VERSION,
				    STATE_VERSION, &version)) {
		snprintf(why, size, "it is not of version %d", STATE_VERSION);
	} else {
		ok = load_ports(jsonget(json, "attachments"), found, why,
				size) &&
		     load_pins(e, jsonget(json, "pins"), why, size) &&
		     load_targets(e, jsonget(json, "targets"), why, size);
	}
	json_destroy(json);
	return ok;
}

bool engine_state_is_valid(const char *text, char *why, size_t size)
{
	struct port *found = NULL;
	bool valid = load(NULL, text, &found, why, size);

	while (found) {
		struct port *port = found;

		found = port->next;
		free(port);
	}
	return valid;
}

bool persist_load(struct engine *e, struct port **found, char *why, size_t size)
{
	return !e->saved_state || load(e, e->saved_state, found, why, size);
}

/* ---- Writing ---- */

static struct json *pins_json(const struct engine *e)
{
	struct json *list = json_array_create_empty();

	for (size_t i = 0; i < e->n_pins; i++) {
		const struct pin *pin = &e->pins[i];
		char key[2 * SIGN_KEY_BYTES + 1], id[PEER_ID_STRLEN];
		struct json *json = json_object_create();

		hex(pin->key.b, sizeof pin->key.b, key);
		json_object_put_string(json, "name", pin->name);
		json_object_put_string(json, "id",
				       peer_id_format(&pin->id, id));
		json_object_put_string(json, "key", key);
		json_array_add(list, json);
	}
	return list;
}

static struct json *targets_json(const struct engine *e)
{
	struct json *list = json_array_create_empty();

	for (const struct target *t = e->targets; t; t = t->next) {
		struct json *json;
		char text[ENDPOINT_STRLEN];

		if (!t->saved) {
			continue;
		}
		json = json_object_create();
		json_object_put_string(json, "address",
				       endpoint_format(&t->remote, text));
		json_object_put(json, "discovered",
				json_boolean_create(t->hinted));
		json_object_put(json, "muted", json_boolean_create(t->muted));
		json_array_add(list, json);
	}
	return list;
}

void persist_save(struct engine *e)
{
	struct json *json = json_object_create();
	struct json *list = json_array_create_empty();
	struct op *op;
	char *text;

	for (const struct port *p = e->ports; p; p = p->next) {
		json_array_add(list, attach_port_json(e, p));
	}
	json_object_put(json, "version", json_integer_create(STATE_VERSION));
	json_object_put(json, "attachments", list);
	json_object_put(json, "targets", targets_json(e));
	json_object_put(json, "pins", pins_json(e));
	persist_seal(json);
	text = json_to_string(json, JSSF_SORT | JSSF_PRETTY);
	json_destroy(json);
	op = ops_add(e->ops, OP_SAVE);
	wbuf_bytes(&op->bytes, text, strlen(text));
	free(text);
	engine_expect(e, op, PENDING_SAVE);
	e->save_us = UINT64_MAX;
}

static void save_in(struct engine *e, uint64_t delay_us)
{
	e->save_us = MIN(e->save_us, e->now_us + delay_us);
	engine_wake(e, e->save_us);
}

void persist_save_soon(struct engine *e)
{
	save_in(e, SAVE_SOON_US);
}

static void tell(struct engine *e)
{
	engine_log(e, OP_LOG_ERR,
		   "%s; fdpd goes on and tries again, but attachments and "
		   "identity keys of peers would be lost at a restart%s",
		   e->state_error,
		   e->config.key_unsaved
			   ? ", and it shows no identity key of its own"
			   : "");
}

void persist_start(struct engine *e)
{
	if (*e->state_error) {
		tell(e);
		engine_wake(e, e->save_us);
	}
}

void persist_result(struct engine *e, const struct event *event)
{
	const char *detail = event->result.detail;

	if (!event->os_errno) {
		if (*e->state_error) {
			engine_log(e, OP_LOG_INFO,
				   "the state is on disk again");
		}
		*e->state_error = '\0';
		e->config.key_unsaved = false;
		return;
	}
	if (!*e->state_error || strcmp(e->state_error, detail)) {
		copy_text(e->state_error, sizeof e->state_error, detail);
		tell(e);
	}
	save_in(e, SAVE_RETRY_US);
}

void persist_timers(struct engine *e)
{
	if (e->now_us >= e->save_us) {
		persist_save(e);
	} else {
		engine_wake(e, e->save_us);
	}
}
