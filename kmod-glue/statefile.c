#include "kmod-glue/statefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

#include "kmod-glue/clock.h"

static const char ID_FILE[] = "id";
static const char KEY_FILE[] = "key";
static const char STATE_FILE[] = "state";
static const char PEERS_FILE[] = "peers";
static const char DAMAGED_FILE[] = "state.damaged";
static const char LOCK_FILE[] = "lock";

struct statefile {
	char *path;  /* For messages. */
	int dir_fd;  /* -1: there is no directory. */
	int lock_fd; /* Locked by flock(2) as long as it is open; or -1. */
	struct ds trouble;

	/* What is to be written as soon as that is possible. */
	bool id_unsaved, key_unsaved, damaged;
	struct peer_id id;
	struct secret key;
};

static int fail(struct ds *why, int error, const char *path, const char *name,
		const char *what)
{
	ds_put_format(why, "%s%s%s: %s: %s", path, *name ? "/" : "", name, what,
		      ovs_strerror(error));
	return error ? error : EIO; /* Never success. */
}

/* Is it the disk, and not what was asked of it?  Then it may get better. */
static bool is_trouble(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EROFS ||
	       error == EIO || error == EFBIG || error == EACCES ||
	       error == EPERM || error == ENFILE || error == EMFILE ||
	       error == ENODEV || error == ESTALE;
}

/* Notes why something is not on disk, if it is the first; 'why' is told no
 * more. */
static void note_trouble(struct statefile *sf, struct ds *why)
{
	if (!sf->trouble.length) {
		ds_put_cstr(&sf->trouble, ds_cstr(why));
	}
	ds_clear(why);
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

/* Opens a file to lock, and locks it.  0 with '*fd', else errno. */
static int lock_file(struct statefile *sf, const char *name, int flags, int *fd)
{
	int error;

	*fd = openat(sf->dir_fd, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd < 0) {
		return errno;
	}
	if (!flock(*fd, LOCK_EX | LOCK_NB)) {
		return 0;
	}
	error = errno;
	close(*fd);
	*fd = -1;
	return error;
}

/* Not open for writing, so that we are not what keeps somebody from making the
 * disk read-only; except where locks need that (NFS).  On a read-only disk
 * without such a file the directory serves. */
static int lock_dir(struct statefile *sf)
{
	int error = lock_file(sf, LOCK_FILE, O_RDONLY | O_CREAT, &sf->lock_fd);

	if (error == EBADF) {
		error = lock_file(sf, LOCK_FILE, O_RDWR, &sf->lock_fd);
	} else if (error && error != EWOULDBLOCK) {
		error = lock_file(sf, ".", O_RDONLY, &sf->lock_fd);
	}
	return error;
}

static void close_dir(struct statefile *sf)
{
	if (sf->lock_fd >= 0) {
		close(sf->lock_fd);
	}
	if (sf->dir_fd >= 0) {
		close(sf->dir_fd);
	}
	sf->lock_fd = sf->dir_fd = -1;
}

/* Makes, opens and locks the directory if that is not done yet. */
static int open_dir(struct statefile *sf, struct ds *why)
{
	int error;

	if (sf->dir_fd >= 0) {
		return 0;
	}
	error = make_dir(sf->path);
	if (error) {
		return fail(why, error, sf->path, "",
			    "cannot make the state directory");
	}
	sf->dir_fd = open(sf->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sf->dir_fd < 0) {
		return fail(why, errno, sf->path, "",
			    "cannot open the state directory");
	}
	error = lock_dir(sf);
	if (error == EWOULDBLOCK) {
		ds_put_format(why,
			      "%s: another fdpd uses this state directory; "
			      "stop it or give --state-dir",
			      sf->path);
	} else if (error) {
		fail(why, error, sf->path, LOCK_FILE, "cannot lock");
	}
	if (error) {
		close_dir(sf);
	}
	return error;
}

int statefile_open(const char *dir, struct statefile **sfp, struct ds *why)
{
	struct statefile *sf = xzalloc(sizeof *sf);
	int error;

	sf->path = xstrdup(dir);
	sf->dir_fd = sf->lock_fd = -1;
	ds_init(&sf->trouble);
	error = open_dir(sf, why);
	if (error && is_trouble(error)) {
		note_trouble(sf, why);
		error = 0;
	}
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
	close_dir(sf);
	secret_wipe(&sf->key);
	ds_destroy(&sf->trouble);
	free(sf->path);
	free(sf);
}

const char *statefile_trouble(const struct statefile *sf)
{
	return sf->trouble.length ? ds_cstr_ro(&sf->trouble) : NULL;
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

/* Replaces file 'name' as a whole; with 'sync' it is on disk afterwards. */
static int replace(struct statefile *sf, const char *name, struct span content,
		   bool sync, struct ds *why)
{
	char temporary[32];
	int error;
	int fd;

	snprintf(temporary, sizeof temporary, "%s.new", name);
	/* One from a crash may lie around; the lock says it is nobody's.  If
	 * it cannot be removed, it cannot be made either. */
	(void)!unlinkat(sf->dir_fd, temporary, 0);
	fd = openat(sf->dir_fd, temporary,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		return fail(why, errno, sf->path, temporary, "cannot make");
	}
	error = write_all(fd, content);
	if (!error && sync && fsync(fd)) {
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
	if (sync && fsync(sf->dir_fd)) {
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

	if (sf->dir_fd < 0) {
		return ENOENT;
	}
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

static int write_id(struct statefile *sf, struct ds *why)
{
	char text[PEER_ID_STRLEN + 1];
	size_t size;

	peer_id_format(&sf->id, text);
	size = strlen(text);
	text[size++] = '\n';
	return replace(sf, ID_FILE, span_of(text, size), true, why);
}

static int write_key(struct statefile *sf, struct ds *why)
{
	char text[2 * SECRET_SIZE + 2];
	int error;

	sodium_bin2hex(text, sizeof text, sf->key.b, sizeof sf->key.b);
	text[2 * SECRET_SIZE] = '\n';
	error = replace(sf, KEY_FILE, span_of(text, 2 * SECRET_SIZE + 1), true,
			why);
	secret_wipe_bytes(text, sizeof text);
	return error;
}

/* Writes by 'write' what was just made; '*unsaved' if that cannot be done
 * now. */
static int keep(struct statefile *sf,
		int (*write)(struct statefile *, struct ds *why), bool *unsaved,
		struct ds *why)
{
	int error;

	*unsaved = true;
	if (sf->dir_fd < 0) {
		return 0; /* That is told already. */
	}
	error = write(sf, why);
	if (!error) {
		*unsaved = false;
	} else if (is_trouble(error)) {
		note_trouble(sf, why);
		error = 0;
	}
	return error;
}

/* A file of one line; its newline is cut off. */
static int read_line(struct statefile *sf, const char *name, char **text,
		     struct ds *why)
{
	size_t size;
	int error = slurp(sf, name, STATEFILE_MAX_BYTES, text, &size, why);

	if (!error && size && (*text)[size - 1] == '\n') {
		(*text)[--size] = '\0';
	}
	if (!error && strlen(*text) != size) {
		**text = '\0'; /* A zero byte inside: no line. */
	}
	return error;
}

int statefile_id(struct statefile *sf, const struct peer_id *before,
		 struct peer_id *id, struct ds *why)
{
	char *text;
	int error = read_line(sf, ID_FILE, &text, why);

	if (error == ENOENT) {
		rng_fill(&system_rng, sf->id.b, sizeof sf->id.b);
		error = keep(sf, write_id, &sf->id_unsaved, why);
		if (!error && sf->id_unsaved && !peer_id_is_zero(before)) {
			sf->id = *before;
		}
	} else if (!error) {
		if (peer_id_parse(text, &sf->id) || peer_id_is_zero(&sf->id)) {
			ds_put_format(why,
				      "%s/%s: this is not the identity of a "
				      "host (32 hexadecimal digits); restore "
				      "it, or remove it to become a new host",
				      sf->path, ID_FILE);
			error = EINVAL;
		}
		free(text);
	}
	if (!error) {
		*id = sf->id;
	}
	return error;
}

static int parse_key(const char *text, struct secret *key)
{
	const char *end;
	size_t size;

	return sodium_hex2bin(key->b, sizeof key->b, text, strlen(text), NULL,
			      &size, &end) ||
			       *end || size != sizeof key->b
		       ? EINVAL
		       : 0;
}

int statefile_key(struct statefile *sf, struct secret *seed, bool *saved,
		  struct ds *why)
{
	char *text;
	int error = read_line(sf, KEY_FILE, &text, why);

	if (error == ENOENT) {
		rng_fill(&system_rng, sf->key.b, sizeof sf->key.b);
		error = keep(sf, write_key, &sf->key_unsaved, why);
	} else if (!error) {
		error = parse_key(text, &sf->key);
		if (error) {
			ds_put_format(why,
				      "%s/%s: this is not the key of a host "
				      "(64 hexadecimal digits); restore it, or "
				      "remove it and have the other hosts "
				      "forget the old one (fdpctl peers "
				      "--forget-key)",
				      sf->path, KEY_FILE);
		}
		secret_wipe_bytes(text, strlen(text));
		free(text);
	}
	if (!error) {
		*seed = sf->key;
		*saved = !sf->key_unsaved;
	}
	return error;
}

static int rename_damaged(struct statefile *sf, struct ds *why)
{
	if (renameat(sf->dir_fd, STATE_FILE, sf->dir_fd, DAMAGED_FILE) &&
	    errno != ENOENT) {
		return fail(why, errno, sf->path, STATE_FILE,
			    "cannot set aside");
	}
	sf->damaged = false;
	return 0;
}

void statefile_set_aside(struct statefile *sf, struct ds *why)
{
	struct ds trouble = DS_EMPTY_INITIALIZER;

	sf->damaged = true;
	ds_put_format(why, "%s/%s: ", sf->path, STATE_FILE);
	if (rename_damaged(sf, &trouble)) {
		ds_put_cstr(why, "the file is damaged and can neither be read "
				 "nor set aside");
		note_trouble(sf, &trouble);
	} else {
		ds_put_format(why, "the file is damaged; it is %s now",
			      DAMAGED_FILE);
	}
	ds_put_cstr(why, ", and what it remembered is not known: attachments, "
			 "and identity keys of peers");
	ds_destroy(&trouble);
}

int statefile_load(struct statefile *sf, char **content, struct ds *why)
{
	char *text = NULL;
	size_t size = 0;
	int error;

	*content = NULL;
	if (sf->dir_fd < 0) {
		/* What may be there is not to be lost when it can be seen. */
		sf->damaged = true;
		return 0;
	}
	error = slurp(sf, STATE_FILE, STATEFILE_MAX_BYTES, &text, &size, why);
	if (error == ENOENT) {
		return 0;
	}
	if (!error && strlen(text) != size) {
		free(text);
		error = EINVAL;
	}
	if (error) {
		if (why->length) {
			ds_put_cstr(why, "; ");
		}
		statefile_set_aside(sf, why);
		return error;
	}
	*content = text;
	return 0;
}

/* The directory was out of reach at the start: what if there is another host
 * in it? */
static int check_new(struct statefile *sf, const char *name, bool unsaved,
		     struct ds *why)
{
	if (!unsaved || faccessat(sf->dir_fd, name, F_OK, 0)) {
		return 0;
	}
	return fail(why, EEXIST, sf->path, name,
		    "this was out of reach when fdpd started, which has "
		    "another identity since; restart it");
}

/* What should have been written long since, in the order of its weight. */
static int catch_up(struct statefile *sf, struct ds *why)
{
	int error = open_dir(sf, why);

	if (!error) {
		error = check_new(sf, ID_FILE, sf->id_unsaved, why);
	}
	if (!error) {
		error = check_new(sf, KEY_FILE, sf->key_unsaved, why);
	}
	if (!error && sf->id_unsaved) {
		error = write_id(sf, why);
		sf->id_unsaved = error != 0;
	}
	if (!error && sf->key_unsaved) {
		error = write_key(sf, why);
		sf->key_unsaved = error != 0;
	}
	if (!error && sf->damaged) {
		error = rename_damaged(sf, why);
	}
	return error;
}

int statefile_save(struct statefile *sf, struct span content, struct ds *why)
{
	int error = 0;

	if (content.size > STATEFILE_MAX_BYTES) {
		return fail(why, EFBIG, sf->path, STATE_FILE, "cannot write");
	}
	error = catch_up(sf, why);
	if (!error) {
		error = replace(sf, STATE_FILE, content, true, why);
	}
	if (!error) {
		ds_clear(&sf->trouble);
	}
	return error;
}

char *statefile_load_peers(struct statefile *sf)
{
	struct ds why = DS_EMPTY_INITIALIZER;
	char *text = NULL;
	size_t size = 0;

	if (!slurp(sf, PEERS_FILE, STATEFILE_MAX_PEERS_BYTES, &text, &size,
		   &why) &&
	    strlen(text) != size) {
		free(text);
		text = NULL;
	}
	ds_destroy(&why);
	return text;
}

int statefile_save_peers(struct statefile *sf, struct span content,
			 struct ds *why)
{
	if (sf->dir_fd < 0) {
		return fail(why, ENODEV, sf->path, PEERS_FILE, "cannot write");
	}
	if (content.size > STATEFILE_MAX_PEERS_BYTES) {
		return fail(why, EFBIG, sf->path, PEERS_FILE, "cannot write");
	}
	return replace(sf, PEERS_FILE, content, false, why);
}
