#include "fdpctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/util.h"
#include "util.h"

#include "control/genpass.h"
#include "control/reply.h"

static enum health make(const struct context *ctx)
{
	uint8_t bits[GENPASS_BITS_SIZE];
	char text[GENPASS_STRLEN];
	enum health health = HEALTH_GOOD;

	randombytes_buf(bits, sizeof bits);
	genpass_format(bits, text);
	sodium_memzero(bits, sizeof bits);
	if (ctx->json) {
		printf("{\n  \"password\": \"%s\"}\n", text);
	} else {
		puts(text);
	}
	sodium_memzero(text, sizeof text);
	if (fflush(stdout)) {
		health = fail(ctx, HEALTH_REFUSED, "cannot write: %s",
			      ovs_strerror(errno));
	}
	return health;
}

static void render_check(const struct json *reply, bool colour OVS_UNUSED,
			 struct ds *ds)
{
	ds_put_format(ds, "the password in %s is as genpass made it\n",
		      reply_text(reply, "file", "-"));
}

/* Each line is a password, as fdpd reads them (kmod-glue/password.c): its end
 * is not part of it, a carriage return is.  '*line' is the last one that was
 * looked at. */
static enum err check_lines(const char *text, size_t size, size_t *line)
{
	enum err err;

	do {
		const char *end = memchr(text, '\n', size);
		const size_t n = end ? (size_t)(end - text) : size;

		err = genpass_check(span_of(text, n));
		++*line;
		text += n + (end != NULL);
		size -= n + (end != NULL);
	} while (!err && size);
	return err;
}

static enum health check(const struct context *ctx, const char *path)
{
	struct json *reply;
	char text[256];
	size_t line = 0;
	enum err err;
	ssize_t n;
	bool cr;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof text);
	if (n < 0) {
		int error = errno;

		if (fd >= 0) {
			close(fd);
		}
		return fail(ctx, HEALTH_REFUSED, "%s: %s", path,
			    ovs_strerror(error));
	}
	close(fd);
	cr = memchr(text, '\r', (size_t)n);
	err = check_lines(text, (size_t)n, &line);
	sodium_memzero(text, sizeof text);
	if (err == ERR_MALFORMED) {
		return fail(ctx, HEALTH_REFUSED,
			    "the password in line %zu of %s was not made by "
			    "genpass (%s)",
			    line, path,
			    cr ? "it has a carriage return, which would be "
				 "part of it"
			       : "34 characters: digits and small letters "
				 "without i, l, o and u, in groups of four");
	}
	if (err) {
		return fail(ctx, HEALTH_REFUSED,
			    "the password in line %zu of %s is mistyped: its "
			    "checksum is wrong; copy it again",
			    line, path);
	}
	reply = json_object_create();
	json_object_put_string(reply, "file", path);
	json_object_put(reply, "good", json_boolean_create(true));
	return finish(ctx, reply, render_check);
}

enum health run_genpass(const struct context *ctx, const struct json *args)
{
	const char *path = reply_text(args, "check", NULL);

	if (sodium_init() < 0) {
		return fail(ctx, HEALTH_REFUSED, "no source of randomness");
	}
	return path ? check(ctx, path) : make(ctx);
}
