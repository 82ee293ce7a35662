#include "base/err.h"

static const struct {
	const char *slug;
	const char *text;
} errs[N_ERRS] = {
	[FDP_OK] = {"ok", "success"},
#define X(NAME, SLUG, TEXT) [ERR_##NAME] = {SLUG, TEXT},
#include "base/err.def"
#undef X
};

const char *err_slug(enum err err)
{
	return (unsigned int)err < N_ERRS ? errs[err].slug : "unknown";
}

const char *err_text(enum err err)
{
	return (unsigned int)err < N_ERRS ? errs[err].text : "unknown error";
}
