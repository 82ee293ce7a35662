#include "netlink/odp_text.h"

#include "odp-util.h"
#include "openvswitch/dynamic-string.h"

static const struct nlattr *attrs(struct span s)
{
	return (const struct nlattr *)(const void *)s.data;
}

char *odp_text_match(struct span key, struct span mask)
{
	struct ds ds = DS_EMPTY_INITIALIZER;

	odp_flow_format(attrs(key), key.size, attrs(mask), mask.size, NULL, &ds,
			false);
	return ds_steal_cstr(&ds);
}

char *odp_text_actions(struct span actions)
{
	struct ds ds = DS_EMPTY_INITIALIZER;

	format_odp_actions(&ds, attrs(actions), actions.size, NULL);
	return ds_steal_cstr(&ds);
}
