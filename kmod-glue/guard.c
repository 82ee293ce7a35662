#include "kmod-glue/guard.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "util.h"

#include "kmod-glue/agent.h"
#include "kmod-glue/guard_iptables.h"
#include "kmod-glue/guard_nft.h"

struct guard {
	enum guard_kind kind;  /* What holds our rules. */
	struct guard_nft *nft; /* NULL: not yet, or the kernel has none. */
	int nft_error;	       /* Of opening it. */
	struct agent *agent;   /* Has the iptables, or */
	struct guard_iptables *iptables;
	struct ds nft_why; /* It did not take what iptables is given. */
};

struct guard *guard_new(struct agent *agent)
{
	struct guard *g = xzalloc(sizeof *g);

	g->agent = agent;
	ds_init(&g->nft_why);
	if (!agent) {
		g->iptables = guard_iptables_new();
	}
	return g;
}

void guard_free(struct guard *g)
{
	if (g) {
		guard_nft_close(g->nft);
		guard_iptables_free(g->iptables);
		ds_destroy(&g->nft_why);
		free(g);
	}
}

static struct guard_nft *open_nft(struct guard *g)
{
	if (!g->nft) {
		g->nft_error = guard_nft_open(&g->nft);
	}
	return g->nft;
}

static int put_nft(struct guard *g, const struct guard_rules *rules,
		   struct ds *why)
{
	struct ds script = DS_EMPTY_INITIALIZER;
	bool notrack = true;
	int error;

	if (!open_nft(g)) {
		ds_put_cstr(why, ovs_strerror(g->nft_error));
		return g->nft_error;
	}
	/* The kernel may be without connection tracking. */
	do {
		ds_clear(&script);
		ds_clear(why);
		guard_rules_nft(rules, notrack, &script);
		error = guard_nft_put(g->nft, ds_cstr(&script),
				      guard_rules_nft_n(rules, notrack), why);
		notrack = !notrack;
	} while (error && !notrack);
	ds_destroy(&script);
	return error;
}

static bool find_iptables(struct guard *g)
{
	return g->agent ? agent_guard_find(g->agent)
			: guard_iptables_find(g->iptables);
}

static int del_iptables(struct guard *g, struct ds *why)
{
	return g->agent ? agent_guard_del(g->agent, why)
			: guard_iptables_del(g->iptables, why);
}

bool guard_put(struct guard *g, const struct guard_rules *rules,
	       uint64_t cookie)
{
	ds_clear(&g->nft_why);
	if (!put_nft(g, rules, &g->nft_why)) {
		g->kind = GUARD_NFTABLES;
		return true;
	}
	agent_guard_put(g->agent, cookie, rules);
	return false;
}

enum guard_kind guard_put_done(struct guard *g, int error, const char *text,
			       struct ds *why)
{
	g->kind = error ? GUARD_NONE : GUARD_IPTABLES;
	if (error) {
		ds_put_format(why, "nftables: %s; iptables: %s",
			      ds_cstr(&g->nft_why),
			      *text ? text : ovs_strerror(error));
	}
	return g->kind;
}

int guard_del(struct guard *g, enum guard_kind *kind, struct ds *why)
{
	enum guard_kind found = GUARD_NONE;
	int error = 0;

	g->kind = GUARD_NONE;
	if (open_nft(g) && guard_nft_find(g->nft)) {
		found = GUARD_NFTABLES;
		error = guard_nft_del(g->nft, why);
	}
	if (!error && find_iptables(g)) {
		found = GUARD_IPTABLES;
		error = del_iptables(g, why);
	}
	if (kind) {
		*kind = found;
	}
	return error;
}

enum guard_kind guard_find(struct guard *g)
{
	if (open_nft(g) && guard_nft_find(g->nft)) {
		return GUARD_NFTABLES;
	}
	return find_iptables(g) ? GUARD_IPTABLES : GUARD_NONE;
}

bool guard_run(struct guard *g)
{
	bool changed = g->agent && agent_guard_changed(g->agent);

	if (g->kind == GUARD_NFTABLES) {
		return guard_nft_run(g->nft);
	}
	return changed;
}

void guard_wait(const struct guard *g)
{
	if (g->kind == GUARD_NFTABLES) {
		poll_fd_wait(guard_nft_fd(g->nft), POLLIN);
	} /* agent_wait() is for iptables. */
}
