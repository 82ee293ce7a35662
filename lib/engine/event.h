/* What happened, as plain data: the only input of the engine besides the time
 * and randomness.  Everything an event points to is borrowed for the call. */
#ifndef FDP_ENGINE_EVENT_H
#define FDP_ENGINE_EVENT_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/reason.h"
#include "base/span.h"
#include "engine/op.h"
#include "mesh/diagnosis.h"
#include "netlink/odp.h"
#include "netlink/xfrm.h"
#include "session/handshake.h"

struct json;

enum event_type {
	EVENT_START,	   /* First of all; 'start'. */
	EVENT_TIMER,	   /* engine_deadline() was reached. */
	EVENT_STOP,	   /* SIGTERM or `exit`: the kernel state stays. */
	EVENT_RESULT,	   /* 'result' of an op. */
	EVENT_DIALED,	   /* 'conn', 'local'. */
	EVENT_ACCEPTED,	   /* 'conn', 'local', 'remote'. */
	EVENT_DATA,	   /* 'conn', 'bytes', 'gone'. */
	EVENT_CLOSED,	   /* 'conn' failed or ended; 'os_errno', 0 = EOF. */
	EVENT_UPCALL,	   /* 'upcall'. */
	EVENT_FLOW_STATS,  /* 'flow_stats', one a flow of a dump. */
	EVENT_ROUTE,	   /* 'route': the answer to OP_ROUTE_GET. */
	EVENT_IPSEC,	   /* 'ipsec': the answer to OP_IPSEC_LOOK. */
	EVENT_NET_CHANGED, /* Links, addresses or routes changed. */
	EVENT_ADDRESSES,  /* 'addresses': all of this host, when they change. */
	EVENT_LINK,	  /* 'link' is so now, or was a moment ago. */
	EVENT_VPORT_GONE, /* 'port_no' was deleted by somebody else. */
	EVENT_DP_GONE,	  /* Somebody deleted our datapath. */
	EVENT_DP_FEATURES, /* Somebody switched its features; restored. */
	EVENT_XFRM,	   /* 'xfrm': somebody changed SAs or policies. */
	EVENT_GUARD_GONE,  /* Somebody changed the netfilter guard. */
	EVENT_SLEEVE,	   /* 'sleeve': something of its data plane. */
	EVENT_COUNTERS,	   /* 'counters', before a command that shows them. */
	EVENT_PASSWORDS,   /* 'passwords': the file was read. */
	EVENT_COMMAND	   /* 'command'. */
};

/* A flow of an earlier run, as the kernel has it. */
struct found_flow {
	struct ufid ufid;
	struct flow key; /* Masked. */
};

/* Without actions, or into the trunk of an earlier run, which has gone with it:
 * of "drops". */
bool found_flow_leads_nowhere(const struct actions *);

/* What a port asks of us; since it was opened. */
struct port_load {
	uint32_t port_no;
	uint64_t upcalls;
	uint64_t lost;	 /* Upcalls that its full queue did not take. */
	uint64_t waited; /* Times that it was not served for its rate. */
};

enum sleeve_news {
	/* Authentic datagrams come from 'remote' now, to 'local'; what is sent
	 * goes there already. */
	SLEEVE_MOVED,
	/* Frames of 'vni' came, and there is no lane for them; once, until
	 * there is one, and every second or so. */
	SLEEVE_WANTED,
	/* The sequence numbers of the outbound key of 'index' are three
	 * quarters used up. */
	SLEEVE_USED_UP,
	/* Datagrams do not leave this host, by 'os_errno'; 0: they do again. */
	SLEEVE_SENDS
};

/* What has gone through the sleeve to and from a peer, since its first key. */
struct sleeve_load {
	uint32_t peer;
	uint64_t tx_frames, tx_bytes, tx_datagrams;
	uint64_t rx_frames, rx_bytes, rx_datagrams;
	uint64_t forged;   /* Datagrams that did not open, */
	uint64_t replayed; /* and that did, but had come before. */
	uint64_t lost;	   /* Frames that queues did not take, both ways. */
	uint64_t heard_ms; /* Since the last authentic one; UINT64_MAX: none. */
};

/* What is there when the daemon starts. */
struct kernel_snapshot {
	bool datapath_exists;
	const struct odp_vport *vports;
	size_t n_vports;
	const struct xfrm_sa *sas; /* Only ours. */
	size_t n_sas;
	const struct xfrm_policy *policies; /* Only ours. */
	size_t n_policies;
	const struct ufid *drops; /* Flows that lead nowhere... */
	size_t n_drops;
	const struct found_flow *flows; /* ...and others; of many some. */
	size_t n_flows;
	bool guard; /* There is one; looked for only without a password. */
	/* Why there can be no kernel datapath with ESP, REASON_NO_DATAPATH or
	 * REASON_NO_ESP, and the kernel's own words; REASON_NONE: it can. */
	enum reason no_fastdp;
	const char *no_fastdp_detail; /* Or NULL. */
	struct {
		bool there;	    /* Sockets and threads of the sleeve are. */
		bool aes_gcm;	    /* That is fast here. */
		uint16_t port;	    /* UDP. */
		const char *detail; /* Why it is not there, or NULL. */
	} sleeve;
};

struct event {
	enum event_type type;
	uint32_t conn;
	int os_errno;
	bool gone; /* EVENT_DATA: its sender has closed behind it. */
	union {
		struct {
			const struct kernel_snapshot *snapshot;
		} start;
		struct {
			uint64_t cookie;
			enum op_type op;
			const char *detail; /* The kernel's own words or "". */
			uint32_t port_no, ifindex; /* OP_VPORT_ADD, ... */
			bool changed;		   /* OP_LINK_SET */
			/* OP_DATAPATH_ADD: it takes ACTION_CHECK_SIZE. */
			bool checks_size;
			struct ufid ufid;      /* OP_FLOW_PUT */
			enum guard_kind guard; /* OP_GUARD_PUT */
		} result;		       /* with os_errno, 0 = success */
		struct {
			struct ip_endpoint local, remote;
		} accepted; /* also EVENT_DIALED */
		struct span bytes;
		const struct odp_upcall *upcall;
		struct {
			struct ufid ufid;
			struct odp_flow_stats stats;
			uint64_t idle_ms; /* Since its last packet. */
		} flow_stats;
		struct {
			uint64_t cookie;
			struct ip_addr dst, src;
			uint32_t mtu;	/* With what a router has told. */
			uint32_t limit; /* Without. */
			uint32_t ifindex;
			char ifname[16]; /* "" if it is not known. */
		} route;		 /* with os_errno */
		struct {
			uint64_t cookie;
			/* In the order of the op; errors are those of all. */
			const struct ipsec_sight *sas;
			size_t n;
		} ipsec;
		struct {
			const struct ip_addr *v;
			size_t n;
		} addresses;
		uint32_t port_no;
		struct {
			uint32_t ifindex;
			const char *name;
			bool up;
		} link;
		const struct xfrm_event *xfrm;
		struct {
			uint32_t peer;
			enum sleeve_news what;
			struct ip_addr local;
			struct ip_endpoint remote;
			uint32_t vni;
			uint32_t index;
		} sleeve; /* with os_errno */
		struct {
			uint64_t upcalls, lost, features_restored;
			const struct port_load *ports; /* By number. */
			size_t n_ports;
			const struct sleeve_load *sleeves; /* By peer. */
			size_t n_sleeves;
		} counters;
		struct {
			const struct hs_slot *slots; /* As at the start. */
			size_t n;
			uint32_t command; /* To be answered by OP_REPLY. */
		} passwords;
		struct {
			uint32_t id;
			const char *name;	 /* "status", "attach", ... */
			const struct json *args; /* An object or NULL. */
		} command;
	};
};

#endif
