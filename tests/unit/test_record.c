#include "mesh/record.h"

#include "vectors.h"

static const struct peer_id author = {{7}};
static struct record record;

static struct binding binding(uint32_t vni, uint32_t n)
{
	struct binding b = {
		.vni = vni,
		.mac = {{2, 0, 0, (uint8_t)(n >> 16), (uint8_t)(n >> 8),
			 (uint8_t)n}},
		.n_ips = 1,
	};
	const uint8_t v4[4] = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8),
			       (uint8_t)n};

	b.ips[0] = ip_from_v4(v4);
	return b;
}

static struct binding_key key(uint32_t vni, uint32_t n)
{
	struct binding b = binding(vni, n);

	return binding_key(&b);
}

static void set(struct record *r, uint32_t vni, uint32_t n)
{
	struct binding b = binding(vni, n);

	ck_assert_int_eq(record_set(r, &b), FDP_OK);
}

static void setup(void)
{
	record_init(&record, &author, 42);
}

static void teardown(void)
{
	record_free(&record);
}

START_TEST(set_and_unset_are_steps_and_stay_sorted)
{
	static const uint32_t order[] = {5, 1, 9, 3, 7, 2, 8};
	struct binding changed = binding(1, 5);
	struct binding_key k = key(1, 5), other = key(2, 5);

	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
		set(&record, 1, order[i]);
		ck_assert_uint_eq(record.seq, i + 1);
	}
	set(&record, 0, 100);
	ck_assert_uint_eq(record.v[0].vni, 0);
	for (size_t i = 2; i < record.n; i++) {
		ck_assert_int_lt(memcmp(&record.v[i - 1].mac, &record.v[i].mac,
					sizeof record.v[i].mac),
				 0);
	}
	ck_assert_ptr_nonnull(record_find(&record, &k));
	ck_assert_ptr_null(record_find(&record, &other));
	/* The same key replaces. */
	changed.n_ips = 0;
	ck_assert_int_eq(record_set(&record, &changed), FDP_OK);
	ck_assert_uint_eq(record.n, 8);
	ck_assert_uint_eq(record_find(&record, &k)->n_ips, 0);
	record_unset(&record, &k);
	ck_assert_ptr_null(record_find(&record, &k));
	ck_assert_uint_eq(record.n, 7);
	ck_assert_uint_eq(record.seq, 10);
}
END_TEST

START_TEST(full_record_refuses_more)
{
	struct binding more = binding(2, 0);
	uint64_t seq;

	for (uint32_t i = 0; i < RECORD_MAX_BINDINGS; i++) {
		set(&record, 1, i);
	}
	seq = record.seq;
	ck_assert_int_eq(record_set(&record, &more), ERR_LIMIT);
	ck_assert_uint_eq(record.seq, seq);
	ck_assert_uint_eq(record.n, RECORD_MAX_BINDINGS);
}
END_TEST

static const uint32_t sizes[] = {0,
				 1,
				 MSG_MAX_BINDINGS - 1,
				 MSG_MAX_BINDINGS,
				 MSG_MAX_BINDINGS + 1,
				 2 * MSG_MAX_BINDINGS,
				 5 * MSG_MAX_BINDINGS + 7};

START_TEST(parts_put_together_are_the_whole)
{
	struct record_inbox inbox;
	struct msg_record m;
	uint16_t part = 0;
	bool complete = false;

	memset(&inbox, 0, sizeof inbox);
	for (uint32_t i = 0; i < sizes[_i]; i++) {
		set(&record, 1 + i % 3, i);
	}
	/* Twice: an inbox serves again. */
	for (int round = 0; round < 2; round++) {
		for (part = 0;; part++) {
			record_part(&record, part, &m);
			ck_assert_uint_le(m.n_bindings, MSG_MAX_BINDINGS);
			ck_assert_int_eq(record_receive(&inbox, &m, &complete),
					 FDP_OK);
			ck_assert(complete == m.last);
			if (m.last) {
				break;
			}
		}
	}
	ck_assert_uint_eq(part,
			  sizes[_i] ? (sizes[_i] - 1) / MSG_MAX_BINDINGS : 0);
	ck_assert(peer_id_equal(&inbox.record.author, &author));
	ck_assert_uint_eq(inbox.record.incarnation, 42);
	ck_assert_uint_eq(inbox.record.seq, record.seq);
	ck_assert_uint_eq(inbox.record.n, record.n);
	for (size_t i = 0; i < record.n; i++) {
		ck_assert(binding_equal(&inbox.record.v[i], &record.v[i]));
	}
	record_free(&inbox.record);
}
END_TEST

/* What may go wrong with the second part of two. */
static void other_author(struct msg_record *m)
{
	m->author.b[0]++;
}
static void other_incarnation(struct msg_record *m)
{
	m->incarnation++;
}
static void other_seq(struct msg_record *m)
{
	m->seq++;
}
static void part_left_out(struct msg_record *m)
{
	m->part++;
}
static void part_again(struct msg_record *m)
{
	m->part = 1;
}
static void group_mac(struct msg_record *m)
{
	m->bindings[0].mac.b[0] |= 1;
}
static void binding_twice(struct msg_record *m)
{
	m->bindings[0] = binding(1, 0);
}

static const struct {
	void (*spoil)(struct msg_record *);
	enum err err;
} spoilt[] = {
	{other_author, ERR_SEQUENCE},	{other_incarnation, ERR_SEQUENCE},
	{other_seq, ERR_SEQUENCE},	{part_left_out, ERR_SEQUENCE},
	{part_again, ERR_SEQUENCE},	{group_mac, ERR_MALFORMED},
	{binding_twice, ERR_MALFORMED},
};

START_TEST(spoilt_part_refused_and_a_new_start_needed)
{
	struct binding copy[MSG_MAX_BINDINGS];
	struct record_inbox inbox;
	struct msg_record m;
	bool complete;

	memset(&inbox, 0, sizeof inbox);
	for (uint32_t i = 0; i < 3 * MSG_MAX_BINDINGS; i++) {
		set(&record, 1, i);
	}
	for (uint16_t part = 0; part < 2; part++) {
		record_part(&record, part, &m);
		ck_assert_int_eq(record_receive(&inbox, &m, &complete), FDP_OK);
	}
	record_part(&record, 2, &m);
	memcpy(copy, m.bindings, m.n_bindings * sizeof copy[0]);
	m.bindings = copy;
	spoilt[_i].spoil(&m);
	ck_assert_int_eq(record_receive(&inbox, &m, &complete), spoilt[_i].err);
	record_part(&record, 2, &m);
	ck_assert_int_eq(record_receive(&inbox, &m, &complete), ERR_SEQUENCE);
	for (uint16_t part = 0; part < 3; part++) {
		record_part(&record, part, &m);
		ck_assert_int_eq(record_receive(&inbox, &m, &complete), FDP_OK);
	}
	ck_assert(complete);
	record_free(&inbox.record);
}
END_TEST

START_TEST(endless_parts_refused_at_the_limit)
{
	struct binding many[MSG_MAX_BINDINGS];
	struct record_inbox inbox;
	struct msg_record m = {.author = author,
			       .bindings = many,
			       .n_bindings = MSG_MAX_BINDINGS};
	enum err err = FDP_OK;
	uint32_t n = 0;
	bool complete;

	memset(&inbox, 0, sizeof inbox);
	for (; !err; m.part++) {
		for (size_t i = 0; i < MSG_MAX_BINDINGS; i++) {
			many[i] = binding(1, n++);
		}
		err = record_receive(&inbox, &m, &complete);
	}
	ck_assert_int_eq(err, ERR_LIMIT);
	ck_assert_uint_le(inbox.record.n, RECORD_MAX_BINDINGS);
	record_free(&inbox.record);
}
END_TEST

START_TEST(steps_follow_the_author)
{
	struct record copy;
	struct binding b;
	struct binding_key k;
	struct msg_update m = {.author = author, .incarnation = 42};

	record_init(&copy, &author, 42);
	for (uint32_t i = 1; i < 20; i++) {
		memset(&m.added, 0, sizeof m.added);
		m.n_added = m.n_removed = 0;
		if (i % 4) {
			b = binding(1, i);
			ck_assert_int_eq(record_set(&record, &b), FDP_OK);
			m.added = &b;
			m.n_added = 1;
		} else {
			k = key(1, i - 2);
			record_unset(&record, &k);
			m.removed = &k;
			m.n_removed = 1;
		}
		m.seq = record.seq;
		ck_assert_int_eq(record_step(&copy, &m), FDP_OK);
		ck_assert_uint_eq(copy.seq, record.seq);
		ck_assert_uint_eq(copy.n, record.n);
	}
	for (size_t i = 0; i < record.n; i++) {
		ck_assert(binding_equal(&copy.v[i], &record.v[i]));
	}
	record_free(&copy);
}
END_TEST

START_TEST(wrong_steps_refused_and_nothing_changed)
{
	struct binding good = binding(1, 2), bad = binding(1, 3);
	struct binding both[2];
	struct binding_key k = key(1, 1);
	struct msg_update m = {.author = author, .incarnation = 42, .seq = 2};

	set(&record, 1, 1);
	m.seq = 1; /* Said already. */
	ck_assert_int_eq(record_step(&record, &m), ERR_SEQUENCE);
	m.seq = 3; /* One is missing. */
	ck_assert_int_eq(record_step(&record, &m), ERR_SEQUENCE);
	m.seq = 2;
	m.incarnation = 41;
	ck_assert_int_eq(record_step(&record, &m), ERR_SEQUENCE);
	m.incarnation = 42;
	m.author.b[3] = 1;
	ck_assert_int_eq(record_step(&record, &m), ERR_SEQUENCE);
	m.author = author;
	bad.mac.b[0] = 1;
	both[0] = good;
	both[1] = bad;
	m.added = both;
	m.n_added = 2;
	m.removed = &k;
	m.n_removed = 1;
	ck_assert_int_eq(record_step(&record, &m), ERR_MALFORMED);
	ck_assert_uint_eq(record.n, 1);
	ck_assert_uint_eq(record.seq, 1);
	ck_assert_ptr_nonnull(record_find(&record, &k));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("record");
	TCase *tcase = tcase_create("record");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, set_and_unset_are_steps_and_stay_sorted);
	tcase_add_test(tcase, full_record_refuses_more);
	tcase_add_loop_test(tcase, parts_put_together_are_the_whole, 0,
			    sizeof sizes / sizeof sizes[0]);
	tcase_add_loop_test(tcase, spoilt_part_refused_and_a_new_start_needed,
			    0, sizeof spoilt / sizeof spoilt[0]);
	tcase_add_test(tcase, endless_parts_refused_at_the_limit);
	tcase_add_test(tcase, steps_follow_the_author);
	tcase_add_test(tcase, wrong_steps_refused_and_nothing_changed);
	suite_add_tcase(suite, tcase);
	return vectors_main(suite);
}
