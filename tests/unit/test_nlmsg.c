#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "netlink/nlmsg.h"
#include "util.h"

START_TEST(message_built_is_read_back)
{
	const uint32_t fixed = 0x01020304;
	struct wbuf b = WBUF_INITIALIZER(0);
	struct span payload, value;
	struct nlmsghdr header;
	uint32_t back;
	uint16_t type;
	size_t start, nest;

	wbuf_u32(&b, 0); /* Another message may lie in front. */
	start = nlmsg_begin(&b, 77, NLM_F_ACK, 9);
	nlmsg_put_fixed(&b, &fixed, sizeof fixed);
	nlattr_put(&b, 1, "abcde", 5);
	nest = nlattr_nest(&b, 2);
	nlattr_put(&b, 3, NULL, 0);
	nlattr_nest_end(&b, nest);
	nlmsg_end(&b, start);
	ck_assert_int_eq(wbuf_done(&b), FDP_OK);
	ck_assert_uint_eq(b.size, 4 + 16 + 4 + 12 + 4 + 4);

	ck_assert_int_eq(
		nlmsg_read(span_of(b.data + 4, b.size - 4), &header, &payload),
		FDP_OK);
	ck_assert_uint_eq(header.nlmsg_len, b.size - 4);
	ck_assert_uint_eq(header.nlmsg_type, 77);
	ck_assert_uint_eq(header.nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
	ck_assert_uint_eq(header.nlmsg_seq, 9);
	ck_assert_int_eq(nlmsg_get_fixed(&payload, &back, sizeof back), FDP_OK);
	ck_assert_uint_eq(back, fixed);
	ck_assert_int_eq(nlattr_get(&payload, &type, &value), FDP_OK);
	ck_assert_uint_eq(type, 1);
	ck_assert_uint_eq(value.size, 5);
	ck_assert_mem_eq(value.data, "abcde", 5);
	ck_assert_int_eq(nlattr_get(&payload, &type, &value), FDP_OK);
	ck_assert_uint_eq(type, 2);
	ck_assert_uint_eq(payload.size, 0);
	ck_assert_int_eq(nlattr_get(&value, &type, &payload), FDP_OK);
	ck_assert_uint_eq(type, 3);
	ck_assert_uint_eq(payload.size, 0);
	wbuf_free(&b);
}
END_TEST

START_TEST(attribute_too_long_overflows)
{
	static const uint8_t zeros[UINT16_MAX];
	struct wbuf b = WBUF_INITIALIZER(0);
	size_t nest;

	nlattr_put(&b, 1, zeros, UINT16_MAX - sizeof(struct nlattr));
	ck_assert_int_eq(wbuf_done(&b), FDP_OK);
	nlattr_put(&b, 1, zeros, UINT16_MAX - sizeof(struct nlattr) + 1);
	ck_assert_int_eq(wbuf_done(&b), ERR_OVERSIZED);
	wbuf_clear(&b);
	nest = nlattr_nest(&b, 1);
	nlattr_put(&b, 1, zeros, 40000);
	nlattr_put(&b, 1, zeros, 40000);
	nlattr_nest_end(&b, nest);
	ck_assert_int_eq(wbuf_done(&b), ERR_OVERSIZED);
	wbuf_free(&b);
}
END_TEST

START_TEST(length_that_lies_is_refused)
{
	static const struct {
		uint32_t nlmsg_len;
		size_t size;
		enum err err;
	} cases[] = {
		{16, 15, ERR_TRUNCATED}, {16, 16, FDP_OK},
		{17, 16, ERR_TRUNCATED}, {15, 16, ERR_MALFORMED},
		{0, 16, ERR_MALFORMED},	 {UINT32_MAX, 32, ERR_TRUNCATED},
		{20, 32, FDP_OK},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nlmsghdr in = {.nlmsg_len = cases[i].nlmsg_len}, out;
		uint8_t *bytes = xzalloc(cases[i].size);
		struct span payload;

		memcpy(bytes, &in, MIN(sizeof in, cases[i].size));
		ck_assert_int_eq(nlmsg_read(span_of(bytes, cases[i].size), &out,
					    &payload),
				 cases[i].err);
		if (!cases[i].err) {
			ck_assert_uint_eq(payload.size,
					  cases[i].nlmsg_len - 16);
		}
		free(bytes);
	}
}
END_TEST

START_TEST(attribute_length_that_lies_is_refused)
{
	static const struct {
		uint16_t nla_len;
		size_t size;
		enum err err;
		size_t left;
	} cases[] = {
		{4, 3, ERR_TRUNCATED, 3}, {3, 4, ERR_MALFORMED, 4},
		{0, 8, ERR_MALFORMED, 8}, {9, 8, ERR_TRUNCATED, 8},
		{4, 4, FDP_OK, 0},	  {5, 5, FDP_OK, 0},
		{5, 7, FDP_OK, 0},	  {5, 12, FDP_OK, 4},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nlattr in = {.nla_len = cases[i].nla_len,
				    .nla_type = 5 | NLA_F_NESTED};
		uint8_t *bytes = xzalloc(cases[i].size);
		struct span attrs = span_of(bytes, cases[i].size), value;
		uint16_t type = 0;

		memcpy(bytes, &in, MIN(sizeof in, cases[i].size));
		ck_assert_int_eq(nlattr_get(&attrs, &type, &value),
				 cases[i].err);
		ck_assert_uint_eq(attrs.size, cases[i].left);
		if (!cases[i].err) {
			ck_assert_uint_eq(type, 5);
			ck_assert_uint_eq(value.size, cases[i].nla_len - 4u);
		}
		free(bytes);
	}
}
END_TEST

/* As netlink_ack() builds them: with the request in it or without. */
static void put_error(struct wbuf *b, int error, bool capped, const char *text)
{
	struct nlmsgerr e = {.error = error, .msg = {.nlmsg_len = 24}};
	uint16_t flags = (uint16_t)((capped ? NLM_F_CAPPED : 0) |
				    (text ? NLM_F_ACK_TLVS : 0));
	size_t start = nlmsg_begin(b, NLMSG_ERROR, flags, 1);

	nlmsg_put_fixed(b, &e, sizeof e);
	if (!capped) {
		nlmsg_put_fixed(b, "REQUEST!", 8);
	}
	if (text) {
		const uint32_t offset = 20;

		nlattr_put(b, NLMSGERR_ATTR_OFFS, &offset, sizeof offset);
		nlattr_put(b, NLMSGERR_ATTR_MSG, text, strlen(text) + 1);
	}
	nlmsg_end(b, start);
}

START_TEST(error_is_read_with_its_words)
{
	static const struct {
		int error;
		bool capped;
		const char *text;
	} cases[] = {
		{0, true, NULL},
		{-ENOSYS, true, "no such cipher"},
		{-ENOSYS, false, "no such cipher"},
		{-EEXIST, false, NULL},
		{-EINVAL, true, "longer than the room that is left for it"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct wbuf b = WBUF_INITIALIZER(0);
		char text[20], want[20];
		int error = 1;

		put_error(&b, cases[i].error, cases[i].capped, cases[i].text);
		ck_assert_int_eq(nlmsg_get_error(wbuf_span(&b), &error, text,
						 sizeof text),
				 FDP_OK);
		ck_assert_int_eq(error, -cases[i].error);
		ovs_strlcpy(want, cases[i].text ? cases[i].text : "",
			    sizeof want);
		ck_assert_str_eq(text, want);
		wbuf_free(&b);
	}
}
END_TEST

START_TEST(error_that_is_none_is_refused)
{
	static const int errors[] = {1, INT_MAX, INT_MIN};
	struct wbuf b = WBUF_INITIALIZER(0);
	uint16_t type = NLMSG_DONE;
	char text[20];
	int error;

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		put_error(&b, errors[i], true, NULL);
		ck_assert_int_eq(nlmsg_get_error(wbuf_span(&b), &error, text,
						 sizeof text),
				 ERR_MALFORMED);
		wbuf_clear(&b);
	}
	put_error(&b, 0, true, NULL);
	memcpy(b.data + 4, &type, sizeof type);
	ck_assert_int_eq(
		nlmsg_get_error(wbuf_span(&b), &error, text, sizeof text),
		ERR_MALFORMED);
	wbuf_free(&b);
}
END_TEST

START_TEST(error_cut_or_changed_anywhere_is_safe)
{
	struct wbuf b = WBUF_INITIALIZER(0);
	char text[20];
	int error;

	put_error(&b, -ENOSYS, false, "no such cipher");
	for (size_t size = 0; size < b.size; size++) {
		uint8_t *copy = xmemdup(b.data, size ? size : 1);

		ck_assert_int_eq(nlmsg_get_error(span_of(copy, size), &error,
						 text, sizeof text),
				 ERR_TRUNCATED);
		free(copy);
	}
	for (size_t i = 0; i < b.size; i++) {
		uint8_t *copy = xmemdup(b.data, b.size);

		for (unsigned int value = 0; value < 256; value++) {
			copy[i] = (uint8_t)value;
			if (!nlmsg_get_error(span_of(copy, b.size), &error,
					     text, sizeof text)) {
				ck_assert_uint_lt(strnlen(text, sizeof text),
						  sizeof text);
			}
		}
		free(copy);
	}
	wbuf_free(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nlmsg");
	TCase *tc = tcase_create("nlmsg");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, message_built_is_read_back);
	tcase_add_test(tc, attribute_too_long_overflows);
	tcase_add_test(tc, length_that_lies_is_refused);
	tcase_add_test(tc, attribute_length_that_lies_is_refused);
	tcase_add_test(tc, error_is_read_with_its_words);
	tcase_add_test(tc, error_that_is_none_is_refused);
	tcase_add_test(tc, error_cut_or_changed_anywhere_is_safe);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
