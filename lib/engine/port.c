/* Attached interfaces. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"
#include "openvswitch/json.h"
#include "util.h"

enum {
	DEFAULT_PATH_MTU = 1500 /* Where no peer is known yet. */
};

struct port *port_find(const struct engine *e, uint32_t port_no)
{
	struct port *p;

	for (p = e->ports; p && p->port_no != port_no; p = p->next) {
	}
	return p;
}

struct port *port_by_host_ifname(const struct engine *e, const char *name)
{
	struct port *p;

	for (p = e->ports; p && strcmp(p->host_ifname, name); p = p->next) {
	}
	return p;
}

struct port *port_by_inside(const struct engine *e, const char *netns,
			    const char *ifname)
{
	struct port *p;

	for (p = e->ports; p; p = p->next) {
		if (!strcmp(p->netns, netns) && !strcmp(p->ifname, ifname)) {
			break;
		}
	}
	return p;
}

static struct fwd_port make_fwd(const struct port *port, uint32_t port_no)
{
	struct fwd_port fwd = {
		.port_no = port_no,
		.kind = PORT_ENDPOINT,
		.binding = port->binding,
		.mtu = port->mtu,
	};

	copy_text(fwd.name, sizeof fwd.name, port->host_ifname);
	return fwd;
}

void port_fill_in(const struct engine *e, const struct port *port,
		  struct op *op)
{
	op->vport.type = e->user ? ODP_VPORT_TAP : ODP_VPORT_NETDEV;
	op->vport.port_no = UINT32_MAX;
	copy_text(op->vport.name, sizeof op->vport.name, port->host_ifname);
	if (e->user) {
		copy_text(op->tap_ifname, sizeof op->tap_ifname, port->ifname);
		copy_text(op->tap_netns, sizeof op->tap_netns, port->netns);
	}
}

/* Opens the port for traffic.  'port' is taken over on success. */
static enum err port_open(struct engine *e, struct port *port, uint32_t ifindex)
{
	struct fwd_port fwd = make_fwd(port, port->port_no);
	struct port **end = &e->ports;
	enum err err;

	err = forwarding_add_port(e->fwd, &fwd, NULL);
	if (err) {
		return err;
	}
	copy_text(port->footing.name, sizeof port->footing.name,
		  port->host_ifname);
	footing_set(&port->footing, ifindex);
	err = record_set(&e->record, &port->binding);
	if (err) {
		forwarding_remove_port(e->fwd, port->port_no);
		return err;
	}
	while (*end) {
		end = &(*end)->next;
	}
	port->next = NULL;
	*end = port;
	moves_bound(e, &port->binding);
	overlay_network(e, port->binding.vni);
	peers_announce(e, &port->binding, NULL);
	return FDP_OK;
}

/* Nobody shall send to it any more. */
static void withdraw(struct engine *e, struct port *port)
{
	struct binding_key key = binding_key(&port->binding);

	if (port->port_no != UINT32_MAX) {
		forwarding_remove_port(e->fwd, port->port_no);
	}
	if (!port->withdrawn) {
		moves_left(e, &port->binding);
		record_unset(&e->record, &key);
		peers_announce(e, NULL, &key);
		peers_rebind(e);
	}
	port->withdrawn = true;
	forward_sync(e);
}

void port_remove(struct engine *e, struct port *port, bool kernel)
{
	struct port **link = &e->ports;
	struct op *op;

	while (*link != port) {
		link = &(*link)->next;
	}
	*link = port->next;
	withdraw(e, port);
	if (kernel && port->port_no != UINT32_MAX) {
		op = ops_add(e->ops, OP_VPORT_DEL);
		op->vport.port_no = port->port_no;
		op->vport.type = e->user ? ODP_VPORT_TAP : ODP_VPORT_NETDEV;
		copy_text(op->vport.name, sizeof op->vport.name,
			  port->host_ifname);
	}
	if (kernel && !e->user) { /* A TAP goes with its port. */
		op = ops_add(e->ops, OP_LINK_DEL);
		copy_text(op->link.host_ifname, sizeof op->link.host_ifname,
			  port->host_ifname);
	}
	free(port);
	persist_save(e);
}

void port_lost(struct engine *e, struct port *port)
{
	withdraw(e, port);
	port->port_no = UINT32_MAX;
}

enum err port_back(struct engine *e, struct port *port, uint32_t port_no)
{
	struct fwd_port fwd = make_fwd(port, port_no);
	enum err err = forwarding_add_port(e->fwd, &fwd, NULL);

	if (!err && port->withdrawn) {
		err = record_set(&e->record, &port->binding);
		if (err) {
			forwarding_remove_port(e->fwd, port_no);
		}
	}
	if (err) {
		return err;
	}
	port->port_no = port_no;
	if (port->withdrawn) {
		port->withdrawn = false;
		moves_bound(e, &port->binding);
		peers_announce(e, &port->binding, NULL);
	}
	ports_update_mtu(e);
	return FDP_OK;
}

static int compare_loads(const void *port_no_, const void *load_)
{
	const uint32_t *port_no = port_no_;
	const struct port_load *load = load_;

	return *port_no < load->port_no ? -1 : *port_no > load->port_no;
}

static void take_load(const struct event *event, uint32_t port_no,
		      struct port_load *load)
{
	const struct port_load *found =
		event->counters.n_ports
			? bsearch(&port_no, event->counters.ports,
				  event->counters.n_ports,
				  sizeof *event->counters.ports, compare_loads)
			: NULL;

	if (found) {
		*load = *found;
	}
}

void ports_count(struct engine *e, const struct event *event)
{
	for (struct port *p = e->ports; p; p = p->next) {
		take_load(event, p->port_no, &p->load);
	}
	take_load(event, ODP_LOCAL_PORT, &e->host_load);
	take_load(event, e->tunnel_port, &e->tunnel_load);
	take_load(event, e->trunk_port, &e->trunk_load);
}

void ports_adopt(struct engine *e)
{
	struct port *found = NULL;
	char why[DETAIL_SIZE];

	if (!persist_load(e, &found, why, sizeof why)) {
		engine_log(e, OP_LOG_ERR,
			   "the state file is not understood (%s); attached "
			   "interfaces are not known any more",
			   why);
	}
	while (found) {
		struct port *port = found;
		const struct odp_vport *vport = NULL;
		struct pending *pending;
		struct op *op;

		found = port->next;
		for (size_t i = 0; i < e->n_found_vports; i++) {
			if (!strcmp(e->found_vports[i].name,
				    port->host_ifname)) {
				vport = &e->found_vports[i];
			}
		}
		op = ops_add(e->ops, vport ? OP_VPORT_ADOPT : OP_VPORT_ADD);
		if (vport) {
			op->vport = *vport;
		} else {
			port_fill_in(e, port, op);
		}
		pending = engine_expect(e, op, PENDING_ADOPT);
		pending->port = port;
		e->start_waits++;
	}
}

static void adopt_result(struct engine *e, struct pending *p,
			 const struct event *event)
{
	struct port *port = p->port;
	enum err err = ERR_KERNEL;

	if (!event->os_errno) {
		port->port_no = event->result.port_no;
		port->mtu_unsure = true;
		err = port_open(e, port, event->result.ifindex);
	}
	if (err) {
		engine_log(
			e, OP_LOG_WARN, "%s in %s is not attached any more: %s",
			port->ifname, port->netns,
			event->os_errno ? event->result.detail : err_text(err));
		return;
	}
	p->port = NULL;
}

static void attach_result(struct engine *e, struct pending *p,
			  const struct event *event)
{
	struct port *port = p->port;
	enum err err;

	if (event->os_errno) {
		command_refuse(e, p->command, "%s cannot be a port: %s",
			       port->host_ifname, event->result.detail);
		return;
	}
	port->port_no = event->result.port_no;
	ground_port_gone(e, port->port_no);
	err = port_open(e, port, event->result.ifindex);
	if (err) {
		ops_add(e->ops, OP_VPORT_DEL)->vport.port_no = port->port_no;
		command_refuse(e, p->command, "%s", err_text(err));
		return;
	}
	p->port = NULL;
	persist_save(e);
	command_reply(e, p->command, attach_shown_json(e, port));
}

void port_result(struct engine *e, struct pending *p, const struct event *event)
{
	if (p->kind == PENDING_ADOPT) {
		adopt_result(e, p, event);
	} else {
		attach_result(e, p, event);
	}
}

/* ---- MTU ---- */

/* Of two MTUs the one that interfaces get; 0: not known. */
static uint32_t preferred(const struct engine *e, uint32_t a, uint32_t b)
{
	return mtus_may_differ(e) ? MAX(a, b) : a && b ? MIN(a, b) : a + b;
}

/* Of targets that nothing else is known of. */
static uint32_t targets_mtu(const struct engine *e)
{
	uint32_t mtu = 0;

	for (const struct target *t = e->targets; t; t = t->next) {
		/* Hints: once it is connected.  Our own address is reached
		 * through the loopback. */
		if (!t->hinted && t->reason != REASON_SELF) {
			mtu = preferred(
				e, mtu,
				tunnel_inner_mtu(e, t->path_mtu,
						 !ip_is_v4(&t->remote.ip)));
		}
	}
	return mtu;
}

/* Of what is known of the hosts that we have to do with, the largest if senders
 * are told of smaller ways, else the least; 0: nothing is.  Where frames are
 * passed on nobody is told. */
static uint32_t known_mtu(const struct engine *e)
{
	const uint32_t relays = gossip_relay_mtu(e);
	const struct peer *p;
	uint32_t mtu = 0;

	HMAP_FOR_EACH (p, node, &e->peers) {
		mtu = preferred(e, mtu, way_mtu(p));
	}
	if (!mtu || !mtus_may_differ(e)) {
		mtu = preferred(e, mtu, targets_mtu(e));
	}
	return mtu ? MIN(mtu, relays) : relays != UINT32_MAX ? relays : 0;
}

uint32_t ports_mtu(const struct engine *e)
{
	const uint32_t mtu = known_mtu(e);

	return mtu ? mtu : tunnel_inner_mtu(e, DEFAULT_PATH_MTU, false);
}

/* Is it known what gets to those that we have to do with?  Else interfaces
 * would grow and shrink at each start, as those are found again one after the
 * other.
 */
static bool is_settled(struct engine *e)
{
	uint64_t wait_us = e->ready_us + MTU_SETTLE_US;
	const struct peer *p;

	if (!e->ready_us) {
		return false; /* That it is asks again. */
	}
	HMAP_FOR_EACH (p, node, &e->peers) {
		if (p->remembered) {
			wait_us = MAX(wait_us, e->ready_us + MTU_RETURN_US);
		}
		if (!mtu_is_settled(e, p)) {
			wait_us =
				MAX(wait_us, p->conn->since_us + MTU_SETTLE_US);
		}
	}
	if (e->now_us >= wait_us) {
		return true;
	}
	e->mtu_us = MIN(e->mtu_us, wait_us);
	engine_wake(e, e->mtu_us);
	return false;
}

struct op *port_set_mtu(struct engine *e, const struct port *p, uint32_t mtu)
{
	struct op *op = ops_add(e->ops, OP_LINK_MTU);

	copy_text(op->link.host_ifname, sizeof op->link.host_ifname,
		  p->host_ifname);
	copy_text(op->link.ifname, sizeof op->link.ifname, p->ifname);
	copy_text(op->link.netns, sizeof op->link.netns, p->netns);
	op->link.mtu = mtu;
	op->link.tap = e->user;
	return op;
}

static void set_mtu(struct engine *e, struct port *p, uint32_t mtu)
{
	if (p->mtu != mtu) {
		engine_log(e, OP_LOG_INFO, "MTU of %s in %s: %u, was %u",
			   p->ifname, p->netns, mtu, p->mtu);
		persist_save_soon(e);
	}
	p->mtu = mtu;
	p->mtu_unsure = false;
	forwarding_set_port_mtu(e->fwd, p->port_no, mtu);
	port_set_mtu(e, p, mtu);
}

static bool has_ipv6(const struct port *p)
{
	for (size_t i = 0; i < p->binding.n_ips; i++) {
		if (!ip_is_v4(&p->binding.ips[i])) {
			return true;
		}
	}
	return false;
}

bool ports_have_ipv6(const struct engine *e)
{
	const struct port *p = e->ports;

	while (p && !has_ipv6(p)) {
		p = p->next;
	}
	return p;
}

/* With less than it has to have, the kernel takes the addresses of IPv6 away
 * from an interface, for good; of IPv4, it does not take it. */
static uint32_t allowed_mtu(const struct port *p, uint32_t mtu)
{
	return MAX(mtu, (uint32_t)(has_ipv6(p) ? IPV6_MIN_MTU : IPV4_MIN_MTU));
}

void ports_update_mtu(struct engine *e)
{
	uint32_t known, most;

	if (e->phase != PHASE_RUNNING || !e->ports) {
		return;
	}
	known = known_mtu(e);
	if (!known) {
		return; /* It knows of no other host: they stay as they are. */
	}
	/* What is larger is lost, and nobody is told. */
	most = mtus_may_differ(e) ? gossip_relay_mtu(e) : known;
	for (struct port *p = e->ports; p; p = p->next) {
		uint32_t mtu = allowed_mtu(p, known);
		bool at_once = !p->mtu || (mtu < p->mtu && p->mtu > most);

		if (p->footing.lost || (p->mtu == mtu && !p->mtu_unsure)) {
			continue;
		}
		if (at_once || is_settled(e)) {
			set_mtu(e, p, mtu);
		}
	}
}

void ports_timers(struct engine *e)
{
	if (e->now_us >= e->mtu_us) {
		e->mtu_us = UINT64_MAX;
		ports_update_mtu(e);
	}
	engine_wake(e, e->mtu_us);
}
