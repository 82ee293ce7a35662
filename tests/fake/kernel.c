#include "fake/kernel.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipsec/policy.h"
#include "packet/parse.h"
#include "sleeve/sleeve.h"
#include "util.h"

static void breach(struct fake_kernel *k, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void breach(struct fake_kernel *k, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	k->breach(k->aux, text);
}

void fake_kernel_init(struct fake_kernel *k)
{
	memset(k, 0, sizeof *k);
	k->default_mtu = 1500;
}

static void flow_free(struct fake_flow *f)
{
	actions_free(&f->actions);
}

static void datapath_clear(struct fake_kernel *k)
{
	for (size_t i = 0; i < k->n_flows; i++) {
		flow_free(&k->flows[i]);
	}
	k->n_flows = 0;
	k->n_ports = 0;
	k->datapath = false;
}

void fake_kernel_done(struct fake_kernel *k)
{
	datapath_clear(k);
}

void fake_packet_free(struct fake_packet *p)
{
	if (p) {
		free(p->frame);
		free(p);
	}
}

void fake_event_free(struct fake_event *e)
{
	if (e) {
		free(e->detail);
		wbuf_free(&e->frame);
		free(e);
	}
}

static struct fake_event *event_new(enum event_type type)
{
	struct fake_event *e = xzalloc(sizeof *e);

	e->event.type = type;
	wbuf_init(&e->frame, 0);
	return e;
}

/* ---- Ports and links ---- */

static struct fake_port *port_by_number(struct fake_kernel *k, uint32_t port_no)
{
	for (size_t i = 0; i < k->n_ports; i++) {
		if (k->ports[i].port_no == port_no) {
			return &k->ports[i];
		}
	}
	return NULL;
}

const struct fake_port *fake_kernel_port(const struct fake_kernel *k,
					 const char *name)
{
	for (size_t i = 0; i < k->n_ports; i++) {
		if (!strcmp(k->ports[i].name, name)) {
			return &k->ports[i];
		}
	}
	return NULL;
}

struct fake_link *fake_kernel_link(struct fake_kernel *k, const char *name)
{
	for (size_t i = 0; i < k->n_links; i++) {
		if (!strcmp(k->links[i].name, name)) {
			return &k->links[i];
		}
	}
	return NULL;
}

void fake_kernel_add_link(struct fake_kernel *k, const char *name, uint32_t mtu)
{
	struct fake_link *link = &k->links[k->n_links++];

	ovs_assert(k->n_links <= FAKE_MAX_LINKS);
	snprintf(link->name, sizeof link->name, "%s", name);
	link->mtu = mtu;
}

static struct fake_port *port_new(struct fake_kernel *k,
				  enum odp_vport_type type, const char *name)
{
	struct fake_port *port;
	uint32_t port_no = type == ODP_VPORT_INTERNAL ? 0 : 1;

	while (port_by_number(k, port_no)) {
		port_no++; /* The lowest free one, as the kernel does. */
	}
	ovs_assert(k->n_ports < FAKE_MAX_PORTS);
	port = &k->ports[k->n_ports++];
	memset(port, 0, sizeof *port);
	port->port_no = port_no;
	port->type = type;
	port->ifindex = 100 + k->n_port_news++;
	snprintf(port->name, sizeof port->name, "%s", name);
	return port;
}

/* To the sleeve, beside the kernel's own datapath? */
static bool is_trunk(const struct fake_kernel *k, const struct fake_port *port)
{
	return port->type == ODP_VPORT_TAP && !k->user;
}

static int vport_add(struct fake_kernel *k, const struct odp_vport *v,
		     uint32_t *port_no)
{
	struct fake_port *port;

	if (!k->datapath) {
		return ENODEV;
	}
	if (v->type == ODP_VPORT_SLEEVE && !k->user) {
		return EINVAL;
	}
	if (fake_kernel_port(k, v->name)) {
		return EEXIST;
	}
	if ((v->type == ODP_VPORT_NETDEV ||
	     (v->type == ODP_VPORT_TAP && k->user)) &&
	    !fake_kernel_link(k, v->name)) {
		/* A TAP is opened inside of its namespace, if there is one. */
		return k->user && !k->netns_outlive ? ENOENT : ENODEV;
	}
	if (v->type == ODP_VPORT_VXLAN && v->udp_port == k->taken_udp_port) {
		return EADDRINUSE;
	}
	port = port_new(k, v->type, v->name);
	if (v->port_no != UINT32_MAX) {
		port->port_no = v->port_no;
	}
	port->udp_port = v->udp_port;
	port->served = true;
	*port_no = port->port_no;
	return 0;
}

static int vport_del(struct fake_kernel *k, uint32_t port_no)
{
	struct fake_port *port = port_by_number(k, port_no);

	if (port) {
		*port = k->ports[--k->n_ports];
	}
	return 0;
}

/* ---- IPsec ---- */

static struct fake_sa *sa_find(struct fake_kernel *k, const struct ip_addr *dst,
			       uint32_t spi)
{
	for (size_t i = 0; i < k->n_sas; i++) {
		if (k->sas[i].sa.spi == spi &&
		    ip_equal(&k->sas[i].sa.dst, dst)) {
			return &k->sas[i];
		}
	}
	return NULL;
}

static int sa_add(struct fake_kernel *k, const struct xfrm_sa *sa)
{
	struct fake_sa *fake;

	if (sa_find(k, &sa->dst, sa->spi)) {
		return EEXIST;
	}
	if (ip_is_v4(&sa->src) != ip_is_v4(&sa->dst) || !sa->spi) {
		return EINVAL;
	}
	ovs_assert(k->n_sas < FAKE_MAX_SAS);
	fake = &k->sas[k->n_sas++];
	memset(fake, 0, sizeof *fake);
	fake->sa = *sa;
	fake->age = k->sas_made++;
	replay_init(&fake->replay, sa->replay_window, UINT64_MAX);
	return 0;
}

/* The kernel tells of everything, whoever did it. */
static void tell_xfrm(struct fake_kernel *k, enum xfrm_event_type type,
		      const struct xfrm_sa *sa,
		      const struct xfrm_policy *policy)
{
	struct fake_event *e = event_new(EVENT_XFRM);

	e->xfrm.type = type;
	if (sa) {
		e->xfrm.sa = *sa;
		memset(e->xfrm.sa.key, 0, sizeof e->xfrm.sa.key);
	}
	if (policy) {
		e->xfrm.policy = *policy;
	}
	e->event.xfrm = &e->xfrm;
	k->notify(k->aux, e);
}

static void sa_del(struct fake_kernel *k, const struct xfrm_sa *sa)
{
	struct fake_sa *fake = sa_find(k, &sa->dst, sa->spi);

	if (fake) {
		tell_xfrm(k, XFRM_EVENT_SA_DELETED, &fake->sa, NULL);
		*fake = k->sas[--k->n_sas];
	}
}

static bool policy_matches(const struct xfrm_policy *p, enum xfrm_dir dir,
			   const struct ip_addr *src, const struct ip_addr *dst,
			   uint16_t udp_port, uint32_t mark)
{
	bool v6 = ip_is_zero(&p->dst) && ip_is_zero(&p->src)
			  ? p->v6
			  : !ip_is_v4(ip_is_zero(&p->dst) ? &p->src : &p->dst);

	return p->dir == dir && v6 == !ip_is_v4(dst) &&
	       (mark & p->mark_mask) == p->mark &&
	       (ip_is_zero(&p->src) || ip_equal(&p->src, src)) &&
	       (ip_is_zero(&p->dst) || ip_equal(&p->dst, dst)) &&
	       (!p->udp_port || p->udp_port == udp_port);
}

static const struct xfrm_policy *policy_lookup(const struct fake_kernel *k,
					       enum xfrm_dir dir,
					       const struct ip_addr *src,
					       const struct ip_addr *dst,
					       uint16_t udp_port, uint32_t mark)
{
	const struct xfrm_policy *best = NULL;

	for (size_t i = 0; i < k->n_policies; i++) {
		const struct xfrm_policy *p = &k->policies[i];

		if (policy_matches(p, dir, src, dst, udp_port, mark) &&
		    (!best || p->priority < best->priority)) {
			best = p;
		}
	}
	return best;
}

static bool sa_covers(const struct xfrm_sa *sa, const struct ip_addr *src,
		      const struct ip_addr *dst, uint16_t udp_port)
{
	return ip_equal(&sa->src, src) && ip_equal(&sa->dst, dst) &&
	       sa->udp_port == udp_port;
}

/* The SA that the template of 'p' finds: the very SPI, else the newest. */
static struct fake_sa *sa_of_policy(struct fake_kernel *k,
				    const struct xfrm_policy *p,
				    const struct ip_addr *src,
				    const struct ip_addr *dst,
				    uint16_t udp_port)
{
	struct fake_sa *best = NULL;

	for (size_t i = 0; i < k->n_sas; i++) {
		struct fake_sa *sa = &k->sas[i];

		if (sa->sa.reqid == p->reqid &&
		    (!p->spi || sa->sa.spi == p->spi) &&
		    sa_covers(&sa->sa, src, dst, udp_port) &&
		    (!best || sa->age > best->age)) {
			best = sa;
		}
	}
	return best;
}

static int policy_put(struct fake_kernel *k, const struct xfrm_policy *p)
{
	for (size_t i = 0; i < k->n_policies; i++) {
		if (xfrm_policy_same_selector(&k->policies[i], p)) {
			k->policies[i] = *p;
			return 0;
		}
	}
	ovs_assert(k->n_policies < FAKE_MAX_POLICIES);
	k->policies[k->n_policies++] = *p;
	return 0;
}

static void policy_del(struct fake_kernel *k, const struct xfrm_policy *p)
{
	for (size_t i = 0; i < k->n_policies; i++) {
		if (xfrm_policy_same_selector(&k->policies[i], p)) {
			tell_xfrm(k, XFRM_EVENT_POLICY_DELETED, NULL,
				  &k->policies[i]);
			k->policies[i] = k->policies[--k->n_policies];
			return;
		}
	}
}

/* ---- Flows ---- */

static struct fake_flow *flow_by_ufid(struct fake_kernel *k,
				      const struct ufid *ufid)
{
	for (size_t i = 0; i < k->n_flows; i++) {
		if (!memcmp(&k->flows[i].ufid, ufid, sizeof *ufid)) {
			return &k->flows[i];
		}
	}
	return NULL;
}

static struct fake_flow *flow_lookup(struct fake_kernel *k,
				     const struct flow *key)
{
	for (size_t i = 0; i < k->n_flows; i++) {
		if (flow_equal_masked(&k->flows[i].key, key,
				      &k->flows[i].mask)) {
			return &k->flows[i];
		}
	}
	return NULL;
}

/* What the kernel takes (net/openvswitch/flow_netlink.c):
 * metadata_from_nlattrs() and ip_tun_from_nlattr() of keys,
 * __ovs_nla_copy_actions() of actions. */

static bool is_port(uint32_t port_no)
{
	return port_no < UINT16_MAX; /* DP_MAX_PORTS */
}

static bool has_remote(const struct ip_addr *dst)
{
	return !ip_is_zero(dst) && ip_is_unicast(dst);
}

static bool key_is_valid(const struct flow *key)
{
	return is_port(key->in_port) &&
	       (!key->vlan_tci || key->vlan_tci & 0x1000) &&
	       (!key->tunnel.present || has_remote(&key->tunnel.dst));
}

static bool actions_are_valid(const struct actions *actions)
{
	for (size_t i = 0; i < actions->n; i++) {
		const struct action *a = &actions->v[i];

		if ((a->type == ACTION_OUTPUT && !is_port(a->port)) ||
		    (a->type == ACTION_SET_TUNNEL &&
		     !has_remote(&a->tunnel.dst)) ||
		    (a->type == ACTION_PUSH_VLAN && a->vlan.vid > 0xfff)) {
			return false;
		}
	}
	return true;
}

static int flow_put(struct fake_kernel *k, const struct op_flow *put)
{
	struct fake_flow *f = flow_by_ufid(k, &put->ufid);
	struct flow mask;

	if (!k->datapath) {
		return ENODEV;
	}
	if (!k->user &&
	    (!key_is_valid(&put->key) || !actions_are_valid(&put->actions))) {
		k->n_flows_invalid++;
		return EINVAL;
	}
	odp_complete_mask(&put->key, &put->mask, &mask);
	if (f && !flow_equal_masked(&f->key, &put->key, &mask)) {
		return ENOENT; /* The UFID of another key. */
	}
	if (!f && flow_lookup(k, &put->key)) {
		return ENOENT; /* Covered by another flow. */
	}
	if (!f) {
		ovs_assert(k->n_flows < FAKE_MAX_FLOWS);
		f = &k->flows[k->n_flows++];
		memset(f, 0, sizeof *f);
		f->ufid = put->ufid;
		f->key = put->key;
		f->mask = mask;
	}
	f->orphan = false;
	f->n_puts++;
	actions_free(&f->actions);
	actions_copy(&f->actions, &put->actions);
	return 0;
}

static void flow_del(struct fake_kernel *k, const struct ufid *ufid)
{
	struct fake_flow *f = flow_by_ufid(k, ufid);

	if (f) {
		flow_free(f);
		*f = k->flows[--k->n_flows];
	}
}

/* ---- What must always hold ---- */

static bool has_block(const struct fake_kernel *k, unsigned int i,
		      uint16_t udp_port)
{
	struct xfrm_policy block;

	policy_make_block(&block, i, udp_port);
	for (size_t j = 0; j < k->n_policies; j++) {
		const struct xfrm_policy *p = &k->policies[j];

		if (p->block && xfrm_policy_same_selector(p, &block)) {
			return true;
		}
	}
	return false;
}

static void check_blocks(struct fake_kernel *k)
{
	for (size_t i = 0; i < k->n_ports; i++) {
		const struct fake_port *port = &k->ports[i];

		for (unsigned int j = 0;
		     port->type == ODP_VPORT_VXLAN && j < POLICY_N_BLOCKS;
		     j++) {
			if (!has_block(k, j, port->udp_port)) {
				breach(k, "tunnel port without block policy %u",
				       j);
			}
		}
	}
}

/* The guard is there before the tunnel port, unless it could not be had. */
static void check_guard(struct fake_kernel *k)
{
	for (size_t i = 0; i < k->n_ports; i++) {
		if (k->ports[i].type == ODP_VPORT_VXLAN && !k->guard &&
		    !k->guard_refused) {
			breach(k, "tunnel port without the netfilter guard");
		}
	}
}

/* set(skb_mark(...)) */
static uint32_t set_mark(uint32_t mark, const struct action *a)
{
	return (mark & ~a->mark.mask) | a->mark.value;
}

/* Whatever mark a policy to the same place asks for, its SA is there. */
static void check_lanes(struct fake_kernel *k, const struct action *a)
{
	for (size_t i = 0; i < k->n_policies; i++) {
		const struct xfrm_policy *p = &k->policies[i];
		char buf[IP_STRLEN];

		if (policy_matches(p, XFRM_DIR_OUT, &a->tunnel.src,
				   &a->tunnel.dst, a->tunnel.tp_dst, p->mark) &&
		    !p->block && !p->plain &&
		    !sa_of_policy(k, p, &a->tunnel.src, &a->tunnel.dst,
				  a->tunnel.tp_dst)) {
			breach(k, "no SA %x to %s for mark %x", p->spi,
			       ip_format(&a->tunnel.dst, buf), p->mark);
		}
	}
}

/* What a flow pushes before the trunk means somebody for whom there is a key.
 */
static void check_trunk_flow(struct fake_kernel *k, const struct fake_flow *f)
{
	for (size_t i = 0; i < f->actions.n; i++) {
		const struct action *a = &f->actions.v[i];
		uint32_t peer, vni;

		if (a->type == ACTION_PUSH_VLAN &&
		    (!fake_sleeve_lane(&k->sleeve, a->vlan.vid, &peer, &vni) ||
		     !fake_sleeve_has_out(&k->sleeve, peer))) {
			breach(k, "a flow into the trunk, but no %s",
			       fake_sleeve_lane(&k->sleeve, a->vlan.vid, &peer,
						&vni)
				       ? "key"
				       : "VLAN");
		}
	}
}

/* A flow leads into the sleeve only while there is a key for it. */
static void check_sleeve_flow(struct fake_kernel *k, const struct fake_flow *f)
{
	for (size_t i = 0; i < f->actions.n; i++) {
		const struct action *a = &f->actions.v[i];
		uint32_t peer;

		if (a->type == ACTION_SET_TUNNEL &&
		    (sleeve_addr_peer(&a->tunnel.dst, &peer) ||
		     !fake_sleeve_has_out(&k->sleeve, peer))) {
			breach(k, "a flow into the sleeve, but no key");
		}
	}
}

/* A flow sends to a peer only while policy and SA are there, and those that its
 * mark asks for. */
static void check_flow(struct fake_kernel *k, const struct fake_flow *f)
{
	uint32_t mark = 0;

	for (size_t i = 0; i < f->actions.n; i++) {
		const struct action *a = &f->actions.v[i];
		const struct xfrm_policy *p;
		char buf[IP_STRLEN];

		if (a->type == ACTION_SET_MARK) {
			mark = set_mark(mark, a);
		}
		if (a->type != ACTION_SET_TUNNEL) {
			continue;
		}
		p = policy_lookup(k, XFRM_DIR_OUT, &a->tunnel.src,
				  &a->tunnel.dst, a->tunnel.tp_dst, mark);
		if (!p || p->block) {
			breach(k, "a flow to %s, but no policy",
			       ip_format(&a->tunnel.dst, buf));
		} else if (p->mark != mark) {
			breach(k, "a flow to %s, but no lane for mark %x",
			       ip_format(&a->tunnel.dst, buf), mark);
		} else if (!p->plain &&
			   !sa_of_policy(k, p, &a->tunnel.src, &a->tunnel.dst,
					 a->tunnel.tp_dst)) {
			breach(k, "a flow to %s, but no SA (reqid %x, SPI %x)",
			       ip_format(&a->tunnel.dst, buf), p->reqid,
			       p->spi);
		}
		check_lanes(k, a);
	}
}

static void check_invariants(struct fake_kernel *k)
{
	if (!k->guarded) {
		return;
	}
	if (k->disturbed) {
		return;
	}
	check_blocks(k);
	check_guard(k);
	if (k->fault.hit || k->robbed) {
		return; /* Nothing leaks, but order is not to be had. */
	}
	for (size_t i = 0; i < k->n_flows; i++) {
		/* Nobody knows where those of a dead daemon lead. */
		if (k->user) {
			check_sleeve_flow(k, &k->flows[i]);
		} else if (!k->flows[i].orphan) {
			check_trunk_flow(k, &k->flows[i]);
			check_flow(k, &k->flows[i]);
		}
	}
}

/* ---- Frames ---- */

static void receive(struct fake_kernel *k, const struct flow *metadata,
		    struct span frame);

size_t fake_wire_size(size_t frame_size, bool v6, bool esp)
{
	size_t size = 8 + 8 + frame_size; /* UDP, VXLAN */

	if (esp) {
		size += 2; /* Pad length, next header. */
		while (size % 4) {
			size++; /* Padding. */
		}
		size += 8 + 8 + 16; /* SPI and sequence, IV, ICV. */
	}
	return size + (v6 ? 40 : 20);
}

static uint32_t path_mtu(const struct fake_kernel *k, const struct ip_addr *dst)
{
	for (size_t i = 0; i < k->n_routes; i++) {
		if (ip_equal(&k->routes[i].dst, dst)) {
			return k->routes[i].mtu;
		}
	}
	return k->default_mtu;
}

void fake_kernel_tell(struct fake_kernel *k, const struct ip_addr *dst,
		      uint32_t mtu)
{
	k->told.dst = *dst;
	k->told.mtu = mtu;
}

/* The same with what a router has told. */
static uint32_t told_mtu(const struct fake_kernel *k, const struct ip_addr *dst)
{
	uint32_t mtu = path_mtu(k, dst);

	return k->told.mtu && ip_equal(&k->told.dst, dst)
		       ? MIN(mtu, k->told.mtu)
		       : mtu;
}

void fake_kernel_set_route(struct fake_kernel *k, const struct ip_addr *dst,
			   uint32_t mtu)
{
	for (size_t i = 0; i < k->n_routes; i++) {
		if (ip_equal(&k->routes[i].dst, dst)) {
			k->routes[i].mtu = mtu;
			return;
		}
	}
	ovs_assert(k->n_routes < FAKE_MAX_ROUTES);
	k->routes[k->n_routes].dst = *dst;
	k->routes[k->n_routes++].mtu = mtu;
}

static int route_errno(const struct fake_kernel *k)
{
	return k->no_route ? ENETUNREACH : k->route_errno;
}

/* Does the netfilter guard drop plain packets?  It counts only after somebody
 * took policies away: it must not hide that ours are not in order. */
static bool is_guarded(const struct fake_kernel *k)
{
	return k->guard && k->disturbed;
}

/* What its rules for two hosts let pass. */
static bool has_pair(const struct fake_kernel *k, const struct ip_addr *local,
		     const struct ip_addr *remote, bool out)
{
	for (size_t i = 0; i < k->n_pairs; i++) {
		const struct guard_pair *pair = &k->pairs[i];

		if (ip_equal(&pair->local, local) &&
		    ip_equal(&pair->remote, remote) &&
		    (out ? pair->out : pair->in)) {
			return true;
		}
	}
	return !k->guard;
}

static bool may_be_plain(const struct fake_kernel *k, const struct ip_addr *a,
			 const struct ip_addr *b)
{
	return k->may_be_plain && k->may_be_plain(k->aux, a, b);
}

/* An errno value, which only somebody with a socket would see. */
static int vxlan_send(struct fake_kernel *k, const struct action *tunnel,
		      uint32_t mark, struct span frame)
{
	const struct ip_addr *src = &tunnel->tunnel.src;
	const struct ip_addr *dst = &tunnel->tunnel.dst;
	uint16_t udp_port = tunnel->tunnel.tp_dst;
	const struct xfrm_policy *policy =
		policy_lookup(k, XFRM_DIR_OUT, src, dst, udp_port, mark);
	struct fake_sa *sa = NULL;
	struct fake_packet *p;

	if (route_errno(k)) {
		return route_errno(k);
	}
	if (policy && policy->block) {
		k->n_blocked++;
		k->errors_out.policy++;
		return EPERM;
	}
	if (policy && policy->plain && k->guard &&
	    !has_pair(k, src, dst, true)) {
		k->n_guarded++;
		return EPERM;
	}
	if (policy && !policy->plain) {
		sa = sa_of_policy(k, policy, src, dst, udp_port);
		if (!sa) {
			k->n_no_sa++; /* XfrmOutNoStates */
			k->errors_out.no_sa++;
			return 0;
		}
	} else if (is_guarded(k) && !has_pair(k, src, dst, true)) {
		k->n_guarded++;
		return EPERM;
	}
	if (k->drops_vxlan_out) {
		return EPERM;
	}
	p = xzalloc(sizeof *p);
	p->src = *src;
	p->dst = *dst;
	p->udp_port = udp_port;
	p->vni = tunnel->tunnel.vni;
	p->ttl = tunnel->tunnel.ttl;
	p->esp = sa != NULL;
	p->size = fake_wire_size(frame.size, !ip_is_v4(dst), p->esp);
	if (p->size > told_mtu(k, dst)) {
		k->n_too_big++;
		fake_packet_free(p);
		return EMSGSIZE;
	}
	if (sa) {
		p->spi = sa->sa.spi;
		p->seq = ++sa->sa.seq_out;
		memcpy(p->key, sa->sa.key, sizeof p->key);
		sa->sa.packets++;
		sa->sa.bytes += frame.size;
		k->n_esp_sent++;
	} else {
		k->n_plain_sent++;
		if (k->guarded && !may_be_plain(k, src, dst)) {
			breach(k, "a plaintext VXLAN packet leaves");
		}
	}
	if (sa && k->drops_esp_out) {
		fake_packet_free(p);
		return EPERM;
	}
	p->frame = xmemdup(frame.data, frame.size);
	p->frame_size = frame.size;
	k->transmit(k->aux, p);
	return 0;
}

/* Seals it for 'peer', and off it goes. */
static void sleeve_send(struct fake_kernel *k, uint32_t peer, uint32_t vni,
			uint8_t ttl, struct span frame)
{
	const struct op_sleeve *out = fake_sleeve_out(&k->sleeve, peer);
	struct fake_packet *p;

	if (!out || route_errno(k)) {
		k->sleeve.n_no_key += !out;
		return;
	}
	p = xzalloc(sizeof *p);
	p->vni = vni;
	p->ttl = ttl;
	p->src_port = k->sleeve_port;
	p->frame = xmemdup(frame.data, frame.size);
	p->frame_size = frame.size;
	if (!fake_sleeve_seal(&k->sleeve, peer, path_mtu(k, &out->remote.ip),
			      p)) {
		fake_packet_free(p);
		return;
	}
	if (k->guarded && p->cipher == SLEEVE_CIPHER_NONE) {
		breach(k, "a datagram of the sleeve leaves in the clear");
	}
	k->transmit(k->aux, p);
}

/* Out of the user-space datapath's tunnel port. */
static void sleeve_output(struct fake_kernel *k, const struct action *tunnel,
			  struct span frame)
{
	uint32_t peer;

	if (sleeve_addr_peer(&tunnel->tunnel.dst, &peer)) {
		breach(k, "a frame into the sleeve for no peer");
		return;
	}
	sleeve_send(k, peer, tunnel->tunnel.vni, tunnel->tunnel.ttl, frame);
}

/* OP_SEND_TEST: VXLAN from a socket takes the same way. */
static int send_test(struct fake_kernel *k, const struct op *op)
{
	struct action tunnel = {.type = ACTION_SET_TUNNEL};
	struct span frame = wbuf_span(&op->bytes);
	struct span header;

	if (span_cut(&frame, 8, &header) || header.data[0] != 8) {
		breach(k, "a test without a VXLAN header");
		return 0;
	}
	tunnel.tunnel.src = op->test.local;
	tunnel.tunnel.dst = op->test.remote;
	tunnel.tunnel.tp_dst = op->test.udp_port;
	tunnel.tunnel.ttl = 64;
	return vxlan_send(k, &tunnel, op->test.mark, frame);
}

static void ipsec_look(struct fake_kernel *k, const struct op *op)
{
	struct fake_event *e = event_new(EVENT_IPSEC);

	for (size_t i = 0; i < op->look.n; i++) {
		const struct fake_sa *sa =
			sa_find(k, &op->look.dst, op->look.spis[i]);
		struct ipsec_sight *s = &e->sights[i];

		*s = op->look.inbound ? k->errors_in : k->errors_out;
		s->seen = true;
		s->counted = !k->counts_nothing;
		s->exists = sa != NULL;
		s->packets = sa ? sa->sa.packets : 0;
	}
	e->event.ipsec.cookie = op->cookie;
	e->event.ipsec.sas = e->sights;
	e->event.ipsec.n = op->look.n;
	k->notify(k->aux, e);
}

enum {
	ETH_ADDRS = 12, /* Bytes before a tag. */
	ETH_HEADER = 14,
	TAG_SIZE = 4
};

/* push_vlan(...) */
static void push_tag(struct wbuf *frame, const struct action *a)
{
	uint16_t tci = (uint16_t)(a->vlan.pcp << 13 | a->vlan.vid);
	struct wbuf out = WBUF_INITIALIZER(0);

	wbuf_bytes(&out, frame->data, ETH_ADDRS);
	wbuf_u16(&out, ETH_TYPE_VLAN);
	wbuf_u16(&out, tci);
	wbuf_bytes(&out, frame->data + ETH_ADDRS, frame->size - ETH_ADDRS);
	wbuf_free(frame);
	*frame = out;
}

/* pop_vlan, which leaves a frame without a tag as it is. */
static void pop_tag(struct wbuf *frame)
{
	struct wbuf out = WBUF_INITIALIZER(0);
	struct flow key;

	if (parse_frame(wbuf_span(frame), &key) || !key.vlan_tci) {
		return;
	}
	wbuf_bytes(&out, frame->data, ETH_ADDRS);
	wbuf_bytes(&out, frame->data + ETH_ADDRS + TAG_SIZE,
		   frame->size - ETH_ADDRS - TAG_SIZE);
	wbuf_free(frame);
	*frame = out;
}

/* Out of the kernel's datapath into the sleeve. */
static void trunk_output(struct fake_kernel *k, struct span frame)
{
	struct wbuf inner = WBUF_INITIALIZER(0);
	uint32_t peer, vni;
	struct flow key;

	if (parse_frame(frame, &key) || !key.vlan_tci ||
	    !fake_sleeve_lane(&k->sleeve, key.vlan_tci & 0xfff, &peer, &vni)) {
		breach(k, "a frame into the trunk for nobody");
		return;
	}
	wbuf_bytes(&inner, frame.data, frame.size);
	pop_tag(&inner);
	sleeve_send(k, peer, vni, (uint8_t)(key.vlan_tci >> 13 << 5 | 31),
		    wbuf_span(&inner));
	wbuf_free(&inner);
}

static void output(struct fake_kernel *k, const struct fake_port *port,
		   const struct action *tunnel, uint32_t mark,
		   struct span frame)
{
	struct flow key;

	if (port->type == ODP_VPORT_VXLAN && tunnel) {
		vxlan_send(k, tunnel, mark, frame);
	} else if (port->type == ODP_VPORT_SLEEVE && tunnel) {
		sleeve_output(k, tunnel, frame);
	} else if (is_trunk(k, port)) {
		trunk_output(k, frame);
	} else if (port->type == ODP_VPORT_NETDEV ||
		   port->type == ODP_VPORT_TAP) {
		if (mark) {
			breach(k, "a mark reaches a container");
		}
		if (!parse_frame(frame, &key) && key.vlan_tci) {
			breach(k, "a tag reaches a container");
		}
		/* ovs_vport_send() */
		if (frame.size >
		    ETH_HEADER + fake_kernel_link(k, port->name)->mtu) {
			k->n_over_mtu++;
			return;
		}
		k->n_delivered++;
		k->deliver(k->aux, port->name, frame);
	}
}

/* 'check' is what it did not pass; NULL: there is no flow for it. */
static void upcall(struct fake_kernel *k, const struct flow *key,
		   struct span frame, const struct action *check)
{
	const struct fake_port *port = port_by_number(k, key->in_port);
	struct fake_event *e;

	if (!port || !port->served) {
		k->n_upcalls_lost++;
		return;
	}
	e = xzalloc(sizeof *e);
	wbuf_init(&e->frame, 0);
	wbuf_bytes(&e->frame, frame.data, frame.size);
	e->upcall.miss = !check;
	if (check) {
		e->upcall.check_size = check->check.size;
		e->upcall.check_peer = check->check.peer;
	}
	e->upcall.flow = *key;
	e->upcall.packet = wbuf_span(&e->frame);
	e->event.type = EVENT_UPCALL;
	e->event.upcall = &e->upcall;
	k->notify(k->aux, e);
}

static void execute(struct fake_kernel *k, const struct flow *key,
		    const struct actions *actions, struct span packet)
{
	const struct action *tunnel = NULL;
	struct wbuf frame = WBUF_INITIALIZER(0);
	uint32_t mark = 0;

	k->n_flows_invalid += !k->user && !actions_are_valid(actions);
	wbuf_bytes(&frame, packet.data, packet.size);
	for (size_t i = 0; i < actions->n; i++) {
		const struct action *a = &actions->v[i];
		const struct fake_port *port;

		switch (a->type) {
		case ACTION_SET_TUNNEL:
			tunnel = a;
			break;
		case ACTION_SET_MARK:
			mark = set_mark(mark, a);
			break;
		case ACTION_PUSH_VLAN:
			push_tag(&frame, a);
			break;
		case ACTION_POP_VLAN:
			pop_tag(&frame);
			break;
		case ACTION_CHECK_SIZE:
			if (frame.size > a->check.size || k->checks_wrongly) {
				upcall(k, key, wbuf_span(&frame), a);
				i += a->check.n;
			}
			break;
		case ACTION_OUTPUT:
			port = port_by_number(k, a->port);
			/* Else dropped, as ovs_vport_send() does not. */
			if (port && !port->down) {
				output(k, port, tunnel, mark,
				       wbuf_span(&frame));
			}
			break;
		}
	}
	wbuf_free(&frame);
}

/* 'metadata' has the port and the tunnel it came through. */
static void receive(struct fake_kernel *k, const struct flow *metadata,
		    struct span frame)
{
	struct fake_flow *f;
	struct flow key;

	if (!k->datapath || parse_frame(frame, &key)) {
		return;
	}
	key.in_port = metadata->in_port;
	key.tunnel = metadata->tunnel;
	f = flow_lookup(k, &key);
	if (!f) {
		upcall(k, &key, frame, NULL);
		return;
	}
	f->stats.packets++;
	f->stats.bytes += frame.size;
	execute(k, &key, &f->actions, frame);
}

void fake_kernel_send(struct fake_kernel *k, const char *link,
		      struct span frame)
{
	const struct fake_port *port = fake_kernel_port(k, link);
	struct flow metadata;

	memset(&metadata, 0, sizeof metadata);
	if (port && !port->down) {
		metadata.in_port = port->port_no;
		receive(k, &metadata, frame);
	}
}

/* May it come in?  The checks of xfrm_input() and __xfrm_policy_check(). */
static bool admit(struct fake_kernel *k, const struct fake_packet *p)
{
	const struct xfrm_policy *policy;
	struct fake_sa *sa = NULL;

	if (p->esp) {
		sa = sa_find(k, &p->dst, p->spi);
		if (!sa) {
			k->n_no_sa++;
			k->errors_in.no_sa++;
			return false;
		}
		if (!replay_is_fresh(&sa->replay, p->seq)) {
			k->n_replayed++;
			return false;
		}
		if (memcmp(sa->sa.key, p->key, sizeof p->key)) {
			sa->sa.integrity_errors++;
			k->errors_in.not_authentic++;
			return false;
		}
		replay_update(&sa->replay, p->seq);
		sa->sa.packets++;
		if (!sa_covers(&sa->sa, &p->src, &p->dst, p->udp_port)) {
			k->errors_in.policy++;
			return false;
		}
	}
	policy =
		policy_lookup(k, XFRM_DIR_IN, &p->src, &p->dst, p->udp_port, 0);
	if (!policy && !p->esp && is_guarded(k) &&
	    !has_pair(k, &p->dst, &p->src, false)) {
		k->n_guarded++;
		return false;
	}
	if (!policy || (policy->plain && p->esp)) {
		return !k->drops_vxlan_in;
	}
	if (policy->plain) {
		return has_pair(k, &p->dst, &p->src, false);
	}
	if (policy->block || !sa || sa->sa.reqid != policy->reqid) {
		k->n_blocked++;
		k->errors_in.policy++;
		return false;
	}
	return !k->drops_vxlan_in;
}

static void tell_sleeve(struct fake_kernel *k, uint32_t peer,
			enum sleeve_news what, const struct fake_packet *p)
{
	struct fake_event *e = event_new(EVENT_SLEEVE);

	e->event.sleeve.peer = peer;
	e->event.sleeve.what = what;
	e->event.sleeve.local = p->dst;
	e->event.sleeve.remote.ip = p->src;
	e->event.sleeve.remote.port = p->src_port;
	e->event.sleeve.vni = p->vni;
	k->notify(k->aux, e);
}

static void trunk_receive(struct fake_kernel *k, const struct fake_port *port,
			  const struct fake_packet *p, uint32_t peer)
{
	struct wbuf frame = WBUF_INITIALIZER(0);
	struct flow metadata;
	struct action tag = {.type = ACTION_PUSH_VLAN};
	bool ask;

	tag.vlan.vid = fake_sleeve_vid(&k->sleeve, peer, p->vni, &ask);
	tag.vlan.pcp = p->ttl >> 5;
	if (ask) {
		tell_sleeve(k, peer, SLEEVE_WANTED, p);
	}
	if (!tag.vlan.vid || port->down) {
		return;
	}
	memset(&metadata, 0, sizeof metadata);
	metadata.in_port = port->port_no;
	wbuf_bytes(&frame, p->frame, p->frame_size);
	push_tag(&frame, &tag);
	receive(k, &metadata, wbuf_span(&frame));
	wbuf_free(&frame);
}

static void sleeve_arrive(struct fake_kernel *k, const struct fake_packet *p)
{
	struct flow metadata;
	uint32_t peer;
	bool moved;

	if (!k->has_sleeve || p->udp_port != k->sleeve_port ||
	    !fake_sleeve_open(&k->sleeve, p, &peer, &moved)) {
		return;
	}
	if (k->guarded && p->cipher == SLEEVE_CIPHER_NONE) {
		breach(k, "a datagram in the clear is taken");
	}
	if (moved) {
		tell_sleeve(k, peer, SLEEVE_MOVED, p);
	}
	memset(&metadata, 0, sizeof metadata);
	for (size_t i = 0; i < k->n_ports; i++) {
		if (is_trunk(k, &k->ports[i])) {
			trunk_receive(k, &k->ports[i], p, peer);
			return;
		}
		if (k->ports[i].type == ODP_VPORT_SLEEVE) {
			metadata.in_port = k->ports[i].port_no;
			metadata.tunnel.present = true;
			metadata.tunnel.src = sleeve_addr(peer);
			metadata.tunnel.vni = p->vni;
			metadata.tunnel.ttl = p->ttl;
			metadata.tunnel.flags = FLOW_TNL_KEY;
			receive(k, &metadata, span_of(p->frame, p->frame_size));
			return;
		}
	}
}

void fake_kernel_arrive(struct fake_kernel *k, const struct fake_packet *p)
{
	struct flow metadata;

	if (p->sleeve) {
		sleeve_arrive(k, p);
		return;
	}
	if (!admit(k, p)) {
		return;
	}
	memset(&metadata, 0, sizeof metadata);
	metadata.tunnel.present = true;
	metadata.tunnel.src = p->src;
	metadata.tunnel.dst = p->dst;
	metadata.tunnel.vni = p->vni;
	metadata.tunnel.ttl = p->ttl;
	metadata.tunnel.flags = FLOW_TNL_KEY;
	for (size_t i = 0; i < k->n_ports; i++) {
		if (k->ports[i].type == ODP_VPORT_VXLAN && !k->ports[i].down &&
		    k->ports[i].udp_port == p->udp_port) {
			if (k->guarded && !p->esp &&
			    !may_be_plain(k, &p->src, &p->dst)) {
				breach(k, "a plaintext packet is let in");
			}
			metadata.in_port = k->ports[i].port_no;
			receive(k, &metadata, span_of(p->frame, p->frame_size));
			return;
		}
	}
}

/* ---- Ops ---- */

static void result(struct fake_kernel *k, const struct op *op, int error,
		   uint32_t port_no)
{
	const struct fake_port *port =
		error ? NULL : port_by_number(k, port_no);
	struct fake_event *e;

	if (!error && !op->cookie) {
		return;
	}
	e = event_new(EVENT_RESULT);
	e->detail = xstrdup(error ? ovs_strerror(error) : "");
	e->event.os_errno = error;
	e->event.result.cookie = op->cookie;
	e->event.result.op = op->type;
	e->event.result.detail = e->detail;
	e->event.result.port_no = port_no;
	e->event.result.ifindex = port ? port->ifindex : 0;
	e->event.result.checks_size =
		op->type == OP_DATAPATH_ADD && !k->user && !k->checks_no_size;
	e->event.result.changed = op->type == OP_LINK_SET;
	if (op->type == OP_GUARD_PUT && !error) {
		e->event.result.guard = GUARD_NFTABLES;
	}
	if (op->type == OP_FLOW_PUT) {
		e->event.result.ufid = op->flow.ufid;
	}
	k->notify(k->aux, e);
}

static int datapath_add(struct fake_kernel *k, bool user)
{
	if (!user && k->no_ovs) {
		return ENOENT;
	}
	k->user = user;
	if (k->foreign_datapath) {
		return EEXIST;
	}
	if (!k->datapath) {
		k->datapath = true;
		k->n_datapath_news++;
		port_new(k, ODP_VPORT_INTERNAL, "fdp");
	}
	return 0;
}

static void flow_dump(struct fake_kernel *k)
{
	for (size_t i = 0; i < k->n_flows; i++) {
		struct fake_event *e = event_new(EVENT_FLOW_STATS);

		e->event.flow_stats.ufid = k->flows[i].ufid;
		e->event.flow_stats.stats = k->flows[i].stats;
		k->notify(k->aux, e);
	}
}

static void route_get(struct fake_kernel *k, const struct op *op, int error)
{
	struct fake_event *e = event_new(EVENT_ROUTE);

	e->event.os_errno = error ? error : route_errno(k);
	e->event.route.cookie = op->cookie;
	e->event.route.dst = op->route.dst;
	if (!e->event.os_errno) {
		e->event.route.mtu = told_mtu(k, &op->route.dst);
		e->event.route.limit = path_mtu(k, &op->route.dst);
		e->event.route.ifindex = 2;
		snprintf(e->event.route.ifname, sizeof e->event.route.ifname,
			 "u0");
	}
	k->notify(k->aux, e);
}

static int link_mtu(struct fake_kernel *k, const struct op *op)
{
	struct fake_link *link = fake_kernel_link(k, op->link.host_ifname);

	if (!link) {
		return k->netns_outlive ? ENODEV : ENOENT;
	}
	link->mtu = op->link.mtu;
	k->n_link_mtus++;
	return 0;
}

static int link_set(struct fake_kernel *k, const struct op *op)
{
	for (size_t i = 0; i < k->n_ports; i++) {
		struct fake_port *port = &k->ports[i];

		if (port->ifindex != op->link.ifindex) {
			continue;
		}
		if (port->down && op->link.up &&
		    port->type == ODP_VPORT_VXLAN &&
		    port->udp_port == k->taken_udp_port) {
			return EADDRINUSE;
		}
		port->down &= !op->link.up;
		port->renamed = false;
		return 0;
	}
	return ENODEV;
}

static void link_del(struct fake_kernel *k, const char *name)
{
	const struct fake_port *port = fake_kernel_port(k, name);
	struct fake_link *link = fake_kernel_link(k, name);

	if (link) {
		*link = k->links[--k->n_links];
	}
	if (port) { /* It goes along, and the kernel says so. */
		struct fake_event *e = event_new(EVENT_VPORT_GONE);

		e->event.port_no = port->port_no;
		vport_del(k, port->port_no);
		k->notify(k->aux, e);
	}
}

static bool is_fault(struct fake_kernel *k, const struct op *op)
{
	struct fake_fault *f = &k->fault;

	if (!f->os_errno || f->op != op->type || f->n_seen++ < f->nth ||
	    (f->hit && !f->lasting)) {
		return false;
	}
	f->hit = true;
	return true;
}

void fake_kernel_run(struct fake_kernel *k, const struct op *op)
{
	uint32_t port_no = op->type == OP_VPORT_ADOPT ? op->vport.port_no : 0;
	struct fake_port *port;
	int error = 0;

	if (is_fault(k, op)) {
		k->guard_refused |= op->type == OP_GUARD_PUT;
		if (op->type == OP_ROUTE_GET) {
			route_get(k, op, k->fault.os_errno);
		} else {
			result(k, op, k->fault.os_errno, 0);
		}
		return;
	}
	switch (op->type) {
	case OP_DATAPATH_ADD:
		error = datapath_add(k, op->datapath.user);
		break;
	case OP_DATAPATH_DEL:
		if (!k->foreign_datapath) {
			datapath_clear(k);
		}
		break;
	case OP_VPORT_ADD:
		error = vport_add(k, &op->vport, &port_no);
		break;
	case OP_VPORT_ADOPT:
		port = port_by_number(k, op->vport.port_no);
		error = port ? 0 : ENODEV;
		if (port) {
			port->served = true;
		}
		break;
	case OP_VPORT_DEL:
		error = vport_del(k, op->vport.port_no);
		break;
	case OP_FLOW_PUT:
		k->n_flow_puts++;
		error = flow_put(k, &op->flow);
		break;
	case OP_FLOW_DEL:
		flow_del(k, &op->flow.ufid);
		break;
	case OP_FLOW_DUMP:
		flow_dump(k);
		break;
	case OP_EXECUTE:
		execute(k, &op->flow.key, &op->flow.actions,
			wbuf_span(&op->bytes));
		break;
	case OP_SA_ADD:
		error = sa_add(k, &op->sa);
		break;
	case OP_SA_DEL:
		sa_del(k, &op->sa);
		break;
	case OP_POLICY_PUT:
		error = k->no_esp ? EPROTONOSUPPORT
				  : policy_put(k, &op->policy);
		break;
	case OP_POLICY_DEL:
		policy_del(k, &op->policy);
		break;
	case OP_GUARD_PUT:
		k->guard = true;
		k->n_pairs = MIN(op->guard.n_pairs, ARRAY_SIZE(k->pairs));
		memcpy(k->pairs, op->guard.pairs,
		       k->n_pairs * sizeof *k->pairs);
		result(k, op, 0, 0);
		return;
	case OP_GUARD_DEL:
		k->guard = false;
		break;
	case OP_IPSEC_LOOK:
		ipsec_look(k, op);
		return;
	case OP_SLEEVE_IN:
	case OP_SLEEVE_IN_DEL:
	case OP_SLEEVE_OUT:
	case OP_SLEEVE_MTU:
	case OP_SLEEVE_DEL:
	case OP_SLEEVE_LANE:
		error = k->has_sleeve ? fake_sleeve_run(&k->sleeve, op)
				      : ENOTSUP;
		break;
	case OP_SEND_TEST:
		error = send_test(k, op);
		break;
	case OP_ROUTE_GET:
		route_get(k, op, 0);
		return;
	case OP_ROUTE_FORGET:
		k->told.mtu = 0;
		break;
	case OP_LINK_MTU:
		error = link_mtu(k, op);
		break;
	case OP_LINK_SET:
		error = link_set(k, op);
		break;
	case OP_LINK_DEL:
		link_del(k, op->link.host_ifname);
		break;
	case OP_DIAL:
	case OP_SEND:
	case OP_CLOSE:
	case OP_REPLY:
	case OP_LOG:
	case OP_FATAL:
		return;
	case OP_SAVE:
	case OP_REMEMBER: /* Whoever calls keeps the content. */
		error = k->disk_error;
		break;
	}
	result(k, op, error, port_no);
	check_invariants(k);
}

void fake_kernel_lose_port(struct fake_kernel *k, const char *name)
{
	link_del(k, name);
}

void fake_kernel_take_port(struct fake_kernel *k, const char *name)
{
	const struct fake_port *port = fake_kernel_port(k, name);
	struct fake_event *e = event_new(EVENT_VPORT_GONE);

	e->event.port_no = port->port_no;
	vport_del(k, port->port_no);
	k->notify(k->aux, e);
}

static void tell_link(struct fake_kernel *k, uint32_t ifindex, const char *name,
		      bool up)
{
	struct fake_event *e = event_new(EVENT_LINK);

	e->detail = xstrdup(name);
	e->event.link.ifindex = ifindex;
	e->event.link.name = e->detail;
	e->event.link.up = up;
	k->notify(k->aux, e);
}

void fake_kernel_bend_link(struct fake_kernel *k, const char *name,
			   bool renamed, bool down)
{
	for (size_t i = 0; i < k->n_ports; i++) {
		struct fake_port *port = &k->ports[i];

		if (!strcmp(port->name, name)) {
			port->renamed |= renamed;
			port->down |= down;
			tell_link(k, port->ifindex,
				  port->renamed ? "other" : port->name,
				  !port->down);
		}
	}
}

void fake_kernel_return_link(struct fake_kernel *k, const char *name)
{
	fake_kernel_add_link(k, name, k->default_mtu);
	tell_link(k, 100 + k->n_port_news++, name, false);
}

void fake_kernel_net_changed(struct fake_kernel *k)
{
	k->notify(k->aux, event_new(EVENT_NET_CHANGED));
}

void fake_kernel_lose_datapath(struct fake_kernel *k)
{
	datapath_clear(k);
	k->notify(k->aux, event_new(EVENT_DP_GONE));
}

void fake_kernel_lose_sa(struct fake_kernel *k, size_t i)
{
	struct xfrm_sa sa = k->sas[i].sa;

	k->disturbed = k->robbed = true;
	sa_del(k, &sa);
}

void fake_kernel_lose_policy(struct fake_kernel *k, size_t i)
{
	struct xfrm_policy policy = k->policies[i];

	k->disturbed = true;
	policy_del(k, &policy);
}

void fake_kernel_flush_sas(struct fake_kernel *k)
{
	k->disturbed = k->robbed = true;
	k->n_sas = 0;
	tell_xfrm(k, XFRM_EVENT_SA_FLUSH, NULL, NULL);
}

void fake_kernel_flush_policies(struct fake_kernel *k)
{
	k->disturbed = true;
	k->n_policies = 0;
	tell_xfrm(k, XFRM_EVENT_POLICY_FLUSH, NULL, NULL);
}

void fake_kernel_lose_guard(struct fake_kernel *k)
{
	k->disturbed = true;
	k->guard = false;
	k->notify(k->aux, event_new(EVENT_GUARD_GONE));
}

void fake_kernel_sleeve_used_up(struct fake_kernel *k, uint32_t peer,
				uint32_t index)
{
	struct fake_event *e = event_new(EVENT_SLEEVE);

	e->event.sleeve.peer = peer;
	e->event.sleeve.what = SLEEVE_USED_UP;
	e->event.sleeve.index = index;
	k->notify(k->aux, e);
}

/* ---- Looking at it ---- */

/* As dumps show keys.  An address keeps its family, but for those of a tunnel,
 * which are left out where they do not count. */
static struct flow masked(const struct flow *key, const struct flow *mask)
{
	struct flow m = *mask, f;
	struct ip_addr *ips[] = {&m.nw_src, &m.nw_dst, &m.tunnel.src};

	for (size_t i = 0; i < sizeof ips / sizeof ips[0]; i++) {
		const uint8_t *ip =
			(const uint8_t *)key +
			((const uint8_t *)ips[i] - (const uint8_t *)&m);

		if (ip_is_v4((const struct ip_addr *)ip)) {
			memset(ips[i], 0xff, 12);
		}
	}
	for (size_t i = 0; i < sizeof f; i++) {
		((uint8_t *)&f)[i] =
			((const uint8_t *)key)[i] & ((const uint8_t *)&m)[i];
	}
	return f;
}

void fake_kernel_orphan(struct fake_kernel *k)
{
	/* The process took these along. */
	memset(&k->sleeve, 0, sizeof k->sleeve);
	for (size_t i = 0; i < k->n_ports; i++) {
		if (is_trunk(k, &k->ports[i])) {
			k->ports[i] = k->ports[--k->n_ports];
			break;
		}
	}
	if (k->user) {
		datapath_clear(k);
		k->user = false;
	}
	for (size_t i = 0; i < k->n_ports; i++) {
		k->ports[i].served = false;
	}
	for (size_t i = 0; i < k->n_flows; i++) {
		k->flows[i].orphan = true;
	}
}

void fake_kernel_snapshot(struct fake_kernel *k, struct kernel_snapshot *s)
{
	memset(s, 0, sizeof *s);
	s->datapath_exists = k->datapath;
	for (size_t i = 0; i < k->n_ports; i++) {
		struct odp_vport *v = &k->snapshot_ports[i];

		memset(v, 0, sizeof *v);
		v->port_no = k->ports[i].port_no;
		v->type = k->ports[i].type;
		v->ifindex = k->ports[i].ifindex;
		v->udp_port = k->ports[i].udp_port;
		memcpy(v->name, k->ports[i].name, sizeof v->name);
	}
	for (size_t i = 0; i < k->n_sas; i++) {
		k->snapshot_sas[i] = k->sas[i].sa;
		memset(k->snapshot_sas[i].key, 0,
		       sizeof k->snapshot_sas[i].key);
	}
	for (size_t i = 0; i < k->n_flows; i++) {
		const struct fake_flow *f = &k->flows[i];

		if (found_flow_leads_nowhere(&f->actions)) {
			k->snapshot_drops[s->n_drops++] = f->ufid;
		} else {
			struct found_flow *found =
				&k->snapshot_flows[s->n_flows++];

			found->ufid = f->ufid;
			found->key = masked(&f->key, &f->mask);
		}
	}
	s->drops = k->snapshot_drops;
	s->flows = k->snapshot_flows;
	memcpy(k->snapshot_policies, k->policies, sizeof k->policies);
	s->vports = k->snapshot_ports;
	s->n_vports = k->n_ports;
	s->sas = k->snapshot_sas;
	s->n_sas = k->n_sas;
	s->policies = k->snapshot_policies;
	s->n_policies = k->n_policies;
	s->guard = k->guard;
	s->no_fastdp = k->no_ovs ? REASON_NO_DATAPATH : REASON_NONE;
	s->no_fastdp_detail = k->no_ovs ? "No such file or directory" : NULL;
	s->sleeve.there = k->has_sleeve;
	s->sleeve.aes_gcm = k->sleeve_aes;
	s->sleeve.port = k->sleeve_port;
	s->sleeve.detail = k->has_sleeve ? NULL : "Address already in use";
}

size_t fake_kernel_n_sas(const struct fake_kernel *k, const struct ip_addr *src,
			 const struct ip_addr *dst)
{
	size_t n = 0;

	for (size_t i = 0; i < k->n_sas; i++) {
		const struct xfrm_sa *sa = &k->sas[i].sa;

		n += (!src || ip_equal(&sa->src, src)) &&
		     (!dst || ip_equal(&sa->dst, dst));
	}
	return n;
}

size_t fake_kernel_n_tunnel_flows(const struct fake_kernel *k,
				  const struct ip_addr *dst)
{
	size_t n = 0;

	for (size_t i = 0; i < k->n_flows; i++) {
		const struct actions *actions = &k->flows[i].actions;

		for (size_t j = 0; j < actions->n; j++) {
			const struct action *a = &actions->v[j];

			if (a->type == ACTION_SET_TUNNEL &&
			    (!dst || ip_equal(&a->tunnel.dst, dst))) {
				n++;
				break;
			}
		}
	}
	return n;
}
