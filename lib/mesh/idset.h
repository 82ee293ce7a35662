/* Sets of hosts, of which there are many over the same hosts, as bits.
 *
 * In a full mesh each host states links to all others: as lists of ids they
 * would be N times N times 16 bytes.  A table gives each host that is in any
 * set a number, as long as it is in one; a set is a row of bits, 1/128 of the
 * list.  It has no order: the list that comes out is in that of the ids.
 */
#ifndef FDP_MESH_IDSET_H
#define FDP_MESH_IDSET_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "openvswitch/hmap.h"

struct id_entry;
struct id_place;

struct id_table {
	struct hmap by_id;
	struct id_entry **v; /* By number; NULL: free. */
	size_t n, allocated;
	struct id_place *sorted; /* By id. */
	size_t n_sorted, allocated_sorted;
};

struct id_set {
	uint64_t *bits; /* Owned. */
	size_t n_words;
	size_t n; /* Hosts in it. */
};

void id_table_init(struct id_table *);
/* All sets must be gone. */
void id_table_done(struct id_table *);

/* How many of those that are in any set have that statement_link_number(), and
 * one of them. */
size_t id_table_numbered(const struct id_table *, uint32_t link_number,
			 struct peer_id *);

/* Of 'n' hosts, none of them twice. */
void id_set_init(struct id_set *, struct id_table *, const struct peer_id *v,
		 size_t n);
void id_set_done(struct id_set *, struct id_table *);
/* Fills 'v', for 'set->n' of them, the smallest first. */
void id_set_list(const struct id_set *, const struct id_table *,
		 struct peer_id *v);
bool id_set_has(const struct id_set *, const struct id_table *,
		const struct peer_id *);

#endif
