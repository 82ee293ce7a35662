/* TAP devices: Ethernet frames by read(2) and write(2), in as many queues as
 * there are threads.
 *
 * A frame has a struct virtio_net_hdr in front.  So the kernel may hand over a
 * super-frame of up to 64 KiB that is yet to be cut into segments, with its
 * checksum yet to be made, and takes one likewise: most of the speed of the
 * sleeve comes of that. */
#ifndef FDP_GLUE_TAP_H
#define FDP_GLUE_TAP_H 1

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum {
	/* In front of a frame: struct virtio_net_hdr, in host byte order. */
	TAP_VNET_SIZE = 10,
	TAP_QUEUES_MAX = 16
};

/* Opens 'n' queues (at most TAP_QUEUES_MAX) of the device 'name', which is made
 * if there is none, in the network namespace of the calling thread.  They do
 * not block.  The device is gone when the last one is closed, unless
 * tap_persist() was called.  0 or an errno value: EBUSY: somebody else has it;
 * EINVAL: a device of that name is something else, ENOENT or ENODEV: the kernel
 * has no TAPs. */
int tap_open(const char *name, size_t n, int *fds) FDP_MUST_CHECK;

/* Does the kernel take UDP super-frames (Linux 6.2 and later)?  'fd' is a
 * queue. */
bool tap_takes_uso(int fd);

/* Shall the device of this queue stay when the last one is closed? */
int tap_persist(int fd, bool persist) FDP_MUST_CHECK;

/* Closes the queues. */
void tap_close(const int *fds, size_t n);

#endif
