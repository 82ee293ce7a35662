#include "base/bucket.h"

#include "util.h"

/* Of a token. */
#define PARTS UINT64_C(1000000)

static uint64_t full(const struct bucket *b)
{
	return b->burst * PARTS;
}

void bucket_init(struct bucket *b, uint32_t rate, uint32_t burst,
		 uint64_t now_us)
{
	*b = (struct bucket){.rate = rate, .burst = burst, .when_us = now_us};
	b->content = full(b);
}

/* In a microsecond 'rate' parts come in. */
static void fill(struct bucket *b, uint64_t now_us)
{
	uint64_t missing = full(b) - b->content;
	uint64_t elapsed_us = now_us - b->when_us;

	if (elapsed_us >= missing / b->rate + 1) {
		b->content = full(b);
	} else {
		b->content += MIN(missing, elapsed_us * b->rate);
	}
	b->when_us = now_us;
}

bool bucket_take(struct bucket *b, uint32_t n, uint64_t now_us)
{
	fill(b, now_us);
	if (b->content < n * PARTS) {
		return false;
	}
	b->content -= n * PARTS;
	return true;
}

uint32_t bucket_left(const struct bucket *b)
{
	return (uint32_t)(b->content / PARTS);
}

void bucket_give(struct bucket *b, uint32_t n)
{
	b->content = MIN(full(b), b->content + n * PARTS);
}

uint64_t bucket_ready_us(const struct bucket *b, uint32_t n)
{
	uint64_t need = n * PARTS;

	return need <= b->content ? b->when_us
				  : b->when_us + (need - b->content + b->rate -
						  1) / b->rate;
}
