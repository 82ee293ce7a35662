/* Small packets between two network namespaces, for tests/bench/sleeve.
 *
 *	sleeve_load rtt A B ADDRESS COUNT
 *		UDP there and back, one at a time: median in microseconds
 *	sleeve_load pps A B ADDRESS BYTES RATE
 *		RATE packets a second for 0.3 s: "sent received"
 *
 * A and B are files of network namespaces; ADDRESS is B's.
 *
 * What is measured is to be what lies between, so the ends cost little: two
 * threads send, by the burst, as one is slower than a bare veth; nobody waits
 * for what arrives, which would have each packet pay for waking somebody, but
 * its queue, which holds a hundred of them, is emptied every millisecond.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	PORT = 7707,
	SENDERS = 2,
	BURST = 16,  /* Sent at once; timers are no finer. */
	DRAIN = 256, /* Read at once. */
	DRAIN_US = 1000,
	TRIAL_MS = 300,
	AFTER_MS = 100, /* What is on its way may arrive. */
	ECHO_BYTES = 64
};

static atomic_bool stop;
static atomic_ulong n_received;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
	struct timespec t = {(time_t)(ns / 1000000000u),
			     (long)(ns % 1000000000u)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

/* A socket stays in the namespace where it was made. */
static int socket_in(const char *netns)
{
	int fd = open(netns, O_RDONLY | O_CLOEXEC), s, size = 64 << 20;
	struct timeval wait = {.tv_usec = 50000};

	if (fd < 0 || setns(fd, CLONE_NEWNET)) {
		die(netns);
	}
	close(fd);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	if (s < 0) {
		die("socket");
	}
	setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	setsockopt(s, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	return s;
}

static unsigned long drain(int fd)
{
	static char buf[DRAIN][2048];
	struct mmsghdr m[DRAIN];
	struct iovec iov[DRAIN];
	unsigned long all = 0;
	int n;

	memset(m, 0, sizeof m);
	for (int i = 0; i < DRAIN; i++) {
		iov[i] = (struct iovec){buf[i], sizeof buf[i]};
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	while ((n = recvmmsg(fd, m, DRAIN, MSG_DONTWAIT, NULL)) > 0) {
		all += (unsigned long)n;
	}
	return all;
}

static void *count(void *fd)
{
	while (!stop) {
		n_received += drain(*(int *)fd);
		sleep_until(now_ns() + DRAIN_US * 1000u);
	}
	n_received += drain(*(int *)fd);
	return NULL;
}

static void *echo(void *fd)
{
	char buf[2048];

	while (!stop) {
		struct sockaddr_in from;
		socklen_t size = sizeof from;
		ssize_t n = recvfrom(*(int *)fd, buf, sizeof buf, 0,
				     (struct sockaddr *)&from, &size);

		if (n > 0) {
			(void)!sendto(*(int *)fd, buf, (size_t)n, 0,
				      (struct sockaddr *)&from, size);
		}
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void rtt(int s, size_t n)
{
	uint64_t *took = calloc(n, sizeof *took);
	char buf[ECHO_BYTES] = "";
	uint64_t begin;
	size_t got = 0;

	for (size_t i = 0; took && i < n; i++) {
		begin = now_ns();

		if (send(s, buf, sizeof buf, 0) == sizeof buf &&
		    recv(s, buf, sizeof buf, 0) == sizeof buf) {
			took[got++] = now_ns() - begin;
		}
	}
	if (!got) {
		fprintf(stderr, "sleeve_load: no echo\n");
		exit(1);
	}
	qsort(took, got, sizeof *took, compare);
	begin = took[got / 2];
	printf("%.1f\n", (double)begin / 1000);
	free(took);
}

struct sender {
	pthread_t thread;
	int fd;
	size_t bytes;
	uint64_t rate, begin, end, sent;
};

static void *send_paced(void *sender_)
{
	struct sender *s = sender_;
	char buf[2048] = "";
	struct mmsghdr m[BURST];
	struct iovec iov = {buf, s->bytes};
	uint64_t at = s->begin;

	/* Else the kernel may wake us 50 us late, to save power. */
	prctl(PR_SET_TIMERSLACK, 1);
	memset(m, 0, sizeof m);
	for (int i = 0; i < BURST; i++) {
		m[i].msg_hdr.msg_iov = &iov;
		m[i].msg_hdr.msg_iovlen = 1;
	}
	while (at < s->end && now_ns() < s->end) { /* It may be too slow. */
		int n;

		sleep_until(at);
		n = sendmmsg(s->fd, m, BURST, 0);
		s->sent += n > 0 ? (uint64_t)n : 0;
		at = s->begin + s->sent * 1000000000u / s->rate;
	}
	return NULL;
}

/* Each sends its part, one in the pauses of the other. */
static uint64_t pps(const int *fds, size_t bytes, uint64_t rate)
{
	struct sender senders[SENDERS];
	const uint64_t begin = now_ns() + 1000000;
	uint64_t sent = 0;

	for (unsigned int i = 0; i < SENDERS; i++) {
		struct sender *s = &senders[i];

		*s = (struct sender){
			.fd = fds[i], .bytes = bytes, .rate = rate / SENDERS};
		s->begin = begin + i * BURST * 1000000000u / rate;
		s->end = s->begin + TRIAL_MS * 1000000u;
		if (pthread_create(&s->thread, NULL, send_paced, s)) {
			die("pthread_create");
		}
	}
	for (unsigned int i = 0; i < SENDERS; i++) {
		pthread_join(senders[i].thread, NULL);
		sent += senders[i].sent;
	}
	sleep_until(now_ns() + AFTER_MS * 1000000u);
	return sent;
}

int main(int argc, char *argv[])
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(PORT)};
	uint64_t sent = 0, rate;
	int a[SENDERS], b;
	pthread_t thread;

	if (argc < 6 || inet_pton(AF_INET, argv[4], &to.sin_addr) != 1) {
		fprintf(stderr, "usage: see tests/bench/sleeve_load.c\n");
		return 2;
	}
	for (unsigned int i = 0; i < SENDERS; i++) {
		a[i] = socket_in(argv[2]);
		if (connect(a[i], (struct sockaddr *)&to, sizeof to)) {
			die(argv[4]);
		}
	}
	b = socket_in(argv[3]);
	if (bind(b, (struct sockaddr *)&to, sizeof to)) {
		die(argv[4]);
	}
	if (!strcmp(argv[1], "rtt")) {
		pthread_create(&thread, NULL, echo, &b);
		rtt(a[0], strtoul(argv[5], NULL, 10));
	} else {
		rate = strtoul(argc > 6 ? argv[6] : "1000", NULL, 10);
		pthread_create(&thread, NULL, count, &b);
		sent = pps(a, strtoul(argv[5], NULL, 10), rate);
	}
	stop = true;
	pthread_join(thread, NULL);
	if (strcmp(argv[1], "rtt") != 0) {
		printf("%llu %lu\n", (unsigned long long)sent, n_received);
	}
	return 0;
}
