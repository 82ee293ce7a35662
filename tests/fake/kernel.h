/* A host's kernel, in memory: it carries out the engine's ops with the meaning
 * that the real one gives them, and says what came of it.
 *
 * There is one datapath with its ports and flows, the IPsec databases as far as
 * fdp uses them (policies by priority, required templates, selectors, replay
 * windows), links and routes.  Frames go through the flow table; what leaves
 * through the tunnel port is a struct fake_packet, with the SA that protects
 * it, or none: no bytes are encrypted here.  Like the real kernel it outlives
 * the daemon.
 *
 * What must never happen is checked where it would: a breach is one sentence in
 * 'breach', which the world (fake/world.h) turns into a failed test.
 *
 * Kernel side: net/openvswitch/{datapath,flow_table,vport}.c,
 * net/xfrm/xfrm_{policy,state,input,output}.c.
 */
#ifndef FDP_TESTS_FAKE_KERNEL_H
#define FDP_TESTS_FAKE_KERNEL_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"
#include "crypto/replay.h"
#include "engine/event.h"
#include "engine/op.h"
#include "fake/sleeve.h"

enum {
	FAKE_MAX_PORTS = 64,
	FAKE_MAX_FLOWS = 1024,
	FAKE_MAX_SAS = 2048,
	FAKE_MAX_POLICIES = 256,
	FAKE_MAX_LINKS = 32,
	FAKE_MAX_ROUTES = 16
};

/* VXLAN, or a datagram of the sleeve, on the underlay. */
struct fake_packet {
	struct ip_addr src, dst;
	uint16_t udp_port; /* Destination. */
	uint32_t vni;
	uint8_t ttl;
	size_t size; /* Bytes on the wire, from the outer IP header. */
	/* Protected by this SA; else plaintext. */
	bool esp;
	uint32_t spi;
	uint64_t seq;
	uint8_t key[XFRM_KEY_SIZE];
	/* Sealed with that key, if there is a cipher; 'spi' is the index. */
	bool sleeve;
	enum sleeve_cipher cipher;
	uint16_t src_port;
	uint8_t *frame; /* The inner Ethernet frame. Owned. */
	size_t frame_size;
};

struct fake_port {
	uint32_t port_no;
	enum odp_vport_type type;
	char name[ODP_NAME_SIZE];
	uint16_t udp_port;
	uint32_t ifindex;
	bool served; /* A living daemon reads its upcalls. */
	/* What others did to its link. */
	bool down, renamed;
};

struct fake_flow {
	struct ufid ufid;
	struct flow key, mask;
	struct actions actions;
	struct odp_flow_stats stats;
	unsigned int n_puts;
	bool orphan; /* Of a daemon that died; not put again since. */
};

struct fake_sa {
	struct xfrm_sa sa;
	uint64_t age; /* Grows: the newest is the largest. */
	struct replay replay;
};

struct fake_link {
	char name[ODP_NAME_SIZE];
	uint32_t mtu; /* Of both ends. */
};

/* An event that the kernel has for the daemon. */
struct fake_event {
	struct event event;
	char *detail;				/* EVENT_RESULT; owned. */
	struct odp_upcall upcall;		/* EVENT_UPCALL */
	struct xfrm_event xfrm;			/* EVENT_XFRM */
	struct ipsec_sight sights[OP_LOOK_MAX]; /* EVENT_IPSEC */
	struct wbuf frame;			/* Of the upcall; owned. */
};

/* Makes the 'nth' op (from 0) of kind 'op' fail with 'os_errno', and all that
 * follow if it is 'lasting'. */
struct fake_fault {
	enum op_type op;
	unsigned int nth;
	int os_errno; /* 0 = no fault. */
	bool lasting;
	unsigned int n_seen;
	bool hit;
};

struct fake_kernel {
	/* Where things go that leave this kernel. */
	void (*transmit)(void *aux, struct fake_packet *); /* Takes it over. */
	void (*deliver)(void *aux, const char *link, struct span frame);
	int disk_error; /* Of saving the state; 0: it works. */
	void (*notify)(void *aux, struct fake_event *); /* Takes it over. */
	void (*breach)(void *aux, const char *text);
	/* Do both hosts want it plain between them? */
	bool (*may_be_plain)(void *aux, const struct ip_addr *a,
			     const struct ip_addr *b);
	void *aux;

	bool guarded;	/* Plaintext is a breach: the host has a password. */
	bool disturbed; /* Somebody else took something away: the order of
			 * things is not to be had. */
	bool robbed; /* SAs are gone, and nobody may be there for new ones. */
	bool datapath, foreign_datapath;
	/* Openvswitch or ESP are missing.  There is a sleeve, on UDP
	 * 'sleeve_port', with AES. */
	bool no_ovs, no_esp;
	/* Openvswitch is older, and does not know of sizes, or is a little
	 * older, and counts super-frames whole. */
	bool checks_no_size, checks_wrongly;
	bool has_sleeve, sleeve_aes;
	uint16_t sleeve_port;
	struct fake_sleeve sleeve;
	bool user;		 /* The datapath is the daemon's own. */
	uint16_t taken_udp_port; /* By somebody else. */
	bool netns_outlive;	 /* Containers do, when a link is deleted. */
	struct fake_port ports[FAKE_MAX_PORTS];
	size_t n_ports;
	struct fake_flow flows[FAKE_MAX_FLOWS];
	size_t n_flows;
	struct fake_sa sas[FAKE_MAX_SAS];
	size_t n_sas;
	uint64_t sas_made;
	struct xfrm_policy policies[FAKE_MAX_POLICIES];
	size_t n_policies;
	bool guard, guard_refused; /* Netfilter's. */
	struct guard_pair pairs[8];
	size_t n_pairs;
	struct fake_link links[FAKE_MAX_LINKS];
	size_t n_links;
	unsigned int n_link_mtus; /* That were set. */
	/* Routes: 'mtu' for 'dst'; others have 'default_mtu'. */
	struct {
		struct ip_addr dst;
		uint32_t mtu;
	} routes[FAKE_MAX_ROUTES];
	size_t n_routes;
	uint32_t default_mtu;
	/* One of them is said to be smaller. */
	struct {
		struct ip_addr dst;
		uint32_t mtu; /* 0: none. */
	} told;
	bool no_route;	 /* To nowhere. */
	int route_errno; /* What the kernel says of every route; or 0. */
	/* What somebody's netfilter rules drop. */
	bool drops_vxlan_out, drops_esp_out, drops_vxlan_in;

	struct fake_fault fault;

	/* What fake_kernel_snapshot() points to. */
	struct odp_vport snapshot_ports[FAKE_MAX_PORTS];
	struct xfrm_sa snapshot_sas[FAKE_MAX_SAS];
	struct xfrm_policy snapshot_policies[FAKE_MAX_POLICIES];
	struct ufid snapshot_drops[FAKE_MAX_FLOWS];
	struct found_flow snapshot_flows[FAKE_MAX_FLOWS];

	/* As in /proc/net/xfrm_stat. */
	struct ipsec_sight errors_in, errors_out;
	bool counts_nothing; /* It has no such file. */

	/* Counters. */
	uint32_t n_port_news;
	unsigned int n_datapath_news;
	unsigned int n_flow_puts;
	unsigned int n_flows_invalid; /* Keys or actions that make no sense. */
	uint64_t n_plain_sent, n_esp_sent, n_delivered;
	uint64_t n_guarded; /* Dropped by the netfilter guard. */
	uint64_t n_no_sa, n_blocked, n_replayed, n_too_big, n_upcalls_lost;
	uint64_t n_over_mtu; /* Too large for the link of a port. */
};

void fake_kernel_init(struct fake_kernel *);
void fake_kernel_done(struct fake_kernel *);

/* Carries out one op of the kinds that concern a kernel (datapath, IPsec,
 * links, routes); results come through 'notify'. */
void fake_kernel_run(struct fake_kernel *, const struct op *);

/* A frame that a container sends through the host end 'link'. */
void fake_kernel_send(struct fake_kernel *, const char *link,
		      struct span frame);
/* A packet that the underlay brings. */
void fake_kernel_arrive(struct fake_kernel *, const struct fake_packet *);

/* A new veth pair. */
void fake_kernel_add_link(struct fake_kernel *, const char *name, uint32_t mtu);
void fake_kernel_set_route(struct fake_kernel *, const struct ip_addr *dst,
			   uint32_t mtu);
/* A router says that the way to 'dst' takes no more than 'mtu'. */
void fake_kernel_tell(struct fake_kernel *, const struct ip_addr *dst,
		      uint32_t mtu);
struct fake_link *fake_kernel_link(struct fake_kernel *, const char *name);
const struct fake_port *fake_kernel_port(const struct fake_kernel *,
					 const char *name);

/* Somebody deletes a port and its link, and the kernel says so. */
void fake_kernel_lose_port(struct fake_kernel *, const char *name);
/* Somebody takes a port out of the datapath; its link stays. */
void fake_kernel_take_port(struct fake_kernel *, const char *name);
/* Somebody renames the link of a port, or sets it down. */
void fake_kernel_bend_link(struct fake_kernel *, const char *name, bool renamed,
			   bool down);
/* A link that was moved away is moved back. */
void fake_kernel_return_link(struct fake_kernel *, const char *name);
void fake_kernel_net_changed(struct fake_kernel *);
/* Somebody deletes the datapath, as a starting ovs-vswitchd does. */
void fake_kernel_lose_datapath(struct fake_kernel *);
/* Somebody else removes SAs or policies: number 'i', or all. */
void fake_kernel_lose_sa(struct fake_kernel *, size_t i);
void fake_kernel_lose_policy(struct fake_kernel *, size_t i);
void fake_kernel_flush_sas(struct fake_kernel *);
void fake_kernel_flush_policies(struct fake_kernel *);
void fake_kernel_lose_guard(struct fake_kernel *);

/* The sleeve has used up most of the key of that index. */
void fake_kernel_sleeve_used_up(struct fake_kernel *, uint32_t peer,
				uint32_t index);

/* The daemon has died: nobody reads upcalls any more. */
void fake_kernel_orphan(struct fake_kernel *);
/* What a starting daemon finds.  Borrowed until the next call. */
void fake_kernel_snapshot(struct fake_kernel *, struct kernel_snapshot *);

/* SAs from 'src' to 'dst', or of everybody if those are NULL. */
size_t fake_kernel_n_sas(const struct fake_kernel *, const struct ip_addr *src,
			 const struct ip_addr *dst);
/* Flows that send to 'dst' through the tunnel; to anybody if it is NULL. */
size_t fake_kernel_n_tunnel_flows(const struct fake_kernel *,
				  const struct ip_addr *dst);

void fake_packet_free(struct fake_packet *);
void fake_event_free(struct fake_event *);

/* What a frame costs on the wire: bytes from the outer IP header on, added up
 * header by header (RFC 7348 5, RFC 4303 2, RFC 4106 3). */
size_t fake_wire_size(size_t frame_size, bool v6, bool esp);

#endif
