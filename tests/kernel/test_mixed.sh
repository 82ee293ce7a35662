#!/bin/bash
# A host without the kernel's datapath beside two that have it: one mesh, with a
# relay between the two kinds, and nothing in the clear.
#
#    h1 172.31.0.1 ---- wire ---- 172.31.0.2 h2, 172.31.0.3 h3
#      |  sleeve alone              |              |  both
#    c1 10.0.0.1                  c2 10.0.0.2    c3 10.0.0.3
#
# tier: uml
# timeout: 300
. "$(dirname "$0")/lib.sh"

hosts 3
wire_record mixed
fdpd h2 --overlay auto --password-file "$password"
fdpd h1 --overlay sleeve --password-file "$password" --peer 172.31.0.2
fdpd h3 --overlay auto --password-file "$password" --peer 172.31.0.2

row() { # H PEER FILTER
	ask "$1" ".peers[] | select(.name == \"$2\") | $3" peers
}
by() { # H PEER OVERLAY
	[ "$(row "$1" "$2" .overlay)" = "$3" ]
}
because() { # H PEER REASON
	[ "$(row "$1" "$2" .overlay_reason)" = "$3" ]
}
case_ok 'h1 to h2 by sleeve' soon by h1 h2 sleeve
case_ok 'h2 to h1 by sleeve' soon by h2 h1 sleeve
case_ok 'h1 to h3 by sleeve' soon by h1 h3 sleeve
case_ok 'h2 to h3 by ESP' soon by h2 h3 fastdp
case_ok 'h1 knows why' because h1 h2 no-fastdp
case_ok 'so does h2' because h2 h1 peer-no-fastdp
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
box h3 c3 10.0.0.3/24
for from in 1 2 3; do
	for to in 1 2 3; do
		[ $from = $to ] || case_ok "c$from reaches c$to" soon ping_ok c$from -c 2 -i 0.1 10.0.0.$to
	done
done
case_ok 'frames as large as they may be' ping_ok c1 -c 2 -i 0.1 -M "do" -s $(($(ask h1 '.ports[0].mtu' ports) - 28)) 10.0.0.3
case_ok 'nothing of ESP on h1' eval '[ -z "$(ip -n h1 xfrm state)$(ip -n h1 xfrm policy | grep -v socket | grep src)" ]'

# h1 and h3 do not reach each other: h2 passes on what one seals to the other's
# ESP, and back.
ns h3 iptables-legacy -I INPUT -s 172.31.0.1 -j DROP
ns h1 iptables-legacy -I INPUT -s 172.31.0.3 -j DROP
passed_on() { [ "$(row h1 h3 .via)/$(row h3 h1 .via)" = h2/h2 ]; }
case_ok 'h2 passes on' soon passed_on
case_ok 'c1 reaches c3 through h2' soon ping_ok c1 -c 3 -i 0.1 10.0.0.3
case_ok 'c3 reaches c1 through h2' soon ping_ok c3 -c 3 -i 0.1 10.0.0.1
wire_stop
case_ok 'ESP is on the wire' wire_some mixed 5 esp
case_ok 'so is the sleeve' wire_some mixed 20 'udp port 6783'
case_ok 'and nothing in the clear' wire_none mixed 'udp port 6784 or net 10.0.0.0/24'
finish
