/* The running daemon: the engine, the sockets and the state directory, and the
 * turn of the loop that joins them.
 *
 * Everything happens in one thread, but for the sleeve's packets.  In each turn
 * first upcalls, as their packets are waiting, then what the kernel tells, then
 * TCP, then timers; whatever happens is an event for the engine, what it wants
 * done is carried out at once, and what comes of that are events again.
 *
 * A packet that comes alone is not to pay for a look at a dozen sockets where
 * nothing happened, nor is who receives it: after it the loop waits for the
 * next one, and for nothing else, a millisecond each and ten in all.  Where
 * packets come together nothing is gained by haste.
 */
#ifndef FDP_GLUE_LOOP_H
#define FDP_GLUE_LOOP_H 1

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "config/config.h"
#include "session/handshake.h"

struct agent;
struct ds;
struct json;
struct loop;
struct manager_socket;

struct loop_config {
	const struct config *config; /* Borrowed for loop_open(). */
	const char *name;	     /* Of this host; borrowed likewise. */
	const char *version;	     /* Borrowed for ever. */
	bool encrypt;		     /* Passwords come: loop_passwords(). */
	struct agent *agent;	     /* Borrowed while there is a loop. */
	/* Sockets of upcalls of the run before; the loop's from now on. */
	const struct manager_socket *kept;
	size_t n_kept;
};

/* Opens everything and goes through the engine's start: afterwards the
 * datapath is there and served.  Returns 0, or a positive errno value with one
 * line in 'why' that says what to do; then nothing new is left behind except
 * the state directory. */
int loop_open(const struct loop_config *, struct loop **,
	      struct ds *why) FDP_MUST_CHECK;

/* Lets go of all descriptors; what is in the kernel stays. */
void loop_free(struct loop *);

/* One turn, without waiting; and asking poll_block() to wake for the next. */
void loop_run(struct loop *);
void loop_wait(struct loop *);

/* Does what an operator asks (control/control.h).  Returns true with the reply
 * in '*text', or false with one line that says why not; the caller frees it.
 * 'args' may be NULL. */
bool loop_command(struct loop *, const char *name, const struct json *args,
		  char **text);

/* The password file was read.  As loop_command(): "reload" with these
 * passwords.  Until the first time nobody is dialled, and who dials us waits.
 */
bool loop_passwords(struct loop *, const struct hs_slot *slots, size_t n_slots,
		    char **text);

/* Takes leave of the peers and flushes for at most a second.  The kernel goes
 * on forwarding. */
void loop_stop(struct loop *);

/* What the engine gave up for after its start, or NULL. */
const char *loop_fatal(const struct loop *);

/* Is the datapath in user space, with the sleeve for a tunnel? */
bool loop_is_in_user_space(const struct loop *);

/* The identity of this host, as text. */
const char *loop_id(const struct loop *);

#endif
