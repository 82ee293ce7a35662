#!/bin/bash
# Hundreds of connections that say nothing, a byte a second or half of a handshake,
# that reset, that try passwords, and peers that come and go: those who are there
# go on, a new one gets in, and what it costs has bounds.
#
#    h1 ---- wire ---- h2        the one that is attacked, and its peer
#    c1        |       c2
#        h3, h4, h5, h6          from many addresses; a new peer; one that comes
#                                and goes; one with another password
#
# The control connection is the same with the kernel's datapath as without.
#
# tier: bare
# timeout: 150
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/soak.sh"

overlay=sleeve
others=40 # addresses of strangers
strangers=$(dirname "$0")/strangers

attackers=()
fds() {
	find "/proc/${daemon[h1]}/fd" -type l | wc -l
}
attack() { # KIND N
	ip netns exec h3 "$strangers" 172.31.0.1 6783 "$@" "${addresses[@]}" > "$work/$1.strangers" &
	attackers+=($!)
	soon grep -q ready "$work/$1.strangers"
}
sum() { # KEY: of all of them
	sed -n "s/.*$1=\([0-9]*\).*/\1/p" "$work"/*.strangers | paste -sd+ | bc
}
established() { # N
	[ "$(ask h1 '[.connections[] | select(.state == "established")] | length' connections)" = "$1" ]
}

hosts 6
addresses=()
for ((i = 1; i <= others; i++)); do
	ip -n h3 addr add 172.31.0.$((100 + i))/24 dev u0
	addresses+=(172.31.0.$((100 + i)))
done
peer() { # H
	fdpd "$1" --password-file "$password" --peer 172.31.0.1
}
fdpd h1 --password-file "$password"
peer h2
case_ok 'connected' soon established 1
one=$(fds)
peer h5
case_ok 'to another one, too' soon established 2
two=$(fds)
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
case_ok 'ping' soon ping_ok c1 10.0.0.2
fds=$(fds) rss=$(rss_kib h1) lines=$(wc -l < "$work/h1.log")
wire_record tries 'src host 172.31.0.4 and tcp[tcpflags] & (tcp-syn | tcp-ack) == tcp-syn and dst host 172.31.0.1'

begin=${EPOCHREALTIME/./}
ping_begin there c1 10.0.0.2 -i 0.05
ping_begin back c2 10.0.0.1 -i 0.05
attack silent 200
attack slow 200
attack half 200
attack wrong 200
attack reset 20
# Half-way in are 64 at most; of those that were sent away 128 may stay until
# the other end has closed (kmod-glue/tcp.h).
most=$((fds + 64 + 128 + 8))
bounded() {
	echo "$(fds) descriptors, before: $fds"
	[ "$(fds)" -le $most ]
}
crowded() {
	[ "$(fds)" -ge $((fds + 64)) ]
}
case_ok 'there is a crowd' soon crowded
case_ok 'descriptors are bounded' bounded

# A peer that nobody knows yet; one that is known, whose daemon is killed again and
# again; and one that means well, with another password.
(umask 077 && echo 'not the password at all' > "$work/other")
fdpd h6 --password-file "$work/other" --peer 172.31.0.1
peer h4
case_ok 'a new peer gets in' soon established 3
wire_stop
n=$(wire_count tries tcp)
case_ok "with a few tries ($n)" [ "$n" -ge 1 -a "$n" -le 10 ]
for i in 1 2 3; do
	fdpd_kill h5
	peer h5
done
case_ok 'one that comes and goes is in again' soon established 3
other() {
	[ "$(ask h6 '.connections[0].reason' connections)" = wrong-password ]
}
case_ok 'the other password is refused, and known for what it is' soon other
case_ok 'descriptors are still bounded' bounded
fdpd_kill h6

kill "${attackers[@]}"
wait "${attackers[@]}"
took=$((${EPOCHREALTIME/./} - begin))
sed 's/^/# /' "$work"/*.strangers | grep connected
echo "# in $((took / 1000)) ms: $(sum connected) connections, $(sum answered) second frames"
case_ok 'hundreds at a time' [ "$(sum most)" -ge 500 ]
# What costs is the answer: 40 strangers at once, and 20 a second.
case_ok 'what they cost is bounded' [ "$(sum answered)" -le $((50 + took / 40000)) ]
traffic_end
traffic_report
case_ok 'pings there: none lost' pings_whole "$work/there.ping"
case_ok 'pings back: none lost' pings_whole "$work/back.ping"
case_ok 'nor was a session' [ "$(grep -c 'tunnel to h2 is up' "$work/h1.log")" = 1 ]
lines=$(($(wc -l < "$work/h1.log") - lines))
echo "# $lines lines of log"
case_ok 'the log is not flooded' [ $lines -le $((100 + took / 1000000)) ]
as_before() { # The new peer is there.
	echo "$(fds) descriptors, before: $fds, for a peer: $((two - one))"
	[ "$(fds)" = $((fds + two - one)) ]
}
case_ok 'their descriptors go' soon as_before
grown=$(($(rss_kib h1) - rss))
echo "# RSS grew by $grown KiB"
case_ok 'memory is bounded' [ $grown -le 4096 ]
case_ok 'all is well' soon ctl h1 status
finish
