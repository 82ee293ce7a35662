/* How long after `fdpctl attach` has returned a container is reached from every
 * host; see attach.
 *
 *	attach_time FDPCTL RUN_DIR N PARALLEL [NETNS]...
 *
 * Attaches the namespaces x0, x1, ... with addresses from 10.0.1.1/16 on, by
 * N commands of which PARALLEL run at a time.  As soon as one has returned, its
 * container is pinged from every NETNS, by raw sockets of this process, and
 * again every RETRY_MS until it has answered.  No other program runs beside it,
 * no shell, no ping: what would be measured then is they.
 *
 * Prints lines "WHAT MILLISECONDS": "command", and the names of the NETNS.  As
 * a scale, 10.0.0.1, which has long been there, is pinged at the same moments:
 * "NETNS-there".  Status 1 if something was not reached in LIMIT_MS, or a
 * command failed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <netinet/ip.h>
#include <netinet/ip_icmp.h>

#include "util.h"

enum {
	MAX_HOSTS = 16,
	RETRY_MS = 20,
	LIMIT_MS = 60000,
	THERE = 0x8000 /* In the sequence number: of the one that is there. */
};

struct target {
	pid_t pid;
	bool returned;
	double began_ms, returned_ms, sent_ms;
	/* By host: has it answered, has what was there before? */
	bool reached[MAX_HOSTS], there[MAX_HOSTS];
};

static const char *fdpctl, *run_dir;
static int sockets[MAX_HOSTS];
static const char *names[MAX_HOSTS];
static size_t n_hosts;
static struct target *targets;
static uint32_t n_targets;
static bool failed;

static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int open_socket(const char *netns)
{
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int there, fd, size = 1024 * 1024;
	char path[64];

	snprintf(path, sizeof path, "/run/netns/%s", netns);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (own < 0 || there < 0 || setns(there, CLONE_NEWNET)) {
		die(path);
	}
	fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    IPPROTO_ICMP);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) ||
	    setns(own, CLONE_NEWNET)) {
		die(netns);
	}
	close(own);
	close(there);
	return fd;
}

static void address(uint32_t i, char *text, size_t size)
{
	snprintf(text, size, "10.0.%u.%u", 1 + i / 200, 1 + i % 200);
}

static void start(uint32_t i)
{
	char netns[16], ip[32], cidr[36];

	snprintf(netns, sizeof netns, "x%u", i);
	address(i, ip, sizeof ip);
	snprintf(cidr, sizeof cidr, "%s/16", ip);
	targets[i].began_ms = now_ms();
	targets[i].pid = fork();
	if (!targets[i].pid) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDOUT_FILENO);
		execl(fdpctl, fdpctl, "--run-dir", run_dir, "attach", "--netns",
		      netns, "--address", cidr, (char *)NULL);
		_exit(127);
	}
	if (targets[i].pid < 0) {
		die("fork");
	}
}

static void echo(size_t host, const char *ip, uint16_t sequence)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct icmphdr icmp = {.type = ICMP_ECHO};
	uint32_t sum = 0;
	uint16_t words[4];

	icmp.un.echo.id = htons((uint16_t)getpid());
	icmp.un.echo.sequence = htons(sequence);
	memcpy(words, &icmp, sizeof words);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		sum += words[i];
	}
	icmp.checksum = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
	inet_pton(AF_INET, ip, &to.sin_addr);
	/* What cannot be sent is sent again. */
	(void)!sendto(sockets[host], &icmp, sizeof icmp, 0,
		      (struct sockaddr *)&to, sizeof to);
}

static bool is_done(const struct target *t)
{
	for (size_t h = 0; h < n_hosts; h++) {
		if (!t->reached[h] || !t->there[h]) {
			return false;
		}
	}
	return true;
}

static void ask(uint32_t i)
{
	struct target *t = &targets[i];
	char ip[32];

	if (!t->returned || now_ms() - t->sent_ms < RETRY_MS) {
		return;
	}
	address(i, ip, sizeof ip);
	t->sent_ms = now_ms();
	for (size_t h = 0; h < n_hosts; h++) {
		if (!t->reached[h]) {
			echo(h, ip, (uint16_t)i);
		}
		if (!t->there[h]) {
			echo(h, "10.0.0.1", (uint16_t)(i | THERE));
		}
	}
}

static void hear(size_t host)
{
	struct {
		struct iphdr ip;
		struct icmphdr icmp;
		uint8_t more[64];
	} packet;

	while (recv(sockets[host], &packet, sizeof packet, 0) >=
	       (ssize_t)(sizeof packet.ip + sizeof packet.icmp)) {
		uint16_t sequence = ntohs(packet.icmp.un.echo.sequence);
		uint32_t i = sequence & ~(uint32_t)THERE;
		bool *heard;

		if (packet.icmp.type != ICMP_ECHOREPLY ||
		    ntohs(packet.icmp.un.echo.id) != (uint16_t)getpid() ||
		    i >= n_targets) {
			continue;
		}
		heard = sequence & THERE ? &targets[i].there[host]
					 : &targets[i].reached[host];
		if (!*heard) {
			*heard = true;
			printf("%s%s %.2f\n", names[host],
			       sequence & THERE ? "-there" : "",
			       now_ms() - targets[i].returned_ms);
		}
	}
}

static uint32_t reap(void)
{
	uint32_t n = 0;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (uint32_t i = 0; i < n_targets; i++) {
			struct target *t = &targets[i];

			if (t->pid != pid) {
				continue;
			}
			n++;
			t->returned = true;
			t->returned_ms = now_ms();
			printf("command %.2f\n", t->returned_ms - t->began_ms);
			if (!WIFEXITED(status) || WEXITSTATUS(status)) {
				fprintf(stderr, "x%u: attach failed\n", i);
				failed = true;
			}
		}
	}
	return n;
}

static void run(uint32_t parallel)
{
	const double end_ms = now_ms() + LIMIT_MS;
	struct pollfd fds[MAX_HOSTS];
	uint32_t begun = 0, running = 0, done = 0;

	for (size_t h = 0; h < n_hosts; h++) {
		fds[h] = (struct pollfd){sockets[h], POLLIN, 0};
	}
	while (done < n_targets && now_ms() < end_ms) {
		for (; begun < n_targets && running < parallel; running++) {
			start(begun++);
		}
		/* A command that has returned is seen within a millisecond. */
		if (poll(fds, n_hosts, 1) < 0 && errno != EINTR) {
			die("poll");
		}
		running -= reap();
		for (size_t h = 0; h < n_hosts; h++) {
			hear(h);
		}
		done = 0;
		for (uint32_t i = 0; i < begun; i++) {
			if (is_done(&targets[i])) {
				done++;
			} else {
				ask(i);
			}
		}
	}
	failed = failed || done < n_targets;
}

int main(int argc, char *argv[])
{
	if (argc < 6 || argc - 5 > MAX_HOSTS) {
		fprintf(stderr, "usage: see the head of attach_time.c\n");
		return EXIT_FAILURE;
	}
	fdpctl = argv[1];
	run_dir = argv[2];
	n_targets = (uint32_t)atoi(argv[3]);
	ovs_assert(n_targets && n_targets <= THERE);
	targets = xcalloc(n_targets, sizeof *targets);
	for (int i = 5; i < argc; i++, n_hosts++) {
		names[n_hosts] = argv[i];
		sockets[n_hosts] = open_socket(argv[i]);
	}
	run((uint32_t)MAX(1, atoi(argv[4])));
	free(targets);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
