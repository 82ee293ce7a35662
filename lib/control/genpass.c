#include "control/genpass.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

static_assert(GENPASS_N_DATA * 5 >= GENPASS_BITS_SIZE * 8, "room for the bits");
static_assert(GENPASS_N_CHARS <= 31, "longer, and the code loses distance");
static_assert(GENPASS_SIZE ==
		      GENPASS_N_CHARS + GENPASS_N_CHARS / GENPASS_GROUP - 1,
	      "one dash between groups");

/* Times x in GF(32) = GF(2)[x] / (x^5 + x^2 + 1). */
static uint8_t times_x(uint8_t a)
{
	return (uint8_t)(((a << 1) ^ (a & 0x10 ? 0x25 : 0)) & 0x1f);
}

/* The codeword, highest coefficient first, modulo (z - x)(z - x^2): the two
 * values at the roots, by Horner's rule.  Both are 0 for a codeword. */
static void syndromes(const uint8_t *word, size_t n, uint8_t *s1, uint8_t *s2)
{
	size_t i;

	*s1 = *s2 = 0;
	for (i = 0; i < n; i++) {
		*s1 = times_x(*s1) ^ word[i];
		*s2 = times_x(times_x(*s2)) ^ word[i];
	}
}

/* The last two characters by division by the generator polynomial
 * z^2 + (x + x^2) z + x^3. */
static void add_checksum(uint8_t word[GENPASS_N_CHARS])
{
	uint8_t hi = 0, lo = 0;
	size_t i;

	for (i = 0; i < GENPASS_N_DATA; i++) {
		uint8_t q = hi ^ word[i];
		uint8_t q1 = times_x(q);
		uint8_t q2 = times_x(q1);

		hi = lo ^ q1 ^ q2;
		lo = times_x(q2);
	}
	word[GENPASS_N_DATA] = hi;
	word[GENPASS_N_DATA + 1] = lo;
}

void genpass_format(const uint8_t bits[GENPASS_BITS_SIZE],
		    char text[GENPASS_STRLEN])
{
	uint8_t word[GENPASS_N_CHARS];
	unsigned int held = 0, n_held = 0;
	size_t i, n = 0;

	for (i = 0; i < GENPASS_N_DATA; i++) {
		if (n_held < 5) {
			held = held << 8 |
			       (n < GENPASS_BITS_SIZE ? bits[n] : 0);
			n++;
			n_held += 8;
		}
		n_held -= 5;
		word[i] = held >> n_held & 0x1f;
		held &= (1u << n_held) - 1;
	}
	add_checksum(word);
	for (i = 0; i < GENPASS_N_CHARS; i++) {
		if (i && i % GENPASS_GROUP == 0) {
			*text++ = '-';
		}
		*text++ = alphabet[word[i]];
	}
	*text = '\0';
	sodium_memzero(word, sizeof word);
	sodium_memzero(&held, sizeof held);
}

/* Undoes the spelling only. */
static enum err read_word(struct span text, uint8_t word[GENPASS_N_CHARS])
{
	size_t n = 0;
	uint8_t c;

	if (text.size != GENPASS_SIZE) {
		return ERR_MALFORMED;
	}
	while (!span_u8(&text, &c)) {
		const char *at;

		if (text.size &&
		    (GENPASS_SIZE - text.size) % (GENPASS_GROUP + 1) == 0) {
			if (c != '-') {
				return ERR_MALFORMED;
			}
			continue;
		}
		at = c ? strchr(alphabet, c) : NULL;
		if (!at) {
			return ERR_MALFORMED;
		}
		word[n++] = (uint8_t)(at - alphabet);
	}
	return FDP_OK;
}

enum err genpass_check(struct span text)
{
	uint8_t word[GENPASS_N_CHARS] = {0};
	enum err err = read_word(text, word);
	uint8_t s1, s2;

	if (!err) {
		syndromes(word, GENPASS_N_CHARS, &s1, &s2);
		if (s1 || s2 || word[GENPASS_N_DATA - 1] & 3) {
			err = ERR_AUTH;
		}
	}
	sodium_memzero(word, sizeof word);
	return err;
}
