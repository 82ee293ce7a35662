/* A statement: what a host says of itself, signed, so that others may keep it
 * and pass it on.
 *
 * All that a host says is cut into chunks, each of which is a statement that
 * stands for itself: the newest one of an author and a chunk replaces all
 * earlier ones, and in which order they come does not matter.  Chunk 0 has the
 * author's name and its links; bindings are spread over the other ones by a
 * hash, so that a change renews one of them.  docs/PROTOCOL.md, "Statements".
 */
#ifndef FDP_SESSION_STATEMENT_H
#define FDP_SESSION_STATEMENT_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/binding.h"
#include "base/err.h"
#include "base/span.h"
#include "crypto/sign.h"
#include "session/identity.h"

enum {
	STATEMENT_LINKS = 0, /* The chunk of that. */
	STATEMENT_CHUNKS = 65,
	STATEMENT_MAX_LINKS = 3900,
	STATEMENT_MAX_BODY = 65000
};

struct statement {
	struct peer_id author;
	struct sign_key key;  /* The author's; without a password zero. */
	uint64_t incarnation; /* The author's, and... */
	uint64_t seq;	      /* ...how many statements it has made in it. */
	uint8_t chunk;	      /* Below STATEMENT_CHUNKS. */
	uint8_t *body;	      /* Owned. */
	size_t size;
	uint8_t signature[SIGN_BYTES];
};

void statement_free(struct statement *);
struct statement *statement_clone(const struct statement *);

/* Is 'a' newer than 'b', of the same author and chunk? */
bool statement_is_newer(const struct statement *a, const struct statement *b);

/* Sets key and signature. */
void statement_sign(struct statement *, const struct secret *seed);
/* ERR_AUTH if the signature is not one of the key that it comes with. */
enum err statement_verify(const struct statement *) FDP_MUST_CHECK;

void statement_put(const struct statement *, struct wbuf *out);
/* ERR_TRUNCATED, ERR_MALFORMED, ERR_RANGE, ERR_LIMIT.  The body is not looked
 * into.  Nothing is to be freed after an error. */
enum err statement_get(struct span *in, struct statement *) FDP_MUST_CHECK;

/* The body of chunk 0. */
struct statement_links {
	char name[IDENTITY_NAME_SIZE];
	uint32_t mtu; /* The least inner one of its tunnels; 0: unknown. */
	struct peer_id *v;
	size_t n; /* At most STATEMENT_MAX_LINKS. */
};
void statement_put_links(const struct statement_links *, struct wbuf *out);
/* The caller frees links->v, even after an error. */
enum err statement_get_links(struct span body,
			     struct statement_links *) FDP_MUST_CHECK;

/* The body of the others; the chunk that a binding belongs to. */
uint8_t statement_chunk_of(const struct binding_key *);
void statement_put_bindings(const struct binding *, size_t n, struct wbuf *);
/* The caller frees '*v', even after an error.  ERR_MALFORMED also if one of
 * them belongs elsewhere. */
enum err statement_get_bindings(const struct statement *, struct binding **v,
				size_t *n) FDP_MUST_CHECK;

#endif
