#!/bin/bash
# Two hosts that do without the kernel's datapath: all that works with it works.
#
#    h1 172.31.0.1 ---- wire ---- 172.31.0.2 h2        fdpd on both, h1 dials
#      |                                     |
#    c1 10.0.0.1 fd00::1          c2 10.0.0.2 fd00::2  TAPs in the containers
#
# tier: bare
# timeout: 150
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sleeve.sh"
. "$(dirname "$0")/soak.sh"

overlay=sleeve
hosts 2
wire_record sleeve
fdpd h1 --password-file "$password" --peer 172.31.0.2
fdpd h2 --password-file "$password"
case_ok 'connected, by sleeve, and why' soon sleeved h1 1 no-fastdp
case_ok 'on h2, too' soon sleeved h2 1
box h1 c1 10.0.0.1/24 fd00::1/64
box h2 c2 10.0.0.2/24 fd00::2/64
case_ok 'ping' soon ping_ok c1 10.0.0.2
case_ok 'ping the other way' soon ping_ok c2 10.0.0.1
case_ok 'ping over IPv6' soon ping_ok c1 fd00::2
case_ok 'TCP' transfer c1 c2 10.0.0.2
case_ok 'TCP the other way, over IPv6' transfer c2 c1 fd00::1

# The interface is told what the way takes, exactly.
mtu=$(ns c1 cat /sys/class/net/eth0/mtu)
echo "# MTU $mtu"
case_ok 'a packet of the MTU passes unfragmented' ping_ok c1 -M 'do' -s $((mtu - 28)) 10.0.0.2
# A container may think otherwise, up to the most that a TAP has: it is told.
told() { # ADDRESS TEXT
	ns c1 ping -n -c 1 -W 2 -M 'do' -s 65000 "$1" | grep -F "$2"
}
remembers() { # ADDRESS
	ns c1 ip route get "$1" | grep "mtu $mtu"
}
ns c1 ip link set eth0 mtu 65521
case_ok 'MTU 65521: what may be cut arrives in pieces' ping_ok c1 -M dont -s 60000 10.0.0.2
case_ok 'nobody was told' not remembers 10.0.0.2
case_ok 'what may not is answered: fragmentation needed' told 10.0.0.2 "Frag needed and DF set (mtu = $mtu)"
case_ok 'and the container remembers' remembers 10.0.0.2
case_ok 'over IPv6: packet too big' told fd00::2 "Packet too big: mtu=$mtu"
case_ok 'and the container remembers that, too' remembers fd00::2
case_ok 'TCP' transfer c1 c2 10.0.0.2 5M
case_ok 'TCP over IPv6' transfer c1 c2 fd00::2 5M
ns c1 ip link set eth0 mtu "$mtu"
ns c1 ip route flush cache
case_ok 'there is no IP fragment on the wire' eval 'wire_stop; wire_none sleeve "ip[6:2] & 0x3fff != 0 and udp"'
wire_record sleeve

# ---- what fdpctl shows ---------------------------------------------------------

case_ok 'fdpctl status says healthy' ctl h1 status
case_ok 'connections: encrypted' [ "$(ask h1 '.connections[0].encrypted' connections)" = true ]
case_ok 'connections: sleeve' grep -q sleeve <(ctl h1 status connections)
case_ok 'why' ctl h1 why h2
case_ok 'ports: a TAP, up' [ "$(ask h1 '.ports[0] | "\(.ifname) \(.device) \(.state)"' ports)" = 'eth0 tap up' ]
some_flows() { ctl h1 flows | grep -q 'set(tunnel('; }
case_ok 'flows: one to the other host' soon some_flows
counted() { [ "$(ask h1 '[.[].packets] | add > 0' flows)" = true ]; }
case_ok 'flows: their packets are counted' soon counted
port=$(ask h1 '.ports[0].vport' ports)
mac1=$(ask h1 '.ports[0].mac' ports) mac2=$(ask h2 '.ports[0].mac' ports)
trace() { # FROM: what fdpctl trace says of a packet from c1 with that address
	ctl h1 trace --port "$port" --src "$mac1" --dst "$mac2" --ip-src "$1" --ip-dst 10.0.0.2
}
case_ok 'trace: to the other host' grep -q remote <(trace 10.0.0.1)
case_ok 'trace: with a forged address' grep -q spoofed-ip <(trace 10.0.0.9)

# ---- the guard -------------------------------------------------------------------

ns c1 ip addr add 10.0.0.99/24 dev eth0
case_ok 'a forged source gets nowhere' not ping_ok c1 -I 10.0.0.99 10.0.0.2
ns c1 ip addr del 10.0.0.99/24 dev eth0
ip netns add c3
ip -n c3 link set lo up
case_ok 'attach to another network' ctl h2 attach --netns c3 --network 7 --address 10.0.0.3/24
case_ok 'which is not reached' not ping_ok c1 10.0.0.3
case_ok 'an address that is taken is refused' not ctl h2 attach --netns c3 --ifname eth1 --address 10.0.0.1/24

# ---- what is on the wire -----------------------------------------------------------

case_ok 'a secret is told' tell c1 c2 10.0.0.2
wire_stop
case_ok 'sleeve is on the wire' wire_some sleeve 100 'udp port 6783'
case_ok 'nothing else is' wire_none sleeve "$sleeve_only"
case_ok 'the secret is not' secret_unseen sleeve

# ---- rekey, restarts -----------------------------------------------------------------

ping_begin rekey c1 10.0.0.2 -i 0.02
stream_begin rekey c1 c2 10.0.0.2 7001 200
sleep 0.5
for _ in 1 2 3 4 5; do
	ctl h1 rekey > /dev/null
	sleep 0.7
done
traffic_end
case_ok 'five times other keys: no ping was lost' pings_whole "$work/rekey.ping"
case_ok 'and no datagram' stream_whole rekey

served() {
	[ "$(ask h1 '.ports[0] | "\(.ifname) \(.state)"' ports)" = 'eth0 up' ]
}
for signal in TERM KILL; do
	fdpd_kill h1 $signal
	case_ok "$signal: the interface stays" ip -n c1 link show eth0
	fdpd h1 --password-file "$password" --peer 172.31.0.2
	case_ok "$signal: and is served again by the next one" soon served
	case_ok "$signal: ping" soon ping_ok c1 10.0.0.2
done
case_ok 'TCP after it' transfer c1 c2 10.0.0.2 2M

case_ok 'detach' ctl h2 detach --netns c3
case_ok 'takes the interface away' not ip -n c3 link show eth0

# What others take away: the device of the datapath, and a whole container.
ip -n h1 link del fdp
case_ok 'the datapath device is made again' soon ip -n h1 link show fdp
case_ok 'and containers go on' soon ping_ok c1 10.0.0.2
queues() { # of TAPs that h2 has open
	find "/proc/${daemon[h2]}/fd" -lname /dev/net/tun | wc -l
}
before=$(queues)
box h2 c4 10.0.0.4/24
case_ok 'another container' soon ping_ok c1 10.0.0.4
case_ok 'has queues' [ "$(queues)" -gt "$before" ]
ip netns del c4
fewer() { [ "$(queues)" -le "$before" ]; }
case_ok 'its end is noticed' soon fewer
case_ok 'and forgotten' soon eval '! ctl h2 ports | grep netns/c4'
case_ok 'the others go on' ping_ok c1 10.0.0.2

fdpd_kill h2 TERM
(umask 077; echo 'another one altogether' > "$work/other")
fdpd h2 --password-file "$work/other"
wrong() { [ "$(ask h1 '.connections[0].reason' connections)" = wrong-password ]; }
case_ok 'another password: no connection, and why' soon wrong
case_ok 'and nothing gets through' not ping_ok c1 10.0.0.2

# ---- controls ---------------------------------------------------------------------------

for h in h1 h2; do
	ctl $h reset > /dev/null
	fdpd_kill $h
done
ip netns del c1
ip netns del c2
wire_record plain
fdpd h2
fdpd h1 --peer 172.31.0.2
case_ok 'connected without a password' soon sleeved h1 1
box h1 c1 10.0.0.1/24
box h2 c2 10.0.0.2/24
case_ok 'ping without a password' soon ping_ok c1 10.0.0.2
case_ok 'the secret is told again' tell c1 c2 10.0.0.2
wire_stop
case_ok 'control: without a password the recording has it' secret_seen plain

# ---- a crowd -----------------------------------------------------------------------------

# Its queue of connections holds 64, and a daemon that is busy takes none.
kill -STOP "${daemon[h1]}"
crowd=()
for ((i = 0; i < 100; i++)); do
	ctl h1 ports > /dev/null 2> "$work/crowd.$i" &
	crowd+=($!)
done
sleep 1
kill -CONT "${daemon[h1]}"
answered=0
for pid in "${crowd[@]}"; do wait "$pid" && answered=$((answered + 1)); done
case_ok 'a hundred commands at once are all answered' [ $answered = 100 ]

# ---- somebody else -----------------------------------------------------------------------

fdpd_kill h1 TERM
other() { fdpd_try h1 --state-dir "$work/other-h1" 2>&1 | grep 'belongs to an fdpd with another identity'; }
case_ok 'an fdpd of another identity keeps off' other
fdpd h1 --peer 172.31.0.2

# ---- the end -----------------------------------------------------------------------------

case_ok 'reset' ctl h1 reset
case_ok 'removes the interface in the container' not ip -n c1 link show eth0
case_ok 'and what was on the host' not ip -n h1 link show fdp
case_ok 'but not what is of others' ip -n c2 link show eth0
unset 'daemon[h1]'
finish
