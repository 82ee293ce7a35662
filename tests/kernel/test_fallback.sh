#!/bin/bash
# The way round what blocks ESP, and back, while packets flow: each direction for
# itself, with the reason, and nothing in the clear.
#
#    h1 172.31.0.1 ---- wire ---- 172.31.0.2 h2        fdpd on both, h1 dials
#      |                                     |
#    c1 10.0.0.1      UDP and TCP     c2 10.0.0.2      both ways, all the time
#
# With each kind of block in turn, then with one of them over and over, after
# which nothing is left.  How long each took is printed, as it is asked for.
#
# The long form: tests/kernel/all --rounds 100 --timeout 3600 fallback
#
# tier: uml
# timeout: 600
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/soak.sh"

rounds 1
hosts 2
fdpd h1 --overlay auto --password-file "$password" --peer 172.31.0.2
fdpd h2 --overlay auto --password-file "$password"
case_ok 'connected' soon meshed h1 1
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
case_ok 'ping' soon ping_ok c1 10.0.0.2

row() { # H FILTER
	ask "$1" ".connections[] | select(.state == \"established\") | $2" connections
}
by() { # H1'S H2'S
	[ "$(row h1 .overlay)/$(row h2 .overlay)" = "$1/$2" ]
}
because() { # H REASON
	[ "$(row "$1" .overlay_reason)" = "$2" ]
}
# What a host has that must not grow, as one line.
has() { # H
	echo "$(find "/proc/${daemon[$1]}/fd" -type l | wc -l) descriptors," \
		"$(ip -n "$1" -o link show type tun | wc -l) TAPs," \
		"$(ask "$1" '.ports | length' ports) ports," \
		"$(ns "$1" ip xfrm policy | grep -c ^src) policies"
}
same() { # H LINE
	echo "$1: $(has "$1"); before: $2"
	[ "$(has "$1")" = "$2" ]
}

# Those of a daemon that was killed stay for a minute or two.
sas() {
	echo "$(n_sas h1) $(n_sas h2)"
}
no_more_sas() {
	local end=$((SECONDS + 150))

	until [ "$(sas)" = "$sas" ]; do
		[ $SECONDS -lt $end ] || { echo "$(sas), not $sas"; return 1; }
		sleep 1
	done
}

took() { # WHAT COMMAND...: soon, and how long it was
	local what=$1 begin=${EPOCHREALTIME/./} ms

	shift
	soon "$@" || return
	ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
	echo "# $what after $((ms / 1000)).$(printf %03d $((ms % 1000))) s" >&3
}
exec 3>&1

# Who has been told that all is well does not hold against it what was before.
retry() {
	ctl h1 connect 172.31.0.2 && ctl h2 connect 172.31.0.1
}

# Each in the input of whoever is named: so each direction by itself.
drop() { # -I|-D H PROTOCOL [PORT]
	ns "$2" iptables-legacy "$1" INPUT -p "$3" ${4:+--dport "$4"} -j DROP
}
block() { # -I|-D KIND
	case $2 in
	esp-one-way) drop "$1" h2 esp ;;
	esp) drop "$1" h1 esp && drop "$1" h2 esp ;;
	vxlan-one-way) drop "$1" h2 udp 6784 ;;
	vxlan) drop "$1" h1 udp 6784 && drop "$1" h2 udp 6784 ;;
	sleeve-one-way) drop "$1" h2 udp 6783 ;;
	sleeve) drop "$1" h1 udp 6783 && drop "$1" h2 udp 6783 ;;
	esac
}

flows_begin() { # NAME
	stream_begin "$1.there" c1 c2 10.0.0.2 7001 40
	stream_begin "$1.back" c2 c1 10.0.0.1 7002 40
}
whole() { # NAME
	stream_whole "$1.there" && stream_whole "$1.back"
}

kind() { # KIND H1'S H2'S REASON
	local kind=$1

	retry > /dev/null
	block -I "$kind"
	case_ok "$kind blocked: h1 by $2, h2 by $3" took "$kind: left" by "$2" "$3"
	case_ok "$kind: found out why" soon because h1 "$4"
	# From here on nothing may be lost: not by the change back either.
	flows_begin "$kind"
	sleep 2
	case_ok "$kind: nobody else has changed" by "$2" "$3"
	block -D "$kind"
	case_ok "$kind is open: back to ESP" took "$kind: back" by fastdp fastdp
	sleep 1
	udp_end
	case_ok "$kind: no datagram was lost by sleeve, nor by the return" whole "$kind"
}
# The TCP streams go on.
udp_end() {
	kill -TERM "${senders[@]:2}"
	wait "${senders[@]:2}"
	sleep 0.5
	kill -TERM "${sinks[@]:2}"
	wait "${sinks[@]:2}"
	senders=("${senders[@]:0:2}") sinks=("${sinks[@]:0:2}")
}

tcp_begin tcp.there c1 c2 10.0.0.2 7003 20
tcp_begin tcp.back c2 c1 10.0.0.1 7004 20
sleep 1
wire_record fallback
sleep 1
wire_stop
case_ok 'ESP is on the wire' wire_some fallback 20 esp
case_ok 'nobody is by sleeve' by fastdp fastdp
sas='2 2'
case_ok 'and have an SA each way' soon no_more_sas

wire_record blocked 'not tcp'
kind esp-one-way sleeve fastdp esp-filtered
case_ok 'the daemons say so' eval 'ctl h1 status connections | grep fastdp'
kind esp sleeve sleeve esp-filtered
kind vxlan-one-way sleeve fastdp vxlan-refused
kind vxlan sleeve sleeve vxlan-refused
wire_stop
case_ok 'the sleeve is on the wire' wire_some blocked 200 'udp port 6783'
clear='udp port 6784 or net 10.0.0.0/24'
case_ok 'and nothing in the clear' wire_none blocked "$clear"
wire_record control
ip -n h1 address add 10.0.0.200/32 dev u0
ns h1 ping -c 3 -i 0.1 -I 10.0.0.200 172.31.0.2
ip -n h1 address del 10.0.0.200/32 dev u0
wire_stop
case_ok 'which would be seen' wire_some control 1 "$clear"

# With the sleeve blocked alone nothing changes.
for kind in sleeve-one-way sleeve; do
	flows_begin $kind
	block -I $kind
	sleep 5
	case_ok "$kind blocked: nobody leaves ESP" by fastdp fastdp
	block -D $kind
	udp_end
	case_ok "$kind: and nothing is lost" whole $kind
done

# One that is started again begins with what worked.
retry > /dev/null
block -I esp
case_ok 'ESP is blocked again' soon by sleeve sleeve
written() { grep -q '"sleeve"' /run/h1.state/peers && grep -q '"sleeve"' /run/h2.state/peers; }
case_ok 'which is written down' soon written
fdpd_kill h1
fdpd h1 --overlay auto --password-file "$password" --peer 172.31.0.2
case_ok 'h1 was killed: by sleeve as before' soon grep -q 'to h2 by sleeve as before: ' "$work/h1.log"
case_ok 'ping' soon ping_ok c1 10.0.0.2
case_ok 'by sleeve' by sleeve sleeve
fdpd_kill h2
fdpd_kill h1
fdpd h1 --overlay auto --password-file "$password" --peer 172.31.0.2
fdpd h2 --overlay auto --password-file "$password"
case_ok 'both were killed: by sleeve as before' soon grep -q 'to h1 by sleeve as before: ' "$work/h2.log"
case_ok 'ping after that' soon ping_ok c2 10.0.0.1
case_ok 'by sleeve, both' by sleeve sleeve
block -D esp
case_ok 'and back' took 'after a restart: back' by fastdp fastdp

# Over and over.
round() {
	retry > /dev/null
	block -I esp
	took "round $1: left" by sleeve sleeve || return
	block -D esp
	took "round $1: back" by fastdp fastdp
}
round 0
had1=$(has h1) had2=$(has h2) rss1=$(rss_kib h1) rss2=$(rss_kib h2)
all_rounds() {
	local i

	for ((i = 1; i <= rounds; i++)); do
		round $i || { echo "round $i"; return 1; }
	done
}
case_ok "there and back, $rounds times" all_rounds
case_ok 'nothing is left of it on h1' soon same h1 "$had1"
case_ok 'nor on h2' soon same h2 "$had2"
case_ok 'nor SAs' no_more_sas
grown=$(($(rss_kib h1) - rss1 + $(rss_kib h2) - rss2))
echo "# $had1; $sas SAs; RSS of both grew by $grown KiB"
case_ok 'memory has not grown' [ $grown -lt 1024 ]

traffic_end
case_ok 'nothing is missing of TCP there' stream_whole tcp.there
case_ok 'nor of TCP back' stream_whole tcp.back
traffic_report
finish
