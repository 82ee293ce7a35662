/* Statements about links in short (engine/links.c): what an engine makes of
 * them, and whom it tells how.  Without a password, so that there is no
 * signature to save a statement that is not the one that was meant. */
#include "straw.h"

#include "mesh/idset.h"
#include "session/statement.h"

#define SECOND UINT64_C(1000000)

enum {
	A = 7,
	B = 8,
	SELF = 0x80,
	NOBODY = 9,
	N_MANY = 20
};

static struct far a, b;

static void setup(void)
{
	straw_start(false);
	straw_capabilities =
		CAPABILITY_HAVE | CAPABILITY_LINKS | CAPABILITY_NAMED;
	far_connect(&a, "192.0.2.7", A, false);
	far_connect(&b, "192.0.2.8", B, false);
}

static void teardown(void)
{
	far_free(&a);
	far_free(&b);
	straw_stop();
}

static uint32_t number(uint8_t host)
{
	return statement_link_number(&(const struct peer_id){{host}});
}

/* A says: with 'base', without 'gone', with 'come'; 0: nobody.  If 'named' is
 * not 0, with those named of whom that is the hash, instead of a base. */
static void say_named(uint64_t seq, uint64_t base, uint64_t named, uint8_t gone,
		      uint8_t come)
{
	uint32_t lost = number(gone), found = number(come);
	struct message m = {.type = MSG_LINKS,
			    .links = {.incarnation = 5,
				      .seq = seq,
				      .base = base,
				      .chunk = STATEMENT_LINKS,
				      .named = named != 0,
				      .named_hash = named,
				      .gone = &lost,
				      .n_gone = gone != 0,
				      .come = &found,
				      .n_come = come != 0}};

	far_send(&a, &m);
}

static void say(uint64_t seq, uint64_t base, uint8_t gone, uint8_t come)
{
	say_named(seq, base, 0, gone, come);
}

/* Of hosts that are named: these, 0 being none. */
static uint64_t hash_of(uint8_t first, uint8_t second, uint8_t third)
{
	const uint8_t hosts[] = {first, second, third};
	struct id_table t;
	uint64_t hash;

	id_table_init(&t);
	for (size_t i = 0; i < sizeof hosts; i++) {
		id_table_name(&t, &(const struct peer_id){{hosts[i]}},
			      hosts[i] != 0);
	}
	hash = t.named_hash;
	for (size_t i = 0; i < sizeof hosts; i++) {
		id_table_unname(&t, &(const struct peer_id){{hosts[i]}},
				hosts[i] != 0);
	}
	id_table_done(&t);
	return hash;
}

/* A whole statement of A's. */
static void say_whole(uint64_t seq, uint8_t to)
{
	struct wbuf body = WBUF_INITIALIZER(0);
	struct message m = {.type = MSG_STATEMENT,
			    .statement = {.author.b[0] = A,
					  .incarnation = 5,
					  .seq = seq,
					  .chunk = STATEMENT_LINKS}};

	statement_put_links(&(const struct peer_id){{to}}, 1, &body);
	m.statement.body = body.data;
	m.statement.size = body.size;
	far_send(&a, &m);
	wbuf_free(&body);
}

/* What the engine has of A is number 'seq', and names these two; 0: nobody. */
static void demand(uint64_t seq, uint8_t first, uint8_t second)
{
	struct held_statement what = {
		.author.b[0] = A, .incarnation = 5, .chunk = STATEMENT_LINKS};
	struct message m = {.type = MSG_WANT, .held = {.v = &what, .n = 1}};
	const size_t n_wanted = second ? 2 : first ? 1 : 0;
	const struct message *got;
	struct peer_id *v;
	size_t n;

	far_send(&b, &m);
	got = far_got(&b, MSG_STATEMENT);
	ck_assert_ptr_nonnull(got);
	ck_assert_uint_eq(got->statement.author.b[0], A);
	ck_assert_uint_eq(got->statement.seq, seq);
	ck_assert_int_eq(statement_get_links(&got->statement, &v, &n), FDP_OK);
	ck_assert_uint_eq(n, n_wanted);
	ck_assert(n < 1 || v[0].b[0] == first);
	ck_assert(n < 2 || v[1].b[0] == second);
	free(v);
}

/* Number 'seq' is asked for. */
static void demand_asked(uint64_t seq, bool in_short)
{
	const struct message *m = far_got(&a, MSG_WANT);

	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(m->held.n, 1);
	ck_assert_uint_eq(m->held.v[0].author.b[0], A);
	ck_assert_uint_eq(m->held.v[0].seq, seq);
	ck_assert(m->held.in_short == in_short);
}

START_TEST(statement_is_made_of_what_has_changed)
{
	say(1, 0, 0, B);
	demand(1, B, 0);
	say(2, 1, 0, SELF);
	demand(2, B, SELF);
	say(3, 2, B, 0);
	demand(3, SELF, 0);
	say(4, 3, SELF, B);
	demand(4, B, 0);
	/* What was known already changes nothing, whatever it says. */
	say(2, 0, 0, SELF);
	demand(4, B, 0);
	say(5, 0, 0, 0);
	demand(5, 0, 0);
	ck_assert_ptr_null(far_got(&a, MSG_WANT));
}
END_TEST

START_TEST(what_cannot_be_made_is_asked_for)
{
	static const struct {
		uint64_t base;
		uint8_t gone, come;
	} cases[] = {
		{1, 0, B},	/* Not what is there. */
		{0, 0, NOBODY}, /* Who? */
		{2, B, 0},	/* It was not there. */
		{0, B, SELF},	/* Nobody was. */
	};

	say(1, 0, 0, B);
	say(2, 1, B, SELF);
	demand(2, SELF, 0);
	say(3, cases[_i].base, cases[_i].gone, cases[_i].come);
	/* In short, if there is a shorter way to say it. */
	demand_asked(3, cases[_i].base != 0);
	demand(2, SELF, 0);
	/* And taken, and built upon. */
	say_whole(3, NOBODY);
	demand(3, NOBODY, 0);
	say(4, 3, 0, SELF);
	demand(4, NOBODY, SELF);
}
END_TEST

/* Whom one has heard of only as somebody's link is known by number, too. */
START_TEST(hosts_that_are_only_named_are_known)
{
	say_whole(1, NOBODY);
	say(2, 0, 0, NOBODY);
	demand(2, NOBODY, 0);
	ck_assert_ptr_null(far_got(&a, MSG_WANT));
}
END_TEST

/* The engine has stated links to A and B, and A has to NOBODY. */
static void three_are_named(void)
{
	straw_wait(SECOND);
	say_whole(1, NOBODY);
	demand(1, NOBODY, 0);
}

START_TEST(statement_is_made_of_those_named)
{
	three_are_named();
	/* All of them but itself, of course. */
	say_named(2, 0, hash_of(A, B, NOBODY), 0, 0);
	demand(2, B, NOBODY);
	say_named(3, 0, hash_of(A, B, NOBODY), NOBODY, 0);
	demand(3, B, 0);
	/* With that NOBODY is not named by anybody any more. */
	say_named(4, 0, hash_of(A, B, 0), 0, SELF);
	demand(4, B, SELF);
	say_named(5, 0, hash_of(A, B, SELF), SELF, 0);
	demand(5, B, 0);
	ck_assert_ptr_null(far_got(&a, MSG_WANT));
}
END_TEST

/* Who is gone may be the last one to name somebody, here and not there. */
START_TEST(those_whom_only_the_lost_name_do_not_count)
{
	struct event closed = {.type = EVENT_CLOSED, .conn = b.conn};
	uint32_t nobody = number(NOBODY);
	struct message of_b = {.type = MSG_LINKS,
			       .links = {.incarnation = 5,
					 .seq = 1,
					 .chunk = STATEMENT_LINKS,
					 .come = &nobody,
					 .n_come = 1}};
	struct far c;

	straw_wait(SECOND);
	say_whole(1, NOBODY);
	far_send(&b, &of_b);
	say_whole(2, B);
	say_named(3, 0, hash_of(A, B, NOBODY), NOBODY, 0);
	demand(3, B, 0);
	straw_step(&closed);
	straw_wait(SECOND);
	far_connect(&c, "192.0.2.9", NOBODY + 1, false);
	far_free(&b);
	b = c;
	straw_wait(SECOND);
	say_named(4, 0, hash_of(A, B, NOBODY + 1), NOBODY + 1, SELF);
	demand(4, B, SELF);
	ck_assert_ptr_null(far_got(&a, MSG_WANT));
}
END_TEST

START_TEST(those_named_that_differ_are_asked_for)
{
	three_are_named();
	say_named(2, 0, hash_of(A, B, SELF), 0, 0);
	demand_asked(2, true);
	demand(1, NOBODY, 0);
	/* One by one, which does not help either. */
	say(2, 0, 0, NOBODY + 1);
	demand_asked(2, false);
	/* The same hosts, but what comes of it cannot be. */
	say_named(3, 0, hash_of(A, B, NOBODY), SELF, 0);
	demand_asked(3, true);
	say(3, 0, 0, B);
	demand(3, B, 0);
}
END_TEST

/* Who does not know that form is not asked to use another one. */
START_TEST(older_peers_are_asked_for_the_whole)
{
	struct far old;

	straw_capabilities = CAPABILITY_HAVE | CAPABILITY_LINKS;
	far_connect(&old, "192.0.2.7", A, false);
	far_free(&a);
	a = old;
	say(1, 0, 0, B);
	demand(1, B, 0);
	say(3, 2, B, 0);
	demand_asked(3, false);
}
END_TEST

static const struct message *first_links(const struct far *f)
{
	for (size_t i = 0; i < f->n_got && i < STRAW_MAX_MESSAGES; i++) {
		if (f->got[i].type == MSG_LINKS) {
			return &f->got[i];
		}
	}
	return NULL;
}

/* The engine's own links, to A and B, then to a third. */
START_TEST(peers_that_know_it_are_told_in_short)
{
	const struct message *m;
	struct far old, late;

	straw_wait(SECOND);
	straw_capabilities = CAPABILITY_HAVE;
	far_connect(&old, "192.0.2.10", 10, false);
	straw_capabilities = CAPABILITY_HAVE | CAPABILITY_LINKS;
	far_connect(&late, "192.0.2.11", 11, false);
	straw_wait(SECOND);
	far_read(&a);
	far_read(&old);
	far_read(&late);
	/* A has had the statement before, and is told the difference. */
	m = far_got(&a, MSG_LINKS);
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_ne(m->links.base, 0);
	ck_assert_uint_le(m->links.n_come, 2);
	ck_assert_uint_eq(m->links.n_gone, 0);
	/* Who comes late has not. */
	m = first_links(&late);
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(m->links.base, 0);
	ck_assert_uint_gt(m->links.n_come, 2);
	/* Who does not know it gets all. */
	ck_assert_ptr_null(first_links(&old));
	m = far_got(&old, MSG_STATEMENT);
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(m->statement.author.b[0], SELF);
	far_free(&old);
	far_free(&late);
}
END_TEST

/* Many, to whom the engine has links, then some more. */
START_TEST(many_links_are_told_by_those_named)
{
	const uint32_t known = CAPABILITY_HAVE | CAPABILITY_LINKS;
	struct held_statement what = {.author.b[0] = SELF,
				      .incarnation = 1,
				      .chunk = STATEMENT_LINKS};
	struct message want = {.type = MSG_WANT,
			       .held = {.v = &what, .n = 1, .in_short = true}};
	struct far many[N_MANY], late, old;
	const struct message *m;
	struct id_table named;

	id_table_init(&named);
	id_table_name(&named, &a.id, 1);
	id_table_name(&named, &b.id, 1);
	for (size_t i = 0; i < N_MANY; i++) {
		char ip[] = "192.0.2.100";

		ip[sizeof ip - 3] = (char)('0' + i / 10);
		ip[sizeof ip - 2] = (char)('0' + i % 10);
		straw_capabilities = known | CAPABILITY_NAMED;
		far_connect(&many[i], ip, (uint8_t)(100 + i), false);
		id_table_name(&named, &many[i].id, 1);
	}
	straw_wait(SECOND);
	far_connect(&late, "192.0.2.10", 10, false);
	straw_capabilities = known;
	far_connect(&old, "192.0.2.11", 11, false);
	straw_wait(SECOND);
	far_read(&late);
	far_read(&old);
	far_read(&a);
	/* Those named before, and the two that have come. */
	m = first_links(&late);
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(m->links.named, 1);
	ck_assert_uint_eq(m->links.named_hash, named.named_hash);
	ck_assert_uint_eq(m->links.n_gone, 0);
	ck_assert_uint_ge(m->links.n_come, 1);
	ck_assert_uint_le(m->links.n_come, 2);
	/* Who has heard all but those is told of these alone. */
	m = far_got(&a, MSG_LINKS);
	ck_assert_uint_eq(m->links.named, 0);
	ck_assert_uint_ne(m->links.base, 0);
	/* One by one, to who does not know that. */
	m = first_links(&old);
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(m->links.named, 0);
	ck_assert_uint_eq(m->links.n_come, N_MANY + 4);
	/* And to who asks for it so, or else whole. */
	what.seq = 1;
	far_send(&late, &want);
	m = far_got(&late, MSG_LINKS);
	ck_assert_uint_eq(m->links.named, 0);
	ck_assert_uint_eq(m->links.base, 0);
	ck_assert_uint_eq(m->links.n_come, N_MANY + 4);
	ck_assert_ptr_null(far_got(&late, MSG_STATEMENT));
	want.held.in_short = false;
	far_send(&late, &want);
	ck_assert_ptr_nonnull(far_got(&late, MSG_STATEMENT));

	id_table_unname(&named, &a.id, 1);
	id_table_unname(&named, &b.id, 1);
	for (size_t i = 0; i < N_MANY; i++) {
		id_table_unname(&named, &many[i].id, 1);
		far_free(&many[i]);
	}
	id_table_done(&named);
	far_free(&late);
	far_free(&old);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("links");
	TCase *tcase = tcase_create("links");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, statement_is_made_of_what_has_changed);
	tcase_add_loop_test(tcase, what_cannot_be_made_is_asked_for, 0, 4);
	tcase_add_test(tcase, hosts_that_are_only_named_are_known);
	tcase_add_test(tcase, statement_is_made_of_those_named);
	tcase_add_test(tcase, those_whom_only_the_lost_name_do_not_count);
	tcase_add_test(tcase, those_named_that_differ_are_asked_for);
	tcase_add_test(tcase, older_peers_are_asked_for_the_whole);
	tcase_add_test(tcase, peers_that_know_it_are_told_in_short);
	tcase_add_test(tcase, many_links_are_told_by_those_named);
	suite_add_tcase(suite, tcase);
	return vectors_main(suite);
}
