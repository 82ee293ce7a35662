#include "kmod-glue/clock.h"

#include <time.h>

#include <sodium.h>

#include "util.h"

static uint64_t read_clock(clockid_t id)
{
	struct timespec ts;

	ovs_assert(!clock_gettime(id, &ts));
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_boottime_us(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

uint64_t clock_wall_us(void)
{
	return read_clock(CLOCK_REALTIME);
}

static void fill_random(void *aux OVS_UNUSED, void *buf, size_t size)
{
	randombytes_buf(buf, size);
}

const struct rng system_rng = {fill_random, NULL};
