#include "kmod-glue/seq_block.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

enum {
	THREADS = 4,
	BLOCKS = 2000,
	NUMBERS = THREADS * BLOCKS * SEQ_BLOCK
};

START_TEST(blocks_follow_one_another)
{
	struct seq_source source;
	uint64_t from, end;

	seq_source_init(&source, 1, UINT64_MAX);
	ck_assert_uint_eq(seq_source_next(&source), 1);
	for (uint64_t i = 0; i < 3; i++) {
		ck_assert(seq_block_take(&source, &from, &end));
		ck_assert_uint_eq(from, 1 + i * SEQ_BLOCK);
		ck_assert_uint_eq(end, from + SEQ_BLOCK);
	}
	ck_assert_uint_eq(seq_source_next(&source), end);
}
END_TEST

START_TEST(numbers_end_at_limit)
{
	struct seq_source source;
	uint64_t from, end;

	seq_source_init(&source, 0, SEQ_BLOCK + 3);
	ck_assert(seq_block_take(&source, &from, &end));
	ck_assert(seq_block_take(&source, &from, &end));
	ck_assert_uint_eq(from, SEQ_BLOCK);
	ck_assert_uint_eq(end, SEQ_BLOCK + 3);
	from = end = 77;
	ck_assert(!seq_block_take(&source, &from, &end));
	ck_assert_uint_eq(from, 77);
	ck_assert_uint_eq(end, 77);
}
END_TEST

START_TEST(block_is_stale_behind_half_a_window)
{
	const uint64_t window = 8 * SEQ_BLOCK;
	struct seq_source source;
	uint64_t mine, end, from;

	seq_source_init(&source, 0, UINT64_MAX);
	ck_assert(seq_block_take(&source, &mine, &end));
	/* Up to here it is half a window that others have gone on. */
	for (int i = 1; i < 4; i++) {
		ck_assert(seq_block_take(&source, &from, &end));
		ck_assert(!seq_block_is_stale(&source, mine, window));
	}
	ck_assert(!seq_block_is_stale(&source, mine, window));
	ck_assert(seq_block_take(&source, &from, &end));
	ck_assert(seq_block_is_stale(&source, mine, window));
	/* The rest of it is not as old. */
	ck_assert(!seq_block_is_stale(&source, mine + SEQ_BLOCK, window));
}
END_TEST

struct taker {
	struct seq_source *source;
	uint8_t *taken; /* Of each number, how often. */
};

static void *take_all(void *taker_)
{
	const struct taker *taker = taker_;
	uint64_t from, end;

	while (seq_block_take(taker->source, &from, &end)) {
		for (uint64_t seq = from; seq < end; seq++) {
			taker->taken[seq]++;
		}
	}
	return NULL;
}

START_TEST(no_number_serves_two_threads)
{
	struct seq_source source;
	struct taker taker = {&source, calloc(NUMBERS, 1)};
	pthread_t threads[THREADS];

	ck_assert_ptr_nonnull(taker.taken);
	seq_source_init(&source, 0, NUMBERS);
	for (int i = 0; i < THREADS; i++) {
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, take_all, &taker), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	}
	for (int i = 0; i < NUMBERS; i++) {
		if (taker.taken[i] != 1) {
			ck_abort_msg("%d was taken %u times", i,
				     taker.taken[i]);
		}
	}
	free(taker.taken);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seq_block");
	TCase *tc = tcase_create("seq_block");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, blocks_follow_one_another);
	tcase_add_test(tc, numbers_end_at_limit);
	tcase_add_test(tc, block_is_stale_behind_half_a_window);
	tcase_add_test(tc, no_number_serves_two_threads);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
