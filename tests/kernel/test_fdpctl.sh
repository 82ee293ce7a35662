#!/bin/bash
# The tool, every command of it, on two hosts; with the daemon alive, dead, and
# after a reset.
#
#    h1 172.31.0.1 ---- wire ---- 172.31.0.2 h2        fdpd on both, h1 dials
#      |                                     |
#    c1 10.0.0.1 fd00::1          c2 10.0.0.2 fd00::2
#
# tier: uml
# timeout: 300
. "$(dirname "$0")/lib.sh"

exits() { # STATUS COMMAND...
	local want=$1 got

	shift
	"$@"
	got=$?
	[ $got -eq "$want" ] || { echo "exit status $got"; return 1; }
}
# Refused, in one line that has TEXT in it.
refused() { # TEXT COMMAND...
	local text=$1 out status

	shift
	out=$("$@" 2>&1 > /dev/null)
	status=$?
	echo "$status: $out"
	[ $status -eq 1 ] && [ "$(echo "$out" | wc -l)" -eq 1 ] && [[ $out == "fdpctl: "*"$text"* ]]
}
has() { # TEXT COMMAND...
	local text=$1 out

	shift
	out=$("$@" 2>&1)
	echo "$out"
	[[ $out == *"$text"* ]]
}
links() { ip -n "$1" -o link | awk -F': ' '{ sub(/@.*/, "", $2); print $2 }' | sort; }

hosts 2
fdpd h1 --password-file "$password" --peer 172.31.0.2
fdpd h2 --password-file "$password"
case_ok 'connected' soon meshed h1 1

# ---- attach, ports, detach
ip netns add c1
ip netns add c2
before=$(links h1)
case_ok 'attach prints the interface' has 'interface    eth0 in /run/netns/c1' \
	ctl h1 attach --netns c1 --address 10.0.0.1/24 --address fd00::1/64 --mac 02:00:00:00:00:01
case_ok 'it is there, with its MAC' has 02:00:00:00:00:01 ip -n c1 link show eth0
case_ok 'and its IPv4 address' has 10.0.0.1/24 ip -n c1 addr show eth0
case_ok 'and its IPv6 address' has fd00::1/64 ip -n c1 addr show eth0
host_end=$(ask h1 '.ports[0].host_ifname' ports)
case_ok 'the host end has our alias' has 'alias fdpd: eth0 in /run/netns/c1' ip -n h1 link show "$host_end"
case_ok 'ports has all keys' [ "$(ask h1 '.ports[0] | keys | join(" ")' ports)" = 'addresses device duplicate evicted flows host_ifname ifname lost mac mtu netns network refused state trouble upcalls vport waited' ]
case_ok 'ports shows it' has '10.0.0.1/24 fd00::1/64  1416  /run/netns/c1' ctl h1 ports
# From somewhere else than where the daemon lives: the host end goes there.
case_ok 'attach from another network namespace' "$bin/fdpctl" --run-dir /run/h2 \
	attach --netns /run/netns/c2 --address 10.0.0.2/24 --address fd00::2/64
case_ok 'the host end is with the daemon' has "$(ask h2 '.ports[0].host_ifname' ports)" links h2
case_ok 'ping' soon ping_ok c1 10.0.0.2

before=$(links h1)
unchanged() {
	diff <(echo "$before") <(links h1) && [ "$(ask h1 '.ports | length' ports)" = 1 ]
}
case_ok 'the same interface again is refused' refused 'is attached already' \
	ctl h1 attach --netns c1 --address 10.0.0.9/24
case_ok 'an address in use is refused' refused 'is attached already' \
	ctl h1 attach --netns c1 --ifname eth1 --address 10.0.0.1/24
case_ok 'an address of the other host is refused' refused '10.0.0.2' \
	ctl h1 attach --netns c1 --ifname eth1 --address 10.0.0.2/24
ip -n c1 link add eth7 type dummy
case_ok 'a name that is taken in there is refused' refused 'eth7' \
	ctl h1 attach --netns c1 --ifname eth7 --address 10.0.0.9/24
case_ok 'no such namespace' refused 'nowhere' ctl h1 attach --netns nowhere --address 10.0.0.9/24
case_ok 'a file that is no namespace' refused '/etc/passwd' ctl h1 attach --netns /etc/passwd --address 10.0.0.9/24
case_ok 'none of these left anything' unchanged
unshare --net sleep 1000 &
sleeper=$!
elsewhere() { [ "$(readlink /proc/$sleeper/ns/net)" != "$(readlink /proc/self/ns/net)" ]; }
soon elsewhere
case_ok 'attach --pid' ctl h1 attach --pid $sleeper --address 10.0.0.11/24
case_ok 'it is in there' has 10.0.0.11/24 nsenter -t $sleeper --net ip addr show eth0
case_ok 'detach --pid' ctl h1 detach --pid $sleeper
case_ok 'it is gone' soon not nsenter -t $sleeper --net ip link show eth0
kill $sleeper
case_ok 'nothing is left' soon unchanged
case_ok 'detach of what is not attached' refused 'not attached' ctl h1 detach --netns c1 --ifname eth9

# ---- peers, connect, forget, status
case_ok 'peers shows the other host and its endpoint' has '10.0.0.2 fd00::2' ctl h1 peers
case_ok 'status is healthy' soon exits 0 ctl h1 status
case_ok 'connections are healthy' soon exits 0 ctl h1 status connections
case_ok 'connect' has 'dialling 172.31.0.99:6783' ctl h1 connect 172.31.0.99
case_ok 'connections are degraded' exits 2 ctl h1 connections
case_ok 'status is degraded' exits 2 ctl h1 status
case_ok 'and says so in JSON' [ "$(ask h1 .verdict status)" = degraded ]
case_ok 'forget' ctl h1 forget 172.31.0.99
case_ok 'status is healthy again' soon exits 0 ctl h1 status
case_ok 'forget of somebody unknown' refused 'no peer' ctl h1 forget 172.31.0.98

# ---- trace
trace() { ctl h1 trace --port "$host_end" --src 02:00:00:00:00:01 "$@"; }
mac2=$(ask h2 '.ports[0].mac' ports)
case_ok 'trace: forward to the peer' has 'peer         h2, ESP SPI 0x' trace --dst "$mac2" --ip-src 10.0.0.1 --ip-dst 10.0.0.2
case_ok 'trace: the reason' has 'reason       remote' trace --dst "$mac2" --ip-src 10.0.0.1 --ip-dst 10.0.0.2
case_ok 'trace: a stranger' has 'reason       unknown-mac' trace --dst 02:99:00:00:00:00 --ip-src 10.0.0.1 --ip-dst 10.0.0.7
case_ok 'trace: spoofing' has 'reason       spoofed-ip' trace --dst "$mac2" --ip-src 10.0.0.66 --ip-dst 10.0.0.2
case_ok 'trace: ARP is led to who has it' has 'reason       remote' trace --dst ff:ff:ff:ff:ff:ff --arp-op 1 --ip-src 10.0.0.1 --ip-dst 10.0.0.2
case_ok 'trace: so is ND' has 'reason       remote' trace --dst 33:33:ff:00:00:02 --ip-src fd00::1 --ip-dst ff02::1:ff00:2 --nd-target fd00::2
case_ok 'trace: who has no address yet is answered' has 'verdict      answer' trace --dst 33:33:ff:00:00:02 --ip-src :: --ip-dst ff02::1:ff00:2 --nd-target fd00::2
case_ok 'trace: no such port' refused 'no port' ctl h1 trace --port nix --src 02:00:00:00:00:01 --dst 02:00:00:00:00:02

# ---- flows
keep() { ping_ok c1 10.0.0.2 > /dev/null; }
flows() { keep && ctl h1 flows "$@"; }
case_ok 'flows: port, peer and reason' soon has "in=$host_end peer=h2 reason=remote" flows
case_ok 'flows: from the tunnel' soon has 'in=vxlan-6784 peer=h2 reason=local' flows
only() { # PATTERN COMMAND...: all lines match, and there is one
	local pattern=$1 out

	shift
	out=$("$@")
	echo "$out"
	[ -n "$out" ] && not grep -qv -e "$pattern" <<< "$out"
}
case_ok 'flows --port NAME' only "in=$host_end " flows --port "$host_end"
case_ok 'flows --port NUMBER' only "in=$host_end " flows --port "$(ask h1 '.ports[0].vport' ports)"
case_ok 'flows --port of nothing' refused 'no port' ctl h1 flows --port nix
case_ok 'flows --peer NAME' only 'peer=h2' flows --peer h2
case_ok 'flows --peer ADDRESS' only 'peer=h2' flows --peer 172.31.0.2
case_ok 'flows --port of no such number' refused 'no port 99' ctl h1 flows --port 99
nothing() { out=$("$@") && [ -z "$out" ]; }
case_ok 'flows --port of one without flows' nothing ctl h1 flows --port fdp
case_ok 'flows --peer of nobody' refused 'no peer' ctl h1 flows --peer h3
case_ok 'flows --peer of no such address' refused 'no peer' ctl h1 flows --peer 172.31.0.3
case_ok 'flows --mac' only "$mac2" flows --mac "$mac2"
case_ok 'flows --json' [ "$(flows --json | jq -r 'map(select(.peer == "h2" and .reason == "remote")) | .[0] | keys | join(" ")')" = 'ahead bytes flow in_port packets peer port reason ufid used_ms via' ]
case_ok 'flows: no such datapath' exits 3 ctl h1 flows --datapath nix

# ---- sas
case_ok 'sas: both directions, by name' has 'out  h2' ctl h1 sas
case_ok 'sas: out counts packets' [ "$(ask h1 '[.sas[] | select(.direction == "out" and .name == "h2" and .packets > 0 and .sequence >= .packets)] | length' sas)" -ge 1 ]
case_ok 'sas: in as well' [ "$(ask h1 '[.sas[] | select(.direction == "in" and .packets > 0)] | length' sas)" -ge 1 ]
case_ok 'sas: the block policies' [ "$(ask h1 '[.policies[] | select(.action == "block" and .src == "::/0")] | length' sas)" = 2 ]
no_keys() {
	local key

	for key in $(ns h1 ip xfrm state | awk '/aead/ { print substr($3, 3) }'); do
		not grep -qi "${key:0:16}" <(ctl h1 sas; ctl h1 --json sas) || return 1
	done
	[ -n "$key" ]
}
case_ok 'sas: no keys' no_keys

# ---- the daemon dead: the kernel still speaks
fdpd_kill h1 KILL
case_ok 'dead: status' exits 3 ctl h1 status
case_ok 'dead: one line' has 'fdpd is not running' ctl h1 status
case_ok 'dead: ping goes on' ping_ok c1 10.0.0.2
plain() { sed -E 's/packets:[0-9]+, bytes:[0-9]+, used:[^,]*,( flags:[^,]*,)?//' | sort; }
case_ok 'dead: flows are those of ovs-dpctl' diff <(ns h1 ovs-dpctl dump-flows fdp | plain) <(ctl h1 flows 2> /dev/null | plain)
case_ok 'dead: there are flows' has 'actions:' ctl h1 flows
case_ok 'dead: flows --port NAME' has 'actions:' ctl h1 flows --port "$host_end"
case_ok 'dead: flows --peer ADDRESS' has 'actions:' ctl h1 flows --peer 172.31.0.2
case_ok 'dead: flows --peer NAME is refused' refused 'address' ctl h1 flows --peer h2
case_ok 'dead: sas' has 'out  -' ctl h1 sas
case_ok 'dead: attach' exits 3 ctl h1 attach --netns c1 --ifname eth1 --address 10.0.0.9/24

# ---- reset, with and without daemon, and nothing but ours
ns h1 ip link add foreign type veth peer name foreign2
ns h1 ip link set foreign alias 'not fdpd:'
ns h1 ovs-dpctl add-dp other
ns h1 ip xfrm state add src 172.31.0.1 dst 192.0.2.1 proto esp spi 0x777 reqid 7 mode transport \
	aead 'rfc4106(gcm(aes))' 0x00112233445566778899aabbccddeeff00112233 128
ns h1 ip xfrm policy add src 172.31.0.1/32 dst 192.0.2.1/32 dir out priority 9 \
	tmpl src 172.31.0.1 dst 192.0.2.1 proto esp reqid 7 mode transport
foreign_only() {
	[ "$(ns h1 ip xfrm state | grep -c ^src)" = 1 ] &&
		[ "$(ns h1 ip xfrm policy | grep -c 'dir ')" = 1 ] &&
		[ "$(links h1 | tr '\n' ' ')" = 'foreign foreign2 lo other u0 ' ] &&
		[ "$(ns h1 ovs-dpctl dump-dps)" = 'system@other' ]
}
state() { links h1; ns h1 ip xfrm state count; ns h1 ip xfrm policy | grep -c 'dir '; ns h1 ovs-dpctl dump-dps; }
state=$(state)
case_ok 'dry run lists' has 'would remove datapath fdp' ctl h1 reset --dry-run
case_ok 'dry run changes nothing' [ "$state" = "$(state)" ]
removed=$(ctl h1 reset)
case_ok 'reset names the datapath' has 'removed datapath fdp' echo "$removed"
case_ok 'and the SAs' has 'removed SA 172.31.0.1 -> 172.31.0.2, SPI 0x' echo "$removed"
case_ok 'and the block policy' has '0.0.0.0/0 -> 0.0.0.0/0, UDP 6784: block' echo "$removed"
case_ok 'only what is foreign remains' foreign_only
case_ok 'the container lost its interface' not ip -n c1 link show eth0
case_ok 'reset again: nothing to do' has 'nothing of ours' ctl h1 reset
case_ok 'still only what is foreign' foreign_only
case_ok 'a datapath of ours by name alone stays' has 'left alone: datapath other' ctl h1 reset --datapath other
case_ok 'it does' foreign_only

pid2=${daemon[h2]}
case_ok 'reset stops a running daemon' ctl h2 reset
case_ok 'it has exited' soon not kill -0 "$pid2"
wait "$pid2"
case_ok 'with status 0' [ $? -eq 0 ]
unset 'daemon[h2]'
case_ok 'no SA of h2 is left' [ -z "$(ns h2 ip xfrm state)" ]
case_ok 'no policy of h2 is left' [ -z "$(ns h2 ip xfrm policy)" ]
case_ok 'no link of h2 is left' [ "$(links h2 | tr '\n' ' ')" = 'lo u0 ' ]

# ---- a datapath of another name, which reset is not told
fdpd h1 --password-file "$password" --datapath fdpx
case_ok 'reset finds it by its alias' has 'removed datapath fdpx' ctl h1 reset
wait "${daemon[h1]}"
unset 'daemon[h1]'
case_ok 'and nothing else' foreign_only

# ---- and afterwards everything can begin anew
fdpd h1 --password-file "$password" --peer 172.31.0.2
fdpd h2 --password-file "$password"
case_ok 'connected again' soon meshed h1 1
finish
