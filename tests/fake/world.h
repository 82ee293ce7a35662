/* Hosts with whole engines, their kernels and containers, joined by a lossy
 * underlay, on a virtual clock.
 *
 * Everything random comes from one seed, so that the same seed gives the same
 * run; world_hash() tells whether it did.  Control connections are reliable
 * ordered streams with delays, odd chunks, failures, breaks and partitions;
 * VXLAN packets are lost, doubled and overtaken.  Results of ops come back in
 * order, after a while.
 *
 * After every op is checked what must hold always: fake/kernel.h has the rules
 * of one host; here, that no key is installed twice.  What breaks a rule ends
 * the test with the seed; FDP_SEED=N replays it alone, with the log.
 */
#ifndef FDP_TESTS_FAKE_WORLD_H
#define FDP_TESTS_FAKE_WORLD_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/rng.h"
#include "engine/engine.h"
#include "fake/endpoint.h"
#include "fake/kernel.h"

struct json;

enum {
	WORLD_MAX_HOSTS = 8,
	WORLD_MAX_ENDPOINTS = 16, /* Per host. */
	WORLD_PORT = 6783
};

#define MS  UINT64_C(1000)
#define SEC UINT64_C(1000000)

struct world;

/* What the network does to packets and connections. */
struct weather {
	unsigned int loss, dup, reorder; /* VXLAN packets, per mille. */
	uint64_t delay_min_us, delay_max_us;
	unsigned int dial_failure; /* Per mille. */
	bool small_chunks;	   /* Streams arrive in bits and pieces. */
	unsigned int cut; /* Streams that break, per mille of what is sent:
			   * after any byte of it. */
};

struct host {
	struct world *world;
	unsigned int index;
	char name[IDENTITY_NAME_SIZE];
	struct peer_id id;
	struct ip_addr v4, v6; /* 192.0.2.(index + 1), 2001:db8::(index + 1) */
	struct hs_slot slots[2];
	size_t n_slots;
	unsigned int sas_per_peer; /* As the seed says; at the next start. */
	struct ip_endpoint targets[WORLD_MAX_HOSTS];
	size_t n_targets;
	bool discovers; /* Dials hosts that others know. */
	size_t conn_limit;
	size_t flows_ahead;	      /* At the next start. */
	enum overlay_setting overlay; /* At the next start. */
	bool no_aes_gcm;	      /* Likewise. */
	/* With whom it may be plain, at the next start. */
	struct ip_prefix trusts[2];
	size_t n_trusts;
	size_t n_trusts_now;		   /* Since the last start. */
	size_t n_trusted_before;	   /* Until the guard is put anew. */
	bool was_trusted[WORLD_MAX_HOSTS]; /* By them, when it died. */
	/* Where others shall dial it; zero: where they see it. */
	struct ip_endpoint advertises;

	struct fake_kernel kernel;
	char *state; /* The state file. Owned. */
	unsigned int n_saves;
	char *peers;	   /* The file of peers. Owned. */
	struct secret key; /* Its identity key... */
	bool has_key;	   /* ...without which it is an older fdpd. */
	struct endpoint *endpoints[WORLD_MAX_ENDPOINTS];
	size_t n_endpoints;

	/* The daemon. */
	struct engine *engine; /* NULL while it is dead. */
	unsigned int life;     /* How often it was started. */
	uint64_t late_us;      /* By so much its clock is; at the next start. */
	uint64_t guard_us; /* So long netfilter takes to be told anything. */
	/* So long a turn of its loop takes, mostly with connections; 0 = no
	 * time at all. */
	uint64_t turn_us;
	/* So long after the next start its passwords are there.  Who connects
	 * meanwhile is not refused. */
	uint64_t password_us;
	bool awaits_password;
	uint32_t next_accept;
	uint64_t results_us;	/* When the last result comes. */
	unsigned int die_after; /* Ops left to it; 0 = no such fate. */
	char *fatal;		/* The text of OP_FATAL. Owned. */
	unsigned int n_warnings, n_alarms;
	char *warning;		 /* The last one. Owned. */
	unsigned int n_sessions; /* Since its start, by its log. */
	/* The last command's answer. */
	bool replied, reply_ok;
	char *reply;
};

/* Ends the test. */
void world_fail(struct world *, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));

struct world *world_new(uint64_t seed);
void world_free(struct world *);
uint64_t world_now(const struct world *);
uint64_t world_hash(const struct world *);
struct weather *world_weather(struct world *);
/* A random number below 'n'; for tests that want to vary. */
uint64_t world_draw(struct world *, uint64_t n);
struct host *world_host(struct world *, unsigned int index);

/* 'password' may be NULL.  The daemon is not running yet.  One seed in three
 * gives each host one SA a peer, one four, one something to each. */
struct host *world_add_host(struct world *, const char *name,
			    const char *password);
/* It lost its key and made another. */
void host_new_key(struct host *);
void host_set_password(struct host *, size_t slot, const char *password);
/* Makes them the passwords of a running daemon, which answers as to `fdpctl
 * reload`; NULL if it refused.  'second' may be NULL. */
struct json *host_reload(struct host *, const char *first, const char *second);
/* It has a sleeve, and a kernel without openvswitch unless 'ovs'. */
void host_give_sleeve(struct host *, bool ovs, bool aes);
/* What 'a' says of how it reaches 'b'; "" if it does not.  Static. */
const char *host_overlay(struct host *a, const struct host *b);
/* To be dialled after the next start. */
void host_add_target(struct host *, const struct ip_addr *);

/* It has 192.0.2.n and 2001:db8::n instead, from now on.  What its connections
 * had is theirs still: nothing passes on them until it has that again. */
void host_readdress(struct host *, uint8_t n);

void host_start(struct host *);
/* Starts, waits, and demands that it is running. */
void host_start_well(struct host *);
/* SIGTERM. */
void host_stop(struct host *);
/* SIGKILL: the kernel lives on and closes the sockets. */
void host_kill(struct host *);
/* SIGKILL after its next 'n' ops, of whatever kind. */
void host_die_after(struct host *, unsigned int n);
/* Power failure: the kernel forgets everything, nobody is told. */
void host_crash(struct host *);
bool host_is_running(const struct host *);

/* Events between a and b: the streams break, both ends hear of it. */
void world_break(struct world *, const struct host *a, const struct host *b);
/* Nothing passes between them any more, or everything again. */
void world_partition(struct world *, const struct host *a, const struct host *b,
		     bool apart);

/* VXLAN packets from 'from' to 'to' get lost if they have more than 'size'
 * bytes on the wire: 0 = all of them, SIZE_MAX = none. */
void world_filter(struct world *, const struct host *from,
		  const struct host *to, size_t size);

/* The same for datagrams of the sleeve. */
void world_filter_sleeve(struct world *, const struct host *from,
			 const struct host *to, size_t size);

/* Whoever loses them for their size tells the sender's kernel. */
void world_routers_tell(struct world *, bool);

void world_run(struct world *, uint64_t duration_us);
/* Runs until 'done' says so; false after 'timeout_us'. */
bool world_run_until(struct world *, bool (*done)(void *aux), void *aux,
		     uint64_t timeout_us);

/* Runs a command with JSON arguments (NULL: none).  The answer, which the
 * caller destroys, or NULL and host->reply if it was refused or the daemon
 * died. */
struct json *host_command(struct host *, const char *name, const char *args);
/* The same for one that must succeed. */
struct json *host_ask(struct host *, const char *name, const char *args);
/* The same without arguments, and without waiting for the answer. */
void host_tell(struct host *, const char *name);

/* Has 'a' an established connection and a tunnel to 'b' without complaints? */
bool host_is_connected(struct host *a, const struct host *b);
/* Waits until every running host sees every other one. */
bool world_connect(struct world *, uint64_t timeout_us);

/* As `fdpctl attach`.  'addresses' is a JSON list; 'mac' may be NULL.  NULL if
 * it was refused (host->reply says why). */
struct endpoint *host_attach(struct host *, const char *netns,
			     const char *addresses, const char *mac);
/* If the daemon dies of it, the interface goes all the same. */
void host_detach(struct endpoint *);
/* Somebody deletes its interface; the endpoint is gone. */
void host_lose_port(struct endpoint *);
/* The kernel says that links, addresses or routes changed. */
void host_net_changed(struct host *);

/* Does an echo request from 'e' to 'ip' come back?  Tried a few times. */
bool endpoint_reaches(struct endpoint *e, const struct ip_addr *ip);
/* The same with 'size' bytes of IP packet, tried 'n' times. */
bool endpoint_reaches_with(struct endpoint *e, const struct ip_addr *ip,
			   size_t size, unsigned int n);

/* A line of the log. */
void world_note(struct world *, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* FDP_SHARE=N, for slow machines and sanitizers: one in N of the cases of a
 * long series is enough.  Odd, or N and what a case takes from its number may
 * go together. */
unsigned int world_share(void);
/* Runs 'body' for 'n' seeds, or the world_share() of them; for FDP_SEED alone
 * if that is set, or for those of FDP_SEEDS=FROM-TO. */
void world_each_seed(unsigned int n, void (*body)(uint64_t seed));

struct ip_addr ip_of(const char *text);

#endif
