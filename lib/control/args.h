/* Command line arguments, from tables.
 *
 * A command lists its options in an array of struct arg; args_parse() turns
 * argv into a JSON object under the names that the control protocol uses
 * (control.h), every value checked and in its one canonical spelling.  What a
 * value may be is said by its kind alone, so help texts, errors and requests
 * cannot drift apart.  What the values mean together is the command's
 * business. */
#ifndef FDP_CONTROL_ARGS_H
#define FDP_CONTROL_ARGS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct ds;
struct json;

enum arg_kind {
	ARG_FLAG,     /* Takes no value; true. */
	ARG_TEXT,     /* Printable, not empty, at most ARG_TEXT_MAX bytes. */
	ARG_NUMBER,   /* 'min' to 'max', decimal or 0x. */
	ARG_MAC,      /* Any MAC address. */
	ARG_MAC_OWN,  /* One that a station may have: unicast, not zero. */
	ARG_IP,	      /* Address of either family. */
	ARG_PREFIX,   /* ADDRESS/LENGTH; the length must be there. */
	ARG_ENDPOINT, /* ADDRESS[:PORT], kept as it was written. */
	ARG_IFNAME,   /* A network device's name. */
	ARG_PORT,     /* Number (integer) or name (text) of a vport. */
	ARG_ETH_TYPE, /* ip, ipv6, arp, or 0x0600 to 0xffff. */
	ARG_IP_PROTO  /* icmp, tcp, udp, icmpv6, sctp, or 0 to 255. */
};

enum {
	ARG_REQUIRED = 1,
	ARG_REPEATED = 2,
	ARG_TEXT_MAX = 1024
};

struct arg {
	const char *option; /* "ip-src"; NULL: by position, in table order. */
	const char *key;    /* In the object, "ip_src". */
	enum arg_kind kind;
	unsigned int flags; /* ARG_REPEATED makes an array of it. */
	uint32_t min, max;  /* ARG_NUMBER */
	const char *value;  /* What help calls the value: "ADDR". */
	const char *help;
};

/* How many of the 'argc' words before the first that is no option (or value of
 * one) belong to options of 'table'?  Stops at what it does not know. */
int args_leading(const struct arg *table, size_t n, int argc,
		 const char *const argv[]);

/* Parses all of 'argv' ("--option VALUE", "--option=VALUE", "--" ends the
 * options) into '*object', owned by the caller.  On ERR_REFUSED '*error' is
 * one line for people, for the caller to free. */
enum err args_parse(const struct arg *table, size_t n, int argc,
		    const char *const argv[], struct json **object,
		    char **error) FDP_MUST_CHECK;

/* A new object with those members of 'object' that 'table' names: what is
 * sent to the daemon. */
struct json *args_request(const struct arg *table, size_t n,
			  const struct json *object);

/* Appends " --port PORT [--type TYPE]..." and the like, in lines of at most 78
 * characters. */
void args_synopsis(const struct arg *table, size_t n, struct ds *);
/* Appends one indented line per argument. */
void args_help(const struct arg *table, size_t n, struct ds *);

#endif
