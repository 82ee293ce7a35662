#include "session/statement.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mesh/statements.h"
#include "util.h"

static struct sign_pair pair_a, pair_b;
static struct statements store;
static const struct peer_id own = {{0xee}};

static void setup(void)
{
	sign_pair_init(&pair_a, &(const struct secret){{0xa1}});
	sign_pair_init(&pair_b, &(const struct secret){{0xb2}});
	statements_init(&store, &own);
}

static void teardown(void)
{
	statements_free(&store);
}

static struct statement made(uint8_t author, uint64_t incarnation, uint64_t seq,
			     uint8_t chunk, const struct sign_pair *pair)
{
	static uint8_t body[] = "what it says";
	struct statement s = {.author.b[0] = author,
			      .incarnation = incarnation,
			      .seq = seq,
			      .chunk = chunk,
			      .body = body,
			      .size = sizeof body};

	statement_sign(&s, pair);
	return s;
}

START_TEST(signature_covers_every_bit)
{
	struct statement s = made(1, 2, 3, 4, &pair_a);
	struct wbuf wire = WBUF_INITIALIZER(0);

	ck_assert_int_eq(statement_verify(&s), FDP_OK);
	statement_put(&s, &wire);
	for (size_t bit = 0; bit < 8 * wire.size; bit++) {
		struct span in = wbuf_span(&wire);
		struct statement other;

		wire.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (!statement_get(&in, &other)) {
			ck_assert_msg(in.size || statement_verify(&other) ==
							 ERR_AUTH,
				      "bit %zu", bit);
			statement_free(&other);
		}
		wire.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	wbuf_free(&wire);
}
END_TEST

START_TEST(bodies_come_back_as_put)
{
	const struct statement_self self = {
		.name = "alpha", .mtu = 1416, .capabilities = 0x80000001};
	struct statement_self self_back, longest = {.mtu = 1416};
	struct peer_id ids[3] = {{.b = {1}}}, *v;
	struct wbuf body = WBUF_INITIALIZER(0);
	struct statement s = {.chunk = STATEMENT_SELF};
	size_t n;

	statement_put_self(&self, &body);
	s.body = body.data;
	s.size = body.size;
	ck_assert_int_eq(statement_get_self(&s, &self_back), FDP_OK);
	ck_assert_str_eq(self_back.name, "alpha");
	ck_assert_uint_eq(self_back.mtu, 1416);
	ck_assert_uint_eq(self_back.capabilities, 0x80000001);
	/* Of an older one, which has none. */
	s.size -= 4;
	ck_assert_int_eq(statement_get_self(&s, &self_back), FDP_OK);
	ck_assert_uint_eq(self_back.mtu, 1416);
	ck_assert_uint_eq(self_back.capabilities, 0);
	while (s.size--) {
		ck_assert_int_ne(statement_get_self(&s, &self_back), FDP_OK);
	}
	wbuf_clear(&body);

	/* The longest name, and one more. */
	memset(longest.name, 'n', IDENTITY_NAME_SIZE - 1);
	statement_put_self(&longest, &body);
	s.body = body.data;
	s.size = body.size;
	ck_assert_int_eq(statement_get_self(&s, &self_back), FDP_OK);
	ck_assert_str_eq(self_back.name, longest.name);
	body.data[0]++;
	ck_assert_int_eq(statement_get_self(&s, &self_back), ERR_OVERSIZED);
	wbuf_clear(&body);

	/* Three that belong together. */
	s.chunk = statement_link_chunk(&ids[0], 16);
	ck_assert(statement_has_links(s.chunk));
	for (size_t i = 1; i < 3; i++) {
		ids[i] = ids[i - 1];
		do {
			ids[i].b[15]++;
		} while (statement_link_chunk(&ids[i], 16) != s.chunk);
	}
	statement_put_links(ids, 3, &body);
	s.body = body.data;
	s.size = body.size;
	ck_assert_int_eq(statement_get_links(&s, &v, &n), FDP_OK);
	ck_assert_uint_eq(n, 3);
	ck_assert(peer_id_equal(&v[2], &ids[2]));
	free(v);
	/* Over so many chunks they may be spread, and so lie elsewhere. */
	for (unsigned int i = 1; i <= STATEMENT_N_LINKS; i *= 2) {
		s.chunk = statement_link_chunk(&ids[0], i);
		ck_assert_int_eq(statement_get_links(&s, &v, &n), FDP_OK);
		free(v);
	}
	/* Not the first one, where all may be. */
	s.chunk = s.chunk == STATEMENT_LINKS + 2 ? STATEMENT_LINKS + 1
						 : STATEMENT_LINKS + 2;
	ck_assert_int_eq(statement_get_links(&s, &v, &n), ERR_MALFORMED);
	free(v);
	while (s.size--) {
		ck_assert_int_ne(statement_get_links(&s, &v, &n), FDP_OK);
		free(v);
	}
	wbuf_free(&body);
}
END_TEST

/* FNV-1a of MAC and VNI (low byte first), folded to 16 bits by XOR of its
 * halves, modulo 64, plus one; by another implementation. */
START_TEST(bindings_have_their_chunk)
{
	static const struct {
		struct binding_key key;
		uint8_t chunk;
	} known[] = {
		{{.vni = 1, .mac = {{2, 0, 0, 0, 0, 1}}}, 47},
		{{.vni = 1, .mac = {{2, 0, 0, 0, 0, 2}}}, 21},
		{{.vni = 0xabcdef, .mac = {{0xfe, 1, 2, 3, 4, 5}}}, 28},
	};
	unsigned int count[STATEMENT_CHUNKS] = {0};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		ck_assert_uint_eq(statement_chunk_of(&known[i].key),
				  known[i].chunk);
	}
	for (unsigned int i = 0; i < 6400; i++) {
		struct binding_key key = {
			.vni = 1,
			.mac = {{2, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i}}};

		count[statement_chunk_of(&key)]++;
	}
	for (unsigned int i = 0; i < STATEMENT_CHUNKS; i++) {
		if (!statement_has_bindings(i)) {
			ck_assert_uint_eq(count[i], 0);
			continue;
		}
		ck_assert_msg(count[i] > 50 && count[i] < 200, "%d: %u", i,
			      count[i]);
	}
}
END_TEST

START_TEST(binding_in_the_wrong_chunk_is_refused)
{
	struct binding b = {.vni = 1, .mac = {{2, 0, 0, 0, 0, 1}}};
	struct binding_key key = binding_key(&b);
	struct statement s = {.chunk = statement_chunk_of(&key)};
	struct wbuf body = WBUF_INITIALIZER(0);
	struct binding *v;
	size_t n;

	statement_put_bindings(&b, 1, &body);
	s.body = body.data;
	s.size = body.size;
	ck_assert_int_eq(statement_get_bindings(&s, &v, &n), FDP_OK);
	ck_assert_uint_eq(n, 1);
	ck_assert(binding_equal(&v[0], &b));
	free(v);
	s.chunk = s.chunk == 1 ? 2 : 1;
	ck_assert_int_eq(statement_get_bindings(&s, &v, &n), ERR_MALFORMED);
	free(v);
	wbuf_free(&body);
}
END_TEST

static enum err take(const struct statement *s, const struct sign_key *expected,
		     bool want_news)
{
	struct kept *news;
	enum err err = statements_take(&store, s, true, expected, 7, &news);

	ck_assert((news != NULL) == want_news);
	return err;
}

START_TEST(newest_of_author_and_chunk_is_kept)
{
	struct statement old = made(1, 5, 7, 3, &pair_a);
	struct statement new = made(1, 5, 8, 3, &pair_a);
	struct statement other = made(1, 5, 2, 4, &pair_a);
	struct statement reborn = made(1, 6, 1, 3, &pair_a);
	struct author *a;

	ck_assert_int_eq(take(&old, NULL, true), FDP_OK);
	ck_assert_int_eq(take(&old, NULL, false), FDP_OK);
	ck_assert_int_eq(take(&new, NULL, true), FDP_OK);
	ck_assert_int_eq(take(&old, NULL, false), FDP_OK);
	ck_assert_int_eq(take(&other, NULL, true), FDP_OK);
	a = statements_find(&store, &old.author);
	ck_assert_uint_eq(author_said(a, 3)->s.seq, 8);
	ck_assert_uint_eq(author_said(a, 4)->s.seq, 2);
	/* Of an earlier life nothing is left, nor comes back. */
	ck_assert_int_eq(take(&reborn, NULL, true), FDP_OK);
	ck_assert_ptr_null(author_said(a, 4));
	ck_assert_int_eq(take(&new, NULL, false), FDP_OK);
	ck_assert_int_eq(take(&other, NULL, false), FDP_OK);
	statements_forget(&store, a);
	ck_assert_ptr_null(statements_find(&store, &old.author));
}
END_TEST

/* The authors in the order of the list, the first one lowest. */
static unsigned int order_of_news(void)
{
	unsigned int order = 0, shift = 0;
	uint64_t number = 0;
	const struct kept *k;

	LIST_FOR_EACH (k, node, &store.news) {
		ck_assert_uint_gt(k->number, number);
		ck_assert(author_said(k->author, k->s.chunk) == k);
		number = k->number;
		order |= (unsigned int)k->s.author.b[0] << shift;
		shift += 4;
	}
	ck_assert_uint_le(number, store.number);
	return order;
}

START_TEST(news_are_in_the_order_in_which_they_were_heard)
{
	struct statement one = made(1, 5, 7, 3, &pair_a);
	struct statement two = made(2, 5, 7, 3, &pair_a);
	struct statement three = made(3, 5, 7, 3, &pair_a);
	struct statement one_more = made(1, 5, 9, 4, &pair_a);

	ck_assert_int_eq(take(&one, NULL, true), FDP_OK);
	ck_assert_int_eq(take(&two, NULL, true), FDP_OK);
	ck_assert_int_eq(take(&one_more, NULL, true), FDP_OK);
	ck_assert_int_eq(take(&three, NULL, true), FDP_OK);
	ck_assert_uint_eq(order_of_news(), 0x3121);
	two.seq++;
	statement_sign(&two, &pair_a);
	ck_assert_int_eq(take(&two, NULL, true), FDP_OK);
	ck_assert_uint_eq(order_of_news(), 0x2311);
	statements_renew(&store, statements_find(&store, &one.author), 9);
	ck_assert_uint_eq(order_of_news(), 0x1123);
	ck_assert_uint_eq(
		author_said(statements_find(&store, &one.author), 4)->heard_us,
		9);
	statements_forget(&store, statements_find(&store, &one.author));
	ck_assert_uint_eq(order_of_news(), 0x23);
}
END_TEST

/* Of author 1, with links to hosts 1 to 'n' that belong there. */
static struct statement with_links(unsigned int n, bool in_order,
				   struct wbuf *body)
{
	struct peer_id *v = xcalloc(n, sizeof *v);
	struct statement s = {
		.author.b[0] = 1, .incarnation = 5, .seq = n, .chunk = 65};

	for (unsigned int i = 0; i < n; i++) {
		v[in_order ? i : n - 1 - i].b[0] = (uint8_t)(i >> 8);
		v[in_order ? i : n - 1 - i].b[1] = (uint8_t)i;
		v[in_order ? i : n - 1 - i].b[2] = 1;
	}
	wbuf_init(body, 0);
	statement_put_links(v, n, body);
	s.body = body->data;
	s.size = body->size;
	statement_sign(&s, &pair_a);
	free(v);
	return s;
}

START_TEST(links_come_back_as_they_came)
{
	static const struct {
		unsigned int n;
		bool in_order, as_bits;
	} cases[] = {
		{0, true, false},   {1, true, true},	{64, true, true},
		{65, false, false}, {1000, true, true}, {1000, false, false},
	};
	struct wbuf body;
	struct statement s = with_links(cases[_i].n, cases[_i].in_order, &body);
	struct statement back;
	const struct kept *k;

	ck_assert_int_eq(take(&s, NULL, true), FDP_OK);
	k = author_said(statements_find(&store, &s.author), 65);
	ck_assert_int_eq(k->has_links, cases[_i].as_bits);
	statements_get(&store, k, &back);
	ck_assert_uint_eq(back.size, s.size);
	ck_assert_mem_eq(back.body, s.body, s.size);
	ck_assert_int_eq(statement_verify(&back), FDP_OK);
	statement_free(&back);
	wbuf_free(&body);
}
END_TEST

START_TEST(few_links_of_many_hosts_are_kept_as_they_came)
{
	struct wbuf body;
	struct statement s = with_links(1000, true, &body);

	ck_assert_int_eq(take(&s, NULL, true), FDP_OK);
	s.author.b[0] = 2;
	/* The last one alone: sixteen bytes, or a bit behind 999 others. */
	body.data[1] = 1;
	body.data[0] = 0;
	memmove(body.data + 2, body.data + body.size - sizeof(struct peer_id),
		sizeof(struct peer_id));
	s.size = 2 + sizeof(struct peer_id);
	statement_sign(&s, &pair_a);
	ck_assert_int_eq(take(&s, NULL, true), FDP_OK);
	ck_assert(!author_said(statements_find(&store, &s.author), 65)
			   ->has_links);
	wbuf_free(&body);
}
END_TEST

START_TEST(nobody_speaks_for_another)
{
	struct statement good = made(1, 5, 7, 3, &pair_a);
	struct statement forged = made(1, 5, 8, 3, &pair_b);
	struct statement damaged = made(1, 5, 9, 3, &pair_a);
	const struct sign_key pinned = pair_a.key;

	damaged.signature[0] ^= 1;
	/* A known key from the start... */
	ck_assert_int_eq(take(&forged, &pinned, false), ERR_IDENTITY);
	ck_assert_ptr_null(statements_find(&store, &good.author));
	ck_assert_int_eq(take(&good, &pinned, true), FDP_OK);
	/* ...or the first one. */
	ck_assert_int_eq(take(&forged, NULL, false), ERR_IDENTITY);
	ck_assert_int_eq(take(&damaged, NULL, false), ERR_AUTH);
	/* The other's name under the good key. */
	forged.key = good.key;
	ck_assert_int_eq(take(&forged, NULL, false), ERR_AUTH);
	ck_assert_uint_eq(
		author_said(statements_find(&store, &good.author), 3)->s.seq,
		7);
}
END_TEST

START_TEST(too_many_authors_are_refused)
{
	struct statement s = made(1, 5, 7, 3, &pair_a);
	const struct peer_id first = s.author;
	struct kept *news;

	for (unsigned int i = 0; i < STATEMENTS_MAX_AUTHORS; i++) {
		s.author.b[1] = (uint8_t)(i >> 8);
		s.author.b[2] = (uint8_t)i;
		ck_assert_int_eq(
			statements_take(&store, &s, false, NULL, 7, &news),
			FDP_OK);
	}
	s.author.b[3] = 1;
	ck_assert_int_eq(statements_take(&store, &s, false, NULL, 7, &news),
			 ERR_LIMIT);
	/* For one that is forged nobody need give way. */
	ck_assert_int_eq(statements_take(&store, &s, true, NULL, 7, &news),
			 ERR_AUTH);
	/* This host itself is not one of them, before and after. */
	s.author = own;
	ck_assert_int_eq(statements_take(&store, &s, false, NULL, 7, &news),
			 FDP_OK);
	ck_assert_ptr_nonnull(news);
	s.author.b[3] = 1;
	ck_assert_int_eq(statements_take(&store, &s, false, NULL, 7, &news),
			 ERR_LIMIT);
	statements_forget(&store, statements_find(&store, &first));
	ck_assert_int_eq(statements_take(&store, &s, false, NULL, 7, &news),
			 FDP_OK);
}
END_TEST

/* However many chunks, of however many authors: there is an end to what they
 * take, which what is said anew does not move. */
START_TEST(too_many_bytes_are_refused)
{
	static uint8_t body[STATEMENT_MAX_BODY];
	struct statement s = made(1, 5, 7, 3, &pair_a);
	struct peer_id last = s.author;
	struct kept *news;
	size_t n = 0;

	s.body = body;
	s.size = sizeof body;
	for (;; n++) {
		s.chunk = (uint8_t)(n % STATEMENT_CHUNKS);
		s.author.b[1] = (uint8_t)(n / STATEMENT_CHUNKS);
		if (statements_take(&store, &s, false, NULL, 7, &news)) {
			break;
		}
		last = s.author;
	}
	ck_assert_uint_le(n * sizeof body, STATEMENTS_MAX_BYTES);
	ck_assert_uint_gt((n + 1) * (sizeof body + sizeof(struct kept)),
			  STATEMENTS_MAX_BYTES);
	/* Another one instead of one that is there, and our own. */
	s.author.b[1] = 0;
	s.chunk = 0;
	s.seq++;
	ck_assert_int_eq(statements_take(&store, &s, false, NULL, 7, &news),
			 FDP_OK);
	ck_assert_ptr_nonnull(news);
	s.author = own;
	ck_assert_int_eq(statements_take(&store, &s, false, NULL, 7, &news),
			 FDP_OK);
	/* What is forgotten makes room. */
	statements_forget(&store, statements_find(&store, &last));
	s.author = last;
	ck_assert_int_eq(statements_take(&store, &s, false, NULL, 7, &news),
			 FDP_OK);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("statement");
	TCase *t = tcase_create("statement");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, signature_covers_every_bit);
	tcase_add_test(t, bodies_come_back_as_put);
	tcase_add_test(t, bindings_have_their_chunk);
	tcase_add_test(t, binding_in_the_wrong_chunk_is_refused);
	tcase_add_test(t, newest_of_author_and_chunk_is_kept);
	tcase_add_test(t, news_are_in_the_order_in_which_they_were_heard);
	tcase_add_loop_test(t, links_come_back_as_they_came, 0, 6);
	tcase_add_test(t, few_links_of_many_hosts_are_kept_as_they_came);
	tcase_add_test(t, nobody_speaks_for_another);
	tcase_add_test(t, too_many_authors_are_refused);
	tcase_add_test(t, too_many_bytes_are_refused);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
