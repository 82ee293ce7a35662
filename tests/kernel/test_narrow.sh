#!/bin/bash
# A link in the middle that takes so little that IPv6 in the tunnel has less than
# the 1280 bytes that it demands of every link: hosts with IPv6 in containers go
# by sleeve, in pieces, for that reason, until the link grows.
#
# The hosts are those of middle.sh.
#
# tier: uml
# timeout: 200
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/soak.sh"
. "$(dirname "$0")/middle.sh"

row() { # H FILTER
	ask "$1" ".connections[] | select(.state == \"established\") | $2" connections
}
by() { # H1'S H2'S
	echo "h1 $(row h1 .overlay), h2 $(row h2 .overlay)"
	[ "$(row h1 .overlay)/$(row h2 .overlay)" = "$1/$2" ]
}
# While there is traffic such things are found out soon.
large() { # FROM TO
	ns "$1" ping -n -q -c 3 -i 0.3 -W 1 -M 'do' -s 1232 "$2"
}
becomes() { # OVERLAY
	large c1 fd00::2
	large c2 fd00::1
	by "$1" "$1"
}
says() { # PATTERN COMMAND...
	local pattern=$1

	shift
	ctl h1 "$@" | tee "$work/said"
	grep -q "$pattern" "$work/said"
}
told() { # MTU
	local text

	ip -n c1 route flush cache
	text=$(ns c1 ping -n -c 1 -W 1 -M 'do' -s 1252 10.0.0.2 2>&1)
	echo "$text"
	grep -q "mtu = $1)" <<< "$text"
}
shown() { # MTU
	large c1 fd00::2
	row h1 .mtu
	[ "$(row h1 .mtu)" = "$1" ]
}

begin() { # OVERLAY
	overlay=$1
	fdpd h1 --password-file "$password" --peer 172.30.2.2
	fdpd h2 --password-file "$password"
	case_ok "$1: connected" soon meshed h1 1
}
begin auto
for i in 1 2; do
	box h$i c$i 10.0.0.$i/24 fd00::$i/64
done
case_ok 'packets of 1280 bytes arrive' soon large c1 fd00::2
case_ok 'by fastdp' by fastdp fastdp
record narrow
middle 1340
case_ok 'narrow: by sleeve' soon becomes sleeve
case_ok 'packets of 1280 bytes arrive again' large c1 fd00::2
case_ok 'both ways' large c2 fd00::1
case_ok 'IPv4 is told of less' soon told 12[45][0-9]
case_ok 'connections say why' says 'sleeve, as path-narrow' status connections
case_ok 'so does why' says 'path-narrow: the tunnel takes less than the 1280 bytes' why h2
wire_stop
case_ok 'none was a fragment outside' wire_none narrow "$fragments"
case_ok 'the recording has the rest' wire_some narrow 20 'udp port 6783'
middle 1500
case_ok 'wide again: by fastdp' soon becomes fastdp
case_ok 'where they arrive as well' large c1 fd00::2

# The control: nothing else would have carried them.
fdpd_kill h1
fdpd_kill h2
begin fastdp
middle 1340
case_ok 'fastdp alone: the measured MTU is shown' soon shown 1256
case_ok 'and packets of 1280 bytes are lost' not large c1 fd00::2
finish
