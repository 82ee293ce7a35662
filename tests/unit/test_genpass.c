#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#include "control/genpass.h"

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

static enum err check(const char *text)
{
	return genpass_check(span_of(text, strlen(text)));
}

/* Made by another implementation: tables of logarithms, and the two check
 * characters by trying all. */
static const struct {
	uint8_t first, step;
	const char *text;
} known[] = {
	{0x00, 0, "0000-0000-0000-0000-0000-0000-0000"},
	{0xff, 0, "zzzz-zzzz-zzzz-zzzz-zzzz-zzzz-zwbh"},
	{0x00, 1, "000g-40r4-0m30-e209-185g-r38e-1wec"},
	{0x01, 17, "0492-6d25-askq-h2ct-neyc-vqqf-00s8"},
};

START_TEST(known_bits_give_known_text)
{
	uint8_t bits[GENPASS_BITS_SIZE];
	char text[GENPASS_STRLEN];
	size_t i;

	for (i = 0; i < sizeof bits; i++) {
		bits[i] = (uint8_t)(known[_i].first + known[_i].step * i);
	}
	genpass_format(bits, text);
	ck_assert_str_eq(text, known[_i].text);
	ck_assert_uint_eq(strlen(text), GENPASS_SIZE);
	ck_assert_uint_eq(check(text), FDP_OK);
}
END_TEST

START_TEST(every_changed_character_is_found)
{
	size_t at, c;

	for (at = 0; at < GENPASS_SIZE; at++) {
		char text[GENPASS_STRLEN];

		ovs_strlcpy(text, known[_i].text, sizeof text);
		for (c = 0; c < 256; c++) {
			if ((char)c == known[_i].text[at]) {
				continue;
			}
			text[at] = (char)c;
			ck_assert_uint_ne(
				genpass_check(span_of(text, GENPASS_SIZE)),
				FDP_OK);
		}
	}
}
END_TEST

START_TEST(every_exchange_of_two_characters_is_found)
{
	const char *good = known[_i].text;
	size_t a, b, n = 0;

	for (a = 0; a < GENPASS_SIZE; a++) {
		for (b = a + 1; b < GENPASS_SIZE; b++) {
			char text[GENPASS_STRLEN];

			if (good[a] == good[b]) {
				continue;
			}
			ovs_strlcpy(text, good, sizeof text);
			text[a] = good[b];
			text[b] = good[a];
			ck_assert_uint_ne(check(text), FDP_OK);
			n++;
		}
	}
	ck_assert_uint_ne(n, 0);
}
END_TEST

START_TEST(every_two_wrong_characters_are_found)
{
	const char *good = known[2].text;
	size_t a, b, x, y;

	for (a = 0; a < GENPASS_SIZE; a++) {
		for (b = a + 1; b < GENPASS_SIZE; b++) {
			char text[GENPASS_STRLEN];

			if (good[a] == '-' || good[b] == '-') {
				continue;
			}
			ovs_strlcpy(text, good, sizeof text);
			for (x = 0; x < 32; x++) {
				for (y = 0; y < 32; y++) {
					text[a] = alphabet[x];
					text[b] = alphabet[y];
					if (check(text) == FDP_OK) {
						ck_assert_str_eq(text, good);
					}
				}
			}
		}
	}
}
END_TEST

START_TEST(every_bit_changes_the_text)
{
	uint8_t bits[GENPASS_BITS_SIZE] = {0};
	char text[GENPASS_STRLEN], other[GENPASS_STRLEN];
	size_t i;

	genpass_format(bits, text);
	for (i = 0; i < 128; i++) {
		bits[i / 8] ^= (uint8_t)(1 << i % 8);
		genpass_format(bits, other);
		ck_assert_str_ne(text, other);
		ck_assert_uint_eq(check(other), FDP_OK);
		bits[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}
END_TEST

static const struct {
	const char *text;
	enum err err;
} bad[] = {
	{"", ERR_MALFORMED},
	{"0000", ERR_MALFORMED},
	{"0000-0000-0000-0000-0000-0000-000", ERR_MALFORMED},
	{"0000-0000-0000-0000-0000-0000-00000", ERR_MALFORMED},
	{"0000000000000000000000000000000000", ERR_MALFORMED},
	{"0000-0000-0000-0000-0000-0000-0000\n", ERR_MALFORMED},
	/* Letters that the alphabet leaves out, and capitals. */
	{"0000-0000-0000-0000-0000-0000-000o", ERR_MALFORMED},
	{"l000-0000-0000-0000-0000-0000-0000", ERR_MALFORMED},
	{"A000-0000-0000-0000-0000-0000-0000", ERR_MALFORMED},
	{"0000-0000-0000-0000-0000-0000-0001", ERR_AUTH},
	/* A codeword with one of the two unused bits set. */
	{"0000-0000-0000-0000-0000-0000-0168", ERR_AUTH},
};

START_TEST(malformed_text_is_refused)
{
	ck_assert_uint_eq(check(bad[_i].text), bad[_i].err);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("genpass");
	TCase *t = tcase_create("genpass");
	int n_known = (int)(sizeof known / sizeof known[0]);
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, known_bits_give_known_text, 0, n_known);
	tcase_add_loop_test(t, every_changed_character_is_found, 0, n_known);
	tcase_add_loop_test(t, every_exchange_of_two_characters_is_found, 0,
			    n_known);
	tcase_add_test(t, every_two_wrong_characters_are_found);
	tcase_add_test(t, every_bit_changes_the_text);
	tcase_add_loop_test(t, malformed_text_is_refused, 0,
			    (int)(sizeof bad / sizeof bad[0]));
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
