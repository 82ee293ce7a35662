/* A Generic Netlink socket: requests out, answers in, errno seen here.
 *
 * It knows framing, sequence numbers, acknowledgements and extended error
 * texts, and nothing of what the messages mean; those are written by the
 * codecs in lib/netlink/.  Functions return 0 or a positive errno value.  All
 * of them block, but not for long: the kernel answers a request while it is
 * being sent.
 */
#ifndef FDP_KMOD_GLUE_GENL_H
#define FDP_KMOD_GLUE_GENL_H 1

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct mnl_socket;

enum {
	GENL_TEXT_SIZE = 160,
	/* Dumps are filled up to 32 KiB a read, and cut short without a word
	 * if a read is smaller (net/netlink/af_netlink.c, netlink_dump()). */
	GENL_BUFFER_SIZE = 64 * 1024,
	/* Most that is sent at once by genl_batch_send(). */
	GENL_BATCH_MESSAGES = 256,
	GENL_BATCH_BYTES = 128 * 1024
};

struct genl {
	struct mnl_socket *nl;
	int fd;
	uint32_t pid;	/* Our Netlink port id. */
	uint32_t seq;	/* Of the last request. */
	uint8_t *buf;	/* GENL_BUFFER_SIZE bytes. */
	struct wbuf tx; /* For building requests in; owned. */
	/* What the kernel said about the last failure, or "". */
	char text[GENL_TEXT_SIZE];
};

/* One message of an answer, borrowed for the call.  Not 0 ends the visits
 * (the rest of the answer is read and dropped) and is what the caller of
 * genl_transact() gets. */
typedef int genl_visit(struct span msg, void *aux);

/* Opens and binds.  'rcvbuf_bytes' is forced past the system's limit where
 * CAP_NET_ADMIN allows it. */
int genl_open(struct genl *, int rcvbuf_bytes) FDP_MUST_CHECK;
void genl_close(struct genl *);

/* The sequence number for the next request. */
uint32_t genl_seq(struct genl *);

/* Empties and returns the buffer for the next request. */
struct wbuf *genl_request(struct genl *);

/* Resolves a family and its first multicast group (0 if it has none); loads
 * the module if the kernel can.  ENOENT: no such family. */
int genl_family(struct genl *, const char *name, uint16_t *id,
		uint32_t *mcast_group) FDP_MUST_CHECK;

/* Joins a multicast group.  Joined sockets are for reading only. */
int genl_join(struct genl *, uint32_t group) FDP_MUST_CHECK;

/* Sends the request in 'tx', which must ask for NLM_F_ACK or NLM_F_DUMP, and
 * hands its answers to 'visit' (may be NULL).  ETIMEDOUT: no end of the answer
 * within five seconds. */
int genl_transact(struct genl *, genl_visit *visit, void *aux) FDP_MUST_CHECK;

/* Reads what a multicast group sent, without waiting.  EAGAIN: nothing (more);
 * ENOBUFS: something was lost. */
int genl_receive(struct genl *, genl_visit *visit, void *aux) FDP_MUST_CHECK;

/* The command of a Generic Netlink message; 0 if it is too short. */
uint8_t genl_cmd(struct span msg);
/* The message type, that is the family. */
uint16_t genl_type(struct span msg);

/* Many requests that travel in few sendmsg() calls.  Only the last of each
 * send asks for an acknowledgement: a refused message answers always, with its
 * own sequence number. */
struct genl_batch_op {
	uint64_t cookie;
	uint32_t seq;
	size_t start, size; /* In the buffer. */
	int os_errno;
	char *text; /* Of a failure, or NULL.  Owned. */
};

struct genl_batch {
	struct wbuf buf;
	struct genl_batch_op *ops;
	size_t n, allocated;
};

void genl_batch_init(struct genl_batch *);
void genl_batch_free(struct genl_batch *);

/* Takes the message written to 'buf' from 'start' on as one op.  A message
 * that made 'buf' overflow is dropped and will be reported with EMSGSIZE. */
void genl_batch_add(struct genl_batch *, size_t start, uint32_t seq,
		    uint64_t cookie);

/* The message of an op, until genl_batch_clear(). */
struct span genl_batch_message(const struct genl_batch *,
			       const struct genl_batch_op *);

/* Sends all; afterwards 'os_errno' and 'text' of every op are set. */
void genl_batch_send(struct genl *, struct genl_batch *);
void genl_batch_clear(struct genl_batch *);

#endif
