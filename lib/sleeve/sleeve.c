#include "sleeve/sleeve.h"

#include <string.h>

/* 100::/64 */
static const uint8_t prefix[12] = {1};

struct ip_addr sleeve_addr(uint32_t peer)
{
	struct ip_addr a = {{0}};

	memcpy(a.b, prefix, sizeof prefix);
	for (unsigned int i = 0; i < 4; i++) {
		a.b[12 + i] = (uint8_t)(peer >> (24 - 8 * i));
	}
	return a;
}

enum err sleeve_addr_peer(const struct ip_addr *a, uint32_t *peer)
{
	if (memcmp(a->b, prefix, sizeof prefix)) {
		return ERR_RANGE;
	}
	*peer = (uint32_t)a->b[12] << 24 | (uint32_t)a->b[13] << 16 |
		(uint32_t)a->b[14] << 8 | a->b[15];
	return FDP_OK;
}
