/* Requests from outside, from JSON to our own structs: attachments and packets
 * to trace.  Everything is checked here; the rest of the engine may rely on
 * what it gets. */
#ifndef FDP_ENGINE_REQUEST_H
#define FDP_ENGINE_REQUEST_H 1

#include <stdbool.h>
#include <stddef.h>

#include "engine/state.h"

/* An attachment, complete or not: members that are missing stay zero (MAC,
 * host_ifname, mtu) or take their default (ifname eth0, network 1).  False,
 * and a sentence in 'why', if something is wrong. */
bool request_port(const struct json *, struct port *, char *why, size_t size);

/* The packet that `trace` describes.  'port_no' of a named port must have been
 * looked up by the caller: it is not read here. */
bool request_flow(const struct json *, struct flow *, char *why, size_t size);

#endif
