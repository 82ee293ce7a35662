#include "mesh/topology.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

enum {
	MAX_HOSTS = 24
};

/* Hosts 0 to n - 1, whose ids have another order than their numbers; who says
 * to have a link to whom; and what each of them makes of it. */
struct mesh {
	int n;
	struct peer_id ids[MAX_HOSTS];
	bool says[MAX_HOSTS][MAX_HOSTS];
	struct topology *views[MAX_HOSTS];
	bool told[MAX_HOSTS]; /* By topology_settle(), since it was cleared. */
};

static int number_of(const struct mesh *m, const struct peer_id *id)
{
	for (int i = 0; id && i < m->n; i++) {
		if (peer_id_equal(&m->ids[i], id)) {
			return i;
		}
	}
	return -1;
}

/* 'viewer' hears what 'author' says. */
static void hear(struct mesh *m, int viewer, int author)
{
	struct peer_id links[MAX_HOSTS];
	size_t n = 0;

	for (int i = 0; i < m->n; i++) {
		if (m->says[author][i]) {
			links[n++] = m->ids[i];
		}
	}
	ck_assert_int_eq(
		topology_set(m->views[viewer], &m->ids[author], links, n),
		FDP_OK);
}

static void hear_all(struct mesh *m)
{
	for (int v = 0; v < m->n; v++) {
		for (int a = 0; a < m->n; a++) {
			hear(m, v, a);
		}
	}
}

static void mesh_init(struct mesh *m, struct dice *d, int n)
{
	memset(m, 0, sizeof *m);
	m->n = n;
	for (int i = 0; i < n; i++) {
		dice_fill(d, &m->ids[i], sizeof m->ids[i]);
		m->views[i] = topology_new(&m->ids[i]);
	}
}

static void mesh_done(struct mesh *m)
{
	for (int i = 0; i < m->n; i++) {
		topology_free(m->views[i]);
	}
}

/* From sparse to nearly full; now and then only one end says it. */
static void draw_links(struct mesh *m, struct dice *d)
{
	const uint32_t density = 1 + dice_roll(d, 10);

	for (int a = 0; a < m->n; a++) {
		for (int b = 0; b < a; b++) {
			bool link = dice_roll(d, 10) < density;

			m->says[a][b] = link || dice_one_in(d, 10);
			m->says[b][a] = link;
		}
	}
}

static bool linked(const struct mesh *m, int a, int b)
{
	return m->says[a][b] && m->says[b][a];
}

/* The plain way: distances by relaxation, parents by their definition. */
struct reference {
	int hops[MAX_HOSTS]; /* From the source; -1: no way. */
	int parent[MAX_HOSTS];
};

static struct reference refer(const struct mesh *m, int source)
{
	struct reference r;

	for (int i = 0; i < m->n; i++) {
		r.hops[i] = i == source ? 0 : -1;
		r.parent[i] = -1;
	}
	for (int round = 0; round < m->n; round++) {
		for (int a = 0; a < m->n; a++) {
			for (int b = 0; b < m->n; b++) {
				if (r.hops[a] == round && linked(m, a, b) &&
				    r.hops[b] < 0) {
					r.hops[b] = round + 1;
				}
			}
		}
	}
	for (int a = 0; a < m->n; a++) {
		for (int b = 0; b < m->n; b++) {
			if (linked(m, a, b) && r.hops[b] >= 0 &&
			    r.hops[b] == r.hops[a] - 1 &&
			    (r.parent[a] < 0 ||
			     peer_id_compare(&m->ids[b], &m->ids[r.parent[a]]) <
				     0)) {
				r.parent[a] = b;
			}
		}
	}
	return r;
}

/* The neighbour of 'self' on the way from there to 'to', -1 if 'to' is not
 * behind it. */
static int reference_next(const struct reference *r, int self, int to)
{
	while (to >= 0 && r->parent[to] != self) {
		to = r->parent[to];
	}
	return to;
}

static void ignore(const struct peer_id *source, void *aux)
{
	(void)source, (void)aux;
}

static void check_view(const struct mesh *m, int self)
{
	struct topology *t = m->views[self];
	struct reference own = refer(m, self);
	bool passes_on;

	topology_settle(t, ignore, NULL);
	topology_forget(t, ignore, NULL);

	for (int s = 0; s < m->n; s++) {
		struct reference r = refer(m, s);

		REQUIRE(topology_linked(t, &m->ids[self], &m->ids[s]) ==
			linked(m, self, s));
		REQUIRE(topology_states(t, &m->ids[s], &m->ids[self]) ==
			m->says[s][self]);
		REQUIRE((int)topology_hops(t, &m->ids[s]) ==
			(own.hops[s] < 0 ? 0 : own.hops[s]));
		REQUIRE(number_of(m, topology_parent(t, &m->ids[s])) ==
			r.parent[self]);
		passes_on = false;
		for (int k = 0; k < m->n; k++) {
			passes_on |= reference_next(&r, self, k) >= 0;
			REQUIRE(number_of(m, topology_next(t, &m->ids[s],
							   &m->ids[k])) ==
				reference_next(&r, self, k));
			REQUIRE(topology_may_relay(t, &m->ids[s], &m->ids[k]) ==
				(linked(m, self, k) && r.hops[k] >= 0 &&
				 r.hops[self] > r.hops[k]));
		}
		REQUIRE(topology_passes_on(t, &m->ids[s]) == passes_on);
	}
}

START_TEST(random_graphs_as_the_plain_reference_says)
{
	struct dice d = {(uint64_t)_i + 1};
	struct mesh m;

	mesh_init(&m, &d, 1 + (int)dice_roll(&d, MAX_HOSTS));
	draw_links(&m, &d);
	hear_all(&m);
	for (int v = 0; v < m.n; v++) {
		check_view(&m, v);
	}
	/* Changes, one author at a time, with and without questions between
	 * them. */
	for (int i = 0; i < 6; i++) {
		int author = (int)dice_roll(&d, (uint32_t)m.n);

		for (int b = 0; b < m.n; b++) {
			if (b != author && dice_one_in(&d, 3)) {
				m.says[author][b] = !m.says[author][b];
			}
		}
		if (dice_one_in(&d, 4)) {
			memset(m.says[author], 0, sizeof m.says[author]);
			topology_remove(m.views[0], &m.ids[author]);
		} else {
			hear(&m, 0, author);
		}
		if (dice_one_in(&d, 2)) {
			check_view(&m, 0);
		}
	}
	check_view(&m, 0);
	mesh_done(&m);
}
END_TEST

/* Passes a broadcast of 'source' on, as far as 'life' lets it. */
static void spread(const struct mesh *m, int source, int at, int from, int life,
		   int *copies, int *n_sent)
{
	bool sent[MAX_HOSTS] = {false};

	copies[at]++;
	for (int to = 0; life && to < m->n; to++) {
		int next = number_of(m, topology_next(m->views[at],
						      &m->ids[source],
						      &m->ids[to]));

		if (next < 0 || sent[next] || next == from) {
			continue;
		}
		sent[next] = true;
		++*n_sent;
		/* What the receiver's guard does. */
		if (next == source ||
		    number_of(m, topology_parent(m->views[next],
						 &m->ids[source])) != at) {
			continue;
		}
		spread(m, source, next, at, life - 1, copies, n_sent);
	}
}

START_TEST(agreeing_hosts_reach_each_other_once)
{
	struct dice d = {(uint64_t)_i + 1000};
	struct mesh m;

	mesh_init(&m, &d, 2 + (int)dice_roll(&d, MAX_HOSTS - 1));
	draw_links(&m, &d);
	hear_all(&m);
	for (int s = 0; s < m.n; s++) {
		struct reference r = refer(&m, s);
		int copies[MAX_HOSTS] = {0}, n_sent = 0, n_reached = 0;

		spread(&m, s, s, -1, MAX_HOSTS, copies, &n_sent);
		for (int to = 0; to < m.n; to++) {
			int at = s, from = -1, life = r.hops[to];

			REQUIRE(copies[to] == (r.hops[to] >= 0));
			n_reached += copies[to];
			/* One frame, from next hop to next hop, each of which
			 * accepts it from the one before. */
			while (at != to && life-- > 0) {
				from = at;
				at = number_of(&m, topology_next(m.views[at],
								 &m.ids[at],
								 &m.ids[to]));
				REQUIRE(at >= 0);
				REQUIRE(topology_may_relay(
					m.views[at], &m.ids[s], &m.ids[from]));
			}
			REQUIRE(r.hops[to] < 0 || at == to);
		}
		/* Not one in vain. */
		REQUIRE(n_sent == n_reached - 1);
	}
	mesh_done(&m);
}
END_TEST

/* Every host has an opinion of its own: a packet lives as long as the hop limit
 * allows and no longer, and nobody accepts a broadcast more often than somebody
 * whom it takes for the parent sends it. */
START_TEST(disagreeing_hosts_do_not_multiply_packets)
{
	struct dice d = {(uint64_t)_i + 2000};
	const int life = 7;
	struct mesh m;

	mesh_init(&m, &d, 3 + (int)dice_roll(&d, 8));
	for (int v = 0; v < m.n; v++) {
		draw_links(&m, &d);
		for (int a = 0; a < m.n; a++) {
			hear(&m, v, a);
		}
	}
	for (int s = 0; s < m.n; s++) {
		int copies[MAX_HOSTS] = {0}, n_sent = 0;

		spread(&m, s, s, -1, life, copies, &n_sent);
		for (int i = 0; i < m.n; i++) {
			/* Each host takes it from one other: at most once for
			 * each time that one did. */
			REQUIRE(copies[i] <= 1 + life / 2);
		}
		REQUIRE(n_sent <= (life + 1) * m.n * m.n);
	}
	mesh_done(&m);
}
END_TEST

static void note_changed(const struct peer_id *source, void *m_)
{
	struct mesh *m = m_;
	int i = number_of(m, source);

	REQUIRE(i >= 0 && !m->told[i]);
	m->told[i] = true;
}

/* All that can be asked of the trees of 'source'. */
struct answers {
	int parent;
	int next[MAX_HOSTS];
	bool may_relay[MAX_HOSTS];
};

static void ask(const struct mesh *m, int source, struct answers *as)
{
	struct topology *t = m->views[0];

	memset(as, 0, sizeof *as);
	as->parent = number_of(m, topology_parent(t, &m->ids[source]));
	for (int i = 0; i < m->n; i++) {
		as->next[i] = number_of(
			m, topology_next(t, &m->ids[source], &m->ids[i]));
		as->may_relay[i] =
			topology_may_relay(t, &m->ids[source], &m->ids[i]);
	}
}

START_TEST(settling_names_each_tree_that_changed_and_no_other)
{
	struct dice d = {(uint64_t)_i + 3000};
	int n_same = 0, n_changed = 0, n_forgotten = 0;
	struct mesh m;

	mesh_init(&m, &d, 3 + (int)dice_roll(&d, MAX_HOSTS - 2));
	draw_links(&m, &d);
	hear_all(&m);
	topology_settle(m.views[0], note_changed, &m);
	for (int round = 0; round < 20; round++) {
		struct answers before[MAX_HOSTS], now;
		int author = (int)dice_roll(&d, (uint32_t)m.n);
		int other = (int)dice_roll(&d, (uint32_t)m.n);

		for (int s = 0; s < m.n; s++) {
			m.told[s] = false;
			ask(&m, s, &before[s]);
		}
		if (other != author) {
			m.says[author][other] = !m.says[author][other];
		}
		hear(&m, 0, author);
		if (dice_one_in(&d, 2)) {
			ask(&m, other, &now); /* Before it is settled. */
		}
		topology_settle(m.views[0], note_changed, &m);
		for (int s = 0; s < m.n; s++) {
			bool same;

			ask(&m, s, &now);
			same = !memcmp(&now, &before[s], sizeof now);
			REQUIRE(m.told[s] || same);
			n_same += same && !m.told[s];
			n_changed += !same;
			m.told[s] = false;
			for (int k = 0; k < m.n; k++) {
				/* What is on its way still may come. */
				REQUIRE(now.may_relay[k] ||
					!before[s].may_relay[k] ||
					!topology_linked(m.views[0], &m.ids[0],
							 &m.ids[k]) ||
					k == s);
			}
			before[s] = now;
		}
		topology_forget(m.views[0], note_changed, &m);
		for (int s = 0; s < m.n; s++) {
			ask(&m, s, &now);
			REQUIRE(m.told[s] ||
				!memcmp(&now, &before[s], sizeof now));
			n_forgotten += m.told[s];
		}
	}
	ck_assert_int_gt(n_forgotten, 0);
	ck_assert_int_gt(n_same, n_changed);
	mesh_done(&m);
}
END_TEST

START_TEST(who_was_unknown_is_told_of_when_it_appears_and_goes)
{
	struct dice d = {7};
	struct mesh m;

	mesh_init(&m, &d, 3);
	ck_assert_ptr_null(topology_parent(m.views[0], &m.ids[2]));
	m.says[0][1] = m.says[1][0] = m.says[1][2] = m.says[2][1] = true;
	for (int a = 0; a < 3; a++) {
		hear(&m, 0, a);
	}
	topology_settle(m.views[0], note_changed, &m);
	ck_assert(m.told[2]);
	ck_assert_int_eq(number_of(&m, topology_parent(m.views[0], &m.ids[2])),
			 1);
	ck_assert_uint_eq(topology_hops(m.views[0], &m.ids[2]), 2);
	memset(m.says, 0, sizeof m.says);
	memset(m.told, 0, sizeof m.told);
	topology_remove(m.views[0], &m.ids[2]);
	topology_remove(m.views[0], &m.ids[1]);
	hear(&m, 0, 0);
	topology_settle(m.views[0], note_changed, &m);
	ck_assert(m.told[2]);
	ck_assert_ptr_null(topology_parent(m.views[0], &m.ids[2]));
	mesh_done(&m);
}
END_TEST

START_TEST(too_many_hosts_are_refused)
{
	enum {
		N = TOPOLOGY_MAX_HOSTS
	};
	struct dice d = {8};
	struct peer_id *ids = calloc(N, sizeof *ids);
	struct topology *t;

	dice_fill(&d, ids, N * sizeof *ids);
	t = topology_new(&ids[0]);
	ck_assert_int_eq(topology_set(t, &ids[0], ids + 1, N - 1), FDP_OK);
	dice_fill(&d, &ids[0], sizeof ids[0]);
	ck_assert_int_eq(topology_set(t, &ids[0], NULL, 0), ERR_LIMIT);
	ck_assert_int_eq(topology_set(t, &ids[1], ids, 2), ERR_LIMIT);
	topology_remove(t, &ids[0]);
	/* Peers have their numbers all the same, and who says something may
	 * cease to. */
	ck_assert_int_eq(topology_set(t, &ids[1], ids + 2, 1), FDP_OK);
	topology_mark(t, &ids[0]);
	topology_remove(t, &ids[1]);
	ck_assert(!topology_states(t, &ids[1], &ids[2]));
	topology_free(t);
	free(ids);
}
END_TEST

/* Somebody names others each time, or makes up links that come and go. */
START_TEST(hosts_that_come_and_go_take_no_more_and_more_room)
{
	enum {
		N = 1000,
		WORD = 64
	};
	struct dice d = {10};
	struct peer_id self, *ids = calloc(N, sizeof *ids);
	struct topology *t;
	unsigned int n_refused = 0;

	dice_fill(&d, &self, sizeof self);
	t = topology_new(&self);
	for (unsigned int i = 0; i < 100; i++) {
		dice_fill(&d, ids, N * sizeof *ids);
		ck_assert_int_eq(topology_set(t, &self, ids, N), FDP_OK);
	}
	ck_assert_uint_le(topology_words(t), 2048 / WORD);
	for (unsigned int i = 0; i < TOPOLOGY_MAX_HOSTS; i++) {
		dice_fill(&d, ids, 2 * sizeof *ids);
		if (topology_set(t, &ids[0], &ids[1], 1)) {
			n_refused++;
			topology_settle(t, ignore, NULL);
			continue;
		}
		REQUIRE(!topology_set(t, &ids[1], &ids[0], 1));
		REQUIRE(topology_linked(t, &ids[0], &ids[1]));
		topology_remove(t, &ids[0]);
		topology_remove(t, &ids[1]);
	}
	ck_assert_uint_le(topology_words(t), TOPOLOGY_MAX_HOSTS / WORD);
	/* When nothing leads there any more there is room again. */
	ck_assert_uint_ge(n_refused, 1);
	ck_assert_uint_le(n_refused, 3);
	topology_free(t);
	free(ids);
}
END_TEST

/* A host of a full mesh of a thousand: every source asked, links that come and
 * go.  It takes seconds if something is computed more often than is needed. */
START_TEST(thousand_hosts_are_no_burden)
{
	enum {
		N = 1000
	};
	struct dice d = {9};
	struct peer_id *ids = calloc(N, sizeof *ids);
	struct topology *t;

	dice_fill(&d, ids, N * sizeof *ids);
	t = topology_new(&ids[0]);
	for (int i = 0; i < N; i++) {
		struct peer_id mine = ids[i];

		ck_assert_int_eq(topology_set(t, &mine, ids, N), FDP_OK);
	}
	for (int i = 1; i < N; i++) {
		ck_assert_uint_eq(topology_hops(t, &ids[i]), 1);
		ck_assert(topology_may_relay(t, &ids[i], &ids[i]));
		ck_assert_ptr_null(topology_next(t, &ids[i], &ids[i / 2]));
	}
	ck_assert_uint_eq(topology_n_ended(t), 0);
	/* Host 1 loses all links but that to host 2. */
	ck_assert_int_eq(topology_set(t, &ids[1], &ids[2], 1), FDP_OK);
	ck_assert_uint_eq(topology_n_ended(t), N - 2);
	ck_assert_uint_eq(topology_hops(t, &ids[1]), 2);
	ck_assert(topology_may_relay(t, &ids[1], &ids[2]));
	ck_assert(!topology_may_relay(t, &ids[1], &ids[3]));
	ck_assert(peer_id_equal(topology_next(t, &ids[0], &ids[1]), &ids[2]));
	topology_free(t);
	free(ids);
}
END_TEST

/* Marks with 'mark' all that 'from' reaches. */
static void reach(const struct mesh *m, int from, int mark, int *marks)
{
	marks[from] = mark;
	for (int i = 0; i < m->n; i++) {
		if (!marks[i] && linked(m, from, i)) {
			reach(m, i, mark, marks);
		}
	}
}

static int count_links(const struct mesh *m)
{
	int n = 0;

	for (int a = 0; a < m->n; a++) {
		for (int b = 0; b < a; b++) {
			n += linked(m, a, b);
		}
	}
	return n;
}

/* All at once, each by what it knew before, end every link that they think can
 * be spared. */
static void spare_all(struct mesh *m)
{
	bool ends[MAX_HOSTS][MAX_HOSTS];

	for (int a = 0; a < m->n; a++) {
		for (int b = 0; b < m->n; b++) {
			ends[a][b] = a != b &&
				     topology_spares(m->views[a], &m->ids[b]);
			ck_assert(!ends[a][b] || linked(m, a, b));
		}
	}
	for (int a = 0; a < m->n; a++) {
		for (int b = 0; b < m->n; b++) {
			/* Both ends judge alike. */
			ck_assert(ends[a][b] == ends[b][a]);
			m->says[a][b] &= !ends[a][b];
		}
	}
}

START_TEST(links_that_are_spared_by_all_at_once_part_nobody)
{
	struct dice d = {(uint64_t)_i + 5000};
	int before[MAX_HOSTS] = {0}, after[MAX_HOSTS] = {0};
	struct mesh m;

	mesh_init(&m, &d, 2 + (int)dice_roll(&d, MAX_HOSTS - 1));
	draw_links(&m, &d);
	hear_all(&m);
	for (int i = 0; i < m.n; i++) {
		if (!before[i]) {
			reach(&m, i, i + 1, before);
		}
	}
	spare_all(&m);
	for (int i = 0; i < m.n; i++) {
		if (!after[i]) {
			reach(&m, i, i + 1, after);
		}
	}
	ck_assert_mem_eq(before, after, sizeof before);
	mesh_done(&m);
}
END_TEST

/* ---- Changes ---- */

static int compare_ids(const void *a, const void *b)
{
	return peer_id_compare(a, b);
}

/* By the last change of that view, in order. */
static size_t ended(const struct topology *t, struct peer_id *v)
{
	const size_t n = topology_n_ended(t);

	ck_assert_uint_le(n, MAX_HOSTS);
	for (size_t i = 0; i < n; i++) {
		v[i] = *topology_ended(t, i);
	}
	qsort(v, n, sizeof *v, compare_ids);
	return n;
}

static void check_same(const struct mesh *m, struct topology *a,
		       struct topology *b)
{
	for (int i = 0; i < m->n; i++) {
		const struct peer_id *s = &m->ids[i];

		ck_assert_uint_eq(topology_hops(a, s), topology_hops(b, s));
		for (int k = 0; k < m->n; k++) {
			const struct peer_id *d = &m->ids[k];

			ck_assert_int_eq(topology_states(a, s, d),
					 topology_states(b, s, d));
			ck_assert_int_eq(topology_linked(a, s, d),
					 topology_linked(b, s, d));
			ck_assert_int_eq(number_of(m, topology_next(a, s, d)),
					 number_of(m, topology_next(b, s, d)));
		}
	}
}

/* What comes may be stated already, what goes may not be, and both views hear
 * now and then that an author is gone. */
START_TEST(change_is_as_the_whole_list)
{
	struct dice d = {(uint64_t)_i + 7000};
	struct mesh m;
	struct topology *whole, *step;

	mesh_init(&m, &d, 2 + (int)dice_roll(&d, MAX_HOSTS - 1));
	whole = topology_new(&m.ids[0]);
	step = topology_new(&m.ids[0]);
	for (int round = 0; round < 300; round++) {
		const int a = (int)dice_roll(&d, (uint32_t)m.n);
		struct peer_id come[MAX_HOSTS], gone[MAX_HOSTS];
		struct peer_id all[MAX_HOSTS], ends[2][MAX_HOSTS];
		size_t n_come = 0, n_gone = 0, n = 0;

		if (dice_one_in(&d, 20)) {
			topology_remove(whole, &m.ids[a]);
			topology_remove(step, &m.ids[a]);
			memset(m.says[a], 0, sizeof m.says[a]);
			check_same(&m, whole, step);
			continue;
		}
		for (int i = 0; i < m.n; i++) {
			const uint32_t what = dice_roll(&d, 4);

			if (what == 0) {
				come[n_come++] = m.ids[i];
				m.says[a][i] = true;
			} else if (what == 1) {
				gone[n_gone++] = m.ids[i];
				m.says[a][i] = false;
			}
			if (m.says[a][i]) {
				all[n++] = m.ids[i];
			}
		}
		ck_assert_int_eq(topology_set(whole, &m.ids[a], all, n),
				 FDP_OK);
		ck_assert_int_eq(topology_change(step, &m.ids[a], come, n_come,
						 gone, n_gone),
				 FDP_OK);
		n = ended(whole, ends[0]);
		ck_assert_uint_eq(ended(step, ends[1]), n);
		ck_assert_int_eq(memcmp(ends[0], ends[1], n * sizeof **ends),
				 0);
		check_same(&m, whole, step);
		if (dice_one_in(&d, 10)) {
			topology_settle(whole, ignore, NULL);
			topology_settle(step, ignore, NULL);
			topology_forget(step, ignore, NULL);
		}
	}
	topology_free(whole);
	topology_free(step);
	mesh_done(&m);
}
END_TEST

START_TEST(marked_hosts_without_a_link_are_found_all_at_once)
{
	struct dice d = {(uint64_t)_i + 8000};
	struct mesh m;
	struct topology *t;
	bool marked[MAX_HOSTS] = {false};
	size_t numbers[MAX_HOSTS];

	mesh_init(&m, &d, MAX_HOSTS);
	t = m.views[0];
	for (int round = 0; round < 100; round++) {
		const int i = 1 + (int)dice_roll(&d, MAX_HOSTS - 1);
		const int to = (int)dice_roll(&d, MAX_HOSTS);
		uint64_t *set;
		size_t n = 0;

		marked[i] = !marked[i];
		if (marked[i]) {
			numbers[i] = topology_mark(t, &m.ids[i]);
			ck_assert_uint_eq(topology_mark(t, &m.ids[i]),
					  numbers[i]);
		} else {
			topology_unmark(t, &m.ids[i]);
			topology_unmark(t, &m.ids[i]);
		}
		if (dice_one_in(&d, 3)) {
			draw_links(&m, &d);
		}
		hear(&m, 0, (int)dice_roll(&d, MAX_HOSTS));
		/* Of whom nobody speaks the number stays. */
		topology_remove(t, &m.ids[dice_roll(&d, MAX_HOSTS)]);
		topology_settle(t, ignore, NULL);
		set = calloc(topology_words(t), sizeof *set);
		topology_marked_without(t, to ? &m.ids[to] : NULL, set);
		for (int k = 1; k < MAX_HOSTS; k++) {
			const bool is_in =
				marked[k] &&
				set[numbers[k] / 64] >> numbers[k] % 64 & 1;

			n += is_in;
			ck_assert_int_eq(
				is_in,
				marked[k] &&
					!(to && topology_linked(t, &m.ids[to],
								&m.ids[k])));
			if (marked[k]) {
				ck_assert_int_eq(
					number_of(&m, topology_marked(
							      t, numbers[k])),
					k);
			}
		}
		for (size_t w = 0; w < topology_words(t); w++) {
			n -= (size_t)__builtin_popcountll(set[w]);
		}
		ck_assert_uint_eq(n, 0);
		free(set);
	}
	mesh_done(&m);
}
END_TEST

/* Which is not because none is spared. */
START_TEST(most_links_of_a_full_mesh_can_be_spared)
{
	struct dice d = {(uint64_t)_i + 5000};
	struct mesh m;

	mesh_init(&m, &d, MAX_HOSTS);
	for (int a = 0; a < m.n; a++) {
		for (int b = 0; b < m.n; b++) {
			m.says[a][b] = a != b;
		}
	}
	hear_all(&m);
	spare_all(&m);
	ck_assert_int_le(count_links(&m), 3 * MAX_HOSTS);
	mesh_done(&m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("topology");
	TCase *t = tcase_create("topology");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, random_graphs_as_the_plain_reference_says, 0,
			    60);
	tcase_add_loop_test(t, agreeing_hosts_reach_each_other_once, 0, 40);
	tcase_add_loop_test(t, disagreeing_hosts_do_not_multiply_packets, 0,
			    40);
	tcase_add_loop_test(
		t, settling_names_each_tree_that_changed_and_no_other, 0, 20);
	tcase_add_test(t, who_was_unknown_is_told_of_when_it_appears_and_goes);
	tcase_add_loop_test(t, links_that_are_spared_by_all_at_once_part_nobody,
			    0, 200);
	tcase_add_loop_test(t, most_links_of_a_full_mesh_can_be_spared, 0, 5);
	tcase_add_loop_test(t, change_is_as_the_whole_list, 0, 20);
	tcase_add_loop_test(
		t, marked_hosts_without_a_link_are_found_all_at_once, 0, 20);
	tcase_add_test(t, too_many_hosts_are_refused);
	tcase_add_test(t, hosts_that_come_and_go_take_no_more_and_more_room);
	tcase_add_test(t, thousand_hosts_are_no_burden);
	tcase_set_timeout(t, 120);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
