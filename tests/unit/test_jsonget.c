#include "base/jsonget.h"

#include "vectors.h"

static struct json *json;

static void setup(void)
{
	json = json_from_string("{\"text\": \"x\", \"empty\": \"\", "
				"\"number\": 5, \"real\": 5.5, "
				"\"big\": 9223372036854775807, "
				"\"small\": -9223372036854775808, "
				"\"list\": [1, \"two\"], \"none\": [], "
				"\"null\": null, \"yes\": true, \"sub\": {}}");
	ck_assert_int_eq(json->type, JSON_OBJECT);
}

static void teardown(void)
{
	json_destroy(json);
}

START_TEST(member_of_the_right_kind_found)
{
	int64_t value = 0;

	ck_assert_str_eq(jsonget_string(json, "text"), "x");
	ck_assert_str_eq(jsonget_string(json, "empty"), "");
	ck_assert(jsonget_integer(json, "number", 5, 5, &value));
	ck_assert_int_eq(value, 5);
	ck_assert(jsonget_integer(json, "big", INT64_MIN, INT64_MAX, &value));
	ck_assert(value == INT64_MAX);
	ck_assert(jsonget_integer(json, "small", INT64_MIN, INT64_MAX, &value));
	ck_assert(value == INT64_MIN);
	ck_assert_uint_eq(jsonget_n(jsonget(json, "list")), 2);
	ck_assert_int_eq(jsonget_at(jsonget(json, "list"), 1)->type,
			 JSON_STRING);
	ck_assert_int_eq(jsonget(json, "sub")->type, JSON_OBJECT);
}
END_TEST

START_TEST(anything_else_is_as_good_as_none)
{
	static const char *const names[] = {"text", "empty", "real", "list",
					    "null", "yes",   "sub",  "missing"};
	struct json *number = json_integer_create(5);
	int64_t value = 77;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		ck_assert(!jsonget_integer(json, names[i], INT64_MIN, INT64_MAX,
					   &value));
		if (i >= 2) {
			ck_assert_ptr_null(jsonget_string(json, names[i]));
		}
		if (strcmp(names[i], "list")) {
			ck_assert_uint_eq(jsonget_n(jsonget(json, names[i])),
					  0);
		}
	}
	ck_assert(!jsonget_integer(json, "number", 6, 10, &value));
	ck_assert(!jsonget_integer(json, "number", -5, 4, &value));
	ck_assert_int_eq(value, 77);
	ck_assert_ptr_null(jsonget(NULL, "text"));
	ck_assert_ptr_null(jsonget_string(NULL, "text"));
	ck_assert_ptr_null(jsonget(number, "text"));
	ck_assert_uint_eq(jsonget_n(NULL), 0);
	json_destroy(number);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("jsonget");
	TCase *tcase = tcase_create("jsonget");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, member_of_the_right_kind_found);
	tcase_add_test(tcase, anything_else_is_as_good_as_none);
	suite_add_tcase(suite, tcase);
	return vectors_main(suite);
}
