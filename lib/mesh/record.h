/* A peer's record: what it says of its own endpoints, and how the saying
 * travels.
 *
 * A record belongs to one author and is versioned by (incarnation, seq).  The
 * author's own copy changes through record_set() and record_unset(); others
 * receive it whole, in parts (MSG_RECORD), and afterwards step by step
 * (MSG_UPDATE).  A gap in the steps is an error: the reader asks for the whole
 * by reconnecting.
 */
#ifndef FDP_MESH_RECORD_H
#define FDP_MESH_RECORD_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/binding.h"
#include "base/err.h"
#include "session/message.h"

enum {
	RECORD_MAX_BINDINGS = 65536
};

struct record {
	struct peer_id author;
	uint64_t incarnation, seq;
	struct binding *v; /* Owned. */
	size_t n, allocated;
};

void record_init(struct record *, const struct peer_id *author,
		 uint64_t incarnation);
void record_free(struct record *);

/* NULL if there is none of that key.  Borrowed until the next change. */
const struct binding *record_find(const struct record *,
				  const struct binding_key *);

/* The author's changes; each is one step of 'seq'.  ERR_LIMIT. */
enum err record_set(struct record *, const struct binding *) FDP_MUST_CHECK;
void record_unset(struct record *, const struct binding_key *);

/* Fills 'm' with part number 'part' of the record (0, 1, ...); the bindings
 * are borrowed from 'r'.  m->last tells whether it was the last one. */
void record_part(const struct record *r, uint16_t part, struct msg_record *m);

/* A record that is being received.  Init with zeroes, done with
 * record_free(&inbox.record). */
struct record_inbox {
	struct record record;
	bool open; /* A part with more to follow was here. */
	uint16_t next_part;
};

/* Takes one part in; '*complete' tells whether inbox->record is whole now.
 * ERR_SEQUENCE (parts out of order), ERR_MALFORMED (an invalid binding or two
 * of one key), ERR_LIMIT. */
enum err record_receive(struct record_inbox *, const struct msg_record *,
			bool *complete) FDP_MUST_CHECK;

/* Takes one step.  ERR_SEQUENCE if it is not the next one, ERR_MALFORMED,
 * ERR_LIMIT; then the record is as it was. */
enum err record_step(struct record *, const struct msg_update *) FDP_MUST_CHECK;

#endif
