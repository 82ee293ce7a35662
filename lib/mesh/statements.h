/* The newest statements of every host (session/statement.h).
 *
 * Of each author and chunk the newest is kept, as it came, so that it can be
 * passed on.  With the first statement of a newer incarnation all of an older
 * one are gone.  Who may sign for an author, the caller knows; where he does
 * not, the first key stays.
 */
#ifndef FDP_MESH_STATEMENTS_H
#define FDP_MESH_STATEMENTS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "openvswitch/hmap.h"
#include "session/statement.h"

enum {
	STATEMENTS_MAX_AUTHORS = 4096
};

struct author {
	struct hmap_node node; /* In statements.authors, by id. */
	struct peer_id id;
	struct sign_key key;
	uint64_t incarnation;
	struct statement *v[STATEMENT_CHUNKS]; /* NULL: none so far. */
	/* The caller's. */
	bool bindings_changed;
	uint32_t mtu; /* The least of its tunnels; 0: unknown. */
	bool reached;
	uint64_t lost_us; /* When it ceased to be, or appeared. */
};

struct statements {
	struct hmap authors;
};

void statements_init(struct statements *);
void statements_free(struct statements *);
struct author *statements_find(const struct statements *,
			       const struct peer_id *);
void statements_forget(struct statements *, struct author *);

/* Keeps a copy of 's' if it is newer than what is there, and says so in
 * '*news'.  With 'verify' its signature must be good, and its key 'expected',
 * or, if that is NULL, the one of earlier statements.  ERR_AUTH, ERR_IDENTITY,
 * ERR_LIMIT (too many authors). */
enum err statements_take(struct statements *, const struct statement *s,
			 bool verify, const struct sign_key *expected,
			 bool *news) FDP_MUST_CHECK;

#endif
