#include "kmod-glue/guard_nft.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <nftables/libnftables.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"

#include "ipsec/netguard.h"

enum {
	BUFFER_SIZE = 32768,
	/* In every message about a table or what is in one. */
	ATTR_TABLE = 1,
	ANSWER_TIMEOUT_S = 5,
	MAX_BATCHES = 64 /* Of notifications in a turn. */
};

BUILD_ASSERT_DECL(ATTR_TABLE == (int)NFTA_TABLE_NAME);
BUILD_ASSERT_DECL(ATTR_TABLE == (int)NFTA_CHAIN_TABLE);
BUILD_ASSERT_DECL(ATTR_TABLE == (int)NFTA_RULE_TABLE);

/* What the kernel has of our table. */
struct look {
	bool table, dormant;
	size_t n_rules;
	uint64_t handles; /* Of the rules, as a checksum. */
};

struct guard_nft {
	struct mnl_socket *monitor;
	char *buf;
	bool put; /* 'seen' holds. */
	bool touched;
	struct look seen;
};

static int open_socket(struct mnl_socket **nlp, bool monitor)
{
	static const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
	int flags = SOCK_CLOEXEC | (monitor ? SOCK_NONBLOCK : 0);
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, flags);
	int group = NFNLGRP_NFTABLES;
	int error = 0;

	if (!nl) {
		return errno;
	}
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    (monitor && mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP,
					      &group, sizeof group) < 0) ||
	    setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVTIMEO, &timeout,
		       sizeof timeout)) {
		error = errno;
		mnl_socket_close(nl);
		return error;
	}
	*nlp = nl;
	return 0;
}

int guard_nft_open(struct guard_nft **gp)
{
	struct guard_nft *g = xzalloc(sizeof *g);
	int error = open_socket(&g->monitor, true);

	if (error) {
		free(g);
		return error;
	}
	g->buf = xmalloc(BUFFER_SIZE);
	*gp = g;
	return 0;
}

void guard_nft_close(struct guard_nft *g)
{
	if (g) {
		mnl_socket_close(g->monitor);
		free(g->buf);
		free(g);
	}
}

/* ---- looking ---------------------------------------------------------- */

/* The attribute of this type that is well formed, or NULL. */
static const struct nlattr *find(const struct nlmsghdr *nlh, uint16_t type,
				 enum mnl_attr_data_type data_type)
{
	const char *end = mnl_nlmsg_get_payload_tail(nlh);
	const struct nlattr *attr;

	for (attr = mnl_nlmsg_get_payload_offset(nlh, sizeof(struct nfgenmsg));
	     mnl_attr_ok(attr, (int)(end - (const char *)attr));
	     attr = mnl_attr_next(attr)) {
		if (mnl_attr_get_type(attr) == type) {
			return mnl_attr_validate(attr, data_type) < 0 ? NULL
								      : attr;
		}
	}
	return NULL;
}

static bool is_about_us(const struct nlmsghdr *nlh)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *table;

	if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof *nfg ||
	    nfg->nfgen_family != NFPROTO_INET) {
		return false;
	}
	table = find(nlh, ATTR_TABLE, MNL_TYPE_NUL_STRING);
	return table && !strcmp(mnl_attr_get_str(table), GUARD_NFT_TABLE);
}

static void look_at_table(const struct nlmsghdr *nlh, struct look *look)
{
	const struct nlattr *flags = find(nlh, NFTA_TABLE_FLAGS, MNL_TYPE_U32);

	look->table = true;
	look->dormant = flags && mnl_attr_get_u32(flags);
}

static void look_at_rule(const struct nlmsghdr *nlh, struct look *look)
{
	const struct nlattr *handle = find(nlh, NFTA_RULE_HANDLE, MNL_TYPE_U64);

	look->n_rules++;
	look->handles =
		look->handles * 31 + (handle ? mnl_attr_get_u64(handle) : 0);
}

static int take(const struct nlmsghdr *nlh, void *look)
{
	if (is_about_us(nlh)) {
		switch (nlh->nlmsg_type & 0xff) {
		case NFT_MSG_NEWTABLE:
			look_at_table(nlh, look);
			break;
		case NFT_MSG_NEWRULE:
			look_at_rule(nlh, look);
			break;
		default:
			break;
		}
	}
	return MNL_CB_OK;
}

/* A dump of all 'get' of the family inet. */
static int dump(struct guard_nft *g, struct mnl_socket *nl, uint16_t get,
		struct look *look)
{
	unsigned int portid = mnl_socket_get_portid(nl);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(g->buf);
	struct nfgenmsg *nfg;
	uint32_t seq = get;
	ssize_t n;

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | get);
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = seq;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof *nfg);
	nfg->nfgen_family = NFPROTO_INET;
	nfg->version = NFNETLINK_V0;
	if (get == NFT_MSG_GETRULE) {
		mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, GUARD_NFT_TABLE);
	}
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0) {
		return errno;
	}
	do {
		n = mnl_socket_recvfrom(nl, g->buf, BUFFER_SIZE);
		if (n > 0) {
			n = mnl_cb_run(g->buf, (size_t)n, seq, portid, take,
				       look);
		}
	} while (n > 0);
	return n < 0 ? errno : 0;
}

/* What there is now.  Somebody's change while we look has us look again. */
static int look_now(struct guard_nft *g, struct look *look)
{
	struct mnl_socket *nl = NULL;
	int error = open_socket(&nl, false);

	if (error) {
		return error;
	}
	for (int tries = 0; tries < 5; tries++) {
		memset(look, 0, sizeof *look);
		error = dump(g, nl, NFT_MSG_GETTABLE, look);
		if (!error && look->table) {
			error = dump(g, nl, NFT_MSG_GETRULE, look);
		}
		if (error != EINTR) {
			break;
		}
	}
	mnl_socket_close(nl);
	return error;
}

bool guard_nft_find(struct guard_nft *g)
{
	struct look look;

	return !look_now(g, &look) && look.table;
}

/* ---- changing --------------------------------------------------------- */

/* libnftables marks what it complains about on further lines. */
static void put_first_line(struct ds *why, const char *text)
{
	ds_put_buffer(why, text, strcspn(text, "\n"));
}

static int run_script(const char *script, struct ds *why)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	int error = EINVAL;

	if (!nft) {
		return ENOMEM;
	}
	if (!nft_ctx_buffer_error(nft) && !nft_ctx_buffer_output(nft)) {
		errno = 0;
		error = nft_run_cmd_from_buffer(nft, script)
				? (errno ? errno : EINVAL)
				: 0;
		if (error) {
			put_first_line(why, nft_ctx_get_error_buffer(nft));
		}
	}
	nft_ctx_free(nft);
	return error;
}

int guard_nft_put(struct guard_nft *g, const char *script, size_t n_rules,
		  struct ds *why)
{
	int error = run_script(script, why);

	if (error) {
		return error;
	}
	error = look_now(g, &g->seen);
	if (!error &&
	    (!g->seen.table || g->seen.dormant || g->seen.n_rules != n_rules)) {
		error = EAGAIN;
	}
	if (error) {
		ds_put_cstr(why, "what was written cannot be read again");
	}
	g->put = !error;
	return error;
}

int guard_nft_del(struct guard_nft *g, struct ds *why)
{
	g->put = false;
	/* "add": somebody else may be faster. */
	return run_script("add table inet " GUARD_NFT_TABLE "\n"
			  "delete table inet " GUARD_NFT_TABLE "\n",
			  why);
}

/* ---- watching --------------------------------------------------------- */

static int notice(const struct nlmsghdr *nlh, void *g_)
{
	struct guard_nft *g = g_;

	g->touched |= is_about_us(nlh);
	return MNL_CB_OK;
}

static bool is_same(const struct look *a, const struct look *b)
{
	return a->table == b->table && a->dormant == b->dormant &&
	       a->n_rules == b->n_rules && a->handles == b->handles;
}

bool guard_nft_run(struct guard_nft *g)
{
	struct look look;

	for (int i = 0; i < MAX_BATCHES; i++) {
		ssize_t n =
			mnl_socket_recvfrom(g->monitor, g->buf, BUFFER_SIZE);

		if (n < 0 && errno == ENOBUFS) {
			g->touched = true; /* We have missed some. */
		} else if (n <= 0) {
			break;
		} else {
			(void)mnl_cb_run(g->buf, (size_t)n, 0, 0, notice, g);
		}
	}
	if (!g->touched || !g->put || look_now(g, &look)) {
		return false; /* After an error: looks at the next turn. */
	}
	g->touched = false;
	if (is_same(&look, &g->seen)) {
		return false; /* It was ourselves. */
	}
	g->put = false;
	return true;
}

int guard_nft_fd(const struct guard_nft *g)
{
	return mnl_socket_get_fd(g->monitor);
}
