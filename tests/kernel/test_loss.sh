#!/bin/bash
# The control of all who say that nothing was lost (storm, rounds, restarts,
# rotations): a cable that is out for half a second, and each check sees it.
#
#    h1 ---- wire --x- h2
#    c1                c2        floods of pings, datagrams, TCP
#
# tier: uml
# timeout: 200
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/soak.sh"

hosts 2
fdpd h1 --password-file "$password" --peer 172.31.0.2
fdpd h2 --password-file "$password"
case_ok 'connected' soon meshed h1 1
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
case_ok 'ping' soon ping_ok c1 10.0.0.2
case_ok 'ping back' soon ping_ok c2 10.0.0.1

begin() { # N
	ping_begin "flood$1" c1 10.0.0.2 -i 0.005
	ping_begin "there$1" c1 10.0.0.2 -i 0.02
	stream_begin "udp$1" c1 c2 10.0.0.2 "700$1" 100
	tcp_begin "tcp$1" c1 c2 10.0.0.2 "701$1" 50
	sleep 1
}

begin 1
sleep 2
traffic_end
case_ok 'an intact cable: no datagram lost' stream_whole udp1
case_ok 'no ping' pings_whole "$work/there1.ping"
case_ok 'none of a flood' pings_whole "$work/flood1.ping"
case_ok 'TCP is whole' stream_whole tcp1

begin 2
ip link set w2 down
sleep 0.5
ip link set w2 up
sleep 2
traffic_end
traffic_report
case_ok 'a cable that was out: the check of datagrams sees it' not stream_whole udp2
case_ok 'that of pings, too' not pings_whole "$work/there2.ping"
case_ok 'that of floods, too' not pings_whole "$work/flood2.ping"
case_ok 'TCP has mended it' stream_whole tcp2
# What TCP cannot mend is an end that is missing: this sink is another stream's.
cp "$work/tcp1.sink" "$work/tcp2.sink"
case_ok 'the check of TCP sees a stream cut short' not stream_whole tcp2
finish
