/* Statements and peers of an earlier version, which know neither HAVE nor links
 * that are not spread over all chunks: what they are told, and how. */
#include "straw.h"

#include "mesh/statements.h"
#include "session/statement.h"

#define SECOND UINT64_C(1000000)

enum {
	OLD = 7,
	NEW = 8,
	LATE = 9,
	BEHIND = 10 /* Known through NEW. */
};

static void setup(void)
{
	straw_start(false);
}

static void teardown(void)
{
	straw_stop();
}

static void connect_as(struct far *f, uint8_t n)
{
	char ip[16];

	straw_capabilities = n == OLD ? 0 : CAPABILITY_HAVE;
	snprintf(ip, sizeof ip, "192.0.2.%u", n);
	far_connect(f, ip, n, false);
}

/* NEW says what 'author' has said of itself: a name, or one link. */
static void say(struct far *f, uint8_t author, const struct peer_id *link)
{
	static uint64_t seq;
	struct wbuf body = WBUF_INITIALIZER(0);
	struct message m = {.type = MSG_STATEMENT};
	struct statement_self self = {.capabilities = CAPABILITY_HAVE};

	snprintf(self.name, sizeof self.name, "n%u", author);
	if (link) {
		statement_put_links(link, 1, &body);
	} else {
		statement_put_self(&self, &body);
	}
	m.statement.author.b[0] = author;
	m.statement.incarnation = 5;
	m.statement.seq = ++seq;
	m.statement.chunk = link ? statement_link_chunk(link, STATEMENT_N_LINKS)
				 : STATEMENT_SELF;
	m.statement.body = body.data;
	m.statement.size = body.size;
	far_send(f, &m);
	wbuf_free(&body);
}

/* A host behind 'via', and all that has to be said for that. */
static void say_links(struct far *f, uint8_t via)
{
	const struct peer_id next = {{via}}, behind = {{BEHIND}};

	say(f, BEHIND, &next);
	say(f, via, NULL);
	say(f, via, &behind);
	say(f, via, &(struct peer_id){{0x80}});
}

static void say_behind(struct far *f)
{
	say(f, BEHIND, NULL);
	say_links(f, NEW);
}

static bool got_statement(const struct far *f, uint8_t author)
{
	for (size_t i = 0; i < f->n_got && i < STRAW_MAX_MESSAGES; i++) {
		if (f->got[i].type == MSG_STATEMENT &&
		    f->got[i].statement.author.b[0] == author) {
			return true;
		}
	}
	return false;
}

static bool was_named(const struct far *f, uint8_t author)
{
	const struct message *m = far_got(f, MSG_HAVE);

	for (size_t i = 0; m && i < m->held.n; i++) {
		if (m->held.v[i].author.b[0] == author) {
			return true;
		}
	}
	return false;
}

/* Who comes late is told of statements by HAVE, and gets those that it wants;
 * one that knows no HAVE compares summaries, and is never sent one. */
START_TEST(late_peer_hears_in_the_way_that_it_knows)
{
	struct far f, late;

	connect_as(&f, NEW);
	straw_wait(SECOND / 2);
	say_behind(&f);
	/* Not so long that the first one, who says no more, is given up. */
	straw_wait(SECOND);
	connect_as(&late, _i ? LATE : OLD);
	straw_wait(SECOND);
	far_read(&late);
	ck_assert(!got_statement(&late, BEHIND));
	if (_i) {
		struct message m = {.type = MSG_WANT};

		ck_assert(was_named(&late, BEHIND));
		m.held = far_got(&late, MSG_HAVE)->held;
		far_send(&late, &m);
	} else {
		struct message m = {.type = MSG_SUMMARY};

		m.summary.want = true;
		far_send(&late, &m);
		ck_assert_ptr_nonnull(far_got(&late, MSG_SUMMARY));
		ck_assert_ptr_null(far_got(&late, MSG_HAVE));
	}
	ck_assert(got_statement(&late, BEHIND));
	far_free(&f);
	far_free(&late);
}
END_TEST

/* It was there before: it is sent the news themselves, after the pause too. */
START_TEST(old_peer_is_sent_what_others_are_only_told)
{
	struct far old, f;

	connect_as(&old, OLD);
	connect_as(&f, NEW);
	straw_wait(SECOND / 2);
	say_behind(&f);
	straw_wait(4 * SECOND);
	far_read(&old);
	ck_assert(got_statement(&old, BEHIND));
	ck_assert_ptr_null(far_got(&old, MSG_HAVE));
	ck_assert_ptr_null(far_got(&old, MSG_WANT));
	far_free(&old);
	far_free(&f);
}
END_TEST

/* The engine's own link to NEW is in the chunk that all versions expect as long
 * as there is one that knows no other, else in the first. */
START_TEST(links_are_where_all_who_are_there_expect_them)
{
	const struct peer_id new = {{NEW}};
	const uint8_t spread = statement_link_chunk(&new, STATEMENT_N_LINKS);
	struct far old, f;
	bool in_spread = false, in_first = false;

	ck_assert_uint_ne(spread, STATEMENT_LINKS);
	if (_i) {
		connect_as(&old, OLD);
	}
	connect_as(&f, NEW);
	straw_wait(4 * SECOND);
	far_read(&f);
	for (size_t i = 0; i < f.n_got && i < STRAW_MAX_MESSAGES; i++) {
		const struct statement *s = &f.got[i].statement;

		if (f.got[i].type == MSG_STATEMENT && s->author.b[0] == 0x80) {
			in_spread |= s->chunk == spread;
			in_first |= s->chunk == STATEMENT_LINKS;
		}
	}
	ck_assert(in_spread == (_i == 1));
	ck_assert(_i || in_first);
	if (_i) {
		far_free(&old);
	}
	far_free(&f);
}
END_TEST

/* A peer makes up as many hosts as there is room for before there is a tunnel,
 * and so before the first word of ours: that is said all the same. */
START_TEST(made_up_hosts_leave_room_for_our_own)
{
	struct message sleeve = {.type = MSG_SLEEVE};
	struct far f;

	straw_stop();
	straw_sleeve = straw_user = true;
	straw_start(false);
	connect_as(&f, NEW);
	for (unsigned int i = 0; i <= STATEMENTS_MAX_AUTHORS; i++) {
		struct message m = {.type = MSG_STATEMENT};

		m.statement.author.b[0] = 0x40;
		m.statement.author.b[1] = (uint8_t)(i >> 8);
		m.statement.author.b[2] = (uint8_t)i;
		m.statement.incarnation = m.statement.seq = 1;
		m.statement.chunk = STATEMENT_SELF;
		far_send(&f, &m);
	}
	ck_assert(!got_statement(&f, 0x80));
	sleeve.sleeve.index = 7;
	sleeve.sleeve.cipher = SLEEVE_CIPHER_NONE;
	sleeve.sleeve.port = 6783;
	far_send(&f, &sleeve);
	straw_wait(SECOND);
	far_read(&f);
	ck_assert(!f.closed);
	ck_assert(got_statement(&f, 0x80));
	far_free(&f);
}
END_TEST

static struct peer_id made_up(unsigned int i)
{
	return (struct peer_id){{0x40, (uint8_t)(i >> 8), (uint8_t)i}};
}

/* What a host says that there is not: its name, or that it has a link to NEW.
 */
static void make_up(struct far *f, unsigned int i, bool link)
{
	const struct peer_id new = {{NEW}};
	struct wbuf body = WBUF_INITIALIZER(0);
	struct message m = {.type = MSG_STATEMENT};
	struct statement_self self = {.capabilities = CAPABILITY_HAVE};

	snprintf(self.name, sizeof self.name, "m%u", i);
	if (link) {
		statement_put_links(&new, 1, &body);
	} else {
		statement_put_self(&self, &body);
	}
	m.statement.author = made_up(i);
	m.statement.incarnation = 5;
	m.statement.seq = 1 + link;
	m.statement.chunk = link ? statement_link_chunk(&new, STATEMENT_N_LINKS)
				 : STATEMENT_SELF;
	m.statement.body = body.data;
	m.statement.size = body.size;
	far_send(f, &m);
	wbuf_free(&body);
}

/* NEW has links to the first 'n' of them, and to the engine. */
static void say_made_up_links(struct far *f, unsigned int n)
{
	struct message m = {.type = MSG_STATEMENT};
	struct peer_id *v = malloc((n + 1) * sizeof *v);

	m.statement.author.b[0] = NEW;
	m.statement.incarnation = 6;
	for (unsigned int k = 0; k < STATEMENT_N_LINKS; k++) {
		struct wbuf body = WBUF_INITIALIZER(0);
		size_t n_links = 0;

		m.statement.chunk = (uint8_t)(STATEMENT_LINKS + k);
		for (unsigned int i = 0; i <= n; i++) {
			v[n_links] =
				i < n ? made_up(i) : (struct peer_id){{0x80}};
			n_links += statement_link_chunk(&v[n_links],
							STATEMENT_N_LINKS) ==
				   m.statement.chunk;
		}
		statement_put_links(v, n_links, &body);
		m.statement.seq = k + 1;
		m.statement.body = body.data;
		m.statement.size = body.size;
		far_send(f, &m);
		wbuf_free(&body);
	}
	free(v);
}

/* How many peers of this name the engine shows; NULL: of any. */
static unsigned int n_shown(const char *name)
{
	struct json *json = straw_ask("peers");
	const struct json *list;
	unsigned int n = 0;

	list = vector_member(json, "peers");
	for (size_t i = 0; i < json_array(list)->n; i++) {
		n += !name ||
		     !strcmp(vector_string(vector_at(list, i), "name"), name);
	}
	json_destroy(json);
	return n;
}

/* Who makes up more hosts than there is room for crowds out his own; one that
 * there is comes to be known by what others say, however long that takes. */
START_TEST(made_up_hosts_leave_room_for_those_there_are)
{
	enum {
		TURN = STATEMENTS_MAX_AUTHORS + 1
	};
	struct far liar, other;
	unsigned int n = 0;

	connect_as(&liar, NEW);
	connect_as(&other, LATE);
	straw_wait(SECOND / 2);
	for (; n < TURN; n++) {
		make_up(&liar, n, false);
	}
	say(&other, BEHIND, NULL);
	for (; n < 2 * TURN; n++) {
		make_up(&liar, n, false);
	}
	say_links(&other, LATE);
	straw_wait(SECOND);
	ck_assert_uint_eq(n_shown("n10"), 1);
	for (; n < 3 * TURN; n++) {
		make_up(&liar, n, false);
	}
	straw_wait(SECOND);
	ck_assert_uint_eq(n_shown("n10"), 1);
	ck_assert_uint_eq(n_shown(NULL), 3);
	ck_assert(!liar.closed);
	far_free(&liar);
	far_free(&other);
}
END_TEST

/* They come with links and all, so that there seems to be a way to each: a host
 * that connects itself is let in, and heard. */
START_TEST(session_counts_for_more_than_made_up_hosts)
{
	struct far liar, late;

	connect_as(&liar, NEW);
	straw_wait(SECOND / 2);
	for (unsigned int i = 0; i < STATEMENTS_MAX_AUTHORS - 1; i++) {
		make_up(&liar, i, false);
		make_up(&liar, i, true);
	}
	say_made_up_links(&liar, STATEMENTS_MAX_AUTHORS - 1);
	straw_wait(2 * SECOND);
	ck_assert_uint_eq(n_shown(NULL), STATEMENTS_MAX_AUTHORS);
	connect_as(&late, LATE);
	ck_assert(!late.closed);
	say(&late, LATE, NULL);
	straw_wait(SECOND);
	far_read(&liar);
	ck_assert(!late.closed && !liar.closed);
	ck_assert(got_statement(&liar, LATE));
	ck_assert_uint_eq(n_shown(NULL), STATEMENTS_MAX_AUTHORS);
	far_free(&liar);
	far_free(&late);
}
END_TEST

/* One record asks a thousand times for all that is known: a peer that wants so
 * much gets no more than a daemon can keep, and is not listened to any more. */
START_TEST(what_one_packet_asks_for_has_an_end)
{
	const size_t first = straw.all.n;
	struct message m = {.type = MSG_STATEMENT};
	struct wbuf payload = WBUF_INITIALIZER(CHANNEL_PAYLOAD_MAX);
	uint8_t body[STATEMENT_MAX_BODY] = {0};
	struct far f;
	size_t sent = 0;

	connect_as(&f, NEW);
	/* Of a host with an endless name, which is nobody's fault. */
	m.statement.author.b[0] = NEW;
	m.statement.incarnation = m.statement.seq = 1;
	m.statement.chunk = STATEMENT_SELF;
	m.statement.body = body;
	m.statement.size = sizeof body;
	far_send(&f, &m);
	m.type = MSG_SUMMARY;
	memset(&m.summary, 0, sizeof m.summary);
	for (unsigned int i = 0; i < 1000; i++) {
		ck_assert_int_eq(message_encode(&m, &payload), FDP_OK);
	}
	f.deaf = true;
	far_send_raw(&f, wbuf_span(&payload));
	straw_wait(1);
	far_read(&f);
	for (size_t i = first; i < straw.all.n; i++) {
		if (straw.all.v[i].type == OP_SEND) {
			sent += straw.all.v[i].bytes.size;
		}
	}
	ck_assert_uint_gt(sent, 1024 * 1024);
	ck_assert_uint_lt(sent, 20 * 1024 * 1024);
	ck_assert(f.closed);
	wbuf_free(&payload);
	far_free(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gossip");
	TCase *tcase = tcase_create("gossip");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, late_peer_hears_in_the_way_that_it_knows, 0,
			    2);
	tcase_add_test(tcase, old_peer_is_sent_what_others_are_only_told);
	tcase_add_loop_test(
		tcase, links_are_where_all_who_are_there_expect_them, 0, 2);
	tcase_add_test(tcase, made_up_hosts_leave_room_for_our_own);
	tcase_add_test(tcase, made_up_hosts_leave_room_for_those_there_are);
	tcase_add_test(tcase, session_counts_for_more_than_made_up_hosts);
	tcase_add_test(tcase, what_one_packet_asks_for_has_an_end);
	suite_add_tcase(suite, tcase);
	return vectors_main(suite);
}
