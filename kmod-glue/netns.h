/* Network namespaces: finding one by the name that a person gave, comparing
 * two, and doing something inside one without ever leaving our own.
 */
#ifndef FDP_GLUE_NETNS_H
#define FDP_GLUE_NETNS_H 1

#include <stdbool.h>
#include <stddef.h>

#include <sys/types.h>

#include "base/err.h"

/* Opens the namespace 'spec': an absolute path ("/proc/42/ns/net"), a name
 * below /run/netns, or, if there is no such name, a decimal process id.
 * 0 and a close-on-exec descriptor, or an errno value and one line for people
 * in 'why': ENOENT, EACCES, EINVAL (exists, but is no network namespace). */
int netns_open(const char *spec, int *fd, char *why,
	       size_t why_size) FDP_MUST_CHECK;
/* The namespace of process 'pid'; 0 is ourselves. */
int netns_open_pid(pid_t pid, int *fd, char *why,
		   size_t why_size) FDP_MUST_CHECK;

/* Are both descriptors the same namespace?  False if one cannot be read. */
bool netns_same(int fd_a, int fd_b);

/* What to do inside.  Returns 0 or an errno value, then with one line for
 * people in 'why'.  It runs in a process of its own: of what it changes only
 * '*aux' comes back. */
typedef int netns_fn(void *aux, char *why, size_t why_size);

/* Runs fn(aux, ...) in a child process inside the namespace 'fd' and waits for
 * it; the caller's own namespace never changes.  'aux' ('aux_size' bytes
 * without pointers to anything that 'fn' fills) is copied back on success.
 * Returns what 'fn' returned, or EPERM (needs CAP_SYS_ADMIN), EIO if the child
 * died, ETIMEDOUT after NETNS_RUN_SECONDS, or why no child could be had. */
enum {
	NETNS_RUN_SECONDS = 10
};
int netns_run(int fd, netns_fn *fn, void *aux, size_t aux_size, char *why,
	      size_t why_size) FDP_MUST_CHECK;

#endif
