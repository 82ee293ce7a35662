/* Control connections: one listener, dialled and accepted streams, all behind
 * one epoll descriptor.
 *
 * Nothing here blocks and nothing calls back except tcp_run(): tcp_dial(),
 * tcp_send() and tcp_close() may therefore be called from its callback, and
 * what goes wrong in them is told by a later EVENT_CLOSED.  What the bytes
 * mean is the session's business.
 *
 * Limits: the send queue of a connection holds TCP_QUEUE_MAX bytes, one that
 * needs more has a stuck peer and fails with ENOBUFS; a closed connection gets
 * TCP_LINGER_US to deliver what was queued, and at most TCP_LINGER_MAX wait
 * for that; when descriptors run out, accepting pauses.
 */
#ifndef FDP_GLUE_TCP_H
#define FDP_GLUE_TCP_H 1

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/span.h"
#include "engine/event.h"

struct ds;
struct tcp;

enum {
	TCP_QUEUE_MAX = 16 * 1024 * 1024, /* Bytes; OP_SEND_MAX at least. */
	TCP_LINGER_US = 2000000,
	TCP_LINGER_MAX = 128,
	TCP_PAUSE_US = 1000000, /* Accepting, after EMFILE and the like. */
	TCP_USER_TIMEOUT_MS = 15000
};

/* Opens a listener on 'listen', zero for every address of both families, and
 * 'port', 0 for any.  On failure a positive errno value (EADDRINUSE,
 * EADDRNOTAVAIL, EACCES...) and one line in 'why'.  Connections dialled later
 * come from 'listen' as well if its family fits. */
int tcp_open(const struct ip_addr *listen, uint16_t port, struct tcp **,
	     struct ds *why) FDP_MUST_CHECK;

/* Are connections accepted?  Until they are, who connects waits in the kernel's
 * queue; at first they are. */
void tcp_accept(struct tcp *, bool);

/* Drops every connection without further ado. */
void tcp_free(struct tcp *);

/* The port of the listener, host order. */
uint16_t tcp_port(const struct tcp *);

/* Readable whenever tcp_run() has something to do. */
int tcp_fd(const struct tcp *);

/* When tcp_run() is wanted even if tcp_fd() stays silent: a time on
 * clock_boottime_us(), 0 = now, UINT64_MAX = never. */
uint64_t tcp_deadline(const struct tcp *);

/* What is under way: connections that are there for the caller, and closed
 * ones that still flush. */
size_t tcp_n_conns(const struct tcp *);
size_t tcp_n_lingering(const struct tcp *);

typedef void tcp_event_cb(void *aux, const struct event *);

/* Does a bounded amount of work.  Reports EVENT_DIALED, EVENT_ACCEPTED,
 * EVENT_DATA and EVENT_CLOSED; what they point to holds during the call. */
void tcp_run(struct tcp *, tcp_event_cb *, void *aux);

/* Connects to 'remote' under the number 'conn', which must be odd and unused;
 * accepted connections get even ones. */
void tcp_dial(struct tcp *, uint32_t conn, const struct ip_endpoint *remote);

/* Queues bytes.  Does nothing if 'conn' has ended. */
void tcp_send(struct tcp *, uint32_t conn, struct span bytes);

/* Between the two, tcp_send() only queues: what one step of the engine says on
 * a connection becomes one segment, not one each. */
void tcp_hold(struct tcp *);
void tcp_release(struct tcp *);

/* Sends what is queued, then closes; no event follows, not even one that was
 * due.  Does nothing if 'conn' has ended. */
void tcp_close(struct tcp *, uint32_t conn);

#endif
