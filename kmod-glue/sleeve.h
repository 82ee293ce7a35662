/* The sleeve's data plane: sealed frames between TAPs and UDP sockets, in
 * threads of its own.
 *
 * Each thread has an epoll set with a queue of every TAP and a socket of each
 * address family on the same UDP port (SO_REUSEPORT), so that what belongs to
 * one flow stays in one thread and in order.  A thread reads until there is
 * nothing more, seals or opens in bulk, and writes in bulk: there is no
 * allocation and, but for the reads and writes of TAPs, which take one frame
 * each, no system call per packet.  With nothing to do it sleeps.
 *
 * Whoever opened the sleeve says what is to be done with keys, peers and TAPs,
 * from one thread only; workers see that by RCU (ovs-rcu.h) and never wait.
 * What they have to tell comes as events, which are few.
 *
 * A frame goes to a receiver (userdp.h), which decides; without one it goes
 * between the trunk, a TAP that is a port of the kernel datapath, and peers:
 * the VLAN id of the trunk then names peer and network.
 *
 * What a datagram looks like is lib/sleeve's affair.
 */
#ifndef FDP_GLUE_SLEEVE_H
#define FDP_GLUE_SLEEVE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/span.h"
#include "engine/event.h"
#include "engine/op.h"

struct ds;
struct join_frame;
struct sleeve;
struct sleeve_thread; /* A worker, or the thread that opened the sleeve. */

struct sleeve_config {
	struct ip_addr listen; /* Zero: every address. */
	uint16_t port;
	unsigned int n_threads; /* 0: by the number of processors. */
};

/* Opens the sockets and starts the threads.  An errno value: then 'why' has one
 * line.  Needs sodium_init() before. */
int sleeve_open(const struct sleeve_config *, struct sleeve **,
		struct ds *why) FDP_MUST_CHECK;
/* Stops the threads: the receiver is not called any more. */
void sleeve_stop(struct sleeve *);
/* The same, and wipes the keys; TAPs are closed.  NULL is fine. */
void sleeve_close(struct sleeve *);

/* So many queues are best for a TAP: one a thread. */
unsigned int sleeve_n_threads(const struct sleeve *);
/* Is AES-256-GCM fast here? */
bool sleeve_has_aes_gcm(const struct sleeve *);

/* ---- frames ----------------------------------------------------------- */

/* Where a frame came from. */
struct sleeve_origin {
	bool peer; /* Else a TAP. */
	union {
		uint32_t port_no;
		struct {
			uint32_t number, vni;
			uint8_t ttl;
		} from;
	};
};

/* A frame on its way, with its vnet header: in one piece, or as it was
 * received, in several. */
struct sleeve_frame {
	struct span head; /* The frame's front: at least all headers. */
	size_t size;	  /* Of the whole frame. */
	/* In one piece: vnet header and frame, of 'size' + VNET_BYTES. */
	uint8_t *data;
	struct join_frame *joined; /* Else this. */
};

typedef void sleeve_receive_cb(void *aux, struct sleeve_thread *,
			       const struct sleeve_origin *,
			       struct sleeve_frame *);
/* Called from worker threads for every frame, from now on.  To be set before
 * there are TAPs and keys. */
void sleeve_set_receiver(struct sleeve *, sleeve_receive_cb *, void *aux);

/* For the receiver, and for the main thread: hands the frame to a TAP, or
 * seals it for a peer.  'last': the frame is not needed any more (sealing may
 * change it).  ERR_OVERSIZED: it is larger than '*mtu', the most that the way
 * to the peer takes, and whoever sent it can be told.  Other losses are
 * counted. */
void sleeve_output(struct sleeve_thread *, uint32_t port_no,
		   const struct sleeve_frame *);
enum err sleeve_send(struct sleeve_thread *, uint32_t peer, uint32_t vni,
		     uint8_t ttl, struct sleeve_frame *, bool last,
		     uint16_t *mtu) FDP_MUST_CHECK;

/* Tells the sender of 'frame', in a network behind a TAP, that it may not be
 * larger than 'mtu'; not too often. */
void sleeve_tell_too_big(struct sleeve_thread *, uint32_t port_no,
			 const struct sleeve_frame *frame, uint16_t mtu);

/* 0 to sleeve_n_threads(); the last is the main thread's. */
unsigned int sleeve_thread_id(const struct sleeve_thread *);
/* Milliseconds of CLOCK_MONOTONIC, as of the frames that came together. */
uint64_t sleeve_thread_now_ms(const struct sleeve_thread *);

/* The main thread's own; what it sends leaves with sleeve_main_flush(). */
struct sleeve_thread *sleeve_main(struct sleeve *);
void sleeve_main_flush(struct sleeve *);

/* ---- TAPs ------------------------------------------------------------- */

enum sleeve_tap_kind {
	SLEEVE_TAP_ENDPOINT, /* Frames go to the receiver. */
	SLEEVE_TAP_TRUNK     /* At most one; tags name peer and network. */
};

/* Serves a TAP; takes the descriptors (kmod-glue/tap.h).  EEXIST: the number
 * is taken; then they are the caller's still. */
int sleeve_tap_add(struct sleeve *, uint32_t port_no, const int *fds, size_t n,
		   enum sleeve_tap_kind) FDP_MUST_CHECK;
/* Shall its device stay when it is not served any more?  No effect if there is
 * none. */
void sleeve_tap_persist(struct sleeve *, uint32_t port_no, bool persist);
/* False if there is none. */
bool sleeve_tap_del(struct sleeve *, uint32_t port_no);

struct sleeve_tap_stats {
	/* As the datapath sees it: rx is what the container sent. */
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes;
	uint64_t lost; /* What the kernel did not take. */
};
bool sleeve_tap_stats(const struct sleeve *, uint32_t port_no,
		      struct sleeve_tap_stats *);

/* ---- keys and peers --------------------------------------------------- */

/* OP_SLEEVE_IN.  EEXIST: the index is in use; ENOTSUP: no such cipher here. */
int sleeve_put_in(struct sleeve *, const struct op_sleeve *) FDP_MUST_CHECK;
void sleeve_del_in(struct sleeve *, uint32_t index);
/* OP_SLEEVE_OUT.  With the index that is in use already only endpoint and MTU
 * are taken, and its numbers go on. */
int sleeve_set_out(struct sleeve *, const struct op_sleeve *) FDP_MUST_CHECK;
/* ENOENT: nothing is sent to that peer. */
int sleeve_set_mtu(struct sleeve *, uint32_t peer, uint32_t mtu) FDP_MUST_CHECK;
void sleeve_del_peer(struct sleeve *, uint32_t peer);
/* The trunk's tag 'vid' (1 to 4094) is for frames of 'vni' to and from 'peer';
 * 'del': no more. */
int sleeve_set_vlan(struct sleeve *, uint16_t vid, uint32_t peer, uint32_t vni,
		    bool del) FDP_MUST_CHECK;

/* ---- what workers tell ------------------------------------------------ */

/* Readable when sleeve_run() has something to do. */
int sleeve_fd(const struct sleeve *);

struct sleeve_event {
	bool tap_gone; /* The device of the TAP 'port_no'; nothing else then. */
	uint32_t port_no;
	enum sleeve_news what;
	uint32_t peer;
	struct ip_addr local;
	struct ip_endpoint remote;
	uint32_t vni, index;
	int os_errno;
};
void sleeve_run(struct sleeve *,
		void (*)(void *aux, const struct sleeve_event *), void *aux);

/* Calls back for every peer, by number; returns how many there are. */
void sleeve_each_load(const struct sleeve *,
		      void (*)(void *aux, const struct sleeve_load *),
		      void *aux);

struct sleeve_counters {
	uint64_t unknown;   /* Datagrams under no index of ours. */
	uint64_t malformed; /* Datagrams or records that make no sense. */
	uint64_t no_way;    /* Frames for a peer without key or tag. */
	uint64_t too_big;   /* Frames larger than the way takes. */
	uint64_t wakeups;   /* Of all threads. */
};
void sleeve_counters(const struct sleeve *, struct sleeve_counters *);

#endif
