/* One list of reasons for every verdict that a person or a counter sees. */
#ifndef FDP_BASE_REASON_H
#define FDP_BASE_REASON_H 1

enum reason {
	REASON_NONE = 0,
#define X(NAME, SLUG, TEXT, REMEDY) REASON_##NAME,
#include "base/reason.def"
#undef X
	N_REASONS
};

/* A stable short word; "" for REASON_NONE. */
const char *reason_slug(enum reason reason);
/* What it is, a clause for people; "" for REASON_NONE. */
const char *reason_text(enum reason reason);
/* What an operator can do about it; "" if there is nothing to do. */
const char *reason_remedy(enum reason reason);

/* The reason of that slug; REASON_NONE if there is none. */
enum reason reason_find(const char *slug);

#endif
