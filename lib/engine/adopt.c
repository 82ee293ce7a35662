/* Flows of an earlier run.
 *
 * The kernel went on forwarding by them, and they go on until what they lead to
 * is there again: then they are translated anew, like ours.  Until then a
 * translation would say less than the kernel does.  Who reaches a peer through
 * others, or many peers at once, waits a little longer for all of them to be
 * back.  Meanwhile nothing is dropped by a flow: what is looked at to find that
 * a peer is unknown is little, so such a flow would cover those that still lead
 * to it.  Those that lead nowhere any more are deleted at the start: nothing is
 * lost by that, and what they match is looked at again.  What is left after
 * ADOPT_FLOWS_US leads nowhere and is deleted (forward_stats()).
 */
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"
#include "util.h"

#define ADOPT_BATCH_US (SECOND_US / 10) /* Changes that are taken together. */
#define ADOPT_ALL_US   (20 * SECOND_US) /* All who come back soon are back. */

void adopt_start(struct engine *e, const struct kernel_snapshot *found)
{
	e->adopt_due_us = UINT64_MAX;
	if (found->n_flows) {
		e->found_flows = xmemdup(found->flows,
					 found->n_flows * sizeof *found->flows);
		e->n_found_flows = found->n_flows;
	}
}

bool found_flow_leads_nowhere(const struct actions *actions)
{
	for (size_t i = 0; i < actions->n; i++) {
		const struct action *a = &actions->v[i];

		if (a->type == ACTION_OUTPUT &&
		    (a->port < TRUNK_PORT_MIN || a->port > TRUNK_PORT_MAX)) {
			return false;
		}
	}
	return true;
}

void adopt_free(struct engine *e)
{
	free(e->found_flows);
	e->found_flows = NULL;
	e->n_found_flows = 0;
}

void adopt_touch(struct engine *e)
{
	if (e->n_found_flows) {
		e->adopt_due_us =
			MIN(e->adopt_due_us, e->now_us + ADOPT_BATCH_US);
		engine_wake(e, e->adopt_due_us);
	}
}

bool adopt_goes_on(const struct engine *e)
{
	return e->n_found_flows;
}

bool adopt_is_final(const struct engine *e, const struct flow *key,
		    const struct translation *x)
{
	const struct peer *p;

	if (!x->install || !x->actions.n) {
		return false;
	}
	/* What is only remembered the kernel may know better. */
	p = x->reason == REASON_LOCAL ? NULL : peer_by_number(e, x->peer);
	if (p && p->remembered && e->now_us < e->started_us + ADOPT_ALL_US) {
		return false;
	}
	return e->now_us >= e->started_us + ADOPT_ALL_US ||
	       (!mac_is_group(&key->eth_dst) &&
		(x->reason == REASON_LOCAL || x->hop == x->peer));
}

/* True if it is done with. */
static bool adopt(struct engine *e, const struct found_flow *f)
{
	struct translation *x = &e->xlate;
	struct flow key = f->key;
	struct ufid ufid;

	if (flow_table_find(e->flows, &f->ufid)) {
		return true;
	}
	odp_complete_key(&key);
	pipeline_translate(e->fwd, &key, NULL, x);
	if (!adopt_is_final(e, &key, x)) {
		return false;
	}
	/* Of its packets the fields under its mask are known.  If the decision
	 * looks at the same ones, it takes the old one's place; else the next
	 * packet makes the flow. */
	ufid = flow_table_ufid(e->flows, &key, &x->mask);
	if (!memcmp(&ufid, &f->ufid, sizeof ufid)) {
		forward_install(e, &key, x);
	} else {
		ops_add(e->ops, OP_FLOW_DEL)->flow.ufid = f->ufid;
	}
	return true;
}

void adopt_timers(struct engine *e)
{
	const uint64_t all_us = e->started_us + ADOPT_ALL_US;
	size_t n = 0;

	if (!e->n_found_flows) {
		return;
	}
	if (e->now_us < e->adopt_due_us) {
		engine_wake(e, e->adopt_due_us);
		return;
	}
	e->adopt_due_us = UINT64_MAX;
	if (e->now_us >= e->adopt_us) {
		adopt_free(e);
		ahead_again(e);
		return;
	}
	for (size_t i = 0; i < e->n_found_flows; i++) {
		if (!adopt(e, &e->found_flows[i])) {
			e->found_flows[n++] = e->found_flows[i];
		}
	}
	e->n_found_flows = n;
	ahead_again(e);
	if (!n) {
		adopt_free(e);
		return;
	}
	/* Nothing may change any more, but the time. */
	e->adopt_due_us = e->now_us < all_us ? all_us : e->adopt_us;
	engine_wake(e, e->adopt_due_us);
}
