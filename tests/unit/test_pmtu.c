/* mesh/pmtu.h against a way whose MTU changes, that loses some, on a clock of
 * its own. */
#include "mesh/pmtu.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "unit/world.h"
#include "util.h"

enum {
	RTT_US = 2000,
	PATIENCE_US = 350 * 1000, /* Until a lost one is known to be. */
	MAX_FLIGHT = 64,
	MS = 1000,
	SEC = 1000 * MS,
	TICK_US = 5 * MS
};

static struct pmtu pmtu;
static uint64_t now_us;
static unsigned int path_mtu, per_mille, n_sent, n_changes, most_at_once;
static bool traffic;
static struct dice dice;

static struct {
	uint16_t size;
	bool acked;
	uint64_t when_us;
} flight[MAX_FLIGHT];
static size_t n_flight;

static void setup(void)
{
	memset(&pmtu, 0, sizeof pmtu);
	now_us = 1000;
	path_mtu = 1416;
	per_mille = n_sent = n_changes = most_at_once = 0;
	traffic = true;
	n_flight = 0;
	dice.state = 4711;
	pmtu_begin(&pmtu, now_us);
	pmtu_limit(&pmtu, 1416, now_us);
}

static void results(void)
{
	for (size_t i = 0; i < n_flight;) {
		if (flight[i].when_us > now_us) {
			i++;
			continue;
		}
		n_changes += pmtu_result(&pmtu, flight[i].size, flight[i].acked,
					 now_us);
		flight[i] = flight[--n_flight];
	}
}

static void fly(uint16_t size)
{
	bool acked = size <= path_mtu && dice_roll(&dice, 1000) >= per_mille;

	ck_assert_uint_lt(n_flight, MAX_FLIGHT);
	flight[n_flight].size = size;
	flight[n_flight].acked = acked;
	flight[n_flight++].when_us = now_us + (acked ? RTT_US : PATIENCE_US);
	n_sent++;
}

static void tick(void)
{
	uint16_t sizes[PMTU_VOLLEY];
	size_t n;

	if (traffic) {
		pmtu_traffic(&pmtu, now_us);
	}
	results();
	n = pmtu_plan(&pmtu, 1, now_us, sizes);
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_le(sizes[i], pmtu.limit);
		fly(sizes[i]);
	}
	most_at_once = MAX(most_at_once, (unsigned int)n_flight);
	ck_assert_uint_le(pmtu.size, pmtu.limit);
	now_us += TICK_US;
}

static void run(uint64_t duration_us)
{
	for (uint64_t end_us = now_us + duration_us; now_us < end_us;) {
		tick();
	}
}

/* How long until the size is 'size'; at most 'limit_us'. */
static uint64_t until(uint16_t size, uint64_t limit_us)
{
	uint64_t begin_us = now_us;

	while (pmtu.size != size && now_us < begin_us + limit_us) {
		tick();
	}
	ck_assert_uint_eq(pmtu.size, size);
	return now_us - begin_us;
}

static void note_worst(uint64_t *worst_us, uint64_t us)
{
	*worst_us = MAX(*worst_us, us);
}

START_TEST(a_way_as_wide_as_the_interface_costs_one_probe)
{
	traffic = false;
	run(100 * MS);
	ck_assert(pmtu.confirmed);
	ck_assert_uint_eq(pmtu.size, 1416);
	ck_assert_uint_eq(n_changes, 1);
	ck_assert_uint_eq(n_sent, 1);
}
END_TEST

/* The largest size in steps from the limit, whatever it is; 'found' is what
 * packets may have there. */
static uint16_t found(uint16_t limit, unsigned int mtu)
{
	return mtu >= limit ? limit
			    : (uint16_t)(limit - (limit - mtu + 3) / 4 * 4);
}

START_TEST(any_size_is_found)
{
	static const uint16_t limits[] = {1396, 1416, 1450, 8916, 65000};

	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		for (unsigned int n = 0; n < 60; n++) {
			unsigned int mtu =
				480 + dice_roll(&dice, limits[i] - 480 + 1);

			setup();
			dice.state = i * 1000 + n;
			path_mtu = mtu;
			pmtu_limit(&pmtu, 0, now_us);
			pmtu_limit(&pmtu, limits[i], now_us);
			run(5 * SEC);
			if (mtu >= 484) {
				ck_assert_uint_eq(pmtu.size,
						  found(limits[i], mtu));
			}
			ck_assert(pmtu.confirmed);
			ck_assert_uint_le(n_changes, 1);
		}
	}
}
END_TEST

START_TEST(a_small_limit_is_no_trouble)
{
	for (uint16_t limit = 28; limit < 520; limit++) {
		setup();
		path_mtu = limit;
		pmtu_limit(&pmtu, limit, now_us);
		run(2 * SEC);
		ck_assert_uint_eq(pmtu.size, limit);
		path_mtu = 28;
		run(4 * SEC);
		ck_assert_uint_eq(pmtu.size, limit);
	}
}
END_TEST

/* Times are those of the machine's own clock: they do not depend on the
 * computer. */
START_TEST(a_way_that_shrinks_is_noticed_in_time)
{
	uint64_t worst_us = 0;

	for (unsigned int n = 0; n < 60; n++) {
		setup();
		run(3 * SEC + dice_roll(&dice, 2000) * MS);
		path_mtu = 496 + dice_roll(&dice, 230) * 4;
		note_worst(&worst_us, until((uint16_t)path_mtu, 10 * SEC));
	}
	printf("shrinks, 1416: at worst after %.2f s\n",
	       (double)worst_us / SEC);
	ck_assert_uint_lt(worst_us, 5 * SEC);
}
END_TEST

START_TEST(a_way_that_grows_is_noticed_in_time)
{
	uint64_t worst_us = 0;

	for (unsigned int n = 0; n < 60; n++) {
		setup();
		path_mtu = 496;
		run(6 * SEC + dice_roll(&dice, 2000) * MS);
		ck_assert_uint_eq(pmtu.size, 496);
		path_mtu = 500 + dice_roll(&dice, 230) * 4;
		note_worst(&worst_us, until((uint16_t)path_mtu, 10 * SEC));
	}
	printf("grows, 1416: at worst after %.2f s\n", (double)worst_us / SEC);
	ck_assert_uint_lt(worst_us, 5 * SEC);
}
END_TEST

START_TEST(jumbo_frames_are_no_exception)
{
	uint64_t shrinks_us = 0, grows_us = 0;

	for (unsigned int n = 0; n < 25; n++) {
		setup();
		path_mtu = 8916;
		pmtu_limit(&pmtu, 8916, now_us);
		until(8916, SEC);
		run(3 * SEC + dice_roll(&dice, 2000) * MS);
		path_mtu = 496 + dice_roll(&dice, 2000) * 4;
		note_worst(&shrinks_us, until((uint16_t)path_mtu, 9 * SEC));
		run(3 * SEC + dice_roll(&dice, 2000) * MS);
		path_mtu = 8500 + dice_roll(&dice, 100) * 4;
		note_worst(&grows_us, until((uint16_t)path_mtu, 9 * SEC));
	}
	printf("8916: shrinks at worst after %.2f s, grows after %.2f s\n",
	       (double)shrinks_us / SEC, (double)grows_us / SEC);
	ck_assert_uint_lt(shrinks_us, 5 * SEC);
	ck_assert_uint_lt(grows_us, 5 * SEC);
}
END_TEST

START_TEST(without_traffic_it_is_quiet_and_wakes_at_once)
{
	path_mtu = 1300;
	run(5 * SEC);
	traffic = false;
	run(30 * SEC);
	n_sent = 0;
	run(300 * SEC);
	ck_assert_uint_ge(n_sent, 27);
	ck_assert_uint_le(n_sent, 33);
	/* Nobody looks. */
	path_mtu = 1400;
	traffic = true;
	ck_assert_uint_lt(until(1400, 5 * SEC), 3 * SEC);
}
END_TEST

START_TEST(a_dead_way_is_no_small_one)
{
	run(3 * SEC);
	path_mtu = 0;
	run(60 * SEC);
	ck_assert_uint_eq(pmtu.size, 1416);
	n_changes = 0;
	path_mtu = 1416;
	run(5 * SEC);
	ck_assert_uint_eq(pmtu.size, 1416);
	ck_assert_uint_eq(n_changes, 0);
}
END_TEST

/* A way that loses one in ten for a minute, thirty times. */
START_TEST(loss_is_hardly_taken_for_size)
{
	unsigned int below = 0, all = 0;

	for (unsigned int n = 0; n < 30; n++) {
		setup();
		per_mille = 100;
		dice.state = n;
		for (unsigned int i = 0; i < 60; i++) {
			run(SEC);
			below += pmtu.size < 1416;
			all++;
		}
	}
	printf("10 %% loss: too small for %u of %u s\n", below, all);
	ck_assert_uint_lt(below, all / 50);
}
END_TEST

START_TEST(it_ends_at_the_right_size_after_loss)
{
	for (unsigned int n = 0; n < 30; n++) {
		setup();
		per_mille = 300;
		path_mtu = 1300;
		dice.state = n;
		run(20 * SEC);
		per_mille = 0;
		run(8 * SEC);
		ck_assert_uint_eq(pmtu.size, 1300);
	}
}
END_TEST

START_TEST(the_limit_counts_at_once)
{
	run(3 * SEC);
	pmtu_limit(&pmtu, 1200, now_us);
	ck_assert_uint_eq(pmtu.size, 1200);
	ck_assert(pmtu.confirmed);
	run(3 * SEC);
	/* A larger one is no promise. */
	path_mtu = 1250;
	pmtu_limit(&pmtu, 1416, now_us);
	ck_assert_uint_eq(pmtu.size, 1200);
	until(found(1416, 1250), 3 * SEC);
	path_mtu = 9000;
	pmtu_limit(&pmtu, 1500, now_us);
	ck_assert_uint_lt(until(1500, SEC), 100 * MS);
	/* No way at all, and another one. */
	pmtu_limit(&pmtu, 0, now_us);
	run(SEC);
	ck_assert_uint_eq(pmtu.size, 0);
	pmtu_limit(&pmtu, 1396, now_us);
	ck_assert_uint_eq(pmtu.size, 1396);
	ck_assert(!pmtu.confirmed);
}
END_TEST

START_TEST(limits_that_change_during_a_search_do_no_harm)
{
	for (unsigned int n = 0; n < 60; n++) {
		setup();
		dice.state = n;
		path_mtu = 1300;
		for (unsigned int i = 0; i < 10; i++) {
			run(dice_roll(&dice, 1000) * MS);
			pmtu_limit(&pmtu,
				   (uint16_t)(1280 + dice_roll(&dice, 200)),
				   now_us);
			if (!dice_roll(&dice, 4)) {
				pmtu_begin(&pmtu, now_us);
				n_flight = 0;
			}
		}
		pmtu_limit(&pmtu, 1416, now_us);
		run(8 * SEC);
		ck_assert_uint_eq(pmtu.size, 1300);
	}
}
END_TEST

START_TEST(what_is_never_answered_is_void)
{
	uint16_t sizes[PMTU_VOLLEY];

	ck_assert_uint_eq(pmtu_plan(&pmtu, 1, now_us, sizes), 1);
	ck_assert_uint_eq(sizes[0], 1416);
	ck_assert_uint_eq(pmtu_plan(&pmtu, 1, now_us + SEC, sizes), 0);
	ck_assert_uint_eq(pmtu_due_us(&pmtu), now_us + PMTU_VOID_US);
	ck_assert_uint_eq(pmtu_plan(&pmtu, 1, now_us + PMTU_VOID_US, sizes), 0);
	ck_assert_uint_gt(pmtu_due_us(&pmtu), now_us + PMTU_VOID_US);
	/* Not of this round: nothing happens. */
	ck_assert(!pmtu_result(&pmtu, 1416, false, now_us + PMTU_VOID_US));
	ck_assert(!pmtu.searching);
}
END_TEST

START_TEST(doubt_is_looked_into_at_once)
{
	traffic = false;
	run(3 * SEC);
	path_mtu = 1300;
	run(2 * SEC);
	ck_assert_uint_eq(pmtu.size, 1416);
	pmtu_doubt(&pmtu, now_us);
	ck_assert_uint_lt(until(1300, 5 * SEC), 3 * SEC);
	ck_assert_uint_le(most_at_once, PMTU_VOLLEY);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("pmtu");
	Suite *s = suite_create("pmtu");
	SRunner *runner;
	int n_failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_way_as_wide_as_the_interface_costs_one_probe);
	tcase_add_test(tc, any_size_is_found);
	tcase_add_test(tc, a_small_limit_is_no_trouble);
	tcase_add_test(tc, a_way_that_shrinks_is_noticed_in_time);
	tcase_add_test(tc, a_way_that_grows_is_noticed_in_time);
	tcase_add_test(tc, jumbo_frames_are_no_exception);
	tcase_add_test(tc, without_traffic_it_is_quiet_and_wakes_at_once);
	tcase_add_test(tc, a_dead_way_is_no_small_one);
	tcase_add_test(tc, loss_is_hardly_taken_for_size);
	tcase_add_test(tc, it_ends_at_the_right_size_after_loss);
	tcase_add_test(tc, the_limit_counts_at_once);
	tcase_add_test(tc, limits_that_change_during_a_search_do_no_harm);
	tcase_add_test(tc, what_is_never_answered_is_void);
	tcase_add_test(tc, doubt_is_looked_into_at_once);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
