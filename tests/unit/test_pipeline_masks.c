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

/* Near to 'v', in the sense of a mask: some of its leading bits are the same
 * and the next one is not; or it itself, or anything. */
static void near(struct dice *d, uint8_t *v, size_t size)
{
	const size_t bit = dice_roll(d, (uint32_t)size * 8);

	if (dice_one_in(d, 3)) {
		return;
	}
	v[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	if (bit / 8 + 1 < size) {
		dice_fill(d, v + bit / 8 + 1, size - bit / 8 - 1);
	}
}

static void near_u16(struct dice *d, uint16_t *v)
{
	uint8_t b[2] = {(uint8_t)(*v >> 8), (uint8_t)*v};

	near(d, b, sizeof b);
	*v = (uint16_t)(b[0] << 8 | b[1]);
}

/* What a container could send that wants many masks. */
static struct flow cunning(struct dice *d)
{
	static const uint16_t ports[] = {0, 67, 68, 547};
	static const uint8_t types[] = {133, 134, 135, 136};
	static const struct flow froms[] = {
		{IP4(2, 2, 3, 17)},
		{IP6(2, 2, 3, 17)},
		{ARP(2, 2, BROADCAST, 1, V4(2), V4(3))},
		{ICMP6(2, 2, MULTICAST6, V6(2), 135), .nd_target = V6(3)},
	};
	struct flow f = froms[dice_roll(d, N_OF(froms))];

	if (dice_one_in(d, 2)) {
		f.eth_dst = (struct mac){{1, 0x80, 0xc2}};
		near(d, f.eth_dst.b, sizeof f.eth_dst.b);
		f.eth_dst.b[0] |= 1;
	}
	if (dice_one_in(d, 8)) {
		near(d, f.eth_src.b, sizeof f.eth_src.b);
	}
	if (f.eth_type == ETH_TYPE_ARP) {
		near_u16(d, &f.arp_op);
		near(d, f.arp_sha.b, sizeof f.arp_sha.b);
		near(d, f.nw_src.b + 12, 4);
		near(d, f.nw_dst.b + 12, 4);
		return f;
	}
	if (f.eth_type == ETH_TYPE_IPV6) {
		near(d, f.nw_src.b, sizeof f.nw_src.b);
	} else {
		near(d, f.nw_src.b + 12, 4);
	}
	f.nw_frag = (uint8_t)dice_roll(d, 3);
	near(d, &f.nw_proto, 1);
	if (f.nw_proto == IP_PROTO_ICMPV6 && f.eth_type == ETH_TYPE_IPV6) {
		f.tp_src = types[dice_roll(d, N_OF(types))];
		near(d, f.nd_target.b, sizeof f.nd_target.b);
		near(d, f.nd_sll.b, sizeof f.nd_sll.b);
		near(d, f.nd_tll.b, sizeof f.nd_tll.b);
	} else {
		f.tp_src = ports[dice_roll(d, N_OF(ports))];
		f.tp_dst = ports[dice_roll(d, N_OF(ports))];
		near_u16(d, &f.tp_src);
		near_u16(d, &f.tp_dst);
	}
	return f;
}

enum {
	CUNNING = 200000,
	MASKS = 8192
};

/* The kernel tries one mask after the other, for the packets of all. */
START_TEST(nobody_can_make_many_masks)
{
	struct flow *masks = xcalloc(MASKS, sizeof *masks);
	struct dice d = {7};
	int n = 0;

	for (int i = 0; i < CUNNING; i++) {
		const struct flow f = cunning(&d);
		int at = 0;

		pipeline_translate(world, &f, NULL, &tr);
		if (!tr.install) {
			continue;
		}
		while (at < n && !flow_equal(&masks[at], &tr.mask)) {
			at++;
		}
		if (at == n) {
			ck_assert_int_lt(n, MASKS);
			masks[n++] = tr.mask;
		}
	}
	printf("# %d masks of a container that wants many\n", n);
	free(masks);
	ck_assert_int_le(n, 256);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("pipeline_masks");

	tcase_add_test(t, packets_equal_under_mask_get_same_verdict);
	tcase_add_test(t, nobody_can_make_many_masks);
	return run_suite("pipeline_masks", t);
}
