#!/bin/bash
# Start, stop, kill -9, removal of the peer, reset, in any order, at any moment,
# on either host, with packets on their way all the time: none in the clear, and
# at the end the network works.
#
#    h1 ---- wire ---- h2        both dial each other
#    c1                c2        both ping all the time
#
# The long form: tests/kernel/all --rounds 200 --timeout 1800 rounds.  --seed
# takes the same steps and moments again.
#
# tier: uml
# timeout: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/soak.sh"

rounds 8

other() { echo $((3 - $1)); }
# Without waiting: what comes next may come at any moment of it.
begin() { # N
	local h=h$1

	[ -z "${daemon[$h]:-}" ] || return 0
	# shellcheck disable=SC2046 # a list of options
	ip netns exec $h "$bin/fdpd" $(dirs $h) --password-file "$password" \
		--peer "172.31.0.$(other "$1")" >> "$work/$h.log" 2>&1 &
	daemon[$h]=$!
}
forget() { # N
	timeout 10 ip netns exec "h$1" "$bin/fdpctl" --run-dir "/run/h$1" \
		forget "172.31.0.$(other "$1")"
}
reset() { # N
	timeout 60 ip netns exec "h$1" "$bin/fdpctl" --run-dir "/run/h$1" reset
	fdpd_kill "h$1"
}
# Its container too, if it is not there.
settle() { # N
	begin "$1"
	soon answers "h$1" || return
	[ "$(ask "h$1" '.ports | length' ports)" = 1 ] && return
	ip netns del "c$1"
	box "h$1" "c$1" "10.0.0.$1/24"
	pingers_again
}
pingers_again() {
	traffic_end
	ping_begin there c1 10.0.0.2 -q -i 0.02
	ping_begin back c2 10.0.0.1 -q -i 0.02
}

hosts 2
wire_record rounds
begin 1
begin 2
settle 1
settle 2
case_ok 'connected' soon meshed h1 1
case_ok 'ping' soon ping_ok c1 10.0.0.2

declare -A done_=()
for ((round = 1; round <= rounds; round++)); do
	n=$((1 + RANDOM % 2))
	what=$((RANDOM % 10))
	case $what in
	[01]) what=stop; fdpd_kill h$n TERM ;;
	[2345]) what='kill'; fdpd_kill h$n ;;
	[67]) what=forget; forget $n ;;
	8) what=reset; reset $n ;;
	9) what=both; fdpd_kill h1; fdpd_kill h2 ;;
	esac > /dev/null 2>&1
	done_[$what]=$((${done_[$what]:-0} + 1))
	moment 300
	begin 1
	begin 2
	# Often before the start is over.
	moment 1500
	# Now and then all is well for a while, so that there is something to
	# break; after a reset the container is made again.
	if [ $((RANDOM % 4)) -eq 0 ] || [ $what = reset ]; then
		settle 1 && settle 2 && soon meshed h1 1
	fi
done > "$work/rounds.txt" 2>&1
for what in "${!done_[@]}"; do
	echo "# $what: ${done_[$what]} times"
done
settle 1
settle 2
case_ok 'at the end: connected' soon meshed h1 1
case_ok 'and back' soon meshed h2 1
case_ok 'ping' soon ping_ok c1 10.0.0.2
case_ok 'ping back' soon ping_ok c2 10.0.0.1
case_ok 'all is healthy' soon ctl h1 status
traffic_end
xfrm_report h1
xfrm_report h2
wire_stop
case_ok 'not one plaintext packet' wire_none rounds "$esp_only"
case_ok 'ESP was there' wire_some rounds 100 esp
case_ok 'no sequence number was used twice' "$tool" esp "$work/rounds.pcap"
echo "# $("$tool" esp "$work/rounds.pcap")"
plain_control
finish
