#include "kmod-glue/seq_block.h"

#include "util.h"

void seq_source_init(struct seq_source *source, uint64_t first, uint64_t limit)
{
	atomic_init(&source->next, first);
	source->limit = limit;
}

uint64_t seq_source_next(const struct seq_source *source)
{
	uint64_t next;

	atomic_read_relaxed(&CONST_CAST(struct seq_source *, source)->next,
			    &next);
	return next;
}

bool seq_block_take(struct seq_source *source, uint64_t *from, uint64_t *end)
{
	uint64_t first = seq_source_next(source);

	do {
		if (first >= source->limit) {
			return false;
		}
	} while (!atomic_compare_exchange_weak_relaxed(
		&source->next, &first, MIN(first + SEQ_BLOCK, source->limit)));
	*from = first;
	*end = MIN(first + SEQ_BLOCK, source->limit);
	return true;
}

bool seq_block_is_stale(const struct seq_source *source, uint64_t seq,
			uint64_t window)
{
	return seq_source_next(source) - seq > window / 2;
}
