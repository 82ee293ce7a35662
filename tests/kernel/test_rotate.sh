#!/bin/bash
# Another password while everything runs: three hosts, any order of the steps,
# pings in all directions, not one lost, nobody outside, no plaintext.
#
#    h1 ---- h2        h2 dials h1, h3 dials both, h1 dials h3 as well
#      \    /          c1, c2, c3: a container on each
#       wire
#        |
#       h3
#
# tier: uml
# timeout: 600
. "$(dirname "$0")/lib.sh"

umask 077
old='the old password of ours'
new='a new password of ours'
hosts 3
for h in h1 h2 h3; do echo "$old" > "$work/$h.password"; done
wire_record rotate
fdpd h1 --password-file "$work/h1.password" --peer 172.31.0.3
fdpd h2 --password-file "$work/h2.password" --peer 172.31.0.1
fdpd h3 --password-file "$work/h3.password" --peer 172.31.0.1 --peer 172.31.0.2
for h in h1 h2 h3; do case_ok "$h is connected to both" soon meshed $h 2; done
for i in 1 2 3; do box h$i c$i 10.0.0.$i/24; done

# step H HOW LINE...: these are the passwords of host H now.
step() {
	local h=$1 how=$2 lines

	shift 2
	printf '%s\n' "$@" > "$work/$h.password"
	lines=$(reloads "$h")
	if [ "$how" = command ]; then
		# A slow guest may take longer than fdpctl has patience.
		ctl "$h" reload || soon more_reloads "$h" "$lines"
	else
		kill -HUP "${daemon[$h]}"
		soon more_reloads "$h" "$lines"
	fi
}
reloads() { grep -cE 'the passwords (have changed|are the same)' "$work/$1.log"; }
more_reloads() { [ "$(reloads "$1")" -gt "$2" ]; }
add() { step "$1" "$2" "$3" "$4"; }
swap() { step "$1" "$2" "$4" "$3"; }
remove() { step "$1" "$2" "$4"; }

# Does every session of H use the first password?
on_first() {
	[ "$(ask "$1" '.password | "\(.first) \(.second | length) \(.removed | length)"' status)" = '2 0 0' ]
}
pings=()
flood_begin() { # every 50 ms, each to each
	local i j

	pings=()
	for i in 1 2 3; do
		for j in 1 2 3; do
			[ $i != $j ] || continue
			ping_ok c$i 10.0.0.$j > /dev/null || echo "# c$i does not reach c$j"
			ip netns exec c$i ping -n -i 0.05 10.0.0.$j \
				> "$work/ping.$i.$j" 2>&1 &
			pings+=($!)
		done
	done
}
flood_end() { # NAME
	sleep 0.5
	kill -INT "${pings[@]}"
	wait "${pings[@]}"
	grep -h transmitted "$work"/ping.?.? | sed 's/^/# /'
	case_ok "$1: not one ping lost" all_back
}
# No answer is missing before the last one; what was on its way when ping was
# told to stop does not count.
all_back() {
	local file

	for file in "$work"/ping.?.?; do
		sed -nE 's/.*icmp_seq=([0-9]+) ttl.*/\1/p' "$file" | sort -nu |
			awk -v file="$file" '$1 != ++n { print file ": " n " is missing"; n = $1; bad = 1 }
				END { exit bad || n < 20 }' || return
	done
}

# rotate NAME HOW FROM TO STEP...: each step is the first letter and the host.
rotate() {
	local name=$1 how=$2 from=$3 to=$4 s h ok=1

	shift 4
	flood_begin
	for s in "$@"; do
		h=h${s:1}
		case $s in
		a*) add $h $how "$from" "$to" ;;
		s*) swap $h $how "$from" "$to" ;;
		r*) remove $h $how "$from" "$to" ;;
		esac || { echo "# step $s failed"; ok=0; }
		sleep 0.2
	done > "$work/steps.txt" 2>&1
	[ $ok = 1 ] || cat "$work/steps.txt"
	case_ok "$name: every step is taken" [ $ok = 1 ]
	for h in h1 h2 h3; do
		case_ok "$name: $h uses the new password alone" soon on_first $h
		case_ok "$name: $h is connected to both" soon meshed $h 2
	done
	flood_end "$name"
}

rotate 'by the book, by signal' signal "$old" "$new" a1 a2 a3 s1 s2 s3 r1 r2 r3
rotate 'one host late, backwards' command "$new" "$old" a3 s3 a2 s2 a1 r3 r2 s1 r1
rotate 'ahead of the last' command "$old" "$new" a1 a3 s1 r1 s3 r3 a2 s2 r2

# No secret is where it should not be.
case_ok 'no password in a log' not grep -qE "$old|$new" "$work"/h?.log
wire_stop
case_ok 'not one plaintext packet' wire_none rotate "$esp_only"
case_ok 'ESP was there' wire_some rotate 1000 esp
finish
