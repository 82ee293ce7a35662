#include "mesh/pmtu.h"

#include <string.h>

#include "util.h"

void pmtu_begin(struct pmtu *p, uint64_t now_us)
{
	p->n_tries = 0;
	p->searching = false;
	p->confirm_us = p->grow_us = now_us;
}

void pmtu_limit(struct pmtu *p, uint16_t limit, uint64_t now_us)
{
	const bool had_none = !p->limit;

	if (limit == p->limit) {
		return;
	}
	p->limit = limit;
	/* What is on its way was chosen for another limit. */
	p->n_tries = 0;
	p->searching = false;
	if (!had_none) {
		p->confirm_us = p->grow_us = now_us;
	}
	if (had_none || p->size > limit) {
		p->confirmed &= p->size > limit;
		p->size = limit;
	}
}

static bool has_traffic(const struct pmtu *p, uint64_t now_us)
{
	return p->traffic_us && now_us - p->traffic_us < PMTU_TRAFFIC_KEPT_US;
}

void pmtu_traffic(struct pmtu *p, uint64_t now_us)
{
	if (!has_traffic(p, now_us)) {
		p->confirm_us = p->grow_us = now_us;
	}
	p->traffic_us = now_us;
}

void pmtu_doubt(struct pmtu *p, uint64_t now_us)
{
	p->confirm_us = MIN(p->confirm_us, now_us);
}

void pmtu_again(struct pmtu *p, uint64_t now_us)
{
	pmtu_begin(p, now_us);
	p->confirmed = false;
}

static bool may_grow(const struct pmtu *p)
{
	return p->size < p->limit;
}

uint64_t pmtu_due_us(const struct pmtu *p)
{
	if (!p->limit) {
		return UINT64_MAX;
	}
	if (p->n_tries) {
		return p->sent_us + PMTU_VOID_US;
	}
	if (p->searching) {
		return p->search_us;
	}
	return may_grow(p) ? MIN(p->confirm_us, p->grow_us) : p->confirm_us;
}

/* ---- Probes ---- */

static void try(struct pmtu *p, uint16_t size, unsigned int n_copies)
{
	if (p->n_tries && p->tries[p->n_tries - 1].size == size) {
		return;
	}
	p->tries[p->n_tries++] =
		(struct pmtu_try){.size = size, .n_open = (uint8_t)n_copies};
}

/* To the next size that is in steps from the limit, downwards. */
static uint16_t in_steps(const struct pmtu *p, uint16_t size)
{
	unsigned int below = p->limit - size;

	return (uint16_t)(p->limit - ROUND_UP(below, PMTU_STEP));
}

/* The next larger one; at most the limit. */
static uint16_t next_step(const struct pmtu *p)
{
	unsigned int below = p->limit - p->size - 1u;

	return (uint16_t)(p->limit - ROUND_DOWN(below, PMTU_STEP));
}

static uint16_t least(const struct pmtu *p)
{
	return MIN(p->limit, (uint16_t)PMTU_MIN);
}

/* Nothing is known to get through: from the least size to below 'high'. */
static void try_all(struct pmtu *p)
{
	uint16_t bottom = least(p);
	uint16_t top = MAX(bottom, (uint16_t)(p->high - PMTU_STEP));

	for (unsigned int i = 0; i < PMTU_SIZES; i++) {
		unsigned int size =
			bottom + (top - bottom) * i / (PMTU_SIZES - 1);

		try(p, i ? in_steps(p, (uint16_t)size) : bottom, PMTU_COPIES);
	}
}

static unsigned int n_between(const struct pmtu *p)
{
	return p->high > p->low + PMTU_STEP
		       ? (unsigned int)(p->high - p->low - 1) / PMTU_STEP
		       : 0;
}

/* Evenly between what gets through and what does not. */
static void try_between(struct pmtu *p)
{
	unsigned int n = n_between(p);
	unsigned int n_sizes = MIN(n, (unsigned int)PMTU_SIZES);

	for (unsigned int i = n_sizes; i > 0; i--) {
		unsigned int steps = (n + 1) * i / (n_sizes + 1);

		try(p, (uint16_t)(p->high - PMTU_STEP * steps), PMTU_COPIES);
	}
}

static uint64_t after(const struct pmtu *p, uint64_t us, unsigned int stretch,
		      uint64_t now_us)
{
	if (!has_traffic(p, now_us)) {
		us = PMTU_IDLE_US;
	}
	return now_us + MIN(us * stretch, (uint64_t)PMTU_IDLE_US);
}

static void try_usual(struct pmtu *p, unsigned int stretch, uint64_t now_us)
{
	if (now_us >= p->confirm_us) {
		try(p, p->size, 1);
		p->confirm_us = after(p, PMTU_CONFIRM_US, stretch, now_us);
	}
	if (may_grow(p) && now_us >= p->grow_us) {
		try(p, next_step(p), 1);
		try(p, p->limit, 1);
		p->grow_us = after(p, PMTU_GROW_US, stretch, now_us);
	}
}

size_t pmtu_plan(struct pmtu *p, unsigned int stretch, uint64_t now_us,
		 uint16_t sizes[PMTU_VOLLEY])
{
	size_t n = 0;

	if (now_us < pmtu_due_us(p)) {
		return 0;
	}
	p->n_tries = 0;
	if (!p->searching) {
		try_usual(p, stretch, now_us);
	} else if (!p->low) {
		try_all(p);
	} else {
		try_between(p);
	}
	p->sent_us = now_us;
	for (unsigned int i = 0; i < PMTU_COPIES; i++) {
		for (unsigned int j = 0; j < p->n_tries; j++) {
			if (i < p->tries[j].n_open) {
				sizes[n++] = p->tries[j].size;
			}
		}
	}
	return n;
}

/* ---- Results ---- */

/* Was 'size' tried, and lost? */
static bool was_lost(const struct pmtu *p, uint16_t size)
{
	for (unsigned int i = 0; i < p->n_tries; i++) {
		if (p->tries[i].size == size) {
			return !p->tries[i].acked;
		}
	}
	return false;
}

static void search(struct pmtu *p, uint16_t low, uint16_t high, uint64_t now_us)
{
	p->searching = true;
	p->low = low;
	p->high = high;
	p->search_us = now_us;
}

static bool use(struct pmtu *p, uint16_t size)
{
	const bool news = size != p->size || !p->confirmed;

	p->size = size;
	p->confirmed = true;
	return news;
}

/* The largest that got through; 0: none did. */
static uint16_t largest(const struct pmtu *p)
{
	uint16_t size = 0;

	for (unsigned int i = 0; i < p->n_tries; i++) {
		if (p->tries[i].acked) {
			size = MAX(size, p->tries[i].size);
		}
	}
	return size;
}

static bool conclude_usual(struct pmtu *p, uint64_t now_us)
{
	const uint16_t best = largest(p);

	if (best > p->size && best < p->limit) {
		search(p, best, (uint16_t)(p->limit + PMTU_STEP), now_us);
	} else if (best > p->size) {
		return use(p, best);
	} else if (was_lost(p, p->size)) {
		search(p, 0, (uint16_t)(p->size + PMTU_STEP), now_us);
	} else if (best) {
		return use(p, best);
	}
	return false;
}

static bool conclude_search(struct pmtu *p, uint64_t now_us)
{
	const uint16_t best = largest(p);

	if (!best && !p->low) {
		/* Nothing gets there, of whatever size. */
		p->searching = false;
		return false;
	}
	p->low = MAX(p->low, best);
	for (unsigned int i = 0; i < p->n_tries; i++) {
		const struct pmtu_try *t = &p->tries[i];

		if (!t->acked && t->size > p->low) {
			p->high = MIN(p->high, t->size);
		}
	}
	if (n_between(p)) {
		p->search_us = now_us;
		return false;
	}
	p->searching = false;
	return use(p, p->low);
}

bool pmtu_result(struct pmtu *p, uint16_t size, bool acked, uint64_t now_us)
{
	unsigned int n_open = 0;
	bool known = false, news;

	for (unsigned int i = 0; i < p->n_tries; i++) {
		struct pmtu_try *t = &p->tries[i];

		if (!known && t->size == size && t->n_open) {
			known = true;
			t->n_open--;
			t->acked |= acked;
		}
		n_open += t->n_open;
	}
	if (!known || n_open) {
		return false;
	}
	news = p->searching ? conclude_search(p, now_us)
			    : conclude_usual(p, now_us);
	p->n_tries = 0;
	return news;
}
