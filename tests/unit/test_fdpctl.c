/* The program itself, against a daemon of straw: a unixctl server with canned
 * answers, which writes down what it was asked. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/util.h"
#include "openvswitch/vlog.h"
#include "unixctl.h"
#include "util.h"

#include "control/control.h"
#include "control/genpass.h"
#include "control/reply.h"

enum {
	MAX_WORDS = 24
};

static char dir[] = "/tmp/fdpctl-test.XXXXXX";
static char *program;	  /* The fdpctl that was built with this test. */
static char self_pid[16]; /* A process whose namespaces we may open. */
static pid_t server = -1;
static char *socket_path; /* The server's; NULL if there was none. */

/* ---- the daemon of straw ------------------------------------------------- */

struct canned {
	const char *method; /* NULL: all others. */
	const char *answer;
	bool refused;
};

static char *path_of(const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static char *read_whole(const char *path)
{
	struct ds ds = DS_EMPTY_INITIALIZER;
	char buf[4096];
	ssize_t n;
	int fd = open(path, O_RDONLY);

	while (fd >= 0 && (n = read(fd, buf, sizeof buf)) > 0) {
		ds_put_buffer(&ds, buf, (size_t)n);
	}
	if (fd >= 0) {
		close(fd);
	}
	return ds_steal_cstr(&ds);
}

static void write_whole(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void answer(struct unixctl_conn *conn, int argc, const char *argv[],
		   void *canned_)
{
	const struct canned *canned = canned_;
	char *path = path_of("requests");
	FILE *f = fopen(path, "a");

	fprintf(f, "%s %s\n", argv[0], argc > 1 ? argv[1] : "");
	fclose(f);
	free(path);
	for (; canned->method; canned++) {
		if (!strcmp(canned->method, argv[0])) {
			break;
		}
	}
	if (canned->refused) {
		unixctl_command_reply_error(conn, canned->answer);
	} else {
		unixctl_command_reply(conn, canned->answer);
	}
}

/* Locked as libopenvswitch's daemons do. */
static void make_pid_file(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char *path = path_of("fdpd.pid");
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	if (fd < 0 || fcntl(fd, F_SETLK, &lock) ||
	    dprintf(fd, "%ld\n", (long)getpid()) < 0) {
		abort();
	}
	free(path);
}

/* In the child: never returns. */
static void serve(const struct canned *canned, int ready)
{
	char *path = xasprintf("%s/fdpd.%ld.ctl", dir, (long)getpid());
	struct unixctl_server *unixctl;
	unsigned int i;

	vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
	if (unixctl_server_create(path, &unixctl)) {
		abort();
	}
	for (i = 0; i < N_CONTROL_COMMANDS; i++) {
		unixctl_command_register(xasprintf("fdp/%s", control_name(i)),
					 "", 0, 1, answer,
					 CONST_CAST(struct canned *, canned));
	}
	make_pid_file();
	if (write(ready, "x", 1) != 1) {
		abort();
	}
	for (;;) {
		unixctl_server_run(unixctl);
		unixctl_server_wait(unixctl);
		poll_block();
	}
}

static void start(const struct canned *canned)
{
	int ready[2];
	char byte;

	ck_assert_int_eq(pipe(ready), 0);
	server = fork();
	ck_assert_int_ge(server, 0);
	socket_path = xasprintf("%s/fdpd.%ld.ctl", dir, (long)server);
	if (!server) {
		close(ready[0]);
		serve(canned, ready[1]);
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
}

/* Its socket stays, as after a crash. */
static void stop(void)
{
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	server = -1;
}

/* What it was asked, one "method argument" a line. */
static char *requests(void)
{
	char *path = path_of("requests");
	char *text = read_whole(path);

	free(path);
	return text;
}

/* ---- running the program ------------------------------------------------- */

struct result {
	int status;
	char *out, *err;
};

static void result_free(struct result *r)
{
	free(r->out);
	free(r->err);
}

/* It is run in the directory of the socket, which is named by that. */
static bool from_inside;

static void exec_program(const char *const words[], int out)
{
	char *argv[MAX_WORDS + 4];
	char *err_path = path_of("err");
	int err = open(err_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int n = 0;

	if (from_inside && chdir(dir)) {
		abort();
	}
	argv[n++] = program;
	argv[n++] = xasprintf("--run-dir=%s", from_inside ? "." : dir);
	while (*words) {
		argv[n++] = CONST_CAST(char *, *words++);
	}
	argv[n] = NULL;
	if (dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0) {
		abort();
	}
	execv(program, argv);
	abort();
}

static struct result run_into(const char *const words[], int out)
{
	char *err_path = path_of("err");
	struct result r = {.out = NULL};
	pid_t pid = fork();
	int status;

	if (!pid) {
		exec_program(words, out);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "fdpctl died of signal %d",
		      WTERMSIG(status));
	r.status = WEXITSTATUS(status);
	r.err = read_whole(err_path);
	free(err_path);
	return r;
}

static struct result run(const char *const words[])
{
	char *out_path = path_of("out");
	int out = open(out_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	struct result r = run_into(words, out);

	close(out);
	r.out = read_whole(out_path);
	free(out_path);
	return r;
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void setup(void)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	int i;

	ck_assert_int_gt(n, 0);
	self[n] = '\0';
	/* BUILD/tests/unit/test_fdpctl */
	for (i = 0; i < 3; i++) {
		*strrchr(self, '/') = '\0';
	}
	program = xasprintf("%s/fdpctl", self);
	ck_assert_msg(!access(program, X_OK), "%s is not built", program);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	unsetenv("NO_COLOR");
	setenv("TERM", "xterm", 1);
}

static void teardown(void)
{
	static const char *const names[] = {"requests", "out", "err",
					    "fdpd.pid", "password"};
	size_t i;

	stop();
	if (socket_path) {
		unlink(socket_path);
		free(socket_path);
	}
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		char *path = path_of(names[i]);

		unlink(path);
		free(path);
	}
	ck_assert_msg(!rmdir(dir), "%s is not empty", dir);
	free(program);
}

/* ---- questions ----------------------------------------------------------- */

#define HEALTHY                                                        \
	"{\"version\":\"9.9\",\"verdict\":\"healthy\",\"encryption\":" \
	"\"aes-256-gcm esp\"}"
#define CONNECTION(STATE, OVERLAY)                                          \
	"{\"connections\":[{\"state\":\"" STATE "\",\"overlay\":\"" OVERLAY \
	"\",\"direction\":\"out\",\"address\":\"192.0.2.2:6783\"}]}"

/* A container has the same addresses as one of the host's interfaces. */
#define EXPOSED_PORTS                                                             \
	"{\"ports\":["                                                            \
	"{\"ifname\":\"fdp-host\",\"netns\":\"/run/netns/a\",\"host_ifname\":"    \
	"\"fdp1\",\"addresses\":[\"10.0.0.9/8\"],\"network\":1},"                 \
	"{\"ifname\":\"fdp-host\",\"netns\":\"/proc/self/ns/net\","               \
	"\"host_ifname\":\"fdp2\",\"addresses\":[\"10.0.0.1/8\",\"fd00::1/64\"]," \
	"\"network\":1,\"state\":\"up\"},"                                        \
	"{\"ifname\":\"fdp7\",\"netns\":\"/proc/self/ns/net\","                   \
	"\"host_ifname\":\"fdp3\",\"addresses\":[\"10.0.0.1/8\"],"                \
	"\"network\":7,\"state\":\"up\"},"                                        \
	"{\"ifname\":\"fdp8\",\"netns\":\"/proc/self/ns/net\","                   \
	"\"host_ifname\":\"fdp4\",\"addresses\":[\"10.0.0.8/8\"],"                \
	"\"network\":1,\"state\":\"lost\"}]}"

static const struct {
	const char *words[MAX_WORDS];
	const char *method; /* What the daemon hears, */
	const char *arg;    /* with this, "" = nothing, */
	const char *reply;  /* and says. */
	int status;
	const char *shown; /* Somewhere in the output. */
} questions[] = {
	{{"status"}, "status", "", HEALTHY, 0, "verdict      healthy\n"},
	{{"status"},
	 "status",
	 "",
	 "{\"verdict\":\"degraded\",\"reasons\":[\"a peer has no tunnel\"]}",
	 2,
	 "a peer has no tunnel\n"},
	{{"status"}, "status", "", "{\"verdict\":\"down\"}", 3, "down\n"},
	{{"status"},
	 "status",
	 "",
	 "{\"verdict\":\"healthy\",\"encryption\":\"none\"}",
	 0,
	 "*** NOT ENCRYPTED ***\n"},
	{{"status", "connections"},
	 "connections",
	 "",
	 CONNECTION("established", "fastdp"),
	 0,
	 "->  192.0.2.2:6783  established"},
	{{"connections"},
	 "connections",
	 "",
	 CONNECTION("retrying", "none"),
	 2,
	 "retrying"},
	{{"connections"},
	 "connections",
	 "",
	 "{\"connections\":[]}",
	 0,
	 "no peers"},
	{{"ports"}, "ports", "", "{}", 0, "nothing is attached"},
	{{"peers"}, "peers", "", "{}", 0, "no peers"},
	{{"connect", "192.0.2.7"},
	 "connect",
	 "{\"addresses\":[\"192.0.2.7\"]}",
	 "{\"addresses\":[\"192.0.2.7:6783\"],\"forgotten\":[]}",
	 0,
	 "dialling 192.0.2.7:6783\n"},
	{{"connect", "192.0.2.7", "--replace", "192.0.2.8"},
	 "connect",
	 "{\"addresses\":[\"192.0.2.7\",\"192.0.2.8\"],\"replace\":true}",
	 "{\"addresses\":[\"192.0.2.7:6783\",\"192.0.2.8:6783\"],"
	 "\"forgotten\":[\"192.0.2.9:6783\"]}",
	 0,
	 "dialling 192.0.2.7:6783\ndialling 192.0.2.8:6783\n"
	 "forgot 192.0.2.9:6783\n"},
	{{"forget", "[2001:db8::7]:7000"},
	 "forget",
	 "{\"address\":\"[2001:db8::7]:7000\"}",
	 "{\"address\":\"[2001:db8::7]:7000\"}",
	 0,
	 "forgot [2001:db8::7]:7000\n"},
	{{"detach", "fdp00112233"},
	 "detach",
	 "{\"host_ifname\":\"fdp00112233\"}",
	 "{\"host_ifname\":\"fdp00112233\"}",
	 0,
	 "detached fdp00112233\n"},
	{{"detach", "--netns", "a"},
	 "detach",
	 "{\"ifname\":\"eth0\",\"netns\":\"/run/netns/a\"}",
	 "{\"host_ifname\":\"fdp1\"}",
	 0,
	 "detached fdp1\n"},
	{{"detach", "--pid", "1", "--ifname", "net1"},
	 "detach",
	 "{\"ifname\":\"net1\",\"netns\":\"/proc/1/ns/net\"}",
	 "{\"host_ifname\":\"fdp1\"}",
	 0,
	 "detached fdp1\n"},
	/* What is exposed so already. */
	{{"expose", "fd00::1/64", "10.0.0.1/8"},
	 "ports",
	 "",
	 EXPOSED_PORTS,
	 0,
	 "interface    fdp-host on this host\n"},
	{{"expose", "10.0.0.1/8", "--ifname", "fdp7", "--network", "7"},
	 "ports",
	 "",
	 EXPOSED_PORTS,
	 0,
	 "interface    fdp7 on this host\n"},
	{{"hide", "10.0.0.9/8"},
	 "ports",
	 "",
	 EXPOSED_PORTS,
	 0,
	 "nothing of that is exposed\n"},
	{{"hide"}, "ports", "", "{}", 0, "nothing of that is exposed\n"},
	{{"trace", "--port", "2", "--src", "02:00:00:00:00:01", "--dst",
	  "02:00:00:00:00:02"},
	 "trace",
	 "{\"eth_dst\":\"02:00:00:00:00:02\",\"eth_src\":\"02:00:00:00:00:01\","
	 "\"port\":2}",
	 "{\"verdict\":\"drop\",\"reason\":\"unknown-mac\"}",
	 0,
	 "reason       unknown-mac\n"},
	{{"trace", "--port", "fdp1", "--src", "02:00:00:00:00:01", "--dst",
	  "02:00:00:00:00:02", "--ip-dst", "10.0.0.1", "--ip-proto", "tcp",
	  "--tp-dst", "80"},
	 "trace",
	 "{\"eth_dst\":\"02:00:00:00:00:02\",\"eth_src\":\"02:00:00:00:00:01\","
	 "\"eth_type\":2048,\"ip_dst\":\"10.0.0.1\",\"ip_proto\":6,\"port\":"
	 "\"fdp1\",\"tp_dst\":80}",
	 "{\"verdict\":\"forward\"}",
	 0,
	 "forward\n"},
	{{"trace", "--port", "2", "--src", "02:00:00:00:00:01", "--dst",
	  "ff:ff:ff:ff:ff:ff", "--arp-op", "1", "--ip-dst", "10.0.0.1"},
	 "trace",
	 "{\"arp_op\":1,\"eth_dst\":\"ff:ff:ff:ff:ff:ff\",\"eth_src\":"
	 "\"02:00:00:00:00:01\",\"eth_type\":2054,\"ip_dst\":\"10.0.0.1\","
	 "\"port\":2}",
	 "{\"verdict\":\"answer\"}",
	 0,
	 "answer\n"},
	{{"trace", "--port", "2", "--src", "02:00:00:00:00:01", "--dst",
	  "33:33:ff:00:00:02", "--nd-target", "FD00::2", "--type", "0x86dd"},
	 "trace",
	 "{\"eth_dst\":\"33:33:ff:00:00:02\",\"eth_src\":\"02:00:00:00:00:01\","
	 "\"eth_type\":34525,\"nd_target\":\"fd00::2\",\"port\":2}",
	 "{\"verdict\":\"answer\"}",
	 0,
	 "answer\n"},
	{{"version"}, "status", "", HEALTHY, 0, "fdpd   9.9\n"},
};

START_TEST(question_is_asked_and_answer_shown)
{
	const struct canned canned[] = {{NULL, questions[_i].reply, false}};
	struct result r;
	char *heard, *expected;

	start(canned);
	r = run(questions[_i].words);
	ck_assert_str_eq(r.err, "");
	ck_assert_int_eq(r.status, questions[_i].status);
	ck_assert_msg(strstr(r.out, questions[_i].shown),
		      "\"%s\" is not in:\n%s", questions[_i].shown, r.out);
	heard = requests();
	expected = xasprintf("fdp/%s %s\n", questions[_i].method,
			     questions[_i].arg);
	ck_assert_str_eq(heard, expected);
	free(expected);
	free(heard);
	result_free(&r);
}
END_TEST

START_TEST(directory_of_the_daemon_may_be_relative)
{
	const struct canned canned[] = {{NULL, HEALTHY, false}};
	struct result r;

	start(canned);
	from_inside = true;
	r = RUN("status");
	ck_assert_str_eq(r.err, "");
	ck_assert_int_eq(r.status, 0);
	result_free(&r);
}
END_TEST

/* Every command that asks the daemon. */
static const char *const asking[][MAX_WORDS] = {
	{"status"},
	{"status", "connections"},
	{"connections"},
	{"peers"},
	{"ports"},
	{"connect", "192.0.2.7"},
	{"forget", "192.0.2.7"},
	{"detach", "fdp1"},
	{"attach", "--pid", self_pid, "--address", "10.0.0.1/8"},
	{"expose", "10.0.0.1/8"},
	{"hide"},
	{"why", "beta"},
	{"rekey", "beta"},
	{"peers", "--forget-key", "beta"},
	{"trace", "--port", "2", "--src", "02:00:00:00:00:01", "--dst",
	 "02:00:00:00:00:02"},
};

static void check_one_line(const char *err)
{
	ck_assert_msg(!strncmp(err, "fdpctl: ", 8), "\"%s\"", err);
	ck_assert_ptr_eq(strchr(err, '\n'), err + strlen(err) - 1);
}

START_TEST(refusal_is_one_line_and_status_1)
{
	const struct canned canned[] = {{NULL, "no such thing; do X", true}};
	struct result r;

	start(canned);
	r = run(asking[_i]);
	ck_assert_int_eq(r.status, 1);
	ck_assert_str_eq(r.out, "");
	ck_assert_str_eq(r.err, "fdpctl: no such thing; do X\n");
	result_free(&r);
}
END_TEST

START_TEST(no_daemon_is_one_line_and_status_3)
{
	struct result r = run(asking[_i]);

	ck_assert_int_eq(r.status, 3);
	ck_assert_str_eq(r.out, "");
	check_one_line(r.err);
	ck_assert_ptr_nonnull(strstr(r.err, "fdpd is not running"));
	result_free(&r);
}
END_TEST

START_TEST(answer_of_another_shape_is_refused)
{
	static const char *const answers[] = {"", "[]", "nonsense", "{", "1"};
	const struct canned canned[] = {{NULL, answers[_i], false}};
	struct result r;

	start(canned);
	r = RUN("status");
	ck_assert_int_eq(r.status, 1);
	ck_assert_str_eq(r.out, "");
	check_one_line(r.err);
	result_free(&r);
}
END_TEST

START_TEST(pid_file_of_the_dead_does_not_mislead)
{
	static const char *const pids[] = {"1\n", "", "x\n", "-1\n",
					   "99999999999999999999\n"};
	char *path = path_of("fdpd.pid");
	struct result r;

	write_whole(path, pids[_i]);
	r = RUN("status");
	ck_assert_int_eq(r.status, 3);
	check_one_line(r.err);
	result_free(&r);
	free(path);
}
END_TEST

START_TEST(killed_daemon_is_down)
{
	const struct canned canned[] = {{NULL, HEALTHY, false}};
	struct result r;

	start(canned);
	stop();
	r = RUN("status");
	ck_assert_int_eq(r.status, 3);
	check_one_line(r.err);
	result_free(&r);
}
END_TEST

/* ---- forms of output ----------------------------------------------------- */

START_TEST(json_is_the_answer_sorted)
{
	const struct canned canned[] = {
		{NULL, "{\"z\":1,\"verdict\":\"degraded\",\"a\":[true]}",
		 false}};
	struct result r, other;

	start(canned);
	r = RUN("status", "--json");
	ck_assert_int_eq(r.status, 2);
	ck_assert_str_eq(r.out, "{\n  \"a\": [\n    true],\n  \"verdict\": "
				"\"degraded\",\n  \"z\": 1}\n");
	other = RUN("--json", "status");
	ck_assert_str_eq(r.out, other.out);
	result_free(&other);
	result_free(&r);
}
END_TEST

/* The member 'key' of the object that was printed. */
static char *printed(const struct result *r, const char *key)
{
	struct json *object = json_from_string(r->out);
	char *text = xstrdup(reply_text(object, key, ""));

	json_destroy(object);
	return text;
}

START_TEST(json_of_a_failure_has_the_error)
{
	const struct canned canned[] = {{NULL, "not now", true}};
	struct result r;
	char *error;

	start(canned);
	r = RUN("peers", "--json");
	ck_assert_int_eq(r.status, 1);
	error = printed(&r, "error");
	ck_assert_str_eq(error, "not now");
	ck_assert_str_eq(r.err, "fdpctl: not now\n");
	free(error);
	result_free(&r);
}
END_TEST

START_TEST(json_status_without_daemon_says_down)
{
	struct result r = RUN("status", "--json");
	char *verdict = printed(&r, "verdict");

	ck_assert_int_eq(r.status, 3);
	ck_assert_str_eq(verdict, "down");
	free(verdict);
	result_free(&r);
}
END_TEST

START_TEST(connections_are_sorted)
{
	const struct canned canned[] = {
		{NULL,
		 "{\"connections\":[{\"address\":\"192.0.2.9:1\"},{\"address\":"
		 "\"192.0.2.3:1\"}]}",
		 false}};
	struct result r;

	start(canned);
	r = RUN("connections");
	ck_assert(strstr(r.out, "192.0.2.3") < strstr(r.out, "192.0.2.9"));
	result_free(&r);
}
END_TEST

/* What comes through a terminal of its own. */
static char *run_on_terminal(const char *const words[])
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	struct ds ds = DS_EMPTY_INITIALIZER;
	char buf[4096];
	struct result r;
	ssize_t n;
	int slave;

	ck_assert_int_ge(master, 0);
	ck_assert_int_eq(grantpt(master), 0);
	ck_assert_int_eq(unlockpt(master), 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	ck_assert_int_ge(slave, 0);
	r = run_into(words, slave);
	close(slave);
	while ((n = read(master, buf, sizeof buf)) > 0) {
		ds_put_buffer(&ds, buf, (size_t)n);
	}
	close(master);
	result_free(&r);
	return ds_steal_cstr(&ds);
}

START_TEST(colour_is_for_terminals_that_want_it)
{
	static const struct {
		const char *name, *value;
		bool colour;
	} environments[] = {
		{"X", "", true},
		{"NO_COLOR", "", true}, /* By its rules, empty is not set. */
		{"NO_COLOR", "1", false},
		{"TERM", "dumb", false},
		{"TERM", NULL, false},
	};
	static const char *const words[] = {"status", NULL};
	const struct canned canned[] = {{NULL, HEALTHY, false}};
	struct result r;
	char *text;

	if (environments[_i].value) {
		setenv(environments[_i].name, environments[_i].value, 1);
	} else {
		unsetenv(environments[_i].name);
	}
	start(canned);
	text = run_on_terminal(words);
	ck_assert_ptr_nonnull(strstr(text, "healthy"));
	ck_assert_int_eq(strchr(text, '\033') != NULL, environments[_i].colour);
	free(text);
	r = RUN("status");
	ck_assert_ptr_null(strchr(r.out, '\033'));
	result_free(&r);
}
END_TEST

START_TEST(output_that_does_not_arrive_is_an_error)
{
	static const char *const commands[][3] = {
		{"status"}, {"status", "--json"}, {"--help"}, {"genpass"}};
	const struct canned canned[] = {{NULL, HEALTHY, false}};
	int full = open("/dev/full", O_WRONLY);
	struct result r;

	ck_assert_int_ge(full, 0);
	start(canned);
	r = run_into(commands[_i], full);
	close(full);
	ck_assert_int_eq(r.status, 1);
	check_one_line(r.err);
	result_free(&r);
}
END_TEST

/* ---- usage --------------------------------------------------------------- */

static const char *const misuses[][MAX_WORDS] = {
	{NULL},
	{"nonsense"},
	{"status", "nonsense"},
	{"status", "connections", "x"},
	{"--nonsense"},
	{"status", "--nonsense"},
	{"--run-dir"},
	{"--json=1", "status"},
	{"connect"},
	{"connect", "host.example"},
	{"connect", "--replace"},
	{"connect", "192.0.2.1", "host.example"},
	{"forget", "192.0.2.1", "192.0.2.2"},
	{"attach"},
	{"attach", "--netns", "a"},
	{"attach", "--address", "10.0.0.1/8"},
	{"attach", "--netns", "a", "--pid", "1", "--address", "10.0.0.1/8"},
	{"attach", "--netns", "", "--address", "10.0.0.1/8"},
	{"attach", "--pid", "0", "--address", "10.0.0.1/8"},
	{"attach", "--pid", "1", "--address", "10.0.0.1"},
	{"attach", "--pid", "1", "--address", "10.0.0.1/8", "--mac",
	 "ff:ff:ff:ff:ff:ff"},
	{"attach", "--pid", "1", "--address", "10.0.0.1/8", "--network",
	 "16777216"},
	{"attach", "--pid", "1", "--address", "10.0.0.1/8", "--ifname",
	 "a-name-that-is-too-long"},
	/* A namespace that does not exist, and files that are none. */
	{"attach", "--netns", "fdpctl-test-none", "--address", "10.0.0.1/8"},
	{"attach", "--netns", "/dev/null", "--address", "10.0.0.1/8"},
	{"attach", "--netns", "./none", "--address", "10.0.0.1/8"},
	{"attach", "--netns", "/etc/passwd", "--address", "10.0.0.1/8"},
	{"attach", "--netns", "/proc/self/ns/net", "--address", "10.0.0.1/8"},
	{"attach", "--pid", "2147483647", "--address", "10.0.0.1/8"},
	{"expose"},
	{"expose", "10.0.0.1"},
	{"expose", "10.0.0.1/8", "--netns", "a"},
	{"hide", "10.0.0.1"},
	{"detach"},
	{"detach", "--ifname", "eth0"},
	{"trace", "--port", "1"},
	{"trace", "--port", "1", "--src", "02:00:00:00:00:01", "--dst", "x"},
	{"flows", "--mac", "x"},
	{"genpass", "--check", "/nonexistent"},
	{"genpass", "--check"},
};

START_TEST(misuse_is_one_line_and_asks_nobody)
{
	const struct canned canned[] = {{NULL, "{}", false}};
	struct result r;
	char *heard;

	start(canned);
	r = run(misuses[_i]);
	ck_assert_int_eq(r.status, 1);
	ck_assert_str_eq(r.out, "");
	check_one_line(r.err);
	heard = requests();
	ck_assert_str_eq(heard, "");
	free(heard);
	result_free(&r);
}
END_TEST

START_TEST(what_is_missing_is_told_for_that_command)
{
	struct result r = RUN("detach");

	ck_assert_ptr_nonnull(strstr(r.err, "see fdpctl detach --help"));
	result_free(&r);
	r = RUN("attach", "--address", "10.0.0.1/8");
	ck_assert_ptr_nonnull(strstr(r.err, "see fdpctl attach --help"));
	result_free(&r);
}
END_TEST

START_TEST(every_command_has_help)
{
	struct result all = RUN("--help");
	char *line, *next = NULL;
	unsigned int n = 0;

	ck_assert_int_eq(all.status, 0);
	line = strstr(all.out, "commands:\n");
	ck_assert_ptr_nonnull(line);
	(void)strtok_r(line, "\n", &next);
	while ((line = strtok_r(NULL, "\n", &next)) && line[0] == ' ') {
		char *name = xmemdup0(line + 2, strcspn(line + 2, " "));
		struct result r = RUN(name, "--help");
		char *first = xasprintf("fdpctl %s", name);

		ck_assert_int_eq(r.status, 0);
		ck_assert_str_eq(r.err, "");
		ck_assert_msg(!strncmp(r.out, first, strlen(first)), "%s",
			      r.out);
		free(first);
		free(name);
		result_free(&r);
		n++;
	}
	ck_assert_uint_ge(n, 14);
	result_free(&all);
}
END_TEST

START_TEST(help_is_no_longer_than_a_terminal_is_wide)
{
	static const char *const words[][MAX_WORDS] = {
		{"--help"},	  {"trace", "-h"}, {"attach", "-h"},
		{"detach", "-h"}, {"flows", "-h"}, {"reset", "-h"},
		{"genpass", "-h"}};
	struct result r = run(words[_i]);
	char *line, *next = NULL;

	for (line = strtok_r(r.out, "\n", &next); line;
	     line = strtok_r(NULL, "\n", &next)) {
		ck_assert_msg(strlen(line) <= 80, "%s", line);
	}
	result_free(&r);
}
END_TEST

/* ---- flows --------------------------------------------------------------- */

static const struct {
	const char *words[MAX_WORDS];
	const char *wrong; /* NULL: nothing is. */
} lookups[] = {
	{{"flows"}, NULL},
	{{"flows", "--port", "3"}, NULL},
	{{"flows", "--port", "fdp1"}, NULL},
	{{"flows", "--port", "4"}, "no port 4;"},
	{{"flows", "--port", "65535"}, "no port 65535;"},
	{{"flows", "--port", "fdp2"}, "no port \"fdp2\";"},
	{{"flows", "--peer", "beta"}, NULL},
	{{"flows", "--peer", "192.0.2.2"}, NULL},
	{{"flows", "--peer", "2001:DB8::2"}, NULL},
	/* Reached through others. */
	{{"flows", "--peer", "gamma"}, NULL},
	{{"flows", "--peer", "delta"}, "no peer has the name or address"},
	{{"flows", "--peer", "bet"}, "\"bet\""},
	{{"flows", "--peer", "192.0.2.3"}, "\"192.0.2.3\""},
	{{"flows", "--peer", "2001:db8::3"}, "\"2001:db8::3\""},
	{{"flows", "--port", "3", "--peer", "delta"}, "\"delta\""},
	/* Any MAC address may be in a packet. */
	{{"flows", "--mac", "02:00:00:00:00:09"}, NULL},
};

START_TEST(no_flows_is_an_answer_no_such_thing_is_none)
{
	const struct canned canned[] = {
		{"fdp/names",
		 "{\"ports\":{\"0\":\"fdp\",\"3\":\"fdp1\"},\"peers\":{"
		 "\"192.0.2.2\":\"beta\",\"2001:db8::2\":\"beta\"},"
		 "\"peer_numbers\":{\"7\":\"beta\",\"8\":\"gamma\"}}",
		 false},
		{"fdp/flows", "{\"flows\":[]}", false},
		{NULL, "{}", true}};
	const char *wrong = lookups[_i].wrong;

	start(canned);
	for (int json = 0; json < 2; json++) {
		const char *words[MAX_WORDS + 1] = {json ? "--json" : NULL};
		struct result r;

		memcpy(words + json, lookups[_i].words,
		       sizeof lookups[_i].words);
		r = run(words);
		ck_assert_int_eq(r.status, wrong ? 1 : 0);
		if (wrong) {
			check_one_line(r.err);
			ck_assert_ptr_nonnull(strstr(r.err, wrong));
			ck_assert_int_eq(!!strstr(r.out, "\"error\""), json);
		} else {
			ck_assert_str_eq(r.err, "");
			ck_assert_str_eq(r.out, json ? "[]\n" : "");
		}
		result_free(&r);
	}
}
END_TEST

/* ---- attach -------------------------------------------------------------- */

START_TEST(refused_attach_check_is_the_end)
{
	const struct canned canned[] = {
		{"fdp/attach-check", "10.0.0.1 is attached already", true},
		{NULL, "{}", false}};
	struct result r;
	char *heard, *expected;

	start(canned);
	r = RUN("attach", "--pid", self_pid, "--address", "10.0.0.1/8", "--mac",
		"02:00:00:00:00:01");
	ck_assert_int_eq(r.status, 1);
	ck_assert_str_eq(r.err, "fdpctl: 10.0.0.1 is attached already\n");
	heard = requests();
	expected = xasprintf("fdp/attach-check {\"addresses\":[\"10.0.0.1/8\"],"
			     "\"mac\":\"02:00:00:00:00:01\",\"netns\":"
			     "\"/proc/%s/ns/net\"}\n",
			     self_pid);
	ck_assert_str_eq(heard, expected);
	free(expected);
	free(heard);
	result_free(&r);
}
END_TEST

START_TEST(incomplete_attach_check_makes_nothing)
{
	static const char *const answers[] = {
		"{}",
		"{\"ifname\":\"eth0\",\"host_ifname\":\"fdptest0\",\"mac\":"
		"\"x\",\"addresses\":[\"10.0.0.1/8\"]}",
		"{\"ifname\":\"eth0\",\"host_ifname\":\"fdptest0\",\"mac\":"
		"\"02:00:00:00:00:01\",\"addresses\":[]}",
		"{\"ifname\":\"eth0\",\"host_ifname\":\"fdptest0\",\"mac\":"
		"\"02:00:00:00:00:01\",\"addresses\":[1]}",
	};
	const struct canned canned[] = {
		{"fdp/attach-check", answers[_i], false}, {NULL, "{}", false}};
	struct result r;
	char *heard;

	start(canned);
	r = RUN("expose", "10.0.0.1/8");
	ck_assert_int_eq(r.status, 1);
	check_one_line(r.err);
	ck_assert_ptr_nonnull(strstr(r.err, "not complete"));
	heard = requests();
	ck_assert_ptr_null(strstr(heard, "fdp/attach {"));
	free(heard);
	result_free(&r);
}
END_TEST

/* It would get an eth0 beside its own. */
START_TEST(host_itself_is_not_attached)
{
	const struct canned canned[] = {{NULL, "{}", false}};
	struct result r;
	char *heard;

	start(canned);
	r = RUN("attach", "--pid", self_pid, "--address", "10.0.0.1/8");
	ck_assert_int_eq(r.status, 1);
	check_one_line(r.err);
	ck_assert_ptr_nonnull(strstr(r.err, "use fdpctl expose"));
	heard = requests();
	ck_assert_ptr_null(strstr(heard, "fdp/attach {"));
	free(heard);
	result_free(&r);
}
END_TEST

/* ---- expose, hide -------------------------------------------------------- */

static const struct {
	const char *words[MAX_WORDS];
	const char *asked; /* After "ports"; NULL: it is refused before. */
} exposures[] = {
	/* Other addresses, another network or MAC than it has. */
	{{"expose", "10.0.0.1/8"}, NULL},
	{{"expose", "10.0.0.1/8", "fd00::1/64", "10.0.0.2/8"}, NULL},
	{{"expose", "10.0.0.1/8", "fd00::1/64", "--network", "2"}, NULL},
	{{"expose", "10.0.0.1/8", "fd00::1/64", "--mac", "02:00:00:00:00:09"},
	 NULL},
	/* Half of one. */
	{{"hide", "fd00::1/64"}, NULL},
	{{"expose", "10.0.0.3/8", "--ifname", "fdp9"},
	 "fdp/attach-check {\"addresses\":[\"10.0.0.3/8\"],\"ifname\":\"fdp9\","
	 "\"netns\":\"/proc/self/ns/net\"}\n"},
	/* One that is lost is made anew. */
	{{"expose", "10.0.0.8/8", "--ifname", "fdp8", "--network", "1"},
	 "fdp/attach-check {\"addresses\":[\"10.0.0.8/8\"],\"ifname\":\"fdp8\","
	 "\"netns\":\"/proc/self/ns/net\",\"network\":1}\n"},
	{{"hide"},
	 "fdp/detach {\"host_ifname\":\"fdp2\"}\n"
	 "fdp/detach {\"host_ifname\":\"fdp3\"}\n"
	 "fdp/detach {\"host_ifname\":\"fdp4\"}\n"},
	{{"hide", "10.0.0.8/8"}, "fdp/detach {\"host_ifname\":\"fdp4\"}\n"},
	{{"hide", "fd00::1/64", "10.0.0.1/8"},
	 "fdp/detach {\"host_ifname\":\"fdp2\"}\n"
	 "fdp/detach {\"host_ifname\":\"fdp3\"}\n"},
};

/* What an attach-check answers is not enough to make anything. */
START_TEST(exposed_and_hidden_is_what_is_asked)
{
	const struct canned canned[] = {{"fdp/ports", EXPOSED_PORTS, false},
					{NULL, "{}", false}};
	const char *asked = exposures[_i].asked;
	bool hides = asked && !strcmp(exposures[_i].words[0], "hide");
	struct result r;
	char *heard, *expected;

	start(canned);
	r = run(exposures[_i].words);
	ck_assert_int_eq(r.status, hides ? 0 : 1);
	if (!hides) {
		check_one_line(r.err);
	}
	heard = requests();
	expected = xasprintf("fdp/ports \n%s", asked ? asked : "");
	ck_assert_str_eq(heard, expected);
	free(expected);
	free(heard);
	result_free(&r);
}
END_TEST

/* ---- genpass ------------------------------------------------------------- */

START_TEST(genpass_makes_what_the_check_accepts)
{
	char *path = path_of("password"), *both;
	struct result a = RUN("genpass"), b = RUN("genpass"), r;

	ck_assert_int_eq(a.status, 0);
	ck_assert_uint_eq(strlen(a.out), GENPASS_SIZE + 1);
	ck_assert_uint_eq(genpass_check(span_of(a.out, GENPASS_SIZE)), FDP_OK);
	ck_assert_str_ne(a.out, b.out);

	write_whole(path, a.out);
	r = RUN("genpass", "--check", path);
	ck_assert_int_eq(r.status, 0);
	ck_assert_ptr_null(strstr(r.out, a.out));
	result_free(&r);

	/* Two of them, as while passwords change. */
	both = xasprintf("%s%s", b.out, a.out);
	write_whole(path, both);
	r = RUN("genpass", "--check", path);
	ck_assert_int_eq(r.status, 0);
	result_free(&r);
	free(both);

	a.out[7] = a.out[7] == '0' ? '1' : '0';
	both = xasprintf("%s%s", b.out, a.out);
	write_whole(path, both);
	r = RUN("genpass", "--check", path);
	ck_assert_int_eq(r.status, 1);
	ck_assert_ptr_nonnull(strstr(r.err, "line 2"));
	ck_assert_ptr_nonnull(strstr(r.err, "mistyped"));
	result_free(&r);
	free(both);

	/* The daemon would not read the same password. */
	b.out[GENPASS_SIZE] = '\r';
	write_whole(path, b.out);
	r = RUN("genpass", "--check", path);
	ck_assert_int_eq(r.status, 1);
	ck_assert_ptr_nonnull(strstr(r.err, "carriage return"));
	result_free(&r);

	write_whole(path, "correct horse battery staple\n");
	r = RUN("genpass", "--check", path);
	ck_assert_int_eq(r.status, 1);
	ck_assert_ptr_nonnull(strstr(r.err, "not made by genpass"));
	/* A password is nobody's business, not even a wrong one. */
	ck_assert_ptr_null(strstr(r.err, "horse"));
	result_free(&r);
	result_free(&b);
	result_free(&a);
	free(path);
}
END_TEST

START_TEST(genpass_json_holds_the_password)
{
	struct result r = RUN("genpass", "--json");
	char *password = printed(&r, "password");

	ck_assert_uint_eq(genpass_check(span_of(password, strlen(password))),
			  FDP_OK);
	free(password);
	result_free(&r);
}
END_TEST

/* ---- completion ---------------------------------------------------------- */

static const struct {
	const char *words; /* The last one is to be completed. */
	const char *choices;
} completions[] = {
	{"st", "status"},
	{"--run-dir /nonexistent at", "attach"},
	{"--json con", "connect"},
	{"status ''", "connections"},
	{"trace --ip", "--ip-dst --ip-proto --ip-src"},
	{"trace --type ip", "ip ipv6"},
	{"status connections --js", "--json"},
	{"reset --dry", "--dry-run"},
	{"nonsense --", ""},
};

START_TEST(word_is_completed)
{
	char *out_path = path_of("out"), *expected, *out;
	char *command = xasprintf(
		"PATH=%.*s:$PATH; . %s/contrib/completion/fdpctl; "
		"COMP_WORDS=(fdpctl %s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1));"
		"_fdpctl; echo \"${COMPREPLY[*]}\"",
		(int)(strrchr(program, '/') - program), program, FDP_SOURCE_DIR,
		completions[_i].words);
	pid_t pid = fork();
	int status;

	if (!pid) {
		int fd = open(out_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		dup2(fd, STDOUT_FILENO);
		execlp("bash", "bash", "-c", command, NULL);
		abort();
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	out = read_whole(out_path);
	expected = xasprintf("%s\n", completions[_i].choices);
	ck_assert_str_eq(out, expected);
	free(expected);
	free(out);
	free(command);
	free(out_path);
}
END_TEST

#define N_OF(ARRAY) (int)ARRAY_SIZE(ARRAY)

int main(void)
{
	Suite *s = suite_create("fdpctl");
	TCase *t = tcase_create("fdpctl");
	SRunner *r;
	int failed;

	snprintf(self_pid, sizeof self_pid, "%ld", (long)getpid());
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, question_is_asked_and_answer_shown, 0,
			    N_OF(questions));
	tcase_add_test(t, directory_of_the_daemon_may_be_relative);
	tcase_add_loop_test(t, refusal_is_one_line_and_status_1, 0,
			    N_OF(asking));
	tcase_add_loop_test(t, no_daemon_is_one_line_and_status_3, 0,
			    N_OF(asking));
	tcase_add_loop_test(t, answer_of_another_shape_is_refused, 0, 5);
	tcase_add_loop_test(t, pid_file_of_the_dead_does_not_mislead, 0, 5);
	tcase_add_test(t, killed_daemon_is_down);
	tcase_add_test(t, json_is_the_answer_sorted);
	tcase_add_test(t, json_of_a_failure_has_the_error);
	tcase_add_test(t, json_status_without_daemon_says_down);
	tcase_add_test(t, connections_are_sorted);
	tcase_add_loop_test(t, colour_is_for_terminals_that_want_it, 0, 5);
	tcase_add_loop_test(t, output_that_does_not_arrive_is_an_error, 0, 4);
	tcase_add_loop_test(t, misuse_is_one_line_and_asks_nobody, 0,
			    N_OF(misuses));
	tcase_add_test(t, every_command_has_help);
	tcase_add_test(t, what_is_missing_is_told_for_that_command);
	tcase_add_loop_test(t, help_is_no_longer_than_a_terminal_is_wide, 0, 7);
	tcase_add_test(t, refused_attach_check_is_the_end);
	tcase_add_loop_test(t, no_flows_is_an_answer_no_such_thing_is_none, 0,
			    N_OF(lookups));
	tcase_add_loop_test(t, incomplete_attach_check_makes_nothing, 0, 4);
	tcase_add_test(t, host_itself_is_not_attached);
	tcase_add_loop_test(t, exposed_and_hidden_is_what_is_asked, 0,
			    N_OF(exposures));
	tcase_add_test(t, genpass_makes_what_the_check_accepts);
	tcase_add_test(t, genpass_json_holds_the_password);
	tcase_add_loop_test(t, word_is_completed, 0, N_OF(completions));
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
