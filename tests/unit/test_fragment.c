#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "packet/build.h"
#include "packet/checksum.h"
#include "packet/fragment.h"
#include "world.h"

enum {
	ETH = 14,
	IP = 20,
	MAX = 4000
};

static const struct flow udp4 = {.eth_src = M(2),
				 .eth_dst = M(7),
				 .eth_type = ETH_TYPE_IPV4,
				 .nw_proto = IP_PROTO_UDP,
				 .nw_ttl = 64,
				 .nw_src = V4(2),
				 .nw_dst = V4(7)};

/* What arrives, put together again. */
struct whole {
	uint8_t payload[MAX];
	size_t size;	/* Of the payload, where it ends. */
	size_t largest; /* Fragment, with its header. */
	unsigned int n;
	uint8_t options[40]; /* Of the last one. */
};

static unsigned int u16_at(const uint8_t *at)
{
	return (unsigned int)(at[0] << 8 | at[1]);
}

static void take(void *aux, struct span frame)
{
	struct whole *w = aux;
	const uint8_t *ip = frame.data + ETH;
	size_t header = (size_t)(ip[0] & 15) * 4, total = u16_at(ip + 2);
	size_t at = (size_t)(u16_at(ip + 6) & 0x1fff) * 8;
	struct checksum sum = CHECKSUM_INITIALIZER;

	checksum_add(&sum, ip, header);
	ck_assert_uint_eq(checksum_value(&sum), 0);
	ck_assert_uint_eq(frame.size, ETH + total);
	ck_assert_uint_le(at + total - header, MAX);
	memcpy(w->payload + at, ip + header, total - header);
	memcpy(w->options, ip + IP, header - IP);
	if (!(ip[6] & 0x20)) {
		ck_assert_uint_eq(w->size, 0);
		w->size = at + total - header;
	}
	w->largest = total > w->largest ? total : w->largest;
	w->n++;
}

/* UDP with 'size' bytes of payload that differ, without DF; 'options' bytes of
 * options. */
static void make(struct wbuf *frame, size_t size, const uint8_t *options,
		 size_t n)
{
	struct wbuf whole = WBUF_INITIALIZER(0);
	uint8_t payload[MAX];
	uint8_t *ip;

	for (size_t i = 0; i < size; i++) {
		payload[i] = (uint8_t)(i * 7 + i / 256);
	}
	build_frame(&whole, &udp4, span_of(payload, size));
	wbuf_bytes(frame, whole.data, ETH + IP);
	wbuf_bytes(frame, options, n);
	wbuf_bytes(frame, whole.data + ETH + IP, whole.size - ETH - IP);
	wbuf_free(&whole);
	ip = frame->data + ETH;
	ip[0] = (uint8_t)(0x45 + n / 4);
	ip[2] = (uint8_t)((frame->size - ETH) >> 8);
	ip[3] = (uint8_t)(frame->size - ETH);
	ip[6] = ip[7] = 0;
}

START_TEST(pieces_are_the_whole)
{
	static const struct {
		size_t size;
		uint32_t mtu;
		unsigned int n;
	} cases[] = {
		{1472, 1316, 2}, {1472, 1500, 1}, {1472, 1499, 2},
		{1400, 68, 30},	 {3000, 1316, 3}, {0, 1316, 1},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct wbuf frame = WBUF_INITIALIZER(0);
		struct whole w = {.n = 0};

		make(&frame, cases[i].size, NULL, 0);
		ck_assert_int_eq(fragment_ipv4(wbuf_span(&frame), cases[i].mtu,
					       take, &w),
				 FDP_OK);
		ck_assert_uint_eq(w.n, cases[i].n);
		ck_assert_uint_le(w.largest, cases[i].mtu);
		ck_assert_uint_eq(w.size, frame.size - ETH - IP);
		ck_assert_mem_eq(w.payload, frame.data + ETH + IP, w.size);
		wbuf_free(&frame);
	}
}
END_TEST

static void again(void *aux, struct span frame)
{
	ck_assert(!fragment_ipv4(frame, 500, take, aux));
}

START_TEST(pieces_of_pieces_are_the_whole)
{
	struct wbuf frame = WBUF_INITIALIZER(0);
	struct whole w = {.n = 0};

	make(&frame, 3000, NULL, 0);
	ck_assert(!fragment_ipv4(wbuf_span(&frame), 1316, again, &w));
	ck_assert_uint_eq(w.n, 3 + 3 + 1);
	ck_assert_uint_eq(w.size, 3008);
	ck_assert_mem_eq(w.payload, frame.data + ETH + IP, w.size);
	wbuf_free(&frame);
}
END_TEST

/* RFC 791 3.1: those with the copied flag are in all, others in the first. */
START_TEST(options_are_copied_as_they_say)
{
	static const uint8_t options[12] = {0x44, 4, 5, 0, 0x94, 4,
					    0,	  0, 7, 3, 4,	 0};
	static const uint8_t later[12] = {1, 1, 1, 1, 0x94, 4,
					  0, 0, 1, 1, 1,    0};
	static const uint8_t bad[4] = {0x44, 9, 0, 0};
	struct wbuf frame = WBUF_INITIALIZER(0);
	struct whole w = {.n = 0};

	make(&frame, 2000, options, sizeof options);
	ck_assert(!fragment_ipv4(wbuf_span(&frame), 1316, take, &w));
	ck_assert_uint_eq(w.n, 2);
	ck_assert_mem_eq(w.options, later, sizeof later);
	memset(&w, 0, sizeof w);
	ck_assert(!fragment_ipv4(wbuf_span(&frame), 3000, take, &w));
	ck_assert_mem_eq(w.options, options, sizeof options);
	wbuf_clear(&frame);
	memset(&w, 0, sizeof w);
	make(&frame, 2000, bad, sizeof bad);
	ck_assert(!fragment_ipv4(wbuf_span(&frame), 1316, take, &w));
	ck_assert_mem_eq(w.options, bad, sizeof bad);
	wbuf_free(&frame);
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
	struct wbuf frame = WBUF_INITIALIZER(0);
	struct whole w = {.n = 0};
	struct span f;

	make(&frame, 1472, NULL, 0);
	f = wbuf_span(&frame);
	ck_assert_int_eq(fragment_ipv4(f, 67, take, &w), ERR_RANGE);
	ck_assert_int_eq(
		fragment_ipv4(span_of(f.data, f.size - 1), 1316, take, &w),
		ERR_MALFORMED);
	ck_assert_int_eq(fragment_ipv4(span_of(f.data, 33), 1316, take, &w),
			 ERR_REFUSED);
	frame.data[ETH + 6] = 0x40;
	ck_assert_int_eq(fragment_ipv4(f, 1316, take, &w), ERR_REFUSED);
	frame.data[ETH + 6] = 0;
	frame.data[ETH] = 0x44;
	ck_assert_int_eq(fragment_ipv4(f, 1316, take, &w), ERR_MALFORMED);
	frame.data[ETH] = 0x65;
	ck_assert_int_eq(fragment_ipv4(f, 1316, take, &w), ERR_MALFORMED);
	frame.data[12] = 0x86;
	ck_assert_int_eq(fragment_ipv4(f, 1316, take, &w), ERR_REFUSED);
	ck_assert_uint_eq(w.n, 0);
	wbuf_free(&frame);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fragment");
	TCase *tc = tcase_create("fragment");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, pieces_are_the_whole);
	tcase_add_test(tc, pieces_of_pieces_are_the_whole);
	tcase_add_test(tc, options_are_copied_as_they_say);
	tcase_add_test(tc, what_cannot_be_is_refused);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
