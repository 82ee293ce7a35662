# shellcheck shell=bash
# What the long-running scenarios share; source it after lib.sh.
#
#   rounds N            how often: $rounds is FDP_TEST_ROUNDS or else N
#   moment MS           somewhere in the next MS milliseconds
#   stream_begin NAME FROM TO HOST PORT RATE   numbered datagrams
#   tcp_begin NAME FROM TO HOST PORT RATE [N]  N blocks of a stream at once
#   ping_begin NAME FROM HOST ARG...           pings
#   traffic_end         ends all of them
#   stream_whole NAME   is nothing missing, of either kind?
#   plain_control       a case: such a recording sees VXLAN where there is some
#   traffic_report      what each of them counted, as comments
#
# Moments are drawn from $seed, which is FDP_TEST_SEED or new, and printed.
seed=${FDP_TEST_SEED:-$((RANDOM * 32768 + RANDOM))}
RANDOM=$seed
echo "# seed $seed"
tool=$(dirname "${BASH_SOURCE[0]}")/traffic
rounds=

rounds() { # DEFAULT
	rounds=${FDP_TEST_ROUNDS:-$1}
	echo "# $rounds rounds"
}

moment() { # MS
	local ms=$((RANDOM % $1))

	sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
}

senders=() sinks=()
pair_begin() { # KIND NAME FROM TO HOST PORT RATE
	local kind=$1 name=$2

	ip netns exec "$4" "$tool" "$kind-sink" "$6" > "$work/$name.sink" 2>&1 &
	sinks+=($!)
	soon grep -q ready "$work/$name.sink"
	ip netns exec "$3" "$tool" "$kind-send" "${@:5}" > "$work/$name.send" 2>&1 &
	senders+=($!)
}
stream_begin() {
	pair_begin udp "$@"
}
tcp_begin() {
	pair_begin tcp "$@"
}
ping_begin() { # NAME FROM HOST ARG...
	ip netns exec "$2" ping -n "${@:4}" "$3" > "$work/$1.ping" 2>&1 &
	pingers+=($!)
}
pingers=()

traffic_end() {
	if [ ${#pingers[@]} -gt 0 ]; then
		kill -INT "${pingers[@]}" 2> /dev/null
		wait "${pingers[@]}"
	fi
	if [ ${#senders[@]} -gt 0 ]; then
		kill -TERM "${senders[@]}"
		wait "${senders[@]}"
		sleep 0.5
		kill -TERM "${sinks[@]}" 2> /dev/null
		wait "${sinks[@]}"
	fi
	pingers=() senders=() sinks=()
}

stream_whole() { # NAME
	"$tool" compare "$work/$1.send" "$work/$1.sink"
}

traffic_report() {
	local file

	for file in "$work"/*.send "$work"/*.sink; do
		[ ! -f "$file" ] || echo "# $(basename "$file"): $(tail -n 1 "$file")"
	done
	for file in "$work"/*.ping; do
		[ ! -f "$file" ] || echo "# $(basename "$file"): $(grep -a transmitted "$file")"
	done
}

# The positive control, last: what such a recording shows without a password.
plain_control() {
	local h

	for h in h1 h2; do
		fdpd_kill $h
		ctl $h reset > /dev/null
	done
	wire_record control
	fdpd h2
	fdpd h1 --peer 172.31.0.2
	for h in 1 2; do
		ip netns del c$h
		box h$h c$h 10.0.0.$h/24
	done
	soon ping_ok c1 10.0.0.2
	wire_stop
	case_ok 'control: without a password it would be seen' wire_some control 3 "$vxlan"
}

# XFRM error counters that are not zero, as a comment.
xfrm_report() { # H
	echo "# $1 $(ns "$1" awk '$2 { printf "%s=%s ", $1, $2 }' /proc/net/xfrm_stat)"
}

n_sas() { # H
	ns "$1" ip xfrm state count | awk '{ print $NF }'
}
rss_kib() { # H
	awk '/^VmRSS/ { print $2 }' "/proc/${daemon[$1]}/status"
}
