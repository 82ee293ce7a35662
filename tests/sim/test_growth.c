/* How a mesh grows: what a host has in memory, and what it says, is to be in
 * proportion to the number of hosts, not to its square.  Counted by
 * tests/bench/gossip, for two full meshes and for two in which each host has
 * few sessions; not a matter of time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/vectors.h"

enum {
	FEW = 20,
	MANY = 60,
	LIMIT = 6, /* Sessions of a host in a mesh that is not full. */
	/* Of whom it is all about what they say of links. */
	FEW_PLAIN = 30,
	MANY_PLAIN = 120
};

struct cost {
	double memory_kib, up_kb, idle_bytes;
	double sessions, begun; /* In the end; all that there ever were. */
};

/* The number behind that word. */
static double value(const char *line, const char *word)
{
	const char *at = strstr(line, word);

	ck_assert_msg(at, "no %s in: %s", word, line);
	return strtod(at + strlen(word), NULL);
}

static struct cost measure(unsigned int n, unsigned int limit, const char *how)
{
	char command[512], line[512] = "";
	struct cost cost;
	FILE *f;

	snprintf(command, sizeof command, "'%s' %u %u %s", FDP_BENCH, n, limit,
		 how);
	f = popen(command, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(line, sizeof line, f));
	ck_assert_int_eq(pclose(f), 0);
	printf("%s", line);
	cost.sessions = value(line, " sessions ");
	cost.begun = value(line, " begun ");
	cost.memory_kib = value(line, " memory_kib ");
	cost.up_kb = value(line, " up_kb ");
	cost.idle_bytes = value(line, " idle_B/s ");
	return cost;
}

static struct cost demand_linear(unsigned int limit)
{
	const struct cost few = measure(FEW, limit, "");
	const struct cost many = measure(MANY, limit, "");
	const double most = (double)MANY / FEW;

	/* What a host costs by itself does not grow at all; what is said is
	 * a matter of chance in part. */
	ck_assert_double_le(many.memory_kib, most * few.memory_kib);
	ck_assert_double_lt(many.up_kb, 1.2 * most * few.up_kb);
	ck_assert_double_lt(many.idle_bytes, 1.2 * most * few.idle_bytes);
	return many;
}

START_TEST(full_mesh_costs_a_host_in_proportion)
{
	const struct cost cost = demand_linear(0);

	ck_assert_double_eq(cost.sessions, MANY * (MANY - 1) / 2.0);
}
END_TEST

/* Each host tells each other one of its links to all: if one by one, four times
 * as many would say six times as much. */
START_TEST(links_are_told_in_proportion)
{
	const struct cost few = measure(FEW_PLAIN, 0, "1 plain");
	const struct cost many = measure(MANY_PLAIN, 0, "1 plain");

	ck_assert_double_eq(many.sessions, MANY_PLAIN * (MANY_PLAIN - 1) / 2.0);
	ck_assert_double_lt(many.up_kb,
			    1.2 * MANY_PLAIN / FEW_PLAIN * few.up_kb);
}
END_TEST

START_TEST(mesh_of_few_sessions_costs_a_host_in_proportion)
{
	const struct cost cost = demand_linear(LIMIT);

	/* Few are begun to be ended again as one too many. */
	ck_assert_double_lt(cost.sessions, MANY * LIMIT / 2.0);
	ck_assert_double_lt(cost.begun, 2.5 * cost.sessions);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("growth");
	TCase *tcase = tcase_create("growth");

	tcase_set_timeout(tcase, 600);
	tcase_add_test(tcase, full_mesh_costs_a_host_in_proportion);
	tcase_add_test(tcase, links_are_told_in_proportion);
	tcase_add_test(tcase, mesh_of_few_sessions_costs_a_host_in_proportion);
	suite_add_tcase(suite, tcase);
	return vectors_main(suite);
}
