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
}

static void drop_all(struct author *a)
{
	for (size_t i = 0; i < STATEMENT_CHUNKS; i++) {
		statement_free(a->v[i]);
		free(a->v[i]);
		a->v[i] = NULL;
	}
}

void statements_free(struct statements *ss)
{
	struct author *a;

	HMAP_FOR_EACH_POP (a, node, &ss->authors) {
		drop_all(a);
		free(a);
	}
	hmap_destroy(&ss->authors);
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
	drop_all(a);
	free(a);
}

enum err statements_take(struct statements *ss, const struct statement *s,
			 bool verify, const struct sign_key *expected,
			 bool *news)
{
	struct author *a = statements_find(ss, &s->author);
	const struct statement *old = a ? a->v[s->chunk] : NULL;
	enum err err;

	*news = false;
	if (a && (s->incarnation < a->incarnation ||
		  (old && !statement_is_newer(s, old)))) {
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
		drop_all(a);
		a->incarnation = s->incarnation;
	}
	a->key = s->key;
	statement_free(a->v[s->chunk]);
	free(a->v[s->chunk]);
	a->v[s->chunk] = statement_clone(s);
	*news = true;
	return FDP_OK;
}
