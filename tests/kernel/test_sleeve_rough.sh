#!/bin/bash
# Networks that sleeve has to live with: address translation that forgets, loss,
# a firewall one way, strangers who send.
#
#    h1 172.31.0.1 ---- wire ---- 172.31.0.2 h2        h3 is in h1's place later,
#      |                                     |         behind a router that
#    c1 10.0.0.1                  c2 10.0.0.2          translates (nat)
#
# tier: bare
# timeout: 200
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sleeve.sh"
. "$(dirname "$0")/soak.sh"

overlay=sleeve
hosts 2
fdpd h1 --password-file "$password" --peer 172.31.0.2
fdpd h2 --password-file "$password"
case_ok 'connected' soon sleeved h1 1
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
case_ok 'ping' soon ping_ok c1 10.0.0.2

# ---- strangers ---------------------------------------------------------------

# All that was said is said again, by h1 itself and by others, with a bit of it
# turned, too: nothing of it arrives, nothing moves.
wire_record said 'udp port 6783 and src host 172.31.0.1'
ns c1 ping -n -q -c 20 -i 0.05 10.0.0.2 > /dev/null
wire_stop
echoes=$(rx_echoes c2)
endpoint() { ask h2 '.connections[0] | "\(.overlay) \(.state)"' connections; }
before=$(endpoint)
case_ok 'there is something to be said again' wire_some said 20 'udp'
again() {
	ns h1 python3 "$(dirname "$0")/sleeve_again.py" "$work/said.pcap" 172.31.0.2 6783
}
case_ok 'all of it is sent again, whole and with every bit turned' again
sleep 0.5
case_ok 'nothing of it arrives' [ "$(rx_echoes c2)" = "$echoes" ]
case_ok 'and nothing moves' [ "$(endpoint)" = "$before" ]
case_ok 'they still talk' ping_ok c2 10.0.0.1

# ---- one way --------------------------------------------------------------------

wall h2 'udp dport 6783 counter drop'
one_way() {
	[ "$(ask h1 '.path.there' why h2)" = dead ] && [ "$(ask h1 '.path.back' why h2)" != dead ] &&
		[ "$(ask h2 '.path.back' why h1)" = dead ]
}
case_ok 'UDP blocked one way: both know' soon one_way
case_ok 'status says so, and why' not ctl h1 status
reason() { # REASON: is it what h1 has found?
	[ "$(ask h1 .reason why h2)" = "$1" ]
}
case_ok 'found by tests: they do not arrive' soon reason sleeve-filtered
case_ok 'which are shown' eval 'ctl h1 why h2 | grep -q "5 probes: the other host has received 0"'
ctl h1 why h2 | sed 's/^/h1: /' >&2
ctl h2 why h1 | sed 's/^/h2: /' >&2
wall_down h2
case_ok 'and it is over when it is over' soon ping_ok c1 10.0.0.2
good() { [ "$(ask h1 .path.there why h2)/$(ask h2 .path.back why h1)" = good/good ]; }
soon good
ns h1 nft 'add table inet wall; add chain inet wall out { type filter hook output priority -10; };
	add rule inet wall out udp dport 6783 drop'
case_ok 'blocked on this host itself: told so' soon reason sleeve-blocked
wall_down h1
case_ok 'and over, too' soon ping_ok c1 10.0.0.2

# ---- loss ----------------------------------------------------------------------

for h in h1 h2; do
	wall $h 'udp dport 6783 numgen random mod 100 < 30 counter drop'
done
# Not much, and without TCP's patience, which doubles with each loss in a row, up
# to minutes, also while it closes: a second at most (since Linux 6.15), and as
# often as it takes, or a FIN that is lost is never sent again.
for c in c1 c2; do
	ns $c sysctl -qw net.ipv4.tcp_rto_max_ms=1000 \
		net.ipv4.tcp_orphan_retries=100 net.ipv4.tcp_retries2=100
done
case_ok 'every third datagram is lost, and TCP is whole' transfer c1 c2 10.0.0.2 20K
some_pings() {
	ns c1 ping -n -q -c 40 -i 0.05 -W 1 10.0.0.2 | tee "$work/lossy" |
		sed -n 's/.* \([0-9]*\) received.*/\1/p' | awk '{ exit !($1 > 4 && $1 < 40) }'
}
case_ok 'some pings get through, some do not' some_pings
for h in h1 h2; do
	case_ok "$h: they were lost" eval "ns $h nft list ruleset | grep -q 'packets [1-9]'"
	wall_down $h
done
case_ok 'then none is lost' soon ping_ok c1 10.0.0.2

# ---- translated addresses ---------------------------------------------------------

fdpd_kill h1 TERM
ip netns del c1
#    h3 192.168.3.2 ---- nat 172.31.0.9 ---- wire ---- 172.31.0.2 h2
ip netns add nat
ip link add w9 type veth peer name u0 netns nat
ip link set w9 addrgenmode none master wire up
ip -n nat link set u0 up
ip -n nat addr add 172.31.0.9/24 dev u0
ip netns add h3
ip -n nat link add inside type veth peer name u0 netns h3
ip -n nat addr add 192.168.3.1/24 dev inside
ip -n nat link set inside up
ip -n h3 link set lo up
ip -n h3 link set u0 up
ip -n h3 addr add 192.168.3.2/24 dev u0
ip -n h3 route add default via 192.168.3.1
ns nat sysctl -qw net.ipv4.ip_forward=1
ns nat nft 'add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; };
	add rule ip nat post oifname u0 masquerade random'
# It forgets what was silent for two seconds, and draws another port then.
ns nat sysctl -qw net.netfilter.nf_conntrack_udp_timeout=2 net.netfilter.nf_conntrack_udp_timeout_stream=2
wire_record nat 'udp port 6783 and host 172.31.0.9'
fdpd h3 --password-file "$password" --peer 172.31.0.2
case_ok 'connected from behind a router that translates' soon sleeved h3 1
box h3 c3 10.0.0.3/24
case_ok 'ping through it' soon ping_ok c3 10.0.0.2
case_ok 'ping to there' soon ping_ok c2 10.0.0.3
case_ok 'TCP through it' transfer c3 c2 10.0.0.2 5M
# Before the router's own books, so that it hears nothing either.
silence() {
	ns nat nft 'add table inet cut; add chain inet cut pre { type filter hook prerouting priority -300; };
		add rule inet cut pre udp dport 6783 drop; add rule inet cut pre udp sport 6783 drop'
	sleep 3
	ns nat nft delete table inet cut
}
for _ in 1 2; do
	silence
	case_ok 'after a silence it is reached from outside' soon ping_ok c2 10.0.0.3
done
wire_stop
ports() {
	local n

	n=$(tcpdump -nn -r "$work/nat.pcap" 'src host 172.31.0.9' 2> /dev/null |
		sed -nE 's/.* 172\.31\.0\.9\.([0-9]+) >.*/\1/p' | sort -u | wc -l)
	echo "$n ports"
	[ "$n" -ge 2 ]
}
case_ok 'control: the router has drawn several ports' ports

# Another one behind the same address: it is who has the key.
ip netns add h4
ip -n nat link add inside4 type veth peer name u0 netns h4
ip -n nat addr add 192.168.4.1/24 dev inside4
ip -n nat link set inside4 up
ip -n h4 link set lo up
ip -n h4 link set u0 up
ip -n h4 addr add 192.168.4.2/24 dev u0
ip -n h4 route add default via 192.168.4.1
# Not past the router either.
case_ok 'they do not reach each other behind it' ns nat nft 'add table ip apart;
	add chain ip apart past { type filter hook forward priority 0; };
	add rule ip apart past iifname inside4 oifname inside drop;
	add rule ip apart past iifname inside oifname inside4 drop'
fdpd h4 --password-file "$password" --peer 172.31.0.2
case_ok 'two hosts behind one address' soon sleeved h2 2
seen_at() { ask h2 '[.connections[] | select(.state == "established") | .address | sub(":.*"; "")] | unique | join(" ")' connections; }
case_ok 'both are seen there' [ "$(seen_at)" = 172.31.0.9 ]
box h4 c4 10.0.0.4/24
case_ok 'the one talks' soon ping_ok c3 10.0.0.2
case_ok 'so does the other' soon ping_ok c4 10.0.0.2
case_ok 'both are found' soon ping_ok c2 10.0.0.4
case_ok 'each by itself' soon ping_ok c2 10.0.0.3
case_ok 'and they reach each other' soon ping_ok c3 10.0.0.4
finish
