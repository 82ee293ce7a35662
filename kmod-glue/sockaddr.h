/* Addresses as system calls have them. */
#ifndef FDP_GLUE_SOCKADDR_H
#define FDP_GLUE_SOCKADDR_H 1

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/addr.h"

union sockaddr_any {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* Writes an address of the family of 'ip'; returns its size. */
socklen_t sockaddr_put(union sockaddr_any *, const struct ip_addr *ip,
		       uint16_t port);

/* The reverse; all zero if it is of no IP family. */
struct ip_endpoint sockaddr_get(const union sockaddr_any *);

#endif
