/* The netfilter guard (ipsec/netguard.h) in the kernel: nftables where it has
 * the family inet, else iptables and ip6tables.
 *
 * Rules are of the network namespace that we run in.  Whoever removes them
 * (`nft flush ruleset`, `iptables -F -t mangle`) is noticed: with nftables at
 * once, by its notifications; with iptables within a second, by asking for the
 * size of the table.
 */
#ifndef FDP_GLUE_GUARD_H
#define FDP_GLUE_GUARD_H 1

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "ipsec/netguard.h"

struct agent;
struct ds;
struct guard;

/* Opens nothing yet.  'agent', borrowed, does what concerns iptables; NULL: we
 * do it ourselves, but put no guard. */
struct guard *guard_new(struct agent *agent);
/* The rules stay. */
void guard_free(struct guard *);

/* Puts 'rules' in place of what is there of ours, without a gap.  Returns true
 * if nftables has taken them.  Else iptables is at it: agent_run() tells, with
 * 'cookie', what to call guard_put_done() with.  One put at a time. */
bool guard_put(struct guard *, const struct guard_rules *rules,
	       uint64_t cookie) FDP_MUST_CHECK;

/* 'error' and 'text' are of iptables.  What holds the rules; GUARD_NONE, with
 * why neither nftables nor iptables took them in 'why'. */
enum guard_kind guard_put_done(struct guard *, int error, const char *text,
			       struct ds *why) FDP_MUST_CHECK;

/* Removes what guard_put() of any process has made; nothing there is success.
 * In '*kind', unless that is NULL, what it was. */
int guard_del(struct guard *, enum guard_kind *kind,
	      struct ds *why) FDP_MUST_CHECK;

/* Is there a guard, by whomever of us it was put? */
enum guard_kind guard_find(struct guard *);

/* True, once, if somebody has changed or removed what guard_put() put. */
bool guard_run(struct guard *);
/* Has poll_block() wake when guard_run() has something to look at. */
void guard_wait(const struct guard *);

#endif
