#!/bin/bash
# Three hosts in a full mesh, all dialling all; bulk transfers between each two.
#
#    h1 ------- wire ------- h2        h1-h2 and h1-h3 over IPv4,
#    c1          |           c2        h2-h3 over IPv6
#                h3
#                c3 10.0.0.3 fd00::3
#
# tier: uml
# timeout: 400
. "$(dirname "$0")/lib.sh"

hosts 3
wire_record three
fdpd h1 --password-file "$password" --peer 172.31.0.2 --peer 172.31.0.3
fdpd h2 --password-file "$password" --peer 172.31.0.1 --peer fd31::3
fdpd h3 --password-file "$password" --peer 172.31.0.1 --peer fd31::2
for h in h1 h2 h3; do
	case_ok "$h has two connections, crossed dials and all" soon meshed $h 2
done
for i in 1 2 3; do
	box h$i c$i 10.0.0.$i/24 fd00::$i/64
done
case_ok 'c1 reaches c2' soon ping_ok c1 10.0.0.2
case_ok 'c2 reaches c3' soon ping_ok c2 10.0.0.3
case_ok 'c3 reaches c1' soon ping_ok c3 10.0.0.1
case_ok 'over IPv6, too' soon ping_ok c3 fd00::2

# Broadcast goes to all, once.
arping_all() { ns c1 ping -n -b -c 2 -i 0.5 -W 1 10.0.0.255 2>&1 | grep -q 'bytes from 10.0.0'; }
for c in c2 c3; do ns $c sysctl -qw net.ipv4.icmp_echo_ignore_broadcasts=0; done
case_ok 'broadcast is answered' soon arping_all

# 100 MB each way; the sum of what arrived is compared.  The capture would only
# fill the disk, so it is off.
wire_stop
case_ok 'VXLAN is not on the wire' wire_none three "$vxlan"
case_ok 'nothing but ESP and control is' wire_none three "$esp_only"
head -c 100M /dev/urandom > /run/bulk
sum=$(sha256sum < /run/bulk)
transfer() { # FROM TO ADDRESS
	local got

	rm -f /run/got.*
	ns "$2" timeout 300 nc -l -p 5001 ${4:-} > /run/got.$1 &
	soon listens "$2" 5001
	timeout 200 ip netns exec "$1" nc -N "$3" 5001 < /run/bulk || return
	wait $!
	got=$(sha256sum < /run/got.$1)
	echo "$(stat -c %s /run/got.$1) bytes"
	rm -f /run/got.$1
	[ "$got" = "$sum" ]
}
case_ok '100 MB from c1 to c2, over an IPv4 underlay' transfer c1 c2 10.0.0.2
case_ok '100 MB from c3 to c2, over an IPv6 underlay' transfer c3 c2 10.0.0.2
case_ok '100 MB from c2 to c1 over inner IPv6' transfer c2 c1 fd00::1 -6

# The kernel of a stopped host goes on with the flows that it has.
case_ok 'c1 reaches c3' soon ping_ok c1 10.0.0.3
fdpd_kill h3 TERM
case_ok 'flows to a host whose daemon stopped go on' ping_ok c1 10.0.0.3
gone() { [ "$(ask h1 '[.connections[] | select(.state == "established")] | length' connections)" = 1 ]; }
case_ok 'that it stopped is noticed' soon gone
case_ok 'the others go on' ping_ok c1 10.0.0.2
finish
