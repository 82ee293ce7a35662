/* The assertions of Check for programs that no runner of Check runs: helpers of
 * the unit tests serve the fuzz targets, too. */
#ifndef FDP_TESTS_FUZZ_CHECK_H
#define FDP_TESTS_FUZZ_CHECK_H 1

#include "fuzz/fuzz.h"

#define ck_assert(CONDITION)	 REQUIRE(CONDITION)
#define ck_assert_int_eq(A, B)	 REQUIRE((A) == (B))
#define ck_assert_int_ge(A, B)	 REQUIRE((A) >= (B))
#define ck_assert_uint_eq(A, B)	 REQUIRE((A) == (B))
#define ck_assert_uint_gt(A, B)	 REQUIRE((A) > (B))
#define ck_assert_uint_lt(A, B)	 REQUIRE((A) < (B))
#define ck_assert_str_eq(A, B)	 REQUIRE(!strcmp(A, B))
#define ck_assert_ptr_nonnull(A) REQUIRE((A) != NULL)
#define ck_assert_msg(C, ...)	 REQUIRE(C)
#define ck_abort_msg(...)	 REQUIRE(!"not reached")

/* Named by helpers that nobody calls here; not defined anywhere. */
typedef struct Suite Suite;
typedef struct SRunner SRunner;
enum {
	CK_ENV
};
SRunner *srunner_create(Suite *);
void srunner_run_all(SRunner *, int);
int srunner_ntests_failed(SRunner *);
void srunner_free(SRunner *);

#endif
