#include "base/secret.h"

#include "vectors.h"

START_TEST(wiped_secret_is_zero)
{
	struct secret s;
	uint8_t bytes[100];

	memset(s.b, 0x55, sizeof s.b);
	secret_wipe(&s);
	ck_assert(sodium_is_zero(s.b, sizeof s.b));
	memset(bytes, 0x55, sizeof bytes);
	secret_wipe_bytes(bytes, sizeof bytes - 1);
	ck_assert(sodium_is_zero(bytes, sizeof bytes - 1));
	ck_assert_uint_eq(bytes[sizeof bytes - 1], 0x55);
}
END_TEST

START_TEST(secrets_differ_by_any_bit)
{
	struct secret a = {{0}}, b = {{0}};

	ck_assert(secret_equal(&a, &b));
	for (size_t bit = 0; bit < 8 * sizeof a.b; bit++) {
		b.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert(!secret_equal(&a, &b));
		b.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert(secret_equal(&a, &b));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("secret");
	TCase *tc = tcase_create("secret");

	tcase_add_test(tc, wiped_secret_is_zero);
	tcase_add_test(tc, secrets_differ_by_any_bit);
	suite_add_tcase(suite, tc);
	return vectors_main(suite);
}
