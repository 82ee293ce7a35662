#!/bin/bash
# The lock of xtables is one for all network namespaces of a machine.  Eight
# daemons that start together, and those that start while somebody else has it,
# get all their rules all the same.
#
#    h1 ... h8 ---- wire
#
# tier: uml
# timeout: 300
. "$(dirname "$0")/lib.sh"

start() { # H: does not wait, as a start does for the guard
	# shellcheck disable=SC2046 # a list of options
	ip netns exec "$1" "$bin/fdpd" $(dirs "$1") --password-file "$password" >> "$work/$1.log" 2>&1 &
	daemon[$1]=$!
}
has_line() { # H PROGRAM TABLE LINE
	ns "$1" "$2" -t "$3" -S | grep -qE -- "$4" || {
		echo "$1: $2 -t $3 has no '$4'"
		return 1
	}
}
has_all() { # H
	local program

	for program in iptables-legacy ip6tables-legacy; do
		has_line "$1" $program mangle '^-A OUTPUT -j FDP-GUARD-OUT$' &&
			has_line "$1" $program mangle '^-A INPUT -j FDP-GUARD-IN$' &&
			has_line "$1" $program raw '^-A OUTPUT -j FDP-NOTRACK$' &&
			has_line "$1" $program raw '^-A PREROUTING -j FDP-NOTRACK$' &&
			has_line "$1" $program raw '^-A FDP-NOTRACK .*--notrack$' || return
	done
}
says() { # H WHAT
	grep -q "$2" "$work/$1.log"
}
lock() {
	flock -F /run/xtables.lock sleep 1000 &
	holder=$!
	soon not flock -n /run/xtables.lock true
}
unlock() {
	kill $holder
	wait $holder 2> /dev/null
}
again() { # H: nothing of it is left
	fdpd_kill "$1"
	ctl "$1" reset > /dev/null
	case_ok "$1 has no rules" not has_all "$1"
	: > "$work/$1.log"
}

hosts 8
for ((i = 1; i <= 8; i++)); do
	start h$i
done
for ((i = 1; i <= 8; i++)); do
	# All eight stretch their passwords at once, on one processor.
	case_ok "h$i is ready" within 240 says h$i 'ready after'
	case_ok "h$i has all rules" soon has_all h$i
done
for ((i = 3; i <= 8; i++)); do
	fdpd_kill h$i
done

# Longer than one try takes.
again h1
lock
start h1
soon pgrep -f iptables-legacy-restore > /dev/null
sleep 3
unlock
case_ok 'locked for three seconds: all rules' soon has_all h1

# As long as it takes until that is said.
again h2
lock
start h2
case_ok 'locked for longer: it is said' soon says h2 'NO NETFILTER GUARD.*xtables.lock'
unlock
case_ok 'and tried again: all rules' soon has_all h2
case_ok 'which is said' soon says h2 'guard is in place (iptables)'
finish
