/* The ground we stand on: the datapath, its tunnel port, the host ends of
 * attached interfaces.  Others have their hands on it as well: a starting
 * ovs-vswitchd deletes every datapath that it has not made, `ovs-dpctl del-if`
 * takes ports out, `ip link` renames links, sets them down, moves and deletes
 * them.
 *
 * Events only note in the footing of a thing what is wrong with it;
 * ground_repair() is the one place that mends: it asks the kernel for whatever
 * is missing, the datapath first, and for each thing once a second at most,
 * should somebody insist.  Nothing else is touched: sessions and SAs stay, and
 * so does what keeps plaintext in. */
#include <errno.h>
#include <string.h>

#include "engine/state.h"
#include "util.h"

static struct port *port_of(const struct footing *f)
{
	return CONTAINER_OF(f, struct port, footing);
}

/* After the datapath the tunnel port, the trunk, the attached interfaces; NULL:
 * no more.
 */
static struct footing *next(struct engine *e, const struct footing *f)
{
	struct port *port;

	if (f == &e->datapath) {
		return &e->tunnel_footing;
	}
	if (f == &e->tunnel_footing && e->has_trunk) {
		return &e->trunk_footing;
	}
	port = f == &e->tunnel_footing || f == &e->trunk_footing
		       ? e->ports
		       : port_of(f)->next;
	return port ? &port->footing : NULL;
}

static bool is_port(const struct engine *e, const struct footing *f)
{
	return f != &e->datapath && f != &e->tunnel_footing &&
	       f != &e->trunk_footing;
}

void ground_init(struct engine *e)
{
	e->ground_us = UINT64_MAX;
	copy_text(e->datapath.name, sizeof e->datapath.name,
		  e->config.datapath);
	snprintf(e->tunnel_footing.name, sizeof e->tunnel_footing.name,
		 "vxlan-%u", e->config.vxlan_port);
	snprintf(e->trunk_footing.name, sizeof e->trunk_footing.name,
		 "%.8s-sleeve", e->config.datapath);
}

void footing_set(struct footing *f, uint32_t ifindex)
{
	f->there = true;
	f->lost = f->wrong = false;
	f->ifindex = ifindex;
	f->trouble[0] = '\0';
}

/* ---- Mending ---- */

static void mend(struct engine *e, struct footing *f)
{
	struct op *op;

	if (f->there) {
		op = ops_add(e->ops, OP_LINK_SET);
		op->link.ifindex = f->ifindex;
		copy_text(op->link.host_ifname, sizeof op->link.host_ifname,
			  f->name);
		/* Whether the host itself takes part is not our affair. */
		op->link.up = f != &e->datapath;
	} else if (f == &e->datapath) {
		op = ops_add(e->ops, OP_DATAPATH_ADD);
		op->datapath.user = e->user;
	} else if (is_port(e, f)) {
		op = ops_add(e->ops, OP_VPORT_ADD);
		port_fill_in(e, port_of(f), op);
	} else if (f == &e->trunk_footing) {
		op = ops_add(e->ops, OP_VPORT_ADD);
		trunk_fill_in(e, op);
	} else {
		op = ops_add(e->ops, OP_VPORT_ADD);
		tunnel_port_fill_in(e, &op->vport);
	}
	copy_text(engine_expect(e, op, PENDING_GROUND)->ifname, IFNAME_SIZE,
		  f->name);
	f->asked = true;
	f->retry_us = e->now_us + REPAIR_US;
}

void ground_repair(struct engine *e)
{
	struct footing *f = &e->datapath; /* All others need it. */

	e->ground_us = UINT64_MAX;
	if (e->phase != PHASE_RUNNING) {
		return;
	}
	do {
		if (f->asked || f->lost || (f->there && !f->wrong)) {
			continue;
		}
		if (e->now_us >= f->retry_us) {
			mend(e, f);
		} else {
			e->ground_us = MIN(e->ground_us, f->retry_us);
		}
	} while (e->datapath.there && (f = next(e, f)));
	engine_wake(e, e->ground_us);
}

void ground_timers(struct engine *e)
{
	if (e->now_us >= e->ground_us) {
		ground_repair(e);
	} else {
		engine_wake(e, e->ground_us);
	}
}

/* ---- What came of it ---- */

static void trouble(struct engine *e, struct footing *f, const char *why)
{
	if (strcmp(f->trouble, why)) {
		copy_text(f->trouble, sizeof f->trouble, why);
		engine_log(e, OP_LOG_ERR,
			   "somebody else took away %s, and it cannot be had "
			   "back: %s; tried again every second",
			   f->name, f->trouble);
	}
}

/* There is no such link any more.  Did the container end, or has somebody taken
 * the link alone?  Whoever sets the MTU in there finds out. */
static void look_for(struct engine *e, struct footing *f)
{
	const struct port *port = port_of(f);
	struct op *op = port_set_mtu(e, port, port->mtu);

	copy_text(engine_expect(e, op, PENDING_GROUND)->ifname, IFNAME_SIZE,
		  f->name);
	f->asked = true;
}

static void looked(struct engine *e, struct footing *f, int os_errno)
{
	struct port *port = port_of(f);

	if (!os_errno || f->there) {
		return; /* It has come back. */
	}
	if (os_errno == ENOENT) {
		engine_log(e, OP_LOG_INFO,
			   "%s in %s is gone (its interface was deleted)",
			   port->ifname, port->netns);
		port_remove(e, port, false);
		return;
	}
	port_lost(e, port);
	f->lost = true;
	if (e->user) {
		copy_text(
			f->trouble, sizeof f->trouble,
			"somebody else has moved or deleted it: move it back, "
			"or attach it again");
	} else {
		snprintf(f->trouble, sizeof f->trouble,
			 "its host end %s was moved or deleted by somebody "
			 "else: move it back, or remove what is left of it and "
			 "attach it again",
			 f->name);
	}
	engine_log(e, OP_LOG_WARN, "%s in %s is not attached any more: %s",
		   port->ifname, port->netns, f->trouble);
}

/* There is no such link, or not even the namespace in which a TAP would be. */
static bool is_missing(const struct engine *e, int os_errno)
{
	return os_errno == ENODEV || (e->user && os_errno == ENOENT);
}

static void failed(struct engine *e, struct footing *f,
		   const struct event *event)
{
	if (is_port(e, f) && event->result.op == OP_VPORT_ADD &&
	    is_missing(e, event->os_errno)) {
		look_for(e, f);
	} else if (event->os_errno != ENODEV) {
		trouble(e, f, event->result.detail);
	} else if (event->result.op == OP_LINK_SET) {
		f->wrong = false; /* It is gone, and we shall be told. */
	}
}

static void is_there(struct engine *e, struct footing *f,
		     const struct event *event)
{
	enum err err;

	footing_set(f, event->result.ifindex);
	if (f == &e->datapath) {
		engine_log(e, OP_LOG_WARN, "made the datapath %s again",
			   f->name);
		return;
	}
	/* Who had the number before has it no more, even if we have not been
	 * told yet. */
	ground_port_gone(e, event->result.port_no);
	if (f == &e->tunnel_footing) {
		tunnel_port_ready(e, event->result.port_no);
	} else if (f == &e->trunk_footing) {
		trunk_ready(e, event->result.port_no);
	} else {
		err = port_back(e, port_of(f), event->result.port_no);
		if (err) {
			f->lost = true;
			trouble(e, f, err_text(err));
			return;
		}
	}
	engine_log(e, OP_LOG_WARN,
		   "port %s was taken out of the datapath by somebody else; it "
		   "is in it again",
		   f->name);
}

static void is_set(struct engine *e, struct footing *f,
		   const struct event *event)
{
	f->wrong = false;
	f->trouble[0] = '\0';
	if (event->result.changed) {
		engine_log(e, OP_LOG_WARN,
			   "link %s was renamed or set down by somebody else; "
			   "restored",
			   f->name);
	}
}

void ground_result(struct engine *e, const struct pending *p,
		   const struct event *event)
{
	struct footing *f = &e->datapath;

	while (f && strcmp(f->name, p->ifname) != 0) {
		f = next(e, f);
	}
	if (!f) {
		return; /* Detached meanwhile. */
	}
	f->asked = false;
	if (event->result.op == OP_LINK_MTU) {
		looked(e, f, event->os_errno);
	} else if (event->os_errno) {
		failed(e, f, event);
	} else if (event->result.op == OP_LINK_SET) {
		is_set(e, f, event);
	} else {
		is_there(e, f, event);
	}
	ground_repair(e);
}

/* ---- What is heard ---- */

/* Flows must not lead to a number that may be another port's tomorrow. */
static void drop(struct engine *e, struct footing *f)
{
	uint32_t *port_no = is_port(e, f)	     ? &port_of(f)->port_no
			    : f == &e->trunk_footing ? &e->trunk_port
						     : &e->tunnel_port;

	f->there = f->wrong = false;
	if (f != &e->datapath && *port_no != UINT32_MAX) {
		forwarding_remove_port(e->fwd, *port_no);
		*port_no = UINT32_MAX;
	}
}

void ground_datapath_gone(struct engine *e)
{
	struct footing *f = &e->datapath;

	engine_log(e, OP_LOG_ERR,
		   "datapath %s was deleted by somebody else (a starting "
		   "ovs-vswitchd does that); making it again",
		   e->config.datapath);
	flow_table_clear(e->flows);
	adopt_free(e);
	do {
		drop(e, f);
	} while ((f = next(e, f)));
	ground_repair(e);
}

void ground_port_gone(struct engine *e, uint32_t port_no)
{
	struct port *port = port_find(e, port_no);

	if (port) {
		drop(e, &port->footing);
	} else if (port_no == e->tunnel_port) {
		drop(e, &e->tunnel_footing);
	} else if (port_no == e->trunk_port) {
		drop(e, &e->trunk_footing);
	}
	ground_repair(e);
}

void ground_link(struct engine *e, const struct event *event)
{
	struct footing *f = &e->datapath;

	do {
		bool named = !strcmp(f->name, event->link.name);

		if (f->lost && named) {
			f->lost = false;
			f->retry_us = 0;
		} else if (f->there && f->ifindex == event->link.ifindex) {
			f->wrong = !named ||
				   (!event->link.up && f != &e->datapath);
		}
	} while ((f = next(e, f)));
	ground_repair(e);
}
