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

bool binding_is_valid(const struct binding *b)
{
	if (b->vni > VNI_MAX || mac_is_zero(&b->mac) || mac_is_group(&b->mac) ||
	    b->n_ips > BINDING_MAX_IPS) {
		return false;
	}
	for (size_t i = 0; i < b->n_ips; i++) {
		if (!ip_is_unicast(&b->ips[i])) {
			return false;
		}
	}
	return true;
}
