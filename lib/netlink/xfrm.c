#include "netlink/xfrm.h"

#include <assert.h>
#include <string.h>

#include <arpa/inet.h>
#include <linux/xfrm.h>
#include <sodium.h>

#include "netlink/nlmsg.h"
#include "util.h"

/* RFC 4106: AES in Galois/Counter Mode, the salt behind the key. */
static const char AEAD_NAME[] = "rfc4106(gcm(aes))";
enum {
	AEAD_ICV_BITS = 128
};

/* What travels is the kernel's structs, laid out by the compiler. */
static_assert(sizeof(struct xfrm_usersa_info) == 224, "kernel ABI");
static_assert(sizeof(struct xfrm_userpolicy_info) == 168, "kernel ABI");
static_assert(sizeof(struct xfrm_user_tmpl) == 64, "kernel ABI");
static_assert(sizeof(struct xfrm_algo_aead) == 72, "kernel ABI");
static_assert(sizeof(struct xfrm_replay_state_esn) == 24, "kernel ABI");
static_assert(sizeof(struct xfrm_mark) == 8, "kernel ABI");

/* Encoders. */

static uint16_t family_of(const struct ip_addr *ip)
{
	return ip_is_v4(ip) ? AF_INET : AF_INET6;
}

static void put_address(const struct ip_addr *ip, xfrm_address_t *to)
{
	if (ip_is_v4(ip)) {
		memcpy(&to->a4, ip_v4_bytes(ip), sizeof to->a4);
	} else {
		memcpy(to->a6, ip->b, sizeof to->a6);
	}
}

/* UDP from 'src' to 'dst', a zero address being any; to port 'udp_port'. */
static void put_selector(uint16_t family, const struct ip_addr *src,
			 const struct ip_addr *dst, uint16_t udp_port,
			 struct xfrm_selector *sel)
{
	uint8_t full = family == AF_INET ? 32 : 128;

	if (!ip_is_zero(src)) {
		put_address(src, &sel->saddr);
		sel->prefixlen_s = full;
	}
	if (!ip_is_zero(dst)) {
		put_address(dst, &sel->daddr);
		sel->prefixlen_d = full;
	}
	sel->family = family;
	sel->proto = IPPROTO_UDP;
	sel->dport = htons(udp_port);
	sel->dport_mask = htons(UINT16_MAX);
}

/* Time limits stay zero, which is none: they follow the wall clock, and
 * setting it would kill the SA. */
static void put_limits(uint64_t soft_bytes, uint64_t hard_bytes,
		       uint64_t soft_packets, uint64_t hard_packets,
		       struct xfrm_lifetime_cfg *lft)
{
	lft->soft_byte_limit = soft_bytes ? soft_bytes : XFRM_INF;
	lft->hard_byte_limit = hard_bytes ? hard_bytes : XFRM_INF;
	lft->soft_packet_limit = soft_packets ? soft_packets : XFRM_INF;
	lft->hard_packet_limit = hard_packets ? hard_packets : XFRM_INF;
}

static void put_key(struct wbuf *b, const uint8_t key[XFRM_KEY_SIZE])
{
	uint8_t bytes[sizeof(struct xfrm_algo_aead) + XFRM_KEY_SIZE];
	struct xfrm_algo_aead alg;

	memset(&alg, 0, sizeof alg);
	memcpy(alg.alg_name, AEAD_NAME, sizeof AEAD_NAME);
	alg.alg_key_len = XFRM_KEY_SIZE * 8;
	alg.alg_icv_len = AEAD_ICV_BITS;
	memcpy(bytes, &alg, sizeof alg);
	memcpy(bytes + sizeof alg, key, XFRM_KEY_SIZE);
	nlattr_put(b, XFRMA_ALG_AEAD, bytes, sizeof bytes);
	sodium_memzero(bytes, sizeof bytes);
}

/* The bitmap may stay away when it is all zero (xfrm_user.c,
 * verify_replay()). */
static void put_replay(struct wbuf *b, uint32_t window)
{
	struct xfrm_replay_state_esn esn;

	memset(&esn, 0, sizeof esn);
	esn.replay_window = MIN(MAX(window, 1), XFRM_MAX_REPLAY_WINDOW);
	esn.bmp_len = DIV_ROUND_UP(esn.replay_window, 32);
	nlattr_put(b, XFRMA_REPLAY_ESN_VAL, &esn, sizeof esn);
}

void xfrm_put_sa(struct wbuf *b, uint32_t seq, uint16_t flags,
		 const struct xfrm_sa *sa)
{
	size_t start = nlmsg_begin(b, XFRM_MSG_NEWSA, flags, seq);
	struct xfrm_usersa_info info;

	memset(&info, 0, sizeof info);
	info.family = family_of(&sa->dst);
	put_selector(info.family, &sa->src, &sa->dst, sa->udp_port, &info.sel);
	put_address(&sa->src, &info.saddr);
	put_address(&sa->dst, &info.id.daddr);
	info.id.spi = htonl(sa->spi);
	info.id.proto = IPPROTO_ESP;
	put_limits(sa->soft_bytes, sa->hard_bytes, sa->soft_packets,
		   sa->hard_packets, &info.lft);
	info.reqid = sa->reqid;
	info.mode = XFRM_MODE_TRANSPORT;
	info.flags = XFRM_STATE_ESN;
	nlmsg_put_fixed(b, &info, sizeof info);
	put_key(b, sa->key);
	put_replay(b, sa->replay_window);
	nlmsg_end(b, start);
}

static void put_sa_id(struct wbuf *b, uint16_t type, uint32_t seq,
		      uint16_t flags, const struct ip_addr *dst, uint32_t spi)
{
	size_t start = nlmsg_begin(b, type, flags, seq);
	struct xfrm_usersa_id id;

	memset(&id, 0, sizeof id);
	put_address(dst, &id.daddr);
	id.spi = htonl(spi);
	id.family = family_of(dst);
	id.proto = IPPROTO_ESP;
	nlmsg_put_fixed(b, &id, sizeof id);
	nlmsg_end(b, start);
}

void xfrm_put_sa_del(struct wbuf *b, uint32_t seq, uint16_t flags,
		     const struct ip_addr *dst, uint32_t spi)
{
	put_sa_id(b, XFRM_MSG_DELSA, seq, flags, dst, spi);
}

void xfrm_put_sa_get(struct wbuf *b, uint32_t seq, uint16_t flags,
		     const struct ip_addr *dst, uint32_t spi)
{
	put_sa_id(b, XFRM_MSG_GETSA, seq, flags, dst, spi);
}

/* No fixed header here: xfrm_dump_sa() reads attributes at once. */
void xfrm_put_sa_dump(struct wbuf *b, uint32_t seq)
{
	size_t start = nlmsg_begin(b, XFRM_MSG_GETSA, NLM_F_DUMP, seq);
	uint8_t proto = IPPROTO_ESP;

	nlattr_put(b, XFRMA_PROTO, &proto, sizeof proto);
	nlmsg_end(b, start);
}

static bool policy_is_v6(const struct xfrm_policy *policy)
{
	if (!ip_is_zero(&policy->src)) {
		return !ip_is_v4(&policy->src);
	}
	if (!ip_is_zero(&policy->dst)) {
		return !ip_is_v4(&policy->dst);
	}
	return policy->v6;
}

static void put_policy_selector(const struct xfrm_policy *policy,
				struct xfrm_selector *sel)
{
	put_selector(policy_is_v6(policy) ? AF_INET6 : AF_INET, &policy->src,
		     &policy->dst, policy->udp_port, sel);
}

static uint8_t put_dir(enum xfrm_dir dir)
{
	return dir == XFRM_DIR_IN ? XFRM_POLICY_IN : XFRM_POLICY_OUT;
}

/* "level required" of ip-xfrm(8) is optional = 0: without this SA the packet
 * does not pass. */
static void put_template(struct wbuf *b, const struct xfrm_policy *policy)
{
	struct xfrm_user_tmpl tmpl;

	memset(&tmpl, 0, sizeof tmpl);
	put_address(&policy->dst, &tmpl.id.daddr);
	put_address(&policy->src, &tmpl.saddr);
	tmpl.id.proto = IPPROTO_ESP;
	if (policy->dir == XFRM_DIR_OUT) {
		tmpl.id.spi = htonl(policy->spi);
	}
	tmpl.family = policy_is_v6(policy) ? AF_INET6 : AF_INET;
	tmpl.reqid = policy->reqid;
	tmpl.mode = XFRM_MODE_TRANSPORT;
	tmpl.aalgos = tmpl.ealgos = tmpl.calgos = UINT32_MAX;
	nlattr_put(b, XFRMA_TMPL, &tmpl, sizeof tmpl);
}

/* Kernels since 5.9 tell policies apart by value and mask; see
 * xfrm_policy_mark_match() in net/xfrm/xfrm_policy.c. */
static void put_mark(struct wbuf *b, const struct xfrm_policy *policy)
{
	struct xfrm_mark mark = {.v = policy->mark, .m = policy->mark_mask};

	if (policy->mark_mask) {
		nlattr_put(b, XFRMA_MARK, &mark, sizeof mark);
	}
}

void xfrm_put_policy(struct wbuf *b, uint32_t seq, uint16_t flags,
		     const struct xfrm_policy *policy, bool update)
{
	uint16_t type = update ? XFRM_MSG_UPDPOLICY : XFRM_MSG_NEWPOLICY;
	size_t start = nlmsg_begin(b, type, flags, seq);
	struct xfrm_userpolicy_info info;

	memset(&info, 0, sizeof info);
	put_policy_selector(policy, &info.sel);
	put_limits(0, 0, 0, 0, &info.lft);
	info.priority = policy->priority;
	info.dir = put_dir(policy->dir);
	info.action = policy->block ? XFRM_POLICY_BLOCK : XFRM_POLICY_ALLOW;
	nlmsg_put_fixed(b, &info, sizeof info);
	if (!policy->block && !policy->plain) {
		put_template(b, policy);
	}
	put_mark(b, policy);
	nlmsg_end(b, start);
}

void xfrm_put_policy_del(struct wbuf *b, uint32_t seq, uint16_t flags,
			 const struct xfrm_policy *policy)
{
	size_t start = nlmsg_begin(b, XFRM_MSG_DELPOLICY, flags, seq);
	struct xfrm_userpolicy_id id;

	memset(&id, 0, sizeof id);
	put_policy_selector(policy, &id.sel);
	id.dir = put_dir(policy->dir);
	nlmsg_put_fixed(b, &id, sizeof id);
	put_mark(b, policy);
	nlmsg_end(b, start);
}

void xfrm_put_policy_dump(struct wbuf *b, uint32_t seq)
{
	size_t start = nlmsg_begin(b, XFRM_MSG_GETPOLICY, NLM_F_DUMP, seq);

	nlmsg_end(b, start);
}

/* Decoders. */

/* The attributes that decide whether an object can be ours. */
struct attrs {
	struct span sa;	    /* XFRMA_SA, nested in DELSA. */
	struct span policy; /* XFRMA_POLICY, nested in DELPOLICY. */
	struct span tmpl;
	struct span aead;
	struct span replay;
	struct span policy_type;
	struct span mark; /* Only if it is not zero. */
	bool foreign;	  /* Something that fdp never uses. */
};

/* fdp sets no interfaces, and marks in policies only: an object that has them
 * differs from ours of the same selector. */
static bool is_set(struct span value)
{
	for (size_t i = 0; i < value.size; i++) {
		if (value.data[i]) {
			return true;
		}
	}
	return false;
}

static enum err get_attrs(struct span in, struct attrs *out)
{
	memset(out, 0, sizeof *out);
	while (in.size) {
		struct span value;
		uint16_t type;
		enum err err = nlattr_get(&in, &type, &value);

		if (err) {
			return err;
		}
		switch (type) {
		case XFRMA_SA:
			out->sa = value;
			break;
		case XFRMA_POLICY:
			out->policy = value;
			break;
		case XFRMA_TMPL:
			out->tmpl = value;
			break;
		case XFRMA_ALG_AEAD:
			out->aead = value;
			break;
		case XFRMA_REPLAY_ESN_VAL:
			out->replay = value;
			break;
		case XFRMA_POLICY_TYPE:
			out->policy_type = value;
			break;
		case XFRMA_ENCAP:
		case XFRMA_COADDR:
			out->foreign = true;
			break;
		case XFRMA_MARK:
			if (is_set(value)) {
				out->mark = value;
			}
			break;
		case XFRMA_IF_ID:
			out->foreign |= is_set(value);
			break;
		default: /* The kernel may say more than we ask. */
			break;
		}
	}
	return FDP_OK;
}

static struct ip_addr get_address(uint16_t family, const xfrm_address_t *from)
{
	uint8_t bytes[sizeof *from];

	memcpy(bytes, from, sizeof bytes);
	return family == AF_INET ? ip_from_v4(bytes) : ip_from_v6(bytes);
}

/* One side of a selector: a whole address or, with length 0, any. */
static enum err get_side(uint16_t family, const xfrm_address_t *from,
			 uint8_t len, struct ip_addr *ip)
{
	if (!len) {
		memset(ip, 0, sizeof *ip);
		return FDP_OK;
	}
	if (len != (family == AF_INET ? 32 : 128)) {
		return ERR_UNSUPPORTED;
	}
	*ip = get_address(family, from);
	return FDP_OK;
}

static enum err get_selector(const struct xfrm_selector *sel,
			     struct ip_addr *src, struct ip_addr *dst,
			     uint16_t *udp_port)
{
	enum err err;

	if ((sel->family != AF_INET && sel->family != AF_INET6) ||
	    sel->proto != IPPROTO_UDP || sel->sport_mask ||
	    sel->dport_mask != htons(UINT16_MAX) || sel->ifindex || sel->user) {
		return ERR_UNSUPPORTED;
	}
	err = get_side(sel->family, &sel->saddr, sel->prefixlen_s, src);
	if (err) {
		return err;
	}
	err = get_side(sel->family, &sel->daddr, sel->prefixlen_d, dst);
	if (err) {
		return err;
	}
	*udp_port = ntohs(sel->dport);
	return FDP_OK;
}

/* The name, key and ICV lengths; the key behind them is not looked at. */
static enum err check_aead(struct span attr)
{
	struct xfrm_algo_aead alg;
	enum err err = span_bytes(&attr, &alg, sizeof alg);

	if (err) {
		return err;
	}
	if (memcmp(alg.alg_name, AEAD_NAME, sizeof AEAD_NAME) != 0 ||
	    alg.alg_key_len != XFRM_KEY_SIZE * 8 ||
	    alg.alg_icv_len != AEAD_ICV_BITS) {
		return ERR_UNSUPPORTED;
	}
	return FDP_OK;
}

static enum err get_replay(struct span attr, struct xfrm_sa *sa)
{
	struct xfrm_replay_state_esn esn;
	enum err err = span_bytes(&attr, &esn, sizeof esn);

	if (err) {
		return err;
	}
	if (attr.size && attr.size / sizeof(uint32_t) < esn.bmp_len) {
		return ERR_TRUNCATED;
	}
	sa->replay_window = esn.replay_window;
	sa->seq_out = (uint64_t)esn.oseq_hi << 32 | esn.oseq;
	sa->seq_in = (uint64_t)esn.seq_hi << 32 | esn.seq;
	return FDP_OK;
}

static uint64_t get_limit(uint64_t limit)
{
	return limit == XFRM_INF ? 0 : limit;
}

static enum err get_sa_info(const struct xfrm_usersa_info *info,
			    const struct attrs *attrs, struct xfrm_sa *sa)
{
	struct ip_addr sel_src, sel_dst;
	enum err err;

	if ((info->family != AF_INET && info->family != AF_INET6) ||
	    info->id.proto != IPPROTO_ESP ||
	    info->mode != XFRM_MODE_TRANSPORT ||
	    !(info->flags & XFRM_STATE_ESN) ||
	    info->sel.family != info->family || attrs->foreign ||
	    attrs->mark.size) {
		return ERR_UNSUPPORTED;
	}
	err = get_selector(&info->sel, &sel_src, &sel_dst, &sa->udp_port);
	if (err) {
		return err;
	}
	sa->src = get_address(info->family, &info->saddr);
	sa->dst = get_address(info->family, &info->id.daddr);
	if (!ip_equal(&sa->src, &sel_src) || !ip_equal(&sa->dst, &sel_dst)) {
		return ERR_UNSUPPORTED;
	}
	sa->spi = ntohl(info->id.spi);
	sa->reqid = info->reqid;
	sa->replay_window = info->replay_window;
	sa->soft_packets = get_limit(info->lft.soft_packet_limit);
	sa->hard_packets = get_limit(info->lft.hard_packet_limit);
	sa->soft_bytes = get_limit(info->lft.soft_byte_limit);
	sa->hard_bytes = get_limit(info->lft.hard_byte_limit);
	sa->bytes = info->curlft.bytes;
	sa->packets = info->curlft.packets;
	sa->add_time = info->curlft.add_time;
	sa->use_time = info->curlft.use_time;
	sa->replay_errors = info->stats.replay;
	sa->integrity_errors = info->stats.integrity_failed;
	return FDP_OK;
}

/* 'complete': the message must tell algorithm and replay state too. */
static enum err get_sa(struct span info_bytes, const struct attrs *attrs,
		       bool complete, struct xfrm_sa *sa)
{
	struct xfrm_usersa_info info;
	struct xfrm_sa result;
	enum err err = nlmsg_get_fixed(&info_bytes, &info, sizeof info);

	memset(&result, 0, sizeof result);
	if (!err) {
		err = get_sa_info(&info, attrs, &result);
	}
	if (!err && complete && (!attrs->aead.data || !attrs->replay.data)) {
		err = ERR_UNSUPPORTED;
	}
	if (!err && attrs->aead.data) {
		err = check_aead(attrs->aead);
	}
	if (!err && attrs->replay.data) {
		err = get_replay(attrs->replay, &result);
	}
	if (!err) {
		*sa = result;
	}
	return err;
}

static enum err get_template(struct span attr, struct xfrm_policy *policy)
{
	struct xfrm_user_tmpl tmpl;
	enum err err = span_bytes(&attr, &tmpl, sizeof tmpl);

	if (err) {
		return err;
	}
	if (attr.size || tmpl.id.proto != IPPROTO_ESP ||
	    tmpl.mode != XFRM_MODE_TRANSPORT || tmpl.optional) {
		return ERR_UNSUPPORTED;
	}
	policy->reqid = tmpl.reqid;
	policy->spi = ntohl(tmpl.id.spi);
	return FDP_OK;
}

static enum err get_mark(struct span attr, struct xfrm_policy *policy)
{
	struct xfrm_mark mark;
	enum err err;

	if (!attr.size) {
		return FDP_OK;
	}
	err = span_bytes(&attr, &mark, sizeof mark);
	if (!err) {
		policy->mark = mark.v;
		policy->mark_mask = mark.m;
	}
	return err;
}

static enum err get_policy(struct span info_bytes, const struct attrs *attrs,
			   struct xfrm_policy *policy)
{
	struct xfrm_userpolicy_info info;
	struct xfrm_policy result;
	enum err err = nlmsg_get_fixed(&info_bytes, &info, sizeof info);

	if (err) {
		return err;
	}
	if ((info.dir != XFRM_POLICY_IN && info.dir != XFRM_POLICY_OUT) ||
	    (info.action != XFRM_POLICY_ALLOW &&
	     info.action != XFRM_POLICY_BLOCK) ||
	    attrs->foreign ||
	    (attrs->policy_type.size &&
	     attrs->policy_type.data[0] != XFRM_POLICY_TYPE_MAIN)) {
		return ERR_UNSUPPORTED;
	}
	memset(&result, 0, sizeof result);
	err = get_selector(&info.sel, &result.src, &result.dst,
			   &result.udp_port);
	if (err) {
		return err;
	}
	result.dir = info.dir == XFRM_POLICY_IN ? XFRM_DIR_IN : XFRM_DIR_OUT;
	result.v6 = info.sel.family == AF_INET6;
	result.priority = info.priority;
	result.block = info.action == XFRM_POLICY_BLOCK;
	err = get_mark(attrs->mark, &result);
	result.plain = !result.block && !attrs->tmpl.data;
	if (!err && !result.block && !result.plain) {
		err = get_template(attrs->tmpl, &result);
	}
	if (!err) {
		*policy = result;
	}
	return err;
}

/* Splits 'msg' into its fixed header of 'size' bytes and its attributes. */
static enum err split(struct span payload, size_t size, struct span *fixed,
		      struct attrs *attrs)
{
	enum err err = span_cut(&payload, NLMSG_ALIGN(size), fixed);

	return err ? err : get_attrs(payload, attrs);
}

enum err xfrm_get_sa(struct span msg, struct xfrm_sa *sa)
{
	struct span payload, fixed;
	struct nlmsghdr header;
	struct attrs attrs;
	enum err err = nlmsg_read(msg, &header, &payload);

	if (!err && header.nlmsg_type != XFRM_MSG_NEWSA) {
		err = ERR_MALFORMED;
	}
	if (!err) {
		err = split(payload, sizeof(struct xfrm_usersa_info), &fixed,
			    &attrs);
	}
	return err ? err : get_sa(fixed, &attrs, true, sa);
}

enum err xfrm_get_policy(struct span msg, struct xfrm_policy *policy)
{
	struct span payload, fixed;
	struct nlmsghdr header;
	struct attrs attrs;
	enum err err = nlmsg_read(msg, &header, &payload);

	if (!err && header.nlmsg_type != XFRM_MSG_NEWPOLICY) {
		err = ERR_MALFORMED;
	}
	if (!err) {
		err = split(payload, sizeof(struct xfrm_userpolicy_info),
			    &fixed, &attrs);
	}
	return err ? err : get_policy(fixed, &attrs, policy);
}

static enum err get_sa_event(uint16_t type, struct span payload,
			     struct xfrm_event *event)
{
	struct span fixed;
	struct attrs attrs;
	enum err err;

	if (type == XFRM_MSG_DELSA) {
		err = split(payload, sizeof(struct xfrm_usersa_id), &fixed,
			    &attrs);
		fixed = err ? fixed : attrs.sa;
		event->type = XFRM_EVENT_SA_DELETED;
	} else if (type == XFRM_MSG_EXPIRE) {
		struct xfrm_user_expire e;

		err = split(payload, sizeof e, &fixed, &attrs);
		if (!err) {
			struct span copy = fixed;

			err = span_bytes(&copy, &e, sizeof e);
			event->type = !err && e.hard ? XFRM_EVENT_SA_HARD
						     : XFRM_EVENT_SA_SOFT;
		}
		return err ? err : get_sa(fixed, &attrs, false, &event->sa);
	} else {
		err = split(payload, sizeof(struct xfrm_usersa_info), &fixed,
			    &attrs);
		event->type = XFRM_EVENT_SA_ADDED;
	}
	return err ? err : get_sa(fixed, &attrs, true, &event->sa);
}

static enum err get_policy_event(uint16_t type, struct span payload,
				 struct xfrm_event *event)
{
	struct span fixed;
	struct attrs attrs;
	enum err err;

	if (type == XFRM_MSG_DELPOLICY) {
		err = split(payload, sizeof(struct xfrm_userpolicy_id), &fixed,
			    &attrs);
		fixed = err ? fixed : attrs.policy;
		event->type = XFRM_EVENT_POLICY_DELETED;
	} else {
		err = split(payload, sizeof(struct xfrm_userpolicy_info),
			    &fixed, &attrs);
		event->type = type == XFRM_MSG_NEWPOLICY
				      ? XFRM_EVENT_POLICY_ADDED
				      : XFRM_EVENT_POLICY_CHANGED;
	}
	return err ? err : get_policy(fixed, &attrs, &event->policy);
}

static enum err get_sa_flush(struct span payload)
{
	struct xfrm_usersa_flush flush;
	enum err err = span_bytes(&payload, &flush, sizeof flush);

	if (!err && flush.proto != IPPROTO_ESP && flush.proto != IPPROTO_RAW &&
	    flush.proto != 0) {
		err = ERR_UNSUPPORTED; /* AH or IPCOMP only. */
	}
	return err;
}

enum err xfrm_get_event(struct span msg, struct xfrm_event *event)
{
	struct nlmsghdr header;
	struct span payload;
	struct xfrm_event result;
	enum err err = nlmsg_read(msg, &header, &payload);

	if (err) {
		return err;
	}
	memset(&result, 0, sizeof result);
	switch (header.nlmsg_type) {
	case XFRM_MSG_NEWSA:
	case XFRM_MSG_UPDSA:
	case XFRM_MSG_DELSA:
	case XFRM_MSG_EXPIRE:
		err = get_sa_event(header.nlmsg_type, payload, &result);
		break;
	case XFRM_MSG_NEWPOLICY:
	case XFRM_MSG_UPDPOLICY:
	case XFRM_MSG_DELPOLICY:
		err = get_policy_event(header.nlmsg_type, payload, &result);
		break;
	case XFRM_MSG_FLUSHSA:
		result.type = XFRM_EVENT_SA_FLUSH;
		err = get_sa_flush(payload);
		break;
	case XFRM_MSG_FLUSHPOLICY:
		result.type = XFRM_EVENT_POLICY_FLUSH;
		break;
	default:
		err = ERR_UNSUPPORTED;
		break;
	}
	if (!err) {
		*event = result;
	}
	return err;
}

/* Whose they are. */

static bool reqid_is_ours(uint32_t reqid)
{
	return reqid - XFRM_REQID_BASE < XFRM_REQID_RANGE;
}

bool xfrm_sa_is_ours(const struct xfrm_sa *sa)
{
	return reqid_is_ours(sa->reqid);
}

bool xfrm_policy_is_ours(const struct xfrm_policy *policy)
{
	if (policy->block) {
		return policy->priority == XFRM_PRIORITY_BLOCK &&
		       !policy->mark_mask;
	}
	if (policy->plain) {
		return policy->priority == XFRM_PRIORITY_PEER &&
		       !policy->mark_mask && policy->udp_port &&
		       !ip_is_zero(&policy->src) && !ip_is_zero(&policy->dst);
	}
	return reqid_is_ours(policy->reqid) &&
	       policy->priority == (policy->mark_mask ? XFRM_PRIORITY_LANE
						      : XFRM_PRIORITY_PEER);
}

bool xfrm_policy_same_selector(const struct xfrm_policy *a,
			       const struct xfrm_policy *b)
{
	return a->dir == b->dir && policy_is_v6(a) == policy_is_v6(b) &&
	       a->udp_port == b->udp_port && a->mark == b->mark &&
	       a->mark_mask == b->mark_mask && ip_equal(&a->src, &b->src) &&
	       ip_equal(&a->dst, &b->dst);
}
