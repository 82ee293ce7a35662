#include "kmod-glue/manager.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/netlink.h>

#include "util.h"

enum {
	FIRST_FD = 3, /* SD_LISTEN_FDS_START */
	MAX_FDS = 65536,
	STATE_SIZE = 128
};

/* False if there is none.  A name that begins with @ is abstract. */
static bool find_manager(struct sockaddr_un *sun, socklen_t *size)
{
	const char *path = getenv("NOTIFY_SOCKET");

	if (!path || (*path != '/' && *path != '@') ||
	    strlen(path) >= sizeof sun->sun_path) {
		return false;
	}
	memset(sun, 0, sizeof *sun);
	sun->sun_family = AF_UNIX;
	ovs_strlcpy(sun->sun_path, path, sizeof sun->sun_path);
	*size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			    strlen(path));
	if (*path == '@') {
		sun->sun_path[0] = '\0';
	}
	return true;
}

/* With a copy of 'passed', unless that is -1. */
static void tell(const char *state, int passed)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof passed)];
	} control = {.bytes = {0}};
	struct sockaddr_un sun;
	struct iovec iov = {CONST_CAST(char *, state), strlen(state)};
	struct msghdr msg = {
		.msg_name = &sun, .msg_iov = &iov, .msg_iovlen = 1};
	int fd;

	if (!find_manager(&sun, &msg.msg_namelen)) {
		return;
	}
	if (passed >= 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof passed);
		memcpy(CMSG_DATA(&control.header), &passed, sizeof passed);
		msg.msg_control = &control;
		msg.msg_controllen = sizeof control;
	}
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		(void)!sendmsg(fd, &msg, MSG_NOSIGNAL);
		close(fd);
	}
}

void manager_tell(const char *state)
{
	tell(state, -1);
}

void manager_keep(const struct manager_socket *s)
{
	char state[STATE_SIZE];

	/* Not to be given up when its queue was full, which is an error that
	 * poll() tells. */
	snprintf(state, sizeof state,
		 "FDSTORE=1\nFDNAME=upcalls-%" PRIu32 "\nFDPOLL=0", s->port_id);
	tell(state, s->fd);
}

void manager_release(const struct manager_socket *s)
{
	char state[STATE_SIZE];

	snprintf(state, sizeof state,
		 "FDSTOREREMOVE=1\nFDNAME=upcalls-%" PRIu32, s->port_id);
	tell(state, -1);
}

static bool is_bound_netlink(int fd, uint32_t *port_id)
{
	struct sockaddr_nl addr = {.nl_family = AF_UNSPEC};
	socklen_t size = sizeof addr;

	if (getsockname(fd, (struct sockaddr *)&addr, &size) ||
	    addr.nl_family != AF_NETLINK || !addr.nl_pid) {
		return false;
	}
	*port_id = addr.nl_pid;
	return true;
}

/* How many descriptors are meant for this process. */
static int n_passed(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	int for_whom, n_fds;

	if (!pid || !n || !str_to_int(pid, 10, &for_whom) ||
	    !str_to_int(n, 10, &n_fds) || for_whom != getpid() || n_fds < 0) {
		return 0;
	}
	return MIN(n_fds, MAX_FDS);
}

size_t manager_inherit(struct manager_socket **sockets)
{
	const int n_fds = n_passed();
	struct manager_socket *v = xcalloc((size_t)n_fds + 1, sizeof *v);
	size_t n = 0;

	for (int fd = FIRST_FD; fd < FIRST_FD + n_fds; fd++) {
		if (is_bound_netlink(fd, &v[n].port_id)) {
			(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
			v[n++].fd = fd;
		} else {
			close(fd);
		}
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	*sockets = v;
	return n;
}
