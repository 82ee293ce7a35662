#!/bin/bash
# Flows that are there before their packets: between known endpoints the first
# packet needs no daemon, neither a slow one nor a dead one.
#
#    h1 ---- wire ---- h2        c1, c4 on h1, c2, c5 on h2: nobody has sent anything
#            |
#            h3                  c3; it is told to have none
#
# tier: uml
# timeout: 300
. "$(dirname "$0")/lib.sh"

of() { # H NETNS FIELD
	ask "$1" ".ports[] | select(.netns == \"/run/netns/$2\") | .$3" ports
}
ahead() { # H N: so many?
	local n

	n=$(ask "$1" .flows.ahead status)
	echo "$n ahead"
	[ "$n" = "$2" ]
}
# A container that says nothing by itself.
quiet_box() { # H NAME N
	ip netns add "$2"
	ns "$2" sysctl -q -w net.ipv6.conf.default.router_solicitations=0 \
		net.ipv6.conf.default.accept_dad=0
	ip -n "$2" link set lo up
	ctl "$1" attach --netns "$2" --address "10.0.0.$3/24" --address "fd00::$3/64" > /dev/null
}
one_ping() { ns "$1" ping -n -q -c 1 -W "${3:-5}" "$2"; }
# A connection, and what is said on it.
says() { # FROM TO IP
	ns "$2" timeout 90 nc -l "$3" 5000 > "$work/said" &
	local server=$!

	soon listens "$2" 5000
	echo hello | ns "$1" timeout 30 nc -N "$3" 5000
	wait $server
	grep -q hello "$work/said"
}
# One datagram.
tells() { # FROM TO IP
	ns "$2" timeout 90 nc -u -l "$3" 5000 > "$work/told" &
	local server=$! heard=

	soon listens "$2" 5000 -u
	echo hello | ns "$1" timeout 30 nc -u -w 1 "$3" 5000
	! within 30 grep -q hello "$work/told" || heard=1
	kill $server 2> /dev/null
	wait $server 2> /dev/null
	[ -n "$heard" ]
}

hosts 3
wire_record ahead
fdpd h1 --password-file "$password" --peer 172.31.0.2
fdpd h2 --password-file "$password"
fdpd h3 --password-file "$password" --peer 172.31.0.1 --peer 172.31.0.2 --flows-ahead 0
for h in h1 h2 h3; do
	case_ok "$h is connected" soon meshed $h 2
done
quiet_box h1 c1 1
quiet_box h2 c2 2
quiet_box h3 c3 3
# With each of two others, each way: three of ARP, IPv4, UDP; of IPv6 from two
# addresses each ICMP, TCP, UDP, three of neighbour discovery; and three questions
# to a group.
case_ok 'h1 has flows for all that could be' soon ahead h1 80
case_ok 'so has h2' soon ahead h2 80
case_ok 'h3 has none' ahead h3 0
# Multicast reports come up.
sleep 12
case_ok 'they stay' ahead h1 80
case_ok 'fdpctl flows shows which they are' [ "$(ask h1 '[.[] | select(.ahead)] | length' flows)" = 80 ]

upcalls() { echo "$(of h1 c1 upcalls) $(of h2 c2 upcalls)"; }
before=$(upcalls)
case_ok 'the first ping is answered' one_ping c1 10.0.0.2
case_ok 'over IPv6' one_ping c2 fd00::1
case_ok 'the first connection is made' says c1 c2 10.0.0.2
case_ok 'over IPv6, the other way' says c2 c1 fd00::1
case_ok 'the first datagram arrives' tells c1 c2 10.0.0.2
after=$(upcalls)
echo "# upcalls of c1 and c2: $before, then $after"
case_ok 'and no daemon was asked' [ "$after" = "$before" ]
before=$(of h3 c3 upcalls)
case_ok 'one without such flows is served, too' one_ping c3 10.0.0.1
case_ok 'by its daemon' [ "$(of h3 c3 upcalls)" -gt "$before" ]

# Who takes flows away gives them back.
ns h1 ovs-dpctl del-flows fdp
there() { [ "$(ns h1 ovs-dpctl dump-flows fdp | wc -l)" -ge 80 ]; }
case_ok 'deleted ones are put again' soon there

quiet_box h1 c4 4
quiet_box h2 c5 5
# Three others for each of two.
case_ok 'the next two have theirs' soon ahead h1 $((40 * 7))
case_ok 'there as well' soon ahead h2 $((40 * 7))
for h in h1 h2 h3; do
	fdpd_kill $h
done
sleep 11
case_ok 'no daemon, two that never spoke: ping' one_ping c4 10.0.0.5
case_ok 'the other way, over IPv6' one_ping c5 fd00::4
case_ok 'a connection' says c5 c4 10.0.0.4
case_ok 'over IPv6' says c4 c5 fd00::5
case_ok 'a datagram' tells c5 c4 fd00::4
case_ok 'two of one host' one_ping c1 10.0.0.4
case_ok 'from the host that has none it does not pass' not one_ping c3 10.0.0.5 2
case_ok 'nor to there' not one_ping c4 10.0.0.3 2

fdpd h1 --password-file "$password" --peer 172.31.0.2
fdpd h2 --password-file "$password"
fdpd h3 --password-file "$password" --peer 172.31.0.1 --peer 172.31.0.2 --flows-ahead 0
case_ok 'connected again' soon meshed h1 2
case_ok 'the next daemon has them' soon ahead h1 $((40 * 7))
case_ok 'and all is served' soon one_ping c3 10.0.0.5
wire_stop
case_ok 'ESP was there' wire_some ahead 10 esp
case_ok 'and nothing else' wire_none ahead "$esp_only"
finish
