/* The guard's chains in iptables and ip6tables, for kernels without nftables.
 *
 * This is the one place where fdpd runs other programs: the format of the
 * tables is a private matter of iptables and of the modules of its extensions.
 * The programs are executed directly, by a fixed path, without a shell, with
 * nothing of ours in their environment, and what we feed them are the texts of
 * ipsec/netguard.h. */
#ifndef FDP_GLUE_GUARD_IPTABLES_H
#define FDP_GLUE_GUARD_IPTABLES_H 1

#include <stdbool.h>

#include "base/err.h"
#include "ipsec/netguard.h"

struct ds;
struct guard_iptables;

struct guard_iptables *guard_iptables_new(void);
void guard_iptables_free(struct guard_iptables *);

/* Loads what iptables would have to load, and not the kernel by itself, as long
 * as we may (CAP_SYS_MODULE).  If it fails the kernel may have it built in. */
void guard_iptables_load_modules(void);

/* Both families, as far as the kernel has them; one line in 'why' if one of
 * them cannot be had. */
int guard_iptables_put(struct guard_iptables *, const struct guard_rules *,
		       struct ds *why) FDP_MUST_CHECK;
int guard_iptables_del(struct guard_iptables *, struct ds *why) FDP_MUST_CHECK;
bool guard_iptables_find(struct guard_iptables *);

/* True if our chains are not as guard_iptables_put() left them.  Cheap, unless
 * the table has changed. */
bool guard_iptables_changed(struct guard_iptables *);

#endif
