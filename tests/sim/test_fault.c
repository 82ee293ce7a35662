/* The kernel says no: every kind of op fails once, at every place. */
#include <errno.h>

#include "fake/scenario.h"

#include "engine/op.h"

enum {
	MAX_NTH = 60
};

static const enum op_type kinds[] = {
	OP_VPORT_ADD, OP_VPORT_ADOPT, OP_VPORT_DEL,  OP_FLOW_PUT,
	OP_FLOW_DEL,  OP_FLOW_DUMP,   OP_EXECUTE,    OP_SA_ADD,
	OP_SA_DEL,    OP_POLICY_PUT,  OP_POLICY_DEL, OP_GUARD_PUT,
	OP_ROUTE_GET, OP_LINK_MTU,    OP_LINK_SET,   OP_LINK_DEL,
};

static const enum op_type start_kinds[] = {
	OP_POLICY_PUT,
	OP_DATAPATH_ADD,
	OP_VPORT_ADD,
	OP_VPORT_ADOPT,
};

static const int errnos[] = {ENOBUFS, ENOMEM, EEXIST, EINVAL, EPERM};

static void inject(struct host *h, enum op_type op, unsigned int nth,
		   int os_errno)
{
	h->kernel.fault =
		(struct fake_fault){.op = op, .nth = nth, .os_errno = os_errno};
}

static void heal(struct host *h)
{
	h->kernel.fault.os_errno = 0;
}

/* The first start of a host fails: it is left as it was. */
static bool first_start_fails(enum op_type op, unsigned int nth)
{
	struct world *w = hosts_new(nth + 1, 2, "secret");
	struct host *a = host_a(w);
	bool hit;

	inject(a, op, nth, EPERM);
	host_start(a);
	world_run(w, SEC);
	hit = a->kernel.fault.hit;
	DEMAND(w, hit == !a->engine, "%s %u: it runs", op_type_name(op), nth);
	if (hit) {
		DEMAND(w, a->fatal && *a->fatal && !strchr(a->fatal, '\n'),
		       "no reason");
		DEMAND(w, !a->kernel.datapath && !a->kernel.n_ports,
		       "%s %u: half-made", op_type_name(op), nth);
		DEMAND(w, !a->kernel.n_policies, "%s %u: %zu policies",
		       op_type_name(op), nth, a->kernel.n_policies);
		heal(a);
		host_start_well(a);
	}
	dial_all(w, 2, false);
	host_start_well(host_b(w));
	demand_connected(w, 10 * SEC);
	world_free(w);
	return hit;
}

START_TEST(first_start_fails_nothing_half_made)
{
	for (size_t i = 0; i < sizeof start_kinds / sizeof start_kinds[0];
	     i++) {
		unsigned int nth = 0;

		while (first_start_fails(start_kinds[i], nth)) {
			nth++;
		}
		ck_assert_uint_gt(nth, 0);
	}
}
END_TEST

/* A restart fails: what an earlier run made stays, and works. */
static bool restart_fails(enum op_type op, unsigned int nth)
{
	struct world *w = running_world(nth + 1, 2, "secret", false);
	struct host *a = host_a(w);
	bool hit, dead;

	demand_all_reach(w, 2);
	host_kill(a);
	inject(a, op, nth, ENOMEM);
	host_start(a);
	world_run(w, SEC);
	hit = a->kernel.fault.hit;
	dead = !a->engine;
	DEMAND(w, a->kernel.datapath, "the datapath was deleted");
	heal(a);
	if (dead) {
		DEMAND(w, a->kernel.n_ports == 3, "ports were deleted");
		DEMAND(w,
		       endpoint_reaches_with(a->endpoints[0],
					     &host_b(w)->endpoints[0]->ips[0],
					     84, 1),
		       "traffic stops");
		host_start_well(a);
	}
	demand_connected(w, 100 * SEC);
	world_free(w);
	return hit;
}

START_TEST(restart_fails_earlier_work_stays)
{
	for (size_t i = 0; i < sizeof start_kinds / sizeof start_kinds[0];
	     i++) {
		unsigned int nth = 0;

		while (nth < MAX_NTH && restart_fails(start_kinds[i], nth)) {
			nth++;
		}
	}
}
END_TEST

START_TEST(foreign_datapath_left_alone)
{
	struct world *w = hosts_new(1, 1, "secret");
	struct host *a = host_a(w);

	a->kernel.foreign_datapath = true;
	host_start(a);
	world_run(w, SEC);
	ck_assert(!a->engine);
	ck_assert_ptr_nonnull(strstr(a->fatal, "datapath fdp"));
	world_free(w);
}
END_TEST

START_TEST(udp_port_taken_start_refused_by_name)
{
	struct world *w = hosts_new(1, 1, NULL);
	struct host *a = host_a(w);

	a->kernel.taken_udp_port = 6784;
	host_start(a);
	world_run(w, SEC);
	ck_assert(!a->engine);
	ck_assert_ptr_nonnull(strstr(a->fatal, "6784"));
	ck_assert(!a->kernel.datapath);
	a->kernel.taken_udp_port = 0;
	host_start_well(a);
	world_free(w);
}
END_TEST

/* Attaches until it works. */
static struct endpoint *attach_somehow(struct host *h, unsigned int n)
{
	char netns[16], addresses[64];

	snprintf(netns, sizeof netns, "c%u", n);
	snprintf(addresses, sizeof addresses,
		 "[\"10.0.0.%u/24\", \"fd00::%x/64\"]", n, n);
	for (unsigned int i = 0; i < 3; i++) {
		struct endpoint *e = host_attach(h, netns, addresses, NULL);

		if (e) {
			return e;
		}
	}
	return NULL;
}

/* A life with everything in it; one op of 'a' fails somewhere. */
static bool one_op_fails(enum op_type op, unsigned int nth, unsigned int sas)
{
	struct world *w = hosts_new(1000 * op + nth, 3, "secret");
	struct host *a = host_a(w), *b = host_b(w), *c = host_c(w);
	bool hit;

	a->sas_per_peer = b->sas_per_peer = c->sas_per_peer = sas;
	dial_all(w, 3, nth & 1);
	start_all(w, 3);
	inject(a, op, nth, errnos[nth % (sizeof errnos / sizeof errnos[0])]);
	demand_connected(w, 200 * SEC);
	DEMAND(w, attach_somehow(a, 1), "not attached");
	attach(b, 2);
	attach(c, 3);
	world_run(w, SEC);
	demand_all_reach(w, 3);
	world_run(w, 30 * SEC); /* Flows expire. */
	demand_all_reach(w, 3);
	world_break(w, a, b);
	demand_connected(w, 200 * SEC);
	demand_all_reach(w, 3);
	json_destroy(host_ask(nth & 2 ? a : b, "rekey", NULL));
	world_run(w, SEC);
	demand_connected(w, 200 * SEC);
	demand_all_reach(w, 3);
	host_crash(c);
	world_run(w, 100 * SEC);
	fake_kernel_set_route(&a->kernel, &b->v4, 1400);
	host_net_changed(a);
	world_run(w, 20 * SEC);
	demand_reach(a->endpoints[0], b->endpoints[0]);
	host_start_well(c);
	demand_connected(w, 200 * SEC);
	host_detach(a->endpoints[0]);
	DEMAND(w, attach_somehow(a, 4), "not attached");
	world_run(w, SEC);
	endpoint_forget(b->endpoints[0]);
	demand_all_reach(w, 3);
	host_kill(a);
	host_start(a);
	world_run(w, SEC);
	if (!a->engine) {
		host_start_well(a);
	}
	demand_connected(w, 200 * SEC);
	if (!a->n_endpoints) {
		attach(a, 1);
	}
	world_run(w, SEC);
	hit = a->kernel.fault.hit;
	world_free(w);
	return hit;
}

/* The same where the peer's part is made of several. */
START_TEST(any_op_on_several_sas_fails_once_and_settles)
{
	static const enum op_type on_sas[] = {OP_SA_ADD, OP_POLICY_PUT,
					      OP_SA_DEL, OP_POLICY_DEL};

	for (size_t i = 0; i < sizeof on_sas / sizeof on_sas[0]; i++) {
		unsigned int nth = 0;

		while (one_op_fails(on_sas[i], nth, 4) && nth < MAX_NTH) {
			nth++;
		}
	}
}
END_TEST

START_TEST(any_op_fails_once_never_plaintext_and_settles)
{
	const char *kind = getenv("FDP_FAULT"), *only = getenv("FDP_NTH");

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		unsigned int nth = only ? (unsigned int)atoi(only) : 0;

		if (kind && strcmp(kind, op_type_name(kinds[i]))) {
			continue;
		}
		do {
			if (kind) {
				fprintf(stderr, "== %s %u\n", kind, nth);
			}
		} while (one_op_fails(kinds[i], nth, 1) && !only &&
			 ++nth < MAX_NTH);
	}
}
END_TEST

/* ESP cannot be had for a while: said, repeated, never plain. */
SEED_TEST(sas_refused_for_a_while_said_and_repeated, 20)
{
	static const enum op_type ops[] = {OP_SA_ADD, OP_POLICY_PUT};
	struct world *w = hosts_new(seed, 2, "secret");
	struct host *a = host_a(w), *b = host_b(w);

	dial_all(w, 2, seed & 2);
	host_start_well(a);
	inject(a, ops[seed & 1], (unsigned int)world_draw(w, 2), ENOSYS);
	a->kernel.fault.lasting = true;
	host_start_well(b);
	attach(a, 1);
	attach(b, 2);
	world_run(w, 120 * SEC);
	DEMAND(w, !host_is_connected(a, b), "connected without ESP");
	DEMAND(w, a->n_sessions < 20, "%u sessions", a->n_sessions);
	DEMAND(w, a->n_warnings < 60, "%u warnings", a->n_warnings);
	endpoint_reaches_with(a->endpoints[0], &b->endpoints[0]->ips[0], 84, 3);
	heal(a);
	demand_connected(w, 130 * SEC);
	demand_all_reach(w, 2);
	world_run(w, 100 * SEC);
	demand_all_reach(w, 2);
	world_free(w);
}

/* A flow that the kernel does not take is told with all that it was, or nobody
 * finds out why; not more often than people read. */
SEED_TEST(refused_flow_is_told_in_full, 4)
{
	static const char *const parts[] = {
		"flow refused: Invalid argument: ", "in_port(",
		"eth(src=", ", actions:"};
	struct world *w = running_world(seed, 2, "secret", false);
	struct host *a = host_a(w), *b = host_b(w);
	unsigned int before = a->n_warnings;

	inject(a, OP_FLOW_PUT, 0, EINVAL);
	a->kernel.fault.lasting = true;
	for (unsigned int i = 0; i < 100; i++) {
		endpoint_reaches_with(a->endpoints[0], &b->endpoints[0]->ips[0],
				      84, 1);
	}
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		DEMAND(w, a->warning && strstr(a->warning, parts[i]),
		       "no \"%s\" in: %s", parts[i], a->warning);
	}
	DEMAND(w, a->n_warnings - before >= 4 && a->n_warnings - before < 60,
	       "%u lines of it", a->n_warnings - before);
	heal(a);
	world_run(w, SEC);
	demand_all_reach(w, 2);
	world_free(w);
}

/* What the kernel would not remove at first is removed in the end, without a
 * restart. */
static bool removal_fails(enum op_type op, unsigned int nth)
{
	struct world *w = hosts_new(2000 * op + nth, 3, "secret");
	struct host *a = host_a(w), *c = host_c(w);
	bool hit;

	dial_all(w, 3, nth & 1);
	start_all(w, 3);
	demand_connected(w, 10 * SEC);
	inject(a, op, nth, ENOMEM);
	json_destroy(host_ask(a, "rekey", NULL));
	world_run(w, 100 * SEC); /* The old SAs go. */
	host_crash(c);
	world_run(w, 200 * SEC); /* Its policies and SAs go. */
	hit = a->kernel.fault.hit;
	host_start_well(c);
	demand_connected(w, 200 * SEC);
	demand_tidy(w, 3);
	world_free(w);
	return hit;
}

START_TEST(removal_fails_tried_again)
{
	unsigned int nth;

	for (nth = 0; removal_fails(OP_SA_DEL, nth); nth++) {
		ck_assert_uint_lt(nth, MAX_NTH);
	}
	ck_assert_uint_ge(nth, 6);
	for (nth = 0; removal_fails(OP_POLICY_DEL, nth); nth++) {
		ck_assert_uint_lt(nth, MAX_NTH);
	}
	ck_assert_uint_ge(nth, 2);
}
END_TEST

SCENARIO_MAIN("faults", first_start_fails_nothing_half_made,
	      restart_fails_earlier_work_stays, foreign_datapath_left_alone,
	      udp_port_taken_start_refused_by_name,
	      any_op_fails_once_never_plaintext_and_settles,
	      any_op_on_several_sas_fails_once_and_settles,
	      removal_fails_tried_again,
	      sas_refused_for_a_while_said_and_repeated,
	      refused_flow_is_told_in_full)
