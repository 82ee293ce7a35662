#include "sleeve/frame.h"

#include <string.h>

#include "sleeve/bytes.h"

enum {
	ALL_FLAGS = FRAME_PARTIAL | FRAME_FOLLOWS | FRAME_PIECE | FRAME_MORE
};

enum err frame_header_get(struct span datagram, struct frame_header *h)
{
	const uint8_t *p = datagram.data;

	if (datagram.size <
	    SLEEVE_HEADER_BYTES + SLEEVE_INNER_BYTES + CIPHER_TAG_BYTES) {
		return ERR_TRUNCATED;
	}
	if (p[0] != FRAME_DATA) {
		return ERR_UNSUPPORTED;
	}
	if (p[1] || p[2] || p[3]) {
		return ERR_MALFORMED;
	}
	h->index = get_u32(p + 4);
	h->seq = (uint64_t)get_u32(p + 8) << 32 | get_u32(p + 12);
	return FDP_OK;
}

static struct aead_nonce nonce(const struct frame_key *key, uint64_t seq)
{
	return (struct aead_nonce){
		.initiator = key->initiator, .epoch = key->epoch, .seq = seq};
}

size_t frame_seal(const struct frame_key *key, unsigned int thread,
		  uint64_t seq, uint8_t *datagram, size_t inner)
{
	struct aead_nonce n = nonce(key, seq);
	uint8_t *text = datagram + SLEEVE_HEADER_BYTES;

	datagram[0] = FRAME_DATA;
	memset(datagram + 1, 0, 3);
	put_u32(datagram + 4, key->index);
	put_u32(datagram + 8, (uint32_t)(seq >> 32));
	put_u32(datagram + 12, (uint32_t)seq);
	cipher_seal(key->cipher, thread, &n, datagram, text, inner,
		    text + inner);
	return SLEEVE_HEADER_BYTES + inner + CIPHER_TAG_BYTES;
}

enum err frame_open(const struct frame_key *key, unsigned int thread,
		    const struct frame_header *h, uint8_t *datagram,
		    size_t size, struct frame_inner *inner)
{
	struct aead_nonce n = nonce(key, h->seq);
	uint8_t *text = datagram + SLEEVE_HEADER_BYTES;
	size_t n_text = size - SLEEVE_HEADER_BYTES - CIPHER_TAG_BYTES;
	enum err err = cipher_open(key->cipher, thread, &n, datagram, text,
				   n_text, text + n_text);

	if (err) {
		return err;
	}
	inner->vni = get_u32(text) >> 8;
	inner->ttl = text[3];
	inner->records =
		span_of(text + SLEEVE_INNER_BYTES, n_text - SLEEVE_INNER_BYTES);
	return FDP_OK;
}

void frame_inner_put(uint8_t *datagram, uint32_t vni, uint8_t ttl)
{
	put_u32(datagram + SLEEVE_HEADER_BYTES, vni << 8 | ttl);
}

enum err frame_record_get(struct span *records, uint8_t *flags,
			  struct span *body)
{
	struct span rest = *records;
	uint16_t size;
	uint8_t f;
	enum err err = span_u8(&rest, &f);

	if (!err) {
		err = span_u16(&rest, &size);
	}
	if (!err) {
		err = span_cut(&rest, size, body);
	}
	if (err) {
		return err;
	}
	if (f & ~ALL_FLAGS) {
		return ERR_MALFORMED;
	}
	if (f & FRAME_PIECE ? !size || rest.size
			    : size < SLEEVE_ETH_BYTES || f & FRAME_MORE) {
		return ERR_MALFORMED;
	}
	*flags = f;
	*records = rest;
	return FDP_OK;
}
