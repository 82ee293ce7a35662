/* Reading JSON objects from outside: a member of the wrong kind is as good as
 * none.  On top of libopenvswitch's openvswitch/json.h. */
#ifndef FDP_BASE_JSONGET_H
#define FDP_BASE_JSONGET_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json;

/* The member 'name' of 'object'; NULL if there is none, or no object. */
const struct json *jsonget(const struct json *object, const char *name);
/* A string, borrowed; NULL if it is none. */
const char *jsonget_string(const struct json *object, const char *name);
/* True if there is an integer in [min, max], which goes to '*value'. */
bool jsonget_integer(const struct json *object, const char *name, int64_t min,
		     int64_t max, int64_t *value);
/* Is the member there, and true? */
bool jsonget_true(const struct json *object, const char *name);
/* The number of elements of an array; 0 if it is none. */
size_t jsonget_n(const struct json *array);
/* Element 'i' of an array, which must exist. */
const struct json *jsonget_at(const struct json *array, size_t i);

#endif
