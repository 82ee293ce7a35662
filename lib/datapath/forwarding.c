#include "datapath/forwarding.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "util.h"

struct station;

/* One IP address of a station. */
struct address {
	struct hmap_node node; /* In 'ips' of struct forwarding. */
	struct ip_addr ip;
	struct station *station;
};

/* A bound MAC with its addresses.  Owned by 'macs' of struct forwarding. */
struct station {
	struct hmap_node node;
	struct ovs_list sibling; /* In 'stations' of its peer. */
	struct ovs_list news;	 /* In 'news' of struct forwarding. */
	uint32_t vni;
	struct fwd_target target;
	size_t n_ips;
	struct address ips[]; /* No address twice. */
};

struct port {
	struct hmap_node node;
	struct fwd_port port;
};

struct peer {
	struct hmap_node node;
	struct hmap_node at; /* In 'underlay' if it has an address. */
	struct ovs_list stations;
	bool known;	/* Set, not only bound to. */
	uint64_t claim; /* Grows: who had its address first. */
	uint32_t via;	/* Or its own number. */
	struct fwd_peer peer;
};

/* A sorted list of numbers, each with how often it was added. */
struct members {
	uint32_t *v;
	uint32_t *count;
	size_t n, allocated;
};

struct network {
	struct hmap_node node;
	uint32_t vni;
	struct members ports, peers;
};

struct forwarding {
	struct hmap ports, peers, underlay, networks, macs, ips;
	const struct fwd_port *tunnel, *trunk;
	struct vlans *vlans;
	uint64_t claims;
	struct fwd_routes routes;
	struct deps changed;
	bool leads_questions;
	bool wants_news;
	struct ovs_list news; /* struct station */
	size_t n_detours;     /* Peers with a 'via' that is not their own. */
};

/* Sorted lists. */

static size_t members_place(const struct members *ms, uint32_t id)
{
	size_t low = 0, high = ms->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (ms->v[mid] < id) {
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	return low;
}

/* True if 'id' was not in before. */
static bool members_add(struct members *ms, uint32_t id)
{
	size_t at = members_place(ms, id);
	size_t behind = ms->n - at;

	if (behind && ms->v[at] == id) {
		ms->count[at]++;
		return false;
	}
	if (ms->n == ms->allocated) {
		ms->allocated = ms->allocated ? ms->allocated * 2 : 4;
		ms->v = xrealloc(ms->v, ms->allocated * sizeof *ms->v);
		ms->count =
			xrealloc(ms->count, ms->allocated * sizeof *ms->count);
	}
	memmove(ms->v + at + 1, ms->v + at, behind * sizeof *ms->v);
	memmove(ms->count + at + 1, ms->count + at, behind * sizeof *ms->count);
	ms->v[at] = id;
	ms->count[at] = 1;
	ms->n++;
	return true;
}

/* True if 'id' is not in any more. */
static bool members_remove(struct members *ms, uint32_t id)
{
	size_t at = members_place(ms, id);
	size_t behind;

	ovs_assert(at < ms->n && ms->v[at] == id);
	if (--ms->count[at]) {
		return false;
	}
	behind = --ms->n - at;
	memmove(ms->v + at, ms->v + at + 1, behind * sizeof *ms->v);
	memmove(ms->count + at, ms->count + at + 1, behind * sizeof *ms->count);
	return true;
}

static void members_free(struct members *ms)
{
	free(ms->v);
	free(ms->count);
}

/* Networks exist as long as they have members. */

static struct network *network_find(const struct forwarding *f, uint32_t vni)
{
	struct network *net;

	HMAP_FOR_EACH_WITH_HASH (net, node, hash_int(vni, 0), &f->networks) {
		if (net->vni == vni) {
			return net;
		}
	}
	return NULL;
}

static struct network *network_get(struct forwarding *f, uint32_t vni)
{
	struct network *net = network_find(f, vni);

	if (!net) {
		net = xzalloc(sizeof *net);
		net->vni = vni;
		hmap_insert(&f->networks, &net->node, hash_int(vni, 0));
	}
	return net;
}

static void network_free(struct forwarding *f, struct network *net)
{
	hmap_remove(&f->networks, &net->node);
	members_free(&net->ports);
	members_free(&net->peers);
	free(net);
}

static void network_join(struct forwarding *f, const struct station *s)
{
	struct network *net = network_get(f, s->vni);

	if (s->target.local ? members_add(&net->ports, s->target.port_no)
			    : members_add(&net->peers, s->target.peer)) {
		deps_add(&f->changed, dep_network(s->vni));
	}
}

static void network_leave(struct forwarding *f, const struct station *s)
{
	struct network *net = network_find(f, s->vni);

	if (s->target.local ? members_remove(&net->ports, s->target.port_no)
			    : members_remove(&net->peers, s->target.peer)) {
		deps_add(&f->changed, dep_network(s->vni));
		if (!net->ports.n && !net->peers.n) {
			network_free(f, net);
		}
	}
}

/* Stations. */

static uint32_t mac_hash(uint32_t vni, const struct mac *mac)
{
	return hash_bytes(mac->b, sizeof mac->b, vni);
}

static uint32_t ip_hash(uint32_t vni, const struct ip_addr *ip)
{
	return hash_bytes(ip->b, sizeof ip->b, vni);
}

static struct station *station_by_mac(const struct forwarding *f, uint32_t vni,
				      const struct mac *mac)
{
	struct station *s;

	HMAP_FOR_EACH_WITH_HASH (s, node, mac_hash(vni, mac), &f->macs) {
		if (s->vni == vni && mac_equal(&s->target.mac, mac)) {
			return s;
		}
	}
	return NULL;
}

static struct station *station_by_ip(const struct forwarding *f, uint32_t vni,
				     const struct ip_addr *ip)
{
	struct address *a;

	HMAP_FOR_EACH_WITH_HASH (a, node, ip_hash(vni, ip), &f->ips) {
		if (a->station->vni == vni && ip_equal(&a->ip, ip)) {
			return a->station;
		}
	}
	return NULL;
}

static bool station_has_ip(const struct station *s, const struct ip_addr *ip)
{
	for (size_t i = 0; i < s->n_ips; i++) {
		if (ip_equal(&s->ips[i].ip, ip)) {
			return true;
		}
	}
	return false;
}

/* Has 'a' an address that 'b' does not have? */
static bool has_more(const struct station *a, const struct station *b)
{
	for (size_t i = 0; i < a->n_ips; i++) {
		if (!station_has_ip(b, &a->ips[i].ip)) {
			return true;
		}
	}
	return false;
}

/* Makes the station, neither in the tables nor noted as a change. */
static struct station *station_new(const struct binding *b,
				   const struct fwd_target *target)
{
	struct station *s = xzalloc(sizeof *s + b->n_ips * sizeof s->ips[0]);

	s->vni = b->vni;
	s->target = *target;
	for (size_t i = 0; i < b->n_ips; i++) {
		if (!station_has_ip(s, &b->ips[i])) {
			struct address *a = &s->ips[s->n_ips++];

			a->ip = b->ips[i];
			a->station = s;
		}
	}
	ovs_list_init(&s->sibling);
	ovs_list_init(&s->news);
	return s;
}

static void station_link(struct forwarding *f, struct station *s)
{
	hmap_insert(&f->macs, &s->node, mac_hash(s->vni, &s->target.mac));
	for (size_t i = 0; i < s->n_ips; i++) {
		hmap_insert(&f->ips, &s->ips[i].node,
			    ip_hash(s->vni, &s->ips[i].ip));
	}
}

static void station_unlink(struct forwarding *f, struct station *s)
{
	hmap_remove(&f->macs, &s->node);
	for (size_t i = 0; i < s->n_ips; i++) {
		hmap_remove(&f->ips, &s->ips[i].node);
	}
	ovs_list_remove(&s->sibling);
	ovs_list_init(&s->sibling);
	ovs_list_remove(&s->news);
	ovs_list_init(&s->news);
}

static bool is_news(const struct station *s)
{
	return !ovs_list_is_empty(&s->news);
}

static void note_news(struct forwarding *f, struct station *s)
{
	if (f->wants_news && !is_news(s)) {
		ovs_list_push_back(&f->news, &s->news);
	}
}

/* Notes the addresses of 'a' that 'b' (may be NULL) does not have, and that
 * those of the station are others. */
static void note_ips(struct forwarding *f, const struct station *a,
		     const struct station *b)
{
	for (size_t i = 0; i < a->n_ips; i++) {
		if (!b || !station_has_ip(b, &a->ips[i].ip)) {
			deps_add(&f->changed, dep_ip(a->vni, &a->ips[i].ip));
			deps_add(&f->changed, dep_mac(a->vni, &a->target.mac));
		}
	}
}

static void station_add(struct forwarding *f, struct station *s)
{
	station_link(f, s);
	network_join(f, s);
	deps_add(&f->changed, dep_mac(s->vni, &s->target.mac));
	note_ips(f, s, NULL);
	note_news(f, s);
}

static void station_remove(struct forwarding *f, struct station *s)
{
	station_unlink(f, s);
	network_leave(f, s);
	deps_add(&f->changed, dep_mac(s->vni, &s->target.mac));
	note_ips(f, s, NULL);
	free(s);
}

/* May 'b' be bound, in the place of 'old' if that is not NULL? */
static enum err may_bind(const struct forwarding *f, const struct binding *b,
			 const struct station *old, struct fwd_target *conflict)
{
	const struct station *s;

	if (!binding_is_valid(b)) {
		return ERR_RANGE;
	}
	s = station_by_mac(f, b->vni, &b->mac);
	for (size_t i = 0; (!s || s == old) && i < b->n_ips; i++) {
		s = station_by_ip(f, b->vni, &b->ips[i]);
	}
	if (s && s != old) {
		if (conflict) {
			*conflict = s->target;
		}
		return ERR_EXISTS;
	}
	if (!old && hmap_count(&f->macs) >= FORWARDING_MAX_BINDINGS) {
		return ERR_LIMIT;
	}
	return FDP_OK;
}

/* The whole. */

static bool passes_nothing(void *aux, uint32_t source)
{
	(void)aux, (void)source;
	return false;
}

static uint32_t nobody(void *aux, uint32_t source, uint32_t to)
{
	(void)aux, (void)source, (void)to;
	return FWD_NOBODY;
}

static uint32_t no_parent(void *aux, uint32_t source)
{
	(void)aux, (void)source;
	return FWD_NOBODY;
}

static bool no_relay(void *aux, uint32_t source, uint32_t from)
{
	(void)aux, (void)source, (void)from;
	return false;
}

static const struct fwd_routes no_routes = {.passes_on = passes_nothing,
					    .next = nobody,
					    .parent = no_parent,
					    .may_relay = no_relay};

struct forwarding *forwarding_new(void)
{
	struct forwarding *f = xzalloc(sizeof *f);

	hmap_init(&f->ports);
	hmap_init(&f->peers);
	hmap_init(&f->underlay);
	hmap_init(&f->networks);
	hmap_init(&f->macs);
	hmap_init(&f->ips);
	deps_init(&f->changed);
	ovs_list_init(&f->news);
	f->routes = no_routes;
	f->vlans = vlans_new();
	return f;
}

void forwarding_free(struct forwarding *f)
{
	struct station *s;
	struct network *net;
	struct port *port;
	struct peer *peer;

	if (!f) {
		return;
	}
	HMAP_FOR_EACH_POP (s, node, &f->macs) {
		free(s);
	}
	HMAP_FOR_EACH_POP (port, node, &f->ports) {
		free(port);
	}
	HMAP_FOR_EACH_POP (peer, node, &f->peers) {
		free(peer);
	}
	HMAP_FOR_EACH_POP (net, node, &f->networks) {
		members_free(&net->ports);
		members_free(&net->peers);
		free(net);
	}
	hmap_destroy(&f->ports);
	hmap_destroy(&f->peers);
	hmap_destroy(&f->underlay);
	hmap_destroy(&f->networks);
	hmap_destroy(&f->macs);
	hmap_destroy(&f->ips);
	vlans_free(f->vlans);
	deps_free(&f->changed);
	free(f);
}

struct deps *forwarding_changed(struct forwarding *f)
{
	return &f->changed;
}

/* Ports. */

static struct port *port_find(const struct forwarding *f, uint32_t port_no)
{
	struct port *p;

	HMAP_FOR_EACH_WITH_HASH (p, node, hash_int(port_no, 0), &f->ports) {
		if (p->port.port_no == port_no) {
			return p;
		}
	}
	return NULL;
}

enum err forwarding_add_port(struct forwarding *f, const struct fwd_port *port,
			     struct fwd_target *conflict)
{
	struct port *p;

	if (conflict) {
		memset(conflict, 0, sizeof *conflict);
	}
	if (port_find(f, port->port_no) ||
	    (port->kind == PORT_TUNNEL && f->tunnel) ||
	    (port->kind == PORT_SLEEVE && f->trunk)) {
		return ERR_EXISTS;
	}
	if (port->kind == PORT_ENDPOINT) {
		const struct binding *b = &port->binding;
		struct fwd_target target = {
			.local = true, .port_no = port->port_no, .mac = b->mac};
		enum err err = may_bind(f, b, NULL, conflict);

		if (err) {
			return err;
		}
		station_add(f, station_new(b, &target));
	}
	p = xmalloc(sizeof *p);
	p->port = *port;
	hmap_insert(&f->ports, &p->node, hash_int(port->port_no, 0));
	deps_add(&f->changed, dep_port(port->port_no));
	if (port->kind == PORT_TUNNEL) {
		f->tunnel = &p->port;
		deps_add(&f->changed, dep_tunnel());
		forwarding_all_news(f);
	}
	if (port->kind == PORT_SLEEVE) {
		f->trunk = &p->port;
		deps_add(&f->changed, dep_trunk());
		forwarding_all_news(f);
	}
	return FDP_OK;
}

void forwarding_remove_port(struct forwarding *f, uint32_t port_no)
{
	struct port *p = port_find(f, port_no);

	if (!p) {
		return;
	}
	if (p->port.kind == PORT_ENDPOINT) {
		const struct binding *b = &p->port.binding;

		station_remove(f, station_by_mac(f, b->vni, &b->mac));
	}
	if (f->tunnel == &p->port) {
		f->tunnel = NULL;
		deps_add(&f->changed, dep_tunnel());
	}
	if (f->trunk == &p->port) {
		f->trunk = NULL;
		deps_add(&f->changed, dep_trunk());
	}
	deps_add(&f->changed, dep_port(port_no));
	hmap_remove(&f->ports, &p->node);
	free(p);
}

void forwarding_set_port_mtu(struct forwarding *f, uint32_t port_no,
			     uint32_t mtu)
{
	struct port *p = port_find(f, port_no);

	if (p && p->port.kind == PORT_ENDPOINT && p->port.mtu != mtu) {
		p->port.mtu = mtu;
		deps_add(&f->changed, dep_port(port_no));
	}
}

const struct fwd_port *forwarding_port(const struct forwarding *f,
				       uint32_t port_no)
{
	const struct port *p = port_find(f, port_no);

	return p ? &p->port : NULL;
}

size_t forwarding_n_ports(const struct forwarding *f)
{
	return hmap_count(&f->ports);
}

const struct fwd_port *forwarding_tunnel(const struct forwarding *f)
{
	return f->tunnel;
}

const struct fwd_port *forwarding_trunk(const struct forwarding *f)
{
	return f->trunk;
}

uint16_t forwarding_vid(const struct forwarding *f, uint32_t peer, uint32_t vni)
{
	return vlans_get(f->vlans, peer, vni);
}

const struct vlan *forwarding_vlan(const struct forwarding *f, uint16_t vid)
{
	return vlans_find(f->vlans, vid);
}

bool forwarding_next_vlan(struct forwarding *f, struct vlan *vlan,
			  bool *removed)
{
	return vlans_next(f->vlans, vlan, removed);
}

/* Peers. */

static struct peer *peer_find(const struct forwarding *f, uint32_t number)
{
	struct peer *p;

	HMAP_FOR_EACH_WITH_HASH (p, node, hash_int(number, 0), &f->peers) {
		if (p->peer.peer == number) {
			return p;
		}
	}
	return NULL;
}

static struct peer *peer_get(struct forwarding *f, uint32_t number)
{
	struct peer *p = peer_find(f, number);

	if (!p) {
		p = xzalloc(sizeof *p);
		p->peer.peer = number;
		p->via = number;
		ovs_list_init(&p->stations);
		hmap_insert(&f->peers, &p->node, hash_int(number, 0));
	}
	return p;
}

static uint32_t underlay_hash(const struct ip_addr *remote)
{
	return hash_bytes(remote->b, sizeof remote->b, 0);
}

static void peer_place(struct forwarding *f, struct peer *p,
		       const struct ip_addr *remote)
{
	if (ip_equal(&p->peer.remote, remote)) {
		return;
	}
	if (!ip_is_zero(&p->peer.remote)) {
		deps_add(&f->changed, dep_underlay(&p->peer.remote));
		hmap_remove(&f->underlay, &p->at);
	}
	p->peer.remote = *remote;
	if (!ip_is_zero(remote)) {
		deps_add(&f->changed, dep_underlay(remote));
		hmap_insert(&f->underlay, &p->at, underlay_hash(remote));
		p->claim = f->claims++;
	}
}

static void peer_news(struct forwarding *f, struct peer *p)
{
	struct station *s;

	LIST_FOR_EACH (s, sibling, &p->stations) {
		note_news(f, s);
	}
}

/* Something is to be had through 'hop' that was not before. */
static void hop_news(struct forwarding *f, struct peer *hop)
{
	struct peer *p;

	peer_news(f, hop);
	if (!f->wants_news || !f->n_detours) {
		return;
	}
	HMAP_FOR_EACH (p, node, &f->peers) {
		if (p != hop && p->via == hop->peer.peer) {
			peer_news(f, p);
		}
	}
}

void forwarding_lead_questions(struct forwarding *f)
{
	f->leads_questions = true;
}

bool forwarding_leads_questions(const struct forwarding *f)
{
	return f->leads_questions;
}

void forwarding_want_news(struct forwarding *f)
{
	f->wants_news = true;
	forwarding_all_news(f);
}

bool forwarding_next_news(struct forwarding *f, struct binding_key *key)
{
	struct station *s;

	if (ovs_list_is_empty(&f->news)) {
		return false;
	}
	s = CONTAINER_OF(ovs_list_pop_front(&f->news), struct station, news);
	ovs_list_init(&s->news);
	key->vni = s->vni;
	key->mac = s->target.mac;
	return true;
}

void forwarding_all_news(struct forwarding *f)
{
	struct station *s;

	if (!f->wants_news) {
		return;
	}
	HMAP_FOR_EACH (s, node, &f->macs) {
		note_news(f, s);
	}
}

void forwarding_tree_news(struct forwarding *f, uint32_t number)
{
	struct peer *p = peer_find(f, number);

	if (p && p->via != number) {
		peer_news(f, p);
	}
}

void forwarding_set_peer(struct forwarding *f, const struct fwd_peer *peer)
{
	struct peer *p = peer_get(f, peer->peer);
	const struct fwd_peer *old = &p->peer;

	if (p->known && ip_equal(&old->local, &peer->local) &&
	    ip_equal(&old->remote, &peer->remote) &&
	    old->udp_port == peer->udp_port && old->n_lanes == peer->n_lanes &&
	    old->way == peer->way && old->up == peer->up &&
	    old->mtu == peer->mtu) {
		return;
	}
	peer_place(f, p, &peer->remote);
	p->peer = *peer;
	p->known = true;
	deps_add(&f->changed, dep_peer(peer->peer));
	if (peer->up) {
		hop_news(f, p);
	}
}

void forwarding_remove_peer(struct forwarding *f, uint32_t number)
{
	static const struct ip_addr nowhere;
	struct peer *p = peer_find(f, number);

	if (!p) {
		return;
	}
	while (!ovs_list_is_empty(&p->stations)) {
		struct station *s = CONTAINER_OF(ovs_list_front(&p->stations),
						 struct station, sibling);

		station_remove(f, s);
	}
	peer_place(f, p, &nowhere);
	vlans_remove_peer(f->vlans, number, &f->changed);
	deps_add(&f->changed, dep_peer(number));
	f->n_detours -= p->via != number;
	hmap_remove(&f->peers, &p->node);
	free(p);
}

const struct fwd_peer *forwarding_peer(const struct forwarding *f,
				       uint32_t number)
{
	const struct peer *p = peer_find(f, number);

	return p && p->known ? &p->peer : NULL;
}

void forwarding_set_via(struct forwarding *f, uint32_t number, uint32_t via)
{
	struct peer *p = peer_get(f, number);

	if (via == FWD_NOBODY) {
		via = number;
	}
	if (p->via != via) {
		f->n_detours -= p->via != number;
		p->via = via;
		f->n_detours += p->via != number;
		deps_add(&f->changed, dep_peer(number));
		peer_news(f, p);
	}
}

uint32_t forwarding_via(const struct forwarding *f, uint32_t number)
{
	const struct peer *p = peer_find(f, number);

	return p ? p->via : number;
}

void forwarding_set_routes(struct forwarding *f,
			   const struct fwd_routes *routes)
{
	f->routes = *routes;
}

const struct fwd_routes *forwarding_routes(const struct forwarding *f)
{
	return &f->routes;
}

const struct fwd_peer *forwarding_peer_at(const struct forwarding *f,
					  const struct ip_addr *remote)
{
	const struct peer *p, *first = NULL;

	HMAP_FOR_EACH_WITH_HASH (p, at, underlay_hash(remote), &f->underlay) {
		if (ip_equal(&p->peer.remote, remote) &&
		    (!first || p->claim < first->claim)) {
			first = p;
		}
	}
	return first ? &first->peer : NULL;
}

/* Bindings of peers. */

static struct station *station_of_peer(const struct forwarding *f,
				       uint32_t peer, uint32_t vni,
				       const struct mac *mac)
{
	struct station *s = station_by_mac(f, vni, mac);

	return s && !s->target.local && s->target.peer == peer ? s : NULL;
}

enum err forwarding_bind(struct forwarding *f, uint32_t number,
			 const struct binding *b, struct fwd_target *conflict)
{
	struct station *old = station_of_peer(f, number, b->vni, &b->mac);
	struct fwd_target target = {.peer = number, .mac = b->mac};
	struct station *s;
	enum err err;
	bool news;

	if (conflict) {
		memset(conflict, 0, sizeof *conflict);
	}
	err = may_bind(f, b, old, conflict);
	if (err) {
		return err;
	}
	s = station_new(b, &target);
	if (!old) {
		station_add(f, s);
	} else {
		news = is_news(old) || has_more(s, old);
		/* Only the addresses can have changed. */
		note_ips(f, old, s);
		note_ips(f, s, old);
		station_unlink(f, old);
		free(old);
		station_link(f, s);
		if (news) {
			note_news(f, s);
		}
	}
	ovs_list_push_back(&peer_get(f, number)->stations, &s->sibling);
	return FDP_OK;
}

void forwarding_unbind(struct forwarding *f, uint32_t peer, uint32_t vni,
		       const struct mac *mac)
{
	struct station *s = station_of_peer(f, peer, vni, mac);

	if (s) {
		station_remove(f, s);
	}
}

size_t forwarding_n_bindings(const struct forwarding *f)
{
	return hmap_count(&f->macs);
}

/* Look-ups. */

const struct fwd_target *forwarding_by_mac(const struct forwarding *f,
					   uint32_t vni, const struct mac *mac)
{
	const struct station *s = station_by_mac(f, vni, mac);

	return s ? &s->target : NULL;
}

const struct fwd_target *forwarding_by_ip(const struct forwarding *f,
					  uint32_t vni,
					  const struct ip_addr *ip)
{
	const struct station *s = station_by_ip(f, vni, ip);

	return s ? &s->target : NULL;
}

bool forwarding_binding(const struct forwarding *f, uint32_t vni,
			const struct mac *mac, struct binding *binding)
{
	const struct station *s = station_by_mac(f, vni, mac);

	if (!s) {
		return false;
	}
	memset(binding, 0, sizeof *binding);
	binding->vni = vni;
	binding->mac = *mac;
	for (size_t i = 0; i < s->n_ips; i++) {
		binding->ips[binding->n_ips++] = s->ips[i].ip;
	}
	return true;
}

struct fwd_members forwarding_members(const struct forwarding *f, uint32_t vni)
{
	const struct network *net = network_find(f, vni);

	if (!net) {
		return (struct fwd_members){.ports = NULL};
	}
	return (struct fwd_members){.ports = net->ports.v,
				    .n_ports = net->ports.n,
				    .peers = net->peers.v,
				    .n_peers = net->peers.n};
}

void forwarding_each_station(const struct forwarding *f, uint32_t vni,
			     bool (*visit)(void *aux,
					   const struct fwd_target *),
			     void *aux)
{
	const struct station *s;

	HMAP_FOR_EACH (s, node, &f->macs) {
		if (s->vni == vni && !visit(aux, &s->target)) {
			return;
		}
	}
}
