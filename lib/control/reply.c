#include "control/reply.h"

#include "openvswitch/json.h"
#include "openvswitch/shash.h"

const struct json *reply_member(const struct json *object, const char *key)
{
	if (!object || object->type != JSON_OBJECT) {
		return NULL;
	}
	return shash_find_data(json_object(object), key);
}

static const struct json *member_of(const struct json *object, const char *key,
				    enum json_type type)
{
	const struct json *member = reply_member(object, key);

	return member && member->type == type ? member : NULL;
}

const char *reply_text(const struct json *object, const char *key,
		       const char *otherwise)
{
	const struct json *member = member_of(object, key, JSON_STRING);

	return member ? json_string(member) : otherwise;
}

int64_t reply_number(const struct json *object, const char *key,
		     int64_t otherwise)
{
	const struct json *member = member_of(object, key, JSON_INTEGER);

	return member ? json_integer(member) : otherwise;
}

bool reply_flag(const struct json *object, const char *key, bool otherwise)
{
	const struct json *member = reply_member(object, key);

	if (!member ||
	    (member->type != JSON_TRUE && member->type != JSON_FALSE)) {
		return otherwise;
	}
	return json_boolean(member);
}

const struct json *reply_object(const struct json *object, const char *key)
{
	return member_of(object, key, JSON_OBJECT);
}

struct json *const *reply_array(const struct json *object, const char *key,
				size_t *n)
{
	const struct json *member = member_of(object, key, JSON_ARRAY);

	if (!member) {
		*n = 0;
		return NULL;
	}
	*n = json_array(member)->n;
	return json_array(member)->elems;
}

const char *reply_element(const struct json *element)
{
	return element && element->type == JSON_STRING ? json_string(element)
						       : "";
}
