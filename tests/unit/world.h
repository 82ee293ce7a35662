/* Small networks for the tests of the datapath: one that is always the same,
 * for tables, and random ones, with random packets, for properties.
 *
 *	network 1: port 2, port 3, peer 7, peer 8 (IPv6 underlay), peer 9 (down)
 *	network 2: port 4, peer 7
 *	port 0 is the host's, port 1 the tunnel
 *
 * The endpoint N has the MAC 02:00:00:00:00:0N, the addresses 10.0.0.N and
 * fd00::N; port or peer N has it.
 */
#ifndef FDP_TESTS_UNIT_WORLD_H
#define FDP_TESTS_UNIT_WORLD_H 1

#include <check.h>
#include <string.h>

#include "datapath/forwarding.h"
#include "packet/flow.h"
#include "packet/probe.h"

#define UNUSED __attribute__((unused))

/* ck_assert() for loops of a million rounds: that one reports each success to
 * the parent process. */
#define REQUIRE(CONDITION)                              \
	do {                                            \
		if (!(CONDITION)) {                     \
			ck_abort_msg("%s", #CONDITION); \
		}                                       \
	} while (0)

#define M(N)                               \
	{                                  \
		{                          \
			2, 0, 0, 0, 0, (N) \
		}                          \
	}
#define V4(N)                                                               \
	{                                                                   \
		{                                                           \
			0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, \
				(N)                                         \
		}                                                           \
	}
#define V6(N)                                                               \
	{                                                                   \
		{                                                           \
			0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (N) \
		}                                                           \
	}
/* The link-local address that M(N) makes. */
#define LL(N)                                                                 \
	{                                                                     \
		{                                                             \
			0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, \
				0, (N)                                        \
		}                                                             \
	}
#define NO_V4                                    \
	{                                        \
		{                                \
			[10] = 0xff, [11] = 0xff \
		}                                \
	}
#define BROADCAST                                          \
	{                                                  \
		{                                          \
			0xff, 0xff, 0xff, 0xff, 0xff, 0xff \
		}                                          \
	}
#define MULTICAST6                             \
	{                                      \
		{                              \
			0x33, 0x33, 0, 0, 0, 1 \
		}                              \
	}

/* Underlay addresses of peers: 192.0.2.N, 2001:db8::N. */
#define U4(N)                                                                \
	{                                                                    \
		{                                                            \
			0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, \
				(N)                                          \
		}                                                            \
	}
#define U6(N)                                                                \
	{                                                                    \
		{                                                            \
			0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
				(N)                                          \
		}                                                            \
	}

enum {
	WORLD_HOST = 0,
	WORLD_TUNNEL = 1,
	WORLD_UDP_PORT = 6784
};

static inline struct binding world_binding(uint32_t vni, uint8_t n)
{
	struct binding b = {
		.vni = vni, .mac = M(n), .n_ips = 2, .ips = {V4(n), V6(n)}};

	return b;
}

static inline void world_add_port(struct forwarding *f, uint32_t port_no,
				  enum port_kind kind, const char *name,
				  const struct binding *b)
{
	struct fwd_port port = {.port_no = port_no, .kind = kind};

	strncpy(port.name, name, sizeof port.name - 1);
	if (b) {
		port.binding = *b;
	}
	ck_assert_int_eq(forwarding_add_port(f, &port, NULL), FDP_OK);
}

static inline void world_add_endpoint(struct forwarding *f, uint32_t vni,
				      uint8_t n)
{
	struct binding b = world_binding(vni, n);

	world_add_port(f, n, PORT_ENDPOINT, "endpoint", &b);
}

static inline void world_add_peer(struct forwarding *f, uint8_t n, bool v4,
				  bool up)
{
	struct fwd_peer four = {.peer = n,
				.local = U4(1),
				.remote = U4(n),
				.udp_port = WORLD_UDP_PORT,
				.up = up};
	struct fwd_peer six = {.peer = n,
			       .local = U6(1),
			       .remote = U6(n),
			       .udp_port = WORLD_UDP_PORT,
			       .up = up};

	forwarding_set_peer(f, v4 ? &four : &six);
}

static inline void world_bind(struct forwarding *f, uint32_t peer, uint32_t vni,
			      uint8_t n)
{
	struct binding b = world_binding(vni, n);

	ck_assert_int_eq(forwarding_bind(f, peer, &b, NULL), FDP_OK);
}

static UNUSED struct forwarding *world_new(void)
{
	struct forwarding *f = forwarding_new();

	world_add_port(f, WORLD_HOST, PORT_HOST, "fdp", NULL);
	world_add_port(f, WORLD_TUNNEL, PORT_TUNNEL, "vxlan", NULL);
	world_add_endpoint(f, 1, 2);
	world_add_endpoint(f, 1, 3);
	world_add_endpoint(f, 2, 4);
	world_add_peer(f, 7, true, true);
	world_add_peer(f, 8, false, true);
	world_add_peer(f, 9, true, false);
	world_bind(f, 7, 1, 7);
	world_bind(f, 7, 2, 7);
	world_bind(f, 8, 1, 8);
	world_bind(f, 9, 1, 9);
	return f;
}

/* Random worlds.  Few different values, so that things meet. */

struct dice {
	uint64_t state; /* Not zero. */
};

static inline uint32_t dice_roll(struct dice *d, uint32_t n)
{
	/* xorshift64*, Vigna 2016. */
	d->state ^= d->state >> 12;
	d->state ^= d->state << 25;
	d->state ^= d->state >> 27;
	return (uint32_t)((d->state * 0x2545f4914f6cdd1du) >> 32) % n;
}

static inline bool dice_one_in(struct dice *d, uint32_t n)
{
	return !dice_roll(d, n);
}

static inline void dice_fill(struct dice *d, void *buf, size_t size)
{
	uint8_t *b = buf;

	for (size_t i = 0; i < size; i++) {
		b[i] = (uint8_t)dice_roll(d, 256);
	}
}

enum {
	RANDOM_NUMBERS = 10, /* Endpoints, ports and peers go from 0 to 9. */
	RANDOM_VNIS = 3
};

static inline uint8_t random_number(struct dice *d)
{
	return (uint8_t)dice_roll(d, RANDOM_NUMBERS);
}

static inline struct ip_addr random_overlay(struct dice *d, bool v4)
{
	uint8_t n = random_number(d);
	struct ip_addr four = V4(n), six = V6(n), link = LL(n);

	return v4 ? four : dice_one_in(d, 4) ? link : six;
}

static inline struct ip_addr random_underlay(struct dice *d)
{
	uint8_t n = random_number(d);
	struct ip_addr four = U4(n), six = U6(n);

	return dice_one_in(d, 2) ? four : six;
}

static inline struct binding random_binding(struct dice *d)
{
	uint8_t n = random_number(d);
	struct binding b = {.vni = 1 + dice_roll(d, RANDOM_VNIS), .mac = M(n)};

	b.n_ips = (uint8_t)dice_roll(d, 4);
	for (size_t i = 0; i < b.n_ips; i++) {
		b.ips[i] = random_overlay(d, dice_one_in(d, 2));
	}
	return b;
}

/* Ways through the mesh that make no sense, but are always the same while the
 * seed of their source is. */
static UNUSED uint64_t random_routes[RANDOM_NUMBERS];

static inline uint32_t random_way(uint32_t source, uint32_t other,
				  uint32_t sides)
{
	struct dice d = {random_routes[source % RANDOM_NUMBERS] +
			 UINT64_C(0x9e3779b97f4a7c15) * (other + 1)};

	dice_roll(&d, 1);
	return dice_roll(&d, sides);
}

static inline uint32_t random_next(void *aux, uint32_t source, uint32_t to)
{
	uint32_t way = random_way(source, to, 2 * RANDOM_NUMBERS);

	(void)aux;
	return way < RANDOM_NUMBERS ? way : FWD_NOBODY;
}

static inline bool random_passes_on(void *aux, uint32_t source)
{
	(void)aux;
	return random_way(source, 55, 4);
}

static inline uint32_t random_parent(void *aux, uint32_t source)
{
	(void)aux;
	return random_way(source, 77, RANDOM_NUMBERS);
}

static inline bool random_may_relay(void *aux, uint32_t source, uint32_t from)
{
	(void)aux;
	return random_way(source, 99 + from, 2);
}

static inline void random_change_routes(struct dice *d, struct forwarding *f)
{
	static const struct fwd_routes routes = {.passes_on = random_passes_on,
						 .next = random_next,
						 .parent = random_parent,
						 .may_relay = random_may_relay};
	uint8_t source = random_number(d);

	if (forwarding_routes(f)->next != random_next) {
		forwarding_set_routes(f, &routes);
		for (uint32_t i = 0; i < RANDOM_NUMBERS; i++) {
			deps_add(forwarding_changed(f), dep_tree(i));
		}
	}
	random_routes[source] = 1 + dice_roll(d, UINT32_MAX);
	deps_add(forwarding_changed(f), dep_tree(source));
	for (int i = 0; i < 3; i++) {
		forwarding_set_via(f, random_number(d), random_number(d));
	}
	forwarding_set_via(f, random_number(d), FWD_NOBODY);
}

/* One change; many are refused, as they should. */
static UNUSED void random_change(struct dice *d, struct forwarding *f)
{
	struct fwd_port port = {.port_no = random_number(d)};
	struct fwd_peer peer = {.peer = random_number(d),
				.udp_port = WORLD_UDP_PORT};
	struct binding b = random_binding(d);
	enum err err = FDP_OK;

	switch (dice_roll(d, 11)) {
	case 10:
		forwarding_vid(f, peer.peer,
			       dice_one_in(d, 4) ? PROBE_VNI : b.vni);
		break;
	case 8:
		random_change_routes(d, f);
		break;
	case 0:
	case 1:
		port.kind = dice_one_in(d, 4)	? PORT_TUNNEL
			    : dice_one_in(d, 4) ? PORT_SLEEVE
			    : dice_one_in(d, 8) ? PORT_HOST
						: PORT_ENDPOINT;
		port.binding = b;
		err = forwarding_add_port(f, &port, NULL);
		break;
	case 2:
		forwarding_remove_port(f, port.port_no);
		break;
	case 3:
	case 4:
		peer.local = random_underlay(d);
		peer.remote = random_underlay(d);
		peer.up = !dice_one_in(d, 3);
		peer.n_lanes = dice_roll(d, 17);
		peer.way = dice_one_in(d, 3) ? FWD_BY_SLEEVE : FWD_BY_TUNNEL;
		forwarding_set_peer(f, &peer);
		break;
	case 5:
		if (dice_one_in(d, 3)) {
			forwarding_remove_peer(f, peer.peer);
			break;
		}
		forwarding_unbind(f, peer.peer, b.vni, &b.mac);
		break;
	default:
		err = forwarding_bind(f, peer.peer, &b, NULL);
		break;
	}
	REQUIRE(err == FDP_OK || err == ERR_EXISTS);
}

static inline struct mac random_mac(struct dice *d)
{
	static const struct mac others[] = {
		BROADCAST, MULTICAST6, {{0x01, 0x80, 0xc2, 0, 0, 0x0e}}};
	struct mac m = M(random_number(d));

	if (dice_one_in(d, 8)) {
		m = others[dice_roll(d, 3)];
	} else if (dice_one_in(d, 16)) {
		dice_fill(d, m.b, sizeof m.b);
	}
	return m;
}

static inline struct ip_addr random_ip(struct dice *d, bool v4)
{
	struct ip_addr ip = random_overlay(d, v4);

	if (dice_one_in(d, 12)) {
		memset(ip.b + (v4 ? 12 : 0), 0, v4 ? 4 : 16);
	} else if (dice_one_in(d, 12)) {
		dice_fill(d, ip.b + (v4 ? 12 : 8), v4 ? 4 : 8);
	} else if (dice_one_in(d, 30)) {
		/* In IPv6 too: an IPv4-mapped address. */
		struct ip_addr four = V4(random_number(d));

		ip = four;
	}
	return ip;
}

static inline uint16_t random_port(struct dice *d)
{
	static const uint16_t some[] = {0, 67, 68, 546, 547, 80, 53};

	return dice_one_in(d, 3) ? (uint16_t)dice_roll(d, 65536)
				 : some[dice_roll(d, 7)];
}

static inline uint16_t random_icmp(struct dice *d)
{
	static const uint16_t some[] = {0,   128, 129, 130, 131, 132, 133,
					134, 135, 136, 137, 143, 135, 136};

	return dice_one_in(d, 4) ? (uint16_t)dice_roll(d, 256)
				 : some[dice_roll(d, 14)];
}

static inline uint8_t random_proto(struct dice *d)
{
	static const uint8_t some[] = {0,  1,  6,  17, 44, 58,
				       59, 58, 17, 58, 17, 132};

	return dice_one_in(d, 10) ? (uint8_t)dice_roll(d, 256)
				  : some[dice_roll(d, 12)];
}

/* Makes 'f' look as if it came in through the tunnel from somebody known. */
static inline void
random_from_peer(struct dice *d, const struct forwarding *fwd, struct flow *f)
{
	for (int i = 0; i < 20; i++) {
		const struct fwd_peer *p =
			forwarding_peer(fwd, random_number(d));
		struct mac mac = M(random_number(d));
		const struct fwd_target *owner =
			forwarding_by_mac(fwd, f->tunnel.vni, &mac);

		if (p && !ip_is_zero(&p->remote)) {
			f->tunnel.src = p->remote;
		}
		if (p && owner && !owner->local &&
		    (owner->peer == p->peer || dice_one_in(d, 4))) {
			f->eth_src = mac;
			return;
		}
	}
}

/* And as if it came in through the trunk. */
static inline void
random_from_trunk(struct dice *d, const struct forwarding *fwd, struct flow *f)
{
	f->vlan_tpid = ETH_TYPE_VLAN;
	for (int i = 0; i < 60; i++) {
		uint16_t vid = (uint16_t)(1 + dice_roll(d, 30));
		const struct vlan *vlan = forwarding_vlan(fwd, vid);
		struct mac mac = M(random_number(d));
		const struct fwd_target *owner;

		f->vlan_tci = (uint16_t)(dice_roll(d, 8) << 13 | 1 << 12 | vid);
		if (!vlan) {
			continue;
		}
		owner = forwarding_by_mac(fwd, vlan->vni, &mac);
		if (vlan->vni == PROBE_VNI ||
		    (owner && !owner->local &&
		     (owner->peer == vlan->peer || dice_one_in(d, 4)))) {
			f->eth_src = mac;
			return;
		}
	}
}

/* A key as the kernel could make it; fields of other protocols are zero.
 * Mostly of a packet that has a chance to get through 'fwd'. */
static UNUSED struct flow random_flow(struct dice *d,
				      const struct forwarding *fwd)
{
	static const uint16_t types[] = {ETH_TYPE_IPV4,
					 ETH_TYPE_IPV4,
					 ETH_TYPE_ARP,
					 ETH_TYPE_ARP,
					 ETH_TYPE_IPV6,
					 ETH_TYPE_IPV6,
					 0,
					 0x88cc};
	const struct fwd_port *port;
	const struct binding *own = NULL;
	struct flow f;
	bool v4;

	memset(&f, 0, sizeof f);
	f.in_port = random_number(d);
	port = forwarding_port(fwd, f.in_port);
	if (port && port->kind == PORT_TUNNEL ? !dice_one_in(d, 10)
					      : dice_one_in(d, 10)) {
		f.tunnel.present = true;
		f.tunnel.src = random_underlay(d);
		f.tunnel.dst = random_underlay(d);
		f.tunnel.vni = 1 + dice_roll(d, RANDOM_VNIS);
		f.tunnel.ttl =
			(uint8_t)dice_roll(d, dice_one_in(d, 4) ? 32 : 256);
		f.tunnel.flags = dice_one_in(d, 10) ? 0 : FLOW_TNL_KEY;
		f.tunnel.flags |= (uint8_t)(dice_roll(d, 4) << 1);
	}
	f.eth_src = random_mac(d);
	f.eth_dst = random_mac(d);
	if (port && port->kind == PORT_TUNNEL && !dice_one_in(d, 4)) {
		random_from_peer(d, fwd, &f);
	}
	if (port && port->kind == PORT_SLEEVE && !dice_one_in(d, 4)) {
		random_from_trunk(d, fwd, &f);
	}
	if (port && port->kind == PORT_ENDPOINT && !dice_one_in(d, 6)) {
		own = &port->binding;
		f.eth_src = own->mac;
	}
	if (!f.vlan_tci && dice_one_in(d, 20)) {
		f.vlan_tci = (uint16_t)(dice_roll(d, 65536) | 0x1000);
		f.vlan_tpid = dice_one_in(d, 2) ? ETH_TYPE_VLAN : ETH_TYPE_QINQ;
	}
	f.eth_type = types[dice_roll(d, 8)];
	if (port && port->kind == PORT_SLEEVE && dice_one_in(d, 8)) {
		f.eth_type = dice_one_in(d, 2) ? ETH_TYPE_VLAN : PROBE_ETH_TYPE;
	}
	if (f.tunnel.present && dice_one_in(d, 24)) {
		f.tunnel.vni = PROBE_VNI;
		if (!dice_one_in(d, 4)) {
			f.eth_type = PROBE_ETH_TYPE;
		}
	}
	v4 = f.eth_type != ETH_TYPE_IPV6;
	switch (f.eth_type) {
	case ETH_TYPE_ARP:
		f.arp_op = (uint16_t)(dice_one_in(d, 2) ? 1 : dice_roll(d, 4));
		if (dice_one_in(d, 2)) {
			memset(&f.eth_dst, 0xff, sizeof f.eth_dst);
		}
		f.arp_sha = dice_one_in(d, 6) ? random_mac(d) : f.eth_src;
		f.arp_tha = random_mac(d);
		break;
	case ETH_TYPE_IPV4:
	case ETH_TYPE_IPV6:
		f.nw_tos = (uint8_t)dice_roll(d, 256);
		f.nw_ttl = (uint8_t)dice_roll(d, 256);
		f.nw_proto = random_proto(d);
		f.nw_frag = (uint8_t)(dice_one_in(d, 4) ? dice_roll(d, 3) : 0);
		f.ipv6_label = v4 ? 0 : dice_roll(d, 1 << 20);
		break;
	default:
		return f;
	}
	f.nw_src = random_ip(d, v4);
	f.nw_dst = random_ip(d, v4);
	if (own && !dice_one_in(d, 4)) {
		size_t i = own->n_ips ? dice_roll(d, own->n_ips) : 0;

		if (i < own->n_ips && ip_is_v4(&own->ips[i]) == v4) {
			f.nw_src = own->ips[i];
		} else if (!v4) {
			f.nw_src = ip_link_local_of(&own->mac);
		}
	}
	if (f.eth_type == ETH_TYPE_ARP || f.nw_frag == FLOW_FRAG_LATER) {
		return f;
	}
	switch (f.nw_proto) {
	case IP_PROTO_TCP:
		f.tcp_flags = (uint16_t)dice_roll(d, 4096);
		/* Fall through. */
	case IP_PROTO_UDP:
	case IP_PROTO_SCTP:
		f.tp_src = random_port(d);
		f.tp_dst = random_port(d);
		break;
	case IP_PROTO_ICMP:
	case IP_PROTO_ICMPV6:
		if (v4 != (f.nw_proto == IP_PROTO_ICMP)) {
			break;
		}
		f.tp_src = random_icmp(d);
		f.tp_dst = (uint16_t)dice_roll(d, 2);
		if (flow_is_nd(&f) && !f.tp_dst) {
			f.nd_target = random_ip(d, false);
			if (dice_one_in(d, 2)) {
				f.eth_dst = (struct mac)MULTICAST6;
			}
			f.nd_sll =
				dice_one_in(d, 6) ? random_mac(d) : f.eth_src;
			f.nd_tll = dice_one_in(d, 6) ? random_mac(d)
						     : (struct mac){{0}};
		}
		break;
	default:
		break;
	}
	return f;
}

#endif
