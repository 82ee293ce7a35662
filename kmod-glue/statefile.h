/* The daemon's directory of things that outlive it: its identity ("id"), the
 * attachments ("state") and a lock ("lock"), so that two daemons never believe
 * they are the same host.
 *
 * Files are replaced as a whole or not at all: written under another name,
 * synced, renamed, the directory synced.  Every failure leaves what was there
 * before; the caller reports it and runs on.
 */
#ifndef FDP_GLUE_STATEFILE_H
#define FDP_GLUE_STATEFILE_H 1

#include "base/addr.h"
#include "base/err.h"
#include "base/span.h"

struct ds;
struct statefile;

enum {
	STATEFILE_MAX_BYTES = 4 * 1024 * 1024
};

/* Opens 'dir', making it (mode 0700) and what is missing above it, and locks
 * it.  On failure a positive errno value and one line in 'why'; EWOULDBLOCK if
 * another daemon has it. */
int statefile_open(const char *dir, struct statefile **,
		   struct ds *why) FDP_MUST_CHECK;
/* Lets go of the lock.  NULL is fine. */
void statefile_close(struct statefile *);

/* The identity of this host, made at the first call ever.  A file that does
 * not hold one is an error, never a reason to become somebody else. */
int statefile_id(struct statefile *, struct peer_id *,
		 struct ds *why) FDP_MUST_CHECK;

/* The content of the state file, zero terminated, for the caller to free; NULL
 * if there is none yet.  A damaged file (EINVAL: a zero byte inside) is set
 * aside as "state.damaged". */
int statefile_load(struct statefile *, char **content,
		   struct ds *why) FDP_MUST_CHECK;

/* Replaces the content of the state file. */
int statefile_save(struct statefile *, struct span content,
		   struct ds *why) FDP_MUST_CHECK;

#endif
