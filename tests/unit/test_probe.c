#include "packet/probe.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "packet/parse.h"

static const struct probe_frame sample = {.sender = {{1, 2, [15] = 3}},
					  .number = 0x0102030405060708,
					  .lane = 5,
					  .size = 100};

static struct wbuf frame_of(uint16_t size)
{
	struct probe_frame p = sample;
	struct wbuf b = WBUF_INITIALIZER(0);

	p.size = size;
	probe_put(&b, &p);
	return b;
}

START_TEST(frame_comes_back_as_put)
{
	static const uint16_t sizes[] = {PROBE_MIN_BYTES, PROBE_MIN_BYTES + 1,
					 1416, PROBE_MAX_BYTES};
	struct wbuf b = frame_of(sizes[_i]);
	struct probe_frame p;
	struct flow flow;

	ck_assert_uint_eq(b.size, PROBE_ETH_BYTES + (size_t)sizes[_i]);
	ck_assert_int_eq(probe_get(wbuf_span(&b), &p), FDP_OK);
	ck_assert(peer_id_equal(&p.sender, &sample.sender));
	ck_assert_uint_eq(p.number, sample.number);
	ck_assert_uint_eq(p.lane, sample.lane);
	ck_assert_uint_eq(p.size, sizes[_i]);
	ck_assert_int_eq(parse_frame(wbuf_span(&b), &flow), FDP_OK);
	ck_assert_uint_eq(flow.eth_type, PROBE_ETH_TYPE);
	ck_assert(!mac_is_group(&flow.eth_dst) && !mac_is_group(&flow.eth_src));
	wbuf_free(&b);
}
END_TEST

/* As docs/PROTOCOL.md has it. */
START_TEST(layout_is_as_specified)
{
	static const uint8_t want[] = {
		2,    0,    0,	  0x66, 0x64, 0x70, 2,	0, 0, 0x66, 0x64,
		0x70, 0x88, 0xb5, 1,	5,    0,    28, 1, 2, 3,    4,
		5,    6,    7,	  8,	1,    2,    0,	0, 0, 0,    0,
		0,    0,    0,	  0,	0,    0,    0,	0, 3};
	struct wbuf b = frame_of(PROBE_MIN_BYTES);

	ck_assert_uint_eq(b.size, sizeof want);
	ck_assert_mem_eq(b.data, want, sizeof want);
	wbuf_free(&b);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
	struct wbuf b = frame_of(sample.size);
	struct probe_frame p;

	for (size_t size = 0; size < b.size; size++) {
		uint8_t *copy = malloc(size + 1);

		memcpy(copy, b.data, size);
		ck_assert_int_eq(probe_get(span_of(copy, size), &p),
				 ERR_TRUNCATED);
		free(copy);
	}
	wbuf_free(&b);
}
END_TEST

static const struct {
	const char *what;
	size_t offset;
	const char *bytes;
	size_t size;
	enum err err;
} nonsense[] = {
	{"another ethertype", 12, "\x08", 1, ERR_UNSUPPORTED},
	{"another version", 14, "\2", 1, ERR_UNSUPPORTED},
	{"too small", 16, "\0\x1b", 2, ERR_RANGE},
	{"too large", 16, "\xff\xff", 2, ERR_RANGE},
	{"more than there is", 16, "\0\x65", 2, ERR_TRUNCATED},
	{"less than there is", 16, "\0\x63", 2, ERR_MALFORMED},
	{"nobody", 26, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, ERR_MALFORMED},
};

START_TEST(nonsense_is_refused_as_in_table)
{
	struct wbuf b = frame_of(sample.size);
	struct probe_frame p = sample;

	memcpy(b.data + nonsense[_i].offset, nonsense[_i].bytes,
	       nonsense[_i].size);
	ck_assert_int_eq(probe_get(wbuf_span(&b), &p), nonsense[_i].err);
	ck_assert_mem_eq(&p, &sample, sizeof p);
	wbuf_free(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("probe");
	TCase *tc = tcase_create("probe");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, frame_comes_back_as_put, 0, 4);
	tcase_add_test(tc, layout_is_as_specified);
	tcase_add_test(tc, every_truncation_is_refused);
	tcase_add_loop_test(tc, nonsense_is_refused_as_in_table, 0,
			    sizeof nonsense / sizeof nonsense[0]);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
