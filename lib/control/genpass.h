/* Generated passwords: 128 random bits that survive being read out, typed and
 * copied by hand.
 *
 *	7m4q-zt0v-9kcn-x1h5-pb8g-w2ej-6rdy
 *
 * 26 characters carry the bits, two the checksum, in groups of four.  The
 * alphabet is Crockford's base32 in lower case: no i, l, o or u, so there is
 * nothing to mistake.  The checksum is that of a Reed-Solomon code over
 * GF(32) (polynomial x^5 + x^2 + 1, generator x, roots x and x^2; [28, 26],
 * distance 3): any one or two wrong characters and any two exchanged ones are
 * found, of all other mistakes 1023 in 1024.
 *
 * The password is the text itself, dashes and all: nothing else is ever
 * derived of it, and so only this one spelling passes the check. */
#ifndef FDP_CONTROL_GENPASS_H
#define FDP_CONTROL_GENPASS_H 1

#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

enum {
	GENPASS_BITS_SIZE = 16,
	GENPASS_N_DATA = 26,  /* Characters that carry bits: 130, 2 unused. */
	GENPASS_N_CHARS = 28, /* With the checksum. */
	GENPASS_GROUP = 4,    /* Characters between dashes. */
	GENPASS_SIZE = 34,    /* Bytes of text. */
	GENPASS_STRLEN = 35   /* With the final NUL. */
};

/* Writes 'bits' as a password.  Both are the caller's to wipe. */
void genpass_format(const uint8_t bits[GENPASS_BITS_SIZE],
		    char text[GENPASS_STRLEN]);

/* Is 'text' (without a newline) a password as genpass_format() writes it?
 * ERR_MALFORMED: wrong length, characters or grouping, so that it was not made
 * by genpass; ERR_AUTH: it was, but something in it is wrong now. */
enum err genpass_check(struct span text) FDP_MUST_CHECK;

#endif
