/* Frames of containers: read into a flow key, which goes to the kernel and
 * comes back as it was; answered where they are questions. */
#include "fuzz/fuzz.h"
#include "netlink/odp.h"
#include "packet/parse.h"
#include "packet/reply.h"

static void there_and_back(const struct flow *f)
{
	struct wbuf attrs = WBUF_INITIALIZER(0);
	struct flow again;

	odp_put_key_attrs(&attrs, f);
	if (f->eth_type != ETH_TYPE_VLAN && f->eth_type != ETH_TYPE_QINQ) {
		REQUIRE(!odp_get_key(wbuf_span(&attrs), &again));
		REQUIRE(flow_equal(f, &again));
	}
	wbuf_free(&attrs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct mac answer = {{2, 0, 0, 0, 0, 1}};
	struct span frame = span_of(fuzz_copy(span_of(data, size)), size);
	struct wbuf reply = WBUF_INITIALIZER(0);
	struct flow f, back;

	if (!parse_frame(frame, &f)) {
		there_and_back(&f);
		if (f.eth_type == ETH_TYPE_ARP && f.arp_op == 1) {
			reply_arp(&reply, &f, &answer);
		} else if (flow_is_nd(&f) && f.tp_src == 135) {
			reply_neighbour(&reply, &f, &answer);
		}
		if (reply.size) {
			REQUIRE(!parse_frame(wbuf_span(&reply), &back));
			REQUIRE(mac_equal(&back.eth_dst, &f.eth_src) ||
				f.eth_type == ETH_TYPE_IPV6);
		}
	}
	wbuf_free(&reply);
	free((void *)(uintptr_t)frame.data);
	return 0;
}
