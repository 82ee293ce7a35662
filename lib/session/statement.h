/* A statement: what a host says of itself, signed, so that others may keep it
 * and pass it on.
 *
 * All that a host says is cut into chunks, each of which is a statement that
 * stands for itself: the newest one of an author and a chunk replaces all
 * earlier ones, and in which order they come does not matter.  Chunk 0 has the
 * author's name; bindings, and links to other hosts, are spread over the other
 * ones by a hash, so that a change renews one of them.  docs/PROTOCOL.md,
 * "Statements".
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
	STATEMENT_SELF = 0, /* The chunk with the name. */
	STATEMENT_BINDINGS = 1,
	STATEMENT_N_BINDINGS = 64,
	STATEMENT_LINKS = STATEMENT_BINDINGS + STATEMENT_N_BINDINGS,
	STATEMENT_N_LINKS = 16,
	STATEMENT_CHUNKS = STATEMENT_LINKS + STATEMENT_N_LINKS,
	STATEMENT_MAX_LINKS = 1024, /* In one chunk. */
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
void statement_copy(struct statement *to, const struct statement *from);

/* Is 'a' newer than 'b', of the same author and chunk? */
bool statement_is_newer(const struct statement *a, const struct statement *b);

/* Sets key and signature. */
void statement_sign(struct statement *, const struct sign_pair *);
/* ERR_AUTH if the signature is not one of the key that it comes with. */
enum err statement_verify(const struct statement *) FDP_MUST_CHECK;

void statement_put(const struct statement *, struct wbuf *out);
/* ERR_TRUNCATED, ERR_MALFORMED, ERR_RANGE, ERR_LIMIT.  The body is not looked
 * into.  Nothing is to be freed after an error. */
enum err statement_get(struct span *in, struct statement *) FDP_MUST_CHECK;

/* What a chunk has. */
static inline bool statement_has_links(size_t chunk)
{
	return chunk >= STATEMENT_LINKS;
}

static inline bool statement_has_bindings(size_t chunk)
{
	return chunk >= STATEMENT_BINDINGS && chunk < STATEMENT_LINKS;
}

/* The body of chunk 0. */
struct statement_self {
	char name[IDENTITY_NAME_SIZE];
	uint32_t mtu; /* The least inner one of its tunnels; 0: unknown. */
	uint32_t capabilities; /* As in its identity; of older ones 0. */
};
void statement_put_self(const struct statement_self *, struct wbuf *out);
enum err statement_get_self(const struct statement *,
			    struct statement_self *) FDP_MUST_CHECK;

/* Links: the chunk that one to 'to' belongs to where they are spread over 'n'
 * chunks, a power of two up to STATEMENT_N_LINKS; and the body, at most
 * STATEMENT_MAX_LINKS.  The author decides over how many: a few links in one
 * statement are less than in many, of many not all are to be said anew when one
 * changes. */
uint8_t statement_link_chunk(const struct peer_id *to, unsigned int n);
/* The same, of one with that statement_link_number(). */
uint8_t statement_number_chunk(uint32_t link_number, unsigned int n);
/* In short: a hash of the id (FNV-1a). */
uint32_t statement_link_number(const struct peer_id *to);
void statement_put_links(const struct peer_id *, size_t n, struct wbuf *out);
/* The caller frees '*v', even after an error.  ERR_MALFORMED also if one of
 * them belongs elsewhere. */
enum err statement_get_links(const struct statement *, struct peer_id **v,
			     size_t *n) FDP_MUST_CHECK;

/* Bindings: likewise; at most MSG_MAX_BINDINGS. */
uint8_t statement_chunk_of(const struct binding_key *);
void statement_put_bindings(const struct binding *, size_t n, struct wbuf *);
/* The caller frees '*v', even after an error.  ERR_MALFORMED also if one of
 * them belongs elsewhere. */
enum err statement_get_bindings(const struct statement *, struct binding **v,
				size_t *n) FDP_MUST_CHECK;

#endif
