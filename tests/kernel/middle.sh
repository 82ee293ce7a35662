# shellcheck shell=bash
# Two hosts with two routers between them, and a link in the middle whose MTU
# shrinks and grows, with routers that say so and with routers that say nothing;
# source it after lib.sh and soak.sh.
#
#    h1 172.30.1.1 --- r === middle === s --- 172.30.2.2 h2
#    |  fd30:1::1                             fd30:2::2  |
#    c1 10.0.0.1, fd00::1            fd00::2, 10.0.0.2 c2
#
#   family NAME ADDRESS-OF-H2 MTU MTU SMALL MTU
#           all of it, by one family: MTUs that containers have with 1500 and 1400
#           in the middle, then another one there, and what they have then
#
# $connected is the command that says whether they are, $carried the filter for
# what they are connected by.

link() { # NS DEVICE ADDRESS... , NS DEVICE ADDRESS...
	ip link add "$2" netns "$1" type veth peer name "$6" netns "$5"
	ip -n "$1" addr add "$3" dev "$2"
	ip -n "$1" addr add "$4" dev "$2" nodad
	ip -n "$5" addr add "$7" dev "$6"
	ip -n "$5" addr add "$8" dev "$6" nodad
	ip -n "$1" link set "$2" up
	ip -n "$5" link set "$6" up
}
for n in h1 r s h2; do
	ip netns add $n
	ip -n $n link set lo up
done
link h1 u0 172.30.1.1/24 fd30:1::1/64 r r1 172.30.1.254/24 fd30:1::fe/64
link r mid 172.30.0.1/24 fd30::1/64 s mid 172.30.0.2/24 fd30::2/64
link s s2 172.30.2.254/24 fd30:2::fe/64 h2 u0 172.30.2.2/24 fd30:2::2/64
for n in r s; do
	ns $n sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	# Each lost packet shall be answered.
	ns $n sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
done
ip -n h1 route add default via 172.30.1.254
ip -n h1 route add default via fd30:1::fe
ip -n h2 route add default via 172.30.2.254
ip -n h2 route add default via fd30:2::fe
ip -n r route add 172.30.2.0/24 via 172.30.0.2
ip -n r route add fd30:2::/64 via fd30::2
ip -n s route add 172.30.1.0/24 via 172.30.0.1
ip -n s route add fd30:1::/64 via fd30::1

middle() { # MTU
	ip -n r link set mid mtu "$1"
	ip -n s link set mid mtu "$1"
}
silent() { # routers say nothing any more
	for n in r s; do
		if own_kernel; then
			ns $n nft 'add table inet silent; add chain inet silent out { type filter hook output priority 0; };
				add rule inet silent out icmp type destination-unreachable drop;
				add rule inet silent out icmpv6 type packet-too-big drop'
		else
			ns $n iptables-legacy -A OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP
			ns $n ip6tables-legacy -A OUTPUT -p icmpv6 --icmpv6-type packet-too-big -j DROP
		fi
	done
}
not_silent() {
	for n in r s; do
		if own_kernel; then
			ns $n nft delete table inet silent
		else
			ns $n iptables-legacy -F OUTPUT
			ns $n ip6tables-legacy -F OUTPUT
		fi
	done
}
mtu_of() { ns "$1" cat /sys/class/net/eth0/mtu; }
both_have() { # MTU: containers have it, and packets of that size get through
	echo "c1 $(mtu_of c1), c2 $(mtu_of c2), wanted $1"
	[ "$(mtu_of c1)/$(mtu_of c2)" = "$1/$1" ] &&
		ns c1 ping -n -q -c 1 -W 1 -M 'do' -s $(($1 - 28)) 10.0.0.2 &&
		ns c2 ping -n -q -c 1 -W 1 -M 'do' -s $(($1 - 28)) 10.0.0.1
}
shows() { # MTU
	[ "$(ask h1 '.connections[0].mtu' connections)" = "$1" ]
}
# How long it took is printed, not judged: this machine may be slow.
change() { # NAME MTU-OF-THE-MIDDLE MTU-OF-CONTAINERS
	local begin=${EPOCHREALTIME/./}

	middle "$2"
	case_ok "$1" soon both_have "$3"
	echo "# $1: $(((${EPOCHREALTIME/./} - begin) / 1000)) ms"
}
# 25 KiB four times a second, each way, whose segments are as large as may be.
transfer_begin() { # NAME
	tcp_begin "$1-there" c1 c2 10.0.0.2 "70$n_transfers" 4 25
	tcp_begin "$1-back" c2 c1 10.0.0.1 "71$n_transfers" 4 25
	n_transfers=$((n_transfers + 1))
}
n_transfers=10

record() { # NAME: the middle, in the place of the wire
	ip netns exec r tcpdump -i mid -nn -U --immediate-mode -B 32768 -s 128 \
		-w "$work/$1.pcap" 2> "$work/$1.tcpdump" &
	wire_pid=$! wire_name=$1
	soon grep -q 'listening on' "$work/$1.tcpdump"
}
fragments='(ip and ip[6:2] & 0x3fff != 0) or (ip6 and ip6[6] == 44)'

record control
ns h1 ping -q -c 1 -s 3000 172.30.2.2 > /dev/null
ns h1 ping -q -c 1 -s 3000 fd30:2::2 > /dev/null
wire_stop
case_ok 'fragments would be seen' wire_some control 4 "ip and $fragments"
case_ok 'of IPv6 as well' wire_some control 4 "ip6 and $fragments"

# Of 1500, of 1400, of SMALL in the middle; all of them allow IPv6.
family() { # NAME ADDRESS-OF-H2 MTU MTU SMALL MTU
	local name=$1 to=$2 whole=$3 medium=$4 small=$6 told begin took

	fdpd h1 --password-file "$password" --peer "$to"
	fdpd h2 --password-file "$password"
	case_ok "$name: connected" soon $connected
	box h1 c1 10.0.0.1/24 fd00::1/64
	box h2 c2 10.0.0.2/24 fd00::2/64
	case_ok "$name: the whole" soon both_have "$whole"
	record "$name"
	sleep 8 # Nothing grows in the first ten seconds.
	for told in told silent; do
		[ $told = told ] || silent
		transfer_begin "$name-$told"
		change "$name, $told: shrinks" 1400 "$medium"
		change "$name, $told: shrinks again" "$5" "$small"
		change "$name, $told: grows" 1400 "$medium"
		change "$name, $told: grows again" 1500 "$whole"
		traffic_end
		case_ok "$name, $told: TCP is whole" stream_whole "$name-$told-there"
		case_ok "$name, $told: and back" stream_whole "$name-$told-back"
		[ $told = told ] || not_silent
	done
	case_ok "$name: the MTU is shown" shows "$whole"

	# A restart finds what it left.
	change "$name: shrinks once more" "$5" "$small"
	ns c1 ip monitor link > "$work/$name.monitor" 2>&1 &
	monitor=$!
	fdpd_kill h1
	fdpd h1 --password-file "$password" --peer "$to"
	begin=$SECONDS
	case_ok "$name: connected again" soon $connected
	case_ok "$name: and it is measured" soon shows "$small"
	took=$((SECONDS - begin))
	sleep 1
	# What is not found in ten seconds (MTU_SETTLE_US) is not waited for.
	if [ $took -lt 9 ]; then
		case_ok "$name: and the MTU never was another" not grep -v "mtu $small" <(grep -o 'eth0.*mtu [0-9]*' "$work/$name.monitor")
	else
		case_skip "$name: and the MTU never was another" "it took $took s to measure it"
	fi
	ns c1 ip link set eth0 mtu 1299
	case_ok "$name: which would be seen" soon grep -q 'mtu 1299' "$work/$name.monitor"
	kill $monitor
	wire_stop
	case_ok "$name: it is on the wire" wire_some "$name" 100 "$carried"
	case_ok "$name: no fragment is" wire_none "$name" "$fragments"
	fdpd_kill h1
	fdpd_kill h2
	for n in h1 h2; do
		ctl $n reset > /dev/null
		ip netns del "c${n#h}"
	done
	middle 1500
}

