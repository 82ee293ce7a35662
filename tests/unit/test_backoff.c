#include "mesh/backoff.h"

#include "vectors.h"

/* Returns one number for ever. */
static void always(void *aux, void *buf, size_t size)
{
	ck_assert_uint_eq(size, sizeof(uint64_t));
	memcpy(buf, aux, size);
}

static const struct {
	unsigned int failures;
	uint64_t ceiling_us;
} bounds[] = {
	{0, 500000},	  {1, 1000000},		  {2, 2000000},
	{3, 4000000},	  {6, 32000000},	  {7, 60000000},
	{8, 60000000},	  {64, 60000000},	  {65, 60000000},
	{1000, 60000000}, {UINT32_MAX, 60000000},
};

START_TEST(wait_reaches_both_bounds_and_no_further)
{
	uint64_t span = bounds[_i].ceiling_us - BACKOFF_MIN_US + 1;
	uint64_t value;
	struct rng rng = {always, &value};

	value = 0;
	ck_assert_uint_eq(backoff_us(bounds[_i].failures, &rng),
			  BACKOFF_MIN_US);
	value = span - 1;
	ck_assert_uint_eq(backoff_us(bounds[_i].failures, &rng),
			  bounds[_i].ceiling_us);
	value = span;
	ck_assert_uint_eq(backoff_us(bounds[_i].failures, &rng),
			  BACKOFF_MIN_US);
	value = UINT64_MAX;
	ck_assert_uint_le(backoff_us(bounds[_i].failures, &rng),
			  bounds[_i].ceiling_us);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("backoff");
	TCase *tcase = tcase_create("backoff");

	tcase_add_loop_test(tcase, wait_reaches_both_bounds_and_no_further, 0,
			    sizeof bounds / sizeof bounds[0]);
	suite_add_tcase(suite, tcase);
	return vectors_main(suite);
}
