/* What the processor computes itself, for the choice of a cipher. */
#ifndef FDP_CRYPTO_CIPHER_CPU_H
#define FDP_CRYPTO_CIPHER_CPU_H 1

#include <stdbool.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

/* AES and carry-less multiplication, which AES-GCM wants.  Other architectures
 * than x86 have them, too, but nothing here tells: they go without. */
static inline bool cipher_cpu_has_gcm(void)
{
#if defined(__x86_64__) || defined(__i386__)
	unsigned int a, b, c, d;

	return __get_cpuid(1, &a, &b, &c, &d) && c & bit_AES && c & bit_PCLMUL;
#else
	return false;
#endif
}

#endif
