# shellcheck shell=bash
# What test_rotate.sh and test_rotate_four.sh share: steps of a change of
# password, and pings from each container ci to each other one meanwhile.  They
# set
#
#   n_hosts            hosts h1 to hN, with a container each
: "${n_hosts:=0}"

umask 077
old='the old password of ours'
new='a new password of ours'

# Starts host H with the old password.
rotor() { # H ARG...
	echo "$old" > "$work/$1.password"
	fdpd "$1" --password-file "$work/$1.password" "${@:2}"
}

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
	[ "$(ask "$1" '.password | "\(.first) \(.second | length) \(.removed | length)"' status)" = "$((n_hosts - 1)) 0 0" ]
}
pings=()
flood_begin() { # every 50 ms, each to each
	local i j

	pings=()
	for ((i = 1; i <= n_hosts; i++)); do
		for ((j = 1; j <= n_hosts; j++)); do
			[ $i != $j ] || continue
			soon ns c$i ping -q -c 1 -W 1 10.0.0.$j || echo "# c$i does not reach c$j"
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
all_back() {
	local file

	for file in "$work"/ping.?.?; do
		pings_whole "$file" || { echo "$file"; return 1; }
	done
}

# rotate NAME HOW FROM TO STEP...: each step is the first letter and the host.
rotate() {
	local name=$1 how=$2 from=$3 to=$4 i s h ok=1

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
	for ((i = 1; i <= n_hosts; i++)); do
		case_ok "$name: h$i uses the new password alone" soon on_first h$i
		case_ok "$name: h$i is connected to all" soon meshed h$i $((n_hosts - 1))
	done
	flood_end "$name"
}

rotations_end() {
	# No secret is where it should not be.
	case_ok 'no password in a log' not grep -qE "$old|$new" "$work"/h?.log
	wire_stop
	case_ok 'not one plaintext packet' wire_none rotate "$esp_only"
	case_ok 'ESP was there' wire_some rotate 1000 esp
	finish
}
