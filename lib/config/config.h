/* The settings of fdpd, from one table (config.def).
 *
 * The same keys are long options of the program and lines of its
 * configuration file:
 *
 *	# comment: a line of its own
 *	key = value
 *	peer = 192.0.2.1
 *	peer = 192.0.2.2:6789
 *
 * Parsing what was printed gives the same settings.  Pure: files, the command
 * line and the environment belong to the caller; so do the values' meanings
 * (whether a file exists, whether a port is free).
 */
#ifndef FDP_CONFIG_CONFIG_H
#define FDP_CONFIG_CONFIG_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/span.h"
#include "mesh/overlay.h"

struct ds;

enum {
	CONFIG_MAX_LIST = 4096,
	CONFIG_MAX_ADVERTISED = 16, /* MSG_MAX_ADVERTISED */
	CONFIG_MAX_TRUSTED = 64,
	CONFIG_MAX_VALUE = 1023,     /* Bytes of one value. */
	CONFIG_MAX_FILE = 256 * 1024 /* Bytes of a whole file. */
};

enum config_key {
#define X(NAME, KEY, TYPE, FIELD, DEFAULT, ARG, HELP) CONFIG_KEY_##NAME,
#include "config/config.def"
#undef X
	N_CONFIG_KEYS
};

struct endpoint_list {
	struct ip_endpoint *v;
	size_t n;
};

struct prefix_list {
	struct ip_prefix *v;
	size_t n;
};

/* Owns every string and list. */
struct config {
	char *password_file; /* NULL: not given. */
	bool weak_password;
	struct endpoint_list peers; /* Port 0: the same as 'port'. */
	bool no_discovery;
	uint16_t conn_limit;		/* 0: none. */
	struct endpoint_list advertise; /* Port 0: the same as 'port'. */
	struct prefix_list trusted;
	char *name; /* NULL: the host name. */
	uint16_t port;
	struct ip_addr listen; /* Zero: every address. */
	uint16_t sas_per_peer;
	uint16_t flows_ahead;
	enum overlay_setting overlay;
	bool no_fastdp;
	bool no_aes_gcm;
	char *datapath;
	char *state_dir;
	char *run_dir;
	char *config; /* NULL: not given. */
	bool check_config;
	uint32_t given; /* Bit 1 << enum config_key: not the default. */
};

/* Fills in the defaults. */
void config_init(struct config *);
void config_free(struct config *);

/* The name of 'key', as in the file and, after two dashes, as an option. */
const char *config_key_name(enum config_key);
/* N_CONFIG_KEYS if there is none of that name. */
enum config_key config_key_find(const char *name);
/* An option without an argument?  Giving it means "true". */
bool config_key_is_flag(enum config_key);

/* The overlay that the settings ask for together. */
enum overlay_setting config_overlay_setting(const struct config *);

/* Sets 'key' from text; a repeatable key gains one more value.  On an error
 * (ERR_MALFORMED, ERR_RANGE, ERR_OVERSIZED, ERR_LIMIT) the configuration is
 * as it was, and a sentence about the value is appended to 'why'. */
enum err config_set(struct config *, enum config_key, const char *value,
		    struct ds *why) FDP_MUST_CHECK;

/* Sets what the lines of a file say.  Errors as of config_set(), and also
 * ERR_NOT_FOUND (no such key), ERR_EXISTS (given twice), ERR_REFUSED (an
 * option of the command line only); 'why' then begins with "line N: ".  The
 * configuration is half set after an error. */
enum err config_parse(struct config *, struct span text,
		      struct ds *why) FDP_MUST_CHECK;

/* Everything that was given in 'over' replaces what 'config' has; a list is
 * replaced as a whole. */
void config_overlay(struct config *, const struct config *over);

/* Appends the settings in the form that config_parse() reads; what has no
 * value is left out, so are the options of the command line only. */
void config_print(const struct config *, struct ds *);

/* Appends one or two lines of help for every key. */
void config_help(struct ds *);

/* Are the settings the same, options of the command line only aside? */
bool config_equal(const struct config *, const struct config *);

#endif
