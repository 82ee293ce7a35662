#!/bin/bash
# Several SAs to one peer: with a peer that has one, with what has no ports,
# with somebody who takes a part away; and marks open nothing.
#
#    h1 ---- wire ---- h2        h1, h2: four SAs; h3: one
#    c1       |        c2
#             h3
#             c3
#
# tier: uml
# timeout: 200
. "$(dirname "$0")/lib.sh"

# The SAs in use from H to PEER, "LANE SPI" each.
lanes() { # H PEER
	ask "$1" ".sas[] | select(.direction == \"out\" and .name == \"$2\" and .lane >= 0) | \"\(.lane) \(.spi)\"" sas | sort -n
}
n_lanes() { [ "$(lanes "$1" "$2" | wc -l)" = "$3" ]; }
spis() { lanes h1 h2 | cut -d ' ' -f 2; }
rekeyed() { # OLD: four SAs, none of them an old one
	[ "$(spis | wc -l)" = 4 ] &&
		[ -z "$(comm -12 <(sort <<< "$1") <(spis | sort))" ]
}
n_out() { [ "$(ns h1 ip xfrm policy | grep -A 2 '^src 172.31.0.1/32 dst 172.31.0.2/32' | grep -c 'dir out')" = "$1" ]; }

hosts 3
wire_record lanes
fdpd h1 --password-file "$password" --sas-per-peer 4 --peer 172.31.0.2 \
	--peer 172.31.0.3
fdpd h2 --password-file "$password" --sas-per-peer 4
fdpd h3 --password-file "$password"
case_ok 'connected' soon meshed h1 2
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
box h3 c3 10.0.0.3/24
case_ok 'ping' soon ping_ok c1 10.0.0.2

# One host has one SA only: that is what is used with it.
case_ok 'ping h3' soon ping_ok c1 10.0.0.3
case_ok 'ping back' soon ping_ok c3 10.0.0.1
case_ok 'one SA to h3' n_lanes h1 h3 1
case_ok 'four to h2' n_lanes h1 h2 4
unmarked() { ! ctl h1 flows | grep 'dst=172.31.0.3' | grep skb_mark; }
case_ok 'what goes to h3 has no mark' unmarked

# All parts of a datagram take the same way: those with ports and those without.
case_ok 'ping in fragments' soon ping_ok c1 -s 4000 10.0.0.2
ns c1 python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in range(20):
    s.sendto(bytes(4000), ('10.0.0.2', 9000 + port))
"
sleep 0.5
marks() { ctl h1 flows | grep 'frag=\(first\|later\)' | grep -o 'skb_mark([^)]*)' | sort -u | wc -l; }
case_ok 'fragments have one mark' [ "$(marks)" = 1 ]

# Somebody takes one of them away.
one=$(lanes h1 h2 | awk '$1 == 2 { print $2 }')
old=$(spis)
ns h1 ip xfrm state delete src 172.31.0.1 dst 172.31.0.2 proto esp spi "$one"
case_ok 'one SA deleted: all four are new' soon rekeyed "$old"
ns h1 ip xfrm policy delete src 172.31.0.1/32 dst 172.31.0.2/32 proto udp \
	dport 6784 dir out mark 0x20 mask 0xf0
case_ok 'one policy deleted: it comes back' soon n_out 4
ns h1 ip xfrm policy flush
case_ok 'policies flushed: all come back' soon n_out 4
case_ok 'and the service with them' soon ping_ok c1 10.0.0.2
wire_stop
case_ok 'not one plaintext packet' wire_none lanes "$esp_only"
case_ok 'ESP was there' wire_some lanes 20 esp

# No mark opens anything: neither the block policy nor the guard asks for one.
shout() { # PORT: to nobody and to a peer, with every mark
	ns h1 python3 - "$1" <<- 'END'
		import socket, sys
		for mark in [x << 4 for x in range(16)] + [1, 0x4000, -1]:
		    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		    s.setsockopt(socket.SOL_SOCKET, 36, mark)
		    for to in ("172.31.0.2", "172.31.0.3"):
		        try:
		            s.sendto(b"plain", (to, int(sys.argv[1])))
		        except OSError:
		            pass
	END
}
for h in h1 h2 h3; do fdpd_kill $h; done
wire_record marks
shout 6785
for ((i = 0; i < 16; i++)); do
	ns h1 ip xfrm policy delete src 172.31.0.1/32 dst 172.31.0.2/32 \
		proto udp dport 6784 dir out \
		"mark" $((i << 4)) mask $((i ? 0xf0 : 0)) 2> /dev/null
done
case_ok 'the block policy alone is left for h2' n_out 0
shout 6784
ns h1 ip xfrm policy flush
shout 6784
wire_stop
case_ok 'with marks, elsewhere: it would be seen' wire_some marks 38 'udp port 6785'
case_ok 'with marks: nothing passes policy or guard' wire_none marks "$vxlan"
case_ok 'fdpctl reset' ctl h1 reset
gone() { [ -z "$(ns h1 ip xfrm policy)" ] && [ -z "$(ns h1 ip xfrm state)" ]; }
case_ok 'nothing is left' gone
case_ok 'no other number' not fdpd_try h1 --sas-per-peer 17
case_ok 'not none' not fdpd_try h1 --sas-per-peer 0
finish
