#include "crypto/cipher.h"

#include "crypto/cipher_backend.h"
#include "vectors.h"

enum {
	RANDOM_MAX = 9000,
	GCM_NONCE_BYTES = 12
};

static uint32_t x = 12345;

static uint8_t random_byte(void)
{
	x = x * 1664525 + 1013904223;
	return (uint8_t)(x >> 24);
}

static void random_bytes(uint8_t *to, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		to[i] = random_byte();
	}
}

/* A key of one backend, in both directions. */
struct ready {
	const struct cipher_backend *backend;
	void *library, *seal, *open;
};

static bool ready_init(struct ready *r, const struct cipher_backend *b,
		       const struct secret *secret)
{
	r->backend = b;
	r->library = b->library_new();
	if (!r->library) {
		return false;
	}
	r->seal = b->key_new(r->library, CIPHER_SEAL, secret, 2);
	r->open = b->key_new(r->library, CIPHER_OPEN, secret, 2);
	ck_assert(r->seal && r->open);
	return true;
}

static void ready_done(struct ready *r)
{
	r->backend->key_free(r->seal);
	r->backend->key_free(r->open);
	r->backend->library_free(r->library);
}

/* One vector through one backend, both ways. */
static void check_vector(const struct cipher_backend *b,
			 const struct vector_bytes *key, const uint8_t *nonce,
			 struct span aad, struct span plain, struct span sealed,
			 const uint8_t *tag, bool valid)
{
	uint8_t text[VECTOR_MAX_BYTES], got[CIPHER_TAG_BYTES];
	struct cipher_message m = {nonce, aad, text, plain.size};
	struct secret secret;
	struct ready r;

	ck_assert_uint_eq(key->size, sizeof secret.b);
	memcpy(secret.b, key->b, sizeof secret.b);
	if (!ready_init(&r, b, &secret)) {
		return;
	}
	if (valid) {
		memcpy(text, plain.data, plain.size);
		b->seal(r.seal, 1, &m, got);
		ck_assert_bytes_eq(sealed, text, plain.size);
		ck_assert_mem_eq(got, tag, sizeof got);
	}
	memcpy(text, sealed.data, sealed.size);
	ck_assert(b->open(r.open, 1, &m, tag) == valid);
	if (valid) {
		ck_assert_bytes_eq(plain, text, plain.size);
	}
	ready_done(&r);
}

static void check_gcm(const struct json *c, const char *iv, const char *plain,
		      bool valid)
{
	static struct vector_bytes key, nonce, aad, text, sealed, tag;

	vector_hex(c, "key", &key);
	vector_hex(c, iv, &nonce);
	vector_hex(c, "aad", &aad);
	vector_hex(c, plain, &text);
	vector_hex(c, "ct", &sealed);
	vector_hex(c, "tag", &tag);
	ck_assert_uint_eq(nonce.size, GCM_NONCE_BYTES);
	ck_assert_uint_eq(tag.size, CIPHER_TAG_BYTES);
	for (size_t i = 0; cipher_backends[i]; i++) {
		if (cipher_backends[i]->cipher == CIPHER_AES_256_GCM) {
			check_vector(cipher_backends[i], &key, nonce.b,
				     vector_span(&aad), vector_span(&text),
				     vector_span(&sealed), tag.b, valid);
		}
	}
}

START_TEST(nist_vectors_hold_in_every_backend)
{
	struct json *file = vectors_load("nist_cavp_gcm256_iv96_tag128.json");
	const struct json *cases = vector_member(file, "cases");

	for (size_t i = 0; i < vector_count(cases); i++) {
		check_gcm(vector_at(cases, i), "iv", "pt", true);
	}
	ck_assert_uint_eq(vector_count(cases), 100);
	json_destroy(file);
}
END_TEST

START_TEST(wycheproof_vectors_hold_in_every_backend)
{
	struct json *file = vectors_load("wycheproof_aes_gcm.json");
	const struct json *groups = vector_member(file, "testGroups");
	size_t n = 0;

	for (size_t i = 0; i < vector_count(groups); i++) {
		const struct json *tests =
			vector_member(vector_at(groups, i), "tests");

		for (size_t k = 0; k < vector_count(tests); k++, n++) {
			const struct json *c = vector_at(tests, k);

			check_gcm(c, "iv", "msg",
				  !strcmp(vector_string(c, "result"), "valid"));
		}
	}
	ck_assert_uint_eq(n, 66);
	json_destroy(file);
}
END_TEST

START_TEST(nacl_vector_holds)
{
	struct json *file =
		vectors_load("nacl_secretbox_xsalsa20poly1305.json");
	const struct json *cases = vector_member(file, "cases");
	static struct vector_bytes key, nonce, message, box;
	struct span sealed;

	for (size_t i = 0; i < vector_count(cases); i++) {
		const struct json *c = vector_at(cases, i);

		vector_hex(c, "key", &key);
		vector_hex(c, "nonce", &nonce);
		vector_hex(c, "message", &message);
		vector_hex(c, "box", &box);
		ck_assert_uint_eq(nonce.size, AEAD_NONCE_BYTES);
		ck_assert_uint_eq(box.size, message.size + CIPHER_TAG_BYTES);
		sealed = span_of(box.b + CIPHER_TAG_BYTES, message.size);
		for (size_t k = 0; cipher_backends[k]; k++) {
			if (cipher_backends[k]->cipher ==
			    CIPHER_XSALSA20_POLY1305) {
				check_vector(cipher_backends[k], &key, nonce.b,
					     span_of(NULL, 0),
					     vector_span(&message), sealed,
					     box.b, true);
			}
		}
	}
	json_destroy(file);
}
END_TEST

START_TEST(backends_agree_about_any_length)
{
	enum cipher ciphers[] = {CIPHER_XSALSA20_POLY1305, CIPHER_AES_256_GCM};
	uint8_t plain[RANDOM_MAX], want[RANDOM_MAX], text[RANDOM_MAX];
	uint8_t nonce[AEAD_NONCE_BYTES], aad[20];
	uint8_t want_tag[CIPHER_TAG_BYTES], tag[CIPHER_TAG_BYTES];
	struct ready r[8];
	struct secret secret;

	for (size_t c = 0; c < 2; c++) {
		size_t n = 0;

		random_bytes(secret.b, sizeof secret.b);
		for (size_t i = 0; cipher_backends[i]; i++) {
			if (cipher_backends[i]->cipher == ciphers[c] &&
			    ready_init(&r[n], cipher_backends[i], &secret)) {
				n++;
			}
		}
		for (size_t round = 0; n && round < 700; round++) {
			size_t size = round < 300
					      ? round
					      : ((size_t)random_byte() << 8 |
						 random_byte()) %
							(RANDOM_MAX + 1);
			struct span with =
				span_of(aad, ciphers[c] == CIPHER_AES_256_GCM
						     ? round % sizeof aad
						     : 0);
			struct cipher_message m = {nonce, with, want, size};

			random_bytes(plain, size);
			random_bytes(nonce, sizeof nonce);
			random_bytes(aad, sizeof aad);
			memcpy(want, plain, size);
			r[0].backend->seal(r[0].seal, 0, &m, want_tag);
			m.text = text;
			for (size_t i = 0; i < n; i++) {
				memcpy(text, plain, size);
				r[i].backend->seal(r[i].seal, round % 2, &m,
						   tag);
				ck_assert_mem_eq(text, want, size);
				ck_assert_mem_eq(tag, want_tag, sizeof tag);
				ck_assert(r[i].backend->open(r[i].open, 0, &m,
							     tag));
				ck_assert_mem_eq(text, plain, size);
			}
		}
		for (size_t i = 0; i < n; i++) {
			ready_done(&r[i]);
		}
	}
}
END_TEST

/* One datagram: header, text, tag. */
struct box {
	struct aead_nonce nonce;
	uint8_t b[CIPHER_HEADER_BYTES + 50 + CIPHER_TAG_BYTES];
};

static enum err box_open(const struct cipher_key *key, const struct box *box)
{
	struct box copy = *box;

	return cipher_open(key, 0, &box->nonce, copy.b,
			   copy.b + CIPHER_HEADER_BYTES, 50,
			   copy.b + CIPHER_HEADER_BYTES + 50);
}

static void check_box(struct cipher_suite *suite, enum cipher cipher)
{
	struct box box = {.nonce = {true, false, 7, 0x0102030405060708}};
	struct aead_nonce good = box.nonce;
	struct aead_nonce bad[] = {
		{false, false, 7, 0x0102030405060708},
		{true, false, 8, 0x0102030405060708},
		{true, false, 7, 0x0102030405060709},
	};
	struct secret secret = {{1, 2, 3}};
	struct cipher_key *seal, *open;

	ck_assert_int_eq(
		cipher_key_new(suite, cipher, CIPHER_SEAL, &secret, 1, &seal),
		FDP_OK);
	ck_assert_int_eq(
		cipher_key_new(suite, cipher, CIPHER_OPEN, &secret, 1, &open),
		FDP_OK);
	ck_assert_int_eq(cipher_key_cipher(seal), cipher);
	ck_assert(cipher_key_proves(open));
	random_bytes(box.b, sizeof box.b);
	cipher_seal(seal, 0, &box.nonce, box.b, box.b + CIPHER_HEADER_BYTES, 50,
		    box.b + CIPHER_HEADER_BYTES + 50);
	ck_assert_int_eq(box_open(open, &box), FDP_OK);
	for (size_t i = 0; i < sizeof box.b; i++) {
		if (cipher == CIPHER_XSALSA20_POLY1305 && i >= 8 &&
		    i < CIPHER_HEADER_BYTES) {
			continue; /* The sequence number: in the nonce. */
		}
		for (unsigned int bit = 0; bit < 8; bit++) {
			box.b[i] ^= (uint8_t)(1u << bit);
			ck_assert_int_eq(box_open(open, &box), ERR_AUTH);
			box.b[i] ^= (uint8_t)(1u << bit);
		}
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		box.nonce = bad[i];
		ck_assert_int_eq(box_open(open, &box), ERR_AUTH);
	}
	box.nonce = good;
	ck_assert_int_eq(box_open(open, &box), FDP_OK);
	cipher_key_free(open);
	secret.b[31] ^= 1;
	ck_assert_int_eq(
		cipher_key_new(suite, cipher, CIPHER_OPEN, &secret, 1, &open),
		FDP_OK);
	ck_assert_int_eq(box_open(open, &box), ERR_AUTH);
	cipher_key_free(open);
	cipher_key_free(seal);
}

START_TEST(anything_changed_is_refused_by_every_backend)
{
	struct cipher_suite *suite = cipher_suite_new();
	const char *name;

	for (enum cipher c = CIPHER_XSALSA20_POLY1305; c <= CIPHER_AES_256_GCM;
	     c++) {
		ck_assert_pstr_eq(cipher_suite_backend(suite, c),
				  cipher_suite_candidate(suite, c, 0));
		for (size_t i = 0; (name = cipher_suite_candidate(suite, c, i));
		     i++) {
			ck_assert_int_eq(cipher_suite_choose(suite, c, name),
					 FDP_OK);
			ck_assert_str_eq(cipher_suite_backend(suite, c), name);
			check_box(suite, c);
		}
	}
	ck_assert(cipher_suite_backend(suite, CIPHER_XSALSA20_POLY1305));
	ck_assert_int_eq(
		cipher_suite_choose(suite, CIPHER_AES_256_GCM, "rot13"),
		ERR_UNSUPPORTED);
	cipher_suite_free(suite);
}
END_TEST

/* The nonces of docs/PROTOCOL.md: made by hand, opened by the real thing. */
START_TEST(nonces_are_as_specified)
{
	static const uint8_t header[CIPHER_HEADER_BYTES] = {
		4, 0, 0, 0, 0xaa, 0xbb, 0xcc, 0xdd};
	static const struct {
		enum cipher cipher;
		struct aead_nonce nonce;
		const char *hex;
	} table[] = {
		{CIPHER_AES_256_GCM,
		 {true, false, 0x01020304, 0x05060708090a0b0c},
		 "8102030405060708090a0b0c"},
		{CIPHER_AES_256_GCM,
		 {false, false, UINT32_MAX, 1},
		 "7fffffff0000000000000001"},
		{CIPHER_XSALSA20_POLY1305,
		 {true, false, 0x01020304, 0x05060708090a0b0c},
		 "8000000004000000aabbccdd0102030405060708090a0b0c"},
		{CIPHER_XSALSA20_POLY1305,
		 {false, false, UINT32_MAX, 1},
		 "0000000004000000aabbccddffffffff0000000000000001"},
	};
	struct cipher_suite *suite = cipher_suite_new();
	struct secret secret = {{9}};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		bool gcm = table[i].cipher == CIPHER_AES_256_GCM;
		const struct cipher_backend *b =
			gcm ? &cipher_openssl_gcm : &cipher_sodium_xsalsa;
		uint8_t text[] = "text", tag[CIPHER_TAG_BYTES];
		static struct vector_bytes nonce;
		struct cipher_message m = {nonce.b, {NULL, 0}, text, 4};
		struct cipher_key *open;
		struct ready r;

		if (!ready_init(&r, b, &secret)) {
			continue;
		}
		if (gcm) {
			m.aad = span_of(header, sizeof header);
		}
		vector_from_hex(table[i].hex, &nonce);
		b->seal(r.seal, 0, &m, tag);
		ck_assert_mem_ne(text, "text", 4);
		ck_assert_int_eq(cipher_key_new(suite, table[i].cipher,
						CIPHER_OPEN, &secret, 1, &open),
				 FDP_OK);
		ck_assert_int_eq(cipher_open(open, 0, &table[i].nonce, header,
					     text, 4, tag),
				 FDP_OK);
		ck_assert_mem_eq(text, "text", 4);
		cipher_key_free(open);
		ready_done(&r);
	}
	cipher_suite_free(suite);
}
END_TEST

START_TEST(no_cipher_is_had_on_purpose_only)
{
	const struct aead_nonce nonce = {.seq = 1};
	struct cipher_suite *suite = cipher_suite_new();
	uint8_t header[CIPHER_HEADER_BYTES] = {4}, text[] = "text";
	uint8_t tag[CIPHER_TAG_BYTES];
	struct secret secret = {{9}};
	struct cipher_key *key = NULL;

	ck_assert_int_eq(cipher_key_new(suite, CIPHER_NONE, CIPHER_SEAL,
					&secret, 1, &key),
			 ERR_UNSUPPORTED);
	ck_assert_int_eq(cipher_key_new(suite, (enum cipher)3, CIPHER_SEAL,
					&secret, 1, &key),
			 ERR_UNSUPPORTED);
	ck_assert_ptr_null(key);
	ck_assert_ptr_null(cipher_suite_backend(suite, CIPHER_NONE));
	ck_assert_ptr_null(cipher_suite_backend(suite, (enum cipher)3));

	key = cipher_key_new_plain();
	ck_assert_int_eq(cipher_key_cipher(key), CIPHER_NONE);
	ck_assert(!cipher_key_proves(key));
	cipher_seal(key, 0, &nonce, header, text, 4, tag);
	ck_assert_str_eq((const char *)text, "text");
	ck_assert_int_eq(cipher_open(key, 0, &nonce, header, text, 4, tag),
			 FDP_OK);
	/* A sealed datagram is no plain one. */
	tag[15] = 1;
	ck_assert_int_eq(cipher_open(key, 0, &nonce, header, text, 4, tag),
			 ERR_AUTH);
	cipher_key_free(key);
	cipher_suite_free(suite);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cipher");
	TCase *tc = tcase_create("cipher");

	/* Else libsodium does not know the processor. */
	if (sodium_init() < 0) {
		return EXIT_FAILURE;
	}
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, nist_vectors_hold_in_every_backend);
	tcase_add_test(tc, wycheproof_vectors_hold_in_every_backend);
	tcase_add_test(tc, nacl_vector_holds);
	tcase_add_test(tc, backends_agree_about_any_length);
	tcase_add_test(tc, anything_changed_is_refused_by_every_backend);
	tcase_add_test(tc, nonces_are_as_specified);
	tcase_add_test(tc, no_cipher_is_had_on_purpose_only);
	suite_add_tcase(suite, tc);
	return vectors_main(suite);
}
