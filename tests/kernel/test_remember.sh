#!/bin/bash
# A daemon that is started again serves new flows at once, by what its kernel and
# its file of peers know: before its passwords are stretched, before it has a
# session.
#
#    h1 ---- wire ---- h2        h1 restarts, while who stretches its passwords
#    c1, c3            c2, c4    is stopped, so that it cannot have a session
#
# tier: uml
# timeout: 150
. "$(dirname "$0")/lib.sh"

start() { # N
	fdpd "h$1" --password-file "$password" --peer "172.31.0.$((3 - $1))"
}
peers=/run/h1.state/peers

hosts 2
start 1
start 2
case_ok 'connected' soon meshed h1 1
box h1 c1 10.0.0.1/24
box h1 c3 10.0.0.3/24
box h2 c2 10.0.0.2/24
box h2 c4 10.0.0.4/24
case_ok 'ping' soon ping_ok c1 10.0.0.2
case_ok 'peers are written down' soon grep -q '"10.0.0.4"' $peers
case_ok 'for us alone' [ "$(stat -c %a $peers)" = 600 ]
wire_record remember

# Sets $child to who stretches the passwords of h1.
find_stretcher() {
	local dir name key value

	child=''
	for dir in /proc/[0-9]*; do
		read -r name 2> /dev/null < "$dir/comm" && [ "$name" = fdpd-password ] || continue
		while read -r key value; do
			[ "$key" != PPid: ] || [ "$value" != "${daemon[h1]:-}" ] || child=${dir#/proc/}
		done < "$dir/status"
	done
	[ -n "$child" ]
}
# Starts h1 and stops that one before he is done, or tries again.
start_without_passwords() {
	local n serving

	for ((try = 0; try < 20; try++)); do
		n_ready h1
		n=$n_ready serving=$(n_serving)
		# shellcheck disable=SC2046 # a list of options
		ip netns exec h1 "$bin/fdpd" $(dirs h1) --password-file "$password" \
			--peer 172.31.0.2 >> "$work/h1.log" 2>&1 &
		daemon[h1]=$!
		# Before, the daemon waits to hear that the file is good.
		soon eval "[ \$(n_serving) != '$serving' ]"
		find_stretcher && kill -STOP "$child"
		# From here on nothing depends on who is faster.
		n_ready h1
		[ "$n_ready" != "$n" ] || { soon answers h1; return; }
		[ -z "$child" ] || kill -CONT "$child"
		fdpd_kill h1
	done 2> "$work/start.err"
	false
}
n_serving() { grep -c 'serving after ' "$work/h1.log"; }
is_stopped() { grep -q '^State:.*T' "/proc/$child/status"; }
# Nobody would ask for neighbours more than once a second.
forget_neighbours() {
	ip -n c3 neigh flush all
	ip -n c4 neigh flush all
}

fdpd_kill h1
start_without_passwords
case_ok 'started, its passwords not stretched' [ $? -eq 0 ]
forget_neighbours
case_ok 'a new flow is served' ns c3 ping -n -q -c 3 -i 0.2 -w 20 10.0.0.4
case_ok 'and one that comes in' ns c4 ping -n -q -c 3 -i 0.2 -w 20 10.0.0.3
case_ok 'before there are passwords' is_stopped
case_ok 'and a session' not meshed h1 1
ctl h1 reload > "$work/reload" &
reload=$!
sleep 0.5
case_ok 'a reload waits for them' kill -0 $reload
kill -CONT "$child"
case_ok 'which comes then' soon meshed h1 1
wait $reload
case_ok 'and so does the answer to the reload' [ $? -eq 0 ]
case_ok 'all goes on' ping_ok c3 10.0.0.4

# The control: without that file the new flow waits.
fdpd_kill h1
rm $peers
forget_neighbours
ns h1 ovs-dpctl del-flows fdp
start_without_passwords
case_ok 'started without the file' [ $? -eq 0 ]
case_ok 'a new flow waits' not ns c3 ping -n -q -c 3 -i 0.2 -w 2 10.0.0.4
kill -CONT "$child"
case_ok 'for the session' soon ping_ok c3 10.0.0.4

# The passwords cannot be stretched: that is an error of the start.
fdpd_kill h1
start_without_passwords
case_ok 'started again' [ $? -eq 0 ]
kill -KILL "$child"
wait "${daemon[h1]}"
case_ok 'without passwords the start fails' [ $? -eq 1 ]
case_ok 'and says why' grep -q 'the process that stretches the password died' "$work/h1.log"
unset 'daemon[h1]'
start 1
case_ok 'and connects when it has them' soon meshed h1 1
case_ok 'ping at last' soon ping_ok c3 10.0.0.4

wire_stop
case_ok 'not one plaintext packet' [ "$(wire_count remember "$vxlan")" = 0 ]
case_ok 'and many of ESP' [ "$(wire_count remember esp)" -gt 10 ]
finish
