#include "mesh/diagnosis.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util.h"

enum {
	TEXT_SIZE = 160
};

const char *route_errno_text(int os_errno)
{
	switch (os_errno) {
	case EINVAL:
		return "the route is a blackhole";
	case EACCES:
		return "the route prohibits it";
	case EHOSTUNREACH:
		return "the route says unreachable";
	case ENETUNREACH:
		return "there is no route";
	default:
		return ovs_strerror(os_errno);
	}
}

/* So many of those that were sent that it is no accident: others send, too. */
static bool is_most(const struct evidence *ev, uint64_t n)
{
	return n > ev->n_probes / 2;
}

static bool is_refusal(int os_errno)
{
	return os_errno == EPERM || os_errno == EACCES;
}

static const char *sending(const struct evidence *ev)
{
	return ev->sleeve ? "sending datagrams" : "sending from a socket";
}

static enum reason diagnose_send(const struct evidence *ev, char *detail,
				 size_t size)
{
	switch (ev->send_errno) {
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EINVAL:
		snprintf(detail, size, "%s: %s", sending(ev),
			 route_errno_text(ev->send_errno));
		return REASON_NO_ROUTE;
	default:
		break;
	}
	if (!is_refusal(ev->send_errno)) {
		snprintf(detail, size, "%s: %s", sending(ev),
			 ovs_strerror(ev->send_errno));
		return REASON_SEND_FAILED;
	}
	if (ev->here.policy) {
		return REASON_POLICY_OUT;
	}
	if (ev->sleeve) {
		return REASON_SLEEVE_BLOCKED;
	}
	/* What is dropped before IPsec is not counted there. */
	return ev->esp && ev->here.packets ? REASON_ESP_BLOCKED
					   : REASON_VXLAN_BLOCKED;
}

/* The packets left this host, by the SA that they should take or not. */
static enum reason diagnose_sas(const struct evidence *ev, char *detail,
				size_t size)
{
	if (!ev->here.packets && is_most(ev, ev->there.no_sa)) {
		snprintf(detail, size,
			 "what we send takes another one than %08" PRIx32
			 ", which the other host does not know",
			 ev->spi);
		return REASON_SA_MISMATCH;
	}
	if (!is_most(ev, ev->here.packets)) {
		return REASON_NOT_SENT;
	}
	if (!ev->answered || !ev->there.seen) {
		return REASON_NONE;
	}
	if (!ev->there.exists) {
		snprintf(detail, size,
			 "the other host does not have %08" PRIx32
			 ", through which we send",
			 ev->spi);
		return REASON_SA_MISMATCH;
	}
	if (is_most(ev, ev->there.packets)) {
		return is_most(ev, ev->there.policy) ? REASON_POLICY_IN
						     : REASON_VXLAN_REFUSED;
	}
	if (is_most(ev, ev->there.not_authentic)) {
		snprintf(detail, size,
			 "the other host has %08" PRIx32 " with another key",
			 ev->spi);
		return REASON_SA_MISMATCH;
	}
	return REASON_ESP_FILTERED;
}

enum reason diagnose(const struct evidence *ev, char *detail, size_t size)
{
	detail[0] = '\0';
	if (ev->routed && ev->route_errno) {
		snprintf(detail, size, "%s", route_errno_text(ev->route_errno));
		return REASON_NO_ROUTE;
	}
	if (ev->answered && is_most(ev, ev->heard)) {
		return REASON_NONE;
	}
	if (ev->esp && ev->here.seen && !ev->here.exists) {
		snprintf(detail, size, "%08" PRIx32, ev->spi);
		return REASON_SA_MISSING;
	}
	/* Such a packet vanishes without an error, or our own guard drops it,
	 * as it is not to be encrypted any more. */
	if (is_most(ev, ev->here.no_sa)) {
		snprintf(detail, size, "the policy asks for another one");
		return REASON_SA_MISSING;
	}
	if (ev->sent && ev->send_errno) {
		return diagnose_send(ev, detail, size);
	}
	if (is_most(ev, ev->here.policy)) {
		return REASON_POLICY_OUT;
	}
	if (ev->esp) {
		return ev->here.seen ? diagnose_sas(ev, detail, size)
				     : REASON_NONE;
	}
	if (!ev->answered) {
		return REASON_NONE;
	}
	return ev->sleeve ? REASON_SLEEVE_FILTERED : REASON_VXLAN_FILTERED;
}

/* ---- In words ---- */

static void say(evidence_fn *fn, void *aux, const char *tried,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

static void say(evidence_fn *fn, void *aux, const char *tried,
		const char *format, ...)
{
	char text[TEXT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fn(aux, tried, text);
}

static void say_errors(evidence_fn *fn, void *aux, const char *tried,
		       const struct ipsec_sight *s)
{
	if (!s->counted) {
		say(fn, aux, tried, "the kernel does not count them");
		return;
	}
	say(fn, aux, tried,
	    "no SA %" PRIu64 ", not authentic %" PRIu64 ", policy %" PRIu64
	    ", other %" PRIu64,
	    s->no_sa, s->not_authentic, s->policy, s->other);
}

static void say_sas(const struct evidence *ev, evidence_fn *fn, void *aux)
{
	char tried[TEXT_SIZE];

	snprintf(tried, sizeof tried, "SA %08" PRIx32 " here", ev->spi);
	if (ev->here.seen && ev->here.exists) {
		say(fn, aux, tried, "took %" PRIu64, ev->here.packets);
		say_errors(fn, aux, "IPsec errors here", &ev->here);
	} else if (ev->here.seen) {
		say(fn, aux, tried, "is not in the kernel");
	}
	if (!ev->answered || !ev->there.seen) {
		return;
	}
	snprintf(tried, sizeof tried, "SA %08" PRIx32 " there", ev->spi);
	if (ev->there.exists) {
		say(fn, aux, tried, "received %" PRIu64, ev->there.packets);
	} else {
		say(fn, aux, tried, "is not in the kernel");
	}
	say_errors(fn, aux, "IPsec errors there", &ev->there);
}

void evidence_each(const struct evidence *ev, evidence_fn *fn, void *aux)
{
	char tried[TEXT_SIZE];

	if (ev->routed) {
		say(fn, aux, "route lookup", "%s%s",
		    ev->route_errno ? route_errno_text(ev->route_errno)
				    : "through ",
		    ev->route_errno	? ""
		    : *ev->route_ifname ? ev->route_ifname
					: "a device");
	}
	if (ev->sent) {
		say(fn, aux,
		    ev->sleeve ? "datagrams of the sleeve"
			       : "VXLAN from a socket",
		    "%s",
		    ev->send_errno ? ovs_strerror(ev->send_errno) : "sent");
	}
	if (ev->n_probes && ev->answered) {
		snprintf(tried, sizeof tried, "%u probes%s", ev->n_probes,
			 ev->lane ? ", of one lane" : "");
		say(fn, aux, tried, "the other host has received %" PRIu64,
		    ev->heard);
	} else if (ev->n_probes) {
		say(fn, aux, "asking the other host", "no answer");
	}
	if (ev->esp) {
		say_sas(ev, fn, aux);
	}
	if (ev->beside) {
		say(fn, aux, "probes by the sleeve", "%s",
		    ev->beside_errno  ? ovs_strerror(ev->beside_errno)
		    : ev->beside_dead ? "do not arrive either"
				      : "arrive");
	}
}
