/* Hosts that reach each other through others (mesh/topology.h).
 *
 * We state a link to a peer if we have a session with it that is not silent,
 * and a tunnel that is usable.  A session may be lost for a moment, as daemons
 * restart, while the kernels go on: that is waited for before the link is
 * withdrawn.  Then it takes a while again until a tunnel that seems to work is
 * left for a way through others: if the peer's daemon is down they all withdraw
 * their links, one after the other, and there is no other way.  A tunnel that
 * cannot be used, or that probes find dead, is left at once, for links that
 * both their ends state.  One that came to life again has to last before its
 * link is stated anew, or each moment of a bad path would move flows forth and
 * back; who sends through it already goes on, with the link stated or not.
 */
#include <stdlib.h>

#include "engine/state.h"
#include "util.h"

#define LINK_KEPT_US  (5 * SECOND_US)  /* Without a session. */
#define LINK_AGAIN_US (5 * SECOND_US)  /* It has to last, if it was dead... */
#define LINK_FLAP_US  (60 * SECOND_US) /* ...so short a time ago. */
#define DETOUR_US     (2 * SECOND_US)  /* Before a usable tunnel is left. */
#define LINGER_US     (10 * SECOND_US) /* Frames by the way of before. */
#define BATCH_US      (SECOND_US / 50) /* News that are taken together... */
#define BATCH_PEER_US 250 /* ...and for each peer, if that is more. */

/* ---- What forwarding asks ---- */

static uint32_t number_of(const struct engine *e, const struct peer_id *id)
{
	const struct peer *p = id ? peer_find(e, id) : NULL;

	return p ? p->number : FWD_NOBODY;
}

static bool passes_on(void *e_, uint32_t source)
{
	struct engine *e = e_;
	const struct peer *p = peer_by_number(e, source);

	return p && topology_passes_on(e->topology, &p->id);
}

static uint32_t next_of(void *e_, uint32_t source, uint32_t to)
{
	struct engine *e = e_;
	const struct peer *p = peer_by_number(e, source);
	const struct peer *d = peer_by_number(e, to);

	return p && d ? number_of(e, topology_next(e->topology, &p->id, &d->id))
		      : FWD_NOBODY;
}

static uint32_t parent_of(void *e_, uint32_t source)
{
	struct engine *e = e_;
	const struct peer *p = peer_by_number(e, source);

	return p ? number_of(e, topology_parent(e->topology, &p->id))
		 : FWD_NOBODY;
}

static bool may_relay(void *e_, uint32_t source, uint32_t from)
{
	struct engine *e = e_;
	const struct peer *p = peer_by_number(e, source);
	const struct peer *f = peer_by_number(e, from);

	return p && f && topology_may_relay(e->topology, &p->id, &f->id);
}

void relay_init(struct engine *e)
{
	const struct fwd_routes routes = {.passes_on = passes_on,
					  .next = next_of,
					  .parent = parent_of,
					  .may_relay = may_relay,
					  .aux = e};

	e->topology = topology_new(&e->config.id);
	e->relay_us = e->linger_us = UINT64_MAX;
	forwarding_set_routes(e->fwd, &routes);
}

/* ---- Links ---- */

void relay_touch(struct engine *e)
{
	e->relay_dirty = true;
}

static void wake(struct engine *e, uint64_t when_us)
{
	e->relay_us = MIN(e->relay_us, when_us);
	engine_wake(e, when_us);
}

void relay_path(struct engine *e, struct peer *p)
{
	bool dead = health_is_dead(p);

	if (dead != p->path_dead) {
		p->path_dead = dead;
		relay_touch(e);
	}
}

/* Do packets get to 'p' through its own tunnel, as far as we know? */
static bool is_alive(const struct peer *p)
{
	return way_is_usable(p) && !p->tunnel.route_errno && !health_is_dead(p);
}

/* All peers are looked at then. */
static uint64_t batch_us(const struct engine *e)
{
	return MAX(BATCH_US, hmap_count(&e->peers) * BATCH_PEER_US);
}

void relay_news(struct engine *e)
{
	wake(e, e->now_us + batch_us(e));
}

/* Is it time to state a link to 'p'? */
static bool has_link(struct engine *e, struct peer *p)
{
	bool flapped =
		p->unlinked_us && e->now_us - p->unlinked_us < LINK_FLAP_US;

	if (!is_alive(p)) {
		p->link_us = 0;
		return false;
	}
	if (!p->conn) {
		p->link_us = 0;
		if (p->linked && e->now_us < p->lost_us + LINK_KEPT_US) {
			wake(e, p->lost_us + LINK_KEPT_US);
			return true;
		}
		return false;
	}
	if (p->conn->silent) {
		p->link_us = 0;
		return false;
	}
	if (!p->link_us) {
		p->link_us = e->now_us;
	}
	if (!p->linked && flapped && e->now_us < p->link_us + LINK_AGAIN_US) {
		wake(e, p->link_us + LINK_AGAIN_US);
		return false;
	}
	return true;
}

/* True if what we state has changed. */
static bool update_links(struct engine *e)
{
	bool changed = false;
	struct peer *p;

	HMAP_FOR_EACH (p, node, &e->peers) {
		bool linked = has_link(e, p);

		if (linked != p->linked) {
			gossip_link_changed(e, &p->id, !linked);
			changed = true;
		}
		if (p->linked && !is_alive(p)) {
			p->unlinked_us = e->now_us;
		}
		p->linked = linked;
	}
	return changed;
}

void relay_removed(struct engine *e, const struct peer *p)
{
	if (p->linked) {
		gossip_link_changed(e, &p->id, true);
		e->links_changed = true;
	}
	relay_touch(e);
}

static int compare_ids(const void *a, const void *b)
{
	return peer_id_compare(a, b);
}

static void state_links(struct engine *e)
{
	struct peer_id *ids =
		xmalloc((hmap_count(&e->peers) + 1) * sizeof *ids);
	const struct peer *p;
	size_t n = 0;

	HMAP_FOR_EACH (p, node, &e->peers) {
		if (p->linked) {
			ids[n++] = p->id;
		}
	}
	qsort(ids, n, sizeof *ids, compare_ids);
	e->n_links = n;
	gossip_self_changed(e);
	relay_heard(e, &e->config.id, ids, n);
	free(ids);
}

static bool heard(struct engine *e, const struct peer_id *author, enum err err)
{
	if (err) {
		char id[PEER_ID_STRLEN];

		engine_log(e, OP_LOG_WARN,
			   "%s has links to more hosts than this one can know",
			   peer_id_format(author, id));
	}
	relay_news(e);
	return !err;
}

bool relay_heard(struct engine *e, const struct peer_id *author,
		 const struct peer_id *links, size_t n)
{
	return heard(e, author, topology_set(e->topology, author, links, n));
}

bool relay_heard_change(struct engine *e, const struct peer_id *author,
			const struct peer_id *come, size_t n_come,
			const struct peer_id *gone, size_t n_gone)
{
	return heard(e, author,
		     topology_change(e->topology, author, come, n_come, gone,
				     n_gone));
}

void relay_forget(struct engine *e, const struct peer_id *author)
{
	topology_remove(e->topology, author);
	relay_news(e);
}

/* ---- Ways ---- */

static void note_tree(const struct peer_id *source, void *e_)
{
	struct engine *e = e_;
	const struct peer *p = peer_find(e, source);

	if (p) {
		deps_add(forwarding_changed(e->fwd), dep_tree(p->number));
		forwarding_tree_news(e->fwd, p->number);
	}
}

/* When a tunnel of 'p' that seems to work is left for a way that was first seen
 * at 'since_us'. */
static uint64_t detour_due_us(const struct peer *p, uint64_t since_us)
{
	if (!p->conn) {
		return MAX(since_us, p->lost_us + LINK_KEPT_US) + DETOUR_US;
	}
	return p->conn->silent ? since_us + DETOUR_US : UINT64_MAX;
}

/* Through whom 'p' is to be reached now; NULL: through its own tunnel. */
static const struct peer *choose_via(struct engine *e, struct peer *p)
{
	const struct peer_id *next =
		topology_next(e->topology, &e->config.id, &p->id);
	const struct peer *via = next ? peer_find(e, next) : NULL;
	const unsigned int hops = topology_hops(e->topology, &p->id);
	uint64_t since_us = p->detour_us;

	if (p->hops && !hops) {
		p->unreached_us = e->now_us;
	}
	if (!p->hops != !hops) {
		peer_wake(e, p, e->now_us);
	}
	p->hops = hops;
	p->detour_us = 0;
	if (!via || via == p || p->hops > PIPELINE_HOPS_MAX) {
		return NULL;
	}
	if (!is_alive(p) || p->via != FWD_NOBODY) {
		return via;
	}
	p->detour_us = since_us ? since_us : e->now_us;
	since_us = detour_due_us(p, p->detour_us);
	if (e->now_us < since_us) {
		wake(e, since_us);
		return NULL;
	}
	return via;
}

static void update_way(struct engine *e, struct peer *p)
{
	const struct peer *via = choose_via(e, p);
	const uint32_t number = via ? via->number : FWD_NOBODY;

	if (p->via == number) {
		return;
	}
	p->via = number;
	forwarding_set_via(e->fwd, p->number, number);
	remember_touch(e);
	if (via) {
		engine_log(e, OP_LOG_INFO, "%s is reached via %s, %u hops",
			   p->name, via->name, p->hops);
	} else {
		engine_log(e, OP_LOG_INFO, "%s is not reached via others now",
			   p->name);
	}
	health_note(e, p, via ? REASON_INDIRECT : REASON_NONE,
		    via ? "reached via %s" : "not reached via others now",
		    via ? via->name : "");
	ports_update_mtu(e);
}

void relay_sync(struct engine *e)
{
	struct peer *p;

	if (e->any_unsaid) {
		gossip_say(e);
	}
	if (!e->relay_dirty) {
		return;
	}
	/* Of the first news at once; a mesh that comes up has many. */
	if (e->now_us < e->synced_us + batch_us(e)) {
		wake(e, e->synced_us + batch_us(e));
		return;
	}
	e->synced_us = e->now_us;
	e->relay_dirty = false;
	if (update_links(e) || e->links_changed) {
		e->links_changed = false;
		state_links(e);
	}
	topology_settle(e->topology, note_tree, e);
	e->linger_us = e->now_us + LINGER_US;
	engine_wake(e, e->linger_us);
	gossip_update(e);
	HMAP_FOR_EACH (p, node, &e->peers) {
		update_way(e, p);
	}
	peers_rebind(e); /* Who cannot be reached any more gives way. */
	gossip_say(e);
}

void relay_timers(struct engine *e)
{
	if (e->now_us >= e->relay_us) {
		e->relay_us = UINT64_MAX;
		relay_touch(e);
	}
	if (e->now_us >= e->linger_us) {
		e->linger_us = UINT64_MAX;
		topology_forget(e->topology, note_tree, e);
	}
	engine_wake(e, MIN(e->relay_us, e->linger_us));
}
