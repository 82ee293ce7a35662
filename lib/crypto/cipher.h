/* Seals and opens datagrams in place, as fast as this processor can.
 *
 * Two ciphers, each with whatever library computes it best here:
 *
 *	AES-256-GCM		libipsec-mb, OpenSSL, libsodium (in this order)
 *	XSalsa20-Poly1305	libsodium (NaCl's secretbox, tag behind the
 * text)
 *
 * What there is is looked up once, in a cipher_suite; a cipher_key is a key
 * made ready for one of them and one direction.  Libraries that keep state per
 * call get one context per thread: every call says which thread it is of, and a
 * number may be used by one thread at a time.  No call allocates memory or
 * makes a system call.
 *
 * Nonces are those of crypto/aead.h.  XSalsa20-Poly1305 uses all 24 bytes, and
 * as it has no associated data, their bytes 4 to 11 are the first 8 of the
 * header.  AES-256-GCM's 12 bytes are the epoch's low 31 bits with the
 * initiator's bit above them, and the sequence number.  As a key serves one
 * epoch and direction, the sequence number alone makes a nonce unique.
 *
 * Neighbours: crypto/aead.h seals records of the session; sleeve/frame.h knows
 * what a datagram is.
 */
#ifndef FDP_CRYPTO_CIPHER_H
#define FDP_CRYPTO_CIPHER_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/span.h"
#include "crypto/aead.h"

/* Numbers are those of the wire. */
enum cipher {
	CIPHER_NONE = 0, /* Sessions without a password, and only they. */
	CIPHER_XSALSA20_POLY1305 = 1,
	CIPHER_AES_256_GCM = 2
};

enum {
	CIPHER_TAG_BYTES = 16,
	/* What is sent in the clear and is authentic all the same; its last 8
	 * bytes are the sequence number, which is in the nonce. */
	CIPHER_HEADER_BYTES = 16,
	CIPHER_TEXT_MAX = 65535,
	CIPHER_THREADS_MAX = 64
};

/* "aes-256-gcm"; "?" for no cipher of ours. */
const char *cipher_name(enum cipher);

/* What computes what on this machine.  Needs sodium_init() before. */
struct cipher_suite;

/* The best there is: for AES-256-GCM the processor must have AES and carry-less
 * multiplication, else it is missing: in software it is slow, or its time
 * depends on the key. */
struct cipher_suite *cipher_suite_new(void);
void cipher_suite_free(struct cipher_suite *);

/* "ipsec-mb", "openssl", "libsodium"; NULL if this machine lacks the cipher. */
const char *cipher_suite_backend(const struct cipher_suite *, enum cipher);

/* The backends that fit 'cipher' here, best first; NULL behind the last. */
const char *cipher_suite_candidate(struct cipher_suite *, enum cipher,
				   size_t i);

/* Takes the one with that name.  ERR_UNSUPPORTED if it is not there. */
enum err cipher_suite_choose(struct cipher_suite *, enum cipher,
			     const char *backend) FDP_MUST_CHECK;

/* A key made ready.  Its suite must live longer. */
struct cipher_key;

enum cipher_direction {
	CIPHER_SEAL,
	CIPHER_OPEN
};

/* Threads 0 to 'n_threads' - 1 may use it.  ERR_UNSUPPORTED: the suite lacks
 * the cipher; always so for CIPHER_NONE, so that no number out of a message can
 * make a session with a key go without. */
enum err cipher_key_new(const struct cipher_suite *, enum cipher,
			enum cipher_direction, const struct secret *,
			unsigned int n_threads,
			struct cipher_key **) FDP_MUST_CHECK;

/* The "key" of a session without a password: text stays text, tags are zero. */
struct cipher_key *cipher_key_new_plain(void);

/* Wipes. */
void cipher_key_free(struct cipher_key *);

enum cipher cipher_key_cipher(const struct cipher_key *);

/* Does opening prove who sealed?  Not for CIPHER_NONE: nothing of what such a
 * datagram says may move an endpoint. */
bool cipher_key_proves(const struct cipher_key *);

/* Seals 'size' bytes at 'text' in place. */
void cipher_seal(const struct cipher_key *, unsigned int thread,
		 const struct aead_nonce *,
		 const uint8_t header[CIPHER_HEADER_BYTES], uint8_t *text,
		 size_t size, uint8_t tag[CIPHER_TAG_BYTES]);

/* The opposite.  ERR_AUTH: not authentic, and what is at 'text' now is
 * worthless. */
enum err cipher_open(const struct cipher_key *, unsigned int thread,
		     const struct aead_nonce *,
		     const uint8_t header[CIPHER_HEADER_BYTES], uint8_t *text,
		     size_t size,
		     const uint8_t tag[CIPHER_TAG_BYTES]) FDP_MUST_CHECK;

#endif
