/* kmod-glue/statefile: identity, atomic replacement, the lock, sick disks. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
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
static const struct peer_id nobody;
static bool mounted;

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
	static const char *const names[] = {
		"id",	 "id.new",    "key",	       "key.new",
		"state", "state.new", "state.damaged", "lock"};

	statefile_close(sf);
	if (mounted) {
		umount2(dir, MNT_DETACH);
	}
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

	ck_assert(!statefile_id(sf, &nobody, &first, &why));
	ck_assert(!peer_id_is_zero(&first));
	expect_mode(name, 0600);
	ck_assert(!statefile_id(sf, &nobody, &again, &why));
	ck_assert(peer_id_equal(&first, &again));
	reopen();
	ck_assert(!statefile_id(sf, &nobody, &again, &why));
	ck_assert(peer_id_equal(&first, &again));
	free(name);
}
END_TEST

START_TEST(two_hosts_different_identities)
{
	struct peer_id first, second;
	char *name = name_in_dir("id");

	ck_assert(!statefile_id(sf, &nobody, &first, &why));
	ck_assert(!unlink(name));
	ck_assert(!statefile_id(sf, &nobody, &second, &why));
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
	ck_assert_int_eq(statefile_id(sf, &nobody, &id, &why), EINVAL);
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

static void expect_peers(const char *text)
{
	char *content = statefile_load_peers(sf);

	ck_assert_int_eq(content != NULL, text != NULL);
	if (text) {
		ck_assert_str_eq(content, text);
	}
	free(content);
}

/* Nothing that may be wrong with it is an error. */
START_TEST(file_of_peers_is_kept_as_far_as_it_can_be_read)
{
	char *name = name_in_dir("peers"), *new = name_in_dir("peers.new");

	expect_peers(NULL);
	ck_assert(!statefile_save_peers(sf, span_of("who", 3), &why));
	expect_peers("who");
	expect_mode(name, 0600);
	put("peers.new", "torn", 4);
	ck_assert(!statefile_save_peers(sf, span_of("others", 6), &why));
	reopen();
	expect_peers("others");
	ck_assert(!mkdir(new, 0700));
	ck_assert_int_ne(statefile_save_peers(sf, span_of("x", 1), &why), 0);
	ck_assert_uint_gt(why.length, 0);
	expect_peers("others");
	put("peers", "a\0b", 3);
	expect_peers(NULL);
	ck_assert(!unlink(name) && !symlink("id", name));
	expect_peers(NULL);
	ck_assert_ptr_null(statefile_trouble(sf));
	rmdir(new);
	free(new);
	free(name);
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

/* ---- The identity key ---- */

START_TEST(key_made_once_and_kept)
{
	char *name = name_in_dir("key");
	struct secret first, again;
	bool saved = false;

	ck_assert(!statefile_key(sf, &first, &saved, &why));
	ck_assert(saved);
	expect_mode(name, 0600);
	reopen();
	ck_assert(!statefile_key(sf, &again, &saved, &why));
	ck_assert(saved && secret_equal(&first, &again));
	ck_assert(!unlink(name));
	ck_assert(!statefile_key(sf, &again, &saved, &why));
	ck_assert(!secret_equal(&first, &again));
	free(name);
}
END_TEST

/* Cut at any length, but for the newline, it is no key: no other is made. */
START_TEST(torn_key_is_an_error_and_stays)
{
	static const char good[] = "000102030405060708090a0b0c0d0e0f"
				   "101112131415161718191a1b1c1d1e1f\n";
	char *name = name_in_dir("key");
	struct secret seed;
	bool saved;

	for (size_t size = 0; size < strlen(good); size++) {
		struct stat st;
		int want = size == 64 ? 0 : EINVAL;

		put("key", good, size);
		ck_assert_int_eq(statefile_key(sf, &seed, &saved, &why), want);
		ck_assert(!want || strstr(ds_cstr(&why), "not the key"));
		ck_assert(!stat(name, &st));
		ck_assert_uint_eq((size_t)st.st_size, size);
		ds_clear(&why);
	}
	put("key", good, strlen(good));
	ck_assert(!statefile_key(sf, &seed, &saved, &why));
	ck_assert_uint_eq(seed.b[31], 0x1f);
	free(name);
}
END_TEST

START_TEST(damaged_key_is_an_error)
{
	static const struct {
		const char *content;
		size_t size;
	} bad[] = {
		{"\n", 1},
		{"g00102030405060708090a0b0c0d0e0f"
		 "101112131415161718191a1b1c1d1e1f\n",
		 65},
		{"000102030405060708090a0b0c0d0e0f"
		 "101112131415161718191a1b1c1d1e1f\n\n",
		 66},
		{"000102030405060708090a0b0c0d0e0f"
		 "101112131415161718191a1b1c1d1e1f00\n",
		 67},
		{"000102030405060708090a0b0c0d0e0f"
		 "101112131415161718191a1b1c1d1e1f\0",
		 65},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct secret seed;
		bool saved;

		put("key", bad[i].content, bad[i].size);
		ck_assert_int_eq(statefile_key(sf, &seed, &saved, &why),
				 EINVAL);
	}
}
END_TEST

/* ---- Disks that are full, read-only, away ---- */

/* A small file system of our own on 'dir', if we may mount: four pages. */
static bool mount_small(void)
{
	statefile_close(sf);
	sf = NULL;
	mounted = !unshare(CLONE_NEWNS) &&
		  !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
		  !mount("small", dir, "tmpfs", 0, "size=16k,mode=0700");
	return mounted;
}

static void remount(bool read_only)
{
	ck_assert(!mount("small", dir, "tmpfs",
			 MS_REMOUNT | (read_only ? MS_RDONLY : 0), "size=16k"));
}

static void fill_up(bool full)
{
	static const char page[4096] = "x";
	char *name = name_in_dir("filler");
	int fd = open(name, O_WRONLY | O_CREAT, 0600);

	ck_assert_int_ge(fd, 0);
	while (full && write(fd, page, sizeof page) > 0) {
		continue;
	}
	close(fd);
	if (!full) {
		unlink(name);
	}
	free(name);
}

static void expect_saved(const char *text)
{
	char *content;

	ck_assert_msg(!statefile_save(sf, span_of(text, strlen(text)), &why),
		      "%s", ds_cstr(&why));
	ck_assert_ptr_null(statefile_trouble(sf));
	ck_assert(!statefile_load(sf, &content, &why));
	ck_assert_str_eq(content, text);
	free(content);
}

START_TEST(full_disk_from_the_start_is_survived)
{
	struct peer_id id, again;
	struct secret key, same;
	char *content;
	bool saved;

	if (!mount_small()) {
		return;
	}
	fill_up(true);
	ck_assert(!statefile_open(dir, &sf, &why));
	ck_assert(!statefile_id(sf, &nobody, &id, &why));
	ck_assert(!statefile_key(sf, &key, &saved, &why));
	ck_assert(!saved && !peer_id_is_zero(&id));
	ck_assert_ptr_nonnull(strstr(statefile_trouble(sf), "No space"));
	ck_assert(!statefile_load(sf, &content, &why));
	ck_assert_ptr_null(content);
	ck_assert_int_eq(statefile_save(sf, span_of("x", 1), &why), ENOSPC);
	/* Neither of them is made halfway. */
	reopen();
	fill_up(false);
	ck_assert(!statefile_id(sf, &nobody, &again, &why));
	ck_assert(!peer_id_equal(&id, &again));
	expect_saved("y");
	reopen();
	ck_assert(!statefile_id(sf, &nobody, &id, &why));
	ck_assert(peer_id_equal(&id, &again));
	ck_assert(!statefile_key(sf, &key, &saved, &why));
	reopen();
	ck_assert(!statefile_key(sf, &same, &saved, &why));
	ck_assert(saved && secret_equal(&key, &same));
}
END_TEST

START_TEST(what_could_not_be_written_is_caught_up_with)
{
	struct peer_id id, again;
	struct secret key, same;
	bool saved;

	if (!mount_small()) {
		return;
	}
	fill_up(true);
	ck_assert(!statefile_open(dir, &sf, &why));
	ck_assert(!statefile_id(sf, &nobody, &id, &why));
	ck_assert(!statefile_key(sf, &key, &saved, &why));
	fill_up(false);
	expect_saved("now");
	reopen();
	ck_assert(!statefile_id(sf, &nobody, &again, &why));
	ck_assert(!statefile_key(sf, &same, &saved, &why));
	ck_assert(peer_id_equal(&id, &again) && secret_equal(&key, &same));
}
END_TEST

START_TEST(disk_that_fills_up_keeps_the_old_state)
{
	char *content;

	if (!mount_small()) {
		return;
	}
	ck_assert(!statefile_open(dir, &sf, &why));
	expect_saved("old");
	fill_up(true);
	ck_assert_int_eq(statefile_save(sf, span_of("new", 3), &why), ENOSPC);
	ck_assert_ptr_nonnull(strstr(ds_cstr(&why), "No space left"));
	ck_assert(!statefile_load(sf, &content, &why));
	ck_assert_str_eq(content, "old");
	free(content);
	fill_up(false);
	remount(true);
	ck_assert_int_eq(statefile_save(sf, span_of("new", 3), &why), EROFS);
	ck_assert(!statefile_load(sf, &content, &why));
	ck_assert_str_eq(content, "old");
	free(content);
	remount(false);
	expect_saved("new");
}
END_TEST

START_TEST(read_only_disk_is_read_and_locked)
{
	struct statefile *other = NULL;
	struct peer_id id, again;
	struct secret key, same;
	char *content;
	bool saved;

	if (!mount_small()) {
		return;
	}
	ck_assert(!statefile_open(dir, &sf, &why));
	ck_assert(!statefile_id(sf, &nobody, &id, &why));
	ck_assert(!statefile_key(sf, &key, &saved, &why));
	expect_saved("there");
	statefile_close(sf);
	remount(true);
	ck_assert(!statefile_open(dir, &sf, &why));
	ck_assert(!statefile_id(sf, &nobody, &again, &why));
	ck_assert(!statefile_key(sf, &same, &saved, &why));
	ck_assert(!statefile_load(sf, &content, &why));
	ck_assert(saved && peer_id_equal(&id, &again) &&
		  secret_equal(&key, &same));
	ck_assert_ptr_null(statefile_trouble(sf));
	ck_assert_str_eq(content, "there");
	ck_assert_int_eq(statefile_open(dir, &other, &why), EWOULDBLOCK);
	free(content);
}
END_TEST

START_TEST(empty_read_only_disk_is_locked_and_we_stay_who_we_were)
{
	const struct peer_id before = {{7, 7}};
	struct statefile *other = NULL;
	struct peer_id id;

	if (!mount_small()) {
		return;
	}
	remount(true);
	ck_assert(!statefile_open(dir, &sf, &why));
	ck_assert_int_eq(statefile_open(dir, &other, &why), EWOULDBLOCK);
	ck_assert(!statefile_id(sf, &before, &id, &why));
	ck_assert(peer_id_equal(&id, &before));
	ck_assert_ptr_nonnull(strstr(statefile_trouble(sf), "Read-only"));
	remount(false);
	expect_saved("x");
	reopen();
	ck_assert(!statefile_id(sf, &nobody, &id, &why));
	ck_assert(peer_id_equal(&id, &before));
}
END_TEST

/* A disk that comes later does not get another identity. */
START_TEST(other_identity_that_turns_up_is_not_overwritten)
{
	static const char other[] = "0123456789abcdef0123456789abcdef\n";
	struct peer_id id;
	char *name = name_in_dir("id");

	if (!mount_small()) {
		free(name);
		return;
	}
	fill_up(true);
	ck_assert(!statefile_open(dir, &sf, &why));
	ck_assert(!statefile_id(sf, &nobody, &id, &why));
	fill_up(false);
	put("id", other, strlen(other));
	ck_assert_int_eq(statefile_save(sf, span_of("x", 1), &why), EEXIST);
	ck_assert_ptr_nonnull(strstr(ds_cstr(&why), "restart"));
	reopen();
	ck_assert(!statefile_id(sf, &nobody, &id, &why));
	ck_assert_uint_eq(id.b[0], 1);
	free(name);
}
END_TEST

/* A write that ends in the middle, at any length, changes nothing. */
START_TEST(write_that_ends_early_keeps_old_state)
{
	static const char text[] = "a state of some length";
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};

	signal(SIGXFSZ, SIG_IGN);
	expect_saved("old");
	for (size_t size = 0; size < strlen(text); size++) {
		const struct rlimit some = {size, RLIM_INFINITY};
		char *content;
		int error;

		ck_assert(!setrlimit(RLIMIT_FSIZE, &some));
		error = statefile_save(sf, span_of(text, strlen(text)), &why);
		/* Check reports into a file, too. */
		ck_assert(!setrlimit(RLIMIT_FSIZE, &all));
		ck_assert_int_eq(error, EFBIG);
		ck_assert(!statefile_load(sf, &content, &why));
		ck_assert_str_eq(content, "old");
		free(content);
	}
	expect_saved(text);
}
END_TEST

START_TEST(set_aside_waits_for_the_disk)
{
	char *content;

	if (!mount_small()) {
		return;
	}
	ck_assert(!statefile_open(dir, &sf, &why));
	put("state", "a\0b", 3);
	remount(true);
	ck_assert_int_eq(statefile_load(sf, &content, &why), EINVAL);
	ck_assert_ptr_null(content);
	ck_assert_int_eq(statefile_save(sf, span_of("x", 1), &why), EROFS);
	remount(false);
	expect_saved("x");
	content = name_in_dir("state.damaged");
	ck_assert(!access(content, F_OK));
	free(content);
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
	tcase_add_test(tc, file_of_peers_is_kept_as_far_as_it_can_be_read);
	tcase_add_test(tc, second_daemon_refused);
	tcase_add_test(tc, file_in_the_way_refused);
	tcase_add_test(tc, key_made_once_and_kept);
	tcase_add_test(tc, torn_key_is_an_error_and_stays);
	tcase_add_test(tc, damaged_key_is_an_error);
	tcase_add_test(tc, full_disk_from_the_start_is_survived);
	tcase_add_test(tc, what_could_not_be_written_is_caught_up_with);
	tcase_add_test(tc, disk_that_fills_up_keeps_the_old_state);
	tcase_add_test(tc, read_only_disk_is_read_and_locked);
	tcase_add_test(tc,
		       empty_read_only_disk_is_locked_and_we_stay_who_we_were);
	tcase_add_test(tc, other_identity_that_turns_up_is_not_overwritten);
	tcase_add_test(tc, write_that_ends_early_keeps_old_state);
	tcase_add_test(tc, set_aside_waits_for_the_disk);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
