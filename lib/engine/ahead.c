/* Flows ahead of their packets.
 *
 * Between a local port and each other endpoint of its network there are flows
 * both ways before anything was sent, so that a first packet needs no daemon.
 * What such packets look like says datapath/ahead.h; where they go is decided
 * as for packets (pipeline_translate()), and only what is forwarded becomes a
 * flow.  From then on it is a flow like others: a change of what it depends on
 * has it translated again, and if it does not forward any more it goes.
 *
 * What has to be looked at are pairs, a port and a station.  They come from the
 * news of the forwarding table, and are looked at some at a time, so that those
 * of a large mesh that comes up do not keep upcalls waiting.  There is room for
 * so many flows as the operator allows.  When they are that many, or too many
 * pairs wait, others are left out, and all are looked at again when there is
 * room.
 *
 * Flows of an earlier run come first (adopt.c): they are right for longer than
 * we know it.
 */
#include <stdlib.h>

#include "datapath/ahead.h"
#include "engine/state.h"
#include "hash.h"
#include "util.h"

#define PAUSE_US    (5 * (SECOND_US / 1000)) /* Between two turns. */
#define ADOPTING_US (SECOND_US / 10) /* So soon that it is waited for. */

enum {
	KEYS_A_TURN = 256
};

struct ahead_pair {
	struct hmap_node node;	 /* In 'pairs'. */
	struct ovs_list waiting; /* In 'queue'. */
	uint32_t port_no;
	struct binding_key station;
};

void ahead_init(struct engine *e)
{
	hmap_init(&e->ahead.pairs);
	ovs_list_init(&e->ahead.queue);
	e->ahead.due_us = UINT64_MAX;
}

static void pair_free(struct ahead *a, struct ahead_pair *p)
{
	hmap_remove(&a->pairs, &p->node);
	ovs_list_remove(&p->waiting);
	free(p);
}

void ahead_done(struct engine *e)
{
	struct ahead_pair *p, *next;

	HMAP_FOR_EACH_SAFE (p, next, node, &e->ahead.pairs) {
		pair_free(&e->ahead, p);
	}
	hmap_destroy(&e->ahead.pairs);
}

void ahead_start(struct engine *e)
{
	/* A datapath of our own is where the daemon is. */
	if (!e->user && e->config.flows_ahead) {
		flow_table_allow_ahead(e->flows, e->config.flows_ahead);
		forwarding_lead_questions(e->fwd);
		forwarding_want_news(e->fwd);
	}
}

static bool is_full(const struct engine *e)
{
	return flow_table_n_ahead(e->flows) >= e->config.flows_ahead;
}

/* ---- Which pairs ---- */

static uint32_t pair_hash(uint32_t port_no, const struct binding_key *station)
{
	return hash_bytes(station->mac.b, sizeof station->mac.b,
			  hash_2words(port_no, station->vni));
}

/* False if there is no room for more. */
static bool pair_add(struct engine *e, uint32_t port_no,
		     const struct binding_key *station)
{
	const uint32_t hash = pair_hash(port_no, station);
	struct ahead *a = &e->ahead;
	struct ahead_pair *p;

	HMAP_FOR_EACH_WITH_HASH (p, node, hash, &a->pairs) {
		if (p->port_no == port_no &&
		    binding_key_equal(&p->station, station)) {
			return true;
		}
	}
	if (is_full(e) || hmap_count(&a->pairs) >= e->config.flows_ahead) {
		a->left_out = true;
		return false;
	}
	p = xmalloc(sizeof *p);
	p->port_no = port_no;
	p->station = *station;
	hmap_insert(&a->pairs, &p->node, hash);
	ovs_list_push_back(&a->queue, &p->waiting);
	return true;
}

struct around {
	struct engine *e;
	uint32_t port_no, vni;
};

static bool pair_with(void *around_, const struct fwd_target *other)
{
	const struct around *around = around_;
	const struct binding_key key = {.vni = around->vni, .mac = other->mac};

	/* Two local ports are one pair: that of the first one. */
	if (!other->local || around->port_no < other->port_no) {
		return pair_add(around->e, around->port_no, &key);
	}
	return true;
}

static void add_pairs(struct engine *e, const struct binding_key *key)
{
	const struct fwd_target *target =
		forwarding_by_mac(e->fwd, key->vni, &key->mac);
	const struct fwd_members members = forwarding_members(e->fwd, key->vni);
	struct around around = {.e = e, .vni = key->vni};

	for (size_t i = 0; i < members.n_ports; i++) {
		if (!target->local || members.ports[i] < target->port_no) {
			(void)pair_add(e, members.ports[i], key);
		}
	}
	if (target->local) {
		around.port_no = target->port_no;
		forwarding_each_station(e->fwd, key->vni, pair_with, &around);
	}
}

void ahead_sync(struct engine *e)
{
	struct ahead *a = &e->ahead;
	struct binding_key key;

	while (forwarding_next_news(e->fwd, &key)) {
		add_pairs(e, &key);
	}
	if (!ovs_list_is_empty(&a->queue)) {
		a->due_us = MIN(a->due_us, e->now_us + PAUSE_US);
		engine_wake(e, a->due_us);
	}
}

/* ---- Which flows ---- */

struct turn {
	struct engine *e;
	size_t n_keys;
};

static bool is_forwarded(const struct translation *x)
{
	return x->install && x->actions.n &&
	       (x->reason == REASON_LOCAL || x->reason == REASON_REMOTE ||
		x->reason == REASON_INDIRECT);
}

static void look_at(void *turn_, const struct flow *key)
{
	struct turn *turn = turn_;
	struct engine *e = turn->e;
	struct translation *x = &e->xlate;

	turn->n_keys++;
	pipeline_translate(e->fwd, key, NULL, x);
	if (!is_forwarded(x)) {
		return;
	}
	if (e->n_found_flows && !adopt_is_final(e, key, x)) {
		e->ahead.adopts = true;
		return;
	}
	if (!forward_install_ahead(e, key, x)) {
		e->ahead.left_out = true;
	}
}

static void look_at_pair(struct turn *turn, const struct fwd_port *port,
			 const struct fwd_target *target,
			 const struct binding *other)
{
	struct engine *e = turn->e;
	struct flow out = {.in_port = port->port_no}, in = {0};
	const struct fwd_peer *hop;
	unsigned int n_lanes = 1;

	if (target->local) {
		in.in_port = target->port_no;
	} else {
		hop = forwarding_peer(e->fwd,
				      forwarding_via(e->fwd, target->peer));
		if (!hop || !hop->up ||
		    !pipeline_arrival(e->fwd, hop, other->vni, &in)) {
			return; /* It is news when that changes. */
		}
		if (hop->way == FWD_BY_TUNNEL) {
			n_lanes = MAX(hop->n_lanes, 1);
		}
	}
	ahead_each_key(&out, &port->binding, other, n_lanes, look_at, turn);
	ahead_each_key(&in, other, &port->binding, 1, look_at, turn);
}

static void take_pair(struct turn *turn)
{
	struct engine *e = turn->e;
	struct ahead_pair *p = CONTAINER_OF(ovs_list_front(&e->ahead.queue),
					    struct ahead_pair, waiting);
	const struct fwd_port *port = forwarding_port(e->fwd, p->port_no);
	const struct fwd_target *target =
		forwarding_by_mac(e->fwd, p->station.vni, &p->station.mac);
	struct binding other;

	if (port && port->kind == PORT_ENDPOINT &&
	    port->binding.vni == p->station.vni && target &&
	    forwarding_binding(e->fwd, p->station.vni, &p->station.mac,
			       &other)) {
		look_at_pair(turn, port, target, &other);
	}
	pair_free(&e->ahead, p);
}

void ahead_timers(struct engine *e)
{
	struct ahead *a = &e->ahead;
	struct turn turn = {.e = e};

	if (e->now_us < a->due_us) {
		engine_wake(e, a->due_us);
		return;
	}
	a->due_us = UINT64_MAX;
	if (e->n_found_flows && e->adopt_due_us < e->now_us + ADOPTING_US) {
		a->due_us = e->adopt_due_us + PAUSE_US;
		engine_wake(e, a->due_us);
		return;
	}
	while (!ovs_list_is_empty(&a->queue) && turn.n_keys < KEYS_A_TURN) {
		take_pair(&turn);
	}
	if (!ovs_list_is_empty(&a->queue)) {
		a->due_us = e->now_us + PAUSE_US;
		engine_wake(e, a->due_us);
	}
}

void ahead_again(struct engine *e)
{
	struct ahead *a = &e->ahead;
	const size_t max = e->config.flows_ahead;

	if (a->adopts) {
		a->adopts = false;
		forwarding_all_news(e->fwd);
	}
	/* Not for each that goes. */
	if (a->left_out && ovs_list_is_empty(&a->queue) &&
	    flow_table_n_ahead(e->flows) < max - max / 8) {
		a->left_out = false;
		forwarding_all_news(e->fwd);
	}
}
