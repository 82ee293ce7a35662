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

static enum health check(const struct context *ctx, const char *path)
{
	char text[256];
	struct span password;
	struct json *reply;
	enum err err;
	ssize_t n;
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
	password = span_of(text, (size_t)n);
	/* The end of the line is not part of a password. */
	while (password.size && (text[password.size - 1] == '\n' ||
				 text[password.size - 1] == '\r')) {
		password.size--;
	}
	err = genpass_check(password);
	sodium_memzero(text, sizeof text);
	if (err == ERR_MALFORMED) {
		return fail(ctx, HEALTH_REFUSED,
			    "the password in %s was not made by genpass (34 "
			    "characters: digits and small letters without i, "
			    "l, o and u, in groups of four)",
			    path);
	}
	if (err) {
		return fail(ctx, HEALTH_REFUSED,
			    "the password in %s is mistyped: its checksum is "
			    "wrong; copy it again",
			    path);
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
