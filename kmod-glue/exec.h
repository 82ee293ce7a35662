/* Carries out what the engine decided: a list of ops in, system calls out,
 * events about what came of them back.
 *
 * Ops are carried out in the order of the list.  Neighbours of one kind travel
 * together: flow changes and packets in one batch, SA and policy changes in
 * another, and no batch overtakes a different op.  Nothing is decided here
 * except what an errno means for an idempotent op (deleting what is gone is
 * success), and whose a datapath of our name is.
 */
#ifndef FDP_GLUE_EXEC_H
#define FDP_GLUE_EXEC_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/event.h"
#include "engine/op.h"

struct agent;
struct ds;
struct exec;
struct guard;
struct odp;
struct odp_datapath;
struct rt_socket;
struct sleeve;
struct statefile;
struct tcp;
struct userdp;
struct xfrm_socket;

#define EXEC_NO_OPENVSWITCH                               \
	"the kernel module openvswitch is missing; run: " \
	"modprobe -a openvswitch vport-vxlan"

/* Everything is borrowed and must live as long as the executor. */
struct exec_config {
	struct odp *odp;	  /* NULL: the kernel has no openvswitch. */
	struct sleeve *sleeve;	  /* NULL: there is none. */
	struct xfrm_socket *xfrm; /* NULL: the kernel has no IPsec. */
	struct guard *guard;
	struct agent *agent;
	struct rt_socket *rt;
	struct tcp *tcp;
	struct statefile *state;
	const char *datapath; /* Its name. */
	const char *alias;    /* Link alias that marks it as ours. */
	void (*reply)(void *aux, uint32_t command, bool ok, const char *text);
	void (*fatal)(void *aux, const char *text);
	void *aux; /* For the two. */
};

struct exec *exec_new(const struct exec_config *);
void exec_free(struct exec *);

/* Carries out 'ops', and queues events about them. */
void exec_run(struct exec *, const struct ops *);

/* Queues the results of ops that take their time. */
void exec_poll(struct exec *);
/* Waits for the guard that is being put, and does the same; false if there was
 * none to wait for. */
bool exec_wait_guard(struct exec *);

/* Takes the oldest queued event; false if there is none.  What it points to
 * holds until the next call. */
bool exec_next(struct exec *, struct event *);

/* The datapath in user space, once the engine wants one; else NULL. */
struct userdp *exec_userdp(const struct exec *);

/* Is the datapath of the configured name there, and ours?  0; ENODEV: there is
 * none; EEXIST: it is somebody else's, and 'why' says what to do; or another
 * errno value of asking. */
int exec_find_datapath(struct exec *, struct odp_datapath *,
		       struct ds *why) FDP_MUST_CHECK;

#endif
