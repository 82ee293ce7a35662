/* Reading replies: JSON objects whose keys may be absent or of another type
 * than expected, because the other side is another version, or a liar.
 *
 * On top of base/jsonget.h, with defaults: every reader takes NULL for "no such
 * object", so that a walk down an object needs no checks.  control.h says what
 * the keys are. */
#ifndef FDP_CONTROL_REPLY_H
#define FDP_CONTROL_REPLY_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json;

/* A member of one type; the default if it is absent or of another one. */
const char *reply_text(const struct json *object, const char *key,
		       const char *otherwise);
int64_t reply_number(const struct json *object, const char *key,
		     int64_t otherwise);
bool reply_flag(const struct json *object, const char *key, bool otherwise);
/* NULL if absent or no object. */
const struct json *reply_object(const struct json *object, const char *key);

/* The elements of the array 'key', borrowed; '*n' is 0 if there is none. */
struct json *const *reply_array(const struct json *object, const char *key,
				size_t *n);

/* Sorts the array 'key' of 'object' by the texts, then numbers, that its
 * elements have under 'by', a list that ends with NULL. */
void reply_sort(struct json *object, const char *key, const char *const *by);

/* An element of an array as text; "" if it is something else. */
const char *reply_element(const struct json *element);

#endif
