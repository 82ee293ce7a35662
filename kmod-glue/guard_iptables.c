#include "kmod-glue/guard_iptables.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

enum {
	MAX_OUTPUT = 16 * 1024 * 1024
};

/* IPv4 and IPv6. */
static const struct family {
	const char *legacy, *plain; /* "-restore" goes behind. */
	int domain, level, get_info;
	const char *tables;   /* Lists the tables that are in use. */
	const char *presence; /* There if the kernel has the family. */
	const char *module;
} families[] = {
	{"/usr/sbin/iptables-legacy", "/usr/sbin/iptables", AF_INET, IPPROTO_IP,
	 IPT_SO_GET_INFO, "/proc/net/ip_tables_names", "/proc/net/arp",
	 "ip_tables"},
	{"/usr/sbin/ip6tables-legacy", "/usr/sbin/ip6tables", AF_INET6,
	 IPPROTO_IPV6, IP6T_SO_GET_INFO, "/proc/net/ip6_tables_names",
	 "/proc/net/if_inet6", "ip6_tables"},
};

/* The size of table mangle, which tells most changes. */
struct size {
	bool known;
	unsigned int n_entries, bytes;
};

struct guard_iptables {
	bool put;
	struct size size[ARRAY_SIZE(families)];
	struct ds rules[ARRAY_SIZE(families)]; /* That were put. */
};

struct guard_iptables *guard_iptables_new(void)
{
	struct guard_iptables *g = xzalloc(sizeof *g);

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		ds_init(&g->rules[i]);
	}
	return g;
}

void guard_iptables_free(struct guard_iptables *g)
{
	for (size_t i = 0; g && i < ARRAY_SIZE(families); i++) {
		ds_destroy(&g->rules[i]);
	}
	free(g);
}

/* ---- running a program ------------------------------------------------ */

static int spawn(const char *path, char *const argv[], int in, int out,
		 pid_t *pid)
{
	static char path_variable[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	static char locale[] = "LC_ALL=C";
	static char *const environment[] = {path_variable, locale, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, pipe;
	int error;

	sigemptyset(&none);
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE); /* We ignore it. */
	error = posix_spawn_file_actions_init(&actions);
	if (error) {
		return error;
	}
	error = posix_spawnattr_init(&attr);
	if (error) {
		posix_spawn_file_actions_destroy(&actions);
		return error;
	}
	if (!(error = posix_spawn_file_actions_adddup2(&actions, in, 0)) &&
	    !(error = posix_spawn_file_actions_adddup2(&actions, out, 1)) &&
	    !(error = posix_spawn_file_actions_adddup2(&actions, out, 2)) &&
	    !(error = posix_spawnattr_setsigmask(&attr, &none)) &&
	    !(error = posix_spawnattr_setsigdefault(&attr, &pipe)) &&
	    !(error = posix_spawnattr_setflags(
		      &attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))) {
		error = posix_spawn(pid, path, &actions, &attr, argv,
				    environment);
	}
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return errno;
		}
	}
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : EINVAL;
}

static int write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t n = write(fd, text, left);

		if (n < 0 && errno != EINTR) {
			return errno;
		} else if (n > 0) {
			text += n;
			left -= (size_t)n;
		}
	}
	return lseek(fd, 0, SEEK_SET) < 0 ? errno : 0;
}

static void read_all(int fd, struct ds *text)
{
	char buf[4096];
	off_t at = 0;
	ssize_t n;

	while (text->length < MAX_OUTPUT &&
	       (n = pread(fd, buf, sizeof buf, at)) > 0) {
		ds_put_buffer(text, buf, (size_t)n);
		at += n;
	}
}

/* A program that runs. */
struct child {
	pid_t pid;
	int in, out;
};

static void close_child(const struct child *child)
{
	if (child->in >= 0) {
		close(child->in);
	}
	if (child->out >= 0) {
		close(child->out);
	}
}

/* Starts 'argv' with 'input'.  It waits for others who hold the lock of
 * xtables, but not long. */
static int child_start(struct child *child, char *const argv[],
		       const char *input)
{
	int error = 0;

	child->in = memfd_create("in", MFD_CLOEXEC);
	child->out = memfd_create("out", MFD_CLOEXEC);
	if (child->in < 0 || child->out < 0) {
		error = errno;
	} else {
		error = write_all(child->in, input);
	}
	if (!error) {
		error = spawn(argv[0], argv, child->in, child->out,
			      &child->pid);
	}
	if (error) {
		close_child(child);
	}
	return error;
}

/* Waits for it; what it printed is appended to 'output'. */
static int child_finish(const struct child *child, struct ds *output)
{
	int error = wait_for(child->pid);

	read_all(child->out, output);
	close_child(child);
	return error;
}

static int run(char *const argv[], const char *input, struct ds *output)
{
	struct child child;
	int error = child_start(&child, argv, input);

	return error ? error : child_finish(&child, output);
}

static const char *program(const struct family *f)
{
	return access(f->legacy, X_OK) ? f->plain : f->legacy;
}

/* All rules of a table as `iptables -S` prints them. */
static int list(const struct family *f, const char *table, struct ds *output)
{
	char *path = xstrdup(program(f));
	char *table_arg = xstrdup(table);
	char *const argv[] = {
		path,	   (char[]){"-w"}, (char[]){"2"}, (char[]){"-t"},
		table_arg, (char[]){"-S"}, NULL};
	int error = run(argv, "", output);

	free(path);
	free(table_arg);
	return error;
}

/* All tables that are in use; it has the lines of list(), but for those of
 * chains. */
static int save_start(const struct family *f, struct child *child)
{
	char *path = xasprintf("%s-save", program(f));
	char *const argv[] = {path, NULL};
	int error = child_start(child, argv, "");

	free(path);
	return error;
}

static int restore_start(const struct family *f, const char *input,
			 struct child *child)
{
	char *path = xasprintf("%s-restore", program(f));
	char *const argv[] = {path, (char[]){"-w"}, (char[]){"2"},
			      (char[]){"--noflush"}, NULL};
	int error = child_start(child, argv, input);

	free(path);
	return error;
}

static int restore(const struct family *f, const char *input, struct ds *output)
{
	struct child child;
	int error = restore_start(f, input, &child);

	return error ? error : child_finish(&child, output);
}

void guard_iptables_load_modules(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		const struct family *f = &families[i];
		struct ds unused = DS_EMPTY_INITIALIZER;
		char *module = xstrdup(f->module);
		char *const argv[] = {(char[]){"/sbin/modprobe"},
				      (char[]){"-q"}, module, NULL};

		if (access(f->tables, F_OK) && !access(f->presence, F_OK)) {
			(void)!run(argv, "", &unused);
		}
		free(module);
		ds_destroy(&unused);
	}
}

/* ---- rules ------------------------------------------------------------ */

static bool has_line(const char *text, const char *line, size_t length)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		if (n == length && !memcmp(text, line, n)) {
			return true;
		}
		text += n + (text[n] == '\n');
	}
	return false;
}

static bool has(const struct ds *listing, const char *line)
{
	return has_line(ds_cstr_ro(listing), line, strlen(line));
}

/* Are all lines of 'rules' in 'listing'? */
static bool has_all(const struct ds *listing, const char *rules)
{
	while (*rules) {
		size_t n = strcspn(rules, "\n");

		if (!has_line(ds_cstr_ro(listing), rules, n)) {
			return false;
		}
		rules += n + (rules[n] == '\n');
	}
	return true;
}

/* Our chains, and from where they are called. */
static const struct call {
	const char *table, *hook, *chain;
} calls[] = {
	{"mangle", "OUTPUT", GUARD_CHAIN_OUT},
	{"mangle", "INPUT", GUARD_CHAIN_IN},
	{"raw", "OUTPUT", GUARD_CHAIN_UNTRACKED},
	{"raw", "PREROUTING", GUARD_CHAIN_UNTRACKED},
};

/* The first one of 'table' behind 'c', or of all if that is NULL. */
static const struct call *next_call(const struct call *c, const char *table)
{
	for (c = c ? c + 1 : calls; c < calls + ARRAY_SIZE(calls); c++) {
		if (!strcmp(c->table, table)) {
			return c;
		}
	}
	return NULL;
}

static bool has_call(const struct ds *listing, const struct call *c)
{
	char *line = xasprintf("-A %s -j %s", c->hook, c->chain);
	bool found = has(listing, line);

	free(line);
	return found;
}

static bool has_chain(const struct ds *listing, const struct call *c)
{
	char *line = xasprintf("-N %s", c->chain);
	bool found = has(listing, line);

	free(line);
	return found;
}

/* For restore(): a table is written as a whole, so there is no moment
 * without.  'listing' is of now. */
static void table_input(const char *table, const char *rules,
			const struct ds *listing, struct ds *input)
{
	const struct call *c;

	ds_put_format(input, "*%s\n", table);
	for (c = NULL; (c = next_call(c, table));) {
		/* Also empties one that is there. */
		ds_put_format(input, ":%s - [0:0]\n", c->chain);
	}
	ds_put_cstr(input, rules);
	for (c = NULL; (c = next_call(c, table));) {
		if (!has_call(listing, c)) {
			ds_put_format(input, "-I %s 1 -j %s\n", c->hook,
				      c->chain);
		}
	}
	ds_put_cstr(input, "COMMIT\n");
}

static int del_table(const struct family *f, const char *table, struct ds *why)
{
	struct ds listing = DS_EMPTY_INITIALIZER;
	struct ds input = DS_EMPTY_INITIALIZER;
	const char *last = "";
	const struct call *c;
	int error = list(f, table, &listing);

	if (error) {
		ds_put_cstr(why, ds_cstr(&listing));
		goto out;
	}
	ds_put_format(&input, "*%s\n", table);
	for (c = NULL; (c = next_call(c, table));) {
		if (has_call(&listing, c)) {
			ds_put_format(&input, "-D %s -j %s\n", c->hook,
				      c->chain);
		}
	}
	for (c = NULL; (c = next_call(c, table));) {
		if (has_chain(&listing, c) && strcmp(c->chain, last)) {
			ds_put_format(&input, "-F %s\n-X %s\n", c->chain,
				      c->chain);
			last = c->chain;
		}
	}
	ds_put_cstr(&input, "COMMIT\n");
	error = restore(f, ds_cstr(&input), why);
out:
	ds_destroy(&listing);
	ds_destroy(&input);
	return error;
}

/* Only a table that is in use is looked at: to list one loads its module. */
static bool has_table(const struct family *f, const char *table)
{
	struct ds names = DS_EMPTY_INITIALIZER;
	int fd = open(f->tables, O_RDONLY | O_CLOEXEC);
	char buf[256];
	ssize_t n;
	bool found;

	if (fd < 0) {
		return false;
	}
	while ((n = read(fd, buf, sizeof buf)) > 0) {
		ds_put_buffer(&names, buf, (size_t)n);
	}
	close(fd);
	found = has(&names, table);
	ds_destroy(&names);
	return found;
}

static bool is_ours_in(const struct family *f, const char *table)
{
	struct ds listing = DS_EMPTY_INITIALIZER;
	const struct call *c;
	bool found = false;

	if (has_table(f, table) && !list(f, table, &listing)) {
		for (c = NULL; (c = next_call(c, table));) {
			found |= has_chain(&listing, c);
		}
	}
	ds_destroy(&listing);
	return found;
}

static struct size table_size(const struct family *f)
{
	/* Of IPv4 and IPv6 alike. */
	struct ipt_getinfo info = {.name = "mangle"};
	struct size size = {.known = false};
	socklen_t length = sizeof info;
	int fd = socket(f->domain, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	BUILD_ASSERT_DECL(sizeof(struct ipt_getinfo) ==
			  sizeof(struct ip6t_getinfo));
	if (fd < 0) {
		return size;
	}
	if (!getsockopt(fd, f->level, f->get_info, &info, &length)) {
		size.known = true;
		size.n_entries = info.num_entries;
		size.bytes = info.size;
	}
	close(fd);
	return size;
}

/* ---- the whole -------------------------------------------------------- */

/* What it said, as one line. */
static void tidy(struct ds *why, const char *program_, int error)
{
	char *text = ds_steal_cstr(why);

	ds_init(why);
	text[strcspn(text, "\n")] = '\0';
	ds_put_format(why, "%s: %s", program_,
		      *text ? text : ovs_strerror(error));
	free(text);
}

/* A family that is being put. */
struct put {
	const struct family *f;
	const char *mangle, *raw;
	struct child child;
	struct ds said; /* By the program. */
	int error;
};

static void put_look(struct put *put)
{
	ds_clear(&put->said);
	put->error = save_start(put->f, &put->child);
}

/* 'raw' may be NULL. */
static void put_write(struct put *put, const char *raw)
{
	struct ds input = DS_EMPTY_INITIALIZER;

	if (!put->error) {
		put->error = child_finish(&put->child, &put->said);
	}
	if (!put->error) {
		table_input("mangle", put->mangle, &put->said, &input);
		if (raw) {
			table_input("raw", raw, &put->said, &input);
		}
		ds_clear(&put->said);
		put->error =
			restore_start(put->f, ds_cstr(&input), &put->child);
	}
	ds_destroy(&input);
}

static void put_finish(struct put *put)
{
	if (!put->error) {
		put->error = child_finish(&put->child, &put->said);
	}
}

/* Was there somebody else all the time? */
static bool was_locked(const struct put *put)
{
	return put->error && strstr(ds_cstr_ro(&put->said), "xtables lock");
}

/* The table raw is nice to have: without, packets are merely tracked.  Which
 * of both was refused is not told, and mangle may be written already.  But
 * where others had the lock nothing was refused: that is tried as a whole, and
 * if they still have it, it is the caller who tries again. */
static void put_again(struct put *put)
{
	const char *raw = was_locked(put) ? put->raw : NULL;

	put_look(put);
	put_write(put, raw);
	put_finish(put);
}

/* Each step for both families, so that their programs run side by side. */
static int put_all(struct put *puts, size_t n, struct ds *why)
{
	for (size_t i = 0; i < n; i++) {
		put_look(&puts[i]);
	}
	for (size_t i = 0; i < n; i++) {
		put_write(&puts[i], puts[i].raw);
	}
	for (size_t i = 0; i < n; i++) {
		put_finish(&puts[i]);
	}
	for (size_t i = 0; i < n; i++) {
		if (puts[i].error) {
			put_again(&puts[i]);
		}
		if (puts[i].error) {
			ds_put_cstr(why, ds_cstr(&puts[i].said));
			tidy(why, program(puts[i].f), puts[i].error);
			return puts[i].error;
		}
	}
	return 0;
}

int guard_iptables_put(struct guard_iptables *g,
		       const struct guard_rules *rules, struct ds *why)
{
	struct put puts[ARRAY_SIZE(families)];
	struct ds raw = DS_EMPTY_INITIALIZER;
	size_t n = 0;
	int error;

	guard_rules_raw(rules, &raw);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		ds_clear(&g->rules[i]);
		/* A size taken now might be that of what somebody changed
		 * after us: the first look is a thorough one. */
		g->size[i].known = false;
		if (access(families[i].presence, F_OK)) {
			continue;
		}
		guard_rules_mangle(rules, i == 1, &g->rules[i]);
		memset(&puts[n], 0, sizeof puts[n]);
		puts[n].f = &families[i];
		puts[n].mangle = ds_cstr(&g->rules[i]);
		puts[n].raw = ds_cstr(&raw);
		ds_init(&puts[n++].said);
	}
	error = put_all(puts, n, why);
	g->put = !error;
	for (size_t i = 0; i < n; i++) {
		ds_destroy(&puts[i].said);
	}
	ds_destroy(&raw);
	return error;
}

int guard_iptables_del(struct guard_iptables *g, struct ds *why)
{
	static const char *const tables[] = {"mangle", "raw"};

	g->put = false;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(tables); j++) {
			int error;

			if (!is_ours_in(&families[i], tables[j])) {
				continue;
			}
			ds_clear(why);
			error = del_table(&families[i], tables[j], why);
			if (error) {
				tidy(why, program(&families[i]), error);
				return error;
			}
		}
	}
	return 0;
}

bool guard_iptables_find(struct guard_iptables *g OVS_UNUSED)
{
	return is_ours_in(&families[0], "mangle") ||
	       is_ours_in(&families[1], "mangle");
}

static bool is_intact(const struct guard_iptables *g, size_t i)
{
	struct ds listing = DS_EMPTY_INITIALIZER;
	const struct call *c;
	bool intact = true;

	if (list(&families[i], "mangle", &listing)) {
		ds_destroy(&listing);
		return true; /* It cannot be told. */
	}
	for (c = NULL; (c = next_call(c, "mangle"));) {
		intact &= has_call(&listing, c);
	}
	intact &= has_all(&listing, ds_cstr_ro(&g->rules[i]));
	ds_destroy(&listing);
	return intact;
}

bool guard_iptables_changed(struct guard_iptables *g)
{
	for (size_t i = 0; g->put && i < ARRAY_SIZE(families); i++) {
		struct size now;

		if (!g->rules[i].length) {
			continue;
		}
		now = table_size(&families[i]);
		if (now.known == g->size[i].known &&
		    now.n_entries == g->size[i].n_entries &&
		    now.bytes == g->size[i].bytes && now.known) {
			continue;
		}
		g->size[i] = now;
		if (!is_intact(g, i)) {
			g->put = false;
			return true;
		}
	}
	return false;
}
