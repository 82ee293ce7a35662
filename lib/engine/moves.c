/* Addresses that come back with another MAC: a container is made anew, here or
 * on another host, under the address of one that ended.  Flows follow by
 * themselves; the neighbour tables of containers do not, for some ten seconds
 * with Linux.  So each host tells its own containers, and only of addresses
 * that they may remember otherwise. */
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"
#include "hash.h"
#include "packet/reply.h"
#include "util.h"

enum {
	/* The oldest are forgotten; whoever has those asks again in the end. */
	MAX_FORMER = 4096
};

/* An address that was bound, and is not. */
struct former {
	struct hmap_node node; /* In engine.former. */
	struct ovs_list age;   /* In engine.former_age, the oldest first. */
	uint32_t vni;
	struct ip_addr ip;
	struct mac mac;
};

static uint32_t hash(uint32_t vni, const struct ip_addr *ip)
{
	return hash_bytes(ip, sizeof *ip, vni);
}

static struct former *find(const struct engine *e, uint32_t vni,
			   const struct ip_addr *ip)
{
	struct former *f;

	HMAP_FOR_EACH_WITH_HASH (f, node, hash(vni, ip), &e->former) {
		if (f->vni == vni && ip_equal(&f->ip, ip)) {
			return f;
		}
	}
	return NULL;
}

static void forget(struct engine *e, struct former *f)
{
	hmap_remove(&e->former, &f->node);
	ovs_list_remove(&f->age);
	free(f);
}

void moves_init(struct engine *e)
{
	hmap_init(&e->former);
	ovs_list_init(&e->former_age);
}

void moves_done(struct engine *e)
{
	struct former *f, *next;

	HMAP_FOR_EACH_SAFE (f, next, node, &e->former) {
		forget(e, f);
	}
	hmap_destroy(&e->former);
}

void moves_left(struct engine *e, const struct binding *b)
{
	for (size_t i = 0; i < b->n_ips; i++) {
		struct former *f = find(e, b->vni, &b->ips[i]);

		if (f) {
			forget(e, f);
		} else if (hmap_count(&e->former) >= MAX_FORMER) {
			forget(e, CONTAINER_OF(ovs_list_front(&e->former_age),
					       struct former, age));
		}
		f = xzalloc(sizeof *f);
		f->vni = b->vni;
		f->ip = b->ips[i];
		f->mac = b->mac;
		hmap_insert(&e->former, &f->node, hash(f->vni, &f->ip));
		ovs_list_push_back(&e->former_age, &f->age);
	}
}

/* To every container of the network on this host; its owner, should it be one
 * of them, does not mind. */
static void tell(struct engine *e, uint32_t vni, const struct ip_addr *ip,
		 const struct mac *mac)
{
	const struct fwd_members members = forwarding_members(e->fwd, vni);
	struct op *op;

	if (!members.n_ports) {
		return;
	}
	op = ops_add(e->ops, OP_EXECUTE);
	op->flow.key.in_port = ODP_LOCAL_PORT;
	op->flow.key.eth_type = ip_is_v4(ip) ? ETH_TYPE_ARP : ETH_TYPE_IPV6;
	actions_init(&op->flow.actions);
	for (size_t i = 0; i < members.n_ports; i++) {
		actions_output(&op->flow.actions, members.ports[i]);
	}
	reply_unasked(&op->bytes, ip, mac);
}

void moves_bound(struct engine *e, const struct binding *b)
{
	for (size_t i = 0; i < b->n_ips; i++) {
		struct former *f = find(e, b->vni, &b->ips[i]);

		if (f && !mac_equal(&f->mac, &b->mac)) {
			tell(e, b->vni, &b->ips[i], &b->mac);
		}
		if (f) {
			forget(e, f);
		}
	}
}
