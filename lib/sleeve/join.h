/* Opened datagrams become frames for a TAP, with a vnet header.
 *
 * Segments that follow one another become one super-frame again; nothing is
 * copied, a frame is a list of places in the receive buffers, as writev() wants
 * it.  So join_flush() must be called before those are used again.  A datagram
 * that is lost, or comes out of order, only splits a super-frame: each segment
 * is a frame of its own.  Pieces are copied into a buffer of the caller's, as
 * they may arrive with different receives.
 *
 * Whatever an authentic but hostile peer sends, what comes out has offsets and
 * lengths that fit the frame, and a checksum field that fits its addresses.
 */
#ifndef FDP_SLEEVE_JOIN_H
#define FDP_SLEEVE_JOIN_H 1

#include <sys/uio.h>

#include "sleeve/frame.h"
#include "sleeve/vnet.h"

enum {
	JOIN_SEGMENTS_MAX = 64,
	JOIN_IOV_MAX = JOIN_SEGMENTS_MAX + 4
};

/* What comes out, for the time of the call only. */
struct join_frame {
	uint32_t vni;
	uint8_t ttl;
	uint32_t index;	  /* Of the key that opened it. */
	struct span head; /* The frame's front: at least all headers. */
	size_t size;	  /* Of the frame, without vnet header. */
	size_t n_iov;
	struct iovec iov[JOIN_IOV_MAX]; /* The first one is the vnet header. */
	struct vnet_hdr vnet;
	uint8_t tag[4]; /* join_tag() */
};

typedef void join_cb(void *aux, struct join_frame *);

/* One per receiving thread; all private. */
struct join {
	join_cb *cb;
	void *aux;
	bool uso; /* The kernel takes UDP super-frames (6.2 and later). */

	/* The super-frame so far; n_iov = 0: none. */
	struct join_frame frame;
	struct vnet_l4 l4;
	uint64_t seq;	/* Of its last segment. */
	size_t segment; /* Payload of each, but the last. */
	size_t n_segments;
	bool full; /* The last one was shorter. */

	/* A frame of which pieces have come, and more are to come. */
	uint8_t *
		pieces; /* VNET_FRAME_MAX bytes, or NULL: pieces are dropped. */
	size_t pieces_size; /* 0: none. */
	uint64_t pieces_seq;
	uint32_t pieces_index, pieces_vni;
	uint8_t pieces_ttl, pieces_flags;

	uint64_t n_malformed; /* Records refused, for the caller to read. */
	uint64_t n_lost;      /* Frames of which a piece was missing. */
};

void join_init(struct join *, uint8_t *pieces, bool uso, join_cb *, void *aux);

/* Takes what frame_open() gave; calls back for each frame that is complete. */
void join_datagram(struct join *, const struct frame_header *,
		   const struct frame_inner *);

/* Gives out the super-frame that is not complete, if there is one. */
void join_flush(struct join *);

/* Puts an 802.1Q tag into a frame that came out, for a trunk. */
void join_tag(struct join_frame *, uint16_t tci);

/* Copies the whole of it, vnet header first, into 'buf' (VNET_BYTES +
 * VNET_FRAME_MAX); returns the size.  For frames that go to another peer. */
size_t join_copy(const struct join_frame *, uint8_t *buf);

#endif
