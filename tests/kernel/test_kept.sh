#!/bin/bash
# What no flow is for, while the daemon is dead: anybody can have it sent to him,
# but not where a service manager has kept the sockets.
#
#    h1 --- c1, c2       fdpd by itself
#    h1 --- c3, c4       fdpd under manager.py
#
# tier: uml
# timeout: 200
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
state=/run/manager

hosts 1
keys_stop # There are none.
rm -f "$work"/keys.*

port_ids() { ns h1 awk '$2 == 16 && $3 { print $3 }' /proc/net/netlink; }
steal() { # CONTAINER: what a thief gets when that sends
	local pid

	# shellcheck disable=SC2086 # a list
	ns h1 python3 "$here/thief.py" 5 $ids > "$work/thief" &
	pid=$!
	within 60 grep -q took "$work/thief"
	ns "$1" ping -n -q -c 2 -i 0.2 -W 1 10.0.0.77 > /dev/null
	wait $pid
	cat "$work/thief"
}
at_least_one() { grep -q "^$1 [1-9]" "$work/thief"; }
none() { grep -q "^$1 0$" "$work/thief"; }

# ---- by itself: the positive control
fdpd h1
box h1 c1 10.0.0.1/24
box h1 c2 10.0.0.2/24
ids=$(port_ids)
fdpd_kill h1
steal c1
case_ok 'by itself: anybody may take a port id of the dead' at_least_one took
case_ok 'by itself: and gets what a container sends' at_least_one got
ctl h1 reset > /dev/null

# ---- under a manager
kept() { sort "$state/kept"; }
n_kept() { [ "$(kept | wc -l)" -eq "$1" ]; }
ready() { # N: so often
	within 240 was_ready h1 "$1" && within 120 answers h1
}
mkdir "$state"
n_ready h1
n=$n_ready
# shellcheck disable=SC2046 # a list of options
ip netns exec h1 python3 "$here/manager.py" "$state" "$bin/fdpd" $(dirs h1) >> "$work/h1.log" 2>&1 &
manager=$!
case_ok 'managed: ready' ready $((n + 1))
box h1 c3 10.0.0.3/24
box h1 c4 10.0.0.4/24
# Of c3, c4, the tunnel, the host's own port, and the one of all.
case_ok 'managed: the socket of each port is kept' soon n_kept 5
before=$(kept)
ids=$(port_ids)
kill -KILL "$(cat "$state/pid")"
case_ok 'managed: the daemon is dead' soon not answers h1
steal c3
case_ok 'managed: nobody gets what a container sends' none got
kill -USR1 $manager
case_ok 'managed: ready again' ready $((n + 2))
same() { [ "$(comm -12 <(echo "$before") <(kept) | wc -l)" -eq 4 ]; }
case_ok 'managed: each port has its socket back' same
case_ok 'managed: no other is kept' n_kept 5
case_ok 'managed: and is served' soon ping_ok c3 10.0.0.4
ctl h1 detach --netns c4 > /dev/null
case_ok 'managed: that of a port that goes is not kept' soon n_kept 4
kill -TERM $manager
wait $manager
finish
