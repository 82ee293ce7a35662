#include "mesh/overlay.h"

#include <string.h>

#include "util.h"

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

static bool works(const struct overlay_way *way)
{
	return way->can && way->up && !way->dead;
}

static void take_sleeve(struct overlay *o, enum reason reason, uint64_t now_us)
{
	const bool flaps = o->back_us && now_us - o->back_us < OVERLAY_FLAP_US;

	/* Once may be chance. */
	o->hold_us = flaps && o->flapped ? MIN(o->hold_us * 2,
					       (uint64_t)OVERLAY_HOLD_MAX_US)
					 : (uint64_t)OVERLAY_HOLD_US;
	o->flapped = flaps;
	o->sleeve = true;
	o->reason = reason;
	o->since_us = now_us;
	o->good_us = 0;
}

static void take_fast(struct overlay *o, uint64_t now_us)
{
	o->sleeve = false;
	o->reason = REASON_NONE;
	o->since_us = o->back_us = now_us;
	o->good_us = 0;
}

bool overlay_choose(struct overlay *o, const struct overlay_way *fast,
		    const struct overlay_way *sleeve, uint64_t now_us)
{
	const bool fast_works = works(fast), sleeve_works = works(sleeve);
	const bool fast_gets_there = fast_works && fast->proved;

	if (!o->sleeve) {
		/* It is no use to leave one dead way for another. */
		if ((fast_works && !fast->narrow) || fast->pending ||
		    !sleeve_works || !sleeve->proved) {
			return false;
		}
		take_sleeve(o, fast->reason, now_us);
		return true;
	}
	if (!fast_gets_there || fast->narrow) {
		o->good_us = 0;
		/* That keys are on their way says nothing of the cause. */
		if (fast->reason && !fast->pending) {
			o->reason = fast->reason;
		}
	} else if (!o->good_us) {
		o->good_us = now_us;
	}
	/* Of a sleeve that fails, fastdp that gets there is better at once. */
	if ((o->good_us && now_us - o->good_us >= o->hold_us &&
	     !fast->doubtful) ||
	    (fast_gets_there && !sleeve_works) || !sleeve->can) {
		take_fast(o, now_us);
		return true;
	}
	return false;
}

void overlay_begin(struct overlay *o, enum reason reason, uint64_t now_us)
{
	*o = (struct overlay){0};
	take_sleeve(o, reason, now_us);
}

void overlay_forgive(struct overlay *o)
{
	o->back_us = 0;
	o->flapped = false;
	o->hold_us = MIN(o->hold_us, (uint64_t)OVERLAY_HOLD_US);
}

bool overlay_returns(const struct overlay *o, uint64_t now_us)
{
	return o->sleeve && o->good_us &&
	       now_us + OVERLAY_HOLD_US >= o->good_us + o->hold_us;
}

uint64_t overlay_due_us(const struct overlay *o)
{
	return o->sleeve && o->good_us ? o->good_us + o->hold_us : UINT64_MAX;
}
