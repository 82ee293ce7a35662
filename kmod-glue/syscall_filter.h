/* The system calls that the daemon may make: a list, and nothing beside it
 * (seccomp(2)).
 *
 * Whoever gets to run code of his own in the daemon can then open files and
 * sockets of the kinds that the daemon uses, and no more: not run a program,
 * enter a namespace, trace a process, mount, load a module or map memory as
 * code.  Children that the daemon forks from then on (password.h) are under
 * it as well; the agent (agent.h) is not, it was forked before.
 */
#ifndef FDP_GLUE_SYSCALL_FILTER_H
#define FDP_GLUE_SYSCALL_FILTER_H 1

#include "base/err.h"

struct ds;

/* What happens to a process that makes another call. */
enum syscall_filter {
	SYSCALL_FILTER_OFF,    /* Nothing; there is no filter. */
	SYSCALL_FILTER_REFUSE, /* EPERM, and the kernel's log says so. */
	SYSCALL_FILTER_KILL    /* It is killed by SIGSYS: for tests. */
};

/* "off", "on", "kill"; EINVAL on anything else. */
int syscall_filter_parse(const char *text,
			 enum syscall_filter *) FDP_MUST_CHECK;

/* Installs the filter for this thread and what it starts, for ever.  0, or an
 * errno value with one line in 'why': EINVAL or ENOSYS if the kernel has no
 * seccomp filters; ENOTSUP in a build with sanitizers, which make calls of
 * their own. */
int syscall_filter_install(enum syscall_filter, struct ds *why) FDP_MUST_CHECK;

#endif
