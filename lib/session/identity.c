#include "session/identity.h"

#include <string.h>

#include "session/tlv.h"
#include "util.h"

/* Types of the fields.  Those that make no identity without them are critical;
 * numbers 16 and up without the bit are free for later, optional fields. */
enum {
	FIELD_NAME = 1 | TLV_CRITICAL,
	FIELD_ID = 2 | TLV_CRITICAL,
	FIELD_INCARNATION = 3 | TLV_CRITICAL,
	FIELD_CAPABILITIES = 4,
	FIELD_VXLAN_PORT = 5,
	FIELD_MTU = 6,
	FIELD_KEY = 7,
	FIELD_SIGNATURE = 8, /* The last one, if it is there. */
	FIELD_INDEX_MASK = 0x1f
};

enum {
	SIGNATURE_TLV_BYTES = 4 + SIGN_BYTES
};

/* A number with the critical bit and the same without it are two types. */
#define FIELD_BIT(TYPE)                              \
	(UINT64_C(1) << (((TYPE)&FIELD_INDEX_MASK) | \
			 ((TYPE)&TLV_CRITICAL ? FIELD_INDEX_MASK + 1 : 0)))

static const uint64_t fields_needed = FIELD_BIT(FIELD_NAME) |
				      FIELD_BIT(FIELD_ID) |
				      FIELD_BIT(FIELD_INCARNATION);
static const uint64_t fields_signing =
	FIELD_BIT(FIELD_KEY) | FIELD_BIT(FIELD_SIGNATURE);

static bool name_char_is_valid(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (c && strchr("-_.:@", c));
}

static bool name_bytes_are_valid(const char *name, size_t size)
{
	if (!size || size >= IDENTITY_NAME_SIZE) {
		return false;
	}
	for (size_t i = 0; i < size; i++) {
		if (!name_char_is_valid(name[i])) {
			return false;
		}
	}
	return true;
}

bool identity_name_is_valid(const char *name)
{
	return name_bytes_are_valid(name, strnlen(name, IDENTITY_NAME_SIZE));
}

void identity_name_from(const char *text, char name[IDENTITY_NAME_SIZE])
{
	size_t i;

	for (i = 0; text[i] && i + 1 < IDENTITY_NAME_SIZE; i++) {
		name[i] = '-';
		if (name_char_is_valid(text[i])) {
			name[i] = text[i];
		}
	}
	name[i] = '\0';
}

void identity_encode(const struct identity *self, struct wbuf *out)
{
	ovs_assert(identity_name_is_valid(self->name) &&
		   !peer_id_is_zero(&self->id));
	tlv_put(out, FIELD_NAME, self->name, strlen(self->name));
	tlv_put(out, FIELD_ID, self->id.b, sizeof self->id.b);
	tlv_put_u64(out, FIELD_INCARNATION, self->incarnation);
	tlv_put_u32(out, FIELD_CAPABILITIES, self->capabilities);
	tlv_put_u16(out, FIELD_VXLAN_PORT, self->vxlan_port);
	tlv_put_u16(out, FIELD_MTU, self->mtu);
}

/* What is signed: a label, the role, the transcript, the identity. */
static void put_signed(const struct identity_context *context,
		       struct span identity, struct wbuf *out)
{
	static const char label[] = "fdp1 identity";

	wbuf_bytes(out, label, strlen(label));
	wbuf_u8(out, context->initiator ? 0 : 1);
	wbuf_bytes(out, context->hash, IDENTITY_HASH_BYTES);
	wbuf_bytes(out, identity.data, identity.size);
}

void identity_sign(const struct sign_pair *pair,
		   const struct identity_context *context, struct wbuf *out)
{
	struct wbuf data = WBUF_INITIALIZER(0);
	uint8_t signature[SIGN_BYTES];

	tlv_put(out, FIELD_KEY, pair->key.b, sizeof pair->key.b);
	put_signed(context, wbuf_span(out), &data);
	sign(pair, wbuf_span(&data), signature);
	tlv_put(out, FIELD_SIGNATURE, signature, sizeof signature);
	wbuf_free(&data);
}

enum err identity_verify(struct span bytes, const struct identity *id,
			 const struct identity_context *context)
{
	struct wbuf data = WBUF_INITIALIZER(0);
	enum err err;

	ovs_assert(id->has_key && bytes.size > SIGNATURE_TLV_BYTES);
	put_signed(context,
		   span_of(bytes.data, bytes.size - SIGNATURE_TLV_BYTES),
		   &data);
	err = sign_verify(&id->key, wbuf_span(&data),
			  bytes.data + bytes.size - SIGN_BYTES);
	wbuf_free(&data);
	return err;
}

enum err identity_name_decode(struct span value, char name[IDENTITY_NAME_SIZE])
{
	char text[IDENTITY_NAME_SIZE] = "";

	if (value.size >= sizeof text) {
		return ERR_OVERSIZED;
	}
	memcpy(text, value.data, value.size);
	if (!name_bytes_are_valid(text, value.size)) {
		return ERR_MALFORMED;
	}
	memcpy(name, text, sizeof text);
	return FDP_OK;
}

static enum err decode_field(uint16_t type, struct span value,
			     struct identity *id)
{
	enum err err;

	switch (type) {
	case FIELD_NAME:
		return identity_name_decode(value, id->name);
	case FIELD_ID:
		err = span_bytes(&value, id->id.b, sizeof id->id.b);
		break;
	case FIELD_INCARNATION:
		err = span_u64(&value, &id->incarnation);
		break;
	case FIELD_CAPABILITIES:
		err = span_u32(&value, &id->capabilities);
		break;
	case FIELD_VXLAN_PORT:
		err = span_u16(&value, &id->vxlan_port);
		break;
	case FIELD_MTU:
		err = span_u16(&value, &id->mtu);
		break;
	case FIELD_KEY:
		err = span_bytes(&value, id->key.b, sizeof id->key.b);
		break;
	case FIELD_SIGNATURE:
		return value.size == SIGN_BYTES ? FDP_OK : ERR_MALFORMED;
	default:
		return type & TLV_CRITICAL ? ERR_UNKNOWN_CRITICAL : FDP_OK;
	}
	return err || value.size ? ERR_MALFORMED : FDP_OK;
}

/* Notes in '*seen' that a field was there.  The signature covers what comes
 * before it, so nothing may follow. */
static enum err note_field(uint16_t type, uint64_t *seen)
{
	uint64_t bit = FIELD_BIT(type);

	if (*seen & FIELD_BIT(FIELD_SIGNATURE)) {
		return ERR_MALFORMED;
	}
	if ((type & ~TLV_CRITICAL) > FIELD_INDEX_MASK) {
		return FDP_OK;
	}
	if (*seen & bit) {
		return ERR_MALFORMED;
	}
	*seen |= bit;
	return FDP_OK;
}

enum err identity_decode(struct span bytes, struct identity *out)
{
	struct identity id = {.name = ""};
	uint64_t seen = 0;

	if (bytes.size > IDENTITY_MAX_BYTES) {
		return ERR_OVERSIZED;
	}
	while (bytes.size) {
		struct span value;
		uint16_t type;
		enum err err = tlv_next(&bytes, &type, &value);

		if (!err) {
			err = decode_field(type, value, &id);
		}
		if (!err) {
			err = note_field(type, &seen);
		}
		if (err) {
			return err;
		}
	}
	if ((seen & fields_needed) != fields_needed ||
	    peer_id_is_zero(&id.id)) {
		return ERR_MALFORMED;
	}
	if (seen & fields_signing) {
		if ((seen & fields_signing) != fields_signing) {
			return ERR_MALFORMED;
		}
		id.has_key = true;
	}
	*out = id;
	return FDP_OK;
}
