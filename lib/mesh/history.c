#include "mesh/history.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

void history_free(struct history *h)
{
	for (size_t i = 0; i < MIN(h->n, HISTORY_MAX); i++) {
		free(h->v[i].text);
	}
	free(h->v);
	h->v = NULL;
	h->n = 0;
}

void history_add(struct history *h, uint64_t now_us, enum reason reason,
		 const char *text)
{
	const size_t i = h->n++ % HISTORY_MAX;

	if (h->n <= HISTORY_MAX) {
		h->v = xrealloc(h->v, h->n * sizeof *h->v);
	} else {
		free(h->v[i].text);
	}
	h->v[i] = (struct change){
		.when_us = now_us,
		.reason = reason,
		.text = xmemdup0(text, strnlen(text, HISTORY_TEXT_SIZE - 1))};
}

const struct change *history_get(const struct history *h, size_t i)
{
	return i < MIN(h->n, HISTORY_MAX) ? &h->v[(h->n - 1 - i) % HISTORY_MAX]
					  : NULL;
}
