/* One UDP datagram, sent as anybody's would be: whoever sends from a socket is
 * told whether the kernel took it, which the datapath is not. */
#ifndef FDP_GLUE_UDP_H
#define FDP_GLUE_UDP_H 1

#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/span.h"

/* Sends 'bytes' from 'local', with 'mark' (0: none).  0, or an errno value:
 * EPERM (netfilter or an IPsec policy), ENETUNREACH, EHOSTUNREACH, EINVAL (a
 * route says so; the latter of a blackhole), EACCES (one that prohibits). */
int udp_send_test(const struct ip_addr *local, const struct ip_addr *remote,
		  uint16_t port, uint32_t mark,
		  struct span bytes) FDP_MUST_CHECK;

#endif
