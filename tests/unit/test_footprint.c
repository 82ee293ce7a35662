#include "kmod-glue/footprint.h"

#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "vectors.h"

/* KiB of files that are in our memory. */
static long resident(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kib = 0;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof line, f)) {
		if (!strncmp(line, "RssFile:", 8)) {
			kib = strtol(line + 8, NULL, 10);
		}
	}
	fclose(f);
	ck_assert_int_gt(kib, 0);
	return kib;
}

static unsigned int sum;

/* Reads all code. */
static int read_all(struct dl_phdr_info *info, size_t size, void *aux)
{
	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];
		const volatile uint8_t *at =
			(const uint8_t *)(info->dlpi_addr + h->p_vaddr);

		if (h->p_type != PT_LOAD || h->p_flags & PF_W) {
			continue;
		}
		for (size_t k = 0; k < h->p_memsz; k += 4096) {
			sum += at[k];
		}
		*(size_t *)aux += h->p_memsz / 1024;
	}
	return 0;
}

START_TEST(code_that_is_not_used_any_more_goes)
{
	size_t kib = 0;
	long before;
	unsigned int first;

	dl_iterate_phdr(read_all, &kib);
	ck_assert_uint_gt(kib, 1024);
	first = sum;
	before = resident();
	footprint_trim();
	ck_assert_int_lt(resident(), before - (long)kib / 3);
	/* And is there again when it is. */
	sum = 0;
	dl_iterate_phdr(read_all, &kib);
	ck_assert_uint_eq(sum, first);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("footprint");
	TCase *tcase = tcase_create("footprint");

	tcase_add_test(tcase, code_that_is_not_used_any_more_goes);
	suite_add_tcase(suite, tcase);
	return vectors_main(suite);
}
