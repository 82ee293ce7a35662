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

void statement_copy(struct statement *to, const struct statement *from)
{
	*to = *from;
	to->body = from->size ? xmemdup(from->body, from->size) : NULL;
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

void statement_sign(struct statement *s, const struct sign_pair *pair)
{
	struct wbuf data;

	s->key = pair->key;
	data = what_is_signed(s);
	sign(pair, wbuf_span(&data), s->signature);
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

void statement_put_self(const struct statement_self *self, struct wbuf *out)
{
	const size_t size = strlen(self->name);

	wbuf_u8(out, (uint8_t)size);
	wbuf_bytes(out, self->name, size);
	wbuf_u32(out, self->mtu);
	wbuf_u32(out, self->capabilities);
}

enum err statement_get_self(const struct statement *s,
			    struct statement_self *out)
{
	struct span in = span_of(s->body, s->size), name;
	struct statement_self self;
	uint8_t size;
	enum err err = span_u8(&in, &size);

	memset(&self, 0, sizeof self);
	if (!err) {
		err = span_cut(&in, size, &name);
	}
	if (!err) {
		err = identity_name_decode(name, self.name);
	}
	if (!err) {
		err = span_u32(&in, &self.mtu);
	}
	if (!err && in.size) {
		err = span_u32(&in, &self.capabilities);
	}
	if (!err) {
		*out = self;
	}
	return err;
}

/* FNV-1a.  Folded, it is the same on every host, for ever. */
static uint32_t hash(uint32_t h, const uint8_t *b, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		h = (h ^ b[i]) * 16777619u;
	}
	return h;
}

static uint32_t fold(uint32_t h)
{
	return h ^ h >> 16;
}

uint32_t statement_link_number(const struct peer_id *to)
{
	return hash(2166136261u, to->b, sizeof to->b);
}

uint8_t statement_number_chunk(uint32_t link_number, unsigned int n)
{
	return (uint8_t)(STATEMENT_LINKS + fold(link_number) % n);
}

uint8_t statement_link_chunk(const struct peer_id *to, unsigned int n)
{
	return statement_number_chunk(statement_link_number(to), n);
}

/* Over however many chunks they are spread. */
static bool link_belongs(const struct peer_id *to, uint8_t chunk)
{
	const uint32_t h = fold(statement_link_number(to));

	for (unsigned int n = 1; n <= STATEMENT_N_LINKS; n *= 2) {
		if (STATEMENT_LINKS + h % n == chunk) {
			return true;
		}
	}
	return false;
}

void statement_put_links(const struct peer_id *v, size_t n, struct wbuf *out)
{
	wbuf_u16(out, (uint16_t)n);
	for (size_t i = 0; i < n; i++) {
		wbuf_bytes(out, v[i].b, sizeof v[i].b);
	}
}

enum err statement_get_links(const struct statement *s, struct peer_id **v,
			     size_t *n)
{
	struct span in = span_of(s->body, s->size);
	enum err err;

	*v = NULL;
	*n = 0;
	err = wire_get_count(&in, STATEMENT_MAX_LINKS, sizeof **v, n);
	if (!err && *n) {
		*v = xcalloc(*n, sizeof **v);
	}
	for (size_t i = 0; !err && i < *n; i++) {
		err = wire_get_id(&in, &(*v)[i]);
		if (!err && !link_belongs(&(*v)[i], s->chunk)) {
			err = ERR_MALFORMED;
		}
	}
	return err;
}

uint8_t statement_chunk_of(const struct binding_key *key)
{
	const uint8_t vni[3] = {(uint8_t)key->vni, (uint8_t)(key->vni >> 8),
				(uint8_t)(key->vni >> 16)};
	uint32_t h = hash(2166136261u, key->mac.b, sizeof key->mac.b);

	h = fold(hash(h, vni, sizeof vni));
	return (uint8_t)(STATEMENT_BINDINGS + h % STATEMENT_N_BINDINGS);
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
