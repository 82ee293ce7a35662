/* The sleeve beside fastdp: a second way to each peer that has both, watched
 * all the time and taken while the first one does not get there
 * (mesh/overlay.h).
 *
 * Frames reach it as those of the tunnel do, by flows: out of one port more,
 * the trunk, with a VLAN that names peer and network (datapath/vlan.h).  So a
 * change of the way is a change of the peer's flows and of nothing else; SAs
 * and policies stay, and the first way goes on being probed, so that it is
 * taken again soon.  Each host chooses for what it sends, and takes what comes
 * by either way.
 */
#include <string.h>

#include "engine/state.h"
#include "packet/probe.h"
#include "util.h"

#define TICK_US	   (SECOND_US / 20) /* As in probe.c. */
#define FIRST_US   (SECOND_US / 5)
#define PENDING_US (3 * SECOND_US) /* Keys of SAs take no longer. */

enum {
	PREPARED_PEERS = 200 /* With more, VLANs are given as needed. */
};

/* Numbers of its probes have this bit, those of the tunnel's do not: what is
 * told of one is told of which way. */
#define NUMBER_BIT (UINT64_C(1) << 63)

bool overlay_is_sleeve(const struct peer *p)
{
	return p->tunnel.by_sleeve || p->beside.overlay.sleeve;
}

bool way_is_usable(const struct peer *p)
{
	return p->beside.overlay.sleeve ? p->tunnel.sleeve.index_out != 0
					: tunnel_is_usable(&p->tunnel);
}

uint32_t way_mtu(const struct peer *p)
{
	return p->beside.overlay.sleeve && p->beside.mtu ? p->beside.mtu
							 : p->tunnel.mtu;
}

enum path_level way_level(const struct peer *p)
{
	return p->beside.overlay.sleeve ? p->beside.level : p->watch.level;
}

/* ---- Which way ---- */

/* Who sends IPv6 believes in 1,280 bytes, whatever he is told.  The sleeve
 * sends what is larger than its way in pieces, the kernel's datapath cannot. */
static bool is_narrow(const struct engine *e, const struct peer *p)
{
	return p->pmtu.confirmed && p->tunnel.mtu < IPV6_MIN_MTU &&
	       ports_have_ipv6(e);
}

static struct overlay_way fast_way(const struct engine *e, const struct peer *p)
{
	const struct tunnel *t = &p->tunnel;
	const struct watch *w = &p->watch;
	struct overlay_way way = {.can = true, .up = tunnel_is_usable(t)};

	way.dead = w->on && (w->level == PATH_DEAD || w->level == PATH_LANES);
	way.proved = w->on && w->path.acked_us;
	way.doubtful = w->on && path_is_in_doubt(&w->path);
	way.pending = !way.up && t->reason == REASON_KEYING &&
		      e->now_us < p->beside.since_us + PENDING_US;
	way.narrow = !way.dead && is_narrow(e, p);
	way.reason = way.dead	  ? health_cause_of(w)
		     : way.narrow ? REASON_PATH_NARROW
				  : t->reason;
	return way;
}

static struct overlay_way sleeve_way(const struct peer *p)
{
	const struct beside *b = &p->beside;
	struct overlay_way way = {.can = b->can,
				  .up = p->tunnel.sleeve.index_out != 0,
				  .dead = b->level == PATH_DEAD,
				  .proved = b->path.acked_us != 0};

	return way;
}

static void changed(struct engine *e, struct peer *p)
{
	const struct overlay *o = &p->beside.overlay;
	const char *text = reason_text(o->reason);

	if (o->sleeve) {
		engine_log(e, OP_LOG_WARN, "to %s by sleeve now, %s: %s",
			   p->name, sleeve_cipher_text(p->tunnel.sleeve.cipher),
			   text);
		health_note(e, p, o->reason, "by sleeve now: %s", text);
	} else {
		engine_log(e, OP_LOG_INFO, "to %s by fastdp again", p->name);
		health_note(e, p, REASON_NONE, "by fastdp again");
	}
	tunnel_publish(e, p);
	health_way(e, p);
	relay_path(e, p);
	gossip_self_changed(e);
	ports_update_mtu(e);
}

/* All that is small gets through a narrow tunnel: it is left for a sleeve that
 * has shown since then that it works, and with what size, as its way is likely
 * the same; not for one that did so long ago. */
static bool is_better(struct engine *e, struct peer *p, bool narrow)
{
	struct beside *b = &p->beside;

	if (!narrow) {
		b->narrow_us = 0;
		return true;
	}
	if (!b->narrow_us) {
		b->narrow_us = e->now_us;
		pmtu_again(&b->pmtu, e->now_us);
		overlay_doubt(e, p);
	}
	return b->path.acked_us > b->narrow_us && b->pmtu.confirmed;
}

void overlay_update(struct engine *e, struct peer *p)
{
	const struct overlay_way fast = fast_way(e, p);
	struct overlay_way sleeve = sleeve_way(p);

	/* Without a session nothing is found out: all stays as it is. */
	if (!p->conn || p->tunnel.by_sleeve) {
		return;
	}
	sleeve.proved &= is_better(e, p, fast.narrow);
	if (overlay_choose(&p->beside.overlay, &fast, &sleeve, e->now_us)) {
		changed(e, p);
	}
	if (fast.pending) {
		peer_wake(e, p, p->beside.since_us + PENDING_US);
	}
	/* If it is due already, a probe's result will tell. */
	if (overlay_due_us(&p->beside.overlay) > e->now_us &&
	    overlay_due_us(&p->beside.overlay) != UINT64_MAX) {
		peer_wake(e, p, overlay_due_us(&p->beside.overlay));
	}
}

/* ---- The trunk ---- */

void trunk_fill_in(struct engine *e, struct op *op)
{
	op->vport.type = ODP_VPORT_TAP;
	/* Flows of an earlier run may lead to the number that it had, with
	 * VLANs that meant something else.  They are gone after
	 * ADOPT_FLOWS_US; numbers by the clock come back later. */
	op->vport.port_no =
		TRUNK_PORT_MIN + (uint32_t)(e->now_us / TRUNK_PORT_US %
					    (TRUNK_PORT_MAX - TRUNK_PORT_MIN));
	copy_text(op->vport.name, sizeof op->vport.name, e->trunk_footing.name);
	copy_text(op->tap_ifname, sizeof op->tap_ifname, e->trunk_footing.name);
}

void trunk_ready(struct engine *e, uint32_t port_no)
{
	struct fwd_port port = {.port_no = port_no, .kind = PORT_SLEEVE};
	enum err err;

	e->trunk_port = port_no;
	copy_text(port.name, sizeof port.name, e->trunk_footing.name);
	err = forwarding_add_port(e->fwd, &port, NULL);
	ovs_assert(!err);
}

void overlay_tell_vlans(struct engine *e)
{
	struct vlan vlan;
	bool removed;

	while (forwarding_next_vlan(e->fwd, &vlan, &removed)) {
		struct op *op = ops_add(e->ops, OP_SLEEVE_LANE);

		op->sleeve_lane.vid = vlan.vid;
		op->sleeve_lane.peer = vlan.peer;
		op->sleeve_lane.vni = vlan.vni;
		op->sleeve_lane.del = removed;
	}
}

/* Frames of that network come from the peer: they need a VLAN. */
void overlay_wanted(struct engine *e, const struct peer *p, uint32_t vni)
{
	const struct fwd_members m = forwarding_members(e->fwd, vni);

	if (e->user || (vni != PROBE_VNI && !m.n_ports && !m.n_peers)) {
		return;
	}
	forwarding_vid(e->fwd, p->number, vni);
	overlay_tell_vlans(e);
}

/* So that the first frames find their VLANs: but not all the numbers that there
 * are for what may never be needed. */
static void prepare(struct engine *e, const struct peer *p, uint32_t vni)
{
	if (p->tunnel.sleeve.on && hmap_count(&e->peers) <= PREPARED_PEERS) {
		overlay_wanted(e, p, vni);
	}
}

void overlay_lanes(struct engine *e, const struct peer *p)
{
	overlay_wanted(e, p, PROBE_VNI);
	for (const struct port *port = e->ports; port; port = port->next) {
		prepare(e, p, port->binding.vni);
	}
}

void overlay_network(struct engine *e, uint32_t vni)
{
	const struct peer *p;

	HMAP_FOR_EACH (p, node, &e->peers) {
		prepare(e, p, vni);
	}
}

/* ---- Probes ---- */

static void probe_wake_beside(struct engine *e, struct peer *p)
{
	struct beside *b = &p->beside;
	uint64_t due_us;

	if (b->on) {
		due_us = path_due_us(&b->path);
		if (p->tunnel.sleeve.index_out) {
			due_us = MIN(due_us, pmtu_due_us(&b->pmtu));
		}
		peer_wake(e, p, (due_us + TICK_US - 1) / TICK_US * TICK_US);
	}
}

static void send_probe(struct engine *e, struct peer *p,
		       const struct path_plan *plan, uint16_t size,
		       enum path_purpose purpose)
{
	struct beside *b = &p->beside;
	struct probe_frame probe = {.sender = e->config.id, .size = size};
	struct actions actions;

	actions_init(&actions);
	if (!p->tunnel.sleeve.index_out ||
	    !pipeline_probe(e->fwd, p->number, FWD_BY_SLEEVE, 0, &actions)) {
		actions_free(&actions);
		return;
	}
	overlay_tell_vlans(e);
	probe.number = path_sent(&b->path, plan, size, purpose, e->now_us);
	probe_send_frame(e, &probe, &actions);
}

/* What the interface allows, and what probes find, in that way. */
static void update_mtu(struct engine *e, struct peer *p)
{
	struct beside *b = &p->beside;
	const uint32_t mtu = b->pmtu.limit ? b->pmtu.size : 0;

	if (b->mtu != mtu) {
		b->mtu = mtu;
		sleeve_mtu(e, p);
		if (b->overlay.sleeve) {
			gossip_self_changed(e);
			ports_update_mtu(e);
		}
	}
}

void overlay_mtu_limit(struct engine *e, struct peer *p)
{
	const struct tunnel *t = &p->tunnel;
	uint32_t limit = sleeve_mtu_limit(e, t->path_mtu, ip_is_v4(&t->remote));

	limit = MIN(limit, (uint32_t)PROBE_MAX_BYTES);
	pmtu_limit(&p->beside.pmtu,
		   limit >= PROBE_MIN_BYTES ? (uint16_t)limit : 0, e->now_us);
	update_mtu(e, p);
	probe_wake_beside(e, p);
}

static void result(struct engine *e, struct peer *p,
		   const struct path_probe *probe, bool acked)
{
	struct beside *b = &p->beside;

	if (probe->purpose == PATH_SIZE) {
		if (pmtu_result(&b->pmtu, probe->size, acked, e->now_us)) {
			update_mtu(e, p);
		}
	} else if (probe->large && !acked) {
		pmtu_doubt(&b->pmtu, e->now_us);
	}
}

static void conclude(struct engine *e, struct peer *p)
{
	struct beside *b = &p->beside;
	const enum path_level level = path_level(&b->path);

	if (level != b->level) {
		b->level = level;
		b->level_us = e->now_us;
		engine_log(e,
			   !b->overlay.sleeve	? OP_LOG_DBG
			   : level == PATH_GOOD ? OP_LOG_INFO
						: OP_LOG_WARN,
			   "the sleeve's way to %s is %s", p->name,
			   health_level_name(level));
		health_note(e, p,
			    level == PATH_GOOD ? REASON_NONE : REASON_PATH_DEAD,
			    "the sleeve's way there: %s",
			    health_level_name(level));
		health_way(e, p);
		relay_path(e, p);
	}
	overlay_update(e, p);
	probe_wake_beside(e, p);
}

bool overlay_acked(struct engine *e, struct peer *p,
		   const struct msg_probe_ack *m)
{
	struct path_probe probe;

	if (!(m->number & NUMBER_BIT)) {
		return false;
	}
	if (p->beside.on) {
		if (path_acked(&p->beside.path, m->number, e->now_us, &probe)) {
			result(e, p, &probe, true);
		}
		conclude(e, p);
	}
	return true;
}

bool overlay_reported(struct engine *e, struct peer *p,
		      const struct msg_path *m)
{
	struct path *path = &p->beside.path;
	struct path_probe probe;

	if (!(m->number & NUMBER_BIT)) {
		return false;
	}
	if (!p->beside.on || !path->asked_us || m->number != path->asked) {
		return true;
	}
	while (path_lost(path, m->number, e->now_us, &probe)) {
		result(e, p, &probe, false);
	}
	path_answered(path);
	conclude(e, p);
	return true;
}

void overlay_traffic(struct engine *e, struct peer *p)
{
	struct beside *b = &p->beside;

	/* While it is but in reserve an idle way's probes are enough, unless
	 * there is a doubt about the other one. */
	if (b->on && (b->overlay.sleeve || path_is_in_doubt(&p->watch.path))) {
		path_traffic(&b->path, e->now_us);
		pmtu_traffic(&b->pmtu, e->now_us);
		probe_wake_beside(e, p);
	}
}

void overlay_doubt(struct engine *e, struct peer *p)
{
	struct beside *b = &p->beside;

	if (b->on && !b->overlay.sleeve) {
		path_traffic(&b->path, e->now_us);
		b->path.due_us = MIN(b->path.due_us, e->now_us);
		probe_wake_beside(e, p);
	}
}

static void ask(struct engine *e, struct peer *p)
{
	struct message m = {.type = MSG_PATH_ASK};

	m.path.number = path_overdue(&p->beside.path, e->now_us);
	if (m.path.number) {
		conn_send(e, p->conn, &m);
	}
}

static void watch(struct engine *e, struct peer *p)
{
	struct beside *b = &p->beside;
	const bool large = b->mtu > PROBE_MIN_BYTES;
	const unsigned int stretch = probe_stretch(e);
	uint16_t sizes[PMTU_VOLLEY];
	const struct path_plan small = {.lane = 0};
	struct path_plan plan;
	size_t n = 0;

	if (path_plan(&b->path, 1, large, e->now_us, &plan)) {
		send_probe(e, p, &plan,
			   plan.large ? (uint16_t)b->mtu : PROBE_MIN_BYTES,
			   PATH_WATCH);
		path_schedule(&b->path, stretch,
			      (unsigned int)rng_range(e->rng, 1001), e->now_us);
	}
	if (p->tunnel.sleeve.index_out) {
		n = pmtu_plan(&b->pmtu, stretch, e->now_us, sizes);
	}
	for (size_t i = 0; i < n; i++) {
		send_probe(e, p, &small, sizes[i], PATH_SIZE);
	}
}

void overlay_timer(struct engine *e, struct peer *p)
{
	if (p->beside.on) {
		ask(e, p);
		watch(e, p);
		probe_wake_beside(e, p);
	}
	overlay_update(e, p);
}

/* ---- Sessions ---- */

/* What did not get through before the daemon was started anew will not now. */
static void begin_as_before(struct engine *e, struct peer *p)
{
	const enum reason reason = remember_way(e, p);

	if (p->beside.on && reason) {
		overlay_begin(&p->beside.overlay, reason, e->now_us);
		engine_log(e, OP_LOG_WARN, "to %s by sleeve as before: %s",
			   p->name, reason_text(reason));
		health_note(e, p, reason, "by sleeve as before: %s",
			    reason_text(reason));
		tunnel_publish(e, p);
	}
}

void overlay_session(struct engine *e, struct peer *p)
{
	struct beside *b = &p->beside;
	const uint32_t theirs = p->conn->identity.capabilities;

	b->since_us = e->now_us;
	b->can = p->tunnel.sleeve.on && !p->tunnel.by_sleeve;
	b->on = b->can && theirs & CAPABILITY_PROBE;
	b->level = PATH_GOOD;
	path_init(&b->path, NUMBER_BIT | (1 + (uint64_t)rng_u32(e->rng)),
		  e->now_us + FIRST_US);
	pmtu_begin(&b->pmtu, e->now_us + FIRST_US);
	if (p->tunnel.by_sleeve) {
		/* There is nothing to choose. */
		memset(&b->overlay, 0, sizeof b->overlay);
	}
	begin_as_before(e, p);
	overlay_update(e, p);
	probe_wake_beside(e, p);
}

void overlay_session_over(struct peer *p)
{
	p->beside.on = false;
}

void overlay_retry(struct engine *e, struct peer *p)
{
	overlay_forgive(&p->beside.overlay);
	overlay_update(e, p);
}
