#include "base/timers.h"

#include <stddef.h>

#include "util.h"

/* The heap has its greatest priority on top. */
static uint64_t priority_of(uint64_t when_us)
{
	return UINT64_MAX - when_us;
}

void timers_init(struct timers *t)
{
	heap_init(&t->heap);
}

void timers_done(struct timers *t)
{
	heap_destroy(&t->heap);
}

void timer_by(struct timers *t, struct timer *timer, uint64_t when_us)
{
	const uint64_t priority = priority_of(when_us);

	if (when_us == UINT64_MAX) {
		return;
	}
	if (!timer->node.idx) {
		heap_insert(&t->heap, &timer->node, priority);
	} else if (priority > timer->node.priority) {
		heap_change(&t->heap, &timer->node, priority);
	}
}

void timer_off(struct timers *t, struct timer *timer)
{
	if (timer->node.idx) {
		heap_remove(&t->heap, &timer->node);
		timer->node.idx = 0;
	}
}

struct timer *timers_take(struct timers *t, uint64_t now_us)
{
	struct timer *timer;

	if (timers_next_us(t) > now_us) {
		return NULL;
	}
	timer = CONTAINER_OF(heap_max(&t->heap), struct timer, node);
	timer_off(t, timer);
	return timer;
}

uint64_t timers_next_us(const struct timers *t)
{
	return heap_is_empty(&t->heap)
		       ? UINT64_MAX
		       : UINT64_MAX - heap_max(&t->heap)->priority;
}
