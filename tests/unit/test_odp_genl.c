/* Generic Netlink against the host's own kernel, which every kernel has: the
 * controller family answers anybody. */
#include "kmod-glue/genl.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/genetlink.h>

#include "netlink/odp.h"
#include "util.h"

static struct genl genl;

static void set_up(void)
{
	ck_assert_int_eq(genl_open(&genl, 1024 * 1024), 0);
}

static void tear_down(void)
{
	genl_close(&genl);
}

START_TEST(known_family_resolves)
{
	uint32_t group = 0;
	uint16_t id = 0;

	ck_assert_int_eq(genl_family(&genl, "nlctrl", &id, &group), 0);
	ck_assert_uint_eq(id, GENL_ID_CTRL);
	ck_assert_uint_ne(group, 0);
}
END_TEST

START_TEST(unknown_family_is_enoent)
{
	uint32_t group = 0;
	uint16_t id = 0;

	ck_assert_int_eq(genl_family(&genl, "fdp-nonesuch", &id, &group),
			 ENOENT);
}
END_TEST

static int count(struct span msg, void *n)
{
	ck_assert_uint_eq(genl_type(msg), GENL_ID_CTRL);
	ck_assert_uint_eq(genl_cmd(msg), CTRL_CMD_NEWFAMILY);
	++*(unsigned int *)n;
	return 0;
}

static int refuse(struct span msg, void *n)
{
	(void)msg;
	++*(unsigned int *)n;
	return ECANCELED;
}

static void put_dump(void)
{
	struct wbuf *b = genl_request(&genl);
	uint16_t flags = NLM_F_REQUEST | NLM_F_DUMP;

	odp_put_getfamily(b, genl_seq(&genl), "nlctrl");
	memcpy(b->data + 6, &flags, sizeof flags);
}

START_TEST(dump_visits_every_message)
{
	unsigned int n = 0;

	put_dump();
	ck_assert_int_eq(genl_transact(&genl, count, &n), 0);
	ck_assert_uint_ge(n, 1);
}
END_TEST

START_TEST(refused_visit_ends_the_visits_and_is_returned)
{
	unsigned int n = 0;

	put_dump();
	ck_assert_int_eq(genl_transact(&genl, refuse, &n), ECANCELED);
	ck_assert_uint_eq(n, 1);
	/* What was left of the answer is not taken for the next one. */
	put_dump();
	n = 0;
	ck_assert_int_eq(genl_transact(&genl, count, &n), 0);
	ck_assert_uint_ge(n, 1);
}
END_TEST

START_TEST(failure_has_the_kernels_words)
{
	struct wbuf *b = genl_request(&genl);

	odp_put_getfamily(b, genl_seq(&genl), "nlctrl");
	/* The last attribute claims to be of another, too short, type. */
	b->data[20 + 2] = CTRL_ATTR_FAMILY_ID;
	b->data[20] = 5;
	ck_assert_int_ne(genl_transact(&genl, NULL, NULL), 0);
	ck_assert_str_ne(genl.text, "");
	odp_put_getfamily(genl_request(&genl), genl_seq(&genl), "nlctrl");
	ck_assert_int_eq(genl_transact(&genl, NULL, NULL), 0);
	ck_assert_str_eq(genl.text, "");
}
END_TEST

START_TEST(nothing_to_receive_is_eagain)
{
	ck_assert_int_eq(genl_receive(&genl, NULL, NULL), EAGAIN);
}
END_TEST

START_TEST(overflowed_request_is_emsgsize)
{
	struct wbuf *b = genl_request(&genl);

	odp_put_getfamily(b, genl_seq(&genl), "nlctrl");
	b->overflow = true;
	ck_assert_int_eq(genl_transact(&genl, NULL, NULL), EMSGSIZE);
}
END_TEST

/* Several chunks' worth, with refusals on both sides of each seam. */
START_TEST(batch_reports_each_op_by_itself)
{
	enum {
		N = 3 * GENL_BATCH_MESSAGES + 10
	};
	struct genl_batch b;

	genl_batch_init(&b);
	for (unsigned int i = 0; i < N; i++) {
		bool bad = i % 64 == 0 || i % 64 == 63;
		size_t start = b.buf.size;
		uint32_t seq = genl_seq(&genl);

		odp_put_getfamily(&b.buf, seq, bad ? "fdp-nonesuch" : "nlctrl");
		if (i == 100) {
			b.buf.overflow = true;
		}
		genl_batch_add(&b, start, seq, 1000 + i);
	}
	genl_batch_send(&genl, &b);
	ck_assert_uint_eq(b.n, N);
	for (unsigned int i = 0; i < N; i++) {
		bool bad = i % 64 == 0 || i % 64 == 63;
		int wanted = i == 100 ? EMSGSIZE : bad ? ENOENT : 0;

		ck_assert_uint_eq(b.ops[i].cookie, 1000 + i);
		ck_assert_int_eq(b.ops[i].os_errno, wanted);
	}
	ck_assert_uint_eq(genl_batch_message(&b, &b.ops[100]).size, 0);
	ck_assert_uint_eq(genl_type(genl_batch_message(&b, &b.ops[99])),
			  GENL_ID_CTRL);
	genl_batch_clear(&b);
	ck_assert_uint_eq(b.n, 0);
	genl_batch_send(&genl, &b);
	genl_batch_free(&b);
}
END_TEST

START_TEST(sequence_number_skips_zero)
{
	genl.seq = UINT32_MAX;
	ck_assert_uint_eq(genl_seq(&genl), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("odp_genl");
	TCase *tc = tcase_create("genl");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, known_family_resolves);
	tcase_add_test(tc, unknown_family_is_enoent);
	tcase_add_test(tc, dump_visits_every_message);
	tcase_add_test(tc, refused_visit_ends_the_visits_and_is_returned);
	tcase_add_test(tc, failure_has_the_kernels_words);
	tcase_add_test(tc, nothing_to_receive_is_eagain);
	tcase_add_test(tc, overflowed_request_is_emsgsize);
	tcase_add_test(tc, batch_reports_each_op_by_itself);
	tcase_add_test(tc, sequence_number_skips_zero);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
