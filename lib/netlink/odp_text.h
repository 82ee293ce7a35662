/* The words of ovs-dpctl for attributes of the kernel datapath, by
 * libopenvswitch's odp-util.  That has a struct flow of its own, so this is the
 * one place that includes it. */
#ifndef FDP_NETLINK_ODP_TEXT_H
#define FDP_NETLINK_ODP_TEXT_H 1

#include <stdint.h>

#include "base/span.h"

struct ds;

/* Each appends text for a stream of attributes, aligned to four bytes as they
 * are in a message.  What is wrong in it is said in the text.  An empty mask
 * shows every field; empty actions are "drop". */
void odp_text_match(struct ds *, struct span key, struct span mask);
void odp_text_actions(struct ds *, struct span actions);
void odp_text_tcp_flags(struct ds *, uint8_t flags);

#endif
