/* A mirror of the flows that we installed in the kernel datapath.
 *
 * UFID -> key, mask, actions, reason and what the decision depended on.  When
 * something changes, only dependent flows are translated again and only those
 * that come out differently are written.
 *
 * The table is bounded, and so is each source's share of it: a source is a
 * port, or a peer for what comes out of the tunnel, or a VLAN of the sleeve
 * trunk.  A source at its bound
 * gives up the flow that it has not used for longest, if that was idle when the
 * kernel was last asked; in a full table the source with the most flows gives
 * up one. Otherwise the new flow is refused and counted: its packets are still
 * forwarded, one by one.  So a container that invents destinations does it at
 * its own cost.
 *
 * Flows may also be made before there are packets (engine/ahead.h).  Such flows
 * have a bound of their own, take nobody's place and give theirs to any other,
 * do not expire, and are put again if the kernel has lost them.
 */
#ifndef FDP_DATAPATH_FLOW_TABLE_H
#define FDP_DATAPATH_FLOW_TABLE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "datapath/pipeline.h"
#include "netlink/odp.h"
#include "openvswitch/hmap.h"

enum {
	FLOW_TABLE_MAX = 200000,
	FLOW_SOURCE_MAX = 20000,	/* From one port or peer. */
	FLOW_IDLE_US = 10 * 1000 * 1000 /* 10 s without a packet. */
};

struct flow_entry {
	struct hmap_node node; /* In the table, by UFID. */
	struct ufid ufid;
	struct flow key, mask; /* 'key' as it came, not masked. */
	struct actions actions;
	enum reason reason;
	const dep_t *deps; /* What the decision depended on. */
	size_t n_deps;
	uint32_t vni, peer, hop; /* As in struct translation. */
	bool ahead;		 /* Wanted whether there are packets or not. */
	uint64_t installed_us;
	uint64_t used_us; /* Last known use, our clock. */
	uint64_t packets, bytes;
};

/* One write to the kernel that the table asks for. */
struct flow_change {
	bool remove; /* Else put (add or change). */
	bool there;  /* put: it is a change. */
	struct ufid ufid;
	struct flow key;
	struct flow mask;	/* put */
	struct actions actions; /* put; owned */
};

struct flow_changes {
	struct flow_change *v;
	size_t n, allocated;
};
void flow_changes_init(struct flow_changes *);
void flow_changes_free(struct flow_changes *);

struct flow_table;

/* At most 'max' flows, 'source_max' of one source. */
struct flow_table *flow_table_new(size_t max, size_t source_max);
void flow_table_free(struct flow_table *);
size_t flow_table_n(const struct flow_table *);
/* Of those, how many a port has that is not the tunnel's. */
size_t flow_table_n_of_port(const struct flow_table *, uint32_t port_no);

struct flow_table_losses {
	uint64_t refused; /* New flows that found no room, since the start. */
	uint64_t evicted; /* Flows that made room. */
	uint64_t last_us; /* When the last one was refused; 0 = none was. */
};
struct flow_table_losses flow_table_losses(const struct flow_table *);

/* The identifier of a flow: a keyed hash (SipHash, 128 bits) of its masked key
 * and mask, field by field.  The key is secret, as who could make two flows of
 * one identifier could change the other one, and always the same, so that equal
 * flows have equal UFIDs across restarts.  Until it is set it is zero. */
struct ufid_key {
	uint8_t b[16];
};
struct ufid flow_ufid(const struct ufid_key *, const struct flow *key,
		      const struct flow *mask);
/* Before the first flow. */
void flow_table_set_key(struct flow_table *, const struct ufid_key *);
/* What the entry of this flow has: that of the mask as the kernel completes it
 * (odp_complete_mask()). */
struct ufid flow_table_ufid(const struct flow_table *, const struct flow *key,
			    const struct flow *mask);

/* Adds the flow that 'key' was translated to; takes nothing over.  ERR_LIMIT
 * if there is no room.  The removal of a flow that makes room is appended to
 * 'changes'; it comes before the new flow.  An entry of the same UFID is
 * replaced.  '*entry' is borrowed. */
enum err flow_table_add(struct flow_table *, const struct flow *key,
			const struct translation *, uint64_t now_us,
			struct flow_changes *changes,
			const struct flow_entry **entry) FDP_MUST_CHECK;

/* So many flows may be ahead of their packets; at first none. */
void flow_table_allow_ahead(struct flow_table *, size_t max);
size_t flow_table_n_ahead(const struct flow_table *);

enum flow_ahead {
	FLOW_AHEAD_PUT,	  /* It is to be put into the kernel. */
	FLOW_AHEAD_THERE, /* There is such a flow, which stays now. */
	FLOW_AHEAD_NO_ROOM
};
/* The same as flow_table_add(), but never at the cost of another flow. */
enum flow_ahead flow_table_add_ahead(struct flow_table *,
				     const struct flow *key,
				     const struct translation *,
				     uint64_t now_us,
				     const struct flow_entry **entry);
const struct flow_entry *flow_table_find(const struct flow_table *,
					 const struct ufid *);
/* Forgets one (the kernel has lost it) or all. */
void flow_table_forget(struct flow_table *, const struct ufid *);
void flow_table_clear(struct flow_table *);

/* Translates again every flow that depends on something in 'changed', appends
 * the writes that this takes, and clears 'changed'.  Flows that wait for their
 * packets come last; one of which nothing is sent any more just goes. */
void flow_table_revalidate(struct flow_table *, const struct forwarding *,
			   struct deps *changed, struct flow_changes *);

/* What a dump of the kernel said of one flow.  False if it is not ours (the
 * caller decides whether to delete it). */
bool flow_table_update(struct flow_table *, const struct ufid *,
		       const struct odp_flow_stats *, uint64_t now_us);
/* After a dump: appends removals for every flow idle for FLOW_IDLE_US and
 * forgets them, and puts those ahead that two dumps did not have. */
void flow_table_expire(struct flow_table *, uint64_t now_us,
		       struct flow_changes *);

/* Walks all entries; 'visit' must not change the table. */
void flow_table_each(const struct flow_table *,
		     void (*visit)(const struct flow_entry *, void *aux),
		     void *aux);

#endif
