/* lib/config: the file format, every error text, printing and overlaying. */
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

#include "config/config.h"

static struct config config;
static struct ds why;

static void setup(void)
{
	config_init(&config);
	ds_init(&why);
}

static void teardown(void)
{
	config_free(&config);
	ds_destroy(&why);
}

static enum err parse(struct config *c, const char *text)
{
	return config_parse(c, span_of(text, strlen(text)), &why);
}

START_TEST(nothing_given_defaults)
{
	ck_assert_ptr_null(config.password_file);
	ck_assert(!config.weak_password);
	ck_assert_uint_eq(config.peers.n, 0);
	ck_assert_ptr_null(config.name);
	ck_assert_uint_eq(config.port, 6783);
	ck_assert(ip_is_zero(&config.listen));
	ck_assert_uint_eq(config.conn_limit, 0);
	ck_assert_uint_eq(config.advertise.n, 0);
	ck_assert_uint_eq(config.sas_per_peer, 1);
	ck_assert_uint_eq(config.flows_ahead, 4096);
	ck_assert_int_eq(config.overlay, OVERLAY_AUTO);
	ck_assert(!config.no_fastdp);
	ck_assert_int_eq(config_overlay_setting(&config), OVERLAY_AUTO);
	ck_assert_str_eq(config.datapath, "fdp");
	ck_assert_str_eq(config.state_dir, "/var/lib/fdpd");
	ck_assert_str_eq(config.run_dir, "/run/fdpd");
	ck_assert_ptr_null(config.config);
	ck_assert(!config.check_config);
	ck_assert_uint_eq(config.given, 0);
}
END_TEST

START_TEST(full_file_every_value)
{
	static const char text[] = "# a comment\n"
				   "\n"
				   "password-file = /etc/fdpd/pass word\n"
				   "  weak-password=yes  \n"
				   "\tpeer = 192.0.2.1\n"
				   "peer = 192.0.2.2:7000\n"
				   "peer = [2001:db8::1]:7001\n"
				   "peer = 2001:db8::2\n"
				   "conn-limit = 30\n"
				   "advertise-address = 198.51.100.7\n"
				   "advertise-address = [2001:db8::7]:7002\n"
				   "trusted-subnet = 192.0.2.0/24\n"
				   "trusted-subnet = 2001:db8::/64\n"
				   "name = host.a\n"
				   "port = 7783\n"
				   "listen = 2001:db8::9\n"
				   "sas-per-peer = 4\n"
				   "flows-ahead = 0\n"
				   "overlay = fastdp\n"
				   "no-fastdp = true\n"
				   "no-aes-gcm = true\n"
				   "datapath = fdp0\n"
				   "state-dir = /s = t\n"
				   "run-dir = /r#1\n"
				   "  # no newline at the end";

	ck_assert_msg(!parse(&config, text), "%s", ds_cstr(&why));
	ck_assert_str_eq(ds_cstr(&why), "");
	ck_assert_str_eq(config.password_file, "/etc/fdpd/pass word");
	ck_assert(config.weak_password);
	ck_assert_uint_eq(config.peers.n, 4);
	ck_assert_uint_eq(config.peers.v[0].port, 0);
	ck_assert_uint_eq(config.peers.v[1].port, 7000);
	ck_assert_uint_eq(config.peers.v[2].port, 7001);
	ck_assert_uint_eq(config.peers.v[3].port, 0);
	ck_assert_uint_eq(config.conn_limit, 30);
	ck_assert_uint_eq(config.advertise.n, 2);
	ck_assert_uint_eq(config.advertise.v[0].port, 0);
	ck_assert_uint_eq(config.advertise.v[1].port, 7002);
	ck_assert_uint_eq(config.trusted.n, 2);
	ck_assert_uint_eq(config.trusted.v[0].len, 24);
	ck_assert_uint_eq(config.trusted.v[1].len, 64);
	ck_assert_str_eq(config.name, "host.a");
	ck_assert_uint_eq(config.port, 7783);
	ck_assert(!ip_is_v4(&config.listen));
	ck_assert_uint_eq(config.sas_per_peer, 4);
	ck_assert_uint_eq(config.flows_ahead, 0);
	ck_assert_int_eq(config.overlay, OVERLAY_FASTDP);
	ck_assert_int_eq(config_overlay_setting(&config), OVERLAY_SLEEVE);
	ck_assert_str_eq(config.datapath, "fdp0");
	ck_assert_str_eq(config.state_dir, "/s = t");
	ck_assert_str_eq(config.run_dir, "/r#1");
}
END_TEST

START_TEST(empty_file_accepted)
{
	ck_assert(!config_parse(&config, span_of(NULL, 0), &why));
	ck_assert(!parse(&config, "\n\n"));
	ck_assert_uint_eq(config.given, 0);
}
END_TEST

START_TEST(same_peer_twice_kept_once)
{
	ck_assert(!parse(&config, "peer = 192.0.2.1\npeer = 192.0.2.1\n"));
	ck_assert_uint_eq(config.peers.n, 1);
}
END_TEST

static const struct {
	const char *text;
	enum err err;
	const char *why;
} bad_files[] = {
	{"port = 1\ncolour = red\n", ERR_NOT_FOUND,
	 "line 2: unknown key \"colour\" (`fdpd --help` lists them)"},
	{" = red\n", ERR_NOT_FOUND,
	 "line 1: unknown key \"\" (`fdpd --help` lists them)"},
	{"\n\nport 1\n", ERR_MALFORMED,
	 "line 3: \"port 1\" is not of the form `key = value`"},
	{"port = 1\n#\nport = 2\n", ERR_EXISTS, "line 3: port is given twice"},
	{"config = /x\n", ERR_REFUSED,
	 "line 1: config is for the command line only"},
	{"check-config = true\n", ERR_REFUSED,
	 "line 1: check-config is for the command line only"},
	{"sas-per-peer = 0\n", ERR_RANGE,
	 "line 1: sas-per-peer: the number of SAs must be from 1 to 16"},
	{"sas-per-peer = 17\n", ERR_RANGE,
	 "line 1: sas-per-peer: the number of SAs must be from 1 to 16"},
	{"sas-per-peer = 4294967297\n", ERR_RANGE,
	 "line 1: sas-per-peer: the number of SAs must be from 1 to 16"},
	{"flows-ahead = 50001\n", ERR_RANGE,
	 "line 1: flows-ahead: the number of flows must be from 0 to 50000"},
	{"flows-ahead = many\n", ERR_MALFORMED,
	 "line 1: flows-ahead: \"many\" is not a number of flows"},
	{"overlay = pcap\n", ERR_MALFORMED,
	 "line 1: overlay: \"pcap\" is neither \"auto\" nor \"fastdp\" nor "
	 "\"sleeve\""},
	{"sas-per-peer = -1\n", ERR_MALFORMED,
	 "line 1: sas-per-peer: \"-1\" is not a number of SAs"},
	{"conn-limit = 0\n", ERR_RANGE,
	 "line 1: conn-limit: the number must be from 1 to 4095"},
	{"advertise-address = 192.0.2.1/24\n", ERR_MALFORMED,
	 "line 1: advertise-address: \"192.0.2.1/24\" is not the address of a "
	 "host (ADDR, ADDR:PORT or [IPV6]:PORT)"},
	{"trusted-subnet = lan\n", ERR_MALFORMED,
	 "line 1: trusted-subnet: \"lan\" is not a network "
	 "(ADDR/LENGTH, and nothing in ADDR beyond LENGTH)"},
	{"trusted-subnet = 192.0.2.1/24\n", ERR_RANGE,
	 "line 1: trusted-subnet: \"192.0.2.1/24\" is not a network "
	 "(ADDR/LENGTH, and nothing in ADDR beyond LENGTH)"},
	{"name =\n", ERR_MALFORMED, "line 1: name: a value is needed"},
	{"name = a\tb\n", ERR_MALFORMED,
	 "line 1: name: control characters are not allowed"},
	{"name = a\r\n", ERR_MALFORMED,
	 "line 1: name: control characters are not allowed"},
	{"name = a b\n", ERR_MALFORMED,
	 "line 1: name: \"a b\" is not a name (1 to 63 letters, digits and "
	 "\"-_.:@\")"},
	{"datapath = sixteen-letters-\n", ERR_MALFORMED,
	 "line 1: datapath: \"sixteen-letters-\" is not a device name (1 to 15 "
	 "characters, without \"/\", \":\", \"%\" and blanks)"},
	{"datapath = a/b\n", ERR_MALFORMED,
	 "line 1: datapath: \"a/b\" is not a device name (1 to 15 "
	 "characters, without \"/\", \":\", \"%\" and blanks)"},
	{"datapath = ..\n", ERR_MALFORMED,
	 "line 1: datapath: \"..\" is not a device name (1 to 15 "
	 "characters, without \"/\", \":\", \"%\" and blanks)"},
	{"weak-password = maybe\n", ERR_MALFORMED,
	 "line 1: weak-password: \"maybe\" is neither \"true\" nor \"false\""},
	{"port = 80x\n", ERR_MALFORMED,
	 "line 1: port: \"80x\" is not a port number"},
	{"port = -1\n", ERR_MALFORMED,
	 "line 1: port: \"-1\" is not a port number"},
	{"port = 0\n", ERR_RANGE,
	 "line 1: port: the port number must be from 1 to 65534"},
	{"port = 65535\n", ERR_RANGE,
	 "line 1: port: the port number must be from 1 to 65534"},
	{"port = 18446744073709551617\n", ERR_RANGE,
	 "line 1: port: the port number must be from 1 to 65534"},
	{"listen = localhost\n", ERR_MALFORMED,
	 "line 1: listen: \"localhost\" is not an IP address"},
	{"peer = host.example\n", ERR_MALFORMED,
	 "line 1: peer: \"host.example\" is not the address of a host (ADDR, "
	 "ADDR:PORT or [IPV6]:PORT)"},
	{"peer = 192.0.2.1:99999\n", ERR_RANGE,
	 "line 1: peer: \"192.0.2.1:99999\" is not the address of a host (ADDR, "
	 "ADDR:PORT or [IPV6]:PORT)"},
	{"peer = 224.0.0.1\n", ERR_RANGE,
	 "line 1: peer: \"224.0.0.1\" is not the address of a host (ADDR, "
	 "ADDR:PORT or [IPV6]:PORT)"},
	{"peer = 0.0.0.0\n", ERR_RANGE,
	 "line 1: peer: \"0.0.0.0\" is not the address of a host (ADDR, "
	 "ADDR:PORT or [IPV6]:PORT)"},
	{"peer = 255.255.255.255\n", ERR_RANGE,
	 "line 1: peer: \"255.255.255.255\" is not the address of a host "
	 "(ADDR, ADDR:PORT or [IPV6]:PORT)"},
};

START_TEST(bad_file_says_line_and_reason)
{
	enum err err = parse(&config, bad_files[_i].text);

	ck_assert_str_eq(ds_cstr(&why), bad_files[_i].why);
	ck_assert_int_eq(err, bad_files[_i].err);
}
END_TEST

START_TEST(zero_byte_refused)
{
	static const char text[] = "name = a\0b\n";

	ck_assert_int_eq(
		config_parse(&config, span_of(text, sizeof text - 1), &why),
		ERR_MALFORMED);
	ck_assert_str_eq(ds_cstr(&why),
			 "line 1: control characters are not allowed");
}
END_TEST

START_TEST(name_of_64_refused_of_63_taken)
{
	char name[65];

	memset(name, 'n', 64);
	name[64] = '\0';
	ck_assert_int_eq(config_set(&config, CONFIG_KEY_NAME, name, &why),
			 ERR_MALFORMED);
	ck_assert(strstr(ds_cstr(&why), "is not a name (1 to 63 "));
	name[63] = '\0';
	ck_assert_int_eq(config_set(&config, CONFIG_KEY_NAME, name, &why),
			 FDP_OK);
	ck_assert_str_eq(config.name, name);
}
END_TEST

START_TEST(long_value_refused)
{
	char *text = xmalloc(CONFIG_MAX_VALUE + 2);

	memset(text, 'x', CONFIG_MAX_VALUE + 1);
	text[CONFIG_MAX_VALUE + 1] = '\0';
	ck_assert_int_eq(config_set(&config, CONFIG_KEY_RUN_DIR, text, &why),
			 ERR_OVERSIZED);
	ck_assert_str_eq(ds_cstr(&why), "the value is longer than 1023 bytes");
	ck_assert_str_eq(config.run_dir, "/run/fdpd");
	free(text);
}
END_TEST

START_TEST(large_file_refused)
{
	char *text = xmalloc(CONFIG_MAX_FILE + 1);

	memset(text, '\n', CONFIG_MAX_FILE + 1);
	ck_assert_int_eq(
		config_parse(&config, span_of(text, CONFIG_MAX_FILE + 1), &why),
		ERR_OVERSIZED);
	ck_assert_str_eq(ds_cstr(&why), "the file is larger than 256 KiB");
	free(text);
}
END_TEST

START_TEST(blank_ends_on_command_line_refused)
{
	ck_assert_int_eq(config_set(&config, CONFIG_KEY_RUN_DIR, " /x", &why),
			 ERR_MALFORMED);
	ck_assert_str_eq(ds_cstr(&why),
			 "the value begins or ends with a blank");
}
END_TEST

START_TEST(too_many_peers_refused)
{
	char text[ENDPOINT_STRLEN];

	for (unsigned int i = 0; i < CONFIG_MAX_LIST; i++) {
		snprintf(text, sizeof text, "10.0.%u.%u", i / 256, i % 256);
		if (i == 0) {
			snprintf(text, sizeof text, "10.1.0.0");
		}
		ck_assert(!config_set(&config, CONFIG_KEY_PEER, text, &why));
	}
	ck_assert_int_eq(
		config_set(&config, CONFIG_KEY_PEER, "192.0.2.1", &why),
		ERR_LIMIT);
	ck_assert_str_eq(ds_cstr(&why), "more than 4096 of peer");
	ck_assert_uint_eq(config.peers.n, CONFIG_MAX_LIST);
}
END_TEST

START_TEST(failed_set_changes_nothing)
{
	struct config before;

	config_init(&before);
	for (size_t i = 0; i < ARRAY_SIZE(bad_files); i++) {
		config_free(&config);
		config_init(&config);
		if (parse(&config, bad_files[i].text) == ERR_EXISTS) {
			continue;
		}
		config.port = before.port;
		ck_assert(config_equal(&config, &before));
	}
	config_free(&before);
}
END_TEST

/* A value of the right kind for 'key', drawn from 'seed'. */
static void any_value(enum config_key key, unsigned int seed, char *to,
		      size_t size)
{
	switch (key) {
	case CONFIG_KEY_PASSWORD_FILE:
	case CONFIG_KEY_STATE_DIR:
	case CONFIG_KEY_RUN_DIR:
		snprintf(to, size, "/a b/#%u=\"%c\"", seed,
			 (int)(0x21 + seed % 0x5e));
		break;
	case CONFIG_KEY_WEAK_PASSWORD:
	case CONFIG_KEY_NO_DISCOVERY:
	case CONFIG_KEY_NO_FASTDP:
	case CONFIG_KEY_NO_AES_GCM:
		snprintf(to, size, "%s", seed & 1 ? "true" : "no");
		break;
	case CONFIG_KEY_PEER:
	case CONFIG_KEY_ADVERTISE_ADDRESS:
		snprintf(to, size,
			 seed % 3 == 0	 ? "192.0.2.%u"
			 : seed % 3 == 1 ? "[2001:db8::%u]:70"
					 : "198.51.100.%u:71",
			 1 + seed % 250);
		break;
	case CONFIG_KEY_NAME:
		snprintf(to, size, "n-%u_.:@", seed);
		break;
	case CONFIG_KEY_PORT:
		snprintf(to, size, "%u", 1 + seed % 65534);
		break;
	case CONFIG_KEY_TRUSTED_SUBNET:
		snprintf(to, size, seed & 1 ? "192.0.%u.0/24" : "2001:%u::/32",
			 seed % 250);
		break;
	case CONFIG_KEY_CONN_LIMIT:
		snprintf(to, size, "%u", 1 + seed % 4095);
		break;
	case CONFIG_KEY_SAS_PER_PEER:
		snprintf(to, size, "%u", 1 + seed % 16);
		break;
	case CONFIG_KEY_FLOWS_AHEAD:
		snprintf(to, size, "%u", seed % 50001);
		break;
	case CONFIG_KEY_OVERLAY:
		snprintf(to, size, "%s",
			 overlay_setting_name((enum overlay_setting)(
				 seed % N_OVERLAY_SETTINGS)));
		break;
	case CONFIG_KEY_LISTEN:
		snprintf(to, size, seed & 1 ? "192.0.2.%u" : "2001:db8::%u",
			 1 + seed % 250);
		break;
	case CONFIG_KEY_DATAPATH:
		snprintf(to, size, "dp%u", seed % 100000);
		break;
	case CONFIG_KEY_CONFIG:
	case CONFIG_KEY_CHECK_CONFIG:
	case N_CONFIG_KEYS:
		ck_abort_msg("not a key of the file");
	}
}

START_TEST(printed_configuration_parses_to_itself)
{
	srand((unsigned int)_i);
	for (unsigned int key = 0; key < N_CONFIG_KEYS; key++) {
		int n = rand() % (key == CONFIG_KEY_PEER ? 9 : 2);

		if (key == CONFIG_KEY_CONFIG ||
		    key == CONFIG_KEY_CHECK_CONFIG) {
			continue;
		}
		while (n--) {
			char value[64];

			any_value(key, (unsigned int)rand(), value,
				  sizeof value);
			ck_assert_msg(!config_set(&config, key, value, &why),
				      "%s: %s", config_key_name(key),
				      ds_cstr(&why));
		}
	}

	struct ds text = DS_EMPTY_INITIALIZER;
	struct ds again = DS_EMPTY_INITIALIZER;
	struct config copy;

	config_print(&config, &text);
	config_init(&copy);
	ck_assert_msg(!parse(&copy, ds_cstr(&text)), "%s in\n%s", ds_cstr(&why),
		      ds_cstr(&text));
	ck_assert(config_equal(&config, &copy));
	config_print(&copy, &again);
	ck_assert_str_eq(ds_cstr(&text), ds_cstr(&again));
	config_free(&copy);
	ds_destroy(&text);
	ds_destroy(&again);
}
END_TEST

START_TEST(different_configurations_not_equal)
{
	for (unsigned int key = 0; key < N_CONFIG_KEYS; key++) {
		struct config other;
		char value[64];

		if (key == CONFIG_KEY_CONFIG ||
		    key == CONFIG_KEY_CHECK_CONFIG) {
			continue;
		}
		config_init(&other);
		any_value(key, 77, value, sizeof value);
		ck_assert(!config_set(&other, key, value, &why));
		ck_assert_msg(!config_equal(&config, &other), "%s",
			      config_key_name(key));
		config_free(&other);
	}
}
END_TEST

START_TEST(command_line_over_file_wins)
{
	struct config over;

	ck_assert(!parse(&config, "port = 1\nname = file\npeer = 192.0.2.1\n"
				  "datapath = d\nweak-password = true\n"
				  "listen = 192.0.2.9\n"));
	config_init(&over);
	ck_assert(!config_set(&over, CONFIG_KEY_PORT, "2", &why));
	ck_assert(!config_set(&over, CONFIG_KEY_PEER, "192.0.2.7", &why));
	ck_assert(!config_set(&over, CONFIG_KEY_PEER, "192.0.2.8", &why));
	ck_assert(!config_set(&over, CONFIG_KEY_WEAK_PASSWORD, "false", &why));
	ck_assert(!config_set(&over, CONFIG_KEY_LISTEN, "192.0.2.5", &why));
	ck_assert(!config_set(&over, CONFIG_KEY_RUN_DIR, "/r", &why));
	config_overlay(&config, &over);
	config_free(&over);

	struct ds text = DS_EMPTY_INITIALIZER;

	config_print(&config, &text);
	ck_assert_str_eq(ds_cstr(&text), "weak-password = false\n"
					 "peer = 192.0.2.7\n"
					 "peer = 192.0.2.8\n"
					 "no-discovery = false\n"
					 "name = file\n"
					 "port = 2\n"
					 "listen = 192.0.2.5\n"
					 "sas-per-peer = 1\n"
					 "flows-ahead = 4096\n"
					 "overlay = auto\n"
					 "no-fastdp = false\n"
					 "no-aes-gcm = false\n"
					 "datapath = d\n"
					 "state-dir = /var/lib/fdpd\n"
					 "run-dir = /r\n");
	ds_destroy(&text);
}
END_TEST

START_TEST(help_names_every_key)
{
	struct ds text = DS_EMPTY_INITIALIZER;

	config_help(&text);
	for (unsigned int key = 0; key < N_CONFIG_KEYS; key++) {
		char *option = xasprintf("  --%s", config_key_name(key));

		ck_assert_msg(strstr(ds_cstr(&text), option), "%s", option);
		ck_assert_uint_eq(config_key_find(config_key_name(key)), key);
		free(option);
	}
	ck_assert_uint_eq(config_key_find("nonsense"), N_CONFIG_KEYS);
	ck_assert(config_key_is_flag(CONFIG_KEY_WEAK_PASSWORD));
	ck_assert(!config_key_is_flag(CONFIG_KEY_PORT));
	ds_destroy(&text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config");
	TCase *tc = tcase_create("config");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nothing_given_defaults);
	tcase_add_test(tc, full_file_every_value);
	tcase_add_test(tc, empty_file_accepted);
	tcase_add_test(tc, same_peer_twice_kept_once);
	tcase_add_loop_test(tc, bad_file_says_line_and_reason, 0,
			    (int)ARRAY_SIZE(bad_files));
	tcase_add_test(tc, zero_byte_refused);
	tcase_add_test(tc, name_of_64_refused_of_63_taken);
	tcase_add_test(tc, long_value_refused);
	tcase_add_test(tc, large_file_refused);
	tcase_add_test(tc, blank_ends_on_command_line_refused);
	tcase_add_test(tc, too_many_peers_refused);
	tcase_add_test(tc, failed_set_changes_nothing);
	tcase_add_loop_test(tc, printed_configuration_parses_to_itself, 0, 100);
	tcase_add_test(tc, different_configurations_not_equal);
	tcase_add_test(tc, command_line_over_file_wins);
	tcase_add_test(tc, help_names_every_key);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
