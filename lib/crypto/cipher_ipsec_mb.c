/* AES-256-GCM of libipsec-mb, which picks code for AES-NI, AVX2 or vector AES
 * by the processor.  Its direct functions need the manager for nothing but
 * their addresses. */
#include <intel-ipsec-mb.h>
#include <sodium.h>

#include "crypto/cipher_backend.h"
#include "util.h"

struct library {
	aes_gcm_pre_t prepare;
	aes_gcm_enc_dec_t seal, open;
};

struct context {
	_Alignas(64) struct gcm_context_data gcm;
};

struct key {
	struct gcm_key_data gcm;
	struct library library;
	size_t size; /* Of all this. */
	struct context contexts[];
};

static void *library_new(void)
{
	const uint64_t needs = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;
	struct library *library = NULL;
	IMB_MGR *manager = alloc_mb_mgr(0);

	if (!manager) {
		return NULL;
	}
	init_mb_mgr_auto(manager, NULL);
	if (!imb_get_errno(manager) && (manager->features & needs) == needs &&
	    !(manager->features & IMB_FEATURE_AESNI_EMU)) {
		library = xzalloc(sizeof *library);
		library->prepare = manager->gcm256_pre;
		library->seal = manager->gcm256_enc;
		library->open = manager->gcm256_dec;
	}
	free_mb_mgr(manager);
	return library;
}

static void *key_new(void *library, enum cipher_direction direction,
		     const struct secret *secret, unsigned int n_threads)
{
	size_t size = sizeof(struct key) + n_threads * sizeof(struct context);
	struct key *key = xzalloc_cacheline(size);

	(void)direction; /* The same key data serves both. */
	key->library = *(const struct library *)library;
	key->size = size;
	key->library.prepare(secret->b, &key->gcm);
	return key;
}

static void key_free(void *key_)
{
	struct key *key = key_;

	sodium_memzero(key, key->size);
	free_cacheline(key);
}

static void seal(void *key_, unsigned int thread,
		 const struct cipher_message *m, uint8_t tag[CIPHER_TAG_BYTES])
{
	struct key *key = key_;

	key->library.seal(&key->gcm, &key->contexts[thread].gcm, m->text,
			  m->text, m->size, m->nonce, m->aad.data, m->aad.size,
			  tag, CIPHER_TAG_BYTES);
}

static bool open(void *key_, unsigned int thread,
		 const struct cipher_message *m,
		 const uint8_t tag[CIPHER_TAG_BYTES])
{
	struct key *key = key_;
	uint8_t own[CIPHER_TAG_BYTES];

	key->library.open(&key->gcm, &key->contexts[thread].gcm, m->text,
			  m->text, m->size, m->nonce, m->aad.data, m->aad.size,
			  own, CIPHER_TAG_BYTES);
	return !crypto_verify_16(own, tag);
}

const struct cipher_backend cipher_ipsec_mb_gcm = {
	.name = "ipsec-mb",
	.cipher = CIPHER_AES_256_GCM,
	.library_new = library_new,
	.library_free = free,
	.key_new = key_new,
	.key_free = key_free,
	.seal = seal,
	.open = open,
};
