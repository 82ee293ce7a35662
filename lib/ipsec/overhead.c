#include "ipsec/overhead.h"

enum {
	IPV4_HEADER = 20,
	IPV6_HEADER = 40,
	UDP_HEADER = 8,
	VXLAN_HEADER = 8, /* RFC 7348 5 */
	ETHER_HEADER = 14,
	ESP_HEADER = 8,	 /* SPI and sequence number, RFC 4303 2 */
	ESP_IV = 8,	 /* RFC 4106 3.1 */
	ESP_TRAILER = 2, /* Pad length and next header. */
	ESP_ALIGN = 4,	 /* Padding, RFC 4303 2.4 */
	ESP_ICV = 16
};

uint32_t overhead_inner_mtu(uint32_t path_mtu, bool v6, bool encrypted)
{
	uint32_t outer = v6 ? IPV6_HEADER : IPV4_HEADER;
	uint32_t inner = UDP_HEADER + VXLAN_HEADER + ETHER_HEADER;
	uint32_t room;

	if (encrypted) {
		outer += ESP_HEADER + ESP_IV + ESP_ICV;
		inner += ESP_TRAILER;
	}
	if (path_mtu < outer + inner + ESP_ALIGN) {
		return 0;
	}
	room = path_mtu - outer;
	if (encrypted) {
		room -= room % ESP_ALIGN;
	}
	return room - inner;
}
