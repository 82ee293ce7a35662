#include "kmod-glue/veth.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kmod-glue/netns.h"
#include "kmod-glue/tap.h"
#include "util.h"

enum {
	IPV6_MIN_MTU = 1280
}; /* RFC 8200 5. */

/* What `ip link` shows of interfaces of ours begins so. */
static const char our_alias[] = "fdpd:";

static int open_rt(struct rt_socket **rt, char *why, size_t why_size)
{
	int error = rt_socket_open(rt);

	if (error) {
		snprintf(why, why_size, "cannot open a Netlink socket: %s",
			 ovs_strerror(error));
	}
	return error;
}

/* "WHAT: reason (the kernel's words)". */
static int explain(const struct rt_socket *rt, int error, const char *what,
		   char *why, size_t why_size)
{
	const char *text = rt_socket_text(rt);

	snprintf(why, why_size, "%s: %s%s%s%s%s", what, ovs_strerror(error),
		 text[0] ? " (" : "", text, text[0] ? ")" : "",
		 error == EPERM ? ": run as root" : "");
	return error;
}

/* Inside the namespace. */

struct clash {
	const struct attachment_request *request;
	const struct ip_prefix *address; /* NULL = none. */
	struct ip_prefix found;
	uint32_t ifindex;
};

static void find_clash(void *clash_, uint32_t ifindex,
		       const struct ip_prefix *prefix)
{
	struct clash *clash = clash_;
	const struct attachment_request *request = clash->request;

	for (size_t i = 0; i < request->n_addresses; i++) {
		const struct ip_prefix *address = &request->addresses[i];

		if (ip_equal(&address->ip, &prefix->ip) ||
		    (request->exposed &&
		     prefix_contains(address, &prefix->ip))) {
			clash->address = address;
			clash->found = *prefix;
			clash->ifindex = ifindex;
		}
	}
}

static void explain_clash(const struct clash *clash, char *why, size_t why_size)
{
	char wanted[PREFIX_STRLEN], found[PREFIX_STRLEN], name[IF_NAMESIZE];

	if (!if_indextoname(clash->ifindex, name)) {
		ovs_strlcpy(name, "an interface", sizeof name);
	}
	prefix_format(clash->address, wanted);
	if (ip_equal(&clash->address->ip, &clash->found.ip)) {
		snprintf(why, why_size,
			 "%s is on %s in that network namespace already; "
			 "remove it there or choose another address",
			 wanted, name);
	} else {
		snprintf(why, why_size,
			 "%s would take the route of %s on %s; choose another "
			 "subnet, or a longer prefix",
			 wanted, prefix_format(&clash->found, found), name);
	}
}

/* The kernel would let one address lie on two interfaces, and then answer for
 * it on either. */
static int check_addresses(struct rt_socket *rt,
			   const struct attachment_request *request, char *why,
			   size_t why_size)
{
	struct clash clash = {.request = request};
	int error;

	do {
		clash.address = NULL;
		error = rt_addr_list(rt, 0, find_clash, &clash);
	} while (error == EINTR);
	if (error) {
		return explain(rt, error, "cannot read addresses", why,
			       why_size);
	}
	if (clash.address) {
		explain_clash(&clash, why, why_size);
		return EEXIST;
	}
	return 0;
}

/* It may fail, where /proc is read-only or there is no IPv6. */
static void set_sysctl(const char *family, const char *ifname, const char *name,
		       const char *value)
{
	char path[96 + RT_NAME_SIZE];
	int fd;

	snprintf(path, sizeof path, "/proc/sys/net/%s/conf/%s/%s", family,
		 ifname, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		ignore(write(fd, value, strlen(value)));
		close(fd);
	}
}

static int add_addresses(struct rt_socket *rt,
			 const struct attachment_request *request, char *why,
			 size_t why_size)
{
	for (size_t i = 0; i < request->n_addresses; i++) {
		char address[PREFIX_STRLEN], what[80 + PREFIX_STRLEN];
		int error = rt_addr_add(rt, request->ifname,
					&request->addresses[i]);

		if (error) {
			snprintf(what, sizeof what, "cannot add %s to %s",
				 prefix_format(&request->addresses[i], address),
				 request->ifname);
			return explain(rt, error, what, why, why_size);
		}
	}
	return 0;
}

static int configure(struct rt_socket *rt,
		     const struct attachment_request *request, char *why,
		     size_t why_size)
{
	const struct rt_link_change up = {.set_up = true};
	int error;

	/* The spoof guard stops advertisements too; this is the second lock. */
	set_sysctl("ipv6", request->ifname, "accept_ra", "0\n");
	if (request->exposed) {
		set_sysctl("ipv4", request->ifname, "arp_announce", "2\n");
	}
	error = add_addresses(rt, request, why, why_size);
	if (!error) {
		error = rt_link_set(rt, request->ifname, &up);
		if (error) {
			explain(rt, error, "cannot set the interface up", why,
				why_size);
		}
	}
	return error;
}

static int configure_inside(void *request_, char *why, size_t why_size)
{
	const struct attachment_request *request = request_;
	struct rt_socket *rt;
	int error = open_rt(&rt, why, why_size);

	if (error) {
		return error;
	}
	error = check_addresses(rt, request, why, why_size);
	if (!error) {
		error = configure(rt, request, why, why_size);
	}
	rt_socket_close(rt);
	return error;
}

/* A TAP, inside. */

static void explain_tap(int error, const char *ifname, char *why,
			size_t why_size)
{
	const char *text = ovs_strerror(error);

	switch (error) {
	case EPERM:
		text = "not permitted: run as root";
		break;
	case EBUSY:
		text = "somebody else has it open";
		break;
	case ENOENT:
	case ENODEV:
		text = "the kernel has no TAP interfaces: load the module tun";
		break;
	default:
		break;
	}
	snprintf(why, why_size, "TAP interface %s: %s", ifname, text);
}

/* With its final properties, and to stay. */
static int dress_tap(struct rt_socket *rt, int fd,
		     const struct attachment_request *request, char *why,
		     size_t why_size)
{
	const struct rt_link_change change = {
		.mac = &request->mac,
		.mtu = request->mtu,
		.alias = request->host_alias,
	};
	int error = rt_link_set(rt, request->ifname, &change);

	if (error) {
		return explain(rt, error, "cannot set up the interface", why,
			       why_size);
	}
	error = tap_persist(fd, true);
	if (error) {
		explain_tap(error, request->ifname, why, why_size);
	}
	return error;
}

static int make_tap(struct rt_socket *rt,
		    const struct attachment_request *request, char *why,
		    size_t why_size)
{
	struct rt_link link;
	int fd, error = rt_link_get(rt, request->ifname, &link);

	if (error != ENODEV) {
		snprintf(why, why_size,
			 "that network namespace has an interface %s already; "
			 "choose another name with --ifname",
			 request->ifname);
		return error ? error : EEXIST;
	}
	error = tap_open(request->ifname, 1, &fd);
	if (error) {
		explain_tap(error, request->ifname, why, why_size);
		return error;
	}
	error = dress_tap(rt, fd, request, why, why_size);
	if (!error) {
		error = configure(rt, request, why, why_size);
	}
	if (error) {
		ignore(tap_persist(fd, false));
	}
	tap_close(&fd, 1);
	return error;
}

static int make_tap_inside(void *request_, char *why, size_t why_size)
{
	const struct attachment_request *request = request_;
	struct rt_socket *rt;
	int error = open_rt(&rt, why, why_size);

	if (error) {
		return error;
	}
	error = check_addresses(rt, request, why, why_size);
	if (!error) {
		error = make_tap(rt, request, why, why_size);
	}
	rt_socket_close(rt);
	return error;
}

static int find_tap(struct rt_socket *rt, const char *ifname, char *why,
		    size_t why_size)
{
	struct rt_link link;
	int error = rt_link_get(rt, ifname, &link);

	if (error == ENODEV) {
		snprintf(why, why_size,
			 "there is no interface %s in that network namespace",
			 ifname);
	} else if (error) {
		explain(rt, error, "cannot read the interface", why, why_size);
	} else if (strcmp(link.kind, "tun") ||
		   strncmp(link.alias, our_alias, strlen(our_alias))) {
		snprintf(why, why_size, "%s is no TAP interface of fdp's",
			 ifname);
		error = EINVAL;
	}
	return error;
}

int attachment_open_tap(const char *ifname, size_t n, int *fds, char *why,
			size_t why_size)
{
	struct rt_socket *rt;
	int error = open_rt(&rt, why, why_size);

	if (error) {
		return error;
	}
	error = find_tap(rt, ifname, why, why_size);
	rt_socket_close(rt);
	if (!error) {
		error = tap_open(ifname, n, fds);
		if (error) {
			explain_tap(error, ifname, why, why_size);
		}
	}
	return error;
}

static int remove_tap_inside(void *ifname, char *why, size_t why_size)
{
	struct rt_socket *rt;
	int error = open_rt(&rt, why, why_size);

	if (error) {
		return error;
	}
	error = find_tap(rt, ifname, why, why_size);
	if (!error) {
		error = rt_link_del(rt, ifname);
		if (error) {
			explain(rt, error, "cannot remove the interface", why,
				why_size);
		}
	}
	rt_socket_close(rt);
	return error;
}

int attachment_remove_tap(int netns_fd, const char *ifname, char *why,
			  size_t why_size)
{
	char name[RT_NAME_SIZE];

	ovs_strlcpy(name, ifname, sizeof name);
	return netns_run(netns_fd, remove_tap_inside, name, 0, why, why_size);
}

/* On the host. */

static bool is_interface_name(const char *name)
{
	size_t n = strnlen(name, RT_NAME_SIZE);

	return n && n < RT_NAME_SIZE && strcmp(name, ".") &&
	       strcmp(name, "..") && !strpbrk(name, "/: \t\n\r\v\f%");
}

static int check_request(const struct attachment_request *request, char *why,
			 size_t why_size)
{
	char text[MAC_STRLEN];

	if (!is_interface_name(request->ifname) ||
	    !is_interface_name(request->host_ifname)) {
		snprintf(why, why_size,
			 "\"%.16s\" is no interface name: 1 to 15 characters, "
			 "without / : %% and spaces",
			 is_interface_name(request->ifname)
				 ? request->host_ifname
				 : request->ifname);
		return EINVAL;
	}
	if (mac_is_zero(&request->mac) || mac_is_group(&request->mac)) {
		snprintf(why, why_size,
			 "%s cannot be the MAC address of an interface",
			 mac_format(&request->mac, text));
		return EINVAL;
	}
	if (request->n_addresses > ATTACHMENT_MAX_ADDRESSES) {
		snprintf(why, why_size, "more than %d addresses",
			 ATTACHMENT_MAX_ADDRESSES);
		return EINVAL;
	}
	for (size_t i = 0; i < request->n_addresses; i++) {
		if (request->mtu && request->mtu < IPV6_MIN_MTU &&
		    !ip_is_v4(&request->addresses[i].ip)) {
			snprintf(why, why_size,
				 "IPv6 needs an MTU of %d, there are %u: raise "
				 "the MTU of the underlay",
				 IPV6_MIN_MTU, (unsigned int)request->mtu);
			return EINVAL;
		}
	}
	return 0;
}

static int create(struct rt_socket *rt,
		  const struct attachment_request *request, char *why,
		  size_t why_size)
{
	struct rt_veth veth = {
		.peer_netns = request->netns_fd,
		.peer_mac = request->mac,
		.mtu = request->mtu,
	};
	struct rt_link link;
	int error;

	ovs_strlcpy(veth.host_name, request->host_ifname,
		    sizeof veth.host_name);
	ovs_strlcpy(veth.host_alias, request->host_alias,
		    sizeof veth.host_alias);
	ovs_strlcpy(veth.peer_name, request->ifname, sizeof veth.peer_name);
	error = rt_veth_create(rt, &veth);
	switch (error) {
	case 0:
		break;
	case EEXIST:
		if (!rt_link_get(rt, request->host_ifname, &link)) {
			snprintf(why, why_size,
				 "this host has an interface %s already; "
				 "detach it or remove it with `ip link del %s`",
				 request->host_ifname, request->host_ifname);
		} else {
			snprintf(why, why_size,
				 "that network namespace has an interface %s "
				 "already; choose another name with --ifname",
				 request->ifname);
		}
		break;
	case EOPNOTSUPP:
		snprintf(why, why_size,
			 "the kernel has no veth interfaces: load the module "
			 "veth");
		break;
	default:
		explain(rt, error, "cannot create the interface", why,
			why_size);
		break;
	}
	return error;
}

int attachment_make(const struct attachment_request *request, char *why,
		    size_t why_size)
{
	/* netns_run() copies nothing back, so nothing is written. */
	struct attachment_request copy = *request;
	const struct rt_link_change up = {.set_up = true};
	struct rt_socket *rt;
	int error = check_request(request, why, why_size);

	if (!error && request->tap) {
		return netns_run(request->netns_fd, make_tap_inside, &copy, 0,
				 why, why_size);
	}
	if (!error) {
		error = open_rt(&rt, why, why_size);
	}
	if (error) {
		return error;
	}
	error = create(rt, request, why, why_size);
	if (error) {
		goto out;
	}
	error = netns_run(request->netns_fd, configure_inside, &copy, 0, why,
			  why_size);
	if (!error) {
		error = rt_link_set(rt, request->host_ifname, &up);
		if (error) {
			explain(rt, error, "cannot set the interface up", why,
				why_size);
		}
	}
	if (error) {
		ignore(rt_link_del(rt, request->host_ifname));
	}
out:
	rt_socket_close(rt);
	return error;
}

int attachment_remove(const char *host_ifname, char *why, size_t why_size)
{
	struct rt_socket *rt;
	struct rt_link link;
	int error = open_rt(&rt, why, why_size);

	if (error) {
		return error;
	}
	error = rt_link_get(rt, host_ifname, &link);
	if (error == ENODEV) {
		snprintf(why, why_size, "this host has no interface %s",
			 host_ifname);
	} else if (!error && strcmp(link.kind, "veth")) {
		snprintf(why, why_size, "%s is not an attachment", host_ifname);
		error = EINVAL;
	} else {
		if (!error) {
			error = rt_link_del(rt, host_ifname);
		}
		if (error) {
			explain(rt, error, "cannot remove the interface", why,
				why_size);
		}
	}
	rt_socket_close(rt);
	return error;
}

struct mtu_change {
	char ifname[RT_NAME_SIZE];
	uint32_t mtu;
};

static int set_mtu(void *change_, char *why, size_t why_size)
{
	const struct mtu_change *change = change_;
	const struct rt_link_change to = {.mtu = change->mtu};
	char what[64 + RT_NAME_SIZE];
	struct rt_socket *rt;
	int error = open_rt(&rt, why, why_size);

	if (error) {
		return error;
	}
	error = rt_link_set(rt, change->ifname, &to);
	if (error) {
		snprintf(what, sizeof what, "cannot set the MTU of %s to %u",
			 change->ifname, (unsigned int)change->mtu);
		explain(rt, error, what, why, why_size);
	}
	rt_socket_close(rt);
	return error;
}

int attachment_set_mtu(const char *host_ifname, int netns_fd,
		       const char *ifname, uint32_t mtu, char *why,
		       size_t why_size)
{
	struct mtu_change change = {.mtu = mtu};
	int error;

	ovs_strlcpy(change.ifname, ifname, sizeof change.ifname);
	error = netns_run(netns_fd, set_mtu, &change, 0, why, why_size);
	if (!error && host_ifname) {
		ovs_strlcpy(change.ifname, host_ifname, sizeof change.ifname);
		error = set_mtu(&change, why, why_size);
	}
	return error;
}

static void add_to_attachment(void *attachment_, uint32_t ifindex OVS_UNUSED,
			      const struct ip_prefix *prefix)
{
	struct attachment *attachment = attachment_;

	if (!ip_is_link_local6(&prefix->ip) &&
	    attachment->n_addresses < ATTACHMENT_MAX_ADDRESSES) {
		attachment->addresses[attachment->n_addresses++] = *prefix;
	}
}

static int read_inside(void *attachment_, char *why, size_t why_size)
{
	struct attachment *attachment = attachment_;
	struct rt_socket *rt;
	int error = open_rt(&rt, why, why_size);

	if (error) {
		return error;
	}
	error = rt_link_get(rt, attachment->link.name, &attachment->link);
	if (!error) {
		do {
			attachment->n_addresses = 0;
			error = rt_addr_list(rt, attachment->link.ifindex,
					     add_to_attachment, attachment);
		} while (error == EINTR);
	}
	if (error) {
		explain(rt, error, "cannot read the interface", why, why_size);
	}
	rt_socket_close(rt);
	return error;
}

int attachment_read(int netns_fd, const char *ifname,
		    struct attachment *attachment, char *why, size_t why_size)
{
	struct attachment result;
	int error;

	memset(&result, 0, sizeof result);
	ovs_strlcpy(result.link.name, ifname, sizeof result.link.name);
	error = netns_run(netns_fd, read_inside, &result, sizeof result, why,
			  why_size);
	if (!error) {
		*attachment = result;
	}
	return error;
}
