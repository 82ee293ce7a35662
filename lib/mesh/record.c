#include "mesh/record.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

void record_init(struct record *r, const struct peer_id *author,
		 uint64_t incarnation)
{
	memset(r, 0, sizeof *r);
	r->author = *author;
	r->incarnation = incarnation;
}

void record_free(struct record *r)
{
	free(r->v);
	r->v = NULL;
	r->n = r->allocated = 0;
}

/* The bindings are kept sorted by network and MAC. */
static int compare(const struct binding *b, const struct binding_key *key)
{
	if (b->vni != key->vni) {
		return b->vni < key->vni ? -1 : 1;
	}
	return memcmp(&b->mac, &key->mac, sizeof key->mac);
}

/* Where 'key' is, or where it would have to be put in. */
static size_t locate(const struct record *r, const struct binding_key *key,
		     bool *found)
{
	size_t low = 0, high = r->n;

	*found = false;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = compare(&r->v[mid], key);

		if (!order) {
			*found = true;
			return mid;
		}
		if (order < 0) {
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	return low;
}

const struct binding *record_find(const struct record *r,
				  const struct binding_key *key)
{
	bool found;
	size_t i = locate(r, key, &found);

	return found ? &r->v[i] : NULL;
}

static enum err put(struct record *r, const struct binding *b)
{
	struct binding_key key = binding_key(b);
	bool found;
	size_t i = locate(r, &key, &found);

	if (!found) {
		if (r->n >= RECORD_MAX_BINDINGS) {
			return ERR_LIMIT;
		}
		if (!r->v || r->n == r->allocated) {
			r->allocated = r->allocated ? r->allocated * 2 : 8;
			r->v = xrealloc(r->v, r->allocated * sizeof *r->v);
		}
		memmove(&r->v[i + 1], &r->v[i], (r->n - i) * sizeof *r->v);
		r->n++;
	}
	ovs_assert(r->v); /* Found, or just made. */
	r->v[i] = *b;
	return FDP_OK;
}

static void drop(struct record *r, const struct binding_key *key)
{
	bool found;
	size_t i = locate(r, key, &found);

	if (found) {
		r->n--;
		memmove(&r->v[i], &r->v[i + 1], (r->n - i) * sizeof *r->v);
	}
}

enum err record_set(struct record *r, const struct binding *b)
{
	enum err err = put(r, b);

	if (!err) {
		r->seq++;
	}
	return err;
}

void record_unset(struct record *r, const struct binding_key *key)
{
	drop(r, key);
	r->seq++;
}

void record_part(const struct record *r, uint16_t part, struct msg_record *m)
{
	size_t first = MIN((size_t)part * MSG_MAX_BINDINGS, r->n);

	memset(m, 0, sizeof *m);
	m->author = r->author;
	m->incarnation = r->incarnation;
	m->seq = r->seq;
	m->part = part;
	m->n_bindings = MIN(r->n - first, MSG_MAX_BINDINGS);
	m->bindings = m->n_bindings ? &r->v[first] : NULL;
	m->last = first + m->n_bindings == r->n;
}

enum err record_receive(struct record_inbox *in, const struct msg_record *m,
			bool *complete)
{
	struct record *r = &in->record;

	if (m->part == 0) {
		record_free(r);
		record_init(r, &m->author, m->incarnation);
		r->seq = m->seq;
		in->open = true;
		in->next_part = 0;
	}
	if (!in->open || m->part != in->next_part || m->seq != r->seq ||
	    m->incarnation != r->incarnation ||
	    !peer_id_equal(&m->author, &r->author)) {
		in->open = false;
		return ERR_SEQUENCE;
	}
	for (size_t i = 0; i < m->n_bindings; i++) {
		struct binding_key key = binding_key(&m->bindings[i]);
		enum err err = FDP_OK;

		if (!binding_is_valid(&m->bindings[i]) ||
		    record_find(r, &key)) {
			err = ERR_MALFORMED;
		} else {
			err = put(r, &m->bindings[i]);
		}
		if (err) {
			in->open = false;
			return err;
		}
	}
	in->next_part++;
	in->open = !m->last;
	*complete = m->last;
	return FDP_OK;
}

enum err record_step(struct record *r, const struct msg_update *m)
{
	if (!peer_id_equal(&m->author, &r->author) ||
	    m->incarnation != r->incarnation || m->seq != r->seq + 1) {
		return ERR_SEQUENCE;
	}
	for (size_t i = 0; i < m->n_added; i++) {
		if (!binding_is_valid(&m->added[i])) {
			return ERR_MALFORMED;
		}
	}
	if (r->n + m->n_added > RECORD_MAX_BINDINGS) {
		return ERR_LIMIT;
	}
	for (size_t i = 0; i < m->n_removed; i++) {
		drop(r, &m->removed[i]);
	}
	for (size_t i = 0; i < m->n_added; i++) {
		enum err err = put(r, &m->added[i]);

		ovs_assert(!err); /* The limit was looked at above. */
	}
	r->seq = m->seq;
	return FDP_OK;
}
