#include "kmod-glue/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/if_tun.h>
#include <linux/virtio_net.h>

#include "util.h"

/* Since Linux 6.2. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/* What the kernel may leave to us: checksums, and cutting what TCP and, where
 * it knows that, UDP sends. */
enum {
	OFFLOADS = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
	OFFLOADS_USO = OFFLOADS | TUN_F_USO4 | TUN_F_USO6
};

bool tap_takes_uso(int fd)
{
	return !ioctl(fd, TUNSETOFFLOAD, (unsigned long)OFFLOADS_USO);
}

static int set_offloads(int fd)
{
	int size = TAP_VNET_SIZE;

	BUILD_ASSERT_DECL(sizeof(struct virtio_net_hdr) == TAP_VNET_SIZE);
	if (ioctl(fd, TUNSETVNETHDRSZ, &size)) {
		return errno;
	}
	if (!tap_takes_uso(fd) &&
	    ioctl(fd, TUNSETOFFLOAD, (unsigned long)OFFLOADS)) {
		return errno;
	}
	return 0;
}

static int open_queue(const char *name, int *fdp)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR |
					 IFF_MULTI_QUEUE};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int error;

	if (fd < 0) {
		return errno;
	}
	ovs_strlcpy(ifr.ifr_name, name, sizeof ifr.ifr_name);
	error = ioctl(fd, TUNSETIFF, &ifr) ? errno : set_offloads(fd);
	if (error) {
		close(fd);
		return error;
	}
	*fdp = fd;
	return 0;
}

int tap_open(const char *name, size_t n, int *fds)
{
	ovs_assert(n && n <= TAP_QUEUES_MAX);
	for (size_t i = 0; i < n; i++) {
		int error = open_queue(name, &fds[i]);

		if (error) {
			tap_close(fds, i);
			return error;
		}
	}
	return 0;
}

int tap_persist(int fd, bool persist)
{
	return ioctl(fd, TUNSETPERSIST, persist ? 1UL : 0UL) ? errno : 0;
}

void tap_close(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		close(fds[i]);
	}
}
