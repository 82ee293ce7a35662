#include "netlink/xfrm_stat.h"

#include "vectors.h"

/* As Linux 6.1 prints it, cut short. */
static const char file[] = "XfrmInError             \t1\n"
			   "XfrmInNoStates          \t20\n"
			   "XfrmInStateProtoError   \t300\n"
			   "XfrmInStateMismatch     \t1000\n"
			   "XfrmInTmplMismatch      \t2000\n"
			   "XfrmInNoPols            \t4000\n"
			   "XfrmOutNoStates         \t5\n"
			   "XfrmOutPolBlock         \t60\n"
			   "XfrmOutStateExpired     \t7\n"
			   "XfrmInSomethingNew      \t2\n"
			   "XfrmAcquireError        \t9\n";

static enum err parse(const char *text, bool inbound, struct xfrm_stat *stat)
{
	return xfrm_stat_parse(span_of(text, strlen(text)), inbound, stat);
}

START_TEST(counters_are_added_up_by_direction_and_kind)
{
	struct xfrm_stat stat;

	ck_assert_int_eq(parse(file, true, &stat), FDP_OK);
	ck_assert_uint_eq(stat.no_sa, 20);
	ck_assert_uint_eq(stat.not_authentic, 300);
	ck_assert_uint_eq(stat.policy, 7000);
	ck_assert_uint_eq(stat.other, 3);
	ck_assert_int_eq(parse(file, false, &stat), FDP_OK);
	ck_assert_uint_eq(stat.no_sa, 5);
	ck_assert_uint_eq(stat.not_authentic, 0);
	ck_assert_uint_eq(stat.policy, 60);
	ck_assert_uint_eq(stat.other, 7);
	ck_assert_int_eq(parse("", true, &stat), FDP_OK);
	ck_assert_uint_eq(stat.no_sa, 0);
}
END_TEST

static const char *const malformed[] = {
	"XfrmInError\t1",
	"XfrmInError\n",
	"XfrmInError\t\n",
	"\t1\n",
	"XfrmInError\t1x\n",
	"XfrmInError\t-1\n",
	"\n",
};

START_TEST(anything_else_is_refused)
{
	struct xfrm_stat stat = {.no_sa = 4711};

	ck_assert_int_eq(parse(malformed[_i], true, &stat), ERR_MALFORMED);
	ck_assert_uint_eq(stat.no_sa, 4711);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("xfrm_stat");
	TCase *tcase = tcase_create("xfrm_stat");

	tcase_add_test(tcase, counters_are_added_up_by_direction_and_kind);
	tcase_add_loop_test(tcase, anything_else_is_refused, 0,
			    sizeof malformed / sizeof malformed[0]);
	suite_add_tcase(suite, tcase);
	return vectors_main(suite);
}
