#include "base/jsonput.h"

#include "openvswitch/json.h"

void jsonput_int(struct json *json, const char *name, uint64_t value)
{
	json_object_put(json, name, json_integer_create((long long)value));
}

void jsonput_bool(struct json *json, const char *name, bool value)
{
	json_object_put(json, name, json_boolean_create(value));
}

void jsonput_id(struct json *json, const char *name, const struct peer_id *id)
{
	char buf[PEER_ID_STRLEN];

	json_object_put_string(json, name, peer_id_format(id, buf));
}

void jsonput_mac(struct json *json, const char *name, const struct mac *mac)
{
	char buf[MAC_STRLEN];

	json_object_put_string(json, name, mac_format(mac, buf));
}

void jsonput_ip(struct json *json, const char *name, const struct ip_addr *ip)
{
	char buf[IP_STRLEN];

	json_object_put_string(json, name,
			       ip_is_zero(ip) ? "" : ip_format(ip, buf));
}
