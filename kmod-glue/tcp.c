#include "kmod-glue/tcp.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hash.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "util.h"

#include "kmod-glue/clock.h"
#include "kmod-glue/sockaddr.h"

enum {
	EPOLL_BATCH = 64,
	ACCEPT_BATCH = 16,
	READ_BYTES = 64 * 1024, /* Per connection and turn. */
	KEEPALIVE_IDLE_S = 10,
	KEEPALIVE_INTERVAL_S = 5,
	KEEPALIVE_PROBES = 2,
	SEGMENT_BYTES = 1220, /* Fits into 1,280 bytes (RFC 8200 5). */
	HELD_MAX = 16 /* Connections that send in one step; more do not wait. */
};

enum conn_state {
	CONN_CONNECTING,
	CONN_OPEN,
	CONN_FAILED,  /* EVENT_CLOSED is due; no descriptor any more. */
	CONN_CLOSING, /* By tcp_close(); its number means nothing now. */
	CONN_GARBAGE  /* To be freed at the end of tcp_run(). */
};

struct conn {
	enum conn_state state;
	uint32_t id;
	int fd;			/* -1 from CONN_FAILED on. */
	uint32_t interest;	/* EPOLL* that are asked for. */
	struct hmap_node by_id; /* Until CONN_CLOSING or CONN_GARBAGE. */
	struct ovs_list node;	/* In tcp's list of its state. */
	struct wbuf queue;
	int error;	      /* CONN_FAILED. */
	bool write_shut;      /* CONN_CLOSING: everything is sent. */
	uint64_t deadline_us; /* CONN_CLOSING. */
};

struct tcp {
	int epoll_fd;
	int listen_fd;
	struct ip_addr listen;
	uint16_t port;
	uint32_t next_id;	  /* Even. */
	bool deaf;		  /* By tcp_accept(). */
	uint64_t accept_again_us; /* 0: not for want of descriptors. */
	struct hmap conns;	  /* Those that the caller knows. */
	struct ovs_list quiet;	  /* CONN_CONNECTING, CONN_OPEN. */
	struct ovs_list failed;
	struct ovs_list closing; /* Oldest first. */
	size_t n_closing;
	struct ovs_list garbage;
	bool holding; /* Between tcp_hold() and tcp_release(). */
	uint32_t held[HELD_MAX];
	size_t n_held;
	uint8_t buf[READ_BYTES];
};

static struct ip_endpoint local_of(int fd)
{
	union sockaddr_any local;
	socklen_t size = sizeof local;

	memset(&local, 0, sizeof local);
	if (getsockname(fd, &local.sa, &size)) {
		memset(&local, 0, sizeof local);
	}
	return sockaddr_get(&local);
}

static void set_option(int fd, int level, int option, int value)
{
	/* What these options improve works without them too. */
	(void)!setsockopt(fd, level, option, &value, sizeof value);
}

static void tune(int fd)
{
	/* It has to get through where larger packets vanish without a word, as
	 * that is found out over it. */
	set_option(fd, IPPROTO_TCP, TCP_MAXSEG, SEGMENT_BYTES);
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MS);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

/* A listening socket on one address; -1 with errno. */
static int listen_on(const union sockaddr_any *addr, socklen_t size)
{
	int fd = socket(addr->sa.sa_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0) {
		return -1;
	}
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	set_option(fd, IPPROTO_TCP, TCP_MAXSEG, SEGMENT_BYTES);
	if (addr->sa.sa_family == AF_INET6) {
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	}
	if (!bind(fd, &addr->sa, size) && !listen(fd, SOMAXCONN)) {
		return fd;
	}
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static int open_listener(const struct ip_addr *listen, uint16_t port)
{
	union sockaddr_any addr;
	socklen_t size;
	int fd;

	/* Zero is the IPv6 wildcard, which takes IPv4 as well. */
	size = sockaddr_put(&addr, listen, port);
	fd = listen_on(&addr, size);
	if (fd < 0 && ip_is_zero(listen) &&
	    (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
		/* A kernel without IPv6. */
		static const uint8_t any[4];
		struct ip_addr any4 = ip_from_v4(any);

		size = sockaddr_put(&addr, &any4, port);
		fd = listen_on(&addr, size);
	}
	return fd;
}

int tcp_open(const struct ip_addr *listen, uint16_t port, struct tcp **tcpp,
	     struct ds *why)
{
	struct epoll_event event = {.events = EPOLLIN};
	char buf[IP_STRLEN];
	struct tcp *tcp;
	int epoll_fd;
	int fd;

	fd = open_listener(listen, port);
	if (fd < 0) {
		int error = errno;

		ds_put_format(why, "cannot listen on TCP port %u", port);
		if (!ip_is_zero(listen)) {
			ds_put_format(why, " of %s", ip_format(listen, buf));
		}
		ds_put_format(why, " (%s)%s", ovs_strerror(error),
			      error == EADDRINUSE
				      ? "; is another fdpd running?  --port "
					"and --listen choose another"
			      : error == EADDRNOTAVAIL
				      ? "; --listen needs an address of this "
					"host"
				      : "");
		return error;
	}
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
		int error = errno;

		ds_put_format(why, "epoll: %s", ovs_strerror(error));
		if (epoll_fd >= 0) {
			close(epoll_fd);
		}
		close(fd);
		return error;
	}
	tcp = xzalloc(sizeof *tcp);
	tcp->epoll_fd = epoll_fd;
	tcp->listen_fd = fd;
	tcp->listen = *listen;
	tcp->port = local_of(fd).port;
	tcp->next_id = 2;
	hmap_init(&tcp->conns);
	ovs_list_init(&tcp->quiet);
	ovs_list_init(&tcp->failed);
	ovs_list_init(&tcp->closing);
	ovs_list_init(&tcp->garbage);
	*tcpp = tcp;
	return 0;
}

uint16_t tcp_port(const struct tcp *tcp)
{
	return tcp->port;
}

int tcp_fd(const struct tcp *tcp)
{
	return tcp->epoll_fd;
}

size_t tcp_n_conns(const struct tcp *tcp)
{
	return hmap_count(&tcp->conns);
}

size_t tcp_n_lingering(const struct tcp *tcp)
{
	return tcp->n_closing;
}

uint64_t tcp_deadline(const struct tcp *tcp)
{
	uint64_t deadline = UINT64_MAX;

	if (!ovs_list_is_empty(&tcp->failed)) {
		return 0;
	}
	if (!ovs_list_is_empty(&tcp->closing)) {
		const struct conn *conn = CONTAINER_OF(
			ovs_list_front(&tcp->closing), struct conn, node);

		deadline = conn->deadline_us;
	}
	if (tcp->accept_again_us && tcp->accept_again_us < deadline) {
		deadline = tcp->accept_again_us;
	}
	return deadline;
}

static uint32_t hash_id(uint32_t id)
{
	return hash_int(id, 0);
}

static struct conn *find(const struct tcp *tcp, uint32_t id)
{
	struct conn *conn;

	HMAP_FOR_EACH_WITH_HASH (conn, by_id, hash_id(id), &tcp->conns) {
		if (conn->id == id) {
			return conn;
		}
	}
	return NULL;
}

static struct conn *conn_new(struct tcp *tcp, uint32_t id, int fd,
			     enum conn_state state)
{
	struct conn *conn = xzalloc(sizeof *conn);

	conn->state = state;
	conn->id = id;
	conn->fd = fd;
	wbuf_init(&conn->queue, TCP_QUEUE_MAX);
	hmap_insert(&tcp->conns, &conn->by_id, hash_id(id));
	ovs_list_push_back(&tcp->quiet, &conn->node);
	return conn;
}

/* Lets go of the descriptor, after which there may be room to accept. */
static void conn_close_fd(struct tcp *tcp, struct conn *conn)
{
	if (conn->fd >= 0) {
		close(conn->fd);
		conn->fd = -1;
		if (tcp->accept_again_us) {
			tcp->accept_again_us = 1;
		}
	}
}

/* Its memory stays until the end of tcp_run(): the current batch of epoll may
 * still point to it. */
static void conn_discard(struct tcp *tcp, struct conn *conn)
{
	conn_close_fd(tcp, conn);
	if (conn->state == CONN_CLOSING) {
		tcp->n_closing--;
	} else {
		hmap_remove(&tcp->conns, &conn->by_id);
	}
	conn->state = CONN_GARBAGE;
	wbuf_free(&conn->queue);
	ovs_list_remove(&conn->node);
	ovs_list_push_back(&tcp->garbage, &conn->node);
}

/* 'error' 0 is the other side's regular end. */
static void conn_fail(struct tcp *tcp, struct conn *conn, int error)
{
	if (conn->state == CONN_CLOSING) {
		conn_discard(tcp, conn);
		return;
	}
	conn_close_fd(tcp, conn);
	conn->state = CONN_FAILED;
	conn->error = error;
	wbuf_free(&conn->queue);
	ovs_list_remove(&conn->node);
	ovs_list_push_back(&tcp->failed, &conn->node);
}

static bool conn_watch(struct tcp *tcp, struct conn *conn, uint32_t interest)
{
	struct epoll_event event = {.events = interest, .data.ptr = conn};
	int op = conn->interest ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (interest == conn->interest) {
		return true;
	}
	if (epoll_ctl(tcp->epoll_fd, op, conn->fd, &event)) {
		conn_fail(tcp, conn, errno);
		return false;
	}
	conn->interest = interest;
	return true;
}

/* Sends what the kernel takes; afterwards 'conn' may have failed. */
static void conn_flush(struct tcp *tcp, struct conn *conn)
{
	size_t sent = 0;

	while (sent < conn->queue.size) {
		ssize_t n = send(conn->fd, conn->queue.data + sent,
				 conn->queue.size - sent, MSG_NOSIGNAL);

		if (n >= 0) {
			sent += (size_t)n;
		} else if (errno == EAGAIN) {
			break;
		} else if (errno != EINTR) {
			conn_fail(tcp, conn, errno);
			return;
		}
	}
	wbuf_pull(&conn->queue, sent);
	if (!conn_watch(tcp, conn,
			conn->queue.size ? EPOLLIN | EPOLLOUT : EPOLLIN)) {
		return;
	}
	if (conn->state == CONN_CLOSING && !conn->queue.size &&
	    !conn->write_shut) {
		/* Reading on until the other side closes, because closing
		 * with unread data sends a reset, which can destroy what the
		 * other side has not read yet (RFC 1122 4.2.2.13). */
		conn->write_shut = true;
		if (shutdown(conn->fd, SHUT_WR)) {
			conn_discard(tcp, conn);
		}
	}
}

void tcp_dial(struct tcp *tcp, uint32_t id, const struct ip_endpoint *remote)
{
	union sockaddr_any addr;
	socklen_t size = sockaddr_put(&addr, &remote->ip, remote->port);
	struct conn *conn;
	int error = 0;

	ovs_assert(id & 1 && !find(tcp, id));
	conn = conn_new(tcp, id, -1, CONN_CONNECTING);
	conn->fd = socket(addr.sa.sa_family,
			  SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (conn->fd < 0) {
		conn_fail(tcp, conn, errno);
		return;
	}
	tune(conn->fd);
	if (!ip_is_zero(&tcp->listen) &&
	    ip_is_v4(&tcp->listen) == ip_is_v4(&remote->ip)) {
		union sockaddr_any from;
		socklen_t from_size = sockaddr_put(&from, &tcp->listen, 0);

		set_option(conn->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
		if (bind(conn->fd, &from.sa, from_size)) {
			error = errno;
		}
	}
	if (!error && connect(conn->fd, &addr.sa, size) &&
	    errno != EINPROGRESS) {
		error = errno;
	}
	if (error) {
		conn_fail(tcp, conn, error);
	} else {
		conn_watch(tcp, conn, EPOLLOUT);
	}
}

/* Notes that 'id' has something to send at the end; false: it must not wait. */
static bool hold(struct tcp *tcp, uint32_t id)
{
	if (!tcp->holding) {
		return false;
	}
	for (size_t i = 0; i < tcp->n_held; i++) {
		if (tcp->held[i] == id) {
			return true;
		}
	}
	if (tcp->n_held == HELD_MAX) {
		return false;
	}
	tcp->held[tcp->n_held++] = id;
	return true;
}

void tcp_hold(struct tcp *tcp)
{
	tcp->holding = true;
}

void tcp_release(struct tcp *tcp)
{
	tcp->holding = false;
	while (tcp->n_held) {
		struct conn *conn = find(tcp, tcp->held[--tcp->n_held]);

		if (conn && conn->state == CONN_OPEN &&
		    conn->interest == EPOLLIN) {
			conn_flush(tcp, conn);
		}
	}
}

void tcp_send(struct tcp *tcp, uint32_t id, struct span bytes)
{
	struct conn *conn = find(tcp, id);

	if (!conn || conn->state == CONN_FAILED) {
		return;
	}
	wbuf_bytes(&conn->queue, bytes.data, bytes.size);
	if (conn->state == CONN_OPEN && conn->interest == EPOLLIN &&
	    !hold(tcp, id)) {
		conn_flush(tcp, conn);
	}
	if (conn->state != CONN_FAILED && wbuf_done(&conn->queue)) {
		conn_fail(tcp, conn, ENOBUFS);
	}
}

void tcp_close(struct tcp *tcp, uint32_t id)
{
	struct conn *conn = find(tcp, id);

	if (!conn) {
		return;
	}
	if (conn->state != CONN_OPEN) {
		conn_discard(tcp, conn);
		return;
	}
	while (tcp->n_closing >= TCP_LINGER_MAX) {
		conn_discard(tcp, CONTAINER_OF(ovs_list_front(&tcp->closing),
					       struct conn, node));
	}
	hmap_remove(&tcp->conns, &conn->by_id);
	ovs_list_remove(&conn->node);
	conn->state = CONN_CLOSING;
	conn->deadline_us = clock_boottime_us() + TCP_LINGER_US;
	ovs_list_push_back(&tcp->closing, &conn->node);
	tcp->n_closing++;
	conn_flush(tcp, conn);
}

static void watch_listener(struct tcp *tcp)
{
	bool off = tcp->deaf || tcp->accept_again_us;
	struct epoll_event event = {.events = off ? 0 : EPOLLIN};

	(void)!epoll_ctl(tcp->epoll_fd, EPOLL_CTL_MOD, tcp->listen_fd, &event);
}

static void pause_accepting(struct tcp *tcp, bool pause)
{
	tcp->accept_again_us = pause ? clock_boottime_us() + TCP_PAUSE_US : 0;
	watch_listener(tcp);
}

void tcp_accept(struct tcp *tcp, bool accept)
{
	if (tcp->deaf == accept) {
		tcp->deaf = !accept;
		watch_listener(tcp);
	}
}

static uint32_t next_id(struct tcp *tcp)
{
	uint32_t id;

	do {
		id = tcp->next_id;
		tcp->next_id += 2;
	} while (!id || find(tcp, id));
	return id;
}

static void run_listener(struct tcp *tcp, tcp_event_cb *cb, void *aux)
{
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		struct event event = {.type = EVENT_ACCEPTED};
		union sockaddr_any remote;
		socklen_t size = sizeof remote;
		struct conn *conn;
		int fd;

		fd = accept4(tcp->listen_fd, &remote.sa, &size,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			/* Out of descriptors or memory: trying again at once
			 * would only burn the CPU.  All else concerns the one
			 * connection that did not come to be (accept(2)). */
			if (errno == EMFILE || errno == ENFILE ||
			    errno == ENOBUFS || errno == ENOMEM) {
				pause_accepting(tcp, true);
			}
			return;
		}
		tune(fd);
		conn = conn_new(tcp, next_id(tcp), fd, CONN_OPEN);
		event.conn = conn->id;
		event.accepted.local = local_of(fd);
		event.accepted.remote = sockaddr_get(&remote);
		if (conn_watch(tcp, conn, EPOLLIN)) {
			cb(aux, &event);
		} else {
			/* Nobody has heard of it yet. */
			conn_discard(tcp, conn);
		}
	}
}

static void run_connecting(struct tcp *tcp, struct conn *conn, tcp_event_cb *cb,
			   void *aux)
{
	struct event event = {.type = EVENT_DIALED, .conn = conn->id};
	union sockaddr_any remote = {.sa = {0}};
	socklen_t size = sizeof remote;
	int error = 0;
	socklen_t error_size = sizeof error;

	if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &error_size)) {
		error = errno;
	}
	if (!error && getpeername(conn->fd, &remote.sa, &size)) {
		error = errno;
	}
	if (error) {
		conn_fail(tcp, conn, error);
		return;
	}
	conn->state = CONN_OPEN;
	conn_flush(tcp, conn);
	if (conn->state == CONN_OPEN) {
		event.accepted.local = local_of(conn->fd);
		event.accepted.remote = sockaddr_get(&remote);
		cb(aux, &event);
	}
}

/* Has the other side closed, behind what was read?  Who waits for us on a busy
 * host may have given up long ago. */
static bool is_over(const struct conn *conn)
{
	char next;
	ssize_t n = recv(conn->fd, &next, 1, MSG_PEEK);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void run_reading(struct tcp *tcp, struct conn *conn, tcp_event_cb *cb,
			void *aux)
{
	ssize_t n = recv(conn->fd, tcp->buf, sizeof tcp->buf, 0);

	if (n > 0) {
		struct event event = {.type = EVENT_DATA, .conn = conn->id};

		if (conn->state == CONN_OPEN) {
			event.bytes = span_of(tcp->buf, (size_t)n);
			event.gone = is_over(conn);
			cb(aux, &event);
		}
	} else if (n == 0) {
		conn_fail(tcp, conn, 0);
	} else if (errno != EAGAIN && errno != EINTR) {
		conn_fail(tcp, conn, errno);
	}
}

static void run_conn(struct tcp *tcp, struct conn *conn, uint32_t events,
		     tcp_event_cb *cb, void *aux)
{
	if (conn->state == CONN_CONNECTING) {
		run_connecting(tcp, conn, cb, aux);
		return;
	}
	if (events & EPOLLOUT &&
	    (conn->state == CONN_OPEN || conn->state == CONN_CLOSING)) {
		conn_flush(tcp, conn);
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) &&
	    (conn->state == CONN_OPEN || conn->state == CONN_CLOSING)) {
		run_reading(tcp, conn, cb, aux);
	}
}

static void report_failed(struct tcp *tcp, tcp_event_cb *cb, void *aux)
{
	/* What fails meanwhile waits for the next turn. */
	size_t n = ovs_list_size(&tcp->failed);

	while (n-- && !ovs_list_is_empty(&tcp->failed)) {
		struct conn *conn = CONTAINER_OF(ovs_list_front(&tcp->failed),
						 struct conn, node);
		struct event event = {.type = EVENT_CLOSED,
				      .conn = conn->id,
				      .os_errno = conn->error};

		conn_discard(tcp, conn);
		cb(aux, &event);
	}
}

static void collect_garbage(struct tcp *tcp)
{
	struct conn *conn;

	LIST_FOR_EACH_POP (conn, node, &tcp->garbage) {
		wbuf_free(&conn->queue);
		free(conn);
	}
}

void tcp_run(struct tcp *tcp, tcp_event_cb *cb, void *aux)
{
	struct epoll_event events[EPOLL_BATCH];
	uint64_t now_us = clock_boottime_us();
	int n;

	if (tcp->accept_again_us && tcp->accept_again_us <= now_us) {
		pause_accepting(tcp, false);
	}
	while (!ovs_list_is_empty(&tcp->closing)) {
		struct conn *conn = CONTAINER_OF(ovs_list_front(&tcp->closing),
						 struct conn, node);

		if (conn->deadline_us > now_us) {
			break;
		}
		conn_discard(tcp, conn);
	}
	n = epoll_wait(tcp->epoll_fd, events, EPOLL_BATCH, 0);
	for (int i = 0; i < n; i++) {
		if (!events[i].data.ptr) {
			run_listener(tcp, cb, aux);
		} else {
			run_conn(tcp, events[i].data.ptr, events[i].events, cb,
				 aux);
		}
	}
	report_failed(tcp, cb, aux);
	collect_garbage(tcp);
}

void tcp_free(struct tcp *tcp)
{
	struct conn *conn, *next;

	if (!tcp) {
		return;
	}
	HMAP_FOR_EACH_SAFE (conn, next, by_id, &tcp->conns) {
		conn_discard(tcp, conn);
	}
	while (!ovs_list_is_empty(&tcp->closing)) {
		conn_discard(tcp, CONTAINER_OF(ovs_list_front(&tcp->closing),
					       struct conn, node));
	}
	collect_garbage(tcp);
	hmap_destroy(&tcp->conns);
	close(tcp->listen_fd);
	close(tcp->epoll_fd);
	free(tcp);
}
