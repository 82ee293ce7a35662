/* Two sides of a handshake, for the targets that need one. */
#ifndef FDP_TESTS_FUZZ_PAIR_H
#define FDP_TESTS_FUZZ_PAIR_H 1

#include <sodium.h>

#include "fuzz/fuzz.h"
#include "session/handshake.h"

struct party {
	struct handshake hs;
	uint64_t state; /* Of its randomness. */
	struct rng rng;
	struct wbuf rx, tx;
};

/* Passwords 1, 2 and 3, stretched. */
static inline const struct hs_slot *pair_slot(unsigned int number)
{
	static struct hs_slot slots[4];

	memset(slots[number].prs.b, (int)number, sizeof slots[number].prs.b);
	memset(slots[number].psk.b, (int)number + 16,
	       sizeof slots[number].psk.b);
	return &slots[number];
}

static inline void party_init(struct party *p, enum hs_role role,
			      const struct hs_slot *slots, size_t n_slots,
			      size_t dial_slot, uint64_t seed)
{
	struct identity self = {.id = {{(uint8_t)(role + 1)}},
				.incarnation = 5,
				.capabilities = CAPABILITY_FASTDP,
				.vxlan_port = 6784,
				.mtu = 1500};
	struct hs_config config = {.slots = slots,
				   .n_slots = n_slots,
				   .dial_slot = dial_slot,
				   .self = &self};

	REQUIRE(sodium_init() >= 0);
	memset(p, 0, sizeof *p);
	snprintf(self.name, sizeof self.name, "%s", role ? "beta" : "alpha");
	p->state = seed * 2 + (uint64_t)role;
	p->rng = (struct rng){fuzz_fill, &p->state};
	wbuf_init(&p->rx, 0);
	wbuf_init(&p->tx, 0);
	handshake_init(&p->hs, role, &config);
	handshake_start(&p->hs, &p->tx, &p->rng);
}

/* Hands over bytes; returns how many of all were read. */
static inline size_t party_input(struct party *p, struct span bytes,
				 enum err *err)
{
	struct span in;
	size_t before;

	wbuf_bytes(&p->rx, bytes.data, bytes.size);
	before = p->rx.size;
	in = wbuf_span(&p->rx);
	*err = handshake_input(&p->hs, &in, &p->tx, &p->rng);
	wbuf_pull(&p->rx, before - in.size);
	return before - in.size;
}

static inline void party_done(struct party *p)
{
	handshake_wipe(&p->hs);
	wbuf_free(&p->rx);
	wbuf_free(&p->tx);
}

#endif
