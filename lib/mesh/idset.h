/* Sets of hosts, of which there are many over the same hosts, as bits.
 *
 * In a full mesh each host states links to all others: as lists of ids they
 * would be N times N times 16 bytes.  A table gives each host that is in any
 * set a number, as long as it is in one; a set is a row of bits, 1/128 of the
 * list.  It has no order: the list that comes out is in that of the ids.
 *
 * Of some sets, and lists, the table knows besides whom they name, all
 * together, with a hash that is the same wherever the same hosts are named:
 * the sum of one for each, so that their order does not matter.
 * docs/PROTOCOL.md, "Statements".
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
	size_t n_named;
	uint64_t named_hash;
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

/* Each of 'n' hosts, none of them twice, is named once more; once less. */
void id_table_name(struct id_table *, const struct peer_id *v, size_t n);
void id_table_unname(struct id_table *, const struct peer_id *v, size_t n);
/* Those that are named and belong to that chunk where links are spread over 'n'
 * chunks, but not 'but': the smallest first, for the caller to free. */
struct peer_id *id_table_named(const struct id_table *, uint8_t chunk,
			       unsigned int n_chunks, const struct peer_id *but,
			       size_t *n);

/* Of 'n' hosts, none of them twice.  They are not named by that. */
void id_set_init(struct id_set *, struct id_table *, const struct peer_id *v,
		 size_t n);
void id_set_done(struct id_set *, struct id_table *);
/* All in it are named once more; once less, which comes before its end. */
void id_set_name(const struct id_set *, struct id_table *);
void id_set_unname(const struct id_set *, struct id_table *);
/* Fills 'v', for 'set->n' of them, the smallest first. */
void id_set_list(const struct id_set *, const struct id_table *,
		 struct peer_id *v);
bool id_set_has(const struct id_set *, const struct id_table *,
		const struct peer_id *);

#endif
