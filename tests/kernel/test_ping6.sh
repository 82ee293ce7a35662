#!/bin/bash
# Two hosts that know each other by IPv6 addresses only.
#
#    h1 fd31::1 ---- wire ---- fd31::2 h2        fdpd on both, h2 dials
#      |                              |
#    c1 10.0.0.1 fd00::1    c2 10.0.0.2 fd00::2  MTU 1396
#
# tier: uml
. "$(dirname "$0")/lib.sh"

hosts 2
wire_record ping6
fdpd h1 --password-file "$password"
fdpd h2 --password-file "$password" --peer fd31::1
case_ok 'connected, fastdp' soon meshed h1 1
box h1 c1 10.0.0.1/24 fd00::1/64
box h2 c2 10.0.0.2/24 fd00::2/64
case_ok 'ping' soon ping_ok c1 10.0.0.2
case_ok 'ping over IPv6' soon ping_ok c2 fd00::1
mtu() { [ "$(ask h1 '.ports[0].mtu' ports)" = 1396 ] && [ "$(ns c1 cat /sys/class/net/eth0/mtu)" = 1396 ]; }
case_ok 'the interface that dials has MTU 1396' [ "$(ns c2 cat /sys/class/net/eth0/mtu)" = 1396 ]
case_ok 'the one that was dialled, too' soon mtu
case_ok 'a packet of 1396 bytes passes unfragmented' ping_ok c1 -M 'do' -s $((1396 - 28)) 10.0.0.2
ns c1 ip link set eth0 mtu 1397
case_ok 'one of 1397 bytes does not' not ping_ok c1 -M 'do' -s $((1397 - 28)) 10.0.0.2
wire_stop
case_ok 'ESP is on the wire' wire_some ping6 12 'ip6 proto 50'
case_ok 'VXLAN is not' wire_none ping6 "$vxlan"
case_ok 'nothing else is' wire_none ping6 "$esp_only"
finish
