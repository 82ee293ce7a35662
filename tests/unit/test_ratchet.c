/* The ratchet: both sides agree, nobody else does, nothing repeats. */
#include <stdlib.h>
#include <string.h>

#include <check.h>
#include <sodium.h>

#include "session/keys.h"
#include "session/ratchet.h"
#include "unit/vectors.h"

/* A stream of bytes from a counter, so that runs replay. */
static void fill(void *aux, void *buf, size_t size)
{
	uint8_t seed[randombytes_SEEDBYTES] = {0};

	memcpy(seed, aux, sizeof(uint32_t));
	++*(uint32_t *)aux;
	randombytes_buf_deterministic(buf, size, seed);
}

static uint32_t counter;
static const struct rng rng = {.fill = fill, .aux = &counter};
static struct ratchet initiator, responder;

static void setup(void)
{
	const struct secret s1 = {{1, 2, 3}};

	counter = 7;
	ratchet_init(&initiator, &s1);
	ratchet_init(&responder, &s1);
}

/* One whole step; the secrets of both sides. */
static void step(struct secret *i, struct secret *r)
{
	struct msg_rekey request, response;

	ratchet_request(&initiator, &rng, &request);
	ck_assert_int_eq(
		ratchet_respond(&responder, &request, &rng, &response, r),
		FDP_OK);
	ck_assert_int_eq(ratchet_finish(&initiator, &response, i), FDP_OK);
}

START_TEST(steps_agreeAndNeverRepeat)
{
	enum {
		N = 100
	};
	static struct secret seen[N];

	for (uint32_t n = 0; n < N; n++) {
		struct secret i, r;

		step(&i, &r);
		ck_assert(secret_equal(&i, &r));
		ck_assert_uint_eq(initiator.epoch, n + 1);
		ck_assert_uint_eq(responder.epoch, n + 1);
		for (uint32_t k = 0; k < n; k++) {
			ck_assert(!secret_equal(&seen[k], &i));
		}
		seen[n] = i;
	}
}
END_TEST

/* Against the second implementation, tests/vectors/fdp1_session.py: a responder
 * that draws its keys gets its public keys and secrets. */
static void fill_known(void *aux, void *buf, size_t size)
{
	/* As class Random there: SHA-256("rekey" || counter), the odd ones are
	 * the responder's. */
	uint8_t block[9] = "rekey";
	uint32_t *n = aux;

	ck_assert_uint_eq(size, crypto_hash_sha256_BYTES);
	block[8] = (uint8_t)*n;
	crypto_hash_sha256(buf, block, sizeof block);
	*n += 2;
}

START_TEST(steps_areAsSpecified)
{
	struct json *file = vectors_load("fdp1_session.json");
	const struct json *handshake =
		vector_at(vector_member(file, "handshakes"), 0);
	const struct json *list = vector_member(file, "rekeys");
	uint32_t n = 1;
	const struct rng known = {.fill = fill_known, .aux = &n};
	struct secret s1;

	vector_fixed(handshake, "s1", s1.b, sizeof s1.b);
	ratchet_init(&responder, &s1);
	ck_assert_uint_eq(vector_count(list), 3);
	for (size_t i = 0; i < vector_count(list); i++) {
		const struct json *v = vector_at(list, i);
		struct msg_rekey request, response;
		uint8_t want[32];

		request.epoch = (uint32_t)vector_integer(v, "epoch");
		vector_fixed(v, "request", request.key, sizeof request.key);
		ck_assert_int_eq(ratchet_respond(&responder, &request, &known,
						 &response, &s1),
				 FDP_OK);
		vector_fixed(v, "response", want, sizeof want);
		ck_assert_mem_eq(response.key, want, sizeof want);
		vector_fixed(v, "s1", want, sizeof want);
		ck_assert_mem_eq(s1.b, want, sizeof want);
	}
	json_destroy(file);
}
END_TEST

START_TEST(otherSession_otherSecret)
{
	const struct secret other = {{1, 2, 4}};
	struct msg_rekey request, response;
	struct secret i, r;

	ratchet_init(&responder, &other);
	ratchet_request(&initiator, &rng, &request);
	ck_assert_int_eq(
		ratchet_respond(&responder, &request, &rng, &response, &r),
		FDP_OK);
	ck_assert_int_eq(ratchet_finish(&initiator, &response, &i), FDP_OK);
	ck_assert(!secret_equal(&i, &r));
}
END_TEST

START_TEST(anyBitOfTheExchange_changesTheSecret)
{
	struct msg_rekey request, response, bent;
	struct ratchet before;
	struct secret i, r;

	ratchet_request(&initiator, &rng, &request);
	ck_assert_int_eq(
		ratchet_respond(&responder, &request, &rng, &response, &r),
		FDP_OK);
	before = initiator;
	for (size_t bit = 0; bit < 8 * REKEY_KEY_BYTES; bit++) {
		initiator = before;
		bent = response;
		bent.key[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (!ratchet_finish(&initiator, &bent, &i)) {
			ck_assert(!secret_equal(&i, &r));
		}
	}
}
END_TEST

START_TEST(wrongEpoch_isRefusedAndChangesNothing)
{
	struct msg_rekey request, response;
	struct secret s;

	ratchet_request(&initiator, &rng, &request);
	request.epoch++;
	ck_assert_int_eq(
		ratchet_respond(&responder, &request, &rng, &response, &s),
		ERR_SEQUENCE);
	ck_assert_uint_eq(responder.epoch, 0);
	request.epoch--;
	ck_assert_int_eq(
		ratchet_respond(&responder, &request, &rng, &response, &s),
		FDP_OK);
	/* The same once more: that epoch is over. */
	ck_assert_int_eq(
		ratchet_respond(&responder, &request, &rng, &response, &s),
		ERR_SEQUENCE);
}
END_TEST

START_TEST(answerToNothing_isRefused)
{
	const struct msg_rekey response = {.epoch = 1, .key = {9}};
	struct secret s;

	ck_assert_int_eq(ratchet_finish(&initiator, &response, &s), ERR_STATE);
}
END_TEST

START_TEST(pointOfLowOrder_isRefused)
{
	struct msg_rekey request = {.epoch = 1}, response;
	struct secret s;

	ck_assert_int_eq(
		ratchet_respond(&responder, &request, &rng, &response, &s),
		ERR_BAD_POINT);
	ck_assert_uint_eq(responder.epoch, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ratchet");
	TCase *tc = tcase_create("ratchet");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, steps_agreeAndNeverRepeat);
	tcase_add_test(tc, steps_areAsSpecified);
	tcase_add_test(tc, otherSession_otherSecret);
	tcase_add_test(tc, anyBitOfTheExchange_changesTheSecret);
	tcase_add_test(tc, wrongEpoch_isRefusedAndChangesNothing);
	tcase_add_test(tc, answerToNothing_isRefused);
	tcase_add_test(tc, pointOfLowOrder_isRefused);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
