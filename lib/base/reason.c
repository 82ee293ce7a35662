#include "base/reason.h"

#include <string.h>

static const struct {
	const char *slug;
	const char *text;
	const char *remedy;
} reasons[N_REASONS] = {
	[REASON_NONE] = {"", "", ""},
#define X(NAME, SLUG, TEXT, REMEDY) [REASON_##NAME] = {SLUG, TEXT, REMEDY},
#include "base/reason.def"
#undef X
};

const char *reason_slug(enum reason reason)
{
	return (unsigned int)reason < N_REASONS ? reasons[reason].slug : "?";
}

const char *reason_text(enum reason reason)
{
	return (unsigned int)reason < N_REASONS ? reasons[reason].text : "?";
}

const char *reason_remedy(enum reason reason)
{
	return (unsigned int)reason < N_REASONS ? reasons[reason].remedy : "";
}

enum reason reason_find(const char *slug)
{
	for (unsigned int i = 0; i < N_REASONS; i++) {
		if (!strcmp(reasons[i].slug, slug)) {
			return (enum reason)i;
		}
	}
	return REASON_NONE;
}
