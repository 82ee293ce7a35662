/* One datagram of the sleeve.
 *
 *	u8 4 | u8 0 | u16 0 | u32 index | u64 sequence number
 *	sealed: u24 VNI | u8 TTL | records | 16 bytes of tag
 *	record: u8 flags | u16 size | Ethernet frame, or a piece of one
 *
 * The receiver chose 'index': it names session, epoch and direction, like the
 * SPI of an SA.  No records: a keepalive.
 */
#ifndef FDP_SLEEVE_FRAME_H
#define FDP_SLEEVE_FRAME_H 1

#include "sleeve/sleeve.h"

enum {
	FRAME_DATA = 4, /* The type of a datagram; others are reserved. */

	/* Flags of records. */
	FRAME_PARTIAL = 1, /* The TCP or UDP checksum is not yet made. */
	FRAME_FOLLOWS = 2, /* Goes on where the datagram before ended. */
	FRAME_PIECE = 4,   /* Not the whole frame; alone in its datagram. */
	FRAME_MORE = 8	   /* (Pieces:) this is not the last one. */
};

/* The key of one epoch and direction, and what else goes into nonces. */
struct frame_key {
	const struct cipher_key *cipher; /* Borrowed. */
	uint32_t index;
	uint32_t epoch;
	bool initiator; /* The session's initiator seals with it. */
};

struct frame_header {
	uint32_t index;
	uint64_t seq;
};

/* Reads the clear part.  ERR_TRUNCATED (no datagram of ours is so short),
 * ERR_UNSUPPORTED (another type), ERR_MALFORMED. */
enum err frame_header_get(struct span datagram,
			  struct frame_header *) FDP_MUST_CHECK;

/* 'datagram' has room for SLEEVE_HEADER_BYTES, then holds 'inner' bytes, then
 * has room for a tag.  Returns its size.  'seq' must never have been used with
 * this key. */
size_t frame_seal(const struct frame_key *, unsigned int thread, uint64_t seq,
		  uint8_t *datagram, size_t inner);

struct frame_inner {
	uint32_t vni;
	uint8_t ttl;
	struct span records; /* In the datagram. */
};

/* Opens a datagram in place whose header was read and whose sequence number is
 * fresh.  ERR_AUTH. */
enum err frame_open(const struct frame_key *, unsigned int thread,
		    const struct frame_header *, uint8_t *datagram, size_t size,
		    struct frame_inner *) FDP_MUST_CHECK;

/* Writes VNI and TTL behind the header. */
void frame_inner_put(uint8_t *datagram, uint32_t vni, uint8_t ttl);

/* Cuts off the next record.  ERR_TRUNCATED, ERR_MALFORMED (unknown flags, too
 * small for an Ethernet header). */
enum err frame_record_get(struct span *records, uint8_t *flags,
			  struct span *body) FDP_MUST_CHECK;

#endif
