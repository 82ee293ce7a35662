/* The handshake: the model's transcripts byte for byte, then everything that
 * must be refused. */
#include "session/handshake.h"

#include "vectors.h"

#include "base/addr.h"
#include "crypto/aead.h"
#include "crypto/kdf.h"
#include "session/keys.h"

enum {
	N_FRAMES = 5
};

/* Randomness of the model: SHA-256(seed || counter), each draw from a new
 * block.  The model makes its CPace scalar from SHA-512(role || draw), where
 * the product reduces the draw itself; the only draws of 64 bytes are those, so
 * the hashing is done here. */
struct model_rng {
	const char *seed;
	uint32_t counter;
	uint8_t role; /* 'i' or 'r'; 0: no hashing. */
};

static void model_fill(void *aux, void *buf, size_t size)
{
	struct model_rng *m = aux;
	uint8_t block[32], *at = buf;

	for (size_t done = 0; done < size; done += sizeof block) {
		const uint8_t be[4] = {
			(uint8_t)(m->counter >> 24),
			(uint8_t)(m->counter >> 16),
			(uint8_t)(m->counter >> 8),
			(uint8_t)m->counter,
		};
		crypto_hash_sha256_state st;

		m->counter++;
		crypto_hash_sha256_init(&st);
		crypto_hash_sha256_update(&st, (const uint8_t *)m->seed,
					  strlen(m->seed));
		crypto_hash_sha256_update(&st, be, sizeof be);
		crypto_hash_sha256_final(&st, block);
		memcpy(at + done, block,
		       size - done < sizeof block ? size - done : sizeof block);
	}
	if (size == 64 && m->role) {
		crypto_hash_sha512_state st;

		crypto_hash_sha512_init(&st);
		crypto_hash_sha512_update(&st, &m->role, 1);
		crypto_hash_sha512_update(&st, buf, 64);
		crypto_hash_sha512_final(&st, buf);
	}
}

/* One side of a connection; 'tx' collects what it sends. */
struct side {
	struct handshake hs;
	struct model_rng model;
	struct rng rng;
	struct wbuf tx;
	struct identity self;
};

static void identity_of(struct identity *id, const char *name, uint8_t fill)
{
	*id = (struct identity){
		.incarnation = 1,
		.capabilities = CAPABILITY_FASTDP | CAPABILITY_ESP,
		.vxlan_port = 6784,
		.mtu = 1500,
	};
	snprintf(id->name, sizeof id->name, "%s", name);
	memset(id->id.b, fill, sizeof id->id.b);
}

static void side_init(struct side *s, enum hs_role role,
		      struct hs_config *config)
{
	bool initiator = role == HS_INITIATOR;

	memset(s, 0, sizeof *s);
	s->model.seed = initiator ? "seed I" : "seed R";
	s->model.role = initiator ? 'i' : 'r';
	s->rng = (struct rng){model_fill, &s->model};
	wbuf_init(&s->tx, 0);
	identity_of(&s->self, initiator ? "alpha" : "beta",
		    initiator ? 0xaa : 0xbb);
	if (!config->self) {
		config->self = &s->self;
	}
	handshake_init(&s->hs, role, config);
	handshake_start(&s->hs, &s->tx, &s->rng);
}

static void side_done(struct side *s)
{
	handshake_wipe(&s->hs);
	wbuf_free(&s->tx);
}

/* Hands all that 'from' sent to 'to'. */
static enum err deliver(struct side *from, struct side *to)
{
	struct span rx = wbuf_span(&from->tx);
	enum err err = handshake_input(&to->hs, &rx, &to->tx, &to->rng);

	if (!err) {
		ck_assert_uint_eq(rx.size, 0);
	}
	wbuf_clear(&from->tx);
	return err;
}

/* Runs both sides until neither has anything to say; the first error ends it,
 * after what it left to say (a hint) has been delivered.  '*at_i' and '*at_r'
 * tell what either side ended with. */
static void run(struct side *i, struct side *r, enum err *at_i, enum err *at_r)
{
	*at_i = *at_r = FDP_OK;
	for (int round = 0; round < 4; round++) {
		if (i->tx.size && !*at_r) {
			*at_r = deliver(i, r);
		}
		if (r->tx.size && !*at_i) {
			*at_i = deliver(r, i);
		}
	}
}

static void slot_of(struct hs_slot *slot, uint8_t fill)
{
	memset(slot->prs.b, fill, sizeof slot->prs.b);
	memset(slot->psk.b, fill ^ 0xff, sizeof slot->psk.b);
}

static struct hs_slot slot_a, slot_b, slot_c;
static struct sign_pair key_i, key_r;

static void setup(void)
{
	slot_of(&slot_a, 1);
	slot_of(&slot_b, 2);
	slot_of(&slot_c, 3);
	sign_pair_init(&key_i, &(const struct secret){{0x11}});
	sign_pair_init(&key_r, &(const struct secret){{0x22}});
}

/* Frame 'n' of those that are answered comes from one who has closed: nothing
 * is said to it, and no answer is owed. */
START_TEST(frame_of_one_who_has_gone_not_answered)
{
	struct hs_config config_i = {.slots = &slot_a, .n_slots = 1};
	struct hs_config config_r = {.slots = &slot_a, .n_slots = 1};
	struct side i, r;
	struct side *from = &i, *to = &r, *other;

	side_init(&i, HS_INITIATOR, &config_i);
	side_init(&r, HS_RESPONDER, &config_r);
	for (int n = 0; n <= _i; n++) {
		if (n == _i) {
			handshake_nobody_reads(&to->hs);
		}
		ck_assert_int_eq(deliver(from, to), FDP_OK);
		ck_assert_uint_eq(to->tx.size > 0, n < _i);
		ck_assert(!handshake_done(&to->hs));
		other = from;
		from = to;
		to = other;
	}
	side_done(&i);
	side_done(&r);
}
END_TEST

/* The model's transcripts. */

static void check_frame(const struct wbuf *tx, const struct json *c,
			const char *name)
{
	struct vector_bytes want;
	struct span in = wbuf_span(tx);
	uint16_t size;

	vector_hex(c, name, &want);
	ck_assert_int_eq(span_u16(&in, &size), FDP_OK);
	ck_assert_uint_eq(size, in.size);
	ck_assert_bytes_eq(in, want.b, want.size);
}

static void model_slots(const struct json *c, struct hs_slot *slots,
			const char *match)
{
	const struct json *passwords = vector_member(c, "responder_passwords");

	for (size_t j = 0; j < vector_count(passwords); j++) {
		const char *p = json_string(vector_at(passwords, j));

		ck_assert_uint_lt(j, HANDSHAKE_SLOTS_MAX);
		ck_assert_int_eq(kdf_stretch(span_of(p, strlen(p)),
					     span_of(NULL, 0), &slots[j].prs,
					     &slots[j].psk),
				 FDP_OK);
		if (!strcmp(p, match)) {
			struct secret want;

			vector_fixed(c, "prs", want.b, sizeof want.b);
			ck_assert(secret_equal(&slots[j].prs, &want));
			vector_fixed(c, "psk", want.b, sizeof want.b);
			ck_assert(secret_equal(&slots[j].psk, &want));
		}
	}
}

START_TEST(model_transcripts_are_reproduced)
{
	struct json *file = vectors_load("fdp1_handshake_model.json");
	const struct json *cases = vector_member(file, "cases");

	for (size_t n = 0; n < vector_count(cases); n++) {
		const struct json *c = vector_at(cases, n);
		const char *name_i = vector_string(c, "ident_i");
		const char *name_r = vector_string(c, "ident_r");
		struct hs_slot slot, slots[HANDSHAKE_SLOTS_MAX];
		struct hs_config config_i = {
			.slots = &slot,
			.n_slots = 1,
			.opaque_identity = span_of(name_i, strlen(name_i)),
		};
		struct hs_config config_r = {
			.slots = slots,
			.n_slots = vector_count(
				vector_member(c, "responder_passwords")),
			.opaque_identity = span_of(name_r, strlen(name_r)),
		};
		struct hs_result result_i, result_r;
		struct secret s0, s1;
		struct side i, r;

		ck_assert_str_eq(vector_string(c, "initiator_seed"), "seed I");
		ck_assert_str_eq(vector_string(c, "responder_seed"), "seed R");
		model_slots(c, slots, vector_string(c, "initiator_password"));
		vector_fixed(c, "prs", slot.prs.b, sizeof slot.prs.b);
		vector_fixed(c, "psk", slot.psk.b, sizeof slot.psk.b);
		vector_fixed(c, "S0", s0.b, sizeof s0.b);
		vector_fixed(c, "S1", s1.b, sizeof s1.b);

		side_init(&i, HS_INITIATOR, &config_i);
		side_init(&r, HS_RESPONDER, &config_r);
		check_frame(&i.tx, c, "M1");
		ck_assert_int_eq(deliver(&i, &r), FDP_OK);
		check_frame(&r.tx, c, "M2");
		ck_assert_int_eq(deliver(&r, &i), FDP_OK);
		check_frame(&i.tx, c, "M3");
		ck_assert_int_eq(deliver(&i, &r), FDP_OK);
		check_frame(&r.tx, c, "M4");
		ck_assert(secret_equal(&r.hs.s0, &s0));
		ck_assert_int_eq(deliver(&r, &i), FDP_OK);
		check_frame(&i.tx, c, "M5");
		ck_assert(secret_equal(&i.hs.s0, &s0));
		ck_assert_int_eq(deliver(&i, &r), FDP_OK);

		ck_assert(handshake_done(&i.hs) && handshake_done(&r.hs));
		handshake_take(&i.hs, &result_i);
		handshake_take(&r.hs, &result_r);
		ck_assert(secret_equal(&result_i.s1, &s1));
		ck_assert(secret_equal(&result_r.s1, &s1));
		ck_assert_int_eq((long long)result_r.slot,
				 vector_integer(c, "slot"));
		ck_assert(result_i.encrypted && result_r.encrypted);
		side_done(&i);
		side_done(&r);
	}
	ck_assert_uint_eq(vector_count(cases), 2);
	json_destroy(file);
}
END_TEST

/* What must succeed. */

struct agreement {
	const char *what;
	const struct hs_slot *dial[2], *listen[2];
	size_t n_dial, dial_slot, n_listen;
	size_t slot_i, slot_r; /* Expected. */
	bool ok;
};

static const struct agreement agreements[] = {
	{"one password", {&slot_a}, {&slot_a}, 1, 0, 1, 0, 0, true},
	{"another one", {&slot_a}, {&slot_b}, 1, 0, 1, 0, 0, false},
	{"new one added at the listener only",
	 {&slot_a},
	 {&slot_a, &slot_b},
	 1,
	 0,
	 2,
	 0,
	 0,
	 true},
	{"listener swapped already",
	 {&slot_a},
	 {&slot_b, &slot_a},
	 1,
	 0,
	 2,
	 0,
	 1,
	 true},
	{"both added, dialler swapped",
	 {&slot_b, &slot_a},
	 {&slot_a, &slot_b},
	 2,
	 0,
	 2,
	 0,
	 1,
	 true},
	{"dialler falls back to its second",
	 {&slot_b, &slot_a},
	 {&slot_a},
	 2,
	 1,
	 1,
	 1,
	 0,
	 true},
	{"dialler's first is unknown",
	 {&slot_b, &slot_a},
	 {&slot_a},
	 2,
	 0,
	 1,
	 0,
	 0,
	 false},
	{"old one removed at the listener",
	 {&slot_a},
	 {&slot_b, &slot_c},
	 1,
	 0,
	 2,
	 0,
	 0,
	 false},
	{"the same one twice",
	 {&slot_a},
	 {&slot_a, &slot_a},
	 1,
	 0,
	 2,
	 0,
	 0,
	 true},
};

static void copy_slots(struct hs_slot *to, const struct hs_slot *const from[2],
		       size_t n)
{
	for (size_t j = 0; j < n; j++) {
		to[j] = *from[j];
	}
}

START_TEST(password_slots_agree_as_in_table)
{
	const struct agreement *a = &agreements[_i];
	struct hs_slot slots_i[2], slots_r[2];
	struct hs_config config_i = {
		.slots = slots_i,
		.n_slots = a->n_dial,
		.dial_slot = a->dial_slot,
	};
	struct hs_config config_r = {
		.slots = slots_r,
		.n_slots = a->n_listen,
	};
	struct hs_result result_i, result_r;
	enum err at_i, at_r;
	struct side i, r;

	copy_slots(slots_i, a->dial, a->n_dial);
	copy_slots(slots_r, a->listen, a->n_listen);
	side_init(&i, HS_INITIATOR, &config_i);
	side_init(&r, HS_RESPONDER, &config_r);
	run(&i, &r, &at_i, &at_r);
	if (a->ok) {
		ck_assert_int_eq(at_i, FDP_OK);
		ck_assert_int_eq(at_r, FDP_OK);
		ck_assert(handshake_done(&i.hs) && handshake_done(&r.hs));
		handshake_take(&i.hs, &result_i);
		handshake_take(&r.hs, &result_r);
		ck_assert(secret_equal(&result_i.s1, &result_r.s1));
		ck_assert_uint_eq(result_i.slot, a->slot_i);
		ck_assert_uint_eq(result_r.slot, a->slot_r);
		ck_assert_str_eq(result_i.peer.name, "beta");
		ck_assert_str_eq(result_r.peer.name, "alpha");
		ck_assert(peer_id_equal(&result_i.peer.id, &r.self.id));
		ck_assert(peer_id_equal(&result_r.peer.id, &i.self.id));
		ck_assert_int_eq(result_i.role, HS_INITIATOR);
		ck_assert_int_eq(result_r.role, HS_RESPONDER);
	} else {
		ck_assert_int_eq(at_r, ERR_WRONG_PASSWORD);
		ck_assert_int_eq(at_i, ERR_WRONG_PASSWORD);
		ck_assert(handshake_was_hinted(&i.hs));
		ck_assert(!handshake_was_hinted(&r.hs));
		ck_assert(!handshake_done(&i.hs) && !handshake_done(&r.hs));
	}
	side_done(&i);
	side_done(&r);
}
END_TEST

START_TEST(same_prs_with_other_psk_is_refused)
{
	struct hs_slot other = slot_a;
	struct hs_config config_i = {.slots = &slot_a, .n_slots = 1};
	struct hs_config config_r = {.slots = &other, .n_slots = 1};
	enum err at_i, at_r;
	struct side i, r;

	other.psk.b[31] ^= 1;
	side_init(&i, HS_INITIATOR, &config_i);
	side_init(&r, HS_RESPONDER, &config_r);
	run(&i, &r, &at_i, &at_r);
	ck_assert_int_eq(at_r, ERR_WRONG_PASSWORD);
	side_done(&i);
	side_done(&r);
}
END_TEST

/* The stream may come in any pieces; what follows M5 stays. */
START_TEST(single_bytes_and_early_data_are_handled)
{
	struct hs_config config_i = {.slots = &slot_a, .n_slots = 1};
	struct hs_config config_r = {.slots = &slot_a, .n_slots = 1};
	struct side i, r, *from = &i, *to = &r;

	side_init(&i, HS_INITIATOR, &config_i);
	side_init(&r, HS_RESPONDER, &config_r);
	for (int frame = 0; frame < N_FRAMES; frame++) {
		struct wbuf stream = WBUF_INITIALIZER(0);
		struct side *t = from;

		if (frame == N_FRAMES - 1) {
			wbuf_bytes(&from->tx, "early", 5);
		}
		for (size_t n = 0; n < from->tx.size; n++) {
			struct span rx;
			size_t before;

			wbuf_u8(&stream, from->tx.data[n]);
			rx = wbuf_span(&stream);
			before = rx.size;
			ck_assert_int_eq(handshake_input(&to->hs, &rx, &to->tx,
							 &to->rng),
					 FDP_OK);
			wbuf_pull(&stream, before - rx.size);
		}
		if (frame == N_FRAMES - 1) {
			ck_assert_bytes_eq(wbuf_span(&stream), "early", 5);
		} else {
			ck_assert_uint_eq(stream.size, 0);
		}
		wbuf_clear(&from->tx);
		wbuf_free(&stream);
		from = to;
		to = t;
	}
	ck_assert(handshake_done(&i.hs) && handshake_done(&r.hs));
	side_done(&i);
	side_done(&r);
}
END_TEST

START_TEST(new_randomness_gives_new_secrets)
{
	struct secret seen[3];

	for (int n = 0; n < 3; n++) {
		struct hs_config config_i = {.slots = &slot_a, .n_slots = 1};
		struct hs_config config_r = {.slots = &slot_a, .n_slots = 1};
		struct hs_result result;
		enum err at_i, at_r;
		struct side i, r;

		/* The same, but for one side's stream. */
		memset(&i, 0, sizeof i);
		side_init(&r, HS_RESPONDER, &config_r);
		r.model.counter = n == 1 ? 1000 : 0;
		side_init(&i, HS_INITIATOR, &config_i);
		if (n == 2) {
			side_done(&i);
			i.model.counter = 1000;
			wbuf_init(&i.tx, 0);
			handshake_init(&i.hs, HS_INITIATOR, &config_i);
			handshake_start(&i.hs, &i.tx, &i.rng);
		}
		run(&i, &r, &at_i, &at_r);
		ck_assert_int_eq(at_i, FDP_OK);
		ck_assert_int_eq(at_r, FDP_OK);
		handshake_take(&i.hs, &result);
		seen[n] = result.s1;
		for (int k = 0; k < n; k++) {
			ck_assert(!secret_equal(&seen[k], &seen[n]));
		}
		side_done(&i);
		side_done(&r);
	}
}
END_TEST

/* S1 binds both identities: an agreement about something else is no
 * agreement. */
START_TEST(other_identity_gives_other_secret)
{
	struct hs_config config_i = {.slots = &slot_a, .n_slots = 1};
	struct secret seen[2];

	for (int n = 0; n < 2; n++) {
		struct hs_config config_r = {.slots = &slot_a, .n_slots = 1};
		struct identity self;
		struct hs_result result;
		enum err at_i, at_r;
		struct side i, r;

		identity_of(&self, n ? "gamma" : "beta", 0xbb);
		config_r.self = &self;
		config_i.self = NULL;
		side_init(&i, HS_INITIATOR, &config_i);
		side_init(&r, HS_RESPONDER, &config_r);
		run(&i, &r, &at_i, &at_r);
		handshake_take(&r.hs, &result);
		seen[n] = result.s1;
		side_done(&i);
		side_done(&r);
	}
	ck_assert(!secret_equal(&seen[0], &seen[1]));
}
END_TEST

/* What must be refused.  A run is repeated from the start with one frame
 * manipulated on its way; the recorded original serves as raw material. */

struct mutation {
	int frame;	     /* 0 to 4 for M1 to M5. */
	const uint8_t *data; /* What arrives in its place. */
	size_t size;
};

enum outcome {
	NOBODY_DONE,
	INITIATOR_DONE, /* Only; M5 was manipulated. */
	BOTH_DONE
};

struct setting {
	struct hs_slot slots_r[2];
	size_t n_slots; /* Of the responder. */
};

/* Runs the five frames, records them if 'record', and manipulates one if
 * 'mutation'.  '*err' is what the receiver of the manipulated frame said, or
 * the first error after it. */
static enum outcome play(const struct setting *set,
			 struct wbuf record[N_FRAMES],
			 const struct mutation *mutation, enum err *err)
{
	struct hs_config config_i = {
		.slots = &slot_a, .n_slots = 1, .key = &key_i};
	struct hs_config config_r = {
		.slots = set->slots_r,
		.n_slots = set->n_slots,
		.key = &key_r,
	};
	struct side i, r, *from = &i, *to = &r;
	enum outcome outcome;
	struct hs_result result_i, result_r;

	*err = FDP_OK;
	side_init(&i, HS_INITIATOR, &config_i);
	side_init(&r, HS_RESPONDER, &config_r);
	for (int n = 0; n < N_FRAMES && !*err; n++) {
		struct side *t = from;
		struct span rx = wbuf_span(&from->tx);

		if (record) {
			wbuf_bytes(&record[n], rx.data, rx.size);
		}
		if (mutation && mutation->frame == n) {
			rx = span_of(mutation->data, mutation->size);
		}
		*err = handshake_input(&to->hs, &rx, &to->tx, &to->rng);
		wbuf_clear(&from->tx);
		from = to;
		to = t;
	}
	outcome = handshake_done(&r.hs)	  ? BOTH_DONE
		  : handshake_done(&i.hs) ? INITIATOR_DONE
					  : NOBODY_DONE;
	if (outcome == BOTH_DONE) {
		ck_assert(handshake_done(&i.hs));
		handshake_take(&i.hs, &result_i);
		handshake_take(&r.hs, &result_r);
		ck_assert(secret_equal(&result_i.s1, &result_r.s1));
	}
	side_done(&i);
	side_done(&r);
	return outcome;
}

static void setting_init(struct setting *set, size_t n_slots)
{
	/* With two slots the initiator's password is the second. */
	set->n_slots = n_slots;
	set->slots_r[0] = n_slots == 2 ? slot_b : slot_a;
	set->slots_r[1] = slot_a;
}

static void record_run(const struct setting *set, struct wbuf record[N_FRAMES])
{
	enum err err;

	for (int n = 0; n < N_FRAMES; n++) {
		wbuf_init(&record[n], 0);
	}
	ck_assert_int_eq(play(set, record, NULL, &err), BOTH_DONE);
	ck_assert_int_eq(err, FDP_OK);
}

static void record_free(struct wbuf record[N_FRAMES])
{
	for (int n = 0; n < N_FRAMES; n++) {
		wbuf_free(&record[n]);
	}
}

/* The receiver of a manipulated M5 is the responder; of any earlier frame it
 * may be noticed by either side, but nobody may come out of it. */
static void expect_refused(const struct setting *set, int frame,
			   const uint8_t *data, size_t size, const char *what,
			   size_t where)
{
	const struct mutation m = {frame, data, size};
	enum err err;
	enum outcome got = play(set, NULL, &m, &err);

	ck_assert_msg(
		got == (frame == N_FRAMES - 1 ? INITIATOR_DONE : NOBODY_DONE),
		"M%d, %s at %zu: outcome %d", frame + 1, what, where, got);
}

/* Every bit of every frame, lengths included, for one slot and for two. */
START_TEST(single_bit_changed_is_refused)
{
	size_t n_slots = 1 + (size_t)_i / N_FRAMES;
	int frame = _i % N_FRAMES;
	struct wbuf record[N_FRAMES];
	struct setting set;

	setting_init(&set, n_slots);
	record_run(&set, record);
	for (size_t bit = 0; bit < 8 * record[frame].size; bit++) {
		record[frame].data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		expect_refused(&set, frame, record[frame].data,
			       record[frame].size, "bit", bit);
		record[frame].data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	record_free(record);
}
END_TEST

/* A frame that ends early: the stream's end (nothing happens), and the same
 * with a length that says so. */
START_TEST(every_truncation_is_refused)
{
	size_t n_slots = 1 + (size_t)_i / N_FRAMES;
	int frame = _i % N_FRAMES;
	struct wbuf record[N_FRAMES];
	struct setting set;

	setting_init(&set, n_slots);
	record_run(&set, record);
	for (size_t size = 0; size < record[frame].size; size++) {
		expect_refused(&set, frame, record[frame].data, size, "end",
			       size);
	}
	for (size_t size = 0; size < record[frame].size - 2; size++) {
		record[frame].data[0] = (uint8_t)(size >> 8);
		record[frame].data[1] = (uint8_t)size;
		expect_refused(&set, frame, record[frame].data, size + 2,
			       "length", size);
	}
	record_free(record);
}
END_TEST

/* A frame that ends late, by any number of bytes up to the limit. */
START_TEST(every_extension_is_refused)
{
	size_t n_slots = 1 + (size_t)_i / N_FRAMES;
	int frame = _i % N_FRAMES;
	struct wbuf record[N_FRAMES];
	struct setting set;

	setting_init(&set, n_slots);
	record_run(&set, record);
	for (size_t size = record[frame].size - 1; size <= HANDSHAKE_FRAME_MAX;
	     size += 1 + size / 8) {
		struct wbuf longer = WBUF_INITIALIZER(0);
		struct mutation m = {.frame = frame};
		enum err err;

		wbuf_u16(&longer, (uint16_t)size);
		wbuf_bytes(&longer, record[frame].data + 2,
			   record[frame].size - 2);
		while (longer.size < size + 2) {
			wbuf_u8(&longer, 0);
		}
		expect_refused(&set, frame, longer.data, longer.size,
			       "extended to", size);
		if (frame == 1 || frame == 2) {
			/* By its form, before any mathematics. */
			m.data = longer.data;
			m.size = longer.size;
			play(&set, NULL, &m, &err);
			ck_assert_int_eq(err, ERR_MALFORMED);
		}
		wbuf_free(&longer);
	}
	record_free(record);
}
END_TEST

/* Each frame of a recorded run in the place of each other one, and the frames
 * of another run in their own places. */
START_TEST(frame_of_wrong_order_or_run_is_refused)
{
	struct wbuf record[N_FRAMES], other[N_FRAMES];
	struct setting set, set_other;

	setting_init(&set, 1);
	setting_init(&set_other, 2);
	record_run(&set, record);
	record_run(&set_other, other);
	for (int frame = 0; frame < N_FRAMES; frame++) {
		for (int n = 0; n < N_FRAMES; n++) {
			if (n != frame) {
				expect_refused(&set, frame, record[n].data,
					       record[n].size, "frame",
					       (size_t)n);
			}
			if (n || frame) { /* M1 is the same in both. */
				expect_refused(&set, frame, other[n].data,
					       other[n].size, "other's frame",
					       (size_t)n);
			}
		}
	}
	record_free(record);
	record_free(other);
}
END_TEST

START_TEST(oversized_frame_is_refused_by_its_length)
{
	/* The body is not waited for. */
	static const uint8_t big[] = {0x02, 0x01};
	static const uint8_t big_fdp[] = {0x02, 0x01, 'F', 'D', 'P', '1'};
	static const uint8_t biggest[] = {0xff, 0xff};
	struct setting set;
	enum err err;

	setting_init(&set, 1);
	for (int frame = 0; frame < N_FRAMES; frame++) {
		struct mutation m = {frame, big, sizeof big};

		play(&set, NULL, &m, &err);
		ck_assert_int_eq(err, ERR_OVERSIZED);
		m = (struct mutation){frame, biggest, sizeof biggest};
		play(&set, NULL, &m, &err);
		ck_assert_int_eq(err, ERR_OVERSIZED);
		m = (struct mutation){frame, big_fdp, sizeof big_fdp};
		play(&set, NULL, &m, &err);
		ck_assert_int_eq(err, ERR_OVERSIZED);
	}
}
END_TEST

/* What other protocols say first. */
START_TEST(foreign_protocol_is_named_as_such)
{
	static const char *const said[] = {
		"GET / HTTP/1.1\r\n",
		"SSH-2.0-OpenSSH_9.2\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01",
		"weavemsh",
	};

	for (size_t n = 0; n < sizeof said / sizeof said[0]; n++) {
		struct setting set;
		enum err err;
		const struct mutation m = {0, (const uint8_t *)said[n], 7};

		setting_init(&set, 1);
		ck_assert_int_eq(play(&set, NULL, &m, &err), NOBODY_DONE);
		ck_assert_int_eq(err, ERR_BAD_MAGIC);
	}
}
END_TEST

/* Points.  Offsets are into the frame with its two bytes of length. */
struct bad_point {
	int frame;
	size_t offset;
};

static const struct bad_point x25519_places[] = {
	{0, 2 + 44}, /* e_i in M1. */
	{1, 2 + 41}, /* e_r in M2. */
};

static const struct bad_point share_places[] = {
	{1, 2 + 73},	  /* Y_r[0] in M2. */
	{1, 2 + 73 + 32}, /* Y_r[1]. */
	{2, 2 + 1},	  /* Y_i[0] in M3. */
	{2, 2 + 1 + 32},  /* Y_i[1]. */
};

static void expect_bad_point(const struct setting *set,
			     struct wbuf record[N_FRAMES],
			     const struct bad_point *at,
			     const uint8_t point[32])
{
	struct wbuf frame = WBUF_INITIALIZER(0);
	struct mutation m = {.frame = at->frame};
	enum err err;

	wbuf_bytes(&frame, record[at->frame].data, record[at->frame].size);
	ck_assert_uint_le(at->offset + 32, frame.size);
	memcpy(frame.data + at->offset, point, 32);
	m.data = frame.data;
	m.size = frame.size;
	ck_assert_int_eq(play(set, NULL, &m, &err), NOBODY_DONE);
	/* A bad e_i changes M1, and with it the transcript, but the point
	 * itself must be what is refused. */
	ck_assert_int_eq(err, ERR_BAD_POINT);
	wbuf_free(&frame);
}

START_TEST(low_order_x25519_key_is_refused)
{
	struct json *file = vectors_load("seed_literal_session_key.json");
	const struct json *keys =
		vector_member(file, "must_be_refused_public_keys");
	struct wbuf record[N_FRAMES];
	struct setting set;

	setting_init(&set, 2);
	record_run(&set, record);
	for (size_t k = 0; k < vector_count(keys); k++) {
		struct vector_bytes key;

		vector_from_hex(json_string(vector_at(keys, k)), &key);
		for (size_t n = 0; n < 2; n++) {
			expect_bad_point(&set, record, &x25519_places[n],
					 key.b);
		}
	}
	record_free(record);
	json_destroy(file);
}
END_TEST

START_TEST(identity_or_undecodable_share_is_refused)
{
	struct json *file = vectors_load("rfc9496_ristretto255.json");
	const struct json *bad = vector_member(file, "invalid_encodings");
	static const uint8_t identity[32];
	struct wbuf record[N_FRAMES];
	struct setting set;

	setting_init(&set, 2);
	record_run(&set, record);
	for (size_t n = 0; n < 4; n++) {
		expect_bad_point(&set, record, &share_places[n], identity);
		for (size_t k = 0; k < vector_count(bad); k++) {
			struct vector_bytes point;

			vector_from_hex(json_string(vector_at(bad, k)), &point);
			expect_bad_point(&set, record, &share_places[n],
					 point.b);
		}
	}
	record_free(record);
	json_destroy(file);
}
END_TEST

/* A slot that was not among the runs has no master secret; what stands in its
 * place must not be taken for one. */
START_TEST(slot_out_of_range_in_m4_is_refused)
{
	static const uint8_t slots[] = {1, 2, 3, 255};
	struct wbuf record[N_FRAMES];
	struct setting set;
	enum err err;

	setting_init(&set, 1);
	record_run(&set, record);
	for (size_t n = 0; n < sizeof slots; n++) {
		const struct mutation m = {3, record[3].data, record[3].size};

		record[3].data[2 + 1] = slots[n];
		ck_assert_int_eq(play(&set, NULL, &m, &err), NOBODY_DONE);
		ck_assert_int_eq(err, ERR_MALFORMED);
	}
	record_free(record);
}
END_TEST

/* Version and suite, each by its byte in M1 or M2. */
static const struct {
	int frame;
	size_t offset;
	uint8_t value;
	enum err err;
	enum err hinted; /* What the initiator learns of it. */
} negotiations[] = {
	{0, 2 + 5, 2, ERR_VERSION, ERR_VERSION},   /* From 2 to 1. */
	{0, 2 + 6, 0, ERR_VERSION, ERR_VERSION},   /* From 1 to 0. */
	{0, 2 + 11, 0, ERR_SUITE, ERR_SUITE},	   /* No suite. */
	{0, 2 + 11, 1 << 2, ERR_SUITE, ERR_SUITE}, /* Only suite 2. */
	{1, 2 + 5, 2, ERR_VERSION, FDP_OK},
	{1, 2 + 5, 0, ERR_VERSION, FDP_OK},
	{1, 2 + 7, 2, ERR_SUITE, FDP_OK},
	{1, 2 + 8, 0, ERR_MALFORMED, FDP_OK}, /* No slot. */
	{1, 2 + 8, 3, ERR_MALFORMED, FDP_OK}, /* Three slots. */
};

START_TEST(negotiation_fails_as_in_table)
{
	struct hs_config config_i = {.slots = &slot_a, .n_slots = 1};
	struct hs_config config_r = {.slots = &slot_a, .n_slots = 1};
	struct side i, r;

	side_init(&i, HS_INITIATOR, &config_i);
	side_init(&r, HS_RESPONDER, &config_r);
	if (negotiations[_i].frame == 0) {
		i.tx.data[negotiations[_i].offset] = negotiations[_i].value;
		ck_assert_int_eq(deliver(&i, &r), negotiations[_i].err);
		ck_assert_int_eq(deliver(&r, &i), negotiations[_i].hinted);
		ck_assert(handshake_was_hinted(&i.hs));
	} else {
		ck_assert_int_eq(deliver(&i, &r), FDP_OK);
		r.tx.data[negotiations[_i].offset] = negotiations[_i].value;
		ck_assert_int_eq(deliver(&r, &i), negotiations[_i].err);
		ck_assert(!handshake_was_hinted(&i.hs));
		/* An initiator sends no hint. */
		ck_assert_uint_eq(i.tx.size, 0);
	}
	side_done(&i);
	side_done(&r);
}
END_TEST

/* A peer of tomorrow that still speaks version 1, and says more in M1. */
START_TEST(wider_range_and_optional_extension_are_accepted)
{
	struct hs_config config_r = {.slots = &slot_a, .n_slots = 1};
	struct wbuf m1 = WBUF_INITIALIZER(0);
	struct span rx;
	struct side r;

	for (int critical = 0; critical < 2; critical++) {
		wbuf_clear(&m1);
		wbuf_u16(&m1, 76 + 6);
		wbuf_bytes(&m1, "FDP1\x01\x01\x03\x80", 8);
		wbuf_u32(&m1, 0x80000002);
		for (size_t n = 0; n < 64; n++) {
			wbuf_u8(&m1, 9);
		}
		wbuf_u16(&m1, critical ? 0x8099 : 0x0099);
		wbuf_u16(&m1, 2);
		wbuf_u16(&m1, 0xffff);

		config_r.self = NULL;
		side_init(&r, HS_RESPONDER, &config_r);
		rx = wbuf_span(&m1);
		ck_assert_int_eq(handshake_input(&r.hs, &rx, &r.tx, &r.rng),
				 critical ? ERR_UNKNOWN_CRITICAL : FDP_OK);
		side_done(&r);
	}
	wbuf_free(&m1);
}
END_TEST

/* Hints: all codes, and none where the listener would not send one. */
START_TEST(hint_is_read_in_each_waiting_state)
{
	static const struct {
		enum err sent, read;
	} table[] = {
		{ERR_VERSION, ERR_VERSION},
		{ERR_SUITE, ERR_SUITE},
		{ERR_PLAIN_PEER, ERR_CRYPTED_PEER},
		{ERR_CRYPTED_PEER, ERR_PLAIN_PEER},
		{ERR_WRONG_PASSWORD, ERR_WRONG_PASSWORD},
		{ERR_SELF, ERR_SELF},
		{ERR_LIMIT, ERR_LIMIT},
		{ERR_TIMEOUT, ERR_TIMEOUT},
	};

	for (size_t n = 0; n < sizeof table / sizeof table[0]; n++) {
		for (int state = 0; state < 2; state++) {
			struct hs_config config_i = {.slots = &slot_a,
						     .n_slots = 1};
			struct hs_config config_r = {.slots = &slot_a,
						     .n_slots = 1};
			struct side i, r;

			side_init(&i, HS_INITIATOR, &config_i);
			side_init(&r, HS_RESPONDER, &config_r);
			if (state) {
				ck_assert_int_eq(deliver(&i, &r), FDP_OK);
				ck_assert_int_eq(deliver(&r, &i), FDP_OK);
			}
			handshake_hint(table[n].sent, &r.tx);
			ck_assert_int_eq(deliver(&r, &i), table[n].read);
			ck_assert(handshake_was_hinted(&i.hs));
			side_done(&i);
			side_done(&r);
		}
	}
}
END_TEST

START_TEST(unknown_hint_and_hint_to_listener_are_refused)
{
	static const uint8_t unknown[] = {0, 5, 'F', 'D', 'P', '!', 200};
	struct hs_config config_i = {.slots = &slot_a, .n_slots = 1};
	struct hs_config config_r = {.slots = &slot_a, .n_slots = 1};
	struct span rx = span_of(unknown, sizeof unknown);
	struct wbuf none = WBUF_INITIALIZER(0);
	struct side i, r;

	side_init(&i, HS_INITIATOR, &config_i);
	side_init(&r, HS_RESPONDER, &config_r);
	ck_assert_int_eq(handshake_input(&i.hs, &rx, &i.tx, &i.rng),
			 ERR_REFUSED);
	rx = span_of(unknown, sizeof unknown);
	ck_assert_int_eq(handshake_input(&r.hs, &rx, &r.tx, &r.rng),
			 ERR_BAD_MAGIC);
	handshake_hint(ERR_BAD_POINT, &none);
	handshake_hint(ERR_AUTH, &none);
	ck_assert_uint_eq(none.size, 0);
	side_done(&i);
	side_done(&r);
}
END_TEST

/* Plain against crypted, and ourselves. */

START_TEST(plain_sides_agree_without_secret)
{
	struct hs_config config_i = {.n_slots = 0}, config_r = {.n_slots = 0};
	struct secret zero = {{0}};
	struct hs_result result;
	enum err at_i, at_r;
	struct side i, r;

	side_init(&i, HS_INITIATOR, &config_i);
	side_init(&r, HS_RESPONDER, &config_r);
	run(&i, &r, &at_i, &at_r);
	ck_assert_int_eq(at_i, FDP_OK);
	ck_assert_int_eq(at_r, FDP_OK);
	handshake_take(&i.hs, &result);
	ck_assert(!result.encrypted && secret_equal(&result.s1, &zero));
	ck_assert_str_eq(result.peer.name, "beta");
	handshake_take(&r.hs, &result);
	ck_assert(!result.encrypted && secret_equal(&result.s1, &zero));
	ck_assert_str_eq(result.peer.name, "alpha");
	side_done(&i);
	side_done(&r);
}
END_TEST

START_TEST(plain_against_crypted_is_refused_both_ways)
{
	for (int plain_dials = 0; plain_dials < 2; plain_dials++) {
		struct hs_config config_i = {.slots = &slot_a, .n_slots = 1};
		struct hs_config config_r = {.slots = &slot_a, .n_slots = 1};
		enum err at_i, at_r;
		struct side i, r;

		*(plain_dials ? &config_i : &config_r) =
			(struct hs_config){.n_slots = 0};
		side_init(&i, HS_INITIATOR, &config_i);
		side_init(&r, HS_RESPONDER, &config_r);
		run(&i, &r, &at_i, &at_r);
		ck_assert_int_eq(at_r, plain_dials ? ERR_PLAIN_PEER
						   : ERR_CRYPTED_PEER);
		ck_assert_int_eq(at_i, plain_dials ? ERR_CRYPTED_PEER
						   : ERR_PLAIN_PEER);
		side_done(&i);
		side_done(&r);
	}
}
END_TEST

/* A listener that answers in the other mode gets nothing either. */
START_TEST(answer_in_other_mode_is_refused)
{
	for (int plain_dials = 0; plain_dials < 2; plain_dials++) {
		struct hs_config config_i = {.slots = &slot_a, .n_slots = 1};
		struct span rx;
		struct side i;

		if (plain_dials) {
			config_i = (struct hs_config){.n_slots = 0};
		}
		side_init(&i, HS_INITIATOR, &config_i);
		wbuf_clear(&i.tx);
		rx = span_of(plain_dials ? "\0\x06"
					   "FDP1\x02\x01"
					 : "\0\x06"
					   "FDP0\x02\x01",
			     8);
		ck_assert_int_eq(handshake_input(&i.hs, &rx, &i.tx, &i.rng),
				 plain_dials ? ERR_CRYPTED_PEER
					     : ERR_PLAIN_PEER);
		ck_assert_uint_eq(i.tx.size, 0);
		side_done(&i);
	}
}
END_TEST

static bool nonce_is(void *aux, const uint8_t nonce[HANDSHAKE_NONCE_BYTES])
{
	return !memcmp(aux, nonce, HANDSHAKE_NONCE_BYTES);
}

START_TEST(self_connection_is_noticed_by_nonce_and_by_id)
{
	for (int crypted = 0; crypted < 2; crypted++) {
		for (int by_nonce = 0; by_nonce < 2; by_nonce++) {
			struct identity self;
			struct hs_config config = {
				.slots = crypted ? &slot_a : NULL,
				.n_slots = crypted ? 1 : 0,
				.self = &self,
			};
			uint8_t nonce[HANDSHAKE_NONCE_BYTES];
			enum err at_i, at_r;
			struct side i, r;

			identity_of(&self, "alpha", 0xaa);
			side_init(&i, HS_INITIATOR, &config);
			memcpy(nonce, handshake_nonce(&i.hs), sizeof nonce);
			if (by_nonce) {
				config.is_own_nonce = nonce_is;
				config.aux = nonce;
			}
			side_init(&r, HS_RESPONDER, &config);
			run(&i, &r, &at_i, &at_r);
			ck_assert_int_eq(at_i, ERR_SELF);
			ck_assert(!handshake_done(&i.hs));
			ck_assert(!handshake_done(&r.hs));
			if (by_nonce || !crypted) {
				ck_assert_int_eq(at_r, ERR_SELF);
			}
			side_done(&i);
			side_done(&r);
		}
	}
}
END_TEST

/* An identity that is authentic but makes no sense. */
START_TEST(malformed_identity_is_refused)
{
	static const uint8_t odd[] = {0x80, 0x63, 0, 0};

	for (int crypted = 0; crypted < 2; crypted++) {
		for (int initiator = 0; initiator < 2; initiator++) {
			struct hs_config config_i = {
				.slots = crypted ? &slot_a : NULL,
				.n_slots = crypted ? 1 : 0,
			};
			struct hs_config config_r = config_i;
			enum err at_i, at_r;
			struct side i, r;

			*(initiator ? &config_i.opaque_identity
				    : &config_r.opaque_identity) =
				span_of(odd, sizeof odd);
			side_init(&i, HS_INITIATOR, &config_i);
			side_init(&r, HS_RESPONDER, &config_r);
			run(&i, &r, &at_i, &at_r);
			ck_assert_int_eq(initiator ? at_r : at_i,
					 ERR_UNKNOWN_CRITICAL);
			side_done(&i);
			side_done(&r);
		}
	}
}
END_TEST

/* ---- Identity keys ---- */

static bool has_key(const struct identity *id, const struct sign_pair *pair)
{
	return id->has_key && sign_key_equal(&id->key, &pair->key);
}

START_TEST(identity_keys_arrive_in_any_combination)
{
	struct hs_config config_i = {.slots = &slot_a, .n_slots = 1};
	struct hs_config config_r = config_i;
	struct hs_result at_i, at_r;
	enum err err_i, err_r;
	struct side i, r;

	config_i.key = _i & 1 ? &key_i : NULL;
	config_r.key = _i & 2 ? &key_r : NULL;
	side_init(&i, HS_INITIATOR, &config_i);
	side_init(&r, HS_RESPONDER, &config_r);
	run(&i, &r, &err_i, &err_r);
	ck_assert_int_eq(err_i, FDP_OK);
	ck_assert_int_eq(err_r, FDP_OK);
	handshake_take(&i.hs, &at_i);
	handshake_take(&r.hs, &at_r);
	ck_assert(secret_equal(&at_i.s1, &at_r.s1));
	ck_assert_int_eq(has_key(&at_r.peer, &key_i), (_i & 1) != 0);
	ck_assert_int_eq(has_key(&at_i.peer, &key_r), (_i & 2) != 0);
	ck_assert(at_r.peer.has_key == (_i & 1) &&
		  at_i.peer.has_key == (_i >> 1));
	side_done(&i);
	side_done(&r);
}
END_TEST

START_TEST(plain_mode_carries_no_identity_key)
{
	struct hs_config config_i = {.key = &key_i};
	struct hs_config config_r = {.key = &key_r};
	struct hs_result at_i, at_r;
	enum err err_i, err_r;
	struct side i, r;

	side_init(&i, HS_INITIATOR, &config_i);
	side_init(&r, HS_RESPONDER, &config_r);
	run(&i, &r, &err_i, &err_r);
	ck_assert_int_eq(err_i, FDP_OK);
	ck_assert_int_eq(err_r, FDP_OK);
	handshake_take(&i.hs, &at_i);
	handshake_take(&r.hs, &at_r);
	ck_assert(!at_i.peer.has_key && !at_r.peer.has_key);
	side_done(&i);
	side_done(&r);
}
END_TEST

/* Somebody knows the password and shows a key that is not his: with a
 * signature of another handshake, or of the other role of this kind. */
START_TEST(key_of_another_host_is_refused)
{
	static const uint8_t other[IDENTITY_HASH_BYTES] = {9};

	for (int initiator = 0; initiator < 2; initiator++) {
		const struct identity_context context = {initiator != 0, other};
		struct hs_config config_i = {.slots = &slot_a, .n_slots = 1};
		struct hs_config config_r = config_i;
		struct wbuf stolen = WBUF_INITIALIZER(0);
		enum err at_i, at_r;
		struct identity id;
		struct side i, r;

		identity_of(&id, "victim", 0xcc);
		identity_encode(&id, &stolen);
		identity_sign(&key_r, &context, &stolen);
		*(initiator ? &config_i.opaque_identity
			    : &config_r.opaque_identity) = wbuf_span(&stolen);
		side_init(&i, HS_INITIATOR, &config_i);
		side_init(&r, HS_RESPONDER, &config_r);
		run(&i, &r, &at_i, &at_r);
		ck_assert_int_eq(initiator ? at_r : at_i, ERR_AUTH);
		side_done(&i);
		side_done(&r);
		wbuf_free(&stolen);
	}
}
END_TEST

/* Nothing of a handshake survives its failure or its end. */
START_TEST(secrets_are_wiped_at_the_end)
{
	for (int wrong = 0; wrong < 2; wrong++) {
		struct hs_config config_i = {.slots = &slot_a, .n_slots = 1};
		struct hs_config config_r = {.slots = wrong ? &slot_b : &slot_a,
					     .n_slots = 1};
		struct hs_result result;
		struct handshake blank;
		enum err at_i, at_r;
		struct side i, r;

		side_init(&i, HS_INITIATOR, &config_i);
		side_init(&r, HS_RESPONDER, &config_r);
		run(&i, &r, &at_i, &at_r);
		if (!wrong) {
			handshake_take(&i.hs, &result);
			handshake_take(&r.hs, &result);
			hs_result_wipe(&result);
			ck_assert(sodium_is_zero(result.s1.b,
						 sizeof result.s1.b));
		}
		memset(&blank, 0, sizeof blank);
		blank.state = HS_FAILED;
		ck_assert_mem_eq(&r.hs, &blank, sizeof blank);
		blank.hinted = wrong;
		ck_assert_mem_eq(&i.hs, &blank, sizeof blank);
		side_done(&i);
		side_done(&r);
	}
}
END_TEST

static bool is_zero(const struct secret *secret)
{
	return sodium_is_zero(secret->b, sizeof secret->b);
}

/* And each secret goes as soon as it has served. */
START_TEST(secrets_are_wiped_on_the_way)
{
	const struct hs_slot both[] = {slot_b, slot_a};
	struct hs_config config_i = {.slots = &slot_a, .n_slots = 1};
	struct hs_config config_r = {.slots = both, .n_slots = 2};
	struct side i, r;

	side_init(&i, HS_INITIATOR, &config_i);
	side_init(&r, HS_RESPONDER, &config_r);
	ck_assert_int_eq(deliver(&i, &r), FDP_OK);
	ck_assert(!is_zero(&i.hs.e_secret) && !is_zero(&r.hs.e_secret));
	ck_assert(!is_zero(&r.hs.runs[1].scalar));
	ck_assert_int_eq(deliver(&r, &i), FDP_OK);
	ck_assert(is_zero(&i.hs.e_secret));
	ck_assert(is_zero(&i.hs.runs[0].scalar));
	ck_assert(is_zero(&i.hs.runs[1].scalar));
	ck_assert(!is_zero(&i.hs.runs[1].master));
	ck_assert_int_eq(deliver(&i, &r), FDP_OK);
	ck_assert(is_zero(&r.hs.e_secret));
	ck_assert(is_zero(&r.hs.runs[1].scalar));
	ck_assert(is_zero(&r.hs.runs[0].master));
	ck_assert(is_zero(&r.hs.runs[1].master));
	side_done(&i);
	side_done(&r);
}
END_TEST

START_TEST(input_after_failure_or_before_start_is_refused)
{
	static const uint8_t bad[] = {0xff, 0xff};
	struct hs_config config = {.slots = &slot_a, .n_slots = 1};
	struct handshake idle;
	struct span rx = span_of(bad, sizeof bad);
	struct side r;

	side_init(&r, HS_RESPONDER, &config);
	ck_assert_int_eq(handshake_input(&r.hs, &rx, &r.tx, &r.rng),
			 ERR_OVERSIZED);
	ck_assert_int_eq(handshake_input(&r.hs, &rx, &r.tx, &r.rng), ERR_STATE);
	handshake_init(&idle, HS_RESPONDER, &config);
	ck_assert_int_eq(handshake_input(&idle, &rx, &r.tx, &r.rng), ERR_STATE);
	side_done(&r);
}
END_TEST

/* A dialler that guesses must learn nothing from M2: for every password there
 * is a scalar that gives the same share, so no value but random ones and the
 * public head may stand in it.  Checked as far as bytes can show it: same
 * randomness and another password change the share alone. */
START_TEST(listener_answer_depends_on_password_in_share_only)
{
	struct wbuf m2[2];

	for (int n = 0; n < 2; n++) {
		struct hs_config config_i = {.slots = &slot_c, .n_slots = 1};
		struct hs_config config_r = {.slots = n ? &slot_b : &slot_a,
					     .n_slots = 1};
		struct side i, r;

		side_init(&i, HS_INITIATOR, &config_i);
		side_init(&r, HS_RESPONDER, &config_r);
		ck_assert_int_eq(deliver(&i, &r), FDP_OK);
		wbuf_init(&m2[n], 0);
		wbuf_bytes(&m2[n], r.tx.data, r.tx.size);
		side_done(&i);
		side_done(&r);
	}
	ck_assert_uint_eq(m2[0].size, 2 + 73 + 32);
	ck_assert_uint_eq(m2[1].size, m2[0].size);
	ck_assert_mem_eq(m2[0].data, m2[1].data, 2 + 73);
	ck_assert_mem_ne(m2[0].data + 75, m2[1].data + 75, 32);
	wbuf_free(&m2[0]);
	wbuf_free(&m2[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handshake");
	TCase *tc = tcase_create("agreement");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, model_transcripts_are_reproduced);
	tcase_add_loop_test(tc, password_slots_agree_as_in_table, 0,
			    sizeof agreements / sizeof agreements[0]);
	tcase_add_test(tc, same_prs_with_other_psk_is_refused);
	tcase_add_test(tc, single_bytes_and_early_data_are_handled);
	tcase_add_test(tc, new_randomness_gives_new_secrets);
	tcase_add_test(tc, other_identity_gives_other_secret);
	tcase_add_test(tc, wider_range_and_optional_extension_are_accepted);
	tcase_add_test(tc, plain_sides_agree_without_secret);
	suite_add_tcase(suite, tc);

	tc = tcase_create("refusal");
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, single_bit_changed_is_refused, 0, 2 * N_FRAMES);
	tcase_add_loop_test(tc, every_truncation_is_refused, 0, 2 * N_FRAMES);
	tcase_add_loop_test(tc, every_extension_is_refused, 0, 2 * N_FRAMES);
	tcase_add_test(tc, frame_of_wrong_order_or_run_is_refused);
	tcase_add_test(tc, oversized_frame_is_refused_by_its_length);
	tcase_add_loop_test(tc, frame_of_one_who_has_gone_not_answered, 0, 3);
	tcase_add_test(tc, foreign_protocol_is_named_as_such);
	tcase_add_test(tc, low_order_x25519_key_is_refused);
	tcase_add_test(tc, identity_or_undecodable_share_is_refused);
	tcase_add_test(tc, slot_out_of_range_in_m4_is_refused);
	tcase_add_loop_test(tc, negotiation_fails_as_in_table, 0,
			    sizeof negotiations / sizeof negotiations[0]);
	tcase_add_test(tc, hint_is_read_in_each_waiting_state);
	tcase_add_test(tc, unknown_hint_and_hint_to_listener_are_refused);
	tcase_add_test(tc, plain_against_crypted_is_refused_both_ways);
	tcase_add_test(tc, answer_in_other_mode_is_refused);
	tcase_add_test(tc, self_connection_is_noticed_by_nonce_and_by_id);
	tcase_add_loop_test(tc, identity_keys_arrive_in_any_combination, 0, 4);
	tcase_add_test(tc, plain_mode_carries_no_identity_key);
	tcase_add_test(tc, key_of_another_host_is_refused);
	tcase_add_test(tc, malformed_identity_is_refused);
	tcase_add_test(tc, secrets_are_wiped_at_the_end);
	tcase_add_test(tc, secrets_are_wiped_on_the_way);
	tcase_add_test(tc, input_after_failure_or_before_start_is_refused);
	tcase_add_test(tc, listener_answer_depends_on_password_in_share_only);
	suite_add_tcase(suite, tc);
	return vectors_main(suite);
}
