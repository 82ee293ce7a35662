/* The netfilter guard (ipsec/netguard.h): when it is put, and what it has to
 * know.  A host does without it where neither nftables nor iptables is to be
 * had; that is said, and tried again. */
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"
#include "ipsec/netguard.h"
#include "util.h"

static void add_peer(const struct engine *e, struct guard_rules *rules,
		     const struct ip_addr *ip, uint16_t port)
{
	struct ip_endpoint *last;

	if (port == e->config.vxlan_port) {
		return; /* Guarded towards anybody. */
	}
	last = &rules->peers[rules->n_peers++];
	memset(last, 0, sizeof *last);
	last->ip = *ip;
	last->port = port;
}

/* Whoever has an out policy. */
static void add_peers(const struct engine *e, struct guard_rules *rules)
{
	const struct peer *p;

	rules->peers = xcalloc(hmap_count(&e->peers) + e->n_stale + 1,
			       sizeof *rules->peers);
	HMAP_FOR_EACH (p, node, &e->peers) {
		if (p->tunnel.policies) {
			add_peer(e, rules, &p->tunnel.remote,
				 p->tunnel.udp_port);
		}
	}
	for (size_t i = 0; i < e->n_stale; i++) {
		const struct xfrm_policy *policy = &e->stale[i].policy;

		if (policy->dir == XFRM_DIR_OUT) {
			add_peer(e, rules, &policy->dst, policy->udp_port);
		}
	}
}

static void add_pairs(const struct engine *e, struct guard_rules *rules)
{
	const struct peer *p;

	rules->pairs = xcalloc(GUARD_MAX_PAIRS, sizeof *rules->pairs);
	HMAP_FOR_EACH (p, node, &e->peers) {
		const struct tunnel *t = &p->tunnel;

		if ((t->plain.agreed || t->plain.in) &&
		    rules->n_pairs < GUARD_MAX_PAIRS) {
			rules->pairs[rules->n_pairs++] =
				(struct guard_pair){.local = t->local,
						    .remote = t->remote,
						    .port = t->udp_port,
						    .out = t->plain.agreed,
						    .in = t->plain.in};
		}
	}
}

/* iptables may take a second.  One put at a time: none overtakes another, and
 * the last one knows all. */
void guard_update(struct engine *e)
{
	struct op *op;

	e->guard_us = UINT64_MAX;
	if (e->guard_busy) {
		e->guard_again = true;
		return;
	}
	e->guard_busy = true;
	op = ops_add(e->ops, OP_GUARD_PUT);
	op->guard.udp_port = e->config.vxlan_port;
	add_peers(e, &op->guard);
	add_pairs(e, &op->guard);
	engine_expect(e, op, PENDING_GUARD);
}

static void guard_put(struct engine *e, const struct event *event)
{
	const char *detail = event->result.detail;

	if (!event->os_errno) {
		if (e->guard != event->result.guard) {
			e->guard = event->result.guard;
			engine_log(e, OP_LOG_INFO,
				   "the netfilter guard is in place (%s)",
				   guard_kind_name(e->guard));
		}
		e->guard_detail[0] = '\0';
		return;
	}
	if (e->guard || strcmp(e->guard_detail, detail)) {
		engine_log(e, OP_LOG_ERR,
			   "NO NETFILTER GUARD: if somebody flushes the IPsec "
			   "policies, packets may leave unencrypted until they "
			   "are put back (%s)",
			   detail);
	}
	e->guard = GUARD_NONE;
	copy_text(e->guard_detail, sizeof e->guard_detail, detail);
	e->guard_us = e->now_us + GUARD_RETRY_US;
	engine_wake(e, e->guard_us);
}

void guard_result(struct engine *e, const struct event *event)
{
	e->guard_busy = false;
	guard_put(e, event);
	if (e->guard_again) {
		e->guard_again = false;
		guard_update(e);
	} else {
		plain_guard_settled(e);
	}
}

void guard_gone(struct engine *e)
{
	if (!engine_encrypts(e) || e->user) {
		return;
	}
	engine_log(e, OP_LOG_WARN,
		   "the netfilter guard was changed by somebody else; putting "
		   "it back");
	guard_update(e);
}

void guard_timers(struct engine *e)
{
	if (e->now_us >= e->guard_us) {
		guard_update(e);
	} else {
		engine_wake(e, e->guard_us);
	}
}
