#include "kmod-glue/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "util.h"

#include "engine/engine.h"
#include "kmod-glue/agent.h"
#include "kmod-glue/clock.h"
#include "kmod-glue/exec.h"
#include "kmod-glue/guard.h"
#include "kmod-glue/odp_socket.h"
#include "kmod-glue/rt_socket.h"
#include "kmod-glue/sleeve.h"
#include "kmod-glue/statefile.h"
#include "kmod-glue/tcp.h"
#include "kmod-glue/userdp.h"
#include "kmod-glue/xfrm_socket.h"

VLOG_DEFINE_THIS_MODULE(loop)

enum {
	UPCALL_BATCH = 64,  /* Translated, then written together. */
	UPCALL_TURN = 256,  /* Then it is the turn of all else. */
	UPCALL_WAIT_MS = 1, /* For another one, after one... */
	UPCALL_US = 10000,  /* ...and no longer, for all else waits. */
	/* How often results may lead to ops, that have results, in a turn. */
	MAX_ROUNDS = 64,
	STOP_FLUSH_US = 1000000,
	TEXT_SIZE = 256,
	FOUND_FLOWS_MAX = 20000
};

struct loop {
	struct engine *engine;
	struct exec *exec;
	struct odp *odp;		   /* NULL: no openvswitch. */
	struct xfrm_socket *xfrm;	   /* NULL: the kernel has no IPsec. */
	struct xfrm_monitor *xfrm_monitor; /* NULL: not encrypting. */
	struct sleeve *sleeve;		   /* NULL: there is none. */
	struct guard *guard;
	struct agent *agent; /* NULL until there is 'exec'. */
	struct rt_socket *rt;
	struct rt_monitor *rt_monitor;
	struct tcp *tcp;
	struct statefile *state;

	char id[PEER_ID_STRLEN];
	char alias[sizeof "fdpd:" + PEER_ID_STRLEN];
	char datapath[16];
	/* Why there is no kernel datapath with ESP, or no sleeve. */
	enum reason no_fastdp;
	struct ds no_fastdp_detail, no_sleeve_detail;
	uint16_t sleeve_port;
	struct ops ops;	 /* To be carried out. */
	uint64_t now_us; /* Of the stage that is under way. */
	char *fatal;
	bool links_listed; /* Once at the start. */
	/* The command that is being answered. */
	uint32_t command;
	bool replied, reply_ok;
	char *reply;
};

static void step(struct loop *loop, const struct event *event)
{
	engine_step(loop->engine, event, loop->now_us, &system_rng, &loop->ops);
}

static void step_results(struct loop *loop)
{
	struct event event;

	while (exec_next(loop->exec, &event)) {
		step(loop, &event);
	}
}

/* Carries out what the engine wants until it wants nothing more. */
static void settle(struct loop *loop)
{
	for (int round = 0; loop->ops.n && round < MAX_ROUNDS; round++) {
		exec_run(loop->exec, &loop->ops);
		ops_clear(&loop->ops);
		step_results(loop);
	}
}

static void feed(struct loop *loop, const struct event *event)
{
	step(loop, event);
	settle(loop);
}

/* ---- what exec calls -------------------------------------------------- */

static void on_reply(void *loop_, uint32_t command, bool ok, const char *text)
{
	struct loop *loop = loop_;

	if (command == loop->command && !loop->replied) {
		loop->replied = true;
		loop->reply_ok = ok;
		loop->reply = xstrdup(text ? text : "");
	}
}

static void on_fatal(void *loop_, const char *text)
{
	struct loop *loop = loop_;

	if (!loop->fatal) {
		loop->fatal = xstrdup(text);
	}
}

/* ---- opening ---------------------------------------------------------- */

struct snapshot {
	struct kernel_snapshot k;
	struct odp_vport *vports;
	struct xfrm_sa *sas;
	struct xfrm_policy *policies;
	struct ufid *drops;
	struct found_flow *flows;
	size_t allocated_vports, allocated_sas, allocated_policies;
	size_t allocated_drops, allocated_flows;
};

static void take_vport(const struct odp_vport *vport, void *snapshot_)
{
	struct snapshot *s = snapshot_;

	if (s->k.n_vports == s->allocated_vports) {
		s->vports = x2nrealloc(s->vports, &s->allocated_vports,
				       sizeof *s->vports);
	}
	s->vports[s->k.n_vports++] = *vport;
}

static void take_sa(void *snapshot_, const struct xfrm_sa *sa)
{
	struct snapshot *s = snapshot_;

	if (s->k.n_sas == s->allocated_sas) {
		s->sas = x2nrealloc(s->sas, &s->allocated_sas, sizeof *s->sas);
	}
	s->sas[s->k.n_sas++] = *sa;
}

static void take_policy(void *snapshot_, const struct xfrm_policy *policy)
{
	struct snapshot *s = snapshot_;

	if (s->k.n_policies == s->allocated_policies) {
		s->policies = x2nrealloc(s->policies, &s->allocated_policies,
					 sizeof *s->policies);
	}
	s->policies[s->k.n_policies++] = *policy;
}

/* Of more than FOUND_FLOWS_MAX the rest goes on by itself for a while. */
static void take_forwarding_flow(const struct odp_flow *flow,
				 struct snapshot *s)
{
	struct found_flow f = {.ufid = flow->ufid};

	if (s->k.n_flows == FOUND_FLOWS_MAX || odp_get_key(flow->key, &f.key)) {
		return;
	}
	if (s->k.n_flows == s->allocated_flows) {
		s->flows = x2nrealloc(s->flows, &s->allocated_flows,
				      sizeof *s->flows);
	}
	s->flows[s->k.n_flows++] = f;
}

/* What we cannot read is not of ours, or of a newer run. */
static bool leads_nowhere(const struct odp_flow *flow)
{
	struct actions actions;
	bool nowhere;

	actions_init(&actions);
	nowhere = !odp_get_actions(flow->actions, &actions) &&
		  found_flow_leads_nowhere(&actions);
	actions_free(&actions);
	return nowhere;
}

static void take_flow(const struct odp_flow *flow, void *snapshot_)
{
	struct snapshot *s = snapshot_;

	if (!flow->has_ufid) {
		return;
	}
	if (!leads_nowhere(flow)) {
		take_forwarding_flow(flow, s);
		return;
	}
	if (s->k.n_drops == s->allocated_drops) {
		s->drops = x2nrealloc(s->drops, &s->allocated_drops,
				      sizeof *s->drops);
	}
	s->drops[s->k.n_drops++] = flow->ufid;
}

static void snapshot_free(struct snapshot *s)
{
	free(s->drops);
	free(s->flows);
	free(s->vports);
	free(s->sas);
	free(s->policies);
}

static int take_snapshot(struct loop *loop, struct snapshot *s, struct ds *why)
{
	struct odp_datapath dp;
	int error;

	memset(s, 0, sizeof *s);
	error = exec_find_datapath(loop->exec, &dp, why);
	if (!error) {
		s->k.datapath_exists = true;
		error = odp_vport_list(loop->odp, dp.ifindex, take_vport, s);
		if (!error) {
			error = odp_flow_dump(loop->odp, dp.ifindex, false,
					      take_flow, s);
		}
	} else if (error == ENODEV) {
		error = 0;
	}
	if (!error && loop->xfrm) {
		error = xfrm_socket_dump_sas(loop->xfrm, true, take_sa, s);
	}
	if (!error && loop->xfrm) {
		error = xfrm_socket_dump_policies(loop->xfrm, true, take_policy,
						  s);
	}
	if (error && !why->length) {
		ds_put_format(why, "cannot read the state of the kernel (%s)",
			      ovs_strerror(error));
	}
	s->k.vports = s->vports;
	s->k.sas = s->sas;
	s->k.policies = s->policies;
	s->k.drops = s->drops;
	s->k.flows = s->flows;
	s->k.no_fastdp = loop->no_fastdp;
	s->k.no_fastdp_detail = ds_cstr(&loop->no_fastdp_detail);
	s->k.sleeve.there = loop->sleeve != NULL;
	s->k.sleeve.aes_gcm = loop->sleeve && sleeve_has_aes_gcm(loop->sleeve);
	s->k.sleeve.port = loop->sleeve_port;
	s->k.sleeve.detail = ds_cstr(&loop->no_sleeve_detail);
	return error;
}

static int say(struct ds *why, int error, const char *what)
{
	ds_put_format(why, "%s (%s)", what, ovs_strerror(error));
	return error;
}

/* Without encryption only to see what another run left. */
static int open_ipsec(struct loop *loop, bool encrypt, struct ds *why)
{
	char text[TEXT_SIZE] = "";
	int error = xfrm_socket_open(&loop->xfrm);

	if (!encrypt) {
		return 0;
	}
	if (error) {
		return say(why, error,
			   "encryption needs the kernel's IPsec; "
			   "run: modprobe -a xfrm_user esp4 esp6 "
			   "gcm");
	}
	error = xfrm_probe(loop->xfrm, text, sizeof text);
	if (error) {
		ds_put_cstr(why, text);
		return error;
	}
	error = xfrm_monitor_open(&loop->xfrm_monitor);
	return error ? say(why, error, "cannot listen to the kernel's IPsec")
		     : 0;
}

static int open_datapath(struct loop *loop, struct ds *why)
{
	int error = odp_open(&loop->odp);

	if (error == ENOENT) {
		ds_put_cstr(why, EXEC_NO_OPENVSWITCH);
	} else if (error == EPERM) {
		ds_put_cstr(why, "fdpd needs the capability CAP_NET_ADMIN; run "
				 "it as root");
	} else if (error) {
		say(why, error, "cannot open the kernel's Generic Netlink");
	}
	return error;
}

/* What the sleeve can do without. */
static bool is_dispensable(enum overlay_setting overlay, int error)
{
	return overlay != OVERLAY_FASTDP && error != EPERM;
}

static void do_without(struct loop *loop, enum reason reason,
		       const struct ds *why)
{
	if (loop->no_fastdp == REASON_NONE) {
		loop->no_fastdp = reason;
		ds_put_cstr(&loop->no_fastdp_detail, ds_cstr_ro(why));
	}
}

static int open_kernel(struct loop *loop, enum overlay_setting overlay,
		       bool encrypt, struct ds *why)
{
	int error = open_datapath(loop, why);

	if (error && is_dispensable(overlay, error)) {
		do_without(loop, REASON_NO_DATAPATH, why);
		ds_clear(why);
	} else if (error) {
		return error;
	}
	error = rt_socket_open(&loop->rt);
	if (!error) {
		error = rt_monitor_open(&loop->rt_monitor);
	}
	if (error) {
		return say(why, error, "cannot open the kernel's rtnetlink");
	}
	error = open_ipsec(loop, encrypt && overlay != OVERLAY_SLEEVE, why);
	if (error && is_dispensable(overlay, error)) {
		do_without(loop, REASON_NO_ESP, why);
		ds_clear(why);
		return 0;
	}
	return error;
}

/* On the UDP port of the number of the control port.  Without one the daemon
 * does what it can. */
static void open_sleeve(struct loop *loop, const struct config *config)
{
	const struct sleeve_config sc = {.listen = config->listen,
					 .port = config->port};

	if (config_overlay_setting(config) == OVERLAY_FASTDP) {
		return;
	}
	loop->sleeve_port = config->port;
	if (sleeve_open(&sc, &loop->sleeve, &loop->no_sleeve_detail)) {
		VLOG_WARN("%s; there is no way for peers but that of the "
			  "kernel datapath",
			  ds_cstr(&loop->no_sleeve_detail));
	}
}

/* Who made the datapath that is there: we, should there be no disk that knows
 * better.  Zero if that cannot be told. */
static void id_from_kernel(const char *datapath, struct peer_id *id)
{
	static const char prefix[] = "fdpd:";
	struct rt_socket *rt;
	struct rt_link link;

	memset(id, 0, sizeof *id);
	if (rt_socket_open(&rt)) {
		return;
	}
	if (rt_link_get(rt, datapath, &link) ||
	    strncmp(link.alias, prefix, strlen(prefix)) ||
	    peer_id_parse(link.alias + strlen(prefix), id)) {
		memset(id, 0, sizeof *id);
	}
	rt_socket_close(rt);
}

static void load_state(struct loop *loop, char **saved, struct ds *damaged)
{
	char why[TEXT_SIZE];

	/* Attachments can be made again; no network at all would be worse. */
	if (!statefile_load(loop->state, saved, damaged) && *saved &&
	    !engine_state_is_valid(*saved, why, sizeof why)) {
		free(*saved);
		*saved = NULL;
		statefile_set_aside(loop->state, damaged);
		ds_put_format(damaged, " (%s)", why);
	}
	if (damaged->length) {
		VLOG_ERR("%s", ds_cstr(damaged));
	}
}

static int open_state(struct loop *loop, const struct config *config,
		      struct engine_config *to, char **saved,
		      struct ds *damaged, struct ds *why)
{
	struct peer_id before;
	bool key_saved = false;
	int error = statefile_open(config->state_dir, &loop->state, why);

	if (!error) {
		id_from_kernel(config->datapath, &before);
		error = statefile_id(loop->state, &before, &to->id, why);
	}
	if (!error) {
		error = statefile_key(loop->state, &to->key, &key_saved, why);
	}
	if (error) {
		return error;
	}
	load_state(loop, saved, damaged);
	to->has_key = true;
	to->key_unsaved = !key_saved;
	to->state_error = statefile_trouble(loop->state);
	to->state_damaged = damaged->length ? ds_cstr(damaged) : NULL;
	return 0;
}

struct addresses {
	struct ip_addr *v;
	size_t n, allocated;
};

static void take_address(void *list_, uint32_t ifindex OVS_UNUSED,
			 const struct ip_prefix *prefix)
{
	struct addresses *list = list_;

	if (list->n == list->allocated) {
		list->v =
			x2nrealloc(list->v, &list->allocated, sizeof *list->v);
	}
	list->v[list->n++] = prefix->ip;
}

static void tell_addresses(struct loop *loop)
{
	struct event event = {.type = EVENT_ADDRESSES};
	struct addresses list = {.v = NULL};

	/* They may change meanwhile: once more, with the notice of that. */
	if (!rt_addr_list(loop->rt, 0, take_address, &list)) {
		event.addresses.v = list.v;
		event.addresses.n = list.n;
		step(loop, &event);
	}
	free(list.v);
}

static int start_engine(struct loop *loop, const struct engine_config *config,
			struct ds *why)
{
	struct event event = {.type = EVENT_START};
	struct snapshot snapshot;
	int error;

	error = take_snapshot(loop, &snapshot, why);
	if (!error) {
		snapshot.k.guard = !config->encrypt && guard_find(loop->guard);
		loop->engine = engine_new(config);
		loop->now_us = clock_boottime_us();
		event.start.snapshot = &snapshot.k;
		feed(loop, &event);
		/* No datapath before the guard. */
		while (!loop->fatal && !engine_is_running(loop->engine) &&
		       exec_wait_guard(loop->exec)) {
			step_results(loop);
			settle(loop);
		}
		if (loop->fatal || !engine_is_running(loop->engine)) {
			ds_put_cstr(why, loop->fatal ? loop->fatal
						     : "the start did not "
						       "complete");
			error = ECANCELED;
		}
	}
	if (!error) {
		tell_addresses(loop);
		settle(loop);
	}
	snapshot_free(&snapshot);
	return error;
}

/* Copies a list, with our port where none was given. */
static void fill_in_port(const struct config *config,
			 const struct endpoint_list *list,
			 struct ip_endpoint *to)
{
	for (size_t i = 0; i < list->n; i++) {
		to[i] = list->v[i];
		if (!to[i].port) {
			to[i].port = config->port;
		}
	}
}

int loop_open(const struct loop_config *lc, struct loop **loopp, struct ds *why)
{
	const struct config *config = lc->config;
	struct loop *loop = xzalloc(sizeof *loop);
	struct ip_endpoint *targets =
		xcalloc(MAX(config->peers.n, 1), sizeof *targets);
	struct engine_config ec;
	struct exec_config xc;
	struct ds damaged = DS_EMPTY_INITIALIZER;
	char *saved = NULL, *peers = NULL;
	int error;

	memset(&ec, 0, sizeof ec);
	fill_in_port(config, &config->peers, targets);
	ops_init(&loop->ops);
	ds_init(&loop->no_fastdp_detail);
	ds_init(&loop->no_sleeve_detail);
	ovs_strlcpy(loop->datapath, config->datapath, sizeof loop->datapath);
	error = open_state(loop, config, &ec, &saved, &damaged, why);
	if (!error) {
		peer_id_format(&ec.id, loop->id);
		snprintf(loop->alias, sizeof loop->alias, "fdpd:%s", loop->id);
		error = tcp_open(&config->listen, config->port, &loop->tcp,
				 why);
	}
	if (!error) {
		tcp_accept(loop->tcp, !lc->encrypt);
		error = open_kernel(loop, config_overlay_setting(config),
				    lc->encrypt, why);
	}
	if (!error && loop->odp) {
		odp_keep(loop->odp, lc->kept, lc->n_kept);
	}
	if (error) {
		goto out;
	}
	open_sleeve(loop, config);

	memset(&xc, 0, sizeof xc);
	xc.odp = loop->odp;
	xc.sleeve = loop->sleeve;
	xc.xfrm = loop->xfrm;
	loop->agent = lc->agent;
	loop->guard = guard_new(lc->agent);
	xc.guard = loop->guard;
	xc.agent = lc->agent;
	xc.rt = loop->rt;
	xc.tcp = loop->tcp;
	xc.state = loop->state;
	xc.datapath = loop->datapath;
	xc.alias = loop->alias;
	xc.reply = on_reply;
	xc.fatal = on_fatal;
	xc.aux = loop;
	loop->exec = exec_new(&xc);

	ovs_strlcpy(ec.name, lc->name, sizeof ec.name);
	ec.incarnation = clock_wall_us();
	ec.version = lc->version;
	ec.encrypt = lc->encrypt;
	ec.port = config->port;
	ec.vxlan_port = (uint16_t)(config->port + 1);
	ec.sas_per_peer = config->sas_per_peer;
	ec.overlay = config_overlay_setting(config);
	ec.no_aes_gcm = config->no_aes_gcm;
	ovs_strlcpy(ec.datapath, config->datapath, sizeof ec.datapath);
	ec.targets = targets;
	ec.n_targets = config->peers.n;
	ec.discover = !config->no_discovery;
	ec.conn_limit = config->conn_limit;
	ec.flows_ahead = config->flows_ahead;
	BUILD_ASSERT_DECL(ARRAY_SIZE(ec.advertised) == CONFIG_MAX_ADVERTISED);
	fill_in_port(config, &config->advertise, ec.advertised);
	ec.n_advertised = config->advertise.n;
	BUILD_ASSERT_DECL(ARRAY_SIZE(ec.trusted) == CONFIG_MAX_TRUSTED);
	ec.n_trusted = config->trusted.n;
	for (size_t i = 0; i < ec.n_trusted; i++) {
		ec.trusted[i] = config->trusted.v[i];
	}
	ec.state = saved;
	ec.remembered = peers = statefile_load_peers(loop->state);
	error = start_engine(loop, &ec, why);
	if (!error && loop->odp) {
		odp_keep_end(loop->odp);
	}
out:
	secret_wipe_bytes(&ec, sizeof ec);
	free(targets);
	free(saved);
	free(peers);
	ds_destroy(&damaged);
	if (error) {
		loop_free(loop);
	} else {
		*loopp = loop;
	}
	return error;
}

void loop_free(struct loop *loop)
{
	if (!loop) {
		return;
	}
	if (loop->agent) {
		agent_forget(loop->agent);
	}
	if (loop->sleeve) {
		sleeve_stop(loop->sleeve);
	}
	engine_free(loop->engine);
	exec_free(loop->exec);
	sleeve_close(loop->sleeve);
	guard_free(loop->guard);
	tcp_free(loop->tcp);
	if (loop->rt_monitor) {
		rt_monitor_close(loop->rt_monitor);
	}
	if (loop->rt) {
		rt_socket_close(loop->rt);
	}
	if (loop->xfrm_monitor) {
		xfrm_monitor_close(loop->xfrm_monitor);
	}
	if (loop->xfrm) {
		xfrm_socket_close(loop->xfrm);
	}
	odp_close(loop->odp);
	statefile_close(loop->state);
	ds_destroy(&loop->no_fastdp_detail);
	ds_destroy(&loop->no_sleeve_detail);
	ops_free(&loop->ops);
	free(loop->fatal);
	free(loop->reply);
	free(loop);
}

const char *loop_fatal(const struct loop *loop)
{
	return loop->fatal;
}

bool loop_is_in_user_space(const struct loop *loop)
{
	return exec_userdp(loop->exec) != NULL;
}

const char *loop_id(const struct loop *loop)
{
	return loop->id;
}

/* ---- a turn ----------------------------------------------------------- */

static void on_odp_event(const struct odp_event *odp_event, void *loop_)
{
	struct loop *loop = loop_;
	struct event event = {.type = EVENT_DP_GONE};

	switch (odp_event->type) {
	case ODP_EVENT_DP_GONE:
		break;
	case ODP_EVENT_VPORT_GONE:
		event.type = EVENT_VPORT_GONE;
		event.port_no = odp_event->port_no;
		break;
	case ODP_EVENT_FEATURES:
		event.type = EVENT_DP_FEATURES;
		if (odp_event->os_errno) {
			VLOG_ERR("cannot restore the features of datapath %s "
				 "(%s); upcalls may be lost",
				 loop->datapath,
				 ovs_strerror(odp_event->os_errno));
		}
		break;
	}
	step(loop, &event);
}

static void on_xfrm_event(void *loop, const struct xfrm_event *xfrm_event)
{
	struct event event = {.type = EVENT_XFRM, .xfrm = xfrm_event};

	step(loop, &event);
}

static void on_upcall(const struct odp_upcall *upcall, void *loop_)
{
	struct event event = {.type = EVENT_UPCALL, .upcall = upcall};

	step(loop_, &event);
}

static void on_tcp_event(void *loop, const struct event *event)
{
	feed(loop, event);
}

static void on_link(void *loop, const struct rt_link *link)
{
	struct event event = {.type = EVENT_LINK};

	event.link.ifindex = link->ifindex;
	event.link.name = link->name;
	event.link.up = link->up;
	step(loop, &event);
}

/* Links as they are, whatever was said of them. */
static void list_links(struct loop *loop)
{
	int error;

	do {
		error = rt_link_list(loop->rt, "", on_link, loop);
	} while (error == EINTR);
	if (error) {
		VLOG_WARN("cannot list links (%s)", ovs_strerror(error));
	}
}

static void run_link_events(struct loop *loop)
{
	struct event event = {.type = EVENT_NET_CHANGED};
	unsigned int changes;
	bool missed;

	changes = rt_monitor_run(loop->rt_monitor, on_link, loop, &missed);
	if (changes) {
		step(loop, &event);
	}
	if (changes & RT_CHANGED_ADDRESSES) {
		tell_addresses(loop);
	}
	if (missed || !loop->links_listed) {
		loop->links_listed = true;
		list_links(loop);
	}
}

/* As the kernel's datapath: it goes with its own device, and a port with the
 * device that it is. */
static void tap_gone(struct loop *loop, uint32_t port_no)
{
	struct userdp *userdp = exec_userdp(loop->exec);
	struct event event = {.type = EVENT_VPORT_GONE, .port_no = port_no};

	if (!userdp) {
		return; /* The trunk: the kernel tells of it. */
	}
	if (port_no == ODP_LOCAL_PORT) {
		userdp_clear(userdp);
		event.type = EVENT_DP_GONE;
	} else if (userdp_port_del(userdp, port_no, true)) {
		return;
	}
	step(loop, &event);
}

static void on_port_gone(void *loop, uint32_t port_no)
{
	const struct event event = {.type = EVENT_VPORT_GONE,
				    .port_no = port_no};

	step(loop, &event);
}

static void on_sleeve_event(void *loop, const struct sleeve_event *se)
{
	struct event event = {.type = EVENT_SLEEVE, .os_errno = se->os_errno};

	if (se->tap_gone) {
		tap_gone(loop, se->port_no);
		return;
	}
	event.sleeve.peer = se->peer;
	event.sleeve.what = se->what;
	event.sleeve.local = se->local;
	event.sleeve.remote = se->remote;
	event.sleeve.vni = se->vni;
	event.sleeve.index = se->index;
	step(loop, &event);
}

static void run_kernel_events(struct loop *loop)
{
	if (loop->odp) {
		odp_events_run(loop->odp, on_odp_event, loop);
	}
	if (loop->sleeve) {
		sleeve_run(loop->sleeve, on_sleeve_event, loop);
	}
	if (exec_userdp(loop->exec)) {
		userdp_run(exec_userdp(loop->exec), loop->now_us, on_port_gone,
			   loop);
	}
	if (loop->xfrm_monitor) {
		(void)!xfrm_monitor_run(loop->xfrm_monitor, on_xfrm_event,
					loop);
	}
	exec_poll(loop->exec);
	if (guard_run(loop->guard)) {
		struct event event = {.type = EVENT_GUARD_GONE};

		step(loop, &event);
	}
	run_link_events(loop);
	step_results(loop);
	settle(loop);
}

static size_t read_upcalls(struct loop *loop, int wait_ms, bool *more)
{
	struct userdp *userdp = exec_userdp(loop->exec);
	size_t n = 0;

	*more = false;
	if (userdp) {
		n = userdp_upcalls_run(userdp, loop->now_us, UPCALL_BATCH,
				       on_upcall, loop);
		*more = n >= UPCALL_BATCH;
	} else if (loop->odp) {
		n = odp_upcalls_run(loop->odp, loop->now_us, UPCALL_BATCH,
				    wait_ms, more, on_upcall, loop);
	}
	return n;
}

static void run_upcalls(struct loop *loop)
{
	const uint64_t until_us =
		MIN(loop->now_us + UPCALL_US, engine_deadline(loop->engine));
	size_t n, sum = 0;
	int wait_ms = 0;
	bool more;

	do {
		n = read_upcalls(loop, wait_ms, &more);
		settle(loop);
		/* A queue that says only that it was full counts as well. */
		sum += MAX(n, 1);
		wait_ms = 0;
		if (n == 1) {
			wait_ms = UPCALL_WAIT_MS;
			loop->now_us = clock_boottime_us();
		}
	} while ((n == 1 && loop->now_us < until_us) ||
		 (more && sum < UPCALL_TURN));
}

void loop_run(struct loop *loop)
{
	loop->now_us = clock_boottime_us();
	settle(loop);
	/* A packet is waiting. */
	run_upcalls(loop);
	run_kernel_events(loop);

	loop->now_us = clock_boottime_us();
	tcp_run(loop->tcp, on_tcp_event, loop);
	if (engine_deadline(loop->engine) <= loop->now_us) {
		struct event event = {.type = EVENT_TIMER};

		feed(loop, &event);
	}
}

/* Milliseconds from now to 'deadline_us', rounded up: waking early would mean
 * a busy turn. */
static long long int ms_until(uint64_t deadline_us)
{
	uint64_t now_us = clock_boottime_us();

	return deadline_us <= now_us
		       ? 0
		       : (long long int)((deadline_us - now_us + 999) / 1000);
}

void loop_wait(struct loop *loop)
{
	const struct userdp *userdp = exec_userdp(loop->exec);
	uint64_t deadline_us =
		MIN(engine_deadline(loop->engine), tcp_deadline(loop->tcp));

	if (userdp) {
		deadline_us = MIN(deadline_us, userdp_deadline(userdp));
		poll_fd_wait(userdp_fd(userdp), POLLIN);
	}
	if (loop->odp) {
		deadline_us = MIN(deadline_us, odp_deadline(loop->odp));
		poll_fd_wait(odp_fd(loop->odp), POLLIN);
	}
	if (loop->sleeve) {
		poll_fd_wait(sleeve_fd(loop->sleeve), POLLIN);
	}
	if (loop->ops.n) {
		poll_immediate_wake();
	}
	if (deadline_us != UINT64_MAX) {
		poll_timer_wait(ms_until(deadline_us));
	}
	poll_fd_wait(rt_monitor_fd(loop->rt_monitor), POLLIN);
	if (loop->xfrm_monitor) {
		poll_fd_wait(xfrm_monitor_fd(loop->xfrm_monitor), POLLIN);
	}
	guard_wait(loop->guard);
	agent_wait(loop->agent);
	poll_fd_wait(tcp_fd(loop->tcp), POLLIN);
}

/* ---- commands and the end --------------------------------------------- */

struct loads {
	struct port_load *v;
	size_t n, allocated;
};

static void take_load(uint32_t port_no, const struct odp_counters *counters,
		      void *loads_)
{
	struct loads *loads = loads_;

	if (loads->n == loads->allocated) {
		loads->v = x2nrealloc(loads->v, &loads->allocated,
				      sizeof *loads->v);
	}
	loads->v[loads->n++] = (struct port_load){
		.port_no = port_no,
		.upcalls = counters->handled,
		.lost = counters->lost,
		.waited = counters->waited,
	};
}

static int compare_loads(const void *a_, const void *b_)
{
	const struct port_load *a = a_, *b = b_;

	return a->port_no < b->port_no ? -1 : a->port_no > b->port_no;
}

struct sleeve_loads {
	struct sleeve_load *v;
	size_t n, allocated;
};

static void take_sleeve_load(void *loads_, const struct sleeve_load *load)
{
	struct sleeve_loads *loads = loads_;

	if (loads->n == loads->allocated) {
		loads->v = x2nrealloc(loads->v, &loads->allocated,
				      sizeof *loads->v);
	}
	loads->v[loads->n++] = *load;
}

static void feed_counters(struct loop *loop)
{
	const struct userdp *userdp = exec_userdp(loop->exec);
	struct event event = {.type = EVENT_COUNTERS};
	struct odp_counters counters = {0};
	struct loads loads = {NULL, 0, 0};
	struct sleeve_loads sleeves = {NULL, 0, 0};

	if (userdp) {
		userdp_each_port_counters(userdp, take_load, &loads);
		userdp_counters(userdp, &counters);
	} else if (loop->odp) {
		odp_each_port_counters(loop->odp, take_load, &loads);
		odp_counters(loop->odp, &counters);
	}
	if (loop->sleeve) {
		sleeve_each_load(loop->sleeve, take_sleeve_load, &sleeves);
	}
	if (loads.n) {
		qsort(loads.v, loads.n, sizeof *loads.v, compare_loads);
	}
	event.counters.ports = loads.v;
	event.counters.n_ports = loads.n;
	event.counters.sleeves = sleeves.v;
	event.counters.n_sleeves = sleeves.n;
	event.counters.upcalls = counters.handled;
	event.counters.lost = counters.lost;
	event.counters.features_restored = counters.features_restored;
	feed(loop, &event);
	free(loads.v);
	free(sleeves.v);
}

/* Feeds an event that is to be answered as command number loop->command. */
static bool ask(struct loop *loop, const struct event *event, const char *name,
		char **text)
{
	loop->replied = false;
	feed(loop, event);
	if (!loop->replied) {
		/* Every op has its result at once, so every command too. */
		*text = xasprintf("%s: no answer from the engine", name);
		return false;
	}
	*text = loop->reply;
	loop->reply = NULL;
	return loop->reply_ok;
}

bool loop_command(struct loop *loop, const char *name, const struct json *args,
		  char **text)
{
	struct event event = {.type = EVENT_COMMAND};

	loop->now_us = clock_boottime_us();
	feed_counters(loop);
	event.command.id = ++loop->command;
	event.command.name = name;
	event.command.args = args;
	return ask(loop, &event, name, text);
}

bool loop_passwords(struct loop *loop, const struct hs_slot *slots,
		    size_t n_slots, char **text)
{
	struct event event = {.type = EVENT_PASSWORDS};
	bool ok;

	loop->now_us = clock_boottime_us();
	event.passwords.slots = slots;
	event.passwords.n = n_slots;
	event.passwords.command = ++loop->command;
	ok = ask(loop, &event, "reload", text);
	if (ok) {
		tcp_accept(loop->tcp, true);
	}
	return ok;
}

void loop_stop(struct loop *loop)
{
	struct event event = {.type = EVENT_STOP};
	uint64_t deadline_us = clock_boottime_us() + STOP_FLUSH_US;

	loop->now_us = clock_boottime_us();
	feed(loop, &event);
	while (tcp_n_lingering(loop->tcp)) {
		struct pollfd pfd = {tcp_fd(loop->tcp), POLLIN, 0};
		long long int ms = ms_until(deadline_us);

		if (!ms || poll(&pfd, 1, (int)ms) < 0) {
			break;
		}
		tcp_run(loop->tcp, on_tcp_event, loop);
	}
}
