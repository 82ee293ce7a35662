#include "base/err.h"

#include "vectors.h"

START_TEST(every_error_has_slug_and_sentence_of_its_own)
{
	for (unsigned int i = 0; i < N_ERRS; i++) {
		const char *slug = err_slug((enum err)i);
		const char *text = err_text((enum err)i);

		ck_assert_str_ne(slug, "");
		ck_assert_str_ne(text, "");
		ck_assert_str_ne(slug, "?");
		/* A slug goes over the wire and into JSON. */
		ck_assert_uint_eq(strspn(slug, "abcdefghijklmnopqrstuvwxyz-"),
				  strlen(slug));
		ck_assert_uint_lt(strlen(slug), 32);
		ck_assert_int_ne(text[strlen(text) - 1], '.');
		for (unsigned int j = 0; j < i; j++) {
			ck_assert_str_ne(slug, err_slug((enum err)j));
			ck_assert_str_ne(text, err_text((enum err)j));
		}
	}
}
END_TEST

START_TEST(success_is_ok_and_unknown_is_harmless)
{
	ck_assert_str_eq(err_slug(FDP_OK), "ok");
	ck_assert_ptr_nonnull(err_slug((enum err)N_ERRS));
	ck_assert_ptr_nonnull(err_text((enum err)N_ERRS));
	ck_assert_ptr_nonnull(err_slug((enum err)9999));
	ck_assert_ptr_nonnull(err_text((enum err)9999));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("err");
	TCase *tcase = tcase_create("err");

	tcase_add_test(tcase, every_error_has_slug_and_sentence_of_its_own);
	tcase_add_test(tcase, success_is_ok_and_unknown_is_harmless);
	suite_add_tcase(suite, tcase);
	return vectors_main(suite);
}
