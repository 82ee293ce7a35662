/* The daemon's directory of things that outlive it: its id ("id"), the seed of
 * its identity key ("key"), what it has to remember ("state"), what it may
 * forget ("peers") and a lock ("lock"), so that two daemons never believe they
 * are the same host.
 *
 * Files are replaced as a whole or not at all: written under another name,
 * synced, renamed, the directory synced.  Every failure leaves what was there
 * before.  A file that is damaged is an error or set aside, never taken for one
 * that is not there.
 *
 * A disk that is full, read-only or broken is no reason not to run: what could
 * not be written is kept in memory (statefile_trouble() says why) and written
 * with the next statefile_save(), which also tries to open the directory
 * again if that failed.
 */
#ifndef FDP_GLUE_STATEFILE_H
#define FDP_GLUE_STATEFILE_H 1

#include <stdbool.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/span.h"

struct ds;
struct statefile;

enum {
	STATEFILE_MAX_BYTES = 4 * 1024 * 1024,
	STATEFILE_MAX_PEERS_BYTES = 16 * 1024 * 1024
};

/* Opens 'dir', making it (mode 0700) and what is missing above it, and locks
 * it.  On failure a positive errno value and one line in 'why'; EWOULDBLOCK if
 * another daemon has it.  Trouble with the disk is no failure. */
int statefile_open(const char *dir, struct statefile **,
		   struct ds *why) FDP_MUST_CHECK;
/* Lets go of the lock.  NULL is fine. */
void statefile_close(struct statefile *);

/* Why not all is on disk, a line that lives as long as 'sf' and no save
 * succeeds; NULL if it is. */
const char *statefile_trouble(const struct statefile *sf);

/* The identity of this host, made at the first call ever.  A file that does
 * not hold one is an error, never a reason to become somebody else.
 * 'before', if not zero, is who we were when there was a disk: should there be
 * none now, we go on being that. */
int statefile_id(struct statefile *, const struct peer_id *before,
		 struct peer_id *, struct ds *why) FDP_MUST_CHECK;

/* The seed of the identity key of this host, made at the first call ever;
 * otherwise as statefile_id().  '*saved': it is on disk. */
int statefile_key(struct statefile *, struct secret *seed, bool *saved,
		  struct ds *why) FDP_MUST_CHECK;

/* The content of the state file, zero terminated, for the caller to free; NULL
 * if there is none yet.  A file that cannot be read, or has a zero byte inside
 * (EINVAL), is set aside. */
int statefile_load(struct statefile *, char **content,
		   struct ds *why) FDP_MUST_CHECK;

/* Makes "state.damaged" of "state", with a line in 'why'.  Should the disk be
 * read-only, it is done before the next save. */
void statefile_set_aside(struct statefile *, struct ds *why);

/* Replaces the content of the state file, and writes what could not be written
 * before. */
int statefile_save(struct statefile *, struct span content,
		   struct ds *why) FDP_MUST_CHECK;

/* The content of the file of peers, zero terminated, for the caller to free;
 * NULL if there is none that can be read. */
char *statefile_load_peers(struct statefile *);

/* Replaces it, as a whole, but without waiting for the disk: after a power
 * failure it may be damaged, and is of no use any more. */
int statefile_save_peers(struct statefile *, struct span content,
			 struct ds *why) FDP_MUST_CHECK;

#endif
