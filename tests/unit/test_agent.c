/* kmod-glue/agent: what it refuses, answers that come later, its end.  What it
 * does is in tests/kernel/test_hardening.sh. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <check.h>
#include <linux/if_tun.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "util.h"

#include "ipsec/netguard.h"
#include "kmod-glue/agent.h"
#include "kmod-glue/netns.h"
#include "kmod-glue/tap.h"
#include "kmod-glue/veth.h"

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
static int last_fds[TAP_QUEUES_MAX];
static size_t last_n_fds;

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

static void take(void *aux, const struct agent_result *r)
{
	ck_assert_ptr_eq(aux, &n_results);
	n_results++;
	ck_assert(any_order || r->cookie > last_cookie);
	last_cookie = r->cookie;
	last_work = r->work;
	last_error = r->error;
	ovs_strlcpy(last_text, r->text, sizeof last_text);
	ck_assert_uint_le(r->n_fds, ARRAY_SIZE(last_fds));
	ck_assert(!r->n_fds || (r->work == AGENT_TAP && !r->error));
	for (size_t i = 0; i < r->n_fds; i++) {
		last_fds[i] = r->fds[i];
	}
	last_n_fds = r->n_fds;
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

/* What `ip netns delete` leaves for a moment is gone, too. */
START_TEST(name_without_its_namespace_is_as_unknown)
{
	struct agent_mtu mtu = sample();

	strcpy(mtu.netns, "/dev/null");
	agent_set_mtu(agent, 42, &mtu);
	wait_for_results(1);
	ck_assert_int_eq(last_error, ENOENT);
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
static void endless_host_ifname(struct agent_mtu *mtu)
{
	memset(mtu->host_ifname, 'x', sizeof mtu->host_ifname);
}

static void no_ifname(struct agent_mtu *mtu)
{
	mtu->ifname[0] = '\0';
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
	endless_host_ifname, no_ifname, endless_ifname,
	endless_netns,	     tiny_mtu,	huge_mtu};

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

/* ---- TAPs ------------------------------------------------------------- */

static struct agent_tap sample_tap(void)
{
	struct agent_tap tap = {.ifname = "eth0",
				.netns = "no-such-fdp-test-netns",
				.n_queues = 3};

	return tap;
}

START_TEST(bad_tap_request_refused)
{
	for (uint64_t i = 1; i <= 5; i++) {
		struct agent_tap tap = sample_tap();

		switch (i) {
		case 1:
			tap.ifname[0] = '\0';
			break;
		case 2:
			memset(tap.ifname, 'x', sizeof tap.ifname);
			break;
		case 3:
			memset(tap.netns, 'x', sizeof tap.netns);
			break;
		case 4:
			tap.n_queues = 0;
			break;
		default:
			tap.n_queues = TAP_QUEUES_MAX + 1;
			break;
		}
		n_results = 0;
		agent_open_tap(agent, i, &tap);
		wait_for_results(1);
		ck_assert_int_eq(last_error, EINVAL);
		ck_assert_str_eq(last_text, "the agent refuses to do this");
	}
}
END_TEST

START_TEST(taps_and_mtus_answered_in_order)
{
	struct agent_tap tap = sample_tap();
	struct agent_mtu mtu = sample();

	for (uint64_t i = 1; i <= 10; i += 2) {
		agent_set_mtu(agent, i, &mtu);
		agent_open_tap(agent, i + 1, &tap);
	}
	wait_for_results(10);
	ck_assert_int_eq(last_work, AGENT_TAP);
	ck_assert_int_eq(last_error, ENOENT);
	ck_assert_uint_eq(last_n_fds, 0);
}
END_TEST

/* The only child that we have. */
static pid_t agent_pid(void)
{
	char text[32] = "";
	FILE *f = fopen("/proc/thread-self/children", "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(text, sizeof text, f));
	fclose(f);
	return (pid_t)atoi(text);
}

START_TEST(stuck_agent_is_waited_for_no_longer_than_said)
{
	struct agent_tap tap = sample_tap();
	const pid_t pid = agent_pid();

	ck_assert(!kill(pid, SIGSTOP));
	agent_open_tap(agent, 1, &tap);
	ck_assert(!agent_settle(agent, 50));
	agent_open_tap(agent, 2, &tap);
	ck_assert(!agent_settle(agent, 0));
	agent_run(agent, take, &n_results);
	ck_assert_int_eq(n_results, 0);
	/* It was not given up: when it goes on, so does all that waits. */
	ck_assert(!kill(pid, SIGCONT));
	ck_assert(agent_settle(agent, 60000));
	agent_run(agent, take, &n_results);
	ck_assert_int_eq(n_results, 2);
	ck_assert_int_eq(last_error, ENOENT);
}
END_TEST

static void refuse_tap(const char *ifname, const struct agent_tap *like)
{
	struct agent_tap tap = *like;

	ovs_strlcpy(tap.ifname, ifname, sizeof tap.ifname);
	n_results = 0;
	agent_open_tap(agent, last_cookie + 1, &tap);
	wait_for_results(1);
}

static void demand_queues(const char *ifname)
{
	ck_assert_msg(!last_error, "%s", last_text);
	ck_assert_uint_eq(last_n_fds, 3);
	for (size_t i = 0; i < 3; i++) {
		struct ifreq ifr = {.ifr_flags = 0};

		ck_assert(!ioctl(last_fds[i], TUNGETIFF, &ifr));
		ck_assert_str_eq(ifr.ifr_name, ifname);
		ck_assert(fcntl(last_fds[i], F_GETFD) & FD_CLOEXEC);
	}
}

/* In a namespace of our own: what attach makes, the agent opens, again and
 * again; it stays there with nobody serving it, and what is not ours is left
 * alone. */
START_TEST(tap_of_an_attachment_is_opened_in_its_namespace)
{
	struct attachment_request request = {
		.tap = true,
		.host_ifname = "fdp-test",
		.host_alias = "fdpd: ct0 in a test",
		.ifname = "ct0",
		.mac = {{2, 0, 0, 0, 0, 9}},
		.mtu = 1400,
	};
	struct agent_tap tap = sample_tap();
	struct agent_mtu mtu = sample();
	struct attachment found;
	char text[256] = "";
	int foreign;

	if (unshare(CLONE_NEWNET)) {
		return; /* Not root. */
	}
	snprintf(tap.netns, sizeof tap.netns, "/proc/%d/ns/net", getpid());
	ck_assert(!netns_open_pid(0, &request.netns_fd, text, sizeof text));
	ck_assert(!prefix_parse("10.9.0.1/24", &request.addresses[0]));
	ck_assert(!prefix_parse("fd00:9::1/64", &request.addresses[1]));
	request.n_addresses = 2;
	ck_assert_msg(!attachment_make(&request, text, sizeof text), "%s",
		      text);
	ck_assert_int_eq(attachment_make(&request, text, sizeof text), EEXIST);
	ovs_strlcpy(tap.ifname, "ct0", sizeof tap.ifname);
	for (uint64_t i = 1; i <= 2; i++) {
		n_results = 0;
		agent_open_tap(agent, i, &tap);
		wait_for_results(1);
		demand_queues("ct0");
		tap_close(last_fds, 3);
	}
	ovs_strlcpy(mtu.netns, tap.netns, sizeof mtu.netns);
	ovs_strlcpy(mtu.ifname, "ct0", sizeof mtu.ifname);
	mtu.host_ifname[0] = '\0';
	mtu.mtu = 1300;
	n_results = 0;
	agent_set_mtu(agent, 3, &mtu);
	wait_for_results(1);
	ck_assert_msg(!last_error, "%s", last_text);

	ck_assert_msg(!attachment_read(request.netns_fd, "ct0", &found, text,
				       sizeof text),
		      "%s", text);
	ck_assert(mac_equal(&found.link.mac, &request.mac));
	ck_assert_uint_eq(found.link.mtu, 1300);
	ck_assert(found.link.up);
	ck_assert_uint_eq(found.n_addresses, 2);

	/* What was not made by attach is not served. */
	ck_assert(!tap_open("foreign0", 1, &foreign));
	refuse_tap("foreign0", &tap);
	ck_assert_int_eq(last_error, EINVAL);
	refuse_tap("lo", &tap);
	ck_assert_int_eq(last_error, EINVAL);
	refuse_tap("nothing0", &tap);
	ck_assert_int_eq(last_error, ENODEV);
	ck_assert_int_eq(attachment_remove_tap(request.netns_fd, "foreign0",
					       text, sizeof text),
			 EINVAL);
	tap_close(&foreign, 1);
	ck_assert(!attachment_remove_tap(request.netns_fd, "ct0", text,
					 sizeof text));
	ck_assert_int_eq(attachment_remove_tap(request.netns_fd, "ct0", text,
					       sizeof text),
			 ENODEV);
	close(request.netns_fd);
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
	tcase_add_test(tc, name_without_its_namespace_is_as_unknown);
	tcase_add_test(tc, many_requests_answered_in_order);
	tcase_add_loop_test(tc, bad_mtu_request_refused, 0,
			    (int)ARRAY_SIZE(spoilers));
	tcase_add_test(tc, bad_tap_request_refused);
	tcase_add_test(tc, taps_and_mtus_answered_in_order);
	tcase_add_test(tc, stuck_agent_is_waited_for_no_longer_than_said);
	tcase_add_test(tc, tap_of_an_attachment_is_opened_in_its_namespace);
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
