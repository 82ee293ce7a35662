/* Attribute streams of the datapath as text, exactly as ovs-dpctl prints them
 * (libopenvswitch's odp-util does it).  A file of its own because
 * libopenvswitch has a struct flow, too. */
#ifndef FDP_NETLINK_ODP_TEXT_H
#define FDP_NETLINK_ODP_TEXT_H 1

#include "base/span.h"

/* The match: "recirc_id(0),in_port(2),...".  The caller frees. */
char *odp_text_match(struct span key, struct span mask);
/* The actions: "set(tunnel(...)),1", "drop" if there are none.  The caller
 * frees. */
char *odp_text_actions(struct span actions);

#endif
