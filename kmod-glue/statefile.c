#include "kmod-glue/statefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

#include "kmod-glue/clock.h"

static const char ID_FILE[] = "id";
static const char STATE_FILE[] = "state";
static const char DAMAGED_FILE[] = "state.damaged";
static const char LOCK_FILE[] = "lock";

struct statefile {
	char *path; /* For messages. */
	int dir_fd;
	int lock_fd; /* Locked by flock(2) as long as it is open. */
};

static int fail(struct ds *why, int error, const char *path, const char *name,
		const char *what)
{
	ds_put_format(why, "%s%s%s: %s: %s", path, *name ? "/" : "", name, what,
		      ovs_strerror(error));
	return error ? error : EIO; /* Never success. */
}

/* mkdir -p: what is missing above gets the usual mode, the last one 0700. */
static int make_dir(const char *path)
{
	char *copy = xstrdup(path);
	int error = 0;

	for (char *p = copy + 1; !error && *p; p++) {
		if (*p == '/') {
			*p = '\0';
			if (mkdir(copy, 0755) && errno != EEXIST) {
				error = errno;
			}
			*p = '/';
		}
	}
	if (!error && mkdir(copy, 0700) && errno != EEXIST) {
		error = errno;
	}
	free(copy);
	return error;
}

int statefile_open(const char *dir, struct statefile **sfp, struct ds *why)
{
	struct statefile *sf;
	int error;

	error = make_dir(dir);
	if (error) {
		return fail(why, error, dir, "",
			    "cannot make the state directory");
	}
	sf = xmalloc(sizeof *sf);
	sf->path = xstrdup(dir);
	sf->lock_fd = -1;
	sf->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sf->dir_fd < 0) {
		error = fail(why, errno, dir, "",
			     "cannot open the state directory");
		goto out;
	}
	sf->lock_fd = openat(sf->dir_fd, LOCK_FILE,
			     O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (sf->lock_fd < 0) {
		error = fail(why, errno, dir, LOCK_FILE, "cannot open");
		goto out;
	}
	if (flock(sf->lock_fd, LOCK_EX | LOCK_NB)) {
		error = errno;
		if (error == EWOULDBLOCK) {
			ds_put_format(why,
				      "%s: another fdpd uses this state "
				      "directory; stop it or give --state-dir",
				      dir);
		} else {
			fail(why, error, dir, LOCK_FILE, "cannot lock");
		}
	}
out:
	if (error) {
		statefile_close(sf);
	} else {
		*sfp = sf;
	}
	return error;
}

void statefile_close(struct statefile *sf)
{
	if (!sf) {
		return;
	}
	if (sf->lock_fd >= 0) {
		close(sf->lock_fd);
	}
	if (sf->dir_fd >= 0) {
		close(sf->dir_fd);
	}
	free(sf->path);
	free(sf);
}

static int write_all(int fd, struct span bytes)
{
	while (bytes.size) {
		ssize_t n = write(fd, bytes.data, bytes.size);

		if (n >= 0) {
			bytes.data += n;
			bytes.size -= (size_t)n;
		} else if (errno != EINTR) {
			return errno;
		}
	}
	return 0;
}

/* Replaces file 'name' as a whole. */
static int replace(struct statefile *sf, const char *name, struct span content,
		   struct ds *why)
{
	char temporary[32];
	int error;
	int fd;

	snprintf(temporary, sizeof temporary, "%s.new", name);
	/* One from a crash may lie around; the lock says it is nobody's. */
	if (unlinkat(sf->dir_fd, temporary, 0) && errno != ENOENT) {
		return fail(why, errno, sf->path, temporary, "cannot remove");
	}
	fd = openat(sf->dir_fd, temporary,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		return fail(why, errno, sf->path, temporary, "cannot make");
	}
	error = write_all(fd, content);
	if (!error && fsync(fd)) {
		error = errno;
	}
	if (close(fd) && !error) {
		error = errno;
	}
	if (error) {
		fail(why, error, sf->path, temporary, "cannot write");
		unlinkat(sf->dir_fd, temporary, 0);
		return error;
	}
	if (renameat(sf->dir_fd, temporary, sf->dir_fd, name)) {
		error = fail(why, errno, sf->path, name, "cannot replace");
		unlinkat(sf->dir_fd, temporary, 0);
		return error;
	}
	if (fsync(sf->dir_fd)) {
		return fail(why, errno, sf->path, "", "cannot sync");
	}
	return 0;
}

/* Reads file 'name' as a whole, zero terminated; ENOENT if there is none. */
static int slurp(struct statefile *sf, const char *name, size_t max,
		 char **content, size_t *size, struct ds *why)
{
	struct stat st;
	char *buf = NULL;
	size_t n = 0;
	int error = 0;
	int fd;

	fd = openat(sf->dir_fd, name,
		    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) {
		return errno == ENOENT ? ENOENT
				       : fail(why, errno, sf->path, name,
					      "cannot open");
	}
	if (fstat(fd, &st)) {
		error = fail(why, errno, sf->path, name, "cannot read");
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size < 0 ||
	    (uintmax_t)st.st_size > max) {
		error = fail(why, EFBIG, sf->path, name,
			     "this is not a file of fdpd");
		goto out;
	}
	buf = xmalloc((size_t)st.st_size + 1);
	while (n < (size_t)st.st_size) {
		ssize_t got = read(fd, buf + n, (size_t)st.st_size - n);

		if (got > 0) {
			n += (size_t)got;
		} else if (got == 0) {
			break;
		} else if (errno != EINTR) {
			error = fail(why, errno, sf->path, name, "cannot read");
			goto out;
		}
	}
	buf[n] = '\0';
	*content = buf;
	*size = n;
	buf = NULL;
out:
	free(buf);
	close(fd);
	return error;
}

static int make_id(struct statefile *sf, struct peer_id *id, struct ds *why)
{
	char text[PEER_ID_STRLEN + 1];
	struct peer_id made;
	size_t size;
	int error;

	rng_fill(&system_rng, made.b, sizeof made.b);
	peer_id_format(&made, text);
	size = strlen(text);
	text[size++] = '\n';
	error = replace(sf, ID_FILE, span_of(text, size), why);
	if (!error) {
		*id = made;
	}
	return error;
}

int statefile_id(struct statefile *sf, struct peer_id *id, struct ds *why)
{
	struct peer_id found;
	char *text;
	size_t size;
	int error;

	error = slurp(sf, ID_FILE, STATEFILE_MAX_BYTES, &text, &size, why);
	if (error == ENOENT) {
		return make_id(sf, id, why);
	}
	if (error) {
		return error;
	}
	if (size && text[size - 1] == '\n') {
		text[--size] = '\0';
	}
	if (strlen(text) != size || peer_id_parse(text, &found) ||
	    peer_id_is_zero(&found)) {
		ds_put_format(why,
			      "%s/%s: this is not the identity of a host (32 "
			      "hexadecimal digits); restore it, or remove it "
			      "to become a new host",
			      sf->path, ID_FILE);
		error = EINVAL;
	} else {
		*id = found;
	}
	free(text);
	return error;
}

int statefile_load(struct statefile *sf, char **content, struct ds *why)
{
	char *text = NULL;
	size_t size = 0;
	int error;

	error = slurp(sf, STATE_FILE, STATEFILE_MAX_BYTES, &text, &size, why);
	if (error == ENOENT) {
		*content = NULL;
		return 0;
	}
	if (error) {
		return error;
	}
	if (strlen(text) != size) {
		free(text);
		renameat(sf->dir_fd, STATE_FILE, sf->dir_fd, DAMAGED_FILE);
		ds_put_format(why,
			      "%s/%s: the file is damaged; it is now %s, and "
			      "this host starts without attachments",
			      sf->path, STATE_FILE, DAMAGED_FILE);
		return EINVAL;
	}
	*content = text;
	return 0;
}

int statefile_save(struct statefile *sf, struct span content, struct ds *why)
{
	if (content.size > STATEFILE_MAX_BYTES) {
		return fail(why, EFBIG, sf->path, STATE_FILE, "cannot write");
	}
	return replace(sf, STATE_FILE, content, why);
}
