/* What has happened lately with one host, for an operator who asks why: the
 * last changes, each with its time, the oldest giving way. */
#ifndef FDP_MESH_HISTORY_H
#define FDP_MESH_HISTORY_H 1

#include <stddef.h>
#include <stdint.h>

#include "base/reason.h"

enum {
	HISTORY_MAX = 10,
	HISTORY_TEXT_SIZE = 96
};

struct change {
	uint64_t when_us;
	enum reason reason; /* REASON_NONE where something became well. */
	char *text;	    /* Owned. */
};

/* All zero: empty. */
struct history {
	struct change *v; /* Owned; as many as there are. */
	size_t n;	  /* That there were ever. */
};

void history_free(struct history *);

/* What does not fit of the text is cut off. */
void history_add(struct history *, uint64_t now_us, enum reason,
		 const char *text);
/* Number 'i' from the newest (0) on; NULL if there are no more. */
const struct change *history_get(const struct history *, size_t i);

#endif
