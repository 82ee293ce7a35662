#include "sleeve/vnet.h"

#include <string.h>

#include "packet/checksum.h"
#include "packet/flow.h"
#include "sleeve/bytes.h"

enum {
	ETH_ADDRESSES = 12,
	TAG_BYTES = 4,
	TAGS_MAX = 2,
	IP4_BYTES = 20,
	IP6_BYTES = 40,
	IP6_HOP_BY_HOP = 0,
	IP6_DESTINATION = 60,
	TCP_BYTES = 20,
	TCP_CSUM = 16,
	UDP_BYTES = 8,
	UDP_CSUM = 6
};

static enum err find_l3(struct span f, size_t *at, uint16_t *type)
{
	*at = ETH_ADDRESSES;
	for (unsigned int tags = 0;; tags++) {
		if (f.size < *at + 2) {
			return ERR_TRUNCATED;
		}
		*type = get_u16(f.data + *at);
		*at += 2;
		if (*type != ETH_TYPE_VLAN && *type != ETH_TYPE_QINQ) {
			return FDP_OK;
		}
		if (tags == TAGS_MAX) {
			return ERR_UNSUPPORTED;
		}
		*at += 2;
	}
}

/* 'at' is that of the IP header, then that of what follows it. */
static enum err skip_ip4(struct span f, size_t *at, struct vnet_l4 *l)
{
	const uint8_t *ip = f.data + *at;
	size_t header;

	if (f.size < *at + IP4_BYTES) {
		return ERR_TRUNCATED;
	}
	header = (size_t)(ip[0] & 15) * 4;
	if (ip[0] >> 4 != 4 || header < IP4_BYTES ||
	    get_u16(ip + 6) & 0x3fff) { /* More fragments, offset. */
		return ERR_UNSUPPORTED;
	}
	l->proto = ip[9];
	l->size = (uint32_t)*at + get_u16(ip + 2);
	*at += header;
	return FDP_OK;
}

static enum err skip_ip6(struct span f, size_t *at, struct vnet_l4 *l)
{
	const uint8_t *ip = f.data + *at;

	if (f.size < *at + IP6_BYTES) {
		return ERR_TRUNCATED;
	}
	if (ip[0] >> 4 != 6) {
		return ERR_UNSUPPORTED;
	}
	l->v6 = true;
	l->proto = ip[6];
	l->size = (uint32_t)*at + IP6_BYTES + get_u16(ip + 4);
	*at += IP6_BYTES;
	while ((l->proto == IP6_HOP_BY_HOP || l->proto == IP6_DESTINATION) &&
	       *at < VNET_HEADERS_MAX) {
		if (f.size < *at + 2) {
			return ERR_TRUNCATED;
		}
		l->proto = f.data[*at];
		*at += ((size_t)f.data[*at + 1] + 1) * 8;
	}
	return FDP_OK;
}

enum err vnet_find_l4(struct span f, struct vnet_l4 *out)
{
	struct vnet_l4 l = {0};
	uint16_t type;
	size_t at, header;
	enum err err = find_l3(f, &at, &type);

	if (err) {
		return err;
	}
	l.l3 = (uint16_t)at;
	if (type == ETH_TYPE_IPV4) {
		err = skip_ip4(f, &at, &l);
	} else if (type == ETH_TYPE_IPV6) {
		err = skip_ip6(f, &at, &l);
	} else {
		err = ERR_UNSUPPORTED;
	}
	if (err) {
		return err;
	}
	if (at > VNET_HEADERS_MAX) {
		return ERR_UNSUPPORTED;
	}
	l.l4 = (uint16_t)at;
	if (l.proto == IP_PROTO_TCP) {
		if (f.size < at + TCP_BYTES) {
			return ERR_TRUNCATED;
		}
		header = (size_t)(f.data[at + 12] >> 4) * 4;
		if (header < TCP_BYTES) {
			return ERR_UNSUPPORTED;
		}
		l.csum = (uint16_t)(at + TCP_CSUM);
	} else if (l.proto == IP_PROTO_UDP) {
		header = UDP_BYTES;
		l.csum = (uint16_t)(at + UDP_CSUM);
	} else {
		return ERR_UNSUPPORTED;
	}
	if (f.size < at + header || l.size < at + header) {
		return ERR_TRUNCATED;
	}
	if (at + header > VNET_HEADERS_MAX) {
		return ERR_UNSUPPORTED;
	}
	l.payload = (uint16_t)(at + header);
	*out = l;
	return FDP_OK;
}

static void add_pseudo(struct checksum *sum, const uint8_t *frame,
		       const struct vnet_l4 *l, size_t size)
{
	const uint8_t *ip = frame + l->l3;

	sum->sum += l->proto + (uint64_t)size;
	if (l->v6) {
		checksum_add(sum, ip + 8, 32);
	} else {
		checksum_add(sum, ip + 12, 8);
	}
}

uint16_t vnet_pseudo_sum(const uint8_t *frame, const struct vnet_l4 *l,
			 size_t size)
{
	struct checksum sum = CHECKSUM_INITIALIZER;

	add_pseudo(&sum, frame, l, size);
	return (uint16_t)~checksum_value(&sum);
}

void vnet_set_length(uint8_t *frame, const struct vnet_l4 *l, size_t size)
{
	struct checksum sum = CHECKSUM_INITIALIZER;
	uint8_t *ip = frame + l->l3;

	if (l->v6) {
		put_u16(ip + 4, (uint16_t)(size - l->l3 - IP6_BYTES));
		return;
	}
	put_u16(ip + 2, (uint16_t)(size - l->l3));
	put_u16(ip + 10, 0);
	checksum_add(&sum, ip, (size_t)(ip[0] & 15) * 4);
	checksum_store(&sum, ip + 10);
}

bool vnet_is_right(struct span frame, const struct vnet_l4 *l)
{
	struct checksum sum = CHECKSUM_INITIALIZER;

	if (frame.size != l->size) {
		return false;
	}
	add_pseudo(&sum, frame.data, l, frame.size - l->l4);
	checksum_add(&sum, frame.data + l->l4, frame.size - l->l4);
	return checksum_value(&sum) == 0;
}

enum err vnet_complete(const struct vnet_hdr *h, uint8_t *frame, size_t size)
{
	struct checksum sum = CHECKSUM_INITIALIZER;
	size_t at = (size_t)h->csum_start + h->csum_offset;
	uint16_t value;

	if (at + 2 > size) {
		return ERR_MALFORMED;
	}
	checksum_add(&sum, frame + h->csum_start, size - h->csum_start);
	value = checksum_value(&sum);
	/* Zero would mean "none" to UDP (RFC 768), and is the same to TCP. */
	put_u16(frame + at, value ? value : UINT16_MAX);
	return FDP_OK;
}

uint8_t *vnet_untag(uint8_t *at, size_t *size, uint16_t *tci)
{
	uint8_t *frame = at + VNET_BYTES;
	struct vnet_hdr h;

	if (*size < VNET_BYTES + ETH_ADDRESSES + TAG_BYTES + 2 ||
	    get_u16(frame + ETH_ADDRESSES) != ETH_TYPE_VLAN) {
		return NULL;
	}
	memcpy(&h, at, sizeof h);
	if (h.flags & VNET_NEEDS_CSUM) {
		if (h.csum_start < ETH_ADDRESSES + TAG_BYTES + 2) {
			return NULL;
		}
		h.csum_start = (uint16_t)(h.csum_start - TAG_BYTES);
	}
	if (h.hdr_len >= TAG_BYTES) {
		h.hdr_len = (uint16_t)(h.hdr_len - TAG_BYTES);
	}
	*tci = get_u16(frame + ETH_ADDRESSES + 2);
	memmove(frame + TAG_BYTES, frame, ETH_ADDRESSES);
	memcpy(at + TAG_BYTES, &h, sizeof h);
	*size -= TAG_BYTES;
	return at + TAG_BYTES;
}
