#include "crypto/kdf.h"

#include "vectors.h"

START_TEST(hmac_wycheproof_vectors)
{
	struct json *file = vectors_load("wycheproof_hmac_sha256.json");
	const struct json *groups = vector_member(file, "testGroups");
	size_t checked = 0;

	for (size_t g = 0; g < vector_count(groups); g++) {
		const struct json *group = vector_at(groups, g);
		const struct json *tests = vector_member(group, "tests");

		for (size_t i = 0; i < vector_count(tests); i++) {
			const struct json *c = vector_at(tests, i);
			struct vector_bytes key, message, tag;
			uint8_t out[KDF_HASH_BYTES];

			vector_hex(c, "key", &key);
			vector_hex(c, "msg", &message);
			vector_hex(c, "tag", &tag);
			kdf_hmac(vector_span(&key), vector_span(&message), out);
			/* Some groups have the tag cut short. */
			ck_assert_uint_eq(
				8 * tag.size,
				(size_t)vector_integer(group, "tagSize"));
			ck_assert(!memcmp(out, tag.b, tag.size) ==
				  !strcmp(vector_string(c, "result"), "valid"));
			checked++;
		}
	}
	ck_assert_uint_eq(checked, 174);
	json_destroy(file);
}
END_TEST

START_TEST(hkdf_rfc5869_vectors)
{
	struct json *file = vectors_load("rfc5869_hkdf_sha256.json");
	const struct json *cases = vector_member(file, "cases");

	for (size_t i = 0; i < vector_count(cases); i++) {
		const struct json *c = vector_at(cases, i);
		struct vector_bytes ikm, salt, info, prk_want, okm;
		struct secret prk;
		uint8_t out[128];
		size_t size = (size_t)vector_integer(c, "L");

		vector_hex(c, "IKM", &ikm);
		vector_hex(c, "salt", &salt);
		vector_hex(c, "info", &info);
		vector_hex(c, "PRK", &prk_want);
		vector_hex(c, "OKM", &okm);
		kdf_extract(vector_span(&salt), vector_span(&ikm), &prk);
		ck_assert_bytes_eq(vector_span(&prk_want), prk.b, sizeof prk.b);
		ck_assert_uint_le(size, sizeof out);
		ck_assert_int_eq(kdf_expand(span_of(prk.b, sizeof prk.b),
					    vector_span(&info), out, size),
				 FDP_OK);
		ck_assert_bytes_eq(vector_span(&okm), out, size);
	}
	ck_assert_uint_eq(vector_count(cases), 3);
	json_destroy(file);
}
END_TEST

/* Among them the largest size, and sizes beyond it, to be refused. */
START_TEST(hkdf_wycheproof_vectors)
{
	struct json *file = vectors_load("wycheproof_hkdf_sha256.json");
	const struct json *groups = vector_member(file, "testGroups");
	size_t checked = 0, refused = 0;
	static uint8_t out[KDF_EXPAND_MAX];

	for (size_t g = 0; g < vector_count(groups); g++) {
		const struct json *tests =
			vector_member(vector_at(groups, g), "tests");

		for (size_t i = 0; i < vector_count(tests); i++) {
			const struct json *c = vector_at(tests, i);
			struct vector_bytes ikm, salt, info, okm;
			struct secret prk;
			size_t size = (size_t)vector_integer(c, "size");
			enum err err;

			vector_hex(c, "ikm", &ikm);
			vector_hex(c, "salt", &salt);
			vector_hex(c, "info", &info);
			vector_hex(c, "okm", &okm);
			kdf_extract(vector_span(&salt), vector_span(&ikm),
				    &prk);
			err = kdf_expand(span_of(prk.b, sizeof prk.b),
					 vector_span(&info), out, size);
			if (!strcmp(vector_string(c, "result"), "valid")) {
				ck_assert_int_eq(err, FDP_OK);
				ck_assert_bytes_eq(vector_span(&okm), out,
						   size);
			} else {
				ck_assert_int_eq(err, ERR_RANGE);
				refused++;
			}
			checked++;
		}
	}
	ck_assert_uint_eq(checked, 86);
	ck_assert_uint_eq(refused, 3);
	json_destroy(file);
}
END_TEST

START_TEST(label_is_expansion_of_label_and_context)
{
	struct secret prk, got, want, other;

	memset(prk.b, 7, sizeof prk.b);
	kdf_label(&prk, "label", span_of("context", 7), &got);
	ck_assert_int_eq(kdf_expand(span_of(prk.b, sizeof prk.b),
				    span_of("labelcontext", 12), want.b,
				    sizeof want.b),
			 FDP_OK);
	ck_assert(secret_equal(&got, &want));
	kdf_label(&prk, "label", span_of(NULL, 0), &other);
	ck_assert(!secret_equal(&got, &other));
}
END_TEST

/* The transcripts of the model hold the stretched form of one password; here
 * what depends on what. */
START_TEST(stretching_depends_on_password_and_cluster)
{
	struct json *file = vectors_load("fdp1_handshake_model.json");
	const struct json *c = vector_at(vector_member(file, "cases"), 0);
	const char *password = vector_string(c, "initiator_password");
	static const struct {
		const char *password, *cluster;
	} table[] = {{"", ""}, {"x", ""}, {"", "x"}, {"y", "x"}, {"x", "y"}};
	struct secret prs[5], psk[5], want;

	ck_assert_int_eq(kdf_stretch(span_of(password, strlen(password)),
				     span_of(NULL, 0), &prs[0], &psk[0]),
			 FDP_OK);
	vector_fixed(c, "prs", want.b, sizeof want.b);
	ck_assert(secret_equal(&prs[0], &want));
	vector_fixed(c, "psk", want.b, sizeof want.b);
	ck_assert(secret_equal(&psk[0], &want));

	for (size_t i = 0; i < 5; i++) {
		ck_assert_int_eq(kdf_stretch(span_of(table[i].password,
						     strlen(table[i].password)),
					     span_of(table[i].cluster,
						     strlen(table[i].cluster)),
					     &prs[i], &psk[i]),
				 FDP_OK);
		ck_assert(!secret_equal(&prs[i], &psk[i]));
		for (size_t k = 0; k < i; k++) {
			ck_assert(!secret_equal(&prs[i], &prs[k]));
			ck_assert(!secret_equal(&psk[i], &psk[k]));
		}
	}
	json_destroy(file);
}
END_TEST

START_TEST(seed_formula_gives_known_answer)
{
	struct json *file = vectors_load("seed_literal_session_key.json");
	const struct json *bad =
		vector_member(file, "must_be_refused_public_keys");
	const char *password = vector_string(file, "password_ascii");
	struct span text = span_of(password, strlen(password));
	struct secret secret, key, want;
	uint8_t pub[32];

	vector_fixed(file, "a_secret", secret.b, sizeof secret.b);
	vector_fixed(file, "b_public", pub, sizeof pub);
	vector_fixed(file, "session_key", want.b, sizeof want.b);
	ck_assert_int_eq(kdf_seed_session_key(&secret, pub, text, &key),
			 FDP_OK);
	ck_assert(secret_equal(&key, &want));

	for (size_t i = 0; i < vector_count(bad); i++) {
		struct vector_bytes low;

		vector_from_hex(json_string(vector_at(bad, i)), &low);
		ck_assert_uint_eq(low.size, 32);
		ck_assert_int_eq(
			kdf_seed_session_key(&secret, low.b, text, &key),
			ERR_BAD_POINT);
		/* The output is written only on success. */
		ck_assert(secret_equal(&key, &want));
	}
	json_destroy(file);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kdf");
	TCase *tc = tcase_create("kdf");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, hmac_wycheproof_vectors);
	tcase_add_test(tc, hkdf_rfc5869_vectors);
	tcase_add_test(tc, hkdf_wycheproof_vectors);
	tcase_add_test(tc, label_is_expansion_of_label_and_context);
	tcase_add_test(tc, stretching_depends_on_password_and_cluster);
	tcase_add_test(tc, seed_formula_gives_known_answer);
	suite_add_tcase(suite, tc);
	return vectors_main(suite);
}
