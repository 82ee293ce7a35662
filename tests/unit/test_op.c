#include "engine/op.h"

#include "vectors.h"

enum {
	N_OP_TYPES = OP_FATAL + 1
};

START_TEST(every_type_has_a_name_of_its_own)
{
	for (unsigned int i = 0; i < N_OP_TYPES; i++) {
		const char *name = op_type_name((enum op_type)i);

		ck_assert_str_ne(name, "?");
		for (unsigned int j = 0; j < i; j++) {
			ck_assert_str_ne(name, op_type_name((enum op_type)j));
		}
	}
	ck_assert_str_eq(op_type_name((enum op_type)N_OP_TYPES), "?");
}
END_TEST

/* With everything in it that an op can own. */
static void fill(struct ops *ops)
{
	for (unsigned int i = 0; i < 10 * N_OP_TYPES; i++) {
		struct op *op = ops_add(ops, (enum op_type)(i % N_OP_TYPES));

		ck_assert_uint_eq(op->type, i % N_OP_TYPES);
		ck_assert_uint_eq(op->cookie, 0);
		ck_assert_ptr_null(op->text);
		ck_assert_uint_eq(op->bytes.size, 0);
		op->cookie = i;
		wbuf_bytes(&op->bytes, "bytes", 5);
		op->text = strdup("text");
		if (op->type == OP_FLOW_PUT || op->type == OP_EXECUTE) {
			actions_init(&op->flow.actions);
			actions_output(&op->flow.actions, i);
		}
	}
}

START_TEST(list_grows_keeps_order_and_frees_all)
{
	struct ops ops;

	ops_init(&ops);
	fill(&ops);
	ck_assert_uint_eq(ops.n, 10 * N_OP_TYPES);
	for (size_t i = 0; i < ops.n; i++) {
		ck_assert_uint_eq(ops.v[i].cookie, i);
		ck_assert_uint_eq(ops.v[i].type, i % N_OP_TYPES);
		ck_assert_str_eq(ops.v[i].text, "text");
	}
	ops_clear(&ops);
	ck_assert_uint_eq(ops.n, 0);
	fill(&ops);
	ops_free(&ops);
	ck_assert_uint_eq(ops.n, 0);
	ck_assert_ptr_null(ops.v);
	/* Usable again. */
	fill(&ops);
	ops_free(&ops);
}
END_TEST

START_TEST(cleared_list_holds_no_key)
{
	struct ops ops;
	struct op *op;

	ops_init(&ops);
	op = ops_add(&ops, OP_SA_ADD);
	memset(op->sa.key, 0x5a, sizeof op->sa.key);
	ops_clear(&ops);
	/* The memory is still the list's own. */
	for (size_t i = 0; i < sizeof ops.v[0].sa.key; i++) {
		ck_assert_uint_eq(ops.v[0].sa.key[i], 0);
	}
	ops_free(&ops);
}
END_TEST

/* A place in the list keeps the buffer of a frame for the next frame there, and
 * for nothing else; what is large is given back. */
START_TEST(only_small_frames_leave_their_buffer_to_the_next)
{
	static const uint8_t frame[4096];
	const uint8_t *kept;
	struct ops ops;
	struct op *op;

	ops_init(&ops);
	op = ops_add(&ops, OP_EXECUTE);
	wbuf_bytes(&op->bytes, frame, 100);
	kept = op->bytes.data;
	ops_clear(&ops);
	op = ops_add(&ops, OP_EXECUTE);
	ck_assert_ptr_eq(op->bytes.data, kept);
	ck_assert_uint_eq(op->bytes.size, 0);
	wbuf_bytes(&op->bytes, frame, sizeof frame);
	ops_clear(&ops);
	ck_assert_ptr_null(ops.v[0].bytes.data);
	op = ops_add(&ops, OP_EXECUTE);
	wbuf_bytes(&op->bytes, frame, 100);
	ops_clear(&ops);
	op = ops_add(&ops, OP_SEND);
	ck_assert_ptr_null(op->bytes.data);
	ops_free(&ops);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("op");
	TCase *tcase = tcase_create("op");

	tcase_add_test(tcase, every_type_has_a_name_of_its_own);
	tcase_add_test(tcase, list_grows_keeps_order_and_frees_all);
	tcase_add_test(tcase, cleared_list_holds_no_key);
	tcase_add_test(tcase, only_small_frames_leave_their_buffer_to_the_next);
	suite_add_tcase(suite, tcase);
	return vectors_main(suite);
}
