/* `fdpctl why`: one host, from what is wrong to what happened before. */
#include <inttypes.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/util.h"

#include "control/columns.h"
#include "control/printable.h"
#include "control/render.h"
#include "control/reply.h"

static void put_label(struct ds *ds, const char *label)
{
	ds_put_format(ds, "%-13s", label);
}

static void put_fact(struct ds *ds, const char *label, const char *text)
{
	put_label(ds, label);
	printable_put(ds, text);
	ds_put_char(ds, '\n');
}

/* "dead: ..." or "good", and what probes have measured. */
static void put_way(struct ds *ds, const char *label, const char *level)
{
	put_label(ds, label);
	printable_put(ds, level);
}

static void put_ago(struct ds *ds, const char *what, int64_t us)
{
	if (us >= 0) {
		ds_put_format(ds, ", %s ", what);
		render_time(us, ds);
		ds_put_cstr(ds, " ago");
	}
}

static void put_path(struct ds *ds, const struct json *path)
{
	int64_t rtt_us = reply_number(path, "rtt_us", -1);

	put_way(ds, "way there", reply_text(path, "there", "-"));
	ds_put_format(ds, ", %" PRId64 " %% lost",
		      reply_number(path, "loss", 0));
	if (rtt_us >= 0) {
		ds_put_cstr(ds, ", round trip ");
		render_time(rtt_us, ds);
	}
	put_ago(ds, "a probe arrived", render_us_ago(path, "acked_ago_ms"));
	ds_put_char(ds, '\n');
	put_way(ds, "way back", reply_text(path, "back", "-"));
	put_ago(ds, "a probe came", render_us_ago(path, "heard_ago_ms"));
	ds_put_char(ds, '\n');
}

/* The other way there, whether it is in use or not. */
static void put_sleeve_path(struct ds *ds, const struct json *path)
{
	put_way(ds, "by sleeve", reply_text(path, "there", "-"));
	ds_put_format(ds, ", %" PRId64 " %% lost",
		      reply_number(path, "loss", 0));
	put_ago(ds, "a probe arrived", render_us_ago(path, "acked_ago_ms"));
	put_ago(ds, "one came", render_us_ago(path, "heard_ago_ms"));
	ds_put_char(ds, '\n');
}

static void put_session(struct ds *ds, const struct json *session)
{
	put_label(ds, "session");
	ds_put_cstr(ds, strcmp(reply_text(session, "direction", ""), "out")
				? "from "
				: "to ");
	printable_put(ds, reply_text(session, "address", "-"));
	ds_put_cstr(ds, ", up ");
	render_duration(reply_number(session, "age", 0), ds);
	put_ago(ds, "heard", render_us_ago(session, "heard_ago_ms"));
	ds_put_char(ds, '\n');
}

static void put_tests(struct ds *ds, const struct json *why)
{
	struct json *const *test;
	size_t n, i;

	test = reply_array(why, "tests", &n);
	for (i = 0; i < n; i++) {
		put_label(ds, i ? "" : "tried");
		printable_put(ds, reply_text(test[i], "tried", "-"));
		ds_put_cstr(ds, ": ");
		printable_put(ds, reply_text(test[i], "seen", "-"));
		if (!i && reply_number(why, "tested_ago", -1) >= 0) {
			ds_put_cstr(ds, " (");
			render_duration(reply_number(why, "tested_ago", 0), ds);
			ds_put_cstr(ds, " ago)");
		}
		ds_put_char(ds, '\n');
	}
}

static void put_history(struct ds *ds, const struct json *why)
{
	struct json *const *change;
	size_t n, i;

	change = reply_array(why, "history", &n);
	for (i = 0; i < n; i++) {
		put_label(ds, i ? "" : "history");
		render_duration(reply_number(change[i], "ago", 0), ds);
		ds_put_cstr(ds, " ago: ");
		printable_put(ds, reply_text(change[i], "text", "-"));
		ds_put_char(ds, '\n');
	}
}

static void put_host(struct ds *ds, const struct json *why)
{
	const char *name = reply_text(why, "name", "");
	const char *address = reply_text(why, "address", "");
	const char *id = reply_text(why, "peer", "");

	put_label(ds, "host");
	printable_put(ds, *name ? name : *address ? address : "-");
	if (*name && *address) {
		ds_put_cstr(ds, ", ");
		printable_put(ds, address);
	}
	if (*id) {
		ds_put_cstr(ds, ", id ");
		printable_put(ds, id);
	}
	ds_put_char(ds, '\n');
}

/* Why it is not as it should be; what to do. */
static void put_reason(struct ds *ds, const struct json *why)
{
	const char *reason = reply_text(why, "reason", "");
	const char *detail = reply_text(why, "detail", "");
	const char *remedy = reply_text(why, "remedy", "");
	int64_t failures = reply_number(why, "failures", 0);

	if (!*reason) {
		return;
	}
	put_label(ds, "reason");
	printable_put(ds, reason);
	ds_put_cstr(ds, ": ");
	printable_put(ds, reply_text(why, "text", "-"));
	ds_put_char(ds, '\n');
	if (*detail) {
		put_fact(ds, "", detail);
	}
	put_label(ds, "since");
	render_duration(reply_number(why, "since", 0), ds);
	if (failures) {
		ds_put_format(ds, ", %" PRId64 " attempt%s", failures,
			      failures == 1 ? "" : "s");
	}
	ds_put_char(ds, '\n');
	if (*remedy) {
		put_fact(ds, "what to do", remedy);
	}
}

/* "sleeve, aes-256-gcm", and why not fastdp. */
static void put_overlay(struct ds *ds, const struct json *why)
{
	const char *overlay = reply_text(why, "overlay", "none");
	const char *reason = reply_text(why, "overlay_reason", "");

	if (!*reason || !strcmp(overlay, "none") || !strcmp(overlay, "relay")) {
		return;
	}
	put_label(ds, "overlay");
	printable_put(ds, overlay);
	if (*reply_text(why, "cipher", "")) {
		ds_put_cstr(ds, ", ");
		printable_put(ds, reply_text(why, "cipher", ""));
	}
	ds_put_cstr(ds, ", as ");
	printable_put(ds, reason);
	ds_put_cstr(ds, ": ");
	printable_put(ds, reply_text(why, "overlay_detail", ""));
	ds_put_char(ds, '\n');
}

void render_why(const struct json *why, bool colour, struct ds *ds)
{
	const char *verdict = reply_text(why, "verdict", "unknown");
	struct ds shown = DS_EMPTY_INITIALIZER;

	put_host(ds, why);
	put_label(ds, "verdict");
	printable_put(&shown, verdict);
	colour_put(ds, colour,
		   !strcmp(verdict, "good")   ? COLOUR_GOOD
		   : !strcmp(verdict, "down") ? COLOUR_BAD
					      : COLOUR_WARN,
		   ds_cstr(&shown));
	ds_destroy(&shown);
	ds_put_char(ds, '\n');
	put_reason(ds, why);
	if (*reply_text(why, "via", "")) {
		put_fact(ds, "reached via", reply_text(why, "via", ""));
	}
	put_overlay(ds, why);
	if (reply_object(why, "session")) {
		put_session(ds, reply_object(why, "session"));
	}
	if (reply_object(why, "path")) {
		put_path(ds, reply_object(why, "path"));
	}
	if (reply_object(why, "sleeve_path")) {
		put_sleeve_path(ds, reply_object(why, "sleeve_path"));
	}
	put_tests(ds, why);
	put_history(ds, why);
}
