#include "mesh/admission.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "session/handshake.h"
#include "util.h"

/* An IPv4 address or an IPv6 /64. */
struct prefix_state {
	struct hmap_node node;
	struct ip_addr prefix;
	unsigned int n_half_open;
	uint64_t penalty_us;	   /* Doubles with every failure. */
	uint64_t blocked_until_us; /* No entry before. */
};

void admission_init(struct admission *a, uint64_t now_us)
{
	memset(a, 0, sizeof *a);
	hmap_init(&a->prefixes);
	bucket_init(&a->strangers, ADMISSION_RATE, ADMISSION_BURST, now_us);
}

void admission_done(struct admission *a)
{
	struct prefix_state *p;

	HMAP_FOR_EACH_POP (p, node, &a->prefixes) {
		free(p);
	}
	hmap_destroy(&a->prefixes);
}

static struct ip_addr prefix_of(const struct ip_addr *ip)
{
	struct ip_addr prefix = *ip;

	if (!ip_is_v4(ip)) {
		memset(prefix.b + 8, 0, 8);
	}
	return prefix;
}

static uint32_t hash_prefix(const struct ip_addr *prefix)
{
	return hash_bytes(prefix, sizeof *prefix, 0);
}

static struct prefix_state *find(const struct admission *a,
				 const struct ip_addr *prefix)
{
	struct prefix_state *p;

	HMAP_FOR_EACH_WITH_HASH (p, node, hash_prefix(prefix), &a->prefixes) {
		if (ip_equal(&p->prefix, prefix)) {
			return p;
		}
	}
	return NULL;
}

static void forget(struct admission *a, struct prefix_state *p)
{
	hmap_remove(&a->prefixes, &p->node);
	free(p);
}

/* Forgets what no longer matters; if that is nothing, the prefix whose block
 * ends first.  Prefixes with half-open connections stay. */
static void make_room(struct admission *a, uint64_t now_us)
{
	struct prefix_state *p, *next, *oldest = NULL;

	HMAP_FOR_EACH_SAFE (p, next, node, &a->prefixes) {
		if (p->n_half_open) {
			continue;
		}
		if (p->blocked_until_us + ADMISSION_PENALTY_MAX_US < now_us) {
			forget(a, p);
		} else if (!oldest ||
			   p->blocked_until_us < oldest->blocked_until_us) {
			oldest = p;
		}
	}
	if (oldest && hmap_count(&a->prefixes) >= ADMISSION_MAX_PREFIXES) {
		forget(a, oldest);
	}
}

static bool is_full(const struct admission *a, bool known)
{
	return a->n_half_open >=
	       HANDSHAKE_HALF_OPEN_MAX -
		       (known ? 0 : (size_t)HANDSHAKE_HALF_OPEN_KNOWN);
}

/* As far as it is up to its prefix, which may be NULL. */
static bool is_kept_out(const struct prefix_state *p, bool known,
			uint64_t now_us)
{
	return p && (p->n_half_open >= HANDSHAKE_HALF_OPEN_PREFIX ||
		     (!known && now_us < p->blocked_until_us));
}

bool admission_is_crowded(const struct admission *a, const struct ip_addr *ip,
			  uint64_t now_us)
{
	struct ip_addr prefix = prefix_of(ip);

	return is_full(a, false) &&
	       !is_kept_out(find(a, &prefix), false, now_us) &&
	       bucket_ready_us(&a->strangers, 1) <= now_us;
}

enum err admission_begin(struct admission *a, const struct ip_addr *ip,
			 bool known, uint64_t now_us)
{
	struct ip_addr prefix = prefix_of(ip);
	struct prefix_state *p = find(a, &prefix);

	if (is_full(a, known) || is_kept_out(p, known, now_us) ||
	    (!known && !bucket_take(&a->strangers, 1, now_us))) {
		return ERR_LIMIT;
	}
	if (!p) {
		if (hmap_count(&a->prefixes) >= ADMISSION_MAX_PREFIXES) {
			make_room(a, now_us);
		}
		p = xzalloc(sizeof *p);
		p->prefix = prefix;
		hmap_insert(&a->prefixes, &p->node, hash_prefix(&prefix));
	}
	p->n_half_open++;
	a->n_half_open++;
	return FDP_OK;
}

void admission_proved(struct admission *a)
{
	bucket_give(&a->strangers, 1);
}

void admission_end(struct admission *a, const struct ip_addr *ip, bool success,
		   uint64_t now_us)
{
	struct ip_addr prefix = prefix_of(ip);
	struct prefix_state *p = find(a, &prefix);

	a->n_half_open--;
	p->n_half_open--;
	if (!success) {
		p->penalty_us =
			MIN(ADMISSION_PENALTY_MAX_US,
			    MAX(ADMISSION_PENALTY_MIN_US, p->penalty_us * 2));
		p->blocked_until_us = now_us + p->penalty_us;
	} else if (!p->n_half_open) {
		forget(a, p);
	} else {
		p->penalty_us = 0;
		p->blocked_until_us = 0;
	}
}
