#!/bin/bash
# Everything that must be refused at the start or by a command: one line that
# says what to do, a non-zero exit status, and nothing half-made.
#
#    h1        alone
#
# tier: uml
# timeout: 200
. "$(dirname "$0")/lib.sh"

hosts 2
p=(--password-file "$password")

# Nothing of ours in the kernel?  After a failed start the block policies of an
# encrypted run may stay: they only close.
untouched() {
	! ns h1 ip -o link show dev fdp && ! ns h1 ip -o link show dev vxlan-6784 &&
		! pgrep -f "[f]dpd --name h1"
} 2> /dev/null

refused() { # TEXT ARG...: does fdpd refuse to start, and say TEXT in one line?
	local text=$1 out status

	shift
	out=$(fdpd_try h1 "$@" 2>&1)
	status=$?
	out=$(printf '%s\n' "$out" | grep -v '|INFO|' | grep -v '|WARN|')
	echo "exit status $status: $out"
	[ $status -ne 0 ] && [ $status -ne 124 ] || return 1
	[ "$(printf '%s\n' "$out" | wc -l)" -le 2 ] || return 1
	printf '%s' "$out" | grep -qiE "$text" || return 1
	# Its agent ends a moment later.
	soon untouched
}

case_ok 'no such password file' refused 'no such file|not found|cannot' --password-file /run/nothing
cp "$password" /run/readable
chmod 644 /run/readable
case_ok 'password file for all to read' refused 'chmod|permission|readable' --password-file /run/readable
(umask 077 && echo short > /run/short)
case_ok 'short password' refused '12' --password-file /run/short
(umask 077 && : > /run/empty)
case_ok 'empty password file' refused 'empty|password' --password-file /run/empty
ln -s "$password" /run/link
case_ok 'password file is a link' refused 'link' --password-file /run/link
in_environment() { FDP_PASSWORD=secretsecret refused 'FDP_PASSWORD' "${p[@]}"; }
case_ok 'FDP_PASSWORD in the environment' in_environment
case_ok 'unknown option' refused 'nonsense' --nonsense
echo 'nonsense = 1' > /run/config
case_ok 'unknown key in the configuration' refused 'nonsense' --config /run/config
case_ok 'a peer that is no address' refused 'peer' "${p[@]}" --peer 1.2.3.4.5
case_ok 'a port out of range' refused 'port' "${p[@]}" --port 70000

ns h1 ovs-dpctl add-dp fdp
out=$(fdpd_try h1 "${p[@]}" 2>&1)
status=$?
foreign() { [ $status -ne 0 ] && printf '%s' "$out" | grep -q 'fdp' && ns h1 ovs-dpctl dump-dps | grep -q 'fdp$'; }
case_ok 'a datapath of that name that is not ours' foreign
case_ok 'it was not touched' [ "$(ns h1 ovs-dpctl show | grep -c '  port ')" = 1 ]
ns h1 ovs-dpctl del-dp fdp
sleep 0.5

ns h1 ip link add taken type vxlan dstport 6784 external
ns h1 ip link set taken up
case_ok 'UDP 6784 is taken by a tunnel' refused '6784' "${p[@]}"
ns h1 ip link del taken
ip netns exec h1 nc -u -l 6784 > /dev/null &
nc=$!
soon listens h1 6784 -u
case_ok 'UDP 6784 is taken by a program' refused '6784' "${p[@]}"
kill $nc
ip netns exec h1 nc -l 6783 > /dev/null &
nc=$!
soon listens h1 6783
case_ok 'TCP 6783 is taken' refused '6783' "${p[@]}"
kill $nc

# Commands of a running daemon.
fdpd h1 "${p[@]}" --peer 172.31.0.1 --peer 172.31.0.2
ip netns add c1
before() { ns h1 ip -o link | grep -c ' fdp'; }
links=$(before)
denied() { # TEXT COMMAND...
	local text=$1 out status

	shift
	out=$(ctl h1 "$@" 2>&1)
	status=$?
	echo "exit status $status: $out"
	[ $status -eq 1 ] && [ "$(printf '%s\n' "$out" | wc -l)" -eq 1 ] &&
		printf '%s' "$out" | grep -qiE "$text" && [ "$(before)" = "$links" ]
}
case_ok 'a second daemon on the same host' not fdpd_try h1 "${p[@]}"
case_ok 'a namespace that does not exist' denied 'nothere' attach --netns nothere --address 10.0.0.1/24
case_ok 'an address that is none' denied 'address' attach --netns c1 --address 10.0.0.300/24
case_ok 'a multicast address' denied 'multicast|address' attach --netns c1 --address 224.0.0.1/24
case_ok 'attach works' ctl h1 attach --netns c1 --address 10.0.0.1/24
links=$(before)
ip netns add c2
case_ok 'an address that is attached already' denied 'already' attach --netns c2 --address 10.0.0.1/24
case_ok 'an interface that is attached already' denied 'already' attach --netns c1 --address 10.0.0.9/24
ns c2 ip link add eth0 type dummy
case_ok 'an interface name that is taken in the namespace' denied 'eth0' attach --netns c2 --address 10.0.0.2/24
case_ok 'detaching what is not attached' denied 'not attached' detach --netns c2
case_ok 'forgetting whom nobody knows' denied 'no peer' forget 192.0.2.1
case_ok 'connecting to nonsense' denied 'address' connect nonsense.
case_ok 'an unknown command' not ctl h1 frobnicate
case_ok 'an unknown option of a command' not ctl h1 status --frobnicate
self() { [ "$(ask h1 '[.connections[] | select(.reason == "self")] | length' connections)" -ge 1 ]; }
case_ok 'a connection to ourselves is recognised' soon self
silent() { [ "$(ask h1 '[.connections[] | select(.state == "retrying" and .reason == "dial-failed")] | length' connections)" = 1 ]; }
case_ok 'a peer that is not there is being retried' soon silent
case_ok 'status is degraded, exit status 2' eval 'ctl h1 status > /dev/null; [ $? -eq 2 ]'
case_ok 'an IPv6 address is attached' ctl h1 detach --netns c1
gone() { [ "$(before)" = "$((links - 1))" ] && ! ns c1 ip link show eth0; }
case_ok 'detach removes the interface' soon gone

# Garbage on the control port.
garbage() { # BYTES
	ns h2 bash -c "printf '$1' > /dev/tcp/172.31.0.1/6783" 2> /dev/null
	soon rejected
}
rejected() {
	[ "$(ask h1 '[.connections[] | select(.direction == "in" and .state == "failed")] | length' connections)" -ge 1 ]
}
case_ok 'wrong magic' garbage 'GET / HTTP/1.0\r\n\r\n'
case_ok 'an oversized frame' garbage '\xff\xff\x00\x00'
case_ok 'a truncated frame' garbage '\x00\x4cFDP1'
case_ok 'fdpd is alive' answers h1
finish
