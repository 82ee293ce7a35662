/* Mask soundness. */
#include "pipeline_world.h"

#define MERGE(F)       r.F = (__typeof__(r.F))((key->F & m->F) | (o->F & ~m->F))
#define MERGE_BYTES(F) merge(r.F.b, key->F.b, m->F.b, o->F.b, sizeof r.F.b)

static void merge(uint8_t *to, const uint8_t *key, const uint8_t *mask,
		  const uint8_t *other, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		to[i] = (uint8_t)((key[i] & mask[i]) | (other[i] & ~mask[i]));
	}
}

/* A packet that equals 'key' under 'm' and 'o' elsewhere, as far as the kernel
 * can show such a packet at all. */
static struct flow mutant(const struct flow *key, const struct flow *m,
			  const struct flow *o)
{
	struct flow r;

	memset(&r, 0, sizeof r);
	MERGE(in_port);
	r.tunnel.present =
		m->tunnel.present ? key->tunnel.present : o->tunnel.present;
	MERGE_BYTES(tunnel.src);
	MERGE_BYTES(tunnel.dst);
	MERGE(tunnel.vni);
	r.tunnel.vni &= VNI_MAX;
	MERGE(tunnel.tos);
	MERGE(tunnel.ttl);
	MERGE(tunnel.flags);
	MERGE_BYTES(eth_src);
	MERGE_BYTES(eth_dst);
	MERGE(vlan_tci);
	MERGE(vlan_tpid);
	MERGE(eth_type);
	MERGE(nw_proto);
	MERGE(nw_tos);
	MERGE(nw_ttl);
	MERGE(nw_frag);
	MERGE(ipv6_label);
	MERGE_BYTES(nw_src);
	MERGE_BYTES(nw_dst);
	MERGE(tp_src);
	MERGE(tp_dst);
	MERGE(tcp_flags);
	MERGE(arp_op);
	MERGE_BYTES(arp_sha);
	MERGE_BYTES(arp_tha);
	MERGE_BYTES(nd_target);
	MERGE_BYTES(nd_sll);
	MERGE_BYTES(nd_tll);
	if (r.eth_type != ETH_TYPE_IPV6) {
		memcpy(r.nw_src.b, ((struct ip_addr)NO_V4).b, 12);
		memcpy(r.nw_dst.b, ((struct ip_addr)NO_V4).b, 12);
	}
	if (r.nw_proto == IP_PROTO_ICMP || r.nw_proto == IP_PROTO_ICMPV6) {
		r.tp_src &= 0xff;
		r.tp_dst &= 0xff;
	}
	return r;
}

static void check_same(const struct translation *a, const struct translation *b)
{
	REQUIRE(a->reason == b->reason);
	REQUIRE(a->install == b->install);
	REQUIRE(actions_equal(&a->actions, &b->actions));
	/* Masks never overlap, see datapath/look.h. */
	REQUIRE(flow_equal(&a->mask, &b->mask));
	REQUIRE(a->vni == b->vni);
	REQUIRE(a->vid == b->vid);
	REQUIRE(a->peer == b->peer);
	REQUIRE(a->lane == b->lane);
	REQUIRE(a->deps.n == b->deps.n);
	REQUIRE(!a->deps.n ||
		!memcmp(a->deps.v, b->deps.v, a->deps.n * sizeof *a->deps.v));
}

enum {
	SOUND_WORLDS = 2000,
	SOUND_PACKETS = 100,
	SOUND_MUTANTS = 4
};

/* The most important property: one megaflow stands for every packet that it
 * matches.  It also is what makes revalidation by one key of each flow right.
 */
START_TEST(packets_equal_under_mask_get_same_verdict)
{
	struct translation other;
	struct dice d = {20240611};
	unsigned int seen[N_REASONS] = {0};

	translation_init(&other);
	for (int w = 0; w < SOUND_WORLDS; w++) {
		struct forwarding *f = forwarding_new();

		for (int i = 0; i < 40; i++) {
			random_change(&d, f);
		}
		/* Some worlds are out of VLANs. */
		for (uint32_t i = 0;
		     w % 8 == 0 && forwarding_vid(f, 100 + i, 1); i++) {
		}
		for (int p = 0; p < SOUND_PACKETS; p++) {
			struct flow key = random_flow(&d, f);

			pipeline_translate(f, &key, NULL, &tr);
			REQUIRE(tr.reason != REASON_NONE);
			REQUIRE(flow_equal_masked(&key, &key, &tr.mask));
			seen[tr.reason]++;
			for (int m = 0; m < SOUND_MUTANTS; m++) {
				struct flow noise = random_flow(&d, f), same;

				if (dice_one_in(&d, 2)) {
					dice_fill(&d, &noise, sizeof noise);
					noise.tunnel.present = false;
				}
				same = mutant(&key, &tr.mask, &noise);
				REQUIRE(flow_equal_masked(&key, &same,
							  &tr.mask));
				pipeline_translate(f, &same, NULL, &other);
				check_same(&tr, &other);
			}
		}
		forwarding_free(f);
	}
	translation_free(&other);
	/* It proves nothing about verdicts that never came. */
	for (int r = REASON_LOCAL; r <= REASON_NOT_FOR_US; r++) {
		ck_assert_msg(seen[r] >= 10, "%s: %u", reason_slug(r), seen[r]);
	}
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("pipeline_masks");

	tcase_add_test(t, packets_equal_under_mask_get_same_verdict);
	return run_suite("pipeline_masks", t);
}
