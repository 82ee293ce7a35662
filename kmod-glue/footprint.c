#include "kmod-glue/footprint.h"

#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util.h"

static void let_go(uintptr_t begin, uintptr_t end)
{
	void *at = (void *)begin; /* NOLINT(performance-no-int-to-ptr) */
	const size_t size = end - begin;

	/* What is locked is not let go of.  Should either fail, it stays. */
	(void)munlock(at, size);
	(void)madvise(at, size, MADV_DONTNEED);
}

static int trim_object(struct dl_phdr_info *info, size_t size, void *aux)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)size;
	(void)aux;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];
		const uintptr_t begin = info->dlpi_addr + h->p_vaddr;

		/* What was never written is as it is on disk. */
		if (h->p_type == PT_LOAD && !(h->p_flags & PF_W)) {
			let_go(ROUND_DOWN(begin, page),
			       ROUND_UP(begin + h->p_memsz, page));
		}
	}
	return 0;
}

void footprint_trim(void)
{
	dl_iterate_phdr(trim_object, NULL);
}
