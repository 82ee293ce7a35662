/* The whole daemon as one pure state machine.
 *
 * engine_step(engine, event, now, rng) -> ops.  It makes no system call, reads
 * no clock and draws no randomness of its own: a thousand engines run in one
 * test process on a virtual clock, and the same seed gives the same run.  The
 * caller executes the ops in order (kmod-glue/exec.h, or a simulated kernel)
 * and feeds what happens back as events.
 */
#ifndef FDP_ENGINE_ENGINE_H
#define FDP_ENGINE_ENGINE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/rng.h"
#include "engine/event.h"
#include "engine/op.h"
#include "mesh/overlay.h"
#include "session/handshake.h"
#include "session/message.h"

enum {
	ENGINE_MAX_TARGETS = 4096,
	ENGINE_MAX_TRUSTED = 64,
	ENGINE_NAME_SIZE = 64
};

struct engine_config {
	char name[ENGINE_NAME_SIZE]; /* For people; need not be unique. */
	struct peer_id id;
	uint64_t incarnation; /* Grows with every start: wall clock in us. */
	const char *version;  /* Borrowed for ever. */
	/* Stretched passwords, primary first; none: no encryption... */
	struct hs_slot slots[2];
	size_t n_slots;
	bool encrypt; /* ...unless EVENT_PASSWORDS will bring them. */
	unsigned int sas_per_peer; /* 1 to LANES_MAX; 0 is 1. */
	enum overlay_setting overlay;
	bool no_aes_gcm;     /* In the sleeve, even where it is fast. */
	uint16_t port;	     /* TCP control port. */
	uint16_t vxlan_port; /* UDP; the control port plus one. */
	char datapath[16];
	const struct ip_endpoint *targets; /* Peers to dial; copied. */
	size_t n_targets;
	bool discover;	    /* Dial hosts that others know. */
	size_t conn_limit;  /* With so many sessions no more; 0 = no limit. */
	size_t flows_ahead; /* At most so many are made before packets. */
	/* Where others shall dial this host; none: where they see it. */
	struct ip_endpoint advertised[MSG_MAX_ADVERTISED];
	size_t n_advertised;
	/* Hosts with which it may be plain, if they say so too. */
	struct ip_prefix trusted[ENGINE_MAX_TRUSTED];
	size_t n_trusted;
	const char *state;	/* Content of the state file or NULL; copied. */
	const char *remembered; /* As OP_REMEMBER was given it; likewise. */
	struct secret key;	/* The seed of the identity key. */
	bool has_key;
	/* It is not on disk yet, and not used before the first save that
	 * succeeds: peers would not know us after a restart. */
	bool key_unsaved;
	/* Why id, key and state are not all on disk, and what became of a
	 * state file that was damaged; NULL if there is nothing to tell.
	 * Copied. */
	const char *state_error, *state_damaged;
};

/* Is this the content of a state file?  If not, one line in 'why'. */
bool engine_state_is_valid(const char *state, char *why, size_t size);

struct engine;

struct engine *engine_new(const struct engine_config *);
void engine_free(struct engine *);

/* 'now_us' is CLOCK_BOOTTIME in microseconds and never goes back. */
void engine_step(struct engine *, const struct event *, uint64_t now_us,
		 const struct rng *, struct ops *);

/* When EVENT_TIMER is wanted next, in the time of 'now_us'; UINT64_MAX =
 * never. */
uint64_t engine_deadline(const struct engine *);

/* Has the start completed (ports are there, commands are answered)? */
bool engine_is_running(const struct engine *);

#endif
