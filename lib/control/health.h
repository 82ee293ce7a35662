/* What a reply means for the exit status of fdpctl. */
#ifndef FDP_CONTROL_HEALTH_H
#define FDP_CONTROL_HEALTH_H 1

#include <stdbool.h>

struct json;

enum health {
	HEALTH_GOOD = 0,
	HEALTH_REFUSED = 1, /* Usage, or the request was refused. */
	HEALTH_DEGRADED = 2,
	HEALTH_DOWN = 3 /* No daemon, no datapath. */
};

/* By the verdict of a "status" reply; one that is not understood is
 * HEALTH_DEGRADED. */
enum health health_of_status(const struct json *status);

/* Of a "why" reply: HEALTH_GOOD or HEALTH_DEGRADED. */
enum health health_of_why(const struct json *why);

/* Of one entry of a "connections" reply: is it as it should be, established,
 * with an overlay that carries traffic, and without a complaint?  The daemon's
 * verdict counts alike. */
bool health_connection_is_good(const struct json *connection);

/* Of a "ports" reply: HEALTH_GOOD or HEALTH_DEGRADED. */
enum health health_of_ports(const struct json *ports);

/* Of a "connections" reply: HEALTH_GOOD or HEALTH_DEGRADED. */
enum health health_of_connections(const struct json *connections);

#endif
