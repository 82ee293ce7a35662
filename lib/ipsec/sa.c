#include "ipsec/sa.h"

#include <string.h>

#include "hash.h"

uint32_t sa_draw_spi(const struct rng *rng)
{
	return SA_SPI_MIN +
	       (uint32_t)rng_range(rng, UINT32_MAX - SA_SPI_MIN + UINT64_C(1));
}

uint32_t sa_reqid(const struct ip_addr *remote, unsigned int attempt)
{
	uint32_t hash = hash_bytes(remote, sizeof *remote, 0);

	return XFRM_REQID_BASE + (hash + attempt) % XFRM_REQID_RANGE;
}

void sa_make(struct xfrm_sa *sa, const struct secret *esp,
	     const struct esp_key_params *key, uint32_t reqid,
	     uint16_t udp_port, unsigned int n_lanes)
{
	struct esp_keymat keymat;

	_Static_assert(sizeof keymat.b == sizeof sa->key,
		       "the kernel's key is the derived one");
	memset(sa, 0, sizeof *sa);
	sa->src = key->src_ip;
	sa->dst = key->dst_ip;
	sa->spi = key->spi;
	sa->reqid = reqid;
	sa->udp_port = udp_port;
	sa->replay_window =
		n_lanes > 1 ? SA_REPLAY_WINDOW_LANES : SA_REPLAY_WINDOW;
	sa->soft_packets = SA_SOFT_PACKETS;
	sa->hard_packets = SA_HARD_PACKETS;
	sa->soft_bytes = SA_SOFT_BYTES;
	sa->hard_bytes = SA_HARD_BYTES;
	esp_key(esp, key, &keymat);
	memcpy(sa->key, keymat.b, sizeof sa->key);
	esp_keymat_wipe(&keymat);
}
