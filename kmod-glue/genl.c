#include "kmod-glue/genl.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>

#include "netlink/nlmsg.h"
#include "netlink/odp.h"
#include "util.h"

enum {
	SEND_BUFFER_BYTES = 1024 * 1024,
	ANSWER_TIMEOUT_S = 5
};

static int set_buffer(int fd, int forced, int plain, int bytes)
{
	if (!setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof bytes) ||
	    !setsockopt(fd, SOL_SOCKET, plain, &bytes, sizeof bytes)) {
		return 0;
	}
	return errno;
}

static int set_up(struct genl *g, int rcvbuf_bytes)
{
	struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
	int on = 1;
	int error;

	if (mnl_socket_bind(g->nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		return errno;
	}
	g->fd = mnl_socket_get_fd(g->nl);
	g->pid = mnl_socket_get_portid(g->nl);
	/* Errors with a text and without our own request repeated in them.  A
	 * kernel without either still says the number. */
	(void)mnl_socket_setsockopt(g->nl, NETLINK_EXT_ACK, &on, sizeof on);
	(void)mnl_socket_setsockopt(g->nl, NETLINK_CAP_ACK, &on, sizeof on);
	if (setsockopt(g->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout,
		       sizeof timeout)) {
		return errno;
	}
	error = set_buffer(g->fd, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BUFFER_BYTES);
	return error ? error
		     : set_buffer(g->fd, SO_RCVBUFFORCE, SO_RCVBUF,
				  rcvbuf_bytes);
}

int genl_open(struct genl *g, int rcvbuf_bytes)
{
	int error;

	memset(g, 0, sizeof *g);
	g->nl = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!g->nl) {
		return errno;
	}
	g->buf = xmalloc(GENL_BUFFER_SIZE);
	wbuf_init(&g->tx, 0);
	error = set_up(g, rcvbuf_bytes);
	if (error) {
		genl_close(g);
	}
	return error;
}

void genl_close(struct genl *g)
{
	if (g->nl) {
		mnl_socket_close(g->nl);
	}
	free(g->buf);
	wbuf_free(&g->tx);
	memset(g, 0, sizeof *g);
}

uint32_t genl_seq(struct genl *g)
{
	/* 0 is what the kernel's own notifications carry. */
	if (!++g->seq) {
		g->seq = 1;
	}
	return g->seq;
}

struct wbuf *genl_request(struct genl *g)
{
	wbuf_clear(&g->tx);
	return &g->tx;
}

int genl_join(struct genl *g, uint32_t group)
{
	int number = (int)group;

	return mnl_socket_setsockopt(g->nl, NETLINK_ADD_MEMBERSHIP, &number,
				     sizeof number) < 0
		       ? errno
		       : 0;
}

uint16_t genl_type(struct span msg)
{
	struct nlmsghdr nlh;
	struct span rest;

	return nlmsg_read(msg, &nlh, &rest) ? 0 : nlh.nlmsg_type;
}

uint8_t genl_cmd(struct span msg)
{
	struct nlmsghdr nlh;
	struct genlmsghdr genl;

	if (nlmsg_read(msg, &nlh, &msg) ||
	    nlmsg_get_fixed(&msg, &genl, sizeof genl)) {
		return 0;
	}
	return genl.cmd;
}

static int send_all(struct genl *g, const void *data, size_t size)
{
	ssize_t n;

	do {
		n = mnl_socket_sendto(g->nl, data, size);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? errno : 0;
}

/* Reads one datagram into 'buf'.  libmnl answers ENOSPC to a truncated one. */
static int receive(struct genl *g, size_t *size)
{
	ssize_t n;

	do {
		n = mnl_socket_recvfrom(g->nl, g->buf, GENL_BUFFER_SIZE);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		return errno == EAGAIN ? ETIMEDOUT : errno;
	}
	*size = (size_t)n;
	return 0;
}

/* NLMSGERR_ATTR_MSG of an NLMSG_ERROR or NLMSG_DONE whose fixed part and
 * (unless capped) repeated request take 'skip' bytes. */
static void copy_text(const struct nlmsghdr *nlh, size_t skip, char *text)
{
	struct span attrs = span_of(mnl_nlmsg_get_payload(nlh),
				    mnl_nlmsg_get_payload_len(nlh));
	struct span skipped, value;
	uint16_t type;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS) ||
	    span_cut(&attrs, NLMSG_ALIGN(skip), &skipped)) {
		return;
	}
	while (attrs.size && !nlattr_get(&attrs, &type, &value)) {
		if (type == NLMSGERR_ATTR_MSG && value.size) {
			size_t size = MIN(value.size, GENL_TEXT_SIZE);

			memcpy(text, value.data, size);
			text[size - 1] = '\0';
			return;
		}
	}
}

/* The errno of an NLMSG_ERROR, 0 for an acknowledgement. */
static int error_of(const struct nlmsghdr *nlh, char text[GENL_TEXT_SIZE])
{
	struct span payload = span_of(mnl_nlmsg_get_payload(nlh),
				      mnl_nlmsg_get_payload_len(nlh));
	struct nlmsgerr e;
	size_t skip = sizeof e;

	text[0] = '\0';
	if (span_bytes(&payload, &e, sizeof e)) {
		return EPROTO;
	}
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED) && e.error &&
	    e.msg.nlmsg_len > sizeof e.msg) {
		skip += e.msg.nlmsg_len - sizeof e.msg;
	}
	copy_text(nlh, skip, text);
	return e.error > 0 ? EPROTO : -e.error;
}

/* The errno at the end of a dump. */
static int done_of(const struct nlmsghdr *nlh, char text[GENL_TEXT_SIZE])
{
	struct span payload = span_of(mnl_nlmsg_get_payload(nlh),
				      mnl_nlmsg_get_payload_len(nlh));
	int error;

	text[0] = '\0';
	if (span_bytes(&payload, &error, sizeof error)) {
		return 0;
	}
	copy_text(nlh, sizeof error, text);
	return error < 0 ? -error : 0;
}

struct answer {
	genl_visit *visit;
	void *aux;
	int error; /* The first thing that went wrong. */
	bool end;
};

static void take_answer(struct genl *g, const struct nlmsghdr *nlh,
			struct answer *a)
{
	int error;

	switch (nlh->nlmsg_type) {
	case NLMSG_NOOP:
		break;
	case NLMSG_ERROR:
		error = error_of(nlh, g->text);
		a->error = a->error ? a->error : error;
		a->end = true;
		break;
	case NLMSG_DONE:
		error = done_of(nlh, g->text);
		a->error = a->error ? a->error : error;
		a->end = true;
		break;
	default:
		if (a->visit && !a->error) {
			a->error =
				a->visit(span_of(nlh, nlh->nlmsg_len), a->aux);
		}
		break;
	}
}

/* Walks the messages of a datagram; 'seq' 0 takes those of any request. */
static void take_datagram(struct genl *g, size_t size, uint32_t seq,
			  struct answer *a)
{
	const struct nlmsghdr *nlh = (const void *)g->buf;
	int left = (int)size;

	for (; mnl_nlmsg_ok(nlh, left) && !a->end;
	     nlh = mnl_nlmsg_next(nlh, &left)) {
		if (!seq || nlh->nlmsg_seq == seq) {
			take_answer(g, nlh, a);
		}
	}
}

int genl_transact(struct genl *g, genl_visit *visit, void *aux)
{
	struct answer a = {.visit = visit, .aux = aux};
	uint32_t seq = g->seq;
	int error;

	g->text[0] = '\0';
	if (wbuf_done(&g->tx)) {
		return EMSGSIZE;
	}
	error = send_all(g, g->tx.data, g->tx.size);
	while (!error && !a.end) {
		size_t size = 0;

		error = receive(g, &size);
		if (!error) {
			take_datagram(g, size, seq, &a);
		}
	}
	return error ? error : a.error;
}

int genl_receive(struct genl *g, genl_visit *visit, void *aux)
{
	struct answer a = {.visit = visit, .aux = aux};
	ssize_t n;

	do {
		n = recv(g->fd, g->buf, GENL_BUFFER_SIZE,
			 MSG_DONTWAIT | MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		return errno;
	}
	if (n > GENL_BUFFER_SIZE) {
		return ENOBUFS;
	}
	take_datagram(g, (size_t)n, 0, &a);
	return a.error;
}

struct family {
	uint16_t id;
	uint32_t group;
};

static int take_family(struct span msg, void *aux)
{
	struct family *f = aux;

	return odp_get_family(msg, &f->id, &f->group) ? EPROTO : 0;
}

int genl_family(struct genl *g, const char *name, uint16_t *id,
		uint32_t *mcast_group)
{
	struct family f = {0};
	int error;

	odp_put_getfamily(genl_request(g), genl_seq(g), name);
	error = genl_transact(g, take_family, &f);
	if (!error && !f.id) {
		error = ENOENT;
	}
	if (!error) {
		*id = f.id;
		*mcast_group = f.group;
	}
	return error;
}

/* ---- batches ---------------------------------------------------------- */

void genl_batch_init(struct genl_batch *b)
{
	memset(b, 0, sizeof *b);
	wbuf_init(&b->buf, 0);
}

void genl_batch_clear(struct genl_batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		free(b->ops[i].text);
	}
	b->n = 0;
	wbuf_clear(&b->buf);
}

void genl_batch_free(struct genl_batch *b)
{
	genl_batch_clear(b);
	free(b->ops);
	wbuf_free(&b->buf);
	genl_batch_init(b);
}

void genl_batch_add(struct genl_batch *b, size_t start, uint32_t seq,
		    uint64_t cookie)
{
	struct genl_batch_op *op;

	if (b->n == b->allocated) {
		b->ops = x2nrealloc(b->ops, &b->allocated, sizeof *b->ops);
	}
	op = &b->ops[b->n++];
	*op = (struct genl_batch_op){
		.cookie = cookie,
		.seq = seq,
		.start = start,
		.size = b->buf.size - start,
	};
	if (b->buf.overflow) {
		b->buf.size = start;
		b->buf.overflow = false;
		op->size = 0;
		op->os_errno = EMSGSIZE;
	}
}

/* Ops that were sent together. */
struct chunk {
	struct genl_batch_op *ops;
	size_t n;
	uint32_t last; /* Sequence number of the one that is acknowledged. */
};

static void take_batch_answer(const struct nlmsghdr *nlh, struct chunk *c,
			      bool *end)
{
	char text[GENL_TEXT_SIZE];
	int error;

	if (nlh->nlmsg_type != NLMSG_ERROR) {
		return;
	}
	error = error_of(nlh, text);
	for (size_t i = 0; error && i < c->n; i++) {
		if (c->ops[i].size && c->ops[i].seq == nlh->nlmsg_seq) {
			c->ops[i].os_errno = error;
			free(c->ops[i].text);
			c->ops[i].text = text[0] ? xstrdup(text) : NULL;
		}
	}
	*end = nlh->nlmsg_seq == c->last;
}

static int read_batch_answers(struct genl *g, struct chunk *c)
{
	bool end = false;

	while (!end) {
		const struct nlmsghdr *nlh = (const void *)g->buf;
		size_t size = 0;
		int left;
		int error = receive(g, &size);

		if (error) {
			return error;
		}
		left = (int)size;
		for (; mnl_nlmsg_ok(nlh, left);
		     nlh = mnl_nlmsg_next(nlh, &left)) {
			take_batch_answer(nlh, c, &end);
		}
	}
	return 0;
}

/* Asks for the acknowledgement of the chunk's last message. */
static bool ask_for_ack(struct genl_batch *b, struct chunk *c)
{
	for (size_t i = c->n; i-- > 0;) {
		struct genl_batch_op *op = &c->ops[i];
		struct nlmsghdr nlh;

		if (op->size) {
			uint8_t *at = b->buf.data + op->start;

			memcpy(&nlh, at, sizeof nlh);
			nlh.nlmsg_flags |= NLM_F_ACK;
			memcpy(at, &nlh, sizeof nlh);
			c->last = op->seq;
			return true;
		}
	}
	return false;
}

static void send_chunk(struct genl *g, struct genl_batch *b, struct chunk *c,
		       size_t size)
{
	int error;

	if (!ask_for_ack(b, c)) {
		return;
	}
	error = send_all(g, b->buf.data + c->ops[0].start, size);
	if (!error) {
		error = read_batch_answers(g, c);
	}
	for (size_t i = 0; error && i < c->n; i++) {
		/* Those that answered have their own errno. */
		if (!c->ops[i].os_errno) {
			c->ops[i].os_errno = error;
		}
	}
}

struct span genl_batch_message(const struct genl_batch *b,
			       const struct genl_batch_op *op)
{
	return op->size ? span_of(b->buf.data + op->start, op->size)
			: span_of(NULL, 0);
}

void genl_batch_send(struct genl *g, struct genl_batch *b)
{
	for (size_t first = 0; first < b->n;) {
		struct chunk c = {.ops = b->ops + first};
		size_t size = 0;

		while (c.n < GENL_BATCH_MESSAGES && first + c.n < b->n &&
		       (!size || size + c.ops[c.n].size <= GENL_BATCH_BYTES)) {
			size += c.ops[c.n++].size;
		}
		send_chunk(g, b, &c, size);
		first += c.n;
	}
}
