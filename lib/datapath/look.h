/* Looking at a packet, and remembering what was looked at.
 *
 * A mask must hold every bit that the decision depended on, and should hold no
 * other: a missing bit sends packets the wrong way, a needless one makes two
 * megaflows of one.  So the pipeline never reads a field of a packet without
 * one of these functions, or without setting the field's mask beside it.
 *
 * Mostly a decision asks "is this field equal to that constant?".  A yes
 * depends on all bits of the field.  A no needs just enough of them to show the
 * first difference: the bits from the most significant one down to the first
 * that differs.  The values which are not equal thus fall into as many classes
 * as the field has bits, however many values there are (compare the tries of
 * Open vSwitch's classifier).  A UDP packet from port 40000 is told from a DHCP
 * reply, port 67, by the bit 0x8000 alone, and shares its megaflow with half of
 * all ports.  Of addresses it is whole bytes, down to the first that differs: a
 * few more megaflows, but an eighth of the masks, which the kernel tries one
 * after the other for the packets of everybody; who sends what he is not
 * allowed to could make thousands of them ("tuple space explosion").
 *
 * The differing bit alone would do as well.  With all bits above it the classes
 * do not overlap: two packets of different masks never match each other's
 * megaflow.  The kernel knows no priorities and refuses a flow whose key one of
 * another mask matches (ovs_flow_cmd_new() in net/openvswitch/datapath.c),
 * which happens when packets of both classes come up together.
 */
#ifndef FDP_DATAPATH_LOOK_H
#define FDP_DATAPATH_LOOK_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/addr.h"

/* What to add to the mask of 'value' after asking whether it is 'constant':
 * 'exact', all bits of the field, if it is; else those down to the most
 * significant one in which it differs. */
static inline uint32_t look_bits(uint32_t value, uint32_t constant,
				 uint32_t exact)
{
	uint32_t bits = value ^ constant;

	bits |= bits >> 1;
	bits |= bits >> 2;
	bits |= bits >> 4;
	bits |= bits >> 8;
	bits |= bits >> 16;
	return exact & ~(bits >> 1);
}

static inline bool look_u8(uint8_t value, uint8_t constant, uint8_t *mask)
{
	*mask |= (uint8_t)look_bits(value, constant, UINT8_MAX);
	return value == constant;
}

static inline bool look_u16(uint16_t value, uint16_t constant, uint16_t *mask)
{
	*mask |= (uint16_t)look_bits(value, constant, UINT16_MAX);
	return value == constant;
}

/* An ICMP type or code: eight bits in a field of sixteen. */
static inline bool look_icmp(uint16_t value, uint8_t constant, uint16_t *mask)
{
	*mask |= (uint16_t)look_bits(value, constant, UINT8_MAX);
	return value == constant;
}

static inline bool look_bytes(const uint8_t *value, const uint8_t *constant,
			      uint8_t *mask, size_t size)
{
	/* Mostly a packet is what it should be. */
	if (!memcmp(value, constant, size)) {
		memset(mask, UINT8_MAX, size);
		return true;
	}
	for (size_t i = 0; i < size; i++) {
		mask[i] = UINT8_MAX;
		if (value[i] != constant[i]) {
			return false;
		}
	}
	return true;
}

static inline bool look_mac(const struct mac *value, const struct mac *constant,
			    struct mac *mask)
{
	return look_bytes(value->b, constant->b, mask->b, sizeof mask->b);
}

/* Both addresses must be of one family, as the ethertype says. */
static inline bool look_ip(const struct ip_addr *value,
			   const struct ip_addr *constant, struct ip_addr *mask)
{
	return look_bytes(value->b, constant->b, mask->b, sizeof mask->b);
}

/* A table is asked: that depends on every bit. */
static inline void look_up_mac(struct mac *mask)
{
	memset(mask->b, UINT8_MAX, sizeof mask->b);
}

static inline void look_up_ip(struct ip_addr *mask)
{
	memset(mask->b, UINT8_MAX, sizeof mask->b);
}

#endif
