#include "kmod-glue/sockaddr.h"

#include <string.h>

socklen_t sockaddr_put(union sockaddr_any *to, const struct ip_addr *ip,
		       uint16_t port)
{
	memset(to, 0, sizeof *to);
	if (ip_is_v4(ip)) {
		to->in.sin_family = AF_INET;
		to->in.sin_port = htons(port);
		memcpy(&to->in.sin_addr, ip_v4_bytes(ip),
		       sizeof to->in.sin_addr);
		return sizeof to->in;
	}
	to->in6.sin6_family = AF_INET6;
	to->in6.sin6_port = htons(port);
	memcpy(&to->in6.sin6_addr, ip->b, sizeof to->in6.sin6_addr);
	return sizeof to->in6;
}

struct ip_endpoint sockaddr_get(const union sockaddr_any *from)
{
	struct ip_endpoint e;

	memset(&e, 0, sizeof e);
	if (from->sa.sa_family == AF_INET) {
		e.ip = ip_from_v4((const uint8_t *)&from->in.sin_addr);
		e.port = ntohs(from->in.sin_port);
	} else if (from->sa.sa_family == AF_INET6) {
		e.ip = ip_from_v6((const uint8_t *)&from->in6.sin6_addr);
		e.port = ntohs(from->in6.sin6_port);
	}
	return e;
}
