/* mesh/path.h against a way that loses what it is told to, on a clock of its
 * own. */
#include "mesh/path.h"

#include <check.h>
#include <stdlib.h>

#include "unit/world.h"

enum {
	RTT_US = 2000,
	MAX_FLIGHT = 256
};

/* Which probes get lost. */
typedef bool loses_fn(const struct path_plan *);

static struct path path;
static uint64_t now_us;
static unsigned int n_lanes, n_asked, n_changes, n_results[2];
static bool large;
static struct dice dice;
static unsigned int per_mille; /* For some_lost(). */
static uint64_t largest_gap_us;

static struct {
	uint64_t number, when_us;
} flight[MAX_FLIGHT];
static size_t n_flight;

static void setup(void)
{
	now_us = 1000;
	n_lanes = 1;
	n_asked = n_changes = n_results[0] = n_results[1] = 0;
	large = false;
	n_flight = 0;
	dice.state = 4711;
	path_init(&path, 77, now_us);
}

static void teardown(void)
{
	path_done(&path);
}

static bool none_lost(const struct path_plan *plan UNUSED)
{
	return false;
}

static bool all_lost(const struct path_plan *plan UNUSED)
{
	return true;
}

static bool large_lost(const struct path_plan *plan)
{
	return plan->large;
}

static bool lane_2_lost(const struct path_plan *plan)
{
	return plan->lane == 2;
}

static bool some_lost(const struct path_plan *plan UNUSED)
{
	return dice_roll(&dice, 1000) < per_mille;
}

static void acks(void)
{
	for (size_t i = 0; i < n_flight;) {
		struct path_probe probe;

		if (flight[i].when_us > now_us) {
			i++;
			continue;
		}
		n_results[1] +=
			path_acked(&path, flight[i].number, now_us, &probe);
		flight[i] = flight[--n_flight];
	}
}

/* Runs for a while; 'answers': the peer answers when it is asked. */
static void run(uint64_t duration_us, loses_fn *loses, bool answers)
{
	uint64_t end_us = now_us + duration_us;

	for (; now_us < end_us; now_us += 1000) {
		enum path_level before = path_level(&path);
		struct path_plan plan;
		struct path_probe probe;
		uint64_t upto;

		acks();
		upto = path_overdue(&path, now_us);
		n_asked += upto != 0;
		while (upto && answers &&
		       path_lost(&path, upto, now_us, &probe)) {
			n_results[0]++;
		}
		if (upto && answers) {
			path_answered(&path);
		}
		if (path_plan(&path, n_lanes, large, now_us, &plan)) {
			uint64_t number =
				path_sent(&path, &plan, 28, PATH_WATCH, now_us);

			if (!loses(&plan)) {
				ck_assert_uint_lt(n_flight, MAX_FLIGHT);
				flight[n_flight].number = number;
				flight[n_flight++].when_us = now_us + RTT_US;
			}
			path_schedule(&path, 1, dice_roll(&dice, 1001), now_us);
			if (path.due_us - now_us > largest_gap_us) {
				largest_gap_us = path.due_us - now_us;
			}
		}
		n_changes += path_level(&path) != before;
	}
}

#define SECONDS(N) ((uint64_t)((N)*1000) * 1000)

static void with_traffic(unsigned int seconds, loses_fn *loses)
{
	for (unsigned int i = 0; i < seconds; i++) {
		path_traffic(&path, now_us);
		run(SECONDS(1), loses, true);
	}
}

START_TEST(quiet_path_is_probed_every_ten_seconds)
{
	run(SECONDS(200), none_lost, true);
	ck_assert_uint_ge(path.n_sent, 18);
	ck_assert_uint_le(path.n_sent, 23);
	ck_assert_uint_eq(path.n_acked, path.n_sent);
	ck_assert_uint_eq(path.n_lost, 0);
	ck_assert_uint_eq(n_asked, 0);
	ck_assert_uint_eq(path_loss(&path), 0);
	ck_assert_int_eq(path_level(&path), PATH_GOOD);
	ck_assert_uint_ge(path.rtt_us, RTT_US);
	ck_assert_uint_le(path.rtt_us, RTT_US + 1000);
}
END_TEST

START_TEST(traffic_is_accompanied_every_second)
{
	uint64_t n;

	run(SECONDS(5), none_lost, true);
	n = path.n_sent;
	with_traffic(20, none_lost);
	ck_assert_uint_ge(path.n_sent - n, 18);
	ck_assert_uint_le(path.n_sent - n, 23);
	/* And for a while after. */
	run(SECONDS(15), none_lost, true);
	n = path.n_sent;
	run(SECONDS(50), none_lost, true);
	ck_assert_uint_le(path.n_sent - n, 7);
}
END_TEST

START_TEST(one_in_a_hurry_is_probed_at_once)
{
	run(SECONDS(5), none_lost, true);
	ck_assert_uint_gt(path.due_us - now_us, PATH_DOUBT_US);
	path_hurry(&path, now_us);
	ck_assert_uint_eq(path.due_us - now_us, PATH_DOUBT_US);
	/* It makes none later. */
	path_hurry(&path, now_us + SECONDS(1));
	ck_assert_uint_eq(path.due_us - now_us, PATH_DOUBT_US);
}
END_TEST

START_TEST(many_peers_are_probed_less_often)
{
	struct path_plan plan;

	ck_assert(path_plan(&path, 1, false, now_us, &plan));
	path_traffic(&path, now_us);
	path_schedule(&path, 5, 500, now_us);
	ck_assert_uint_eq(path.due_us, now_us + 5 * PATH_TRAFFIC_US);
	path_schedule(&path, 500, 500, now_us);
	ck_assert_uint_eq(path.due_us, now_us + PATH_IDLE_US);
}
END_TEST

START_TEST(dead_path_is_noticed_in_three_seconds_and_back_in_four)
{
	uint64_t start_us;

	with_traffic(10, none_lost);
	start_us = now_us;
	while (path_level(&path) != PATH_DEAD) {
		run(1000, all_lost, true);
		ck_assert_uint_le(now_us - start_us, SECONDS(3.6));
	}
	with_traffic(30, all_lost);
	ck_assert_int_eq(path_level(&path), PATH_DEAD);
	start_us = now_us;
	while (path_level(&path) != PATH_GOOD) {
		run(1000, none_lost, true);
		ck_assert_uint_le(now_us - start_us, SECONDS(4));
	}
	/* It does not look back. */
	with_traffic(100, none_lost);
	ck_assert_uint_eq(n_changes, 2);
	ck_assert_uint_eq(path_loss(&path), 0);
}
END_TEST

/* What begins anew with a verdict of before loses it as any dead path does. */
START_TEST(dead_from_before_is_dead_until_probes_get_through)
{
	uint64_t start_us;

	path_still_dead(&path);
	ck_assert_int_eq(path_level(&path), PATH_DEAD);
	with_traffic(30, all_lost);
	ck_assert_int_eq(path_level(&path), PATH_DEAD);
	ck_assert_uint_eq(n_changes, 0);
	setup();
	path_still_dead(&path);
	start_us = now_us;
	while (path_level(&path) != PATH_GOOD) {
		run(1000, none_lost, true);
		ck_assert_uint_le(now_us - start_us, SECONDS(2));
	}
	with_traffic(100, none_lost);
	ck_assert_uint_eq(n_changes, 1);
}
END_TEST

START_TEST(loss_of_known_cause_is_forgotten)
{
	dice.state = 1;
	per_mille = 300;
	with_traffic(600, some_lost);
	ck_assert_int_eq(path_level(&path), PATH_LOSES);
	path_forget_loss(&path);
	ck_assert_int_eq(path_level(&path), PATH_GOOD);
	ck_assert_uint_eq(path_loss(&path), 0);
	with_traffic(60, none_lost);
	ck_assert_int_eq(path_level(&path), PATH_GOOD);
}
END_TEST

START_TEST(slow_session_is_no_dead_path)
{
	with_traffic(3, none_lost);
	run(SECONDS(60), all_lost, false);
	ck_assert_int_eq(path_level(&path), PATH_GOOD);
	/* It asked, and waits for the answer. */
	ck_assert_uint_eq(n_asked, 1);
	ck_assert_uint_eq(path.n_lost, 0);
}
END_TEST

START_TEST(three_of_ten_lost_change_once)
{
	dice.state = (uint64_t)_i + 1;
	per_mille = 300;
	with_traffic(600, some_lost);
	/* From good to lossy, no more. */
	ck_assert_uint_eq(n_changes, 1);
	ck_assert_int_eq(path_level(&path), PATH_LOSES);
	ck_assert_uint_ge(path_loss(&path), 10);
	with_traffic(120, none_lost);
	ck_assert_int_eq(path_level(&path), PATH_GOOD);
	ck_assert_uint_eq(n_changes, 2);
}
END_TEST

START_TEST(few_lost_change_nothing)
{
	dice.state = (uint64_t)_i + 1;
	per_mille = 20;
	with_traffic(1200, some_lost);
	ck_assert_uint_eq(n_changes, 0);
	ck_assert_uint_gt(path.n_lost, 0);
}
END_TEST

START_TEST(nine_of_ten_lost_do_not_flap)
{
	dice.state = (uint64_t)_i + 1;
	per_mille = 900;
	with_traffic(600, some_lost);
	ck_assert_int_ne(path_level(&path), PATH_GOOD);
	ck_assert_uint_le(n_changes, 3);
}
END_TEST

START_TEST(large_ones_fail_alone)
{
	uint64_t start_us;

	large = true;
	with_traffic(10, none_lost);
	start_us = now_us;
	while (path_level(&path) != PATH_SMALL) {
		run(1000, large_lost, true);
		/* One in four is large. */
		ck_assert_uint_le(now_us - start_us, SECONDS(15));
	}
	with_traffic(60, large_lost);
	ck_assert_int_eq(path_level(&path), PATH_SMALL);
	ck_assert_uint_eq(path_loss(&path), 0);
	with_traffic(15, none_lost);
	ck_assert_int_eq(path_level(&path), PATH_GOOD);
	ck_assert_uint_eq(n_changes, 2);
	/* Not wanted any more, they are forgotten. */
	with_traffic(15, large_lost);
	ck_assert_int_eq(path_level(&path), PATH_SMALL);
	large = false;
	with_traffic(2, none_lost);
	ck_assert_int_eq(path_level(&path), PATH_GOOD);
}
END_TEST

START_TEST(lane_fails_alone)
{
	n_lanes = 4;
	large = true;
	with_traffic(30, none_lost);
	ck_assert_int_eq(path_level(&path), PATH_GOOD);
	with_traffic(15, lane_2_lost);
	ck_assert_int_eq(path_level(&path), PATH_LANES);
	for (unsigned int i = 0; i < n_lanes; i++) {
		ck_assert(path.lanes[i].dead == (i == 2));
	}
	with_traffic(20, none_lost);
	ck_assert_int_eq(path_level(&path), PATH_GOOD);
	/* The others are not held to account for it. */
	with_traffic(15, lane_2_lost);
	n_lanes = 2;
	with_traffic(2, none_lost);
	ck_assert_int_eq(path_level(&path), PATH_GOOD);
}
END_TEST

START_TEST(late_acknowledgement_counts)
{
	struct path_probe probe;
	uint64_t first = path.next;

	run(SECONDS(1), all_lost, true);
	ck_assert_uint_gt(path.n_lost, 0);
	ck_assert(path_is_in_doubt(&path));
	/* It is no result any more, but a sign of life. */
	ck_assert(!path_acked(&path, first, now_us, &probe));
	ck_assert_uint_eq(probe.number, first);
	ck_assert_uint_eq(path.n_acked, 1);
	ck_assert(!path_is_in_doubt(&path));
	/* Once. */
	ck_assert(!path_acked(&path, first, now_us, &probe));
	ck_assert_uint_eq(path.n_acked, 1);
}
END_TEST

START_TEST(foreign_numbers_are_ignored)
{
	struct path_probe probe;

	run(SECONDS(1), all_lost, false);
	ck_assert(!path_acked(&path, 0, now_us, &probe));
	ck_assert(!path_acked(&path, 1, now_us, &probe));
	ck_assert(!path_acked(&path, UINT64_MAX, now_us, &probe));
	ck_assert(!path_acked(&path, path.next, now_us, &probe));
	ck_assert(!path_acked(&path, 77 + PATH_RING, now_us, &probe));
	ck_assert_uint_eq(path.n_acked, 0);
}
END_TEST

START_TEST(tests_do_not_count_in_the_verdict)
{
	struct path_plan plan = {0};
	struct path_probe probe;
	unsigned int n = 0;

	for (unsigned int i = 0; i < 30; i++) {
		path_sent(&path, &plan, 1400, PATH_TEST, now_us);
	}
	now_us += SECONDS(2);
	ck_assert_uint_eq(path_overdue(&path, now_us), 77 + 29);
	/* In the order in which they were sent. */
	for (; path_lost(&path, 77 + 29, now_us, &probe); n++) {
		ck_assert_uint_eq(probe.number, 77 + n);
		ck_assert_int_eq(probe.purpose, PATH_TEST);
		ck_assert_uint_eq(probe.size, 1400);
	}
	ck_assert_uint_eq(n, 30);
	ck_assert_int_eq(path_level(&path), PATH_GOOD);
	ck_assert(!path_is_in_doubt(&path));
	/* What they are for may be to get lost. */
	ck_assert_uint_eq(path.n_sent, 0);
	ck_assert_uint_eq(path.n_lost, 0);
}
END_TEST

START_TEST(good_path_takes_little_memory)
{
	run(SECONDS(3600), none_lost, true);
	ck_assert_uint_gt(path.n_sent, 300);
	ck_assert_uint_eq(path.n_ring, PATH_RING_FIRST);
	/* What is lost is kept in mind while it might only be late... */
	run(SECONDS(30), all_lost, true);
	ck_assert_uint_gt(path.n_ring, 4 * PATH_RING_FIRST);
}
END_TEST

START_TEST(now_and_then_a_lost_one_does_not_take_all)
{
	struct path_plan plan = {0};
	struct path_probe probe;

	for (unsigned int i = 0; i < 1000; i++) {
		const uint64_t number =
			path_sent(&path, &plan, 100, PATH_WATCH, now_us);

		if (i % 20) {
			path_acked(&path, number, now_us + RTT_US, &probe);
		}
		now_us += SECONDS(1);
	}
	ck_assert_uint_lt(path.n_ring, PATH_RING);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("path");
	TCase *tc = tcase_create("path");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, quiet_path_is_probed_every_ten_seconds);
	tcase_add_test(tc, one_in_a_hurry_is_probed_at_once);
	tcase_add_test(tc, traffic_is_accompanied_every_second);
	tcase_add_test(tc, many_peers_are_probed_less_often);
	tcase_add_test(tc,
		       dead_path_is_noticed_in_three_seconds_and_back_in_four);
	tcase_add_test(tc, dead_from_before_is_dead_until_probes_get_through);
	tcase_add_test(tc, loss_of_known_cause_is_forgotten);
	tcase_add_test(tc, slow_session_is_no_dead_path);
	tcase_add_loop_test(tc, three_of_ten_lost_change_once, 0, 50);
	tcase_add_loop_test(tc, few_lost_change_nothing, 0, 20);
	tcase_add_loop_test(tc, nine_of_ten_lost_do_not_flap, 0, 20);
	tcase_add_test(tc, large_ones_fail_alone);
	tcase_add_test(tc, lane_fails_alone);
	tcase_add_test(tc, late_acknowledgement_counts);
	tcase_add_test(tc, foreign_numbers_are_ignored);
	tcase_add_test(tc, tests_do_not_count_in_the_verdict);
	tcase_add_test(tc, good_path_takes_little_memory);
	tcase_add_test(tc, now_and_then_a_lost_one_does_not_take_all);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
