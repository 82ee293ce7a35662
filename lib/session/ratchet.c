#include "session/ratchet.h"

#include <string.h>

#include <sodium.h>

#include "crypto/kdf.h"
#include "session/keys.h"

enum {
	/* epoch, two public keys */
	TRANSCRIPT_BYTES = 4 + 2 * REKEY_KEY_BYTES
};

void ratchet_init(struct ratchet *r, const struct secret *s1)
{
	memset(r, 0, sizeof *r);
	session_export(s1, KEY_LABEL_CHAIN, &r->chain);
}

void ratchet_wipe(struct ratchet *r)
{
	secret_wipe_bytes(r, sizeof *r);
}

static void draw(const struct rng *rng, struct secret *e, uint8_t *public)
{
	rng_fill(rng, e->b, sizeof e->b);
	/* Fails for no secret: the base point is of full order. */
	(void)crypto_scalarmult_base(public, e->b);
}

/* S1' = Label(Extract(chain, dh), "fdp1 rekey", epoch || E_i || E_r), and the
 * chain goes on from there. */
static enum err step(struct ratchet *r, const struct secret *e,
		     const uint8_t *theirs, uint32_t epoch, const uint8_t *e_i,
		     const uint8_t *e_r, struct secret *s1)
{
	struct wbuf transcript = WBUF_INITIALIZER(TRANSCRIPT_BYTES);
	struct secret dh, prk;

	if (crypto_scalarmult(dh.b, e->b, theirs)) {
		return ERR_BAD_POINT;
	}
	wbuf_u32(&transcript, epoch);
	wbuf_bytes(&transcript, e_i, REKEY_KEY_BYTES);
	wbuf_bytes(&transcript, e_r, REKEY_KEY_BYTES);
	kdf_extract(span_of(r->chain.b, sizeof r->chain.b),
		    span_of(dh.b, sizeof dh.b), &prk);
	kdf_label(&prk, "fdp1 rekey", wbuf_span(&transcript), s1);
	session_export(s1, KEY_LABEL_CHAIN, &r->chain);
	r->epoch = epoch;
	secret_wipe(&dh);
	secret_wipe(&prk);
	wbuf_free(&transcript);
	return FDP_OK;
}

void ratchet_request(struct ratchet *r, const struct rng *rng,
		     struct msg_rekey *request)
{
	r->request.epoch = r->epoch + 1;
	draw(rng, &r->e_secret, r->request.key);
	r->pending = true;
	*request = r->request;
}

enum err ratchet_respond(struct ratchet *r, const struct msg_rekey *request,
			 const struct rng *rng, struct msg_rekey *response,
			 struct secret *s1)
{
	struct msg_rekey answer = {.epoch = request->epoch};
	struct secret e;
	enum err err;

	if (request->epoch != r->epoch + 1) {
		return ERR_SEQUENCE;
	}
	draw(rng, &e, answer.key);
	err = step(r, &e, request->key, request->epoch, request->key,
		   answer.key, s1);
	secret_wipe(&e);
	if (!err) {
		*response = answer;
	}
	return err;
}

enum err ratchet_finish(struct ratchet *r, const struct msg_rekey *response,
			struct secret *s1)
{
	enum err err;

	if (!r->pending) {
		return ERR_STATE;
	}
	if (response->epoch != r->request.epoch) {
		return ERR_SEQUENCE;
	}
	err = step(r, &r->e_secret, response->key, response->epoch,
		   r->request.key, response->key, s1);
	if (!err) {
		r->pending = false;
		secret_wipe(&r->e_secret);
	}
	return err;
}
