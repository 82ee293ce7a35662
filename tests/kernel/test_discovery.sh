#!/bin/bash
# Five hosts, each told of the first one alone: all are connected to all, and
# stay so without it.
#
#    h2  h3  h4  h5
#      \  \  /  /       what they are told
#          h1
#
# timeout: 300
. "$(dirname "$0")/lib.sh"

hosts 5
fdpd h1 --password-file "$password"
for i in 2 3 4; do
	fdpd h$i --password-file "$password" --peer 172.31.0.1
done
# Over the other family, and on a port of its own.
fdpd h5 --password-file "$password" --peer '[fd31::1]:6783' --port 7000
for i in 1 2 3 4 5; do
	case_ok "h$i is connected to all" soon meshed h$i 4
	box h$i c$i 10.0.0.$i/24
done
all_ping() { # HOST...
	local i j

	for i in "$@"; do
		for j in "$@"; do
			[ "$i" = "$j" ] || soon ping_ok "c$i" "10.0.0.$j" || return
		done
	done
}
case_ok 'all containers reach all' all_ping 1 2 3 4 5
discovered() { # H
	ask "$1" '[.connections[] | select(.discovered)] | length' connections
}
case_ok 'some connections were discovered' [ "$(discovered h4)" -gt 0 ]

fdpd_kill h1 TERM
fdpd_kill h3
fdpd h3 --password-file "$password" --peer 172.31.0.2
for i in 2 3 4 5; do
	case_ok "h$i is connected to the rest, without the first" soon meshed h$i 3
done
case_ok 'their containers reach each other' all_ping 2 3 4 5

# No further than an operator wants.
fdpd_kill h5 TERM
fdpd h5 --password-file "$password" --peer 172.31.0.2:6783 --port 7000 --no-discovery
connected() { [ "$(ask h5 '[.connections[] | select(.state == "established")] | length' connections)" -ge 1 ]; }
case_ok 'h5 comes back' soon connected
case_ok 'h5 dials nobody else' [ "$(discovered h5)" = 0 ]
finish
