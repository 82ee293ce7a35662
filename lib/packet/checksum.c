#include "packet/checksum.h"

#include <arpa/inet.h>
#include <string.h>

/* The sum of whole words in whatever byte order they have here is the right one
 * with its bytes swapped or not (RFC 1071 2 B). */
static uint16_t sum_words(const uint8_t *data, size_t size)
{
	uint64_t sum = 0;
	uint32_t word;

	for (size_t i = 0; i < size; i += sizeof word) {
		memcpy(&word, data + i, sizeof word);
		sum += word;
	}
	while (sum >> 16) {
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return ntohs((uint16_t)sum);
}

void checksum_add(struct checksum *c, const uint8_t *data, size_t size)
{
	size_t words = size & ~(sizeof(uint32_t) - 1);

	c->sum += sum_words(data, words);
	for (size_t i = words; i + 1 < size; i += 2) {
		c->sum += (uint64_t)data[i] << 8 | data[i + 1];
	}
	if (size % 2) {
		c->sum += (uint64_t)data[size - 1] << 8;
	}
}

void checksum_pseudo4(struct checksum *c, const struct ip_addr *src,
		      const struct ip_addr *dst, uint8_t proto, size_t size)
{
	checksum_add(c, ip_v4_bytes(src), 4);
	checksum_add(c, ip_v4_bytes(dst), 4);
	c->sum += proto + (uint64_t)size;
}

void checksum_pseudo6(struct checksum *c, const struct ip_addr *src,
		      const struct ip_addr *dst, uint8_t proto, size_t size)
{
	checksum_add(c, src->b, sizeof src->b);
	checksum_add(c, dst->b, sizeof dst->b);
	c->sum += proto + (uint64_t)size;
}

uint16_t checksum_value(const struct checksum *c)
{
	uint64_t sum = c->sum;

	while (sum >> 16) {
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)~sum;
}

void checksum_store(const struct checksum *c, uint8_t *to)
{
	uint16_t value = checksum_value(c);

	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}
