#!/bin/bash
# One host of three is behind a link that takes less: who sends too much to its
# container is told, nothing is cut on the wire, and the way to the others stays
# as wide as it is.  h1 speaks to h3 over IPv4, h2 over IPv6.
#
#    h1 172.31.0.1 ---+--- wire ---+--- r === 1400 === h3 172.31.9.3, fd39::3
#    c1               |            |                   c3
#    h2 172.31.0.2 ---+   172.31.0.254, fd31::fe
#    c2
#
# tier: uml
# timeout: 400
. "$(dirname "$0")/lib.sh"

hosts 2
for n in r h3; do
	ip netns add $n
	ip -n $n link set lo up
done
ip link add wr type veth peer name u0 netns r
ip link set wr addrgenmode none master wire up
ip link add mid netns r type veth peer name u0 netns h3
ip -n r addr add 172.31.0.254/24 dev u0
ip -n r addr add fd31::fe/64 dev u0 nodad
ip -n r addr add 172.31.9.254/24 dev mid
ip -n r addr add fd39::fe/64 dev mid nodad
ip -n h3 addr add 172.31.9.3/24 dev u0
ip -n h3 addr add fd39::3/64 dev u0 nodad
ip -n r link set u0 up
ip -n r link set mid up
ip -n h3 link set u0 up
ns r sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip -n h3 route add default via 172.31.9.254
ip -n h3 route add default via fd39::fe
for h in h1 h2; do
	ip -n $h route add 172.31.9.0/24 via 172.31.0.254
	ip -n $h route add fd39::/64 via fd31::fe
done

# Its router says so to one side.  To the other it says nothing: what comes from
# h3 it takes or loses, and takes 4 bytes more, as there could be a VLAN tag.
middle() { # MTU
	ip -n r link set mid mtu "$1"
}
mtu_of() { ns "$1" cat /sys/class/net/eth0/mtu; }
has_mtu() { # NS MTU
	echo "$1: $(mtu_of "$1"), wanted $2"
	[ "$(mtu_of "$1")" = "$2" ]
}
# With DF, and as one who has not been told before.
ping_df() { # FROM TO SIZE
	local header=28

	[ "${2#*:}" = "$2" ] || header=48
	ip -n "$1" route flush cache
	ip -n "$1" -6 route flush cache
	ns "$1" ping -n -c 1 -W 5 -M 'do' -s $(($3 - header)) "$2"
}
told() { # FROM TO SIZE MTU
	local text

	text=$(ping_df "$1" "$2" "$3" 2>&1)
	echo "$text"
	grep -qE "^From $2 .*(Frag needed and DF set \(mtu = $4\)|Packet too big: mtu=$4)" <<< "$text"
}
learned() { # FROM TO MTU
	ip -n "$1" route get "$2" | grep -o 'mtu [0-9]*'
	ip -n "$1" route get "$2" | grep -q "mtu $3"
}
# 2 MB; the sum of what arrived is compared.
head -c 2M /dev/urandom > "$work/bulk"
transfer() { # FROM TO ADDRESS PORT [OPTION]
	local sink

	timeout 150 ip netns exec "$2" nc ${5:-} -N -l "$4" > "$work/got" < /dev/null &
	sink=$!
	soon listens "$2" "$4"
	timeout 120 ip netns exec "$1" nc -N "$3" "$4" < "$work/bulk"
	wait $sink
	stat -c '%s bytes' "$work/got"
	cmp "$work/bulk" "$work/got"
}
# A datagram without DF, whatever is known of the way (IP_PMTUDISC_INTERFACE).
send_udp() { # FROM ADDRESS PORT SIZE
	ns "$1" python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 10, 4)
s.sendto(b"x" * (int(sys.argv[3]) - 28), (sys.argv[1], int(sys.argv[2])))' "$2" "$3" "$4"
}
datagram_arrives() { # FROM SIZE
	local sink arrived

	ip netns exec c3 python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 7000))
print("ready", flush=True)
print(len(s.recv(9000)), "bytes", flush=True)' > "$work/datagram" 2>&1 &
	sink=$!
	soon grep -q ready "$work/datagram"
	send_udp "$1" 10.0.0.3 7000 "$2"
	soon grep bytes "$work/datagram"
	arrived=$?
	kill $sink 2> /dev/null
	tail -n 1 "$work/datagram"
	[ $arrived -eq 0 ] && grep -qx "$(($2 - 28)) bytes" "$work/datagram"
}
flow() { # FROM TO ADDRESS: how it goes to there
	ns "$1" ping -n -q -c 1 -W 1 "$3" > /dev/null
	ctl "h${1#c}" flows | grep "eth(src=[^)]*,dst=$(ns "$2" cat /sys/class/net/eth0/address))" |
		grep 'eth_type(0x0800)' | tail -n 1
}
looks() { # FROM TO ADDRESS SIZE: at the sizes of packets?
	flow "$1" "$2" "$3" | tee "$work/flow"
	grep -q "check_pkt_len(size=$4," "$work/flow"
}
passes() { # FROM TO ADDRESS: whatever their size?
	flow "$1" "$2" "$3" | tee "$work/flow"
	grep -q 'set(tunnel' "$work/flow" && ! grep -q check_pkt_len "$work/flow"
}
trace_checks() {
	ctl h1 trace --port "$(ask h1 '.ports[0].host_ifname' ports)" --src "$(ask h1 '.ports[0].mac' ports)" \
		--dst "$(ns c3 cat /sys/class/net/eth0/address)" --ip-src 10.0.0.1 --ip-dst 10.0.0.3 > "$work/trace"
	cat "$work/trace"
	grep -q 'too large for peer' "$work/trace" && grep -q check_pkt_len "$work/trace"
}
router_cut() { # how many pieces it has made
	ns r awk '$1 == "Ip:" && $2 ~ /^[0-9]/ { n += $20 } $1 == "Ip6FragCreates" { n += $2 }
		END { print n + 0 }' /proc/net/snmp /proc/net/snmp6
}
fragments='(ip and ip[6:2] & 0x3fff != 0) or (ip6 and ip6[6] == 44)'

# The wire sees what hosts cut, the router counts what it does.
middle 1400
wire_record control
ns h1 ping -q -c 1 -W 1 -M dont -s 3000 172.31.9.3 > /dev/null
ns h1 ping -q -c 1 -W 1 -s 3000 fd31::2 > /dev/null
wire_stop
case_ok 'control: fragments would be seen' wire_some control 2 "ip and $fragments"
case_ok 'control: of IPv6 as well' wire_some control 2 "ip6 and $fragments"
case_ok 'control: and the router would count' [ "$(router_cut)" -gt 0 ]

shown() { # H MTU: towards h3
	ask "$1" '.peers[] | "\(.name) \(.mtu)"' peers
	[ "$(ask "$1" '.peers[] | select(.name == "h3") | .mtu' peers)" = "$2" ]
}

middle 1500
# What others tell of addresses could lead to another family than is meant.
fdpd h1 --no-discovery --password-file "$password"
fdpd h2 --no-discovery --password-file "$password" --peer 172.31.0.1
fdpd h3 --no-discovery --password-file "$password" --peer 172.31.0.1 --peer '[fd31::2]:6783'
for h in h1 h2 h3; do
	case_ok "$h is connected" soon meshed $h 2
done
for i in 1 2 3; do
	box h$i c$i 10.0.0.$i/24 fd00::$i/64
done
case_ok 'all of it over IPv4' soon ping_df c1 10.0.0.3 1416
case_ok 'over IPv6' soon ping_df c2 10.0.0.3 1396
case_ok 'where it is a little less, which is told' told c2 10.0.0.3 1416 1396

wire_record wire
cut=$(router_cut)
middle 1400
case_ok 'over IPv4 the measured MTU is shown' soon shown h1 1316
case_ok 'over IPv6' soon shown h2 1296
case_ok 'the container behind it has no more' soon has_mtu c3 1320
case_ok 'the others have what they had' has_mtu c1 1416
case_ok 'both of them' has_mtu c2 1416

# A TCP whose other end believes in more has to learn.
ip -n c3 link set eth0 mtu 1416
behind() { # FROM MTU LARGE
	case_ok "$1: TCP" transfer "$1" c3 10.0.0.3 5001
	case_ok "$1: was told" learned "$1" 10.0.0.3 "$2"
	case_ok "$1: TCP over IPv6" transfer "$1" c3 fd00::3 5002 -6
	case_ok "$1: was told" learned "$1" fd00::3 "$2"
	case_ok "$1: segments were as large as may be" wire_some wire 2000 "$3"
	case_ok "$1: what fits passes" ping_df "$1" 10.0.0.3 "$2"
	case_ok "$1: who sends too much is told" told "$1" 10.0.0.3 1416 "$2"
	case_ok "$1: over IPv6 as well" told "$1" fd00::3 1416 "$2"
	case_ok "$1: a datagram without DF arrives" datagram_arrives "$1" 1416
	case_ok "$1: flows to there look at sizes" looks "$1" c3 10.0.0.3 $(($2 + 14))
}
behind c1 1316 'esp and dst 172.31.9.3 and ip[2:2] = 1400'
behind c2 1296 'ip6[6] == 50 and dst fd39::3 and ip6[4:2] >= 1352'
ip -n c3 link set eth0 mtu 1320
case_ok 'it can be traced' trace_checks

# h1 is killed, and h3, so that its session does not come back.  The next one does
# not know what gets there, but the flow does that it has found, and which names
# the socket of the one before.  After 20 s, or with a session, it is written anew:
# nobody waits for passwords here.
for ip in 10.0.0.3 fd00::3; do
	case_ok "who sends too much to $ip is told" told c1 $ip 1416 1316
done
fdpd_kill h3
fdpd_kill h1
case_ok 'nobody tells while the daemon is dead' not told c1 10.0.0.3 1416 1316
# shellcheck disable=SC2046 # a list of options
ip netns exec h1 "$bin/fdpd" $(dirs h1) --no-discovery --password-file "$password" >> "$work/h1.log" 2>&1 &
daemon[h1]=$!
case_ok 'by a flow of before who sends too much is told' soon told c1 10.0.0.3 1416 1316
case_ok 'over IPv6 as well' told c1 fd00::3 1416 1316
fdpd h3 --no-discovery --password-file "$password" --peer 172.31.0.1 --peer '[fd31::2]:6783'
for h in h1 h2 h3; do
	case_ok "$h is connected again" soon meshed $h 2
done
case_ok 'the measured MTU is shown again' soon shown h1 1316
case_ok 'who sends too much is told again' soon told c1 10.0.0.3 1416 1316

case_ok 'to the other one it fits' ping_df c1 10.0.0.2 1416
case_ok 'over IPv6 as well' ping_df c1 fd00::2 1416
case_ok 'TCP to the other one' transfer c1 c2 10.0.0.2 5003
case_ok 'was not told' not learned c1 10.0.0.2 1316
case_ok 'its flow does not look at sizes' passes c1 c2 10.0.0.2

middle 1500
case_ok 'it grows' soon ping_df c1 10.0.0.3 1416
case_ok 'its flow does not look any more' soon passes c1 c3 10.0.0.3
case_ok 'over IPv6 as well' soon told c2 fd00::3 1416 1396
case_ok 'the router cut nothing' [ "$(router_cut)" -eq "$cut" ]
wire_stop
case_ok 'nobody else did' wire_none wire "$fragments"
finish
