/* What a node says about itself inside the handshake, and its wire form.
 *
 * On the wire an identity is a list of TLVs (session/tlv.h): a reader skips
 * optional types that it does not know and refuses critical ones, so that an
 * identity key and its signature can be added later without a new version.
 * An identity is only as true as the handshake around it: with a password it
 * is the word of somebody who knows the password.
 */
#ifndef FDP_SESSION_IDENTITY_H
#define FDP_SESSION_IDENTITY_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/span.h"

enum {
	IDENTITY_NAME_SIZE = 64, /* With the terminating zero. */
	/* Encoded; with it M4 and M5 fit into a handshake frame. */
	IDENTITY_MAX_BYTES = 448
};

/* Bits of 'capabilities'.  Unknown bits mean nothing and are kept. */
enum {
	CAPABILITY_FASTDP = 1 << 0, /* VXLAN through the kernel datapath. */
	CAPABILITY_SLEEVE = 1 << 1, /* Frames in UDP, sealed in user space. */
	CAPABILITY_ESP = 1 << 2	    /* The kernel has ESP with AES-GCM. */
};

struct identity {
	char name[IDENTITY_NAME_SIZE]; /* identity_name_is_valid(). */
	struct peer_id id;	       /* Not zero. */
	uint64_t incarnation;	       /* Grows with every start of 'id'. */
	uint32_t capabilities;	       /* CAPABILITY_*. */
	uint16_t vxlan_port;	       /* UDP port, host order; 0: no fastdp. */
	uint16_t mtu;		       /* Underlay MTU in bytes; 0: unknown. */
};

/* 1 to 63 letters, digits and "-_.:@", so that a name needs no quoting
 * anywhere. */
bool identity_name_is_valid(const char *name);

/* Reads a name from outside.  ERR_OVERSIZED, ERR_MALFORMED. */
enum err identity_name_decode(struct span value,
			      char name[IDENTITY_NAME_SIZE]) FDP_MUST_CHECK;

/* Appends the wire form.  'self' must be valid. */
void identity_encode(const struct identity *self, struct wbuf *out);

/* Reads the wire form of a whole identity.  ERR_TRUNCATED, ERR_OVERSIZED,
 * ERR_MALFORMED (field missing, twice, or of the wrong form),
 * ERR_UNKNOWN_CRITICAL. */
enum err identity_decode(struct span bytes, struct identity *) FDP_MUST_CHECK;

#endif
