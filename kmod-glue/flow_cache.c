#include "kmod-glue/flow_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmap.h"
#include "hash.h"
#include "openvswitch/hmap.h"
#include "ovs-atomic.h"
#include "ovs-rcu.h"
#include "util.h"

/* A flow, or a mask, as words in a row that can be compared and hashed: every
 * field once, no padding. */
enum {
	WORDS = 39
};

struct words {
	uint32_t w[WORDS];
};

/* Flows of one mask. */
struct table {
	struct cmap flows;
	struct words mask;
	uint8_t used[WORDS]; /* Which words of the mask are not zero... */
	unsigned int n_used; /* ...and how many. */
	size_t n;
};

struct tables {
	size_t n;
	struct table *v[];
};

/* Of one thread. */
OVS_ALIGNED_STRUCT(CACHE_LINE_SIZE, flow_counts)
{
	atomic_uint64_t packets, bytes, used_ms;
	atomic_uint32_t tcp_flags;
};

struct cached_flow {
	struct cmap_node node;	    /* In its table. */
	struct hmap_node ufid_node; /* In 'by_ufid'. */
	struct table *table;
	struct ufid ufid;
	struct words key;	/* Masked. */
	uint32_t hash;		/* Of that. */
	struct flow flow, mask; /* The same, for dumps. */
	OVSRCU_TYPE(struct actions *) actions;
	struct flow_counts *counts;
};

struct flow_cache {
	unsigned int n_threads;
	OVSRCU_TYPE(struct tables *) tables;
	struct hmap by_ufid;
	/* Changes when a flow goes: what threads remember is void then. */
	atomic_uint64_t version;
};

/* ---- words ------------------------------------------------------------ */

static uint32_t *put_bytes(uint32_t *to, const void *bytes, size_t size)
{
	memcpy(to, bytes, size);
	return to + size / sizeof *to;
}

static uint32_t *put_macs(uint32_t *to, const struct mac *a,
			  const struct mac *b)
{
	uint8_t both[12];

	memcpy(both, a->b, 6);
	memcpy(both + 6, b->b, 6);
	return put_bytes(to, both, sizeof both);
}

static uint32_t two(uint16_t high, uint16_t low)
{
	return (uint32_t)high << 16 | low;
}

static uint32_t four(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return two((uint16_t)(a << 8 | b), (uint16_t)(c << 8 | d));
}

/* 'family': what stands for that of the tunnel's addresses, which counts with
 * the tunnel. */
static uint32_t *put_tunnel(uint32_t *to, const struct flow_tunnel *tunnel,
			    uint32_t family)
{
	if (!tunnel->present) {
		return to + 11; /* They are zero. */
	}
	*to++ = 1 | family << 1;
	*to++ = tunnel->vni;
	*to++ = four(0, tunnel->tos, tunnel->ttl, tunnel->flags);
	to = put_bytes(to, tunnel->src.b, sizeof tunnel->src.b);
	return put_bytes(to, tunnel->dst.b, sizeof tunnel->dst.b);
}

static void to_words(const struct flow *f, uint32_t family, struct words *words)
{
	uint32_t *to = words->w;

	memset(words, 0, sizeof *words);
	*to++ = f->in_port;
	to = put_tunnel(to, &f->tunnel, family);
	to = put_macs(to, &f->eth_src, &f->eth_dst);
	*to++ = two(f->vlan_tci, f->vlan_tpid);
	*to++ = two(f->eth_type, f->arp_op);
	*to++ = four(f->nw_proto, f->nw_tos, f->nw_ttl, f->nw_frag);
	*to++ = f->ipv6_label;
	to = put_bytes(to, f->nw_src.b, sizeof f->nw_src.b);
	to = put_bytes(to, f->nw_dst.b, sizeof f->nw_dst.b);
	*to++ = two(f->tp_src, f->tp_dst);
	*to++ = f->tcp_flags;
	to = put_macs(to, &f->arp_sha, &f->arp_tha);
	to = put_bytes(to, f->nd_target.b, sizeof f->nd_target.b);
	to = put_macs(to, &f->nd_sll, &f->nd_tll);
	ovs_assert(to == words->w + WORDS);
}

static void key_words(const struct flow *f, struct words *words)
{
	to_words(f, ip_is_v4(&f->tunnel.src), words);
}

static void mask_words(const struct flow *mask, struct words *words)
{
	to_words(mask, 1, words);
}

static uint32_t hash_masked(const struct words *key, const struct table *table)
{
	uint32_t hash = 0;

	for (unsigned int i = 0; i < table->n_used; i++) {
		unsigned int k = table->used[i];

		hash = hash_add(hash, key->w[k] & table->mask.w[k]);
	}
	return hash_finish(hash, table->n_used);
}

/* Is 'key' that of 'flow' where its mask is? */
static bool matches(const struct cached_flow *flow, const struct words *key)
{
	const struct table *table = flow->table;

	for (unsigned int i = 0; i < table->n_used; i++) {
		unsigned int k = table->used[i];

		if ((key->w[k] & table->mask.w[k]) != flow->key.w[k]) {
			return false;
		}
	}
	return true;
}

/* ---- tables ----------------------------------------------------------- */

static struct tables *current_tables(const struct flow_cache *cache)
{
	return ovsrcu_get(struct tables *, &cache->tables);
}

static void publish(struct flow_cache *cache, struct tables *tables)
{
	struct tables *old =
		ovsrcu_get_protected(struct tables *, &cache->tables);

	ovsrcu_set(&cache->tables, tables);
	ovsrcu_postpone(free, old);
}

static struct table *find_table(const struct flow_cache *cache,
				const struct words *mask)
{
	const struct tables *tables = current_tables(cache);

	for (size_t i = 0; i < tables->n; i++) {
		if (!memcmp(&tables->v[i]->mask, mask, sizeof *mask)) {
			return tables->v[i];
		}
	}
	return NULL;
}

static struct table *add_table(struct flow_cache *cache,
			       const struct words *mask)
{
	const struct tables *old = current_tables(cache);
	struct tables *tables =
		xmalloc(sizeof *tables + (old->n + 1) * sizeof tables->v[0]);
	struct table *table = xzalloc(sizeof *table);

	cmap_init(&table->flows);
	table->mask = *mask;
	for (unsigned int i = 0; i < WORDS; i++) {
		if (mask->w[i]) {
			table->used[table->n_used++] = (uint8_t)i;
		}
	}
	tables->n = old->n + 1;
	memcpy(tables->v, old->v, old->n * sizeof tables->v[0]);
	tables->v[old->n] = table;
	publish(cache, tables);
	return table;
}

static void table_free(struct table *table)
{
	cmap_destroy(&table->flows);
	free(table);
}

static void remove_table(struct flow_cache *cache, struct table *table)
{
	const struct tables *old = current_tables(cache);
	struct tables *tables =
		xmalloc(sizeof *tables + old->n * sizeof tables->v[0]);

	tables->n = 0;
	for (size_t i = 0; i < old->n; i++) {
		if (old->v[i] != table) {
			tables->v[tables->n++] = old->v[i];
		}
	}
	publish(cache, tables);
	ovsrcu_postpone(table_free, table);
}

/* ---- writing ---------------------------------------------------------- */

struct flow_cache *flow_cache_new(unsigned int n_threads)
{
	struct flow_cache *cache = xzalloc(sizeof *cache);
	struct tables *tables = xzalloc(sizeof *tables);

	cache->n_threads = n_threads;
	ovsrcu_init(&cache->tables, tables);
	hmap_init(&cache->by_ufid);
	atomic_init(&cache->version, 1);
	return cache;
}

static void actions_delete(struct actions *actions)
{
	actions_free(actions);
	free(actions);
}

static struct actions *actions_clone(const struct actions *actions)
{
	struct actions *clone = xmalloc(sizeof *clone);

	actions_copy(clone, actions);
	return clone;
}

static void flow_free(struct cached_flow *flow)
{
	actions_delete(ovsrcu_get_protected(struct actions *, &flow->actions));
	free_cacheline(flow->counts);
	free(flow);
}

static uint32_t hash_ufid(const struct ufid *ufid)
{
	return hash_bytes(ufid->b, sizeof ufid->b, 0);
}

static struct cached_flow *find_ufid(const struct flow_cache *cache,
				     const struct ufid *ufid)
{
	struct cached_flow *flow;

	HMAP_FOR_EACH_WITH_HASH (flow, ufid_node, hash_ufid(ufid),
				 &cache->by_ufid) {
		if (!memcmp(&flow->ufid, ufid, sizeof *ufid)) {
			return flow;
		}
	}
	return NULL;
}

static void change_version(struct flow_cache *cache)
{
	uint64_t version;

	atomic_read_relaxed(&cache->version, &version);
	atomic_store_explicit(&cache->version, version + 1,
			      memory_order_release);
}

/* As the kernel keeps it. */
static struct flow masked(const struct flow *key, const struct flow *mask)
{
	struct flow f = *key;
	uint8_t *to = (uint8_t *)&f;
	const uint8_t *bits = (const uint8_t *)mask;

	for (size_t i = 0; i < sizeof f; i++) {
		to[i] &= bits[i];
	}
	return f;
}

static struct cached_flow *search(const struct flow_cache *cache,
				  const struct words *key)
{
	const struct tables *tables = current_tables(cache);

	for (size_t i = 0; i < tables->n; i++) {
		struct table *table = tables->v[i];
		uint32_t hash = hash_masked(key, table);
		struct cached_flow *flow;

		CMAP_FOR_EACH_WITH_HASH(flow, node, hash, &table->flows)
		{
			if (matches(flow, key)) {
				return flow;
			}
		}
	}
	return NULL;
}

static void add_flow(struct flow_cache *cache, const struct ufid *ufid,
		     const struct flow *key, const struct words *words,
		     const struct flow *mask, const struct actions *actions)
{
	struct cached_flow *flow = xzalloc(sizeof *flow);
	struct words wanted;

	mask_words(mask, &wanted);
	flow->table = find_table(cache, &wanted);
	if (!flow->table) {
		flow->table = add_table(cache, &wanted);
	}
	flow->ufid = *ufid;
	for (unsigned int i = 0; i < WORDS; i++) {
		flow->key.w[i] = words->w[i] & wanted.w[i];
	}
	flow->flow = masked(key, mask);
	flow->mask = *mask;
	flow->counts =
		xzalloc_cacheline(cache->n_threads * sizeof *flow->counts);
	ovsrcu_init(&flow->actions, actions_clone(actions));
	flow->hash = hash_masked(words, flow->table);
	hmap_insert(&cache->by_ufid, &flow->ufid_node, hash_ufid(ufid));
	flow->table->n++;
	cmap_insert(&flow->table->flows, &flow->node, flow->hash);
}

static void set_actions(struct cached_flow *flow, const struct actions *actions)
{
	struct actions *old =
		ovsrcu_get_protected(struct actions *, &flow->actions);

	ovsrcu_set(&flow->actions, actions_clone(actions));
	ovsrcu_postpone(actions_delete, old);
}

int flow_cache_put(struct flow_cache *cache, const struct ufid *ufid,
		   const struct flow *key, const struct flow *mask,
		   const struct actions *actions)
{
	struct cached_flow *flow = find_ufid(cache, ufid);
	struct flow complete;
	struct words words;

	if (flow) {
		set_actions(flow, actions);
		return 0;
	}
	key_words(key, &words);
	if (search(cache, &words)) {
		return EEXIST;
	}
	odp_complete_mask(key, mask, &complete);
	add_flow(cache, ufid, key, &words, &complete, actions);
	return 0;
}

static void remove_flow(struct flow_cache *cache, struct cached_flow *flow)
{
	struct table *table = flow->table;

	hmap_remove(&cache->by_ufid, &flow->ufid_node);
	cmap_remove(&table->flows, &flow->node, flow->hash);
	/* Before the flow can be freed, and so before any thread that could
	 * have it in its memory looks up again. */
	change_version(cache);
	if (!--table->n) {
		remove_table(cache, table);
	}
	ovsrcu_postpone(flow_free, flow);
}

int flow_cache_del(struct flow_cache *cache, const struct ufid *ufid)
{
	struct cached_flow *flow = find_ufid(cache, ufid);

	if (!flow) {
		return ENOENT;
	}
	remove_flow(cache, flow);
	return 0;
}

void flow_cache_clear(struct flow_cache *cache)
{
	struct cached_flow *flow, *next;

	HMAP_FOR_EACH_SAFE (flow, next, ufid_node, &cache->by_ufid) {
		remove_flow(cache, flow);
	}
}

void flow_cache_free(struct flow_cache *cache)
{
	if (cache) {
		flow_cache_clear(cache);
		ovsrcu_postpone(free, current_tables(cache));
		hmap_destroy(&cache->by_ufid);
		free(cache);
	}
}

size_t flow_cache_n(const struct flow_cache *cache)
{
	return hmap_count(&cache->by_ufid);
}

/* ---- reading ---------------------------------------------------------- */

struct cached_flow *flow_cache_find(struct flow_cache *cache,
				    struct flow_cache_local *local,
				    const struct flow *packet)
{
	struct cached_flow *flow;
	struct words key;
	uint64_t version;
	uint32_t hash;
	size_t slot;

	atomic_read_explicit(&cache->version, &version, memory_order_acquire);
	if (version != local->version) {
		memset(local, 0, sizeof *local);
		local->version = version;
	}
	key_words(packet, &key);
	hash = hash_words(key.w, WORDS, 0);
	slot = hash % FLOW_CACHE_LOCAL_SIZE;
	flow = local->slots[slot].flow;
	/* There is but one flow that the packet can match. */
	if (flow && local->slots[slot].hash == hash && matches(flow, &key)) {
		return flow;
	}
	flow = search(cache, &key);
	if (flow) {
		local->slots[slot].hash = hash;
		local->slots[slot].flow = flow;
	}
	return flow;
}

const struct actions *cached_flow_actions(const struct cached_flow *flow)
{
	return ovsrcu_get(struct actions *, &flow->actions);
}

void cached_flow_count(struct cached_flow *flow, unsigned int thread,
		       uint64_t bytes, uint64_t now_ms, uint16_t tcp_flags)
{
	struct flow_counts *c = &flow->counts[thread];
	uint64_t value;
	uint32_t flags;

	atomic_read_relaxed(&c->packets, &value);
	atomic_store_relaxed(&c->packets, value + 1);
	atomic_read_relaxed(&c->bytes, &value);
	atomic_store_relaxed(&c->bytes, value + bytes);
	atomic_store_relaxed(&c->used_ms, now_ms);
	atomic_read_relaxed(&c->tcp_flags, &flags);
	atomic_store_relaxed(&c->tcp_flags, flags | tcp_flags);
}

static struct odp_flow_stats stats_of(const struct flow_cache *cache,
				      const struct cached_flow *flow)
{
	struct odp_flow_stats stats = {.packets = 0};

	for (unsigned int i = 0; i < cache->n_threads; i++) {
		struct flow_counts *c = &flow->counts[i];
		uint64_t packets, bytes, used_ms;
		uint32_t flags;

		atomic_read_relaxed(&c->packets, &packets);
		atomic_read_relaxed(&c->bytes, &bytes);
		atomic_read_relaxed(&c->used_ms, &used_ms);
		atomic_read_relaxed(&c->tcp_flags, &flags);
		stats.packets += packets;
		stats.bytes += bytes;
		stats.used_ms = MAX(stats.used_ms, used_ms);
		stats.tcp_flags |= (uint8_t)flags;
	}
	return stats;
}

void flow_cache_dump(const struct flow_cache *cache,
		     void (*each)(void *, const struct ufid *,
				  const struct flow *, const struct flow *,
				  const struct actions *,
				  const struct odp_flow_stats *),
		     void *aux)
{
	const struct cached_flow *flow;

	HMAP_FOR_EACH (flow, ufid_node, &cache->by_ufid) {
		struct odp_flow_stats stats = stats_of(cache, flow);

		each(aux, &flow->ufid, &flow->flow, &flow->mask,
		     cached_flow_actions(flow), &stats);
	}
}
