/* fdpctl sas: our IPsec state as the kernel has it. */
#include "fdpctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "openvswitch/json.h"
#include "openvswitch/util.h"
#include "util.h"

#include "control/reply.h"
#include "daemon.h"
#include "ipsec/policy.h"
#include "kmod-glue/xfrm_socket.h"
#include "selector.h"

struct dump {
	struct xfrm_sa *sas;
	size_t n_sas, allocated_sas;
	struct xfrm_policy *policies;
	size_t n_policies, allocated_policies;
};

static void keep_sa(void *dump_, const struct xfrm_sa *sa)
{
	struct dump *dump = dump_;

	if (dump->n_sas == dump->allocated_sas) {
		dump->sas = x2nrealloc(dump->sas, &dump->allocated_sas,
				       sizeof *dump->sas);
	}
	dump->sas[dump->n_sas++] = *sa;
}

static void keep_policy(void *dump_, const struct xfrm_policy *policy)
{
	struct dump *dump = dump_;

	if (dump->n_policies == dump->allocated_policies) {
		dump->policies =
			x2nrealloc(dump->policies, &dump->allocated_policies,
				   sizeof *dump->policies);
	}
	dump->policies[dump->n_policies++] = *policy;
}

/* By peer, then direction, then SPI. */
static int compare_sas(const void *a_, const void *b_)
{
	const struct xfrm_sa *a = a_, *b = b_;

	if (a->reqid != b->reqid) {
		return a->reqid < b->reqid ? -1 : 1;
	}
	if (!ip_equal(&a->dst, &b->dst)) {
		return ip_compare(&a->dst, &b->dst);
	}
	return a->spi < b->spi ? -1 : a->spi > b->spi;
}

/* What protects most comes last. */
static int compare_policies(const void *a_, const void *b_)
{
	const struct xfrm_policy *a = a_, *b = b_;

	if (a->priority != b->priority) {
		return a->priority < b->priority ? -1 : 1;
	}
	if (a->reqid != b->reqid) {
		return a->reqid < b->reqid ? -1 : 1;
	}
	return (int)a->dir - (int)b->dir;
}

static const char *direction_name(enum xfrm_dir dir)
{
	return dir == XFRM_DIR_IN ? "in" : "out";
}

/* An SA does not say which way it goes; the policy of the same peer does. */
static const char *direction_of(const struct dump *dump,
				const struct xfrm_sa *sa)
{
	size_t i;

	for (i = 0; i < dump->n_policies; i++) {
		const struct xfrm_policy *p = &dump->policies[i];

		if (!p->block &&
		    (p->plain ? ip_equal(&p->src, &sa->src)
			      : p->reqid == sa->reqid) &&
		    ip_equal(&p->dst, &sa->dst)) {
			return direction_name(p->dir);
		}
	}
	return "";
}

static const struct json *peer_of(const struct json *names, uint32_t reqid)
{
	struct json *const *peer;
	size_t n, i;

	peer = reply_array(names, "peers", &n);
	for (i = 0; i < n; i++) {
		if (reply_number(peer[i], "reqid", 0) == reqid) {
			return peer[i];
		}
	}
	return NULL;
}

/* The lane of an SA (datapath/lane.h), -1 if that cannot be told: our policies
 * say it of the outbound ones in use, the daemon also of the inbound ones. */
static int lane_of(const struct dump *dump, const struct xfrm_sa *sa,
		   const struct json *names)
{
	struct json *const *lane;
	size_t n, i;

	for (i = 0; i < dump->n_policies; i++) {
		const struct xfrm_policy *p = &dump->policies[i];

		if (!p->block && p->dir == XFRM_DIR_OUT && p->spi == sa->spi &&
		    ip_equal(&p->dst, &sa->dst)) {
			return (int)policy_lane(p);
		}
	}
	lane = reply_array(peer_of(names, sa->reqid), "lanes", &n);
	for (i = 0; i < n; i++) {
		if (reply_number(lane[i], "spi_in", 0) == sa->spi) {
			return (int)i;
		}
	}
	return -1;
}

static void put_number(struct json *object, const char *key, uint64_t value)
{
	json_object_put(object, key, json_integer_create((long long)value));
}

static void put_peer(struct json *object, const struct json *names,
		     uint32_t reqid)
{
	const struct json *peer = reqid ? peer_of(names, reqid) : NULL;

	json_object_put_string(object, "peer", reply_text(peer, "id", ""));
	json_object_put_string(object, "name", reply_text(peer, "name", ""));
}

static struct json *sa_to_json(const struct dump *dump,
			       const struct xfrm_sa *sa,
			       const struct json *names)
{
	struct json *object = json_object_create();
	uint64_t now = (uint64_t)time(NULL);
	const char *direction = direction_of(dump, sa);
	char buf[IP_STRLEN];

	json_object_put_string(object, "direction", direction);
	json_object_put_string(object, "src", ip_format(&sa->src, buf));
	json_object_put_string(object, "dst", ip_format(&sa->dst, buf));
	put_peer(object, names, sa->reqid);
	put_number(object, "spi", sa->spi);
	put_number(object, "reqid", sa->reqid);
	json_object_put(object, "lane",
			json_integer_create(lane_of(dump, sa, names)));
	put_number(object, "bytes", sa->bytes);
	put_number(object, "packets", sa->packets);
	put_number(object, "sequence",
		   sa->seq_out > sa->seq_in ? sa->seq_out : sa->seq_in);
	put_number(object, "replay", sa->replay_window);
	put_number(object, "replay_errors", sa->replay_errors);
	put_number(object, "integrity_errors", sa->integrity_errors);
	/* The wall clock may have been set back. */
	put_number(object, "age", now > sa->add_time ? now - sa->add_time : 0);
	return object;
}

static struct json *policy_to_json(const struct xfrm_policy *p,
				   const struct json *names)
{
	struct json *object = json_object_create();
	char buf[IP_STRLEN];

	json_object_put_string(object, "direction", direction_name(p->dir));
	json_object_put_string(object, "family", p->v6 ? "ipv6" : "ipv4");
	json_object_put_string(object, "src",
			       selector_format(p->v6, &p->src, buf));
	json_object_put_string(object, "dst",
			       selector_format(p->v6, &p->dst, buf));
	json_object_put_string(object, "action",
			       p->block	  ? "block"
			       : p->plain ? "plain"
					  : "require-esp");
	put_number(object, "udp_port", p->udp_port);
	put_number(object, "priority", p->priority);
	put_number(object, "mark", p->mark);
	put_number(object, "mark_mask", p->mark_mask);
	put_number(object, "reqid", p->block ? 0 : p->reqid);
	put_number(object, "spi", p->block ? 0 : p->spi);
	put_peer(object, names, p->block ? 0 : p->reqid);
	return object;
}

static struct json *to_json(struct dump *dump, const struct json *names)
{
	struct json *object = json_object_create();
	struct json *sas = json_array_create_empty();
	struct json *policies = json_array_create_empty();
	size_t i;

	if (dump->n_sas) {
		qsort(dump->sas, dump->n_sas, sizeof *dump->sas, compare_sas);
	}
	if (dump->n_policies) {
		qsort(dump->policies, dump->n_policies, sizeof *dump->policies,
		      compare_policies);
	}
	for (i = 0; i < dump->n_sas; i++) {
		json_array_add(sas, sa_to_json(dump, &dump->sas[i], names));
	}
	for (i = 0; i < dump->n_policies; i++) {
		json_array_add(policies,
			       policy_to_json(&dump->policies[i], names));
	}
	json_object_put(object, "sas", sas);
	json_object_put(object, "policies", policies);
	return object;
}

/* 0 or an errno value. */
static int read_kernel(struct dump *dump)
{
	struct xfrm_socket *socket;
	int error = xfrm_socket_open(&socket);

	if (error) {
		return error;
	}
	error = xfrm_socket_dump_sas(socket, true, keep_sa, dump);
	if (!error) {
		error = xfrm_socket_dump_policies(socket, true, keep_policy,
						  dump);
	}
	xfrm_socket_close(socket);
	return error;
}

enum health run_sas(const struct context *ctx,
		    const struct json *args OVS_UNUSED)
{
	struct json *names = NULL;
	struct dump dump = {0};
	enum health health;
	char *error = NULL;
	int error_number;

	health = daemon_enter_netns_if_any(ctx->run_dir, &error);
	if (health) {
		fail(ctx, health, "%s", error);
		free(error);
		return health;
	}
	error_number = read_kernel(&dump);
	if (error_number) {
		health = fail(ctx, HEALTH_REFUSED,
			      "cannot read the kernel's IPsec state: %s%s",
			      ovs_strerror(error_number),
			      error_number == EPERM ? "; run fdpctl as root"
						    : "");
	} else {
		if (daemon_call(ctx->run_dir, CONTROL_PEERS, NULL, &names,
				&error)) {
			free(error);
		}
		health = finish(ctx, to_json(&dump, names), render_sas);
	}
	json_destroy(names);
	free(dump.policies);
	free(dump.sas);
	return health;
}
