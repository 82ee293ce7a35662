#include "ipsec/sa.h"

#include "vectors.h"

static void count_up(void *aux, void *buf, size_t size)
{
	uint8_t *next = aux;

	for (size_t i = 0; i < size; i++) {
		((uint8_t *)buf)[i] = (*next)++;
	}
}

static void same(void *aux, void *buf, size_t size)
{
	memset(buf, *(uint8_t *)aux, size);
}

START_TEST(drawn_spi_never_reserved)
{
	uint8_t state = 0;
	struct rng rng = {count_up, &state};

	for (unsigned int i = 0; i < 10000; i++) {
		ck_assert_uint_ge(sa_draw_spi(&rng), SA_SPI_MIN);
	}
	rng.fill = same;
	for (unsigned int i = 0; i < 256; i++) {
		state = (uint8_t)i;
		ck_assert_uint_ge(sa_draw_spi(&rng), SA_SPI_MIN);
	}
}
END_TEST

static struct ip_addr ip(const char *text)
{
	struct ip_addr result;

	ck_assert_int_eq(ip_addr_parse(text, &result), FDP_OK);
	return result;
}

START_TEST(reqid_in_our_range_and_the_same_each_time)
{
	for (uint32_t i = 0; i < 5000; i++) {
		const uint8_t v4[4] = {10, 0, (uint8_t)(i >> 8), (uint8_t)i};
		struct ip_addr remote = ip_from_v4(v4);

		for (unsigned int attempt = 0; attempt < 3; attempt++) {
			uint32_t reqid = sa_reqid(&remote, attempt);

			ck_assert_uint_ge(reqid, XFRM_REQID_BASE);
			ck_assert_uint_lt(reqid,
					  XFRM_REQID_BASE + XFRM_REQID_RANGE);
			ck_assert_uint_eq(reqid, sa_reqid(&remote, attempt));
		}
		ck_assert_uint_ne(sa_reqid(&remote, 0), sa_reqid(&remote, 1));
	}
}
END_TEST

START_TEST(made_sa_complete_and_of_the_derived_key)
{
	struct secret esp = {{1, 2, 3}};
	struct esp_key_params key = {
		.direction = KEY_R2I,
		.spi = 0x12345678,
		.salt = {9},
		.src_id = {{1}},
		.dst_id = {{2}},
		.src_ip = ip("192.0.2.1"),
		.dst_ip = ip("192.0.2.2"),
	};
	struct esp_keymat keymat;
	struct xfrm_sa sa, other;

	memset(&sa, 0xff, sizeof sa);
	sa_make(&sa, &esp, &key, 0x0fd00007, 6784, 1);
	ck_assert(ip_equal(&sa.src, &key.src_ip));
	ck_assert(ip_equal(&sa.dst, &key.dst_ip));
	ck_assert_uint_eq(sa.spi, 0x12345678);
	ck_assert_uint_eq(sa.reqid, 0x0fd00007);
	ck_assert_uint_eq(sa.udp_port, 6784);
	ck_assert_uint_eq(sa.replay_window, 1024);
	ck_assert_uint_eq(sa.soft_packets, UINT64_C(1) << 31);
	ck_assert_uint_eq(sa.hard_packets, UINT64_C(1) << 32);
	ck_assert_uint_eq(sa.soft_bytes, UINT64_C(1) << 41);
	ck_assert_uint_eq(sa.hard_bytes, UINT64_C(1) << 42);
	ck_assert_uint_eq(sa.packets + sa.bytes + sa.seq_in + sa.seq_out, 0);
	ck_assert(xfrm_sa_is_ours(&sa));
	esp_key(&esp, &key, &keymat);
	ck_assert_mem_eq(sa.key, keymat.b, sizeof sa.key);

	/* Another SPI, salt or direction is another key. */
	key.spi++;
	sa_make(&other, &esp, &key, 0x0fd00007, 6784, 1);
	ck_assert_mem_ne(sa.key, other.key, sizeof sa.key);
	key.spi--;
	key.salt[31] = 1;
	sa_make(&other, &esp, &key, 0x0fd00007, 6784, 1);
	ck_assert_mem_ne(sa.key, other.key, sizeof sa.key);
	key.salt[31] = 0;
	key.direction = KEY_I2R;
	sa_make(&other, &esp, &key, 0x0fd00007, 6784, 1);
	ck_assert_mem_ne(sa.key, other.key, sizeof sa.key);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sa");
	TCase *tcase = tcase_create("sa");

	tcase_add_test(tcase, drawn_spi_never_reserved);
	tcase_add_test(tcase, reqid_in_our_range_and_the_same_each_time);
	tcase_add_test(tcase, made_sa_complete_and_of_the_derived_key);
	suite_add_tcase(suite, tcase);
	return vectors_main(suite);
}
