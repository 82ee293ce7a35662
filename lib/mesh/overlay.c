#include "mesh/overlay.h"

#include <string.h>

static const char *const setting_names[N_OVERLAY_SETTINGS] = {
	[OVERLAY_AUTO] = "auto",
	[OVERLAY_FASTDP] = "fastdp",
	[OVERLAY_SLEEVE] = "sleeve",
};

const char *overlay_setting_name(enum overlay_setting setting)
{
	return setting_names[setting];
}

bool overlay_setting_parse(const char *name, enum overlay_setting *setting)
{
	for (unsigned int i = 0; i < N_OVERLAY_SETTINGS; i++) {
		if (!strcmp(name, setting_names[i])) {
			*setting = (enum overlay_setting)i;
			return true;
		}
	}
	return false;
}
