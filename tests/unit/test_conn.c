/* Control connections of the engine: good, slow, silent and hostile ones. */
#include "straw.h"

#define SECOND UINT64_C(1000000)

static void teardown(void)
{
	straw_stop();
}

START_TEST(session_begins_with_the_whole_record)
{
	const struct message *m;
	struct far f;

	far_connect(&f, "192.0.2.7", 7, true);
	m = far_got(&f, MSG_RECORD);
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(m->record.author.b[0], 0x80);
	ck_assert_str_eq(m->record.name, "engine");
	ck_assert_uint_eq(m->record.n_bindings, 0);
	ck_assert(m->record.last);
	far_free(&f);
}
END_TEST

START_TEST(ping_answered_with_its_number)
{
	struct message m = {.type = MSG_PING, .ping = {.seq = 77}};
	struct far f;

	far_connect(&f, "192.0.2.7", 7, true);
	far_send(&f, &m);
	ck_assert_ptr_nonnull(far_got(&f, MSG_PONG));
	ck_assert_uint_eq(far_got(&f, MSG_PONG)->ping.seq, 77);
	far_free(&f);
}
END_TEST

START_TEST(silent_peer_asked_then_given_up)
{
	struct message m = {.type = MSG_PONG};
	struct far f;

	far_connect(&f, "192.0.2.7", 7, true);
	for (uint64_t i = 1; i <= 2; i++) {
		straw_wait(6 * SECOND);
		far_read(&f);
		ck_assert_uint_eq(far_got(&f, MSG_PING)->ping.seq, i);
		m.ping.seq = i;
		far_send(&f, &m);
		ck_assert(!f.closed);
	}
	straw_wait(14 * SECOND);
	far_read(&f);
	ck_assert(!f.closed);
	straw_wait(2 * SECOND);
	far_read(&f);
	ck_assert(f.closed);
	ck_assert_int_eq(far_got(&f, MSG_CLOSE)->close.reason, ERR_TIMEOUT);
	far_free(&f);
}
END_TEST

/* It is there, but new keys never come into use. */
START_TEST(session_without_keys_ends_after_thirty_seconds)
{
	struct message m = {.type = MSG_PONG};
	struct far f;

	far_connect(&f, "192.0.2.7", 7, true);
	for (uint64_t i = 1; i <= 6; i++) {
		ck_assert(!f.closed);
		straw_wait(5 * SECOND);
		m.ping.seq = i;
		if (i < 6) {
			far_send(&f, &m);
		}
		far_read(&f);
	}
	ck_assert(f.closed);
	ck_assert_int_eq(far_got(&f, MSG_CLOSE)->close.reason, ERR_TIMEOUT);
	far_free(&f);
}
END_TEST

/* All that was said to it. */
static bool got_hint(const struct far *f, uint8_t code)
{
	const uint8_t hint[] = {0, 5, 'F', 'D', 'P', '!', code};

	return f->rx.size == sizeof hint &&
	       !memcmp(f->rx.data, hint, sizeof hint);
}

START_TEST(one_who_says_nothing_closed_after_five_seconds)
{
	struct far f;

	far_accept(&f, "192.0.2.7");
	straw_wait(5 * SECOND - 1);
	far_read(&f);
	ck_assert(!f.closed);
	straw_wait(1);
	far_read(&f);
	ck_assert(f.closed);
	ck_assert(got_hint(&f, 8));
	straw_demand_row("failed", "timeout");
	far_free(&f);
}
END_TEST

START_TEST(slow_drip_closed_after_five_seconds)
{
	static const uint8_t bytes[] = "\0\112fdp/1";
	struct far f;

	far_accept(&f, "192.0.2.7");
	for (size_t i = 0; i < 5; i++) {
		far_bytes(&f, span_of(bytes + i, 1));
		straw_wait(SECOND);
	}
	far_read(&f);
	ck_assert(f.closed);
	far_free(&f);
}
END_TEST

START_TEST(more_than_four_at_once_closed_at_once)
{
	struct far f[6];

	for (size_t i = 0; i < 6; i++) {
		far_accept(&f[i], "192.0.2.7");
		ck_assert(f[i].closed == (i >= 4));
		ck_assert(got_hint(&f[i], 7) == (i >= 4));
	}
	straw_demand_row("handshake", "handshake");
	for (size_t i = 0; i < 6; i++) {
		far_free(&f[i]);
	}
}
END_TEST

static const struct {
	const char *bytes;
	size_t size;
	const char *reason;
} strange[] = {
	{"GET / HTTP/1.0\r\n\r\n", 18, "bad-magic"},
	{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11, "bad-magic"},
	{"SSH-2.0-OpenSSH_9.2\r\n", 21, "bad-magic"},
	{"\xff\xff", 2, "oversized"},
};

START_TEST(strange_protocol_refused_and_said)
{
	struct far f;

	far_accept(&f, "192.0.2.7");
	far_bytes(&f, span_of(strange[_i].bytes, strange[_i].size));
	ck_assert(f.closed);
	straw_demand_row("failed", strange[_i].reason);
	far_free(&f);
}
END_TEST

/* The control, in the second round: who waits is answered. */
START_TEST(first_frame_of_one_who_has_gone_not_answered)
{
	struct wbuf tx = WBUF_INITIALIZER(0);
	struct identity self = {.name = "straw", .id = {{7}}};
	struct hs_config config = {
		.slots = &straw.slot, .n_slots = 1, .self = &self};
	struct event closed = {.type = EVENT_CLOSED};
	uint64_t n_random;
	struct far f;

	far_accept(&f, "192.0.2.7");
	f.gone = !_i;
	handshake_init(&f.hs, HS_INITIATOR, &config);
	handshake_start(&f.hs, &tx, &straw_rng);
	n_random = straw.n_random;
	far_bytes(&f, wbuf_span(&tx));
	ck_assert((f.rx.size > 0) == _i);
	/* Nor are keys drawn for it. */
	ck_assert((straw.n_random > n_random) == _i);
	ck_assert(!f.closed);
	closed.conn = f.conn;
	straw_step(&closed);
	straw_demand_row("failed", "truncated");
	handshake_wipe(&f.hs);
	wbuf_free(&tx);
	far_free(&f);
}
END_TEST

START_TEST(newcomer_takes_the_place_of_the_one_who_took_longest)
{
	struct far f[48], late;

	for (unsigned int i = 0; i < 48; i++) {
		char address[16];

		snprintf(address, sizeof address, "10.0.0.%u", i);
		far_accept(&f[i], address);
		ck_assert(!f[i].closed);
		straw_wait(SECOND / 40);
	}
	straw_wait(SECOND / 2);
	/* Nobody has had two seconds. */
	far_accept(&late, "192.0.2.7");
	ck_assert(late.closed);
	far_free(&late);
	straw_wait(SECOND);
	far_connect(&late, "192.0.2.7", 7, true);
	for (unsigned int i = 0; i < 48; i++) {
		far_read(&f[i]);
		ck_assert(f[i].closed == (i == 0));
		far_free(&f[i]);
	}
	far_free(&late);
}
END_TEST

/* More than there may be of those of whom nothing is known. */
START_TEST(strangers_who_prove_the_password_do_not_count)
{
	struct far f[60], late;

	for (unsigned int i = 0; i < 60; i++) {
		char address[16];

		snprintf(address, sizeof address, "10.0.0.%u", i);
		far_connect(&f[i], address, (uint8_t)(i + 1), true);
	}
	for (unsigned int i = 0; i < 41; i++) {
		char address[16];

		snprintf(address, sizeof address, "10.0.1.%u", i);
		far_accept(&late, address);
		ck_assert(late.closed == (i == 40));
		far_free(&late);
	}
	for (unsigned int i = 0; i < 60; i++) {
		far_free(&f[i]);
	}
}
END_TEST

static size_t n_lines(const char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < straw.all.n; i++) {
		const struct op *op = &straw.all.v[i];

		n += op->type == OP_LOG && strstr(op->text, text);
	}
	return n;
}

/* One from each of 'n' addresses, and what it says is no handshake. */
static void strangers(unsigned int net, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		char address[16];
		struct far f;

		snprintf(address, sizeof address, "10.0.%u.%u", net, i);
		far_accept(&f, address);
		ck_assert(!f.closed);
		far_bytes(&f, span_of("GET / HTTP/1.0\r\n\r\n", 18));
		ck_assert(f.closed);
		far_free(&f);
	}
}

START_TEST(crowd_of_strangers_does_not_fill_the_log)
{
	strangers(1, 20);
	ck_assert_uint_eq(n_lines("refused"), 20);
	strangers(2, 20);
	ck_assert_uint_eq(n_lines("refused"), 20);
	straw_wait(10 * SECOND);
	strangers(3, 20);
	ck_assert_uint_eq(n_lines("refused"), 21);
	ck_assert_uint_eq(n_lines("20 more before it were not logged"), 1);
	/* Who is left alone for a while says the next ones. */
	straw_wait(200 * SECOND);
	strangers(4, 20);
	ck_assert_uint_eq(n_lines("refused"), 41);
	ck_assert_uint_eq(n_lines("19 more before it were not logged"), 1);
}
END_TEST

/* ---- Peers that know the password and misbehave ---- */

static void garbage(struct far *f)
{
	static const uint8_t bytes[100] = {0, 98};

	f->deaf = true;
	far_bytes(f, span_of(bytes, sizeof bytes));
}

static void foreign_author(struct far *f)
{
	struct message m = {.type = MSG_RECORD};

	m.record.author.b[0] = 0x33;
	strcpy(m.record.name, "other");
	m.record.last = true;
	far_send(f, &m);
}

static void our_own_record(struct far *f)
{
	struct message m = {.type = MSG_RECORD};

	m.record.author.b[0] = 0x80;
	strcpy(m.record.name, "engine");
	m.record.last = true;
	far_send(f, &m);
}

static void step_left_out(struct far *f)
{
	struct message m = {.type = MSG_UPDATE};

	m.update.author = f->id;
	m.update.incarnation = 5;
	m.update.seq = 9;
	far_send(f, &m);
}

static void unknown_critical(struct far *f)
{
	static const uint8_t payload[] = {0xff, 0xfe, 0, 0};

	far_send_raw(f, span_of(payload, sizeof payload));
}

static void truncated_message(struct far *f)
{
	static const uint8_t payload[] = {0, 1, 0, 8, 1, 2};

	far_send_raw(f, span_of(payload, sizeof payload));
}

static void rekey_answer_unasked(struct far *f)
{
	struct message m = {.type = MSG_REKEY_RESPONSE};

	m.rekey.epoch = 1;
	m.rekey.key[0] = 9;
	far_send(f, &m);
}

static void rekey_to_a_low_order_point(struct far *f)
{
	struct message m = {.type = MSG_REKEY_REQUEST};

	m.rekey.epoch = 1;
	far_send(f, &m);
}

static void rekey_to_another_epoch(struct far *f)
{
	struct message m = {.type = MSG_REKEY_REQUEST};

	m.rekey.epoch = 2;
	m.rekey.key[0] = 9;
	far_send(f, &m);
}

static void (*const misdeeds[])(struct far *) = {
	garbage,
	foreign_author,
	our_own_record,
	step_left_out,
	unknown_critical,
	truncated_message,
	rekey_answer_unasked,
	rekey_to_a_low_order_point,
	rekey_to_another_epoch,
};

START_TEST(misbehaving_peer_cut_off_others_go_on)
{
	struct message ping = {.type = MSG_PING, .ping = {.seq = 5}};
	struct far good, bad;

	far_connect(&good, "192.0.2.8", 8, true);
	far_connect(&bad, "192.0.2.7", 7, true);
	misdeeds[_i](&bad);
	ck_assert(bad.closed);
	ck_assert_uint_eq(straw.n_errors, 0);
	far_send(&good, &ping);
	ck_assert_ptr_nonnull(far_got(&good, MSG_PONG));
	ck_assert(!good.closed);
	far_free(&good);
	far_free(&bad);
}
END_TEST

START_TEST(unknown_optional_message_skipped)
{
	static const uint8_t payload[] = {0x7f, 0xfe, 0, 3, 1, 2, 3};
	struct message ping = {.type = MSG_PING, .ping = {.seq = 5}};
	struct far f;

	far_connect(&f, "192.0.2.7", 7, true);
	far_send_raw(&f, span_of(payload, sizeof payload));
	far_send(&f, &ping);
	ck_assert(!f.closed);
	ck_assert_ptr_nonnull(far_got(&f, MSG_PONG));
	far_free(&f);
}
END_TEST

START_TEST(close_of_the_other_side_ends_it)
{
	struct message m = {.type = MSG_CLOSE,
			    .close = {.reason = ERR_REFUSED}};
	struct far f;

	far_connect(&f, "192.0.2.7", 7, true);
	far_send(&f, &m);
	ck_assert(f.closed);
	ck_assert_ptr_null(far_got(&f, MSG_CLOSE));
	far_free(&f);
}
END_TEST

/* Data after the end, results for what is gone: nothing happens. */
START_TEST(late_events_ignored)
{
	struct event event = {.type = EVENT_DATA, .conn = 999};
	struct message m = {.type = MSG_CLOSE};
	struct far f;

	event.bytes = span_of("x", 1);
	straw_step(&event);
	event.type = EVENT_CLOSED;
	straw_step(&event);
	event.type = EVENT_DIALED;
	straw_step(&event);
	memset(&event, 0, sizeof event);
	event.type = EVENT_RESULT;
	event.result.cookie = 123456;
	event.result.detail = "";
	straw_step(&event);
	event.type = EVENT_ROUTE;
	event.route.cookie = 123456;
	straw_step(&event);
	far_connect(&f, "192.0.2.7", 7, true);
	far_send(&f, &m);
	event.type = EVENT_DATA;
	event.conn = f.conn;
	event.bytes = span_of("x", 1);
	straw_step(&event);
	far_free(&f);
}
END_TEST

START_TEST(second_connection_replaces_the_first)
{
	struct far first, second;

	far_connect(&first, "192.0.2.7", 7, true);
	far_connect(&second, "192.0.2.7", 7, true);
	far_read(&first);
	ck_assert(first.closed);
	ck_assert_int_eq(far_got(&first, MSG_CLOSE)->close.reason, ERR_EXISTS);
	ck_assert(!second.closed);
	far_free(&first);
	far_free(&second);
}
END_TEST

/* Another identity at the address of a living peer. */
START_TEST(address_of_a_living_peer_not_taken)
{
	struct far first, second;

	far_connect(&first, "192.0.2.7", 7, true);
	far_connect(&second, "192.0.2.7", 9, true);
	far_read(&second);
	ck_assert(second.closed);
	far_read(&first);
	ck_assert(!first.closed);
	/* It is asked, and as it says nothing, given up. */
	ck_assert_ptr_nonnull(far_got(&first, MSG_PING));
	straw_wait(4 * SECOND);
	far_read(&first);
	ck_assert(first.closed);
	far_free(&second);
	far_connect(&second, "192.0.2.7", 9, true);
	far_read(&second);
	ck_assert(!second.closed);
	far_free(&first);
	far_free(&second);
}
END_TEST

START_TEST(stop_says_so_and_touches_no_kernel_state)
{
	struct event event = {.type = EVENT_STOP};
	struct far f;
	size_t first;

	far_connect(&f, "192.0.2.7", 7, true);
	first = straw.all.n;
	straw_step(&event);
	far_read(&f);
	ck_assert(f.closed);
	ck_assert_str_eq(far_got(&f, MSG_CLOSE)->close.text, "stopping");
	for (size_t i = first; i < straw.all.n; i++) {
		enum op_type type = straw.all.v[i].type;

		ck_assert(type == OP_SEND || type == OP_CLOSE ||
			  type == OP_REMEMBER || type == OP_LOG);
	}
	ck_assert(engine_deadline(straw.engine) == UINT64_MAX);
	far_free(&f);
}
END_TEST

#define N(A) ((int)(sizeof(A) / sizeof((A)[0])))

int main(void)
{
	Suite *suite = suite_create("conn");
	TCase *tcase = tcase_create("conn");

	tcase_add_checked_fixture(tcase, straw_setup, teardown);
	tcase_add_test(tcase, session_begins_with_the_whole_record);
	tcase_add_test(tcase, ping_answered_with_its_number);
	tcase_add_test(tcase, silent_peer_asked_then_given_up);
	tcase_add_test(tcase, session_without_keys_ends_after_thirty_seconds);
	tcase_add_test(tcase, one_who_says_nothing_closed_after_five_seconds);
	tcase_add_test(tcase, slow_drip_closed_after_five_seconds);
	tcase_add_test(tcase, more_than_four_at_once_closed_at_once);
	tcase_add_loop_test(tcase, first_frame_of_one_who_has_gone_not_answered,
			    0, 2);
	tcase_add_test(tcase, strangers_who_prove_the_password_do_not_count);
	tcase_add_test(tcase,
		       newcomer_takes_the_place_of_the_one_who_took_longest);
	tcase_add_test(tcase, crowd_of_strangers_does_not_fill_the_log);
	tcase_add_loop_test(tcase, strange_protocol_refused_and_said, 0,
			    N(strange));
	tcase_add_loop_test(tcase, misbehaving_peer_cut_off_others_go_on, 0,
			    N(misdeeds));
	tcase_add_test(tcase, unknown_optional_message_skipped);
	tcase_add_test(tcase, close_of_the_other_side_ends_it);
	tcase_add_test(tcase, late_events_ignored);
	tcase_add_test(tcase, second_connection_replaces_the_first);
	tcase_add_test(tcase, address_of_a_living_peer_not_taken);
	tcase_add_test(tcase, stop_says_so_and_touches_no_kernel_state);
	suite_add_tcase(suite, tcase);
	return vectors_main(suite);
}
