#include <check.h>
#include <stdlib.h>

#include "datapath/dep.h"
#include "world.h"

START_TEST(different_things_have_different_deps)
{
	static const struct mac mac = M(1), mac2 = M(2);
	static const struct ip_addr ip = V4(1), ip2 = V6(1);
	dep_t deps[] = {
		dep_port(0),	   dep_port(1),	       dep_mac(1, &mac),
		dep_mac(2, &mac),  dep_mac(1, &mac2),  dep_ip(1, &ip),
		dep_ip(2, &ip),	   dep_ip(1, &ip2),    dep_network(0),
		dep_network(1),	   dep_peer(0),	       dep_peer(1),
		dep_underlay(&ip), dep_underlay(&ip2), dep_tunnel(),
	};
	size_t n = sizeof deps / sizeof deps[0];

	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; j < n; j++) {
			ck_assert_msg(deps[i] != deps[j], "%zu, %zu", i, j);
		}
	}
}
END_TEST

START_TEST(same_thing_has_same_dep)
{
	static const struct mac mac = M(1), again = M(1);

	ck_assert(dep_mac(1, &mac) == dep_mac(1, &again));
	ck_assert(dep_tunnel() == dep_tunnel());
}
END_TEST

START_TEST(small_set_holds_each_once)
{
	struct deps ds;

	deps_init(&ds);
	for (uint64_t i = 0; i < 100; i++) {
		deps_add(&ds, i % 10);
	}
	ck_assert_uint_eq(ds.n, 10);
	deps_clear(&ds);
	ck_assert_uint_eq(ds.n, 0);
	deps_add(&ds, 5);
	ck_assert_uint_eq(ds.n, 1);
	ck_assert(ds.v[0] == 5);
	deps_free(&ds);
	ck_assert_ptr_null(ds.v);
}
END_TEST

/* Adding the same again and again must neither grow it nor take for ever. */
START_TEST(large_set_holds_all_and_stays_bounded)
{
	enum {
		DISTINCT = 50000,
		ROUNDS = 20
	};
	bool *seen = calloc(DISTINCT, sizeof *seen);
	struct deps ds;

	deps_init(&ds);
	for (int r = 0; r < ROUNDS; r++) {
		for (uint64_t i = 0; i < DISTINCT; i++) {
			deps_add(&ds, i);
		}
	}
	ck_assert_uint_le(ds.allocated, 4 * DISTINCT);
	for (size_t i = 0; i < ds.n; i++) {
		ck_assert(ds.v[i] < DISTINCT);
		seen[ds.v[i]] = true;
	}
	for (size_t i = 0; i < DISTINCT; i++) {
		ck_assert(seen[i]);
	}
	deps_free(&ds);
	free(seen);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dep");
	TCase *t = tcase_create("dep");
	SRunner *r;
	int failed;

	tcase_add_test(t, different_things_have_different_deps);
	tcase_add_test(t, same_thing_has_same_dep);
	tcase_add_test(t, small_set_holds_each_once);
	tcase_add_test(t, large_set_holds_all_and_stays_bounded);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
