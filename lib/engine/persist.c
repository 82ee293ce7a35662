/* The state file: what has to be known after a restart and cannot be read
 * from the kernel.  JSON:
 *
 *	{"version": 1, "attachments": [an entry of `fdpctl ports --json`]}
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonget.h"
#include "engine/request.h"
#include "engine/state.h"
#include "openvswitch/json.h"
#include "util.h"

enum {
	STATE_VERSION = 1
};

static bool load(const struct json *json, struct port **found, char *why,
		 size_t size)
{
	const struct json *list = jsonget(json, "attachments");
	struct port **end = found;
	int64_t version;

	if (!jsonget_integer(json, "version", STATE_VERSION, STATE_VERSION,
			     &version)) {
		snprintf(why, size, "it is not of version %d", STATE_VERSION);
		return false;
	}
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

bool persist_load(struct engine *e, struct port **found, char *why, size_t size)
{
	struct json *json;
	bool ok;

	if (!e->saved_state) {
		return true;
	}
	json = json_from_string(e->saved_state);
	if (json->type == JSON_STRING) {
		/* A syntax error, in words. */
		snprintf(why, size, "%s", json_string(json));
		ok = false;
	} else {
		ok = load(json, found, why, size);
	}
	json_destroy(json);
	return ok;
}

void persist_save(struct engine *e)
{
	struct json *json = json_object_create();
	struct json *list = json_array_create_empty();
	struct op *op;
	char *text;

	for (const struct port *p = e->ports; p; p = p->next) {
		json_array_add(list, command_port_json(e, p));
	}
	json_object_put(json, "version", json_integer_create(STATE_VERSION));
	json_object_put(json, "attachments", list);
	text = json_to_string(json, JSSF_SORT | JSSF_PRETTY);
	json_destroy(json);
	op = ops_add(e->ops, OP_SAVE);
	wbuf_init(&op->bytes, 0);
	wbuf_bytes(&op->bytes, text, strlen(text));
	free(text);
}
