/* kmod-glue/syscall_filter: what passes, what does not, each in a process of
 * its own. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>
#include <linux/netlink.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

#include "kmod-glue/privilege.h"
#include "kmod-glue/syscall_filter.h"

enum {
	NO_FILTER = 77
};

/* Each makes one call that is not for the daemon, and returns what it said. */
static long run_program(void)
{
	static char path[] = "/bin/true";
	static char *const argv[] = {path, NULL};

	return execv(path, argv);
}

static long own_namespace(void)
{
	return unshare(CLONE_NEWNET);
}

static long child_in_namespace(void)
{
	return syscall(SYS_clone, (long)(CLONE_NEWUSER | SIGCHLD), 0L, 0L, 0L,
		       0L);
}

static long enter_namespace(void)
{
	return setns(0, 0);
}

static long trace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long raw_packets(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}

static long map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
		       ? -1
		       : 0;
}

static long make_code(void)
{
	void *data = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(data, 4096, PROT_READ | PROT_EXEC);
}

static long become_another(void)
{
	return setuid(getuid());
}

static const struct forbidden {
	const char *name;
	long (*call)(void);
} forbidden[] = {
	{"execve", run_program},
	{"unshare", own_namespace},
	{"clone of a namespace", child_in_namespace},
	{"setns", enter_namespace},
	{"ptrace", trace},
	{"AF_PACKET", raw_packets},
	{"mmap of code", map_code},
	{"mprotect to code", make_code},
	{"setuid", become_another},
};

static void install(enum syscall_filter filter)
{
	struct ds why = DS_EMPTY_INITIALIZER;

	if (privilege_keep(0, &why) || syscall_filter_install(filter, &why)) {
		_exit(NO_FILTER);
	}
	ds_destroy(&why);
}

static int status_of(pid_t pid)
{
	int status;

	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static bool has_no_filter(int status)
{
	/* With sanitizers, or on a kernel without. */
	return WIFEXITED(status) && WEXITSTATUS(status) == NO_FILTER;
}

START_TEST(forbidden_call_refused)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		install(SYSCALL_FILTER_REFUSE);
		errno = 0;
		_exit(forbidden[_i].call() == -1 && errno == EPERM ? 0 : 1);
	}
	status = status_of(pid);
	ck_assert_msg(has_no_filter(status) || !status, "%s: status %x",
		      forbidden[_i].name, (unsigned int)status);
}
END_TEST

START_TEST(forbidden_call_kills_if_wanted)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		install(SYSCALL_FILTER_KILL);
		forbidden[_i].call();
		_exit(0);
	}
	status = status_of(pid);
	ck_assert_msg(has_no_filter(status) || (WIFSIGNALED(status) &&
						WTERMSIG(status) == SIGSYS),
		      "%s: status %x", forbidden[_i].name,
		      (unsigned int)status);
}
END_TEST

/* What the daemon cannot do without, the child for the password above all. */
static bool live(void)
{
	static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	uint8_t *memory = malloc(64 * 1024 * 1024);
	pid_t pid;
	bool ok;

	ok = memory && fd >= 0 && write(fd, "", 1) == 1 && !close(fd);
	for (size_t i = 0; ok && i < ARRAY_SIZE(families); i++) {
		fd = socket(families[i], SOCK_DGRAM | SOCK_CLOEXEC, 0);
		/* The kernel may be without IPv6. */
		ok = fd >= 0 || errno != EPERM;
	}
	free(memory);
	pid = fork();
	if (!pid) {
		_exit(3);
	}
	return ok && pid > 0 && WEXITSTATUS(status_of(pid)) == 3;
}

START_TEST(allowed_calls_pass)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		install(SYSCALL_FILTER_KILL);
		_exit(live() ? 0 : 1);
	}
	status = status_of(pid);
	ck_assert_msg(has_no_filter(status) || !status, "status %x",
		      (unsigned int)status);
}
END_TEST

START_TEST(off_forbids_nothing)
{
	pid_t pid = fork();

	if (!pid) {
		install(SYSCALL_FILTER_OFF);
		run_program();
		_exit(1);
	}
	ck_assert_int_eq(status_of(pid), 0);
}
END_TEST

START_TEST(names_parsed)
{
	enum syscall_filter filter = SYSCALL_FILTER_OFF;

	ck_assert_int_eq(syscall_filter_parse("kill", &filter), 0);
	ck_assert_int_eq(filter, SYSCALL_FILTER_KILL);
	ck_assert_int_eq(syscall_filter_parse("on", &filter), 0);
	ck_assert_int_eq(filter, SYSCALL_FILTER_REFUSE);
	ck_assert_int_eq(syscall_filter_parse("off", &filter), 0);
	ck_assert_int_eq(filter, SYSCALL_FILTER_OFF);
	ck_assert_int_eq(syscall_filter_parse("", &filter), EINVAL);
	ck_assert_int_eq(syscall_filter_parse("killed", &filter), EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("syscall_filter");
	TCase *tc = tcase_create("syscall_filter");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, forbidden_call_refused, 0,
			    (int)ARRAY_SIZE(forbidden));
	tcase_add_loop_test(tc, forbidden_call_kills_if_wanted, 0,
			    (int)ARRAY_SIZE(forbidden));
	tcase_add_test(tc, allowed_calls_pass);
	tcase_add_test(tc, off_forbids_nothing);
	tcase_add_test(tc, names_parsed);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
