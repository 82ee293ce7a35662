/* The sleeve: sealed Ethernet frames in UDP datagrams, for when the kernel's
 * way (VXLAN in ESP) cannot be had.  docs/PROTOCOL.md, "Sleeve".
 *
 *	sleeve/vnet.h	what the kernel's offloads left undone in a frame
 *	sleeve/frame.h	one datagram: header, seal, records
 *	sleeve/cut.h	frames of a TAP -> sealed datagrams, ready to be sent
 *	sleeve/join.h	opened datagrams -> frames for a TAP
 *
 * Nothing here allocates memory per packet or knows sockets and threads; that
 * is kmod-glue/sleeve.h.
 */
#ifndef FDP_SLEEVE_SLEEVE_H
#define FDP_SLEEVE_SLEEVE_H 1

#include "base/addr.h"
#include "crypto/cipher.h"

enum {
	SLEEVE_HEADER_BYTES = 16, /* Clear: type, index, sequence number. */
	SLEEVE_INNER_BYTES = 4,	  /* Sealed: VNI, TTL. */
	SLEEVE_RECORD_BYTES = 3,  /* Sealed, per frame: flags, size. */

	/* Around one frame, from the UDP header's end on. */
	SLEEVE_OVERHEAD_BYTES = SLEEVE_HEADER_BYTES + SLEEVE_INNER_BYTES +
				SLEEVE_RECORD_BYTES + CIPHER_TAG_BYTES,
	SLEEVE_ETH_BYTES = 14,

	/* A path of 576 bytes (RFC 791) less IPv6 and UDP headers, at least. */
	SLEEVE_DATAGRAM_MIN = 528,
	SLEEVE_DATAGRAM_MAX = 65507,

	SLEEVE_REPLAY_WINDOW = 8192
};

/* The size of UDP payloads that a path of 'mtu' bytes takes whole. */
static inline uint16_t sleeve_datagram_size(uint32_t mtu, bool v4)
{
	uint32_t headers = (v4 ? 20 : 40) + 8;
	uint32_t size = mtu > headers ? mtu - headers : 0;

	return (uint16_t)(size < SLEEVE_DATAGRAM_MIN   ? SLEEVE_DATAGRAM_MIN
			  : size > SLEEVE_DATAGRAM_MAX ? SLEEVE_DATAGRAM_MAX
						       : size);
}

/* The MTU that containers see with datagrams of that size: 1,419 over IPv4 and
 * 1,399 over IPv6 for a path of 1,500; 3 bytes more than VXLAN in ESP leaves.
 */
static inline uint16_t sleeve_inner_mtu(uint16_t datagram_size)
{
	return (uint16_t)(datagram_size - SLEEVE_OVERHEAD_BYTES -
			  SLEEVE_ETH_BYTES);
}

/* How the pipeline knows a peer of the sleeve: by an address of the
 * discard-only prefix (RFC 6666), which is never on a wire, made of the peer's
 * number.  Real addresses change with NAT, or serve several peers. */
struct ip_addr sleeve_addr(uint32_t peer);
/* ERR_RANGE if that is no such address. */
enum err sleeve_addr_peer(const struct ip_addr *,
			  uint32_t *peer) FDP_MUST_CHECK;

#endif
