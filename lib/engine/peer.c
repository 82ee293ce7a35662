/* The hosts we know: which connection is their session, what they announce. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"
#include "hash.h"
#include "util.h"

static uint32_t hash_id(const struct peer_id *id)
{
	return hash_bytes(id, sizeof *id, 0);
}

struct peer *peer_find(const struct engine *e, const struct peer_id *id)
{
	struct peer *p;

	HMAP_FOR_EACH_WITH_HASH (p, node, hash_id(id), &e->peers) {
		if (peer_id_equal(&p->id, id)) {
			return p;
		}
	}
	return NULL;
}

struct peer *peer_by_number(const struct engine *e, uint32_t number)
{
	struct peer *p;

	HMAP_FOR_EACH_WITH_HASH (p, by_number, hash_int(number, 0),
				 &e->peer_numbers) {
		if (p->number == number) {
			return p;
		}
	}
	return NULL;
}

bool peer_is_called(const struct peer *p, const char *text)
{
	char id[PEER_ID_STRLEN], ip[IP_STRLEN];

	return !strcmp(text, p->name) ||
	       !strcmp(text, peer_id_format(&p->id, id)) ||
	       (p->tunnel.placed &&
		!strcmp(text, ip_format(&p->tunnel.remote, ip)));
}

static struct peer *peer_new(struct engine *e, const struct identity *identity)
{
	struct peer *p = xzalloc(sizeof *p);

	p->id = identity->id;
	p->number = e->next_peer++;
	p->via = FWD_NOBODY;
	p->tunnel.reason = REASON_CONNECTING;
	record_init(&p->record, &p->id, identity->incarnation);
	hmap_insert(&e->peers, &p->node, hash_id(&p->id));
	hmap_insert(&e->peer_numbers, &p->by_number, hash_int(p->number, 0));
	return p;
}

/* ---- Endpoints ---- */

static const char *owner_name(const struct engine *e,
			      const struct fwd_target *owner)
{
	const struct peer *p =
		owner->local ? NULL : peer_by_number(e, owner->peer);

	return p ? p->name : e->config.name;
}

static void tell_conflict(struct engine *e, const struct peer *p,
			  const struct binding *b,
			  const struct fwd_target *owner)
{
	char mac[MAC_STRLEN];

	engine_log(e, OP_LOG_WARN,
		   "DUPLICATE: %s announces %s with an address that %s has "
		   "already; the first owner keeps it; `fdpctl peers` lists "
		   "both, detach one of them",
		   p->name, mac_format(&b->mac, mac),
		   owner->local ? "this host" : owner_name(e, owner));
}

/* May others have its addresses for the asking?  It is not what it was, or as
 * good as gone: nothing was heard of it for so long that its session ended, and
 * nobody else reaches it.  A daemon that ends, or is made anew, says so, or its
 * kernel does; then its containers may well go on. */
static bool gives_way(const struct peer *p)
{
	return p->remembered || (p->silent && !p->conn && !p->hops);
}

/* Binds what the peer announces and nobody else has. */
static void bind_all(struct engine *e, struct peer *p)
{
	p->n_unbound = 0;
	for (size_t i = 0; i < p->record.n; i++) {
		const struct binding *b = &p->record.v[i];
		struct bound *bound = &p->bound[i];
		struct fwd_target conflict;
		char mac[MAC_STRLEN];
		enum err err;

		if (bound->is) {
			continue;
		}
		err = forwarding_bind(e->fwd, p->number, b, &conflict);
		if (err == ERR_EXISTS && !gives_way(p) && peers_yield(e, b)) {
			err = forwarding_bind(e->fwd, p->number, b, &conflict);
		}
		bound->is = !err;
		if (!err) {
			moves_bound(e, b);
		}
		if (err == ERR_EXISTS && !bound->told) {
			tell_conflict(e, p, b, &conflict);
		} else if (err && !bound->told) {
			engine_log(e, OP_LOG_WARN, "endpoint %s of %s: %s",
				   mac_format(&b->mac, mac), p->name,
				   err_text(err));
		}
		bound->told = err != FDP_OK;
		p->n_unbound += err != FDP_OK;
	}
}

static bool share_address(const struct binding *a, const struct binding *b)
{
	if (a->vni != b->vni) {
		return false;
	}
	for (size_t i = 0; i < a->n_ips; i++) {
		for (size_t j = 0; j < b->n_ips; j++) {
			if (ip_equal(&a->ips[i], &b->ips[j])) {
				return true;
			}
		}
	}
	return mac_equal(&a->mac, &b->mac);
}

const char *peer_duplicate(const struct engine *e, const struct peer *p,
			   size_t endpoint)
{
	const struct binding *b = &p->record.v[endpoint];
	const struct fwd_target *t;

	if (p->bound[endpoint].is) {
		return "";
	}
	t = forwarding_by_mac(e->fwd, b->vni, &b->mac);
	for (size_t i = 0; !t && i < b->n_ips; i++) {
		t = forwarding_by_ip(e->fwd, b->vni, &b->ips[i]);
	}
	return t ? owner_name(e, t) : "";
}

const char *peer_also_has(const struct engine *e, const struct binding *b)
{
	const struct peer *p;

	HMAP_FOR_EACH (p, node, &e->peers) {
		for (size_t i = 0; i < p->record.n; i++) {
			if (!p->bound[i].is &&
			    share_address(&p->record.v[i], b)) {
				return p->name;
			}
		}
	}
	return "";
}

size_t peers_n_duplicates(const struct engine *e)
{
	const struct peer *p;
	size_t n = 0;

	HMAP_FOR_EACH (p, node, &e->peers) {
		n += p->n_unbound;
	}
	return n;
}

void peers_rebind(struct engine *e)
{
	struct peer *p;

	HMAP_FOR_EACH (p, node, &e->peers) {
		if (p->n_unbound) {
			bind_all(e, p);
		}
	}
}

/* Forgets endpoint 'i'. */
static void drop_endpoint(struct engine *e, struct peer *p, size_t i)
{
	struct record *r = &p->record;
	const size_t n_after = r->n - i - 1;

	if (p->bound[i].is) {
		forwarding_unbind(e->fwd, p->number, r->v[i].vni, &r->v[i].mac);
		moves_left(e, &r->v[i]);
	} else {
		p->n_unbound--;
	}
	memmove(&r->v[i], &r->v[i + 1], n_after * sizeof *r->v);
	memmove(&p->bound[i], &p->bound[i + 1], n_after * sizeof *p->bound);
	r->n--;
}

bool peers_yield(struct engine *e, const struct binding *b)
{
	const struct binding given = *b;
	bool some = false;
	struct peer *p;

	HMAP_FOR_EACH (p, node, &e->peers) {
		for (size_t i = 0; gives_way(p) && i < p->record.n;) {
			if (share_address(&p->record.v[i], &given)) {
				drop_endpoint(e, p, i);
				some = true;
			} else {
				i++;
			}
		}
	}
	return some;
}

/* Replaces the peer's record by 'record' (taken over), touching only what
 * differs in the forwarding table. */
void peer_set_record(struct engine *e, struct peer *p, struct record *record)
{
	struct bound *bound = xcalloc(record->n + 1, sizeof *bound);

	p->remembered = false;
	remember_touch(e);
	for (size_t i = 0; i < p->record.n; i++) {
		const struct binding *old = &p->record.v[i];
		struct binding_key key = binding_key(old);
		const struct binding *now = record_find(record, &key);

		if (now && binding_equal(now, old)) {
			bound[now - record->v] = p->bound[i];
		} else if (p->bound[i].is) {
			/* Changed ones too: their addresses may go round. */
			forwarding_unbind(e->fwd, p->number, old->vni,
					  &old->mac);
			moves_left(e, old);
		}
	}
	record_free(&p->record);
	free(p->bound);
	p->record = *record;
	p->bound = bound;
	memset(record, 0, sizeof *record);
	bind_all(e, p);
	peers_rebind(e);
}

static enum err record_received(struct engine *e, struct conn *c,
				const struct msg_record *m)
{
	bool complete;
	enum err err;

	if (!peer_id_equal(&m->author, &c->peer->id)) {
		return ERR_REFUSED;
	}
	err = record_receive(&c->inbox, m, &complete);
	if (!err && complete) {
		peer_set_record(e, c->peer, &c->inbox.record);
	}
	return err;
}

static enum err update_received(struct engine *e, struct conn *c,
				const struct msg_update *m)
{
	struct record next = c->peer->record;
	enum err err;

	/* A step on a copy, so that the difference can be taken. */
	next.v = next.n ? xmemdup(next.v, next.n * sizeof *next.v) : NULL;
	next.allocated = next.n;
	err = record_step(&next, m);
	if (err) {
		record_free(&next);
		return err;
	}
	peer_set_record(e, c->peer, &next);
	return FDP_OK;
}

void peer_message(struct engine *e, struct conn *c, const struct message *m)
{
	enum err err = FDP_OK;

	switch (m->type) {
	case MSG_RECORD:
		err = record_received(e, c, &m->record);
		break;
	case MSG_UPDATE:
		err = update_received(e, c, &m->update);
		break;
	case MSG_PEERS:
		discovery_heard(e, c->peer, &m->peers);
		break;
	case MSG_STATEMENT:
		gossip_statement(e, c, &m->statement);
		break;
	case MSG_SUMMARY:
		gossip_summary(e, c, &m->summary);
		break;
	case MSG_HAVE:
		spread_have(e, c, &m->held);
		break;
	case MSG_WANT:
		spread_want(e, c, &m->held);
		break;
	case MSG_LINKS:
		links_heard(e, c, &m->links);
		break;
	case MSG_SA_OFFER:
		tunnel_offer(e, c->peer, &m->sa_offer);
		break;
	case MSG_SA_ACTIVE:
		tunnel_active(e, c->peer, &m->sa_active);
		break;
	case MSG_REKEY_REQUEST:
		err = tunnel_rekey_requested(e, c->peer, &m->rekey);
		break;
	case MSG_REKEY_RESPONSE:
		err = tunnel_rekey_answered(e, c->peer, &m->rekey);
		break;
	case MSG_REKEY_ASK:
		tunnel_rekey(e, c->peer);
		break;
	case MSG_REHANDSHAKE:
		password_rehandshake(e, c->peer, &m->rehandshake);
		break;
	case MSG_PLAIN:
		plain_heard(e, c->peer, &m->plain);
		break;
	case MSG_PROBE_ACK:
		probe_acked(e, c->peer, &m->probe_ack);
		break;
	case MSG_PATH_ASK:
		probe_asked(e, c->peer, &m->path);
		break;
	case MSG_PATH_REPORT:
		probe_reported(e, c->peer, &m->path);
		break;
	case MSG_PATH_STATE:
		health_told(e, c->peer, &m->path_state);
		break;
	case MSG_PATH_CHECK:
		check_asked(e, c->peer, &m->path_check);
		break;
	case MSG_PATH_CHECKED:
		check_answered(e, c->peer, &m->path_checked);
		break;
	case MSG_SLEEVE:
		sleeve_heard(e, c->peer, &m->sleeve);
		break;
	case MSG_SA_DELETE:
	case MSG_PING:
	case MSG_PONG:
	case MSG_CLOSE:
		break;
	}
	if (err) {
		conn_end(e, c, err, REASON_CONNECTION_LOST, err_text(err));
	}
}

static void send_record(struct engine *e, struct conn *c)
{
	struct message m = {.type = MSG_RECORD};

	for (uint16_t part = 0;; part++) {
		record_part(&e->record, part, &m.record);
		copy_text(m.record.name, sizeof m.record.name, e->config.name);
		m.record.addrs = &c->local.ip;
		m.record.n_addrs = 1;
		conn_send(e, c, &m);
		if (m.record.last) {
			break;
		}
	}
}

void peers_announce(struct engine *e, const struct binding *added,
		    const struct binding_key *removed)
{
	struct message m = {.type = MSG_UPDATE};
	struct binding add;
	struct binding_key remove;
	struct peer *p;

	m.update.author = e->record.author;
	m.update.incarnation = e->record.incarnation;
	m.update.seq = e->record.seq;
	if (added) {
		const struct binding_key key = binding_key(added);

		gossip_binding_changed(e, &key);
		add = *added;
		m.update.added = &add;
		m.update.n_added = 1;
	}
	if (removed) {
		gossip_binding_changed(e, removed);
		remove = *removed;
		m.update.removed = &remove;
		m.update.n_removed = 1;
	}
	HMAP_FOR_EACH (p, node, &e->peers) {
		if (p->conn) {
			conn_send(e, p->conn, &m);
		}
	}
}

/* ---- Sessions ---- */

/* Is 'c' to replace 'old' as the session with the same peer?  Both ends come
 * to the same answer: of crossed dials the one that the smaller id began
 * survives; otherwise the newer one, as the other end has lost the old. */
static bool replaces(const struct engine *e, const struct conn *c,
		     const struct conn *old)
{
	bool we_are_smaller;

	if (c->outbound == old->outbound ||
	    c->identity.incarnation != old->identity.incarnation) {
		return true;
	}
	we_are_smaller = peer_id_compare(&e->config.id, &c->identity.id) < 0;
	return c->outbound == we_are_smaller;
}

static void session_up(struct engine *e, struct conn *c, struct peer *p)
{
	char address[ENDPOINT_STRLEN];

	const bool same = p->incarnation == c->identity.incarnation;

	renewal_cancel(p);
	c->peer = p;
	p->conn = c;
	p->mark = topology_mark(e->topology, &p->id);
	p->silent = false;
	p->doubted_us = 0;
	p->incarnation = c->identity.incarnation;
	copy_text(p->name, sizeof p->name, c->identity.name);
	remember_touch(e);
	engine_log(e, OP_LOG_INFO, "connected to %s (%s %s)%s", p->name,
		   c->outbound ? "at" : "from",
		   endpoint_format(&c->remote, address),
		   engine_encrypts(e) ? "" : ", NOT ENCRYPTED");
	send_record(e, c);
	probe_session(e, p, same);
	health_session(e, p);
	tunnel_begin(e, p);
	overlay_session(e, p);
	discovery_session(e, p);
	gossip_session(e, p);
}

/* Whoever else has its tunnel at 'ip'. */
static struct peer *peer_at(const struct engine *e, const struct ip_addr *ip,
			    const struct peer_id *but)
{
	struct peer *p;

	HMAP_FOR_EACH (p, node, &e->peers) {
		if (p->tunnel.placed && !p->tunnel.by_sleeve &&
		    ip_equal(&p->tunnel.remote, ip) &&
		    !peer_id_equal(&p->id, but)) {
			return p;
		}
	}
	return NULL;
}

/* One address is one peer's, unless it is reached by the sleeve: policies, SAs
 * and the source of what comes through the tunnel go by it.  A host that was
 * installed anew takes the place of what it was; false if the other one is
 * there still. */
static bool take_address(struct engine *e, struct conn *c)
{
	struct peer *other = peer_at(e, &c->remote.ip, &c->identity.id);

	if (!other || sleeve_is_all(e, c)) {
		return true;
	}
	if (!other->conn) {
		gossip_forget(e, &other->id);
		peer_remove(e, other);
		return true;
	}
	conn_doubt(e, other->conn);
	conn_end(e, c, ERR_EXISTS, REASON_DUPLICATE,
		 "another host is connected from this address; "
		 "all but one need --overlay sleeve");
	return false;
}

/* Another process, on another address, with the id of a peer whose session
 * 'old' has not ended: has that one moved, or is there a second one?  The first
 * time that is not known: the old one is asked, and the new one comes again.
 * False if 'c' is gone. */
static bool is_the_only_one(struct engine *e, struct conn *c, struct peer *p,
			    struct conn *old)
{
	if (c->identity.incarnation == old->identity.incarnation ||
	    ip_equal(&c->remote.ip, &old->remote.ip)) {
		return true;
	}
	if (!p->doubted_us || e->now_us - p->doubted_us > COPY_DOUBT_US) {
		p->doubted_us = e->now_us;
	} else if (old->heard_us > p->doubted_us) {
		conn_end(e, c, ERR_COPY, REASON_COPY, pin_copy(e, c, p));
		return false;
	}
	conn_doubt(e, old);
	conn_end(e, c, ERR_EXISTS, REASON_DUPLICATE,
		 "a host of the same id is connected from another address");
	return false;
}

/* There are too many, but a session counts for more than what others say: the
 * last of those that are known by that alone has to go. */
static bool make_room(struct engine *e)
{
	struct peer *p, *latest = NULL;

	HMAP_FOR_EACH (p, node, &e->peers) {
		if (!p->conn && !p->tunnel.placed &&
		    (!latest || p->lost_us > latest->lost_us)) {
			latest = p;
		}
	}
	if (latest) {
		peer_remove(e, latest);
	}
	return latest != NULL;
}

bool peer_session(struct engine *e, struct conn *c)
{
	struct peer *p = peer_find(e, &c->identity.id);
	struct conn *old = p ? p->conn : NULL;

	if (!take_address(e, c)) {
		return false;
	}
	if (!p && hmap_count(&e->peers) >= MAX_PEERS && !make_room(e)) {
		conn_end(e, c, ERR_LIMIT, REASON_CONNECTION_LOST,
			 "too many peers");
		return false;
	}
	if (!p) {
		p = peer_new(e, &c->identity);
	}
	if (old && !is_the_only_one(e, c, p, old)) {
		return false;
	}
	if (old && !replaces(e, c, old)) {
		/* Should the old one be dead, find out soon. */
		conn_doubt(e, old);
		conn_end(e, c, ERR_EXISTS, REASON_DUPLICATE, "");
		return false;
	}
	if (old) {
		/* The peer stays: only its session changes. */
		p->conn = NULL;
		old->peer = NULL;
		conn_end(e, old, ERR_EXISTS, REASON_DUPLICATE, "");
	}
	session_up(e, c, p);
	return true;
}

void peer_lost(struct engine *e, struct peer *p, enum reason reason,
	       uint64_t delay_us)
{
	renewal_cancel(p);
	probe_session_over(e, p);
	plain_over(e, p);
	p->conn = NULL;
	p->lost_us = e->now_us;
	p->silent = reason == REASON_SILENT;
	relay_touch(e);
	gossip_absent(e);
	peer_wake(e, p, e->now_us);
	for (struct target *t = e->targets; t; t = t->next) {
		if (!t->conn && peer_id_equal(&t->peer, &p->id) &&
		    t->retry_us == UINT64_MAX && t->reason != REASON_SELF) {
			target_retry(e, t, delay_us);
		}
	}
}

void peer_free(struct peer *p)
{
	record_free(&p->record);
	free(p->bound);
	free(p->advertised);
	free(p->watch.check);
	path_done(&p->watch.path);
	path_done(&p->beside.path);
	history_free(&p->history);
	free(p);
}

void peer_remove(struct engine *e, struct peer *p)
{
	engine_log(e, OP_LOG_INFO, "peer %s is gone", p->name);
	renewal_cancel(p);
	check_stop(e, p);
	relay_removed(e, p);
	tunnel_end(e, p);
	forwarding_remove_peer(e->fwd, p->number);
	for (size_t i = 0; i < p->record.n; i++) {
		if (p->bound[i].is) {
			moves_left(e, &p->record.v[i]);
		}
	}
	timer_off(&e->peers_due, &p->timer);
	hmap_remove(&e->peers, &p->node);
	hmap_remove(&e->peer_numbers, &p->by_number);
	peer_free(p);
	peers_rebind(e);
	ports_update_mtu(e);
}

struct peer *peer_remembered(struct engine *e, const struct identity *identity)
{
	struct peer *p;

	if (hmap_count(&e->peers) >= MAX_PEERS) {
		return NULL;
	}
	p = peer_new(e, identity);
	p->lost_us = e->now_us;
	peer_wake(e, p, e->now_us);
	p->incarnation = identity->incarnation;
	copy_text(p->name, sizeof p->name, identity->name);
	return p;
}

struct peer *peer_heard_of(struct engine *e, const struct identity *identity)
{
	struct peer *p = peer_remembered(e, identity);

	if (p) {
		engine_log(e, OP_LOG_INFO, "heard of %s, behind others",
			   p->name);
	}
	return p;
}

/* There is a way to it through others, and has been none of its own for too
 * long. */
static void drop_tunnel(struct engine *e, struct peer *p)
{
	const struct fwd_peer nowhere = {.peer = p->number};

	if (p->tunnel.placed) {
		engine_log(e, OP_LOG_INFO, "%s is known through others only",
			   p->name);
		tunnel_end(e, p);
		forwarding_set_peer(e->fwd, &nowhere);
		ports_update_mtu(e);
	}
}

/* A host without a session and without a way is gone for good then. */
static uint64_t removal_us(const struct peer *p)
{
	if (p->tunnel.placed) {
		return MAX(p->lost_us, p->unreached_us) + PEER_GRACE_US;
	}
	return MAX(p->lost_us, p->unreached_us) + FAR_GRACE_US;
}

/* What becomes of it without a session; it may be gone then. */
static void lost_timer(struct engine *e, struct peer *p)
{
	if (p->conn) {
		return;
	}
	if (p->hops && e->now_us >= p->lost_us + PEER_GRACE_US) {
		drop_tunnel(e, p);
	} else if (p->hops) {
		peer_wake(e, p, p->lost_us + PEER_GRACE_US);
	} else if (e->now_us >= removal_us(p)) {
		peer_remove(e, p);
	} else {
		peer_wake(e, p, removal_us(p));
	}
}

static void peer_timer(struct engine *e, struct peer *p)
{
	static void (*const all[])(struct engine *, struct peer *) = {
		password_timer, lost_timer,    tunnel_timer, rekey_timer,
		probe_timer,	overlay_timer, check_timer};
	const uint32_t number = p->number;

	for (size_t i = 0; i < ARRAY_SIZE(all) && peer_by_number(e, number);
	     i++) {
		all[i](e, p);
	}
}

void peer_timers(struct engine *e)
{
	struct timer *t;

	while ((t = timers_take(&e->peers_due, e->now_us))) {
		peer_timer(e, CONTAINER_OF(t, struct peer, timer));
	}
}
