#include "base/span.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "util.h"

/* The next 'size' (1 to 8) bytes as a big-endian number. */
static enum err take_be(struct span *s, size_t size, uint64_t *value)
{
	struct span bytes;
	enum err err = span_cut(s, size, &bytes);

	if (!err) {
		uint64_t v = 0;

		for (size_t i = 0; i < size; i++) {
			v = v << 8 | bytes.data[i];
		}
		*value = v;
	}
	return err;
}

enum err span_u8(struct span *s, uint8_t *value)
{
	uint64_t v;
	enum err err = take_be(s, sizeof *value, &v);

	if (!err) {
		*value = (uint8_t)v;
	}
	return err;
}

enum err span_u16(struct span *s, uint16_t *value)
{
	uint64_t v;
	enum err err = take_be(s, sizeof *value, &v);

	if (!err) {
		*value = (uint16_t)v;
	}
	return err;
}

enum err span_u32(struct span *s, uint32_t *value)
{
	uint64_t v;
	enum err err = take_be(s, sizeof *value, &v);

	if (!err) {
		*value = (uint32_t)v;
	}
	return err;
}

enum err span_u64(struct span *s, uint64_t *value)
{
	return take_be(s, sizeof *value, value);
}

void wbuf_init(struct wbuf *b, size_t max)
{
	*b = (struct wbuf)WBUF_INITIALIZER(max);
}

void wbuf_free(struct wbuf *b)
{
	if (b->data) {
		sodium_memzero(b->data, b->allocated);
		free(b->data);
	}
	wbuf_init(b, b->max);
}

void wbuf_clear(struct wbuf *b)
{
	b->size = 0;
	b->overflow = false;
}

/* Grows by moving, not by realloc(), so that no copy of the content is left
 * behind in freed memory. */
static void grow(struct wbuf *b, size_t need)
{
	size_t allocated = MAX(b->allocated * 2, MAX(need, 64));
	uint8_t *data;

	/* No more than may be written: wbuf_take() relies on that. */
	allocated = b->max ? MIN(allocated, b->max) : allocated;
	data = xmalloc(allocated);

	if (b->data) {
		memcpy(data, b->data, b->size);
		sodium_memzero(b->data, b->allocated);
		free(b->data);
	}
	b->data = data;
	b->allocated = allocated;
}

uint8_t *wbuf_take_slowly(struct wbuf *b, size_t size)
{
	uint8_t *at;

	if (b->overflow || (b->max && size > b->max - b->size)) {
		b->overflow = true;
		return NULL;
	}
	if (!b->data || size > b->allocated - b->size) {
		grow(b, b->size + size);
	}
	at = b->data + b->size;
	b->size += size;
	return at;
}

static void put_be(struct wbuf *b, size_t size, uint64_t value)
{
	uint8_t *at = wbuf_take(b, size);

	for (size_t i = size; at && i-- > 0; value >>= 8) {
		at[i] = (uint8_t)value;
	}
}

void wbuf_u8(struct wbuf *b, uint8_t value)
{
	put_be(b, 1, value);
}

void wbuf_u16(struct wbuf *b, uint16_t value)
{
	put_be(b, 2, value);
}

void wbuf_u32(struct wbuf *b, uint32_t value)
{
	put_be(b, 4, value);
}

void wbuf_u64(struct wbuf *b, uint64_t value)
{
	put_be(b, 8, value);
}

void wbuf_pull(struct wbuf *b, size_t size)
{
	size = MIN(size, b->size);
	if (size) {
		memmove(b->data, b->data + size, b->size - size);
		b->size -= size;
	}
}

enum err wbuf_done(const struct wbuf *b)
{
	return b->overflow ? ERR_OVERSIZED : FDP_OK;
}
