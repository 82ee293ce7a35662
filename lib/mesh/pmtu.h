/* The largest packet that gets to one peer, found by probes.
 *
 * A pure state machine for one direction, in the spirit of RFC 8899.  Whoever
 * owns it (engine/mtu.c) sends probes of the sizes that pmtu_plan() names and
 * hands in what became of each.  No message of a router is needed, and none is
 * believed: what got through got through.
 *
 * The size in use is the limit (what our own interface allows) until a probe
 * says otherwise, so a mesh that comes up does not go through small sizes.  A
 * probe of that size goes out every second while there is traffic.  If it is
 * lost, a volley follows: two probes of each of four sizes, from the present
 * one down to PMTU_MIN.  What got through, and what was lost twice, bound the
 * next volley between them, until there is nothing between.  So a size is given
 * up after three losses, and only when a smaller one got through meanwhile: a
 * dead way is no small one.
 *
 * Growth is looked for every two seconds while there is traffic and the size is
 * below the limit, by one probe of the next larger size, which any growth lets
 * through, and one of the limit.  Without traffic both are done every half
 * minute, and at once when traffic begins.
 *
 * Sizes are inner ones, as packet/probe.h counts them.  They go in steps of
 * four bytes down from the limit, as ESP's padding does.
 */
#ifndef FDP_MESH_PMTU_H
#define FDP_MESH_PMTU_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PMTU_MIN = 480, /* Fits into the 576 bytes of RFC 791. */
	PMTU_STEP = 4,
	PMTU_SIZES = 4,	 /* In one volley... */
	PMTU_COPIES = 2, /* ...and probes of each. */
	PMTU_VOLLEY = PMTU_SIZES * PMTU_COPIES,

	PMTU_CONFIRM_US = 1000 * 1000,
	PMTU_GROW_US = 2 * 1000 * 1000,
	PMTU_IDLE_US = 30 * 1000 * 1000,
	PMTU_TRAFFIC_KEPT_US = 10 * 1000 * 1000, /* Idle after so long. */
	PMTU_VOID_US = 5 * 1000 * 1000		 /* For want of results. */
};

struct pmtu_try {
	uint16_t size;
	uint8_t n_open; /* Probes on their way. */
	bool acked;
};

struct pmtu {
	uint16_t limit; /* 0: there is nothing to find out. */
	uint16_t size;	/* In use; at most the limit. */
	bool confirmed; /* A probe of it got through. */

	/* A search: 'low' gets through (0: nothing is known to), 'high' does
	 * not. */
	bool searching;
	uint16_t low, high;

	struct pmtu_try tries[PMTU_SIZES];
	unsigned int n_tries; /* 0: nothing is on its way. */
	uint64_t sent_us;

	uint64_t confirm_us, grow_us; /* When due, unless searching... */
	uint64_t search_us;	      /* ...and if so. */
	uint64_t traffic_us;	      /* The last sign of it; 0 = none. */
};

/* A session begins: whatever was on its way is void, the size is confirmed
 * soon.  For the first time the struct is all zeros. */
void pmtu_begin(struct pmtu *, uint64_t now_us);
/* What the interface to the peer allows is now 'limit'. */
void pmtu_limit(struct pmtu *, uint16_t limit, uint64_t now_us);
void pmtu_traffic(struct pmtu *, uint64_t now_us);
/* Something speaks against the present size. */
void pmtu_doubt(struct pmtu *, uint64_t now_us);
/* And so much that it is not confirmed until a probe gets through again; what
 * is on its way is void. */
void pmtu_again(struct pmtu *, uint64_t now_us);

/* When pmtu_plan() will have something to do; UINT64_MAX: not before some
 * other call. */
uint64_t pmtu_due_us(const struct pmtu *);
/* The sizes of the probes to send now; returns how many.  'stretch' (1 or more)
 * makes the usual ones rarer, where there are many peers. */
size_t pmtu_plan(struct pmtu *, unsigned int stretch, uint64_t now_us,
		 uint16_t sizes[PMTU_VOLLEY]);
/* One of them got through, or did not.  True if the size is another now, or is
 * confirmed and was not. */
bool pmtu_result(struct pmtu *, uint16_t size, bool acked, uint64_t now_us);

#endif
