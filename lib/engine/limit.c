/* How many sessions a host wants (--conn-limit).
 *
 * With three quarters of that it dials no host that it only heard of, as long
 * as that one is reached through others; and if it has more than so many,
 * because others dial it, it ends those that can be spared (mesh/topology.h),
 * one after the other.  Nobody is refused: a new host may know no other one.
 * Whoever is told that a session was one too many does not dial again either as
 * long as there is a way.
 *
 * So the mesh stays connected, and all can be reached; a host in the middle may
 * keep a few more for that.  What is not reached for a while is dialled beyond
 * the limit, slowly.  Hosts of the configuration are
 * always dialled, and their sessions not ended from here.
 */
#include "engine/state.h"
#include "util.h"

#define CHECK_US     (5 * SECOND_US)  /* Whether it is reached still. */
#define UNREACHED_US (10 * SECOND_US) /* Then it is dialled all the same... */
#define BEYOND_US    (1 * SECOND_US)  /* ...one at a time. */
#define SHED_US	     (2 * SECOND_US)  /* Between two that are ended. */

static bool is_busy(const struct conn *c)
{
	return !c->renews && (c->state == CONN_UP || c->outbound);
}

static size_t count_busy(const struct engine *e)
{
	const struct conn *c;
	size_t n = 0;

	HMAP_FOR_EACH (c, node, &e->conns) {
		n += is_busy(c);
	}
	return n;
}

/* A quarter is left for others to dial: if all dialled as many as they may
 * have, all would have more, and end them again; and whoever is left with one
 * too few would dial again, somebody who then has one too many. */
static bool has_enough(const struct engine *e)
{
	const size_t limit = e->config.conn_limit;

	return limit && count_busy(e) >= limit - limit / 4;
}

bool limit_holds(const struct engine *e, const struct target *t)
{
	const struct peer *p = peer_find(e, &t->peer);

	return t->held && p && p->hops;
}

/* May 't' be dialled now?  Else it is looked at again after a while. */
bool limit_allows(struct engine *e, struct target *t)
{
	const struct peer *p = peer_find(e, &t->peer);

	if (!t->spared && !(t->hinted && has_enough(e))) {
		t->held = false;
		return true;
	}
	if (!t->held || (p && p->hops)) {
		t->held = true;
		t->reached_us = e->now_us;
	}
	if (e->now_us >= t->reached_us + UNREACHED_US &&
	    e->now_us >= e->beyond_us) {
		e->beyond_us = e->now_us + BEYOND_US;
		t->held = t->spared = false;
		return true;
	}
	t->retry_us = e->now_us + CHECK_US;
	target_wake(e, t, t->retry_us);
	return false;
}

void limit_spared(struct engine *e, struct target *t)
{
	t->spared = t->held = true;
	t->reached_us = e->now_us;
	t->failures = 0;
}

/* Does an operator want a session with 'p'? */
static bool is_wanted(const struct engine *e, const struct peer *p)
{
	for (const struct target *t = e->targets; t; t = t->next) {
		if (!t->hinted &&
		    (peer_id_equal(&t->peer, &p->id) ||
		     ip_equal(&t->remote.ip, &p->conn->remote.ip))) {
			return true;
		}
	}
	return false;
}

static bool is_spare(struct engine *e, const struct peer *p)
{
	return p->conn && p->linked && !p->renewal.wanted &&
	       e->now_us - p->conn->since_us >= STABLE_US &&
	       topology_spares(e->topology, &p->id) && !is_wanted(e, p);
}

/* Any of those that can be spared, so that not all give up the same one. */
static struct peer *choose(struct engine *e)
{
	struct peer *p, *chosen = NULL;
	uint32_t n = 0;

	HMAP_FOR_EACH (p, node, &e->peers) {
		if (is_spare(e, p) && !rng_range(e->rng, ++n)) {
			chosen = p;
		}
	}
	return chosen;
}

void limit_timers(struct engine *e)
{
	struct peer *p;

	if (!e->config.conn_limit) {
		return;
	}
	if (e->now_us < e->shed_us) {
		engine_wake(e, e->shed_us);
		return;
	}
	e->shed_us = e->now_us + SHED_US / 2 + rng_range(e->rng, SHED_US);
	engine_wake(e, e->shed_us);
	if (count_busy(e) <= e->config.conn_limit) {
		return;
	}
	p = choose(e);
	if (p) {
		struct conn *c = p->conn;

		if (c->target) {
			limit_spared(e, c->target);
		}
		conn_end(e, c, ERR_LIMIT, REASON_LIMIT, "it can be spared");
	}
}
