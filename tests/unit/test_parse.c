#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "packet/build.h"
#include "packet/parse.h"
#include "world.h"

/* libopenvswitch has a struct flow and a flow_equal() as well. */
#define flow	   ovs_flow
#define flow_equal ovs_flow_equal
#include "dp-packet.h"
#include "flow.h"
#include "util.h"
#undef flow
#undef flow_equal

#define N_OF(ARRAY) (int)(sizeof(ARRAY) / sizeof(ARRAY)[0])

/* Frames by hand.  Spaces are for the reader. */

#define ETH4	"020000000003 020000000002 0800 "
#define ETH6	"020000000003 020000000002 86dd "
#define ETH_ARP "020000000003 020000000002 0806 "
/* IPv4 from 10.0.0.2 to 10.0.0.3, 'FRAG' and 'PROTO'. */
#define IP4(FRAG, PROTO) \
	"45 08 0000 0000 " FRAG " 40 " PROTO " 0000 0a000002 0a000003 "
/* IPv6 from fd00::2 to fd00::3. */
#define IP6(NEXT)                                  \
	"61512345 0000 " NEXT " 40 "               \
	"fd00 0000 0000 0000 0000 0000 0000 0002 " \
	"fd00 0000 0000 0000 0000 0000 0000 0003 "
#define UDP  "0001 0002 0008 0000 "
#define ND   "fd00 0000 0000 0000 0000 0000 0000 0007 "

#define LINK .eth_dst = M(3), .eth_src = M(2)
#define NET4                                                               \
	LINK, .eth_type = ETH_TYPE_IPV4, .nw_src = V4(2), .nw_dst = V4(3), \
	      .nw_tos = 8, .nw_ttl = 64
#define NET6                                                               \
	LINK, .eth_type = ETH_TYPE_IPV6, .nw_src = V6(2), .nw_dst = V6(3), \
	      .nw_tos = 0x15, .nw_ttl = 64, .ipv6_label = 0x12345
#define PORTS .tp_src = 1, .tp_dst = 2
#define DAMAGED4 \
	LINK, .eth_type = ETH_TYPE_IPV4, .nw_src = NO_V4, .nw_dst = NO_V4

static const struct {
	const char *name;
	const char *frame;
	struct flow flow;
} cases[] = {
	/* Link. */
	{"ethertype alone",
	 "020000000003 020000000002 88cc",
	 {LINK, .eth_type = 0x88cc}},
	{"802.2", "020000000003 020000000002 0003 424203", {LINK}},
	{"length without anything", "020000000003 020000000002 05dc", {LINK}},
	{"SNAP",
	 "020000000003 020000000002 0024 aaaa03 000000 0800" IP4("0000", "11")
		 UDP,
	 {NET4, .nw_proto = 17, PORTS}},
	{"SNAP of somebody",
	 "020000000003 020000000002 0024 aaaa03 00000c 0800" IP4("0000", "11")
		 UDP,
	 {LINK}},
	{"SNAP with a length",
	 "020000000003 020000000002 0008 aaaa03 000000 0005",
	 {LINK}},
	{"SNAP cut short",
	 "020000000003 020000000002 0008 aaaa03 000000 08",
	 {LINK}},
	{"tag",
	 "020000000003 020000000002 8100 2005 0800" IP4("0000", "11") UDP,
	 {NET4, .nw_proto = 17, PORTS, .vlan_tci = 0x3005,
	  .vlan_tpid = 0x8100}},
	{"tag of zero",
	 "020000000003 020000000002 88a8 0000 0800" IP4("0000", "11") UDP,
	 {NET4, .nw_proto = 17, PORTS, .vlan_tci = 0x1000,
	  .vlan_tpid = 0x88a8}},
	{"tag cut short",
	 "020000000003 020000000002 8100 200508",
	 {LINK, .eth_type = 0x8100}},
	{"two tags",
	 "020000000003 020000000002 88a8 0001 8100 0002 0800" IP4("0000", "11"),
	 {LINK, .eth_type = 0x8100, .vlan_tci = 0x1001, .vlan_tpid = 0x88a8}},
	{"tagged 802.2",
	 "020000000003 020000000002 8100 0001 0003 424203",
	 {LINK, .vlan_tci = 0x1001, .vlan_tpid = 0x8100}},

	/* ARP. */
	{"ARP",
	 ETH_ARP "0001 0800 06 04 0001 020000000002 0a000002 020000000009 "
		 "0a000003",
	 {LINK, .eth_type = ETH_TYPE_ARP, .arp_op = 1, .arp_sha = M(2),
	  .arp_tha = M(9), .nw_src = V4(2), .nw_dst = V4(3)}},
	{"RARP",
	 "020000000003 020000000002 8035"
	 "0001 0800 06 04 0003 020000000002 0a000002 020000000009 0a000003",
	 {LINK, .eth_type = ETH_TYPE_RARP, .arp_op = 3, .arp_sha = M(2),
	  .arp_tha = M(9), .nw_src = V4(2), .nw_dst = V4(3)}},
	{"ARP cut short",
	 ETH_ARP "0001 0800 06 04 0001 020000000002 0a000002 020000000009 "
		 "0a0000",
	 {LINK, .eth_type = ETH_TYPE_ARP, .nw_src = NO_V4, .nw_dst = NO_V4}},
	{"ARP of another network",
	 ETH_ARP "0001 0800 08 04 0001 020000000002 0a000002 020000000009 "
		 "0a000003",
	 {LINK, .eth_type = ETH_TYPE_ARP, .nw_src = NO_V4, .nw_dst = NO_V4}},
	{"ARP operation above a byte",
	 ETH_ARP "0001 0800 06 04 0101 020000000002 0a000002 020000000009 "
		 "0a000003",
	 {LINK, .eth_type = ETH_TYPE_ARP, .arp_sha = M(2), .arp_tha = M(9),
	  .nw_src = V4(2), .nw_dst = V4(3)}},

	/* IPv4. */
	{"TCP",
	 ETH4 IP4("4000",
		  "06") "0001 0002 00000000 00000000 5f12 0000 0000 0000",
	 {NET4, .nw_proto = 6, PORTS, .tcp_flags = 0xf12}},
	{"TCP cut short",
	 ETH4 IP4("4000", "06") "0001 0002 00000000 00000000 5012 0000 0000 00",
	 {NET4, .nw_proto = 6}},
	{"TCP without its options",
	 ETH4 IP4("4000",
		  "06") "0001 0002 00000000 00000000 6012 0000 0000 0000",
	 {NET4, .nw_proto = 6}},
	{"TCP header too small",
	 ETH4 IP4("4000",
		  "06") "0001 0002 00000000 00000000 4012 0000 0000 0000",
	 {NET4, .nw_proto = 6}},
	{"UDP", ETH4 IP4("0000", "11") UDP, {NET4, .nw_proto = 17, PORTS}},
	{"UDP cut short",
	 ETH4 IP4("0000", "11") "0001 0002 0008 00",
	 {NET4, .nw_proto = 17}},
	{"SCTP",
	 ETH4 IP4("0000", "84") "0001 0002 00000000 00000000",
	 {NET4, .nw_proto = 132, PORTS}},
	{"SCTP cut short",
	 ETH4 IP4("0000", "84") "0001 0002 00000000 000000",
	 {NET4, .nw_proto = 132}},
	{"ICMP",
	 ETH4 IP4("0000", "01") "0301 0000 00000000",
	 {NET4, .nw_proto = 1, .tp_src = 3, .tp_dst = 1}},
	{"ICMP cut short",
	 ETH4 IP4("0000", "01") "0301 0000 000000",
	 {NET4, .nw_proto = 1}},
	{"ICMPv6 in IPv4",
	 ETH4 IP4("0000", "3a") "8700 0000 00000000",
	 {NET4, .nw_proto = 58}},
	{"unknown protocol",
	 ETH4 IP4("0000", "fd") UDP,
	 {NET4, .nw_proto = 253}},
	{"options",
	 ETH4 "46 08 0000 0000 0000 40 11 0000 0a000002 0a000003 01010101" UDP,
	 {NET4, .nw_proto = 17, PORTS}},
	{"options cut short",
	 ETH4 "46 08 0000 0000 0000 40 11 0000 0a000002 0a000003 010101",
	 {DAMAGED4}},
	{"header too small",
	 ETH4 "44 08 0000 0000 0000 40 11 0000 0a000002 0a000003" UDP,
	 {DAMAGED4}},
	{"header cut short",
	 ETH4 "45 08 0000 0000 0000 40 11 0000 0a000002 0a0000",
	 {DAMAGED4}},
	{"first fragment",
	 ETH4 IP4("2000", "11") UDP,
	 {NET4, .nw_proto = 17, PORTS, .nw_frag = FLOW_FRAG_FIRST}},
	{"middle fragment",
	 ETH4 IP4("2001", "11") UDP,
	 {NET4, .nw_proto = 17, .nw_frag = FLOW_FRAG_LATER}},
	{"last fragment",
	 ETH4 IP4("1fff", "11") UDP,
	 {NET4, .nw_proto = 17, .nw_frag = FLOW_FRAG_LATER}},

	/* IPv6. */
	{"UDP over IPv6", ETH6 IP6("11") UDP, {NET6, .nw_proto = 17, PORTS}},
	{"ICMP in IPv6",
	 ETH6 IP6("01") "0301 0000 00000000",
	 {NET6, .nw_proto = 1}},
	{"IPv6 cut short",
	 ETH6 "60000000 0000 11 40 fd00 0000 0000 0000 0000 0000 0000 0002"
	      "fd00 0000 0000 0000 0000 0000 0000 00",
	 {LINK, .eth_type = ETH_TYPE_IPV6}},
	{"all extension headers",
	 ETH6 IP6(
		 "00") "2b00 0000 00000000"		      /* Hop by hop. */
		       "3c00 0000 00000000"		      /* Routing. */
		       "3301 0000 00000000 00000000 00000000" /* Destination. */
		       "1101 0000 00000000 00000000" /* Authentication. */
	 UDP,
	 {NET6, .nw_proto = 17, PORTS}},
	{"no next header", ETH6 IP6("3b") UDP, {NET6, .nw_proto = 59}},
	{"extension header missing",
	 ETH6 IP6("00") "11",
	 {NET6, .nw_proto = 59}},
	{"extension header that leads out",
	 ETH6 IP6("00") "1109 0000 00000000",
	 {NET6, .nw_proto = 17}},
	{"routing header cut short",
	 ETH6 IP6("2b") "1100 00",
	 {NET6, .nw_proto = 59}},
	{"first fragment of IPv6",
	 ETH6 IP6("2c") "1100 0001 00000000" UDP,
	 {NET6, .nw_proto = 17, PORTS, .nw_frag = FLOW_FRAG_FIRST}},
	{"the only fragment of IPv6",
	 ETH6 IP6("2c") "1100 0000 00000000" UDP,
	 {NET6, .nw_proto = 17, PORTS, .nw_frag = FLOW_FRAG_FIRST}},
	{"later fragment of IPv6",
	 ETH6 IP6("2c") "1100 0008 00000000" UDP,
	 {NET6, .nw_proto = 44, .nw_frag = FLOW_FRAG_LATER}},
	{"later fragment behind a destination header",
	 ETH6 IP6("3c") "2c00 0000 00000000 1100 05a9 00000000" UDP,
	 {NET6, .nw_proto = 44, .nw_frag = FLOW_FRAG_LATER}},
	{"later fragment that goes on with extension headers",
	 ETH6 IP6("2c") "3c00 0008 00000000" UDP,
	 {NET6, .nw_proto = 59, .nw_frag = FLOW_FRAG_FIRST}},
	{"fragment header cut short",
	 ETH6 IP6("2c") "1100 00",
	 {NET6, .nw_proto = 59, .nw_frag = FLOW_FRAG_FIRST}},
	{"first fragment without its headers",
	 ETH6 IP6("2c") "3c00 0001 00000000",
	 {NET6, .nw_proto = 59, .nw_frag = FLOW_FRAG_FIRST}},

	/* ICMPv6. */
	{"echo request",
	 ETH6 IP6("3a") "8001 0000 00000000",
	 {NET6, .nw_proto = 58, .tp_src = 128, .tp_dst = 1}},
	{"ICMPv6 cut short",
	 ETH6 IP6("3a") "8001 0000 000000",
	 {NET6, .nw_proto = 58}},
	{"neighbour solicitation",
	 ETH6 IP6("3a") "8700 0000 00000000" ND "0101 020000000002",
	 {NET6, .nw_proto = 58, .tp_src = 135, .nd_target = V6(7),
	  .nd_sll = M(2)}},
	{"neighbour advertisement",
	 ETH6 IP6("3a") "8800 0000 00000000" ND "0e01 000000000000"
			"0201 020000000002",
	 {NET6, .nw_proto = 58, .tp_src = 136, .nd_target = V6(7),
	  .nd_tll = M(2)}},
	{"neighbour solicitation without options",
	 ETH6 IP6("3a") "8700 0000 00000000" ND,
	 {NET6, .nw_proto = 58, .tp_src = 135, .nd_target = V6(7)}},
	{"neighbour solicitation with a code",
	 ETH6 IP6("3a") "8701 0000 00000000" ND,
	 {NET6, .nw_proto = 58, .tp_src = 135, .tp_dst = 1}},
	{"neighbour solicitation cut short",
	 ETH6 IP6("3a") "8700 0000 00000000 fd00 0000 0000 0000 0000 0000 0000",
	 {NET6, .nw_proto = 58, .tp_src = 135}},
	{"option of size zero ends them",
	 ETH6 IP6("3a") "8700 0000 00000000" ND "0100 020000000002",
	 {NET6, .nw_proto = 58, .tp_src = 135, .nd_target = V6(7)}},
	{"option beyond the end ends them",
	 ETH6 IP6("3a") "8700 0000 00000000" ND "0101 020000000002"
			"0202 020000000002",
	 {NET6, .nw_proto = 58, .tp_src = 135, .nd_target = V6(7),
	  .nd_sll = M(2)}},
	{"larger address option is none",
	 ETH6 IP6("3a") "8700 0000 00000000" ND
			"0102 020000000002 0000000000000000",
	 {NET6, .nw_proto = 58, .tp_src = 135, .nd_target = V6(7)}},
	{"address option twice makes all void",
	 ETH6 IP6("3a") "8700 0000 00000000" ND "0101 020000000002"
			"0101 020000000002",
	 {NET6, .nw_proto = 58, .tp_src = 135}},
	{"first fragment of a solicitation",
	 ETH6 IP6("2c") "3a00 0001 00000000"
			"8700 0000 00000000" ND,
	 {NET6, .nw_proto = 58, .tp_src = 135, .nd_target = V6(7),
	  .nw_frag = FLOW_FRAG_FIRST}},
};

/* The bytes of 'hex' on the heap, with nothing behind them. */
static uint8_t *bytes_of(const char *hex, size_t *size)
{
	uint8_t *b = xmalloc(strlen(hex));
	int high = -1;
	size_t n = 0;

	for (; *hex; hex++) {
		int digit = hexit_value((unsigned char)*hex);

		if (digit < 0) {
			ck_assert_int_eq(*hex, ' ');
		} else if (high < 0) {
			high = digit;
		} else {
			b[n++] = (uint8_t)(high << 4 | digit);
			high = -1;
		}
	}
	ck_assert_int_eq(high, -1);
	*size = n;
	return xrealloc(b, n);
}

START_TEST(frame_by_hand_gives_key)
{
	size_t size;
	uint8_t *frame = bytes_of(cases[_i].frame, &size);
	struct flow flow;

	ck_assert_int_eq(parse_frame(span_of(frame, size), &flow), FDP_OK);
	ck_assert_msg(flow_equal(&flow, &cases[_i].flow), "%s", cases[_i].name);
	free(frame);
}
END_TEST

START_TEST(runt_is_refused)
{
	static const uint8_t bytes[14];
	struct flow flow = {.in_port = 5};

	for (size_t n = 0; n < sizeof bytes; n++) {
		ck_assert_int_eq(parse_frame(span_of(bytes, n), &flow),
				 ERR_TRUNCATED);
	}
	ck_assert_uint_eq(flow.in_port, 5);
	ck_assert_int_eq(parse_frame(span_of(bytes, 14), &flow), FDP_OK);
	ck_assert_uint_eq(flow.in_port, 0);
}
END_TEST

/* Every prefix of a good frame, and frames with one byte changed, in memory
 * that ends where they end: for the address sanitizer. */
START_TEST(damaged_frame_is_read_within_bounds)
{
	size_t size;
	uint8_t *frame = bytes_of(cases[_i].frame, &size);
	struct dice d = {(uint64_t)_i + 1};
	struct flow flow;

	for (size_t n = 0; n <= size; n++) {
		uint8_t *copy = xmemdup(frame, n);

		REQUIRE(parse_frame(span_of(copy, n), &flow) ==
			(n < 14 ? ERR_TRUNCATED : FDP_OK));
		for (size_t i = 0; n && i < 20; i++) {
			copy[dice_roll(&d, (uint32_t)n)] =
				(uint8_t)dice_roll(&d, 256);
			REQUIRE(parse_frame(span_of(copy, n), &flow) ==
				(n < 14 ? ERR_TRUNCATED : FDP_OK));
		}
		free(copy);
	}
	free(frame);
}
END_TEST

/* Against what we build, and against libopenvswitch's own parser. */

static bool is_extension(uint8_t proto)
{
	return proto == 0 || proto == 43 || proto == 44 || proto == 51 ||
	       proto == 60;
}

/* A random key that build_frame() can make a frame of. */
static struct flow random_key(struct dice *d, const struct forwarding *f)
{
	struct flow key;

	do {
		key = random_flow(d, f);
	} while (key.eth_type == ETH_TYPE_IPV6 && is_extension(key.nw_proto));
	key.in_port = 0;
	memset(&key.tunnel, 0, sizeof key.tunnel);
	if (key.eth_type == ETH_TYPE_IPV6 && key.nw_frag == FLOW_FRAG_LATER) {
		key.nw_proto = 44;
	}
	return key;
}

static void check_ips(const struct flow *f, const struct ovs_flow *o)
{
	if (f->eth_type == ETH_TYPE_IPV6) {
		REQUIRE(!memcmp(f->nw_src.b, &o->ipv6_src, 16));
		REQUIRE(!memcmp(f->nw_dst.b, &o->ipv6_dst, 16));
		REQUIRE(f->ipv6_label == ntohl(o->ipv6_label));
		REQUIRE(!memcmp(f->nd_target.b, &o->nd_target, 16));
	} else {
		REQUIRE(!memcmp(ip_v4_bytes(&f->nw_src), &o->nw_src, 4));
		REQUIRE(!memcmp(ip_v4_bytes(&f->nw_dst), &o->nw_dst, 4));
	}
}

/* flow_extract() looks into IGMP, and into ICMP over the wrong IP. */
static bool shows_more(const struct flow *f)
{
	bool v6 = f->eth_type == ETH_TYPE_IPV6;

	return f->nw_proto == 2 ||
	       f->nw_proto == (v6 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6);
}

/* Compares with flow_extract().  It numbers fragments otherwise, and has one
 * pair of fields for the addresses of ARP and of neighbour discovery. */
static void check_oracle(const struct flow *f, struct span frame)
{
	static const uint8_t frags[] = {0, FLOW_NW_FRAG_ANY,
					FLOW_NW_FRAG_ANY | FLOW_NW_FRAG_LATER};
	bool nd = flow_is_nd(f);
	struct dp_packet packet;
	struct ovs_flow o;

	dp_packet_use_const(&packet, frame.data, frame.size);
	flow_extract(&packet, &o);
	REQUIRE(!memcmp(f->eth_src.b, &o.dl_src, 6));
	REQUIRE(!memcmp(f->eth_dst.b, &o.dl_dst, 6));
	REQUIRE(f->vlan_tci == ntohs(o.vlans[0].tci));
	REQUIRE(f->vlan_tpid == ntohs(o.vlans[0].tpid));
	REQUIRE((f->eth_type ? f->eth_type : FLOW_DL_TYPE_NONE) ==
		ntohs(o.dl_type));
	if (f->eth_type == ETH_TYPE_ARP) {
		REQUIRE(f->arp_op == o.nw_proto);
	} else {
		REQUIRE(f->nw_proto == o.nw_proto);
		REQUIRE(f->nw_tos == o.nw_tos);
		REQUIRE(f->nw_ttl == o.nw_ttl);
		REQUIRE(frags[f->nw_frag] == o.nw_frag);
	}
	if (!shows_more(f)) {
		REQUIRE(f->tp_src == ntohs(o.tp_src));
		REQUIRE(f->tp_dst == ntohs(o.tp_dst));
	}
	if (!nd) {
		REQUIRE(f->tcp_flags == ntohs(o.tcp_flags));
	}
	check_ips(f, &o);
	REQUIRE(!memcmp(nd ? f->nd_sll.b : f->arp_sha.b, &o.arp_sha, 6));
	REQUIRE(!memcmp(nd ? f->nd_tll.b : f->arp_tha.b, &o.arp_tha, 6));
}

START_TEST(built_frame_gives_back_its_key)
{
	struct forwarding *f = world_new();
	struct wbuf frame = WBUF_INITIALIZER(0);
	struct dice d = {5};

	for (int i = 0; i < 20000; i++) {
		struct flow key = random_key(&d, f), back;
		uint8_t payload[64];
		size_t size = flow_is_nd(&key) ? 4 : dice_roll(&d, 64);

		dice_fill(&d, payload, sizeof payload);
		wbuf_clear(&frame);
		build_frame(&frame, &key, span_of(payload, size));
		REQUIRE(parse_frame(wbuf_span(&frame), &back) == FDP_OK);
		if (!key.eth_type && size >= 8) {
			continue; /* By chance it could be SNAP. */
		}
		REQUIRE(flow_equal(&key, &back));
		check_oracle(&back, wbuf_span(&frame));
	}
	wbuf_free(&frame);
	forwarding_free(f);
}
END_TEST

START_TEST(extension_headers_are_stepped_over_alike)
{
	static const uint8_t headers[] = {0, 43, 60, 51, 44};
	struct forwarding *f = world_new();
	struct wbuf frame = WBUF_INITIALIZER(0), chain = WBUF_INITIALIZER(0);
	struct dice d = {6};

	for (int i = 0; i < 5000; i++) {
		struct flow key, back;
		uint8_t next, *b;

		do {
			key = random_key(&d, f);
		} while (key.eth_type != ETH_TYPE_IPV6 || key.vlan_tci ||
			 key.nw_frag || key.nw_proto == 59);
		wbuf_clear(&frame);
		wbuf_clear(&chain);
		build_frame(&frame, &key, span_of(NULL, 0));
		next = key.nw_proto;
		/* From the last to the first, so that each knows its next. */
		for (uint32_t n = dice_roll(&d, 4); n; n--) {
			uint8_t header = headers[dice_roll(&d, 5)];
			uint8_t units =
				header == 44 ? 0 : (uint8_t)dice_roll(&d, 4);
			size_t size = header == 51 ? (units + 2u) * 4
						   : (units + 1u) * 8;
			uint8_t bytes[64] = {next, units, 0, header == 44};
			struct wbuf rest = chain;

			/* With more fragments to come. */
			key.nw_frag =
				header == 44 ? FLOW_FRAG_FIRST : key.nw_frag;
			wbuf_init(&chain, 0);
			wbuf_bytes(&chain, bytes, size);
			wbuf_bytes(&chain, rest.data, rest.size);
			wbuf_free(&rest);
			next = header;
		}
		wbuf_bytes(&chain, frame.data + 54, frame.size - 54);
		frame.size = 54;
		b = frame.data;
		b[14 + 4] = (uint8_t)(chain.size >> 8);
		b[14 + 5] = (uint8_t)chain.size;
		b[14 + 6] = next;
		wbuf_bytes(&frame, chain.data, chain.size);

		REQUIRE(parse_frame(wbuf_span(&frame), &back) == FDP_OK);
		REQUIRE(flow_equal(&key, &back));
		check_oracle(&back, wbuf_span(&frame));
	}
	wbuf_free(&chain);
	wbuf_free(&frame);
	forwarding_free(f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("parse");
	TCase *t = tcase_create("parse");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, frame_by_hand_gives_key, 0, N_OF(cases));
	tcase_add_test(t, runt_is_refused);
	tcase_add_loop_test(t, damaged_frame_is_read_within_bounds, 0,
			    N_OF(cases));
	tcase_add_test(t, built_frame_gives_back_its_key);
	tcase_add_test(t, extension_headers_are_stepped_over_alike);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
