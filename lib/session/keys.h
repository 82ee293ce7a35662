/* Keys that a session gives to others: exports of the session secret S1, and
 * the keys of the ESP security associations.
 *
 * Every use has its own label, every SA its own direction, SPI, peers and
 * addresses in the derivation and fresh salt from the receiver, so that no key
 * serves twice.  docs/PROTOCOL.md, "Key schedule".
 */
#ifndef FDP_SESSION_KEYS_H
#define FDP_SESSION_KEYS_H 1

#include <stdint.h>

#include "base/addr.h"
#include "base/secret.h"
#include "session/handshake.h"

enum {
	ESP_SALT_BYTES = 32,  /* The receiver's, in its SA offer. */
	ESP_KEYMAT_BYTES = 36 /* AES-256 key and RFC 4106 salt. */
};

/* Labels of session_export() that are in use. */
#define KEY_LABEL_TCP_I2R "fdp1 tcp i2r"
#define KEY_LABEL_TCP_R2I "fdp1 tcp r2i"
#define KEY_LABEL_ESP	  "fdp1 esp"
#define KEY_LABEL_CHAIN	  "fdp1 chain"

/* Which way a key's traffic flows. */
enum key_direction {
	KEY_I2R = 0,
	KEY_R2I = 1
};

/* The direction of traffic that the side with 'role' sends. */
static inline enum key_direction key_direction_tx(enum hs_role role)
{
	return role == HS_INITIATOR ? KEY_I2R : KEY_R2I;
}

static inline enum key_direction key_direction_rx(enum hs_role role)
{
	return role == HS_INITIATOR ? KEY_R2I : KEY_I2R;
}

/* HKDF-Expand(S1, label): an independent secret for another protocol part. */
void session_export(const struct secret *s1, const char *label,
		    struct secret *out);

/* What seals the datagrams of the sleeve; numbers on the wire. */
enum sleeve_cipher {
	SLEEVE_CIPHER_NONE = 0, /* Of a session without a password only. */
	SLEEVE_CIPHER_XSALSA20 = 1,
	SLEEVE_CIPHER_AES_GCM = 2,
	N_SLEEVE_CIPHERS
};

/* The sleeve's key for one direction and epoch. */
void sleeve_key(const struct secret *s1, uint32_t epoch, enum key_direction,
		struct secret *out);

/* Everything that names one SA.  'src' sends the traffic, 'dst' receives it and
 * chose 'spi' and 'salt'. */
struct esp_key_params {
	uint8_t salt[ESP_SALT_BYTES];
	enum key_direction direction;
	uint32_t spi; /* Host order. */
	struct peer_id src_id, dst_id;
	struct ip_addr src_ip, dst_ip; /* Underlay addresses. */
};

/* As the kernel's rfc4106(gcm(aes)) wants it: 32 bytes of key, 4 of salt. */
struct esp_keymat {
	uint8_t b[ESP_KEYMAT_BYTES];
};

/* 'esp' is session_export(S1, KEY_LABEL_ESP).  The caller wipes 'out'. */
void esp_key(const struct secret *esp, const struct esp_key_params *,
	     struct esp_keymat *out);
void esp_keymat_wipe(struct esp_keymat *);

#endif
