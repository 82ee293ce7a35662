/* The newest statements of every host (session/statement.h).
 *
 * Of each author and chunk the newest is kept, so that it can be passed on as
 * it came (statements_get()): links as a set of bits where that takes less
 * (mesh/idset.h).  With the first statement of a newer incarnation all of an
 * older one are gone.  Who may sign for an author, the caller knows; where he
 * does not, the first key stays.  When there is no room, the caller knows whom
 * to forget (engine/gossip.c).
 *
 * 'hosts' knows whom the authors state links to, all together
 * (id_table_named()): those whom hosts that hear the same know alike.
 */
#ifndef FDP_MESH_STATEMENTS_H
#define FDP_MESH_STATEMENTS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mesh/idset.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "session/statement.h"

enum {
	/* Besides this host itself. */
	STATEMENTS_MAX_AUTHORS = 4096,
	STATEMENTS_MAX_BYTES = 128 * 1024 * 1024,
	STATEMENTS_KNOWERS = 8
};

/* A statement, when it was heard, and who has it as well. */
struct kept {
	struct ovs_list node; /* In statements.news, the newest last. */
	uint64_t number;      /* Grows along that list. */
	uint64_t heard_us;
	struct author *author;
	struct statement s; /* If it has 'links', without its body. */
	bool has_links;
	struct id_set links; /* Over statements.hosts. */
	/* The caller's: connections whose other end has it, as far as there is
	 * room. */
	uint32_t knowers[STATEMENTS_KNOWERS];
	unsigned int n_knowers;
};

struct author {
	struct hmap_node node; /* In statements.authors, by id. */
	struct peer_id id;
	struct sign_key key;
	uint64_t incarnation;
	struct kept **v; /* Owned; by chunk, as many as there are. */
	size_t n;
	bool names; /* Those that it states links to. */
	/* The caller's. */
	bool knows_have; /* CAPABILITY_HAVE, by its own word. */
	bool has_mtus;	 /* CAPABILITY_MTUS, by its own word. */
	bool bindings_changed;
	bool links_missed; /* Not all of them are in the topology. */
	uint32_t mtu;	   /* The least of its tunnels; 0: unknown. */
	bool reached;
	uint64_t lost_us; /* When it ceased to be, or appeared. */
	uint32_t teller;  /* Number of the peer who told of it first. */
};

struct statements {
	struct peer_id own; /* For whom there is always room. */
	struct hmap authors;
	size_t n_bytes;	       /* Of all that is kept. */
	struct ovs_list news;  /* All of all authors, as they were heard. */
	uint64_t number;       /* Of the last one. */
	struct id_table hosts; /* That are in statements. */
};

void statements_init(struct statements *, const struct peer_id *own);
void statements_free(struct statements *);
struct author *statements_find(const struct statements *,
			       const struct peer_id *);
/* What it has said of that chunk; NULL: nothing, or there is no author. */
struct kept *author_said(const struct author *, size_t chunk);
void statements_forget(struct statements *, struct author *);
/* Do those that it states links to count as named?  Of the host itself they do,
 * of others not, until they are there: one that is gone may be the last to name
 * some. */
void statements_name(struct statements *, struct author *, bool names);
/* All that it has said counts as heard just now. */
void statements_renew(struct statements *, struct author *, uint64_t now_us);

/* The statement as it came, for the caller to free by statement_free(). */
void statements_get(const struct statements *, const struct kept *,
		    struct statement *);

/* Of one that is about links, with whom: the smallest first, none twice; the
 * caller frees '*v', which is NULL after an error.  ERR_TRUNCATED,
 * ERR_MALFORMED. */
enum err statements_links(const struct statements *, const struct kept *,
			  struct peer_id **v, size_t *n) FDP_MUST_CHECK;
/* Is it about a link to 'to' as well? */
bool statements_states(const struct statements *, const struct kept *,
		       const struct peer_id *to);

/* Keeps a copy of 's' if it is newer than what is there: '*news', else NULL.
 * With 'verify' its signature must be good, and its key 'expected', or, if that
 * is NULL, the one of earlier statements.  ERR_AUTH, ERR_IDENTITY, ERR_LIMIT
 * (too many authors, or bytes; all else is right with it). */
enum err statements_take(struct statements *, const struct statement *s,
			 bool verify, const struct sign_key *expected,
			 uint64_t now_us, struct kept **news) FDP_MUST_CHECK;

#endif
