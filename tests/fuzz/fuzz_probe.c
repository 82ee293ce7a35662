/* Probes that come out of the tunnel: what is read is put the same again. */
#include "fuzz/fuzz.h"
#include "packet/probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span frame = span_of(fuzz_copy(span_of(data, size)), size);
	struct wbuf again = WBUF_INITIALIZER(0);
	struct probe_frame p;

	if (!probe_get(frame, &p)) {
		probe_put(&again, &p);
		REQUIRE(again.size == frame.size);
		/* But for addresses and filling. */
		REQUIRE(!memcmp(again.data + 12, frame.data + 12,
				PROBE_ETH_BYTES - 12 + PROBE_MIN_BYTES));
	}
	wbuf_free(&again);
	free((void *)(uintptr_t)frame.data);
	return 0;
}
