#!/bin/bash
# Nothing plain leaves or comes in, whatever somebody takes away and whenever
# the daemon dies: XFRM policies are the first lock, the netfilter guard (here
# iptables') is the second.
#
#    h1 ---- wire ---- h2        pings both ways all the time, over IPv4 and,
#    c1                c2        with --peer fd31::1, over an IPv6 underlay
#
# tier: uml
# timeout: 500
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guard.sh"

kind=iptables
flush_rules() { # H
	ns "$1" iptables-legacy -t mangle -F
	ns "$1" ip6tables-legacy -t mangle -F
}
has_rules() { # H
	ns "$1" iptables-legacy -t mangle -S | grep -q -- '-A OUTPUT -j FDP-GUARD-OUT' &&
		ns "$1" ip6tables-legacy -t mangle -S | grep -q -- '-A FDP-GUARD-OUT .*--pol none -j DROP' &&
		ns "$1" ip6tables-legacy -t mangle -S | grep -q -- '-A INPUT -j FDP-GUARD-IN'
}
has_no_rules() { # H
	local n

	n=$(for t in iptables-legacy ip6tables-legacy; do
		for table in mangle raw; do
			ns "$1" $t -t $table -S
		done
	done | grep -c FDP)
	echo "$n lines are left"
	[ "$n" -eq 0 ]
}

guard_scenario
finish
