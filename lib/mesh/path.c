#include "mesh/path.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

void path_init(struct path *p, uint64_t first, uint64_t now_us)
{
	path_done(p);
	p->next = first;
	p->n_lanes = 1;
	p->due_us = now_us;
}

void path_done(struct path *p)
{
	free(p->ring);
	memset(p, 0, sizeof *p);
}

void path_still_dead(struct path *p)
{
	p->all = (struct path_track){.n = PATH_RECENT, .dead = true};
}

void path_traffic(struct path *p, uint64_t now_us)
{
	p->traffic_us = now_us;
	p->due_us = MIN(p->due_us, now_us + PATH_TRAFFIC_US);
}

/* ---- Tracks ---- */

static unsigned int n_ones(uint64_t bits)
{
	unsigned int n = 0;

	for (; bits; bits &= bits - 1) {
		n++;
	}
	return n;
}

static void track_add(struct path_track *t, bool acked)
{
	t->recent = (uint16_t)((t->recent << 1 | acked) &
			       ((1u << PATH_RECENT) - 1));
	t->n = (uint8_t)MIN(t->n + 1, PATH_RECENT);
	if (!t->dead && t->n == PATH_RECENT && !t->recent) {
		t->dead = true;
	} else if (t->dead && n_ones(t->recent) >= PATH_RECENT_GOOD) {
		t->dead = false;
	}
}

/* The last result speaks against the verdict. */
static bool track_in_doubt(const struct path_track *t)
{
	return t->n && t->dead == (t->recent & 1);
}

/* ---- Scheduling ---- */

static bool lanes_in_doubt(const struct path *p)
{
	/* A dead path has no lanes that could be told apart. */
	for (unsigned int i = 0; !p->all.dead && i < p->n_lanes; i++) {
		if (track_in_doubt(&p->lanes[i])) {
			return true;
		}
	}
	return false;
}

bool path_is_in_doubt(const struct path *p)
{
	return track_in_doubt(&p->all) || lanes_in_doubt(p) ||
	       (!p->all.dead && track_in_doubt(&p->large));
}

/* The present number of lanes; those that are gone are forgotten. */
static void set_lanes(struct path *p, unsigned int n)
{
	for (unsigned int i = n; i < PATH_MAX_LANES; i++) {
		memset(&p->lanes[i], 0, sizeof p->lanes[i]);
	}
	p->n_lanes = n;
}

/* Every other probe tries what is in doubt; the others go round, so that
 * whatever fails meanwhile is seen as well. */
static void choose(const struct path *p, bool large, struct path_plan *plan)
{
	unsigned int turn = p->turn;

	plan->large = false;
	plan->lane = (uint8_t)(turn % p->n_lanes);
	if (p->all.dead) {
		return;
	}
	if (turn % 2 && lanes_in_doubt(p)) {
		for (unsigned int i = 0; i < p->n_lanes; i++) {
			unsigned int lane = (turn + i) % p->n_lanes;

			if (track_in_doubt(&p->lanes[lane])) {
				plan->lane = (uint8_t)lane;
				return;
			}
		}
	}
	/* Should all be lost, small ones are what tells so. */
	if (large && !track_in_doubt(&p->all) &&
	    ((turn % 2 && track_in_doubt(&p->large)) ||
	     turn % PATH_LARGE_EVERY == PATH_LARGE_EVERY - 1)) {
		plan->large = true;
		plan->lane = (uint8_t)(turn / PATH_LARGE_EVERY % p->n_lanes);
	}
}

bool path_plan(struct path *p, unsigned int n_lanes, bool large,
	       uint64_t now_us, struct path_plan *plan)
{
	if (now_us < p->due_us) {
		return false;
	}
	if (n_lanes != p->n_lanes) {
		set_lanes(p, n_lanes);
	}
	if (!large) {
		memset(&p->large, 0, sizeof p->large);
	}
	choose(p, large, plan);
	p->turn++;
	return true;
}

/* ---- The ring ---- */

static struct path_probe *place(const struct path *p, uint64_t number)
{
	return &p->ring[number % p->n_ring];
}

/* Numbers that were apart still are, so nothing of it gets lost. */
static void widen(struct path *p, unsigned int n)
{
	struct path_probe *old = p->ring;
	const unsigned int n_old = p->n_ring;

	p->ring = xcalloc(n, sizeof *p->ring);
	p->n_ring = n;
	for (unsigned int i = 0; i < n_old; i++) {
		if (old[i].number) {
			*place(p, old[i].number) = old[i];
		}
	}
	free(old);
}

/* The place of the next one. */
static struct path_probe *make_place(struct path *p, uint64_t now_us)
{
	if (!p->n_ring) {
		widen(p, PATH_RING_FIRST);
	}
	while (p->n_ring < PATH_RING && place(p, p->next)->number &&
	       now_us - place(p, p->next)->sent_us < PATH_LATE_US) {
		widen(p, 2 * p->n_ring);
	}
	return place(p, p->next);
}

uint64_t path_sent(struct path *p, const struct path_plan *plan, uint16_t size,
		   enum path_purpose purpose, uint64_t now_us)
{
	struct path_probe *probe = make_place(p, now_us);

	*probe = (struct path_probe){.number = p->next,
				     .sent_us = now_us,
				     .size = size,
				     .lane = plan->lane,
				     .large = plan->large,
				     .waiting = true,
				     .purpose = purpose};
	p->n_sent += purpose == PATH_WATCH;
	return p->next++;
}

void path_schedule(struct path *p, unsigned int stretch, unsigned int jitter,
		   uint64_t now_us)
{
	uint64_t after_us = PATH_IDLE_US;

	if (path_is_in_doubt(p)) {
		p->due_us = now_us + PATH_DOUBT_US;
		return;
	}
	if (path_level(p) != PATH_GOOD ||
	    (p->traffic_us && now_us - p->traffic_us < PATH_TRAFFIC_KEPT_US)) {
		after_us = PATH_TRAFFIC_US;
	}
	after_us = MIN(after_us * stretch, (uint64_t)PATH_IDLE_US);
	/* A tenth around it. */
	p->due_us = now_us + after_us - after_us / 10 +
		    after_us / 5 * jitter / 1000;
}

static uint64_t patience_us(const struct path *p)
{
	uint64_t us = 2 * (uint64_t)p->rtt_us + 4 * (uint64_t)p->rtt_var_us;

	return MIN(MAX(us, PATH_PATIENCE_MIN_US), PATH_PATIENCE_MAX_US);
}

uint64_t path_due_us(const struct path *p)
{
	uint64_t due_us = p->due_us;

	for (unsigned int i = 0; !p->asked_us && i < p->n_ring; i++) {
		if (p->ring[i].number && p->ring[i].waiting) {
			due_us = MIN(due_us,
				     p->ring[i].sent_us + patience_us(p));
		}
	}
	return due_us;
}

/* ---- Results ---- */

static void measure(struct path *p, uint64_t rtt_us)
{
	uint32_t rtt = (uint32_t)MIN(rtt_us, UINT32_MAX / 8);
	uint32_t diff = rtt > p->rtt_us ? rtt - p->rtt_us : p->rtt_us - rtt;

	if (!p->rtt_us) {
		p->rtt_us = MAX(rtt, 1);
		p->rtt_var_us = rtt / 2;
		return;
	}
	p->rtt_var_us = (3 * p->rtt_var_us + diff) / 4;
	p->rtt_us = MAX((7 * p->rtt_us + rtt) / 8, 1);
}

static void judge_loss(struct path *p)
{
	unsigned int n_lost = p->n_window - n_ones(p->window);

	if (n_lost >= PATH_LOSSY) {
		p->lossy = true;
	} else if (n_lost <= PATH_LOSSY_NO_MORE) {
		p->lossy = false;
	}
}

void path_forget_loss(struct path *p)
{
	p->window = 0;
	p->n_window = 0;
	p->lossy = false;
}

/* A result of a small one.  False if it is not to be held against the whole, as
 * its lane is dead. */
static bool lane_result(struct path *p, unsigned int i, bool acked)
{
	struct path_track *lane;
	bool was_dead;

	if (i >= p->n_lanes || p->n_lanes == 1) {
		return true;
	}
	lane = &p->lanes[i];
	was_dead = lane->dead;
	track_add(lane, acked);
	if (lane->dead && !was_dead) {
		path_forget_loss(p);
	}
	return !lane->dead;
}

static void result(struct path *p, const struct path_probe *probe, bool acked)
{
	bool was_dead = p->all.dead;

	if (probe->purpose != PATH_WATCH) {
		return;
	}
	if (probe->large) {
		track_add(&p->large, acked);
		return;
	}
	track_add(&p->all, acked);
	if (lane_result(p, probe->lane, acked)) {
		p->window = p->window << 1 | acked;
		p->n_window = MIN(p->n_window + 1, PATH_WINDOW);
	}
	if (was_dead && !p->all.dead) {
		memset(p->lanes, 0, sizeof p->lanes);
		memset(&p->large, 0, sizeof p->large);
		path_forget_loss(p);
	}
	judge_loss(p);
}

static struct path_probe *find(struct path *p, uint64_t number)
{
	struct path_probe *probe = p->n_ring ? place(p, number) : NULL;

	return number && probe && probe->number == number ? probe : NULL;
}

void path_hurry(struct path *p, uint64_t now_us)
{
	p->due_us = MIN(p->due_us, now_us + PATH_DOUBT_US);
}

/* In doubt there is no time to lose. */
static void hurry(struct path *p, uint64_t now_us)
{
	if (path_is_in_doubt(p)) {
		path_hurry(p, now_us);
	}
}

bool path_acked(struct path *p, uint64_t number, uint64_t now_us,
		struct path_probe *out)
{
	struct path_probe *probe = find(p, number);

	if (!probe) {
		return false;
	}
	*out = *probe;
	probe->number = 0;
	p->n_acked += out->purpose == PATH_WATCH;
	p->acked_us = now_us;
	if (out->waiting) {
		measure(p, now_us - out->sent_us);
	} else {
		/* It was only late. */
		p->n_lost -= out->purpose == PATH_WATCH;
	}
	result(p, out, true);
	hurry(p, now_us);
	return out->waiting;
}

uint64_t path_overdue(struct path *p, uint64_t now_us)
{
	uint64_t upto = 0;

	if (p->asked_us) {
		return 0;
	}
	for (unsigned int i = 0; i < p->n_ring; i++) {
		const struct path_probe *probe = &p->ring[i];

		if (probe->number && probe->waiting &&
		    now_us >= probe->sent_us + patience_us(p)) {
			upto = MAX(upto, probe->number);
		}
	}
	if (upto) {
		p->asked = upto;
		p->asked_us = now_us;
	}
	return upto;
}

bool path_lost(struct path *p, uint64_t upto, uint64_t now_us,
	       struct path_probe *out)
{
	struct path_probe *first = NULL;

	for (unsigned int i = 0; i < p->n_ring; i++) {
		struct path_probe *probe = &p->ring[i];

		if (probe->number && probe->waiting && probe->number <= upto &&
		    (!first || probe->number < first->number)) {
			first = probe;
		}
	}
	if (!first) {
		return false;
	}
	/* It stays in the ring: it may only be late. */
	first->waiting = false;
	*out = *first;
	p->n_lost += out->purpose == PATH_WATCH;
	result(p, out, false);
	hurry(p, now_us);
	return true;
}

void path_answered(struct path *p)
{
	p->asked_us = 0;
}

/* ---- The verdict ---- */

enum path_level path_level(const struct path *p)
{
	if (p->all.dead) {
		return PATH_DEAD;
	}
	for (unsigned int i = 0; i < p->n_lanes; i++) {
		if (p->lanes[i].dead) {
			return PATH_LANES;
		}
	}
	if (p->large.dead) {
		return PATH_SMALL;
	}
	return p->lossy ? PATH_LOSES : PATH_GOOD;
}

unsigned int path_dead_lane(const struct path *p)
{
	for (unsigned int i = 0; !p->all.dead && i < p->n_lanes; i++) {
		if (p->lanes[i].dead) {
			return i;
		}
	}
	return 0;
}

unsigned int path_loss(const struct path *p)
{
	unsigned int n_lost = p->n_window - n_ones(p->window);

	return p->n_window ? (100 * n_lost + p->n_window / 2) / p->n_window : 0;
}
