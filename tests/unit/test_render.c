#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/util.h"
#include "util.h"

#include "control/columns.h"
#include "control/health.h"
#include "control/printable.h"
#include "control/render.h"
#include "control/reply.h"

static const struct {
	const char *name;
	render_fn *render;
} renders[] = {
	{"status", render_status},
	{"connections", render_connections},
	{"why", render_why},
	{"peers", render_peers},
	{"ports", render_ports},
	{"attached", render_attached},
	{"detached", render_detached},
	{"connect", render_connect},
	{"hidden", render_hidden},
	{"forget", render_forget},
	{"forget-key", render_forget_key},
	{"reload", render_reload},
	{"trace", render_trace},
	{"sas", render_sas},
	{"reset", render_reset},
	{"version", render_version},
};

static render_fn *find_render(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(renders); i++) {
		if (!strcmp(renders[i].name, name)) {
			return renders[i].render;
		}
	}
	ck_abort_msg("there is no render_%s", name);
	return NULL;
}

/* Replies and what a person shall see of them.  When the look is changed on
 * purpose, read the new text before it goes in there. */
START_TEST(reply_looks_as_in_the_golden_file)
{
	struct json *all =
		json_from_file(FDP_SOURCE_DIR "/tests/unit/golden/render.json");
	size_t i, j, n;

	ck_assert_msg(all->type == JSON_ARRAY, "%s", reply_element(all));
	ck_assert_uint_gt(json_array(all)->n, 20);
	for (i = 0; i < json_array(all)->n; i++) {
		const struct json *one = json_array(all)->elems[i];
		const struct json *reply = reply_object(one, "reply");
		struct json *const *line = reply_array(one, "text", &n);
		struct ds expected = DS_EMPTY_INITIALIZER;
		struct ds text = DS_EMPTY_INITIALIZER;

		ck_assert_ptr_nonnull(reply);
		for (j = 0; j < n; j++) {
			ds_put_format(&expected, "%s\n",
				      reply_element(line[j]));
		}
		find_render(reply_text(one, "render", ""))(
			reply, reply_flag(one, "colour", false), &text);
		ck_assert_msg(!strcmp(ds_cstr(&text), ds_cstr(&expected)),
			      "%s: it is\n%s\nand should be\n%s",
			      reply_text(one, "name", "?"), ds_cstr(&text),
			      ds_cstr(&expected));
		ds_destroy(&text);
		ds_destroy(&expected);
	}
	json_destroy(all);
}
END_TEST

/* Whatever a daemon of another version says, in whatever types. */
static const char *const odd_replies[] = {
	"{}",
	"[]",
	"{\"verdict\":1,\"reasons\":\"x\",\"datapath\":[]}",
	"{\"drops\":[1],\"upcalls\":true,\"name\":null,\"uptime\":\"x\"}",
	"{\"verdict\":\"healthy\",\"reasons\":[1,null,{}]}",
	"{\"drops\":{\"a\":\"b\"}}",
	"{\"connections\":[1,null,\"x\",[],{}]}",
	"{\"connections\":{}}",
	"{\"peers\":[{\"endpoints\":[1,{\"addresses\":[2]}]}]}",
	"{\"ports\":[{\"addresses\":{}}],\"others\":[null]}",
	"{\"steps\":[1],\"spi\":\"x\",\"peer\":\"p\"}",
	"{\"sas\":[{}],\"policies\":[{}]}",
	"{\"removed\":[{}],\"left\":[1]}",
	"{\"hidden\":[1,{\"addresses\":1}],\"forgotten\":[{}]}",
	"{\"addresses\":[[]]}",
};

START_TEST(odd_reply_is_survived)
{
	struct json *reply = json_from_string(odd_replies[_i]);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(renders); i++) {
		struct ds text = DS_EMPTY_INITIALIZER;

		renders[i].render(reply, true, &text);
		ck_assert_uint_gt(text.length, 0);
		ck_assert_int_eq(text.string[text.length - 1], '\n');
		ds_destroy(&text);
	}
	ck_assert_int_ge((int)health_of_status(reply), 0);
	ck_assert_int_ge((int)health_of_connections(reply), 0);
	json_destroy(reply);
}
END_TEST

static const struct {
	int64_t seconds;
	const char *text;
} durations[] = {
	{-5, "0 s"},	     {0, "0 s"},
	{59, "59 s"},	     {60, "1 min"},
	{61, "1 min 1 s"},   {3599, "59 min 59 s"},
	{3600, "1 h"},	     {3659, "1 h"},
	{3660, "1 h 1 min"}, {86399, "23 h 59 min"},
	{86400, "1 d"},	     {446400, "5 d 4 h"},
};

START_TEST(duration_has_two_units)
{
	struct ds ds = DS_EMPTY_INITIALIZER;

	render_duration(durations[_i].seconds, &ds);
	ck_assert_str_eq(ds_cstr(&ds), durations[_i].text);
	ds_destroy(&ds);
}
END_TEST

static const struct {
	const char *raw, *shown;
} texts[] = {
	{"", ""},
	{"plain", "plain"},
	{"g\303\244mma", "g\303\244mma"},
	{"\342\202\254\360\237\220\247", "\342\202\254\360\237\220\247"},
	{"a\033[2Jb\r\n\tc\177", "a?[2Jb???c?"},
	{"\302\233", "?"},			  /* CSI as one character. */
	{"x\342\200\256y\342\201\246z", "x?y?z"}, /* Right to left. */
	{"\342\200\250", "?"},			  /* Line separator. */
	{"\300\257", "??"},			  /* Overlong. */
	{"\355\240\200", "???"},		  /* Surrogate. */
	{"\364\220\200\200", "????"},		  /* Beyond Unicode. */
	{"\303", "?"},				  /* Cut off. */
	{"\342\202", "??"},
	{"\377\376", "??"},
};

START_TEST(foreign_text_becomes_printable)
{
	struct ds ds = DS_EMPTY_INITIALIZER;
	size_t n = printable_put(&ds, texts[_i].raw);

	ck_assert_str_eq(ds_cstr(&ds), texts[_i].shown);
	ck_assert_uint_eq(n, printable_width(ds_cstr(&ds)));
	ds_destroy(&ds);
}
END_TEST

static const struct {
	const char *status;
	enum health health;
} verdicts[] = {
	{"{\"verdict\":\"healthy\"}", HEALTH_GOOD},
	{"{\"verdict\":\"degraded\"}", HEALTH_DEGRADED},
	{"{\"verdict\":\"down\"}", HEALTH_DOWN},
	{"{\"verdict\":\"splendid\"}", HEALTH_DEGRADED},
	{"{\"verdict\":0}", HEALTH_DEGRADED},
	{"{}", HEALTH_DEGRADED},
};

START_TEST(verdict_gives_exit_status)
{
	struct json *status = json_from_string(verdicts[_i].status);

	ck_assert_int_eq(health_of_status(status), verdicts[_i].health);
	json_destroy(status);
}
END_TEST

static const struct {
	const char *state, *overlay, *reason;
	bool good;
} connections[] = {
	{"established", "fastdp", "", true},
	{"established", "sleeve", "", true},
	{"established", "fastdp", "keying", true},
	{"established", "fastdp", "path-loses", false},
	{"established", "relay", "esp-filtered", false},
	{"established", "none", "", false},
	{"connecting", "none", "", false},
	{"handshake", "none", "", false},
	{"retrying", "none", "", false},
	{"failed", "none", "", false},
	{"failed", "fastdp", "", false},
};

START_TEST(connection_is_good_with_an_overlay_and_no_complaint)
{
	struct json *good = json_from_string(
		"{\"state\":\"established\",\"overlay\":\"fastdp\"}");
	struct json *one = json_object_create();
	struct json *all = json_object_create();

	json_object_put_string(one, "state", connections[_i].state);
	json_object_put_string(one, "overlay", connections[_i].overlay);
	json_object_put_string(one, "reason", connections[_i].reason);
	ck_assert_int_eq(health_connection_is_good(one), connections[_i].good);
	json_object_put(all, "connections", json_array_create_2(good, one));
	ck_assert_int_eq(health_of_connections(all),
			 connections[_i].good ? HEALTH_GOOD : HEALTH_DEGRADED);
	json_destroy(all);
}
END_TEST

START_TEST(array_is_sorted_by_texts_and_numbers)
{
	static const char *const by[] = {"name", "number", NULL};
	struct json *object = json_from_string(
		"{\"list\":[{\"name\":\"b\",\"number\":2},{\"name\":\"b\","
		"\"number\":1},{\"number\":7,\"x\":1},{\"name\":\"a\"},"
		"{\"number\":7,\"x\":2}]}");
	char *text;

	reply_sort(object, "list", by);
	text = json_to_string(object, JSSF_SORT);
	ck_assert_str_eq(text, "{\"list\":[{\"number\":7,\"x\":1},{\"number\":"
			       "7,\"x\":2},{\"name\":\"a\"},{\"name\":\"b\","
			       "\"number\":1},{\"name\":\"b\",\"number\":2}]}");
	reply_sort(object, "nothing", by);
	free(text);
	json_destroy(object);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("render");
	TCase *t = tcase_create("render");
	SRunner *r;
	int failed;

	tcase_add_test(t, reply_looks_as_in_the_golden_file);
	tcase_add_loop_test(t, odd_reply_is_survived, 0,
			    ARRAY_SIZE(odd_replies));
	tcase_add_loop_test(t, duration_has_two_units, 0,
			    ARRAY_SIZE(durations));
	tcase_add_loop_test(t, foreign_text_becomes_printable, 0,
			    ARRAY_SIZE(texts));
	tcase_add_loop_test(t, verdict_gives_exit_status, 0,
			    ARRAY_SIZE(verdicts));
	tcase_add_loop_test(t,
			    connection_is_good_with_an_overlay_and_no_complaint,
			    0, ARRAY_SIZE(connections));
	tcase_add_test(t, array_is_sorted_by_texts_and_numbers);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
