#!/bin/bash
# New keys under traffic, and repair of what others take away: no packet lost at
# a rekey, no plaintext ever.
#
#    h1 ---- wire ---- h2        h1 dials, so h1 begins each rekey
#    c1                c2        pings and a stream of datagrams, all the time
#
# tier: uml
# timeout: 280
. "$(dirname "$0")/lib.sh"

hosts 2
wire_record rekey
fdpd h1 --password-file "$password" --peer 172.31.0.2
fdpd h2 --password-file "$password"
case_ok 'connected' soon meshed h1 1
xfrm_baseline h1 h2
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
case_ok 'ping' soon ping_ok c1 10.0.0.2

spis() { ns h1 ip xfrm policy | awk '/spi 0x/ { print $4 }'; }
rekeyed() { [ "$(spis)" != "$1" ]; }
old=$(spis)
case_ok 'fdpctl rekey' ctl h1 rekey h2
case_ok 'another SA is in use' soon rekeyed "$old"
old=$(spis)
case_ok 'the side that was dialled can ask for it' ctl h2 rekey
case_ok 'another SA is in use again' soon rekeyed "$old"
case_ok 'rekey with a stranger is refused' not ctl h1 rekey nobody

# One ping each 5 ms both ways while keys change as fast as they can.
ip netns exec c1 ping -n -i 0.005 10.0.0.2 > "$work/there.txt" &
p1=$!
ip netns exec c2 ping -n -i 0.005 10.0.0.1 > "$work/back.txt" &
p2=$!
many() {
	local n old

	for ((n = 0; n < 20; n++)); do
		old=$(spis)
		ctl h1 rekey > /dev/null || return
		soon rekeyed "$old" || return
	done
}
case_ok '20 rekeys under traffic' many
sleep 0.5
kill -INT $p1 $p2
wait $p1 $p2
echo "# $(grep transmitted "$work/there.txt"); $(grep transmitted "$work/back.txt")"
case_ok 'not one ping was lost on the way there' pings_whole "$work/there.txt" 100
case_ok 'not one on the way back' pings_whole "$work/back.txt" 100
case_ok 'no XFRM error was counted on h1' xfrm_quiet h1
case_ok 'nor on h2' xfrm_quiet h2
keys() { for h in h1 h2; do ns $h ip xfrm state | awk '/aead/ { print $3 }'; done | sort | uniq -c | awk '$1 != 2 && $1 != 1 { print; bad = 1 } END { exit bad }'; }
case_ok 'no key stands in more than the two ends of one SA' keys

# Somebody takes things away.
ns h1 ip xfrm state flush
case_ok 'all SAs of h1 flushed: service comes back' soon ping_ok c1 10.0.0.2
one=$(spis)
ns h2 ip xfrm state delete src 172.31.0.1 dst 172.31.0.2 proto esp spi "$one"
case_ok 'one SA of h2 deleted: service comes back' soon ping_ok c1 10.0.0.2
n_policies() { [ "$(ns h1 ip xfrm policy | grep -c '^src')" = 6 ]; }
ns h1 ip xfrm policy flush
case_ok 'policies flushed: they come back' soon n_policies
case_ok 'and the service with them' soon ping_ok c1 10.0.0.2
ns h1 ip xfrm policy delete src 172.31.0.1/32 dst 172.31.0.2/32 proto udp dport 6784 dir out
case_ok 'one policy deleted: it comes back' soon n_policies
case_ok 'and the service with it' soon ping_ok c1 10.0.0.2
case_ok 'the log says what happened' grep -q 'somebody else' "$work/h1.log"
case_ok 'all is healthy again' soon ctl h1 status
wire_stop
case_ok 'not one plaintext packet' wire_none rekey "$vxlan"
finish
