/* What the processes of the daemon may do: as little as they need.
 *
 * The daemon itself reads bytes of strangers; it keeps CAP_NET_ADMIN.  The few
 * things that need more are done by a process of their own (agent.h).  And
 * what they know stays in their memory.
 */
#ifndef FDP_GLUE_PRIVILEGE_H
#define FDP_GLUE_PRIVILEGE_H 1

#include <stdint.h>

#include "base/err.h"

struct ds;

/* Gives up, for good, every capability that is not in 'keep' (bits by number,
 * 1 << CAP_NET_ADMIN and so on); one that we have not got stays away.  None is
 * inherited by programs that we run as another user, and no program gains any
 * (no_new_privs).  0, or an errno value and one line in 'why': then capset(2)
 * is forbidden here.  It is about the calling thread, so call it while there
 * is one only. */
int privilege_keep(uint64_t keep, struct ds *why) FDP_MUST_CHECK;

/* Keeps all memory of this process, now and later, out of swap: keys and what
 * they are made of are in the heap, on the stack, in buffers of messages, so
 * all is locked, as far as it is used.  For that the limit of locked memory
 * must go, or later allocations fail: call it while there is CAP_SYS_RESOURCE,
 * or have the limit raised by whoever starts us.  A fork inherits the limit
 * only.  0, or an errno value and one line in 'why'. */
int privilege_lock_memory(struct ds *why) FDP_MUST_CHECK;

#endif
