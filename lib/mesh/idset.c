#include "mesh/idset.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "session/statement.h"
#include "util.h"

enum {
	WORD = 64
};

struct id_entry {
	struct hmap_node node; /* In id_table.by_id. */
	struct peer_id id;
	uint32_t number;
	size_t n_sets;	/* That it is in, and lists that name it. */
	size_t n_named; /* How often it is named. */
};

/* All together, as lists are made by walking them. */
struct id_place {
	struct peer_id id;
	uint32_t number;
	uint32_t link_number;
};

void id_table_init(struct id_table *t)
{
	hmap_init(&t->by_id);
	t->v = NULL;
	t->sorted = NULL;
	t->n = t->allocated = t->n_sorted = t->allocated_sorted = 0;
	t->n_named = 0;
	t->named_hash = 0;
}

void id_table_done(struct id_table *t)
{
	ovs_assert(hmap_is_empty(&t->by_id));
	hmap_destroy(&t->by_id);
	free(t->v);
	free(t->sorted);
}

static uint32_t hash_number(uint32_t link_number)
{
	return hash_int(link_number, 0);
}

static uint32_t hash_id(const struct peer_id *id)
{
	return hash_number(statement_link_number(id));
}

static struct id_entry *find(const struct id_table *t, const struct peer_id *id)
{
	struct id_entry *entry;

	HMAP_FOR_EACH_WITH_HASH (entry, node, hash_id(id), &t->by_id) {
		if (peer_id_equal(&entry->id, id)) {
			return entry;
		}
	}
	return NULL;
}

size_t id_table_numbered(const struct id_table *t, uint32_t link_number,
			 struct peer_id *id)
{
	const struct id_entry *entry;
	size_t n = 0;

	HMAP_FOR_EACH_WITH_HASH (entry, node, hash_number(link_number),
				 &t->by_id) {
		if (statement_link_number(&entry->id) == link_number) {
			*id = entry->id;
			n++;
		}
	}
	return n;
}

/* Where it is among the sorted ones, or belongs. */
static size_t place_of(const struct id_table *t, const struct peer_id *id)
{
	size_t from = 0, to = t->n_sorted;

	while (from < to) {
		const size_t middle = (from + to) / 2;

		if (peer_id_compare(&t->sorted[middle].id, id) < 0) {
			from = middle + 1;
		} else {
			to = middle;
		}
	}
	return from;
}

static void sort_in(struct id_table *t, const struct id_entry *entry)
{
	const size_t i = place_of(t, &entry->id);

	if (t->n_sorted == t->allocated_sorted) {
		t->sorted = x2nrealloc(t->sorted, &t->allocated_sorted,
				       sizeof *t->sorted);
	}
	memmove(&t->sorted[i + 1], &t->sorted[i],
		(t->n_sorted++ - i) * sizeof *t->sorted);
	t->sorted[i] = (struct id_place){entry->id, entry->number,
					 statement_link_number(&entry->id)};
}

static void sort_out(struct id_table *t, const struct peer_id *id)
{
	const size_t i = place_of(t, id);

	memmove(&t->sorted[i], &t->sorted[i + 1],
		(--t->n_sorted - i) * sizeof *t->sorted);
}

static struct id_entry *get(struct id_table *t, const struct peer_id *id)
{
	struct id_entry *entry = find(t, id);
	size_t number = 0;

	if (entry) {
		return entry;
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
	entry->number = (uint32_t)number;
	hmap_insert(&t->by_id, &entry->node, hash_id(id));
	t->v[number] = entry;
	sort_in(t, entry);
	return entry;
}

static void put(struct id_table *t, struct id_entry *entry)
{
	if (!--entry->n_sets) {
		hmap_remove(&t->by_id, &entry->node);
		t->v[entry->number] = NULL;
		sort_out(t, &entry->id);
		free(entry);
	}
}

/* ---- Who is named ---- */

/* FNV-1a, its bits mixed well (the end of MurmurHash3). */
static uint64_t hash_named(const struct peer_id *id)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < sizeof id->b; i++) {
		h = (h ^ id->b[i]) * UINT64_C(0x100000001b3);
	}
	h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

static void name(struct id_table *t, struct id_entry *entry)
{
	if (!entry->n_named++) {
		t->n_named++;
		t->named_hash += hash_named(&entry->id);
	}
}

static void unname(struct id_table *t, struct id_entry *entry)
{
	if (!--entry->n_named) {
		t->n_named--;
		t->named_hash -= hash_named(&entry->id);
	}
}

void id_table_name(struct id_table *t, const struct peer_id *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct id_entry *entry = get(t, &v[i]);

		entry->n_sets++;
		name(t, entry);
	}
}

void id_table_unname(struct id_table *t, const struct peer_id *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct id_entry *entry = find(t, &v[i]);

		unname(t, entry);
		put(t, entry);
	}
}

struct peer_id *id_table_named(const struct id_table *t, uint8_t chunk,
			       unsigned int n_chunks, const struct peer_id *but,
			       size_t *n)
{
	struct peer_id *v = xmalloc((t->n_named + 1) * sizeof *v);

	*n = 0;
	for (size_t i = 0; i < t->n_sorted; i++) {
		const struct id_place *at = &t->sorted[i];

		if (t->v[at->number]->n_named &&
		    statement_number_chunk(at->link_number, n_chunks) ==
			    chunk &&
		    !peer_id_equal(&at->id, but)) {
			v[(*n)++] = at->id;
		}
	}
	return v;
}

/* ---- Sets ---- */

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

void id_set_name(const struct id_set *set, struct id_table *t)
{
	size_t number = 0;

	for (size_t i = 0; i < set->n; i++) {
		number = next_number(set, number);
		name(t, t->v[number++]);
	}
}

void id_set_unname(const struct id_set *set, struct id_table *t)
{
	size_t number = 0;

	for (size_t i = 0; i < set->n; i++) {
		number = next_number(set, number);
		unname(t, t->v[number++]);
	}
}

static bool has(const struct id_set *set, uint32_t number)
{
	return number / WORD < set->n_words &&
	       set->bits[number / WORD] >> number % WORD & 1;
}

void id_set_list(const struct id_set *set, const struct id_table *t,
		 struct peer_id *v)
{
	size_t n = 0;

	for (const struct id_place *at = t->sorted; n < set->n; at++) {
		if (has(set, at->number)) {
			v[n++] = at->id;
		}
	}
}

bool id_set_has(const struct id_set *set, const struct id_table *t,
		const struct peer_id *id)
{
	const struct id_entry *entry = find(t, id);

	return entry && has(set, entry->number);
}
