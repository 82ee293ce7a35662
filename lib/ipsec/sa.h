/* Security associations as fdp makes them: ESP transport mode with
 * rfc4106(gcm(aes)), a 256-bit key, ESN and a replay window, for the VXLAN
 * traffic of one direction between two hosts.
 *
 * This file knows the numbers; netlink/xfrm.h knows the kernel's messages and
 * engine/tunnel.c the order in which things are installed.
 */
#ifndef FDP_IPSEC_SA_H
#define FDP_IPSEC_SA_H 1

#include <stdint.h>

#include "base/addr.h"
#include "base/rng.h"
#include "netlink/xfrm.h"
#include "session/keys.h"

enum {
	SA_REPLAY_WINDOW = 1024, /* Packets. */
	/* Where several CPUs are at it, packets of one SA overtake each other
	 * by more. */
	SA_REPLAY_WINDOW_LANES = XFRM_MAX_REPLAY_WINDOW,
	SA_SPI_MIN = 256 /* RFC 4303 2.1: 1 to 255 are reserved. */
};

/* Backstops in the kernel, by draft-irtf-cfrg-aead-limits for packets of up to
 * 2 KiB.  Never limits in time: the kernel's follow the wall clock. */
#define SA_SOFT_PACKETS (UINT64_C(1) << 31)
#define SA_HARD_PACKETS (UINT64_C(1) << 32)
#define SA_SOFT_BYTES	(UINT64_C(2) << 40)
#define SA_HARD_BYTES	(UINT64_C(4) << 40)

/* A random SPI of at least SA_SPI_MIN. */
uint32_t sa_draw_spi(const struct rng *);

/* The reqid that binds SAs and policies to the peer at 'remote': a hash of the
 * address, so that it is the same after a restart.  'attempt' counts from 0
 * where the first choice is taken by another peer. */
uint32_t sa_reqid(const struct ip_addr *remote, unsigned int attempt);

/* Fills in an SA for UDP 'udp_port' (the receiver's VXLAN port) from
 * key->src_ip to key->dst_ip, one of 'n_lanes' that way; derives its key from
 * 'esp'.  The caller wipes 'sa'. */
void sa_make(struct xfrm_sa *sa, const struct secret *esp,
	     const struct esp_key_params *key, uint32_t reqid,
	     uint16_t udp_port, unsigned int n_lanes);

#endif
