/* The fdp/1 handshake: two strangers on a TCP connection become peers.
 *
 * Five frames M1 to M5, two round trips: CPace on ristretto255 with the
 * password, an X25519 exchange beside it, the second half of the stretched
 * password as salt of the key schedule, confirmation of the whole transcript by
 * both sides, the identities only after that.  The initiator proves itself
 * first: a listener gives nothing away by which a password could be tested.
 * Without a password the same machine runs the plain handshake, two frames
 * under another magic; a node with a password never does.  docs/PROTOCOL.md has
 * the wire, byte by byte.
 *
 * Pure: bytes in, bytes out, randomness injected.  The time limit is the
 * caller's (HANDSHAKE_TIMEOUT_US).  Any error is final: all secrets are wiped,
 * whatever was appended to 'tx' (at most a hint for the other side's log) may
 * still be sent, then the connection is closed.
 */
#ifndef FDP_SESSION_HANDSHAKE_H
#define FDP_SESSION_HANDSHAKE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"
#include "base/secret.h"
#include "base/span.h"
#include "session/identity.h"

/* Every limit of the handshake, and what the caller has to keep. */
enum {
	HANDSHAKE_FRAME_MAX = 512, /* Bytes of body. */
	HANDSHAKE_SLOTS_MAX = 2,   /* Accepted passwords. */
	HANDSHAKE_NONCE_BYTES = 32,
	HANDSHAKE_POINT_BYTES = 32,
	HANDSHAKE_TIMEOUT_US = 5000000, /* From connect or accept to done. */
	HANDSHAKE_HALF_OPEN_MAX = 64,	/* Accepted, not yet done: in all... */
	HANDSHAKE_HALF_OPEN_KNOWN = 16, /* ...of these for known addresses... */
	HANDSHAKE_HALF_OPEN_PREFIX = 4	/* ...and per IPv4 /32, IPv6 /64. */
};

enum hs_role {
	HS_INITIATOR = 0, /* The side that called connect(). */
	HS_RESPONDER = 1
};

/* What kdf_stretch() made of a password; never crosses the wire. */
struct hs_slot {
	struct secret prs; /* For CPace. */
	struct secret psk; /* Salt of the key schedule. */
};

struct hs_config {
	/* Accepted passwords, 0 (plain) to HANDSHAKE_SLOTS_MAX; an initiator
	 * uses slots[dial_slot] alone.  Borrowed until the end. */
	const struct hs_slot *slots;
	size_t n_slots;
	size_t dial_slot;

	const struct identity *self; /* Read by handshake_init() only. */
	/* The identity key, to sign 'self' with; NULL: none.  Never used
	 * without a password.  Borrowed until the end. */
	const struct sign_pair *key;

	/* If not empty, sent in place of 'self'; the other side's identity is
	 * then not looked into either.  For replaying transcripts.  Borrowed
	 * during handshake_init(). */
	struct span opaque_identity;

	/* Is 'nonce' one that a handshake of this node drew as initiator
	 * (handshake_nonce())?  Optional; without it a connection to ourselves
	 * is noticed one round trip later, by the id. */
	bool (*is_own_nonce)(void *aux,
			     const uint8_t nonce[HANDSHAKE_NONCE_BYTES]);
	void *aux;
};

struct hs_result {
	enum hs_role role; /* Ours. */
	bool encrypted;	   /* False: plain, 's1' is zero. */
	struct secret s1;  /* Session secret, bound to both identities. */
	/* Authenticated if 'encrypted', and if it has a key signed with it. */
	struct identity peer;
	size_t slot; /* Index into our slots: the password used. */
	uint8_t version;
};

enum hs_state {
	HS_IDLE,    /* handshake_init() was here. */
	HS_WAIT_M1, /* Responder. */
	HS_WAIT_M2, /* Initiator. */
	HS_WAIT_M3,
	HS_WAIT_M4,
	HS_WAIT_M5,
	HS_DONE,
	HS_FAILED
};

/* A frame's body as it was sent or received, kept for the transcript. */
struct hs_frame {
	uint16_t size;
	uint8_t b[HANDSHAKE_FRAME_MAX];
};

/* One CPace run, one per slot of the responder. */
struct hs_run {
	struct secret scalar;
	uint8_t share[HANDSHAKE_POINT_BYTES];	   /* Ours. */
	uint8_t peer_share[HANDSHAKE_POINT_BYTES]; /* The other side's. */
	uint8_t tag[32];			   /* T_i of this run. */
	struct secret master;
};

/* All members are private. */
struct handshake {
	enum hs_state state;
	enum hs_role role;
	const struct hs_slot *slots;
	size_t n_slots;
	size_t dial_slot;
	bool (*is_own_nonce)(void *, const uint8_t[HANDSHAKE_NONCE_BYTES]);
	void *aux;

	bool opaque; /* Identities are not looked into. */
	const struct sign_pair *key;
	struct peer_id own_id;
	uint64_t own_incarnation;
	struct hs_frame identity; /* Ours, encoded. */

	bool hinted;
	bool unread; /* handshake_nobody_reads() was here. */
	/* Both nonces, the initiator's first: CPace's session id. */
	uint8_t sid[2 * HANDSHAKE_NONCE_BYTES];
	struct secret e_secret; /* Our X25519 key. */
	uint8_t peer_e[HANDSHAKE_POINT_BYTES];
	struct hs_frame m1, m2;
	size_t n_runs;
	struct hs_run runs[HANDSHAKE_SLOTS_MAX];
	uint8_t th3[32], th4[32];
	struct secret s0;

	struct hs_result result;
};

/* Prepares one side.  'config' with n_slots == 0 is the plain mode. */
void handshake_init(struct handshake *, enum hs_role, const struct hs_config *);

/* Begins; an initiator draws its nonce and keys and appends M1 to 'tx', a
 * responder waits.  Once, before anything else. */
void handshake_start(struct handshake *, struct wbuf *tx, const struct rng *);

/* The nonce that handshake_start() of an initiator drew, for is_own_nonce(). */
const uint8_t *handshake_nonce(const struct handshake *);

/* Consumes whole frames from the front of 'rx' and appends the replies to
 * 'tx'; what is not yet a whole frame, or follows the last frame, stays in
 * 'rx'.
 *
 * Errors, all final: ERR_OVERSIZED (length above HANDSHAKE_FRAME_MAX),
 * ERR_BAD_MAGIC, ERR_PLAIN_PEER, ERR_CRYPTED_PEER, ERR_VERSION, ERR_SUITE,
 * ERR_SELF, ERR_BAD_POINT, ERR_WRONG_PASSWORD (the other side's proof does not
 * hold for any of our passwords), ERR_AUTH (the listener's proof, an identity
 * or the signature in it is forged), ERR_STATE (another frame is due),
 * ERR_TRUNCATED, ERR_MALFORMED, ERR_UNKNOWN_CRITICAL.  An initiator may also
 * get one of them from a hint of the listener (handshake_hint()): as anybody on
 * the path can forge it, it says what to log, no more. */
enum err handshake_input(struct handshake *, struct span *rx, struct wbuf *tx,
			 const struct rng *) FDP_MUST_CHECK;

/* The other side has closed: from here on M1 to M3 are still looked at, as they
 * may say what is wrong, but their answers are not worked out. */
void handshake_nobody_reads(struct handshake *);

/* Did the error that handshake_input() returned come from a hint alone?  Then
 * nothing may be concluded from it, such as never to dial again. */
bool handshake_was_hinted(const struct handshake *);

bool handshake_done(const struct handshake *);

/* Moves the result out of a handshake that is done and wipes the rest. */
void handshake_take(struct handshake *, struct hs_result *);

/* Wipes every secret.  Needed on each path that does not reach
 * handshake_take(); harmless otherwise. */
void handshake_wipe(struct handshake *);

void hs_result_wipe(struct hs_result *);

/* Appends the unauthenticated hint frame that tells the other side's log why we
 * are about to close.  Appends nothing for errors that have no hint.  The
 * handshake itself does this; the caller may for ERR_LIMIT. */
void handshake_hint(enum err, struct wbuf *tx);

#endif
