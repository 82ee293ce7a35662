#include "session/statement.h"

#include <stdlib.h>
#include <string.h>

#include "session/wire.h"
#include "util.h"

/* So that no signature over a statement is one over something else. */
static const char context[] = "fdp1 statement";

void statement_free(struct statement *s)
{
	if (s) {
		free(s->body);
		s->body = NULL;
	}
}

struct statement *statement_clone(const struct statement *s)
{
	struct statement *clone = xmemdup(s, sizeof *s);

	clone->body = s->size ? xmemdup(s->body, s->size) : NULL;
	return clone;
}

bool statement_is_newer(const struct statement *a, const struct statement *b)
{
	return a->incarnation != b->incarnation
		       ? a->incarnation > b->incarnation
		       : a->seq > b->seq;
}

/* All but the signature. */
static void put_signed_part(const struct statement *s, struct wbuf *out)
{
	wbuf_bytes(out, s->author.b, sizeof s->author.b);
	wbuf_bytes(out, s->key.b, sizeof s->key.b);
	wbuf_u64(out, s->incarnation);
	wbuf_u64(out, s->seq);
	wbuf_u8(out, s->chunk);
	wbuf_u16(out, (uint16_t)s->size);
	wbuf_bytes(out, s->body, s->size);
}

static struct wbuf what_is_signed(const struct statement *s)
{
	struct wbuf data = WBUF_INITIALIZER(0);

	wbuf_bytes(&data, context, sizeof context - 1);
	put_signed_part(s, &data);
	return data;
}

void statement_sign(struct statement *s, const struct secret *seed)
{
	struct wbuf data;

	sign_public(seed, &s->key);
	data = what_is_signed(s);
	sign(seed, wbuf_span(&data), s->signature);
	wbuf_free(&data);
}

enum err statement_verify(const struct statement *s)
{
	struct wbuf data = what_is_signed(s);
	enum err err = sign_verify(&s->key, wbuf_span(&data), s->signature);

	wbuf_free(&data);
	return err;
}

void statement_put(const struct statement *s, struct wbuf *out)
{
	put_signed_part(s, out);
	wbuf_bytes(out, s->signature, sizeof s->signature);
}

static enum err get_head(struct span *in, struct statement *s)
{
	enum err err = wire_get_id(in, &s->author);

	if (!err) {
		err = span_bytes(in, s->key.b, sizeof s->key.b);
	}
	if (!err) {
		err = span_u64(in, &s->incarnation);
	}
	if (!err) {
		err = span_u64(in, &s->seq);
	}
	if (!err) {
		err = span_u8(in, &s->chunk);
	}
	return !err && s->chunk >= STATEMENT_CHUNKS ? ERR_RANGE : err;
}

enum err statement_get(struct span *in, struct statement *out)
{
	struct statement s = {.chunk = 0};
	struct span body = span_of(NULL, 0);
	uint16_t size = 0;
	enum err err = get_head(in, &s);

	if (!err) {
		err = span_u16(in, &size);
	}
	if (!err && size > STATEMENT_MAX_BODY) {
		err = ERR_LIMIT;
	}
	if (!err) {
		err = span_cut(in, size, &body);
	}
	if (!err) {
		err = span_bytes(in, s.signature, sizeof s.signature);
	}
	if (!err) {
		s.size = size;
		s.body = size ? xmemdup(body.data, size) : NULL;
		*out = s;
	}
	return err;
}

/* Bodies. */

void statement_put_links(const struct statement_links *links, struct wbuf *out)
{
	const size_t size = strlen(links->name);

	wbuf_u8(out, (uint8_t)size);
	wbuf_bytes(out, links->name, size);
	wbuf_u32(out, links->mtu);
	wbuf_u16(out, (uint16_t)links->n);
	for (size_t i = 0; i < links->n; i++) {
		wbuf_bytes(out, links->v[i].b, sizeof links->v[i].b);
	}
}

enum err statement_get_links(struct span in, struct statement_links *links)
{
	struct span name;
	uint8_t size;
	size_t n = 0;
	enum err err = span_u8(&in, &size);

	memset(links, 0, sizeof *links);
	if (!err) {
		err = span_cut(&in, size, &name);
	}
	if (!err) {
		err = identity_name_decode(name, links->name);
	}
	if (!err) {
		err = span_u32(&in, &links->mtu);
	}
	if (!err) {
		err = wire_get_count(&in, STATEMENT_MAX_LINKS, sizeof *links->v,
				     &n);
	}
	if (!err && n) {
		links->v = xcalloc(n, sizeof *links->v);
		links->n = n;
	}
	for (size_t i = 0; !err && i < n; i++) {
		err = wire_get_id(&in, &links->v[i]);
	}
	return err;
}

/* The same on every host, for ever: FNV-1a, folded. */
uint8_t statement_chunk_of(const struct binding_key *key)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < sizeof key->mac.b; i++) {
		hash = (hash ^ key->mac.b[i]) * 16777619u;
	}
	for (int shift = 0; shift < 24; shift += 8) {
		hash = (hash ^ (key->vni >> shift & 0xff)) * 16777619u;
	}
	hash ^= hash >> 16;
	return (uint8_t)(1 + hash % (STATEMENT_CHUNKS - 1));
}

void statement_put_bindings(const struct binding *v, size_t n, struct wbuf *out)
{
	wire_put_bindings(out, v, n);
}

enum err statement_get_bindings(const struct statement *s, struct binding **v,
				size_t *n)
{
	struct span in = span_of(s->body, s->size);
	enum err err;

	*v = NULL;
	*n = 0;
	err = wire_get_bindings(&in, v, n);
	for (size_t i = 0; !err && i < *n; i++) {
		struct binding_key key = binding_key(&(*v)[i]);

		if (statement_chunk_of(&key) != s->chunk) {
			err = ERR_MALFORMED;
		}
	}
	return err;
}
