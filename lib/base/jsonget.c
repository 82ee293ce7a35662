#include "base/jsonget.h"

#include "openvswitch/json.h"
#include "openvswitch/shash.h"

const struct json *jsonget(const struct json *object, const char *name)
{
	if (!object || object->type != JSON_OBJECT) {
		return NULL;
	}
	return shash_find_data(json_object(object), name);
}

const char *jsonget_string(const struct json *object, const char *name)
{
	const struct json *member = jsonget(object, name);

	return member && member->type == JSON_STRING ? json_string(member)
						     : NULL;
}

bool jsonget_integer(const struct json *object, const char *name, int64_t min,
		     int64_t max, int64_t *value)
{
	const struct json *member = jsonget(object, name);

	if (!member || member->type != JSON_INTEGER ||
	    json_integer(member) < min || json_integer(member) > max) {
		return false;
	}
	*value = json_integer(member);
	return true;
}

bool jsonget_true(const struct json *object, const char *name)
{
	const struct json *member = jsonget(object, name);

	return member && member->type == JSON_TRUE;
}

size_t jsonget_n(const struct json *array)
{
	return array && array->type == JSON_ARRAY ? json_array(array)->n : 0;
}

const struct json *jsonget_at(const struct json *array, size_t i)
{
	return json_array(array)->elems[i];
}
