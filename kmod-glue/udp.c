#include "kmod-glue/udp.h"

#include <errno.h>
#include <unistd.h>

#include "kmod-glue/sockaddr.h"

static int send_from(int fd, const struct ip_addr *local,
		     const struct ip_addr *remote, uint16_t port, uint32_t mark,
		     struct span bytes)
{
	union sockaddr_any to;
	socklen_t size = sockaddr_put(&to, local, 0);

	if (mark &&
	    setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) < 0) {
		return errno;
	}
	if (bind(fd, &to.sa, size) < 0) {
		return errno;
	}
	size = sockaddr_put(&to, remote, port);
	return sendto(fd, bytes.data, bytes.size, MSG_DONTWAIT | MSG_NOSIGNAL,
		      &to.sa, size) < 0
		       ? errno
		       : 0;
}

int udp_send_test(const struct ip_addr *local, const struct ip_addr *remote,
		  uint16_t port, uint32_t mark, struct span bytes)
{
	int fd = socket(ip_is_v4(remote) ? AF_INET : AF_INET6,
			SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0) {
		return errno;
	}
	error = send_from(fd, local, remote, port, mark, bytes);
	close(fd);
	return error;
}
