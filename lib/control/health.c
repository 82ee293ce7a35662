#include "control/health.h"

#include <stddef.h>
#include <string.h>

#include "base/reason.h"
#include "control/reply.h"

enum health health_of_status(const struct json *status)
{
	const char *verdict = reply_text(status, "verdict", "");

	if (!strcmp(verdict, "healthy")) {
		return HEALTH_GOOD;
	}
	return strcmp(verdict, "down") ? HEALTH_DEGRADED : HEALTH_DOWN;
}

bool health_connection_is_good(const struct json *connection)
{
	const char *reason = reply_text(connection, "reason", "");

	return !strcmp(reply_text(connection, "state", ""), "established") &&
	       strcmp(reply_text(connection, "overlay", "none"), "none") != 0 &&
	       (!*reason || !strcmp(reason, reason_slug(REASON_KEYING)));
}

/* As the verdict of `status` has it: what strangers do at our door is shown but
 * is no fault of ours, nor is a list of peers that names this host, too. */
static bool is_harmless(const struct json *connection)
{
	return strcmp(reply_text(connection, "state", ""), "established") &&
	       (!strcmp(reply_text(connection, "direction", ""), "in") ||
		!strcmp(reply_text(connection, "reason", ""), "self"));
}

enum health health_of_why(const struct json *why)
{
	return strcmp(reply_text(why, "verdict", ""), "good") ? HEALTH_DEGRADED
							      : HEALTH_GOOD;
}

enum health health_of_connections(const struct json *connections)
{
	struct json *const *entry;
	size_t n, i;

	entry = reply_array(connections, "connections", &n);
	for (i = 0; i < n; i++) {
		if (!health_connection_is_good(entry[i]) &&
		    !is_harmless(entry[i])) {
			return HEALTH_DEGRADED;
		}
	}
	return HEALTH_GOOD;
}

enum health health_of_ports(const struct json *ports)
{
	static const char *const lists[] = {"ports", "others"};

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		size_t n, j;
		struct json *const *port = reply_array(ports, lists[i], &n);

		for (j = 0; j < n; j++) {
			if (strcmp(reply_text(port[j], "state", "up"), "up")) {
				return HEALTH_DEGRADED;
			}
		}
	}
	return HEALTH_GOOD;
}
