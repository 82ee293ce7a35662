#include <check.h>
#include <stdlib.h>

#include "datapath/vlan.h"

enum {
	ALL = VLAN_VID_MAX - VLAN_VID_MIN + 1
};

static struct vlans *vlans;
static struct deps changed;

static void setup(void)
{
	vlans = vlans_new();
	deps_init(&changed);
}

static void teardown(void)
{
	vlans_free(vlans);
	deps_free(&changed);
}

static bool has_changed(dep_t dep)
{
	for (size_t i = 0; i < changed.n; i++) {
		if (changed.v[i] == dep) {
			return true;
		}
	}
	return false;
}

START_TEST(pair_has_one_number_and_number_one_pair)
{
	static const struct vlan pairs[] = {
		{.peer = 0, .vni = 0}, /* Probes. */
		{.peer = 0, .vni = 1},
		{.peer = 1, .vni = 0},
		{.peer = UINT32_MAX, .vni = (1 << 24) - 1},
	};
	uint16_t vids[4];

	for (size_t i = 0; i < 4; i++) {
		vids[i] = vlans_get(vlans, pairs[i].peer, pairs[i].vni);
		ck_assert_uint_ge(vids[i], VLAN_VID_MIN);
		ck_assert_uint_le(vids[i], VLAN_VID_MAX);
		for (size_t j = 0; j < i; j++) {
			ck_assert_uint_ne(vids[i], vids[j]);
		}
	}
	for (size_t i = 0; i < 4; i++) {
		const struct vlan *v = vlans_find(vlans, vids[i]);

		ck_assert_uint_eq(vlans_get(vlans, pairs[i].peer, pairs[i].vni),
				  vids[i]);
		ck_assert_uint_eq(v->vid, vids[i]);
		ck_assert_uint_eq(v->peer, pairs[i].peer);
		ck_assert_uint_eq(v->vni, pairs[i].vni);
	}
	ck_assert_ptr_null(vlans_find(vlans, 0));
	ck_assert_ptr_null(vlans_find(vlans, 4095));
	ck_assert_ptr_null(vlans_find(vlans, (uint16_t)(vids[3] + 1)));
}
END_TEST

START_TEST(changes_are_told_once_and_in_order)
{
	struct vlan v;
	uint16_t first = vlans_get(vlans, 7, 1), second;
	bool removed;

	ck_assert_uint_eq(vlans_get(vlans, 7, 1), first);
	vlans_remove_peer(vlans, 8, &changed);
	ck_assert_uint_eq(changed.n, 0);
	vlans_remove_peer(vlans, 7, &changed);
	second = vlans_get(vlans, 7, 1);
	ck_assert(vlans_next(vlans, &v, &removed));
	ck_assert(!removed && v.vid == first && v.peer == 7 && v.vni == 1);
	ck_assert(vlans_next(vlans, &v, &removed));
	ck_assert(removed && v.vid == first && v.peer == 7 && v.vni == 1);
	ck_assert(vlans_next(vlans, &v, &removed));
	ck_assert(!removed && v.vid == second);
	ck_assert(!vlans_next(vlans, &v, &removed));
}
END_TEST

/* Frames with the old number may lie in a queue. */
START_TEST(freed_number_rests_while_there_are_others)
{
	uint16_t freed = vlans_get(vlans, 7, 1);

	vlans_remove_peer(vlans, 7, &changed);
	ck_assert(has_changed(dep_vid(freed)));
	for (uint32_t i = 1; i < ALL; i++) {
		ck_assert_uint_ne(vlans_get(vlans, 8, i), freed);
	}
	ck_assert_uint_eq(vlans_get(vlans, 8, ALL), freed);
}
END_TEST

START_TEST(all_in_use_gives_none_until_a_peer_goes)
{
	for (uint32_t i = 0; i < ALL; i++) {
		ck_assert_uint_ne(vlans_get(vlans, i, 1), 0);
	}
	ck_assert_uint_eq(vlans_get(vlans, ALL, 1), 0);
	ck_assert_uint_ne(vlans_get(vlans, ALL - 1, 1), 0);
	/* Those that got none have to ask again. */
	vlans_remove_peer(vlans, 5, &changed);
	ck_assert(has_changed(dep_trunk()));
	deps_clear(&changed);
	vlans_remove_peer(vlans, 6, &changed);
	ck_assert(!has_changed(dep_trunk()));
	ck_assert_uint_ne(vlans_get(vlans, ALL, 1), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vlan");
	TCase *t = tcase_create("vlan");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, pair_has_one_number_and_number_one_pair);
	tcase_add_test(t, changes_are_told_once_and_in_order);
	tcase_add_test(t, freed_number_rests_while_there_are_others);
	tcase_add_test(t, all_in_use_gives_none_until_a_peer_goes);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
