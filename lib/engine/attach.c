/* `ports`, `attach` and `detach`: what operators ask of interfaces. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonget.h"
#include "base/jsonput.h"
#include "control/control.h"
#include "engine/request.h"
#include "engine/show.h"
#include "engine/state.h"
#include "openvswitch/json.h"
#include "util.h"

struct json *attach_port_json(const struct engine *e, const struct port *p)
{
	struct json *json = json_object_create();
	struct json *list = json_array_create_empty();

	for (size_t i = 0; i < p->binding.n_ips; i++) {
		struct ip_prefix prefix = {.ip = p->binding.ips[i],
					   .len = p->prefix_len[i]};
		char buf[PREFIX_STRLEN];

		json_array_add(list,
			       json_string_create(prefix_format(&prefix, buf)));
	}
	if (p->port_no != UINT32_MAX) {
		jsonput_int(json, "vport", p->port_no);
	}
	json_object_put_string(json, "ifname", p->ifname);
	json_object_put_string(json, "host_ifname", p->host_ifname);
	json_object_put_string(json, "netns", p->netns);
	jsonput_mac(json, "mac", &p->binding.mac);
	json_object_put(json, "addresses", list);
	jsonput_int(json, "network", p->binding.vni);
	jsonput_int(json, "mtu", p->mtu);
	json_object_put_string(json, "device", e->user ? "tap" : "veth");
	return json;
}

struct json *attach_shown_json(const struct engine *e, const struct port *p)
{
	struct json *json = attach_port_json(e, p);

	json_object_put_string(json, "duplicate",
			       peer_also_has(e, &p->binding));
	return json;
}

static void put_load(struct json *json, const struct port_load *load)
{
	jsonput_int(json, "upcalls", load->upcalls);
	jsonput_int(json, "lost", load->lost);
	jsonput_int(json, "waited", load->waited);
}

static void put_footing(struct json *json, const struct footing *f)
{
	json_object_put_string(json, "state",
			       f->lost		       ? "lost"
			       : f->there && !f->wrong ? "up"
						       : "down");
	json_object_put_string(json, "trouble", f->trouble);
}

static void add_other(struct json *list, uint32_t port_no,
		      const struct footing *f, const char *kind,
		      const struct port_load *load)
{
	struct json *json = json_object_create();

	if (port_no != UINT32_MAX) {
		jsonput_int(json, "vport", port_no);
	}
	json_object_put_string(json, "name", f->name);
	json_object_put_string(json, "kind", kind);
	put_footing(json, f);
	put_load(json, load);
	json_array_add(list, json);
}

static struct json *port_json(const struct engine *e, const struct port *p)
{
	struct json *json = attach_shown_json(e, p);

	put_load(json, &p->load);
	jsonput_int(json, "flows", flow_table_n_of_port(e->flows, p->port_no));
	jsonput_int(json, "refused", p->flows_refused);
	jsonput_int(json, "evicted", p->flows_evicted);
	return json;
}

void show_ports(struct engine *e, uint32_t command)
{
	struct json *json = json_object_create();
	struct json *list = json_array_create_empty();
	struct json *others = json_array_create_empty();

	for (const struct port *p = e->ports; p; p = p->next) {
		struct json *port = port_json(e, p);

		put_footing(port, &p->footing);
		json_array_add(list, port);
	}
	add_other(others, ODP_LOCAL_PORT, &e->datapath, "host", &e->host_load);
	add_other(others, e->tunnel_port, &e->tunnel_footing, "tunnel",
		  &e->tunnel_load);
	if (e->has_trunk) {
		add_other(others, e->trunk_port, &e->trunk_footing, "sleeve",
			  &e->trunk_load);
	}
	json_object_put(json, "ports", list);
	json_object_put(json, "others", others);
	command_reply(e, command, json);
}

/* ---- what an interface may have ---- */

static void draw_mac(struct engine *e, struct mac *mac)
{
	rng_fill(e->rng, mac->b, sizeof mac->b);
	/* Locally administered, unicast (IEEE 802). */
	mac->b[0] = (uint8_t)((mac->b[0] & 0xfc) | 2);
}

/* Who has an address already, in words. */
static void describe(const struct engine *e, const struct fwd_target *t,
		     char *buf, size_t size)
{
	const struct port *port = t->local ? port_find(e, t->port_no) : NULL;
	const struct peer *peer = t->local ? NULL : peer_by_number(e, t->peer);

	if (port) {
		snprintf(buf, size, "%s in %s", port->ifname, port->netns);
	} else {
		snprintf(buf, size, "an endpoint of %s",
			 peer ? peer->name : "another host");
	}
}

/* False, and the refusal sent, if something of 'port' is in use. */
static bool is_free(struct engine *e, uint32_t command, const struct port *port)
{
	const struct binding *b = &port->binding;
	const struct port *same = port_by_inside(e, port->netns, port->ifname);
	const struct fwd_target *t = NULL;
	char what[IP_STRLEN], owner[DETAIL_SIZE];

	/* One that is lost may be attached anew. */
	if (same && !same->footing.lost) {
		command_refuse(e, command,
			       "%s in %s is attached already; use another "
			       "--ifname, or detach it first",
			       port->ifname, port->netns);
		return false;
	}
	peers_yield(e, b);
	if (!mac_is_zero(&b->mac)) {
		t = forwarding_by_mac(e->fwd, b->vni, &b->mac);
		mac_format(&b->mac, what);
	}
	for (size_t i = 0; !t && i < b->n_ips; i++) {
		t = forwarding_by_ip(e->fwd, b->vni, &b->ips[i]);
		ip_format(&b->ips[i], what);
	}
	if (t) {
		describe(e, t, owner, sizeof owner);
		command_refuse(e, command,
			       "%s is attached already: %s has it; choose "
			       "another, or detach that first",
			       what, owner);
		return false;
	}
	return true;
}

/* ---- of the host itself ---- */

static const struct ip_prefix *find_prefix(const struct ip_prefix *v, size_t n,
					   const struct ip_addr *ip)
{
	for (size_t i = 0; i < n; i++) {
		if (prefix_contains(&v[i], ip)) {
			return &v[i];
		}
	}
	return NULL;
}

/* Which of these networks has another host in it, by an address that leads to
 * it outside of the tunnels?  NULL if none has. */
static const struct ip_prefix *find_host(const struct engine *e,
					 const struct ip_prefix *v, size_t n,
					 struct ip_addr *ip)
{
	const struct ip_prefix *found = NULL;
	const struct conn *c;
	const struct peer *p;

	for (const struct target *t = e->targets; t && !found; t = t->next) {
		*ip = t->remote.ip;
		found = t->muted ? NULL : find_prefix(v, n, ip);
	}
	HMAP_FOR_EACH (c, node, &e->conns) {
		if (!found) {
			*ip = c->remote.ip;
			found = find_prefix(v, n, ip);
		}
	}
	HMAP_FOR_EACH (p, node, &e->peers) {
		for (size_t i = 0; i < p->n_advertised && !found; i++) {
			*ip = p->advertised[i].ip;
			found = find_prefix(v, n, ip);
		}
		if (!found && p->tunnel.placed) {
			*ip = p->tunnel.remote;
			found = find_prefix(v, n, ip);
		}
	}
	return found;
}

/* An address of the host makes a route.  False, and the refusal sent, if that
 * would take the place of the one to another host, and so the tunnels with it.
 */
static bool leaves_hosts_alone(struct engine *e, uint32_t command,
			       const struct port *port)
{
	struct ip_prefix routes[BINDING_MAX_IPS];
	char route[PREFIX_STRLEN], host[IP_STRLEN];
	const struct ip_prefix *taken;
	struct ip_addr ip;

	for (size_t i = 0; i < port->binding.n_ips; i++) {
		routes[i].ip = port->binding.ips[i];
		routes[i].len = port->prefix_len[i];
	}
	taken = find_host(e, routes, port->binding.n_ips, &ip);
	if (taken) {
		command_refuse(e, command,
			       "%s would take the route to the host at %s; "
			       "choose a subnet without hosts, or a longer "
			       "prefix",
			       prefix_format(taken, route),
			       ip_format(&ip, host));
	}
	return !taken;
}

/* What is meant as the name of a network is no address of an interface in it,
 * and neighbours would not believe the other one. */
static bool are_of_hosts(struct engine *e, uint32_t command,
			 const struct port *port)
{
	for (size_t i = 0; i < port->binding.n_ips; i++) {
		const struct ip_prefix prefix = {.ip = port->binding.ips[i],
						 .len = port->prefix_len[i]};
		char buf[PREFIX_STRLEN];

		if (!prefix_is_host(&prefix)) {
			command_refuse(e, command,
				       "%s is the network or its broadcast, "
				       "not the address of a host in it",
				       prefix_format(&prefix, buf));
			return false;
		}
	}
	return true;
}

/* ---- attach, detach ---- */

void attach_check(struct engine *e, uint32_t command, const struct json *args)
{
	char why[DETAIL_SIZE];
	struct port port;

	if (!request_port(args, &port, why, sizeof why)) {
		command_refuse(e, command, "%s", why);
		return;
	}
	if (!is_free(e, command, &port)) {
		return;
	}
	if (!strcmp(port.netns, CONTROL_OWN_NETNS) &&
	    !leaves_hosts_alone(e, command, &port)) {
		return;
	}
	if (!are_of_hosts(e, command, &port)) {
		return;
	}
	while (mac_is_zero(&port.binding.mac) ||
	       forwarding_by_mac(e->fwd, port.binding.vni, &port.binding.mac)) {
		draw_mac(e, &port.binding.mac);
	}
	do {
		snprintf(port.host_ifname, sizeof port.host_ifname,
			 "fdp%08" PRIx32, rng_u32(e->rng));
	} while (port_by_host_ifname(e, port.host_ifname));
	port.mtu = ports_mtu(e);
	command_reply(e, command, attach_port_json(e, &port));
}

void attach_run(struct engine *e, uint32_t command, const struct json *args)
{
	char why[DETAIL_SIZE];
	struct port *port = xzalloc(sizeof *port), *lost;
	struct pending *pending;
	struct op *op;
	bool ok = request_port(args, port, why, sizeof why);

	if (ok && (!*port->host_ifname || mac_is_zero(&port->binding.mac) ||
		   !port->mtu)) {
		snprintf(why, sizeof why, "ask attach-check first");
		ok = false;
	}
	if (!ok) {
		command_refuse(e, command, "%s", why);
	}
	if (!ok || !is_free(e, command, port)) {
		free(port);
		return;
	}
	lost = port_by_inside(e, port->netns, port->ifname);
	if (lost) {
		port_remove(e, lost, false);
	}
	op = ops_add(e->ops, OP_VPORT_ADD);
	port_fill_in(e, port, op);
	pending = engine_expect(e, op, PENDING_ATTACH);
	pending->command = command;
	pending->port = port;
}

void attach_undo(struct engine *e, uint32_t command, const struct json *args)
{
	const char *host_ifname = jsonget_string(args, "host_ifname");
	const char *netns = jsonget_string(args, "netns");
	const char *ifname = jsonget_string(args, "ifname");
	struct json *json;
	struct port *port;

	ifname = ifname ? ifname : "eth0";
	if (host_ifname) {
		port = port_by_host_ifname(e, host_ifname);
	} else if (netns) {
		port = port_by_inside(e, netns, ifname);
	} else {
		command_refuse(e, command, "name the namespace or the port");
		return;
	}
	if (!port) {
		command_refuse(e, command,
			       "%s%s%s is not attached; `fdpctl ports` lists "
			       "what is",
			       host_ifname ? host_ifname : ifname,
			       host_ifname ? "" : " in ",
			       host_ifname ? "" : netns);
		return;
	}
	json = json_object_create();
	json_object_put_string(json, "host_ifname", port->host_ifname);
	port_remove(e, port, true);
	command_reply(e, command, json);
}
