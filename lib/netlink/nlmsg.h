/* Netlink framing: headers and attributes, in the host's byte order, four byte
 * aligned (<linux/netlink.h>).  What the messages say is the codecs' business
 * (xfrm.h, odp.h); how they travel is that of the sockets in kmod-glue/.
 *
 * Requests are built at the end of a wbuf, so that many fit into one
 * sendmsg().  What is read is copied out, never cast: neither alignment nor
 * length of foreign bytes is taken on trust.  What a packet that comes up takes
 * is inline: there are some 50 attributes in one upcall and its answer.
 */
#ifndef FDP_NETLINK_NLMSG_H
#define FDP_NETLINK_NLMSG_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <linux/netlink.h>

#include "base/err.h"
#include "base/span.h"

/* Starts a message at the end of 'b', which must be aligned, as it is after
 * whole messages.  NLM_F_REQUEST is added to 'flags'.  Returns where the
 * message starts, for nlmsg_end(). */
static inline size_t nlmsg_begin(struct wbuf *b, uint16_t type, uint16_t flags,
				 uint32_t seq)
{
	const size_t start = b->size;
	const struct nlmsghdr header = {
		.nlmsg_type = type,
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
		.nlmsg_seq = seq,
	};

	wbuf_bytes(b, &header, sizeof header);
	return start;
}

/* Completes the header of the message at 'start'. */
static inline void nlmsg_end(struct wbuf *b, size_t start)
{
	const uint32_t size = (uint32_t)(b->size - start);

	if (!b->overflow) {
		memcpy(b->data + start, &size, sizeof size);
	}
}

/* Appends 'size' bytes and zeros up to the next multiple of four. */
static inline void nlmsg_put_fixed(struct wbuf *b, const void *data,
				   size_t size)
{
	const size_t room = NLMSG_ALIGN(size);
	uint8_t *at = wbuf_take(b, room);

	if (at) {
		memcpy(at, data, size);
		memset(at + size, 0, room - size);
	}
}

/* Appends an attribute.  'size' beyond what its 16-bit length can say makes
 * 'b' overflow. */
static inline void nlattr_put(struct wbuf *b, uint16_t type, const void *data,
			      size_t size)
{
	const struct nlattr header = {
		.nla_len = (uint16_t)(sizeof header + size),
		.nla_type = type,
	};
	const size_t used = sizeof header + size, room = NLMSG_ALIGN(used);
	uint8_t *at;

	if (used > UINT16_MAX) {
		b->overflow = true;
		return;
	}
	at = wbuf_take(b, room);
	if (at) {
		memcpy(at, &header, sizeof header);
		if (size) {
			memcpy(at + sizeof header, data, size);
		}
		memset(at + used, 0, room - used);
	}
}

/* Starts a nested attribute (NLA_F_NESTED is added), returns where. */
static inline size_t nlattr_nest(struct wbuf *b, uint16_t type)
{
	const size_t start = b->size;
	const struct nlattr header = {.nla_type =
					      (uint16_t)(type | NLA_F_NESTED)};

	wbuf_bytes(b, &header, sizeof header);
	return start;
}

static inline void nlattr_nest_end(struct wbuf *b, size_t start)
{
	const size_t size = b->size - start;
	const uint16_t nla_len = (uint16_t)size;

	if (size > UINT16_MAX) {
		b->overflow = true;
	}
	if (!b->overflow) {
		memcpy(b->data + start, &nla_len, sizeof nla_len);
	}
}

/* Reads the first message of 'msg': header and what follows it.  Bytes behind
 * the message's own length do not count.  ERR_TRUNCATED if the message says it
 * is longer than 'msg', ERR_MALFORMED if shorter than a header. */
enum err nlmsg_read(struct span msg, struct nlmsghdr *header,
		    struct span *payload) FDP_MUST_CHECK;

/* Cuts a fixed header of 'size' bytes, with its padding, off 'payload'. */
static inline FDP_MUST_CHECK enum err nlmsg_get_fixed(struct span *payload,
						      void *to, size_t size)
{
	size_t skip = NLMSG_ALIGN(size) - size;
	enum err err = span_bytes(payload, to, size);

	if (!err) {
		/* Padding behind the last element may be missing. */
		skip = skip < payload->size ? skip : payload->size;
		payload->data += skip;
		payload->size -= skip;
	}
	return err;
}

/* Cuts the next attribute off 'attrs', which must not be empty.  Flags are
 * taken off the type.  ERR_TRUNCATED, ERR_MALFORMED. */
static inline FDP_MUST_CHECK enum err
nlattr_get(struct span *attrs, uint16_t *type, struct span *value)
{
	struct nlattr h;
	size_t room;

	if (attrs->size < sizeof h) {
		return ERR_TRUNCATED;
	}
	memcpy(&h, attrs->data, sizeof h);
	if (h.nla_len < sizeof h) {
		return ERR_MALFORMED;
	}
	if (h.nla_len > attrs->size) {
		return ERR_TRUNCATED;
	}
	*value = span_of(attrs->data + sizeof h, h.nla_len - sizeof h);
	*type = (uint16_t)(h.nla_type & ~(NLA_F_NESTED | NLA_F_NET_BYTEORDER));
	/* Padding behind the last one may be missing. */
	room = NLMSG_ALIGN(h.nla_len);
	room = room < attrs->size ? room : attrs->size;
	attrs->data += room;
	attrs->size -= room;
	return FDP_OK;
}

/* Reads an NLMSG_ERROR, 'msg' being the whole message: 'error' is an errno
 * value, 0 for an acknowledgement; 'text' ('text_size' bytes) gets the kernel's
 * explanation, NLMSGERR_ATTR_MSG, or "".  ERR_TRUNCATED, ERR_MALFORMED. */
enum err nlmsg_get_error(struct span msg, int *error, char *text,
			 size_t text_size) FDP_MUST_CHECK;

#endif
