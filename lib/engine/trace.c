#include "engine/trace.h"

#include "netlink/odp_text.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"

static void add_step(void *aux, const char *text)
{
	json_array_add(aux, json_string_create(text));
}

/* The flow that would be installed, as ovs-dpctl prints it. */
static void put_texts(struct json *json, const struct flow *flow,
		      const struct translation *x)
{
	struct wbuf key = WBUF_INITIALIZER(0);
	struct wbuf mask = WBUF_INITIALIZER(0);
	struct wbuf actions = WBUF_INITIALIZER(0);
	struct ds ds = DS_EMPTY_INITIALIZER;

	odp_put_masked_key_attrs(&key, flow, &x->mask);
	odp_put_mask_attrs(&mask, flow, &x->mask);
	odp_put_action_attrs(&actions, &x->actions);
	odp_text_match(&ds, wbuf_span(&key), wbuf_span(&mask));
	json_object_put_string(json, "key", ds_cstr(&ds));
	ds_clear(&ds);
	odp_text_actions(&ds, wbuf_span(&actions));
	json_object_put_string(json, "actions", ds_cstr(&ds));
	ds_destroy(&ds);
	wbuf_free(&key);
	wbuf_free(&mask);
	wbuf_free(&actions);
}

struct json *trace_run(const struct engine *e, const struct flow *flow)
{
	struct json *json = json_object_create();
	struct json *steps = json_array_create_empty();
	const struct pipeline_trace trace = {.step = add_step, .aux = steps};
	const struct peer *peer, *hop;
	struct translation x;

	translation_init(&x);
	pipeline_translate(e->fwd, flow, &trace, &x);
	json_object_put(json, "steps", steps);
	json_object_put_string(json, "verdict",
			       x.reply.size  ? "answer"
			       : x.actions.n ? "forward"
					     : "drop");
	json_object_put_string(json, "reason", reason_slug(x.reason));
	json_object_put_string(json, "text", reason_text(x.reason));
	json_object_put_string(json, "remedy", reason_remedy(x.reason));
	json_object_put(json, "install", json_boolean_create(x.install));
	put_texts(json, flow, &x);
	peer = peer_by_number(e, x.peer);
	hop = peer_by_number(e, x.hop);
	if (peer) {
		json_object_put_string(json, "peer", peer->name);
	}
	if (hop) {
		const struct tunnel *t = &hop->tunnel;
		uint32_t spi = t->lanes[x.lane].spi_out;

		if (hop != peer) {
			json_object_put_string(json, "via", hop->name);
		}
		if (spi) {
			json_object_put(json, "spi", json_integer_create(spi));
		}
		if (spi && t->n_out > 1) {
			json_object_put(json, "lane",
					json_integer_create(x.lane));
		}
	}
	translation_free(&x);
	return json;
}
