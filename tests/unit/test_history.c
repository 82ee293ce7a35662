#include "mesh/history.h"

#include <stdio.h>

#include "vectors.h"

START_TEST(newest_come_first_and_oldest_give_way)
{
	struct history h = {.n = 0};
	char text[16];

	ck_assert_ptr_null(history_get(&h, 0));
	for (unsigned int i = 1; i <= 3 * HISTORY_MAX; i++) {
		snprintf(text, sizeof text, "change %u", i);
		history_add(&h, i, REASON_PATH_DEAD, text);
		ck_assert_str_eq(history_get(&h, 0)->text, text);
		ck_assert_uint_eq(history_get(&h, 0)->when_us, i);
		ck_assert_int_eq(history_get(&h, 0)->reason, REASON_PATH_DEAD);
		if (i < HISTORY_MAX) {
			ck_assert_ptr_null(history_get(&h, i));
		}
	}
	ck_assert_uint_eq(history_get(&h, HISTORY_MAX - 1)->when_us,
			  2 * HISTORY_MAX + 1);
	ck_assert_ptr_null(history_get(&h, HISTORY_MAX));
	history_free(&h);
	ck_assert_ptr_null(history_get(&h, 0));
}
END_TEST

START_TEST(long_text_is_cut)
{
	struct history h = {.n = 0};
	char text[2 * HISTORY_TEXT_SIZE];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	history_add(&h, 1, REASON_NONE, text);
	ck_assert_uint_eq(strlen(history_get(&h, 0)->text),
			  HISTORY_TEXT_SIZE - 1);
	history_free(&h);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("history");
	TCase *tcase = tcase_create("history");

	tcase_add_test(tcase, newest_come_first_and_oldest_give_way);
	tcase_add_test(tcase, long_text_is_cut);
	suite_add_tcase(suite, tcase);
	return vectors_main(suite);
}
