/* fdpctl attach and detach, expose and hide.
 *
 * The daemon decides (names, MAC, MTU, collisions), fdpctl makes the interface,
 * the daemon takes it in: so the daemon needs no right to enter containers.
 * Whatever fails, what was made before is taken back.
 *
 * Exposing is attaching the host itself: what is CONTROL_OWN_NETNS to the
 * daemon is one namespace among others, until it gets a name and addresses
 * there. */
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

#define EXPOSED_IFNAME "fdp-host"

/* The namespace that --netns or --pid name, as an absolute path that the
 * daemon can open too; NULL with '*error' if there is none or it is no path for
 * it. */
static char *netns_path(const struct context *ctx, const struct json *args,
			char **error)
{
	const char *name = reply_text(args, "netns", NULL);
	int64_t pid = reply_number(args, "pid", 0);
	char resolved[PATH_MAX];
	char *path;

	if (!!name + !!pid != 1) {
		*error = xasprintf("one of --netns and --pid is needed; see "
				   "fdpctl %s --help",
				   ctx->command->name);
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
	r->exposed = !strcmp(netns, CONTROL_OWN_NETNS);
	/* `fdpctl reset` knows our interfaces by the first five letters. */
	snprintf(r->host_alias, sizeof r->host_alias, "fdpd: %s %s %s",
		 r->ifname, r->exposed ? "of" : "in",
		 r->exposed ? "this host" : netns);
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

/* 'netns_fd' is the namespace of a container, not the one we are in by now, the
 * daemon's: its names and routes are the host's. */
static enum health refuse_own(int own_fd, int netns_fd, char **error)
{
	if (!netns_same(own_fd, netns_fd)) {
		return HEALTH_GOOD;
	}
	*error = xstrdup("that is this host's own network namespace; use "
			 "fdpctl expose");
	return HEALTH_REFUSED;
}

/* 'netns_fd' -1: the daemon's own. */
static enum health attach(const struct context *ctx, struct json *request,
			  int netns_fd, struct json **made, char **error)
{
	char why[WHY_SIZE] = "";
	struct json *checked = NULL;
	enum health health;
	int own_fd = -1;
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
	if (!health && netns_open_pid(0, &own_fd, why, sizeof why)) {
		*error = xstrdup(why);
		health = HEALTH_REFUSED;
	}
	if (!health && netns_fd >= 0) {
		health = refuse_own(own_fd, netns_fd, error);
	}
	if (!health) {
		hold_signals(SIG_BLOCK);
		health = make(ctx, checked, netns_fd >= 0 ? netns_fd : own_fd,
			      made, error);
		hold_signals(SIG_UNBLOCK);
	}
	if (own_fd >= 0) {
		close(own_fd);
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

	path = netns_path(ctx, args, &error);
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
		char *path = netns_path(ctx, args, &error);

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

/* ---- expose, hide ---- */

static bool is_exposed(const struct json *port)
{
	return !strcmp(reply_text(port, "netns", ""), CONTROL_OWN_NETNS);
}

static bool has_text(struct json *const *v, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(reply_element(v[i]), text)) {
			return true;
		}
	}
	return false;
}

/* How many of the addresses of 'a' has 'b'? */
static size_t n_common(const struct json *a, const struct json *b)
{
	struct json *const *va, *const *vb;
	size_t na, nb, n = 0;

	va = reply_array(a, "addresses", &na);
	vb = reply_array(b, "addresses", &nb);
	for (size_t i = 0; i < na; i++) {
		n += has_text(vb, nb, reply_element(va[i]));
	}
	return n;
}

static size_t n_addresses(const struct json *port)
{
	size_t n;

	(void)reply_array(port, "addresses", &n);
	return n;
}

/* Is all that 'args' ask for what 'port' has? */
static bool is_the_same(const struct json *port, const struct json *args)
{
	const char *mac = reply_text(port, "mac", "");

	return !strcmp(reply_text(args, "mac", mac), mac) &&
	       n_common(args, port) == n_addresses(args) &&
	       n_addresses(port) == n_addresses(args) &&
	       reply_number(port, "network", 1) ==
		       reply_number(args, "network", 1);
}

/* What is exposed already as 'args' say; NULL if nothing is, or with '*error'
 * if it is otherwise. */
static const struct json *find_exposed(const struct json *ports,
				       const struct json *args, char **error)
{
	const char *ifname = reply_text(args, "ifname", EXPOSED_IFNAME);
	struct json *const *port;
	size_t n;

	port = reply_array(ports, "ports", &n);
	for (size_t i = 0; i < n; i++) {
		/* One that is lost is made anew. */
		if (!is_exposed(port[i]) ||
		    strcmp(reply_text(port[i], "ifname", ""), ifname) ||
		    !strcmp(reply_text(port[i], "state", ""), "lost")) {
			continue;
		}
		if (is_the_same(port[i], args)) {
			return port[i];
		}
		*error = xasprintf("%s is exposed already, otherwise (see "
				   "fdpctl ports); hide it first, or use "
				   "another --ifname",
				   ifname);
		break;
	}
	return NULL;
}

enum health run_expose(const struct context *ctx, const struct json *args)
{
	struct json *ports = NULL, *made = NULL, *request;
	const struct json *found = NULL;
	enum health health;
	char *error = NULL;

	health = daemon_call(ctx->run_dir, CONTROL_PORTS, NULL, &ports, &error);
	if (!health) {
		found = find_exposed(ports, args, &error);
		health = error ? HEALTH_REFUSED : HEALTH_GOOD;
	}
	if (found) {
		made = json_deep_clone(found);
	} else if (!health) {
		request = args_request(ctx->command->args, ctx->command->n_args,
				       args);
		json_object_put_string(request, "netns", CONTROL_OWN_NETNS);
		json_object_put_string(
			request, "ifname",
			reply_text(args, "ifname", EXPOSED_IFNAME));
		health = attach(ctx, request, -1, &made, &error);
		json_destroy(request);
	}
	json_destroy(ports);
	if (health) {
		fail(ctx, health, "%s", error);
		free(error);
		return health;
	}
	return finish(ctx, made, render_attached);
}

/* Of the exposed interfaces in 'port' those that 'args' name, or all.  Half of
 * the addresses of one cannot go. */
static enum health choose(struct json *const *port, size_t n,
			  const struct json *args, struct json *chosen,
			  char **error)
{
	for (size_t i = 0; i < n; i++) {
		size_t n_named = n_common(port[i], args);

		if (!is_exposed(port[i]) || (n_addresses(args) && !n_named)) {
			continue;
		}
		if (n_named && n_named < n_addresses(port[i])) {
			*error = xasprintf("%s has other addresses as well; "
					   "name all of them, or none",
					   reply_text(port[i], "ifname", "-"));
			return HEALTH_REFUSED;
		}
		json_array_add(chosen, json_deep_clone(port[i]));
	}
	return HEALTH_GOOD;
}

static enum health hide(const struct context *ctx, const struct json *port,
			char **error)
{
	struct json *request = json_object_create();
	struct json *reply = NULL;
	enum health health;

	json_object_put_string(request, "host_ifname",
			       reply_text(port, "host_ifname", ""));
	health = daemon_call(ctx->run_dir, CONTROL_DETACH, request, &reply,
			     error);
	json_destroy(reply);
	return health;
}

enum health run_hide(const struct context *ctx, const struct json *args)
{
	struct json *ports = NULL, *result;
	struct json *chosen = json_array_create_empty();
	struct json *const *port;
	enum health health;
	char *error = NULL;
	size_t n;

	health = daemon_call(ctx->run_dir, CONTROL_PORTS, NULL, &ports, &error);
	if (!health) {
		port = reply_array(ports, "ports", &n);
		health = choose(port, n, args, chosen, &error);
	}
	for (size_t i = 0; !health && i < json_array(chosen)->n; i++) {
		health = hide(ctx, json_array(chosen)->elems[i], &error);
	}
	json_destroy(ports);
	if (health) {
		json_destroy(chosen);
		fail(ctx, health, "%s", error);
		free(error);
		return health;
	}
	result = json_object_create();
	json_object_put(result, "hidden", chosen);
	return finish(ctx, result, render_hidden);
}
