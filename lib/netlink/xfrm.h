/* XFRM Netlink messages (RFC 4301 databases of the Linux kernel): security
 * associations and policies, bytes in and out, no socket (that is
 * kmod-glue/xfrm_socket.h).  Kernel side: net/xfrm/xfrm_user.c,
 * <linux/xfrm.h>.
 *
 * Only what fdp uses: ESP in transport mode, rfc4106(gcm(aes)) with 256-bit
 * keys and 128-bit ICV, ESN, for UDP to one destination port.
 */
#ifndef FDP_NETLINK_XFRM_H
#define FDP_NETLINK_XFRM_H 1

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/span.h"

enum {
	XFRM_KEY_SIZE = 36, /* 32 bytes AES key, 4 bytes salt (RFC 4106 8.1) */
	XFRM_MAX_REPLAY_WINDOW = 4096, /* The kernel's limit. */
	/* How our objects are told from everybody else's.  reqids of peers lie
	 * in [BASE, BASE + RANGE); the priorities are ours alone. */
	XFRM_REQID_BASE = 0x0fd00000,
	XFRM_REQID_RANGE = 0x00100000,
	XFRM_PRIORITY_LANE = 0x0fcff, /* Before PEER: with a mark. */
	XFRM_PRIORITY_PEER = 0x0fd00,
	XFRM_PRIORITY_BLOCK = 0x0fdff
};

enum xfrm_dir {
	XFRM_DIR_IN,
	XFRM_DIR_OUT
};

struct xfrm_sa {
	struct ip_addr src, dst; /* Same family. */
	uint32_t spi;		 /* Host order. */
	uint32_t reqid;
	uint16_t udp_port; /* Selector: UDP to this destination port. */
	/* Requests only; wiped from the message buffer after sending. */
	uint8_t key[XFRM_KEY_SIZE];
	uint32_t replay_window; /* Packets; taken into 1..MAX_REPLAY_WINDOW. */
	uint64_t soft_packets, hard_packets; /* 0 = no limit. */
	uint64_t soft_bytes, hard_bytes;
	/* Answers only. */
	uint64_t bytes, packets;
	uint64_t seq_out, seq_in; /* ESN, 64 bits. */
	uint64_t add_time;	  /* Wall clock seconds. */
	uint64_t use_time;	  /* First use; 0 = never used. */
	uint32_t replay_errors, integrity_errors;
};

struct xfrm_policy {
	enum xfrm_dir dir;
	/* Selector: UDP to 'udp_port'; a zero address is a wildcard, then
	 * 'v6' tells the family. */
	struct ip_addr src, dst;
	bool v6;
	uint16_t udp_port;
	uint32_t priority;
	/* Only for packets with these bits of skb->mark; mask 0 = for all. */
	uint32_t mark, mark_mask;
	bool block;	/* Drop; the fields below do not count. */
	bool plain;	/* Let all pass, with ESP or without; likewise. */
	uint32_t reqid; /* Template: required ESP transport with this reqid. */
	uint32_t spi;	/* Outbound: the very SA to use; 0 = any. */
};

/* Requests: append one aligned message.  'flags' are NLM_F_* to add. */
void xfrm_put_sa(struct wbuf *, uint32_t seq, uint16_t flags,
		 const struct xfrm_sa *);
void xfrm_put_sa_del(struct wbuf *, uint32_t seq, uint16_t flags,
		     const struct ip_addr *dst, uint32_t spi);
void xfrm_put_sa_get(struct wbuf *, uint32_t seq, uint16_t flags,
		     const struct ip_addr *dst, uint32_t spi);
void xfrm_put_sa_dump(struct wbuf *, uint32_t seq);
/* 'update' replaces an existing policy of the same selector and mark
 * (XFRM_MSG_UPDPOLICY), else it must not exist (XFRM_MSG_NEWPOLICY). */
void xfrm_put_policy(struct wbuf *, uint32_t seq, uint16_t flags,
		     const struct xfrm_policy *, bool update);
void xfrm_put_policy_del(struct wbuf *, uint32_t seq, uint16_t flags,
			 const struct xfrm_policy *);
void xfrm_put_policy_dump(struct wbuf *, uint32_t seq);

/* Decoders of one message (XFRM_MSG_NEWSA, XFRM_MSG_NEWPOLICY).  Keys are not
 * decoded.  ERR_TRUNCATED, ERR_MALFORMED; ERR_UNSUPPORTED for an object of a
 * kind that fdp never makes (such are not ours). */
enum err xfrm_get_sa(struct span msg, struct xfrm_sa *) FDP_MUST_CHECK;
enum err xfrm_get_policy(struct span msg, struct xfrm_policy *) FDP_MUST_CHECK;

/* What the kernel tells of itself (multicast groups XFRMNLGRP_EXPIRE, _SA,
 * _POLICY), our own changes included. */
enum xfrm_event_type {
	XFRM_EVENT_SA_ADDED,	   /* 'sa' */
	XFRM_EVENT_SA_DELETED,	   /* 'sa' */
	XFRM_EVENT_SA_SOFT,	   /* 'sa': a soft limit is reached. */
	XFRM_EVENT_SA_HARD,	   /* 'sa': a hard limit; it is gone. */
	XFRM_EVENT_SA_FLUSH,	   /* All ESP SAs of the namespace are gone. */
	XFRM_EVENT_POLICY_ADDED,   /* 'policy' */
	XFRM_EVENT_POLICY_CHANGED, /* 'policy' */
	XFRM_EVENT_POLICY_DELETED, /* 'policy' */
	XFRM_EVENT_POLICY_FLUSH,   /* All policies are gone. */
	XFRM_EVENT_LOST		   /* Events were lost: dump, compare. */
};

struct xfrm_event {
	enum xfrm_event_type type;
	struct xfrm_sa sa; /* SA_SOFT, SA_HARD: counters, no sequences. */
	struct xfrm_policy policy;
};

/* Decodes a notification; XFRM_EVENT_LOST is never made here.  As the decoders
 * above, and ERR_UNSUPPORTED for notifications about anything else. */
enum err xfrm_get_event(struct span msg, struct xfrm_event *) FDP_MUST_CHECK;

/* Is it one of fdp's own, by reqid or priority? */
bool xfrm_sa_is_ours(const struct xfrm_sa *);
bool xfrm_policy_is_ours(const struct xfrm_policy *);
/* Same selector, direction and mark: at most one of both can exist. */
bool xfrm_policy_same_selector(const struct xfrm_policy *,
			       const struct xfrm_policy *);

#endif
