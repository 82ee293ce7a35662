/* Reading replies: JSON objects whose keys may be absent or of another type
 * than expected, because the other side is another version, or a liar.
 *
 * Every reader takes NULL for "no such object" and answers with a default, so
 * that a walk down an object needs no checks.  control.h says what the keys
 * are. */
#ifndef FDP_CONTROL_REPLY_H
#define FDP_CONTROL_REPLY_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json;

/* The member 'key' of 'object'; NULL if there is none. */
const struct json *reply_member(const struct json *object, const char *key);

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

/* An element of an array as text; "" if it is something else. */
const char *reply_element(const struct json *element);

#endif
