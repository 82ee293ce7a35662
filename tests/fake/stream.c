/* Control connections: reliable, ordered, slow; in bits and pieces and cut, as
 * the weather is. */
#include "fake/world_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

/* Does nothing pass now, though neither end knows? */
static bool is_stuck(const struct world *w, const struct stream *s)
{
	const struct side *a = &s->side[0], *b = &s->side[1];

	return world_are_apart(w, a->host, b->host) ||
	       !host_has_address(a->host, &a->local.ip) ||
	       !host_has_address(b->host, &b->local.ip);
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
	o = world_later(w, c->when_us, OCCUR_PUMP, NULL);
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

void world_dial(struct host *h, const struct op *op)
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
	s->side[1].host = world_host_at(w, &op->dial.remote.ip);
	world_later(w, w->now_us + world_delay(w), OCCUR_DIAL, NULL)->stream =
		s;
}

/* The request arrives. */
void world_dial_arrives(struct world *w, struct stream *s)
{
	struct side *from = &s->side[0], *to = &s->side[1];
	struct host *h = to->host;

	if (!from->open) {
		return;
	}
	if (!h || world_are_apart(w, from->host, h)) {
		return; /* Nobody answers. */
	}
	if (h->engine && h->awaits_password) {
		world_later(w, w->now_us + 20 * MS, OCCUR_DIAL, NULL)->stream =
			s;
		return;
	}
	if (!h->engine || to->local.port != WORLD_PORT ||
	    world_chance(w, w->weather.dial_failure)) {
		push(w, s, 0, EVENT_CLOSED, ECONNREFUSED, span_of(NULL, 0),
		     w->now_us + world_delay(w));
		return;
	}
	to->life = h->life;
	to->conn = h->next_accept;
	h->next_accept += 2;
	to->open = true;
	s->up = true;
	push(w, s, 1, EVENT_ACCEPTED, 0, span_of(NULL, 0), w->now_us);
	push(w, s, 0, EVENT_DIALED, 0, span_of(NULL, 0),
	     w->now_us + world_delay(w));
}

void world_send(struct host *h, const struct op *op)
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
			     span_of(NULL, 0), w->now_us + world_delay(w));
		}
		return;
	}
	when_us = w->now_us + world_delay(w);
	cut = world_chance(w, w->weather.cut);
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
		     w->now_us + world_delay(w));
		s->dead = true;
	}
}

void world_close(struct host *h, const struct op *op)
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
		     h->world->now_us + world_delay(h->world));
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
		     w->now_us + world_delay(w));
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

void world_orphan_streams(struct host *h, bool silently)
{
	struct world *w = h->world;

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
					     world_chance(w, 500) ? ECONNRESET
								  : 0);
			}
			s->dead = true;
		}
	}
}

void world_free_streams(struct world *w)
{
	while (w->streams) {
		struct stream *s = w->streams;

		w->streams = s->next;
		clear_chunks(&s->side[0]);
		clear_chunks(&s->side[1]);
		free(s);
	}
}

void world_pump(struct world *w, struct stream *s, unsigned int to)
{
	struct side *side = &s->side[to];
	struct chunk *c = side->first;
	struct event event;
	struct host *h = side->host;

	if (!c || c->when_us > w->now_us) {
		return;
	}
	if (h && world_in_turn(h, w->now_us, STAGE_CONNECTIONS) != w->now_us) {
		struct occurrence *o = world_later(
			w, world_in_turn(h, w->now_us, STAGE_CONNECTIONS),
			OCCUR_PUMP, NULL);

		o->stream = s;
		o->side = to;
		return;
	}
	if (s->up && is_stuck(w, s)) {
		/* It is sent again and again. */
		struct occurrence *o =
			world_later(w, w->now_us + 200 * MS, OCCUR_PUMP, NULL);

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
		world_step(h, &event);
	}
	wbuf_free(&c->bytes);
	free(c);
	if (side->first) {
		struct occurrence *o =
			world_later(w, side->first->when_us, OCCUR_PUMP, NULL);

		o->stream = s;
		o->side = to;
	}
}
