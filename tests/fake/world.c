#include "fake/world.h"

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
	LOG_LINES = 80, /* Shown when something fails. */
	LOG_LINE_SIZE = 200,
	MAX_KEYS = 16384,
	SPIN_LIMIT = 1000 /* Timers at one and the same time. */
};

/* ---- Events to come ---- */

enum occurrence_type {
	OCCUR_HOST,	/* An event of its own kernel for a daemon. */
	OCCUR_DIAL,	/* A connection request reaches its destination. */
	OCCUR_PUMP,	/* A stream may have something to deliver. */
	OCCUR_PACKET,	/* VXLAN arrives. */
	OCCUR_FRAME,	/* A frame reaches a container. */
	OCCUR_PASSWORDS /* They are stretched. */
};

struct occurrence {
	uint64_t when_us, order;
	enum occurrence_type type;
	struct host *host;
	unsigned int
		life; /* OCCUR_HOST, OCCUR_PASSWORDS: of the daemon meant. */
	struct fake_event *event;   /* OCCUR_HOST */
	struct stream *stream;	    /* OCCUR_DIAL, OCCUR_PUMP */
	unsigned int side;	    /* OCCUR_PUMP */
	struct fake_packet *packet; /* OCCUR_PACKET */
	char link[16];		    /* OCCUR_FRAME */
	struct wbuf frame;	    /* OCCUR_FRAME */
};

/* Something on its way to one side of a stream. */
struct chunk {
	struct chunk *next;
	uint64_t when_us;
	enum event_type type; /* DIALED, ACCEPTED, DATA, CLOSED */
	int os_errno;
	struct wbuf bytes;
};

struct side {
	struct host *host;
	unsigned int life;
	uint32_t conn;
	bool open; /* The daemon wants to hear of it. */
	struct ip_endpoint local;
	struct chunk *first, **end;
	uint64_t last_us;
};

struct stream {
	struct stream *next;
	struct side side[2]; /* 0 dialled. */
	bool up, dead;	     /* dead: nothing is delivered but ends. */
};

/* A key that was installed somewhere. */
struct known_key {
	uint8_t key[XFRM_KEY_SIZE];
	const struct host *in, *out;
};

struct world {
	uint64_t seed;
	uint64_t random;
	struct rng rng;
	uint64_t now_us;
	uint64_t order;
	uint64_t hash;
	bool verbose;
	struct weather weather;

	struct host *hosts[WORLD_MAX_HOSTS];
	size_t n_hosts;
	bool apart[WORLD_MAX_HOSTS][WORLD_MAX_HOSTS];
	size_t largest[WORLD_MAX_HOSTS][WORLD_MAX_HOSTS]; /* VXLAN packet. */
	size_t largest_sealed[WORLD_MAX_HOSTS][WORLD_MAX_HOSTS];
	bool routers_tell;

	struct occurrence **heap;
	size_t n, allocated;
	struct stream *streams;
	struct known_key keys[MAX_KEYS];
	size_t n_keys;
	uint64_t spin_us;
	unsigned int spins;
	uint32_t next_command;

	char log[LOG_LINES][LOG_LINE_SIZE];
	size_t n_log;
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

static bool chance(struct world *w, unsigned int per_mille)
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

static uint64_t delay(struct world *w)
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

static struct occurrence *later(struct world *w, uint64_t when_us,
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

/* ---- Streams ---- */

static bool are_apart(const struct world *w, const struct host *a,
		      const struct host *b)
{
	return w->apart[a->index][b->index];
}

static bool has_address(const struct host *h, const struct ip_addr *ip)
{
	return ip_equal(ip, &h->v4) || ip_equal(ip, &h->v6);
}

/* Does nothing pass now, though neither end knows? */
static bool is_stuck(const struct world *w, const struct stream *s)
{
	const struct side *a = &s->side[0], *b = &s->side[1];

	return are_apart(w, a->host, b->host) ||
	       !has_address(a->host, &a->local.ip) ||
	       !has_address(b->host, &b->local.ip);
}

static void push(struct world *w, struct stream *s, unsigned int to,
		 enum event_type type, int os_errno, struct span bytes,
		 uint64_t when_us)
{
	struct side *side = &s->side[to];
	struct chunk *c = xzalloc(sizeof *c);
	struct occurrence *o;

	c->type = type;
	c->os_errno = os_errno;
	wbuf_init(&c->bytes, 0);
	wbuf_bytes(&c->bytes, bytes.data, bytes.size);
	c->when_us = side->last_us = MAX(side->last_us, when_us);
	*side->end = c;
	side->end = &c->next;
	o = later(w, c->when_us, OCCUR_PUMP, NULL);
	o->stream = s;
	o->side = to;
}

static void clear_chunks(struct side *side)
{
	while (side->first) {
		struct chunk *c = side->first;

		side->first = c->next;
		wbuf_free(&c->bytes);
		free(c);
	}
	side->end = &side->first;
}

static struct stream *stream_of(struct host *h, uint32_t conn,
				unsigned int *side)
{
	for (struct stream *s = h->world->streams; s; s = s->next) {
		for (unsigned int i = 0; i < 2; i++) {
			if (s->side[i].host == h && s->side[i].open &&
			    s->side[i].life == h->life &&
			    s->side[i].conn == conn) {
				*side = i;
				return s;
			}
		}
	}
	return NULL;
}

static struct host *host_at(struct world *w, const struct ip_addr *ip)
{
	for (size_t i = 0; i < w->n_hosts; i++) {
		if (has_address(w->hosts[i], ip)) {
			return w->hosts[i];
		}
	}
	return NULL;
}

static bool trusts(const struct host *h, const struct ip_addr *ip)
{
	for (size_t i = 0; i < h->n_trusts_now; i++) {
		if (prefix_contains(&h->trusts[i], ip)) {
			return true;
		}
	}
	return false;
}

/* Each host has to name the address of the other one.  What is without a daemon
 * goes on as it was agreed: it cannot know what the other one says since. */
static bool kernel_may_be_plain(void *h_, const struct ip_addr *a,
				const struct ip_addr *b)
{
	const struct host *h = h_;
	const struct host *ha = host_at(h->world, a),
			  *hb = host_at(h->world, b);
	const struct host *other = ha == h ? hb : ha;

	if (!ha || !hb) {
		return false;
	}
	if (!h->engine && other != h) {
		return trusts(h, other == ha ? a : b) &&
		       h->was_trusted[other->index];
	}
	return trusts(ha, b) && trusts(hb, a);
}

/* Its daemon is about to die.  If that has not closed yet what the one before
 * had opened, what that one knew counts, too. */
static void note_trust(struct host *h)
{
	for (unsigned int i = 0; i < h->world->n_hosts; i++) {
		const struct host *other = h->world->hosts[i];

		h->was_trusted[i] = trusts(other, &h->v4) ||
				    trusts(other, &h->v6) ||
				    (h->n_trusted_before && h->was_trusted[i]);
	}
}

static struct stream *stream_new(struct world *w)
{
	struct stream *s = xzalloc(sizeof *s);

	for (unsigned int i = 0; i < 2; i++) {
		s->side[i].end = &s->side[i].first;
	}
	s->next = w->streams;
	w->streams = s;
	return s;
}

static void run_dial(struct host *h, const struct op *op)
{
	struct world *w = h->world;
	struct stream *s = stream_new(w);
	struct side *side = &s->side[0];

	side->host = h;
	side->life = h->life;
	side->conn = op->conn;
	side->open = true;
	side->local.ip = ip_is_v4(&op->dial.remote.ip) ? h->v4 : h->v6;
	side->local.port = (uint16_t)(30000 + op->conn % 30000);
	s->side[1].local = op->dial.remote;
	s->side[1].host = host_at(w, &op->dial.remote.ip);
	later(w, w->now_us + delay(w), OCCUR_DIAL, NULL)->stream = s;
}

/* The request arrives. */
static void dial_arrives(struct world *w, struct stream *s)
{
	struct side *from = &s->side[0], *to = &s->side[1];
	struct host *h = to->host;

	if (!from->open) {
		return;
	}
	if (!h || are_apart(w, from->host, h)) {
		return; /* Nobody answers. */
	}
	if (h->engine && h->awaits_password) {
		later(w, w->now_us + 20 * MS, OCCUR_DIAL, NULL)->stream = s;
		return;
	}
	if (!h->engine || to->local.port != WORLD_PORT ||
	    chance(w, w->weather.dial_failure)) {
		push(w, s, 0, EVENT_CLOSED, ECONNREFUSED, span_of(NULL, 0),
		     w->now_us + delay(w));
		return;
	}
	to->life = h->life;
	to->conn = h->next_accept;
	h->next_accept += 2;
	to->open = true;
	s->up = true;
	push(w, s, 1, EVENT_ACCEPTED, 0, span_of(NULL, 0), w->now_us);
	push(w, s, 0, EVENT_DIALED, 0, span_of(NULL, 0), w->now_us + delay(w));
}

static void run_send(struct host *h, const struct op *op)
{
	struct world *w = h->world;
	struct span rest = wbuf_span(&op->bytes);
	unsigned int side;
	struct stream *s = stream_of(h, op->conn, &side);
	uint64_t when_us;
	bool cut;

	if (!s) {
		return;
	}
	if (!rest.size) {
		world_fail(w, "%s sends nothing", h->name);
	}
	if (!s->up) {
		world_fail(w, "%s sends before it is connected", h->name);
	}
	if (s->dead || !s->side[!side].open) {
		/* Reset, once the other host is there to do so. */
		if (!is_stuck(w, s)) {
			push(w, s, side, EVENT_CLOSED, ECONNRESET,
			     span_of(NULL, 0), w->now_us + delay(w));
		}
		return;
	}
	when_us = w->now_us + delay(w);
	cut = chance(w, w->weather.cut);
	if (cut) {
		rest.size = world_draw(w, rest.size);
	}
	while (rest.size) {
		size_t size = rest.size;
		struct span piece = rest;

		if (w->weather.small_chunks) {
			size = 1 + world_draw(w, MIN(rest.size, 200));
		}
		piece.size = size;
		push(w, s, !side, EVENT_DATA, 0, piece, when_us);
		rest = span_of(rest.data + size, rest.size - size);
		when_us += w->weather.small_chunks ? world_draw(w, 300) : 0;
	}
	if (cut) {
		world_note(w, "-- conn %u of %s breaks there", op->conn,
			   h->name);
		push(w, s, !side, EVENT_CLOSED, ECONNRESET, span_of(NULL, 0),
		     when_us);
		push(w, s, side, EVENT_CLOSED, ECONNRESET, span_of(NULL, 0),
		     w->now_us + delay(w));
		s->dead = true;
	}
}

static void run_close(struct host *h, const struct op *op)
{
	unsigned int side;
	struct stream *s = stream_of(h, op->conn, &side);

	if (!s) {
		return;
	}
	s->side[side].open = false;
	clear_chunks(&s->side[side]);
	if (s->up && !s->dead) {
		push(h->world, s, !side, EVENT_CLOSED, 0, span_of(NULL, 0),
		     h->world->now_us + delay(h->world));
	}
}

/* A dead process's or a cut line's ends. */
static void stream_reset(struct world *w, struct stream *s, unsigned int to,
			 int os_errno)
{
	struct side *side = &s->side[to];

	if (side->open && s->up) {
		clear_chunks(side);
		side->last_us = 0;
		push(w, s, to, EVENT_CLOSED, os_errno, span_of(NULL, 0),
		     w->now_us + delay(w));
	}
}

void world_break(struct world *w, const struct host *a, const struct host *b)
{
	world_note(w, "-- connections between %s and %s break", a->name,
		   b->name);
	for (struct stream *s = w->streams; s; s = s->next) {
		const struct host *x = s->side[0].host, *y = s->side[1].host;

		if (s->up && ((x == a && y == b) || (x == b && y == a))) {
			stream_reset(w, s, 0, ECONNRESET);
			stream_reset(w, s, 1, ECONNRESET);
			s->dead = true;
		}
	}
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

static void step(struct host *h, const struct event *event)
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
		run_dial(h, op);
		return;
	case OP_SEND:
		run_send(h, op);
		return;
	case OP_CLOSE:
		run_close(h, op);
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
	struct host *to = host_at(w, &p->dst);
	const size_t largest = !to ? 0
			       : p->sleeve
				       ? w->largest_sealed[h->index][to->index]
				       : w->largest[h->index][to->index];
	unsigned int copies = 1;

	if (to && p->size > largest && w->routers_tell && largest) {
		fake_kernel_tell(&h->kernel, &p->dst, (uint32_t)largest);
	}
	if (!to || p->size > largest || chance(w, w->weather.loss)) {
		fake_packet_free(p);
		return;
	}
	/* Each pair of hosts has a few routers between. */
	p->ttl = (uint8_t)(p->ttl - (3 * h->index + to->index) % 16);
	if (chance(w, w->weather.dup)) {
		copies = 2;
	}
	while (copies--) {
		uint64_t when_us = w->now_us + delay(w);
		struct occurrence *o;

		if (chance(w, w->weather.reorder)) {
			when_us += delay(w);
		}
		o = later(w, when_us, OCCUR_PACKET, to);
		o->packet = copies ? xmemdup(p, sizeof *p) : p;
		if (copies) {
			o->packet->frame = xmemdup(p->frame, p->frame_size);
		}
	}
}

/* A turn of kmod-glue/loop.c: what the kernel says, timers, connections. */
enum stage {
	STAGE_KERNEL,
	STAGE_TIMERS,
	STAGE_CONNECTIONS
};

/* When the host gets to what is there at 'when_us'.  Connections are what a
 * turn of a slow host takes its time for. */
static uint64_t in_turn(const struct host *h, uint64_t when_us,
			enum stage stage)
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
		later(h->world, h->world->now_us + 1, OCCUR_FRAME, h);

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
		later(w, w->now_us + h->guard_us, OCCUR_HOST, h)->event = e;
		return;
	}
	/* In order, soon. */
	h->results_us = MAX(h->results_us, w->now_us + world_draw(w, 300));
	h->results_us = in_turn(h, h->results_us, STAGE_KERNEL);
	later(w, h->results_us, OCCUR_HOST, h)->event = e;
}

static void kernel_breach(void *aux, const char *text)
{
	struct host *h = aux;

	world_fail(h->world, "%s: %s", h->name, text);
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

static void deliver(struct world *w, struct stream *s, unsigned int to)
{
	struct side *side = &s->side[to];
	struct chunk *c = side->first;
	struct event event;
	struct host *h = side->host;

	if (!c || c->when_us > w->now_us) {
		return;
	}
	if (h && in_turn(h, w->now_us, STAGE_CONNECTIONS) != w->now_us) {
		struct occurrence *o =
			later(w, in_turn(h, w->now_us, STAGE_CONNECTIONS),
			      OCCUR_PUMP, NULL);

		o->stream = s;
		o->side = to;
		return;
	}
	if (s->up && is_stuck(w, s)) {
		/* It is sent again and again. */
		struct occurrence *o =
			later(w, w->now_us + 200 * MS, OCCUR_PUMP, NULL);

		o->stream = s;
		o->side = to;
		return;
	}
	side->first = c->next;
	if (!side->first) {
		side->end = &side->first;
	}
	if (side->open && h->engine && h->life == side->life) {
		memset(&event, 0, sizeof event);
		event.type = c->type;
		event.conn = side->conn;
		event.os_errno = c->os_errno;
		if (c->type == EVENT_DATA) {
			event.bytes = wbuf_span(&c->bytes);
		} else if (c->type != EVENT_CLOSED) {
			event.accepted.local = side->local;
			event.accepted.remote = s->side[!to].local;
		}
		if (c->type == EVENT_CLOSED) {
			side->open = false;
		}
		step(h, &event);
	}
	wbuf_free(&c->bytes);
	free(c);
	if (side->first) {
		struct occurrence *o =
			later(w, side->first->when_us, OCCUR_PUMP, NULL);

		o->stream = s;
		o->side = to;
	}
}

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
	const struct host *from = host_at(w, &p->src);

	if (!from || !are_apart(w, from, to)) {
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
	step(h, &event);
}

static void happen(struct world *w, struct occurrence *o)
{
	switch (o->type) {
	case OCCUR_HOST:
		if (o->host->engine && o->host->life == o->life &&
		    !is_outdated(o->host, &o->event->event)) {
			step(o->host, &o->event->event);
		}
		break;
	case OCCUR_DIAL:
		dial_arrives(w, o->stream);
		break;
	case OCCUR_PUMP:
		deliver(w, o->stream, o->side);
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
				     : in_turn(h, when_us, STAGE_TIMERS);
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
	step(h, &event);
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
	while (w->streams) {
		struct stream *s = w->streams;

		w->streams = s->next;
		clear_chunks(&s->side[0]);
		clear_chunks(&s->side[1]);
		free(s);
	}
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

/* ---- Hosts ---- */

void host_set_password(struct host *h, size_t slot, const char *password)
{
	struct hs_slot *s = &h->slots[slot];

	/* Stretching is for people's passwords; these only have to differ. */
	crypto_generichash(s->prs.b, sizeof s->prs.b, (const uint8_t *)password,
			   strlen(password), NULL, 0);
	crypto_generichash(s->psk.b, sizeof s->psk.b, s->prs.b, sizeof s->prs.b,
			   NULL, 0);
	h->n_slots = MAX(h->n_slots, slot + 1);
	h->kernel.guarded = true;
}

static unsigned int some_lanes(uint64_t seed, unsigned int index)
{
	static const unsigned int some[] = {4, 1, 3, 16, 2, 5};

	switch (seed % 3) {
	case 0:
		return 1;
	case 1:
		return 4;
	default:
		return some[(seed / 3 + index) % ARRAY_SIZE(some)];
	}
}

void host_new_key(struct host *h)
{
	fill(h->world, &h->key, sizeof h->key);
	h->has_key = true;
}

struct host *world_add_host(struct world *w, const char *name,
			    const char *password)
{
	struct host *h = xzalloc(sizeof *h);
	uint8_t n = (uint8_t)(w->n_hosts + 1);
	const uint8_t v4[4] = {192, 0, 2, n};
	const uint8_t v6[16] = {0x20, 1, 0xd, 0xb8, [15] = n};

	ovs_assert(w->n_hosts < WORLD_MAX_HOSTS);
	h->world = w;
	h->index = (unsigned int)w->n_hosts;
	w->hosts[w->n_hosts++] = h;
	snprintf(h->name, sizeof h->name, "%s", name);
	fill(w, &h->id, sizeof h->id);
	host_new_key(h);
	h->v4 = ip_from_v4(v4);
	h->v6 = ip_from_v6(v6);
	h->sas_per_peer = some_lanes(w->seed, h->index);
	fake_kernel_init(&h->kernel);
	h->kernel.transmit = kernel_transmit;
	h->kernel.deliver = kernel_deliver;
	h->kernel.notify = kernel_notify;
	h->kernel.breach = kernel_breach;
	h->kernel.may_be_plain = kernel_may_be_plain;
	h->kernel.aux = h;
	if (password) {
		host_set_password(h, 0, password);
	}
	return h;
}

void host_give_sleeve(struct host *h, bool ovs, bool aes)
{
	h->kernel.has_sleeve = true;
	h->kernel.no_ovs = !ovs;
	h->kernel.sleeve_aes = aes;
	h->kernel.sleeve_port = WORLD_PORT;
}

void host_add_target(struct host *h, const struct ip_addr *ip)
{
	struct ip_endpoint *e = &h->targets[h->n_targets++];

	ovs_assert(h->n_targets <= WORLD_MAX_HOSTS);
	e->ip = *ip;
	e->port = WORLD_PORT;
}

static void tell_addresses(struct host *h)
{
	const struct ip_addr v[] = {h->v4, h->v6};
	struct event event = {.type = EVENT_ADDRESSES};

	if (h->engine) {
		event.addresses.v = v;
		event.addresses.n = sizeof v / sizeof v[0];
		step(h, &event);
	}
}

void host_readdress(struct host *h, uint8_t n)
{
	world_note(h->world, "-- %s has other addresses", h->name);
	h->v4.b[15] = h->v6.b[15] = n;
	tell_addresses(h);
}

void host_start(struct host *h)
{
	struct world *w = h->world;
	struct engine_config config;
	struct kernel_snapshot snapshot;
	struct event event = {.type = EVENT_START};

	ovs_assert(!h->engine);
	memset(&config, 0, sizeof config);
	snprintf(config.name, sizeof config.name, "%s", h->name);
	config.id = h->id;
	config.incarnation =
		w->now_us - MIN(w->now_us, h->late_us) + h->life + 1;
	config.version = "0";
	memcpy(config.slots, h->slots, sizeof config.slots);
	config.n_slots = h->n_slots;
	h->awaits_password = h->n_slots && h->password_us;
	if (h->awaits_password) {
		memset(config.slots, 0, sizeof config.slots);
		config.n_slots = 0;
		config.encrypt = true;
	}
	config.sas_per_peer = h->sas_per_peer;
	config.flows_ahead = h->flows_ahead;
	config.port = WORLD_PORT;
	config.vxlan_port = WORLD_PORT + 1;
	snprintf(config.datapath, sizeof config.datapath, "fdp");
	config.targets = h->targets;
	config.n_targets = h->n_targets;
	config.discover = h->discovers;
	config.conn_limit = h->conn_limit;
	config.overlay = h->overlay;
	config.no_aes_gcm = h->no_aes_gcm;
	h->n_trusted_before = MAX(h->n_trusted_before, h->n_trusts_now);
	config.n_trusted = h->n_trusts_now = h->n_trusts;
	memcpy(config.trusted, h->trusts, sizeof h->trusts);
	config.n_advertised = !ip_is_zero(&h->advertises.ip);
	config.advertised[0] = h->advertises;
	config.state = h->state;
	config.remembered = h->peers;
	config.key = h->key;
	config.has_key = h->has_key;
	config.key_unsaved = h->kernel.disk_error != 0;
	config.state_error = h->kernel.disk_error
				     ? ovs_strerror(h->kernel.disk_error)
				     : NULL;
	world_note(w, "-- %s starts", h->name);
	h->life++;
	h->next_accept = 2;
	h->results_us = w->now_us;
	free(h->fatal);
	h->fatal = NULL;
	h->n_warnings = h->n_sessions = h->n_alarms = 0;
	h->engine = engine_new(&config);
	fake_kernel_snapshot(&h->kernel, &snapshot);
	event.start.snapshot = &snapshot;
	if (h->awaits_password) {
		later(w, w->now_us + h->password_us, OCCUR_PASSWORDS, h);
	}
	step(h, &event);
	tell_addresses(h);
}

bool host_is_running(const struct host *h)
{
	return h->engine && engine_is_running(h->engine);
}

void host_start_well(struct host *h)
{
	host_start(h);
	world_run(h->world, 20 * MS);
	if (!host_is_running(h)) {
		world_fail(h->world, "%s does not start: %s", h->name,
			   h->fatal ? h->fatal : "no reason");
	}
}

/* The process is gone; its kernel closes what it had open. */
static void bury(struct host *h, bool silently)
{
	struct world *w = h->world;

	if (!h->engine) {
		return;
	}
	note_trust(h);
	h->n_trusts_now = MAX(h->n_trusts_now, h->n_trusted_before);
	engine_free(h->engine);
	h->engine = NULL;
	fake_kernel_orphan(&h->kernel);
	for (struct stream *s = w->streams; s; s = s->next) {
		for (unsigned int i = 0; i < 2; i++) {
			struct side *side = &s->side[i];

			if (side->host != h || !side->open ||
			    side->life != h->life) {
				continue;
			}
			side->open = false;
			if (!silently) {
				stream_reset(w, s, !i,
					     chance(w, 500) ? ECONNRESET : 0);
			}
			s->dead = true;
		}
	}
}

void host_kill(struct host *h)
{
	world_note(h->world, "-- %s dies", h->name);
	bury(h, false);
}

void host_die_after(struct host *h, unsigned int n)
{
	h->die_after = n;
}

void host_stop(struct host *h)
{
	struct event event = {.type = EVENT_STOP};

	world_note(h->world, "-- %s stops", h->name);
	step(h, &event);
	bury(h, false);
}

void host_crash(struct host *h)
{
	world_note(h->world, "-- %s loses power", h->name);
	bury(h, true);
	fake_kernel_done(&h->kernel);
	h->kernel.n_sas = 0;
	h->kernel.n_policies = 0;
	h->kernel.guard = false;
	h->kernel.n_links = 0;
	h->kernel.disturbed = h->kernel.robbed = false;
	for (size_t i = 0; i < h->n_endpoints; i++) {
		endpoint_free(h->endpoints[i]);
	}
	h->n_endpoints = 0;
}

/* ---- Commands ---- */

static bool has_replied(void *aux)
{
	const struct host *h = aux;

	return h->replied || !h->engine;
}

struct json *host_command(struct host *h, const char *name, const char *args)
{
	struct json *json = args ? json_from_string(args) : NULL;
	struct event event = {.type = EVENT_COMMAND};

	if (json && json->type == JSON_STRING) {
		world_fail(h->world, "%s: %s", args, json_string(json));
	}
	event.command.id = h->world->next_command++;
	event.command.name = name;
	event.command.args = json;
	h->replied = h->reply_ok = false;
	if (h->engine) {
		step(h, &event);
	}
	json_destroy(json);
	if (!world_run_until(h->world, has_replied, h, 10 * SEC)) {
		world_fail(h->world, "%s does not answer %s", h->name, name);
	}
	if (!h->replied) {
		free(h->reply);
		h->reply = xstrdup("it is dead");
	}
	if (!h->reply_ok) {
		return NULL;
	}
	json = json_from_string(h->reply);
	if (json->type != JSON_OBJECT) {
		world_fail(h->world, "%s: %s", name, h->reply);
	}
	return json;
}

void host_tell(struct host *h, const char *name)
{
	struct event event = {.type = EVENT_COMMAND};

	event.command.id = h->world->next_command++;
	event.command.name = name;
	step(h, &event);
}

struct json *host_reload(struct host *h, const char *first, const char *second)
{
	struct event event = {.type = EVENT_PASSWORDS};

	world_note(h->world, "-- %s reads %s, %s", h->name, first,
		   second ? second : "-");
	h->n_slots = 0;
	host_set_password(h, 0, first);
	if (second) {
		host_set_password(h, 1, second);
	}
	event.passwords.slots = h->slots;
	event.passwords.n = h->n_slots;
	event.passwords.command = h->world->next_command++;
	h->replied = false;
	step(h, &event);
	return h->reply_ok ? json_from_string(h->reply) : NULL;
}

struct json *host_ask(struct host *h, const char *name, const char *args)
{
	struct json *json = host_command(h, name, args);

	if (!json) {
		world_fail(h->world, "%s refuses %s: %s", h->name, name,
			   h->reply);
	}
	return json;
}

/* By whatever is the best that both have. */
static const char *best_overlay(const struct host *a, const struct host *b)
{
	const struct host *both[] = {a, b};

	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		if (both[i]->kernel.user) {
			return "sleeve";
		}
	}
	return "fastdp";
}

static bool is_connected(struct host *a, const struct host *b,
			 const char *overlay)
{
	struct json *json = host_ask(a, "connections", NULL);
	const struct json *list = jsonget(json, "connections");
	bool up = false;

	for (size_t i = 0; i < jsonget_n(list); i++) {
		const struct json *row = jsonget_at(list, i);

		up |= !strcmp(jsonget_string(row, "name"), b->name) &&
		      !strcmp(jsonget_string(row, "state"), "established") &&
		      !strcmp(jsonget_string(row, "overlay"), overlay) &&
		      !strcmp(jsonget_string(row, "reason"), "");
	}
	json_destroy(json);
	return up;
}

bool host_is_connected(struct host *a, const struct host *b)
{
	return is_connected(a, b, best_overlay(a, b));
}

const char *host_overlay(struct host *a, const struct host *b)
{
	return is_connected(a, b, "fastdp")   ? "fastdp"
	       : is_connected(a, b, "sleeve") ? "sleeve"
					      : "";
}

static bool all_connected(void *aux)
{
	struct world *w = aux;

	for (size_t i = 0; i < w->n_hosts; i++) {
		for (size_t j = 0; j < w->n_hosts; j++) {
			if (i != j && w->hosts[i]->engine &&
			    w->hosts[j]->engine &&
			    !host_is_connected(w->hosts[i], w->hosts[j])) {
				return false;
			}
		}
	}
	return true;
}

bool world_connect(struct world *w, uint64_t timeout_us)
{
	return world_run_until(w, all_connected, w, timeout_us);
}

/* ---- Containers ---- */

static void add_addresses(struct endpoint *e, const struct json *list)
{
	for (size_t i = 0; i < jsonget_n(list); i++) {
		struct ip_prefix prefix;

		if (prefix_parse(json_string(jsonget_at(list, i)), &prefix)) {
			world_fail(e->host->world, "bad address in a reply");
		}
		endpoint_add_ip(e, &prefix.ip);
	}
}

struct endpoint *host_attach(struct host *h, const char *netns,
			     const char *addresses, const char *mac)
{
	char *args = xasprintf("{\"netns\": \"%s\", \"addresses\": %s%s%s%s}",
			       netns, addresses, mac ? ", \"mac\": \"" : "",
			       mac ? mac : "", mac ? "\"" : "");
	struct json *json = host_command(h, "attach-check", args);
	struct endpoint *e = NULL;
	struct mac address;
	char link[ODP_NAME_SIZE];
	int64_t mtu;

	free(args);
	if (!json) {
		return NULL;
	}
	if (mac_parse(jsonget_string(json, "mac"), &address) ||
	    !jsonget_integer(json, "mtu", 1, 65535, &mtu)) {
		world_fail(h->world, "attach-check: %s", h->reply);
	}
	fake_kernel_add_link(&h->kernel, jsonget_string(json, "host_ifname"),
			     (uint32_t)mtu);
	snprintf(link, sizeof link, "%s", jsonget_string(json, "host_ifname"));
	args = json_to_string(json, 0);
	json_destroy(json);
	json = host_command(h, "attach", args);
	free(args);
	if (!json) {
		if (!h->engine) {
			fake_kernel_lose_port(&h->kernel, link);
		}
		return NULL;
	}
	ovs_assert(h->n_endpoints < WORLD_MAX_ENDPOINTS);
	e = endpoint_new(h, jsonget_string(json, "host_ifname"), netns,
			 &address);
	add_addresses(e, jsonget(json, "addresses"));
	h->endpoints[h->n_endpoints++] = e;
	json_destroy(json);
	return e;
}

static void drop_endpoint(struct endpoint *e)
{
	struct host *h = e->host;

	for (size_t i = 0; i < h->n_endpoints; i++) {
		if (h->endpoints[i] == e) {
			h->endpoints[i] = h->endpoints[--h->n_endpoints];
			break;
		}
	}
	endpoint_free(e);
}

void host_detach(struct endpoint *e)
{
	struct host *h = e->host;
	char *args = xasprintf("{\"netns\": \"%s\"}", e->netns);
	struct json *json = host_command(h, "detach", args);

	free(args);
	if (!json && h->engine) {
		world_fail(h->world, "%s refuses detach: %s", h->name,
			   h->reply);
	}
	if (!json) {
		host_lose_port(e);
		return;
	}
	json_destroy(json);
	drop_endpoint(e);
}

void host_lose_port(struct endpoint *e)
{
	fake_kernel_lose_port(&e->host->kernel, e->link);
	drop_endpoint(e);
}

void host_net_changed(struct host *h)
{
	fake_kernel_net_changed(&h->kernel);
}

struct awaited_pong {
	const struct endpoint *endpoint;
	uint16_t seq;
};

static bool has_pong(void *aux)
{
	const struct awaited_pong *p = aux;

	return endpoint_got_pong(p->endpoint, p->seq);
}

bool endpoint_reaches_with(struct endpoint *e, const struct ip_addr *ip,
			   size_t size, unsigned int n)
{
	while (n--) {
		struct awaited_pong p = {.endpoint = e,
					 .seq = endpoint_ping(e, ip, size)};

		if (world_run_until(e->host->world, has_pong, &p, 200 * MS)) {
			return true;
		}
	}
	return false;
}

bool endpoint_reaches(struct endpoint *e, const struct ip_addr *ip)
{
	return endpoint_reaches_with(e, ip, 84, 20);
}
