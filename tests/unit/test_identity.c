#include "session/identity.h"

#include "vectors.h"

#include "session/tlv.h"

static struct identity sample(void)
{
	struct identity id = {
		.name = "host-1.example",
		.incarnation = 0x0102030405060708,
		.capabilities = CAPABILITY_FASTDP | CAPABILITY_ESP | 1u << 31,
		.vxlan_port = 6784,
		.mtu = 9000,
	};

	memset(id.id.b, 0xa5, sizeof id.id.b);
	return id;
}

static struct wbuf encoded(void)
{
	struct wbuf out = WBUF_INITIALIZER(IDENTITY_MAX_BYTES);
	struct identity id = sample();

	identity_encode(&id, &out);
	ck_assert_int_eq(wbuf_done(&out), FDP_OK);
	return out;
}

static void expect_sample(const struct identity *id)
{
	struct identity want = sample();

	ck_assert_str_eq(id->name, want.name);
	ck_assert(peer_id_equal(&id->id, &want.id));
	ck_assert_uint_eq(id->incarnation, want.incarnation);
	ck_assert_uint_eq(id->capabilities, want.capabilities);
	ck_assert_uint_eq(id->vxlan_port, want.vxlan_port);
	ck_assert_uint_eq(id->mtu, want.mtu);
}

START_TEST(identity_comes_back_as_sent)
{
	struct wbuf out = encoded();
	struct identity id;

	ck_assert_int_eq(identity_decode(wbuf_span(&out), &id), FDP_OK);
	expect_sample(&id);
	wbuf_free(&out);
}
END_TEST

START_TEST(wire_form_is_as_specified)
{
	static const uint8_t want[] = {
		0x80, 1,    0,	  14,	'h',  'o',  's',  't',	'-',  '1',
		'.',  'e',  'x',  'a',	'm',  'p',  'l',  'e',	0x80, 2,
		0,    16,   0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5,
		0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0x80, 3,
		0,    8,    1,	  2,	3,    4,    5,	  6,	7,    8,
		0,    4,    0,	  4,	0x80, 0,    0,	  5,	0,    5,
		0,    2,    0x1a, 0x80, 0,    6,    0,	  2,	0x23, 0x28};
	struct wbuf out = encoded();

	ck_assert_bytes_eq(wbuf_span(&out), want, sizeof want);
	wbuf_free(&out);
}
END_TEST

START_TEST(every_truncation_is_refused_or_lacks_optional_fields)
{
	struct wbuf out = encoded();
	struct identity id;

	for (size_t size = 0; size < out.size; size++) {
		enum err err = identity_decode(span_of(out.data, size), &id);
		/* Where capabilities, port and MTU begin. */
		bool whole = size == 50 || size == 58 || size == 64;

		ck_assert_msg(err == (whole ? FDP_OK
				      : size == 0 || size == 18 || size == 38
					      ? ERR_MALFORMED
					      : ERR_TRUNCATED),
			      "at %zu: %s", size, err_slug(err));
	}
	wbuf_free(&out);
}
END_TEST

START_TEST(added_fields_are_skipped_unless_critical)
{
	for (int critical = 0; critical < 2; critical++) {
		struct wbuf out = encoded();
		struct identity id;
		enum err err;

		out.max = 0;
		tlv_put(&out, 0x7fff, "later", 5);
		tlv_put(&out, 0x7fff, "twice", 5);
		if (critical) {
			tlv_put(&out, TLV_CRITICAL | 9, "must", 4);
		}
		err = identity_decode(wbuf_span(&out), &id);
		ck_assert_int_eq(err, critical ? ERR_UNKNOWN_CRITICAL : FDP_OK);
		if (!err) {
			expect_sample(&id);
		}
		wbuf_free(&out);
	}
}
END_TEST

/* Fields of the wrong form, each in place of the right one or beside it. */
static const struct {
	const char *what;
	uint16_t type;
	const char *value;
	size_t size;
	bool replace; /* Else added. */
	enum err err;
} nonsense[] = {
	{"name twice", 0x8001, "other", 5, false, ERR_MALFORMED},
	{"MTU twice", 6, "\5\334", 2, false, ERR_MALFORMED},
	{"name empty", 0x8001, "", 0, true, ERR_MALFORMED},
	{"name with a zero", 0x8001, "a\0b", 3, true, ERR_MALFORMED},
	{"name with a blank", 0x8001, "a b", 3, true, ERR_MALFORMED},
	{"name in UTF-8", 0x8001, "\xc3\xa4", 2, true, ERR_MALFORMED},
	{"name of 64", 0x8001,
	 "0123456789012345678901234567890123456789012345678901234567890123", 64,
	 true, ERR_OVERSIZED},
	{"id zero", 0x8002, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, true,
	 ERR_MALFORMED},
	{"id short", 0x8002, "0123456789abcde", 15, true, ERR_MALFORMED},
	{"id long", 0x8002, "0123456789abcdefg", 17, true, ERR_MALFORMED},
	{"incarnation short", 0x8003, "0123456", 7, true, ERR_MALFORMED},
	{"capabilities long", 4, "01234", 5, true, ERR_MALFORMED},
	{"port short", 5, "0", 1, true, ERR_MALFORMED},
	{"MTU empty", 6, "", 0, true, ERR_MALFORMED},
	{"key alone", 7, "01234567890123456789012345678901", 32, false,
	 ERR_MALFORMED},
	{"key short", 7, "0123456789012345678901234567890", 31, false,
	 ERR_MALFORMED},
	{"signature alone", 8,
	 "0123456789012345678901234567890123456789012345678901234567890123", 64,
	 false, ERR_MALFORMED},
	{"signature long", 8,
	 "01234567890123456789012345678901234567890123456789012345678901234",
	 65, false, ERR_MALFORMED},
};

START_TEST(nonsense_is_refused_as_in_table)
{
	struct wbuf good = encoded(), out = WBUF_INITIALIZER(0);
	struct span in = wbuf_span(&good);
	struct identity id;

	while (in.size) {
		struct span value;
		uint16_t type;

		ck_assert_int_eq(tlv_next(&in, &type, &value), FDP_OK);
		if (type != nonsense[_i].type || !nonsense[_i].replace) {
			tlv_put(&out, type, value.data, value.size);
		}
	}
	tlv_put(&out, nonsense[_i].type, nonsense[_i].value, nonsense[_i].size);
	ck_assert_msg(identity_decode(wbuf_span(&out), &id) == nonsense[_i].err,
		      "%s", nonsense[_i].what);
	wbuf_free(&good);
	wbuf_free(&out);
}
END_TEST

START_TEST(missing_field_is_refused_if_needed)
{
	for (uint16_t left_out = 1; left_out <= 6; left_out++) {
		struct wbuf good = encoded(), out = WBUF_INITIALIZER(0);
		struct span in = wbuf_span(&good);
		struct identity id;

		while (in.size) {
			struct span value;
			uint16_t type;

			ck_assert_int_eq(tlv_next(&in, &type, &value), FDP_OK);
			if ((type & 0xff) != left_out) {
				tlv_put(&out, type, value.data, value.size);
			}
		}
		ck_assert_int_eq(identity_decode(wbuf_span(&out), &id),
				 left_out <= 3 ? ERR_MALFORMED : FDP_OK);
		wbuf_free(&good);
		wbuf_free(&out);
	}
}
END_TEST

/* Type 1 without the critical bit is not the name, nor are 2 and 3 what they
 * look like. */
START_TEST(optional_namesake_is_no_substitute)
{
	for (size_t field = 1; field <= 3; field++) {
		struct wbuf out = encoded();
		struct identity id;
		size_t at = 0;

		for (size_t i = 1; i < field; i++) {
			at += 4u + out.data[at + 3];
		}
		ck_assert_uint_eq(out.data[at], 0x80);
		ck_assert_uint_eq(out.data[at + 1], field);
		out.data[at] = 0;
		ck_assert_int_eq(identity_decode(wbuf_span(&out), &id),
				 ERR_MALFORMED);
		wbuf_free(&out);
	}
}
END_TEST

START_TEST(oversized_identity_is_refused)
{
	struct wbuf out = encoded();
	struct identity id;

	out.max = 0;
	tlv_put(&out, 0x100, NULL, 0);
	out.data[out.size - 1] = (uint8_t)(IDENTITY_MAX_BYTES - out.size);
	out.data[out.size - 2] =
		(uint8_t)((IDENTITY_MAX_BYTES - out.size) >> 8);
	(void)wbuf_room(&out, IDENTITY_MAX_BYTES - out.size);
	ck_assert_int_eq(identity_decode(wbuf_span(&out), &id), FDP_OK);
	wbuf_u8(&out, 0);
	ck_assert_int_eq(identity_decode(wbuf_span(&out), &id), ERR_OVERSIZED);
	wbuf_free(&out);
}
END_TEST

START_TEST(longest_identity_fits_its_bound)
{
	struct wbuf out = WBUF_INITIALIZER(IDENTITY_MAX_BYTES);
	struct identity id = sample();

	memset(id.name, 'x', IDENTITY_NAME_SIZE - 1);
	identity_encode(&id, &out);
	ck_assert_int_eq(wbuf_done(&out), FDP_OK);
	wbuf_free(&out);
}
END_TEST

/* Signatures. */

static const uint8_t transcript[IDENTITY_HASH_BYTES] = {1, 2, 3};
static const struct identity_context as_initiator = {true, transcript};

static struct sign_pair sample_pair(void)
{
	const struct secret seed = {{42}};
	struct sign_pair pair;

	sign_pair_init(&pair, &seed);
	return pair;
}

static struct wbuf signed_sample(void)
{
	const struct sign_pair pair = sample_pair();
	struct wbuf out = encoded();

	identity_sign(&pair, &as_initiator, &out);
	return out;
}

START_TEST(signed_identity_comes_back_and_verifies)
{
	struct wbuf out = signed_sample();
	const struct sign_pair pair = sample_pair();
	struct identity id;

	ck_assert_int_eq(identity_decode(wbuf_span(&out), &id), FDP_OK);
	expect_sample(&id);
	ck_assert(id.has_key && sign_key_equal(&id.key, &pair.key));
	ck_assert_int_eq(identity_verify(wbuf_span(&out), &id, &as_initiator),
			 FDP_OK);
	wbuf_free(&out);
}
END_TEST

START_TEST(longest_signed_identity_fits_its_bound)
{
	const struct sign_pair pair = sample_pair();
	struct wbuf out = WBUF_INITIALIZER(IDENTITY_MAX_BYTES);
	struct identity id = sample();

	memset(id.name, 'x', IDENTITY_NAME_SIZE - 1);
	identity_encode(&id, &out);
	identity_sign(&pair, &as_initiator, &out);
	ck_assert_int_eq(wbuf_done(&out), FDP_OK);
	wbuf_free(&out);
}
END_TEST

/* Whoever changes anything, be it a bit, has to sign anew. */
START_TEST(single_bit_changed_does_not_verify)
{
	struct wbuf out = signed_sample();
	unsigned int n_verified = 0;

	for (size_t bit = 0; bit < 8 * out.size; bit++) {
		struct identity id;

		out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (!identity_decode(wbuf_span(&out), &id) && id.has_key) {
			n_verified += !identity_verify(wbuf_span(&out), &id,
						       &as_initiator);
		}
		out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_uint_eq(n_verified, 0);
	wbuf_free(&out);
}
END_TEST

START_TEST(signature_for_other_role_or_handshake_does_not_verify)
{
	struct wbuf out = signed_sample();
	uint8_t other[IDENTITY_HASH_BYTES];
	struct identity id;

	ck_assert_int_eq(identity_decode(wbuf_span(&out), &id), FDP_OK);
	memcpy(other, transcript, sizeof other);
	ck_assert_int_eq(
		identity_verify(wbuf_span(&out), &id,
				&(struct identity_context){false, transcript}),
		ERR_AUTH);
	for (size_t bit = 0; bit < 8 * sizeof other; bit++) {
		other[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(identity_verify(wbuf_span(&out), &id,
						 &(struct identity_context){
							 true, other}),
				 ERR_AUTH);
		other[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	wbuf_free(&out);
}
END_TEST

START_TEST(field_behind_the_signature_is_refused)
{
	struct wbuf out = signed_sample();
	struct identity id;

	out.max = 0;
	tlv_put(&out, 0x7fff, "late", 4);
	ck_assert_int_eq(identity_decode(wbuf_span(&out), &id), ERR_MALFORMED);
	wbuf_free(&out);
}
END_TEST

START_TEST(names_are_judged_as_in_table)
{
	static const struct {
		const char *name;
		bool valid;
	} table[] = {
		{"a", true},
		{"Node-1_x.example:2@b", true},
		{"012345678901234567890123456789012345678901234567890123456789"
		 "012",
		 true},
		{"012345678901234567890123456789012345678901234567890123456789"
		 "0123",
		 false},
		{"", false},
		{"a b", false},
		{"a\n", false},
		{"\"", false},
		{"a/b", false},
		{"\x7f", false},
		{"\xff", false},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		ck_assert_msg(identity_name_is_valid(table[i].name) ==
				      table[i].valid,
			      "'%s'", table[i].name);
	}
}
END_TEST

START_TEST(any_host_name_makes_a_valid_name)
{
	static const struct {
		const char *text, *name;
	} table[] = {
		{"alpha.example", "alpha.example"},
		{"al pha\xff/x", "al-pha--x"},
		{"-", "-"},
		/* The longest, and the longest of Linux. */
		{"012345678901234567890123456789012345678901234567890123456789"
		 "012",
		 "012345678901234567890123456789012345678901234567890123456789"
		 "012"},
		{"012345678901234567890123456789012345678901234567890123456789"
		 "01 3",
		 "012345678901234567890123456789012345678901234567890123456789"
		 "01-"},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		char name[IDENTITY_NAME_SIZE];

		identity_name_from(table[i].text, name);
		ck_assert_str_eq(name, table[i].name);
		ck_assert(identity_name_is_valid(name));
	}
}
END_TEST

/* TLVs themselves. */

START_TEST(tlv_longer_than_its_list_is_refused)
{
	static const uint8_t bytes[] = {0, 1, 0, 2, 'a', 'b', 0, 2, 0, 1};
	struct span in = span_of(bytes, sizeof bytes), value;
	uint16_t type;

	ck_assert_int_eq(tlv_next(&in, &type, &value), FDP_OK);
	ck_assert_uint_eq(type, 1);
	ck_assert_bytes_eq(value, "ab", 2);
	ck_assert_int_eq(tlv_next(&in, &type, &value), ERR_TRUNCATED);
	ck_assert_uint_eq(in.size, 4);
	ck_assert_uint_eq(type, 1);
	for (size_t size = 0; size < sizeof bytes; size++) {
		ck_assert_int_eq(tlv_skip_all(span_of(bytes, size)),
				 size == 0 || size == 6 ? FDP_OK
							: ERR_TRUNCATED);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("identity");
	TCase *tc = tcase_create("identity");

	tcase_add_test(tc, identity_comes_back_as_sent);
	tcase_add_test(tc, wire_form_is_as_specified);
	tcase_add_test(tc,
		       every_truncation_is_refused_or_lacks_optional_fields);
	tcase_add_test(tc, added_fields_are_skipped_unless_critical);
	tcase_add_loop_test(tc, nonsense_is_refused_as_in_table, 0,
			    sizeof nonsense / sizeof nonsense[0]);
	tcase_add_test(tc, missing_field_is_refused_if_needed);
	tcase_add_test(tc, optional_namesake_is_no_substitute);
	tcase_add_test(tc, oversized_identity_is_refused);
	tcase_add_test(tc, longest_identity_fits_its_bound);
	tcase_add_test(tc, signed_identity_comes_back_and_verifies);
	tcase_add_test(tc, longest_signed_identity_fits_its_bound);
	tcase_add_test(tc, single_bit_changed_does_not_verify);
	tcase_add_test(tc,
		       signature_for_other_role_or_handshake_does_not_verify);
	tcase_add_test(tc, field_behind_the_signature_is_refused);
	tcase_add_test(tc, names_are_judged_as_in_table);
	tcase_add_test(tc, any_host_name_makes_a_valid_name);
	tcase_add_test(tc, tlv_longer_than_its_list_is_refused);
	suite_add_tcase(suite, tc);
	return vectors_main(suite);
}
