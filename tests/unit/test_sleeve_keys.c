/* The engine's sleeve to one peer: order of keys and messages, and what it
 * makes of a peer that knows the password and misbehaves. */
#include "session/keys.h"
#include "straw.h"

#define SECOND UINT64_C(1000000)

static struct far f;

static void start(bool user)
{
	straw_sleeve = true;
	straw_user = user;
	straw_start(true);
	far_connect(&f, "192.0.2.7", 7, true);
	straw_sleeve = straw_user = false;
}

static void setup_user(void)
{
	start(true);
}

static void setup_beside(void)
{
	start(false);
}

static void teardown(void)
{
	far_free(&f);
	straw_stop();
}

static size_t count_ops(enum op_type type)
{
	size_t n = 0;

	for (size_t i = 0; i < straw.all.n; i++) {
		n += straw.all.v[i].type == type;
	}
	return n;
}

/* The last one; the test fails if there is none. */
static const struct op *last_op(enum op_type type)
{
	for (size_t i = straw.all.n; i--;) {
		if (straw.all.v[i].type == type) {
			return &straw.all.v[i];
		}
	}
	ck_abort_msg("no op %s", op_type_name(type));
	return NULL;
}

static void tell(uint32_t index, uint32_t epoch, enum sleeve_cipher cipher,
		 uint16_t port)
{
	struct message m = {.type = MSG_SLEEVE};

	m.sleeve.index = index;
	m.sleeve.epoch = epoch;
	m.sleeve.cipher = cipher;
	m.sleeve.port = port;
	far_send(&f, &m);
}

static void demand_key(const struct op *op, enum key_direction direction)
{
	struct secret key;

	sleeve_key(&f.s1, 0, direction, &key);
	ck_assert(secret_equal(&key, &op->sleeve.key));
}

/* The engine is the responder: what comes in the initiator has sealed. */
START_TEST(what_opens_is_there_before_the_peer_is_told)
{
	const struct message *m = far_got(&f, MSG_SLEEVE);
	const struct op *in = last_op(OP_SLEEVE_IN);

	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(count_ops(OP_SLEEVE_IN), 1);
	ck_assert_uint_eq(m->sleeve.index, in->sleeve.index);
	ck_assert_uint_ne(in->sleeve.index, 0);
	ck_assert_uint_eq(m->sleeve.port, 6783);
	ck_assert_int_eq(m->sleeve.cipher, SLEEVE_CIPHER_XSALSA20);
	ck_assert_int_eq(in->sleeve.cipher, SLEEVE_CIPHER_XSALSA20);
	ck_assert(in->sleeve.initiator);
	demand_key(in, KEY_I2R);
	ck_assert_uint_eq(count_ops(OP_SLEEVE_OUT), 0);
}
END_TEST

START_TEST(what_seals_is_made_of_what_the_peer_tells)
{
	const struct op *out;

	tell(0xabc, 0, SLEEVE_CIPHER_XSALSA20, 7000);
	out = last_op(OP_SLEEVE_OUT);
	ck_assert_uint_eq(out->sleeve.index, 0xabc);
	ck_assert(!out->sleeve.initiator);
	demand_key(out, KEY_R2I);
	ck_assert(ip_equal(&out->sleeve.remote.ip, &f.remote.ip));
	ck_assert_uint_eq(out->sleeve.remote.port, 7000);
	ck_assert(ip_equal(&out->sleeve.local, &f.local.ip));
	/* Never twice: nonces would begin again. */
	tell(0xabc, 0, SLEEVE_CIPHER_XSALSA20, 7000);
	tell(0xdef, 0, SLEEVE_CIPHER_XSALSA20, 7000);
	ck_assert_uint_eq(count_ops(OP_SLEEVE_OUT), 1);
	ck_assert(!f.closed);
}
END_TEST

START_TEST(what_does_not_fit_is_void)
{
	tell(0xabc, 1, SLEEVE_CIPHER_XSALSA20, 6783); /* No such epoch yet. */
	tell(0xabc, 0, SLEEVE_CIPHER_NONE, 6783);
	tell(0xabc, 0, SLEEVE_CIPHER_AES_GCM, 6783);
	ck_assert_uint_eq(count_ops(OP_SLEEVE_OUT), 0);
	ck_assert(!f.closed);
	tell(0xabc, 0, SLEEVE_CIPHER_XSALSA20, 6783);
	ck_assert_uint_eq(count_ops(OP_SLEEVE_OUT), 1);
}
END_TEST

START_TEST(old_index_lingers_after_a_new_session)
{
	const uint32_t old = last_op(OP_SLEEVE_IN)->sleeve.index;
	struct far again;

	tell(0xabc, 0, SLEEVE_CIPHER_XSALSA20, 6783);
	straw_sleeve = straw_user = true;
	far_connect(&again, "192.0.2.7", 7, true);
	straw_sleeve = straw_user = false;
	ck_assert_uint_eq(count_ops(OP_SLEEVE_IN), 2);
	ck_assert_uint_ne(last_op(OP_SLEEVE_IN)->sleeve.index, old);
	/* What seals stays until the peer has told of another. */
	ck_assert_uint_eq(count_ops(OP_SLEEVE_OUT), 1);
	ck_assert_uint_eq(count_ops(OP_SLEEVE_DEL), 0);
	for (unsigned int i = 0; i < 59; i++) {
		straw_wait(SECOND);
	}
	ck_assert_uint_eq(count_ops(OP_SLEEVE_IN_DEL), 0);
	straw_wait(2 * SECOND);
	ck_assert_uint_eq(count_ops(OP_SLEEVE_IN_DEL), 1);
	ck_assert_uint_eq(last_op(OP_SLEEVE_IN_DEL)->sleeve.index, old);
	far_free(&again);
}
END_TEST

START_TEST(user_space_needs_nothing_of_ipsec)
{
	ck_assert(last_op(OP_DATAPATH_ADD)->datapath.user);
	ck_assert_int_eq(last_op(OP_VPORT_ADD)->vport.type, ODP_VPORT_SLEEVE);
	tell(0xabc, 0, SLEEVE_CIPHER_XSALSA20, 6783);
	ck_assert_uint_eq(count_ops(OP_POLICY_PUT), 0);
	ck_assert_uint_eq(count_ops(OP_GUARD_PUT), 0);
	ck_assert_uint_eq(count_ops(OP_SA_ADD), 0);
}
END_TEST

/* The trunk has a number of its own choice, and lanes before they are used. */
START_TEST(trunk_is_a_tap_beside_the_tunnel)
{
	const struct op *trunk = NULL;

	for (size_t i = 0; i < straw.all.n; i++) {
		const struct op *op = &straw.all.v[i];

		if (op->type == OP_VPORT_ADD &&
		    op->vport.type == ODP_VPORT_TAP) {
			trunk = op;
		}
	}
	ck_assert_ptr_nonnull(trunk);
	ck_assert_str_eq(trunk->vport.name, "fdp-sleeve");
	ck_assert_str_eq(trunk->tap_ifname, "fdp-sleeve");
	ck_assert_str_eq(trunk->tap_netns, "");
	ck_assert_uint_ge(trunk->vport.port_no, 32768);
	ck_assert_uint_lt(trunk->vport.port_no, ODP_MAX_PORTS);
	ck_assert_uint_eq(count_ops(OP_SLEEVE_LANE), 1); /* That of probes. */
	ck_assert(!last_op(OP_DATAPATH_ADD)->datapath.user);
	ck_assert_uint_gt(count_ops(OP_SA_ADD), 0);
}
END_TEST

static TCase *tcase(const char *name, void (*setup)(void))
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, teardown);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("sleeve keys");
	TCase *user = tcase("user", setup_user);
	TCase *beside = tcase("beside", setup_beside);
	SRunner *runner;
	int failed;

	tcase_add_test(user, what_opens_is_there_before_the_peer_is_told);
	tcase_add_test(user, what_seals_is_made_of_what_the_peer_tells);
	tcase_add_test(user, what_does_not_fit_is_void);
	tcase_add_test(user, old_index_lingers_after_a_new_session);
	tcase_add_test(user, user_space_needs_nothing_of_ipsec);
	tcase_add_test(beside, what_opens_is_there_before_the_peer_is_told);
	tcase_add_test(beside, what_seals_is_made_of_what_the_peer_tells);
	tcase_add_test(beside, what_does_not_fit_is_void);
	tcase_add_test(beside, trunk_is_a_tap_beside_the_tunnel);
	suite_add_tcase(suite, user);
	suite_add_tcase(suite, beside);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
