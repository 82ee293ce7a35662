/* The passwords, and sessions that are made anew when theirs changes.
 *
 * To stretch a password takes a while, for which a start does not wait: what
 * the kernel and the disk know is served at once, and sessions begin when the
 * passwords come.
 *
 * A session knows by which password it was authenticated: not by its place in
 * the file, which changes, but by a number that each secret gets when it first
 * appears.  When passwords change while the daemon runs, sessions stay.  One
 * whose password is gone is replaced: its initiator connects a second time, the
 * new session takes over peer, flows and SAs as any new session does, and only
 * then the old one is closed.  A responder cannot do that and asks for it.  If
 * nothing comes of it in time the session ends, and the tunnel with it: a
 * password is removed because somebody may know it.
 *
 * A session that uses the second password moves to the first one in the same
 * way if the other side knows that; if not, it stays as it is.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"
#include "mesh/backoff.h"
#include "openvswitch/json.h"
#include "util.h"

enum {
	RENEW_US = 60 * 1000 * 1000, /* For a new session. */
	/* Dials are spread over this time per peer, as others may be asked at
	 * the same moment to dial the same host. */
	RENEW_SPREAD_US = 10 * 1000
};

void password_init(struct engine *e)
{
	for (size_t i = 0; i < e->config.n_slots; i++) {
		e->password_ids[i] = ++e->last_password_id;
	}
}

bool password_is_awaited(const struct engine *e)
{
	return e->config.encrypt && !e->config.n_slots;
}

int password_slot(const struct engine *e, const struct conn *c)
{
	for (size_t i = 0; i < e->config.n_slots; i++) {
		if (e->password_ids[i] == c->password) {
			return (int)i;
		}
	}
	return -1;
}

/* ---- Renewal of one session ---- */

void renewal_cancel(struct peer *p)
{
	if (p->renewal.conn) {
		/* It goes on as an ordinary one. */
		p->renewal.conn->renews = NULL;
	}
	memset(&p->renewal, 0, sizeof p->renewal);
}

static bool may_dial(const struct peer *p)
{
	return p->conn->role == HS_INITIATOR;
}

/* 'needed': because one side accepts the password no more; 'known_bad': our
 * first one, as the other side has refused it. */
static void renew(struct engine *e, struct peer *p, bool needed, bool known_bad)
{
	struct renewal *r = &p->renewal;
	const int slot = password_slot(e, p->conn);
	uint64_t spread_us = RENEW_SPREAD_US * (hmap_count(&e->peers) + 1);

	if (!r->ends) {
		r->deadline_us = e->now_us + RENEW_US;
		r->ends = slot < 0;
	}
	r->wanted = true;
	r->needed = needed;
	r->failures = 0;
	r->dial_slot = known_bad && e->config.n_slots > 1;
	r->retry_us = UINT64_MAX;
	if (may_dial(p) && !r->conn && r->dial_slot == known_bad) {
		r->retry_us = e->now_us + rng_range(e->rng, spread_us);
		peer_wake(e, p, r->retry_us);
	}
	peer_wake(e, p, r->deadline_us);
}

static void dial(struct engine *e, struct peer *p)
{
	struct conn *c = conn_dial(e, &p->conn->remote);

	c->renews = p;
	p->renewal.conn = c;
	p->renewal.retry_us = UINT64_MAX;
}

void renewal_failed(struct engine *e, struct peer *p, enum err err)
{
	struct renewal *r = &p->renewal;
	bool wrong = err == ERR_WRONG_PASSWORD;

	if (wrong && !r->needed) {
		engine_log(e, OP_LOG_INFO,
			   "%s does not know the first password; its session "
			   "goes on with the second",
			   p->name);
		renewal_cancel(p);
		return;
	}
	if (wrong && r->dial_slot + 1 < e->config.n_slots && !r->failures) {
		/* It may know the other one: tried at once. */
		r->retry_us = e->now_us;
	} else {
		r->retry_us = e->now_us + backoff_us(r->failures + 1, e->rng);
	}
	if (wrong && e->config.n_slots > 1) {
		r->dial_slot = !r->dial_slot;
	}
	r->failures++;
	peer_wake(e, p, r->retry_us);
}

/* Nothing came of it. */
static void give_up(struct engine *e, struct peer *p)
{
	struct conn *c = p->conn;

	renewal_cancel(p);
	if (password_slot(e, c) < 0) {
		conn_end(e, c, ERR_WRONG_PASSWORD, REASON_PASSWORD_REMOVED,
			 reason_text(REASON_PASSWORD_REMOVED));
		/* No grace: whoever it is, he is not known any more. */
		peer_remove(e, p);
	}
}

void password_timer(struct engine *e, struct peer *p)
{
	const struct renewal *r = &p->renewal;

	if (!r->wanted) {
		return;
	}
	if (e->now_us >= r->deadline_us) {
		give_up(e, p);
		return;
	}
	if (e->now_us >= r->retry_us) {
		dial(e, p);
	}
	peer_wake(e, p, MIN(r->deadline_us, r->retry_us));
}

void password_rehandshake(struct engine *e, struct peer *p,
			  const struct msg_rehandshake *m)
{
	int slot = password_slot(e, p->conn);

	if (!may_dial(p)) {
		return;
	}
	if (m->refused) {
		/* Who says so again has changed its passwords since: ours may
		 * be back. */
		renew(e, p, true, slot == 0 && !p->renewal.needed);
	} else if (slot != 0) {
		renew(e, p, p->renewal.needed, false);
	} else {
		renewal_cancel(p);
	}
	if (m->refused && slot == 0 && e->config.n_slots == 1) {
		engine_log(e, OP_LOG_WARN,
			   "%s accepts our password no more and will end the "
			   "connection in %d s; put the new one into the "
			   "password file here as well, then `fdpctl reload`",
			   p->name, RENEW_US / 1000000);
	}
}

/* ---- Other passwords ---- */

/* Handshakes borrow the slots: they begin anew. */
static void break_off_handshakes(struct engine *e)
{
	struct conn *c, *next;

	HMAP_FOR_EACH_SAFE (c, next, node, &e->conns) {
		struct target *t = c->target;

		if (c->state != CONN_HANDSHAKE) {
			continue;
		}
		ops_add(e->ops, OP_CLOSE)->conn = c->id;
		conn_free(e, c);
		if (t) {
			target_retry(e, t, 0);
		}
	}
}

/* What those passwords mean for the targets that could not be reached. */
static void retry_targets(struct engine *e)
{
	for (struct target *t = e->targets; t; t = t->next) {
		t->dial_slot = 0;
		if (!t->conn && t->refused && t->reason != REASON_SELF) {
			t->failures = 0;
			target_retry(e, t, 0);
		}
	}
}

/* Decides about one session; true if its password is gone. */
static bool review(struct engine *e, struct peer *p)
{
	struct message m = {.type = MSG_REHANDSHAKE};
	int slot = password_slot(e, p->conn);

	if (may_dial(p) && (slot < 0 || p->renewal.needed)) {
		renew(e, p, true, slot == 0);
	} else if (may_dial(p) && slot > 0) {
		renew(e, p, false, false);
	} else if (may_dial(p)) {
		renewal_cancel(p);
	} else {
		m.rehandshake.refused = slot < 0;
		conn_send(e, p->conn, &m);
		if (slot < 0) {
			renew(e, p, true, false);
		} else {
			renewal_cancel(p);
		}
	}
	return slot < 0;
}

/* Takes them over; false if they are the same as before. */
static bool replace(struct engine *e, const struct hs_slot *slots, size_t n)
{
	uint32_t ids[HANDSHAKE_SLOTS_MAX] = {0};
	bool changed = n != e->config.n_slots;

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < e->config.n_slots; j++) {
			const struct hs_slot *old = &e->config.slots[j];

			if (secret_equal(&slots[i].prs, &old->prs) &&
			    secret_equal(&slots[i].psk, &old->psk)) {
				ids[i] = e->password_ids[j];
			}
		}
		if (!ids[i]) {
			ids[i] = ++e->last_password_id;
		}
		changed |= ids[i] != e->password_ids[i];
	}
	if (changed) {
		break_off_handshakes(e);
		secret_wipe_bytes(e->config.slots, sizeof e->config.slots);
		memcpy(e->config.slots, slots, n * sizeof *slots);
		memcpy(e->password_ids, ids, sizeof ids);
		e->config.n_slots = n;
	}
	return changed;
}

void password_event(struct engine *e, const struct event *event)
{
	const size_t n = event->passwords.n;
	const uint32_t command = event->passwords.command;
	const bool first = password_is_awaited(e);
	struct json *json, *list;
	struct peer *p;
	bool changed;

	if (!engine_encrypts(e) || !n || n > HANDSHAKE_SLOTS_MAX) {
		command_refuse(e, command,
			       "encryption is switched on and off by a start "
			       "only: `fdpctl reset`, then start fdpd again");
		return;
	}
	changed = replace(e, event->passwords.slots, n);
	list = json_array_create_empty();
	HMAP_FOR_EACH (p, node, &e->peers) {
		if (changed && p->conn && review(e, p)) {
			json_array_add(list, json_string_create(p->name));
		}
	}
	if (first && e->phase == PHASE_RUNNING) {
		/* Targets that are due, and interfaces. */
		e->ready_us = e->now_us;
		ports_update_mtu(e);
		engine_wake(e, e->now_us);
	} else if (!first && changed) {
		retry_targets(e);
		engine_log(e, OP_LOG_INFO,
			   "the passwords have changed: %zu accepted, %zu "
			   "connections need a new one",
			   n, json_array(list)->n);
	} else if (!first) {
		engine_log(e, OP_LOG_INFO, "the passwords are the same");
	}
	json = json_object_create();
	json_object_put(json, "accepted", json_integer_create((long long)n));
	json_object_put(json, "changed", json_boolean_create(changed));
	json_object_put(json, "renewing", list);
	command_reply(e, command, json);
}
