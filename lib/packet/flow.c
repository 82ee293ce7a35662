#include "packet/flow.h"

#include <stddef.h>

/* Do the 'size' bytes at 'a' and 'b' differ under 'mask'?  Without one, all
 * bits count. */
static bool bytes_differ(const uint8_t *a, const uint8_t *b,
			 const uint8_t *mask, size_t size)
{
	unsigned int any = 0;

	for (size_t i = 0; i < size; i++) {
		any |= (unsigned int)(a[i] ^ b[i]) & (mask ? mask[i] : 0xffu);
	}
	return any != 0;
}

/* Every field of struct flow but the tunnel, once. */
#define FLOW_INTS(X)  \
	X(in_port)    \
	X(vlan_tci)   \
	X(vlan_tpid)  \
	X(eth_type)   \
	X(nw_proto)   \
	X(nw_tos)     \
	X(nw_ttl)     \
	X(nw_frag)    \
	X(ipv6_label) \
	X(tp_src)     \
	X(tp_dst)     \
	X(tcp_flags)  \
	X(arp_op)
#define FLOW_BYTES(X) \
	X(eth_src)    \
	X(eth_dst)    \
	X(nw_src)     \
	X(nw_dst)     \
	X(arp_sha)    \
	X(arp_tha)    \
	X(nd_target)  \
	X(nd_sll)     \
	X(nd_tll)
#define TUNNEL_INTS(X) \
	X(tunnel.vni)  \
	X(tunnel.tos)  \
	X(tunnel.ttl)  \
	X(tunnel.flags)
#define TUNNEL_BYTES(X) \
	X(tunnel.src)   \
	X(tunnel.dst)

/* A tunnel that counts also counts with its address family: the kernel matches
 * it exactly (ip_tun_from_nlattr() in net/openvswitch/flow_netlink.c). */
static bool tunnels_equal(const struct flow *a, const struct flow *b,
			  const struct flow *mask)
{
	if (mask && !mask->tunnel.present) {
		return true;
	}
	if (a->tunnel.present != b->tunnel.present) {
		return false;
	}
	if (!a->tunnel.present && mask) {
		return true;
	}
	if (ip_is_v4(&a->tunnel.src) != ip_is_v4(&b->tunnel.src)) {
		return false;
	}
#define X(F)                                                 \
	if ((a->F ^ b->F) & (mask ? mask->F : UINT32_MAX)) { \
		return false;                                \
	}
	TUNNEL_INTS(X)
#undef X
#define X(F)                                                      \
	if (bytes_differ(a->F.b, b->F.b, mask ? mask->F.b : NULL, \
			 sizeof a->F.b)) {                        \
		return false;                                     \
	}
	TUNNEL_BYTES(X)
#undef X
	return true;
}

static bool equal(const struct flow *a, const struct flow *b,
		  const struct flow *mask)
{
#define X(F)                                                 \
	if ((a->F ^ b->F) & (mask ? mask->F : UINT32_MAX)) { \
		return false;                                \
	}
	FLOW_INTS(X)
#undef X
#define X(F)                                                      \
	if (bytes_differ(a->F.b, b->F.b, mask ? mask->F.b : NULL, \
			 sizeof a->F.b)) {                        \
		return false;                                     \
	}
	FLOW_BYTES(X)
#undef X
	return tunnels_equal(a, b, mask);
}

bool flow_equal_masked(const struct flow *a, const struct flow *b,
		       const struct flow *mask)
{
	return equal(a, b, mask);
}

bool flow_equal(const struct flow *a, const struct flow *b)
{
	return equal(a, b, NULL);
}
