/* Who has started the daemon, if it is a service manager such as systemd: what
 * it is told (sd_notify(3)), and what it keeps for us beyond our end.
 *
 * That is copies of the sockets of upcalls.  A Netlink port id that nobody has
 * is for anybody to take, without privilege: once a daemon is dead, whoever
 * takes one of its would be sent what containers send and no flow is for.  As
 * long as the manager has the sockets (FileDescriptorStoreMax=), nobody can.
 * The next daemon is given them (sd_listen_fds(3)), with all that came
 * meanwhile.
 */
#ifndef FDP_GLUE_MANAGER_H
#define FDP_GLUE_MANAGER_H 1

#include <stddef.h>
#include <stdint.h>

/* A Netlink socket and the port id that it is bound to. */
struct manager_socket {
	int fd;
	uint32_t port_id;
};

/* Of what the manager has kept: '*sockets', for the caller to free; what is no
 * such socket is closed.  To be called once, before anything is opened. */
size_t manager_inherit(struct manager_socket **sockets);

/* "READY=1" and the like.  Nothing, where there is no manager. */
void manager_tell(const char *state);

/* Has it keep the socket, or no more. */
void manager_keep(const struct manager_socket *);
void manager_release(const struct manager_socket *);

#endif
