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
	ACTION_POP_VLAN, /* The outermost tag. */
	ACTION_CHECK_SIZE
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
		/* ACTION_CHECK_SIZE: the next 'n' actions are for frames of at
		 * most 'size' bytes, from the Ethernet header on; of what is
		 * to be cut into segments each of those counts.  Larger ones
		 * come up to us instead.  None of the 'n' is another check. */
		struct {
			uint16_t size;
			uint16_t n;
			uint32_t peer; /* For which it is; comes up too. */
			/* To which socket: the affair of whoever writes it to
			 * the kernel.  It makes no two actions differ. */
			uint32_t upcall_pid;
		} check;
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
/* What is appended from here to actions_check_end() is for frames of at most
 * 'size' bytes.  Returns what that one needs. */
size_t actions_check_size(struct actions *, uint16_t size, uint32_t peer);
void actions_check_end(struct actions *, size_t check);
/* The check of frames to 'peer'; NULL if there is none.  The actions that it
 * rules follow it. */
const struct action *actions_find_check(const struct actions *, uint32_t peer);
void actions_append(struct actions *, const struct action *v, size_t n);
bool actions_equal(const struct actions *, const struct actions *);
void actions_copy(struct actions *to, const struct actions *from);
/* Makes 'to' the same list, of which 'from' stays the owner: it has to live
 * longer and must not change meanwhile, and nothing may be appended to 'to'. */
void actions_borrow(struct actions *to, const struct actions *from);

#endif
