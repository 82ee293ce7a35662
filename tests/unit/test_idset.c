#include "mesh/idset.h"

#include <stdlib.h>
#include <string.h>

#include "session/statement.h"
#include "unit/world.h"
#include "vectors.h"

enum {
	N_HOSTS = 300,
	N_SETS = 20,
	ROUNDS = 2000
};

static int compare(const void *a, const void *b)
{
	return peer_id_compare(a, b);
}

/* 'n' of the hosts, in no order. */
static size_t draw(struct dice *dice, struct peer_id *v)
{
	size_t n = 0;

	for (unsigned int i = 0; i < N_HOSTS; i++) {
		size_t place;

		if (dice_roll(dice, 2)) {
			continue;
		}
		place = dice_roll(dice, (uint32_t)n + 1);
		v[n] = v[place];
		memset(&v[place], 0, sizeof v[place]);
		v[place].b[0] = (uint8_t)(i * 7);
		v[place].b[15] = (uint8_t)(i >> 8);
		n++;
	}
	return n;
}

/* One that is in it, and one that need not be. */
static void check_has(const struct id_set *set, const struct id_table *table,
		      const struct peer_id *wanted, struct dice *dice)
{
	struct peer_id id = {.b = {1}}, found;
	bool is_in;

	if (set->n) {
		id = wanted[dice_roll(dice, (uint32_t)set->n)];
		ck_assert(id_set_has(set, table, &id));
		ck_assert_uint_eq(id_table_numbered(table,
						    statement_link_number(&id),
						    &found),
				  1);
		ck_assert(peer_id_equal(&found, &id));
	}
	id.b[0] = (uint8_t)(dice_roll(dice, N_HOSTS) * 7);
	is_in = set->n && bsearch(&id, wanted, set->n, sizeof id, compare);
	ck_assert_int_eq(id_set_has(set, table, &id), is_in);
	id.b[7] = 1;
	ck_assert(!id_set_has(set, table, &id));
	ck_assert_uint_eq(
		id_table_numbered(table, statement_link_number(&id), &found),
		0);
}

START_TEST(what_was_put_comes_back_in_order)
{
	struct dice dice = {.state = (uint64_t)_i + 1};
	struct id_table table;
	struct id_set sets[N_SETS];
	static struct peer_id wanted[N_SETS][N_HOSTS], got[N_HOSTS];

	memset(sets, 0, sizeof sets);
	id_table_init(&table);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		const size_t i = dice_roll(&dice, N_SETS);
		struct id_set *set = &sets[i];

		id_set_list(set, &table, got);
		ck_assert(!memcmp(got, wanted[i], set->n * sizeof *got));
		id_set_done(set, &table);
		if (dice_roll(&dice, 3)) {
			const size_t n = draw(&dice, wanted[i]);

			id_set_init(set, &table, wanted[i], n);
			ck_assert_uint_eq(set->n, n);
			qsort(wanted[i], n, sizeof *wanted[i], compare);
		}
		check_has(set, &table, wanted[i], &dice);
		/* Numbers are used again. */
		ck_assert_uint_le(table.n, N_HOSTS);
	}
	for (size_t i = 0; i < N_SETS; i++) {
		id_set_done(&sets[i], &table);
	}
	ck_assert(hmap_is_empty(&table.by_id));
	id_table_done(&table);
}
END_TEST

/* Of some lists and sets, taken and let go of at random, whom they name, in
 * which chunk, is what a count for each host says; and so is the hash. */
static void check_named(const struct id_table *t, const unsigned int *counts,
			const struct peer_id *all)
{
	const unsigned int n_chunks = 4;
	struct peer_id wanted[N_HOSTS], *v;
	struct id_table other;
	size_t n = 0, n_in_chunk;

	for (unsigned int i = 0; i < N_HOSTS; i++) {
		if (counts[i]) {
			wanted[n++] = all[i];
		}
	}
	/* In whatever order they came. */
	id_table_init(&other);
	for (size_t i = n; i--;) {
		id_table_name(&other, &wanted[i], 1);
	}
	ck_assert_uint_eq(t->n_named, n);
	ck_assert_uint_eq(t->named_hash, other.named_hash);
	id_table_unname(&other, wanted, n);
	ck_assert_uint_eq(other.named_hash, 0);
	id_table_done(&other);

	qsort(wanted, n, sizeof *wanted, compare);
	for (uint8_t chunk = 0; chunk < n_chunks; chunk++) {
		const uint8_t wanted_chunk = (uint8_t)(STATEMENT_LINKS + chunk);
		size_t k = 0;

		v = id_table_named(t, wanted_chunk, n_chunks, &all[0],
				   &n_in_chunk);
		for (size_t i = 0; i < n; i++) {
			if (statement_link_chunk(&wanted[i], n_chunks) !=
				    wanted_chunk ||
			    peer_id_equal(&wanted[i], &all[0])) {
				continue;
			}
			ck_assert_uint_lt(k, n_in_chunk);
			ck_assert(peer_id_equal(&v[k++], &wanted[i]));
		}
		ck_assert_uint_eq(k, n_in_chunk);
		free(v);
	}
}

static unsigned int number_of(const struct peer_id *id)
{
	unsigned int i = 0;

	while ((uint8_t)(i * 7) != id->b[0] || i >> 8 != id->b[15]) {
		i++;
	}
	return i;
}

START_TEST(named_are_those_of_all_that_name)
{
	struct dice dice = {.state = (uint64_t)_i + 1};
	struct id_table table;
	struct id_set sets[N_SETS];
	static struct peer_id v[N_SETS][N_HOSTS], all[N_HOSTS];
	unsigned int counts[N_HOSTS] = {0};
	size_t n[N_SETS] = {0};

	memset(sets, 0, sizeof sets);
	for (unsigned int i = 0; i < N_HOSTS; i++) {
		all[i].b[0] = (uint8_t)(i * 7);
		all[i].b[15] = (uint8_t)(i >> 8);
	}
	id_table_init(&table);
	for (unsigned int round = 0; round < 200; round++) {
		const size_t i = dice_roll(&dice, N_SETS);
		const bool is_list = i < N_SETS / 2, again = round < 180;
		size_t n_new;

		for (size_t k = 0; k < n[i]; k++) {
			counts[number_of(&v[i][k])]--;
		}
		if (is_list) {
			id_table_unname(&table, v[i], n[i]);
		} else if (n[i]) {
			id_set_unname(&sets[i], &table);
		}
		id_set_done(&sets[i], &table);
		n_new = again ? draw(&dice, v[i]) : 0;
		/* Not many, or all are named at any time. */
		n_new = n_new ? dice_roll(&dice, 8) : 0;
		for (size_t k = 0; k < n_new; k++) {
			counts[number_of(&v[i][k])]++;
		}
		n[i] = n_new;
		if (is_list) {
			id_table_name(&table, v[i], n_new);
		} else {
			id_set_init(&sets[i], &table, v[i], n_new);
			id_set_name(&sets[i], &table);
		}
		check_named(&table, counts, all);
	}
	for (size_t i = 0; i < N_SETS; i++) {
		if (i < N_SETS / 2) {
			id_table_unname(&table, v[i], n[i]);
		} else {
			id_set_unname(&sets[i], &table);
		}
		id_set_done(&sets[i], &table);
	}
	ck_assert_uint_eq(table.n_named, 0);
	ck_assert_uint_eq(table.named_hash, 0);
	id_table_done(&table);
}
END_TEST

/* It goes over the wire. */
START_TEST(hash_of_named_is_as_specified)
{
	static const struct peer_id v[] = {
		{{0}},
		{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}}};
	struct id_table table;

	id_table_init(&table);
	id_table_name(&table, &v[0], 1);
	ck_assert_uint_eq(table.named_hash, UINT64_C(0xa5e0dba6c385580a));
	id_table_name(&table, &v[1], 1);
	ck_assert_uint_eq(table.named_hash, UINT64_C(0x711ad620fe121f0f));
	id_table_unname(&table, v, 2);
	id_table_done(&table);
}
END_TEST

START_TEST(set_of_nobody_takes_nothing)
{
	struct id_table table;
	struct id_set set;

	id_table_init(&table);
	id_set_init(&set, &table, NULL, 0);
	ck_assert_uint_eq(set.n, 0);
	ck_assert_uint_eq(set.n_words, 0);
	id_set_list(&set, &table, NULL);
	id_set_done(&set, &table);
	id_table_done(&table);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("idset");
	TCase *tcase = tcase_create("idset");

	tcase_add_loop_test(tcase, what_was_put_comes_back_in_order, 0, 4);
	tcase_add_loop_test(tcase, named_are_those_of_all_that_name, 0, 4);
	tcase_add_test(tcase, hash_of_named_is_as_specified);
	tcase_add_test(tcase, set_of_nobody_takes_nothing);
	suite_add_tcase(suite, tcase);
	return vectors_main(suite);
}
