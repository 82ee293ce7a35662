/* The data plane of the sleeve, in memory: keys, endpoints, and the VLANs of
 * the trunk, as kmod-glue/sleeve.h has them.  No bytes are sealed: a packet
 * says with which key it was, and opens with that one only.  It is a part of
 * the daemon's process and dies with it. */
#ifndef FDP_TESTS_FAKE_SLEEVE_H
#define FDP_TESTS_FAKE_SLEEVE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/replay.h"
#include "engine/op.h"

enum {
	FAKE_SLEEVE_MAX = 64
};

struct fake_packet;

struct fake_sleeve {
	struct {
		struct op_sleeve op;
		struct replay replay;
		uint64_t newest;
	} ins[FAKE_SLEEVE_MAX];
	size_t n_ins;
	struct {
		struct op_sleeve op;
		uint64_t seq;
	} outs[FAKE_SLEEVE_MAX];
	size_t n_outs;
	struct {
		uint16_t vid;
		uint32_t peer, vni;
	} lanes[FAKE_SLEEVE_MAX];
	size_t n_lanes;
	/* Asked for, and not given so far. */
	struct {
		uint32_t peer, vni;
	} wanted[FAKE_SLEEVE_MAX];
	size_t n_wanted;

	/* Counters. */
	uint64_t n_sent, n_opened, n_forged, n_replayed, n_no_key, n_too_big;
	unsigned int n_keys; /* Outbound ones that were set. */
};

/* An errno value. */
int fake_sleeve_run(struct fake_sleeve *, const struct op *);

/* Is there a key for what goes to 'peer'? */
bool fake_sleeve_has_out(const struct fake_sleeve *, uint32_t peer);
/* Seals what is in 'p' already (frame, VNI, TTL) for 'peer'; 'route_mtu' is
 * that of the way to where it is.  False if it cannot be sent. */
bool fake_sleeve_seal(struct fake_sleeve *, uint32_t peer, uint32_t route_mtu,
		      struct fake_packet *p);
/* Where packets to 'peer' go; NULL: nowhere. */
const struct op_sleeve *fake_sleeve_out(const struct fake_sleeve *,
					uint32_t peer);

/* Opens it.  False if it is not authentic, else from whom; '*moved' if what
 * goes there is to be sent elsewhere from now on. */
bool fake_sleeve_open(struct fake_sleeve *, const struct fake_packet *,
		      uint32_t *peer, bool *moved);

/* The VLAN of the pair, 0 if there is none; '*ask': it is to be asked for. */
uint16_t fake_sleeve_vid(struct fake_sleeve *, uint32_t peer, uint32_t vni,
			 bool *ask);
bool fake_sleeve_lane(const struct fake_sleeve *, uint16_t vid, uint32_t *peer,
		      uint32_t *vni);

#endif
