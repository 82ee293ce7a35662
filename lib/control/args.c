#include "control/args.h"

#include <stdio.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "openvswitch/util.h"
#include "util.h"

#include "base/addr.h"
#include "packet/flow.h"

enum {
	SYNOPSIS_WIDTH = 78
};

static const struct word {
	enum arg_kind kind;
	const char *text;
	uint32_t value;
} words[] = {
	{ARG_ETH_TYPE, "ip", ETH_TYPE_IPV4},
	{ARG_ETH_TYPE, "ipv4", ETH_TYPE_IPV4},
	{ARG_ETH_TYPE, "ipv6", ETH_TYPE_IPV6},
	{ARG_ETH_TYPE, "arp", ETH_TYPE_ARP},
	{ARG_IP_PROTO, "icmp", IP_PROTO_ICMP},
	{ARG_IP_PROTO, "tcp", IP_PROTO_TCP},
	{ARG_IP_PROTO, "udp", IP_PROTO_UDP},
	{ARG_IP_PROTO, "icmpv6", IP_PROTO_ICMPV6},
	{ARG_IP_PROTO, "sctp", IP_PROTO_SCTP},
};

/* What a value has to be; ARG_NUMBER says its range instead. */
static const char *wanted(enum arg_kind kind)
{
	switch (kind) {
	case ARG_FLAG:
	case ARG_NUMBER:
		return "";
	case ARG_TEXT:
		return "printable text";
	case ARG_MAC:
		return "a MAC address like 02:00:00:aa:bb:cc";
	case ARG_MAC_OWN:
		return "a unicast MAC address like 02:00:00:aa:bb:cc";
	case ARG_IP:
		return "an IPv4 or IPv6 address";
	case ARG_PREFIX:
		return "an address with its prefix length, like 10.32.0.2/12";
	case ARG_ENDPOINT:
		return "an address with an optional port, like 192.0.2.7:6783 "
		       "or [2001:db8::7]:6783 (names are not looked up)";
	case ARG_IFNAME:
		return "the name of a network device, at most 15 characters";
	case ARG_PORT:
		return "a port's number or the name of its device";
	case ARG_ETH_TYPE:
		return "ip, ipv6, arp, or a number from 0x0600 to 0xffff";
	case ARG_IP_PROTO:
		return "icmp, tcp, udp, icmpv6, sctp, or a number up to 255";
	}
	return "";
}

static int digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'a' && c <= 'f') {
		return c - 'a' + 10;
	}
	if (c >= 'A' && c <= 'F') {
		return c - 'A' + 10;
	}
	return 16;
}

/* Decimal, or hexadecimal with 0x; no sign, no blanks, no octal. */
static bool parse_number(const char *text, uint32_t min, uint32_t max,
			 uint32_t *number)
{
	int base = 10;
	uint64_t value = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	if (!*text) {
		return false;
	}
	for (; *text; text++) {
		int d = digit(*text);

		if (d >= base) {
			return false;
		}
		value = value * (uint64_t)base + (uint64_t)d;
		if (value > max) {
			return false;
		}
	}
	if (value < min) {
		return false;
	}
	*number = (uint32_t)value;
	return true;
}

static bool parse_word(enum arg_kind kind, const char *text, uint32_t *number)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (words[i].kind == kind && !strcmp(words[i].text, text)) {
			*number = words[i].value;
			return true;
		}
	}
	return false;
}

static bool is_printable(const char *text)
{
	size_t n = strlen(text);
	size_t i;

	if (!n || n > ARG_TEXT_MAX) {
		return false;
	}
	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c == 0x7f) {
			return false;
		}
	}
	return true;
}

/* As dev_valid_name() of net/core/dev.c has it. */
static bool is_ifname(const char *text)
{
	return is_printable(text) && strlen(text) < 16 && strcmp(text, ".") &&
	       strcmp(text, "..") && !strpbrk(text, "/: ");
}

/* NULL if 'text' is not what 'arg' wants. */
static struct json *parse_value(const struct arg *arg, const char *text)
{
	char buf[ENDPOINT_STRLEN];
	struct ip_endpoint endpoint;
	struct ip_prefix prefix;
	struct ip_addr ip;
	struct mac mac;
	uint32_t number;

	switch (arg->kind) {
	case ARG_FLAG:
		return NULL;
	case ARG_TEXT:
		return is_printable(text) ? json_string_create(text) : NULL;
	case ARG_NUMBER:
		return parse_number(text, arg->min, arg->max, &number)
			       ? json_integer_create(number)
			       : NULL;
	case ARG_MAC:
	case ARG_MAC_OWN:
		if (mac_parse(text, &mac) ||
		    (arg->kind == ARG_MAC_OWN &&
		     (mac_is_group(&mac) || mac_is_zero(&mac)))) {
			return NULL;
		}
		return json_string_create(mac_format(&mac, buf));
	case ARG_IP:
		if (ip_addr_parse(text, &ip)) {
			return NULL;
		}
		return json_string_create(ip_format(&ip, buf));
	case ARG_PREFIX:
		if (!strchr(text, '/') || prefix_parse(text, &prefix)) {
			return NULL;
		}
		return json_string_create(prefix_format(&prefix, buf));
	case ARG_ENDPOINT:
		/* Which port is the usual one, the daemon knows. */
		return endpoint_parse(text, 1, &endpoint)
			       ? NULL
			       : json_string_create(text);
	case ARG_IFNAME:
		return is_ifname(text) ? json_string_create(text) : NULL;
	case ARG_PORT:
		if (parse_number(text, 0, 65535, &number)) {
			return json_integer_create(number);
		}
		return is_ifname(text) ? json_string_create(text) : NULL;
	case ARG_ETH_TYPE:
		return parse_word(arg->kind, text, &number) ||
				       parse_number(text, 0x600, 0xffff,
						    &number)
			       ? json_integer_create(number)
			       : NULL;
	case ARG_IP_PROTO:
		return parse_word(arg->kind, text, &number) ||
				       parse_number(text, 0, 255, &number)
			       ? json_integer_create(number)
			       : NULL;
	}
	return NULL;
}

static const struct arg *find_option(const struct arg *table, size_t n,
				     const char *word, size_t size)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (table[i].option && strlen(table[i].option) == size &&
		    !memcmp(table[i].option, word, size)) {
			return &table[i];
		}
	}
	return NULL;
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1];
}

/* The option that 'word' names and the value behind '=', NULL if none. */
static const struct arg *split_option(const struct arg *table, size_t n,
				      const char *word, const char **value)
{
	const char *equals = strchr(word, '=');
	size_t size;

	*value = equals ? equals + 1 : NULL;
	if (!strcmp(word, "-h")) {
		word = "--help";
	}
	if (strncmp(word, "--", 2)) {
		return NULL;
	}
	word += 2;
	size = equals ? (size_t)(equals - word) : strlen(word);
	return find_option(table, n, word, size);
}

int args_leading(const struct arg *table, size_t n, int argc,
		 const char *const argv[])
{
	int i = 0;

	while (i < argc && is_option(argv[i])) {
		const char *value;
		const struct arg *arg = split_option(table, n, argv[i], &value);

		if (!arg) {
			break;
		}
		i += arg->kind == ARG_FLAG || value || i + 1 == argc ? 1 : 2;
	}
	return i;
}

/* What an argument is called in errors: "--port" or "ADDR". */
static char *label(const struct arg *arg)
{
	return arg->option ? xasprintf("--%s", arg->option)
			   : xstrdup(arg->value);
}

static enum err refuse(char **error, char *text)
{
	*error = text;
	return ERR_REFUSED;
}

static enum err refuse_value(const struct arg *arg, const char *text,
			     char **error)
{
	char *name = label(arg);
	struct ds shown = DS_EMPTY_INITIALIZER;
	char *line;

	/* Escaped: it may hold anything. */
	json_string_escape(text, &shown);
	if (arg->kind == ARG_NUMBER) {
		line = xasprintf("%s: %s is not a number from %u to %u", name,
				 ds_cstr(&shown), arg->min, arg->max);
	} else {
		line = xasprintf("%s: %s is not %s", name, ds_cstr(&shown),
				 wanted(arg->kind));
	}
	ds_destroy(&shown);
	free(name);
	return refuse(error, line);
}

static enum err take(const struct arg *arg, const char *text,
		     struct json *object, char **error)
{
	struct json *have = shash_find_data(json_object(object), arg->key);
	struct json *value;
	char *name;

	if (have && !(arg->flags & ARG_REPEATED)) {
		enum err err;

		if (arg->kind == ARG_FLAG) {
			return FDP_OK;
		}
		name = label(arg);
		err = refuse(error, xasprintf("%s is given twice", name));
		free(name);
		return err;
	}
	if (arg->kind == ARG_FLAG) {
		json_object_put(object, arg->key, json_boolean_create(true));
		return FDP_OK;
	}
	value = parse_value(arg, text);
	if (!value) {
		return refuse_value(arg, text, error);
	}
	if (!(arg->flags & ARG_REPEATED)) {
		json_object_put(object, arg->key, value);
		return FDP_OK;
	}
	if (!have) {
		have = json_array_create_empty();
		json_object_put(object, arg->key, have);
	}
	json_array_add(have, value);
	return FDP_OK;
}

/* The next argument by position that can still take a value. */
static const struct arg *next_position(const struct arg *table, size_t n,
				       const struct json *object)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (!table[i].option &&
		    (table[i].flags & ARG_REPEATED ||
		     !shash_find(json_object(object), table[i].key))) {
			return &table[i];
		}
	}
	return NULL;
}

static enum err missing(const struct arg *table, size_t n,
			const struct json *object, char **error)
{
	size_t i;

	for (i = 0; i < n; i++) {
		char *name;
		enum err err;

		if (!(table[i].flags & ARG_REQUIRED) ||
		    shash_find(json_object(object), table[i].key)) {
			continue;
		}
		name = label(&table[i]);
		err = refuse(error, xasprintf("%s is missing: %s", name,
					      table[i].help));
		free(name);
		return err;
	}
	return FDP_OK;
}

static enum err parse(const struct arg *table, size_t n, int argc,
		      const char *const argv[], struct json *object,
		      char **error)
{
	bool options = true;
	enum err err;
	int i;

	for (i = 0; i < argc; i++) {
		const char *value = argv[i];
		const struct arg *arg;

		if (options && !strcmp(argv[i], "--")) {
			options = false;
			continue;
		}
		if (options && is_option(argv[i])) {
			arg = split_option(table, n, argv[i], &value);
			if (!arg) {
				return refuse(error,
					      xasprintf("unknown option %s",
							argv[i]));
			}
			if (arg->kind == ARG_FLAG && value) {
				return refuse(error,
					      xasprintf("--%s takes no value",
							arg->option));
			}
			if (arg->kind != ARG_FLAG && !value) {
				if (i + 1 == argc) {
					return refuse(error,
						      xasprintf("--%s needs %s",
								arg->option,
								arg->value));
				}
				value = argv[++i];
			}
		} else {
			arg = next_position(table, n, object);
			if (!arg) {
				return refuse(error,
					      xasprintf("unexpected argument "
							"%s",
							argv[i]));
			}
		}
		err = take(arg, value, object, error);
		if (err) {
			return err;
		}
	}
	/* Whoever asks for help need not know the rest. */
	if (shash_find(json_object(object), "help")) {
		return FDP_OK;
	}
	return missing(table, n, object, error);
}

enum err args_parse(const struct arg *table, size_t n, int argc,
		    const char *const argv[], struct json **object,
		    char **error)
{
	struct json *parsed = json_object_create();
	enum err err = parse(table, n, argc, argv, parsed, error);

	if (err) {
		json_destroy(parsed);
		return err;
	}
	*object = parsed;
	return FDP_OK;
}

struct json *args_request(const struct arg *table, size_t n,
			  const struct json *object)
{
	struct json *request = json_object_create();
	size_t i;

	for (i = 0; i < n; i++) {
		const struct json *value =
			shash_find_data(json_object(object), table[i].key);

		if (value) {
			json_object_put(request, table[i].key,
					json_clone(value));
		}
	}
	return request;
}

void args_synopsis(const struct arg *table, size_t n, struct ds *ds)
{
	const char *newline = strrchr(ds_cstr(ds), '\n');
	size_t start = newline ? (size_t)(newline + 1 - ds_cstr(ds)) : 0;
	size_t i;

	for (i = 0; i < n; i++) {
		const struct arg *arg = &table[i];
		bool needed = arg->flags & ARG_REQUIRED;
		struct ds item = DS_EMPTY_INITIALIZER;

		ds_put_cstr(&item, needed ? "" : "[");
		if (arg->option) {
			ds_put_format(&item, "--%s", arg->option);
		}
		if (arg->kind != ARG_FLAG) {
			ds_put_format(&item, "%s%s", arg->option ? " " : "",
				      arg->value);
		}
		ds_put_cstr(&item, needed ? "" : "]");
		ds_put_cstr(&item, arg->flags & ARG_REPEATED ? "..." : "");
		if (ds->length - start + 1 + item.length > SYNOPSIS_WIDTH) {
			ds_put_char(ds, '\n');
			start = ds->length;
			ds_put_cstr(ds, "          ");
		}
		ds_put_format(ds, " %s", ds_cstr(&item));
		ds_destroy(&item);
	}
}

void args_help(const struct arg *table, size_t n, struct ds *ds)
{
	size_t i;

	for (i = 0; i < n; i++) {
		const struct arg *arg = &table[i];
		char *name = label(arg);
		char *left = arg->option && arg->kind != ARG_FLAG
				     ? xasprintf("%s %s", name, arg->value)
				     : xstrdup(name);

		ds_put_format(ds, "  %-18s %s%s\n", left, arg->help,
			      arg->flags & ARG_REPEATED ? "; may be repeated"
							: "");
		free(left);
		free(name);
	}
}
