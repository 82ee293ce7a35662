/* The keys of the sleeve with each peer: docs/PROTOCOL.md, "Keys of the
 * sleeve".
 *
 * We draw an index, install what opens datagrams under it, and only then tell
 * the peer; it seals for that index from then on.  The one before goes on for a
 * while, so a change of keys loses nothing, be it that of a rekey or that of a
 * new session with a peer that has restarted.  What seals is made of what the
 * peer tells us, in the same way.  Datagrams are the affair of others
 * (kmod-glue/sleeve.h): here nothing is known of them but where they go.
 */
#include "sleeve/sleeve.h"

#include <stdlib.h>
#include <string.h>

#include "engine/state.h"
#include "ipsec/overhead.h"
#include "util.h"

enum {
	SAFE_MTU = 1280 /* Where nothing is known of the route. */
};

const char *sleeve_cipher_text(enum sleeve_cipher cipher)
{
	switch (cipher) {
	case SLEEVE_CIPHER_NONE:
		return "NOT ENCRYPTED";
	case SLEEVE_CIPHER_XSALSA20:
		return "XSalsa20-Poly1305";
	case SLEEVE_CIPHER_AES_GCM:
		return "AES-256-GCM";
	case N_SLEEVE_CIPHERS:
		break;
	}
	return "?";
}

const char *sleeve_cipher_name(enum sleeve_cipher cipher)
{
	switch (cipher) {
	case SLEEVE_CIPHER_NONE:
		return "none";
	case SLEEVE_CIPHER_XSALSA20:
		return "xsalsa20-poly1305";
	case SLEEVE_CIPHER_AES_GCM:
		return "aes-256-gcm";
	case N_SLEEVE_CIPHERS:
		break;
	}
	return "?";
}

bool sleeve_is_all(const struct engine *e, const struct conn *c)
{
	return e->user || !(c->identity.capabilities & CAPABILITY_FASTDP);
}

bool sleeve_is_keyed(const struct tunnel *t)
{
	const struct sleeve *s = &t->sleeve;

	return s->on && s->told && s->index_out && !s->index_next &&
	       s->epoch_out == t->epoch;
}

/* ---- What comes in ---- */

static struct sleeve_in *find_in(struct engine *e, uint32_t index)
{
	for (size_t i = 0; i < e->n_sleeve_ins; i++) {
		if (e->sleeve_ins[i].index == index) {
			return &e->sleeve_ins[i];
		}
	}
	return NULL;
}

static void remove_in(struct engine *e, size_t i)
{
	struct op *op = ops_add(e->ops, OP_SLEEVE_IN_DEL);

	op->sleeve.index = e->sleeve_ins[i].index;
	op->sleeve.peer = e->sleeve_ins[i].peer;
	e->sleeve_ins[i] = e->sleeve_ins[--e->n_sleeve_ins];
}

static uint32_t draw_index(struct engine *e)
{
	uint32_t index;

	do {
		index = rng_u32(e->rng);
	} while (!index || find_in(e, index));
	return index;
}

static void fill_in(const struct engine *e, const struct peer *p,
		    struct op_sleeve *op, uint32_t index, bool inbound)
{
	const struct conn *c = p->conn;

	op->peer = p->number;
	op->index = index;
	op->epoch = p->tunnel.epoch;
	op->initiator = (c->role == HS_INITIATOR) != inbound;
	op->cipher = p->tunnel.sleeve.cipher;
	if (engine_encrypts(e)) {
		op->key = inbound ? c->sleeve_in : c->sleeve_out;
	}
}

static void add_in(struct engine *e, struct peer *p)
{
	struct sleeve *s = &p->tunnel.sleeve;
	struct op *op = ops_add(e->ops, OP_SLEEVE_IN);
	struct pending *pending;

	s->index_in = draw_index(e);
	s->told = false;
	fill_in(e, p, &op->sleeve, s->index_in, true);
	pending = engine_expect(e, op, PENDING_SLEEVE_IN);
	pending->peer = p->number;
	pending->spi = s->index_in;
	if (e->n_sleeve_ins == e->allocated_sleeve_ins) {
		e->sleeve_ins =
			x2nrealloc(e->sleeve_ins, &e->allocated_sleeve_ins,
				   sizeof *e->sleeve_ins);
	}
	e->sleeve_ins[e->n_sleeve_ins++] =
		(struct sleeve_in){.index = s->index_in,
				   .peer = p->number,
				   .delete_us = UINT64_MAX};
}

/* All but the newest are to go after a while. */
static void linger(struct engine *e, const struct peer *p)
{
	const uint64_t when_us = e->now_us + SA_LINGER_US;

	for (size_t i = 0; i < e->n_sleeve_ins; i++) {
		struct sleeve_in *in = &e->sleeve_ins[i];

		if (in->peer == p->number &&
		    in->index != p->tunnel.sleeve.index_in) {
			in->delete_us = MIN(in->delete_us, when_us);
			tunnel_sweep_at(e, in->delete_us);
		}
	}
}

static void tell(struct engine *e, struct peer *p)
{
	struct sleeve *s = &p->tunnel.sleeve;
	struct message m = {.type = MSG_SLEEVE};

	m.sleeve.index = s->index_in;
	m.sleeve.epoch = p->tunnel.epoch;
	m.sleeve.cipher = s->cipher;
	m.sleeve.port = e->sleeve_port;
	m.sleeve.mtu = p->tunnel.path_mtu;
	conn_send(e, p->conn, &m);
	s->told = true;
}

void sleeve_begin(struct engine *e, struct peer *p)
{
	struct sleeve *s = &p->tunnel.sleeve;
	const uint32_t theirs = p->conn->identity.capabilities;

	if (!e->has_sleeve || !(theirs & CAPABILITY_SLEEVE)) {
		sleeve_end(e, p);
		return;
	}
	s->on = true;
	s->cipher = !engine_encrypts(e) ? SLEEVE_CIPHER_NONE
		    : e->sleeve_aes && theirs & CAPABILITY_SLEEVE_AES
			    ? SLEEVE_CIPHER_AES_GCM
			    : SLEEVE_CIPHER_XSALSA20;
	s->index_next = 0;
	s->epoch_out = UINT32_MAX; /* What is in use is of other keys. */
	add_in(e, p);
}

/* ---- What goes out ---- */

/* Never more than fastdp has over the same path: in a network that has both,
 * who is reached by sleeve must be able to take what the others send, and they
 * what he does. */
uint32_t sleeve_mtu_limit(const struct engine *e, uint32_t path_mtu, bool v4)
{
	const uint32_t fast =
		overhead_inner_mtu(path_mtu, !v4, engine_encrypts(e));

	return path_mtu ? MIN(sleeve_inner_mtu(
				      sleeve_datagram_size(path_mtu, v4)),
			      fast)
			: 0;
}

/* The size of IP packets to the peer. */
static uint32_t packet_size(const struct peer *p)
{
	const struct tunnel *t = &p->tunnel;
	const uint32_t mtu = t->by_sleeve ? t->mtu : p->beside.mtu;
	const uint32_t headers = (ip_is_v4(&t->sleeve.remote.ip) ? 20 : 40) + 8;

	if (mtu) {
		return mtu + SLEEVE_ETH_BYTES + SLEEVE_OVERHEAD_BYTES + headers;
	}
	return t->path_mtu ? t->path_mtu : SAFE_MTU;
}

static void add_out(struct engine *e, struct peer *p, uint32_t index)
{
	struct tunnel *t = &p->tunnel;
	struct op *op = ops_add(e->ops, OP_SLEEVE_OUT);
	struct pending *pending;

	t->sleeve.index_next = index;
	fill_in(e, p, &op->sleeve, index, false);
	op->sleeve.local = t->sleeve.local;
	op->sleeve.remote = t->sleeve.remote;
	op->sleeve.mtu = packet_size(p);
	pending = engine_expect(e, op, PENDING_SLEEVE_OUT);
	pending->peer = p->number;
	pending->spi = index;
}

void sleeve_heard(struct engine *e, struct peer *p, const struct msg_sleeve *m)
{
	struct tunnel *t = &p->tunnel;
	struct sleeve *s = &t->sleeve;
	const struct ip_endpoint named = {p->conn->remote.ip, m->port};

	/* One an epoch; a key never serves twice.  A session with a password
	 * has a cipher. */
	if (!s->on || m->epoch != t->epoch || s->index_next ||
	    s->epoch_out == t->epoch ||
	    (m->cipher == SLEEVE_CIPHER_NONE) != !engine_encrypts(e)) {
		return;
	}
	if (m->cipher != s->cipher) {
		engine_log(e, OP_LOG_WARN,
			   "no sleeve to %s: it wants %s, this host %s",
			   p->name, sleeve_cipher_text(m->cipher),
			   sleeve_cipher_text(s->cipher));
		return;
	}
	/* Behind an address translator it is not where it says; what was found
	 * out about that holds as long as it says the same. */
	if (!endpoint_equal(&s->named, &named)) {
		s->named = s->remote = named;
	}
	s->local = p->conn->local.ip;
	add_out(e, p, m->index);
}

void sleeve_mtu(struct engine *e, struct peer *p)
{
	struct op *op;

	if (p->tunnel.sleeve.index_out || p->tunnel.sleeve.index_next) {
		op = ops_add(e->ops, OP_SLEEVE_MTU);
		op->sleeve.peer = p->number;
		op->sleeve.mtu = packet_size(p);
	}
}

/* ---- Results ---- */

static void failed(struct engine *e, struct peer *p, const struct event *event)
{
	if (p->tunnel.by_sleeve) {
		tunnel_failed(e, p, event);
	} else {
		engine_log(e, OP_LOG_WARN, "no sleeve to %s: %s", p->name,
			   event->result.detail);
	}
}

static void in_result(struct engine *e, struct peer *p, uint32_t index,
		      const struct event *event)
{
	if (index != p->tunnel.sleeve.index_in) {
		return;
	}
	if (event->os_errno) {
		p->tunnel.sleeve.index_in = 0;
		linger(e, p);
		failed(e, p, event);
		return;
	}
	linger(e, p);
	overlay_lanes(e, p);
	if (p->conn) {
		tell(e, p);
	}
	tunnel_sleeve_keyed(e, p);
}

static void out_result(struct engine *e, struct peer *p, uint32_t index,
		       const struct event *event)
{
	struct sleeve *s = &p->tunnel.sleeve;

	if (index != s->index_next) {
		return;
	}
	s->index_next = 0;
	if (event->os_errno) {
		failed(e, p, event);
		return;
	}
	s->index_out = index;
	s->epoch_out = p->tunnel.epoch;
	tunnel_sleeve_keyed(e, p);
}

void sleeve_result(struct engine *e, const struct pending *pending,
		   const struct event *event)
{
	struct peer *p = peer_by_number(e, pending->peer);

	if (!p || !p->tunnel.sleeve.on) {
		return;
	}
	if (pending->kind == PENDING_SLEEVE_IN) {
		in_result(e, p, pending->spi, event);
	} else {
		out_result(e, p, pending->spi, event);
	}
}

/* ---- What is heard of its packets ---- */

static void moved(struct engine *e, struct peer *p, const struct event *event)
{
	struct sleeve *s = &p->tunnel.sleeve;
	char buf[ENDPOINT_STRLEN];

	if (endpoint_equal(&s->remote, &event->sleeve.remote)) {
		return;
	}
	s->local = event->sleeve.local;
	s->remote = event->sleeve.remote;
	engine_log(e, OP_LOG_INFO, "the sleeve of %s is at %s now", p->name,
		   endpoint_format(&s->remote, buf));
	health_note(e, p, REASON_NONE, "its sleeve is at %s now", buf);
}

static void sends(struct engine *e, struct peer *p, int os_errno)
{
	struct sleeve *s = &p->tunnel.sleeve;

	if (os_errno == s->send_errno) {
		return;
	}
	s->send_errno = os_errno;
	if (os_errno) {
		health_note(e, p, REASON_SEND_FAILED,
			    "the sleeve cannot send: %s",
			    ovs_strerror(os_errno));
		engine_log(e, OP_LOG_WARN, "the sleeve cannot send to %s: %s",
			   p->name, ovs_strerror(os_errno));
	} else {
		health_note(e, p, REASON_NONE, "the sleeve can send again");
	}
}

void sleeve_event(struct engine *e, const struct event *event)
{
	struct peer *p = peer_by_number(e, event->sleeve.peer);

	if (!p || !p->tunnel.sleeve.on) {
		return;
	}
	switch (event->sleeve.what) {
	case SLEEVE_MOVED:
		moved(e, p, event);
		break;
	case SLEEVE_WANTED:
		overlay_wanted(e, p, event->sleeve.vni);
		break;
	case SLEEVE_USED_UP:
		if (event->sleeve.index == p->tunnel.sleeve.index_out) {
			tunnel_rekey(e, p);
		}
		break;
	case SLEEVE_SENDS:
		sends(e, p, event->os_errno);
		break;
	}
}

void sleeve_count(struct engine *e, const struct event *event)
{
	for (size_t i = 0; i < event->counters.n_sleeves; i++) {
		const struct sleeve_load *load = &event->counters.sleeves[i];
		struct peer *p = peer_by_number(e, load->peer);

		if (p) {
			p->tunnel.sleeve.load = *load;
		}
	}
}

/* ---- The end ---- */

void sleeve_end(struct engine *e, struct peer *p)
{
	if (!p->tunnel.sleeve.on) {
		return;
	}
	for (size_t i = 0; i < e->n_sleeve_ins;) {
		if (e->sleeve_ins[i].peer == p->number) {
			e->sleeve_ins[i] = e->sleeve_ins[--e->n_sleeve_ins];
		} else {
			i++;
		}
	}
	ops_add(e->ops, OP_SLEEVE_DEL)->sleeve.peer = p->number;
	memset(&p->tunnel.sleeve, 0, sizeof p->tunnel.sleeve);
}

void sleeve_sweep(struct engine *e)
{
	for (size_t i = 0; i < e->n_sleeve_ins;) {
		if (e->now_us >= e->sleeve_ins[i].delete_us) {
			remove_in(e, i);
		} else {
			tunnel_sweep_at(e, e->sleeve_ins[i++].delete_us);
		}
	}
}
