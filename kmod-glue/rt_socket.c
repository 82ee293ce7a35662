#include "kmod-glue/rt_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

#include "base/span.h"
#include "netlink/nlmsg.h"
#include "util.h"

enum {
	TEXT_SIZE = 160
};

struct rt_socket {
	struct nl_sock *nl;
	struct nl_cb *cb;
	/* State of the exchange that is going on. */
	bool done;
	int error;
	bool interrupted;
	void (*each)(struct nl_object *, void *aux); /* May be NULL. */
	void *aux;
	char text[TEXT_SIZE]; /* Of the latest error. */
};

/* libnl's own errors, which happen before anything is sent. */
static int from_nl(int nl_error)
{
	switch (-nl_error) {
	case NLE_SUCCESS:
		return 0;
	case NLE_NOMEM:
		return ENOMEM;
	case NLE_PERM:
		return EPERM;
	case NLE_NOACCESS:
		return EACCES;
	case NLE_BAD_SOCK:
		return EBADF;
	case NLE_MSGSIZE:
	case NLE_MSG_TRUNC:
		return EMSGSIZE;
	case NLE_PROTO_MISMATCH:
	case NLE_AF_NOSUPPORT:
		return EPROTONOSUPPORT;
	case NLE_INVAL:
	case NLE_RANGE:
	case NLE_MISSING_ATTR:
		return EINVAL;
	default:
		return EIO;
	}
}

/* The exchange: one request, answers until acknowledgement or end. */

static void on_object(struct nl_object *object, void *rt_)
{
	struct rt_socket *rt = rt_;

	if (rt->each) {
		rt->each(object, rt->aux);
	}
}

static int on_valid(struct nl_msg *msg, void *rt_)
{
	/* What libnl cannot parse is none of the kinds that were asked for. */
	(void)nl_msg_parse(msg, on_object, rt_);
	return NL_OK;
}

static int on_end(struct nl_msg *msg OVS_UNUSED, void *rt_)
{
	struct rt_socket *rt = rt_;

	rt->done = true;
	return NL_STOP;
}

static int on_interrupted(struct nl_msg *msg OVS_UNUSED, void *rt_)
{
	struct rt_socket *rt = rt_;

	rt->interrupted = true;
	return NL_OK;
}

/* libnl hands over the payload; the header, with the flags, lies in front. */
static int on_error(struct sockaddr_nl *from OVS_UNUSED, struct nlmsgerr *e,
		    void *rt_)
{
	struct rt_socket *rt = rt_;
	const uint8_t *start = (const uint8_t *)e - NLMSG_HDRLEN;
	uint32_t size;

	memcpy(&size, start, sizeof size);
	if (nlmsg_get_error(span_of(start, size), &rt->error, rt->text,
			    sizeof rt->text)) {
		rt->error = EPROTO;
	}
	rt->done = true;
	return NL_STOP;
}

int rt_socket_open(struct rt_socket **rtp)
{
	struct rt_socket *rt = xzalloc(sizeof *rt);
	int on = 1, error;

	rt->nl = nl_socket_alloc();
	rt->cb = nl_cb_alloc(NL_CB_DEFAULT);
	if (!rt->nl || !rt->cb) {
		out_of_memory();
	}
	error = from_nl(nl_connect(rt->nl, NETLINK_ROUTE));
	if (error) {
		rt_socket_close(rt);
		return error;
	}
	(void)setsockopt(nl_socket_get_fd(rt->nl), SOL_NETLINK, NETLINK_EXT_ACK,
			 &on, sizeof on);
	nl_cb_set(rt->cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, rt);
	nl_cb_set(rt->cb, NL_CB_ACK, NL_CB_CUSTOM, on_end, rt);
	nl_cb_set(rt->cb, NL_CB_FINISH, NL_CB_CUSTOM, on_end, rt);
	nl_cb_set(rt->cb, NL_CB_DUMP_INTR, NL_CB_CUSTOM, on_interrupted, rt);
	nl_cb_err(rt->cb, NL_CB_CUSTOM, on_error, rt);
	*rtp = rt;
	return 0;
}

void rt_socket_close(struct rt_socket *rt)
{
	if (rt) {
		nl_cb_put(rt->cb);
		nl_socket_free(rt->nl);
		free(rt);
	}
}

const char *rt_socket_text(const struct rt_socket *rt)
{
	return rt->text;
}

/* Sends 'msg', which it frees, and hands the objects of the answer to 'each'
 * (may be NULL). */
static int transact(struct rt_socket *rt, struct nl_msg *msg,
		    void (*each)(struct nl_object *, void *aux), void *aux)
{
	int error;

	rt->done = rt->interrupted = false;
	rt->error = 0;
	rt->each = each;
	rt->aux = aux;
	rt->text[0] = '\0';
	error = nl_send_auto(rt->nl, msg);
	nlmsg_free(msg);
	error = error < 0 ? from_nl(error) : 0;
	while (!error && !rt->done) {
		int nl_error = nl_recvmsgs(rt->nl, rt->cb);

		error = rt->done ? 0 : from_nl(nl_error);
	}
	if (!error) {
		error = rt->error;
	}
	return !error && rt->interrupted ? EINTR : error;
}

static struct nl_msg *new_message(int type, int flags, const void *header,
				  size_t size)
{
	struct nl_msg *msg = nlmsg_alloc_simple(type, flags);
	union {
		const void *in;
		void *out; /* nlmsg_append() only reads it. */
	} h = {.in = header};

	if (!msg || nlmsg_append(msg, h.out, size, NLMSG_ALIGNTO) < 0) {
		out_of_memory();
	}
	return msg;
}

/* Addresses. */

static struct ip_addr from_nl_addr(const struct nl_addr *addr)
{
	struct ip_addr ip;

	memset(&ip, 0, sizeof ip);
	if (!addr) {
		return ip;
	}
	if (nl_addr_get_family(addr) == AF_INET && nl_addr_get_len(addr) == 4) {
		ip = ip_from_v4(nl_addr_get_binary_addr(addr));
	} else if (nl_addr_get_family(addr) == AF_INET6 &&
		   nl_addr_get_len(addr) == 16) {
		ip = ip_from_v6(nl_addr_get_binary_addr(addr));
	}
	return ip;
}

/* nl_addr_build() does not write to what it copies. */
static struct nl_addr *to_nl_addr(int family, const void *bytes, size_t size)
{
	uint8_t copy[16];
	struct nl_addr *addr;

	memcpy(copy, bytes, size);
	addr = nl_addr_build(family, copy, size);
	if (!addr) {
		out_of_memory();
	}
	return addr;
}

static struct nl_addr *ip_to_nl(const struct ip_addr *ip)
{
	return ip_is_v4(ip) ? to_nl_addr(AF_INET, ip_v4_bytes(ip), 4)
			    : to_nl_addr(AF_INET6, ip->b, 16);
}

static struct nl_addr *prefix_to_nl(const struct ip_prefix *prefix)
{
	struct nl_addr *addr = ip_to_nl(&prefix->ip);

	nl_addr_set_prefixlen(addr, prefix->len);
	return addr;
}

/* Links. */

static void copy_string(char *to, size_t size, const char *from)
{
	ovs_strlcpy(to, from ? from : "", size);
}

static void read_link(struct rtnl_link *from, struct rt_link *link)
{
	const struct nl_addr *mac = rtnl_link_get_addr(from);

	memset(link, 0, sizeof *link);
	link->ifindex = (uint32_t)rtnl_link_get_ifindex(from);
	copy_string(link->name, sizeof link->name, rtnl_link_get_name(from));
	copy_string(link->kind, sizeof link->kind, rtnl_link_get_type(from));
	copy_string(link->alias, sizeof link->alias,
		    rtnl_link_get_ifalias(from));
	if (mac && nl_addr_get_len(mac) == sizeof link->mac.b) {
		memcpy(link->mac.b, nl_addr_get_binary_addr(mac),
		       sizeof link->mac.b);
	}
	link->mtu = rtnl_link_get_mtu(from);
	link->up = rtnl_link_get_flags(from) & IFF_UP;
	link->peer_ifindex = (uint32_t)rtnl_link_get_link(from);
}

struct link_list {
	const char *prefix;
	rt_link_cb *cb;
	void *aux;
};

static void each_link(struct nl_object *object, void *list_)
{
	const struct link_list *list = list_;
	struct rt_link link;

	read_link((struct rtnl_link *)object, &link);
	if (!strncmp(link.name, list->prefix, strlen(list->prefix))) {
		list->cb(list->aux, &link);
	}
}

int rt_link_list(struct rt_socket *rt, const char *prefix, rt_link_cb *cb,
		 void *aux)
{
	struct link_list list = {prefix, cb, aux};
	const struct ifinfomsg header = {.ifi_family = AF_UNSPEC};

	return transact(
		rt,
		new_message(RTM_GETLINK, NLM_F_DUMP, &header, sizeof header),
		each_link, &list);
}

static void one_link(struct nl_object *object, void *link)
{
	read_link((struct rtnl_link *)object, link);
}

static int get_link(struct rt_socket *rt, uint32_t ifindex, const char *name,
		    struct rt_link *link)
{
	struct rt_link result = {.ifindex = 0};
	struct nl_msg *msg;
	int error;

	if (name && (!name[0] || strlen(name) >= RT_NAME_SIZE)) {
		return ENODEV;
	}
	error = from_nl(rtnl_link_build_get_request((int)ifindex, name, &msg));
	if (!error) {
		error = transact(rt, msg, one_link, &result);
	}
	if (!error && !result.ifindex) {
		error = ENODEV;
	}
	if (!error) {
		*link = result;
	}
	return error;
}

int rt_link_get(struct rt_socket *rt, const char *name, struct rt_link *link)
{
	return get_link(rt, 0, name, link);
}

int rt_link_get_by_index(struct rt_socket *rt, uint32_t ifindex,
			 struct rt_link *link)
{
	return ifindex && ifindex <= INT32_MAX
		       ? get_link(rt, ifindex, NULL, link)
		       : ENODEV;
}

static struct rtnl_link *new_link(void)
{
	struct rtnl_link *link = rtnl_link_alloc();

	if (!link) {
		out_of_memory();
	}
	return link;
}

static int set_link(struct rt_socket *rt, uint32_t ifindex,
		    const struct rt_link_change *change)
{
	struct rtnl_link *orig = new_link(), *to = new_link();
	struct nl_msg *msg;
	int error;

	rtnl_link_set_ifindex(orig, (int)ifindex);
	if (change->set_up) {
		rtnl_link_set_flags(to, IFF_UP);
	} else if (change->set_down) {
		rtnl_link_unset_flags(to, IFF_UP);
	}
	if (change->mtu) {
		rtnl_link_set_mtu(to, change->mtu);
	}
	if (change->name) {
		rtnl_link_set_name(to, change->name);
	}
	if (change->alias) {
		rtnl_link_set_ifalias(to, change->alias);
	}
	if (change->mac) {
		struct nl_addr *mac = to_nl_addr(AF_LLC, change->mac->b,
						 sizeof change->mac->b);

		rtnl_link_set_addr(to, mac);
		nl_addr_put(mac);
	}
	if (change->no_addrgen) {
		error = rtnl_link_inet6_set_addr_gen_mode(
			to, IN6_ADDR_GEN_MODE_NONE);
		if (error) {
			error = from_nl(error);
			goto out;
		}
	}
	error = from_nl(rtnl_link_build_change_request(orig, to, 0, &msg));
	if (!error) {
		error = transact(rt, msg, NULL, NULL);
	}
out:
	rtnl_link_put(orig);
	rtnl_link_put(to);
	return error;
}

int rt_link_set(struct rt_socket *rt, const char *name,
		const struct rt_link_change *change)
{
	struct rt_link link;
	int error = rt_link_get(rt, name, &link);

	if (error) {
		return error;
	}
	error = set_link(rt, link.ifindex, change);
	if (error == EAFNOSUPPORT && change->no_addrgen) {
		/* A kernel without IPv6 makes no IPv6 addresses either. */
		struct rt_link_change rest = *change;

		rest.no_addrgen = false;
		error = set_link(rt, link.ifindex, &rest);
	}
	return error;
}

int rt_link_restore(struct rt_socket *rt, uint32_t ifindex, const char *name,
		    bool up, bool *changed)
{
	static const struct rt_link_change set_up = {.set_up = true},
					   set_down = {.set_down = true};
	const struct rt_link_change rename = {.name = name};
	struct rt_link link;
	int error = rt_link_get_by_index(rt, ifindex, &link);

	if (error) {
		return error;
	}
	*changed = false;
	up = up || link.up;
	if (strcmp(link.name, name)) {
		*changed = true;
		if (link.up) {
			error = set_link(rt, ifindex, &set_down);
			link.up = false;
		}
		if (!error) {
			error = set_link(rt, ifindex, &rename);
		}
	}
	if (!error && up && !link.up) {
		*changed = true;
		error = set_link(rt, ifindex, &set_up);
	}
	return error;
}

int rt_link_del(struct rt_socket *rt, const char *name)
{
	struct rtnl_link *link;
	struct rt_link found;
	struct nl_msg *msg;
	int error = rt_link_get(rt, name, &found);

	if (error) {
		return error;
	}
	link = new_link();
	rtnl_link_set_ifindex(link, (int)found.ifindex);
	error = from_nl(rtnl_link_build_delete_request(link, &msg));
	rtnl_link_put(link);
	return error ? error : transact(rt, msg, NULL, NULL);
}

static int create_pair(struct rt_socket *rt, const struct rt_veth *veth)
{
	struct rtnl_link *link = rtnl_link_veth_alloc(), *peer;
	struct nl_addr *mac =
		to_nl_addr(AF_LLC, veth->peer_mac.b, sizeof veth->peer_mac.b);
	struct nl_msg *msg;
	int error;

	if (!link) {
		out_of_memory();
	}
	peer = rtnl_link_veth_get_peer(link);
	rtnl_link_set_name(link, veth->host_name);
	rtnl_link_set_name(peer, veth->peer_name);
	rtnl_link_set_ns_fd(peer, veth->peer_netns);
	rtnl_link_set_addr(peer, mac);
	if (veth->mtu) {
		rtnl_link_set_mtu(link, veth->mtu);
		rtnl_link_set_mtu(peer, veth->mtu);
	}
	error = from_nl(rtnl_link_build_add_request(
		link, NLM_F_CREATE | NLM_F_EXCL, &msg));
	nl_addr_put(mac);
	rtnl_link_put(peer);
	rtnl_link_veth_release(link);
	return error ? error : transact(rt, msg, NULL, NULL);
}

int rt_veth_create(struct rt_socket *rt, const struct rt_veth *veth)
{
	const struct rt_link_change change = {
		.no_addrgen = true,
		.alias = veth->host_alias[0] ? veth->host_alias : NULL,
	};
	int error = create_pair(rt, veth);

	if (error) {
		return error;
	}
	/* The kernel ignores these in the request that makes a link. */
	error = rt_link_set(rt, veth->host_name, &change);
	if (error) {
		char text[TEXT_SIZE];

		memcpy(text, rt->text, sizeof text);
		ignore(rt_link_del(rt, veth->host_name));
		memcpy(rt->text, text, sizeof text);
	}
	return error;
}

/* Addresses of links. */

static int change_addr(struct rt_socket *rt, const char *name,
		       const struct ip_prefix *prefix, bool add)
{
	struct rtnl_addr *addr;
	struct nl_addr *local;
	struct rt_link link;
	struct nl_msg *msg;
	int error = rt_link_get(rt, name, &link);

	if (error) {
		return error;
	}
	addr = rtnl_addr_alloc();
	if (!addr) {
		out_of_memory();
	}
	local = prefix_to_nl(prefix);
	rtnl_addr_set_ifindex(addr, (int)link.ifindex);
	rtnl_addr_set_local(addr, local);
	if (add) {
		rtnl_addr_set_flags(addr, IFA_F_NODAD);
		error = from_nl(rtnl_addr_build_add_request(
			addr, NLM_F_CREATE | NLM_F_EXCL, &msg));
	} else {
		error = from_nl(rtnl_addr_build_delete_request(addr, 0, &msg));
	}
	nl_addr_put(local);
	rtnl_addr_put(addr);
	return error ? error : transact(rt, msg, NULL, NULL);
}

int rt_addr_add(struct rt_socket *rt, const char *name,
		const struct ip_prefix *prefix)
{
	return change_addr(rt, name, prefix, true);
}

int rt_addr_del(struct rt_socket *rt, const char *name,
		const struct ip_prefix *prefix)
{
	return change_addr(rt, name, prefix, false);
}

struct addr_list {
	uint32_t ifindex;
	rt_addr_cb *cb;
	void *aux;
};

static void each_addr(struct nl_object *object, void *list_)
{
	const struct addr_list *list = list_;
	struct rtnl_addr *addr = (struct rtnl_addr *)object;
	uint32_t ifindex = (uint32_t)rtnl_addr_get_ifindex(addr);
	const struct nl_addr *local = rtnl_addr_get_local(addr);
	struct ip_prefix prefix;

	memset(&prefix, 0, sizeof prefix);
	prefix.ip = from_nl_addr(local);
	if (ip_is_zero(&prefix.ip) ||
	    (list->ifindex && list->ifindex != ifindex)) {
		return;
	}
	prefix.len = (uint8_t)nl_addr_get_prefixlen(local);
	list->cb(list->aux, ifindex, &prefix);
}

int rt_addr_list(struct rt_socket *rt, uint32_t ifindex, rt_addr_cb *cb,
		 void *aux)
{
	struct addr_list list = {ifindex, cb, aux};
	const struct ifaddrmsg header = {.ifa_family = AF_UNSPEC};

	return transact(
		rt,
		new_message(RTM_GETADDR, NLM_F_DUMP, &header, sizeof header),
		each_addr, &list);
}

/* Routes. */

static void one_route(struct nl_object *object, void *route_)
{
	struct rtnl_route *from = (struct rtnl_route *)object;
	struct rtnl_nexthop *hop = rtnl_route_nexthop_n(from, 0);
	struct rt_route *route = route_;
	unsigned int mtu;

	memset(route, 0, sizeof *route);
	route->src = from_nl_addr(rtnl_route_get_pref_src(from));
	route->local = rtnl_route_get_type(from) == RTN_LOCAL;
	if (hop) {
		route->ifindex = (uint32_t)rtnl_route_nh_get_ifindex(hop);
	}
	if (!rtnl_route_get_metric(from, RTAX_MTU, &mtu)) {
		route->mtu = mtu;
	}
	route->table = rtnl_route_get_table(from);
}

static struct nl_msg *route_message(int type, const struct rtmsg *more,
				    const struct ip_addr *dst)
{
	const bool v4 = ip_is_v4(dst);
	struct rtmsg header = *more;
	struct nl_msg *msg;

	header.rtm_family = v4 ? AF_INET : AF_INET6;
	header.rtm_dst_len = v4 ? 32 : 128;
	msg = new_message(type, 0, &header, sizeof header);
	if (nla_put(msg, RTA_DST, v4 ? 4 : 16, v4 ? ip_v4_bytes(dst) : dst->b) <
	    0) {
		out_of_memory();
	}
	return msg;
}

/* The least of what the device allows and the route itself says.  Kernels
 * before 4.15 do not tell apart what the route says and what was learned. */
static uint32_t limit_of(struct rt_socket *rt, const struct ip_addr *dst,
			 uint32_t link_mtu)
{
	const struct rtmsg header = {.rtm_flags = RTM_F_FIB_MATCH};
	struct rt_route fib = {.mtu = 0};
	int error = transact(rt, route_message(RTM_GETROUTE, &header, dst),
			     one_route, &fib);

	return !error && fib.mtu ? MIN(fib.mtu, link_mtu) : link_mtu;
}

int rt_route_get(struct rt_socket *rt, const struct ip_addr *dst,
		 struct rt_route *route)
{
	const struct rtmsg header = {.rtm_flags = 0};
	struct rt_route result = {.mtu = 0};
	struct rt_link link;
	int error = transact(rt, route_message(RTM_GETROUTE, &header, dst),
			     one_route, &result);

	if (!error) {
		error = result.ifindex ? rt_link_get_by_index(
						 rt, result.ifindex, &link)
				       : ENETUNREACH;
	}
	if (error) {
		return error;
	}
	result.limit = link.mtu;
	if (!result.mtu || result.mtu >= link.mtu) {
		result.mtu = link.mtu;
	} else {
		result.limit = MAX(limit_of(rt, dst, link.mtu), result.mtu);
	}
	*route = result;
	return 0;
}

/* As `ip route flush cache` does. */
static int flush_learned_v4(void)
{
	int fd = open("/proc/sys/net/ipv4/route/flush", O_WRONLY | O_CLOEXEC);
	int error = fd < 0 || write(fd, "1", 1) < 0 ? errno : 0;

	if (fd >= 0) {
		close(fd);
	}
	return error;
}

int rt_route_forget(struct rt_socket *rt, const struct ip_addr *dst)
{
	struct rtmsg header = {.rtm_flags = RTM_F_CLONED};
	struct rt_route route;
	struct nl_msg *msg;
	int error;

	if (ip_is_v4(dst)) {
		return flush_learned_v4();
	}
	error = rt_route_get(rt, dst, &route);
	if (error) {
		return error;
	}
	header.rtm_table = route.table <= UINT8_MAX ? (uint8_t)route.table
						    : RT_TABLE_UNSPEC;
	msg = route_message(RTM_DELROUTE, &header, dst);
	if (nla_put_u32(msg, RTA_TABLE, route.table) < 0) {
		out_of_memory();
	}
	error = transact(rt, msg, NULL, NULL);
	return error == ESRCH ? 0 : error;
}

int rt_route_add(struct rt_socket *rt, const struct ip_prefix *dst,
		 const struct ip_addr *via, const char *name, uint32_t mtu)
{
	struct rtnl_route *route;
	struct rtnl_nexthop *hop;
	struct nl_addr *to, *gateway;
	struct rt_link link;
	struct nl_msg *msg;
	int error = rt_link_get(rt, name, &link);

	if (error) {
		return error;
	}
	route = rtnl_route_alloc();
	hop = rtnl_route_nh_alloc();
	if (!route || !hop) {
		out_of_memory();
	}
	to = prefix_to_nl(dst);
	rtnl_route_set_family(route, (uint8_t)nl_addr_get_family(to));
	rtnl_route_set_dst(route, to);
	nl_addr_put(to);
	rtnl_route_nh_set_ifindex(hop, (int)link.ifindex);
	if (via) {
		gateway = ip_to_nl(via);
		rtnl_route_nh_set_gateway(hop, gateway);
		nl_addr_put(gateway);
	} else {
		rtnl_route_set_scope(route, RT_SCOPE_LINK);
	}
	rtnl_route_add_nexthop(route, hop); /* Owns 'hop' now. */
	if (mtu) {
		rtnl_route_set_metric(route, RTAX_MTU, mtu);
	}
	error = from_nl(rtnl_route_build_add_request(
		route, NLM_F_CREATE | NLM_F_EXCL, &msg));
	rtnl_route_put(route);
	return error ? error : transact(rt, msg, NULL, NULL);
}

/* Listener. */

struct rt_monitor {
	struct nl_sock *nl;
	uint8_t buf[16384];
};

int rt_monitor_open(struct rt_monitor **monitorp)
{
	struct nl_sock *nl = nl_socket_alloc();
	int error;

	if (!nl) {
		out_of_memory();
	}
	error = nl_connect(nl, NETLINK_ROUTE);
	if (!error) {
		error = nl_socket_add_memberships(
			nl, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
			RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
			RTNLGRP_IPV6_ROUTE, RTNLGRP_NONE);
	}
	if (error) {
		nl_socket_free(nl);
		return from_nl(error);
	}
	*monitorp = xzalloc(sizeof **monitorp);
	(*monitorp)->nl = nl;
	return 0;
}

void rt_monitor_close(struct rt_monitor *monitor)
{
	if (monitor) {
		nl_socket_free(monitor->nl);
		free(monitor);
	}
}

int rt_monitor_fd(const struct rt_monitor *monitor)
{
	return nl_socket_get_fd(monitor->nl);
}

static unsigned int kind_of(uint16_t type)
{
	switch (type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return RT_CHANGED_LINKS;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return RT_CHANGED_ADDRESSES;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return RT_CHANGED_ROUTES;
	default:
		return 0;
	}
}

/* The first of its attributes that can be a name is it. */
static void take_link(const uint8_t *buf, size_t size, rt_link_cb *cb,
		      void *aux)
{
	struct span payload, attrs, value;
	struct rt_link link = {.ifindex = 0};
	struct nlmsghdr header;
	struct ifinfomsg info;
	uint16_t type;

	if (nlmsg_read(span_of(buf, size), &header, &payload) ||
	    nlmsg_get_fixed(&payload, &info, sizeof info) ||
	    info.ifi_family != AF_UNSPEC || info.ifi_index <= 0) {
		return;
	}
	attrs = payload;
	while (attrs.size && !nlattr_get(&attrs, &type, &value)) {
		if (type == IFLA_IFNAME && value.size &&
		    value.size <= sizeof link.name &&
		    !value.data[value.size - 1]) {
			memcpy(link.name, value.data, value.size);
			link.ifindex = (uint32_t)info.ifi_index;
			link.up = info.ifi_flags & IFF_UP;
			cb(aux, &link);
			return;
		}
	}
}

unsigned int rt_monitor_run(struct rt_monitor *monitor, rt_link_cb *cb,
			    void *aux, bool *missed)
{
	int fd = nl_socket_get_fd(monitor->nl);
	unsigned int changes = 0;

	*missed = false;
	for (;;) {
		/* One change a datagram. */
		ssize_t n = recv(fd, monitor->buf, sizeof monitor->buf,
				 MSG_DONTWAIT);
		struct nlmsghdr header;

		if (n >= (ssize_t)sizeof header) {
			memcpy(&header, monitor->buf, sizeof header);
			changes |= kind_of(header.nlmsg_type);
			if (header.nlmsg_type == RTM_NEWLINK) {
				take_link(monitor->buf, (size_t)n, cb, aux);
			}
		} else if (n < 0 && errno == ENOBUFS) {
			changes |= RT_CHANGED_LINKS | RT_CHANGED_ADDRESSES |
				   RT_CHANGED_ROUTES;
			*missed = true;
		} else if (n < 0 && errno != EINTR) {
			return changes;
		}
	}
}
