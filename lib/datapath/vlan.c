#include "datapath/vlan.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "util.h"

/* In use. */
struct entry {
	struct hmap_node by_pair, by_vid;
	struct vlan vlan;
};

struct change {
	struct ovs_list node;
	struct vlan vlan;
	bool removed;
};

struct vlans {
	struct hmap by_pair, by_vid;
	struct ovs_list changes;
	uint16_t next; /* Where to look for a free number. */
};

struct vlans *vlans_new(void)
{
	struct vlans *vs = xzalloc(sizeof *vs);

	hmap_init(&vs->by_pair);
	hmap_init(&vs->by_vid);
	ovs_list_init(&vs->changes);
	vs->next = VLAN_VID_MIN;
	return vs;
}

void vlans_free(struct vlans *vs)
{
	struct change *c;
	struct entry *e;

	HMAP_FOR_EACH_POP (e, by_vid, &vs->by_vid) {
		free(e);
	}
	LIST_FOR_EACH_POP (c, node, &vs->changes) {
		free(c);
	}
	hmap_destroy(&vs->by_pair);
	hmap_destroy(&vs->by_vid);
	free(vs);
}

static uint32_t pair_hash(uint32_t peer, uint32_t vni)
{
	return hash_2words(peer, vni);
}

/* They are given out one after the other, and so spread by themselves. */
static uint32_t vid_hash(uint16_t vid)
{
	return vid;
}

static struct entry *find_pair(const struct vlans *vs, uint32_t peer,
			       uint32_t vni)
{
	struct entry *e;

	HMAP_FOR_EACH_WITH_HASH (e, by_pair, pair_hash(peer, vni),
				 &vs->by_pair) {
		if (e->vlan.peer == peer && e->vlan.vni == vni) {
			return e;
		}
	}
	return NULL;
}

static struct entry *find_vid(const struct vlans *vs, uint16_t vid)
{
	struct entry *e;

	HMAP_FOR_EACH_WITH_HASH (e, by_vid, vid_hash(vid), &vs->by_vid) {
		if (e->vlan.vid == vid) {
			return e;
		}
	}
	return NULL;
}

static void note(struct vlans *vs, const struct vlan *vlan, bool removed)
{
	struct change *c = xmalloc(sizeof *c);

	c->vlan = *vlan;
	c->removed = removed;
	ovs_list_push_back(&vs->changes, &c->node);
}

static bool is_full(const struct vlans *vs)
{
	return hmap_count(&vs->by_vid) > VLAN_VID_MAX - VLAN_VID_MIN;
}

/* There must be one. */
static uint16_t free_vid(struct vlans *vs)
{
	uint16_t vid;

	do {
		vid = vs->next++;
		if (vs->next > VLAN_VID_MAX) {
			vs->next = VLAN_VID_MIN;
		}
	} while (find_vid(vs, vid));
	return vid;
}

uint16_t vlans_get(struct vlans *vs, uint32_t peer, uint32_t vni)
{
	struct entry *e = find_pair(vs, peer, vni);
	uint16_t vid;

	if (e) {
		return e->vlan.vid;
	}
	if (is_full(vs)) {
		return 0;
	}
	vid = free_vid(vs);
	e = xzalloc(sizeof *e);
	e->vlan.vid = vid;
	e->vlan.peer = peer;
	e->vlan.vni = vni;
	hmap_insert(&vs->by_pair, &e->by_pair, pair_hash(peer, vni));
	hmap_insert(&vs->by_vid, &e->by_vid, vid_hash(vid));
	note(vs, &e->vlan, false);
	return vid;
}

const struct vlan *vlans_find(const struct vlans *vs, uint16_t vid)
{
	const struct entry *e = find_vid(vs, vid);

	return e ? &e->vlan : NULL;
}

void vlans_remove_peer(struct vlans *vs, uint32_t peer, struct deps *changed)
{
	bool full = is_full(vs);
	struct entry *e, *next;

	HMAP_FOR_EACH_SAFE (e, next, by_vid, &vs->by_vid) {
		if (e->vlan.peer != peer) {
			continue;
		}
		if (full) {
			/* Those that found none may have one now. */
			deps_add(changed, dep_trunk());
		}
		deps_add(changed, dep_vid(e->vlan.vid));
		note(vs, &e->vlan, true);
		hmap_remove(&vs->by_pair, &e->by_pair);
		hmap_remove(&vs->by_vid, &e->by_vid);
		free(e);
	}
}

bool vlans_next(struct vlans *vs, struct vlan *vlan, bool *removed)
{
	struct change *c;

	if (ovs_list_is_empty(&vs->changes)) {
		return false;
	}
	c = CONTAINER_OF(ovs_list_pop_front(&vs->changes), struct change, node);
	*vlan = c->vlan;
	*removed = c->removed;
	free(c);
	return true;
}
