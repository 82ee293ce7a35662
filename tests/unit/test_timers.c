#include "base/timers.h"

#include <string.h>

#include "vectors.h"

enum {
	N = 200,
	TURNS = 20000
};

static struct timers timers;

static void setup(void)
{
	timers_init(&timers);
}

static void teardown(void)
{
	timers_done(&timers);
}

START_TEST(none_is_on_nothing_is_due)
{
	struct timer t = {{0, 0}};

	ck_assert_uint_eq(timers_next_us(&timers), UINT64_MAX);
	ck_assert_ptr_null(timers_take(&timers, UINT64_MAX - 1));
	timer_off(&timers, &t);
	timer_by(&timers, &t, UINT64_MAX);
	ck_assert_uint_eq(timers_next_us(&timers), UINT64_MAX);
}
END_TEST

START_TEST(due_is_taken_once_not_before)
{
	struct timer t = {{0, 0}};

	timer_by(&timers, &t, 10);
	ck_assert_ptr_null(timers_take(&timers, 9));
	ck_assert_ptr_eq(timers_take(&timers, 10), &t);
	ck_assert_ptr_null(timers_take(&timers, 10));
	timer_by(&timers, &t, 20);
	ck_assert_ptr_eq(timers_take(&timers, 30), &t);
}
END_TEST

START_TEST(set_again_the_earlier_time_holds)
{
	struct timer t = {{0, 0}};

	timer_by(&timers, &t, 10);
	timer_by(&timers, &t, 20);
	ck_assert_uint_eq(timers_next_us(&timers), 10);
	timer_by(&timers, &t, 5);
	ck_assert_uint_eq(timers_next_us(&timers), 5);
	timer_off(&timers, &t);
	timer_by(&timers, &t, 0);
	ck_assert_uint_eq(timers_next_us(&timers), 0);
	timer_off(&timers, &t);
	ck_assert_uint_eq(timers_next_us(&timers), UINT64_MAX);
}
END_TEST

static uint64_t draw(uint64_t bound)
{
	static uint64_t state = 1;

	state = state * UINT64_C(6364136223846793005) + 1;
	return (state >> 33) % bound;
}

/* Beside a list that is looked through. */
START_TEST(many_at_random_the_least_is_first)
{
	static struct timer t[N];
	static uint64_t when[N]; /* UINT64_MAX: off. */

	memset(t, 0, sizeof t);
	memset(when, 0xff, sizeof when);
	for (int turn = 0; turn < TURNS; turn++) {
		const size_t i = draw(N);
		const uint64_t at = draw(1000);
		uint64_t least = UINT64_MAX;

		switch (draw(4)) {
		case 0:
			timer_off(&timers, &t[i]);
			when[i] = UINT64_MAX;
			break;
		case 1: {
			struct timer *due = timers_take(&timers, at);

			if (due) {
				ck_assert_uint_le(when[due - t], at);
				when[due - t] = UINT64_MAX;
			}
			break;
		}
		default:
			timer_by(&timers, &t[i], at);
			when[i] = at < when[i] ? at : when[i];
			break;
		}
		for (size_t k = 0; k < N; k++) {
			least = when[k] < least ? when[k] : least;
		}
		ck_assert_uint_eq(timers_next_us(&timers), least);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("timers");
	TCase *tc = tcase_create("timers");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, none_is_on_nothing_is_due);
	tcase_add_test(tc, due_is_taken_once_not_before);
	tcase_add_test(tc, set_again_the_earlier_time_holds);
	tcase_add_test(tc, many_at_random_the_least_is_first);
	suite_add_tcase(s, tc);
	return vectors_main(s);
}
