/* kmod-glue/tcp: two ends in one process, over the loopback. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <check.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

#include "kmod-glue/clock.h"
#include "kmod-glue/tcp.h"

enum {
	PATIENCE_US = 20000000
};

/* One end and what it has seen. */
struct end {
	struct tcp *tcp;
	unsigned int n_dialed, n_accepted, n_closed;
	uint32_t conn; /* The latest. */
	int closed_errno;
	uint32_t closed_conn;
	struct ip_endpoint local, remote;
	struct wbuf data;
	bool gone; /* Its sender had closed behind the latest. */
	/* What to do inside the callback. */
	bool close_on_data;
	bool echo;
};

static struct end a, b;
static struct ds why;
static const struct ip_addr any;

static void on_event(void *aux, const struct event *event)
{
	struct end *end = aux;

	if (event->type == EVENT_DIALED || event->type == EVENT_ACCEPTED) {
		if (event->type == EVENT_DIALED) {
			end->n_dialed++;
		} else {
			end->n_accepted++;
		}
		end->conn = event->conn;
		end->local = event->accepted.local;
		end->remote = event->accepted.remote;
	} else if (event->type == EVENT_DATA) {
		wbuf_bytes(&end->data, event->bytes.data, event->bytes.size);
		end->gone = event->gone;
		if (end->echo) {
			tcp_send(end->tcp, event->conn, event->bytes);
		}
		if (end->close_on_data) {
			tcp_close(end->tcp, event->conn);
		}
	} else {
		ck_assert_int_eq(event->type, EVENT_CLOSED);
		end->n_closed++;
		end->closed_conn = event->conn;
		end->closed_errno = event->os_errno;
	}
}

static void open_end(struct end *end, const struct ip_addr *listen)
{
	memset(end, 0, sizeof *end);
	wbuf_init(&end->data, 0);
	ck_assert_msg(!tcp_open(listen, 0, &end->tcp, &why), "%s",
		      ds_cstr(&why));
}

static void setup(void)
{
	ds_init(&why);
	open_end(&a, &any);
	open_end(&b, &any);
}

static void teardown(void)
{
	tcp_free(a.tcp);
	tcp_free(b.tcp);
	wbuf_free(&a.data);
	wbuf_free(&b.data);
	ds_destroy(&why);
}

static void wait_for_work(void)
{
	struct pollfd fds[] = {{tcp_fd(a.tcp), POLLIN, 0},
			       {tcp_fd(b.tcp), POLLIN, 0}};
	uint64_t deadline = MIN(tcp_deadline(a.tcp), tcp_deadline(b.tcp));
	uint64_t now = clock_boottime_us();
	int timeout = 100;

	if (deadline <= now) {
		timeout = 0;
	} else if (deadline - now < 100000) {
		timeout = (int)((deadline - now) / 1000) + 1;
	}
	poll(fds, 2, timeout);
}

/* Runs both ends until 'COND' holds. */
#define RUN_UNTIL(COND)                                              \
	do {                                                         \
		uint64_t start_ = clock_boottime_us();               \
		while (!(COND)) {                                    \
			ck_assert_msg(clock_boottime_us() - start_ < \
					      PATIENCE_US,           \
				      "in vain: %s", #COND);         \
			wait_for_work();                             \
			tcp_run(a.tcp, on_event, &a);                \
			tcp_run(b.tcp, on_event, &b);                \
		}                                                    \
	} while (0)

static struct ip_endpoint loopback(const char *ip, const struct end *end)
{
	struct ip_endpoint e;

	ck_assert(!ip_addr_parse(ip, &e.ip));
	e.port = tcp_port(end->tcp);
	return e;
}

static void dial(const char *ip)
{
	struct ip_endpoint remote = loopback(ip, &b);

	tcp_dial(a.tcp, 1, &remote);
	RUN_UNTIL(a.n_dialed && b.n_accepted);
}

static void send_text(struct end *end, const char *text)
{
	tcp_send(end->tcp, end->conn, span_of(text, strlen(text)));
}

static bool has_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6,
				    .sin6_addr = in6addr_loopback};
	bool has = fd >= 0 && !bind(fd, (struct sockaddr *)&sin6, sizeof sin6);

	if (fd >= 0) {
		close(fd);
	}
	return has;
}

static const char *const loopbacks[] = {"127.0.0.1", "::1"};

START_TEST(dial_both_ends_told)
{
	if (_i && !has_ipv6()) {
		return;
	}
	dial(loopbacks[_i]);
	ck_assert_uint_eq(a.conn, 1);
	ck_assert_uint_eq(b.conn % 2, 0);
	ck_assert_uint_ne(b.conn, 0);
	ck_assert(endpoint_equal(&a.local, &b.remote));
	ck_assert(endpoint_equal(&a.remote, &b.local));
	ck_assert_uint_eq(b.local.port, tcp_port(b.tcp));
	ck_assert_int_eq(ip_is_v4(&b.local.ip), !_i);
}
END_TEST

START_TEST(bytes_both_ways_arrive)
{
	dial("127.0.0.1");
	send_text(&a, "to b");
	send_text(&b, "to a, too");
	RUN_UNTIL(a.data.size == 9 && b.data.size == 4);
	ck_assert_mem_eq(b.data.data, "to b", 4);
	ck_assert_mem_eq(a.data.data, "to a, too", 9);
}
END_TEST

START_TEST(held_bytes_arrive_in_one_piece_when_released)
{
	dial("127.0.0.1");
	tcp_hold(a.tcp);
	send_text(&a, "one ");
	send_text(&a, "and two");
	send_text(&b, "first");
	RUN_UNTIL(a.data.size == 5);
	ck_assert_uint_eq(b.data.size, 0);
	tcp_release(a.tcp);
	RUN_UNTIL(b.data.size);
	ck_assert_uint_eq(b.data.size, 11);
	ck_assert_mem_eq(b.data.data, "one and two", 11);
	tcp_hold(a.tcp);
	send_text(&a, ", the end");
	tcp_close(a.tcp, a.conn);
	tcp_release(a.tcp);
	RUN_UNTIL(b.data.size == 20);
}
END_TEST

/* A host that joins a large mesh asks for some thousand statements at once. */
START_TEST(what_one_step_may_send_is_queued)
{
	uint8_t *bytes = xcalloc(1, OP_SEND_MAX);
	const size_t piece = 4096;

	dial("127.0.0.1");
	tcp_hold(a.tcp);
	for (size_t i = 0; i < OP_SEND_MAX; i += piece) {
		tcp_send(a.tcp, a.conn, span_of(bytes + i, piece));
	}
	tcp_release(a.tcp);
	RUN_UNTIL(a.n_closed || b.data.size == OP_SEND_MAX);
	ck_assert_uint_eq(a.n_closed, 0);
	free(bytes);
}
END_TEST

START_TEST(who_connects_before_it_is_accepted_waits)
{
	struct ip_endpoint remote = loopback("127.0.0.1", &b);

	tcp_accept(b.tcp, false);
	tcp_dial(a.tcp, 1, &remote);
	RUN_UNTIL(a.n_dialed);
	send_text(&a, "hello");
	for (int i = 0; i < 5; i++) {
		wait_for_work();
		tcp_run(a.tcp, on_event, &a);
		tcp_run(b.tcp, on_event, &b);
	}
	ck_assert_uint_eq(b.n_accepted, 0);
	tcp_accept(b.tcp, true);
	RUN_UNTIL(b.data.size == 5);
	ck_assert_uint_eq(b.n_accepted, 1);
	ck_assert_uint_eq(a.n_closed, 0);
}
END_TEST

START_TEST(megabytes_through_small_buffers_in_order)
{
	size_t size = 3 * 1024 * 1024;
	uint8_t *bytes = xmalloc(size);

	for (size_t i = 0; i < size; i++) {
		bytes[i] = (uint8_t)(i * 2654435761u >> 24);
	}
	dial("127.0.0.1");
	b.echo = true;
	tcp_send(a.tcp, 1, span_of(bytes, size));
	RUN_UNTIL(a.data.size == size);
	ck_assert(!memcmp(a.data.data, bytes, size));
	free(bytes);
}
END_TEST

START_TEST(close_delivers_what_was_queued)
{
	size_t size = 2 * 1024 * 1024;
	uint8_t *bytes = xcalloc(1, size);

	dial("127.0.0.1");
	tcp_send(a.tcp, 1, span_of(bytes, size));
	tcp_close(a.tcp, 1);
	ck_assert_uint_eq(tcp_n_conns(a.tcp), 0);
	RUN_UNTIL(b.n_closed);
	ck_assert_uint_eq(b.data.size, size);
	ck_assert_int_eq(b.closed_errno, 0);
	RUN_UNTIL(!tcp_n_lingering(a.tcp));
	ck_assert_uint_eq(a.n_closed, 0);
	free(bytes);
}
END_TEST

START_TEST(bytes_of_one_who_has_closed_told_as_such)
{
	dial("127.0.0.1");
	send_text(&a, "I wait");
	RUN_UNTIL(b.data.size == 6);
	ck_assert(!b.gone);
	send_text(&a, "I do not");
	tcp_close(a.tcp, a.conn);
	RUN_UNTIL(b.data.size == 14);
	ck_assert(b.gone);
	RUN_UNTIL(b.n_closed);
}
END_TEST

START_TEST(close_with_unread_data_does_not_reset)
{
	/* A kernel that closes a socket with unread data sends a reset. */
	dial("127.0.0.1");
	send_text(&a, "never read");
	b.close_on_data = true;
	send_text(&b, "reason");
	RUN_UNTIL(b.data.size);
	send_text(&a, "nor this");
	RUN_UNTIL(a.n_closed);
	ck_assert_int_eq(a.closed_errno, 0);
	ck_assert_uint_eq(a.data.size, 6);
}
END_TEST

START_TEST(close_inside_callback_silent)
{
	dial("127.0.0.1");
	b.close_on_data = true;
	send_text(&a, "x");
	RUN_UNTIL(a.n_closed);
	ck_assert_uint_eq(b.n_closed, 0);
	ck_assert_uint_eq(tcp_n_conns(b.tcp), 0);
	ck_assert_uint_eq(tcp_n_conns(a.tcp), 0);
}
END_TEST

START_TEST(peer_that_never_closes_dropped_in_time)
{
	dial("127.0.0.1");
	tcp_close(a.tcp, 1);
	ck_assert_uint_eq(tcp_n_lingering(a.tcp), 1);
	/* b is told, but its caller does not close: EVENT_CLOSED closes. */
	RUN_UNTIL(!tcp_n_lingering(a.tcp));
	ck_assert_uint_eq(tcp_deadline(a.tcp), UINT64_MAX);
}
END_TEST

/* A listening socket of the kernel's, outside of tcp.c. */
static int plain_listener(struct ip_endpoint *at)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t size = sizeof sin;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert(!bind(fd, (struct sockaddr *)&sin, sizeof sin));
	ck_assert(!listen(fd, 1));
	ck_assert(!getsockname(fd, (struct sockaddr *)&sin, &size));
	ck_assert(!ip_addr_parse("127.0.0.1", &at->ip));
	at->port = ntohs(sin.sin_port);
	return fd;
}

START_TEST(stuck_peer_lingers_within_bounds)
{
	struct ip_endpoint remote;
	int fd = plain_listener(&remote);
	uint8_t *bytes = xcalloc(1, TCP_QUEUE_MAX);
	uint64_t start = clock_boottime_us();
	int little = 4096;

	ck_assert_int_eq(
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little),
		0);
	tcp_dial(a.tcp, 1, &remote);
	RUN_UNTIL(a.n_dialed);
	/* More than the socket buffers hold, and nobody reads. */
	tcp_send(a.tcp, 1, span_of(bytes, TCP_QUEUE_MAX));
	tcp_close(a.tcp, 1);
	RUN_UNTIL(!tcp_n_lingering(a.tcp));
	ck_assert_uint_ge(clock_boottime_us() - start, TCP_LINGER_US);
	ck_assert_uint_eq(a.n_closed, 0);
	free(bytes);
	close(fd);
}
END_TEST

/* So that they get through a link that takes 1,280 bytes and says nothing of
 * larger ones; the loopback would take 64 KiB. */
START_TEST(segments_are_small_in_both_directions)
{
	struct ip_endpoint remote;
	int fd = plain_listener(&remote), peer, mss;
	socklen_t size = sizeof mss;
	struct sockaddr_in to = {.sin_family = AF_INET};

	tcp_dial(a.tcp, 1, &remote);
	RUN_UNTIL(a.n_dialed);
	peer = accept(fd, NULL, NULL);
	ck_assert_int_ge(peer, 0);
	/* What it may send is what we announced. */
	ck_assert_int_eq(getsockopt(peer, IPPROTO_TCP, TCP_MAXSEG, &mss, &size),
			 0);
	ck_assert_int_le(mss, 1220);
	close(peer);
	close(fd);

	/* And whoever dials us. */
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons(tcp_port(b.tcp));
	peer = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(peer, (struct sockaddr *)&to, sizeof to), 0);
	ck_assert_int_eq(getsockopt(peer, IPPROTO_TCP, TCP_MAXSEG, &mss, &size),
			 0);
	ck_assert_int_le(mss, 1220);
	close(peer);
}
END_TEST

START_TEST(full_queue_fails_with_enobufs)
{
	struct ip_endpoint remote;
	int fd = plain_listener(&remote);
	uint8_t *bytes = xcalloc(1, TCP_QUEUE_MAX);

	tcp_dial(a.tcp, 1, &remote);
	RUN_UNTIL(a.n_dialed);
	for (int i = 0; i < 4; i++) {
		tcp_send(a.tcp, 1, span_of(bytes, TCP_QUEUE_MAX));
	}
	ck_assert_uint_eq(a.n_closed, 0);
	ck_assert_uint_eq(tcp_deadline(a.tcp), 0);
	RUN_UNTIL(a.n_closed);
	ck_assert_int_eq(a.closed_errno, ENOBUFS);
	ck_assert_uint_eq(a.closed_conn, 1);
	free(bytes);
	close(fd);
}
END_TEST

START_TEST(refused_dial_closed_with_errno)
{
	struct ip_endpoint remote;

	close(plain_listener(&remote));
	tcp_dial(a.tcp, 7, &remote);
	RUN_UNTIL(a.n_closed);
	ck_assert_int_eq(a.closed_errno, ECONNREFUSED);
	ck_assert_uint_eq(a.closed_conn, 7);
	ck_assert_uint_eq(a.n_dialed, 0);
}
END_TEST

START_TEST(dial_closed_before_it_came_to_be_silent)
{
	struct ip_endpoint remote = loopback("127.0.0.1", &b);

	tcp_dial(a.tcp, 1, &remote);
	tcp_close(a.tcp, 1);
	tcp_close(a.tcp, 1);
	send_text(&a, "nobody there");
	RUN_UNTIL(b.n_accepted && b.n_closed);
	ck_assert_uint_eq(a.n_dialed + a.n_closed, 0);
}
END_TEST

START_TEST(failed_dial_closed_by_caller_silent)
{
	struct ip_endpoint remote;
	struct ip_endpoint other = loopback("127.0.0.1", &b);

	close(plain_listener(&remote));
	tcp_dial(a.tcp, 1, &remote);
	while (tcp_deadline(a.tcp)) {
		/* Fails either at once or in the next turn. */
		wait_for_work();
		if (!tcp_deadline(a.tcp)) {
			break;
		}
		tcp_close(a.tcp, 1);
		break;
	}
	tcp_close(a.tcp, 1);
	tcp_dial(a.tcp, 3, &other);
	RUN_UNTIL(a.n_dialed);
	ck_assert_uint_eq(a.n_closed, 0);
}
END_TEST

START_TEST(listener_port_taken_says_so)
{
	struct tcp *second = NULL;
	uint16_t port = tcp_port(a.tcp);
	char *expected;

	ck_assert_int_eq(tcp_open(&any, port, &second, &why), EADDRINUSE);
	expected = xasprintf("cannot listen on TCP port %u (Address already in "
			     "use); is another fdpd running?  --port and "
			     "--listen choose another",
			     port);
	ck_assert_str_eq(ds_cstr(&why), expected);
	ck_assert_ptr_null(second);
	free(expected);
}
END_TEST

START_TEST(listen_on_foreign_address_says_so)
{
	struct tcp *second = NULL;
	struct ip_addr foreign;

	ck_assert(!ip_addr_parse("192.0.2.77", &foreign));
	ck_assert_int_eq(tcp_open(&foreign, 0, &second, &why), EADDRNOTAVAIL);
	ck_assert_ptr_nonnull(strstr(ds_cstr(&why),
				     "of 192.0.2.77 (Cannot assign requested "
				     "address); --listen needs an address of "
				     "this host"));
}
END_TEST

START_TEST(listen_address_is_dialled_from)
{
	struct ip_addr own;
	struct ip_endpoint remote = loopback("127.0.0.1", &b);

	ck_assert(!ip_addr_parse("127.0.0.5", &own));
	tcp_free(a.tcp);
	open_end(&a, &own);
	tcp_dial(a.tcp, 1, &remote);
	RUN_UNTIL(b.n_accepted);
	ck_assert(ip_equal(&b.remote.ip, &own));
}
END_TEST

START_TEST(out_of_descriptors_accepting_pauses_and_resumes)
{
	struct rlimit before, tight;
	struct ip_endpoint remote = loopback("127.0.0.1", &b);
	unsigned int turns = 0;
	uint64_t start;
	int highest;

	ck_assert(!getrlimit(RLIMIT_NOFILE, &before));
	tcp_dial(a.tcp, 1, &remote);
	highest = open("/dev/null", O_RDONLY);
	tight = before;
	tight.rlim_cur = (rlim_t)highest;
	ck_assert(!setrlimit(RLIMIT_NOFILE, &tight));
	close(highest);
	/* Takes the last number below the limit, if closing left any. */
	while (open("/dev/null", O_RDONLY) >= 0) {
		continue;
	}

	RUN_UNTIL(tcp_deadline(b.tcp) != UINT64_MAX);
	ck_assert_uint_eq(b.n_accepted, 0);
	/* While paused its descriptor is silent. */
	start = clock_boottime_us();
	while (clock_boottime_us() - start < 200000) {
		struct pollfd pfd = {tcp_fd(b.tcp), POLLIN, 0};

		turns += poll(&pfd, 1, 20) > 0;
	}
	ck_assert_uint_eq(turns, 0);

	ck_assert(!setrlimit(RLIMIT_NOFILE, &before));
	RUN_UNTIL(b.n_accepted);
}
END_TEST

START_TEST(many_strangers_linger_within_bounds)
{
	struct ip_endpoint remote = loopback("127.0.0.1", &b);

	for (uint32_t id = 1; id < 2 * (TCP_LINGER_MAX + 40); id += 2) {
		unsigned int n = b.n_accepted;

		tcp_dial(a.tcp, id, &remote);
		RUN_UNTIL(b.n_accepted > n && a.n_dialed > n);
		tcp_close(b.tcp, b.conn);
		ck_assert_uint_le(tcp_n_lingering(b.tcp), TCP_LINGER_MAX);
	}
	RUN_UNTIL(!tcp_n_lingering(b.tcp));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tcp");
	TCase *tc = tcase_create("tcp");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, dial_both_ends_told, 0,
			    (int)ARRAY_SIZE(loopbacks));
	tcase_add_test(tc, bytes_both_ways_arrive);
	tcase_add_test(tc, held_bytes_arrive_in_one_piece_when_released);
	tcase_add_test(tc, what_one_step_may_send_is_queued);
	tcase_add_test(tc, who_connects_before_it_is_accepted_waits);
	tcase_add_test(tc, megabytes_through_small_buffers_in_order);
	tcase_add_test(tc, close_delivers_what_was_queued);
	tcase_add_test(tc, bytes_of_one_who_has_closed_told_as_such);
	tcase_add_test(tc, close_with_unread_data_does_not_reset);
	tcase_add_test(tc, close_inside_callback_silent);
	tcase_add_test(tc, peer_that_never_closes_dropped_in_time);
	tcase_add_test(tc, stuck_peer_lingers_within_bounds);
	tcase_add_test(tc, segments_are_small_in_both_directions);
	tcase_add_test(tc, full_queue_fails_with_enobufs);
	tcase_add_test(tc, refused_dial_closed_with_errno);
	tcase_add_test(tc, dial_closed_before_it_came_to_be_silent);
	tcase_add_test(tc, failed_dial_closed_by_caller_silent);
	tcase_add_test(tc, listener_port_taken_says_so);
	tcase_add_test(tc, listen_on_foreign_address_says_so);
	tcase_add_test(tc, listen_address_is_dialled_from);
	tcase_add_test(tc, out_of_descriptors_accepting_pauses_and_resumes);
	tcase_add_test(tc, many_strangers_linger_within_bounds);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
