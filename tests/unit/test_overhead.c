#include "ipsec/overhead.h"

#include "vectors.h"

static const struct {
	uint32_t path;
	bool v6, encrypted;
	uint32_t inner;
} known[] = {
	{1500, false, true, 1416},  {1500, true, true, 1396},
	{1500, false, false, 1450}, {1500, true, false, 1430},
	{9000, false, false, 8950}, {9000, true, false, 8930},
	{1280, true, false, 1210},  {0, false, false, 0},
	{0, true, true, 0},	    {20, false, true, 0},
	{68, false, true, 0},
};

START_TEST(known_paths_have_known_mtus)
{
	ck_assert_uint_eq(overhead_inner_mtu(known[_i].path, known[_i].v6,
					     known[_i].encrypted),
			  known[_i].inner);
}
END_TEST

/* Byte by byte what lies around an inner IP packet of 'inner' bytes: Ethernet,
 * VXLAN and UDP headers; if 'encrypted' ESP in transport mode around the UDP
 * datagram (RFC 4303 2, RFC 4106 3); the outer IP header. */
static uint32_t outer_size(uint32_t inner, bool v6, bool encrypted)
{
	uint32_t size = inner;

	size += 6 + 6 + 2;     /* Ethernet: two addresses, type. */
	size += 1 + 3 + 3 + 1; /* VXLAN: flags, VNI, reserved. */
	size += 2 + 2 + 2 + 2; /* UDP: ports, length, checksum. */
	if (encrypted) {
		while ((size + 1 + 1) % 4) {
			size++; /* Padding up to pad length, next header. */
		}
		size += 1 + 1;
		size += 4 + 4; /* SPI, sequence number. */
		size += 8;     /* IV */
		size += 16;    /* ICV */
	}
	return size + (v6 ? 40 : 20);
}

START_TEST(mtu_fits_exactly_whatever_the_path)
{
	for (uint32_t path = 0; path <= 9300; path++) {
		for (unsigned int kind = 0; kind < 4; kind++) {
			bool v6 = kind & 1, encrypted = kind & 2;
			uint32_t mtu = overhead_inner_mtu(path, v6, encrypted);

			if (mtu) {
				ck_assert_uint_le(
					outer_size(mtu, v6, encrypted), path);
			}
			/* An MTU of zero is "unknown": one that could be
			 * a handful of bytes is not used either. */
			if (mtu || path > 200) {
				ck_assert_uint_gt(
					outer_size(mtu + 1, v6, encrypted),
					path);
			}
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("overhead");
	TCase *tcase = tcase_create("overhead");

	tcase_add_loop_test(tcase, known_paths_have_known_mtus, 0,
			    sizeof known / sizeof known[0]);
	tcase_add_test(tcase, mtu_fits_exactly_whatever_the_path);
	suite_add_tcase(suite, tcase);
	return vectors_main(suite);
}
