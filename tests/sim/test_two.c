/* Two hosts.
 *
 *	c1 -- a ========= b -- c2
 */
#include <check.h>
#include <stdlib.h>

#include "fake/world.h"

static struct world *two_hosts(uint64_t seed, const char *password)
{
	struct world *w = world_new(seed);

	world_add_host(w, "a", password);
	world_add_host(w, "b", password);
	return w;
}

static void ping_both_ways(struct world *w)
{
	struct host *a = world_host(w, 0), *b = world_host(w, 1);
	struct endpoint *c1 =
		host_attach(a, "c1", "[\"10.0.0.1/24\", \"fd00::1/64\"]", NULL);
	struct endpoint *c2 =
		host_attach(b, "c2", "[\"10.0.0.2/24\", \"fd00::2/64\"]", NULL);

	ck_assert_ptr_nonnull(c1);
	ck_assert_ptr_nonnull(c2);
	world_run(w, 100 * MS);
	if (!endpoint_reaches(c1, &c2->ips[0]) ||
	    !endpoint_reaches(c2, &c1->ips[0]) ||
	    !endpoint_reaches(c1, &c2->ips[1]) ||
	    !endpoint_reaches(c2, &c1->ips[1])) {
		world_fail(w, "no answer");
	}
}

static void one_dials(uint64_t seed)
{
	struct world *w = two_hosts(seed, "secret");
	struct host *a = world_host(w, 0), *b = world_host(w, 1);

	host_add_target(a, &b->v4);
	host_start_well(b);
	host_start_well(a);
	if (!world_connect(w, 10 * SEC)) {
		world_fail(w, "not connected");
	}
	ping_both_ways(w);
	world_free(w);
}

START_TEST(one_side_dials_containers_reach_each_other)
{
	world_each_seed(50, one_dials);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("two hosts");
	TCase *tcase = tcase_create("two");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, one_side_dials_containers_reach_each_other);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
