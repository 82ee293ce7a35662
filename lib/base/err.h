/* One error enum for all of lib/.
 *
 * Functions that can fail return enum err and are must-check; predicates
 * return bool.  Outputs are written only on success.  lib/ never logs: the
 * caller turns the error into one line, once.  Operating system errors do not
 * appear here: kmod-glue/ hands them over as plain errno values inside events.
 */
#ifndef FDP_BASE_ERR_H
#define FDP_BASE_ERR_H 1

#define FDP_MUST_CHECK __attribute__((warn_unused_result))

enum err {
	FDP_OK = 0,
#define X(NAME, SLUG, TEXT) ERR_##NAME,
#include "base/err.def"
#undef X
	N_ERRS
};

/* A stable short word for 'err', for JSON and tests ("ok" for success). */
const char *err_slug(enum err err);

/* A sentence for people, without capital and full stop. */
const char *err_text(enum err err);

#endif
