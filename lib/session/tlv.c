#include "session/tlv.h"

#include "util.h"

enum err tlv_next(struct span *in, uint16_t *type, struct span *value)
{
	struct span rest = *in, v;
	uint16_t t, size;
	enum err err = span_u16(&rest, &t);

	if (!err) {
		err = span_u16(&rest, &size);
	}
	if (!err) {
		err = span_cut(&rest, size, &v);
	}
	if (!err) {
		*in = rest;
		*type = t;
		*value = v;
	}
	return err;
}

enum err tlv_skip_all(struct span in)
{
	while (in.size) {
		struct span value;
		uint16_t type;
		enum err err = tlv_next(&in, &type, &value);

		if (err) {
			return err;
		}
		if (type & TLV_CRITICAL) {
			return ERR_UNKNOWN_CRITICAL;
		}
	}
	return FDP_OK;
}

static void put_header(struct wbuf *b, uint16_t type, size_t size)
{
	ovs_assert(size <= UINT16_MAX);
	wbuf_u16(b, type);
	wbuf_u16(b, (uint16_t)size);
}

void tlv_put(struct wbuf *b, uint16_t type, const void *value, size_t size)
{
	put_header(b, type, size);
	wbuf_bytes(b, value, size);
}

void tlv_put_u16(struct wbuf *b, uint16_t type, uint16_t value)
{
	put_header(b, type, sizeof value);
	wbuf_u16(b, value);
}

void tlv_put_u32(struct wbuf *b, uint16_t type, uint32_t value)
{
	put_header(b, type, sizeof value);
	wbuf_u32(b, value);
}

void tlv_put_u64(struct wbuf *b, uint16_t type, uint64_t value)
{
	put_header(b, type, sizeof value);
	wbuf_u64(b, value);
}
