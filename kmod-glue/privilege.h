/* What the processes of the daemon may do: as little as they need.
 *
 * The daemon itself reads bytes of strangers; it keeps CAP_NET_ADMIN.  The few
 * things that need more are done by a process of their own (agent.h).
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

#endif
