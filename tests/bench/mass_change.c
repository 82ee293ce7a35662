/* One peer changes under many flows: what has to be written, and how long that
 * takes; see mass-change.
 *
 *	mass_change DATAPATH
 *
 * Makes the datapath, with flows of PORTS containers to ENDPOINTS stations of
 * each of PEERS peers, as the pipeline makes them, and removes it again. Prints
 * for each change: its name, the flows that were written (one Netlink message
 * each), milliseconds of deciding and of writing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "datapath/flow_table.h"
#include "kmod-glue/odp_socket.h"
#include "util.h"

enum {
	PORTS = 10,
	PEERS = 10,
	ENDPOINTS = 1000,
	FLOWS = PORTS * PEERS * ENDPOINTS,
	TUNNEL = 1,
	FIRST_PORT = 2,
	BATCH = 4096, /* Flows that are put together. */
	VNI = 1
};

static struct forwarding *fwd;
static struct flow_table *table;
static struct translation x;
static struct odp *odp;
static size_t n_failed;

static void die(const char *what, int error)
{
	fprintf(stderr, "%s: %s\n", what, strerror(error));
	exit(EXIT_FAILURE);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static struct ip_addr ip4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return ip_from_v4((uint8_t[]){a, b, c, d});
}

static struct binding port_binding(uint32_t i)
{
	struct binding b = {
		.vni = VNI, .mac = {{2, 1, 0, 0, 0, (uint8_t)i}}, .n_ips = 1};

	b.ips[0] = ip4(10, 1, 0, (uint8_t)i);
	return b;
}

static struct binding remote_binding(uint32_t peer, uint32_t i)
{
	struct binding b = {.vni = VNI,
			    .mac = {{2, 2, 0, (uint8_t)peer, (uint8_t)(i >> 8),
				     (uint8_t)i}},
			    .n_ips = 1};

	b.ips[0] = ip4((uint8_t)(20 + peer), 0, (uint8_t)(i >> 8), (uint8_t)i);
	return b;
}

static void set_peer(uint32_t peer, uint8_t subnet)
{
	struct fwd_peer p = {.peer = peer, .udp_port = 6784, .up = true};

	p.local = ip4(172, 31, 0, 200);
	p.remote = ip4(172, 31, subnet, (uint8_t)peer);
	forwarding_set_peer(fwd, &p);
}

static void bind_all(uint32_t peer)
{
	for (uint32_t i = 0; i < ENDPOINTS; i++) {
		struct binding b = remote_binding(peer, i);
		enum err err = forwarding_bind(fwd, peer, &b, NULL);

		ovs_assert(!err);
	}
}

static void make_world(void)
{
	struct fwd_port tunnel = {.port_no = TUNNEL, .kind = PORT_TUNNEL};
	enum err err = forwarding_add_port(fwd, &tunnel, NULL);

	ovs_assert(!err);
	for (uint32_t i = 0; i < PORTS; i++) {
		struct fwd_port port = {.port_no = FIRST_PORT + i,
					.kind = PORT_ENDPOINT,
					.binding = port_binding(i)};

		err = forwarding_add_port(fwd, &port, NULL);
		ovs_assert(!err);
	}
	for (uint32_t peer = 0; peer < PEERS; peer++) {
		set_peer(peer, 0);
		bind_all(peer);
	}
}

/* UDP from a container to a station of a peer. */
static struct flow flow_of(uint32_t port, uint32_t peer, uint32_t i)
{
	struct binding from = port_binding(port), to = remote_binding(peer, i);

	return (struct flow){.in_port = FIRST_PORT + port,
			     .eth_src = from.mac,
			     .eth_dst = to.mac,
			     .eth_type = ETH_TYPE_IPV4,
			     .nw_proto = IP_PROTO_UDP,
			     .nw_ttl = 64,
			     .nw_src = from.ips[0],
			     .nw_dst = to.ips[0],
			     .tp_src = 40000,
			     .tp_dst = 53};
}

static void done(uint64_t cookie, int error, const char *text, void *aux)
{
	(void)cookie;
	(void)text;
	(void)aux;
	n_failed += error != 0;
}

static void commit(void)
{
	odp_batch_commit(odp, done, NULL);
}

/* All flows, as their first packets would have them made; but those do not come
 * up, nobody waits for them, and nothing is sent. */
static void learn(uint64_t now_us)
{
	struct flow_changes none;

	flow_changes_init(&none);
	for (uint32_t n = 0; n < FLOWS; n++) {
		struct flow key = flow_of(n % PORTS, n / PORTS % PEERS,
					  n / PORTS / PEERS);
		const struct flow_entry *e;
		enum err err;

		pipeline_translate(fwd, &key, NULL, &x);
		err = flow_table_add(table, &key, &x, now_us, &none, &e);
		ovs_assert(!err && !none.n);
		odp_batch_flow_put(odp, n, false, &e->ufid, &e->key, &e->mask,
				   &e->actions);
		if (odp_batch_n(odp) == BATCH) {
			commit();
		}
	}
	commit();
}

static void show(const char *what, size_t n, double decided, double written)
{
	printf("%s %zu %.1f %.1f\n", what, n, decided, written);
	if (n_failed) {
		fprintf(stderr, "%s: %zu were refused\n", what, n_failed);
		exit(EXIT_FAILURE);
	}
}

/* Writes what the last change asks for. */
static void follow(const char *what)
{
	struct flow_changes changes;
	double begin = now_ms(), decided;

	flow_changes_init(&changes);
	flow_table_revalidate(table, fwd, forwarding_changed(fwd), &changes);
	decided = now_ms();
	for (size_t i = 0; i < changes.n; i++) {
		const struct flow_change *c = &changes.v[i];

		if (c->remove) {
			odp_batch_flow_del(odp, i, &c->ufid);
		} else {
			odp_batch_flow_put(odp, i, c->there, &c->ufid, &c->key,
					   &c->mask, &c->actions);
		}
		if (odp_batch_n(odp) == BATCH) {
			commit();
		}
	}
	commit();
	show(what, changes.n, decided - begin, now_ms() - decided);
	flow_changes_free(&changes);
}

int main(int argc, char *argv[])
{
	struct odp_datapath dp;
	double begin, flushed;
	int error;

	if (argc != 2 || sodium_init() < 0) {
		return EXIT_FAILURE;
	}
	error = odp_open(&odp);
	if (!error) {
		error = odp_dp_create(odp, argv[1], &dp);
	}
	if (error) {
		die(argv[1], error);
	}
	fwd = forwarding_new();
	table = flow_table_new(FLOW_TABLE_MAX, FLOW_SOURCE_MAX);
	translation_init(&x);
	make_world();
	begin = now_ms();
	learn(1);
	show("learn", FLOWS, 0, now_ms() - begin);
	deps_clear(forwarding_changed(fwd));

	set_peer(3, 1);
	follow("address");
	forwarding_remove_peer(fwd, 3);
	follow("leave");
	set_peer(3, 0);
	bind_all(3);
	follow("come");

	/* What others do: forget everything, and learn what is needed. */
	begin = now_ms();
	error = odp_flow_flush(odp);
	if (error) {
		die("flush", error);
	}
	flow_table_clear(table);
	flushed = now_ms();
	learn(2);
	show("relearn", FLOWS, flushed - begin, now_ms() - flushed);

	error = odp_dp_del(odp, argv[1]);
	if (error) {
		die("delete", error);
	}
	odp_close(odp);
	flow_table_free(table);
	forwarding_free(fwd);
	translation_free(&x);
	return EXIT_SUCCESS;
}
