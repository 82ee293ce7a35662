#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"

#include "control/args.h"

static const struct arg table[] = {
	{NULL, "address", ARG_ENDPOINT, 0, 0, 0, "ADDR", "where"},
	{"json", "json", ARG_FLAG, 0, 0, 0, NULL, "JSON"},
	{"name", "name", ARG_TEXT, 0, 0, 0, "NAME", "a name"},
	{"vni", "vni", ARG_NUMBER, 0, 1, 0xffffff, "VNI", "network"},
	{"mac", "mac", ARG_MAC_OWN, 0, 0, 0, "MAC", "own MAC"},
	{"dst", "eth_dst", ARG_MAC, 0, 0, 0, "MAC", "any MAC"},
	{"ip-src", "ip_src", ARG_IP, 0, 0, 0, "IP", "source"},
	{"cidr", "addresses", ARG_PREFIX, ARG_REPEATED, 0, 0, "CIDR", "addr"},
	{"ifname", "ifname", ARG_IFNAME, 0, 0, 0, "IF", "device"},
	{"port", "port", ARG_PORT, 0, 0, 0, "PORT", "port"},
	{"type", "eth_type", ARG_ETH_TYPE, 0, 0, 0, "TYPE", "type"},
	{"proto", "ip_proto", ARG_IP_PROTO, 0, 0, 0, "PROTO", "protocol"},
	{"help", "help", ARG_FLAG, 0, 0, 0, NULL, "help"},
};
enum {
	N_TABLE = sizeof table / sizeof table[0],
	MAX_WORDS = 8
};

static int count(const char *const words[MAX_WORDS])
{
	int n = 0;

	while (n < MAX_WORDS && words[n]) {
		n++;
	}
	return n;
}

static const struct {
	const char *words[MAX_WORDS];
	const char *json;
} good[] = {
	{{NULL}, "{}"},
	{{"--json"}, "{\"json\":true}"},
	{{"--json", "--json"}, "{\"json\":true}"},
	{{"--name", "a b"}, "{\"name\":\"a b\"}"},
	{{"--name=a=b"}, "{\"name\":\"a=b\"}"},
	{{"--name", "--json"}, "{\"name\":\"--json\"}"},
	{{"192.0.2.1"}, "{\"address\":\"192.0.2.1\"}"},
	{{"192.0.2.1:7000", "--json"},
	 "{\"address\":\"192.0.2.1:7000\",\"json\":true}"},
	{{"--", "[2001:db8::1]:7000"}, "{\"address\":\"[2001:db8::1]:7000\"}"},
	{{"--vni", "1"}, "{\"vni\":1}"},
	{{"--vni", "0xffffff"}, "{\"vni\":16777215}"},
	{{"--mac", "02:AA:bb:00:00:01"}, "{\"mac\":\"02:aa:bb:00:00:01\"}"},
	{{"--dst", "ff:ff:ff:ff:ff:ff"}, "{\"eth_dst\":\"ff:ff:ff:ff:ff:ff\"}"},
	{{"--ip-src", "2001:DB8:0:0::1"}, "{\"ip_src\":\"2001:db8::1\"}"},
	{{"--cidr", "10.1.2.3/8", "--cidr", "fd00::1/64"},
	 "{\"addresses\":[\"10.1.2.3/8\",\"fd00::1/64\"]}"},
	{{"--ifname", "fifteen-charact"}, "{\"ifname\":\"fifteen-charact\"}"},
	{{"--port", "2"}, "{\"port\":2}"},
	{{"--port", "fdp2"}, "{\"port\":\"fdp2\"}"},
	{{"--type", "arp"}, "{\"eth_type\":2054}"},
	{{"--type", "0x86dd"}, "{\"eth_type\":34525}"},
	{{"--proto", "icmpv6"}, "{\"ip_proto\":58}"},
	{{"--proto", "0"}, "{\"ip_proto\":0}"},
	{{"-h"}, "{\"help\":true}"},
};

START_TEST(good_words_give_canonical_json)
{
	struct json *object;
	char *error = NULL, *text;

	ck_assert_uint_eq(args_parse(table, N_TABLE, count(good[_i].words),
				     good[_i].words, &object, &error),
			  FDP_OK);
	text = json_to_string(object, JSSF_SORT);
	ck_assert_str_eq(text, good[_i].json);
	free(text);
	json_destroy(object);
}
END_TEST

static const struct {
	const char *words[MAX_WORDS];
	const char *error; /* How it starts. */
} bad[] = {
	{{"--nonsense"}, "unknown option --nonsense"},
	{{"-j"}, "unknown option -j"},
	{{"--na", "x"}, "unknown option --na"}, /* No abbreviations. */
	{{"--json=yes"}, "--json takes no value"},
	{{"--name"}, "--name needs NAME"},
	{{"--name", ""}, "--name: \"\" is not printable text"},
	{{"--name", "a\nb"}, "--name: \"a\\nb\" is not printable text"},
	{{"--name", "a", "--name", "b"}, "--name is given twice"},
	{{"192.0.2.1", "192.0.2.2"}, "unexpected argument 192.0.2.2"},
	{{"host.example"}, "ADDR: \"host.example\" is not an address"},
	{{"192.0.2.1:0"}, "ADDR: "},
	{{"192.0.2.1:65536"}, "ADDR: "},
	{{"--vni", "0"}, "--vni: \"0\" is not a number from 1 to 16777215"},
	{{"--vni", "16777216"}, "--vni: "},
	{{"--vni", "99999999999999999999999"}, "--vni: "},
	{{"--vni", "-1"}, "--vni: "},
	{{"--vni", "1x"}, "--vni: "},
	{{"--vni", "0x"}, "--vni: "},
	{{"--vni", " 1"}, "--vni: "},
	{{"--vni="}, "--vni: "},
	{{"--mac", "01:00:00:00:00:01"}, "--mac: "},
	{{"--mac", "00:00:00:00:00:00"}, "--mac: "},
	{{"--mac", "02:00:00:00:00"}, "--mac: "},
	{{"--dst", "0200.0000.0001"}, "--dst: "},
	{{"--ip-src", "10.0.0"}, "--ip-src: "},
	{{"--ip-src", "10.0.0.1/8"}, "--ip-src: "},
	{{"--cidr", "10.0.0.1"}, "--cidr: "},
	{{"--cidr", "10.0.0.1/33"}, "--cidr: "},
	{{"--cidr", "fd00::1/129"}, "--cidr: "},
	{{"--ifname", "sixteen-characte"}, "--ifname: "},
	{{"--ifname", ".."}, "--ifname: "},
	{{"--ifname", "a/b"}, "--ifname: "},
	{{"--port", "65536/"}, "--port: "},
	{{"--type", "0x05ff"}, "--type: "},
	{{"--type", "ipx"}, "--type: "},
	{{"--proto", "256"}, "--proto: "},
};

START_TEST(bad_words_give_one_line)
{
	struct json *object = NULL;
	char *error = NULL;

	ck_assert_uint_eq(args_parse(table, N_TABLE, count(bad[_i].words),
				     bad[_i].words, &object, &error),
			  ERR_REFUSED);
	ck_assert_ptr_null(object);
	ck_assert_ptr_nonnull(error);
	ck_assert_msg(!strncmp(error, bad[_i].error, strlen(bad[_i].error)),
		      "'%s' does not start with '%s'", error, bad[_i].error);
	ck_assert_ptr_null(strchr(error, '\n'));
	free(error);
}
END_TEST

static const struct arg needy[] = {
	{NULL, "address", ARG_ENDPOINT, ARG_REQUIRED, 0, 0, "ADDR", "where"},
	{"port", "port", ARG_PORT, ARG_REQUIRED, 0, 0, "PORT", "which port"},
	{"help", "help", ARG_FLAG, 0, 0, 0, NULL, "help"},
};

START_TEST(missing_argument_is_named)
{
	const char *words[] = {"192.0.2.1"};
	struct json *object = NULL;
	char *error = NULL;

	ck_assert_uint_eq(args_parse(needy, 3, 1, words, &object, &error),
			  ERR_REFUSED);
	ck_assert_str_eq(error, "--port is missing: which port");
	free(error);
}
END_TEST

START_TEST(asking_for_help_needs_nothing_else)
{
	const char *words[] = {"--help"};
	struct json *object = NULL;
	char *error = NULL;

	ck_assert_uint_eq(args_parse(needy, 3, 1, words, &object, &error),
			  FDP_OK);
	json_destroy(object);
}
END_TEST

static const struct {
	const char *words[MAX_WORDS];
	int leading;
} leads[] = {
	{{NULL}, 0},
	{{"status"}, 0},
	{{"--json", "status"}, 1},
	{{"--name", "x", "--json", "status", "--json"}, 3},
	{{"--name=x", "status"}, 1},
	{{"--name"}, 1},
	{{"--unknown", "status"}, 0},
	{{"-h", "status"}, 1},
};

START_TEST(leading_options_are_counted)
{
	ck_assert_int_eq(args_leading(table, N_TABLE, count(leads[_i].words),
				      leads[_i].words),
			 leads[_i].leading);
}
END_TEST

START_TEST(request_has_only_the_table_s_keys)
{
	struct json *object = json_from_string(
		"{\"port\":1,\"json\":true,\"address\":\"192.0.2.1\"}");
	struct json *request = args_request(needy, 3, object);
	char *text = json_to_string(request, JSSF_SORT);

	ck_assert_str_eq(text, "{\"address\":\"192.0.2.1\",\"port\":1}");
	free(text);
	json_destroy(request);
	json_destroy(object);
}
END_TEST

START_TEST(help_is_made_of_the_table)
{
	struct ds ds = DS_EMPTY_INITIALIZER;

	args_synopsis(needy, 3, &ds);
	ck_assert_str_eq(ds_cstr(&ds), " ADDR --port PORT [--help]");
	ds_clear(&ds);
	args_synopsis(&table[7], 1, &ds);
	ck_assert_str_eq(ds_cstr(&ds), " [--cidr CIDR]...");
	ds_clear(&ds);
	args_help(needy, 2, &ds);
	ck_assert_str_eq(ds_cstr(&ds), "  ADDR               where\n"
				       "  --port PORT        which port\n");
	ds_destroy(&ds);
}
END_TEST

#define N_OF(ARRAY) (int)(sizeof(ARRAY) / sizeof(ARRAY)[0])

int main(void)
{
	Suite *s = suite_create("args");
	TCase *t = tcase_create("args");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, good_words_give_canonical_json, 0, N_OF(good));
	tcase_add_loop_test(t, bad_words_give_one_line, 0, N_OF(bad));
	tcase_add_test(t, missing_argument_is_named);
	tcase_add_test(t, asking_for_help_needs_nothing_else);
	tcase_add_loop_test(t, leading_options_are_counted, 0, N_OF(leads));
	tcase_add_test(t, request_has_only_the_table_s_keys);
	tcase_add_test(t, help_is_made_of_the_table);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
