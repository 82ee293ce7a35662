/* fdpctl flows: the kernel's flow table, with the daemon's names for what is
 * in it.
 *
 * The kernel is read directly, flow by flow, so it helps when the daemon is
 * dead and needs no memory for many flows.  The daemon is asked once, before,
 * for all names; and for the flows where it does without the kernel's
 * datapath. */
#include "fdpctl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/openvswitch.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "openvswitch/util.h"
#include "util.h"

#include "base/jsonget.h"
#include "control/printable.h"
#include "control/reply.h"
#include "daemon.h"
#include "kmod-glue/flow_print.h"
#include "kmod-glue/odp_socket.h"
#include "netlink/nlmsg.h"

enum {
	N_PORTS = ODP_MAX_PORTS + 1,
	FLOW_MAX_TUNNELS = 64, /* Of one flow that are looked at. */
	UFID_STRLEN = 33,
	VLAN_VID_BITS = 0xfff,
	ATTRS_MAX = 65536 /* Of one flow, in each stream. */
};

struct walk {
	const struct context *ctx;
	const struct json *names; /* NULL: the daemon does not answer, */
	const char *why_no_names; /* because of this. */
	uint64_t now_ms;	  /* CLOCK_MONOTONIC */
	struct ds line;		  /* Reused from flow to flow. */
	uint64_t n_printed;
	char (*port_names)[ODP_NAME_SIZE]; /* By number; "" = none. */

	/* Filters. */
	bool by_port, by_mac;
	uint32_t port;
	struct mac mac;
	const char *peer; /* NULL = all. */
	struct ip_addr peer_ip;
	bool peer_is_ip;
};

/* A flow with what is to be said of it. */
struct seen {
	struct flow key;
	struct ip_addr tunnels[FLOW_MAX_TUNNELS]; /* Hosts it comes from or
						   * goes to. */
	size_t n_tunnels;
	uint16_t vids[FLOW_MAX_TUNNELS]; /* VLANs of the sleeve trunk. */
	size_t n_vids;
	const char *reason; /* "" = unknown */
	const char *peer;   /* By the daemon for this very flow; "" */
	const char *via;    /* Another one that passes it on; "" */
	bool ahead;	    /* Of its packets. */
};

/* ---- whom a flow sends to ------------------------------------------------ */

static void note_tunnel(struct seen *seen, const struct ip_addr *ip)
{
	size_t i;

	for (i = 0; i < seen->n_tunnels; i++) {
		if (ip_equal(&seen->tunnels[i], ip)) {
			return;
		}
	}
	if (seen->n_tunnels < FLOW_MAX_TUNNELS) {
		seen->tunnels[seen->n_tunnels++] = *ip;
	}
}

/* OVS_TUNNEL_KEY_ATTR_*: the destination. */
static void read_tunnel(struct span attrs, struct seen *seen)
{
	struct span value;
	struct ip_addr ip;
	uint16_t type;

	while (attrs.size && !nlattr_get(&attrs, &type, &value)) {
		if (type == OVS_TUNNEL_KEY_ATTR_IPV4_DST && value.size == 4) {
			ip = ip_from_v4(value.data);
			note_tunnel(seen, &ip);
		} else if (type == OVS_TUNNEL_KEY_ATTR_IPV6_DST &&
			   value.size == 16) {
			ip = ip_from_v6(value.data);
			note_tunnel(seen, &ip);
		}
	}
}

/* OVS_ACTION_ATTR_PUSH_VLAN: the VLAN stands for a host. */
static void read_push(struct span push, struct seen *seen)
{
	uint16_t tpid, tci;

	if (!span_u16(&push, &tpid) && !span_u16(&push, &tci) &&
	    seen->n_vids < FLOW_MAX_TUNNELS) {
		seen->vids[seen->n_vids++] = tci & VLAN_VID_BITS;
	}
}

/* OVS_ACTION_ATTR_SET of OVS_KEY_ATTR_TUNNEL, or a tag for the sleeve trunk;
 * 'checked': in a branch of a check of sizes.  What sends to peers in another
 * way is not made by fdp. */
static void read_actions(struct span actions, bool checked, struct seen *seen)
{
	struct span value, key;
	uint16_t type;

	while (actions.size && !nlattr_get(&actions, &type, &value)) {
		if (!checked && type == OVS_ACTION_ATTR_CHECK_PKT_LEN) {
			while (value.size && !nlattr_get(&value, &type, &key)) {
				if (type ==
				    OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_LESS_EQUAL) {
					read_actions(key, true, seen);
				}
			}
		} else if (type == OVS_ACTION_ATTR_SET && value.size &&
			   !nlattr_get(&value, &type, &key) &&
			   type == OVS_KEY_ATTR_TUNNEL) {
			read_tunnel(key, seen);
		} else if (type == OVS_ACTION_ATTR_PUSH_VLAN) {
			read_push(value, seen);
		}
	}
}

/* ---- names --------------------------------------------------------------- */

static void format_ufid(const struct odp_flow *flow, char text[UFID_STRLEN])
{
	size_t i;

	text[0] = '\0';
	for (i = 0; flow->has_ufid && i < sizeof flow->ufid.b; i++) {
		snprintf(text + 2 * i, 3, "%02x", flow->ufid.b[i]);
	}
}

/* "" if it has none. */
static const char *port_name(const struct walk *w, uint32_t port_no)
{
	const char *kernel = port_no < N_PORTS ? w->port_names[port_no] : "";
	char number[16];

	snprintf(number, sizeof number, "%" PRIu32, port_no);
	return reply_text(reply_object(w->names, "ports"), number, kernel);
}

/* By the daemon's number; "" if it has none. */
static const char *numbered_peer(const struct walk *w, int64_t peer)
{
	char number[24];

	snprintf(number, sizeof number, "%" PRId64, peer);
	return reply_text(reply_object(w->names, "peer_numbers"), number, "");
}

/* "" if the daemon knows none. */
static const char *host_name(const struct walk *w, const struct ip_addr *ip)
{
	char text[IP_STRLEN];

	return reply_text(reply_object(w->names, "peers"), ip_format(ip, text),
			  "");
}

/* "" if the daemon knows none. */
static const char *vlan_name(const struct walk *w, uint16_t vid)
{
	char number[8];

	snprintf(number, sizeof number, "%u", vid);
	return reply_text(reply_object(w->names, "vlans"), number, "");
}

/* The peers of a flow: "beta" or "beta,gamma". */
static void put_peers(struct ds *ds, const struct walk *w,
		      const struct seen *seen)
{
	const char *comma = "";
	size_t i;

	if (*seen->peer) {
		printable_put(ds, seen->peer);
		return;
	}
	for (i = 0; i < seen->n_tunnels; i++) {
		const char *name = host_name(w, &seen->tunnels[i]);
		char text[IP_STRLEN];

		ds_put_cstr(ds, comma);
		printable_put(ds, *name ? name
					: ip_format(&seen->tunnels[i], text));
		comma = ",";
	}
	for (i = 0; i < seen->n_vids; i++) {
		const char *name = vlan_name(w, seen->vids[i]);

		if (*name) {
			ds_put_cstr(ds, comma);
			printable_put(ds, name);
			comma = ",";
		}
	}
}

/* ---- filters ------------------------------------------------------------- */

static bool is_of_peer(const struct walk *w, const struct seen *seen)
{
	size_t i;

	if (!strcmp(seen->peer, w->peer) || !strcmp(seen->via, w->peer)) {
		return true;
	}
	for (i = 0; i < seen->n_tunnels; i++) {
		const struct ip_addr *ip = &seen->tunnels[i];

		if (w->peer_is_ip ? ip_equal(ip, &w->peer_ip)
				  : !strcmp(host_name(w, ip), w->peer)) {
			return true;
		}
	}
	for (i = 0; i < seen->n_vids; i++) {
		if (!strcmp(vlan_name(w, seen->vids[i]), w->peer)) {
			return true;
		}
	}
	return false;
}

static bool is_wanted(const struct walk *w, const struct seen *seen)
{
	if (w->by_port && seen->key.in_port != w->port) {
		return false;
	}
	if (w->by_mac && !mac_equal(&seen->key.eth_src, &w->mac) &&
	    !mac_equal(&seen->key.eth_dst, &w->mac)) {
		return false;
	}
	return !w->peer || is_of_peer(w, seen);
}

/* Which addresses are of peers, the daemon alone knows. */
static bool is_known_peer(const struct walk *w)
{
	const struct json *numbers = reply_object(w->names, "peer_numbers");
	struct shash_node *node;

	if (w->peer_is_ip) {
		return !w->names || *host_name(w, &w->peer_ip);
	}
	if (!numbers) {
		return false;
	}
	SHASH_FOR_EACH (node, json_object(numbers)) {
		if (!strcmp(reply_text(numbers, node->name, ""), w->peer)) {
			return true;
		}
	}
	return false;
}

/* To find no flow is an answer, but not where what was asked for is not there
 * at all.  Flows may outlive their port or peer, so they are looked for
 * first. */
static enum health judge_nothing(const struct walk *w)
{
	if (w->by_port && (w->port >= N_PORTS || !*port_name(w, w->port))) {
		return fail(w->ctx, HEALTH_REFUSED,
			    "the datapath \"%s\" has no port %" PRIu32
			    "; see fdpctl ports",
			    w->ctx->datapath, w->port);
	}
	if (w->peer && !is_known_peer(w)) {
		return fail(w->ctx, HEALTH_REFUSED,
			    "no peer has the name or address \"%.70s\"; see "
			    "fdpctl peers",
			    w->peer);
	}
	return HEALTH_GOOD;
}

/* ---- output -------------------------------------------------------------- */

static void put_text(struct walk *w, const struct odp_flow *flow,
		     const struct seen *seen)
{
	flow_print_line(&w->line, flow, w->now_ms);
	if (w->names) {
		ds_put_cstr(&w->line, "  in=");
		printable_put(&w->line, port_name(w, seen->key.in_port));
		if (*seen->peer || seen->n_tunnels || seen->n_vids) {
			ds_put_cstr(&w->line, " peer=");
			put_peers(&w->line, w, seen);
		}
		if (*seen->via) {
			ds_put_cstr(&w->line, " via=");
			printable_put(&w->line, seen->via);
		}
		ds_put_cstr(&w->line, " reason=");
		printable_put(&w->line,
			      *seen->reason ? seen->reason : "unknown");
		if (seen->ahead) {
			ds_put_cstr(&w->line, " ahead");
		}
	}
	ds_put_char(&w->line, '\n');
}

static void put_integer(struct json *object, const char *key, uint64_t value)
{
	json_object_put(object, key, json_integer_create((long long)value));
}

static void put_json(struct walk *w, const struct odp_flow *flow,
		     const struct seen *seen, const char *ufid)
{
	struct json *object = json_object_create();
	struct ds ds = DS_EMPTY_INITIALIZER;

	flow_print_line(&ds, flow, w->now_ms);
	json_object_put_string(object, "flow", ds_cstr(&ds));
	ds_clear(&ds);
	put_peers(&ds, w, seen);
	json_object_put_string(object, "peer", ds_cstr(&ds));
	ds_destroy(&ds);
	json_object_put_string(object, "via", seen->via);
	json_object_put_string(object, "ufid", ufid);
	json_object_put_string(object, "port", port_name(w, seen->key.in_port));
	json_object_put_string(object, "reason", seen->reason);
	json_object_put(object, "ahead", json_boolean_create(seen->ahead));
	put_integer(object, "in_port", seen->key.in_port);
	put_integer(object, "packets", flow->stats.packets);
	put_integer(object, "bytes", flow->stats.bytes);
	if (flow->stats.used_ms) {
		put_integer(object, "used_ms",
			    w->now_ms > flow->stats.used_ms
				    ? w->now_ms - flow->stats.used_ms
				    : 0);
	} else {
		json_object_put(object, "used_ms", json_null_create());
	}
	ds_put_cstr(&w->line, w->n_printed ? ",\n " : "[\n ");
	json_to_ds(object, JSSF_SORT, &w->line);
	json_destroy(object);
}

static void visit(const struct odp_flow *flow, void *w_)
{
	struct walk *w = w_;
	struct seen seen = {.reason = "", .peer = "", .via = ""};
	const struct json *known;
	char ufid[UFID_STRLEN];

	/* What cannot be read is shown, unless something is looked for. */
	if (odp_get_key(flow->key, &seen.key)) {
		if (w->by_port || w->by_mac || w->peer) {
			return;
		}
		memset(&seen.key, 0, sizeof seen.key);
		seen.key.in_port = UINT32_MAX;
	}
	if (seen.key.tunnel.present) {
		note_tunnel(&seen, &seen.key.tunnel.src);
	}
	read_actions(flow->actions, false, &seen);
	format_ufid(flow, ufid);
	known = reply_object(reply_object(w->names, "flows"), ufid);
	seen.reason = reply_text(known, "reason", "");
	seen.peer = numbered_peer(w, reply_number(known, "peer", -1));
	seen.via = numbered_peer(w, reply_number(known, "via", -1));
	seen.ahead = reply_flag(known, "ahead", false);
	if (!is_wanted(w, &seen)) {
		return;
	}
	ds_clear(&w->line);
	if (w->ctx->json) {
		put_json(w, flow, &seen, ufid);
	} else {
		put_text(w, flow, &seen);
	}
	fwrite(w->line.string, 1, w->line.length, stdout);
	w->n_printed++;
}

/* ---- the kernel ---------------------------------------------------------- */

static void keep_port(const struct odp_vport *vport, void *w_)
{
	struct walk *w = w_;

	if (vport->port_no < N_PORTS) {
		ovs_strlcpy(w->port_names[vport->port_no], vport->name,
			    ODP_NAME_SIZE);
	}
}

/* False if the datapath has no port of that number or name. */
static bool find_port(struct walk *w, const struct json *wanted)
{
	uint32_t i;

	w->by_port = true;
	if (wanted->type == JSON_INTEGER) {
		w->port = (uint32_t)json_integer(wanted);
		return true;
	}
	for (i = 0; i < N_PORTS; i++) {
		if (w->port_names[i][0] &&
		    !strcmp(port_name(w, i), json_string(wanted))) {
			w->port = i;
			return true;
		}
	}
	for (i = 0; i < N_PORTS; i++) {
		if (!strcmp(w->port_names[i], json_string(wanted))) {
			w->port = i;
			return true;
		}
	}
	return false;
}

static enum health kernel_failure(const struct context *ctx,
				  const struct odp *odp, int error)
{
	const char *detail = odp ? odp_detail(odp) : "";

	if (error == ENODEV) {
		return fail(ctx, HEALTH_DOWN,
			    "there is no datapath \"%s\" in this network "
			    "namespace; start fdpd, or name it with "
			    "--datapath",
			    ctx->datapath);
	}
	if (error == ENOENT && !odp) {
		return fail(ctx, HEALTH_DOWN,
			    "the kernel module openvswitch is not loaded, and "
			    "no fdpd answers that would have flows of its "
			    "own; start it");
	}
	return fail(ctx, HEALTH_REFUSED, "cannot read the datapath: %s%s%s",
		    ovs_strerror(error), *detail ? ": " : "", detail);
}

/* What every way of getting at flows begins with. */
static enum health begin(struct walk *w, const struct json *args)
{
	const struct context *ctx = w->ctx;
	const struct json *port = jsonget(args, "port");
	struct timespec now;

	if (port && !find_port(w, port)) {
		return fail(ctx, HEALTH_REFUSED,
			    "the datapath \"%s\" has no port \"%s\"; see "
			    "fdpctl ports",
			    ctx->datapath, json_string(port));
	}
	if (!w->names) {
		fprintf(stderr, "fdpctl: without names: %s\n", w->why_no_names);
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	w->now_ms = (uint64_t)now.tv_sec * 1000 +
		    (uint64_t)now.tv_nsec / (1000 * 1000);
	return HEALTH_GOOD;
}

static enum health end(const struct walk *w)
{
	enum health health = w->n_printed ? HEALTH_GOOD : judge_nothing(w);

	if (health) {
		return health;
	}
	if (w->ctx->json) {
		fputs(w->n_printed ? "\n]\n" : "[]\n", stdout);
	}
	if (fflush(stdout) || ferror(stdout)) {
		return fail(w->ctx, HEALTH_REFUSED, "cannot write: %s",
			    ovs_strerror(errno));
	}
	return HEALTH_GOOD;
}

static enum health print_flows(struct walk *w, struct odp *odp,
			       const struct json *args)
{
	const struct context *ctx = w->ctx;
	struct odp_datapath datapath;
	enum health health;
	int error;

	error = odp_dp_get(odp, ctx->datapath, &datapath);
	if (!error) {
		error = odp_vport_list(odp, datapath.ifindex, keep_port, w);
	}
	if (error) {
		return kernel_failure(ctx, odp, error);
	}
	health = begin(w, args);
	if (health) {
		return health;
	}
	error = odp_flow_dump(odp, datapath.ifindex, false, visit, w);
	health = error && !w->n_printed ? HEALTH_GOOD : end(w);
	return health  ? health
	       : error ? kernel_failure(ctx, odp, error)
		       : HEALTH_GOOD;
}

/* ---- a datapath in the daemon -------------------------------------------- */

static struct span read_hex(const struct json *flow, const char *key,
			    void *bytes_, size_t max)
{
	uint8_t *bytes = bytes_;
	const char *text = reply_text(flow, key, "");
	struct span span = {bytes, 0};
	bool ok = true;

	while (span.size < max && text[0] && text[1] && ok) {
		bytes[span.size++] = (uint8_t)hexits_value(text, 2, &ok);
		text += 2;
	}
	return span;
}

static void visit_own(struct walk *w, const struct json *json)
{
	/* Aligned as Netlink attributes are. */
	static uint32_t bytes[3][ATTRS_MAX / sizeof(uint32_t)];
	int64_t used = reply_number(json, "used_ms", -1);
	struct odp_flow flow = {
		.has_ufid = true,
		.key = read_hex(json, "key", bytes[0], ATTRS_MAX),
		.mask = read_hex(json, "mask", bytes[1], ATTRS_MAX),
		.actions = read_hex(json, "actions", bytes[2], ATTRS_MAX),
	};

	(void)read_hex(json, "ufid", flow.ufid.b, sizeof flow.ufid.b);
	flow.stats.packets = (uint64_t)reply_number(json, "packets", 0);
	flow.stats.bytes = (uint64_t)reply_number(json, "bytes", 0);
	flow.stats.used_ms = used < 0 ? 0 : w->now_ms - (uint64_t)used;
	visit(&flow, w);
}

static void keep_names(struct walk *w)
{
	struct shash_node *node;
	const struct json *ports = reply_object(w->names, "ports");

	if (!ports) {
		return;
	}
	SHASH_FOR_EACH (node, json_object(ports)) {
		const struct json *name = node->data;
		unsigned int port_no;

		if (str_to_uint(node->name, 10, &port_no) &&
		    port_no < N_PORTS && name->type == JSON_STRING) {
			ovs_strlcpy(w->port_names[port_no], json_string(name),
				    ODP_NAME_SIZE);
		}
	}
}

/* True if there is a daemon that does without the kernel's datapath; '*flows'
 * are its. */
static bool ask_daemon(const struct walk *w, struct json **flows)
{
	char *error = NULL;

	if (w->names &&
	    !daemon_call(w->ctx->run_dir, CONTROL_FLOWS, NULL, flows, &error)) {
		return true;
	}
	free(error);
	return false;
}

static enum health print_own(struct walk *w, const struct json *reply,
			     const struct json *args)
{
	struct json *const *flow;
	enum health health;
	size_t n, i;

	keep_names(w);
	health = begin(w, args);
	if (health) {
		return health;
	}
	flow = reply_array(reply, "flows", &n);
	for (i = 0; i < n; i++) {
		visit_own(w, flow[i]);
	}
	return end(w);
}

static enum health walk_flows(struct walk *w, const struct json *args)
{
	const char *mac = reply_text(args, "mac", NULL);
	struct json *flows;
	enum health health;
	struct odp *odp;
	int error;

	w->by_mac = mac && !mac_parse(mac, &w->mac);
	w->peer = reply_text(args, "peer", NULL);
	w->peer_is_ip = w->peer && !ip_addr_parse(w->peer, &w->peer_ip);
	if (w->peer && !w->peer_is_ip && !w->names) {
		return fail(w->ctx, HEALTH_REFUSED,
			    "without the daemon peers have no names; give the "
			    "address of %s",
			    w->peer);
	}
	if (ask_daemon(w, &flows)) {
		health = print_own(w, flows, args);
		json_destroy(flows);
		return health;
	}
	error = odp_open(&odp);
	if (error) {
		return kernel_failure(w->ctx, NULL, error);
	}
	health = print_flows(w, odp, args);
	odp_close(odp);
	return health;
}

enum health run_flows(const struct context *ctx, const struct json *args)
{
	struct walk w = {.ctx = ctx, .line = DS_EMPTY_INITIALIZER};
	struct json *names = NULL;
	enum health health;
	char *error = NULL;

	health = daemon_enter_netns_if_any(ctx->run_dir, &error);
	if (health) {
		fail(ctx, health, "%s", error);
		free(error);
		return health;
	}
	if (daemon_call(ctx->run_dir, CONTROL_NAMES, NULL, &names, &error)) {
		w.why_no_names = error;
	}
	w.names = names;
	w.port_names = xcalloc(N_PORTS, sizeof *w.port_names);
	health = walk_flows(&w, args);
	free(w.port_names);
	ds_destroy(&w.line);
	json_destroy(names);
	free(error);
	return health;
}
