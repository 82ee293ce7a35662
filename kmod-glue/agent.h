/* The agent: a process of few lines for what needs more privilege than the
 * daemon keeps.
 *
 * It is forked at the start, before capabilities are dropped, has no socket
 * but the one to the daemon, and reads nothing that comes from the network.
 * It takes requests of fixed form, checks them, and does exactly this: set the
 * MTU of an attachment, or open the queues of its TAP and pass them on
 * (entering its namespace needs CAP_SYS_ADMIN, finding it by process id
 * CAP_SYS_PTRACE), and keep the netfilter guard in iptables (a program to be
 * executed, which needs CAP_NET_RAW).  A guard in nftables needs no agent.  It
 * ends with the daemon.
 *
 * None is waited for: iptables takes a while, and an attachment may take
 * seconds in a namespace that is stuck, so the results come later.  The guard's
 * requests are carried out in their order, and overtake those of attachments.
 */
#ifndef FDP_GLUE_AGENT_H
#define FDP_GLUE_AGENT_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct agent;
struct ds;
struct guard_rules;

enum {
	AGENT_MAX_GUARD_PEERS = 4096
};

/* Forks it, for a guard of 'udp_port' and no other; 'guard': there will be one.
 * Returns 0 or an errno value with one line in 'why'.  Call it while there is
 * one thread, and before privilege_keep(). */
int agent_start(uint16_t udp_port, bool guard, struct agent **,
		struct ds *why) FDP_MUST_CHECK;

/* Ends it; NULL is fine. */
void agent_stop(struct agent *);

/* As those of guard_iptables.h, waiting for the end of it.  ESHUTDOWN: the
 * agent is gone. */
int agent_guard_del(struct agent *, struct ds *why) FDP_MUST_CHECK;
bool agent_guard_find(struct agent *);

/* Has the guard put; agent_run() tells what came of it. */
void agent_guard_put(struct agent *, uint64_t cookie,
		     const struct guard_rules *);
/* True, once, if the agent found our chains not as it has put them; it looks
 * every second. */
bool agent_guard_changed(struct agent *);
/* Waits for the end of every agent_guard_put(); false if there is none. */
bool agent_guard_settle(struct agent *);

/* An attachment and its new MTU. */
struct agent_mtu {
	char host_ifname[16]; /* "": it is a TAP, and has no other end. */
	char ifname[16];      /* Inside 'netns'. */
	char netns[108];      /* As for netns_open(). */
	uint32_t mtu;
};

/* Has the MTU set; agent_run() tells what came of it.  Requests are carried
 * out one after the other, each in at most NETNS_RUN_SECONDS. */
void agent_set_mtu(struct agent *, uint64_t cookie, const struct agent_mtu *);

/* An attachment that is a TAP. */
struct agent_tap {
	char ifname[16]; /* Inside 'netns'. */
	char netns[108]; /* As for netns_open(). */
	uint32_t n_queues;
};

/* Has its queues opened, in turn with MTUs; agent_run() hands them over. */
void agent_open_tap(struct agent *, uint64_t cookie, const struct agent_tap *);

/* Waits for the ends of all MTUs and TAPs that were asked for, but no longer
 * than that: an agent that is stuck must not hold the daemon.  False if some
 * are still to come; agent_run() will tell of them. */
bool agent_settle(struct agent *, long long int timeout_ms);

/* Nobody is interested any more in what was asked for so far.  A guard that is
 * being put is there at the return: whoever comes next finds no iptables of
 * ours at work. */
void agent_forget(struct agent *);

enum agent_work {
	AGENT_GUARD_PUT,
	AGENT_MTU,
	AGENT_TAP
};

struct agent_result {
	enum agent_work work;
	uint64_t cookie;
	int error;
	const char *text;
	/* AGENT_TAP: as many as were asked for, which are the callee's then;
	 * none if there is an error. */
	const int *fds;
	size_t n_fds;
};

typedef void agent_result_cb(void *aux, const struct agent_result *);

/* Hands over every result there is; and has poll_block() wake for the next. */
void agent_run(struct agent *, agent_result_cb *, void *aux);
void agent_wait(struct agent *);

#endif
