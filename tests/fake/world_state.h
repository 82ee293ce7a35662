/* What the files of the simulated world share: world.c (time, the underlay, the
 * steps of engines), stream.c (control connections), host.c (daemons, commands,
 * containers); nobody else's business. */
#ifndef FDP_TESTS_FAKE_WORLD_STATE_H
#define FDP_TESTS_FAKE_WORLD_STATE_H 1

#include "fake/world.h"

enum {
	LOG_LINES = 80, /* Shown when something fails. */
	LOG_LINE_SIZE = 200,
	MAX_KEYS = 16384
};

/* ---- Events to come ---- */

enum occurrence_type {
	OCCUR_HOST,	/* An event of its own kernel for a daemon. */
	OCCUR_DIAL,	/* A connection request reaches its destination. */
	OCCUR_PUMP,	/* A stream may have something to deliver. */
	OCCUR_PACKET,	/* VXLAN arrives. */
	OCCUR_FRAME,	/* A frame reaches a container. */
	OCCUR_PASSWORDS /* They are stretched. */
};

struct occurrence {
	uint64_t when_us, order;
	enum occurrence_type type;
	struct host *host;
	unsigned int
		life; /* OCCUR_HOST, OCCUR_PASSWORDS: of the daemon meant. */
	struct fake_event *event;   /* OCCUR_HOST */
	struct stream *stream;	    /* OCCUR_DIAL, OCCUR_PUMP */
	unsigned int side;	    /* OCCUR_PUMP */
	struct fake_packet *packet; /* OCCUR_PACKET */
	char link[16];		    /* OCCUR_FRAME */
	struct wbuf frame;	    /* OCCUR_FRAME */
};

/* Something on its way to one side of a stream. */
struct chunk {
	struct chunk *next;
	uint64_t when_us;
	enum event_type type; /* DIALED, ACCEPTED, DATA, CLOSED */
	int os_errno;
	struct wbuf bytes;
};

struct side {
	struct host *host;
	unsigned int life;
	uint32_t conn;
	bool open; /* The daemon wants to hear of it. */
	struct ip_endpoint local;
	struct chunk *first, **end;
	uint64_t last_us;
};

struct stream {
	struct stream *next;
	struct side side[2]; /* 0 dialled. */
	bool up, dead;	     /* dead: nothing is delivered but ends. */
};

/* A key that was installed somewhere. */
struct known_key {
	uint8_t key[XFRM_KEY_SIZE];
	const struct host *in, *out;
};

struct world {
	uint64_t seed;
	uint64_t random;
	struct rng rng;
	uint64_t now_us;
	uint64_t order;
	uint64_t hash;
	bool verbose;
	struct weather weather;

	struct host *hosts[WORLD_MAX_HOSTS];
	size_t n_hosts;
	bool apart[WORLD_MAX_HOSTS][WORLD_MAX_HOSTS];
	size_t largest[WORLD_MAX_HOSTS][WORLD_MAX_HOSTS]; /* VXLAN packet. */
	size_t largest_sealed[WORLD_MAX_HOSTS][WORLD_MAX_HOSTS];
	bool routers_tell;

	struct occurrence **heap;
	size_t n, allocated;
	struct stream *streams;
	struct known_key keys[MAX_KEYS];
	size_t n_keys;
	uint64_t spin_us;
	unsigned int spins;
	uint32_t next_command;

	char log[LOG_LINES][LOG_LINE_SIZE];
	size_t n_log;
};

/* ---- world.c ---- */

/* A turn of kmod-glue/loop.c: what the kernel says, timers, connections. */
enum stage {
	STAGE_KERNEL,
	STAGE_TIMERS,
	STAGE_CONNECTIONS
};

/* The new occurrence, which happens then; to a daemon of 'host' only while it
 * lives. */
struct occurrence *world_later(struct world *, uint64_t when_us,
			       enum occurrence_type, struct host *);
bool world_chance(struct world *, unsigned int per_mille);
/* Of what is sent now. */
uint64_t world_delay(struct world *);
void world_step(struct host *, const struct event *);
uint64_t world_in_turn(const struct host *, uint64_t when_us, enum stage);
bool world_are_apart(const struct world *, const struct host *,
		     const struct host *);
bool host_has_address(const struct host *, const struct ip_addr *);
struct host *world_host_at(struct world *, const struct ip_addr *);
void world_give_kernel(struct host *);

/* ---- stream.c ---- */

/* What an engine wants. */
void world_dial(struct host *, const struct op *);
void world_send(struct host *, const struct op *);
void world_close(struct host *, const struct op *);
/* A connection request arrives. */
void world_dial_arrives(struct world *, struct stream *);
/* What is there by now for one side. */
void world_pump(struct world *, struct stream *, unsigned int to);
/* Its daemon is gone; the other ends hear of it, unless 'silently'. */
void world_orphan_streams(struct host *, bool silently);
void world_free_streams(struct world *);

#endif
