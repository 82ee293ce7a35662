/* Writes what a corpus begins with: genuine things of every kind.
 *
 *	seed DIRECTORY	    DIRECTORY/TARGET/NAME, for each target
 */
#include <sys/stat.h>

#include "fuzz/fuzz.h"
#include "netlink/odp.h"
#include "netlink/xfrm.h"
#include "packet/build.h"
#include "packet/probe.h"
#include "session/identity.h"
#include "session/message.h"
#include "sleeve/frame.h"
#include "sleeve/vnet.h"

static const char *top;

static void put(const char *target, const char *name, const void *head,
		size_t head_size, struct span body)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", top, target);
	mkdir(path, 0777);
	snprintf(path, sizeof path, "%s/%s/%s", top, target, name);
	f = fopen(path, "w");
	REQUIRE(f);
	if (head_size) {
		fwrite(head, 1, head_size, f);
	}
	fwrite(body.data, 1, body.size, f);
	fclose(f);
}

static void put_text(const char *target, const char *name, const char *text)
{
	put(target, name, text, strlen(text), span_of(NULL, 0));
}

static struct ip_addr ip(uint8_t last)
{
	const uint8_t v4[4] = {192, 0, 2, last};

	return ip_from_v4(v4);
}

/* A payload for fuzz_message, and a record of the peer for fuzz_engine. */
static void put_payload(const char *name, struct span payload)
{
	uint8_t head[4] = {0};

	put("message", name, head, 1, payload);
	head[0] = 1;
	head[2] = (uint8_t)(payload.size >> 8);
	head[3] = (uint8_t)payload.size;
	put("engine", name, head, sizeof head, payload);
}

static void put_message_as(const char *name, struct message *m)
{
	struct wbuf payload = WBUF_INITIALIZER(0);

	REQUIRE(!message_encode(m, &payload));
	put_payload(name, wbuf_span(&payload));
	wbuf_free(&payload);
}

static void put_message(struct message *m)
{
	put_message_as(message_name(m->type), m);
}

static void small_messages(void)
{
	static const enum msg_type types[] = {
		MSG_PING,	MSG_PONG,	   MSG_SA_ACTIVE,
		MSG_SA_DELETE,	MSG_REKEY_REQUEST, MSG_REKEY_RESPONSE,
		MSG_REKEY_ASK,	MSG_REHANDSHAKE,   MSG_PROBE_ACK,
		MSG_PATH_ASK,	MSG_PATH_REPORT,   MSG_PATH_STATE,
		MSG_PATH_CHECK, MSG_PATH_CHECKED,
	};
	uint8_t links[] = {1, 'a', 0, 0, 5, 0, 0, 0};
	struct peer_hint hint = {.id.b[0] = 8, .at = {ip(4), 6783}};
	struct held_statement held = {.author.b[0] = 7, .seq = 1};
	uint32_t number = 4711;
	struct message m;

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		memset(&m, 0, sizeof m);
		m.type = types[i];
		if (m.type == MSG_REKEY_REQUEST ||
		    m.type == MSG_REKEY_RESPONSE) {
			m.rekey.epoch = 1;
			memset(m.rekey.key, 9, sizeof m.rekey.key);
		}
		put_message(&m);
	}
	m = (struct message){.type = MSG_CLOSE, .close.reason = ERR_EXISTS};
	put_message(&m);
	m = (struct message){.type = MSG_SA_OFFER,
			     .sa_offer = {.spis = {4711},
					  .n_spis = 1,
					  .src_ip = ip(1),
					  .dst_ip = ip(2),
					  .vxlan_port = 6784,
					  .mtu = 1500}};
	put_message(&m);
	m = (struct message){.type = MSG_PLAIN,
			     .plain = {.src_ip = ip(1), .dst_ip = ip(2)}};
	put_message(&m);
	m = (struct message){.type = MSG_SLEEVE,
			     .sleeve = {.index = 4711,
					.cipher = SLEEVE_CIPHER_XSALSA20,
					.port = 6783,
					.mtu = 1500}};
	put_message(&m);
	m = (struct message){.type = MSG_PEERS,
			     .peers = {.want = true,
				       .port = 6783,
				       .v = &hint,
				       .n = 1,
				       .advertised = {{ip(3), 6783}},
				       .n_advertised = 1}};
	put_message(&m);
	m = (struct message){.type = MSG_STATEMENT,
			     .statement = {.author.b[0] = 7,
					   .incarnation = 5,
					   .seq = 1,
					   .body = links,
					   .size = sizeof links}};
	put_message(&m);
	m = (struct message){.type = MSG_SUMMARY,
			     .summary = {.want = true, .v = &held, .n = 1}};
	put_message(&m);
	m = (struct message){.type = MSG_HAVE, .held = {.v = &held, .n = 1}};
	put_message(&m);
	m.type = MSG_WANT;
	put_message(&m);
	m = (struct message){.type = MSG_LINKS,
			     .links = {.incarnation = 5,
				       .seq = 1,
				       .chunk = STATEMENT_LINKS,
				       .come = &number,
				       .n_come = 1}};
	put_message(&m);
	m.links.named = 1;
	put_message_as("links-named", &m);
	m = (struct message){.type = MSG_WANT,
			     .held = {.v = &held, .n = 1, .in_short = true}};
	put_message_as("want-in-short", &m);
}

static void records(void)
{
	struct binding b = {.vni = 1,
			    .mac = {{2, 0, 0, 0, 0, 9}},
			    .n_ips = 1,
			    .ips = {ip(9)}};
	struct binding_key key = binding_key(&b);
	struct ip_addr addr = ip(2);
	struct message m = {.type = MSG_RECORD,
			    .record = {.author.b[0] = 7,
				       .incarnation = 5,
				       .seq = 1,
				       .last = true,
				       .name = "straw",
				       .addrs = &addr,
				       .n_addrs = 1,
				       .bindings = &b,
				       .n_bindings = 1}};
	struct message step = {.type = MSG_UPDATE,
			       .update = {.author.b[0] = 7,
					  .incarnation = 5,
					  .seq = 2,
					  .removed = &key,
					  .n_removed = 1}};
	struct wbuf both = WBUF_INITIALIZER(0);

	put_message(&m);
	put_message(&step);
	REQUIRE(!message_encode(&m, &both) && !message_encode(&step, &both));
	put_payload("record-and-update", wbuf_span(&both));
	wbuf_free(&both);
}

static void identities(void)
{
	const struct identity id = {.name = "alpha",
				    .id.b[0] = 1,
				    .incarnation = 5,
				    .capabilities = CAPABILITY_FASTDP,
				    .vxlan_port = 6784,
				    .mtu = 1500};
	struct wbuf out = WBUF_INITIALIZER(0);

	identity_encode(&id, &out);
	put("message", "identity", "\1", 1, wbuf_span(&out));
	wbuf_free(&out);
}

/* What we send is much like what the kernel answers. */
static void netlink(void)
{
	struct odp_vport vport = {
		.port_no = 1, .name = "vxlan", .type = ODP_VPORT_VXLAN};
	struct xfrm_policy policy = {.dir = XFRM_DIR_OUT,
				     .src = ip(1),
				     .dst = ip(2),
				     .udp_port = 6784,
				     .priority = XFRM_PRIORITY_PEER,
				     .reqid = XFRM_REQID_BASE};
	struct xfrm_sa sa = {.src = ip(1),
			     .dst = ip(2),
			     .spi = 4711,
			     .reqid = XFRM_REQID_BASE,
			     .udp_port = 6784,
			     .replay_window = 1024};
	const struct ufid ufid = {{1}};
	struct flow key = {.in_port = 2,
			   .eth_type = ETH_TYPE_IPV4,
			   .nw_proto = IP_PROTO_UDP,
			   .nw_src = ip(1),
			   .nw_dst = ip(2)};
	struct actions actions;
	struct wbuf out = WBUF_INITIALIZER(0);

	actions_init(&actions);
	actions_set_tunnel(&actions)->tunnel.dst = ip(2);
	actions_output(&actions, 1);
	key.tunnel.present = true;
	key.tunnel.src = ip(3);
	odp_put_flow(&out, 30, 1, 0, 5, &ufid, &key, &key, &actions);
	put("odp", "flow", "\203", 1, wbuf_span(&out));
	wbuf_clear(&out);
	odp_put_vport_new(&out, 30, 1, 0, &vport);
	put("odp", "vport", "\202", 1, wbuf_span(&out));
	wbuf_clear(&out);
	odp_put_dp_new(&out, 30, 1, 0, "fdp", 1);
	put("odp", "datapath", "\201", 1, wbuf_span(&out));
	wbuf_clear(&out);
	odp_put_execute(&out, 30, 1, 0, 5, &key,
			span_of("0123456789abcdef", 16), &actions);
	put("odp", "packet", "\204", 1, wbuf_span(&out));
	wbuf_clear(&out);
	odp_put_key_attrs(&out, &key);
	put("odp", "key", "\5", 1, wbuf_span(&out));
	wbuf_clear(&out);
	odp_put_action_attrs(&out, &actions);
	put("odp", "actions", "\6", 1, wbuf_span(&out));
	wbuf_clear(&out);
	xfrm_put_sa(&out, 1, 0, &sa);
	put("xfrm", "sa", "\200", 1, wbuf_span(&out));
	wbuf_clear(&out);
	xfrm_put_policy(&out, 1, 0, &policy, false);
	put("xfrm", "policy", "\200", 1, wbuf_span(&out));
	wbuf_clear(&out);
	xfrm_put_policy_del(&out, 1, 0, &policy);
	put("xfrm", "policy-del", "\200", 1, wbuf_span(&out));
	wbuf_free(&out);
	actions_free(&actions);
}

static void packets(void)
{
	static const uint8_t protos[] = {IP_PROTO_ICMP, IP_PROTO_TCP,
					 IP_PROTO_UDP, IP_PROTO_SCTP};
	struct wbuf out = WBUF_INITIALIZER(0);
	char name[16];

	for (size_t i = 0; i < 2 * sizeof protos + 2; i++) {
		struct flow f = {.eth_type =
					 i & 1 ? ETH_TYPE_IPV6 : ETH_TYPE_IPV4,
				 .nw_proto = protos[i / 2 % sizeof protos],
				 .nw_ttl = 64};
		uint8_t head[4] = {1, 4};

		if (!(i & 1)) {
			f.nw_src = ip(1);
			f.nw_dst = ip(2);
		}
		if (i == 2 * sizeof protos) {
			f.eth_type = ETH_TYPE_ARP;
			f.arp_op = 1;
		} else if (i > 2 * sizeof protos) {
			f.eth_type = ETH_TYPE_IPV6;
			f.nw_proto = IP_PROTO_ICMPV6;
			f.tp_src = 135;
			f.nd_target.b[0] = 0xfd;
		}
		wbuf_clear(&out);
		build_frame(&out, &f, span_of("0123456789abcdef0123", 20));
		snprintf(name, sizeof name, "%zu", i);
		put("packet", name, NULL, 0, wbuf_span(&out));
		head[3] = (uint8_t)out.size;
		put("engine", name, head, sizeof head, wbuf_span(&out));
	}
	wbuf_free(&out);
}

static void probes(void)
{
	struct probe_frame p = {.sender = {{7}}, .number = 9, .size = 40};
	struct wbuf out = WBUF_INITIALIZER(0);

	probe_put(&out, &p);
	put("probe", "one", NULL, 0, wbuf_span(&out));
	wbuf_free(&out);
}

static void handshakes(void)
{
	char name[16];

	for (uint8_t i = 0; i < 7; i++) {
		const uint8_t genuine[2] = {(uint8_t)(0x80 | i), 0};

		snprintf(name, sizeof name, "genuine-%u", i);
		put("frames", name, genuine, sizeof genuine, span_of(NULL, 0));
	}
	for (uint8_t i = 0; i < 8 * 11; i++) {
		const uint8_t op[8] = {i / 11, 0, i % 11, 0, i, 3, 1, 2};

		snprintf(name, sizeof name, "op-%u", i);
		put("mitm", name, op, sizeof op, span_of(NULL, 0));
	}
}

#define ATTACHMENT                                                     \
	"{\"addresses\":[\"10.0.0.4/24\",\"fd00::4/64\"],"             \
	"\"host_ifname\":\"fdp4e95d5d0\",\"ifname\":\"eth0\","         \
	"\"mac\":\"5e:82:68:8e:d2:f0\",\"mtu\":1416,\"netns\":\"c4\"," \
	"\"network\":1}"

/* Frames of a TAP, and the records that become of them. */
static void sleeve(void)
{
	static const uint8_t payload[3000];
	static const struct {
		const char *name;
		uint16_t type;
		uint8_t proto, gso_type;
		uint16_t vlan_tci, mss;
	} table[] = {
		{"tcp4", ETH_TYPE_IPV4, IP_PROTO_TCP, VNET_GSO_TCPV4, 0, 1000},
		{"tcp6", ETH_TYPE_IPV6, IP_PROTO_TCP, VNET_GSO_TCPV6, 0, 1000},
		{"udp4", ETH_TYPE_IPV4, IP_PROTO_UDP, VNET_GSO_UDP_L4, 0, 1000},
		{"tagged", ETH_TYPE_IPV4, IP_PROTO_TCP, VNET_GSO_TCPV4, 0x1005,
		 1000},
		{"large", ETH_TYPE_IPV4, IP_PROTO_TCP, VNET_GSO_NONE, 0, 0},
		{"pieces", ETH_TYPE_IPV4, IP_PROTO_ICMP, VNET_GSO_NONE, 0, 0},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct flow f = {.eth_type = table[i].type,
				 .vlan_tci = table[i].vlan_tci,
				 .vlan_tpid = ETH_TYPE_VLAN,
				 .nw_proto = table[i].proto,
				 .nw_src = ip(1),
				 .nw_dst = ip(2)};
		struct wbuf frame = WBUF_INITIALIZER(0);
		struct vnet_l4 l = {0};
		struct vnet_hdr h = {0};
		uint8_t head[1 + VNET_BYTES] = {0x80};

		build_frame(&frame, &f, span_of(payload, sizeof payload));
		if (!vnet_find_l4(wbuf_span(&frame), &l)) {
			h.flags = table[i].mss ? VNET_NEEDS_CSUM : 0;
			h.gso_type = table[i].gso_type;
			h.gso_size = table[i].mss;
			h.csum_start = h.flags ? l.l4 : 0;
			h.csum_offset = h.flags ? (uint16_t)(l.csum - l.l4) : 0;
		}
		memcpy(head + 1, &h, sizeof h);
		put("sleeve", table[i].name, head, sizeof head,
		    wbuf_span(&frame));
		wbuf_free(&frame);
	}
}

/* Segments of one super-frame, pieces of one frame. */
static void sleeve_records(void)
{
	struct flow f = {.eth_type = ETH_TYPE_IPV4,
			 .nw_proto = IP_PROTO_TCP,
			 .nw_src = ip(1),
			 .nw_dst = ip(2)};
	static const uint8_t payload[100];
	struct wbuf segments = WBUF_INITIALIZER(0), pieces = segments;
	struct wbuf frame = segments;

	build_frame(&frame, &f, span_of(payload, sizeof payload));
	wbuf_u8(&segments, 0);
	wbuf_u8(&pieces, 0);
	for (uint8_t i = 0; i < 3; i++) {
		frame.data[41] = (uint8_t)(i * sizeof payload); /* Sequence. */
		wbuf_u8(&segments, 1);
		wbuf_u16(&segments, (uint16_t)(3 + frame.size));
		wbuf_u8(&segments, FRAME_PARTIAL | (i ? FRAME_FOLLOWS : 0));
		wbuf_u16(&segments, (uint16_t)frame.size);
		wbuf_bytes(&segments, frame.data, frame.size);

		wbuf_u8(&pieces, 1);
		wbuf_u16(&pieces, 3 + 40);
		wbuf_u8(&pieces,
			(uint8_t)(FRAME_PIECE | (i ? FRAME_FOLLOWS : 0) |
				  (i < 2 ? FRAME_MORE : 0)));
		wbuf_u16(&pieces, 40);
		wbuf_bytes(&pieces, frame.data + 40 * (size_t)i, 40);
	}
	put("sleeve", "segments", NULL, 0, wbuf_span(&segments));
	put("sleeve", "in-pieces", NULL, 0, wbuf_span(&pieces));
	wbuf_free(&segments);
	wbuf_free(&pieces);
	wbuf_free(&frame);
}

static void command(const char *name, const char *text)
{
	const uint8_t head[4] = {1, 3, 0, (uint8_t)strlen(text)};

	put("engine", name, head, sizeof head, span_of(text, strlen(text)));
}

/* One step of fuzz_engine. */
static void put_step(struct wbuf *out, unsigned int kind, unsigned int which,
		     struct span bytes)
{
	wbuf_u8(out, (uint8_t)(kind | which << 3));
	wbuf_u16(out, (uint16_t)bytes.size);
	wbuf_bytes(out, bytes.data, bytes.size);
}

static void put_command(struct wbuf *out, const char *text)
{
	put_step(out, 3, 0, span_of(text, strlen(text)));
}

/* Keys, what the data plane tells (each kind, with an error and without), new
 * keys, what is shown; beside the kernel's datapath and without it. */
static void sleeve_engine(void)
{
	static const uint8_t news[5] = {1, 0, 7, 0x1a, 0x80};
	const uint8_t with[] = {1 | 2, 1 | 2 | 4};
	struct message m = {.type = MSG_SLEEVE};
	struct wbuf out = WBUF_INITIALIZER(0), payload = WBUF_INITIALIZER(0);

	m.sleeve.index = 7;
	m.sleeve.port = 6783;
	m.sleeve.cipher = SLEEVE_CIPHER_XSALSA20;
	REQUIRE(!message_encode(&m, &payload));
	for (size_t i = 0; i < 2; i++) {
		wbuf_clear(&out);
		put_step(&out, 0, 0, wbuf_span(&payload));
		put_step(&out, 7, 3, span_of(NULL, 0));
		for (unsigned int which = 0; which < 8; which++) {
			put_step(&out, 6, 16 | which,
				 span_of(news, sizeof news));
		}
		put_command(&out, "connections");
		put_command(&out, "rekey");
		put_step(&out, 7, 10, span_of(NULL, 0));
		put_command(&out, "connect {\"address\":\"192.0.2.2\"}");
		put_command(&out, "why {\"peer\":\"192.0.2.2\"}");
		put_command(&out, "flows");
		put_command(&out, "forget {\"address\":\"192.0.2.2\"}");
		put("engine", i ? "sleeve-alone" : "sleeve-beside", &with[i], 1,
		    wbuf_span(&out));
	}
	wbuf_free(&payload);
	wbuf_free(&out);
}

static void texts(void)
{
	put_text("config", "all",
		 "# comment\npassword-file = /etc/fdp/password\n"
		 "peer = 192.0.2.1\npeer = [2001:db8::1]:6789\nport = 6783\n"
		 "name = a\nlisten = 0.0.0.0\nweak-password = true\n");
	put_text("state", "one",
		 "{\"version\":1,\"attachments\":[" ATTACHMENT "]}");
	put_text(
		"control", "attach",
		"--mac 02:00:00:00:00:01 --ip 10.0.0.1 --prefix fd00::1/64 "
		"--flag --n=0x10 --end [::1]:99 --type ipv6 --proto tcp 5\n" ATTACHMENT
		"\n"
		"{\"ports\":[" ATTACHMENT "],\"others\":[]}");
	put_text(
		"control", "trace",
		"eth0 --own 02:00:00:00:00:01 --text x --if eth0 -- 7\n"
		"{\"port\":2,\"eth_src\":\"02:00:00:00:00:01\",\"eth_dst\":"
		"\"ff:ff:ff:ff:ff:ff\",\"eth_type\":2054,\"arp_op\":1,"
		"\"ip_src\":\"10.0.0.1\",\"ip_dst\":\"10.0.0.2\"}\n"
		"{\"steps\":[\"x\"],\"verdict\":\"drop\",\"reason\":\"miss\","
		"\"text\":\"t\",\"remedy\":\"r\",\"connections\":[{\"address\":"
		"\"192.0.2.1\",\"state\":\"established\",\"age\":5}],"
		"\"uptime\":70000,\"flows\":{\"installed\":4}}");
	command("status", "status");
	command("rekey", "rekey");
	command("peers", "peers");
	command("names", "names");
	command("attach-check", "attach-check " ATTACHMENT);
	command("attach", "attach " ATTACHMENT);
	command("detach", "detach {\"netns\":\"c4\",\"ifname\":\"eth0\"}");
	command("connect", "connect {\"address\":\"192.0.2.9\"}");
	command("forget", "forget {\"address\":\"192.0.2.9\"}");
	command("trace", "trace {\"port\":0,\"eth_src\":\"02:00:00:00:00:01\","
			 "\"eth_dst\":\"02:00:00:00:00:02\"}");
	put("channel", "three", "\1\0\3abc\1\0\2de\0\1\1f\1", 13,
	    span_of(NULL, 0));
}

int main(int argc, char *argv[])
{
	REQUIRE(argc == 2);
	top = argv[1];
	small_messages();
	records();
	identities();
	netlink();
	packets();
	probes();
	handshakes();
	sleeve();
	sleeve_records();
	sleeve_engine();
	texts();
	return 0;
}
