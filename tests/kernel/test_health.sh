#!/bin/bash
# Probes through the tunnel, with two SAs each way, and what they tell.
#
#    h1 172.31.0.1 ---- wire ---- 172.31.0.2 h2        fdpd on both, h1 dials
#      |                                     |
#    c1 10.0.0.1                      c2 10.0.0.2
#
# tier: uml
# timeout: 150
. "$(dirname "$0")/lib.sh"

hosts 2
wire_record health
fdpd h1 --password-file "$password" --peer 172.31.0.2 --sas-per-peer 2
fdpd h2 --password-file "$password" --sas-per-peer 2
case_ok 'connected' soon meshed h1 1
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
xfrm_baseline h1 h2
path() { # H WHAT
	ask "$1" ".connections[0].path.$2" connections
}
at_least() { # H WHAT N
	[ "$(path "$1" "$2")" -ge "$3" ]
}

# Traffic makes them frequent; every fourth has the size of the MTU.
ns c1 ping -n -q -c 100 -i 0.2 10.0.0.2 > "$work/ping" 2>&1 &
ping=$!
case_ok 'probes of h1 are acknowledged' soon at_least h1 acked 12
case_ok 'and those of h2' soon at_least h2 acked 12
case_ok 'none is lost' [ "$(path h1 lost)/$(path h2 lost)" = 0/0 ]
case_ok 'the round trip is known' at_least h1 rtt_us 1
no_flow() { ! ns h1 ovs-dpctl dump-flows fdp | grep -E 'tun_id=0x0[,)]|0x88b5'; }
case_ok 'they make no flows' no_flow
wait $ping
case_ok 'no ping is lost beside them' grep -q ' 0% packet loss' "$work/ping"
wire_stop
case_ok 'ESP is on the wire' wire_some health 20 esp
case_ok 'nothing else is' wire_none health "$esp_only"
case_ok 'no XFRM error was counted on h1' xfrm_quiet h1
case_ok 'no XFRM error was counted on h2' xfrm_quiet h2
finish
