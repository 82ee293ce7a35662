/* The engine's tunnel to one peer: order of SAs and policies, and what it makes
 * of a peer that knows the password and misbehaves. */
#include "straw.h"

#include "ipsec/policy.h"

#define SECOND UINT64_C(1000000)

static struct far f;

static void setup_lanes(void)
{
	straw_sas_per_peer = 4;
	straw_start(true);
	far_connect(&f, "192.0.2.7", 7, true);
	straw_sas_per_peer = 1;
}

static void setup(void)
{
	straw_start(true);
	far_connect(&f, "192.0.2.7", 7, true);
}

static void teardown(void)
{
	far_free(&f);
	straw_stop();
}

/* The number of the first op of that type from 'from' on for which 'is' holds;
 * the number of ops if there is none. */
static size_t find_op(size_t from, enum op_type type,
		      bool (*is)(const struct op *))
{
	size_t i = from;

	while (i < straw.all.n &&
	       (straw.all.v[i].type != type || (is && !is(&straw.all.v[i])))) {
		i++;
	}
	return i;
}

static size_t count_ops(size_t from, enum op_type type)
{
	size_t n = 0;

	for (size_t i = from; i < straw.all.n; i++) {
		n += straw.all.v[i].type == type;
	}
	return n;
}

static bool is_to_us(const struct op *op)
{
	struct ip_addr us = straw_ip("192.0.2.1");

	return ip_equal(op->type == OP_SA_ADD ? &op->sa.dst : &op->policy.dst,
			&us);
}

static bool is_from_us(const struct op *op)
{
	struct ip_addr us = straw_ip("192.0.2.1");

	return ip_equal(op->type == OP_SA_ADD ? &op->sa.src : &op->policy.src,
			&us);
}

static bool is_pin(const struct op *op)
{
	return op->policy.spi != 0;
}

static struct message offer_of(uint32_t spi)
{
	struct message m = {.type = MSG_SA_OFFER};

	m.sa_offer.spis[0] = spi;
	m.sa_offer.n_spis = 1;
	m.sa_offer.salt[0] = (uint8_t)spi;
	m.sa_offer.src_ip = straw_ip("192.0.2.1");
	m.sa_offer.dst_ip = straw_ip("192.0.2.7");
	m.sa_offer.vxlan_port = 6784;
	m.sa_offer.mtu = 1500;
	return m;
}

static void send_offer(uint32_t spi)
{
	struct message m = offer_of(spi);

	far_send(&f, &m);
}

static void send_active(void)
{
	struct message m = {.type = MSG_SA_ACTIVE};
	const struct message *offer = far_got(&f, MSG_SA_OFFER);

	ck_assert_ptr_nonnull(offer);
	m.sa_active.spi = offer->sa_offer.spis[0];
	m.sa_active.epoch = offer->sa_offer.epoch;
	far_send(&f, &m);
}

static void agree(void)
{
	send_offer(0x1000);
	send_active();
	straw_demand_row("established", "");
}

START_TEST(policies_then_inbound_sa_then_offer)
{
	size_t in = find_op(0, OP_POLICY_PUT, is_to_us);
	size_t out = find_op(0, OP_POLICY_PUT, is_from_us);
	size_t sa = find_op(0, OP_SA_ADD, is_to_us);
	const struct message *offer = far_got(&f, MSG_SA_OFFER);

	ck_assert_uint_lt(in, sa);
	ck_assert_uint_lt(out, sa);
	ck_assert_uint_lt(sa, straw.all.n);
	ck_assert_uint_eq(straw.all.v[in].policy.reqid,
			  straw.all.v[sa].sa.reqid);
	ck_assert_uint_eq(straw.all.v[out].policy.reqid,
			  straw.all.v[sa].sa.reqid);
	ck_assert_ptr_nonnull(offer);
	ck_assert_uint_eq(offer->sa_offer.spis[0], straw.all.v[sa].sa.spi);
	/* Nothing is sent before the peer has offered. */
	ck_assert_uint_eq(find_op(0, OP_SA_ADD, is_from_us), straw.all.n);
	ck_assert_uint_eq(find_op(0, OP_POLICY_PUT, is_pin), straw.all.n);
	straw_demand_row("established", "keying");
}
END_TEST

START_TEST(offer_then_outbound_sa_then_pin_then_active)
{
	size_t sa, pin;
	const struct message *active;

	send_offer(0x1000);
	sa = find_op(0, OP_SA_ADD, is_from_us);
	pin = find_op(0, OP_POLICY_PUT, is_pin);
	ck_assert_uint_lt(sa, pin);
	ck_assert_uint_lt(pin, straw.all.n);
	ck_assert_uint_eq(straw.all.v[sa].sa.spi, 0x1000);
	ck_assert_uint_eq(straw.all.v[pin].policy.spi, 0x1000);
	active = far_got(&f, MSG_SA_ACTIVE);
	ck_assert_ptr_nonnull(active);
	ck_assert_uint_eq(active->sa_active.spi, 0x1000);
	straw_demand_row("established", "keying");
	send_active();
	straw_demand_row("established", "");
}
END_TEST

START_TEST(active_first_up_all_the_same)
{
	send_active();
	straw_demand_row("established", "keying");
	send_offer(0x1000);
	straw_demand_row("established", "");
}
END_TEST

/* Both ends derive the same keys. */
START_TEST(keys_are_those_of_the_peer)
{
	const struct message *offer = far_got(&f, MSG_SA_OFFER);
	struct esp_key_params key = {.direction = KEY_I2R};
	struct message ours = offer_of(0x1000);
	struct esp_keymat keymat;
	struct secret esp;
	size_t in, out;

	agree();
	in = find_op(0, OP_SA_ADD, is_to_us);
	out = find_op(0, OP_SA_ADD, is_from_us);
	session_export(&f.s1, KEY_LABEL_ESP, &esp);
	memcpy(key.salt, offer->sa_offer.salt, sizeof key.salt);
	key.spi = offer->sa_offer.spis[0];
	key.src_id = f.id;
	key.dst_id.b[0] = 0x80;
	key.src_ip = straw_ip("192.0.2.7");
	key.dst_ip = straw_ip("192.0.2.1");
	esp_key(&esp, &key, &keymat);
	ck_assert_mem_eq(straw.all.v[in].sa.key, keymat.b, sizeof keymat.b);
	key.direction = KEY_R2I;
	memcpy(key.salt, ours.sa_offer.salt, sizeof key.salt);
	key.spi = 0x1000;
	key.src_id = key.dst_id;
	key.dst_id = f.id;
	key.src_ip = straw_ip("192.0.2.1");
	key.dst_ip = straw_ip("192.0.2.7");
	esp_key(&esp, &key, &keymat);
	ck_assert_mem_eq(straw.all.v[out].sa.key, keymat.b, sizeof keymat.b);
}
END_TEST

START_TEST(offer_said_twice_installed_once)
{
	size_t before = straw.n_sa_adds;

	send_offer(0x1000);
	send_offer(0x1000);
	send_active();
	send_offer(0x1000);
	ck_assert_uint_eq(straw.n_sa_adds, before + 1);
	straw_demand_row("established", "");
}
END_TEST

/* One offer an epoch: no more SAs than that, however many there are. */
START_TEST(flood_of_offers_one_sa)
{
	size_t before = straw.n_sa_adds;

	for (uint32_t i = 0; i < 100; i++) {
		send_offer(0x1000 + i);
	}
	ck_assert_uint_eq(straw.n_sa_adds, before + 1);
	send_active();
	straw_demand_row("established", "");
}
END_TEST

static void other_source(struct msg_sa_offer *m)
{
	m->src_ip = straw_ip("198.51.100.1");
}
static void other_destination(struct msg_sa_offer *m)
{
	m->dst_ip = straw_ip("192.0.2.8");
}

static void (*const translations[])(struct msg_sa_offer *) = {
	other_source, other_destination};

START_TEST(offer_for_other_addresses_not_taken_and_said)
{
	struct message m = offer_of(0x1000);
	size_t before = straw.n_sa_adds;

	translations[_i](&m.sa_offer);
	far_send(&f, &m);
	ck_assert_uint_eq(straw.n_sa_adds, before);
	ck_assert(!f.closed);
	straw_demand_row("established", "nat");
}
END_TEST

START_TEST(offer_of_another_epoch_not_taken)
{
	struct message m = offer_of(0x1000);
	size_t before = straw.n_sa_adds;

	m.sa_offer.epoch = 1;
	far_send(&f, &m);
	ck_assert_uint_eq(straw.n_sa_adds, before);
}
END_TEST

START_TEST(active_for_what_was_not_offered_ignored)
{
	struct message m = {.type = MSG_SA_ACTIVE,
			    .sa_active = {.spi = 0x7777}};

	send_offer(0x1000);
	far_send(&f, &m);
	straw_demand_row("established", "keying");
}
END_TEST

/* A whole rekey, from the far end, which is the initiator here. */
static void rekey(struct ratchet *ratchet)
{
	struct message m = {.type = MSG_REKEY_REQUEST};
	struct secret s1;

	ratchet_request(ratchet, &straw_rng, &m.rekey);
	far_send(&f, &m);
	ck_assert_ptr_nonnull(far_got(&f, MSG_REKEY_RESPONSE));
	ck_assert_int_eq(ratchet_finish(ratchet,
					&far_got(&f, MSG_REKEY_RESPONSE)->rekey,
					&s1),
			 FDP_OK);
}

START_TEST(rekey_swaps_and_old_ones_linger)
{
	struct ratchet ratchet;
	struct message m;
	size_t before, sas;

	agree();
	ratchet_init(&ratchet, &f.s1);
	before = straw.all.n;
	sas = straw.n_sa_adds;
	rekey(&ratchet);
	ck_assert_uint_eq(far_got(&f, MSG_SA_OFFER)->sa_offer.epoch, 1);
	m = offer_of(0x2000);
	m.sa_offer.epoch = 1;
	far_send(&f, &m);
	send_active();
	ck_assert_uint_eq(straw.n_sa_adds, sas + 2);
	ck_assert_uint_eq(far_got(&f, MSG_SA_ACTIVE)->sa_active.spi, 0x2000);
	/* Never without policies meanwhile, nor without SAs for long. */
	ck_assert_uint_eq(count_ops(before, OP_POLICY_DEL), 0);
	ck_assert_uint_eq(count_ops(before, OP_SA_DEL), 0);
	for (int i = 0; i < 70; i++) {
		struct message ping = {.type = MSG_PING};

		straw_wait(SECOND);
		far_send(&f, &ping);
	}
	ck_assert_uint_eq(count_ops(before, OP_SA_DEL), 2);
	ck_assert_uint_eq(count_ops(before, OP_POLICY_DEL), 0);
	straw_demand_row("established", "");
}
END_TEST

/* A rekey is finished before the next one begins. */
START_TEST(flood_of_rekeys_cut_off)
{
	struct ratchet ratchet;
	size_t before;

	agree();
	ratchet_init(&ratchet, &f.s1);
	before = straw.n_sa_adds;
	for (int i = 0; i < 100 && !f.closed; i++) {
		struct message m = {.type = MSG_REKEY_REQUEST};
		const struct message *answer;
		struct secret s1;

		ratchet_request(&ratchet, &straw_rng, &m.rekey);
		far_send(&f, &m);
		answer = far_got(&f, MSG_REKEY_RESPONSE);
		if (!f.closed) {
			ck_assert_int_eq(
				ratchet_finish(&ratchet, &answer->rekey, &s1),
				FDP_OK);
		}
	}
	ck_assert(f.closed);
	ck_assert_uint_le(straw.n_sa_adds, before + 2);
}
END_TEST

START_TEST(lost_for_a_minute_flows_then_sas_then_policies)
{
	struct event event = {.type = EVENT_CLOSED};
	size_t before, sa, policy;

	agree();
	event.conn = f.conn;
	straw_step(&event);
	before = straw.all.n;
	straw_wait(59 * SECOND);
	ck_assert_uint_eq(count_ops(before, OP_SA_DEL), 0);
	straw_wait(2 * SECOND);
	sa = find_op(before, OP_SA_DEL, NULL);
	policy = find_op(before, OP_POLICY_DEL, NULL);
	ck_assert_uint_lt(sa, policy);
	ck_assert_uint_eq(count_ops(before, OP_SA_DEL), 2);
	ck_assert_uint_eq(count_ops(before, OP_POLICY_DEL), 2);
	for (size_t i = before; i < straw.all.n; i++) {
		ck_assert(straw.all.v[i].type != OP_POLICY_DEL ||
			  !straw.all.v[i].policy.block);
	}
}
END_TEST

/* ---- Several SAs ---- */

static void send_offer_of(uint32_t spi, size_t n, uint32_t epoch)
{
	struct message m = offer_of(spi);

	for (size_t i = 0; i < n; i++) {
		m.sa_offer.spis[i] = spi + (uint32_t)i;
	}
	m.sa_offer.n_spis = n;
	m.sa_offer.epoch = epoch;
	far_send(&f, &m);
}

/* The number of the last op of that type for which 'is' holds. */
static size_t last_op(enum op_type type, bool (*is)(const struct op *))
{
	size_t i = straw.all.n - 1;

	while (straw.all.v[i].type != type || !is(&straw.all.v[i])) {
		ck_assert_uint_gt(i, 0);
		i--;
	}
	return i;
}

/* What 'mark' asks for is pinned to 'spi', by the last word on it. */
static void demand_pin(uint32_t mark, uint32_t spi)
{
	uint32_t pinned = 0;

	for (size_t i = 0; i < straw.all.n; i++) {
		const struct xfrm_policy *p = &straw.all.v[i].policy;

		if (straw.all.v[i].type == OP_POLICY_PUT &&
		    is_from_us(&straw.all.v[i]) && !p->block &&
		    p->mark == mark) {
			ck_assert_uint_eq(p->mark_mask, mark ? 0xf0 : 0);
			pinned = p->spi;
		}
		if (straw.all.v[i].type == OP_POLICY_DEL &&
		    is_from_us(&straw.all.v[i]) && p->mark == mark) {
			pinned = 0;
		}
	}
	ck_assert_uint_eq(pinned, spi);
}

START_TEST(several_all_in_then_offer_all_out_then_all_pins_then_active)
{
	const struct message *offer = far_got(&f, MSG_SA_OFFER);

	ck_assert_ptr_nonnull(offer);
	ck_assert_uint_eq(offer->sa_offer.n_spis, 4);
	ck_assert_uint_eq(straw.n_sa_adds, 4);
	for (size_t i = 0; i < straw.all.n; i++) {
		const struct op *op = &straw.all.v[i];

		if (op->type == OP_SA_ADD) {
			ck_assert_uint_eq(op->sa.replay_window, 4096);
		}
	}
	send_offer_of(0x1000, 4, 0);
	ck_assert_uint_eq(straw.n_sa_adds, 8);
	ck_assert_uint_lt(last_op(OP_SA_ADD, is_from_us),
			  find_op(0, OP_POLICY_PUT, is_pin));
	for (uint32_t i = 0; i < 4; i++) {
		demand_pin(i << 4, 0x1000 + i);
	}
	ck_assert_uint_eq(far_got(&f, MSG_SA_ACTIVE)->sa_active.spi, 0x1000);
	send_active();
	straw_demand_row("established", "");
	/* No two of one key. */
	for (size_t i = 0; i < straw.all.n; i++) {
		for (size_t j = 0; j < i; j++) {
			ck_assert(straw.all.v[i].type != OP_SA_ADD ||
				  straw.all.v[j].type != OP_SA_ADD ||
				  memcmp(straw.all.v[i].sa.key,
					 straw.all.v[j].sa.key, XFRM_KEY_SIZE));
		}
	}
}
END_TEST

START_TEST(peer_offers_fewer_or_more_as_many_as_both_want)
{
	size_t before = straw.n_sa_adds, n = (size_t)_i;

	send_offer_of(0x1000, n, 0);
	send_active();
	straw_demand_row("established", "");
	ck_assert_uint_eq(straw.n_sa_adds, before + (n < 4 ? n : 4));
	for (uint32_t i = 0; i < 4; i++) {
		demand_pin(i << 4, i < n ? 0x1000 + i : 0);
	}
}
END_TEST

/* A rekey to an offer of fewer: the others' policies go, nothing else. */
START_TEST(rekey_with_fewer_surplus_policies_removed)
{
	struct ratchet ratchet;
	size_t before;

	send_offer_of(0x1000, 4, 0);
	send_active();
	ratchet_init(&ratchet, &f.s1);
	before = straw.all.n;
	rekey(&ratchet);
	send_offer_of(0x2000, 2, 1);
	send_active();
	straw_demand_row("established", "");
	demand_pin(0x00, 0x2000);
	demand_pin(0x10, 0x2001);
	demand_pin(0x20, 0);
	demand_pin(0x30, 0);
	ck_assert_uint_eq(count_ops(before, OP_POLICY_DEL), 2);
	ck_assert_uint_eq(count_ops(before, OP_SA_DEL), 0);
}
END_TEST

/* An SPI that is known makes the whole offer void: its key would be installed
 * twice. */
START_TEST(offer_with_a_known_spi_not_taken)
{
	struct ratchet ratchet;
	size_t before;

	send_offer_of(0x1000, 4, 0);
	send_active();
	ratchet_init(&ratchet, &f.s1);
	rekey(&ratchet);
	before = straw.n_sa_adds;
	send_offer_of(0x1003, 4, 1);
	ck_assert_uint_eq(straw.n_sa_adds, before);
}
END_TEST

START_TEST(one_of_several_lost_all_are_renewed)
{
	struct event event = {.type = EVENT_XFRM};
	struct xfrm_event x = {.type = XFRM_EVENT_SA_DELETED};
	unsigned int lane = (unsigned int)_i % 4;

	send_offer_of(0x1000, 4, 0);
	send_active();
	if (_i < 4) {
		x.sa.dst = straw_ip("192.0.2.7");
		x.sa.spi = 0x1000 + lane;
	} else {
		x.sa.dst = straw_ip("192.0.2.1");
		x.sa.spi = far_got(&f, MSG_SA_OFFER)->sa_offer.spis[lane];
	}
	event.xfrm = &x;
	straw_step(&event);
	far_send(&f, &(struct message){.type = MSG_PING});
	ck_assert_ptr_nonnull(far_got(&f, MSG_REKEY_ASK));
}
END_TEST

/* Each policy that somebody removes is put back, pinned as it was. */
START_TEST(policy_of_a_lane_removed_put_back)
{
	struct event event = {.type = EVENT_XFRM};
	struct xfrm_event x = {.type = XFRM_EVENT_POLICY_DELETED};
	size_t before;

	send_offer_of(0x1000, 4, 0);
	send_active();
	x.policy = straw.all.v[last_op(OP_POLICY_PUT, is_pin)].policy;
	ck_assert_uint_eq(x.policy.mark, 0x30);
	event.xfrm = &x;
	before = straw.all.n;
	straw_step(&event);
	ck_assert_uint_eq(count_ops(before, OP_POLICY_PUT), 5);
	demand_pin(0x30, 0x1003);
	/* One that we never had is nobody's business. */
	x.policy.mark = 0x40;
	before = straw.all.n;
	straw_step(&event);
	ck_assert_uint_eq(count_ops(before, OP_POLICY_PUT), 0);
}
END_TEST

START_TEST(several_lost_for_a_minute_all_removed)
{
	struct event event = {.type = EVENT_CLOSED};
	size_t before;

	send_offer_of(0x1000, 4, 0);
	send_active();
	event.conn = f.conn;
	straw_step(&event);
	before = straw.all.n;
	straw_wait(61 * SECOND);
	ck_assert_uint_eq(count_ops(before, OP_SA_DEL), 8);
	ck_assert_uint_eq(count_ops(before, OP_POLICY_DEL), 5);
}
END_TEST

#define N(A) ((int)(sizeof(A) / sizeof((A)[0])))

int main(void)
{
	Suite *suite = suite_create("tunnel");
	TCase *tcase = tcase_create("tunnel");
	TCase *lanes = tcase_create("lanes");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, policies_then_inbound_sa_then_offer);
	tcase_add_test(tcase, offer_then_outbound_sa_then_pin_then_active);
	tcase_add_test(tcase, active_first_up_all_the_same);
	tcase_add_test(tcase, keys_are_those_of_the_peer);
	tcase_add_test(tcase, offer_said_twice_installed_once);
	tcase_add_test(tcase, flood_of_offers_one_sa);
	tcase_add_loop_test(tcase, offer_for_other_addresses_not_taken_and_said,
			    0, N(translations));
	tcase_add_test(tcase, offer_of_another_epoch_not_taken);
	tcase_add_test(tcase, active_for_what_was_not_offered_ignored);
	tcase_add_test(tcase, rekey_swaps_and_old_ones_linger);
	tcase_add_test(tcase, flood_of_rekeys_cut_off);
	tcase_add_test(tcase, lost_for_a_minute_flows_then_sas_then_policies);
	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(lanes, setup_lanes, teardown);
	tcase_add_test(
		lanes,
		several_all_in_then_offer_all_out_then_all_pins_then_active);
	tcase_add_loop_test(
		lanes, peer_offers_fewer_or_more_as_many_as_both_want, 1, 17);
	tcase_add_test(lanes, rekey_with_fewer_surplus_policies_removed);
	tcase_add_test(lanes, offer_with_a_known_spi_not_taken);
	tcase_add_loop_test(lanes, one_of_several_lost_all_are_renewed, 0, 8);
	tcase_add_test(lanes, policy_of_a_lane_removed_put_back);
	tcase_add_test(lanes, several_lost_for_a_minute_all_removed);
	suite_add_tcase(suite, lanes);
	return vectors_main(suite);
}
