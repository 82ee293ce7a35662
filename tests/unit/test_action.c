#include <check.h>
#include <stdlib.h>

#include "packet/action.h"
#include "world.h"

/* "3, tunnel to 'vni', 1, mark, push, pop". */
static void fill(struct actions *as, uint32_t vni)
{
	static const struct ip_addr dst = U4(7);
	struct action *a;

	actions_init(as);
	actions_output(as, 3);
	a = actions_set_tunnel(as);
	a->tunnel.dst = dst;
	a->tunnel.vni = vni;
	a->tunnel.ttl = 64;
	actions_output(as, 1);
	actions_set_mark(as, 0x120, 0xf0);
	actions_push_vlan(as, 4094, 7);
	actions_pop_vlan(as);
}

START_TEST(list_keeps_order_while_it_grows)
{
	struct actions as;

	actions_init(&as);
	for (uint32_t i = 0; i < 1000; i++) {
		actions_output(&as, i);
	}
	ck_assert_uint_eq(as.n, 1000);
	for (uint32_t i = 0; i < 1000; i++) {
		ck_assert_int_eq(as.v[i].type, ACTION_OUTPUT);
		ck_assert_uint_eq(as.v[i].port, i);
	}
	actions_free(&as);
	ck_assert_uint_eq(as.n, 0);
}
END_TEST

START_TEST(new_tunnel_action_is_zero)
{
	struct actions as;
	struct action *a;

	actions_init(&as);
	a = actions_set_tunnel(&as);
	ck_assert_int_eq(a->type, ACTION_SET_TUNNEL);
	ck_assert(ip_is_zero(&a->tunnel.src) && ip_is_zero(&a->tunnel.dst));
	ck_assert(!a->tunnel.vni && !a->tunnel.tp_dst && !a->tunnel.ttl &&
		  !a->tunnel.tos && !a->tunnel.df && !a->tunnel.csum);
	actions_free(&as);
}
END_TEST

START_TEST(copy_is_equal_and_its_own)
{
	struct actions as, copy, empty, none;

	fill(&as, 1);
	actions_copy(&copy, &as);
	ck_assert(actions_equal(&as, &copy));
	actions_output(&copy, 9);
	ck_assert(!actions_equal(&as, &copy));
	ck_assert_uint_eq(as.n, 6);
	ck_assert_uint_eq(as.v[3].mark.value, 0x20);

	actions_init(&empty);
	actions_copy(&none, &empty);
	ck_assert(actions_equal(&empty, &none));
	ck_assert(!actions_equal(&empty, &as));
	actions_free(&copy);
	actions_free(&as);
}
END_TEST

START_TEST(any_differing_member_makes_lists_unequal)
{
	struct actions a, b;

#define DIFFER(STATEMENT)                          \
	do {                                       \
		fill(&a, 1);                       \
		fill(&b, 1);                       \
		ck_assert(actions_equal(&a, &b));  \
		STATEMENT;                         \
		ck_assert(!actions_equal(&a, &b)); \
		actions_free(&a);                  \
		actions_free(&b);                  \
	} while (0)

	DIFFER(b.v[0].port = 2);
	DIFFER(b.v[0].type = ACTION_SET_TUNNEL);
	DIFFER(b.v[1].tunnel.src.b[15] = 1);
	DIFFER(b.v[1].tunnel.dst.b[15] = 1);
	DIFFER(b.v[1].tunnel.vni = 2);
	DIFFER(b.v[1].tunnel.tp_dst = 2);
	DIFFER(b.v[1].tunnel.tos = 2);
	DIFFER(b.v[1].tunnel.ttl = 2);
	DIFFER(b.v[1].tunnel.df = true);
	DIFFER(b.v[1].tunnel.csum = true);
	DIFFER(b.v[3].mark.value = 0x10);
	DIFFER(b.v[3].mark.mask = 0x20);
	DIFFER(b.v[4].vlan.vid = 1);
	DIFFER(b.v[4].vlan.pcp = 6);
	DIFFER(b.v[5].type = ACTION_PUSH_VLAN);
	DIFFER(b.n--);
#undef DIFFER
}
END_TEST

START_TEST(borrowed_list_is_the_same_and_its_owner_frees_it)
{
	struct actions owner, borrowed;

	actions_init(&owner);
	actions_output(&owner, 1);
	actions_output(&owner, 2);
	actions_borrow(&borrowed, &owner);
	ck_assert_ptr_eq(borrowed.v, owner.v);
	ck_assert(actions_equal(&borrowed, &owner));
	actions_free(&borrowed);
	ck_assert_uint_eq(borrowed.n, 0);
	ck_assert_uint_eq(owner.n, 2);
	ck_assert_uint_eq(owner.v[1].port, 2);
	actions_free(&owner);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("action");
	TCase *t = tcase_create("action");
	SRunner *r;
	int failed;

	tcase_add_test(t, list_keeps_order_while_it_grows);
	tcase_add_test(t, new_tunnel_action_is_zero);
	tcase_add_test(t, copy_is_equal_and_its_own);
	tcase_add_test(t, borrowed_list_is_the_same_and_its_owner_frees_it);
	tcase_add_test(t, any_differing_member_makes_lists_unequal);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
