#include "netlink/nlmsg.h"

#include <limits.h>
#include <string.h>

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
