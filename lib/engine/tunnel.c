/* The way to one peer: path MTU, policies, security associations.
 *
 * The order is what keeps plaintext in and packets whole.  Policies come
 * before SAs, SAs before flows; the inbound SA before the peer is told of it;
 * the outbound SA before the out policy is pinned to its SPI; flows before
 * SAs before policies when it ends.  A new session with a peer that has SAs
 * already goes the same way, so that the change loses nothing: the old ones
 * linger until nothing can be on its way any more.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"
#include "ipsec/overhead.h"
#include "ipsec/policy.h"
#include "ipsec/sa.h"
#include "sleeve/sleeve.h"
#include "util.h"

/* What is being removed from the kernel. */
struct gone {
	struct known_sa sa;	   /* PENDING_SA_DEL */
	struct xfrm_policy policy; /* PENDING_POLICY_DEL */
};

/* ---- Our SAs in the kernel ---- */

void tunnel_sweep_at(struct engine *e, uint64_t when_us)
{
	e->sweep_us = MIN(e->sweep_us, when_us);
	engine_wake(e, e->sweep_us);
}

struct known_sa *tunnel_find_sa(struct engine *e, const struct ip_addr *dst,
				uint32_t spi)
{
	for (size_t i = 0; i < e->n_sas; i++) {
		if (e->sas[i].spi == spi && ip_equal(&e->sas[i].dst, dst)) {
			return &e->sas[i];
		}
	}
	return NULL;
}

static void sa_note(struct engine *e, const struct ip_addr *dst, uint32_t spi,
		    uint32_t reqid, uint64_t delete_us)
{
	if (e->n_sas == e->allocated_sas) {
		e->allocated_sas = e->allocated_sas ? e->allocated_sas * 2 : 8;
		e->sas = xrealloc(e->sas, e->allocated_sas * sizeof *e->sas);
	}
	e->sas[e->n_sas++] = (struct known_sa){.dst = *dst,
					       .spi = spi,
					       .reqid = reqid,
					       .delete_us = delete_us};
	tunnel_sweep_at(e, delete_us);
}

/* Removes SA number 'i' from the kernel and the list. */
static void sa_delete(struct engine *e, size_t i)
{
	struct op *op = ops_add(e->ops, OP_SA_DEL);
	struct pending *pending;

	op->sa.dst = e->sas[i].dst;
	op->sa.spi = e->sas[i].spi;
	pending = engine_expect(e, op, PENDING_SA_DEL);
	pending->gone = xzalloc(sizeof *pending->gone);
	pending->gone->sa = e->sas[i];
	e->sas[i] = e->sas[--e->n_sas];
}

static void policy_delete(struct engine *e, const struct xfrm_policy *policy)
{
	struct op *op = ops_add(e->ops, OP_POLICY_DEL);
	struct pending *pending = engine_expect(e, op, PENDING_POLICY_DEL);

	op->policy = *policy;
	pending->gone = xzalloc(sizeof *pending->gone);
	pending->gone->policy = *policy;
}

/* A policy that belongs to no peer. */
static void stale_add(struct engine *e, const struct xfrm_policy *policy,
		      uint64_t delete_us)
{
	e->stale = xrealloc(e->stale, (e->n_stale + 1) * sizeof *e->stale);
	e->stale[e->n_stale].policy = *policy;
	e->stale[e->n_stale++].delete_us = delete_us;
	tunnel_sweep_at(e, delete_us);
}

static bool is_wanted(const struct engine *e, const struct xfrm_policy *policy)
{
	const struct peer *p;

	HMAP_FOR_EACH (p, node, &e->peers) {
		if (tunnel_owns_policy(e, p, policy)) {
			return true;
		}
	}
	return false;
}

/* The kernel would not remove something: again, later, unless it is needed
 * after all by then. */
static void delete_again(struct engine *e, const struct pending *pending,
			 const char *why)
{
	const uint64_t when_us = e->now_us + DELETE_RETRY_US;
	const struct known_sa *sa = &pending->gone->sa;
	const struct xfrm_policy *policy = &pending->gone->policy;

	if (pending->kind == PENDING_SA_DEL) {
		engine_log(e, OP_LOG_WARN,
			   "cannot remove the security association %08x: %s; "
			   "trying again",
			   sa->spi, why);
		if (!tunnel_find_sa(e, &sa->dst, sa->spi)) {
			sa_note(e, &sa->dst, sa->spi, sa->reqid, when_us);
		}
	} else if (!is_wanted(e, policy)) {
		engine_log(e, OP_LOG_WARN,
			   "cannot remove an IPsec policy: %s; trying again",
			   why);
		stale_add(e, policy, when_us);
	}
}

void tunnel_forget_sa(struct engine *e, const struct ip_addr *dst, uint32_t spi)
{
	struct known_sa *sa = tunnel_find_sa(e, dst, spi);

	if (sa) {
		*sa = e->sas[--e->n_sas];
	}
}

bool tunnel_has_spi(const struct tunnel *t, uint32_t spi)
{
	for (unsigned int i = 0; i < LANES_MAX; i++) {
		const struct lane *lane = &t->lanes[i];

		if (spi == lane->spi_in || spi == lane->spi_out ||
		    spi == lane->spi_next) {
			return true;
		}
	}
	return false;
}

/* Every SA of the tunnel towards 'dst' that is not in use any more is to go
 * after a while. */
static void sa_linger(struct engine *e, const struct tunnel *t,
		      const struct ip_addr *dst)
{
	uint64_t when_us = e->now_us + SA_LINGER_US;

	for (size_t i = 0; i < e->n_sas; i++) {
		struct known_sa *sa = &e->sas[i];

		if (sa->reqid == t->reqid && ip_equal(&sa->dst, dst) &&
		    !tunnel_has_spi(t, sa->spi)) {
			sa->delete_us = MIN(sa->delete_us, when_us);
			tunnel_sweep_at(e, sa->delete_us);
		}
	}
}

static void adopt_policy(struct engine *e, const struct kernel_snapshot *found,
			 const struct xfrm_policy *p, uint64_t when_us)
{
	struct xfrm_policy policy = *p;

	if (policy.plain) {
		plain_undo(e, found, &policy);
	}
	if (!policy.block) {
		stale_add(e, &policy, when_us);
	}
}

void tunnel_adopt(struct engine *e, const struct kernel_snapshot *found)
{
	uint64_t when_us = e->now_us + ADOPT_GRACE_US;

	for (size_t i = 0; i < found->n_sas; i++) {
		sa_note(e, &found->sas[i].dst, found->sas[i].spi,
			found->sas[i].reqid, when_us);
	}
	/* Nothing plain leaves, before anything else. */
	for (size_t i = 0; i < found->n_policies; i++) {
		if (found->policies[i].dir == XFRM_DIR_OUT) {
			adopt_policy(e, found, &found->policies[i], when_us);
		}
	}
	for (size_t i = 0; i < found->n_policies; i++) {
		if (found->policies[i].dir != XFRM_DIR_OUT) {
			adopt_policy(e, found, &found->policies[i], when_us);
		}
	}
}

/* A peer claims the policy of this selector; '*spi' is what an adopted one was
 * pinned to, else 0. */
static void claim_policy(struct engine *e, const struct xfrm_policy *policy,
			 uint32_t *spi)
{
	*spi = 0;
	for (size_t i = 0; i < e->n_stale; i++) {
		if (xfrm_policy_same_selector(&e->stale[i].policy, policy)) {
			*spi = e->stale[i].policy.spi;
			e->stale[i] = e->stale[--e->n_stale];
			return;
		}
	}
}

static void retry(struct engine *e, struct peer *p);

void tunnel_timer(struct engine *e, struct peer *p)
{
	if (!p->tunnel.retry_us) {
		return;
	}
	if (e->now_us >= p->tunnel.retry_us) {
		retry(e, p);
	} else {
		peer_wake(e, p, p->tunnel.retry_us);
	}
}

/* Removes what is to go by now. */
static void sweep(struct engine *e)
{
	e->sweep_us = UINT64_MAX;
	for (size_t i = 0; i < e->n_sas;) {
		if (e->now_us >= e->sas[i].delete_us) {
			sa_delete(e, i);
		} else {
			tunnel_sweep_at(e, e->sas[i++].delete_us);
		}
	}
	sleeve_sweep(e);
	for (size_t i = 0; i < e->n_stale;) {
		if (e->now_us >= e->stale[i].delete_us) {
			const struct xfrm_policy gone = e->stale[i].policy;

			e->stale[i] = e->stale[--e->n_stale];
			policy_delete(e, &gone);
			if (gone.udp_port != e->config.vxlan_port) {
				guard_update(e);
			}
		} else {
			tunnel_sweep_at(e, e->stale[i++].delete_us);
		}
	}
}

void tunnel_timers(struct engine *e)
{
	if (e->now_us >= e->sweep_us) {
		sweep(e);
	} else {
		engine_wake(e, e->sweep_us);
	}
	if (e->now_us >= e->route_us) {
		e->route_us = UINT64_MAX;
		tunnel_check_routes(e);
	} else {
		engine_wake(e, e->route_us);
	}
}

/* ---- State ---- */

bool tunnel_is_usable(const struct tunnel *t)
{
	return t->state == TUNNEL_UP ||
	       (t->state == TUNNEL_KEYING &&
		(t->by_sleeve ? t->sleeve.index_out : t->lanes[0].spi_out));
}

void tunnel_publish(struct engine *e, struct peer *p)
{
	const struct tunnel *t = &p->tunnel;
	struct fwd_peer peer = {
		.peer = p->number,
		.local = t->local,
		.remote = t->remote,
		.udp_port = t->udp_port,
		/* The exception is for lane 0. */
		.n_lanes = t->plain.out ? MIN(t->n_out, 1) : t->n_out,
		.up = tunnel_is_usable(t),
		.mtu = mtu_to_check(e, p),
	};

	if (t->by_sleeve && e->user) {
		/* Where it is only the sleeve knows: addresses may change. */
		peer.local = sleeve_addr(FWD_NOBODY);
		peer.remote = sleeve_addr(p->number);
		peer.n_lanes = 1;
	} else if (t->by_sleeve) {
		memset(&peer.local, 0, sizeof peer.local);
		memset(&peer.remote, 0, sizeof peer.remote);
		peer.way = FWD_BY_SLEEVE;
	} else if (p->beside.overlay.sleeve) {
		peer.way = FWD_BY_SLEEVE;
		peer.up = way_is_usable(p);
	}
	forwarding_set_peer(e->fwd, &peer);
	relay_touch(e);
	remember_touch(e);
	peer_wake(e, p, e->now_us);
}

static void down(struct engine *e, struct peer *p, enum reason reason,
		 const char *detail)
{
	struct tunnel *t = &p->tunnel;

	if (t->reason == reason && !strcmp(t->detail, detail)) {
		return;
	}
	t->reason = reason;
	copy_text(t->detail, sizeof t->detail, detail);
	health_note(e, p, reason, "no tunnel: %s%s%s", reason_text(reason),
		    *detail ? ": " : "", detail);
	engine_log(e, OP_LOG_WARN, "no tunnel to %s: %s%s%s", p->name,
		   reason_text(reason), *detail ? ": " : "", detail);
	overlay_update(e, p);
}

/* xfrm_init_state() for ESP itself, attach_aead() and esp_init_aead() for its
 * cipher. */
static enum reason reason_of_refusal(const struct event *event)
{
	if (event->result.op == OP_SA_ADD) {
		switch (event->os_errno) {
		case EPROTONOSUPPORT:
			return REASON_NO_ESP;
		case ENOSYS:
		case ENOENT:
			return REASON_NO_GCM;
		default:
			break;
		}
	}
	if (event->result.op == OP_SLEEVE_IN ||
	    event->result.op == OP_SLEEVE_OUT) {
		return REASON_SLEEVE_FAILED;
	}
	return REASON_SA_FAILED;
}

/* The kernel refused a policy or an SA.  There is no half of a tunnel: after a
 * while the session ends, and the next one begins from the start. */
void tunnel_failed(struct engine *e, struct peer *p, const struct event *event)
{
	struct tunnel *t = &p->tunnel;

	down(e, p, reason_of_refusal(event), event->result.detail);
	if (!t->failed) {
		t->failed = true;
		t->retry_us = e->now_us +
			      (p->beside.can ? SA_RETRY_LATE_US : SA_RETRY_US);
		peer_wake(e, p, t->retry_us);
	}
}

static void retry(struct engine *e, struct peer *p)
{
	p->tunnel.retry_us = 0;
	if (p->conn) {
		char detail[DETAIL_SIZE];

		copy_text(detail, sizeof detail, p->tunnel.detail);
		conn_end(e, p->conn, ERR_KERNEL, p->tunnel.reason, detail);
	}
}

static void up(struct engine *e, struct peer *p)
{
	struct tunnel *t = &p->tunnel;

	if (!t->failed) {
		if (t->state != TUNNEL_UP || t->reason) {
			engine_log(e, OP_LOG_INFO, "tunnel to %s is up: %s, %s",
				   p->name, t->by_sleeve ? "sleeve" : "fastdp",
				   t->by_sleeve ? sleeve_cipher_text(
							  t->sleeve.cipher)
				   : engine_encrypts(e) ? "ESP with AES-256-GCM"
							: "NOT ENCRYPTED");
			health_note(e, p, REASON_NONE, "the tunnel is up");
			probe_tunnel_up(e, p);
		}
		t->state = TUNNEL_UP;
		t->reason = REASON_NONE;
		t->detail[0] = '\0';
	}
	tunnel_publish(e, p);
	overlay_update(e, p);
}

/* ---- Keying ---- */

static void put_policy(struct engine *e, const struct peer *p,
		       const struct xfrm_policy *policy, enum pending_kind kind,
		       uint32_t spi)
{
	struct op *op = ops_add(e->ops, OP_POLICY_PUT);
	struct pending *pending;

	op->policy = *policy;
	pending = engine_expect(e, op, kind);
	pending->peer = p->number;
	pending->spi = spi;
}

static uint32_t choose_reqid(const struct engine *e, const struct peer *self,
			     const struct ip_addr *remote)
{
	for (unsigned int attempt = 0;; attempt++) {
		uint32_t reqid = sa_reqid(remote, attempt);
		bool taken = false;
		const struct peer *p;

		HMAP_FOR_EACH (p, node, &e->peers) {
			taken |= p != self && p->tunnel.policies &&
				 p->tunnel.reqid == reqid;
		}
		if (!taken) {
			return reqid;
		}
	}
}

void tunnel_make_out(const struct tunnel *t, unsigned int lane,
		     struct xfrm_policy *policy)
{
	policy_make_out(policy, &t->local, &t->remote, t->udp_port, t->reqid,
			0);
	policy_set_lane(policy, lane);
}

static void put_out(struct engine *e, const struct peer *p, unsigned int lane,
		    enum pending_kind kind, uint32_t spi)
{
	struct xfrm_policy policy;

	tunnel_make_out(&p->tunnel, lane, &policy);
	policy.spi = spi;
	policy.plain = p->tunnel.plain.out && !lane;
	put_policy(e, p, &policy, kind, spi);
}

static void del_out(struct engine *e, const struct tunnel *t, unsigned int lane)
{
	struct xfrm_policy policy;

	tunnel_make_out(t, lane, &policy);
	policy_delete(e, &policy);
}

static void put_in(struct engine *e, const struct peer *p,
		   enum pending_kind kind)
{
	const struct tunnel *t = &p->tunnel;
	struct xfrm_policy policy;

	policy_make_in(&policy, &t->local, &t->remote, e->config.vxlan_port,
		       t->reqid);
	policy.plain = t->plain.in;
	put_policy(e, p, &policy, kind, 0);
}

void tunnel_put_in(struct engine *e, struct peer *p, enum pending_kind kind)
{
	put_in(e, p, kind);
}

/* What lane 0 leads to, or is about to. */
static uint32_t pinned_spi(const struct tunnel *t)
{
	const struct lane *lane = &t->lanes[0];

	return lane->pinning ? lane->spi_next : lane->spi_out;
}

void tunnel_put_out(struct engine *e, struct peer *p, enum pending_kind kind)
{
	put_out(e, p, 0, kind, pinned_spi(&p->tunnel));
	tunnel_publish(e, p);
}

void tunnel_put_policies(struct engine *e, struct peer *p)
{
	const struct tunnel *t = &p->tunnel;

	put_in(e, p, PENDING_POLICY);
	for (unsigned int i = 0; i < LANES_MAX; i++) {
		const struct lane *lane = &t->lanes[i];

		if (lane->policy) {
			put_out(e, p, i, PENDING_POLICY,
				lane->pinning ? lane->spi_next : lane->spi_out);
		}
	}
}

/* Lanes of an earlier run, which may have had more of them: they go on until
 * new keys are in use, unless somebody removed their SA while we were dead. */
static void adopt_lanes(struct engine *e, struct tunnel *t)
{
	struct xfrm_policy policy;
	uint32_t spi;

	for (unsigned int i = 1; i < LANES_MAX; i++) {
		tunnel_make_out(t, i, &policy);
		claim_policy(e, &policy, &spi);
		if (spi && tunnel_find_sa(e, &t->remote, spi)) {
			t->lanes[i].policy = true;
			t->lanes[i].spi_out = spi;
		} else if (spi) {
			del_out(e, t, i);
		}
	}
}

/* The first policies of a tunnel. */
static void place_policies(struct engine *e, struct peer *p)
{
	struct tunnel *t = &p->tunnel;
	struct xfrm_policy policy;
	uint32_t spi;

	t->reqid = choose_reqid(e, p, &t->remote);
	t->policies = true;
	if (t->udp_port != e->config.vxlan_port) {
		guard_update(e);
	}
	policy_make_in(&policy, &t->local, &t->remote, e->config.vxlan_port,
		       t->reqid);
	claim_policy(e, &policy, &spi);
	tunnel_make_out(t, 0, &policy);
	claim_policy(e, &policy, &spi);
	if (spi && !tunnel_find_sa(e, &t->remote, spi)) {
		spi = 0; /* Somebody removed it while we were dead. */
	}
	put_in(e, p, PENDING_POLICY);
	t->lanes[0].policy = true;
	/* One that is there goes on using the SA that it is pinned to. */
	put_out(e, p, 0, PENDING_POLICY, spi ? spi : t->lanes[0].spi_out);
	adopt_lanes(e, t);
}

/* ---- A tunnel of an earlier run ---- */

static const struct xfrm_policy *find_stale(const struct engine *e,
					    const struct xfrm_policy *like)
{
	for (size_t i = 0; i < e->n_stale; i++) {
		const struct xfrm_policy *p = &e->stale[i].policy;

		if (xfrm_policy_same_selector(p, like) && !p->plain &&
		    p->reqid == like->reqid) {
			return p;
		}
	}
	return NULL;
}

static bool has_sa(const struct engine *e, const struct ip_addr *dst,
		   uint32_t reqid)
{
	for (size_t i = 0; i < e->n_sas; i++) {
		if (e->sas[i].reqid == reqid && ip_equal(&e->sas[i].dst, dst)) {
			return true;
		}
	}
	return false;
}

bool tunnel_is_adopted(struct engine *e, const struct ip_addr *local,
		       const struct ip_addr *remote, uint16_t udp_port)
{
	const uint32_t reqid = choose_reqid(e, NULL, remote);
	const struct xfrm_policy *out;
	struct xfrm_policy policy;
	const struct known_sa *sa;

	policy_make_in(&policy, local, remote, e->config.vxlan_port, reqid);
	if (!find_stale(e, &policy) || !has_sa(e, local, reqid)) {
		return false;
	}
	policy_make_out(&policy, local, remote, udp_port, reqid, 0);
	out = find_stale(e, &policy);
	sa = out && out->spi ? tunnel_find_sa(e, remote, out->spi) : NULL;
	return sa && sa->reqid == reqid;
}

void tunnel_restore(struct engine *e, struct peer *p,
		    const struct ip_addr *local, const struct ip_addr *remote,
		    uint16_t udp_port)
{
	struct tunnel *t = &p->tunnel;
	struct xfrm_policy policy;
	uint32_t spi;

	t->placed = t->policies = true;
	t->local = *local;
	t->remote = *remote;
	t->udp_port = udp_port;
	t->reqid = choose_reqid(e, p, remote);
	policy_make_in(&policy, local, remote, e->config.vxlan_port, t->reqid);
	claim_policy(e, &policy, &spi);
	tunnel_make_out(t, 0, &policy);
	claim_policy(e, &policy, &t->lanes[0].spi_out);
	t->lanes[0].policy = true;
	adopt_lanes(e, t);
	while (t->n_out < LANES_MAX && t->lanes[t->n_out].spi_out) {
		t->n_out++;
	}
	/* Its SAs are its own: they go with it, or linger after new keys. */
	for (size_t i = 0; i < e->n_sas; i++) {
		if (e->sas[i].reqid == t->reqid) {
			e->sas[i].delete_us = UINT64_MAX;
		}
	}
	t->state = TUNNEL_KEYING;
	t->reason = REASON_KEYING;
	t->epoch_out = UINT32_MAX;
	t->rekey_us = UINT64_MAX;
	/* They have been there; somebody may have removed them since. */
	tunnel_put_policies(e, p);
	if (udp_port != e->config.vxlan_port) {
		guard_update(e);
	}
	tunnel_publish(e, p);
}

static void key_params(const struct engine *e, const struct peer *p,
		       bool inbound, uint32_t spi, const uint8_t *salt,
		       struct esp_key_params *key)
{
	const struct tunnel *t = &p->tunnel;

	memset(key, 0, sizeof *key);
	memcpy(key->salt, salt, sizeof key->salt);
	key->direction = inbound ? key_direction_rx(p->conn->role)
				 : key_direction_tx(p->conn->role);
	key->spi = spi;
	key->src_id = inbound ? p->id : e->config.id;
	key->dst_id = inbound ? e->config.id : p->id;
	key->src_ip = inbound ? t->remote : t->local;
	key->dst_ip = inbound ? t->local : t->remote;
}

static void add_sa(struct engine *e, struct peer *p, bool inbound, uint32_t spi,
		   const uint8_t *salt)
{
	struct tunnel *t = &p->tunnel;
	struct op *op = ops_add(e->ops, OP_SA_ADD);
	struct esp_key_params key;
	struct pending *pending;

	key_params(e, p, inbound, spi, salt, &key);
	sa_make(&op->sa, &p->conn->esp, &key, t->reqid,
		inbound ? e->config.vxlan_port : t->udp_port, engine_lanes(e));
	pending =
		engine_expect(e, op, inbound ? PENDING_SA_IN : PENDING_SA_OUT);
	pending->peer = p->number;
	pending->spi = spi;
	sa_note(e, &key.dst_ip, spi, t->reqid, UINT64_MAX);
}

static void add_sa_in(struct engine *e, struct peer *p, struct lane *lane)
{
	do {
		lane->spi_in = sa_draw_spi(e->rng);
	} while (tunnel_find_sa(e, &p->tunnel.local, lane->spi_in));
	lane->in_ready = false;
	add_sa(e, p, true, lane->spi_in, p->tunnel.salt_in);
}

/* One salt is enough: each SPI makes another key of it. */
void tunnel_add_sas_in(struct engine *e, struct peer *p)
{
	struct tunnel *t = &p->tunnel;

	rng_fill(e->rng, t->salt_in, sizeof t->salt_in);
	t->n_in = engine_lanes(e);
	for (unsigned int i = 0; i < t->n_in; i++) {
		t->lanes[i].attempts = 0;
		add_sa_in(e, p, &t->lanes[i]);
	}
}

static bool all_in_ready(const struct tunnel *t)
{
	for (unsigned int i = 0; i < t->n_in; i++) {
		if (!t->lanes[i].in_ready) {
			return false;
		}
	}
	return t->n_in;
}

static void send_offer(struct engine *e, struct peer *p)
{
	const struct tunnel *t = &p->tunnel;
	struct message m = {.type = MSG_SA_OFFER};

	for (unsigned int i = 0; i < t->n_in; i++) {
		m.sa_offer.spis[i] = t->lanes[i].spi_in;
	}
	m.sa_offer.n_spis = t->n_in;
	memcpy(m.sa_offer.salt, t->salt_in, sizeof m.sa_offer.salt);
	m.sa_offer.epoch = t->epoch;
	m.sa_offer.src_ip = t->remote;
	m.sa_offer.dst_ip = t->local;
	m.sa_offer.vxlan_port = e->config.vxlan_port;
	m.sa_offer.mtu = t->path_mtu;
	conn_send(e, p->conn, &m);
}

static bool knows_any(struct engine *e, const struct peer *p,
		      const struct msg_sa_offer *m)
{
	for (size_t i = 0; i < m->n_spis; i++) {
		if (tunnel_find_sa(e, &p->tunnel.remote, m->spis[i])) {
			return true;
		}
	}
	return false;
}

void tunnel_offer(struct engine *e, struct peer *p,
		  const struct msg_sa_offer *m)
{
	struct tunnel *t = &p->tunnel;

	if (!engine_encrypts(e) || !t->policies || m->epoch != t->epoch) {
		return;
	}
	if (!ip_equal(&m->src_ip, &t->local) ||
	    !ip_equal(&m->dst_ip, &t->remote)) {
		char ours[IP_STRLEN], theirs[IP_STRLEN], detail[DETAIL_SIZE];

		snprintf(detail, sizeof detail,
			 "we send from %s, the peer sees %s",
			 ip_format(&t->local, ours),
			 ip_format(&m->src_ip, theirs));
		down(e, p, REASON_NAT, detail);
		t->rekey_began_us = 0; /* Another session would not help. */
		return;
	}
	/* One offer an epoch, and a key is never installed twice. */
	if (t->n_next || t->epoch_out == t->epoch || knows_any(e, p, m)) {
		return;
	}
	t->n_next = MIN((unsigned int)m->n_spis, engine_lanes(e));
	for (unsigned int i = 0; i < t->n_next; i++) {
		t->lanes[i].spi_next = m->spis[i];
		t->lanes[i].next_ready = false;
		t->lanes[i].pinning = false;
		add_sa(e, p, false, m->spis[i], m->salt);
	}
}

bool tunnel_is_keyed(const struct tunnel *t)
{
	if (t->by_sleeve) {
		return sleeve_is_keyed(t);
	}
	return t->peer_active && t->lanes[0].spi_out && !t->n_next &&
	       t->epoch_out == t->epoch;
}

static void check_keyed(struct engine *e, struct peer *p)
{
	if (tunnel_is_keyed(&p->tunnel)) {
		up(e, p);
		tunnel_keyed(e, p);
	}
}

void tunnel_sleeve_keyed(struct engine *e, struct peer *p)
{
	if (p->tunnel.by_sleeve) {
		check_keyed(e, p);
		return;
	}
	if (p->beside.overlay.sleeve) {
		tunnel_publish(e, p); /* It may not have been up before. */
	}
	overlay_update(e, p);
}

void tunnel_active(struct engine *e, struct peer *p,
		   const struct msg_sa_active *m)
{
	struct tunnel *t = &p->tunnel;

	if (m->spi != t->lanes[0].spi_in || !all_in_ready(t)) {
		return;
	}
	t->peer_active = true;
	plain_keys_used(e, p);
	sa_linger(e, t, &t->local);
	check_keyed(e, p);
}

static void sa_in_result(struct engine *e, struct peer *p, uint32_t spi,
			 const struct event *event)
{
	struct tunnel *t = &p->tunnel;
	struct lane *lane = NULL;

	for (unsigned int i = 0; i < t->n_in; i++) {
		if (t->lanes[i].spi_in == spi) {
			lane = &t->lanes[i];
		}
	}
	if (!lane) {
		return;
	}
	if (event->os_errno) {
		tunnel_forget_sa(e, &t->local, spi);
		lane->spi_in = 0;
		if (++lane->attempts < SA_ADD_ATTEMPTS && p->conn) {
			add_sa_in(e, p, lane);
		} else {
			tunnel_failed(e, p, event);
		}
		return;
	}
	lane->in_ready = true;
	if (p->conn && all_in_ready(t)) {
		send_offer(e, p);
	}
}

/* NULL if 'spi' is not one of those that are on their way. */
static struct lane *lane_by_next(struct tunnel *t, uint32_t spi)
{
	for (unsigned int i = 0; i < t->n_next; i++) {
		if (t->lanes[i].spi_next == spi) {
			return &t->lanes[i];
		}
	}
	return NULL;
}

static void forget_next(struct tunnel *t)
{
	for (unsigned int i = 0; i < LANES_MAX; i++) {
		t->lanes[i].spi_next = 0;
		t->lanes[i].pinning = false;
	}
	t->n_next = 0;
}

/* One of the new outbound SAs could not be made: the others are of no use, and
 * no policy leads to them. */
static void drop_next(struct engine *e, struct tunnel *t)
{
	for (size_t i = 0; i < e->n_sas;) {
		const struct known_sa *sa = &e->sas[i];

		if (ip_equal(&sa->dst, &t->remote) &&
		    lane_by_next(t, sa->spi)) {
			sa_delete(e, i);
		} else {
			i++;
		}
	}
	forget_next(t);
}

static void sa_out_result(struct engine *e, struct peer *p, uint32_t spi,
			  const struct event *event)
{
	struct tunnel *t = &p->tunnel;
	struct lane *lane = lane_by_next(t, spi);

	if (!lane) {
		return;
	}
	if (event->os_errno) {
		tunnel_forget_sa(e, &t->remote, spi);
		drop_next(e, t);
		tunnel_failed(e, p, event);
		return;
	}
	lane->next_ready = true;
	for (unsigned int i = 0; i < t->n_next; i++) {
		if (!t->lanes[i].next_ready) {
			return;
		}
	}
	for (unsigned int i = 0; i < t->n_next; i++) {
		t->lanes[i].pinning = true;
		t->lanes[i].policy = true;
		put_out(e, p, i, PENDING_PIN, t->lanes[i].spi_next);
	}
}

/* Lanes that there are no more: their flows are moved, then their policies go.
 * What is still under way with such a mark takes lane 0. */
static void trim_lanes(struct engine *e, struct tunnel *t)
{
	bool synced = false;

	for (unsigned int i = t->n_out; i < LANES_MAX; i++) {
		if (t->lanes[i].policy && !synced) {
			forward_sync(e);
			synced = true;
		}
		if (t->lanes[i].policy) {
			del_out(e, t, i);
		}
		t->lanes[i].policy = false;
		t->lanes[i].spi_out = 0;
	}
}

/* All policies are pinned: from now on the peer hears us through the new SAs
 * only. */
static void use_next(struct engine *e, struct peer *p)
{
	struct tunnel *t = &p->tunnel;
	struct message m = {.type = MSG_SA_ACTIVE};

	t->n_out = t->n_next;
	t->n_next = 0;
	t->epoch_out = t->epoch;
	tunnel_publish(e, p);
	trim_lanes(e, t);
	sa_linger(e, t, &t->remote);
	if (p->conn) {
		m.sa_active.spi = t->lanes[0].spi_out;
		m.sa_active.epoch = t->epoch;
		conn_send(e, p->conn, &m);
	}
	check_keyed(e, p);
}

static void pin_result(struct engine *e, struct peer *p, uint32_t spi,
		       const struct event *event)
{
	struct tunnel *t = &p->tunnel;
	struct lane *lane = lane_by_next(t, spi);
	bool pinning = false;

	if (!lane) {
		return;
	}
	lane->spi_next = 0;
	lane->pinning = false;
	if (event->os_errno) {
		/* Never a policy for a mark that leads to no SA for certain. */
		lane->policy = lane == t->lanes || lane->spi_out;
		tunnel_failed(e, p, event);
	} else {
		lane->spi_out = spi;
	}
	for (unsigned int i = 0; i < t->n_next; i++) {
		pinning |= t->lanes[i].pinning;
	}
	if (!pinning && t->failed) {
		forget_next(t);
	} else if (!pinning) {
		use_next(e, p);
	}
}

void tunnel_result(struct engine *e, const struct pending *pending,
		   const struct event *event)
{
	struct peer *p = peer_by_number(e, pending->peer);

	if (pending->gone) {
		if (event->os_errno) {
			delete_again(e, pending, event->result.detail);
		}
		return;
	}
	if (!p) {
		return;
	}
	switch (pending->kind) {
	case PENDING_POLICY:
		if (event->os_errno) {
			tunnel_failed(e, p, event);
		}
		break;
	case PENDING_PLAIN_IN:
		if (event->os_errno) {
			tunnel_failed(e, p, event);
		} else {
			plain_in_installed(e, p);
		}
		break;
	case PENDING_PLAIN_OFF:
		if (event->os_errno) {
			/* Nothing is sent rather than plain. */
			p->tunnel.lanes[0].spi_out = 0;
			tunnel_publish(e, p);
			tunnel_failed(e, p, event);
		}
		break;
	case PENDING_SA_IN:
		sa_in_result(e, p, pending->spi, event);
		break;
	case PENDING_SA_OUT:
		sa_out_result(e, p, pending->spi, event);
		break;
	case PENDING_PIN:
		pin_result(e, p, pending->spi, event);
		break;
	case PENDING_SA_DEL:
	case PENDING_POLICY_DEL:
	case PENDING_SLEEVE_IN:
	case PENDING_SLEEVE_OUT:
	case PENDING_START:
	case PENDING_TRUNK:
	case PENDING_ADOPT:
	case PENDING_ATTACH:
	case PENDING_GROUND:
	case PENDING_GUARD:
	case PENDING_ROUTE:
	case PENDING_TARGET:
	case PENDING_CHECK:
	case PENDING_CHECK_ASKED:
	case PENDING_SAVE:
	case PENDING_REMEMBER:
	case PENDING_DUMP:
		break;
	}
}

/* ---- Beginning and end ---- */

void tunnel_check_route(struct engine *e, struct peer *p)
{
	struct op *op = ops_add(e->ops, OP_ROUTE_GET);

	op->route.dst = p->tunnel.remote;
	engine_expect(e, op, PENDING_ROUTE)->peer = p->number;
}

/* The kernel's word on whether it can send to 'p'. */
static void note_route(struct engine *e, struct peer *p,
		       const struct event *event)
{
	struct tunnel *t = &p->tunnel;
	const char *ifname = event->route.ifname;

	if (event->os_errno != t->route_errno) {
		if (event->os_errno) {
			health_note(e, p, REASON_NO_ROUTE, "%s",
				    route_errno_text(event->os_errno));
		} else {
			health_note(e, p, REASON_NONE,
				    "there is a route again, through %s",
				    *ifname ? ifname : "a device");
		}
		engine_log(e, event->os_errno ? OP_LOG_WARN : OP_LOG_INFO,
			   "the way to %s: %s", p->name,
			   event->os_errno ? route_errno_text(event->os_errno)
					   : "there is a route again");
		t->route_us = e->now_us;
		t->route_errno = event->os_errno;
		relay_touch(e);
		if (!event->os_errno && p->watch.on) {
			path_forget_loss(&p->watch.path);
			health_path(e, p);
		}
	} else if (!event->os_errno && *t->route_ifname &&
		   strcmp(t->route_ifname, ifname) != 0) {
		health_note(e, p, REASON_NONE,
			    "the route leads through %s, no more through %s",
			    ifname, t->route_ifname);
	}
	if (!event->os_errno) {
		copy_text(t->route_ifname, sizeof t->route_ifname, ifname);
	}
}

void tunnel_route(struct engine *e, struct peer *p, const struct event *event)
{
	struct tunnel *t = &p->tunnel;

	if (!ip_equal(&event->route.dst, &t->remote)) {
		return;
	}
	note_route(e, p, event);
	t->path_mtu = event->os_errno ? 0 : event->route.limit;
	t->mtu_told = !event->os_errno && event->route.mtu < t->path_mtu;
	mtu_limit(e, p);
	if (event->os_errno) {
		tunnel_check_routes_in(e, ROUTE_RETRY_US);
	}
	if (event->os_errno && t->state != TUNNEL_UP) {
		down(e, p, REASON_NO_ROUTE, ovs_strerror(event->os_errno));
	}
}

void tunnel_check_routes_in(struct engine *e, uint64_t delay_us)
{
	e->route_us = MIN(e->route_us, e->now_us + delay_us);
	engine_wake(e, e->route_us);
}

void tunnel_check_routes(struct engine *e)
{
	struct peer *p;

	e->routed_us = e->now_us;
	HMAP_FOR_EACH (p, node, &e->peers) {
		if (p->tunnel.placed) {
			tunnel_check_route(e, p);
		}
	}
	for (struct target *t = e->targets; t; t = t->next) {
		struct op *op = ops_add(e->ops, OP_ROUTE_GET);

		op->route.dst = t->remote.ip;
		engine_expect(e, op, PENDING_TARGET)->target = t->remote;
	}
}

uint32_t tunnel_inner_mtu(const struct engine *e, uint32_t path_mtu, bool v6)
{
	if (!e->user) {
		return overhead_inner_mtu(path_mtu, v6, engine_encrypts(e));
	}
	return sleeve_mtu_limit(e, path_mtu, !v6);
}

/* Has what there is of the tunnel to go before it can be as 'c' wants it?  The
 * sleeve goes on wherever a peer may be. */
static bool is_another(const struct tunnel *t, const struct conn *c,
		       bool by_sleeve)
{
	return t->by_sleeve != by_sleeve ||
	       (!by_sleeve && (!ip_equal(&t->local, &c->local.ip) ||
			       !ip_equal(&t->remote, &c->remote.ip) ||
			       t->udp_port != c->identity.vxlan_port));
}

/* The first keys of the session are on their way. */
static void await_keys(struct engine *e, struct peer *p)
{
	struct tunnel *t = &p->tunnel;

	t->epoch = 0;
	t->epoch_out = UINT32_MAX; /* Keys of another session, if any. */
	t->rekey_us = UINT64_MAX;
	t->rekey_began_us = e->now_us;
	peer_wake(e, p, e->now_us + KEYING_STUCK_US);
	t->rekey_again = false;
	t->peer_active = false;
	t->failed = false;
	t->retry_us = 0;
	if (t->state == TUNNEL_DOWN) {
		t->state = TUNNEL_KEYING;
		t->reason = REASON_KEYING;
		t->detail[0] = '\0';
	}
}

static void begin_by_sleeve(struct engine *e, struct peer *p)
{
	if (!e->has_sleeve ||
	    !(p->conn->identity.capabilities & CAPABILITY_SLEEVE)) {
		down(e, p,
		     e->has_sleeve ? REASON_PEER_NO_SLEEVE : REASON_NO_SLEEVE,
		     e->no_sleeve_detail);
		p->tunnel.rekey_began_us = 0; /* Nothing will come of it. */
	}
	tunnel_publish(e, p);
	sleeve_begin(e, p);
}

void tunnel_begin(struct engine *e, struct peer *p)
{
	struct tunnel *t = &p->tunnel;
	const struct conn *c = p->conn;
	const bool by_sleeve = sleeve_is_all(e, c);

	plain_over(e, p);
	if (t->placed && is_another(t, c, by_sleeve)) {
		tunnel_end(e, p);
	}
	t->placed = true;
	t->by_sleeve = by_sleeve;
	t->local = c->local.ip;
	t->remote = c->remote.ip;
	t->udp_port = c->identity.vxlan_port;
	tunnel_check_route(e, p);
	if (by_sleeve) {
		await_keys(e, p);
		begin_by_sleeve(e, p);
		return;
	}
	if (!engine_encrypts(e)) {
		t->epoch = 0;
		sleeve_begin(e, p);
		up(e, p);
		return;
	}
	if (!t->policies || t->failed) {
		place_policies(e, p);
	}
	await_keys(e, p);
	plain_offer(e, p);
	tunnel_publish(e, p);
	forget_next(t);
	tunnel_add_sas_in(e, p);
	sleeve_begin(e, p);
}

void tunnel_end(struct engine *e, struct peer *p)
{
	struct tunnel *t = &p->tunnel;
	struct xfrm_policy policy;
	bool guarded;

	if (!t->placed) {
		return;
	}
	guarded = (t->policies && t->udp_port != e->config.vxlan_port) ||
		  plain_is_on(t);
	t->state = TUNNEL_DOWN;
	t->lanes[0].spi_out = 0;
	t->sleeve.index_out = 0;
	tunnel_publish(e, p);
	forward_sync(e);
	/* Flows of an earlier run may lead here too. */
	e->adopt_us = MIN(e->adopt_us, e->now_us);
	if (t->policies) {
		for (size_t i = 0; i < e->n_sas;) {
			if (e->sas[i].reqid == t->reqid) {
				sa_delete(e, i);
			} else {
				i++;
			}
		}
		for (unsigned int i = 0; i < LANES_MAX; i++) {
			if (t->lanes[i].policy) {
				del_out(e, t, i);
			}
		}
		policy_make_in(&policy, &t->local, &t->remote,
			       e->config.vxlan_port, t->reqid);
		policy_delete(e, &policy);
	}
	sleeve_end(e, p);
	memset(t, 0, sizeof *t);
	path_done(&p->beside.path);
	memset(&p->beside, 0, sizeof p->beside);
	t->reason = REASON_CONNECTING;
	if (guarded) {
		guard_update(e);
	}
}
