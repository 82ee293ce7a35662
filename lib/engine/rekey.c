/* New keys while packets flow, and repair of what others took away.
 *
 * A rekey is what a session's beginning is, once more, with a secret from the
 * ratchet: each side installs its inbound SA, then offers it; on the offer the
 * other side installs its outbound SA, pins the policy to it, then says so; the
 * old SAs linger.  The request and its answer only agree on the secret.  As the
 * session's channel keeps everything in order and only the initiator begins,
 * nothing can cross; if the session breaks, the next one makes new keys anyway.
 */
#include <string.h>

#include "engine/state.h"
#include "ipsec/policy.h"
#include "util.h"

/* Between nine and eleven tenths of REKEY_US from now. */
static uint64_t next_rekey_us(const struct engine *e)
{
	return e->now_us + REKEY_US - REKEY_US / 10 +
	       rng_range(e->rng, REKEY_US / 5);
}

static bool is_initiator(const struct peer *p)
{
	return p->conn && p->conn->role == HS_INITIATOR;
}

void tunnel_keyed(struct engine *e, struct peer *p)
{
	struct tunnel *t = &p->tunnel;

	t->rekey_began_us = 0;
	t->rekey_us = UINT64_MAX;
	if (is_initiator(p)) {
		t->rekey_us = next_rekey_us(e);
		peer_wake(e, p, t->rekey_us);
	}
	if (t->epoch) {
		engine_log(e, OP_LOG_DBG, "new keys for the tunnel to %s",
			   p->name);
	}
	if (t->rekey_again) {
		tunnel_rekey(e, p);
	}
}

void tunnel_rekey(struct engine *e, struct peer *p)
{
	struct tunnel *t = &p->tunnel;
	struct message m = {.type = MSG_REKEY_ASK};

	if (!engine_encrypts(e) || !p->conn) {
		return; /* The next session brings new keys. */
	}
	if (t->rekey_began_us || t->state != TUNNEL_UP || !tunnel_is_keyed(t)) {
		t->rekey_again = true;
		return;
	}
	t->rekey_again = false;
	t->rekey_began_us = e->now_us;
	peer_wake(e, p, e->now_us + REKEY_STUCK_US);
	if (is_initiator(p)) {
		m.type = MSG_REKEY_REQUEST;
		ratchet_request(&p->conn->ratchet, e->rng, &m.rekey);
	}
	conn_send(e, p->conn, &m);
}

/* The ratchet has taken a step: the same for the SAs. */
static void use_secret(struct engine *e, struct peer *p, struct secret *s1)
{
	struct tunnel *t = &p->tunnel;

	conn_derive(p->conn, s1, p->conn->ratchet.epoch);
	secret_wipe(s1);
	t->epoch = p->conn->ratchet.epoch;
	t->peer_active = false;
	t->rekey_began_us = e->now_us;
	peer_wake(e, p, e->now_us + REKEY_STUCK_US);
	if (!t->by_sleeve) {
		tunnel_add_sas_in(e, p);
	}
	if (t->sleeve.on) {
		sleeve_begin(e, p);
	}
}

enum err tunnel_rekey_requested(struct engine *e, struct peer *p,
				const struct msg_rekey *request)
{
	struct message m = {.type = MSG_REKEY_RESPONSE};
	struct secret s1;
	enum err err;

	/* Each is finished before the next one begins; with the sleeve the
	 * initiator may know before we do that we have what it told us. */
	if (!engine_encrypts(e) || is_initiator(p) ||
	    (!p->tunnel.by_sleeve && !tunnel_is_keyed(&p->tunnel))) {
		return ERR_STATE;
	}
	err = ratchet_respond(&p->conn->ratchet, request, e->rng, &m.rekey,
			      &s1);
	if (!err) {
		conn_send(e, p->conn, &m);
		use_secret(e, p, &s1);
	}
	return err;
}

enum err tunnel_rekey_answered(struct engine *e, struct peer *p,
			       const struct msg_rekey *response)
{
	struct secret s1;
	enum err err;

	if (!is_initiator(p)) {
		return ERR_STATE;
	}
	err = ratchet_finish(&p->conn->ratchet, response, &s1);
	if (!err) {
		use_secret(e, p, &s1);
	}
	return err;
}

static uint64_t patience_us(const struct peer *p)
{
	const struct tunnel *t = &p->tunnel;

	if (p->beside.can && t->sleeve.index_out) {
		return SA_RETRY_LATE_US; /* There is no haste. */
	}
	return t->epoch ? REKEY_STUCK_US : KEYING_STUCK_US;
}

void rekey_timer(struct engine *e, struct peer *p)
{
	struct tunnel *t = &p->tunnel;

	if (!p->conn || !t->placed) {
		return;
	}
	if (t->rekey_began_us &&
	    e->now_us >= t->rekey_began_us + patience_us(p)) {
		/* It cannot be finished: a new session can. */
		t->rekey_began_us = 0;
		conn_end(e, p->conn, ERR_TIMEOUT, REASON_SILENT,
			 "new keys were not agreed on in time");
		return;
	}
	if (t->rekey_began_us) {
		peer_wake(e, p, t->rekey_began_us + patience_us(p));
	}
	if (t->state == TUNNEL_UP && e->now_us >= t->rekey_us) {
		t->rekey_us = UINT64_MAX;
		tunnel_rekey(e, p);
	} else if (t->state == TUNNEL_UP) {
		peer_wake(e, p, t->rekey_us);
	}
}

/* ---- Repair ---- */

static struct peer *peer_by_reqid(const struct engine *e, uint32_t reqid)
{
	struct peer *p;

	HMAP_FOR_EACH (p, node, &e->peers) {
		if (p->tunnel.policies && p->tunnel.reqid == reqid) {
			return p;
		}
	}
	return NULL;
}

/* An SA of ours is gone although we did not remove it. */
static void sa_lost(struct engine *e, const struct known_sa *lost)
{
	const struct known_sa sa = *lost;
	struct peer *p = peer_by_reqid(e, sa.reqid);

	tunnel_forget_sa(e, &sa.dst, sa.spi);
	if (!p || !tunnel_has_spi(&p->tunnel, sa.spi)) {
		return; /* One that lingered. */
	}
	engine_log(e, OP_LOG_WARN,
		   "the security association %08x with %s was removed by "
		   "somebody else; making new ones",
		   sa.spi, p->name);
	tunnel_rekey(e, p);
}

static void all_sas_lost(struct engine *e)
{
	struct peer *p;

	engine_log(e, OP_LOG_WARN,
		   "all security associations were removed by somebody else; "
		   "making new ones");
	/* All stay noted: of those that were added meanwhile nobody knows
	 * whether they came before or after.  The next keys make all others
	 * linger, and to remove one that is gone is no error. */
	HMAP_FOR_EACH (p, node, &e->peers) {
		tunnel_rekey(e, p);
	}
}

static void put_blocks(struct engine *e, const struct xfrm_policy *only)
{
	for (unsigned int i = 0; i < POLICY_N_BLOCKS; i++) {
		struct xfrm_policy policy;

		policy_make_block(&policy, i, e->config.vxlan_port);
		if (!only || xfrm_policy_same_selector(&policy, only)) {
			ops_add(e->ops, OP_POLICY_PUT)->policy = policy;
		}
	}
}

/* Every policy that should be there is put again; to put one that is there is
 * harmless. */
static void repair_policies(struct engine *e)
{
	struct peer *p;

	engine_log(e, OP_LOG_WARN,
		   "IPsec policies were removed by somebody "
		   "else; putting them back");
	put_blocks(e, NULL);
	HMAP_FOR_EACH (p, node, &e->peers) {
		if (p->tunnel.policies) {
			tunnel_put_policies(e, p);
		}
	}
}

bool tunnel_owns_policy(const struct engine *e, const struct peer *p,
			const struct xfrm_policy *policy)
{
	const struct tunnel *t = &p->tunnel;
	struct xfrm_policy own;

	if (!t->policies) {
		return false;
	}
	policy_make_in(&own, &t->local, &t->remote, e->config.vxlan_port,
		       t->reqid);
	if (xfrm_policy_same_selector(&own, policy)) {
		return true;
	}
	for (unsigned int i = 0; i < LANES_MAX; i++) {
		tunnel_make_out(t, i, &own);
		if (t->lanes[i].policy &&
		    xfrm_policy_same_selector(&own, policy)) {
			return true;
		}
	}
	return false;
}

/* One without a template has no reqid either. */
static struct peer *peer_by_policy(const struct engine *e,
				   const struct xfrm_policy *policy)
{
	struct peer *p;

	HMAP_FOR_EACH (p, node, &e->peers) {
		if (tunnel_owns_policy(e, p, policy)) {
			return p;
		}
	}
	return NULL;
}

static void policy_deleted(struct engine *e, const struct xfrm_policy *gone)
{
	struct peer *p;

	if (gone->block) {
		engine_log(e, OP_LOG_WARN,
			   "the IPsec block policy was removed by somebody "
			   "else; putting it back");
		put_blocks(e, gone);
		return;
	}
	p = gone->plain ? peer_by_policy(e, gone)
			: peer_by_reqid(e, gone->reqid);
	if (p && tunnel_owns_policy(e, p, gone)) {
		engine_log(e, OP_LOG_WARN,
			   "the IPsec policy for %s was removed by somebody "
			   "else; putting it back",
			   p->name);
		tunnel_put_policies(e, p);
	}
}

void tunnel_xfrm_event(struct engine *e, const struct event *event)
{
	const struct xfrm_event *x = event->xfrm;
	struct known_sa *sa;
	struct peer *p;

	if (!engine_encrypts(e) || e->user || e->phase < PHASE_BLOCKING ||
	    e->phase > PHASE_RUNNING) {
		return;
	}
	switch (x->type) {
	case XFRM_EVENT_SA_DELETED:
	case XFRM_EVENT_SA_HARD:
		sa = tunnel_find_sa(e, &x->sa.dst, x->sa.spi);
		if (sa) {
			sa_lost(e, sa);
		}
		break;
	case XFRM_EVENT_SA_SOFT:
		p = peer_by_reqid(e, x->sa.reqid);
		if (p && tunnel_has_spi(&p->tunnel, x->sa.spi)) {
			tunnel_rekey(e, p);
		}
		break;
	case XFRM_EVENT_SA_FLUSH:
		all_sas_lost(e);
		break;
	case XFRM_EVENT_POLICY_DELETED:
		if (xfrm_policy_is_ours(&x->policy)) {
			policy_deleted(e, &x->policy);
		}
		break;
	case XFRM_EVENT_POLICY_FLUSH:
		repair_policies(e);
		break;
	case XFRM_EVENT_LOST:
		repair_policies(e);
		HMAP_FOR_EACH (p, node, &e->peers) {
			tunnel_rekey(e, p);
		}
		break;
	case XFRM_EVENT_SA_ADDED:
	case XFRM_EVENT_POLICY_ADDED:
	case XFRM_EVENT_POLICY_CHANGED:
		break;
	}
}
