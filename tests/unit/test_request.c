#include "engine/request.h"

#include "vectors.h"

#define ADDRESSES "\"addresses\": [\"10.0.0.1/24\"]"

static char why[DETAIL_SIZE];

static bool port_of(const char *text, struct port *port)
{
	struct json *json = json_from_string(text);
	bool ok;

	ck_assert_int_ne(json->type, JSON_STRING);
	strcpy(why, "");
	ok = request_port(json, port, why, sizeof why);
	json_destroy(json);
	return ok;
}

START_TEST(smallest_attachment_gets_defaults)
{
	struct port port;

	ck_assert(port_of("{\"netns\": \"blue\", " ADDRESSES "}", &port));
	ck_assert_str_eq(port.netns, "blue");
	ck_assert_str_eq(port.ifname, "eth0");
	ck_assert_str_eq(port.host_ifname, "");
	ck_assert(mac_is_zero(&port.binding.mac));
	ck_assert_uint_eq(port.binding.vni, FORWARDING_VNI_DEFAULT);
	ck_assert_uint_eq(port.mtu, 0);
	ck_assert_uint_eq(port.port_no, UINT32_MAX);
	ck_assert_uint_eq(port.binding.n_ips, 1);
	ck_assert_uint_eq(port.prefix_len[0], 24);
}
END_TEST

START_TEST(whole_attachment_understood)
{
	struct port port;
	char buf[MAC_STRLEN];

	ck_assert(port_of("{\"netns\": \"/run/netns/x\", \"ifname\": \"net1\","
			  " \"host_ifname\": \"fdp01234567\", "
			  "\"mac\": \"02:00:00:00:00:09\", \"network\": "
			  "16777215, \"mtu\": 65535, \"addresses\": "
			  "[\"10.0.0.1/24\", \"fd00::1/64\", \"10.0.0.2\"]}",
			  &port));
	ck_assert_str_eq(port.netns, "/run/netns/x");
	ck_assert_str_eq(port.ifname, "net1");
	ck_assert_str_eq(port.host_ifname, "fdp01234567");
	ck_assert_str_eq(mac_format(&port.binding.mac, buf),
			 "02:00:00:00:00:09");
	ck_assert_uint_eq(port.binding.vni, 16777215);
	ck_assert_uint_eq(port.mtu, 65535);
	ck_assert_uint_eq(port.binding.n_ips, 3);
	ck_assert_uint_eq(port.prefix_len[1], 64);
	ck_assert_uint_eq(port.prefix_len[2], 32);
}
END_TEST

static const char *const bad_ports[] = {
	"{}",
	"[]",
	"{" ADDRESSES "}",
	"{\"netns\": 5, " ADDRESSES "}",
	"{\"netns\": \"\", " ADDRESSES "}",
	"{\"netns\": \"x\"}",
	"{\"netns\": \"x\", \"addresses\": []}",
	"{\"netns\": \"x\", \"addresses\": \"10.0.0.1/24\"}",
	"{\"netns\": \"x\", \"addresses\": [null]}",
	"{\"netns\": \"x\", \"addresses\": [\"\"]}",
	"{\"netns\": \"x\", \"addresses\": [\"10.0.0.256/24\"]}",
	"{\"netns\": \"x\", \"addresses\": [\"10.0.0.1/33\"]}",
	"{\"netns\": \"x\", \"addresses\": [\"fd00::1/129\"]}",
	"{\"netns\": \"x\", \"addresses\": [\"0.0.0.0/0\"]}",
	"{\"netns\": \"x\", \"addresses\": [\"::/0\"]}",
	"{\"netns\": \"x\", \"addresses\": [\"255.255.255.255/0\"]}",
	"{\"netns\": \"x\\ny\", " ADDRESSES "}",
	"{\"netns\": \"x\", \"addresses\": [\"224.0.0.1/4\"]}",
	"{\"netns\": \"x\", \"addresses\": [\"ff02::1/64\"]}",
	"{\"netns\": \"x\", \"addresses\": [\"10.0.0.1/24\", "
	"\"10.0.0.1/16\"]}",
	"{\"netns\": \"x\", \"mac\": \"nonsense\", " ADDRESSES "}",
	"{\"netns\": \"x\", \"mac\": \"01:00:00:00:00:01\", " ADDRESSES "}",
	"{\"netns\": \"x\", \"mac\": \"ff:ff:ff:ff:ff:ff\", " ADDRESSES "}",
	"{\"netns\": \"x\", \"ifname\": \"\", " ADDRESSES "}",
	"{\"netns\": \"x\", \"ifname\": \"a/b\", " ADDRESSES "}",
	"{\"netns\": \"x\", \"ifname\": \"a b\", " ADDRESSES "}",
	"{\"netns\": \"x\", \"ifname\": \"..\", " ADDRESSES "}",
	"{\"netns\": \"x\", \"ifname\": \"a:b\", " ADDRESSES "}",
	"{\"netns\": \"x\", \"ifname\": \"abcdefghijklmnop\", " ADDRESSES "}",
	"{\"netns\": \"x\", \"host_ifname\": \"a\\nb\", " ADDRESSES "}",
	"{\"netns\": \"x\", \"network\": 0, " ADDRESSES "}",
	"{\"netns\": \"x\", \"network\": 16777216, " ADDRESSES "}",
	"{\"netns\": \"x\", \"network\": \"1\", " ADDRESSES "}",
	"{\"netns\": \"x\", \"network\": 1.5, " ADDRESSES "}",
	"{\"netns\": \"x\", \"mtu\": 67, " ADDRESSES "}",
	"{\"netns\": \"x\", \"mtu\": 65536, " ADDRESSES "}",
	"{\"netns\": \"x\", \"mtu\": null, " ADDRESSES "}",
};

START_TEST(bad_attachment_refused_in_a_sentence)
{
	struct port port;

	ck_assert_msg(!port_of(bad_ports[_i], &port), "%s", bad_ports[_i]);
	ck_assert_str_ne(why, "");
	ck_assert_ptr_null(strchr(why, '\n'));
}
END_TEST

START_TEST(too_many_addresses_and_too_long_names_refused)
{
	char text[2048], item[32];
	struct port port;

	strcpy(text, "{\"netns\": \"x\", \"addresses\": [\"10.0.0.0\"");
	for (int i = 1; i <= BINDING_MAX_IPS; i++) {
		snprintf(item, sizeof item, ", \"10.0.0.%d\"", i);
		strcat(text, item);
	}
	strcat(text, "]}");
	ck_assert(!port_of(text, &port));
	strcpy(text, "{\"netns\": \"");
	for (size_t i = 0; i < sizeof port.netns; i++) {
		strcat(text, "x");
	}
	strcat(text, "\", " ADDRESSES "}");
	ck_assert(!port_of(text, &port));
}
END_TEST

static bool flow_of(const char *text, struct flow *flow)
{
	struct json *json = json_from_string(text);
	bool ok;

	ck_assert_int_ne(json->type, JSON_STRING);
	strcpy(why, "");
	ok = request_flow(json, flow, why, sizeof why);
	json_destroy(json);
	return ok;
}

static const struct {
	const char *text;
	uint16_t eth_type;
	uint8_t nw_proto;
} packets[] = {
	{"{}", ETH_TYPE_IPV4, 0},
	{"{\"ip_src\": \"10.0.0.1\"}", ETH_TYPE_IPV4, 0},
	{"{\"ip_dst\": \"fd00::1\"}", ETH_TYPE_IPV6, 0},
	{"{\"ip_src\": \"fd00::1\", \"ip_proto\": 6}", ETH_TYPE_IPV6, 6},
	{"{\"arp_op\": 1}", ETH_TYPE_ARP, 0},
	{"{\"eth_type\": 2054}", ETH_TYPE_ARP, 0},
	{"{\"nd_target\": \"fd00::1\"}", ETH_TYPE_IPV6, IP_PROTO_ICMPV6},
	{"{\"eth_type\": 35020}", 35020, 0},
};

START_TEST(packet_type_guessed_from_its_fields)
{
	struct flow flow;

	ck_assert(flow_of(packets[_i].text, &flow));
	ck_assert_uint_eq(flow.eth_type, packets[_i].eth_type);
	ck_assert_uint_eq(flow.nw_proto, packets[_i].nw_proto);
}
END_TEST

START_TEST(packet_from_the_tunnel_has_its_key)
{
	struct flow flow;

	ck_assert(flow_of("{\"tun_src\": \"192.0.2.1\"}", &flow));
	ck_assert(flow.tunnel.present);
	ck_assert_uint_eq(flow.tunnel.vni, FORWARDING_VNI_DEFAULT);
	ck_assert(flow.tunnel.flags & FLOW_TNL_KEY);
	ck_assert(flow_of("{\"tun_src\": \"::1\", \"vni\": 77}", &flow));
	ck_assert_uint_eq(flow.tunnel.vni, 77);
	ck_assert(flow_of("{}", &flow));
	ck_assert(!flow.tunnel.present);
}
END_TEST

static const char *const bad_packets[] = {
	"{\"eth_src\": \"x\"}",
	"{\"eth_dst\": \"\"}",
	"{\"ip_src\": \"10.0.0.1/24\"}",
	"{\"ip_dst\": \"host\"}",
	"{\"ip_src\": \"10.0.0.1\", \"ip_dst\": \"fd00::1\"}",
	"{\"ip_src\": \"fd00::1\", \"ip_dst\": \"10.0.0.1\"}",
	"{\"eth_type\": 2048, \"ip_src\": \"fd00::1\"}",
	"{\"eth_type\": 34525, \"ip_dst\": \"10.0.0.1\"}",
	"{\"arp_op\": 1, \"ip_dst\": \"fd00::1\"}",
	"{\"eth_type\": 65536}",
	"{\"eth_type\": -1}",
	"{\"ip_proto\": 256}",
	"{\"tp_src\": 65536}",
	"{\"tp_dst\": \"80\"}",
	"{\"arp_op\": 65536}",
	"{\"vni\": 16777216}",
	"{\"tun_src\": \"x\"}",
	"{\"nd_target\": \"x\"}",
	"{\"arp_sha\": \"x\"}",
	"{\"arp_tha\": \"x\"}",
};

START_TEST(bad_packet_refused_in_a_sentence)
{
	struct flow flow;

	ck_assert_msg(!flow_of(bad_packets[_i], &flow), "%s", bad_packets[_i]);
	ck_assert_str_ne(why, "");
	ck_assert_ptr_null(strchr(why, '\n'));
}
END_TEST

#define N(A) ((int)(sizeof(A) / sizeof((A)[0])))

int main(void)
{
	Suite *suite = suite_create("request");
	TCase *tcase = tcase_create("request");

	tcase_add_test(tcase, smallest_attachment_gets_defaults);
	tcase_add_test(tcase, whole_attachment_understood);
	tcase_add_loop_test(tcase, bad_attachment_refused_in_a_sentence, 0,
			    N(bad_ports));
	tcase_add_test(tcase, too_many_addresses_and_too_long_names_refused);
	tcase_add_loop_test(tcase, packet_type_guessed_from_its_fields, 0,
			    N(packets));
	tcase_add_test(tcase, packet_from_the_tunnel_has_its_key);
	tcase_add_loop_test(tcase, bad_packet_refused_in_a_sentence, 0,
			    N(bad_packets));
	suite_add_tcase(suite, tcase);
	return vectors_main(suite);
}
