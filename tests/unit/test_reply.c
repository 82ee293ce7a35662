#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#include "packet/build.h"
#include "packet/checksum.h"
#include "packet/reply.h"
#include "world.h"

#define N_OF(ARRAY) (int)(sizeof(ARRAY) / sizeof(ARRAY)[0])

/* The bytes are written by hand, the checksums computed by another program. */
static void check_hex(const struct wbuf *b, const char *hex, const char *name)
{
	char text[512] = "";
	size_t at = 0;

	for (size_t i = 0; i < b->size && at + 3 < sizeof text; i++) {
		at += (size_t)snprintf(text + at, sizeof text - at, "%02x",
				       b->data[i]);
	}
	for (size_t i = 0; *hex; hex++) {
		if (*hex != ' ') {
			ck_assert_msg(text[i] == *hex, "%s: %s", name, text);
			i++;
		}
		ck_assert_msg(hex[1] || !text[i], "%s: %s", name, text);
	}
}

START_TEST(arp_reply_is_byte_for_byte)
{
	static const struct flow question = {.eth_src = M(2),
					     .eth_dst = BROADCAST,
					     .eth_type = ETH_TYPE_ARP,
					     .arp_op = 1,
					     .arp_sha = M(2),
					     .nw_src = V4(2),
					     .nw_dst = V4(7)};
	static const struct mac answer = M(7);
	struct wbuf b = WBUF_INITIALIZER(0);

	reply_arp(&b, &question, &answer);
	check_hex(&b,
		  "020000000002 020000000007 0806 0001 0800 06 04 0002 "
		  "020000000007 0a000007 020000000002 0a000002",
		  "ARP");
	wbuf_free(&b);
}
END_TEST

START_TEST(unasked_goes_to_all)
{
	static const struct ip_addr v4 = V4(7), v6 = V6(7);
	static const struct mac mac = M(7);
	struct wbuf b = WBUF_INITIALIZER(0);

	reply_unasked(&b, &v4, &mac);
	check_hex(&b,
		  "ffffffffffff 020000000007 0806 0001 0800 06 04 0001 "
		  "020000000007 0a000007 000000000000 0a000007",
		  "ARP");
	wbuf_free(&b);
	wbuf_init(&b, 0);
	reply_unasked(&b, &v6, &mac);
	ck_assert_uint_eq(b.data[14 + 40], 136);
	ck_assert_uint_eq(b.data[14 + 40 + 4], 0x20); /* Override alone. */
	ck_assert_uint_eq(b.data[0], 0x33);
	wbuf_free(&b);
}
END_TEST

START_TEST(advertisement_to_the_asker_is_solicited)
{
	static const struct flow question = {.eth_src = M(2),
					     .eth_dst = MULTICAST6,
					     .eth_type = ETH_TYPE_IPV6,
					     .nw_proto = IP_PROTO_ICMPV6,
					     .tp_src = 135,
					     .nw_src = V6(2),
					     .nd_target = V6(7)};
	static const struct mac answer = M(7);
	struct wbuf b = WBUF_INITIALIZER(0);

	reply_neighbour(&b, &question, &answer);
	check_hex(&b,
		  "020000000002 020000000007 86dd 60000000 0020 3a ff"
		  "fd000000000000000000000000000007"
		  "fd000000000000000000000000000002"
		  "88 00 1c8a 60000000 fd000000000000000000000000000007"
		  "02 01 020000000007",
		  "NA");
	wbuf_free(&b);
}
END_TEST

START_TEST(advertisement_to_nobody_yet_goes_to_all)
{
	static const struct flow question = {.eth_src = M(2),
					     .eth_dst = MULTICAST6,
					     .eth_type = ETH_TYPE_IPV6,
					     .nw_proto = IP_PROTO_ICMPV6,
					     .tp_src = 135,
					     .nd_target = V6(7)};
	static const struct mac answer = M(7);
	struct wbuf b = WBUF_INITIALIZER(0);

	reply_neighbour(&b, &question, &answer);
	check_hex(&b,
		  "333300000001 020000000007 86dd 60000000 0020 3a ff"
		  "fd000000000000000000000000000007"
		  "ff020000000000000000000000000001"
		  "88 00 5a89 20000000 fd000000000000000000000000000007"
		  "02 01 020000000007",
		  "NA");
	wbuf_free(&b);
}
END_TEST

#define TO_3(PROTO)                                                  \
	.eth_dst = M(3), .eth_src = M(2), .eth_type = ETH_TYPE_IPV4, \
	.nw_ttl = 64, .nw_src = V4(2), .nw_dst = V4(3), .nw_proto = (PROTO)

static const struct {
	const char *name;
	struct flow flow;
	const char *payload;
	size_t size;
	const char *frame; /* From the IP header's length on. */
} frames[] = {
	{"UDP",
	 {TO_3(17), .tp_src = 1, .tp_dst = 2},
	 "abc",
	 3,
	 "001f 0000 4000 40 11 26ca 0a000002 0a000003 0001 0002 000b 276e "
	 "616263"},
	{"TCP",
	 {TO_3(6), .tp_src = 1, .tp_dst = 2, .tcp_flags = 2},
	 "abc",
	 3,
	 "002b 0000 4000 40 06 26c9 0a000002 0a000003 0001 0002 00000000 "
	 "00000000 5002 ffff d775 0000 616263"},
	{"ICMP",
	 {TO_3(1), .tp_src = 8},
	 "\0\1\0\2xyz",
	 7,
	 "001f 0000 4000 40 01 26da 0a000002 0a000003 08 00 0583 0001 0002 "
	 "78797a"},
	/* RFC 768: a checksum that comes out as zero is sent as all ones. */
	{"UDP with checksum zero",
	 {TO_3(17), .tp_src = 60375, .tp_dst = 2},
	 "",
	 0,
	 "001c 0000 4000 40 11 26cd 0a000002 0a000003 ebd7 0002 0008 ffff"},
};

START_TEST(built_frame_is_byte_for_byte)
{
	struct wbuf b = WBUF_INITIALIZER(0);

	build_frame(&b, &frames[_i].flow,
		    span_of(frames[_i].payload, frames[_i].size));
	wbuf_pull(&b, 16);
	check_hex(&b, frames[_i].frame, frames[_i].name);
	wbuf_free(&b);
}
END_TEST

/* RFC 1071 section 3. */
START_TEST(checksum_of_the_rfc_s_example)
{
	static const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03,
				       0xf4, 0xf5, 0xf6, 0xf7};
	struct checksum c = CHECKSUM_INITIALIZER, odd = CHECKSUM_INITIALIZER;

	checksum_add(&c, data, sizeof data);
	ck_assert_uint_eq(checksum_value(&c), 0xffff - 0xddf2);
	checksum_add(&odd, data, 3);
	ck_assert_uint_eq(checksum_value(&odd), 0xffff - 0xf201);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("reply");
	TCase *t = tcase_create("reply");
	SRunner *r;
	int failed;

	tcase_add_test(t, arp_reply_is_byte_for_byte);
	tcase_add_test(t, unasked_goes_to_all);
	tcase_add_test(t, advertisement_to_the_asker_is_solicited);
	tcase_add_test(t, advertisement_to_nobody_yet_goes_to_all);
	tcase_add_loop_test(t, built_frame_is_byte_for_byte, 0, N_OF(frames));
	tcase_add_test(t, checksum_of_the_rfc_s_example);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
