/* Type, length, value: the one extensible form of fdp/1.
 *
 *	u16 type | u16 length | 'length' bytes of value
 *
 * The top bit of the type is the criticality: a reader skips an unknown type
 * without the bit and refuses an unknown type with it.  Identities, the
 * extension part of handshake frames and the messages of the record channel
 * are lists of TLVs; a value never holds TLVs of its own deeper than the tail
 * of a message.
 */
#ifndef FDP_SESSION_TLV_H
#define FDP_SESSION_TLV_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

enum {
	TLV_CRITICAL = 0x8000,
	TLV_HEADER_BYTES = 4
};

/* Cuts the next TLV off 'in'.  ERR_TRUNCATED. */
enum err tlv_next(struct span *in, uint16_t *type,
		  struct span *value) FDP_MUST_CHECK;

/* For a reader that knows no type at all: is 'in' a well-formed list without
 * a critical type?  ERR_TRUNCATED, ERR_UNKNOWN_CRITICAL. */
enum err tlv_skip_all(struct span in) FDP_MUST_CHECK;

/* Appends a TLV of 'size' (at most 65,535) bytes. */
void tlv_put(struct wbuf *, uint16_t type, const void *value, size_t size);
void tlv_put_u16(struct wbuf *, uint16_t type, uint16_t value);
void tlv_put_u32(struct wbuf *, uint16_t type, uint32_t value);
void tlv_put_u64(struct wbuf *, uint16_t type, uint64_t value);

#endif
