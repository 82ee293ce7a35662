/* A peer of straw: one side of a connection, done by hand, against a whole
 * engine.  It knows the password and may say whatever it likes.  The engine's
 * kernel always succeeds. */
#ifndef FDP_TESTS_UNIT_STRAW_H
#define FDP_TESTS_UNIT_STRAW_H 1

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "session/channel.h"
#include "session/handshake.h"
#include "session/message.h"
#include "session/ratchet.h"
#include "vectors.h"

#define UNUSED __attribute__((unused))

enum {
	STRAW_MAX_MESSAGES = 256
};

/* Everything around one engine. */
static struct {
	struct engine *engine;
	uint64_t now_us;
	struct hs_slot slot;
	struct ops all;	  /* Every op so far, for looking at. */
	size_t next;	  /* Up to where they were answered. */
	size_t n_sa_adds; /* Counted from straw_start() on. */
	size_t n_errors;  /* Lines of the log of that level. */
	uint64_t n_random;
	uint32_t n_conns;
} straw;

/* SAs that the next engine to be started wants from a peer. */
static unsigned int straw_sas_per_peer = 1;

/* What a peer can besides, in the next connection. */
static uint32_t straw_capabilities;
/* There is a sleeve, on both sides, in the next engine and connection; and
 * there is nothing else. */
static bool straw_sleeve, straw_user;

/* The connection and its far end. */
struct far {
	uint32_t conn;
	struct ip_endpoint local, remote; /* As the engine sees them. */
	struct peer_id id;
	struct handshake hs;
	struct channel channel;
	struct secret s1;
	bool up, closed;
	bool deaf; /* Only looks whether it is closed. */
	bool gone; /* Has closed behind what it says. */
	struct wbuf rx;
	size_t next_op; /* Up to where the engine's ops were read. */
	struct message got[STRAW_MAX_MESSAGES];
	size_t n_got;
};

/* Never the same twice: a counter, hashed. */
static void straw_random(void *aux UNUSED, void *buf, size_t size)
{
	uint8_t block[64];

	for (size_t done = 0; done < size; done += sizeof block) {
		straw.n_random++;
		crypto_generichash(block, sizeof block,
				   (const uint8_t *)&straw.n_random,
				   sizeof straw.n_random, NULL, 0);
		memcpy((uint8_t *)buf + done, block,
		       size - done < sizeof block ? size - done : sizeof block);
	}
}

static const struct rng straw_rng = {straw_random, NULL};

static struct ip_addr straw_ip(const char *text)
{
	struct ip_addr ip;

	ck_assert_int_eq(ip_addr_parse(text, &ip), FDP_OK);
	return ip;
}

static void straw_step(const struct event *event);

/* Answers what wants an answer, with success. */
static void straw_answer(void)
{
	while (straw.next < straw.all.n) {
		const struct op *op = &straw.all.v[straw.next++];
		struct event event = {.type = EVENT_RESULT};

		straw.n_sa_adds += op->type == OP_SA_ADD;
		straw.n_errors += op->type == OP_LOG && op->level == OP_LOG_ERR;
		if (!op->cookie) {
			continue;
		}
		if (op->type == OP_ROUTE_GET) {
			event.type = EVENT_ROUTE;
			event.route.cookie = op->cookie;
			event.route.dst = op->route.dst;
			event.route.mtu = event.route.limit = 1500;
		} else {
			event.result.cookie = op->cookie;
			event.result.op = op->type;
			event.result.detail = "";
			event.result.port_no = op->type != OP_VPORT_ADD ? 0
					       : op->vport.port_no == UINT32_MAX
						       ? 1
						       : op->vport.port_no;
		}
		straw_step(&event);
	}
}

static void straw_step(const struct event *event)
{
	engine_step(straw.engine, event, straw.now_us, &straw_rng, &straw.all);
	straw_answer();
}

/* Time passes, timers fire. */
static UNUSED void straw_wait(uint64_t duration_us)
{
	uint64_t end_us = straw.now_us + duration_us;

	while (engine_deadline(straw.engine) <= end_us) {
		struct event event = {.type = EVENT_TIMER};
		uint64_t due_us = engine_deadline(straw.engine);

		straw.now_us = due_us > straw.now_us ? due_us : straw.now_us;
		straw_step(&event);
	}
	straw.now_us = end_us;
}

/* Starts with the content of a state file, or NULL. */
static UNUSED void straw_start_with(bool encrypt, const char *state)
{
	const struct kernel_snapshot nothing = {
		.no_fastdp = straw_user ? REASON_NO_DATAPATH : REASON_NONE,
		.sleeve = {
			.there = straw_sleeve, .aes_gcm = true, .port = 6783}};
	struct event event = {.type = EVENT_START};
	struct engine_config config;

	ck_assert_int_ge(sodium_init(), 0);
	memset(&straw, 0, sizeof straw);
	ops_init(&straw.all);
	straw.now_us = 1000 * 1000 * 1000;
	memset(straw.slot.prs.b, 1, sizeof straw.slot.prs.b);
	memset(straw.slot.psk.b, 2, sizeof straw.slot.psk.b);
	memset(&config, 0, sizeof config);
	strcpy(config.name, "engine");
	config.id.b[0] = 0x80;
	config.incarnation = 1;
	config.version = "test";
	config.slots[0] = straw.slot;
	config.n_slots = encrypt;
	config.port = 6783;
	config.vxlan_port = 6784;
	config.sas_per_peer = straw_sas_per_peer;
	config.state = state;
	strcpy(config.datapath, "fdp");
	straw.engine = engine_new(&config);
	event.start.snapshot = &nothing;
	straw_step(&event);
	ck_assert(engine_is_running(straw.engine));
}

static UNUSED void straw_start(bool encrypt)
{
	straw_start_with(encrypt, NULL);
}

static void straw_stop(void)
{
	engine_free(straw.engine);
	ops_free(&straw.all);
}

static UNUSED void straw_setup(void)
{
	straw_start(true);
}

/* ---- The far end ---- */

static void far_read(struct far *f);

static void far_bytes(struct far *f, struct span bytes)
{
	struct event event = {
		.type = EVENT_DATA, .conn = f->conn, .gone = f->gone};

	if (bytes.size) {
		event.bytes = bytes;
		straw_step(&event);
	}
	far_read(f);
}

static void far_over(struct far *f)
{
	struct hs_result result;

	handshake_take(&f->hs, &result);
	channel_init(&f->channel, &result);
	f->s1 = result.s1;
	f->up = true;
}

/* Reads what the engine has sent and not yet been read. */
static void far_read(struct far *f)
{
	struct wbuf tx = WBUF_INITIALIZER(0), payload = WBUF_INITIALIZER(0);
	struct span in;

	for (; f->next_op < straw.all.n; f->next_op++) {
		const struct op *op = &straw.all.v[f->next_op];

		if (op->conn != f->conn) {
			continue;
		}
		if (op->type == OP_SEND) {
			wbuf_bytes(&f->rx, op->bytes.data, op->bytes.size);
		}
		f->closed |= op->type == OP_CLOSE;
	}
	if (f->deaf) {
		return;
	}
	in = wbuf_span(&f->rx);
	if (!f->up) {
		ck_assert_int_eq(handshake_input(&f->hs, &in, &tx, &straw_rng),
				 FDP_OK);
		if (handshake_done(&f->hs)) {
			far_over(f);
		}
	}
	while (f->up) {
		bool complete, found;

		ck_assert_int_eq(
			channel_open(&f->channel, &in, &payload, &complete),
			FDP_OK);
		if (!complete) {
			break;
		}
		for (struct span rest = wbuf_span(&payload);;) {
			struct message m, *place;

			ck_assert_int_eq(message_decode(&rest, &m, &found),
					 FDP_OK);
			if (!found) {
				break;
			}
			place = &f->got[f->n_got % STRAW_MAX_MESSAGES];
			if (f->n_got++ >= STRAW_MAX_MESSAGES) {
				message_free(place);
			}
			*place = m;
		}
	}
	wbuf_pull(&f->rx, f->rx.size - in.size);
	wbuf_free(&payload);
	if (tx.size) {
		far_bytes(f, wbuf_span(&tx));
	}
	wbuf_free(&tx);
}

/* Somebody at 'ip' connects; nothing is said yet. */
static void far_accept(struct far *f, const char *ip)
{
	struct event event = {.type = EVENT_ACCEPTED};

	memset(f, 0, sizeof *f);
	wbuf_init(&f->rx, 0);
	f->deaf = true; /* Until it begins a handshake. */
	f->conn = 2 * ++straw.n_conns;
	f->next_op = straw.all.n;
	f->local.ip = straw_ip("192.0.2.1");
	f->local.port = 6783;
	f->remote.ip = straw_ip(ip);
	f->remote.port = 40000;
	event.conn = f->conn;
	event.accepted.local = f->local;
	event.accepted.remote = f->remote;
	straw_step(&event);
	far_read(f);
}

/* Connects and authenticates as peer number 'n'. */
static UNUSED void far_connect(struct far *f, const char *ip, uint8_t n,
			       bool encrypt)
{
	struct wbuf tx = WBUF_INITIALIZER(0);
	struct identity self = {.name = "straw",
				.id = {{n}},
				.incarnation = 5,
				.capabilities =
					CAPABILITY_FASTDP | straw_capabilities |
					(straw_sleeve ? CAPABILITY_SLEEVE : 0),
				.vxlan_port = 6784};
	struct hs_config config = {
		.slots = &straw.slot, .n_slots = encrypt, .self = &self};

	far_accept(f, ip);
	ck_assert(!f->closed);
	f->id = self.id;
	f->deaf = false;
	handshake_init(&f->hs, HS_INITIATOR, &config);
	handshake_start(&f->hs, &tx, &straw_rng);
	far_bytes(f, wbuf_span(&tx));
	wbuf_free(&tx);
	far_read(f);
	ck_assert(f->up);
}

static UNUSED void far_send(struct far *f, const struct message *m)
{
	struct wbuf payload = WBUF_INITIALIZER(CHANNEL_PAYLOAD_MAX);
	struct wbuf tx = WBUF_INITIALIZER(0);

	ck_assert_int_eq(message_encode(m, &payload), FDP_OK);
	ck_assert_int_eq(channel_seal(&f->channel, wbuf_span(&payload), &tx),
			 FDP_OK);
	far_bytes(f, wbuf_span(&tx));
	wbuf_free(&payload);
	wbuf_free(&tx);
}

/* A record with any bytes in it. */
static UNUSED void far_send_raw(struct far *f, struct span payload)
{
	struct wbuf tx = WBUF_INITIALIZER(0);

	ck_assert_int_eq(channel_seal(&f->channel, payload, &tx), FDP_OK);
	far_bytes(f, wbuf_span(&tx));
	wbuf_free(&tx);
}

/* The last message of that type that came; NULL if there was none. */
static UNUSED const struct message *far_got(const struct far *f,
					    enum msg_type type)
{
	for (size_t i = f->n_got; i > 0; i--) {
		const struct message *m = &f->got[(i - 1) % STRAW_MAX_MESSAGES];

		if (m->type == type) {
			return m;
		}
	}
	return NULL;
}

static UNUSED void far_free(struct far *f)
{
	for (size_t i = 0; i < f->n_got && i < STRAW_MAX_MESSAGES; i++) {
		message_free(&f->got[i]);
	}
	wbuf_free(&f->rx);
}

/* What the engine replies to a command, for the caller to destroy. */
static UNUSED struct json *straw_ask(const char *command)
{
	struct event event = {.type = EVENT_COMMAND};
	size_t first = straw.all.n;

	event.command.id = 1;
	event.command.name = command;
	straw_step(&event);
	ck_assert_int_eq(straw.all.v[first].type, OP_REPLY);
	return json_from_string(straw.all.v[first].text);
}

/* The first row of `status connections`: its reason or slug. */
static UNUSED void straw_demand_row(const char *state, const char *reason)
{
	struct json *json = straw_ask("connections");
	const struct json *row;

	row = vector_at(vector_member(json, "connections"), 0);
	ck_assert_str_eq(vector_string(row, "state"), state);
	ck_assert_str_eq(vector_string(row, "reason"), reason);
	json_destroy(json);
}

#endif
