/* Probes: whether what is sent to a peer gets there.
 *
 * When to send which, and what follows, is mesh/path.h; here they get on their
 * way and come in.  A probe goes through the datapath as a container's frame
 * does, and so through the same policy, SA and wire.  The acknowledgement goes
 * over the session, so each direction stands for itself.
 */
#include <string.h>

#include "engine/state.h"
#include "packet/probe.h"
#include "util.h"

enum {
	/* Those of many peers are sent together: the process wakes up less
	 * often. */
	TICK_US = 50 * 1000,
	/* The other end may know of a session, or of a tunnel without ESP, a
	 * little later than we do, and would drop what comes before. */
	FIRST_US = 200 * 1000,
	ETH_ADDRS_BYTES = 12,
	VLAN_TAG_BYTES = 4,
	/* More peers are probed less often, so that it never costs more. */
	PEERS_AT_FULL_RATE = 200
};

void probe_wake(struct engine *e, struct peer *p)
{
	uint64_t due_us;

	if (!p->watch.on) {
		return;
	}
	due_us = MIN(path_due_us(&p->watch.path), mtu_due_us(p));
	due_us = (due_us + TICK_US - 1) / TICK_US * TICK_US;
	peer_wake(e, p, due_us);
}

/* A new session makes nothing of the way better: what was dead is, until
 * probes say otherwise, if the other end is 'same' as before. */
void probe_session(struct engine *e, struct peer *p, bool same)
{
	struct watch *w = &p->watch;
	const struct watch before = *w;

	check_stop(e, p);
	path_done(&w->path);
	memset(w, 0, sizeof *w);
	w->on = p->conn->identity.capabilities & CAPABILITY_PROBE;
	if (w->on) {
		/* Those of an earlier session that are still on their way are
		 * not taken for new ones. */
		path_init(&w->path, 1 + (uint64_t)rng_u32(e->rng),
			  e->now_us + FIRST_US);
		if (same && before.level == PATH_DEAD) {
			path_still_dead(&w->path);
			w->level = PATH_DEAD;
			w->level_us = before.level_us;
			w->cause = before.cause;
			memcpy(w->cause_detail, before.cause_detail,
			       sizeof w->cause_detail);
		}
		pmtu_begin(&p->pmtu, e->now_us + FIRST_US);
		probe_wake(e, p);
	}
}

void probe_tunnel_up(struct engine *e, struct peer *p)
{
	if (p->watch.on) {
		p->watch.path.due_us = e->now_us + FIRST_US;
		pmtu_doubt(&p->pmtu, e->now_us + FIRST_US);
		probe_wake(e, p);
	}
}

void probe_session_over(struct engine *e, struct peer *p)
{
	check_stop(e, p);
	overlay_session_over(p);
	p->watch.on = false;
}

/* ---- Sending ---- */

void probe_send_frame(struct engine *e, const struct probe_frame *probe,
		      struct actions *actions)
{
	struct op *op = ops_add(e->ops, OP_EXECUTE);

	op->flow.key.in_port = ODP_LOCAL_PORT;
	op->flow.key.eth_type = PROBE_ETH_TYPE;
	op->flow.actions = *actions;
	probe_put(&op->bytes, probe);
}

static uint64_t send_planned(struct engine *e, struct peer *p,
			     const struct path_plan *plan, uint16_t size,
			     enum path_purpose purpose)
{
	struct probe_frame probe = {
		.sender = e->config.id, .lane = plan->lane, .size = size};
	struct actions actions;

	actions_init(&actions);
	if (!p->watch.on || !tunnel_is_usable(&p->tunnel) ||
	    !pipeline_probe(e->fwd, p->number,
			    p->tunnel.by_sleeve && !e->user ? FWD_BY_SLEEVE
							    : FWD_BY_TUNNEL,
			    plan->lane, &actions)) {
		actions_free(&actions);
		return 0;
	}
	probe.number =
		path_sent(&p->watch.path, plan, size, purpose, e->now_us);
	overlay_tell_vlans(e);
	probe_send_frame(e, &probe, &actions);
	return probe.number;
}

uint64_t probe_send(struct engine *e, struct peer *p, unsigned int lane,
		    uint16_t size, enum path_purpose purpose)
{
	struct path_plan plan = {.lane = (uint8_t)lane};
	uint64_t number = send_planned(
		e, p, &plan, MIN(MAX(size, PROBE_MIN_BYTES), PROBE_MAX_BYTES),
		purpose);

	if (number) {
		probe_wake(e, p);
	}
	return number;
}

unsigned int probe_stretch(const struct engine *e)
{
	return 1 + (unsigned int)hmap_count(&e->peers) / PEERS_AT_FULL_RATE;
}

static void watch(struct engine *e, struct peer *p)
{
	struct path *path = &p->watch.path;
	const struct tunnel *t = &p->tunnel;
	bool large = t->mtu > PROBE_MIN_BYTES && t->mtu <= PROBE_MAX_BYTES;
	struct path_plan plan;

	if (path_plan(path, MAX(t->n_out, 1), large, e->now_us, &plan)) {
		if (t->state == TUNNEL_UP) {
			send_planned(e, p, &plan,
				     plan.large ? (uint16_t)t->mtu
						: PROBE_MIN_BYTES,
				     PATH_WATCH);
		}
		path_schedule(path, probe_stretch(e),
			      (unsigned int)rng_range(e->rng, 1001), e->now_us);
		if (overlay_returns(&p->beside.overlay, e->now_us)) {
			path_hurry(path, e->now_us);
		}
	}
}

/* ---- Results ---- */

/* What became of a probe.  Those of PATH_WATCH are in the path's own books. */
static void probe_result(struct engine *e, struct peer *p,
			 const struct path_probe *probe, bool acked)
{
	switch (probe->purpose) {
	case PATH_WATCH:
		if (probe->large && !acked) {
			pmtu_doubt(&p->pmtu, e->now_us);
		}
		if (!acked) {
			overlay_doubt(e, p);
		}
		break;
	case PATH_SIZE:
		mtu_result(e, p, probe, acked);
		break;
	case PATH_TEST:
		break;
	}
}

void probe_acked(struct engine *e, struct peer *p,
		 const struct msg_probe_ack *m)
{
	struct path_probe probe;

	if (!p->watch.on || overlay_acked(e, p, m)) {
		return;
	}
	if (path_acked(&p->watch.path, m->number, e->now_us, &probe)) {
		probe_result(e, p, &probe, true);
	}
	health_path(e, p);
	probe_wake(e, p);
}

void probe_reported(struct engine *e, struct peer *p, const struct msg_path *m)
{
	struct path *path = &p->watch.path;
	struct path_probe probe;

	if (overlay_reported(e, p, m)) {
		return;
	}
	if (!p->watch.on || !path->asked_us || m->number != path->asked) {
		return;
	}
	while (path_lost(path, m->number, e->now_us, &probe)) {
		probe_result(e, p, &probe, false);
	}
	path_answered(path);
	health_path(e, p);
	probe_wake(e, p);
}

static void ask(struct engine *e, struct peer *p)
{
	struct message m = {.type = MSG_PATH_ASK};

	m.path.number = path_overdue(&p->watch.path, e->now_us);
	if (m.path.number) {
		conn_send(e, p->conn, &m);
	}
}

/* ---- The other end ---- */

/* The frame as it was sent: without the tag of the trunk. */
static enum err get_frame(const struct odp_upcall *u, struct probe_frame *probe)
{
	struct wbuf frame = WBUF_INITIALIZER(0);
	struct span rest = u->packet, front;
	enum err err;

	if (!u->flow.vlan_tci) {
		return probe_get(rest, probe);
	}
	err = span_cut(&rest, ETH_ADDRS_BYTES, &front);
	if (!err) {
		wbuf_bytes(&frame, front.data, front.size);
		err = span_cut(&rest, VLAN_TAG_BYTES, &front);
	}
	if (!err) {
		wbuf_bytes(&frame, rest.data, rest.size);
		err = probe_get(wbuf_span(&frame), probe);
	}
	wbuf_free(&frame);
	return err;
}

void probe_received(struct engine *e, const struct odp_upcall *u, uint32_t from)
{
	struct message m = {.type = MSG_PROBE_ACK};
	struct probe_frame probe;
	struct peer *p;

	if (get_frame(u, &probe)) {
		return;
	}
	/* The tunnel has proved the address; the name must go with it. */
	p = peer_find(e, &probe.sender);
	if (!p || p->number != from) {
		return;
	}
	/* Tests of the one way count what came so. */
	if (u->flow.tunnel.present || p->tunnel.by_sleeve) {
		p->watch.n_heard++;
		p->watch.heard_us = e->now_us;
	} else {
		p->beside.n_heard++;
		p->beside.heard_us = e->now_us;
	}
	if (p->conn) {
		m.probe_ack.number = probe.number;
		m.probe_ack.size = probe.size;
		m.probe_ack.lane = probe.lane;
		conn_send(e, p->conn, &m);
	}
}

/* The answer waits for the next turn, in which packets come first: a daemon
 * that is slow would else find the question while the probe still waits to be
 * read, and call a way dead that is not. */
void probe_asked(struct engine *e, struct peer *p, const struct msg_path *ask)
{
	/* The upper bit tells the ways apart (overlay.c). */
	p->watch.asked[ask->number >> 63] = ask->number;
	peer_wake(e, p, e->now_us);
}

static void answer(struct engine *e, struct peer *p)
{
	struct message m = {.type = MSG_PATH_REPORT};

	for (size_t i = 0; i < ARRAY_SIZE(p->watch.asked); i++) {
		m.path.number = p->watch.asked[i];
		if (m.path.number) {
			p->watch.asked[i] = 0;
			conn_send(e, p->conn, &m);
		}
	}
}

/* ---- Time ---- */

void probe_traffic(struct engine *e, uint32_t number)
{
	struct peer *p = peer_by_number(e, number);

	if (p && p->watch.on) {
		overlay_traffic(e, p);
		path_traffic(&p->watch.path, e->now_us);
		pmtu_traffic(&p->pmtu, e->now_us);
		probe_wake(e, p);
	}
}

void probe_timer(struct engine *e, struct peer *p)
{
	if (!p->watch.on) {
		return;
	}
	answer(e, p);
	ask(e, p);
	watch(e, p);
	mtu_watch(e, p, probe_stretch(e));
	probe_wake(e, p);
}
