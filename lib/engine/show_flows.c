/* `flows`: those of a datapath in this process, which nobody else can read.
 * Key, mask and actions are attributes as a kernel would give them, so whoever
 * shows them need not know the difference; their statistics are those of the
 * last look (FLOW_DUMP_US). */
#include <stdio.h>

#include "base/jsonput.h"
#include "engine/show.h"
#include "engine/state.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"

static void put_hex(struct json *json, const char *key, const uint8_t *bytes,
		    size_t size)
{
	struct ds ds = DS_EMPTY_INITIALIZER;

	for (size_t i = 0; i < size; i++) {
		ds_put_format(&ds, "%02x", bytes[i]);
	}
	json_object_put_string(json, key, ds_cstr(&ds));
	ds_destroy(&ds);
}

struct walk {
	const struct engine *e;
	struct json *list;
	struct wbuf attrs; /* Reused from flow to flow. */
};

static void add_flow(const struct flow_entry *f, void *walk_)
{
	struct walk *w = walk_;
	struct json *json = json_object_create();

	put_hex(json, "ufid", f->ufid.b, sizeof f->ufid.b);
	wbuf_clear(&w->attrs);
	odp_put_masked_key_attrs(&w->attrs, &f->key, &f->mask);
	put_hex(json, "key", w->attrs.data, w->attrs.size);
	wbuf_clear(&w->attrs);
	odp_put_mask_attrs(&w->attrs, &f->key, &f->mask);
	put_hex(json, "mask", w->attrs.data, w->attrs.size);
	wbuf_clear(&w->attrs);
	odp_put_action_attrs(&w->attrs, &f->actions);
	put_hex(json, "actions", w->attrs.data, w->attrs.size);
	jsonput_int(json, "packets", f->packets);
	jsonput_int(json, "bytes", f->bytes);
	if (f->packets) {
		jsonput_int(json, "used_ms",
			    (w->e->now_us - f->used_us) / 1000);
	}
	json_array_add(w->list, json);
}

void show_flows(struct engine *e, uint32_t command)
{
	struct walk walk = {.e = e, .attrs = WBUF_INITIALIZER(0)};
	struct json *json;

	if (!e->user) {
		command_refuse(e, command, "the flows are in the kernel");
		return;
	}
	walk.list = json_array_create_empty();
	flow_table_each(e->flows, add_flow, &walk);
	wbuf_free(&walk.attrs);
	json = json_object_create();
	json_object_put(json, "flows", walk.list);
	command_reply(e, command, json);
}
