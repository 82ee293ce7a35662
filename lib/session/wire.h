/* What several messages are made of.  Every get cuts its part off 'in'. */
#ifndef FDP_SESSION_WIRE_H
#define FDP_SESSION_WIRE_H 1

#include <stddef.h>

#include "base/addr.h"
#include "base/binding.h"
#include "base/err.h"
#include "base/span.h"

enum {
	WIRE_BINDING_MAX_BYTES = 4 + 6 + 1 + BINDING_MAX_IPS * 16
};

enum err wire_get_ip(struct span *in, struct ip_addr *) FDP_MUST_CHECK;
/* ERR_MALFORMED if it is zero. */
enum err wire_get_id(struct span *in, struct peer_id *) FDP_MUST_CHECK;
enum err wire_get_key(struct span *in, struct binding_key *) FDP_MUST_CHECK;

/* How many elements follow; none of them takes less than 'min_bytes', so a
 * number that cannot be true is refused before memory is taken for it. */
enum err wire_get_count(struct span *in, size_t max, size_t min_bytes,
			size_t *n) FDP_MUST_CHECK;

/* A list of at most MSG_MAX_BINDINGS, each of which is valid.  The caller frees
 * '*list', even after an error. */
enum err wire_get_bindings(struct span *in, struct binding **list,
			   size_t *n) FDP_MUST_CHECK;
void wire_put_bindings(struct wbuf *out, const struct binding *, size_t n);

#endif
