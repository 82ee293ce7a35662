#!/bin/bash
# SAs at the end of their numbers, and clocks that jump.  An SA lives for 2^31
# packets before new keys are asked for, and its sequence numbers pass 2^32; here
# the counters are set by Netlink, as if it had been used that long.
#
#    h1 ---- wire ---- h2        h1 dials, so h1 begins each rekey
#    c1                c2        pings both ways
#
# FDP_TEST_ROUNDS: how often each limit in each direction; by default soft in one
# and hard in the other, once.
#
# tier: uml
# timeout: 400
. "$(dirname "$0")/lib.sh"

esp=$(dirname "$0")/esp.py

hosts 2
wire_record limits 'not esp'
fdpd h2 --password-file "$password"
fdpd h1 --password-file "$password" --peer 172.31.0.2
case_ok 'connected' soon meshed h1 1
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
case_ok 'ping' soon ping_ok c1 10.0.0.2

# The SPI in use from host A to host B.
spi() { # A B
	ns "h$1" ip xfrm policy |
		awk -v t="src 172.31.0.$1 dst 172.31.0.$2" '
			$0 ~ "tmpl " t { mine = 1; next }
			mine && /spi/ { print $4; exit }
			{ mine = 0 }'
}
set_counters() { # A B NAME=VALUE...: of the SA from A to B, at both ends
	local a=$1 b=$2 spi

	shift 2
	spi=$(spi "$a" "$b")
	ns "h$b" python3 "$esp" counters "172.31.0.$b" "$spi" "$@" &&
		ns "h$a" python3 "$esp" counters "172.31.0.$b" "$spi" "$@"
}
# What `ip -s xfrm state` says of the SA from host A to B, on A.
state() { # A B
	ns "h$1" ip -s xfrm state get src "172.31.0.$1" dst "172.31.0.$2" \
		proto esp spi "$(spi "$1" "$2")"
}
talk() { # N: so many pings each way
	ip netns exec c1 ping -n -c "$1" -i 0.005 -W 5 10.0.0.2 > "$work/there.txt" &
	ip netns exec c2 ping -n -c "$1" -i 0.005 -W 5 10.0.0.1 > "$work/back.txt"
	wait $!
	cat "$work/there.txt" "$work/back.txt" | grep transmitted
}
none_lost() { # N
	[ "$(cat "$work/there.txt" "$work/back.txt" | grep -c "^$1 packets transmitted, $1 received")" -eq 2 ]
}
both() { echo "$(spi 1 2) $(spi 2 1)"; }
errors() { # refused on the way in, which none should be
	cat <(ns h1 cat /proc/net/xfrm_stat) <(ns h2 cat /proc/net/xfrm_stat) |
		awk '/^XfrmIn/ && !/NoPols/ { n += $2 } END { print n }'
}

# ---- sequence numbers over 2^32 ---------------------------------------------

crossing=$((0xffffffff - 300))
old=$(both)
# Each ping and each answer takes one number of either SA, and so does a probe.
near_the_end() {
	set_counters 1 2 "oseq=$crossing" "seq=$crossing" &&
		set_counters 2 1 "oseq=$crossing" "seq=$crossing"
}
case_ok 'sequence numbers are set' near_the_end
# Until both ends have them probes were refused.
was=$(errors)
below() { state "$1" "$2" | grep -A 1 'anti-replay esn' | grep -E 'oseq-hi 0x0, oseq 0xffff'; }
case_ok 'those of h1 are below 2^32' below 1 2
case_ok 'those of h2, too' below 2 1
talk 400
case_ok 'over 2^32: nothing is lost' none_lost 400
over() { state "$1" "$2" | grep -A 1 'anti-replay esn' | grep -E 'oseq-hi 0x1, oseq 0x[0-9a-f]{1,3}$'; }
case_ok 'the numbers of h1 have passed it' over 1 2
case_ok 'and those of h2' over 2 1
case_ok 'by the same SAs' [ "$(both)" = "$old" ]
case_ok 'nothing was refused' [ "$(errors)" = "$was" ]

# ---- packets near the limits ---------------------------------------------------

other() { # OLD: other SAs in both directions?
	[ "$(spi 1 2)" != "${1% *}" ] && [ "$(spi 2 1)" != "${1#* }" ]
}
expired() { # that the hard limit has ended
	[ "$(grep -c 'was removed by somebody else' "$work/h1.log")" -gt 0 ] ||
		[ "$(grep -c 'was removed by somebody else' "$work/h2.log")" -gt 0 ]
}
near_limit() { # A B NAME PACKETS: of the SA from host A to host B
	local name="$3 limit from h$1 to h$2" old

	old=$(both)
	# Requests and answers: twice as many as are left.
	set_counters "$1" "$2" packets=$(($4 - 400))
	talk 400
	case_ok "$name: nothing is lost" none_lost 400
	case_ok "$name: new keys" soon other "$old"
}
soft=0x80000000 hard=0x100000000
for ((round = 1; round <= ${FDP_TEST_ROUNDS:-1}; round++)); do
	near_limit 1 2 soft $soft
	near_limit 2 1 hard $hard
	[ -n "${FDP_TEST_ROUNDS:-}" ] || continue
	near_limit 2 1 soft $soft
	near_limit 1 2 hard $hard
done
case_ok 'no SA met its hard limit' not expired
quiet() { # no more rekeys
	local spis

	spis=$(both)
	talk 100
	[ "$(both)" = "$spis" ]
}
case_ok 'one rekey each, no more' quiet

# Nobody there to make new keys: closed at the hard limit, to the packet.
case_ok 'ping' soon ping_ok c1 10.0.0.2
# Requests for addresses are answered by the daemons; both ends still know each
# other's when the counters are set, however long that takes.
for box in c1 c2; do
	ip netns exec $box ip neigh show |
		while read -r address _ dev _ mac _; do
			ip netns exec $box ip neigh replace "$address" dev "$dev" \
				lladdr "$mac" nud permanent
		done
done
fdpd_kill h1
fdpd_kill h2
set_counters 1 2 packets=$((hard - 10))
ns c1 ping -n -c 30 -i 0.01 -W 1 10.0.0.2 > "$work/dead.txt"
case_ok 'without daemons: it ends at the hard limit' grep -q '^30 packets transmitted, 10 received' "$work/dead.txt"
tail -n 2 "$work/dead.txt" | sed 's/^/# /'
fdpd h2 --password-file "$password"
fdpd h1 --password-file "$password" --peer 172.31.0.2
case_ok 'new daemons: service comes back' soon ping_ok c1 10.0.0.2
case_ok 'all is healthy' soon ctl h1 status

# ---- clocks ---------------------------------------------------------------------

session() { # what would be another after a flap or a rekey
	both
	for h in h1 h2; do
		ask $h '.connections[] | "\(.id) \(.state) \(.overlay)"' connections
	done
}
spis() { # Those of before may go meanwhile: they have had their time.
	for h in h1 h2; do
		ns $h ip xfrm state | awk '/spi/ { print $4 }'
	done | sort -u
}
none_new() { # SPIS
	not grep -vxF "$1" < <(spis)
}
lines() { cat "$work/h1.log" "$work/h2.log" | wc -l; }
# The guest has a clock of its own.
ip netns exec c1 ping -n -i 0.02 10.0.0.2 > "$work/clock.txt" 2>&1 &
pinging=$!
sleep 1
before=$(session)
had=$(spis)
logged=$(lines)
for jump in '+10 hours' '-10 hours' '-10 hours' '+10 hours' '+20 years' '-20 years'; do
	date -s "$jump" > /dev/null
	# Longer than between two PINGs of a session.
	sleep 1
done
sleep 5
case_ok 'the clock jumps: sessions and SAs are the same' [ "$(session)" = "$before" ]
case_ok 'and there is no other SA' none_new "$had"
case_ok 'nobody logs anything' [ "$(lines)" -eq "$logged" ]
kill -INT $pinging
wait $pinging
case_ok 'no ping was lost' pings_whole "$work/clock.txt" 50
old=$(both)
case_ok 'rekey' ctl h1 rekey
case_ok 'new keys afterwards' soon other "$old"
date -s '+10 hours' > /dev/null
old=$(both)
case_ok 'rekey in the future' ctl h1 rekey
case_ok 'new keys in the future' soon other "$old"
date -s '-10 hours' > /dev/null
case_ok 'back again: served' soon ping_ok c1 10.0.0.2

wire_stop
case_ok 'not one plaintext packet' wire_none limits "$vxlan"
finish
