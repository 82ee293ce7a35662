#include "netlink/xfrm_stat.h"

#include <string.h>

#include "util.h"

enum sum {
	SUM_NO_SA,
	SUM_NOT_AUTHENTIC,
	SUM_POLICY,
	SUM_OTHER,
	N_SUMS
};

/* The rest, and what newer kernels count, is SUM_OTHER. */
static const struct {
	const char *name;
	enum sum sum;
} known[] = {
	{"XfrmInNoStates", SUM_NO_SA},
	{"XfrmInStateProtoError", SUM_NOT_AUTHENTIC},
	{"XfrmInStateMismatch", SUM_POLICY},
	{"XfrmInTmplMismatch", SUM_POLICY},
	{"XfrmInNoPols", SUM_POLICY},
	{"XfrmInPolBlock", SUM_POLICY},
	{"XfrmInPolError", SUM_POLICY},
	{"XfrmOutNoStates", SUM_NO_SA},
	{"XfrmOutStateProtoError", SUM_NOT_AUTHENTIC},
	{"XfrmOutPolBlock", SUM_POLICY},
	{"XfrmOutPolDead", SUM_POLICY},
	{"XfrmOutPolError", SUM_POLICY},
};

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static enum sum sum_of(struct span name)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strlen(known[i].name) == name.size &&
		    !memcmp(known[i].name, name.data, name.size)) {
			return known[i].sum;
		}
	}
	return SUM_OTHER;
}

static bool starts_with(struct span name, const char *prefix)
{
	return name.size >= strlen(prefix) &&
	       !memcmp(name.data, prefix, strlen(prefix));
}

/* "NAME   NUMBER" */
static enum err parse_line(struct span line, struct span *name, uint64_t *value)
{
	size_t i = 0;

	while (i < line.size && !is_blank(line.data[i])) {
		i++;
	}
	*name = span_of(line.data, i);
	while (i < line.size && is_blank(line.data[i])) {
		i++;
	}
	if (!name->size || i == line.size) {
		return ERR_MALFORMED;
	}
	for (*value = 0; i < line.size; i++) {
		if (line.data[i] < '0' || line.data[i] > '9') {
			return ERR_MALFORMED;
		}
		*value = *value * 10 + (uint64_t)(line.data[i] - '0');
	}
	return FDP_OK;
}

enum err xfrm_stat_parse(struct span text, bool inbound, struct xfrm_stat *stat)
{
	uint64_t sums[N_SUMS] = {0};

	while (text.size) {
		const uint8_t *end = memchr(text.data, '\n', text.size);
		struct span line, name;
		uint64_t value;
		enum err err;

		if (!end) {
			return ERR_MALFORMED;
		}
		line = span_of(text.data, (size_t)(end - text.data));
		err = parse_line(line, &name, &value);
		if (err) {
			return err;
		}
		if (starts_with(name, inbound ? "XfrmIn" : "XfrmOut")) {
			sums[sum_of(name)] += value;
		}
		text = span_of(end + 1, text.size - line.size - 1);
	}
	stat->no_sa = sums[SUM_NO_SA];
	stat->not_authentic = sums[SUM_NOT_AUTHENTIC];
	stat->policy = sums[SUM_POLICY];
	stat->other = sums[SUM_OTHER];
	return FDP_OK;
}
