#!/bin/bash
# --trusted-subnet: two hosts of which both say so do not encrypt between them;
# every other pair does, and these two again as soon as one wants it.
#
#    h1 ---- wire ---- h2        h1 and h2 trust each other,
#    c1        |       c2        h3 trusts both, and neither trusts h3
#              h3
#              c3
#
# tier: uml
# timeout: 300
. "$(dirname "$0")/lib.sh"

plain_with() { # H NAME,...
	[ "$(ask "$1" '.plain | sort | join(",")' status)" = "$2" ]
}
plain_rules() { # H N: rules that let something pass, of both chains
	[ "$(ns "$1" iptables-legacy -t mangle -S | grep -c -- '-A FDP-GUARD.* -j RETURN')" -eq "$2" ]
}
plain_policies() { # H N: policies of the pair without a template
	[ "$(ctl "$1" sas --json | jq '[.policies[] | select(.action == "plain")] | length')" -eq "$2" ]
}
pings() {
	local from to

	for from in c1 c2 c3; do
		for to in 1 2 3; do
			[ "c$to" = "$from" ] || ping_ok "$from" "10.0.0.$to" || return
		done
	done
}
# Of packets that are not ESP, those of h3.
of_h3="$vxlan and host 172.31.0.3"

start() { # H ARG...
	fdpd "$1" --password-file "$password" "${@:2}"
}

hosts 3
start h1 --trusted-subnet 172.31.0.2/32
start h2 --trusted-subnet 172.31.0.0/31 --peer 172.31.0.1
start h3 --trusted-subnet 172.31.0.0/24 --peer 172.31.0.1
for i in 1 2 3; do
	case_ok "h$i is connected" soon meshed "h$i" 2
	box "h$i" "c$i" "10.0.0.$i/24"
done
case_ok 'h1 is plain with h2' soon plain_with h1 h2
case_ok 'h2 is plain with h1' soon plain_with h2 h1
case_ok 'h3 is plain with nobody' plain_with h3 ''
case_ok 'status shouts' grep -q 'NOT ENCRYPTED with h2' <(ctl h1 status)
case_ok 'connections shout' grep -q PLAIN <(ctl h1 connections)
case_ok 'the log shouts' grep -q 'NOT ENCRYPTED: what goes to h2' "$work/h1.log"
case_ok 'two policies are an exception' plain_policies h1 2
case_ok 'two rules of the guard are' plain_rules h1 2
case_ok 'h3 has no exception' plain_policies h3 0
case_ok 'nor in its guard' plain_rules h3 0

wire_record both
case_ok 'all reach each other' soon pings
wire_stop
case_ok 'plain between h1 and h2' wire_some both 12 "$vxlan and host 172.31.0.1 and host 172.31.0.2"
case_ok 'nothing plain of h3' wire_none both "$of_h3"
case_ok 'but ESP' wire_some both 24 'esp and host 172.31.0.3'

# Somebody takes the policies away: the guard knows the exception, no more.
wire_record flushed
ip netns exec c1 ping -n -q -i 0.02 10.0.0.3 > /dev/null 2>&1 &
traffic=$!
for _ in 1 2 3 4 5; do
	ns h1 ip xfrm policy flush
	sleep 0.2
done
kill $traffic
wait $traffic 2> /dev/null
case_ok 'all is back' soon pings
wire_stop
case_ok 'nothing plain of h3 without policies' wire_none flushed "$of_h3"
case_ok 'the exceptions are back, too' soon plain_policies h1 2

# h2 wants it no more.  Its kernel goes on meanwhile as it did.
ip netns exec c1 ping -n -i 0.05 10.0.0.2 > "$work/through" 2>&1 &
traffic=$!
fdpd_kill h2
case_ok 'h1 encrypts without a session' soon grep -q 'what goes to h2 is encrypted again' "$work/h1.log"
start h2 --peer 172.31.0.1
wire_record not
case_ok 'h2 has no exception from its start on' plain_policies h2 0
case_ok 'connected again' soon meshed h2 2
case_ok 'h1 has none either' soon plain_with h1 ''
case_ok 'nor in its guard' soon plain_rules h1 0
case_ok 'all reach each other, encrypted' soon pings
wire_stop
kill -INT $traffic
wait $traffic 2> /dev/null
case_ok 'nothing is plain any more' wire_none not "$vxlan"
case_ok 'all of it is ESP' wire_some not 24 esp
case_ok 'none was lost' pings_whole "$work/through"
case_ok 'status shouts no more' not grep -q 'NOT ENCRYPTED' <(ctl h1 status)
finish
