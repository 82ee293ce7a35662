#include "control/reply.h"

#include <stdlib.h>
#include <string.h>

#include "openvswitch/json.h"
#include "openvswitch/util.h"
#include "util.h"

#include "base/jsonget.h"

const char *reply_text(const struct json *object, const char *key,
		       const char *otherwise)
{
	const char *text = jsonget_string(object, key);

	return text ? text : otherwise;
}

int64_t reply_number(const struct json *object, const char *key,
		     int64_t otherwise)
{
	int64_t number = otherwise;

	return jsonget_integer(object, key, INT64_MIN, INT64_MAX, &number)
		       ? number
		       : otherwise;
}

bool reply_flag(const struct json *object, const char *key, bool otherwise)
{
	const struct json *member = jsonget(object, key);

	if (!member ||
	    (member->type != JSON_TRUE && member->type != JSON_FALSE)) {
		return otherwise;
	}
	return json_boolean(member);
}

const struct json *reply_object(const struct json *object, const char *key)
{
	const struct json *member = jsonget(object, key);

	return member && member->type == JSON_OBJECT ? member : NULL;
}

struct json *const *reply_array(const struct json *object, const char *key,
				size_t *n)
{
	const struct json *member = jsonget(object, key);

	*n = jsonget_n(member);
	return *n ? json_array(member)->elems : NULL;
}

/* An element under the keys that it is sorted by. */
struct sortable {
	struct json *element;
	const char *const *by;
	size_t place; /* Equal ones stay as they were. */
};

static int compare(const void *a_, const void *b_)
{
	const struct sortable *a = a_, *b = b_;
	const char *const *key;

	for (key = a->by; *key; key++) {
		int64_t x = reply_number(a->element, *key, 0);
		int64_t y = reply_number(b->element, *key, 0);
		int order = strcmp(reply_text(a->element, *key, ""),
				   reply_text(b->element, *key, ""));

		if (order || x != y) {
			return order ? order : x < y ? -1 : 1;
		}
	}
	return a->place < b->place ? -1 : 1;
}

void reply_sort(struct json *object, const char *key, const char *const *by)
{
	const struct json *member = jsonget(object, key);
	size_t n = jsonget_n(member), i;
	struct sortable *order;

	if (n < 2) {
		return;
	}
	order = xcalloc(n, sizeof *order);
	for (i = 0; i < n; i++) {
		order[i].element = json_array(member)->elems[i];
		order[i].by = by;
		order[i].place = i;
	}
	qsort(order, n, sizeof *order, compare);
	for (i = 0; i < n; i++) {
		json_array(member)->elems[i] = order[i].element;
	}
	free(order);
}

const char *reply_element(const struct json *element)
{
	return element && element->type == JSON_STRING ? json_string(element)
						       : "";
}
