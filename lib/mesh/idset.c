#include "mesh/idset.h"

#include <stdlib.h>

#include "hash.h"
#include "util.h"

enum {
	WORD = 64
};

struct id_entry {
	struct hmap_node node; /* In id_table.by_id. */
	struct peer_id id;
	size_t number;
	size_t n_sets; /* That it is in. */
};

void id_table_init(struct id_table *t)
{
	hmap_init(&t->by_id);
	t->v = NULL;
	t->n = t->allocated = 0;
}

void id_table_done(struct id_table *t)
{
	ovs_assert(hmap_is_empty(&t->by_id));
	hmap_destroy(&t->by_id);
	free(t->v);
}

const struct peer_id *id_table_get(const struct id_table *t, size_t i)
{
	return t->v[i] ? &t->v[i]->id : NULL;
}

static uint32_t hash_id(const struct peer_id *id)
{
	return hash_bytes(id, sizeof *id, 0);
}

static struct id_entry *get(struct id_table *t, const struct peer_id *id)
{
	struct id_entry *entry;
	size_t number = 0;

	HMAP_FOR_EACH_WITH_HASH (entry, node, hash_id(id), &t->by_id) {
		if (peer_id_equal(&entry->id, id)) {
			return entry;
		}
	}
	while (number < t->n && t->v[number]) {
		number++;
	}
	if (number == t->n) {
		if (t->n == t->allocated) {
			t->v = x2nrealloc(t->v, &t->allocated, sizeof *t->v);
		}
		t->n++;
	}
	entry = xzalloc(sizeof *entry);
	entry->id = *id;
	entry->number = number;
	hmap_insert(&t->by_id, &entry->node, hash_id(id));
	t->v[number] = entry;
	return entry;
}

static void put(struct id_table *t, struct id_entry *entry)
{
	if (!--entry->n_sets) {
		hmap_remove(&t->by_id, &entry->node);
		t->v[entry->number] = NULL;
		free(entry);
	}
}

void id_set_init(struct id_set *set, struct id_table *t,
		 const struct peer_id *v, size_t n)
{
	size_t *numbers = xmalloc((n + 1) * sizeof *numbers), end = 0;

	for (size_t i = 0; i < n; i++) {
		struct id_entry *entry = get(t, &v[i]);

		entry->n_sets++;
		numbers[i] = entry->number;
		end = MAX(end, entry->number + 1);
	}
	set->n = n;
	set->n_words = DIV_ROUND_UP(end, WORD);
	set->bits = xcalloc(set->n_words, sizeof *set->bits);
	for (size_t i = 0; i < n; i++) {
		set->bits[numbers[i] / WORD] |= UINT64_C(1)
						<< numbers[i] % WORD;
	}
	free(numbers);
}

/* The next one's number, from 'from' on; there must be one. */
static size_t next_number(const struct id_set *set, size_t from)
{
	size_t i = from / WORD;
	uint64_t word = set->bits[i] & UINT64_MAX << from % WORD;

	while (!word) {
		word = set->bits[++i];
	}
	return i * WORD + (size_t)__builtin_ctzll(word);
}

void id_set_done(struct id_set *set, struct id_table *t)
{
	size_t number = 0;

	for (size_t i = 0; i < set->n; i++) {
		number = next_number(set, number);
		put(t, t->v[number++]);
	}
	free(set->bits);
	*set = (struct id_set){.bits = NULL};
}

static int compare_ids(const void *a, const void *b)
{
	return peer_id_compare(a, b);
}

void id_set_list(const struct id_set *set, const struct id_table *t,
		 struct peer_id *v)
{
	size_t number = 0;

	for (size_t i = 0; i < set->n; i++) {
		number = next_number(set, number);
		v[i] = t->v[number++]->id;
	}
	if (set->n) {
		qsort(v, set->n, sizeof *v, compare_ids);
	}
}
