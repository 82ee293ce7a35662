#include "mesh/admission.h"

#include "session/handshake.h"
#include "vectors.h"

#define SECOND UINT64_C(1000000)
#define START  (100 * SECOND)

static struct admission admission;

static void setup(void)
{
	admission_init(&admission, START);
}

static void teardown(void)
{
	admission_done(&admission);
}

static struct ip_addr v4(uint32_t n)
{
	const uint8_t b[4] = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8),
			      (uint8_t)n};

	return ip_from_v4(b);
}

static struct ip_addr v6(uint32_t net, uint8_t host)
{
	uint8_t b[16] = {0x20, 1, 0xd, 0xb8, [15] = host};

	b[6] = (uint8_t)(net >> 8);
	b[7] = (uint8_t)net;
	return ip_from_v6(b);
}

static enum err begin(struct ip_addr ip, bool known, uint64_t now_us)
{
	return admission_begin(&admission, &ip, known, now_us);
}

static void end(struct ip_addr ip, bool success, uint64_t now_us)
{
	admission_end(&admission, &ip, success, now_us);
}

START_TEST(one_address_at_most_four_half_open)
{
	for (int i = 0; i < HANDSHAKE_HALF_OPEN_PREFIX; i++) {
		ck_assert_int_eq(begin(v4(1), _i, START), FDP_OK);
	}
	ck_assert_int_eq(begin(v4(1), _i, START), ERR_LIMIT);
	ck_assert_int_eq(begin(v4(2), _i, START), FDP_OK);
	end(v4(1), true, START);
	ck_assert_int_eq(begin(v4(1), _i, START), FDP_OK);
	ck_assert_int_eq(begin(v4(1), _i, START), ERR_LIMIT);
}
END_TEST

START_TEST(ipv6_counted_by_64)
{
	for (int i = 0; i < HANDSHAKE_HALF_OPEN_PREFIX; i++) {
		ck_assert_int_eq(begin(v6(1, (uint8_t)i), false, START),
				 FDP_OK);
	}
	ck_assert_int_eq(begin(v6(1, 99), false, START), ERR_LIMIT);
	ck_assert_int_eq(begin(v6(2, 99), false, START), FDP_OK);
}
END_TEST

START_TEST(strangers_leave_room_for_known)
{
	const uint32_t room =
		HANDSHAKE_HALF_OPEN_MAX - HANDSHAKE_HALF_OPEN_KNOWN;
	uint64_t now_us = START;
	uint32_t n = 0;

	for (; n < room; n++) {
		now_us += SECOND / ADMISSION_RATE;
		ck_assert_int_eq(begin(v4(n), false, now_us), FDP_OK);
	}
	now_us += SECOND;
	ck_assert_int_eq(begin(v4(n), false, now_us), ERR_LIMIT);
	for (; n < HANDSHAKE_HALF_OPEN_MAX; n++) {
		ck_assert_int_eq(begin(v4(n), true, now_us), FDP_OK);
	}
	ck_assert_int_eq(begin(v4(n), true, now_us), ERR_LIMIT);
	end(v4(0), false, now_us);
	ck_assert_int_eq(begin(v4(n), false, now_us), ERR_LIMIT);
	ck_assert_int_eq(begin(v4(n), true, now_us), FDP_OK);
}
END_TEST

static bool crowded(struct ip_addr ip, uint64_t now_us)
{
	return admission_is_crowded(&admission, &ip, now_us);
}

START_TEST(crowded_only_where_a_place_is_all_that_is_missing)
{
	const uint32_t room =
		HANDSHAKE_HALF_OPEN_MAX - HANDSHAKE_HALF_OPEN_KNOWN;
	uint64_t now_us = START;

	for (uint32_t n = 0; n < room; n++) {
		/* The first address has as many as it may. */
		struct ip_addr ip = v4(n < HANDSHAKE_HALF_OPEN_PREFIX ? 0 : n);

		now_us += SECOND / ADMISSION_RATE;
		ck_assert(!crowded(v4(1000), now_us));
		ck_assert_int_eq(begin(ip, false, now_us), FDP_OK);
	}
	now_us += SECOND;
	ck_assert(crowded(v4(1000), now_us));
	ck_assert(!crowded(v4(0), now_us));
	end(v4(10), false, now_us);
	ck_assert(!crowded(v4(1000), now_us));
	ck_assert_int_eq(begin(v4(1000), false, now_us), FDP_OK);
	/* Who has failed waits, whether there is a place or not. */
	ck_assert(!crowded(v4(10), now_us));
	ck_assert(crowded(v4(1001), now_us));
	/* As does everybody when there were too many. */
	ck_assert(
		bucket_take(&admission.strangers, ADMISSION_BURST - 1, now_us));
	ck_assert(!crowded(v4(1001), now_us));
	ck_assert(crowded(v4(1001), now_us + SECOND));
}
END_TEST

/* Each one done at once. */
static unsigned int let_in(uint32_t first, unsigned int n, bool known,
			   uint64_t now_us)
{
	unsigned int passed = 0;

	for (uint32_t i = first; i < first + n; i++) {
		if (!begin(v4(i), known, now_us)) {
			end(v4(i), true, now_us);
			passed++;
		}
	}
	return passed;
}

START_TEST(strangers_pass_a_bucket_known_do_not)
{
	ck_assert_uint_eq(let_in(0, 100, false, START), ADMISSION_BURST);
	ck_assert_uint_eq(let_in(0, 100, true, START), 100);
	ck_assert_uint_eq(let_in(0, 100, false, START + SECOND),
			  ADMISSION_RATE);
	/* It does not fill up over its size. */
	ck_assert_uint_eq(let_in(0, 100, false, START + 1000 * SECOND),
			  ADMISSION_BURST);
}
END_TEST

START_TEST(failures_cost_doubling_time_up_to_a_minute)
{
	uint64_t now_us = START, penalty_us = ADMISSION_PENALTY_MIN_US;

	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(begin(v4(1), false, now_us), FDP_OK);
		end(v4(1), false, now_us);
		ck_assert_int_eq(begin(v4(1), false, now_us + penalty_us - 1),
				 ERR_LIMIT);
		/* Nobody else waits for that. */
		ck_assert_int_eq(begin(v4(2), false, now_us), FDP_OK);
		end(v4(2), true, now_us);
		now_us += penalty_us;
		penalty_us *= 2;
		if (penalty_us > ADMISSION_PENALTY_MAX_US) {
			penalty_us = ADMISSION_PENALTY_MAX_US;
		}
	}
	ck_assert_uint_eq(penalty_us, ADMISSION_PENALTY_MAX_US);
}
END_TEST

START_TEST(known_does_not_wait_after_failures)
{
	ck_assert_int_eq(begin(v4(1), false, START), FDP_OK);
	end(v4(1), false, START);
	ck_assert_int_eq(begin(v4(1), false, START), ERR_LIMIT);
	ck_assert_int_eq(begin(v4(1), true, START), FDP_OK);
}
END_TEST

START_TEST(success_forgives)
{
	ck_assert_int_eq(begin(v4(1), false, START), FDP_OK);
	end(v4(1), false, START);
	ck_assert_int_eq(begin(v4(1), true, START), FDP_OK);
	end(v4(1), true, START);
	ck_assert_int_eq(begin(v4(1), false, START), FDP_OK);
}
END_TEST

START_TEST(many_prefixes_memory_stays_bounded)
{
	uint64_t now_us = START;

	for (uint32_t i = 0; i < 3 * ADMISSION_MAX_PREFIXES; i++) {
		now_us += SECOND / ADMISSION_RATE;
		ck_assert_int_eq(begin(v4(i), false, now_us), FDP_OK);
		end(v4(i), false, now_us);
		ck_assert_uint_le(hmap_count(&admission.prefixes),
				  ADMISSION_MAX_PREFIXES);
	}
	ck_assert_uint_eq(admission.n_half_open, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("admission");
	TCase *tcase = tcase_create("admission");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, one_address_at_most_four_half_open, 0, 2);
	tcase_add_test(tcase, ipv6_counted_by_64);
	tcase_add_test(tcase, strangers_leave_room_for_known);
	tcase_add_test(tcase,
		       crowded_only_where_a_place_is_all_that_is_missing);
	tcase_add_test(tcase, strangers_pass_a_bucket_known_do_not);
	tcase_add_test(tcase, failures_cost_doubling_time_up_to_a_minute);
	tcase_add_test(tcase, known_does_not_wait_after_failures);
	tcase_add_test(tcase, success_forgives);
	tcase_add_test(tcase, many_prefixes_memory_stays_bounded);
	suite_add_tcase(suite, tcase);
	return vectors_main(suite);
}
