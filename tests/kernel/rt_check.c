/* rt_socket, netns and veth against the kernel:
 *
 *   our namespace                     namespace c1
 *   host0 --------- veth -----------  eth0   10.1.0.2/24, fd01::2/64
 *   d0: 192.0.2.1/24, 2001:db8::1/64, routes
 *
 * Runs as root in namespaces of its own, on any kernel with veth. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "kmod-glue/netns.h"
#include "kmod-glue/rt_socket.h"
#include "kmod-glue/veth.h"
#include "util.h"

static char why[256];

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;

	if (prefix_parse(text, &p)) {
		die("not an address: %s", text);
	}
	return p;
}

static struct ip_addr address(const char *text)
{
	return prefix(text).ip;
}

static int netns(const char *spec)
{
	int fd;

	why[0] = '\0';
	if (netns_open(spec, &fd, why, sizeof why)) {
		die("%s", why);
	}
	return fd;
}

static void set_scene(void)
{
	char out[256];

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	    mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", "/run", "tmpfs", 0, NULL)) {
		die("unshare, mount: %s", strerror(errno));
	}
	if (!shell("ip link set lo up && ip netns add c1 && ip netns add c2 "
		   "&& ip link add d0 type veth peer e0 "
		   "&& ip link set d0 addrgenmode none "
		   "&& ip link set e0 addrgenmode none up 2>&1",
		   out, sizeof out)) {
		die("%s", out);
	}
}

/* Namespaces. */

static void check_open(const char *spec, int want, const char *text,
		       const char *name)
{
	int fd = -1, error;

	why[0] = '\0';
	error = netns_open(spec, &fd, why, sizeof why);
	if (check_errno(error, want, name, why)) {
		check(strstr(why, text), name, "it says \"%s\"", why);
	}
	if (!error) {
		close(fd);
	}
}

static void check_netns_open(void)
{
	char path[64], pid[16];
	int c1 = netns("c1"), c2 = netns("c2"), again, self;

	check(fcntl(c1, F_GETFD) & FD_CLOEXEC, "netns descriptor is cloexec",
	      "it is not");
	again = netns("/run/netns/c1");
	check(netns_same(c1, again), "netns by name and path are the same",
	      "they differ");
	check(!netns_same(c1, c2), "two netns are not the same", "they are");
	close(again);
	snprintf(pid, sizeof pid, "%d", getpid());
	again = netns(pid);
	if (netns_open_pid(0, &self, why, sizeof why)) {
		die("%s", why);
	}
	check(netns_same(again, self) && !netns_same(self, c1),
	      "netns by process id is that of the process", "it is not");
	close(again);
	close(self);
	close(c1);
	close(c2);
	check_open("c3", ENOENT, "no network namespace c3: see `ip netns`",
		   "netns of unknown name");
	check_open("/nowhere", ENOENT, "/nowhere", "netns of unknown path");
	check_open("/etc/passwd", EINVAL, "is not a network namespace",
		   "netns that is a file");
	snprintf(path, sizeof path, "/proc/%d/ns/mnt", getpid());
	check_open(path, EINVAL, "is not a network namespace",
		   "netns of another kind");
	check_open("../netns/c1", EINVAL, "is no name", "netns relative path");
	check_open("", EINVAL, "is no name", "netns of empty name");
	check_open("4000000", ENOENT, "no process 4000000",
		   "netns of unknown process");
}

struct look {
	uint32_t ifindex;
	char pad[70000]; /* More than a pipe holds. */
	int last;
};

static int look_around(void *look_, char *text, size_t size)
{
	struct look *look = look_;
	struct rt_socket *rt;
	struct rt_link link;
	int error = rt_socket_open(&rt);

	(void)text;
	(void)size;
	if (error) {
		return error;
	}
	error = rt_link_get(rt, "d0", &link);
	rt_socket_close(rt);
	look->ifindex = error == ENODEV ? 0 : 1;
	look->last = 42;
	return 0;
}

static int refuse(void *aux, char *text, size_t size)
{
	*(int *)aux = 1;
	snprintf(text, size, "there is no bread");
	return ENOLCK;
}

static int crash(void *aux, char *text, size_t size)
{
	(void)aux;
	(void)text;
	(void)size;
	raise(SIGKILL);
	return 0;
}

static void check_netns_run(void)
{
	static struct look look = {.ifindex = 77};
	int c1 = netns("c1"), before = netns("/proc/self/ns/net"), after;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), touched = 0;
	int error =
		netns_run(c1, look_around, &look, sizeof look, why, sizeof why);

	check_errno(error, 0, "netns_run", why);
	check(look.ifindex == 0 && look.last == 42,
	      "netns_run works inside and brings its answer back",
	      "ifindex %u, last %d", look.ifindex, look.last);
	after = netns("/proc/self/ns/net");
	check(netns_same(before, after), "netns_run leaves us where we are",
	      "we moved");
	close(after);
	error = netns_run(c1, refuse, &touched, sizeof touched, why,
			  sizeof why);
	check(error == ENOLCK && !touched && !strcmp(why, "there is no bread"),
	      "netns_run hands over a failure", "%s, \"%s\", %d",
	      strerror(error), why, touched);
	error = netns_run(c1, crash, NULL, 0, why, sizeof why);
	check_errno(error, EIO, "netns_run of what dies", why);
	error = netns_run(null, look_around, &look, 0, why, sizeof why);
	check_errno(error, EINVAL, "netns_run in what is no namespace", why);
	close(null);
	close(before);
	close(c1);
}

/* Attachments. */

static const struct mac eth0_mac = {{2, 0, 0, 0, 0, 0x42}};

static struct attachment_request good_request(int fd)
{
	struct attachment_request r;

	memset(&r, 0, sizeof r);
	r.netns_fd = fd;
	strcpy(r.host_ifname, "host0");
	strcpy(r.host_alias, "c1 eth0");
	strcpy(r.ifname, "eth0");
	r.mac = eth0_mac;
	r.addresses[0] = prefix("10.1.0.2/24");
	r.addresses[1] = prefix("fd01::2/64");
	r.n_addresses = 2;
	r.mtu = 1416;
	return r;
}

static void count_link(void *n, const struct rt_link *link)
{
	(void)link;
	++*(int *)n;
}

static int n_links(struct rt_socket *rt, const char *start)
{
	int n = 0;

	must(rt_link_list(rt, start, count_link, &n), "rt_link_list");
	return n;
}

static int count_inside(void *n, char *text, size_t size)
{
	struct rt_socket *rt;
	int error = rt_socket_open(&rt);

	(void)text;
	(void)size;
	if (!error) {
		*(int *)n = n_links(rt, "");
		rt_socket_close(rt);
	}
	return error;
}

static void check_attachment(struct rt_socket *rt, int c1)
{
	struct attachment_request request = good_request(c1);
	struct attachment made;
	struct rt_link host;
	char out[512];
	int error = attachment_make(&request, why, sizeof why);

	if (!check_errno(error, 0, "attachment is made", why)) {
		return;
	}
	must(rt_link_get(rt, "host0", &host), "host0");
	check(host.up && host.mtu == 1416 && !strcmp(host.kind, "veth") &&
		      !strcmp(host.alias, "c1 eth0"),
	      "attachment: host end is up, of that MTU and alias",
	      "up %d, mtu %u, kind %s, alias \"%s\"", host.up, host.mtu,
	      host.kind, host.alias);
	shell("ip -6 addr show dev host0", out, sizeof out);
	check(!out[0], "attachment: host end has no IPv6 address", "%s", out);
	must(attachment_read(c1, "eth0", &made, why, sizeof why), why);
	check(made.link.up && made.link.mtu == 1416 &&
		      mac_equal(&made.link.mac, &eth0_mac),
	      "attachment: inner end is up, of that MAC and MTU",
	      "up %d, mtu %u", made.link.up, made.link.mtu);
	check(made.n_addresses == 2 &&
		      ip_equal(&made.addresses[0].ip,
			       &request.addresses[0].ip) &&
		      made.addresses[0].len == 24 &&
		      ip_equal(&made.addresses[1].ip,
			       &request.addresses[1].ip) &&
		      made.addresses[1].len == 64,
	      "attachment: inner end has the addresses", "%zu addresses",
	      made.n_addresses);
	check(shell("ip netns exec c1 sh -c '[ $(cat "
		    "/proc/sys/net/ipv6/conf/eth0/accept_ra) = 0 ]'",
		    out, sizeof out),
	      "attachment: inner end ignores router advertisements", "%s", out);
	must(rt_addr_add(rt, "host0",
			 &(struct ip_prefix){address("10.1.0.1"), 24}),
	     "10.1.0.1");
	must(rt_addr_add(rt, "host0",
			 &(struct ip_prefix){address("fd01::1"), 64}),
	     "fd01::1");
	check(shell("ping -c 1 -W 2 10.1.0.2", out, sizeof out) &&
		      shell("ping -c 1 -W 2 fd01::2", out, sizeof out),
	      "attachment: the container answers over IPv4 and IPv6", "%s",
	      out);
}

struct bad {
	const char *name;
	void (*spoil)(struct attachment_request *);
	int error;
	const char *says;
};

static void same_host_name(struct attachment_request *r)
{
	strcpy(r->host_ifname, "d0");
}

static void same_inner_name(struct attachment_request *r)
{
	strcpy(r->ifname, "lo");
}

static void same_address(struct attachment_request *r)
{
	r->addresses[1] = prefix("10.1.0.2/16");
}

static void address_twice(struct attachment_request *r)
{
	r->addresses[1] = r->addresses[0] = prefix("10.9.0.1/24");
}

static void group_mac(struct attachment_request *r)
{
	r->mac.b[0] = 1;
}

static void small_mtu(struct attachment_request *r)
{
	r->mtu = 1279;
}

static void tiny_mtu(struct attachment_request *r)
{
	r->mtu = 20;
	r->n_addresses = 1;
}

static void no_netns(struct attachment_request *r)
{
	r->netns_fd = -1;
}

static void bad_name(struct attachment_request *r)
{
	strcpy(r->ifname, "eth/0");
}

static void long_name(struct attachment_request *r)
{
	memset(r->ifname, 'x', sizeof r->ifname);
}

static void check_refusals(struct rt_socket *rt, int c1)
{
	static const struct bad bads[] = {
		{"host interface exists", same_host_name, EEXIST, "d0"},
		{"inner interface exists", same_inner_name, EEXIST, "--ifname"},
		{"address exists in the namespace", same_address, EEXIST,
		 "10.1.0.2/16 is on eth0"},
		{"address twice", address_twice, EEXIST, "10.9.0.1/24"},
		{"group MAC", group_mac, EINVAL, "cannot be the MAC"},
		{"MTU too small for IPv6", small_mtu, EINVAL, "1280"},
		{"MTU too small for all", tiny_mtu, EINVAL, ""},
		{"no namespace", no_netns, EBADF, ""},
		{"bad interface name", bad_name, EINVAL, "eth/0"},
		{"interface name too long", long_name, EINVAL, "1 to 15"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bads); i++) {
		struct attachment_request r = good_request(c1);
		int outside = n_links(rt, ""), inside = 0, now = 0, error;
		char name[80];

		strcpy(r.host_ifname, "host1");
		strcpy(r.ifname, "eth1");
		r.addresses[0] = prefix("10.2.0.2/24");
		r.addresses[1] = prefix("fd02::2/64");
		bads[i].spoil(&r);
		must(netns_run(c1, count_inside, &inside, sizeof inside, why,
			       sizeof why),
		     why);
		why[0] = '\0';
		error = attachment_make(&r, why, sizeof why);
		snprintf(name, sizeof name, "attachment refused: %s",
			 bads[i].name);
		check(error == bads[i].error && why[0] &&
			      strstr(why, bads[i].says) && !strchr(why, '\n'),
		      name, "%s: \"%s\"", strerror(error), why);
		must(netns_run(c1, count_inside, &now, sizeof now, why,
			       sizeof why),
		     why);
		snprintf(name, sizeof name, "nothing left behind: %s",
			 bads[i].name);
		check(n_links(rt, "") == outside && now == inside, name,
		      "%d -> %d links here, %d -> %d there", outside,
		      n_links(rt, ""), inside, now);
	}
}

static void check_removal(struct rt_socket *rt, int c1)
{
	struct attachment made;
	struct rt_link link;
	int error =
		attachment_set_mtu("host0", c1, "eth0", 1396, why, sizeof why);

	check_errno(error, 0, "attachment_set_mtu", why);
	must(attachment_read(c1, "eth0", &made, why, sizeof why), why);
	must(rt_link_get(rt, "host0", &link), "host0");
	check(made.link.mtu == 1396 && link.mtu == 1396,
	      "attachment_set_mtu sets both ends", "%u, %u", made.link.mtu,
	      link.mtu);
	error = attachment_set_mtu("host0", c1, "eth7", 1396, why, sizeof why);
	check_errno(error, ENODEV, "attachment_set_mtu without interface", why);
	check_errno(attachment_remove("lo", why, sizeof why), EINVAL,
		    "attachment_remove of something else", why);
	check_errno(attachment_remove("host0", why, sizeof why), 0,
		    "attachment_remove", why);
	check(rt_link_get(rt, "host0", &link) == ENODEV &&
		      attachment_read(c1, "eth0", &made, why, sizeof why) ==
			      ENODEV,
	      "attachment_remove takes both ends away", "one is there");
	check_errno(attachment_remove("host0", why, sizeof why), ENODEV,
		    "attachment_remove twice", why);
}

/* Routes and listener. */

static void route_is(struct rt_socket *rt, const char *dst, const char *src,
		     uint32_t ifindex, uint32_t mtu, bool local)
{
	char name[96], text[IP_STRLEN];
	struct ip_addr to = address(dst);
	struct rt_route route;
	int error = rt_route_get(rt, &to, &route);

	snprintf(name, sizeof name, "route to %s", dst);
	if (check_errno(error, 0, name, rt_socket_text(rt))) {
		struct ip_addr want = address(src);

		check(ip_equal(&route.src, &want) && route.mtu == mtu &&
			      route.local == local && route.ifindex == ifindex,
		      name, "from %s, ifindex %u, mtu %u, local %d",
		      ip_format(&route.src, text), route.ifindex, route.mtu,
		      route.local);
	}
}

static void route_fails(struct rt_socket *rt, const char *dst, int want)
{
	char name[96];
	struct ip_addr to = address(dst);
	struct rt_route route;

	snprintf(name, sizeof name, "route to %s is refused", dst);
	check_errno(rt_route_get(rt, &to, &route), want, name,
		    rt_socket_text(rt));
}

static void check_routes(struct rt_socket *rt)
{
	const struct rt_link_change up = {.set_up = true, .mtu = 1500};
	struct ip_prefix p4 = prefix("192.0.2.1/24");
	struct ip_prefix p6 = prefix("2001:db8::1/64");
	struct ip_prefix to;
	struct ip_addr via;
	struct rt_link d0, lo;
	char out[128];

	must(rt_link_set(rt, "d0", &up), "d0 up");
	must(rt_addr_add(rt, "d0", &p4), rt_socket_text(rt));
	must(rt_addr_add(rt, "d0", &p6), rt_socket_text(rt));
	/* The kernel installs the local route when it gets around to it. */
	if (!shell("for i in $(seq 100); do ip -6 route get 2001:db8::1 "
		   "| grep -q ^local && exit; sleep 0.1; done; exit 1",
		   out, sizeof out)) {
		die("no local route to 2001:db8::1");
	}
	check_errno(rt_addr_add(rt, "d0", &p4), EEXIST, "address added twice",
		    rt_socket_text(rt));
	must(rt_link_get(rt, "d0", &d0), "d0");
	must(rt_link_get(rt, "lo", &lo), "lo");
	check(d0.up && !strcmp(d0.kind, "veth") && !mac_is_zero(&d0.mac),
	      "link is read", "up %d, kind %s", d0.up, d0.kind);
	to = prefix("198.51.100.0/25");
	via = address("192.0.2.9");
	must(rt_route_add(rt, &to, &via, "d0", 1300), rt_socket_text(rt));
	to = prefix("198.51.100.128/25");
	must(rt_route_add(rt, &to, &via, "d0", 9000), rt_socket_text(rt));
	to = prefix("2001:db8:1::/48");
	via = address("2001:db8::9");
	must(rt_route_add(rt, &to, &via, "d0", 1280), rt_socket_text(rt));
	route_is(rt, "192.0.2.7", "192.0.2.1", d0.ifindex, 1500, false);
	route_is(rt, "198.51.100.7", "192.0.2.1", d0.ifindex, 1300, false);
	route_is(rt, "198.51.100.200", "192.0.2.1", d0.ifindex, 1500, false);
	route_is(rt, "2001:db8::7", "2001:db8::1", d0.ifindex, 1500, false);
	route_is(rt, "2001:db8:1::7", "2001:db8::1", d0.ifindex, 1280, false);
	route_is(rt, "192.0.2.1", "192.0.2.1", lo.ifindex, lo.mtu, true);
	route_is(rt, "2001:db8::1", "2001:db8::1", lo.ifindex, lo.mtu, true);
	route_fails(rt, "203.0.113.1", ENETUNREACH);
	route_fails(rt, "2001:db8:2::1", ENETUNREACH);
	if (!shell("ip route add unreachable 203.0.113.0/24 && "
		   "ip route add prohibit 2001:db8:2::/48",
		   out, sizeof out)) {
		die("%s", out);
	}
	route_fails(rt, "203.0.113.1", EHOSTUNREACH);
	route_fails(rt, "2001:db8:2::1", EACCES);
	must(rt_addr_del(rt, "d0", &p6), "address del");
	check_errno(rt_addr_del(rt, "d0", &p6), EADDRNOTAVAIL,
		    "address deleted twice", rt_socket_text(rt));
	check_errno(rt_link_get(rt, "nothing", &d0), ENODEV,
		    "link that is not there", rt_socket_text(rt));
	check_errno(rt_link_get(rt, "a-name-much-too-long", &d0), ENODEV,
		    "link of impossible name", rt_socket_text(rt));
	check(n_links(rt, "d") == 1 && n_links(rt, "x") == 0 &&
		      n_links(rt, "") >= 2,
	      "links are listed by prefix", "%d, %d, %d", n_links(rt, "d"),
	      n_links(rt, "x"), n_links(rt, ""));
}

static bool is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void note_link(void *last, const struct rt_link *link)
{
	if (!strncmp(link->name, "d0", 2)) {
		*(struct rt_link *)last = *link;
	}
}

static unsigned int run_monitor(struct rt_monitor *monitor,
				struct rt_link *last)
{
	bool missed;
	unsigned int changes =
		rt_monitor_run(monitor, note_link, last, &missed);

	check(!missed, "listener misses nothing", "it does");
	return changes;
}

static void check_monitor(struct rt_socket *rt)
{
	const struct rt_link_change up = {.set_up = true};
	struct rt_link last = {.ifindex = 0}, link;
	bool changed;
	const struct rt_link_change alias = {.alias = "changed"};
	struct ip_prefix p = prefix("192.0.2.77/32");
	struct rt_monitor *monitor;
	unsigned int changes;

	must(rt_monitor_open(&monitor), "rt_monitor_open");
	check(!is_readable(rt_monitor_fd(monitor)) &&
		      !run_monitor(monitor, &last),
	      "listener is silent when nothing happens", "it is not");
	must(rt_addr_add(rt, "d0", &p), rt_socket_text(rt));
	check(is_readable(rt_monitor_fd(monitor)), "listener becomes readable",
	      "it does not");
	changes = run_monitor(monitor, &last);
	check(changes == (RT_CHANGED_ADDRESSES | RT_CHANGED_ROUTES),
	      "listener tells of an address and its route", "%#x", changes);
	must(rt_link_set(rt, "d0", &alias), rt_socket_text(rt));
	must(rt_addr_del(rt, "d0", &p), rt_socket_text(rt));
	changes = run_monitor(monitor, &last);
	check(changes == (RT_CHANGED_LINKS | RT_CHANGED_ADDRESSES |
			  RT_CHANGED_ROUTES),
	      "listener merges what happened", "%#x", changes);
	must(rt_link_get(rt, "d0", &link), rt_socket_text(rt));
	check(last.ifindex == link.ifindex && !strcmp(last.name, "d0") &&
		      last.up == link.up,
	      "listener names the link", "%u %s", last.ifindex, last.name);
	check(!run_monitor(monitor, &last), "listener says it once", "twice");

	must(rt_link_set(rt, "d0", &up), rt_socket_text(rt));
	must(rt_link_restore(rt, link.ifindex, "d0", true, &changed),
	     rt_socket_text(rt));
	check(!changed, "a link as it should be is left alone", "it is not");
	must(rt_link_restore(rt, link.ifindex, "d00", false, &changed),
	     rt_socket_text(rt));
	run_monitor(monitor, &last);
	check(changed && !strcmp(last.name, "d00") && last.up,
	      "a link that is up is renamed, and up again", "%s", last.name);
	must(rt_link_restore(rt, link.ifindex, "d0", false, &changed),
	     rt_socket_text(rt));
	rt_monitor_close(monitor);
}

int main(void)
{
	struct rt_socket *rt;
	int c1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	set_scene();
	must(rt_socket_open(&rt), "rt_socket_open");
	c1 = netns("c1");
	check_netns_open();
	check_netns_run();
	check_attachment(rt, c1);
	check_refusals(rt, c1);
	check_removal(rt, c1);
	check_routes(rt);
	check_monitor(rt);
	close(c1);
	rt_socket_close(rt);
	return check_done();
}
