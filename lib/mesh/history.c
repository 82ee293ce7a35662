#include "mesh/history.h"

#include <stdio.h>

#include "util.h"

void history_add(struct history *h, uint64_t now_us, enum reason reason,
		 const char *text)
{
	struct change *c = &h->v[h->n++ % HISTORY_MAX];

	c->when_us = now_us;
	c->reason = reason;
	snprintf(c->text, sizeof c->text, "%s", text);
}

const struct change *history_get(const struct history *h, size_t i)
{
	return i < MIN(h->n, HISTORY_MAX) ? &h->v[(h->n - 1 - i) % HISTORY_MAX]
					  : NULL;
}
