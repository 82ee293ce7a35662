/* An attachment: a veth pair, one end on this host (later a port of the
 * datapath), the other inside a container's network namespace, configured.
 * Where there is no kernel datapath it is a TAP inside that namespace, which
 * stays there while nobody serves it (agent.h opens its queues).
 *
 * Making one is all or nothing.  The container's end is born inside, with its
 * final name and MAC; it answers no router advertisements, and its addresses
 * are usable at once (no duplicate address detection: fdp knows them all).
 *
 * It may also be the host itself that is attached, with both ends there.  Then
 * no address of the host may lie in a network of the new interface, and ARP
 * asks with an address of the interface alone, as the spoof guard wants it:
 * else Linux takes whichever the packet has.
 */
#ifndef FDP_GLUE_VETH_H
#define FDP_GLUE_VETH_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "kmod-glue/rt_socket.h"

enum {
	ATTACHMENT_MAX_ADDRESSES = 16
};

struct attachment_request {
	int netns_fd; /* Of the container. */
	bool tap;     /* Else a veth pair. */
	bool exposed; /* 'netns_fd' is the host's own: see below. */
	/* Must be free on this host.  A TAP has only the name. */
	char host_ifname[RT_NAME_SIZE];
	char host_alias[RT_ALIAS_SIZE]; /* For `ip link`; "" = none. */
	char ifname[RT_NAME_SIZE];	/* Must be free in the namespace. */
	struct mac mac;			/* Of the container's end. */
	struct ip_prefix addresses[ATTACHMENT_MAX_ADDRESSES];
	size_t n_addresses;
	uint32_t mtu; /* 0 = the kernel's default. */
};

/* 0 or an errno value, then with one line in 'why' that says what is wrong and
 * what to do; nothing is left behind then.  EEXIST (host interface, interface,
 * address, or one in a network of what is exposed), EINVAL (name, MAC, MTU
 * below 1280 with IPv6), EPERM, ENOTSUP. */
int attachment_make(const struct attachment_request *, char *why,
		    size_t why_size) FDP_MUST_CHECK;

/* Removes both ends, wherever the far one is.  ENODEV if there is none, EINVAL
 * if it is no veth and so not ours. */
int attachment_remove(const char *host_ifname, char *why,
		      size_t why_size) FDP_MUST_CHECK;
/* Removes the TAP.  ENODEV; EINVAL: it is none of ours. */
int attachment_remove_tap(int netns_fd, const char *ifname, char *why,
			  size_t why_size) FDP_MUST_CHECK;

/* Opens 'n' queues of the TAP 'ifname' in the namespace of the calling thread.
 * ENODEV; EINVAL: it is none of ours; or what tap_open() says. */
int attachment_open_tap(const char *ifname, size_t n, int *fds, char *why,
			size_t why_size) FDP_MUST_CHECK;

/* Sets the MTU of both ends; 'host_ifname' may be NULL.  ENODEV, EINVAL. */
int attachment_set_mtu(const char *host_ifname, int netns_fd,
		       const char *ifname, uint32_t mtu, char *why,
		       size_t why_size) FDP_MUST_CHECK;

/* What an interface in a namespace is at this moment, whoever configured it;
 * link-local IPv6 addresses are left out.  ENODEV. */
struct attachment {
	struct rt_link link;
	struct ip_prefix addresses[ATTACHMENT_MAX_ADDRESSES];
	size_t n_addresses;
};
int attachment_read(int netns_fd, const char *ifname, struct attachment *,
		    char *why, size_t why_size) FDP_MUST_CHECK;

#endif
