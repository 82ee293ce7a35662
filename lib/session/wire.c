#include "session/wire.h"

#include <stdlib.h>
#include <string.h>

#include "session/message.h"
#include "util.h"

static void wire_put_binding(struct wbuf *out, const struct binding *b)
{
	wbuf_u32(out, b->vni);
	wbuf_bytes(out, b->mac.b, sizeof b->mac.b);
	wbuf_u8(out, b->n_ips);
	for (size_t i = 0; i < b->n_ips; i++) {
		wbuf_bytes(out, b->ips[i].b, sizeof b->ips[i].b);
	}
}

void wire_put_bindings(struct wbuf *out, const struct binding *b, size_t n)
{
	wbuf_u16(out, (uint16_t)n);
	for (size_t i = 0; i < n; i++) {
		wire_put_binding(out, &b[i]);
	}
}

enum err wire_get_ip(struct span *in, struct ip_addr *ip)
{
	return span_bytes(in, ip->b, sizeof ip->b);
}

enum err wire_get_id(struct span *in, struct peer_id *id)
{
	enum err err = span_bytes(in, id->b, sizeof id->b);

	return err ? err : peer_id_is_zero(id) ? ERR_MALFORMED : FDP_OK;
}

enum err wire_get_count(struct span *in, size_t max, size_t min_bytes,
			size_t *n)
{
	uint16_t count;
	enum err err = span_u16(in, &count);

	if (err) {
		return err;
	}
	if (count > max) {
		return ERR_LIMIT;
	}
	if (count * min_bytes > in->size) {
		return ERR_TRUNCATED;
	}
	*n = count;
	return FDP_OK;
}

enum err wire_get_key(struct span *in, struct binding_key *key)
{
	enum err err = span_u32(in, &key->vni);

	if (!err && key->vni > VNI_MAX) {
		err = ERR_RANGE;
	}
	return err ? err : span_bytes(in, key->mac.b, sizeof key->mac.b);
}

static enum err wire_get_binding(struct span *in, struct binding *b)
{
	struct binding_key key;
	enum err err = wire_get_key(in, &key);

	memset(b, 0, sizeof *b);
	if (!err) {
		b->vni = key.vni;
		b->mac = key.mac;
		err = span_u8(in, &b->n_ips);
	}
	if (!err && b->n_ips > BINDING_MAX_IPS) {
		err = ERR_LIMIT;
	}
	for (size_t i = 0; !err && i < b->n_ips; i++) {
		err = wire_get_ip(in, &b->ips[i]);
	}
	return err ? err : binding_is_valid(b) ? FDP_OK : ERR_MALFORMED;
}

enum err wire_get_bindings(struct span *in, struct binding **list, size_t *n)
{
	size_t count;
	enum err err = wire_get_count(in, MSG_MAX_BINDINGS, 4 + 6 + 1, &count);

	if (!err && count) {
		*list = xcalloc(count, sizeof **list);
		*n = count;
	}
	for (size_t i = 0; !err && i < count; i++) {
		err = wire_get_binding(in, &(*list)[i]);
	}
	return err;
}
