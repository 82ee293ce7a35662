#!/bin/bash
# What an operator sees of a password that changes: status, connections, files
# that are refused, and a host that was not told.
#
#    h1 ---- wire ---- h2, h3        h1 dials h2, h3 dials both
#    c1                c2, c3
#
# tier: uml
# timeout: 300
. "$(dirname "$0")/lib.sh"

umask 077
old='the old password of ours'
new='a new password of ours'
hosts 3
for h in h1 h2 h3; do echo "$old" > "$work/$h.password"; done
fdpd h1 --password-file "$work/h1.password" --peer 172.31.0.2
fdpd h2 --password-file "$work/h2.password"
fdpd h3 --password-file "$work/h3.password" --peer 172.31.0.1 --peer 172.31.0.2
for h in h1 h2 h3; do case_ok "$h is connected to both" soon meshed $h 2; done
for i in 1 2 3; do box h$i c$i 10.0.0.$i/24; done
case_ok 'ping' soon ping_ok c1 10.0.0.2

# step LINE...: these are the passwords of h1 now.
step() {
	local lines

	lines=$(reloads)
	printf '%s\n' "$@" > "$work/h1.password"
	# A slow guest may take longer than fdpctl has patience.
	ctl h1 reload > /dev/null || soon more_reloads "$lines"
}
reloads() { grep -cE 'the passwords (have changed|are the same)' "$work/h1.log"; }
more_reloads() { [ "$(reloads)" -gt "$1" ]; }
slots() { ask "$1" '[.connections[].slot] | sort | tostring' connections; }
has_slots() { [ "$(slots "$1")" = "$2" ]; }

step "$old" "$new"
case_ok 'with a second password status has a line' grep -q '^password .*2 of 2 peers' <(ctl h1 status)
case_ok 'all sessions on the first' has_slots h1 '[0,0]'
step "$new" "$old"
case_ok 'after the swap both on the second' soon has_slots h1 '[1,1]'
case_ok 'status names them' grep -qE '^password .*0 of 2 peers; the second with (h2, h3|h3, h2)' <(ctl h1 status)
case_ok 'connections show it' grep -q 'yes, 2nd' <(ctl h1 connections)
step "$old"
case_ok 'and back' soon has_slots h1 '[0,0]'

# A file that cannot be used changes nothing.
before=$(ask h1 '[.peers[] | .spi_in, .spi_out] | tostring' peers)
refused() { # NAME TEXT
	local status=0

	ctl h1 reload > "$work/refused.txt" 2>&1 || status=$?
	case_ok "$1 is refused" [ $status = 1 ]
	case_ok "$1: one line says why" grep -q "$2" "$work/refused.txt"
	case_ok "$1: it is one line" [ "$(wc -l < "$work/refused.txt")" = 1 ]
}
chmod 644 "$work/h1.password"
refused 'a file that others can read' 'chmod 600'
chmod 600 "$work/h1.password"
echo short > "$work/h1.password"
refused 'a short password' 'fewer than 12 bytes'
: > "$work/h1.password"
refused 'an empty file' 'is empty'
printf '%s\n' "$old" "$new" 'a third password' > "$work/h1.password"
refused 'a file of three lines' 'more than 2 lines'
rm "$work/h1.password"
refused 'no file at all' 'No such file'
said() { [ "$(grep -c 'stay as they are' "$work/h1.log")" = "$1" ]; }
kill -HUP "${daemon[h1]}"
case_ok 'the signal says so in the log' soon said 6
echo "$old" > "$work/h1.password"
case_ok 'the same password again' grep -q 'the same as before' <(ctl h1 reload)
case_ok 'nothing has changed in all this' [ "$(ask h1 '[.peers[] | .spi_in, .spi_out] | tostring' peers)" = "$before" ]
case_ok 'everybody is there' soon meshed h1 2

# Who is not told is cut off after a minute, and is back when he is.
step "$new"
case_ok 'a session of a removed password goes on for a while' ping_ok c1 10.0.0.2
case_ok 'connections show that it is an old one' grep -q 'yes, old' <(ctl h1 connections)
sleep 60
case_ok 'after a minute its tunnel is gone' soon not ping_ok c1 10.0.0.2
no_sas() { [ "$(ns h1 ip xfrm state | grep -c '^src')" = 0 ]; }
case_ok 'with its SAs' soon no_sas
wire_record cut
not ping_ok c1 10.0.0.2 > /dev/null
not ping_ok c2 10.0.0.1 > /dev/null
wire_stop
case_ok 'and nothing of it leaves h1' wire_none cut "(esp or $vxlan) and src host 172.31.0.1"
case_ok 'the others go on' ping_ok c2 10.0.0.3
step "$old"
case_ok 'h1 is back' soon meshed h1 2
case_ok 'and its container' soon ping_ok c1 10.0.0.2

# Without a password.
plain_reload() {
	fdpd_kill h2
	ctl h2 reset > /dev/null
	fdpd h2
	! ctl h2 reload > "$work/plain.txt" 2>&1 && grep -q 'runs without a password' "$work/plain.txt"
}
plain_reload; status=$?
case_ok 'a host without a password has nothing to reload' [ $status = 0 ]
finish
