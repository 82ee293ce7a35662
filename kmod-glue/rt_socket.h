/* A socket to the kernel's links, addresses and routes (NETLINK_ROUTE), and a
 * listener that says when they change.  Objects are libnl-route-3's; the
 * exchange is our own, because libnl's error numbers lose the kernel's
 * (ENETUNREACH, for one, is not among them).
 *
 * A socket belongs to the network namespace it was opened in; netns_run() is
 * the way into another one.  All calls block, but only as long as the kernel
 * works.  Every function returns 0 or an errno value, and rt_socket_text() has
 * the kernel's own words for the latest error.
 */
#ifndef FDP_GLUE_RT_SOCKET_H
#define FDP_GLUE_RT_SOCKET_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

enum {
	RT_NAME_SIZE = 16, /* IFNAMSIZ */
	RT_KIND_SIZE = 16,
	RT_ALIAS_SIZE = 256 /* IFALIASZ */
};

struct rt_socket;

int rt_socket_open(struct rt_socket **) FDP_MUST_CHECK;
void rt_socket_close(struct rt_socket *);
/* Never NULL; "" if the kernel only gave a number. */
const char *rt_socket_text(const struct rt_socket *);

/* The way to a destination. */
struct rt_route {
	struct ip_addr src; /* The kernel's choice; zero if it made none. */
	uint32_t ifindex;
	uint32_t mtu;	/* Path MTU: device, route, or learned, the least. */
	uint32_t limit; /* The same without what was learned of a router. */
	uint32_t table; /* That it is from. */
	bool local;	/* The destination is this host itself. */
};
/* ENETUNREACH, EHOSTUNREACH, EACCES (prohibit), EINVAL (blackhole). */
int rt_route_get(struct rt_socket *, const struct ip_addr *dst,
		 struct rt_route *) FDP_MUST_CHECK;

/* Forgets what routers have told of the path MTU to 'dst'.  Of IPv6 only that;
 * IPv4 cannot be told to forget less than all that it has learned, of whatever
 * destination. */
int rt_route_forget(struct rt_socket *,
		    const struct ip_addr *dst) FDP_MUST_CHECK;

struct rt_link {
	uint32_t ifindex;
	char name[RT_NAME_SIZE];
	char kind[RT_KIND_SIZE];   /* "veth", "vxlan", ...; "" = hardware. */
	char alias[RT_ALIAS_SIZE]; /* "" = none. */
	struct mac mac;		   /* Zero if it has none. */
	uint32_t mtu;
	bool up;	       /* IFF_UP: by the administrator's will. */
	uint32_t peer_ifindex; /* IFLA_LINK: the other end; 0 = none. */
};
/* ENODEV. */
int rt_link_get(struct rt_socket *, const char *name,
		struct rt_link *) FDP_MUST_CHECK;
int rt_link_get_by_index(struct rt_socket *, uint32_t ifindex,
			 struct rt_link *) FDP_MUST_CHECK;

/* Calls 'cb' for each link whose name starts with 'prefix' ("" = all).  Links
 * must not be changed from within.  EINTR: they changed meanwhile, repeat. */
typedef void rt_link_cb(void *aux, const struct rt_link *);
int rt_link_list(struct rt_socket *, const char *prefix, rt_link_cb *cb,
		 void *aux) FDP_MUST_CHECK;

/* What to change on a link; zero and NULL leave things as they are. */
struct rt_link_change {
	bool set_up, set_down;
	bool no_addrgen; /* No IPv6 link-local address by itself. */
	uint32_t mtu;
	const char *alias;
	const char *name; /* Only while it is down. */
	const struct mac *mac;
};
/* ENODEV, EPERM, EINVAL (MTU). */
int rt_link_set(struct rt_socket *, const char *name,
		const struct rt_link_change *) FDP_MUST_CHECK;
/* ENODEV; EOPNOTSUPP for links that are not software. */
/* Gives link 'ifindex' that name, and sets it up, unless 'up' is false: then it
 * is up after if it was before.  '*changed': it was not so.  ENODEV, EEXIST
 * (the name), EADDRINUSE (a tunnel's port). */
int rt_link_restore(struct rt_socket *, uint32_t ifindex, const char *name,
		    bool up, bool *changed) FDP_MUST_CHECK;
int rt_link_del(struct rt_socket *, const char *name) FDP_MUST_CHECK;

/* A veth pair, the far end of which is born in another namespace under its
 * final name: it is never seen, and never sends, in ours. */
struct rt_veth {
	char host_name[RT_NAME_SIZE];
	char host_alias[RT_ALIAS_SIZE]; /* "" = none. */
	char peer_name[RT_NAME_SIZE];
	int peer_netns; /* Descriptor. */
	struct mac peer_mac;
	uint32_t mtu; /* Of both ends; 0 = the kernel's default. */
};
/* Both ends are down; the host end makes no IPv6 addresses.  EEXIST: one of
 * the names is taken in its namespace; EBADF, EINVAL: 'peer_netns'; ENODEV:
 * module veth is missing (the kernel says EOPNOTSUPP).  Nothing is left behind
 * on failure. */
int rt_veth_create(struct rt_socket *, const struct rt_veth *) FDP_MUST_CHECK;

/* Adds 'prefix' to the link, without duplicate address detection: fdp has made
 * sure.  ENODEV, EEXIST (same link), EINVAL. */
int rt_addr_add(struct rt_socket *, const char *name,
		const struct ip_prefix *prefix) FDP_MUST_CHECK;
/* EADDRNOTAVAIL if it is not there. */
int rt_addr_del(struct rt_socket *, const char *name,
		const struct ip_prefix *prefix) FDP_MUST_CHECK;
/* All addresses of the namespace, or of link 'ifindex' if that is not 0. EINTR:
 * they changed meanwhile, repeat. */
typedef void rt_addr_cb(void *aux, uint32_t ifindex, const struct ip_prefix *);
int rt_addr_list(struct rt_socket *, uint32_t ifindex, rt_addr_cb *cb,
		 void *aux) FDP_MUST_CHECK;

/* A route to 'dst', which may be ::/0 or 0.0.0.0/0, through link 'name'; 'via'
 * may be NULL; 'mtu' 0 = none.  For tests and tools.  EEXIST, ENETUNREACH. */
int rt_route_add(struct rt_socket *, const struct ip_prefix *dst,
		 const struct ip_addr *via, const char *name,
		 uint32_t mtu) FDP_MUST_CHECK;

/* Listener. */
struct rt_monitor;
enum rt_changes {
	RT_CHANGED_LINKS = 1 << 0,
	RT_CHANGED_ADDRESSES = 1 << 1,
	RT_CHANGED_ROUTES = 1 << 2
};

int rt_monitor_open(struct rt_monitor **) FDP_MUST_CHECK;
void rt_monitor_close(struct rt_monitor *);
/* For poll(): readable when there is something to run. */
int rt_monitor_fd(const struct rt_monitor *);
/* Reads all that is queued, without blocking, and returns what kinds of things
 * changed, as bits of enum rt_changes; everything if the queue overflowed. Each
 * link that is new or has changed is handed to 'cb', with its index, name, and
 * whether it is up, and nothing else; if the queue overflowed '*missed' is
 * true, and rt_link_list() has the truth. */
unsigned int rt_monitor_run(struct rt_monitor *, rt_link_cb *cb, void *aux,
			    bool *missed);

#endif
