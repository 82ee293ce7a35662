/* What is wrong with the way to a peer: what probes say of it (mesh/path.h),
 * what the peer says of its own way to us, and what both know of the cause.
 *
 * Each side finds out about the way from itself to the other, as only it hears
 * of its probes, and tells the other over the session whenever that changes: so
 * both know of a way that is dead in one direction.  The cause is found by
 * tests (check.c).
 */
#include <stdio.h>
#include <string.h>

#include "engine/state.h"
#include "util.h"

static const struct {
	const char *name;
	enum reason reason;
} levels[] = {
	[PATH_GOOD] = {"good", REASON_NONE},
	[PATH_LOSES] = {"loses", REASON_PATH_LOSES},
	[PATH_SMALL] = {"small", REASON_PATH_SMALL},
	[PATH_LANES] = {"lanes", REASON_PATH_LANES},
	[PATH_DEAD] = {"dead", REASON_PATH_DEAD},
};

const char *health_level_name(enum path_level level)
{
	return levels[level].name;
}

void health_note(struct engine *e, struct peer *p, enum reason reason,
		 const char *format, ...)
{
	char text[HISTORY_TEXT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	history_add(&p->history, e->now_us, reason, text);
}

void health_session(struct engine *e, struct peer *p)
{
	health_note(e, p, REASON_NONE, "connected, %s",
		    p->conn->outbound ? "from here" : "from there");
	p->watch.back_us = e->now_us;
	if (!p->watch.level) {
		p->watch.level_us = e->now_us;
	}
	health_way(e, p);
	check_level(e, p);
}

bool health_is_dead(const struct peer *p)
{
	return p->watch.on &&
	       ((p->beside.overlay.sleeve
			 ? p->beside.level
			 : path_level(&p->watch.path)) == PATH_DEAD ||
		p->watch.back == PATH_DEAD);
}

/* ---- Our way ---- */

enum reason health_cause_of(const struct watch *w)
{
	return w->cause ? w->cause : levels[w->level].reason;
}

void health_way(struct engine *e, struct peer *p)
{
	struct message m = {.type = MSG_PATH_STATE};
	struct watch *w = &p->watch;
	const enum path_level level = way_level(p);
	const enum reason reason = p->beside.overlay.sleeve
					   ? levels[level].reason
					   : health_cause_of(w);

	if (!w->on || !p->conn ||
	    (level == w->told && reason == w->told_reason)) {
		return;
	}
	w->told = level;
	w->told_reason = reason;
	m.path_state.level = (uint8_t)level;
	copy_text(m.path_state.reason, sizeof m.path_state.reason,
		  reason_slug(reason));
	conn_send(e, p->conn, &m);
}

void health_path(struct engine *e, struct peer *p)
{
	struct watch *w = &p->watch;
	enum path_level level = path_level(&w->path);

	if (level == w->level) {
		overlay_update(e, p);
		return;
	}
	w->level = level;
	w->level_us = e->now_us;
	w->cause = REASON_NONE;
	w->cause_detail[0] = '\0';
	if (level == PATH_GOOD) {
		health_note(e, p, REASON_NONE, "the way there is good again");
	} else {
		health_note(e, p, levels[level].reason, "the way there: %s",
			    reason_text(levels[level].reason));
	}
	engine_log(e, level == PATH_GOOD ? OP_LOG_INFO : OP_LOG_WARN,
		   "the way to %s is %s%s%s", p->name, levels[level].name,
		   level == PATH_GOOD ? "" : ": ",
		   reason_text(levels[level].reason));
	/* A way that is left at once is none to complain of. */
	overlay_update(e, p);
	health_way(e, p);
	check_level(e, p);
	relay_path(e, p);
}

void health_cause(struct engine *e, struct peer *p, enum reason cause,
		  const char *detail)
{
	struct watch *w = &p->watch;

	/* What was found out is not forgotten because one test found nothing:
	 * the way is as it was. */
	if (!cause || (cause == w->cause && !strcmp(detail, w->cause_detail))) {
		return;
	}
	if (cause != w->cause) {
		health_note(e, p, cause, "the way there: %s",
			    reason_text(cause));
		engine_log(e, OP_LOG_WARN, "the way to %s: %s%s%s", p->name,
			   reason_text(cause), *detail ? ": " : "", detail);
	}
	w->cause = cause;
	copy_text(w->cause_detail, sizeof w->cause_detail, detail);
	overlay_update(e, p);
	health_way(e, p);
}

/* ---- The way back ---- */

void health_told(struct engine *e, struct peer *p,
		 const struct msg_path_state *m)
{
	struct watch *w = &p->watch;
	enum path_level level = (enum path_level)m->level;
	enum reason reason = reason_find(m->reason);

	if (!w->on) {
		return;
	}
	if (!reason) {
		reason = levels[level].reason;
	}
	if (level != w->back) {
		w->back_us = e->now_us;
	}
	if (level != w->back || (reason != w->back_reason && level)) {
		health_note(e, p, level ? reason : REASON_NONE,
			    level ? "the way back, it says: %s"
				  : "the way back, it says, is good again",
			    reason_text(reason));
	}
	w->back = level;
	w->back_reason = reason;
	relay_path(e, p);
}

/* ---- All in all ---- */

bool health_trouble(const struct engine *e, const struct peer *p,
		    struct trouble *trouble)
{
	const struct watch *w = &p->watch;
	const struct tunnel *t = &p->tunnel;

	(void)e;
	memset(trouble, 0, sizeof *trouble);
	if (t->route_errno) {
		trouble->reason = REASON_NO_ROUTE;
		trouble->since_us = t->route_us;
		copy_text(trouble->detail, sizeof trouble->detail,
			  route_errno_text(t->route_errno));
		return true;
	}
	if (p->conn && p->conn->silent) {
		trouble->reason = REASON_SILENT;
		trouble->since_us = p->conn->heard_us;
		return true;
	}
	if (!w->on) {
		return false;
	}
	if (w->level != PATH_GOOD) {
		trouble->reason = health_cause_of(w);
		trouble->since_us = w->level_us;
		copy_text(trouble->detail, sizeof trouble->detail,
			  w->cause_detail);
		if (w->level == PATH_DEAD && p->beside.on &&
		    p->beside.level == PATH_DEAD) {
			copy_text(trouble->detail, sizeof trouble->detail,
				  "the sleeve's datagrams (UDP) do not arrive "
				  "either");
		}
		return true;
	}
	if (w->back != PATH_GOOD) {
		trouble->reason = w->back_reason;
		trouble->back = true;
		trouble->since_us = w->back_us;
		return true;
	}
	return false;
}

void trouble_text(const struct trouble *trouble, const struct peer *p,
		  char *buf, size_t size)
{
	if (trouble->back) {
		/* As the other host sees it: "this host" is that one. */
		snprintf(buf, size, "%s says of its way to this host: %s",
			 p->name, reason_text(trouble->reason));
	} else {
		snprintf(buf, size, "%s%s%s", reason_text(trouble->reason),
			 *trouble->detail ? ": " : "", trouble->detail);
	}
}
