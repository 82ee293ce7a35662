/* A binding: in network 'vni' the station 'mac', with the addresses 'ips',
 * lives behind one peer.  Which peer is not part of it: the owner of the list
 * that a binding stands in says that.  Plain data without pointers, at home in
 * messages, mesh records and the forwarding table alike.
 */
#ifndef FDP_BASE_BINDING_H
#define FDP_BASE_BINDING_H 1

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

enum {
	BINDING_MAX_IPS = 16,
	VNI_MAX = 0xffffff /* 24 bits, RFC 7348 5. */
};

struct binding {
	uint32_t vni;	/* 0 to VNI_MAX. */
	struct mac mac; /* Unicast, not zero. */
	uint8_t n_ips;	/* 0 to BINDING_MAX_IPS. */
	struct ip_addr ips[BINDING_MAX_IPS];
};

/* What a binding is found by: there is one per network and MAC. */
struct binding_key {
	uint32_t vni;
	struct mac mac;
};

static inline struct binding_key binding_key(const struct binding *b)
{
	return (struct binding_key){.vni = b->vni, .mac = b->mac};
}

bool binding_key_equal(const struct binding_key *, const struct binding_key *);

/* Same key and same addresses in the same order. */
bool binding_equal(const struct binding *, const struct binding *);

/* Is it a binding that may be announced: VNI in range, unicast MAC, at most
 * BINDING_MAX_IPS addresses, each unicast and none zero? */
bool binding_is_valid(const struct binding *);

#endif
