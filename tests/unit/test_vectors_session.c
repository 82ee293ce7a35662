/* A whole session against the second implementation of docs/PROTOCOL.md,
 * tests/vectors/fdp1_session.py: handshakes, records, keys, plain mode. */
#include "vectors.h"

#include "session/channel.h"
#include "session/handshake.h"
#include "session/keys.h"

static struct json *file;

static void setup(void)
{
	file = vectors_load("fdp1_session.json");
}

static void teardown(void)
{
	json_destroy(file);
}

/* SHA-256(seed || counter), each draw from a new block. */
struct stream {
	const char *seed;
	uint32_t counter;
};

static void stream_fill(void *aux, void *buf, size_t size)
{
	struct stream *s = aux;
	uint8_t in[16], block[32], *at = buf;
	size_t n = strlen(s->seed);

	memcpy(in, s->seed, n);
	for (size_t done = 0; done < size; done += sizeof block) {
		for (size_t i = 0; i < 4; i++) {
			in[n + i] = (uint8_t)(s->counter >> (24 - 8 * i));
		}
		s->counter++;
		crypto_hash_sha256(block, in, n + 4);
		memcpy(at + done, block,
		       size - done < sizeof block ? size - done : sizeof block);
	}
}

struct side {
	struct handshake hs;
	struct identity self;
	struct sign_pair key;
	struct stream stream;
	struct rng rng;
	struct wbuf tx;
};

static void read_identity(const char *who, struct identity *id)
{
	const struct json *j = vector_member(file, who);

	memset(id, 0, sizeof *id);
	snprintf(id->name, sizeof id->name, "%s", vector_string(j, "name"));
	vector_fixed(j, "id", id->id.b, sizeof id->id.b);
	id->incarnation = strtoull(vector_string(j, "incarnation"), NULL, 10);
	id->capabilities = (uint32_t)vector_integer(j, "capabilities");
	id->vxlan_port = (uint16_t)vector_integer(j, "vxlan_port");
	id->mtu = (uint16_t)vector_integer(j, "mtu");
}

/* 'signs' has an i if the initiator has an identity key, an r if the responder
 * does. */
static void side_init(struct side *s, enum hs_role role, struct hs_slot *slots,
		      size_t n_slots, const char *signs)
{
	bool initiator = role == HS_INITIATOR;
	const char *who = initiator ? "initiator" : "responder";
	const struct hs_config config = {.slots = slots,
					 .n_slots = n_slots,
					 .self = &s->self,
					 .key = strchr(signs, *who) ? &s->key
								    : NULL};
	struct secret seed;

	memset(s, 0, sizeof *s);
	read_identity(who, &s->self);
	vector_fixed(vector_member(file, who), "seed", seed.b, sizeof seed.b);
	sign_pair_init(&s->key, &seed);
	s->stream.seed = initiator ? "seed I" : "seed R";
	s->rng = (struct rng){stream_fill, &s->stream};
	wbuf_init(&s->tx, 0);
	handshake_init(&s->hs, role, &config);
	handshake_start(&s->hs, &s->tx, &s->rng);
}

static void slot_of(char name, struct hs_slot *slot)
{
	const uint8_t prs[] = {'p', 'r', 's', (uint8_t)name};
	const uint8_t psk[] = {'p', 's', 'k', (uint8_t)name};

	crypto_hash_sha256(slot->prs.b, prs, sizeof prs);
	crypto_hash_sha256(slot->psk.b, psk, sizeof psk);
}

/* Checks frame after frame on the way between both sides. */
static void exchange(struct side *i, struct side *r, const struct json *frames,
		     size_t n_frames, struct hs_result results[2])
{
	struct side *from = i, *to = r;

	ck_assert_uint_eq(vector_count(frames), n_frames);
	for (size_t n = 0; n < n_frames; n++) {
		struct side *t = from;
		struct vector_bytes want;
		struct span rx = wbuf_span(&from->tx);
		uint16_t size;

		vector_from_hex(json_string(vector_at(frames, n)), &want);
		ck_assert_int_eq(span_u16(&rx, &size), FDP_OK);
		ck_assert_uint_eq(size, want.size);
		ck_assert_bytes_eq(rx, want.b, want.size);
		rx = wbuf_span(&from->tx);
		ck_assert_int_eq(
			handshake_input(&to->hs, &rx, &to->tx, &to->rng),
			FDP_OK);
		wbuf_clear(&from->tx);
		from = to;
		to = t;
	}
	handshake_take(&i->hs, &results[0]);
	handshake_take(&r->hs, &results[1]);
	wbuf_free(&i->tx);
	wbuf_free(&r->tx);
}

static void expect_identity(const struct identity *got, const char *who,
			    const char *signs)
{
	struct vector_bytes want;
	struct sign_key key;
	struct wbuf out = WBUF_INITIALIZER(0);

	vector_hex(vector_member(file, who), "identity", &want);
	identity_encode(got, &out);
	ck_assert_bytes_eq(wbuf_span(&out), want.b, want.size);
	wbuf_free(&out);
	ck_assert_int_eq(got->has_key, strchr(signs, *who) != NULL);
	vector_fixed(vector_member(file, who), "key", key.b, sizeof key.b);
	ck_assert(!got->has_key || sign_key_equal(&got->key, &key));
}

/* The handshake number 'n' of the file. */
static void run_handshake(size_t n, struct hs_result results[2])
{
	const struct json *c = vector_at(vector_member(file, "handshakes"), n);
	const char *accepts = vector_string(c, "accepts");
	struct hs_slot slot, slots[HANDSHAKE_SLOTS_MAX];
	struct side i, r;

	slot_of(vector_string(c, "dials")[0], &slot);
	for (size_t j = 0; j < strlen(accepts); j++) {
		slot_of(accepts[j], &slots[j]);
	}
	side_init(&i, HS_INITIATOR, &slot, 1, vector_string(c, "signs"));
	side_init(&r, HS_RESPONDER, slots, strlen(accepts),
		  vector_string(c, "signs"));
	exchange(&i, &r, vector_member(c, "frames"), 5, results);
}

START_TEST(handshakes_are_as_in_file)
{
	const struct json *list = vector_member(file, "handshakes");

	ck_assert_uint_eq(vector_count(list), 4);
	for (size_t n = 0; n < 4; n++) {
		const struct json *c = vector_at(list, n);
		const char *signs = vector_string(c, "signs");
		struct hs_result results[2];
		struct secret s1;

		run_handshake(n, results);
		vector_fixed(c, "s1", s1.b, sizeof s1.b);
		ck_assert(secret_equal(&results[0].s1, &s1));
		ck_assert(secret_equal(&results[1].s1, &s1));
		ck_assert_int_eq((long long)results[1].slot,
				 vector_integer(c, "slot"));
		expect_identity(&results[0].peer, "responder", signs);
		expect_identity(&results[1].peer, "initiator", signs);
	}
}
END_TEST

START_TEST(plain_handshake_is_as_in_file)
{
	struct hs_result results[2];
	struct side i, r;

	/* A key is of no use here and not sent. */
	side_init(&i, HS_INITIATOR, NULL, 0, "ir");
	side_init(&r, HS_RESPONDER, NULL, 0, "ir");
	exchange(&i, &r, vector_member(file, "plain"), 2, results);
	expect_identity(&results[0].peer, "responder", "");
	expect_identity(&results[1].peer, "initiator", "");
}
END_TEST

START_TEST(records_are_as_in_file)
{
	const struct json *list = vector_member(file, "records");
	struct wbuf payload = WBUF_INITIALIZER(0);
	struct hs_result results[2];
	struct channel i, r;

	run_handshake(0, results);
	channel_init(&i, &results[0]);
	channel_init(&r, &results[1]);
	for (size_t n = 0; n < vector_count(list); n++) {
		const struct json *c = vector_at(list, n);
		bool by_i = !strcmp(vector_string(c, "sender"), "initiator");
		struct wbuf tx = WBUF_INITIALIZER(0);
		struct vector_bytes plain, record;
		struct span rx;
		bool complete;

		vector_hex(c, "payload", &plain);
		vector_hex(c, "record", &record);
		ck_assert_int_eq(
			channel_seal(by_i ? &i : &r, vector_span(&plain), &tx),
			FDP_OK);
		ck_assert_bytes_eq(wbuf_span(&tx), record.b, record.size);
		rx = vector_span(&record);
		ck_assert_int_eq(
			channel_open(by_i ? &r : &i, &rx, &payload, &complete),
			FDP_OK);
		ck_assert(complete && !rx.size);
		ck_assert_bytes_eq(wbuf_span(&payload), plain.b, plain.size);
		wbuf_free(&tx);
	}
	wbuf_free(&payload);
}
END_TEST

static void expect_key(const struct json *c, const struct secret *got)
{
	struct secret want;

	vector_fixed(c, "key", want.b, sizeof want.b);
	ck_assert(secret_equal(got, &want));
}

static void read_ip(const struct json *c, const char *name, struct ip_addr *ip)
{
	ck_assert_int_eq(ip_addr_parse(vector_string(c, name), ip), FDP_OK);
}

START_TEST(keys_are_as_in_file)
{
	const struct json *exports = vector_member(file, "exports");
	const struct json *sleeve = vector_member(file, "sleeve");
	const struct json *esps = vector_member(file, "esp");
	struct secret s1, esp, key;

	vector_fixed(vector_at(vector_member(file, "handshakes"), 0), "s1",
		     s1.b, sizeof s1.b);
	for (size_t n = 0; n < vector_count(exports); n++) {
		const struct json *c = vector_at(exports, n);

		session_export(&s1, vector_string(c, "label"), &key);
		expect_key(c, &key);
	}
	for (size_t n = 0; n < vector_count(sleeve); n++) {
		const struct json *c = vector_at(sleeve, n);

		sleeve_key(&s1, (uint32_t)vector_integer(c, "epoch"),
			   vector_integer(c, "direction") ? KEY_R2I : KEY_I2R,
			   &key);
		expect_key(c, &key);
	}
	session_export(&s1, KEY_LABEL_ESP, &esp);
	for (size_t n = 0; n < vector_count(esps); n++) {
		const struct json *c = vector_at(esps, n);
		struct esp_key_params p = {
			.direction = vector_integer(c, "direction") ? KEY_R2I
								    : KEY_I2R,
			.spi = (uint32_t)vector_integer(c, "spi"),
		};
		uint8_t want[ESP_KEYMAT_BYTES];
		struct esp_keymat got;

		vector_fixed(c, "salt", p.salt, sizeof p.salt);
		vector_fixed(c, "src_id", p.src_id.b, sizeof p.src_id.b);
		vector_fixed(c, "dst_id", p.dst_id.b, sizeof p.dst_id.b);
		read_ip(c, "src_ip", &p.src_ip);
		read_ip(c, "dst_ip", &p.dst_ip);
		vector_fixed(c, "keymat", want, sizeof want);
		esp_key(&esp, &p, &got);
		ck_assert_mem_eq(got.b, want, sizeof want);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vectors_session");
	TCase *tc = tcase_create("session");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, handshakes_are_as_in_file);
	tcase_add_test(tc, plain_handshake_is_as_in_file);
	tcase_add_test(tc, records_are_as_in_file);
	tcase_add_test(tc, keys_are_as_in_file);
	suite_add_tcase(suite, tc);
	return vectors_main(suite);
}
