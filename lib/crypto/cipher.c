#include "crypto/cipher.h"

#include <string.h>

#include <sodium.h>

#include "crypto/cipher_backend.h"
#include "util.h"

enum {
	N_CIPHERS = CIPHER_AES_256_GCM + 1,
	BACKENDS_MAX = 8,
	GCM_NONCE_BYTES = 12
};

const struct cipher_backend *const cipher_backends[] = {
#ifdef FDP_HAVE_IPSEC_MB
	&cipher_ipsec_mb_gcm,
#endif
	&cipher_openssl_gcm,  &cipher_sodium_gcm, &cipher_sodium_xsalsa, NULL,
};

struct cipher_suite {
	/* As in cipher_backends[], once they are asked for: what is not used
	 * need not be in memory. */
	void *libraries[BACKENDS_MAX];
	bool asked[BACKENDS_MAX];
	size_t chosen[N_CIPHERS]; /* BACKENDS_MAX: none. */
};

struct cipher_key {
	enum cipher cipher;
	const struct cipher_backend *backend; /* NULL for CIPHER_NONE. */
	void *key;
	unsigned int n_threads;
};

const char *cipher_name(enum cipher cipher)
{
	switch (cipher) {
	case CIPHER_NONE:
		return "none";
	case CIPHER_XSALSA20_POLY1305:
		return "xsalsa20-poly1305";
	case CIPHER_AES_256_GCM:
		return "aes-256-gcm";
	}
	return "?";
}

/* Not for CIPHER_NONE, nor what is no cipher. */
static bool is_sealing(enum cipher cipher)
{
	return cipher == CIPHER_XSALSA20_POLY1305 ||
	       cipher == CIPHER_AES_256_GCM;
}

/* NULL if it is not for this machine. */
static void *library(struct cipher_suite *suite, size_t i)
{
	if (!suite->asked[i]) {
		suite->asked[i] = true;
		suite->libraries[i] = cipher_backends[i]->library_new();
	}
	return suite->libraries[i];
}

struct cipher_suite *cipher_suite_new(void)
{
	struct cipher_suite *suite = xzalloc(sizeof *suite);

	_Static_assert(sizeof cipher_backends / sizeof cipher_backends[0] <=
			       BACKENDS_MAX + 1,
		       "room for every backend");
	for (size_t c = 0; c < N_CIPHERS; c++) {
		suite->chosen[c] = BACKENDS_MAX;
	}
	for (size_t i = 0; cipher_backends[i]; i++) {
		const struct cipher_backend *b = cipher_backends[i];

		if (suite->chosen[b->cipher] == BACKENDS_MAX &&
		    library(suite, i)) {
			suite->chosen[b->cipher] = i;
		}
	}
	return suite;
}

void cipher_suite_free(struct cipher_suite *suite)
{
	if (!suite) {
		return;
	}
	for (size_t i = 0; cipher_backends[i]; i++) {
		if (suite->libraries[i]) {
			cipher_backends[i]->library_free(suite->libraries[i]);
		}
	}
	free(suite);
}

const char *cipher_suite_backend(const struct cipher_suite *suite,
				 enum cipher cipher)
{
	if (!is_sealing(cipher) || suite->chosen[cipher] == BACKENDS_MAX) {
		return NULL;
	}
	return cipher_backends[suite->chosen[cipher]]->name;
}

const char *cipher_suite_candidate(struct cipher_suite *suite,
				   enum cipher cipher, size_t i)
{
	for (size_t k = 0; cipher_backends[k]; k++) {
		if (cipher_backends[k]->cipher == cipher && library(suite, k) &&
		    !i--) {
			return cipher_backends[k]->name;
		}
	}
	return NULL;
}

enum err cipher_suite_choose(struct cipher_suite *suite, enum cipher cipher,
			     const char *backend)
{
	for (size_t i = 0; cipher_backends[i]; i++) {
		if (cipher_backends[i]->cipher == cipher &&
		    !strcmp(cipher_backends[i]->name, backend) &&
		    library(suite, i)) {
			suite->chosen[cipher] = i;
			return FDP_OK;
		}
	}
	return ERR_UNSUPPORTED;
}

enum err cipher_key_new(const struct cipher_suite *suite, enum cipher cipher,
			enum cipher_direction direction,
			const struct secret *secret, unsigned int n_threads,
			struct cipher_key **keyp)
{
	const struct cipher_backend *b;
	struct cipher_key *key;
	void *ready;

	ovs_assert(n_threads && n_threads <= CIPHER_THREADS_MAX);
	if (!is_sealing(cipher) || suite->chosen[cipher] == BACKENDS_MAX) {
		return ERR_UNSUPPORTED;
	}
	b = cipher_backends[suite->chosen[cipher]];
	ready = b->key_new(suite->libraries[suite->chosen[cipher]], direction,
			   secret, n_threads);
	if (!ready) {
		return ERR_LIMIT;
	}
	key = xzalloc(sizeof *key);
	key->cipher = cipher;
	key->backend = b;
	key->key = ready;
	key->n_threads = n_threads;
	*keyp = key;
	return FDP_OK;
}

struct cipher_key *cipher_key_new_plain(void)
{
	return xzalloc(sizeof(struct cipher_key));
}

void cipher_key_free(struct cipher_key *key)
{
	if (key && key->backend) {
		key->backend->key_free(key->key);
	}
	free(key);
}

enum cipher cipher_key_cipher(const struct cipher_key *key)
{
	return key->cipher;
}

bool cipher_key_proves(const struct cipher_key *key)
{
	return key->cipher != CIPHER_NONE;
}

/* Nonce and associated data of a datagram; 'bytes' has room for any nonce. */
static struct cipher_message message(const struct cipher_key *key,
				     const struct aead_nonce *nonce,
				     const uint8_t header[CIPHER_HEADER_BYTES],
				     uint8_t *text, size_t size,
				     uint8_t bytes[AEAD_NONCE_BYTES])
{
	struct cipher_message m = {.text = text, .size = size};

	ovs_assert(size <= CIPHER_TEXT_MAX);
	aead_nonce_bytes(nonce, bytes);
	if (key->cipher == CIPHER_AES_256_GCM) {
		m.nonce = bytes + AEAD_NONCE_BYTES - GCM_NONCE_BYTES;
		bytes[12] = (uint8_t)((bytes[12] & 0x7f) |
				      (nonce->initiator ? 0x80 : 0));
		m.aad = span_of(header, CIPHER_HEADER_BYTES);
	} else {
		m.nonce = bytes;
		memcpy(bytes + 4, header, 8);
	}
	return m;
}

void cipher_seal(const struct cipher_key *key, unsigned int thread,
		 const struct aead_nonce *nonce,
		 const uint8_t header[CIPHER_HEADER_BYTES], uint8_t *text,
		 size_t size, uint8_t tag[CIPHER_TAG_BYTES])
{
	uint8_t bytes[AEAD_NONCE_BYTES];
	struct cipher_message m;

	if (!key->backend) {
		memset(tag, 0, CIPHER_TAG_BYTES);
		return;
	}
	ovs_assert(thread < key->n_threads);
	m = message(key, nonce, header, text, size, bytes);
	key->backend->seal(key->key, thread, &m, tag);
}

enum err cipher_open(const struct cipher_key *key, unsigned int thread,
		     const struct aead_nonce *nonce,
		     const uint8_t header[CIPHER_HEADER_BYTES], uint8_t *text,
		     size_t size, const uint8_t tag[CIPHER_TAG_BYTES])
{
	uint8_t bytes[AEAD_NONCE_BYTES];
	struct cipher_message m;

	if (!key->backend) {
		return sodium_is_zero(tag, CIPHER_TAG_BYTES) ? FDP_OK
							     : ERR_AUTH;
	}
	ovs_assert(thread < key->n_threads);
	m = message(key, nonce, header, text, size, bytes);
	return key->backend->open(key->key, thread, &m, tag) ? FDP_OK
							     : ERR_AUTH;
}
