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
	tcase_add_test(tcase, set_of_nobody_takes_nothing);
	suite_add_tcase(suite, tcase);
	return vectors_main(suite);
}
