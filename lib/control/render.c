#include "control/render.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "openvswitch/util.h"
#include "util.h"

#include "base/err.h"
#include "base/reason.h"
#include "control/columns.h"
#include "control/control.h"
#include "control/health.h"
#include "control/printable.h"
#include "control/reply.h"

void render_duration(int64_t seconds, struct ds *ds)
{
	static const struct {
		int64_t unit, part;
		const char *name, *part_name;
	} units[] = {
		{86400, 3600, "d", "h"},
		{3600, 60, "h", "min"},
		{60, 1, "min", "s"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(units); i++) {
		int64_t rest = seconds % units[i].unit / units[i].part;

		if (seconds < units[i].unit) {
			continue;
		}
		ds_put_format(ds, "%" PRId64 " %s", seconds / units[i].unit,
			      units[i].name);
		if (rest) {
			ds_put_format(ds, " %" PRId64 " %s", rest,
				      units[i].part_name);
		}
		return;
	}
	ds_put_format(ds, "%" PRId64 " s", seconds < 0 ? 0 : seconds);
}

void render_time(int64_t us, struct ds *ds)
{
	if (us < 10 * 1000) {
		ds_put_format(ds, "%.1f ms", (double)us / 1e3);
	} else if (us < 1000 * 1000) {
		ds_put_format(ds, "%" PRId64 " ms", us / 1000);
	} else if (us < 100 * 1000 * 1000) {
		ds_put_format(ds, "%.1f s", (double)us / 1e6);
	} else {
		render_duration(us / 1000000, ds);
	}
}

int64_t render_us_ago(const struct json *object, const char *key)
{
	int64_t ms = reply_number(object, key, -1);

	return ms < 0 || ms > INT64_MAX / 1000 ? -1 : ms * 1000;
}

/* "label        ", the left side of a list of facts. */
static void put_label(struct ds *ds, const char *label)
{
	ds_put_format(ds, "%-13s", label);
}

static void put_fact(struct ds *ds, const char *label, const char *text)
{
	put_label(ds, label);
	printable_put(ds, *text ? text : "-");
	ds_put_char(ds, '\n');
}

/* "1 established, 2 retrying": those members of 'object' that 'keys' lists and
 * that are not zero, or all if 'zeros'. */
static void put_counts(struct ds *ds, const struct json *object,
		       const char *const *keys, bool zeros)
{
	const char *comma = "";

	for (; *keys; keys++) {
		int64_t n = reply_number(object, *keys, 0);

		if (n || zeros) {
			ds_put_format(ds, "%s%" PRId64 " %s", comma, n, *keys);
			comma = ", ";
		}
	}
	ds_put_cstr(ds, *comma ? "\n" : "none\n");
}

/* Is the data plane without encryption?  Silence does not count. */
static bool is_plain(const struct json *status)
{
	return !strcmp(reply_text(status, "encryption", ""), "none");
}

/* By will, and with some hosts only. */
static void shout_peers(struct json *const *peer, size_t n, bool colour,
			struct ds *ds)
{
	if (!n) {
		return;
	}
	colour_put(ds, colour, COLOUR_BAD, "*** NOT ENCRYPTED with ");
	for (size_t i = 0; i < n; i++) {
		ds_put_cstr(ds, i ? ", " : "");
		printable_put(ds, reply_element(peer[i]));
	}
	colour_put(ds, colour, COLOUR_BAD, " ***");
	ds_put_cstr(ds, "\nas --trusted-subnet of both hosts says: what "
			"containers send between them is\nreadable and "
			"forgeable by anybody on the way.\n\n");
}

static void shout(bool colour, struct ds *ds)
{
	static const char *const lines[] = {
		"*** NOT ENCRYPTED ***",
		"This host runs without a password: whatever containers send "
		"crosses the",
		"network readable and forgeable by anybody on the way.  Start "
		"fdpd with",
		"--password-file (see fdpctl genpass) on every host.",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		colour_put(ds, colour, i ? COLOUR_NONE : COLOUR_BAD, lines[i]);
		ds_put_char(ds, '\n');
	}
	ds_put_char(ds, '\n');
}

static void put_verdict(const struct json *status, bool colour, struct ds *ds)
{
	static const enum colour colours[] = {
		[HEALTH_GOOD] = COLOUR_GOOD,
		[HEALTH_REFUSED] = COLOUR_WARN,
		[HEALTH_DEGRADED] = COLOUR_WARN,
		[HEALTH_DOWN] = COLOUR_BAD,
	};
	struct ds verdict = DS_EMPTY_INITIALIZER;
	struct json *const *reason;
	size_t n, i;

	printable_put(&verdict, reply_text(status, "verdict", "unknown"));
	put_label(ds, "verdict");
	colour_put(ds, colour, colours[health_of_status(status)],
		   ds_cstr(&verdict));
	ds_put_char(ds, '\n');
	ds_destroy(&verdict);
	reason = reply_array(status, "reasons", &n);
	for (i = 0; i < n; i++) {
		put_fact(ds, "", reply_element(reason[i]));
	}
}

static void put_drops(const struct json *status, struct ds *ds)
{
	const struct json *drops = reply_object(status, "drops");
	const struct shash_node **nodes;
	const char *comma = "";
	size_t i;

	put_label(ds, "drops");
	if (drops) {
		nodes = shash_sort(json_object(drops));
		for (i = 0; i < shash_count(json_object(drops)); i++) {
			int64_t n = reply_number(drops, nodes[i]->name, 0);

			if (n) {
				ds_put_cstr(ds, comma);
				printable_put(ds, nodes[i]->name);
				ds_put_format(ds, " %" PRId64, n);
				comma = ", ";
			}
		}
		free(nodes);
	}
	ds_put_cstr(ds, *comma ? "\n" : "none\n");
}

static void put_names(const struct json *object, const char *key, struct ds *ds)
{
	size_t n;
	struct json *const *names = reply_array(object, key, &n);

	for (size_t i = 0; i < n; i++) {
		ds_put_cstr(ds, i ? ", " : " ");
		printable_put(ds, reply_element(names[i]));
	}
}

/* One password that everybody uses is not worth a line. */
static void put_password(const struct json *password, struct ds *ds)
{
	int64_t first = reply_number(password, "first", 0);
	int64_t absent = reply_number(password, "absent", 0);
	size_t n_second, n_removed;

	reply_array(password, "second", &n_second);
	reply_array(password, "removed", &n_removed);
	if (reply_number(password, "accepted", 0) < 2 && !n_removed) {
		return;
	}
	put_label(ds, "password");
	ds_put_format(ds,
		      "the first is in use with %" PRId64 " of %" PRId64
		      " peers; ",
		      first, first + (int64_t)(n_second + n_removed));
	if (n_second) {
		ds_put_cstr(ds, "the second with");
		put_names(password, "second", ds);
	} else if (n_removed) {
		ds_put_cstr(ds, "one that was removed with");
		put_names(password, "removed", ds);
	} else if (absent) {
		ds_put_format(ds,
			      "keep the second until %" PRId64
			      " more %s connected",
			      absent, absent == 1 ? "is" : "are");
	} else {
		ds_put_cstr(ds, "the second may be removed");
	}
	ds_put_char(ds, '\n');
}

/* What a restart would not find is worth a line. */
static void put_state(const struct json *state, struct ds *ds)
{
	const char *damaged = reply_text(state, "damaged", "");

	if (!reply_flag(state, "written", true)) {
		put_label(ds, "state");
		ds_put_cstr(ds, "not written: ");
		printable_put(ds, reply_text(state, "error", "-"));
		ds_put_cstr(ds, "; attachments and identity keys of peers "
				"would be lost at a restart\n");
	}
	if (*damaged) {
		put_fact(ds, "state", damaged);
	}
}

static bool is_exposed(const struct json *port)
{
	return !strcmp(reply_text(port, "netns", ""), CONTROL_OWN_NETNS);
}

/* Where an interface is. */
static void put_place(struct ds *ds, const struct json *port)
{
	if (is_exposed(port)) {
		ds_put_cstr(ds, " on this host");
	} else {
		ds_put_cstr(ds, " in ");
		printable_put(ds, reply_text(port, "netns", "-"));
	}
}

static void put_losers(struct ds *ds, const struct json *upcalls)
{
	struct json *const *port;
	size_t n;

	port = reply_array(upcalls, "lost_by", &n);
	for (size_t i = 0; i < n; i++) {
		put_label(ds, "");
		printable_put(ds, reply_text(port[i], "ifname", "-"));
		put_place(ds, port[i]);
		ds_put_format(ds,
			      " has lost %" PRId64 ", as it opens flows too "
			      "fast\n",
			      reply_number(port[i], "lost", 0));
	}
}

/* Which one, and why it is not the kernel's. */
static void put_datapath(const struct json *datapath, bool user, struct ds *ds)
{
	put_label(ds, "datapath");
	printable_put(ds, reply_text(datapath, "name", "-"));
	ds_put_cstr(ds, ", ");
	printable_put(ds, reply_text(datapath, "state", "unknown"));
	if (user) {
		ds_put_cstr(ds, ", in user space, as ");
		printable_put(ds, reply_text(datapath, "reason", "-"));
		ds_put_cstr(ds, ": ");
		printable_put(ds, reply_text(datapath, "detail", "-"));
	}
	ds_put_char(ds, '\n');
}

static void put_ahead(const struct json *flows, struct ds *ds)
{
	int64_t n = reply_number(flows, "ahead", 0);
	bool left_out = reply_flag(flows, "ahead_left_out", false);

	if (n || left_out) {
		put_label(ds, "");
		ds_put_format(ds, "%" PRId64 " of them ahead of packets%s\n", n,
			      left_out ? "; there is no room for all that "
					 "could be (--flows-ahead)"
				       : "");
	}
}

void render_status(const struct json *status, bool colour, struct ds *ds)
{
	static const char *const states[] = {"established", "connecting",
					     "handshake",   "retrying",
					     "failed",	    NULL};
	static const char *const sides[] = {"local", "remote", NULL};
	static const char *const flows[] = {"installed", "refused", "evicted",
					    NULL};
	static const char *const upcalls[] = {"handled", "lost", NULL};
	const struct json *datapath = reply_object(status, "datapath");
	const struct json *sleeve = reply_object(status, "sleeve");
	const bool user = !strcmp(reply_text(datapath, "kind", ""), "user");
	const struct json *up = reply_object(status, "upcalls");
	const char *guard = reply_text(status, "guard", "");
	int64_t restored = reply_number(up, "features_restored", 0);
	struct json *const *plain;
	size_t n_plain;

	if (is_plain(status)) {
		shout(colour, ds);
	}
	plain = reply_array(status, "plain", &n_plain);
	shout_peers(plain, n_plain, colour, ds);
	put_verdict(status, colour, ds);
	put_label(ds, "host");
	printable_put(ds, reply_text(status, "name", "-"));
	ds_put_cstr(ds, ", id ");
	printable_put(ds, reply_text(status, "id", "-"));
	ds_put_char(ds, '\n');
	if (*reply_text(status, "identity_key", "")) {
		put_label(ds, "identity");
		ds_put_cstr(ds, "key ");
		printable_put(ds, reply_text(status, "identity_key", ""));
		ds_put_char(ds, '\n');
	}
	put_state(reply_object(status, "state"), ds);
	put_label(ds, "daemon");
	ds_put_cstr(ds, "fdpd ");
	printable_put(ds, reply_text(status, "version", "-"));
	ds_put_cstr(ds, ", up ");
	render_duration(reply_number(status, "uptime", 0), ds);
	ds_put_char(ds, '\n');
	put_label(ds, "encryption");
	if (is_plain(status)) {
		colour_put(ds, colour, COLOUR_BAD, "NONE");
	} else {
		printable_put(ds, reply_text(status, "encryption", "-"));
		if (*guard && !user) {
			ds_put_cstr(ds, ", guard ");
			printable_put(ds, guard);
		}
	}
	ds_put_char(ds, '\n');
	if (reply_object(status, "password")) {
		put_password(reply_object(status, "password"), ds);
	}
	put_label(ds, "listening");
	ds_put_format(ds, "TCP %" PRId64 " (control)",
		      reply_number(status, "control_port", 0));
	if (!user) {
		ds_put_format(ds, ", UDP %" PRId64 " (vxlan)",
			      reply_number(status, "vxlan_port", 0));
	}
	if (!strcmp(reply_text(sleeve, "state", ""), "up")) {
		ds_put_format(ds, ", UDP %" PRId64 " (sleeve)",
			      reply_number(sleeve, "port", 0));
	}
	ds_put_char(ds, '\n');
	put_datapath(datapath, user, ds);
	put_label(ds, "ports");
	ds_put_format(ds, "%" PRId64 "\n", reply_number(status, "ports", 0));
	put_label(ds, "peers");
	ds_put_format(ds, "%" PRId64 "\n", reply_number(status, "peers", 0));
	put_label(ds, "connections");
	put_counts(ds, reply_object(status, "connections"), states, false);
	put_label(ds, "endpoints");
	put_counts(ds, reply_object(status, "endpoints"), sides, true);
	put_label(ds, "flows");
	put_counts(ds, reply_object(status, "flows"), flows, true);
	put_ahead(reply_object(status, "flows"), ds);
	put_label(ds, "upcalls");
	put_counts(ds, up, upcalls, true);
	put_losers(ds, up);
	if (restored) {
		put_label(ds, "");
		ds_put_format(ds,
			      "another program changed the datapath's features "
			      "%" PRId64 " times; restored\n",
			      restored);
	}
	put_drops(status, ds);
}

/* What to do about failed handshakes whose reasons are errors (base/err.def),
 * which carry no advice. */
static const struct {
	enum err err;
	const char *remedy;
} handshake_remedies[] = {
	{ERR_COPY, "on the copy: stop fdpd, remove its state directory, start "
		   "it again under a --name of its own"},
	{ERR_SELF, "remove this address from the peers of this host"},
	{ERR_BAD_MAGIC, "check that fdpd listens on that port"},
	{ERR_TIMEOUT, "check the network between the hosts"},
};

/* "" if there is nothing to be said. */
static const char *remedy_of(const char *slug)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(handshake_remedies); i++) {
		if (!strcmp(slug, err_slug(handshake_remedies[i].err))) {
			return handshake_remedies[i].remedy;
		}
	}
	return reason_remedy(reason_find(slug));
}

static enum colour colour_of(const struct json *connection)
{
	if (health_connection_is_good(connection)) {
		return COLOUR_GOOD;
	}
	return strcmp(reply_text(connection, "state", ""), "failed")
		       ? COLOUR_WARN
		       : COLOUR_BAD;
}

/* 0, the usual "unknown", shows as "-". */
static void columns_number(struct columns *c, int64_t number)
{
	if (number) {
		columns_format(c, "%" PRId64, number);
	} else {
		columns_put(c, "");
	}
}

static void columns_hex(struct columns *c, int64_t number)
{
	if (number) {
		columns_format(c, "0x%08" PRIx64, (uint64_t)number);
	} else {
		columns_put(c, "");
	}
}

/* "fastdp", "via b, 2 hops" */
static void put_overlay(struct columns *c, const struct json *object)
{
	const char *via = reply_text(object, "via", "");
	int64_t hops = reply_number(object, "hops", 0);

	if (*via && hops) {
		columns_format(c, "via %s, %" PRId64 " hops", via, hops);
	} else if (*via) {
		columns_format(c, "via %s", via);
	} else {
		columns_put(c, reply_text(object, "overlay", ""));
	}
}

static void columns_time(struct columns *c, int64_t us)
{
	struct ds ds = DS_EMPTY_INITIALIZER;

	if (us >= 0) {
		render_time(us, &ds);
	}
	columns_put(c, ds_cstr(&ds));
	ds_destroy(&ds);
}

/* Loss, round trip, and when something came through the tunnel last. */
static void put_path_columns(struct columns *c, const struct json *path)
{
	int64_t loss = reply_number(path, "loss", -1);

	if (loss >= 0) {
		columns_format(c, "%" PRId64 " %%", loss);
	} else {
		columns_put(c, "");
	}
	columns_time(c, reply_number(path, "rtt_us", -1));
	columns_time(c, render_us_ago(path, "heard_ago_ms"));
}

static void put_connection(struct columns *c, const struct json *connection)
{
	const char *direction = reply_text(connection, "direction", "");
	const char *state = reply_text(connection, "state", "");
	const char *reason = reply_text(connection, "reason", "");
	const char *detail = reply_text(connection, "detail", "");
	bool established = !strcmp(state, "established");
	bool encrypted = reply_flag(connection, "encrypted", false);
	bool plain = reply_flag(connection, "plain", false);
	int64_t slot = reply_number(connection, "slot", 0);
	/* Which password, where it is not the first as usual. */
	const char *yes = slot == 1  ? "yes, 2nd"
			  : slot < 0 ? "yes, old"
				     : "yes";

	columns_put(c, !strcmp(direction, "out")  ? "->"
		       : !strcmp(direction, "in") ? "<-"
						  : "?");
	columns_put(c, reply_text(connection, "address", ""));
	columns_put_colour(c, colour_of(connection), state);
	columns_put_colour(c,
			   plain || (established && !encrypted) ? COLOUR_BAD
								: COLOUR_NONE,
			   plain	 ? "PLAIN"
			   : encrypted	 ? yes
			   : established ? "NO"
					 : "no");
	put_overlay(c, connection);
	columns_put(c, reply_text(connection, "name", ""));
	columns_number(c, reply_number(connection, "mtu", 0));
	put_path_columns(c, reply_object(connection, "path"));
	if (*reason && *detail) {
		columns_format(c, "%s: %s", reason, detail);
	} else {
		columns_put(c, *reason ? reason : detail);
	}
	if (*reply_text(connection, "overlay_reason", "") && established) {
		char *note = xasprintf(
			"%s, as %s: %s", reply_text(connection, "overlay", "-"),
			reply_text(connection, "overlay_reason", "-"),
			reply_text(connection, "overlay_detail", ""));

		columns_note(c, note);
		free(note);
	}
	if (*remedy_of(reason)) {
		char *note = xasprintf("what to do: %s", remedy_of(reason));

		columns_note(c, note);
		free(note);
	}
}

void render_connections(const struct json *reply, bool colour, struct ds *ds)
{
	static const char *const heads[] = {
		"",	"ADDRESS", "STATE", "ENCR.", "OVERLAY", "PEER",
		">MTU", ">LOSS",   ">RTT",  ">SEEN", "REASON"};
	struct columns *c = columns_new(heads, ARRAY_SIZE(heads));
	struct json *const *connection;
	size_t n, i;

	connection = reply_array(reply, "connections", &n);
	for (i = 0; i < n; i++) {
		put_connection(c, connection[i]);
	}
	if (n) {
		columns_print(c, colour, ds);
	} else {
		ds_put_cstr(ds, "no connections: this host has no peers; add "
				"one with fdpctl connect ADDR\n");
	}
	columns_free(c);
}

/* "10.32.0.2/12 fd00::2/64" */
static void put_addresses(struct ds *ds, const struct json *object)
{
	struct json *const *address;
	size_t n, i;

	address = reply_array(object, "addresses", &n);
	for (i = 0; i < n; i++) {
		ds_put_cstr(ds, i ? " " : "");
		printable_put(ds, reply_element(address[i]));
	}
}

static void put_endpoints(struct columns *c, const struct json *peer)
{
	struct json *const *endpoint;
	size_t n, i;

	endpoint = reply_array(peer, "endpoints", &n);
	for (i = 0; i < n; i++) {
		struct ds note = DS_EMPTY_INITIALIZER;

		ds_put_format(&note, "network %" PRId64 "  %s  ",
			      reply_number(endpoint[i], "network", 0),
			      reply_text(endpoint[i], "mac", "-"));
		put_addresses(&note, endpoint[i]);
		if (*reply_text(endpoint[i], "duplicate", "")) {
			ds_put_cstr(&note, "  DUPLICATE, not used: of ");
			printable_put(&note,
				      reply_text(endpoint[i], "duplicate", ""));
		}
		columns_note(c, ds_cstr(&note));
		ds_destroy(&note);
	}
}

static void put_identity_key(struct columns *c, const struct json *peer)
{
	const char *state = reply_text(peer, "identity", "none");
	struct ds note = DS_EMPTY_INITIALIZER;

	if (strcmp(state, "none")) {
		ds_put_format(&note, "identity key %s, %s",
			      reply_text(peer, "identity_key", "-"), state);
		columns_note(c, ds_cstr(&note));
	}
	ds_destroy(&note);
}

void render_peers(const struct json *reply, bool colour, struct ds *ds)
{
	static const char *const heads[] = {
		"PEER", "ADDRESS", "CONNECTED", "OVERLAY", ">MTU",  ">LOSS",
		">RTT", ">SEEN",   "SPI IN",	"SPI OUT", "REQID", "ID"};
	struct columns *c = columns_new(heads, ARRAY_SIZE(heads));
	struct json *const *peer;
	size_t n, i;

	peer = reply_array(reply, "peers", &n);
	for (i = 0; i < n; i++) {
		bool connected = reply_flag(peer[i], "connected", false);

		columns_put(c, reply_text(peer[i], "name", ""));
		columns_put(c, reply_text(peer[i], "address", ""));
		columns_put_colour(c, connected ? COLOUR_GOOD : COLOUR_WARN,
				   connected ? "yes" : "no");
		put_overlay(c, peer[i]);
		columns_number(c, reply_number(peer[i], "mtu", 0));
		put_path_columns(c, reply_object(peer[i], "path"));
		columns_hex(c, reply_number(peer[i], "spi_in", 0));
		columns_hex(c, reply_number(peer[i], "spi_out", 0));
		columns_hex(c, reply_number(peer[i], "reqid", 0));
		columns_put(c, reply_text(peer[i], "id", ""));
		put_identity_key(c, peer[i]);
		put_endpoints(c, peer[i]);
	}
	if (n) {
		columns_print(c, colour, ds);
	} else {
		ds_put_cstr(ds, "no peers are known\n");
	}
	columns_free(c);
}

/* What a container has lost by doing too much. */
static void note_losses(struct columns *c, const struct json *port)
{
	int64_t lost = reply_number(port, "lost", 0);
	int64_t refused = reply_number(port, "refused", 0);
	int64_t evicted = reply_number(port, "evicted", 0);
	struct ds note = DS_EMPTY_INITIALIZER;

	if (lost) {
		ds_put_format(&note,
			      "%" PRId64 " of its packets were lost, as it "
			      "opens flows too fast",
			      lost);
		columns_note(c, ds_cstr(&note));
	}
	if (refused || evicted) {
		ds_clear(&note);
		ds_put_format(&note,
			      "too many flows: %" PRId64 " now, %" PRId64
			      " refused, %" PRId64 " evicted",
			      reply_number(port, "flows", 0), refused, evicted);
		columns_note(c, ds_cstr(&note));
	}
	ds_destroy(&note);
}

static void put_vport(struct columns *c, int64_t number)
{
	if (number < 0) {
		columns_put(c, "-");
	} else {
		columns_format(c, "%" PRId64, number);
	}
}

/* A line about a port that is not in service. */
static void put_trouble(struct ds *ds, const struct json *port,
			const char *name)
{
	const char *trouble = reply_text(port, "trouble", "");
	const char *state = reply_text(port, "state", "up");

	if (strcmp(state, "up") != 0) {
		ds_put_format(ds, "%s", ds->length ? "" : "\n");
		printable_put(ds, reply_text(port, name, "-"));
		ds_put_cstr(ds, " is ");
		printable_put(ds, state);
		ds_put_cstr(ds, ": ");
		printable_put(ds, *trouble ? trouble : "it is being repaired");
		ds_put_char(ds, '\n');
	}
}

void render_ports(const struct json *reply, bool colour, struct ds *ds)
{
	static const char *const heads[] = {
		">PORT", "INTERFACE", "HOST END", ">NETWORK",
		"MAC",	 "ADDRESSES", ">MTU",	  "NETNS"};
	struct columns *c = columns_new(heads, ARRAY_SIZE(heads));
	struct ds troubles = DS_EMPTY_INITIALIZER;
	struct json *const *port;
	size_t n, i;

	port = reply_array(reply, "ports", &n);
	for (i = 0; i < n; i++) {
		struct ds addresses = DS_EMPTY_INITIALIZER;

		put_addresses(&addresses, port[i]);
		put_vport(c, reply_number(port[i], "vport", -1));
		columns_put(c, reply_text(port[i], "ifname", ""));
		columns_put(c, reply_text(port[i], "host_ifname", ""));
		columns_number(c, reply_number(port[i], "network", 0));
		columns_put(c, reply_text(port[i], "mac", ""));
		columns_put(c, ds_cstr(&addresses));
		columns_number(c, reply_number(port[i], "mtu", 0));
		columns_put(c, is_exposed(port[i])
				       ? "(this host)"
				       : reply_text(port[i], "netns", ""));
		note_losses(c, port[i]);
		if (*reply_text(port[i], "duplicate", "")) {
			ds_clear(&addresses);
			ds_put_cstr(&addresses, "DUPLICATE: an address is "
						"announced by ");
			printable_put(&addresses,
				      reply_text(port[i], "duplicate", ""));
			columns_note(c, ds_cstr(&addresses));
		}
		put_trouble(&troubles, port[i], "ifname");
		ds_destroy(&addresses);
	}
	if (n) {
		columns_print(c, colour, ds);
	} else {
		ds_put_cstr(ds, "nothing is attached; see fdpctl attach "
				"--help\n");
	}
	columns_free(c);

	port = reply_array(reply, "others", &n);
	for (i = 0; i < n; i++) {
		ds_put_cstr(ds, i ? ", " : "\nour own: ");
		if (reply_number(port[i], "vport", -1) >= 0) {
			ds_put_format(ds, "%" PRId64 " ",
				      reply_number(port[i], "vport", -1));
		}
		printable_put(ds, reply_text(port[i], "name", "-"));
		ds_put_cstr(ds, " (");
		printable_put(ds, reply_text(port[i], "kind", "-"));
		ds_put_cstr(ds, i + 1 == n ? ")\n" : ")");
		put_trouble(&troubles, port[i], "name");
	}
	ds_put_cstr(ds, ds_cstr(&troubles));
	ds_destroy(&troubles);
}

void render_attached(const struct json *port, bool colour OVS_UNUSED,
		     struct ds *ds)
{
	put_label(ds, "interface");
	printable_put(ds, reply_text(port, "ifname", "-"));
	put_place(ds, port);
	ds_put_char(ds, '\n');
	put_fact(ds, "mac", reply_text(port, "mac", ""));
	put_label(ds, "addresses");
	put_addresses(ds, port);
	ds_put_char(ds, '\n');
	put_label(ds, "mtu");
	ds_put_format(ds, "%" PRId64 "\n", reply_number(port, "mtu", 0));
	put_label(ds, "network");
	ds_put_format(ds, "%" PRId64 "\n", reply_number(port, "network", 0));
	put_label(ds, "host end");
	printable_put(ds, reply_text(port, "host_ifname", "-"));
	ds_put_format(ds, ", port %" PRId64 " of the datapath\n",
		      reply_number(port, "vport", 0));
}

/* "did VALUE\n" */
static void put_deed(struct ds *ds, const char *deed, const char *what)
{
	ds_put_format(ds, "%s ", deed);
	printable_put(ds, what);
	ds_put_char(ds, '\n');
}

/* The same for each element of an array. */
static void put_deeds(struct ds *ds, const char *deed, const struct json *reply,
		      const char *key)
{
	size_t n;
	struct json *const *what = reply_array(reply, key, &n);

	for (size_t i = 0; i < n; i++) {
		put_deed(ds, deed, reply_element(what[i]));
	}
}

void render_detached(const struct json *reply, bool colour OVS_UNUSED,
		     struct ds *ds)
{
	put_deed(ds, "detached", reply_text(reply, "host_ifname", "-"));
}

void render_hidden(const struct json *reply, bool colour OVS_UNUSED,
		   struct ds *ds)
{
	size_t n;
	struct json *const *port = reply_array(reply, "hidden", &n);

	for (size_t i = 0; i < n; i++) {
		ds_put_cstr(ds, "hidden ");
		put_addresses(ds, port[i]);
		ds_put_cstr(ds, ", was on ");
		printable_put(ds, reply_text(port[i], "ifname", "-"));
		ds_put_char(ds, '\n');
	}
	if (!n) {
		ds_put_cstr(ds, "nothing of that is exposed\n");
	}
}

void render_connect(const struct json *reply, bool colour OVS_UNUSED,
		    struct ds *ds)
{
	put_deeds(ds, "dialling", reply, "addresses");
	put_deeds(ds, "forgot", reply, "forgotten");
	ds_put_cstr(ds, "see fdpctl status connections\n");
}

void render_forget(const struct json *reply, bool colour OVS_UNUSED,
		   struct ds *ds)
{
	put_deed(ds, "forgot", reply_text(reply, "address", "-"));
}

void render_forget_key(const struct json *reply, bool colour OVS_UNUSED,
		       struct ds *ds)
{
	put_deed(ds, "forgot the identity key of",
		 reply_text(reply, "name", "-"));
}

void render_rekey(const struct json *reply, bool colour OVS_UNUSED,
		  struct ds *ds)
{
	size_t n;
	struct json *const *names = reply_array(reply, "peers", &n);

	for (size_t i = 0; i < n; i++) {
		put_deed(ds, "new keys with", reply_element(names[i]));
	}
	if (!n) {
		ds_put_cstr(ds, "no peer is connected\n");
	}
}

void render_reload(const struct json *reply, bool colour OVS_UNUSED,
		   struct ds *ds)
{
	int64_t accepted = reply_number(reply, "accepted", 0);
	struct json *const *names;
	size_t n;

	if (!reply_flag(reply, "changed", false)) {
		ds_put_cstr(ds, "the passwords are the same as before\n");
		return;
	}
	ds_put_format(ds, "read: %s\n",
		      accepted == 1 ? "one password is accepted"
				    : "two passwords are accepted");
	names = reply_array(reply, "renewing", &n);
	for (size_t i = 0; i < n; i++) {
		put_deed(ds, "new connection, with a password that remains, to",
			 reply_element(names[i]));
	}
}

void render_trace(const struct json *reply, bool colour, struct ds *ds)
{
	const char *verdict = reply_text(reply, "verdict", "unknown");
	bool drop = !strcmp(verdict, "drop");
	struct ds shown = DS_EMPTY_INITIALIZER;
	struct json *const *step;
	const char *text;
	int64_t spi, lane;
	size_t n, i;

	put_fact(ds, "match", reply_text(reply, "key", ""));
	step = reply_array(reply, "steps", &n);
	for (i = 0; i < n; i++) {
		char *label = i ? NULL : xstrdup("steps");

		put_label(ds, label ? label : "");
		free(label);
		ds_put_format(ds, "%zu. ", i + 1);
		printable_put(ds, reply_element(step[i]));
		ds_put_char(ds, '\n');
	}
	put_label(ds, "verdict");
	printable_put(&shown, verdict);
	colour_put(ds, colour, drop ? COLOUR_BAD : COLOUR_GOOD,
		   ds_cstr(&shown));
	ds_destroy(&shown);
	ds_put_char(ds, '\n');
	put_label(ds, "reason");
	printable_put(ds, reply_text(reply, "reason", "-"));
	text = reply_text(reply, "text", "");
	if (*text) {
		ds_put_cstr(ds, ": ");
		printable_put(ds, text);
	}
	ds_put_char(ds, '\n');
	text = reply_text(reply, "remedy", "");
	if (*text) {
		put_fact(ds, "what to do", text);
	}
	text = reply_text(reply, "peer", "");
	if (*text) {
		put_label(ds, "peer");
		printable_put(ds, text);
		text = reply_text(reply, "via", "");
		if (*text) {
			ds_put_cstr(ds, " via ");
			printable_put(ds, text);
		}
		spi = reply_number(reply, "spi", 0);
		if (spi) {
			ds_put_format(ds, ", ESP SPI 0x%08" PRIx64,
				      (uint64_t)spi);
		}
		lane = reply_number(reply, "lane", -1);
		if (lane >= 0) {
			ds_put_format(ds, ", lane %" PRId64, lane);
		}
		ds_put_char(ds, '\n');
	}
	text = reply_text(reply, "actions", "");
	put_fact(ds, "actions", *text ? text : "drop");
	put_fact(ds, "flow",
		 reply_flag(reply, "install", false)
			 ? "one flow in the kernel serves all such packets"
			 : "each such packet comes up to the daemon");
}

/* Nothing for an SA that is in use no more. */
static void put_lane(struct columns *c, int64_t lane)
{
	if (lane < 0) {
		columns_put(c, "");
	} else {
		columns_format(c, "%" PRId64, lane);
	}
}

static void put_sas(const struct json *reply, bool colour, struct ds *ds)
{
	static const char *const heads[] = {
		"DIR",	   "PEER",    "SOURCE", "DESTINATION", "SPI",
		"REQID",   ">LANE",   ">BYTES", ">PACKETS",    ">SEQUENCE",
		">REPLAY", ">ERRORS", "AGE"};
	struct columns *c = columns_new(heads, ARRAY_SIZE(heads));
	struct json *const *sa;
	size_t n, i;

	sa = reply_array(reply, "sas", &n);
	for (i = 0; i < n; i++) {
		int64_t errors = reply_number(sa[i], "replay_errors", 0) +
				 reply_number(sa[i], "integrity_errors", 0);
		struct ds age = DS_EMPTY_INITIALIZER;

		render_duration(reply_number(sa[i], "age", 0), &age);
		columns_put(c, reply_text(sa[i], "direction", ""));
		columns_put(c, reply_text(sa[i], "name", ""));
		columns_put(c, reply_text(sa[i], "src", ""));
		columns_put(c, reply_text(sa[i], "dst", ""));
		columns_hex(c, reply_number(sa[i], "spi", 0));
		columns_hex(c, reply_number(sa[i], "reqid", 0));
		put_lane(c, reply_number(sa[i], "lane", -1));
		columns_format(c, "%" PRId64, reply_number(sa[i], "bytes", 0));
		columns_format(c, "%" PRId64,
			       reply_number(sa[i], "packets", 0));
		columns_format(c, "%" PRId64,
			       reply_number(sa[i], "sequence", 0));
		columns_number(c, reply_number(sa[i], "replay", 0));
		columns_format(c, "%" PRId64, errors);
		columns_put(c, ds_cstr(&age));
		ds_destroy(&age);
	}
	if (n) {
		columns_print(c, colour, ds);
	} else {
		ds_put_cstr(ds, "no security associations of ours\n");
	}
	columns_free(c);
}

/* As ip-xfrm(8) says it; nothing where any packet is meant. */
static void put_mark(struct columns *c, const struct json *policy)
{
	int64_t mask = reply_number(policy, "mark_mask", 0);

	if (mask) {
		columns_format(c, "0x%" PRIx64 "/0x%" PRIx64,
			       (uint64_t)reply_number(policy, "mark", 0),
			       (uint64_t)mask);
	} else {
		columns_put(c, "");
	}
}

static void put_policies(const struct json *reply, bool colour, struct ds *ds)
{
	static const char *const heads[] = {"DIR",	   "PEER",  "SOURCE",
					    "DESTINATION", ">PORT", "POLICY",
					    "SPI",	   "REQID", "MARK"};
	struct columns *c = columns_new(heads, ARRAY_SIZE(heads));
	struct json *const *policy;
	size_t n, i;

	policy = reply_array(reply, "policies", &n);
	for (i = 0; i < n; i++) {
		columns_put(c, reply_text(policy[i], "direction", ""));
		columns_put(c, reply_text(policy[i], "name", ""));
		columns_put(c, reply_text(policy[i], "src", ""));
		columns_put(c, reply_text(policy[i], "dst", ""));
		columns_number(c, reply_number(policy[i], "udp_port", 0));
		columns_put(c, reply_text(policy[i], "action", ""));
		columns_hex(c, reply_number(policy[i], "spi", 0));
		columns_hex(c, reply_number(policy[i], "reqid", 0));
		put_mark(c, policy[i]);
	}
	ds_put_char(ds, '\n');
	if (n) {
		columns_print(c, colour, ds);
	} else {
		ds_put_cstr(ds, "no policies of ours\n");
	}
	columns_free(c);
}

void render_sas(const struct json *reply, bool colour, struct ds *ds)
{
	put_sas(reply, colour, ds);
	put_policies(reply, colour, ds);
}

void render_reset(const struct json *reply, bool colour OVS_UNUSED,
		  struct ds *ds)
{
	bool dry = reply_flag(reply, "dry_run", false);
	struct json *const *object;
	size_t n, i;

	object = reply_array(reply, "removed", &n);
	for (i = 0; i < n; i++) {
		put_deed(ds, dry ? "would remove" : "removed",
			 reply_element(object[i]));
	}
	if (!n) {
		ds_put_cstr(ds, "nothing of ours is in the kernel\n");
	}
	object = reply_array(reply, "left", &n);
	for (i = 0; i < n; i++) {
		put_deed(ds, "left alone:", reply_element(object[i]));
	}
}

void render_version(const struct json *reply, bool colour OVS_UNUSED,
		    struct ds *ds)
{
	const char *daemon = reply_text(reply, "daemon", "");

	ds_put_format(ds, "fdpctl %s\n", reply_text(reply, "fdpctl", "-"));
	ds_put_cstr(ds, "fdpd   ");
	printable_put(ds, *daemon ? daemon : "not running");
	ds_put_char(ds, '\n');
}
