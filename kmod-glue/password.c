#include "kmod-glue/password.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "openvswitch/dynamic-string.h"
#include "socket-util.h"
#include "util.h"

#include "crypto/kdf.h"
#include "kmod-glue/privilege.h"

enum {
	STRETCH_NICE = 10
};

/* What the child says, twice unless the file is no good: when it has read it,
 * and when it has stretched the passwords.  Below PIPE_BUF, so one write()
 * carries it whole. */
struct answer {
	int error;
	bool stretched;
	char why[512];
	size_t n_slots;
	struct hs_slot slots[HANDSHAKE_SLOTS_MAX];
};
BUILD_ASSERT_DECL(sizeof(struct answer) <= 4096);

int password_check_environment(struct ds *why)
{
	if (!getenv("FDP_PASSWORD")) {
		return 0;
	}
	ds_put_cstr(why, "FDP_PASSWORD is set, but child processes and "
			 "container tools can read the environment; put the "
			 "password into a file of mode 0600 and use "
			 "--password-file");
	return EPERM;
}

char *password_credential(void)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char *path;

	if (!dir || !*dir) {
		return NULL;
	}
	path = xasprintf("%s/password", dir);
	if (access(path, F_OK)) {
		free(path);
		return NULL;
	}
	return path;
}

static bool is_credential(const char *path)
{
	char *credential = password_credential();
	bool same = credential && !strcmp(credential, path);

	free(credential);
	return same;
}

/* Is the file one that nobody else could have read or written? */
static int check_file(const char *path, const struct stat *st, struct ds *why)
{
	/* systemd hands credentials to root's services as 0440 root:root. */
	const mode_t forbidden =
		is_credential(path) && st->st_gid == 0 ? 037 : 077;

	if (!S_ISREG(st->st_mode)) {
		ds_put_format(why,
			      "%s: the password file must be a regular "
			      "file",
			      path);
		return EINVAL;
	}
	if (st->st_uid != 0 && st->st_uid != geteuid()) {
		ds_put_format(why,
			      "%s: the password file belongs to user %u; "
			      "make it yours: chown %u %s",
			      path, (unsigned int)st->st_uid,
			      (unsigned int)geteuid(), path);
		return EPERM;
	}
	if (st->st_mode & forbidden) {
		ds_put_format(why,
			      "%s: others may access the password file (mode "
			      "%04o); run: chmod 600 %s",
			      path, (unsigned int)st->st_mode & 07777, path);
		return EPERM;
	}
	if (st->st_size > PASSWORD_FILE_MAX_BYTES) {
		ds_put_format(why,
			      "%s: the password file is larger than %d "
			      "bytes",
			      path, PASSWORD_FILE_MAX_BYTES);
		return EFBIG;
	}
	return 0;
}

/* Reads all of 'path' into 'buf', which has one byte more than is allowed. */
static int read_file(const char *path, char buf[PASSWORD_FILE_MAX_BYTES + 1],
		     size_t *size, struct ds *why)
{
	struct stat st;
	int error = 0;
	int fd;

	/* O_NONBLOCK: opening a FIFO must not wait for its other end. */
	fd = open(path,
		  O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		error = errno;
		if (error == ELOOP) {
			ds_put_format(why,
				      "%s: the password file must not be "
				      "a symbolic link",
				      path);
		} else {
			ds_put_format(why,
				      "%s: cannot read the password file "
				      "(%s)%s",
				      path, ovs_strerror(error),
				      error == EACCES && !geteuid()
					      ? "; keep it in a directory of "
						"root's, such as /etc"
					      : "");
		}
		return error;
	}
	if (fstat(fd, &st)) {
		error = errno;
		ds_put_format(why, "%s: %s", path, ovs_strerror(error));
	} else {
		error = check_file(path, &st, why);
	}
	*size = 0;
	while (!error && *size <= PASSWORD_FILE_MAX_BYTES) {
		ssize_t n = read(fd, buf + *size,
				 PASSWORD_FILE_MAX_BYTES + 1 - *size);

		if (n == 0) {
			break;
		} else if (n > 0) {
			*size += (size_t)n;
		} else if (errno != EINTR) {
			error = errno;
			ds_put_format(why, "%s: %s", path, ovs_strerror(error));
		}
	}
	close(fd);
	if (!error && *size > PASSWORD_FILE_MAX_BYTES) {
		ds_put_format(why,
			      "%s: the password file is larger than %d "
			      "bytes",
			      path, PASSWORD_FILE_MAX_BYTES);
		error = EFBIG;
	}
	return error;
}

/* Cuts the content of the file into passwords. */
static int split(const char *path, bool allow_weak, struct span text,
		 struct span lines[HANDSHAKE_SLOTS_MAX], size_t *n_lines,
		 struct ds *why)
{
	if (!text.size) {
		ds_put_format(why,
			      "%s: the password file is empty; "
			      "`fdpctl genpass` makes a good password",
			      path);
		return EINVAL;
	}
	if (memchr(text.data, '\0', text.size)) {
		ds_put_format(why, "%s: the password contains a zero byte",
			      path);
		return EINVAL;
	}
	if (text.data[text.size - 1] == '\n') {
		text.size--;
	}
	*n_lines = 0;
	for (;;) {
		const uint8_t *end = memchr(text.data, '\n', text.size);
		size_t size = end ? (size_t)(end - text.data) : text.size;

		if (*n_lines == HANDSHAKE_SLOTS_MAX) {
			ds_put_format(why,
				      "%s: the password file has more than %d "
				      "lines; the first is the password, a "
				      "second one is accepted as well",
				      path, HANDSHAKE_SLOTS_MAX);
			return EINVAL;
		}
		if (size < PASSWORD_MIN_BYTES && (!size || !allow_weak)) {
			ds_put_format(why,
				      "%s: the password in line %zu has fewer "
				      "than %d bytes; `fdpctl genpass` makes a "
				      "good one%s",
				      path, *n_lines + 1, PASSWORD_MIN_BYTES,
				      size ? " (--weak-password allows it)"
					   : "");
			return EINVAL;
		}
		lines[*n_lines] = span_of(text.data, size);
		(*n_lines)++;
		if (!end) {
			break;
		}
		text.data += size + 1;
		text.size -= size + 1;
	}
	if (*n_lines == 2 && lines[0].size == lines[1].size &&
	    !memcmp(lines[0].data, lines[1].data, lines[0].size)) {
		*n_lines = 1;
	}
	return 0;
}

/* False if there is nobody to hear it. */
static bool say(int fd, struct answer *answer, const struct ds *why)
{
	ssize_t n;

	ovs_strlcpy(answer->why, ds_cstr_ro(why), sizeof answer->why);
	do {
		n = write(fd, answer, sizeof *answer);
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof *answer;
}

/* All of the child's work; the last answer is left to say. */
static int load(const char *path, bool allow_weak, int fd,
		struct answer *answer, struct ds *why)
{
	char buf[PASSWORD_FILE_MAX_BYTES + 1];
	struct span lines[HANDSHAKE_SLOTS_MAX] = {{NULL, 0}};
	size_t size = 0;
	int error;

	error = read_file(path, buf, &size, why);
	if (!error) {
		error = split(path, allow_weak, span_of(buf, size), lines,
			      &answer->n_slots, why);
	}
	if (!error && !say(fd, answer, why)) {
		error = EPIPE;
	}
	for (size_t i = 0; !error && i < answer->n_slots; i++) {
		struct hs_slot *slot = &answer->slots[i];

		if (kdf_stretch(lines[i], span_of("", 0), &slot->prs,
				&slot->psk)) {
			ds_put_format(why,
				      "not enough memory to stretch the "
				      "password; %d MiB are needed",
				      KDF_STRETCH_BYTES / (1024 * 1024));
			error = ENOMEM;
		}
	}
	answer->stretched = !error;
	secret_wipe_bytes(buf, sizeof buf);
	return error;
}

static void child_main(const char *path, bool allow_weak, int fd)
{
	static const struct rlimit no_core = {0, 0};
	struct ds why = DS_EMPTY_INITIALIZER;
	struct answer answer;
	bool said;

	/* The daemon's handlers are not for this process. */
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	prctl(PR_SET_NAME, "fdpd-password");
	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &no_core);
	/* Packets do not wait for it where there is one CPU: sessions do. */
	setpriority(PRIO_PROCESS, 0, STRETCH_NICE);
	/* Nothing that the daemon closes meanwhile shall stay open here. */
	(void)close_range(3, (unsigned int)fd - 1, 0);
	(void)close_range((unsigned int)fd + 1, ~0U, 0);

	/* The daemon has said it if that is impossible. */
	(void)!privilege_lock_memory(&why);
	ds_clear(&why);

	memset(&answer, 0, sizeof answer);
	answer.error = load(path, allow_weak, fd, &answer, &why);
	said = say(fd, &answer, &why);
	secret_wipe_bytes(&answer, sizeof answer);
	_exit(said ? 0 : 1);
}

struct password_job {
	pid_t pid;
	int fd;
};

int password_begin(const char *path, bool allow_weak,
		   struct password_job **jobp, struct ds *why)
{
	struct password_job *job;
	int fds[2];
	int error = 0;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC)) {
		error = errno;
		ds_put_format(why, "pipe: %s", ovs_strerror(error));
		return error;
	}
	pid = fork();
	if (pid < 0) {
		error = errno;
		ds_put_format(why, "fork: %s", ovs_strerror(error));
		close(fds[0]);
		close(fds[1]);
		return error;
	}
	if (!pid) {
		child_main(path, allow_weak, fds[1]);
	}
	close(fds[1]);
	set_nonblocking(fds[0]);
	job = xzalloc(sizeof *job);
	job->pid = pid;
	job->fd = fds[0];
	*jobp = job;
	return 0;
}

int password_fd(const struct password_job *job)
{
	return job->fd;
}

static void job_free(struct password_job *job)
{
	close(job->fd);
	while (waitpid(job->pid, NULL, 0) < 0 && errno == EINTR) {
		continue;
	}
	free(job);
}

void password_cancel(struct password_job *job)
{
	if (job) {
		kill(job->pid, SIGKILL);
		job_free(job);
	}
}

/* The next answer; EAGAIN if there is none yet, another error if it is a bad
 * one. */
static int hear(struct password_job *job, struct answer *answer, struct ds *why)
{
	ssize_t n;

	do {
		/* Written at once, so read at once. */
		n = read(job->fd, answer, sizeof *answer);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		return EAGAIN;
	}
	if (n != (ssize_t)sizeof *answer) {
		ds_put_cstr(why, "the process that stretches the password "
				 "died; is there enough memory (64 MiB)?");
		return ENOMEM;
	}
	if (answer->error) {
		ds_put_cstr(why, answer->why);
	}
	return answer->error;
}

static void wait_for_answer(const struct password_job *job)
{
	struct pollfd pfd = {job->fd, POLLIN, 0};

	poll(&pfd, 1, -1);
}

int password_check(struct password_job *job, size_t *n_slots, struct ds *why)
{
	struct answer answer;
	int error;

	do {
		wait_for_answer(job);
		error = hear(job, &answer, why);
	} while (error == EAGAIN);
	if (error) {
		job_free(job);
	} else {
		*n_slots = answer.n_slots;
	}
	return error;
}

int password_finish(struct password_job *job,
		    struct hs_slot slots[HANDSHAKE_SLOTS_MAX], size_t *n_slots,
		    struct ds *why)
{
	struct answer answer;
	int error;

	do {
		error = hear(job, &answer, why);
	} while (!error && !answer.stretched);
	if (error == EAGAIN) {
		return EAGAIN;
	}
	if (!error) {
		memcpy(slots, answer.slots, sizeof answer.slots);
		*n_slots = answer.n_slots;
	}
	secret_wipe_bytes(&answer, sizeof answer);
	job_free(job);
	return error;
}

int password_load(const char *path, bool allow_weak,
		  struct hs_slot slots[HANDSHAKE_SLOTS_MAX], size_t *n_slots,
		  struct ds *why)
{
	struct password_job *job = NULL;
	int error = password_begin(path, allow_weak, &job, why);

	while (job) {
		wait_for_answer(job);
		error = password_finish(job, slots, n_slots, why);
		if (error != EAGAIN) {
			break;
		}
	}
	return error;
}
