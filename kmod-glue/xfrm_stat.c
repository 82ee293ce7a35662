#include "kmod-glue/xfrm_stat.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "netlink/xfrm_stat.h"

enum {
	FILE_MAX_BYTES = 4096
};

int xfrm_stat_read(bool inbound, struct ipsec_sight *sight)
{
	char text[FILE_MAX_BYTES];
	struct xfrm_stat stat;
	int error = 0;
	ssize_t n;
	int fd;

	/* Of the namespace that we are in. */
	fd = open("/proc/self/net/xfrm_stat", O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return errno;
	}
	n = read(fd, text, sizeof text);
	if (n < 0) {
		error = errno;
	}
	close(fd);
	if (!error &&
	    xfrm_stat_parse(span_of(text, (size_t)n), inbound, &stat)) {
		error = EPROTO;
	}
	if (!error) {
		sight->no_sa = stat.no_sa;
		sight->not_authentic = stat.not_authentic;
		sight->policy = stat.policy;
		sight->other = stat.other;
	}
	return error;
}
