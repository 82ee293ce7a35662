/* What the datapath shall do with the packets of a flow, in plain C: the part
 * of OVS_ACTION_ATTR_* that fdp uses.  An empty list drops. */
#ifndef FDP_PACKET_ACTION_H
#define FDP_PACKET_ACTION_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

enum action_type {
	ACTION_OUTPUT,
	ACTION_SET_TUNNEL,
	ACTION_SET_MARK,
	ACTION_PUSH_VLAN,
	ACTION_POP_VLAN /* The outermost tag. */
};

struct action {
	enum action_type type;
	union {
		uint32_t port; /* ACTION_OUTPUT: datapath port number. */
		/* ACTION_SET_TUNNEL: for the next output to a tunnel port. */
		struct {
			struct ip_addr src; /* Zero: by route. */
			struct ip_addr dst;
			uint32_t vni;
			uint16_t tp_dst; /* UDP port of the other end. */
			uint8_t tos, ttl;
			bool df;   /* Don't fragment (IPv4 underlay). */
			bool csum; /* Outer UDP checksum (IPv6 underlay). */
		} tunnel;
		/* ACTION_SET_MARK: skb->mark, from here on; 'value' where
		 * 'mask' has one bits, the others stay. */
		struct {
			uint32_t value, mask;
		} mark;
		/* ACTION_PUSH_VLAN: an IEEE 802.1Q tag, which all outputs from
		 * here on have. */
		struct {
			uint16_t vid; /* 12 bits. */
			uint8_t pcp;  /* 3 bits. */
		} vlan;
	};
};

/* A growing list; owner: whoever initialised it. */
struct actions {
	struct action *v;
	size_t n;
	size_t allocated; /* 0: the list is empty, or borrowed. */
};

void actions_init(struct actions *);
void actions_free(struct actions *);
void actions_output(struct actions *, uint32_t port);
/* Appends and returns a zeroed ACTION_SET_TUNNEL to fill in; the pointer holds
 * until the next append. */
struct action *actions_set_tunnel(struct actions *);
void actions_set_mark(struct actions *, uint32_t value, uint32_t mask);
void actions_push_vlan(struct actions *, uint16_t vid, uint8_t pcp);
void actions_pop_vlan(struct actions *);
bool actions_equal(const struct actions *, const struct actions *);
void actions_copy(struct actions *to, const struct actions *from);
/* Makes 'to' the same list, of which 'from' stays the owner: it has to live
 * longer and must not change meanwhile, and nothing may be appended to 'to'. */
void actions_borrow(struct actions *to, const struct actions *from);

#endif
