/* fdpctl attach and detach.
 *
 * The daemon decides (names, MAC, MTU, collisions), fdpctl makes the interface,
 * the daemon takes it in: so the daemon needs no right to enter containers.
 * Whatever fails, what was made before is taken back. */
#include "fdpctl.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "openvswitch/util.h"
#include "util.h"

#include "control/reply.h"
#include "daemon.h"
#include "kmod-glue/netns.h"
#include "kmod-glue/veth.h"

enum {
	WHY_SIZE = 256,
	NETNS_PATH_MAX = 107
};

/* The namespace that --netns or --pid name, as an absolute path that the
 * daemon can open too; NULL with '*error' if there is none or it is no path for
 * it. */
static char *netns_path(const struct json *args, char **error)
{
	const char *name = reply_text(args, "netns", NULL);
	int64_t pid = reply_number(args, "pid", 0);
	char resolved[PATH_MAX];
	char *path;

	if (!!name + !!pid != 1) {
		*error = xstrdup("one of --netns and --pid is needed; see "
				 "fdpctl attach --help");
		return NULL;
	}
	if (pid) {
		path = xasprintf("/proc/%lld/ns/net", (long long)pid);
	} else if (!strchr(name, '/')) {
		path = xasprintf("/run/netns/%s", name);
	} else if (name[0] == '/') {
		path = xstrdup(name);
	} else if (realpath(name, resolved)) {
		path = xstrdup(resolved);
	} else {
		*error = xasprintf("%s: %s", name, ovs_strerror(errno));
		return NULL;
	}
	if (!strncmp(path, "/proc/self/", 11) ||
	    !strncmp(path, "/proc/thread-self/", 18)) {
		*error = xasprintf("%s is fdpctl's own; use --pid", path);
		free(path);
		return NULL;
	}
	if (strlen(path) > NETNS_PATH_MAX) {
		*error = xasprintf("the path of the namespace is longer than "
				   "%d characters: %s",
				   NETNS_PATH_MAX, path);
		free(path);
		return NULL;
	}
	return path;
}

/* Reads what attach-check answered.  False if it is not complete. */
static bool read_attachment(const struct json *reply, int netns_fd,
			    struct attachment_request *r)
{
	const char *netns = reply_text(reply, "netns", "");
	struct json *const *address;
	size_t n, i;

	memset(r, 0, sizeof *r);
	r->netns_fd = netns_fd;
	r->tap = !strcmp(reply_text(reply, "device", ""), "tap");
	r->mtu = (uint32_t)reply_number(reply, "mtu", 0);
	ovs_strlcpy(r->ifname, reply_text(reply, "ifname", ""),
		    sizeof r->ifname);
	ovs_strlcpy(r->host_ifname, reply_text(reply, "host_ifname", ""),
		    sizeof r->host_ifname);
	/* `fdpctl reset` knows our interfaces by the first five letters. */
	snprintf(r->host_alias, sizeof r->host_alias, "fdpd: %s in %s",
		 r->ifname, netns);
	address = reply_array(reply, "addresses", &n);
	if (!n || n > ATTACHMENT_MAX_ADDRESSES || !r->ifname[0] ||
	    !r->host_ifname[0] ||
	    mac_parse(reply_text(reply, "mac", ""), &r->mac)) {
		return false;
	}
	for (i = 0; i < n; i++) {
		if (prefix_parse(reply_element(address[i]), &r->addresses[i])) {
			return false;
		}
	}
	r->n_addresses = n;
	return true;
}

static int unmake(const struct attachment_request *r, char *why, size_t size)
{
	return r->tap ? attachment_remove_tap(r->netns_fd, r->ifname, why, size)
		      : attachment_remove(r->host_ifname, why, size);
}

/* Makes the interface that 'checked' describes and hands it to the daemon;
 * '*made' is then an entry of "ports". */
static enum health make(const struct context *ctx, const struct json *checked,
			int netns_fd, struct json **made, char **error)
{
	struct attachment_request request;
	char why[WHY_SIZE] = "";
	enum health health;

	if (!read_attachment(checked, netns_fd, &request)) {
		*error = xstrdup("fdpd's answer is not complete; are fdpd and "
				 "fdpctl of one version?");
		return HEALTH_REFUSED;
	}
	if (attachment_make(&request, why, sizeof why)) {
		*error = xstrdup(why);
		return HEALTH_REFUSED;
	}
	health = daemon_call(ctx->run_dir, CONTROL_ATTACH,
			     json_deep_clone(checked), made, error);
	if (health && unmake(&request, why, sizeof why)) {
		char *both = xasprintf("%s; and what was made could not be "
				       "removed: %s",
				       *error, why);

		free(*error);
		*error = both;
	}
	return health;
}

/* A blow in the middle would leave half of it behind. */
static void hold_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(how, &set, NULL);
}

static enum health attach(const struct context *ctx, struct json *request,
			  int netns_fd, struct json **made, char **error)
{
	struct json *checked = NULL;
	enum health health;
	pid_t pid;

	health = daemon_find(ctx->run_dir, &pid, error);
	if (!health) {
		health = daemon_call(ctx->run_dir, CONTROL_ATTACH_CHECK,
				     json_clone(request), &checked, error);
	}
	/* The host's end belongs where the datapath is. */
	if (!health) {
		health = daemon_enter_netns(pid, error);
	}
	if (!health) {
		hold_signals(SIG_BLOCK);
		health = make(ctx, checked, netns_fd, made, error);
		hold_signals(SIG_UNBLOCK);
	}
	json_destroy(checked);
	return health;
}

enum health run_attach(const struct context *ctx, const struct json *args)
{
	struct json *request, *made = NULL;
	char why[WHY_SIZE] = "";
	char *path, *error = NULL;
	enum health health;
	int fd;

	path = netns_path(args, &error);
	if (!path) {
		health = fail(ctx, HEALTH_REFUSED, "%s", error);
		free(error);
		return health;
	}
	if (netns_open(path, &fd, why, sizeof why)) {
		free(path);
		return fail(ctx, HEALTH_REFUSED, "%s", why);
	}
	request = args_request(ctx->command->args, ctx->command->n_args, args);
	json_destroy(shash_find_and_delete(json_object(request), "pid"));
	json_object_put_string(request, "netns", path);
	free(path);
	health = attach(ctx, request, fd, &made, &error);
	close(fd);
	json_destroy(request);
	if (health) {
		fail(ctx, health, "%s", error);
		free(error);
		return health;
	}
	return finish(ctx, made, render_attached);
}

enum health run_detach(const struct context *ctx, const struct json *args)
{
	const char *host_ifname = reply_text(args, "host_ifname", NULL);
	struct json *request = json_object_create();
	struct json *reply = NULL;
	enum health health;
	char *error = NULL;

	if (host_ifname) {
		json_object_put_string(request, "host_ifname", host_ifname);
	} else {
		char *path = netns_path(args, &error);

		if (!path) {
			json_destroy(request);
			health = fail(ctx, HEALTH_REFUSED, "%s", error);
			free(error);
			return health;
		}
		json_object_put_string(request, "netns", path);
		json_object_put_string(request, "ifname",
				       reply_text(args, "ifname", "eth0"));
		free(path);
	}
	health = daemon_call(ctx->run_dir, CONTROL_DETACH, request, &reply,
			     &error);
	if (health) {
		fail(ctx, health, "%s", error);
		free(error);
		return health;
	}
	return finish(ctx, reply, render_detached);
}
