/* mesh/overlay.h: which way is taken when, on a clock of its own. */
#include "mesh/overlay.h"

#include <check.h>
#include <stdlib.h>

#include "unit/world.h"

#define SEC UINT64_C(1000000)

static struct overlay o;
static struct overlay_way fast, sleeve;
static uint64_t now_us;

static void setup(void)
{
	const struct overlay_way good = {
		.can = true, .up = true, .proved = true};

	o = (struct overlay){0};
	fast = sleeve = good;
	now_us = 1000 * SEC;
}

static bool choose(void)
{
	return overlay_choose(&o, &fast, &sleeve, now_us);
}

/* How long until fastdp is taken, in seconds; looked at as often as it wants.
 */
static unsigned int seconds_until_fast(void)
{
	const uint64_t begin_us = now_us;

	while (!choose()) {
		ck_assert_uint_ne(overlay_due_us(&o), UINT64_MAX);
		ck_assert_uint_gt(overlay_due_us(&o), now_us);
		now_us = overlay_due_us(&o);
	}
	ck_assert(!o.sleeve);
	return (unsigned int)((now_us - begin_us) / SEC);
}

static void block(enum reason reason)
{
	fast.dead = true;
	fast.reason = reason;
}

static void mend(void)
{
	fast.dead = false;
	fast.reason = REASON_NONE;
}

START_TEST(fastdp_is_taken_while_it_works)
{
	for (unsigned int i = 0; i < 100; i++, now_us += SEC) {
		sleeve.dead = i & 1;
		sleeve.up = i & 2;
		ck_assert(!choose() && !o.sleeve);
		ck_assert_uint_eq(overlay_due_us(&o), UINT64_MAX);
	}
}
END_TEST

START_TEST(dead_fastdp_is_left_at_once_with_its_reason)
{
	block(REASON_PATH_DEAD);
	ck_assert(choose() && o.sleeve);
	ck_assert_int_eq(o.reason, REASON_PATH_DEAD);
	ck_assert_uint_eq(o.since_us, now_us);
	/* The cause is found later. */
	block(REASON_ESP_FILTERED);
	ck_assert(!choose());
	ck_assert_int_eq(o.reason, REASON_ESP_FILTERED);
	/* New keys are no news of it. */
	fast.pending = true;
	block(REASON_KEYING);
	ck_assert(!choose());
	ck_assert_int_eq(o.reason, REASON_ESP_FILTERED);
}
END_TEST

START_TEST(nothing_is_left_for_what_is_not_known_to_work)
{
	block(REASON_PATH_DEAD);
	sleeve.proved = false;
	ck_assert(!choose());
	sleeve.proved = true;
	sleeve.dead = true;
	ck_assert(!choose());
	sleeve.dead = false;
	sleeve.up = false;
	ck_assert(!choose());
	sleeve.up = true;
	sleeve.can = false;
	ck_assert(!choose());
	sleeve.can = true;
	ck_assert(choose());
}
END_TEST

START_TEST(fastdp_that_is_being_made_is_waited_for)
{
	fast.up = false;
	fast.pending = true;
	ck_assert(!choose());
	fast.pending = false;
	ck_assert(choose() && o.sleeve);
}
END_TEST

START_TEST(narrow_fastdp_is_left_unless_the_sleeve_is_dead)
{
	fast.narrow = true;
	fast.reason = REASON_PATH_NARROW;
	sleeve.dead = true;
	ck_assert(!choose());
	sleeve.dead = false;
	ck_assert(choose() && o.sleeve);
	ck_assert_int_eq(o.reason, REASON_PATH_NARROW);
	/* However long it is good for all else. */
	for (unsigned int i = 0; i < 100; i++) {
		now_us += SEC;
		ck_assert(!choose());
	}
	sleeve.dead = true;
	ck_assert(choose() && !o.sleeve);
	sleeve.dead = false;
	ck_assert(choose() && o.sleeve);
	/* What is dead for a while is told as such. */
	block(REASON_ESP_FILTERED);
	ck_assert(!choose());
	ck_assert_int_eq(o.reason, REASON_ESP_FILTERED);
	mend();
	fast.reason = REASON_PATH_NARROW;
	ck_assert(!choose());
	ck_assert_int_eq(o.reason, REASON_PATH_NARROW);
	ck_assert_uint_eq(overlay_due_us(&o), UINT64_MAX);
	fast.narrow = false;
	fast.reason = REASON_NONE;
	ck_assert(!choose());
	now_us += 100 * SEC;
	ck_assert(choose() && !o.sleeve);
}
END_TEST

START_TEST(return_takes_a_while_without_a_doubt)
{
	block(REASON_PATH_DEAD);
	ck_assert(choose());
	now_us += 30 * SEC;
	mend();
	fast.proved = false; /* A new session: nothing is known yet. */
	ck_assert(!choose());
	ck_assert_uint_eq(overlay_due_us(&o), UINT64_MAX);
	fast.proved = true;
	ck_assert(!choose());
	now_us += SEC;
	block(REASON_PATH_DEAD); /* It has to begin anew. */
	ck_assert(!choose());
	mend();
	ck_assert_uint_eq(seconds_until_fast(), 2);
	ck_assert_int_eq(o.reason, REASON_NONE);
}
END_TEST

/* The last two seconds of the wait, however long it is. */
START_TEST(return_is_looked_at_closely)
{
	ck_assert(!overlay_returns(&o, now_us));
	for (unsigned int i = 0; i < 4; i++) {
		block(REASON_PATH_DEAD);
		ck_assert(choose());
		ck_assert(!overlay_returns(&o, now_us));
		now_us += SEC;
		mend();
		ck_assert(!choose());
		ck_assert(!overlay_returns(&o, o.good_us + o.hold_us - 2 * SEC -
						       1));
		ck_assert(overlay_returns(&o, o.good_us + o.hold_us - 2 * SEC));
		(void)seconds_until_fast();
		ck_assert(!overlay_returns(&o, now_us));
	}
}
END_TEST

START_TEST(return_waits_for_a_doubt_to_end)
{
	block(REASON_PATH_DEAD);
	ck_assert(choose());
	mend();
	ck_assert(!choose());
	now_us += 6 * SEC;
	fast.doubtful = true;
	ck_assert(!choose());
	now_us += SEC;
	fast.doubtful = false;
	ck_assert(choose() && !o.sleeve);
}
END_TEST

START_TEST(dead_sleeve_is_left_for_fastdp_that_works)
{
	block(REASON_PATH_DEAD);
	ck_assert(choose());
	sleeve.dead = true;
	ck_assert(!choose() && o.sleeve); /* Both are. */
	mend();
	ck_assert(choose() && !o.sleeve);
}
END_TEST

START_TEST(sleeve_that_the_peer_has_no_more_is_left)
{
	block(REASON_PATH_DEAD);
	ck_assert(choose());
	sleeve.can = false;
	ck_assert(choose() && !o.sleeve);
}
END_TEST

START_TEST(flapping_makes_it_wait_twice_as_long)
{
	static const unsigned int waits[] = {2, 2, 4, 8, 16, 32, 60, 60};

	for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
		block(REASON_PATH_DEAD);
		ck_assert(choose());
		now_us += SEC;
		mend();
		ck_assert_uint_eq(seconds_until_fast(), waits[i]);
		now_us += 10 * SEC;
	}
	now_us += 61 * SEC; /* It has lasted. */
	block(REASON_PATH_DEAD);
	ck_assert(choose());
	mend();
	ck_assert_uint_eq(seconds_until_fast(), 2);
}
END_TEST

START_TEST(flapping_is_forgiven_when_somebody_says_so)
{
	for (unsigned int i = 0; i < 6; i++) {
		block(REASON_PATH_DEAD);
		ck_assert(choose());
		now_us += SEC;
		mend();
		overlay_forgive(&o);
		ck_assert_uint_eq(seconds_until_fast(), 2);
	}
}
END_TEST

START_TEST(one_that_begins_with_the_sleeve_comes_back_as_ever)
{
	overlay_begin(&o, REASON_ESP_FILTERED, now_us);
	fast.proved = sleeve.proved = false;
	now_us += 10 * SEC;
	ck_assert(!choose() && o.sleeve);
	ck_assert_int_eq(o.reason, REASON_ESP_FILTERED);
	fast.proved = sleeve.proved = true;
	ck_assert_uint_eq(seconds_until_fast(), 2);
	/* Or if there is no sleeve now. */
	overlay_begin(&o, REASON_ESP_FILTERED, now_us);
	sleeve.can = false;
	ck_assert(choose() && !o.sleeve);
}
END_TEST

/* Whatever happens, nobody stays on a way that is dead while the other one is
 * known to work, for longer than the hold. */
START_TEST(no_dead_way_is_kept)
{
	struct dice dice = {.state = 99};
	uint64_t wrong_us = 0;

	for (unsigned int i = 0; i < 200000; i++) {
		switch (dice_roll(&dice, 8)) {
		case 0:
			block(REASON_PATH_DEAD);
			break;
		case 1:
			mend();
			break;
		case 2:
			sleeve.dead = !sleeve.dead;
			break;
		default:
			break;
		}
		choose();
		ck_assert_msg(!(o.sleeve && sleeve.dead && !fast.dead) &&
				      !(!o.sleeve && fast.dead && !sleeve.dead),
			      "step %u", i);
		wrong_us = o.sleeve && !fast.dead ? wrong_us + SEC / 4 : 0;
		ck_assert_uint_le(wrong_us, OVERLAY_HOLD_MAX_US + SEC);
		now_us += SEC / 4;
	}
}
END_TEST

START_TEST(settings_have_names)
{
	enum overlay_setting back;

	for (unsigned int i = 0; i < N_OVERLAY_SETTINGS; i++) {
		ck_assert(overlay_setting_parse(
			overlay_setting_name((enum overlay_setting)i), &back));
		ck_assert_uint_eq(back, i);
	}
	ck_assert(!overlay_setting_parse("pcap", &back));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("overlay");
	Suite *suite = suite_create("overlay");
	SRunner *runner;
	int failed;

	/* Assertions by the hundred thousand: a busy machine needs more than
	 * Check's 4 s. */
	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, fastdp_is_taken_while_it_works);
	tcase_add_test(tcase, dead_fastdp_is_left_at_once_with_its_reason);
	tcase_add_test(tcase, narrow_fastdp_is_left_unless_the_sleeve_is_dead);
	tcase_add_test(tcase, nothing_is_left_for_what_is_not_known_to_work);
	tcase_add_test(tcase, fastdp_that_is_being_made_is_waited_for);
	tcase_add_test(tcase, return_takes_a_while_without_a_doubt);
	tcase_add_test(tcase, return_is_looked_at_closely);
	tcase_add_test(tcase, return_waits_for_a_doubt_to_end);
	tcase_add_test(tcase, dead_sleeve_is_left_for_fastdp_that_works);
	tcase_add_test(tcase, sleeve_that_the_peer_has_no_more_is_left);
	tcase_add_test(tcase, flapping_makes_it_wait_twice_as_long);
	tcase_add_test(tcase, flapping_is_forgiven_when_somebody_says_so);
	tcase_add_test(tcase,
		       one_that_begins_with_the_sleeve_comes_back_as_ever);
	tcase_add_test(tcase, no_dead_way_is_kept);
	tcase_add_test(tcase, settings_have_names);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
