/* Upcalls in, flows out. */
#include <errno.h>
#include <string.h>

#include "engine/state.h"
#include "engine/trace.h"
#include "openvswitch/dynamic-string.h"
#include "packet/fragment.h"
#include "packet/toobig.h"
#include "util.h"

enum {
	ETH_BYTES = 14
};

/* Sends a frame of our own making to the local port that the packet is from. */
static void send_reply(struct engine *e, const struct odp_upcall *u,
		       struct span reply)
{
	struct op *op = ops_add(e->ops, OP_EXECUTE);

	/* The kernel reads the frame itself; the key only has to say where it
	 * comes from (net/openvswitch/datapath.c, ovs_packet_cmd_execute). */
	op->flow.key.in_port = ODP_LOCAL_PORT;
	op->flow.key.eth_type = u->flow.eth_type;
	actions_init(&op->flow.actions);
	actions_output(&op->flow.actions, u->flow.in_port);
	wbuf_bytes(&op->bytes, reply.data, reply.size);
}

/* The op holds until the next one is added, its actions as long as the list. */
static const struct op *put_flow(struct engine *e, bool there,
				 const struct flow *key,
				 const struct flow *mask,
				 const struct actions *actions,
				 const struct ufid *ufid)
{
	struct op *op = ops_add(e->ops, OP_FLOW_PUT);

	op->flow.there = there;
	op->flow.ufid = *ufid;
	op->flow.key = *key;
	op->flow.mask = *mask;
	actions_copy(&op->flow.actions, actions);
	return op;
}

static void write_changes(struct engine *e, struct flow_changes *changes)
{
	overlay_tell_vlans(e);
	for (size_t i = 0; i < changes->n; i++) {
		const struct flow_change *c = &changes->v[i];

		if (c->remove) {
			ops_add(e->ops, OP_FLOW_DEL)->flow.ufid = c->ufid;
		} else {
			put_flow(e, c->there, &c->key, &c->mask, &c->actions,
				 &c->ufid);
		}
	}
	flow_changes_free(changes);
}

/* Who fills the table, or gives way to others, is told to whoever looks for
 * what is wrong with a container. */
static void count_evicted(struct engine *e, const struct flow_changes *changes)
{
	for (size_t i = 0; i < changes->n; i++) {
		struct port *p = port_find(e, changes->v[i].key.in_port);

		if (p) {
			p->flows_evicted++;
		}
	}
}

/* Returns the op that puts it, NULL if there is no room. */
static const struct op *install(struct engine *e, const struct flow *key,
				const struct translation *x)
{
	const struct flow_entry *entry;
	struct flow_changes changes;
	struct port *p;

	flow_changes_init(&changes);
	if (flow_table_add(e->flows, key, x, e->now_us, &changes, &entry)) {
		p = port_find(e, key->in_port);
		if (p) {
			p->flows_refused++;
		}
		return NULL;
	}
	if (changes.n) {
		count_evicted(e, &changes);
		write_changes(e, &changes);
	}
	return put_flow(e, false, &entry->key, &entry->mask, &entry->actions,
			&entry->ufid);
}

void forward_install(struct engine *e, const struct flow *key,
		     const struct translation *x)
{
	(void)install(e, key, x);
}

bool forward_install_ahead(struct engine *e, const struct flow *key,
			   const struct translation *x)
{
	const struct flow_entry *entry;

	switch (flow_table_add_ahead(e->flows, key, x, e->now_us, &entry)) {
	case FLOW_AHEAD_PUT:
		overlay_tell_vlans(e);
		put_flow(e, false, &entry->key, &entry->mask, &entry->actions,
			 &entry->ufid);
		return true;
	case FLOW_AHEAD_THERE:
		return true;
	case FLOW_AHEAD_NO_ROOM:
		return false;
	}
	return false;
}

/* 'put' is the op before it if the packet is the first one of a flow. */
static void execute(struct engine *e, const struct odp_upcall *u,
		    const struct translation *x, const struct op *put)
{
	struct actions actions;
	struct op *op;

	if (put) {
		actions_borrow(&actions, &put->flow.actions);
	} else {
		actions_copy(&actions, &x->actions);
	}
	op = ops_add(e->ops, OP_EXECUTE);
	op->flow.key = u->flow;
	op->flow.actions = actions;
	wbuf_bytes(&op->bytes, u->packet.data, u->packet.size);
}

/* What passes a check, and the rest of its way. */
struct passing {
	struct engine *e;
	const struct odp_upcall *upcall;
	const struct action *way;
	size_t n;
};

static void pass(void *passing, struct span frame)
{
	const struct passing *p = passing;
	struct op *op = ops_add(p->e->ops, OP_EXECUTE);

	op->flow.key = p->upcall->flow;
	actions_init(&op->flow.actions);
	actions_append(&op->flow.actions, p->way, p->n);
	wbuf_bytes(&op->bytes, frame.data, frame.size);
}

/* IPv6 demands so much of every link: nobody sends less for being told. */
static bool is_hopeless(const struct odp_upcall *u, uint32_t mtu)
{
	return u->flow.eth_type == ETH_TYPE_IPV6 && mtu < IPV6_MIN_MTU &&
	       u->packet.size <= ETH_BYTES + IPV6_MIN_MTU;
}

/* Its sender is told of 'mtu', or it goes in pieces, as a router would do. */
static void tell_or_cut(struct engine *e, const struct odp_upcall *u,
			uint32_t mtu, struct passing *p)
{
	struct wbuf reply = WBUF_INITIALIZER(0);

	if (is_hopeless(u, mtu)) {
		e->drops[REASON_TOO_LARGE]++;
	} else if (!toobig_reply(u->packet, mtu, &reply)) {
		send_reply(e, u, wbuf_span(&reply));
	} else if (!p->n || fragment_ipv4(u->packet, mtu, pass, p)) {
		e->drops[REASON_TOO_LARGE]++;
	}
	wbuf_free(&reply);
}

/* Is the flow that the packet took one of an earlier run? */
static bool is_of_before(const struct engine *e, const struct odp_upcall *u,
			 const struct translation *x)
{
	struct ufid ufid;

	if (!e->n_found_flows) {
		return false;
	}
	ufid = flow_table_ufid(e->flows, &u->flow, &x->mask);
	return !flow_table_find(e->flows, &ufid);
}

/* It did not pass the check of its flow for one peer.  The port's share of
 * upcalls limits how often that is looked at. */
static void too_large(struct engine *e, const struct odp_upcall *u,
		      const struct translation *x)
{
	const struct action *check =
		actions_find_check(&x->actions, u->check_peer);
	struct passing p = {.e = e, .upcall = u};

	if (is_of_before(e, u, x)) {
		/* It knows of a size that we may have to find out again, and
		 * the peer by a number of its own. */
		if (!mac_is_group(&u->flow.eth_dst)) {
			p.way = x->actions.v;
			p.n = x->actions.n;
			tell_or_cut(e, u, u->check_size - ETH_BYTES, &p);
		}
		return;
	}
	if (!check) {
		return; /* Not any more: the next one will get there. */
	}
	p.way = check + 1;
	p.n = check->check.n;
	probe_traffic(e, u->check_peer);
	if (u->packet.size <= u->check_size) {
		pass(&p, u->packet);
		mtu_check_fails(e);
	} else if (u->packet.size <= check->check.size) {
		pass(&p, u->packet);
	} else {
		tell_or_cut(e, u, check->check.size - ETH_BYTES, &p);
	}
}

void forward_upcall(struct engine *e, const struct odp_upcall *u)
{
	struct translation *x = &e->xlate;
	const struct op *put = NULL;

	if (e->phase != PHASE_RUNNING) {
		return;
	}
	/* What changed in this very step has to be in the flows first. */
	forward_sync(e);
	pipeline_translate(e->fwd, &u->flow, NULL, x);
	overlay_tell_vlans(e);
	if (u->check_size) {
		too_large(e, u, x);
		return;
	}
	if (x->reason == REASON_PROBE) {
		probe_received(e, u, x->peer);
		return;
	}
	if (x->peer != UINT32_MAX) {
		probe_traffic(e, x->peer);
	}
	if (x->reply.size) {
		send_reply(e, u, wbuf_span(&x->reply));
	}
	if (x->install && !(adopt_goes_on(e) && !x->actions.n)) {
		put = install(e, &u->flow, x);
	}
	if (x->actions.n && u->packet.size) {
		execute(e, u, x, put);
	} else if (!x->reply.size) {
		e->drops[x->reason]++;
	}
}

void forward_sync(struct engine *e)
{
	struct deps *changed = forwarding_changed(e->fwd);
	struct flow_changes changes;

	relay_sync(e);
	overlay_tell_vlans(e); /* Those of peers that are gone. */
	if (changed->n) {
		flow_changes_init(&changes);
		flow_table_revalidate(e->flows, e->fwd, changed, &changes);
		write_changes(e, &changes);
		adopt_touch(e);
	}
	ahead_sync(e);
}

/* Which it was, as ovs-dpctl would show it: without that nobody finds out why.
 */
static void say_refused(struct engine *e, const char *detail,
			const struct flow_entry *f)
{
	struct ds ds = DS_EMPTY_INITIALIZER;

	ds_put_format(&ds, "flow refused: %s", detail);
	if (f) {
		ds_put_cstr(&ds, ": ");
		trace_match(&ds, &f->key, &f->mask);
		ds_put_cstr(&ds, ", actions:");
		trace_actions(&ds, &f->actions);
	}
	engine_log(e, OP_LOG_WARN, "%s", ds_cstr(&ds));
	ds_destroy(&ds);
}

void forward_refused(struct engine *e, const struct event *event)
{
	const struct ufid *ufid = &event->result.ufid;
	const struct flow_entry *f = flow_table_find(e->flows, ufid);

	/* Two packets of one burst may ask for flows that cover each other; one
	 * of them is enough. */
	if (event->os_errno == EEXIST) {
		engine_log(e, OP_LOG_DBG, "flow refused: %s",
			   event->result.detail);
	} else if (bucket_take(&e->flow_lines, 1, e->now_us)) {
		say_refused(e, event->result.detail, f);
	}
	flow_table_forget(e->flows, ufid);
}

void forward_stats(struct engine *e, const struct event *event)
{
	const struct ufid *ufid = &event->flow_stats.ufid;

	if (flow_table_update(e->flows, ufid, &event->flow_stats.stats,
			      e->now_us)) {
		const struct flow_entry *f = flow_table_find(e->flows, ufid);

		if (f->peer != UINT32_MAX && f->used_us == e->now_us) {
			probe_traffic(e, f->peer);
		}
		return;
	}
	/* A flow of an earlier run goes on until its peers had time to come
	 * back; if it is still right it has been put again by then. */
	if (e->now_us >= e->adopt_us) {
		ops_add(e->ops, OP_FLOW_DEL)->flow.ufid = *ufid;
	}
}

void forward_dumped(struct engine *e, int os_errno)
{
	struct flow_changes changes;

	e->dumping = false;
	e->dump_us = e->now_us + FLOW_DUMP_US;
	engine_wake(e, e->dump_us);
	if (os_errno) {
		engine_log(e, OP_LOG_WARN, "cannot dump flows: %s",
			   ovs_strerror(os_errno));
		return;
	}
	flow_changes_init(&changes);
	flow_table_expire(e->flows, e->now_us, &changes);
	write_changes(e, &changes);
	ahead_again(e);
}

void forward_timers(struct engine *e)
{
	if (e->dumping) {
		return;
	}
	if (e->now_us < e->dump_us) {
		engine_wake(e, e->dump_us);
		return;
	}
	e->dumping = true;
	engine_expect(e, ops_add(e->ops, OP_FLOW_DUMP), PENDING_DUMP);
}
