#include "packet/toobig.h"

#include "packet/checksum.h"
#include "packet/flow.h"

enum {
	ETH_ADDRESSES = 12,
	TAGS_MAX = 2,

	IP4_BYTES = 20,
	ICMP_UNREACHABLE = 3,
	ICMP_FRAG_NEEDED = 4,
	/* RFC 1812 4.3.2.3: as much of the packet as makes 576 bytes. */
	IP4_QUOTE_MAX = 576 - IP4_BYTES - 8,

	IP6_BYTES = 40,
	ICMP6_TOO_BIG = 2,
	ICMP6_INFORMATIONAL = 128, /* Errors are below. */
	IP6_MTU_MIN = 1280,
	IP6_QUOTE_MAX = IP6_MTU_MIN - IP6_BYTES - 8,

	HOP_LIMIT = 64
};

/* A packet that was too large. */
struct question {
	struct span link; /* Ethernet header with tags. */
	struct span ip;	  /* All behind it. */
	uint16_t type;
};

static enum err read_link(struct span frame, struct question *q)
{
	struct span in = frame, skipped;
	enum err err = span_cut(&in, ETH_ADDRESSES, &skipped);

	for (unsigned int tags = 0; !err; tags++) {
		err = span_u16(&in, &q->type);
		if (err ||
		    (q->type != ETH_TYPE_VLAN && q->type != ETH_TYPE_QINQ)) {
			break;
		}
		err = tags < TAGS_MAX ? span_cut(&in, 2, &skipped)
				      : ERR_REFUSED;
	}
	if (!err) {
		q->link = span_of(frame.data, frame.size - in.size);
		q->ip = in;
	}
	return err;
}

/* Whom an error may be sent to (RFC 1122 3.2.2): one station. */
static bool may_answer(const struct question *q, const struct ip_addr *src,
		       const struct ip_addr *dst)
{
	struct mac to, from;

	memcpy(to.b, q->link.data, sizeof to.b);
	memcpy(from.b, q->link.data + sizeof to.b, sizeof from.b);
	return !mac_is_group(&to) && !mac_is_group(&from) && !ip_is_zero(src) &&
	       ip_is_unicast(src) && !ip_addr_is_multicast(src) &&
	       ip_is_unicast(dst) && !ip_addr_is_multicast(dst);
}

static void put_link(struct wbuf *out, const struct question *q)
{
	wbuf_bytes(out, q->link.data + 6, 6);
	wbuf_bytes(out, q->link.data, 6);
	wbuf_bytes(out, q->link.data + ETH_ADDRESSES,
		   q->link.size - ETH_ADDRESSES);
}

static enum err reply4(const struct question *q, uint32_t mtu, struct wbuf *out)
{
	struct checksum sum = CHECKSUM_INITIALIZER;
	struct wbuf head = WBUF_INITIALIZER(0), icmp = WBUF_INITIALIZER(0);
	const uint8_t *ip = q->ip.data;
	struct ip_addr src, dst;
	size_t header, quote;

	if (q->ip.size < IP4_BYTES) {
		return ERR_TRUNCATED;
	}
	src = ip_from_v4(ip + 12);
	dst = ip_from_v4(ip + 16);
	header = (size_t)(ip[0] & 15) * 4;
	if (ip[0] >> 4 != 4 || header < IP4_BYTES || !(ip[6] & 0x40) ||
	    ip[6] & 0x1f || ip[7] || !may_answer(q, &src, &dst)) {
		return ERR_REFUSED;
	}
	if (q->ip.size < header + 8) {
		return ERR_TRUNCATED;
	}
	if (ip[9] == IP_PROTO_ICMP && ip[header] != 0 && ip[header] != 8 &&
	    !(ip[header] >= 13 && ip[header] <= 18)) {
		return ERR_REFUSED; /* Only queries and their answers. */
	}
	quote = q->ip.size < IP4_QUOTE_MAX ? q->ip.size : IP4_QUOTE_MAX;
	wbuf_u8(&icmp, ICMP_UNREACHABLE);
	wbuf_u8(&icmp, ICMP_FRAG_NEEDED);
	wbuf_u32(&icmp, 0); /* Checksum, unused. */
	wbuf_u16(&icmp, (uint16_t)(mtu < UINT16_MAX ? mtu : UINT16_MAX));
	wbuf_bytes(&icmp, ip, quote);
	checksum_add(&sum, icmp.data, icmp.size);
	checksum_store(&sum, icmp.data + 2);

	wbuf_u16(&head, 0x45c0); /* Internetwork control (RFC 1812 4.3.2.5). */
	wbuf_u16(&head, (uint16_t)(IP4_BYTES + icmp.size));
	wbuf_u32(&head, 0);
	wbuf_u8(&head, HOP_LIMIT);
	wbuf_u8(&head, IP_PROTO_ICMP);
	wbuf_u16(&head, 0);
	wbuf_bytes(&head, ip + 16, 4);
	wbuf_bytes(&head, ip + 12, 4);
	sum = (struct checksum)CHECKSUM_INITIALIZER;
	checksum_add(&sum, head.data, head.size);
	checksum_store(&sum, head.data + 10);

	put_link(out, q);
	wbuf_bytes(out, head.data, head.size);
	wbuf_bytes(out, icmp.data, icmp.size);
	wbuf_free(&head);
	wbuf_free(&icmp);
	return wbuf_done(out);
}

static enum err reply6(const struct question *q, uint32_t mtu, struct wbuf *out)
{
	struct checksum sum = CHECKSUM_INITIALIZER;
	struct wbuf icmp = WBUF_INITIALIZER(0);
	const uint8_t *ip = q->ip.data;
	struct ip_addr src, dst;
	size_t quote;

	if (q->ip.size < IP6_BYTES + 8) {
		return ERR_TRUNCATED;
	}
	src = ip_from_v6(ip + 8);
	dst = ip_from_v6(ip + 24);
	if (ip[0] >> 4 != 6 || !may_answer(q, &src, &dst) ||
	    (ip[6] == IP_PROTO_ICMPV6 && ip[IP6_BYTES] < ICMP6_INFORMATIONAL)) {
		return ERR_REFUSED;
	}
	quote = q->ip.size < IP6_QUOTE_MAX ? q->ip.size : IP6_QUOTE_MAX;
	wbuf_u8(&icmp, ICMP6_TOO_BIG);
	wbuf_u8(&icmp, 0);
	wbuf_u16(&icmp, 0);
	wbuf_u32(&icmp, mtu > IP6_MTU_MIN ? mtu : IP6_MTU_MIN);
	wbuf_bytes(&icmp, ip, quote);
	checksum_pseudo6(&sum, &dst, &src, IP_PROTO_ICMPV6, icmp.size);
	checksum_add(&sum, icmp.data, icmp.size);
	checksum_store(&sum, icmp.data + 2);

	put_link(out, q);
	wbuf_u32(out, 6u << 28);
	wbuf_u16(out, (uint16_t)icmp.size);
	wbuf_u8(out, IP_PROTO_ICMPV6);
	wbuf_u8(out, HOP_LIMIT);
	wbuf_bytes(out, dst.b, sizeof dst.b);
	wbuf_bytes(out, src.b, sizeof src.b);
	wbuf_bytes(out, icmp.data, icmp.size);
	wbuf_free(&icmp);
	return wbuf_done(out);
}

enum err toobig_reply(struct span frame, uint32_t mtu, struct wbuf *out)
{
	struct question q = {.type = 0};
	enum err err = read_link(frame, &q);

	if (err) {
		return err;
	}
	switch (q.type) {
	case ETH_TYPE_IPV4:
		return reply4(&q, mtu, out);
	case ETH_TYPE_IPV6:
		return reply6(&q, mtu, out);
	default:
		return ERR_REFUSED;
	}
}
