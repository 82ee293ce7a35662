#include "base/addr.h"

#include "vectors.h"

static struct ip_addr ip_of(const char *text)
{
	struct ip_addr ip;

	ck_assert_msg(!ip_addr_parse(text, &ip), "%s", text);
	return ip;
}

static struct mac mac_of(const char *text)
{
	struct mac mac;

	ck_assert_msg(!mac_parse(text, &mac), "%s", text);
	return mac;
}

START_TEST(mac_text_is_read_as_in_table)
{
	static const struct {
		const char *text, *want; /* NULL: refused. */
	} table[] = {
		{"02:00:00:aa:bb:cc", "02:00:00:aa:bb:cc"},
		{"02:00:00:AA:bB:Cc", "02:00:00:aa:bb:cc"},
		{"ff:ff:ff:ff:ff:ff", "ff:ff:ff:ff:ff:ff"},
		{"", NULL},
		{"02:00:00:aa:bb", NULL},
		{"02:00:00:aa:bb:cc:", NULL},
		{"02:00:00:aa:bb:cc:dd", NULL},
		{"02-00-00-aa-bb-cc", NULL},
		{"2:0:0:aa:bb:cc", NULL},
		{"02:00:00:aa:bb:cg", NULL},
		{"0 :00:00:aa:bb:cc", NULL},
		{"02:00:00:aa:bb:c\n", NULL},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		char buf[MAC_STRLEN];
		struct mac mac;
		enum err err = mac_parse(table[i].text, &mac);

		ck_assert_msg(err == (table[i].want ? FDP_OK : ERR_MALFORMED),
			      "'%s'", table[i].text);
		if (!err) {
			ck_assert_str_eq(mac_format(&mac, buf), table[i].want);
		}
	}
}
END_TEST

START_TEST(mac_kinds_are_told_apart)
{
	struct mac zero = mac_of("00:00:00:00:00:00");
	struct mac one = mac_of("02:00:00:00:00:01");
	struct mac group = mac_of("01:00:5e:00:00:01");
	struct mac all = mac_of("ff:ff:ff:ff:ff:ff");

	ck_assert(mac_is_zero(&zero) && !mac_is_zero(&one));
	ck_assert(!mac_is_group(&zero) && !mac_is_group(&one));
	ck_assert(mac_is_group(&group) && mac_is_group(&all));
	ck_assert(mac_is_broadcast(&all) && !mac_is_broadcast(&group));
	ck_assert(mac_equal(&one, &one) && !mac_equal(&one, &zero));
}
END_TEST

START_TEST(ip_text_is_read_as_in_table)
{
	static const struct {
		const char *text, *want;
		bool v4;
	} table[] = {
		{"10.1.2.3", "10.1.2.3", true},
		{"0.0.0.0", "0.0.0.0", true},
		{"::ffff:10.1.2.3", "10.1.2.3", true},
		{"2001:DB8:0:0::1", "2001:db8::1", false},
		{"::", "::", false},
		{"10.1.2", NULL, false},
		{"10.1.2.256", NULL, false},
		{"10.1.2.3 ", NULL, false},
		{"010.1.2.3", NULL, false},
		{"host", NULL, false},
		{"fe80::1%eth0", NULL, false},
		{"2001:db8:::1", NULL, false},
		{"", NULL, false},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		char buf[IP_STRLEN];
		struct ip_addr ip;
		enum err err = ip_addr_parse(table[i].text, &ip);

		ck_assert_msg(err == (table[i].want ? FDP_OK : ERR_MALFORMED),
			      "'%s'", table[i].text);
		if (!err) {
			ck_assert_str_eq(ip_format(&ip, buf), table[i].want);
			ck_assert(ip_is_v4(&ip) == table[i].v4);
		}
	}
}
END_TEST

START_TEST(ip_kinds_are_told_apart)
{
	struct ip_addr none = {{0}}, v4 = ip_of("10.0.0.1");
	struct ip_addr v6 = ip_of("2001:db8::1"), ll = ip_of("fe80::1");
	struct ip_addr group4 = ip_of("239.1.1.1"), group6 = ip_of("ff02::1");
	struct ip_addr edge = ip_of("febf::1"), out = ip_of("fec0::1");

	ck_assert(ip_is_zero(&none) && !ip_is_zero(&v4));
	ck_assert(ip_addr_is_multicast(&group4));
	ck_assert(ip_addr_is_multicast(&group6));
	ck_assert(!ip_addr_is_multicast(&v4) && !ip_addr_is_multicast(&v6));
	ck_assert(ip_is_link_local6(&ll) && ip_is_link_local6(&edge));
	ck_assert(!ip_is_link_local6(&out) && !ip_is_link_local6(&v4));
	ck_assert_mem_eq(ip_v4_bytes(&v4), "\x0a\0\0\1", 4);
	ck_assert(ip_equal(&v4, &v4) && !ip_equal(&v4, &v6));
	ck_assert_int_lt(ip_compare(&v4, &v6), 0);
	ck_assert_int_eq(ip_compare(&v6, &v6), 0);
}
END_TEST

START_TEST(link_local_of_mac_is_modified_eui64)
{
	/* RFC 4291 appendix A, RFC 2464 4: an example of the latter. */
	struct mac mac = mac_of("34:56:78:9a:bc:de");
	struct ip_addr want = ip_of("fe80::3656:78ff:fe9a:bcde");
	struct ip_addr got = ip_link_local_of(&mac);

	ck_assert(ip_equal(&got, &want));
}
END_TEST

START_TEST(prefix_text_is_read_as_in_table)
{
	static const struct {
		const char *text, *want;
		enum err err;
	} table[] = {
		{"10.0.0.1/24", "10.0.0.1/24", FDP_OK},
		{"10.0.0.1", "10.0.0.1/32", FDP_OK},
		{"fd00::1", "fd00::1/128", FDP_OK},
		{"fd00::1/0", "fd00::1/0", FDP_OK},
		{"10.0.0.1/33", NULL, ERR_RANGE},
		{"fd00::1/129", NULL, ERR_RANGE},
		{"10.0.0.1/99999999999999999999", NULL, ERR_RANGE},
		{"10.0.0.1/", NULL, ERR_MALFORMED},
		{"10.0.0.1/-1", NULL, ERR_MALFORMED},
		{"10.0.0.1/2x", NULL, ERR_MALFORMED},
		{"/24", NULL, ERR_MALFORMED},
		{"10.0.0.1.10.0.0.1.10.0.0.1.10.0.0.1.10.0.0.1.1/8", NULL,
		 ERR_MALFORMED},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		char buf[PREFIX_STRLEN];
		struct ip_prefix p;

		ck_assert_msg(prefix_parse(table[i].text, &p) == table[i].err,
			      "'%s'", table[i].text);
		if (!table[i].err) {
			ck_assert_str_eq(prefix_format(&p, buf), table[i].want);
		}
	}
}
END_TEST

START_TEST(prefix_contains_as_in_table)
{
	static const struct {
		const char *prefix, *ip;
		bool in;
	} table[] = {
		{"10.0.0.0/24", "10.0.0.255", true},
		{"10.0.0.0/24", "10.0.1.0", false},
		{"10.0.0.128/25", "10.0.0.127", false},
		{"10.0.0.128/25", "10.0.0.128", true},
		{"0.0.0.0/0", "255.255.255.255", true},
		{"0.0.0.0/0", "::1", false},
		{"::/0", "10.0.0.1", false},
		{"::/0", "ffff::", true},
		{"fd00::/9", "fd7f::", true},
		{"fd00::/9", "fd80::", false},
		{"fd00::1", "fd00::1", true},
		{"fd00::1", "fd00::2", false},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct ip_addr ip = ip_of(table[i].ip);
		struct ip_prefix p;

		ck_assert_int_eq(prefix_parse(table[i].prefix, &p), FDP_OK);
		ck_assert_msg(prefix_contains(&p, &ip) == table[i].in,
			      "%s in %s", table[i].ip, table[i].prefix);
	}
}
END_TEST

START_TEST(prefix_of_a_host_as_in_table)
{
	static const struct {
		const char *prefix;
		bool host;
	} table[] = {
		{"10.0.0.1/24", true},	  {"10.0.0.0/24", false},
		{"10.0.0.255/24", false}, {"10.0.0.255/16", true},
		{"10.0.0.0/16", false},	  {"10.0.1.0/16", true},
		{"10.0.0.0/30", false},	  {"10.0.0.3/30", false},
		{"10.0.0.0/31", true},	  {"10.0.0.1/31", true},
		{"10.0.0.0/32", true},	  {"10.0.0.0", true},
		{"fd00::1/64", true},	  {"fd00::/64", false},
		{"fd00::ff/120", true},	  {"fd00::/126", false},
		{"fd00::3/126", true},	  {"fd00::/127", true},
		{"fd00::/128", true},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct ip_prefix p;

		ck_assert_int_eq(prefix_parse(table[i].prefix, &p), FDP_OK);
		ck_assert_msg(prefix_is_host(&p) == table[i].host, "%s",
			      table[i].prefix);
	}
}
END_TEST

START_TEST(endpoint_text_is_read_as_in_table)
{
	static const struct {
		const char *text, *want;
		enum err err;
	} table[] = {
		{"10.0.0.1", "10.0.0.1:6783", FDP_OK},
		{"10.0.0.1:80", "10.0.0.1:80", FDP_OK},
		{"fd00::1", "[fd00::1]:6783", FDP_OK},
		{"[fd00::1]", "[fd00::1]:6783", FDP_OK},
		{"[fd00::1]:65535", "[fd00::1]:65535", FDP_OK},
		{"10.0.0.1:0", NULL, ERR_RANGE},
		{"10.0.0.1:65536", NULL, ERR_RANGE},
		{"10.0.0.1:", NULL, ERR_MALFORMED},
		{"10.0.0.1:+1", NULL, ERR_MALFORMED},
		{"[fd00::1", NULL, ERR_MALFORMED},
		{"[fd00::1]80", NULL, ERR_MALFORMED},
		{":80", NULL, ERR_MALFORMED},
		{"host:80", NULL, ERR_MALFORMED},
		{"", NULL, ERR_MALFORMED},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		char buf[ENDPOINT_STRLEN];
		struct ip_endpoint e, again;

		ck_assert_msg(endpoint_parse(table[i].text, 6783, &e) ==
				      table[i].err,
			      "'%s'", table[i].text);
		if (!table[i].err) {
			ck_assert_str_eq(endpoint_format(&e, buf),
					 table[i].want);
			ck_assert_int_eq(endpoint_parse(buf, 1, &again),
					 FDP_OK);
			ck_assert(endpoint_equal(&e, &again));
		}
	}
}
END_TEST

START_TEST(peer_id_text_is_read_as_in_table)
{
	static const char good[] = "00112233445566778899aabbccddeeff";
	struct peer_id id, other = {{0}};
	char buf[PEER_ID_STRLEN];

	ck_assert_int_eq(peer_id_parse(good, &id), FDP_OK);
	ck_assert_str_eq(peer_id_format(&id, buf), good);
	ck_assert(peer_id_is_zero(&other) && !peer_id_is_zero(&id));
	ck_assert(!peer_id_equal(&id, &other));
	ck_assert_int_gt(peer_id_compare(&id, &other), 0);
	ck_assert_int_eq(peer_id_parse("0011", &other), ERR_MALFORMED);
	ck_assert_int_eq(
		peer_id_parse("00112233445566778899aabbccddeefff", &other),
		ERR_MALFORMED);
	ck_assert_int_eq(
		peer_id_parse("00112233445566778899aabbccddeefg", &other),
		ERR_MALFORMED);
	ck_assert(peer_id_is_zero(&other));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("addr");
	TCase *tc = tcase_create("addr");

	tcase_add_test(tc, mac_text_is_read_as_in_table);
	tcase_add_test(tc, mac_kinds_are_told_apart);
	tcase_add_test(tc, ip_text_is_read_as_in_table);
	tcase_add_test(tc, ip_kinds_are_told_apart);
	tcase_add_test(tc, link_local_of_mac_is_modified_eui64);
	tcase_add_test(tc, prefix_text_is_read_as_in_table);
	tcase_add_test(tc, prefix_contains_as_in_table);
	tcase_add_test(tc, prefix_of_a_host_as_in_table);
	tcase_add_test(tc, endpoint_text_is_read_as_in_table);
	tcase_add_test(tc, peer_id_text_is_read_as_in_table);
	suite_add_tcase(suite, tc);
	return vectors_main(suite);
}
