/* Tests of a way that probes find dead, which tell why (mesh/diagnosis.h).
 *
 * A look at the SA in question here and, by the session, there; a few probes
 * and a datagram from a socket; a moment later the same look.  Of the sleeve
 * alone, probes and what the kernel says of its datagrams.  All of it is
 * some ten Netlink messages, two of ours and as many packets as fingers, again
 * after a while as long as the way is dead, and for a few peers at a time.
 * Nothing here changes the verdict, which is that of probes.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"
#include "packet/probe.h"
#include "util.h"

#define LOOK_US	  (2 * SECOND_US)  /* For the answers. */
#define FLIGHT_US (1 * SECOND_US)  /* For the packets. */
#define AGAIN_US  (5 * SECOND_US)  /* After the first, then twice as long... */
#define LATER_US  (60 * SECOND_US) /* ...up to this. */

enum {
	N_PROBES = 5,
	MAX_CHECKS = 8, /* At a time. */
	VXLAN_BYTES = 8
};

static void set_step(struct engine *e, struct peer *p, enum check_step step,
		     uint64_t due_us)
{
	struct check *c = p->watch.check;
	bool was_busy = c->step >= CHECK_BEFORE;

	c->step = step;
	c->due_us = due_us;
	if (was_busy != (step >= CHECK_BEFORE)) {
		e->n_checks = was_busy ? e->n_checks - 1 : e->n_checks + 1;
	}
	peer_wake(e, p, due_us);
}

void check_stop(struct engine *e, struct peer *p)
{
	if (p->watch.check) {
		set_step(e, p, CHECK_NONE, UINT64_MAX);
		free(p->watch.check);
		p->watch.check = NULL;
	}
}

/* ---- Looking ---- */

static void look(struct engine *e, struct peer *p)
{
	struct check *c = p->watch.check;
	struct message m = {.type = MSG_PATH_CHECK};
	struct op *op;

	memset(&c->look, 0, sizeof c->look);
	m.path_check.number = ++p->watch.question;
	if (c->evidence.esp) {
		m.path_check.spis[m.path_check.n_spis++] = c->evidence.spi;
		op = ops_add(e->ops, OP_IPSEC_LOOK);
		op->look.dst = p->tunnel.remote;
		op->look.spis[op->look.n++] = c->evidence.spi;
		engine_expect(e, op, PENDING_CHECK)->peer = p->number;
	} else {
		c->look.done_here = true;
	}
	conn_send(e, p->conn, &m);
}

static uint64_t since(uint64_t before, uint64_t after)
{
	return after >= before ? after - before : 0;
}

/* What a kernel has counted from one look to the next. */
static void subtract(struct ipsec_sight *sight,
		     const struct ipsec_sight *before,
		     const struct ipsec_sight *after)
{
	memset(sight, 0, sizeof *sight);
	sight->seen = before->seen && after->seen;
	sight->exists = after->exists;
	sight->packets = since(before->packets, after->packets);
	sight->counted = before->counted && after->counted;
	if (sight->counted) {
		sight->no_sa = since(before->no_sa, after->no_sa);
		sight->not_authentic =
			since(before->not_authentic, after->not_authentic);
		sight->policy = since(before->policy, after->policy);
		sight->other = since(before->other, after->other);
	}
}

/* ---- The steps ---- */

static void begin(struct engine *e, struct peer *p)
{
	struct check *c = p->watch.check;
	const struct tunnel *t = &p->tunnel;
	const unsigned int lane = path_dead_lane(&p->watch.path);
	struct op *op;

	memset(&c->evidence, 0, sizeof c->evidence);
	c->evidence.sleeve = t->by_sleeve;
	c->evidence.lane = lane;
	c->evidence.spi = t->lanes[lane].spi_out;
	c->evidence.esp = c->evidence.spi != 0;
	set_step(e, p, CHECK_BEFORE, e->now_us + LOOK_US);
	op = ops_add(e->ops, OP_ROUTE_GET);
	op->route.dst = t->remote;
	engine_expect(e, op, PENDING_CHECK)->peer = p->number;
	look(e, p);
}

/* A datagram as the datapath makes them, but from a socket: the kernel tells
 * who sends so whether it was taken. */
static void send_datagram(struct engine *e, struct peer *p)
{
	/* RFC 7348 5: the VNI is valid, and 0. */
	static const uint8_t vxlan[VXLAN_BYTES] = {0x08};
	/* As no probe has this number, nothing follows from it there. */
	const struct probe_frame probe = {.sender = e->config.id,
					  .size = PROBE_MIN_BYTES};
	struct op *op = ops_add(e->ops, OP_SEND_TEST);

	op->test.local = p->tunnel.local;
	op->test.remote = p->tunnel.remote;
	op->test.udp_port = p->tunnel.udp_port;
	op->test.mark = lane_mark(p->watch.check->evidence.lane);
	wbuf_bytes(&op->bytes, vxlan, sizeof vxlan);
	probe_put(&op->bytes, &probe);
	engine_expect(e, op, PENDING_CHECK)->peer = p->number;
}

static void send_all(struct engine *e, struct peer *p)
{
	struct check *c = p->watch.check;

	c->before = c->look;
	for (unsigned int i = 0; i < N_PROBES; i++) {
		c->evidence.n_probes +=
			probe_send(e, p, c->evidence.lane, PROBE_MIN_BYTES,
				   PATH_TEST) != 0;
	}
	if (!c->evidence.sleeve) {
		send_datagram(e, p);
	}
	set_step(e, p, CHECK_SENT, e->now_us + FLIGHT_US);
}

static void conclude(struct engine *e, struct peer *p)
{
	struct check *c = p->watch.check;
	struct evidence *ev = &c->evidence;
	char detail[DETAIL_SIZE];
	enum reason cause;

	subtract(&ev->here, &c->before.here, &c->look.here);
	subtract(&ev->there, &c->before.there, &c->look.there);
	if (ev->sleeve) {
		/* Whoever sends those datagrams tells what became of them. */
		ev->sent = true;
		ev->send_errno = p->tunnel.sleeve.send_errno;
	}
	ev->beside = p->beside.on;
	ev->beside_dead = p->beside.level == PATH_DEAD;
	ev->beside_errno = p->tunnel.sleeve.send_errno;
	ev->answered = c->before.done_there && c->look.done_there;
	ev->heard = since(c->before.heard, c->look.heard);
	set_step(e, p, CHECK_WAITING,
		 e->now_us + MIN(AGAIN_US << MIN(c->n, 8), LATER_US));
	c->n++;
	c->last = *ev;
	c->last_us = e->now_us;
	cause = diagnose(ev, detail, sizeof detail);
	health_cause(e, p, cause, detail);
}

/* Is there enough to go on? */
static void advance(struct engine *e, struct peer *p)
{
	struct check *c = p->watch.check;
	bool over = e->now_us >= c->due_us;
	bool seen = c->look.done_here && c->look.done_there;

	switch (c->step) {
	case CHECK_NONE:
		break;
	case CHECK_WAITING:
		if (over && e->n_checks >= MAX_CHECKS) {
			set_step(e, p, CHECK_WAITING, e->now_us + FLIGHT_US);
		} else if (over) {
			begin(e, p);
		}
		break;
	case CHECK_BEFORE:
		if (over || (seen && c->evidence.routed)) {
			send_all(e, p);
		}
		break;
	case CHECK_SENT:
		if (over) {
			set_step(e, p, CHECK_AFTER, e->now_us + LOOK_US);
			look(e, p);
		}
		break;
	case CHECK_AFTER:
		if (over || seen) {
			conclude(e, p);
		}
		break;
	}
}

void check_level(struct engine *e, struct peer *p)
{
	struct watch *w = &p->watch;

	switch (w->level) {
	case PATH_DEAD:
	case PATH_LANES:
		if (!w->check) {
			w->check = xzalloc(sizeof *w->check);
		}
		w->check->n = 0;
		set_step(e, p, CHECK_WAITING, e->now_us);
		break;
	case PATH_GOOD:
	case PATH_LOSES:
	case PATH_SMALL:
		check_stop(e, p);
		break;
	}
}

void check_timer(struct engine *e, struct peer *p)
{
	if (!p->watch.check) {
		return;
	}
	if (tunnel_is_usable(&p->tunnel)) {
		advance(e, p);
	} else {
		set_step(e, p, CHECK_WAITING, e->now_us + AGAIN_US);
	}
	if (p->watch.check) {
		peer_wake(e, p, p->watch.check->due_us);
	}
}

/* ---- Answers ---- */

static bool is_looking(const struct peer *p)
{
	const struct check *c = p->watch.check;

	return p->watch.on && c &&
	       (c->step == CHECK_BEFORE || c->step == CHECK_AFTER);
}

void check_route(struct engine *e, struct peer *p, const struct event *event)
{
	if (is_looking(p)) {
		struct evidence *ev = &p->watch.check->evidence;

		ev->routed = true;
		ev->route_errno = event->os_errno;
		copy_text(ev->route_ifname, sizeof ev->route_ifname,
			  event->route.ifname);
		advance(e, p);
	}
}

void check_sent(struct engine *e, struct peer *p, const struct event *event)
{
	struct check *c = p->watch.check;

	(void)e;
	if (p->watch.on && c && c->step == CHECK_SENT) {
		c->evidence.sent = true;
		c->evidence.send_errno = event->os_errno;
	}
}

void check_looked(struct engine *e, struct peer *p, const struct event *event)
{
	struct check *c = p->watch.check;

	if (is_looking(p) && event->ipsec.n) {
		c->look.here = event->ipsec.sas[0];
		c->look.done_here = true;
		advance(e, p);
	}
}

void check_answered(struct engine *e, struct peer *p,
		    const struct msg_path_checked *m)
{
	struct check *c = p->watch.check;
	struct ipsec_sight *there;

	if (!is_looking(p) || m->number != p->watch.question) {
		return;
	}
	there = &c->look.there;
	c->look.done_there = true;
	c->look.heard = m->heard;
	if (m->n_sas) {
		there->seen = true;
		there->exists = m->sas[0].exists;
		there->packets = m->sas[0].packets;
		there->counted = m->counted;
		there->no_sa = m->no_sa;
		there->not_authentic = m->not_authentic;
		there->policy = m->policy;
		there->other = m->other;
	}
	advance(e, p);
}

/* ---- The other end ---- */

static void answer(struct engine *e, struct peer *p, uint32_t number,
		   const struct event *event)
{
	struct message m = {.type = MSG_PATH_CHECKED};

	m.path_checked.number = number;
	m.path_checked.heard = p->watch.n_heard;
	for (size_t i = 0; event && i < event->ipsec.n; i++) {
		const struct ipsec_sight *s = &event->ipsec.sas[i];

		m.path_checked.sas[i].exists = s->exists;
		m.path_checked.sas[i].packets = s->packets;
		m.path_checked.n_sas++;
		m.path_checked.counted = s->counted;
		m.path_checked.no_sa = s->no_sa;
		m.path_checked.not_authentic = s->not_authentic;
		m.path_checked.policy = s->policy;
		m.path_checked.other = s->other;
	}
	conn_send(e, p->conn, &m);
}

void check_asked(struct engine *e, struct peer *p,
		 const struct msg_path_check *m)
{
	struct pending *pending;
	struct op *op;

	if (!m->n_spis || !engine_encrypts(e) || !p->tunnel.placed) {
		answer(e, p, m->number, NULL);
		return;
	}
	op = ops_add(e->ops, OP_IPSEC_LOOK);
	op->look.dst = p->tunnel.local;
	op->look.inbound = true;
	op->look.n = m->n_spis;
	memcpy(op->look.spis, m->spis, m->n_spis * sizeof *m->spis);
	pending = engine_expect(e, op, PENDING_CHECK_ASKED);
	pending->peer = p->number;
	pending->number = m->number;
}

void check_asked_looked(struct engine *e, struct peer *p, uint32_t number,
			const struct event *event)
{
	if (p->conn) {
		answer(e, p, number, event);
	}
}
