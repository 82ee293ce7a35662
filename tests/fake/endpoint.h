/* A simulated container: one interface with a MAC and addresses, that resolves
 * neighbours, answers echo requests and remembers what it got. */
#ifndef FDP_TESTS_FAKE_ENDPOINT_H
#define FDP_TESTS_FAKE_ENDPOINT_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"
#include "packet/flow.h"

struct host;

enum {
	ENDPOINT_MAX_IPS = 4,
	ENDPOINT_MAX_NEIGHBOURS = 16,
	ENDPOINT_MAX_PONGS = 64
};

struct endpoint {
	struct host *host;
	char link[16]; /* Its host end. */
	char netns[32];
	struct mac mac;
	struct ip_addr ips[ENDPOINT_MAX_IPS];
	size_t n_ips;

	struct {
		struct ip_addr ip;
		struct mac mac;
	} neighbours[ENDPOINT_MAX_NEIGHBOURS];
	size_t n_neighbours;
	/* One packet may wait for its neighbour. */
	struct wbuf waiting;
	struct flow waiting_flow;

	uint16_t next_seq;
	uint16_t pongs[ENDPOINT_MAX_PONGS]; /* Answered echo requests. */
	size_t n_pongs;

	/* Of everything that arrived. */
	unsigned int n_frames, n_arp_requests, n_solicitations, n_duplicates;
	struct flow last;
	/* UDP, by its destination port; UINT8_MAX: that often and more. */
	uint8_t n_datagrams[UINT16_MAX + 1];
	/* ICMP "fragmentation needed" and ICMPv6 "packet too big": how often,
	 * the MTU of the last one and who said so. */
	unsigned int n_told;
	uint32_t told_mtu;
	struct ip_addr told_by;
};

struct endpoint *endpoint_new(struct host *, const char *link,
			      const char *netns, const struct mac *);
void endpoint_free(struct endpoint *);
void endpoint_add_ip(struct endpoint *, const struct ip_addr *);

/* A frame arrives. */
void endpoint_receive(struct endpoint *, struct span frame);

/* Sends an echo request of 'size' bytes with the IP header (at least 50);
 * returns its number. */
uint16_t endpoint_ping(struct endpoint *, const struct ip_addr *dst,
		       size_t size);
bool endpoint_got_pong(const struct endpoint *, uint16_t seq);
/* Forgets whom it knows. */
void endpoint_forget(struct endpoint *);
/* Sends a frame made of 'f' (sources filled in where zero). */
void endpoint_send(struct endpoint *, const struct flow *f,
		   struct span payload);
/* Asks everybody who has 'ip'. */
void endpoint_resolve(struct endpoint *, const struct ip_addr *ip);

#endif
