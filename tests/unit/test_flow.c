#include <check.h>
#include <stdlib.h>

#include "world.h"

/* Bits that say something: all but padding and 'present', a bool. */
static bool is_field(size_t byte)
{
	struct flow all, none;
	uint8_t *b = (uint8_t *)&all;

	memset(&all, 0, sizeof all);
	all.tunnel.present = true;
	none = all;
	b[byte] ^= 1;
	return byte != offsetof(struct flow, tunnel.present) &&
	       !flow_equal(&all, &none);
}

START_TEST(only_bits_of_the_mask_count)
{
	struct dice d = {3};
	int n = 0;

	for (size_t byte = 0; byte < sizeof(struct flow); byte++) {
		struct flow a, b, mask;

		if (!is_field(byte)) {
			continue;
		}
		n++;
		dice_fill(&d, &a, sizeof a);
		a.tunnel.present = true;
		b = a;
		((uint8_t *)&b)[byte] ^= 0x24;
		memset(&mask, 0xff, sizeof mask);
		mask.tunnel.present = true;
		ck_assert(!flow_equal(&a, &b));
		ck_assert(!flow_equal_masked(&a, &b, &mask));
		((uint8_t *)&mask)[byte] = 0xfb;
		ck_assert(!flow_equal_masked(&a, &b, &mask));
		((uint8_t *)&mask)[byte] = 0xdb;
		ck_assert(flow_equal_masked(&a, &b, &mask));
	}
	/* Four addresses, two MACs and so on: nothing has been forgotten. */
	ck_assert_int_eq(n, 4 + 2 * 16 + 4 + 3 + 2 * 6 + 2 + 2 + 2 + 4 + 4 +
				    2 * 16 + 3 * 2 + 2 + 2 * 6 + 16 + 2 * 6);
}
END_TEST

START_TEST(tunnel_counts_if_the_mask_has_it)
{
	struct flow with = {.tunnel = {.present = true, .src = U4(7)}};
	struct flow without = {.in_port = 0}, mask = {.in_port = 1};

	ck_assert(flow_equal_masked(&with, &without, &mask));
	mask.tunnel.vni = 0xffffff;
	ck_assert(flow_equal_masked(&with, &without, &mask));
	mask.tunnel.present = true;
	ck_assert(!flow_equal_masked(&with, &without, &mask));
	ck_assert(!flow_equal(&with, &without));
}
END_TEST

/* Whichever form the mask of an IPv4 address has, an IPv6 one is another. */
START_TEST(tunnels_of_two_families_differ)
{
	struct flow four = {.tunnel = {.present = true, .src = U4(7)}};
	struct flow six = four, mask = {.tunnel = {.present = true}};

	memset(six.tunnel.src.b, 0x20, 12);
	memset(mask.tunnel.src.b + 12, 0xff, 4);
	ck_assert(!flow_equal_masked(&four, &six, &mask));
	six.tunnel.src = four.tunnel.src;
	ck_assert(flow_equal_masked(&four, &six, &mask));
}
END_TEST

START_TEST(neighbour_discovery_is_told_apart)
{
	static const struct {
		struct flow flow;
		bool is_nd;
	} cases[] = {
		{{.eth_type = ETH_TYPE_IPV6, .nw_proto = 58, .tp_src = 135}, 1},
		{{.eth_type = ETH_TYPE_IPV6, .nw_proto = 58, .tp_src = 136}, 1},
		{{.eth_type = ETH_TYPE_IPV6, .nw_proto = 58, .tp_src = 134}, 0},
		{{.eth_type = ETH_TYPE_IPV6, .nw_proto = 17, .tp_src = 135}, 0},
		{{.eth_type = ETH_TYPE_IPV4, .nw_proto = 58, .tp_src = 135}, 0},
		{{.eth_type = ETH_TYPE_IPV6,
		  .nw_proto = 58,
		  .tp_src = 135,
		  .nw_frag = FLOW_FRAG_LATER},
		 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		ck_assert(flow_is_nd(&cases[i].flow) == cases[i].is_nd);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("flow");
	TCase *t = tcase_create("flow");
	SRunner *r;
	int failed;

	tcase_add_test(t, only_bits_of_the_mask_count);
	tcase_add_test(t, tunnel_counts_if_the_mask_has_it);
	tcase_add_test(t, tunnels_of_two_families_differ);
	tcase_add_test(t, neighbour_discovery_is_told_apart);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
