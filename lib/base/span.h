/* Bytes from outside are read through a span, bytes to the outside are built
 * in a wbuf.  Neither lets anybody step over the end; both spell the byte
 * order out.  Nothing else in lib/ does pointer arithmetic on foreign bytes.
 */
#ifndef FDP_BASE_SPAN_H
#define FDP_BASE_SPAN_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

/* A borrowed run of bytes.  Readers cut from its front; on ERR_TRUNCATED the
 * span and the output stay as they were. */
struct span {
	const uint8_t *data;
	size_t size; /* Bytes. */
};

static inline struct span span_of(const void *data, size_t size)
{
	return (struct span){data, size};
}

/* Big-endian integers.  ERR_TRUNCATED if fewer bytes are left. */
enum err span_u8(struct span *, uint8_t *value) FDP_MUST_CHECK;
enum err span_u16(struct span *, uint16_t *value) FDP_MUST_CHECK;
enum err span_u32(struct span *, uint32_t *value) FDP_MUST_CHECK;
enum err span_u64(struct span *, uint64_t *value) FDP_MUST_CHECK;

/* Cuts off a span of 'size' bytes that borrows from the same memory.  Inline
 * like the next one: a packet that comes up takes some 60 of them. */
static inline FDP_MUST_CHECK enum err span_cut(struct span *s, size_t size,
					       struct span *cut)
{
	if (size > s->size) {
		return ERR_TRUNCATED;
	}
	*cut = span_of(s->data, size);
	if (size) { /* No arithmetic on the null of an empty span. */
		s->data += size;
	}
	s->size -= size;
	return FDP_OK;
}

/* Copies 'size' bytes out. */
static inline FDP_MUST_CHECK enum err span_bytes(struct span *s, void *to,
						 size_t size)
{
	struct span bytes;
	enum err err = span_cut(s, size, &bytes);

	if (!err && size) {
		memcpy(to, bytes.data, size);
	}
	return err;
}

/* A growing buffer that owns its memory.  'max' (bytes, 0 = no limit) bounds
 * it; writes beyond are dropped as a whole and leave 'overflow' set, so that a
 * long sequence of writes needs one check, wbuf_done(). */
struct wbuf {
	uint8_t *data;
	size_t size;
	size_t allocated;
	size_t max;
	bool overflow;
};

#define WBUF_INITIALIZER(MAX)                                          \
	{                                                              \
		.data = NULL, .size = 0, .allocated = 0, .max = (MAX), \
		.overflow = false                                      \
	}

void wbuf_init(struct wbuf *, size_t max);
/* Wipes and frees.  The wbuf is empty and usable afterwards. */
void wbuf_free(struct wbuf *);
/* Forgets the content, keeps the memory. */
void wbuf_clear(struct wbuf *);

void wbuf_u8(struct wbuf *, uint8_t);
void wbuf_u16(struct wbuf *, uint16_t);
void wbuf_u32(struct wbuf *, uint32_t);
void wbuf_u64(struct wbuf *, uint64_t);
/* Drops 'size' bytes (at most all) from the front. */
void wbuf_pull(struct wbuf *, size_t size);

/* ERR_OVERSIZED if any write since init or clear did not fit. */
enum err wbuf_done(const struct wbuf *) FDP_MUST_CHECK;

static inline struct span wbuf_span(const struct wbuf *b)
{
	return span_of(b->data, b->size);
}

/* wbuf_take() where memory is short, or forbidden. */
uint8_t *wbuf_take_slowly(struct wbuf *, size_t size);

/* Appends 'size' bytes that are whatever was there; returns where they start,
 * NULL on overflow.  Inline like the two below: what is written for a packet
 * that comes up are some 30 pieces, most of a size that the compiler knows.
 * (A buffer without memory has no room for 0 bytes either.) */
static inline uint8_t *wbuf_take(struct wbuf *b, size_t size)
{
	uint8_t *at;

	if (b->overflow || size >= b->allocated - b->size) {
		return wbuf_take_slowly(b, size);
	}
	at = b->data + b->size;
	b->size += size;
	return at;
}

/* Appends 'size' zero bytes; returns where they start, NULL on overflow. */
static inline uint8_t *wbuf_room(struct wbuf *b, size_t size)
{
	uint8_t *at = wbuf_take(b, size);

	if (at) {
		memset(at, 0, size);
	}
	return at;
}

static inline void wbuf_bytes(struct wbuf *b, const void *data, size_t size)
{
	uint8_t *at = size ? wbuf_take(b, size) : NULL;

	if (at) {
		memcpy(at, data, size);
	}
}

#endif
