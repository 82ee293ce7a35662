#include "fake/world_state.h"

#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/jsonget.h"
#include "openvswitch/json.h"
#include "util.h"

enum {
	SPIN_LIMIT = 1000 /* Timers at one and the same time. */
};

/* ---- Messages ---- */

void world_note(struct world *w, const char *format, ...)
{
	char *line = w->log[w->n_log++ % LOG_LINES];
	va_list args;
	int n = snprintf(line, LOG_LINE_SIZE, "%10.6f ",
			 (double)w->now_us / 1e6);

	va_start(args, format);
	vsnprintf(line + n, LOG_LINE_SIZE - (size_t)n, format, args);
	va_end(args);
	if (w->verbose) {
		fprintf(stderr, "%s\n", line);
	}
}

void world_fail(struct world *w, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (!w->verbose) {
		size_t first = w->n_log > LOG_LINES ? w->n_log - LOG_LINES : 0;

		for (size_t i = first; i < w->n_log; i++) {
			fprintf(stderr, "%s\n", w->log[i % LOG_LINES]);
		}
	}
	fprintf(stderr, "FDP_SEED=%" PRIu64 " at %.6f s: %s\n", w->seed,
		(double)w->now_us / 1e6, text);
	ck_abort_msg("FDP_SEED=%" PRIu64 ": %s", w->seed, text);
	abort();
}

/* ---- Randomness ---- */

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t draw64(struct world *w)
{
	uint64_t z = w->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t world_draw(struct world *w, uint64_t n)
{
	return draw64(w) % n;
}

bool world_chance(struct world *w, unsigned int per_mille)
{
	return per_mille && world_draw(w, 1000) < per_mille;
}

static void fill(void *aux, void *buf, size_t size)
{
	uint8_t *b = buf;

	for (size_t i = 0; i < size; i++) {
		b[i] = (uint8_t)draw64(aux);
	}
}

uint64_t world_delay(struct world *w)
{
	const struct weather *weather = &w->weather;

	return weather->delay_min_us +
	       world_draw(w, weather->delay_max_us - weather->delay_min_us + 1);
}

/* FNV-1a over everything that was done. */
static void hash(struct world *w, const void *data, size_t size)
{
	const uint8_t *b = data;

	for (size_t i = 0; i < size; i++) {
		w->hash = (w->hash ^ b[i]) * UINT64_C(0x100000001b3);
	}
}

static void hash_u64(struct world *w, uint64_t value)
{
	hash(w, &value, sizeof value);
}

/* ---- The queue: a heap by time, then by order of entry ---- */

static bool before(const struct occurrence *a, const struct occurrence *b)
{
	return a->when_us != b->when_us ? a->when_us < b->when_us
					: a->order < b->order;
}

struct occurrence *world_later(struct world *w, uint64_t when_us,
			       enum occurrence_type type, struct host *host)
{
	struct occurrence *o = xzalloc(sizeof *o);
	size_t i;

	o->when_us = MAX(when_us, w->now_us);
	o->order = w->order++;
	o->type = type;
	o->host = host;
	o->life = host ? host->life : 0;
	wbuf_init(&o->frame, 0);
	if (w->n == w->allocated) {
		w->allocated = w->allocated ? 2 * w->allocated : 64;
		w->heap = xrealloc(w->heap, w->allocated * sizeof *w->heap);
	}
	for (i = w->n++; i && before(o, w->heap[(i - 1) / 2]);
	     i = (i - 1) / 2) {
		w->heap[i] = w->heap[(i - 1) / 2];
	}
	w->heap[i] = o;
	return o;
}

static struct occurrence *take(struct world *w)
{
	struct occurrence *top = w->heap[0];
	struct occurrence *last = w->heap[--w->n];
	size_t i = 0;

	for (size_t child; (child = 2 * i + 1) < w->n; i = child) {
		if (child + 1 < w->n &&
		    before(w->heap[child + 1], w->heap[child])) {
			child++;
		}
		if (!before(w->heap[child], last)) {
			break;
		}
		w->heap[i] = w->heap[child];
	}
	w->heap[i] = last;
	return top;
}

static void occurrence_free(struct occurrence *o)
{
	fake_event_free(o->event);
	fake_packet_free(o->packet);
	wbuf_free(&o->frame);
	free(o);
}

/* ---- The underlay ---- */

bool world_are_apart(const struct world *w, const struct host *a,
		     const struct host *b)
{
	return w->apart[a->index][b->index];
}

bool host_has_address(const struct host *h, const struct ip_addr *ip)
{
	return ip_equal(ip, &h->v4) || ip_equal(ip, &h->v6);
}

struct host *world_host_at(struct world *w, const struct ip_addr *ip)
{
	for (size_t i = 0; i < w->n_hosts; i++) {
		if (host_has_address(w->hosts[i], ip)) {
			return w->hosts[i];
		}
	}
	return NULL;
}

void world_partition(struct world *w, const struct host *a,
		     const struct host *b, bool apart)
{
	world_note(w, "-- %s and %s are %s", a->name, b->name,
		   apart ? "apart" : "joined");
	w->apart[a->index][b->index] = apart;
	w->apart[b->index][a->index] = apart;
}

void world_filter(struct world *w, const struct host *from,
		  const struct host *to, size_t size)
{
	world_note(w, "-- from %s to %s up to %zu bytes", from->name, to->name,
		   size);
	w->largest[from->index][to->index] = size;
}

void world_filter_sleeve(struct world *w, const struct host *from,
			 const struct host *to, size_t size)
{
	world_note(w, "-- from %s to %s, sealed, up to %zu bytes", from->name,
		   to->name, size);
	w->largest_sealed[from->index][to->index] = size;
}

void world_routers_tell(struct world *w, bool tell)
{
	w->routers_tell = tell;
}

/* ---- One step of one engine ---- */

static void run_op(struct host *h, const struct op *op);

void world_step(struct host *h, const struct event *event)
{
	struct world *w = h->world;
	struct ops ops;
	bool dying = false;

	ops_init(&ops);
	engine_step(h->engine, event, w->now_us, &w->rng, &ops);
	for (size_t i = 0; i < ops.n && !dying; i++) {
		run_op(h, &ops.v[i]);
		/* The log is not of this world. */
		dying = h->die_after && ops.v[i].type != OP_LOG &&
			!--h->die_after;
	}
	ops_free(&ops);
	if ((h->fatal || dying) && h->engine) {
		host_kill(h); /* It exits. */
	}
}

/* No key twice, other than once at each end. */
static void check_key(struct host *h, const uint8_t *key, size_t size, bool out,
		      uint32_t spi)
{
	struct world *w = h->world;
	uint8_t padded[XFRM_KEY_SIZE] = {0};
	struct known_key *k = NULL;

	memcpy(padded, key, size);
	for (size_t i = 0; i < w->n_keys; i++) {
		if (!memcmp(w->keys[i].key, padded, sizeof padded)) {
			k = &w->keys[i];
		}
	}
	if (!k) {
		ovs_assert(w->n_keys < MAX_KEYS);
		k = &w->keys[w->n_keys++];
		memset(k, 0, sizeof *k);
		memcpy(k->key, padded, sizeof k->key);
	}
	if (out ? k->out || k->in == h : k->in || k->out == h) {
		world_fail(w, "%s installs a key twice (SPI %x)", h->name, spi);
	}
	*(out ? &k->out : &k->in) = h;
}

static void check_sa_key(struct host *h, const struct xfrm_sa *sa)
{
	bool out = ip_equal(&sa->src, &h->v4) || ip_equal(&sa->src, &h->v6);

	check_key(h, sa->key, sizeof sa->key, out, sa->spi);
}

/* Where there is a password, there is a cipher. */
static void check_sleeve_key(struct host *h, const struct op *op)
{
	const struct op_sleeve *s = &op->sleeve;

	if (s->cipher != SLEEVE_CIPHER_NONE) {
		check_key(h, s->key.b, sizeof s->key.b,
			  op->type == OP_SLEEVE_OUT, s->index);
	} else if (h->kernel.guarded) {
		world_fail(h->world, "%s has a sleeve without a cipher",
			   h->name);
	}
}

/* An out policy is pinned only to what is there. */
static void check_pin(struct host *h, const struct xfrm_policy *p)
{
	for (size_t i = 0; i < h->kernel.n_sas; i++) {
		const struct xfrm_sa *sa = &h->kernel.sas[i].sa;

		if (sa->spi == p->spi && ip_equal(&sa->dst, &p->dst)) {
			return;
		}
	}
	if (!h->kernel.robbed) {
		world_fail(h->world,
			   "%s pins a policy to SPI %x, which is not there",
			   h->name, p->spi);
	}
}

static void hash_op(struct world *w, const struct host *h, const struct op *op)
{
	hash_u64(w, w->now_us);
	hash_u64(w, h->index);
	hash_u64(w, op->type);
	hash_u64(w, op->cookie);
	hash_u64(w, op->conn);
	hash(w, op->bytes.data, op->bytes.size);
	if (op->text) {
		hash(w, op->text, strlen(op->text));
	}
	if (op->type == OP_FLOW_PUT || op->type == OP_FLOW_DEL) {
		hash(w, &op->flow.ufid, sizeof op->flow.ufid);
	} else if (op->type == OP_SA_ADD) {
		hash(w, op->sa.key, sizeof op->sa.key);
	} else if (op->type == OP_SLEEVE_IN || op->type == OP_SLEEVE_OUT) {
		hash(w, &op->sleeve.key, sizeof op->sleeve.key);
		hash_u64(w, op->sleeve.index);
	} else if (op->type == OP_POLICY_PUT || op->type == OP_POLICY_DEL) {
		hash_u64(w, op->policy.reqid);
		hash_u64(w, op->policy.spi);
	}
}

static void op_text(const struct op *op, char *buf, size_t size)
{
	char ip[IP_STRLEN], ip2[IP_STRLEN];

	switch (op->type) {
	case OP_SEND:
	case OP_CLOSE:
		snprintf(buf, size, "conn %u, %zu bytes", op->conn,
			 op->bytes.size);
		break;
	case OP_DIAL:
		snprintf(buf, size, "conn %u, %s", op->conn,
			 ip_format(&op->dial.remote.ip, ip));
		break;
	case OP_SA_ADD:
	case OP_SA_DEL:
		snprintf(buf, size, "dst %s spi %x", ip_format(&op->sa.dst, ip),
			 op->sa.spi);
		break;
	case OP_POLICY_PUT:
	case OP_POLICY_DEL:
		snprintf(buf, size, "%s %s -> %s %s reqid %x spi %x",
			 op->policy.dir == XFRM_DIR_OUT ? "out" : "in",
			 ip_format(&op->policy.src, ip),
			 ip_format(&op->policy.dst, ip2),
			 op->policy.block ? "block" : "esp", op->policy.reqid,
			 op->policy.spi);
		break;
	case OP_LOG:
	case OP_REPLY:
	case OP_FATAL:
		snprintf(buf, size, "%s", op->text);
		break;
	case OP_SLEEVE_IN:
	case OP_SLEEVE_IN_DEL:
	case OP_SLEEVE_OUT:
	case OP_SLEEVE_MTU:
	case OP_SLEEVE_DEL:
		snprintf(buf, size, "peer %u index %x epoch %u mtu %u",
			 op->sleeve.peer, op->sleeve.index, op->sleeve.epoch,
			 op->sleeve.mtu);
		break;
	case OP_SLEEVE_LANE:
		snprintf(buf, size, "vid %u peer %u vni %u%s",
			 op->sleeve_lane.vid, op->sleeve_lane.peer,
			 op->sleeve_lane.vni,
			 op->sleeve_lane.del ? " gone" : "");
		break;
	case OP_FLOW_PUT:
	case OP_FLOW_DEL:
		snprintf(buf, size, "%02x%02x %zu actions", op->flow.ufid.b[0],
			 op->flow.ufid.b[1], op->flow.actions.n);
		break;
	case OP_DATAPATH_ADD:
	case OP_DATAPATH_DEL:
	case OP_VPORT_ADD:
	case OP_VPORT_ADOPT:
	case OP_VPORT_DEL:
	case OP_FLOW_DUMP:
	case OP_EXECUTE:
	case OP_GUARD_PUT:
	case OP_GUARD_DEL:
	case OP_IPSEC_LOOK:
	case OP_SEND_TEST:
	case OP_ROUTE_GET:
	case OP_ROUTE_FORGET:
	case OP_LINK_MTU:
	case OP_LINK_SET:
	case OP_LINK_DEL:
	case OP_SAVE:
	case OP_REMEMBER:
		*buf = '\0';
		break;
	}
}

/* What it writes it can read again: else it would know nothing after the next
 * start. */
static void check_state(struct host *h, const struct op *op)
{
	char *text = xmemdup0((const char *)op->bytes.data, op->bytes.size);
	char why[160];

	if (!engine_state_is_valid(text, why, sizeof why)) {
		world_fail(h->world, "%s saves what is no state (%s): %s",
			   h->name, why, text);
	}
	free(text);
}

static void run_op(struct host *h, const struct op *op)
{
	struct world *w = h->world;
	char text[160];

	hash_op(w, h, op);
	op_text(op, text, sizeof text);
	world_note(w, "%s %s: %s", h->name, op_type_name(op->type), text);
	if (op->type == OP_GUARD_PUT) {
		h->n_trusted_before = 0;
	}
	switch (op->type) {
	case OP_DIAL:
		world_dial(h, op);
		return;
	case OP_SEND:
		world_send(h, op);
		return;
	case OP_CLOSE:
		world_close(h, op);
		return;
	case OP_REPLY:
		if (!op->reply.command) {
			return; /* To nobody. */
		}
		free(h->reply);
		h->reply = xstrdup(op->text);
		h->reply_ok = op->reply.ok;
		h->replied = true;
		return;
	case OP_LOG:
		if (op->level <= OP_LOG_WARN) {
			h->n_warnings++;
			free(h->warning);
			h->warning = xstrdup(op->text);
		}
		h->n_alarms += !strncmp(op->text, "ALARM", 5);
		h->n_sessions += !strncmp(op->text, "connected to", 12);
		return;
	case OP_SAVE:
		check_state(h, op);
		if (!h->kernel.disk_error) {
			free(h->state);
			h->state = xmemdup0((const char *)op->bytes.data,
					    op->bytes.size);
			h->n_saves++;
		}
		break;
	case OP_REMEMBER:
		if (!h->kernel.disk_error) {
			free(h->peers);
			h->peers = xmemdup0((const char *)op->bytes.data,
					    op->bytes.size);
		}
		break;
	case OP_FATAL:
		free(h->fatal);
		h->fatal = xstrdup(op->text);
		return;
	case OP_SLEEVE_IN:
	case OP_SLEEVE_OUT:
		check_sleeve_key(h, op);
		break;
	case OP_SA_ADD:
		check_sa_key(h, &op->sa);
		break;
	case OP_POLICY_PUT:
		if (op->policy.spi) {
			check_pin(h, &op->policy);
		}
		break;
	case OP_DATAPATH_ADD:
	case OP_DATAPATH_DEL:
	case OP_VPORT_ADD:
	case OP_VPORT_ADOPT:
	case OP_VPORT_DEL:
	case OP_FLOW_PUT:
	case OP_FLOW_DEL:
	case OP_FLOW_DUMP:
	case OP_EXECUTE:
	case OP_SA_DEL:
	case OP_POLICY_DEL:
	case OP_GUARD_PUT:
	case OP_GUARD_DEL:
	case OP_IPSEC_LOOK:
	case OP_SLEEVE_IN_DEL:
	case OP_SLEEVE_MTU:
	case OP_SLEEVE_DEL:
	case OP_SLEEVE_LANE:
	case OP_SEND_TEST:
	case OP_ROUTE_GET:
	case OP_ROUTE_FORGET:
	case OP_LINK_MTU:
	case OP_LINK_SET:
	case OP_LINK_DEL:
		break;
	}
	fake_kernel_run(&h->kernel, op);
}

/* ---- What kernels say ---- */

static void kernel_transmit(void *aux, struct fake_packet *p)
{
	struct host *h = aux;
	struct world *w = h->world;
	struct host *to = world_host_at(w, &p->dst);
	const size_t largest = !to ? 0
			       : p->sleeve
				       ? w->largest_sealed[h->index][to->index]
				       : w->largest[h->index][to->index];
	unsigned int copies = 1;

	if (to && p->size > largest && w->routers_tell && largest) {
		fake_kernel_tell(&h->kernel, &p->dst, (uint32_t)largest);
	}
	if (!to || p->size > largest || world_chance(w, w->weather.loss)) {
		fake_packet_free(p);
		return;
	}
	/* Each pair of hosts has a few routers between. */
	p->ttl = (uint8_t)(p->ttl - (3 * h->index + to->index) % 16);
	if (world_chance(w, w->weather.dup)) {
		copies = 2;
	}
	while (copies--) {
		uint64_t when_us = w->now_us + world_delay(w);
		struct occurrence *o;

		if (world_chance(w, w->weather.reorder)) {
			when_us += world_delay(w);
		}
		o = world_later(w, when_us, OCCUR_PACKET, to);
		o->packet = copies ? xmemdup(p, sizeof *p) : p;
		if (copies) {
			o->packet->frame = xmemdup(p->frame, p->frame_size);
		}
	}
}

/* When the host gets to what is there at 'when_us'.  Connections are what a
 * turn of a slow host takes its time for. */
uint64_t world_in_turn(const struct host *h, uint64_t when_us, enum stage stage)
{
	uint64_t turn_us = h->turn_us, begins_us;

	if (!turn_us) {
		return when_us;
	}
	begins_us = turn_us / 8 * stage;
	if (stage == STAGE_CONNECTIONS && when_us % turn_us >= begins_us) {
		return when_us;
	}
	if (when_us % turn_us > begins_us) {
		when_us += turn_us;
	}
	return when_us / turn_us * turn_us + begins_us;
}

static void kernel_deliver(void *aux, const char *link, struct span frame)
{
	struct host *h = aux;
	struct occurrence *o =
		world_later(h->world, h->world->now_us + 1, OCCUR_FRAME, h);

	snprintf(o->link, sizeof o->link, "%s", link);
	wbuf_bytes(&o->frame, frame.data, frame.size);
}

static void kernel_notify(void *aux, struct fake_event *e)
{
	struct host *h = aux;
	struct world *w = h->world;

	if (!h->engine) {
		fake_event_free(e);
		return;
	}
	if (h->guard_us && e->event.type == EVENT_RESULT &&
	    e->event.result.op == OP_GUARD_PUT) {
		world_later(w, w->now_us + h->guard_us, OCCUR_HOST, h)->event =
			e;
		return;
	}
	/* In order, soon. */
	h->results_us = MAX(h->results_us, w->now_us + world_draw(w, 300));
	h->results_us = world_in_turn(h, h->results_us, STAGE_KERNEL);
	world_later(w, h->results_us, OCCUR_HOST, h)->event = e;
}

static void kernel_breach(void *aux, const char *text)
{
	struct host *h = aux;

	world_fail(h->world, "%s: %s", h->name, text);
}

void world_give_kernel(struct host *h)
{
	fake_kernel_init(&h->kernel);
	h->kernel.transmit = kernel_transmit;
	h->kernel.deliver = kernel_deliver;
	h->kernel.notify = kernel_notify;
	h->kernel.breach = kernel_breach;
	h->kernel.aux = h;
}

/* A deleted port's number may be another one's by the time that the daemon is
 * told; kmod-glue/odp_socket.c asks the kernel again. */
static bool is_outdated(const struct host *h, const struct event *event)
{
	if (event->type != EVENT_VPORT_GONE) {
		return false;
	}
	for (size_t i = 0; i < h->kernel.n_ports; i++) {
		if (h->kernel.ports[i].port_no == event->port_no) {
			return true;
		}
	}
	return false;
}

/* ---- Time ---- */

static void frame_arrives(struct host *h, const char *link, struct span frame)
{
	for (size_t i = 0; i < h->n_endpoints; i++) {
		if (!strcmp(h->endpoints[i]->link, link)) {
			endpoint_receive(h->endpoints[i], frame);
			return;
		}
	}
}

static void packet_arrives(struct world *w, struct host *to,
			   const struct fake_packet *p)
{
	const struct host *from = world_host_at(w, &p->src);

	if (!from || !world_are_apart(w, from, to)) {
		fake_kernel_arrive(&to->kernel, p);
	}
}

static void give_passwords(struct host *h)
{
	struct event event = {.type = EVENT_PASSWORDS};

	world_note(h->world, "-- %s has its passwords", h->name);
	h->awaits_password = false;
	event.passwords.slots = h->slots;
	event.passwords.n = h->n_slots;
	world_step(h, &event);
}

static void happen(struct world *w, struct occurrence *o)
{
	switch (o->type) {
	case OCCUR_HOST:
		if (o->host->engine && o->host->life == o->life &&
		    !is_outdated(o->host, &o->event->event)) {
			world_step(o->host, &o->event->event);
		}
		break;
	case OCCUR_DIAL:
		world_dial_arrives(w, o->stream);
		break;
	case OCCUR_PUMP:
		world_pump(w, o->stream, o->side);
		break;
	case OCCUR_PACKET:
		packet_arrives(w, o->host, o->packet);
		break;
	case OCCUR_FRAME:
		frame_arrives(o->host, o->link, wbuf_span(&o->frame));
		break;
	case OCCUR_PASSWORDS:
		if (o->host->engine && o->host->life == o->life) {
			give_passwords(o->host);
		}
		break;
	}
}

/* UINT64_MAX if it has none. */
static uint64_t timer_us(const struct host *h)
{
	uint64_t when_us = h->engine ? engine_deadline(h->engine) : UINT64_MAX;

	return when_us == UINT64_MAX ? when_us
				     : world_in_turn(h, when_us, STAGE_TIMERS);
}

/* The host whose timer is due first; NULL if that is after 'limit_us'. */
static struct host *next_timer(struct world *w, uint64_t limit_us)
{
	struct host *first = NULL;
	uint64_t first_us = limit_us;

	for (size_t i = 0; i < w->n_hosts; i++) {
		struct host *h = w->hosts[i];
		uint64_t when_us = timer_us(h);

		if (when_us < first_us || (when_us == first_us && !first)) {
			first = h;
			first_us = when_us;
		}
	}
	return first_us == UINT64_MAX ? NULL : first;
}

static void fire_timer(struct world *w, struct host *h)
{
	struct event event = {.type = EVENT_TIMER};

	w->now_us = MAX(w->now_us, timer_us(h));
	if (w->spin_us != w->now_us) {
		w->spin_us = w->now_us;
		w->spins = 0;
	}
	if (++w->spins > SPIN_LIMIT) {
		world_fail(w, "%s: the timer spins", h->name);
	}
	world_step(h, &event);
}

/* False if nothing happens up to 'limit_us'. */
static bool advance(struct world *w, uint64_t limit_us)
{
	uint64_t next_us = w->n ? w->heap[0]->when_us : UINT64_MAX;
	struct host *timer = next_timer(w, MIN(limit_us, next_us));
	struct occurrence *o;

	if (timer && timer_us(timer) < next_us) {
		fire_timer(w, timer);
		return true;
	}
	if (next_us > limit_us) {
		return false;
	}
	o = take(w);
	w->now_us = o->when_us;
	happen(w, o);
	occurrence_free(o);
	return true;
}

void world_run(struct world *w, uint64_t duration_us)
{
	uint64_t limit_us = w->now_us + duration_us;

	while (advance(w, limit_us)) {
	}
	w->now_us = limit_us;
}

bool world_run_until(struct world *w, bool (*done)(void *aux), void *aux,
		     uint64_t timeout_us)
{
	uint64_t limit_us = w->now_us + timeout_us;

	while (!done(aux)) {
		if (w->now_us >= limit_us) {
			return false;
		}
		world_run(w, 50 * MS);
	}
	return true;
}

/* ---- The world ---- */

struct world *world_new(uint64_t seed)
{
	struct world *w = xzalloc(sizeof *w);

	if (sodium_init() < 0) {
		abort();
	}
	w->seed = w->random = seed;
	w->rng.fill = fill;
	w->rng.aux = w;
	w->now_us = SEC + world_draw(w, 100 * SEC);
	w->hash = UINT64_C(0xcbf29ce484222325);
	w->verbose = getenv("FDP_SEED") != NULL;
	w->weather.delay_min_us = 50;
	w->weather.delay_max_us = 3000;
	w->next_command = 1;
	memset(w->largest, 0xff, sizeof w->largest);
	memset(w->largest_sealed, 0xff, sizeof w->largest_sealed);
	return w;
}

void world_free(struct world *w)
{
	while (w->n) {
		occurrence_free(take(w));
	}
	free(w->heap);
	for (size_t i = 0; i < w->n_hosts; i++) {
		struct host *h = w->hosts[i];

		engine_free(h->engine);
		ovs_assert(!h->kernel.n_flows_invalid);
		fake_kernel_done(&h->kernel);
		for (size_t j = 0; j < h->n_endpoints; j++) {
			endpoint_free(h->endpoints[j]);
		}
		free(h->state);
		free(h->peers);
		free(h->warning);
		free(h->fatal);
		free(h->reply);
		free(h);
	}
	world_free_streams(w);
	free(w);
}

uint64_t world_now(const struct world *w)
{
	return w->now_us;
}

uint64_t world_hash(const struct world *w)
{
	return w->hash;
}

struct weather *world_weather(struct world *w)
{
	return &w->weather;
}

struct host *world_host(struct world *w, unsigned int index)
{
	ovs_assert(index < w->n_hosts);
	return w->hosts[index];
}

unsigned int world_share(void)
{
	const char *share = getenv("FDP_SHARE");

	return share ? (unsigned int)MAX(atoi(share), 1) : 1;
}

void world_each_seed(unsigned int n, void (*body)(uint64_t seed))
{
	const char *only = getenv("FDP_SEED"), *range = getenv("FDP_SEEDS");
	uint64_t first = 1, last = n, step = 1;

	if (only) {
		first = last = strtoull(only, NULL, 0);
	} else if (range) {
		char *end;

		first = strtoull(range, &end, 0);
		last = *end == '-' ? strtoull(end + 1, NULL, 0) : first;
	} else {
		step = world_share();
	}
	for (uint64_t seed = first; seed <= last; seed += step) {
		body(seed);
	}
}

struct ip_addr ip_of(const char *text)
{
	struct ip_addr ip;

	if (ip_addr_parse(text, &ip)) {
		ck_abort_msg("\"%s\" is no address", text);
	}
	return ip;
}
