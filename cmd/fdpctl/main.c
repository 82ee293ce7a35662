#include "fdpctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/util.h"
#include "openvswitch/vlog.h"
#include "util.h"

#include "control/reply.h"

static const struct arg global_args[] = {
	{"run-dir", "run_dir", ARG_TEXT, 0, 0, 0, "DIR",
	 "the daemon's pid file and socket are here (/run/fdpd)"},
	{"datapath", "datapath", ARG_IFNAME, 0, 0, 0, "NAME",
	 "the datapath to read from the kernel (fdp)"},
	{"json", "json", ARG_FLAG, 0, 0, 0, NULL, "print a JSON object"},
	{"help", "help", ARG_FLAG, 0, 0, 0, NULL, "print help; also -h"},
	{"version", "version", ARG_FLAG, 0, 0, 0, NULL, "print the version"},
};

static const struct arg connect_args[] = {
	{"replace", "replace", ARG_FLAG, 0, 0, 0, NULL,
	 "forget all hosts that were named before and are not now"},
	{NULL, "addresses", ARG_ENDPOINT, ARG_REQUIRED | ARG_REPEATED, 0, 0,
	 "ADDR[:PORT]", "another host, by IPv4 or IPv6 address"},
};

static const struct arg why_args[] = {
	{NULL, "peer", ARG_TEXT, ARG_REQUIRED, 0, 0, "PEER",
	 "the other host, by name, id or address"},
};

static const struct arg forget_args[] = {
	{NULL, "address", ARG_TEXT, ARG_REQUIRED, 0, 0, "PEER",
	 "the other host, by address (ADDR[:PORT]), name or id"},
};

static const struct arg rekey_args[] = {
	{NULL, "peer", ARG_TEXT, 0, 0, 0, "PEER",
	 "the other host, by name, id or address; all of them without"},
};

static const struct arg peers_args[] = {
	{"forget-key", "name", ARG_TEXT, 0, 0, 0, "NAME",
	 "instead, forget the identity key of the host of this name or id"},
};

static const struct arg attach_args[] = {
	{"netns", "netns", ARG_TEXT, 0, 0, 0, "NAME",
	 "the network namespace, a name of ip-netns(8) or a path"},
	{"pid", "pid", ARG_NUMBER, 0, 1, 0x7fffffff, "PID",
	 "the network namespace of this process"},
	{"address", "addresses", ARG_PREFIX, ARG_REQUIRED | ARG_REPEATED, 0, 0,
	 "CIDR", "an address of it, like 10.32.0.2/12"},
	{"ifname", "ifname", ARG_IFNAME, 0, 0, 0, "NAME",
	 "what the interface is called in there (eth0)"},
	{"mac", "mac", ARG_MAC_OWN, 0, 0, 0, "MAC",
	 "its MAC address (one is made up)"},
	{"network", "network", ARG_NUMBER, 0, 1, 0xffffff, "VNI",
	 "the network it joins (1)"},
};

static const struct arg detach_args[] = {
	{"netns", "netns", ARG_TEXT, 0, 0, 0, "NAME",
	 "as given to fdpctl attach, or as fdpctl ports shows it"},
	{"pid", "pid", ARG_NUMBER, 0, 1, 0x7fffffff, "PID",
	 "the network namespace of this process"},
	{"ifname", "ifname", ARG_IFNAME, 0, 0, 0, "NAME",
	 "the interface in there (eth0)"},
	{NULL, "host_ifname", ARG_IFNAME, 0, 0, 0, "HOST-END",
	 "instead of these: the host end that fdpctl ports shows"},
};

static const struct arg expose_args[] = {
	{NULL, "addresses", ARG_PREFIX, ARG_REQUIRED | ARG_REPEATED, 0, 0,
	 "CIDR", "an address for this host, like 10.32.0.1/12"},
	{"ifname", "ifname", ARG_IFNAME, 0, 0, 0, "NAME",
	 "what the interface is called (fdp-host)"},
	{"mac", "mac", ARG_MAC_OWN, 0, 0, 0, "MAC",
	 "its MAC address (one is made up)"},
	{"network", "network", ARG_NUMBER, 0, 1, 0xffffff, "VNI",
	 "the network it joins (1)"},
};

static const struct arg hide_args[] = {
	{NULL, "addresses", ARG_PREFIX, ARG_REPEATED, 0, 0, "CIDR",
	 "what was exposed; all of it without"},
};

static const struct arg flows_args[] = {
	{"port", "port", ARG_PORT, 0, 0, 0, "PORT",
	 "only flows from this port, by number or name"},
	{"peer", "peer", ARG_TEXT, 0, 0, 0, "PEER",
	 "only flows to or from this peer, by name or address"},
	{"mac", "mac", ARG_MAC, 0, 0, 0, "MAC",
	 "only flows from or to this MAC address"},
};

static const struct arg trace_args[] = {
	{"port", "port", ARG_PORT, ARG_REQUIRED, 0, 0, "PORT",
	 "where the packet comes in: a port's number or name"},
	{"src", "eth_src", ARG_MAC, ARG_REQUIRED, 0, 0, "MAC", "source MAC"},
	{"dst", "eth_dst", ARG_MAC, ARG_REQUIRED, 0, 0, "MAC",
	 "destination MAC"},
	{"type", "eth_type", ARG_ETH_TYPE, 0, 0, 0, "TYPE",
	 "ip, ipv6, arp or a number (by what else is given)"},
	{"ip-src", "ip_src", ARG_IP, 0, 0, 0, "IP",
	 "source address; of ARP, the sender's"},
	{"ip-dst", "ip_dst", ARG_IP, 0, 0, 0, "IP",
	 "destination address; of ARP, the one asked for"},
	{"ip-proto", "ip_proto", ARG_IP_PROTO, 0, 0, 0, "PROTO",
	 "icmp, tcp, udp, icmpv6, sctp or a number"},
	{"tp-src", "tp_src", ARG_NUMBER, 0, 0, 65535, "PORT",
	 "source port, or ICMP type"},
	{"tp-dst", "tp_dst", ARG_NUMBER, 0, 0, 65535, "PORT",
	 "destination port, or ICMP code"},
	{"arp-op", "arp_op", ARG_NUMBER, 0, 0, 65535, "OP",
	 "1 asks, 2 answers"},
	{"arp-sha", "arp_sha", ARG_MAC, 0, 0, 0, "MAC",
	 "ARP: the sender's MAC"},
	{"arp-tha", "arp_tha", ARG_MAC, 0, 0, 0, "MAC",
	 "ARP: the target's MAC"},
	{"nd-target", "nd_target", ARG_IP, 0, 0, 0, "IP",
	 "neighbour discovery: the address it is about"},
	{"tun-src", "tun_src", ARG_IP, 0, 0, 0, "IP",
	 "from the tunnel: the sending host"},
	{"vni", "vni", ARG_NUMBER, 0, 0, 0xffffff, "VNI",
	 "from the tunnel: the network"},
};

static const struct arg reset_args[] = {
	{"dry-run", "dry_run", ARG_FLAG, 0, 0, 0, NULL,
	 "only list what would be removed"},
};

static const struct arg genpass_args[] = {
	{"check", "check", ARG_TEXT, 0, 0, 0, "FILE",
	 "instead, verify the checksum of the password in FILE"},
};

#define ARGS(TABLE) TABLE, ARRAY_SIZE(TABLE)
#define NO_ARGS	    NULL, 0

static const struct command commands[] = {
	{"status", NULL, run_status, NO_ARGS,
	 "is everything as it should be on this host?",
	 "Exit status 2 if degraded, 3 if down."},
	{"status connections", "connections", run_connections, NO_ARGS,
	 "the connections to other hosts, and what is wrong there",
	 "Exit status 2 if one is not established or carries no traffic."},
	{"why", NULL, run_why, ARGS(why_args),
	 "what is wrong with another host, and what to do",
	 "Exit status 2 unless all is well with it."},
	{"attach", NULL, run_attach, ARGS(attach_args),
	 "give a network namespace an interface on the network",
	 "One of --netns and --pid is needed."},
	{"detach", NULL, run_detach, ARGS(detach_args),
	 "take such an interface away again", NULL},
	{"expose", NULL, run_expose, ARGS(expose_args),
	 "give this host itself an interface on the network",
	 "Again with the same addresses, it changes nothing."},
	{"hide", NULL, run_hide, ARGS(hide_args),
	 "take such an interface away again",
	 "What is not exposed is no error."},
	{"ports", NULL, run_ports, NO_ARGS, "the interfaces attached here",
	 NULL},
	{"peers", NULL, run_peers, ARGS(peers_args),
	 "the other hosts and what is attached there",
	 "--forget-key is for a host that was installed anew: the key that it "
	 "shows next is\nthe one that counts from then on."},
	{"connect", NULL, run_connect, ARGS(connect_args),
	 "add hosts to connect to",
	 "With --replace each host that was named before is forgotten, as "
	 "fdpctl forget does\nit; those that other hosts told of stay."},
	{"forget", NULL, run_forget, ARGS(forget_args),
	 "disconnect a host, and drop what it announced", NULL},
	{"rekey", NULL, run_rekey, ARGS(rekey_args),
	 "make new keys for the tunnels, while packets flow", NULL},
	{"reload", NULL, run_reload, NO_ARGS,
	 "read the password file again; connections stay",
	 "The first line is used when connecting, a second one is accepted as "
	 "well.\nStatus tells when nobody needs the second any more."},
	{"flows", NULL, run_flows, ARGS(flows_args),
	 "the kernel's flows, with names; works without the daemon",
	 "Each line is what ovs-dpctl dump-flows prints, then two spaces, "
	 "then names."},
	{"sas", NULL, run_sas, NO_ARGS,
	 "our IPsec state in the kernel; works without the daemon",
	 "Keys are never shown."},
	{"trace", NULL, run_trace, ARGS(trace_args),
	 "what would happen to a packet, and why", NULL},
	{"reset", NULL, run_reset, ARGS(reset_args),
	 "stop the daemon and remove all it made in the kernel",
	 "Containers lose their interfaces.  With no daemon and no policies, "
	 "nothing\nprotects what a later plain tunnel sends."},
	{"genpass", NULL, run_genpass, ARGS(genpass_args),
	 "make a password for the network",
	 "128 random bits, 34 characters with a checksum."},
	{"version", NULL, run_version, NO_ARGS,
	 "versions of this tool and of the running daemon", NULL},
};

enum health fail(const struct context *ctx, enum health health,
		 const char *format, ...)
{
	va_list args;
	char *line;

	va_start(args, format);
	line = xvasprintf(format, args);
	va_end(args);
	if (ctx->json) {
		struct json *object = json_object_create();

		json_object_put_string(object, "error", line);
		finish(ctx, object, NULL);
	}
	fprintf(stderr, "fdpctl: %s\n", line);
	free(line);
	return health;
}

/* Whatever was printed is worth nothing if it did not arrive. */
static enum health flush_output(void)
{
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "fdpctl: cannot write: %s\n",
			ovs_strerror(errno));
		return HEALTH_REFUSED;
	}
	return HEALTH_GOOD;
}

enum health finish(const struct context *ctx, struct json *reply,
		   render_fn *render)
{
	struct ds text = DS_EMPTY_INITIALIZER;

	if (ctx->json || !render) {
		json_to_ds(reply, JSSF_PRETTY | JSSF_SORT, &text);
		ds_put_char(&text, '\n');
	} else {
		render(reply, ctx->colour, &text);
	}
	json_destroy(reply);
	fputs(ds_cstr(&text), stdout);
	ds_destroy(&text);
	return flush_output();
}

static enum health print_usage(void)
{
	struct ds ds = DS_EMPTY_INITIALIZER;
	size_t i;

	ds_put_cstr(&ds, "fdpctl: shows and controls fdpd, the encrypted "
			 "overlay network of this host\n\n"
			 "usage: fdpctl [OPTION]... COMMAND [ARGUMENT]...\n\n"
			 "commands:\n");
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		ds_put_format(&ds, "  %-20s %s\n", commands[i].name,
			      commands[i].summary);
	}
	ds_put_cstr(&ds, "\noptions, before or after the command:\n");
	args_help(global_args, ARRAY_SIZE(global_args), &ds);
	ds_put_cstr(&ds, "\nexit status: 0 healthy, 1 refused, 2 degraded, "
			 "3 down\n"
			 "more: fdpctl COMMAND --help, man fdpctl\n");
	fputs(ds_cstr(&ds), stdout);
	ds_destroy(&ds);
	return flush_output();
}

static enum health print_help(const struct command *command)
{
	struct ds ds = DS_EMPTY_INITIALIZER;

	ds_put_format(&ds, "fdpctl %s: %s\n\nusage: fdpctl %s", command->name,
		      command->summary, command->name);
	args_synopsis(command->args, command->n_args, &ds);
	ds_put_char(&ds, '\n');
	if (command->alias) {
		ds_put_format(&ds, "       fdpctl %s", command->alias);
		args_synopsis(command->args, command->n_args, &ds);
		ds_put_char(&ds, '\n');
	}
	if (command->n_args) {
		ds_put_char(&ds, '\n');
		args_help(command->args, command->n_args, &ds);
	}
	ds_put_cstr(&ds, "\noptions of every command:\n");
	args_help(global_args, ARRAY_SIZE(global_args), &ds);
	if (command->detail) {
		ds_put_format(&ds, "\n%s\n", command->detail);
	}
	fputs(ds_cstr(&ds), stdout);
	ds_destroy(&ds);
	return flush_output();
}

/* Do 'words' start with the name 'name' of one or two words?  Returns how many
 * it takes, 0 if not. */
static int match_name(const char *name, int n, const char *const words[])
{
	const char *blank = strchr(name, ' ');
	size_t size = blank ? (size_t)(blank - name) : strlen(name);

	if (!n || strlen(words[0]) != size || memcmp(words[0], name, size)) {
		return 0;
	}
	if (!blank) {
		return 1;
	}
	return n > 1 && !strcmp(words[1], blank + 1) ? 2 : 0;
}

/* The command of the longest name; NULL if there is none. */
static const struct command *find_command(int n, const char *const words[],
					  int *taken)
{
	const struct command *found = NULL;
	size_t i;

	*taken = 0;
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		int size = match_name(commands[i].name, n, words);

		if (!size && commands[i].alias) {
			size = match_name(commands[i].alias, n, words);
		}
		if (size > *taken) {
			*taken = size;
			found = &commands[i];
		}
	}
	return found;
}

static bool may_colour(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term &&
	       strcmp(term, "dumb") != 0;
}

/* Runs 'command' with all arguments there are, its own and global ones. */
static enum health run(const struct command *command, int n,
		       const char *const words[])
{
	size_t n_args = command->n_args + ARRAY_SIZE(global_args);
	struct arg *args = xcalloc(n_args, sizeof *args);
	struct context ctx = {.command = command, .colour = may_colour()};
	struct json *parsed = NULL;
	enum health health;
	char *run_dir, *error;
	int i;

	/* Errors in arguments are to be in the form that was asked for. */
	for (i = 0; i < n; i++) {
		ctx.json |= !strcmp(words[i], "--json");
	}
	if (command->n_args) {
		memcpy(args, command->args, command->n_args * sizeof *args);
	}
	memcpy(args + command->n_args, global_args, sizeof global_args);
	if (args_parse(args, n_args, n, words, &parsed, &error)) {
		health = fail(&ctx, HEALTH_REFUSED, "%s; see fdpctl %s --help",
			      error, command->name);
		free(error);
	} else if (reply_flag(parsed, "help", false)) {
		health = print_help(command);
	} else {
		ctx.json = reply_flag(parsed, "json", false);
		/* To libopenvswitch a relative name is one below its own
		 * directory. */
		run_dir = abs_file_name(
			NULL, reply_text(parsed, "run_dir", "/run/fdpd"));
		ctx.run_dir = run_dir;
		ctx.datapath = reply_text(parsed, "datapath", "fdp");
		health = command->run(&ctx, parsed);
		free(run_dir);
	}
	json_destroy(parsed);
	free(args);
	return health;
}

/* No command: help, the version, or a mistake. */
static enum health run_nothing(int n, const char *const words[])
{
	struct context ctx = {.json = false};
	struct json *parsed = NULL;
	enum health health;
	char *error;

	if (args_parse(global_args, ARRAY_SIZE(global_args), n, words, &parsed,
		       &error)) {
		health = fail(&ctx, HEALTH_REFUSED, "%s; see fdpctl --help",
			      error);
		free(error);
	} else if (reply_flag(parsed, "help", false)) {
		health = print_usage();
	} else if (reply_flag(parsed, "version", false)) {
		printf("fdpctl %s\n", FDP_VERSION);
		health = flush_output();
	} else {
		health = fail(&ctx, HEALTH_REFUSED,
			      "a command is missing; see fdpctl --help");
	}
	json_destroy(parsed);
	return health;
}

int main(int argc, char *argv[])
{
	const char **words = xcalloc((size_t)argc, sizeof *words);
	const struct command *command;
	int n = 0, leading, taken, i;
	enum health health;

	set_program_name(argv[0]);
	/* What goes wrong is said in our own words, once. */
	vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
	for (i = 1; i < argc; i++) {
		words[n++] = argv[i];
	}
	leading = args_leading(global_args, ARRAY_SIZE(global_args), n, words);
	command = find_command(n - leading, words + leading, &taken);
	if (command) {
		/* The options before the command and the words behind it. */
		memmove(words + leading, words + leading + taken,
			(size_t)(n - leading - taken) * sizeof *words);
		health = run(command, n - taken, words);
	} else if (leading < n && words[leading][0] != '-') {
		struct context ctx = {.json = false};

		health = fail(&ctx, HEALTH_REFUSED,
			      "there is no command \"%s\"; see fdpctl --help",
			      words[leading]);
	} else {
		health = run_nothing(n, words);
	}
	free(words);
	return (int)health;
}
