/* New keys within a session: a fresh X25519 exchange, mixed into a chain.
 *
 * The chain starts from the session secret S1.  Each step needs the chain and
 * the new exchange, so that neither a recorded connection whose S1 leaks later
 * nor one broken exchange gives the next keys; old secrets are erased as soon
 * as a step is done.  Only the session's initiator begins a step, so steps
 * never cross; the record channel keeps them in order.  docs/PROTOCOL.md,
 * "Rekeying".
 */
#ifndef FDP_SESSION_RATCHET_H
#define FDP_SESSION_RATCHET_H 1

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"
#include "base/secret.h"
#include "session/message.h"

struct ratchet {
	struct secret chain;
	uint32_t epoch;		/* Of the keys in use; 0 at first. */
	bool pending;		/* Initiator: a request is out. */
	struct secret e_secret; /* Of that request. */
	struct msg_rekey request;
};

/* Begins with epoch 0.  's1' stays the caller's to wipe. */
void ratchet_init(struct ratchet *, const struct secret *s1);
void ratchet_wipe(struct ratchet *);

/* Initiator: draws a key and fills in the request for the next epoch. */
void ratchet_request(struct ratchet *, const struct rng *,
		     struct msg_rekey *request);

/* Responder: takes the step that 'request' asks for; fills in the response and
 * the new session secret.  ERR_SEQUENCE (not the next epoch), ERR_BAD_POINT;
 * then nothing has changed. */
enum err ratchet_respond(struct ratchet *, const struct msg_rekey *request,
			 const struct rng *, struct msg_rekey *response,
			 struct secret *s1) FDP_MUST_CHECK;

/* Initiator: takes the step with the response to its request.  Errors as
 * above, ERR_STATE if no request is out. */
enum err ratchet_finish(struct ratchet *, const struct msg_rekey *response,
			struct secret *s1) FDP_MUST_CHECK;

#endif
