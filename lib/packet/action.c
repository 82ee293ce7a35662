#include "packet/action.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

void actions_init(struct actions *as)
{
	memset(as, 0, sizeof *as);
}

void actions_free(struct actions *as)
{
	if (as->allocated) {
		free(as->v);
	}
	actions_init(as);
}

static struct action *append(struct actions *as, enum action_type type)
{
	struct action *a;

	ovs_assert(as->allocated || !as->n); /* Not what is borrowed. */
	if (as->n == as->allocated) {
		as->allocated = as->allocated ? as->allocated * 2 : 4;
		as->v = xrealloc(as->v, as->allocated * sizeof *as->v);
	}
	a = &as->v[as->n++];
	/* Padding too, so that no stale byte ever leaves us. */
	memset(a, 0, sizeof *a);
	a->type = type;
	return a;
}

void actions_output(struct actions *as, uint32_t port)
{
	append(as, ACTION_OUTPUT)->port = port;
}

struct action *actions_set_tunnel(struct actions *as)
{
	return append(as, ACTION_SET_TUNNEL);
}

void actions_set_mark(struct actions *as, uint32_t value, uint32_t mask)
{
	struct action *a = append(as, ACTION_SET_MARK);

	a->mark.value = value & mask;
	a->mark.mask = mask;
}

void actions_push_vlan(struct actions *as, uint16_t vid, uint8_t pcp)
{
	struct action *a = append(as, ACTION_PUSH_VLAN);

	a->vlan.vid = vid;
	a->vlan.pcp = pcp;
}

void actions_pop_vlan(struct actions *as)
{
	append(as, ACTION_POP_VLAN);
}

size_t actions_check_size(struct actions *as, uint16_t size, uint32_t peer)
{
	struct action *a = append(as, ACTION_CHECK_SIZE);

	a->check.size = size;
	a->check.peer = peer;
	return as->n - 1;
}

void actions_check_end(struct actions *as, size_t check)
{
	as->v[check].check.n = (uint16_t)(as->n - check - 1);
}

const struct action *actions_find_check(const struct actions *as, uint32_t peer)
{
	for (size_t i = 0; i < as->n; i++) {
		const struct action *a = &as->v[i];

		if (a->type == ACTION_CHECK_SIZE && a->check.peer == peer) {
			return a;
		}
	}
	return NULL;
}

void actions_append(struct actions *as, const struct action *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		*append(as, v[i].type) = v[i];
	}
}

static bool action_equal(const struct action *a, const struct action *b)
{
	if (a->type != b->type) {
		return false;
	}
	switch (a->type) {
	case ACTION_OUTPUT:
		return a->port == b->port;
	case ACTION_SET_TUNNEL:
		return ip_equal(&a->tunnel.src, &b->tunnel.src) &&
		       ip_equal(&a->tunnel.dst, &b->tunnel.dst) &&
		       a->tunnel.vni == b->tunnel.vni &&
		       a->tunnel.tp_dst == b->tunnel.tp_dst &&
		       a->tunnel.tos == b->tunnel.tos &&
		       a->tunnel.ttl == b->tunnel.ttl &&
		       a->tunnel.df == b->tunnel.df &&
		       a->tunnel.csum == b->tunnel.csum;
	case ACTION_SET_MARK:
		return a->mark.value == b->mark.value &&
		       a->mark.mask == b->mark.mask;
	case ACTION_PUSH_VLAN:
		return a->vlan.vid == b->vlan.vid && a->vlan.pcp == b->vlan.pcp;
	case ACTION_POP_VLAN:
		return true;
	case ACTION_CHECK_SIZE:
		return a->check.size == b->check.size &&
		       a->check.n == b->check.n &&
		       a->check.peer == b->check.peer;
	}
	return false;
}

bool actions_equal(const struct actions *a, const struct actions *b)
{
	if (a->n != b->n) {
		return false;
	}
	for (size_t i = 0; i < a->n; i++) {
		if (!action_equal(&a->v[i], &b->v[i])) {
			return false;
		}
	}
	return true;
}

void actions_borrow(struct actions *to, const struct actions *from)
{
	to->v = from->v;
	to->n = from->n;
	to->allocated = 0;
}

void actions_copy(struct actions *to, const struct actions *from)
{
	actions_init(to);
	if (from->n) {
		to->v = xmemdup(from->v, from->n * sizeof *from->v);
		to->n = to->allocated = from->n;
	}
}
