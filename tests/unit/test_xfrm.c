#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <check.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>

#include "netlink/nlmsg.h"
#include "netlink/xfrm.h"
#include "util.h"

/* The messages that iproute2 6.1 sends, taken off an nlmon device, with
 * sequence number 1, for
 *
 *   ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x01020304
 *     reqid 0x0fd00007 mode transport aead 'rfc4106(gcm(aes))' 0x000102...23
 *     128 replay-window 64 flag esn sel src 192.0.2.1/32 dst 192.0.2.2/32
 *     proto udp dport 6784 limit packet-soft 2147483648 limit packet-hard
 *     4294967296 limit byte-soft 2199023255552 limit byte-hard 4398046511104
 *   ip xfrm policy add src 192.0.2.1/32 dst 192.0.2.2/32 proto udp dport 6784
 *     dir out priority 64768 tmpl src 192.0.2.1 dst 192.0.2.2 proto esp
 *     spi 0x01020304 reqid 0x0fd00007 mode transport
 *   the same with mark 0x30 mask 0xf0 priority 64767, and its delete
 *   ip xfrm policy update src ::/0 dst ::/0 proto udp dport 6784 dir in
 *     priority 65023 action block
 *   ip xfrm policy delete src ::/0 dst ::/0 proto udp dport 6784 dir in
 */
static const char newsa_hex[] =
	"7c010000100005000100000000000000c0000202000000000000000000000000"
	"c00002010000000000000000000000001a80ffff000000000200202011000000"
	"0000000000000000c00002020000000000000000000000000102030432000000"
	"c000020100000000000000000000000000000000000200000000000000040000"
	"0000008000000000000000000100000000000000000000000000000000000000"
	"0000000000000000000000000000000000000000000000000000000000000000"
	"0000000000000000000000000000000000000000000000000000000000000000"
	"0700d00f02000000800000000000000070001200726663343130362867636d28"
	"6165732929000000000000000000000000000000000000000000000000000000"
	"0000000000000000000000000000000000000000200100008000000000010203"
	"0405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223"
	"1c001700020000000000000000000000000000000000000040000000";

static const char newpolicy_hex[] =
	"fc000000130005000100000000000000c0000202000000000000000000000000"
	"c00002010000000000000000000000001a80ffff000000000200202011000000"
	"0000000000000000ffffffffffffffffffffffffffffffffffffffffffffffff"
	"ffffffffffffffff000000000000000000000000000000000000000000000000"
	"0000000000000000000000000000000000000000000000000000000000000000"
	"000000000000000000fd000000000000010000000000000044000500c0000202"
	"000000000000000000000000010203043200000002000000c000020100000000"
	"00000000000000000700d00f00000000ffffffffffffffffffffffff";

static const char newlane_hex[] =
	"08010000130005000100000000000000c0000202000000000000000000000000"
	"c00002010000000000000000000000001a80ffff000000000200202011000000"
	"0000000000000000ffffffffffffffffffffffffffffffffffffffffffffffff"
	"ffffffffffffffff000000000000000000000000000000000000000000000000"
	"0000000000000000000000000000000000000000000000000000000000000000"
	"0000000000000000fffc000000000000010000000000000044000500c0000202"
	"000000000000000000000000010203043200000002000000c000020100000000"
	"00000000000000000700d00f00000000ffffffffffffffffffffffff"
	"0c00150030000000f0000000";

static const char dellane_hex[] =
	"5c000000140005000100000000000000c0000202000000000000000000000000"
	"c00002010000000000000000000000001a80ffff000000000200202011000000"
	"000000000000000000000000010000000c00150030000000f0000000";

static const char updpolicy_hex[] =
	"b800000019000500010000000000000000000000000000000000000000000000"
	"000000000000000000000000000000001a80ffff000000000a00000011000000"
	"0000000000000000ffffffffffffffffffffffffffffffffffffffffffffffff"
	"ffffffffffffffff000000000000000000000000000000000000000000000000"
	"0000000000000000000000000000000000000000000000000000000000000000"
	"0000000000000000fffd0000000000000001000000000000";

static const char delpolicy_hex[] =
	"5000000014000500010000000000000000000000000000000000000000000000"
	"000000000000000000000000000000001a80ffff000000000a00000011000000"
	"00000000000000000000000000000000";

static struct ip_addr ip(const char *text)
{
	struct ip_prefix p;

	ck_assert_int_eq(prefix_parse(text, &p), FDP_OK);
	return p.ip;
}

static struct xfrm_sa example_sa(const char *src, const char *dst)
{
	struct xfrm_sa sa = {
		.src = ip(src),
		.dst = ip(dst),
		.spi = 0x01020304,
		.reqid = XFRM_REQID_BASE + 7,
		.udp_port = 6784,
		.replay_window = 64,
		.soft_packets = UINT64_C(1) << 31,
		.hard_packets = UINT64_C(1) << 32,
		.soft_bytes = UINT64_C(1) << 41,
		.hard_bytes = UINT64_C(1) << 42,
	};

	for (size_t i = 0; i < sizeof sa.key; i++) {
		sa.key[i] = (uint8_t)i;
	}
	return sa;
}

static struct xfrm_policy peer_policy(enum xfrm_dir dir, const char *src,
				      const char *dst)
{
	struct xfrm_policy policy = {
		.dir = dir,
		.src = ip(src),
		.dst = ip(dst),
		.udp_port = 6784,
		.priority = XFRM_PRIORITY_PEER,
		.reqid = XFRM_REQID_BASE + 7,
		.spi = dir == XFRM_DIR_OUT ? 0x01020304 : 0,
	};

	policy.v6 = !ip_is_v4(&policy.src);
	return policy;
}

static struct xfrm_policy block_policy(enum xfrm_dir dir, bool v6)
{
	return (struct xfrm_policy){
		.dir = dir,
		.v6 = v6,
		.udp_port = 6784,
		.priority = XFRM_PRIORITY_BLOCK,
		.block = true,
	};
}

static void assert_bytes(const struct wbuf *b, const char *hex)
{
	size_t size = strlen(hex) / 2;

	ck_assert_uint_eq(b->size, size);
	for (size_t i = 0; i < size; i++) {
		char byte[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

		ck_assert_msg(b->data[i] == strtoul(byte, NULL, 16),
			      "byte %zu is %02x, not %s", i, b->data[i], byte);
	}
}

/* Against another implementation's bytes. */

START_TEST(sa_encoded_equals_that_of_iproute2)
{
	struct xfrm_sa sa = example_sa("192.0.2.1", "192.0.2.2");
	struct wbuf b = WBUF_INITIALIZER(0);

	xfrm_put_sa(&b, 1, NLM_F_ACK, &sa);
	assert_bytes(&b, newsa_hex);
	wbuf_free(&b);
}
END_TEST

START_TEST(policy_encoded_equals_that_of_iproute2)
{
	struct xfrm_policy policy =
		peer_policy(XFRM_DIR_OUT, "192.0.2.1", "192.0.2.2");
	struct wbuf b = WBUF_INITIALIZER(0);

	xfrm_put_policy(&b, 1, NLM_F_ACK, &policy, false);
	assert_bytes(&b, newpolicy_hex);
	wbuf_free(&b);
}
END_TEST

static struct xfrm_policy lane_policy(const char *src, const char *dst)
{
	struct xfrm_policy policy = peer_policy(XFRM_DIR_OUT, src, dst);

	policy.priority = XFRM_PRIORITY_LANE;
	policy.mark = 0x30;
	policy.mark_mask = 0xf0;
	return policy;
}

START_TEST(policy_with_mark_encoded_equals_that_of_iproute2)
{
	struct xfrm_policy policy = lane_policy("192.0.2.1", "192.0.2.2");
	struct wbuf b = WBUF_INITIALIZER(0);

	xfrm_put_policy(&b, 1, NLM_F_ACK, &policy, false);
	assert_bytes(&b, newlane_hex);
	wbuf_clear(&b);
	xfrm_put_policy_del(&b, 1, NLM_F_ACK, &policy);
	assert_bytes(&b, dellane_hex);
	wbuf_free(&b);
}
END_TEST

START_TEST(block_policy_encoded_equals_that_of_iproute2)
{
	struct xfrm_policy policy = block_policy(XFRM_DIR_IN, true);
	struct wbuf b = WBUF_INITIALIZER(0);

	xfrm_put_policy(&b, 1, NLM_F_ACK, &policy, true);
	assert_bytes(&b, updpolicy_hex);
	wbuf_clear(&b);
	xfrm_put_policy_del(&b, 1, NLM_F_ACK, &policy);
	assert_bytes(&b, delpolicy_hex);
	wbuf_free(&b);
}
END_TEST

/* Round trips. */

static void assert_sa_equal(const struct xfrm_sa *a, const struct xfrm_sa *b)
{
	ck_assert(ip_equal(&a->src, &b->src));
	ck_assert(ip_equal(&a->dst, &b->dst));
	ck_assert_uint_eq(a->spi, b->spi);
	ck_assert_uint_eq(a->reqid, b->reqid);
	ck_assert_uint_eq(a->udp_port, b->udp_port);
	ck_assert_uint_eq(a->replay_window, b->replay_window);
	ck_assert_uint_eq(a->soft_packets, b->soft_packets);
	ck_assert_uint_eq(a->hard_packets, b->hard_packets);
	ck_assert_uint_eq(a->soft_bytes, b->soft_bytes);
	ck_assert_uint_eq(a->hard_bytes, b->hard_bytes);
}

START_TEST(sa_encoded_decodes_the_same)
{
	static const struct {
		const char *src, *dst;
		bool limits;
		uint32_t window;
	} cases[] = {
		{"192.0.2.1", "192.0.2.2", true, 1024},
		{"192.0.2.1", "192.0.2.2", false, 1},
		{"2001:db8::1", "2001:db8::2", true, 4096},
		{"2001:db8::1", "2001:db8::2", false, 33},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct xfrm_sa sa = example_sa(cases[i].src, cases[i].dst);
		struct xfrm_sa back;
		struct wbuf b = WBUF_INITIALIZER(0);

		memset(&back, 0xee, sizeof back);
		sa.replay_window = cases[i].window;
		if (!cases[i].limits) {
			sa.soft_packets = sa.hard_packets = 0;
			sa.soft_bytes = sa.hard_bytes = 0;
		}
		xfrm_put_sa(&b, 5, 0, &sa);
		ck_assert_uint_eq(b.size % 4, 0);
		ck_assert_int_eq(xfrm_get_sa(wbuf_span(&b), &back), FDP_OK);
		assert_sa_equal(&sa, &back);
		wbuf_free(&b);
	}
}
END_TEST

START_TEST(sa_decoded_has_no_key)
{
	struct xfrm_sa sa = example_sa("192.0.2.1", "192.0.2.2"), back;
	static const uint8_t zero[XFRM_KEY_SIZE];
	struct wbuf b = WBUF_INITIALIZER(0);

	memset(&back, 0xee, sizeof back);
	xfrm_put_sa(&b, 5, 0, &sa);
	ck_assert_int_eq(xfrm_get_sa(wbuf_span(&b), &back), FDP_OK);
	ck_assert_mem_eq(back.key, zero, sizeof zero);
	wbuf_free(&b);
}
END_TEST

START_TEST(window_out_of_range_is_brought_into_it)
{
	static const struct {
		uint32_t asked, got;
	} cases[] = {{0, 1}, {4096, 4096}, {4097, 4096}, {UINT32_MAX, 4096}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct xfrm_sa sa = example_sa("192.0.2.1", "192.0.2.2"), back;
		struct wbuf b = WBUF_INITIALIZER(0);

		sa.replay_window = cases[i].asked;
		xfrm_put_sa(&b, 5, 0, &sa);
		ck_assert_int_eq(xfrm_get_sa(wbuf_span(&b), &back), FDP_OK);
		ck_assert_uint_eq(back.replay_window, cases[i].got);
		wbuf_free(&b);
	}
}
END_TEST

static struct xfrm_policy policy_number(int i)
{
	switch (i) {
	case 0:
		return peer_policy(XFRM_DIR_OUT, "192.0.2.1", "192.0.2.2");
	case 1:
		return peer_policy(XFRM_DIR_IN, "192.0.2.2", "192.0.2.1");
	case 2:
		return peer_policy(XFRM_DIR_OUT, "2001:db8::1", "2001:db8::2");
	case 3:
		return block_policy(XFRM_DIR_IN, false);
	case 4:
		return block_policy(XFRM_DIR_OUT, false);
	case 5:
		return block_policy(XFRM_DIR_IN, true);
	case 6:
		return lane_policy("192.0.2.1", "192.0.2.2");
	case 7:
		return lane_policy("2001:db8::1", "2001:db8::2");
	default:
		return block_policy(XFRM_DIR_OUT, true);
	}
}

START_TEST(policy_encoded_decodes_the_same)
{
	struct xfrm_policy policy = policy_number(_i), back;
	struct wbuf b = WBUF_INITIALIZER(0);

	memset(&back, 0xee, sizeof back);
	xfrm_put_policy(&b, 5, 0, &policy, false);
	ck_assert_int_eq(xfrm_get_policy(wbuf_span(&b), &back), FDP_OK);
	ck_assert_int_eq(back.dir, policy.dir);
	ck_assert(ip_equal(&back.src, &policy.src));
	ck_assert(ip_equal(&back.dst, &policy.dst));
	ck_assert_int_eq(back.v6, policy.v6);
	ck_assert_uint_eq(back.udp_port, policy.udp_port);
	ck_assert_uint_eq(back.priority, policy.priority);
	ck_assert_int_eq(back.block, policy.block);
	ck_assert_uint_eq(back.reqid, policy.reqid);
	ck_assert_uint_eq(back.spi, policy.spi);
	ck_assert_uint_eq(back.mark, policy.mark);
	ck_assert_uint_eq(back.mark_mask, policy.mark_mask);
	ck_assert(xfrm_policy_same_selector(&policy, &back));
	ck_assert(xfrm_policy_is_ours(&back));
	wbuf_free(&b);
}
END_TEST

START_TEST(spi_of_inbound_policy_is_not_sent)
{
	struct xfrm_policy policy =
		peer_policy(XFRM_DIR_IN, "192.0.2.2", "192.0.2.1");
	struct wbuf b = WBUF_INITIALIZER(0);

	policy.spi = 77;
	xfrm_put_policy(&b, 5, 0, &policy, false);
	ck_assert_int_eq(xfrm_get_policy(wbuf_span(&b), &policy), FDP_OK);
	ck_assert_uint_eq(policy.spi, 0);
	wbuf_free(&b);
}
END_TEST

START_TEST(many_requests_in_one_buffer_stay_apart)
{
	struct xfrm_sa sa = example_sa("192.0.2.1", "192.0.2.2");
	struct xfrm_policy policy = block_policy(XFRM_DIR_IN, true);
	static const uint16_t types[] = {XFRM_MSG_NEWSA,     XFRM_MSG_DELSA,
					 XFRM_MSG_UPDPOLICY, XFRM_MSG_DELPOLICY,
					 XFRM_MSG_GETSA,     XFRM_MSG_GETPOLICY,
					 XFRM_MSG_GETSA};
	static const uint16_t flags[] = {NLM_F_REQUEST | NLM_F_ACK,
					 NLM_F_REQUEST,
					 NLM_F_REQUEST,
					 NLM_F_REQUEST,
					 NLM_F_REQUEST | NLM_F_DUMP,
					 NLM_F_REQUEST | NLM_F_DUMP,
					 NLM_F_REQUEST | NLM_F_ACK};
	struct wbuf b = WBUF_INITIALIZER(0);
	struct span rest;

	xfrm_put_sa(&b, 1, NLM_F_ACK, &sa);
	xfrm_put_sa_del(&b, 2, 0, &sa.dst, sa.spi);
	xfrm_put_policy(&b, 3, 0, &policy, true);
	xfrm_put_policy_del(&b, 4, 0, &policy);
	xfrm_put_sa_dump(&b, 5);
	xfrm_put_policy_dump(&b, 6);
	xfrm_put_sa_get(&b, 7, NLM_F_ACK, &sa.dst, sa.spi);
	rest = wbuf_span(&b);
	for (uint32_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct nlmsghdr header;
		struct span payload, message;

		ck_assert_int_eq(nlmsg_read(rest, &header, &payload), FDP_OK);
		ck_assert_uint_eq(header.nlmsg_type, types[i]);
		ck_assert_uint_eq(header.nlmsg_flags, flags[i]);
		ck_assert_uint_eq(header.nlmsg_seq, i + 1);
		ck_assert_int_eq(span_cut(&rest, NLMSG_ALIGN(header.nlmsg_len),
					  &message),
				 FDP_OK);
	}
	ck_assert_uint_eq(rest.size, 0);
	wbuf_free(&b);
}
END_TEST

START_TEST(buffer_too_small_overflows_as_a_whole)
{
	struct xfrm_sa sa = example_sa("192.0.2.1", "192.0.2.2");

	for (size_t max = 1; max < 380; max++) {
		struct wbuf b = WBUF_INITIALIZER(max);

		xfrm_put_sa(&b, 1, 0, &sa);
		ck_assert_int_eq(wbuf_done(&b), ERR_OVERSIZED);
		wbuf_free(&b);
	}
}
END_TEST

/* Bad input.  Copies have exactly the size that is told, so that the address
 * sanitizer sees one byte too many. */

static enum err decode_all(const uint8_t *data, size_t size)
{
	uint8_t *copy = xmemdup(data, size ? size : 1);
	struct span msg = span_of(copy, size);
	struct xfrm_policy policy;
	struct xfrm_event event;
	struct xfrm_sa sa;
	enum err err = xfrm_get_sa(msg, &sa);

	if (err) {
		err = xfrm_get_policy(msg, &policy);
	}
	if (err) {
		err = xfrm_get_event(msg, &event);
	}
	free(copy);
	return err;
}

static void put_example(struct wbuf *b, int which)
{
	struct xfrm_sa sa = example_sa("2001:db8::1", "2001:db8::2");
	struct xfrm_policy policy =
		peer_policy(XFRM_DIR_OUT, "192.0.2.1", "192.0.2.2");

	if (which) {
		xfrm_put_policy(b, 1, 0, &policy, false);
	} else {
		xfrm_put_sa(b, 1, 0, &sa);
	}
}

START_TEST(message_cut_short_is_refused)
{
	struct wbuf b = WBUF_INITIALIZER(0);

	put_example(&b, _i);
	ck_assert_int_eq(decode_all(b.data, b.size), FDP_OK);
	for (size_t size = 0; size < b.size; size++) {
		ck_assert_int_eq(decode_all(b.data, size), ERR_TRUNCATED);
	}
	wbuf_free(&b);
}
END_TEST

START_TEST(message_that_says_it_is_short_is_refused)
{
	struct wbuf b = WBUF_INITIALIZER(0);
	size_t whole;

	put_example(&b, _i);
	whole = b.size;
	for (uint32_t size = 0; size < whole; size++) {
		if (_i && size == NLMSG_HDRLEN +
					  sizeof(struct xfrm_userpolicy_info)) {
			continue; /* Whole, and without a template. */
		}
		memcpy(b.data, &size, sizeof size);
		ck_assert_int_ne(decode_all(b.data, whole), FDP_OK);
	}
	wbuf_free(&b);
}
END_TEST

START_TEST(message_with_any_byte_changed_is_safe)
{
	static const uint8_t flips[] = {0x01, 0x80, 0xff};
	struct wbuf b = WBUF_INITIALIZER(0);
	unsigned int accepted = 0;

	put_example(&b, _i);
	for (size_t i = 0; i < b.size; i++) {
		for (size_t j = 0; j < ARRAY_SIZE(flips); j++) {
			b.data[i] ^= flips[j];
			accepted += !decode_all(b.data, b.size);
			b.data[i] ^= flips[j];
		}
	}
	/* Some bytes are free (counters), some are not (modes). */
	ck_assert_uint_gt(accepted, 0);
	ck_assert_uint_lt(accepted, b.size * ARRAY_SIZE(flips));
	wbuf_free(&b);
}
END_TEST

/* Objects of other kinds are not ours, whatever their reqid. */

enum {
	SA_AT = NLMSG_HDRLEN,
	AEAD_AT =
		SA_AT + sizeof(struct xfrm_usersa_info) + sizeof(struct nlattr),
	POLICY_AT = NLMSG_HDRLEN,
	TMPL_AT = POLICY_AT + sizeof(struct xfrm_userpolicy_info) +
		  sizeof(struct nlattr)
};
#define SA_FIELD(F)	(SA_AT + offsetof(struct xfrm_usersa_info, F))
#define AEAD_FIELD(F)	(AEAD_AT + offsetof(struct xfrm_algo_aead, F))
#define POLICY_FIELD(F) (POLICY_AT + offsetof(struct xfrm_userpolicy_info, F))
#define TMPL_FIELD(F)	(TMPL_AT + offsetof(struct xfrm_user_tmpl, F))

struct patch {
	size_t at;
	uint8_t value;
	const char *what;
};

START_TEST(sa_of_another_kind_is_unsupported)
{
	static const struct patch patches[] = {
		{SA_FIELD(mode), XFRM_MODE_TUNNEL, "tunnel mode"},
		{SA_FIELD(id.proto), IPPROTO_AH, "AH"},
		{SA_FIELD(flags), 0, "no ESN"},
		{SA_FIELD(family), AF_UNIX, "family"},
		{SA_FIELD(sel.family), AF_INET, "selector family"},
		{SA_FIELD(sel.proto), IPPROTO_TCP, "TCP"},
		{SA_FIELD(sel.prefixlen_s), 64, "source prefix"},
		{SA_FIELD(sel.prefixlen_d), 0, "any destination"},
		{SA_FIELD(sel.dport_mask), 0, "many ports"},
		{SA_FIELD(sel.sport_mask), 1, "source port"},
		{SA_FIELD(sel.ifindex), 1, "interface"},
		{SA_FIELD(sel.saddr), 9, "selector of another source"},
		{SA_FIELD(sel.daddr), 9, "selector of another destination"},
		{AEAD_FIELD(alg_name), 'x', "cipher"},
		{AEAD_FIELD(alg_key_len), 160, "short key"},
		{AEAD_FIELD(alg_icv_len), 64, "short ICV"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(patches); i++) {
		struct wbuf b = WBUF_INITIALIZER(0);
		struct xfrm_sa sa;

		put_example(&b, 0);
		b.data[patches[i].at] = patches[i].value;
		ck_assert_msg(xfrm_get_sa(wbuf_span(&b), &sa) ==
				      ERR_UNSUPPORTED,
			      "%s", patches[i].what);
		wbuf_free(&b);
	}
}
END_TEST

START_TEST(policy_of_another_kind_is_unsupported)
{
	static const struct patch patches[] = {
		{POLICY_FIELD(dir), XFRM_POLICY_FWD, "forward"},
		{POLICY_FIELD(dir), XFRM_POLICY_MAX + 1, "of a socket"},
		{POLICY_FIELD(action), 2, "action"},
		{POLICY_FIELD(sel.family), 0, "family"},
		{POLICY_FIELD(sel.proto), IPPROTO_TCP, "TCP"},
		{POLICY_FIELD(sel.prefixlen_d), 24, "prefix"},
		{TMPL_FIELD(mode), XFRM_MODE_TUNNEL, "tunnel mode"},
		{TMPL_FIELD(id.proto), IPPROTO_AH, "AH"},
		{TMPL_FIELD(optional), 1, "optional"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(patches); i++) {
		struct xfrm_policy policy;
		struct wbuf b = WBUF_INITIALIZER(0);

		put_example(&b, 1);
		b.data[patches[i].at] = patches[i].value;
		ck_assert_msg(xfrm_get_policy(wbuf_span(&b), &policy) ==
				      ERR_UNSUPPORTED,
			      "%s", patches[i].what);
		wbuf_free(&b);
	}
}
END_TEST

/* Appends an attribute to the one message in 'b'. */
static void append_attr(struct wbuf *b, uint16_t type, const void *data,
			size_t size)
{
	nlattr_put(b, type, data, size);
	nlmsg_end(b, 0);
}

/* A mark is for policies only; one that is cut off is none. */
START_TEST(object_with_a_mark_or_interface_is_as_in_table)
{
	const struct xfrm_mark none = {0, 0}, mark = {1, 0xff};
	const uint32_t if_id = 3;
	struct xfrm_policy policy;
	struct wbuf b = WBUF_INITIALIZER(0);
	struct xfrm_sa sa;

	for (int i = 0; i < 3; i++) {
		for (int which = 0; which <= 1; which++) {
			enum err want = i == 0 || (i == 1 && which)
						? FDP_OK
						: ERR_UNSUPPORTED;
			enum err err;

			wbuf_clear(&b);
			put_example(&b, which);
			append_attr(&b, i == 2 ? XFRMA_IF_ID : XFRMA_MARK,
				    i == 2   ? (const void *)&if_id
				    : i == 1 ? (const void *)&mark
					     : (const void *)&none,
				    i == 2 ? sizeof if_id : sizeof mark);
			err = which ? xfrm_get_policy(wbuf_span(&b), &policy)
				    : xfrm_get_sa(wbuf_span(&b), &sa);
			ck_assert_int_eq(err, want);
			if (i == 1 && which) {
				ck_assert_uint_eq(policy.mark, 1);
				ck_assert_uint_eq(policy.mark_mask, 0xff);
				/* Somebody else's, with our priority. */
				ck_assert(!xfrm_policy_is_ours(&policy));
			}
		}
	}
	wbuf_clear(&b);
	put_example(&b, 1);
	append_attr(&b, XFRMA_MARK, &mark, 4);
	ck_assert_int_eq(xfrm_get_policy(wbuf_span(&b), &policy),
			 ERR_TRUNCATED);
	wbuf_free(&b);
}
END_TEST

/* It lets all pass: ours between two hosts, never between anybody. */
START_TEST(policy_without_template_is_plain)
{
	struct xfrm_policy policy = block_policy(XFRM_DIR_OUT, false);
	struct wbuf b = WBUF_INITIALIZER(0);

	xfrm_put_policy(&b, 1, 0, &policy, false);
	b.data[POLICY_FIELD(action)] = XFRM_POLICY_ALLOW;
	ck_assert_int_eq(xfrm_get_policy(wbuf_span(&b), &policy), FDP_OK);
	ck_assert(policy.plain && !policy.block);
	policy.priority = XFRM_PRIORITY_PEER;
	ck_assert(!xfrm_policy_is_ours(&policy));
	policy = peer_policy(XFRM_DIR_OUT, "192.0.2.1", "192.0.2.2");
	policy.plain = true;
	ck_assert(xfrm_policy_is_ours(&policy));
	policy.priority++;
	ck_assert(!xfrm_policy_is_ours(&policy));
	wbuf_free(&b);
}
END_TEST

START_TEST(plain_policy_encoded_decodes_the_same)
{
	struct xfrm_policy policy = peer_policy(_i ? XFRM_DIR_IN : XFRM_DIR_OUT,
						"192.0.2.1", "192.0.2.2");
	struct xfrm_policy strict = policy, back;
	struct wbuf b = WBUF_INITIALIZER(0);

	policy.plain = true;
	xfrm_put_policy(&b, 5, 0, &policy, false);
	ck_assert_int_eq(xfrm_get_policy(wbuf_span(&b), &back), FDP_OK);
	ck_assert(back.plain && !back.block);
	ck_assert_uint_eq(back.reqid, 0);
	ck_assert_uint_eq(back.spi, 0);
	/* One takes the place of the other. */
	ck_assert(xfrm_policy_same_selector(&strict, &back));
	ck_assert_uint_eq(strict.priority, back.priority);
	wbuf_free(&b);
}
END_TEST

START_TEST(sub_policy_is_unsupported)
{
	const struct xfrm_userpolicy_type main_type = {
		.type = XFRM_POLICY_TYPE_MAIN};
	const struct xfrm_userpolicy_type sub_type = {
		.type = XFRM_POLICY_TYPE_SUB};
	struct xfrm_policy policy;
	struct wbuf b = WBUF_INITIALIZER(0);

	put_example(&b, 1);
	append_attr(&b, XFRMA_POLICY_TYPE, &main_type, sizeof main_type);
	ck_assert_int_eq(xfrm_get_policy(wbuf_span(&b), &policy), FDP_OK);
	wbuf_clear(&b);
	put_example(&b, 1);
	append_attr(&b, XFRMA_POLICY_TYPE, &sub_type, sizeof sub_type);
	ck_assert_int_eq(xfrm_get_policy(wbuf_span(&b), &policy),
			 ERR_UNSUPPORTED);
	wbuf_free(&b);
}
END_TEST

START_TEST(message_of_another_type_is_malformed)
{
	struct xfrm_policy policy;
	struct wbuf b = WBUF_INITIALIZER(0);
	struct xfrm_sa sa;

	put_example(&b, 0);
	ck_assert_int_eq(xfrm_get_policy(wbuf_span(&b), &policy),
			 ERR_MALFORMED);
	wbuf_clear(&b);
	put_example(&b, 1);
	ck_assert_int_eq(xfrm_get_sa(wbuf_span(&b), &sa), ERR_MALFORMED);
	wbuf_free(&b);
}
END_TEST

/* Notifications, in the shapes of xfrm_user.c's xfrm_notify_*(). */

static void set_type(struct wbuf *b, uint16_t type)
{
	memcpy(b->data + offsetof(struct nlmsghdr, nlmsg_type), &type,
	       sizeof type);
}

START_TEST(event_of_added_sa_is_decoded)
{
	struct xfrm_event event;
	struct wbuf b = WBUF_INITIALIZER(0);

	put_example(&b, 0);
	ck_assert_int_eq(xfrm_get_event(wbuf_span(&b), &event), FDP_OK);
	ck_assert_int_eq(event.type, XFRM_EVENT_SA_ADDED);
	ck_assert_uint_eq(event.sa.spi, 0x01020304);
	ck_assert(xfrm_sa_is_ours(&event.sa));
	set_type(&b, XFRM_MSG_UPDSA);
	ck_assert_int_eq(xfrm_get_event(wbuf_span(&b), &event), FDP_OK);
	ck_assert_int_eq(event.type, XFRM_EVENT_SA_ADDED);
	wbuf_free(&b);
}
END_TEST

/* The identity in front, the object in an attribute, then its attributes. */
static void put_deletion(struct wbuf *b, uint16_t type, size_t id_size,
			 uint16_t attr, size_t info_size, int which)
{
	static const uint8_t id[sizeof(struct xfrm_userpolicy_id)];
	struct wbuf object = WBUF_INITIALIZER(0);
	size_t start = nlmsg_begin(b, type, 0, 1);

	put_example(&object, which);
	nlmsg_put_fixed(b, id, id_size);
	nlattr_put(b, attr, object.data + NLMSG_HDRLEN, info_size);
	wbuf_bytes(b, object.data + NLMSG_HDRLEN + info_size,
		   object.size - NLMSG_HDRLEN - info_size);
	nlmsg_end(b, start);
	wbuf_free(&object);
}

START_TEST(event_of_deleted_sa_is_decoded)
{
	struct xfrm_event event;
	struct wbuf b = WBUF_INITIALIZER(0);

	put_deletion(&b, XFRM_MSG_DELSA, sizeof(struct xfrm_usersa_id),
		     XFRMA_SA, sizeof(struct xfrm_usersa_info), 0);
	ck_assert_int_eq(xfrm_get_event(wbuf_span(&b), &event), FDP_OK);
	ck_assert_int_eq(event.type, XFRM_EVENT_SA_DELETED);
	ck_assert_uint_eq(event.sa.spi, 0x01020304);
	for (size_t size = 0; size < b.size; size++) {
		ck_assert_int_ne(decode_all(b.data, size), FDP_OK);
	}
	wbuf_free(&b);
}
END_TEST

START_TEST(event_of_deleted_policy_is_decoded)
{
	struct xfrm_event event;
	struct wbuf b = WBUF_INITIALIZER(0);

	put_deletion(&b, XFRM_MSG_DELPOLICY, sizeof(struct xfrm_userpolicy_id),
		     XFRMA_POLICY, sizeof(struct xfrm_userpolicy_info), 1);
	ck_assert_int_eq(xfrm_get_event(wbuf_span(&b), &event), FDP_OK);
	ck_assert_int_eq(event.type, XFRM_EVENT_POLICY_DELETED);
	ck_assert_uint_eq(event.policy.reqid, XFRM_REQID_BASE + 7);
	wbuf_free(&b);
}
END_TEST

START_TEST(event_of_changed_policy_is_decoded)
{
	struct xfrm_event event;
	struct wbuf b = WBUF_INITIALIZER(0);

	put_example(&b, 1);
	ck_assert_int_eq(xfrm_get_event(wbuf_span(&b), &event), FDP_OK);
	ck_assert_int_eq(event.type, XFRM_EVENT_POLICY_ADDED);
	set_type(&b, XFRM_MSG_UPDPOLICY);
	ck_assert_int_eq(xfrm_get_event(wbuf_span(&b), &event), FDP_OK);
	ck_assert_int_eq(event.type, XFRM_EVENT_POLICY_CHANGED);
	wbuf_free(&b);
}
END_TEST

START_TEST(event_of_limit_tells_soft_from_hard)
{
	for (uint8_t hard = 0; hard <= 1; hard++) {
		struct wbuf example = WBUF_INITIALIZER(0);
		struct wbuf b = WBUF_INITIALIZER(0);
		struct xfrm_user_expire expire;
		struct xfrm_event event;
		size_t start = nlmsg_begin(&b, XFRM_MSG_EXPIRE, 0, 1);

		put_example(&example, 0);
		memset(&expire, 0, sizeof expire);
		memcpy(&expire.state, example.data + NLMSG_HDRLEN,
		       sizeof expire.state);
		expire.hard = hard;
		nlmsg_put_fixed(&b, &expire, sizeof expire);
		nlmsg_end(&b, start);
		ck_assert_int_eq(xfrm_get_event(wbuf_span(&b), &event), FDP_OK);
		ck_assert_int_eq(event.type, hard ? XFRM_EVENT_SA_HARD
						  : XFRM_EVENT_SA_SOFT);
		ck_assert_uint_eq(event.sa.spi, 0x01020304);
		wbuf_free(&b);
		wbuf_free(&example);
	}
}
END_TEST

START_TEST(event_of_flush_is_decoded)
{
	static const struct {
		uint8_t proto;
		enum err err;
	} cases[] = {{IPPROTO_ESP, FDP_OK},
		     {255 /* IPSEC_PROTO_ANY */, FDP_OK},
		     {0, FDP_OK},
		     {IPPROTO_AH, ERR_UNSUPPORTED}};
	struct xfrm_event event;
	struct wbuf b = WBUF_INITIALIZER(0);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t start = nlmsg_begin(&b, XFRM_MSG_FLUSHSA, 0, 1);

		nlmsg_put_fixed(&b, &cases[i].proto, 1);
		nlmsg_end(&b, start);
		ck_assert_int_eq(xfrm_get_event(wbuf_span(&b), &event),
				 cases[i].err);
		if (!cases[i].err) {
			ck_assert_int_eq(event.type, XFRM_EVENT_SA_FLUSH);
		}
		wbuf_clear(&b);
	}
	nlmsg_end(&b, nlmsg_begin(&b, XFRM_MSG_FLUSHPOLICY, 0, 1));
	ck_assert_int_eq(xfrm_get_event(wbuf_span(&b), &event), FDP_OK);
	ck_assert_int_eq(event.type, XFRM_EVENT_POLICY_FLUSH);
	set_type(&b, XFRM_MSG_MAPPING);
	ck_assert_int_eq(xfrm_get_event(wbuf_span(&b), &event),
			 ERR_UNSUPPORTED);
	wbuf_free(&b);
}
END_TEST

/* Whose they are. */

START_TEST(ours_are_told_by_reqid_and_priority)
{
	static const struct {
		uint32_t reqid;
		bool ours;
	} cases[] = {{0, false},
		     {1, false},
		     {XFRM_REQID_BASE - 1, false},
		     {XFRM_REQID_BASE, true},
		     {XFRM_REQID_BASE + XFRM_REQID_RANGE - 1, true},
		     {XFRM_REQID_BASE + XFRM_REQID_RANGE, false},
		     {UINT32_MAX, false}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct xfrm_sa sa = {.reqid = cases[i].reqid};
		struct xfrm_policy policy = policy_number(0);

		ck_assert_int_eq(xfrm_sa_is_ours(&sa), cases[i].ours);
		policy.reqid = cases[i].reqid;
		ck_assert_int_eq(xfrm_policy_is_ours(&policy), cases[i].ours);
		policy.priority++;
		ck_assert(!xfrm_policy_is_ours(&policy));
	}
	for (int i = 3; i < 7; i++) {
		struct xfrm_policy policy = policy_number(i);

		ck_assert(xfrm_policy_is_ours(&policy));
		policy.priority = XFRM_PRIORITY_PEER;
		ck_assert(!xfrm_policy_is_ours(&policy));
	}
}
END_TEST

START_TEST(selectors_differ_unless_all_of_them_is_equal)
{
	struct xfrm_policy same = policy_number(0);

	for (int i = 0; i < 7; i++) {
		for (int j = 0; j < 7; j++) {
			struct xfrm_policy a = policy_number(i);
			struct xfrm_policy b = policy_number(j);

			ck_assert_int_eq(xfrm_policy_same_selector(&a, &b),
					 i == j);
		}
	}
	same.reqid++;
	same.spi++;
	same.priority++;
	same.v6 = true; /* Does not count: there are addresses. */
	ck_assert(xfrm_policy_same_selector(
		&same, &(struct xfrm_policy){.dir = same.dir,
					     .src = same.src,
					     .dst = same.dst,
					     .udp_port = 6784}));
	ck_assert(!xfrm_policy_same_selector(
		&same, &(struct xfrm_policy){.dir = same.dir,
					     .src = same.src,
					     .dst = same.dst,
					     .udp_port = 1}));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("xfrm");
	TCase *tc = tcase_create("encode");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, sa_encoded_equals_that_of_iproute2);
	tcase_add_test(tc, policy_encoded_equals_that_of_iproute2);
	tcase_add_test(tc, policy_with_mark_encoded_equals_that_of_iproute2);
	tcase_add_test(tc, block_policy_encoded_equals_that_of_iproute2);
	tcase_add_test(tc, sa_encoded_decodes_the_same);
	tcase_add_test(tc, sa_decoded_has_no_key);
	tcase_add_test(tc, window_out_of_range_is_brought_into_it);
	tcase_add_loop_test(tc, policy_encoded_decodes_the_same, 0, 9);
	tcase_add_loop_test(tc, plain_policy_encoded_decodes_the_same, 0, 2);
	tcase_add_test(tc, spi_of_inbound_policy_is_not_sent);
	tcase_add_test(tc, many_requests_in_one_buffer_stay_apart);
	tcase_add_test(tc, buffer_too_small_overflows_as_a_whole);
	suite_add_tcase(suite, tc);
	tc = tcase_create("decode");
	tcase_add_loop_test(tc, message_cut_short_is_refused, 0, 2);
	tcase_add_loop_test(tc, message_that_says_it_is_short_is_refused, 0, 2);
	tcase_add_loop_test(tc, message_with_any_byte_changed_is_safe, 0, 2);
	tcase_add_test(tc, sa_of_another_kind_is_unsupported);
	tcase_add_test(tc, policy_of_another_kind_is_unsupported);
	tcase_add_test(tc, object_with_a_mark_or_interface_is_as_in_table);
	tcase_add_test(tc, policy_without_template_is_plain);
	tcase_add_test(tc, sub_policy_is_unsupported);
	tcase_add_test(tc, message_of_another_type_is_malformed);
	suite_add_tcase(suite, tc);
	tc = tcase_create("events");
	tcase_add_test(tc, event_of_added_sa_is_decoded);
	tcase_add_test(tc, event_of_deleted_sa_is_decoded);
	tcase_add_test(tc, event_of_deleted_policy_is_decoded);
	tcase_add_test(tc, event_of_changed_policy_is_decoded);
	tcase_add_test(tc, event_of_limit_tells_soft_from_hard);
	tcase_add_test(tc, event_of_flush_is_decoded);
	suite_add_tcase(suite, tc);
	tc = tcase_create("ours");
	tcase_add_test(tc, ours_are_told_by_reqid_and_priority);
	tcase_add_test(tc, selectors_differ_unless_all_of_them_is_equal);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
