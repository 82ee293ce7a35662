#include "kmod-glue/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static socklen_t to_sockaddr(const struct ip_addr *ip, uint16_t port,
			     struct sockaddr_storage *to)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
				   .sin6_port = htons(port)};

	if (ip_is_v4(ip)) {
		memcpy(&in.sin_addr, ip_v4_bytes(ip), sizeof in.sin_addr);
		memcpy(to, &in, sizeof in);
		return sizeof in;
	}
	memcpy(&in6.sin6_addr, ip->b, sizeof in6.sin6_addr);
	memcpy(to, &in6, sizeof in6);
	return sizeof in6;
}

static int send_from(int fd, const struct ip_addr *local,
		     const struct ip_addr *remote, uint16_t port, uint32_t mark,
		     struct span bytes)
{
	struct sockaddr_storage to;
	socklen_t size = to_sockaddr(local, 0, &to);

	if (mark &&
	    setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) < 0) {
		return errno;
	}
	if (bind(fd, (struct sockaddr *)&to, size) < 0) {
		return errno;
	}
	size = to_sockaddr(remote, port, &to);
	return sendto(fd, bytes.data, bytes.size, MSG_DONTWAIT | MSG_NOSIGNAL,
		      (struct sockaddr *)&to, size) < 0
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
