/* Hosts that others know.
 *
 * A session that is not itself the fruit of a hint begins with both sides'
 * lists of the hosts they are connected to; each dials those that it lacks.  So
 * a new host needs one address, and learns the rest from whoever answers there,
 * once: N entries for a host that joins N others, and nothing for those.  Now
 * and then each host exchanges lists with another one, drawn at random, which
 * heals what the first exchange missed: two meshes that were joined, pairs of
 * which only one side can dial.
 *
 * A hint is only as good as whoever gives it, somebody who knows the password;
 * what answers at the address has to prove the same.  Hints are bounded in
 * number, dialled with the usual back-off, and forgotten after an hour without
 * a connection.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"
#include "util.h"

/* Dials are spread over that time for each address there is. */
#define SPREAD_US (10 * 1000)

/* Where we see 'p'; false if it cannot be dialled there. */
static bool address_seen(const struct peer *p, struct ip_endpoint *at)
{
	const struct conn *c = p->conn;

	if (!c) {
		return false;
	}
	*at = c->remote;
	if (!c->outbound) {
		at->port = p->control_port;
	}
	return at->port != 0;
}

/* Address number 'i' at which others can dial 'p', as far as we know. */
static bool address_of(const struct peer *p, size_t i, struct ip_endpoint *at)
{
	if (!p->n_advertised) {
		return !i && address_seen(p, at);
	}
	if (!p->conn || i >= p->n_advertised) {
		return false;
	}
	*at = p->advertised[i];
	return true;
}

static void send_list(struct engine *e, struct peer *to, bool list, bool want)
{
	struct peer_hint hints[MSG_MAX_HINTS];
	struct message m = {.type = MSG_PEERS};
	const struct peer *p;

	m.peers.want = want;
	m.peers.port = e->config.port;
	m.peers.n_advertised = e->config.n_advertised;
	memcpy(m.peers.advertised, e->config.advertised,
	       sizeof m.peers.advertised);
	m.peers.v = hints;
	HMAP_FOR_EACH (p, node, &e->peers) {
		for (size_t i = 0; list && p != to; i++) {
			struct peer_hint *hint = &hints[m.peers.n];

			if (!address_of(p, i, &hint->at)) {
				break;
			}
			hint->id = p->id;
			if (++m.peers.n == MSG_MAX_HINTS) {
				conn_send(e, to->conn, &m);
				m.peers.n = 0;
				m.peers.want = false;
			}
		}
	}
	conn_send(e, to->conn, &m);
}

static void set_advertised(struct peer *p, const struct ip_endpoint *v,
			   size_t n)
{
	free(p->advertised);
	p->advertised = n ? xmemdup(v, n * sizeof *v) : NULL;
	p->n_advertised = n;
}

void discovery_session(struct engine *e, struct peer *p)
{
	const struct target *t = p->conn->target;
	bool hinted = t && t->hinted;

	p->control_port = 0;
	set_advertised(p, NULL, 0);
	if (p->conn->role == HS_INITIATOR) {
		send_list(e, p, !hinted && e->config.discover,
			  !hinted && e->config.discover);
	} else if (e->config.n_advertised) {
		send_list(e, p, false, false);
	}
}

static void take_address(struct engine *e, const struct peer_id *id,
			 const struct ip_endpoint *at)
{
	struct target *t = target_find(e, at);
	size_t n;

	if (t) {
		t->heard_us = e->now_us;
		return;
	}
	n = target_count(e);
	if (n >= ENGINE_MAX_TARGETS) {
		return;
	}
	t = target_add(e, at);
	t->hinted = true;
	t->heard_us = e->now_us;
	t->peer = *id;
	target_retry(e, t, rng_range(e->rng, SPREAD_US * (n + 1)));
}

static void take_hint(struct engine *e, const struct peer_hint *hint)
{
	const struct peer *p = peer_find(e, &hint->id);

	if (!peer_id_equal(&hint->id, &e->config.id) && !(p && p->conn)) {
		take_address(e, &hint->id, &hint->at);
	}
}

void discovery_dial_back(struct engine *e, const struct peer *p)
{
	struct ip_endpoint at;

	if (e->config.discover && address_seen(p, &at)) {
		take_address(e, &p->id, &at);
	}
}

void discovery_heard(struct engine *e, struct peer *p,
		     const struct msg_peers *m)
{
	p->control_port = m->port;
	set_advertised(p, m->advertised, m->n_advertised);
	for (size_t i = 0; e->config.discover && i < m->n; i++) {
		take_hint(e, &m->v[i]);
	}
	if (m->want) {
		send_list(e, p, true, false);
	}
}

void discovery_mute(struct engine *e, const struct ip_endpoint *at)
{
	struct target *t = target_add(e, at);

	t->hinted = t->muted = t->saved = true;
	persist_save_soon(e);
	t->retry_us = UINT64_MAX;
	t->heard_us = e->now_us;
}

void discovery_mute_peer(struct engine *e, const struct peer *p)
{
	struct ip_endpoint at;

	if (address_seen(p, &at)) {
		discovery_mute(e, &at);
	}
	for (size_t i = 0; i < p->n_advertised; i++) {
		discovery_mute(e, &p->advertised[i]);
	}
}

/* Forgets hints that led nowhere for too long. */
static void forget_hints(struct engine *e)
{
	struct target *t, *next;

	for (t = e->targets; t; t = next) {
		next = t->next;
		if (!t->hinted) {
			continue;
		}
		if (t->conn || target_peer(e, t)) {
			t->heard_us = e->now_us;
		} else if (e->now_us - t->heard_us >= HINT_KEPT_US) {
			if (t->saved) {
				persist_save_soon(e);
			}
			target_remove(e, t);
		}
	}
}

static struct peer *any_peer(const struct engine *e)
{
	struct peer *p, *chosen = NULL;
	uint32_t n = 0;

	HMAP_FOR_EACH (p, node, &e->peers) {
		if (p->conn && !rng_range(e->rng, ++n)) {
			chosen = p;
		}
	}
	return chosen;
}

void discovery_timers(struct engine *e)
{
	struct peer *p;

	if (e->now_us < e->gossip_us) {
		engine_wake(e, e->gossip_us);
		return;
	}
	forget_hints(e);
	p = any_peer(e);
	if (p && e->config.discover) {
		send_list(e, p, true, true);
	}
	if (p) {
		gossip_exchange(e, p);
	}
	e->gossip_us = e->now_us + GOSSIP_US / 2 + rng_range(e->rng, GOSSIP_US);
	engine_wake(e, e->gossip_us);
}
