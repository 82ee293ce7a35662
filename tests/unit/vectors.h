/* Test data from tests/vectors, for the tests that read it: JSON in, bytes out.
 * What is missing or misspelt in a file fails the test at once. */
#ifndef FDP_TESTS_UNIT_VECTORS_H
#define FDP_TESTS_UNIT_VECTORS_H 1

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openvswitch/json.h>
#include <openvswitch/shash.h>
#include <sodium.h>

#include "base/span.h"

enum {
	VECTOR_MAX_BYTES = 16384
};

/* A byte string of a vector. */
struct vector_bytes {
	size_t size;
	uint8_t b[VECTOR_MAX_BYTES];
};

static inline struct json *vectors_load(const char *name)
{
	char path[512];
	struct json *json;

	snprintf(path, sizeof path, "%s/tests/vectors/%s", FDP_SOURCE_DIR,
		 name);
	json = json_from_file(path);
	ck_assert_msg(json && json->type != JSON_STRING, "%s: %s", path,
		      json ? json_string(json) : "?");
	return json;
}

static inline const struct json *vector_member(const struct json *object,
					       const char *name)
{
	const struct json *member;

	ck_assert_int_eq(object->type, JSON_OBJECT);
	member = shash_find_data(json_object(object), name);
	ck_assert_msg(member, "no member '%s'", name);
	return member;
}

static inline size_t vector_count(const struct json *array)
{
	ck_assert_int_eq(array->type, JSON_ARRAY);
	ck_assert_uint_gt(json_array(array)->n, 0);
	return json_array(array)->n;
}

static inline const struct json *vector_at(const struct json *array, size_t i)
{
	ck_assert_int_eq(array->type, JSON_ARRAY);
	ck_assert_uint_lt(i, json_array(array)->n);
	return json_array(array)->elems[i];
}

static inline const char *vector_string(const struct json *object,
					const char *name)
{
	return json_string(vector_member(object, name));
}

static inline long long vector_integer(const struct json *object,
				       const char *name)
{
	return json_integer(vector_member(object, name));
}

static inline void vector_from_hex(const char *hex, struct vector_bytes *out)
{
	const char *end;

	ck_assert_int_eq(sodium_hex2bin(out->b, sizeof out->b, hex, strlen(hex),
					NULL, &out->size, &end),
			 0);
	ck_assert_int_eq(*end, '\0');
}

/* The hexadecimal member 'name'. */
static inline void vector_hex(const struct json *object, const char *name,
			      struct vector_bytes *out)
{
	vector_from_hex(vector_string(object, name), out);
}

/* The same, of exactly 'size' bytes. */
static inline void vector_fixed(const struct json *object, const char *name,
				void *out, size_t size)
{
	struct vector_bytes bytes;

	vector_hex(object, name, &bytes);
	ck_assert_uint_eq(bytes.size, size);
	memcpy(out, bytes.b, size);
}

static inline struct span vector_span(const struct vector_bytes *v)
{
	return span_of(v->b, v->size);
}

#define ck_assert_bytes_eq(SPAN, DATA, SIZE)                          \
	do {                                                          \
		struct span span_ = (SPAN);                           \
		ck_assert_uint_eq(span_.size, (SIZE));                \
		if (span_.size) {                                     \
			ck_assert_mem_eq(span_.data, (DATA), (SIZE)); \
		}                                                     \
	} while (0)

/* The main() of a test program: runs 'suite' and reports. */
static inline int vectors_main(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
