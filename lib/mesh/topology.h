/* Which hosts have tunnels to which, and the ways through them.
 *
 * Every host says in its record to whom it has a usable tunnel; a link counts
 * only if both its ends say so.  From the same statements all hosts compute the
 * same: hop counts, and for every source the tree along which its broadcasts
 * spread, the tree of shortest paths in which of several possible parents the
 * one with the smallest id is taken.  A frame for many goes along the tree of
 * its source, so that each host is reached once; a frame for one goes from next
 * hop to next hop, and so away from its source at every step, which its
 * receiver checks (may_relay).
 * While hosts disagree a frame may go astray; the hop limit of
 * datapath/pipeline.h ends it.
 *
 * Nothing is computed before it is asked for.  A tree costs N^2 / 64 steps for
 * N hosts, and memory for N only where this host has somebody behind it.
 */
#ifndef FDP_MESH_TOPOLOGY_H
#define FDP_MESH_TOPOLOGY_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

enum {
	/* Authors, and those that they name; then ERR_LIMIT. */
	TOPOLOGY_MAX_HOSTS = 8192,
	TOPOLOGY_SPARE_HOPS = 3
};

struct topology;

struct topology *topology_new(const struct peer_id *self);
void topology_free(struct topology *);

/* 'author' (which may be this host) has links to these 'n' hosts, and to no
 * others.  ERR_LIMIT: too many hosts; then nothing has changed. */
enum err topology_set(struct topology *, const struct peer_id *author,
		      const struct peer_id *links, size_t n) FDP_MUST_CHECK;
/* The same, where only these have come and those are gone. */
enum err topology_change(struct topology *, const struct peer_id *author,
			 const struct peer_id *come, size_t n_come,
			 const struct peer_id *gone,
			 size_t n_gone) FDP_MUST_CHECK;
/* The links that this was the end of: how many, and the other end of one. */
size_t topology_n_ended(const struct topology *);
const struct peer_id *topology_ended(const struct topology *, size_t i);
/* It says nothing any more. */
void topology_remove(struct topology *, const struct peer_id *author);

/* Is there a link, stated by both ends? */
bool topology_linked(const struct topology *, const struct peer_id *a,
		     const struct peer_id *b);
/* Does 'author' state one? */
bool topology_states(const struct topology *, const struct peer_id *author,
		     const struct peer_id *to);

/* Hosts may be marked, for whatever reason the caller has.  A marked one has a
 * number as long as it is marked, and of all of them, and their links, a
 * question can be asked at once.  Also if it is marked already. */
size_t topology_mark(struct topology *, const struct peer_id *);
void topology_unmark(struct topology *, const struct peer_id *);
/* Which one has that number. */
const struct peer_id *topology_marked(const struct topology *, size_t number);
/* Fills 'set', words of 64 bits of which there are topology_words(): by number,
 * those that are marked and have no link to 'link', which may be NULL. */
size_t topology_words(const struct topology *);
void topology_marked_without(const struct topology *,
			     const struct peer_id *link, uint64_t *set);

/* Can our link to 'to' be spared?  Every link has a weight, drawn from the ids
 * of its ends; that of a link can be spared if there is another way between
 * them, of TOPOLOGY_SPARE_HOPS links at most, all of which weigh less.  Whoever
 * ends such links leaves hosts connected that are, even if many do so at once
 * and know of each other only later: what each relies on weighs less than what
 * it ends, so the lightest way between any two stays. */
bool topology_spares(struct topology *, const struct peer_id *to);

/* From this host, 1 for a neighbour.  0: there is no way, or it is us. */
unsigned int topology_hops(struct topology *, const struct peer_id *to);

/* The neighbour to whom this host passes frames of 'source' so that they reach
 * 'to'; NULL if 'to' is not behind this host in the tree of 'source'.  For
 * this host as the source: the next hop.  Borrowed until the next change. */
const struct peer_id *topology_next(struct topology *,
				    const struct peer_id *source,
				    const struct peer_id *to);

/* Is anybody at all behind this host in the tree of 'source'? */
bool topology_passes_on(struct topology *, const struct peer_id *source);

/* The neighbour from whom this host gets frames of 'source' in the tree of
 * 'source'; NULL if there is none. */
const struct peer_id *topology_parent(struct topology *,
				      const struct peer_id *source);

/* Is 'from' nearer to 'source' than we are, or was it before the last changes
 * (see topology_forget())?  Only then may it pass us frames of 'source': they
 * go away from it. */
bool topology_may_relay(struct topology *, const struct peer_id *source,
			const struct peer_id *from);

/* Calls 'changed', which must not change the topology, for each source of whose
 * tree something was asked before and might be answered otherwise now, and
 * forgets that it was asked.  To be called after each batch of changes. */
void topology_settle(struct topology *,
		     void (*changed)(const struct peer_id *source, void *aux),
		     void *aux);

/* Hosts hear of a change one after the other, and frames are on their way
 * meanwhile: who might relay before may do so still, until this is called,
 * which calls 'changed' for each source whose frames that concerns. */
void topology_forget(struct topology *,
		     void (*changed)(const struct peer_id *source, void *aux),
		     void *aux);

#endif
