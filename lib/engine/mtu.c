/* The MTU towards each peer, as probes find it (mesh/pmtu.h), between what our
 * own interface allows and what gets through.
 */
#include "engine/state.h"
#include "ipsec/overhead.h"
#include "packet/probe.h"
#include "util.h"

bool mtus_may_differ(const struct engine *e)
{
	return e->user || e->checks_size;
}

uint32_t mtu_to_check(const struct engine *e, const struct peer *p)
{
	const struct author *a;

	if (e->user || !e->checks_size) {
		return 0;
	}
	a = statements_find(&e->statements, &p->id);
	/* Its interfaces have the least of all its ways, and take no more. */
	return a && a->mtu && !a->has_mtus ? MIN(p->tunnel.mtu, a->mtu)
					   : p->tunnel.mtu;
}

void mtu_publish(struct engine *e, const struct peer *p)
{
	const struct fwd_peer *known = forwarding_peer(e->fwd, p->number);
	struct fwd_peer peer;

	if (known) {
		peer = *known;
		peer.mtu = mtu_to_check(e, p);
		forwarding_set_peer(e->fwd, &peer);
	}
}

void mtu_check_fails(struct engine *e)
{
	const struct peer *p;

	if (!e->checks_size) {
		return;
	}
	engine_log(e, OP_LOG_WARN,
		   "this kernel counts large frames whole that are to be cut "
		   "into segments; attached interfaces get the least of all "
		   "peers' MTUs instead (Linux before 5.8 is so)");
	e->checks_size = false;
	HMAP_FOR_EACH (p, node, &e->peers) {
		mtu_publish(e, p);
	}
	gossip_self_changed(e);
	ports_update_mtu(e);
}

/* The tunnel's MTU follows, and what depends on it. */
static void update(struct engine *e, struct peer *p)
{
	struct tunnel *t = &p->tunnel;
	const uint32_t mtu = p->pmtu.limit ? p->pmtu.size : t->mtu_limit;

	if (t->mtu != mtu) {
		if (p->pmtu.confirmed) {
			engine_log(e, OP_LOG_INFO,
				   "MTU towards %s: %u, was %u; the interface "
				   "allows %u",
				   p->name, mtu, t->mtu, t->mtu_limit);
		}
		t->mtu = mtu;
		sleeve_mtu(e, p);
		mtu_publish(e, p);
		gossip_self_changed(e);
	}
	ports_update_mtu(e);
}

void mtu_limit(struct engine *e, struct peer *p)
{
	struct tunnel *t = &p->tunnel;
	uint32_t limit;

	if (t->by_sleeve) {
		t->mtu_limit =
			sleeve_mtu_limit(e, t->path_mtu, ip_is_v4(&t->remote));
	} else {
		t->mtu_limit = overhead_inner_mtu(
			t->path_mtu, !ip_is_v4(&t->remote), engine_encrypts(e));
	}
	limit = MIN(t->mtu_limit, (uint32_t)PROBE_MAX_BYTES);
	pmtu_limit(&p->pmtu, limit >= PROBE_MIN_BYTES ? (uint16_t)limit : 0,
		   e->now_us);
	update(e, p);
	probe_wake(e, p);
	if (p->beside.can) {
		overlay_mtu_limit(e, p);
	}
}

uint64_t mtu_due_us(const struct peer *p)
{
	return tunnel_is_usable(&p->tunnel) ? pmtu_due_us(&p->pmtu)
					    : UINT64_MAX;
}

void mtu_watch(struct engine *e, struct peer *p, unsigned int stretch)
{
	uint16_t sizes[PMTU_VOLLEY];
	size_t n = tunnel_is_usable(&p->tunnel)
			   ? pmtu_plan(&p->pmtu, stretch, e->now_us, sizes)
			   : 0;

	/* What a router has once told the kernel of this way it keeps for ten
	 * minutes, and lets nothing larger out. */
	if (n && p->tunnel.mtu_told && sizes[n - 1] > p->pmtu.size) {
		ops_add(e->ops, OP_ROUTE_FORGET)->route.dst = p->tunnel.remote;
		p->tunnel.mtu_told = false;
	}
	for (size_t i = 0; i < n; i++) {
		probe_send(e, p, 0, sizes[i], PATH_SIZE);
	}
}

void mtu_result(struct engine *e, struct peer *p,
		const struct path_probe *probe, bool acked)
{
	if (pmtu_result(&p->pmtu, probe->size, acked, e->now_us)) {
		update(e, p);
	}
	/* By now a router would have told of it. */
	if (!acked && p->tunnel.placed) {
		tunnel_check_route(e, p);
	}
}

bool mtu_is_settled(const struct engine *e, const struct peer *p)
{
	return !p->watch.on || p->pmtu.confirmed ||
	       e->now_us >= p->conn->since_us + MTU_SETTLE_US;
}
