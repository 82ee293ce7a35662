/* Everything that the pipeline may look at: local ports, bindings of MAC and
 * IP addresses to ports and peers (the FDB), and the peers' tunnels.
 *
 * Changes go through the functions below, each of which notes in 'changed'
 * what it touched; the flow table then translates the dependent flows again
 * (flow_table.h).  Port and peer numbers are chosen by the caller: datapath
 * port numbers, and small integers that name a peer for as long as it is
 * known.  First owner keeps a MAC or an IP: a second claim is refused and
 * reported, never a silent move.
 */
#ifndef FDP_DATAPATH_FORWARDING_H
#define FDP_DATAPATH_FORWARDING_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/binding.h"
#include "base/err.h"
#include "datapath/dep.h"
#include "datapath/vlan.h"

enum {
	FORWARDING_MAX_BINDINGS = 1 << 20, /* Then ERR_LIMIT. */
	FORWARDING_VNI_DEFAULT = 1,
	FORWARDING_VNI_MAX = (1 << 24) - 1
};

#define FWD_NOBODY UINT32_MAX /* No peer has that number. */

enum port_kind {
	PORT_HOST,     /* The datapath's own internal port. */
	PORT_ENDPOINT, /* A container's host end. */
	PORT_TUNNEL,   /* The flow-based VXLAN vport. */
	PORT_SLEEVE    /* The trunk to sleeve (vlan.h). */
};

struct fwd_port {
	uint32_t port_no;
	enum port_kind kind;
	char name[16];
	struct binding binding; /* PORT_ENDPOINT: network, MAC and addresses. */
	uint32_t mtu;		/* PORT_ENDPOINT: of the container's end. */
};

/* How frames go to a peer.  What comes from it is taken either way. */
enum fwd_way {
	FWD_BY_TUNNEL,
	FWD_BY_SLEEVE /* Through the trunk. */
};

struct fwd_peer {
	uint32_t peer;	       /* The caller's number for it. */
	struct ip_addr local;  /* Our tunnel address towards it. */
	struct ip_addr remote; /* Its tunnel address. */
	uint16_t udp_port;     /* Its VXLAN port. */
	unsigned int n_lanes;  /* SAs to spread packets over; 0 is 1. */
	enum fwd_way way;      /* That packets take now. */
	bool up;	       /* May they be sent so? */
	/* FWD_BY_TUNNEL: what gets to it, if flows are to look at the sizes of
	 * packets from ports whose MTU is larger; 0: they are not. */
	uint32_t mtu;
};

/* What a MAC or IP of a network is bound to. */
struct fwd_target {
	bool local;
	uint32_t port_no; /* local */
	uint32_t peer;	  /* !local */
	struct mac mac;
};

/* How frames of 'source' go through the mesh (mesh/topology.h).  What is asked
 * depends on dep_tree(source); whoever knows of a change notes that.  Answers
 * are numbers of peers, or FWD_NOBODY. */
struct fwd_routes {
	/* Is there anybody to whom we pass its broadcasts on? */
	bool (*passes_on)(void *aux, uint32_t source);
	/* The neighbour behind whom 'to' lies in the tree of 'source', if we
	 * pass its broadcasts on to there. */
	uint32_t (*next)(void *aux, uint32_t source, uint32_t to);
	/* The neighbour who passes them on to us. */
	uint32_t (*parent)(void *aux, uint32_t source);
	/* May the neighbour 'from' pass us frames that are for one? */
	bool (*may_relay)(void *aux, uint32_t source, uint32_t from);
	void *aux;
};

struct forwarding;

struct forwarding *forwarding_new(void);
void forwarding_free(struct forwarding *);

/* Everything that changed since the last deps_clear() by the caller. */
struct deps *forwarding_changed(struct forwarding *);

/* ERR_EXISTS: the number is in use, there is a tunnel port or a trunk already,
 * or for an endpoint its MAC or one of its addresses is bound elsewhere
 * ('conflict', if not NULL, then says where; for the other two it is zeroed).
 * ERR_RANGE: the binding is not a valid one (binding_is_valid()).  ERR_LIMIT.
 */
enum err forwarding_add_port(struct forwarding *, const struct fwd_port *,
			     struct fwd_target *conflict) FDP_MUST_CHECK;
void forwarding_remove_port(struct forwarding *, uint32_t port_no);
/* The container's end has another MTU now.  No effect on other ports. */
void forwarding_set_port_mtu(struct forwarding *, uint32_t port_no,
			     uint32_t mtu);
const struct fwd_port *forwarding_port(const struct forwarding *,
				       uint32_t port_no);
size_t forwarding_n_ports(const struct forwarding *);
/* The tunnel port; NULL if there is none. */
const struct fwd_port *forwarding_tunnel(const struct forwarding *);
/* The port of kind PORT_SLEEVE; NULL if there is none. */
const struct fwd_port *forwarding_trunk(const struct forwarding *);

/* The VLANs of the trunk.  forwarding_vid() gives the pair one if it has none,
 * which changes no other answer; 0 if there are none left.  They are the peer's
 * until it is removed.  Whoever carries the frames is told by
 * forwarding_next_vlan() before the first flow that needs it. */
uint16_t forwarding_vid(const struct forwarding *, uint32_t peer, uint32_t vni);
const struct vlan *forwarding_vlan(const struct forwarding *, uint16_t vid);
bool forwarding_next_vlan(struct forwarding *, struct vlan *, bool *removed);

/* Adds or changes a peer's tunnel. */
void forwarding_set_peer(struct forwarding *, const struct fwd_peer *);
/* Removes the peer, all its bindings and its VLANs of the trunk. */
void forwarding_remove_peer(struct forwarding *, uint32_t peer);
const struct fwd_peer *forwarding_peer(const struct forwarding *,
				       uint32_t peer);
/* Frames for 'peer' go to 'via', another peer that passes them on; FWD_NOBODY,
 * or the peer itself: they go through its own tunnel, as at first. */
void forwarding_set_via(struct forwarding *, uint32_t peer, uint32_t via);
/* The peer through whose tunnel frames for 'peer' go, mostly its own. */
uint32_t forwarding_via(const struct forwarding *, uint32_t peer);
/* What is asked when a frame came from another peer than its source; without
 * it no peer may pass on anything.  Copied. */
void forwarding_set_routes(struct forwarding *, const struct fwd_routes *);
const struct fwd_routes *forwarding_routes(const struct forwarding *);
/* "Who has ...?" is led to who has it, as by flows that are there before, and
 * not answered by us; at first it is not. */
void forwarding_lead_questions(struct forwarding *);
bool forwarding_leads_questions(const struct forwarding *);
/* What flows may be made of before there are packets (engine/ahead.c).  A
 * station is news when it is new or has other addresses, and when packets to
 * its host can go another way than before.  Kept only after want_news(). */
void forwarding_want_news(struct forwarding *);
/* False if there are none left.  The station is known. */
bool forwarding_next_news(struct forwarding *, struct binding_key *);
/* All stations are news, or those of one peer if it is reached through another
 * one: how frames of its spread has changed. */
void forwarding_all_news(struct forwarding *);
void forwarding_tree_news(struct forwarding *, uint32_t peer);
/* The peer whose tunnel address is 'remote'.  If several claim it, the one that
 * did so first. */
const struct fwd_peer *forwarding_peer_at(const struct forwarding *,
					  const struct ip_addr *remote);

/* Binds the addresses of 'binding' to 'peer', replacing what that peer had
 * bound to the same (VNI, MAC).  The peer's tunnel may become known later.
 * ERR_EXISTS, ERR_RANGE, ERR_LIMIT as above; then nothing has changed. */
enum err forwarding_bind(struct forwarding *, uint32_t peer,
			 const struct binding *,
			 struct fwd_target *conflict) FDP_MUST_CHECK;
/* No effect if 'peer' does not own it. */
void forwarding_unbind(struct forwarding *, uint32_t peer, uint32_t vni,
		       const struct mac *);
/* All bindings, those of local ports included. */
size_t forwarding_n_bindings(const struct forwarding *);

/* Look-ups: NULL if unknown. */
const struct fwd_target *forwarding_by_mac(const struct forwarding *,
					   uint32_t vni, const struct mac *);
const struct fwd_target *forwarding_by_ip(const struct forwarding *,
					  uint32_t vni, const struct ip_addr *);

/* All that the station is bound to.  False: unknown; then '*binding' is as it
 * was.  Who uses it depends on dep_mac(). */
bool forwarding_binding(const struct forwarding *, uint32_t vni,
			const struct mac *, struct binding *);

/* Receivers of a network's broadcasts, each list in ascending order so that
 * equal states give equal actions.  Borrowed until the next change. */
struct fwd_members {
	const uint32_t *ports; /* Endpoint ports. */
	size_t n_ports;
	const uint32_t *peers; /* Peers with at least one binding in it. */
	size_t n_peers;
};
struct fwd_members forwarding_members(const struct forwarding *, uint32_t vni);

/* Visits the stations of a network until 'visit' says false. */
void forwarding_each_station(const struct forwarding *, uint32_t vni,
			     bool (*visit)(void *aux,
					   const struct fwd_target *),
			     void *aux);

#endif
