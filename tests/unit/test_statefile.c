/* kmod-glue/statefile: identity, atomic replacement, the lock. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

#include "kmod-glue/statefile.h"

static char parent[] = "/tmp/fdp-test-statefile.XXXXXX";
static char *dir;
static struct ds why;
static struct statefile *sf;

static char *name_in_dir(const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(parent));
	dir = xasprintf("%s/a/state", parent);
	ds_init(&why);
	ck_assert_msg(!statefile_open(dir, &sf, &why), "%s", ds_cstr(&why));
}

static void teardown(void)
{
	static const char *const names[] = {"id",   "state",  "state.new",
					    "lock", "id.new", "state.damaged"};

	statefile_close(sf);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *name = name_in_dir(names[i]);

		unlink(name);
		rmdir(name);
		free(name);
	}
	rmdir(dir);
	*strrchr(dir, '/') = '\0';
	rmdir(dir);
	rmdir(parent);
	free(dir);
	ds_destroy(&why);
}

static void put(const char *file, const void *content, size_t size)
{
	char *name = name_in_dir(file);
	FILE *f = fopen(name, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(content, 1, size, f), size);
	ck_assert(!fclose(f));
	free(name);
}

static void expect_mode(const char *name, mode_t mode)
{
	struct stat st;

	ck_assert_int_eq(stat(name, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, mode);
}

static void reopen(void)
{
	statefile_close(sf);
	sf = NULL;
	ck_assert_msg(!statefile_open(dir, &sf, &why), "%s", ds_cstr(&why));
}

START_TEST(new_directory_private)
{
	expect_mode(dir, 0700);
}
END_TEST

START_TEST(identity_made_once_and_kept)
{
	struct peer_id first, again;
	char *name = name_in_dir("id");

	ck_assert(!statefile_id(sf, &first, &why));
	ck_assert(!peer_id_is_zero(&first));
	expect_mode(name, 0600);
	ck_assert(!statefile_id(sf, &again, &why));
	ck_assert(peer_id_equal(&first, &again));
	reopen();
	ck_assert(!statefile_id(sf, &again, &why));
	ck_assert(peer_id_equal(&first, &again));
	free(name);
}
END_TEST

START_TEST(two_hosts_different_identities)
{
	struct peer_id first, second;
	char *name = name_in_dir("id");

	ck_assert(!statefile_id(sf, &first, &why));
	ck_assert(!unlink(name));
	ck_assert(!statefile_id(sf, &second, &why));
	ck_assert(!peer_id_equal(&first, &second));
	free(name);
}
END_TEST

static const struct {
	const char *content;
	size_t size;
} bad_ids[] = {
	{"", 0},
	{"\n", 1},
	{"hello\n", 6},
	{"0123456789abcdef0123456789abcde\n", 32},
	{"0123456789abcdef0123456789abcdef0\n", 34},
	{"0123456789abcdef0123456789abcdef\n\n", 34},
	{"0123456789abcdef0123456789abcdef\0", 33},
	{"00000000000000000000000000000000\n", 33},
};

START_TEST(damaged_identity_is_an_error_and_stays)
{
	struct peer_id id = {{7}};
	char *name = name_in_dir("id");
	struct stat st;

	put("id", bad_ids[_i].content, bad_ids[_i].size);
	ck_assert_int_eq(statefile_id(sf, &id, &why), EINVAL);
	ck_assert_ptr_nonnull(
		strstr(ds_cstr(&why), "this is not the identity of a host"));
	ck_assert_uint_eq(id.b[0], 7);
	ck_assert(!stat(name, &st));
	ck_assert_uint_eq((size_t)st.st_size, bad_ids[_i].size);
	free(name);
}
END_TEST

START_TEST(no_state_null)
{
	char *content = dir;

	ck_assert(!statefile_load(sf, &content, &why));
	ck_assert_ptr_null(content);
}
END_TEST

START_TEST(saved_state_loaded)
{
	static const char *const texts[] = {"{\"ports\": []}\n", "", "x"};
	char *name = name_in_dir("state");

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char *content;

		ck_assert(!statefile_save(
			sf, span_of(texts[i], strlen(texts[i])), &why));
		ck_assert(!statefile_load(sf, &content, &why));
		ck_assert_str_eq(content, texts[i]);
		free(content);
	}
	expect_mode(name, 0600);
	free(name);
}
END_TEST

START_TEST(large_state_survives)
{
	size_t size = STATEFILE_MAX_BYTES;
	char *text = xmalloc(size + 1);
	char *content;

	memset(text, 'y', size + 1);
	ck_assert(!statefile_save(sf, span_of(text, size), &why));
	ck_assert(!statefile_load(sf, &content, &why));
	ck_assert_uint_eq(strlen(content), size);
	ck_assert_int_eq(statefile_save(sf, span_of(text, size + 1), &why),
			 EFBIG);
	free(content);
	free(text);
}
END_TEST

START_TEST(leftover_of_a_crash_overwritten)
{
	char *content;

	put("state.new", "torn", 4);
	ck_assert(!statefile_save(sf, span_of("good", 4), &why));
	ck_assert(!statefile_load(sf, &content, &why));
	ck_assert_str_eq(content, "good");
	free(content);
}
END_TEST

START_TEST(failed_save_keeps_old_state)
{
	char *name = name_in_dir("state.new");
	char *content;

	ck_assert(!statefile_save(sf, span_of("old", 3), &why));
	/* A directory in the way stops even root. */
	ck_assert(!mkdir(name, 0700));
	ck_assert_int_ne(statefile_save(sf, span_of("new", 3), &why), 0);
	ck_assert_uint_gt(why.length, 0);
	ck_assert(!statefile_load(sf, &content, &why));
	ck_assert_str_eq(content, "old");
	free(content);
	free(name);
}
END_TEST

START_TEST(damaged_state_set_aside)
{
	char *aside = name_in_dir("state.damaged");
	char *content = NULL;

	put("state", "a\0b", 3);
	ck_assert_int_eq(statefile_load(sf, &content, &why), EINVAL);
	ck_assert_ptr_nonnull(strstr(ds_cstr(&why), "state.damaged"));
	ck_assert(!access(aside, F_OK));
	ck_assert(!statefile_load(sf, &content, &why));
	ck_assert_ptr_null(content);
	free(aside);
}
END_TEST

START_TEST(second_daemon_refused)
{
	struct statefile *other = NULL;

	ck_assert_int_eq(statefile_open(dir, &other, &why), EWOULDBLOCK);
	ck_assert_ptr_null(other);
	ck_assert_ptr_nonnull(strstr(ds_cstr(&why), "another fdpd"));
	statefile_close(sf);
	sf = NULL;
	ds_clear(&why);
	ck_assert(!statefile_open(dir, &sf, &why));
}
END_TEST

START_TEST(file_in_the_way_refused)
{
	struct statefile *other = NULL;
	char *name = name_in_dir("id/x");

	put("id", "x", 1);
	ck_assert_int_eq(statefile_open(name, &other, &why), ENOTDIR);
	ck_assert_ptr_nonnull(strstr(ds_cstr(&why), "Not a directory"));
	free(name);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("statefile");
	TCase *tc = tcase_create("statefile");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, new_directory_private);
	tcase_add_test(tc, identity_made_once_and_kept);
	tcase_add_test(tc, two_hosts_different_identities);
	tcase_add_loop_test(tc, damaged_identity_is_an_error_and_stays, 0,
			    (int)ARRAY_SIZE(bad_ids));
	tcase_add_test(tc, no_state_null);
	tcase_add_test(tc, saved_state_loaded);
	tcase_add_test(tc, large_state_survives);
	tcase_add_test(tc, leftover_of_a_crash_overwritten);
	tcase_add_test(tc, failed_save_keeps_old_state);
	tcase_add_test(tc, damaged_state_set_aside);
	tcase_add_test(tc, second_daemon_refused);
	tcase_add_test(tc, file_in_the_way_refused);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
