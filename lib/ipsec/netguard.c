#include "ipsec/netguard.h"

#include "openvswitch/dynamic-string.h"

const char *guard_kind_name(enum guard_kind kind)
{
	switch (kind) {
	case GUARD_NONE:
		return "none";
	case GUARD_NFTABLES:
		return "nftables";
	case GUARD_IPTABLES:
		return "iptables";
	}
	return "?";
}

/* Where the packet that an ICMP error quotes has its protocol and destination
 * port: bytes from the start of the ICMP header.  The kernel of a peer sends no
 * IP options and no extension headers. */
enum {
	QUOTED_PROTO_V4 = 8 + 9,
	QUOTED_PORT_V4 = 8 + 20 + 2,
	QUOTED_PROTO_V6 = 8 + 6,
	QUOTED_PORT_V6 = 8 + 40 + 2,
	IPV6_HEADER = 40
};

static void put_pair_nft(const struct ip_addr *src, const struct ip_addr *dst,
			 uint16_t port, struct ds *ds)
{
	const char *family = ip_is_v4(dst) ? "ip" : "ip6";
	char from[IP_STRLEN], to[IP_STRLEN];

	ds_put_format(
		ds, "%s saddr %s %s daddr %s udp dport %u counter accept\n",
		family, ip_format(src, from), family, ip_format(dst, to), port);
}

/* In our chain alone: what follows it in the table is looked at. */
static void put_pair_mangle(const char *chain, const struct ip_addr *src,
			    const struct ip_addr *dst, uint16_t port,
			    struct ds *ds)
{
	const int len = ip_is_v4(dst) ? 32 : 128;
	char from[IP_STRLEN], to[IP_STRLEN];

	ds_put_format(ds,
		      "-A %s -s %s/%d -d %s/%d -p udp -m udp --dport %u "
		      "-j RETURN\n",
		      chain, ip_format(src, from), len, ip_format(dst, to), len,
		      port);
}

/* Reroutes come first (priority mangle), drops are final at any priority. */
void guard_rules_nft(const struct guard_rules *r, bool notrack, struct ds *ds)
{
	char ip[IP_STRLEN];

	/* Added first, as only what is there can be deleted. */
	ds_put_cstr(ds, "add table inet " GUARD_NFT_TABLE "\n"
			"delete table inet " GUARD_NFT_TABLE "\n"
			"table inet " GUARD_NFT_TABLE " {\n"
			"chain out {\n"
			"type filter hook output priority 300;\n");
	/* Of accepting other tables may think otherwise, and shall. */
	for (size_t i = 0; i < r->n_pairs; i++) {
		if (r->pairs[i].out) {
			put_pair_nft(&r->pairs[i].local, &r->pairs[i].remote,
				     r->pairs[i].port, ds);
		}
	}
	ds_put_format(ds, "udp dport %u rt ipsec missing counter drop\n",
		      r->udp_port);
	for (size_t i = 0; i < r->n_peers; i++) {
		ds_put_format(ds,
			      "%s daddr %s udp dport %u rt ipsec missing "
			      "counter drop\n",
			      ip_is_v4(&r->peers[i].ip) ? "ip" : "ip6",
			      ip_format(&r->peers[i].ip, ip), r->peers[i].port);
	}
	ds_put_format(ds,
		      "icmp type destination-unreachable @th,%d,8 17 "
		      "@th,%d,16 %u counter drop\n"
		      "icmpv6 type destination-unreachable @th,%d,8 17 "
		      "@th,%d,16 %u counter drop\n",
		      8 * QUOTED_PROTO_V4, 8 * QUOTED_PORT_V4, r->udp_port,
		      8 * QUOTED_PROTO_V6, 8 * QUOTED_PORT_V6, r->udp_port);
	ds_put_cstr(ds, "}\n"
			"chain in {\n"
			"type filter hook input priority -150;\n");
	for (size_t i = 0; i < r->n_pairs; i++) {
		if (r->pairs[i].in) {
			put_pair_nft(&r->pairs[i].remote, &r->pairs[i].local,
				     r->udp_port, ds);
		}
	}
	ds_put_format(ds,
		      "udp dport %u meta ipsec missing counter drop\n"
		      "}\n",
		      r->udp_port);
	if (notrack) {
		ds_put_format(ds,
			      "chain untracked_out {\n"
			      "type filter hook output priority -300;\n"
			      "udp dport %u notrack\n"
			      "}\n"
			      "chain untracked_in {\n"
			      "type filter hook prerouting priority -300;\n"
			      "udp dport %u notrack\n"
			      "}\n",
			      r->udp_port, r->udp_port);
	}
	ds_put_cstr(ds, "}\n");
}

size_t guard_rules_nft_n(const struct guard_rules *r, bool notrack)
{
	size_t n = 4 + r->n_peers + (notrack ? 2 : 0);

	for (size_t i = 0; i < r->n_pairs; i++) {
		n += r->pairs[i].out;
		n += r->pairs[i].in;
	}
	return n;
}

/* u32 compares words of four bytes, by their last ones. */
static void quoted_mangle(uint16_t udp_port, bool v6, struct ds *ds)
{
	static const char icmp4[] = "0x0>>0x16&0x3c@"; /* Behind the header. */

	if (v6) {
		ds_put_format(ds,
			      "-A " GUARD_CHAIN_OUT " -p ipv6-icmp -m icmp6 "
			      "--icmpv6-type 1 -m u32 --u32 "
			      "\"0x%x&0xff=0x11&&0x%x&0xffff=0x%x\" -j DROP\n",
			      IPV6_HEADER + QUOTED_PROTO_V6 - 3,
			      IPV6_HEADER + QUOTED_PORT_V6 - 2, udp_port);
	} else {
		ds_put_format(ds,
			      "-A " GUARD_CHAIN_OUT " -p icmp -m icmp "
			      "--icmp-type 3 -m u32 --u32 "
			      "\"%s0x%x&0xff=0x11&&%s0x%x&0xffff=0x%x\" "
			      "-j DROP\n",
			      icmp4, QUOTED_PROTO_V4 - 3, icmp4,
			      QUOTED_PORT_V4 - 2, udp_port);
	}
}

void guard_rules_mangle(const struct guard_rules *r, bool v6, struct ds *ds)
{
	char ip[IP_STRLEN];

	for (size_t i = 0; i < r->n_pairs; i++) {
		if (r->pairs[i].out && ip_is_v4(&r->pairs[i].remote) != v6) {
			put_pair_mangle(GUARD_CHAIN_OUT, &r->pairs[i].local,
					&r->pairs[i].remote, r->pairs[i].port,
					ds);
		}
	}
	ds_put_format(ds,
		      "-A " GUARD_CHAIN_OUT " -p udp -m udp --dport %u "
		      "-m policy --dir out --pol none -j DROP\n",
		      r->udp_port);
	for (size_t i = 0; i < r->n_peers; i++) {
		if (ip_is_v4(&r->peers[i].ip) == v6) {
			continue;
		}
		ds_put_format(ds,
			      "-A " GUARD_CHAIN_OUT " -d %s/%d -p udp -m udp "
			      "--dport %u -m policy --dir out --pol none "
			      "-j DROP\n",
			      ip_format(&r->peers[i].ip, ip), v6 ? 128 : 32,
			      r->peers[i].port);
	}
	quoted_mangle(r->udp_port, v6, ds);
	for (size_t i = 0; i < r->n_pairs; i++) {
		if (r->pairs[i].in && ip_is_v4(&r->pairs[i].remote) != v6) {
			put_pair_mangle(GUARD_CHAIN_IN, &r->pairs[i].remote,
					&r->pairs[i].local, r->udp_port, ds);
		}
	}
	ds_put_format(ds,
		      "-A " GUARD_CHAIN_IN " -p udp -m udp --dport %u "
		      "-m policy --dir in --pol none -j DROP\n",
		      r->udp_port);
}

void guard_rules_raw(const struct guard_rules *r, struct ds *ds)
{
	ds_put_format(ds,
		      "-A " GUARD_CHAIN_UNTRACKED " -p udp -m udp --dport %u "
		      "-j CT --notrack\n",
		      r->udp_port);
}
