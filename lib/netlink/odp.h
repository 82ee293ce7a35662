/* The Open vSwitch kernel datapath's Generic Netlink messages: bytes in, bytes
 * out, no socket (that is kmod-glue/odp_socket.h).
 *
 * Encoders append one complete, aligned Netlink message to a wbuf; 'family' is
 * the resolved Generic Netlink id and 'seq' the message's sequence number, so
 * that many requests can travel in one sendmsg().  Decoders take one message
 * and refuse anything that does not fit its declared length.  The kernel's
 * side is net/openvswitch/{datapath,flow_netlink,vport}.c and
 * <linux/openvswitch.h>.
 */
#ifndef FDP_NETLINK_ODP_H
#define FDP_NETLINK_ODP_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "packet/action.h"
#include "packet/flow.h"

enum {
	ODP_NAME_SIZE = 16,    /* IFNAMSIZ */
	ODP_MAX_PORTS = 65535, /* DP_MAX_PORTS is 65536, 0 is the local port */
	ODP_LOCAL_PORT = 0,
	ODP_MAX_CPUS = 1024
};

/* A 128-bit unique flow identifier (OVS_FLOW_ATTR_UFID). */
struct ufid {
	uint8_t b[16];
};

enum odp_family {
	ODP_DATAPATH,
	ODP_VPORT,
	ODP_FLOW,
	ODP_PACKET,
	N_ODP_FAMILIES
};
/* "ovs_datapath" and so on. */
const char *odp_family_name(enum odp_family);

enum odp_vport_type {
	ODP_VPORT_NETDEV,   /* An existing device, by name. */
	ODP_VPORT_INTERNAL, /* A device that the datapath makes. */
	ODP_VPORT_VXLAN,    /* Flow-based tunnel port. */
	ODP_VPORT_TAP,	    /* A TAP of ours; to the kernel a device. */
	ODP_VPORT_SLEEVE    /* The tunnel port of the user-space datapath. */
};

struct odp_vport {
	uint32_t dp_ifindex;
	uint32_t port_no; /* UINT32_MAX in a request: the kernel chooses. */
	enum odp_vport_type type;
	char name[ODP_NAME_SIZE];
	uint16_t udp_port;   /* ODP_VPORT_VXLAN. */
	uint32_t ifindex;    /* Answers only; 0 if the kernel does not say. */
	uint32_t upcall_pid; /* Netlink port id for upcalls; 0 = none. */
	/* Answers only (struct ovs_vport_stats). */
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes;
};

struct odp_datapath {
	uint32_t ifindex;
	char name[ODP_NAME_SIZE];
	uint32_t features;		    /* OVS_DP_F_*. */
	uint64_t hits, misses, lost, flows; /* struct ovs_dp_stats. */
};

struct odp_flow_stats {
	uint64_t packets, bytes;
	uint64_t used_ms; /* Kernel monotonic time of last use; 0 = never. */
	uint8_t tcp_flags;
};

/* A flow as it lies in the kernel, attributes borrowed from the message. */
struct odp_flow {
	uint32_t dp_ifindex;
	bool has_ufid;
	struct ufid ufid;
	struct span key, mask,
		actions; /* Attribute streams; empty if absent. */
	struct odp_flow_stats stats;
};

struct odp_upcall {
	uint32_t dp_ifindex;
	bool miss; /* Else an explicit userspace action. */
	struct flow flow;
	struct span key;    /* The raw key attributes, borrowed. */
	struct span packet; /* The frame, borrowed. */
	struct span userdata;
	/* Not 'miss': it did not pass an ACTION_CHECK_SIZE, of this 'size' and
	 * 'peer'; 0: it came by something else. */
	uint16_t check_size;
	uint32_t check_peer;
};

/* Requests.  'flags' are NLM_F_* to add to NLM_F_REQUEST. */
void odp_put_getfamily(struct wbuf *, uint32_t seq, const char *name);
/* OVS_DP_CMD_NEW / SET / GET / DEL.  'cpu_pids' (n_pids may be 0) is the
 * per-CPU array of upcall port ids, OVS_DP_ATTR_PER_CPU_PIDS. */
void odp_put_dp_new(struct wbuf *, uint16_t family, uint32_t seq,
		    uint16_t flags, const char *name, uint32_t features);
void odp_put_dp_set(struct wbuf *, uint16_t family, uint32_t seq,
		    uint16_t flags, const char *name, uint32_t features,
		    const uint32_t *cpu_pids, size_t n_pids);
void odp_put_dp_get(struct wbuf *, uint16_t family, uint32_t seq,
		    uint16_t flags, const char *name);
void odp_put_dp_del(struct wbuf *, uint16_t family, uint32_t seq,
		    uint16_t flags, const char *name);

void odp_put_vport_new(struct wbuf *, uint16_t family, uint32_t seq,
		       uint16_t flags, const struct odp_vport *);
void odp_put_vport_set_pid(struct wbuf *, uint16_t family, uint32_t seq,
			   uint16_t flags, uint32_t dp_ifindex,
			   uint32_t port_no, uint32_t pid);
/* By name if 'name' is given, else by number. */
void odp_put_vport_get(struct wbuf *, uint16_t family, uint32_t seq,
		       uint16_t flags, uint32_t dp_ifindex, const char *name,
		       uint32_t port_no);
void odp_put_vport_del(struct wbuf *, uint16_t family, uint32_t seq,
		       uint16_t flags, uint32_t dp_ifindex, uint32_t port_no);

/* Adds a flow (OVS_FLOW_CMD_NEW with NLM_F_CREATE).  EEXIST: the UFID is in
 * use, or another flow covers this key already (the kernel knows no
 * priorities).  'key' is written complete as the kernel demands, 'mask' as
 * odp_complete_mask() has it. */
void odp_put_flow(struct wbuf *, uint16_t family, uint32_t seq, uint16_t flags,
		  uint32_t dp_ifindex, const struct ufid *,
		  const struct flow *key, const struct flow *mask,
		  const struct actions *);
/* Appends what changes the flow of this UFID, if it is there (else ENOENT), to
 * what 'put', a message of odp_put_flow(), would make it: OVS_FLOW_CMD_SET.
 * OVS_FLOW_CMD_NEW without NLM_F_CREATE will not do, as it compares the key
 * that is sent with the masked one that the kernel has (ovs_flow_cmp()).  If
 * 'put' is such a change, what adds the flow is appended.  ERR_MALFORMED: it is
 * something else; nothing is appended. */
enum err odp_put_flow_other(struct wbuf *, uint32_t seq,
			    struct span put) FDP_MUST_CHECK;
void odp_put_flow_del(struct wbuf *, uint16_t family, uint32_t seq,
		      uint16_t flags, uint32_t dp_ifindex, const struct ufid *);
void odp_put_flow_flush(struct wbuf *, uint16_t family, uint32_t seq,
			uint16_t flags, uint32_t dp_ifindex);
/* Dump; 'terse' asks for UFID and statistics only. */
void odp_put_flow_dump(struct wbuf *, uint16_t family, uint32_t seq,
		       uint32_t dp_ifindex, bool terse);
/* OVS_PACKET_CMD_EXECUTE: sends 'packet' as if 'key' had arrived.  Of the key
 * only what the frame itself does not say is written: port and tunnel; the rest
 * the kernel reads from the frame (ovs_flow_key_extract_userspace() in
 * net/openvswitch/flow.c).  A frame that does not fit into an attribute (64
 * KiB) makes the wbuf overflow. */
void odp_put_execute(struct wbuf *, uint16_t family, uint32_t seq,
		     uint16_t flags, uint32_t dp_ifindex,
		     const struct flow *key, struct span packet,
		     const struct actions *);

/* The mask that the kernel will really use if 'mask' is asked for: with the
 * bits that it matches anyway (in_port, whether there is a VLAN tag) or
 * demands before others (the ethertype for a network address, the protocol for
 * a port), and without those that a packet of the shape of 'key' does not
 * have.  Padding is zero.  Two keys that differ under this mask are two flows
 * to the kernel and need two UFIDs.  'out' may be 'mask'. */
void odp_complete_mask(const struct flow *key, const struct flow *mask,
		       struct flow *out);

/* Makes of a key as a dump shows it, without what its mask leaves out, one that
 * the kernel takes back: it wants a destination of each tunnel. */
void odp_complete_key(struct flow *key);

/* The attribute streams alone, for UFIDs, traces and tests.  A key whose
 * ethertype is that of a VLAN tag without one (a truncated tag) is written so
 * that the kernel refuses it, as it cannot be matched. */
void odp_put_key_attrs(struct wbuf *, const struct flow *key);
void odp_put_metadata_attrs(struct wbuf *, const struct flow *key);
void odp_put_mask_attrs(struct wbuf *, const struct flow *key,
			const struct flow *mask);
/* The key as the kernel keeps and shows it: zero where the mask is. */
void odp_put_masked_key_attrs(struct wbuf *, const struct flow *key,
			      const struct flow *mask);
void odp_put_action_attrs(struct wbuf *, const struct actions *);
/* What comes up with a frame that did not pass a check (ACTION_CHECK_SIZE). */
void odp_put_check_cookie(struct wbuf *, const struct action *check);
/* False: it is something else; the outputs may have been written. */
bool odp_get_check_cookie(struct span cookie, uint16_t *size, uint32_t *peer);

/* Decoders.  'msg' is one whole Netlink message with its header.
 * ERR_TRUNCATED, ERR_MALFORMED; unknown attributes are skipped.  Outputs are
 * written only on success. */
enum err odp_get_family(struct span msg, uint16_t *id,
			uint32_t *mcast_group /* 0 = none; first group */)
	FDP_MUST_CHECK;
enum err odp_get_datapath(struct span msg,
			  struct odp_datapath *) FDP_MUST_CHECK;
/* ERR_UNSUPPORTED: a type that is none of ours. */
enum err odp_get_vport(struct span msg, struct odp_vport *) FDP_MUST_CHECK;
enum err odp_get_flow(struct span msg, struct odp_flow *) FDP_MUST_CHECK;
enum err odp_get_upcall(struct span msg, struct odp_upcall *) FDP_MUST_CHECK;
/* Key attributes to struct flow; attributes that struct flow does not hold
 * are skipped. */
enum err odp_get_key(struct span attrs, struct flow *) FDP_MUST_CHECK;
/* Mask attributes of a flow with this key, completed as odp_complete_mask()
 * does. */
enum err odp_get_mask(struct span attrs, const struct flow *key,
		      struct flow *mask) FDP_MUST_CHECK;
/* Appends to 'actions'; ERR_UNSUPPORTED if there is one that struct actions
 * cannot hold.  On error 'actions' is as it was. */
enum err odp_get_actions(struct span attrs, struct actions *) FDP_MUST_CHECK;

#endif
