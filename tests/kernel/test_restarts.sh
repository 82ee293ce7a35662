#!/bin/bash
# One restart after the other, by SIGTERM and by kill -9 in turn: flows that are
# there lose nothing, their SAs stay until the new session brings others, and
# what is new waits for the daemon alone.
#
#    h1 ---- wire ---- h2        both dial each other; h1 and h2 restart in turn
#    c1, c3            c2, c4    c1 and c2: pings, datagrams, TCP, both ways
#                                c3 begins to talk while the daemon is dead
#
# The long form: tests/kernel/all --rounds 100 --timeout 1800 restarts.
#
# tier: uml
# timeout: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/soak.sh"

rounds 4

# With milliseconds in the log.
start() { fdpd h"$1" '-vPATTERN:console:%D{%s.###}|%m' --password-file "$password" --peer "172.31.0.$((3 - $1))"; }
spi_out() { ns "h$1" ip xfrm policy | awk '/spi 0x/ { print $4 }'; }

hosts 2
start 1
start 2
case_ok 'connected' soon meshed h1 1
box h1 c1 10.0.0.1/24
box h1 c3 10.0.0.3/24
box h2 c2 10.0.0.2/24
box h2 c4 10.0.0.4/24
declare -A ifname=()
for h in h1 h2; do
	while read -r key value; do
		ifname[$key]=$value
	done < <(ask $h '.ports[] | "\(.netns | sub(".*/"; "")) \(.host_ifname)"' ports)
done
case_ok 'ping' soon ping_ok c1 10.0.0.2
case_ok 'ping back' soon ping_ok c2 10.0.0.1
case_ok 'and from the others' soon ping_ok c3 10.0.0.4
# They know each other for good: the kernel would ask for a neighbour but once a
# second, which is not the wait that is measured.
mac() { ns "$1" cat /sys/class/net/eth0/address; }
ip -n c3 neigh replace 10.0.0.4 lladdr "$(mac c4)" nud permanent dev eth0
ip -n c4 neigh replace 10.0.0.3 lladdr "$(mac c3)" nud permanent dev eth0
wire_record restarts
# Not so much that the daemon has to wait for its turn.
ping_begin there c1 10.0.0.2 -i 0.05
ping_begin back c2 10.0.0.1 -i 0.05
stream_begin udp-there c1 c2 10.0.0.2 7001 20
stream_begin udp-back c2 c1 10.0.0.1 7002 20
tcp_begin tcp-there c1 c2 10.0.0.2 7003 10
tcp_begin tcp-back c2 c1 10.0.0.1 7004 10
sleep 1

# The flows between c3 and c4 go, as idle ones do; so they are new.
forget_flows() { # N CONTAINER
	local ufid

	ns h"$1" ovs-dpctl -m dump-flows fdp | grep "in_port(${ifname[$2]})" |
		grep -o 'ufid:[0-9a-f-]*' | while read -r ufid; do
		ns h"$1" ovs-dpctl del-flow fdp "$ufid"
	done
}
# Milliseconds that the first of c3's packets to get through waited since the new
# daemon was begun.
waits=$work/waits.txt
: > "$waits"
now_ms() { date +%s%3N; }
# When the daemon served, the flow was answered, and the passwords were there, in
# milliseconds since the daemon was begun.
when() { # H
	awk -F'|' -v begin="$begin" -v flow="$(tail -n 1 "$waits")" '
		/\|serving after / { serving = $1 * 1000 - begin }
		/\|ready after / { ready = $1 * 1000 - begin }
		END { printf "# new flow: served from %d ms on, answered after %d ms, passwords after %d ms\n",
			serving, flow, ready }' "$work/$1.log"
}
changed=0 unknown=0
for ((round = 1; round <= rounds; round++)); do
	n=$((1 + round % 2))
	box=c$((n == 1 ? 3 : 4)) to=10.0.0.$((n == 1 ? 4 : 3))
	spi=$(spi_out $n)
	peer_spi=$(spi_out $((3 - n)))
	if [ $((round % 4)) -lt 2 ]; then
		fdpd_kill h$n TERM
	else
		fdpd_kill h$n
	fi
	forget_flows $n $box
	moment 300
	# What is there is as it was.
	[ "$(spi_out $n)" = "$spi" ] && [ "$(spi_out $((3 - n)))" = "$peer_spi" ] ||
		changed=$((changed + 1))
	begin=$(now_ms)
	(
		ns $box ping -n -q -c 1 -i 0.02 -w 90 $to > /dev/null || exit
		echo $(($(now_ms) - begin)) >> "$waits"
	) &
	new=$!
	start $n
	wait $new
	soon meshed h$n 1 || unknown=$((unknown + 1))
	when "h$n" >> "$work/when.txt"
	soon eval "[ \"\$(spi_out $n)\" != '$spi' ]" || unknown=$((unknown + 1))
done 2> "$work/rounds.err"
case_ok 'SAs in use stay as they are while nobody is there' [ $changed -eq 0 ]
case_ok 'each new daemon connects and brings new ones' [ $unknown -eq 0 ]
traffic_end
traffic_report
for name in udp-there udp-back tcp-there tcp-back; do
	case_ok "$name: nothing lost" stream_whole $name
done
case_ok 'pings there: none lost' pings_whole "$work/there.ping"
case_ok 'pings back: none lost' pings_whole "$work/back.ping"
case_ok 'every new flow came through' [ "$(wc -l < "$waits")" = "$rounds" ]
# What the daemons say of it, and when they had a tunnel, counted from when they
# were ready.  The first start of either waits for the guard, the others do not.
awk -F'|' '
	FNR == 1 { n = 0 }
	/\|serving after / { match($2, /after [0-9]+/); serving = substr($2, RSTART + 6, RLENGTH - 6) }
	/\|ready after / { match($2, /after [0-9]+/); ready = substr($2, RSTART + 6, RLENGTH - 6); at = $1 }
	/\|tunnel to .* is up/ && at {
		printf "# %s: serving after %d ms, ready after %d ms, tunnel %.0f ms later\n",
			n++ ? "restart" : "start", serving, ready, ($1 - at) * 1000
		at = 0
	}' "$work/h1.log" "$work/h2.log"
cat "$work/when.txt"
echo "# new flows waited, ms from the daemon's start: $(sort -n "$waits" | awk '{ v[NR] = $1 }
	END { print "least", v[1], "median", v[int((NR + 1) / 2)], "most", v[NR] }')"
xfrm_report h1
xfrm_report h2
wire_stop
case_ok 'no sequence number was used twice' "$tool" esp "$work/restarts.pcap"
echo "# $("$tool" esp "$work/restarts.pcap")"
case_ok 'not one plaintext packet' wire_none restarts "$esp_only"
case_ok 'all is healthy' soon ctl h1 status
finish
