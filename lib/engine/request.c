#include "engine/request.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonget.h"
#include "datapath/pipeline.h"
#include "openvswitch/json.h"
#include "util.h"

enum {
	MAX_MTU = 65535
};

/* It is going to stand in logs and in the state file. */
static bool is_printable(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f) {
			return false;
		}
	}
	return true;
}

/* Copies a string member that must fit; a missing one leaves 'to' alone. */
static bool get_text(const struct json *json, const char *name, char *to,
		     size_t to_size, char *why, size_t size)
{
	const char *text = jsonget_string(json, name);

	if (!text) {
		return true;
	}
	if (!*text || strlen(text) >= to_size) {
		snprintf(why, size, "%s is empty or too long", name);
		return false;
	}
	if (!is_printable(text)) {
		snprintf(why, size, "%s has characters that cannot be printed",
			 name);
		return false;
	}
	copy_text(to, to_size, text);
	return true;
}

static bool ifname_is_valid(const char *name)
{
	/* As dev_valid_name() in net/core/dev.c. */
	if (!strcmp(name, ".") || !strcmp(name, "..")) {
		return false;
	}
	return !strpbrk(name, "/: \t\n\v\f\r");
}

static bool get_ifname(const struct json *json, const char *name,
		       char to[ODP_NAME_SIZE], char *why, size_t size)
{
	if (!get_text(json, name, to, ODP_NAME_SIZE, why, size)) {
		return false;
	}
	if (!ifname_is_valid(to)) {
		snprintf(why, size, "\"%s\" is not an interface name", to);
		return false;
	}
	return true;
}

static bool get_mac(const struct json *json, const char *name, struct mac *mac,
		    char *why, size_t size)
{
	const char *text = jsonget_string(json, name);

	if (!text) {
		return true;
	}
	if (mac_parse(text, mac)) {
		snprintf(why, size, "%s: \"%.40s\" is not a MAC address", name,
			 text);
		return false;
	}
	return true;
}

static bool get_addresses(const struct json *json, struct port *port, char *why,
			  size_t size)
{
	const struct json *list = jsonget(json, "addresses");
	struct binding *b = &port->binding;

	if (!jsonget_n(list) || jsonget_n(list) > BINDING_MAX_IPS) {
		snprintf(why, size, "an interface has 1 to %d addresses",
			 BINDING_MAX_IPS);
		return false;
	}
	for (size_t i = 0; i < jsonget_n(list); i++) {
		const struct json *item = jsonget_at(list, i);
		const char *text =
			item->type == JSON_STRING ? json_string(item) : "";
		struct ip_prefix prefix;

		if (prefix_parse(text, &prefix)) {
			snprintf(why, size,
				 "\"%.60s\" is not an address like 10.0.0.1/24 "
				 "or fd00::1/64",
				 text);
			return false;
		}
		for (size_t j = 0; j < b->n_ips; j++) {
			if (ip_equal(&b->ips[j], &prefix.ip)) {
				snprintf(why, size, "%s is given twice", text);
				return false;
			}
		}
		port->prefix_len[b->n_ips] = prefix.len;
		b->ips[b->n_ips++] = prefix.ip;
	}
	return true;
}

bool request_port(const struct json *json, struct port *port, char *why,
		  size_t size)
{
	int64_t value = FORWARDING_VNI_DEFAULT;
	struct binding *b = &port->binding;
	struct binding whole;

	memset(port, 0, sizeof *port);
	port->port_no = UINT32_MAX;
	copy_text(port->ifname, sizeof port->ifname, "eth0");
	if (!jsonget_string(json, "netns")) {
		snprintf(why, size, "netns is missing");
		return false;
	}
	if (!get_text(json, "netns", port->netns, sizeof port->netns, why,
		      size) ||
	    !get_ifname(json, "ifname", port->ifname, why, size) ||
	    !get_ifname(json, "host_ifname", port->host_ifname, why, size) ||
	    !get_mac(json, "mac", &b->mac, why, size) ||
	    !get_addresses(json, port, why, size)) {
		return false;
	}
	if (jsonget(json, "network") &&
	    !jsonget_integer(json, "network", 1, FORWARDING_VNI_MAX, &value)) {
		snprintf(why, size, "network is a number from 1 to %d",
			 FORWARDING_VNI_MAX);
		return false;
	}
	b->vni = (uint32_t)value;
	value = 0;
	if (jsonget(json, "mtu") &&
	    !jsonget_integer(json, "mtu", IPV4_MIN_MTU, MAX_MTU, &value)) {
		snprintf(why, size, "mtu is a number from %d to %d",
			 IPV4_MIN_MTU, MAX_MTU);
		return false;
	}
	port->mtu = (uint32_t)value;
	whole = *b;
	if (mac_is_zero(&whole.mac)) {
		whole.mac.b[0] = 2; /* None yet: only look at the rest. */
	}
	if (!binding_is_valid(&whole)) {
		snprintf(why, size,
			 "MAC and addresses must be those of one interface: no "
			 "group MAC, no multicast or zero address");
		return false;
	}
	return true;
}

static bool get_ip(const struct json *json, const char *name,
		   struct ip_addr *ip, char *why, size_t size)
{
	const char *text = jsonget_string(json, name);

	if (!text) {
		return true;
	}
	if (ip_addr_parse(text, ip)) {
		snprintf(why, size, "%s: \"%.60s\" is not an IP address", name,
			 text);
		return false;
	}
	return true;
}

static bool get_number(const struct json *json, const char *name, int64_t max,
		       int64_t *value, char *why, size_t size)
{
	if (jsonget(json, name) &&
	    !jsonget_integer(json, name, 0, max, value)) {
		snprintf(why, size, "%s is a number from 0 to %lld", name,
			 (long long)max);
		return false;
	}
	return true;
}

/* The type that the given addresses and fields speak of. */
static uint16_t guess_eth_type(const struct json *json, const struct flow *f)
{
	if (jsonget(json, "arp_op")) {
		return ETH_TYPE_ARP;
	}
	if (jsonget(json, "nd_target")) {
		return ETH_TYPE_IPV6;
	}
	if (!ip_is_zero(&f->nw_src)) {
		return ip_is_v4(&f->nw_src) ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6;
	}
	if (!ip_is_zero(&f->nw_dst) && !ip_is_v4(&f->nw_dst)) {
		return ETH_TYPE_IPV6;
	}
	return ETH_TYPE_IPV4;
}

static bool families_agree(const struct flow *f)
{
	bool v4 = f->eth_type == ETH_TYPE_IPV4 || f->eth_type == ETH_TYPE_ARP;

	if (!v4 && f->eth_type != ETH_TYPE_IPV6) {
		return true;
	}
	return (ip_is_zero(&f->nw_src) || ip_is_v4(&f->nw_src) == v4) &&
	       (ip_is_zero(&f->nw_dst) || ip_is_v4(&f->nw_dst) == v4);
}

bool request_flow(const struct json *json, struct flow *f, char *why,
		  size_t size)
{
	static const uint8_t v4_any[4];
	int64_t type = -1, proto = 0, tp_src = 0, tp_dst = 0, arp_op = 0;
	int64_t vni = FORWARDING_VNI_DEFAULT;

	memset(f, 0, sizeof *f);
	if (!get_mac(json, "eth_src", &f->eth_src, why, size) ||
	    !get_mac(json, "eth_dst", &f->eth_dst, why, size) ||
	    !get_ip(json, "ip_src", &f->nw_src, why, size) ||
	    !get_ip(json, "ip_dst", &f->nw_dst, why, size) ||
	    !get_mac(json, "arp_sha", &f->arp_sha, why, size) ||
	    !get_mac(json, "arp_tha", &f->arp_tha, why, size) ||
	    !get_ip(json, "nd_target", &f->nd_target, why, size) ||
	    !get_ip(json, "tun_src", &f->tunnel.src, why, size) ||
	    !get_number(json, "eth_type", UINT16_MAX, &type, why, size) ||
	    !get_number(json, "ip_proto", UINT8_MAX, &proto, why, size) ||
	    !get_number(json, "tp_src", UINT16_MAX, &tp_src, why, size) ||
	    !get_number(json, "tp_dst", UINT16_MAX, &tp_dst, why, size) ||
	    !get_number(json, "arp_op", UINT16_MAX, &arp_op, why, size) ||
	    !get_number(json, "vni", FORWARDING_VNI_MAX, &vni, why, size)) {
		return false;
	}
	f->eth_type = type < 0 ? guess_eth_type(json, f) : (uint16_t)type;
	if (!families_agree(f)) {
		snprintf(why, size,
			 "the addresses are not of the packet's "
			 "family");
		return false;
	}
	if (f->eth_type == ETH_TYPE_IPV4 || f->eth_type == ETH_TYPE_ARP) {
		if (ip_is_zero(&f->nw_src)) {
			f->nw_src = ip_from_v4(v4_any);
		}
		if (ip_is_zero(&f->nw_dst)) {
			f->nw_dst = ip_from_v4(v4_any);
		}
	}
	f->nw_proto = (uint8_t)proto;
	f->tp_src = (uint16_t)tp_src;
	f->tp_dst = (uint16_t)tp_dst;
	if (f->eth_type == ETH_TYPE_ARP) {
		f->arp_op = arp_op ? (uint16_t)arp_op : 1;
		if (mac_is_zero(&f->arp_sha)) {
			f->arp_sha = f->eth_src;
		}
	} else {
		f->nw_ttl = 64;
	}
	if (!ip_is_zero(&f->nd_target)) {
		f->nw_proto = IP_PROTO_ICMPV6;
		f->tp_src = f->tp_src ? f->tp_src : 135;
		f->nw_ttl = 255;
	}
	if (!ip_is_zero(&f->tunnel.src)) {
		f->tunnel.present = true;
		f->tunnel.vni = (uint32_t)vni;
		f->tunnel.flags = FLOW_TNL_KEY;
		f->tunnel.ttl = PIPELINE_TTL;
	}
	return true;
}
