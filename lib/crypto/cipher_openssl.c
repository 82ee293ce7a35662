/* AES-256-GCM of OpenSSL's libcrypto.  A library context of our own keeps it
 * from reading the machine's openssl.cnf. */
#define ERR_STATE OPENSSL_ERR_STATE /* A type there, an error here. */
#include <openssl/evp.h>
#undef ERR_STATE

#include "crypto/cipher_backend.h"
#include "crypto/cipher_cpu.h"
#include "util.h"

struct library {
	OSSL_LIB_CTX *context;
	EVP_CIPHER *cipher;
};

struct key {
	unsigned int n_threads;
	EVP_CIPHER_CTX *contexts[]; /* A thread's each; the key is in them. */
};

static void library_free(void *library_)
{
	struct library *library = library_;

	EVP_CIPHER_free(library->cipher);
	OSSL_LIB_CTX_free(library->context);
	free(library);
}

static void *library_new(void)
{
	struct library *library;

	if (!cipher_cpu_has_gcm()) {
		return NULL;
	}
	library = xzalloc(sizeof *library);
	library->context = OSSL_LIB_CTX_new();
	if (library->context) {
		library->cipher =
			EVP_CIPHER_fetch(library->context, "AES-256-GCM", NULL);
	}
	if (!library->cipher) {
		library_free(library);
		return NULL;
	}
	return library;
}

static void key_free(void *key_)
{
	struct key *key = key_;

	for (unsigned int i = 0; i < key->n_threads; i++) {
		EVP_CIPHER_CTX_free(key->contexts[i]); /* Wipes. */
	}
	free(key);
}

static void *key_new(void *library_, enum cipher_direction direction,
		     const struct secret *secret, unsigned int n_threads)
{
	const struct library *library = library_;
	struct key *key =
		xzalloc(sizeof *key + n_threads * sizeof key->contexts[0]);

	key->n_threads = n_threads;
	for (unsigned int i = 0; i < n_threads; i++) {
		key->contexts[i] = EVP_CIPHER_CTX_new();
		if (!key->contexts[i] ||
		    EVP_CipherInit_ex2(key->contexts[i], library->cipher,
				       secret->b, NULL,
				       direction == CIPHER_SEAL, NULL) != 1) {
			key_free(key);
			return NULL;
		}
	}
	return key;
}

/* Everything but the tag.  Sizes fit into an int (CIPHER_TEXT_MAX). */
static bool run(EVP_CIPHER_CTX *context, const struct cipher_message *m)
{
	int n;

	return EVP_CipherInit_ex2(context, NULL, NULL, m->nonce, -1, NULL) ==
		       1 &&
	       EVP_CipherUpdate(context, NULL, &n, m->aad.data,
				(int)m->aad.size) == 1 &&
	       (!m->size || EVP_CipherUpdate(context, m->text, &n, m->text,
					     (int)m->size) == 1);
}

static void seal(void *key_, unsigned int thread,
		 const struct cipher_message *m, uint8_t tag[CIPHER_TAG_BYTES])
{
	struct key *key = key_;
	EVP_CIPHER_CTX *context = key->contexts[thread];
	uint8_t none[1];
	int n;

	/* Nothing of this fails with arguments like these; if it did, the text
	 * might still be plain, and must not get out. */
	ovs_assert(run(context, m) &&
		   EVP_CipherFinal_ex(context, none, &n) == 1 &&
		   EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG,
				       CIPHER_TAG_BYTES, tag) == 1);
}

static bool open(void *key_, unsigned int thread,
		 const struct cipher_message *m,
		 const uint8_t tag[CIPHER_TAG_BYTES])
{
	struct key *key = key_;
	EVP_CIPHER_CTX *context = key->contexts[thread];
	uint8_t own[CIPHER_TAG_BYTES], none[1];
	int n;

	memcpy(own, tag, sizeof own); /* It is not const there. */
	return run(context, m) &&
	       EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG,
				   CIPHER_TAG_BYTES, own) == 1 &&
	       EVP_CipherFinal_ex(context, none, &n) == 1;
}

const struct cipher_backend cipher_openssl_gcm = {
	.name = "openssl",
	.cipher = CIPHER_AES_256_GCM,
	.library_new = library_new,
	.library_free = library_free,
	.key_new = key_new,
	.key_free = key_free,
	.seal = seal,
	.open = open,
};
