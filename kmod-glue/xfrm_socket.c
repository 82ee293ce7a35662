#include "kmod-glue/xfrm_socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <sodium.h>

#include "netlink/nlmsg.h"
#include "util.h"

enum {
	MAX_BATCH = 64, /* The kernel's answers to it fit a default queue. */
	/* A dump is cut to the size of the largest read so far, so read large
	 * from the start (netlink_recvmsg(), max_recvmsg_len). */
	RECEIVE_SIZE = 64 * 1024,
	TEXT_SIZE = 160,
	MONITOR_QUEUE_SIZE = 4 * 1024 * 1024
};

struct xfrm_socket {
	struct mnl_socket *nl;
	uint32_t seq; /* Of the last message sent. */
	struct wbuf out;
	uint8_t *in; /* RECEIVE_SIZE bytes. */
};

/* Opens a Netlink socket that explains its errors and does not return our
 * requests, keys and all, with them. */
static int open_netlink(struct mnl_socket **nlp)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_XFRM, SOCK_CLOEXEC);
	int on = 1;

	if (!nl) {
		return errno;
	}
	(void)mnl_socket_setsockopt(nl, NETLINK_EXT_ACK, &on, sizeof on);
	(void)mnl_socket_setsockopt(nl, NETLINK_CAP_ACK, &on, sizeof on);
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		int error = errno;

		mnl_socket_close(nl);
		return error;
	}
	*nlp = nl;
	return 0;
}

int xfrm_socket_open(struct xfrm_socket **sockp)
{
	struct mnl_socket *nl = NULL;
	struct xfrm_socket *sock;
	int error = open_netlink(&nl);

	if (error) {
		return error;
	}
	sock = xzalloc(sizeof *sock);
	sock->nl = nl;
	wbuf_init(&sock->out, 0);
	sock->in = xmalloc(RECEIVE_SIZE);
	*sockp = sock;
	return 0;
}

void xfrm_socket_close(struct xfrm_socket *sock)
{
	if (sock) {
		mnl_socket_close(sock->nl);
		wbuf_free(&sock->out);
		free(sock->in);
		free(sock);
	}
}

/* Sends what was built and forgets it for good. */
static int send_out(struct xfrm_socket *sock)
{
	ssize_t n = mnl_socket_sendto(sock->nl, sock->out.data, sock->out.size);
	int error = n < 0 ? errno : 0;

	sodium_memzero(sock->out.data, sock->out.size);
	wbuf_clear(&sock->out);
	return error;
}

/* One datagram of answers; whoever reads it wipes it. */
static int receive(struct xfrm_socket *sock, size_t *size)
{
	ssize_t n;

	do {
		n = mnl_socket_recvfrom(sock->nl, sock->in, RECEIVE_SIZE);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		return errno; /* ENOSPC: cut short (MSG_TRUNC). */
	}
	*size = (size_t)n;
	return 0;
}

static void put_change(struct wbuf *b, uint32_t seq, uint16_t flags,
		       const struct xfrm_change *change)
{
	switch (change->type) {
	case XFRM_CHANGE_SA_ADD:
		xfrm_put_sa(b, seq, flags, change->sa);
		break;
	case XFRM_CHANGE_SA_DEL:
		xfrm_put_sa_del(b, seq, flags, &change->sa->dst,
				change->sa->spi);
		break;
	case XFRM_CHANGE_POLICY_PUT:
		xfrm_put_policy(b, seq, flags, change->policy, true);
		break;
	case XFRM_CHANGE_POLICY_DEL:
		xfrm_put_policy_del(b, seq, flags, change->policy);
		break;
	}
}

/* To delete what is gone is no failure: xfrm_del_sa() says ESRCH then,
 * xfrm_get_policy() ENOENT. */
static bool is_success(enum xfrm_change_type type, int error)
{
	return !error || (type == XFRM_CHANGE_SA_DEL && error == ESRCH) ||
	       (type == XFRM_CHANGE_POLICY_DEL && error == ENOENT);
}

struct result {
	int error;
	char text[TEXT_SIZE];
};

static void get_result(const struct nlmsghdr *nlh, struct result *result)
{
	if (nlmsg_get_error(span_of(nlh, nlh->nlmsg_len), &result->error,
			    result->text, sizeof result->text)) {
		result->error = EPROTO;
	}
}

/* Reads answers until that to the last message, whose number is 'sock->seq';
 * the first is 'first'.  Only failures and the last message are answered. */
static int collect(struct xfrm_socket *sock, uint32_t first,
		   struct result *results)
{
	for (;;) {
		const struct nlmsghdr *nlh;
		bool last = false;
		size_t size = 0;
		int left, error = receive(sock, &size);

		if (error) {
			return error;
		}
		nlh = (const struct nlmsghdr *)(const void *)sock->in;
		for (left = (int)size; mnl_nlmsg_ok(nlh, left);
		     nlh = mnl_nlmsg_next(nlh, &left)) {
			uint32_t i = nlh->nlmsg_seq - first;

			/* Answers to an earlier, failed call are stale. */
			if (nlh->nlmsg_type == NLMSG_ERROR &&
			    i <= sock->seq - first) {
				get_result(nlh, &results[i]);
				last |= nlh->nlmsg_seq == sock->seq;
			}
		}
		if (last) {
			return 0;
		}
	}
}

static void run_batch(struct xfrm_socket *sock,
		      const struct xfrm_change *changes, size_t n,
		      struct result *results)
{
	uint32_t first = sock->seq + 1;
	int error;

	for (size_t i = 0; i < n; i++) {
		put_change(&sock->out, ++sock->seq, i + 1 == n ? NLM_F_ACK : 0,
			   &changes[i]);
	}
	error = send_out(sock);
	if (!error) {
		error = collect(sock, first, results);
	}
	for (size_t i = 0; i < n; i++) {
		if (error && !results[i].error) {
			results[i].error = error;
		}
		if (is_success(changes[i].type, results[i].error)) {
			results[i] = (struct result){.error = 0};
		}
	}
}

int xfrm_socket_change(struct xfrm_socket *sock,
		       const struct xfrm_change *changes, size_t n,
		       xfrm_result_cb *cb, void *aux)
{
	struct result results[MAX_BATCH];
	int first_error = 0;

	for (size_t done = 0; done < n;) {
		size_t batch = MIN(n - done, MAX_BATCH);

		memset(results, 0, sizeof results);
		run_batch(sock, changes + done, batch, results);
		for (size_t i = 0; i < batch; i++) {
			if (!first_error) {
				first_error = results[i].error;
			}
			if (cb) {
				cb(aux, changes[done + i].cookie,
				   results[i].error, results[i].text);
			}
		}
		done += batch;
	}
	return first_error;
}

struct text {
	char *at;
	size_t size;
};

static void copy_text(void *text_, uint64_t cookie OVS_UNUSED,
		      int error OVS_UNUSED, const char *text)
{
	struct text *to = text_;

	snprintf(to->at, to->size, "%s", text);
}

int xfrm_socket_change_one(struct xfrm_socket *sock,
			   const struct xfrm_change *change, char *text,
			   size_t text_size)
{
	struct text to = {text, text_size};

	return xfrm_socket_change(sock, change, 1, text ? copy_text : NULL,
				  &to);
}

/* Sends the dump request in 'sock->out' and hands each message to 'each'. */
static int dump(struct xfrm_socket *sock,
		void (*each)(void *aux, struct span msg), void *aux)
{
	int error = send_out(sock);
	bool done = false;

	while (!error && !done) {
		const struct nlmsghdr *nlh;
		struct result result = {.error = 0};
		size_t size = 0;
		int left;

		error = receive(sock, &size);
		if (error) {
			break;
		}
		nlh = (const struct nlmsghdr *)(const void *)sock->in;
		for (left = (int)size; !done && mnl_nlmsg_ok(nlh, left);
		     nlh = mnl_nlmsg_next(nlh, &left)) {
			if (nlh->nlmsg_seq != sock->seq) {
				continue; /* Stale. */
			}
			if (nlh->nlmsg_type == NLMSG_DONE) {
				done = true;
			} else if (nlh->nlmsg_type == NLMSG_ERROR) {
				get_result(nlh, &result);
				error = result.error;
				done = true;
			} else {
				each(aux, span_of(nlh, nlh->nlmsg_len));
			}
		}
		sodium_memzero(sock->in, size);
	}
	return error;
}

struct dump_aux {
	bool ours_only;
	xfrm_sa_cb *sa_cb;
	xfrm_policy_cb *policy_cb;
	void *aux;
};

static void each_sa(void *aux_, struct span msg)
{
	const struct dump_aux *aux = aux_;
	struct xfrm_sa sa;

	if (!xfrm_get_sa(msg, &sa) &&
	    (!aux->ours_only || xfrm_sa_is_ours(&sa))) {
		aux->sa_cb(aux->aux, &sa);
	}
}

static void each_policy(void *aux_, struct span msg)
{
	const struct dump_aux *aux = aux_;
	struct xfrm_policy policy;

	if (!xfrm_get_policy(msg, &policy) &&
	    (!aux->ours_only || xfrm_policy_is_ours(&policy))) {
		aux->policy_cb(aux->aux, &policy);
	}
}

int xfrm_socket_dump_sas(struct xfrm_socket *sock, bool ours_only,
			 xfrm_sa_cb *cb, void *aux)
{
	struct dump_aux d = {.ours_only = ours_only, .sa_cb = cb, .aux = aux};

	xfrm_put_sa_dump(&sock->out, ++sock->seq);
	return dump(sock, each_sa, &d);
}

struct one_sa {
	bool found;
	struct xfrm_sa sa;
};

static void take_one(void *one_, struct span msg)
{
	struct one_sa *one = one_;

	one->found |= !xfrm_get_sa(msg, &one->sa);
}

int xfrm_socket_get_sa(struct xfrm_socket *sock, const struct ip_addr *dst,
		       uint32_t spi, struct xfrm_sa *sa)
{
	struct one_sa one = {.found = false};
	int error;

	/* It comes as the one object of a dump, ended by the
	 * acknowledgement. */
	xfrm_put_sa_get(&sock->out, ++sock->seq, NLM_F_ACK, dst, spi);
	error = dump(sock, take_one, &one);
	if (!error && !one.found) {
		error = ESRCH;
	}
	if (!error) {
		*sa = one.sa;
	}
	return error;
}

int xfrm_socket_dump_policies(struct xfrm_socket *sock, bool ours_only,
			      xfrm_policy_cb *cb, void *aux)
{
	struct dump_aux d = {
		.ours_only = ours_only, .policy_cb = cb, .aux = aux};

	xfrm_put_policy_dump(&sock->out, ++sock->seq);
	return dump(sock, each_policy, &d);
}

/* An SA and policy that no packet can meet: port 9 is discard. */
static int probe_family(struct xfrm_socket *sock, bool v6, char *text,
			size_t text_size)
{
	static const uint8_t v4[2][4] = {{192, 0, 2, 1}, {192, 0, 2, 2}};
	static const uint8_t doc6[2][16] = {{0x20, 0x01, 0x0d, 0xb8, [15] = 1},
					    {0x20, 0x01, 0x0d, 0xb8, [15] = 2}};
	struct xfrm_sa sa = {
		.src = v6 ? ip_from_v6(doc6[0]) : ip_from_v4(v4[0]),
		.dst = v6 ? ip_from_v6(doc6[1]) : ip_from_v4(v4[1]),
		.spi = XFRM_REQID_BASE,
		.reqid = XFRM_REQID_BASE,
		.udp_port = 9,
		.replay_window = 1024,
	};
	struct xfrm_policy policy = {
		.dir = XFRM_DIR_OUT,
		.src = sa.src,
		.dst = sa.dst,
		.v6 = v6,
		.udp_port = sa.udp_port,
		.priority = XFRM_PRIORITY_PEER,
		.reqid = sa.reqid,
	};
	const struct xfrm_change sa_add = {.type = XFRM_CHANGE_SA_ADD,
					   .sa = &sa};
	const struct xfrm_change sa_del = {.type = XFRM_CHANGE_SA_DEL,
					   .sa = &sa};
	const struct xfrm_change put = {.type = XFRM_CHANGE_POLICY_PUT,
					.policy = &policy};
	const struct xfrm_change del = {.type = XFRM_CHANGE_POLICY_DEL,
					.policy = &policy};
	int error;

	if (getrandom(sa.key, sizeof sa.key, 0) != (ssize_t)sizeof sa.key) {
		return errno;
	}
	/* One may be left of a probe that was killed. */
	(void)xfrm_socket_change_one(sock, &sa_del, NULL, 0);
	error = xfrm_socket_change_one(sock, &sa_add, text, text_size);
	sodium_memzero(sa.key, sizeof sa.key);
	if (error) {
		return error;
	}
	error = xfrm_socket_change_one(sock, &put, text, text_size);
	if (!error) {
		error = xfrm_socket_change_one(sock, &del, text, text_size);
	}
	(void)xfrm_socket_change_one(sock, &sa_del, NULL, 0);
	return error;
}

int xfrm_probe(struct xfrm_socket *sock, char *text, size_t text_size)
{
	for (int v6 = 0; v6 <= 1; v6++) {
		char why[TEXT_SIZE] = "";
		int error = probe_family(sock, v6, why, sizeof why);

		if (error == EPERM) {
			snprintf(text, text_size,
				 "IPsec needs CAP_NET_ADMIN: run as root");
		} else if (error) {
			snprintf(text, text_size,
				 "the kernel cannot do ESP with AES-GCM over "
				 "IPv%d: %s%s%s; load the modules esp%d, gcm "
				 "and seqiv",
				 v6 ? 6 : 4, strerror(error),
				 why[0] ? ": " : "", why, v6 ? 6 : 4);
		}
		if (error) {
			return error;
		}
	}
	return 0;
}

/* Listener. */

struct xfrm_monitor {
	struct mnl_socket *nl;
	uint8_t *in; /* RECEIVE_SIZE bytes. */
};

int xfrm_monitor_open(struct xfrm_monitor **monitorp)
{
	static const int groups[] = {XFRMNLGRP_EXPIRE, XFRMNLGRP_SA,
				     XFRMNLGRP_POLICY};
	struct mnl_socket *nl =
		mnl_socket_open2(NETLINK_XFRM, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int size = MONITOR_QUEUE_SIZE;
	struct xfrm_monitor *monitor;

	if (!nl) {
		return errno;
	}
	/* A rekey of many peers comes in bursts. */
	(void)setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVBUFFORCE,
			 &size, sizeof size);
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		goto error;
	}
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		int group = groups[i];

		if (mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP, &group,
					  sizeof group) < 0) {
			goto error;
		}
	}
	monitor = xzalloc(sizeof *monitor);
	monitor->nl = nl;
	monitor->in = xmalloc(RECEIVE_SIZE);
	*monitorp = monitor;
	return 0;
error:;
	int error = errno;

	mnl_socket_close(nl);
	return error;
}

void xfrm_monitor_close(struct xfrm_monitor *monitor)
{
	if (monitor) {
		mnl_socket_close(monitor->nl);
		free(monitor->in);
		free(monitor);
	}
}

int xfrm_monitor_fd(const struct xfrm_monitor *monitor)
{
	return mnl_socket_get_fd(monitor->nl);
}

static void dispatch(struct xfrm_monitor *monitor, size_t size,
		     xfrm_event_cb *cb, void *aux)
{
	const struct nlmsghdr *nlh =
		(const struct nlmsghdr *)(const void *)monitor->in;

	for (int left = (int)size; mnl_nlmsg_ok(nlh, left);
	     nlh = mnl_nlmsg_next(nlh, &left)) {
		struct xfrm_event event;

		if (!xfrm_get_event(span_of(nlh, nlh->nlmsg_len), &event)) {
			cb(aux, &event);
		}
	}
}

int xfrm_monitor_run(struct xfrm_monitor *monitor, xfrm_event_cb *cb, void *aux)
{
	for (;;) {
		ssize_t n = mnl_socket_recvfrom(monitor->nl, monitor->in,
						RECEIVE_SIZE);

		if (n >= 0) {
			dispatch(monitor, (size_t)n, cb, aux);
			/* The kernel tells the listeners the keys, too. */
			sodium_memzero(monitor->in, (size_t)n);
		} else if (errno == EAGAIN) {
			return 0;
		} else if (errno == ENOBUFS || errno == ENOSPC) {
			const struct xfrm_event lost = {
				.type = XFRM_EVENT_LOST};

			cb(aux, &lost);
		} else if (errno != EINTR) {
			return errno;
		}
	}
}
