/* Who may begin a handshake: keyless, cheap limits on half-open connections,
 * so that strangers can neither exhaust us nor guess passwords at speed.
 *
 * At most HANDSHAKE_HALF_OPEN_MAX half-open connections, of which the last
 * HANDSHAKE_HALF_OPEN_KNOWN are kept for known addresses; at most
 * HANDSHAKE_HALF_OPEN_PREFIX per IPv4 address or IPv6 /64; strangers pass a
 * token bucket, which gets back what it was not for; a prefix that failed
 * waits, 1 s doubling to 60 s.  Known addresses (configured peers, and those
 * that authenticated before) are spared the bucket and the penalty.  Who is in
 * needs a round trip or two; when all places of strangers are taken, the one
 * that has had his longest gives way to the next, after ADMISSION_PATIENCE_US.
 */
#ifndef FDP_MESH_ADMISSION_H
#define FDP_MESH_ADMISSION_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/bucket.h"
#include "base/err.h"
#include "openvswitch/hmap.h"

enum {
	ADMISSION_RATE = 20,  /* Strangers a second... */
	ADMISSION_BURST = 40, /* ...and at once. */
	ADMISSION_PENALTY_MIN_US = 1000 * 1000,
	ADMISSION_PENALTY_MAX_US = 60 * 1000 * 1000,
	/* Of strangers there come no more than take all places in that time. */
	ADMISSION_PATIENCE_US = 2 * 1000 * 1000,
	ADMISSION_MAX_PREFIXES = 4096 /* Then the oldest is forgotten. */
};

struct admission {
	struct hmap prefixes; /* Of struct prefix_state. */
	size_t n_half_open;
	struct bucket strangers;
};

void admission_init(struct admission *, uint64_t now_us);
void admission_done(struct admission *);

/* May a connection from 'ip' begin?  If FDP_OK it counts as half-open until
 * admission_end().  ERR_LIMIT otherwise. */
enum err admission_begin(struct admission *, const struct ip_addr *ip,
			 bool known, uint64_t now_us) FDP_MUST_CHECK;

/* Would a stranger from 'ip' be let in if another one were not half-open any
 * more, and only then? */
bool admission_is_crowded(const struct admission *, const struct ip_addr *ip,
			  uint64_t now_us);

/* A stranger who was let in has proved to know the password: he counts no
 * more among those who may come a second.  Before admission_end(). */
void admission_proved(struct admission *);
/* The handshake of a connection that was let in is over. */
void admission_end(struct admission *, const struct ip_addr *ip, bool success,
		   uint64_t now_us);

#endif
