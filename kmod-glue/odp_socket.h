/* The Open vSwitch kernel datapath: the sockets and the handle that the daemon
 * and fdpctl use.  What the messages say is lib/netlink/odp.h's business.
 *
 * Upcalls.  Each vport has a Netlink socket of its own (a channel), so that a
 * port that floods us fills its own queue only, and all are served round robin.
 * Opening a datapath with ovs-dpctl switches it to per-CPU dispatch, where
 * per-vport sockets hear nothing; therefore the datapath also carries an array
 * of per-CPU port ids, which survives such switches, and they name one more
 * socket that is read by the same loop.  The switch itself is seen on the
 * multicast group of datapaths and undone.
 *
 * A container may open flows as fast as we can until its share of the flow
 * table is full, and from then on as fast as idle ones leave it; what comes
 * faster is left in its queue, which the kernel does not let grow.  So what it
 * can cost us is limited, and only its own packets are lost.
 *
 * Functions return 0 or a positive errno value; odp_detail() then has the
 * kernel's own words, if it had any.  One handle serves one thread.
 */
#ifndef FDP_KMOD_GLUE_ODP_SOCKET_H
#define FDP_KMOD_GLUE_ODP_SOCKET_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "netlink/odp.h"

struct manager_socket;
struct odp;

/* ---- handle ----------------------------------------------------------- */

/* Resolves the families.  ENOENT: the kernel module openvswitch is missing;
 * EPERM and others: from socket(2). */
int odp_open(struct odp **) FDP_MUST_CHECK;
/* Closes the sockets; everything in the kernel stays.  NULL is fine. */
void odp_close(struct odp *);

/* From now on the manager keeps the sockets of ports (kmod-glue/manager.h), as
 * it has kept these, which are the handle's now: a port that is adopted has its
 * own back. */
void odp_keep(struct odp *, const struct manager_socket *, size_t n);
/* There are no more ports to adopt: what is left need not be kept. */
void odp_keep_end(struct odp *);

/* What the kernel said about the last failure, or "". */
const char *odp_detail(const struct odp *);

/* ---- reading, for any datapath ---------------------------------------- */

/* ENODEV: there is no datapath of that name. */
int odp_dp_get(struct odp *, const char *name,
	       struct odp_datapath *) FDP_MUST_CHECK;
int odp_dp_list(struct odp *, void (*)(const struct odp_datapath *, void *aux),
		void *aux) FDP_MUST_CHECK;
/* Ports of types that fdp does not know are left out. */
int odp_vport_list(struct odp *, uint32_t dp_ifindex,
		   void (*)(const struct odp_vport *, void *aux),
		   void *aux) FDP_MUST_CHECK;
/* ENODEV: no such port. */
int odp_vport_get(struct odp *, uint32_t dp_ifindex, uint32_t port_no,
		  struct odp_vport *) FDP_MUST_CHECK;
/* 'terse': UFID and statistics only. */
int odp_flow_dump(struct odp *, uint32_t dp_ifindex, bool terse,
		  void (*)(const struct odp_flow *, void *aux),
		  void *aux) FDP_MUST_CHECK;

/* ---- our datapath ----------------------------------------------------- */

/* Creates a datapath and serves the upcalls of its local port.  EEXIST: there
 * is a datapath, or a device, of that name; nothing was changed then. */
int odp_dp_create(struct odp *, const char *name,
		  struct odp_datapath *) FDP_MUST_CHECK;
/* Takes over an existing one (ENODEV if there is none): dispatch, local port.
 * Its other ports are taken over one by one with odp_vport_adopt(). */
int odp_dp_adopt(struct odp *, const char *name,
		 struct odp_datapath *) FDP_MUST_CHECK;
/* Deletes a datapath with its ports and flows.  ENODEV if there is none. */
int odp_dp_del(struct odp *, const char *name) FDP_MUST_CHECK;

/* Adds a port to our datapath and serves its upcalls.  'vport' says name, type,
 * UDP port and, unless UINT32_MAX, number; on success number, ifindex and
 * upcall port id are filled in.  ENODEV: no such device; EEXIST: name or UDP
 * port taken; EBUSY: the device has another master; EADDRINUSE: the UDP port is
 * taken by something else than a tunnel (the kernel would hide it, the port is
 * removed again). */
int odp_vport_add(struct odp *, struct odp_vport *vport) FDP_MUST_CHECK;
/* Serves the upcalls of a port that is there already. */
int odp_vport_adopt(struct odp *, uint32_t port_no) FDP_MUST_CHECK;
/* ENODEV: no such port. */
int odp_vport_del(struct odp *, uint32_t port_no) FDP_MUST_CHECK;

/* Removes all flows of our datapath. */
int odp_flow_flush(struct odp *) FDP_MUST_CHECK;

/* Does the kernel know what ACTION_CHECK_SIZE takes?  (Linux 5.2.) */
bool odp_checks_size(struct odp *);

/* ---- writing flows and packets ---------------------------------------- */

/* Appends to the handle's batch; carried out in order by odp_batch_commit().
 * A put adds the flow, or changes the actions of the one of the same UFID; if
 * it is said to be 'there', the other way round, which only costs more if it is
 * not.  EEXIST: a flow of another UFID covers the key already. */
void odp_batch_flow_put(struct odp *, uint64_t cookie, bool there,
			const struct ufid *, const struct flow *key,
			const struct flow *mask, const struct actions *);
void odp_batch_flow_del(struct odp *, uint64_t cookie, const struct ufid *);
/* A frame of more than about 64 KiB is refused with EMSGSIZE. */
void odp_batch_execute(struct odp *, uint64_t cookie, const struct flow *key,
		       struct span packet, const struct actions *);
size_t odp_batch_n(const struct odp *);
/* Sends everything in few system calls and calls 'done' once for each op, in
 * order, 'os_errno' 0 for success.  'done' must not append. */
void odp_batch_commit(struct odp *,
		      void (*done)(uint64_t cookie, int os_errno,
				   const char *text, void *aux),
		      void *aux);

/* ---- upcalls and events ----------------------------------------------- */

/* Readable when odp_upcalls_run() or odp_events_run() has something to do. */
int odp_fd(const struct odp *);

/* Reads at most about 'budget' upcalls, round robin over the ports: those of
 * ports that ask for many at last, and only a few, so that what others ask in
 * the meantime does not wait long.  What the callback gets is borrowed for the
 * call; it may add and delete ports.  Returns how many there were; unless there
 * may be '*more', all queues are empty, or those of ports that have to wait. If
 * there are none, waits for some for 'wait_ms'.  'now_us' is of any clock that
 * does not go back. */
size_t odp_upcalls_run(struct odp *, uint64_t now_us, size_t budget,
		       int wait_ms, bool *more,
		       void (*)(const struct odp_upcall *, void *aux),
		       void *aux);
/* When odp_upcalls_run() will read from a port that has to wait, on that clock;
 * UINT64_MAX if none has. */
uint64_t odp_deadline(const struct odp *);

enum odp_event_type {
	ODP_EVENT_DP_GONE,    /* Our datapath was deleted. */
	ODP_EVENT_VPORT_GONE, /* 'port_no' was deleted by somebody else. */
	ODP_EVENT_FEATURES    /* Dispatch was switched, and is restored. */
};

struct odp_event {
	enum odp_event_type type;
	uint32_t port_no;
	char name[ODP_NAME_SIZE]; /* Of the port. */
	int os_errno;		  /* ODP_EVENT_FEATURES: of restoring. */
};

/* Reads notifications.  Also after losing some: then the kernel is asked. */
void odp_events_run(struct odp *, void (*)(const struct odp_event *, void *aux),
		    void *aux);

struct odp_counters {
	uint64_t handled;   /* Upcalls handed to the callback. */
	uint64_t lost;	    /* Upcalls that a full queue did not take. */
	uint64_t malformed; /* Upcalls that could not be decoded. */
	uint64_t waited;    /* Times that a port had to wait. */
	uint64_t features_restored;
};
void odp_counters(const struct odp *, struct odp_counters *);
/* Of one port, without 'features_restored'; false if there is none. */
bool odp_port_counters(const struct odp *, uint32_t port_no,
		       struct odp_counters *);
/* Of every port that there is. */
void odp_each_port_counters(const struct odp *,
			    void (*)(uint32_t port_no,
				     const struct odp_counters *, void *aux),
			    void *aux);

#endif
