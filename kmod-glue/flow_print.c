#include "kmod-glue/flow_print.h"

#include <inttypes.h>

#include "openvswitch/dynamic-string.h"

#include "netlink/odp_text.h"

void flow_print_stats(struct ds *ds, const struct odp_flow_stats *stats,
		      uint64_t now_ms)
{
	ds_put_format(ds, "packets:%" PRIu64 ", bytes:%" PRIu64 ", used:",
		      stats->packets, stats->bytes);
	if (stats->used_ms) {
		int64_t idle_ms = (int64_t)(now_ms - stats->used_ms);

		ds_put_format(ds, "%.3fs", (double)idle_ms / 1000.0);
	} else {
		ds_put_cstr(ds, "never");
	}
	if (stats->tcp_flags) {
		ds_put_cstr(ds, ", flags:");
		odp_text_tcp_flags(ds, stats->tcp_flags);
	}
}

void flow_print_line(struct ds *ds, const struct odp_flow *flow,
		     uint64_t now_ms)
{
	odp_text_match(ds, flow->key, flow->mask);
	ds_put_cstr(ds, ", ");
	flow_print_stats(ds, &flow->stats, now_ms);
	ds_put_cstr(ds, ", actions:");
	odp_text_actions(ds, flow->actions);
}

void flow_print_key(struct ds *ds, const struct flow *key,
		    const struct flow *mask)
{
	struct wbuf k = WBUF_INITIALIZER(0), m = WBUF_INITIALIZER(0);

	if (mask) {
		odp_put_masked_key_attrs(&k, key, mask);
		odp_put_mask_attrs(&m, key, mask);
	} else {
		odp_put_key_attrs(&k, key);
	}
	odp_text_match(ds, wbuf_span(&k), wbuf_span(&m));
	wbuf_free(&k);
	wbuf_free(&m);
}

void flow_print_actions(struct ds *ds, const struct actions *actions)
{
	struct wbuf b = WBUF_INITIALIZER(0);

	odp_put_action_attrs(&b, actions);
	odp_text_actions(ds, wbuf_span(&b));
	wbuf_free(&b);
}
