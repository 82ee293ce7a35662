/* Which way frames take to a peer: through the kernel's datapath in ESP
 * ("fastdp"), or sealed in UDP by this process ("sleeve").
 *
 * Each host chooses for what it sends.  fastdp is taken as long as it gets
 * there; the sleeve as soon as fastdp does not, if the sleeve does: both are
 * probed all the time (mesh/path.h).  The way back is taken when fastdp has
 * been good for a while, a longer one if it fails again and again soon.  A
 * fastdp that is too narrow is left as well, but not as long as there is
 * nothing better.
 */
#ifndef FDP_MESH_OVERLAY_H
#define FDP_MESH_OVERLAY_H 1

#include <stdbool.h>
#include <stdint.h>

#include "base/reason.h"

/* What an operator wants. */
enum overlay_setting {
	OVERLAY_AUTO,	/* fastdp where it works, else sleeve. */
	OVERLAY_FASTDP, /* Nothing else. */
	OVERLAY_SLEEVE,
	N_OVERLAY_SETTINGS
};

/* "auto", "fastdp", "sleeve". */
const char *overlay_setting_name(enum overlay_setting);
/* False if there is none of that name. */
bool overlay_setting_parse(const char *name, enum overlay_setting *);

enum {
	/* fastdp has to be good for so long before it is taken again... */
	OVERLAY_HOLD_US = 2 * 1000 * 1000,
	/* ...twice as long each time but the first that it failed within... */
	OVERLAY_FLAP_US = 60 * 1000 * 1000,
	/* ...up to this. */
	OVERLAY_HOLD_MAX_US = 60 * 1000 * 1000
};

/* What is known of one way. */
struct overlay_way {
	bool can;	    /* Both hosts have it. */
	bool up;	    /* There are keys. */
	bool dead;	    /* What is sent does not get there. */
	bool proved;	    /* Something did, in this session. */
	bool doubtful;	    /* Something is lost, it may be about to be dead. */
	bool pending;	    /* It is being made: worth to wait for. */
	bool narrow;	    /* It takes less than it has to. */
	enum reason reason; /* Why it is not in order. */
};

struct overlay {
	bool sleeve;	    /* The way in use... */
	enum reason reason; /* ...why it is not fastdp... */
	uint64_t since_us;  /* ...and since when. */
	uint64_t good_us;   /* fastdp is good since then; 0: it is not. */
	uint64_t hold_us;   /* For so long it has to be. */
	uint64_t back_us;   /* When it was taken again; 0: never. */
	bool flapped;	    /* It failed soon after that. */
};

/* True if it is another way than before; the struct begins all zeros. */
bool overlay_choose(struct overlay *, const struct overlay_way *fast,
		    const struct overlay_way *sleeve, uint64_t now_us);
/* The run before has left it with the sleeve, for that reason. */
void overlay_begin(struct overlay *, enum reason, uint64_t now_us);
/* How often fastdp has failed is held against it no more. */
void overlay_forgive(struct overlay *);
/* Is fastdp about to be taken again, if nothing happens to it until then?  It
 * is worth a closer look. */
bool overlay_returns(const struct overlay *, uint64_t now_us);
/* When to ask again, even if nothing changes; UINT64_MAX: no need. */
uint64_t overlay_due_us(const struct overlay *);

#endif
