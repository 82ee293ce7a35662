/* A socket to the kernel's IPsec databases (NETLINK_XFRM): changes, dumps, and
 * a second kind that listens to what anybody changes there.  The messages are
 * lib/netlink/xfrm.h's; nothing is decided here.
 *
 * Both kinds belong to the network namespace they were opened in and need
 * CAP_NET_ADMIN there.  Keys pass through: every buffer that may have held one
 * is wiped before the call returns, the kernel's answers (a dump shows keys to
 * the privileged) included.
 */
#ifndef FDP_GLUE_XFRM_SOCKET_H
#define FDP_GLUE_XFRM_SOCKET_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "netlink/xfrm.h"

struct xfrm_socket;

enum xfrm_change_type {
	XFRM_CHANGE_SA_ADD,	/* EEXIST if destination and SPI are taken. */
	XFRM_CHANGE_SA_DEL,	/* 'sa.dst', 'sa.spi'; gone is success. */
	XFRM_CHANGE_POLICY_PUT, /* Adds, or replaces that of the selector. */
	XFRM_CHANGE_POLICY_DEL	/* By selector and direction; gone: success. */
};

struct xfrm_change {
	enum xfrm_change_type type;
	uint64_t cookie; /* The caller's, handed to the callback. */
	union {
		const struct xfrm_sa *sa; /* Borrowed for the call. */
		const struct xfrm_policy *policy;
	};
};

/* 'error' is an errno value, 0 = done; 'text' is the kernel's own explanation
 * (extended ack) or "". */
typedef void xfrm_result_cb(void *aux, uint64_t cookie, int error,
			    const char *text);

/* 0 or an errno value: EPROTONOSUPPORT (module xfrm_user is missing), EMFILE,
 * ENFILE, ENOBUFS, ENOMEM. */
int xfrm_socket_open(struct xfrm_socket **) FDP_MUST_CHECK;
void xfrm_socket_close(struct xfrm_socket *);

/* Carries out the changes in order, each whether or not an earlier one failed,
 * and calls 'cb' (may be NULL) once for each, in order, when all of a batch of
 * up to 64 are through.  Returns 0 if every one succeeded, else the error of
 * the first that failed; EPERM without CAP_NET_ADMIN.  If the socket itself
 * fails, the changes that were not answered are reported with its error.
 * The first SA of all may take a second: the kernel loads its ciphers. */
int xfrm_socket_change(struct xfrm_socket *, const struct xfrm_change *,
		       size_t n, xfrm_result_cb *cb, void *aux);

/* The same for one; 'text' (may be NULL) receives the kernel's words. */
int xfrm_socket_change_one(struct xfrm_socket *, const struct xfrm_change *,
			   char *text, size_t text_size);

/* 0, ESRCH if there is no such SA, or another errno value. */
int xfrm_socket_get_sa(struct xfrm_socket *, const struct ip_addr *dst,
		       uint32_t spi, struct xfrm_sa *) FDP_MUST_CHECK;

/* Calls 'cb' for each object of a kind that fdp makes; with 'ours_only' for
 * fdp's own alone.  0 or an errno value. */
typedef void xfrm_sa_cb(void *aux, const struct xfrm_sa *);
typedef void xfrm_policy_cb(void *aux, const struct xfrm_policy *);
int xfrm_socket_dump_sas(struct xfrm_socket *, bool ours_only, xfrm_sa_cb *cb,
			 void *aux) FDP_MUST_CHECK;
int xfrm_socket_dump_policies(struct xfrm_socket *, bool ours_only,
			      xfrm_policy_cb *cb, void *aux) FDP_MUST_CHECK;

/* Can this kernel do what fdp asks of it?  Adds an SA and a policy between
 * documentation addresses (RFC 5737, RFC 3849), IPv4 then IPv6, and takes them
 * away again; so the modules are loaded afterwards.  0, or an errno value with
 * one line in 'text' that says what is missing. */
int xfrm_probe(struct xfrm_socket *, char *text,
	       size_t text_size) FDP_MUST_CHECK;

/* Listener. */
struct xfrm_monitor;
typedef void xfrm_event_cb(void *aux, const struct xfrm_event *);

/* 0 or an errno value; EPERM without CAP_NET_ADMIN. */
int xfrm_monitor_open(struct xfrm_monitor **) FDP_MUST_CHECK;
void xfrm_monitor_close(struct xfrm_monitor *);
/* For poll(): readable when there is something to run. */
int xfrm_monitor_fd(const struct xfrm_monitor *);
/* Reads all that is queued, without blocking.  'cb' hears of objects of the
 * kind that fdp makes (xfrm_sa_is_ours() tells whose), of flushes, and
 * XFRM_EVENT_LOST if the queue had overflowed.  0 or an errno value. */
int xfrm_monitor_run(struct xfrm_monitor *, xfrm_event_cb *cb, void *aux);

#endif
