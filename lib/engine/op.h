/* What the engine wants done, as plain data.
 *
 * engine_step() appends ops to a list; kmod-glue/exec.h carries them out, in
 * order.  Ops have no pointers into live state.  An op whose 'cookie' is not
 * zero is answered by an EVENT_RESULT with that cookie; of others only
 * failures are reported back (cookie 0).  Ops are idempotent where the kernel
 * allows it, so that repairing and starting are the same code.
 */
#ifndef FDP_ENGINE_OP_H
#define FDP_ENGINE_OP_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"
#include "ipsec/netguard.h"
#include "netlink/odp.h"
#include "netlink/xfrm.h"
#include "packet/action.h"
#include "packet/flow.h"
#include "session/keys.h"

enum {
	/* Of all OP_SEND of one step, on one connection: what a host that joins
	 * a large mesh may ask for at once, and no more. */
	OP_SEND_MAX = 16 * 1024 * 1024
};

enum op_type {
	/* Control connections.  'conn' numbers: the engine's are odd, those of
	 * accepted connections (EVENT_ACCEPTED) even. */
	OP_DIAL,  /* Connect to 'dial.remote'. */
	OP_SEND,  /* Queue 'bytes' on 'conn'. */
	OP_CLOSE, /* Flush what is queued, then close; no event follows. */

	/* Datapath. */
	OP_DATAPATH_ADD, /* Create or adopt the one that 'datapath' says. */
	OP_DATAPATH_DEL, /* Undo a failed start. */
	OP_VPORT_ADD,	 /* 'vport' -> result.port_no, result.ifindex. */
	OP_VPORT_ADOPT,	 /* Serve upcalls of the existing 'vport'. */
	OP_VPORT_DEL,	 /* 'vport.port_no'. */
	OP_FLOW_PUT,	 /* 'flow'; failure: result.ufid. */
	OP_FLOW_DEL,	 /* 'flow.ufid'; already gone is success. */
	OP_FLOW_DUMP,	 /* Statistics: EVENT_FLOW_STATS..., EVENT_RESULT. */
	OP_EXECUTE,	 /* Send 'execute.packet' through 'flow.actions'. */

	/* IPsec. */
	OP_SA_ADD,     /* 'sa'; EEXIST if the SPI is taken. */
	OP_SA_DEL,     /* 'sa.dst', 'sa.spi'; already gone is success. */
	OP_POLICY_PUT, /* 'policy': add, or replace one of equal selector. */
	OP_POLICY_DEL, /* 'policy'; already gone is success. */
	OP_GUARD_PUT,  /* 'guard', all of it -> result.guard, later. */
	OP_GUARD_DEL,  /* Undo a failed start. */

	/* What the kernel has counted of the SAs to 'look.dst' with the SPIs
	 * 'look.spis' -> EVENT_IPSEC. */
	OP_IPSEC_LOOK,

	/* The sleeve: sealed datagrams, in user space. */
	OP_SLEEVE_IN,	  /* Take what comes under 'sleeve.index'. */
	OP_SLEEVE_IN_DEL, /* No more; already gone is success. */
	OP_SLEEVE_OUT,	  /* Send to 'sleeve.peer' so, from now on. */
	OP_SLEEVE_MTU,	  /* 'sleeve.mtu' and nothing else is new. */
	OP_SLEEVE_DEL,	  /* All that there is of 'sleeve.peer'. */
	OP_SLEEVE_LANE,	  /* 'sleeve_lane': a tag of the trunk, and for whom. */

	/* Links and routes. */
	OP_ROUTE_GET,	 /* 'route.dst' -> EVENT_ROUTE. */
	OP_ROUTE_FORGET, /* What was learned of the MTU to 'route.dst'. */
	OP_SEND_TEST,	 /* One UDP datagram of 'bytes', as 'test' says. */
	OP_LINK_MTU,	 /* Both ends of an attachment. */
	OP_LINK_SET,	 /* The name of 'link.ifindex', up -> result.changed */
	OP_LINK_DEL,	 /* 'link.host_ifname', made by `fdpctl attach`. */

	/* The world outside. */
	OP_REPLY,    /* Answers EVENT_COMMAND 'reply.command'. */
	OP_LOG,	     /* One line for the log. */
	OP_SAVE,     /* 'bytes': the new content of the state file. */
	OP_REMEMBER, /* 'bytes': likewise, of the file of peers. */
	OP_FATAL     /* The start failed: print 'text', exit non-zero. */
};

enum {
	OP_LOOK_MAX = 16
};

enum op_log_level {
	OP_LOG_ERR,
	OP_LOG_WARN,
	OP_LOG_INFO,
	OP_LOG_DBG
};

struct op_flow {
	struct ufid ufid;
	bool there; /* OP_FLOW_PUT: we have put it before. */
	struct flow key, mask;
	struct actions actions; /* Owned. */
};

/* OP_SLEEVE_*.  Keys of one peer replace each other without a gap: the old
 * inbound one goes on being good until it is deleted. */
struct op_sleeve {
	uint32_t peer; /* Number; its address is sleeve_addr(peer). */
	/* OP_SLEEVE_IN: drawn by us, of one session, epoch and direction;
	 * OP_SLEEVE_OUT: drawn by the peer.  Never 0. */
	uint32_t index;
	uint32_t epoch;
	bool initiator; /* Whose nonces they are: who seals is the session's. */
	enum sleeve_cipher cipher;
	struct secret key; /* Zero with SLEEVE_CIPHER_NONE. */
	/* OP_SLEEVE_OUT: where to send, until authentic datagrams come from
	 * elsewhere. */
	struct ip_addr local;
	struct ip_endpoint remote;
	/* OP_SLEEVE_OUT, OP_SLEEVE_MTU: the largest IP packet. */
	uint32_t mtu;
};

struct op {
	enum op_type type;
	uint64_t cookie;
	uint32_t conn; /* OP_DIAL, OP_SEND, OP_CLOSE */
	/* OP_SEND, OP_SAVE, OP_REMEMBER, OP_EXECUTE (frame), OP_SEND_TEST.
	 * Owned. */
	struct wbuf bytes;
	char *text; /* OP_REPLY, OP_LOG, OP_FATAL.  Owned. */
	union {
		struct {
			struct ip_endpoint remote;
		} dial;
		struct {
			bool user; /* In user space, not the kernel's. */
		} datapath;
		struct {
			struct odp_vport vport;
			/* ODP_VPORT_TAP: the device, of that name inside
			 * 'tap_netns'; "" is our own. */
			char tap_ifname[16];
			char tap_netns[108];
		};
		struct op_flow flow; /* OP_FLOW_*; OP_EXECUTE: key, actions. */
		struct xfrm_sa sa;
		struct xfrm_policy policy;
		struct guard_rules guard; /* Owns its arrays. */
		struct {
			struct ip_addr dst;
			uint32_t spis[OP_LOOK_MAX];
			size_t n;
			bool inbound; /* Errors of what comes in, else out. */
		} look;
		struct op_sleeve sleeve;
		struct {
			uint16_t vid; /* 1 to 4094. */
			uint32_t peer, vni;
			bool del;
		} sleeve_lane;
		struct {
			struct ip_addr dst;
		} route;
		struct {
			struct ip_addr local, remote;
			uint16_t udp_port;
			uint32_t mark; /* Of the lane, or 0. */
		} test;
		struct {
			char host_ifname[16];
			char ifname[16]; /* Inside 'netns'. */
			char netns[108]; /* As given to attach. */
			uint32_t mtu;
			uint32_t ifindex;
			bool up;  /* Else it stays as it is. */
			bool tap; /* OP_LINK_MTU: there is no host end. */
		} link;
		struct {
			uint32_t command;
			bool ok; /* Else 'text' is a one-line error. */
		} reply;
		enum op_log_level level; /* OP_LOG */
	};
};

const char *op_type_name(enum op_type);

struct ops {
	struct op *v;
	size_t n, allocated;
};

void ops_init(struct ops *);
/* Frees (and where it held keys wipes) everything. */
void ops_free(struct ops *);
/* Forgets the content, keeps the list's own memory and that of small frames. */
void ops_clear(struct ops *);
/* Appends a zeroed op, whose 'bytes' are an empty buffer; the pointer holds
 * until the next append. */
struct op *ops_add(struct ops *, enum op_type type);

#endif
