/* A binding: the addresses of one endpoint in one network. */
#ifndef FDP_BASE_BINDING_H
#define FDP_BASE_BINDING_H 1

#include <stdint.h>

#include "base/addr.h"

enum { BINDING_MAX_IPS = 16 };

struct binding {
	uint32_t vni; /* 24 bits. */
	struct mac mac;
	uint8_t n_ips;
	struct ip_addr ips[BINDING_MAX_IPS];
};

#endif
