#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static bool all_zero(const uint8_t *b, size_t size)
{
	uint8_t any = 0;

	for (size_t i = 0; i < size; i++) {
		any |= b[i];
	}
	return !any;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'a' && c <= 'f') {
		return c - 'a' + 10;
	}
	if (c >= 'A' && c <= 'F') {
		return c - 'A' + 10;
	}
	return -1;
}

/* Two hexadecimal digits at 'text'; -1 if they are not. */
static int hex_byte(const char *text)
{
	int hi = hex_digit(text[0]);
	int lo = hi < 0 ? -1 : hex_digit(text[1]);

	return lo < 0 ? -1 : hi << 4 | lo;
}

bool mac_is_broadcast(const struct mac *m)
{
	static const struct mac all = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

	return mac_equal(m, &all);
}

enum err mac_parse(const char *text, struct mac *out)
{
	struct mac m;

	if (strlen(text) != MAC_STRLEN - 1) {
		return ERR_MALFORMED;
	}
	for (size_t i = 0; i < sizeof m.b; i++) {
		int byte = hex_byte(text + 3 * i);

		if (byte < 0 || (i < 5 && text[3 * i + 2] != ':')) {
			return ERR_MALFORMED;
		}
		m.b[i] = (uint8_t)byte;
	}
	*out = m;
	return FDP_OK;
}

const char *mac_format(const struct mac *m, char buf[MAC_STRLEN])
{
	snprintf(buf, MAC_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", m->b[0],
		 m->b[1], m->b[2], m->b[3], m->b[4], m->b[5]);
	return buf;
}

int ip_compare(const struct ip_addr *a, const struct ip_addr *b)
{
	return memcmp(a, b, sizeof *a);
}

bool ip_addr_is_multicast(const struct ip_addr *ip)
{
	return ip_is_v4(ip) ? (ip->b[12] & 0xf0) == 0xe0 : ip->b[0] == 0xff;
}

bool ip_is_unicast(const struct ip_addr *ip)
{
	static const uint8_t none[4], all[4] = {255, 255, 255, 255};

	if (ip_is_zero(ip) || ip_addr_is_multicast(ip)) {
		return false;
	}
	return !ip_is_v4(ip) || (memcmp(ip_v4_bytes(ip), none, sizeof none) &&
				 memcmp(ip_v4_bytes(ip), all, sizeof all));
}

bool ip_is_link_local6(const struct ip_addr *ip)
{
	return ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80;
}

struct ip_addr ip_from_v6(const uint8_t be[16])
{
	struct ip_addr ip;

	memcpy(ip.b, be, sizeof ip.b);
	return ip;
}

const uint8_t *ip_v4_bytes(const struct ip_addr *ip)
{
	return ip->b + 12;
}

struct ip_addr ip_link_local_of(const struct mac *m)
{
	struct ip_addr ip = {{0xfe, 0x80}};

	ip.b[8] = m->b[0] ^ 2;
	ip.b[9] = m->b[1];
	ip.b[10] = m->b[2];
	ip.b[11] = 0xff;
	ip.b[12] = 0xfe;
	memcpy(ip.b + 13, m->b + 3, 3);
	return ip;
}

enum err ip_addr_parse(const char *text, struct ip_addr *out)
{
	uint8_t be[16];

	if (inet_pton(AF_INET, text, be) == 1) {
		*out = ip_from_v4(be);
		return FDP_OK;
	}
	if (inet_pton(AF_INET6, text, be) == 1) {
		*out = ip_from_v6(be);
		return FDP_OK;
	}
	return ERR_MALFORMED;
}

const char *ip_format(const struct ip_addr *ip, char buf[IP_STRLEN])
{
	bool v4 = ip_is_v4(ip);

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? ip->b + 12 : ip->b, buf,
		  IP_STRLEN);
	return buf;
}

/* A decimal number without sign, at most 'max'. */
static enum err parse_number(const char *text, unsigned int max,
			     unsigned int *out)
{
	unsigned int n = 0;

	if (!*text) {
		return ERR_MALFORMED;
	}
	for (; *text; text++) {
		if (*text < '0' || *text > '9') {
			return ERR_MALFORMED;
		}
		n = n * 10 + (unsigned int)(*text - '0');
		if (n > max) {
			return ERR_RANGE;
		}
	}
	*out = n;
	return FDP_OK;
}

/* Copies the part of 'text' before 'end' into 'buf' of 'size' bytes. */
static enum err copy_until(const char *text, const char *end, char *buf,
			   size_t size)
{
	size_t n = (size_t)(end - text);

	if (n >= size) {
		return ERR_MALFORMED;
	}
	memcpy(buf, text, n);
	buf[n] = '\0';
	return FDP_OK;
}

enum err prefix_parse(const char *text, struct ip_prefix *out)
{
	const char *slash = strchr(text, '/');
	char host[IP_STRLEN];
	struct ip_prefix p;
	unsigned int len, max;
	enum err err;

	err = copy_until(text, slash ? slash : text + strlen(text), host,
			 sizeof host);
	if (!err) {
		err = ip_addr_parse(host, &p.ip);
	}
	if (err) {
		return err;
	}
	max = len = ip_is_v4(&p.ip) ? 32 : 128;
	if (slash) {
		err = parse_number(slash + 1, max, &len);
		if (err) {
			return err;
		}
	}
	p.len = (uint8_t)len;
	*out = p;
	return FDP_OK;
}

const char *prefix_format(const struct ip_prefix *p, char buf[PREFIX_STRLEN])
{
	char ip[IP_STRLEN];

	snprintf(buf, PREFIX_STRLEN, "%s/%u", ip_format(&p->ip, ip), p->len);
	return buf;
}

bool prefix_is_network(const struct ip_prefix *p)
{
	const size_t bits = p->len + (ip_is_v4(&p->ip) ? 96u : 0u);

	for (size_t i = bits; i < 128; i++) {
		if (p->ip.b[i / 8] & 0x80 >> i % 8) {
			return false;
		}
	}
	return true;
}

bool prefix_is_host(const struct ip_prefix *p)
{
	const size_t bits = p->len + (ip_is_v4(&p->ip) ? 96u : 0u);
	bool all = ip_is_v4(&p->ip); /* IPv6 has no broadcast. */

	for (size_t i = bits; i < 128; i++) {
		all &= (p->ip.b[i / 8] & 0x80 >> i % 8) != 0;
	}
	return bits >= 127 || (!all && !prefix_is_network(p));
}

bool prefix_contains(const struct ip_prefix *p, const struct ip_addr *ip)
{
	unsigned int bits = p->len;

	if (ip_is_v4(&p->ip) != ip_is_v4(ip)) {
		return false;
	}
	if (ip_is_v4(ip)) {
		bits += 96;
	}
	for (size_t i = 0; bits; i++) {
		unsigned int n = bits < 8 ? bits : 8;
		uint8_t mask = (uint8_t)(0xff00u >> n);

		if ((p->ip.b[i] ^ ip->b[i]) & mask) {
			return false;
		}
		bits -= n;
	}
	return true;
}

bool endpoint_equal(const struct ip_endpoint *a, const struct ip_endpoint *b)
{
	return ip_equal(&a->ip, &b->ip) && a->port == b->port;
}

enum err endpoint_parse(const char *text, uint16_t default_port,
			struct ip_endpoint *out)
{
	const char *host = text, *host_end, *port = NULL;
	char buf[IP_STRLEN];
	struct ip_endpoint e = {.port = default_port};
	unsigned int number;
	enum err err;

	if (*text == '[') {
		host = text + 1;
		host_end = strchr(host, ']');
		if (!host_end) {
			return ERR_MALFORMED;
		}
		if (host_end[1] == ':') {
			port = host_end + 2;
		} else if (host_end[1]) {
			return ERR_MALFORMED;
		}
	} else {
		const char *colon = strchr(text, ':');

		host_end = text + strlen(text);
		if (colon && !strchr(colon + 1, ':')) {
			host_end = colon;
			port = colon + 1;
		}
	}
	err = copy_until(host, host_end, buf, sizeof buf);
	if (!err) {
		err = ip_addr_parse(buf, &e.ip);
	}
	if (!err && port) {
		err = parse_number(port, UINT16_MAX, &number);
		if (!err && !number) {
			err = ERR_RANGE;
		}
		if (!err) {
			e.port = (uint16_t)number;
		}
	}
	if (!err) {
		*out = e;
	}
	return err;
}

const char *endpoint_format(const struct ip_endpoint *e,
			    char buf[ENDPOINT_STRLEN])
{
	char ip[IP_STRLEN];

	snprintf(buf, ENDPOINT_STRLEN, ip_is_v4(&e->ip) ? "%s:%u" : "[%s]:%u",
		 ip_format(&e->ip, ip), e->port);
	return buf;
}

bool peer_id_equal(const struct peer_id *a, const struct peer_id *b)
{
	return !memcmp(a, b, sizeof *a);
}

int peer_id_compare(const struct peer_id *a, const struct peer_id *b)
{
	return memcmp(a, b, sizeof *a);
}

bool peer_id_is_zero(const struct peer_id *id)
{
	return all_zero(id->b, sizeof id->b);
}

enum err peer_id_parse(const char *text, struct peer_id *out)
{
	struct peer_id id;

	if (strlen(text) != PEER_ID_STRLEN - 1) {
		return ERR_MALFORMED;
	}
	for (size_t i = 0; i < sizeof id.b; i++) {
		int byte = hex_byte(text + 2 * i);

		if (byte < 0) {
			return ERR_MALFORMED;
		}
		id.b[i] = (uint8_t)byte;
	}
	*out = id;
	return FDP_OK;
}

const char *peer_id_format(const struct peer_id *id, char buf[PEER_ID_STRLEN])
{
	for (size_t i = 0; i < sizeof id->b; i++) {
		snprintf(buf + 2 * i, 3, "%02x", id->b[i]);
	}
	return buf;
}
