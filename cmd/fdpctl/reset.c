/* fdpctl reset: takes everything of ours out of the kernel, and nothing else.
 *
 * The order is that of the daemon's teardown: what forwards goes first (the
 * datapath, then the interfaces), then the SAs, and the policies that block
 * and the netfilter guard last, so that at no time a packet can leave
 * unprotected. */
#include "fdpctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/util.h"
#include "util.h"

#include "control/reply.h"
#include "daemon.h"
#include "kmod-glue/guard.h"
#include "kmod-glue/netns.h"
#include "kmod-glue/odp_socket.h"
#include "kmod-glue/rt_socket.h"
#include "kmod-glue/veth.h"
#include "kmod-glue/xfrm_socket.h"
#include "selector.h"

#define ALIAS_PREFIX "fdpd:"

enum {
	MARK_STRLEN = 32,
	TEXT_SIZE = 256
};

struct reset {
	const struct context *ctx;
	bool dry_run;
	struct json *removed; /* Texts. */
	struct json *left;
	char *error; /* The first; NULL = none. */
};

/* What goes on on the way; the rest is removed all the same. */
static void remember(struct reset *r, int error, const char *what,
		     const char *detail)
{
	if (!r->error) {
		r->error =
			xasprintf("%s: %s%s%s%s", what, ovs_strerror(error),
				  *detail ? ": " : "", detail,
				  error == EPERM ? "; run fdpctl as root" : "");
	}
}

/* Takes 'what' over. */
static void note(struct json *list, char *what)
{
	json_array_add(list, json_string_create_nocopy(what));
}

static bool is_our_alias(const char *alias)
{
	return !strncmp(alias, ALIAS_PREFIX, strlen(ALIAS_PREFIX));
}

/* ---- datapath ------------------------------------------------------------ */

static void note_vport(const struct odp_vport *vport, void *r_)
{
	struct reset *r = r_;

	if (vport->port_no != ODP_LOCAL_PORT) {
		note(r->removed,
		     xasprintf("port %u %s", vport->port_no, vport->name));
	}
}

static void remove_ours(struct reset *r, struct odp *odp,
			const struct odp_datapath *datapath)
{
	size_t n = json_array(r->removed)->n;
	int error = odp_vport_list(odp, datapath->ifindex, note_vport, r);

	if (!error && !r->dry_run) {
		error = odp_dp_del(odp, datapath->name);
	}
	if (error && error != ENODEV) {
		struct json_array *removed = json_array(r->removed);

		/* The ports are still there. */
		while (removed->n > n) {
			json_destroy(removed->elems[--removed->n]);
		}
		remember(r, error, "datapath", odp_detail(odp));
		return;
	}
	note(r->removed, xasprintf("datapath %s", datapath->name));
}

struct datapaths {
	struct odp_datapath *v;
	size_t n, allocated;
};

static void keep_datapath(const struct odp_datapath *datapath, void *d_)
{
	struct datapaths *d = d_;

	if (d->n == d->allocated) {
		d->v = x2nrealloc(d->v, &d->allocated, sizeof *d->v);
	}
	d->v[d->n++] = *datapath;
}

/* Whatever it is called: were one of ours forgotten, it would go on sending
 * when its policies are gone. */
static void reset_datapaths(struct reset *r, struct rt_socket *links)
{
	struct datapaths found = {NULL, 0, 0};
	struct rt_link link;
	struct odp *odp;
	int error = odp_open(&odp);
	size_t i;

	if (error == ENOENT) {
		return; /* No module, no datapath. */
	}
	if (error) {
		remember(r, error, "datapath", "");
		return;
	}
	error = odp_dp_list(odp, keep_datapath, &found);
	if (error) {
		remember(r, error, "datapaths", odp_detail(odp));
	}
	for (i = 0; !error && i < found.n; i++) {
		const struct odp_datapath *datapath = &found.v[i];
		int failed = rt_link_get(links, datapath->name, &link);

		if (!failed && is_our_alias(link.alias)) {
			remove_ours(r, odp, datapath);
		} else if (!failed &&
			   !strcmp(datapath->name, r->ctx->datapath)) {
			note(r->left,
			     xasprintf("datapath %s: it was not made by fdpd",
				       datapath->name));
		} else if (failed && failed != ENODEV) {
			remember(r, failed, datapath->name,
				 rt_socket_text(links));
		}
	}
	free(found.v);
	odp_close(odp);
}

/* ---- interfaces ---------------------------------------------------------- */

struct names {
	char (*v)[RT_NAME_SIZE];
	size_t n, allocated;
};

static void keep_name(void *names_, const struct rt_link *link)
{
	struct names *names = names_;

	if ((strcmp(link->kind, "veth") && strcmp(link->kind, "tun")) ||
	    !is_our_alias(link->alias)) {
		return;
	}
	if (names->n == names->allocated) {
		names->v = x2nrealloc(names->v, &names->allocated,
				      sizeof *names->v);
	}
	ovs_strlcpy(names->v[names->n++], link->name, RT_NAME_SIZE);
}

static void reset_links(struct reset *r, struct rt_socket *links)
{
	struct names names = {NULL, 0, 0};
	unsigned int tries = 0;
	size_t i;
	int error;

	do {
		names.n = 0;
		error = rt_link_list(links, "", keep_name, &names);
	} while (error == EINTR && ++tries < 10);
	if (error) {
		remember(r, error, "interfaces", rt_socket_text(links));
	}
	for (i = 0; !error && i < names.n; i++) {
		int failed = r->dry_run ? 0 : rt_link_del(links, names.v[i]);

		/* Its namespace may have gone, and it with it. */
		if (failed && failed != ENODEV) {
			remember(r, failed, names.v[i], rt_socket_text(links));
		} else {
			note(r->removed, xasprintf("interface %s", names.v[i]));
		}
	}
	free(names.v);
}

/* TAPs in containers, of which nothing is on this host: the daemon told before
 * it was stopped. */
static void reset_tap(struct reset *r, const char *netns, const char *ifname)
{
	char why[TEXT_SIZE];
	int fd, error = netns_open(netns, &fd, why, sizeof why);

	if (error == ENOENT) {
		return; /* It is gone, and the TAP with it. */
	}
	if (!error) {
		error = r->dry_run ? 0
				   : attachment_remove_tap(fd, ifname, why,
							   sizeof why);
		close(fd);
	}
	if (error && error != ENODEV) {
		remember(r, error, ifname, why);
	} else if (!error) {
		note(r->removed,
		     xasprintf("interface %s in %s", ifname, netns));
	}
}

static void reset_taps(struct reset *r, const struct json *ports)
{
	struct json *const *port;
	size_t n, i;

	port = reply_array(ports, "ports", &n);
	for (i = 0; i < n; i++) {
		const char *netns = reply_text(port[i], "netns", "");

		/* One of the host itself was found by its alias. */
		if (!strcmp(reply_text(port[i], "device", ""), "tap") &&
		    strcmp(netns, CONTROL_OWN_NETNS)) {
			reset_tap(r, netns, reply_text(port[i], "ifname", ""));
		}
	}
}

/* ---- IPsec --------------------------------------------------------------- */

struct doomed {
	struct xfrm_sa *sas;
	struct xfrm_policy *policies;
	struct xfrm_change *changes;
	size_t n, allocated;
	struct reset *reset;
	const char *what;
};

static void keep_sa(void *doomed_, const struct xfrm_sa *sa)
{
	struct doomed *d = doomed_;

	if (d->n == d->allocated) {
		d->sas = x2nrealloc(d->sas, &d->allocated, sizeof *d->sas);
	}
	d->sas[d->n++] = *sa;
}

static void keep_policy(void *doomed_, const struct xfrm_policy *policy)
{
	struct doomed *d = doomed_;

	if (d->n == d->allocated) {
		d->policies = x2nrealloc(d->policies, &d->allocated,
					 sizeof *d->policies);
	}
	d->policies[d->n++] = *policy;
}

/* ", mark 0x10/0xf0" */
static const char *mark_format(const struct xfrm_policy *p,
			       char buf[MARK_STRLEN])
{
	snprintf(buf, MARK_STRLEN, ", mark 0x%x/0x%x", p->mark, p->mark_mask);
	return buf;
}

static char *describe(const struct doomed *d, size_t i)
{
	char src[IP_STRLEN], dst[IP_STRLEN], mark[MARK_STRLEN];
	const struct xfrm_policy *p;

	if (d->sas) {
		return xasprintf("SA %s -> %s, SPI 0x%08x",
				 ip_format(&d->sas[i].src, src),
				 ip_format(&d->sas[i].dst, dst), d->sas[i].spi);
	}
	p = &d->policies[i];
	return xasprintf("policy %s, %s -> %s, UDP %u%s: %s",
			 p->dir == XFRM_DIR_IN ? "in" : "out",
			 selector_format(p->v6, &p->src, src),
			 selector_format(p->v6, &p->dst, dst), p->udp_port,
			 p->mark_mask ? mark_format(p, mark) : "",
			 p->block   ? "block"
			 : p->plain ? "let pass plain"
				    : "require ESP");
}

static void note_change(void *doomed_, uint64_t i, int error, const char *text)
{
	struct doomed *d = doomed_;

	if (error) {
		remember(d->reset, error, d->what, text);
	} else {
		note(d->reset->removed, describe(d, i));
	}
}

static void remove_doomed(struct doomed *d, struct xfrm_socket *socket)
{
	size_t i;

	d->changes = xcalloc(d->n + 1, sizeof *d->changes);
	for (i = 0; i < d->n; i++) {
		d->changes[i].cookie = i;
		if (d->sas) {
			d->changes[i].type = XFRM_CHANGE_SA_DEL;
			d->changes[i].sa = &d->sas[i];
		} else {
			d->changes[i].type = XFRM_CHANGE_POLICY_DEL;
			d->changes[i].policy = &d->policies[i];
		}
		if (d->reset->dry_run) {
			note_change(d, i, 0, "");
		}
	}
	if (d->n && !d->reset->dry_run) {
		/* Every failure comes to note_change() as well. */
		(void)xfrm_socket_change(socket, d->changes, d->n, note_change,
					 d);
	}
	free(d->changes);
	free(d->sas);
	free(d->policies);
}

static void reset_ipsec(struct reset *r)
{
	struct doomed sas = {.reset = r, .what = "SA"};
	struct doomed policies = {.reset = r, .what = "policy"};
	struct xfrm_socket *socket;
	int error = xfrm_socket_open(&socket);

	if (error == EPROTONOSUPPORT) {
		return; /* No module, no SA. */
	}
	if (error) {
		remember(r, error, "IPsec", "");
		return;
	}
	error = xfrm_socket_dump_sas(socket, true, keep_sa, &sas);
	if (error) {
		remember(r, error, "SAs", "");
	}
	remove_doomed(&sas, socket);
	error = xfrm_socket_dump_policies(socket, true, keep_policy, &policies);
	if (error) {
		remember(r, error, "policies", "");
	}
	remove_doomed(&policies, socket);
	xfrm_socket_close(socket);
}

/* ---- netfilter ----------------------------------------------------------- */

static void reset_guard(struct reset *r)
{
	struct ds why = DS_EMPTY_INITIALIZER;
	struct guard *guard = guard_new(NULL);
	enum guard_kind kind;
	int error = 0;

	if (r->dry_run) {
		kind = guard_find(guard);
	} else {
		error = guard_del(guard, &kind, &why);
	}
	if (error) {
		remember(r, error, "netfilter guard", ds_cstr(&why));
	} else if (kind) {
		note(r->removed,
		     xasprintf("netfilter guard (%s)", guard_kind_name(kind)));
	}
	guard_free(guard);
	ds_destroy(&why);
}

/* ---- command ------------------------------------------------------------- */

/* '*stopped': there was a daemon; with a dry run it goes on.  '*ports': what it
 * had attached, or NULL. */
static enum health stop_daemon(const struct reset *r, bool *stopped,
			       struct json **ports, char **error)
{
	enum health health;
	pid_t pid;

	*stopped = false;
	health = daemon_find(r->ctx->run_dir, &pid, error);
	if (!health) {
		*stopped = true;
		health = daemon_enter_netns(pid, error);
	}
	if (!health && daemon_call(r->ctx->run_dir, CONTROL_PORTS,
				   json_object_create(), ports, error)) {
		/* One that cannot answer is stopped all the same. */
		free(*error);
		*error = NULL;
	}
	if (!health && !r->dry_run) {
		health = daemon_stop(r->ctx->run_dir, error);
	}
	if (health == HEALTH_DOWN) {
		free(*error);
		health = HEALTH_GOOD;
	}
	return health;
}

static struct json *report(struct reset *r, bool stopped)
{
	struct json *object = json_object_create();

	json_object_put(object, "dry_run", json_boolean_create(r->dry_run));
	json_object_put(object, "daemon_stopped",
			json_boolean_create(stopped && !r->dry_run));
	json_object_put(object, "removed", r->removed);
	json_object_put(object, "left", r->left);
	if (r->error) {
		json_object_put_string(object, "error", r->error);
	}
	return object;
}

enum health run_reset(const struct context *ctx, const struct json *args)
{
	struct reset r = {.ctx = ctx,
			  .dry_run = reply_flag(args, "dry_run", false)};
	struct json *ports = NULL;
	struct rt_socket *links;
	enum health health;
	char *error = NULL;
	bool stopped;
	int failed;

	health = stop_daemon(&r, &stopped, &ports, &error);
	if (health) {
		json_destroy(ports);
		fail(ctx, health, "%s", error);
		free(error);
		return health;
	}
	r.removed = json_array_create_empty();
	r.left = json_array_create_empty();
	failed = rt_socket_open(&links);
	if (failed) {
		remember(&r, failed, "interfaces", "");
	} else {
		reset_datapaths(&r, links);
		reset_links(&r, links);
		rt_socket_close(links);
	}
	if (ports) {
		reset_taps(&r, ports);
	}
	/* With the datapath still there, its protection stays too. */
	if (!r.error) {
		reset_ipsec(&r);
		reset_guard(&r);
	}
	json_destroy(ports);
	health = finish(ctx, report(&r, stopped), render_reset);
	if (r.error) {
		fprintf(stderr, "fdpctl: %s\n", r.error);
		free(r.error);
		health = HEALTH_REFUSED;
	}
	return health;
}
