/* What the kernel says of SAs and policies: answers and notices.  Without the
 * top bit of the first byte the Netlink header is made to fit. */
#include "fuzz/fuzz.h"
#include "netlink/nlmsg.h"
#include "netlink/xfrm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	uint8_t pick = fuzz_u8(&in);
	struct wbuf msg = WBUF_INITIALIZER(0);
	struct xfrm_policy policy;
	struct xfrm_event event;
	struct xfrm_sa sa;
	uint8_t *copy;

	if (pick & 0x80) {
		wbuf_bytes(&msg, in.data, in.size);
	} else {
		size_t start = nlmsg_begin(&msg, pick, 0, 1);

		wbuf_bytes(&msg, in.data, in.size);
		nlmsg_end(&msg, start);
	}
	copy = fuzz_copy(wbuf_span(&msg));
	in = span_of(copy, msg.size);
	if (!xfrm_get_sa(in, &sa)) {
		(void)xfrm_sa_is_ours(&sa);
	}
	if (!xfrm_get_policy(in, &policy)) {
		(void)xfrm_policy_is_ours(&policy);
		REQUIRE(xfrm_policy_same_selector(&policy, &policy));
	}
	(void)!xfrm_get_event(in, &event);
	free(copy);
	wbuf_free(&msg);
	return 0;
}
