#!/bin/bash
# Two hosts that cannot reach each other at all, and others between them: what
# comes to h2 over IPv4 goes on over IPv6.
#
#         wire
#    h1 ---+--- h3        ports of h1 and h3 on the bridge are isolated from
#    c1    |    c3        each other, until they are not
#       h2   h4
#            c4           h2 has no container; h4 joins later
#
# FDP_TEST_MB: how much TCP carries (5).
#
# tier: uml
# timeout: 600
. "$(dirname "$0")/lib.sh"

isolate() { # on|off
	bridge link set dev w1 isolated "$1" && bridge link set dev w3 isolated "$1"
}
way() { # H PEER: "fastdp", "relay via h2", "none"
	ask "$1" ".peers[] | select(.name == \"$2\") | .overlay + (if .via != \"\" then \" via \" + .via else \"\" end)" peers
}
is_way() { # H PEER WAY
	local got

	got=$(way "$1" "$2")
	echo "$1 to $2: $got"
	[ "$got" = "$3" ]
}

look() { # FILE: why not, for whoever reads it
	local h

	for h in h1 h2 h3 h4; do
		echo "-- $h"
		ctl $h peers
		ctl $h status --json
		ctl $h flows
		tail -n 20 "$work/$h.log"
	done > "$work/$1" 2>&1
	return 1
}

hosts 4
isolate on
case_ok 'h1 reaches h2 on the wire' ping_ok h1 172.31.0.2
case_ok 'h1 does not reach h3 there' not ping_ok h1 172.31.0.3
wire_record relay
fdpd h1 --password-file "$password" --peer 172.31.0.2
fdpd h2 --password-file "$password"
fdpd h3 --password-file "$password" --peer '[fd31::2]:6783'
box h1 c1 10.0.0.1/24 fd00::1/64
box h3 c3 10.0.0.3/24 fd00::3/64
case_ok 'h1 knows the way to h3' soon is_way h1 h3 'relay via h2'
case_ok 'h3 knows the way to h1' soon is_way h3 h1 'relay via h2'
case_ok 'c1 reaches c3' soon ping_ok c1 10.0.0.3
case_ok 'c3 reaches c1 over IPv6' soon ping_ok c3 fd00::1

# The field with the hop limit comes through ESP into the flow key.
flow_of() { # SOURCE
	ctl h2 flows | grep 'reason=relayed' | grep -o "tunnel([^)]*src=$1,[^)]*ttl=[0-9]*/0xe0"
}
case_ok 'the relay matches the upper bits of the TTL' soon flow_of 172.31.0.1
case_ok 'and of the hop limit' soon flow_of fd31::3
echo "the relay's flows: $(flow_of 172.31.0.1 | head -n 1) $(flow_of fd31::3 | head -n 1)" >&2
flows_name() { ctl h1 flows; ctl h1 flows | grep -q 'peer=h3 via=h2 reason=indirect'; }
case_ok 'flows of h1 name the relay' flows_name
mac() { ns "$1" cat /sys/class/net/eth0/address; }
port() { ask "$1" '.ports[0].host_ifname' ports; }
traced() {
	ctl h1 trace --port "$(port h1)" --src "$(mac c1)" --dst "$(mac c3)" --ip-src 10.0.0.1 --ip-dst 10.0.0.3 |
		grep 'h3 via h2'
}
case_ok 'trace tells the way' traced
case_ok 'connections tell it, too' eval 'ctl h1 status connections; ctl h1 peers | grep "via h2, 2 hops"'

# Whole packets, and many of them.
mtu=$(ns c1 cat /sys/class/net/eth0/mtu)
case_ok 'the largest packet passes' ping_ok c1 -M 'do' -s $((mtu - 28)) 10.0.0.3
mb=${FDP_TEST_MB:-5}
head -c "${mb}M" /dev/urandom > /run/bulk
sum=$(sha256sum < /run/bulk)
transfer() { # FROM TO ADDRESS
	rm -f /run/got
	ns "$2" timeout 200 nc -l -p 5001 > /run/got &
	soon listens "$2" 5001 || return
	ns "$1" timeout 180 nc -N "$3" 5001 < /run/bulk || return
	wait $!
	stat -c '%s bytes' /run/got
	[ "$(sha256sum < /run/got)" = "$sum" ]
}
wire_stop
case_ok 'only ESP and control pass' wire_none relay "$esp_only"
case_ok 'no VXLAN is seen' wire_none relay "$vxlan"
case_ok 'ESP from h1 goes to h2' wire_some relay 10 'esp and src 172.31.0.1 and dst 172.31.0.2'
case_ok 'and from h2 to h3' wire_some relay 10 'ip6[6] == 50 and src fd31::2 and dst fd31::3'
case_ok 'and none from h1 to h3' wire_none relay '(esp and src 172.31.0.1 and dst 172.31.0.3)
	or (ip6[6] == 50 and src fd31::1 and dst fd31::3)'
case_ok "$mb MB from c1 to c3" transfer c1 c3 10.0.0.3
case_ok "$mb MB from c3 to c1" transfer c3 c1 10.0.0.1

# To all: each hears it once, whichever tree it comes along.
fdpd h4 --password-file "$password" --peer 172.31.0.2
box h4 c4 10.0.0.4/24
case_ok 'h4 is connected to all' soon meshed h4 3
case_ok 'c4 reaches c1' soon ping_ok c4 10.0.0.1
case_ok 'c4 reaches c3' soon ping_ok c4 10.0.0.3
once() {
	local before3 before4

	before3=$(rx_echoes c3)
	before4=$(rx_echoes c4)
	ns c1 ping -n -b -q -c 20 -i 0.1 -W 1 10.0.0.255
	sleep 1
	echo "c3 heard $(($(rx_echoes c3) - before3)), c4 $(($(rx_echoes c4) - before4)) of 20"
	[ $(($(rx_echoes c3) - before3)) = 20 ] && [ $(($(rx_echoes c4) - before4)) = 20 ]
}
case_ok 'what c1 sends to all arrives once' once

# The daemon of the relay stops, its kernel does not.
relay=$(way h1 h3 | sed 's/.* //')
case_ok "c1 reaches c3 through $relay" ping_ok c1 10.0.0.3
fdpd_kill "$relay" TERM
case_ok 'the kernel of a stopped relay goes on' ping_ok c1 10.0.0.3
# It is gone altogether.
ip link set "w${relay#h}" down
other=h$((6 - ${relay#h}))
case_ok "the other relay takes over, $other" soon is_way h1 h3 "relay via $other"
case_ok 'in both directions' soon is_way h3 h1 "relay via $other"
case_ok 'c1 reaches c3 through it' soon ping_ok c1 10.0.0.3
ip link set "w${relay#h}" up
fdpd "$relay" --password-file "$password" --peer 172.31.0.1 --peer 172.31.0.3
case_ok 'the relay is back' soon meshed "$relay" 3
# All have heard of it.
sleep 3

# The way becomes free, under way.
ip netns exec c1 ping -n -i 0.05 10.0.0.3 > "$work/direct.ping" &
ping_pid=$!
isolate off
case_ok 'h1 reaches h3 directly' soon is_way h1 h3 fastdp
case_ok 'and h3 h1' soon is_way h3 h1 fastdp
sleep 5
kill -INT $ping_pid
wait $ping_pid
echo "to the direct way: $(grep received "$work/direct.ping")" >&2
none_lost() { pings_whole "$work/direct.ping" || look direct.txt; }
case_ok 'the change loses nothing' none_lost

# ESP alone is filtered, in one direction: the session lives.
case_ok 'h1 and h3 have a session' soon meshed h1 3
silence_of() { # FILE: the longest, in seconds
	awk '/bytes from/ { t = substr($1, 2) + 0; if (last && t - last > gap) gap = t - last; last = t }
		END { printf "%.1f", gap }' "$1"
}
ip netns exec c1 ping -n -D -i 0.1 10.0.0.3 > "$work/filtered.ping" &
ping_pid=$!
sleep 3
ns h3 iptables-legacy -I INPUT -p esp -s 172.31.0.1 -j DROP
ns h3 ip6tables-legacy -I INPUT -p esp -s fd31::1 -j DROP
relayed() { way "$1" "$2" | grep '^relay via'; }
case_ok 'a way that is dead under a living session is left' soon relayed h1 h3
case_ok 'by the other end, too' soon relayed h3 h1
meanwhile() { soon ping_ok c1 10.0.0.3 || look meanwhile.txt; }
case_ok 'c1 reaches c3 meanwhile' meanwhile
established() { [ "$(ask h1 '[.connections[] | select(.state == "established")] | length' connections)" = 3 ]; }
case_ok 'the session is still there' established
ns h3 iptables-legacy -D INPUT -p esp -s 172.31.0.1 -j DROP
ns h3 ip6tables-legacy -D INPUT -p esp -s fd31::1 -j DROP
case_ok 'the way is taken again' soon is_way h1 h3 fastdp
kill -INT $ping_pid
wait $ping_pid
echo "silence after ESP was filtered: $(silence_of "$work/filtered.ping") s" >&2

# And is closed altogether again.
wire_record closed
ip netns exec c1 ping -n -D -i 0.2 10.0.0.3 > "$work/closed.ping" &
ping_pid=$!
sleep 2
isolate on
case_ok 'h1 goes round again' soon relayed h1 h3
case_ok 'and h3' soon relayed h3 h1
case_ok 'c1 reaches c3 again' soon ping_ok c1 10.0.0.3
kill -INT $ping_pid
wait $ping_pid
echo "silence after the way closed: $(silence_of "$work/closed.ping") s" >&2
wire_stop
case_ok 'nothing in plaintext meanwhile' wire_none closed "$esp_only"
finish
