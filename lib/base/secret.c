#include "base/secret.h"

#include <sodium.h>

void secret_wipe(struct secret *s)
{
	sodium_memzero(s->b, sizeof s->b);
}

void secret_wipe_bytes(void *p, size_t size)
{
	sodium_memzero(p, size);
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
	return !sodium_memcmp(a->b, b->b, sizeof a->b);
}
