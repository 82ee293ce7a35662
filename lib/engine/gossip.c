/* What hosts say of themselves, kept and passed on (mesh/statements.h).
 *
 * Neighbours hear of each other's endpoints by RECORD and UPDATE; whoever has
 * no session with a host knows it by its statements.  A new one goes to the
 * peers that have no link to its author themselves (spread.c): in a full mesh
 * to nobody.  With a new session, and when a link is gone by which somebody
 * heard of an author, statements count as new once more.  What was missed in
 * spite of that is found by comparing summaries, now and then, with a peer
 * drawn at random.  Hosts to which there is no way are not spoken of, so that
 * what is gone is forgotten by all.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"
#include "util.h"

#define ISSUE_US	 (SECOND_US / 5)   /* Between ours of one chunk. */
#define NEW_LINK_US	 (SECOND_US / 100) /* Later, for each link... */
#define MORE_LINKS_US	 (SECOND_US / 50)  /* ...or host, while more come... */
#define NEW_LINK_MAX_US	 (10 * SECOND_US)  /* ...up to that. */
#define FORGET_AUTHOR_US (600 * SECOND_US) /* Without a way to it. */
#define CROWDED_US	 (60 * SECOND_US)  /* Between two words of that. */
#define MAX_OUTDONE	 4		   /* What several runs have said. */
#define MAX_HELD_TOTAL	 (256 * 1024)	   /* In one summary. */
/* In one chunk.  More: the links are spread over more chunks, less: over
 * fewer. */
#define MANY_LINKS 256
#define FEW_LINKS  64

enum {
	TELLERS = 1024 /* Peers, by number, that are told apart. */
};

static bool is_self(const struct engine *e, const struct peer_id *id)
{
	return peer_id_equal(id, &e->config.id);
}

bool gossip_is_present(const struct engine *e, const struct author *a)
{
	const struct peer *p = peer_find(e, &a->id);

	return is_self(e, &a->id) || a->reached || (p && p->conn);
}

/* One of them may be to forget then. */
static void look_at_authors(struct engine *e, uint64_t when_us)
{
	e->authors_us = MIN(e->authors_us, when_us);
	engine_wake(e, e->authors_us);
}

/* ---- Summaries ---- */

static void send_summary(struct engine *e, struct conn *c, bool want)
{
	struct held_statement *held = xmalloc(MSG_MAX_HELD * sizeof *held);
	struct message m = {.type = MSG_SUMMARY};
	const struct author *a;

	m.summary.want = want;
	m.summary.v = held;
	HMAP_FOR_EACH (a, node, &e->statements.authors) {
		for (size_t i = 0; i < a->n && gossip_is_present(e, a); i++) {
			const struct statement *s = &a->v[i]->s;

			if (m.summary.n == MSG_MAX_HELD) {
				m.summary.more = true;
				conn_send(e, c, &m);
				m.summary.n = 0;
			}
			held[m.summary.n++] = (struct held_statement){
				.author = s->author,
				.incarnation = s->incarnation,
				.seq = s->seq,
				.chunk = s->chunk};
		}
	}
	m.summary.more = false;
	conn_send(e, c, &m);
	free(held);
}

void gossip_session(struct engine *e, struct peer *p)
{
	spread_session(e, p->conn);
	if (p->conn->role == HS_INITIATOR &&
	    !(p->conn->identity.capabilities & CAPABILITY_HAVE)) {
		send_summary(e, p->conn, true);
	}
}

static int compare_held(const void *a_, const void *b_)
{
	const struct held_statement *a = a_, *b = b_;
	int order = peer_id_compare(&a->author, &b->author);

	return order ? order : a->chunk - b->chunk;
}

static bool has(const struct conn *c, const struct statement *s)
{
	const struct held_statement key = {.author = s->author,
					   .chunk = s->chunk};
	const struct held_statement *held =
		c->n_held ? bsearch(&key, c->held, c->n_held, sizeof key,
				    compare_held)
			  : NULL;

	if (!held) {
		return false;
	}
	return held->incarnation != s->incarnation
		       ? held->incarnation > s->incarnation
		       : held->seq >= s->seq;
}

static void send_missing(struct engine *e, struct conn *c)
{
	const struct author *a;

	if (c->n_held) {
		qsort(c->held, c->n_held, sizeof *c->held, compare_held);
	}
	HMAP_FOR_EACH (a, node, &e->statements.authors) {
		for (size_t i = 0; i < a->n && gossip_is_present(e, a); i++) {
			/* What it has said itself, too: it may have
			 * forgotten (see outdo()). */
			if (!has(c, &a->v[i]->s)) {
				spread_kept(e, c, a->v[i]);
			}
		}
	}
}

void gossip_summary(struct engine *e, struct conn *c,
		    const struct msg_summary *m)
{
	if (c->n_held + m->n <= MAX_HELD_TOTAL && m->n) {
		c->held =
			xrealloc(c->held, (c->n_held + m->n) * sizeof *c->held);
		memcpy(c->held + c->n_held, m->v, m->n * sizeof *c->held);
		c->n_held += m->n;
	}
	if (m->more) {
		return;
	}
	send_missing(e, c);
	free(c->held);
	c->held = NULL;
	c->n_held = 0;
	if (m->want) {
		send_summary(e, c, false);
	}
}

/* ---- What others say ---- */

static bool has_session(const struct engine *e, const struct peer_id *id)
{
	const struct peer *p = peer_find(e, id);

	return p && p->conn;
}

/* What either end of a link that is no more has missed of the other one, it may
 * need to hear from us. */
static void spread_to_ends(struct engine *e, struct author *a)
{
	bool again = false;

	for (size_t i = 0; i < topology_n_ended(e->topology); i++) {
		const struct peer_id *end = topology_ended(e->topology, i);
		struct author *other = statements_find(&e->statements, end);

		if (other && !is_self(e, end) && has_session(e, &a->id)) {
			spread_again(e, other);
		}
		again |= has_session(e, end);
	}
	if (again) {
		spread_again(e, a);
	}
}

/* All that it says of its links counts anew, as its statement 'k' has come. */
static enum err take_all_links(struct engine *e, struct author *a,
			       const struct kept *k)
{
	struct peer_id *all = NULL;
	size_t n_all = 0;
	enum err err = FDP_OK;

	a->links_missed = false;
	for (size_t i = 0; i < a->n; i++) {
		struct peer_id *v = NULL;
		size_t n = 0;
		enum err bad = FDP_OK;

		if (statement_has_links(a->v[i]->s.chunk)) {
			bad = statements_links(&e->statements, a->v[i], &v, &n);
		}
		if (n) {
			all = xrealloc(all, (n_all + n) * sizeof *all);
			memcpy(all + n_all, v, n * sizeof *all);
			n_all += n;
		}
		free(v);
		a->links_missed |= bad != FDP_OK;
		err = a->v[i] == k ? bad : err;
	}
	if (!err) {
		a->links_missed |= !relay_heard(e, &a->id, all, n_all);
		spread_to_ends(e, a);
	}
	free(all);
	return err;
}

/* Those of 'v' that are not among the others, for the caller to free. */
static struct peer_id *without(const struct peer_id *v, size_t n,
			       const struct peer_id *others, size_t n_others,
			       size_t *n_out)
{
	struct peer_id *out = xmalloc((n + 1) * sizeof *out);
	size_t k = 0;

	*n_out = 0;
	for (size_t i = 0; i < n; i++) {
		while (k < n_others && peer_id_compare(&others[k], &v[i]) < 0) {
			k++;
		}
		if (k == n_others || !peer_id_equal(&others[k], &v[i])) {
			out[(*n_out)++] = v[i];
		}
	}
	return out;
}

/* Do its other statements name that link?  It may have moved to another
 * chunk. */
static bool says_elsewhere(const struct engine *e, const struct author *a,
			   const struct kept *k, const struct peer_id *to)
{
	for (size_t i = a->n; i-- && statement_has_links(a->v[i]->s.chunk);) {
		if (a->v[i] != k &&
		    statements_states(&e->statements, a->v[i], to)) {
			return true;
		}
	}
	return false;
}

static void take_difference(struct engine *e, struct author *a,
			    const struct kept *k, const struct links_said *then,
			    const struct links_said *now)
{
	size_t n_come, n_gone, n = 0;
	struct peer_id *come =
		without(now->v, now->n, then->v, then->n, &n_come);
	struct peer_id *gone =
		without(then->v, then->n, now->v, now->n, &n_gone);

	for (size_t i = 0; i < n_gone; i++) {
		if (!says_elsewhere(e, a, k, &gone[i])) {
			gone[n++] = gone[i];
		}
	}
	a->links_missed = !relay_heard_change(e, &a->id, come, n_come, gone, n);
	spread_to_ends(e, a);
	free(come);
	free(gone);
}

/* 'then': what its statement before that said. */
static enum err take_links(struct engine *e, struct author *a,
			   const struct kept *k, const struct links_said *then)
{
	struct links_said now = {.v = NULL};
	enum err err = statements_links(&e->statements, k, &now.v, &now.n);

	if (err || a->links_missed) {
		free(now.v);
		return take_all_links(e, a, k);
	}
	take_difference(e, a, k, then, &now);
	free(now.v);
	return FDP_OK;
}

static enum err take_self(struct engine *e, struct author *a,
			  const struct statement *s)
{
	struct statement_self self;
	enum err err = statement_get_self(s, &self);

	if (err) {
		return err;
	}
	a->bindings_changed = true; /* Its name goes with them. */
	a->knows_have = self.capabilities & CAPABILITY_HAVE;
	relay_news(e);
	if (a->mtu != self.mtu ||
	    a->has_mtus != !!(self.capabilities & CAPABILITY_MTUS)) {
		struct peer *p = peer_find(e, &a->id);

		a->mtu = self.mtu;
		a->has_mtus = self.capabilities & CAPABILITY_MTUS;
		if (p) {
			mtu_publish(e, p);
		}
		ports_update_mtu(e);
	}
	return FDP_OK;
}

static enum err take_bindings(struct engine *e, struct author *a,
			      const struct statement *s)
{
	struct binding *v;
	size_t n;
	enum err err = statement_get_bindings(s, &v, &n);

	free(v);
	if (!err) {
		a->bindings_changed = true;
		relay_news(e);
	}
	return err;
}

static enum err take_news(struct engine *e, struct author *a,
			  const struct kept *k, const struct links_said *then)
{
	const struct statement *s = &k->s;

	if (statement_has_links(s->chunk)) {
		return take_links(e, a, k, then);
	}
	return statement_has_bindings(s->chunk) ? take_bindings(e, a, s)
						: take_self(e, a, s);
}

/* Something that we said in an earlier run counts as newer than all that we say
 * now: the clock was set back between the two.  We go beyond it. */
static void outdo(struct engine *e, struct conn *c, const struct statement *s)
{
	const struct author *self = statements_find(&e->statements, &s->author);

	if (s->incarnation <= e->statement_incarnation ||
	    s->incarnation == UINT64_MAX) {
		return;
	}
	if (engine_encrypts(e) &&
	    (!e->config.has_key || !sign_key_equal(&e->key.key, &s->key) ||
	     statement_verify(s))) {
		return;
	}
	if (e->n_outdone >= MAX_OUTDONE) {
		/* This never ends: it is not ourselves. */
		pin_heard_copy(e, c);
		return;
	}
	e->n_outdone++;
	e->statement_incarnation = s->incarnation + 1;
	for (size_t i = 0; self && i < self->n; i++) {
		e->unsaid[self->v[i]->s.chunk] = e->any_unsaid = true;
	}
}

/* 'before': the incarnation that was known; 'then': what the chunk said of
 * links. */
static enum err heard(struct engine *e, struct conn *c, struct kept *k,
		      uint64_t before, const struct links_said *then)
{
	struct author *a = k->author;
	bool urgent = !statement_has_links(k->s.chunk);
	enum err err = FDP_OK;

	statements_name(&e->statements, a, gossip_is_present(e, a));
	if (!a->lost_us) {
		a->teller = c->peer->number;
		a->lost_us = e->now_us;
		look_at_authors(e, a->lost_us + FORGET_AUTHOR_US);
	}
	if (a->incarnation != before) {
		/* What it said before that is void. */
		a->bindings_changed = true;
		err = take_all_links(e, a, k);
		urgent |= topology_n_ended(e->topology) > 0;
	}
	if (!err) {
		err = take_news(e, a, k, then);
	}
	if (!err) {
		urgent |= topology_n_ended(e->topology) > 0;
		spread_news(e, k, c, urgent);
	}
	return err;
}

/* ---- Room ---- */

/* One to which there is no way, other than 'author': of those of whom the same
 * peer has told, the one that is so for longest; of peers, the one who has told
 * of most.  Whoever makes hosts up crowds out his own. */
static struct author *find_unreached(const struct engine *e,
				     const struct peer_id *author)
{
	uint16_t n_told[TELLERS] = {0};
	struct author *a, *found = NULL;

	HMAP_FOR_EACH (a, node, &e->statements.authors) {
		n_told[a->teller % TELLERS] += !a->reached;
	}
	HMAP_FOR_EACH (a, node, &e->statements.authors) {
		const unsigned int n = n_told[a->teller % TELLERS];
		const unsigned int most =
			found ? n_told[found->teller % TELLERS] : 0;

		if (found &&
		    (n < most || (n == most && a->lost_us >= found->lost_us))) {
			continue;
		}
		if (!gossip_is_present(e, a) &&
		    !peer_id_equal(&a->id, author)) {
			found = a;
		}
	}
	return found;
}

/* One that is known only by what others say: the last that was reached.  Who
 * was there before is not crowded out. */
static struct author *find_latest(const struct engine *e,
				  const struct peer_id *author)
{
	struct author *a, *found = NULL;

	HMAP_FOR_EACH (a, node, &e->statements.authors) {
		if ((!found || a->lost_us > found->lost_us) &&
		    !is_self(e, &a->id) && !has_session(e, &a->id) &&
		    !peer_id_equal(&a->id, author)) {
			found = a;
		}
	}
	return found;
}

/* There is no room for what 'author' says.  Hosts to which there is no way give
 * way to anybody, those that are only spoken of to one with a session: so who
 * makes up hosts with all their links can keep out no real one for longer than
 * it takes to connect to it. */
static bool make_room(struct engine *e, const struct peer_id *author)
{
	struct author *a = find_unreached(e, author);

	if (!a && has_session(e, author)) {
		a = find_latest(e, author);
	}
	if (!a) {
		return false;
	}
	if (!e->crowded_us || e->now_us >= e->crowded_us + CROWDED_US) {
		const struct peer *teller = peer_by_number(e, a->teller);

		e->crowded_us = e->now_us;
		engine_log(e, OP_LOG_WARN,
			   "others speak of more hosts than this one can know; "
			   "some are forgotten, mostly such of which %s told: "
			   "if there are not that many, look at that host, "
			   "and change the password",
			   teller ? teller->name : "a peer that is gone");
	}
	gossip_forget(e, &a->id);
	return true;
}

enum err gossip_take(struct engine *e, struct conn *c,
		     const struct statement *s)
{
	const struct pin *pin = NULL;
	struct links_said then = {.v = NULL};
	const struct author *a;
	const struct kept *old;
	uint64_t before;
	struct kept *news;
	enum err err;

	if (is_self(e, &s->author)) {
		outdo(e, c, s);
		return FDP_OK;
	}
	a = statements_find(&e->statements, &s->author);
	before = a ? a->incarnation : 0;
	if (!a) {
		/* Later it is the key of that. */
		pin = pin_find(e, &s->author);
	}
	old = author_said(a, s->chunk);
	if (old && statement_has_links(s->chunk)) {
		links_of(e, old, &then);
	}
	err = statements_take(&e->statements, s, engine_encrypts(e),
			      pin ? &pin->key : NULL, e->now_us, &news);
	while (err == ERR_LIMIT && make_room(e, &s->author)) {
		err = statements_take(&e->statements, s, false, NULL, e->now_us,
				      &news);
	}
	if (!err && news) {
		err = heard(e, c, news, before, &then);
	} else if (!err) {
		struct kept *same = author_said(a, s->chunk);

		if (same && same->s.seq == s->seq) {
			spread_known(same, c);
		}
	}
	free(then.v);
	return err;
}

void gossip_refused(struct engine *e, const struct conn *c,
		    const struct peer_id *author, enum err err)
{
	char id[PEER_ID_STRLEN];

	engine_log(e, OP_LOG_WARN,
		   "%s passes on a statement of host %s that is not "
		   "accepted: %s",
		   c->peer->name, peer_id_format(author, id), err_text(err));
}

void gossip_statement(struct engine *e, struct conn *c,
		      const struct statement *s)
{
	enum err err = gossip_take(e, c, s);

	if (err) {
		gossip_refused(e, c, &s->author, err);
	}
}

/* All that 'a' has said of its endpoints. */
static void collect(const struct author *a, struct record *r)
{
	record_init(r, &a->id, a->incarnation);
	for (size_t i = 0; i < a->n; i++) {
		struct binding *v = NULL;
		size_t n = 0;

		if (!statement_has_bindings(a->v[i]->s.chunk) ||
		    statement_get_bindings(&a->v[i]->s, &v, &n)) {
			n = 0;
		}
		for (size_t k = 0; k < n; k++) {
			if (record_set(r, &v[k])) {
				break; /* There are too many. */
			}
		}
		free(v);
	}
}

/* "?" if that is nonsense. */
static void author_name(const struct author *a, char *name, size_t size)
{
	const struct kept *k = author_said(a, STATEMENT_SELF);
	struct statement_self self;

	if (!k || statement_get_self(&k->s, &self)) {
		self.name[0] = '?';
		self.name[1] = '\0';
	}
	copy_text(name, size, self.name);
}

/* A host that was installed anew has another id: what it said under the old one
 * is not to be taken for a second host. */
static bool is_of_before(const struct engine *e, const struct author *a,
			 const char *name)
{
	const struct peer *p;

	HMAP_FOR_EACH (p, node, &e->peers) {
		if (p->conn && !strcmp(p->name, name) &&
		    !peer_id_equal(&p->id, &a->id)) {
			return true;
		}
	}
	return !strcmp(name, e->config.name);
}

static void update_author(struct engine *e, struct author *a)
{
	bool reached = topology_hops(e->topology, &a->id) > 0;
	struct peer *p = peer_find(e, &a->id);
	bool news = reached && !a->reached;

	statements_name(&e->statements, a, reached || (p && p->conn));

	if (reached != a->reached) {
		a->lost_us = e->now_us;
		a->reached = reached;
		look_at_authors(e, a->lost_us + FORGET_AUTHOR_US);
	}
	if (news) {
		spread_again(e, a);
	}
	if (!reached || (p && p->conn) || !author_said(a, STATEMENT_SELF)) {
		return;
	}
	if (!p) {
		struct identity identity = {.id = a->id,
					    .incarnation = a->incarnation};

		author_name(a, identity.name, sizeof identity.name);
		if (is_of_before(e, a, identity.name)) {
			return;
		}
		p = peer_heard_of(e, &identity);
		a->bindings_changed = true;
	}
	if (p && a->bindings_changed) {
		struct record r;

		a->bindings_changed = false;
		author_name(a, p->name, sizeof p->name);
		collect(a, &r);
		peer_set_record(e, p, &r);
	}
}

void gossip_update(struct engine *e)
{
	struct author *a;

	HMAP_FOR_EACH (a, node, &e->statements.authors) {
		if (!is_self(e, &a->id)) {
			update_author(e, a);
		}
	}
}

/* ---- What we say ---- */

void gossip_self_changed(struct engine *e)
{
	e->unsaid[STATEMENT_SELF] = e->any_unsaid = true;
}

void gossip_link_changed(struct engine *e, const struct peer_id *to, bool gone)
{
	e->unsaid[statement_link_chunk(to, e->link_chunks)] = true;
	e->any_unsaid = true;
	e->link_gone |= gone;
	e->link_came_us = gone ? e->link_came_us : e->now_us;
}

void gossip_binding_changed(struct engine *e, const struct binding_key *key)
{
	e->unsaid[statement_chunk_of(key)] = e->any_unsaid = true;
}

static void put_own_self(const struct engine *e, struct wbuf *body)
{
	struct statement_self self = {.capabilities = engine_capabilities(e)};
	const struct peer *p;

	copy_text(self.name, sizeof self.name, e->config.name);
	HMAP_FOR_EACH (p, node, &e->peers) {
		if (p->linked && way_mtu(p)) {
			self.mtu = self.mtu ? MIN(self.mtu, way_mtu(p))
					    : way_mtu(p);
		}
	}
	statement_put_self(&self, body);
}

static int compare_ids(const void *a, const void *b)
{
	return peer_id_compare(a, b);
}

static void put_own_links(const struct engine *e, uint8_t chunk,
			  struct wbuf *body)
{
	struct peer_id *v = xmalloc(STATEMENT_MAX_LINKS * sizeof *v);
	const struct peer *p;
	size_t n = 0;

	HMAP_FOR_EACH (p, node, &e->peers) {
		if (p->linked && n < STATEMENT_MAX_LINKS &&
		    statement_link_chunk(&p->id, e->link_chunks) == chunk) {
			v[n++] = p->id;
		}
	}
	/* In the order in which they are kept (mesh/statements.h). */
	if (n) {
		qsort(v, n, sizeof *v, compare_ids);
	}
	statement_put_links(v, n, body);
	free(v);
}

static void put_own_bindings(struct engine *e, uint8_t chunk, struct wbuf *body)
{
	struct binding *v = xmalloc(MSG_MAX_BINDINGS * sizeof *v);
	size_t n = 0, n_left = 0;

	for (size_t i = 0; i < e->record.n; i++) {
		struct binding_key key = binding_key(&e->record.v[i]);

		if (statement_chunk_of(&key) != chunk) {
			continue;
		}
		if (n < MSG_MAX_BINDINGS) {
			v[n++] = e->record.v[i];
		} else {
			n_left++;
		}
	}
	if (n_left) {
		engine_log(e, OP_LOG_WARN,
			   "%zu endpoints cannot be announced to hosts that "
			   "have no tunnel to this one: there are too many",
			   n_left);
	}
	statement_put_bindings(v, n, body);
	free(v);
}

static bool was_said(const struct engine *e, uint8_t chunk,
		     const struct wbuf *body)
{
	const struct author *a = statements_find(&e->statements, &e->config.id);
	const struct kept *k = author_said(a, chunk);
	struct statement s;
	bool same;

	if (!k) {
		return false;
	}
	statements_get(&e->statements, k, &s);
	same = s.incarnation == e->statement_incarnation &&
	       s.size == body->size && !memcmp(s.body, body->data, s.size);
	statement_free(&s);
	return same;
}

static void say(struct engine *e, uint8_t chunk, const struct wbuf *body)
{
	struct statement s = {.author = e->config.id,
			      .incarnation = e->statement_incarnation,
			      .seq = ++e->statement_seq,
			      .chunk = chunk,
			      .body = body->data,
			      .size = body->size};
	struct links_before before;
	struct kept *news;
	enum err err;

	if (engine_encrypts(e)) {
		statement_sign(&s, &e->key);
	}
	links_before_init(&before, e, chunk);
	err = statements_take(&e->statements, &s, false, NULL, e->now_us,
			      &news);
	ovs_assert(!err && news);
	spread_own(e, news, &before);
	links_before_done(&before);
}

static void issue(struct engine *e, uint8_t chunk)
{
	struct wbuf body = WBUF_INITIALIZER(STATEMENT_MAX_BODY);

	if (statement_has_links(chunk)) {
		put_own_links(e, chunk, &body);
	} else if (statement_has_bindings(chunk)) {
		put_own_bindings(e, chunk, &body);
	} else {
		put_own_self(e, &body);
	}
	if (!was_said(e, chunk, &body)) {
		say(e, chunk, &body);
	}
	wbuf_free(&body);
}

static bool may_speak(const struct engine *e)
{
	/* Before the first link nobody could make use of it, and what the last
	 * run said is better than that there is none. */
	return (e->config.has_key || !engine_encrypts(e)) &&
	       (e->statement_seq || e->n_links);
}

/* When new links may be said.  They may wait: in a large mesh that comes up
 * there are many, each is said to all, and when no more come all know the same
 * hosts (links.c). */
static uint64_t new_links_us(const struct engine *e)
{
	const uint64_t n_hosts = MAX(hmap_count(&e->peers), target_count(e));
	const uint64_t since_us = e->links_said_us + ISSUE_US;
	const uint64_t soonest_us =
		since_us + MIN(e->n_links * NEW_LINK_US, NEW_LINK_MAX_US);
	const uint64_t latest_us =
		since_us + MIN(n_hosts * MORE_LINKS_US, NEW_LINK_MAX_US);

	return MAX(soonest_us, MIN(e->link_came_us + ISSUE_US, latest_us));
}

/* When those that changed may be said. */
static uint64_t say_us(const struct engine *e, bool links)
{
	if (!e->statement_seq) {
		return 0;
	}
	return links && !e->link_gone ? new_links_us(e) : e->said_us + ISSUE_US;
}

/* Do all know links that are not spread over all chunks? */
static bool all_know(const struct engine *e)
{
	const struct author *a;
	const struct conn *c;

	HMAP_FOR_EACH (c, node, &e->conns) {
		if (c->peer && c->peer->conn == c &&
		    !(c->identity.capabilities & CAPABILITY_HAVE)) {
			return false;
		}
	}
	HMAP_FOR_EACH (a, node, &e->statements.authors) {
		if (a->reached && author_said(a, STATEMENT_SELF) &&
		    !a->knows_have) {
			return false;
		}
	}
	return true;
}

/* Over how many chunks our links are to be spread now. */
static unsigned int n_link_chunks(const struct engine *e)
{
	unsigned int n = e->link_chunks;

	if (!all_know(e)) {
		return STATEMENT_N_LINKS;
	}
	while (n < STATEMENT_N_LINKS && e->n_links > n * MANY_LINKS) {
		n *= 2;
	}
	while (n > 1 && e->n_links < n * FEW_LINKS) {
		n /= 2;
	}
	return n;
}

/* Says what is unsaid of links, or of all else.  Where they move from chunk to
 * chunk, those into which come first, so that none is missed in between. */
static void say_all(struct engine *e, bool links)
{
	const unsigned int before = e->link_chunks;

	if (links) {
		e->link_chunks = n_link_chunks(e);
	}
	if (e->link_chunks != before) {
		memset(&e->unsaid[STATEMENT_LINKS], true,
		       MAX(before, e->link_chunks));
	}
	for (unsigned int i = 0; i < STATEMENT_CHUNKS; i++) {
		const unsigned int chunk =
			e->link_chunks > before ? STATEMENT_CHUNKS - 1 - i : i;

		if (e->unsaid[chunk] && statement_has_links(chunk) == links) {
			e->unsaid[chunk] = false;
			*(links ? &e->links_said_us : &e->said_us) = e->now_us;
			issue(e, (uint8_t)chunk);
		}
	}
}

void gossip_say(struct engine *e)
{
	bool left = false;

	if (!e->any_unsaid || !may_speak(e)) {
		return;
	}
	for (int links = 0; links < 2; links++) {
		const uint64_t when_us = say_us(e, links);

		if (e->now_us < when_us) {
			left = true;
			engine_wake(e, when_us);
			continue;
		}
		say_all(e, links);
		e->link_gone = links ? false : e->link_gone;
	}
	e->any_unsaid = left;
}

void gossip_exchange(struct engine *e, struct peer *p)
{
	send_summary(e, p->conn, true);
}

void gossip_forget(struct engine *e, const struct peer_id *id)
{
	struct author *a = statements_find(&e->statements, id);

	if (a) {
		relay_forget(e, id);
		statements_forget(&e->statements, a);
	}
}

void gossip_key_known(struct engine *e, const struct peer_id *id,
		      const struct sign_key *key)
{
	struct author *a = statements_find(&e->statements, id);

	if (a && !sign_key_equal(&a->key, key)) {
		gossip_forget(e, id);
	}
}

uint32_t gossip_relay_mtu(const struct engine *e)
{
	unsigned int most = 0;
	uint32_t mtu = UINT32_MAX;
	const struct author *a;
	const struct peer *p;

	HMAP_FOR_EACH (p, node, &e->peers) {
		if (p->via != FWD_NOBODY) {
			most = MAX(most, p->hops);
		}
	}
	if (!most) {
		return mtu; /* As in any full mesh. */
	}
	HMAP_FOR_EACH (a, node, &e->statements.authors) {
		const unsigned int hops = topology_hops(e->topology, &a->id);

		if (hops && hops < most && a->mtu) {
			mtu = MIN(mtu, a->mtu);
		}
	}
	return mtu;
}

void gossip_absent(struct engine *e)
{
	look_at_authors(e, e->now_us);
}

static void forget_authors(struct engine *e)
{
	struct author *a, *next;

	e->authors_us = UINT64_MAX;
	HMAP_FOR_EACH_SAFE (a, next, node, &e->statements.authors) {
		if (gossip_is_present(e, a)) {
			continue;
		}
		if (e->now_us < a->lost_us + FORGET_AUTHOR_US) {
			look_at_authors(e, a->lost_us + FORGET_AUTHOR_US);
			continue;
		}
		relay_forget(e, &a->id);
		statements_forget(&e->statements, a);
	}
}

void gossip_timers(struct engine *e)
{
	if (e->now_us >= e->authors_us) {
		forget_authors(e);
	}
	engine_wake(e, e->authors_us);
	gossip_say(e);
	spread_timers(e);
}
