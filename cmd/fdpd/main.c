/* fdpd: options, the life of a daemon, the control socket; the rest is
 * kmod-glue/loop.h's. */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/capability.h>
#include <sodium.h>

#include "command-line.h"
#include "daemon.h"
#include "dirs.h"
#include "fatal-signal.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "socket-util.h"
#include "svec.h"
#include "unixctl.h"
#include "util.h"

#include "config/config.h"
#include "control/control.h"
#include "kmod-glue/agent.h"
#include "kmod-glue/clock.h"
#include "kmod-glue/footprint.h"
#include "kmod-glue/loop.h"
#include "kmod-glue/manager.h"
#include "kmod-glue/password.h"
#include "kmod-glue/privilege.h"
#include "kmod-glue/syscall_filter.h"
#include "session/identity.h"

VLOG_DEFINE_THIS_MODULE(fdpd)

enum {
	OPT_CONFIG_KEY = UCHAR_MAX + 1, /* The first of N_CONFIG_KEYS. */
	OPT_LAST_CONFIG_KEY = OPT_CONFIG_KEY + N_CONFIG_KEYS,
	OPT_SECCOMP,
	VLOG_OPTION_ENUMS,
	DAEMON_OPTION_ENUMS
};

enum {
	WANTED_FILES = 65536, /* A descriptor per port and connection. */
	MAX_OPTIONS = 64,
	FIRST_UNPRIVILEGED_PORT = 1024
};

struct options {
	struct config config;
	char *name; /* Of this host. */
	bool verbosity_given;
	enum syscall_filter filter;
};

struct daemon {
	struct options options;
	struct agent *agent;
	struct svec unprotected; /* Against what, in a line each. */
	struct loop *loop;
	struct manager_socket *kept; /* From the run before. */
	size_t n_kept;

	/* Reading the passwords: at the start, and again. */
	char *password_path;	      /* NULL: no encryption. */
	size_t n_passwords;	      /* Accepted at the start. */
	struct password_job *reading; /* NULL: not now. */
	struct unixctl_conn *waiting; /* Who asked for it, or NULL. */
	bool read_again;	      /* Asked for while it was under way... */
	struct unixctl_conn *next;    /* ...by whom, or NULL. */

	uint64_t begin_us, password_us; /* When it began, and to read. */
	bool ready;
};

static volatile sig_atomic_t stop_signal;
static volatile sig_atomic_t hangup_signal;
static int signal_fds[2]; /* A pipe, so that poll() wakes. */
static bool exiting;

/* ---- options ---------------------------------------------------------- */

static void set_directories(const char *run_dir)
{
	setenv("OVS_RUNDIR", run_dir, 1);
	setenv("OVS_LOGDIR", "/var/log", 0);
}

static void usage(const struct config *defaults)
{
	struct ds ds = DS_EMPTY_INITIALIZER;

	set_directories(defaults->run_dir);
	printf("%s: encrypted overlay network on the Open vSwitch kernel "
	       "datapath\n"
	       "usage: %s [OPTION]...\n\n"
	       "Settings (in a file: `key = value`, without the dashes):\n",
	       program_name, program_name);
	config_help(&ds);
	fputs(ds_cstr(&ds), stdout);
	ds_destroy(&ds);
	daemon_usage();
	vlog_usage();
	printf("\nOther options:\n"
	       "  --seccomp=on|off|kill       what to do about system calls that "
	       "are not on the list\n"
	       "                              of fdpd: refuse, nothing, die "
	       "(default: on)\n"
	       "  -h, --help                  display this help message\n"
	       "  -V, --version               display version information\n"
	       "\nfdpctl(8) talks to the running daemon.\n");
	exit(EXIT_SUCCESS);
}

/* The settings' options, the library's, ours. */
static struct option *make_options(void)
{
	static const struct option others[] = {
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{"seccomp", required_argument, NULL, OPT_SECCOMP},
		DAEMON_LONG_OPTIONS,
		VLOG_LONG_OPTIONS,
	};
	struct option *options = xcalloc(MAX_OPTIONS, sizeof *options);
	size_t n = 0;

	BUILD_ASSERT_DECL(N_CONFIG_KEYS + ARRAY_SIZE(others) < MAX_OPTIONS);
	for (unsigned int key = 0; key < N_CONFIG_KEYS; key++) {
		struct option *o = &options[n++];

		o->name = config_key_name(key);
		o->has_arg = config_key_is_flag(key) ? no_argument
						     : required_argument;
		o->val = OPT_CONFIG_KEY + (int)key;
	}
	memcpy(&options[n], others, sizeof others);
	return options;
}

static void set_from_option(struct config *config, enum config_key key,
			    const char *value)
{
	struct ds why = DS_EMPTY_INITIALIZER;

	if (config_set(config, key, value ? value : "true", &why)) {
		ovs_fatal(0, "--%s: %s", config_key_name(key), ds_cstr(&why));
	}
	ds_destroy(&why);
}

static void read_config_file(struct config *config, const char *path)
{
	struct ds why = DS_EMPTY_INITIALIZER;
	char *text = xmalloc(CONFIG_MAX_FILE + 1);
	FILE *file = fopen(path, "re");
	size_t size;

	if (!file) {
		ovs_fatal(errno, "%s: cannot read the configuration", path);
	}
	size = fread(text, 1, CONFIG_MAX_FILE + 1, file);
	if (ferror(file)) {
		ovs_fatal(errno, "%s: cannot read the configuration", path);
	}
	fclose(file);
	if (config_parse(config, span_of(text, size), &why)) {
		ovs_fatal(0, "%s: %s", path, ds_cstr(&why));
	}
	free(text);
	ds_destroy(&why);
}

/* The working directory changes when the daemon detaches. */
static void make_absolute(char **path)
{
	if (*path) {
		char *absolute = abs_file_name(NULL, *path);

		free(*path);
		*path = absolute;
	}
}

/* The settings: the command line's over the file's over the defaults. */
static void parse_settings(int argc, char *argv[],
			   const struct option *long_options,
			   const char *short_options, struct config *config)
{
	struct config given;

	config_init(&given);
	for (;;) {
		int c = getopt_long(argc, argv, short_options, long_options,
				    NULL);

		if (c == -1) {
			break;
		} else if (c == 'h') {
			usage(&given);
		} else if (c == 'V') {
			printf("%s %s\n", program_name, FDP_VERSION);
			exit(EXIT_SUCCESS);
		} else if (c == '?') {
			exit(EXIT_FAILURE); /* It is said already. */
		} else if (c >= OPT_CONFIG_KEY && c < OPT_LAST_CONFIG_KEY) {
			set_from_option(&given,
					(enum config_key)(c - OPT_CONFIG_KEY),
					optarg);
		}
	}
	if (optind < argc) {
		ovs_fatal(0, "unexpected argument \"%s\"; try --help",
			  argv[optind]);
	}
	config_init(config);
	if (given.config) {
		read_config_file(config, given.config);
	}
	config_overlay(config, &given);
	config_free(&given);
	make_absolute(&config->password_file);
	make_absolute(&config->state_dir);
	make_absolute(&config->run_dir);
}

/* libopenvswitch's own options, once its directories are known. */
static void parse_library_options(int argc, char *argv[],
				  const struct option *long_options,
				  const char *short_options,
				  struct options *options)
{
	optind = 0;
	opterr = 0;
	/* fdpctl and ovs-appctl find the control socket by it. */
	set_pidfile(NULL);
	for (;;) {
		int c = getopt_long(argc, argv, short_options, long_options,
				    NULL);

		if (c == -1) {
			break;
		}
		if (c == 'v') {
			options->verbosity_given = true;
		}
		switch (c) {
		case OPT_SECCOMP:
			if (syscall_filter_parse(optarg, &options->filter)) {
				ovs_fatal(0, "--seccomp: on, off or kill");
			}
			break;
			DAEMON_OPTION_HANDLERS
			VLOG_OPTION_HANDLERS
		default:
			break;
		}
	}
}

/* Linux has names of one byte more than ours. */
static char *host_name(void)
{
	char whole[HOST_NAME_MAX + 1] = "", name[IDENTITY_NAME_SIZE];

	if (gethostname(whole, sizeof whole) || !*whole) {
		ovs_strlcpy(whole, "unnamed", sizeof whole);
	}
	identity_name_from(whole, name);
	return xstrdup(name);
}

static void make_run_dir(const char *run_dir)
{
	char *copy = xstrdup(run_dir);

	for (char *p = copy + 1; *p; p++) {
		if (*p == '/') {
			*p = '\0';
			if (mkdir(copy, 0755) && errno != EEXIST) {
				break;
			}
			*p = '/';
		}
	}
	free(copy);
	if (mkdir(run_dir, 0750) && errno != EEXIST) {
		ovs_fatal(errno,
			  "%s: cannot make the run directory; give "
			  "another with --run-dir",
			  run_dir);
	}
}

static void parse_options(int argc, char *argv[], struct options *options)
{
	struct option *long_options = make_options();
	char *short_options =
		ovs_cmdl_long_options_to_short_options(long_options);
	struct config *config = &options->config;

	options->filter = SYSCALL_FILTER_REFUSE;
	parse_settings(argc, argv, long_options, short_options, config);
	options->name = config->name ? xstrdup(config->name) : host_name();
	if (config->check_config) {
		struct ds ds = DS_EMPTY_INITIALIZER;

		config_print(config, &ds);
		fputs(ds_cstr(&ds), stdout);
		exit(EXIT_SUCCESS);
	}
	make_run_dir(config->run_dir);
	set_directories(config->run_dir);
	parse_library_options(argc, argv, long_options, short_options, options);
	if (get_detach() && !options->verbosity_given) {
		/* The terminal gets the one line that matters. */
		vlog_set_levels(NULL, VLF_CONSOLE, VLL_OFF);
	}
	free(short_options);
	free(long_options);
}

/* ---- who started us ---------------------------------------------------- */

/* All of the start is done.  Whoever started us hears it only now: what cannot
 * be done with the passwords is an error of the start, too. */
static void be_ready(struct daemon *daemon)
{
	const uint64_t now_us = clock_boottime_us();

	if (daemon->ready) {
		return;
	}
	daemon->ready = true;
	daemonize_complete();
	manager_tell("READY=1");
	footprint_trim();
	if (daemon->password_path) {
		VLOG_INFO("ready after %" PRIu64 " ms; the passwords took "
			  "%" PRIu64 " ms",
			  (now_us - daemon->begin_us) / 1000,
			  (now_us - daemon->password_us) / 1000);
	} else {
		VLOG_INFO("ready after %" PRIu64 " ms",
			  (now_us - daemon->begin_us) / 1000);
	}
}

/* ---- passwords -------------------------------------------------------- */

/* Reads the file, as far as to know that it is good; to stretch what it has
 * takes longer, and the start goes on meanwhile. */
static void begin_passwords(struct daemon *daemon)
{
	struct ds why = DS_EMPTY_INITIALIZER;

	daemon->password_us = clock_boottime_us();
	if (daemon->password_path &&
	    (password_begin(daemon->password_path,
			    daemon->options.config.weak_password,
			    &daemon->reading, &why) ||
	     password_check(daemon->reading, &daemon->n_passwords, &why))) {
		VLOG_FATAL("%s", ds_cstr(&why));
	}
	ds_destroy(&why);
}

/* Answers whoever asked, and the log if it went wrong. */
static void reload_done(struct daemon *daemon, bool ok, const char *text)
{
	if (!ok) {
		VLOG_ERR("%s; the passwords stay as they are", text);
	}
	if (daemon->waiting && ok) {
		unixctl_command_reply(daemon->waiting, text);
	} else if (daemon->waiting) {
		unixctl_command_reply_error(daemon->waiting, text);
	}
	daemon->waiting = NULL;
}

/* Begins to read the password file; 'conn', if not NULL, is answered when that
 * is done. */
static void reload(struct daemon *daemon, struct unixctl_conn *conn)
{
	struct ds why = DS_EMPTY_INITIALIZER;

	if (daemon->reading && conn && daemon->next) {
		unixctl_command_reply_error(conn,
					    "the password file is being read "
					    "just now; try again");
		return;
	}
	if (daemon->reading) {
		/* It may have changed since it was read. */
		daemon->read_again = true;
		daemon->next = conn ? conn : daemon->next;
		return;
	}
	daemon->waiting = conn;
	if (password_begin(daemon->password_path,
			   daemon->options.config.weak_password,
			   &daemon->reading, &why)) {
		reload_done(daemon, false, ds_cstr(&why));
	}
	ds_destroy(&why);
}

static void take_passwords(struct daemon *daemon, const struct hs_slot *slots,
			   size_t n_slots)
{
	char *text;
	bool ok;

	ok = loop_passwords(daemon->loop, slots, n_slots, &text);
	reload_done(daemon, ok, text);
	free(text);
}

static void run_reload(struct daemon *daemon)
{
	struct hs_slot slots[HANDSHAKE_SLOTS_MAX];
	struct ds why = DS_EMPTY_INITIALIZER;
	size_t n_slots = 0;
	int error;

	if (!daemon->reading) {
		return;
	}
	error = password_finish(daemon->reading, slots, &n_slots, &why);
	if (error != EAGAIN) {
		daemon->reading = NULL;
		if (error && !daemon->ready) {
			VLOG_FATAL("%s", ds_cstr(&why));
		} else if (error) {
			reload_done(daemon, false, ds_cstr(&why));
		} else {
			take_passwords(daemon, slots, n_slots);
		}
		be_ready(daemon);
		if (daemon->read_again) {
			struct unixctl_conn *next = daemon->next;

			daemon->read_again = false;
			daemon->next = NULL;
			reload(daemon, next);
		}
	}
	secret_wipe_bytes(slots, sizeof slots);
	ds_destroy(&why);
}

/* ---- signals ---------------------------------------------------------- */

static void on_signal(int number)
{
	int saved_errno = errno;

	if (number == SIGHUP) {
		hangup_signal = 1;
	} else {
		stop_signal = number;
	}
	/* A full pipe wakes as well. */
	(void)!write(signal_fds[1], "", 1);
	errno = saved_errno;
}

/* Takes the signals that libopenvswitch would die of.  Only in the daemon
 * itself: a monitor process keeps the library's. */
static void catch_signals(void)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
	struct sigaction action;

	xpipe_nonblocking(signal_fds);
	memset(&action, 0, sizeof action);
	action.sa_handler = on_signal;
	action.sa_flags = SA_RESTART;
	sigemptyset(&action.sa_mask);
	fatal_signal_init();
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (sigaction(numbers[i], &action, NULL)) {
			VLOG_FATAL("sigaction: %s", ovs_strerror(errno));
		}
	}
}

static void run_signals(struct daemon *daemon)
{
	char buf[64];

	while (read(signal_fds[0], buf, sizeof buf) > 0) {
		continue;
	}
	if (hangup_signal) {
		hangup_signal = 0;
		vlog_reopen_log_file();
		if (daemon->password_path) {
			reload(daemon, NULL);
		}
	}
	if (stop_signal) {
		exiting = true;
	}
}

/* ---- the control socket ----------------------------------------------- */

static void cmd_exit(struct unixctl_conn *conn, int argc OVS_UNUSED,
		     const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
	exiting = true;
	unixctl_command_reply(conn, NULL);
}

static void cmd_reload(struct unixctl_conn *conn, int argc OVS_UNUSED,
		       const char *argv[] OVS_UNUSED, void *daemon_)
{
	struct daemon *daemon = daemon_;

	if (daemon->password_path) {
		reload(daemon, conn);
	} else {
		unixctl_command_reply_error(
			conn, "this host runs without a password; to encrypt, "
			      "restart fdpd with --password-file FILE");
	}
}

static void cmd_fdp(struct unixctl_conn *conn, int argc, const char *argv[],
		    void *daemon_)
{
	struct daemon *daemon = daemon_;
	const char *name = argv[0] + strlen("fdp/");
	struct json *args = NULL;
	char *text;

	if (argc > 1) {
		args = json_from_string(argv[1]);
		if (args->type != JSON_OBJECT) {
			json_destroy(args);
			unixctl_command_reply_error(
				conn, "the argument must be a JSON object");
			return;
		}
	}
	if (loop_command(daemon->loop, name, args, &text)) {
		unixctl_command_reply(conn, text);
	} else {
		unixctl_command_reply_error(conn, text);
	}
	free(text);
	json_destroy(args);
}

static void register_commands(struct daemon *daemon)
{
	unixctl_command_register("exit", "", 0, 0, cmd_exit, NULL);
	for (unsigned int i = 0; i < N_CONTROL_COMMANDS; i++) {
		char *name = xasprintf("fdp/%s", control_name(i));

		unixctl_command_register(
			name, "[JSON-OBJECT]", 0, 1,
			i == CONTROL_RELOAD ? cmd_reload : cmd_fdp, daemon);
		free(name);
	}
}

/* ---- the process ------------------------------------------------------ */

static void limit_process(void)
{
	static const struct rlimit no_core = {0, 0};
	struct rlimit files;

	/* Keys are in our memory: no core files, no ptrace by equals, and no
	 * program of ours ever gains rights. */
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)!setrlimit(RLIMIT_CORE, &no_core);
	if (!getrlimit(RLIMIT_NOFILE, &files) &&
	    files.rlim_cur < WANTED_FILES) {
		files.rlim_cur = MIN(files.rlim_max, WANTED_FILES);
		(void)!setrlimit(RLIMIT_NOFILE, &files);
	}
}

static void note_unprotected(struct daemon *daemon, struct ds *why)
{
	svec_add(&daemon->unprotected, ds_cstr(why));
	ds_clear(why);
}

/* From here on we read what strangers send, so what needs more than
 * CAP_NET_ADMIN and a list of system calls is left to another process.  Before
 * anything is opened: what works now works again when all has to be opened
 * anew.  A machine where it cannot be done gets a network all the same. */
static void drop_privileges(struct daemon *daemon)
{
	uint64_t keep = UINT64_C(1) << CAP_NET_ADMIN;
	uint16_t port = daemon->options.config.port;
	struct ds why = DS_EMPTY_INITIALIZER;

	if (agent_start((uint16_t)(port + 1), daemon->password_path,
			&daemon->agent, &why)) {
		VLOG_FATAL("%s", ds_cstr(&why));
	}
	if (privilege_lock_memory(&why)) {
		note_unprotected(daemon, &why);
	}
	if (port < FIRST_UNPRIVILEGED_PORT) {
		keep |= UINT64_C(1) << CAP_NET_BIND_SERVICE;
	}
	if (privilege_keep(keep, &why)) {
		note_unprotected(daemon, &why);
	}
	if (syscall_filter_install(daemon->options.filter, &why)) {
		note_unprotected(daemon, &why);
	}
	ds_destroy(&why);
}

static void find_password_file(struct daemon *daemon)
{
	const struct config *config = &daemon->options.config;

	daemon->password_path = config->password_file
					? xstrdup(config->password_file)
					: password_credential();
}

static void warn_not_encrypted(void)
{
	static const char text[] =
		"NOT ENCRYPTED: everybody can join this network, and all "
		"traffic between hosts is in the clear; --password-file FILE "
		"encrypts";

	VLOG_WARN("%s", text);
	if (get_detach()) {
		/* The log goes elsewhere; who starts us should know. */
		fprintf(stderr, "%s: %s\n", program_name, text);
	}
}

/* Is it the control socket of a process that is no more? */
static bool is_stale_socket(const char *name)
{
	static const char prefix[] = "fdpd.", suffix[] = ".ctl";
	size_t size = strlen(name);
	bool stale = false;
	char *number;
	int pid;

	if (size <= strlen(prefix) + strlen(suffix) ||
	    strncmp(name, prefix, strlen(prefix)) ||
	    strcmp(name + size - strlen(suffix), suffix)) {
		return false;
	}
	number = xmemdup0(name + strlen(prefix),
			  size - strlen(prefix) - strlen(suffix));
	if (str_to_int(number, 10, &pid) && pid > 0) {
		stale = kill(pid, 0) && errno == ESRCH;
	}
	free(number);
	return stale;
}

/* A daemon that was killed leaves its control socket behind. */
static void remove_stale_sockets(const char *run_dir)
{
	DIR *dir = opendir(run_dir);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (is_stale_socket(entry->d_name)) {
			(void)!unlinkat(dirfd(dir), entry->d_name, 0);
		}
	}
	if (dir) {
		closedir(dir);
	}
}

static int open_loop(struct daemon *daemon, struct ds *why)
{
	struct loop_config lc = {.config = &daemon->options.config,
				 .name = daemon->options.name,
				 .version = FDP_VERSION,
				 .encrypt = daemon->password_path != NULL,
				 .agent = daemon->agent,
				 .kept = daemon->kept,
				 .n_kept = daemon->n_kept};

	return loop_open(&lc, &daemon->loop, why);
}

static void say_hello(const struct daemon *daemon)
{
	const struct options *options = &daemon->options;
	const bool in_user = loop_is_in_user_space(daemon->loop);

	VLOG_INFO("%s %s (id %s): control on TCP port %u, %s on UDP port %d, "
		  "%s",
		  options->name, FDP_VERSION, loop_id(daemon->loop),
		  options->config.port, in_user ? "sleeve" : "VXLAN",
		  options->config.port + (in_user ? 0 : 1),
		  !daemon->password_path ? "NOT ENCRYPTED"
		  : in_user		 ? "encrypted"
					 : "encrypted with AES-256-GCM (ESP)");
	for (size_t i = 0; i < daemon->unprotected.n; i++) {
		VLOG_WARN("%s", daemon->unprotected.names[i]);
	}
	if (daemon->n_passwords > 1) {
		VLOG_INFO("two passwords are accepted; the first is used when "
			  "connecting");
	}
	if (!daemon->password_path) {
		warn_not_encrypted();
	}
}

static void run(struct daemon *daemon, struct unixctl_server *unixctl)
{
	while (!exiting && !loop_fatal(daemon->loop)) {
		/* First of all, as packets may be waiting. */
		loop_run(daemon->loop);
		run_signals(daemon);
		unixctl_server_run(unixctl);
		run_reload(daemon);
		loop_wait(daemon->loop);
		unixctl_server_wait(unixctl);
		poll_fd_wait(signal_fds[0], POLLIN);
		if (daemon->reading) {
			poll_fd_wait(password_fd(daemon->reading), POLLIN);
		}
		if (exiting || loop_fatal(daemon->loop)) {
			poll_immediate_wake();
		}
		poll_block();
	}
}

int main(int argc, char *argv[])
{
	struct unixctl_server *unixctl;
	struct ds why = DS_EMPTY_INITIALIZER;
	struct daemon daemon;
	int error;

	memset(&daemon, 0, sizeof daemon);
	daemon.begin_us = clock_boottime_us();
	svec_init(&daemon.unprotected);
	daemon.n_kept = manager_inherit(&daemon.kept);

	ovs_cmdl_proctitle_init(argc, argv);
	ovs_set_program_name(argv[0], FDP_VERSION);
	parse_options(argc, argv, &daemon.options);
	if (password_check_environment(&why)) {
		ovs_fatal(0, "%s", ds_cstr(&why));
	}
	if (sodium_init() < 0) {
		ovs_fatal(0, "libsodium does not work on this machine");
	}
	fatal_ignore_sigpipe();
	daemonize_start(false);
	catch_signals();
	limit_process();
	find_password_file(&daemon);
	drop_privileges(&daemon);

	remove_stale_sockets(daemon.options.config.run_dir);
	begin_passwords(&daemon);
	if (open_loop(&daemon, &why)) {
		VLOG_FATAL("%s", ds_cstr(&why));
	}
	say_hello(&daemon);
	error = unixctl_server_create(NULL, &unixctl);
	if (error) {
		VLOG_FATAL("%s: cannot make the control socket (%s)",
			   daemon.options.config.run_dir, ovs_strerror(error));
	}
	register_commands(&daemon);
	if (daemon.reading) {
		VLOG_INFO("serving after %" PRIu64 " ms; connections wait for "
			  "the passwords",
			  (clock_boottime_us() - daemon.begin_us) / 1000);
	} else {
		be_ready(&daemon);
	}
	run(&daemon, unixctl);

	manager_tell("STOPPING=1");
	if (loop_fatal(daemon.loop)) {
		VLOG_FATAL("%s", loop_fatal(daemon.loop));
	}
	loop_stop(daemon.loop);
	VLOG_INFO("stopped; %s, `fdpctl reset` removes everything",
		  loop_is_in_user_space(daemon.loop)
			  ? "containers wait for the next start"
			  : "the kernel goes on forwarding");
	password_cancel(daemon.reading);
	unixctl_server_destroy(unixctl);
	loop_free(daemon.loop);
	agent_stop(daemon.agent);
	svec_destroy(&daemon.unprotected);
	free(daemon.password_path);
	free(daemon.kept);
	free(daemon.options.name);
	config_free(&daemon.options.config);
	ds_destroy(&why);
	return EXIT_SUCCESS;
}
