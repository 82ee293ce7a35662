#include "netlink/odp.h"
#include "netlink/odp_text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <linux/genetlink.h>
#include <linux/openvswitch.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

#include "kmod-glue/flow_print.h"
#include "netlink/nlmsg.h"
#include "unit/odp_shapes.h"

enum {
	FAMILY = 0x1c,
	SEQ = 77,
	DP_IFINDEX = 9
};

static const struct ufid some_ufid = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}};

/* ---- helpers ---------------------------------------------------------- */

static unsigned int seed = 1;

static uint32_t rnd(void)
{
	return (uint32_t)rand_r(&seed) << 16 ^ (uint32_t)rand_r(&seed);
}

static void rnd_bytes(void *to, size_t size)
{
	uint8_t *p = to;

	for (size_t i = 0; i < size; i++) {
		p[i] = (uint8_t)rnd();
	}
}

static struct flow all_ones(void)
{
	struct flow m;

	memset(&m, 0xff, sizeof m);
	m.tunnel.present = true;
	m.tunnel.flags = FLOW_TNL_KEY | FLOW_TNL_DF | FLOW_TNL_CSUM;
	return m;
}

static void rnd_ip(struct ip_addr *ip, bool v4)
{
	rnd_bytes(ip->b, sizeof ip->b);
	if (v4) {
		*ip = ip_from_v4(ip->b);
	}
}

/* A shape with other values in it. */
static struct flow rnd_flow(void)
{
	struct flow f = shapes[rnd() % N_SHAPES].flow;
	bool v4 = f.eth_type != ETH_TYPE_IPV6;
	bool ports = f.tp_src || f.tp_dst;

	f.in_port = rnd();
	rnd_bytes(&f.eth_src, sizeof f.eth_src);
	rnd_bytes(&f.eth_dst, sizeof f.eth_dst);
	if (f.vlan_tci) {
		f.vlan_tci = (uint16_t)(rnd() | 0x1000);
	}
	if (f.tunnel.present) {
		bool tunnel_v4 = ip_is_v4(&f.tunnel.dst);

		rnd_ip(&f.tunnel.src, tunnel_v4);
		rnd_ip(&f.tunnel.dst, tunnel_v4);
		f.tunnel.vni = rnd() & 0xffffff;
		f.tunnel.ttl = (uint8_t)rnd();
		f.tunnel.tos = (uint8_t)rnd();
	}
	if (!ip_is_zero(&f.nw_src)) {
		rnd_ip(&f.nw_src, v4);
		rnd_ip(&f.nw_dst, v4);
	}
	if (f.nw_proto) {
		f.nw_ttl = (uint8_t)rnd();
		f.nw_tos = (uint8_t)rnd();
		f.ipv6_label = v4 ? 0 : rnd() & 0xfffff;
	}
	if (ports && f.nw_proto != IP_PROTO_ICMP &&
	    f.nw_proto != IP_PROTO_ICMPV6) {
		f.tp_src = (uint16_t)rnd();
		f.tp_dst = (uint16_t)rnd();
	}
	if (f.arp_op) {
		f.arp_op = (uint16_t)(rnd() & 0xff);
		rnd_bytes(&f.arp_sha, sizeof f.arp_sha);
		rnd_bytes(&f.arp_tha, sizeof f.arp_tha);
	}
	if (flow_is_nd(&f)) {
		rnd_bytes(&f.nd_target, sizeof f.nd_target);
		rnd_bytes(&f.nd_sll, sizeof f.nd_sll);
	}
	return f;
}

/* Any mask at all; about half of its bytes are zero. */
static struct flow rnd_mask(void)
{
	struct flow m;
	uint8_t *p = (uint8_t *)&m;

	for (size_t i = 0; i < sizeof m; i++) {
		p[i] = rnd() & 1 ? 0 : rnd() & 1 ? 0xff : (uint8_t)rnd();
	}
	m.tunnel.present = rnd() & 1;
	m.tunnel.flags = rnd() & 7;
	return m;
}

static void rnd_actions(struct actions *as)
{
	size_t check = SIZE_MAX;

	actions_init(as);
	for (size_t n = rnd() % 5; n > 0; n--) {
		struct action *a;

		if (check != SIZE_MAX && rnd() & 1) {
			actions_check_end(as, check);
			check = SIZE_MAX;
		}
		if (check == SIZE_MAX && !(rnd() & 3)) {
			check = actions_check_size(as, (uint16_t)rnd(), rnd());
			as->v[check].check.upcall_pid = rnd();
		}
		if (rnd() & 1) {
			actions_output(as, rnd() & 0xffff);
			continue;
		}
		if (rnd() & 1) {
			actions_set_mark(as, rnd(), rnd());
			continue;
		}
		if (rnd() & 1) {
			actions_push_vlan(as, rnd() & 0xfff, rnd() & 7);
			continue;
		}
		if (rnd() & 1) {
			actions_pop_vlan(as);
			continue;
		}
		a = actions_set_tunnel(as);
		rnd_ip(&a->tunnel.dst, rnd() & 1);
		if (rnd() & 1) {
			rnd_ip(&a->tunnel.src, ip_is_v4(&a->tunnel.dst));
		}
		a->tunnel.vni = rnd() & 0xffffff;
		a->tunnel.tp_dst = (uint16_t)rnd();
		a->tunnel.tos = (uint8_t)rnd();
		a->tunnel.ttl = (uint8_t)rnd();
		a->tunnel.df = rnd() & 1;
		a->tunnel.csum = rnd() & 1;
	}
	if (check != SIZE_MAX) {
		actions_check_end(as, check);
	}
}

static void assert_same_flow(const struct flow *got, const struct flow *wanted,
			     const char *what)
{
	struct ds ds = DS_EMPTY_INITIALIZER;

	if (flow_equal(got, wanted)) {
		return;
	}
	flow_print_key(&ds, got, NULL);
	ds_put_cstr(&ds, "\n  is not ");
	flow_print_key(&ds, wanted, NULL);
	ck_abort_msg("%s: %s", what, ds_cstr(&ds));
}

/* The command of the one message in 'b', whose header is checked. */
static uint8_t header_of(const struct wbuf *b, uint16_t flags,
			 uint32_t *ifindex)
{
	struct nlmsghdr nlh;
	struct genlmsghdr genl;
	struct ovs_header ovs;
	struct span rest;

	ck_assert(!wbuf_done(b));
	ck_assert_uint_eq(b->size % 4, 0);
	ck_assert(!nlmsg_read(wbuf_span(b), &nlh, &rest));
	ck_assert_uint_eq(nlh.nlmsg_len, b->size);
	ck_assert_uint_eq(nlh.nlmsg_type, FAMILY);
	ck_assert_uint_eq(nlh.nlmsg_flags, NLM_F_REQUEST | flags);
	ck_assert_uint_eq(nlh.nlmsg_seq, SEQ);
	ck_assert(!nlmsg_get_fixed(&rest, &genl, sizeof genl));
	ck_assert(!nlmsg_get_fixed(&rest, &ovs, sizeof ovs));
	*ifindex = (uint32_t)ovs.dp_ifindex;
	return genl.cmd;
}

/* ---- text ------------------------------------------------------------- */

START_TEST(exact_match_on_every_shape_prints_like_ovs_dpctl)
{
	const struct shape *s = &shapes[_i];
	struct flow mask = all_ones();
	struct ds ds = DS_EMPTY_INITIALIZER;

	flow_print_key(&ds, &s->flow, &mask);
	ck_assert_msg(!strcmp(ds_cstr(&ds), s->text),
		      "%s:\n  got    %s\n  wanted %s", s->name, ds_cstr(&ds),
		      s->text);
	ds_destroy(&ds);
}
END_TEST

static const struct shape *shape_named(const char *name)
{
	for (size_t i = 0; i < N_SHAPES; i++) {
		if (!strcmp(shapes[i].name, name)) {
			return &shapes[i];
		}
	}
	ck_abort_msg("no shape %s", name);
	return NULL;
}

#define ONES_IP                                                               \
	{                                                                     \
		{                                                             \
			0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, \
				0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff      \
		}                                                             \
	}

static const struct {
	const char *shape;
	struct flow mask;
	const char *text;
} masked[] = {
	{"IPv4 TCP", {.in_port = 0}, "recirc_id(0),in_port(1),eth()"},
	{"IPv4 TCP",
	 {.eth_type = 0x0001},
	 "recirc_id(0),in_port(1),eth(),eth_type(0x0800)"},
	{"IPv4 TCP",
	 {.nw_frag = 0xff},
	 "recirc_id(0),in_port(1),eth(),eth_type(0x0800),ipv4(frag=no)"},
	{"IPv4 TCP",
	 {.tp_dst = 0xffff, .nw_frag = 0xff},
	 "recirc_id(0),in_port(1),eth(),eth_type(0x0800),"
	 "ipv4(proto=6,frag=no),tcp(dst=443)"},
	{"IPv4 TCP",
	 {.nw_dst = {{[12] = 0xff, 0xff, 0xff}}, .nw_frag = 0xff},
	 "recirc_id(0),in_port(1),eth(),eth_type(0x0800),"
	 "ipv4(dst=10.0.0.0/255.255.255.0,frag=no)"},
	{"neighbour advertisement",
	 {.nd_target = ONES_IP, .nw_frag = 0xff},
	 "recirc_id(0),in_port(1),eth(),eth_type(0x86dd),"
	 "ipv6(proto=58,frag=no),icmpv6(type=136),nd(target=fe80::7)"},
	{"VLAN, IPv4 UDP",
	 {.in_port = 0},
	 "recirc_id(0),in_port(1),eth(),eth_type(0x8100),"
	 "vlan(),encap()"},
	{"IPv4 tunnel, ARP",
	 {.tunnel = {.present = true, .vni = 0xffffff, .src = ONES_IP}},
	 "recirc_id(0),tunnel(tun_id=0x64,src=172.31.0.2,flags(+key)),"
	 "in_port(1),eth()"},
	{"IPv6 tunnel, IPv4 ICMP",
	 {.tunnel = {.present = true, .src = ONES_IP}},
	 "recirc_id(0),tunnel(ipv6_src=fd00::22),in_port(1),eth()"},
	{"IPv4 tunnel, ARP",
	 {.tunnel = {.present = true}},
	 "recirc_id(0),in_port(1),eth()"},
};

START_TEST(narrow_mask_prints_what_it_matches)
{
	const struct flow *key = &shape_named(masked[_i].shape)->flow;
	struct ds ds = DS_EMPTY_INITIALIZER;

	flow_print_key(&ds, key, &masked[_i].mask);
	ck_assert_str_eq(ds_cstr(&ds), masked[_i].text);
	ds_destroy(&ds);
}
END_TEST

START_TEST(actions_print_like_ovs_dpctl)
{
	struct ds ds = DS_EMPTY_INITIALIZER;
	struct actions as;
	struct action *a;

	actions_init(&as);
	flow_print_actions(&ds, &as);
	ck_assert_str_eq(ds_cstr(&ds), "drop");
	ds_clear(&ds);
	a = actions_set_tunnel(&as);
	a->tunnel.dst = (struct ip_addr)SHAPE_V4(172, 31, 0, 2);
	a->tunnel.vni = 100;
	a->tunnel.ttl = 64;
	a->tunnel.tp_dst = 6784;
	a->tunnel.df = true;
	actions_output(&as, 1);
	a = actions_set_tunnel(&as);
	a->tunnel.src = (struct ip_addr)SHAPE_ULA(1);
	a->tunnel.dst = (struct ip_addr)SHAPE_ULA(2);
	a->tunnel.vni = 0xffffff;
	a->tunnel.ttl = 64;
	a->tunnel.csum = true;
	actions_output(&as, 1);
	actions_output(&as, 2);
	actions_set_mark(&as, 0x30, 0xf0);
	actions_output(&as, 1);
	actions_push_vlan(&as, 4094, 7);
	actions_output(&as, 4);
	actions_pop_vlan(&as);
	actions_output(&as, 2);
	flow_print_actions(&ds, &as);
	ck_assert_str_eq(ds_cstr(&ds),
			 "set(tunnel(tun_id=0x64,dst=172.31.0.2,ttl=64,"
			 "tp_dst=6784,flags(df|key))),1,"
			 "set(tunnel(tun_id=0xffffff,ipv6_src=fd00::1,"
			 "ipv6_dst=fd00::2,ttl=64,flags(csum|key))),1,2,"
			 "set(skb_mark(0x30/0xf0)),1,"
			 "push_vlan(vid=4094,pcp=7),4,pop_vlan,2");
	actions_free(&as);
	ds_destroy(&ds);
}
END_TEST

static const struct {
	struct odp_flow_stats stats;
	const char *text;
} stats_texts[] = {
	{{.packets = 0}, "packets:0, bytes:0, used:never"},
	{{.packets = 1, .bytes = 98, .used_ms = 99880},
	 "packets:1, bytes:98, used:0.120s"},
	{{.packets = UINT64_MAX, .bytes = 5, .used_ms = 1, .tcp_flags = 0x12},
	 "packets:18446744073709551615, bytes:5, used:99.999s, flags:S."},
	/* The clock was read before the dump. */
	{{.packets = 1, .bytes = 98, .used_ms = 100001},
	 "packets:1, bytes:98, used:-0.001s"},
};

START_TEST(statistics_print_like_ovs_dpctl)
{
	struct ds ds = DS_EMPTY_INITIALIZER;

	flow_print_stats(&ds, &stats_texts[_i].stats, 100000);
	ck_assert_str_eq(ds_cstr(&ds), stats_texts[_i].text);
	ds_destroy(&ds);
}
END_TEST

START_TEST(whole_line_prints_like_ovs_dpctl)
{
	const struct flow *key = &shape_named("another ethertype")->flow;
	struct wbuf b = WBUF_INITIALIZER(0);
	struct ds ds = DS_EMPTY_INITIALIZER;
	struct flow mask = all_ones();
	struct odp_flow flow;
	struct actions as;

	actions_init(&as);
	odp_put_flow(&b, FAMILY, SEQ, 0, DP_IFINDEX, &some_ufid, key, &mask,
		     &as);
	ck_assert(!odp_get_flow(wbuf_span(&b), &flow));
	flow_print_line(&ds, &flow, 5);
	ck_assert_str_eq(ds_cstr(&ds),
			 SHAPE_TEXT "eth_type(0x88cc), packets:0, bytes:0, "
				    "used:never, actions:drop");
	ds_destroy(&ds);
	wbuf_free(&b);
}
END_TEST

/* ---- keys, masks, actions --------------------------------------------- */

static struct flow recoded(const struct flow *f)
{
	struct wbuf b = WBUF_INITIALIZER(0);
	struct flow got;

	odp_put_key_attrs(&b, f);
	ck_assert(!wbuf_done(&b));
	ck_assert_int_eq(odp_get_key(wbuf_span(&b), &got), FDP_OK);
	wbuf_free(&b);
	return got;
}

START_TEST(every_shape_decodes_to_itself)
{
	struct flow got = recoded(&shapes[_i].flow);

	assert_same_flow(&got, &shapes[_i].flow, shapes[_i].name);
}
END_TEST

START_TEST(random_flows_decode_to_themselves)
{
	for (int i = 0; i < 5000; i++) {
		struct flow f = rnd_flow();
		struct flow got = recoded(&f);

		assert_same_flow(&got, &f, "random flow");
	}
}
END_TEST

/* What a dump shows of a flow from a tunnel has no destination, the kernel
 * wants one. */
START_TEST(key_of_a_dump_gets_a_destination)
{
	struct flow key = {.tunnel.present = true};

	key.tunnel.src = ip_from_v4((const uint8_t[]){172, 31, 0, 2});
	odp_complete_key(&key);
	ck_assert(ip_equal(&key.tunnel.dst, &key.tunnel.src));
	key.tunnel.dst = ip_from_v4((const uint8_t[]){172, 31, 0, 1});
	odp_complete_key(&key);
	ck_assert(!ip_equal(&key.tunnel.dst, &key.tunnel.src));
	memset(&key, 0, sizeof key);
	odp_complete_key(&key);
	ck_assert(ip_is_zero(&key.tunnel.dst) && !key.tunnel.present);
}
END_TEST

START_TEST(random_masks_decode_to_their_completion)
{
	for (int i = 0; i < 5000; i++) {
		struct wbuf b = WBUF_INITIALIZER(0);
		struct flow key = rnd_flow(), mask = rnd_mask();
		struct flow complete, again, got;

		odp_complete_mask(&key, &mask, &complete);
		odp_complete_mask(&key, &complete, &again);
		ck_assert(flow_equal(&complete, &again));
		odp_put_mask_attrs(&b, &key, &mask);
		ck_assert(!wbuf_done(&b));
		ck_assert(!odp_get_mask(wbuf_span(&b), &key, &got));
		ck_assert_msg(flow_equal(&complete, &got), "mask %d differs",
			      i);
		wbuf_free(&b);
	}
}
END_TEST

/* What the kernel adds to a mask. */
static const struct {
	const char *shape;
	struct flow mask, complete;
} completions[] = {
	{"IPv4 TCP",
	 {.in_port = 0},
	 {.in_port = UINT32_MAX, .vlan_tci = 0x1000}},
	{"IPv4 TCP",
	 {.eth_type = 1},
	 {.in_port = UINT32_MAX, .vlan_tci = 0x1000, .eth_type = 0xffff}},
	{"IPv4 TCP",
	 {.nw_ttl = 1},
	 {.in_port = UINT32_MAX,
	  .vlan_tci = 0x1000,
	  .eth_type = 0xffff,
	  .nw_ttl = 1}},
	{"IPv4 TCP",
	 {.tp_src = 0x8000, .nw_proto = 2},
	 {.in_port = UINT32_MAX,
	  .vlan_tci = 0x1000,
	  .eth_type = 0xffff,
	  .nw_proto = 0xff,
	  .tp_src = 0x8000}},
	/* Fields that the packet does not have cannot be matched. */
	{"IPv4 UDP",
	 {.tcp_flags = 2,
	  .arp_op = 1,
	  .nd_target = {{1}},
	  .ipv6_label = 1,
	  .tunnel = {.present = true, .vni = 1}},
	 {.in_port = UINT32_MAX, .vlan_tci = 0x1000}},
	{"IPv4 later fragment",
	 {.tp_dst = 0xffff},
	 {.in_port = UINT32_MAX, .vlan_tci = 0x1000}},
	{"VLAN, IPv4 UDP",
	 {.in_port = 0},
	 {.in_port = UINT32_MAX, .vlan_tci = 0x1000, .vlan_tpid = 0xffff}},
	{"two VLAN tags",
	 {.in_port = 0},
	 {.in_port = UINT32_MAX,
	  .vlan_tci = 0x1000,
	  .vlan_tpid = 0xffff,
	  .eth_type = 0xffff}},
	{"neighbour solicitation",
	 {.nd_sll = {{1}}},
	 {.in_port = UINT32_MAX,
	  .vlan_tci = 0x1000,
	  .eth_type = 0xffff,
	  .nw_proto = 0xff,
	  .tp_src = 0xff,
	  .nd_sll = {{1}}}},
	{"IPv4 tunnel, ARP",
	 {.tunnel = {.present = true, .vni = 1}},
	 {.in_port = UINT32_MAX,
	  .tunnel = {.present = true, .vni = 1, .flags = FLOW_TNL_KEY},
	  .vlan_tci = 0x1000}},
	{"IPv4 tunnel, ARP",
	 {.tunnel = {.vni = 1}},
	 {.in_port = UINT32_MAX, .vlan_tci = 0x1000}},
};

START_TEST(mask_is_completed_as_the_kernel_does)
{
	struct flow got;

	odp_complete_mask(&shape_named(completions[_i].shape)->flow,
			  &completions[_i].mask, &got);
	assert_same_flow(&got, &completions[_i].complete,
			 completions[_i].shape);
}
END_TEST

START_TEST(random_actions_decode_to_themselves)
{
	for (int i = 0; i < 5000; i++) {
		struct wbuf b = WBUF_INITIALIZER(0);
		struct actions as, got;

		rnd_actions(&as);
		actions_init(&got);
		odp_put_action_attrs(&b, &as);
		ck_assert(!wbuf_done(&b));
		ck_assert(!odp_get_actions(wbuf_span(&b), &got));
		ck_assert(actions_equal(&as, &got));
		actions_free(&as);
		actions_free(&got);
		wbuf_free(&b);
	}
}
END_TEST

/* Open vSwitch's own tools set other fields, and other sizes do not exist. */
START_TEST(set_masked_of_anything_else_is_refused)
{
	static const struct {
		uint16_t key;
		size_t size;
		enum err err;
	} cases[] = {
		{OVS_KEY_ATTR_SKB_MARK, 8, FDP_OK},
		{OVS_KEY_ATTR_SKB_MARK, 4, ERR_MALFORMED},
		{OVS_KEY_ATTR_SKB_MARK, 12, ERR_MALFORMED},
		{OVS_KEY_ATTR_PRIORITY, 8, ERR_UNSUPPORTED},
		{OVS_KEY_ATTR_UNSPEC, 0, ERR_MALFORMED}, /* Nothing in it. */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		static const uint8_t bytes[12];
		struct wbuf b = WBUF_INITIALIZER(0);
		struct actions as;
		size_t nest;

		actions_init(&as);
		nest = nlattr_nest(&b, OVS_ACTION_ATTR_SET_MASKED);
		if (cases[i].key) {
			nlattr_put(&b, cases[i].key, bytes, cases[i].size);
		}
		nlattr_nest_end(&b, nest);
		ck_assert_int_eq(odp_get_actions(wbuf_span(&b), &as),
				 cases[i].err);
		ck_assert_uint_eq(as.n, !cases[i].err);
		actions_free(&as);
		wbuf_free(&b);
	}
}
END_TEST

/* What the kernel takes (OVS_ACTION_ATTR_PUSH_VLAN in
 * net/openvswitch/flow_netlink.c), and of that what is ours. */
START_TEST(tag_is_pushed_as_the_kernel_demands)
{
	static const struct {
		uint8_t bytes[4];
		size_t size;
		enum err err;
	} cases[] = {
		{{0x81, 0, 0xff, 0xfe}, 4, FDP_OK},
		{{0x81, 0, 0xff, 0xfe}, 3, ERR_MALFORMED},
		{{0x88, 0xa8, 0xff, 0xfe}, 4, ERR_UNSUPPORTED},
		{{0x81, 0, 0xef, 0xfe}, 4, ERR_UNSUPPORTED}, /* No CFI. */
	};
	struct wbuf b = WBUF_INITIALIZER(0), own = WBUF_INITIALIZER(0);
	struct actions as;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		actions_init(&as);
		wbuf_clear(&b);
		nlattr_put(&b, OVS_ACTION_ATTR_PUSH_VLAN, cases[i].bytes,
			   cases[i].size);
		ck_assert_int_eq(odp_get_actions(wbuf_span(&b), &as),
				 cases[i].err);
		ck_assert_uint_eq(as.n, !cases[i].err);
		if (!cases[i].err) {
			ck_assert_uint_eq(as.v[0].vlan.vid, 4094);
			ck_assert_uint_eq(as.v[0].vlan.pcp, 7);
			odp_put_action_attrs(&own, &as);
			ck_assert_uint_eq(own.size, b.size);
			ck_assert_mem_eq(own.data, b.data, b.size);
		}
		actions_free(&as);
	}
	wbuf_free(&b);
	wbuf_free(&own);
}
END_TEST

/* A check of sizes, a part of which is not as ours. */
enum check_fault {
	CHECK_RIGHT,
	CHECK_NO_SIZE,
	CHECK_LONG_SIZE,
	CHECK_OTHER_SIZE, /* Than that in the cookie. */
	CHECK_NO_GREATER,
	CHECK_OUTPUT, /* Instead of us. */
	CHECK_BOTH,
	CHECK_NO_PID,
	CHECK_SHORT_COOKIE,
	CHECK_IN_CHECK,
	N_CHECK_FAULTS
};

static void put_check(struct wbuf *b, enum check_fault fault, bool inside)
{
	static const uint8_t cookie[6] = {0, 0, 0, 7, 1300 >> 8, 1300 & 255};
	const uint16_t size = fault == CHECK_OTHER_SIZE ? 1301 : 1300;
	const uint32_t number = 9;
	size_t check = nlattr_nest(b, OVS_ACTION_ATTR_CHECK_PKT_LEN);
	size_t nest, up;

	if (fault == CHECK_LONG_SIZE) {
		nlattr_put(b, OVS_CHECK_PKT_LEN_ATTR_PKT_LEN, &number, 4);
	} else if (fault != CHECK_NO_SIZE) {
		nlattr_put(b, OVS_CHECK_PKT_LEN_ATTR_PKT_LEN, &size, 2);
	}
	nest = nlattr_nest(b, OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_LESS_EQUAL);
	nlattr_put(b, OVS_ACTION_ATTR_OUTPUT, &number, 4);
	if (fault == CHECK_IN_CHECK && !inside) {
		put_check(b, fault, true);
	}
	nlattr_nest_end(b, nest);
	if (fault != CHECK_NO_GREATER) {
		nest = nlattr_nest(b,
				   OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_GREATER);
		if (fault != CHECK_OUTPUT) {
			up = nlattr_nest(b, OVS_ACTION_ATTR_USERSPACE);
			if (fault != CHECK_NO_PID) {
				nlattr_put(b, OVS_USERSPACE_ATTR_PID, &number,
					   4);
			}
			nlattr_put(b, OVS_USERSPACE_ATTR_USERDATA, cookie,
				   fault == CHECK_SHORT_COOKIE ? 5 : 6);
			nlattr_nest_end(b, up);
		}
		if (fault == CHECK_OUTPUT || fault == CHECK_BOTH) {
			nlattr_put(b, OVS_ACTION_ATTR_OUTPUT, &number, 4);
		}
		nlattr_nest_end(b, nest);
	}
	nlattr_nest_end(b, check);
}

START_TEST(check_of_sizes_is_ours_or_unsupported)
{
	struct wbuf b = WBUF_INITIALIZER(0);
	struct actions as;
	enum err err;

	actions_init(&as);
	actions_output(&as, 1);
	put_check(&b, (enum check_fault)_i, false);
	err = odp_get_actions(wbuf_span(&b), &as);
	if (_i == CHECK_RIGHT) {
		ck_assert_int_eq(err, FDP_OK);
		ck_assert_uint_eq(as.n, 3);
		ck_assert_int_eq(as.v[1].type, ACTION_CHECK_SIZE);
		ck_assert_uint_eq(as.v[1].check.size, 1300);
		ck_assert_uint_eq(as.v[1].check.n, 1);
		ck_assert_uint_eq(as.v[1].check.peer, 7);
		ck_assert_uint_eq(as.v[1].check.upcall_pid, 9);
		ck_assert_uint_eq(as.v[2].port, 9);
	} else {
		ck_assert_int_eq(err,
				 _i == CHECK_LONG_SIZE || _i == CHECK_NO_GREATER
					 ? ERR_MALFORMED
					 : ERR_UNSUPPORTED);
		ck_assert_uint_eq(as.n, 1);
	}
	actions_free(&as);
	wbuf_free(&b);
}
END_TEST

/* As Open vSwitch's own tools show it. */
START_TEST(check_of_sizes_is_shown)
{
	struct wbuf b = WBUF_INITIALIZER(0);
	struct ds ds = DS_EMPTY_INITIALIZER;

	put_check(&b, CHECK_RIGHT, false);
	odp_text_actions(&ds, wbuf_span(&b));
	ck_assert_str_eq(ds_cstr(&ds),
			 "check_pkt_len(size=1300,gt(userspace(pid=9,userdata("
			 "000000070514))),le(9))");
	ds_destroy(&ds);
	wbuf_free(&b);
}
END_TEST

START_TEST(action_that_is_not_ours_is_unsupported)
{
	struct wbuf b = WBUF_INITIALIZER(0);
	struct actions as;

	actions_init(&as);
	actions_output(&as, 1);
	actions_output(&as, 2);
	odp_put_action_attrs(&b, &as);
	nlattr_put(&b, OVS_ACTION_ATTR_POP_ETH, NULL, 0);
	ck_assert_int_eq(odp_get_actions(wbuf_span(&b), &as), ERR_UNSUPPORTED);
	ck_assert_uint_eq(as.n, 2);
	actions_free(&as);
	wbuf_free(&b);
}
END_TEST

START_TEST(unknown_key_attributes_are_skipped)
{
	const struct flow *f = &shape_named("IPv6 TCP")->flow;
	struct wbuf b = WBUF_INITIALIZER(0);
	uint8_t data[12] = {0};
	struct flow got;

	nlattr_put(&b, 32, data, 2); /* IPV6_EXTHDRS */
	nlattr_put(&b, OVS_KEY_ATTR_CT_STATE, data, 4);
	odp_put_key_attrs(&b, f);
	nlattr_put(&b, 500, data, sizeof data);
	ck_assert(!odp_get_key(wbuf_span(&b), &got));
	assert_same_flow(&got, f, "with unknown attributes");
	wbuf_free(&b);
}
END_TEST

START_TEST(attribute_of_wrong_size_is_malformed)
{
	static const uint16_t types[] = {
		OVS_KEY_ATTR_IN_PORT, OVS_KEY_ATTR_ETHERNET,
		OVS_KEY_ATTR_VLAN,    OVS_KEY_ATTR_ETHERTYPE,
		OVS_KEY_ATTR_IPV4,    OVS_KEY_ATTR_IPV6,
		OVS_KEY_ATTR_TCP,     OVS_KEY_ATTR_UDP,
		OVS_KEY_ATTR_SCTP,    OVS_KEY_ATTR_ICMP,
		OVS_KEY_ATTR_ICMPV6,  OVS_KEY_ATTR_ARP,
		OVS_KEY_ATTR_ND,      OVS_KEY_ATTR_TCP_FLAGS,
	};
	uint8_t data[64] = {0};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		unsigned int fits = 0;

		for (size_t size = 0; size <= sizeof data; size++) {
			struct wbuf b = WBUF_INITIALIZER(0);
			struct flow f;

			nlattr_put(&b, types[i], data, size);
			fits += !odp_get_key(wbuf_span(&b), &f);
			wbuf_free(&b);
		}
		ck_assert_uint_eq(fits, 1);
	}
}
END_TEST

START_TEST(vni_beyond_24_bits_is_out_of_range)
{
	struct wbuf b = WBUF_INITIALIZER(0);
	uint8_t id[8] = {0, 0, 0, 0, 1, 0, 0, 0};
	struct flow f;
	size_t nest = nlattr_nest(&b, OVS_KEY_ATTR_TUNNEL);

	nlattr_put(&b, OVS_TUNNEL_KEY_ATTR_ID, id, sizeof id);
	nlattr_nest_end(&b, nest);
	ck_assert_int_eq(odp_get_key(wbuf_span(&b), &f), ERR_RANGE);
	wbuf_free(&b);
}
END_TEST

START_TEST(tag_cut_short_shows_as_its_ethertype)
{
	struct wbuf b = WBUF_INITIALIZER(0);
	uint8_t tci[2] = {0};
	struct flow f;

	nlattr_put(&b, OVS_KEY_ATTR_VLAN, tci, sizeof tci);
	nlattr_nest_end(&b, nlattr_nest(&b, OVS_KEY_ATTR_ENCAP));
	ck_assert(!odp_get_key(wbuf_span(&b), &f));
	ck_assert_uint_eq(f.eth_type, ETH_TYPE_VLAN);
	ck_assert_uint_eq(f.vlan_tci, 0);
	wbuf_free(&b);
}
END_TEST

/* ---- messages --------------------------------------------------------- */

START_TEST(families_have_the_kernels_names)
{
	ck_assert_str_eq(odp_family_name(ODP_DATAPATH), "ovs_datapath");
	ck_assert_str_eq(odp_family_name(ODP_VPORT), "ovs_vport");
	ck_assert_str_eq(odp_family_name(ODP_FLOW), "ovs_flow");
	ck_assert_str_eq(odp_family_name(ODP_PACKET), "ovs_packet");
}
END_TEST

/* What the controller family answers. */
static void put_family(struct wbuf *b, uint16_t id, uint32_t group)
{
	struct genlmsghdr genl = {.cmd = CTRL_CMD_NEWFAMILY};
	size_t start = nlmsg_begin(b, GENL_ID_CTRL, 0, SEQ), groups, one;

	nlmsg_put_fixed(b, &genl, sizeof genl);
	nlattr_put(b, CTRL_ATTR_FAMILY_NAME, "ovs_vport", 10);
	nlattr_put(b, CTRL_ATTR_FAMILY_ID, &id, sizeof id);
	if (group) {
		groups = nlattr_nest(b, CTRL_ATTR_MCAST_GROUPS);
		one = nlattr_nest(b, 1);
		nlattr_put(b, CTRL_ATTR_MCAST_GRP_NAME, "ovs_vport", 10);
		nlattr_put(b, CTRL_ATTR_MCAST_GRP_ID, &group, sizeof group);
		nlattr_nest_end(b, one);
		nlattr_nest_end(b, groups);
	}
	nlmsg_end(b, start);
}

START_TEST(family_answer_gives_id_and_group)
{
	struct wbuf b = WBUF_INITIALIZER(0);
	uint32_t group;
	uint16_t id;

	put_family(&b, 0x1d, 5);
	ck_assert(!odp_get_family(wbuf_span(&b), &id, &group));
	ck_assert_uint_eq(id, 0x1d);
	ck_assert_uint_eq(group, 5);
	wbuf_clear(&b);
	put_family(&b, 0x1e, 0);
	ck_assert(!odp_get_family(wbuf_span(&b), &id, &group));
	ck_assert_uint_eq(id, 0x1e);
	ck_assert_uint_eq(group, 0);
	wbuf_clear(&b);
	put_family(&b, 0, 5);
	ck_assert_int_eq(odp_get_family(wbuf_span(&b), &id, &group),
			 ERR_MALFORMED);
	wbuf_free(&b);
}
END_TEST

START_TEST(datapath_requests_read_back)
{
	struct wbuf b = WBUF_INITIALIZER(0);
	const uint32_t pids[] = {4, 5};
	struct odp_datapath dp;
	uint32_t ifindex;

	odp_put_dp_new(&b, FAMILY, SEQ, NLM_F_ACK, "fdp", 3);
	ck_assert_uint_eq(header_of(&b, NLM_F_ACK, &ifindex), OVS_DP_CMD_NEW);
	ck_assert(!odp_get_datapath(wbuf_span(&b), &dp));
	ck_assert_str_eq(dp.name, "fdp");
	ck_assert_uint_eq(dp.features, 3);
	wbuf_clear(&b);
	odp_put_dp_set(&b, FAMILY, SEQ, 0, "fdp", 9, pids, 2);
	ck_assert_uint_eq(header_of(&b, 0, &ifindex), OVS_DP_CMD_SET);
	ck_assert(!odp_get_datapath(wbuf_span(&b), &dp));
	ck_assert_uint_eq(dp.features, 9);
	wbuf_clear(&b);
	odp_put_dp_get(&b, FAMILY, SEQ, NLM_F_DUMP, NULL);
	ck_assert_uint_eq(header_of(&b, NLM_F_DUMP, &ifindex), OVS_DP_CMD_GET);
	ck_assert_int_eq(odp_get_datapath(wbuf_span(&b), &dp), ERR_MALFORMED);
	wbuf_clear(&b);
	odp_put_dp_del(&b, FAMILY, SEQ, 0, "fdp");
	ck_assert_uint_eq(header_of(&b, 0, &ifindex), OVS_DP_CMD_DEL);
	wbuf_free(&b);
}
END_TEST

START_TEST(vport_requests_read_back)
{
	struct odp_vport v = {.dp_ifindex = DP_IFINDEX,
			      .port_no = 7,
			      .type = ODP_VPORT_VXLAN,
			      .name = "vxlan-6784",
			      .udp_port = 6784,
			      .upcall_pid = 12345};
	struct wbuf b = WBUF_INITIALIZER(0);
	struct odp_vport got;
	uint32_t ifindex;

	odp_put_vport_new(&b, FAMILY, SEQ, NLM_F_ECHO, &v);
	ck_assert_uint_eq(header_of(&b, NLM_F_ECHO, &ifindex),
			  OVS_VPORT_CMD_NEW);
	ck_assert_uint_eq(ifindex, DP_IFINDEX);
	ck_assert(!odp_get_vport(wbuf_span(&b), &got));
	ck_assert_uint_eq(got.dp_ifindex, DP_IFINDEX);
	ck_assert_uint_eq(got.port_no, 7);
	ck_assert_int_eq(got.type, ODP_VPORT_VXLAN);
	ck_assert_str_eq(got.name, "vxlan-6784");
	ck_assert_uint_eq(got.udp_port, 6784);
	ck_assert_uint_eq(got.upcall_pid, 12345);
	/* A port without a number is a request and no answer. */
	wbuf_clear(&b);
	v.port_no = UINT32_MAX;
	odp_put_vport_new(&b, FAMILY, SEQ, 0, &v);
	ck_assert_int_eq(odp_get_vport(wbuf_span(&b), &got), ERR_MALFORMED);
	wbuf_clear(&b);
	odp_put_vport_set_pid(&b, FAMILY, SEQ, 0, DP_IFINDEX, 7, 1);
	ck_assert_uint_eq(header_of(&b, 0, &ifindex), OVS_VPORT_CMD_SET);
	wbuf_clear(&b);
	odp_put_vport_get(&b, FAMILY, SEQ, 0, DP_IFINDEX, "x", 0);
	ck_assert_uint_eq(header_of(&b, 0, &ifindex), OVS_VPORT_CMD_GET);
	wbuf_clear(&b);
	odp_put_vport_del(&b, FAMILY, SEQ, 0, DP_IFINDEX, 7);
	ck_assert_uint_eq(header_of(&b, 0, &ifindex), OVS_VPORT_CMD_DEL);
	wbuf_free(&b);
}
END_TEST

START_TEST(vport_of_foreign_type_is_unsupported)
{
	struct odp_vport v = {
		.port_no = 7, .type = ODP_VPORT_NETDEV, .name = "x"};
	uint32_t geneve = OVS_VPORT_TYPE_GENEVE;
	struct wbuf b = WBUF_INITIALIZER(0);
	struct odp_vport got;

	odp_put_vport_new(&b, FAMILY, SEQ, 0, &v);
	nlattr_put(&b, OVS_VPORT_ATTR_TYPE, &geneve, sizeof geneve);
	nlmsg_end(&b, 0);
	ck_assert_int_eq(odp_get_vport(wbuf_span(&b), &got), ERR_UNSUPPORTED);
	wbuf_free(&b);
}
END_TEST

START_TEST(vport_statistics_are_read)
{
	struct odp_vport v = {
		.port_no = 7, .type = ODP_VPORT_NETDEV, .name = "x"};
	struct ovs_vport_stats stats = {
		.rx_packets = 1, .tx_packets = 2, .rx_bytes = 3, .tx_bytes = 4};
	struct wbuf b = WBUF_INITIALIZER(0);
	struct odp_vport got;
	uint32_t ifindex = 11;

	odp_put_vport_new(&b, FAMILY, SEQ, 0, &v);
	nlattr_put(&b, OVS_VPORT_ATTR_STATS, &stats, sizeof stats);
	nlattr_put(&b, OVS_VPORT_ATTR_IFINDEX, &ifindex, sizeof ifindex);
	nlmsg_end(&b, 0);
	ck_assert(!odp_get_vport(wbuf_span(&b), &got));
	ck_assert_uint_eq(got.rx_packets, 1);
	ck_assert_uint_eq(got.tx_packets, 2);
	ck_assert_uint_eq(got.rx_bytes, 3);
	ck_assert_uint_eq(got.tx_bytes, 4);
	ck_assert_uint_eq(got.ifindex, 11);
	wbuf_free(&b);
}
END_TEST

START_TEST(flow_requests_read_back)
{
	const struct flow *key = &shape_named("IPv4 TCP")->flow;
	struct ovs_flow_stats stats = {.n_packets = 3, .n_bytes = 300};
	struct wbuf b = WBUF_INITIALIZER(0), again = WBUF_INITIALIZER(0),
		    back = WBUF_INITIALIZER(0);
	struct flow mask = all_ones(), got_key, got_mask, complete;
	struct actions as, got;
	struct odp_flow flow;
	uint32_t ifindex;
	uint64_t used = 1234;
	uint8_t tcp_flags = 0x12;

	actions_init(&got);
	actions_init(&as);
	actions_output(&as, 4);
	odp_put_flow(&b, FAMILY, SEQ, NLM_F_ACK, DP_IFINDEX, &some_ufid, key,
		     &mask, &as);
	ck_assert_uint_eq(header_of(&b, NLM_F_ACK | NLM_F_CREATE, &ifindex),
			  OVS_FLOW_CMD_NEW);
	ck_assert_uint_eq(ifindex, DP_IFINDEX);
	nlattr_put(&b, OVS_FLOW_ATTR_STATS, &stats, sizeof stats);
	nlattr_put(&b, OVS_FLOW_ATTR_USED, &used, sizeof used);
	nlattr_put(&b, OVS_FLOW_ATTR_TCP_FLAGS, &tcp_flags, sizeof tcp_flags);
	nlmsg_end(&b, 0);
	ck_assert(!odp_get_flow(wbuf_span(&b), &flow));
	ck_assert_uint_eq(flow.dp_ifindex, DP_IFINDEX);
	ck_assert(flow.has_ufid &&
		  !memcmp(&flow.ufid, &some_ufid, sizeof some_ufid));
	ck_assert(!odp_get_key(flow.key, &got_key));
	assert_same_flow(&got_key, key, "key");
	odp_complete_mask(key, &mask, &complete);
	ck_assert(!odp_get_mask(flow.mask, key, &got_mask));
	assert_same_flow(&got_mask, &complete, "mask");
	ck_assert(!odp_get_actions(flow.actions, &got));
	ck_assert(actions_equal(&as, &got));
	ck_assert_uint_eq(flow.stats.packets, 3);
	ck_assert_uint_eq(flow.stats.bytes, 300);
	ck_assert_uint_eq(flow.stats.used_ms, 1234);
	ck_assert_uint_eq(flow.stats.tcp_flags, 0x12);
	/* The change that it turns into if it is there already. */
	wbuf_clear(&b);
	odp_put_flow(&b, FAMILY, SEQ - 1, 0, DP_IFINDEX, &some_ufid, key, &mask,
		     &as);
	ck_assert(!odp_put_flow_other(&again, SEQ, wbuf_span(&b)));
	ck_assert_uint_eq(header_of(&again, 0, &ifindex), OVS_FLOW_CMD_SET);
	ck_assert_uint_eq(again.size, b.size);
	ck_assert(!memcmp(again.data + 20, b.data + 20, b.size - 20));
	/* And back. */
	ck_assert(!odp_put_flow_other(&back, SEQ - 1, wbuf_span(&again)));
	ck_assert_uint_eq(back.size, b.size);
	ck_assert(!memcmp(back.data, b.data, b.size));
	/* It is not for anything else. */
	wbuf_clear(&b);
	odp_put_flow_del(&b, FAMILY, SEQ, 0, DP_IFINDEX, &some_ufid);
	ck_assert_int_eq(odp_put_flow_other(&back, SEQ, wbuf_span(&b)),
			 ERR_MALFORMED);
	ck_assert_uint_eq(back.size, again.size);
	wbuf_free(&back);
	actions_free(&as);
	actions_free(&got);
	wbuf_free(&b);
	wbuf_free(&again);
}
END_TEST

START_TEST(other_flow_requests_have_their_commands)
{
	struct wbuf b = WBUF_INITIALIZER(0);
	struct odp_flow flow;
	uint32_t ifindex;

	odp_put_flow_del(&b, FAMILY, SEQ, 0, DP_IFINDEX, &some_ufid);
	ck_assert_uint_eq(header_of(&b, 0, &ifindex), OVS_FLOW_CMD_DEL);
	ck_assert(!odp_get_flow(wbuf_span(&b), &flow));
	ck_assert(flow.has_ufid && !flow.key.size);
	wbuf_clear(&b);
	odp_put_flow_flush(&b, FAMILY, SEQ, 0, DP_IFINDEX);
	ck_assert_uint_eq(header_of(&b, 0, &ifindex), OVS_FLOW_CMD_DEL);
	ck_assert(!odp_get_flow(wbuf_span(&b), &flow));
	ck_assert(!flow.has_ufid);
	wbuf_clear(&b);
	odp_put_flow_dump(&b, FAMILY, SEQ, DP_IFINDEX, true);
	ck_assert_uint_eq(header_of(&b, NLM_F_DUMP, &ifindex),
			  OVS_FLOW_CMD_GET);
	wbuf_free(&b);
}
END_TEST

static void put_upcall(struct wbuf *b, uint8_t cmd, const struct flow *key,
		       struct span packet)
{
	const struct genlmsghdr genl = {.cmd = cmd, .version = 1};
	const struct ovs_header ovs = {.dp_ifindex = DP_IFINDEX};
	size_t start = nlmsg_begin(b, FAMILY, 0, SEQ), nest;

	nlmsg_put_fixed(b, &genl, sizeof genl);
	nlmsg_put_fixed(b, &ovs, sizeof ovs);
	nlattr_put(b, OVS_PACKET_ATTR_PACKET, packet.data, packet.size);
	nest = nlattr_nest(b, OVS_PACKET_ATTR_KEY);
	odp_put_key_attrs(b, key);
	nlattr_nest_end(b, nest);
	nlmsg_end(b, start);
}

/* What a frame says itself is left to the kernel to read. */
START_TEST(execute_says_where_the_packet_came_in_and_no_more)
{
	const struct flow *key = &shape_named("IPv6 tunnel, IPv4 ICMP")->flow;
	struct flow wanted = {.in_port = key->in_port, .tunnel = key->tunnel};
	const uint8_t packet[61] = {1, 2, 3};
	struct wbuf b = WBUF_INITIALIZER(0);
	struct odp_upcall u;
	struct actions as;

	actions_init(&as);
	actions_output(&as, 4);
	odp_put_execute(&b, FAMILY, SEQ, 0, DP_IFINDEX, key,
			span_of(packet, sizeof packet), &as);
	/* With another command it is what an upcall looks like. */
	b.data[sizeof(struct nlmsghdr)] = OVS_PACKET_CMD_MISS;
	ck_assert(!odp_get_upcall(wbuf_span(&b), &u));
	assert_same_flow(&u.flow, &wanted, "metadata");
	ck_assert_uint_eq(u.packet.size, sizeof packet);
	ck_assert(!memcmp(u.packet.data, packet, sizeof packet));
	actions_free(&as);
	wbuf_free(&b);
}
END_TEST

START_TEST(upcall_gives_key_and_packet)
{
	const struct flow *key = &shape_named("IPv6 tunnel, IPv4 ICMP")->flow;
	const uint8_t packet[61] = {1, 2, 3};
	struct wbuf b = WBUF_INITIALIZER(0);
	struct odp_upcall u;

	put_upcall(&b, OVS_PACKET_CMD_MISS, key, span_of(packet, 61));
	ck_assert(!odp_get_upcall(wbuf_span(&b), &u));
	ck_assert(u.miss);
	ck_assert_uint_eq(u.dp_ifindex, DP_IFINDEX);
	assert_same_flow(&u.flow, key, "upcall");
	ck_assert_uint_eq(u.packet.size, 61);
	ck_assert(!memcmp(u.packet.data, packet, 61));
	ck_assert_uint_eq(u.userdata.size, 0);
	wbuf_clear(&b);
	put_upcall(&b, OVS_PACKET_CMD_ACTION, key, span_of(packet, 61));
	nlattr_put(&b, OVS_PACKET_ATTR_USERDATA, "hello", 5);
	nlmsg_end(&b, 0);
	ck_assert(!odp_get_upcall(wbuf_span(&b), &u));
	ck_assert(!u.miss);
	ck_assert_uint_eq(u.userdata.size, 5);
	ck_assert(!memcmp(u.userdata.data, "hello", 5));
	ck_assert_uint_eq(u.check_size, 0);
	/* A miss has none, whatever somebody writes there. */
	for (int miss = 0; miss < 2; miss++) {
		wbuf_clear(&b);
		put_upcall(&b,
			   miss ? OVS_PACKET_CMD_MISS : OVS_PACKET_CMD_ACTION,
			   key, span_of(packet, 61));
		nlattr_put(&b, OVS_PACKET_ATTR_USERDATA, "\0\0\1\2\5\24", 6);
		nlmsg_end(&b, 0);
		ck_assert(!odp_get_upcall(wbuf_span(&b), &u));
		ck_assert_uint_eq(u.check_size, miss ? 0 : 1300);
		ck_assert_uint_eq(u.check_peer, miss ? 0 : 258);
	}
	wbuf_clear(&b);
	put_upcall(&b, OVS_PACKET_CMD_EXECUTE, key, span_of(packet, 61));
	ck_assert_int_eq(odp_get_upcall(wbuf_span(&b), &u), ERR_MALFORMED);
	wbuf_clear(&b);
	put_upcall(&b, OVS_PACKET_CMD_MISS, key, span_of(NULL, 0));
	ck_assert_int_eq(odp_get_upcall(wbuf_span(&b), &u), ERR_MALFORMED);
	wbuf_free(&b);
}
END_TEST

START_TEST(frame_beyond_an_attribute_overflows)
{
	const struct flow *key = &shapes[0].flow;
	uint8_t *frame = xzalloc(70000);
	struct wbuf b = WBUF_INITIALIZER(0);
	struct actions none;

	actions_init(&none);
	odp_put_execute(&b, FAMILY, SEQ, 0, DP_IFINDEX, key,
			span_of(frame, 65531), &none);
	ck_assert_int_eq(wbuf_done(&b), FDP_OK);
	wbuf_clear(&b);
	odp_put_execute(&b, FAMILY, SEQ, 0, DP_IFINDEX, key,
			span_of(frame, 65532), &none);
	ck_assert_int_eq(wbuf_done(&b), ERR_OVERSIZED);
	wbuf_free(&b);
	free(frame);
}
END_TEST

START_TEST(actions_beyond_an_attribute_overflow)
{
	const struct flow *key = &shapes[0].flow;
	struct wbuf b = WBUF_INITIALIZER(0);
	struct flow mask = all_ones();
	struct actions as;

	actions_init(&as);
	for (uint32_t i = 0; i < 9000; i++) {
		actions_output(&as, i);
	}
	odp_put_flow(&b, FAMILY, SEQ, 0, DP_IFINDEX, &some_ufid, key, &mask,
		     &as);
	ck_assert_int_eq(wbuf_done(&b), ERR_OVERSIZED);
	actions_free(&as);
	wbuf_free(&b);
}
END_TEST

/* ---- corruption ------------------------------------------------------- */

/* Everything that reads bytes of the kernel; the answer does not matter, only
 * that nobody reads beyond 'msg', which the address sanitizer sees. */
static void decode_all(struct span msg)
{
	struct odp_datapath dp;
	struct odp_vport vport;
	struct odp_flow flow;
	struct odp_upcall upcall;
	struct flow key = {0}, mask;
	struct actions as;
	uint32_t group;
	uint16_t id;
	unsigned int ok = 0;

	actions_init(&as);
	ok += !odp_get_family(msg, &id, &group);
	ok += !odp_get_datapath(msg, &dp);
	ok += !odp_get_vport(msg, &vport);
	ok += !odp_get_upcall(msg, &upcall);
	if (!odp_get_flow(msg, &flow)) {
		ok += !odp_get_key(flow.key, &key);
		ok += !odp_get_mask(flow.mask, &key, &mask);
		ok += !odp_get_actions(flow.actions, &as);
	}
	/* The attributes alone, cut anywhere. */
	ok += !odp_get_key(msg, &key);
	ok += !odp_get_actions(msg, &as);
	ck_assert_uint_le(ok, 10);
	actions_free(&as);
}

/* In memory of exactly its size. */
static void decode_copy(const uint8_t *data, size_t size)
{
	uint8_t *copy = xmalloc(MAX(size, 1));

	if (size) {
		memcpy(copy, data, size);
	}
	decode_all(span_of(copy, size));
	free(copy);
}

static void put_message(struct wbuf *b, int kind)
{
	const uint8_t packet[60] = {0};
	struct flow key = rnd_flow(), mask = rnd_mask();
	struct odp_vport v = {
		.port_no = 7, .type = ODP_VPORT_VXLAN, .name = "vxlan-6784"};
	struct actions as;

	rnd_actions(&as);
	switch (kind) {
	case 0:
		odp_put_dp_new(b, FAMILY, SEQ, 0, "fdp", 3);
		break;
	case 1:
		odp_put_vport_new(b, FAMILY, SEQ, 0, &v);
		break;
	case 2:
		odp_put_flow(b, FAMILY, SEQ, 0, DP_IFINDEX, &some_ufid, &key,
			     &mask, &as);
		break;
	case 3:
		put_upcall(b, OVS_PACKET_CMD_MISS, &key,
			   span_of(packet, sizeof packet));
		break;
	case 4:
		put_family(b, 0x1d, 5);
		break;
	default:
		odp_put_key_attrs(b, &key);
		odp_put_action_attrs(b, &as);
		break;
	}
	actions_free(&as);
}

enum {
	N_KINDS = 6
};

START_TEST(truncated_messages_are_not_read_beyond)
{
	struct wbuf b = WBUF_INITIALIZER(0);

	for (int round = 0; round < 20; round++) {
		wbuf_clear(&b);
		put_message(&b, _i);
		for (size_t size = 0; size <= b.size; size++) {
			uint32_t length = (uint32_t)size;
			struct odp_upcall u;

			decode_copy(b.data, size);
			/* The same with a header that owns up to it. */
			if (size >= sizeof length) {
				memcpy(b.data, &length, sizeof length);
				decode_copy(b.data, size);
			}
			if (size < 16) {
				ck_assert(odp_get_upcall(span_of(b.data, size),
							 &u));
			}
		}
	}
	wbuf_free(&b);
}
END_TEST

START_TEST(corrupted_messages_are_not_read_beyond)
{
	struct wbuf b = WBUF_INITIALIZER(0);

	for (int round = 0; round < 3000; round++) {
		wbuf_clear(&b);
		put_message(&b, _i);
		for (uint32_t n = 1 + rnd() % 4; n > 0; n--) {
			size_t at = rnd() % b.size;

			/* Lengths are where it hurts: mostly the low byte of
			 * something aligned. */
			at = rnd() & 1 ? at & ~(size_t)3 : at;
			b.data[at] = (uint8_t)(rnd() & 1 ? rnd() : rnd() % 64);
		}
		decode_copy(b.data, b.size);
	}
	wbuf_free(&b);
}
END_TEST

START_TEST(noise_is_not_read_beyond)
{
	for (int round = 0; round < 20000; round++) {
		uint8_t noise[128];
		size_t size = rnd() % sizeof noise;

		for (size_t i = 0; i < size; i++) {
			noise[i] = (uint8_t)(rnd() & 3 ? rnd() % 40 : rnd());
		}
		decode_copy(noise, size);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("odp");
	TCase *text = tcase_create("text");
	TCase *attrs = tcase_create("attributes");
	TCase *messages = tcase_create("messages");
	TCase *bad = tcase_create("corruption");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(text,
			    exact_match_on_every_shape_prints_like_ovs_dpctl, 0,
			    N_SHAPES);
	tcase_add_loop_test(text, narrow_mask_prints_what_it_matches, 0,
			    ARRAY_SIZE(masked));
	tcase_add_test(text, actions_print_like_ovs_dpctl);
	tcase_add_loop_test(text, statistics_print_like_ovs_dpctl, 0,
			    ARRAY_SIZE(stats_texts));
	tcase_add_test(text, whole_line_prints_like_ovs_dpctl);
	tcase_add_loop_test(attrs, every_shape_decodes_to_itself, 0, N_SHAPES);
	tcase_add_test(attrs, random_flows_decode_to_themselves);
	tcase_add_test(attrs, key_of_a_dump_gets_a_destination);
	tcase_add_test(attrs, random_masks_decode_to_their_completion);
	tcase_add_loop_test(attrs, mask_is_completed_as_the_kernel_does, 0,
			    ARRAY_SIZE(completions));
	tcase_add_test(attrs, random_actions_decode_to_themselves);
	tcase_add_test(attrs, set_masked_of_anything_else_is_refused);
	tcase_add_test(attrs, tag_is_pushed_as_the_kernel_demands);
	tcase_add_test(attrs, action_that_is_not_ours_is_unsupported);
	tcase_add_loop_test(attrs, check_of_sizes_is_ours_or_unsupported, 0,
			    N_CHECK_FAULTS);
	tcase_add_test(attrs, check_of_sizes_is_shown);
	tcase_add_test(attrs, unknown_key_attributes_are_skipped);
	tcase_add_test(attrs, attribute_of_wrong_size_is_malformed);
	tcase_add_test(attrs, vni_beyond_24_bits_is_out_of_range);
	tcase_add_test(attrs, tag_cut_short_shows_as_its_ethertype);
	tcase_add_test(messages, families_have_the_kernels_names);
	tcase_add_test(messages, family_answer_gives_id_and_group);
	tcase_add_test(messages, datapath_requests_read_back);
	tcase_add_test(messages, vport_requests_read_back);
	tcase_add_test(messages, vport_of_foreign_type_is_unsupported);
	tcase_add_test(messages, vport_statistics_are_read);
	tcase_add_test(messages, flow_requests_read_back);
	tcase_add_test(messages, other_flow_requests_have_their_commands);
	tcase_add_test(messages, upcall_gives_key_and_packet);
	tcase_add_test(messages,
		       execute_says_where_the_packet_came_in_and_no_more);
	tcase_add_test(messages, frame_beyond_an_attribute_overflows);
	tcase_add_test(messages, actions_beyond_an_attribute_overflow);
	tcase_set_timeout(bad, 60);
	tcase_add_loop_test(bad, truncated_messages_are_not_read_beyond, 0,
			    N_KINDS);
	tcase_add_loop_test(bad, corrupted_messages_are_not_read_beyond, 0,
			    N_KINDS);
	tcase_add_test(bad, noise_is_not_read_beyond);
	suite_add_tcase(suite, text);
	suite_add_tcase(suite, attrs);
	suite_add_tcase(suite, messages);
	suite_add_tcase(suite, bad);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
