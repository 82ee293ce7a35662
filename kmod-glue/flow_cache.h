/* Flows for threads: what the kernel datapath's flow table is for kernel
 * packets (net/openvswitch/flow_table.c), in user space.
 *
 * Flows are kept by mask: for each mask there is a table of keys.  A look-up
 * tries one after the other, so that it takes as long as there are masks, which
 * are few; in front of that each thread remembers where it found a flow last
 * time (flow_cache_local).  There are no priorities: two flows that a packet
 * could match cannot be added, as with the kernel.
 *
 * One thread, always the same, writes.  Any thread may look up, without locks;
 * what it finds holds until it says that it holds nothing (ovs-rcu.h).
 */
#ifndef FDP_GLUE_FLOW_CACHE_H
#define FDP_GLUE_FLOW_CACHE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "netlink/odp.h"
#include "packet/action.h"
#include "packet/flow.h"

struct flow_cache;
struct cached_flow;

enum {
	FLOW_CACHE_LOCAL_SIZE = 1024
};

/* What one thread remembers; zeroed at first. */
struct flow_cache_local {
	uint64_t version; /* Of the cache, when it was right. */
	struct {
		uint32_t hash;
		struct cached_flow *flow;
	} slots[FLOW_CACHE_LOCAL_SIZE];
};

/* Threads have the numbers 0 to 'n_threads' - 1. */
struct flow_cache *flow_cache_new(unsigned int n_threads);
void flow_cache_free(struct flow_cache *);

/* Adds a flow, or changes the actions of the one with that UFID.  EEXIST: a
 * flow of another UFID matches a packet with this key. */
int flow_cache_put(struct flow_cache *, const struct ufid *,
		   const struct flow *key, const struct flow *mask,
		   const struct actions *) FDP_MUST_CHECK;
/* ENOENT: there is none. */
int flow_cache_del(struct flow_cache *, const struct ufid *) FDP_MUST_CHECK;
void flow_cache_clear(struct flow_cache *);
size_t flow_cache_n(const struct flow_cache *);

/* The flow that a packet matches, or NULL. */
struct cached_flow *flow_cache_find(struct flow_cache *,
				    struct flow_cache_local *,
				    const struct flow *);
const struct actions *cached_flow_actions(const struct cached_flow *);
/* Counts a packet of 'flow' in 'thread'. */
void cached_flow_count(struct cached_flow *, unsigned int thread,
		       uint64_t bytes, uint64_t now_ms, uint16_t tcp_flags);

/* Calls back for every flow: its UFID, key (zero where the mask is), mask. */
void flow_cache_dump(const struct flow_cache *,
		     void (*)(void *aux, const struct ufid *,
			      const struct flow *key, const struct flow *mask,
			      const struct actions *,
			      const struct odp_flow_stats *),
		     void *aux);

#endif
