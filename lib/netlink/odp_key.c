/* Flow keys, masks and actions as attributes of the Open vSwitch datapath.
 *
 * What the kernel demands (net/openvswitch/flow_netlink.c, match_validate()
 * and around): a key names every header that its ethertype and protocol imply,
 * with ETHERNET always, or the flow is one of layer 3 packets; a mask may leave
 * out what it does not match, but no network address without the exact
 * ethertype and no port without the exact protocol.
 */
#include "netlink/odp.h"

#include <string.h>

#include <linux/openvswitch.h>

#include "util.h"

#include "netlink/nlmsg.h"

enum {
	ETH_TYPE_MPLS = 0x8847,
	ETH_TYPE_MPLS_MULTICAST = 0x8848,
	ETH_TYPE_NSH = 0x894f,

	VLAN_CFI = 0x1000,
	VLAN_VID_MASK = 0xfff,
	VLAN_PCP_SHIFT = 13,
	VNI_MASK = 0xffffff,
	IPV6_LABEL_MASK = 0xfffff,
	TCP_FLAGS_MASK = 0xfff
};

/* ---- shapes ----------------------------------------------------------- */

static bool is_vlan_type(uint16_t eth_type)
{
	return eth_type == ETH_TYPE_VLAN || eth_type == ETH_TYPE_QINQ;
}

static bool is_tagged(const struct flow *f)
{
	return f->vlan_tci & VLAN_CFI;
}

/* The kernel parses RARP as ARP. */
static bool is_arp(const struct flow *f)
{
	return f->eth_type == ETH_TYPE_ARP || f->eth_type == ETH_TYPE_RARP;
}

static bool is_ip(const struct flow *f)
{
	return f->eth_type == ETH_TYPE_IPV4 || f->eth_type == ETH_TYPE_IPV6;
}

/* The attribute of the transport header, 0 if the key has none. */
static uint16_t l4_attr(const struct flow *f)
{
	if (!is_ip(f) || !flow_has_l4(f)) {
		return 0;
	}
	switch (f->nw_proto) {
	case IP_PROTO_TCP:
		return OVS_KEY_ATTR_TCP;
	case IP_PROTO_UDP:
		return OVS_KEY_ATTR_UDP;
	case IP_PROTO_SCTP:
		return OVS_KEY_ATTR_SCTP;
	case IP_PROTO_ICMP:
		return f->eth_type == ETH_TYPE_IPV4 ? OVS_KEY_ATTR_ICMP : 0;
	case IP_PROTO_ICMPV6:
		return f->eth_type == ETH_TYPE_IPV6 ? OVS_KEY_ATTR_ICMPV6 : 0;
	default:
		return 0;
	}
}

/* ---- masks ------------------------------------------------------------ */

/* The mask of an address: of IPv4 only the last four bytes count. */
static struct ip_addr mask_ip(const struct ip_addr *mask, bool v4)
{
	struct ip_addr ip = {{0}};
	size_t from = v4 ? 12 : 0;

	memcpy(ip.b + from, mask->b + from, sizeof ip.b - from);
	return ip;
}

static void complete_tunnel(const struct flow_tunnel *key,
			    const struct flow_tunnel *m,
			    struct flow_tunnel *out)
{
	bool v4 = ip_is_v4(&key->dst);

	if (!key->present || !m->present) {
		return;
	}
	out->src = mask_ip(&m->src, v4);
	out->dst = mask_ip(&m->dst, v4);
	out->vni = m->vni & VNI_MASK;
	out->tos = m->tos;
	out->ttl = m->ttl;
	/* A tunnel id can only be matched together with its presence. */
	out->flags = (uint8_t)(m->flags | (out->vni ? FLOW_TNL_KEY : 0));
	out->present = out->flags || out->tos || out->ttl ||
		       !ip_is_zero(&out->src) || !ip_is_zero(&out->dst);
}

static void complete_l4(const struct flow *key, const struct flow *m,
			struct flow *out)
{
	bool icmp = false;

	switch (l4_attr(key)) {
	case 0:
		return;
	case OVS_KEY_ATTR_ICMP:
	case OVS_KEY_ATTR_ICMPV6:
		icmp = true;
		break;
	default:
		break;
	}
	out->tp_src = icmp ? m->tp_src & 0xff : m->tp_src;
	out->tp_dst = icmp ? m->tp_dst & 0xff : m->tp_dst;
	if (key->nw_proto == IP_PROTO_TCP) {
		out->tcp_flags = m->tcp_flags & TCP_FLAGS_MASK;
	}
	if (flow_is_nd(key)) {
		out->nd_target = m->nd_target;
		out->nd_sll = m->nd_sll;
		out->nd_tll = m->nd_tll;
		if (!ip_is_zero(&out->nd_target) ||
		    !mac_is_zero(&out->nd_sll) || !mac_is_zero(&out->nd_tll)) {
			out->tp_src = 0xff;
		}
	}
	if (out->tp_src || out->tp_dst || out->tcp_flags) {
		out->nw_proto = UINT8_MAX;
	}
}

static void complete_l3(const struct flow *key, const struct flow *m,
			struct flow *out)
{
	bool v4 = key->eth_type != ETH_TYPE_IPV6;

	if (!is_ip(key) && !is_arp(key)) {
		return;
	}
	out->nw_src = mask_ip(&m->nw_src, v4);
	out->nw_dst = mask_ip(&m->nw_dst, v4);
	if (is_arp(key)) {
		/* The kernel keeps the low byte of the operation. */
		out->arp_op = m->arp_op & 0xff;
		out->arp_sha = m->arp_sha;
		out->arp_tha = m->arp_tha;
	} else {
		out->nw_proto = m->nw_proto;
		out->nw_tos = m->nw_tos;
		out->nw_ttl = m->nw_ttl;
		/* Partly would do, but ovs-dpctl cannot print that. */
		out->nw_frag = m->nw_frag ? UINT8_MAX : 0;
		out->ipv6_label = v4 ? 0 : m->ipv6_label & IPV6_LABEL_MASK;
		complete_l4(key, m, out);
	}
	if (!ip_is_zero(&out->nw_src) || !ip_is_zero(&out->nw_dst) ||
	    out->arp_op || !mac_is_zero(&out->arp_sha) ||
	    !mac_is_zero(&out->arp_tha) || out->nw_proto || out->nw_tos ||
	    out->nw_ttl || out->nw_frag || out->ipv6_label) {
		out->eth_type = UINT16_MAX;
	}
}

void odp_complete_mask(const struct flow *key, const struct flow *mask,
		       struct flow *out)
{
	struct flow m;

	memset(&m, 0, sizeof m);
	m.in_port = UINT32_MAX;
	complete_tunnel(&key->tunnel, &mask->tunnel, &m.tunnel);
	m.eth_src = mask->eth_src;
	m.eth_dst = mask->eth_dst;
	m.vlan_tci = VLAN_CFI; /* Tags have it, its absence is no tag. */
	if (is_tagged(key)) {
		m.vlan_tci |= mask->vlan_tci;
		m.vlan_tpid = UINT16_MAX;
	}
	/* A second tag can only be skipped by matching that it is there. */
	if (mask->eth_type || is_vlan_type(key->eth_type)) {
		m.eth_type = UINT16_MAX;
	}
	complete_l3(key, mask, &m);
	*out = m;
}

/* ip_tun_from_nlattr() in net/openvswitch/flow_netlink.c: any will do under a
 * mask that does not look at it. */
void odp_complete_key(struct flow *key)
{
	if (key->tunnel.present && ip_is_zero(&key->tunnel.dst)) {
		key->tunnel.dst = key->tunnel.src;
	}
}

/* ---- writing ---------------------------------------------------------- */

static void put_u8(struct wbuf *b, uint16_t type, uint8_t value)
{
	nlattr_put(b, type, &value, sizeof value);
}

static void put_u32(struct wbuf *b, uint16_t type, uint32_t value)
{
	nlattr_put(b, type, &value, sizeof value);
}

static void be16(uint8_t to[2], uint16_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

static void put_be16(struct wbuf *b, uint16_t type, uint16_t value)
{
	uint8_t be[2];

	be16(be, value);
	nlattr_put(b, type, be, sizeof be);
}

/* A network order value of the kernel's structs. */
static __be16 net16(uint16_t value)
{
	__be16 be;
	uint8_t bytes[2];

	be16(bytes, value);
	memcpy(&be, bytes, sizeof be);
	return be;
}

static __be32 net32(uint32_t value)
{
	__be32 be;
	uint8_t bytes[4];

	be16(bytes, (uint16_t)(value >> 16));
	be16(bytes + 2, (uint16_t)value);
	memcpy(&be, bytes, sizeof be);
	return be;
}

/* Writes an attribute; one of a mask that matches nothing is left out. */
static inline void put_match(struct wbuf *b, bool mask, uint16_t type,
			     const void *data, size_t size)
{
	static const uint8_t none[sizeof(struct ovs_key_ipv6)];

	if (!mask || memcmp(data, none, size)) {
		nlattr_put(b, type, data, size);
	}
}

static void put_tunnel_id(struct wbuf *b, uint32_t vni, bool mask)
{
	uint8_t id[8] = {0};

	if (mask && vni == VNI_MASK) {
		memset(id, 0xff, sizeof id);
	} else {
		id[5] = (uint8_t)(vni >> 16);
		id[6] = (uint8_t)(vni >> 8);
		id[7] = (uint8_t)vni;
	}
	nlattr_put(b, OVS_TUNNEL_KEY_ATTR_ID, id, sizeof id);
}

/* Leaves out what is zero, as the kernel does. */
static void put_tunnel_outer(struct wbuf *b, bool v4, const struct ip_addr *src,
			     const struct ip_addr *dst, uint8_t tos)
{
	struct ip_addr s = mask_ip(src, v4), d = mask_ip(dst, v4);

	if (!ip_is_zero(&s) && v4) {
		nlattr_put(b, OVS_TUNNEL_KEY_ATTR_IPV4_SRC, s.b + 12, 4);
	} else if (!ip_is_zero(&s)) {
		nlattr_put(b, OVS_TUNNEL_KEY_ATTR_IPV6_SRC, s.b, 16);
	}
	if (!ip_is_zero(&d) && v4) {
		nlattr_put(b, OVS_TUNNEL_KEY_ATTR_IPV4_DST, d.b + 12, 4);
	} else if (!ip_is_zero(&d)) {
		nlattr_put(b, OVS_TUNNEL_KEY_ATTR_IPV6_DST, d.b, 16);
	}
	if (tos) {
		put_u8(b, OVS_TUNNEL_KEY_ATTR_TOS, tos);
	}
}

static void put_tunnel(struct wbuf *b, const struct flow_tunnel *t, bool v4,
		       bool mask)
{
	size_t nest = nlattr_nest(b, OVS_KEY_ATTR_TUNNEL);

	if (t->flags & FLOW_TNL_KEY) {
		put_tunnel_id(b, t->vni, mask);
	}
	put_tunnel_outer(b, v4, &t->src, &t->dst, t->tos);
	put_u8(b, OVS_TUNNEL_KEY_ATTR_TTL, t->ttl);
	if (t->flags & FLOW_TNL_DF) {
		nlattr_put(b, OVS_TUNNEL_KEY_ATTR_DONT_FRAGMENT, NULL, 0);
	}
	if (t->flags & FLOW_TNL_CSUM) {
		nlattr_put(b, OVS_TUNNEL_KEY_ATTR_CSUM, NULL, 0);
	}
	nlattr_nest_end(b, nest);
}

static void put_ipv4(struct wbuf *b, const struct flow *v, bool mask)
{
	struct ovs_key_ipv4 k = {
		.ipv4_proto = v->nw_proto,
		.ipv4_tos = v->nw_tos,
		.ipv4_ttl = v->nw_ttl,
		.ipv4_frag = v->nw_frag,
	};

	memcpy(&k.ipv4_src, v->nw_src.b + 12, sizeof k.ipv4_src);
	memcpy(&k.ipv4_dst, v->nw_dst.b + 12, sizeof k.ipv4_dst);
	put_match(b, mask, OVS_KEY_ATTR_IPV4, &k, sizeof k);
}

static void put_ipv6(struct wbuf *b, const struct flow *v, bool mask)
{
	struct ovs_key_ipv6 k = {
		.ipv6_label = net32(v->ipv6_label & IPV6_LABEL_MASK),
		.ipv6_proto = v->nw_proto,
		.ipv6_tclass = v->nw_tos,
		.ipv6_hlimit = v->nw_ttl,
		.ipv6_frag = v->nw_frag,
	};

	memcpy(k.ipv6_src, v->nw_src.b, sizeof k.ipv6_src);
	memcpy(k.ipv6_dst, v->nw_dst.b, sizeof k.ipv6_dst);
	put_match(b, mask, OVS_KEY_ATTR_IPV6, &k, sizeof k);
}

static void put_arp(struct wbuf *b, const struct flow *v, bool mask)
{
	struct ovs_key_arp k;

	memset(&k, 0, sizeof k);
	memcpy(&k.arp_sip, v->nw_src.b + 12, sizeof k.arp_sip);
	memcpy(&k.arp_tip, v->nw_dst.b + 12, sizeof k.arp_tip);
	/* The kernel shows an operation that it does not know as 0. */
	k.arp_op = net16(v->arp_op > 0xff ? 0 : v->arp_op);
	memcpy(k.arp_sha, v->arp_sha.b, sizeof k.arp_sha);
	memcpy(k.arp_tha, v->arp_tha.b, sizeof k.arp_tha);
	put_match(b, mask, OVS_KEY_ATTR_ARP, &k, sizeof k);
}

static void put_nd(struct wbuf *b, const struct flow *v, bool mask)
{
	struct ovs_key_nd k;

	memset(&k, 0, sizeof k);
	memcpy(k.nd_target, v->nd_target.b, sizeof k.nd_target);
	memcpy(k.nd_sll, v->nd_sll.b, sizeof k.nd_sll);
	memcpy(k.nd_tll, v->nd_tll.b, sizeof k.nd_tll);
	put_match(b, mask, OVS_KEY_ATTR_ND, &k, sizeof k);
}

static void put_l4(struct wbuf *b, const struct flow *shape,
		   const struct flow *v, bool mask)
{
	struct ovs_key_tcp ports = {net16(v->tp_src), net16(v->tp_dst)};
	struct ovs_key_icmp icmp = {(uint8_t)v->tp_src, (uint8_t)v->tp_dst};
	__be16 flags = net16(v->tcp_flags & TCP_FLAGS_MASK);
	uint16_t attr = l4_attr(shape);

	switch (attr) {
	case OVS_KEY_ATTR_TCP:
		put_match(b, mask, attr, &ports, sizeof ports);
		put_match(b, mask, OVS_KEY_ATTR_TCP_FLAGS, &flags,
			  sizeof flags);
		break;
	case OVS_KEY_ATTR_UDP:
	case OVS_KEY_ATTR_SCTP:
		put_match(b, mask, attr, &ports, sizeof ports);
		break;
	case OVS_KEY_ATTR_ICMP:
	case OVS_KEY_ATTR_ICMPV6:
		put_match(b, mask, attr, &icmp, sizeof icmp);
		break;
	default:
		break;
	}
	if (flow_is_nd(shape)) {
		put_nd(b, v, mask);
	}
}

/* Headers whose content struct flow does not hold, but without which the
 * kernel refuses their ethertype: written as zeros, never matched. */
static void put_unseen(struct wbuf *b, uint16_t eth_type)
{
	struct ovs_key_mpls mpls = {0};
	struct ovs_nsh_key_base base = {0};
	size_t nest;

	switch (eth_type) {
	case ETH_TYPE_MPLS:
	case ETH_TYPE_MPLS_MULTICAST:
		nlattr_put(b, OVS_KEY_ATTR_MPLS, &mpls, sizeof mpls);
		break;
	case ETH_TYPE_NSH:
		nest = nlattr_nest(b, OVS_KEY_ATTR_NSH);
		nlattr_put(b, OVS_NSH_KEY_ATTR_BASE, &base, sizeof base);
		nlattr_nest_end(b, nest);
		break;
	default:
		break;
	}
}

/* A second VLAN tag: matched to be there, whatever it holds. */
static void put_inner_tag(struct wbuf *b, bool mask)
{
	size_t nest;

	put_be16(b, OVS_KEY_ATTR_VLAN, VLAN_CFI);
	nest = nlattr_nest(b, OVS_KEY_ATTR_ENCAP);
	if (mask) {
		/* An empty nest would count as absent. */
		put_be16(b, OVS_KEY_ATTR_ETHERTYPE, 0);
	}
	nlattr_nest_end(b, nest);
}

/* From the ethertype on: what lies in OVS_KEY_ATTR_ENCAP behind a tag. */
static void put_payload(struct wbuf *b, const struct flow *shape,
			const struct flow *v, bool mask)
{
	/* 802.2 frames are known by the absence of the ethertype. */
	if (mask ? v->eth_type || is_tagged(shape) : shape->eth_type) {
		put_be16(b, OVS_KEY_ATTR_ETHERTYPE, v->eth_type);
	}
	if (is_vlan_type(shape->eth_type) && is_tagged(shape)) {
		put_inner_tag(b, mask);
	} else if (shape->eth_type == ETH_TYPE_IPV4) {
		put_ipv4(b, v, mask);
	} else if (shape->eth_type == ETH_TYPE_IPV6) {
		put_ipv6(b, v, mask);
	} else if (is_arp(shape)) {
		put_arp(b, v, mask);
	} else if (!mask && v->eth_type) {
		put_unseen(b, shape->eth_type);
	}
	put_l4(b, shape, v, mask);
}

/* What a frame itself does not say: where it came in. */
static void put_metadata(struct wbuf *b, const struct flow *shape,
			 const struct flow *v, bool mask)
{
	if (v->tunnel.present) {
		put_tunnel(b, &v->tunnel, ip_is_v4(&shape->tunnel.dst), mask);
	}
	put_u32(b, OVS_KEY_ATTR_IN_PORT, v->in_port);
}

/* Writes the values 'v', a key or a mask, of a packet of this shape. */
static void put_attrs(struct wbuf *b, const struct flow *shape,
		      const struct flow *v, bool mask)
{
	struct ovs_key_ethernet eth;

	put_u32(b, OVS_KEY_ATTR_RECIRC_ID, mask ? UINT32_MAX : 0);
	put_metadata(b, shape, v, mask);
	memcpy(eth.eth_src, v->eth_src.b, sizeof eth.eth_src);
	memcpy(eth.eth_dst, v->eth_dst.b, sizeof eth.eth_dst);
	nlattr_put(b, OVS_KEY_ATTR_ETHERNET, &eth, sizeof eth);
	if (is_tagged(shape)) {
		uint16_t tpid = v->vlan_tpid;
		size_t nest;

		if (!mask && !is_vlan_type(tpid)) {
			tpid = ETH_TYPE_VLAN;
		}
		put_be16(b, OVS_KEY_ATTR_ETHERTYPE, tpid);
		put_be16(b, OVS_KEY_ATTR_VLAN, v->vlan_tci);
		nest = nlattr_nest(b, OVS_KEY_ATTR_ENCAP);
		put_payload(b, shape, v, mask);
		nlattr_nest_end(b, nest);
	} else {
		put_payload(b, shape, v, mask);
	}
}

void odp_put_key_attrs(struct wbuf *b, const struct flow *key)
{
	put_attrs(b, key, key, false);
}

void odp_put_metadata_attrs(struct wbuf *b, const struct flow *key)
{
	put_metadata(b, key, key, false);
}

void odp_put_mask_attrs(struct wbuf *b, const struct flow *key,
			const struct flow *mask)
{
	struct flow m;

	odp_complete_mask(key, mask, &m);
	put_attrs(b, key, &m, true);
}

void odp_put_masked_key_attrs(struct wbuf *b, const struct flow *key,
			      const struct flow *mask)
{
	struct flow v = *key, m;
	uint8_t *to = (uint8_t *)&v;
	const uint8_t *bits = (const uint8_t *)&m;

	odp_complete_mask(key, mask, &m);
	for (size_t i = 0; i < sizeof v; i++) {
		to[i] &= bits[i];
	}
	put_attrs(b, key, &v, false);
}

static void put_set_tunnel(struct wbuf *b, const struct action *a)
{
	size_t set = nlattr_nest(b, OVS_ACTION_ATTR_SET);
	size_t nest = nlattr_nest(b, OVS_KEY_ATTR_TUNNEL);

	put_tunnel_id(b, a->tunnel.vni & VNI_MASK, false);
	put_tunnel_outer(b, ip_is_v4(&a->tunnel.dst), &a->tunnel.src,
			 &a->tunnel.dst, a->tunnel.tos);
	put_u8(b, OVS_TUNNEL_KEY_ATTR_TTL, a->tunnel.ttl);
	if (a->tunnel.df) {
		nlattr_put(b, OVS_TUNNEL_KEY_ATTR_DONT_FRAGMENT, NULL, 0);
	}
	if (a->tunnel.csum) {
		nlattr_put(b, OVS_TUNNEL_KEY_ATTR_CSUM, NULL, 0);
	}
	if (a->tunnel.tp_dst) {
		put_be16(b, OVS_TUNNEL_KEY_ATTR_TP_DST, a->tunnel.tp_dst);
	}
	nlattr_nest_end(b, nest);
	nlattr_nest_end(b, set);
}

/* The value, then the mask (validate_set() in net/openvswitch/flow_netlink.c).
 */
static void put_set_mark(struct wbuf *b, const struct action *a)
{
	size_t set = nlattr_nest(b, OVS_ACTION_ATTR_SET_MASKED);
	uint32_t both[2] = {a->mark.value, a->mark.mask};

	nlattr_put(b, OVS_KEY_ATTR_SKB_MARK, both, sizeof both);
	nlattr_nest_end(b, set);
}

/* The kernel demands the CFI bit, its sign of a tag that is there. */
static void put_push_vlan(struct wbuf *b, const struct action *a)
{
	struct ovs_action_push_vlan push = {
		.vlan_tpid = net16(ETH_TYPE_VLAN),
		.vlan_tci = net16((uint16_t)(a->vlan.pcp << VLAN_PCP_SHIFT |
					     VLAN_CFI |
					     (a->vlan.vid & VLAN_VID_MASK))),
	};

	nlattr_put(b, OVS_ACTION_ATTR_PUSH_VLAN, &push, sizeof push);
}

static void put_action_list(struct wbuf *, const struct action *, size_t n);

/* The kernel wants both branches, and a port id
 * (validate_and_copy_check_pkt_len() and validate_userspace() in
 * net/openvswitch/flow_netlink.c). */
static void put_check_size(struct wbuf *b, const struct action *a, size_t n)
{
	struct wbuf cookie = WBUF_INITIALIZER(0);
	size_t check = nlattr_nest(b, OVS_ACTION_ATTR_CHECK_PKT_LEN);
	size_t branch, up;

	nlattr_put(b, OVS_CHECK_PKT_LEN_ATTR_PKT_LEN, &a->check.size,
		   sizeof a->check.size);
	branch = nlattr_nest(b, OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_GREATER);
	up = nlattr_nest(b, OVS_ACTION_ATTR_USERSPACE);
	put_u32(b, OVS_USERSPACE_ATTR_PID, a->check.upcall_pid);
	odp_put_check_cookie(&cookie, a);
	nlattr_put(b, OVS_USERSPACE_ATTR_USERDATA, cookie.data, cookie.size);
	wbuf_free(&cookie);
	nlattr_nest_end(b, up);
	nlattr_nest_end(b, branch);
	branch = nlattr_nest(b, OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_LESS_EQUAL);
	put_action_list(b, a + 1, n);
	nlattr_nest_end(b, branch);
	nlattr_nest_end(b, check);
}

static void put_action_list(struct wbuf *b, const struct action *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct action *a = &v[i];

		switch (a->type) {
		case ACTION_OUTPUT:
			put_u32(b, OVS_ACTION_ATTR_OUTPUT, a->port);
			break;
		case ACTION_SET_TUNNEL:
			put_set_tunnel(b, a);
			break;
		case ACTION_SET_MARK:
			put_set_mark(b, a);
			break;
		case ACTION_PUSH_VLAN:
			put_push_vlan(b, a);
			break;
		case ACTION_POP_VLAN:
			nlattr_put(b, OVS_ACTION_ATTR_POP_VLAN, NULL, 0);
			break;
		case ACTION_CHECK_SIZE:
			ovs_assert(a->check.n < n - i);
			put_check_size(b, a, a->check.n);
			i += a->check.n;
			break;
		}
	}
}

void odp_put_action_attrs(struct wbuf *b, const struct actions *as)
{
	put_action_list(b, as->v, as->n);
}

/* ---- reading ---------------------------------------------------------- */

/* An attribute whose payload has exactly this size. */
static enum err get_fixed(struct span value, void *to, size_t size)
{
	return value.size == size ? span_bytes(&value, to, size)
				  : ERR_MALFORMED;
}

static enum err get_be16(struct span value, uint16_t *to)
{
	return value.size == sizeof *to ? span_u16(&value, to) : ERR_MALFORMED;
}

static uint16_t host16(__be16 be)
{
	uint8_t b[2];

	memcpy(b, &be, sizeof b);
	return (uint16_t)(b[0] << 8 | b[1]);
}

static uint32_t host32(__be32 be)
{
	uint8_t b[4];

	memcpy(b, &be, sizeof b);
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
	       (uint32_t)b[2] << 8 | b[3];
}

/* Four bytes of an IPv4 address, or of the mask of one. */
static struct ip_addr ip4_of(const void *be, bool mask)
{
	struct ip_addr ip = {{0}};
	uint8_t b[4];

	memcpy(b, be, sizeof b);
	if (mask) {
		memcpy(ip.b + 12, b, sizeof b);
		return ip;
	}
	return ip_from_v4(b);
}

static struct ip_addr ip6_of(const void *be)
{
	struct ip_addr ip;

	memcpy(ip.b, be, sizeof ip.b);
	return ip;
}

static enum err get_tunnel_id(struct span value, bool mask,
			      struct flow_tunnel *t)
{
	uint64_t id;
	enum err err;

	if (value.size != sizeof id) {
		return ERR_MALFORMED;
	}
	err = span_u64(&value, &id);
	if (err) {
		return err;
	}
	if (!mask && id > VNI_MASK) {
		return ERR_RANGE;
	}
	t->vni = (uint32_t)(id & VNI_MASK);
	t->flags |= FLOW_TNL_KEY;
	return FDP_OK;
}

static enum err get_tunnel_ip(uint16_t type, struct span value, bool mask,
			      struct flow_tunnel *t)
{
	bool v4 = type == OVS_TUNNEL_KEY_ATTR_IPV4_SRC ||
		  type == OVS_TUNNEL_KEY_ATTR_IPV4_DST;
	bool src = type == OVS_TUNNEL_KEY_ATTR_IPV4_SRC ||
		   type == OVS_TUNNEL_KEY_ATTR_IPV6_SRC;
	struct ip_addr ip;
	uint8_t b[16];
	enum err err = get_fixed(value, b, v4 ? 4 : 16);

	if (!err) {
		ip = v4 ? ip4_of(b, mask) : ip6_of(b);
		*(src ? &t->src : &t->dst) = ip;
	}
	return err;
}

/* 0.0.0.0 stands for no address. */
static void drop_any(struct ip_addr *ip)
{
	static const uint8_t any[4];
	struct ip_addr none = ip_from_v4(any);

	if (ip_equal(ip, &none)) {
		memset(ip, 0, sizeof *ip);
	}
}

/* '*tp_dst' only if the attribute is there. */
static enum err get_tunnel(struct span attrs, bool mask, struct flow_tunnel *t,
			   uint16_t *tp_dst)
{
	memset(t, 0, sizeof *t);
	t->present = true;
	while (attrs.size) {
		struct span value;
		uint16_t type;
		enum err err = nlattr_get(&attrs, &type, &value);

		if (err) {
			return err;
		}
		switch (type) {
		case OVS_TUNNEL_KEY_ATTR_ID:
			err = get_tunnel_id(value, mask, t);
			break;
		case OVS_TUNNEL_KEY_ATTR_IPV4_SRC:
		case OVS_TUNNEL_KEY_ATTR_IPV4_DST:
		case OVS_TUNNEL_KEY_ATTR_IPV6_SRC:
		case OVS_TUNNEL_KEY_ATTR_IPV6_DST:
			err = get_tunnel_ip(type, value, mask, t);
			break;
		case OVS_TUNNEL_KEY_ATTR_TOS:
			err = get_fixed(value, &t->tos, sizeof t->tos);
			break;
		case OVS_TUNNEL_KEY_ATTR_TTL:
			err = get_fixed(value, &t->ttl, sizeof t->ttl);
			break;
		case OVS_TUNNEL_KEY_ATTR_DONT_FRAGMENT:
			t->flags |= FLOW_TNL_DF;
			break;
		case OVS_TUNNEL_KEY_ATTR_CSUM:
			t->flags |= FLOW_TNL_CSUM;
			break;
		case OVS_TUNNEL_KEY_ATTR_TP_DST:
			err = get_be16(value, tp_dst);
			break;
		default:
			break;
		}
		if (err) {
			return err;
		}
	}
	drop_any(&t->src);
	return FDP_OK;
}

static enum err get_ethernet(struct span value, struct flow *f)
{
	struct ovs_key_ethernet k;
	enum err err = get_fixed(value, &k, sizeof k);

	if (!err) {
		memcpy(f->eth_src.b, k.eth_src, sizeof f->eth_src.b);
		memcpy(f->eth_dst.b, k.eth_dst, sizeof f->eth_dst.b);
	}
	return err;
}

static enum err get_ipv4(struct span value, bool mask, struct flow *f)
{
	struct ovs_key_ipv4 k;
	enum err err = get_fixed(value, &k, sizeof k);

	if (!err) {
		f->nw_src = ip4_of(&k.ipv4_src, mask);
		f->nw_dst = ip4_of(&k.ipv4_dst, mask);
		f->nw_proto = k.ipv4_proto;
		f->nw_tos = k.ipv4_tos;
		f->nw_ttl = k.ipv4_ttl;
		f->nw_frag = k.ipv4_frag;
	}
	return err;
}

static enum err get_ipv6(struct span value, struct flow *f)
{
	struct ovs_key_ipv6 k;
	enum err err = get_fixed(value, &k, sizeof k);

	if (!err) {
		f->nw_src = ip6_of(k.ipv6_src);
		f->nw_dst = ip6_of(k.ipv6_dst);
		f->ipv6_label = host32(k.ipv6_label) & IPV6_LABEL_MASK;
		f->nw_proto = k.ipv6_proto;
		f->nw_tos = k.ipv6_tclass;
		f->nw_ttl = k.ipv6_hlimit;
		f->nw_frag = k.ipv6_frag;
	}
	return err;
}

static enum err get_arp(struct span value, bool mask, struct flow *f)
{
	struct ovs_key_arp k;
	enum err err = get_fixed(value, &k, sizeof k);

	if (!err) {
		f->nw_src = ip4_of(&k.arp_sip, mask);
		f->nw_dst = ip4_of(&k.arp_tip, mask);
		f->arp_op = host16(k.arp_op);
		memcpy(f->arp_sha.b, k.arp_sha, sizeof f->arp_sha.b);
		memcpy(f->arp_tha.b, k.arp_tha, sizeof f->arp_tha.b);
	}
	return err;
}

static enum err get_nd(struct span value, struct flow *f)
{
	struct ovs_key_nd k;
	enum err err = get_fixed(value, &k, sizeof k);

	if (!err) {
		f->nd_target = ip6_of(k.nd_target);
		memcpy(f->nd_sll.b, k.nd_sll, sizeof f->nd_sll.b);
		memcpy(f->nd_tll.b, k.nd_tll, sizeof f->nd_tll.b);
	}
	return err;
}

static enum err get_ports(struct span value, struct flow *f)
{
	struct ovs_key_tcp k;
	enum err err = get_fixed(value, &k, sizeof k);

	if (!err) {
		f->tp_src = host16(k.tcp_src);
		f->tp_dst = host16(k.tcp_dst);
	}
	return err;
}

static enum err get_icmp(struct span value, struct flow *f)
{
	struct ovs_key_icmp k;
	enum err err = get_fixed(value, &k, sizeof k);

	if (!err) {
		f->tp_src = k.icmp_type;
		f->tp_dst = k.icmp_code;
	}
	return err;
}

/* What the tag attributes of one nesting level say. */
struct tag {
	bool present;
	uint16_t tci;
	struct span payload;
};

static enum err get_attr(uint16_t type, struct span value, bool mask,
			 struct flow *f, struct tag *tag)
{
	uint16_t tp_dst;

	switch (type) {
	case OVS_KEY_ATTR_IN_PORT:
		return get_fixed(value, &f->in_port, sizeof f->in_port);
	case OVS_KEY_ATTR_TUNNEL:
		return get_tunnel(value, mask, &f->tunnel, &tp_dst);
	case OVS_KEY_ATTR_ETHERNET:
		return get_ethernet(value, f);
	case OVS_KEY_ATTR_ETHERTYPE:
		return get_be16(value, &f->eth_type);
	case OVS_KEY_ATTR_VLAN:
		tag->present = true;
		return get_be16(value, &tag->tci);
	case OVS_KEY_ATTR_ENCAP:
		tag->payload = value;
		return FDP_OK;
	case OVS_KEY_ATTR_IPV4:
		return get_ipv4(value, mask, f);
	case OVS_KEY_ATTR_IPV6:
		return get_ipv6(value, f);
	case OVS_KEY_ATTR_ARP:
		return get_arp(value, mask, f);
	case OVS_KEY_ATTR_TCP:
	case OVS_KEY_ATTR_UDP:
	case OVS_KEY_ATTR_SCTP:
		return get_ports(value, f);
	case OVS_KEY_ATTR_TCP_FLAGS:
		return get_be16(value, &f->tcp_flags);
	case OVS_KEY_ATTR_ICMP:
	case OVS_KEY_ATTR_ICMPV6:
		return get_icmp(value, f);
	case OVS_KEY_ATTR_ND:
		return get_nd(value, f);
	default:
		return FDP_OK;
	}
}

static enum err get_level(struct span attrs, bool mask, struct flow *f,
			  struct tag *tag)
{
	memset(tag, 0, sizeof *tag);
	while (attrs.size) {
		struct span value;
		uint16_t type;
		enum err err = nlattr_get(&attrs, &type, &value);

		if (!err) {
			err = get_attr(type, value, mask, f, tag);
		}
		if (err) {
			return err;
		}
	}
	return FDP_OK;
}

static enum err get_attrs(struct span attrs, bool mask, struct flow *f)
{
	struct tag tag, inner;
	enum err err = get_level(attrs, mask, f, &tag);

	if (err || !tag.present) {
		return err;
	}
	if (!(tag.tci & VLAN_CFI)) {
		/* The frame ends inside the tag. */
		f->eth_type = mask ? UINT16_MAX : ETH_TYPE_VLAN;
		return FDP_OK;
	}
	f->vlan_tci = tag.tci;
	f->vlan_tpid = f->eth_type;
	f->eth_type = 0;
	/* A second tag stays what it is to struct flow: an ethertype. */
	return get_level(tag.payload, mask, f, &inner);
}

enum err odp_get_key(struct span attrs, struct flow *key)
{
	struct flow f;
	enum err err;

	memset(&f, 0, sizeof f);
	err = get_attrs(attrs, false, &f);
	if (!err) {
		*key = f;
	}
	return err;
}

enum err odp_get_mask(struct span attrs, const struct flow *key,
		      struct flow *mask)
{
	struct flow f;
	enum err err;

	memset(&f, 0, sizeof f);
	err = get_attrs(attrs, true, &f);
	if (!err) {
		odp_complete_mask(key, &f, mask);
	}
	return err;
}

static enum err get_set(struct span attrs, struct actions *as)
{
	struct flow_tunnel t;
	uint16_t type, tp_dst = 0;
	struct span value;
	struct action *a;
	enum err err =
		attrs.size ? nlattr_get(&attrs, &type, &value) : ERR_MALFORMED;

	if (err) {
		return err;
	}
	if (type != OVS_KEY_ATTR_TUNNEL) {
		return ERR_UNSUPPORTED;
	}
	err = get_tunnel(value, false, &t, &tp_dst);
	if (err) {
		return err;
	}
	a = actions_set_tunnel(as);
	a->tunnel.src = t.src;
	a->tunnel.dst = t.dst;
	a->tunnel.vni = t.vni;
	a->tunnel.tp_dst = tp_dst;
	a->tunnel.tos = t.tos;
	a->tunnel.ttl = t.ttl;
	a->tunnel.df = t.flags & FLOW_TNL_DF;
	a->tunnel.csum = t.flags & FLOW_TNL_CSUM;
	return FDP_OK;
}

static enum err get_set_masked(struct span attrs, struct actions *as)
{
	struct span value;
	uint32_t both[2];
	uint16_t type;
	enum err err =
		attrs.size ? nlattr_get(&attrs, &type, &value) : ERR_MALFORMED;

	if (!err && type != OVS_KEY_ATTR_SKB_MARK) {
		err = ERR_UNSUPPORTED;
	}
	if (!err) {
		err = get_fixed(value, both, sizeof both);
	}
	if (!err) {
		actions_set_mark(as, both[0], both[1]);
	}
	return err;
}

/* A tag of another protocol, or without the CFI bit, is not ours. */
static enum err get_push_vlan(struct span value, struct actions *as)
{
	struct ovs_action_push_vlan push;
	enum err err = get_fixed(value, &push, sizeof push);
	uint16_t tci;

	if (err) {
		return err;
	}
	tci = host16(push.vlan_tci);
	if (host16(push.vlan_tpid) != ETH_TYPE_VLAN || !(tci & VLAN_CFI)) {
		return ERR_UNSUPPORTED;
	}
	actions_push_vlan(as, tci & VLAN_VID_MASK,
			  (uint8_t)(tci >> VLAN_PCP_SHIFT));
	return FDP_OK;
}

/* The one action of the branch of what is too large: up to us, as
 * put_check_size() has it. */
static enum err get_check_up(struct span attrs, struct action *check)
{
	bool has_pid = false, has_cookie = false;
	struct span value;
	uint16_t type;
	enum err err =
		attrs.size ? nlattr_get(&attrs, &type, &value) : ERR_MALFORMED;

	if (!err && (type != OVS_ACTION_ATTR_USERSPACE || attrs.size)) {
		err = ERR_UNSUPPORTED;
	}
	for (attrs = value; !err && attrs.size;) {
		err = nlattr_get(&attrs, &type, &value);
		if (!err && type == OVS_USERSPACE_ATTR_PID) {
			err = get_fixed(value, &check->check.upcall_pid,
					sizeof check->check.upcall_pid);
			has_pid = true;
		} else if (!err && type == OVS_USERSPACE_ATTR_USERDATA) {
			has_cookie = odp_get_check_cookie(
				value, &check->check.size, &check->check.peer);
		}
	}
	return err ? err : has_pid && has_cookie ? FDP_OK : ERR_UNSUPPORTED;
}

static enum err get_action_list(struct span attrs, bool checked,
				struct actions *as);

static enum err get_check_size(struct span attrs, struct actions *as)
{
	struct span greater = span_of(NULL, 0), less = greater;
	struct action check = {.check.size = 0};
	uint16_t size = 0;
	size_t at;
	enum err err = FDP_OK;

	while (!err && attrs.size) {
		struct span value;
		uint16_t type;

		err = nlattr_get(&attrs, &type, &value);
		if (err) {
			break;
		}
		switch (type) {
		case OVS_CHECK_PKT_LEN_ATTR_PKT_LEN:
			err = get_fixed(value, &size, sizeof size);
			break;
		case OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_GREATER:
			greater = value;
			break;
		case OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_LESS_EQUAL:
			less = value;
			break;
		default:
			break;
		}
	}
	if (!err) {
		err = get_check_up(greater, &check);
	}
	/* Ours has the size in both places. */
	if (!err && size != check.check.size) {
		err = ERR_UNSUPPORTED;
	}
	if (err) {
		return err;
	}
	at = actions_check_size(as, size, check.check.peer);
	as->v[at].check.upcall_pid = check.check.upcall_pid;
	err = get_action_list(less, true, as);
	if (!err) {
		actions_check_end(as, at);
	}
	return err;
}

static enum err get_action(uint16_t type, struct span value, bool checked,
			   struct actions *as)
{
	uint32_t port;
	enum err err;

	switch (type) {
	case OVS_ACTION_ATTR_OUTPUT:
		err = get_fixed(value, &port, sizeof port);
		if (!err) {
			actions_output(as, port);
		}
		return err;
	case OVS_ACTION_ATTR_SET:
		return get_set(value, as);
	case OVS_ACTION_ATTR_SET_MASKED:
		return get_set_masked(value, as);
	case OVS_ACTION_ATTR_PUSH_VLAN:
		return get_push_vlan(value, as);
	case OVS_ACTION_ATTR_POP_VLAN:
		actions_pop_vlan(as);
		return FDP_OK;
	case OVS_ACTION_ATTR_CHECK_PKT_LEN:
		return checked ? ERR_UNSUPPORTED : get_check_size(value, as);
	default:
		return ERR_UNSUPPORTED;
	}
}

/* 'checked': it is a branch of a check, and has no other in it. */
static enum err get_action_list(struct span attrs, bool checked,
				struct actions *as)
{
	enum err err = FDP_OK;

	while (!err && attrs.size) {
		struct span value;
		uint16_t type;

		err = nlattr_get(&attrs, &type, &value);
		if (!err) {
			err = get_action(type, value, checked, as);
		}
	}
	return err;
}

enum err odp_get_actions(struct span attrs, struct actions *as)
{
	size_t n = as->n;
	enum err err = get_action_list(attrs, false, as);

	if (err) {
		as->n = n;
	}
	return err;
}

/* ---- what comes up by a check ------------------------------------------ */

enum {
	COOKIE_SIZE = 6 /* u32 peer, u16 size. */
};

void odp_put_check_cookie(struct wbuf *b, const struct action *check)
{
	wbuf_u32(b, check->check.peer);
	wbuf_u16(b, check->check.size);
}

bool odp_get_check_cookie(struct span cookie, uint16_t *size, uint32_t *peer)
{
	return cookie.size == COOKIE_SIZE && !span_u32(&cookie, peer) &&
	       !span_u16(&cookie, size);
}
