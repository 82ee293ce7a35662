/* `peers`, and the names for what a flow dump shows. */
#include <inttypes.h>
#include <stdio.h>

#include "base/jsonput.h"
#include "engine/show.h"
#include "engine/state.h"
#include "openvswitch/json.h"
#include "sleeve/sleeve.h"
#include "util.h"

static struct json *binding_json(const struct binding *b)
{
	struct json *json = json_object_create();
	struct json *list = json_array_create_empty();
	char buf[IP_STRLEN];

	jsonput_int(json, "network", b->vni);
	jsonput_mac(json, "mac", &b->mac);
	for (size_t i = 0; i < b->n_ips; i++) {
		json_array_add(list,
			       json_string_create(ip_format(&b->ips[i], buf)));
	}
	json_object_put(json, "addresses", list);
	return json;
}

static struct json *lanes_json(const struct tunnel *t)
{
	struct json *list = json_array_create_empty();

	for (unsigned int i = 0; i < MAX(t->n_in, t->n_out); i++) {
		struct json *json = json_object_create();

		jsonput_int(json, "spi_in", t->lanes[i].spi_in);
		jsonput_int(json, "spi_out", t->lanes[i].spi_out);
		json_array_add(list, json);
	}
	return list;
}

static void put_peer_key(const struct engine *e, const struct peer *p,
			 struct json *json)
{
	char fingerprint[SIGN_FINGERPRINT_STRLEN] = "";
	const struct pin *pin = pin_find(e, &p->id);
	const struct identity *shown = p->conn && p->conn->identity.has_key
					       ? &p->conn->identity
					       : NULL;

	if (shown) {
		sign_fingerprint(&shown->key, fingerprint);
	} else if (pin) {
		sign_fingerprint(&pin->key, fingerprint);
	}
	json_object_put_string(json, "identity_key", fingerprint);
	json_object_put_string(json, "identity",
			       !*fingerprint		    ? "none"
			       : !pin || pin_is_new(e, pin) ? "new"
							    : "pinned");
}

const char *show_via(const struct engine *e, const struct peer *p)
{
	const struct peer *via = peer_by_number(e, p->via);

	return via ? via->name : "";
}

const char *show_overlay(const struct peer *p)
{
	return p->via != FWD_NOBODY   ? "relay"
	       : !way_is_usable(p)    ? "none"
	       : overlay_is_sleeve(p) ? "sleeve"
				      : "fastdp";
}

/* Why it is not fastdp. */
static enum reason overlay_reason(const struct engine *e, const struct peer *p,
				  const char **detail)
{
	*detail = "";
	if (!p->tunnel.by_sleeve) {
		return p->beside.overlay.reason;
	}
	if (!e->user) {
		return REASON_PEER_NO_FASTDP;
	}
	*detail = e->no_fastdp_detail;
	return e->no_fastdp;
}

void show_put_overlay(const struct engine *e, const struct peer *p,
		      struct json *json)
{
	const char *detail = "";
	enum reason reason = REASON_NONE;

	if (p) {
		reason = overlay_reason(e, p, &detail);
	}
	json_object_put_string(json, "overlay", p ? show_overlay(p) : "none");
	json_object_put_string(json, "overlay_reason", reason_slug(reason));
	json_object_put_string(json, "overlay_detail",
			       *detail ? detail : reason_text(reason));
	json_object_put_string(
		json, "cipher",
		!p || !way_is_usable(p) ? ""
		: overlay_is_sleeve(p)
			? sleeve_cipher_name(p->tunnel.sleeve.cipher)
		: engine_encrypts(e) ? "aes-256-gcm"
				     : "none");
}

static struct json *sleeve_json(const struct sleeve *s)
{
	const struct sleeve_load *load = &s->load;
	struct json *json = json_object_create();
	char buf[ENDPOINT_STRLEN] = "";

	if (s->index_out) {
		endpoint_format(&s->remote, buf);
	}
	json_object_put_string(json, "address", buf);
	json_object_put_string(json, "cipher", sleeve_cipher_name(s->cipher));
	jsonput_int(json, "index_in", s->index_in);
	jsonput_int(json, "index_out", s->index_out);
	jsonput_int(json, "tx_frames", load->tx_frames);
	jsonput_int(json, "tx_bytes", load->tx_bytes);
	jsonput_int(json, "rx_frames", load->rx_frames);
	jsonput_int(json, "rx_bytes", load->rx_bytes);
	jsonput_int(json, "forged", load->forged);
	jsonput_int(json, "replayed", load->replayed);
	jsonput_int(json, "lost", load->lost);
	return json;
}

static struct json *peer_json(const struct engine *e, const struct peer *p)
{
	const struct tunnel *t = &p->tunnel;
	struct json *json = json_object_create();
	struct json *list = json_array_create_empty();

	jsonput_id(json, "id", &p->id);
	json_object_put_string(json, "name", p->name);
	jsonput_ip(json, "address", &t->remote);
	jsonput_bool(json, "connected", p->conn != NULL);
	show_put_overlay(e, p, json);
	json_object_put_string(json, "via", show_via(e, p));
	jsonput_int(json, "hops", p->hops);
	jsonput_bool(json, "plain", plain_is_on(t));
	jsonput_int(json, "udp_port", t->udp_port);
	jsonput_int(json, "spi_in", t->lanes[0].spi_in);
	jsonput_int(json, "spi_out", t->lanes[0].spi_out);
	json_object_put(json, "lanes", lanes_json(t));
	jsonput_int(json, "reqid", t->reqid);
	jsonput_int(json, "mtu", way_mtu(p));
	if (t->sleeve.on) {
		json_object_put(json, "sleeve", sleeve_json(&t->sleeve));
	}
	put_peer_key(e, p, json);
	if (p->watch.on) {
		json_object_put(json, "path", show_path(e, &p->watch));
	}
	for (size_t i = 0; i < p->record.n; i++) {
		struct json *endpoint = binding_json(&p->record.v[i]);

		json_object_put_string(endpoint, "duplicate",
				       peer_duplicate(e, p, i));
		json_array_add(list, endpoint);
	}
	json_object_put(json, "endpoints", list);
	return json;
}

void show_peers(struct engine *e, uint32_t command)
{
	struct json *json = json_object_create();
	struct json *list = json_array_create_empty();
	const struct peer *p;

	HMAP_FOR_EACH (p, node, &e->peers) {
		json_array_add(list, peer_json(e, p));
	}
	json_object_put(json, "peers", list);
	command_reply(e, command, json);
}

static void add_flow_name(const struct flow_entry *f, void *aux)
{
	struct json *json = json_object_create();
	char ufid[2 * sizeof f->ufid.b + 1];

	for (size_t i = 0; i < sizeof f->ufid.b; i++) {
		snprintf(ufid + 2 * i, 3, "%02x", f->ufid.b[i]);
	}
	json_object_put_string(json, "reason", reason_slug(f->reason));
	if (f->ahead) {
		json_object_put(json, "ahead", json_boolean_create(true));
	}
	if (f->peer != UINT32_MAX) {
		jsonput_int(json, "peer", f->peer);
	}
	if (f->hop != UINT32_MAX && f->hop != f->peer) {
		jsonput_int(json, "via", f->hop);
	}
	json_object_put(aux, ufid, json);
}

void show_names(struct engine *e, uint32_t command)
{
	struct json *json = json_object_create();
	struct json *ports = json_object_create();
	struct json *peers = json_object_create();
	struct json *numbers = json_object_create();
	struct json *flows = json_object_create();
	struct json *vlans = json_object_create();
	const struct fwd_port *tunnel = forwarding_port(e->fwd, e->tunnel_port);
	const struct peer *peer;
	char buf[IP_STRLEN];

	json_object_put_string(ports, "0", e->config.datapath);
	if (tunnel) {
		snprintf(buf, sizeof buf, "%" PRIu32, tunnel->port_no);
		json_object_put_string(ports, buf, tunnel->name);
	}
	if (e->trunk_port != UINT32_MAX) {
		snprintf(buf, sizeof buf, "%" PRIu32, e->trunk_port);
		json_object_put_string(ports, buf, e->trunk_footing.name);
	}
	for (const struct port *p = e->ports; p; p = p->next) {
		snprintf(buf, sizeof buf, "%" PRIu32, p->port_no);
		json_object_put_string(ports, buf, p->host_ifname);
	}
	HMAP_FOR_EACH (peer, node, &e->peers) {
		if (peer->tunnel.placed) {
			json_object_put_string(
				peers, ip_format(&peer->tunnel.remote, buf),
				peer->name);
		}
		if (peer->tunnel.by_sleeve) {
			const struct ip_addr ip = sleeve_addr(peer->number);

			json_object_put_string(peers, ip_format(&ip, buf),
					       peer->name);
		}
		snprintf(buf, sizeof buf, "%" PRIu32, peer->number);
		json_object_put_string(numbers, buf, peer->name);
	}
	for (unsigned int vid = VLAN_VID_MIN; vid <= VLAN_VID_MAX; vid++) {
		const struct vlan *vlan =
			forwarding_vlan(e->fwd, (uint16_t)vid);

		peer = vlan ? peer_by_number(e, vlan->peer) : NULL;
		if (peer) {
			snprintf(buf, sizeof buf, "%u", vid);
			json_object_put_string(vlans, buf, peer->name);
		}
	}
	flow_table_each(e->flows, add_flow_name, flows);
	json_object_put(json, "vlans", vlans);
	json_object_put(json, "ports", ports);
	json_object_put(json, "peers", peers);
	json_object_put(json, "peer_numbers", numbers);
	json_object_put(json, "flows", flows);
	command_reply(e, command, json);
}
