#include "session/handshake.h"

#include <string.h>

#include <sodium.h>

#include "crypto/aead.h"
#include "crypto/cpace.h"
#include "crypto/kdf.h"
#include "session/keys.h"
#include "session/tlv.h"
#include "util.h"

enum {
	MAGIC_BYTES = 4,
	VERSION = 1, /* The only one there is. */
	SUITE = 1,   /* CPace-ristretto255, X25519, SHA-256, XSalsa20. */
	HASH_BYTES = KDF_HASH_BYTES,
	/* M2 up to its list of shares, which is CPace's associated data. */
	M2_HEAD_BYTES =
		MAGIC_BYTES + 5 + HANDSHAKE_NONCE_BYTES + HANDSHAKE_POINT_BYTES
};

enum frame_type {
	FRAME_M1 = 1,
	FRAME_M2 = 2,
	FRAME_M3 = 3,
	FRAME_M4 = 4
};

static const char magic_crypted[] = "FDP1";
static const char magic_plain[] = "FDP0";
static const char magic_hint[] = "FDP!";

_Static_assert((int)HANDSHAKE_POINT_BYTES == (int)CPACE_SHARE_BYTES, "a share");
_Static_assert(HANDSHAKE_POINT_BYTES == crypto_scalarmult_BYTES, "X25519");
_Static_assert(MAGIC_BYTES + 4 + HANDSHAKE_NONCE_BYTES + IDENTITY_MAX_BYTES <=
		       HANDSHAKE_FRAME_MAX,
	       "an identity fits into a plain M1");
_Static_assert((int)HASH_BYTES == (int)IDENTITY_HASH_BYTES, "a transcript");
_Static_assert(2 + HASH_BYTES + IDENTITY_MAX_BYTES + AEAD_TAG_BYTES <=
		       HANDSHAKE_FRAME_MAX,
	       "an identity fits into M4");

/* Hints: the code on the wire, what we found, what the reader shall log. */
static const struct {
	uint8_t code;
	enum err ours, theirs;
} hints[] = {
	{1, ERR_VERSION, ERR_VERSION},
	{2, ERR_SUITE, ERR_SUITE},
	{3, ERR_PLAIN_PEER, ERR_CRYPTED_PEER},
	{4, ERR_CRYPTED_PEER, ERR_PLAIN_PEER},
	{5, ERR_WRONG_PASSWORD, ERR_WRONG_PASSWORD},
	{6, ERR_SELF, ERR_SELF},
	{7, ERR_LIMIT, ERR_LIMIT},
	{8, ERR_TIMEOUT, ERR_TIMEOUT},
};

static bool is_crypted(const struct handshake *hs)
{
	return hs->n_slots > 0;
}

static uint8_t *nonce_of(struct handshake *hs, enum hs_role role)
{
	return hs->sid + (role == HS_INITIATOR ? 0 : HANDSHAKE_NONCE_BYTES);
}

static struct span sid_of(const struct handshake *hs)
{
	return span_of(hs->sid, sizeof hs->sid);
}

static struct span frame_span(const struct hs_frame *f)
{
	return span_of(f->b, f->size);
}

static void frame_set(struct hs_frame *f, struct span body)
{
	ovs_assert(body.size <= sizeof f->b);
	if (body.size) {
		ovs_assert(body.data);
		memcpy(f->b, body.data, body.size);
	}
	f->size = (uint16_t)body.size;
}

static void put_frame(struct wbuf *tx, struct span body)
{
	ovs_assert(body.data || !body.size);
	ovs_assert(body.size <= HANDSHAKE_FRAME_MAX);
	wbuf_u16(tx, (uint16_t)body.size);
	wbuf_bytes(tx, body.data, body.size);
}

void handshake_hint(enum err err, struct wbuf *tx)
{
	for (size_t i = 0; i < ARRAY_SIZE(hints); i++) {
		if (hints[i].ours == err) {
			wbuf_u16(tx, MAGIC_BYTES + 1);
			wbuf_bytes(tx, magic_hint, MAGIC_BYTES);
			wbuf_u8(tx, hints[i].code);
		}
	}
}

/* Is 'body' a hint?  Then '*err' is what it says. */
static bool read_hint(struct span body, enum err *err)
{
	char magic[MAGIC_BYTES];
	uint8_t code;

	if (span_bytes(&body, magic, sizeof magic) ||
	    memcmp(magic, magic_hint, sizeof magic) || span_u8(&body, &code) ||
	    body.size) {
		return false;
	}
	*err = ERR_REFUSED;
	for (size_t i = 0; i < ARRAY_SIZE(hints); i++) {
		if (hints[i].code == code) {
			*err = hints[i].theirs;
		}
	}
	return true;
}

/* Hashing of transcripts. */

static void hash_begin(crypto_hash_sha256_state *st, const char *label)
{
	crypto_hash_sha256_init(st);
	crypto_hash_sha256_update(st, (const uint8_t *)label, strlen(label));
}

static void hash_bytes(crypto_hash_sha256_state *st, const void *p, size_t size)
{
	if (size) {
		crypto_hash_sha256_update(st, p, size);
	}
}

static void hash_length(crypto_hash_sha256_state *st, size_t size)
{
	const uint8_t be[4] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16),
			       (uint8_t)(size >> 8), (uint8_t)size};

	hash_bytes(st, be, sizeof be);
}

/* lv() of the specification: length in four bytes, then the bytes. */
static void hash_lv(crypto_hash_sha256_state *st, struct span s)
{
	hash_length(st, s.size);
	hash_bytes(st, s.data, s.size);
}

/* th3, over everything that was said before the first proof. */
static void hash_th3(const struct handshake *hs, uint8_t th3[HASH_BYTES])
{
	bool initiator = hs->role == HS_INITIATOR;
	crypto_hash_sha256_state st;

	hash_begin(&st, "fdp1 th3");
	hash_lv(&st, frame_span(&hs->m1));
	hash_lv(&st, frame_span(&hs->m2));
	hash_length(&st, hs->n_runs * HANDSHAKE_POINT_BYTES);
	for (size_t j = 0; j < hs->n_runs; j++) {
		const struct hs_run *run = &hs->runs[j];

		hash_bytes(&st, initiator ? run->share : run->peer_share,
			   HANDSHAKE_POINT_BYTES);
	}
	crypto_hash_sha256_final(&st, th3);
}

/* th4, over the proofs of the initiator as well; chooses the slot. */
static void hash_th4(const struct handshake *hs, const uint8_t th3[HASH_BYTES],
		     uint8_t slot, uint8_t th4[HASH_BYTES])
{
	crypto_hash_sha256_state st;

	hash_begin(&st, "fdp1 th4");
	hash_bytes(&st, th3, HASH_BYTES);
	for (size_t j = 0; j < hs->n_runs; j++) {
		hash_bytes(&st, hs->runs[j].tag, HASH_BYTES);
	}
	hash_bytes(&st, &slot, 1);
	crypto_hash_sha256_final(&st, th4);
}

/* T_i of run 'j' or, with the label of the other side, T_r. */
static void confirm(const struct secret *master, const char *label,
		    const uint8_t hash[HASH_BYTES], const uint8_t *slot,
		    uint8_t out[HASH_BYTES])
{
	uint8_t data[HASH_BYTES + 1];
	struct secret key;

	memcpy(data, hash, HASH_BYTES);
	if (slot) {
		data[HASH_BYTES] = *slot;
	}
	kdf_label(master, label, span_of(NULL, 0), &key);
	kdf_hmac(span_of(key.b, sizeof key.b),
		 span_of(data, HASH_BYTES + (slot ? 1 : 0)), out);
	secret_wipe(&key);
}

static void confirm_i(const struct secret *master,
		      const uint8_t th3[HASH_BYTES], uint8_t slot,
		      uint8_t out[HASH_BYTES])
{
	confirm(master, "fdp1 confirm i", th3, &slot, out);
}

static void confirm_r(const struct secret *master,
		      const uint8_t th4[HASH_BYTES], uint8_t out[HASH_BYTES])
{
	confirm(master, "fdp1 confirm r", th4, NULL, out);
}

static void derive_s0(struct handshake *hs, const struct secret *master)
{
	kdf_label(master, "fdp1 session", span_of(hs->th4, sizeof hs->th4),
		  &hs->s0);
}

static void derive_s1(struct handshake *hs, struct span identity_i,
		      struct span identity_r)
{
	crypto_hash_sha256_state st;
	uint8_t th5[HASH_BYTES];

	hash_begin(&st, "fdp1 th5");
	hash_bytes(&st, hs->th4, sizeof hs->th4);
	hash_lv(&st, identity_r);
	hash_lv(&st, identity_i);
	crypto_hash_sha256_final(&st, th5);
	kdf_label(&hs->s0, "fdp1 bound", span_of(th5, sizeof th5),
		  &hs->result.s1);
}

/* One CPace run: draw the scalar, make our share. */
static enum err run_begin(struct handshake *hs, size_t j,
			  const struct hs_slot *slot, const struct rng *rng)
{
	struct hs_run *run = &hs->runs[j];
	const uint8_t ci[] = {'f', 'd', 'p', '1', 0, 0, SUITE, (uint8_t)j};
	const struct cpace_context context = {
		.prs = span_of(slot->prs.b, sizeof slot->prs.b),
		.ci = span_of(ci, sizeof ci),
		.sid = sid_of(hs),
	};

	cpace_scalar(rng, &run->scalar);
	return cpace_share(&context, &run->scalar, run->share);
}

/* One CPace run: with the other side's share to its master secret. */
static enum err run_finish(struct handshake *hs, size_t j,
			   const struct hs_slot *slot, const struct secret *dh)
{
	struct hs_run *run = &hs->runs[j];
	bool initiator = hs->role == HS_INITIATOR;
	const struct cpace_transcript transcript = {
		.share_i = initiator ? run->share : run->peer_share,
		.share_r = initiator ? run->peer_share : run->share,
		.ad_i = frame_span(&hs->m1),
		.ad_r = span_of(hs->m2.b, M2_HEAD_BYTES),
	};
	uint8_t ikm[CPACE_ISK_BYTES + SECRET_SIZE];
	enum err err;

	err = cpace_finish(sid_of(hs), &run->scalar, run->peer_share,
			   &transcript, ikm);
	if (!err) {
		memcpy(ikm + CPACE_ISK_BYTES, dh->b, sizeof dh->b);
		kdf_extract(span_of(slot->psk.b, sizeof slot->psk.b),
			    span_of(ikm, sizeof ikm), &run->master);
	}
	secret_wipe(&run->scalar);
	sodium_memzero(ikm, sizeof ikm);
	return err;
}

/* X25519; refuses points of low order (an all-zero result). */
static enum err shared_key(const struct handshake *hs, struct secret *dh)
{
	return crypto_scalarmult(dh->b, hs->e_secret.b, hs->peer_e)
		       ? ERR_BAD_POINT
		       : FDP_OK;
}

/* All runs with our shares made and the other side's known. */
static enum err finish_runs(struct handshake *hs)
{
	bool initiator = hs->role == HS_INITIATOR;
	struct secret dh;
	enum err err = shared_key(hs, &dh);

	for (size_t j = 0; !err && j < hs->n_runs; j++) {
		err = run_finish(
			hs, j, &hs->slots[initiator ? hs->dial_slot : j], &dh);
	}
	secret_wipe(&dh);
	secret_wipe(&hs->e_secret);
	return err;
}

/* The box around the identity of 'sealer'. */
static const struct aead_nonce *box_key(const struct handshake *hs,
					enum hs_role sealer, struct secret *key)
{
	static const struct aead_nonce nonces[] = {
		[HS_INITIATOR] = {.initiator = true, .tcp = true},
		[HS_RESPONDER] = {.initiator = false, .tcp = true},
	};

	session_export(&hs->s0,
		       sealer == HS_INITIATOR ? KEY_LABEL_TCP_I2R
					      : KEY_LABEL_TCP_R2I,
		       key);
	return &nonces[sealer];
}

static void seal_identity(const struct handshake *hs, struct wbuf *out)
{
	struct secret key;
	const struct aead_nonce *nonce = box_key(hs, hs->role, &key);
	enum err err = aead_seal(&key, nonce, frame_span(&hs->identity), out);

	ovs_assert(!err); /* The static asserts on sizes say so. */
	secret_wipe(&key);
}

/* What the signature in the identity of 'role' is bound to. */
static struct identity_context signing(const struct handshake *hs,
				       enum hs_role role)
{
	return (struct identity_context){.initiator = role == HS_INITIATOR,
					 .hash = hs->th4};
}

/* Ours, as soon as there is something to bind it to. */
static void sign_own_identity(struct handshake *hs)
{
	const struct identity_context context = signing(hs, hs->role);
	struct wbuf bytes = WBUF_INITIALIZER(IDENTITY_MAX_BYTES);

	if (!hs->key || hs->opaque) {
		return;
	}
	wbuf_bytes(&bytes, hs->identity.b, hs->identity.size);
	identity_sign(hs->key, &context, &bytes);
	ovs_assert(!bytes.overflow);
	frame_set(&hs->identity, wbuf_span(&bytes));
	wbuf_free(&bytes);
}

/* Reads and judges what the other side says of itself. */
static enum err read_identity(struct handshake *hs, struct span bytes)
{
	const struct identity_context context = signing(
		hs, hs->role == HS_INITIATOR ? HS_RESPONDER : HS_INITIATOR);
	struct identity peer;
	enum err err;

	if (hs->opaque) {
		return FDP_OK;
	}
	err = identity_decode(bytes, &peer);
	if (err) {
		return err;
	}
	/* Of another incarnation it is a copy of us, which the caller judges.
	 */
	if (peer_id_equal(&peer.id, &hs->own_id) &&
	    peer.incarnation == hs->own_incarnation) {
		return ERR_SELF;
	}
	if (!is_crypted(hs)) {
		peer.has_key = false; /* There is nothing to bind it to. */
	} else if (peer.has_key) {
		err = identity_verify(bytes, &peer, &context);
		if (err) {
			return err;
		}
	}
	hs->result.peer = peer;
	return FDP_OK;
}

/* Opens the other side's box and, if all is well, derives S1. */
static enum err open_identity(struct handshake *hs, struct span box)
{
	bool initiator = hs->role == HS_INITIATOR;
	struct wbuf plain = WBUF_INITIALIZER(HANDSHAKE_FRAME_MAX);
	struct span own = frame_span(&hs->identity);
	const struct aead_nonce *nonce;
	struct secret key;
	enum err err;

	nonce = box_key(hs, initiator ? HS_RESPONDER : HS_INITIATOR, &key);
	err = aead_open(&key, nonce, box, &plain);
	if (!err) {
		err = read_identity(hs, wbuf_span(&plain));
	}
	if (!err) {
		derive_s1(hs, initiator ? own : wbuf_span(&plain),
			  initiator ? wbuf_span(&plain) : own);
	}
	secret_wipe(&key);
	wbuf_free(&plain);
	return err;
}

void handshake_init(struct handshake *hs, enum hs_role role,
		    const struct hs_config *config)
{
	memset(hs, 0, sizeof *hs);
	ovs_assert(config->n_slots <= HANDSHAKE_SLOTS_MAX);
	ovs_assert(!config->n_slots || config->dial_slot < config->n_slots);
	hs->role = role;
	hs->slots = config->slots;
	hs->n_slots = config->n_slots;
	hs->dial_slot = config->dial_slot;
	hs->is_own_nonce = config->is_own_nonce;
	hs->aux = config->aux;
	hs->result.role = role;
	hs->result.version = VERSION;
	hs->result.encrypted = is_crypted(hs);
	hs->result.slot = config->dial_slot;
	if (config->opaque_identity.size) {
		ovs_assert(config->opaque_identity.size <= IDENTITY_MAX_BYTES);
		hs->opaque = true;
		frame_set(&hs->identity, config->opaque_identity);
	} else {
		struct wbuf bytes = WBUF_INITIALIZER(IDENTITY_MAX_BYTES);

		identity_encode(config->self, &bytes);
		ovs_assert(!bytes.overflow);
		frame_set(&hs->identity, wbuf_span(&bytes));
		wbuf_free(&bytes);
		hs->own_id = config->self->id;
		hs->own_incarnation = config->self->incarnation;
		hs->key = config->key;
	}
}

void handshake_start(struct handshake *hs, struct wbuf *tx,
		     const struct rng *rng)
{
	struct wbuf m1 = WBUF_INITIALIZER(HANDSHAKE_FRAME_MAX);
	uint8_t *nonce = nonce_of(hs, HS_INITIATOR);
	uint8_t e[HANDSHAKE_POINT_BYTES];

	ovs_assert(hs->state == HS_IDLE);
	if (hs->role == HS_RESPONDER) {
		hs->state = HS_WAIT_M1;
		return;
	}

	rng_fill(rng, nonce, HANDSHAKE_NONCE_BYTES);
	wbuf_bytes(&m1, is_crypted(hs) ? magic_crypted : magic_plain,
		   MAGIC_BYTES);
	wbuf_u8(&m1, FRAME_M1);
	wbuf_u8(&m1, VERSION); /* From... */
	wbuf_u8(&m1, VERSION); /* ...to. */
	wbuf_u8(&m1, 0);       /* Flags. */
	if (is_crypted(hs)) {
		rng_fill(rng, hs->e_secret.b, sizeof hs->e_secret.b);
		crypto_scalarmult_base(e, hs->e_secret.b);
		wbuf_u32(&m1, 1u << SUITE);
		wbuf_bytes(&m1, nonce, HANDSHAKE_NONCE_BYTES);
		wbuf_bytes(&m1, e, sizeof e);
	} else {
		wbuf_bytes(&m1, nonce, HANDSHAKE_NONCE_BYTES);
		wbuf_bytes(&m1, hs->identity.b, hs->identity.size);
	}
	ovs_assert(!m1.overflow);
	frame_set(&hs->m1, wbuf_span(&m1));
	put_frame(tx, wbuf_span(&m1));
	wbuf_free(&m1);
	hs->state = HS_WAIT_M2;
}

const uint8_t *handshake_nonce(const struct handshake *hs)
{
	return hs->sid;
}

/* Checks magic and type at the front of M1 and M2. */
static enum err read_head(const struct handshake *hs, struct span *body,
			  enum frame_type want)
{
	char magic[MAGIC_BYTES];
	uint8_t type;
	enum err err = span_bytes(body, magic, sizeof magic);

	if (err) {
		return err;
	}
	if (!memcmp(magic, magic_plain, sizeof magic)) {
		if (is_crypted(hs)) {
			return ERR_PLAIN_PEER;
		}
	} else if (!memcmp(magic, magic_crypted, sizeof magic)) {
		if (!is_crypted(hs)) {
			return ERR_CRYPTED_PEER;
		}
	} else {
		return ERR_BAD_MAGIC;
	}
	err = span_u8(body, &type);
	if (err) {
		return err;
	}
	return type == want ? FDP_OK : ERR_STATE;
}

/* The versions that the initiator offers; is ours among them? */
static enum err read_version_range(struct span *body)
{
	uint8_t from, to, flags;
	enum err err = span_u8(body, &from);

	if (!err) {
		err = span_u8(body, &to);
	}
	if (!err) {
		err = span_u8(body, &flags);
	}
	if (err) {
		return err;
	}
	return from <= VERSION && VERSION <= to ? FDP_OK : ERR_VERSION;
}

/* Reads the initiator's nonce, which must not be one of our own. */
static enum err read_nonce_i(struct handshake *hs, struct span *body)
{
	uint8_t nonce[HANDSHAKE_NONCE_BYTES];
	enum err err = span_bytes(body, nonce, sizeof nonce);

	if (err) {
		return err;
	}
	if (hs->is_own_nonce && hs->is_own_nonce(hs->aux, nonce)) {
		return ERR_SELF;
	}
	memcpy(nonce_of(hs, HS_INITIATOR), nonce, sizeof nonce);
	return FDP_OK;
}

static enum err input_m1_plain(struct handshake *hs, struct span body,
			       struct wbuf *tx, const struct rng *rng)
{
	struct wbuf m2 = WBUF_INITIALIZER(HANDSHAKE_FRAME_MAX);
	uint8_t *nonce = nonce_of(hs, HS_RESPONDER);
	enum err err = read_nonce_i(hs, &body);

	if (!err) {
		err = read_identity(hs, body);
	}
	if (err) {
		return err;
	}
	rng_fill(rng, nonce, HANDSHAKE_NONCE_BYTES);
	wbuf_bytes(&m2, magic_plain, MAGIC_BYTES);
	wbuf_u8(&m2, FRAME_M2);
	wbuf_u8(&m2, VERSION);
	wbuf_bytes(&m2, nonce, HANDSHAKE_NONCE_BYTES);
	wbuf_bytes(&m2, hs->identity.b, hs->identity.size);
	put_frame(tx, wbuf_span(&m2));
	wbuf_free(&m2);
	hs->state = HS_DONE;
	return FDP_OK;
}

static enum err input_m1(struct handshake *hs, struct span body,
			 struct wbuf *tx, const struct rng *rng)
{
	struct wbuf m2 = WBUF_INITIALIZER(HANDSHAKE_FRAME_MAX);
	struct span in = body;
	uint8_t e[HANDSHAKE_POINT_BYTES];
	uint32_t suites;
	enum err err;

	err = read_head(hs, &in, FRAME_M1);
	if (!err) {
		err = read_version_range(&in);
	}
	if (!err && !is_crypted(hs)) {
		return input_m1_plain(hs, in, tx, rng);
	}
	if (!err) {
		err = span_u32(&in, &suites);
	}
	if (!err && !(suites & 1u << SUITE)) {
		err = ERR_SUITE;
	}
	if (!err) {
		err = read_nonce_i(hs, &in);
	}
	if (!err) {
		err = span_bytes(&in, hs->peer_e, sizeof hs->peer_e);
	}
	if (!err) {
		err = tlv_skip_all(in);
	}
	if (err || hs->unread) {
		return err;
	}
	frame_set(&hs->m1, body);

	rng_fill(rng, hs->e_secret.b, sizeof hs->e_secret.b);
	rng_fill(rng, nonce_of(hs, HS_RESPONDER), HANDSHAKE_NONCE_BYTES);
	crypto_scalarmult_base(e, hs->e_secret.b);
	hs->n_runs = hs->n_slots;
	wbuf_bytes(&m2, magic_crypted, MAGIC_BYTES);
	wbuf_u8(&m2, FRAME_M2);
	wbuf_u8(&m2, VERSION);
	wbuf_u16(&m2, SUITE);
	wbuf_u8(&m2, (uint8_t)hs->n_runs);
	wbuf_bytes(&m2, nonce_of(hs, HS_RESPONDER), HANDSHAKE_NONCE_BYTES);
	wbuf_bytes(&m2, e, sizeof e);
	for (size_t j = 0; !err && j < hs->n_runs; j++) {
		err = run_begin(hs, j, &hs->slots[j], rng);
		wbuf_bytes(&m2, hs->runs[j].share, HANDSHAKE_POINT_BYTES);
	}
	if (!err) {
		frame_set(&hs->m2, wbuf_span(&m2));
		put_frame(tx, wbuf_span(&m2));
		hs->state = HS_WAIT_M3;
	}
	wbuf_free(&m2);
	return err;
}

static enum err input_m2_plain(struct handshake *hs, struct span body)
{
	enum err err = span_bytes(&body, nonce_of(hs, HS_RESPONDER),
				  HANDSHAKE_NONCE_BYTES);

	if (!err) {
		err = read_identity(hs, body);
	}
	if (!err) {
		hs->state = HS_DONE;
	}
	return err;
}

/* M2 after its version, into the handshake. */
static enum err read_m2(struct handshake *hs, struct span *in)
{
	uint16_t suite;
	uint8_t n;
	enum err err = span_u16(in, &suite);

	if (!err && suite != SUITE) {
		err = ERR_SUITE;
	}
	if (!err) {
		err = span_u8(in, &n);
	}
	if (!err) {
		err = span_bytes(in, nonce_of(hs, HS_RESPONDER),
				 HANDSHAKE_NONCE_BYTES);
	}
	if (!err) {
		err = span_bytes(in, hs->peer_e, sizeof hs->peer_e);
	}
	if (!err && (!n || n > HANDSHAKE_SLOTS_MAX)) {
		err = ERR_MALFORMED;
	}
	for (size_t j = 0; !err && j < n; j++) {
		err = span_bytes(in, hs->runs[j].peer_share,
				 HANDSHAKE_POINT_BYTES);
	}
	if (!err) {
		hs->n_runs = n;
	}
	return err ? err : in->size ? ERR_MALFORMED : FDP_OK;
}

static enum err input_m2(struct handshake *hs, struct span body,
			 struct wbuf *tx, const struct rng *rng)
{
	struct wbuf m3 = WBUF_INITIALIZER(HANDSHAKE_FRAME_MAX);
	struct span in = body;
	uint8_t th3[HASH_BYTES], version;
	enum err err;

	err = read_head(hs, &in, FRAME_M2);
	if (!err) {
		err = span_u8(&in, &version);
	}
	if (!err && version != VERSION) {
		err = ERR_VERSION;
	}
	if (!err && !is_crypted(hs)) {
		return input_m2_plain(hs, in);
	}
	if (!err) {
		err = read_m2(hs, &in);
	}
	if (err || hs->unread) {
		return err;
	}
	frame_set(&hs->m2, body);

	/* Every run with the one password we dial with: which of the
	 * listener's passwords it is, only the listener can tell. */
	for (size_t j = 0; !err && j < hs->n_runs; j++) {
		err = run_begin(hs, j, &hs->slots[hs->dial_slot], rng);
	}
	if (!err) {
		err = finish_runs(hs);
	}
	if (err) {
		return err;
	}
	hash_th3(hs, th3);
	wbuf_u8(&m3, FRAME_M3);
	for (size_t j = 0; j < hs->n_runs; j++) {
		wbuf_bytes(&m3, hs->runs[j].share, HANDSHAKE_POINT_BYTES);
	}
	for (size_t j = 0; j < hs->n_runs; j++) {
		struct hs_run *run = &hs->runs[j];

		confirm_i(&run->master, th3, (uint8_t)j, run->tag);
		wbuf_bytes(&m3, run->tag, HASH_BYTES);
	}
	memcpy(hs->th3, th3, sizeof th3);
	put_frame(tx, wbuf_span(&m3));
	wbuf_free(&m3);
	hs->state = HS_WAIT_M4;
	return FDP_OK;
}

static enum err read_m3(struct handshake *hs, struct span in)
{
	uint8_t type;
	enum err err = span_u8(&in, &type);

	if (!err && type != FRAME_M3) {
		err = ERR_STATE;
	}
	for (size_t j = 0; !err && j < hs->n_runs; j++) {
		err = span_bytes(&in, hs->runs[j].peer_share,
				 HANDSHAKE_POINT_BYTES);
	}
	for (size_t j = 0; !err && j < hs->n_runs; j++) {
		err = span_bytes(&in, hs->runs[j].tag, HASH_BYTES);
	}
	return err ? err : in.size ? ERR_MALFORMED : FDP_OK;
}

static enum err input_m3(struct handshake *hs, struct span body,
			 struct wbuf *tx)
{
	struct wbuf m4 = WBUF_INITIALIZER(HANDSHAKE_FRAME_MAX);
	uint8_t th3[HASH_BYTES], tag[HASH_BYTES];
	size_t slot = SIZE_MAX;
	enum err err;

	err = read_m3(hs, body);
	if (!err && !hs->unread) {
		err = finish_runs(hs);
	}
	if (err || hs->unread) {
		return err;
	}
	hash_th3(hs, th3);
	for (size_t j = hs->n_runs; j-- > 0;) {
		struct hs_run *run = &hs->runs[j];

		confirm_i(&run->master, th3, (uint8_t)j, tag);
		if (!sodium_memcmp(tag, run->tag, sizeof tag)) {
			slot = j;
		}
	}
	sodium_memzero(tag, sizeof tag);
	if (slot == SIZE_MAX) {
		return ERR_WRONG_PASSWORD;
	}
	hs->result.slot = slot;
	hash_th4(hs, th3, (uint8_t)slot, hs->th4);
	derive_s0(hs, &hs->runs[slot].master);
	confirm_r(&hs->runs[slot].master, hs->th4, tag);
	for (size_t j = 0; j < hs->n_runs; j++) {
		secret_wipe(&hs->runs[j].master);
	}
	sign_own_identity(hs);
	wbuf_u8(&m4, FRAME_M4);
	wbuf_u8(&m4, (uint8_t)slot);
	wbuf_bytes(&m4, tag, sizeof tag);
	seal_identity(hs, &m4);
	put_frame(tx, wbuf_span(&m4));
	wbuf_free(&m4);
	hs->state = HS_WAIT_M5;
	return FDP_OK;
}

static enum err input_m4(struct handshake *hs, struct span in, struct wbuf *tx)
{
	struct wbuf m5 = WBUF_INITIALIZER(HANDSHAKE_FRAME_MAX);
	uint8_t type, slot, tag[HASH_BYTES], expected[HASH_BYTES];
	bool same;
	enum err err;

	err = span_u8(&in, &type);
	if (!err && type != FRAME_M4) {
		err = ERR_STATE;
	}
	if (!err) {
		err = span_u8(&in, &slot);
	}
	if (!err) {
		err = span_bytes(&in, tag, sizeof tag);
	}
	if (!err && slot >= hs->n_runs) {
		err = ERR_MALFORMED;
	}
	if (err) {
		return err;
	}
	hash_th4(hs, hs->th3, slot, hs->th4);
	confirm_r(&hs->runs[slot].master, hs->th4, expected);
	same = !sodium_memcmp(tag, expected, sizeof tag);
	sodium_memzero(expected, sizeof expected);
	if (!same) {
		return ERR_AUTH;
	}
	derive_s0(hs, &hs->runs[slot].master);
	sign_own_identity(hs);
	err = open_identity(hs, in);
	if (err) {
		return err;
	}
	seal_identity(hs, &m5);
	put_frame(tx, wbuf_span(&m5));
	wbuf_free(&m5);
	hs->state = HS_DONE;
	return FDP_OK;
}

static enum err input_m5(struct handshake *hs, struct span box)
{
	enum err err = open_identity(hs, box);

	if (!err) {
		hs->state = HS_DONE;
	}
	return err;
}

static enum err input_frame(struct handshake *hs, struct span body,
			    struct wbuf *tx, const struct rng *rng)
{
	enum err hinted;

	if (hs->role == HS_INITIATOR && read_hint(body, &hinted)) {
		hs->hinted = true;
		return hinted;
	}
	switch (hs->state) {
	case HS_WAIT_M1:
		return input_m1(hs, body, tx, rng);
	case HS_WAIT_M2:
		return input_m2(hs, body, tx, rng);
	case HS_WAIT_M3:
		return input_m3(hs, body, tx);
	case HS_WAIT_M4:
		return input_m4(hs, body, tx);
	case HS_WAIT_M5:
		return input_m5(hs, body);
	case HS_IDLE:
	case HS_DONE:
	case HS_FAILED:
		break;
	}
	return ERR_STATE;
}

/* Cuts the next frame off 'rx'; '*whole' is false if there is none yet.  What
 * does not even begin like fdp is told apart before its "length". */
static enum err cut_frame(const struct handshake *hs, struct span *rx,
			  struct span *body, bool *whole)
{
	bool first = hs->state == HS_WAIT_M1 || hs->state == HS_WAIT_M2;
	struct span rest = *rx, peek;
	char magic[MAGIC_BYTES - 1];
	uint16_t size;

	*whole = false;
	if (span_u16(&rest, &size)) {
		return FDP_OK;
	}
	peek = rest;
	if (first && size >= sizeof magic &&
	    !span_bytes(&peek, magic, sizeof magic) &&
	    memcmp(magic, magic_crypted, sizeof magic)) {
		return ERR_BAD_MAGIC;
	}
	if (size > HANDSHAKE_FRAME_MAX) {
		return ERR_OVERSIZED;
	}
	if (!span_cut(&rest, size, body)) {
		*rx = rest;
		*whole = true;
	}
	return FDP_OK;
}

enum err handshake_input(struct handshake *hs, struct span *rx, struct wbuf *tx,
			 const struct rng *rng)
{
	if (hs->state == HS_IDLE || hs->state == HS_FAILED) {
		return ERR_STATE;
	}
	while (hs->state != HS_DONE) {
		struct span body;
		bool whole;
		enum err err = cut_frame(hs, rx, &body, &whole);

		if (!err && !whole) {
			break;
		}
		if (!err) {
			err = input_frame(hs, body, tx, rng);
		}
		if (!err) {
			err = wbuf_done(tx);
		}
		if (err) {
			if (hs->role == HS_RESPONDER) {
				handshake_hint(err, tx);
			}
			handshake_wipe(hs);
			return err;
		}
	}
	return FDP_OK;
}

void handshake_nobody_reads(struct handshake *hs)
{
	hs->unread = true;
}

bool handshake_was_hinted(const struct handshake *hs)
{
	return hs->hinted;
}

bool handshake_done(const struct handshake *hs)
{
	return hs->state == HS_DONE;
}

void handshake_take(struct handshake *hs, struct hs_result *result)
{
	ovs_assert(hs->state == HS_DONE);
	*result = hs->result;
	handshake_wipe(hs);
}

void handshake_wipe(struct handshake *hs)
{
	bool hinted = hs->hinted;

	sodium_memzero(hs, sizeof *hs);
	hs->state = HS_FAILED;
	hs->hinted = hinted;
}

void hs_result_wipe(struct hs_result *result)
{
	secret_wipe(&result->s1);
}
