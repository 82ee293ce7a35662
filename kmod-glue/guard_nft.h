/* The guard's table in nftables: written through libnftables, watched through a
 * Netlink socket of our own. */
#ifndef FDP_GLUE_GUARD_NFT_H
#define FDP_GLUE_GUARD_NFT_H 1

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct ds;
struct guard_nft;

/* Positive errno value if the kernel has no nfnetlink. */
int guard_nft_open(struct guard_nft **) FDP_MUST_CHECK;
void guard_nft_close(struct guard_nft *);

/* Runs a script that makes our table, with 'n_rules' rules; one line in 'why'
 * if the kernel does not take it. */
int guard_nft_put(struct guard_nft *, const char *script, size_t n_rules,
		  struct ds *why) FDP_MUST_CHECK;
int guard_nft_del(struct guard_nft *, struct ds *why) FDP_MUST_CHECK;
/* Is our table there? */
bool guard_nft_find(struct guard_nft *);

/* True if our table is not as guard_nft_put() left it. */
bool guard_nft_run(struct guard_nft *);
int guard_nft_fd(const struct guard_nft *);

#endif
