/* The netfilter guard: rules that drop VXLAN of ours which no IPsec protects.
 *
 * XFRM policies keep plaintext in, until somebody says `ip xfrm policy flush`.
 * The guard is the second lock, of another make: what goes out to our UDP port
 * without a transformation ahead of it, or comes in to it without one behind
 * it, is dropped by netfilter.  It is there before the first vport and stays
 * when the daemon stops or dies.  Beside that it keeps the tunnel's packets out
 * of connection tracking, which loading openvswitch switches on.
 *
 * And it drops what would quote them: a decrypted packet that finds no tunnel
 * port (somebody deleted it, or set it down), or that a firewall rejects, is
 * answered by an ICMP error with half a kilobyte of its content, in the clear.
 *
 * Here are the rules as text, for nftables and for iptables; kmod-glue/guard.h
 * puts them in.  The out rules sit in the output hooks, where the route, and
 * with it the transformation, is settled; what is forwarded or bridged for
 * others is not looked at.  Kernel side: net/netfilter/{nft_rt,nft_meta}.c,
 * xt_policy.c; net/ipv4/xfrm4_output.c, xfrm4_input.c.
 */
#ifndef FDP_IPSEC_NETGUARD_H
#define FDP_IPSEC_NETGUARD_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct ds;

/* Names of ours in netfilter. */
#define GUARD_NFT_TABLE	      "fdp_guard" /* Of the family inet. */
#define GUARD_CHAIN_OUT	      "FDP-GUARD-OUT"
#define GUARD_CHAIN_IN	      "FDP-GUARD-IN"
#define GUARD_CHAIN_UNTRACKED "FDP-NOTRACK"

enum guard_kind {
	GUARD_NONE,
	GUARD_NFTABLES,
	GUARD_IPTABLES
};

enum {
	GUARD_MAX_PAIRS = 1024
};

/* From 'local' to 'port' of 'remote', and from there to our port. */
struct guard_pair {
	struct ip_addr local, remote;
	uint16_t port;
	uint8_t out, in; /* 1: may be plain. */
};

/* What is to be guarded, all of it. */
struct guard_rules {
	uint16_t udp_port; /* Ours: in, and out to anybody. */
	/* Peers that listen on another port: out to those. */
	struct ip_endpoint *peers;
	size_t n_peers;
	/* What may be plain all the same. */
	struct guard_pair *pairs;
	size_t n_pairs;
};

/* "none", "nftables", "iptables". */
const char *guard_kind_name(enum guard_kind);

/* Appends a script for nft(8) that replaces our table in one transaction;
 * 'notrack' needs connection tracking in the kernel. */
void guard_rules_nft(const struct guard_rules *, bool notrack, struct ds *);

/* How many rules that makes. */
size_t guard_rules_nft_n(const struct guard_rules *, bool notrack);

/* Appends the rules of our chains in the table mangle of iptables, or of
 * ip6tables if 'v6', each as one line that is exactly as `iptables -S` would
 * print it. */
void guard_rules_mangle(const struct guard_rules *, bool v6, struct ds *);

/* The same for the table raw. */
void guard_rules_raw(const struct guard_rules *, struct ds *);

#endif
