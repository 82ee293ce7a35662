/* Ed25519: RFC 8032 7.1, and what must be refused. */
#include "crypto/sign.h"

#include "vectors.h"

/* Tests 1 to 3 of RFC 8032 7.1. */
static const struct {
	const char *seed, *key, *message, *signature;
} rfc8032[] = {
	{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	 "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	 "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb88"
	 "21590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
	{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	 "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
	 "72",
	 "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac"
	 "1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
	{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
	 "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
	 "af82",
	 "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9"
	 "b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
};

static void load(size_t n, struct secret *seed, struct sign_key *key,
		 struct vector_bytes *message, struct vector_bytes *signature)
{
	struct vector_bytes bytes;

	vector_from_hex(rfc8032[n].seed, &bytes);
	ck_assert_uint_eq(bytes.size, sizeof seed->b);
	memcpy(seed->b, bytes.b, bytes.size);
	vector_from_hex(rfc8032[n].key, &bytes);
	ck_assert_uint_eq(bytes.size, sizeof key->b);
	memcpy(key->b, bytes.b, bytes.size);
	vector_from_hex(rfc8032[n].message, message);
	vector_from_hex(rfc8032[n].signature, signature);
	ck_assert_uint_eq(signature->size, SIGN_BYTES);
}

START_TEST(signatures_are_as_in_rfc8032)
{
	struct vector_bytes message, signature;
	struct sign_key want;
	struct sign_pair pair;
	uint8_t made[SIGN_BYTES];
	struct secret seed;

	load((size_t)_i, &seed, &want, &message, &signature);
	sign_pair_init(&pair, &seed);
	ck_assert(sign_key_equal(&pair.key, &want));
	sign(&pair, vector_span(&message), made);
	ck_assert_mem_eq(made, signature.b, sizeof made);
	ck_assert_int_eq(sign_verify(&pair.key, vector_span(&message), made),
			 FDP_OK);
}
END_TEST

START_TEST(anything_changed_is_refused)
{
	struct vector_bytes message, signature;
	struct sign_key key;
	struct secret seed;

	load(2, &seed, &key, &message, &signature);
	for (size_t bit = 0; bit < 8 * SIGN_BYTES; bit++) {
		signature.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(
			sign_verify(&key, vector_span(&message), signature.b),
			ERR_AUTH);
		signature.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * SIGN_KEY_BYTES; bit++) {
		key.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(
			sign_verify(&key, vector_span(&message), signature.b),
			ERR_AUTH);
		key.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * message.size; bit++) {
		message.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(
			sign_verify(&key, vector_span(&message), signature.b),
			ERR_AUTH);
		message.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_int_eq(sign_verify(&key, span_of(message.b, 1), signature.b),
			 ERR_AUTH);
}
END_TEST

/* With a key of low order one signature would fit many messages: the point
 * (0, 1) as key and as R, S = 0. */
START_TEST(key_of_low_order_is_refused)
{
	const struct sign_key key = {{1}};
	const uint8_t signature[SIGN_BYTES] = {1};

	ck_assert_int_eq(sign_verify(&key, span_of("x", 1), signature),
			 ERR_AUTH);
}
END_TEST

START_TEST(fingerprint_is_short_and_tells_keys_apart)
{
	char a[SIGN_FINGERPRINT_STRLEN], b[SIGN_FINGERPRINT_STRLEN];

	/* SHA-256 of 32 zero bytes begins with 66687aadf862bd77. */
	ck_assert_str_eq(sign_fingerprint(&(struct sign_key){{0}}, a),
			 "6668-7aad-f862-bd77");
	ck_assert_str_ne(sign_fingerprint(&(struct sign_key){{1}}, b), a);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sign");
	TCase *tc = tcase_create("sign");

	tcase_add_loop_test(tc, signatures_are_as_in_rfc8032, 0,
			    sizeof rfc8032 / sizeof rfc8032[0]);
	tcase_add_test(tc, anything_changed_is_refused);
	tcase_add_test(tc, key_of_low_order_is_refused);
	tcase_add_test(tc, fingerprint_is_short_and_tells_keys_apart);
	suite_add_tcase(suite, tc);
	return vectors_main(suite);
}
