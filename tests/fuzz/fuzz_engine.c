/* A whole engine, its peer made of straw, and everything around it that the
 * input wants: records of an authenticated peer (or a plain one), bytes of a
 * stranger, frames of containers, the kernel's notices, commands, time.
 *
 * The first byte says whether there is a password, a sleeve, and anything
 * else. */
#include "fuzz/fuzz.h"
#include "netlink/nlmsg.h"
#include "packet/parse.h"
#include "unit/straw.h"

enum {
	MAX_STEPS = 64
};

static void command(struct span bytes)
{
	struct event event = {.type = EVENT_COMMAND};
	char *text = malloc(bytes.size + 1), *args;
	struct json *json = NULL;

	REQUIRE(text);
	if (bytes.size) {
		memcpy(text, bytes.data, bytes.size);
	}
	text[bytes.size] = '\0';
	args = strchr(text, ' ');
	if (args) {
		*args = '\0';
		json = json_from_string(args + 1);
		if (json->type != JSON_OBJECT) {
			json_destroy(json); /* kmod-glue/ refuses it. */
			json = NULL;
		}
	}
	event.command.id = 1;
	event.command.name = text;
	event.command.args = json;
	straw_step(&event);
	json_destroy(json);
	free(text);
}

static void frame(uint8_t port, struct span bytes)
{
	struct odp_upcall upcall = {.miss = true, .packet = bytes};
	struct event event = {.type = EVENT_UPCALL, .upcall = &upcall};

	if (!parse_frame(bytes, &upcall.flow)) {
		upcall.flow.in_port = port & 3;
		if (port & 4) {
			upcall.flow.tunnel.present = true;
			upcall.flow.tunnel.vni = 1;
			upcall.flow.tunnel.src = straw_ip("192.0.2.2");
			upcall.flow.tunnel.dst = straw_ip("192.0.2.1");
		}
		straw_step(&event);
	}
}

static void notice(uint8_t type, struct span bytes)
{
	struct wbuf msg = WBUF_INITIALIZER(0);
	size_t start = nlmsg_begin(&msg, type, 0, 1);
	struct xfrm_event x;
	struct event event = {.type = EVENT_XFRM, .xfrm = &x};

	wbuf_bytes(&msg, bytes.data, bytes.size);
	nlmsg_end(&msg, start);
	if (!xfrm_get_event(wbuf_span(&msg), &x)) {
		straw_step(&event);
	}
	wbuf_free(&msg);
}

static void sleeve_event(uint8_t which, struct span bytes)
{
	struct event event = {.type = EVENT_SLEEVE, .os_errno = which & 4};

	event.sleeve.what = (enum sleeve_news)(which & 3);
	event.sleeve.vni = fuzz_u8(&bytes);
	event.sleeve.index = fuzz_u16(&bytes);
	event.sleeve.local = straw_ip("192.0.2.1");
	event.sleeve.remote.ip = straw_ip("192.0.2.9");
	event.sleeve.remote.port = fuzz_u16(&bytes);
	straw_step(&event);
}

static void plain_event(uint8_t which)
{
	static const enum event_type types[] = {
		EVENT_NET_CHANGED, EVENT_GUARD_GONE, EVENT_DP_FEATURES};
	struct event event = {.type = types[which % 3]};

	straw_step(&event);
}

static void step(struct far *peer, struct far *stranger, struct span *in)
{
	uint8_t op = fuzz_u8(in);
	struct span bytes = fuzz_take(in, fuzz_u16(in) % 2048);

	switch (op % 8) {
	case 0:
		if (!peer->closed) {
			far_send_raw(peer, bytes);
		}
		break;
	case 1:
		if (!peer->closed) {
			far_bytes(peer, bytes);
		}
		break;
	case 2:
		if (!stranger->closed) {
			far_bytes(stranger, bytes);
		}
		break;
	case 3:
		command(bytes);
		break;
	case 4:
		frame(op / 8, bytes);
		break;
	case 5:
		notice(op / 8, bytes);
		break;
	case 6:
		if (op / 8 & 16) {
			sleeve_event(op / 8, bytes);
		} else {
			plain_event(op / 8);
		}
		break;
	default:
		straw_wait((uint64_t)(op / 8) * (op / 8) * 100000);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct event stop = {.type = EVENT_STOP};
	const uint8_t head = fuzz_u8(&in);
	const bool encrypt = head & 1;
	struct far peer, stranger;

	straw_sleeve = head & 2;
	straw_user = straw_sleeve && head & 4;
	straw_start(encrypt);
	far_connect(&peer, "192.0.2.2", 7, encrypt);
	far_accept(&stranger, "192.0.2.3");
	/* The peer has said enough for its own answers to be of no interest. */
	peer.deaf = true;
	for (unsigned int i = 0; in.size && i < MAX_STEPS; i++) {
		step(&peer, &stranger, &in);
	}
	straw_step(&stop);
	far_free(&peer);
	far_free(&stranger);
	straw_stop();
	return 0;
}
