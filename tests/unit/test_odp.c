#include "netlink/odp.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"

#include "kmod-glue/flow_print.h"
#include "unit/odp_shapes.h"

/* A mask that matches everything. */
static struct flow all_ones(void)
{
	struct flow m;

	memset(&m, 0xff, sizeof m);
	m.tunnel.present = true;
	m.tunnel.flags = FLOW_TNL_KEY | FLOW_TNL_DF | FLOW_TNL_CSUM;
	return m;
}

/* ---- text ---- */

START_TEST(exact_match_on_every_shape_prints_like_ovs_dpctl)
{
	const struct shape *s = &shapes[_i];
	struct flow mask = all_ones();
	struct ds ds = DS_EMPTY_INITIALIZER;

	flow_print_key(&ds, &s->flow, &mask);
	ck_assert_msg(!strcmp(ds_cstr(&ds), s->text),
		      "%s:\n  got    %s\n  wanted %s", s->name, ds_cstr(&ds),
		      s->text);
	ds_destroy(&ds);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("odp");
	TCase *tc = tcase_create("text");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc,
			    exact_match_on_every_shape_prints_like_ovs_dpctl, 0,
			    N_SHAPES);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
