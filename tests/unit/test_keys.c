/* Separation of keys: no two uses share one, and every input counts. */
#include "session/keys.h"

#include "vectors.h"

#include "crypto/kdf.h"

enum {
	MAX_KEYS = 64
};

/* All keys made so far; each new one must differ from all of them. */
struct seen {
	size_t n;
	uint8_t key[MAX_KEYS][SECRET_SIZE];
};

static void expect_new(struct seen *seen, const uint8_t key[SECRET_SIZE])
{
	ck_assert_uint_lt(seen->n, MAX_KEYS);
	for (size_t i = 0; i < seen->n; i++) {
		ck_assert_mem_ne(seen->key[i], key, SECRET_SIZE);
	}
	memcpy(seen->key[seen->n++], key, SECRET_SIZE);
}

static struct esp_key_params params(void)
{
	const uint8_t v4[4] = {192, 0, 2, 1}, v4b[4] = {192, 0, 2, 2};
	struct esp_key_params p = {
		.direction = KEY_I2R,
		.spi = 0x01020304,
		.src_ip = ip_from_v4(v4),
		.dst_ip = ip_from_v4(v4b),
	};

	memset(p.salt, 5, sizeof p.salt);
	memset(p.src_id.b, 6, sizeof p.src_id.b);
	memset(p.dst_id.b, 7, sizeof p.dst_id.b);
	return p;
}

static void expect_new_esp(struct seen *seen, const struct secret *esp,
			   const struct esp_key_params *p)
{
	struct esp_keymat k;

	esp_key(esp, p, &k);
	expect_new(seen, k.b);
	/* The salt differs as well, or RFC 4106's nonces would be close. */
	expect_new(seen, k.b + ESP_KEYMAT_BYTES - SECRET_SIZE);
	esp_keymat_wipe(&k);
	ck_assert(sodium_is_zero(k.b, sizeof k.b));
}

START_TEST(all_keys_of_a_session_differ)
{
	static const char *const labels[] = {KEY_LABEL_TCP_I2R,
					     KEY_LABEL_TCP_R2I, KEY_LABEL_ESP,
					     KEY_LABEL_CHAIN, "fdp1 export"};
	struct esp_key_params p = params();
	struct seen seen = {.n = 0};
	struct secret s1, out;

	memset(s1.b, 1, sizeof s1.b);
	expect_new(&seen, s1.b);
	for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
		session_export(&s1, labels[i], &out);
		expect_new(&seen, out.b);
	}
	for (uint32_t epoch = 0; epoch < 3; epoch++) {
		sleeve_key(&s1, epoch, KEY_I2R, &out);
		expect_new(&seen, out.b);
		sleeve_key(&s1, epoch, KEY_R2I, &out);
		expect_new(&seen, out.b);
	}
	session_export(&s1, KEY_LABEL_ESP, &out);
	expect_new_esp(&seen, &out, &p);

	/* And none of them recurs in another session. */
	memset(s1.b, 2, sizeof s1.b);
	for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
		session_export(&s1, labels[i], &out);
		expect_new(&seen, out.b);
	}
	session_export(&s1, KEY_LABEL_ESP, &out);
	expect_new_esp(&seen, &out, &p);
}
END_TEST

START_TEST(every_input_of_an_esp_key_counts)
{
	struct secret esp = {{9}};
	struct esp_key_params p = params(), q;
	struct seen seen = {.n = 0};

	expect_new_esp(&seen, &esp, &p);
	q = p;
	q.salt[31] ^= 1;
	expect_new_esp(&seen, &esp, &q);
	q = p;
	q.direction = KEY_R2I;
	expect_new_esp(&seen, &esp, &q);
	q = p;
	q.spi ^= 1;
	expect_new_esp(&seen, &esp, &q);
	q = p;
	q.spi = 0x04030201;
	expect_new_esp(&seen, &esp, &q);
	q = p;
	q.src_id = p.dst_id;
	q.dst_id = p.src_id;
	expect_new_esp(&seen, &esp, &q);
	q = p;
	q.src_ip = p.dst_ip;
	q.dst_ip = p.src_ip;
	expect_new_esp(&seen, &esp, &q);
	q = p;
	q.src_id.b[15] ^= 1;
	expect_new_esp(&seen, &esp, &q);
	q = p;
	q.dst_id.b[0] ^= 1;
	expect_new_esp(&seen, &esp, &q);
	q = p;
	q.src_ip.b[15] ^= 1;
	expect_new_esp(&seen, &esp, &q);
	q = p;
	q.dst_ip.b[0] ^= 1;
	expect_new_esp(&seen, &esp, &q);
	/* What the other direction of the same pair uses. */
	q = p;
	q.direction = KEY_R2I;
	q.src_id = p.dst_id;
	q.dst_id = p.src_id;
	q.src_ip = p.dst_ip;
	q.dst_ip = p.src_ip;
	expect_new_esp(&seen, &esp, &q);
	esp.b[31] ^= 1;
	expect_new_esp(&seen, &esp, &p);
}
END_TEST

/* The derivation, from the specification: info byte by byte. */
START_TEST(esp_key_is_as_specified)
{
	struct esp_key_params p = params();
	struct wbuf info = WBUF_INITIALIZER(0);
	struct secret esp = {{9}}, prk;
	uint8_t want[ESP_KEYMAT_BYTES];
	struct esp_keymat got;

	p.direction = KEY_R2I;
	wbuf_bytes(&info, "esp\x01\x01\x02\x03\x04", 8);
	wbuf_bytes(&info, p.src_id.b, 16);
	wbuf_bytes(&info, p.dst_id.b, 16);
	wbuf_bytes(&info, p.src_ip.b, 16);
	wbuf_bytes(&info, p.dst_ip.b, 16);
	kdf_extract(span_of(p.salt, 32), span_of(esp.b, 32), &prk);
	ck_assert_int_eq(kdf_expand(span_of(prk.b, 32), wbuf_span(&info), want,
				    sizeof want),
			 FDP_OK);
	esp_key(&esp, &p, &got);
	ck_assert_mem_eq(got.b, want, sizeof want);
	wbuf_free(&info);
}
END_TEST

START_TEST(directions_of_both_roles_meet)
{
	ck_assert_int_eq(key_direction_tx(HS_INITIATOR),
			 key_direction_rx(HS_RESPONDER));
	ck_assert_int_eq(key_direction_rx(HS_INITIATOR),
			 key_direction_tx(HS_RESPONDER));
	ck_assert_int_ne(key_direction_tx(HS_INITIATOR),
			 key_direction_rx(HS_INITIATOR));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keys");
	TCase *tc = tcase_create("keys");

	tcase_add_test(tc, all_keys_of_a_session_differ);
	tcase_add_test(tc, every_input_of_an_esp_key_counts);
	tcase_add_test(tc, esp_key_is_as_specified);
	tcase_add_test(tc, directions_of_both_roles_meet);
	suite_add_tcase(suite, tc);
	return vectors_main(suite);
}
