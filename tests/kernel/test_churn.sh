#!/bin/bash
# Containers come and go, by detach and by the end of their namespace: nothing
# is left of them in the daemon, in the kernel and on the other host.
#
#    h1 ---- wire ---- h2
#    c1                c2
#    x                        comes and goes
#
# The long form: tests/kernel/all --rounds 1000 --timeout 3600 churn
#
# tier: uml
# timeout: 400
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/soak.sh"

rounds 12
hosts 2
fdpd h1 --password-file "$password" --peer 172.31.0.2
fdpd h2 --password-file "$password"
case_ok 'connected' soon meshed h1 1
box h1 c1 10.0.0.1/8
box h2 c2 10.0.0.2/8
case_ok 'ping' soon ping_ok c1 10.0.0.2

# Descriptors, ports as the daemon and as the kernel have them, what the other
# host knows, and flows that c1 and c2 do not need.
count() {
	local flows

	flows=$(ask h1 '.flows.installed - .flows.ahead' status)
	[ "$flows" -gt 60 ] || flows=few
	echo "$(ls "/proc/${daemon[h1]}/fd" | wc -l) descriptors," \
		"$(ask h1 '.ports | length' ports) ports," \
		"$(ip -n h1 -o link show type veth | grep -c ' fdp') links," \
		"$(ask h2 .endpoints.remote status) remote, $flows flows"
}
# Each time with another address: its neighbours keep the MAC of the one before.
n_come=0
come() {
	box h1 x "10.0.$((++n_come % 250 + 1)).3/8" && soon ns x ping -n -q -c 1 -W 2 10.0.0.2
}
go_by_detach() {
	ctl h1 detach --netns x > /dev/null && ip netns del x
}
none_left() {
	[ "$(ask h1 '[.ports[] | select(.netns == "/run/netns/x")] | length' ports)" = 0 ]
}
go_by_end() {
	ip netns del x && soon none_left
}
turns() { # N
	local i

	for ((i = 0; i < $1; i++)); do
		come || { echo "it does not come, turn $i"; return 1; }
		if [ $((i % 3)) -lt 2 ]; then
			go_by_detach
		else
			go_by_end
		fi || { echo "it does not go, turn $i"; return 1; }
	done
}
same() { # COUNTS
	echo "$(count), before: $1"
	[ "$(count)" = "$1" ]
}

case_ok 'it comes and goes' turns 6
before=$(count)
rss=$(rss_kib h1)
case_ok 'control: it comes' come
case_ok 'control: one more is seen' not same "$before"
case_ok 'control: it goes' go_by_detach
case_ok 'control: none is left' soon same "$before"
case_ok "$rounds times" turns "$rounds"
case_ok 'nothing is left' soon same "$before"
grown=$(($(rss_kib h1) - rss))
echo "# $before; RSS grew by $grown KiB"
case_ok 'memory has not grown' [ $grown -lt 1024 ]
case_ok 'the others go on' ping_ok c1 10.0.0.2
finish
