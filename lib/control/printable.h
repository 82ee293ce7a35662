/* Text from elsewhere, made safe for a terminal.
 *
 * Peers choose their own names, and a name may try to move the cursor or turn
 * the writing direction.  Whatever is not plainly visible becomes '?'. */
#ifndef FDP_CONTROL_PRINTABLE_H
#define FDP_CONTROL_PRINTABLE_H 1

#include <stddef.h>

struct ds;

/* Appends 'text' to 'ds'; control characters (C0, DEL, C1), line and
 * direction marks and bytes that are not UTF-8 (RFC 3629) become '?'.  Returns
 * how many characters that makes. */
size_t printable_put(struct ds *ds, const char *text);

/* How many characters are in 'text', which printable_put() wrote. */
size_t printable_width(const char *text);

#endif
