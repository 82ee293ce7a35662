#include "session/channel.h"

#include "vectors.h"

#include "session/keys.h"

struct pair {
	struct channel i, r;
};

static void pair_init(struct pair *p, bool encrypted)
{
	struct hs_result result = {.encrypted = encrypted};

	if (encrypted) {
		memset(result.s1.b, 0x42, sizeof result.s1.b);
	}
	result.role = HS_INITIATOR;
	channel_init(&p->i, &result);
	result.role = HS_RESPONDER;
	channel_init(&p->r, &result);
}

static struct wbuf sealed(struct channel *ch, const char *text)
{
	struct wbuf tx = WBUF_INITIALIZER(0);

	ck_assert_int_eq(channel_seal(ch, span_of(text, strlen(text)), &tx),
			 FDP_OK);
	return tx;
}

/* Opens the one record in 'rx', which must be whole. */
static enum err open_one(struct channel *ch, const struct wbuf *rx,
			 const char *want)
{
	struct wbuf payload = WBUF_INITIALIZER(0);
	struct span in = wbuf_span(rx);
	bool complete;
	enum err err = channel_open(ch, &in, &payload, &complete);

	if (!err) {
		ck_assert(complete);
		ck_assert_uint_eq(in.size, 0);
		ck_assert_bytes_eq(wbuf_span(&payload), want, strlen(want));
	}
	wbuf_free(&payload);
	return err;
}

START_TEST(records_pass_in_both_directions)
{
	bool encrypted = _i;
	struct pair p;

	pair_init(&p, encrypted);
	for (int n = 0; n < 300; n++) {
		struct wbuf a, b;
		char text[32];

		snprintf(text, sizeof text, "record %d", n);
		a = sealed(&p.i, text);
		b = sealed(&p.r, text);
		ck_assert_uint_eq(a.size,
				  2 + strlen(text) + (encrypted ? 16 : 0));
		if (encrypted) {
			/* The same text, another key. */
			ck_assert_mem_ne(a.data, b.data, a.size);
		}
		ck_assert_int_eq(open_one(&p.r, &a, text), FDP_OK);
		ck_assert_int_eq(open_one(&p.i, &b, text), FDP_OK);
		wbuf_free(&a);
		wbuf_free(&b);
	}
}
END_TEST

/* The wire, from the specification and libsodium alone. */
START_TEST(record_is_as_specified)
{
	static const char text[] = "hello";
	uint8_t nonce[24] = {0xc0}, want[2 + 16 + 5];
	struct secret s1, key;
	struct wbuf tx;
	struct pair p;

	pair_init(&p, true);
	memset(s1.b, 0x42, sizeof s1.b);
	session_export(&s1, "fdp1 tcp i2r", &key);
	for (uint8_t n = 0; n < 3; n++) {
		tx = sealed(&p.i, text);
		nonce[23] = n;
		want[0] = 0;
		want[1] = 16 + 5;
		crypto_secretbox_easy(want + 2, (const uint8_t *)text, 5, nonce,
				      key.b);
		ck_assert_bytes_eq(wbuf_span(&tx), want, sizeof want);
		wbuf_free(&tx);
	}
}
END_TEST

START_TEST(single_bytes_and_several_records_are_handled)
{
	struct wbuf stream = WBUF_INITIALIZER(0), all = WBUF_INITIALIZER(0);
	struct wbuf payload = WBUF_INITIALIZER(0);
	struct pair p;
	size_t n = 0;

	pair_init(&p, _i);
	for (int k = 0; k < 3; k++) {
		ck_assert_int_eq(
			channel_seal(&p.i, span_of("abc", (size_t)k), &all),
			FDP_OK);
	}
	for (size_t k = 0; k < all.size; k++) {
		struct span in;
		bool complete;

		wbuf_u8(&stream, all.data[k]);
		in = wbuf_span(&stream);
		ck_assert_int_eq(channel_open(&p.r, &in, &payload, &complete),
				 FDP_OK);
		if (complete) {
			ck_assert_bytes_eq(wbuf_span(&payload), "abc", n);
			ck_assert_uint_eq(in.size, 0);
			wbuf_clear(&stream);
			n++;
		} else {
			ck_assert_uint_eq(in.size, stream.size);
		}
	}
	ck_assert_uint_eq(n, 3);
	wbuf_free(&stream);
	wbuf_free(&all);
	wbuf_free(&payload);
}
END_TEST

START_TEST(single_bit_changed_is_never_accepted)
{
	struct wbuf payload = WBUF_INITIALIZER(0);
	struct wbuf tx;
	struct pair p;

	pair_init(&p, true);
	tx = sealed(&p.i, "a payload of some length");
	for (size_t bit = 0; bit < 8 * tx.size; bit++) {
		struct pair q;
		struct span in;
		bool complete;
		enum err err;

		pair_init(&q, true);
		tx.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		in = wbuf_span(&tx);
		err = channel_open(&q.r, &in, &payload, &complete);
		/* A greater length only makes the reader wait. */
		ck_assert(err || (bit < 16 && !complete));
		tx.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	wbuf_free(&tx);
	wbuf_free(&payload);
}
END_TEST

START_TEST(repeated_record_is_refused)
{
	struct wbuf tx;
	struct pair p;

	pair_init(&p, true);
	tx = sealed(&p.i, "once");
	ck_assert_int_eq(open_one(&p.r, &tx, "once"), FDP_OK);
	ck_assert_int_eq(open_one(&p.r, &tx, "once"), ERR_AUTH);
	wbuf_free(&tx);
}
END_TEST

START_TEST(reordered_or_missing_record_is_refused)
{
	struct wbuf first, second;
	struct pair p;

	pair_init(&p, true);
	first = sealed(&p.i, "first");
	second = sealed(&p.i, "second");
	ck_assert_int_eq(open_one(&p.r, &second, "second"), ERR_AUTH);
	/* And the channel is dead, whatever comes. */
	ck_assert_int_eq(open_one(&p.r, &first, "first"), ERR_STATE);
	wbuf_free(&first);
	wbuf_free(&second);
}
END_TEST

START_TEST(reflected_record_is_refused)
{
	struct wbuf tx;
	struct pair p;

	pair_init(&p, true);
	tx = sealed(&p.i, "mine");
	ck_assert_int_eq(open_one(&p.i, &tx, "mine"), ERR_AUTH);
	wbuf_free(&tx);
}
END_TEST

START_TEST(record_of_another_session_is_refused)
{
	struct hs_result other = {.encrypted = true, .role = HS_INITIATOR};
	struct channel ch;
	struct wbuf tx;
	struct pair p;

	pair_init(&p, true);
	channel_init(&ch, &other);
	tx = sealed(&ch, "hello");
	ck_assert_int_eq(open_one(&p.r, &tx, "hello"), ERR_AUTH);
	wbuf_free(&tx);
}
END_TEST

START_TEST(truncated_record_is_refused)
{
	struct wbuf payload = WBUF_INITIALIZER(0);
	struct wbuf tx;

	for (uint8_t size = 0; size < 16 + 5; size++) {
		struct span in;
		bool complete;
		struct pair p;

		pair_init(&p, true);
		tx = sealed(&p.i, "hello");
		tx.data[1] = size;
		in = span_of(tx.data, 2u + size);
		ck_assert_int_eq(channel_open(&p.r, &in, &payload, &complete),
				 size < 16 ? ERR_TRUNCATED : ERR_AUTH);
		wbuf_free(&tx);
	}
	wbuf_free(&payload);
}
END_TEST

START_TEST(sizes_are_bounded)
{
	static uint8_t big[CHANNEL_PAYLOAD_MAX + 1];
	struct wbuf tx = WBUF_INITIALIZER(0), payload = WBUF_INITIALIZER(0);
	struct wbuf small = WBUF_INITIALIZER(10);
	struct span in;
	bool complete;
	struct pair p;

	pair_init(&p, _i);
	ck_assert_int_eq(channel_seal(&p.i, span_of(big, sizeof big), &tx),
			 ERR_OVERSIZED);
	ck_assert_uint_eq(tx.size, 0);
	ck_assert_int_eq(channel_seal(&p.i, span_of(big, 9), &small),
			 ERR_OVERSIZED);
	ck_assert_uint_eq(small.size, 0);
	/* Neither counts as a record. */
	ck_assert_int_eq(channel_seal(&p.i, span_of(big, sizeof big - 1), &tx),
			 FDP_OK);
	in = wbuf_span(&tx);
	ck_assert_int_eq(channel_open(&p.r, &in, &payload, &complete), FDP_OK);
	ck_assert(complete);
	ck_assert_bytes_eq(wbuf_span(&payload), big, sizeof big - 1);

	if (!_i) {
		/* A plain record could be larger than any sealed one. */
		wbuf_clear(&tx);
		wbuf_u16(&tx, UINT16_MAX);
		(void)wbuf_room(&tx, UINT16_MAX);
		in = wbuf_span(&tx);
		ck_assert_int_eq(channel_open(&p.r, &in, &payload, &complete),
				 ERR_OVERSIZED);
	}
	wbuf_free(&tx);
	wbuf_free(&payload);
}
END_TEST

START_TEST(exhausted_sequence_is_refused)
{
	struct wbuf tx = WBUF_INITIALIZER(0);
	struct pair p;

	pair_init(&p, true);
	p.i.tx_seq = p.r.rx_seq = UINT64_MAX - 1;
	ck_assert_int_eq(channel_seal(&p.i, span_of("x", 1), &tx), FDP_OK);
	ck_assert_int_eq(open_one(&p.r, &tx, "x"), FDP_OK);
	ck_assert_int_eq(channel_seal(&p.i, span_of("x", 1), &tx), ERR_LIMIT);
	ck_assert_int_eq(open_one(&p.r, &tx, "x"), ERR_LIMIT);
	wbuf_free(&tx);
}
END_TEST

START_TEST(failure_wipes_keys_and_ends_sealing)
{
	struct wbuf tx = WBUF_INITIALIZER(0);
	struct pair p;

	pair_init(&p, true);
	wbuf_u16(&tx, 16);
	(void)wbuf_room(&tx, 16);
	ck_assert_int_eq(open_one(&p.r, &tx, ""), ERR_AUTH);
	ck_assert(sodium_is_zero(p.r.rx_key.b, sizeof p.r.rx_key.b));
	ck_assert(sodium_is_zero(p.r.tx_key.b, sizeof p.r.tx_key.b));
	ck_assert_int_eq(channel_seal(&p.r, span_of("x", 1), &tx), ERR_STATE);
	wbuf_free(&tx);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("channel");
	TCase *tc = tcase_create("channel");

	tcase_add_loop_test(tc, records_pass_in_both_directions, 0, 2);
	tcase_add_test(tc, record_is_as_specified);
	tcase_add_loop_test(tc, single_bytes_and_several_records_are_handled, 0,
			    2);
	tcase_add_test(tc, single_bit_changed_is_never_accepted);
	tcase_add_test(tc, repeated_record_is_refused);
	tcase_add_test(tc, reordered_or_missing_record_is_refused);
	tcase_add_test(tc, reflected_record_is_refused);
	tcase_add_test(tc, record_of_another_session_is_refused);
	tcase_add_test(tc, truncated_record_is_refused);
	tcase_add_loop_test(tc, sizes_are_bounded, 0, 2);
	tcase_add_test(tc, exhausted_sequence_is_refused);
	tcase_add_test(tc, failure_wipes_keys_and_ends_sealing);
	suite_add_tcase(suite, tc);
	return vectors_main(suite);
}
