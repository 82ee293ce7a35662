#include "kmod-glue/exec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/list.h"
#include "openvswitch/vlog.h"
#include "util.h"

#include "kmod-glue/agent.h"
#include "kmod-glue/fault.h"
#include "kmod-glue/flow_print.h"
#include "kmod-glue/guard.h"
#include "kmod-glue/netns.h"
#include "kmod-glue/odp_socket.h"
#include "kmod-glue/rt_socket.h"
#include "kmod-glue/sleeve.h"
#include "kmod-glue/statefile.h"
#include "kmod-glue/tap.h"
#include "kmod-glue/tcp.h"
#include "kmod-glue/udp.h"
#include "kmod-glue/userdp.h"
#include "kmod-glue/xfrm_socket.h"
#include "kmod-glue/xfrm_stat.h"

VLOG_DEFINE_THIS_MODULE(engine)

enum {
	XFRM_BATCH = 64,
	/* For the queues of a TAP: a namespace that is stuck takes the agent
	 * so long, and the next one has its turn. */
	TAP_WAIT_MS = (NETNS_RUN_SECONDS + 2) * 1000,
	/* The trunk's packets are as large as the datapath has them, super-
	 * frames aside; 65,521 is the most that a TAP takes. */
	TRUNK_MTU = 65521
};

struct queued {
	struct ovs_list node;
	struct event event;
	char *detail;		    /* EVENT_RESULT; owned. */
	struct ipsec_sight *sights; /* EVENT_IPSEC; owned. */
};

struct tap_job;

struct exec {
	struct exec_config config;
	struct ovs_list events;
	struct queued *taken;  /* What exec_next() returned last. */
	struct userdp *userdp; /* NULL: the datapath is the kernel's. */
	struct tap_job *tap;   /* NULL: no TAP is being opened. */
	bool agent_is_stuck;
	bool has_trunk;
	uint32_t trunk; /* Its port. */
	/* While exec_run() runs. */
	const struct ops *ops;
	struct xfrm_change xfrm[XFRM_BATCH];
	size_t n_xfrm;
};

struct exec *exec_new(const struct exec_config *config)
{
	struct exec *exec = xzalloc(sizeof *exec);

	BUILD_ASSERT_DECL((int)TCP_QUEUE_MAX >= (int)OP_SEND_MAX);
	exec->config = *config;
	ovs_list_init(&exec->events);
	fault_init();
	return exec;
}

static void queued_free(struct queued *q)
{
	if (q) {
		free(q->detail);
		free(q->sights);
		free(q);
	}
}

void exec_free(struct exec *exec)
{
	struct queued *q;

	if (!exec) {
		return;
	}
	LIST_FOR_EACH_POP (q, node, &exec->events) {
		queued_free(q);
	}
	queued_free(exec->taken);
	userdp_free(exec->userdp);
	free(exec);
}

struct userdp *exec_userdp(const struct exec *exec)
{
	return exec->userdp;
}

bool exec_next(struct exec *exec, struct event *event)
{
	queued_free(exec->taken);
	exec->taken = NULL;
	if (ovs_list_is_empty(&exec->events)) {
		return false;
	}
	exec->taken = CONTAINER_OF(ovs_list_pop_front(&exec->events),
				   struct queued, node);
	*event = exec->taken->event;
	return true;
}

static struct event *queue(struct exec *exec, enum event_type type)
{
	struct queued *q = xzalloc(sizeof *q);

	q->event.type = type;
	ovs_list_push_back(&exec->events, &q->node);
	return &q->event;
}

/* Queues the result of 'op', unless it is a success that nobody asked for.
 * Where the kernel gave no words of its own, the errno's are taken. */
static struct event *queue_result(struct exec *exec, const struct op *op,
				  int error, const char *detail)
{
	struct queued *q;
	struct event *event;

	if (!error && !op->cookie) {
		return NULL;
	}
	event = queue(exec, EVENT_RESULT);
	q = CONTAINER_OF(event, struct queued, event);
	q->detail = xstrdup(!error    ? ""
			    : *detail ? detail
				      : ovs_strerror(error));
	event->os_errno = error;
	event->result.cookie = op->cookie;
	event->result.op = op->type;
	event->result.detail = q->detail;
	if (op->type == OP_FLOW_PUT) {
		event->result.ufid = op->flow.ufid;
	}
	return event;
}

/* ---- flows and packets ------------------------------------------------ */

static void odp_done(uint64_t index, int error, const char *text, void *exec_)
{
	struct exec *exec = exec_;
	const struct op *op = &exec->ops->v[index];

	if (op->type == OP_FLOW_DEL && error == ENOENT) {
		error = 0;
	}
	queue_result(exec, op, error, text);
}

static void flush_odp(struct exec *exec)
{
	if (exec->userdp) {
		sleeve_main_flush(exec->config.sleeve);
	} else if (exec->config.odp && odp_batch_n(exec->config.odp)) {
		odp_batch_commit(exec->config.odp, odp_done, exec);
	}
}

/* Flows and packets of the datapath in user space. */
static void run_user_flow(struct exec *exec, size_t index)
{
	const struct op *op = &exec->ops->v[index];
	struct userdp *u = exec->userdp;
	int error;

	if (op->type == OP_FLOW_PUT) {
		error = userdp_flow_put(u, &op->flow.ufid, &op->flow.key,
					&op->flow.mask, &op->flow.actions);
	} else if (op->type == OP_FLOW_DEL) {
		error = userdp_flow_del(u, &op->flow.ufid);
	} else {
		error = userdp_execute(u, &op->flow.key, wbuf_span(&op->bytes),
				       &op->flow.actions);
	}
	odp_done(index, error, "", exec);
}

static void run_flow(struct exec *exec, size_t index)
{
	const struct op *op = &exec->ops->v[index];
	struct odp *odp = exec->config.odp;

	if (exec->userdp) {
		run_user_flow(exec, index);
	} else if (!odp) {
		odp_done(index, ENODEV, "", exec);
	} else if (op->type == OP_FLOW_PUT) {
		odp_batch_flow_put(odp, index, op->flow.there, &op->flow.ufid,
				   &op->flow.key, &op->flow.mask,
				   &op->flow.actions);
	} else if (op->type == OP_FLOW_DEL) {
		odp_batch_flow_del(odp, index, &op->flow.ufid);
	} else {
		odp_batch_execute(odp, index, &op->flow.key,
				  wbuf_span(&op->bytes), &op->flow.actions);
	}
}

struct flow_dump {
	struct exec *exec;
	uint64_t now_ms;
};

static uint64_t monotonic_ms(void)
{
	struct timespec ts;

	/* The kernel's clock for flows (net/openvswitch/datapath.c,
	 * ovs_flow_used_time()). */
	ovs_assert(!clock_gettime(CLOCK_MONOTONIC, &ts));
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void dumped(struct flow_dump *dump, const struct ufid *ufid,
		   const struct odp_flow_stats *stats)
{
	struct event *event = queue(dump->exec, EVENT_FLOW_STATS);

	event->flow_stats.ufid = *ufid;
	event->flow_stats.stats = *stats;
	event->flow_stats.idle_ms = dump->now_ms > stats->used_ms
					    ? dump->now_ms - stats->used_ms
					    : 0;
}

static void dumped_flow(const struct odp_flow *flow, void *dump)
{
	if (flow->has_ufid) { /* Else not one of ours. */
		dumped(dump, &flow->ufid, &flow->stats);
	}
}

static void dumped_user_flow(const struct userdp_flow *flow, void *dump)
{
	dumped(dump, &flow->ufid, &flow->stats);
}

static void run_flow_dump(struct exec *exec, const struct op *op)
{
	struct odp *odp = exec->config.odp;
	struct flow_dump dump = {exec, monotonic_ms()};
	struct odp_datapath dp;
	int error;

	if (exec->userdp) {
		userdp_flow_dump(exec->userdp, dumped_user_flow, &dump);
		queue_result(exec, op, 0, "");
		return;
	}
	error = odp ? odp_dp_get(odp, exec->config.datapath, &dp) : ENODEV;
	if (!error) {
		error = odp_flow_dump(odp, dp.ifindex, true, dumped_flow,
				      &dump);
	}
	queue_result(exec, op, error, odp ? odp_detail(odp) : "");
}

/* ---- IPsec ------------------------------------------------------------ */

static void xfrm_done(void *exec_, uint64_t index, int error, const char *text)
{
	struct exec *exec = exec_;

	queue_result(exec, &exec->ops->v[index], error, text);
}

static void flush_xfrm(struct exec *exec)
{
	if (exec->n_xfrm) {
		/* Every failure was handed to xfrm_done(). */
		(void)xfrm_socket_change(exec->config.xfrm, exec->xfrm,
					 exec->n_xfrm, xfrm_done, exec);
		exec->n_xfrm = 0;
	}
}

static void add_xfrm(struct exec *exec, size_t index,
		     enum xfrm_change_type type)
{
	const struct op *op = &exec->ops->v[index];
	struct xfrm_change *change;

	if (!exec->config.xfrm) {
		queue_result(exec, op, EPROTONOSUPPORT,
			     "the kernel has no IPsec (module xfrm_user)");
		return;
	}
	if (exec->n_xfrm == XFRM_BATCH) {
		flush_xfrm(exec);
	}
	change = &exec->xfrm[exec->n_xfrm++];
	change->type = type;
	change->cookie = index;
	if (type == XFRM_CHANGE_SA_ADD || type == XFRM_CHANGE_SA_DEL) {
		change->sa = &op->sa;
	} else {
		change->policy = &op->policy;
	}
}

static void run_ipsec_look(struct exec *exec, const struct op *op)
{
	struct event *event = queue(exec, EVENT_IPSEC);
	struct queued *q = CONTAINER_OF(event, struct queued, event);
	struct ipsec_sight errors = {.counted = false};

	if (!xfrm_stat_read(op->look.inbound, &errors)) {
		errors.counted = true;
	}
	q->sights = xcalloc(op->look.n, sizeof *q->sights);
	for (size_t i = 0; i < op->look.n; i++) {
		struct ipsec_sight *s = &q->sights[i];
		struct xfrm_sa sa;
		int error = exec->config.xfrm
				    ? xfrm_socket_get_sa(exec->config.xfrm,
							 &op->look.dst,
							 op->look.spis[i], &sa)
				    : EPROTONOSUPPORT;

		*s = errors;
		s->seen = !error || error == ESRCH;
		s->exists = !error;
		s->packets = error ? 0 : sa.packets;
	}
	event->ipsec.cookie = op->cookie;
	event->ipsec.sas = q->sights;
	event->ipsec.n = op->look.n;
}

static void run_guard_put(struct exec *exec, const struct op *op)
{
	struct event *event;

	if (guard_put(exec->config.guard, &op->guard, op->cookie)) {
		event = queue_result(exec, op, 0, "");
		if (event) {
			event->result.guard = GUARD_NFTABLES;
		}
	}
}

static void guard_put_told(struct exec *exec, uint64_t cookie, int error,
			   const char *text)
{
	const struct op op = {.type = OP_GUARD_PUT, .cookie = cookie};
	struct ds why = DS_EMPTY_INITIALIZER;
	enum guard_kind kind =
		guard_put_done(exec->config.guard, error, text, &why);
	struct event *event = queue_result(exec, &op, error, ds_cstr(&why));

	if (event) {
		event->result.guard = kind;
	}
	ds_destroy(&why);
}

static void run_guard_del(struct exec *exec, const struct op *op)
{
	struct ds why = DS_EMPTY_INITIALIZER;
	int error = guard_del(exec->config.guard, NULL, &why);

	queue_result(exec, op, error, ds_cstr(&why));
	ds_destroy(&why);
}

/* ---- datapath and ports ----------------------------------------------- */

/* Of 'what' called 'name', which carries another alias than ours. */
static void say_whose(const char *what, const char *name, const char *alias,
		      const char *otherwise, struct ds *why)
{
	if (!strncmp(alias, "fdpd:", 5)) {
		ds_put_format(why,
			      "the %s \"%s\" belongs to an fdpd with another "
			      "identity; give its --state-dir, remove what it "
			      "left with `fdpctl reset`, or choose another "
			      "name with --datapath",
			      what, name);
	} else {
		ds_put_format(why,
			      "the %s \"%s\" exists and is not ours; choose "
			      "another name with --datapath%s",
			      what, name, otherwise);
	}
}

int exec_find_datapath(struct exec *exec, struct odp_datapath *dp,
		       struct ds *why)
{
	const char *name = exec->config.datapath;
	struct odp_datapath found;
	struct rt_link link;
	int error;

	error = exec->config.odp ? odp_dp_get(exec->config.odp, name, &found)
				 : ENODEV;
	if (!error) {
		error = rt_link_get(exec->config.rt, name, &link);
		if (!error && !strcmp(link.alias, exec->config.alias)) {
			*dp = found;
			return 0;
		}
		if (!error) {
			say_whose("datapath", name, link.alias,
				  ", or remove it with `ovs-dpctl del-dp` if "
				  "nobody needs it",
				  why);
		}
		error = error ? error : EEXIST;
	}
	if (error && error != ENODEV && !why->length) {
		ds_put_format(why, "cannot look at the datapath \"%s\" (%s)",
			      name, ovs_strerror(error));
	}
	return error;
}

static int create_datapath(struct exec *exec, struct odp_datapath *dp,
			   struct ds *why)
{
	const char *name = exec->config.datapath;
	struct rt_link_change mark = {.no_addrgen = true,
				      .alias = exec->config.alias};
	int error;

	error = odp_dp_create(exec->config.odp, name, dp);
	if (error) {
		if (error == EEXIST) {
			ds_put_format(why,
				      "a network device \"%s\" exists already; "
				      "choose another name with --datapath",
				      name);
		} else if (error == EPERM) {
			ds_put_cstr(why, "fdpd needs the capability "
					 "CAP_NET_ADMIN; run it as root");
		} else {
			ds_put_cstr(why, odp_detail(exec->config.odp));
		}
		return error;
	}
	error = rt_link_set(exec->config.rt, name, &mark);
	if (error) {
		ds_put_format(why, "cannot mark the datapath \"%s\" as ours %s",
			      name, rt_socket_text(exec->config.rt));
		(void)!odp_dp_del(exec->config.odp, name);
	}
	return error;
}

/* A TAP of our own namespace, up if 'up': made, or taken over if it carries our
 * alias. */
static int open_own_tap(struct exec *exec, const char *name, bool up,
			uint32_t mtu, int *fds, size_t n, struct rt_link *link,
			struct ds *why)
{
	const struct rt_link_change change = {.no_addrgen = true,
					      .set_up = up,
					      .mtu = mtu,
					      .alias = exec->config.alias};
	int error = rt_link_get(exec->config.rt, name, link);

	if (!error && strcmp(link->alias, exec->config.alias)) {
		say_whose("network device", name, link->alias, "", why);
		return EEXIST;
	}
	error = tap_open(name, n, fds);
	if (error) {
		ds_put_format(why, "cannot make the TAP device \"%s\" (%s)",
			      name,
			      error == ENOENT	? "there is no /dev/net/tun "
						  "here; run: modprobe tun"
			      : error == ENODEV ? "run: modprobe tun"
						: ovs_strerror(error));
		return error;
	}
	error = rt_link_set(exec->config.rt, name, &change);
	if (!error) {
		error = rt_link_get(exec->config.rt, name, link);
	}
	if (error) {
		ds_put_format(why, "cannot set up the TAP device \"%s\" %s",
			      name, rt_socket_text(exec->config.rt));
		tap_close(fds, n);
	}
	return error;
}

/* The host's own port is a TAP of the datapath's name, which stays as long as
 * the kernel's would. */
static int make_user_datapath(struct exec *exec, uint32_t *ifindex,
			      struct ds *why)
{
	const struct exec_config *c = &exec->config;
	struct odp_vport vport = {.port_no = ODP_LOCAL_PORT,
				  .type = ODP_VPORT_TAP};
	int fds[TAP_QUEUES_MAX];
	struct rt_link link;
	size_t n;
	int error;

	if (!c->sleeve) {
		ds_put_cstr(why, "there is no sleeve");
		return EOPNOTSUPP;
	}
	n = sleeve_n_threads(c->sleeve);
	error = open_own_tap(exec, c->datapath, false, 0, fds, n, &link, why);
	if (error) {
		return error;
	}
	if (!exec->userdp) {
		exec->userdp = userdp_new(c->sleeve);
	}
	vport.ifindex = link.ifindex;
	ovs_strlcpy(vport.name, c->datapath, sizeof vport.name);
	/* Somebody may have taken the device away; it is another one now. */
	(void)!userdp_port_del(exec->userdp, ODP_LOCAL_PORT, false);
	(void)!tap_persist(fds[0], true);
	error = userdp_port_add(exec->userdp, &vport, "", fds, n);
	if (error) {
		tap_close(fds, n);
		ds_put_format(why, "cannot serve the TAP device \"%s\" (%s)",
			      c->datapath, ovs_strerror(error));
	}
	*ifindex = link.ifindex;
	return error;
}

static void run_user_datapath_add(struct exec *exec, const struct op *op)
{
	struct ds why = DS_EMPTY_INITIALIZER;
	uint32_t ifindex = 0;
	int error = make_user_datapath(exec, &ifindex, &why);
	struct event *event = queue_result(exec, op, error, ds_cstr(&why));

	if (event && !error) {
		event->result.ifindex = ifindex;
	}
	ds_destroy(&why);
}

static void run_datapath_add(struct exec *exec, const struct op *op)
{
	struct ds why = DS_EMPTY_INITIALIZER;
	struct odp_datapath dp;
	struct event *event;
	int error;

	if (op->datapath.user) {
		run_user_datapath_add(exec, op);
		return;
	}
	if (!exec->config.odp) {
		queue_result(exec, op, ENOENT, EXEC_NO_OPENVSWITCH);
		return;
	}
	error = exec_find_datapath(exec, &dp, &why);
	if (!error) {
		error = odp_dp_adopt(exec->config.odp, exec->config.datapath,
				     &dp);
		if (error) {
			ds_put_cstr(&why, odp_detail(exec->config.odp));
		}
	} else if (error == ENODEV) {
		error = create_datapath(exec, &dp, &why);
	}
	event = queue_result(exec, op, error, ds_cstr(&why));
	if (event && !error) {
		event->result.ifindex = dp.ifindex;
		event->result.checks_size = odp_checks_size(exec->config.odp);
	}
	ds_destroy(&why);
}

static void run_datapath_del(struct exec *exec, const struct op *op)
{
	struct ds why = DS_EMPTY_INITIALIZER;
	struct odp_datapath dp;
	int error;

	if (exec->userdp) {
		(void)!userdp_port_del(exec->userdp, ODP_LOCAL_PORT, false);
		queue_result(exec, op, 0, "");
		return;
	}
	/* Never somebody else's. */
	error = exec_find_datapath(exec, &dp, &why);
	if (!error) {
		error = odp_dp_del(exec->config.odp, exec->config.datapath);
		ds_put_cstr(&why, odp_detail(exec->config.odp));
	}
	queue_result(exec, op, error == ENODEV ? 0 : error, ds_cstr(&why));
	ds_destroy(&why);
}

static void run_vport_adopt(struct exec *exec, const struct op *op)
{
	struct odp *odp = exec->userdp ? NULL : exec->config.odp;
	struct odp_vport vport;
	struct event *event;
	int error;

	/* Whatever there is in user space is served. */
	error = exec->userdp ? userdp_port_get(exec->userdp, op->vport.port_no,
					       &vport)
		: odp	     ? odp_vport_adopt(odp, op->vport.port_no)
			     : ENODEV;
	/* EEXIST: its upcalls are served already. */
	event = queue_result(exec, op, error == EEXIST ? 0 : error,
			     odp ? odp_detail(odp) : "");
	if (event) {
		event->result.port_no = op->vport.port_no;
		event->result.ifindex = op->vport.ifindex;
	}
}

static void vport_added(struct exec *exec, const struct op *op, int error,
			const char *detail, const struct odp_vport *vport)
{
	struct event *event = queue_result(exec, op, error, detail);

	if (event && !error) {
		event->result.port_no = vport->port_no;
		event->result.ifindex = vport->ifindex;
	}
}

/* A TAP inside of a namespace, whose queues the agent opens. */
struct tap_job {
	uint64_t cookie;
	bool done;
	int error;
	char text[256];
	int fds[TAP_QUEUES_MAX];
	size_t n_fds;
};

static void tap_told(struct exec *exec, const struct agent_result *r)
{
	struct tap_job *job = exec->tap;

	if (!job || r->cookie != job->cookie || r->n_fds > TAP_QUEUES_MAX) {
		tap_close(r->fds, r->n_fds);
		return;
	}
	job->done = true;
	job->error = r->error;
	ovs_strlcpy(job->text, r->text ? r->text : "", sizeof job->text);
	memcpy(job->fds, r->fds, r->n_fds * sizeof *r->fds);
	job->n_fds = r->n_fds;
}

/* Waits for it, as a command may wait for the port; what comes too late is
 * closed by tap_told(). */
static void open_tap_inside(struct exec *exec, const struct op *op,
			    struct tap_job *job)
{
	struct agent_tap tap = {.n_queues =
					sleeve_n_threads(exec->config.sleeve)};

	ovs_strlcpy(tap.ifname, op->tap_ifname, sizeof tap.ifname);
	ovs_strlcpy(tap.netns, op->tap_netns, sizeof tap.netns);
	exec->tap = job;
	agent_open_tap(exec->config.agent, job->cookie, &tap);
	/* One that did not answer in time is not waited for again until it
	 * does: who is stuck holds the daemon once. */
	exec->agent_is_stuck = !agent_settle(
		exec->config.agent, exec->agent_is_stuck ? 0 : TAP_WAIT_MS);
	exec_poll(exec);
	exec->tap = NULL;
	if (!job->done) {
		job->error = ETIMEDOUT;
		ovs_strlcpy(job->text,
			    "the privileged part of fdpd is stuck in another "
			    "namespace; try again",
			    sizeof job->text);
	}
}

static void run_user_vport_add(struct exec *exec, const struct op *op)
{
	static uint64_t cookie;
	struct tap_job job = {.cookie = ++cookie};
	struct odp_vport vport = op->vport;

	if (vport.type == ODP_VPORT_TAP) {
		open_tap_inside(exec, op, &job);
	}
	if (!job.error) {
		job.error = userdp_port_add(exec->userdp, &vport, op->tap_netns,
					    job.fds, job.n_fds);
		if (job.error) {
			tap_close(job.fds, job.n_fds);
		}
	}
	vport_added(exec, op, job.error, job.text, &vport);
}

/* The sleeve beside the kernel datapath: a TAP that is a port of it. */
static void run_trunk_add(struct exec *exec, const struct op *op)
{
	const struct exec_config *c = &exec->config;
	struct ds why = DS_EMPTY_INITIALIZER;
	struct odp_vport vport = op->vport;
	int fds[TAP_QUEUES_MAX];
	struct rt_link link;
	size_t n = 0;
	int error = EOPNOTSUPP;

	if (c->sleeve) {
		n = sleeve_n_threads(c->sleeve);
		error = open_own_tap(exec, op->tap_ifname, true, TRUNK_MTU, fds,
				     n, &link, &why);
	}
	if (!error) {
		error = odp_vport_add(c->odp, &vport);
		if (error) {
			ds_put_cstr(&why, odp_detail(c->odp));
			tap_close(fds, n);
		}
	}
	if (!error) {
		/* Of one that was taken away. */
		if (exec->has_trunk) {
			(void)sleeve_tap_del(c->sleeve, exec->trunk);
		}
		error = sleeve_tap_add(c->sleeve, vport.port_no, fds, n,
				       SLEEVE_TAP_TRUNK);
		if (error) {
			tap_close(fds, n); /* The port goes with the device. */
		} else {
			exec->has_trunk = true;
			exec->trunk = vport.port_no;
		}
	}
	vport_added(exec, op, error, ds_cstr(&why), &vport);
	ds_destroy(&why);
}

static void run_vport_add(struct exec *exec, const struct op *op)
{
	struct odp_vport vport = op->vport;
	char *own = NULL;
	int error;

	if (exec->userdp) {
		run_user_vport_add(exec, op);
		return;
	}
	if (!exec->config.odp) {
		queue_result(exec, op, ENODEV, "");
		return;
	}
	if (vport.type == ODP_VPORT_TAP) {
		run_trunk_add(exec, op);
		return;
	}
	error = odp_vport_add(exec->config.odp, &vport);
	if (vport.type == ODP_VPORT_VXLAN &&
	    (error == EEXIST || error == EADDRINUSE)) {
		own = xasprintf("the device name \"%s\" or UDP port %u is "
				"taken; choose another with --port (VXLAN uses "
				"the port after it)",
				vport.name, vport.udp_port);
	} else if (vport.type == ODP_VPORT_VXLAN &&
		   (error == EAFNOSUPPORT || error == ENOTSUP)) {
		own = xstrdup("the kernel has no VXLAN ports; run: modprobe "
			      "vport-vxlan");
	}
	vport_added(exec, op, error, own ? own : odp_detail(exec->config.odp),
		    &vport);
	free(own);
}

static void run_vport_del(struct exec *exec, const struct op *op)
{
	struct odp *odp = exec->userdp ? NULL : exec->config.odp;
	int error = exec->userdp ? userdp_port_del(exec->userdp,
						   op->vport.port_no, false)
		    : odp	 ? odp_vport_del(odp, op->vport.port_no)
				 : ENODEV;

	if (exec->has_trunk && op->vport.port_no == exec->trunk) {
		(void)sleeve_tap_del(exec->config.sleeve, exec->trunk);
		exec->has_trunk = false;
	}
	queue_result(exec, op, error == ENODEV ? 0 : error,
		     odp ? odp_detail(odp) : "");
}

/* ---- the sleeve ------------------------------------------------------- */

static int run_sleeve(struct sleeve *s, const struct op *op)
{
	const struct op_sleeve *o = &op->sleeve;

	switch (op->type) {
	case OP_SLEEVE_IN:
		return sleeve_put_in(s, o);
	case OP_SLEEVE_IN_DEL:
		sleeve_del_in(s, o->index);
		return 0;
	case OP_SLEEVE_OUT:
		return sleeve_set_out(s, o);
	case OP_SLEEVE_MTU:
		return sleeve_set_mtu(s, o->peer, o->mtu);
	case OP_SLEEVE_DEL:
		sleeve_del_peer(s, o->peer);
		return 0;
	case OP_SLEEVE_LANE:
		return sleeve_set_vlan(
			s, op->sleeve_lane.vid, op->sleeve_lane.peer,
			op->sleeve_lane.vni, op->sleeve_lane.del);
	default:
		return EINVAL;
	}
}

/* ---- links and routes ------------------------------------------------- */

static void run_route_get(struct exec *exec, const struct op *op)
{
	struct event *event = queue(exec, EVENT_ROUTE);
	struct rt_route route = {0};
	struct rt_link link;

	event->os_errno = rt_route_get(exec->config.rt, &op->route.dst, &route);
	event->route.cookie = op->cookie;
	event->route.dst = op->route.dst;
	event->route.src = route.src;
	/* What the loopback takes (it is our own address) tells nothing. */
	event->route.mtu = route.local ? 0 : route.mtu;
	event->route.limit = route.local ? 0 : route.limit;
	event->route.ifindex = route.ifindex;
	if (!event->os_errno &&
	    !rt_link_get_by_index(exec->config.rt, route.ifindex, &link)) {
		ovs_strlcpy(event->route.ifname, link.name,
			    sizeof event->route.ifname);
	}
}

static void run_route_forget(struct exec *exec, const struct op *op)
{
	queue_result(exec, op, rt_route_forget(exec->config.rt, &op->route.dst),
		     rt_socket_text(exec->config.rt));
}

static void run_link_mtu(struct exec *exec, const struct op *op)
{
	struct agent_mtu mtu = {.mtu = op->link.mtu};

	if (!op->link.tap) {
		ovs_strlcpy(mtu.host_ifname, op->link.host_ifname,
			    sizeof mtu.host_ifname);
	}
	ovs_strlcpy(mtu.ifname, op->link.ifname, sizeof mtu.ifname);
	ovs_strlcpy(mtu.netns, op->link.netns, sizeof mtu.netns);
	agent_set_mtu(exec->config.agent, op->cookie, &mtu);
}

static void run_link_set(struct exec *exec, const struct op *op)
{
	bool changed = false;
	int error =
		rt_link_restore(exec->config.rt, op->link.ifindex,
				op->link.host_ifname, op->link.up, &changed);
	struct event *event = queue_result(
		exec, op, error,
		error == EADDRINUSE ? "its UDP port is taken by another "
				      "program, which has to go"
				    : rt_socket_text(exec->config.rt));

	if (event) {
		event->result.changed = changed;
	}
}

static void agent_told(void *exec, const struct agent_result *r)
{
	const struct op op = {.type = OP_LINK_MTU, .cookie = r->cookie};

	switch (r->work) {
	case AGENT_GUARD_PUT:
		guard_put_told(exec, r->cookie, r->error, r->text);
		break;
	case AGENT_MTU:
		queue_result(exec, &op, r->error, r->text);
		break;
	case AGENT_TAP:
		tap_told(exec, r);
		break;
	}
}

void exec_poll(struct exec *exec)
{
	agent_run(exec->config.agent, agent_told, exec);
}

bool exec_wait_guard(struct exec *exec)
{
	bool any = agent_guard_settle(exec->config.agent);

	exec_poll(exec);
	return any;
}

static void run_link_del(struct exec *exec, const struct op *op)
{
	int error = rt_link_del(exec->config.rt, op->link.host_ifname);

	queue_result(exec, op, error == ENODEV ? 0 : error,
		     rt_socket_text(exec->config.rt));
}

/* ---- the rest --------------------------------------------------------- */

static void run_save(struct exec *exec, const struct op *op)
{
	struct ds why = DS_EMPTY_INITIALIZER;
	int error;

	error = statefile_save(exec->config.state, wbuf_span(&op->bytes), &why);
	queue_result(exec, op, error, ds_cstr(&why));
	ds_destroy(&why);
}

static void run_remember(struct exec *exec, const struct op *op)
{
	struct ds why = DS_EMPTY_INITIALIZER;
	int error = statefile_save_peers(exec->config.state,
					 wbuf_span(&op->bytes), &why);

	queue_result(exec, op, error, ds_cstr(&why));
	ds_destroy(&why);
}

static void run_log(const struct op *op)
{
	/* Whatever strangers make us say, the log stays readable. */
	static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(60, 300);

	switch (op->level) {
	case OP_LOG_ERR:
		VLOG_ERR_RL(&rl, "%s", op->text);
		break;
	case OP_LOG_WARN:
		VLOG_WARN_RL(&rl, "%s", op->text);
		break;
	case OP_LOG_INFO:
		VLOG_INFO_RL(&rl, "%s", op->text);
		break;
	case OP_LOG_DBG:
		VLOG_DBG("%s", op->text);
		break;
	}
}

/* What is done, for those who want to see everything: vlog/set engine:dbg. */
static void log_op(const struct op *op)
{
	struct ds ds = DS_EMPTY_INITIALIZER;

	ds_put_cstr(&ds, op_type_name(op->type));
	switch (op->type) {
	case OP_DIAL:
	case OP_SEND:
	case OP_CLOSE:
		ds_put_format(&ds, " connection %u, %zu bytes", op->conn,
			      op->bytes.size);
		break;
	case OP_VPORT_ADD:
	case OP_VPORT_ADOPT:
	case OP_VPORT_DEL:
		ds_put_format(&ds, " %u %s", op->vport.port_no, op->vport.name);
		break;
	case OP_FLOW_PUT:
		ds_put_char(&ds, ' ');
		flow_print_key(&ds, &op->flow.key, &op->flow.mask);
		ds_put_cstr(&ds, ", actions:");
		flow_print_actions(&ds, &op->flow.actions);
		/* fall through */
	case OP_FLOW_DEL:
		ds_put_cstr(&ds, " ufid:");
		ds_put_hex(&ds, op->flow.ufid.b, sizeof op->flow.ufid.b);
		break;
	case OP_EXECUTE:
		ds_put_char(&ds, ' ');
		flow_print_key(&ds, &op->flow.key, NULL);
		ds_put_cstr(&ds, ", actions:");
		flow_print_actions(&ds, &op->flow.actions);
		break;
	case OP_SA_ADD:
	case OP_SA_DEL:
		ds_put_format(&ds, " spi 0x%08x", op->sa.spi);
		break;
	case OP_LINK_MTU:
		ds_put_format(&ds, " %s %u", op->link.host_ifname,
			      op->link.mtu);
		break;
	case OP_LINK_SET:
		ds_put_format(&ds, " %u %s", op->link.ifindex,
			      op->link.host_ifname);
		break;
	case OP_DATAPATH_ADD:
	case OP_DATAPATH_DEL:
	case OP_FLOW_DUMP:
	case OP_POLICY_PUT:
	case OP_POLICY_DEL:
	case OP_GUARD_PUT:
	case OP_GUARD_DEL:
	case OP_IPSEC_LOOK:
	case OP_SLEEVE_IN:
	case OP_SLEEVE_IN_DEL:
	case OP_SLEEVE_OUT:
	case OP_SLEEVE_MTU:
	case OP_SLEEVE_DEL:
	case OP_SLEEVE_LANE:
	case OP_ROUTE_GET:
	case OP_ROUTE_FORGET:
	case OP_SEND_TEST:
	case OP_LINK_DEL:
	case OP_REPLY:
	case OP_LOG:
	case OP_SAVE:
	case OP_REMEMBER:
	case OP_FATAL:
		break;
	}
	VLOG_DBG("op %s", ds_cstr(&ds));
	ds_destroy(&ds);
}

static void run_op(struct exec *exec, size_t index)
{
	const struct exec_config *config = &exec->config;
	const struct op *op = &exec->ops->v[index];

	if (VLOG_IS_DBG_ENABLED() && op->type != OP_LOG) {
		log_op(op);
	}
	switch (op->type) {
	case OP_DIAL:
		tcp_dial(config->tcp, op->conn, &op->dial.remote);
		break;
	case OP_SEND:
		tcp_send(config->tcp, op->conn, wbuf_span(&op->bytes));
		break;
	case OP_CLOSE:
		tcp_close(config->tcp, op->conn);
		break;
	case OP_DATAPATH_ADD:
		run_datapath_add(exec, op);
		break;
	case OP_DATAPATH_DEL:
		run_datapath_del(exec, op);
		break;
	case OP_VPORT_ADD:
		run_vport_add(exec, op);
		break;
	case OP_VPORT_ADOPT:
		run_vport_adopt(exec, op);
		break;
	case OP_VPORT_DEL:
		run_vport_del(exec, op);
		break;
	case OP_FLOW_PUT:
	case OP_FLOW_DEL:
	case OP_EXECUTE:
		run_flow(exec, index);
		break;
	case OP_FLOW_DUMP:
		run_flow_dump(exec, op);
		break;
	case OP_SA_ADD:
		add_xfrm(exec, index, XFRM_CHANGE_SA_ADD);
		break;
	case OP_SA_DEL:
		add_xfrm(exec, index, XFRM_CHANGE_SA_DEL);
		break;
	case OP_POLICY_PUT:
		add_xfrm(exec, index, XFRM_CHANGE_POLICY_PUT);
		break;
	case OP_POLICY_DEL:
		add_xfrm(exec, index, XFRM_CHANGE_POLICY_DEL);
		break;
	case OP_GUARD_PUT:
		run_guard_put(exec, op);
		break;
	case OP_GUARD_DEL:
		run_guard_del(exec, op);
		break;
	case OP_IPSEC_LOOK:
		run_ipsec_look(exec, op);
		break;
	case OP_SLEEVE_IN:
	case OP_SLEEVE_IN_DEL:
	case OP_SLEEVE_OUT:
	case OP_SLEEVE_MTU:
	case OP_SLEEVE_DEL:
	case OP_SLEEVE_LANE:
		queue_result(exec, op,
			     config->sleeve ? run_sleeve(config->sleeve, op)
					    : EOPNOTSUPP,
			     "");
		break;
	case OP_ROUTE_GET:
		run_route_get(exec, op);
		break;
	case OP_ROUTE_FORGET:
		run_route_forget(exec, op);
		break;
	case OP_SEND_TEST:
		queue_result(exec, op,
			     udp_send_test(&op->test.local, &op->test.remote,
					   op->test.udp_port, op->test.mark,
					   wbuf_span(&op->bytes)),
			     "");
		break;
	case OP_LINK_MTU:
		run_link_mtu(exec, op);
		break;
	case OP_LINK_SET:
		run_link_set(exec, op);
		break;
	case OP_LINK_DEL:
		run_link_del(exec, op);
		break;
	case OP_REPLY:
		config->reply(config->aux, op->reply.command, op->reply.ok,
			      op->text);
		break;
	case OP_LOG:
		run_log(op);
		break;
	case OP_SAVE:
		run_save(exec, op);
		break;
	case OP_REMEMBER:
		run_remember(exec, op);
		break;
	case OP_FATAL:
		config->fatal(config->aux, op->text);
		break;
	}
}

enum batch {
	BATCH_ODP,
	BATCH_XFRM,
	BATCH_NONE
};

static enum batch batch_of(enum op_type type)
{
	switch (type) {
	case OP_FLOW_PUT:
	case OP_FLOW_DEL:
	case OP_EXECUTE:
		return BATCH_ODP;
	case OP_SA_ADD:
	case OP_SA_DEL:
	case OP_POLICY_PUT:
	case OP_POLICY_DEL:
		return BATCH_XFRM;
	case OP_DIAL:
	case OP_SEND:
	case OP_CLOSE:
	case OP_DATAPATH_ADD:
	case OP_DATAPATH_DEL:
	case OP_VPORT_ADD:
	case OP_VPORT_ADOPT:
	case OP_VPORT_DEL:
	case OP_FLOW_DUMP:
	case OP_GUARD_PUT:
	case OP_GUARD_DEL:
	case OP_IPSEC_LOOK:
	case OP_SLEEVE_IN:
	case OP_SLEEVE_IN_DEL:
	case OP_SLEEVE_OUT:
	case OP_SLEEVE_MTU:
	case OP_SLEEVE_DEL:
	case OP_SLEEVE_LANE:
	case OP_ROUTE_GET:
	case OP_ROUTE_FORGET:
	case OP_SEND_TEST:
	case OP_LINK_MTU:
	case OP_LINK_SET:
	case OP_LINK_DEL:
	case OP_REPLY:
	case OP_LOG:
	case OP_SAVE:
	case OP_REMEMBER:
	case OP_FATAL:
		break;
	}
	return BATCH_NONE;
}

void exec_run(struct exec *exec, const struct ops *ops)
{
	exec->ops = ops;
	tcp_hold(exec->config.tcp);
	for (size_t i = 0; i < ops->n; i++) {
		enum batch batch = batch_of(ops->v[i].type);

		if (batch != BATCH_ODP) {
			flush_odp(exec);
		}
		if (batch != BATCH_XFRM) {
			flush_xfrm(exec);
		}
		run_op(exec, i);
		if (fault_is_last(&ops->v[i])) {
			flush_odp(exec);
			flush_xfrm(exec);
			tcp_release(exec->config.tcp);
			fault_die();
		}
	}
	flush_odp(exec);
	flush_xfrm(exec);
	tcp_release(exec->config.tcp);
	exec->ops = NULL;
}
