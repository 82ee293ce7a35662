/* What a node says about itself inside the handshake, and its wire form.
 *
 * On the wire an identity is a list of TLVs (session/tlv.h): a reader skips
 * optional types that it does not know and refuses critical ones.  An identity
 * is only as true as the handshake around it: with a password it is the word of
 * somebody who knows the password.  If it carries an identity key it is signed
 * with that as well, for this one handshake: whoever said it holds the key.
 * Whose key it ought to be is not this module's affair (engine/pin.c).
 */
#ifndef FDP_SESSION_IDENTITY_H
#define FDP_SESSION_IDENTITY_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/span.h"
#include "crypto/sign.h"

enum {
	IDENTITY_NAME_SIZE = 64, /* With the terminating zero. */
	/* Encoded; with it M4 and M5 fit into a handshake frame. */
	IDENTITY_MAX_BYTES = 448,
	IDENTITY_HASH_BYTES = 32
};

/* Bits of 'capabilities'.  Unknown bits mean nothing and are kept. */
enum {
	CAPABILITY_FASTDP = 1 << 0, /* VXLAN through the kernel datapath. */
	CAPABILITY_SLEEVE = 1 << 1, /* Frames in UDP, sealed in user space. */
	CAPABILITY_ESP = 1 << 2,    /* The kernel has ESP with AES-GCM. */
	CAPABILITY_PROBE = 1 << 3,  /* Acknowledges probes. */
	/* It would rather seal these by AES-256-GCM. */
	CAPABILITY_SLEEVE_AES = 1 << 4,
	CAPABILITY_HAVE = 1 << 5, /* HAVE, WANT; links in few chunks. */
	/* Its containers take what gets to it, even if it knows of smaller
	 * ways. */
	CAPABILITY_MTUS = 1 << 6,
	CAPABILITY_LINKS = 1 << 7, /* LINKS. */
	CAPABILITY_NAMED = 1 << 8  /* LINKS after those named; WANT in short. */
};

struct identity {
	char name[IDENTITY_NAME_SIZE]; /* identity_name_is_valid(). */
	struct peer_id id;	       /* Not zero. */
	uint64_t incarnation;	       /* Grows with every start of 'id'. */
	uint32_t capabilities;	       /* CAPABILITY_*. */
	uint16_t vxlan_port;	       /* UDP port, host order; 0: no fastdp. */
	uint16_t mtu;		       /* Underlay MTU in bytes; 0: unknown. */
	bool has_key;		       /* Else it is not signed. */
	struct sign_key key;
};

/* What a signature binds an identity to, besides its key: one handshake, and
 * one side of it. */
struct identity_context {
	bool initiator;	     /* Whose identity it is. */
	const uint8_t *hash; /* IDENTITY_HASH_BYTES: the transcript. */
};

/* 1 to 63 letters, digits and "-_.:@", so that a name needs no quoting
 * anywhere. */
bool identity_name_is_valid(const char *name);

/* A name for whom others call 'text', which is not empty: each byte that is not
 * allowed becomes a dash, what is too long is cut. */
void identity_name_from(const char *text, char name[IDENTITY_NAME_SIZE]);

/* Reads a name from outside.  ERR_OVERSIZED, ERR_MALFORMED. */
enum err identity_name_decode(struct span value,
			      char name[IDENTITY_NAME_SIZE]) FDP_MUST_CHECK;

/* Appends the wire form without key and signature.  'self' must be valid. */
void identity_encode(const struct identity *self, struct wbuf *out);

/* Appends the key and its signature to 'out', which holds an identity and
 * nothing else. */
void identity_sign(const struct sign_pair *, const struct identity_context *,
		   struct wbuf *out);

/* Reads the wire form of a whole identity, and says whether it has a key, but
 * not whether its signature is good.  ERR_TRUNCATED, ERR_OVERSIZED,
 * ERR_MALFORMED (field missing, twice, or of the wrong form; key without
 * signature, or something behind that), ERR_UNKNOWN_CRITICAL. */
enum err identity_decode(struct span bytes, struct identity *) FDP_MUST_CHECK;

/* Is the signature of an identity good that has a key?  'bytes' is what 'id'
 * was decoded from.  ERR_AUTH if not. */
enum err identity_verify(struct span bytes, const struct identity *id,
			 const struct identity_context *) FDP_MUST_CHECK;

#endif
