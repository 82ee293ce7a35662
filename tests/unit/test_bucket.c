#include "base/bucket.h"

#include "vectors.h"

enum {
	RATE = 2000,
	BURST = 100
};

static struct bucket bucket;

static void setup(void)
{
	bucket_init(&bucket, RATE, BURST, 1000);
}

/* How many tokens, one by one, at that time? */
static unsigned int drain(uint64_t now_us)
{
	unsigned int n = 0;

	while (bucket_take(&bucket, 1, now_us)) {
		n++;
	}
	return n;
}

START_TEST(full_bucket_gives_burst_at_once_and_no_more)
{
	ck_assert_uint_eq(drain(1000), BURST);
	ck_assert_uint_eq(drain(1000), 0);
}
END_TEST

/* A token takes 500 us. */
static const struct {
	uint64_t after_us;
	unsigned int n;
} refills[] = {
	{0, 0},		{499, 0},	  {500, 1},
	{999, 1},	{25000, 50},	  {49999, 99},
	{50000, BURST}, {1000000, BURST}, {UINT64_MAX / 2, BURST},
};

START_TEST(empty_bucket_fills_at_its_rate)
{
	drain(1000);
	ck_assert_uint_eq(drain(1000 + refills[_i].after_us), refills[_i].n);
}
END_TEST

/* Taking often, in small pieces of time, must not lose any. */
START_TEST(parts_of_tokens_add_up)
{
	unsigned int n = 0;

	drain(1000);
	for (uint64_t t = 1000; t <= 1000 + 1000000; t += 7) {
		n += drain(t);
	}
	ck_assert_uint_ge(n, RATE - 1);
	ck_assert_uint_le(n, RATE);
}
END_TEST

START_TEST(too_few_tokens_are_not_taken)
{
	ck_assert(bucket_take(&bucket, BURST - 1, 1000));
	ck_assert(!bucket_take(&bucket, 2, 1000));
	ck_assert(bucket_take(&bucket, 1, 1000));
}
END_TEST

START_TEST(ready_is_the_first_moment)
{
	for (uint32_t n = 1; n <= BURST; n++) {
		uint64_t ready_us;

		setup();
		drain(1000);
		ready_us = bucket_ready_us(&bucket, n);
		ck_assert(!bucket_take(&bucket, n, ready_us - 1));
		ck_assert(bucket_take(&bucket, n, ready_us));
	}
	setup();
	ck_assert_uint_le(bucket_ready_us(&bucket, BURST), 1000);
}
END_TEST

START_TEST(given_back_is_there_again_up_to_the_burst)
{
	ck_assert(bucket_take(&bucket, 16, 1000));
	ck_assert_uint_eq(bucket_left(&bucket), BURST - 16);
	bucket_give(&bucket, 15);
	ck_assert_uint_eq(bucket_left(&bucket), BURST - 1);
	ck_assert_uint_eq(drain(1000), BURST - 1);
	bucket_give(&bucket, 2 * BURST);
	ck_assert_uint_eq(drain(1000), BURST);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bucket");
	TCase *tcase = tcase_create("bucket");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, full_bucket_gives_burst_at_once_and_no_more);
	tcase_add_loop_test(tcase, empty_bucket_fills_at_its_rate, 0,
			    sizeof refills / sizeof refills[0]);
	tcase_add_test(tcase, parts_of_tokens_add_up);
	tcase_add_test(tcase, too_few_tokens_are_not_taken);
	tcase_add_test(tcase, ready_is_the_first_moment);
	tcase_add_test(tcase, given_back_is_there_again_up_to_the_burst);
	suite_add_tcase(suite, tcase);
	return vectors_main(suite);
}
