/* What a decision depended on.
 *
 * The pipeline notes a dep for everything it looked up, found or not; when the
 * thing changes, exactly the flows that noted it are translated again.  A dep
 * is a 64-bit hash: a collision costs one needless translation, no more. */
#ifndef FDP_DATAPATH_DEP_H
#define FDP_DATAPATH_DEP_H 1

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

typedef uint64_t dep_t;

dep_t dep_port(uint32_t port_no);
dep_t dep_mac(uint32_t vni, const struct mac *);
dep_t dep_ip(uint32_t vni, const struct ip_addr *);
/* The ports and peers that a network has: its replication list. */
dep_t dep_network(uint32_t vni);
/* A peer's tunnel, and through whom it is reached. */
dep_t dep_peer(uint32_t peer);
/* How frames of a peer spread over the mesh, as far as we are on their way. */
dep_t dep_tree(uint32_t peer);
/* Which peer has this tunnel address. */
dep_t dep_underlay(const struct ip_addr *);
/* Which port is the tunnel port. */
dep_t dep_tunnel(void);
/* Which port is the sleeve trunk, and whether it has VLANs left. */
dep_t dep_trunk(void);
/* Whose VLAN of the trunk that is. */
dep_t dep_vid(uint16_t vid);

/* A small growing set.  One with more than a handful of elements may hold some
 * of them twice for a while. */
struct deps {
	dep_t *v;
	size_t n, allocated;
};

void deps_init(struct deps *);
void deps_free(struct deps *);
void deps_clear(struct deps *);
/* Adds 'dep' unless it is in already. */
void deps_add(struct deps *, dep_t dep);

#endif
