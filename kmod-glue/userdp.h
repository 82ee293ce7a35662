/* The datapath in user space: in place of the kernel's where there is none, or
 * none is wanted.
 *
 * It is to the daemon what odp_socket.h is: ports, flows that it puts and whose
 * statistics it asks for, packets that it sends, and upcalls for packets that
 * match no flow, from a bounded queue per port and no faster than a container
 * may cost us.  Flows are looked up and carried out by the threads of the
 * sleeve (sleeve.h), to whose TAPs the ports belong.  The tunnel port is the
 * sleeve itself: the tunnel's address names a peer (sleeve/sleeve.h).
 *
 * Functions return 0 or a positive errno value.  One handle serves one thread,
 * the one that opened the sleeve.
 */
#ifndef FDP_GLUE_USERDP_H
#define FDP_GLUE_USERDP_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "kmod-glue/odp_socket.h"
#include "netlink/odp.h"

struct sleeve;
struct userdp;

/* Takes the frames of a sleeve that serves nothing yet.  It is borrowed. */
struct userdp *userdp_new(struct sleeve *);
/* Removes ports and flows; after sleeve_stop(), as threads use it. */
void userdp_free(struct userdp *);

/* ---- ports ------------------------------------------------------------ */

/* Adds a port of type ODP_VPORT_TAP, whose queues 'fds' it takes on success, or
 * ODP_VPORT_SLEEVE, for which there are none.  'netns' is the path of the
 * namespace that the device is in, "" if that is our own.  A number of
 * UINT32_MAX becomes one that is free.  EEXIST: the number or the name is
 * taken, or there is a tunnel port already; EFBIG: there are too many. */
int userdp_port_add(struct userdp *, struct odp_vport *, const char *netns,
		    const int *fds, size_t n_fds) FDP_MUST_CHECK;
/* Closes its queues; 'persist': the device stays.  ENODEV. */
int userdp_port_del(struct userdp *, uint32_t port_no,
		    bool persist) FDP_MUST_CHECK;
/* Removes the ports whose namespace has lost its name, which is when a
 * container ends, and calls back for each.  The kernel would not: who has a
 * queue of a TAP keeps its namespace alive.  It looks every few seconds. */
void userdp_run(struct userdp *, uint64_t now_us,
		void (*gone)(void *aux, uint32_t port_no), void *aux);
/* Removes all ports and flows; the devices stay. */
void userdp_clear(struct userdp *);
/* With statistics.  ENODEV. */
int userdp_port_get(const struct userdp *, uint32_t port_no,
		    struct odp_vport *) FDP_MUST_CHECK;
/* By number. */
void userdp_port_list(const struct userdp *,
		      void (*)(const struct odp_vport *, void *aux), void *aux);

/* ---- flows and packets ------------------------------------------------ */

/* As odp_batch_flow_put() and so on, at once. */
int userdp_flow_put(struct userdp *, const struct ufid *,
		    const struct flow *key, const struct flow *mask,
		    const struct actions *) FDP_MUST_CHECK;
int userdp_flow_del(struct userdp *, const struct ufid *) FDP_MUST_CHECK;
/* Leaves with the next sleeve_main_flush(), but for what goes to TAPs.
 * EMSGSIZE. */
int userdp_execute(struct userdp *, const struct flow *key, struct span packet,
		   const struct actions *) FDP_MUST_CHECK;

struct userdp_flow {
	struct ufid ufid;
	const struct flow *key, *mask;
	const struct actions *actions;
	struct odp_flow_stats stats;
};
void userdp_flow_dump(const struct userdp *,
		      void (*)(const struct userdp_flow *, void *aux),
		      void *aux);

/* ---- upcalls ---------------------------------------------------------- */

/* As their namesakes of odp_socket.h; the deadline is userdp_run()'s, too. */
int userdp_fd(const struct userdp *);
size_t userdp_upcalls_run(struct userdp *, uint64_t now_us, size_t budget,
			  void (*)(const struct odp_upcall *, void *aux),
			  void *aux);
uint64_t userdp_deadline(const struct userdp *);
void userdp_counters(const struct userdp *, struct odp_counters *);
bool userdp_port_counters(const struct userdp *, uint32_t port_no,
			  struct odp_counters *);
void userdp_each_port_counters(const struct userdp *,
			       void (*)(uint32_t port_no,
					const struct odp_counters *, void *aux),
			       void *aux);

#endif
