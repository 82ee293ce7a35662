#include "netlink/odp.h"

#include <string.h>

#include <linux/genetlink.h>
#include <linux/openvswitch.h>

#include "netlink/nlmsg.h"

const char *odp_family_name(enum odp_family family)
{
	switch (family) {
	case ODP_DATAPATH:
		return OVS_DATAPATH_FAMILY;
	case ODP_VPORT:
		return OVS_VPORT_FAMILY;
	case ODP_FLOW:
		return OVS_FLOW_FAMILY;
	case ODP_PACKET:
		return OVS_PACKET_FAMILY;
	case N_ODP_FAMILIES:
		break;
	}
	return "";
}

/* ---- requests --------------------------------------------------------- */

static void put_u32(struct wbuf *b, uint16_t type, uint32_t value)
{
	nlattr_put(b, type, &value, sizeof value);
}

static void put_string(struct wbuf *b, uint16_t type, const char *s)
{
	nlattr_put(b, type, s, strlen(s) + 1);
}

static size_t begin(struct wbuf *b, uint16_t family, uint16_t flags,
		    uint32_t seq, uint8_t cmd, uint8_t version)
{
	struct genlmsghdr genl = {.cmd = cmd, .version = version};
	size_t start = nlmsg_begin(b, family, flags, seq);

	nlmsg_put_fixed(b, &genl, sizeof genl);
	return start;
}

static size_t begin_ovs(struct wbuf *b, uint16_t family, uint16_t flags,
			uint32_t seq, uint8_t cmd, uint8_t version,
			uint32_t dp_ifindex)
{
	struct ovs_header ovs = {.dp_ifindex = (int)dp_ifindex};
	size_t start = begin(b, family, flags, seq, cmd, version);

	nlmsg_put_fixed(b, &ovs, sizeof ovs);
	return start;
}

void odp_put_getfamily(struct wbuf *b, uint32_t seq, const char *name)
{
	size_t start =
		begin(b, GENL_ID_CTRL, NLM_F_ACK, seq, CTRL_CMD_GETFAMILY, 1);

	put_string(b, CTRL_ATTR_FAMILY_NAME, name);
	nlmsg_end(b, start);
}

/* Datapaths are named, not numbered, in requests. */
static size_t begin_dp(struct wbuf *b, uint16_t family, uint16_t flags,
		       uint32_t seq, uint8_t cmd, const char *name)
{
	size_t start =
		begin_ovs(b, family, flags, seq, cmd, OVS_DATAPATH_VERSION, 0);

	if (name) {
		put_string(b, OVS_DP_ATTR_NAME, name);
	}
	return start;
}

void odp_put_dp_new(struct wbuf *b, uint16_t family, uint32_t seq,
		    uint16_t flags, const char *name, uint32_t features)
{
	size_t start = begin_dp(b, family, flags, seq, OVS_DP_CMD_NEW, name);

	put_u32(b, OVS_DP_ATTR_UPCALL_PID, 0);
	put_u32(b, OVS_DP_ATTR_USER_FEATURES, features);
	nlmsg_end(b, start);
}

void odp_put_dp_set(struct wbuf *b, uint16_t family, uint32_t seq,
		    uint16_t flags, const char *name, uint32_t features,
		    const uint32_t *cpu_pids, size_t n_pids)
{
	size_t start = begin_dp(b, family, flags, seq, OVS_DP_CMD_SET, name);

	put_u32(b, OVS_DP_ATTR_USER_FEATURES, features);
	if (n_pids) {
		nlattr_put(b, OVS_DP_ATTR_PER_CPU_PIDS, cpu_pids,
			   n_pids * sizeof *cpu_pids);
	}
	nlmsg_end(b, start);
}

void odp_put_dp_get(struct wbuf *b, uint16_t family, uint32_t seq,
		    uint16_t flags, const char *name)
{
	nlmsg_end(b, begin_dp(b, family, flags, seq, OVS_DP_CMD_GET, name));
}

void odp_put_dp_del(struct wbuf *b, uint16_t family, uint32_t seq,
		    uint16_t flags, const char *name)
{
	nlmsg_end(b, begin_dp(b, family, flags, seq, OVS_DP_CMD_DEL, name));
}

static uint32_t kernel_vport_type(enum odp_vport_type type)
{
	switch (type) {
	case ODP_VPORT_NETDEV:
	case ODP_VPORT_TAP:
		return OVS_VPORT_TYPE_NETDEV;
	case ODP_VPORT_INTERNAL:
		return OVS_VPORT_TYPE_INTERNAL;
	case ODP_VPORT_VXLAN:
		return OVS_VPORT_TYPE_VXLAN;
	case ODP_VPORT_SLEEVE:
		break;
	}
	return OVS_VPORT_TYPE_UNSPEC;
}

void odp_put_vport_new(struct wbuf *b, uint16_t family, uint32_t seq,
		       uint16_t flags, const struct odp_vport *vport)
{
	size_t start = begin_ovs(b, family, flags, seq, OVS_VPORT_CMD_NEW,
				 OVS_VPORT_VERSION, vport->dp_ifindex);

	put_string(b, OVS_VPORT_ATTR_NAME, vport->name);
	put_u32(b, OVS_VPORT_ATTR_TYPE, kernel_vport_type(vport->type));
	put_u32(b, OVS_VPORT_ATTR_UPCALL_PID, vport->upcall_pid);
	if (vport->port_no != UINT32_MAX) {
		put_u32(b, OVS_VPORT_ATTR_PORT_NO, vport->port_no);
	}
	if (vport->type == ODP_VPORT_VXLAN) {
		size_t nest = nlattr_nest(b, OVS_VPORT_ATTR_OPTIONS);

		/* In host byte order (net/openvswitch/vport-vxlan.c). */
		nlattr_put(b, OVS_TUNNEL_ATTR_DST_PORT, &vport->udp_port,
			   sizeof vport->udp_port);
		nlattr_nest_end(b, nest);
	}
	nlmsg_end(b, start);
}

void odp_put_vport_set_pid(struct wbuf *b, uint16_t family, uint32_t seq,
			   uint16_t flags, uint32_t dp_ifindex,
			   uint32_t port_no, uint32_t pid)
{
	size_t start = begin_ovs(b, family, flags, seq, OVS_VPORT_CMD_SET,
				 OVS_VPORT_VERSION, dp_ifindex);

	put_u32(b, OVS_VPORT_ATTR_PORT_NO, port_no);
	put_u32(b, OVS_VPORT_ATTR_UPCALL_PID, pid);
	nlmsg_end(b, start);
}

void odp_put_vport_get(struct wbuf *b, uint16_t family, uint32_t seq,
		       uint16_t flags, uint32_t dp_ifindex, const char *name,
		       uint32_t port_no)
{
	size_t start = begin_ovs(b, family, flags, seq, OVS_VPORT_CMD_GET,
				 OVS_VPORT_VERSION, dp_ifindex);

	if (name) {
		put_string(b, OVS_VPORT_ATTR_NAME, name);
	} else {
		put_u32(b, OVS_VPORT_ATTR_PORT_NO, port_no);
	}
	nlmsg_end(b, start);
}

void odp_put_vport_del(struct wbuf *b, uint16_t family, uint32_t seq,
		       uint16_t flags, uint32_t dp_ifindex, uint32_t port_no)
{
	size_t start = begin_ovs(b, family, flags, seq, OVS_VPORT_CMD_DEL,
				 OVS_VPORT_VERSION, dp_ifindex);

	put_u32(b, OVS_VPORT_ATTR_PORT_NO, port_no);
	nlmsg_end(b, start);
}

static void put_ufid(struct wbuf *b, const struct ufid *ufid)
{
	nlattr_put(b, OVS_FLOW_ATTR_UFID, ufid->b, sizeof ufid->b);
}

static void put_actions(struct wbuf *b, uint16_t type, const struct actions *as)
{
	size_t nest = nlattr_nest(b, type);

	odp_put_action_attrs(b, as);
	nlattr_nest_end(b, nest);
}

void odp_put_flow(struct wbuf *b, uint16_t family, uint32_t seq, uint16_t flags,
		  uint32_t dp_ifindex, const struct ufid *ufid,
		  const struct flow *key, const struct flow *mask,
		  const struct actions *actions)
{
	size_t start =
		begin_ovs(b, family, (uint16_t)(flags | NLM_F_CREATE), seq,
			  OVS_FLOW_CMD_NEW, OVS_FLOW_VERSION, dp_ifindex);
	size_t nest;

	put_ufid(b, ufid);
	nest = nlattr_nest(b, OVS_FLOW_ATTR_KEY);
	odp_put_key_attrs(b, key);
	nlattr_nest_end(b, nest);
	nest = nlattr_nest(b, OVS_FLOW_ATTR_MASK);
	odp_put_mask_attrs(b, key, mask);
	nlattr_nest_end(b, nest);
	put_actions(b, OVS_FLOW_ATTR_ACTIONS, actions);
	nlmsg_end(b, start);
}

enum err odp_put_flow_other(struct wbuf *b, uint32_t seq, struct span put)
{
	struct nlmsghdr nlh;
	struct genlmsghdr genl;
	struct span rest;
	size_t start;
	bool add;
	enum err err = nlmsg_read(put, &nlh, &rest);

	if (!err) {
		err = nlmsg_get_fixed(&rest, &genl, sizeof genl);
	}
	if (!err && genl.cmd != OVS_FLOW_CMD_NEW &&
	    genl.cmd != OVS_FLOW_CMD_SET) {
		err = ERR_MALFORMED;
	}
	if (err) {
		return err;
	}
	add = genl.cmd == OVS_FLOW_CMD_SET;
	start = begin(b, nlh.nlmsg_type,
		      (uint16_t)((nlh.nlmsg_flags & ~NLM_F_CREATE) |
				 (add ? NLM_F_CREATE : 0)),
		      seq, add ? OVS_FLOW_CMD_NEW : OVS_FLOW_CMD_SET,
		      OVS_FLOW_VERSION);
	wbuf_bytes(b, rest.data, rest.size);
	nlmsg_end(b, start);
	return FDP_OK;
}

void odp_put_flow_del(struct wbuf *b, uint16_t family, uint32_t seq,
		      uint16_t flags, uint32_t dp_ifindex,
		      const struct ufid *ufid)
{
	size_t start = begin_ovs(b, family, flags, seq, OVS_FLOW_CMD_DEL,
				 OVS_FLOW_VERSION, dp_ifindex);

	put_ufid(b, ufid);
	/* The answer, where one is wanted, need not repeat the flow. */
	put_u32(b, OVS_FLOW_ATTR_UFID_FLAGS,
		OVS_UFID_F_OMIT_KEY | OVS_UFID_F_OMIT_MASK |
			OVS_UFID_F_OMIT_ACTIONS);
	nlmsg_end(b, start);
}

void odp_put_flow_flush(struct wbuf *b, uint16_t family, uint32_t seq,
			uint16_t flags, uint32_t dp_ifindex)
{
	nlmsg_end(b, begin_ovs(b, family, flags, seq, OVS_FLOW_CMD_DEL,
			       OVS_FLOW_VERSION, dp_ifindex));
}

void odp_put_flow_dump(struct wbuf *b, uint16_t family, uint32_t seq,
		       uint32_t dp_ifindex, bool terse)
{
	size_t start = begin_ovs(b, family, NLM_F_DUMP, seq, OVS_FLOW_CMD_GET,
				 OVS_FLOW_VERSION, dp_ifindex);

	if (terse) {
		put_u32(b, OVS_FLOW_ATTR_UFID_FLAGS,
			OVS_UFID_F_OMIT_KEY | OVS_UFID_F_OMIT_MASK |
				OVS_UFID_F_OMIT_ACTIONS);
	}
	nlmsg_end(b, start);
}

void odp_put_execute(struct wbuf *b, uint16_t family, uint32_t seq,
		     uint16_t flags, uint32_t dp_ifindex,
		     const struct flow *key, struct span packet,
		     const struct actions *actions)
{
	size_t start = begin_ovs(b, family, flags, seq, OVS_PACKET_CMD_EXECUTE,
				 OVS_PACKET_VERSION, dp_ifindex);
	size_t nest;

	nlattr_put(b, OVS_PACKET_ATTR_PACKET, packet.data, packet.size);
	nest = nlattr_nest(b, OVS_PACKET_ATTR_KEY);
	odp_put_metadata_attrs(b, key);
	nlattr_nest_end(b, nest);
	put_actions(b, OVS_PACKET_ATTR_ACTIONS, actions);
	nlmsg_end(b, start);
}

/* ---- answers ---------------------------------------------------------- */

static enum err get_fixed(struct span value, void *to, size_t size)
{
	return value.size == size ? span_bytes(&value, to, size)
				  : ERR_MALFORMED;
}

/* A string that ends within its attribute. */
static enum err get_string(struct span value, char *to, size_t size)
{
	const uint8_t *end = NULL;
	size_t length;

	if (value.size) {
		end = memchr(value.data, '\0', value.size);
	}
	if (!end) {
		return ERR_MALFORMED;
	}
	length = (size_t)(end - value.data);
	if (length >= size) {
		return ERR_OVERSIZED;
	}
	memset(to, 0, size);
	memcpy(to, value.data, length);
	return FDP_OK;
}

/* Cuts the Netlink and Generic Netlink headers off. */
static enum err open_genl(struct span msg, uint8_t *cmd, struct span *attrs)
{
	struct nlmsghdr nlh;
	struct genlmsghdr genl;
	enum err err = nlmsg_read(msg, &nlh, attrs);

	if (!err) {
		err = nlmsg_get_fixed(attrs, &genl, sizeof genl);
	}
	if (!err) {
		*cmd = genl.cmd;
	}
	return err;
}

static enum err open_ovs(struct span msg, uint8_t *cmd, uint32_t *dp_ifindex,
			 struct span *attrs)
{
	struct ovs_header ovs;
	enum err err = open_genl(msg, cmd, attrs);

	if (!err) {
		err = nlmsg_get_fixed(attrs, &ovs, sizeof ovs);
	}
	if (!err) {
		*dp_ifindex = (uint32_t)ovs.dp_ifindex;
	}
	return err;
}

/* The id in one element of CTRL_ATTR_MCAST_GROUPS. */
static enum err get_group(struct span attrs, uint32_t *group)
{
	while (attrs.size) {
		struct span value;
		uint16_t type;
		enum err err = nlattr_get(&attrs, &type, &value);

		if (!err && type == CTRL_ATTR_MCAST_GRP_ID) {
			err = get_fixed(value, group, sizeof *group);
		}
		if (err) {
			return err;
		}
	}
	return FDP_OK;
}

static enum err get_first_group(struct span groups, uint32_t *group)
{
	struct span value;
	uint16_t type;
	enum err err;

	if (!groups.size) {
		return FDP_OK;
	}
	err = nlattr_get(&groups, &type, &value);
	return err ? err : get_group(value, group);
}

enum err odp_get_family(struct span msg, uint16_t *id, uint32_t *mcast_group)
{
	uint32_t group = 0;
	uint16_t family = 0;
	struct span attrs;
	uint8_t cmd;
	enum err err = open_genl(msg, &cmd, &attrs);

	while (!err && attrs.size) {
		struct span value;
		uint16_t type;

		err = nlattr_get(&attrs, &type, &value);
		if (err) {
			break;
		}
		if (type == CTRL_ATTR_FAMILY_ID) {
			err = get_fixed(value, &family, sizeof family);
		} else if (type == CTRL_ATTR_MCAST_GROUPS) {
			err = get_first_group(value, &group);
		}
	}
	if (!err && !family) {
		err = ERR_MALFORMED;
	}
	if (!err) {
		*id = family;
		*mcast_group = group;
	}
	return err;
}

static enum err get_dp_attr(uint16_t type, struct span value,
			    struct odp_datapath *dp)
{
	struct ovs_dp_stats stats;
	enum err err;

	switch (type) {
	case OVS_DP_ATTR_NAME:
		return get_string(value, dp->name, sizeof dp->name);
	case OVS_DP_ATTR_USER_FEATURES:
		return get_fixed(value, &dp->features, sizeof dp->features);
	case OVS_DP_ATTR_STATS:
		err = get_fixed(value, &stats, sizeof stats);
		if (!err) {
			dp->hits = stats.n_hit;
			dp->misses = stats.n_missed;
			dp->lost = stats.n_lost;
			dp->flows = stats.n_flows;
		}
		return err;
	default:
		return FDP_OK;
	}
}

enum err odp_get_datapath(struct span msg, struct odp_datapath *datapath)
{
	struct odp_datapath dp = {0};
	struct span attrs;
	uint8_t cmd;
	enum err err = open_ovs(msg, &cmd, &dp.ifindex, &attrs);

	while (!err && attrs.size) {
		struct span value;
		uint16_t type;

		err = nlattr_get(&attrs, &type, &value);
		if (!err) {
			err = get_dp_attr(type, value, &dp);
		}
	}
	if (!err && !dp.name[0]) {
		err = ERR_MALFORMED;
	}
	if (!err) {
		*datapath = dp;
	}
	return err;
}

static enum err get_vport_type(struct span value, enum odp_vport_type *type)
{
	uint32_t number;
	enum err err = get_fixed(value, &number, sizeof number);

	if (err) {
		return err;
	}
	switch (number) {
	case OVS_VPORT_TYPE_NETDEV:
		*type = ODP_VPORT_NETDEV;
		return FDP_OK;
	case OVS_VPORT_TYPE_INTERNAL:
		*type = ODP_VPORT_INTERNAL;
		return FDP_OK;
	case OVS_VPORT_TYPE_VXLAN:
		*type = ODP_VPORT_VXLAN;
		return FDP_OK;
	default:
		return ERR_UNSUPPORTED;
	}
}

static enum err get_tunnel_options(struct span attrs, uint16_t *udp_port)
{
	while (attrs.size) {
		struct span value;
		uint16_t type;
		enum err err = nlattr_get(&attrs, &type, &value);

		if (!err && type == OVS_TUNNEL_ATTR_DST_PORT) {
			err = get_fixed(value, udp_port, sizeof *udp_port);
		}
		if (err) {
			return err;
		}
	}
	return FDP_OK;
}

static enum err get_vport_attr(uint16_t type, struct span value,
			       struct odp_vport *vport)
{
	struct ovs_vport_stats stats;
	enum err err;

	switch (type) {
	case OVS_VPORT_ATTR_PORT_NO:
		return get_fixed(value, &vport->port_no, sizeof vport->port_no);
	case OVS_VPORT_ATTR_TYPE:
		return get_vport_type(value, &vport->type);
	case OVS_VPORT_ATTR_NAME:
		return get_string(value, vport->name, sizeof vport->name);
	case OVS_VPORT_ATTR_OPTIONS:
		return get_tunnel_options(value, &vport->udp_port);
	case OVS_VPORT_ATTR_UPCALL_PID:
		/* An array; one element is all that we ever set. */
		return span_bytes(&value, &vport->upcall_pid,
				  sizeof vport->upcall_pid);
	case OVS_VPORT_ATTR_IFINDEX:
		return get_fixed(value, &vport->ifindex, sizeof vport->ifindex);
	case OVS_VPORT_ATTR_STATS:
		/* The struct may grow. */
		err = span_bytes(&value, &stats, sizeof stats);
		if (!err) {
			vport->rx_packets = stats.rx_packets;
			vport->tx_packets = stats.tx_packets;
			vport->rx_bytes = stats.rx_bytes;
			vport->tx_bytes = stats.tx_bytes;
		}
		return err;
	default:
		return FDP_OK;
	}
}

enum err odp_get_vport(struct span msg, struct odp_vport *vport)
{
	struct odp_vport v = {.port_no = UINT32_MAX};
	struct span attrs;
	uint8_t cmd;
	enum err err = open_ovs(msg, &cmd, &v.dp_ifindex, &attrs);

	while (!err && attrs.size) {
		struct span value;
		uint16_t type;

		err = nlattr_get(&attrs, &type, &value);
		if (!err) {
			err = get_vport_attr(type, value, &v);
		}
	}
	if (!err && (v.port_no == UINT32_MAX || !v.name[0])) {
		err = ERR_MALFORMED;
	}
	if (!err) {
		*vport = v;
	}
	return err;
}

static enum err get_flow_attr(uint16_t type, struct span value,
			      struct odp_flow *flow)
{
	struct ovs_flow_stats stats;
	enum err err;

	switch (type) {
	case OVS_FLOW_ATTR_UFID:
		/* Others may use shorter ones; they are not ours then. */
		if (value.size != sizeof flow->ufid.b) {
			return FDP_OK;
		}
		flow->has_ufid = true;
		return get_fixed(value, flow->ufid.b, sizeof flow->ufid.b);
	case OVS_FLOW_ATTR_KEY:
		flow->key = value;
		return FDP_OK;
	case OVS_FLOW_ATTR_MASK:
		flow->mask = value;
		return FDP_OK;
	case OVS_FLOW_ATTR_ACTIONS:
		flow->actions = value;
		return FDP_OK;
	case OVS_FLOW_ATTR_STATS:
		err = get_fixed(value, &stats, sizeof stats);
		if (!err) {
			flow->stats.packets = stats.n_packets;
			flow->stats.bytes = stats.n_bytes;
		}
		return err;
	case OVS_FLOW_ATTR_USED:
		return get_fixed(value, &flow->stats.used_ms,
				 sizeof flow->stats.used_ms);
	case OVS_FLOW_ATTR_TCP_FLAGS:
		return get_fixed(value, &flow->stats.tcp_flags,
				 sizeof flow->stats.tcp_flags);
	default:
		return FDP_OK;
	}
}

enum err odp_get_flow(struct span msg, struct odp_flow *flow)
{
	struct odp_flow f = {0};
	struct span attrs;
	uint8_t cmd;
	enum err err = open_ovs(msg, &cmd, &f.dp_ifindex, &attrs);

	while (!err && attrs.size) {
		struct span value;
		uint16_t type;

		err = nlattr_get(&attrs, &type, &value);
		if (!err) {
			err = get_flow_attr(type, value, &f);
		}
	}
	if (!err) {
		*flow = f;
	}
	return err;
}

static void get_upcall_attr(uint16_t type, struct span value,
			    struct odp_upcall *upcall)
{
	switch (type) {
	case OVS_PACKET_ATTR_KEY:
		upcall->key = value;
		break;
	case OVS_PACKET_ATTR_PACKET:
		upcall->packet = value;
		break;
	case OVS_PACKET_ATTR_USERDATA:
		upcall->userdata = value;
		break;
	default:
		break;
	}
}

enum err odp_get_upcall(struct span msg, struct odp_upcall *upcall)
{
	struct odp_upcall u;
	struct span attrs;
	uint8_t cmd;
	enum err err;

	memset(&u, 0, sizeof u);
	err = open_ovs(msg, &cmd, &u.dp_ifindex, &attrs);
	if (err) {
		return err;
	}
	if (cmd != OVS_PACKET_CMD_MISS && cmd != OVS_PACKET_CMD_ACTION) {
		return ERR_MALFORMED;
	}
	u.miss = cmd == OVS_PACKET_CMD_MISS;
	while (attrs.size) {
		struct span value;
		uint16_t type;

		err = nlattr_get(&attrs, &type, &value);
		if (err) {
			return err;
		}
		get_upcall_attr(type, value, &u);
	}
	if (!u.key.size || !u.packet.size) {
		return ERR_MALFORMED;
	}
	if (!u.miss &&
	    !odp_get_check_cookie(u.userdata, &u.check_size, &u.check_peer)) {
		u.check_size = 0;
	}
	err = odp_get_key(u.key, &u.flow);
	if (!err) {
		*upcall = u;
	}
	return err;
}
