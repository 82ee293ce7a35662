/* Official vectors of the primitives that fdp builds on, as the linked
 * libsodium computes them: what we assume of it, checked where it runs. */
#include "vectors.h"

#include "crypto/aead.h"

START_TEST(x25519_rfc7748_vectors)
{
	struct json *file = vectors_load("rfc7748_x25519.json");
	const struct json *mults = vector_member(file, "scalarmult");
	const struct json *dh = vector_member(file, "dh");
	const struct json *iterated = vector_member(file, "iterated");
	uint8_t a[32], b[32], pub[32], k[32], u[32], out[32], want[32];

	for (size_t i = 0; i < vector_count(mults); i++) {
		const struct json *c = vector_at(mults, i);

		vector_fixed(c, "k", k, sizeof k);
		vector_fixed(c, "u", u, sizeof u);
		vector_fixed(c, "out", want, sizeof want);
		ck_assert_int_eq(crypto_scalarmult(out, k, u), 0);
		ck_assert_mem_eq(out, want, sizeof want);
	}

	vector_fixed(dh, "a", a, sizeof a);
	vector_fixed(dh, "b", b, sizeof b);
	vector_fixed(dh, "A", want, sizeof want);
	ck_assert_int_eq(crypto_scalarmult_base(pub, a), 0);
	ck_assert_mem_eq(pub, want, sizeof want);
	vector_fixed(dh, "B", want, sizeof want);
	ck_assert_int_eq(crypto_scalarmult(out, a, want), 0);
	vector_fixed(dh, "K", want, sizeof want);
	ck_assert_mem_eq(out, want, sizeof want);
	ck_assert_int_eq(crypto_scalarmult(out, b, pub), 0);
	ck_assert_mem_eq(out, want, sizeof want);

	vector_fixed(iterated, "start_k_and_u", k, sizeof k);
	memcpy(u, k, sizeof u);
	for (int i = 1; i <= 1000; i++) {
		ck_assert_int_eq(crypto_scalarmult(out, k, u), 0);
		memcpy(u, k, sizeof u);
		memcpy(k, out, sizeof k);
		if (i == 1) {
			vector_fixed(iterated, "after_1", want, sizeof want);
			ck_assert_mem_eq(k, want, sizeof want);
		}
	}
	vector_fixed(iterated, "after_1000", want, sizeof want);
	ck_assert_mem_eq(k, want, sizeof want);
	json_destroy(file);
}
END_TEST

/* All-zero results come from points of low order and must be refused. */
START_TEST(x25519_wycheproof_vectors)
{
	static const uint8_t zero[32];
	struct json *file = vectors_load("wycheproof_x25519.json");
	const struct json *groups = vector_member(file, "testGroups");
	size_t equal = 0, refused = 0;

	for (size_t g = 0; g < vector_count(groups); g++) {
		const struct json *tests =
			vector_member(vector_at(groups, g), "tests");

		for (size_t i = 0; i < vector_count(tests); i++) {
			const struct json *c = vector_at(tests, i);
			uint8_t pub[32], sec[32], want[32], out[32];
			int error;

			vector_fixed(c, "public", pub, sizeof pub);
			vector_fixed(c, "private", sec, sizeof sec);
			vector_fixed(c, "shared", want, sizeof want);
			error = crypto_scalarmult(out, sec, pub);
			if (!memcmp(want, zero, sizeof want)) {
				ck_assert_int_eq(error, -1);
				refused++;
			} else {
				ck_assert_int_eq(error, 0);
				ck_assert_mem_eq(out, want, sizeof want);
				equal++;
			}
		}
	}
	ck_assert_uint_eq(equal, 487);
	ck_assert_uint_eq(refused, 31);
	json_destroy(file);
}
END_TEST

START_TEST(ristretto255_rfc9496_vectors)
{
	static const uint8_t one[32] = {1};
	struct json *file = vectors_load("rfc9496_ristretto255.json");
	const struct json *list = vector_member(file, "invalid_encodings");
	struct vector_bytes v;
	uint8_t out[32], want[32], k[32] = {0};

	for (size_t i = 0; i < vector_count(list); i++) {
		vector_from_hex(json_string(vector_at(list, i)), &v);
		ck_assert_uint_eq(v.size, 32);
		ck_assert_int_eq(crypto_scalarmult_ristretto255(out, one, v.b),
				 -1);
	}
	ck_assert_uint_eq(vector_count(list), 30);

	list = vector_member(file, "element_derivation");
	for (size_t i = 0; i < vector_count(list); i++) {
		vector_hex(vector_at(list, i), "uniform64", &v);
		ck_assert_uint_eq(v.size, 64);
		vector_fixed(vector_at(list, i), "element", want, sizeof want);
		crypto_core_ristretto255_from_hash(out, v.b);
		ck_assert_mem_eq(out, want, sizeof want);
	}
	ck_assert_uint_eq(vector_count(list), 7);

	list = vector_member(file, "base_multiples");
	for (size_t i = 1; i < vector_count(list); i++) {
		k[0] = (uint8_t)i;
		vector_from_hex(json_string(vector_at(list, i)), &v);
		ck_assert_int_eq(crypto_scalarmult_ristretto255_base(out, k),
				 0);
		ck_assert_bytes_eq(vector_span(&v), out, sizeof out);
	}
	ck_assert_uint_eq(vector_count(list), 16);
	/* The identity is a valid encoding; only multiplying refuses it. */
	vector_from_hex(json_string(vector_at(list, 0)), &v);
	ck_assert_int_eq(crypto_core_ristretto255_is_valid_point(v.b), 1);
	ck_assert_int_eq(crypto_scalarmult_ristretto255(out, one, v.b), -1);
	json_destroy(file);
}
END_TEST

START_TEST(argon2id_vectors)
{
	struct json *file = vectors_load("argon2id_libsodium.json");
	const struct json *cases = vector_member(file, "cases");

	for (size_t i = 0; i < vector_count(cases); i++) {
		const struct json *c = vector_at(cases, i);
		struct vector_bytes passwd, salt, want;
		uint8_t out[1024];
		size_t size = (size_t)vector_integer(c, "outlen");
		int error;

		ck_assert_uint_le(size, sizeof out);
		vector_hex(c, "passwd", &passwd);
		vector_hex(c, "salt", &salt);
		ck_assert_uint_ge(salt.size, crypto_pwhash_SALTBYTES);
		error = crypto_pwhash(
			out, size, (const char *)passwd.b, passwd.size, salt.b,
			(unsigned long long)vector_integer(c, "opslimit"),
			(size_t)vector_integer(c, "memlimit"),
			crypto_pwhash_ALG_ARGON2ID13);
		if (vector_member(c, "out")->type == JSON_NULL) {
			ck_assert_int_eq(error, -1);
		} else {
			vector_hex(c, "out", &want);
			ck_assert_int_eq(error, 0);
			ck_assert_bytes_eq(vector_span(&want), out, size);
		}
	}
	json_destroy(file);
}
END_TEST

START_TEST(secretbox_nacl_vectors)
{
	struct json *file =
		vectors_load("nacl_secretbox_xsalsa20poly1305.json");
	const struct json *cases = vector_member(file, "cases");

	for (size_t i = 0; i < vector_count(cases); i++) {
		const struct json *c = vector_at(cases, i);
		uint8_t key[32], nonce[24], out[1024];
		struct vector_bytes message, box;

		vector_fixed(c, "key", key, sizeof key);
		vector_fixed(c, "nonce", nonce, sizeof nonce);
		vector_hex(c, "message", &message);
		vector_hex(c, "box", &box);
		crypto_secretbox_easy(out, message.b, message.size, nonce, key);
		ck_assert_bytes_eq(vector_span(&box), out,
				   message.size + AEAD_TAG_BYTES);
		ck_assert_int_eq(crypto_secretbox_open_easy(
					 out, box.b, box.size, nonce, key),
				 0);
		ck_assert_mem_eq(out, message.b, message.size);
	}
	json_destroy(file);
}
END_TEST

/* AES-256-GCM is the kernel's work, not ours; here only the reading of the
 * vectors is held against a second implementation, where the processor has
 * one.  Returns false (and says so) where it has not. */
static bool have_aes256gcm(const char *what)
{
	ck_assert_int_ge(sodium_init(), 0);
	if (!crypto_aead_aes256gcm_is_available()) {
		printf("SKIPPED: %s: no AES-256-GCM in libsodium on this "
		       "processor\n",
		       what);
		return false;
	}
	return true;
}

struct gcm {
	struct vector_bytes key, iv, aad, plain, cipher, tag;
};

/* Does 'g' open, and is what is inside sealed to the same again? */
static bool gcm_agrees(const struct gcm *g)
{
	uint8_t sealed[2048], opened[2048];
	unsigned long long size;

	memcpy(sealed, g->cipher.b, g->cipher.size);
	memcpy(sealed + g->cipher.size, g->tag.b, g->tag.size);
	if (crypto_aead_aes256gcm_decrypt(
		    opened, &size, NULL, sealed, g->cipher.size + g->tag.size,
		    g->aad.b, g->aad.size, g->iv.b, g->key.b)) {
		return false;
	}
	ck_assert_bytes_eq(vector_span(&g->plain), opened, size);
	crypto_aead_aes256gcm_encrypt(sealed, &size, g->plain.b, g->plain.size,
				      g->aad.b, g->aad.size, NULL, g->iv.b,
				      g->key.b);
	ck_assert_mem_eq(sealed, g->cipher.b, g->cipher.size);
	ck_assert_mem_eq(sealed + g->cipher.size, g->tag.b, g->tag.size);
	return true;
}

/* ESP as RFC 4106 has it: nonce = salt || IV, AAD = SPI || sequence, 64 bits of
 * it with ESN. */
START_TEST(esp_gcm_mcgrew_vectors)
{
	struct json *file = vectors_load("esp_aes_gcm_mcgrew.json");
	const struct json *cases = vector_member(file, "cases");
	size_t checked = 0, skipped = 0;

	if (!have_aes256gcm("ESP vectors")) {
		json_destroy(file);
		return;
	}
	for (size_t i = 0; i < vector_count(cases); i++) {
		const struct json *c = vector_at(cases, i);
		struct vector_bytes salt, iv, spi, seq;
		struct gcm g;

		vector_hex(c, "key", &g.key);
		vector_hex(c, "salt", &salt);
		vector_hex(c, "iv", &iv);
		vector_hex(c, "spi", &spi);
		vector_hex(c, "seq", &seq);
		vector_hex(c, "aad", &g.aad);
		vector_hex(c, "plaintext_with_esp_trailer", &g.plain);
		vector_hex(c, "ciphertext", &g.cipher);
		vector_hex(c, "icv", &g.tag);

		ck_assert_uint_eq(salt.size, 4);
		ck_assert_uint_eq(iv.size, 8);
		memcpy(g.iv.b, salt.b, 4);
		memcpy(g.iv.b + 4, iv.b, 8);
		ck_assert_uint_eq(g.aad.size, spi.size + seq.size);
		ck_assert_mem_eq(g.aad.b, spi.b, spi.size);
		ck_assert_mem_eq(g.aad.b + spi.size, seq.b, seq.size);
		if (g.key.size != crypto_aead_aes256gcm_KEYBYTES) {
			skipped++;
			continue;
		}
		ck_assert(gcm_agrees(&g));
		g.aad.b[g.aad.size - 1] ^= 1;
		ck_assert(!gcm_agrees(&g));
		checked++;
	}
	printf("SKIPPED: %zu of %zu ESP vectors: not 256-bit keys\n", skipped,
	       checked + skipped);
	ck_assert_uint_eq(checked, 4);
	json_destroy(file);
}
END_TEST

START_TEST(aes256gcm_nist_vectors)
{
	struct json *file = vectors_load("nist_cavp_gcm256_iv96_tag128.json");
	const struct json *cases = vector_member(file, "cases");

	if (!have_aes256gcm("NIST vectors")) {
		json_destroy(file);
		return;
	}
	for (size_t i = 0; i < vector_count(cases); i++) {
		const struct json *c = vector_at(cases, i);
		struct gcm g;

		vector_hex(c, "key", &g.key);
		vector_hex(c, "iv", &g.iv);
		vector_hex(c, "aad", &g.aad);
		vector_hex(c, "pt", &g.plain);
		vector_hex(c, "ct", &g.cipher);
		vector_hex(c, "tag", &g.tag);
		ck_assert(gcm_agrees(&g));
	}
	ck_assert_uint_eq(vector_count(cases), 100);
	json_destroy(file);
}
END_TEST

START_TEST(aes256gcm_wycheproof_vectors)
{
	struct json *file = vectors_load("wycheproof_aes_gcm.json");
	const struct json *groups = vector_member(file, "testGroups");
	size_t checked = 0;

	if (!have_aes256gcm("Wycheproof AES-GCM vectors")) {
		json_destroy(file);
		return;
	}
	for (size_t n = 0; n < vector_count(groups); n++) {
		const struct json *tests =
			vector_member(vector_at(groups, n), "tests");

		for (size_t i = 0; i < vector_count(tests); i++) {
			const struct json *c = vector_at(tests, i);
			struct gcm g;

			vector_hex(c, "key", &g.key);
			vector_hex(c, "iv", &g.iv);
			vector_hex(c, "aad", &g.aad);
			vector_hex(c, "msg", &g.plain);
			vector_hex(c, "ct", &g.cipher);
			vector_hex(c, "tag", &g.tag);
			ck_assert(gcm_agrees(&g) ==
				  !strcmp(vector_string(c, "result"), "valid"));
			checked++;
		}
	}
	ck_assert_uint_eq(checked, 66);
	json_destroy(file);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vectors");
	TCase *tc = tcase_create("libsodium");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, x25519_rfc7748_vectors);
	tcase_add_test(tc, x25519_wycheproof_vectors);
	tcase_add_test(tc, ristretto255_rfc9496_vectors);
	tcase_add_test(tc, argon2id_vectors);
	tcase_add_test(tc, secretbox_nacl_vectors);
	tcase_add_test(tc, esp_gcm_mcgrew_vectors);
	tcase_add_test(tc, aes256gcm_nist_vectors);
	tcase_add_test(tc, aes256gcm_wycheproof_vectors);
	suite_add_tcase(suite, tc);
	return vectors_main(suite);
}
