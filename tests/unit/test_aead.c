#include "crypto/aead.h"

#include "vectors.h"

START_TEST(nonce_layout_is_as_specified)
{
	static const struct {
		struct aead_nonce nonce;
		const char *hex;
	} table[] = {
		{{true, true, 0, 0},
		 "c00000000000000000000000000000000000000000000000"},
		{{false, true, 0, 0},
		 "400000000000000000000000000000000000000000000000"},
		{{true, false, 0x01020304, 0x05060708090a0b0c},
		 "8000000000000000000000000102030405060708090a0b0c"},
		{{false, false, UINT32_MAX, UINT64_MAX},
		 "0000000000000000000000"
		 "00ffffffffffffffffffffffff"},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		uint8_t bytes[AEAD_NONCE_BYTES];
		struct vector_bytes want;

		vector_from_hex(table[i].hex, &want);
		aead_nonce_bytes(&table[i].nonce, bytes);
		ck_assert_bytes_eq(vector_span(&want), bytes, sizeof bytes);
	}
}
END_TEST

/* The wrapper adds nothing to the primitive but the nonce. */
START_TEST(box_is_a_secretbox)
{
	static const char text[] = "what is inside";
	const struct aead_nonce nonce = {.initiator = true, .seq = 9};
	struct wbuf box = WBUF_INITIALIZER(0), plain = WBUF_INITIALIZER(0);
	uint8_t bytes[AEAD_NONCE_BYTES], want[64];
	struct secret key;

	memset(key.b, 3, sizeof key.b);
	for (size_t size = 0; size < sizeof text; size++) {
		wbuf_clear(&box);
		wbuf_clear(&plain);
		ck_assert_int_eq(
			aead_seal(&key, &nonce, span_of(text, size), &box),
			FDP_OK);
		aead_nonce_bytes(&nonce, bytes);
		crypto_secretbox_easy(want, (const uint8_t *)text, size, bytes,
				      key.b);
		ck_assert_bytes_eq(wbuf_span(&box), want,
				   size + AEAD_TAG_BYTES);
		ck_assert_int_eq(
			aead_open(&key, &nonce, wbuf_span(&box), &plain),
			FDP_OK);
		ck_assert_bytes_eq(wbuf_span(&plain), text, size);
	}
	wbuf_free(&box);
	wbuf_free(&plain);
}
END_TEST

START_TEST(anything_changed_is_refused)
{
	const struct aead_nonce good = {true, true, 5, 6};
	const struct aead_nonce bad[] = {
		{false, true, 5, 6},
		{true, false, 5, 6},
		{true, true, 4, 6},
		{true, true, 5, 7},
	};
	struct wbuf box = WBUF_INITIALIZER(0), out = WBUF_INITIALIZER(0);
	struct secret key;

	memset(key.b, 3, sizeof key.b);
	ck_assert_int_eq(aead_seal(&key, &good, span_of("abc", 3), &box),
			 FDP_OK);
	for (size_t bit = 0; bit < 8 * box.size; bit++) {
		box.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(aead_open(&key, &good, wbuf_span(&box), &out),
				 ERR_AUTH);
		box.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		ck_assert_int_eq(
			aead_open(&key, &bad[i], wbuf_span(&box), &out),
			ERR_AUTH);
	}
	for (size_t size = 0; size < box.size; size++) {
		ck_assert_int_eq(
			aead_open(&key, &good, span_of(box.data, size), &out),
			size < AEAD_TAG_BYTES ? ERR_TRUNCATED : ERR_AUTH);
	}
	key.b[31] ^= 0x80;
	ck_assert_int_eq(aead_open(&key, &good, wbuf_span(&box), &out),
			 ERR_AUTH);
	/* Nothing of what was refused got out. */
	ck_assert_uint_eq(out.size, 0);
	wbuf_free(&box);
	wbuf_free(&out);
}
END_TEST

START_TEST(full_buffer_is_an_error)
{
	const struct aead_nonce nonce = {.seq = 1};
	struct wbuf small = WBUF_INITIALIZER(10), box = WBUF_INITIALIZER(0);
	struct secret key = {{1}};
	static const uint8_t plain[20];

	ck_assert_int_eq(
		aead_seal(&key, &nonce, span_of(plain, sizeof plain), &small),
		ERR_OVERSIZED);
	wbuf_clear(&small);
	ck_assert_int_eq(
		aead_seal(&key, &nonce, span_of(plain, sizeof plain), &box),
		FDP_OK);
	ck_assert_int_eq(aead_open(&key, &nonce, wbuf_span(&box), &small),
			 ERR_OVERSIZED);
	ck_assert_uint_eq(small.size, 0);
	wbuf_free(&small);
	wbuf_free(&box);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("aead");
	TCase *tc = tcase_create("aead");

	tcase_add_test(tc, nonce_layout_is_as_specified);
	tcase_add_test(tc, box_is_a_secretbox);
	tcase_add_test(tc, anything_changed_is_refused);
	tcase_add_test(tc, full_buffer_is_an_error);
	suite_add_tcase(suite, tc);
	return vectors_main(suite);
}
