#!/bin/bash
# The daemon dies after every single thing it does to the kernel: at its first
# start, at a restart, while it connects, while it makes new keys, while it takes
# a tunnel down.  Nothing is in the clear meanwhile, and the next start is whole.
#
#    h1 ---- wire ---- h2        h1 dials; h1 dies
#    c1                c2        both ping all the time
#
# All n of every stage: tests/kernel/all --rounds 100 --timeout 3600 killed; the
# short form takes one of each, another every time (--seed).
#
# tier: uml
# timeout: 280
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/soak.sh"

rounds 1 # of each stage; 50 or more: every one
if ! grep -q fault/die-after "$bin/fdpd"; then
	case_skip 'killed after every op' 'this build has no FDP_FAULTS'
	finish
fi

fault() { # H COMMAND [N]
	ns "$1" env OVS_RUNDIR="/run/$1" ovs-appctl -t "$(echo "/run/$1"/fdpd.*.ctl)" "fault/$2" "${@:3}"
}
dead() { ! kill -0 "${daemon[$1]}" 2> /dev/null; }
gone() { soon dead "$1" && fdpd_kill "$1"; }

start_h1() { fdpd h1 --password-file "$password" --peer 172.31.0.2; }
start_h2() { fdpd h2 --password-file "$password"; }

# Starts h1 so that it dies after op N, or lives for a while.
start_to_die() { # N
	# shellcheck disable=SC2046 # a list of options
	FDP_FAULT_AFTER=$1 ip netns exec h1 "$bin/fdpd" $(dirs h1) \
		--password-file "$password" --peer 172.31.0.2 >> "$work/h1.log" 2>&1 &
	daemon[h1]=$!
}
one_ping() { ns "$1" ping -n -q -c 1 -W 1 "$2"; }
whole() { soon meshed h1 1 && soon one_ping c1 10.0.0.2 && soon one_ping c2 10.0.0.1; }
running() { [ -n "${daemon[h1]:-}" ] || { start_h1 && soon meshed h1 1; }; }

pings_begin() {
	ping_begin there c1 10.0.0.2 -q -i 0.02
	ping_begin back c2 10.0.0.1 -q -i 0.02
}

# ---- the stages: what is before, and what sets it going, to die after op N ----

# As on a host that never ran it.
prepare_first() {
	fdpd_kill h1
	ctl h1 reset > /dev/null
}
act_first() { start_to_die "$1"; }

# Over what the last life left.
prepare_restart() { fdpd_kill h1; }
act_restart() { start_to_die "$1"; }

# The peer comes back to life.
prepare_connect() {
	running
	fdpd_kill h2
	sleep 0.3
}
act_connect() {
	fault h1 die-after "$1"
	start_h2
}

prepare_rekey() { running; }
act_rekey() {
	fault h1 die-after "$1"
	ctl h1 rekey > /dev/null 2>&1
}

# The peer is forgotten.
prepare_teardown() { running; }
act_teardown() {
	fault h1 die-after "$1"
	ctl h1 forget 172.31.0.2 > /dev/null 2>&1
}

# Is there nothing more to come?  (Beside looks at idle flows, and the like.)
over() { # STAGE
	case $1 in
	rekey | teardown) ;;
	*) answers h1 && meshed h1 1 ;;
	esac > /dev/null 2>&1 && not within 10 dead h1
}

# After a reset, whoever made the container attaches it again.
reattach() {
	ip netns del c1
	box h1 c1 10.0.0.1/24
	ip -n c2 neigh flush all
}

# One death, and what comes after it: $died, $bad.
die_at() { # STAGE N
	local end=$((SECONDS + 240))

	died=''
	"prepare_$1"
	pings_begin
	"act_$1" "$2" > /dev/null
	until dead h1 || over "$1" || [ $SECONDS -ge $end ]; do
		sleep 0.05
	done
	! dead h1 || died=1
	fdpd_kill h1
	# What is open now shows on the wire.
	sleep 0.2
	start_h1
	[ "$1" != first ] || reattach
	whole > /dev/null || bad+=" $1:$2"
	traffic_end
}

hosts 2
wire_record killed
start_h2
start_h1
case_ok 'connected' soon meshed h1 1
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
case_ok 'ping' whole
bad=''
# To draw from: each has a few more.
declare -A about=([first]=18 [restart]=18 [connect]=12 [rekey]=6 [teardown]=6)
for stage in first restart connect rekey teardown; do
	deaths=0
	for ((i = 1; i <= rounds; i++)); do
		n=$i
		[ "$rounds" -ge 50 ] || n=$((1 + RANDOM % about[$stage]))
		die_at $stage $n
		deaths=$((deaths + ${died:-0}))
		# All of them: until there are no more.
		[ -n "$died" ] || [ "$rounds" -lt 50 ] || break
	done
	echo "# $stage: $deaths deaths"
	case_ok "$stage: it did die" [ $deaths -gt 0 ]
done
case_ok 'the start after each is whole' [ -z "$bad" ]
[ -z "$bad" ] || echo "# not after$bad"
xfrm_report h1
xfrm_report h2
case_ok 'all is healthy' soon ctl h1 status
wire_stop
case_ok 'not one plaintext packet' wire_none killed "$esp_only"
case_ok 'ESP was there' wire_some killed 100 esp
plain_control
finish
