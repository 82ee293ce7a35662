#include "control/printable.h"

#include <stdbool.h>
#include <stdint.h>

#include "openvswitch/dynamic-string.h"

/* Decodes one character of UTF-8; returns its bytes, 0 if it is none. */
static size_t decode(const char *text, uint32_t *code)
{
	static const struct {
		uint8_t mask, lead;
		uint32_t min;
	} forms[] = {
		{0x80, 0x00, 0},
		{0xe0, 0xc0, 0x80},
		{0xf0, 0xe0, 0x800},
		{0xf8, 0xf0, 0x10000},
	};
	uint8_t first = (uint8_t)text[0];
	size_t more, i;
	uint32_t c;

	for (more = 0; more < 4; more++) {
		if ((first & forms[more].mask) == forms[more].lead) {
			break;
		}
	}
	if (more == 4) {
		return 0;
	}
	c = first & (uint8_t)~forms[more].mask;
	for (i = 1; i <= more; i++) {
		uint8_t next = (uint8_t)text[i];

		if ((next & 0xc0) != 0x80) {
			return 0; /* The final NUL as well. */
		}
		c = c << 6 | (next & 0x3f);
	}
	if (c < forms[more].min || c > 0x10ffff ||
	    (c >= 0xd800 && c < 0xe000)) {
		return 0;
	}
	*code = c;
	return more + 1;
}

static bool is_visible(uint32_t c)
{
	return !(c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad ||
		 c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
		 (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
		 c == 0xfeff || (c >= 0xfff0 && c <= 0xfffb) ||
		 (c >= 0xe0000 && c <= 0xe0fff));
}

size_t printable_put(struct ds *ds, const char *text)
{
	size_t n = 0;

	while (*text) {
		uint32_t code;
		size_t size = decode(text, &code);

		if (size && is_visible(code)) {
			ds_put_buffer(ds, text, size);
		} else {
			ds_put_char(ds, '?');
		}
		text += size ? size : 1;
		n++;
	}
	return n;
}

size_t printable_width(const char *text)
{
	size_t n = 0;

	for (; *text; text++) {
		n += ((uint8_t)*text & 0xc0) != 0x80;
	}
	return n;
}
