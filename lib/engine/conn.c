/* Control connections. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"
#include "hash.h"
#include "mesh/backoff.h"
#include "util.h"

enum {
	MAX_KNOWN_IPS = 8192,
	DIALS_MAX = 8, /* Handshakes, and dials of this age: */
	DIAL_COUNTS_US = 1000 * 1000,
	DIAL_PAUSE_US = 100 * 1000,
	RX_MAX = CHANNEL_RECORD_MAX + 2
};

/* An address from which somebody authenticated once. */
struct known_ip {
	struct hmap_node node;
	struct ip_addr ip;
};

static uint32_t hash_ip(const struct ip_addr *ip)
{
	return hash_bytes(ip, sizeof *ip, 0);
}

struct conn *conn_find(const struct engine *e, uint32_t id)
{
	struct conn *c;

	HMAP_FOR_EACH_WITH_HASH (c, node, hash_int(id, 0), &e->conns) {
		if (c->id == id) {
			return c;
		}
	}
	return NULL;
}

static struct conn *conn_new(struct engine *e, uint32_t id, bool outbound,
			     const struct ip_endpoint *remote)
{
	struct conn *c = xzalloc(sizeof *c);

	c->id = id;
	c->outbound = outbound;
	c->remote = *remote;
	c->since_us = c->heard_us = e->now_us;
	c->patience_us = PING_TIMEOUT_US;
	wbuf_init(&c->rx, 0);
	hmap_insert(&e->conns, &c->node, hash_int(id, 0));
	hmap_insert(&e->conns_by_ip, &c->by_ip, hash_ip(&remote->ip));
	ovs_list_init(&c->dial);
	if (outbound) {
		ovs_list_push_back(&e->dials, &c->dial);
	}
	return c;
}

static void drop_handshake(struct conn *c)
{
	if (c->hs) {
		handshake_wipe(c->hs);
		free(c->hs);
		c->hs = NULL;
	}
}

void conn_free(struct engine *e, struct conn *c)
{
	if (c->target && c->target->conn == c) {
		c->target->conn = NULL;
	}
	if (c->peer && c->peer->conn == c) {
		c->peer->conn = NULL;
		topology_unmark(e->topology, &c->peer->id);
	}
	if (c->renews) {
		c->renews->renewal.conn = NULL;
	}
	if (c->admitted) {
		/* Nobody's fault: a failure was accounted for before. */
		admission_end(&e->admission, &c->remote.ip, true, e->now_us);
	}
	if (c->state != CONN_UP) {
		e->dial_us = 0;
	}
	timer_off(&e->conns_due, &c->timer);
	hmap_remove(&e->conns, &c->node);
	hmap_remove(&e->conns_by_ip, &c->by_ip);
	ovs_list_remove(&c->dial);
	drop_handshake(c);
	channel_wipe(&c->channel);
	secret_wipe(&c->esp);
	secret_wipe(&c->sleeve_in);
	secret_wipe(&c->sleeve_out);
	ratchet_wipe(&c->ratchet);
	record_free(&c->inbox.record);
	wbuf_free(&c->rx);
	free(c->held);
	free(c);
}

/* ---- Who has been here before ---- */

static bool is_known(const struct engine *e, const struct ip_addr *ip)
{
	const struct target *t;
	const struct known_ip *k;

	HMAP_FOR_EACH_WITH_HASH (t, by_ip, hash_ip(ip), &e->targets_by_ip) {
		if (ip_equal(&t->remote.ip, ip)) {
			return true;
		}
	}
	HMAP_FOR_EACH_WITH_HASH (k, node, hash_ip(ip), &e->known_ips) {
		if (ip_equal(&k->ip, ip)) {
			return true;
		}
	}
	return false;
}

static void remember(struct engine *e, const struct ip_addr *ip)
{
	struct known_ip *k;

	if (is_known(e, ip) || hmap_count(&e->known_ips) >= MAX_KNOWN_IPS) {
		return;
	}
	k = xzalloc(sizeof *k);
	k->ip = *ip;
	hmap_insert(&e->known_ips, &k->node, hash_ip(ip));
}

void known_ips_clear(struct engine *e)
{
	struct known_ip *k;

	HMAP_FOR_EACH_POP (k, node, &e->known_ips) {
		free(k);
	}
}

/* Keeps a refusal for `status connections`; the oldest gives way. */
static void note_refusal(struct engine *e, const struct ip_addr *ip,
			 enum err err, enum reason reason)
{
	struct refusal *slot = &e->refusals[0];

	for (size_t i = 0; i < MAX_REFUSALS; i++) {
		struct refusal *r = &e->refusals[i];

		if (r->n && r->err == err && ip_equal(&r->ip, ip)) {
			slot = r;
			break;
		}
		if (r->when_us < slot->when_us) {
			slot = r;
		}
	}
	if (!slot->n || slot->err != err || !ip_equal(&slot->ip, ip)) {
		slot->n = 0;
		slot->first_us = e->now_us;
	}
	slot->ip = *ip;
	slot->err = err;
	slot->reason = reason;
	slot->when_us = e->now_us;
	slot->n++;
}

/* ---- Sending ---- */

static void send_to(struct engine *e, uint32_t conn, struct wbuf *bytes)
{
	struct op *op;

	if (!bytes->size) {
		wbuf_free(bytes);
		return;
	}
	op = ops_add(e->ops, OP_SEND);
	op->conn = conn;
	op->bytes = *bytes;
	wbuf_init(bytes, bytes->max);
}

static void send_bytes(struct engine *e, struct conn *c, struct wbuf *bytes)
{
	send_to(e, c->id, bytes);
}

/* A few bytes can ask for all that we know, and a packet has many of those: no
 * more is made in one step than whoever carries it out could ever keep. */
static bool may_send(struct engine *e, struct conn *c)
{
	if (c->step != e->step) {
		c->step = e->step;
		c->sent = 0;
	}
	if (c->sent + CHANNEL_RECORD_MAX + 2 > OP_SEND_MAX) {
		c->greedy = true;
		conn_wake(e, c, e->now_us);
	}
	return !c->greedy;
}

void conn_send(struct engine *e, struct conn *c, const struct message *m)
{
	struct wbuf payload = WBUF_INITIALIZER(CHANNEL_PAYLOAD_MAX);
	struct wbuf tx = WBUF_INITIALIZER(0);
	enum err err;

	if (!may_send(e, c)) {
		return;
	}
	err = message_encode(m, &payload);
	if (!err) {
		err = channel_seal(&c->channel, wbuf_span(&payload), &tx);
	}
	/* ERR_STATE: what came was not authentic, so nothing more is said. */
	if (err && err != ERR_STATE) {
		engine_log(e, OP_LOG_ERR, "cannot send %s: %s",
			   message_name(m->type), err_text(err));
	}
	c->sent += tx.size;
	send_bytes(e, c, &tx);
	wbuf_free(&payload);
}

/* ---- Ends ---- */

/* What becomes of the target whose connection ended. */
/* Of failures that are alike the first one is remembered. */
static void note_failure(struct engine *e, struct target *t, enum reason reason,
			 const char *detail)
{
	char text[HISTORY_TEXT_SIZE];

	if (t->failures && t->reason == reason && !strcmp(t->detail, detail)) {
		return;
	}
	t->reason_us = e->now_us;
	snprintf(text, sizeof text, "%s%s%s", reason_text(reason),
		 *detail ? ": " : "", detail);
	history_add(&t->history, e->now_us, reason, text);
}

/* Whoever is refused too often is not told any more why. */
static bool was_told_why(const struct target *t)
{
	return t->failures && (t->reason == REASON_WRONG_PASSWORD ||
			       t->reason == REASON_PLAIN_PEER ||
			       t->reason == REASON_CRYPTED_PEER ||
			       t->reason == REASON_OTHER_VERSION);
}

static void target_failed(struct engine *e, struct target *t, enum err err,
			  enum reason reason, const char *detail)
{
	t->conn = NULL;
	t->refused = err != FDP_OK;
	if (!((err == ERR_TRUNCATED || err == ERR_LIMIT) && was_told_why(t))) {
		note_failure(e, t, reason, detail);
		t->reason = reason;
		copy_text(t->detail, sizeof t->detail, detail);
	}
	t->since_us = e->now_us;
	if (err == ERR_WRONG_PASSWORD && e->config.n_slots > 1) {
		/* During a rotation the other side may still have only the
		 * other one: that is tried at once. */
		t->dial_slot = !t->dial_slot;
		if (t->dial_slot) {
			target_retry(e, t, 0);
			return;
		}
	}
	t->failures++;
	if (err == ERR_SELF) {
		t->retry_us = UINT64_MAX;
		return;
	}
	target_retry(e, t, backoff_us(t->failures, e->rng));
}

/* Whoever finds the port can be refused as often as he likes, from as many
 * addresses as he has; that does not fill the log. */
static void log_refusal(struct engine *e, const struct conn *c,
			const char *address, enum reason reason,
			const char *detail)
{
	char unlogged[64] = "";

	if (!c->outbound) {
		if (!bucket_take(&e->refusal_lines, REFUSAL_LINE_SECONDS,
				 e->now_us)) {
			e->n_unlogged++;
			return;
		}
		if (e->n_unlogged) {
			snprintf(unlogged, sizeof unlogged,
				 "; %zu more before it were not logged",
				 e->n_unlogged);
			e->n_unlogged = 0;
		}
	}
	engine_log(e, c->renews ? OP_LOG_INFO : OP_LOG_WARN,
		   "connection %s %s refused: %s%s%s%s%s",
		   c->outbound ? "to" : "from", address, reason_text(reason),
		   *detail ? ": " : "", detail,
		   c->target ? "; trying again" : "", unlogged);
}

/* Logs the end of a connection, once, and tells who has to know. */
static void conn_ended(struct engine *e, struct conn *c, enum err err,
		       enum reason reason, const char *detail)
{
	char address[ENDPOINT_STRLEN];
	struct target *t = c->target;
	struct peer *peer = c->peer && c->peer->conn == c ? c->peer : NULL;
	struct peer *renews = c->renews;
	/* Of whom one side does not believe who he is, he is not. */
	bool authenticated =
		c->state == CONN_UP && err != ERR_IDENTITY && err != ERR_COPY;
	bool again = t && t->failures && t->reason == reason &&
		     !strcmp(t->detail, detail);
	/* The other side has a better one, which will show. */
	uint64_t delay_us = reason == REASON_DUPLICATE ? SECOND_US : 0;

	if (c->admitted) {
		admission_end(&e->admission, &c->remote.ip, false, e->now_us);
		c->admitted = false;
	}
	endpoint_format(&c->remote, address);
	if (authenticated) {
		engine_log(
			e, OP_LOG_INFO, "connection %s %s (%s) ended: %s%s%s",
			c->outbound ? "to" : "from", address, c->identity.name,
			reason_text(reason), *detail ? ": " : "", detail);
	} else if (!again && !(renews && renews->renewal.failures) &&
		   reason != REASON_IDENTITY_CHANGED &&
		   reason != REASON_COPY) { /* An alarm was. */
		log_refusal(e, c, address, reason, detail);
	}
	if (!authenticated && !c->outbound && err) {
		note_refusal(e, &c->remote.ip, err, reason);
	}
	if (t && authenticated) {
		t->dial_slot = 0;
	}
	if (t && authenticated && e->now_us - c->since_us >= STABLE_US) {
		t->failures = 0;
	}
	if (peer) {
		health_note(e, peer, reason, "the session ended: %s%s%s",
			    reason_text(reason), *detail ? ": " : "", detail);
	}
	if (peer) {
		spread_lost(e, c);
	}
	conn_free(e, c);
	if (renews) {
		renewal_failed(e, renews, err);
	}
	if (t) {
		target_failed(e, t, authenticated ? FDP_OK : err, reason,
			      detail);
	}
	if (peer) {
		peer_lost(e, peer, reason, delay_us);
	}
}

void conn_end(struct engine *e, struct conn *c, enum err err,
	      enum reason reason, const char *detail)
{
	if (c->state == CONN_UP) {
		struct message m = {.type = MSG_CLOSE};

		m.close.reason = err;
		copy_text(m.close.text, sizeof m.close.text, detail);
		conn_send(e, c, &m);
	}
	ops_add(e->ops, OP_CLOSE)->conn = c->id;
	conn_ended(e, c, err, reason, detail);
}

/* What operators are told: some failures are theirs to mend. */
static enum reason reason_of_handshake(enum err err)
{
	switch (err) {
	case ERR_SELF:
		return REASON_SELF;
	case ERR_WRONG_PASSWORD:
		return REASON_WRONG_PASSWORD;
	case ERR_PLAIN_PEER:
		return REASON_PLAIN_PEER;
	case ERR_CRYPTED_PEER:
		return REASON_CRYPTED_PEER;
	case ERR_VERSION:
	case ERR_SUITE:
		return REASON_OTHER_VERSION;
	default:
		return REASON_HANDSHAKE_FAILED;
	}
}

/* Where the reason does not say it all. */
static const char *detail_of_handshake(enum err err)
{
	return reason_of_handshake(err) == REASON_HANDSHAKE_FAILED
		       ? err_text(err)
		       : "";
}

void conn_closed(struct engine *e, uint32_t id, int os_errno)
{
	struct conn *c = conn_find(e, id);
	enum err err = FDP_OK;
	enum reason reason = REASON_CONNECTION_LOST;
	const char *detail = os_errno ? ovs_strerror(os_errno) : "";

	if (!c) {
		return;
	}
	if (c->state == CONN_DIALING) {
		reason = REASON_DIAL_FAILED;
	} else if (c->state == CONN_HANDSHAKE) {
		/* Without a word.  Who has another password says so. */
		err = ERR_TRUNCATED;
		reason = REASON_HANDSHAKE_FAILED;
		detail = "the other side closed the connection";
	}
	conn_ended(e, c, err, reason, detail);
}

static void handshake_failed(struct engine *e, struct conn *c, enum err err)
{
	if (err == ERR_SELF && handshake_was_hinted(c->hs) && !c->to_self) {
		/* Anybody on the path can say so; it must not stop us from
		 * dialling for ever. */
		err = ERR_REFUSED;
	}
	conn_end(e, c, err, reason_of_handshake(err), detail_of_handshake(err));
}

/* ---- Beginnings ---- */

static bool is_own_nonce(void *aux, const uint8_t nonce[HANDSHAKE_NONCE_BYTES])
{
	struct engine *e = aux;
	struct conn *c;

	LIST_FOR_EACH (c, dial, &e->dials) {
		if (c->state == CONN_HANDSHAKE &&
		    !memcmp(handshake_nonce(c->hs), nonce,
			    HANDSHAKE_NONCE_BYTES)) {
			c->to_self = true;
			return true;
		}
	}
	return false;
}

static void begin_handshake(struct engine *e, struct conn *c)
{
	struct wbuf tx = WBUF_INITIALIZER(0);
	struct identity self;
	struct hs_config config = {
		.slots = e->config.slots,
		.n_slots = e->config.n_slots,
		.dial_slot = c->target	 ? c->target->dial_slot
			     : c->renews ? c->renews->renewal.dial_slot
					 : 0,
		.self = &self,
		.key = e->config.has_key && !e->config.key_unsaved ? &e->key
								   : NULL,
		.is_own_nonce = is_own_nonce,
		.aux = e,
	};

	ovs_assert(!password_is_awaited(e));
	memset(&self, 0, sizeof self);
	copy_text(self.name, sizeof self.name, e->config.name);
	self.id = e->config.id;
	self.incarnation = e->config.incarnation;
	self.capabilities = engine_capabilities(e);
	if (!e->user) {
		self.vxlan_port = e->config.vxlan_port;
	}
	c->state = CONN_HANDSHAKE;
	c->since_us = e->now_us;
	c->hs = xzalloc(sizeof *c->hs);
	c->role = c->outbound ? HS_INITIATOR : HS_RESPONDER;
	handshake_init(c->hs, c->role, &config);
	handshake_start(c->hs, &tx, e->rng);
	send_bytes(e, c, &tx);
	conn_wake(e, c, c->since_us + HANDSHAKE_TIMEOUT_US);
}

void conn_dialed(struct engine *e, uint32_t id, const struct ip_endpoint *local)
{
	struct conn *c = conn_find(e, id);

	if (c && c->state == CONN_DIALING) {
		c->local = *local;
		c->heard_us = e->now_us;
		begin_handshake(e, c);
	}
}

/* Who gets no further keeps nobody else out: the stranger who has been half-way
 * in for longest goes, if that is long enough. */
static void make_way(struct engine *e)
{
	struct conn *c, *oldest = NULL;

	HMAP_FOR_EACH (c, node, &e->conns) {
		if (c->admitted && !is_known(e, &c->remote.ip) &&
		    (!oldest || c->since_us < oldest->since_us)) {
			oldest = c;
		}
	}
	if (oldest && e->now_us >= oldest->since_us + ADMISSION_PATIENCE_US) {
		conn_end(e, oldest, ERR_TIMEOUT, REASON_HANDSHAKE_FAILED,
			 "the other side took too long, and others wait");
	}
}

void conn_accepted(struct engine *e, uint32_t id,
		   const struct ip_endpoint *local,
		   const struct ip_endpoint *remote)
{
	struct wbuf hint = WBUF_INITIALIZER(0);
	struct conn *c;
	enum err err = ERR_STATE;
	bool known = false;

	if (e->phase == PHASE_RUNNING && !password_is_awaited(e)) {
		known = is_known(e, &remote->ip);
		if (!known && admission_is_crowded(&e->admission, &remote->ip,
						   e->now_us)) {
			make_way(e);
		}
		err = admission_begin(&e->admission, &remote->ip, known,
				      e->now_us);
	}
	if (err) {
		note_refusal(e, &remote->ip, err, REASON_HANDSHAKE_FAILED);
		handshake_hint(err, &hint);
		send_to(e, id, &hint);
		ops_add(e->ops, OP_CLOSE)->conn = id;
		return;
	}
	c = conn_new(e, id, false, remote);
	c->admitted = true;
	c->stranger = !known;
	c->local = *local;
	begin_handshake(e, c);
}

/* ---- Data ---- */

/* 'c' is authenticated, and was made to replace its peer's session: it takes
 * the place of the old one with the target.  False if it is gone, as somebody
 * else answered. */
static bool renewed(struct engine *e, struct conn *c)
{
	struct peer *p = c->renews;
	struct conn *old = p->conn;

	if (!peer_id_equal(&p->id, &c->identity.id)) {
		conn_end(e, c, ERR_REFUSED, REASON_CONNECTION_LOST,
			 "this is another host than before");
		return false;
	}
	c->target = old->target;
	old->target = NULL;
	if (c->target) {
		c->target->conn = c;
	}
	renewal_cancel(p);
	return true;
}

void conn_derive(struct conn *c, const struct secret *s1, uint32_t epoch)
{
	session_export(s1, KEY_LABEL_ESP, &c->esp);
	sleeve_key(s1, epoch, key_direction_rx(c->role), &c->sleeve_in);
	sleeve_key(s1, epoch, key_direction_tx(c->role), &c->sleeve_out);
}

/* The handshake is done: from here on there are records. */
static bool handshake_over(struct engine *e, struct conn *c)
{
	struct hs_result result;
	const char *why;
	enum err err;

	handshake_take(c->hs, &result);
	drop_handshake(c);
	e->dial_us = 0;
	ovs_list_remove(&c->dial);
	ovs_list_init(&c->dial);
	c->state = CONN_UP;
	c->since_us = c->heard_us = e->now_us;
	c->password = result.encrypted ? e->password_ids[result.slot] : 0;
	c->identity = result.peer;
	channel_init(&c->channel, &result);
	conn_derive(c, &result.s1, 0);
	ratchet_init(&c->ratchet, &result.s1);
	hs_result_wipe(&result);
	if (c->admitted) {
		/* Whoever it is, he guesses no passwords. */
		if (c->stranger) {
			admission_proved(&e->admission);
		}
		admission_end(&e->admission, &c->remote.ip, true, e->now_us);
		c->admitted = false;
	}
	why = pin_refuses(e, c, &err);
	if (why) {
		conn_end(e, c, err,
			 err == ERR_COPY ? REASON_COPY
					 : REASON_IDENTITY_CHANGED,
			 why);
		return false;
	}
	remember(e, &c->remote.ip);
	conn_wake(e, c, e->now_us + PING_IDLE_US);
	if (c->renews && !renewed(e, c)) {
		return false;
	}
	if (c->outbound && !c->target) {
		struct target *t = target_find(e, &c->remote);

		if (t && !t->conn) {
			t->conn = c;
			t->retry_us = UINT64_MAX;
			c->target = t;
		}
	}
	if (c->target) {
		c->target->peer = c->identity.id;
		c->target->spared = false;
		if (c->target->hinted && !c->target->saved) {
			c->target->saved = true;
			persist_save_soon(e);
		}
	}
	return peer_session(e, c);
}

/* False if the connection is gone. */
static bool handshake_bytes(struct engine *e, struct conn *c, bool gone)
{
	struct wbuf tx = WBUF_INITIALIZER(0);
	struct span in = wbuf_span(&c->rx);
	enum err err;

	if (gone) {
		handshake_nobody_reads(c->hs);
	}
	err = handshake_input(c->hs, &in, &tx, e->rng);
	wbuf_pull(&c->rx, c->rx.size - in.size);
	send_bytes(e, c, &tx);
	if (err) {
		handshake_failed(e, c, err);
		return false;
	}
	return handshake_done(c->hs) ? handshake_over(e, c) : true;
}

static void close_received(struct engine *e, struct conn *c,
			   const struct msg_close *m)
{
	enum reason reason = REASON_CONNECTION_LOST;

	if (m->reason == ERR_EXISTS) {
		reason = REASON_DUPLICATE;
	} else if (m->reason == ERR_REFUSED) {
		reason = REASON_STOPPED;
	} else if (m->reason == ERR_WRONG_PASSWORD) {
		reason = REASON_PASSWORD_REMOVED;
	} else if (m->reason == ERR_IDENTITY) {
		reason = REASON_IDENTITY_REFUSED;
	} else if (m->reason == ERR_COPY) {
		reason = REASON_COPY;
		pin_told_of_copy(e, c);
	} else if (m->reason == ERR_LIMIT) {
		reason = REASON_LIMIT;
		if (c->target) {
			limit_spared(e, c->target);
		}
	}
	ops_add(e->ops, OP_CLOSE)->conn = c->id;
	conn_ended(e, c, m->reason, reason, m->text);
}

/* False if the connection is gone. */
static bool message_received(struct engine *e, struct conn *c,
			     const struct message *m)
{
	uint32_t id = c->id;

	switch (m->type) {
	case MSG_PING: {
		struct message pong = {.type = MSG_PONG, .ping = m->ping};

		conn_send(e, c, &pong);
		return true;
	}
	case MSG_PONG:
		return true;
	case MSG_CLOSE:
		close_received(e, c, &m->close);
		return false;
	case MSG_RECORD:
	case MSG_UPDATE:
	case MSG_PEERS:
	case MSG_STATEMENT:
	case MSG_SUMMARY:
	case MSG_HAVE:
	case MSG_WANT:
	case MSG_LINKS:
	case MSG_SA_OFFER:
	case MSG_SA_ACTIVE:
	case MSG_SA_DELETE:
	case MSG_REKEY_REQUEST:
	case MSG_REKEY_RESPONSE:
	case MSG_REKEY_ASK:
	case MSG_REHANDSHAKE:
	case MSG_PLAIN:
	case MSG_SLEEVE:
	case MSG_PROBE_ACK:
	case MSG_PATH_ASK:
	case MSG_PATH_REPORT:
	case MSG_PATH_STATE:
	case MSG_PATH_CHECK:
	case MSG_PATH_CHECKED:
		peer_message(e, c, m);
		return conn_find(e, id) == c;
	}
	return true;
}

/* False if the connection is gone. */
static bool record_received(struct engine *e, struct conn *c,
			    struct span payload)
{
	for (;;) {
		struct message m;
		bool found, alive;
		enum err err = message_decode(&payload, &m, &found);

		if (err) {
			conn_end(e, c, err, REASON_CONNECTION_LOST,
				 err_text(err));
			return false;
		}
		if (!found) {
			return true;
		}
		alive = message_received(e, c, &m);
		message_free(&m);
		if (!alive) {
			return false;
		}
	}
}

static void record_bytes(struct engine *e, struct conn *c)
{
	struct wbuf payload = WBUF_INITIALIZER(0);

	for (;;) {
		struct span in = wbuf_span(&c->rx);
		bool complete;
		enum err err =
			channel_open(&c->channel, &in, &payload, &complete);

		if (err) {
			conn_end(e, c, err, REASON_CONNECTION_LOST,
				 err_text(err));
			break;
		}
		wbuf_pull(&c->rx, c->rx.size - in.size);
		if (!complete) {
			if (!c->rx.size) {
				/* It may be long until there is more. */
				wbuf_free(&c->rx);
			}
			break;
		}
		if (!record_received(e, c, wbuf_span(&payload))) {
			break;
		}
	}
	wbuf_free(&payload);
}

void conn_data(struct engine *e, uint32_t id, struct span bytes, bool gone)
{
	struct conn *c = conn_find(e, id);

	if (!c || c->state == CONN_DIALING) {
		return;
	}
	c->heard_us = e->now_us;
	if (c->silent) {
		c->silent = false;
		relay_touch(e);
	}
	if (c->ping_sent) {
		conn_wake(e, c, e->now_us + PING_IDLE_US);
	}
	c->ping_sent = false;
	c->patience_us = PING_TIMEOUT_US;
	wbuf_bytes(&c->rx, bytes.data, bytes.size);
	if (c->state == CONN_HANDSHAKE && !handshake_bytes(e, c, gone)) {
		return;
	}
	if (c->state == CONN_UP) {
		record_bytes(e, c);
	}
}

/* ---- Time ---- */

static void ping(struct engine *e, struct conn *c)
{
	struct message m = {.type = MSG_PING};

	m.ping.seq = ++c->ping_seq;
	c->ping_sent = true;
	conn_send(e, c, &m);
}

void conn_doubt(struct engine *e, struct conn *c)
{
	uint64_t patience_us = e->now_us - c->heard_us + PING_DOUBT_US;

	/* Doubted again, it does not get more time. */
	if (!c->ping_sent || patience_us < c->patience_us) {
		c->patience_us = patience_us;
		ping(e, c);
	}
	conn_wake(e, c, c->heard_us + c->patience_us);
}

/* Its address has been gone for a while: nothing can come back to it.  The
 * other side does not know that, and where we are now least of all. */
static void leave_home(struct engine *e, struct conn *c)
{
	const struct peer *p = c->peer;
	char detail[DETAIL_SIZE], address[IP_STRLEN];

	snprintf(detail, sizeof detail, "%s is no address of this host now",
		 ip_format(&c->local.ip, address));
	if (p && p->conn == c && !c->outbound) {
		discovery_dial_back(e, p);
	}
	if (c->target) {
		c->target->failures = 0; /* None of the other side's. */
	}
	conn_end(e, c, ERR_TIMEOUT, REASON_CONNECTION_LOST, detail);
}

static bool has_address(const struct ip_addr *v, size_t n,
			const struct ip_addr *ip)
{
	for (size_t i = 0; i < n; i++) {
		if (ip_equal(&v[i], ip)) {
			return true;
		}
	}
	return false;
}

void conn_addresses(struct engine *e, const struct event *event)
{
	const struct ip_addr *v = event->addresses.v;
	size_t n = event->addresses.n;
	struct conn *c;

	HMAP_FOR_EACH (c, node, &e->conns) {
		if (has_address(v, n, &c->local.ip)) {
			c->homeless_us = 0;
		} else if (has_address(e->addresses, e->n_addresses,
				       &c->local.ip)) {
			/* Not what never was there, such as one of a prefix
			 * that is local by its route. */
			c->homeless_us = e->now_us;
			conn_wake(e, c, e->now_us + HOMELESS_US);
		}
	}
	e->addresses = xrealloc(e->addresses, MAX(n, 1) * sizeof *v);
	if (n) {
		memcpy(e->addresses, v, n * sizeof *v);
	}
	e->n_addresses = n;
}

static void conn_timer(struct engine *e, struct conn *c)
{
	uint64_t silence = e->now_us - c->heard_us;

	if (c->greedy) {
		conn_end(e, c, ERR_LIMIT, REASON_CONNECTION_LOST,
			 "it asks for more than can be sent");
		return;
	}
	if (c->homeless_us && e->now_us >= c->homeless_us + HOMELESS_US) {
		leave_home(e, c);
		return;
	}
	if (c->homeless_us) {
		conn_wake(e, c, c->homeless_us + HOMELESS_US);
	}
	if (c->state != CONN_UP) {
		if (e->now_us < c->since_us + HANDSHAKE_TIMEOUT_US) {
			conn_wake(e, c, c->since_us + HANDSHAKE_TIMEOUT_US);
			return;
		}
		if (c->state == CONN_HANDSHAKE && !c->outbound) {
			struct wbuf hint = WBUF_INITIALIZER(0);

			handshake_hint(ERR_TIMEOUT, &hint);
			send_bytes(e, c, &hint);
		}
		conn_end(e, c, ERR_TIMEOUT,
			 c->state == CONN_DIALING ? REASON_DIAL_FAILED
						  : REASON_HANDSHAKE_FAILED,
			 err_text(ERR_TIMEOUT));
	} else if (silence >= c->patience_us) {
		conn_end(e, c, ERR_TIMEOUT, REASON_SILENT, "");
	} else if (!c->ping_sent && silence >= PING_IDLE_US) {
		ping(e, c);
		conn_wake(e, c, c->heard_us + MIN(c->patience_us, SILENT_US));
	} else if (!c->silent && silence >= SILENT_US) {
		c->silent = true;
		relay_touch(e);
		conn_wake(e, c, c->heard_us + c->patience_us);
	} else {
		conn_wake(e, c,
			  c->heard_us + (c->ping_sent ? c->patience_us
						      : PING_IDLE_US));
	}
}

void conn_timers(struct engine *e)
{
	struct timer *t;

	while ((t = timers_take(&e->conns_due, e->now_us))) {
		conn_timer(e, CONTAINER_OF(t, struct conn, timer));
	}
}

/* ---- Targets ---- */

struct target *target_find(const struct engine *e,
			   const struct ip_endpoint *remote)
{
	struct target *t;

	HMAP_FOR_EACH_WITH_HASH (t, by_ip, hash_ip(&remote->ip),
				 &e->targets_by_ip) {
		if (endpoint_equal(&t->remote, remote)) {
			return t;
		}
	}
	return NULL;
}

size_t target_count(const struct engine *e)
{
	return hmap_count(&e->targets_by_ip);
}

struct target *target_add(struct engine *e, const struct ip_endpoint *remote)
{
	struct target *t = target_find(e, remote);

	if (!t) {
		t = xzalloc(sizeof *t);
		t->remote = *remote;
		t->retry_us = UINT64_MAX;
		t->reason = REASON_CONNECTING;
		t->since_us = e->now_us;
		*e->targets_end = t;
		e->targets_end = &t->next;
		hmap_insert(&e->targets_by_ip, &t->by_ip, hash_ip(&remote->ip));
	}
	return t;
}

void target_free(struct target *t)
{
	history_free(&t->history);
	free(t);
}

void target_remove(struct engine *e, struct target *t)
{
	struct target **link = &e->targets;

	while (*link != t) {
		link = &(*link)->next;
	}
	*link = t->next;
	if (e->targets_end == &t->next) {
		e->targets_end = link;
	}
	hmap_remove(&e->targets_by_ip, &t->by_ip);
	timer_off(&e->targets_due, &t->timer);
	target_free(t);
}

void target_retry(struct engine *e, struct target *t, uint64_t delay_us)
{
	if (!t->conn && !t->muted) {
		t->retry_us = e->now_us + delay_us;
		target_wake(e, t, t->retry_us);
	}
}

struct conn *conn_dial(struct engine *e, const struct ip_endpoint *remote)
{
	struct op *op = ops_add(e->ops, OP_DIAL);
	struct conn *c = conn_new(e, e->next_conn, true, remote);

	e->next_conn += 2;
	op->conn = c->id;
	op->dial.remote = *remote;
	conn_wake(e, c, c->since_us + HANDSHAKE_TIMEOUT_US);
	return c;
}

static void target_dial(struct engine *e, struct target *t)
{
	t->conn = conn_dial(e, &t->remote);
	t->conn->target = t;
	t->retry_us = UINT64_MAX;
}

const struct peer *target_peer(const struct engine *e, const struct target *t)
{
	const struct peer *p = peer_find(e, &t->peer);
	const struct conn *c;

	if (p && p->conn) {
		return p;
	}
	HMAP_FOR_EACH_WITH_HASH (c, by_ip, hash_ip(&t->remote.ip),
				 &e->conns_by_ip) {
		if (c->peer && c->peer->conn == c &&
		    ip_equal(&c->remote.ip, &t->remote.ip)) {
			return c->peer;
		}
	}
	return NULL;
}

static void target_timer(struct engine *e, struct target *t)
{
	const struct peer *peer;

	if (t->conn || e->now_us < t->retry_us) {
		if (!t->conn) {
			target_wake(e, t, t->retry_us);
		}
		return;
	}
	peer = target_peer(e, t);
	if (peer) {
		/* It has dialled us: asked again when that ends. */
		t->peer = peer->id;
		t->retry_us = UINT64_MAX;
	} else if (limit_allows(e, t)) {
		target_dial(e, t);
	}
}

/* May one more be dialled now?  On a busy host, or to busy ones, handshakes
 * that all begin at once all take too long, and are given up when most of the
 * work is done: the others wait until some are over.  For hosts that do not
 * even take the connection not for long. */
static bool may_dial(struct engine *e)
{
	const struct conn *c;
	size_t n = 0;

	LIST_FOR_EACH (c, dial, &e->dials) {
		n += c->state == CONN_HANDSHAKE ||
		     e->now_us < c->since_us + DIAL_COUNTS_US;
	}
	if (n >= DIALS_MAX) {
		e->dial_us = e->now_us + DIAL_PAUSE_US;
	}
	return n < DIALS_MAX;
}

void target_timers(struct engine *e)
{
	struct timer *t;

	if (password_is_awaited(e) || e->now_us < e->dial_us) {
		return; /* They wake us. */
	}
	while (timers_next_us(&e->targets_due) <= e->now_us && may_dial(e)) {
		t = timers_take(&e->targets_due, e->now_us);
		target_timer(e, CONTAINER_OF(t, struct target, timer));
	}
}
