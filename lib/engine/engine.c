#include "engine/engine.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/kdf.h"
#include "engine/state.h"
#include "hash.h"
#include "ipsec/policy.h"
#include "util.h"

bool engine_encrypts(const struct engine *e)
{
	return e->config.encrypt;
}

uint32_t engine_capabilities(const struct engine *e)
{
	uint32_t bits = CAPABILITY_PROBE | CAPABILITY_HAVE | CAPABILITY_LINKS |
			CAPABILITY_NAMED;

	if (!e->user) {
		bits |= CAPABILITY_FASTDP;
	}
	if (!e->user && engine_encrypts(e)) {
		bits |= CAPABILITY_ESP;
	}
	if (mtus_may_differ(e)) {
		bits |= CAPABILITY_MTUS;
	}
	if (e->has_sleeve) {
		bits |= CAPABILITY_SLEEVE;
	}
	if (e->has_sleeve && e->sleeve_aes) {
		bits |= CAPABILITY_SLEEVE_AES;
	}
	return bits;
}

unsigned int engine_lanes(const struct engine *e)
{
	return MIN(MAX(e->config.sas_per_peer, 1), LANES_MAX);
}

void copy_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

void engine_wake(struct engine *e, uint64_t when_us)
{
	e->deadline_us = MIN(e->deadline_us, when_us);
}

/* Never at once: else a turn might not end. */
static uint64_t not_now(const struct engine *e, uint64_t when_us)
{
	return MAX(when_us, e->now_us + 1);
}

void conn_wake(struct engine *e, struct conn *c, uint64_t when_us)
{
	timer_by(&e->conns_due, &c->timer, not_now(e, when_us));
}

void peer_wake(struct engine *e, struct peer *p, uint64_t when_us)
{
	timer_by(&e->peers_due, &p->timer, not_now(e, when_us));
}

void target_wake(struct engine *e, struct target *t, uint64_t when_us)
{
	timer_by(&e->targets_due, &t->timer, not_now(e, when_us));
}

void engine_log(struct engine *e, enum op_log_level level, const char *format,
		...)
{
	struct op *op = ops_add(e->ops, OP_LOG);
	va_list args;

	va_start(args, format);
	op->text = xvasprintf(format, args);
	va_end(args);
	op->level = level;
}

struct pending *engine_expect(struct engine *e, struct op *op,
			      enum pending_kind kind)
{
	struct pending *p = xzalloc(sizeof *p);

	p->cookie = op->cookie = e->next_cookie++;
	p->kind = kind;
	hmap_insert(&e->pending, &p->node, hash_uint64(p->cookie));
	return p;
}

static struct pending *take_pending(struct engine *e, uint64_t cookie)
{
	struct pending *p;

	HMAP_FOR_EACH_WITH_HASH (p, node, hash_uint64(cookie), &e->pending) {
		if (p->cookie == cookie) {
			hmap_remove(&e->pending, &p->node);
			return p;
		}
	}
	return NULL;
}

/* Known to nobody else, and the same after a restart. */
static struct ufid_key flow_key(const struct engine_config *config)
{
	struct ufid_key key = {{0}};
	struct secret secret;

	if (config->has_key) {
		kdf_label(&config->key, "fdp1 flow identifiers",
			  span_of(NULL, 0), &secret);
		memcpy(key.b, secret.b, sizeof key.b);
		secret_wipe(&secret);
	}
	return key;
}

struct engine *engine_new(const struct engine_config *config)
{
	const struct ufid_key ufid_key = flow_key(config);
	struct engine *e = xzalloc(sizeof *e);

	e->config = *config;
	e->config.targets = NULL;
	e->config.n_targets = 0;
	e->config.encrypt |= config->n_slots > 0;
	if (config->has_key) {
		sign_pair_init(&e->key, &config->key);
		secret_wipe(&e->config.key);
	}
	e->saved_state = config->state ? xstrdup(config->state) : NULL;
	e->config.state = NULL;
	e->remembered = config->remembered ? xstrdup(config->remembered) : NULL;
	e->config.remembered = NULL;
	e->remember_us = UINT64_MAX;
	copy_text(e->state_error, sizeof e->state_error,
		  config->state_error ? config->state_error : "");
	copy_text(e->state_damaged, sizeof e->state_damaged,
		  config->state_damaged ? config->state_damaged : "");
	e->config.state_error = e->config.state_damaged = NULL;
	e->save_us = config->state_error ? 0 : UINT64_MAX;
	e->deadline_us = UINT64_MAX;
	e->dump_us = UINT64_MAX;
	e->route_us = UINT64_MAX;
	e->guard_us = UINT64_MAX;
	e->mtu_us = UINT64_MAX;
	e->sweep_us = UINT64_MAX;
	e->authors_us = UINT64_MAX;
	timers_init(&e->conns_due);
	timers_init(&e->peers_due);
	timers_init(&e->targets_due);
	e->next_cookie = 1;
	e->next_conn = 1;
	e->tunnel_port = UINT32_MAX;
	e->trunk_port = UINT32_MAX;
	ground_init(e);
	moves_init(e);
	password_init(e);
	hmap_init(&e->pending);
	hmap_init(&e->conns);
	hmap_init(&e->conns_by_ip);
	ovs_list_init(&e->dials);
	hmap_init(&e->targets_by_ip);
	e->targets_end = &e->targets;
	hmap_init(&e->peers);
	hmap_init(&e->peer_numbers);
	hmap_init(&e->known_ips);
	e->fwd = forwarding_new();
	relay_init(e);
	ahead_init(e);
	statements_init(&e->statements, &config->id);
	e->link_chunks = 1;
	e->tell_us = UINT64_MAX;
	e->statement_incarnation = config->incarnation;
	e->flows = flow_table_new(FLOW_TABLE_MAX, FLOW_SOURCE_MAX);
	flow_table_set_key(e->flows, &ufid_key);
	translation_init(&e->xlate);
	record_init(&e->record, &config->id, config->incarnation);
	admission_init(&e->admission, 0);
	bucket_init(&e->refusal_lines, 1, REFUSAL_LINES * REFUSAL_LINE_SECONDS,
		    0);
	bucket_init(&e->flow_lines, 1, REFUSAL_LINES, 0);
	for (size_t i = 0; i < config->n_targets; i++) {
		target_add(e, &config->targets[i]);
	}
	return e;
}

void engine_free(struct engine *e)
{
	struct pending *p;
	struct conn *c, *next_conn;
	struct peer *peer, *next_peer;

	if (!e) {
		return;
	}
	HMAP_FOR_EACH_POP (p, node, &e->pending) {
		free(p->port);
		free(p->gone);
		free(p);
	}
	HMAP_FOR_EACH_SAFE (c, next_conn, node, &e->conns) {
		conn_free(e, c);
	}
	HMAP_FOR_EACH_SAFE (peer, next_peer, node, &e->peers) {
		hmap_remove(&e->peers, &peer->node);
		peer_free(peer);
	}
	while (e->targets) {
		struct target *t = e->targets;

		e->targets = t->next;
		target_free(t);
	}
	while (e->ports) {
		struct port *port = e->ports;

		e->ports = port->next;
		free(port);
	}
	timers_done(&e->conns_due);
	timers_done(&e->peers_due);
	timers_done(&e->targets_due);
	known_ips_clear(e);
	moves_done(e);
	ahead_done(e);
	hmap_destroy(&e->pending);
	hmap_destroy(&e->conns);
	hmap_destroy(&e->conns_by_ip);
	hmap_destroy(&e->targets_by_ip);
	hmap_destroy(&e->peers);
	hmap_destroy(&e->peer_numbers);
	hmap_destroy(&e->known_ips);
	admission_done(&e->admission);
	record_free(&e->record);
	forwarding_free(e->fwd);
	topology_free(e->topology);
	statements_free(&e->statements);
	flow_table_free(e->flows);
	translation_free(&e->xlate);
	free(e->sas);
	free(e->sleeve_ins);
	free(e->stale);
	free(e->found_vports);
	adopt_free(e);
	free(e->found_drops);
	free(e->pins);
	free(e->saved_state);
	free(e->remembered);
	free(e->ways_before);
	free(e->addresses);
	secret_wipe_bytes(&e->config.slots, sizeof e->config.slots);
	sign_pair_wipe(&e->key);
	free(e);
}

/* ---- The start: block policies and guard, datapath, ports ---- */

static void start_fail(struct engine *e, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Undoes what this start made, and tells the caller to give up.  Where fdp was
 * before, the block policies stay: nothing ever opens because something
 * failed.  Where it was not, there is nothing to protect, and a host on which
 * only a start failed is left as it was. */
static void start_fail(struct engine *e, const char *format, ...)
{
	struct op *op;
	va_list args;

	if (e->phase == PHASE_FAILED) {
		return;
	}
	e->phase = PHASE_FAILED;
	if (e->datapath_made) {
		ops_add(e->ops, OP_DATAPATH_DEL);
	}
	for (unsigned int i = 0; e->blocks_made && i < POLICY_N_BLOCKS; i++) {
		op = ops_add(e->ops, OP_POLICY_DEL);
		policy_make_block(&op->policy, i, e->config.vxlan_port);
	}
	if (e->blocks_made) {
		ops_add(e->ops, OP_GUARD_DEL);
	}
	op = ops_add(e->ops, OP_FATAL);
	va_start(args, format);
	op->text = xvasprintf(format, args);
	va_end(args);
}

/* What an earlier run dropped it dropped for reasons of then, and the trunk
 * that it had is gone.  To delete a flow that drops loses nothing, unlike one
 * that forwards: those are adopted. */
static void drop_found_drops(struct engine *e)
{
	for (size_t i = 0; i < e->n_found_drops; i++) {
		ops_add(e->ops, OP_FLOW_DEL)->flow.ufid = e->found_drops[i];
	}
	free(e->found_drops);
	e->found_drops = NULL;
	e->n_found_drops = 0;
}

static void start_running(struct engine *e)
{
	struct target *t;

	e->phase = PHASE_RUNNING;
	ahead_start(e);
	remember_restore(e);
	drop_found_drops(e);
	e->dump_us = e->now_us + FLOW_DUMP_US;
	engine_wake(e, e->dump_us);
	for (t = e->targets; t; t = t->next) {
		/* Those that we know of may dial us first. */
		target_retry(e, t,
			     t->hinted ? rng_range(e->rng, SECOND_US) : 0);
	}
	persist_start(e);
	tunnel_check_routes(e);
	ports_update_mtu(e);
	ground_repair(e);
}

void tunnel_port_fill_in(const struct engine *e, struct odp_vport *vport)
{
	memset(vport, 0, sizeof *vport);
	vport->type = e->user ? ODP_VPORT_SLEEVE : ODP_VPORT_VXLAN;
	vport->port_no = UINT32_MAX;
	vport->udp_port = e->user ? e->sleeve_port : e->config.vxlan_port;
	copy_text(vport->name, sizeof vport->name, e->tunnel_footing.name);
}

static void start_tunnel_port(struct engine *e)
{
	const struct odp_vport *found = NULL;
	struct odp_vport vport;
	struct op *op;

	tunnel_port_fill_in(e, &vport);
	for (size_t i = 0; i < e->n_found_vports; i++) {
		const struct odp_vport *v = &e->found_vports[i];

		if (v->type != ODP_VPORT_VXLAN) {
			continue;
		}
		if (v->udp_port == vport.udp_port &&
		    !strcmp(v->name, vport.name)) {
			found = v;
		} else {
			/* An earlier run used another port. */
			ops_add(e->ops, OP_VPORT_DEL)->vport = *v;
		}
	}
	op = ops_add(e->ops, found ? OP_VPORT_ADOPT : OP_VPORT_ADD);
	op->vport = found ? *found : vport;
	engine_expect(e, op, PENDING_START);
	e->start_waits++;
	if (found) {
		e->tunnel_port = found->port_no;
	}
}

/* Beside the kernel's datapath.  Without it there is just no second way. */
static void start_trunk(struct engine *e)
{
	struct op *op;

	if (e->user || !e->has_sleeve) {
		return;
	}
	for (size_t i = 0; i < e->n_found_vports; i++) {
		const struct odp_vport *v = &e->found_vports[i];

		if (!strcmp(v->name, e->trunk_footing.name)) {
			ops_add(e->ops, OP_VPORT_DEL)->vport = *v;
		}
	}
	op = ops_add(e->ops, OP_VPORT_ADD);
	trunk_fill_in(e, op);
	engine_expect(e, op, PENDING_TRUNK);
	e->start_waits++;
}

static void trunk_result(struct engine *e, const struct event *event)
{
	e->has_trunk = e->has_sleeve = !event->os_errno;
	if (event->os_errno) {
		snprintf(e->no_sleeve_detail, sizeof e->no_sleeve_detail,
			 "cannot make %s: %s", e->trunk_footing.name,
			 event->result.detail);
		engine_log(e, OP_LOG_WARN, "no sleeve: %s",
			   e->no_sleeve_detail);
		return;
	}
	footing_set(&e->trunk_footing, event->result.ifindex);
	trunk_ready(e, event->result.port_no);
}

static void start_host_port(struct engine *e)
{
	struct fwd_port port = {.port_no = ODP_LOCAL_PORT, .kind = PORT_HOST};
	struct op *op;
	enum err err;

	copy_text(port.name, sizeof port.name, e->config.datapath);
	err = forwarding_add_port(e->fwd, &port, NULL);
	ovs_assert(!err);
	op = ops_add(e->ops, OP_VPORT_ADOPT);
	op->vport.port_no = ODP_LOCAL_PORT;
	op->vport.type = ODP_VPORT_INTERNAL;
	copy_text(op->vport.name, sizeof op->vport.name, e->config.datapath);
	engine_expect(e, op, PENDING_START);
	e->start_waits++;
}

static void use_user_datapath(struct engine *e, enum reason reason,
			      const char *detail)
{
	e->user = true;
	e->no_fastdp = reason;
	copy_text(e->no_fastdp_detail, sizeof e->no_fastdp_detail, detail);
	snprintf(e->tunnel_footing.name, sizeof e->tunnel_footing.name,
		 "sleeve-%u", e->sleeve_port);
	engine_log(e, OP_LOG_WARN, "%s: %s%s%s",
		   reason == REASON_NO_FASTDP
			   ? "without the kernel datapath"
			   : "without the kernel datapath, by the sleeve alone",
		   reason_text(reason), *detail ? ": " : "", detail);
}

/* Every result of the present phase was good: on to the next one. */
static void start_advance(struct engine *e)
{
	struct op *op;

	switch (e->phase) {
	case PHASE_BLOCKING:
		e->phase = PHASE_DATAPATH;
		op = ops_add(e->ops, OP_DATAPATH_ADD);
		op->datapath.user = e->user;
		engine_expect(e, op, PENDING_START);
		e->start_waits++;
		break;
	case PHASE_DATAPATH:
		e->phase = PHASE_PORTS;
		start_host_port(e);
		start_tunnel_port(e);
		start_trunk(e);
		ports_adopt(e);
		break;
	case PHASE_PORTS:
		start_running(e);
		break;
	case PHASE_NEW:
	case PHASE_RUNNING:
	case PHASE_FAILED:
	case PHASE_STOPPED:
		break;
	}
}

void tunnel_port_ready(struct engine *e, uint32_t port_no)
{
	struct fwd_port port = {.port_no = port_no, .kind = PORT_TUNNEL};
	enum err err;

	e->tunnel_port = port_no;
	copy_text(port.name, sizeof port.name, e->tunnel_footing.name);
	err = forwarding_add_port(e->fwd, &port, NULL);
	ovs_assert(!err);
}

/* There is no IPsec in the kernel.  Is the sleeve to do instead? */
static bool start_without_kernel(struct engine *e, enum reason reason,
				 const char *detail)
{
	if (e->user) {
		return true; /* One block policy has told already. */
	}
	if (!e->has_sleeve || e->config.overlay == OVERLAY_FASTDP ||
	    !e->datapath_made) {
		return false;
	}
	ops_add(e->ops, OP_GUARD_DEL);
	use_user_datapath(e, reason, detail);
	return true;
}

static void start_result(struct engine *e, const struct event *event)
{
	const char *detail = event->result.detail;

	if (event->os_errno) {
		switch (event->result.op) {
		case OP_POLICY_PUT:
			if (start_without_kernel(e, REASON_NO_ESP, detail)) {
				break;
			}
			start_fail(e,
				   "cannot install the IPsec block policy: "
				   "%s; load the modules xfrm_user, esp4 and "
				   "esp6",
				   detail);
			break;
		case OP_DATAPATH_ADD:
			start_fail(e, "cannot open datapath %s: %s",
				   e->config.datapath, detail);
			break;
		default:
			start_fail(
				e, "cannot open the tunnel port on UDP %u: %s",
				e->user ? e->sleeve_port : e->config.vxlan_port,
				detail);
			break;
		}
		return;
	}
	if (event->result.op == OP_DATAPATH_ADD) {
		footing_set(&e->datapath, event->result.ifindex);
		e->checks_size = event->result.checks_size;
	} else if (event->result.op == OP_VPORT_ADD) {
		footing_set(&e->tunnel_footing, event->result.ifindex);
		tunnel_port_ready(e, event->result.port_no);
	} else if (event->result.op == OP_VPORT_ADOPT &&
		   event->result.port_no == e->tunnel_port &&
		   e->tunnel_port != ODP_LOCAL_PORT) {
		footing_set(&e->tunnel_footing, event->result.ifindex);
		tunnel_port_ready(e, e->tunnel_port);
	}
}

/* False if the start has failed. */
static bool choose_datapath(struct engine *e,
			    const struct kernel_snapshot *found)
{
	const bool wanted = e->config.overlay == OVERLAY_SLEEVE;

	e->has_sleeve =
		found->sleeve.there && e->config.overlay != OVERLAY_FASTDP;
	e->sleeve_aes = found->sleeve.aes_gcm && !e->config.no_aes_gcm;
	e->sleeve_port = found->sleeve.port;
	copy_text(e->no_sleeve_detail, sizeof e->no_sleeve_detail,
		  found->sleeve.detail ? found->sleeve.detail : "");
	if (wanted && !e->has_sleeve) {
		start_fail(e, "cannot have a sleeve on UDP %u: %s",
			   e->config.port, e->no_sleeve_detail);
		return false;
	}
	if (!wanted && (!found->no_fastdp || !e->has_sleeve)) {
		return true; /* If it cannot be had, the start fails of it. */
	}
	if (found->datapath_exists) {
		start_fail(e,
			   "this host still has the datapath %s of a run "
			   "without --overlay sleeve; run `fdpctl reset` first",
			   e->config.datapath);
		return false;
	}
	use_user_datapath(e, wanted ? REASON_NO_FASTDP : found->no_fastdp,
			  wanted || !found->no_fastdp_detail
				  ? ""
				  : found->no_fastdp_detail);
	return true;
}

static bool has_tunnel_port(const struct engine *e)
{
	for (size_t i = 0; i < e->n_found_vports; i++) {
		if (e->found_vports[i].type == ODP_VPORT_VXLAN &&
		    e->found_vports[i].udp_port == e->config.vxlan_port) {
			return true;
		}
	}
	return false;
}

static void engine_start(struct engine *e, const struct kernel_snapshot *found)
{
	e->started_us = e->now_us;
	e->ready_us = password_is_awaited(e) ? 0 : e->now_us;
	e->adopt_us = e->now_us + ADOPT_FLOWS_US;
	admission_done(&e->admission);
	admission_init(&e->admission, e->now_us);
	e->datapath_made = !found->datapath_exists;
	if (found->n_vports) {
		e->found_vports = xmemdup(
			found->vports, found->n_vports * sizeof *found->vports);
		e->n_found_vports = found->n_vports;
	}
	if (!choose_datapath(e, found)) {
		return;
	}
	if (e->user) {
		e->phase = PHASE_BLOCKING;
		start_advance(e);
		return;
	}
	adopt_start(e, found);
	if (found->n_drops) {
		e->found_drops = xmemdup(found->drops,
					 found->n_drops * sizeof *found->drops);
		e->n_found_drops = found->n_drops;
	}
	if (!engine_encrypts(e)) {
		if (found->n_policies || found->guard) {
			start_fail(e,
				   "this host still blocks unencrypted traffic "
				   "from a run with a password; give the "
				   "password, or run `fdpctl reset` first");
			return;
		}
		e->phase = PHASE_BLOCKING;
		start_advance(e);
		return;
	}
	e->phase = PHASE_BLOCKING;
	e->blocks_made =
		!found->datapath_exists && !found->n_policies && !found->n_sas;
	tunnel_adopt(e, found);
	for (unsigned int i = 0; i < POLICY_N_BLOCKS; i++) {
		struct op *op = ops_add(e->ops, OP_POLICY_PUT);

		policy_make_block(&op->policy, i, e->config.vxlan_port);
		engine_expect(e, op, PENDING_START);
		e->start_waits++;
	}
	guard_update(e);
	/* No tunnel port before the guard; but where one is there, what the
	 * kernel forwards does not ask who starts, and new flows would wait
	 * for iptables, which may wait for others. */
	e->start_needs_guard = !has_tunnel_port(e);
	e->start_waits += e->start_needs_guard;
}

/* ---- Events ---- */

static void engine_result(struct engine *e, const struct event *event)
{
	struct pending *p;

	if (!event->result.cookie) {
		if (event->result.op == OP_FLOW_PUT && event->os_errno) {
			forward_refused(e, event);
		} else if (event->os_errno) {
			engine_log(e, OP_LOG_DBG, "%s failed: %s",
				   op_type_name(event->result.op),
				   event->result.detail);
		}
		return;
	}
	p = take_pending(e, event->result.cookie);
	if (!p) {
		return;
	}
	switch (p->kind) {
	case PENDING_START:
		e->start_waits--;
		start_result(e, event);
		break;
	case PENDING_TRUNK:
		e->start_waits--;
		trunk_result(e, event);
		break;
	case PENDING_ADOPT:
		e->start_waits--;
		port_result(e, p, event);
		break;
	case PENDING_ATTACH:
		port_result(e, p, event);
		break;
	case PENDING_GROUND:
		ground_result(e, p, event);
		break;
	case PENDING_POLICY:
	case PENDING_PLAIN_IN:
	case PENDING_PLAIN_OFF:
	case PENDING_SA_IN:
	case PENDING_SA_OUT:
	case PENDING_PIN:
	case PENDING_SA_DEL:
	case PENDING_POLICY_DEL:
		tunnel_result(e, p, event);
		break;
	case PENDING_SLEEVE_IN:
	case PENDING_SLEEVE_OUT:
		sleeve_result(e, p, event);
		break;
	case PENDING_GUARD:
		if (e->start_needs_guard) {
			e->start_needs_guard = false;
			e->start_waits--;
		}
		guard_result(e, event);
		break;
	case PENDING_DUMP:
		forward_dumped(e, event->os_errno);
		break;
	case PENDING_SAVE:
		persist_result(e, event);
		break;
	case PENDING_REMEMBER:
		remember_result(e, event);
		break;
	case PENDING_CHECK:
		if (peer_by_number(e, p->peer)) {
			check_sent(e, peer_by_number(e, p->peer), event);
		}
		break;
	case PENDING_ROUTE:
	case PENDING_TARGET:
	case PENDING_CHECK_ASKED:
		break;
	}
	free(p->port);
	free(p->gone);
	free(p);
	if (!e->start_waits && e->phase != PHASE_FAILED) {
		start_advance(e);
	}
}

static void engine_route(struct engine *e, const struct event *event)
{
	struct pending *p = take_pending(e, event->route.cookie);

	if (!p) {
		return;
	}
	if (p->kind == PENDING_ROUTE || p->kind == PENDING_CHECK) {
		struct peer *peer = peer_by_number(e, p->peer);

		if (peer && p->kind == PENDING_ROUTE) {
			tunnel_route(e, peer, event);
		} else if (peer) {
			check_route(e, peer, event);
		}
	} else if (p->kind == PENDING_TARGET) {
		struct target *t = target_find(e, &p->target);

		if (t) {
			if (event->os_errno) {
				tunnel_check_routes_in(e, ROUTE_RETRY_US);
			}
			t->path_mtu = event->os_errno ? 0 : event->route.limit;
			ports_update_mtu(e);
		}
	}
	free(p);
}

static void engine_ipsec(struct engine *e, const struct event *event)
{
	struct pending *p = take_pending(e, event->ipsec.cookie);
	struct peer *peer = p ? peer_by_number(e, p->peer) : NULL;

	if (peer && p->kind == PENDING_CHECK) {
		check_looked(e, peer, event);
	} else if (peer && p->kind == PENDING_CHECK_ASKED) {
		check_asked_looked(e, peer, p->number, event);
	}
	free(p);
}

static void engine_stop(struct engine *e)
{
	struct conn *c, *next;

	if (e->save_us != UINT64_MAX) {
		persist_save(e);
	}
	remember_write(e);
	HMAP_FOR_EACH_SAFE (c, next, node, &e->conns) {
		conn_end(e, c, ERR_REFUSED, REASON_STOPPED, "stopping");
	}
	e->phase = PHASE_STOPPED;
	e->deadline_us = UINT64_MAX;
}

static void engine_timer(struct engine *e)
{
	if (e->phase != PHASE_RUNNING || e->now_us < engine_deadline(e)) {
		return;
	}
	e->deadline_us = UINT64_MAX;
	conn_timers(e);
	target_timers(e);
	peer_timers(e);
	discovery_timers(e);
	limit_timers(e);
	tunnel_timers(e);
	relay_timers(e);
	gossip_timers(e);
	guard_timers(e);
	ground_timers(e);
	forward_timers(e);
	adopt_timers(e);
	ahead_timers(e);
	ports_timers(e);
	persist_timers(e);
	remember_timers(e);
}

/* A first change is heeded at once; where one follows another, as when many
 * interfaces are made, not each. */
static void net_changed(struct engine *e)
{
	uint64_t next_us = e->routed_us + ROUTE_CHECK_US;

	tunnel_check_routes_in(
		e, MAX(ROUTE_SOON_US,
		       next_us > e->now_us ? next_us - e->now_us : 0));
}

static void dispatch(struct engine *e, const struct event *event)
{
	switch (event->type) {
	case EVENT_START:
		engine_start(e, event->start.snapshot);
		break;
	case EVENT_TIMER:
		engine_timer(e);
		break;
	case EVENT_STOP:
		engine_stop(e);
		break;
	case EVENT_RESULT:
		engine_result(e, event);
		break;
	case EVENT_DIALED:
		conn_dialed(e, event->conn, &event->accepted.local);
		break;
	case EVENT_ACCEPTED:
		conn_accepted(e, event->conn, &event->accepted.local,
			      &event->accepted.remote);
		break;
	case EVENT_DATA:
		conn_data(e, event->conn, event->bytes, event->gone);
		break;
	case EVENT_CLOSED:
		conn_closed(e, event->conn, event->os_errno);
		break;
	case EVENT_UPCALL:
		forward_upcall(e, event->upcall);
		break;
	case EVENT_FLOW_STATS:
		forward_stats(e, event);
		break;
	case EVENT_ROUTE:
		engine_route(e, event);
		break;
	case EVENT_IPSEC:
		engine_ipsec(e, event);
		break;
	case EVENT_NET_CHANGED:
		net_changed(e);
		break;
	case EVENT_ADDRESSES:
		conn_addresses(e, event);
		break;
	case EVENT_VPORT_GONE:
		ground_port_gone(e, event->port_no);
		break;
	case EVENT_DP_GONE:
		ground_datapath_gone(e);
		break;
	case EVENT_LINK:
		ground_link(e, event);
		break;
	case EVENT_DP_FEATURES:
		engine_log(e, OP_LOG_WARN,
			   "somebody switched the features of datapath %s (any "
			   "`ovs-dpctl show` does); restored",
			   e->config.datapath);
		break;
	case EVENT_XFRM:
		tunnel_xfrm_event(e, event);
		break;
	case EVENT_GUARD_GONE:
		guard_gone(e);
		break;
	case EVENT_SLEEVE:
		sleeve_event(e, event);
		break;
	case EVENT_COUNTERS:
		e->upcalls = event->counters.upcalls;
		e->upcalls_lost = event->counters.lost;
		e->features_restored = event->counters.features_restored;
		ports_count(e, event);
		sleeve_count(e, event);
		break;
	case EVENT_PASSWORDS:
		password_event(e, event);
		break;
	case EVENT_COMMAND:
		command_run(e, event);
		break;
	}
}

void engine_step(struct engine *e, const struct event *event, uint64_t now_us,
		 const struct rng *rng, struct ops *ops)
{
	if (e->phase == PHASE_STOPPED) {
		return;
	}
	e->step++;
	e->now_us = now_us;
	e->rng = rng;
	e->ops = ops;
	dispatch(e, event);
	if (e->phase == PHASE_RUNNING) {
		forward_sync(e);
	}
	e->rng = NULL;
	e->ops = NULL;
}

uint64_t engine_deadline(const struct engine *e)
{
	uint64_t when_us = e->deadline_us;

	if (e->phase == PHASE_RUNNING) {
		when_us = MIN(when_us, timers_next_us(&e->conns_due));
		when_us = MIN(when_us, timers_next_us(&e->peers_due));
	}
	/* Nothing is dialled before: that they come wakes us. */
	if (e->phase == PHASE_RUNNING && !password_is_awaited(e)) {
		when_us = MIN(when_us,
			      MAX(timers_next_us(&e->targets_due), e->dial_us));
	}
	return when_us;
}

bool engine_is_running(const struct engine *e)
{
	return e->phase == PHASE_RUNNING;
}
