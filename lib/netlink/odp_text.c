#include "netlink/odp_text.h"

#include "odp-util.h"
#include "openvswitch/dynamic-string.h"
#include "packets.h"

static const struct nlattr *attrs_of(struct span s)
{
	return s.size ? (const void *)s.data : NULL;
}

void odp_text_match(struct ds *ds, struct span key, struct span mask)
{
	odp_flow_format(attrs_of(key), key.size, attrs_of(mask), mask.size,
			NULL, ds, false);
}

void odp_text_actions(struct ds *ds, struct span actions)
{
	format_odp_actions(ds, attrs_of(actions), actions.size, NULL);
}

void odp_text_tcp_flags(struct ds *ds, uint8_t flags)
{
	packet_format_tcp_flags(ds, flags);
}
