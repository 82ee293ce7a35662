/* The way to one peer as probes find it: which of them got through, how long
 * it takes, and whether traffic gets through at all.
 *
 * A pure state machine for one direction, from us to the peer.  Whoever owns it
 * (engine/probe.c) sends probes through the tunnel when path_due_us() says so,
 * and hands in the acknowledgements, which come over the session.  A probe that
 * is not acknowledged for a while is not lost yet, as the session may be slow:
 * the peer is asked over the session what it has, and what it has not by the
 * time of its answer is lost.  So a slow session is never taken for a dead
 * path.
 *
 * While nothing is in doubt a probe goes out every second if there is traffic,
 * every ten if there is none; after a lost one, or the first that got through
 * a dead path, many a second.  The verdict has hysteresis: dead after
 * PATH_RECENT lost in a row and nothing less, alive again when nearly all of
 * the last PATH_RECENT got through.  Three lost of ten change neither.
 *
 * What can fail by itself has a track of its own: each lane (one SA), and
 * probes as large as the tunnel's MTU allows.
 */
#ifndef FDP_MESH_PATH_H
#define FDP_MESH_PATH_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/* Probes kept in mind; older ones are forgotten.  As many places are
	 * there as are needed: on a good way a few. */
	PATH_RING_FIRST = 4,
	PATH_RING = 64,
	PATH_RECENT = 10,	/* Results that make a verdict. */
	PATH_RECENT_GOOD = 8,	/* Of those, to be alive again. */
	PATH_WINDOW = 64,	/* Results that the loss is reckoned from. */
	PATH_LOSSY = 10,	/* Lost ones in a window: too many... */
	PATH_LOSSY_NO_MORE = 3, /* ...and few enough again. */
	PATH_MAX_LANES = 16,
	PATH_LARGE_EVERY = 4, /* One in so many is a large one. */

	PATH_TRAFFIC_US = 1000 * 1000, /* Between probes, with traffic. */
	PATH_IDLE_US = 10 * 1000 * 1000,
	PATH_DOUBT_US = 150 * 1000,
	PATH_LATE_US = 20 * 1000 * 1000, /* Nothing comes later than that. */
	PATH_TRAFFIC_KEPT_US = 10 * 1000 * 1000, /* Idle after so long. */
	PATH_PATIENCE_MIN_US = 300 * 1000,
	PATH_PATIENCE_MAX_US = 1000 * 1000
};

/* What a probe is for. */
enum path_purpose {
	PATH_WATCH, /* To see whether the way is alive. */
	PATH_SIZE,  /* To see how large packets may be (mesh/pmtu.h)... */
	PATH_TEST   /* ...or for whoever sent it: neither of them counts. */
};

/* From good to bad. */
enum path_level {
	PATH_GOOD,
	PATH_LOSES, /* Too many are lost. */
	PATH_SMALL, /* Only small packets get through. */
	PATH_LANES, /* Nothing gets through some lanes. */
	PATH_DEAD   /* Nothing gets through. */
};

struct path_probe {
	uint64_t number; /* 0: the slot is free. */
	uint64_t sent_us;
	uint16_t size; /* As packet/probe.h counts. */
	uint8_t lane;
	bool large; /* PATH_WATCH: of the tunnel's whole MTU. */
	bool waiting;
	enum path_purpose purpose;
};

/* Probes of one kind; bit 0 is the newest result, one = acknowledged. */
struct path_track {
	uint16_t recent;
	uint8_t n; /* Results in 'recent', at most PATH_RECENT. */
	bool dead;
};

struct path {
	uint64_t next;		 /* Number of the next probe. */
	struct path_probe *ring; /* By number; owned. */
	unsigned int n_ring;	 /* A power of two, or 0. */
	uint64_t due_us;
	unsigned int turn;
	uint64_t traffic_us; /* The last sign of it; 0 = none. */

	uint64_t asked;	   /* The peer is asked about those up to here... */
	uint64_t asked_us; /* ...since then; 0: it is not asked. */

	struct path_track all; /* Small ones, of whatever lane. */
	struct path_track lanes[PATH_MAX_LANES];
	struct path_track large;
	unsigned int n_lanes;
	bool lossy;

	/* The last PATH_WINDOW small ones; bit 0 is the newest. */
	uint64_t window;
	unsigned int n_window;
	/* All of PATH_WATCH. */
	uint64_t n_sent, n_acked, n_lost;
	uint64_t acked_us;	     /* The last acknowledgement; 0 = none. */
	uint32_t rtt_us, rtt_var_us; /* Smoothed (RFC 6298 2); 0 = unknown. */
};

/* Begins anew, with numbers from 'first' (not 0) on.  For the first time the
 * struct is all zeros. */
void path_init(struct path *, uint64_t first, uint64_t now_us);
/* Leaves all zeros. */
void path_done(struct path *);
/* It is known to be dead from before: some of its probes have to get through
 * until it is not. */
void path_still_dead(struct path *);
/* Traffic to or from the peer was seen. */
void path_traffic(struct path *, uint64_t now_us);

/* What to send next. */
struct path_plan {
	uint8_t lane;
	bool large;
};

/* When path_plan() or path_overdue() will have something to do. */
uint64_t path_due_us(const struct path *);
/* Is a probe due?  With 'n_lanes' (1 to PATH_MAX_LANES) in use; 'large': those
 * of the whole MTU are wanted as well. */
bool path_plan(struct path *, unsigned int n_lanes, bool large, uint64_t now_us,
	       struct path_plan *);
/* Notes a probe that is being sent; returns its number. */
uint64_t path_sent(struct path *, const struct path_plan *, uint16_t size,
		   enum path_purpose, uint64_t now_us);
/* When the next one is due; 'stretch' (1 or more) times as late as usual, where
 * there are many peers, and 'jitter' (0 to 1,000) of a fifth of it later. */
void path_schedule(struct path *, unsigned int stretch, unsigned int jitter,
		   uint64_t now_us);
/* The next one is due as soon as if there were a doubt. */
void path_hurry(struct path *, uint64_t now_us);

/* A probe is acknowledged.  False if it is not known, or was before; else what
 * it was. */
bool path_acked(struct path *, uint64_t number, uint64_t now_us,
		struct path_probe *);
/* Should the peer be asked now what it has?  The number up to which; 0 = no. */
uint64_t path_overdue(struct path *, uint64_t now_us);
/* It has answered: those that wait, up to 'upto', are lost.  Takes one of them
 * off the ring; false if there is none (left). */
bool path_lost(struct path *, uint64_t upto, uint64_t now_us,
	       struct path_probe *);
/* It has answered, and all that was lost has been taken. */
void path_answered(struct path *);

/* What was lost so far has another cause than a way that loses something. */
void path_forget_loss(struct path *);

enum path_level path_level(const struct path *);
/* One of those through which nothing gets; 0 if they are not told apart. */
unsigned int path_dead_lane(const struct path *);
/* Is something being found out, so that the verdict may change soon? */
bool path_is_in_doubt(const struct path *);
/* Lost ones of the last PATH_WINDOW, in per cent. */
unsigned int path_loss(const struct path *);

#endif
