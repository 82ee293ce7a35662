/* What the kernel datapath says, and what is printed of it.  The first byte
 * picks the decoder; without its top bit the Netlink header is made to fit.  A
 * key that was read is read again from what it is written as. */
#include "fuzz/fuzz.h"
#include "netlink/nlmsg.h"
#include "netlink/odp.h"
#include "netlink/odp_text.h"
#include "openvswitch/dynamic-string.h"
#include "packet/parse.h"

static void key(struct span attrs)
{
	struct wbuf out = WBUF_INITIALIZER(0);
	struct flow f, again;

	if (odp_get_key(attrs, &f)) {
		return;
	}
	odp_put_key_attrs(&out, &f);
	if (!odp_get_key(wbuf_span(&out), &again)) {
		struct wbuf twice = WBUF_INITIALIZER(0);

		odp_put_key_attrs(&twice, &again);
		REQUIRE(out.size == twice.size &&
			!memcmp(out.data, twice.data, out.size));
		wbuf_free(&twice);
	}
	wbuf_free(&out);
}

static void flow(struct span msg)
{
	struct actions actions;
	struct odp_flow f;
	struct flow k, mask;
	struct ds text = DS_EMPTY_INITIALIZER;

	if (odp_get_flow(msg, &f)) {
		return;
	}
	actions_init(&actions);
	key(f.key);
	if (!odp_get_key(f.key, &k)) {
		(void)!odp_get_mask(f.mask, &k, &mask);
	}
	(void)!odp_get_actions(f.actions, &actions);
	odp_text_tcp_flags(&text, f.stats.tcp_flags);
	actions_free(&actions);
	ds_destroy(&text);
}

static void upcall(struct span msg)
{
	struct odp_upcall u;
	struct flow f;

	if (!odp_get_upcall(msg, &u)) {
		key(u.key);
		(void)!parse_frame(u.packet, &f);
	}
}

static void decode(uint8_t pick, struct span msg)
{
	struct odp_datapath dp;
	struct odp_vport vport;
	struct actions actions;
	char text[64];
	uint32_t group;
	uint16_t id;
	int error;

	switch (pick % 8) {
	case 0:
		(void)!odp_get_family(msg, &id, &group);
		break;
	case 1:
		(void)!odp_get_datapath(msg, &dp);
		break;
	case 2:
		(void)!odp_get_vport(msg, &vport);
		break;
	case 3:
		flow(msg);
		break;
	case 4:
		upcall(msg);
		break;
	case 5:
		key(msg);
		break;
	case 6:
		actions_init(&actions);
		(void)!odp_get_actions(msg, &actions);
		actions_free(&actions);
		break;
	default:
		(void)!nlmsg_get_error(msg, &error, text, sizeof text);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	uint8_t pick = fuzz_u8(&in);
	struct wbuf msg = WBUF_INITIALIZER(0);
	uint8_t *copy;

	if (pick & 0x80 || pick % 8 == 5 || pick % 8 == 6) {
		wbuf_bytes(&msg, in.data, in.size);
	} else {
		size_t start = nlmsg_begin(&msg, fuzz_u8(&in), 0, 1);

		wbuf_bytes(&msg, in.data, in.size);
		nlmsg_end(&msg, start);
	}
	copy = fuzz_copy(wbuf_span(&msg));
	decode(pick, span_of(copy, msg.size));
	free(copy);
	wbuf_free(&msg);
	return 0;
}
