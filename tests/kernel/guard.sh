# shellcheck shell=bash
# The scenario of test_guard.sh and test_guard_nft.sh.  They define:
#
#   kind               what `fdpctl status` calls the guard
#   flush_rules H      removes all rules of netfilter on H, as an operator might
#   has_rules H        is the guard there?
#   has_no_rules H     is nothing of it left?
: "${kind:=}"

n_policies() { # H N
	[ "$(ns "$1" ip xfrm policy | grep -c '^src')" -eq "$2" ]
}

# Pings all the time, and the daemons' own upcalls with them.
traffic_start() {
	local ip

	for ip in 10.0.0.2 fd00::2; do
		ip netns exec c1 ping -n -q -i 0.02 "$ip" > /dev/null 2>&1 &
		traffic+=($!)
	done
	ip netns exec c2 ping -n -q -i 0.02 10.0.0.1 > /dev/null 2>&1 &
	traffic+=($!)
}
traffic_stop() {
	kill "${traffic[@]}" 2> /dev/null
	wait "${traffic[@]}" 2> /dev/null
	traffic=()
}
traffic=()

# Sends until plaintext is seen: how many packets that takes depends on how busy
# the machine is.
leaks() {
	ns c1 ping -n -q -c 5 -i 0.1 -W 1 10.0.0.2
	[ "$(wire_count control "$vxlan")" -ge 1 ]
}

# Somewhere in the next third of a second.
moment() {
	sleep "0.$(printf %03d $((RANDOM % 300)))"
}

serves() {
	soon ping_ok c1 10.0.0.2 && soon ping_ok c2 fd00::1
}

start() { # H ARG...
	fdpd "$1" --password-file "$password" "${@:2}"
}

# Kills host H at random moments of its start and life.
killing_rounds() { # H N ARG...
	local h=$1 n=$2

	shift 2
	while [ "$n" -gt 0 ]; do
		fdpd_kill "$h"
		# shellcheck disable=SC2046 # a list of options
		ip netns exec "$h" "$bin/fdpd" $(dirs "$h") \
			--password-file "$password" "$@" >> "$work/$h.log" 2>&1 &
		daemon[$h]=$!
		moment
		n=$((n - 1))
	done
	fdpd_kill "$h"
	start "$h" "$@"
}

guard_scenario() {
	local began

	hosts 2
	start h1
	case_ok 'the guard is in place' has_rules h1
	case_ok 'status says by what' [ "$(ask h1 .guard status)" = "$kind" ]
	start h2 --peer 172.31.0.1
	case_ok 'connected' soon meshed h2 1
	box h1 c1 10.0.0.1/24 fd00::1/64
	box h2 c2 10.0.0.2/24 fd00::2/64
	case_ok 'ping' serves
	traffic_start
	# Without ESP, of which there is so much that a slow machine misses some.
	wire_record guard 'not esp and not (ip6 and ip6[6] == 50)'

	# The daemon lives, somebody takes things away.
	began=$SECONDS
	ns h1 ip xfrm policy flush
	case_ok 'policies flushed: they come back' soon n_policies h1 6
	case_ok 'and the service with them' serves
	ns h2 ip xfrm state flush
	case_ok 'SAs flushed: service comes back' serves
	flush_rules h1
	case_ok 'the guard is put back' soon has_rules h1
	ns h1 ip xfrm policy flush
	flush_rules h2
	case_ok 'flushes on both hosts: service comes back' serves
	case_ok 'the guard too' soon has_rules h2
	case_ok 'the log says so' grep -q 'guard was changed by somebody else' "$work/h1.log"
	echo "# flushes repaired in $((SECONDS - began)) s, pings included"

	# An address of the underlay goes and comes.
	ns h1 ip addr del 172.31.0.1/24 dev u0
	moment
	ns h1 ip addr add 172.31.0.1/24 dev u0
	case_ok 'the address went and came: service comes back' serves

	# The daemon dies: nobody repairs anything.
	killing_rounds h1 6
	case_ok 'killed at random moments: service comes back' serves
	killing_rounds h2 3 --peer 172.31.0.1
	case_ok 'the one that dials too' serves
	fdpd_kill h1 TERM
	case_ok 'stopped: the guard stays' has_rules h1
	moment
	ns h1 ip xfrm policy flush
	case_ok 'policies flushed while it is stopped: nothing passes' not ping_ok c1 10.0.0.2
	ns h1 ip xfrm state flush
	sleep 0.5
	start h1
	case_ok 'started: service comes back' serves

	# The peer is forgotten, for good.
	ctl h2 forget 172.31.0.1 > /dev/null
	fdpd_kill h2 TERM
	sleep 1
	start h2 --peer 172.31.0.1
	case_ok 'peer removed and back: service comes back' serves

	# The same over IPv6.
	fdpd_kill h2 TERM
	ctl h2 reset > /dev/null
	start h2 --peer fd31::1
	ip netns del c2
	box h2 c2 10.0.0.2/24 fd00::2/64
	ip -n c1 neigh flush all # It has another MAC.
	case_ok 'underlay IPv6: ping' serves
	ip netns exec c2 ping -n -q -i 0.02 10.0.0.1 > /dev/null 2>&1 &
	traffic+=($!)
	ns h1 ip xfrm policy flush
	ns h2 ip xfrm policy flush
	case_ok 'policies flushed on both: service comes back' serves
	fdpd_kill h1
	ns h1 ip xfrm policy flush
	sleep 0.5

	traffic_stop
	wire_stop
	case_ok 'the recording has the rest' wire_some guard 100 'tcp port 6783'
	case_ok 'not one plaintext packet' wire_none guard "$vxlan"

	start h1
	case_ok 'service comes back' serves

	# The control: the same flush without the guard, with nobody to repair.
	fdpd_kill h1
	fdpd_kill h2
	flush_rules h1
	flush_rules h2
	wire_record control
	ns h1 ip xfrm policy flush
	case_ok 'control: without the guard it leaks' soon leaks
	wire_stop

	# Only reset removes it.
	start h1
	case_ok 'in place again' has_rules h1
	case_ok 'reset' ctl h1 reset
	unset 'daemon[h1]'
	case_ok 'reset removed it' has_no_rules h1
	case_ok 'a run without password may start now' fdpd_plain h1
}

fdpd_plain() { # H
	fdpd_try "$1" --detach > "$work/plain.log" 2>&1 && ctl "$1" reset
}
