/* The engine's inside, shared by the files of this folder and by nobody else.
 *
 *	engine.c   start, dispatch of events, timers
 *	conn.c     control connections: dial, accept, handshake, records, health
 *	peer.c     the hosts we know: sessions, their endpoints
 *	tunnel.c   the way to one peer: MTU, policies, security associations
 *	sleeve.c   the keys of the sleeve with one peer
 *	overlay.c  the sleeve beside fastdp: which of them is used
 *	rekey.c    new keys for it, and repair of what others took away
 *	plain.c    peers with whom it need not be encrypted
 *	probe.c    whether traffic gets there
 *	mtu.c      and how large it may be
 *	health.c   what is wrong with the way, in both directions
 *	check.c    tests that tell why
 *	guard.c    the netfilter guard
 *	discovery.c hosts that others know
 *	limit.c    how many sessions there are to be
 *	password.c other passwords while we run
 *	pin.c      the identity keys of peers
 *	gossip.c   what hosts say of themselves, kept and passed on
 *	links.c    what they say of their links, in short
 *	relay.c    peers that are reached through others
 *	port.c     attached interfaces: attach, detach, adopt, MTU
 *	moves.c    addresses that come back with another MAC
 *	ground.c   repair of what others take from under us
 *	forward.c  upcalls in, flows out
 *	ahead.c    flows that are there before their packets
 *	adopt.c    flows of an earlier run
 *	command.c  what operators ask; attach.c, show_*.c (show.h), trace.c
 *	persist.c  the state file
 *	remember.c peers of the run before
 */
#ifndef FDP_ENGINE_STATE_H
#define FDP_ENGINE_STATE_H 1

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/reason.h"
#include "base/rng.h"
#include "base/timers.h"
#include "datapath/flow_table.h"
#include "datapath/forwarding.h"
#include "datapath/lane.h"
#include "datapath/pipeline.h"
#include "engine/engine.h"
#include "mesh/admission.h"
#include "mesh/diagnosis.h"
#include "mesh/history.h"
#include "mesh/overlay.h"
#include "mesh/path.h"
#include "mesh/pmtu.h"
#include "mesh/record.h"
#include "mesh/statements.h"
#include "mesh/topology.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "session/channel.h"
#include "session/handshake.h"
#include "session/keys.h"
#include "session/message.h"
#include "session/ratchet.h"

struct json;
struct probe_frame;

/* Times in microseconds. */
#define SECOND_US	 UINT64_C(1000000)
#define PING_IDLE_US	 (5 * SECOND_US)    /* Silence before we ask. */
#define PING_TIMEOUT_US	 (15 * SECOND_US)   /* Silence before we give up. */
#define PING_DOUBT_US	 (3 * SECOND_US)    /* The same, under suspicion. */
#define SILENT_US	 (7 * SECOND_US)    /* Then packets go another way. */
#define HOMELESS_US	 (1 * SECOND_US)    /* Addresses that move come back. */
#define COPY_DOUBT_US	 (300 * SECOND_US)  /* Two of one id within that. */
#define STABLE_US	 (10 * SECOND_US)   /* A session that was not a flap. */
#define PEER_GRACE_US	 (60 * SECOND_US)   /* Lost peers keep forwarding. */
#define FAR_GRACE_US	 (10 * SECOND_US)   /* Those without a tunnel do not. */
#define REKEY_US	 (3600 * SECOND_US) /* Give or take a tenth. */
#define REKEY_STUCK_US	 (10 * SECOND_US)
#define SA_LINGER_US	 (60 * SECOND_US)  /* Replaced SAs stay that long. */
#define ADOPT_GRACE_US	 (120 * SECOND_US) /* Found at start, unclaimed. */
#define ADOPT_FLOWS_US	 (100 * SECOND_US) /* The same for flows: earlier. */
#define TRUNK_PORT_US	 (SECOND_US / 100) /* A number of the trunk's. */
#define FLOW_DUMP_US	 (4 * SECOND_US)
#define FLOWS_FULL_US	 (60 * SECOND_US) /* Shown for so long. */
#define REFUSAL_SHOWN_US (300 * SECOND_US)
#define KEYING_STUCK_US	 (30 * SECOND_US)   /* The first keys of a session. */
#define DELETE_RETRY_US	 (10 * SECOND_US)   /* What the kernel keeps. */
#define SA_RETRY_US	 (5 * SECOND_US)    /* After the kernel refused... */
#define SA_RETRY_LATE_US (300 * SECOND_US)  /* ...if there is the sleeve. */
#define REPAIR_US	 (1 * SECOND_US)    /* Between two tries. */
#define ROUTE_SOON_US	 (SECOND_US / 10)   /* What else comes with it... */
#define ROUTE_CHECK_US	 (1 * SECOND_US)    /* ...and at most so often. */
#define MTU_SETTLE_US	 (10 * SECOND_US)   /* Till then nothing grows. */
#define MTU_RETURN_US	 (60 * SECOND_US)   /* Nor till peers are back. */
#define GUARD_RETRY_US	 (30 * SECOND_US)   /* After nothing took it. */
#define GOSSIP_US	 (30 * SECOND_US)   /* Between lists, on average. */
#define HINT_KEPT_US	 (3600 * SECOND_US) /* Without a connection. */
#define HINT_FRESH_US	 (120 * SECOND_US)  /* It should be there. */
#define ALARM_SHOWN_US	 (3600 * SECOND_US)
#define PIN_NEW_US	 (3600 * SECOND_US) /* Shown as new. */
#define SAVE_SOON_US	 (1 * SECOND_US)
#define SAVE_RETRY_US	 (10 * SECOND_US) /* After it failed. */
#define ROUTE_RETRY_US	 (10 * SECOND_US) /* While one is missing. */

enum {
	IFNAME_SIZE = 16,
	DETAIL_SIZE = 160,
	STATE_ERROR_SIZE = 256,
	MAX_REFUSALS = 16, /* Shown in `status connections`. */
	/* Lines of the log on strangers that were refused: at once, and then
	 * one in so many seconds. */
	REFUSAL_LINES = 20,
	REFUSAL_LINE_SECONDS = 10,
	MAX_PINS = 4096,
	MAX_ALARMS = 16, /* Then the oldest is forgotten. */
	ALARM_TEXT_SIZE = 512,
	MAX_PEERS = 4096,
	IPV4_MIN_MTU = 68,   /* RFC 791 3.2 */
	IPV6_MIN_MTU = 1280, /* RFC 8200 5 */
	PERSIST_CHECK_STRLEN = 17,
	SA_ADD_ATTEMPTS = 8,
	TRUNK_PORT_MIN = 32768, /* Datapath port numbers. */
	TRUNK_PORT_MAX = 65534
};

enum phase {
	PHASE_NEW,
	PHASE_BLOCKING, /* Block policies are being installed. */
	PHASE_DATAPATH, /* The datapath is being made or adopted. */
	PHASE_PORTS,	/* The tunnel port and adopted ports. */
	PHASE_RUNNING,
	PHASE_FAILED,
	PHASE_STOPPED
};

/* An address that we dial until it is connected. */
struct target {
	struct target *next;	/* In engine.targets. */
	struct hmap_node by_ip; /* In engine.targets_by_ip. */
	struct timer timer;	/* In engine.targets_due, by 'retry_us'. */
	struct ip_endpoint remote;
	struct conn *conn;     /* NULL when not trying. */
	bool hinted;	       /* By another host; else an operator's. */
	bool muted;	       /* An operator wants it left alone. */
	bool saved;	       /* Outlives a restart, unlike the configured. */
	uint64_t heard_us;     /* The last hint, or connection. */
	struct peer_id peer;   /* Who answered there last; zero = unknown. */
	uint64_t retry_us;     /* When to dial; UINT64_MAX: not by itself. */
	unsigned int failures; /* In a row. */
	size_t dial_slot;
	bool refused; /* The last attempt failed for more than transport. */
	enum reason reason;
	char detail[DETAIL_SIZE];
	uint64_t since_us;
	uint64_t reason_us; /* It has been for this reason since. */
	uint32_t path_mtu;  /* By route; 0 = unknown. */
	struct history history;
	/* limit.c */
	bool spared;	     /* The other side had a session too many. */
	bool held;	     /* It waits, as it is reached through others... */
	uint64_t reached_us; /* ...or was then. */
};

enum conn_state {
	CONN_DIALING,
	CONN_HANDSHAKE,
	CONN_UP
};

/* One TCP connection. */
struct conn {
	struct hmap_node node;	/* In engine.conns, by id. */
	struct hmap_node by_ip; /* In engine.conns_by_ip: 'remote'. */
	struct ovs_list dial;	/* In engine.dials, if 'outbound', until up. */
	struct timer timer;	/* In engine.conns_due. */
	uint32_t id;
	enum conn_state state;
	struct target *target; /* The one it was dialled for, or NULL. */
	struct peer *renews;   /* Or whose session it shall replace. */
	bool outbound;
	bool admitted; /* Counted by engine.admission... */
	bool stranger; /* ...as one from an address that is not known. */
	bool to_self;  /* We accepted this very connection as well. */
	struct ip_endpoint local, remote;
	uint64_t since_us;    /* In this state. */
	uint64_t heard_us;    /* Last bytes from the other side. */
	uint64_t patience_us; /* Silence that ends it. */
	uint64_t ping_seq;
	bool ping_sent;	      /* And nothing heard since. */
	bool silent;	      /* For SILENT_US. */
	uint64_t homeless_us; /* Since when 'local' is no address of ours. */
	struct wbuf rx;	      /* Not yet a whole frame or record. */
	uint64_t step;	      /* In which it was sent... */
	size_t sent;	      /* ...so many bytes; */
	bool greedy;	      /* that was too much, and is its end. */
	struct handshake *hs; /* CONN_DIALING, CONN_HANDSHAKE. */
	/* CONN_UP. */
	enum hs_role role;
	uint32_t password; /* Its number, see password_slot(); 0 = plain. */
	struct channel channel;
	struct ratchet ratchet;
	struct secret esp; /* session_export(S1, KEY_LABEL_ESP) */
	struct secret sleeve_in, sleeve_out; /* Of the epoch, if encrypted. */
	struct identity identity;	     /* The other side's. */
	struct peer *peer;
	struct record_inbox inbox;
	struct held_statement *held; /* Of a summary, so far. */
	size_t n_held;
	/* Numbers of statements: the last one when the session began, and that
	 * it has been told of. */
	uint64_t began, told;
};

enum tunnel_state {
	TUNNEL_DOWN,
	TUNNEL_KEYING,
	TUNNEL_UP
};

/* One SA each way, and the out policy that leads to ours (datapath/lane.h). */
struct lane {
	uint32_t spi_in;   /* Being installed or in use; 0 = none. */
	uint32_t spi_out;  /* In use: the policy is pinned to it; 0 = none. */
	uint32_t spi_next; /* Being installed. */
	uint8_t attempts;  /* To find a free SPI. */
	bool in_ready;
	bool next_ready; /* Installed. */
	bool pinning;	 /* The policy is on the way to it. */
	bool policy;	 /* Installed, or being so. */
};

/* Whether it may be plain between us (plain.c).  The exceptions are the
 * policies of lane 0, no others, and two rules of the guard. */
struct plain {
	bool agreed;	 /* Both hosts trust each other, in this session. */
	bool in;	 /* Plain packets are let in, or are about to be... */
	bool in_ready;	 /* ...as far as policies go, and are... */
	bool told;	 /* ...and the peer knows. */
	bool peer_ready; /* The peer lets in ours. */
	bool out;	 /* We send in the clear. */
};

/* The keys of the sleeve with a peer (sleeve.c): for each epoch ours for what
 * comes in, then the peer is told, then its index for what goes out. */
struct sleeve {
	bool on; /* Both hosts have one. */
	enum sleeve_cipher cipher;
	uint32_t index_in;   /* Of the present epoch; 0 = none. */
	bool told;	     /* The peer is, as it is installed. */
	uint32_t index_out;  /* In use; 0 = none yet. */
	uint32_t epoch_out;  /* That it belongs to. */
	uint32_t index_next; /* Being installed; 0 = none. */
	struct ip_addr local;
	struct ip_endpoint named;  /* Where the peer says that it is... */
	struct ip_endpoint remote; /* ...and where it is. */
	int send_errno;		   /* The kernel's word on that. */
	struct sleeve_load load;   /* As last counted. */
};

/* The way to one peer.  Keying: both policies, our inbound SAs, our offer; on
 * the peer's offer the outbound SAs, then the out policies are pinned to them,
 * then flows may use them; up when the peer said the same.  All lanes take each
 * step together. */
struct tunnel {
	enum tunnel_state state;
	enum reason reason; /* Why not up. */
	char detail[DETAIL_SIZE];
	bool placed; /* 'local' and 'remote' hold. */
	/* It is the sleeve, as one of the hosts has nothing else: there are
	 * neither policies nor SAs. */
	bool by_sleeve;
	struct ip_addr local, remote;
	uint16_t udp_port;  /* The peer's. */
	uint32_t path_mtu;  /* By route; 0 = unknown. */
	uint32_t mtu_limit; /* The same, inner. */
	bool mtu_told;	    /* A router has told the kernel of less. */
	uint32_t mtu;	    /* Inner, as probes find it; 0 = unknown. */
	int route_errno;    /* There is no way to send there... */
	uint64_t route_us;  /* ...since then. */
	char route_ifname[16];
	/* Encrypted only. */
	uint32_t reqid;
	bool policies;	   /* Installed, or being so. */
	bool failed;	   /* The kernel refused a part of it. */
	uint64_t retry_us; /* When to begin again after that; 0 = never. */
	uint32_t epoch;	   /* Of the ratchet; 0: a session's first keys. */
	uint8_t salt_in[ESP_SALT_BYTES];
	struct lane lanes[LANES_MAX];
	unsigned int n_in;	 /* Lanes with a spi_in. */
	unsigned int n_out;	 /* Lanes in use from us; 0 = none yet. */
	unsigned int n_next;	 /* Lanes with a spi_next; 0 = none. */
	bool peer_active;	 /* The peer sends through our inbound SAs. */
	uint32_t epoch_out;	 /* That the outbound SAs belong to. */
	uint64_t rekey_us;	 /* When the next one is due. */
	uint64_t rekey_began_us; /* One is under way since; 0 = none. */
	bool rekey_again;	 /* Something was lost meanwhile. */
	struct plain plain;
	struct sleeve sleeve;
};

/* A session that is to be replaced by one with another password. */
struct renewal {
	bool wanted; /* Else all is zero. */
	bool needed; /* One side accepts the password of the old one no more. */
	bool ends;   /* We do not: it ends at 'deadline_us'. */
	uint64_t deadline_us;
	/* If we are the initiator. */
	uint64_t retry_us; /* When to dial; UINT64_MAX = 'conn' is at it. */
	unsigned int failures;
	size_t dial_slot;
	struct conn *conn; /* To be the new one, or NULL. */
};

/* Tests of a dead way. */
enum check_step {
	CHECK_NONE,    /* There is no need. */
	CHECK_WAITING, /* For the next one. */
	CHECK_BEFORE,  /* The first look. */
	CHECK_SENT,
	CHECK_AFTER /* The second one. */
};

struct look {
	bool done_here, done_there;
	struct ipsec_sight here, there;
	uint64_t heard; /* By the peer, of our probes. */
};

struct check {
	enum check_step step;
	uint64_t due_us;
	unsigned int n; /* Tests since the way is as it is. */
	struct evidence evidence;
	struct look before, look;
	struct evidence last; /* The test before, for people. */
	uint64_t last_us;     /* 0: there was none. */
};

/* What probes say of the way to a peer, and back. */
struct watch {
	bool on; /* There is a session, with a peer that knows probes. */
	struct path path;  /* From here to there. */
	uint64_t n_heard;  /* Probes of the peer's. */
	uint64_t heard_us; /* The last one; 0 = none. */
	uint64_t asked[2]; /* Questions of the peer's to answer; 0 = none. */
	/* health.c */
	enum path_level level; /* As the peer was told. */
	uint64_t level_us;     /* Since when. */
	enum reason cause;     /* Found by tests; REASON_NONE: not known. */
	char cause_detail[DETAIL_SIZE];
	enum path_level told; /* Of the way in use, to the peer; and why. */
	enum reason told_reason;
	enum path_level back; /* Its own way, as the peer says. */
	enum reason back_reason;
	uint64_t back_us;
	uint32_t question;   /* Of a test: the number of the last one to it. */
	struct check *check; /* NULL: there is no need of any. */
};

/* The sleeve beside fastdp (overlay.c). */
struct beside {
	bool can;	   /* Both hosts have both... */
	bool on;	   /* ...and a session, so that this way is watched. */
	uint64_t since_us; /* The session's begin. */
	struct overlay overlay;
	struct path path;
	enum path_level level;
	uint64_t level_us;
	struct pmtu pmtu;
	uint32_t mtu;	    /* Inner, as probes find it; 0 = unknown. */
	uint64_t narrow_us; /* Since then fastdp is too narrow; 0: it is not. */
	uint64_t n_heard;   /* Probes of the peer's that came so. */
	uint64_t heard_us;
};

/* An endpoint that a peer announces. */
struct bound {
	bool is;   /* In the forwarding table. */
	bool told; /* That it is not, as somebody else has an address of it. */
};

/* A host that we know. */
struct peer {
	struct hmap_node node;	    /* In engine.peers, by id. */
	struct hmap_node by_number; /* In engine.peer_numbers. */
	struct timer timer;	    /* In engine.peers_due. */
	struct peer_id id;
	uint32_t number; /* Its name in datapath/forwarding.h. */
	char name[IDENTITY_NAME_SIZE];
	uint64_t incarnation;
	uint16_t control_port; /* By its own word; 0 = unknown. */
	/* Where it wants to be dialled; none: where it is seen. */
	struct ip_endpoint *advertised;
	size_t n_advertised;
	struct conn *conn;    /* The session in use; NULL = lost. */
	size_t mark;	      /* If there is one: topology_mark(). */
	uint64_t doubted_us;  /* Another one said to be it; 0: never. */
	uint64_t lost_us;     /* When it was lost. */
	struct record record; /* Its endpoints. */
	bool remembered;      /* Of the run before, and not confirmed yet. */
	bool silent; /* Its session ended so, and there is no other yet. */
	struct bound *bound; /* What became of each of them. */
	size_t n_unbound;    /* Not in the forwarding table. */
	struct tunnel tunnel;
	struct renewal renewal;
	/* relay.c */
	bool path_dead;	       /* Probes say so. */
	bool linked;	       /* We state a link to it. */
	uint64_t link_us;      /* There has been one since; 0: there is none. */
	uint64_t unlinked_us;  /* When it was found dead; 0: never. */
	uint64_t detour_us;    /* Others know a way only; 0: not so. */
	uint32_t via;	       /* Number of who passes on; or FWD_NOBODY. */
	unsigned int hops;     /* 0: there is no way that all know. */
	uint64_t unreached_us; /* When it ceased to be more than that. */
	struct watch watch;
	struct pmtu pmtu; /* Outlives sessions. */
	struct beside beside;
	struct history history;
};

/* One of our SAs in the kernel. */
struct known_sa {
	struct ip_addr dst;
	uint32_t spi, reqid;
	uint64_t delete_us; /* UINT64_MAX: in use. */
};

/* An index of ours under which the sleeve takes datagrams. */
struct sleeve_in {
	uint32_t index, peer;
	uint64_t delete_us; /* UINT64_MAX: in use. */
};

/* A policy that no peer has claimed, found at the start, or that could not be
 * removed. */
struct stale_policy {
	struct xfrm_policy policy;
	uint64_t delete_us;
};

/* Something that others can take from under us: the datapath, and the links
 * that are its ports. */
struct footing {
	char name[IFNAME_SIZE]; /* Of the link. */
	uint32_t ifindex;	/* 0 = unknown. */
	bool there;		/* In the datapath, or the datapath itself. */
	bool wrong;		/* The link has another name, or it is down. */
	bool asked;		/* The kernel is. */
	bool lost; /* There is no such link: only its owner can help. */
	uint64_t retry_us;
	char trouble[DETAIL_SIZE]; /* Why it is still not as it should be. */
};

/* An attached interface. */
struct port {
	struct port *next; /* In engine.ports. */
	uint32_t port_no;  /* UINT32_MAX: taken away. */
	struct footing footing;
	bool withdrawn; /* Others are told that it is no more. */
	char host_ifname[16];
	char ifname[16];
	char netns[108];
	struct binding binding;
	uint8_t prefix_len[BINDING_MAX_IPS]; /* Of binding.ips. */
	uint32_t mtu;
	bool mtu_unsure; /* By the state file, not by our own hand. */
	struct port_load load;
	/* New flows that found no room, and old ones that made room. */
	uint64_t flows_refused, flows_evicted;
};

/* An inbound connection that we refused, for the operator. */
struct refusal {
	struct ip_addr ip;
	enum err err;
	enum reason reason;
	uint64_t first_us, when_us;
	unsigned int n;
};

/* Whose name and id those are. */
struct pin {
	char name[IDENTITY_NAME_SIZE];
	struct peer_id id;
	struct sign_key key;
	uint64_t seen_us; /* First; 0: before this start. */
};

/* A statement that another host was asked for. */
struct wanted {
	struct held_statement what;
	uint32_t conn; /* Through which. */
	uint64_t us;   /* When; 0: none. */
	bool in_short; /* Which may not be enough. */
};

enum alarm_kind {
	ALARM_KEY,	/* Another key than is known. */
	ALARM_OWN_NAME, /* Our name. */
	ALARM_COPY	/* An id that is there twice. */
};

/* Somebody said to be another one. */
struct alarm {
	enum alarm_kind kind;
	struct ip_addr ip;
	char name[IDENTITY_NAME_SIZE]; /* Who he said to be. */
	char detail[DETAIL_SIZE];
	uint64_t when_us;
	unsigned int n; /* 0: none. */
};

enum pending_kind {
	PENDING_START,	   /* A step of the start. */
	PENDING_TRUNK,	   /* The port to the sleeve. */
	PENDING_ADOPT,	   /* A port found at start. */
	PENDING_ATTACH,	   /* OP_VPORT_ADD for a command. */
	PENDING_GROUND,	   /* A repair. */
	PENDING_POLICY,	   /* A peer's policy. */
	PENDING_PLAIN_IN,  /* One that lets in what is plain. */
	PENDING_PLAIN_OFF, /* One that lets out nothing plain any more. */
	PENDING_SA_IN,	   /* A peer's inbound SA. */
	PENDING_SA_OUT,	   /* A peer's outbound SA. */
	PENDING_PIN,	   /* The out policy on the new SA. */
	PENDING_SA_DEL,
	PENDING_POLICY_DEL,
	PENDING_SLEEVE_IN,
	PENDING_SLEEVE_OUT,
	PENDING_GUARD,	     /* The netfilter guard. */
	PENDING_ROUTE,	     /* OP_ROUTE_GET for a peer. */
	PENDING_TARGET,	     /* OP_ROUTE_GET for a target. */
	PENDING_CHECK,	     /* A part of a test. */
	PENDING_CHECK_ASKED, /* A look that a peer asked for. */
	PENDING_SAVE,	     /* OP_SAVE */
	PENDING_REMEMBER,    /* OP_REMEMBER */
	PENDING_DUMP	     /* OP_FLOW_DUMP */
};

/* An op whose result is awaited. */
struct pending {
	struct hmap_node node; /* In engine.pending, by cookie. */
	uint64_t cookie;
	enum pending_kind kind;
	uint32_t peer; /* Peer number. */
	uint32_t spi;
	uint32_t number; /* PENDING_CHECK_ASKED */
	uint32_t command;
	struct port *port; /* PENDING_ADOPT, PENDING_ATTACH; owned. */
	struct gone *gone; /* PENDING_SA_DEL, PENDING_POLICY_DEL; owned. */
	struct ip_endpoint target; /* PENDING_TARGET */
	char ifname[IFNAME_SIZE];  /* PENDING_GROUND */
};

/* Flows before their packets (ahead.c). */
struct ahead {
	struct hmap pairs;     /* That are to be looked at... */
	struct ovs_list queue; /* ...the first one next. */
	uint64_t due_us;
	bool left_out; /* There was no room for all. */
	bool adopts;   /* Flows of an earlier run came first. */
};

struct engine {
	struct engine_config config;
	struct sign_pair key; /* Of config.key, which is wiped. */
	char *saved_state;    /* Copy of config.state. */
	/* Why the state is not on disk; "": it is. */
	char state_error[STATE_ERROR_SIZE];
	char state_damaged[STATE_ERROR_SIZE];
	uint64_t save_us; /* When to write; UINT64_MAX: nothing to do. */
	char *remembered; /* Copy of config.remembered, until it is read. */
	char remembered_check[PERSIST_CHECK_STRLEN]; /* As it is written. */
	uint64_t remember_us;			     /* As save_us. */
	uint64_t remembered_us; /* When it was written last. */
	/* Whom the run before reached by the sleeve, until they connect. */
	struct way_before *ways_before;
	size_t n_ways_before;
	/* The numbers of config.slots: each secret has one of its own. */
	uint32_t password_ids[HANDSHAKE_SLOTS_MAX];
	uint32_t last_password_id;
	enum phase phase;
	size_t start_waits;	/* Results that the start still waits for... */
	bool start_needs_guard; /* ...and whether that of the guard. */

	/* For the duration of one step. */
	uint64_t step; /* Its number. */
	uint64_t now_us;
	const struct rng *rng;
	struct ops *ops;

	uint64_t started_us;
	/* Since then it has what it takes to connect; 0: passwords are awaited.
	 */
	uint64_t ready_us;
	/* What is due next: of the engine as such; of each of the things of
	 * which there are many. */
	uint64_t deadline_us;
	struct timers conns_due, peers_due, targets_due;
	uint64_t next_cookie;
	struct hmap pending;

	/* Copied from the start snapshot. */
	struct odp_vport *found_vports;
	size_t n_found_vports;
	struct ufid *found_drops;
	size_t n_found_drops;
	struct found_flow *found_flows; /* Not adopted yet. */
	size_t n_found_flows;
	uint64_t adopt_due_us; /* When they are looked at next. */
	bool datapath_made;    /* By us, in this start. */
	bool blocks_made;      /* Likewise, on a host without traces of fdp. */

	/* The user-space datapath, as the kernel's cannot be had or is not
	 * wanted; why not. */
	bool user;
	enum reason no_fastdp;
	char no_fastdp_detail[DETAIL_SIZE];
	bool has_sleeve, sleeve_aes;
	uint16_t sleeve_port;
	char no_sleeve_detail[DETAIL_SIZE];
	struct sleeve_in *sleeve_ins;
	size_t n_sleeve_ins, allocated_sleeve_ins;

	struct footing datapath, tunnel_footing;
	/* The port to the sleeve beside the kernel's datapath; if there is
	 * none 'trunk_port' is UINT32_MAX. */
	bool has_trunk;
	struct footing trunk_footing;
	uint32_t trunk_port;
	uint64_t ground_us;   /* When to try again; UINT64_MAX: all is well. */
	uint32_t tunnel_port; /* Datapath port number; UINT32_MAX = none. */
	struct port *ports;
	uint32_t port_mtu; /* What attached interfaces should have. */
	bool checks_size;  /* The datapath takes ACTION_CHECK_SIZE. */

	struct ip_addr *addresses; /* Of this host; NULL: not known. */
	size_t n_addresses;
	struct target *targets, **targets_end;
	struct hmap targets_by_ip;
	struct hmap conns, conns_by_ip;
	struct ovs_list dials;
	uint32_t next_conn;
	uint64_t dial_us; /* Before that no target is dialled. */
	struct hmap peers, peer_numbers;
	uint32_t next_peer;
	struct admission admission;
	struct hmap known_ips; /* Authenticated before, of struct known_ip. */
	struct refusal refusals[MAX_REFUSALS];
	struct bucket refusal_lines; /* A line takes REFUSAL_LINE_SECONDS. */
	struct bucket flow_lines;    /* Of flows that the kernel refuses. */
	size_t n_unlogged;	     /* Refusals since the last such line. */
	struct pin *pins;
	size_t n_pins, allocated_pins;
	struct alarm alarms[MAX_ALARMS];

	struct record record; /* Our own. */

	uint64_t sweep_us; /* When one of these is to go. */
	struct known_sa *sas;
	size_t n_sas, allocated_sas;
	struct stale_policy *stale;
	size_t n_stale;
	enum guard_kind guard; /* What holds the guard. */
	char guard_detail[DETAIL_SIZE];
	uint64_t guard_us; /* When to try again; UINT64_MAX: it is there. */
	bool guard_busy;   /* It is being put; once more after that, */
	bool guard_again;  /* as something has changed. */

	struct hmap former; /* Of moves.c. */
	struct ovs_list former_age;
	struct forwarding *fwd;
	struct flow_table *flows;
	struct translation xlate; /* Scratch of upcalls. */
	uint64_t drops[N_REASONS];
	uint64_t upcalls, upcalls_lost, features_restored;
	struct port_load host_load, tunnel_load, trunk_load;
	struct ahead ahead;
	uint64_t dump_us;  /* When the next flow dump is due. */
	uint64_t adopt_us; /* From then on unknown flows are deleted. */
	bool dumping;
	uint64_t gossip_us; /* When lists of hosts are exchanged. */
	uint64_t shed_us;   /* When a session may be ended, */
	uint64_t beyond_us; /* and one be begun, in spite of the limit. */
	uint64_t route_us;  /* When routes are looked up again... */
	uint64_t routed_us; /* ...and when that was done last. */
	uint64_t mtu_us;    /* When attached interfaces may grow. */

	struct statements statements;
	uint64_t statement_incarnation;
	uint64_t statement_seq; /* Ours that were made so far. */
	unsigned int n_outdone; /* How often we went beyond what we had said. */
	bool unsaid[STATEMENT_CHUNKS]; /* Chunks of ours that changed. */
	bool any_unsaid;
	bool link_gone;		  /* Of what is to be said. */
	unsigned int link_chunks; /* That our links are spread over. */
	uint64_t said_us;	  /* When ours were made last... */
	uint64_t links_said_us;	  /* ...and those about links. */
	uint64_t link_came_us;	  /* The last one. */
	/* spread.c */
	uint64_t tell_us;	   /* When others are told what is new. */
	struct wanted wanted[256]; /* By a hash of author and chunk. */

	struct topology *topology;
	size_t n_links; /* That we state. */
	bool links_changed;
	bool relay_dirty;      /* Something in it or in our tunnels changed. */
	uint64_t relay_us;     /* When something becomes due. */
	uint64_t synced_us;    /* When conclusions were drawn last. */
	uint64_t linger_us;    /* When ways of before are forgotten. */
	uint64_t authors_us;   /* When a host may be to forget. */
	uint64_t crowded_us;   /* When we said last that they are too many. */
	unsigned int n_checks; /* Under way. */
};

/* ---- engine.c ---- */

/* Asks for EVENT_TIMER at 'when_us' or before. */
void engine_wake(struct engine *, uint64_t when_us);
/* The same for something of that connection, peer or target alone, of which
 * there may be many; not in this very turn. */
void conn_wake(struct engine *, struct conn *, uint64_t when_us);
void peer_wake(struct engine *, struct peer *, uint64_t when_us);
void target_wake(struct engine *, struct target *, uint64_t when_us);
void engine_log(struct engine *, enum op_log_level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Registers a pending op and puts its cookie into 'op'. */
struct pending *engine_expect(struct engine *, struct op *, enum pending_kind);
bool engine_encrypts(const struct engine *);
uint32_t engine_capabilities(const struct engine *);
/* How many SAs we want from each peer, and to it at most. */
unsigned int engine_lanes(const struct engine *);
/* What the tunnel port is to be. */
void tunnel_port_fill_in(const struct engine *, struct odp_vport *);
/* The datapath has the tunnel port, under that number. */
void tunnel_port_ready(struct engine *, uint32_t port_no);
/* Copies 'from' as far as it fits; always terminated. */
void copy_text(char *to, size_t size, const char *from);

/* ---- discovery.c ---- */

/* A session with 'p' has begun. */
void discovery_session(struct engine *, struct peer *p);
void discovery_heard(struct engine *, struct peer *, const struct msg_peers *);
/* Dials a peer that dialled us: it does not know where we are now. */
void discovery_dial_back(struct engine *, const struct peer *p);
void discovery_timers(struct engine *);
/* An operator wants it left alone: neither dialled nor shown, as long as others
 * go on naming it. */
void discovery_mute(struct engine *, const struct ip_endpoint *);
void discovery_mute_peer(struct engine *, const struct peer *);

/* ---- limit.c ---- */

/* May a target be dialled now?  Else its time to retry is set. */
bool limit_allows(struct engine *, struct target *);
/* Is it not dialled because it is reached through others? */
bool limit_holds(const struct engine *, const struct target *);
/* Its session has ended as one too many. */
void limit_spared(struct engine *, struct target *);
void limit_timers(struct engine *);

/* ---- conn.c ---- */

void conn_dialed(struct engine *, uint32_t id, const struct ip_endpoint *local);
void conn_accepted(struct engine *, uint32_t id,
		   const struct ip_endpoint *local,
		   const struct ip_endpoint *remote);
void conn_data(struct engine *, uint32_t id, struct span bytes, bool gone);
void conn_closed(struct engine *, uint32_t id, int os_errno);
/* NULL if there is none (any more). */
struct conn *conn_find(const struct engine *, uint32_t id);
/* Dials; the caller says what for. */
struct conn *conn_dial(struct engine *, const struct ip_endpoint *remote);
void conn_send(struct engine *, struct conn *, const struct message *);
/* Says why to the other side, closes, frees. */
void conn_end(struct engine *, struct conn *, enum err, enum reason,
	      const char *detail);
void conn_free(struct engine *, struct conn *);
/* The keys of that epoch, for ESP and for the sleeve. */
void conn_derive(struct conn *, const struct secret *s1, uint32_t epoch);
/* Something speaks for 'conn' being dead: asks, and waits less than usual. */
void conn_doubt(struct engine *, struct conn *);
void conn_timers(struct engine *);
/* The addresses of this host have changed. */
void conn_addresses(struct engine *, const struct event *);
void known_ips_clear(struct engine *);

struct target *target_add(struct engine *, const struct ip_endpoint *);
struct target *target_find(const struct engine *, const struct ip_endpoint *);
size_t target_count(const struct engine *);
void target_remove(struct engine *, struct target *);
void target_free(struct target *);
/* Dials soon unless it is connected or being so. */
void target_retry(struct engine *, struct target *, uint64_t delay_us);
void target_timers(struct engine *);
/* The connected peer that the target would lead to, as far as one can tell. */
const struct peer *target_peer(const struct engine *, const struct target *);

/* ---- password.c ---- */

/* Numbers the passwords of the configuration. */
void password_init(struct engine *);
/* Are there to be some that have not come yet?  Then there are no handshakes:
 * without a password they would be plain. */
bool password_is_awaited(const struct engine *);
/* The slot of the password that authenticated 'c'; -1 if it is accepted no
 * more, or there is none. */
int password_slot(const struct engine *, const struct conn *c);
/* EVENT_PASSWORDS */
void password_event(struct engine *, const struct event *);
/* The responder's passwords have changed. */
void password_rehandshake(struct engine *, struct peer *,
			  const struct msg_rehandshake *);
/* The next few: what is due of that peer's; peer_timers() calls them. */
void password_timer(struct engine *, struct peer *);
/* There is no need any more, or the old session is gone. */
void renewal_cancel(struct peer *);
/* The connection that should have replaced the session came to nothing. */
void renewal_failed(struct engine *, struct peer *, enum err);

/* ---- pin.c ---- */

/* May 'c', which is authenticated, be who it says it is?  NULL if so, and its
 * key is pinned if there was none; else the reason, in words and in '*err', and
 * the alarm is raised. */
const char *pin_refuses(struct engine *, const struct conn *c, enum err *err);
/* 'c' has the id of 'p', which is connected from elsewhere; the alarm in words.
 */
const char *pin_copy(struct engine *, const struct conn *c,
		     const struct peer *p);
/* Somebody tells us that our own id is there twice. */
void pin_told_of_copy(struct engine *, const struct conn *);
void pin_heard_copy(struct engine *, const struct conn *);
/* NULL if there is none. */
const struct pin *pin_find(const struct engine *, const struct peer_id *);
bool pin_is_new(const struct engine *, const struct pin *);
/* False if there are too many. */
bool pin_add(struct engine *, const struct pin *);
/* Forgets those of a name or id; returns how many. */
unsigned int pin_forget(struct engine *, const char *name);
bool alarm_is_shown(const struct engine *, const struct alarm *);
/* An alarm because of 'ip', or NULL. */
const struct alarm *alarm_from(const struct engine *, const struct ip_addr *ip);
void alarm_text(const struct alarm *, char *buf, size_t size);

/* ---- peer.c ---- */

/* 'conn' is authenticated.  Decides which of two connections to one peer
 * survives; false if 'conn' did not and is gone. */
bool peer_session(struct engine *, struct conn *);
/* The session in use is over; whoever is to be dialled then is so after
 * 'delay_us'. */
void peer_lost(struct engine *, struct peer *, enum reason, uint64_t delay_us);
void peer_message(struct engine *, struct conn *, const struct message *);
struct peer *peer_find(const struct engine *, const struct peer_id *);
struct peer *peer_by_number(const struct engine *, uint32_t number);
/* Is 'text' its name, id or address? */
bool peer_is_called(const struct peer *, const char *text);
void peer_remove(struct engine *, struct peer *);
/* Its memory alone. */
void peer_free(struct peer *);
/* A host that others know.  NULL: there are too many. */
struct peer *peer_heard_of(struct engine *, const struct identity *);
/* One of an earlier run; NULL as above. */
struct peer *peer_remembered(struct engine *, const struct identity *);
/* What it announces is now 'record' (taken over). */
void peer_set_record(struct engine *, struct peer *, struct record *record);
/* All that is due of each peer. */
void peer_timers(struct engine *);
/* Who has an address of an endpoint of 'p' that was not bound; "" if it is. */
const char *peer_duplicate(const struct engine *, const struct peer *,
			   size_t endpoint);
/* Who else announces an address of ours; "" if nobody does. */
const char *peer_also_has(const struct engine *, const struct binding *);
/* What peers had in an earlier run, and have not said since, and what those had
 * that fell silent and that nobody reaches any more, gives way to 'b', of which
 * that is not so.  True if something did. */
bool peers_yield(struct engine *, const struct binding *b);
/* How many endpoints of others have an address that somebody else has. */
size_t peers_n_duplicates(const struct engine *);
/* Something became free: bindings that had to wait may be bound now. */
void peers_rebind(struct engine *);
/* Our own record took a step: tells everybody. */
void peers_announce(struct engine *, const struct binding *added,
		    const struct binding_key *removed);

/* ---- tunnel.c ---- */

void tunnel_begin(struct engine *, struct peer *);
void tunnel_offer(struct engine *, struct peer *, const struct msg_sa_offer *);
void tunnel_active(struct engine *, struct peer *,
		   const struct msg_sa_active *);
/* Our inbound SAs for the epoch, and then the offer of them. */
void tunnel_add_sas_in(struct engine *, struct peer *);
/* Puts again the policies that a peer has, pinned as they were. */
void tunnel_put_policies(struct engine *, struct peer *);
/* The out policy of a lane, not pinned. */
void tunnel_make_out(const struct tunnel *, unsigned int lane,
		     struct xfrm_policy *);
/* Is 'spi' that of an SA that is, or is about to be, in use? */
bool tunnel_has_spi(const struct tunnel *, uint32_t spi);
/* Is 'policy' (its selector) one of those that 'p' has now? */
bool tunnel_owns_policy(const struct engine *, const struct peer *,
			const struct xfrm_policy *);
/* NULL if we have no such SA. */
struct known_sa *tunnel_find_sa(struct engine *, const struct ip_addr *dst,
				uint32_t spi);
/* The kernel has lost it. */
void tunnel_forget_sa(struct engine *, const struct ip_addr *dst, uint32_t spi);

/* The in policy, and the out policy of lane 0, as they are to be now; flows
 * follow. */
void tunnel_put_in(struct engine *, struct peer *, enum pending_kind);
void tunnel_put_out(struct engine *, struct peer *, enum pending_kind);

/* ---- sleeve.c ---- */

/* Is it the only way to the peer that 'c' leads to?  Also if the peer has none:
 * then there is no way. */
bool sleeve_is_all(const struct engine *, const struct conn *c);
/* A session has begun, or has new keys. */
void sleeve_begin(struct engine *, struct peer *);
void sleeve_heard(struct engine *, struct peer *, const struct msg_sleeve *);
void sleeve_result(struct engine *, const struct pending *,
		   const struct event *);
/* EVENT_SLEEVE, and what EVENT_COUNTERS has of it. */
void sleeve_event(struct engine *, const struct event *);
void sleeve_count(struct engine *, const struct event *);
/* Are the keys of the present epoch in use? */
bool sleeve_is_keyed(const struct tunnel *);
/* The inner MTU over a path of 'path_mtu' bytes; 0: not known. */
uint32_t sleeve_mtu_limit(const struct engine *, uint32_t path_mtu, bool v4);
/* How large the datagrams may be has changed. */
void sleeve_mtu(struct engine *, struct peer *);
/* The peer's keys go.  Nothing leads there any more. */
void sleeve_end(struct engine *, struct peer *);
void sleeve_sweep(struct engine *);
const char *sleeve_cipher_text(enum sleeve_cipher); /* For people. */
const char *sleeve_cipher_name(enum sleeve_cipher); /* For programs. */

/* ---- overlay.c ---- */

/* Do frames go to the peer by the sleeve, for whatever reason? */
bool overlay_is_sleeve(const struct peer *);
/* The way that they go. */
bool way_is_usable(const struct peer *);
enum path_level way_level(const struct peer *);
uint32_t way_mtu(const struct peer *);
/* Something is known of one of the two ways: chooses. */
void overlay_update(struct engine *, struct peer *);
void overlay_session(struct engine *, struct peer *);
void overlay_session_over(struct peer *);
/* An operator wants it tried again, whatever was before. */
void overlay_retry(struct engine *, struct peer *);
/* False if it is about the tunnel's own probes. */
bool overlay_acked(struct engine *, struct peer *,
		   const struct msg_probe_ack *);
bool overlay_reported(struct engine *, struct peer *, const struct msg_path *);
void overlay_traffic(struct engine *, struct peer *);
/* A probe of the tunnel's was lost: how is the other way? */
void overlay_doubt(struct engine *, struct peer *);
void overlay_mtu_limit(struct engine *, struct peer *);
void overlay_timer(struct engine *, struct peer *);
/* What the trunk is to be; it is there. */
void trunk_fill_in(struct engine *, struct op *);
void trunk_ready(struct engine *, uint32_t port_no);
/* Tells the sleeve of VLANs that were given out.  Before flows that need them.
 */
void overlay_tell_vlans(struct engine *);
/* The peer is about to send frames of that network, or of ours. */
void overlay_wanted(struct engine *, const struct peer *, uint32_t vni);
void overlay_lanes(struct engine *, const struct peer *);
/* There is a port in that network now. */
void overlay_network(struct engine *, uint32_t vni);

/* ---- plain.c ---- */

/* A session has begun, and its policies are there. */
void plain_offer(struct engine *, struct peer *);
void plain_heard(struct engine *, struct peer *, const struct msg_plain *);
/* The session is over, or there is another. */
void plain_over(struct engine *, struct peer *);
/* The in policy is as it was to be; so is the guard, with all its rules. */
void plain_in_installed(struct engine *, struct peer *);
void plain_guard_settled(struct engine *);
/* The peer sends through the SAs of this session. */
void plain_keys_used(struct engine *, struct peer *);
/* Is there anything plain between us? */
bool plain_is_on(const struct tunnel *);
/* Makes a policy of an earlier run, which lets plain packets pass, one that
 * demands ESP, in the kernel too.  The start waits for it. */
void plain_undo(struct engine *, const struct kernel_snapshot *,
		struct xfrm_policy *);

/* ---- rekey.c ---- */

/* New keys for the peer's tunnel: begins a rekey if we are the session's
 * initiator, else asks the peer to.  One at a time: while one is under way
 * nothing more happens, unless it has been so for REKEY_STUCK_US. */
void tunnel_rekey(struct engine *, struct peer *);
enum err tunnel_rekey_requested(struct engine *, struct peer *,
				const struct msg_rekey *) FDP_MUST_CHECK;
enum err tunnel_rekey_answered(struct engine *, struct peer *,
			       const struct msg_rekey *) FDP_MUST_CHECK;
/* Somebody changed our part of the IPsec databases. */
void tunnel_xfrm_event(struct engine *, const struct event *);
/* The keys of an epoch are in use in both directions. */
void tunnel_keyed(struct engine *, struct peer *);
void rekey_timer(struct engine *, struct peer *);

void tunnel_result(struct engine *, const struct pending *,
		   const struct event *);
void tunnel_route(struct engine *, struct peer *, const struct event *);
/* Flows, then SAs, then policies. */
void tunnel_end(struct engine *, struct peer *);
void tunnel_timers(struct engine *);
void tunnel_timer(struct engine *, struct peer *);
/* A policy, an SA or an index of the sleeve is to go then. */
void tunnel_sweep_at(struct engine *, uint64_t when_us);
/* Looks up the routes of all peers and targets again: in a while, now. */
void tunnel_check_routes_in(struct engine *, uint64_t delay_us);
void tunnel_check_routes(struct engine *);
void tunnel_check_route(struct engine *, struct peer *);
void tunnel_adopt(struct engine *, const struct kernel_snapshot *);
/* Did an earlier run leave all that a tunnel needs: policies that demand ESP,
 * pinned to an SA that is there, and one for what comes back? */
bool tunnel_is_adopted(struct engine *, const struct ip_addr *local,
		       const struct ip_addr *remote, uint16_t udp_port);
/* Goes on with that as the tunnel of 'p', who has none. */
void tunnel_restore(struct engine *, struct peer *p,
		    const struct ip_addr *local, const struct ip_addr *remote,
		    uint16_t udp_port);
bool tunnel_is_usable(const struct tunnel *);
/* Tells the forwarding table how the peer is reached now. */
void tunnel_publish(struct engine *, struct peer *);
/* The sleeve has keys, which may be all that there is to a tunnel. */
void tunnel_sleeve_keyed(struct engine *, struct peer *);
/* The kernel, or the sleeve, refused a part of it. */
void tunnel_failed(struct engine *, struct peer *, const struct event *);
/* The inner MTU over a path of 'path_mtu' bytes, before anything is known of
 * the peer. */
uint32_t tunnel_inner_mtu(const struct engine *, uint32_t path_mtu, bool v6);
/* Are the keys of the present epoch in use in both directions? */
bool tunnel_is_keyed(const struct tunnel *);

/* ---- probe.c ---- */

/* Something of what is due to be sent to the peer is due at another time. */
void probe_wake(struct engine *, struct peer *);
/* A session has begun. */
void probe_session(struct engine *, struct peer *, bool same);
/* The tunnel has just come up. */
void probe_tunnel_up(struct engine *, struct peer *);
/* The session is over. */
void probe_session_over(struct engine *, struct peer *);
/* Sends a probe of 'size' bytes, as an MTU counts (packet/probe.h), through
 * 'lane', now and whatever the watch does; returns its number, 0 if there is
 * no way to send it.  In the end probe_result() hears of it, unless the session
 * ends before. */
uint64_t probe_send(struct engine *, struct peer *, unsigned int lane,
		    uint16_t size, enum path_purpose);
/* A frame that the pipeline calls a probe. */
void probe_received(struct engine *, const struct odp_upcall *, uint32_t peer);
void probe_acked(struct engine *, struct peer *, const struct msg_probe_ack *);
void probe_asked(struct engine *, struct peer *, const struct msg_path *);
void probe_reported(struct engine *, struct peer *, const struct msg_path *);
/* There is traffic to or from the peer of that number. */
void probe_traffic(struct engine *, uint32_t peer);
void probe_timer(struct engine *, struct peer *);
/* Sends it through 'actions', which are taken over. */
void probe_send_frame(struct engine *, const struct probe_frame *,
		      struct actions *);
/* Many peers are probed less often: so many times as late. */
unsigned int probe_stretch(const struct engine *);

/* ---- mtu.c ---- */

/* May attached interfaces have more than the smallest way takes?  Only where
 * senders are told of ways that take less. */
bool mtus_may_differ(const struct engine *);
/* Flows to the peer check the sizes of packets as is right now. */
void mtu_publish(struct engine *, const struct peer *);
/* What flows may have for packets to it; 0: they need not check. */
uint32_t mtu_to_check(const struct engine *, const struct peer *);
/* The datapath does not check sizes as it should: do without. */
void mtu_check_fails(struct engine *);

/* The route to the peer is another now. */
void mtu_limit(struct engine *, struct peer *);
/* When mtu_watch() will have something to do. */
uint64_t mtu_due_us(const struct peer *);
/* Sends what probes are due; 'stretch': pmtu_plan(). */
void mtu_watch(struct engine *, struct peer *, unsigned int stretch);
void mtu_result(struct engine *, struct peer *, const struct path_probe *,
		bool acked);
/* Is it known what gets to the peer, or is it no use to wait? */
bool mtu_is_settled(const struct engine *, const struct peer *);
/* ---- health.c ---- */

const char *health_level_name(enum path_level);
/* For its history. */
void health_note(struct engine *, struct peer *, enum reason,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));
void health_session(struct engine *, struct peer *);
/* Probes have told something of the way to it. */
void health_path(struct engine *, struct peer *);
/* Tests have told why it is as it is; REASON_NONE: they have not. */
void health_cause(struct engine *, struct peer *, enum reason,
		  const char *detail);
/* The way in use is another, or is not as it was. */
void health_way(struct engine *, struct peer *);
/* What is known of the cause, or at least what it looks like. */
enum reason health_cause_of(const struct watch *);
void health_told(struct engine *, struct peer *, const struct msg_path_state *);
/* Nothing gets through in one direction or the other. */
bool health_is_dead(const struct peer *);

/* What is worst about the way to a peer that has a session and a tunnel. */
struct trouble {
	enum reason reason;
	bool back; /* It is about the other direction. */
	char detail[DETAIL_SIZE];
	uint64_t since_us;
};
/* False if there is none. */
bool health_trouble(const struct engine *, const struct peer *,
		    struct trouble *);
enum {
	TROUBLE_TEXT_SIZE = 320
};
void trouble_text(const struct trouble *, const struct peer *, char *buf,
		  size_t size);

/* ---- check.c ---- */

/* The level is another one than before. */
void check_level(struct engine *, struct peer *);
void check_stop(struct engine *, struct peer *);
void check_timer(struct engine *, struct peer *);
void check_route(struct engine *, struct peer *, const struct event *);
void check_sent(struct engine *, struct peer *, const struct event *);
void check_looked(struct engine *, struct peer *, const struct event *);
void check_answered(struct engine *, struct peer *,
		    const struct msg_path_checked *);
void check_asked(struct engine *, struct peer *, const struct msg_path_check *);
void check_asked_looked(struct engine *, struct peer *, uint32_t number,
			const struct event *);

/* ---- guard.c ---- */

/* Puts the netfilter guard as it should be now. */
void guard_update(struct engine *);
void guard_result(struct engine *, const struct event *);
/* Somebody has changed or removed it. */
void guard_gone(struct engine *);
void guard_timers(struct engine *);

/* ---- gossip.c ---- */

/* A session with 'p' has begun. */
void gossip_session(struct engine *, struct peer *p);
void gossip_statement(struct engine *, struct conn *, const struct statement *);
/* The same; what is not accepted is the caller's to report. */
enum err gossip_take(struct engine *, struct conn *,
		     const struct statement *) FDP_MUST_CHECK;
void gossip_refused(struct engine *, const struct conn *,
		    const struct peer_id *author, enum err);
void gossip_summary(struct engine *, struct conn *, const struct msg_summary *);
/* Compares notes with a peer. */
void gossip_exchange(struct engine *, struct peer *);
/* Something of ours is not what we have said. */
void gossip_self_changed(struct engine *);
void gossip_link_changed(struct engine *, const struct peer_id *to, bool gone);
void gossip_binding_changed(struct engine *, const struct binding_key *);
/* Says it, unless that has to wait a little. */
void gossip_say(struct engine *);
/* Links or statements changed: who is to be known now, by what? */
void gossip_update(struct engine *);
/* What a host has said is void. */
void gossip_forget(struct engine *, const struct peer_id *);
/* The key of a host is known for certain. */
void gossip_key_known(struct engine *, const struct peer_id *,
		      const struct sign_key *);
/* The least inner MTU of all hosts that may be between us and one that is
 * reached through others; UINT32_MAX if there is none. */
uint32_t gossip_relay_mtu(const struct engine *);
void gossip_timers(struct engine *);
/* Some host may not be present any more. */
void gossip_absent(struct engine *);
/* May others be told of it? */
bool gossip_is_present(const struct engine *, const struct author *);

/* ---- links.c ---- */

/* What was said of links in one chunk; all zeros: nothing. */
struct links_said {
	struct peer_id *v; /* Owned; the smallest first. */
	size_t n;
	uint64_t seq, number; /* Of statement and kept. */
};

/* What is said there; the caller frees 'v'. */
void links_of(const struct engine *, const struct kept *, struct links_said *);

/* Before we say something of links in one chunk. */
struct links_before {
	struct links_said said;	 /* What we said there. */
	struct links_said named; /* Whom anybody named that belongs there... */
	uint64_t named_hash;
	unsigned int n_chunks; /* ...if we use so many; 0: nobody does. */
};

void links_before_init(struct links_before *, const struct engine *,
		       uint8_t chunk);
void links_before_done(struct links_before *);

/* A statement of ours in its forms: whole; in short; as what is another than
 * before, or than whom anybody named. */
struct links_forms {
	struct message whole, anew, step, named;
	bool is_links;
	uint64_t before; /* links_said.number; 0: there is no 'step'. */
};

void links_forms_init(struct links_forms *, const struct engine *,
		      const struct kept *, const struct links_before *);
void links_forms_done(struct links_forms *);
/* The one for that peer. */
const struct message *links_form(const struct links_forms *,
				 const struct conn *);
/* Sends one of ours in short to somebody who wants it so; false: it is none
 * that can be. */
bool links_answer(struct engine *, struct conn *, struct kept *);

void links_heard(struct engine *, struct conn *, const struct msg_links *);

/* ---- spread.c ---- */

/* A session has begun. */
void spread_session(struct engine *, struct conn *);
/* It is over. */
void spread_lost(struct engine *, const struct conn *);
/* We have said something; of links, after 'before'. */
void spread_own(struct engine *, struct kept *,
		const struct links_before *before);
/* Somebody else has, as was heard through 'from'. */
void spread_news(struct engine *, struct kept *, const struct conn *from,
		 bool urgent);
/* Somebody may have missed what that host has said. */
void spread_again(struct engine *, struct author *);
/* Sends it to one. */
void spread_kept(struct engine *, struct conn *, struct kept *);
/* The other end of that connection has it. */
void spread_known(struct kept *, const struct conn *);
void spread_have(struct engine *, struct conn *, const struct msg_held *);
void spread_want(struct engine *, struct conn *, const struct msg_held *);
void spread_timers(struct engine *);

/* ---- relay.c ---- */

void relay_init(struct engine *);
/* A session or a tunnel is not what it was. */
void relay_touch(struct engine *);
/* Probes have told something of the way to 'p'. */
void relay_path(struct engine *, struct peer *p);
/* 'p' is about to be forgotten. */
void relay_removed(struct engine *, const struct peer *p);
/* Something was heard: conclusions are drawn soon, with what else comes. */
void relay_news(struct engine *);
/* What a host says of its links, what of that is another than before, and that
 * it says nothing any more.  False if there are too many, which is logged. */
bool relay_heard(struct engine *, const struct peer_id *author,
		 const struct peer_id *links, size_t n);
bool relay_heard_change(struct engine *, const struct peer_id *author,
			const struct peer_id *come, size_t n_come,
			const struct peer_id *gone, size_t n_gone);
void relay_forget(struct engine *, const struct peer_id *author);
/* Draws the conclusions: our own links, ways, flows. */
void relay_sync(struct engine *);
void relay_timers(struct engine *);

/* ---- port.c ---- */

struct port *port_find(const struct engine *, uint32_t port_no);
struct port *port_by_host_ifname(const struct engine *, const char *);
struct port *port_by_inside(const struct engine *, const char *netns,
			    const char *ifname);
/* What OP_VPORT_ADD has to know. */
void port_fill_in(const struct engine *, const struct port *, struct op *);
/* Opens the ports that the snapshot and the state file know. */
void ports_adopt(struct engine *);
void port_result(struct engine *, struct pending *, const struct event *);
/* EVENT_COUNTERS */
void ports_count(struct engine *, const struct event *);
/* It is in the datapath again; as forwarding_add_port(). */
enum err port_back(struct engine *, struct port *,
		   uint32_t port_no) FDP_MUST_CHECK;
/* It is attached no more, but still shown. */
void port_lost(struct engine *, struct port *);
/* Appends the op that sets it. */
struct op *port_set_mtu(struct engine *, const struct port *, uint32_t mtu);
/* Removes it here; 'kernel' also there. */
void port_remove(struct engine *, struct port *, bool kernel);
/* Computes what MTU ports should have, and sets it where it differs. */
void ports_update_mtu(struct engine *);
uint32_t ports_mtu(const struct engine *);
/* Has one of them an address of IPv6? */
bool ports_have_ipv6(const struct engine *);
void ports_timers(struct engine *);

/* ---- moves.c ---- */

void moves_init(struct engine *);
void moves_done(struct engine *);
/* A container is no longer there, or has come. */
void moves_left(struct engine *, const struct binding *);
void moves_bound(struct engine *, const struct binding *);

/* ---- ground.c ---- */

void ground_init(struct engine *);
/* The thing is in the datapath, as it should be. */
void footing_set(struct footing *, uint32_t ifindex);
/* Asks the kernel for what is missing. */
void ground_repair(struct engine *);
void ground_result(struct engine *, const struct pending *,
		   const struct event *);
/* What somebody else did. */
void ground_datapath_gone(struct engine *);
/* Also: that number is about to be another one's. */
void ground_port_gone(struct engine *, uint32_t port_no);
void ground_link(struct engine *, const struct event *);
void ground_timers(struct engine *);

/* ---- forward.c ---- */

void forward_upcall(struct engine *, const struct odp_upcall *);
/* Makes a flow of what this key was translated to. */
void forward_install(struct engine *, const struct flow *key,
		     const struct translation *);
/* The same for a flow that is ahead of its packets; false if there is no room,
 * which costs no other flow anything. */
bool forward_install_ahead(struct engine *, const struct flow *key,
			   const struct translation *);
/* Writes the flows that changes of engine.fwd ask for. */
void forward_sync(struct engine *);
/* The kernel has refused to put a flow. */
void forward_refused(struct engine *, const struct event *);
void forward_stats(struct engine *, const struct event *);
void forward_dumped(struct engine *, int os_errno);
void forward_timers(struct engine *);

/* ---- ahead.c ---- */

void ahead_init(struct engine *);
void ahead_done(struct engine *);
/* When it is known which datapath it is. */
void ahead_start(struct engine *);
/* Notes what is news in engine.fwd. */
void ahead_sync(struct engine *);
void ahead_timers(struct engine *);
/* There may be room again, or more known of flows of an earlier run. */
void ahead_again(struct engine *);

/* ---- adopt.c ---- */

/* Are there flows of an earlier run? */
bool adopt_goes_on(const struct engine *);
/* Of a translation while there are flows of an earlier run: does it lead where
 * such a flow would have led, by a way that will last? */
bool adopt_is_final(const struct engine *, const struct flow *key,
		    const struct translation *);
void adopt_start(struct engine *, const struct kernel_snapshot *);
void adopt_free(struct engine *);
/* What flows depend on has changed. */
void adopt_touch(struct engine *);
void adopt_timers(struct engine *);

/* ---- command.c ---- */

void command_run(struct engine *, const struct event *);
void command_reply(struct engine *, uint32_t command, struct json *);
void command_refuse(struct engine *, uint32_t command, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- attach.c ---- */

void attach_check(struct engine *, uint32_t command, const struct json *args);
void attach_run(struct engine *, uint32_t command, const struct json *args);
void attach_undo(struct engine *, uint32_t command, const struct json *args);
struct json *attach_port_json(const struct engine *, const struct port *);
/* The same, and what may change by itself. */
struct json *attach_shown_json(const struct engine *, const struct port *);

/* ---- persist.c ---- */

/* Reads config.state: attachments into 'found' (a list by 'next'), pins into
 * the engine.  False, and a reason, if it is not understood. */
bool persist_load(struct engine *, struct port **found, char *why, size_t size);
/* What is not on disk is tried to be written; says why it is not. */
void persist_start(struct engine *);
void persist_save(struct engine *);
/* In a moment, together with what else changes till then. */
void persist_save_soon(struct engine *);
void persist_result(struct engine *, const struct event *);
void persist_timers(struct engine *);
/* Adds its check to 'json'; takes one away, if there is any, and says whether
 * it fits. */
void persist_seal(struct json *json);
bool persist_is_intact(struct json *json);

/* ---- remember.c ---- */

/* Something of a peer's tunnel or endpoints has changed. */
void remember_touch(struct engine *);
/* What has, now. */
void remember_write(struct engine *);
void remember_result(struct engine *, const struct event *);
/* Serves the peers of the run before, as far as the kernel has them still. */
void remember_restore(struct engine *);
void remember_timers(struct engine *);
/* Why the run before took the sleeve to that peer rather than fastdp;
 * REASON_NONE: it did not.  That is told once. */
enum reason remember_way(struct engine *, const struct peer *);

#endif
