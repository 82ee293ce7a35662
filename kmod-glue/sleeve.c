#include "kmod-glue/sleeve.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "hash.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/vlog.h"

#include "kmod-glue/sleeve_state.h"

VLOG_DEFINE_THIS_MODULE(sleeve)

enum {
	/* More do not make one peer faster, and each has a megabyte. */
	DEFAULT_THREADS_MAX = 4,
	SOCKET_BUFFER = 8 * 1024 * 1024,
	SEND_TIMEOUT_US = 100000
};

/* As many as DESIGN allows one AES-GCM key of ESP: the engine is told at three
 * quarters and rekeys. */
#define SEQ_LIMIT (UINT64_C(1) << 32)

/* ---- look-ups --------------------------------------------------------- */

static uint32_t hash_pair(uint32_t peer, uint32_t vni)
{
	return hash_2words(peer, vni);
}

struct sleeve_peer *sleeve_find_peer(const struct sleeve *s, uint32_t number)
{
	struct sleeve_peer *peer;

	CMAP_FOR_EACH_WITH_HASH(peer, node, hash_int(number, 0), &s->peers)
	{
		if (peer->number == number) {
			return peer;
		}
	}
	return NULL;
}

struct sleeve_opener *sleeve_find_opener(const struct sleeve *s, uint32_t index)
{
	struct sleeve_opener *opener;

	CMAP_FOR_EACH_WITH_HASH(opener, node, hash_int(index, 0), &s->openers)
	{
		if (opener->key.index == index) {
			return opener;
		}
	}
	return NULL;
}

struct sleeve_tap *sleeve_find_tap(const struct sleeve *s, uint32_t port_no)
{
	struct sleeve_tap *tap;

	CMAP_FOR_EACH_WITH_HASH(tap, node, hash_int(port_no, 0), &s->taps)
	{
		if (tap->port_no == port_no) {
			return tap;
		}
	}
	return NULL;
}

struct sleeve_vlan *sleeve_find_vlan(const struct sleeve *s, uint32_t peer,
				     uint32_t vni)
{
	struct sleeve_vlan *vlan;

	CMAP_FOR_EACH_WITH_HASH(vlan, node, hash_pair(peer, vni), &s->vlans)
	{
		if (vlan->peer == peer && vlan->vni == vni) {
			return vlan;
		}
	}
	return NULL;
}

/* ---- opening and closing ---------------------------------------------- */

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value) ? errno : 0;
}

/* Without CAP_NET_ADMIN the system's limit holds. */
static void set_buffer(int fd, int force, int option)
{
	if (set(fd, SOL_SOCKET, force, SOCKET_BUFFER)) {
		(void)set(fd, SOL_SOCKET, option, SOCKET_BUFFER);
	}
}

/* No datagram of ours is ever fragmented, and what routers say of MTUs is not
 * believed: probes find it (lib/mesh/pmtu.h). */
static int set_options(int fd, bool v4)
{
	const struct timeval timeout = {.tv_usec = SEND_TIMEOUT_US};
	int error = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);

	set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
	/* Since Linux 5.0; without it only slower. */
	(void)set(fd, IPPROTO_UDP, UDP_GRO, 1);
	if (!error &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout)) {
		error = errno;
	}
	if (!error && v4) {
		error = set(fd, IPPROTO_IP, IP_PKTINFO, 1);
	} else if (!error) {
		error = set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	}
	if (!error && v4) {
		error = set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
	} else if (!error) {
		error = set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
			    IPV6_PMTUDISC_PROBE);
	}
	if (!error && !v4) {
		error = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	}
	return error;
}

/* 'ip' of zero is every address of the family. */
static int open_socket(bool v4, const struct ip_addr *ip, uint16_t port,
		       int *fdp)
{
	static const uint8_t any[4];
	struct ip_addr local = *ip;
	union sockaddr_any ss;
	socklen_t size;
	int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0) {
		return errno;
	}
	if (v4 && ip_is_zero(&local)) {
		local = ip_from_v4(any);
	}
	error = set_options(fd, v4);
	size = sockaddr_put(&ss, &local, port);
	if (!error && bind(fd, &ss.sa, size)) {
		error = errno;
	}
	if (error) {
		close(fd);
		return error;
	}
	*fdp = fd;
	return 0;
}

static int watch(int epoll_fd, int fd, uint64_t what)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = what};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) ? errno : 0;
}

static bool lacks_family(int error)
{
	return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

static int open_sockets(struct sleeve_thread *t)
{
	const struct sleeve_config *c = &t->sleeve->config;
	bool any = ip_is_zero(&c->listen);
	int error = 0;

	if (any || ip_is_v4(&c->listen)) {
		error = open_socket(true, &c->listen, c->port, &t->fd4);
	}
	if (!error && (any || !ip_is_v4(&c->listen))) {
		error = open_socket(false, &c->listen, c->port, &t->fd6);
		/* A host may do without IPv6. */
		if (any && lacks_family(error)) {
			error = 0;
		}
	}
	if (!error && t->fd4 >= 0) {
		error = watch(t->epoll_fd, t->fd4, SLEEVE_EPOLL_UDP4);
	}
	if (!error && t->fd6 >= 0) {
		error = watch(t->epoll_fd, t->fd6, SLEEVE_EPOLL_UDP6);
	}
	return error;
}

static int open_thread(struct sleeve_thread *t)
{
	t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->epoll_fd < 0 || t->wake_fd < 0 ||
	    watch(t->epoll_fd, t->wake_fd, SLEEVE_EPOLL_WAKE)) {
		return errno;
	}
	return open_sockets(t);
}

static void wake(const struct sleeve_thread *t)
{
	const uint64_t one = 1;

	(void)!write(t->wake_fd, &one, sizeof one);
}

static unsigned int choose_n_threads(unsigned int wanted)
{
	cpu_set_t cpus;
	unsigned int n = 1;

	if (wanted) {
		return MIN(wanted, SLEEVE_THREADS_MAX);
	}
	if (!sched_getaffinity(0, sizeof cpus, &cpus)) {
		n = (unsigned int)CPU_COUNT(&cpus);
	}
	return MAX(1, MIN(n, DEFAULT_THREADS_MAX));
}

int sleeve_open(const struct sleeve_config *config, struct sleeve **sleevep,
		struct ds *why)
{
	struct sleeve *s = xzalloc_cacheline(sizeof *s);
	int error = 0;

	BUILD_ASSERT_DECL((unsigned int)SEQ_BLOCK >= CUT_NUMBERS_MIN);
	s->config = *config;
	s->n_threads = choose_n_threads(config->n_threads);
	s->threads = xzalloc_cacheline((s->n_threads + 1) * sizeof *s->threads);
	s->suite = cipher_suite_new();
	s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ovs_mutex_init(&s->events_mutex);
	cmap_init(&s->peers);
	cmap_init(&s->openers);
	cmap_init(&s->taps);
	cmap_init(&s->vlans);
	for (unsigned int i = 0; i <= s->n_threads; i++) {
		sleeve_thread_init(&s->threads[i], s, i);
	}
	if (s->event_fd < 0) {
		error = errno;
	}
	for (unsigned int i = 0; i < s->n_threads && !error; i++) {
		error = open_thread(&s->threads[i]);
	}
	if (error) {
		ds_put_format(why, "cannot open the sleeve's UDP port %u (%s)",
			      config->port, ovs_strerror(error));
		sleeve_close(s);
		return error;
	}
	s->threads[s->n_threads].fd4 = s->threads[0].fd4;
	s->threads[s->n_threads].fd6 = s->threads[0].fd6;
	for (unsigned int i = 0; i < s->n_threads; i++) {
		s->threads[i].pthread = ovs_thread_create(
			"sleeve", sleeve_thread_main, &s->threads[i]);
		s->threads[i].runs = true;
	}
	*sleevep = s;
	return 0;
}

unsigned int sleeve_n_threads(const struct sleeve *s)
{
	return s->n_threads;
}

bool sleeve_has_aes_gcm(const struct sleeve *s)
{
	return cipher_suite_backend(s->suite, CIPHER_AES_256_GCM) != NULL;
}

void sleeve_set_receiver(struct sleeve *s, sleeve_receive_cb *receive,
			 void *aux)
{
	s->receive = receive;
	s->receive_aux = aux;
}

struct sleeve_thread *sleeve_main(struct sleeve *s)
{
	return &s->threads[s->n_threads];
}

void sleeve_main_flush(struct sleeve *s)
{
	sleeve_thread_flush(sleeve_main(s));
}

/* ---- TAPs ------------------------------------------------------------- */

static void tap_free(struct sleeve_tap *tap)
{
	tap_close(tap->fds, tap->n_fds);
	free_cacheline(tap->counts);
	free(tap);
}

static void unwatch_tap(struct sleeve *s, const struct sleeve_tap *tap)
{
	for (size_t i = 0; i < tap->n_fds; i++) {
		(void)epoll_ctl(s->threads[i % s->n_threads].epoll_fd,
				EPOLL_CTL_DEL, tap->fds[i], NULL);
	}
}

/* Its device goes now, with its last queue, and not when the last thread has
 * been quiet: until then their descriptors are of something that has nothing to
 * read and takes nothing. */
static void let_go_of_tap(const struct sleeve_tap *tap)
{
	int nothing =
		socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (nothing < 0) {
		return; /* It goes a moment later. */
	}
	for (size_t i = 0; i < tap->n_fds; i++) {
		(void)!dup3(nothing, tap->fds[i], O_CLOEXEC);
	}
	close(nothing);
}

static void tap_remove(struct sleeve *s, struct sleeve_tap *tap)
{
	unwatch_tap(s, tap);
	let_go_of_tap(tap);
	if (ovsrcu_get_protected(struct sleeve_tap *, &s->trunk) == tap) {
		ovsrcu_set(&s->trunk, NULL);
	}
	cmap_remove(&s->taps, &tap->node, hash_int(tap->port_no, 0));
	ovsrcu_postpone(tap_free, tap);
}

int sleeve_tap_add(struct sleeve *s, uint32_t port_no, const int *fds, size_t n,
		   enum sleeve_tap_kind kind)
{
	struct sleeve_tap *tap;

	ovs_assert(n && n <= TAP_QUEUES_MAX);
	if (sleeve_find_tap(s, port_no) ||
	    (kind == SLEEVE_TAP_TRUNK &&
	     ovsrcu_get_protected(struct sleeve_tap *, &s->trunk))) {
		return EEXIST;
	}
	/* Of one kernel, they all do or none. */
	atomic_store_relaxed(&s->uso, tap_takes_uso(fds[0]));
	tap = xzalloc(sizeof *tap);
	tap->port_no = port_no;
	tap->kind = kind;
	tap->n_fds = n;
	memcpy(tap->fds, fds, n * sizeof *fds);
	tap->counts =
		xzalloc_cacheline((s->n_threads + 1) * sizeof *tap->counts);
	cmap_insert(&s->taps, &tap->node, hash_int(port_no, 0));
	if (kind == SLEEVE_TAP_TRUNK) {
		ovsrcu_set(&s->trunk, tap);
	}
	for (size_t i = 0; i < n; i++) {
		int error = watch(s->threads[i % s->n_threads].epoll_fd, fds[i],
				  port_no);

		if (error) {
			tap->n_fds = 0; /* They stay the caller's. */
			tap_remove(s, tap);
			return error;
		}
	}
	return 0;
}

void sleeve_tap_persist(struct sleeve *s, uint32_t port_no, bool persist)
{
	const struct sleeve_tap *tap = sleeve_find_tap(s, port_no);

	if (tap) {
		(void)!tap_persist(tap->fds[0], persist);
	}
}

bool sleeve_tap_del(struct sleeve *s, uint32_t port_no)
{
	struct sleeve_tap *tap = sleeve_find_tap(s, port_no);

	if (tap) {
		tap_remove(s, tap);
	}
	return tap;
}

bool sleeve_tap_stats(const struct sleeve *s, uint32_t port_no,
		      struct sleeve_tap_stats *stats)
{
	const struct sleeve_tap *tap = sleeve_find_tap(s, port_no);

	if (!tap) {
		return false;
	}
	memset(stats, 0, sizeof *stats);
	for (unsigned int i = 0; i <= s->n_threads; i++) {
		const struct sleeve_tap_counts *c = &tap->counts[i];

		stats->rx_packets += sleeve_counted(&c->rx_packets);
		stats->tx_packets += sleeve_counted(&c->tx_packets);
		stats->rx_bytes += sleeve_counted(&c->rx_bytes);
		stats->tx_bytes += sleeve_counted(&c->tx_bytes);
		stats->lost += sleeve_counted(&c->lost);
	}
	return true;
}

/* ---- keys and peers --------------------------------------------------- */

static void sealer_free(struct sleeve_sealer *sealer)
{
	cipher_key_free(sealer->cipher);
	free(sealer);
}

static void opener_free(struct sleeve_opener *opener)
{
	cipher_key_free(opener->cipher);
	ovs_mutex_destroy(&opener->mutex);
	free(opener);
}

static void peer_free(struct sleeve_peer *peer)
{
	ovs_mutex_destroy(&peer->mutex);
	free_cacheline(peer->counts);
	free(peer);
}

static struct sleeve_peer *find_or_make_peer(struct sleeve *s, uint32_t number)
{
	struct sleeve_peer *peer = sleeve_find_peer(s, number);

	if (!peer) {
		peer = xzalloc(sizeof *peer);
		peer->number = number;
		ovs_mutex_init(&peer->mutex);
		peer->counts = xzalloc_cacheline((s->n_threads + 1) *
						 sizeof *peer->counts);
		cmap_insert(&s->peers, &peer->node, hash_int(number, 0));
	}
	return peer;
}

/* The numbers of both enums are those of the wire. */
static int make_key(const struct sleeve *s, const struct op_sleeve *op,
		    enum cipher_direction direction, struct cipher_key **key)
{
	enum err err;

	if (op->cipher == SLEEVE_CIPHER_NONE) {
		*key = cipher_key_new_plain();
		return 0;
	}
	err = cipher_key_new(s->suite, (enum cipher)op->cipher, direction,
			     &op->key, s->n_threads + 1, key);
	return err ? ENOTSUP : 0;
}

int sleeve_put_in(struct sleeve *s, const struct op_sleeve *op)
{
	struct sleeve_opener *opener;
	struct cipher_key *cipher;
	int error;

	if (sleeve_find_opener(s, op->index)) {
		return EEXIST;
	}
	error = make_key(s, op, CIPHER_OPEN, &cipher);
	if (error) {
		return error;
	}
	opener = xzalloc(sizeof *opener);
	opener->peer = find_or_make_peer(s, op->peer);
	opener->cipher = cipher;
	opener->key = (struct frame_key){.cipher = cipher,
					 .index = op->index,
					 .epoch = op->epoch,
					 .initiator = op->initiator};
	ovs_mutex_init(&opener->mutex);
	replay_init(&opener->replay, REPLAY_WINDOW_MAX, UINT64_MAX);
	cmap_insert(&s->openers, &opener->node, hash_int(op->index, 0));
	return 0;
}

static void opener_remove(struct sleeve *s, struct sleeve_opener *opener)
{
	cmap_remove(&s->openers, &opener->node, hash_int(opener->key.index, 0));
	ovsrcu_postpone(opener_free, opener);
}

void sleeve_del_in(struct sleeve *s, uint32_t index)
{
	struct sleeve_opener *opener = sleeve_find_opener(s, index);

	if (opener) {
		opener_remove(s, opener);
	}
}

struct sleeve_out *sleeve_out_new(struct sleeve_peer *peer,
				  struct sleeve_sealer *sealer,
				  const struct ip_addr *local,
				  const struct ip_endpoint *remote,
				  uint32_t mtu)
{
	struct sleeve_out *out = xzalloc(sizeof *out);

	out->peer = peer;
	out->sealer = sealer;
	out->local = *local;
	out->remote = *remote;
	out->to_size = sockaddr_put(&out->to, &remote->ip, remote->port);
	out->mtu = mtu;
	atomic_init(&out->any_source, ip_is_zero(local));
	for (size_t i = 0; i < ARRAY_SIZE(out->ways); i++) {
		struct cut_way *way = &out->ways[i];

		way->key = (struct frame_key){.cipher = sealer->cipher,
					      .index = sealer->index,
					      .epoch = sealer->epoch,
					      .initiator = sealer->initiator};
		way->datagram_size =
			sleeve_datagram_size(mtu, ip_is_v4(&remote->ip));
		way->to = out;
	}
	return out;
}

/* Puts 'out' (NULL: none) in the place of what was there. */
static void replace_out(struct sleeve_peer *peer, struct sleeve_out *out)
{
	struct sleeve_out *old;

	ovs_mutex_lock(&peer->mutex);
	old = ovsrcu_get_protected(struct sleeve_out *, &peer->out);
	ovsrcu_set(&peer->out, out);
	ovs_mutex_unlock(&peer->mutex);
	if (old && (!out || out->sealer != old->sealer)) {
		ovsrcu_postpone(sealer_free, old->sealer);
	}
	if (old) {
		ovsrcu_postpone(free, old);
	}
}

int sleeve_set_out(struct sleeve *s, const struct op_sleeve *op)
{
	struct sleeve_peer *peer = find_or_make_peer(s, op->peer);
	const struct sleeve_out *old =
		ovsrcu_get_protected(struct sleeve_out *, &peer->out);
	struct sleeve_sealer *sealer = old ? old->sealer : NULL;

	if (!sealer || sealer->index != op->index ||
	    sealer->epoch != op->epoch) {
		struct cipher_key *cipher;
		int error = make_key(s, op, CIPHER_SEAL, &cipher);

		if (error) {
			return error;
		}
		sealer = xzalloc(sizeof *sealer);
		seq_source_init(&sealer->seq, 1, SEQ_LIMIT);
		sealer->cipher = cipher;
		sealer->index = op->index;
		sealer->epoch = op->epoch;
		sealer->initiator = op->initiator;
	}
	replace_out(peer, sleeve_out_new(peer, sealer, &op->local, &op->remote,
					 op->mtu));
	wake(&s->threads[0]); /* It sends keepalives. */
	return 0;
}

int sleeve_set_mtu(struct sleeve *s, uint32_t number, uint32_t mtu)
{
	struct sleeve_peer *peer = sleeve_find_peer(s, number);
	struct sleeve_out *old, *out = NULL;

	if (!peer) {
		return ENOENT;
	}
	/* A worker may have moved it: nothing but the MTU is to change. */
	ovs_mutex_lock(&peer->mutex);
	old = ovsrcu_get_protected(struct sleeve_out *, &peer->out);
	if (old) {
		out = sleeve_out_new(peer, old->sealer, &old->local,
				     &old->remote, mtu);
		ovsrcu_set(&peer->out, out);
	}
	ovs_mutex_unlock(&peer->mutex);
	if (!old) {
		return ENOENT;
	}
	ovsrcu_postpone(free, old);
	return 0;
}

static void vlan_remove(struct sleeve *s, struct sleeve_vlan *vlan)
{
	ovsrcu_set(&s->by_vid[vlan->vid], NULL);
	cmap_remove(&s->vlans, &vlan->node, hash_pair(vlan->peer, vlan->vni));
	ovsrcu_postpone(free, vlan);
}

int sleeve_set_vlan(struct sleeve *s, uint16_t vid, uint32_t peer, uint32_t vni,
		    bool del)
{
	struct sleeve_vlan *vlan;

	if (!vid || vid >= SLEEVE_VIDS - 1) {
		return EINVAL;
	}
	vlan = ovsrcu_get_protected(struct sleeve_vlan *, &s->by_vid[vid]);
	if (vlan && (!del || (vlan->peer == peer && vlan->vni == vni))) {
		vlan_remove(s, vlan);
	}
	if (del) {
		return 0;
	}
	vlan = sleeve_find_vlan(s, peer, vni);
	if (vlan) {
		vlan_remove(s, vlan);
	}
	vlan = xzalloc(sizeof *vlan);
	vlan->vid = vid;
	vlan->peer = peer;
	vlan->vni = vni;
	cmap_insert(&s->vlans, &vlan->node, hash_pair(peer, vni));
	ovsrcu_set(&s->by_vid[vid], vlan);
	return 0;
}

static void peer_remove(struct sleeve *s, struct sleeve_peer *peer)
{
	struct sleeve_opener *opener;
	struct sleeve_vlan *vlan;

	CMAP_FOR_EACH(vlan, node, &s->vlans)
	{
		if (vlan->peer == peer->number) {
			vlan_remove(s, vlan);
		}
	}
	CMAP_FOR_EACH(opener, node, &s->openers)
	{
		if (opener->peer == peer) {
			opener_remove(s, opener);
		}
	}
	replace_out(peer, NULL);
	cmap_remove(&s->peers, &peer->node, hash_int(peer->number, 0));
	ovsrcu_postpone(peer_free, peer);
}

void sleeve_del_peer(struct sleeve *s, uint32_t number)
{
	struct sleeve_peer *peer = sleeve_find_peer(s, number);

	if (peer) {
		peer_remove(s, peer);
	}
}

/* ---- what workers tell ------------------------------------------------ */

int sleeve_fd(const struct sleeve *s)
{
	return s->event_fd;
}

bool sleeve_tell(struct sleeve *s, const struct sleeve_event *event)
{
	const uint64_t one = 1;
	bool told;

	ovs_mutex_lock(&s->events_mutex);
	told = s->n_events < SLEEVE_EVENTS_MAX;
	if (told) {
		s->events[s->n_events++] = *event;
	}
	ovs_mutex_unlock(&s->events_mutex);
	(void)!write(s->event_fd, &one, sizeof one);
	return told;
}

void sleeve_run(struct sleeve *s,
		void (*each)(void *, const struct sleeve_event *), void *aux)
{
	struct sleeve_event events[SLEEVE_EVENTS_MAX];
	uint64_t count;
	size_t n;

	if (read(s->event_fd, &count, sizeof count) != sizeof count) {
		return;
	}
	ovs_mutex_lock(&s->events_mutex);
	n = s->n_events;
	memcpy(events, s->events, n * sizeof *events);
	s->n_events = 0;
	ovs_mutex_unlock(&s->events_mutex);
	for (size_t i = 0; i < n; i++) {
		each(aux, &events[i]);
	}
}

static struct sleeve_load load_of(const struct sleeve *s,
				  const struct sleeve_peer *peer)
{
	struct sleeve_load load = {.peer = peer->number};
	uint64_t heard_ms = sleeve_counted(&peer->heard_ms);

	for (unsigned int i = 0; i <= s->n_threads; i++) {
		const struct sleeve_peer_counts *c = &peer->counts[i];

		load.tx_frames += sleeve_counted(&c->tx_frames);
		load.tx_bytes += sleeve_counted(&c->tx_bytes);
		load.tx_datagrams += sleeve_counted(&c->tx_datagrams);
		load.rx_frames += sleeve_counted(&c->rx_frames);
		load.rx_bytes += sleeve_counted(&c->rx_bytes);
		load.rx_datagrams += sleeve_counted(&c->rx_datagrams);
		load.forged += sleeve_counted(&c->forged);
		load.replayed += sleeve_counted(&c->replayed);
		load.lost += sleeve_counted(&c->lost);
	}
	load.heard_ms =
		!heard_ms ? UINT64_MAX
			  : sleeve_now_ms() - MIN(heard_ms, sleeve_now_ms());
	return load;
}

static int compare_peers(const void *a_, const void *b_)
{
	const struct sleeve_peer *const *a = a_, *const *b = b_;

	return (*a)->number < (*b)->number ? -1 : (*a)->number > (*b)->number;
}

void sleeve_each_load(const struct sleeve *s,
		      void (*each)(void *, const struct sleeve_load *),
		      void *aux)
{
	size_t n = 0, max = cmap_count(&s->peers);
	const struct sleeve_peer **peers = xcalloc(MAX(max, 1), sizeof *peers);
	const struct sleeve_peer *peer;

	CMAP_FOR_EACH(peer, node, &s->peers)
	{
		if (n < max) {
			peers[n++] = peer;
		}
	}
	if (n) {
		qsort(peers, n, sizeof *peers, compare_peers);
	}
	for (size_t i = 0; i < n; i++) {
		struct sleeve_load load = load_of(s, peers[i]);

		each(aux, &load);
	}
	free(peers);
}

void sleeve_counters(const struct sleeve *s, struct sleeve_counters *counters)
{
	memset(counters, 0, sizeof *counters);
	for (unsigned int i = 0; i <= s->n_threads; i++) {
		const struct sleeve_thread *t = &s->threads[i];

		counters->unknown += sleeve_counted(&t->unknown);
		counters->malformed += sleeve_counted(&t->malformed);
		counters->no_way += sleeve_counted(&t->no_way);
		counters->too_big += sleeve_counted(&t->too_big_frames);
		counters->wakeups += sleeve_counted(&t->wakeups);
	}
}

/* ---- the end ---------------------------------------------------------- */

static void close_fd(int fd)
{
	if (fd >= 0) {
		close(fd);
	}
}

void sleeve_stop(struct sleeve *s)
{
	atomic_store(&s->exiting, true);
	for (unsigned int i = 0; i < s->n_threads; i++) {
		if (s->threads[i].runs) {
			wake(&s->threads[i]);
			xpthread_join(s->threads[i].pthread, NULL);
			s->threads[i].runs = false;
		}
	}
}

void sleeve_close(struct sleeve *s)
{
	struct sleeve_peer *peer;
	struct sleeve_tap *tap;

	if (!s) {
		return;
	}
	sleeve_stop(s);
	CMAP_FOR_EACH(tap, node, &s->taps)
	{
		tap_remove(s, tap);
	}
	CMAP_FOR_EACH(peer, node, &s->peers)
	{
		peer_remove(s, peer);
	}
	ovs_assert(cmap_is_empty(&s->openers) && cmap_is_empty(&s->vlans));
	for (unsigned int i = 0; i <= s->n_threads; i++) {
		struct sleeve_thread *t = &s->threads[i];

		if (!t->is_main) {
			close_fd(t->epoll_fd);
			close_fd(t->wake_fd);
			close_fd(t->fd4);
			close_fd(t->fd6);
		}
		sleeve_thread_done(t);
	}
	cmap_destroy(&s->peers);
	cmap_destroy(&s->openers);
	cmap_destroy(&s->taps);
	cmap_destroy(&s->vlans);
	close_fd(s->event_fd);
	ovs_mutex_destroy(&s->events_mutex);
	cipher_suite_free(s->suite);
	free_cacheline(s->threads);
	free_cacheline(s);
}
