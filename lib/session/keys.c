#include "session/keys.h"

#include <string.h>

#include <sodium.h>

#include "crypto/kdf.h"
#include "util.h"

/* An info string is built in a wbuf of this size, with room to spare. */
enum {
	INFO_MAX_BYTES = 128
};

void session_export(const struct secret *s1, const char *label,
		    struct secret *out)
{
	kdf_label(s1, label, span_of(NULL, 0), out);
}

void sleeve_key(const struct secret *s1, uint32_t epoch,
		enum key_direction direction, struct secret *out)
{
	struct wbuf context = WBUF_INITIALIZER(INFO_MAX_BYTES);

	wbuf_u32(&context, epoch);
	wbuf_u8(&context, (uint8_t)direction);
	kdf_label(s1, "fdp1 sleeve", wbuf_span(&context), out);
	wbuf_free(&context);
}

void esp_key(const struct secret *esp, const struct esp_key_params *p,
	     struct esp_keymat *out)
{
	struct wbuf info = WBUF_INITIALIZER(INFO_MAX_BYTES);
	struct secret prk;
	enum err err;

	wbuf_bytes(&info, "esp", 3);
	wbuf_u8(&info, (uint8_t)p->direction);
	wbuf_u32(&info, p->spi);
	wbuf_bytes(&info, p->src_id.b, sizeof p->src_id.b);
	wbuf_bytes(&info, p->dst_id.b, sizeof p->dst_id.b);
	wbuf_bytes(&info, p->src_ip.b, sizeof p->src_ip.b);
	wbuf_bytes(&info, p->dst_ip.b, sizeof p->dst_ip.b);

	kdf_extract(span_of(p->salt, sizeof p->salt),
		    span_of(esp->b, sizeof esp->b), &prk);
	err = kdf_expand(span_of(prk.b, sizeof prk.b), wbuf_span(&info), out->b,
			 sizeof out->b);
	ovs_assert(!err && !info.overflow);
	secret_wipe(&prk);
	wbuf_free(&info);
}

void esp_keymat_wipe(struct esp_keymat *k)
{
	sodium_memzero(k->b, sizeof k->b);
}
