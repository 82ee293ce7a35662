/* Hosts that need not encrypt what they send each other (--trusted-subnet).
 *
 * Two hosts do without encryption only where the operators of both say so, each
 * of the other's address, and only as long as they have told each other in the
 * session that there is.  All else stays as it is: security associations are
 * made and renewed, and merely not used, so that to go back is one change of
 * one policy, without a gap in which anything could be plain or lost:
 *
 *	there	the guard and our in policy let plain packets of this peer pass
 *		as well; it is told; when it says the same, our out policy asks
 *		for ESP no more
 *	back	our out policy asks for ESP; then the guard, and when the peer
 *		uses the keys of a new session without having said anything of
 *		the kind, the in policy
 *
 * Whoever loses the session goes back at once.  A daemon that starts goes back,
 * before anything else, where the one before it was killed.
 */
#include <string.h>

#include "engine/state.h"
#include "ipsec/sa.h"

static bool is_trusted(const struct engine *e, const struct ip_addr *ip)
{
	for (size_t i = 0; i < e->config.n_trusted; i++) {
		if (prefix_contains(&e->config.trusted[i], ip)) {
			return true;
		}
	}
	return false;
}

bool plain_is_on(const struct tunnel *t)
{
	return t->plain.in || t->plain.out;
}

static void say(struct engine *e, struct peer *p, bool ready)
{
	struct message m = {.type = MSG_PLAIN};

	m.plain.ready = ready;
	m.plain.src_ip = p->tunnel.remote;
	m.plain.dst_ip = p->tunnel.local;
	conn_send(e, p->conn, &m);
}

static void stop_sending(struct engine *e, struct peer *p)
{
	struct tunnel *t = &p->tunnel;

	t->plain.agreed = t->plain.told = t->plain.peer_ready = false;
	if (t->plain.out) {
		t->plain.out = false;
		tunnel_put_out(e, p, PENDING_PLAIN_OFF);
		engine_log(e, OP_LOG_INFO,
			   "what goes to %s is encrypted again: its session "
			   "has ended",
			   p->name);
	}
}

void plain_over(struct engine *e, struct peer *p)
{
	bool was_agreed = p->tunnel.plain.agreed;

	stop_sending(e, p);
	if (was_agreed) {
		guard_update(e);
	}
}

void plain_offer(struct engine *e, struct peer *p)
{
	if (is_trusted(e, &p->tunnel.remote)) {
		say(e, p, false);
	}
}

static size_t count_pairs(const struct engine *e)
{
	const struct peer *p;
	size_t n = 0;

	HMAP_FOR_EACH (p, node, &e->peers) {
		n += plain_is_on(&p->tunnel);
	}
	return n;
}

/* On to the next step, if all is there that it needs. */
static void advance(struct engine *e, struct peer *p)
{
	struct plain *plain = &p->tunnel.plain;

	if (!p->conn || !plain->agreed || !plain->in_ready || e->guard_busy) {
		return;
	}
	if (!plain->told) {
		plain->told = true;
		say(e, p, true);
	}
	if (plain->peer_ready && !plain->out) {
		plain->out = true;
		tunnel_put_out(e, p, PENDING_POLICY);
		engine_log(
			e, OP_LOG_WARN,
			"NOT ENCRYPTED: what goes to %s is in the clear from "
			"now on, as --trusted-subnet of both hosts says",
			p->name);
	}
}

static void agree(struct engine *e, struct peer *p)
{
	struct plain *plain = &p->tunnel.plain;

	plain->agreed = true;
	if (!plain->in) {
		plain->in = true;
		tunnel_put_in(e, p, PENDING_PLAIN_IN);
	}
	guard_update(e);
}

void plain_heard(struct engine *e, struct peer *p, const struct msg_plain *m)
{
	struct tunnel *t = &p->tunnel;

	if (!engine_encrypts(e) || !t->policies || t->failed ||
	    !is_trusted(e, &t->remote) || !ip_equal(&m->src_ip, &t->local) ||
	    !ip_equal(&m->dst_ip, &t->remote)) {
		return;
	}
	if (!t->plain.agreed) {
		if (!t->plain.in && count_pairs(e) >= GUARD_MAX_PAIRS) {
			return;
		}
		agree(e, p);
	}
	t->plain.peer_ready |= m->ready;
	advance(e, p);
}

void plain_in_installed(struct engine *e, struct peer *p)
{
	p->tunnel.plain.in_ready = p->tunnel.plain.in;
	advance(e, p);
}

void plain_guard_settled(struct engine *e)
{
	struct peer *p;

	HMAP_FOR_EACH (p, node, &e->peers) {
		advance(e, p);
	}
}

void plain_keys_used(struct engine *e, struct peer *p)
{
	struct plain *plain = &p->tunnel.plain;

	if (plain->in && !plain->agreed) {
		plain->in = plain->in_ready = false;
		tunnel_put_in(e, p, PENDING_POLICY);
		guard_update(e);
	}
}

void plain_undo(struct engine *e, const struct kernel_snapshot *found,
		struct xfrm_policy *policy)
{
	struct op *op = ops_add(e->ops, OP_POLICY_PUT);

	policy->plain = false;
	policy->reqid = sa_reqid(
		policy->dir == XFRM_DIR_OUT ? &policy->dst : &policy->src, 0);
	for (size_t i = 0; i < found->n_sas; i++) {
		if (ip_equal(&found->sas[i].src, &policy->src) &&
		    ip_equal(&found->sas[i].dst, &policy->dst)) {
			policy->reqid = found->sas[i].reqid;
		}
	}
	op->policy = *policy;
	engine_expect(e, op, PENDING_START);
	e->start_waits++;
}
