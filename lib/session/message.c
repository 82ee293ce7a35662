#include "session/message.h"

#include <stdlib.h>
#include <string.h>

#include "session/channel.h"
#include "session/tlv.h"
#include "session/wire.h"
#include "util.h"

enum {
	SPI_MIN = 256, /* RFC 4303 2.1: 1 to 255 are reserved. */

	/* Optional fields of an SA_OFFER. */
	FIELD_MORE_SPIS = 0x0001, /* u32 each, for the lanes from 1 on. */

	/* Of a PEERS. */
	FIELD_ADVERTISED = 0x0001, /* IP address and u16 port each. */
	ENDPOINT_BYTES = 16 + 2,

	/* Of a WANT. */
	FIELD_IN_SHORT = 0x0001,

	/* Of a LINKS, which is to be understood in another way. */
	FIELD_NAMED = TLV_CRITICAL | 0x0001, /* u64 hash, u8 chunks. */
	NAMED_BYTES = 8 + 1
};

/* The promise of the header: what is within the bounds fits. */
_Static_assert(TLV_HEADER_BYTES + 16 + 8 + 8 + 2 + 1 + 1 + IDENTITY_NAME_SIZE +
			       2 + MSG_MAX_ADDRS * 16 + 2 +
			       MSG_MAX_BINDINGS * WIRE_BINDING_MAX_BYTES <=
		       CHANNEL_PAYLOAD_MAX,
	       "a RECORD");
_Static_assert(TLV_HEADER_BYTES + 16 + 8 + 8 + 2 +
			       MSG_MAX_BINDINGS * WIRE_BINDING_MAX_BYTES + 2 +
			       MSG_MAX_REMOVED * 10 <=
		       CHANNEL_PAYLOAD_MAX,
	       "an UPDATE");
_Static_assert(TLV_HEADER_BYTES + 1 + 2 + 2 +
			       MSG_MAX_HINTS * (16 + ENDPOINT_BYTES) +
			       TLV_HEADER_BYTES +
			       MSG_MAX_ADVERTISED * ENDPOINT_BYTES <=
		       CHANNEL_PAYLOAD_MAX,
	       "a PEERS");

_Static_assert(TLV_HEADER_BYTES + 16 + SIGN_KEY_BYTES + 8 + 8 + 1 + 2 +
			       STATEMENT_MAX_BODY + SIGN_BYTES <=
		       CHANNEL_PAYLOAD_MAX,
	       "a STATEMENT");
_Static_assert(2 + STATEMENT_MAX_LINKS * 16 <= STATEMENT_MAX_BODY, "links");
_Static_assert(2 + MSG_MAX_BINDINGS * WIRE_BINDING_MAX_BYTES <=
		       STATEMENT_MAX_BODY,
	       "bindings");
_Static_assert(TLV_HEADER_BYTES + 1 + 1 + 2 + MSG_MAX_HELD * (16 + 8 + 8 + 1) <=
		       CHANNEL_PAYLOAD_MAX,
	       "a SUMMARY");

_Static_assert(TLV_HEADER_BYTES + 8 + 8 + 8 + 1 +
			       2 * (2 + STATEMENT_MAX_LINKS * 4) + SIGN_BYTES +
			       TLV_HEADER_BYTES + NAMED_BYTES <=
		       CHANNEL_PAYLOAD_MAX,
	       "a LINKS");

const char *message_name(enum msg_type type)
{
	switch (type) {
#define X(NAME, SLUG, TYPE, CRITICAL, TEXT) \
	case MSG_##NAME:                    \
		return SLUG;
		MESSAGE_TYPES(X)
#undef X
	}
	return "unknown";
}

/* Writing. */

/* A text of at most 255 bytes. */
static void put_text(struct wbuf *out, const char *text)
{
	wbuf_u8(out, (uint8_t)strlen(text));
	wbuf_bytes(out, text, strlen(text));
}

static void put_close(struct wbuf *out, const struct msg_close *m)
{
	put_text(out, m->slug[0] ? m->slug : err_slug(m->reason));
	put_text(out, m->text);
}

static enum err put_record(struct wbuf *out, const struct msg_record *m)
{
	if (m->n_addrs > MSG_MAX_ADDRS || m->n_bindings > MSG_MAX_BINDINGS) {
		return ERR_LIMIT;
	}
	wbuf_bytes(out, m->author.b, sizeof m->author.b);
	wbuf_u64(out, m->incarnation);
	wbuf_u64(out, m->seq);
	wbuf_u16(out, m->part);
	wbuf_u8(out, m->last);
	put_text(out, m->name);
	wbuf_u16(out, (uint16_t)m->n_addrs);
	for (size_t i = 0; i < m->n_addrs; i++) {
		wbuf_bytes(out, m->addrs[i].b, sizeof m->addrs[i].b);
	}
	wire_put_bindings(out, m->bindings, m->n_bindings);
	return FDP_OK;
}

static enum err put_update(struct wbuf *out, const struct msg_update *m)
{
	if (m->n_added > MSG_MAX_BINDINGS || m->n_removed > MSG_MAX_REMOVED) {
		return ERR_LIMIT;
	}
	wbuf_bytes(out, m->author.b, sizeof m->author.b);
	wbuf_u64(out, m->incarnation);
	wbuf_u64(out, m->seq);
	wire_put_bindings(out, m->added, m->n_added);
	wbuf_u16(out, (uint16_t)m->n_removed);
	for (size_t i = 0; i < m->n_removed; i++) {
		wbuf_u32(out, m->removed[i].vni);
		wbuf_bytes(out, m->removed[i].mac.b,
			   sizeof m->removed[i].mac.b);
	}
	return FDP_OK;
}

static void put_endpoint(struct wbuf *out, const struct ip_endpoint *at)
{
	wbuf_bytes(out, at->ip.b, sizeof at->ip.b);
	wbuf_u16(out, at->port);
}

static enum err put_peers(struct wbuf *out, const struct msg_peers *m)
{
	if (m->n > MSG_MAX_HINTS || m->n_advertised > MSG_MAX_ADVERTISED) {
		return ERR_LIMIT;
	}
	wbuf_u8(out, m->want);
	wbuf_u16(out, m->port);
	wbuf_u16(out, (uint16_t)m->n);
	for (size_t i = 0; i < m->n; i++) {
		const struct peer_hint *hint = &m->v[i];

		wbuf_bytes(out, hint->id.b, sizeof hint->id.b);
		put_endpoint(out, &hint->at);
	}
	if (m->n_advertised) {
		wbuf_u16(out, FIELD_ADVERTISED);
		wbuf_u16(out, (uint16_t)(m->n_advertised * ENDPOINT_BYTES));
	}
	for (size_t i = 0; i < m->n_advertised; i++) {
		put_endpoint(out, &m->advertised[i]);
	}
	return FDP_OK;
}

static enum err put_statement(struct wbuf *out, const struct statement *s)
{
	if (s->size > STATEMENT_MAX_BODY || s->chunk >= STATEMENT_CHUNKS) {
		return ERR_LIMIT;
	}
	statement_put(s, out);
	return FDP_OK;
}

static enum err put_held(struct wbuf *out, const struct held_statement *v,
			 size_t n)
{
	if (n > MSG_MAX_HELD) {
		return ERR_LIMIT;
	}
	wbuf_u16(out, (uint16_t)n);
	for (size_t i = 0; i < n; i++) {
		wbuf_bytes(out, v[i].author.b, sizeof v[i].author.b);
		wbuf_u64(out, v[i].incarnation);
		wbuf_u64(out, v[i].seq);
		wbuf_u8(out, v[i].chunk);
	}
	return FDP_OK;
}

static enum err put_summary(struct wbuf *out, const struct msg_summary *m)
{
	wbuf_u8(out, m->want);
	wbuf_u8(out, m->more);
	return put_held(out, m->v, m->n);
}

static enum err put_want(struct wbuf *out, const struct msg_held *m)
{
	enum err err = put_held(out, m->v, m->n);

	if (!err && m->in_short) {
		tlv_put(out, FIELD_IN_SHORT, NULL, 0);
	}
	return err;
}

static void put_numbers(struct wbuf *out, const uint32_t *v, size_t n)
{
	wbuf_u16(out, (uint16_t)n);
	for (size_t i = 0; i < n; i++) {
		wbuf_u32(out, v[i]);
	}
}

static enum err put_links(struct wbuf *out, const struct msg_links *m)
{
	if (m->n_gone > STATEMENT_MAX_LINKS ||
	    m->n_come > STATEMENT_MAX_LINKS || m->chunk >= STATEMENT_CHUNKS) {
		return ERR_LIMIT;
	}
	wbuf_u64(out, m->incarnation);
	wbuf_u64(out, m->seq);
	wbuf_u64(out, m->base);
	wbuf_u8(out, m->chunk);
	put_numbers(out, m->gone, m->n_gone);
	put_numbers(out, m->come, m->n_come);
	wbuf_bytes(out, m->signature, sizeof m->signature);
	if (m->named) {
		wbuf_u16(out, FIELD_NAMED);
		wbuf_u16(out, NAMED_BYTES);
		wbuf_u64(out, m->named_hash);
		wbuf_u8(out, m->named);
	}
	return FDP_OK;
}

static enum err put_sa_offer(struct wbuf *out, const struct msg_sa_offer *m)
{
	if (m->n_spis < 1 || m->n_spis > MSG_MAX_SPIS) {
		return ERR_LIMIT;
	}
	wbuf_u32(out, m->spis[0]);
	wbuf_bytes(out, m->salt, sizeof m->salt);
	wbuf_u32(out, m->epoch);
	wbuf_bytes(out, m->src_ip.b, sizeof m->src_ip.b);
	wbuf_bytes(out, m->dst_ip.b, sizeof m->dst_ip.b);
	wbuf_u16(out, m->vxlan_port);
	wbuf_u32(out, m->mtu);
	if (m->n_spis > 1) {
		wbuf_u16(out, FIELD_MORE_SPIS);
		wbuf_u16(out, (uint16_t)((m->n_spis - 1) * sizeof *m->spis));
	}
	for (size_t i = 1; i < m->n_spis; i++) {
		wbuf_u32(out, m->spis[i]);
	}
	return FDP_OK;
}

static void put_path_state(struct wbuf *out, const struct msg_path_state *m)
{
	wbuf_u8(out, m->level);
	put_text(out, m->reason);
}

static enum err put_path_check(struct wbuf *out, const struct msg_path_check *m)
{
	if (m->n_spis > MSG_MAX_SPIS) {
		return ERR_LIMIT;
	}
	wbuf_u32(out, m->number);
	wbuf_u8(out, (uint8_t)m->n_spis);
	for (size_t i = 0; i < m->n_spis; i++) {
		wbuf_u32(out, m->spis[i]);
	}
	return FDP_OK;
}

static enum err put_path_checked(struct wbuf *out,
				 const struct msg_path_checked *m)
{
	if (m->n_sas > MSG_MAX_SPIS) {
		return ERR_LIMIT;
	}
	wbuf_u32(out, m->number);
	wbuf_u64(out, m->heard);
	wbuf_u8(out, m->counted);
	wbuf_u64(out, m->no_sa);
	wbuf_u64(out, m->not_authentic);
	wbuf_u64(out, m->policy);
	wbuf_u64(out, m->other);
	wbuf_u8(out, (uint8_t)m->n_sas);
	for (size_t i = 0; i < m->n_sas; i++) {
		wbuf_u8(out, m->sas[i].exists);
		wbuf_u64(out, m->sas[i].packets);
	}
	return FDP_OK;
}

static enum err put_body(struct wbuf *out, const struct message *m)
{
	switch (m->type) {
	case MSG_PING:
	case MSG_PONG:
		wbuf_u64(out, m->ping.seq);
		return FDP_OK;
	case MSG_CLOSE:
		put_close(out, &m->close);
		return FDP_OK;
	case MSG_RECORD:
		return put_record(out, &m->record);
	case MSG_UPDATE:
		return put_update(out, &m->update);
	case MSG_PEERS:
		return put_peers(out, &m->peers);
	case MSG_STATEMENT:
		return put_statement(out, &m->statement);
	case MSG_SUMMARY:
		return put_summary(out, &m->summary);
	case MSG_HAVE:
		return put_held(out, m->held.v, m->held.n);
	case MSG_WANT:
		return put_want(out, &m->held);
	case MSG_LINKS:
		return put_links(out, &m->links);
	case MSG_SA_OFFER:
		return put_sa_offer(out, &m->sa_offer);
	case MSG_SA_ACTIVE:
		wbuf_u32(out, m->sa_active.spi);
		wbuf_u32(out, m->sa_active.epoch);
		return FDP_OK;
	case MSG_SA_DELETE:
		wbuf_u32(out, m->sa_delete.spi);
		return FDP_OK;
	case MSG_REKEY_REQUEST:
	case MSG_REKEY_RESPONSE:
		wbuf_u32(out, m->rekey.epoch);
		wbuf_bytes(out, m->rekey.key, sizeof m->rekey.key);
		return FDP_OK;
	case MSG_REKEY_ASK:
		return FDP_OK;
	case MSG_REHANDSHAKE:
		wbuf_u8(out, m->rehandshake.refused);
		return FDP_OK;
	case MSG_PLAIN:
		wbuf_u8(out, m->plain.ready);
		wbuf_bytes(out, m->plain.src_ip.b, sizeof m->plain.src_ip.b);
		wbuf_bytes(out, m->plain.dst_ip.b, sizeof m->plain.dst_ip.b);
		return FDP_OK;
	case MSG_SLEEVE:
		wbuf_u32(out, m->sleeve.index);
		wbuf_u32(out, m->sleeve.epoch);
		wbuf_u8(out, (uint8_t)m->sleeve.cipher);
		wbuf_u16(out, m->sleeve.port);
		wbuf_u32(out, m->sleeve.mtu);
		return FDP_OK;
	case MSG_PROBE_ACK:
		wbuf_u64(out, m->probe_ack.number);
		wbuf_u16(out, m->probe_ack.size);
		wbuf_u8(out, m->probe_ack.lane);
		return FDP_OK;
	case MSG_PATH_ASK:
	case MSG_PATH_REPORT:
		wbuf_u64(out, m->path.number);
		return FDP_OK;
	case MSG_PATH_STATE:
		put_path_state(out, &m->path_state);
		return FDP_OK;
	case MSG_PATH_CHECK:
		return put_path_check(out, &m->path_check);
	case MSG_PATH_CHECKED:
		return put_path_checked(out, &m->path_checked);
	}
	return ERR_UNSUPPORTED;
}

enum err message_encode(const struct message *m, struct wbuf *out)
{
	struct wbuf body =
		WBUF_INITIALIZER(CHANNEL_PAYLOAD_MAX - TLV_HEADER_BYTES);
	enum err err = put_body(&body, m);

	if (!err) {
		err = wbuf_done(&body);
	}
	if (!err && out->max &&
	    out->max - out->size < TLV_HEADER_BYTES + body.size) {
		err = ERR_OVERSIZED;
	}
	if (!err) {
		tlv_put(out, (uint16_t)m->type, body.data, body.size);
		err = wbuf_done(out);
	}
	wbuf_free(&body);
	return err;
}

/* Reading.  Every get_* cuts its part off 'in'. */

/* A text of printable ASCII that fits into 'buf' of 'size' bytes. */
static enum err get_text(struct span *in, char *buf, size_t size)
{
	struct span text;
	uint8_t n;
	enum err err = span_u8(in, &n);

	if (!err && n >= size) {
		err = ERR_LIMIT;
	}
	if (!err) {
		err = span_cut(in, n, &text);
	}
	for (size_t i = 0; !err && i < n; i++) {
		if (text.data[i] < ' ' || text.data[i] > '~') {
			err = ERR_MALFORMED;
		} else {
			buf[i] = (char)text.data[i];
		}
	}
	buf[err ? 0 : n] = '\0';
	return err;
}

static enum err get_close(struct span *in, struct msg_close *m)
{
	enum err err = get_text(in, m->slug, sizeof m->slug);

	if (!err) {
		err = get_text(in, m->text, sizeof m->text);
	}
	m->reason = ERR_REFUSED;
	for (int e = 0; !err && e < N_ERRS; e++) {
		if (!strcmp(err_slug((enum err)e), m->slug)) {
			m->reason = (enum err)e;
		}
	}
	return err;
}

static enum err get_author(struct span *in, struct peer_id *author,
			   uint64_t *incarnation, uint64_t *seq)
{
	enum err err = wire_get_id(in, author);

	if (!err) {
		err = span_u64(in, incarnation);
	}
	return err ? err : span_u64(in, seq);
}

static enum err get_record(struct span *in, struct msg_record *m)
{
	struct span name;
	uint8_t last, name_size;
	size_t n = 0;
	enum err err = get_author(in, &m->author, &m->incarnation, &m->seq);

	if (!err) {
		err = span_u16(in, &m->part);
	}
	if (!err) {
		err = span_u8(in, &last);
	}
	if (!err && last > 1) {
		err = ERR_RANGE;
	}
	if (!err) {
		m->last = last;
		err = span_u8(in, &name_size);
	}
	if (!err) {
		err = span_cut(in, name_size, &name);
	}
	if (!err) {
		err = identity_name_decode(name, m->name);
	}
	if (!err) {
		err = wire_get_count(in, MSG_MAX_ADDRS, sizeof *m->addrs, &n);
	}
	if (!err && n) {
		m->addrs = xcalloc(n, sizeof *m->addrs);
		m->n_addrs = n;
	}
	for (size_t i = 0; !err && i < n; i++) {
		err = wire_get_ip(in, &m->addrs[i]);
	}
	return err ? err : wire_get_bindings(in, &m->bindings, &m->n_bindings);
}

static enum err get_update(struct span *in, struct msg_update *m)
{
	size_t n = 0;
	enum err err = get_author(in, &m->author, &m->incarnation, &m->seq);

	if (!err) {
		err = wire_get_bindings(in, &m->added, &m->n_added);
	}
	if (!err) {
		err = wire_get_count(in, MSG_MAX_REMOVED, 4 + 6, &n);
	}
	if (!err && n) {
		m->removed = xcalloc(n, sizeof *m->removed);
		m->n_removed = n;
	}
	for (size_t i = 0; !err && i < n; i++) {
		err = wire_get_key(in, &m->removed[i]);
	}
	return err;
}

/* Of a host that can be dialled. */
static enum err get_endpoint(struct span *in, struct ip_endpoint *at)
{
	enum err err = wire_get_ip(in, &at->ip);

	if (!err) {
		err = span_u16(in, &at->port);
	}
	if (!err && (!at->port || !ip_is_unicast(&at->ip))) {
		err = ERR_RANGE;
	}
	return err;
}

static enum err get_hint(struct span *in, struct peer_hint *hint)
{
	enum err err = wire_get_id(in, &hint->id);

	return err ? err : get_endpoint(in, &hint->at);
}

static enum err get_advertised(struct span in, struct msg_peers *m)
{
	enum err err = FDP_OK;

	if (m->n_advertised || !in.size || in.size % ENDPOINT_BYTES) {
		return ERR_MALFORMED;
	}
	if (in.size / ENDPOINT_BYTES > MSG_MAX_ADVERTISED) {
		return ERR_LIMIT;
	}
	while (!err && in.size) {
		err = get_endpoint(&in, &m->advertised[m->n_advertised++]);
	}
	return err;
}

static enum err get_peers_fields(struct span *in, struct msg_peers *m)
{
	enum err err = FDP_OK;

	while (!err && in->size) {
		struct span value;
		uint16_t type;

		err = tlv_next(in, &type, &value);
		if (!err && type == FIELD_ADVERTISED) {
			err = get_advertised(value, m);
		} else if (!err && type & TLV_CRITICAL) {
			err = ERR_UNKNOWN_CRITICAL;
		}
	}
	return err;
}

static enum err get_peers(struct span *in, struct msg_peers *m)
{
	uint8_t want;
	size_t n = 0;
	enum err err = span_u8(in, &want);

	if (!err && want > 1) {
		err = ERR_RANGE;
	}
	if (!err) {
		m->want = want;
		err = span_u16(in, &m->port);
	}
	if (!err && !m->port) {
		err = ERR_RANGE;
	}
	if (!err) {
		err = wire_get_count(in, MSG_MAX_HINTS, 16 + 16 + 2, &n);
	}
	if (!err && n) {
		m->v = xcalloc(n, sizeof *m->v);
		m->n = n;
	}
	for (size_t i = 0; !err && i < n; i++) {
		err = get_hint(in, &m->v[i]);
	}
	return err ? err : get_peers_fields(in, m);
}

static enum err get_one_held(struct span *in, struct held_statement *held)
{
	enum err err = wire_get_id(in, &held->author);

	if (!err) {
		err = span_u64(in, &held->incarnation);
	}
	if (!err) {
		err = span_u64(in, &held->seq);
	}
	if (!err) {
		err = span_u8(in, &held->chunk);
	}
	return !err && held->chunk >= STATEMENT_CHUNKS ? ERR_RANGE : err;
}

static enum err get_held(struct span *in, struct held_statement **v, size_t *n)
{
	size_t count = 0;
	enum err err = wire_get_count(in, MSG_MAX_HELD, 16 + 8 + 8 + 1, &count);

	if (!err && count) {
		*v = xcalloc(count, sizeof **v);
		*n = count;
	}
	for (size_t i = 0; !err && i < count; i++) {
		err = get_one_held(in, &(*v)[i]);
	}
	return err;
}

static enum err get_want(struct span *in, struct msg_held *m)
{
	enum err err = get_held(in, &m->v, &m->n);

	while (!err && in->size) {
		struct span value;
		uint16_t type;

		err = tlv_next(in, &type, &value);
		if (!err && type == FIELD_IN_SHORT) {
			err = m->in_short || value.size ? ERR_MALFORMED
							: FDP_OK;
			m->in_short = true;
		} else if (!err && type & TLV_CRITICAL) {
			err = ERR_UNKNOWN_CRITICAL;
		}
	}
	return err;
}

static enum err get_summary(struct span *in, struct msg_summary *m)
{
	uint8_t want, more;
	enum err err = span_u8(in, &want);

	if (!err) {
		err = span_u8(in, &more);
	}
	if (!err && (want > 1 || more > 1)) {
		err = ERR_RANGE;
	}
	if (!err) {
		m->want = want;
		m->more = more;
		err = get_held(in, &m->v, &m->n);
	}
	return err;
}

static enum err get_numbers(struct span *in, uint32_t **v, size_t *n)
{
	size_t count = 0;
	enum err err =
		wire_get_count(in, STATEMENT_MAX_LINKS, sizeof **v, &count);

	if (!err && count) {
		*v = xcalloc(count, sizeof **v);
		*n = count;
	}
	for (size_t i = 0; !err && i < count; i++) {
		err = span_u32(in, &(*v)[i]);
	}
	return err;
}

/* Instead of a base. */
static enum err get_named(struct span in, struct msg_links *m)
{
	enum err err = m->named || m->base || in.size != NAMED_BYTES
			       ? ERR_MALFORMED
			       : span_u64(&in, &m->named_hash);

	if (!err) {
		err = span_u8(&in, &m->named);
	}
	if (!err && (!m->named || m->named > STATEMENT_N_LINKS ||
		     m->named & (m->named - 1) ||
		     m->chunk >= STATEMENT_LINKS + m->named)) {
		err = ERR_RANGE;
	}
	return err;
}

static enum err get_links_fields(struct span *in, struct msg_links *m)
{
	enum err err = FDP_OK;

	while (!err && in->size) {
		struct span value;
		uint16_t type;

		err = tlv_next(in, &type, &value);
		if (!err && type == FIELD_NAMED) {
			err = get_named(value, m);
		} else if (!err && type & TLV_CRITICAL) {
			err = ERR_UNKNOWN_CRITICAL;
		}
	}
	return err;
}

static enum err get_links(struct span *in, struct msg_links *m)
{
	enum err err = span_u64(in, &m->incarnation);

	if (!err) {
		err = span_u64(in, &m->seq);
	}
	if (!err) {
		err = span_u64(in, &m->base);
	}
	if (!err) {
		err = span_u8(in, &m->chunk);
	}
	if (!err && (m->chunk >= STATEMENT_CHUNKS ||
		     !statement_has_links(m->chunk) || m->base >= m->seq)) {
		err = ERR_RANGE;
	}
	if (!err) {
		err = get_numbers(in, &m->gone, &m->n_gone);
	}
	if (!err) {
		err = get_numbers(in, &m->come, &m->n_come);
	}
	if (!err) {
		err = span_bytes(in, m->signature, sizeof m->signature);
	}
	return err ? err : get_links_fields(in, m);
}

static enum err get_spi(struct span *in, uint32_t *spi)
{
	enum err err = span_u32(in, spi);

	return err ? err : *spi < SPI_MIN ? ERR_RANGE : FDP_OK;
}

/* The SPIs behind the first one: none twice. */
static enum err get_more_spis(struct span in, struct msg_sa_offer *m)
{
	if (m->n_spis != 1 || !in.size || in.size % sizeof *m->spis) {
		return ERR_MALFORMED;
	}
	if (in.size / sizeof *m->spis > MSG_MAX_SPIS - 1) {
		return ERR_LIMIT;
	}
	while (in.size) {
		uint32_t spi;
		enum err err = get_spi(&in, &spi);

		for (size_t i = 0; !err && i < m->n_spis; i++) {
			err = m->spis[i] == spi ? ERR_MALFORMED : FDP_OK;
		}
		if (err) {
			return err;
		}
		m->spis[m->n_spis++] = spi;
	}
	return FDP_OK;
}

static enum err get_sa_offer_fields(struct span *in, struct msg_sa_offer *m)
{
	enum err err = FDP_OK;

	while (!err && in->size) {
		struct span value;
		uint16_t type;

		err = tlv_next(in, &type, &value);
		if (!err && type == FIELD_MORE_SPIS) {
			err = get_more_spis(value, m);
		} else if (!err && type & TLV_CRITICAL) {
			err = ERR_UNKNOWN_CRITICAL;
		}
	}
	return err;
}

static enum err get_sa_offer(struct span *in, struct msg_sa_offer *m)
{
	enum err err = get_spi(in, &m->spis[0]);

	m->n_spis = 1;
	if (!err) {
		err = span_bytes(in, m->salt, sizeof m->salt);
	}
	if (!err) {
		err = span_u32(in, &m->epoch);
	}
	if (!err) {
		err = wire_get_ip(in, &m->src_ip);
	}
	if (!err) {
		err = wire_get_ip(in, &m->dst_ip);
	}
	if (!err) {
		err = span_u16(in, &m->vxlan_port);
	}
	if (!err) {
		err = span_u32(in, &m->mtu);
	}
	if (!err && (!m->vxlan_port || ip_is_zero(&m->src_ip) ||
		     ip_is_zero(&m->dst_ip) ||
		     ip_is_v4(&m->src_ip) != ip_is_v4(&m->dst_ip))) {
		err = ERR_RANGE;
	}
	return err ? err : get_sa_offer_fields(in, m);
}

static enum err get_sa_active(struct span *in, struct msg_sa_active *m)
{
	enum err err = get_spi(in, &m->spi);

	return err ? err : span_u32(in, &m->epoch);
}

static enum err get_rekey(struct span *in, struct msg_rekey *m)
{
	enum err err = span_u32(in, &m->epoch);

	return err ? err : span_bytes(in, m->key, sizeof m->key);
}

static enum err get_plain(struct span *in, struct msg_plain *m)
{
	uint8_t ready;
	enum err err = span_u8(in, &ready);

	if (!err && ready > 1) {
		err = ERR_RANGE;
	}
	if (!err) {
		m->ready = ready;
		err = wire_get_ip(in, &m->src_ip);
	}
	if (!err) {
		err = wire_get_ip(in, &m->dst_ip);
	}
	if (!err && (ip_is_zero(&m->src_ip) || ip_is_zero(&m->dst_ip))) {
		err = ERR_RANGE;
	}
	return err;
}

static enum err get_sleeve(struct span *in, struct msg_sleeve *m)
{
	uint8_t cipher;
	enum err err = span_u32(in, &m->index);

	if (!err) {
		err = span_u32(in, &m->epoch);
	}
	if (!err) {
		err = span_u8(in, &cipher);
	}
	if (!err) {
		err = span_u16(in, &m->port);
	}
	if (!err) {
		err = span_u32(in, &m->mtu);
	}
	if (!err && (!m->index || !m->port || cipher >= N_SLEEVE_CIPHERS)) {
		err = ERR_RANGE;
	}
	if (!err) {
		m->cipher = (enum sleeve_cipher)cipher;
	}
	return err;
}

static enum err get_flag(struct span *in, bool *flag)
{
	uint8_t value;
	enum err err = span_u8(in, &value);

	if (!err && value > 1) {
		err = ERR_RANGE;
	}
	if (!err) {
		*flag = value;
	}
	return err;
}

static enum err get_probe_ack(struct span *in, struct msg_probe_ack *m)
{
	enum err err = span_u64(in, &m->number);

	if (!err) {
		err = span_u16(in, &m->size);
	}
	return err ? err : span_u8(in, &m->lane);
}

static enum err get_path_state(struct span *in, struct msg_path_state *m)
{
	enum err err = span_u8(in, &m->level);

	if (!err && m->level >= PATH_STATE_LEVELS) {
		err = ERR_RANGE;
	}
	return err ? err : get_text(in, m->reason, sizeof m->reason);
}

static enum err get_path_check(struct span *in, struct msg_path_check *m)
{
	uint8_t n = 0;
	enum err err = span_u32(in, &m->number);

	if (!err) {
		err = span_u8(in, &n);
	}
	if (!err && n > MSG_MAX_SPIS) {
		err = ERR_LIMIT;
	}
	for (m->n_spis = 0; !err && m->n_spis < n; m->n_spis++) {
		err = span_u32(in, &m->spis[m->n_spis]);
	}
	return err;
}

static enum err get_path_checked(struct span *in, struct msg_path_checked *m)
{
	uint64_t *const counters[] = {&m->no_sa, &m->not_authentic, &m->policy,
				      &m->other};
	uint8_t n = 0;
	enum err err = span_u32(in, &m->number);

	if (!err) {
		err = span_u64(in, &m->heard);
	}
	if (!err) {
		err = get_flag(in, &m->counted);
	}
	for (size_t i = 0; !err && i < ARRAY_SIZE(counters); i++) {
		err = span_u64(in, counters[i]);
	}
	if (!err) {
		err = span_u8(in, &n);
	}
	if (!err && n > MSG_MAX_SPIS) {
		err = ERR_LIMIT;
	}
	for (m->n_sas = 0; !err && m->n_sas < n; m->n_sas++) {
		err = get_flag(in, &m->sas[m->n_sas].exists);
		if (!err) {
			err = span_u64(in, &m->sas[m->n_sas].packets);
		}
	}
	return err;
}

/* '*known' is false for types that this version has not. */
static enum err get_body(uint16_t type, struct span *in, struct message *m,
			 bool *known)
{
	*known = true;
	m->type = (enum msg_type)type;
	switch (m->type) {
	case MSG_PING:
	case MSG_PONG:
		return span_u64(in, &m->ping.seq);
	case MSG_CLOSE:
		return get_close(in, &m->close);
	case MSG_RECORD:
		return get_record(in, &m->record);
	case MSG_UPDATE:
		return get_update(in, &m->update);
	case MSG_PEERS:
		return get_peers(in, &m->peers);
	case MSG_STATEMENT:
		return statement_get(in, &m->statement);
	case MSG_SUMMARY:
		return get_summary(in, &m->summary);
	case MSG_HAVE:
		return get_held(in, &m->held.v, &m->held.n);
	case MSG_WANT:
		return get_want(in, &m->held);
	case MSG_LINKS:
		return get_links(in, &m->links);
	case MSG_SA_OFFER:
		return get_sa_offer(in, &m->sa_offer);
	case MSG_SA_ACTIVE:
		return get_sa_active(in, &m->sa_active);
	case MSG_SA_DELETE:
		return get_spi(in, &m->sa_delete.spi);
	case MSG_REKEY_REQUEST:
	case MSG_REKEY_RESPONSE:
		return get_rekey(in, &m->rekey);
	case MSG_REKEY_ASK:
		return FDP_OK;
	case MSG_REHANDSHAKE:
		return get_flag(in, &m->rehandshake.refused);
	case MSG_PLAIN:
		return get_plain(in, &m->plain);
	case MSG_SLEEVE:
		return get_sleeve(in, &m->sleeve);
	case MSG_PROBE_ACK:
		return get_probe_ack(in, &m->probe_ack);
	case MSG_PATH_ASK:
	case MSG_PATH_REPORT:
		return span_u64(in, &m->path.number);
	case MSG_PATH_STATE:
		return get_path_state(in, &m->path_state);
	case MSG_PATH_CHECK:
		return get_path_check(in, &m->path_check);
	case MSG_PATH_CHECKED:
		return get_path_checked(in, &m->path_checked);
	}
	*known = false;
	return type & TLV_CRITICAL ? ERR_UNKNOWN_CRITICAL : FDP_OK;
}

enum err message_decode(struct span *in, struct message *out, bool *found)
{
	while (in->size) {
		struct span rest = *in, body;
		struct message m;
		uint16_t type;
		bool known;
		enum err err = tlv_next(&rest, &type, &body);

		if (err) {
			return err;
		}
		memset(&m, 0, sizeof m);
		err = get_body(type, &body, &m, &known);
		if (!err && known) {
			/* Fields of later versions. */
			err = tlv_skip_all(body);
		}
		if (err) {
			message_free(&m);
			return err;
		}
		*in = rest;
		if (known) {
			*out = m;
			*found = true;
			return FDP_OK;
		}
	}
	*found = false;
	return FDP_OK;
}

void message_free(struct message *m)
{
	switch (m->type) {
	case MSG_RECORD:
		free(m->record.addrs);
		free(m->record.bindings);
		break;
	case MSG_UPDATE:
		free(m->update.added);
		free(m->update.removed);
		break;
	case MSG_PEERS:
		free(m->peers.v);
		break;
	case MSG_STATEMENT:
		statement_free(&m->statement);
		break;
	case MSG_SUMMARY:
		free(m->summary.v);
		break;
	case MSG_HAVE:
	case MSG_WANT:
		free(m->held.v);
		break;
	case MSG_LINKS:
		free(m->links.gone);
		free(m->links.come);
		break;
	case MSG_PING:
	case MSG_PONG:
	case MSG_CLOSE:
	case MSG_SA_OFFER:
	case MSG_SA_ACTIVE:
	case MSG_SA_DELETE:
	case MSG_REKEY_REQUEST:
	case MSG_REKEY_RESPONSE:
	case MSG_REKEY_ASK:
	case MSG_PLAIN:
	case MSG_REHANDSHAKE:
	case MSG_SLEEVE:
	case MSG_PROBE_ACK:
	case MSG_PATH_ASK:
	case MSG_PATH_REPORT:
	case MSG_PATH_STATE:
	case MSG_PATH_CHECK:
	case MSG_PATH_CHECKED:
		break;
	}
	memset(m, 0, sizeof *m);
}
