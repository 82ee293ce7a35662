/* Which way frames take to a peer: through the kernel's datapath in ESP
 * ("fastdp"), or sealed in UDP by this process ("sleeve"). */
#ifndef FDP_MESH_OVERLAY_H
#define FDP_MESH_OVERLAY_H 1

#include <stdbool.h>

/* What an operator wants. */
enum overlay_setting {
	OVERLAY_AUTO,	/* fastdp where it works, else sleeve. */
	OVERLAY_FASTDP, /* Nothing else. */
	OVERLAY_SLEEVE,
	N_OVERLAY_SETTINGS
};

/* "auto", "fastdp", "sleeve". */
const char *overlay_setting_name(enum overlay_setting);
/* False if there is none of that name. */
bool overlay_setting_parse(const char *name, enum overlay_setting *);

#endif
