/* How statements get around (gossip.c has what they are).
 *
 * A host sends its own to all its peers, and they hand it on to those of theirs
 * who do not hear the author themselves: to a few at once, if there are few or
 * it does not wait; to the others after a pause.  Links that have come may wait
 * where there are many peers: while a mesh comes up nobody knows who will hear
 * whom, and if all handed on all to all at once, each link would carry each
 * statement.  After the pause most have heard it from its author; the others
 * are told which statements there are (HAVE), and ask for what they lack
 * (WANT). So a statement comes to a host a few times at most, and costs a link
 * that has no use for it its number, or nothing.
 *
 * What is new is a list in the order in which it was heard (mesh/statements.h);
 * each session has a place in it, up to which its other end has been told, and
 * which is the list's beginning when the session begins.  What has to be told
 * once more moves to the list's end.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"
#include "hash.h"
#include "util.h"

#define PAUSE_US     (30 * SECOND_US / 1000) /* For each session... */
#define PAUSE_MAX_US (3 * SECOND_US)	     /* ...up to that... */
#define YOUNG_MAX_US (30 * SECOND_US)	     /* ...or, of a new one, that. */
#define WANT_US	     (1 * SECOND_US)	     /* Nobody else is asked for it. */
#define AT_ONCE	     3

enum {
	WORD = 64
};

static bool is_session(const struct conn *c)
{
	return c->peer && c->peer->conn == c;
}

static uint64_t pause_us(const struct engine *e)
{
	return MIN(hmap_count(&e->conns) * PAUSE_US, PAUSE_MAX_US);
}

/* For how long a new session's other end is not told of what there is.  Until a
 * mesh has come up, and all have said so, which takes longer the more there
 * are, each would be told of all others by all others. */
static uint64_t young_us(const struct engine *e)
{
	return MIN(hmap_count(&e->conns) * PAUSE_US, YOUNG_MAX_US);
}

static void wake(struct engine *e, uint64_t when_us)
{
	e->tell_us = MIN(e->tell_us, when_us);
	engine_wake(e, e->tell_us);
}

/* ---- Who has it ---- */

static bool is_known_to(const struct kept *k, const struct conn *c)
{
	for (size_t i = 0; i < MIN(k->n_knowers, STATEMENTS_KNOWERS); i++) {
		if (k->knowers[i] == c->id) {
			return true;
		}
	}
	return false;
}

void spread_known(struct kept *k, const struct conn *c)
{
	if (!is_known_to(k, c)) {
		k->knowers[k->n_knowers++ % STATEMENTS_KNOWERS] = c->id;
	}
}

/* ---- Sets of sessions ----
 *
 * As bits, by peer.mark: in a full mesh, where all have links to the author,
 * one is looked at 64 at a time. */

static uint64_t *set_new(const struct engine *e)
{
	return xmalloc(topology_words(e->topology) * sizeof(uint64_t));
}

static void set_remove(uint64_t *set, const struct conn *c)
{
	if (c && is_session(c)) {
		set[c->peer->mark / WORD] &=
			~(UINT64_C(1) << c->peer->mark % WORD);
	}
}

static size_t first_bit(uint64_t word)
{
	return (size_t)__builtin_ctzll(word);
}

static size_t set_count(const struct engine *e, const uint64_t *set)
{
	size_t n = 0;

	for (size_t i = 0; i < topology_words(e->topology); i++) {
		n += count_1bits(set[i]);
	}
	return n;
}

/* Takes any one out of the 'n' that are in it. */
static struct conn *set_draw(struct engine *e, uint64_t *set, size_t n)
{
	uint64_t left = rng_range(e->rng, n), word;
	const struct peer_id *id;
	struct conn *c;
	size_t i = 0;

	for (; left >= count_1bits(set[i]); i++) {
		left -= count_1bits(set[i]);
	}
	for (word = set[i]; left; left--) {
		word &= word - 1;
	}
	id = topology_marked(e->topology, i * WORD + first_bit(word));
	c = peer_find(e, id)->conn;
	set_remove(set, c);
	return c;
}

/* Those whose other end has neither heard it nor will without us. */
static uint64_t *who_lacks(const struct engine *e, const struct kept *k)
{
	const struct peer *author = peer_find(e, &k->s.author);
	uint64_t *set = set_new(e);

	topology_marked_without(e->topology, &k->s.author, set);
	set_remove(set, author ? author->conn : NULL);
	for (size_t i = 0; i < MIN(k->n_knowers, STATEMENTS_KNOWERS); i++) {
		set_remove(set, conn_find(e, k->knowers[i]));
	}
	return set;
}

/* ---- At once ---- */

void spread_kept(struct engine *e, struct conn *c, struct kept *k)
{
	struct message m = {.type = MSG_STATEMENT};

	statements_get(&e->statements, k, &m.statement);
	conn_send(e, c, &m);
	statement_free(&m.statement);
	spread_known(k, c);
}

void spread_own(struct engine *e, struct kept *k,
		const struct links_before *before)
{
	struct links_forms forms;
	struct conn *c;

	links_forms_init(&forms, e, k, before);
	HMAP_FOR_EACH (c, node, &e->conns) {
		if (is_session(c)) {
			conn_send(e, c, links_form(&forms, c));
			spread_known(k, c);
		}
	}
	links_forms_done(&forms);
}

void spread_news(struct engine *e, struct kept *k, const struct conn *from,
		 bool urgent)
{
	uint64_t *set;
	size_t n;

	spread_known(k, from);
	set = who_lacks(e, k);
	n = set_count(e, set);
	if (urgent || n <= AT_ONCE) {
		/* Any of them, if there are more. */
		for (size_t i = 0; i < AT_ONCE && n; i++) {
			spread_kept(e, set_draw(e, set, n--), k);
		}
	}
	free(set);
	wake(e, e->now_us + pause_us(e));
}

void spread_again(struct engine *e, struct author *a)
{
	statements_renew(&e->statements, a, e->now_us);
	wake(e, e->now_us + pause_us(e));
}

/* ---- After a pause ---- */

void spread_session(struct engine *e, struct conn *c)
{
	c->began = e->statements.number;
	if (!(c->identity.capabilities & CAPABILITY_HAVE)) {
		/* It compares whole summaries. */
		c->told = c->began;
	}
	wake(e, e->now_us + young_us(e));
}

static void put_held(struct held_statement *held, const struct statement *s)
{
	held->author = s->author;
	held->incarnation = s->incarnation;
	held->seq = s->seq;
	held->chunk = s->chunk;
}

/* The first one after number 'told', or the list's end. */
static struct ovs_list *first_after(const struct engine *e, uint64_t told)
{
	const struct ovs_list *end = &e->statements.news;
	struct ovs_list *at = end->prev;

	while (at != end &&
	       CONTAINER_OF(at, struct kept, node)->number > told) {
		at = at->prev;
	}
	return at->next;
}

static void send_have(struct engine *e, struct conn *c,
		      struct held_statement *v, size_t *n)
{
	struct message m = {.type = MSG_HAVE, .held = {.v = v, .n = *n}};

	if (*n) {
		conn_send(e, c, &m);
		*n = 0;
	}
}

/* A session whose other end may have to be told of something. */
struct listener {
	struct conn *c; /* NULL: there is none of that number. */
	struct held_statement *held;
	size_t n, allocated;
};

static void tell(struct engine *e, struct listener *l, struct kept *k)
{
	struct conn *c = l->c;

	if (!c || k->number <= c->told || is_known_to(k, c)) {
		return;
	}
	if (!(c->identity.capabilities & CAPABILITY_HAVE)) {
		spread_kept(e, c, k);
		return;
	}
	if (l->n == l->allocated) {
		l->held = x2nrealloc(l->held, &l->allocated, sizeof *l->held);
	}
	put_held(&l->held[l->n++], &k->s);
	if (l->n == MSG_MAX_HELD) {
		send_have(e, c, l->held, &l->n);
	}
}

/* Tells of one statement those who may lack it. */
static void tell_all(struct engine *e, struct listener *all, struct kept *k,
		     uint64_t *set)
{
	const struct peer_id *author = &k->s.author;
	const bool own = peer_id_equal(author, &e->config.id);

	topology_marked_without(e->topology, own ? NULL : author, set);
	for (size_t i = 0; i < topology_words(e->topology); i++) {
		for (uint64_t word = set[i]; word; word &= word - 1) {
			struct listener *l = &all[i * WORD + first_bit(word)];

			/* Of ours it has been sent what came later. */
			if (!own || (l->c && k->number <= l->c->began)) {
				tell(e, l, k);
			}
		}
	}
}

/* Tells them of what was heard until 'until_us' and after number 'told'.  When
 * there was more after that; UINT64_MAX: there was nothing. */
static uint64_t tell_news(struct engine *e, struct listener *all, uint64_t told,
			  uint64_t until_us)
{
	struct ovs_list *at = first_after(e, told);
	uint64_t *set = set_new(e), more_us = UINT64_MAX;

	for (; at != &e->statements.news; at = at->next) {
		struct kept *k = CONTAINER_OF(at, struct kept, node);

		if (k->heard_us > until_us) {
			more_us = k->heard_us;
			break;
		}
		told = k->number;
		if (gossip_is_present(e, k->author)) {
			tell_all(e, all, k, set);
		}
	}
	free(set);
	for (size_t i = 0; i < WORD * topology_words(e->topology); i++) {
		struct listener *l = &all[i];

		if (l->c) {
			send_have(e, l->c, l->held, &l->n);
			l->c->told = MAX(l->c->told, told);
			free(l->held);
		}
	}
	return more_us;
}

void spread_timers(struct engine *e)
{
	const uint64_t pause = pause_us(e), young = young_us(e);
	uint64_t told = UINT64_MAX, next_us = UINT64_MAX;
	struct listener *all;
	struct conn *c;

	if (e->now_us < e->tell_us) {
		engine_wake(e, e->tell_us);
		return;
	}
	e->tell_us = UINT64_MAX;
	all = xcalloc(WORD * topology_words(e->topology), sizeof *all);
	HMAP_FOR_EACH (c, node, &e->conns) {
		if (!is_session(c) || c->told == e->statements.number) {
			continue;
		}
		if (e->now_us < c->since_us + young) {
			next_us = MIN(next_us, c->since_us + young);
			continue;
		}
		all[c->peer->mark].c = c;
		told = MIN(told, c->told);
	}
	if (told != UINT64_MAX) {
		const uint64_t more_us =
			tell_news(e, all, told, e->now_us - pause);

		if (more_us != UINT64_MAX) {
			next_us = MIN(next_us, more_us + pause);
		}
	}
	if (next_us != UINT64_MAX) {
		/* Not for each of them. */
		wake(e, MAX(next_us, e->now_us + pause / 2));
	}
	free(all);
}

/* ---- What others are told, and ask for ---- */

static bool is_older(const struct statement *s, const struct held_statement *h)
{
	return s->incarnation != h->incarnation
		       ? s->incarnation < h->incarnation
		       : s->seq < h->seq;
}

static struct wanted *wanted_at(struct engine *e,
				const struct held_statement *h)
{
	return &e->wanted[hash_bytes(&h->author, sizeof h->author, h->chunk) %
			  ARRAY_SIZE(e->wanted)];
}

/* Has somebody who is still there been asked for it just now?  What one has
 * sent in short may have been of no use. */
static bool is_wanted(struct engine *e, const struct conn *c,
		      const struct held_statement *h)
{
	const struct wanted *w = wanted_at(e, h);

	return peer_id_equal(&w->what.author, &h->author) &&
	       w->what.chunk == h->chunk &&
	       w->what.incarnation == h->incarnation && w->what.seq >= h->seq &&
	       e->now_us - w->us < WANT_US && conn_find(e, w->conn) &&
	       !(w->in_short && w->conn == c->id);
}

static bool lacks(struct engine *e, const struct conn *c,
		  const struct held_statement *h)
{
	const struct author *a = statements_find(&e->statements, &h->author);
	struct kept *k = author_said(a, h->chunk);

	if (a && h->incarnation < a->incarnation) {
		return false;
	}
	if (k && !is_older(&k->s, h)) {
		if (k->s.seq == h->seq) {
			spread_known(k, c);
		}
		return false;
	}
	return !is_wanted(e, c, h);
}

void spread_have(struct engine *e, struct conn *c, const struct msg_held *m)
{
	struct held_statement *v = xmalloc((m->n + 1) * sizeof *v);
	struct message want = {.type = MSG_WANT,
			       .held = {.v = v, .in_short = m->in_short}};

	for (size_t i = 0; i < m->n; i++) {
		if (lacks(e, c, &m->v[i])) {
			*wanted_at(e, &m->v[i]) =
				(struct wanted){.what = m->v[i],
						.conn = c->id,
						.us = e->now_us,
						.in_short = m->in_short};
			v[want.held.n++] = m->v[i];
		}
	}
	if (want.held.n) {
		conn_send(e, c, &want);
	}
	free(v);
}

void spread_want(struct engine *e, struct conn *c, const struct msg_held *m)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct author *a =
			statements_find(&e->statements, &m->v[i].author);
		struct kept *k = author_said(a, m->v[i].chunk);

		if (k && !is_older(&k->s, &m->v[i]) &&
		    !(m->in_short && links_answer(e, c, k))) {
			spread_kept(e, c, k);
		}
	}
}

void spread_lost(struct engine *e, const struct conn *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(e->wanted); i++) {
		const struct wanted *w = &e->wanted[i];

		if (w->us && w->conn == c->id && e->now_us - w->us < WANT_US) {
			/* Others who have it may have told so in vain. */
			e->gossip_us = MIN(e->gossip_us, e->now_us + WANT_US);
			engine_wake(e, e->gossip_us);
			return;
		}
	}
}
