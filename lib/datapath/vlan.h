/* The VLANs of the sleeve trunk.
 *
 * Beside the kernel datapath sleeve is one port, the trunk.  A frame on it has
 * one tag, whose VLAN identifier names a peer and a network at once: towards
 * the peer that it goes to, from the peer that it came from.  The numbers mean
 * something on this host only.
 *
 * A pair gets its number when it is first asked for, and keeps it until the
 * peer goes.  A number that has become free rests for as long as there are
 * others: frames that wait in the trunk's queues still have it.
 */
#ifndef FDP_DATAPATH_VLAN_H
#define FDP_DATAPATH_VLAN_H 1

#include <stdbool.h>
#include <stdint.h>

#include "datapath/dep.h"

enum {
	VLAN_VID_MIN = 1, /* IEEE 802.1Q: 0 is no VLAN, 4095 is reserved. */
	VLAN_VID_MAX = 4094
};

struct vlan {
	uint16_t vid;
	uint32_t peer;
	uint32_t vni;
};

struct vlans;

struct vlans *vlans_new(void);
void vlans_free(struct vlans *);

/* The pair's VLAN, which gets one if it has none; 0 if all are in use. */
uint16_t vlans_get(struct vlans *, uint32_t peer, uint32_t vni);
/* NULL if nobody has that number.  Borrowed until the next call. */
const struct vlan *vlans_find(const struct vlans *, uint16_t vid);
/* Takes back what the peer has; notes in 'changed' what depended on it. */
void vlans_remove_peer(struct vlans *, uint32_t peer, struct deps *changed);
/* What was given out or taken back and not told yet, in that order. */
bool vlans_next(struct vlans *, struct vlan *, bool *removed);

#endif
