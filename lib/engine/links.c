/* What hosts say of their links, in short.
 *
 * A host of a full mesh says of all others that it has a link to them, to all
 * others: whole, that is N times 16 bytes to N hosts, and again whenever a link
 * has come or gone.  Its peers know nearly all of that: which hosts there are,
 * and mostly what it said before.  So it sends them what has changed, each host
 * by a hash of its id; they make the statement of it, and the signature, which
 * is that of the whole, says whether it is the one that was meant.  If it is
 * not, or if they cannot, they ask for the whole.
 *
 * While a mesh comes up what has changed is nearly all, and told to all it
 * would grow with the square.  But soon all know whom all together state links
 * to (mesh/idset.h), and then it takes a hash of those, and the few to which
 * there is no link yet.  Who knows others asks, and is sent them one by one.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"
#include "util.h"

enum {
	/* In numbers, what may be lost: the other end has to ask, as it knows
	 * others. */
	NAMED_COST = 16
};

static int compare_ids(const void *a, const void *b)
{
	return peer_id_compare(a, b);
}

/* ---- To say ---- */

void links_of(const struct engine *e, const struct kept *k,
	      struct links_said *out)
{
	if (statements_links(&e->statements, k, &out->v, &out->n)) {
		out->n = 0;
	}
	out->seq = k->s.seq;
	out->number = k->number;
}

/* Whom anybody names, as far as that is known, but 'author'. */
static void named_of(const struct engine *e, const struct peer_id *author,
		     uint8_t chunk, unsigned int n_chunks,
		     struct links_said *out)
{
	*out = (struct links_said){.v = NULL};
	out->v = id_table_named(&e->statements.hosts, chunk, n_chunks, author,
				&out->n);
}

void links_before_init(struct links_before *b, const struct engine *e,
		       uint8_t chunk)
{
	const struct author *a = statements_find(&e->statements, &e->config.id);
	const struct kept *k = author_said(a, chunk);

	memset(b, 0, sizeof *b);
	if (!statement_has_links(chunk)) {
		return;
	}
	if (k && k->s.incarnation == e->statement_incarnation) {
		links_of(e, k, &b->said);
	}
	/* Else we have just ceased to use it. */
	if (chunk < STATEMENT_LINKS + e->link_chunks) {
		b->n_chunks = e->link_chunks;
		b->named_hash = e->statements.hosts.named_hash;
		named_of(e, &e->config.id, chunk, b->n_chunks, &b->named);
	}
}

void links_before_done(struct links_before *b)
{
	free(b->said.v);
	free(b->named.v);
}

static void add_number(uint32_t *v, size_t *n, const struct peer_id *id)
{
	v[(*n)++] = statement_link_number(id);
}

/* How what is said 'now' comes of what was said 'before'.  Both are sorted. */
static void fill_in(struct message *m, const struct statement *s,
		    const struct links_said *before,
		    const struct links_said *now)
{
	struct msg_links *links = &m->links;
	size_t i = 0, j = 0;

	m->type = MSG_LINKS;
	links->incarnation = s->incarnation;
	links->seq = s->seq;
	links->base = before->seq;
	links->chunk = s->chunk;
	memcpy(links->signature, s->signature, sizeof links->signature);
	links->gone = xcalloc(before->n + 1, sizeof *links->gone);
	links->come = xcalloc(now->n + 1, sizeof *links->come);
	while (i < before->n || j < now->n) {
		const int order = i == before->n ? 1
				  : j == now->n	 ? -1
						: peer_id_compare(&before->v[i],
								  &now->v[j]);

		if (order < 0) {
			add_number(links->gone, &links->n_gone, &before->v[i]);
		} else if (order > 0) {
			add_number(links->come, &links->n_come, &now->v[j]);
		}
		i += order <= 0;
		j += order >= 0;
	}
}

void links_forms_init(struct links_forms *f, const struct engine *e,
		      const struct kept *k, const struct links_before *before)
{
	const struct links_said nothing = {.v = NULL};
	struct links_said now = {.v = NULL};

	memset(f, 0, sizeof *f);
	f->whole.type = MSG_STATEMENT;
	statements_get(&e->statements, k, &f->whole.statement);
	f->is_links = statement_has_links(k->s.chunk);
	if (f->is_links) {
		links_of(e, k, &now);
		fill_in(&f->anew, &k->s, &nothing, &now);
		fill_in(&f->step, &k->s, &before->said, &now);
		fill_in(&f->named, &k->s, &before->named, &now);
		f->named.links.named = (uint8_t)before->n_chunks;
		f->named.links.named_hash = before->named_hash;
		f->before = before->said.number;
	}
	free(now.v);
}

void links_forms_done(struct links_forms *f)
{
	message_free(&f->whole);
	if (f->is_links) {
		message_free(&f->anew);
		message_free(&f->step);
		message_free(&f->named);
	}
}

static size_t n_numbers(const struct message *m)
{
	return m->links.n_gone + m->links.n_come;
}

const struct message *links_form(const struct links_forms *f,
				 const struct conn *c)
{
	const struct message *best = &f->anew;

	if (!f->is_links || !(c->identity.capabilities & CAPABILITY_LINKS)) {
		return &f->whole;
	}
	/* What was said since the session began was said to it. */
	if (f->before > c->began && n_numbers(&f->step) <= n_numbers(best)) {
		best = &f->step;
	}
	if (f->named.links.named &&
	    c->identity.capabilities & CAPABILITY_NAMED &&
	    n_numbers(&f->named) + NAMED_COST < n_numbers(best)) {
		best = &f->named;
	}
	return best;
}

bool links_answer(struct engine *e, struct conn *c, struct kept *k)
{
	const struct links_said nothing = {.v = NULL};
	struct message m = {.type = MSG_LINKS};
	struct links_said now;

	if (!peer_id_equal(&k->s.author, &e->config.id) ||
	    !statement_has_links(k->s.chunk)) {
		return false;
	}
	links_of(e, k, &now);
	fill_in(&m, &k->s, &nothing, &now);
	conn_send(e, c, &m);
	spread_known(k, c);
	message_free(&m);
	free(now.v);
	return true;
}

/* ---- To hear ---- */

/* A host that is sought by its number. */
struct sought {
	uint32_t number;
	bool found, doubtful; /* There are two of that number. */
	struct peer_id id;
};

static int compare_sought(const void *a_, const void *b_)
{
	const struct sought *a = a_, *b = b_;

	return a->number < b->number ? -1 : a->number > b->number;
}

static struct sought *seek(const uint32_t *numbers, size_t n)
{
	struct sought *v = xcalloc(n + 1, sizeof *v);

	for (size_t i = 0; i < n; i++) {
		v[i].number = numbers[i];
	}
	if (n) {
		qsort(v, n, sizeof *v, compare_sought);
	}
	return v;
}

/* NULL if it is not one of them. */
static struct sought *find(struct sought *v, size_t n, const struct peer_id *id)
{
	const struct sought key = {.number = statement_link_number(id)};

	return n ? bsearch(&key, v, n, sizeof *v, compare_sought) : NULL;
}

/* True if it is one of them. */
static bool offer(struct sought *v, size_t n, const struct peer_id *id)
{
	struct sought *s = find(v, n, id);

	if (!s) {
		return false;
	}
	s->doubtful |= s->found && !peer_id_equal(&s->id, id);
	s->found = true;
	s->id = *id;
	return true;
}

/* Looks for them among those that somebody has stated a link to: mostly they
 * are there. */
static void look_up(const struct engine *e, struct sought *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const size_t n_hosts = id_table_numbered(&e->statements.hosts,
							 v[i].number, &v[i].id);

		v[i].found = n_hosts > 0;
		v[i].doubtful = n_hosts > 1;
	}
}

static void offer_all_known(const struct engine *e, struct sought *v, size_t n)
{
	const struct author *a;
	const struct peer *p;

	(void)offer(v, n, &e->config.id);
	HMAP_FOR_EACH (p, node, &e->peers) {
		(void)offer(v, n, &p->id);
	}
	HMAP_FOR_EACH (a, node, &e->statements.authors) {
		(void)offer(v, n, &a->id);
	}
	for (const struct target *t = e->targets; t; t = t->next) {
		if (!peer_id_is_zero(&t->peer)) {
			(void)offer(v, n, &t->peer);
		}
	}
}

static bool all_found(const struct sought *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!v[i].found || v[i].doubtful) {
			return false;
		}
	}
	return true;
}

/* The links that 'm' is to be applied to; false if they are not there. */
static bool get_base(const struct engine *e, const struct peer_id *author,
		     const struct msg_links *m, struct links_said *base)
{
	const struct author *a = statements_find(&e->statements, author);
	const struct kept *k = author_said(a, m->chunk);

	*base = (struct links_said){.v = NULL};
	if (m->named) {
		if (m->named_hash != e->statements.hosts.named_hash) {
			return false;
		}
		named_of(e, author, m->chunk, m->named, base);
		return true;
	}
	if (!m->base) {
		return true;
	}
	if (!k || k->s.incarnation != m->incarnation || k->s.seq != m->base) {
		return false;
	}
	links_of(e, k, base);
	return true;
}

/* The links that 'm' means, for the caller to free; NULL if that is not
 * known. */
static struct peer_id *apply(const struct engine *e, const struct msg_links *m,
			     const struct links_said *base, size_t *n_out)
{
	struct sought *gone = seek(m->gone, m->n_gone);
	struct sought *come = seek(m->come, m->n_come);
	struct peer_id *v = xcalloc(base->n + m->n_come + 1, sizeof *v);
	size_t n = 0;

	for (size_t i = 0; i < base->n; i++) {
		if (!m->n_gone || !offer(gone, m->n_gone, &base->v[i])) {
			v[n++] = base->v[i];
		}
	}
	look_up(e, come, m->n_come);
	if (!all_found(come, m->n_come)) {
		offer_all_known(e, come, m->n_come);
	}
	if (!all_found(gone, m->n_gone) || !all_found(come, m->n_come)) {
		free(v);
		v = NULL;
	}
	for (size_t i = 0; v && i < m->n_come; i++) {
		v[n++] = come[i].id;
	}
	if (v && n) {
		qsort(v, n, sizeof *v, compare_ids);
	}
	*n_out = n;
	free(gone);
	free(come);
	return v;
}

static bool is_old(const struct engine *e, const struct peer_id *author,
		   const struct msg_links *m)
{
	const struct author *a = statements_find(&e->statements, author);
	const struct kept *k = author_said(a, m->chunk);

	return a && (m->incarnation < a->incarnation ||
		     (k && k->s.incarnation == m->incarnation &&
		      k->s.seq >= m->seq));
}

void links_heard(struct engine *e, struct conn *c, const struct msg_links *m)
{
	struct statement s = {.author = c->peer->id,
			      .key = c->identity.key,
			      .incarnation = m->incarnation,
			      .seq = m->seq,
			      .chunk = m->chunk};
	struct held_statement what = {.author = s.author,
				      .incarnation = m->incarnation,
				      .seq = m->seq,
				      .chunk = m->chunk};
	/* By number, unless that is what cannot be made. */
	const struct msg_held held = {.v = &what,
				      .n = 1,
				      .in_short = (m->named || m->base) &&
						  c->identity.capabilities &
							  CAPABILITY_NAMED};
	struct wbuf body = WBUF_INITIALIZER(STATEMENT_MAX_BODY);
	struct links_said base;
	struct peer_id *v = NULL;
	enum err err = ERR_AUTH;
	size_t n;

	if (is_old(e, &s.author, m)) {
		return;
	}
	if (get_base(e, &s.author, m, &base)) {
		v = apply(e, m, &base, &n);
	}
	if (v && n <= STATEMENT_MAX_LINKS) {
		statement_put_links(v, n, &body);
		s.body = body.data;
		s.size = body.size;
		memcpy(s.signature, m->signature, sizeof s.signature);
		err = gossip_take(e, c, &s);
	}
	free(base.v);
	free(v);
	wbuf_free(&body);
	if (err == ERR_AUTH) {
		/* It is not what was meant. */
		spread_have(e, c, &held);
	} else if (err) {
		gossip_refused(e, c, &s.author, err);
	}
}
