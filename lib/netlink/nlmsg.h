/* Netlink framing: headers and attributes, in the host's byte order, four byte
 * aligned (<linux/netlink.h>).  What the messages say is the codecs' business
 * (xfrm.h, odp.h); how they travel is that of the sockets in kmod-glue/.
 *
 * Requests are built at the end of a wbuf, so that many fit into one
 * sendmsg().  What is read is copied out, never cast: neither alignment nor
 * length of foreign bytes is taken on trust.
 */
#ifndef FDP_NETLINK_NLMSG_H
#define FDP_NETLINK_NLMSG_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/netlink.h>

#include "base/err.h"
#include "base/span.h"

/* Starts a message at the end of 'b', which must be aligned, as it is after
 * whole messages.  NLM_F_REQUEST is added to 'flags'.  Returns where the
 * message starts, for nlmsg_end(). */
size_t nlmsg_begin(struct wbuf *b, uint16_t type, uint16_t flags, uint32_t seq);

/* Completes the header of the message at 'start'. */
void nlmsg_end(struct wbuf *b, size_t start);

/* Appends 'size' bytes and zeros up to the next multiple of four. */
void nlmsg_put_fixed(struct wbuf *b, const void *data, size_t size);

/* Appends an attribute.  'size' beyond what its 16-bit length can say makes
 * 'b' overflow. */
void nlattr_put(struct wbuf *b, uint16_t type, const void *data, size_t size);

/* Starts a nested attribute (NLA_F_NESTED is added), returns where. */
size_t nlattr_nest(struct wbuf *b, uint16_t type);
void nlattr_nest_end(struct wbuf *b, size_t start);

/* Reads the first message of 'msg': header and what follows it.  Bytes behind
 * the message's own length do not count.  ERR_TRUNCATED if the message says it
 * is longer than 'msg', ERR_MALFORMED if shorter than a header. */
enum err nlmsg_read(struct span msg, struct nlmsghdr *header,
		    struct span *payload) FDP_MUST_CHECK;

/* Cuts a fixed header of 'size' bytes, with its padding, off 'payload'. */
enum err nlmsg_get_fixed(struct span *payload, void *to,
			 size_t size) FDP_MUST_CHECK;

/* Cuts the next attribute off 'attrs', which must not be empty.  Flags are
 * taken off the type.  ERR_TRUNCATED, ERR_MALFORMED. */
enum err nlattr_get(struct span *attrs, uint16_t *type,
		    struct span *value) FDP_MUST_CHECK;

/* Reads an NLMSG_ERROR, 'msg' being the whole message: 'error' is an errno
 * value, 0 for an acknowledgement; 'text' ('text_size' bytes) gets the kernel's
 * explanation, NLMSGERR_ATTR_MSG, or "".  ERR_TRUNCATED, ERR_MALFORMED. */
enum err nlmsg_get_error(struct span msg, int *error, char *text,
			 size_t text_size) FDP_MUST_CHECK;

#endif
