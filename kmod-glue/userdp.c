#include "kmod-glue/userdp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmap.h"
#include "hash.h"
#include "openvswitch/list.h"
#include "openvswitch/thread.h"
#include "ovs-atomic.h"
#include "ovs-rcu.h"
#include "util.h"

#include "base/bucket.h"
#include "datapath/flow_table.h"
#include "kmod-glue/flow_cache.h"
#include "kmod-glue/sleeve.h"
#include "kmod-glue/tap.h"
#include "packet/parse.h"
#include "sleeve/join.h"
#include "sleeve/sleeve.h"
#include "sleeve/vnet.h"

enum {
	/* What waits to come up, of one port; as the sockets of the kernel
	 * datapath have it (odp_socket.c). */
	QUEUE_BYTES = 1024 * 1024,
	QUEUE_BYTES_TUNNEL = 8 * 1024 * 1024,
	/* What an upcall takes besides its frame. */
	UPCALL_OVERHEAD = 512,
	QUOTA = 16, /* Of a port in a round. */

	PORT_BURST = FLOW_SOURCE_MAX,
	PORT_RATE = FLOW_SOURCE_MAX / (FLOW_IDLE_US / 1000000),

	HOME_LOOK_US = 2000000 /* Are the namespaces of ports still there? */
};

#define NO_PORT UINT32_MAX

/* A packet that matched no flow. */
struct upcall {
	struct ovs_list node; /* In its port's 'queue', or in 'served'. */
	struct flow flow;
	size_t size;	/* Of the frame. */
	uint8_t data[]; /* The vnet header and the frame. */
};

struct port {
	struct cmap_node node; /* In 'ports'. */
	struct odp_vport vport;
	bool limited; /* Is it a container's? */
	struct bucket bucket;
	bool gone; /* Removed, not yet freed. */
	/* The namespace of its device; NULL: ours. */
	char *netns;
	dev_t netns_dev; /* With the inode 0 if that could not be seen. */
	ino_t netns_ino;

	/* Under the datapath's mutex. */
	struct ovs_list queue; /* Of struct upcall. */
	size_t queued_bytes;
	struct ovs_list node_ready; /* In 'ready', or on its own. */
	bool is_ready;
	uint64_t lost;

	/* The main thread's. */
	bool waits; /* In 'waiting', not in 'ready'. */
	struct odp_counters counters;
};

struct userdp {
	struct sleeve *sleeve;
	struct flow_cache *flows;
	struct flow_cache_local *local; /* One a thread. */
	struct cmap ports;
	atomic_uint32_t tunnel_port; /* NO_PORT: none. */
	uint8_t *execute_buf;

	struct ovs_mutex mutex;
	struct ovs_list ready; /* Ports with upcalls that may be served. */
	int fd;		       /* An eventfd: 'ready' is not empty. */

	struct ovs_list waiting; /* Ports without tokens. */
	uint64_t look_us;	 /* When userdp_run() looks next. */
	/* Upcalls that are being answered, of super-frames: a frame that comes
	 * back is sent with the vnet header that it had. */
	struct ovs_list served;
	struct odp_counters gone; /* Of ports that are no more. */
};

/* ---- ports ------------------------------------------------------------ */

static struct port *find_port(const struct userdp *u, uint32_t port_no)
{
	struct port *port;

	CMAP_FOR_EACH_WITH_HASH(port, node, hash_int(port_no, 0), &u->ports)
	{
		if (port->vport.port_no == port_no) {
			return port;
		}
	}
	return NULL;
}

static const struct port *find_name(const struct userdp *u, const char *name)
{
	const struct port *port;

	CMAP_FOR_EACH(port, node, &u->ports)
	{
		if (!strcmp(port->vport.name, name)) {
			return port;
		}
	}
	return NULL;
}

static uint32_t free_number(const struct userdp *u)
{
	/* 0 is the host's own. */
	for (uint32_t n = 1; n <= ODP_MAX_PORTS; n++) {
		if (!find_port(u, n)) {
			return n;
		}
	}
	return NO_PORT;
}

static void free_upcalls(struct ovs_list *list)
{
	struct upcall *upcall;

	LIST_FOR_EACH_POP (upcall, node, list) {
		free(upcall);
	}
}

static void port_free(struct port *port)
{
	free_upcalls(&port->queue);
	free(port->netns);
	free(port);
}

static uint32_t tunnel_port(const struct userdp *u)
{
	uint32_t port_no;

	atomic_read_relaxed(&CONST_CAST(struct userdp *, u)->tunnel_port,
			    &port_no);
	return port_no;
}

static void set_home(struct port *port, const char *netns)
{
	struct stat st;

	if (*netns) {
		port->netns = xstrdup(netns);
		if (!stat(netns, &st)) {
			port->netns_dev = st.st_dev;
			port->netns_ino = st.st_ino;
		}
	}
}

/* Not if it cannot be told: a namespace may be named by a process into which we
 * may not look. */
static bool has_lost_home(const struct port *port)
{
	struct stat st;

	if (!port->netns) {
		return false;
	}
	if (stat(port->netns, &st)) {
		return errno == ENOENT;
	}
	return port->netns_ino &&
	       (st.st_dev != port->netns_dev || st.st_ino != port->netns_ino);
}

int userdp_port_add(struct userdp *u, struct odp_vport *vport,
		    const char *netns, const int *fds, size_t n_fds)
{
	struct port *port;
	uint32_t port_no = vport->port_no;

	if (port_no == UINT32_MAX) {
		port_no = free_number(u);
	}
	if (port_no > ODP_MAX_PORTS) {
		return EFBIG;
	}
	if (find_port(u, port_no) || find_name(u, vport->name) ||
	    (vport->type == ODP_VPORT_SLEEVE && tunnel_port(u) != NO_PORT)) {
		return EEXIST;
	}
	port = xzalloc(sizeof *port);
	port->vport = *vport;
	port->vport.port_no = port_no;
	port->limited =
		vport->type == ODP_VPORT_TAP && port_no != ODP_LOCAL_PORT;
	set_home(port, netns);
	ovs_list_init(&port->queue);
	ovs_list_init(&port->node_ready);
	cmap_insert(&u->ports, &port->node, hash_int(port_no, 0));
	if (vport->type == ODP_VPORT_SLEEVE) {
		atomic_store_relaxed(&u->tunnel_port, port_no);
	} else {
		int error = sleeve_tap_add(u->sleeve, port_no, fds, n_fds,
					   SLEEVE_TAP_ENDPOINT);

		if (error) {
			cmap_remove(&u->ports, &port->node,
				    hash_int(port_no, 0));
			ovsrcu_postpone(port_free, port);
			return error;
		}
	}
	vport->port_no = port_no;
	return 0;
}

static void add(struct odp_counters *sum, const struct odp_counters *c)
{
	sum->handled += c->handled;
	sum->lost += c->lost;
	sum->malformed += c->malformed;
	sum->waited += c->waited;
}

static struct odp_counters counters_of(const struct port *port)
{
	struct odp_counters counters = port->counters;

	counters.lost = port->lost;
	return counters;
}

static void port_remove(struct userdp *u, struct port *port)
{
	struct odp_counters counters;

	ovs_mutex_lock(&u->mutex);
	port->gone = true;
	if (port->is_ready || port->waits) {
		ovs_list_remove(&port->node_ready);
	}
	free_upcalls(&port->queue);
	counters = counters_of(port);
	ovs_mutex_unlock(&u->mutex);
	add(&u->gone, &counters);
	if (port->vport.type == ODP_VPORT_SLEEVE) {
		atomic_store_relaxed(&u->tunnel_port, NO_PORT);
	} else {
		(void)sleeve_tap_del(u->sleeve, port->vport.port_no);
	}
	cmap_remove(&u->ports, &port->node, hash_int(port->vport.port_no, 0));
	ovsrcu_postpone(port_free, port);
}

int userdp_port_del(struct userdp *u, uint32_t port_no, bool persist)
{
	struct port *port = find_port(u, port_no);

	if (!port) {
		return ENODEV;
	}
	if (port->vport.type == ODP_VPORT_TAP) {
		sleeve_tap_persist(u->sleeve, port_no, persist);
	}
	port_remove(u, port);
	return 0;
}

void userdp_run(struct userdp *u, uint64_t now_us,
		void (*gone)(void *, uint32_t), void *aux)
{
	struct port *port;

	if (now_us < u->look_us) {
		return;
	}
	u->look_us = now_us + HOME_LOOK_US;
	CMAP_FOR_EACH(port, node, &u->ports)
	{
		if (has_lost_home(port)) {
			port_remove(u, port);
			gone(aux, port->vport.port_no);
		}
	}
}

void userdp_clear(struct userdp *u)
{
	struct port *port;

	flow_cache_clear(u->flows);
	CMAP_FOR_EACH(port, node, &u->ports)
	{
		port_remove(u, port);
	}
}

static void sum_load(void *vport_, const struct sleeve_load *load)
{
	struct odp_vport *vport = vport_;

	vport->rx_packets += load->rx_frames;
	vport->rx_bytes += load->rx_bytes;
	vport->tx_packets += load->tx_frames;
	vport->tx_bytes += load->tx_bytes;
}

static struct odp_vport with_stats(const struct userdp *u,
				   const struct port *port)
{
	struct odp_vport vport = port->vport;
	struct sleeve_tap_stats stats;

	if (vport.type == ODP_VPORT_SLEEVE) {
		sleeve_each_load(u->sleeve, sum_load, &vport);
	} else if (sleeve_tap_stats(u->sleeve, vport.port_no, &stats)) {
		vport.rx_packets = stats.rx_packets;
		vport.rx_bytes = stats.rx_bytes;
		vport.tx_packets = stats.tx_packets;
		vport.tx_bytes = stats.tx_bytes;
	}
	return vport;
}

int userdp_port_get(const struct userdp *u, uint32_t port_no,
		    struct odp_vport *vport)
{
	const struct port *port = find_port(u, port_no);

	if (!port) {
		return ENODEV;
	}
	*vport = with_stats(u, port);
	return 0;
}

static int compare_ports(const void *a_, const void *b_)
{
	const struct port *const *a = a_, *const *b = b_;
	uint32_t x = (*a)->vport.port_no, y = (*b)->vport.port_no;

	return x < y ? -1 : x > y;
}

/* By number; the caller frees. */
static const struct port **sorted_ports(const struct userdp *u, size_t *n)
{
	size_t max = cmap_count(&u->ports);
	const struct port **ports = xcalloc(MAX(max, 1), sizeof *ports);
	const struct port *port;

	*n = 0;
	CMAP_FOR_EACH(port, node, &u->ports)
	{
		ports[(*n)++] = port;
	}
	if (*n) {
		qsort(ports, *n, sizeof *ports, compare_ports);
	}
	return ports;
}

void userdp_port_list(const struct userdp *u,
		      void (*each)(const struct odp_vport *, void *), void *aux)
{
	size_t n;
	const struct port **ports = sorted_ports(u, &n);

	for (size_t i = 0; i < n; i++) {
		struct odp_vport vport = with_stats(u, ports[i]);

		each(&vport, aux);
	}
	free(ports);
}

/* ---- a packet --------------------------------------------------------- */

/* For the next output to the tunnel port. */
struct tunnel {
	bool set;
	uint32_t peer, vni;
	uint8_t ttl;
};

static void set_tunnel(struct tunnel *tunnel, const struct action *a)
{
	tunnel->set = !sleeve_addr_peer(&a->tunnel.dst, &tunnel->peer);
	tunnel->vni = a->tunnel.vni;
	tunnel->ttl = a->tunnel.ttl;
}

/* False: it is too large for the way to the peer, and who sent it ('in_port')
 * is told, if it is one of us. */
static bool output(const struct userdp *u, struct sleeve_thread *t,
		   uint32_t in_port, const struct tunnel *tunnel,
		   uint32_t port_no, struct sleeve_frame *frame, bool last)
{
	uint16_t mtu = 0;

	if (port_no != tunnel_port(u)) {
		sleeve_output(t, port_no, frame);
		return true;
	}
	if (!tunnel->set || !sleeve_send(t, tunnel->peer, tunnel->vni,
					 tunnel->ttl, frame, last, &mtu)) {
		return true;
	}
	if (in_port != port_no) {
		sleeve_tell_too_big(t, in_port, frame, mtu);
	}
	return false;
}

/* False: a part of it was too large. */
static bool execute(const struct userdp *u, struct sleeve_thread *t,
		    uint32_t in_port, const struct actions *actions,
		    struct sleeve_frame *frame)
{
	struct tunnel tunnel = {.set = false};
	bool good = true;

	for (size_t i = 0; i < actions->n; i++) {
		const struct action *a = &actions->v[i];

		switch (a->type) {
		case ACTION_OUTPUT:
			good &= output(u, t, in_port, &tunnel, a->port, frame,
				       i == actions->n - 1);
			break;
		case ACTION_SET_TUNNEL:
			set_tunnel(&tunnel, a);
			break;
		case ACTION_SET_MARK:  /* There are no SAs here. */
		case ACTION_PUSH_VLAN: /* Nor is there a trunk. */
		case ACTION_POP_VLAN:
		case ACTION_CHECK_SIZE: /* The sleeve does that. */
			break;
		}
	}
	return good;
}

static struct upcall *make_upcall(const struct flow *flow,
				  const struct sleeve_frame *frame)
{
	struct upcall *upcall =
		xmalloc(sizeof *upcall + VNET_BYTES + frame->size);
	struct vnet_hdr vnet;

	upcall->flow = *flow;
	upcall->size = frame->size;
	if (frame->joined) {
		(void)join_copy(frame->joined, upcall->data);
	} else {
		memcpy(upcall->data, frame->data, VNET_BYTES + frame->size);
	}
	/* What is whole needs no header. */
	memcpy(&vnet, upcall->data, sizeof vnet);
	if (vnet.gso_type == VNET_GSO_NONE) {
		if (vnet.flags & VNET_NEEDS_CSUM &&
		    vnet_complete(&vnet, upcall->data + VNET_BYTES,
				  upcall->size)) {
			free(upcall);
			return NULL;
		}
		memset(upcall->data, 0, VNET_BYTES);
	}
	return upcall;
}

static size_t cost(const struct upcall *upcall)
{
	return upcall->size + UPCALL_OVERHEAD;
}

static void push_upcall(struct userdp *u, struct port *port,
			struct upcall *upcall)
{
	size_t max = port->limited ? QUEUE_BYTES : QUEUE_BYTES_TUNNEL;
	bool first = false;

	ovs_mutex_lock(&u->mutex);
	if (port->gone || port->queued_bytes + cost(upcall) > max) {
		port->lost++;
		free(upcall);
	} else {
		ovs_list_push_back(&port->queue, &upcall->node);
		port->queued_bytes += cost(upcall);
		first = !port->is_ready && !port->waits;
	}
	if (first) {
		ovs_list_push_back(&u->ready, &port->node_ready);
		port->is_ready = true;
	}
	ovs_mutex_unlock(&u->mutex);
	if (first) {
		const uint64_t one = 1;

		(void)!write(u->fd, &one, sizeof one);
	}
}

static void miss(struct userdp *u, const struct flow *flow,
		 const struct sleeve_frame *frame)
{
	struct port *port = find_port(u, flow->in_port);
	struct upcall *upcall = port ? make_upcall(flow, frame) : NULL;

	if (upcall) {
		push_upcall(u, port, upcall);
	}
}

/* Where it came from, as the kernel would show it. */
static void set_origin(const struct userdp *u,
		       const struct sleeve_origin *origin, struct flow *flow)
{
	if (!origin->peer) {
		flow->in_port = origin->port_no;
		return;
	}
	flow->in_port = tunnel_port(u);
	flow->tunnel.present = true;
	flow->tunnel.src = sleeve_addr(origin->from.number);
	flow->tunnel.dst = sleeve_addr(UINT32_MAX);
	flow->tunnel.vni = origin->from.vni;
	flow->tunnel.ttl = origin->from.ttl;
	flow->tunnel.flags = FLOW_TNL_KEY;
}

static void receive(void *u_, struct sleeve_thread *t,
		    const struct sleeve_origin *origin,
		    struct sleeve_frame *frame)
{
	struct userdp *u = u_;
	unsigned int id = sleeve_thread_id(t);
	struct cached_flow *found;
	struct flow flow;

	if (parse_frame(frame->head, &flow)) {
		return;
	}
	set_origin(u, origin, &flow);
	found = flow_cache_find(u->flows, &u->local[id], &flow);
	if (!found) {
		miss(u, &flow, frame);
		return;
	}
	cached_flow_count(found, id, frame->size, sleeve_thread_now_ms(t),
			  flow.tcp_flags);
	(void)execute(u, t, flow.in_port, cached_flow_actions(found), frame);
}

/* ---- the handle ------------------------------------------------------- */

struct userdp *userdp_new(struct sleeve *sleeve)
{
	struct userdp *u = xzalloc(sizeof *u);
	unsigned int n = sleeve_n_threads(sleeve) + 1;

	u->sleeve = sleeve;
	u->flows = flow_cache_new(n);
	u->local = xzalloc_cacheline(n * sizeof *u->local);
	cmap_init(&u->ports);
	atomic_init(&u->tunnel_port, NO_PORT);
	u->execute_buf = xmalloc(VNET_BYTES + VNET_FRAME_MAX);
	ovs_mutex_init(&u->mutex);
	ovs_list_init(&u->ready);
	ovs_list_init(&u->waiting);
	ovs_list_init(&u->served);
	u->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (u->fd < 0) {
		ovs_fatal(errno, "eventfd");
	}
	sleeve_set_receiver(sleeve, receive, u);
	return u;
}

void userdp_free(struct userdp *u)
{
	struct port *port;

	if (!u) {
		return;
	}
	CMAP_FOR_EACH(port, node, &u->ports)
	{
		port_remove(u, port);
	}
	free_upcalls(&u->served);
	flow_cache_free(u->flows);
	cmap_destroy(&u->ports);
	close(u->fd);
	ovs_mutex_destroy(&u->mutex);
	free_cacheline(u->local);
	free(u->execute_buf);
	free(u);
}

/* ---- flows and packets ------------------------------------------------ */

int userdp_flow_put(struct userdp *u, const struct ufid *ufid,
		    const struct flow *key, const struct flow *mask,
		    const struct actions *actions)
{
	return flow_cache_put(u->flows, ufid, key, mask, actions);
}

int userdp_flow_del(struct userdp *u, const struct ufid *ufid)
{
	return flow_cache_del(u->flows, ufid);
}

/* What is to be sent again of a super-frame that came up: its vnet header, or
 * none. */
static void restore_vnet(const struct userdp *u, const struct flow *key,
			 struct span packet, uint8_t *vnet)
{
	const struct upcall *upcall;

	memset(vnet, 0, VNET_BYTES);
	LIST_FOR_EACH (upcall, node, &u->served) {
		if (upcall->size == packet.size &&
		    flow_equal(&upcall->flow, key) &&
		    !memcmp(upcall->data + VNET_BYTES, packet.data,
			    packet.size)) {
			memcpy(vnet, upcall->data, VNET_BYTES);
			return;
		}
	}
}

int userdp_execute(struct userdp *u, const struct flow *key, struct span packet,
		   const struct actions *actions)
{
	struct sleeve_frame frame = {.size = packet.size,
				     .data = u->execute_buf};

	if (packet.size < SLEEVE_ETH_BYTES || packet.size > VNET_FRAME_MAX) {
		return EMSGSIZE;
	}
	restore_vnet(u, key, packet, frame.data);
	memcpy(frame.data + VNET_BYTES, packet.data, packet.size);
	frame.head = span_of(frame.data + VNET_BYTES, packet.size);
	return execute(u, sleeve_main(u->sleeve), key->in_port, actions, &frame)
		       ? 0
		       : EMSGSIZE;
}

struct dump {
	void (*each)(const struct userdp_flow *, void *);
	void *aux;
};

static void dump_flow(void *dump_, const struct ufid *ufid,
		      const struct flow *key, const struct flow *mask,
		      const struct actions *actions,
		      const struct odp_flow_stats *stats)
{
	const struct dump *dump = dump_;
	const struct userdp_flow flow = {.ufid = *ufid,
					 .key = key,
					 .mask = mask,
					 .actions = actions,
					 .stats = *stats};

	dump->each(&flow, dump->aux);
}

void userdp_flow_dump(const struct userdp *u,
		      void (*each)(const struct userdp_flow *, void *),
		      void *aux)
{
	struct dump dump = {each, aux};

	flow_cache_dump(u->flows, dump_flow, &dump);
}

/* ---- upcalls ---------------------------------------------------------- */

int userdp_fd(const struct userdp *u)
{
	return u->fd;
}

/* Takes at most QUOTA upcalls of the port that waits longest; NULL: none may be
 * served now. */
static struct port *take_upcalls(struct userdp *u, uint64_t now_us,
				 struct ovs_list *taken)
{
	struct port *port = NULL;
	uint32_t n = 0;

	ovs_mutex_lock(&u->mutex);
	while (!n && !ovs_list_is_empty(&u->ready)) {
		port = CONTAINER_OF(ovs_list_pop_front(&u->ready), struct port,
				    node_ready);
		port->is_ready = false;
		if (port->limited && !port->bucket.rate) {
			bucket_init(&port->bucket, PORT_RATE, PORT_BURST,
				    now_us);
		}
		if (port->limited &&
		    !bucket_take(&port->bucket, QUOTA, now_us)) {
			port->waits = true;
			port->counters.waited++;
			ovs_list_push_back(&u->waiting, &port->node_ready);
			continue;
		}
		while (n < QUOTA && !ovs_list_is_empty(&port->queue)) {
			struct upcall *upcall =
				CONTAINER_OF(ovs_list_pop_front(&port->queue),
					     struct upcall, node);

			port->queued_bytes -= cost(upcall);
			ovs_list_push_back(taken, &upcall->node);
			n++;
		}
		if (port->limited) {
			bucket_give(&port->bucket, QUOTA - n);
		}
		if (!ovs_list_is_empty(&port->queue)) {
			ovs_list_push_back(&u->ready, &port->node_ready);
			port->is_ready = true;
		}
	}
	ovs_mutex_unlock(&u->mutex);
	return n ? port : NULL;
}

static void wake_ports(struct userdp *u, uint64_t now_us)
{
	struct port *port, *next;

	LIST_FOR_EACH_SAFE (port, next, node_ready, &u->waiting) {
		if (bucket_ready_us(&port->bucket, QUOTA) <= now_us) {
			ovs_mutex_lock(&u->mutex);
			ovs_list_remove(&port->node_ready);
			port->waits = false;
			port->is_ready = true;
			ovs_list_push_back(&u->ready, &port->node_ready);
			ovs_mutex_unlock(&u->mutex);
		}
	}
}

uint64_t userdp_deadline(const struct userdp *u)
{
	uint64_t deadline_us = cmap_count(&u->ports) ? u->look_us : UINT64_MAX;
	const struct port *port;

	LIST_FOR_EACH (port, node_ready, &u->waiting) {
		deadline_us =
			MIN(deadline_us, bucket_ready_us(&port->bucket, QUOTA));
	}
	return deadline_us;
}

static bool any_ready(struct userdp *u)
{
	bool any;

	ovs_mutex_lock(&u->mutex);
	any = !ovs_list_is_empty(&u->ready);
	ovs_mutex_unlock(&u->mutex);
	return any;
}

static bool is_super_frame(const struct upcall *upcall)
{
	struct vnet_hdr vnet;

	memcpy(&vnet, upcall->data, sizeof vnet);
	return vnet.gso_type != VNET_GSO_NONE;
}

size_t userdp_upcalls_run(struct userdp *u, uint64_t now_us, size_t budget,
			  void (*each)(const struct odp_upcall *, void *),
			  void *aux)
{
	const uint64_t one = 1;
	uint64_t count;
	size_t n = 0;

	(void)!read(u->fd, &count, sizeof count);
	free_upcalls(&u->served);
	wake_ports(u, now_us);
	while (n < budget) {
		struct ovs_list taken = OVS_LIST_INITIALIZER(&taken);
		struct port *port = take_upcalls(u, now_us, &taken);
		struct upcall *upcall;

		if (!port) {
			break;
		}
		LIST_FOR_EACH_POP (upcall, node, &taken) {
			const struct odp_upcall up = {
				.miss = true,
				.flow = upcall->flow,
				.packet = span_of(upcall->data + VNET_BYTES,
						  upcall->size)};

			n++;
			port->counters.handled++;
			/* It may remove the port, which RCU keeps. */
			each(&up, aux);
			if (is_super_frame(upcall)) {
				ovs_list_push_back(&u->served, &upcall->node);
			} else {
				free(upcall);
			}
		}
	}
	if (any_ready(u)) {
		(void)!write(u->fd, &one, sizeof one);
	}
	return n;
}

void userdp_counters(const struct userdp *u, struct odp_counters *counters)
{
	struct odp_counters sum = u->gone, one;
	const struct port *port;

	ovs_mutex_lock(&u->mutex);
	CMAP_FOR_EACH(port, node, &u->ports)
	{
		one = counters_of(port);
		add(&sum, &one);
	}
	ovs_mutex_unlock(&u->mutex);
	*counters = sum;
}

bool userdp_port_counters(const struct userdp *u, uint32_t port_no,
			  struct odp_counters *counters)
{
	const struct port *port = find_port(u, port_no);

	if (port) {
		ovs_mutex_lock(&u->mutex);
		*counters = counters_of(port);
		ovs_mutex_unlock(&u->mutex);
	}
	return port;
}

void userdp_each_port_counters(const struct userdp *u,
			       void (*each)(uint32_t port_no,
					    const struct odp_counters *,
					    void *),
			       void *aux)
{
	size_t n;
	const struct port **ports = sorted_ports(u, &n);

	for (size_t i = 0; i < n; i++) {
		struct odp_counters counters;

		if (userdp_port_counters(u, ports[i]->vport.port_no,
					 &counters)) {
			each(ports[i]->vport.port_no, &counters, aux);
		}
	}
	free(ports);
}
