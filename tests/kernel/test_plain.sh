#!/bin/bash
# No password: the same network without encryption.  It is the positive control
# of every search for plaintext, and has to say aloud what it is.
#
#    h1 ---- wire ---- h2        fdpd on both, without --password-file
#    c1 10.0.0.1       c2 10.0.0.2
#
# tier: uml
. "$(dirname "$0")/lib.sh"

hosts 2
wire_record plain
fdpd h1 --peer 172.31.0.2
fdpd h2
case_ok 'connected' soon meshed h1 1
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
case_ok 'ping' soon ping_ok c1 10.0.0.2
case_ok 'the MTU is 1450' [ "$(ns c1 cat /sys/class/net/eth0/mtu)" = 1450 ]
case_ok 'a packet of 1450 bytes passes' ping_ok c1 -M 'do' -s $((1450 - 28)) 10.0.0.2
wire_stop
case_ok 'the capture sees VXLAN' wire_some plain 6 "$vxlan"
case_ok 'and no ESP' wire_none plain esp
inner() { tshark -r "$work/plain.pcap" -d udp.port==6784,vxlan -Y 'vxlan && icmp' 2> /dev/null | grep -q 10.0.0.1; }
case_ok 'and the ping inside it' inner
case_ok 'status --json says none' [ "$(ask h1 .encryption status)" = none ]
case_ok 'status shouts' grep -q 'NOT ENCRYPTED' <(ctl h1 status)
case_ok 'the log shouts' grep -qi 'not encrypted' "$work/h1.log"
case_ok 'no SA was made' [ -z "$(ns h1 ip xfrm state)" ]
finish
