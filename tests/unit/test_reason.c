#include "base/reason.h"

#include "vectors.h"

START_TEST(every_reason_has_slug_and_text_of_its_own)
{
	for (unsigned int i = 1; i < N_REASONS; i++) {
		const char *slug = reason_slug((enum reason)i);

		ck_assert_uint_eq(strspn(slug, "abcdefghijklmnopqrstuvwxyz-"),
				  strlen(slug));
		ck_assert_str_ne(slug, "");
		ck_assert_str_ne(reason_text((enum reason)i), "");
		ck_assert_ptr_nonnull(reason_remedy((enum reason)i));
		ck_assert_int_eq(reason_find(slug), (int)i);
		for (unsigned int j = 1; j < i; j++) {
			ck_assert_str_ne(slug, reason_slug((enum reason)j));
			ck_assert_str_ne(reason_text((enum reason)i),
					 reason_text((enum reason)j));
		}
	}
}
END_TEST

START_TEST(none_is_empty_and_unknown_is_harmless)
{
	ck_assert_str_eq(reason_slug(REASON_NONE), "");
	ck_assert_str_eq(reason_text(REASON_NONE), "");
	ck_assert_str_eq(reason_remedy(REASON_NONE), "");
	ck_assert_int_eq(reason_find(""), REASON_NONE);
	ck_assert_int_eq(reason_find("moon-phase"), REASON_NONE);
	ck_assert_str_eq(reason_slug((enum reason)N_REASONS), "?");
	ck_assert_str_eq(reason_text((enum reason)N_REASONS), "?");
	ck_assert_str_eq(reason_remedy((enum reason)N_REASONS), "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reason");
	TCase *tcase = tcase_create("reason");

	tcase_add_test(tcase, every_reason_has_slug_and_text_of_its_own);
	tcase_add_test(tcase, none_is_empty_and_unknown_is_harmless);
	suite_add_tcase(suite, tcase);
	return vectors_main(suite);
}
