#!/bin/bash
# Datagrams of the sleeve that overtake each other, come twice, or not at all:
# what comes, comes once, and TCP is whole.
#
#    h1 172.30.1.1 --- r --- 172.30.2.2 h2     r sends UDP 6783 through mess.py
#    |                                   |
#    c1 10.0.0.1                10.0.0.2 c2
#
# tier: bare
# timeout: 150
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sleeve.sh"
. "$(dirname "$0")/soak.sh"

overlay=sleeve
for n in h1 r h2; do
	ip netns add $n
	ip -n $n link set lo up
done
for i in 1 2; do
	ip link add u0 netns h$i type veth peer name leg$i netns r
	ip -n h$i addr add 172.30.$i.$i/24 dev u0
	ip -n r addr add 172.30.$i.254/24 dev leg$i
	ip -n h$i link set u0 up
	ip -n r link set leg$i up
	ip -n h$i route add default via 172.30.$i.254
done
ns r sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
ip -n r tuntap add dev mess mode tun
# Nothing but what it is told to lose, though it may have to wait for its turn.
ip -n r link set mess txqueuelen 10000
ip -n r link set mess up
for i in 1 2; do
	ip -n r rule add iif leg$i ipproto udp dport 6783 lookup 100
done
ip -n r route add default dev mess table 100

mess() { # NAME LOSS DOUBLE DELAY
	ip netns exec r "$(dirname "$0")/mess.py" mess "$seed" "$2" "$3" "$4" > "$work/$1.mess" &
	mess_pid=$!
	soon grep -q ready "$work/$1.mess"
}
mess_end() {
	kill $mess_pid
	wait $mess_pid
}
messed() { # NAME WHAT: it was done
	tail -n 1 "$work/$1.mess"
	grep -qE "\<$2=[1-9]" "$work/$1.mess"
}
replayed() { # H
	ask "$1" '[.peers[].sleeve.replayed] | add' peers
}

mess whole 0 0 0
fdpd h1 --password-file "$password" --peer 172.30.2.2
fdpd h2 --password-file "$password"
case_ok 'connected' soon sleeved h1 1
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
case_ok 'ping' soon ping_ok c1 10.0.0.2
mess_end

# Nothing is lost, but nothing is in order.
mess order 0 20 20
before=$(replayed h1)/$(replayed h2)
stream_begin there c1 c2 10.0.0.2 7001 300
stream_begin back c2 c1 10.0.0.1 7002 300
case_ok 'TCP in disorder' transfer c1 c2 10.0.0.2 2M
case_ok 'and the other way' transfer c2 c1 10.0.0.1 2M
case_ok 'frames as large as the MTU' ping_ok c1 -M 'do' -s $(($(ns c1 cat /sys/class/net/eth0/mtu) - 28)) 10.0.0.2
case_ok 'and larger ones' ping_ok c1 -s 20000 10.0.0.2
traffic_end
case_ok 'each datagram arrives once' stream_whole there
case_ok 'and back' stream_whole back
mess_end
for what in doubled overtaken; do
	case_ok "control: some were $what" messed order $what
done
late() { grep -qE 'late=[1-9]' "$work/there.sink"; }
case_ok 'control: not in order' late
more() { [ "$(replayed h1)" -gt "${before%/*}" ] && [ "$(replayed h2)" -gt "${before#*/}" ]; }
case_ok 'those that came twice are counted' more

# And lost, too.
mess all 5 10 10
case_ok 'TCP with losses' transfer c1 c2 10.0.0.2 300K
case_ok 'and the other way' transfer c2 c1 10.0.0.1 300K
mess_end
for what in lost doubled overtaken; do
	case_ok "control: some were $what, too" messed all $what
done
mess fair 0 0 0
case_ok 'all is well in the end' soon ping_ok c1 10.0.0.2
mess_end
finish
