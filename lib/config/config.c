#include "config/config.h"

#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

#include "session/identity.h"

enum config_type {
	TYPE_PATH,
	TYPE_NAME,
	TYPE_DEVICE,
	TYPE_BOOL,
	TYPE_PORT,
	TYPE_LANES,
	TYPE_COUNT,
	TYPE_FLOWS,
	TYPE_OVERLAY,
	TYPE_ADDRESS,
	/* Repeatable, these. */
	TYPE_ENDPOINTS,
	TYPE_PREFIXES
};

static const struct schema {
	const char *name;
	enum config_type type;
	size_t offset; /* Of the member in struct config. */
	const char *initial;
	const char *arg;
	const char *help;
} schema[N_CONFIG_KEYS] = {
#define X(NAME, KEY, TYPE, FIELD, DEFAULT, ARG, HELP)                 \
	[CONFIG_KEY_##NAME] = {                                       \
		KEY,	 TYPE_##TYPE, offsetof(struct config, FIELD), \
		DEFAULT, ARG,	      HELP,                           \
	},
#include "config/config.def"
#undef X
};

enum {
	DEVICE_NAME_MAX = 15, /* IFNAMSIZ less the terminating zero. */
	PORT_MAX = 65534,     /* PORT + 1 is used as well. */
	SAS_PER_PEER_MAX = 16,
	COUNT_MAX = CONFIG_MAX_LIST - 1,
	FLOWS_MAX = 50000, /* A quarter of the table. */
	HELP_COLUMN = 28
};

/* The member of 'config' that 'key' is about. */
static void *member(struct config *config, enum config_key key)
{
	return (char *)config + schema[key].offset;
}

static const void *const_member(const struct config *config,
				enum config_key key)
{
	return (const char *)config + schema[key].offset;
}

static bool is_command_line_only(enum config_key key)
{
	return key == CONFIG_KEY_CONFIG || key == CONFIG_KEY_CHECK_CONFIG;
}

const char *config_key_name(enum config_key key)
{
	return schema[key].name;
}

enum config_key config_key_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < N_CONFIG_KEYS; i++) {
		if (!strcmp(schema[i].name, name)) {
			break;
		}
	}
	return (enum config_key)i;
}

bool config_key_is_flag(enum config_key key)
{
	return schema[key].type == TYPE_BOOL;
}

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Can 'value' be a value at all, and be printed and read again? */
static enum err check_text(const char *value, struct ds *why)
{
	size_t size = strlen(value);

	if (!size) {
		ds_put_cstr(why, "a value is needed");
		return ERR_MALFORMED;
	}
	if (size > CONFIG_MAX_VALUE) {
		ds_put_format(why, "the value is longer than %d bytes",
			      CONFIG_MAX_VALUE);
		return ERR_OVERSIZED;
	}
	for (size_t i = 0; i < size; i++) {
		if (is_control(value[i])) {
			ds_put_cstr(why, "control characters are not allowed");
			return ERR_MALFORMED;
		}
	}
	if (is_blank(value[0]) || is_blank(value[size - 1])) {
		ds_put_cstr(why, "the value begins or ends with a blank");
		return ERR_MALFORMED;
	}
	return FDP_OK;
}

static void set_string(char **to, const char *value)
{
	free(*to);
	*to = xstrdup(value);
}

/* What the kernel takes as a device name (net/core/dev.c, dev_valid_name()),
 * less '%', which it would take as a pattern. */
static bool device_name_is_valid(const char *name)
{
	return strlen(name) <= DEVICE_NAME_MAX && strcmp(name, ".") &&
	       strcmp(name, "..") && !strpbrk(name, "/:% ");
}

static enum err set_bool(bool *to, const char *value, struct ds *why)
{
	if (!strcmp(value, "true") || !strcmp(value, "yes")) {
		*to = true;
	} else if (!strcmp(value, "false") || !strcmp(value, "no")) {
		*to = false;
	} else {
		ds_put_format(why, "\"%s\" is neither \"true\" nor \"false\"",
			      value);
		return ERR_MALFORMED;
	}
	return FDP_OK;
}

/* A decimal number from 'min' to 'max'; 'what' it is, for the sentence. */
static enum err set_number(uint16_t *to, const char *value, const char *what,
			   unsigned int min, unsigned int max, struct ds *why)
{
	unsigned int number = 0;

	for (const char *p = value; *p; p++) {
		if (*p < '0' || *p > '9') {
			ds_put_format(why, "\"%s\" is not a %s", value, what);
			return ERR_MALFORMED;
		}
		if (number <= max) {
			number = number * 10 + (unsigned int)(*p - '0');
		}
	}
	if (!*value || number < min || number > max) {
		ds_put_format(why, "the %s must be from %u to %u", what, min,
			      max);
		return ERR_RANGE;
	}
	*to = (uint16_t)number;
	return FDP_OK;
}

static enum err add_endpoint(struct endpoint_list *list, size_t max,
			     const char *name, const char *value,
			     struct ds *why)
{
	struct ip_endpoint peer;
	enum err err = endpoint_parse(value, 0, &peer);

	if (err || !ip_is_unicast(&peer.ip)) {
		ds_put_format(why,
			      "\"%s\" is not the address of a host "
			      "(ADDR, ADDR:PORT or [IPV6]:PORT)",
			      value);
		return err ? err : ERR_RANGE;
	}
	for (size_t i = 0; i < list->n; i++) {
		if (endpoint_equal(&list->v[i], &peer)) {
			return FDP_OK;
		}
	}
	if (list->n == max) {
		ds_put_format(why, "more than %zu of %s", max, name);
		return ERR_LIMIT;
	}
	list->v = xrealloc(list->v, (list->n + 1) * sizeof *list->v);
	list->v[list->n++] = peer;
	return FDP_OK;
}

static bool prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len == b->len && ip_equal(&a->ip, &b->ip);
}

/* The address has to be that of the network: who writes 10.1.2.3/8 means
 * something else than he gets. */
static enum err add_prefix(struct prefix_list *list, const char *name,
			   const char *value, struct ds *why)
{
	struct ip_prefix prefix;
	enum err err = prefix_parse(value, &prefix);

	if (!err && !prefix_is_network(&prefix)) {
		err = ERR_RANGE;
	}
	if (err) {
		ds_put_format(why,
			      "\"%s\" is not a network (ADDR/LENGTH, and "
			      "nothing in ADDR beyond LENGTH)",
			      value);
		return err;
	}
	for (size_t i = 0; i < list->n; i++) {
		if (prefix_equal(&list->v[i], &prefix)) {
			return FDP_OK;
		}
	}
	if (list->n == CONFIG_MAX_TRUSTED) {
		ds_put_format(why, "more than %d of %s", CONFIG_MAX_TRUSTED,
			      name);
		return ERR_LIMIT;
	}
	list->v = xrealloc(list->v, (list->n + 1) * sizeof *list->v);
	list->v[list->n++] = prefix;
	return FDP_OK;
}

enum err config_set(struct config *config, enum config_key key,
		    const char *value, struct ds *why)
{
	void *to = member(config, key);
	enum err err = check_text(value, why);

	if (err) {
		return err;
	}
	switch (schema[key].type) {
	case TYPE_PATH:
		set_string(to, value);
		break;
	case TYPE_NAME:
		if (!identity_name_is_valid(value)) {
			ds_put_format(why,
				      "\"%s\" is not a name (1 to %d letters, "
				      "digits and \"-_.:@\")",
				      value, IDENTITY_NAME_SIZE - 1);
			return ERR_MALFORMED;
		}
		set_string(to, value);
		break;
	case TYPE_DEVICE:
		if (!device_name_is_valid(value)) {
			ds_put_format(why,
				      "\"%s\" is not a device name (1 to %d "
				      "characters, without \"/\", \":\", "
				      "\"%%\" and blanks)",
				      value, DEVICE_NAME_MAX);
			return ERR_MALFORMED;
		}
		set_string(to, value);
		break;
	case TYPE_BOOL:
		err = set_bool(to, value, why);
		break;
	case TYPE_PORT:
		err = set_number(to, value, "port number", 1, PORT_MAX, why);
		break;
	case TYPE_LANES:
		err = set_number(to, value, "number of SAs", 1,
				 SAS_PER_PEER_MAX, why);
		break;
	case TYPE_COUNT:
		err = set_number(to, value, "number", 1, COUNT_MAX, why);
		break;
	case TYPE_FLOWS:
		err = set_number(to, value, "number of flows", 0, FLOWS_MAX,
				 why);
		break;
	case TYPE_OVERLAY:
		if (!overlay_setting_parse(value, to)) {
			ds_put_format(why,
				      "\"%s\" is neither \"auto\" nor "
				      "\"fastdp\" nor \"sleeve\"",
				      value);
			err = ERR_MALFORMED;
		}
		break;
	case TYPE_ADDRESS:
		err = ip_addr_parse(value, to);
		if (err) {
			ds_put_format(why, "\"%s\" is not an IP address",
				      value);
		}
		break;
	case TYPE_ENDPOINTS:
		err = add_endpoint(to,
				   key == CONFIG_KEY_ADVERTISE_ADDRESS
					   ? CONFIG_MAX_ADVERTISED
					   : CONFIG_MAX_LIST,
				   schema[key].name, value, why);
		break;
	case TYPE_PREFIXES:
		err = add_prefix(to, schema[key].name, value, why);
		break;
	}
	if (!err) {
		config->given |= UINT32_C(1) << key;
	}
	return err;
}

enum overlay_setting config_overlay_setting(const struct config *config)
{
	return config->no_fastdp ? OVERLAY_SLEEVE : config->overlay;
}

void config_init(struct config *config)
{
	struct ds why = DS_EMPTY_INITIALIZER;

	BUILD_ASSERT_DECL(N_CONFIG_KEYS <= 32);
	memset(config, 0, sizeof *config);
	for (unsigned int key = 0; key < N_CONFIG_KEYS; key++) {
		if (*schema[key].initial) {
			enum err err = config_set(config, key,
						  schema[key].initial, &why);

			ovs_assert(!err);
		}
	}
	config->given = 0;
	ds_destroy(&why);
}

void config_free(struct config *config)
{
	for (unsigned int key = 0; key < N_CONFIG_KEYS; key++) {
		switch (schema[key].type) {
		case TYPE_PATH:
		case TYPE_NAME:
		case TYPE_DEVICE:
			free(*(char **)member(config, key));
			break;
		case TYPE_ENDPOINTS:
			free(((struct endpoint_list *)member(config, key))->v);
			break;
		case TYPE_PREFIXES:
			free(((struct prefix_list *)member(config, key))->v);
			break;
		case TYPE_BOOL:
		case TYPE_PORT:
		case TYPE_LANES:
		case TYPE_COUNT:
		case TYPE_FLOWS:
		case TYPE_OVERLAY:
		case TYPE_ADDRESS:
			break;
		}
	}
	memset(config, 0, sizeof *config);
}

/* Cuts blanks off both ends of 'text', in place. */
static char *trim(char *text)
{
	size_t size;

	while (is_blank(*text)) {
		text++;
	}
	size = strlen(text);
	while (size && is_blank(text[size - 1])) {
		size--;
	}
	text[size] = '\0';
	return text;
}

static enum err parse_line(struct config *config, char *line, uint32_t *seen,
			   struct ds *why)
{
	char *equals, *name, *value;
	enum config_key key;
	enum err err;

	line = trim(line);
	if (!*line || *line == '#') {
		return FDP_OK;
	}
	equals = strchr(line, '=');
	if (!equals) {
		ds_put_format(why, "\"%s\" is not of the form `key = value`",
			      line);
		return ERR_MALFORMED;
	}
	*equals = '\0';
	name = trim(line);
	value = trim(equals + 1);
	key = config_key_find(name);
	if (key == N_CONFIG_KEYS) {
		ds_put_format(why,
			      "unknown key \"%s\" (`fdpd --help` lists them)",
			      name);
		return ERR_NOT_FOUND;
	}
	if (is_command_line_only(key)) {
		ds_put_format(why, "%s is for the command line only", name);
		return ERR_REFUSED;
	}
	if (*seen & UINT32_C(1) << key && schema[key].type < TYPE_ENDPOINTS) {
		ds_put_format(why, "%s is given twice", name);
		return ERR_EXISTS;
	}
	*seen |= UINT32_C(1) << key;
	ds_put_format(why, "%s: ", name);
	err = config_set(config, key, value, why);
	return err;
}

enum err config_parse(struct config *config, struct span text, struct ds *why)
{
	const size_t before = why->length;
	uint32_t seen = 0;
	char *copy, *line, *next;
	enum err err = FDP_OK;

	if (text.size > CONFIG_MAX_FILE) {
		ds_put_format(why, "the file is larger than %d KiB",
			      CONFIG_MAX_FILE / 1024);
		return ERR_OVERSIZED;
	}
	copy = xmemdup0(text.size ? (const char *)text.data : "", text.size);
	line = copy;
	for (unsigned int number = 1; line && !err; number++) {
		size_t prefix;

		next = memchr(line, '\n', text.size - (size_t)(line - copy));
		if (next) {
			*next++ = '\0';
		}
		ds_put_format(why, "line %u: ", number);
		prefix = why->length;
		/* A zero byte would hide the rest of its line. */
		if (strlen(line) !=
		    (next ? (size_t)(next - line) - 1
			  : text.size - (size_t)(line - copy))) {
			ds_put_cstr(why, "control characters are not allowed");
			err = ERR_MALFORMED;
		} else {
			err = parse_line(config, line, &seen, why);
		}
		ovs_assert(!err || why->length > prefix);
		if (!err) {
			ds_truncate(why, before);
		}
		line = next;
	}
	free(copy);
	return err;
}

static void copy_list(struct endpoint_list *to,
		      const struct endpoint_list *from)
{
	free(to->v);
	to->v = xmemdup(from->v, from->n * sizeof *from->v);
	to->n = from->n;
}

static void copy_prefixes(struct prefix_list *to,
			  const struct prefix_list *from)
{
	free(to->v);
	to->v = xmemdup(from->v, from->n * sizeof *from->v);
	to->n = from->n;
}

void config_overlay(struct config *config, const struct config *over)
{
	for (unsigned int key = 0; key < N_CONFIG_KEYS; key++) {
		void *to = member(config, key);
		const void *from = const_member(over, key);

		if (!(over->given & UINT32_C(1) << key)) {
			continue;
		}
		switch (schema[key].type) {
		case TYPE_PATH:
		case TYPE_NAME:
		case TYPE_DEVICE:
			set_string(to, *(char *const *)from);
			break;
		case TYPE_BOOL:
			*(bool *)to = *(const bool *)from;
			break;
		case TYPE_PORT:
		case TYPE_LANES:
		case TYPE_COUNT:
		case TYPE_FLOWS:
			*(uint16_t *)to = *(const uint16_t *)from;
			break;
		case TYPE_OVERLAY:
			*(enum overlay_setting *)to =
				*(const enum overlay_setting *)from;
			break;
		case TYPE_ADDRESS:
			*(struct ip_addr *)to = *(const struct ip_addr *)from;
			break;
		case TYPE_ENDPOINTS:
			copy_list(to, from);
			break;
		case TYPE_PREFIXES:
			copy_prefixes(to, from);
			break;
		}
		config->given |= UINT32_C(1) << key;
	}
}

static void print_list(const struct endpoint_list *list, const char *name,
		       struct ds *ds)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct ip_endpoint *at = &list->v[i];
		char buf[ENDPOINT_STRLEN];

		if (at->port) {
			endpoint_format(at, buf);
		} else {
			ip_format(&at->ip, buf);
		}
		ds_put_format(ds, "%s = %s\n", name, buf);
	}
}

static void print_prefixes(const struct prefix_list *list, const char *name,
			   struct ds *ds)
{
	for (size_t i = 0; i < list->n; i++) {
		char buf[PREFIX_STRLEN];

		ds_put_format(ds, "%s = %s\n", name,
			      prefix_format(&list->v[i], buf));
	}
}

void config_print(const struct config *config, struct ds *ds)
{
	for (unsigned int key = 0; key < N_CONFIG_KEYS; key++) {
		const void *from = const_member(config, key);
		const char *name = schema[key].name;
		const char *text;
		char buf[IP_STRLEN];

		if (is_command_line_only(key)) {
			continue;
		}
		switch (schema[key].type) {
		case TYPE_PATH:
		case TYPE_NAME:
		case TYPE_DEVICE:
			text = *(char *const *)from;
			if (text) {
				ds_put_format(ds, "%s = %s\n", name, text);
			}
			break;
		case TYPE_BOOL:
			ds_put_format(ds, "%s = %s\n", name,
				      *(const bool *)from ? "true" : "false");
			break;
		case TYPE_PORT:
		case TYPE_LANES:
		case TYPE_FLOWS:
			ds_put_format(ds, "%s = %u\n", name,
				      *(const uint16_t *)from);
			break;
		case TYPE_COUNT:
			if (*(const uint16_t *)from) {
				ds_put_format(ds, "%s = %u\n", name,
					      *(const uint16_t *)from);
			}
			break;
		case TYPE_OVERLAY:
			ds_put_format(
				ds, "%s = %s\n", name,
				overlay_setting_name(
					*(const enum overlay_setting *)from));
			break;
		case TYPE_ADDRESS:
			if (!ip_is_zero(from)) {
				ds_put_format(ds, "%s = %s\n", name,
					      ip_format(from, buf));
			}
			break;
		case TYPE_ENDPOINTS:
			print_list(from, name, ds);
			break;
		case TYPE_PREFIXES:
			print_prefixes(from, name, ds);
			break;
		}
	}
}

void config_help(struct ds *ds)
{
	for (unsigned int key = 0; key < N_CONFIG_KEYS; key++) {
		const struct schema *s = &schema[key];
		size_t start = ds->length;

		ds_put_format(ds, "  --%s%s%s", s->name, *s->arg ? " " : "",
			      s->arg);
		if (ds->length - start > HELP_COLUMN - 2) {
			ds_put_char(ds, '\n');
			start = ds->length;
		}
		ds_put_char_multiple(ds, ' ',
				     HELP_COLUMN - (ds->length - start));
		ds_put_cstr(ds, s->help);
		if (*s->initial && s->type != TYPE_BOOL) {
			ds_put_format(ds, " (default: %s)", s->initial);
		}
		ds_put_char(ds, '\n');
	}
}

static bool strings_equal(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool lists_equal(const struct endpoint_list *a,
			const struct endpoint_list *b)
{
	bool equal = a->n == b->n;

	for (size_t i = 0; equal && i < a->n; i++) {
		equal = endpoint_equal(&a->v[i], &b->v[i]);
	}
	return equal;
}

static bool prefixes_equal(const struct prefix_list *a,
			   const struct prefix_list *b)
{
	bool equal = a->n == b->n;

	for (size_t i = 0; equal && i < a->n; i++) {
		equal = prefix_equal(&a->v[i], &b->v[i]);
	}
	return equal;
}

bool config_equal(const struct config *a, const struct config *b)
{
	for (unsigned int key = 0; key < N_CONFIG_KEYS; key++) {
		const void *x = const_member(a, key);
		const void *y = const_member(b, key);
		bool equal = true;

		if (is_command_line_only(key)) {
			continue;
		}
		switch (schema[key].type) {
		case TYPE_PATH:
		case TYPE_NAME:
		case TYPE_DEVICE:
			equal = strings_equal(*(char *const *)x,
					      *(char *const *)y);
			break;
		case TYPE_BOOL:
			equal = *(const bool *)x == *(const bool *)y;
			break;
		case TYPE_PORT:
		case TYPE_LANES:
		case TYPE_COUNT:
		case TYPE_FLOWS:
			equal = *(const uint16_t *)x == *(const uint16_t *)y;
			break;
		case TYPE_OVERLAY:
			equal = *(const enum overlay_setting *)x ==
				*(const enum overlay_setting *)y;
			break;
		case TYPE_ADDRESS:
			equal = ip_equal(x, y);
			break;
		case TYPE_ENDPOINTS:
			equal = lists_equal(x, y);
			break;
		case TYPE_PREFIXES:
			equal = prefixes_equal(x, y);
			break;
		}
		if (!equal) {
			return false;
		}
	}
	return true;
}
