#include "packet/fragment.h"

#include <string.h>

#include "packet/checksum.h"
#include "packet/flow.h"
#include "util.h"

enum {
	ETH_BYTES = 14,
	IP_BYTES = 20,

	DONT_FRAGMENT = 0x4000,
	MORE_FRAGMENTS = 0x2000,
	OFFSET_MASK = 0x1fff, /* In units of 8 bytes. */
	OFFSET_UNIT = 8,

	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_COPIED = 0x80
};

static uint16_t get_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void put_u16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Options that only the first fragment has become padding in the others. */
static void blank_options(uint8_t *options, size_t size)
{
	size_t i = 0;

	while (i < size && options[i] != OPTION_END) {
		size_t length = options[i] == OPTION_NOP ? 1
				: i + 1 < size		 ? options[i + 1]
							 : 0;

		if (!length || length > size - i ||
		    (length == 1 && options[i] != OPTION_NOP)) {
			break; /* Not well formed: whoever gets it will see. */
		}
		if (!(options[i] & OPTION_COPIED)) {
			memset(options + i, OPTION_NOP, length);
		}
		i += length;
	}
}

enum err fragment_ipv4(struct span frame, uint32_t mtu,
		       void (*each)(void *aux, struct span fragment), void *aux)
{
	const uint8_t *ip = frame.data + ETH_BYTES;
	struct wbuf out = WBUF_INITIALIZER(0);
	size_t header, total, piece;
	uint16_t flags;

	if (frame.size < ETH_BYTES + IP_BYTES ||
	    get_u16(ip - 2) != ETH_TYPE_IPV4) {
		return ERR_REFUSED;
	}
	header = (size_t)(ip[0] & 15) * 4;
	total = get_u16(ip + 2);
	flags = get_u16(ip + 6);
	if (flags & DONT_FRAGMENT) {
		return ERR_REFUSED;
	}
	if (ip[0] >> 4 != 4 || header < IP_BYTES || total < header ||
	    total > frame.size - ETH_BYTES) {
		return ERR_MALFORMED;
	}
	if (mtu < FRAGMENT_MTU_MIN) {
		return ERR_RANGE;
	}
	piece = (mtu - header) / OFFSET_UNIT * OFFSET_UNIT;
	for (size_t done = 0; !done || done < total - header; done += piece) {
		size_t n = MIN(piece, total - header - done);
		size_t offset = (flags & OFFSET_MASK) + done / OFFSET_UNIT;
		bool last = done + n == total - header;
		struct checksum sum = CHECKSUM_INITIALIZER;
		uint8_t *head;

		wbuf_clear(&out);
		wbuf_bytes(&out, frame.data, ETH_BYTES + header);
		wbuf_bytes(&out, ip + header + done, n);
		head = out.data + ETH_BYTES;
		if (done) {
			blank_options(head + IP_BYTES, header - IP_BYTES);
		}
		put_u16(head + 2, header + n);
		put_u16(head + 6, offset | (last ? flags & MORE_FRAGMENTS
						 : MORE_FRAGMENTS));
		put_u16(head + 10, 0);
		checksum_add(&sum, head, header);
		checksum_store(&sum, head + 10);
		each(aux, wbuf_span(&out));
	}
	wbuf_free(&out);
	return FDP_OK;
}
