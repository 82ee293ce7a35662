/* From a password file to the two stretched secrets of every password.
 *
 * The file is read and checked, and then its passwords are stretched (Argon2id,
 * crypto/kdf.h), by a child process that lives for a fraction of a second:
 * neither the password nor the 64 MiB ever lie in the daemon's own memory.
 *
 * A password comes from a file or a systemd credential, never from the command
 * line, which everybody can read, nor from the environment, which children
 * inherit and container tools show.
 */
#ifndef FDP_GLUE_PASSWORD_H
#define FDP_GLUE_PASSWORD_H 1

#include <stdbool.h>
#include <stddef.h>

#include "session/handshake.h"

struct ds;

enum {
	PASSWORD_MIN_BYTES = 12,
	PASSWORD_FILE_MAX_BYTES = 1024
};

/* EPERM and a sentence if FDP_PASSWORD is in the environment, else 0. */
int password_check_environment(struct ds *why) FDP_MUST_CHECK;

/* $CREDENTIALS_DIRECTORY/password (systemd.exec(5), LoadCredential=) if it
 * exists, else NULL.  The caller frees it. */
char *password_credential(void);

/* A child that is reading a password file. */
struct password_job;

/* Begins to read the passwords in 'path', without waiting.  Returns 0 or a
 * positive errno value with one line in 'why'. */
int password_begin(const char *path, bool allow_weak, struct password_job **,
		   struct ds *why) FDP_MUST_CHECK;

/* Readable when there may be an answer. */
int password_fd(const struct password_job *);

/* Waits until the file is read and checked, which is soon; to stretch what it
 * has takes longer.  0 and how many passwords there will be; else as
 * password_load(), and the job is freed. */
int password_check(struct password_job *, size_t *n_slots,
		   struct ds *why) FDP_MUST_CHECK;

/* EAGAIN while there is no answer; otherwise as password_load(), and the job
 * is freed. */
int password_finish(struct password_job *,
		    struct hs_slot slots[HANDSHAKE_SLOTS_MAX], size_t *n_slots,
		    struct ds *why) FDP_MUST_CHECK;

/* Ends the child and frees the job; NULL is fine. */
void password_cancel(struct password_job *);

/* Reads the passwords in 'path': line 1 is the primary one, an optional line 2
 * is accepted as well.  A file that others could read or replace is refused:
 * it must be a regular file, not a symbolic link, owned by root or by us, and
 * without any permission for group and others; a systemd credential may be
 * readable by the group root.  Passwords of fewer than PASSWORD_MIN_BYTES are
 * refused unless 'allow_weak'.
 *
 * Returns 0 or a positive errno value with one line in 'why' that says what to
 * do.  The slots are the caller's to wipe.  Forks: call it while there is one
 * thread only. */
int password_load(const char *path, bool allow_weak,
		  struct hs_slot slots[HANDSHAKE_SLOTS_MAX], size_t *n_slots,
		  struct ds *why) FDP_MUST_CHECK;

#endif
