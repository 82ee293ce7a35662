/* What a library must offer to compute one of the ciphers of crypto/cipher.h.
 * Only cipher.c and its test look in here. */
#ifndef FDP_CRYPTO_CIPHER_BACKEND_H
#define FDP_CRYPTO_CIPHER_BACKEND_H 1

#include "crypto/cipher.h"

/* One message in place. */
struct cipher_message {
	const uint8_t *nonce; /* As long as the cipher wants it. */
	struct span aad;      /* Empty for ciphers that have none. */
	uint8_t *text;
	size_t size;
};

struct cipher_backend {
	const char *name;
	enum cipher cipher;

	/* What all keys share; NULL if the library or the processor does not
	 * suit. */
	void *(*library_new)(void);
	void (*library_free)(void *library);

	/* A key with what each thread needs of its own.  NULL: no memory, or
	 * the library failed. */
	void *(*key_new)(void *library, enum cipher_direction,
			 const struct secret *, unsigned int n_threads);
	void (*key_free)(void *key);

	void (*seal)(void *key, unsigned int thread,
		     const struct cipher_message *,
		     uint8_t tag[CIPHER_TAG_BYTES]);
	/* Was the tag right? */
	bool (*open)(void *key, unsigned int thread,
		     const struct cipher_message *,
		     const uint8_t tag[CIPHER_TAG_BYTES]);
};

/* NULL behind the last; for each cipher the fastest one first. */
extern const struct cipher_backend *const cipher_backends[];

extern const struct cipher_backend cipher_ipsec_mb_gcm;
extern const struct cipher_backend cipher_openssl_gcm;
extern const struct cipher_backend cipher_sodium_gcm;
extern const struct cipher_backend cipher_sodium_xsalsa;

#endif
