#include "base/span.h"

#include "vectors.h"

static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};

START_TEST(integers_are_big_endian)
{
	struct span s = span_of(bytes, sizeof bytes);
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	ck_assert_int_eq(span_u8(&s, &u8), FDP_OK);
	ck_assert_uint_eq(u8, 1);
	ck_assert_int_eq(span_u16(&s, &u16), FDP_OK);
	ck_assert_uint_eq(u16, 0x0203);
	ck_assert_int_eq(span_u32(&s, &u32), FDP_OK);
	ck_assert_uint_eq(u32, 0x04050607);
	ck_assert_uint_eq(s.size, 2);
	s = span_of(bytes, sizeof bytes);
	ck_assert_int_eq(span_u64(&s, &u64), FDP_OK);
	ck_assert_uint_eq(u64, 0x0102030405060708);
	ck_assert_uint_eq(s.size, 1);
	ck_assert_ptr_eq(s.data, bytes + 8);
}
END_TEST

START_TEST(reading_past_the_end_changes_nothing)
{
	struct span s, cut = span_of(NULL, 77);
	uint8_t u8 = 0xee, to[4] = {0xee, 0xee, 0xee, 0xee};
	uint16_t u16 = 0xeeee;
	uint32_t u32 = 0xeeeeeeee;
	uint64_t u64 = 0xeeeeeeeeeeeeeeee;

	s = span_of(bytes, 0);
	ck_assert_int_eq(span_u8(&s, &u8), ERR_TRUNCATED);
	s = span_of(bytes, 1);
	ck_assert_int_eq(span_u16(&s, &u16), ERR_TRUNCATED);
	s = span_of(bytes, 3);
	ck_assert_int_eq(span_u32(&s, &u32), ERR_TRUNCATED);
	ck_assert_int_eq(span_bytes(&s, to, 4), ERR_TRUNCATED);
	ck_assert_int_eq(span_cut(&s, 4, &cut), ERR_TRUNCATED);
	ck_assert_int_eq(span_cut(&s, SIZE_MAX, &cut), ERR_TRUNCATED);
	s = span_of(bytes, 7);
	ck_assert_int_eq(span_u64(&s, &u64), ERR_TRUNCATED);
	ck_assert_ptr_eq(s.data, bytes);
	ck_assert_uint_eq(s.size, 7);
	ck_assert_uint_eq(u8, 0xee);
	ck_assert_uint_eq(u16, 0xeeee);
	ck_assert_uint_eq(u32, 0xeeeeeeee);
	ck_assert_uint_eq(u64, 0xeeeeeeeeeeeeeeee);
	ck_assert_uint_eq(to[0], 0xee);
	ck_assert_uint_eq(cut.size, 77);
}
END_TEST

START_TEST(parts_are_cut_in_order)
{
	struct span s = span_of(bytes, sizeof bytes), cut;
	uint8_t to[3];

	ck_assert_int_eq(span_bytes(&s, to, sizeof to), FDP_OK);
	ck_assert_mem_eq(to, bytes, sizeof to);
	ck_assert_int_eq(span_cut(&s, 6, &cut), FDP_OK);
	ck_assert_bytes_eq(cut, bytes + 3, 6);
	ck_assert_uint_eq(s.size, 0);
	ck_assert_int_eq(span_cut(&s, 0, &cut), FDP_OK);
	ck_assert_uint_eq(cut.size, 0);
	ck_assert_int_eq(span_bytes(&s, NULL, 0), FDP_OK);
}
END_TEST

START_TEST(written_integers_are_big_endian)
{
	struct wbuf b = WBUF_INITIALIZER(0);
	static const uint8_t want[] = {1,  2,  3,  4,  5,  6,  7,   8,	9,
				       10, 11, 12, 13, 14, 15, 'x', 'y'};

	wbuf_u8(&b, 1);
	wbuf_u16(&b, 0x0203);
	wbuf_u32(&b, 0x04050607);
	wbuf_u64(&b, 0x08090a0b0c0d0e0f);
	wbuf_bytes(&b, "xy", 2);
	wbuf_bytes(&b, NULL, 0);
	ck_assert_bytes_eq(wbuf_span(&b), want, sizeof want);
	ck_assert_int_eq(wbuf_done(&b), FDP_OK);
	wbuf_free(&b);
	ck_assert_uint_eq(b.size, 0);
	ck_assert_ptr_null(b.data);
	wbuf_u8(&b, 7);
	ck_assert_uint_eq(b.size, 1);
	wbuf_free(&b);
}
END_TEST

START_TEST(writes_beyond_max_are_dropped_whole)
{
	struct wbuf b = WBUF_INITIALIZER(5);

	wbuf_u32(&b, 1);
	wbuf_u16(&b, 2);
	ck_assert_uint_eq(b.size, 4);
	ck_assert_int_eq(wbuf_done(&b), ERR_OVERSIZED);
	/* Nothing more gets in, although a byte would fit. */
	wbuf_u8(&b, 3);
	wbuf_bytes(&b, "x", 1);
	ck_assert_ptr_null(wbuf_room(&b, 0));
	ck_assert_uint_eq(b.size, 4);
	wbuf_clear(&b);
	ck_assert_int_eq(wbuf_done(&b), FDP_OK);
	wbuf_bytes(&b, "12345", 5);
	ck_assert_int_eq(wbuf_done(&b), FDP_OK);
	ck_assert_uint_eq(b.size, 5);
	wbuf_free(&b);
}
END_TEST

START_TEST(room_is_zero_and_never_null_unless_full)
{
	struct wbuf b = WBUF_INITIALIZER(0);
	uint8_t *at = wbuf_room(&b, 0);

	ck_assert_ptr_nonnull(at);
	ck_assert_int_eq(wbuf_done(&b), FDP_OK);
	wbuf_bytes(&b, "dirt", 4);
	wbuf_clear(&b);
	at = wbuf_room(&b, 4);
	ck_assert_ptr_nonnull(at);
	ck_assert(sodium_is_zero(at, 4));
	wbuf_free(&b);
}
END_TEST

START_TEST(growing_keeps_content)
{
	struct wbuf b = WBUF_INITIALIZER(0);

	for (uint32_t i = 0; i < 10000; i++) {
		wbuf_u32(&b, i);
	}
	for (uint32_t i = 0; i < 10000; i++) {
		struct span s = span_of(b.data + (size_t)4 * i, 4);
		uint32_t value;

		ck_assert_int_eq(span_u32(&s, &value), FDP_OK);
		ck_assert_uint_eq(value, i);
	}
	wbuf_free(&b);
}
END_TEST

START_TEST(pulling_drops_the_front)
{
	struct wbuf b = WBUF_INITIALIZER(0);

	wbuf_pull(&b, 3);
	wbuf_bytes(&b, "abcdef", 6);
	wbuf_pull(&b, 0);
	wbuf_pull(&b, 2);
	ck_assert_bytes_eq(wbuf_span(&b), "cdef", 4);
	wbuf_pull(&b, 100);
	ck_assert_uint_eq(b.size, 0);
	wbuf_free(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("span");
	TCase *tc = tcase_create("span");

	tcase_add_test(tc, integers_are_big_endian);
	tcase_add_test(tc, reading_past_the_end_changes_nothing);
	tcase_add_test(tc, parts_are_cut_in_order);
	tcase_add_test(tc, written_integers_are_big_endian);
	tcase_add_test(tc, writes_beyond_max_are_dropped_whole);
	tcase_add_test(tc, room_is_zero_and_never_null_unless_full);
	tcase_add_test(tc, growing_keeps_content);
	tcase_add_test(tc, pulling_drops_the_front);
	suite_add_tcase(suite, tc);
	return vectors_main(suite);
}
