#!/bin/bash
# A decrypted packet that finds no tunnel port, or that a firewall of the host
# rejects, is answered by an ICMP error that quotes it, in the clear.  The guard
# drops such errors, whether a daemon is there or not.
#
#    h1 --IPv4-- h2 --IPv6-- h3      c1 and c3 ping c2, whose host has neither
#    c1          c2          c3      daemon nor tunnel port
#
# tier: uml
# timeout: 200
. "$(dirname "$0")/lib.sh"

quoted4='icmp[0] == 3 and icmp[17] == 17 and icmp[30:2] == 6784'
quoted6='ip6[6] == 58 and ip6[40] == 1 and ip6[54] == 17 and ip6[90:2] == 6784'
tables='iptables-legacy ip6tables-legacy'

pings() {
	ns c1 ping -n -q -c 5 -i 0.1 -W 1 10.0.0.2 > /dev/null &
	ns c3 ping -n -q -c 5 -i 0.1 -W 1 10.0.0.2 > /dev/null
	wait $!
}
disturb() {
	ns h2 ip link set vxlan-6784 down
	pings
	ns h2 ip link set vxlan-6784 up
	for t in $tables; do
		ns h2 $t -I INPUT -p udp --dport 6784 -j REJECT
	done
	pings
	for t in $tables; do
		ns h2 $t -D INPUT 1
	done
}

hosts 3
fdpd h2 --password-file "$password"
fdpd h1 --password-file "$password" --peer 172.31.0.2 --no-discovery
fdpd h3 --password-file "$password" --peer fd31::2 --no-discovery
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
box h3 c3 10.0.0.3/24
case_ok 'ping over IPv4' soon ping_ok c1 10.0.0.2
case_ok 'ping over IPv6' soon ping_ok c3 10.0.0.2
fdpd_kill h2

wire_record guarded
disturb
wire_stop
case_ok 'no error quotes a packet' wire_none guarded "($quoted4) or ($quoted6)"
case_ok 'ESP was there over IPv4' wire_some guarded 10 'esp'
case_ok 'ESP was there over IPv6' wire_some guarded 10 'ip6[6] == 50'

for t in $tables; do
	ns h2 $t -t mangle -F FDP-GUARD-OUT
done
wire_record control
disturb
wire_stop
case_ok 'control: without the guard they do, over IPv4' wire_some control 2 "$quoted4"
case_ok 'control: and over IPv6' wire_some control 2 "$quoted6"
finish
