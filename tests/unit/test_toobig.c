#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "packet/build.h"
#include "packet/checksum.h"
#include "packet/toobig.h"
#include "world.h"

/* A packet of 'size' payload bytes; fails the test if it was refused. */
static enum err ask(const struct flow *f, size_t size, uint32_t mtu,
		    struct wbuf *out)
{
	static const uint8_t zeros[2000];
	struct wbuf frame = WBUF_INITIALIZER(0);
	enum err err;

	build_frame(&frame, f, span_of(zeros, size));
	wbuf_clear(out);
	err = toobig_reply(wbuf_span(&frame), mtu, out);
	if (!err) {
		/* Back to whom it came from, with the same tags. */
		ck_assert_mem_eq(out->data, frame.data + 6, 6);
		ck_assert_mem_eq(out->data + 6, frame.data, 6);
		ck_assert_mem_eq(out->data + 12, frame.data + 12,
				 f->vlan_tci ? 6 : 2);
	}
	wbuf_free(&frame);
	return err;
}

static const struct flow udp4 = {.eth_src = M(2),
				 .eth_dst = M(7),
				 .eth_type = ETH_TYPE_IPV4,
				 .nw_proto = IP_PROTO_UDP,
				 .nw_ttl = 64,
				 .nw_src = V4(2),
				 .nw_dst = V4(7)};
static const struct flow udp6 = {.eth_src = M(2),
				 .eth_dst = M(7),
				 .eth_type = ETH_TYPE_IPV6,
				 .nw_proto = IP_PROTO_UDP,
				 .nw_ttl = 64,
				 .nw_src = V6(2),
				 .nw_dst = V6(7)};

START_TEST(ipv4_sender_is_told)
{
	struct wbuf out = WBUF_INITIALIZER(0);
	struct checksum ip = CHECKSUM_INITIALIZER, icmp = CHECKSUM_INITIALIZER;

	ck_assert_int_eq(ask(&udp4, 1500, 1419, &out), FDP_OK);
	ck_assert_uint_eq(out.size, 14 + 576);
	ck_assert_mem_eq(out.data + 23, "\1", 1); /* ICMP */
	ck_assert_mem_eq(out.data + 26, ip_v4_bytes(&udp4.nw_dst), 4);
	ck_assert_mem_eq(out.data + 30, ip_v4_bytes(&udp4.nw_src), 4);
	ck_assert_mem_eq(out.data + 34, "\3\4", 2);
	ck_assert_mem_eq(out.data + 38, "\0\0\x05\x8b", 4);
	ck_assert_mem_eq(out.data + 42, "\x45\0\x05\xf8", 4); /* Its header. */
	checksum_add(&ip, out.data + 14, 20);
	ck_assert_uint_eq(checksum_value(&ip), 0);
	checksum_add(&icmp, out.data + 34, out.size - 34);
	ck_assert_uint_eq(checksum_value(&icmp), 0);
	wbuf_free(&out);
}
END_TEST

START_TEST(ipv6_sender_is_told)
{
	struct wbuf out = WBUF_INITIALIZER(0);
	struct checksum icmp = CHECKSUM_INITIALIZER;
	struct flow tagged = udp6;

	tagged.vlan_tci = 0x1000 | 5;
	tagged.vlan_tpid = ETH_TYPE_VLAN;
	ck_assert_int_eq(ask(&tagged, 1500, 1399, &out), FDP_OK);
	ck_assert_uint_eq(out.size, 18 + 1280);
	ck_assert_mem_eq(out.data + 18 + 6, "\x3a\x40", 2);
	ck_assert_mem_eq(out.data + 18 + 8, udp6.nw_dst.b, 16);
	ck_assert_mem_eq(out.data + 18 + 24, udp6.nw_src.b, 16);
	ck_assert_mem_eq(out.data + 18 + 40, "\2\0", 2);
	ck_assert_mem_eq(out.data + 18 + 44, "\0\0\x05\x77", 4);
	checksum_pseudo6(&icmp, &udp6.nw_dst, &udp6.nw_src, IP_PROTO_ICMPV6,
			 out.size - 58);
	checksum_add(&icmp, out.data + 58, out.size - 58);
	ck_assert_uint_eq(checksum_value(&icmp), 0);

	/* Less than the least says the least (RFC 8200 5). */
	ck_assert_int_eq(ask(&udp6, 1500, 600, &out), FDP_OK);
	ck_assert_mem_eq(out.data + 14 + 44, "\0\0\x05\0", 4);
	wbuf_free(&out);
}
END_TEST

START_TEST(nobody_is_told_who_must_not_be)
{
	struct flow f;
	struct wbuf out = WBUF_INITIALIZER(0);

	f = udp4;
	f.eth_dst = (struct mac)BROADCAST;
	ck_assert_int_eq(ask(&f, 1500, 1419, &out), ERR_REFUSED);
	f = udp4;
	f.nw_dst = ip_from_v4((const uint8_t[]){224, 0, 0, 1});
	ck_assert_int_eq(ask(&f, 1500, 1419, &out), ERR_REFUSED);
	f = udp4;
	f.nw_src = ip_from_v4((const uint8_t[]){0, 0, 0, 0});
	ck_assert_int_eq(ask(&f, 1500, 1419, &out), ERR_REFUSED);
	f = udp4;
	f.nw_frag = FLOW_FRAG_LATER; /* And without DF. */
	ck_assert_int_eq(ask(&f, 1500, 1419, &out), ERR_REFUSED);
	f = udp4;
	f.nw_proto = IP_PROTO_ICMP;
	f.tp_src = 3;
	ck_assert_int_eq(ask(&f, 1500, 1419, &out), ERR_REFUSED);
	f.tp_src = 8;
	ck_assert_int_eq(ask(&f, 1500, 1419, &out), FDP_OK);
	f = udp6;
	f.nw_proto = IP_PROTO_ICMPV6;
	f.tp_src = 2;
	ck_assert_int_eq(ask(&f, 1500, 1399, &out), ERR_REFUSED);
	f.tp_src = 128;
	ck_assert_int_eq(ask(&f, 1500, 1399, &out), FDP_OK);
	f = udp4;
	f.eth_type = ETH_TYPE_ARP;
	ck_assert_int_eq(ask(&f, 0, 1399, &out), ERR_REFUSED);
	wbuf_free(&out);
}
END_TEST

START_TEST(short_frames_are_refused)
{
	static const uint8_t zeros[100];
	struct wbuf frame = WBUF_INITIALIZER(0), out = WBUF_INITIALIZER(0);

	build_frame(&frame, &udp4, span_of(zeros, sizeof zeros));
	for (size_t size = 0; size < 42; size++) {
		ck_assert_int_eq(
			toobig_reply(span_of(frame.data, size), 1400, &out),
			ERR_TRUNCATED);
	}
	ck_assert_int_eq(toobig_reply(span_of(frame.data, 42), 1400, &out),
			 FDP_OK);
	wbuf_free(&frame);
	wbuf_free(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("toobig");
	TCase *tc = tcase_create("toobig");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, ipv4_sender_is_told);
	tcase_add_test(tc, ipv6_sender_is_told);
	tcase_add_test(tc, nobody_is_told_who_must_not_be);
	tcase_add_test(tc, short_frames_are_refused);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
