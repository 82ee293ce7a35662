#include "kmod-glue/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "util.h"

enum {
	WHY_SIZE = 256
};

/* True if that cannot be seen. */
static bool is_namespace(const char *path)
{
	struct stat a, b;

	return stat(path, &a) || stat("/proc/self/ns/net", &b) ||
	       a.st_dev == b.st_dev;
}

/* Opens 'path', which must be a network namespace. */
static int open_path(const char *path, int *fdp)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0) {
		int error = errno;

		/* What `ip netns add` mounts it on is nobody's to read. */
		return error == EACCES && !is_namespace(path) ? EINVAL : error;
	}
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET) {
		close(fd);
		return EINVAL;
	}
	*fdp = fd;
	return 0;
}

static bool is_pid(const char *spec, pid_t *pid)
{
	unsigned int value;

	if (!spec[0] || spec[strspn(spec, "0123456789")] ||
	    !str_to_uint(spec, 10, &value) || !value || value > INT32_MAX) {
		return false;
	}
	*pid = (pid_t)value;
	return true;
}

static void explain(const char *what, const char *spec, int error, char *why,
		    size_t why_size)
{
	if (error == EINVAL) {
		snprintf(why, why_size, "%s is not a network namespace", spec);
	} else if (error == EACCES || error == EPERM) {
		snprintf(why, why_size, "no access to %s %s: run as root", what,
			 spec);
	} else {
		snprintf(why, why_size, "cannot open %s %s: %s", what, spec,
			 ovs_strerror(error));
	}
}

int netns_open_pid(pid_t pid, int *fd, char *why, size_t why_size)
{
	char path[64];
	int error;

	if (!pid) {
		snprintf(path, sizeof path, "/proc/self/ns/net");
	} else {
		snprintf(path, sizeof path, "/proc/%ld/ns/net", (long)pid);
	}
	error = open_path(path, fd);
	if (error == ENOENT) {
		snprintf(why, why_size, "there is no process %ld", (long)pid);
	} else if (error) {
		explain("network namespace", path, error, why, why_size);
	}
	return error;
}

int netns_open(const char *spec, int *fd, char *why, size_t why_size)
{
	char path[512];
	pid_t pid;
	int error;

	if (spec[0] == '/') {
		error = open_path(spec, fd);
		if (error) {
			explain("network namespace", spec, error, why,
				why_size);
		}
		return error;
	}
	if (!spec[0] || spec[0] == '.' || strchr(spec, '/') ||
	    snprintf(path, sizeof path, "/run/netns/%s", spec) >=
		    (int)sizeof path) {
		snprintf(why, why_size,
			 "\"%s\" is no name of a network namespace: give a "
			 "name as `ip netns` shows it, an absolute path or a "
			 "process id",
			 spec);
		return EINVAL;
	}
	error = open_path(path, fd);
	if (error == ENOENT && is_pid(spec, &pid)) {
		return netns_open_pid(pid, fd, why, why_size);
	}
	if (error == ENOENT) {
		snprintf(why, why_size,
			 "no network namespace %s: see `ip netns`", spec);
	} else if (error) {
		explain("network namespace", path, error, why, why_size);
	}
	return error;
}

bool netns_same(int fd_a, int fd_b)
{
	struct stat a, b;

	return !fstat(fd_a, &a) && !fstat(fd_b, &b) && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* What comes back through the pipe, followed by 'aux'. */
struct answer {
	int error;
	char why[WHY_SIZE];
};

static bool write_all(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno != EINTR) {
			return false;
		}
		if (n > 0) {
			at += n;
			size -= (size_t)n;
		}
	}
	return true;
}

static bool read_all(int fd, void *data, size_t size)
{
	char *at = data;

	while (size) {
		ssize_t n = read(fd, at, size);

		if (!n || (n < 0 && errno != EINTR)) {
			return false;
		}
		if (n > 0) {
			at += n;
			size -= (size_t)n;
		}
	}
	return true;
}

/* The parent's handlers would act on the parent's pipes and files. */
static void forget_signals(void)
{
	static const int signals[] = {SIGTERM, SIGINT,	SIGHUP,
				      SIGALRM, SIGSEGV, SIGPIPE};
	sigset_t none;

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		signal(signals[i], SIG_DFL);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void OVS_NO_RETURN run_child(int ns, int out, netns_fn *fn, void *aux,
				    size_t aux_size)
{
	struct answer answer;

	memset(&answer, 0, sizeof answer);
	forget_signals();
	alarm(NETNS_RUN_SECONDS);
	if (setns(ns, CLONE_NEWNET)) {
		answer.error = errno;
		snprintf(answer.why, sizeof answer.why,
			 "cannot enter the network namespace: %s%s",
			 strerror(answer.error),
			 answer.error == EPERM ? " (needs CAP_SYS_ADMIN)" : "");
	} else {
		answer.error = fn(aux, answer.why, sizeof answer.why);
	}
	if (write_all(out, &answer, sizeof answer) && !answer.error) {
		(void)write_all(out, aux, aux_size);
	}
	_exit(0);
}

static int read_answer(int in, void *aux, size_t aux_size,
		       struct answer *answer)
{
	uint8_t *copy;
	int error;

	if (!read_all(in, answer, sizeof *answer)) {
		return EIO;
	}
	answer->why[sizeof answer->why - 1] = '\0';
	if (answer->error || !aux_size) {
		return answer->error;
	}
	copy = xmalloc(aux_size);
	error = read_all(in, copy, aux_size) ? 0 : EIO;
	if (!error) {
		memcpy(aux, copy, aux_size);
	}
	free(copy);
	return error;
}

int netns_run(int fd, netns_fn *fn, void *aux, size_t aux_size, char *why,
	      size_t why_size)
{
	struct answer answer;
	int fds[2], error, status = 0;
	pid_t pid;

	memset(&answer, 0, sizeof answer);
	if (pipe2(fds, O_CLOEXEC)) {
		error = errno;
		goto out;
	}
	pid = fork();
	if (pid < 0) {
		error = errno;
		close(fds[0]);
		close(fds[1]);
		goto out;
	}
	if (!pid) {
		run_child(fd, fds[1], fn, aux, aux_size);
	}
	close(fds[1]);
	error = read_answer(fds[0], aux, aux_size, &answer);
	close(fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
		continue;
	}
	if (error && WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
		error = ETIMEDOUT;
	}
out:
	if (error && answer.why[0]) {
		snprintf(why, why_size, "%s", answer.why);
	} else if (error) {
		snprintf(why, why_size,
			 "the work inside the network namespace failed: %s",
			 ovs_strerror(error));
	}
	return error;
}
