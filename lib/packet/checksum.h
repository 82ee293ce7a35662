/* The Internet checksum (RFC 1071): of IPv4 headers, and of what TCP, UDP and
 * ICMPv6 lay over a pseudo header. */
#ifndef FDP_PACKET_CHECKSUM_H
#define FDP_PACKET_CHECKSUM_H 1

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct checksum {
	uint64_t sum;
};

#define CHECKSUM_INITIALIZER \
	{                    \
		0            \
	}

/* Every piece but the last must have an even number of bytes. */
void checksum_add(struct checksum *, const uint8_t *data, size_t size);

/* The pseudo headers of RFC 9293 3.1 and RFC 8200 8.1 for a payload of 'size'
 * bytes with its own header. */
void checksum_pseudo4(struct checksum *, const struct ip_addr *src,
		      const struct ip_addr *dst, uint8_t proto, size_t size);
void checksum_pseudo6(struct checksum *, const struct ip_addr *src,
		      const struct ip_addr *dst, uint8_t proto, size_t size);

/* The checksum in host order; 0 if what was added contained a right one. */
uint16_t checksum_value(const struct checksum *);
/* Writes it to the two bytes at 'to', which were added as zero. */
void checksum_store(const struct checksum *, uint8_t *to);

#endif
