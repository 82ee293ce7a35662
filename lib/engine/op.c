#include "engine/op.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "util.h"

enum {
	KEPT_BYTES = 2048
};

const char *op_type_name(enum op_type type)
{
	switch (type) {
	case OP_DIAL:
		return "dial";
	case OP_SEND:
		return "send";
	case OP_CLOSE:
		return "close";
	case OP_DATAPATH_ADD:
		return "datapath-add";
	case OP_DATAPATH_DEL:
		return "datapath-del";
	case OP_VPORT_ADD:
		return "vport-add";
	case OP_VPORT_ADOPT:
		return "vport-adopt";
	case OP_VPORT_DEL:
		return "vport-del";
	case OP_FLOW_PUT:
		return "flow-put";
	case OP_FLOW_DEL:
		return "flow-del";
	case OP_FLOW_DUMP:
		return "flow-dump";
	case OP_EXECUTE:
		return "execute";
	case OP_SA_ADD:
		return "sa-add";
	case OP_SA_DEL:
		return "sa-del";
	case OP_POLICY_PUT:
		return "policy-put";
	case OP_POLICY_DEL:
		return "policy-del";
	case OP_GUARD_PUT:
		return "guard-put";
	case OP_GUARD_DEL:
		return "guard-del";
	case OP_IPSEC_LOOK:
		return "ipsec-look";
	case OP_SLEEVE_IN:
		return "sleeve-in";
	case OP_SLEEVE_IN_DEL:
		return "sleeve-in-del";
	case OP_SLEEVE_OUT:
		return "sleeve-out";
	case OP_SLEEVE_MTU:
		return "sleeve-mtu";
	case OP_SLEEVE_DEL:
		return "sleeve-del";
	case OP_SLEEVE_LANE:
		return "sleeve-lane";
	case OP_ROUTE_GET:
		return "route-get";
	case OP_ROUTE_FORGET:
		return "route-forget";
	case OP_SEND_TEST:
		return "send-test";
	case OP_LINK_MTU:
		return "link-mtu";
	case OP_LINK_SET:
		return "link-set";
	case OP_LINK_DEL:
		return "link-del";
	case OP_REPLY:
		return "reply";
	case OP_LOG:
		return "log";
	case OP_SAVE:
		return "save";
	case OP_REMEMBER:
		return "remember";
	case OP_FATAL:
		return "fatal";
	}
	return "?";
}

/* Frames come by the thousand, one after the other: the buffers of all but
 * large ones are kept for the next.  Whatever else was in a buffer is wiped. */
static void bytes_done(struct op *op)
{
	if (op->type == OP_EXECUTE && op->bytes.allocated <= KEPT_BYTES) {
		wbuf_clear(&op->bytes);
	} else {
		wbuf_free(&op->bytes);
	}
}

static void op_done(struct op *op)
{
	bytes_done(op);
	free(op->text);
	switch (op->type) {
	case OP_FLOW_PUT:
	case OP_FLOW_DEL:
	case OP_EXECUTE:
		actions_free(&op->flow.actions);
		break;
	case OP_SA_ADD:
		sodium_memzero(&op->sa, sizeof op->sa);
		break;
	case OP_SLEEVE_IN:
	case OP_SLEEVE_OUT:
		secret_wipe(&op->sleeve.key);
		break;
	case OP_GUARD_PUT:
		free(op->guard.peers);
		free(op->guard.pairs);
		break;
	case OP_DIAL:
	case OP_SEND:
	case OP_CLOSE:
	case OP_DATAPATH_ADD:
	case OP_DATAPATH_DEL:
	case OP_VPORT_ADD:
	case OP_VPORT_ADOPT:
	case OP_VPORT_DEL:
	case OP_FLOW_DUMP:
	case OP_SA_DEL:
	case OP_POLICY_PUT:
	case OP_POLICY_DEL:
	case OP_GUARD_DEL:
	case OP_IPSEC_LOOK:
	case OP_SLEEVE_IN_DEL:
	case OP_SLEEVE_MTU:
	case OP_SLEEVE_DEL:
	case OP_SLEEVE_LANE:
	case OP_ROUTE_GET:
	case OP_ROUTE_FORGET:
	case OP_SEND_TEST:
	case OP_LINK_MTU:
	case OP_LINK_SET:
	case OP_LINK_DEL:
	case OP_REPLY:
	case OP_LOG:
	case OP_SAVE:
	case OP_REMEMBER:
	case OP_FATAL:
		break;
	}
}

void ops_init(struct ops *ops)
{
	memset(ops, 0, sizeof *ops);
}

void ops_clear(struct ops *ops)
{
	for (size_t i = 0; i < ops->n; i++) {
		op_done(&ops->v[i]);
	}
	ops->n = 0;
}

void ops_free(struct ops *ops)
{
	ops_clear(ops);
	for (size_t i = 0; i < ops->allocated; i++) {
		wbuf_free(&ops->v[i].bytes);
	}
	free(ops->v);
	ops_init(ops);
}

struct op *ops_add(struct ops *ops, enum op_type type)
{
	struct wbuf bytes = WBUF_INITIALIZER(0);
	struct op *op;

	if (ops->n == ops->allocated) {
		size_t allocated = ops->allocated ? ops->allocated * 2 : 16;
		struct op *v = xcalloc(allocated, sizeof *v);

		/* By hand, not realloc(): an op may hold a key. */
		if (ops->n) {
			memcpy(v, ops->v, ops->n * sizeof *v);
			sodium_memzero(ops->v, ops->n * sizeof *v);
		}
		free(ops->v);
		ops->v = v;
		ops->allocated = allocated;
	}
	op = &ops->v[ops->n++];
	if (type == OP_EXECUTE) {
		bytes = op->bytes;
	} else {
		wbuf_free(&op->bytes);
	}
	memset(op, 0, sizeof *op);
	op->bytes = bytes;
	op->type = type;
	return op;
}
