#include "crypto/cpace.h"

#include "vectors.h"

struct draft {
	struct json *file;
	struct vector_bytes prs, ci, sid, ada, adb;
	struct secret ya, yb;
	uint8_t g[32], share_a[32], share_b[32], isk[CPACE_ISK_BYTES];
};

static struct draft draft;

static void setup(void)
{
	const struct json *c;

	draft.file = vectors_load("cpace_ristretto255_sha512.json");
	c = vector_member(draft.file, "CPACE-RISTR255-SHA512");
	vector_hex(c, "PRS", &draft.prs);
	vector_hex(c, "CI", &draft.ci);
	vector_hex(c, "sid", &draft.sid);
	vector_hex(c, "ADa", &draft.ada);
	vector_hex(c, "ADb", &draft.adb);
	vector_fixed(c, "ya", draft.ya.b, sizeof draft.ya.b);
	vector_fixed(c, "yb", draft.yb.b, sizeof draft.yb.b);
	vector_fixed(c, "g", draft.g, sizeof draft.g);
	vector_fixed(c, "Ya", draft.share_a, sizeof draft.share_a);
	vector_fixed(c, "Yb", draft.share_b, sizeof draft.share_b);
	vector_fixed(c, "ISK_IR", draft.isk, sizeof draft.isk);
}

static void teardown(void)
{
	json_destroy(draft.file);
}

static struct cpace_context context(void)
{
	return (struct cpace_context){
		.prs = vector_span(&draft.prs),
		.ci = vector_span(&draft.ci),
		.sid = vector_span(&draft.sid),
	};
}

static struct cpace_transcript transcript(void)
{
	return (struct cpace_transcript){
		.share_i = draft.share_a,
		.share_r = draft.share_b,
		.ad_i = vector_span(&draft.ada),
		.ad_r = vector_span(&draft.adb),
	};
}

START_TEST(draft_vectors_are_reproduced)
{
	struct cpace_context c = context();
	struct cpace_transcript t = transcript();
	uint8_t out[32], isk[CPACE_ISK_BYTES];

	cpace_generator(&c, out);
	ck_assert_mem_eq(out, draft.g, sizeof out);
	ck_assert_int_eq(cpace_share(&c, &draft.ya, out), FDP_OK);
	ck_assert_mem_eq(out, draft.share_a, sizeof out);
	ck_assert_int_eq(cpace_share(&c, &draft.yb, out), FDP_OK);
	ck_assert_mem_eq(out, draft.share_b, sizeof out);

	ck_assert_int_eq(cpace_finish(c.sid, &draft.ya, draft.share_b, &t, isk),
			 FDP_OK);
	ck_assert_mem_eq(isk, draft.isk, sizeof isk);
	ck_assert_int_eq(cpace_finish(c.sid, &draft.yb, draft.share_a, &t, isk),
			 FDP_OK);
	ck_assert_mem_eq(isk, draft.isk, sizeof isk);
}
END_TEST

START_TEST(draft_valid_point_multiplies_as_given)
{
	const struct json *v =
		vector_member(vector_member(draft.file, "points"), "Valid");
	uint8_t s[32], x[32], want[32], out[32];

	vector_fixed(v, "s", s, sizeof s);
	vector_fixed(v, "X", x, sizeof x);
	vector_fixed(v, "G.scalar_mult_vfy(s,X)", want, sizeof want);
	ck_assert_int_eq(crypto_scalarmult_ristretto255(out, s, x), 0);
	ck_assert_mem_eq(out, want, sizeof want);
}
END_TEST

START_TEST(invalid_points_are_refused)
{
	const struct json *points = vector_member(draft.file, "points");
	static const char *const names[] = {"Invalid Y1", "Invalid Y2"};
	struct json *rfc = vectors_load("rfc9496_ristretto255.json");
	const struct json *bad = vector_member(rfc, "invalid_encodings");
	struct cpace_transcript t = transcript();
	uint8_t isk[CPACE_ISK_BYTES], before[CPACE_ISK_BYTES];
	struct vector_bytes y;

	memset(isk, 0x77, sizeof isk);
	memcpy(before, isk, sizeof isk);
	for (size_t i = 0; i < 2; i++) {
		vector_hex(points, names[i], &y);
		ck_assert_int_eq(cpace_finish(vector_span(&draft.sid),
					      &draft.ya, y.b, &t, isk),
				 ERR_BAD_POINT);
	}
	for (size_t i = 0; i < vector_count(bad); i++) {
		vector_from_hex(json_string(vector_at(bad, i)), &y);
		ck_assert_int_eq(cpace_finish(vector_span(&draft.sid),
					      &draft.ya, y.b, &t, isk),
				 ERR_BAD_POINT);
	}
	ck_assert_mem_eq(isk, before, sizeof isk);
	json_destroy(rfc);
}
END_TEST

/* A zero scalar would make everything the identity. */
START_TEST(zero_scalar_is_refused)
{
	struct cpace_context c = context();
	struct cpace_transcript t = transcript();
	struct secret zero = {{0}};
	uint8_t share[32], isk[CPACE_ISK_BYTES];

	ck_assert_int_eq(cpace_share(&c, &zero, share), ERR_BAD_POINT);
	ck_assert_int_eq(cpace_finish(c.sid, &zero, draft.share_b, &t, isk),
			 ERR_BAD_POINT);
}
END_TEST

/* Every input counts: generator from password, identifier, session; ISK from
 * the rest. */
START_TEST(any_other_input_gives_another_output)
{
	struct cpace_context c = context();
	struct cpace_transcript t;
	struct span *const parts[] = {&c.prs, &c.ci, &c.sid};
	uint8_t g[32], isk[CPACE_ISK_BYTES], changed[32], both[128];

	for (size_t i = 0; i < 3; i++) {
		c = context();
		parts[i]->size--;
		cpace_generator(&c, g);
		ck_assert_mem_ne(g, draft.g, sizeof g);
	}
	/* Bytes moved over a border are not the same. */
	c = context();
	memcpy(both, c.ci.data, c.ci.size);
	memcpy(both + c.ci.size, c.sid.data, c.sid.size);
	c.sid = span_of(both + c.ci.size - 1, c.sid.size + 1);
	c.ci = span_of(both, c.ci.size - 1);
	cpace_generator(&c, g);
	ck_assert_mem_ne(g, draft.g, sizeof g);

	for (int i = 0; i < 5; i++) {
		struct span sid = vector_span(&draft.sid);

		t = transcript();
		memcpy(changed, draft.share_a, sizeof changed);
		changed[31] ^= 1;
		switch (i) {
		case 0:
			t.share_i = changed;
			break;
		case 1:
			t.share_r = changed;
			break;
		case 2:
			t.ad_i.size--;
			break;
		case 3:
			t.ad_r.size--;
			break;
		default:
			sid.size--;
			break;
		}
		ck_assert_int_eq(
			cpace_finish(sid, &draft.ya, draft.share_b, &t, isk),
			FDP_OK);
		ck_assert_mem_ne(isk, draft.isk, sizeof isk);
	}
}
END_TEST

/* Lengths of two LEB128 bytes, and a password larger than the hash's block:
 * another path through the padding.  Both sides of an exchange agree. */
START_TEST(long_inputs_agree)
{
	static const uint8_t text[400] = {1};

	for (size_t size = 90; size < sizeof text; size += 19) {
		struct cpace_context c = {
			.prs = span_of(text, size),
			.ci = span_of(text, size / 2),
			.sid = span_of(text, 200),
		};
		uint8_t a[32], b[32], isk[2][CPACE_ISK_BYTES];
		struct cpace_transcript t = {
			.share_i = a,
			.share_r = b,
			.ad_i = span_of(text, 300),
			.ad_r = span_of(text, 0),
		};

		ck_assert_int_eq(cpace_share(&c, &draft.ya, a), FDP_OK);
		ck_assert_int_eq(cpace_share(&c, &draft.yb, b), FDP_OK);
		ck_assert_int_eq(cpace_finish(c.sid, &draft.ya, b, &t, isk[0]),
				 FDP_OK);
		ck_assert_int_eq(cpace_finish(c.sid, &draft.yb, a, &t, isk[1]),
				 FDP_OK);
		ck_assert_mem_eq(isk[0], isk[1], CPACE_ISK_BYTES);
	}
}
END_TEST

static void fill_ones(void *aux, void *buf, size_t size)
{
	*(size_t *)aux += size;
	memset(buf, 0xff, size);
}

START_TEST(scalar_is_draw_modulo_group_order)
{
	/* 2^512 - 1 mod L, computed with Python's integers. */
	static const char want[] = "000f9c44e31106a447938568a71b0ed0"
				   "65bef517d273ecce3d9a307c1b419903";
	struct vector_bytes expected;
	size_t drawn = 0;
	const struct rng rng = {fill_ones, &drawn};
	struct secret scalar;

	cpace_scalar(&rng, &scalar);
	ck_assert_uint_eq(drawn, 64);
	vector_from_hex(want, &expected);
	ck_assert_bytes_eq(vector_span(&expected), scalar.b, sizeof scalar.b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cpace");
	TCase *tc = tcase_create("cpace");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, draft_vectors_are_reproduced);
	tcase_add_test(tc, draft_valid_point_multiplies_as_given);
	tcase_add_test(tc, invalid_points_are_refused);
	tcase_add_test(tc, zero_scalar_is_refused);
	tcase_add_test(tc, any_other_input_gives_another_output);
	tcase_add_test(tc, long_inputs_agree);
	tcase_add_test(tc, scalar_is_draw_modulo_group_order);
	suite_add_tcase(suite, tc);
	return vectors_main(suite);
}
