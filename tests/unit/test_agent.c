/* kmod-glue/agent: what it refuses, answers that come later, its end.  What it
 * does is in tests/kernel/test_hardening.sh. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "util.h"

#include "ipsec/netguard.h"
#include "kmod-glue/agent.h"

enum {
	PORT = 6784
};

static struct agent *agent;
static struct ds why;

/* What agent_run() told last. */
static int n_results, last_error;
static uint64_t last_cookie;
static char last_text[256];
static enum agent_work last_work;
static bool any_order;

static void setup(void)
{
	ds_init(&why);
	ck_assert_msg(!agent_start(PORT, false, &agent, &why), "%s",
		      ds_cstr(&why));
	n_results = 0;
	last_cookie = 0;
	any_order = false;
}

static void teardown(void)
{
	agent_stop(agent);
	ds_destroy(&why);
}

static void take(void *aux, enum agent_work work, uint64_t cookie, int error,
		 const char *text)
{
	ck_assert_ptr_eq(aux, &n_results);
	n_results++;
	ck_assert(any_order || cookie > last_cookie);
	last_cookie = cookie;
	last_work = work;
	last_error = error;
	ovs_strlcpy(last_text, text, sizeof last_text);
}

static void wait_for_results(int n)
{
	for (;;) {
		agent_run(agent, take, &n_results);
		if (n_results >= n) {
			break;
		}
		agent_wait(agent);
		poll_block();
	}
	ck_assert_int_eq(n_results, n);
}

static struct agent_mtu sample(void)
{
	struct agent_mtu mtu = {.host_ifname = "no-host-if",
				.ifname = "eth0",
				.netns = "no-such-fdp-test-netns",
				.mtu = 1416};

	return mtu;
}

START_TEST(unknown_namespace_is_told_later)
{
	struct agent_mtu mtu = sample();

	agent_set_mtu(agent, 42, &mtu);
	ck_assert_int_eq(n_results, 0);
	wait_for_results(1);
	ck_assert_int_eq(last_error, ENOENT);
	ck_assert_int_eq(last_work, AGENT_MTU);
	ck_assert_uint_eq(last_cookie, 42);
	ck_assert_msg(strstr(last_text, mtu.netns), "%s", last_text);
}
END_TEST

START_TEST(many_requests_answered_in_order)
{
	struct agent_mtu mtu = sample();

	for (uint64_t i = 1; i <= 20; i++) {
		agent_set_mtu(agent, i, &mtu);
	}
	wait_for_results(20);
	ck_assert_uint_eq(last_cookie, 20);
}
END_TEST

/* Each spoils one thing. */
static void no_host_ifname(struct agent_mtu *mtu)
{
	mtu->host_ifname[0] = '\0';
}

static void endless_ifname(struct agent_mtu *mtu)
{
	memset(mtu->ifname, 'x', sizeof mtu->ifname);
}

static void endless_netns(struct agent_mtu *mtu)
{
	memset(mtu->netns, 'x', sizeof mtu->netns);
}

static void tiny_mtu(struct agent_mtu *mtu)
{
	mtu->mtu = 67;
}

static void huge_mtu(struct agent_mtu *mtu)
{
	mtu->mtu = 65536;
}

static void (*const spoilers[])(struct agent_mtu *) = {
	no_host_ifname, endless_ifname, endless_netns, tiny_mtu, huge_mtu};

START_TEST(bad_mtu_request_refused)
{
	struct agent_mtu mtu = sample();

	spoilers[_i](&mtu);
	agent_set_mtu(agent, 1, &mtu);
	wait_for_results(1);
	ck_assert_int_eq(last_error, EINVAL);
	ck_assert_str_eq(last_text, "the agent refuses to do this");
}
END_TEST

static void demand_refused(const struct guard_rules *rules, int error)
{
	agent_guard_put(agent, 1, rules);
	ck_assert_int_eq(n_results, 0);
	wait_for_results(1);
	ck_assert_int_eq(last_work, AGENT_GUARD_PUT);
	ck_assert_int_eq(last_error, error);
}

START_TEST(guard_of_another_port_refused)
{
	const struct guard_rules rules = {.udp_port = PORT + 1};

	demand_refused(&rules, EINVAL);
}
END_TEST

START_TEST(guard_for_a_peer_without_address_refused)
{
	struct ip_endpoint peers[2] = {{.port = 1}, {.port = 2}};
	const struct guard_rules rules = {
		.udp_port = PORT, .peers = peers, .n_peers = 2};

	demand_refused(&rules, EINVAL);
}
END_TEST

/* It would be plain with everybody. */
START_TEST(guard_for_a_pair_without_address_refused)
{
	struct guard_pair pairs[1] = {{.port = 1, .out = 1}};
	const struct guard_rules rules = {
		.udp_port = PORT, .pairs = pairs, .n_pairs = 1};

	demand_refused(&rules, EINVAL);
}
END_TEST

START_TEST(guard_for_too_many_pairs_refused)
{
	const struct guard_rules rules = {.udp_port = PORT,
					  .n_pairs = GUARD_MAX_PAIRS + 1};

	demand_refused(&rules, E2BIG);
}
END_TEST

START_TEST(guard_for_too_many_peers_refused)
{
	const struct guard_rules rules = {.udp_port = PORT,
					  .n_peers = AGENT_MAX_GUARD_PEERS + 1};

	demand_refused(&rules, E2BIG);
}
END_TEST

START_TEST(question_between_mtus_loses_none)
{
	const struct guard_rules rules = {.udp_port = PORT + 1};
	struct agent_mtu mtu = sample();

	agent_set_mtu(agent, 1, &mtu);
	agent_set_mtu(agent, 2, &mtu);
	ck_assert(!agent_guard_settle(agent));
	agent_guard_put(agent, 3, &rules);
	ck_assert(agent_guard_settle(agent));
	ck_assert(!agent_guard_settle(agent));
	any_order = true;
	wait_for_results(3);
}
END_TEST

START_TEST(guards_told_in_order)
{
	const struct guard_rules rules = {.udp_port = PORT + 1};

	for (uint64_t i = 1; i <= 5; i++) {
		agent_guard_put(agent, i, &rules);
	}
	wait_for_results(5);
	ck_assert_uint_eq(last_cookie, 5);
}
END_TEST

START_TEST(forgotten_guard_not_told)
{
	const struct guard_rules rules = {.udp_port = PORT + 1};

	agent_guard_put(agent, 1, &rules);
	agent_forget(agent);
	agent_guard_put(agent, 2, &rules);
	wait_for_results(1);
	ck_assert_uint_eq(last_cookie, 2);
}
END_TEST

START_TEST(forgotten_requests_not_told)
{
	struct agent_mtu mtu = sample();

	agent_set_mtu(agent, 1, &mtu);
	agent_set_mtu(agent, 2, &mtu);
	agent_forget(agent);
	agent_set_mtu(agent, 3, &mtu);
	wait_for_results(1);
	ck_assert_uint_eq(last_cookie, 3);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent");
	TCase *tc = tcase_create("agent");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, unknown_namespace_is_told_later);
	tcase_add_test(tc, many_requests_answered_in_order);
	tcase_add_loop_test(tc, bad_mtu_request_refused, 0,
			    (int)ARRAY_SIZE(spoilers));
	tcase_add_test(tc, guard_of_another_port_refused);
	tcase_add_test(tc, guard_for_a_peer_without_address_refused);
	tcase_add_test(tc, guard_for_a_pair_without_address_refused);
	tcase_add_test(tc, guard_for_too_many_pairs_refused);
	tcase_add_test(tc, guard_for_too_many_peers_refused);
	tcase_add_test(tc, question_between_mtus_loses_none);
	tcase_add_test(tc, guards_told_in_order);
	tcase_add_test(tc, forgotten_guard_not_told);
	tcase_add_test(tc, forgotten_requests_not_told);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
