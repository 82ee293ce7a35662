#include "fake/sleeve.h"

#include <errno.h>
#include <string.h>

#include "fake/kernel.h"
#include "packet/probe.h"
#include "sleeve/sleeve.h"
#include "util.h"

static int find_in(const struct fake_sleeve *s, uint32_t index)
{
	for (size_t i = 0; i < s->n_ins; i++) {
		if (s->ins[i].op.index == index) {
			return (int)i;
		}
	}
	return -1;
}

static int find_out(const struct fake_sleeve *s, uint32_t peer)
{
	for (size_t i = 0; i < s->n_outs; i++) {
		if (s->outs[i].op.peer == peer) {
			return (int)i;
		}
	}
	return -1;
}

static int put_in(struct fake_sleeve *s, const struct op_sleeve *op)
{
	if (find_in(s, op->index) >= 0) {
		return EEXIST;
	}
	ovs_assert(s->n_ins < FAKE_SLEEVE_MAX);
	memset(&s->ins[s->n_ins], 0, sizeof s->ins[0]);
	s->ins[s->n_ins].op = *op;
	replay_init(&s->ins[s->n_ins].replay, 1024, UINT64_MAX);
	s->n_ins++;
	return 0;
}

static void del_in(struct fake_sleeve *s, uint32_t index)
{
	int i = find_in(s, index);

	if (i >= 0) {
		s->ins[i] = s->ins[--s->n_ins];
	}
}

static void set_out(struct fake_sleeve *s, const struct op_sleeve *op)
{
	int i = find_out(s, op->peer);

	if (i < 0) {
		ovs_assert(s->n_outs < FAKE_SLEEVE_MAX);
		i = (int)s->n_outs++;
		memset(&s->outs[i], 0, sizeof s->outs[i]);
	}
	if (s->outs[i].op.index != op->index) {
		s->outs[i].seq = 0;
		s->n_keys++;
	}
	s->outs[i].op = *op;
}

static void del_peer(struct fake_sleeve *s, uint32_t peer)
{
	int out = find_out(s, peer);

	if (out >= 0) {
		s->outs[out] = s->outs[--s->n_outs];
	}
	for (size_t i = 0; i < s->n_ins;) {
		if (s->ins[i].op.peer == peer) {
			s->ins[i] = s->ins[--s->n_ins];
		} else {
			i++;
		}
	}
}

static void set_lane(struct fake_sleeve *s, const struct op *op)
{
	for (size_t i = 0; i < s->n_lanes; i++) {
		if (s->lanes[i].vid == op->sleeve_lane.vid) {
			s->lanes[i] = s->lanes[--s->n_lanes];
			break;
		}
	}
	if (op->sleeve_lane.del) {
		return;
	}
	ovs_assert(s->n_lanes < FAKE_SLEEVE_MAX);
	s->lanes[s->n_lanes].vid = op->sleeve_lane.vid;
	s->lanes[s->n_lanes].peer = op->sleeve_lane.peer;
	s->lanes[s->n_lanes++].vni = op->sleeve_lane.vni;
	for (size_t i = 0; i < s->n_wanted; i++) {
		if (s->wanted[i].peer == op->sleeve_lane.peer &&
		    s->wanted[i].vni == op->sleeve_lane.vni) {
			s->wanted[i] = s->wanted[--s->n_wanted];
			break;
		}
	}
}

int fake_sleeve_run(struct fake_sleeve *s, const struct op *op)
{
	int i;

	switch (op->type) {
	case OP_SLEEVE_IN:
		return put_in(s, &op->sleeve);
	case OP_SLEEVE_IN_DEL:
		del_in(s, op->sleeve.index);
		return 0;
	case OP_SLEEVE_OUT:
		set_out(s, &op->sleeve);
		return 0;
	case OP_SLEEVE_MTU:
		i = find_out(s, op->sleeve.peer);
		if (i >= 0) {
			s->outs[i].op.mtu = op->sleeve.mtu;
		}
		return 0;
	case OP_SLEEVE_DEL:
		del_peer(s, op->sleeve.peer);
		return 0;
	case OP_SLEEVE_LANE:
		set_lane(s, op);
		return 0;
	default:
		return ENOTSUP;
	}
}

bool fake_sleeve_has_out(const struct fake_sleeve *s, uint32_t peer)
{
	return find_out(s, peer) >= 0;
}

const struct op_sleeve *fake_sleeve_out(const struct fake_sleeve *s,
					uint32_t peer)
{
	int i = find_out(s, peer);

	return i < 0 ? NULL : &s->outs[i].op;
}

bool fake_sleeve_seal(struct fake_sleeve *s, uint32_t peer, uint32_t route_mtu,
		      struct fake_packet *p)
{
	const struct op_sleeve *op;
	int i = find_out(s, peer);

	if (i < 0) {
		s->n_no_key++;
		return false;
	}
	op = &s->outs[i].op;
	p->sleeve = true;
	p->src = op->local;
	p->dst = op->remote.ip;
	p->udp_port = op->remote.port;
	p->spi = op->index;
	p->cipher = op->cipher;
	p->seq = ++s->outs[i].seq;
	memcpy(p->key, op->key.b, sizeof op->key.b);
	p->size = p->frame_size + SLEEVE_OVERHEAD_BYTES + 8 +
		  (ip_is_v4(&p->dst) ? 20 : 40);
	/* Frames are cut to fit, but probes find out what does. */
	if (p->vni != PROBE_VNI) {
		p->size = MIN(p->size, op->mtu);
	}
	if (p->size > route_mtu) {
		s->n_too_big++;
		return false;
	}
	s->n_sent++;
	return true;
}

bool fake_sleeve_open(struct fake_sleeve *s, const struct fake_packet *p,
		      uint32_t *peer, bool *moved)
{
	int i = find_in(s, p->spi), out;

	*moved = false;
	if (i < 0) {
		s->n_no_key++;
		return false;
	}
	if (!replay_is_fresh(&s->ins[i].replay, p->seq)) {
		s->n_replayed++;
		return false;
	}
	if (s->ins[i].op.cipher != p->cipher ||
	    memcmp(s->ins[i].op.key.b, p->key, sizeof s->ins[i].op.key.b)) {
		s->n_forged++;
		return false;
	}
	replay_update(&s->ins[i].replay, p->seq);
	*peer = s->ins[i].op.peer;
	s->n_opened++;
	out = find_out(s, *peer);
	if (p->seq > s->ins[i].newest) {
		s->ins[i].newest = p->seq;
		*moved = p->cipher != SLEEVE_CIPHER_NONE && out >= 0 &&
			 (!ip_equal(&s->outs[out].op.remote.ip, &p->src) ||
			  s->outs[out].op.remote.port != p->src_port);
	}
	if (*moved) {
		s->outs[out].op.remote.ip = p->src;
		s->outs[out].op.remote.port = p->src_port;
		s->outs[out].op.local = p->dst;
	}
	return true;
}

uint16_t fake_sleeve_vid(struct fake_sleeve *s, uint32_t peer, uint32_t vni,
			 bool *ask)
{
	*ask = false;
	for (size_t i = 0; i < s->n_lanes; i++) {
		if (s->lanes[i].peer == peer && s->lanes[i].vni == vni) {
			return s->lanes[i].vid;
		}
	}
	for (size_t i = 0; i < s->n_wanted; i++) {
		if (s->wanted[i].peer == peer && s->wanted[i].vni == vni) {
			return 0;
		}
	}
	if (s->n_wanted < FAKE_SLEEVE_MAX) {
		s->wanted[s->n_wanted].peer = peer;
		s->wanted[s->n_wanted++].vni = vni;
		*ask = true;
	}
	return 0;
}

bool fake_sleeve_lane(const struct fake_sleeve *s, uint16_t vid, uint32_t *peer,
		      uint32_t *vni)
{
	for (size_t i = 0; i < s->n_lanes; i++) {
		if (s->lanes[i].vid == vid) {
			*peer = s->lanes[i].peer;
			*vni = s->lanes[i].vni;
			return true;
		}
	}
	return false;
}
