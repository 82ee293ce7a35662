/* Frames as a TAP gives them, with their vnet header, become sealed datagrams
 * in a buffer, ready to be sent by few system calls.
 *
 * - Small frames for the same peer, network and TTL share a datagram.
 * - A super-frame becomes one datagram per segment, all but the last one of the
 *   same size.  Each holds a complete frame, with its own lengths, numbers and
 *   flags as the kernel's segmentation would make them, but for the checksum;
 *   "follows" lets the receiver make one super-frame of them again.
 * - TCP is cut to what a datagram takes, whatever the segment size was: a path
 *   that shrinks costs nobody a round trip.
 * - Any other frame that is too large for a datagram goes in pieces, unless its
 *   sender can be told (IPv6, IPv4 with DF): ERR_OVERSIZED, packet/toobig.h.
 *
 * Datagrams of equal size for one peer lie behind one another: a run, which is
 * one message with UDP_SEGMENT for sendmmsg().
 */
#ifndef FDP_SLEEVE_CUT_H
#define FDP_SLEEVE_CUT_H 1

#include "sleeve/frame.h"
#include "sleeve/vnet.h"

enum {
	CUT_RUNS_MAX = 64,
	CUT_RUN_DATAGRAMS_MAX = 64, /* UDP_MAX_SEGMENTS of older kernels. */
	CUT_RUN_BYTES_MAX = 65000,  /* IP's limit, less headers. */
	/* A buffer should take several super-frames. */
	CUT_BUFFER_BYTES = 256 * 1024,
	/* Reserve at least so many sequence numbers at once: the pieces of a
	 * frame must follow one another. */
	CUT_NUMBERS_MIN = 256
};

/* The way to a peer; the caller's.  Must stay as it is while a cut has
 * something for it, but for the numbers. */
struct cut_way {
	struct frame_key key;
	uint16_t datagram_size; /* Largest that the path takes. */
	/* Sequence numbers that are ours: [seq, seq_end). */
	uint64_t seq, seq_end;
	void *to; /* For the caller: who it is. */
};

struct cut_run {
	struct cut_way *way;
	uint32_t offset, size; /* In the buffer. */
	uint16_t datagram;     /* Size of all but the last one. */
	uint16_t n;
};

/* The caller makes room for the next datagram of 'way'.
 *
 * ERR_LIMIT: the buffer is full.  Send the runs, cut_clear().
 * ERR_SEQUENCE: 'way' has too few numbers left.  Reserve CUT_NUMBERS_MIN or
 * more.
 *
 * False: it cannot.  The frame ends there. */
typedef bool cut_room(void *aux, struct cut_way *way, enum err lack);

/* One per thread.  What is not marked is private. */
struct cut {
	uint8_t *buf; /* The caller's, 'size' bytes. */
	size_t size, used;
	unsigned int thread; /* For the ciphers. */
	cut_room *room;
	void *aux;

	struct cut_run runs[CUT_RUNS_MAX]; /* For the caller to send. */
	size_t n_runs;

	/* The datagram that small frames still go into; NULL: none. */
	struct cut_way *open;
	uint64_t seq;
	size_t inner; /* Bytes in it so far, behind the header. */
	uint32_t vni;
	uint8_t ttl;
};

void cut_init(struct cut *, uint8_t *buf, size_t size, unsigned int thread,
	      cut_room *, void *aux);

/* Adds the frame; 'data' begins with a vnet header and may be changed.
 *
 * ERR_LIMIT, ERR_SEQUENCE: no room was made.  Segments that were cut before
 * are frames of their own, and go; what is left is dropped.
 * ERR_OVERSIZED: larger than a datagram takes, and its sender can be told of
 * sleeve_inner_mtu(way->datagram_size).
 * ERR_MALFORMED: the header does not fit the frame, or the checksum of one that
 * would have to be cut is wrong.  Drop it. */
enum err cut_frame(struct cut *, struct cut_way *, uint32_t vni, uint8_t ttl,
		   uint8_t *data, size_t size) FDP_MUST_CHECK;

/* Adds a datagram without records.  ERR_LIMIT, ERR_SEQUENCE as above. */
enum err cut_keepalive(struct cut *, struct cut_way *) FDP_MUST_CHECK;

/* Seals the open datagram, if any: the runs can be sent now. */
void cut_close(struct cut *);

/* Forgets the runs, which have been sent. */
void cut_clear(struct cut *);

#endif
