#include "netlink/nlmsg.h"

#include <limits.h>
#include <string.h>

static size_t padding(size_t size)
{
	return NLMSG_ALIGN(size) - size;
}

size_t nlmsg_begin(struct wbuf *b, uint16_t type, uint16_t flags, uint32_t seq)
{
	size_t start = b->size;
	struct nlmsghdr header = {
		.nlmsg_type = type,
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
		.nlmsg_seq = seq,
	};

	wbuf_bytes(b, &header, sizeof header);
	return start;
}

void nlmsg_end(struct wbuf *b, size_t start)
{
	uint32_t size = (uint32_t)(b->size - start);

	if (!b->overflow) {
		memcpy(b->data + start, &size, sizeof size);
	}
}

void nlmsg_put_fixed(struct wbuf *b, const void *data, size_t size)
{
	wbuf_bytes(b, data, size);
	(void)wbuf_room(b, padding(size));
}

void nlattr_put(struct wbuf *b, uint16_t type, const void *data, size_t size)
{
	struct nlattr header = {
		.nla_len = (uint16_t)(sizeof header + size),
		.nla_type = type,
	};

	uint8_t *at;

	if (size > UINT16_MAX - sizeof header) {
		b->overflow = true;
		return;
	}
	at = wbuf_room(b, NLMSG_ALIGN(sizeof header + size));
	if (at) {
		memcpy(at, &header, sizeof header);
		memcpy(at + sizeof header, size ? data : "", size);
	}
}

size_t nlattr_nest(struct wbuf *b, uint16_t type)
{
	size_t start = b->size;
	struct nlattr header = {.nla_type = (uint16_t)(type | NLA_F_NESTED)};

	wbuf_bytes(b, &header, sizeof header);
	return start;
}

void nlattr_nest_end(struct wbuf *b, size_t start)
{
	size_t size = b->size - start;
	uint16_t nla_len = (uint16_t)size;

	if (size > UINT16_MAX) {
		b->overflow = true;
	}
	if (!b->overflow) {
		memcpy(b->data + start, &nla_len, sizeof nla_len);
	}
}

enum err nlmsg_read(struct span msg, struct nlmsghdr *header,
		    struct span *payload)
{
	struct nlmsghdr h;
	enum err err = span_bytes(&msg, &h, sizeof h);

	if (err) {
		return err;
	}
	if (h.nlmsg_len < sizeof h) {
		return ERR_MALFORMED;
	}
	err = span_cut(&msg, h.nlmsg_len - sizeof h, payload);
	if (!err) {
		*header = h;
	}
	return err;
}

/* Padding behind the last element may be missing. */
static void skip_padding(struct span *s, size_t size)
{
	size_t skip = padding(size);

	if (skip > s->size) {
		skip = s->size;
	}
	s->data += skip;
	s->size -= skip;
}

enum err nlmsg_get_fixed(struct span *payload, void *to, size_t size)
{
	enum err err = span_bytes(payload, to, size);

	if (!err) {
		skip_padding(payload, size);
	}
	return err;
}

enum err nlattr_get(struct span *attrs, uint16_t *type, struct span *value)
{
	struct span rest = *attrs;
	struct nlattr h;
	enum err err = span_bytes(&rest, &h, sizeof h);

	if (err) {
		return err;
	}
	if (h.nla_len < sizeof h) {
		return ERR_MALFORMED;
	}
	err = span_cut(&rest, h.nla_len - sizeof h, value);
	if (err) {
		return err;
	}
	skip_padding(&rest, h.nla_len);
	*type = (uint16_t)(h.nla_type & ~(NLA_F_NESTED | NLA_F_NET_BYTEORDER));
	*attrs = rest;
	return FDP_OK;
}

/* The text of an extended acknowledgement, as far as it fits. */
static void get_error_text(struct span attrs, char *text, size_t text_size)
{
	while (attrs.size) {
		struct span value;
		uint16_t type;

		if (nlattr_get(&attrs, &type, &value)) {
			return;
		}
		if (type == NLMSGERR_ATTR_MSG) {
			size_t n = value.size;

			while (n && !value.data[n - 1]) {
				n--;
			}
			if (n > text_size - 1) {
				n = text_size - 1;
			}
			memcpy(text, value.data, n);
			text[n] = '\0';
		}
	}
}

enum err nlmsg_get_error(struct span msg, int *error, char *text,
			 size_t text_size)
{
	struct nlmsghdr header;
	struct span payload, request;
	struct nlmsgerr e;
	enum err err = nlmsg_read(msg, &header, &payload);

	if (err) {
		return err;
	}
	if (header.nlmsg_type != NLMSG_ERROR) {
		return ERR_MALFORMED;
	}
	err = span_bytes(&payload, &e, sizeof e);
	if (err) {
		return err;
	}
	if (e.error > 0 || e.error == INT_MIN) {
		return ERR_MALFORMED;
	}
	text[0] = '\0';
	*error = -e.error;
	if (!(header.nlmsg_flags & NLM_F_ACK_TLVS)) {
		return FDP_OK;
	}
	/* A failed request comes back whole unless NETLINK_CAP_ACK is set. */
	if (!(header.nlmsg_flags & NLM_F_CAPPED) &&
	    (e.msg.nlmsg_len < sizeof e.msg ||
	     span_cut(&payload, NLMSG_ALIGN(e.msg.nlmsg_len) - sizeof e.msg,
		      &request))) {
		return FDP_OK;
	}
	get_error_text(payload, text, text_size);
	return FDP_OK;
}
