#include "packet/probe.h"

#include <string.h>

/* Locally administered; "fdp". */
static const uint8_t address[6] = {0x02, 0x00, 0x00, 0x66, 0x64, 0x70};

void probe_put(struct wbuf *b, const struct probe_frame *p)
{
	wbuf_bytes(b, address, sizeof address);
	wbuf_bytes(b, address, sizeof address);
	wbuf_u16(b, PROBE_ETH_TYPE);
	wbuf_u8(b, PROBE_VERSION);
	wbuf_u8(b, p->lane);
	wbuf_u16(b, p->size);
	wbuf_u64(b, p->number);
	wbuf_bytes(b, p->sender.b, sizeof p->sender.b);
	if (p->size > PROBE_MIN_BYTES) {
		(void)wbuf_room(b, p->size - PROBE_MIN_BYTES);
	}
}

static enum err get_head(struct span *in)
{
	struct span addresses;
	uint16_t type;
	uint8_t version;
	enum err err = span_cut(in, 2 * sizeof address, &addresses);

	if (!err) {
		err = span_u16(in, &type);
	}
	if (!err && type != PROBE_ETH_TYPE) {
		err = ERR_UNSUPPORTED;
	}
	if (!err) {
		err = span_u8(in, &version);
	}
	return err ? err : version != PROBE_VERSION ? ERR_UNSUPPORTED : FDP_OK;
}

enum err probe_get(struct span frame, struct probe_frame *probe)
{
	struct span in = frame;
	struct probe_frame p;
	enum err err = get_head(&in);

	if (!err) {
		err = span_u8(&in, &p.lane);
	}
	if (!err) {
		err = span_u16(&in, &p.size);
	}
	if (!err && (p.size < PROBE_MIN_BYTES || p.size > PROBE_MAX_BYTES)) {
		err = ERR_RANGE;
	}
	if (!err && frame.size < PROBE_ETH_BYTES + (size_t)p.size) {
		err = ERR_TRUNCATED;
	}
	if (!err && frame.size > PROBE_ETH_BYTES + (size_t)p.size) {
		err = ERR_MALFORMED;
	}
	if (!err) {
		err = span_u64(&in, &p.number);
	}
	if (!err) {
		err = span_bytes(&in, p.sender.b, sizeof p.sender.b);
	}
	if (!err && peer_id_is_zero(&p.sender)) {
		err = ERR_MALFORMED;
	}
	if (!err) {
		*probe = p;
	}
	return err;
}
