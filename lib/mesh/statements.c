#include "mesh/statements.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "util.h"

static uint32_t hash_id(const struct peer_id *id)
{
	return hash_bytes(id, sizeof *id, 0);
}

void statements_init(struct statements *ss, const struct peer_id *own)
{
	ss->own = *own;
	hmap_init(&ss->authors);
	ovs_list_init(&ss->news);
	ss->number = 0;
	ss->n_bytes = 0;
	id_table_init(&ss->hosts);
}

static size_t n_bytes(const struct kept *k)
{
	return sizeof *k + (k->has_links
				    ? k->links.n_words * sizeof *k->links.bits
				    : k->s.size);
}

/* Those that 'k' states links to are named by it now, or no more. */
static void name_links(struct statements *ss, const struct kept *k, bool names)
{
	struct peer_id *v;
	size_t n;

	if (k->has_links && names) {
		id_set_name(&k->links, &ss->hosts);
	} else if (k->has_links) {
		id_set_unname(&k->links, &ss->hosts);
	} else if (statement_has_links(k->s.chunk) &&
		   !statements_links(ss, k, &v, &n)) {
		(names ? id_table_name : id_table_unname)(&ss->hosts, v, n);
		free(v);
	}
}

void statements_name(struct statements *ss, struct author *a, bool names)
{
	for (size_t i = 0; i < a->n && a->names != names; i++) {
		name_links(ss, a->v[i], names);
	}
	a->names = names;
}

static void kept_free(struct statements *ss, struct kept *k)
{
	if (k->author->names) {
		name_links(ss, k, false);
	}
	ss->n_bytes -= n_bytes(k);
	ovs_list_remove(&k->node);
	statement_free(&k->s);
	if (k->has_links) {
		id_set_done(&k->links, &ss->hosts);
	}
	free(k);
}

/* Where that of the chunk is, or belongs. */
static size_t place_of(const struct author *a, size_t chunk)
{
	size_t i = 0;

	while (i < a->n && a->v[i]->s.chunk < chunk) {
		i++;
	}
	return i;
}

struct kept *author_said(const struct author *a, size_t chunk)
{
	const size_t i = a ? place_of(a, chunk) : 0;

	return a && i < a->n && a->v[i]->s.chunk == chunk ? a->v[i] : NULL;
}

/* In place of what was there. */
static void put(struct statements *ss, struct author *a, struct kept *k)
{
	const size_t i = place_of(a, k->s.chunk);

	if (author_said(a, k->s.chunk)) {
		kept_free(ss, a->v[i]);
	} else {
		a->v = xrealloc(a->v, (a->n + 1) * sizeof(struct kept *));
		memmove(&a->v[i + 1], &a->v[i],
			(a->n - i) * sizeof(struct kept *));
		a->n++;
	}
	a->v[i] = k;
}

static void drop_all(struct statements *ss, struct author *a)
{
	for (size_t i = 0; i < a->n; i++) {
		kept_free(ss, a->v[i]);
	}
	free(a->v);
	a->v = NULL;
	a->n = 0;
}

void statements_free(struct statements *ss)
{
	struct author *a;

	HMAP_FOR_EACH_POP (a, node, &ss->authors) {
		drop_all(ss, a);
		free(a);
	}
	hmap_destroy(&ss->authors);
	id_table_done(&ss->hosts);
}

struct author *statements_find(const struct statements *ss,
			       const struct peer_id *id)
{
	struct author *a;

	HMAP_FOR_EACH_WITH_HASH (a, node, hash_id(id), &ss->authors) {
		if (peer_id_equal(&a->id, id)) {
			return a;
		}
	}
	return NULL;
}

void statements_forget(struct statements *ss, struct author *a)
{
	hmap_remove(&ss->authors, &a->node);
	drop_all(ss, a);
	free(a);
}

static void append(struct statements *ss, struct kept *k, uint64_t now_us)
{
	ovs_list_push_back(&ss->news, &k->node);
	k->number = ++ss->number;
	k->heard_us = now_us;
}

void statements_renew(struct statements *ss, struct author *a, uint64_t now_us)
{
	for (size_t i = 0; i < a->n; i++) {
		ovs_list_remove(&a->v[i]->node);
		append(ss, a->v[i], now_us);
	}
}

/* Does that list come out of a set of the same hosts? */
static bool is_in_order(const struct peer_id *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		if (peer_id_compare(&v[i - 1], &v[i]) >= 0) {
			return false;
		}
	}
	return true;
}

/* With its links as a set, if its body can be made of them again. */
static bool copy_links(struct statements *ss, struct kept *k,
		       const struct statement *s)
{
	struct wbuf body = WBUF_INITIALIZER(0);
	struct peer_id *v = NULL;
	size_t n = 0;
	bool can = statement_has_links(s->chunk) &&
		   !statement_get_links(s, &v, &n) && n && is_in_order(v, n);

	if (can) {
		statement_put_links(v, n, &body);
		can = body.size == s->size;
	}
	if (can) {
		id_set_init(&k->links, &ss->hosts, v, n);
		can = k->links.n_words * sizeof *k->links.bits < s->size;
		if (!can) {
			id_set_done(&k->links, &ss->hosts);
		}
	}
	wbuf_free(&body);
	free(v);
	return can;
}

static void copy(struct statements *ss, struct kept *k,
		 const struct statement *s)
{
	k->has_links = copy_links(ss, k, s);
	if (k->has_links) {
		k->s = *s;
		k->s.body = NULL;
	} else {
		statement_copy(&k->s, s);
	}
}

void statements_get(const struct statements *ss, const struct kept *k,
		    struct statement *out)
{
	struct wbuf body = WBUF_INITIALIZER(0);
	struct peer_id *v;

	if (!k->has_links) {
		statement_copy(out, &k->s);
		return;
	}
	v = xmalloc(k->links.n * sizeof *v);
	id_set_list(&k->links, &ss->hosts, v);
	statement_put_links(v, k->links.n, &body);
	free(v);
	*out = k->s;
	/* The caller's now. */
	out->body = body.data;
}

static int compare_ids(const void *a, const void *b)
{
	return peer_id_compare(a, b);
}

enum err statements_links(const struct statements *ss, const struct kept *k,
			  struct peer_id **v, size_t *n)
{
	size_t n_all;
	enum err err;

	if (k->has_links) {
		*n = k->links.n;
		*v = xmalloc(*n * sizeof **v);
		id_set_list(&k->links, &ss->hosts, *v);
		return FDP_OK;
	}
	*n = 0;
	err = statement_get_links(&k->s, v, &n_all);
	if (err) {
		free(*v);
		*v = NULL;
		return err;
	}
	if (n_all) {
		qsort(*v, n_all, sizeof **v, compare_ids);
	}
	for (size_t i = 0; i < n_all; i++) {
		if (!*n || !peer_id_equal(&(*v)[*n - 1], &(*v)[i])) {
			(*v)[(*n)++] = (*v)[i];
		}
	}
	return FDP_OK;
}

bool statements_states(const struct statements *ss, const struct kept *k,
		       const struct peer_id *to)
{
	struct peer_id *v = NULL;
	size_t n;
	bool found;

	if (k->has_links) {
		return id_set_has(&k->links, &ss->hosts, to);
	}
	found = !statements_links(ss, k, &v, &n) && n &&
		bsearch(to, v, n, sizeof *v, compare_ids);
	free(v);
	return found;
}

static struct kept *keep(struct statements *ss, struct author *a,
			 const struct statement *s, uint64_t now_us)
{
	struct kept *k = xzalloc(sizeof *k);

	k->author = a;
	copy(ss, k, s);
	ss->n_bytes += n_bytes(k);
	append(ss, k, now_us);
	if (a->names) {
		name_links(ss, k, true);
	}
	put(ss, a, k);
	return k;
}

/* Is there no room for 's', in the place of 'old' if that is not NULL? */
static bool is_full(const struct statements *ss, const struct author *a,
		    const struct kept *old, const struct statement *s)
{
	const size_t left = old ? n_bytes(old) : 0;

	if (!a && hmap_count(&ss->authors) >=
			  STATEMENTS_MAX_AUTHORS +
				  (statements_find(ss, &ss->own) != NULL)) {
		return true;
	}
	return ss->n_bytes - left + sizeof *old + s->size >
	       STATEMENTS_MAX_BYTES;
}

enum err statements_take(struct statements *ss, const struct statement *s,
			 bool verify, const struct sign_key *expected,
			 uint64_t now_us, struct kept **news)
{
	struct author *a = statements_find(ss, &s->author);
	const struct kept *old = author_said(a, s->chunk);
	enum err err;

	*news = NULL;
	if (a && (s->incarnation < a->incarnation ||
		  (old && !statement_is_newer(s, &old->s)))) {
		return FDP_OK;
	}
	if (!expected && a) {
		expected = &a->key;
	}
	if (verify && expected && !sign_key_equal(expected, &s->key)) {
		return ERR_IDENTITY;
	}
	err = verify ? statement_verify(s) : FDP_OK;
	if (err) {
		return err;
	}
	if (!peer_id_equal(&s->author, &ss->own) && is_full(ss, a, old, s)) {
		return ERR_LIMIT;
	}
	if (!a) {
		a = xzalloc(sizeof *a);
		a->id = s->author;
		a->names = peer_id_equal(&a->id, &ss->own);
		hmap_insert(&ss->authors, &a->node, hash_id(&a->id));
	}
	if (s->incarnation > a->incarnation) {
		drop_all(ss, a);
		a->incarnation = s->incarnation;
	}
	a->key = s->key;
	*news = keep(ss, a, s, now_us);
	return FDP_OK;
}
