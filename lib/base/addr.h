/* Addresses: MAC, IP, prefix, endpoint, peer id.
 *
 * An IP address of either family is 16 bytes; IPv4 is held as the IPv4-mapped
 * IPv6 address ::ffff:a.b.c.d (RFC 4291 2.5.5.2), so that tables, wire
 * messages and comparisons know one form only.  All zero means "none".
 */
#ifndef FDP_BASE_ADDR_H
#define FDP_BASE_ADDR_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

struct mac {
	uint8_t b[6];
};

struct ip_addr {
	uint8_t b[16];
};

/* 'len' counts in the address's own family: 0..32 or 0..128. */
struct ip_prefix {
	struct ip_addr ip;
	uint8_t len;
};

/* A transport endpoint; 'port' in host byte order. */
struct ip_endpoint {
	struct ip_addr ip;
	uint16_t port;
};

/* Who a host is, for ever: 128 random bits made at its first start. */
struct peer_id {
	uint8_t b[16];
};

/* Large enough for every format function below. */
enum {
	MAC_STRLEN = 18,
	IP_STRLEN = 46,
	PREFIX_STRLEN = 50,
	ENDPOINT_STRLEN = 54,
	PEER_ID_STRLEN = 33
};

/* The small ones are inline, as every packet that comes up asks them often. */
static inline bool mac_equal(const struct mac *a, const struct mac *b)
{
	return !memcmp(a, b, sizeof *a);
}

static inline bool mac_is_zero(const struct mac *m)
{
	return mac_equal(m, &(const struct mac){{0}});
}

/* Group bit set: multicast or broadcast (IEEE 802 I/G bit). */
static inline bool mac_is_group(const struct mac *m)
{
	return m->b[0] & 1;
}

bool mac_is_broadcast(const struct mac *);
/* "02:00:00:aa:bb:cc".  ERR_MALFORMED on anything else. */
enum err mac_parse(const char *text, struct mac *) FDP_MUST_CHECK;
const char *mac_format(const struct mac *, char buf[MAC_STRLEN]);

static inline bool ip_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return !memcmp(a, b, sizeof *a);
}

int ip_compare(const struct ip_addr *, const struct ip_addr *);

static inline bool ip_is_zero(const struct ip_addr *ip)
{
	return ip_equal(ip, &(const struct ip_addr){{0}});
}

static inline struct ip_addr ip_from_v4(const uint8_t be[4])
{
	struct ip_addr ip = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}};

	memcpy(ip.b + 12, be, 4);
	return ip;
}

static inline bool ip_is_v4(const struct ip_addr *ip)
{
	const struct ip_addr v4 = ip_from_v4(ip->b + 12);

	return ip_equal(ip, &v4);
}

/* May a station have it?  Not 0.0.0.0, which says "none yet", and not the
 * broadcast address (RFC 1122 3.2.1.3). */
bool ip_is_unicast(const struct ip_addr *);
bool ip_addr_is_multicast(const struct ip_addr *);
/* fe80::/10. */
bool ip_is_link_local6(const struct ip_addr *);
struct ip_addr ip_from_v6(const uint8_t be[16]);
/* The four bytes of an IPv4 address, network order. */
const uint8_t *ip_v4_bytes(const struct ip_addr *);
/* The address that stateless autoconfiguration makes of 'mac' (RFC 4291
 * appendix A, modified EUI-64) below fe80::/64. */
struct ip_addr ip_link_local_of(const struct mac *);
/* Literals only, no names, no zone.  ERR_MALFORMED. */
enum err ip_addr_parse(const char *text, struct ip_addr *) FDP_MUST_CHECK;
const char *ip_format(const struct ip_addr *, char buf[IP_STRLEN]);

/* "10.0.0.1/24" or "fd00::1/64"; a missing length means the full one.
 * ERR_MALFORMED, ERR_RANGE (length). */
enum err prefix_parse(const char *text, struct ip_prefix *) FDP_MUST_CHECK;
const char *prefix_format(const struct ip_prefix *, char buf[PREFIX_STRLEN]);
/* Is nothing set beyond its length? */
bool prefix_is_network(const struct ip_prefix *);
/* Is the address that of a host in its network, neither the network's own nor
 * that of all its hosts?  Where there are two at most, each is (RFC 3021, RFC
 * 6164). */
bool prefix_is_host(const struct ip_prefix *);
bool prefix_contains(const struct ip_prefix *, const struct ip_addr *);

bool endpoint_equal(const struct ip_endpoint *, const struct ip_endpoint *);
/* "A.B.C.D", "A.B.C.D:PORT", "v6", "[v6]", "[v6]:PORT"; without a port
 * 'default_port' is taken.  ERR_MALFORMED, ERR_RANGE (port). */
enum err endpoint_parse(const char *text, uint16_t default_port,
			struct ip_endpoint *) FDP_MUST_CHECK;
const char *endpoint_format(const struct ip_endpoint *,
			    char buf[ENDPOINT_STRLEN]);

bool peer_id_equal(const struct peer_id *, const struct peer_id *);
int peer_id_compare(const struct peer_id *, const struct peer_id *);
bool peer_id_is_zero(const struct peer_id *);
/* 32 lower-case hexadecimal digits. */
enum err peer_id_parse(const char *text, struct peer_id *) FDP_MUST_CHECK;
const char *peer_id_format(const struct peer_id *, char buf[PEER_ID_STRLEN]);

#endif
