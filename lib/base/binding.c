#include "base/binding.h"

#include <stddef.h>
#include <string.h>

bool binding_key_equal(const struct binding_key *a, const struct binding_key *b)
{
	return a->vni == b->vni && mac_equal(&a->mac, &b->mac);
}

bool binding_equal(const struct binding *a, const struct binding *b)
{
	if (a->vni != b->vni || !mac_equal(&a->mac, &b->mac) ||
	    a->n_ips != b->n_ips) {
		return false;
	}
	for (size_t i = 0; i < a->n_ips; i++) {
		if (!ip_equal(&a->ips[i], &b->ips[i])) {
			return false;
		}
	}
	return true;
}

/* May a station have it?  Not 0.0.0.0, which says "none yet", and not the
 * broadcast address (RFC 1122 3.2.1.3). */
static bool is_unicast(const struct ip_addr *ip)
{
	static const uint8_t none[4], all[4] = {255, 255, 255, 255};

	if (ip_is_zero(ip) || ip_addr_is_multicast(ip)) {
		return false;
	}
	return !ip_is_v4(ip) || (memcmp(ip_v4_bytes(ip), none, sizeof none) &&
				 memcmp(ip_v4_bytes(ip), all, sizeof all));
}

bool binding_is_valid(const struct binding *b)
{
	if (b->vni > VNI_MAX || mac_is_zero(&b->mac) || mac_is_group(&b->mac) ||
	    b->n_ips > BINDING_MAX_IPS) {
		return false;
	}
	for (size_t i = 0; i < b->n_ips; i++) {
		if (!is_unicast(&b->ips[i])) {
			return false;
		}
	}
	return true;
}
