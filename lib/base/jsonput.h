/* Values into JSON objects, in the forms that all our answers have. */
#ifndef FDP_BASE_JSONPUT_H
#define FDP_BASE_JSONPUT_H 1

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

struct json;

void jsonput_int(struct json *, const char *name, uint64_t value);
void jsonput_bool(struct json *, const char *name, bool value);
void jsonput_id(struct json *, const char *name, const struct peer_id *);
void jsonput_mac(struct json *, const char *name, const struct mac *);
/* "" if it is zero. */
void jsonput_ip(struct json *, const char *name, const struct ip_addr *);

#endif
