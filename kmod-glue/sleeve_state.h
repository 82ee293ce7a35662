/* What sleeve.c (which keeps it) and sleeve_thread.c (which uses it) share;
 * nobody else's business.
 *
 * The main thread writes, workers read under RCU.  Only the way to a peer is
 * also written by workers, when the peer has moved: under the peer's mutex.
 * Counters have one writer each, so that they need no locked instruction. */
#ifndef FDP_GLUE_SLEEVE_STATE_H
#define FDP_GLUE_SLEEVE_STATE_H 1

#include <pthread.h>

#include "cmap.h"
#include "openvswitch/thread.h"
#include "ovs-atomic.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "util.h"

#include "base/bucket.h"
#include "crypto/replay.h"
#include "kmod-glue/seq_block.h"
#include "kmod-glue/sleeve.h"
#include "kmod-glue/sockaddr.h"
#include "kmod-glue/tap.h"
#include "sleeve/cut.h"
#include "sleeve/join.h"

enum {
	SLEEVE_THREADS_MAX = TAP_QUEUES_MAX,
	SLEEVE_VIDS = 4096,
	SLEEVE_EVENTS_MAX = 256, /* Not yet told; more are dropped. */
	SLEEVE_WANTED_MAX = 16,	 /* Missing tags told a second, per thread. */

	/* A receive is of up to 64 datagrams, and so many receives are one
	 * system call. */
	SLEEVE_RX_BATCH = 8,
	SLEEVE_RX_BYTES = 65536
};

OVS_ALIGNED_STRUCT(CACHE_LINE_SIZE, sleeve_peer_counts)
{
	atomic_uint64_t tx_frames, tx_bytes, tx_datagrams;
	atomic_uint64_t rx_frames, rx_bytes, rx_datagrams;
	atomic_uint64_t forged, replayed, lost;
};

OVS_ALIGNED_STRUCT(CACHE_LINE_SIZE, sleeve_tap_counts)
{
	atomic_uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, lost;
};

/* Adds to a counter of the calling thread's own. */
static inline void sleeve_count(atomic_uint64_t *counter, uint64_t n)
{
	uint64_t value;

	atomic_read_relaxed(counter, &value);
	atomic_store_relaxed(counter, value + n);
}

static inline uint64_t sleeve_counted(const atomic_uint64_t *counter)
{
	uint64_t value;

	atomic_read_relaxed(CONST_CAST(atomic_uint64_t *, counter), &value);
	return value;
}

/* What seals towards a peer until the next rekey. */
struct sleeve_sealer {
	struct seq_source seq;
	struct cipher_key *cipher; /* Owned. */
	uint32_t index, epoch;
	bool initiator;
	atomic_bool warned; /* That numbers run out. */
};

/* Where to send to a peer, and with what; replaced as a whole. */
struct sleeve_out {
	struct sleeve_peer *peer;
	struct sleeve_sealer *sealer; /* May be that of the one before. */
	struct ip_addr local;	      /* Zero: by route. */
	struct ip_endpoint remote;
	union sockaddr_any to; /* The same. */
	socklen_t to_size;
	atomic_bool any_source; /* 'local' is zero, or no longer ours. */
	uint32_t mtu;
	/* A thread's numbers, and the key. */
	struct cut_way ways[SLEEVE_THREADS_MAX + 1];
};

struct sleeve_peer {
	struct cmap_node node; /* In 'peers'. */
	uint32_t number;
	OVSRCU_TYPE(struct sleeve_out *) out; /* Owned; NULL: no key. */
	struct ovs_mutex mutex;		      /* For writing 'out'. */
	atomic_uint64_t heard_ms, sent_ms;    /* 0: never. */
	atomic_int send_errno;		      /* As told last. */
	atomic_bool no_gso;		      /* UDP_SEGMENT does not work. */
	struct sleeve_peer_counts *counts;    /* One a thread. */
};

/* What opens what comes under an index of ours. */
struct sleeve_opener {
	struct cmap_node node; /* In 'openers'. */
	struct sleeve_peer *peer;
	struct frame_key key;
	struct cipher_key *cipher; /* Owned. */
	/* Normally all datagrams of a peer reach the same thread. */
	struct ovs_mutex mutex;
	struct replay replay;
};

struct sleeve_tap {
	struct cmap_node node; /* In 'taps'. */
	uint32_t port_no;
	enum sleeve_tap_kind kind;
	size_t n_fds;
	int fds[TAP_QUEUES_MAX];
	atomic_bool gone; /* Its device, and that has been told. */
	struct sleeve_tap_counts *counts; /* One a thread. */
};

struct sleeve_vlan {
	struct cmap_node node; /* In 'vlans'. */
	uint16_t vid;
	uint32_t peer, vni;
};

struct sleeve_thread {
	struct sleeve *sleeve;
	unsigned int id;
	pthread_t pthread;
	bool is_main;
	bool runs;	       /* 'pthread' has been started. */
	int epoll_fd, wake_fd; /* Workers only. */
	int fd4, fd6;	       /* -1: none.  The main thread borrows them. */
	uint64_t now_ms;

	struct cut cut;
	uint8_t *cut_buf;
	struct sleeve_tx *tx; /* sleeve_thread.c's */
	uint8_t *copy_buf;    /* A frame that is needed once more. */
	struct bucket too_big;

	/* Workers only. */
	struct join join;
	struct sleeve_rx *rx; /* sleeve_thread.c's */
	uint8_t *pieces_buf;
	uint8_t *tap_buf;
	uint8_t *rx_buf; /* SLEEVE_RX_BATCH * SLEEVE_RX_BYTES */
	/* Whose the last index was; for one turn. */
	struct sleeve_opener *rx_opener;
	uint64_t next_keepalive_ms;
	/* When a missing tag was told last, by a hash of what for. */
	uint64_t wanted_ms[SLEEVE_WANTED_MAX];

	atomic_uint64_t unknown, malformed, no_way, too_big_frames, wakeups;
};

struct sleeve {
	struct sleeve_config config;
	struct cipher_suite *suite;
	unsigned int n_threads;
	struct sleeve_thread *threads; /* And one more: the main thread's. */
	atomic_bool exiting;

	struct cmap peers, openers, taps, vlans;
	OVSRCU_TYPE(struct sleeve_vlan *) by_vid[SLEEVE_VIDS];
	OVSRCU_TYPE(struct sleeve_tap *) trunk;

	atomic_bool uso; /* TAPs take UDP super-frames. */
	sleeve_receive_cb *receive;
	void *receive_aux;

	int event_fd;
	struct ovs_mutex events_mutex;
	struct sleeve_event events[SLEEVE_EVENTS_MAX];
	size_t n_events;
};

/* Look-ups, for as long as RCU keeps what they find; NULL if there is none. */
struct sleeve_peer *sleeve_find_peer(const struct sleeve *, uint32_t number);
struct sleeve_opener *sleeve_find_opener(const struct sleeve *, uint32_t index);
struct sleeve_tap *sleeve_find_tap(const struct sleeve *, uint32_t port_no);
struct sleeve_vlan *sleeve_find_vlan(const struct sleeve *, uint32_t peer,
				     uint32_t vni);

/* The same way with other ends. */
struct sleeve_out *sleeve_out_new(struct sleeve_peer *, struct sleeve_sealer *,
				  const struct ip_addr *local,
				  const struct ip_endpoint *remote,
				  uint32_t mtu);

/* Milliseconds of CLOCK_MONOTONIC, never 0. */
uint64_t sleeve_now_ms(void);

/* From any thread; false: there are too many events just now. */
bool sleeve_tell(struct sleeve *, const struct sleeve_event *);

/* A worker. */
void *sleeve_thread_main(void *thread);
void sleeve_thread_init(struct sleeve_thread *, struct sleeve *,
			unsigned int id);
/* Frees its memory; descriptors are sleeve.c's. */
void sleeve_thread_done(struct sleeve_thread *);
/* Sends what was sealed. */
void sleeve_thread_flush(struct sleeve_thread *);

/* What epoll tells: a TAP by its port's number, or one of these. */
#define SLEEVE_EPOLL_WAKE (UINT64_C(1) << 32)
#define SLEEVE_EPOLL_UDP4 (UINT64_C(2) << 32)
#define SLEEVE_EPOLL_UDP6 (UINT64_C(3) << 32)

#endif
