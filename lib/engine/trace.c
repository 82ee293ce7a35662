#include "engine/trace.h"

#include "netlink/odp_text.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"

static void add_step(void *aux, const char *text)
{
	json_array_add(aux, json_string_create(text));
}

void trace_match(struct ds *ds, const struct flow *key, const struct flow *mask)
{
	struct wbuf k = WBUF_INITIALIZER(0), m = WBUF_INITIALIZER(0);

	odp_put_masked_key_attrs(&k, key, mask);
	odp_put_mask_attrs(&m, key, mask);
	odp_text_match(ds, wbuf_span(&k), wbuf_span(&m));
	wbuf_free(&k);
	wbuf_free(&m);
}

void trace_actions(struct ds *ds, const struct actions *actions)
{
	struct wbuf attrs = WBUF_INITIALIZER(0);

	odp_put_action_attrs(&attrs, actions);
	odp_text_actions(ds, wbuf_span(&attrs));
	wbuf_free(&attrs);
}

/* The flow that would be installed. */
static void put_texts(struct json *json, const struct flow *flow,
		      const struct translation *x)
{
	struct ds ds = DS_EMPTY_INITIALIZER;

	trace_match(&ds, flow, &x->mask);
	json_object_put_string(json, "key", ds_cstr(&ds));
	ds_clear(&ds);
	trace_actions(&ds, &x->actions);
	json_object_put_string(json, "actions", ds_cstr(&ds));
	ds_destroy(&ds);
}

/* A packet that is only described is not broken: something is missing. */
static const char *remedy_of(enum reason reason)
{
	return reason == REASON_MALFORMED
		       ? "describe more of the packet: --ip-src and --ip-dst, "
			 "or --type; from the tunnel also --tun-src"
		       : reason_remedy(reason);
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
	json_object_put_string(json, "remedy", remedy_of(x.reason));
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
