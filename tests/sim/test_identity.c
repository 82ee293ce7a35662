/* Identity keys: who may be whom, and what a host remembers of it. */
#include <ctype.h>
#include <errno.h>

#include "fake/scenario.h"
#include "util.h"

static const struct json *peer_row(const struct json *reply, const char *name)
{
	const struct json *list = jsonget(reply, "peers");

	for (size_t i = 0; i < jsonget_n(list); i++) {
		const struct json *row = jsonget_at(list, i);

		if (!strcmp(jsonget_string(row, "name"), name)) {
			return row;
		}
	}
	return NULL;
}

/* What `peers` says about the key of 'name'. */
static void demand_identity(struct host *h, const char *name, const char *want)
{
	struct json *json = host_ask(h, "peers", NULL);
	const struct json *row = peer_row(json, name);
	const char *got = row ? jsonget_string(row, "identity") : "no peer";

	DEMAND(h->world, !strcmp(got, want), "%s shows the key of %s as %s",
	       h->name, name, got);
	json_destroy(json);
}

static void demand_verdict(struct host *h, const char *verdict,
			   const char *reason)
{
	struct json *json = host_ask(h, "status", NULL);
	const char *got = jsonget_string(json, "verdict");
	char *text = json_to_string(jsonget(json, "reasons"), JSSF_SORT);

	DEMAND(h->world, !strcmp(got, verdict), "%s is %s: %s", h->name, got,
	       text);
	DEMAND(h->world, !reason || strstr(text, reason), "%s says %s", h->name,
	       text);
	free(text);
	json_destroy(json);
}

static void forget_key(struct host *h, const char *name)
{
	char args[128];

	snprintf(args, sizeof args, "{\"name\": \"%s\"}", name);
	json_destroy(host_ask(h, "forget-key", args));
}

/* a and b are connected and know each other; b is stopped. */
static struct world *acquainted(uint64_t seed)
{
	struct world *w = running_world(seed, 2, "secret", seed % 2 != 0);

	world_run(w, 2 * SEC);
	host_stop(host_b(w));
	world_run(w, SEC);
	return w;
}

/* Is the peer of this name called so by all who are asked for it? */
static void demand_called(struct host *h, const char *name)
{
	char args[128], more[IDENTITY_NAME_SIZE + 1];
	struct json *json;

	snprintf(args, sizeof args, "{\"peer\": \"%s\"}", name);
	json = host_ask(h, "why", args);
	DEMAND(h->world, !strcmp(jsonget_string(json, "name"), name),
	       "why calls it %s", jsonget_string(json, "name"));
	json_destroy(json);
	/* Who is not known is called as the operator did. */
	snprintf(more, sizeof more, "%s+", name);
	snprintf(args, sizeof args, "{\"peer\": \"%s\"}", more);
	DEMAND(h->world, !host_command(h, "why", args), "one more is known");
	DEMAND(h->world, strstr(h->reply, more), "%s", h->reply);
	DEMAND(h->world, !host_command(h, "rekey", args), "one more is known");
	DEMAND(h->world, strstr(h->reply, more), "%s", h->reply);
	snprintf(args, sizeof args, "{\"address\": \"%s\"}", more);
	DEMAND(h->world, !host_command(h, "forget", args), "one more is known");
	DEMAND(h->world, strstr(h->reply, more), "%s", h->reply);
}

/* They differ in the last byte; a and c hear of each other through b. */
SEED_TEST(longest_names_are_whole_everywhere, 5)
{
	struct world *w = world_new(seed);
	struct host *a, *b, *c;
	struct json *json;

	for (unsigned int i = 0; i < 3; i++) {
		char name[IDENTITY_NAME_SIZE] = "";

		memset(name, 'n', sizeof name - 1);
		name[sizeof name - 2] = (char)('a' + i);
		world_add_host(w, name, "secret");
	}
	a = host_a(w);
	b = host_b(w);
	c = host_c(w);
	dial_all(w, 3, seed & 1);
	world_partition(w, a, c, true);
	start_all(w, 3);
	world_run(w, 30 * SEC);
	json = host_ask(a, "status", NULL);
	DEMAND(w, !strcmp(jsonget_string(json, "name"), a->name), "%s",
	       jsonget_string(json, "name"));
	json_destroy(json);
	demand_identity(a, b->name, "new");
	demand_row(a, c, "via", b->name);
	demand_called(a, b->name);
	demand_called(a, c->name);
	host_kill(a);
	DEMAND(w, strstr(a->state, b->name), "it is not in the state file");
	DEMAND(w, strstr(a->peers, b->name), "nor in that of peers");
	host_start_well(a);
	world_run(w, 30 * SEC);
	demand_identity(a, b->name, "pinned");
	demand_row(a, c, "via", b->name);
	DEMAND(w, !a->n_alarms, "alarms");
	forget_key(a, b->name);
	demand_identity(a, b->name, "new");
	world_free(w);
}

SEED_TEST(key_is_pinned_at_first_use, 5)
{
	struct world *w = running_world(seed, 3, "secret", false);

	demand_identity(host_a(w), "b", "new");
	demand_identity(host_b(w), "a", "new");
	world_run(w, 2 * SEC);
	DEMAND(w, host_a(w)->n_saves, "nothing was saved");
	world_break(w, host_a(w), host_b(w));
	world_run(w, 10 * SEC);
	demand_connected(w, 60 * SEC);
	demand_identity(host_a(w), "b", "new");
	world_run(w, 3600 * SEC);
	demand_identity(host_a(w), "b", "pinned");
	host_kill(host_a(w));
	host_start_well(host_a(w));
	demand_connected(w, 60 * SEC);
	demand_identity(host_a(w), "b", "pinned");
	demand_identity(host_a(w), "c", "pinned");
	demand_verdict(host_a(w), "healthy", NULL);
	world_free(w);
}

/* One write for all that came at once. */
SEED_TEST(pins_are_saved_together, 3)
{
	struct world *w = hosts_new(seed, 8, "secret");

	dial_all(w, 8, false);
	start_all(w, 8);
	demand_connected(w, 10 * SEC);
	world_run(w, 2 * SEC);
	DEMAND(w, host_a(w)->n_saves && host_a(w)->n_saves <= 4, "%u saves",
	       host_a(w)->n_saves);
	world_free(w);
}

/* The right password and another's name: c dials, or is dialled by a. */
static void impostor(uint64_t seed, bool dials, bool with_key, bool same_id)
{
	struct world *w = acquainted(seed);
	struct host *a = host_a(w), *b = host_b(w), *c;
	struct endpoint *e;

	c = world_add_host(w, "b", "secret");
	c->has_key = with_key;
	if (same_id) {
		c->id = b->id;
		snprintf(c->name, sizeof c->name, "c");
	}
	if (dials) {
		host_add_target(c, &a->v4);
	}
	host_start_well(c);
	if (!dials) {
		char args[64], ip[IP_STRLEN];

		snprintf(args, sizeof args, "{\"address\": \"%s\"}",
			 ip_format(&c->v4, ip));
		json_destroy(host_ask(a, "connect", args));
	}
	world_run(w, 30 * SEC);
	DEMAND(w, !host_is_connected(a, c), "the impostor is connected");
	DEMAND(w, a->n_alarms == 1, "%u alarms", a->n_alarms);
	demand_verdict(a, "degraded", "--forget-key b");
	demand_connection(a, "192.0.2.3", "failed", "identity-changed");
	demand_connection(c, "192.0.2.1", "failed", "identity-refused");
	demand_verdict(c, "degraded", NULL);
	/* The real one is not harmed. */
	host_start_well(b);
	world_run(w, 60 * SEC);
	DEMAND(w, host_is_connected(a, b), "b is not connected any more");
	demand_identity(a, "b", "new");
	e = attach(c, 7);
	DEMAND(w, !endpoint_reaches(e, &a->endpoints[0]->ips[0]),
	       "the impostor reaches a container");
	DEMAND(w, a->n_alarms == 1, "%u alarms", a->n_alarms);
	world_free(w);
}

SEED_TEST(impostor_that_dials_is_refused, 3)
{
	impostor(seed, true, true, false);
	impostor(seed, true, true, true);
}

SEED_TEST(impostor_that_is_dialled_is_refused, 3)
{
	impostor(seed, false, true, false);
	impostor(seed, false, true, true);
}

/* What an older fdpd says is not good enough from one who had a key. */
SEED_TEST(known_host_without_key_is_refused, 3)
{
	impostor(seed, true, false, false);
	impostor(seed, false, false, true);
}

SEED_TEST(new_key_gets_in_after_forget_key, 5)
{
	struct world *w = acquainted(seed);
	struct host *a = host_a(w), *b = host_b(w);

	host_new_key(b);
	host_start_well(b);
	world_run(w, 20 * SEC);
	DEMAND(w, !host_is_connected(a, b), "connected with another key");
	demand_verdict(a, "degraded", "ALARM");
	forget_key(a, "b");
	demand_verdict(a, "healthy", NULL);
	demand_connected(w, 90 * SEC);
	demand_identity(a, "b", "new");
	demand_verdict(a, "healthy", NULL);
	world_run(w, 600 * SEC);
	demand_verdict(b, "healthy", NULL);
	demand_all_reach(w, 2);
	/* Nothing is left to be forgotten of somebody else. */
	DEMAND(w, !host_command(a, "forget-key", "{\"name\": \"x\"}"),
	       "forgot what it did not know");
	world_free(w);
}

SEED_TEST(older_host_without_key_is_accepted_and_then_its_key, 3)
{
	struct world *w = hosts_new(seed, 3, "secret");
	struct host *b = host_b(w);

	b->has_key = false;
	dial_all(w, 3, false);
	start_all(w, 3);
	demand_connected(w, 10 * SEC);
	demand_identity(host_a(w), "b", "none");
	demand_identity(host_a(w), "c", "new");
	demand_verdict(host_a(w), "healthy", NULL);
	/* The upgrade. */
	host_stop(b);
	b->has_key = true;
	host_start_well(b);
	demand_connected(w, 60 * SEC);
	demand_identity(host_a(w), "b", "new");
	demand_verdict(host_a(w), "healthy", NULL);
	world_free(w);
}

/* Who sat under the name without a key loses it to one who has a key. */
SEED_TEST(keyless_namesake_gives_way_to_a_key, 3)
{
	struct world *w = hosts_new(seed, 2, "secret");
	struct host *a = host_a(w), *b = host_b(w), *c;

	c = world_add_host(w, "b", "secret");
	b->has_key = false;
	host_add_target(b, &a->v4);
	host_add_target(c, &a->v4);
	host_start_well(a);
	host_start_well(b);
	world_run(w, 5 * SEC);
	DEMAND(w, host_is_connected(a, b), "b is not connected");
	host_start_well(c);
	world_run(w, 60 * SEC);
	demand_connection(a, "192.0.2.3", "established", "");
	demand_connection(a, "192.0.2.2", "failed", "identity-changed");
	demand_connection(b, "192.0.2.1", "failed", "identity-refused");
	DEMAND(w, a->n_alarms == 1, "%u alarms", a->n_alarms);
	world_free(w);
}

SEED_TEST(host_of_our_own_name_is_refused, 3)
{
	struct world *w = hosts_new(seed, 1, "secret");
	struct host *a = host_a(w), *twin = world_add_host(w, "a", "secret");

	host_add_target(twin, &a->v4);
	host_start_well(a);
	host_start_well(twin);
	world_run(w, 30 * SEC);
	DEMAND(w, !host_is_connected(a, twin), "connected to a namesake");
	demand_verdict(twin, "degraded", "the name of this one");
	world_free(w);
}

SEED_TEST(host_may_change_its_name_with_its_key, 3)
{
	struct world *w = acquainted(seed);
	struct host *b = host_b(w), *other;

	snprintf(b->name, sizeof b->name, "bee");
	host_start_well(b);
	demand_connected(w, 60 * SEC);
	demand_identity(host_a(w), "bee", "new");
	/* The old name is anybody's again. */
	other = world_add_host(w, "b", "secret");
	host_add_target(other, &host_a(w)->v4);
	host_add_target(other, &b->v4);
	host_start_well(other);
	demand_connected(w, 60 * SEC);
	demand_identity(host_a(w), "b", "new");
	world_free(w);
}

SEED_TEST(without_password_nothing_is_pinned, 3)
{
	struct world *w = running_world(seed, 2, NULL, false);
	struct host *b = host_b(w);

	demand_identity(host_a(w), "b", "none");
	host_stop(b);
	host_new_key(b);
	host_start_well(b);
	demand_connected(w, 60 * SEC);
	demand_identity(host_a(w), "b", "none");
	DEMAND(w, !host_a(w)->n_alarms, "an alarm");
	world_free(w);
}

/* ---- Copies ---- */

/* A machine made of the image of 'from', key and all. */
static struct host *copy_of(struct host *from)
{
	struct host *copy = world_add_host(from->world, from->name, "secret");

	copy->id = from->id;
	copy->key = from->key;
	copy->has_key = from->has_key;
	return copy;
}

/* Neither takes the place of the other; who was first is not harmed. */
SEED_TEST(copy_is_an_alarm_and_no_fight, 5)
{
	struct world *w = running_world(seed, 2, "secret", seed % 2 != 0);
	struct host *a = host_a(w), *b = host_b(w), *copy = copy_of(b);
	unsigned int n_sessions = a->n_sessions;

	host_add_target(copy, seed % 2 ? &a->v6 : &a->v4);
	host_start_well(copy);
	world_run(w, 120 * SEC);
	DEMAND(w, host_is_connected(a, b), "b has lost its place");
	DEMAND(w, a->n_sessions == n_sessions, "%u sessions",
	       a->n_sessions - n_sessions);
	DEMAND(w, a->n_alarms == 1, "%u alarms", a->n_alarms);
	DEMAND(w, copy->n_alarms == 1, "the copy has %u alarms",
	       copy->n_alarms);
	demand_verdict(a, "degraded", "the host b is there twice");
	demand_verdict(copy, "degraded", "remove its state directory");
	demand_reach(a->endpoints[0], b->endpoints[0]);
	world_free(w);
}

SEED_TEST(copies_that_meet_both_alarm, 5)
{
	struct world *w = running_world(seed, 2, "secret", false);
	struct host *b = host_b(w), *copy = copy_of(b);

	if (seed % 2) {
		/* They may have names of their own. */
		snprintf(copy->name, sizeof copy->name, "c");
	}
	host_add_target(copy, &b->v4);
	host_start_well(copy);
	world_run(w, 60 * SEC);
	DEMAND(w, b->n_alarms && copy->n_alarms, "%u and %u alarms",
	       b->n_alarms, copy->n_alarms);
	demand_verdict(b, "degraded", "has the id of this one");
	demand_verdict(copy, "degraded", "has the id of this one");
	DEMAND(w, host_is_connected(host_a(w), b), "b has lost its place");
	world_free(w);
}

/* The power failed, and it came back with another address. */
SEED_TEST(host_that_moved_is_no_copy, 5)
{
	struct world *w = running_world(seed, 2, "secret", false);
	struct host *a = host_a(w), *b = host_b(w);

	host_crash(b);
	b->n_targets = 0;
	host_add_target(b, &a->v6);
	host_start_well(b);
	demand_connected(w, 30 * SEC);
	DEMAND(w, !a->n_alarms && !b->n_alarms, "an alarm");
	demand_verdict(a, "healthy", NULL);
	world_free(w);
}

/* ---- The disk ---- */

static void demand_state(struct host *h, bool written)
{
	struct json *json = host_ask(h, "status", NULL);
	const struct json *state = jsonget(json, "state");
	const char *error = jsonget_string(state, "error");

	DEMAND(h->world, !*error == written, "%s: state error \"%s\"", h->name,
	       error);
	json_destroy(json);
}

SEED_TEST(full_disk_is_told_and_mended, 3)
{
	struct world *w = running_world(seed, 2, "secret", false);
	struct host *a = host_a(w);
	unsigned int warned;
	char *before;

	world_run(w, 2 * SEC);
	demand_state(a, true);
	warned = a->n_warnings;
	a->kernel.disk_error = ENOSPC;
	attach(a, 11);
	before = xstrdup(a->state);
	world_run(w, 100 * SEC);
	demand_state(a, false);
	demand_verdict(a, "healthy", NULL);
	demand_all_reach(w, 2);
	DEMAND(w, a->n_warnings == warned + 1, "%u warnings",
	       a->n_warnings - warned);
	DEMAND(w, !strcmp(before, a->state), "the state changed");
	a->kernel.disk_error = 0;
	world_run(w, 15 * SEC);
	demand_state(a, true);
	DEMAND(w, strstr(a->state, "\"c11\""), "the state was not written");
	host_kill(a);
	host_start_well(a);
	demand_connected(w, 60 * SEC);
	demand_all_reach(w, 2);
	free(before);
	world_free(w);
}

/* A key that cannot be kept is not shown: it would lock us out. */
SEED_TEST(key_is_used_once_it_is_on_disk, 3)
{
	struct world *w = hosts_new(seed, 2, "secret");
	struct host *a = host_a(w), *b = host_b(w);

	dial_all(w, 2, false);
	b->kernel.disk_error = EROFS;
	start_all(w, 2);
	demand_connected(w, 10 * SEC);
	demand_identity(a, "b", "none");
	host_kill(b);
	host_new_key(b); /* As it could not be kept. */
	host_start_well(b);
	demand_connected(w, 60 * SEC);
	demand_identity(a, "b", "none");
	demand_state(b, false);
	b->kernel.disk_error = 0;
	world_run(w, 15 * SEC);
	demand_state(b, true);
	world_break(w, a, b);
	world_run(w, 10 * SEC);
	demand_connected(w, 60 * SEC);
	demand_identity(a, "b", "new");
	/* From now on a full disk is no reason to be another one. */
	b->kernel.disk_error = ENOSPC;
	attach(b, 12);
	world_run(w, SEC);
	world_break(w, a, b);
	world_run(w, 10 * SEC);
	demand_connected(w, 60 * SEC);
	demand_identity(a, "b", "new");
	DEMAND(w, !a->n_alarms, "an alarm");
	world_free(w);
}

/* Whatever is not the whole file as it was written is not believed: each
 * length, each bit. */
START_TEST(torn_or_changed_state_is_not_valid)
{
	struct world *w = running_world(1, 3, "secret", false);
	struct host *a = host_a(w);
	char why[160], *text, *check;
	size_t size;

	world_run(w, 2 * SEC);
	text = xstrdup(a->state);
	size = strlen(text);
	DEMAND(w, strstr(text, "\"pins\"") && strstr(text, "\"c1\""),
	       "not all is in it");
	check = strstr(text, "\"check\"");
	DEMAND(w, check, "no check in it");
	DEMAND(w, engine_state_is_valid(text, why, sizeof why), "%s", why);
	while (isspace((unsigned char)text[size - 1])) {
		size--;
	}
	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		text[i] = '\0';
		DEMAND(w, !engine_state_is_valid(text, why, sizeof why),
		       "valid when cut at %zu", i);
		for (unsigned int bit = 0; bit < 8; bit++) {
			text[i] = (char)(c ^ 1 << bit);
			/* Under another name the check is not seen, and the
			 * rest is as it was. */
			DEMAND(w,
			       (text + i > check && text + i <= check + 5) ||
				       !engine_state_is_valid(text, why,
							      sizeof why),
			       "valid with bit %u of %zu changed", bit, i);
		}
		text[i] = c;
	}
	/* What an older fdpd wrote has neither pins nor a check. */
	DEMAND(w,
	       engine_state_is_valid("{\"version\": 1, \"attachments\": []}",
				     why, sizeof why),
	       "%s", why);
	DEMAND(w,
	       !engine_state_is_valid("{\"version\": 1, \"pins\": [{}]}", why,
				      sizeof why),
	       "a pin of nothing");
	/* Older ones let operators name what no host has. */
	DEMAND(w,
	       engine_state_is_valid("{\"version\": 1, \"targets\": ["
				     "{\"address\": \"0.0.0.0:6783\"},"
				     "{\"address\": \"[ff02::1]:6783\"}]}",
				     why, sizeof why),
	       "%s", why);
	DEMAND(w,
	       !engine_state_is_valid("{\"version\": 1, \"targets\": ["
				      "{\"address\": \"192.0.2.1\"}]}",
				      why, sizeof why),
	       "a target without a port");
	free(text);
	world_free(w);
}
END_TEST

SCENARIO_MAIN("identity", longest_names_are_whole_everywhere,
	      copy_is_an_alarm_and_no_fight, copies_that_meet_both_alarm,
	      host_that_moved_is_no_copy, torn_or_changed_state_is_not_valid,
	      key_is_pinned_at_first_use, pins_are_saved_together,
	      impostor_that_dials_is_refused,
	      impostor_that_is_dialled_is_refused,
	      known_host_without_key_is_refused,
	      new_key_gets_in_after_forget_key,
	      older_host_without_key_is_accepted_and_then_its_key,
	      keyless_namesake_gives_way_to_a_key,
	      host_of_our_own_name_is_refused,
	      host_may_change_its_name_with_its_key,
	      without_password_nothing_is_pinned, full_disk_is_told_and_mended,
	      key_is_used_once_it_is_on_disk)
