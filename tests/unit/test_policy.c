#include "datapath/lane.h"
#include "ipsec/policy.h"

#include "vectors.h"

static const struct {
	const char *local, *remote;
} pairs[] = {
	{"192.0.2.1", "192.0.2.2"},
	{"2001:db8::1", "2001:db8::2"},
};

static struct ip_addr ip(const char *text)
{
	struct ip_addr result;

	ck_assert_int_eq(ip_addr_parse(text, &result), FDP_OK);
	return result;
}

START_TEST(blocks_cover_both_ways_and_families)
{
	bool seen[2][2] = {{false}};

	for (unsigned int i = 0; i < POLICY_N_BLOCKS; i++) {
		struct xfrm_policy p;

		memset(&p, 0xff, sizeof p);
		policy_make_block(&p, i, 6784);
		ck_assert(p.block);
		ck_assert(ip_is_zero(&p.src) && ip_is_zero(&p.dst));
		ck_assert_uint_eq(p.udp_port, 6784);
		ck_assert_uint_eq(p.priority, XFRM_PRIORITY_BLOCK);
		ck_assert(xfrm_policy_is_ours(&p));
		ck_assert(!seen[p.dir == XFRM_DIR_OUT][p.v6]);
		seen[p.dir == XFRM_DIR_OUT][p.v6] = true;
	}
}
END_TEST

START_TEST(peer_policies_above_the_block_and_for_its_addresses)
{
	struct ip_addr local = ip(pairs[_i].local);
	struct ip_addr remote = ip(pairs[_i].remote);
	struct xfrm_policy in, out, pinned, block;

	policy_make_in(&in, &local, &remote, 6784, 0x0fd00001);
	policy_make_out(&out, &local, &remote, 7000, 0x0fd00001, 0);
	policy_make_out(&pinned, &local, &remote, 7000, 0x0fd00001, 0x1234);
	policy_make_block(&block, 0, 6784);
	ck_assert_int_eq(in.dir, XFRM_DIR_IN);
	ck_assert(ip_equal(&in.src, &remote) && ip_equal(&in.dst, &local));
	ck_assert_uint_eq(in.udp_port, 6784);
	ck_assert_uint_eq(in.spi, 0);
	ck_assert_int_eq(out.dir, XFRM_DIR_OUT);
	ck_assert(ip_equal(&out.src, &local) && ip_equal(&out.dst, &remote));
	ck_assert_uint_eq(out.udp_port, 7000);
	ck_assert_uint_eq(out.spi, 0);
	ck_assert_uint_eq(pinned.spi, 0x1234);
	ck_assert(!in.block && !out.block);
	ck_assert_uint_eq(in.reqid, 0x0fd00001);
	ck_assert_uint_eq(out.reqid, 0x0fd00001);
	ck_assert(in.v6 == (_i == 1) && out.v6 == (_i == 1));
	/* The kernel takes the lower number first. */
	ck_assert_uint_lt(in.priority, block.priority);
	ck_assert_uint_lt(out.priority, block.priority);
	ck_assert(xfrm_policy_is_ours(&in) && xfrm_policy_is_ours(&out));
	ck_assert(xfrm_policy_same_selector(&out, &pinned));
	ck_assert(!xfrm_policy_same_selector(&in, &out));
	ck_assert(!xfrm_policy_same_selector(&in, &block));
}
END_TEST

START_TEST(lanes_apart_by_mark_and_above_lane_0)
{
	struct ip_addr local = ip(pairs[_i].local);
	struct ip_addr remote = ip(pairs[_i].remote);
	struct xfrm_policy first, p[LANES_MAX];

	policy_make_out(&first, &local, &remote, 7000, 0x0fd00001, 0x1234);
	for (unsigned int i = 0; i < LANES_MAX; i++) {
		p[i] = first;
		policy_set_lane(&p[i], i);
		ck_assert_uint_eq(policy_lane(&p[i]), i);
		ck_assert(xfrm_policy_is_ours(&p[i]));
		/* A packet of one lane is none of another, or of 0x4000. */
		ck_assert_uint_eq(lane_mark(i) & ~0xf0u, 0);
		for (unsigned int j = 0; j < i; j++) {
			ck_assert(!xfrm_policy_same_selector(&p[i], &p[j]));
			ck_assert((lane_mark(j) & p[i].mark_mask) != p[i].mark);
		}
	}
	/* With one lane all is as if there were no lanes. */
	ck_assert_mem_eq(&p[0], &first, sizeof first);
	for (unsigned int i = 1; i < LANES_MAX; i++) {
		ck_assert_uint_eq(lane_mark(i) & p[i].mark_mask, p[i].mark);
		ck_assert_uint_lt(p[i].priority, p[0].priority);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy");
	TCase *tcase = tcase_create("policy");

	tcase_add_test(tcase, blocks_cover_both_ways_and_families);
	tcase_add_loop_test(tcase,
			    peer_policies_above_the_block_and_for_its_addresses,
			    0, sizeof pairs / sizeof pairs[0]);
	tcase_add_loop_test(tcase, lanes_apart_by_mark_and_above_lane_0, 0,
			    sizeof pairs / sizeof pairs[0]);
	suite_add_tcase(suite, tcase);
	return vectors_main(suite);
}
