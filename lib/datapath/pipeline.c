#include "datapath/pipeline.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/guard.h"
#include "datapath/lane.h"
#include "datapath/look.h"
#include "packet/probe.h"
#include "packet/reply.h"
#include "util.h"

enum {
	ARP_REQUEST = 1,
	ND_NEIGHBOUR_SOLICIT = 135,

	REPLY_MAX = 128, /* Bytes, more than either answer has. */
	LINE_SIZE = 256,
	ETH_BYTES = 14, /* Of the header, which no MTU counts. */

	VLAN_CFI = 1 << 12, /* Of a tag that is there. */
	VLAN_VID_MASK = VLAN_CFI - 1,
	VLAN_PCP_SHIFT = 13
};

/* One packet's way through the steps. */
struct walk {
	const struct forwarding *fwd;
	const struct flow *flow;
	const struct pipeline_trace *trace; /* May be NULL. */
	struct translation *out;
	const struct fwd_port *port; /* Where the packet came in. */
	/* From which peer it came, by tunnel or by sleeve, if it did. */
	const struct fwd_peer *from;
	uint32_t origin; /* And whose it is: the peer that has the source. */
	uint8_t ttl;	 /* Of tunnels that it is to be sent through. */
	/* Does it bear a tag of the trunk, where the actions have got to? */
	bool tagged;
};

/* Addresses as text, for one line of the trace. */
#define MAC_TEXT(MAC) mac_format((MAC), (char[MAC_STRLEN]){""})
#define IP_TEXT(IP)   ip_format((IP), (char[IP_STRLEN]){""})

static void __attribute__((format(printf, 2, 3)))
say(const struct walk *w, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	w->trace->step(w->trace->aux, line);
}

/* Formats nothing unless somebody listens. */
#define SAY(W, ...)                            \
	do {                                   \
		if ((W)->trace) {              \
			say((W), __VA_ARGS__); \
		}                              \
	} while (0)

static void note(struct walk *w, dep_t dep)
{
	deps_add(&w->out->deps, dep);
}

/* Look-ups.  Each leaves its mark in the mask and the dependencies. */

static const struct fwd_target *by_mac(struct walk *w, const struct mac *mac,
				       struct mac *mask)
{
	look_up_mac(mask);
	note(w, dep_mac(w->out->vni, mac));
	return forwarding_by_mac(w->fwd, w->out->vni, mac);
}

static const struct fwd_target *by_ip(struct walk *w, const struct ip_addr *ip,
				      struct ip_addr *mask)
{
	look_up_ip(mask);
	note(w, dep_ip(w->out->vni, ip));
	return forwarding_by_ip(w->fwd, w->out->vni, ip);
}

/* The peer of that number if packets can be sent to it now. */
static const struct fwd_peer *peer_up(struct walk *w, uint32_t number)
{
	const struct fwd_peer *peer = forwarding_peer(w->fwd, number);

	note(w, dep_peer(number));
	return peer && peer->up ? peer : NULL;
}

/* The peer through whose tunnel frames for 'number' go, if that can be now. */
static const struct fwd_peer *way_to(struct walk *w, uint32_t number)
{
	note(w, dep_peer(number));
	return peer_up(w, forwarding_via(w->fwd, number));
}

static const struct fwd_port *tunnel_port(struct walk *w)
{
	note(w, dep_tunnel());
	return forwarding_tunnel(w->fwd);
}

static const struct fwd_port *trunk_port(struct walk *w)
{
	note(w, dep_trunk());
	return forwarding_trunk(w->fwd);
}

/* One bit tells those from what is for one station.  What is for all goes the
 * same way whatever group it is for, so nothing else of the address need be
 * looked at: new groups open no flows. */
static bool is_for_all(struct walk *w)
{
	w->out->mask.eth_dst.b[0] |= 1; /* mac_is_group() */
	return mac_is_group(&w->flow->eth_dst);
}

static bool is_own(const struct walk *w, const struct fwd_target *target)
{
	return target->local && target->port_no == w->port->port_no;
}

/* Step 1: which network, and if it came through the tunnel, from whom. */

/* No network has the VNI of probes, and nothing is forwarded from there.  What
 * is a probe comes up each time; the rest becomes a flow that drops it. */
static enum reason ingress_probe(struct walk *w)
{
	w->out->mask.eth_type = UINT16_MAX;
	if (w->flow->eth_type != PROBE_ETH_TYPE) {
		return REASON_UNKNOWN_NETWORK;
	}
	w->out->install = false;
	return REASON_PROBE;
}

/* Of the network that the frame came in. */
static enum reason ingress_network(struct walk *w, uint32_t vni)
{
	struct fwd_members members;

	if (vni == PROBE_VNI) {
		return ingress_probe(w);
	}
	members = forwarding_members(w->fwd, vni);
	/* A network of others may have us between them. */
	if (!members.n_ports && !members.n_peers) {
		note(w, dep_network(vni));
		return REASON_UNKNOWN_NETWORK;
	}
	w->out->vni = vni;
	return REASON_NONE;
}

static enum reason ingress_tunnel(struct walk *w)
{
	const struct flow_tunnel *tunnel = &w->flow->tunnel;
	struct flow_tunnel *mask = &w->out->mask.tunnel;

	mask->present = true;
	if (!tunnel->present) {
		/* Cannot be, and could not be told to the kernel. */
		w->out->install = false;
		return REASON_MALFORMED;
	}
	look_up_ip(&mask->src);
	note(w, dep_underlay(&tunnel->src));
	w->from = forwarding_peer_at(w->fwd, &tunnel->src);
	if (!w->from) {
		SAY(w, "port %u %s: tunnel, from %s, which is no peer",
		    w->port->port_no, w->port->name, IP_TEXT(&tunnel->src));
		return REASON_UNKNOWN_PEER;
	}
	w->out->peer = w->from->peer;
	mask->flags |= FLOW_TNL_KEY;
	if (!(tunnel->flags & FLOW_TNL_KEY)) {
		return REASON_MALFORMED;
	}
	mask->vni = VNI_MAX;
	SAY(w, "port %u %s: tunnel, from peer %u at %s, network %u",
	    w->port->port_no, w->port->name, w->from->peer,
	    IP_TEXT(&tunnel->src), tunnel->vni);
	return ingress_network(w, tunnel->vni);
}

/* Only who opens sealed frames writes to the trunk; the VLAN says who sealed
 * this one. */
static enum reason ingress_sleeve(struct walk *w)
{
	struct flow *mask = &w->out->mask;
	uint16_t vid = w->flow->vlan_tci & VLAN_VID_MASK;
	const struct vlan *vlan;

	mask->vlan_tci = VLAN_CFI;
	if (!(w->flow->vlan_tci & VLAN_CFI)) {
		w->out->install = false;
		return REASON_UNKNOWN_VLAN;
	}
	mask->vlan_tci |= VLAN_VID_MASK;
	mask->vlan_tpid = UINT16_MAX;
	vlan = w->flow->vlan_tpid == ETH_TYPE_VLAN
		       ? forwarding_vlan(w->fwd, vid)
		       : NULL;
	if (vlan) {
		note(w, dep_vid(vid));
		w->from = forwarding_peer(w->fwd, vlan->peer);
	}
	if (!w->from) {
		/* It may get a meaning at any time. */
		w->out->install = false;
		SAY(w, "port %u %s: sleeve, VLAN %u, which is nobody's",
		    w->port->port_no, w->port->name, vid);
		return REASON_UNKNOWN_VLAN;
	}
	w->tagged = true;
	w->out->vid = vid;
	w->out->peer = w->from->peer;
	SAY(w, "port %u %s: sleeve, VLAN %u, from peer %u, network %u",
	    w->port->port_no, w->port->name, vid, w->from->peer, vlan->vni);
	return ingress_network(w, vlan->vni);
}

static enum reason ingress(struct walk *w)
{
	uint32_t in_port = w->flow->in_port;

	w->out->mask.in_port = UINT32_MAX;
	note(w, dep_port(in_port));
	w->port = forwarding_port(w->fwd, in_port);
	if (!w->port) {
		SAY(w, "port %u: unknown", in_port);
		return REASON_UNKNOWN_PORT;
	}
	switch (w->port->kind) {
	case PORT_HOST:
		SAY(w, "port %u %s: the host's own", in_port, w->port->name);
		return REASON_HOST_PORT;
	case PORT_TUNNEL:
		return ingress_tunnel(w);
	case PORT_SLEEVE:
		return ingress_sleeve(w);
	case PORT_ENDPOINT:
		w->out->vni = w->port->binding.vni;
		SAY(w, "port %u %s: endpoint of network %u", in_port,
		    w->port->name, w->out->vni);
		return REASON_NONE;
	}
	return REASON_UNKNOWN_PORT;
}

/* Step 2: may the packet be what it says it is? */

/* The kernel matches the CFI bit and the TPID of a tagged frame exactly
 * (validate_vlan_mask_from_nlattrs() in net/openvswitch/flow_netlink.c). */
static enum reason guard_vlan(struct walk *w)
{
	struct flow *mask = &w->out->mask;
	const struct flow *f = w->flow;

	if (w->tagged) {
		/* A second tag shows as an ethertype. */
		mask->eth_type = UINT16_MAX;
		return f->eth_type == ETH_TYPE_VLAN ||
				       f->eth_type == ETH_TYPE_QINQ
			       ? REASON_VLAN
			       : REASON_NONE;
	}
	mask->vlan_tci = VLAN_CFI;
	if (!(f->vlan_tci & VLAN_CFI)) {
		return REASON_NONE;
	}
	mask->vlan_tpid = UINT16_MAX;
	mask->eth_type = UINT16_MAX;
	return REASON_VLAN;
}

/* 01:80:c2:00:00:00 to 0f (IEEE 802.1Q 8.6.3).  Told from others by the first
 * byte, or the first three, or else by all. */
static enum reason guard_reserved(struct walk *w)
{
	static const struct mac reserved = {{0x01, 0x80, 0xc2}};
	struct mac block = w->flow->eth_dst;
	struct mac mask = {{0xff}};
	bool same;

	block.b[5] &= 0xf0;
	same = block.b[0] == reserved.b[0];
	if (same) {
		mask = (struct mac){{0xff, 0xff, 0xff}};
		same = !memcmp(block.b, reserved.b, 3);
	}
	if (same) {
		mask = (struct mac){{0xff, 0xff, 0xff, 0xff, 0xff, 0xf0}};
		same = mac_equal(&block, &reserved);
	}
	for (size_t i = 0; i < sizeof mask.b; i++) {
		w->out->mask.eth_dst.b[i] |= mask.b[i];
	}
	return same ? REASON_RESERVED : REASON_NONE;
}

static enum reason guard_port(struct walk *w)
{
	const struct flow *f = w->flow;
	enum reason reason =
		guard_endpoint(&w->port->binding, f, &w->out->mask);

	if (reason) {
		return reason;
	}
	switch (f->eth_type) {
	case ETH_TYPE_ARP:
	case ETH_TYPE_IPV4:
	case ETH_TYPE_IPV6:
		SAY(w, "spoof guard: MAC %s and source %s are the port's own",
		    MAC_TEXT(&f->eth_src), IP_TEXT(&f->nw_src));
		break;
	default:
		SAY(w, "spoof guard: MAC %s is the port's own",
		    MAC_TEXT(&f->eth_src));
		break;
	}
	return REASON_NONE;
}

/* May the peer that it came from pass on frames of 'origin'?  Those for many
 * come along the one tree that all agree on, so that nobody gets them twice;
 * those for one from anybody who is nearer to their origin. */
static bool relay_is_right(struct walk *w)
{
	const struct fwd_routes *routes = forwarding_routes(w->fwd);
	const uint32_t from = w->from->peer;

	note(w, dep_tree(w->origin));
	return is_for_all(w) ? routes->parent(routes->aux, w->origin) == from
			     : routes->may_relay(routes->aux, w->origin, from);
}

/* A MAC and its addresses are believed only from the peer that has bound them,
 * and from those that may be between it and us.  Its own guard should have seen
 * to that, but a peer vouches for what it has announced and for what it has to
 * pass on, and for nothing else. */
static enum reason guard_tunnel(struct walk *w)
{
	const struct mac *src = &w->flow->eth_src;
	const struct fwd_target *owner = by_mac(w, src, &w->out->mask.eth_src);
	struct binding binding;
	enum reason reason;

	if (!owner || owner->local ||
	    !forwarding_binding(w->fwd, w->out->vni, src, &binding)) {
		return REASON_FOREIGN_MAC;
	}
	w->origin = owner->peer;
	SAY(w, "spoof guard: MAC %s is announced by peer %u", MAC_TEXT(src),
	    owner->peer);
	if (owner->peer != w->from->peer && !relay_is_right(w)) {
		SAY(w, "spoof guard: peer %u is not on the way from peer %u",
		    w->from->peer, owner->peer);
		return REASON_WRONG_WAY;
	}
	reason = guard_endpoint(&binding, w->flow, &w->out->mask);
	if (reason == REASON_SPOOFED_IP || reason == REASON_SPOOFED_ARP) {
		return REASON_FOREIGN_IP;
	}
	return reason;
}

static enum reason guard(struct walk *w)
{
	enum reason reason = guard_vlan(w);

	if (!reason) {
		reason = w->from ? guard_tunnel(w) : guard_port(w);
	}
	if (!reason) {
		reason = guard_reserved(w);
	}
	return reason;
}

/* Step 3: where does it go? */

/* A tag of the trunk does not leave by another port. */
static void untag(struct walk *w)
{
	if (w->tagged) {
		actions_pop_vlan(&w->out->actions);
		w->tagged = false;
	}
}

static void put_local(struct walk *w, uint32_t port_no)
{
	untag(w);
	actions_output(&w->out->actions, port_no);
}

static void put_tunnel(struct actions *actions, const struct fwd_peer *peer,
		       uint32_t vni, uint8_t ttl, const struct fwd_port *tunnel)
{
	struct action *a = actions_set_tunnel(actions);
	bool v4 = ip_is_v4(&peer->remote);

	a->tunnel.src = peer->local;
	a->tunnel.dst = peer->remote;
	a->tunnel.vni = vni;
	a->tunnel.tp_dst = peer->udp_port;
	a->tunnel.ttl = ttl;
	a->tunnel.df = v4;
	/* UDP over IPv6 has a checksum (RFC 8200 8.1). */
	a->tunnel.csum = !v4;
	actions_output(actions, tunnel->port_no);
}

static void put_trunk(struct actions *actions, uint16_t vid, uint8_t ttl,
		      const struct fwd_port *trunk)
{
	actions_push_vlan(actions, vid, ttl >> PIPELINE_TTL_SHIFT);
	actions_output(actions, trunk->port_no);
}

/* The port that frames to 'peer' leave by; NULL if it is not there. */
static const struct fwd_port *way_out(struct walk *w,
				      const struct fwd_peer *peer)
{
	switch (peer->way) {
	case FWD_BY_TUNNEL:
		return tunnel_port(w);
	case FWD_BY_SLEEVE:
		return trunk_port(w);
	}
	return NULL;
}

/* The largest frame that may go to 'peer' by its tunnel; 0: all may.  Who could
 * send a larger one is told by us (the sleeve does so itself), at the host that
 * it is on: where frames are passed on, no port has more than gets through. */
static uint16_t size_limit(const struct walk *w, const struct fwd_peer *peer)
{
	const uint32_t size = peer->mtu + ETH_BYTES;

	return !w->from && peer->mtu && peer->mtu < w->port->mtu &&
			       size <= UINT16_MAX
		       ? (uint16_t)size
		       : 0;
}

static void send_by_tunnel(struct walk *w, const struct fwd_peer *peer,
			   const struct fwd_port *port)
{
	struct actions *actions = &w->out->actions;
	const uint16_t size = size_limit(w, peer);
	size_t check;

	untag(w);
	if (!size) {
		put_tunnel(actions, peer, w->out->vni, w->ttl, port);
		return;
	}
	SAY(w, "packets of more than %u bytes are too large for peer %u",
	    peer->mtu, peer->peer);
	check = actions_check_size(actions, size, peer->peer);
	put_tunnel(actions, peer, w->out->vni, w->ttl, port);
	actions_check_end(actions, check);
}

/* False: the trunk has no VLAN left for it. */
static bool send_to(struct walk *w, const struct fwd_peer *peer,
		    const struct fwd_port *port)
{
	struct actions *actions = &w->out->actions;
	uint32_t vni = w->out->vni;
	uint16_t vid;

	switch (peer->way) {
	case FWD_BY_TUNNEL:
		send_by_tunnel(w, peer, port);
		return true;
	case FWD_BY_SLEEVE:
		vid = forwarding_vid(w->fwd, peer->peer, vni);
		if (vid) {
			untag(w);
			put_trunk(actions, vid, w->ttl, port);
			w->tagged = true;
		}
		return vid;
	}
	return false;
}

static bool probe_by_sleeve(const struct forwarding *fwd, uint32_t peer,
			    struct actions *actions)
{
	const struct fwd_port *trunk = forwarding_trunk(fwd);
	uint16_t vid = trunk ? forwarding_vid(fwd, peer, PROBE_VNI) : 0;

	if (vid) {
		put_trunk(actions, vid, PIPELINE_TTL, trunk);
	}
	return vid;
}

static bool probe_by_tunnel(const struct forwarding *fwd,
			    const struct fwd_peer *peer, unsigned int lane,
			    struct actions *actions)
{
	const struct fwd_port *tunnel = forwarding_tunnel(fwd);

	if (!tunnel || ip_is_zero(&peer->remote)) {
		return false;
	}
	if (peer->n_lanes > 1) {
		actions_set_mark(actions, lane_mark(lane), LANE_MARK_MASK);
	}
	put_tunnel(actions, peer, PROBE_VNI, PIPELINE_TTL, tunnel);
	return true;
}

bool pipeline_probe(const struct forwarding *fwd, uint32_t number,
		    enum fwd_way way, unsigned int lane,
		    struct actions *actions)
{
	const struct fwd_peer *peer = forwarding_peer(fwd, number);

	if (!peer || (way == peer->way && !peer->up)) {
		return false;
	}
	switch (way) {
	case FWD_BY_TUNNEL:
		return probe_by_tunnel(fwd, peer, lane, actions);
	case FWD_BY_SLEEVE:
		return probe_by_sleeve(fwd, number, actions);
	}
	return false;
}

static bool arrival_by_tunnel(const struct forwarding *fwd,
			      const struct fwd_peer *peer, uint32_t vni,
			      struct flow *flow)
{
	const struct fwd_port *tunnel = forwarding_tunnel(fwd);

	if (!tunnel || ip_is_zero(&peer->remote)) {
		return false;
	}
	flow->in_port = tunnel->port_no;
	flow->tunnel = (struct flow_tunnel){.present = true,
					    .src = peer->remote,
					    .dst = peer->local,
					    .vni = vni,
					    .ttl = PIPELINE_TTL,
					    .flags = FLOW_TNL_KEY};
	return true;
}

static bool arrival_by_sleeve(const struct forwarding *fwd,
			      const struct fwd_peer *peer, uint32_t vni,
			      struct flow *flow)
{
	const struct fwd_port *trunk = forwarding_trunk(fwd);
	uint16_t vid = trunk ? forwarding_vid(fwd, peer->peer, vni) : 0;

	if (!vid) {
		return false;
	}
	flow->in_port = trunk->port_no;
	flow->vlan_tpid = ETH_TYPE_VLAN;
	flow->vlan_tci = (uint16_t)(PIPELINE_RELAYS_MAX << VLAN_PCP_SHIFT |
				    VLAN_CFI | vid);
	return true;
}

bool pipeline_arrival(const struct forwarding *fwd, const struct fwd_peer *peer,
		      uint32_t vni, struct flow *flow)
{
	switch (peer->way) {
	case FWD_BY_TUNNEL:
		return arrival_by_tunnel(fwd, peer, vni, flow);
	case FWD_BY_SLEEVE:
		return arrival_by_sleeve(fwd, peer, vni, flow);
	}
	return false;
}

/* One lane for each flow.  Nothing follows the output, so the mark reaches
 * nobody else; what is replicated has none and takes lane 0. */
static void choose_lane(struct walk *w, const struct fwd_peer *peer)
{
	struct translation *out = w->out;

	if (peer->way == FWD_BY_TUNNEL && peer->n_lanes > 1) {
		out->lane = lane_choose(w->flow, peer->n_lanes, &out->mask);
		actions_set_mark(&out->actions, lane_mark(out->lane),
				 LANE_MARK_MASK);
		SAY(w, "lane %u of %u", out->lane, peer->n_lanes);
	}
}

/* How often the frame may still be passed on. */
static uint8_t relays_left(struct walk *w)
{
	struct flow *mask = &w->out->mask;

	if (w->port->kind == PORT_SLEEVE) {
		mask->vlan_tci |= (uint16_t)(UINT16_MAX << VLAN_PCP_SHIFT);
		return (uint8_t)(w->flow->vlan_tci >> VLAN_PCP_SHIFT);
	}
	mask->tunnel.ttl |= (uint8_t)(UINT8_MAX << PIPELINE_TTL_SHIFT);
	return w->flow->tunnel.ttl >> PIPELINE_TTL_SHIFT;
}

/* What came from one peer is to go to another. */
static bool may_pass_on(struct walk *w)
{
	uint8_t left = relays_left(w);

	if (!left) {
		SAY(w, "passed on too often: no hops are left");
		return false;
	}
	w->ttl = (uint8_t)(left << PIPELINE_TTL_SHIFT) - 1;
	return true;
}

static void say_way(const struct walk *w, uint32_t peer,
		    const struct fwd_peer *hop, const struct fwd_port *port)
{
	const char *dst = MAC_TEXT(&w->flow->eth_dst);
	const char *at = hop->way == FWD_BY_SLEEVE ? "by sleeve" : "at ";
	const char *remote =
		hop->way == FWD_BY_SLEEVE ? "" : IP_TEXT(&hop->remote);

	if (hop->peer == peer) {
		SAY(w, "destination %s: peer %u %s%s, through port %u", dst,
		    peer, at, remote, port->port_no);
	} else {
		SAY(w,
		    "destination %s: peer %u via peer %u %s%s, through port %u",
		    dst, peer, hop->peer, at, remote, port->port_no);
	}
}

/* To the host of 'target', which is another one. */
static enum reason send_remote(struct walk *w, const struct fwd_target *target)
{
	const struct mac *dst = &w->flow->eth_dst;
	const struct fwd_peer *hop = way_to(w, target->peer);
	const struct fwd_port *port;

	w->out->peer = target->peer;
	if (!hop) {
		SAY(w, "destination %s: peer %u, which cannot be reached now",
		    MAC_TEXT(dst), target->peer);
		return REASON_PEER_DOWN;
	}
	if (w->from && (hop->peer == w->from->peer || hop->peer == w->origin ||
			target->peer == w->origin)) {
		SAY(w, "destination %s: peer %u, back to peer %u",
		    MAC_TEXT(dst), target->peer, hop->peer);
		return REASON_GOES_BACK;
	}
	if (w->from && !may_pass_on(w)) {
		return REASON_HOP_LIMIT;
	}
	port = way_out(w, hop);
	if (!port) {
		SAY(w, "destination %s: peer %u, but there is no port to it",
		    MAC_TEXT(dst), target->peer);
		return REASON_NO_DATAPATH;
	}
	w->out->hop = hop->peer;
	say_way(w, target->peer, hop, port);
	choose_lane(w, hop);
	if (!send_to(w, hop, port)) {
		return REASON_NO_VLAN;
	}
	return w->from			   ? REASON_RELAYED
	       : hop->peer == target->peer ? REASON_REMOTE
					   : REASON_INDIRECT;
}

static enum reason unicast(struct walk *w)
{
	const struct mac *dst = &w->flow->eth_dst;
	const struct fwd_target *target = by_mac(w, dst, &w->out->mask.eth_dst);

	if (!target) {
		SAY(w, "destination %s: unknown", MAC_TEXT(dst));
		return w->from ? REASON_NOT_FOR_US : REASON_UNKNOWN_MAC;
	}
	if (!target->local) {
		return send_remote(w, target);
	}
	SAY(w, "destination %s: local, port %u", MAC_TEXT(dst),
	    target->port_no);
	if (is_own(w, target)) {
		return REASON_SAME_PORT;
	}
	put_local(w, target->port_no);
	return REASON_LOCAL;
}

static int compare_numbers(const void *a_, const void *b_)
{
	const uint32_t *a = a_, *b = b_;

	return *a < *b ? -1 : *a > *b;
}

/* Sorts, and drops what is there twice. */
static size_t unique(uint32_t *v, size_t n)
{
	size_t n_left = 0;

	qsort(v, n, sizeof *v, compare_numbers);
	for (size_t i = 0; i < n; i++) {
		if (!n_left || v[i] != v[n_left - 1]) {
			v[n_left++] = v[i];
		}
	}
	return n_left;
}

/* The neighbours that 'peers', members of the network, lie behind.  '*hops' is
 * the caller's. */
static size_t find_hops(struct walk *w, const struct fwd_members *members,
			uint32_t **hops)
{
	const struct fwd_routes *routes = forwarding_routes(w->fwd);
	size_t n = 0;

	*hops = NULL;
	if (w->from) {
		note(w, dep_tree(w->origin));
		if (!routes->passes_on(routes->aux, w->origin)) {
			return 0;
		}
	}
	*hops = xmalloc((members->n_peers + 1) * sizeof **hops);
	for (size_t i = 0; i < members->n_peers; i++) {
		uint32_t member = members->peers[i], hop;

		if (w->from) {
			hop = member == w->origin
				      ? FWD_NOBODY
				      : routes->next(routes->aux, w->origin,
						     member);
		} else {
			note(w, dep_peer(member));
			hop = forwarding_via(w->fwd, member);
		}
		if (hop != FWD_NOBODY && (!w->from || hop != w->from->peer)) {
			(*hops)[n++] = hop;
		}
	}
	return unique(*hops, n);
}

/* To those of 'hops' that frames go to by 'way'. */
static size_t copy_to(struct walk *w, const uint32_t *hops, size_t n_hops,
		      enum fwd_way way)
{
	size_t n = 0;

	for (size_t i = 0; i < n_hops; i++) {
		const struct fwd_peer *peer = peer_up(w, hops[i]);
		const struct fwd_port *port;

		if (peer && peer->way == way) {
			port = way_out(w, peer);
			n += port && send_to(w, peer, port);
		}
	}
	return n;
}

/* To those neighbours behind whom members of the network are. */
static size_t replicate_to_peers(struct walk *w,
				 const struct fwd_members *members, bool *late)
{
	size_t n_hops, n_peers;
	uint32_t *hops;

	if (!members->n_peers) {
		return 0;
	}
	n_hops = find_hops(w, members, &hops);
	if (n_hops && w->from && !may_pass_on(w)) {
		*late = true;
		n_hops = 0;
	}
	/* In this order, as a tunnel that is set stays set. */
	n_peers = copy_to(w, hops, n_hops, FWD_BY_SLEEVE);
	n_peers += copy_to(w, hops, n_hops, FWD_BY_TUNNEL);
	free(hops);
	return n_peers;
}

/* To everybody else in the network.  Local ports come first. */
static enum reason replicate(struct walk *w)
{
	struct translation *out = w->out;
	struct fwd_members members = forwarding_members(w->fwd, out->vni);
	size_t n_ports = 0, n_peers;
	bool late = false;

	note(w, dep_network(out->vni));
	for (size_t i = 0; i < members.n_ports; i++) {
		if (members.ports[i] != w->port->port_no) {
			put_local(w, members.ports[i]);
			n_ports++;
		}
	}
	n_peers = replicate_to_peers(w, &members, &late);
	SAY(w, "destination %s: all of network %u: %zu ports, %zu peers",
	    MAC_TEXT(&w->flow->eth_dst), out->vni, n_ports, n_peers);
	return n_ports || n_peers ? REASON_REPLICATED
	       : late		  ? REASON_HOP_LIMIT
				  : REASON_NO_RECEIVER;
}

/* The station that has a link-local address made of its MAC. */
static const struct fwd_target *
by_link_local(struct walk *w, const struct ip_addr *ip, struct ip_addr *mask)
{
	struct mac mac = {{ip->b[8] ^ 2, ip->b[9], ip->b[10], ip->b[13],
			   ip->b[14], ip->b[15]}};
	struct ip_addr of_mac = ip_link_local_of(&mac);

	look_up_ip(mask);
	if (!ip_equal(&of_mac, ip)) {
		return NULL;
	}
	note(w, dep_mac(w->out->vni, &mac));
	return forwarding_by_mac(w->fwd, w->out->vni, &mac);
}

/* The station that 'ip' is asked of; NULL if nobody is known. */
static const struct fwd_target *
asked_for(struct walk *w, const struct ip_addr *ip, struct ip_addr *mask)
{
	bool arp = w->flow->eth_type == ETH_TYPE_ARP;
	const struct fwd_target *target = NULL;

	/* An IPv4-mapped target in IPv6 is nobody's. */
	if (arp || !ip_is_v4(ip)) {
		target = by_ip(w, ip, mask);
	}
	if (!target && !arp) {
		target = by_link_local(w, ip, mask);
	}
	return target;
}

/* A question to one alone, whose own answer needs no daemon.  False: it does
 * not get there now, or not straight, and is better answered by us. */
static bool lead(struct walk *w, const struct fwd_target *target,
		 enum reason *reason)
{
	struct translation *out = w->out;
	const struct fwd_peer *hop;

	if (target->local) {
		put_local(w, target->port_no);
		*reason = REASON_LOCAL;
		return true;
	}
	hop = way_to(w, target->peer);
	if (!hop || hop->peer != target->peer) {
		return false;
	}
	*reason = send_remote(w, target);
	if (*reason != REASON_REMOTE) {
		out->actions.n = 0;
		out->peer = out->hop = UINT32_MAX;
		return false;
	}
	return true;
}

/* From a peer: those that have led it here asked nobody else. */
static enum reason pass_question(struct walk *w, const struct ip_addr *ip,
				 struct ip_addr *mask)
{
	const struct fwd_target *target;

	target = asked_for(w, ip, mask);
	if (!target || !target->local) {
		return replicate(w);
	}
	SAY(w, "who has %s: local, port %u", IP_TEXT(ip), target->port_no);
	put_local(w, target->port_no);
	return REASON_LOCAL;
}

/* "Who has 'ip'?", asked of everybody, is answered by us alone, or led to who
 * has it.  Who has no address yet is told by us. */
static enum reason answer(struct walk *w, const struct ip_addr *ip,
			  struct ip_addr *mask,
			  void (*put_reply)(struct wbuf *, const struct flow *,
					    const struct mac *))
{
	const struct fwd_target *target;
	enum reason reason;

	if (w->from) {
		return pass_question(w, ip, mask);
	}
	target = asked_for(w, ip, mask);
	if (!target) {
		SAY(w, "who has %s: nobody known", IP_TEXT(ip));
		return REASON_UNKNOWN_IP;
	}
	if (is_own(w, target)) {
		SAY(w, "who has %s: the asker itself, others shall hear it",
		    IP_TEXT(ip));
		return replicate(w);
	}
	if (forwarding_leads_questions(w->fwd) &&
	    !ip_is_zero(&w->flow->nw_src) && lead(w, target, &reason)) {
		SAY(w, "who has %s: asked of that one alone", IP_TEXT(ip));
		return reason;
	}
	SAY(w, "who has %s: %s", IP_TEXT(ip), MAC_TEXT(&target->mac));
	put_reply(&w->out->reply, w->flow, &target->mac);
	w->out->install = false;
	return REASON_ANSWERED;
}

static enum reason destination(struct walk *w)
{
	const struct flow *f = w->flow;
	struct flow *mask = &w->out->mask;

	if (!is_for_all(w)) {
		return unicast(w);
	}
	if (w->from && !forwarding_leads_questions(w->fwd)) {
		return replicate(w);
	}
	/* The guard has looked at what tells these two from all others. */
	if (f->eth_type == ETH_TYPE_ARP && f->arp_op == ARP_REQUEST) {
		return answer(w, &f->nw_dst, &mask->nw_dst, reply_arp);
	}
	if (flow_is_nd(f) && f->tp_src == ND_NEIGHBOUR_SOLICIT) {
		return answer(w, &f->nd_target, &mask->nd_target,
			      reply_neighbour);
	}
	return replicate(w);
}

void translation_init(struct translation *t)
{
	memset(t, 0, sizeof *t);
	actions_init(&t->actions);
	deps_init(&t->deps);
	wbuf_init(&t->reply, REPLY_MAX);
	t->peer = t->hop = UINT32_MAX;
}

void translation_free(struct translation *t)
{
	actions_free(&t->actions);
	deps_free(&t->deps);
	wbuf_free(&t->reply);
	translation_init(t);
}

/* Forgets the last packet, keeps the memory. */
static void translation_clear(struct translation *t)
{
	memset(&t->mask, 0, sizeof t->mask);
	t->actions.n = 0;
	t->reason = REASON_NONE;
	deps_clear(&t->deps);
	t->install = true;
	wbuf_clear(&t->reply);
	t->vni = 0;
	t->vid = 0;
	t->peer = t->hop = UINT32_MAX;
	t->lane = 0;
}

void pipeline_translate(const struct forwarding *fwd, const struct flow *flow,
			const struct pipeline_trace *trace,
			struct translation *out)
{
	struct walk walk = {.fwd = fwd,
			    .flow = flow,
			    .trace = trace,
			    .out = out,
			    .ttl = PIPELINE_TTL};
	struct walk *w = &walk;

	translation_clear(out);
	out->reason = ingress(w);
	if (!out->reason) {
		out->reason = guard(w);
	}
	if (!out->reason) {
		out->reason = destination(w);
	}
	/* A verdict on a packet from the tunnel that finds its receiver rests
	 * on that one, so the network certainly has one; any other verdict
	 * would be "unknown network" if the last one went. */
	if (w->from && out->vni && out->reason != REASON_LOCAL &&
	    out->reason != REASON_RELAYED) {
		note(w, dep_network(out->vni));
	}
	SAY(w, "%s: %s: %s",
	    out->actions.n || out->reply.size ? "send" : "drop",
	    reason_slug(out->reason), reason_text(out->reason));
}
