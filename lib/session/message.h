/* The messages of the record channel, their types in one table, and their wire
 * form.
 *
 * A record's payload is a list of messages, each a TLV (session/tlv.h) whose
 * value has fixed fields first and may end with a list of TLVs: new fields come
 * there.  An unknown message or field that is optional is skipped; an unknown
 * critical one is an error and the session ends.  docs/PROTOCOL.md, "Messages".
 */
#ifndef FDP_SESSION_MESSAGE_H
#define FDP_SESSION_MESSAGE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/binding.h"
#include "base/err.h"
#include "base/span.h"
#include "session/identity.h"
#include "session/keys.h"
#include "session/statement.h"

/* X(NAME, slug, type on the wire, critical, text).  Types are never used again
 * for something else. */
#define MESSAGE_TYPES(X)                                                       \
	X(PING, "ping", 1, 0, "are you there")                                 \
	X(PONG, "pong", 2, 0, "answer to a ping")                              \
	X(CLOSE, "close", 3, 0, "why the connection is about to end")          \
	X(RECORD, "record", 16, 1, "all that a peer says of itself, in parts") \
	X(UPDATE, "update", 17, 1, "what changed in a peer's record")          \
	X(PEERS, "peers", 18, 0, "hosts that I am connected to")               \
	X(STATEMENT, "statement", 19, 0, "what a host says, for all to keep")  \
	X(SUMMARY, "summary", 20, 0, "which statements I have")                \
	X(HAVE, "have", 21, 0, "statements that are new to me")                \
	X(WANT, "want", 22, 0, "please send me these statements")              \
	X(LINKS, "links", 23, 0, "what changed in what I say of my links")     \
	X(SA_OFFER, "sa-offer", 32, 1, "an inbound SA is ready for you")       \
	X(SA_ACTIVE, "sa-active", 33, 1, "I send through the SA you offered")  \
	X(SA_DELETE, "sa-delete", 34, 1, "forget the SA that I offered")       \
	X(REKEY_REQUEST, "rekey-request", 35, 1, "let us have new keys")       \
	X(REKEY_RESPONSE, "rekey-response", 36, 1, "my half of the new keys")  \
	X(REKEY_ASK, "rekey-ask", 37, 0, "please begin a rekey")               \
	X(REHANDSHAKE, "rehandshake", 38, 0, "my passwords have changed")      \
	X(PLAIN, "plain", 39, 0, "we need not encrypt, says my operator")      \
	X(SLEEVE, "sleeve", 40, 0, "what you seal so I can open")              \
	X(PROBE_ACK, "probe-ack", 48, 0, "a probe of yours has arrived")       \
	X(PATH_ASK, "path-ask", 49, 0, "which of my probes have arrived?")     \
	X(PATH_REPORT, "path-report", 50, 0, "what has arrived is all acked")  \
	X(PATH_STATE, "path-state", 51, 0, "what I think of my way to you")    \
	X(PATH_CHECK, "path-check", 52, 0, "what came in by these SAs?")       \
	X(PATH_CHECKED, "path-checked", 53, 0, "what came in, and what did not")

enum msg_type {
#define X(NAME, SLUG, TYPE, CRITICAL, TEXT) \
	MSG_##NAME = (TYPE) | (CRITICAL) << 15,
	MESSAGE_TYPES(X)
#undef X
};

/* Bounds of one message.  A message within them always fits into one record,
 * whatever it holds. */
enum {
	MSG_MAX_ADDRS = 64,
	MSG_MAX_BINDINGS = 200,
	MSG_MAX_REMOVED = 1024,
	MSG_MAX_HINTS = 256,
	MSG_MAX_ADVERTISED = 16,  /* In a PEERS. */
	MSG_MAX_HELD = 1900,	  /* In a SUMMARY, HAVE or WANT. */
	MSG_MAX_SPIS = 16,	  /* In an SA_OFFER. */
	MSG_CLOSE_TEXT_SIZE = 128 /* With the terminating zero. */
};

/* PING and PONG; a PONG repeats the number of its PING. */
struct msg_ping {
	uint64_t seq;
};

struct msg_close {
	enum err reason; /* ERR_REFUSED if the slug is not known here. */
	/* The sender's slug, which is what goes over the wire; encoding fills
	 * it from 'reason' if it is empty. */
	char slug[32];
	char text[MSG_CLOSE_TEXT_SIZE]; /* For the log; printable ASCII. */
};

/* One part of the full record of 'author'.  Parts count from 0 and share
 * 'author', 'incarnation', 'seq'; name and addresses stand in every part. */
struct msg_record {
	struct peer_id author;
	uint64_t incarnation;
	uint64_t seq;
	uint16_t part;
	bool last;
	char name[IDENTITY_NAME_SIZE]; /* Valid, as in an identity. */
	struct ip_addr *addrs;	       /* Underlay addresses. */
	size_t n_addrs;
	struct binding *bindings;
	size_t n_bindings;
};

/* The step of the record of 'author' from 'seq' - 1 to 'seq'. */
struct msg_update {
	struct peer_id author;
	uint64_t incarnation;
	uint64_t seq;
	struct binding *added; /* New, or in place of one with the same key. */
	size_t n_added;
	struct binding_key *removed;
	size_t n_removed;
};

/* A host that the author of a PEERS message is connected to. */
struct peer_hint {
	struct peer_id id;
	struct ip_endpoint at; /* Where it can be dialled. */
};

/* Hosts to be dialled by whoever lacks them.  Says nothing about those that
 * are not named. */
struct msg_peers {
	bool want;     /* Please answer with yours. */
	uint16_t port; /* TCP port at which the author can be dialled. */
	struct peer_hint *v;
	size_t n;
	/* Where the author wants to be dialled, in a field that older readers
	 * skip; none: where it is seen. */
	struct ip_endpoint advertised[MSG_MAX_ADVERTISED];
	size_t n_advertised;
};

/* Which statement: without what it says. */
struct held_statement {
	struct peer_id author;
	uint64_t incarnation, seq;
	uint8_t chunk;
};

/* A part of all that the sender has; who has something newer, or that is not
 * named, sends it when the last part has come. */
struct msg_summary {
	bool want; /* Please answer with yours. */
	bool more; /* Another part follows. */
	struct held_statement *v;
	size_t n;
};

/* HAVE: some that the sender has, and nothing of others.  WANT: the reader
 * is asked for these, or newer ones of the same author and chunk. */
struct msg_held {
	struct held_statement *v;
	size_t n;
	/* Of a WANT: those of the reader's own about links as LINKS. */
	bool in_short;
};

/* A statement of the sender's about links, in short: those of its statement
 * 'base' (of the same incarnation and chunk; 0: none), without those that are
 * gone, with those that have come, in the order of ids.  Each is named by
 * statement_link_number(), as the reader knows most hosts; where it does not
 * know one, or what comes of it is not what is signed, it asks for the whole
 * (WANT).
 *
 * With 'named' they are, instead of those of 'base', the hosts that the sender
 * knows to be named in anybody's statements of links, as far as they belong to
 * the chunk where links are spread over so many.  The hash says whether the
 * reader knows the same (mesh/idset.h). */
struct msg_links {
	uint64_t incarnation, seq, base;
	uint8_t chunk;
	uint8_t named;	       /* 1, 2, 4... up to STATEMENT_N_LINKS; 0: no. */
	uint64_t named_hash;   /* Of all of them, of whatever chunk. */
	uint32_t *gone, *come; /* At most STATEMENT_MAX_LINKS each. */
	size_t n_gone, n_come;
	uint8_t signature[SIGN_BYTES];
};

/* The author has installed inbound SAs: traffic from 'src_ip' (the reader's
 * underlay address) to 'dst_ip' (the author's) may use them.  One goes into the
 * message's fixed part; those behind it into a field that older readers skip,
 * who then use the first one only. */
struct msg_sa_offer {
	/* Chosen by the author; 256 or more (RFC 4303 2.1), all different. */
	uint32_t spis[MSG_MAX_SPIS];
	size_t n_spis; /* 1 to MSG_MAX_SPIS. */
	uint8_t salt[ESP_SALT_BYTES];
	uint32_t epoch;
	struct ip_addr src_ip, dst_ip;
	uint16_t vxlan_port; /* UDP port the SA is for, host order. */
	uint32_t mtu; /* The author's underlay MTU in bytes; 0 unknown. */
};

/* The author sends through the SAs that the reader offered, 'spi' being the
 * first of them, or through as many of them as it likes. */
struct msg_sa_active {
	uint32_t spi;
	uint32_t epoch;
};

/* The author removes its inbound SA 'spi'. */
struct msg_sa_delete {
	uint32_t spi;
};

enum {
	REKEY_KEY_BYTES = 32
};

/* REKEY_REQUEST and REKEY_RESPONSE: one side's X25519 public key for 'epoch',
 * which is the one after the epoch in use (session/ratchet.h). */
struct msg_rekey {
	uint32_t epoch;
	uint8_t key[REKEY_KEY_BYTES];
};

/* The author, who is the session's responder, has other passwords than when the
 * session began. */
struct msg_rehandshake {
	bool refused; /* That of this session is not among them any more. */
};

/* Nothing need be encrypted between 'src_ip' (the reader's underlay address)
 * and 'dst_ip' (the author's), as far as the author is concerned. */
struct msg_plain {
	bool ready; /* It takes plain packets by now. */
	struct ip_addr src_ip, dst_ip;
};

/* The author opens datagrams of the sleeve that come to its UDP port 'port'
 * under 'index', sealed with the key of 'epoch' for what the reader sends. */
struct msg_sleeve {
	uint32_t index; /* Chosen by the author; not 0. */
	uint32_t epoch;
	enum sleeve_cipher cipher;
	uint16_t port;
	uint32_t mtu; /* The author's underlay MTU in bytes; 0 unknown. */
};

/* A probe of the reader's has come in (packet/probe.h). */
struct msg_probe_ack {
	uint64_t number;
	uint16_t size; /* As it arrived. */
	uint8_t lane;
};

/* PATH_ASK: probes up to 'number' are out, and not all are acknowledged.
 * PATH_REPORT repeats the number; what has arrived by then has been
 * acknowledged before it. */
struct msg_path {
	uint64_t number;
};

enum {
	PATH_STATE_LEVELS = 5 /* As many as enum path_level has. */
};

/* How the author's probes fare on their way to the reader, and why. */
struct msg_path_state {
	uint8_t level;	 /* enum path_level; below PATH_STATE_LEVELS. */
	char reason[32]; /* A slug of base/reason.def; "" if it is not known. */
};

/* What has come in at the reader through its SAs of those SPIs, which are all
 * that the author sends through?  None without ESP. */
struct msg_path_check {
	uint32_t number;
	uint32_t spis[MSG_MAX_SPIS];
	size_t n_spis;
};

/* The answer to the check of that number. */
struct msg_path_checked {
	uint32_t number;
	uint64_t heard; /* Probes of the reader's in this session. */
	/* IPsec packets of anybody's that the author's kernel did not take, for
	 * want of the SA, for their content, by its policies, for something
	 * else; all 0 unless 'counted'. */
	bool counted;
	uint64_t no_sa, not_authentic, policy, other;
	/* The SAs, in the order of the check. */
	struct {
		bool exists;
		uint64_t packets;
	} sas[MSG_MAX_SPIS];
	size_t n_sas;
};

/* Owns the arrays inside. */
struct message {
	enum msg_type type;
	union {
		struct msg_ping ping; /* MSG_PING, MSG_PONG. */
		struct msg_close close;
		struct msg_record record;
		struct msg_update update;
		struct msg_peers peers;
		struct statement statement;
		struct msg_summary summary;
		struct msg_held held; /* MSG_HAVE, MSG_WANT. */
		struct msg_links links;
		struct msg_sa_offer sa_offer;
		struct msg_sa_active sa_active;
		struct msg_sa_delete sa_delete;
		struct msg_rekey rekey; /* Not for MSG_REKEY_ASK. */
		struct msg_rehandshake rehandshake;
		struct msg_plain plain;
		struct msg_sleeve sleeve;
		struct msg_probe_ack probe_ack;
		struct msg_path path; /* MSG_PATH_ASK, MSG_PATH_REPORT. */
		struct msg_path_state path_state;
		struct msg_path_check path_check;
		struct msg_path_checked path_checked;
	};
};

/* Appends the wire form of 'm' to 'out'.  The arrays are only read, so a
 * message made for sending may borrow them (and is then not freed).  ERR_LIMIT
 * if 'm' is not within the bounds above, ERR_OVERSIZED if 'out' is full, then
 * with nothing appended. */
enum err message_encode(const struct message *m,
			struct wbuf *out) FDP_MUST_CHECK;

/* Reads the next message off the front of 'in', skipping unknown optional ones;
 * '*found' is false when none is left, else '*m' must be freed with
 * message_free().  ERR_TRUNCATED, ERR_MALFORMED, ERR_RANGE, ERR_LIMIT (more
 * elements than the bounds), ERR_UNKNOWN_CRITICAL: the session must end. */
enum err message_decode(struct span *in, struct message *m,
			bool *found) FDP_MUST_CHECK;

void message_free(struct message *);

/* The slug of the table, or "unknown". */
const char *message_name(enum msg_type);

#endif
