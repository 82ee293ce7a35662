/* What operators are shown, shared by the files show_*.c and command.c. */
#ifndef FDP_ENGINE_SHOW_H
#define FDP_ENGINE_SHOW_H 1

#include "engine/state.h"

enum shown_state {
	SHOWN_CONNECTING,
	SHOWN_HANDSHAKE,
	SHOWN_ESTABLISHED,
	SHOWN_RETRYING,
	SHOWN_FAILED,
	N_SHOWN_STATES
};

const char *show_state_name(enum shown_state);

/* One row of `status connections`. */
struct show_row {
	bool outbound;
	enum shown_state state;
	const char *address;
	const struct conn *conn; /* NULL if there is none. */
	const struct peer *peer; /* Who is there; NULL: not known. */
	enum reason reason;
	const char *slug; /* In place of the reason's, or NULL. */
	const char *detail;
	uint64_t since_us;
	bool hinted; /* To a host that only others know. */
	bool stale;  /* It may well be that it is no more. */
};

typedef void show_row_fn(const struct engine *, const struct show_row *,
			 void *aux);

/* Calls 'fn' for every connection, target and refusal that is to be shown. */
void show_each_row(const struct engine *, show_row_fn *, void *aux);

/* By name, through whom the peer is reached; "": through its own tunnel, or not
 * at all. */
const char *show_via(const struct engine *, const struct peer *);
/* How frames reach it. */
const char *show_overlay(const struct peer *);
/* The same with the reason, if it is not the best there is, and the cipher;
 * NULL: nobody is there. */
void show_put_overlay(const struct engine *, const struct peer *,
		      struct json *);

/* What probes tell of the way there and back. */
struct json *show_path(const struct engine *, const struct watch *);

/* The sleeve beside fastdp, if it is watched: "sleeve_path". */
void show_put_beside(const struct engine *, const struct peer *, struct json *);

/* Seconds. */
uint64_t show_age_s(const struct engine *, uint64_t since_us);

/* Answers to commands. */
void show_connections(struct engine *, uint32_t command);
void show_status(struct engine *, uint32_t command);
void show_peers(struct engine *, uint32_t command);
void show_why(struct engine *, uint32_t command, const struct json *args);
void show_names(struct engine *, uint32_t command);
void show_ports(struct engine *, uint32_t command);
void show_flows(struct engine *, uint32_t command);

#endif
