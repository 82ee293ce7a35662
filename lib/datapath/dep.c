#include "datapath/dep.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "util.h"

/* Up to this size a set is searched before it is added to. */
#define SMALL 16

enum kind {
	KIND_PORT,
	KIND_MAC,
	KIND_IP,
	KIND_NETWORK,
	KIND_PEER,
	KIND_UNDERLAY,
	KIND_TUNNEL,
	KIND_TREE,
	KIND_TRUNK,
	KIND_VID
};

/* A hash of 'kind', 'number' and 'size' (at most 16) bytes. */
static dep_t dep(enum kind kind, uint32_t number, const void *bytes,
		 size_t size)
{
	uint32_t words[6] = {(uint32_t)kind, number};
	ovs_u128 hash;

	if (size) {
		memcpy(words + 2, bytes, size);
	}
	hash_bytes128(words, sizeof words, 0, &hash);
	return hash.u64.lo;
}

dep_t dep_port(uint32_t port_no)
{
	return dep(KIND_PORT, port_no, NULL, 0);
}

dep_t dep_mac(uint32_t vni, const struct mac *mac)
{
	return dep(KIND_MAC, vni, mac->b, sizeof mac->b);
}

dep_t dep_ip(uint32_t vni, const struct ip_addr *ip)
{
	return dep(KIND_IP, vni, ip->b, sizeof ip->b);
}

dep_t dep_network(uint32_t vni)
{
	return dep(KIND_NETWORK, vni, NULL, 0);
}

dep_t dep_peer(uint32_t peer)
{
	return dep(KIND_PEER, peer, NULL, 0);
}

dep_t dep_tree(uint32_t peer)
{
	return dep(KIND_TREE, peer, NULL, 0);
}

dep_t dep_underlay(const struct ip_addr *remote)
{
	return dep(KIND_UNDERLAY, 0, remote->b, sizeof remote->b);
}

dep_t dep_tunnel(void)
{
	return dep(KIND_TUNNEL, 0, NULL, 0);
}

dep_t dep_trunk(void)
{
	return dep(KIND_TRUNK, 0, NULL, 0);
}

dep_t dep_vid(uint16_t vid)
{
	return dep(KIND_VID, vid, NULL, 0);
}

void deps_init(struct deps *ds)
{
	memset(ds, 0, sizeof *ds);
}

void deps_free(struct deps *ds)
{
	free(ds->v);
	deps_init(ds);
}

void deps_clear(struct deps *ds)
{
	ds->n = 0;
}

static int compare(const void *a_, const void *b_)
{
	const dep_t *a = a_, *b = b_;

	return *a < *b ? -1 : *a > *b;
}

static void drop_duplicates(struct deps *ds)
{
	size_t n = 0;

	qsort(ds->v, ds->n, sizeof *ds->v, compare);
	for (size_t i = 0; i < ds->n; i++) {
		if (!n || ds->v[i] != ds->v[n - 1]) {
			ds->v[n++] = ds->v[i];
		}
	}
	ds->n = n;
}

void deps_add(struct deps *ds, dep_t d)
{
	/* What was added last is the likeliest to come again. */
	size_t oldest = ds->n > SMALL ? ds->n - SMALL : 0;

	for (size_t i = ds->n; i-- > oldest;) {
		if (ds->v[i] == d) {
			return;
		}
	}
	if (ds->n == ds->allocated) {
		if (ds->n > SMALL) {
			drop_duplicates(ds);
		}
		/* Unless that made room, double: either way the next n/2
		 * additions are cheap. */
		if (ds->n >= ds->allocated / 2) {
			ds->allocated = ds->allocated ? ds->allocated * 2 : 8;
			ds->v = xrealloc(ds->v, ds->allocated * sizeof *ds->v);
		}
	}
	ds->v[ds->n++] = d;
}
