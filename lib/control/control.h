/* The control socket's commands and their JSON, one table for both sides.
 *
 * fdpd registers each command of control.def as "fdp/NAME" on its unixctl
 * socket, with one optional argument, a JSON object.  The reply is a JSON
 * object on success, one line of plain text on failure.  fdpctl renders the
 * objects as text, so there is one place that knows how things look.
 *
 * Replies (all keys always present unless marked "?"):
 *
 * status       {version, name, id, uptime (s), encryption ("aes-256-gcm esp",
 *              "aes-256-gcm sleeve", "xsalsa20-poly1305 sleeve" or "none"),
 *              password? {accepted (1 or 2), first (how many peers
 *              use it), second [name], removed [name] (of peers that use
 *              one that is not accepted any more), absent (how many peers
 *              are not connected)}, control_port, vxlan_port, datapath
 *              {name, state ("up", "down"), kind ("kernel", "user"), reason
 *              (slug: why it is not the kernel's, or ""), detail}, sleeve
 *              {setting ("auto", "fastdp", "sleeve"), state ("up", "down",
 *              "off"), detail (why it is down), port}, ports, peers,
 * connections {connecting, handshake, established, retrying, failed}, endpoints
 * {local, remote}, flows {installed, refused, evicted, ahead (of their
 * packets), ahead_max, ahead_left_out}, upcalls {handled, lost,
 *              features_restored, lost_by: [{host_ifname, ifname, netns,
 *              lost}]}, identity_key (fingerprint, "" without),
 *              state {written, error, damaged (sentences or "")},
 *              drops {REASON: packets seen by the daemon},
 *              verdict ("healthy", "degraded", "down"), reasons [text]}
 * connections  {connections: [{direction ("out", "in"), address, state
 *              ("connecting", "handshake", "established", "retrying",
 *              "failed"), encrypted, overlay ("fastdp", "sleeve", "relay",
 *              "none"), overlay_reason (slug: why not fastdp, or ""),
 *              overlay_detail (sentence or ""), cipher ("" if there is no way),
 *              peer (id or ""), name, mtu (of the inner network, 0 =
 *              unknown), reason (slug or ""), detail (sentence or ""),
 *              slot (0, 1 or -1), age (s in this state), path? {loss (per
 *              cent of the last 64), sent, acked, lost (probes of ours),
 *              rtt_us?, acked_ago_ms?, heard (probes of the peer's),
 *              heard_ago_ms?, there, back ("good", "loses", "small", "lanes",
 *              "dead": our way to it, and its way to us as it says)}}]}
 * peers        {peers: [{id, name, address, connected, overlay,
 *              overlay_reason, overlay_detail, cipher (as above), udp_port,
 *              spi_in, spi_out (of lane 0), lanes: [{spi_in, spi_out}],
 *              reqid, mtu, identity_key (fingerprint or ""), identity
 *              ("pinned", "new", "none"), path? (as above), endpoints:
 *              [{network, mac, addresses}], sleeve? {address (of its
 *              datagrams), cipher, index_in, index_out, tx_frames, tx_bytes,
 *              rx_frames, rx_bytes, forged, replayed, lost}}]}
 * why          {peer (name, id or address)} -> {name, address, peer (id or ""),
 *              verdict ("good", "degraded", "down"), reason (slug or ""), text,
 *              detail, remedy, since (s), failures (attempts to connect),
 *              overlay?, overlay_reason?, overlay_detail?, cipher?, via?,
 * hops?, session? {direction, address, age, heard_ago_ms}, path?, sleeve_path?
 * (as above), tests? [{tried, seen}], tested_ago?, history [{ago (s), reason,
 * text}] (newest first)} ports        {ports: [{vport, ifname, host_ifname,
 * netns, mac, addresses, network, mtu, state ("up", "down", "lost"), trouble,
 * upcalls, lost (of these), waited (times that it was too fast), flows,
 *              refused, evicted}]}; the tunnel and the host's own port are in
 *              "others": [{vport, name, kind ("host", "tunnel",
 *              "sleeve"), state,
 *              trouble, upcalls, lost, waited}]; no vport: it has none
 * attach-check {netns, ifname?, mac?, addresses [CIDR], network?} -> the same,
 *              completed: {netns, ifname, host_ifname, mac, addresses,
 *              network, mtu, device ("veth"; "tap" in user space: then there
 *              is no host end, and 'host_ifname' is but a name)}.  Refused if
 * anything collides.  Changes nothing. attach       exactly what attach-check
 * answered, after the interface was made -> an entry of "ports". detach {netns,
 * ifname} or {host_ifname} -> {host_ifname}
 * connect      {addresses, replace?}, or {address} -> {addresses, forgotten
 *              [address]}
 * forget       {address} (or name, or id) -> {address}
 * forget-key   {name} (of a host, or its id) -> {name, forgotten (how many)}
 * rekey        {peer?} (name, id or address; all without) -> {peers [name]}
 * reload       {} -> {accepted, changed, renewing [name]}
 * trace        {port (number or host_ifname), eth_src, eth_dst, eth_type?,
 *              ip_src?, ip_dst?, ip_proto?, tp_src?, tp_dst?, arp_op?,
 *              arp_sha?, arp_tha?, nd_target?, tun_src?, vni?} -> {steps
 *              [text], verdict ("forward", "drop", "answer"), reason, text,
 *              remedy, key, actions (as ovs-dpctl prints them), install,
 *              peer?, spi?, lane? (if there are several)}
 * names        {} -> {ports {NUMBER: name}, peers {ADDRESS: name},
 *              peer_numbers {NUMBER: name}, flows {UFID hex: {reason,
 *              peer? (a number)}}}: what `fdpctl flows` adds to what it reads
 *              from the kernel
 */
#ifndef FDP_CONTROL_CONTROL_H
#define FDP_CONTROL_CONTROL_H 1

/* The namespace of what is exposed (`fdpctl expose`): whoever opens this, the
 * daemon or its agent, finds its own. */
#define CONTROL_OWN_NETNS "/proc/self/ns/net"

enum control_command {
#define X(NAME, TEXT, HELP) CONTROL_##NAME,
#include "control/control.def"
#undef X
	N_CONTROL_COMMANDS
};

/* "attach-check" and so on. */
const char *control_name(enum control_command);
/* One line of help. */
const char *control_help(enum control_command);
/* N_CONTROL_COMMANDS if there is none of that name. */
enum control_command control_find(const char *name);

#endif
