/* The running daemon, from outside: found through RUN_DIR/fdpd.pid, spoken to
 * over RUN_DIR/fdpd.PID.ctl in the unixctl protocol (JSON-RPC), in the
 * commands of control/control.h. */
#ifndef FDPCTL_DAEMON_H
#define FDPCTL_DAEMON_H 1

#include <sys/types.h>

#include "control/control.h"
#include "control/health.h"

struct json;

/* Its process.  HEALTH_DOWN: there is none; HEALTH_REFUSED: we may not know.
 * '*error' is then one line that says what to do, for the caller to free. */
enum health daemon_find(const char *run_dir, pid_t *pid, char **error);

/* Sends 'args' (NULL for none; taken over) and waits for the answer, at most
 * DAEMON_PATIENCE_MS, or that for passwords, which take seconds of a processor
 * that others may have, if that is what the command is about.  HEALTH_GOOD:
 * '*reply' is an object for the caller to destroy.  Else '*error' as above;
 * HEALTH_REFUSED with the daemon's own words if it refused. */
enum {
	DAEMON_PATIENCE_MS = 10 * 1000,
	DAEMON_PASSWORD_PATIENCE_MS = 120 * 1000
};
enum health daemon_call(const char *run_dir, enum control_command,
			struct json *args, struct json **reply, char **error);

/* Asks the daemon to exit and waits until it is gone.  HEALTH_DOWN: there was
 * none. */
enum health daemon_stop(const char *run_dir, char **error);

/* Changes this process to the network namespace of process 'pid'; nothing
 * happens if it is there already. */
enum health daemon_enter_netns(pid_t pid, char **error);

/* The same for the daemon of 'run_dir', if there is one: what is read from the
 * kernel shall be what that daemon put there. */
enum health daemon_enter_netns_if_any(const char *run_dir, char **error);

#endif
