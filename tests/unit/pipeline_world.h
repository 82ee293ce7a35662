/* What the tests of the pipeline share: the small world of world.h and a
 * translation in a fixture, packets in few words, and results as text, so that
 * tables can be read.
 */
#ifndef FDP_TESTS_UNIT_PIPELINE_WORLD_H
#define FDP_TESTS_UNIT_PIPELINE_WORLD_H 1

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

#include "datapath/lane.h"
#include "datapath/pipeline.h"
#include "world.h"

#define N_OF(ARRAY) (int)(sizeof(ARRAY) / sizeof(ARRAY)[0])

/* Results as text, so that tables can be read. */

static UNUSED void put_ip(struct ds *ds, const struct ip_addr *ip)
{
	char buf[IP_STRLEN];

	ds_put_cstr(ds, ip_format(ip, buf));
}

/* "2", "3,tnl(192.0.2.7>1),1", "drop". */
static UNUSED char *actions_text(const struct actions *as)
{
	struct ds ds = DS_EMPTY_INITIALIZER;

	for (size_t i = 0; i < as->n; i++) {
		const struct action *a = &as->v[i];

		ds_put_cstr(&ds, i ? "," : "");
		if (a->type == ACTION_OUTPUT) {
			ds_put_format(&ds, "%u", a->port);
			continue;
		}
		if (a->type == ACTION_SET_MARK) {
			ds_put_format(&ds, "mark(%x/%x)", a->mark.value,
				      a->mark.mask);
			continue;
		}
		if (a->type == ACTION_PUSH_VLAN) {
			ds_put_format(&ds, "push(%u,%u)", a->vlan.vid,
				      a->vlan.pcp);
			continue;
		}
		if (a->type == ACTION_CHECK_SIZE) {
			ds_put_format(&ds, "check(%u,%u for %u)", a->check.size,
				      a->check.n, a->check.peer);
			continue;
		}
		if (a->type == ACTION_POP_VLAN) {
			ds_put_cstr(&ds, "pop");
			continue;
		}
		ds_put_cstr(&ds, "tnl(");
		put_ip(&ds, &a->tunnel.dst);
		ds_put_format(&ds, ">%u)", a->tunnel.vni);
	}
	if (!as->n) {
		ds_put_cstr(&ds, "drop");
	}
	return ds_steal_cstr(&ds);
}

static UNUSED void put_bits(struct ds *ds, const char *name, const uint8_t *b,
			    size_t size)
{
	size_t n = 0;

	while (n < 8 * size && b[n / 8] & 0x80 >> n % 8) {
		n++;
	}
	for (size_t i = n; i < 8 * size; i++) {
		ck_assert(!(b[i / 8] & 0x80 >> i % 8));
	}
	if (n == 8 * size) {
		ds_put_format(ds, " %s", name);
	} else if (n) {
		ds_put_format(ds, " %s/%zu", name, n);
	}
}

static UNUSED void put_int(struct ds *ds, const char *name, uint32_t mask,
			   uint32_t exact)
{
	if (mask == exact) {
		ds_put_format(ds, " %s", name);
	} else if (mask) {
		ds_put_format(ds, " %s/%x", name, mask);
	}
}

/* The fields that the mask holds, those of every case left out; of a field
 * that it does not hold entirely the number of leading bits, "name/N", or of an
 * integer the bits, "name/HEX". */
static UNUSED char *mask_text(const struct flow *m)
{
	struct ds ds = DS_EMPTY_INITIALIZER;
	char *text;

	ck_assert_uint_eq(m->in_port, UINT32_MAX);
	put_int(&ds, "tnl", m->tunnel.present, true);
	put_bits(&ds, "tnl_src", m->tunnel.src.b, 16);
	put_bits(&ds, "tnl_dst", m->tunnel.dst.b, 16);
	put_int(&ds, "vni", m->tunnel.vni, 0xffffff);
	put_int(&ds, "tnl_flags", m->tunnel.flags, 0xff);
	put_int(&ds, "tnl_ttl", m->tunnel.ttl, 0xff);
	put_bits(&ds, "eth_src", m->eth_src.b, 6);
	if (m->eth_dst.b[0] == 1) {
		/* For one or for many? */
		ds_put_cstr(&ds, " group");
	} else {
		put_bits(&ds, "eth_dst", m->eth_dst.b, 6);
	}
	put_int(&ds, "tci", m->vlan_tci, 0xffff);
	put_int(&ds, "tpid", m->vlan_tpid, 0xffff);
	put_int(&ds, "type", m->eth_type, 0xffff);
	put_bits(&ds, "nw_src", m->nw_src.b, 16);
	put_bits(&ds, "nw_dst", m->nw_dst.b, 16);
	put_int(&ds, "proto", m->nw_proto, 0xff);
	put_int(&ds, "frag", m->nw_frag, 0xff);
	put_int(&ds, "tp_src", m->tp_src, 0xffff);
	put_int(&ds, "tp_dst", m->tp_dst, 0xffff);
	put_int(&ds, "op", m->arp_op, 0xffff);
	put_bits(&ds, "sha", m->arp_sha.b, 6);
	put_bits(&ds, "tha", m->arp_tha.b, 6);
	put_bits(&ds, "target", m->nd_target.b, 16);
	put_bits(&ds, "sll", m->nd_sll.b, 6);
	put_bits(&ds, "tll", m->nd_tll.b, 6);
	ck_assert(!m->nw_tos && !m->nw_ttl && !m->ipv6_label && !m->tcp_flags);
	ck_assert(!m->tunnel.tos);
	text = ds_steal_cstr(&ds);
	return text;
}

/* Packets. */

#define RESERVED_MAC                                 \
	{                                            \
		{                                    \
			0x01, 0x80, 0xc2, 0, 0, 0x0e \
		}                                    \
	}

/* Arguments that are initializers cannot stand in parentheses.
 * NOLINTBEGIN(bugprone-macro-parentheses) */
#define ETH(PORT, SRC, DST, TYPE) \
	.in_port = (PORT), .eth_src = SRC, .eth_dst = DST, .eth_type = (TYPE)
#define IP4(PORT, SRC, DST, PROTO)                \
	ETH(PORT, M(SRC), M(DST), ETH_TYPE_IPV4), \
		.nw_src = V4(SRC), .nw_dst = V4(DST), .nw_proto = (PROTO)
#define IP6(PORT, SRC, DST, PROTO)                \
	ETH(PORT, M(SRC), M(DST), ETH_TYPE_IPV6), \
		.nw_src = V6(SRC), .nw_dst = V6(DST), .nw_proto = (PROTO)
#define ARP(PORT, N, DST, OP, SPA, TPA)                            \
	.in_port = (PORT), .eth_src = M(N), .eth_dst = DST,        \
	.eth_type = ETH_TYPE_ARP, .arp_op = (OP), .arp_sha = M(N), \
	.nw_src = SPA, .nw_dst = TPA
#define ICMP6(PORT, N, DST, SRC, TYPE)                              \
	.in_port = (PORT), .eth_src = M(N), .eth_dst = DST,         \
	.eth_type = ETH_TYPE_IPV6, .nw_src = SRC, .nw_dst = V6(99), \
	.nw_proto = IP_PROTO_ICMPV6, .tp_src = (TYPE)
/* NOLINTEND(bugprone-macro-parentheses) */
#define TUNNEL(N, VNI)              \
	.tunnel = {.present = true, \
		   .src = U4(N),    \
		   .dst = U4(1),    \
		   .vni = (VNI),    \
		   .ttl = 64,       \
		   .flags = FLOW_TNL_KEY | FLOW_TNL_DF}

/* Masks that come again and again. */
#define FROM_ENDPOINT " eth_src eth_dst tci/1000 type"
#define TCP4	      FROM_ENDPOINT " nw_src proto/f0 frag"
#define FROM_PEER     " tnl tnl_src vni tnl_flags/1 eth_src"
#define FROM_RELAY    " tnl tnl_src vni tnl_flags/1 tnl_ttl/e0 eth_src"
#define FROM_TUNNEL   FROM_PEER " eth_dst tci/1000 type"
#define TUNNEL_TCP4   FROM_TUNNEL " nw_src proto/f0 frag"
/* To the groups ff:... and 33:33:..., told from the reserved ones, 01:.... */
#define TO_ALL	  " eth_dst/8 tci/1000 type"
#define ASKED_ARP " eth_src" TO_ALL " nw_src nw_dst op sha"
#define ASKED_ND  " eth_src" TO_ALL " nw_src proto frag tp_src/ff target sll"
#define ALL_OF_1  "3,tnl(192.0.2.7>1),1,tnl(2001:db8::8>1),1"

static UNUSED struct forwarding *world;
static UNUSED struct translation tr;

static UNUSED void setup(void)
{
	world = world_new();
	translation_init(&tr);
}

static UNUSED void teardown(void)
{
	translation_free(&tr);
	forwarding_free(world);
}

/* 'flow' goes where a table says, and why, by the bits that it says; 'name' is
 * the table's row.  What else is to be seen of it is in 'tr'. */
static UNUSED void demand_verdict(const char *name, const struct flow *flow,
				  enum reason reason, const char *actions,
				  const char *mask)
{
	char *got_actions, *got_mask;

	pipeline_translate(world, flow, NULL, &tr);
	got_actions = actions_text(&tr.actions);
	got_mask = mask_text(&tr.mask);
	ck_assert_msg(tr.reason == reason, "%s: %s", name,
		      reason_slug(tr.reason));
	ck_assert_msg(!strcmp(got_actions, actions), "%s: %s", name,
		      got_actions);
	ck_assert_msg(!strcmp(got_mask, mask), "%s:\n%s\n%s", name, got_mask,
		      mask);
	free(got_actions);
	free(got_mask);
}

static UNUSED void join_lines(void *ds, const char *line)
{
	ds_put_format(ds, "%s\n", line);
}

static UNUSED bool has_dep(const struct deps *deps, dep_t dep)
{
	for (size_t i = 0; i < deps->n; i++) {
		if (deps->v[i] == dep) {
			return true;
		}
	}
	return false;
}

/* Peer 7 is given 'n' SAs. */
static UNUSED void give_lanes(unsigned int n)
{
	struct fwd_peer peer = *forwarding_peer(world, 7);

	peer.n_lanes = n;
	forwarding_set_peer(world, &peer);
}

static UNUSED int run_suite(const char *name, TCase *t)
{
	Suite *s = suite_create(name);
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
