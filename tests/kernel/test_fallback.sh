#!/bin/bash
# The way round what blocks ESP, and back, while packets flow: each direction for
# itself, with the reason, and nothing in the clear.
#
#    h1 172.31.0.1 ---- wire ---- 172.31.0.2 h2        fdpd on both, h1 dials
#      |                                     |
#    c1 10.0.0.1  ping, all the time  c2 10.0.0.2
#
# tier: uml
# timeout: 400
. "$(dirname "$0")/lib.sh"

hosts 2
wire_record fallback
fdpd h1 --overlay auto --password-file "$password" --peer 172.31.0.2
fdpd h2 --overlay auto --password-file "$password"
case_ok 'connected' soon meshed h1 1
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24

by() { # H OVERLAY
	[ "$(ask "$1" '.connections[0].overlay' connections)" = "$2" ]
}
because() { # H REASON
	[ "$(ask "$1" '.connections[0].overlay_reason' connections)" = "$2" ]
}
answered() { # N: that many pings more have been, since
	local now

	now=$(grep -c 'bytes from' "$work/ping")
	[ $((now - before)) -ge "$1" ]
}
flowing() {
	before=$(grep -c 'bytes from' "$work/ping")
	soon answered 10
}

fds() { # H
	find "/proc/${daemon[$1]}/fd" -type l | wc -l
}

before_all=$(fds h1)/$(fds h2)
ip netns exec c1 ping -n -i 0.1 10.0.0.2 > "$work/ping" &
ping=$!
case_ok 'by ESP' by h1 fastdp
case_ok 'pings are answered' flowing
wire_stop
case_ok 'ESP is on the wire' wire_some fallback 20 esp

# One way.
wire_record oneway
ns h2 iptables-legacy -I INPUT -p esp -s 172.31.0.1 -j DROP
case_ok 'ESP filtered: h1 takes the sleeve' soon by h1 sleeve
case_ok 'pings are answered again' flowing
case_ok 'h2 stays with ESP' by h2 fastdp
case_ok 'for a reason that is found' soon because h1 esp-filtered
case_ok 'in words' eval 'ctl h1 status connections | grep "sleeve, as esp-filtered"'
case_ok 'and those of why' eval 'ctl h1 why h2 | grep "^overlay  *sleeve"'
wire_stop
case_ok 'the sleeve is on the wire' wire_some oneway 20 'udp port 6783'
clear='udp port 6784 or net 10.0.0.0/24'
case_ok 'and nothing in the clear' wire_none oneway "$clear"
wire_record control
ip -n h1 address add 10.0.0.200/32 dev u0
ns h1 ping -c 3 -i 0.1 -I 10.0.0.200 172.31.0.2
ip -n h1 address del 10.0.0.200/32 dev u0
wire_stop
case_ok 'which would be seen' wire_some control 1 "$clear"
ns h2 iptables-legacy -D INPUT -p esp -s 172.31.0.1 -j DROP
case_ok 'back to ESP' soon by h1 fastdp
case_ok 'and pings are answered' flowing

# VXLAN only, both ways; then both ways of h1 are gone.
ns h1 iptables-legacy -I INPUT -p udp --dport 6784 -j DROP
ns h2 iptables-legacy -I INPUT -p udp --dport 6784 -j DROP
case_ok 'VXLAN refused: both take the sleeve' soon eval 'by h1 sleeve && by h2 sleeve'
case_ok 'pings by the sleeve both ways' flowing
ns h1 iptables-legacy -D INPUT -p udp --dport 6784 -j DROP
ns h2 iptables-legacy -D INPUT -p udp --dport 6784 -j DROP
case_ok 'both are back' soon eval 'by h1 fastdp && by h2 fastdp'

# With the sleeve blocked alone nothing changes.
ns h2 iptables-legacy -I INPUT -p udp --dport 6783 -j DROP
case_ok 'the sleeve alone is blocked' flowing
sleep 5
case_ok 'and not missed' eval 'by h1 fastdp && flowing'
ns h2 iptables-legacy -D INPUT -p udp --dport 6783 -j DROP
same_fds() { [ "$(fds h1)/$(fds h2)" = "$before_all" ]; }
case_ok 'no descriptor is left over' soon same_fds
kill $ping
finish
