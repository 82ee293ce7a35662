/* ipsec/netguard: the rules, as text. */
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "openvswitch/dynamic-string.h"

#include "ipsec/netguard.h"

static struct ip_endpoint peers[2];
static struct guard_pair pairs[3];
static struct guard_rules rules;
static struct ds text;

static void setup(void)
{
	memset(peers, 0, sizeof peers);
	ck_assert(!ip_addr_parse("192.0.2.7", &peers[0].ip));
	peers[0].port = 7001;
	ck_assert(!ip_addr_parse("2001:db8::7", &peers[1].ip));
	peers[1].port = 7002;
	rules.udp_port = 6784;
	rules.peers = peers;
	rules.n_peers = 0;
	memset(pairs, 0, sizeof pairs);
	ck_assert(!ip_addr_parse("192.0.2.1", &pairs[0].local));
	ck_assert(!ip_addr_parse("192.0.2.7", &pairs[0].remote));
	pairs[0].port = 7001;
	pairs[0].out = pairs[0].in = 1;
	ck_assert(!ip_addr_parse("2001:db8::1", &pairs[1].local));
	ck_assert(!ip_addr_parse("2001:db8::7", &pairs[1].remote));
	pairs[1].port = 6784;
	pairs[1].in = 1;
	rules.pairs = pairs;
	rules.n_pairs = 0;
	ds_init(&text);
}

static void teardown(void)
{
	ds_destroy(&text);
}

static size_t count(const char *needle)
{
	size_t n = 0;

	for (const char *s = ds_cstr(&text); (s = strstr(s, needle)); s++) {
		n++;
	}
	return n;
}

static size_t n_rules(void)
{
	return count("drop\n") + count("notrack\n") + count("accept\n");
}

START_TEST(nft_script_replaces_the_table_in_one_go)
{
	guard_rules_nft(&rules, true, &text);
	ck_assert_ptr_eq(strstr(ds_cstr(&text), "add table inet fdp_guard\n"
						"delete table inet fdp_guard\n"
						"table inet fdp_guard {\n"),
			 ds_cstr(&text));
	ck_assert_uint_eq(
		count("udp dport 6784 rt ipsec missing counter drop\n"), 1);
	ck_assert_uint_eq(
		count("udp dport 6784 meta ipsec missing counter drop\n"), 1);
	ck_assert_uint_eq(count("udp dport 6784 notrack\n"), 2);
	ck_assert_uint_eq(n_rules(), guard_rules_nft_n(&rules, true));
	ck_assert_uint_eq(count("{"), count("}"));
}
END_TEST

START_TEST(nft_without_conntrack_only_drops)
{
	guard_rules_nft(&rules, false, &text);
	ck_assert_uint_eq(count("notrack"), 0);
	ck_assert_uint_eq(count("drop"), 4);
	ck_assert_uint_eq(n_rules(), guard_rules_nft_n(&rules, false));
}
END_TEST

START_TEST(nft_peers_on_other_ports_by_address)
{
	rules.n_peers = 2;
	guard_rules_nft(&rules, false, &text);
	ck_assert_uint_eq(count("\nip daddr 192.0.2.7 udp dport 7001 rt ipsec "
				"missing counter drop\n"),
			  1);
	ck_assert_uint_eq(count("\nip6 daddr 2001:db8::7 udp dport 7002 rt "
				"ipsec missing counter drop\n"),
			  1);
	ck_assert_uint_eq(n_rules(), guard_rules_nft_n(&rules, false));
}
END_TEST

/* Protocol and port of the packet that the error quotes, at their bits. */
START_TEST(nft_errors_that_quote_the_tunnel_dropped)
{
	guard_rules_nft(&rules, false, &text);
	ck_assert_uint_eq(count("\nicmp type destination-unreachable @th,136,8 "
				"17 @th,240,16 6784 counter drop\n"),
			  1);
	ck_assert_uint_eq(count("\nicmpv6 type destination-unreachable "
				"@th,112,8 17 @th,400,16 6784 counter drop\n"),
			  1);
}
END_TEST

START_TEST(iptables_lines_each_family_its_own_peers)
{
	rules.n_peers = 2;
	guard_rules_mangle(&rules, false, &text);
	ck_assert_str_eq(
		ds_cstr(&text),
		"-A FDP-GUARD-OUT -p udp -m udp --dport 6784 -m policy --dir "
		"out --pol none -j DROP\n"
		"-A FDP-GUARD-OUT -d 192.0.2.7/32 -p udp -m udp --dport 7001 "
		"-m policy --dir out --pol none -j DROP\n"
		"-A FDP-GUARD-OUT -p icmp -m icmp --icmp-type 3 -m u32 --u32 "
		"\"0x0>>0x16&0x3c@0xe&0xff=0x11&&0x0>>0x16&0x3c@0x1c&0xffff="
		"0x1a80\" -j DROP\n"
		"-A FDP-GUARD-IN -p udp -m udp --dport 6784 -m policy --dir in "
		"--pol none -j DROP\n");
	ds_clear(&text);
	guard_rules_mangle(&rules, true, &text);
	ck_assert_uint_eq(count("-d 2001:db8::7/128 -p udp -m udp --dport "
				"7002 "),
			  1);
	ck_assert_uint_eq(count("192.0.2.7"), 0);
	ck_assert_uint_eq(
		count("-A FDP-GUARD-OUT -p ipv6-icmp -m icmp6 --icmpv6-type 1 "
		      "-m u32 --u32 \"0x33&0xff=0x11&&0x58&0xffff=0x1a80\" "
		      "-j DROP\n"),
		1);
	ck_assert_uint_eq(count("\n"), 4);
}
END_TEST

/* Exact to the host, the direction and the port, and ahead of what drops. */
START_TEST(nft_pairs_that_may_be_plain)
{
	rules.n_pairs = 2;
	guard_rules_nft(&rules, false, &text);
	ck_assert_ptr_nonnull(
		strstr(ds_cstr(&text),
		       "priority 300;\n"
		       "ip saddr 192.0.2.1 ip daddr 192.0.2.7 udp dport 7001 "
		       "counter accept\n"
		       "udp dport 6784 rt ipsec missing counter drop\n"));
	ck_assert_ptr_nonnull(
		strstr(ds_cstr(&text),
		       "priority -150;\n"
		       "ip saddr 192.0.2.7 ip daddr 192.0.2.1 udp dport 6784 "
		       "counter accept\n"
		       "ip6 saddr 2001:db8::7 ip6 daddr 2001:db8::1 udp dport "
		       "6784 counter accept\n"
		       "udp dport 6784 meta ipsec missing counter drop\n"));
	ck_assert_uint_eq(count("accept"), 3);
	ck_assert_uint_eq(n_rules(), guard_rules_nft_n(&rules, false));
}
END_TEST

START_TEST(iptables_pairs_that_may_be_plain)
{
	rules.n_pairs = 2;
	guard_rules_mangle(&rules, false, &text);
	ck_assert_str_eq(
		ds_cstr(&text),
		"-A FDP-GUARD-OUT -s 192.0.2.1/32 -d 192.0.2.7/32 -p udp -m udp "
		"--dport 7001 -j RETURN\n"
		"-A FDP-GUARD-OUT -p udp -m udp --dport 6784 -m policy --dir "
		"out --pol none -j DROP\n"
		"-A FDP-GUARD-OUT -p icmp -m icmp --icmp-type 3 -m u32 --u32 "
		"\"0x0>>0x16&0x3c@0xe&0xff=0x11&&0x0>>0x16&0x3c@0x1c&0xffff="
		"0x1a80\" -j DROP\n"
		"-A FDP-GUARD-IN -s 192.0.2.7/32 -d 192.0.2.1/32 -p udp -m udp "
		"--dport 6784 -j RETURN\n"
		"-A FDP-GUARD-IN -p udp -m udp --dport 6784 -m policy --dir in "
		"--pol none -j DROP\n");
	ds_clear(&text);
	guard_rules_mangle(&rules, true, &text);
	ck_assert_uint_eq(count("RETURN"), 1);
	ck_assert_uint_eq(count("-A FDP-GUARD-IN -s 2001:db8::7/128 -d "
				"2001:db8::1/128 -p udp -m udp --dport 6784 -j "
				"RETURN\n"),
			  1);
}
END_TEST

START_TEST(iptables_untracked)
{
	guard_rules_raw(&rules, &text);
	ck_assert_str_eq(ds_cstr(&text), "-A FDP-NOTRACK -p udp -m udp --dport "
					 "6784 -j CT --notrack\n");
}
END_TEST

START_TEST(kinds_have_stable_names)
{
	ck_assert_str_eq(guard_kind_name(GUARD_NONE), "none");
	ck_assert_str_eq(guard_kind_name(GUARD_NFTABLES), "nftables");
	ck_assert_str_eq(guard_kind_name(GUARD_IPTABLES), "iptables");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("netguard");
	TCase *tc = tcase_create("netguard");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nft_script_replaces_the_table_in_one_go);
	tcase_add_test(tc, nft_without_conntrack_only_drops);
	tcase_add_test(tc, nft_peers_on_other_ports_by_address);
	tcase_add_test(tc, nft_errors_that_quote_the_tunnel_dropped);
	tcase_add_test(tc, iptables_lines_each_family_its_own_peers);
	tcase_add_test(tc, nft_pairs_that_may_be_plain);
	tcase_add_test(tc, iptables_pairs_that_may_be_plain);
	tcase_add_test(tc, iptables_untracked);
	tcase_add_test(tc, kinds_have_stable_names);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
