/* fdpctl: what its parts share.
 *
 * main.c has the one table of commands, from which come dispatch, help and the
 * checks of arguments; each command is a function of a file named after it.
 * A command prints its result with finish() or its failure with fail(), so
 * that --json, colours and exit codes are the same everywhere. */
#ifndef FDPCTL_H
#define FDPCTL_H 1

#include <stdbool.h>
#include <stddef.h>

#include "openvswitch/compiler.h"

#include "control/args.h"
#include "control/health.h"
#include "control/render.h"

struct json;

/* What the global options say. */
struct context {
	const char *run_dir;
	const char *datapath;
	bool json;
	bool colour; /* Output is a terminal that may be coloured. */
	const struct command *command;
};

struct command {
	const char *name; /* One word or two, "status connections". */
	const char *alias;
	enum health (*run)(const struct context *, const struct json *args);
	const struct arg *args;
	size_t n_args;
	const char *summary;
	const char *detail; /* Further lines of help, or NULL. */
};

/* Prints 'reply' as JSON (sorted, indented) or by 'render', and takes it over.
 * HEALTH_GOOD, or HEALTH_REFUSED if it cannot be written. */
enum health finish(const struct context *, struct json *reply, render_fn *);

/* Prints one line on standard error, with --json {"error": line} on standard
 * output as well.  Returns 'health'. */
enum health fail(const struct context *, enum health health, const char *format,
		 ...) OVS_PRINTF_FORMAT(3, 4);

enum health run_status(const struct context *, const struct json *);
enum health run_connections(const struct context *, const struct json *);
enum health run_peers(const struct context *, const struct json *);
enum health run_why(const struct context *, const struct json *);
enum health run_connect(const struct context *, const struct json *);
enum health run_forget(const struct context *, const struct json *);
enum health run_reload(const struct context *, const struct json *args);
enum health run_rekey(const struct context *, const struct json *);
enum health run_ports(const struct context *, const struct json *);
enum health run_attach(const struct context *, const struct json *);
enum health run_detach(const struct context *, const struct json *);
enum health run_expose(const struct context *, const struct json *);
enum health run_hide(const struct context *, const struct json *);
enum health run_flows(const struct context *, const struct json *);
enum health run_sas(const struct context *, const struct json *);
enum health run_trace(const struct context *, const struct json *);
enum health run_reset(const struct context *, const struct json *);
enum health run_genpass(const struct context *, const struct json *);
enum health run_version(const struct context *, const struct json *);

#endif
