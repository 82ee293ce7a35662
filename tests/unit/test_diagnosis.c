#include "mesh/diagnosis.h"

#include <errno.h>

#include "vectors.h"

enum {
	N = 5 /* Probes of a test, besides the datagram. */
};

/* The counters of one end. */
#define SEEN(PACKETS, ...)                                     \
	{                                                      \
		.seen = true, .exists = true, .counted = true, \
		.packets = PACKETS, __VA_ARGS__                \
	}
#define ESP \
	.esp = true, .spi = 0xabc, .routed = true, .n_probes = N, .sent = true
#define PLAIN .routed = true, .n_probes = N, .sent = true, .answered = true

static const struct {
	const char *what;
	struct evidence evidence;
	enum reason reason;
} cases[] = {
	{"all arrive",
	 {ESP, .here = SEEN(6), .there = SEEN(6), .answered = true, .heard = 5},
	 REASON_NONE},
	{"most arrive",
	 {ESP, .here = SEEN(6), .there = SEEN(4), .answered = true, .heard = 3},
	 REASON_NONE},
	{"nothing is known", {.esp = true}, REASON_NONE},
	{"no route, whatever else",
	 {ESP, .route_errno = ENETUNREACH, .here = SEEN(6)},
	 REASON_NO_ROUTE},
	{"blackhole, said by the socket",
	 {ESP, .send_errno = EINVAL, .here = SEEN(0)},
	 REASON_NO_ROUTE},
	{"our SA is gone",
	 {ESP, .here = {.seen = true, .counted = true}, .answered = true},
	 REASON_SA_MISSING},
	{"the policy asks for one that is gone",
	 {ESP, .here = SEEN(0, .no_sa = 6), .there = SEEN(0), .answered = true},
	 REASON_SA_MISSING},
	{"the same, and the guard drops it",
	 {ESP, .send_errno = EPERM, .here = SEEN(0, .no_sa = 6),
	  .there = SEEN(0), .answered = true},
	 REASON_SA_MISSING},
	{"netfilter drops VXLAN",
	 {ESP, .send_errno = EPERM, .here = SEEN(0), .there = SEEN(0),
	  .answered = true},
	 REASON_VXLAN_BLOCKED},
	{"netfilter drops ESP",
	 {ESP, .send_errno = EPERM, .here = SEEN(6), .there = SEEN(0),
	  .answered = true},
	 REASON_ESP_BLOCKED},
	{"a policy forbids it",
	 {ESP, .send_errno = EPERM, .here = SEEN(0, .policy = 6)},
	 REASON_POLICY_OUT},
	{"the sleeve's datagrams do not arrive",
	 {.sleeve = true,
	  .routed = true,
	  .sent = true,
	  .n_probes = 5,
	  .answered = true},
	 REASON_SLEEVE_FILTERED},
	{"some do",
	 {.sleeve = true,
	  .routed = true,
	  .sent = true,
	  .n_probes = 5,
	  .answered = true,
	  .heard = 3},
	 REASON_NONE},
	{"nobody says whether they do",
	 {.sleeve = true, .routed = true, .sent = true, .n_probes = 5},
	 REASON_NONE},
	{"netfilter drops the sleeve's datagrams",
	 {.sleeve = true,
	  .routed = true,
	  .sent = true,
	  .n_probes = 5,
	  .send_errno = EPERM,
	  .answered = true},
	 REASON_SLEEVE_BLOCKED},
	{"there is no route for them",
	 {.sleeve = true,
	  .routed = true,
	  .sent = true,
	  .n_probes = 5,
	  .send_errno = ENETUNREACH,
	  .answered = true},
	 REASON_NO_ROUTE},
	{"a full queue",
	 {ESP, .send_errno = ENOBUFS, .here = SEEN(6)},
	 REASON_SEND_FAILED},
	{"frames stay in the datapath",
	 {ESP, .here = SEEN(1), .there = SEEN(1), .answered = true},
	 REASON_NOT_SENT},
	{"lost on the way",
	 {ESP, .here = SEEN(6), .there = SEEN(0), .answered = true},
	 REASON_ESP_FILTERED},
	{"lost on the way, others' errors there",
	 {ESP, .here = SEEN(6), .there = SEEN(0, .no_sa = 2, .policy = 1),
	  .answered = true},
	 REASON_ESP_FILTERED},
	{"lost on the way, nothing is counted",
	 {ESP, .here = {.seen = true, .exists = true, .packets = 6},
	  .there = {.seen = true, .exists = true}, .answered = true},
	 REASON_ESP_FILTERED},
	{"the other host says nothing", {ESP, .here = SEEN(6)}, REASON_NONE},
	{"the other host has not our SA",
	 {ESP, .here = SEEN(6),
	  .there = {.seen = true, .counted = true, .no_sa = 6},
	  .answered = true},
	 REASON_SA_MISMATCH},
	{"the other host has another key",
	 {ESP, .here = SEEN(6), .there = SEEN(0, .not_authentic = 6),
	  .answered = true},
	 REASON_SA_MISMATCH},
	{"the policy leads to somebody's SA",
	 {ESP, .here = SEEN(0), .there = SEEN(0, .no_sa = 6), .answered = true},
	 REASON_SA_MISMATCH},
	{"a policy there",
	 {ESP, .here = SEEN(6), .there = SEEN(6, .policy = 6),
	  .answered = true},
	 REASON_POLICY_IN},
	{"netfilter there",
	 {ESP, .here = SEEN(6), .there = SEEN(6), .answered = true},
	 REASON_VXLAN_REFUSED},
	{"plain, lost on the way", {PLAIN}, REASON_VXLAN_FILTERED},
	{"plain, netfilter drops it",
	 {PLAIN, .send_errno = EPERM},
	 REASON_VXLAN_BLOCKED},
	{"plain, all arrive", {PLAIN, .heard = 5}, REASON_NONE},
};

START_TEST(evidence_gives_the_reason_of_the_table)
{
	char detail[160];
	enum reason reason =
		diagnose(&cases[_i].evidence, detail, sizeof detail);

	ck_assert_msg(reason == cases[_i].reason, "%s: %s", cases[_i].what,
		      reason_slug(reason));
}
END_TEST

static void count(void *n_, const char *tried, const char *seen)
{
	unsigned int *n = n_;

	ck_assert_str_ne(tried, "");
	ck_assert_str_ne(seen, "");
	++*n;
}

START_TEST(every_test_is_told_in_words)
{
	const struct evidence all = {ESP, .here = SEEN(6), .there = SEEN(0),
				     .answered = true};
	const struct evidence none = {.esp = true};
	unsigned int n = 0;

	evidence_each(&all, count, &n);
	ck_assert_uint_eq(n, 7);
	n = 0;
	evidence_each(&none, count, &n);
	ck_assert_uint_eq(n, 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		evidence_each(&cases[i].evidence, count, &n);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("diagnosis");
	TCase *tcase = tcase_create("diagnosis");

	tcase_add_loop_test(tcase, evidence_gives_the_reason_of_the_table, 0,
			    sizeof cases / sizeof cases[0]);
	tcase_add_test(tcase, every_test_is_told_in_words);
	suite_add_tcase(suite, tcase);
	return vectors_main(suite);
}
