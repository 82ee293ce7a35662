#include "datapath/flow_table.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "hash.h"
#include "heap.h"
#include "openvswitch/list.h"
#include "util.h"

struct entry;

/* That 'entry' depends on 'cause'. */
struct ref {
	struct ovs_list sibling; /* In 'refs' of 'cause'. */
	struct cause *cause;
	struct entry *entry;
};

/* A dep that some flow depends on; exists as long as one does. */
struct cause {
	struct hmap_node node; /* In 'causes', by the dep itself. */
	dep_t dep;
	struct ovs_list refs;
};

/* Where flows come from; exists as long as it has one. */
struct source {
	struct hmap_node node; /* In 'sources', by port and peer. */
	struct heap_node rank; /* In 'by_size', by 'n'. */
	uint32_t port;
	struct ip_addr peer;   /* The tunnel's other end; zero: no tunnel. */
	uint16_t vid;	       /* Of the trunk; 0: not from there. */
	struct ovs_list flows; /* Longest unused first. */
	size_t n;
};

struct entry {
	struct flow_entry flow; /* First: what others see. */
	struct source *source;
	struct ovs_list by_use; /* In 'flows' of 'source'. */
	bool idle;		/* When the kernel was last asked. */
	uint32_t round;		/* Of the last dump that had it. */
	struct ref *refs;	/* One for each of flow.deps, before these. */
	struct ovs_list stale;	/* While in a revalidation. */
	bool is_stale;
};

struct flow_table {
	struct hmap flows; /* struct entry, by UFID. */
	struct hmap causes;
	struct hmap sources;
	struct heap by_size; /* The largest source first. */
	struct ufid_key key;
	size_t max, source_max;
	size_t n_ahead, ahead_max;
	uint32_t round; /* Of dumps; the one that runs or comes. */
	struct flow_table_losses losses;
};

/* Changes. */

void flow_changes_init(struct flow_changes *cs)
{
	memset(cs, 0, sizeof *cs);
}

void flow_changes_free(struct flow_changes *cs)
{
	for (size_t i = 0; i < cs->n; i++) {
		actions_free(&cs->v[i].actions);
	}
	free(cs->v);
	flow_changes_init(cs);
}

static struct flow_change *changes_add(struct flow_changes *cs,
				       const struct ufid *ufid)
{
	struct flow_change *c;

	if (cs->n == cs->allocated) {
		cs->allocated = cs->allocated ? cs->allocated * 2 : 8;
		cs->v = xrealloc(cs->v, cs->allocated * sizeof *cs->v);
	}
	c = &cs->v[cs->n++];
	memset(c, 0, sizeof *c);
	c->ufid = *ufid;
	return c;
}

static void changes_remove(struct flow_changes *cs, const struct entry *e)
{
	struct flow_change *c = changes_add(cs, &e->flow.ufid);

	c->remove = true;
	c->key = e->flow.key;
}

static void changes_put(struct flow_changes *cs, const struct entry *e,
			bool there)
{
	struct flow_change *c = changes_add(cs, &e->flow.ufid);

	c->there = there;
	c->key = e->flow.key;
	c->mask = e->flow.mask;
	actions_copy(&c->actions, &e->flow.actions);
}

/* The identifier. */

/* What is hashed: of each field of which the mask has a bit, in the order of
 * struct flow, its number, the masked key and the mask, big-endian.  Never the
 * struct itself, whose padding and layout are the compiler's business.  Most
 * masks have few fields; this is done for every upcall, so sizes are such that
 * the compiler knows them. */
struct encoding {
	/* There are 18 integers, 6 MACs and 5 IP addresses. */
	uint8_t b[18 * 9 + 6 * 13 + 5 * 33];
	uint8_t *end;
	uint8_t field; /* The next one. */
};

/* In a field's number: it is an IPv4 address. */
#define FIELD_V4 0x80

/* 'size' is even. */
static inline void encode_bytes(struct encoding *e, uint8_t form,
				const uint8_t *key, const uint8_t *mask,
				size_t size)
{
	uint8_t *at = e->end;

	*at++ = e->field++ | form;
	for (size_t i = 0; i < size; i += 2) {
		uint16_t k, m;

		memcpy(&k, key + i, sizeof k);
		memcpy(&m, mask + i, sizeof m);
		k &= m;
		memcpy(at + i, &k, sizeof k);
	}
	memcpy(at + size, mask, size);
	e->end = at + 2 * size;
}

static inline void encode_int(struct encoding *e, uint32_t key, uint32_t mask)
{
	uint32_t be[2];

	if (!mask) {
		e->field++;
		return;
	}
	be[0] = htonl(key & mask);
	be[1] = htonl(mask);
	*e->end++ = e->field++;
	memcpy(e->end, be, sizeof be);
	e->end += sizeof be;
}

static inline void encode_mac(struct encoding *e, const struct mac *key,
			      const struct mac *mask)
{
	if (mac_is_zero(mask)) {
		e->field++;
		return;
	}
	encode_bytes(e, 0, key->b, mask->b, sizeof key->b);
}

/* Of an IPv4 address only the last four bytes of the mask mean anything. */
static inline void encode_ip(struct encoding *e, bool v4,
			     const struct ip_addr *key,
			     const struct ip_addr *mask)
{
	static const uint8_t none[4];

	if (v4 ? !memcmp(mask->b + 12, none, 4) : ip_is_zero(mask)) {
		e->field++;
	} else if (v4) {
		encode_bytes(e, FIELD_V4, key->b + 12, mask->b + 12, 4);
	} else {
		encode_bytes(e, 0, key->b, mask->b, sizeof key->b);
	}
}

static void encode_tunnel(struct encoding *e, const struct flow_tunnel *k,
			  const struct flow_tunnel *m)
{
	bool v4 = ip_is_v4(&k->src);

	if (!k->present || !m->present) {
		e->field += 6;
		return;
	}
	encode_ip(e, v4, &k->src, &m->src);
	encode_ip(e, v4, &k->dst, &m->dst);
	encode_int(e, k->vni, m->vni);
	encode_int(e, k->tos, m->tos);
	encode_int(e, k->ttl, m->ttl);
	encode_int(e, k->flags, m->flags);
}

static void encode(struct encoding *e, const struct flow *key,
		   const struct flow *mask)
{
	bool v4 =
		key->eth_type == ETH_TYPE_IPV4 || key->eth_type == ETH_TYPE_ARP;

	/* The ethertype says which family the addresses have; while it is not
	 * looked at, they are not either. */
	v4 = v4 && mask->eth_type;

	encode_int(e, key->in_port, mask->in_port);
	encode_int(e, key->tunnel.present, mask->tunnel.present);
	encode_tunnel(e, &key->tunnel, &mask->tunnel);
	encode_mac(e, &key->eth_src, &mask->eth_src);
	encode_mac(e, &key->eth_dst, &mask->eth_dst);
	encode_int(e, key->vlan_tci, mask->vlan_tci);
	encode_int(e, key->vlan_tpid, mask->vlan_tpid);
	encode_int(e, key->eth_type, mask->eth_type);
	encode_int(e, key->nw_proto, mask->nw_proto);
	encode_int(e, key->nw_tos, mask->nw_tos);
	encode_int(e, key->nw_ttl, mask->nw_ttl);
	encode_int(e, key->nw_frag, mask->nw_frag);
	encode_int(e, key->ipv6_label, mask->ipv6_label);
	encode_ip(e, v4, &key->nw_src, &mask->nw_src);
	encode_ip(e, v4, &key->nw_dst, &mask->nw_dst);
	encode_int(e, key->tp_src, mask->tp_src);
	encode_int(e, key->tp_dst, mask->tp_dst);
	encode_int(e, key->tcp_flags, mask->tcp_flags);
	encode_int(e, key->arp_op, mask->arp_op);
	encode_mac(e, &key->arp_sha, &mask->arp_sha);
	encode_mac(e, &key->arp_tha, &mask->arp_tha);
	encode_ip(e, false, &key->nd_target, &mask->nd_target);
	encode_mac(e, &key->nd_sll, &mask->nd_sll);
	encode_mac(e, &key->nd_tll, &mask->nd_tll);
}

struct ufid flow_ufid(const struct ufid_key *secret, const struct flow *key,
		      const struct flow *mask)
{
	struct encoding e;
	struct ufid ufid;

	e.end = e.b;
	e.field = 0;
	encode(&e, key, mask);
	BUILD_ASSERT_DECL(sizeof ufid.b == crypto_shorthash_siphashx24_BYTES);
	BUILD_ASSERT_DECL(sizeof secret->b ==
			  crypto_shorthash_siphashx24_KEYBYTES);
	(void)crypto_shorthash_siphashx24(
		ufid.b, e.b, (unsigned long long)(e.end - e.b), secret->b);
	return ufid;
}

/* Of the flow that the kernel makes of it: flows that the kernel tells apart
 * must not share an identifier, or the second counts as there already and its
 * packets come up for ever. */
struct ufid flow_table_ufid(const struct flow_table *t, const struct flow *key,
			    const struct flow *mask)
{
	struct flow complete;

	odp_complete_mask(key, mask, &complete);
	return flow_ufid(&t->key, key, &complete);
}

/* Entries. */

static bool flow_forwards(const struct translation *tr)
{
	return tr->install && tr->actions.n;
}

/* A UFID is a hash already. */
static uint32_t ufid_hash(const struct ufid *ufid)
{
	uint32_t hash;

	memcpy(&hash, ufid->b, sizeof hash);
	return hash;
}

static struct entry *find(const struct flow_table *t, const struct ufid *ufid)
{
	struct entry *e;

	HMAP_FOR_EACH_WITH_HASH (e, flow.node, ufid_hash(ufid), &t->flows) {
		if (!memcmp(&e->flow.ufid, ufid, sizeof *ufid)) {
			return e;
		}
	}
	return NULL;
}

/* Any 32 bits of a dep will do for the table, it is a hash as well. */
static struct cause *cause_find(const struct flow_table *t, dep_t dep)
{
	struct cause *c;

	HMAP_FOR_EACH_WITH_HASH (c, node, (uint32_t)dep, &t->causes) {
		if (c->dep == dep) {
			return c;
		}
	}
	return NULL;
}

/* Sources. */

static uint32_t source_hash(uint32_t port, const struct ip_addr *peer,
			    uint16_t vid)
{
	return hash_bytes(peer->b, sizeof peer->b, hash_2words(port, vid));
}

/* The source of flows of 'key' that came in VLAN 'vid', or NULL if it has none.
 */
static struct source *source_find(const struct flow_table *t,
				  const struct flow *key, uint16_t vid)
{
	const struct ip_addr *peer = &key->tunnel.src;
	struct source *s;

	HMAP_FOR_EACH_WITH_HASH (s, node, source_hash(key->in_port, peer, vid),
				 &t->sources) {
		if (s->port == key->in_port && ip_equal(&s->peer, peer) &&
		    s->vid == vid) {
			return s;
		}
	}
	return NULL;
}

static void entry_join_source(struct flow_table *t, struct entry *e,
			      uint16_t vid)
{
	const struct flow *key = &e->flow.key;
	struct source *s = source_find(t, key, vid);

	if (!s) {
		s = xzalloc(sizeof *s);
		s->port = key->in_port;
		s->peer = key->tunnel.src;
		s->vid = vid;
		ovs_list_init(&s->flows);
		hmap_insert(&t->sources, &s->node,
			    source_hash(s->port, &s->peer, vid));
		heap_insert(&t->by_size, &s->rank, 0);
	}
	e->source = s;
	ovs_list_push_back(&s->flows, &e->by_use);
	heap_change(&t->by_size, &s->rank, ++s->n);
}

static void entry_leave_source(struct flow_table *t, struct entry *e)
{
	struct source *s = e->source;

	ovs_list_remove(&e->by_use);
	if (--s->n) {
		heap_change(&t->by_size, &s->rank, s->n);
		return;
	}
	heap_remove(&t->by_size, &s->rank);
	hmap_remove(&t->sources, &s->node);
	free(s);
}

static struct entry *longest_unused(const struct source *s)
{
	return CONTAINER_OF(ovs_list_front(&s->flows), struct entry, by_use);
}

/* References and dependencies are one piece of memory. */
static void entry_depend(struct flow_table *t, struct entry *e,
			 const struct deps *deps)
{
	dep_t *v;

	e->refs = xmalloc(deps->n * (sizeof *e->refs + sizeof *v));
	v = (dep_t *)(e->refs + deps->n);
	for (size_t i = 0; i < deps->n; i++) {
		struct cause *c = cause_find(t, deps->v[i]);

		if (!c) {
			c = xmalloc(sizeof *c);
			c->dep = deps->v[i];
			ovs_list_init(&c->refs);
			hmap_insert(&t->causes, &c->node, (uint32_t)c->dep);
		}
		v[i] = c->dep;
		e->refs[i].cause = c;
		e->refs[i].entry = e;
		ovs_list_push_back(&c->refs, &e->refs[i].sibling);
	}
	e->flow.deps = v;
	e->flow.n_deps = deps->n;
}

static void entry_undepend(struct flow_table *t, struct entry *e)
{
	for (size_t i = 0; i < e->flow.n_deps; i++) {
		struct cause *c = e->refs[i].cause;

		ovs_list_remove(&e->refs[i].sibling);
		if (ovs_list_is_empty(&c->refs)) {
			hmap_remove(&t->causes, &c->node);
			free(c);
		}
	}
	free(e->refs);
	e->refs = NULL;
	e->flow.deps = NULL;
	e->flow.n_deps = 0;
}

/* Takes over the verdict, all but the mask. */
static void entry_decide(struct flow_table *t, struct entry *e,
			 const struct translation *tr)
{
	struct flow_entry *f = &e->flow;

	entry_undepend(t, e);
	entry_depend(t, e, &tr->deps);

	actions_free(&f->actions);
	actions_copy(&f->actions, &tr->actions);
	f->reason = tr->reason;
	f->vni = tr->vni;
	f->peer = tr->peer;
	f->hop = tr->hop;
}

static void entry_set_ahead(struct flow_table *t, struct entry *e, bool ahead)
{
	t->n_ahead += (size_t)ahead - (size_t)e->flow.ahead;
	e->flow.ahead = ahead;
}

static struct entry *entry_new(struct flow_table *t, const struct ufid *ufid,
			       const struct flow *key,
			       const struct translation *tr)
{
	struct entry *e = xzalloc(sizeof *e);

	e->flow.ufid = *ufid;
	e->flow.key = *key;
	e->flow.mask = tr->mask;
	actions_init(&e->flow.actions);
	entry_decide(t, e, tr);
	e->round = t->round;
	entry_join_source(t, e, tr->vid);
	hmap_insert(&t->flows, &e->flow.node, ufid_hash(ufid));
	return e;
}

static void entry_free(struct flow_table *t, struct entry *e)
{
	if (e->is_stale) {
		ovs_list_remove(&e->stale);
	}
	entry_set_ahead(t, e, false);
	hmap_remove(&t->flows, &e->flow.node);
	entry_leave_source(t, e);
	entry_undepend(t, e);
	actions_free(&e->flow.actions);
	free(e);
}

/* The table. */

struct flow_table *flow_table_new(size_t max, size_t source_max)
{
	struct flow_table *t = xzalloc(sizeof *t);

	hmap_init(&t->flows);
	hmap_init(&t->causes);
	hmap_init(&t->sources);
	heap_init(&t->by_size);
	t->max = max;
	t->source_max = source_max;
	return t;
}

void flow_table_set_key(struct flow_table *t, const struct ufid_key *key)
{
	t->key = *key;
}

void flow_table_free(struct flow_table *t)
{
	if (t) {
		flow_table_clear(t);
		hmap_destroy(&t->flows);
		hmap_destroy(&t->causes);
		hmap_destroy(&t->sources);
		heap_destroy(&t->by_size);
		sodium_memzero(&t->key, sizeof t->key);
		free(t);
	}
}

size_t flow_table_n(const struct flow_table *t)
{
	return hmap_count(&t->flows);
}

size_t flow_table_n_of_port(const struct flow_table *t, uint32_t port_no)
{
	const struct flow key = {.in_port = port_no};
	const struct source *s = source_find(t, &key, 0);

	return s ? s->n : 0;
}

struct flow_table_losses flow_table_losses(const struct flow_table *t)
{
	return t->losses;
}

/* Which flow goes so that one of 'key' can come: NULL, with '*room' telling
 * whether there is room without. */
static struct entry *make_room(const struct flow_table *t,
			       const struct flow *key, uint16_t vid, bool *room)
{
	struct source *s = source_find(t, key, vid), *largest;
	size_t n = s ? s->n : 0;

	*room = n < t->source_max && hmap_count(&t->flows) < t->max;
	if (*room) {
		return NULL;
	}
	if (n < t->source_max && t->max) {
		largest = CONTAINER_OF(heap_max(&t->by_size), struct source,
				       rank);
		if (largest != s && largest->n > n + 1) {
			return longest_unused(largest);
		}
	}
	return s && longest_unused(s)->idle ? longest_unused(s) : NULL;
}

enum err flow_table_add(struct flow_table *t, const struct flow *key,
			const struct translation *tr, uint64_t now_us,
			struct flow_changes *changes,
			const struct flow_entry **entry)
{
	struct ufid ufid = flow_table_ufid(t, key, &tr->mask);
	struct entry *e = find(t, &ufid), *victim = NULL;
	bool room = true, ahead = false;

	if (!e) {
		victim = make_room(t, key, tr->vid, &room);
	}
	if (e) {
		ahead = e->flow.ahead;
		entry_free(t, e);
	} else if (victim) {
		t->losses.evicted++;
		changes_remove(changes, victim);
		entry_free(t, victim);
	} else if (!room) {
		t->losses.refused++;
		t->losses.last_us = now_us;
		return ERR_LIMIT;
	}
	e = entry_new(t, &ufid, key, tr);
	e->flow.installed_us = e->flow.used_us = now_us;
	entry_set_ahead(t, e, ahead && flow_forwards(tr));
	*entry = &e->flow;
	return FDP_OK;
}

void flow_table_allow_ahead(struct flow_table *t, size_t max)
{
	t->ahead_max = max;
}

size_t flow_table_n_ahead(const struct flow_table *t)
{
	return t->n_ahead;
}

enum flow_ahead flow_table_add_ahead(struct flow_table *t,
				     const struct flow *key,
				     const struct translation *tr,
				     uint64_t now_us,
				     const struct flow_entry **entry)
{
	struct ufid ufid = flow_table_ufid(t, key, &tr->mask);
	struct entry *e = find(t, &ufid);
	bool room = t->n_ahead < t->ahead_max;

	if (e && (e->flow.ahead || room)) {
		entry_set_ahead(t, e, true);
		*entry = &e->flow;
		return FLOW_AHEAD_THERE;
	}
	if (!e && room) {
		(void)make_room(t, key, tr->vid, &room);
	}
	if (!room) {
		return FLOW_AHEAD_NO_ROOM;
	}
	e = entry_new(t, &ufid, key, tr);
	e->flow.installed_us = e->flow.used_us = now_us;
	entry_set_ahead(t, e, true);
	/* The first to go. */
	e->idle = true;
	ovs_list_remove(&e->by_use);
	ovs_list_push_front(&e->source->flows, &e->by_use);
	*entry = &e->flow;
	return FLOW_AHEAD_PUT;
}

const struct flow_entry *flow_table_find(const struct flow_table *t,
					 const struct ufid *ufid)
{
	const struct entry *e = find(t, ufid);

	return e ? &e->flow : NULL;
}

void flow_table_forget(struct flow_table *t, const struct ufid *ufid)
{
	struct entry *e = find(t, ufid);

	if (e) {
		entry_free(t, e);
	}
}

void flow_table_clear(struct flow_table *t)
{
	struct entry *e, *next;

	HMAP_FOR_EACH_SAFE (e, next, flow.node, &t->flows) {
		entry_free(t, e);
	}
}

/* Revalidation. */

/* Moves every flow that depends on something in 'changed' to 'stale'. */
static void collect(struct flow_table *t, const struct deps *changed,
		    struct ovs_list *stale)
{
	for (size_t i = 0; i < changed->n; i++) {
		const struct cause *c = cause_find(t, changed->v[i]);
		struct ref *ref;

		if (!c) {
			continue;
		}
		LIST_FOR_EACH (ref, sibling, &c->refs) {
			if (!ref->entry->is_stale) {
				ref->entry->is_stale = true;
				ovs_list_push_back(stale, &ref->entry->stale);
			}
		}
	}
}

/* The writes that a revalidation takes. */
struct rewrite {
	struct flow_changes *removals;
	struct flow_changes puts, late;
};

static void rewrite_put(struct rewrite *rw, const struct entry *e, bool there)
{
	changes_put(e->flow.ahead && e->idle ? &rw->late : &rw->puts, e, there);
}

/* The flow has another mask now and so another identity: 'old' goes, and what
 * the packet of its key needs comes, unless that is there already. */
static void replace(struct flow_table *t, struct entry *old,
		    const struct translation *tr, struct rewrite *rw)
{
	struct flow key = old->flow.key;
	uint64_t installed_us = old->flow.installed_us;
	uint64_t used_us = old->flow.used_us;
	bool ahead = old->flow.ahead, idle = old->idle;
	struct entry *e;
	struct ufid ufid;

	changes_remove(rw->removals, old);
	entry_free(t, old);
	if (!tr->install) {
		return;
	}
	ufid = flow_table_ufid(t, &key, &tr->mask);
	e = find(t, &ufid);
	if (e) {
		/* It says the same, or is stale too and its turn will come. */
		e->flow.used_us = MAX(e->flow.used_us, used_us);
		if (ahead) {
			entry_set_ahead(t, e, true);
		}
		return;
	}
	e = entry_new(t, &ufid, &key, tr);
	e->flow.installed_us = installed_us;
	e->flow.used_us = used_us;
	e->idle = idle;
	entry_set_ahead(t, e, ahead);
	rewrite_put(rw, e, false);
}

static void retranslate(struct flow_table *t, const struct forwarding *fwd,
			struct entry *e, struct translation *tr,
			struct rewrite *rw)
{
	struct ufid ufid;

	pipeline_translate(fwd, &e->flow.key, NULL, tr);
	if (e->flow.ahead && !flow_forwards(tr)) {
		entry_set_ahead(t, e, false);
		if (e->idle) {
			changes_remove(rw->removals, e);
			entry_free(t, e);
			return;
		}
	}
	ufid = flow_table_ufid(t, &e->flow.key, &tr->mask);
	if (!tr->install || memcmp(&ufid, &e->flow.ufid, sizeof ufid)) {
		replace(t, e, tr, rw);
		return;
	}
	if (actions_equal(&tr->actions, &e->flow.actions)) {
		entry_decide(t, e, tr);
		return;
	}
	entry_decide(t, e, tr);
	rewrite_put(rw, e, true);
}

/* Takes over what is in 'from'. */
static void changes_move(struct flow_changes *to, struct flow_changes *from)
{
	for (size_t i = 0; i < from->n; i++) {
		struct flow_change *c = changes_add(to, &from->v[i].ufid);

		*c = from->v[i];
		actions_init(&from->v[i].actions);
	}
	flow_changes_free(from);
}

void flow_table_revalidate(struct flow_table *t, const struct forwarding *fwd,
			   struct deps *changed, struct flow_changes *changes)
{
	struct ovs_list stale = OVS_LIST_INITIALIZER(&stale);
	struct rewrite rw = {.removals = changes};
	struct translation tr;

	flow_changes_init(&rw.puts);
	flow_changes_init(&rw.late);
	translation_init(&tr);
	collect(t, changed, &stale);
	while (!ovs_list_is_empty(&stale)) {
		struct entry *e = CONTAINER_OF(ovs_list_pop_front(&stale),
					       struct entry, stale);

		e->is_stale = false;
		retranslate(t, fwd, e, &tr, &rw);
	}
	/* Removals first: the kernel refuses a flow that one with another mask
	 * still covers (ovs_flow_cmd_new() in net/openvswitch/datapath.c). */
	changes_move(changes, &rw.puts);
	changes_move(changes, &rw.late);
	translation_free(&tr);
	deps_clear(changed);
}

/* Statistics. */

bool flow_table_update(struct flow_table *t, const struct ufid *ufid,
		       const struct odp_flow_stats *stats, uint64_t now_us)
{
	struct entry *e = find(t, ufid);

	if (!e) {
		return false;
	}
	/* The kernel's time of last use is of another clock than ours; that
	 * packets were counted since we last looked is enough. */
	e->idle = stats->packets == e->flow.packets;
	if (!e->idle) {
		e->flow.used_us = now_us;
		ovs_list_remove(&e->by_use);
		ovs_list_push_back(&e->source->flows, &e->by_use);
	}
	e->round = t->round;
	e->flow.packets = stats->packets;
	e->flow.bytes = stats->bytes;
	return true;
}

void flow_table_expire(struct flow_table *t, uint64_t now_us,
		       struct flow_changes *changes)
{
	struct entry *e, *next;

	HMAP_FOR_EACH_SAFE (e, next, flow.node, &t->flows) {
		if (e->flow.ahead) {
			/* A dump may miss one: the kernel may be moving
			 * flows to a larger table. */
			if (t->round - e->round > 1) {
				changes_put(changes, e, false);
			}
		} else if (now_us - e->flow.used_us >= FLOW_IDLE_US) {
			changes_remove(changes, e);
			entry_free(t, e);
		}
	}
	t->round++;
}

void flow_table_each(const struct flow_table *t,
		     void (*visit)(const struct flow_entry *, void *aux),
		     void *aux)
{
	const struct entry *e;

	HMAP_FOR_EACH (e, flow.node, &t->flows) {
		visit(&e->flow, aux);
	}
}
