#include "crypto/replay.h"

#include <inttypes.h>

#include "vectors.h"

/* A decimal number of up to 2^64, which stands for "no limit". */
static uint64_t number(const char *text)
{
	return strcmp(text, "18446744073709551616") ? strtoull(text, NULL, 10)
						    : UINT64_MAX;
}

START_TEST(model_steps_are_reproduced)
{
	struct json *file = vectors_load("replay_window.json");
	const struct json *cases = vector_member(file, "window_cases");

	for (size_t i = 0; i < vector_count(cases); i++) {
		const struct json *c = vector_at(cases, i);
		const struct json *steps = vector_member(c, "steps");
		struct replay r;

		replay_init(&r, (uint32_t)vector_integer(c, "window"),
			    number(vector_string(c, "reject_from")));
		for (size_t k = 0; k < vector_count(steps); k++) {
			const struct json *step = vector_at(steps, k);
			uint64_t seq = number(json_string(vector_at(step, 0)));
			bool want = json_boolean(vector_at(step, 1));

			ck_assert_msg(replay_is_fresh(&r, seq) == want,
				      "%s, step %zu: %" PRIu64,
				      vector_string(c, "name"), k, seq);
			ck_assert(replay_update(&r, seq) == want);
		}
	}
	ck_assert_uint_eq(vector_count(cases), 9);
	json_destroy(file);
}
END_TEST

START_TEST(asking_changes_nothing)
{
	struct replay r, before;

	replay_init(&r, 1024, UINT64_MAX);
	ck_assert(replay_update(&r, 5000));
	before = r;
	ck_assert(replay_is_fresh(&r, 1000000));
	ck_assert(replay_is_fresh(&r, 4999));
	ck_assert(!replay_is_fresh(&r, 5000));
	ck_assert_mem_eq(&r, &before, sizeof r);
}
END_TEST

/* Against the plain rule, with a set in place of the ring. */
START_TEST(random_order_agrees_with_the_rule)
{
	enum {
		SPAN = 4096
	};
	static const uint32_t windows[] = {0, 1, 63, 64, 65, 1024, 4000};
	uint32_t x = 12345;

	for (size_t w = 0; w < sizeof windows / sizeof windows[0]; w++) {
		bool seen[SPAN] = {false};
		uint64_t newest = 0;
		bool any = false;
		struct replay r;

		replay_init(&r, windows[w], UINT64_MAX);
		for (int n = 0; n < 20000; n++) {
			uint64_t seq;
			bool want;

			x = x * 1664525 + 1013904223;
			/* Around the newest, on average moving forward. */
			seq = newest + (x >> 16) % 130;
			seq = seq > 60 ? seq - 60 : 0;
			if (x >> 30 == 3) {
				seq = (x >> 8) % (newest + 1);
			}
			if (seq >= SPAN) {
				break;
			}
			want = !any || seq > newest ||
			       (newest - seq <= windows[w] && !seen[seq]);
			ck_assert(replay_update(&r, seq) == want);
			seen[seq] = seen[seq] || want;
			if (want && (!any || seq > newest)) {
				newest = seq;
			}
			any = true;
		}
		ck_assert_uint_gt(newest, 100);
	}
}
END_TEST

START_TEST(largest_window_is_whole)
{
	struct replay r;

	replay_init(&r, REPLAY_WINDOW_MAX, UINT64_MAX);
	ck_assert(replay_update(&r, REPLAY_WINDOW_MAX + 1));
	ck_assert(!replay_is_fresh(&r, 0));
	for (uint64_t seq = 1; seq <= REPLAY_WINDOW_MAX; seq++) {
		ck_assert(replay_update(&r, seq));
		ck_assert(!replay_update(&r, seq));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("replay");
	TCase *tc = tcase_create("replay");

	tcase_add_test(tc, model_steps_are_reproduced);
	tcase_add_test(tc, asking_changes_nothing);
	tcase_add_test(tc, random_order_agrees_with_the_rule);
	tcase_add_test(tc, largest_window_is_whole);
	suite_add_tcase(suite, tc);
	return vectors_main(suite);
}
