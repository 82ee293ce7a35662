/* The header in front of every frame of a TAP with IFF_VNET_HDR (struct
 * virtio_net_hdr of linux/virtio_net.h, host byte order): a checksum that is to
 * be completed, or a super-frame that is to be cut into segments.
 *
 * None of its offsets is taken on trust, neither from a peer (it never sends
 * any) nor from a TAP: they are what the frame itself says, or the frame is
 * refused.
 */
#ifndef FDP_SLEEVE_VNET_H
#define FDP_SLEEVE_VNET_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct vnet_hdr {
	uint8_t flags;	   /* VNET_NEEDS_CSUM */
	uint8_t gso_type;  /* VNET_GSO_* */
	uint16_t hdr_len;  /* Headers of a super-frame; a hint. */
	uint16_t gso_size; /* Payload per segment. */
	uint16_t csum_start, csum_offset;
};

enum {
	VNET_BYTES = 10,
	VNET_NEEDS_CSUM = 1,
	VNET_GSO_NONE = 0,
	VNET_GSO_TCPV4 = 1,
	VNET_GSO_TCPV6 = 4,
	VNET_GSO_UDP_L4 = 5,
	VNET_GSO_ECN = 0x80,

	/* A frame of a TAP is never larger: IP's 65,535, Ethernet, two tags. */
	VNET_FRAME_MAX = 65535 + 22
};

_Static_assert(sizeof(struct vnet_hdr) == VNET_BYTES, "virtio_net_hdr");

/* Where things are in a TCP or UDP packet that is no fragment. */
struct vnet_l4 {
	uint16_t l3, l4;  /* Offsets of the IP and of the TCP or UDP header. */
	uint16_t payload; /* Offset of what follows the headers. */
	uint16_t csum;	  /* Offset of the checksum. */
	uint8_t proto;	  /* IP_PROTO_TCP or IP_PROTO_UDP */
	bool v6;
	uint32_t size; /* Of the frame, as the IP header has it. */
};

enum {
	VNET_HEADERS_MAX = 256 /* Frames with more of them are left alone. */
};

/* Reads an Ethernet frame with up to two tags; IPv4 with options, IPv6 with
 * hop-by-hop and destination options.  'frame' may be but its front.
 * ERR_UNSUPPORTED: nothing whose checksum could be left to others.
 * ERR_TRUNCATED: the headers do not fit. */
enum err vnet_find_l4(struct span frame, struct vnet_l4 *) FDP_MUST_CHECK;

/* What the checksum field holds as long as the sum is to be completed: the sum
 * of the pseudo header (RFC 9293 3.1) for 'size' bytes from the TCP or UDP
 * header on. */
uint16_t vnet_pseudo_sum(const uint8_t *frame, const struct vnet_l4 *,
			 size_t size);

/* Sets the IP header's length to that of a frame of 'size' bytes, and the
 * checksum of IPv4's. */
void vnet_set_length(uint8_t *frame, const struct vnet_l4 *, size_t size);

/* Is the TCP or UDP checksum of a whole frame right? */
bool vnet_is_right(struct span frame, const struct vnet_l4 *);

/* Completes the checksum that the header wants, wherever it lies.
 * ERR_MALFORMED if it does not lie in the frame. */
enum err vnet_complete(const struct vnet_hdr *, uint8_t *frame,
		       size_t size) FDP_MUST_CHECK;

/* Takes the 802.1Q tag out of what a trunk TAP gave: 'at' points to the
 * vnet header, '*size' counts it and the frame.  Both then begin
 * 4 bytes later, at the returned address, and '*size' is smaller by 4.  NULL:
 * there is no tag, or the header makes no sense with it. */
uint8_t *vnet_untag(uint8_t *at, size_t *size, uint16_t *tci);

#endif
