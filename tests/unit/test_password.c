/* kmod-glue/password: which files are read, and what each refusal says. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

#include "crypto/kdf.h"
#include "kmod-glue/password.h"

static char dir[] = "/tmp/fdp-test-password.XXXXXX";
static char *path;
static struct ds why;
static struct hs_slot slots[HANDSHAKE_SLOTS_MAX];
static size_t n_slots;

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	path = xasprintf("%s/password", dir);
	ds_init(&why);
	n_slots = 99;
	unsetenv("CREDENTIALS_DIRECTORY");
	unsetenv("FDP_PASSWORD");
}

static void teardown(void)
{
	char *link = xasprintf("%s/link", dir);

	unlink(link);
	unlink(path);
	rmdir(path);
	rmdir(dir);
	free(link);
	free(path);
	ds_destroy(&why);
}

static void write_file(const void *content, size_t size, mode_t mode)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(content, 1, size, f), size);
	ck_assert(!fclose(f));
	ck_assert(!chmod(path, mode));
}

static void write_text(const char *text)
{
	write_file(text, strlen(text), 0600);
}

static int load(bool allow_weak)
{
	return password_load(path, allow_weak, slots, &n_slots, &why);
}

static void expect_why(const char *tail)
{
	char *all = xasprintf("%s%s", path, tail);

	ck_assert_str_eq(ds_cstr(&why), all);
	ck_assert_uint_eq(n_slots, 99);
	free(all);
}

/* The slot must be what stretching 'password' right here gives. */
static void expect_slot(size_t slot, const char *password)
{
	struct secret prs, psk;

	ck_assert(!kdf_stretch(span_of(password, strlen(password)),
			       span_of("", 0), &prs, &psk));
	ck_assert(secret_equal(&slots[slot].prs, &prs));
	ck_assert(secret_equal(&slots[slot].psk, &psk));
}

START_TEST(one_line_one_slot)
{
	write_text("correct horse battery");
	ck_assert_msg(!load(false), "%s", ds_cstr(&why));
	ck_assert_uint_eq(n_slots, 1);
	expect_slot(0, "correct horse battery");
}
END_TEST

START_TEST(trailing_newline_cut_once)
{
	write_text("correct horse battery\n");
	ck_assert_msg(!load(false), "%s", ds_cstr(&why));
	ck_assert_uint_eq(n_slots, 1);
	expect_slot(0, "correct horse battery");
}
END_TEST

START_TEST(two_lines_two_slots)
{
	write_text("new password of ours\nold password of ours\n");
	ck_assert_msg(!load(false), "%s", ds_cstr(&why));
	ck_assert_uint_eq(n_slots, 2);
	expect_slot(0, "new password of ours");
	expect_slot(1, "old password of ours");
}
END_TEST

START_TEST(same_line_twice_one_slot)
{
	write_text("one password of ours\none password of ours\n");
	ck_assert_msg(!load(false), "%s", ds_cstr(&why));
	ck_assert_uint_eq(n_slots, 1);
}
END_TEST

static int wait_and_finish(struct password_job *job)
{
	int error;

	do {
		struct pollfd pfd = {password_fd(job), POLLIN, 0};

		ck_assert_int_eq(poll(&pfd, 1, -1), 1);
		error = password_finish(job, slots, &n_slots, &why);
	} while (error == EAGAIN);
	return error;
}

START_TEST(checked_before_it_is_stretched)
{
	struct password_job *job;
	size_t n = 0;

	write_text("new password of ours\nold password of ours\n");
	ck_assert_int_eq(password_begin(path, false, &job, &why), 0);
	ck_assert_int_eq(password_check(job, &n, &why), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(n_slots, 99);
	ck_assert_int_eq(wait_and_finish(job), 0);
	ck_assert_uint_eq(n_slots, 2);
	expect_slot(0, "new password of ours");
}
END_TEST

START_TEST(check_refuses_what_load_refuses)
{
	struct password_job *job;
	size_t n = 99;

	write_text("short");
	ck_assert_int_eq(password_begin(path, false, &job, &why), 0);
	ck_assert_int_eq(password_check(job, &n, &why), EINVAL);
	ck_assert_uint_eq(n, 99);
	ck_assert_ptr_nonnull(strstr(ds_cstr(&why), "fewer than"));
	ck_assert_int_eq(waitpid(-1, NULL, 0), -1); /* No child is left. */
}
END_TEST

/* Two jobs at once, and neither waits. */
START_TEST(begun_readings_answer_when_done)
{
	struct password_job *good, *bad;
	struct pollfd pfd = {.events = POLLIN};
	char *missing = xasprintf("%s/missing", dir);

	write_text("new password of ours\nold password of ours\n");
	ck_assert_int_eq(password_begin(path, false, &good, &why), 0);
	ck_assert_int_eq(password_finish(good, slots, &n_slots, &why), EAGAIN);
	ck_assert_int_eq(password_begin(missing, false, &bad, &why), 0);
	pfd.fd = password_fd(bad);
	ck_assert_int_eq(poll(&pfd, 1, -1), 1);
	ck_assert_int_eq(password_finish(bad, slots, &n_slots, &why), ENOENT);
	ck_assert_uint_eq(n_slots, 99);
	ck_assert_int_eq(wait_and_finish(good), 0);
	ck_assert_uint_eq(n_slots, 2);
	expect_slot(0, "new password of ours");
	expect_slot(1, "old password of ours");
	free(missing);
}
END_TEST

START_TEST(cancelled_reading_leaves_no_child)
{
	struct password_job *job;

	write_text("correct horse battery");
	ck_assert_int_eq(password_begin(path, false, &job, &why), 0);
	password_cancel(job);
	password_cancel(NULL);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(read_only_file_accepted)
{
	write_file("correct horse battery", 21, 0400);
	ck_assert_msg(!load(false), "%s", ds_cstr(&why));
}
END_TEST

static const struct {
	const char *text;
	bool allow_weak;
	int error;
	const char *why;
} bad_contents[] = {
	{"", true, EINVAL,
	 ": the password file is empty; `fdpctl genpass` makes a good "
	 "password"},
	{"\n", true, EINVAL,
	 ": the password in line 1 has fewer than 12 bytes; `fdpctl genpass` "
	 "makes a good one"},
	{"elevenbytes", false, EINVAL,
	 ": the password in line 1 has fewer than 12 bytes; `fdpctl genpass` "
	 "makes a good one (--weak-password allows it)"},
	{"twelve bytes\nshort\n", false, EINVAL,
	 ": the password in line 2 has fewer than 12 bytes; `fdpctl genpass` "
	 "makes a good one (--weak-password allows it)"},
	{"twelve bytes\n\n", true, EINVAL,
	 ": the password in line 2 has fewer than 12 bytes; `fdpctl genpass` "
	 "makes a good one"},
	{"first password\nsecond password\nthird password\n", false, EINVAL,
	 ": the password file has more than 2 lines; the first is the "
	 "password, a second one is accepted as well"},
};

START_TEST(bad_content_refused)
{
	write_text(bad_contents[_i].text);
	ck_assert_int_eq(load(bad_contents[_i].allow_weak),
			 bad_contents[_i].error);
	expect_why(bad_contents[_i].why);
}
END_TEST

START_TEST(weak_password_allowed_when_asked)
{
	write_text("elevenbytes");
	ck_assert_msg(!load(true), "%s", ds_cstr(&why));
	expect_slot(0, "elevenbytes");
}
END_TEST

START_TEST(zero_byte_refused)
{
	write_file("correct horse\0battery", 21, 0600);
	ck_assert_int_eq(load(false), EINVAL);
	expect_why(": the password contains a zero byte");
}
END_TEST

START_TEST(one_kib_accepted_more_refused)
{
	char content[PASSWORD_FILE_MAX_BYTES + 1];

	memset(content, 'x', sizeof content);
	write_file(content, sizeof content, 0600);
	ck_assert_int_eq(load(false), EFBIG);
	expect_why(": the password file is larger than 1024 bytes");
	write_file(content, sizeof content - 1, 0600);
	ck_assert_int_eq(load(false), 0);
}
END_TEST

static const mode_t bad_modes[] = {0640, 0604, 0620, 0602, 0610, 0601, 0777};

START_TEST(open_to_others_refused)
{
	char *expected;

	write_file("correct horse battery", 21, bad_modes[_i]);
	ck_assert_int_eq(load(false), EPERM);
	expected = xasprintf(": others may access the password file (mode "
			     "%04o); run: chmod 600 %s",
			     (unsigned int)bad_modes[_i], path);
	expect_why(expected);
	free(expected);
}
END_TEST

START_TEST(missing_file_refused)
{
	ck_assert_int_eq(load(false), ENOENT);
	expect_why(": cannot read the password file (No such file or "
		   "directory)");
}
END_TEST

START_TEST(symbolic_link_refused)
{
	char *file = path;

	write_text("correct horse battery");
	path = xasprintf("%s/link", dir);
	ck_assert(!symlink(file, path));
	ck_assert_int_eq(load(false), ELOOP);
	expect_why(": the password file must not be a symbolic link");
	free(path);
	path = file;
}
END_TEST

START_TEST(fifo_and_directory_refused_at_once)
{
	ck_assert(!mkfifo(path, 0600));
	ck_assert_int_eq(load(false), EINVAL);
	expect_why(": the password file must be a regular file");
	ck_assert(!unlink(path));
	ds_clear(&why);
	ck_assert(!mkdir(path, 0700));
	ck_assert_int_eq(load(false), EINVAL);
	expect_why(": the password file must be a regular file");
}
END_TEST

START_TEST(foreign_owner_refused)
{
	if (geteuid()) {
		return; /* Only root can make such a file. */
	}
	write_text("correct horse battery");
	ck_assert(!chown(path, 12345, 0));
	ck_assert_int_eq(load(false), EPERM);
	ck_assert_ptr_nonnull(strstr(ds_cstr(&why), "belongs to user 12345"));
}
END_TEST

START_TEST(environment_refused)
{
	ck_assert_int_eq(password_check_environment(&why), 0);
	setenv("FDP_PASSWORD", "", 1);
	ck_assert_int_eq(password_check_environment(&why), EPERM);
	ck_assert_ptr_nonnull(strstr(ds_cstr(&why), "--password-file"));
}
END_TEST

START_TEST(credential_found_if_it_exists)
{
	char *found;

	ck_assert_ptr_null(password_credential());
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	ck_assert_ptr_null(password_credential());
	write_file("correct horse battery", 21, 0400);
	found = password_credential();
	ck_assert_str_eq(found, path);
	free(found);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("password");
	TCase *tc = tcase_create("password");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, one_line_one_slot);
	tcase_add_test(tc, trailing_newline_cut_once);
	tcase_add_test(tc, two_lines_two_slots);
	tcase_add_test(tc, same_line_twice_one_slot);
	tcase_add_test(tc, checked_before_it_is_stretched);
	tcase_add_test(tc, check_refuses_what_load_refuses);
	tcase_add_test(tc, begun_readings_answer_when_done);
	tcase_add_test(tc, cancelled_reading_leaves_no_child);
	tcase_add_test(tc, read_only_file_accepted);
	tcase_add_loop_test(tc, bad_content_refused, 0,
			    (int)ARRAY_SIZE(bad_contents));
	tcase_add_test(tc, weak_password_allowed_when_asked);
	tcase_add_test(tc, zero_byte_refused);
	tcase_add_test(tc, one_kib_accepted_more_refused);
	tcase_add_loop_test(tc, open_to_others_refused, 0,
			    (int)ARRAY_SIZE(bad_modes));
	tcase_add_test(tc, missing_file_refused);
	tcase_add_test(tc, symbolic_link_refused);
	tcase_add_test(tc, fifo_and_directory_refused_at_once);
	tcase_add_test(tc, foreign_owner_refused);
	tcase_add_test(tc, environment_refused);
	tcase_add_test(tc, credential_found_if_it_exists);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
