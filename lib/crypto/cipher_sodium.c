/* Both ciphers of libsodium, whose sodium_init() has picked the fastest code it
 * has for this processor. */
#include <sodium.h>

#include "crypto/cipher_backend.h"
#include "util.h"

_Static_assert(CIPHER_TAG_BYTES == crypto_aead_aes256gcm_ABYTES, "GCM tag");
_Static_assert((int)CIPHER_TAG_BYTES == (int)crypto_secretbox_MACBYTES,
	       "Poly1305 tag");

/* It may be any address, but not the null pointer, which free() would take. */
static void *always(void)
{
	return xmalloc(1);
}

static void *gcm_library_new(void)
{
	return crypto_aead_aes256gcm_is_available() ? xmalloc(1) : NULL;
}

static void *gcm_key_new(void *library, enum cipher_direction direction,
			 const struct secret *secret, unsigned int n_threads)
{
	crypto_aead_aes256gcm_state *key = xzalloc_cacheline(sizeof *key);

	(void)library;
	(void)direction;
	(void)n_threads; /* Calls do not write to it. */
	crypto_aead_aes256gcm_beforenm(key, secret->b);
	return key;
}

static void gcm_key_free(void *key)
{
	sodium_memzero(key, sizeof(crypto_aead_aes256gcm_state));
	free_cacheline(key);
}

static void gcm_seal(void *key, unsigned int thread,
		     const struct cipher_message *m,
		     uint8_t tag[CIPHER_TAG_BYTES])
{
	(void)thread;
	crypto_aead_aes256gcm_encrypt_detached_afternm(
		m->text, tag, NULL, m->text, m->size, m->aad.data, m->aad.size,
		NULL, m->nonce, key);
}

static bool gcm_open(void *key, unsigned int thread,
		     const struct cipher_message *m,
		     const uint8_t tag[CIPHER_TAG_BYTES])
{
	(void)thread;
	return !crypto_aead_aes256gcm_decrypt_detached_afternm(
		m->text, NULL, m->text, m->size, tag, m->aad.data, m->aad.size,
		m->nonce, key);
}

const struct cipher_backend cipher_sodium_gcm = {
	.name = "libsodium",
	.cipher = CIPHER_AES_256_GCM,
	.library_new = gcm_library_new,
	.library_free = free,
	.key_new = gcm_key_new,
	.key_free = gcm_key_free,
	.seal = gcm_seal,
	.open = gcm_open,
};

static void *xsalsa_key_new(void *library, enum cipher_direction direction,
			    const struct secret *secret, unsigned int n_threads)
{
	(void)library;
	(void)direction;
	(void)n_threads;
	return xmemdup(secret, sizeof *secret);
}

static void xsalsa_key_free(void *key)
{
	secret_wipe(key);
	free(key);
}

static void xsalsa_seal(void *key, unsigned int thread,
			const struct cipher_message *m,
			uint8_t tag[CIPHER_TAG_BYTES])
{
	const struct secret *secret = key;

	(void)thread;
	crypto_secretbox_detached(m->text, tag, m->text, m->size, m->nonce,
				  secret->b);
}

static bool xsalsa_open(void *key, unsigned int thread,
			const struct cipher_message *m,
			const uint8_t tag[CIPHER_TAG_BYTES])
{
	const struct secret *secret = key;

	(void)thread;
	return !crypto_secretbox_open_detached(m->text, m->text, tag, m->size,
					       m->nonce, secret->b);
}

const struct cipher_backend cipher_sodium_xsalsa = {
	.name = "libsodium",
	.cipher = CIPHER_XSALSA20_POLY1305,
	.library_new = always,
	.library_free = free,
	.key_new = xsalsa_key_new,
	.key_free = xsalsa_key_free,
	.seal = xsalsa_seal,
	.open = xsalsa_open,
};
