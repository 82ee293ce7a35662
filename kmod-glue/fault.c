#include "kmod-glue/fault.h"

#ifdef FDP_FAULTS
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "openvswitch/vlog.h"
#include "unixctl.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(fault)

/* One process, one death. */
static unsigned long long int n_ops;
static unsigned long long int last_op; /* 0: none. */

static void cmd_die_after(struct unixctl_conn *conn, int argc OVS_UNUSED,
			  const char *argv[], void *aux OVS_UNUSED)
{
	unsigned int n;

	if (!str_to_uint(argv[1], 10, &n)) {
		unixctl_command_reply_error(conn, "not a number");
		return;
	}
	last_op = n ? n_ops + n : 0;
	unixctl_command_reply(conn, NULL);
}

static void cmd_ops(struct unixctl_conn *conn, int argc OVS_UNUSED,
		    const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
	char text[32];

	snprintf(text, sizeof text, "%llu", n_ops);
	unixctl_command_reply(conn, text);
}

void fault_init(void)
{
	const char *after = getenv("FDP_FAULT_AFTER");
	unsigned int n;

	if (!n_ops && after && str_to_uint(after, 10, &n)) {
		last_op = n;
	}
	unixctl_command_register("fault/die-after", "N", 1, 1, cmd_die_after,
				 NULL);
	unixctl_command_register("fault/ops", "", 0, 0, cmd_ops, NULL);
}

bool fault_is_last(const struct op *op)
{
	if (op->type == OP_LOG || op->type == OP_REPLY) {
		return false;
	}
	return ++n_ops == last_op;
}

void fault_die(void)
{
	VLOG_WARN("killed after op %llu, as was asked", n_ops);
	(void)!kill(getpid(), SIGKILL);
}
#endif
