/* Partial meshes, for the tests of the pipeline. */
#ifndef FDP_TESTS_UNIT_PIPELINE_LINE_H
#define FDP_TESTS_UNIT_PIPELINE_LINE_H 1

#include "pipeline_world.h"

/*	6 --- 7 --- us --- 8 --- 5
 *
 * 5 and 6 are in network 1; 5, 6 and 8 are in network 3, in which we have
 * nothing. */

static UNUSED uint32_t line_next(void *aux, uint32_t source, uint32_t to)
{
	(void)aux;
	if (source == 6 || source == 7) {
		return to == 8 || to == 5 ? 8 : FWD_NOBODY;
	}
	return to == 7 || to == 6 ? 7 : FWD_NOBODY;
}

static UNUSED bool line_passes_on(void *aux, uint32_t source)
{
	(void)aux;
	return source >= 5 && source <= 8;
}

static UNUSED uint32_t line_parent(void *aux, uint32_t source)
{
	(void)aux;
	return source == 6 || source == 7 ? 7 : 8;
}

static UNUSED bool line_may_relay(void *aux, uint32_t source, uint32_t from)
{
	(void)aux;
	return (source == 6 && from == 7) || (source == 5 && from == 8);
}

static UNUSED void make_line(void)
{
	static const struct fwd_routes routes = {.passes_on = line_passes_on,
						 .next = line_next,
						 .parent = line_parent,
						 .may_relay = line_may_relay};

	world_bind(world, 5, 1, 5);
	world_bind(world, 6, 1, 6);
	world_bind(world, 5, 3, 5);
	world_bind(world, 6, 3, 6);
	world_bind(world, 8, 3, 8);
	forwarding_set_via(world, 5, 8);
	forwarding_set_via(world, 6, 7);
	forwarding_set_routes(world, &routes);
}

#define RELAYED_TCP4 FROM_RELAY " eth_dst tci/1000 type nw_src proto/f0 frag"
#define RELAYED_ALL  FROM_RELAY TO_ALL

#endif
