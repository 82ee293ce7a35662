#include "mesh/topology.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "openvswitch/hmap.h"
#include "util.h"

/* A host is a number, its row and its column in two matrices of bits. */
typedef uint16_t slot_t;

#define NO_SLOT UINT16_MAX

enum {
	WORD = 64,
	FIRST_ROOM = WORD /* Slots; doubles. */
};

/* What this host asks of a tree.  That of another source is small if nobody
 * there is behind us, which in a full mesh is all of them. */
struct tree {
	uint64_t version;  /* Of the topology. */
	bool changed;	   /* Since it was asked and settled last. */
	size_t room;	   /* Slots at that time. */
	unsigned int hops; /* From the source to us; 0: no way, or us. */
	slot_t parent;
	/* Neighbours that are nearer to the source, as bits; NULL: only the
	 * source itself is, or nobody. */
	uint64_t *nearer;
	/* By slot, the neighbour that leads there; NULL: nobody behind us. */
	slot_t *next;
	uint16_t *all_hops; /* By slot; of our own tree. */
};

struct node {
	struct hmap_node hmap_node; /* In 'by_id'. */
	struct peer_id id;
	slot_t slot;
	bool author;
	bool fresh;	/* Who asked for it was told that it is unknown. */
	bool gone;	/* Until trees are settled, its slot is not free. */
	bool marked;	/* By topology_mark(). */
	bool linked;	/* Now or before: trees may know its slot. */
	size_t n_named; /* By how many authors. */
	uint32_t rank;	/* By id. */
	struct tree *tree;
	uint64_t *lately; /* tree->nearer before it changed, or NULL. */
	size_t lately_room;
};

struct topology {
	struct hmap by_id;
	struct node **nodes; /* By slot; NULL: free. */
	size_t room;	     /* Slots, a multiple of WORD. */
	size_t n_slots;	     /* That are not free. */
	size_t words;	     /* Of a row. */
	uint64_t *says;	     /* Row: the author. */
	uint64_t *links;     /* Both say it. */
	uint64_t *marked;    /* One row. */
	struct node *self;
	uint64_t version; /* Grows when a link comes or goes. */
	/* By the last change. */
	struct peer_id *ended;
	size_t n_ended, allocated_ended;
	bool ranked;
	bool any_gone;
	size_t n_lately; /* Nodes that have it. */
	/* Scratch of one search. */
	uint16_t *hops;
	slot_t *parents;
	uint32_t *level, *below;
	slot_t *order; /* All that was found, the nearest first. */
	size_t n_order;
	uint64_t *unseen;
};

/* Rows of bits. */

static uint64_t *row(uint64_t *matrix, const struct topology *t, slot_t slot)
{
	return matrix + slot * t->words;
}

static bool bit(const uint64_t *bits, slot_t slot)
{
	return bits[slot / WORD] >> slot % WORD & 1;
}

static void set_bit(uint64_t *bits, slot_t slot, bool value)
{
	const uint64_t mask = UINT64_C(1) << slot % WORD;

	bits[slot / WORD] =
		value ? bits[slot / WORD] | mask : bits[slot / WORD] & ~mask;
}

/* Nodes. */

static uint32_t hash_id(const struct peer_id *id)
{
	return hash_bytes(id, sizeof *id, 0);
}

static struct node *find(const struct topology *t, const struct peer_id *id)
{
	struct node *n;

	HMAP_FOR_EACH_WITH_HASH (n, hmap_node, hash_id(id), &t->by_id) {
		if (peer_id_equal(&n->id, id)) {
			return n;
		}
	}
	return NULL;
}

static void tree_free(struct tree *tree)
{
	if (tree) {
		free(tree->nearer);
		free(tree->next);
		free(tree->all_hops);
		free(tree);
	}
}

static uint64_t *widen(uint64_t *matrix, size_t room, size_t words,
		       size_t new_room)
{
	const size_t new_words = new_room / WORD;
	uint64_t *m = xcalloc(new_room * new_words, sizeof *m);

	for (size_t i = 0; i < room; i++) {
		memcpy(m + i * new_words, matrix + i * words,
		       words * sizeof *m);
	}
	free(matrix);
	return m;
}

static void grow(struct topology *t)
{
	const size_t room = t->room ? 2 * t->room : FIRST_ROOM;

	t->says = widen(t->says, t->room, t->words, room);
	t->links = widen(t->links, t->room, t->words, room);
	t->nodes = xrealloc(t->nodes, room * sizeof *t->nodes);
	memset(t->nodes + t->room, 0, (room - t->room) * sizeof *t->nodes);
	t->hops = xrealloc(t->hops, room * sizeof *t->hops);
	t->parents = xrealloc(t->parents, room * sizeof *t->parents);
	t->level = xrealloc(t->level, room * sizeof *t->level);
	t->below = xrealloc(t->below, room * sizeof *t->below);
	t->order = xrealloc(t->order, room * sizeof *t->order);
	t->marked = xrealloc(t->marked, room / CHAR_BIT);
	memset(t->marked + t->words, 0, (room - t->room) / CHAR_BIT);
	t->words = room / WORD;
	t->unseen = xrealloc(t->unseen, t->words * sizeof *t->unseen);
	t->room = room;
}

static struct node *get(struct topology *t, const struct peer_id *id)
{
	struct node *n = find(t, id);
	size_t slot = 0;

	if (n) {
		return n;
	}
	while (slot < t->room && t->nodes[slot]) {
		slot++;
	}
	if (slot == t->room) {
		grow(t);
	}
	n = xzalloc(sizeof *n);
	n->id = *id;
	n->slot = (slot_t)slot;
	n->fresh = true;
	hmap_insert(&t->by_id, &n->hmap_node, hash_id(id));
	t->nodes[slot] = n;
	t->n_slots++;
	t->ranked = false;
	return n;
}

static void free_node(struct topology *t, struct node *n)
{
	t->nodes[n->slot] = NULL;
	t->n_slots--;
	tree_free(n->tree);
	free(n->lately);
	free(n);
}

/* If nobody speaks of it, its row and its column are empty. */
static void put(struct topology *t, struct node *n)
{
	if (n->author || n->n_named || n->marked || n == t->self) {
		return;
	}
	hmap_remove(&t->by_id, &n->hmap_node);
	if (!n->linked && !n->tree) {
		free_node(t, n);
		return;
	}
	t->n_lately -= n->lately != NULL;
	free(n->lately);
	n->lately = NULL;
	n->gone = true;
	t->any_gone = true;
}

struct topology *topology_new(const struct peer_id *self)
{
	struct topology *t = xzalloc(sizeof *t);

	hmap_init(&t->by_id);
	t->self = get(t, self);
	return t;
}

void topology_free(struct topology *t)
{
	if (!t) {
		return;
	}
	for (size_t i = 0; i < t->room; i++) {
		if (t->nodes[i]) {
			free(t->nodes[i]->lately);
			tree_free(t->nodes[i]->tree);
			free(t->nodes[i]);
		}
	}
	hmap_destroy(&t->by_id);
	free(t->nodes);
	free(t->says);
	free(t->links);
	free(t->hops);
	free(t->parents);
	free(t->level);
	free(t->below);
	free(t->order);
	free(t->unseen);
	free(t->marked);
	free(t->ended);
	free(t);
}

/* Statements. */

static void state(struct topology *t, struct node *author, struct node *other,
		  bool value)
{
	bool link = bit(row(t->says, t, other->slot), author->slot);

	set_bit(row(t->says, t, author->slot), other->slot, value);
	other->n_named += value ? 1 : (size_t)-1;
	if (!link) {
		return;
	}
	link = value;
	author->linked = other->linked = true;
	t->version++;
	if (!link) {
		if (t->n_ended == t->allocated_ended) {
			t->ended = x2nrealloc(t->ended, &t->allocated_ended,
					      sizeof *t->ended);
		}
		t->ended[t->n_ended++] = other->id;
	}
	set_bit(row(t->links, t, author->slot), other->slot, link);
	set_bit(row(t->links, t, other->slot), author->slot, link);
}

/* How many hosts of the list are new. */
static size_t count_unknown(const struct topology *t,
			    const struct peer_id *links, size_t n)
{
	size_t unknown = 0;

	for (size_t i = 0; i < n; i++) {
		unknown += !find(t, &links[i]);
	}
	return unknown;
}

/* Is there room for the author and for those?  Slots that are not free yet are
 * none, or there would be no end to them. */
static bool has_room(const struct topology *t, const struct peer_id *author,
		     const struct peer_id *links, size_t n)
{
	const size_t n_new = count_unknown(t, links, n) + !find(t, author);

	return !n_new || t->n_slots + n_new <= TOPOLOGY_MAX_HOSTS;
}

static struct node *get_author(struct topology *t, const struct peer_id *id)
{
	struct node *a = get(t, id);

	a->author = true;
	return a;
}

/* Does 'a' state it already? */
static bool states(const struct topology *t, const struct node *a,
		   const struct node *other)
{
	return bit(row(t->says, t, a->slot), other->slot);
}

enum err topology_set(struct topology *t, const struct peer_id *author,
		      const struct peer_id *links, size_t n)
{
	struct node *a;
	uint64_t *gone;

	t->n_ended = 0;
	if (!has_room(t, author, links, n)) {
		return ERR_LIMIT;
	}
	a = get_author(t, author);
	for (size_t i = 0; i < n; i++) {
		get(t, &links[i]);
	}
	/* From here on nothing moves. */
	gone = xmemdup(row(t->says, t, a->slot), t->words * sizeof *gone);
	for (size_t i = 0; i < n; i++) {
		struct node *other = find(t, &links[i]);

		set_bit(gone, other->slot, false);
		if (other != a && !states(t, a, other)) {
			state(t, a, other, true);
		}
	}
	for (size_t i = 0; i < t->words; i++) {
		for (uint64_t word = gone[i]; word; word &= word - 1) {
			struct node *other =
				t->nodes[i * WORD +
					 (size_t)__builtin_ctzll(word)];

			state(t, a, other, false);
			put(t, other);
		}
	}
	free(gone);
	return FDP_OK;
}

enum err topology_change(struct topology *t, const struct peer_id *author,
			 const struct peer_id *come, size_t n_come,
			 const struct peer_id *gone, size_t n_gone)
{
	struct node *a;

	t->n_ended = 0;
	if (!has_room(t, author, come, n_come)) {
		return ERR_LIMIT;
	}
	a = get_author(t, author);
	for (size_t i = 0; i < n_come; i++) {
		struct node *other = get(t, &come[i]);

		if (other != a && !states(t, a, other)) {
			state(t, a, other, true);
		}
	}
	for (size_t i = 0; i < n_gone; i++) {
		struct node *other = find(t, &gone[i]);

		if (other && states(t, a, other)) {
			state(t, a, other, false);
			put(t, other);
		}
	}
	return FDP_OK;
}

size_t topology_n_ended(const struct topology *t)
{
	return t->n_ended;
}

const struct peer_id *topology_ended(const struct topology *t, size_t i)
{
	return &t->ended[i];
}

void topology_remove(struct topology *t, const struct peer_id *author)
{
	struct node *a = find(t, author);

	if (a && a->author) {
		enum err err = topology_set(t, author, NULL, 0);

		ovs_assert(!err); /* None are never too many. */
		a->author = false;
		put(t, a);
	}
}

static bool is_set(const struct topology *t, uint64_t *matrix,
		   const struct peer_id *a, const struct peer_id *b)
{
	const struct node *na = find(t, a), *nb = find(t, b);

	return na && nb && bit(row(matrix, t, na->slot), nb->slot);
}

bool topology_linked(const struct topology *t, const struct peer_id *a,
		     const struct peer_id *b)
{
	return is_set(t, t->links, a, b);
}

/* FNV-1a of both ids, the smaller one first; and its bits mixed well (the end
 * of MurmurHash3), as the lower ones alone would follow the last bytes. */
static uint64_t link_weight(const struct peer_id *a, const struct peer_id *b)
{
	const bool swap = peer_id_compare(a, b) > 0;
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < 2 * sizeof a->b; i++) {
		const struct peer_id *id = (i >= sizeof a->b) != swap ? b : a;

		h = (h ^ id->b[i % sizeof a->b]) * UINT64_C(0x100000001b3);
	}
	h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

bool topology_spares(struct topology *t, const struct peer_id *to)
{
	const struct node *end = find(t, to);
	uint64_t weight;
	size_t n = 0;

	if (!end || !bit(row(t->links, t, t->self->slot), end->slot)) {
		return false;
	}
	weight = link_weight(&t->self->id, to);
	memset(t->hops, 0xff, t->room * sizeof *t->hops);
	t->hops[t->self->slot] = 0;
	t->order[n++] = t->self->slot;
	for (size_t i = 0; i < n; i++) {
		const struct node *from = t->nodes[t->order[i]];
		const uint64_t *links = row(t->links, t, from->slot);

		if (t->hops[from->slot] == TOPOLOGY_SPARE_HOPS) {
			break;
		}
		for (size_t w = 0; w < t->words * WORD; w++) {
			const slot_t slot = (slot_t)w;

			if (!bit(links, slot) || t->hops[slot] != UINT16_MAX ||
			    link_weight(&from->id, &t->nodes[slot]->id) >=
				    weight) {
				continue;
			}
			if (slot == end->slot) {
				return true;
			}
			t->hops[slot] = (uint16_t)(t->hops[from->slot] + 1);
			t->order[n++] = slot;
		}
	}
	return false;
}

bool topology_states(const struct topology *t, const struct peer_id *author,
		     const struct peer_id *to)
{
	return is_set(t, t->says, author, to);
}

/* Marks. */

size_t topology_mark(struct topology *t, const struct peer_id *id)
{
	struct node *n = get(t, id);

	n->marked = true;
	set_bit(t->marked, n->slot, true);
	return n->slot;
}

void topology_unmark(struct topology *t, const struct peer_id *id)
{
	struct node *n = find(t, id);

	if (n && n->marked) {
		n->marked = false;
		set_bit(t->marked, n->slot, false);
		put(t, n);
	}
}

size_t topology_words(const struct topology *t)
{
	return t->words;
}

const struct peer_id *topology_marked(const struct topology *t, size_t number)
{
	return &t->nodes[number]->id;
}

void topology_marked_without(const struct topology *t,
			     const struct peer_id *link, uint64_t *set)
{
	const struct node *n = link ? find(t, link) : NULL;
	const uint64_t *links = n ? row(t->links, t, n->slot) : NULL;

	for (size_t i = 0; i < t->words; i++) {
		set[i] = t->marked[i] & ~(links ? links[i] : 0);
	}
}

/* Trees. */

static int compare_ids(const void *a_, const void *b_)
{
	const struct node *const *a = a_, *const *b = b_;

	return peer_id_compare(&(*a)->id, &(*b)->id);
}

static void rank(struct topology *t)
{
	struct node **sorted, *n;
	size_t i = 0;

	if (t->ranked) {
		return;
	}
	sorted = xmalloc(hmap_count(&t->by_id) * sizeof *sorted);
	HMAP_FOR_EACH (n, hmap_node, &t->by_id) {
		sorted[i++] = n;
	}
	qsort(sorted, i, sizeof *sorted, compare_ids);
	while (i) {
		i--;
		sorted[i]->rank = (uint32_t)i;
	}
	free(sorted);
	t->ranked = true;
}

static int compare_u32(const void *a_, const void *b_)
{
	const uint32_t *a = a_, *b = b_;

	return *a < *b ? -1 : *a > *b;
}

/* Takes what 'parent' sees first; appends it to 'below'. */
static size_t see(struct topology *t, slot_t parent, size_t n_below)
{
	const uint64_t *links = row(t->links, t, parent);

	for (size_t i = 0; i < t->words; i++) {
		uint64_t word = links[i] & t->unseen[i];

		t->unseen[i] &= ~word;
		for (; word; word &= word - 1) {
			slot_t slot = (slot_t)(i * WORD +
					       (size_t)__builtin_ctzll(word));

			t->parents[slot] = parent;
			t->hops[slot] = (uint16_t)(t->hops[parent] + 1);
			t->order[t->n_order++] = slot;
			/* In the order of ids, once it is sorted. */
			t->below[n_below++] = t->nodes[slot]->rank << 16 | slot;
		}
	}
	return n_below;
}

/* Breadth first.  Hosts of one level are asked in the order of their ids, so
 * that the first one to see a host is its parent of the smallest id. */
static void search(struct topology *t, const struct node *source)
{
	size_t n = 1;

	rank(t);
	memset(t->unseen, 0xff, t->words * sizeof *t->unseen);
	set_bit(t->unseen, source->slot, false);
	for (size_t i = 0; i < t->room; i++) {
		t->hops[i] = UINT16_MAX;
		t->parents[i] = NO_SLOT;
	}
	t->hops[source->slot] = 0;
	t->level[0] = source->slot;
	t->n_order = 0;
	while (n && t->n_order + 1 < hmap_count(&t->by_id)) {
		size_t n_below = 0;
		uint32_t *swap = t->level;

		for (size_t i = 0; i < n; i++) {
			n_below = see(t, (slot_t)t->level[i], n_below);
		}
		qsort(t->below, n_below, sizeof *t->below, compare_u32);
		t->level = t->below;
		t->below = swap;
		n = n_below;
	}
}

/* Of the last search. */
static uint64_t *collect_nearer(const struct topology *t)
{
	const slot_t self = t->self->slot;
	const uint64_t *links = t->links + self * t->words;
	uint64_t *nearer = xcalloc(t->words, sizeof *nearer);

	for (size_t i = 0; i < t->n_order; i++) {
		const slot_t slot = t->order[i];

		if (t->hops[slot] >= t->hops[self]) {
			break;
		}
		set_bit(nearer, slot, bit(links, slot));
	}
	return nearer;
}

static slot_t *collect_next(const struct topology *t)
{
	const slot_t self = t->self->slot;
	slot_t *next = NULL;

	for (size_t i = 0; i < t->n_order; i++) {
		const slot_t slot = t->order[i], parent = t->parents[slot];
		slot_t hop = parent == self ? slot
			     : next	    ? next[parent]
					    : NO_SLOT;

		if (hop == NO_SLOT) {
			continue;
		}
		if (!next) {
			next = xmalloc(t->room * sizeof *next);
			memset(next, 0xff, t->room * sizeof *next);
		}
		next[slot] = hop;
	}
	return next;
}

static struct tree *tree_new(struct topology *t, const struct node *source)
{
	struct tree *tree = xzalloc(sizeof *tree);
	const slot_t self = t->self->slot;

	search(t, source);
	tree->parent = t->parents[self];
	if (t->hops[self] != UINT16_MAX) {
		tree->hops = t->hops[self];
	}
	if (tree->hops > 1) {
		tree->nearer = collect_nearer(t);
	}
	tree->next = collect_next(t);
	if (source == t->self) {
		tree->all_hops = xmemdup(t->hops, t->room * sizeof *t->hops);
	}
	tree->version = t->version;
	tree->room = t->room;
	return tree;
}

/* Are the first 'size' bytes of both the same, and all others of the longer
 * one 'filler'? */
static bool same(const void *a_, size_t a_size, const void *b_, size_t b_size,
		 uint8_t filler)
{
	const uint8_t *a = a_, *b = b_;

	if (!a || !b) {
		return a == b;
	}
	for (size_t i = 0; i < MAX(a_size, b_size); i++) {
		if ((i < a_size ? a[i] : filler) !=
		    (i < b_size ? b[i] : filler)) {
			return false;
		}
	}
	return true;
}

static bool tree_equal(const struct tree *a, const struct tree *b)
{
	return a->hops == b->hops && a->parent == b->parent &&
	       same(a->nearer, a->room / 8, b->nearer, b->room / 8, 0) &&
	       same(a->next, a->room * sizeof *a->next, b->next,
		    b->room * sizeof *b->next, 0xff) &&
	       same(a->all_hops, a->room * sizeof *a->all_hops, b->all_hops,
		    b->room * sizeof *b->all_hops, 0xff);
}

static struct tree *tree_get(struct topology *t, struct node *source)
{
	struct tree *old = source->tree, *new;

	if (old && old->version == t->version) {
		return old;
	}
	new = tree_new(t, source);
	new->changed = old && (old->changed || !tree_equal(old, new));
	if (new->changed && old->nearer) {
		t->n_lately += !source->lately;
		free(source->lately);
		source->lately = old->nearer;
		source->lately_room = old->room;
		old->nearer = NULL;
	}
	tree_free(old);
	source->tree = new;
	return new;
}

unsigned int topology_hops(struct topology *t, const struct peer_id *to)
{
	const struct node *n = find(t, to);
	const struct tree *tree = tree_get(t, t->self);

	if (!n || n->slot >= tree->room ||
	    tree->all_hops[n->slot] == UINT16_MAX) {
		return 0;
	}
	return tree->all_hops[n->slot];
}

static const struct peer_id *id_of(const struct topology *t, slot_t slot)
{
	return slot == NO_SLOT ? NULL : &t->nodes[slot]->id;
}

const struct peer_id *topology_next(struct topology *t,
				    const struct peer_id *source,
				    const struct peer_id *to)
{
	struct node *s = find(t, source), *d = find(t, to);
	const struct tree *tree;

	if (!s || !d) {
		return NULL;
	}
	tree = tree_get(t, s);
	if (!tree->next || d->slot >= tree->room) {
		return NULL;
	}
	return id_of(t, tree->next[d->slot]);
}

bool topology_passes_on(struct topology *t, const struct peer_id *source)
{
	struct node *s = find(t, source);

	return s && tree_get(t, s)->next;
}

const struct peer_id *topology_parent(struct topology *t,
				      const struct peer_id *source)
{
	struct node *s = find(t, source);

	return s ? id_of(t, tree_get(t, s)->parent) : NULL;
}

bool topology_may_relay(struct topology *t, const struct peer_id *source,
			const struct peer_id *from)
{
	struct node *s = find(t, source), *f = find(t, from);
	const struct tree *tree;

	if (!s || !f) {
		return false;
	}
	tree = tree_get(t, s);
	if (s->lately && f->slot < s->lately_room && bit(s->lately, f->slot)) {
		return true;
	}
	if (!tree->nearer) {
		return tree->hops == 1 && s == f;
	}
	return f->slot < tree->room && bit(tree->nearer, f->slot);
}

/* Frees the slots of hosts that are gone, once nothing knows them any more. */
static void free_gone(struct topology *t,
		      void (*changed)(const struct peer_id *, void *),
		      void *aux)
{
	for (size_t i = 0; t->any_gone && i < t->room; i++) {
		struct node *n = t->nodes[i];

		if (!n || !n->gone) {
			continue;
		}
		if (n->tree) {
			changed(&n->id, aux);
			tree_free(n->tree);
			n->tree = NULL;
		}
		if (!t->n_lately) {
			free_node(t, n);
		}
	}
	t->any_gone = t->any_gone && t->n_lately;
}

void topology_settle(struct topology *t,
		     void (*changed)(const struct peer_id *source, void *aux),
		     void *aux)
{
	struct node *n;

	HMAP_FOR_EACH (n, hmap_node, &t->by_id) {
		bool tell = n->fresh;

		n->fresh = false;
		if (n->tree && tree_get(t, n)->changed) {
			tree_free(n->tree);
			n->tree = NULL;
			tell = true;
		}
		if (tell) {
			changed(&n->id, aux);
		}
	}
	free_gone(t, changed, aux);
}

void topology_forget(struct topology *t,
		     void (*changed)(const struct peer_id *source, void *aux),
		     void *aux)
{
	struct node *n;

	if (!t->n_lately) {
		return;
	}
	HMAP_FOR_EACH (n, hmap_node, &t->by_id) {
		if (n->lately) {
			free(n->lately);
			n->lately = NULL;
			changed(&n->id, aux);
		}
	}
	t->n_lately = 0;
	free_gone(t, changed, aux);
}
