#include "kmod-glue/odp_socket.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <linux/openvswitch.h>
#include <linux/sock_diag.h>

#include "hash.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "util.h"

#include "base/bucket.h"
#include "datapath/flow_table.h"
#include "kmod-glue/genl.h"
#include "kmod-glue/manager.h"

enum {
	/* Requests: acknowledgements and errors of a whole batch. */
	REQUEST_RCVBUF = 4 * 1024 * 1024,
	EVENT_RCVBUF = 4 * 1024 * 1024,
	/* A container's own queue: some thousand small frames. */
	PORT_RCVBUF = 4 * 1024 * 1024,
	/* What many share: the tunnel port, and all in per-CPU dispatch. */
	SHARED_RCVBUF = 32 * 1024 * 1024,

	/* A frame is one attribute, of at most 64 KiB; the key is small. */
	UPCALL_SIZE = 68 * 1024,
	UPCALL_BATCH = 16, /* Also the quota of a channel in a round. */
	MAX_READY = 64,

	/* What a container may ask of us: to fill its share of the flow table,
	 * and to renew it at the pace at which idle flows leave. */
	PORT_BURST = FLOW_SOURCE_MAX,
	PORT_RATE = FLOW_SOURCE_MAX / (FLOW_IDLE_US / 1000000),
	/* Who has asked for more than that at once gets a few at a time: it
	 * opens flows for itself, and others would wait for all of them. */
	PORT_MODEST = 2048,
	UPCALL_FEW = 4,

	FEATURES = OVS_DP_F_UNALIGNED | OVS_DP_F_VPORT_PIDS,
	FEATURES_PER_CPU = OVS_DP_F_UNALIGNED | OVS_DP_F_DISPATCH_UPCALL_PER_CPU
};

/* Where the upcalls of one port arrive; owned by struct odp. */
struct channel {
	struct hmap_node node; /* In odp's 'channels', by port number. */
	struct channel *next;  /* In odp's 'dead'. */
	uint32_t port_no;
	uint32_t ifindex;
	char name[ODP_NAME_SIZE];
	struct mnl_socket *nl;
	int fd;
	uint32_t pid;
	bool limited;	      /* It is a container's... */
	struct bucket bucket; /* ...and may be served so often. */
	bool waits;	      /* Not in 'upcall_epoll_fd', in 'waiting'. */
	struct ovs_list node_waiting;
	struct odp_counters counters;
};

/* Buffers for one recvmmsg(). */
struct upcall_buffers {
	uint8_t data[UPCALL_BATCH][UPCALL_SIZE];
	struct iovec iov[UPCALL_BATCH];
	struct mmsghdr msgs[UPCALL_BATCH];
};

struct odp {
	struct genl genl;   /* Requests. */
	struct genl events; /* Multicast groups. */
	uint16_t family[N_ODP_FAMILIES];
	struct genl_batch batch;

	int epoll_fd;	     /* 'events' and 'upcall_epoll_fd'. */
	int upcall_epoll_fd; /* Channels. */

	struct odp_datapath dp; /* Ours; ifindex 0 = none. */
	struct hmap channels;
	struct channel *per_cpu; /* Not in 'channels'. */
	/* Channels removed while a round is on: freed at its end, as the
	 * round may hold a pointer. */
	struct channel *dead;
	struct ovs_list waiting; /* Channels without tokens. */
	bool in_round;
	struct upcall_buffers *buffers;
	struct odp_counters counters; /* Of ports that are gone, and others. */

	bool keeps;		     /* The manager has copies of sockets. */
	struct manager_socket *kept; /* That no port has back yet. */
	size_t n_kept;
};

/* ---- channels --------------------------------------------------------- */

static void channel_free(struct channel *c)
{
	if (c->nl) {
		mnl_socket_close(c->nl);
	}
	free(c);
}

static int channel_watch(struct channel *c, int epoll_fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) ? errno : 0;
}

/* The socket of that port id, if the manager has kept it. */
static struct mnl_socket *take_kept(struct odp *o, uint32_t pid)
{
	for (size_t i = 0; i < o->n_kept; i++) {
		if (o->kept[i].port_id == pid) {
			const int fd = o->kept[i].fd;

			o->kept[i] = o->kept[--o->n_kept];
			return mnl_socket_fdopen(fd);
		}
	}
	return NULL;
}

/* Under the port id 'pid', if it is not 0 and nobody else has it. */
static int channel_bind(struct channel *c, uint32_t pid)
{
	if (pid && !mnl_socket_bind(c->nl, 0, (pid_t)pid)) {
		return 0;
	}
	return mnl_socket_bind(c->nl, 0, MNL_SOCKET_AUTOPID) < 0 ? errno : 0;
}

static int channel_open(struct odp *o, struct channel *c, uint32_t pid)
{
	c->nl = take_kept(o, pid);
	if (c->nl) {
		return 0;
	}
	c->nl = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC | SOCK_NONBLOCK);
	return c->nl ? channel_bind(c, pid) : errno;
}

static int channel_set_up(struct odp *o, struct channel *c, uint32_t pid,
			  int rcvbuf)
{
	int error = channel_open(o, c, pid);

	if (error) {
		return error;
	}
	c->fd = mnl_socket_get_fd(c->nl);
	c->pid = mnl_socket_get_portid(c->nl);
	/* Without CAP_NET_ADMIN the system's limit holds; upcalls are counted
	 * as lost sooner then. */
	if (setsockopt(c->fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf,
		       sizeof rcvbuf)) {
		(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf,
				 sizeof rcvbuf);
	}
	return channel_watch(c, o->upcall_epoll_fd);
}

static void keep(const struct odp *o, const struct channel *c)
{
	if (o->keeps) {
		manager_keep(&(struct manager_socket){c->fd, c->pid});
	}
}

/* What its full queue has dropped (netlink_overrun() in
 * net/netlink/af_netlink.c); what the kernel tells once, ENOBUFS, when it does
 * not count. */
static uint64_t channel_lost(const struct channel *c)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t size = sizeof info;

	if (c->fd < 0 ||
	    getsockopt(c->fd, SOL_SOCKET, SO_MEMINFO, info, &size)) {
		return c->counters.lost;
	}
	return MAX(c->counters.lost, info[SK_MEMINFO_DROPS]);
}

static int channel_new(struct odp *o, uint32_t port_no, uint32_t pid,
		       int rcvbuf, struct channel **channel)
{
	struct channel *c = xzalloc(sizeof *c);
	int error;

	c->port_no = port_no;
	error = channel_set_up(o, c, pid, rcvbuf);
	if (error) {
		channel_free(c);
		return error;
	}
	*channel = c;
	return 0;
}

static struct channel *channel_find(const struct odp *o, uint32_t port_no)
{
	struct channel *c;

	HMAP_FOR_EACH_WITH_HASH (c, node, hash_int(port_no, 0), &o->channels) {
		if (c->port_no == port_no) {
			return c;
		}
	}
	return NULL;
}

static void channel_insert(struct odp *o, struct channel *c,
			   const struct odp_vport *vport)
{
	c->limited = vport->type == ODP_VPORT_NETDEV;
	c->port_no = vport->port_no;
	c->ifindex = vport->ifindex;
	memcpy(c->name, vport->name, sizeof c->name);
	hmap_insert(&o->channels, &c->node, hash_int(c->port_no, 0));
	keep(o, c);
}

static void add(struct odp_counters *sum, const struct odp_counters *c)
{
	sum->handled += c->handled;
	sum->lost += c->lost;
	sum->malformed += c->malformed;
	sum->waited += c->waited;
}

static void channel_remove(struct odp *o, struct channel *c)
{
	hmap_remove(&o->channels, &c->node);
	if (c->waits) {
		ovs_list_remove(&c->node_waiting);
	}
	c->counters.lost = channel_lost(c);
	add(&o->counters, &c->counters);
	if (o->keeps) {
		manager_release(&(struct manager_socket){c->fd, c->pid});
	}
	mnl_socket_close(c->nl);
	c->nl = NULL;
	c->fd = -1;
	c->next = o->dead;
	o->dead = c;
}

static void free_dead(struct odp *o)
{
	while (o->dead && !o->in_round) {
		struct channel *c = o->dead;

		o->dead = c->next;
		channel_free(c);
	}
}

static void drop_channels(struct odp *o)
{
	struct channel *c, *next;

	HMAP_FOR_EACH_SAFE (c, next, node, &o->channels) {
		channel_remove(o, c);
	}
	free_dead(o);
}

/* ---- handle ----------------------------------------------------------- */

static int watch(int epoll_fd, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) ? errno : 0;
}

static int resolve(struct odp *o, uint32_t groups[N_ODP_FAMILIES])
{
	for (int i = 0; i < N_ODP_FAMILIES; i++) {
		int error = genl_family(&o->genl,
					odp_family_name((enum odp_family)i),
					&o->family[i], &groups[i]);

		if (error) {
			return error;
		}
	}
	return 0;
}

static int open_all(struct odp *o)
{
	uint32_t groups[N_ODP_FAMILIES] = {0};
	int error = genl_open(&o->genl, REQUEST_RCVBUF);

	if (!error) {
		error = genl_open(&o->events, EVENT_RCVBUF);
	}
	if (!error) {
		error = resolve(o, groups);
	}
	if (!error) {
		error = genl_join(&o->events, groups[ODP_DATAPATH]);
	}
	if (!error) {
		error = genl_join(&o->events, groups[ODP_VPORT]);
	}
	if (error) {
		return error;
	}
	o->upcall_epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	o->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (o->upcall_epoll_fd < 0 || o->epoll_fd < 0) {
		return errno;
	}
	error = watch(o->epoll_fd, o->upcall_epoll_fd);
	return error ? error : watch(o->epoll_fd, o->events.fd);
}

int odp_open(struct odp **odp)
{
	struct odp *o = xzalloc(sizeof *o);
	int error;

	o->epoll_fd = o->upcall_epoll_fd = -1;
	hmap_init(&o->channels);
	ovs_list_init(&o->waiting);
	genl_batch_init(&o->batch);
	error = open_all(o);
	if (error) {
		odp_close(o);
		return error;
	}
	*odp = o;
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0) {
		close(fd);
	}
}

void odp_keep(struct odp *o, const struct manager_socket *sockets, size_t n)
{
	o->keeps = true;
	o->kept = xmemdup(sockets, n * sizeof *sockets);
	o->n_kept = n;
}

void odp_keep_end(struct odp *o)
{
	while (o->n_kept) {
		manager_release(&o->kept[--o->n_kept]);
		close(o->kept[o->n_kept].fd);
	}
}

void odp_close(struct odp *o)
{
	if (!o) {
		return;
	}
	o->keeps = false; /* Beyond this. */
	drop_channels(o);
	free(o->kept);
	if (o->per_cpu) {
		channel_free(o->per_cpu);
	}
	hmap_destroy(&o->channels);
	close_fd(o->epoll_fd);
	close_fd(o->upcall_epoll_fd);
	genl_close(&o->events);
	genl_close(&o->genl);
	genl_batch_free(&o->batch);
	free(o->buffers);
	free(o);
}

const char *odp_detail(const struct odp *o)
{
	return o->genl.text;
}

int odp_fd(const struct odp *o)
{
	return o->epoll_fd;
}

/* ---- datapaths -------------------------------------------------------- */

static int take_datapath(struct span msg, void *dp)
{
	return odp_get_datapath(msg, dp) ? EPROTO : 0;
}

int odp_dp_get(struct odp *o, const char *name, struct odp_datapath *dp)
{
	struct odp_datapath found = {0};
	int error;

	odp_put_dp_get(genl_request(&o->genl), o->family[ODP_DATAPATH],
		       genl_seq(&o->genl), NLM_F_ACK, name);
	error = genl_transact(&o->genl, take_datapath, &found);
	if (!error) {
		*dp = found;
	}
	return error;
}

struct dp_list {
	void (*each)(const struct odp_datapath *, void *aux);
	void *aux;
};

static int list_datapath(struct span msg, void *aux)
{
	const struct dp_list *list = aux;
	struct odp_datapath dp;

	if (odp_get_datapath(msg, &dp)) {
		return EPROTO;
	}
	list->each(&dp, list->aux);
	return 0;
}

int odp_dp_list(struct odp *o,
		void (*each)(const struct odp_datapath *, void *), void *aux)
{
	struct dp_list list = {each, aux};

	odp_put_dp_get(genl_request(&o->genl), o->family[ODP_DATAPATH],
		       genl_seq(&o->genl), NLM_F_DUMP, NULL);
	return genl_transact(&o->genl, list_datapath, &list);
}

static int dp_set(struct odp *o, const char *name, uint32_t features,
		  const uint32_t *pids, size_t n_pids)
{
	odp_put_dp_set(genl_request(&o->genl), o->family[ODP_DATAPATH],
		       genl_seq(&o->genl), NLM_F_ACK, name, features, pids,
		       n_pids);
	return genl_transact(&o->genl, NULL, NULL);
}

/* The kernel takes the array of per-CPU port ids only while it is in per-CPU
 * dispatch, but keeps it from then on (net/openvswitch/datapath.c,
 * ovs_dp_change()).  Kernels before 5.15 know neither; they cannot be switched
 * away from per-vport dispatch either. */
static int set_dispatch(struct odp *o, const char *name)
{
	long n = sysconf(_SC_NPROCESSORS_CONF);
	size_t n_pids = (size_t)MAX(1, MIN(n, ODP_MAX_CPUS));
	uint32_t *pids = xcalloc(n_pids, sizeof *pids);
	int error;

	for (size_t i = 0; i < n_pids; i++) {
		pids[i] = o->per_cpu->pid;
	}
	error = dp_set(o, name, FEATURES_PER_CPU, pids, n_pids);
	free(pids);
	if (error && error != EOPNOTSUPP && error != EINVAL) {
		return error;
	}
	return dp_set(o, name, FEATURES, NULL, 0);
}

static int prepare_upcalls(struct odp *o)
{
	int error;

	if (!o->buffers) {
		o->buffers = xmalloc(sizeof *o->buffers);
	}
	if (o->per_cpu) {
		return 0;
	}
	error = channel_new(o, UINT32_MAX, 0, SHARED_RCVBUF, &o->per_cpu);
	if (!error) {
		keep(o, o->per_cpu);
	}
	return error;
}

int odp_dp_adopt(struct odp *o, const char *name, struct odp_datapath *dp)
{
	struct odp_datapath found;
	int error = prepare_upcalls(o);

	if (!error) {
		error = odp_dp_get(o, name, &found);
	}
	if (!error) {
		error = set_dispatch(o, name);
	}
	if (error) {
		return error;
	}
	drop_channels(o);
	o->dp = found;
	o->dp.features = FEATURES;
	error = odp_vport_adopt(o, ODP_LOCAL_PORT);
	if (error) {
		o->dp.ifindex = 0;
		return error;
	}
	*dp = o->dp;
	return 0;
}

int odp_dp_create(struct odp *o, const char *name, struct odp_datapath *dp)
{
	char detail[GENL_TEXT_SIZE];
	int error = prepare_upcalls(o);

	if (error) {
		return error;
	}
	odp_put_dp_new(genl_request(&o->genl), o->family[ODP_DATAPATH],
		       genl_seq(&o->genl), NLM_F_ACK, name, FEATURES);
	error = genl_transact(&o->genl, NULL, NULL);
	if (error) {
		return error;
	}
	error = odp_dp_adopt(o, name, dp);
	if (error) {
		/* Leave nothing half-made; the first failure counts. */
		memcpy(detail, o->genl.text, sizeof detail);
		if (odp_dp_del(o, name)) {
			/* It may have gone by itself. */
		}
		memcpy(o->genl.text, detail, sizeof detail);
	}
	return error;
}

int odp_dp_del(struct odp *o, const char *name)
{
	int error;

	odp_put_dp_del(genl_request(&o->genl), o->family[ODP_DATAPATH],
		       genl_seq(&o->genl), NLM_F_ACK, name);
	error = genl_transact(&o->genl, NULL, NULL);
	if (!error && o->dp.ifindex && !strcmp(name, o->dp.name)) {
		drop_channels(o);
		o->dp.ifindex = 0;
	}
	return error;
}

/* ---- vports ----------------------------------------------------------- */

static int take_vport(struct span msg, void *vport)
{
	return odp_get_vport(msg, vport) ? EPROTO : 0;
}

struct vport_list {
	void (*each)(const struct odp_vport *, void *aux);
	void *aux;
};

static int list_vport(struct span msg, void *aux)
{
	const struct vport_list *list = aux;
	struct odp_vport vport;
	enum err err = odp_get_vport(msg, &vport);

	if (!err) {
		list->each(&vport, list->aux);
	}
	return err && err != ERR_UNSUPPORTED ? EPROTO : 0;
}

int odp_vport_list(struct odp *o, uint32_t dp_ifindex,
		   void (*each)(const struct odp_vport *, void *), void *aux)
{
	struct vport_list list = {each, aux};

	odp_put_vport_get(genl_request(&o->genl), o->family[ODP_VPORT],
			  genl_seq(&o->genl), NLM_F_DUMP, dp_ifindex, NULL, 0);
	return genl_transact(&o->genl, list_vport, &list);
}

int odp_vport_get(struct odp *o, uint32_t dp_ifindex, uint32_t port_no,
		  struct odp_vport *vport)
{
	struct odp_vport found = {0};
	int error;

	odp_put_vport_get(genl_request(&o->genl), o->family[ODP_VPORT],
			  genl_seq(&o->genl), NLM_F_ACK, dp_ifindex, NULL,
			  port_no);
	error = genl_transact(&o->genl, take_vport, &found);
	if (!error) {
		*vport = found;
	}
	return error;
}

static int vport_del(struct odp *o, uint32_t port_no)
{
	odp_put_vport_del(genl_request(&o->genl), o->family[ODP_VPORT],
			  genl_seq(&o->genl), NLM_F_ACK, o->dp.ifindex,
			  port_no);
	return genl_transact(&o->genl, NULL, NULL);
}

/* The kernel opens a tunnel device when it makes the port, and does not always
 * say so when binding its UDP port failed. */
static bool device_is_up(const char *name)
{
	struct ifreq ifr = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up = true;

	if (fd < 0) {
		return up;
	}
	ovs_strlcpy(ifr.ifr_name, name, sizeof ifr.ifr_name);
	if (!ioctl(fd, SIOCGIFFLAGS, &ifr)) {
		up = ifr.ifr_flags & IFF_UP;
	}
	close(fd);
	return up;
}

static int rcvbuf_of(enum odp_vport_type type)
{
	return type == ODP_VPORT_VXLAN || type == ODP_VPORT_TAP ? SHARED_RCVBUF
								: PORT_RCVBUF;
}

static int vport_new(struct odp *o, struct odp_vport *vport)
{
	struct odp_vport made = {0};
	int error;

	/* With ECHO the answer repeats the port as it was made. */
	odp_put_vport_new(genl_request(&o->genl), o->family[ODP_VPORT],
			  genl_seq(&o->genl), NLM_F_ACK | NLM_F_ECHO, vport);
	error = genl_transact(&o->genl, take_vport, &made);
	if (error) {
		return error;
	}
	if (vport->type == ODP_VPORT_VXLAN && !device_is_up(vport->name)) {
		error = vport_del(o, made.port_no);
		o->genl.text[0] = '\0';
		return error ? error : EADDRINUSE;
	}
	*vport = made;
	return 0;
}

int odp_vport_add(struct odp *o, struct odp_vport *vport)
{
	const enum odp_vport_type type = vport->type;
	struct channel *c, *stale;
	int error;

	if (!o->dp.ifindex) {
		return ENODEV;
	}
	error = channel_new(o, vport->port_no, 0, rcvbuf_of(vport->type), &c);
	if (error) {
		return error;
	}
	vport->dp_ifindex = o->dp.ifindex;
	vport->upcall_pid = c->pid;
	error = vport_new(o, vport);
	if (error) {
		channel_free(c);
		return error;
	}
	/* Of a port that had the number, and is gone. */
	stale = channel_find(o, vport->port_no);
	if (stale) {
		channel_remove(o, stale);
		free_dead(o);
	}
	vport->type = type; /* A TAP is but a device to the kernel. */
	channel_insert(o, c, vport);
	return 0;
}

int odp_vport_adopt(struct odp *o, uint32_t port_no)
{
	struct odp_vport vport;
	struct channel *c;
	int error = odp_vport_get(o, o->dp.ifindex, port_no, &vport);

	if (error) {
		return error;
	}
	if (channel_find(o, port_no)) {
		return EEXIST;
	}
	/* Under the port id of the daemon before: its flows name it in their
	 * actions (put_check_size() in netlink/odp_key.c), and what they find
	 * too large is to come up from now on, not when they are written
	 * anew. */
	error = channel_new(o, port_no, vport.upcall_pid, rcvbuf_of(vport.type),
			    &c);
	if (error) {
		return error;
	}
	odp_put_vport_set_pid(genl_request(&o->genl), o->family[ODP_VPORT],
			      genl_seq(&o->genl), NLM_F_ACK, o->dp.ifindex,
			      port_no, c->pid);
	error = genl_transact(&o->genl, NULL, NULL);
	if (error) {
		channel_free(c);
		return error;
	}
	channel_insert(o, c, &vport);
	return 0;
}

int odp_vport_del(struct odp *o, uint32_t port_no)
{
	int error = vport_del(o, port_no);
	struct channel *c = channel_find(o, port_no);

	if (c && (!error || error == ENODEV)) {
		channel_remove(o, c);
		free_dead(o);
	}
	return error;
}

/* ---- flows and packets ------------------------------------------------ */

struct flow_list {
	void (*each)(const struct odp_flow *, void *aux);
	void *aux;
};

static int list_flow(struct span msg, void *aux)
{
	const struct flow_list *list = aux;
	struct odp_flow flow;

	if (odp_get_flow(msg, &flow)) {
		return EPROTO;
	}
	list->each(&flow, list->aux);
	return 0;
}

int odp_flow_dump(struct odp *o, uint32_t dp_ifindex, bool terse,
		  void (*each)(const struct odp_flow *, void *), void *aux)
{
	struct flow_list list = {each, aux};

	odp_put_flow_dump(genl_request(&o->genl), o->family[ODP_FLOW],
			  genl_seq(&o->genl), dp_ifindex, terse);
	return genl_transact(&o->genl, list_flow, &list);
}

/* A packet that no port gets: the kernel looks at the actions first. */
bool odp_checks_size(struct odp *o)
{
	static const uint8_t frame[60] = {[12] = 0x88, [13] = 0xb5};
	const struct flow key = {.in_port = ODP_LOCAL_PORT, .eth_type = 0x88b5};
	struct actions actions;

	actions_init(&actions);
	actions_check_end(&actions,
			  actions_check_size(&actions, UINT16_MAX, 0));
	actions.v[0].check.upcall_pid = o->per_cpu->pid;
	odp_put_execute(genl_request(&o->genl), o->family[ODP_PACKET],
			genl_seq(&o->genl), NLM_F_ACK, o->dp.ifindex, &key,
			span_of(frame, sizeof frame), &actions);
	actions_free(&actions);
	return !genl_transact(&o->genl, NULL, NULL);
}

int odp_flow_flush(struct odp *o)
{
	odp_put_flow_flush(genl_request(&o->genl), o->family[ODP_FLOW],
			   genl_seq(&o->genl), NLM_F_ACK, o->dp.ifindex);
	return genl_transact(&o->genl, NULL, NULL);
}

/* Actions as they are given to the kernel: what does not pass a check comes up
 * where the other upcalls of 'in_port' do.  False: 'actions' will do. */
static bool direct(const struct odp *o, uint32_t in_port,
		   const struct actions *actions, struct actions *directed)
{
	const struct channel *c = NULL;

	for (size_t i = 0; i < actions->n; i++) {
		if (actions->v[i].type != ACTION_CHECK_SIZE) {
			continue;
		}
		if (!c) {
			c = channel_find(o, in_port);
			c = c ? c : o->per_cpu;
			actions_copy(directed, actions);
		}
		directed->v[i].check.upcall_pid = c->pid;
	}
	return c;
}

void odp_batch_flow_put(struct odp *o, uint64_t cookie, bool there,
			const struct ufid *ufid, const struct flow *key,
			const struct flow *mask, const struct actions *actions)
{
	size_t start = o->batch.buf.size;
	uint32_t seq = genl_seq(&o->genl);
	struct wbuf *put = there ? genl_request(&o->genl) : &o->batch.buf;
	struct actions own;
	bool directed = direct(o, key->in_port, actions, &own);

	odp_put_flow(put, o->family[ODP_FLOW], seq, 0, o->dp.ifindex, ufid, key,
		     mask, directed ? &own : actions);
	if (directed) {
		actions_free(&own);
	}
	if (there && odp_put_flow_other(&o->batch.buf, seq, wbuf_span(put))) {
		o->batch.buf.overflow = true; /* It was too long. */
	}
	genl_batch_add(&o->batch, start, seq, cookie);
}

void odp_batch_flow_del(struct odp *o, uint64_t cookie, const struct ufid *ufid)
{
	size_t start = o->batch.buf.size;
	uint32_t seq = genl_seq(&o->genl);

	odp_put_flow_del(&o->batch.buf, o->family[ODP_FLOW], seq, 0,
			 o->dp.ifindex, ufid);
	genl_batch_add(&o->batch, start, seq, cookie);
}

void odp_batch_execute(struct odp *o, uint64_t cookie, const struct flow *key,
		       struct span packet, const struct actions *actions)
{
	size_t start = o->batch.buf.size;
	uint32_t seq = genl_seq(&o->genl);
	struct actions own;
	bool directed = direct(o, key->in_port, actions, &own);

	odp_put_execute(&o->batch.buf, o->family[ODP_PACKET], seq, 0,
			o->dp.ifindex, key, packet, directed ? &own : actions);
	if (directed) {
		actions_free(&own);
	}
	genl_batch_add(&o->batch, start, seq, cookie);
}

size_t odp_batch_n(const struct odp *o)
{
	return o->batch.n;
}

/* Is it the refusal of a put that may mean that the flow of this UFID is there
 * already, or that it is not? */
static bool wants_other(const struct odp *o, const struct genl_batch_op *op)
{
	struct span msg = genl_batch_message(&o->batch, op);

	if (!op->os_errno || genl_type(msg) != o->family[ODP_FLOW]) {
		return false;
	}
	return genl_cmd(msg) == OVS_FLOW_CMD_NEW   ? op->os_errno == EEXIST
	       : genl_cmd(msg) == OVS_FLOW_CMD_SET ? op->os_errno == ENOENT
						   : false;
}

/* Second try of puts: changes of what is there, additions of what is not.  If
 * there is none of that UFID to change the first answer stands. */
static void commit_others(struct odp *o)
{
	struct genl_batch others;

	genl_batch_init(&others);
	for (size_t i = 0; i < o->batch.n; i++) {
		const struct genl_batch_op *op = &o->batch.ops[i];
		size_t start = others.buf.size;
		uint32_t seq;

		if (!wants_other(o, op)) {
			continue;
		}
		seq = genl_seq(&o->genl);
		if (!odp_put_flow_other(&others.buf, seq,
					genl_batch_message(&o->batch, op))) {
			genl_batch_add(&others, start, seq, i);
		}
	}
	genl_batch_send(&o->genl, &others);
	for (size_t i = 0; i < others.n; i++) {
		struct genl_batch_op *op = &o->batch.ops[others.ops[i].cookie];

		if (others.ops[i].os_errno != ENOENT) {
			op->os_errno = others.ops[i].os_errno;
			free(op->text);
			op->text = others.ops[i].text;
			others.ops[i].text = NULL;
		}
	}
	genl_batch_free(&others);
}

void odp_batch_commit(struct odp *o,
		      void (*done)(uint64_t, int, const char *, void *),
		      void *aux)
{
	struct genl_batch *b = &o->batch;

	genl_batch_send(&o->genl, b);
	commit_others(o);
	for (size_t i = 0; i < b->n; i++) {
		const struct genl_batch_op *op = &b->ops[i];

		done(op->cookie, op->os_errno, op->text ? op->text : "", aux);
	}
	genl_batch_clear(b);
}

/* ---- upcalls ---------------------------------------------------------- */

struct round {
	void (*each)(const struct odp_upcall *, void *aux);
	void *aux;
	uint64_t now_us;
	size_t n;    /* Read so far. */
	bool greedy; /* From one that asks for many, too. */
};

static void take_upcall(struct odp *o, struct channel *c, struct span msg,
			struct round *round)
{
	struct odp_upcall upcall;
	struct channel *port;

	if (genl_type(msg) != o->family[ODP_PACKET] ||
	    odp_get_upcall(msg, &upcall)) {
		c->counters.malformed++;
		return;
	}
	/* Packets of a datapath that is not ours (any more) do not count. */
	if (upcall.dp_ifindex != o->dp.ifindex) {
		return;
	}
	/* In per-CPU dispatch all ports share a channel. */
	port = c == o->per_cpu ? channel_find(o, upcall.flow.in_port) : NULL;
	(port ? port : c)->counters.handled++;
	round->each(&upcall, round->aux);
}

static bool is_greedy(const struct channel *c)
{
	return c->limited && c->bucket.rate &&
	       bucket_left(&c->bucket) < PORT_BURST - PORT_MODEST;
}

/* May 'n' be read from it?  If not, nobody listens to it for a while. */
static bool channel_may_run(struct odp *o, struct channel *c, uint32_t n,
			    uint64_t now_us)
{
	if (!c->limited) {
		return true;
	}
	if (!c->bucket.rate) {
		bucket_init(&c->bucket, PORT_RATE, PORT_BURST, now_us);
	}
	if (bucket_take(&c->bucket, n, now_us)) {
		return true;
	}
	if (!epoll_ctl(o->upcall_epoll_fd, EPOLL_CTL_DEL, c->fd, NULL)) {
		c->waits = true;
		c->counters.waited++;
		ovs_list_push_back(&o->waiting, &c->node_waiting);
	}
	return false;
}

static void wake_channels(struct odp *o, uint64_t now_us)
{
	struct channel *c, *next;

	LIST_FOR_EACH_SAFE (c, next, node_waiting, &o->waiting) {
		if (bucket_ready_us(&c->bucket, UPCALL_BATCH) <= now_us &&
		    !channel_watch(c, o->upcall_epoll_fd)) {
			c->waits = false;
			ovs_list_remove(&c->node_waiting);
		}
	}
}

uint64_t odp_deadline(const struct odp *o)
{
	uint64_t deadline_us = UINT64_MAX;
	const struct channel *c;

	LIST_FOR_EACH (c, node_waiting, &o->waiting) {
		deadline_us = MIN(deadline_us,
				  bucket_ready_us(&c->bucket, UPCALL_BATCH));
	}
	return deadline_us;
}

/* Reads at most 'max' from one channel.  False if it was emptied, or has to
 * wait: then there is no need to ask. */
static bool run_channel(struct odp *o, struct channel *c, uint32_t max,
			struct round *round)
{
	struct upcall_buffers *b = o->buffers;
	int n;

	if (!channel_may_run(o, c, max, round->now_us)) {
		return false;
	}
	for (size_t i = 0; i < max; i++) {
		b->iov[i] = (struct iovec){b->data[i], UPCALL_SIZE};
		b->msgs[i] = (struct mmsghdr){
			.msg_hdr = {.msg_iov = &b->iov[i], .msg_iovlen = 1}};
	}
	n = recvmmsg(c->fd, b->msgs, max, MSG_DONTWAIT, NULL);
	if (c->limited) {
		bucket_give(&c->bucket, max - (uint32_t)MAX(n, 0));
	}
	if (n < 0) {
		if (errno == ENOBUFS) {
			c->counters.lost++;
		}
		return errno == ENOBUFS;
	}
	for (int i = 0; i < n; i++) {
		round->n++;
		if (b->msgs[i].msg_hdr.msg_flags & MSG_TRUNC) {
			c->counters.malformed++;
			continue;
		}
		take_upcall(o, c, span_of(b->data[i], b->msgs[i].msg_len),
			    round);
	}
	return n == (int)max;
}

/* Those that ask for little first, all that is ready at most once. */
static bool run_ready(struct odp *o, const struct epoll_event *ready, int n,
		      size_t budget, struct round *round)
{
	bool more = false;

	for (int i = 0; i < n && round->n < budget; i++) {
		struct channel *c = ready[i].data.ptr;

		if (c->nl && !is_greedy(c)) {
			more |= run_channel(o, c, UPCALL_BATCH, round);
		}
	}
	for (int i = 0; i < n && round->n < budget; i++) {
		struct channel *c = ready[i].data.ptr;

		if (c->nl && is_greedy(c)) {
			more |= run_channel(o, c, UPCALL_FEW, round);
			round->greedy = true;
		}
	}
	return more;
}

size_t odp_upcalls_run(struct odp *o, uint64_t now_us, size_t budget,
		       int wait_ms, bool *more,
		       void (*each)(const struct odp_upcall *, void *),
		       void *aux)
{
	struct round round = {.each = each, .aux = aux, .now_us = now_us};

	ovs_assert(!o->in_round);
	wake_channels(o, now_us);
	*more = true;
	while (*more && round.n < budget && !round.greedy) {
		struct epoll_event ready[MAX_READY];
		int n = epoll_wait(o->upcall_epoll_fd, ready, MAX_READY,
				   round.n ? 0 : wait_ms);

		if (n <= 0) {
			*more = false;
			break;
		}
		/* The kernel rotates its list of what is ready, so that a
		 * budget that ends here begins with others next time. */
		o->in_round = true;
		*more = run_ready(o, ready, n, budget, &round) ||
			n == MAX_READY || round.n >= budget;
		o->in_round = false;
		free_dead(o);
	}
	return round.n;
}

/* ---- events ----------------------------------------------------------- */

struct event_run {
	struct odp *o;
	void (*each)(const struct odp_event *, void *aux);
	void *aux;
};

static void dp_gone(const struct event_run *run)
{
	struct odp_event event = {.type = ODP_EVENT_DP_GONE};

	drop_channels(run->o);
	run->o->dp.ifindex = 0;
	run->each(&event, run->aux);
}

/* A notification may be older than what we have set since. */
static void check_features(const struct event_run *run, uint32_t features)
{
	struct odp_event event = {.type = ODP_EVENT_FEATURES};
	struct odp *o = run->o;
	struct odp_datapath now;

	if (features == FEATURES || odp_dp_get(o, o->dp.name, &now) ||
	    now.ifindex != o->dp.ifindex || now.features == FEATURES) {
		return;
	}
	event.os_errno = dp_set(o, o->dp.name, FEATURES, NULL, 0);
	o->counters.features_restored += !event.os_errno;
	run->each(&event, run->aux);
}

/* A notification may tell of a port that has been made anew meanwhile: the
 * kernel has the last word. */
static void check_vport(const struct event_run *run, struct channel *c)
{
	struct odp_event event = {.type = ODP_EVENT_VPORT_GONE};
	struct odp *o = run->o;
	struct odp_vport vport;
	int error = odp_vport_get(o, o->dp.ifindex, c->port_no, &vport);

	if ((error && error != ENODEV) ||
	    (!error && vport.ifindex == c->ifindex)) {
		return;
	}
	event.port_no = c->port_no;
	memcpy(event.name, c->name, sizeof event.name);
	channel_remove(o, c);
	free_dead(o);
	run->each(&event, run->aux);
}

static int take_event(struct span msg, void *aux)
{
	const struct event_run *run = aux;
	struct odp *o = run->o;
	struct odp_datapath dp;
	struct odp_vport vport;
	struct channel *c;

	if (!o->dp.ifindex) {
		return 0;
	}
	if (genl_type(msg) == o->family[ODP_DATAPATH] &&
	    !odp_get_datapath(msg, &dp) && dp.ifindex == o->dp.ifindex) {
		if (genl_cmd(msg) == OVS_DP_CMD_DEL) {
			dp_gone(run);
		} else {
			check_features(run, dp.features);
		}
	} else if (genl_type(msg) == o->family[ODP_VPORT] &&
		   genl_cmd(msg) == OVS_VPORT_CMD_DEL &&
		   !odp_get_vport(msg, &vport) &&
		   vport.dp_ifindex == o->dp.ifindex) {
		c = channel_find(o, vport.port_no);
		if (c) {
			check_vport(run, c);
		}
	}
	return 0;
}

/* Compares with the kernel after notifications were lost. */
static void check_all(const struct event_run *run)
{
	struct odp *o = run->o;
	struct odp_datapath dp;
	struct channel *c;
	uint32_t *ports;
	size_t n = 0;
	int error;

	if (!o->dp.ifindex) {
		return;
	}
	error = odp_dp_get(o, o->dp.name, &dp);
	if (error == ENODEV || (!error && dp.ifindex != o->dp.ifindex)) {
		dp_gone(run);
		return;
	}
	if (!error) {
		check_features(run, dp.features);
	}
	/* The callback may add and delete ports. */
	ports = xcalloc(MAX(hmap_count(&o->channels), 1), sizeof *ports);
	HMAP_FOR_EACH (c, node, &o->channels) {
		ports[n++] = c->port_no;
	}
	for (size_t i = 0; i < n; i++) {
		c = channel_find(o, ports[i]);
		if (c) {
			check_vport(run, c);
		}
	}
	free(ports);
}

void odp_events_run(struct odp *o,
		    void (*each)(const struct odp_event *, void *), void *aux)
{
	struct event_run run = {o, each, aux};
	int error;

	for (;;) {
		error = genl_receive(&o->events, take_event, &run);
		if (error == ENOBUFS) {
			check_all(&run);
		} else if (error) {
			return;
		}
	}
}

/* ---- counters --------------------------------------------------------- */

static struct odp_counters channel_counters(const struct channel *c)
{
	struct odp_counters counters = c->counters;

	counters.lost = channel_lost(c);
	return counters;
}

void odp_counters(const struct odp *o, struct odp_counters *counters)
{
	struct odp_counters sum = o->counters, some;
	const struct channel *c;

	HMAP_FOR_EACH (c, node, &o->channels) {
		some = channel_counters(c);
		add(&sum, &some);
	}
	if (o->per_cpu) {
		some = channel_counters(o->per_cpu);
		add(&sum, &some);
	}
	*counters = sum;
}

bool odp_port_counters(const struct odp *o, uint32_t port_no,
		       struct odp_counters *counters)
{
	const struct channel *c = channel_find(o, port_no);

	if (c) {
		*counters = channel_counters(c);
	}
	return c;
}

void odp_each_port_counters(const struct odp *o,
			    void (*each)(uint32_t port_no,
					 const struct odp_counters *, void *),
			    void *aux)
{
	const struct channel *c;

	HMAP_FOR_EACH (c, node, &o->channels) {
		struct odp_counters counters = channel_counters(c);

		each(c->port_no, &counters, aux);
	}
}
