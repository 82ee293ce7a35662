#include "base/binding.h"

#include "vectors.h"

static struct binding sample(void)
{
	const uint8_t v4[4] = {10, 0, 0, 1};
	struct binding b = {.vni = 7, .mac = {{2, 0, 0, 0, 0, 1}}, .n_ips = 2};

	b.ips[0] = ip_from_v4(v4);
	b.ips[1] = ip_link_local_of(&b.mac);
	return b;
}

START_TEST(bindings_differ_by_any_field)
{
	struct binding a = sample(), b = sample();
	struct binding_key ka = binding_key(&a), kb;

	/* What is behind the last address does not count. */
	b.ips[2].b[0] = 1;
	ck_assert(binding_equal(&a, &b));
	b.ips[1].b[15] ^= 1;
	ck_assert(!binding_equal(&a, &b));
	b = sample();
	b.n_ips = 1;
	ck_assert(!binding_equal(&a, &b));
	kb = binding_key(&b);
	ck_assert(binding_key_equal(&ka, &kb));
	b = sample();
	b.vni = 8;
	kb = binding_key(&b);
	ck_assert(!binding_equal(&a, &b) && !binding_key_equal(&ka, &kb));
	b = sample();
	b.mac.b[5] = 2;
	kb = binding_key(&b);
	ck_assert(!binding_equal(&a, &b) && !binding_key_equal(&ka, &kb));
}
END_TEST

START_TEST(only_stations_are_valid)
{
	const uint8_t group[4] = {224, 0, 0, 1};
	struct binding b = sample();

	ck_assert(binding_is_valid(&b));
	b.n_ips = 0;
	b.vni = VNI_MAX;
	ck_assert(binding_is_valid(&b));
	b.vni = VNI_MAX + 1;
	ck_assert(!binding_is_valid(&b));
	b = sample();
	b.mac.b[0] |= 1;
	ck_assert(!binding_is_valid(&b));
	b.mac = (struct mac){{0}};
	ck_assert(!binding_is_valid(&b));
	b = sample();
	b.n_ips = BINDING_MAX_IPS + 1;
	ck_assert(!binding_is_valid(&b));
	b = sample();
	b.ips[1] = (struct ip_addr){{0}};
	ck_assert(!binding_is_valid(&b));
	b.ips[1] = ip_from_v4(group);
	ck_assert(!binding_is_valid(&b));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("binding");
	TCase *tc = tcase_create("binding");

	tcase_add_test(tc, bindings_differ_by_any_field);
	tcase_add_test(tc, only_stations_are_valid);
	suite_add_tcase(suite, tc);
	return vectors_main(suite);
}
