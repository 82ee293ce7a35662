/* Identity keys: who may be whom.
 *
 * Whoever has the password is let in, and says who he is.  The first host that
 * shows an identity key under some name and id has both from then on: the pin.
 * Another key for them, or none, is refused, and is an alarm: either the host
 * was installed anew, which an operator confirms by forgetting the pin, or
 * somebody who has the password pretends to be it.  Pins outlive the daemon
 * (persist.c) and there is a maximum of them; beyond that new hosts are let in
 * and not pinned, as to drop a pin would let an impostor in.
 *
 * Without a password nobody is who he says he is, and nothing is pinned.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"
#include "util.h"

static bool has_name_or_id(const struct pin *pin, const struct identity *id)
{
	return !strcmp(pin->name, id->name) || peer_id_equal(&pin->id, &id->id);
}

static bool has_key(const struct pin *pin, const struct identity *id)
{
	return id->has_key && sign_key_equal(&pin->key, &id->key);
}

const struct pin *pin_find(const struct engine *e, const struct peer_id *id)
{
	for (size_t i = 0; i < e->n_pins; i++) {
		if (peer_id_equal(&e->pins[i].id, id)) {
			return &e->pins[i];
		}
	}
	return NULL;
}

bool pin_is_new(const struct engine *e, const struct pin *pin)
{
	return pin->seen_us && e->now_us - pin->seen_us <= PIN_NEW_US;
}

bool pin_add(struct engine *e, const struct pin *pin)
{
	if (e->n_pins >= MAX_PINS) {
		return false;
	}
	if (e->n_pins == e->allocated_pins) {
		e->pins = x2nrealloc(e->pins, &e->allocated_pins,
				     sizeof *e->pins);
	}
	e->pins[e->n_pins++] = *pin;
	return true;
}

static void remove_pin(struct engine *e, size_t i)
{
	e->pins[i] = e->pins[--e->n_pins];
}

/* ---- Alarms ---- */

bool alarm_is_shown(const struct engine *e, const struct alarm *a)
{
	return a->n && e->now_us - a->when_us <= ALARM_SHOWN_US;
}

const struct alarm *alarm_from(const struct engine *e, const struct ip_addr *ip)
{
	for (size_t i = 0; i < MAX_ALARMS; i++) {
		if (alarm_is_shown(e, &e->alarms[i]) &&
		    ip_equal(&e->alarms[i].ip, ip)) {
			return &e->alarms[i];
		}
	}
	return NULL;
}

void alarm_text(const struct alarm *a, char *buf, size_t size)
{
	char ip[IP_STRLEN];

	ip_format(&a->ip, ip);
	if (a->kind == ALARM_COPY) {
		snprintf(buf, size,
			 "ALARM: %s: one of them is a copy of the other's disk "
			 "or image; on the copy stop fdpd, remove its state "
			 "directory (/var/lib/fdpd) and start it again under a "
			 "--name of its own",
			 a->detail);
		return;
	}
	if (a->kind == ALARM_OWN_NAME) {
		snprintf(
			buf, size,
			"ALARM: a host at %s has the name of this one, %s, and "
			"is refused: give one of them another --name",
			ip, a->name);
		return;
	}
	snprintf(
		buf, size,
		"ALARM: a host at %s, with the password, pretends to be %s and "
		"is refused: %s; if %s was installed anew, `fdpctl peers "
		"--forget-key %s`, if not, somebody else has the password",
		ip, a->name, a->detail, a->name, a->name);
}

/* The same alarm as before, or the place of the oldest. */
static struct alarm *alarm_slot(struct engine *e, const struct alarm *new)
{
	struct alarm *slot = &e->alarms[0];

	for (size_t i = 0; i < MAX_ALARMS; i++) {
		struct alarm *a = &e->alarms[i];

		if (alarm_is_shown(e, a) && ip_equal(&a->ip, &new->ip) &&
		    !strcmp(a->name, new->name) &&
		    !strcmp(a->detail, new->detail)) {
			return a;
		}
		if (a->when_us < slot->when_us) {
			slot = a;
		}
	}
	memset(slot, 0, sizeof *slot);
	return slot;
}

static const struct alarm *raise(struct engine *e, const struct alarm *new)
{
	struct alarm *slot = alarm_slot(e, new);
	unsigned int n = slot->n;

	*slot = *new;
	slot->n = n + 1;
	slot->when_us = e->now_us;
	if (!n) {
		char text[ALARM_TEXT_SIZE];

		alarm_text(slot, text, sizeof text);
		engine_log(e, OP_LOG_ERR, "%s", text);
	}
	return slot;
}

/* 'pin' is what 'c' is at odds with; NULL: our own name. */
static const struct alarm *raise_alarm(struct engine *e, const struct conn *c,
				       const struct pin *pin)
{
	const struct identity *id = &c->identity;
	struct alarm new = {.ip = c->remote.ip,
			    .kind = pin ? ALARM_KEY : ALARM_OWN_NAME};
	char known[SIGN_FINGERPRINT_STRLEN], shown[SIGN_FINGERPRINT_STRLEN];

	copy_text(new.name, sizeof new.name, pin ? pin->name : id->name);
	if (!pin) {
		snprintf(new.detail, sizeof new.detail,
			 "%s is the name of the host that is asked", id->name);
	} else {
		snprintf(new.detail, sizeof new.detail,
			 "%s is known by the identity key %s, not by %s",
			 pin->name, sign_fingerprint(&pin->key, known),
			 id->has_key ? sign_fingerprint(&id->key, shown)
				     : "none");
	}
	return raise(e, &new);
}

/* ---- Copies: one id, two hosts ---- */

static struct alarm copy_of(const struct conn *c, const char *name)
{
	struct alarm new = {.ip = c->remote.ip, .kind = ALARM_COPY};

	copy_text(new.name, sizeof new.name, name);
	return new;
}

const char *pin_copy(struct engine *e, const struct conn *c,
		     const struct peer *p)
{
	struct alarm new = copy_of(c, p->name);
	char here[IP_STRLEN], there[IP_STRLEN];

	snprintf(new.detail, sizeof new.detail,
		 "the host %s is there twice, at %s and at %s", p->name,
		 ip_format(&p->conn->remote.ip, here),
		 ip_format(&c->remote.ip, there));
	return raise(e, &new)->detail;
}

/* 'c' is connected, and has our own id. */
static const char *copy_of_us(struct engine *e, const struct conn *c)
{
	struct alarm new = copy_of(c, c->identity.name);
	char ip[IP_STRLEN];

	snprintf(new.detail, sizeof new.detail,
		 "the host at %s has the id of this one",
		 ip_format(&c->remote.ip, ip));
	return raise(e, &new)->detail;
}

void pin_told_of_copy(struct engine *e, const struct conn *c)
{
	struct alarm new = copy_of(c, c->identity.name);

	snprintf(new.detail, sizeof new.detail,
		 "%s knows another host with the id of this one",
		 c->identity.name);
	(void)raise(e, &new);
}

void pin_heard_copy(struct engine *e, const struct conn *c)
{
	struct alarm new = copy_of(c, c->identity.name);

	snprintf(new.detail, sizeof new.detail,
		 "another host speaks under the id of this one, as %s passes "
		 "on",
		 c->identity.name);
	(void)raise(e, &new);
}

/* ---- First use, and later ---- */

/* Whoever is connected under a name that has been pinned now to another host
 * came without a key, and is gone with it. */
static void end_namesakes(struct engine *e, const struct pin *pin)
{
	struct peer *p, *next;

	HMAP_FOR_EACH_SAFE (p, next, node, &e->peers) {
		if (p->conn && !strcmp(p->name, pin->name) &&
		    !peer_id_equal(&p->id, &pin->id)) {
			const struct alarm *a = raise_alarm(e, p->conn, pin);

			conn_end(e, p->conn, ERR_IDENTITY,
				 REASON_IDENTITY_CHANGED, a->detail);
		}
	}
}

/* 'c' shows a key that nothing speaks against: remembers it. */
static void learn(struct engine *e, const struct conn *c)
{
	const struct identity *id = &c->identity;
	struct pin pin = {.id = id->id, .key = id->key, .seen_us = e->now_us};
	size_t n_same = 0;

	gossip_key_known(e, &id->id, &id->key);
	copy_text(pin.name, sizeof pin.name, id->name);
	/* One at most for the name and one for the id, of the same key; one
	 * takes the place of both if the host has another name or id now. */
	for (size_t i = e->n_pins; i-- > 0;) {
		const struct pin *old = &e->pins[i];

		if (!has_name_or_id(old, id)) {
			continue;
		}
		pin.seen_us = MIN(pin.seen_us, old->seen_us);
		n_same += !strcmp(old->name, pin.name) &&
			  peer_id_equal(&old->id, &pin.id);
		remove_pin(e, i);
	}
	if (!pin_add(e, &pin)) {
		engine_log(e, OP_LOG_WARN,
			   "there are %u identity keys already: that of %s is "
			   "not remembered; `fdpctl peers --forget-key NAME` "
			   "makes room",
			   MAX_PINS, pin.name);
		return;
	}
	if (!n_same) {
		persist_save_soon(e);
		end_namesakes(e, &pin);
	}
}

const char *pin_refuses(struct engine *e, const struct conn *c, enum err *err)
{
	const struct identity *id = &c->identity;

	*err = ERR_COPY;
	if (peer_id_equal(&id->id, &e->config.id)) {
		return copy_of_us(e, c);
	}
	*err = ERR_IDENTITY;
	if (!engine_encrypts(e)) {
		return NULL;
	}
	if (!strcmp(id->name, e->config.name)) {
		return raise_alarm(e, c, NULL)->detail;
	}
	for (size_t i = 0; i < e->n_pins; i++) {
		const struct pin *pin = &e->pins[i];

		if (has_name_or_id(pin, id) && !has_key(pin, id)) {
			return raise_alarm(e, c, pin)->detail;
		}
	}
	if (id->has_key) {
		learn(e, c);
	}
	return NULL;
}

unsigned int pin_forget(struct engine *e, const char *name)
{
	char id[PEER_ID_STRLEN];
	unsigned int n = 0;

	for (size_t i = e->n_pins; i-- > 0;) {
		const struct pin *pin = &e->pins[i];

		if (strcmp(pin->name, name) &&
		    strcmp(peer_id_format(&pin->id, id), name)) {
			continue;
		}
		for (size_t j = 0; j < MAX_ALARMS; j++) {
			if (!strcmp(e->alarms[j].name, pin->name)) {
				memset(&e->alarms[j], 0, sizeof e->alarms[j]);
			}
		}
		remove_pin(e, i);
		n++;
	}
	if (n) {
		persist_save(e);
	}
	for (struct target *t = e->targets; n && t; t = t->next) {
		if (t->reason == REASON_IDENTITY_CHANGED) {
			t->failures = 0;
			target_retry(e, t, 0);
		}
	}
	return n;
}
