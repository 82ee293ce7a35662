#include "mesh/statements.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "util.h"

static uint32_t hash_id(const struct peer_id *id)
{
	return hash_bytes(id, sizeof *id, 0);
}

void statements_init(struct statements *ss)
{
	hmap_init(&ss->authors);
	ovs_list_init(&ss->news);
	ss->number = 0;
	id_table_init(&ss->hosts);
}

static void drop(struct statements *ss, struct author *a, size_t chunk)
{
	struct kept *k = a->v[chunk];

	if (k) {
		ovs_list_remove(&k->node);
		statement_free(&k->s);
		if (k->has_links) {
			id_set_done(&k->links, &ss->hosts);
		}
		free(k);
		a->v[chunk] = NULL;
	}
}

static void drop_all(struct statements *ss, struct author *a)
{
	for (size_t i = 0; i < STATEMENT_CHUNKS; i++) {
		drop(ss, a, i);
	}
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
	for (size_t i = 0; i < STATEMENT_CHUNKS; i++) {
		if (a->v[i]) {
			ovs_list_remove(&a->v[i]->node);
			append(ss, a->v[i], now_us);
		}
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

static struct kept *keep(struct statements *ss, struct author *a,
			 const struct statement *s, uint64_t now_us)
{
	struct kept *k = xzalloc(sizeof *k);

	k->author = a;
	copy(ss, k, s);
	append(ss, k, now_us);
	drop(ss, a, s->chunk);
	a->v[s->chunk] = k;
	return k;
}

enum err statements_take(struct statements *ss, const struct statement *s,
			 bool verify, const struct sign_key *expected,
			 uint64_t now_us, struct kept **news)
{
	struct author *a = statements_find(ss, &s->author);
	const struct kept *old = a ? a->v[s->chunk] : NULL;
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
	if (!a && hmap_count(&ss->authors) >= STATEMENTS_MAX_AUTHORS) {
		return ERR_LIMIT;
	}
	err = verify ? statement_verify(s) : FDP_OK;
	if (err) {
		return err;
	}
	if (!a) {
		a = xzalloc(sizeof *a);
		a->id = s->author;
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
