#!/bin/bash
# kill -9 in the middle of everything: the kernel goes on, the next daemon takes
# over what it finds.
#
#    h1 ---- wire ---- h2
#    c1                c2
#
# tier: uml
# timeout: 150
. "$(dirname "$0")/lib.sh"

hosts 2
fdpd h1 --password-file "$password" --peer 172.31.0.2
fdpd h2 --password-file "$password" --peer 172.31.0.1
case_ok 'connected' soon meshed h1 1
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
case_ok 'ping' soon ping_ok c1 10.0.0.2
id=$(ask h1 .id status)
# All but counters.
known() { ask h1 '[.others, .ports] | flatten | map(del(.upcalls, .waited, .lost, .flows, .refused, .evicted))' ports; }
ports=$(known)
wire_record restart

fdpd_kill h1
case_ok 'traffic goes on while the daemon is dead' ping_ok c1 10.0.0.2
case_ok 'fdpctl flows works while it is dead' grep -q in_port <(ctl h1 flows)
case_ok 'fdpctl sas works while it is dead' grep -q esp <(ns h1 ip xfrm state)
status=0
ctl h1 status > "$work/dead.txt" 2>&1 || status=$?
case_ok 'fdpctl status says it is down, exit status 3' [ $status -eq 3 ]

fdpd h1 --password-file "$password" --peer 172.31.0.2
case_ok 'the next one connects again' soon meshed h1 1
case_ok 'it has the same id' [ "$(ask h1 .id status)" = "$id" ]
case_ok 'it knows the same ports' [ "$(known)" = "$ports" ]
case_ok 'ping' soon ping_ok c1 10.0.0.2
sleep 1
ns c1 ip neigh flush all
ns h1 ovs-dpctl del-flows fdp
case_ok 'upcalls of the adopted ports arrive' soon ping_ok c1 10.0.0.2
box h1 c3 10.0.0.3/24
case_ok 'a new container is reached' soon ping_ok c2 10.0.0.3

for h in h1 h2; do fdpd_kill $h; done
case_ok 'traffic goes on with both daemons dead' ping_ok c1 10.0.0.2
fdpd h2 --password-file "$password" --peer 172.31.0.1
fdpd h1 --password-file "$password" --peer 172.31.0.2
case_ok 'both come back' soon meshed h2 1
case_ok 'ping' soon ping_ok c2 10.0.0.1
wire_stop
case_ok 'not one plaintext packet in all this' wire_none restart "$esp_only"
case_ok 'ESP was there' wire_some restart 10 esp

fdpd_kill h1 TERM
case_ok 'traffic goes on after a stop' ping_ok c1 10.0.0.2

# Reset is what removes all, and nothing else.
ns h1 ip link add other type dummy
ns h1 ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x999 reqid 7 \
	mode transport aead 'rfc4106(gcm(aes))' 0x"$(printf '%072d' 1)" 128
ns h1 ip xfrm policy add src 192.0.2.1/32 dst 192.0.2.2/32 dir out priority 5
ns h1 ovs-dpctl add-dp other-dp
case_ok 'fdpctl reset' ctl h1 reset
clean() {
	ns h1 ip -o link | grep -E ' (fdp|vxlan-6784)' && return 1
	ns h1 ovs-dpctl dump-dps | grep -v other-dp && return 1
	[ "$(ns h1 ip xfrm state | grep -c '^src')" = 1 ] &&
		[ "$(ns h1 ip xfrm policy | grep -c '^src')" = 1 ] &&
		ns h1 ip link show other > /dev/null &&
		ns h1 ovs-dpctl dump-dps | grep -q other-dp
}
case_ok 'ours is gone, the rest is there' clean
case_ok 'reset again does no harm' ctl h1 reset
finish
