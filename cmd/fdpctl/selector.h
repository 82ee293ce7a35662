/* How the addresses of a policy are shown. */
#ifndef FDPCTL_SELECTOR_H
#define FDPCTL_SELECTOR_H 1

#include <stdbool.h>

#include "base/addr.h"

/* The address, or for none, a wildcard, the prefix of the whole family. */
static inline const char *selector_format(bool v6, const struct ip_addr *ip,
					  char buf[IP_STRLEN])
{
	if (ip_is_zero(ip)) {
		return v6 ? "::/0" : "0.0.0.0/0";
	}
	return ip_format(ip, buf);
}

#endif
